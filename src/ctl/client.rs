//! Calls over one connection that is kept for as long as the server keeps it.
//!
//! A call may take forever: `start` waits for its process and `stop` for stopwaitsecs. So connecting
//! has a deadline, and under our own name so have requests that only read; no others. A call that was sent is never sent again, whatever becomes of the
//! connection: nobody can know whether it was carried out. A connection that the server closed
//! between two calls is noticed before the next and replaced.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::endpoint::{Endpoint, Stream};
use super::failure::CallError;
use super::follow::{Follow, wait};
use super::waiting::{self, PATIENCE, REFRESH_INTERVAL, Sign};
use crate::control_socket::{self, Wanted};
use crate::http::client::{ResponseParser, encode_request};
use crate::model::Signal;
use crate::sys::interrupts::HeldInterrupts;
use crate::xmlrpc::{Value, decode_response, encode_call};

/// The longest reply that is read: a whole log may be asked for.
const REPLY_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// A supervisor as its clients see it.
pub(super) struct Client {
    url: String,
    username: Option<String>,
    password: Option<String>,
    /// Where else the same supervisor may listen.
    elsewhere: Option<Elsewhere>,
    /// How long the other end may be silent, whatever is asked; without one as long as it likes.
    patience: Option<Duration>,
    /// The same for requests that only read.
    reading_timeout: Option<Duration>,
    /// Whether Ctrl-C ends a wait and not us.
    is_interruptible: bool,
    /// Whether standard error understands escape sequences, if it is a terminal.
    shows_waits: bool,
    /// Open, with no call under way.
    idle: Option<Stream>,
}

impl Client {
    /// Connects at the first call.
    pub(super) fn new(url: String, username: Option<String>, password: Option<String>) -> Self {
        Self {
            url,
            username,
            password,
            elsewhere: None,
            patience: None,
            reading_timeout: None,
            is_interruptible: false,
            shows_waits: true,
            idle: None,
        }
    }

    /// As it was given.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Where to look for the same supervisor if nobody listens at its address.
    pub(super) fn set_elsewhere(&mut self, elsewhere: Option<Elsewhere>) {
        self.elsewhere = elsewhere;
    }

    /// Talks to another server from now on.
    pub(super) fn turn_to(&mut self, url: &str) {
        self.url = url.to_owned();
        self.elsewhere = None;
        self.idle = None;
    }

    /// Waits no longer than this for an answer from now on.
    pub(super) fn set_patience(&mut self, patience: Duration) {
        self.patience = Some(patience);
    }

    /// Waits no longer than this for an answer to a request that only reads.
    pub(super) fn set_reading_timeout(&mut self, timeout: Option<Duration>) {
        self.reading_timeout = timeout;
    }

    /// Lets Ctrl-C end a wait, and not us, from now on.
    pub(super) fn be_interruptible(&mut self) {
        self.is_interruptible = true;
    }

    /// Shows no sign of life while something takes long.
    pub(super) fn hide_waits(&mut self) {
        self.shows_waits = false;
    }

    /// Is somebody else from now on.
    pub(super) fn log_in(&mut self, username: String, password: String) {
        self.username = Some(username);
        self.password = Some(password);
    }

    /// Calls a method and waits for its result.
    pub(super) fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, CallError> {
        let mut endpoint = Endpoint::parse(&self.url).map_err(CallError::Address)?;
        let mut stream = match self.idle.take() {
            Some(stream) if stream.is_quiet() => stream,
            _ => match endpoint.connect() {
                Err(error) if is_absence(&error) && self.turn_elsewhere() => {
                    endpoint = Endpoint::parse(&self.url).map_err(CallError::Address)?;
                    endpoint.connect()
                }
                connected => connected,
            }
            .map_err(|error| CallError::Connect(self.url.clone(), error))?,
        };
        let asked_for = waiting::asked_for(method);
        let timeout = self.patience.or_else(|| self.reading_timeout.filter(|_| asked_for.is_some()));
        stream.set_patience(timeout).map_err(CallError::Broken)?;
        let body = encode_call(method, params);
        let request =
            encode_request("POST", "/RPC2", &endpoint.host(), self.credentials(), Some("text/xml"), &body);
        let wait = waiting::described(method, params).map(|what| {
            let sign = if self.shows_waits { Sign::of(what) } else { None };
            ReplyWait::new(sign, self.is_interruptible)
        });
        let failed = |error: io::Error| match timeout {
            Some(after) if error.kind() == io::ErrorKind::WouldBlock => {
                CallError::Silent { asked_for: asked_for.unwrap_or("an answer"), after }
            }
            _ => CallError::Broken(error),
        };
        stream.write_all(&request).map_err(failed)?;
        if let Some(wait) = wait {
            wait.until_it_comes(&stream)?;
        }
        let reply = read_reply(&mut stream, failed)?;
        if reply.is_reusable() {
            self.idle = Some(stream);
        }
        result(reply)
    }

    /// Talks to the control socket of the same supervisor from now on, if there is one.
    fn turn_elsewhere(&mut self) -> bool {
        let found = self.elsewhere.take().and_then(|elsewhere| elsewhere.find());
        if let Some(url) = &found {
            self.url.clone_from(url);
        }
        found.is_some()
    }

    /// Follows a log; the path is the server's. It has a connection of its own.
    pub(super) fn follow(&mut self, path: &str) -> Result<Follow, CallError> {
        match Follow::open(&self.url, path, self.credentials()) {
            Err(CallError::Connect(_, error)) if is_absence(&error) && self.turn_elsewhere() => {
                Follow::open(&self.url, path, self.credentials())
            }
            opened => opened,
        }
    }

    /// Whether it says who the user is.
    pub(super) fn has_credentials(&self) -> bool {
        self.credentials().is_some()
    }

    /// Sent only if both parts are there, as the reference does.
    fn credentials(&self) -> Option<(&str, &str)> {
        self.username.as_deref().zip(self.password.as_deref())
    }
}

/// Where a supervisor may listen that does not listen where its configuration says: as PID 1 it goes on
/// without a server that the file system refuses, and a `serverurl` may name one that is not configured.
#[derive(Debug)]
pub(super) struct Elsewhere {
    /// The configuration that names the address.
    pub(super) config: PathBuf,
    /// `$XDG_RUNTIME_DIR`
    pub(super) runtime_dir: Option<PathBuf>,
}

impl Elsewhere {
    fn find(&self) -> Option<String> {
        let wanted = Wanted { config: Some(&self.config), is_config_named: true };
        Some(control_socket::find(wanted, self.runtime_dir.as_deref()).address?.url())
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// The wait for a reply that may take long.
struct ReplyWait {
    sign: Option<Sign>,
    /// Held back from before the request is sent: from then on there is something to wait for.
    interrupts: Option<HeldInterrupts>,
}

impl ReplyWait {
    fn new(sign: Option<Sign>, is_interruptible: bool) -> Self {
        let interrupts = is_interruptible.then(|| HeldInterrupts::back(&[Signal::INT]).ok()).flatten();
        Self { sign, interrupts }
    }

    /// Waits until something comes, and shows that we do. Whatever goes wrong shows in reading.
    fn until_it_comes(mut self, stream: &Stream) -> Result<(), CallError> {
        if self.sign.is_none() && self.interrupts.is_none() {
            return Ok(());
        }
        let watched: Vec<_> =
            [stream.as_fd()].into_iter().chain(self.interrupts.as_ref().map(HeldInterrupts::as_fd)).collect();
        let started = Instant::now();
        let mut patience = self.sign.as_ref().map(|_| PATIENCE);
        while wait(&watched, patience).is_ok_and(|ready| !ready.contains(&true)) {
            if let Some(sign) = &mut self.sign {
                sign.show(started.elapsed());
            }
            patience = patience.map(|_| REFRESH_INTERVAL);
        }
        let is_interrupted = self.interrupts.as_ref().is_some_and(HeldInterrupts::take);
        if is_interrupted { Err(CallError::Interrupted) } else { Ok(()) }
    }
}

fn read_reply(
    stream: &mut Stream,
    failed: impl Fn(io::Error) -> CallError,
) -> Result<ResponseParser, CallError> {
    let mut reply = ResponseParser::new(REPLY_BYTES_MAX);
    let mut buffer = vec![0; READ_BYTES];
    while !reply.is_complete() {
        let nonsense = |error| CallError::Nonsense(format!("{error}"));
        match stream.read(&mut buffer) {
            Ok(0) if reply.head().is_none() => return Err(CallError::Broken(hung_up())),
            Ok(0) => {
                reply.end_of_input().map_err(nonsense)?;
                break;
            }
            Ok(count) => reply.feed(&buffer[..count]).map_err(nonsense)?,
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
            Err(error) => Err(CallError::Nonsense(error.to_string())),
        },
    }
}
