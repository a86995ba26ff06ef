//! Connections of clients: bytes to requests, answers to bytes. What is asked is for `questions`.
//!
//! Each asks one thing at a time; the next request is looked at when the answer to the one before is sent.
//!
//! Clients never keep supervision waiting. Connections with something to do stand in a queue; they are served in
//! turn, one request each, and for [`WORK_PER_TURN`] in all. Then the loop looks at signals, at dead children and
//! at what is due before it goes on.
//!
//! Requests whose replies may be long wait in a line. One is taken up in a turn, and only while all connections
//! together hold little ([`HELD_BYTES_LOW`]); a connection that holds much and has made no progress for
//! [`STALLED_AFTER`] is closed for them.
//!
//! All connections together keep no more than [`HELD_BYTES_MAX`] of requests and of replies that are not read,
//! the largest of them aside. Beyond that, connections over TCP yield before those over a unix socket, which only
//! root and our own user can open, and among equals the one that has made no progress for longest; small ones are
//! spared.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::time::Duration;

use super::questions::Pending;
use super::{READ_BYTES_MAX, Shell, Source, door};
use crate::http::{Connection, Response, http_date};
use crate::model::{Mono, Principal, Ticket, UserId};
use crate::rpc::Multicall;
use crate::sys::poller::Interest;
use crate::sys::sockets::SocketStream;
use crate::xmlrpc::Encoder;

/// Connections at one time, and never more than every second descriptor that we may have open: the
/// others are for children and logs.
pub(super) const CLIENTS_MAX: usize = 1024;

/// Time for clients in one turn. It is looked at between two requests, so one that takes longer is completed.
pub(super) const WORK_PER_TURN: Duration = Duration::from_millis(5);

/// Requests and unread replies of all clients together, without the largest. Small enough for a container of 64 MiB.
const HELD_BYTES_MAX: usize = 8 * 1024 * 1024;

/// While all clients together hold more, nothing is begun whose reply may be long.
const HELD_BYTES_LOW: usize = HELD_BYTES_MAX / 2;

/// A connection that holds much and has made no progress for so long is closed where others wait for it.
const STALLED_AFTER: Duration = Duration::from_secs(2);

/// What a connection may hold without having to yield: any request head, and most requests and replies.
const SMALL_BYTES_MAX: usize = 32 * 1024;

/// For how long a connection has to be idle before it makes room for one of its kind because descriptors have
/// run out. One that has just come is about to speak.
const IDLE_LEAST: Duration = Duration::from_secs(1);

/// Connections that are asked whether they have sent something, before one of them is closed as idle.
const LOOKED_AT_MAX: usize = 16;

/// How long a request may take to arrive once it has begun, and an answer to be taken further.
const PATIENCE: Duration = Duration::from_secs(60);

/// A reader of large answers that is slower than this is disconnected.
const ANSWER_BYTES_PER_SEC_LEAST: usize = 16 * 1024;

/// How long a client that sent rubbish may go on sending, so that it gets to read why it is cut
/// off: a socket that is closed with bytes unread takes its last answer back.
const LINGER: Duration = Duration::from_secs(2);

/// An answer, as far as it is not sent yet, in the pieces in which it was made.
#[derive(Debug, Default)]
struct Unsent {
    pieces: VecDeque<Vec<u8>>,
    /// Of the first piece.
    sent: usize,
}

impl Unsent {
    fn push(&mut self, piece: impl Into<Vec<u8>>) {
        let piece = piece.into();
        if !piece.is_empty() {
            self.pieces.push_back(piece);
        }
    }

    fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    fn bytes(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum::<usize>() - self.sent
    }

    fn held_bytes(&self) -> usize {
        self.pieces.iter().map(Vec::capacity).sum()
    }

    fn front(&self) -> Option<&[u8]> {
        self.pieces.front().map(|piece| &piece[self.sent..])
    }

    fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.pieces.front().is_some_and(|piece| piece.len() <= self.sent) {
            self.pieces.pop_front();
            self.sent = 0;
        }
    }
}

#[derive(Debug)]
pub(super) struct Client {
    stream: SocketStream,
    http: Connection,
    pub(super) server: usize,
    /// It came through a unix socket.
    is_local: bool,
    /// The user at the other end of a unix socket.
    pub(super) uid: Option<UserId>,
    /// Who makes the current request, or made the last one; `None` until one was authorised.
    pub(super) principal: Option<Principal>,
    unsent: Unsent,
    interest: Interest,
    /// There is something to be read.
    is_readable: bool,
    /// Its open question.
    pub(super) ticket: Option<Ticket>,
    /// It has asked for a log to follow.
    pub(super) awaits_log: bool,
    /// What it asks one thing after the other.
    pub(super) calls: Option<Multicall>,
    /// The reply to it, while it is encoded.
    pub(super) reply: Option<Encoder>,
    /// Its request that waits in line.
    pub(super) pending: Option<Pending>,
    /// Its writing half is shut down; what comes is read and dropped.
    lingers: bool,
    pub(super) last_used: Mono,
    /// When it is disconnected.
    deadline: Option<Mono>,
    /// When it is disconnected although it goes on taking its answer bit by bit.
    answer_by: Mono,
    /// What it was last found to hold.
    held_bytes: usize,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Clients {
    by_token: BTreeMap<u64, Client>,
    most: usize,
    /// Connections with something to do, and pages whose client may have gone; the next one first.
    queue: VecDeque<u64>,
    queued: BTreeSet<u64>,
    /// Connections with a request whose reply may be long; the next one first.
    line: VecDeque<u64>,
    /// The sum of what all hold.
    held_bytes: usize,
}

/// How readily a connection is closed to make room for another, the readiest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Over TCP, and has not shown that it may ask.
    Stranger,
    /// Over TCP, and idle.
    Guest,
    /// Over a unix socket, and idle.
    Local,
    /// Over TCP, waiting for an answer or following a log.
    BusyGuest,
    /// The same over a unix socket.
    BusyLocal,
}

/// Who a connection is closed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Newcomer {
    /// A connection over TCP.
    Guest,
    /// A connection over a unix socket.
    Local,
    /// A child that is to be started.
    Child,
}

impl Newcomer {
    /// Whether a connection of this standing yields to it.
    fn displaces(self, standing: Standing) -> bool {
        match self {
            Self::Guest => standing <= Standing::Guest,
            Self::Local => standing != Standing::BusyLocal,
            Self::Child => standing <= Standing::Local,
        }
    }
}

impl Clients {
    /// None yet; how many there may be follows from how many files may be open.
    pub(super) fn new(open_files_max: u64) -> Self {
        let half = usize::try_from(open_files_max / 2).unwrap_or(usize::MAX);
        Self {
            by_token: BTreeMap::new(),
            most: half.clamp(1, CLIENTS_MAX),
            queue: VecDeque::new(),
            queued: BTreeSet::new(),
            line: VecDeque::new(),
            held_bytes: 0,
        }
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        self.by_token.values().filter_map(|client| client.deadline).chain(self.line_due()).min()
    }

    /// Who is at the other end.
    pub(super) fn peer(&self, token: u64) -> String {
        self.by_token.get(&token).map_or_else(String::new, |client| client.stream.peer())
    }

    /// Who makes the current request of a connection.
    pub(super) fn principal(&self, token: u64) -> Option<Principal> {
        self.by_token.get(&token)?.principal.clone()
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
            client.unsent.push(client.http.piece(bytes));
        }
    }

    /// Ends the stream of a client.
    pub(super) fn end_stream(&mut self, token: u64) {
        if let Some(client) = self.by_token.get_mut(&token) {
            client.unsent.push(client.http.end_stream());
        }
    }

    /// Has something to do for a connection, after the others that have.
    pub(super) fn enqueue(&mut self, token: u64) {
        if self.queued.insert(token) {
            self.queue.push_back(token);
        }
    }

    /// Whether a reply is being encoded.
    fn is_any_encoded(&self) -> bool {
        self.by_token.values().any(|client| client.reply.is_some())
    }

    /// Whether there is something to do for any connection.
    pub(super) fn has_work(&self) -> bool {
        !self.queue.is_empty() || self.line_due() == Some(Mono::default())
    }

    fn next_in_queue(&mut self) -> Option<u64> {
        let token = self.queue.pop_front()?;
        self.queued.remove(&token);
        Some(token)
    }

    /// The connection that yields to a newcomer: the one of the least standing, and of these the one that has
    /// been idle for longest. One of the newcomer's own kind yields only after a time of silence.
    fn yielding(&self, newcomer: Newcomer, now: Mono, idle_least: Duration) -> Option<u64> {
        let yields = |client: &Client| {
            let is_idle =
                newcomer == Newcomer::Local && !client.is_local || now.since(client.last_used) >= idle_least;
            is_idle && newcomer.displaces(client.standing())
        };
        let candidates = self.by_token.iter().filter(|(_, client)| yields(client));
        let by_readiness = |(_, client): &(&u64, &Client)| (client.standing(), client.last_used);
        // A child comes before any client, and a client over a unix socket before any over TCP.
        let is_equal = |client: &Client| match newcomer {
            Newcomer::Child => false,
            Newcomer::Local => client.is_local,
            Newcomer::Guest => true,
        };
        let mut candidates: Vec<_> =
            candidates.filter(|(_, client)| !is_equal(client) || !client.is_active(now)).collect();
        candidates.sort_by_key(by_readiness);
        let mut looked_at = candidates.into_iter().take(LOOKED_AT_MAX);
        looked_at.find(|(_, client)| !is_equal(client) || !client.stream.has_input()).map(|(&token, _)| token)
    }

    /// Whether there is a place for a newcomer, or one can be made.
    pub(super) fn has_place(&self, newcomer: Newcomer, now: Mono) -> bool {
        self.by_token.len() < self.most || self.yielding(newcomer, now, Duration::ZERO).is_some()
    }

    /// The connection that yields what it holds, if all hold too much; never the only one that holds much.
    fn yielding_memory(&self) -> Option<u64> {
        let largest = self.by_token.values().map(|client| client.held_bytes).max()?;
        if self.held_bytes - largest <= HELD_BYTES_MAX {
            return None;
        }
        let large = self.by_token.iter().filter(|(_, client)| client.held_bytes > SMALL_BYTES_MAX);
        large.min_by_key(|(_, client)| (client.is_local, client.last_used)).map(|(&token, _)| token)
    }

    /// Puts a connection with a request whose reply may be long at the end of the line.
    pub(super) fn line_up(&mut self, token: u64, pending: Pending, now: Mono) {
        if let Some(client) = self.by_token.get_mut(&token) {
            client.pending = Some(pending);
            client.deadline = Some(now.after(PATIENCE));
            self.line.push_back(token);
        }
    }

    /// The connection that keeps the line from going on, since all hold too much. Those in line don't count: who
    /// waits must not wait for himself.
    fn blocking(&self) -> Option<(u64, &Client)> {
        let held = || self.by_token.iter().filter(|(_, client)| client.pending.is_none());
        if held().map(|(_, client)| client.held_bytes).sum::<usize>() <= HELD_BYTES_LOW {
            return None;
        }
        let large = held().filter(|(_, client)| client.held_bytes > SMALL_BYTES_MAX);
        large.min_by_key(|(_, client)| (client.is_local, client.last_used)).map(|(&token, it)| (token, it))
    }

    /// When the line goes on; `None` if it is empty. The beginning of time is at once.
    fn line_due(&self) -> Option<Mono> {
        let next = self.by_token.get(self.line.front()?)?;
        let due = |(_, holder): (u64, &Client)| match (next.is_local, holder.is_local) {
            (true, false) => Mono::default(),
            _ => holder.last_used.after(STALLED_AFTER),
        };
        Some(self.blocking().map_or_else(Mono::default, due))
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
        self.ticket.is_some() || self.calls.is_some() || self.reply.is_some() || self.pending.is_some()
    }

    fn is_busy(&self) -> bool {
        // Who follows a log may rest as long as he likes: it costs no more than what is unsent.
        !self.http.is_streaming()
            && (!self.unsent.is_empty() || self.http.mid_request() || self.pending.is_some())
    }

    /// Whether it is about to ask or to be answered, and not idle. Who has not shown that he may ask, or has
    /// stopped in the middle, is.
    fn is_active(&self, now: Mono) -> bool {
        let is_moving = now.since(self.last_used) < IDLE_LEAST;
        let has_more = !self.unsent.is_empty() || self.http.mid_request();
        self.waits() || self.is_readable || self.principal.is_some() && has_more && is_moving
    }

    fn standing(&self) -> Standing {
        match (self.is_local, self.waits() || self.http.is_streaming()) {
            (true, true) => Standing::BusyLocal,
            (true, false) => Standing::Local,
            (false, true) => Standing::BusyGuest,
            (false, false) if self.principal.is_some() => Standing::Guest,
            (false, false) => Standing::Stranger,
        }
    }
}

impl Shell {
    pub(super) fn add_client(&mut self, stream: SocketStream, server: usize) {
        let is_local = matches!(stream, SocketStream::Unix(_));
        let newcomer = if is_local { Newcomer::Local } else { Newcomer::Guest };
        if self.clients.by_token.len() >= self.clients.most {
            match self.clients.yielding(newcomer, self.now.mono, Duration::ZERO) {
                Some(token) => self.drop_client(token),
                // All of them have more right to be here.
                None => return,
            }
        }
        let token = self.sources.add(Source::Client);
        let interest = Interest { read: true, write: false };
        if self.poller.add(&stream, token, interest).is_err() {
            return self.sources.remove(token);
        }
        let uid = door::peer_uid(&stream);
        let client = Client {
            stream,
            http: Connection::new(),
            server,
            is_local,
            uid,
            principal: None,
            unsent: Unsent::default(),
            interest,
            is_readable: false,
            ticket: None,
            awaits_log: false,
            calls: None,
            reply: None,
            pending: None,
            lingers: false,
            last_used: self.now.mono,
            deadline: None,
            answer_by: self.now.mono,
            held_bytes: 0,
        };
        self.clients.by_token.insert(token, client);
    }

    /// Closes a connection so that there is a descriptor for a new one. False if there is none that yields.
    pub(super) fn make_room(&mut self, newcomer: Newcomer) -> bool {
        let yielding = self.clients.yielding(newcomer, self.now.mono, IDLE_LEAST);
        if let Some(token) = yielding {
            self.drop_client(token);
        }
        yielding.is_some()
    }

    /// Closes idle connections so that there are descriptors for a child, as many as there are up to `count`.
    /// False if there is none.
    pub(super) fn yield_descriptors(&mut self, count: usize) -> bool {
        let mut is_any = false;
        for _ in 0..count {
            let Some(token) = self.clients.yielding(Newcomer::Child, self.now.mono, Duration::ZERO) else {
                break;
            };
            self.drop_client(token);
            is_any = true;
        }
        is_any
    }

    /// Closes all connections.
    pub(super) fn drop_clients(&mut self) {
        let tokens: Vec<_> = self.clients.by_token.keys().copied().collect();
        tokens.into_iter().for_each(|token| self.drop_client(token));
    }

    fn drop_client(&mut self, token: u64) {
        self.sources.remove(token);
        self.traces.remove(token);
        self.output.unfollow(token);
        if let Some(client) = self.clients.by_token.remove(&token) {
            self.clients.held_bytes -= client.held_bytes;
            if client.pending.is_some() {
                self.clients.line.retain(|&it| it != token);
            }
            self.poller.remove(client.stream.as_fd());
            self.servers.descriptor_is_free();
            // What it asked for goes on; the answer has nobody to go to, unless there is more to be done.
            let goes_on = self.visits.leave(token);
            if let Some(ticket) = client.ticket.filter(|_| !goes_on) {
                self.tickets.take(ticket);
            }
        }
    }

    /// A client has sent something, can take something, or is gone.
    pub(super) fn client_is_ready(&mut self, token: u64, readable: bool) {
        if let Some(client) = self.clients.by_token.get_mut(&token) {
            client.is_readable |= readable;
            self.clients.enqueue(token);
        }
    }

    /// Serves connections in turn, each for one request, until there is nothing to do or the time for it is over.
    /// After that it is the turn of one in line.
    pub(super) fn serve_clients(&mut self) {
        self.serve_queue();
        self.serve_line();
    }

    /// Takes up the next request whose reply may be long, or makes room for it.
    fn serve_line(&mut self) {
        // A reply that is being encoded does not count in full yet.
        if self.clients.is_any_encoded() || self.clients.line_due().is_none_or(|at| at > self.now.mono) {
            return;
        }
        if let Some((holder, _)) = self.clients.blocking() {
            return self.take_back(holder);
        }
        let Some(token) = self.clients.line.pop_front() else { return };
        if let Some(pending) = self.clients.get_mut(token).and_then(|client| client.pending.take()) {
            self.take_up(token, pending);
        }
        self.serve(token);
        self.keep_to_the_budget();
    }

    fn serve_queue(&mut self) {
        let until = self.clock.now().mono.after(WORK_PER_TURN);
        while let Some(token) = self.clients.next_in_queue() {
            self.go_on_answering(token, until);
            self.go_on_visiting(token);
            let is_readable =
                self.clients.by_token.get_mut(&token).is_some_and(|it| std::mem::take(&mut it.is_readable));
            if is_readable && !self.read_client(token) {
                self.drop_client(token);
            } else {
                self.serve(token);
            }
            self.keep_to_the_budget();
            if self.is_over(until) {
                return;
            }
        }
    }

    /// Whether the time for clients in this turn is over.
    pub(super) fn is_over(&self, until: Mono) -> bool {
        self.clock.now().mono >= until
    }

    /// Has connections give back memory while all of them hold too much.
    fn keep_to_the_budget(&mut self) {
        while let Some(token) = self.clients.yielding_memory() {
            self.take_back(token);
        }
    }

    /// Takes back the memory that a connection holds: it is told so, or closed in the middle of its reply.
    fn take_back(&mut self, token: u64) {
        let Some(client) = self.clients.by_token.get_mut(&token) else { return };
        if client.unsent.is_empty() {
            client.calls = None;
            client.reply = None;
            if let Some(ticket) = client.ticket.take() {
                self.tickets.take(ticket);
            }
            self.refuse(token);
        }
        if self.clients.get(token).is_some_and(|client| client.held_bytes > SMALL_BYTES_MAX) {
            self.drop_client(token);
        }
    }

    /// Tells a client that its request is not answered for lack of memory.
    fn refuse(&mut self, token: u64) {
        if self.clients.get_mut(token).is_some_and(|client| client.pending.take().is_some()) {
            self.clients.line.retain(|&it| it != token);
        }
        self.respond(token, Response::error(503).closing());
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

    /// Goes as far with a client as is possible now, and no further than one request.
    pub(super) fn serve(&mut self, token: u64) {
        let mut has_had_its_share = false;
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
                if has_had_its_share {
                    self.output.put_off(token);
                    break;
                }
                has_had_its_share = true;
                if !self.add_piece(token) {
                    break;
                }
                continue;
            }
            if has_had_its_share {
                if client.http.has_input() {
                    self.clients.enqueue(token);
                }
                break;
            }
            let is_admitted = match client.http.next_head() {
                Ok(Some(head)) => {
                    let head = head.clone();
                    self.admit(token, &head)
                }
                Ok(None) => true,
                Err(rejection) => {
                    self.respond(token, rejection.response());
                    continue;
                }
            };
            let Some(client) = self.clients.by_token.get_mut(&token).filter(|_| is_admitted) else {
                continue;
            };
            match client.http.next_request() {
                Ok(Some(request)) => {
                    has_had_its_share = true;
                    self.handle_request(token, request);
                }
                Ok(None) => {
                    if let Some(interim) = client.http.take_interim() {
                        client.unsent.push(interim);
                        client.answer_by = self.now.mono.after(PATIENCE);
                        continue;
                    }
                    break;
                }
                Err(rejection) => self.respond(token, rejection.response()),
            }
        }
        self.settle(token);
    }

    /// Derives from the buffers what to wait for, and for how long.
    fn settle(&mut self, token: u64) {
        let Some(client) = self.clients.by_token.get_mut(&token) else { return };
        let asked = client.calls.as_ref().map_or(0, Multicall::held_bytes)
            + client.reply.as_ref().map_or(0, Encoder::held_bytes)
            + client.pending.as_ref().map_or(0, Pending::held_bytes);
        let held_bytes = client.http.held_bytes() + client.unsent.held_bytes() + asked;
        self.clients.held_bytes -= std::mem::replace(&mut client.held_bytes, held_bytes);
        self.clients.held_bytes += held_bytes;
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
        while let Some(front) = client.unsent.front() {
            match client.stream.write(front) {
                Ok(0) => return false,
                Ok(count) => {
                    client.unsent.advance(count);
                    // Not when the turn began: to make the reply may have taken most of it.
                    client.last_used = self.clock.now().mono;
                    client.deadline = Some(self.now.mono.after(PATIENCE).min(client.answer_by));
                    if client.unsent.is_empty() {
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
            client.unsent.push(client.http.begin_stream(response, &date));
            let bytes = client.unsent.bytes();
            self.trace_answer(token, response, bytes);
        }
    }

    pub(super) fn respond(&mut self, token: u64, response: Response) {
        let date = http_date(self.now.wall.unix_secs());
        let traced = self.traces.is_any().then(|| response.clone());
        if let Some(client) = self.clients.by_token.get_mut(&token) {
            for part in client.http.respond_in_parts(response, &date) {
                client.unsent.push(part);
            }
            let bytes = client.unsent.bytes();
            client.deadline = Some(self.now.mono.after(PATIENCE));
            client.answer_by = self.now.mono.after(patience_with(bytes));
            if let Some(response) = traced {
                self.trace_answer(token, &response, bytes);
            }
        }
    }

    /// Disconnects those whose time is over.
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
            if self.clients.get(token).is_some_and(|client| client.pending.is_some()) {
                self.refuse(token);
            } else {
                self.drop_client(token);
            }
        }
    }
}

/// How long an answer of so many bytes may take on its way, all in all.
fn patience_with(bytes: usize) -> Duration {
    PATIENCE + Duration::from_secs((bytes / ANSWER_BYTES_PER_SEC_LEAST) as u64)
}

fn begin_to_linger(client: &mut Client) {
    let _ = match &client.stream {
        SocketStream::Unix(stream) => stream.shutdown(Shutdown::Write),
        SocketStream::Inet(stream) => stream.shutdown(Shutdown::Write),
    };
    client.lingers = true;
}
