//! How much memory connections may hold: requests that are incomplete or wait, and replies that are not read.
//!
//! All connections together hold at most [`HELD_BYTES_MAX`], the largest one aside; beyond that, connections that hold
//! more than [`SMALL_BYTES_MAX`] yield. Small ones yield as well beyond [`HELD_BYTES_TOTAL_MAX`]. Connections over TCP
//! yield before those over a unix socket, and among equals the one without progress for longest.
//!
//! Requests that may have long replies wait in line. One is begun in a turn, and only while all connections together
//! hold little ([`HELD_BYTES_LOW`]); a connection that holds much and has made no progress for [`STALLED_AFTER`] is
//! closed for them.

use std::time::Duration;

use super::{Client, Clients};
use crate::model::Mono;
use crate::runtime::Shell;
use crate::runtime::questions::Pending;
use crate::runtime::refusals::RequestRefusal;

/// Requests and unread replies of all clients together, without the largest. Small enough for a container of 64 MiB.
const HELD_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The same with those of small connections: half of what [`super::CLIENTS_MAX`] of them could hold.
const HELD_BYTES_TOTAL_MAX: usize = 2 * HELD_BYTES_MAX;

/// While all clients together hold more, no request with a long reply is begun.
const HELD_BYTES_LOW: usize = HELD_BYTES_MAX / 2;

/// How long a connection that holds much may make no progress while others wait for it.
const STALLED_AFTER: Duration = Duration::from_secs(2);

/// What a connection may hold without having to yield for its size: any request head, and most requests and replies.
const SMALL_BYTES_MAX: usize = 32 * 1024;

impl Clients {
    /// Whether a reply is being encoded.
    fn is_any_encoded(&self) -> bool {
        self.by_token.values().any(|client| client.reply.is_some())
    }

    /// The connection that yields the memory it holds, if all hold too much; never the largest one alone.
    fn yielding_memory(&self) -> Option<u64> {
        let largest = self.by_token.values().map(|client| client.held_bytes).max()?;
        let others = self.held_bytes - largest;
        if others <= HELD_BYTES_MAX {
            return None;
        }
        let least = if others <= HELD_BYTES_TOTAL_MAX { SMALL_BYTES_MAX } else { 0 };
        let holders = self.by_token.iter().filter(|(_, client)| client.held_bytes > least);
        holders.min_by_key(|(_, client)| (client.is_local, client.last_used)).map(|(&token, _)| token)
    }

    /// Puts a connection whose request may have a long reply at the end of the line, where it waits until then.
    pub(in crate::runtime) fn line_up(&mut self, token: u64, pending: Pending, until: Mono) {
        if let Some(client) = self.by_token.get_mut(&token) {
            client.pending = Some(pending);
            client.deadline = Some(until);
            self.line.push_back(token);
        }
    }

    /// The connection that holds up the line because all together hold too much. Those in line do not count: a
    /// connection must not wait for itself.
    fn blocking(&self) -> Option<(u64, &Client)> {
        let held = || self.by_token.iter().filter(|(_, client)| client.pending.is_none());
        if held().map(|(_, client)| client.held_bytes).sum::<usize>() <= HELD_BYTES_LOW {
            return None;
        }
        let large = held().filter(|(_, client)| client.held_bytes > SMALL_BYTES_MAX);
        large.min_by_key(|(_, client)| (client.is_local, client.last_used)).map(|(&token, it)| (token, &**it))
    }

    /// When the next in line is due; `None` if there is none. The beginning of time means now.
    pub(super) fn line_due(&self) -> Option<Mono> {
        let next = self.by_token.get(self.line.front()?)?;
        let due = |(_, holder): (u64, &Client)| match (next.is_local, holder.is_local) {
            (true, false) => Mono::default(),
            _ => holder.last_used.after(STALLED_AFTER),
        };
        Some(self.blocking().map_or_else(Mono::default, due))
    }
}

impl Shell {
    /// Begins the next request with a long reply, or makes room for it.
    pub(super) fn serve_line(&mut self) {
        // A reply that is being encoded does not count in full yet.
        if self.front.clients.is_any_encoded()
            || self.front.clients.line_due().is_none_or(|at| at > self.now.mono)
        {
            return;
        }
        if let Some((holder, _)) = self.front.clients.blocking() {
            return self.take_back(holder);
        }
        let Some(token) = self.front.clients.line.pop_front() else { return };
        if let Some(pending) = self.front.clients.get_mut(token).and_then(|client| client.pending.take()) {
            self.take_up(token, pending);
        }
        self.serve(token);
        self.keep_to_the_budget();
    }

    /// Takes memory back from connections while all of them hold too much.
    pub(super) fn keep_to_the_budget(&mut self) {
        while let Some(token) = self.front.clients.yielding_memory() {
            self.take_back(token);
        }
    }

    /// Takes back the memory that a connection holds: its request is refused, or it is closed in the middle of its
    /// reply.
    fn take_back(&mut self, token: u64) {
        let Some(client) = self.front.clients.by_token.get_mut(&token) else { return };
        if !client.unsent.is_empty() {
            return self.drop_client(token);
        }
        client.calls = None;
        client.reply = None;
        client.awaits = None;
        let ticket = client.ticket.take();
        self.abandon_request(token, ticket);
        self.refuse(token);
        if self.front.clients.get(token).is_some_and(|client| client.held_bytes > SMALL_BYTES_MAX) {
            self.drop_client(token);
        }
    }

    /// Refuses a request for lack of memory.
    pub(super) fn refuse(&mut self, token: u64) {
        if self.front.clients.get_mut(token).is_some_and(|client| client.pending.take().is_some()) {
            self.front.clients.line.retain(|&it| it != token);
        }
        self.respond_with_refusal(token, RequestRefusal::unavailable());
        self.serve(token);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::super::CLIENTS_MAX;
    use super::*;
    use crate::sys::sockets::SocketStream;

    /// Connections that hold so much, with their tokens from 1 on; the later ones were used later.
    fn holding(bytes: impl IntoIterator<Item = usize>) -> Clients {
        let mut clients = Clients::new(u64::MAX);
        for (token, bytes) in (1..).zip(bytes) {
            let (ours, _) = UnixStream::pair().unwrap();
            let used = Mono::default().after(Duration::from_secs(token));
            let client = Client { held_bytes: bytes, ..Client::new(SocketStream::Unix(ours), 1, None, used) };
            clients.held_bytes += bytes;
            clients.by_token.insert(token, Box::new(client));
        }
        clients
    }

    #[test]
    fn the_largest_connection_alone_yields_nothing() {
        assert_eq!(holding([]).yielding_memory(), None);
        assert_eq!(holding([10 * HELD_BYTES_MAX, HELD_BYTES_MAX]).yielding_memory(), None);
        assert_eq!(holding([HELD_BYTES_MAX, 10 * HELD_BYTES_MAX, 1]).yielding_memory(), Some(1));
    }

    #[test]
    fn a_connection_over_tcp_yields_before_one_over_a_unix_socket() {
        let mut clients = holding([HELD_BYTES_MAX; 3]);
        clients.get_mut(3).unwrap().is_local = false;
        assert_eq!(clients.yielding_memory(), Some(3));
    }

    #[test]
    fn small_connections_are_spared_until_all_together_hold_too_much() {
        let few = HELD_BYTES_TOTAL_MAX / SMALL_BYTES_MAX;
        assert!(few < CLIENTS_MAX);
        assert_eq!(holding(vec![SMALL_BYTES_MAX; few]).yielding_memory(), None);
        let mut clients = holding(vec![SMALL_BYTES_MAX; CLIENTS_MAX]);
        while let Some(token) = clients.yielding_memory() {
            let client = clients.by_token.remove(&token).unwrap();
            clients.held_bytes -= client.held_bytes;
        }
        assert!(clients.held_bytes <= HELD_BYTES_TOTAL_MAX + SMALL_BYTES_MAX, "{}", clients.held_bytes);
        assert!(clients.by_token.len() >= few, "{}", clients.by_token.len());
    }
}
