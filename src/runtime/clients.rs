//! Connections of clients: bytes to requests, requests to commands, replies to bytes.
//!
//! Each asks one thing at a time; the next request is looked at when the answer to the one before
//! is sent. So what is kept for a client is bounded by one request, one answer and what it may
//! send ahead.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::time::Duration;

use super::{READ_BYTES_MAX, Shell, Source};
use crate::http::{Connection, Request, Response, Secret, authorize, http_date};
use crate::model::{Credentials, Fault, FaultCode, LogLevel, Mono, Password, Reply, SupervisorState, Ticket};
use crate::rpc::{self, Asked};
use crate::supervise::Input;
use crate::sys::poller::Interest;
use crate::sys::sockets::Stream;
use crate::xmlrpc::{DecodeError, decode_call, encode_response};

/// Connections at one time, and never more than every second descriptor that we may have open: the
/// others are for children and logs. The one that has been idle for longest makes room for a new one.
const CLIENTS_MAX: usize = 1024;

/// For how long a connection has to be idle before it makes room for another because descriptors have
/// run out. One that has just come is about to speak.
const IDLE_LEAST: Duration = Duration::from_secs(1);

/// How long a request may take to arrive once it has begun, and an answer to be taken further.
const PATIENCE: Duration = Duration::from_secs(60);

/// A reader of large answers that is slower than this is given up.
const ANSWER_BYTES_PER_SEC_LEAST: usize = 16 * 1024;

/// How long a client that sent rubbish may go on sending, so that it gets to read why it is cut
/// off: a socket that is closed with bytes unread takes its last answer back.
const LINGER: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Client {
    stream: Stream,
    http: Connection,
    server: usize,
    /// The answer, as far as it is not sent yet.
    unsent: Vec<u8>,
    interest: Interest,
    /// Its open question.
    ticket: Option<Ticket>,
    /// Its writing half is shut down; what comes is read and dropped.
    lingers: bool,
    last_used: Mono,
    /// When it is given up.
    deadline: Option<Mono>,
    /// When it is given up although it goes on taking its answer bit by bit.
    answer_by: Mono,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Clients {
    by_token: BTreeMap<u64, Client>,
    most: usize,
}

impl Clients {
    /// None yet; how many there may be follows from how many files may be open.
    pub(super) fn new(open_files_max: u64) -> Self {
        let half = usize::try_from(open_files_max / 2).unwrap_or(usize::MAX);
        Self { by_token: BTreeMap::new(), most: half.clamp(1, CLIENTS_MAX) }
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        self.by_token.values().filter_map(|client| client.deadline).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_token.is_empty()
    }

    /// Who is at the other end.
    pub(super) fn peer(&self, token: u64) -> String {
        self.by_token.get(&token).map_or_else(String::new, |client| client.stream.peer())
    }

    /// Its token, and since when.
    fn idle_for_longest(&self) -> Option<(u64, Mono)> {
        let idle = self.by_token.iter().filter(|(_, client)| client.ticket.is_none());
        idle.map(|(&token, client)| (token, client.last_used)).min_by_key(|&(_, since)| since)
    }
}

impl Client {
    fn wants(&self) -> Interest {
        Interest {
            read: self.lingers || self.http.wants_input() && self.unsent.is_empty(),
            write: !self.unsent.is_empty(),
        }
    }

    fn is_busy(&self) -> bool {
        !self.unsent.is_empty() || self.http.mid_request()
    }
}

impl Shell {
    pub(super) fn add_client(&mut self, stream: Stream, server: usize) {
        if self.clients.by_token.len() >= self.clients.most {
            match self.clients.idle_for_longest() {
                Some((token, _)) => self.drop_client(token),
                // All of them wait for an answer.
                None => return,
            }
        }
        self.at_rest = false;
        let token = self.sources.add(Source::Client);
        let interest = Interest { read: true, write: false };
        if self.poller.add(&stream, token, interest).is_err() {
            return self.sources.remove(token);
        }
        let client = Client {
            stream,
            http: Connection::new(),
            server,
            unsent: Vec::new(),
            interest,
            ticket: None,
            lingers: false,
            last_used: self.now.mono,
            deadline: None,
            answer_by: self.now.mono,
        };
        self.clients.by_token.insert(token, client);
    }

    /// Gives up a connection that nobody has used for a while, so that there is a descriptor again.
    /// False if there is none.
    pub(super) fn make_room(&mut self) -> bool {
        match self.clients.idle_for_longest() {
            Some((token, since)) if since.after(IDLE_LEAST) <= self.now.mono => {
                self.drop_client(token);
                true
            }
            Some(_) | None => false,
        }
    }

    fn drop_client(&mut self, token: u64) {
        self.sources.remove(token);
        self.traces.remove(token);
        if let Some(client) = self.clients.by_token.remove(&token) {
            self.poller.remove(client.stream.as_fd());
            // What it asked for goes on; the answer has nobody to go to.
            if let Some(ticket) = client.ticket {
                self.tickets.take(ticket);
            }
        }
    }

    /// A client has sent something, can take something, or is gone.
    pub(super) fn client_is_ready(&mut self, token: u64, readable: bool) {
        if readable && !self.read_client(token) {
            return self.drop_client(token);
        }
        self.serve(token);
    }

    /// False once nothing more will come.
    fn read_client(&mut self, token: u64) -> bool {
        let Some(client) = self.clients.by_token.get_mut(&token) else { return true };
        match client.stream.read(&mut self.buffer[..READ_BYTES_MAX]) {
            Ok(0) => false,
            Ok(count) => {
                if !client.lingers {
                    client.http.feed(&self.buffer[..count]);
                    client.last_used = self.now.mono;
                }
                true
            }
            Err(error) => {
                matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted)
            }
        }
    }

    /// Goes as far with a client as is possible now.
    fn serve(&mut self, token: u64) {
        loop {
            if !self.send(token) {
                return self.drop_client(token);
            }
            let Some(client) = self.clients.by_token.get_mut(&token) else { return };
            if !client.unsent.is_empty() || client.lingers {
                break;
            }
            if client.http.is_closing() {
                begin_to_linger(client);
                client.deadline = Some(self.now.mono.after(LINGER));
                break;
            }
            match client.http.next_request() {
                Ok(Some(request)) => self.handle_request(token, &request),
                Ok(None) => {
                    if let Some(interim) = client.http.take_interim() {
                        client.unsent.extend_from_slice(interim);
                        client.answer_by = self.now.mono.after(PATIENCE);
                        continue;
                    }
                    break;
                }
                Err(rejection) => self.respond(token, &rejection.response()),
            }
        }
        self.settle(token);
    }

    /// Derives from the buffers what to wait for, and for how long.
    fn settle(&mut self, token: u64) {
        let Some(client) = self.clients.by_token.get_mut(&token) else { return };
        if !client.lingers {
            let until = client.deadline.unwrap_or_else(|| self.now.mono.after(PATIENCE));
            client.deadline = client.is_busy().then_some(until);
        }
        let wanted = client.wants();
        if wanted != client.interest {
            client.interest = wanted;
            if self.poller.modify(&client.stream, token, wanted).is_err() {
                self.drop_client(token);
            }
        }
    }

    /// False if the client is gone.
    fn send(&mut self, token: u64) -> bool {
        let Some(client) = self.clients.by_token.get_mut(&token) else { return true };
        while !client.unsent.is_empty() {
            match client.stream.write(&client.unsent) {
                Ok(0) => return false,
                Ok(count) => {
                    client.unsent.drain(..count);
                    client.deadline = Some(self.now.mono.after(PATIENCE).min(client.answer_by));
                    if client.unsent.is_empty() {
                        client.unsent = Vec::new();
                        client.deadline = None;
                    }
                }
                Err(error) => {
                    return matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted
                    );
                }
            }
        }
        true
    }

    fn respond(&mut self, token: u64, response: &Response) {
        let date = http_date(self.now.wall.unix_secs());
        if let Some(client) = self.clients.by_token.get_mut(&token) {
            client.unsent = client.http.respond(response, &date);
            client.deadline = Some(self.now.mono.after(PATIENCE));
            client.answer_by = self.now.mono.after(patience_with(client.unsent.len()));
            let bytes = client.unsent.len();
            self.trace_answer(token, response, bytes);
        }
    }

    fn handle_request(&mut self, token: u64, request: &Request) {
        self.trace_request(token, request);
        let server = self.clients.by_token.get(&token).and_then(|client| self.servers.spec(client.server));
        // Its server is gone, or it has not shown that it may ask.
        let allowed = server.is_some_and(|server| may_enter(request, server.credentials.as_ref()));
        if !allowed {
            return self.respond(token, &Response::unauthorized());
        }
        if !request.path.starts_with("/RPC2") {
            return self.respond(token, &Response::error(404));
        }
        if request.method != "POST" {
            return self.respond(token, &Response::error(400));
        }
        self.call(token, &request.body);
    }

    fn call(&mut self, token: u64, body: &[u8]) {
        let call = match decode_call(body) {
            Ok(call) => call,
            Err(error) => {
                let kind =
                    if error == DecodeError::NoMethodName { "no method name" } else { "unmarshallable" };
                self.log(LogLevel::Error, &format!("XML-RPC request data is invalid: {kind} ({error})"));
                return self.respond(token, &Response::error(400));
            }
        };
        self.trace_call(token, &call.method);
        match rpc::ask(&call.method, &call.params, &self.settings.namespaces) {
            Ok(Asked::AnswerUnlessStopping(_)) if self.core.state() != SupervisorState::Running => {
                self.respond(token, &xml(rpc::fault_body(&Fault::bare(FaultCode::ShutdownState))));
            }
            Ok(Asked::Answer(value) | Asked::AnswerUnlessStopping(value)) => {
                self.respond(token, &xml(encode_response(&value)));
            }
            Ok(Asked::Command(command)) => {
                let ticket = self.tickets.give(token);
                if let Some(client) = self.clients.by_token.get_mut(&token) {
                    client.ticket = Some(ticket);
                }
                self.feed(Input::Command { ticket, command });
            }
            Err(fault) => self.respond(token, &xml(rpc::fault_body(&fault))),
        }
    }

    /// The answer to a question, if whoever asked is still there.
    pub(super) fn answer(&mut self, ticket: Ticket, result: &Result<Reply, Fault>) {
        let Some(token) = self.tickets.take(ticket) else { return };
        if let Some(client) = self.clients.by_token.get_mut(&token) {
            client.ticket = None;
            client.last_used = self.now.mono;
        }
        self.respond(token, &xml(rpc::body(result)));
        self.answered.push(token);
    }

    /// Sends the answers of this turn, and goes on with those clients' next requests.
    pub(super) fn serve_answered(&mut self) {
        while let Some(token) = self.answered.pop() {
            self.serve(token);
        }
    }

    /// Gives up those whose time is over.
    pub(super) fn give_up_clients(&mut self) {
        let now = self.now.mono;
        let is_over = |client: &Client| client.deadline.is_some_and(|at| at <= now);
        let over: Vec<u64> = self
            .clients
            .by_token
            .iter()
            .filter(|(_, client)| is_over(client))
            .map(|(&token, _)| token)
            .collect();
        for token in over {
            self.drop_client(token);
        }
    }
}

/// How long an answer of so many bytes may take on its way, all in all.
fn patience_with(bytes: usize) -> Duration {
    PATIENCE + Duration::from_secs((bytes / ANSWER_BYTES_PER_SEC_LEAST) as u64)
}

fn begin_to_linger(client: &mut Client) {
    let _ = match &client.stream {
        Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
        Stream::Inet(stream) => stream.shutdown(Shutdown::Write),
    };
    client.lingers = true;
}

fn may_enter(request: &Request, credentials: Option<&Credentials>) -> bool {
    let Some(Credentials { username, password }) = credentials else { return true };
    let secret = match password {
        Password::Plain(text) => Secret::Plain(text),
        Password::Sha1(digest) => Secret::Sha1(digest),
    };
    authorize(request.header("authorization"), username, secret)
}

fn xml(body: Vec<u8>) -> Response {
    Response::ok("text/xml", body)
}
