//! Endless replies: logs as they are, and what clients of the API follow as server-sent events (the event log, a log, or
//! both for the page of a process).
//!
//! What is followed is the buffer: the file or the ring of a log, and the event log of the core. The next piece is encoded
//! when the ones before are sent, so a client costs no more than one piece. Clients for which there may be something are
//! due, and take turns. A client of the event log that is so slow that entries leave it before it has got them is
//! disconnected, as is any client of the API that takes nothing for [`KEEP_ALIVE_INTERVAL`]. It may come back with the
//! serial or offset of the last piece that it has. Nothing happens between two pieces except a comment now and then, without
//! which proxies would close the connection.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::{Shell, WORK_PER_TURN};
use crate::api::{self, KEEP_ALIVE, LogPiece, event_frames, log_frame, logs_frame, stream_head};
use crate::logs::{FollowFrom, TRUNCATED, missed};
use crate::model::{Channel, Command, Fault, FaultCode, LogOf, Mono, ProcessId, Reply};
use crate::output::{FollowedPart, FollowedPiece};

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
    Tail(Absence),
    /// A log as server-sent events.
    LogEvents(FollowFrom),
    /// The event log after this serial, or from now on.
    Events(Option<u64>),
    /// The event log, and the logs of a process on standard output and standard error.
    Process(Option<u64>, [FollowFrom; 2]),
}

/// What becomes of a request for a log that does not exist before the first run of its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// As in Supervisor.
    Refused,
    /// It waits for the log.
    Awaited,
}

/// The form in which a client gets its stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum StreamForm {
    /// The bytes of a log.
    #[default]
    Tail,
    /// Server-sent events: `message` for each piece of a log.
    Events,
    /// Server-sent events: `stdout` or `stderr` for each piece of a log.
    ProcessEvents,
}

/// The clients with streams.
#[derive(Debug, Default)]
pub(super) struct ClientStreams {
    /// Those that follow the event log, with the serial of the last entry that each was sent.
    events: HashMap<u64, u64>,
    /// Those for which there may be something.
    due: BTreeSet<u64>,
    /// The next round begins after this one.
    last_served: u64,
    /// The newest entry of the event log when its clients became due last.
    newest: u64,
    keep_alive_at: Option<Mono>,
    /// No more events are recorded.
    is_over: bool,
}

impl ClientStreams {
    /// A client follows nothing any more; it need not have followed anything.
    pub(super) fn remove(&mut self, client: u64) {
        self.events.remove(&client);
        self.due.remove(&client);
    }

    /// A client has more, and is served again later.
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
            self.due.extend(self.events.keys());
        }
    }

    /// The client that is served next: the first one after that which was served last.
    fn next_due(&mut self) -> Option<u64> {
        let after = self.due.range(self.last_served + 1..).next();
        let next = *after.or_else(|| self.due.first())?;
        self.due.remove(&next);
        self.last_served = next;
        Some(next)
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
        let Some(principal) = self.front.clients.principal(token) else { return };
        if let Some(client) = self.front.clients.get_mut(token) {
            client.awaits = Some(stream);
        }
        let ticket = self.front.tickets.give(token);
        self.command(token, ticket, principal, command);
    }

    /// The core has answered: the stream begins.
    pub(super) fn begin_awaited(&mut self, token: u64, stream: AwaitedStream, outcome: Result<Reply, Fault>) {
        match (stream, outcome) {
            (AwaitedStream::Tail(absence), outcome) => self.follow(token, outcome, absence),
            (_, Err(fault)) => self.respond(token, api::fault(fault)),
            (AwaitedStream::LogEvents(from), Ok(reply)) => match self.follower(reply, from, Absence::Awaited)
            {
                Some(follower) => {
                    self.output.follow(token, follower.for_text());
                    self.begin_event_stream(token, StreamForm::Events);
                }
                None => self.respond(token, api::fault(Fault::bare(FaultCode::NoFile))),
            },
            (AwaitedStream::Events(after), Ok(_)) => {
                self.follow_events(token, after);
                self.begin_event_stream(token, StreamForm::Events);
            }
            (AwaitedStream::Process(after, from), Ok(Reply::Log(Some((process, _))))) => {
                self.follow_process(token, process, after, from);
            }
            (AwaitedStream::Process(..), Ok(_)) => {
                self.respond(token, api::fault(Fault::bare(FaultCode::Failed)));
            }
        }
    }

    fn follow_events(&mut self, token: u64, after: Option<u64>) {
        let after = after.unwrap_or(self.core.newest_event());
        self.front.streams.events.insert(token, after);
    }

    /// The first frame says which logs the process has.
    fn follow_process(&mut self, token: u64, process: ProcessId, after: Option<u64>, from: [FollowFrom; 2]) {
        self.follow_events(token, after);
        let channels = [Channel::Stdout, Channel::Stderr];
        let has = [0, 1].map(|at| {
            let follower =
                self.follower(Reply::Log(Some((process, channels[at]))), from[at], Absence::Awaited);
            follower.map(|follower| self.output.follow(token, follower.for_text())).is_some()
        });
        if self.begin_event_stream(token, StreamForm::ProcessEvents) {
            self.front.clients.stream(token, logs_frame(has).as_bytes());
        }
    }

    /// False if the head is all that the client gets, since that is what it has asked for.
    fn begin_event_stream(&mut self, token: u64, form: StreamForm) -> bool {
        self.begin_stream(token, &stream_head());
        let Some(client) = self.front.clients.get_mut(token).filter(|client| client.is_streaming()) else {
            self.front.streams.remove(token);
            self.output.unfollow(token);
            return false;
        };
        client.stream_form = form;
        self.front.streams.keep_alive_at.get_or_insert(self.now.mono.after(KEEP_ALIVE_INTERVAL));
        true
    }

    /// Sends a client the next piece of its stream. False if there is nothing now.
    pub(super) fn add_piece(&mut self, token: u64) -> bool {
        self.add_events(token) || self.add_log_piece(token)
    }

    fn add_events(&mut self, token: u64) -> bool {
        let Some(&last) = self.front.streams.events.get(&token) else { return false };
        // The serials of another run do not count.
        let is_beyond = last > self.core.newest_event();
        let part = self.core.events_after(if is_beyond { 0 } else { last }, EVENTS_PER_PIECE);
        let Some(newest) = part.events.last().map(|event| event.serial) else {
            let ends = self.front.streams.is_over && !self.output.is_followed_by(token);
            if ends {
                self.end_stream_of(token);
            }
            return ends;
        };
        let frames = event_frames(&part, last, is_beyond || part.has_gap);
        self.front.clients.stream(token, frames.as_bytes());
        self.front.streams.events.insert(token, newest);
        true
    }

    fn add_log_piece(&mut self, token: u64) -> bool {
        let Some(form) = self.front.clients.get(token).map(|client| client.stream_form) else { return false };
        let limit = if form == StreamForm::Tail { self.buffer.len() } else { LOG_BYTES_PER_PIECE };
        let limit = limit.min(self.buffer.len());
        let next = self.output.next_piece(token, &mut self.buffer[..limit]);
        let Some(FollowedPart { channel, piece, offset }) = next else { return false };
        if form == StreamForm::Tail {
            match piece {
                FollowedPiece::Bytes(count) => self.front.clients.stream(token, &self.buffer[..count]),
                FollowedPiece::Truncated => self.front.clients.stream(token, TRUNCATED),
                FollowedPiece::Missed(bytes) => self.front.clients.stream(token, missed(bytes).as_bytes()),
                FollowedPiece::End => {}
            }
        } else {
            let text;
            let log_piece = match piece {
                FollowedPiece::Bytes(count) => {
                    text = String::from_utf8_lossy(&self.buffer[..count]);
                    LogPiece::Text(&text)
                }
                FollowedPiece::Truncated => LogPiece::Truncated,
                FollowedPiece::Missed(bytes) => LogPiece::Missed(bytes),
                FollowedPiece::End => LogPiece::End,
            };
            let channel = (form == StreamForm::ProcessEvents).then_some(channel);
            self.front.clients.stream(token, log_frame(log_piece, offset, channel).as_bytes());
        }
        if piece == FollowedPiece::End {
            self.end_stream_of(token);
        }
        true
    }

    fn end_stream_of(&mut self, token: u64) {
        self.front.end_stream(token);
        self.output.unfollow(token);
    }

    /// Serves the clients for which there may be something.
    pub(super) fn serve_streams(&mut self) {
        if self.output.has_followers() {
            let core = &self.core;
            self.output.end_followers(|process| process.is_some_and(|process| core.spec(process).is_none()));
            self.front.streams.due.append(&mut self.output.take_due_followers());
        }
        self.front.streams.note_newest(self.core.newest_event());
        if !self.front.streams.is_due() {
            return;
        }
        let until = self.clock.now().mono.after(WORK_PER_TURN);
        while let Some(token) = self.front.streams.next_due() {
            if self.is_too_slow(token) {
                self.drop_client(token);
            } else {
                self.serve(token);
            }
            // The next turn continues with the others.
            if self.is_over(until) {
                return;
            }
        }
    }

    /// Whether entries that a client has not got yet have left the event log while it has not taken what it was sent.
    fn is_too_slow(&self, token: u64) -> bool {
        let is_behind = self.front.clients.get(token).is_some_and(|client| client.is_behind());
        let last = self.front.streams.events.get(&token);
        is_behind && last.is_some_and(|&last| self.core.events_after(last, 0).has_gap)
    }

    /// Sends the clients of the API a comment if it is time to, and disconnects those that have taken nothing since the
    /// last one.
    pub(super) fn keep_streams_alive(&mut self) {
        let now = self.now.mono;
        if self.front.streams.keep_alive_at.is_none_or(|at| at > now) {
            return;
        }
        let tokens = self.front.clients.event_streams();
        self.front.streams.keep_alive_at = (!tokens.is_empty()).then(|| now.after(KEEP_ALIVE_INTERVAL));
        for token in tokens {
            let Some(client) = self.front.clients.get(token) else { continue };
            if !client.is_behind() {
                self.front.clients.stream(token, KEEP_ALIVE);
                self.serve(token);
            } else if now.since(client.last_used) >= KEEP_ALIVE_INTERVAL {
                self.drop_client(token);
            }
        }
    }

    /// Disconnects the followers of events whose server is gone, or was replaced because it asks for another password or
    /// grants another role. Those of logs were ended with all followers.
    pub(super) fn drop_streams_of_closed_servers(&mut self) {
        for token in self.front.streams_without_server() {
            self.drop_client(token);
        }
    }

    /// All logs end, as before a restart: sends their rest to the clients that accept it at once.
    pub(super) fn end_followers(&mut self) {
        self.output.end_followers(|_| true);
        self.serve_streams();
    }

    /// Everything ends: sends the rest to the clients that accept it at once, until `until`.
    pub(super) fn end_streams(&mut self, until: Mono) {
        self.front.streams.is_over = true;
        self.front.streams.due.extend(self.front.streams.events.keys());
        self.end_followers();
        // A client that keeps up with a long log would get all of it.
        while self.front.streams.is_due() && !self.is_over(until) {
            self.serve_streams();
        }
    }
}
