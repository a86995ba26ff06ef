//! Client connections: bytes to requests, replies to bytes. What the requests mean is in `questions`.
//!
//! A connection makes one request at a time; the next one is parsed when the reply before it has been sent.
//!
//! * [`serve`]: a turn's work on connections, within its time budget.
//! * [`budget`]: how much memory all connections may hold, and who yields beyond that.
//! * [`evict`]: which connection is closed to make room for another connection or a child.
//! * [`unsent`]: the part of a reply that has not been sent yet.

mod budget;
mod evict;
mod serve;
mod unsent;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::long_reply::LongReply;
use super::questions::Pending;
use super::refusals::RefusalFormat;
use super::streams::{AwaitedStream, StreamForm};
use crate::http::Connection;
use crate::model::{Mono, Principal, Ticket, UserId};
use crate::rpc::Multicall;
use crate::sys::poller::Interest;
use crate::sys::sockets::SocketStream;

pub(super) use evict::Newcomer;
use unsent::Unsent;

/// Connections at one time. They use at most half of the descriptors; the rest is for children and logs.
pub(super) const CLIENTS_MAX: usize = 1024;

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    stream: SocketStream,
    http: Connection,
    pub(super) server: usize,
    /// Whether it is a unix socket.
    is_local: bool,
    /// The user at the other end of a unix socket.
    pub(super) uid: Option<UserId>,
    /// Who makes the current request, or made the last one; `None` until one was authorised.
    pub(super) principal: Option<Principal>,
    unsent: Unsent,
    interest: Interest,
    /// Whether the socket has input.
    is_readable: bool,
    /// Its command that the core has not answered yet.
    pub(super) ticket: Option<Ticket>,
    /// The stream that this command is for.
    pub(super) awaits: Option<AwaitedStream>,
    /// The format in which its current request is refused.
    pub(super) refusal_format: RefusalFormat,
    /// The form of its stream.
    pub(super) stream_form: StreamForm,
    /// Its multicall, whose calls are made one after another.
    pub(super) calls: Option<Multicall>,
    /// The reply that is being encoded.
    pub(super) reply: Option<LongReply>,
    /// Its request that waits for its turn to have a long reply.
    pub(super) pending: Option<Pending>,
    /// Whether the writing half is shut down; input is read and dropped.
    lingers: bool,
    pub(super) last_used: Mono,
    /// When it is closed.
    deadline: Option<Mono>,
    /// When it is closed even if it keeps reading its reply bit by bit.
    answer_by: Mono,
    /// The memory it held when it was last measured.
    held_bytes: usize,
}

/// All connections.
#[derive(Debug)]
pub(super) struct Clients {
    /// Boxed, as a tree keeps the space of its entries when it is empty.
    by_token: BTreeMap<u64, Box<Client>>,
    most: usize,
    /// Connections with work, and pages whose client may have gone; the next one first.
    queue: VecDeque<u64>,
    queued: BTreeSet<u64>,
    /// Connections whose request may have a long reply; the next one first.
    line: VecDeque<u64>,
    /// The memory that all connections hold.
    held_bytes: usize,
    /// Commands whose clients have gone since the core was last informed.
    pub(super) cancelled: Vec<Ticket>,
}

impl Clients {
    /// None yet. Their number is limited by the number of files that may be open.
    pub(super) fn new(open_files_max: u64) -> Self {
        let half = usize::try_from(open_files_max / 2).unwrap_or(usize::MAX);
        Self {
            by_token: BTreeMap::new(),
            most: half.clamp(1, CLIENTS_MAX),
            queue: VecDeque::new(),
            queued: BTreeSet::new(),
            line: VecDeque::new(),
            held_bytes: 0,
            cancelled: Vec::new(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        self.by_token.values().filter_map(|client| client.deadline).chain(self.line_due()).min()
    }

    /// Removes a connection, with its request that waits in line.
    pub(super) fn remove(&mut self, token: u64) -> Option<Box<Client>> {
        let client = self.by_token.remove(&token)?;
        self.held_bytes -= client.held_bytes;
        if client.pending.is_some() {
            self.line.retain(|&it| it != token);
        }
        Some(client)
    }

    /// The address of the peer.
    pub(super) fn peer(&self, token: u64) -> String {
        self.by_token.get(&token).map_or_else(String::new, |client| client.stream.peer())
    }

    /// Who makes the current request of a connection.
    pub(super) fn principal(&self, token: u64) -> Option<Principal> {
        self.by_token.get(&token)?.principal.clone()
    }

    pub(super) fn get(&self, token: u64) -> Option<&Client> {
        self.by_token.get(&token).map(|client| &**client)
    }

    pub(super) fn get_mut(&mut self, token: u64) -> Option<&mut Client> {
        self.by_token.get_mut(&token).map(|client| &mut **client)
    }

    /// Sends a client another piece of its stream.
    pub(super) fn stream(&mut self, token: u64, bytes: &[u8]) {
        if let Some(client) = self.by_token.get_mut(&token) {
            client.unsent.push(client.http.piece(bytes));
        }
    }

    /// The clients that are sent server-sent events.
    pub(super) fn event_streams(&self) -> Vec<u64> {
        let is_followed =
            |client: &Client| client.stream_form != StreamForm::Tail && client.http.is_streaming();
        self.by_token.iter().filter(|(_, client)| is_followed(client)).map(|(&token, _)| token).collect()
    }

    /// Ends the stream of a client.
    pub(super) fn end_stream(&mut self, token: u64) {
        if let Some(client) = self.by_token.get_mut(&token) {
            client.unsent.push(client.http.end_stream());
        }
    }

    /// Puts a connection at the end of the queue.
    pub(super) fn enqueue(&mut self, token: u64) {
        if self.queued.insert(token) {
            self.queue.push_back(token);
        }
    }

    /// Whether any connection has work.
    pub(super) fn has_work(&self) -> bool {
        !self.queue.is_empty() || self.line_due() == Some(Mono::default())
    }

    fn next_in_queue(&mut self) -> Option<u64> {
        let token = self.queue.pop_front()?;
        self.queued.remove(&token);
        Some(token)
    }
}

impl Client {
    fn new(stream: SocketStream, server: usize, uid: Option<UserId>, now: Mono) -> Self {
        Self {
            is_local: matches!(stream, SocketStream::Unix(_)),
            stream,
            http: Connection::new(),
            server,
            uid,
            principal: None,
            unsent: Unsent::default(),
            interest: Interest { read: true, write: false },
            is_readable: false,
            ticket: None,
            awaits: None,
            refusal_format: RefusalFormat::default(),
            stream_form: StreamForm::default(),
            calls: None,
            reply: None,
            pending: None,
            lingers: false,
            last_used: now,
            deadline: None,
            answer_by: now,
            held_bytes: 0,
        }
    }

    fn wants(&self) -> Interest {
        Interest {
            read: self.lingers
                || self.http.is_streaming()
                || self.http.wants_input() && self.unsent.is_empty(),
            write: !self.unsent.is_empty(),
        }
    }

    /// Whether its response has begun and not ended.
    pub(super) fn is_streaming(&self) -> bool {
        self.http.is_streaming()
    }

    /// Whether it has not taken yet what it was sent.
    pub(super) fn is_behind(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Whether its reply is being worked on.
    fn waits(&self) -> bool {
        self.ticket.is_some() || self.calls.is_some() || self.reply.is_some() || self.pending.is_some()
    }

    fn is_busy(&self) -> bool {
        // A follower of a log may be idle forever: it costs no more than what is unsent.
        !self.http.is_streaming()
            && (!self.unsent.is_empty() || self.http.mid_request() || self.pending.is_some())
    }
}
