//! Calls over one connection, which is kept open as long as the server keeps it.
//!
//! A call may take forever: `start` waits for its process and `stop` for stopwaitsecs. So only connecting has
//! a deadline and, as `sv`, read-only requests have one too. A call that was sent is never repeated, even if
//! the connection breaks: it may have been carried out. A connection that the server closed between two calls
//! is detected before the next call and replaced.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::api;
use super::endpoint::{Endpoint, EndpointStream};
use super::failure::CallError;
use super::follow::{Follow, wait};
use super::waiting::{self, ProgressLine, REFRESH_INTERVAL, SHOW_AFTER};
use crate::control_socket::{self, SocketSearch};
use crate::http::client::{ResponseParser, encode_request};
use crate::model::Signal;
use crate::sys::interrupts::HeldInterrupts;
use crate::xmlrpc::{Value, decode_response, encode_call};

/// The maximum size of a reply: a whole log may be requested.
const REPLY_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The size of a read.
const READ_BYTES: usize = 64 * 1024;

/// A request of one of the two interfaces.
enum HttpRequest<'r> {
    /// A document of the JSON API.
    Get { target: &'r str },
    /// An action of the JSON API.
    Act { target: &'r str },
    /// A call by XML-RPC.
    Call { body: &'r [u8] },
}

use HttpRequest::{Act, Call, Get};

/// A client of a supervisor.
pub(super) struct RpcClient {
    url: String,
    username: Option<String>,
    password: Option<String>,
    /// Another address of the same supervisor.
    fallback: Option<Fallback>,
    /// The time limit for any reply; without one it waits forever.
    timeout: Option<Duration>,
    /// The time limit for replies to read-only requests.
    reading_timeout: Option<Duration>,
    /// The deadline of all requests, in addition to their timeouts.
    deadline: Option<Instant>,
    /// Whether Ctrl-C cancels a wait and does not end us.
    is_interruptible: bool,
    /// Whether standard error supports escape sequences, if it is a terminal.
    shows_waits: bool,
    /// An open connection without a pending call.
    idle: Option<EndpointStream>,
}

impl RpcClient {
    /// Connects on the first call.
    pub(super) fn new(url: String, username: Option<String>, password: Option<String>) -> Self {
        Self {
            url,
            username,
            password,
            fallback: None,
            timeout: None,
            reading_timeout: None,
            deadline: None,
            is_interruptible: false,
            shows_waits: true,
            idle: None,
        }
    }

    /// The URL as given.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Sets another address of the same supervisor, used if the connection is refused.
    pub(super) fn set_fallback(&mut self, fallback: Option<Fallback>) {
        self.fallback = fallback;
    }

    /// Switches to another server.
    pub(super) fn switch_to(&mut self, url: &str) {
        self.url = url.to_owned();
        self.fallback = None;
        self.idle = None;
    }

    /// Sets the time limit for replies.
    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = Some(timeout);
    }

    /// Sets the time limit for replies to read-only requests.
    pub(super) fn set_reading_timeout(&mut self, timeout: Option<Duration>) {
        self.reading_timeout = timeout;
    }

    /// Sets the deadline of all requests, in addition to their timeouts.
    pub(super) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Whether Ctrl-C cancels a wait and does not end us.
    pub(super) fn is_interruptible(&self) -> bool {
        self.is_interruptible
    }

    /// Makes Ctrl-C cancel a wait and not end us.
    pub(super) fn set_interruptible(&mut self) {
        self.is_interruptible = true;
    }

    /// Disables the progress line for long calls.
    pub(super) fn hide_waits(&mut self) {
        self.shows_waits = false;
    }

    /// Sets the user name and password.
    pub(super) fn log_in(&mut self, username: String, password: String) {
        self.username = Some(username);
        self.password = Some(password);
    }

    /// Calls a method and waits for its result.
    pub(super) fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, CallError> {
        let body = encode_call(method, params);
        let waits_for = waiting::described(method, params);
        let reply = self.exchange(Call { body: &body }, waiting::asked_for(method), waits_for)?;
        result(reply)
    }

    /// Requests a document of the JSON API; `asked_for` describes it for messages.
    pub(super) fn get<T: DeserializeOwned>(
        &mut self,
        target: &str,
        asked_for: &'static str,
    ) -> Result<T, CallError> {
        let reply = self.exchange(Get { target }, Some(asked_for), None)?;
        api::document(reply)
    }

    /// Performs an action of the JSON API, however long it takes; `waits_for` describes it for the progress line.
    pub(super) fn post(&mut self, target: &str, waits_for: String) -> Result<Json, CallError> {
        let reply = self.exchange(Act { target }, None, Some(waits_for))?;
        api::document(reply)
    }

    /// Sends a request and waits for the reply.
    fn exchange(
        &mut self,
        request: HttpRequest<'_>,
        asked_for: Option<&'static str>,
        waits_for: Option<String>,
    ) -> Result<ResponseParser, CallError> {
        let mut endpoint = Endpoint::parse(&self.url).map_err(CallError::Address)?;
        let mut stream = match self.idle.take() {
            Some(stream) if stream.is_quiet() => stream,
            _ => match endpoint.connect(self.left()) {
                Err(error) if is_absence(&error) && self.switch_to_fallback() => {
                    endpoint = Endpoint::parse(&self.url).map_err(CallError::Address)?;
                    endpoint.connect(self.left())
                }
                connected => connected,
            }
            .map_err(|error| CallError::Connect(self.url.clone(), error))?,
        };
        let timeout = self.timeout.or_else(|| self.reading_timeout.filter(|_| asked_for.is_some()));
        let deadline = self.deadline;
        let limit = move || sooner(timeout, time_left(deadline));
        stream.set_timeout(limit()).map_err(CallError::Broken)?;
        let began = Instant::now();
        let (host, credentials) = (endpoint.host(), self.credentials());
        let request = match request {
            Get { target } => encode_request("GET", target, &host, credentials, None, b""),
            Act { target } => encode_request("POST", target, &host, credentials, None, b""),
            Call { body } => encode_request("POST", "/RPC2", &host, credentials, Some("text/xml"), body),
        };
        let wait = waits_for.map(|what| {
            let sign = if self.shows_waits { ProgressLine::of(what) } else { None };
            ReplyWait::new(sign, self.is_interruptible)
        });
        let failed = |error: io::Error| match limit() {
            Some(_) if error.kind() == io::ErrorKind::WouldBlock => {
                let after = timeout.unwrap_or(Duration::MAX).min(began.elapsed());
                CallError::TimedOut { asked_for: asked_for.unwrap_or("an answer"), after }
            }
            _ => CallError::Broken(error),
        };
        stream.write_all(&request).map_err(failed)?;
        if let Some(wait) = wait {
            wait.until_it_comes(&stream)?;
        }
        let reply = read_reply(&mut stream, &limit, failed)?;
        if reply.is_reusable() {
            self.idle = Some(stream);
        }
        Ok(reply)
    }

    /// Switches to the control socket of the same supervisor, if it has one.
    fn switch_to_fallback(&mut self) -> bool {
        let found = self.fallback.take().and_then(|fallback| fallback.find());
        if let Some(url) = &found {
            self.url.clone_from(url);
        }
        found.is_some()
    }

    /// Reads an endless document of the server, over a separate connection.
    pub(super) fn follow(&mut self, target: &str) -> Result<Follow, CallError> {
        match Follow::open(&self.url, target, self.credentials(), self.left()) {
            Err(CallError::Connect(_, error)) if is_absence(&error) && self.switch_to_fallback() => {
                Follow::open(&self.url, target, self.credentials(), self.left())
            }
            opened => opened,
        }
    }

    fn left(&self) -> Option<Duration> {
        time_left(self.deadline)
    }

    /// Whether the client has a user name.
    pub(super) fn has_credentials(&self) -> bool {
        self.credentials().is_some()
    }

    /// Sent only if both parts exist, as in the reference.
    fn credentials(&self) -> Option<(&str, &str)> {
        self.username.as_deref().zip(self.password.as_deref())
    }
}

/// Another address of a supervisor that does not listen at its configured one: as PID 1 it continues without
/// a server that the file system rejects, and a `serverurl` may name one that is not configured.
#[derive(Debug)]
pub(super) struct Fallback {
    /// The configuration that contains the address.
    pub(super) config: PathBuf,
    /// `$XDG_RUNTIME_DIR`
    pub(super) runtime_dir: Option<PathBuf>,
}

impl Fallback {
    fn find(&self) -> Option<String> {
        let wanted = SocketSearch { config: Some(&self.config), is_config_named: true };
        Some(control_socket::find(wanted, self.runtime_dir.as_deref()).address?.url())
    }
}

/// Never zero: for a socket that means no timeout.
fn time_left(deadline: Option<Instant>) -> Option<Duration> {
    let left = deadline?.saturating_duration_since(Instant::now());
    Some(left.max(Duration::from_millis(1)))
}

fn sooner(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// The wait for a reply that may take long.
struct ReplyWait {
    sign: Option<ProgressLine>,
    /// Held back before the request is sent, since a signal must not be lost after that.
    interrupts: Option<HeldInterrupts>,
}

impl ReplyWait {
    fn new(sign: Option<ProgressLine>, is_interruptible: bool) -> Self {
        let interrupts = is_interruptible.then(|| HeldInterrupts::back(&[Signal::INT]).ok()).flatten();
        Self { sign, interrupts }
    }

    /// Waits for data and shows progress. Errors are reported by the read that follows.
    fn until_it_comes(mut self, stream: &EndpointStream) -> Result<(), CallError> {
        if self.sign.is_none() && self.interrupts.is_none() {
            return Ok(());
        }
        let watched: Vec<_> =
            [stream.as_fd()].into_iter().chain(self.interrupts.as_ref().map(HeldInterrupts::as_fd)).collect();
        let started = Instant::now();
        let mut timeout = self.sign.as_ref().map(|_| SHOW_AFTER);
        while wait(&watched, timeout).is_ok_and(|ready| !ready.contains(&true)) {
            if let Some(sign) = &mut self.sign {
                sign.show(started.elapsed());
            }
            timeout = timeout.map(|_| REFRESH_INTERVAL);
        }
        let is_interrupted = self.interrupts.as_ref().is_some_and(HeldInterrupts::take);
        if is_interrupted { Err(CallError::Interrupted) } else { Ok(()) }
    }
}

fn read_reply(
    stream: &mut EndpointStream,
    limit: &dyn Fn() -> Option<Duration>,
    failed: impl Fn(io::Error) -> CallError,
) -> Result<ResponseParser, CallError> {
    let mut reply = ResponseParser::new(REPLY_BYTES_MAX);
    let mut buffer = vec![0; READ_BYTES];
    while !reply.is_complete() {
        let nonsense = |error| CallError::InvalidReply(format!("{error}"));
        match stream.read(&mut buffer) {
            Ok(0) if reply.head().is_none() => return Err(CallError::Broken(hung_up())),
            Ok(0) => {
                reply.end_of_input().map_err(nonsense)?;
                break;
            }
            Ok(count) => {
                reply.feed(&buffer[..count]).map_err(nonsense)?;
                stream.set_timeout(limit()).map_err(CallError::Broken)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(reply)
}

fn hung_up() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed it without a reply")
}

fn result(mut reply: ResponseParser) -> Result<Value, CallError> {
    match reply.head() {
        Some(head) if head.status != 200 => Err(CallError::Refused(head.status, head.reason.clone())),
        _ => match decode_response(&reply.take_body()) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err((code, text))) => Err(CallError::Fault(i64::from(code), text)),
            Err(error) => Err(CallError::InvalidReply(error.to_string())),
        },
    }
}
