//! Clients of the API that follow the event log, or a log, as server-sent events.
//!
//! The event log of the core is the buffer: the next entries are encoded when the ones before are sent, so a client costs
//! no more than one piece. A client that is so slow that entries leave the log before it has got them is
//! disconnected, as is one that takes nothing for [`KEEP_ALIVE_INTERVAL`]. It may come back with the serial of the last
//! one that it has. Nothing happens between two events except a comment now and then, without which proxies would close
//! the connection.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Shell, WORK_PER_TURN};
use crate::api::{self, KEEP_ALIVE, LogPiece, event_frames, log_frame, stream_head};
use crate::logs::FollowFrom;
use crate::model::{Command, Fault, FaultCode, LogOf, Mono, Reply};
use crate::output::FollowedPiece;

/// How often the clients get a comment.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Entries of the event log in one piece.
const EVENTS_PER_PIECE: usize = 32;

/// Bytes of a log in one piece, which may be six times as long in JSON.
const LOG_BYTES_PER_PIECE: usize = 16 * 1024;

/// A stream that begins once the core has accepted the command for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AwaitedStream {
    /// A log as it is.
    Tail,
    /// A log as server-sent events.
    LogEvents(FollowFrom),
    /// The event log after this serial, or from now on.
    Events(Option<u64>),
}

/// The clients that follow the event log.
#[derive(Debug, Default)]
pub(super) struct EventStreams {
    /// With the serial of the last entry that each was sent.
    by_client: BTreeMap<u64, u64>,
    /// Those for which there may be something.
    due: BTreeSet<u64>,
    /// The newest entry when the clients became due last.
    newest: u64,
    keep_alive_at: Option<Mono>,
    /// Nothing more is recorded.
    is_over: bool,
}

impl EventStreams {
    /// A client follows nothing any more; it need not have followed anything.
    pub(super) fn remove(&mut self, client: u64) {
        self.by_client.remove(&client);
        self.due.remove(&client);
    }

    pub(super) fn contains(&self, client: u64) -> bool {
        self.by_client.contains_key(&client)
    }

    /// A client is due again.
    pub(super) fn put_off(&mut self, client: u64) {
        self.due.insert(client);
    }

    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        self.keep_alive_at
    }

    fn note_newest(&mut self, newest: u64) {
        if self.newest != newest {
            self.newest = newest;
            self.due.extend(self.by_client.keys());
        }
    }
}

impl Shell {
    /// Asks the core whether a client may follow a log.
    pub(super) fn ask_to_follow_log(&mut self, token: u64, log: LogOf, from: FollowFrom) {
        self.ask_for_stream(token, AwaitedStream::LogEvents(from), Command::FollowLog(log));
    }

    /// Asks the core whether a client may follow the event log.
    pub(super) fn ask_to_follow_events(&mut self, token: u64, after: Option<u64>) {
        let command = Command::GetEvents { after: 0, limit: 0 };
        self.ask_for_stream(token, AwaitedStream::Events(after), command);
    }

    pub(super) fn ask_for_stream(&mut self, token: u64, stream: AwaitedStream, command: Command) {
        let Some(principal) = self.clients.principal(token) else { return };
        if let Some(client) = self.clients.get_mut(token) {
            client.awaits = Some(stream);
        }
        let ticket = self.tickets.give(token);
        self.command(token, ticket, principal, command);
    }

    /// The core has answered: the stream begins.
    pub(super) fn begin_awaited(&mut self, token: u64, stream: AwaitedStream, outcome: Result<Reply, Fault>) {
        match (stream, outcome) {
            (AwaitedStream::Tail, outcome) => self.follow(token, outcome),
            (_, Err(fault)) => self.respond(token, api::fault(fault)),
            (AwaitedStream::LogEvents(from), Ok(reply)) => match self.follower(reply, from) {
                Some(follower) => {
                    self.output.follow(token, follower.for_text());
                    self.begin_event_stream(token);
                }
                None => self.respond(token, api::fault(Fault::bare(FaultCode::NoFile))),
            },
            (AwaitedStream::Events(after), Ok(_)) => {
                let streams = &mut self.event_streams;
                streams.by_client.insert(token, after.unwrap_or(self.core.newest_event()));
                self.begin_event_stream(token);
            }
        }
    }

    fn begin_event_stream(&mut self, token: u64) {
        if let Some(client) = self.clients.get_mut(token) {
            client.is_event_stream = true;
        }
        self.event_streams.keep_alive_at.get_or_insert(self.now.mono.after(KEEP_ALIVE_INTERVAL));
        self.begin_stream(token, &stream_head());
    }

    /// Sends a client the next events. False if there are none now.
    pub(super) fn add_events(&mut self, token: u64) -> bool {
        let Some(&last) = self.event_streams.by_client.get(&token) else { return self.add_log_event(token) };
        // The serials of another run do not count.
        let is_beyond = last > self.core.newest_event();
        let part = self.core.events_after(if is_beyond { 0 } else { last }, EVENTS_PER_PIECE);
        let Some(newest) = part.events.last().map(|event| event.serial) else {
            let ends = self.event_streams.is_over;
            if ends {
                self.event_streams.remove(token);
                self.clients.end_stream(token);
            }
            return ends;
        };
        let frames = event_frames(&part, last, is_beyond || part.has_gap);
        self.clients.stream(token, frames.as_bytes());
        self.event_streams.by_client.insert(token, newest);
        true
    }

    fn add_log_event(&mut self, token: u64) -> bool {
        let limit = self.buffer.len().min(LOG_BYTES_PER_PIECE);
        let Some(next) = self.output.next_piece(token, &mut self.buffer[..limit]) else { return false };
        let text;
        let piece = match next {
            FollowedPiece::Bytes(count) => {
                text = String::from_utf8_lossy(&self.buffer[..count]);
                LogPiece::Text(&text)
            }
            FollowedPiece::Truncated => LogPiece::Truncated,
            FollowedPiece::Missed(bytes) => LogPiece::Missed(bytes),
            FollowedPiece::End => LogPiece::End,
        };
        let event = log_frame(piece, self.output.followed_to(token));
        self.clients.stream(token, event.as_bytes());
        if next == FollowedPiece::End {
            self.clients.end_stream(token);
            self.output.unfollow(token);
        }
        true
    }

    /// Serves the clients for which there are new events.
    pub(super) fn serve_event_streams(&mut self) {
        if self.event_streams.by_client.is_empty() {
            return;
        }
        self.event_streams.note_newest(self.core.newest_event());
        let until = self.clock.now().mono.after(WORK_PER_TURN);
        while let Some(token) = self.event_streams.due.pop_first() {
            if self.is_too_slow(token) {
                self.drop_client(token);
            } else {
                self.serve(token);
            }
            if self.is_over(until) {
                return;
            }
        }
    }

    /// Whether entries that a client has not got yet have left the log while it has not taken what it was sent.
    fn is_too_slow(&self, token: u64) -> bool {
        let is_behind = self.clients.get(token).is_some_and(|client| client.is_behind());
        let last = self.event_streams.by_client.get(&token);
        is_behind && last.is_some_and(|&last| self.core.events_after(last, 0).has_gap)
    }

    /// Sends all of them a comment if it is time to, and disconnects those that have taken nothing since the last one.
    pub(super) fn keep_event_streams_alive(&mut self) {
        let now = self.now.mono;
        if self.event_streams.keep_alive_at.is_none_or(|at| at > now) {
            return;
        }
        let tokens = self.clients.event_streams();
        self.event_streams.keep_alive_at = (!tokens.is_empty()).then(|| now.after(KEEP_ALIVE_INTERVAL));
        for token in tokens {
            let Some(client) = self.clients.get(token) else { continue };
            if !client.is_behind() {
                self.clients.stream(token, KEEP_ALIVE);
                self.serve(token);
            } else if now.since(client.last_used) >= KEEP_ALIVE_INTERVAL {
                self.drop_client(token);
            }
        }
    }

    /// Disconnects the followers of events whose server is gone, or was replaced because it asks for another password or
    /// grants another role. Those of logs were ended with all followers.
    pub(super) fn drop_streams_of_closed_servers(&mut self) {
        for token in self.clients.event_streams() {
            let server = self.clients.get(token).map(|client| client.server);
            if server.is_some_and(|server| self.servers.spec(server).is_none()) {
                self.drop_client(token);
            }
        }
    }

    /// No more events are recorded: sends the rest to the clients that accept it at once.
    pub(super) fn end_event_streams(&mut self) {
        self.event_streams.is_over = true;
        self.event_streams.due.extend(self.event_streams.by_client.keys());
        while self.event_streams.is_due() {
            self.serve_event_streams();
        }
    }
}
