//! Serving connections: reading, answering and sending, within the time budget of a turn.
//!
//! Clients never hold up supervision. Connections with work stand in a queue; they are served in turn, one request
//! each, and for [`WORK_PER_TURN`] in total. Then the loop handles signals, dead children and deadlines before it
//! continues.

use std::io::Read;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::time::Duration;

use super::{Client, Newcomer};
use crate::http::{Response, http_date};
use crate::model::Mono;
use crate::rpc::Multicall;
use crate::runtime::long_reply::LongReply;
use crate::runtime::questions::Pending;
use crate::runtime::refusals::RequestRefusal;
use crate::runtime::{READ_BYTES_MAX, Shell, Source, WORK_PER_TURN, door};
use crate::supervise::Input;
use crate::sys::poller::Interest;
use crate::sys::sockets::SocketStream;

/// A reader of a large reply that is slower than this is disconnected.
const ANSWER_BYTES_PER_SEC_LEAST: usize = 16 * 1024;

/// How long a client that sent an invalid request may keep sending, so that it can read why it is disconnected:
/// closing a socket with unread input discards the last reply.
const LINGER: Duration = Duration::from_secs(2);

impl Shell {
    pub(in crate::runtime) fn add_client(&mut self, stream: SocketStream, server: usize) {
        let is_local = matches!(stream, SocketStream::Unix(_));
        let newcomer = if is_local { Newcomer::Local } else { Newcomer::Remote };
        if self.front.clients.by_token.len() >= self.front.clients.most {
            match self.front.clients.yielding(newcomer, self.now.mono, Duration::ZERO) {
                Some(token) => self.drop_client(token),
                // None of them yields.
                None => return,
            }
        }
        let token = self.sources.add(Source::Client);
        let interest = Interest { read: true, write: false };
        if self.poller.add(&stream, token, interest).is_err() {
            return self.sources.remove(token);
        }
        let uid = door::peer_uid(&stream);
        let client = Client::new(stream, server, uid, self.now.mono);
        self.front.clients.by_token.insert(token, Box::new(client));
    }

    /// Closes all connections.
    pub(in crate::runtime) fn drop_clients(&mut self) {
        let tokens: Vec<_> = self.front.clients.by_token.keys().copied().collect();
        tokens.into_iter().for_each(|token| self.drop_client(token));
    }

    pub(in crate::runtime) fn drop_client(&mut self, token: u64) {
        self.sources.remove(token);
        self.output.unfollow(token);
        if let Some(client) = self.front.remove(token) {
            self.poller.remove(client.stream.as_fd());
            self.abandon_request(token, client.ticket);
        }
    }

    /// A client has sent something, can be sent something, or is gone.
    pub(in crate::runtime) fn client_is_ready(&mut self, token: u64, readable: bool) {
        if let Some(client) = self.front.clients.by_token.get_mut(&token) {
            client.is_readable |= readable;
            self.front.clients.enqueue(token);
        }
    }

    /// Serves connections in turn, one request each, until no work is left or the time for it is over; then the next
    /// one in line.
    pub(in crate::runtime) fn serve_clients(&mut self) {
        self.serve_queue();
        self.serve_line();
        self.report_cancelled();
    }

    /// Reports the commands whose clients have gone. Not when a client is dropped: that may be while an effect of the core
    /// is carried out.
    fn report_cancelled(&mut self) {
        for ticket in std::mem::take(&mut self.front.clients.cancelled) {
            self.feed(Input::Cancelled { ticket });
        }
    }

    fn serve_queue(&mut self) {
        let until = self.clock.now().mono.after(WORK_PER_TURN);
        while let Some(token) = self.front.clients.next_in_queue() {
            self.continue_answering(token, until);
            self.continue_page_request(token);
            let is_readable = self
                .front
                .clients
                .by_token
                .get_mut(&token)
                .is_some_and(|it| std::mem::take(&mut it.is_readable));
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
    pub(in crate::runtime) fn is_over(&self, until: Mono) -> bool {
        self.clock.now().mono >= until
    }

    /// False at the end of its input.
    fn read_client(&mut self, token: u64) -> bool {
        let Some(client) = self.front.clients.by_token.get_mut(&token) else { return true };
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

    /// Advances a client as far as possible now, by one request at most.
    pub(in crate::runtime) fn serve(&mut self, token: u64) {
        let (mut was_served, timeout) = (false, self.settings.daemon.client_timeout);
        loop {
            if !self.send(token) {
                return self.drop_client(token);
            }
            let Some(client) = self.front.clients.by_token.get_mut(&token) else { return };
            if !client.unsent.is_empty() || client.lingers {
                break;
            }
            if client.http.is_closing() {
                begin_lingering(client);
                client.deadline = Some(self.now.mono.after(LINGER));
                break;
            }
            if client.waits() {
                break;
            }
            if client.http.is_streaming() {
                if was_served {
                    self.front.streams.put_off(token);
                    break;
                }
                was_served = true;
                if !self.add_piece(token) {
                    break;
                }
                continue;
            }
            if was_served {
                if client.http.has_input() {
                    self.front.clients.enqueue(token);
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
                    self.respond_with_refusal(token, rejection.into());
                    continue;
                }
            };
            let Some(client) = self.front.clients.by_token.get_mut(&token).filter(|_| is_admitted) else {
                continue;
            };
            match client.http.next_request() {
                Ok(Some(request)) => {
                    was_served = true;
                    self.handle_request(token, request);
                }
                Ok(None) => {
                    if let Some(interim) = client.http.take_interim() {
                        client.unsent.push(interim);
                        client.answer_by = self.now.mono.after(timeout);
                        continue;
                    }
                    break;
                }
                Err(rejection) => self.respond_with_refusal(token, rejection.into()),
            }
        }
        self.settle(token);
    }

    /// Derives from the buffers what to wait for, and for how long.
    fn settle(&mut self, token: u64) {
        let Some(client) = self.front.clients.by_token.get_mut(&token) else { return };
        let asked = client.calls.as_ref().map_or(0, Multicall::held_bytes)
            + client.reply.as_ref().map_or(0, LongReply::held_bytes)
            + client.pending.as_ref().map_or(0, Pending::held_bytes);
        let held_bytes = client.http.held_bytes() + client.unsent.held_bytes() + asked;
        self.front.clients.held_bytes -= std::mem::replace(&mut client.held_bytes, held_bytes);
        self.front.clients.held_bytes += held_bytes;
        if !client.lingers {
            let timeout = self.settings.daemon.client_timeout;
            let until = client.deadline.unwrap_or_else(|| self.now.mono.after(timeout));
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
        let timeout = self.settings.daemon.client_timeout;
        let Some(client) = self.front.clients.by_token.get_mut(&token) else { return true };
        while !client.unsent.is_empty() {
            let pieces: Vec<_> = client.unsent.next().collect();
            match client.stream.send(&pieces) {
                Ok(0) => return false,
                Ok(count) => {
                    client.unsent.advance(count);
                    // Not the time when the turn began: making the reply may have taken most of it.
                    client.last_used = self.clock.now().mono;
                    client.deadline = Some(self.now.mono.after(timeout).min(client.answer_by));
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

    /// Begins a reply that lasts until its stream ends.
    pub(in crate::runtime) fn begin_stream(&mut self, token: u64, response: &Response) {
        let date = http_date(self.now.wall.unix_secs());
        if let Some(client) = self.front.clients.by_token.get_mut(&token) {
            client.unsent.push(client.http.begin_stream(response, &date));
            let bytes = client.unsent.bytes();
            self.trace_answer(token, response, bytes);
        }
    }

    pub(in crate::runtime) fn respond(&mut self, token: u64, response: Response) {
        let date = http_date(self.now.wall.unix_secs());
        let timeout = self.settings.daemon.client_timeout;
        let traced = self.front.traces.is_any().then(|| response.clone());
        if let Some(client) = self.front.clients.by_token.get_mut(&token) {
            for part in client.http.respond_in_parts(response, &date) {
                client.unsent.push(part);
            }
            let bytes = client.unsent.bytes();
            client.deadline = Some(self.now.mono.after(timeout));
            client.answer_by = self.now.mono.after(timeout + sending_time(bytes));
            if let Some(response) = traced {
                self.trace_answer(token, &response, bytes);
            }
        }
    }

    /// The last response of a connection.
    pub(in crate::runtime) fn respond_with_refusal(&mut self, token: u64, refusal: RequestRefusal) {
        let format = self.front.clients.get(token).map(|client| client.refusal_format);
        self.respond(token, refusal.response(format.unwrap_or_default()));
    }

    /// Closes connections whose deadline has passed.
    pub(in crate::runtime) fn close_overdue_clients(&mut self) {
        let now = self.now.mono;
        let is_over = |client: &Client| client.deadline.is_some_and(|at| at <= now);
        let over: Vec<u64> = self
            .front
            .clients
            .by_token
            .iter()
            .filter(|(_, client)| is_over(client))
            .map(|(&token, _)| token)
            .collect();
        for token in over {
            if self.front.clients.get(token).is_some_and(|client| client.pending.is_some()) {
                self.refuse(token);
            } else {
                self.drop_client(token);
            }
        }
    }
}

/// How long sending a reply of so many bytes may take in total, beyond `client_timeout`.
fn sending_time(bytes: usize) -> Duration {
    Duration::from_secs((bytes / ANSWER_BYTES_PER_SEC_LEAST) as u64)
}

fn begin_lingering(client: &mut Client) {
    let _ = match &client.stream {
        SocketStream::Unix(stream) => stream.shutdown(Shutdown::Write),
        SocketStream::Inet(stream) => stream.shutdown(Shutdown::Write),
    };
    client.lingers = true;
}
