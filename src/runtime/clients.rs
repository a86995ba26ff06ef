//! Connections of clients: bytes to requests, answers to bytes. What is asked is for `questions`.
//!
//! Each asks one thing at a time; the next request is looked at when the answer to the one before
//! is sent. So what is kept for a client is bounded by one request, one answer and what it may
//! send ahead.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::time::Duration;

use super::{READ_BYTES_MAX, Shell, Source};
use crate::http::{Connection, Response, http_date};
use crate::model::{Mono, Ticket};
use crate::rpc::Multicall;
use crate::sys::poller::Interest;
use crate::sys::sockets::Stream;

/// Connections at one time, and never more than every second descriptor that we may have open: the
/// others are for children and logs. The one that has been idle for longest makes room for a new one.
pub(super) const CLIENTS_MAX: usize = 1024;

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
pub(super) struct Client {
    stream: Stream,
    http: Connection,
    pub(super) server: usize,
    /// The answer, as far as it is not sent yet. A slow reader takes it from the front bit by bit, which moves
    /// nothing of the rest.
    unsent: VecDeque<u8>,
    interest: Interest,
    /// Its open question.
    pub(super) ticket: Option<Ticket>,
    /// What it asks one thing after the other.
    pub(super) calls: Option<Multicall>,
    /// Its writing half is shut down; what comes is read and dropped.
    lingers: bool,
    pub(super) last_used: Mono,
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

    /// Whether somebody has an answer to come.
    pub(super) fn is_anyone_served(&self) -> bool {
        self.by_token.values().any(|client| client.waits() || !client.unsent.is_empty())
    }

    /// When one of those that there are has last said or taken something.
    pub(super) fn last_used(&self) -> Option<Mono> {
        self.by_token.values().map(|client| client.last_used).max()
    }

    /// Who is at the other end.
    pub(super) fn peer(&self, token: u64) -> String {
        self.by_token.get(&token).map_or_else(String::new, |client| client.stream.peer())
    }

    pub(super) fn get(&self, token: u64) -> Option<&Client> {
        self.by_token.get(&token)
    }

    pub(super) fn get_mut(&mut self, token: u64) -> Option<&mut Client> {
        self.by_token.get_mut(&token)
    }

    /// Sends a client another piece of its stream.
    pub(super) fn stream(&mut self, token: u64, bytes: &[u8]) {
        if let Some(client) = self.by_token.get_mut(&token) {
            client.unsent.extend(client.http.piece(bytes));
        }
    }

    /// Ends the stream of a client.
    pub(super) fn end_stream(&mut self, token: u64) {
        if let Some(client) = self.by_token.get_mut(&token) {
            client.unsent.extend(client.http.end_stream());
        }
    }

    /// Its token, and since when.
    fn idle_for_longest(&self) -> Option<(u64, Mono)> {
        let idle = self.by_token.iter().filter(|(_, client)| !client.waits());
        idle.map(|(&token, client)| (token, client.last_used)).min_by_key(|&(_, since)| since)
    }
}

impl Client {
    fn wants(&self) -> Interest {
        Interest {
            read: self.lingers
                || self.http.is_streaming()
                || self.http.wants_input() && self.unsent.is_empty(),
            write: !self.unsent.is_empty(),
        }
    }

    /// Whether an answer is being worked on.
    fn waits(&self) -> bool {
        self.ticket.is_some() || self.calls.is_some()
    }

    fn is_busy(&self) -> bool {
        // Who follows a log may rest as long as he likes: it costs no more than what is unsent.
        !self.http.is_streaming() && (!self.unsent.is_empty() || self.http.mid_request())
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
            unsent: VecDeque::new(),
            interest,
            ticket: None,
            calls: None,
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

    /// Closes all connections.
    pub(super) fn drop_clients(&mut self) {
        let tokens: Vec<_> = self.clients.by_token.keys().copied().collect();
        tokens.into_iter().for_each(|token| self.drop_client(token));
    }

    fn drop_client(&mut self, token: u64) {
        self.sources.remove(token);
        self.traces.remove(token);
        self.tails.remove(token);
        if let Some(client) = self.clients.by_token.remove(&token) {
            self.poller.remove(client.stream.as_fd());
            // What it asked for goes on; the answer has nobody to go to, unless there is more to be done.
            let goes_on = self.visits.leave(token);
            if let Some(ticket) = client.ticket.filter(|_| !goes_on) {
                self.tickets.take(ticket);
            }
        }
    }

    /// A client has sent something, can take something, or is gone.
    pub(super) fn client_is_ready(&mut self, token: u64, readable: bool) {
        self.at_rest = false;
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
    pub(super) fn serve(&mut self, token: u64) {
        let mut has_its_piece = false;
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
            if client.waits() {
                break;
            }
            if client.http.is_streaming() {
                // One in a turn, so that a fast reader of much leaves room for others.
                if has_its_piece {
                    self.tails.put_off(token);
                    break;
                }
                has_its_piece = true;
                if !self.add_piece(token) {
                    break;
                }
                continue;
            }
            match client.http.next_request() {
                Ok(Some(request)) => self.handle_request(token, &request),
                Ok(None) => {
                    if let Some(interim) = client.http.take_interim() {
                        client.unsent.extend(interim);
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
            match client.stream.write(client.unsent.as_slices().0) {
                Ok(0) => return false,
                Ok(count) => {
                    client.unsent.drain(..count);
                    client.last_used = self.now.mono;
                    client.deadline = Some(self.now.mono.after(PATIENCE).min(client.answer_by));
                    if client.unsent.is_empty() {
                        client.unsent = VecDeque::new();
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

    /// Begins an answer that goes on until its stream ends.
    pub(super) fn begin_stream(&mut self, token: u64, response: &Response) {
        let date = http_date(self.now.wall.unix_secs());
        if let Some(client) = self.clients.by_token.get_mut(&token) {
            client.unsent = client.http.begin_stream(response, &date).into();
            let bytes = client.unsent.len();
            self.trace_answer(token, response, bytes);
        }
    }

    pub(super) fn respond(&mut self, token: u64, response: &Response) {
        let date = http_date(self.now.wall.unix_secs());
        if let Some(client) = self.clients.by_token.get_mut(&token) {
            client.unsent = client.http.respond(response, &date).into();
            client.deadline = Some(self.now.mono.after(PATIENCE));
            client.answer_by = self.now.mono.after(patience_with(client.unsent.len()));
            let bytes = client.unsent.len();
            self.trace_answer(token, response, bytes);
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
