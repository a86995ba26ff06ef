//! Which connection is closed to make room for another one, or for a child.
//!
//! A child comes before any connection. Connections over a unix socket, which only root and our own user can open,
//! come before those over TCP; those that are served come before idle ones.

use std::time::Duration;

use super::{Client, Clients};
use crate::model::Mono;
use crate::runtime::Shell;

/// How long a connection has to be idle before it yields to one of its own kind when descriptors have run out. A
/// new connection is about to send its request.
const IDLE_LEAST: Duration = Duration::from_secs(1);

/// Connections whose sockets are checked for input before one of them is closed as idle.
const LOOKED_AT_MAX: usize = 16;

/// The order in which connections are closed to make room, the first to close first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Over TCP, without any authorised request.
    Unauthorized,
    /// Over TCP, and idle.
    Remote,
    /// Over a unix socket, and idle.
    Local,
    /// Over TCP, waiting for a reply or following a log.
    BusyRemote,
    /// The same over a unix socket.
    BusyLocal,
}

/// What a connection is closed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Newcomer {
    /// A connection over TCP.
    Remote,
    /// A connection over a unix socket.
    Local,
    /// A child that is being started.
    Child,
}

impl Newcomer {
    /// Whether a connection of this standing yields to it.
    fn displaces(self, standing: Standing) -> bool {
        match self {
            Self::Remote => standing <= Standing::Remote,
            Self::Local => standing != Standing::BusyLocal,
            Self::Child => standing <= Standing::Local,
        }
    }
}

impl Clients {
    /// The connection that yields to a newcomer: one of the lowest standing, and of these the one that has been
    /// idle longest. A connection of the newcomer's own kind yields only once it has been idle for `idle_least`.
    pub(super) fn yielding(&self, newcomer: Newcomer, now: Mono, idle_least: Duration) -> Option<u64> {
        let yields = |client: &Client| {
            let is_idle =
                newcomer == Newcomer::Local && !client.is_local || now.since(client.last_used) >= idle_least;
            is_idle && newcomer.displaces(client.standing())
        };
        let candidates = self
            .by_token
            .iter()
            .map(|(&token, client)| (token, &**client))
            .filter(|(_, client)| yields(client));
        let by_readiness = |(_, client): &(u64, &Client)| (client.standing(), client.last_used);
        // A child comes before any client, and a client over a unix socket before any over TCP.
        let is_equal = |client: &Client| match newcomer {
            Newcomer::Child => false,
            Newcomer::Local => client.is_local,
            Newcomer::Remote => true,
        };
        let mut candidates: Vec<_> =
            candidates.filter(|(_, client)| !is_equal(client) || !client.is_active(now)).collect();
        candidates.sort_by_key(by_readiness);
        let mut looked_at = candidates.into_iter().take(LOOKED_AT_MAX);
        looked_at.find(|(_, client)| !is_equal(client) || !client.stream.has_input()).map(|(token, _)| token)
    }

    /// Whether a newcomer can be accepted, possibly in place of another connection.
    pub(in crate::runtime) fn has_place(&self, newcomer: Newcomer, now: Mono) -> bool {
        self.by_token.len() < self.most || self.yielding(newcomer, now, Duration::ZERO).is_some()
    }
}

impl Client {
    /// Whether it is being served and not idle. A connection without an authorised request, or one that has stopped
    /// in the middle, is idle.
    fn is_active(&self, now: Mono) -> bool {
        let is_moving = now.since(self.last_used) < IDLE_LEAST;
        let has_more = !self.unsent.is_empty() || self.http.mid_request();
        self.waits() || self.is_readable || self.principal.is_some() && has_more && is_moving
    }

    fn standing(&self) -> Standing {
        match (self.is_local, self.waits() || self.http.is_streaming()) {
            (true, true) => Standing::BusyLocal,
            (true, false) => Standing::Local,
            (false, true) => Standing::BusyRemote,
            (false, false) if self.principal.is_some() => Standing::Remote,
            (false, false) => Standing::Unauthorized,
        }
    }
}

impl Shell {
    /// Closes a connection to free a descriptor for a new one. False if none yields.
    pub(in crate::runtime) fn make_room(&mut self, newcomer: Newcomer) -> bool {
        let yielding = self.front.clients.yielding(newcomer, self.now.mono, IDLE_LEAST);
        if let Some(token) = yielding {
            self.drop_client(token);
        }
        yielding.is_some()
    }

    /// Closes up to `count` idle connections to free descriptors for a child. False if there are none.
    pub(in crate::runtime) fn yield_descriptors(&mut self, count: usize) -> bool {
        let mut is_any = false;
        for _ in 0..count {
            let Some(token) = self.front.clients.yielding(Newcomer::Child, self.now.mono, Duration::ZERO)
            else {
                break;
            };
            self.drop_client(token);
            is_any = true;
        }
        is_any
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::super::CLIENTS_MAX;
    use super::*;
    use crate::model::{Grant, Principal, Ticket};
    use crate::sys::sockets::SocketStream;

    /// Connections by token, with the other ends of their sockets.
    struct Table {
        clients: Clients,
        peers: Vec<UnixStream>,
    }

    fn at(secs: u64) -> Mono {
        Mono::default().after(Duration::from_secs(secs))
    }

    impl Table {
        fn new() -> Self {
            Self { clients: Clients::new(u64::MAX), peers: Vec::new() }
        }

        /// A connection that was last used at this second.
        fn add(&mut self, token: u64, is_local: bool, used_secs: u64) -> &mut Client {
            let (ours, theirs) = UnixStream::pair().unwrap();
            self.peers.push(theirs);
            let client = Client { is_local, ..Client::new(SocketStream::Unix(ours), 1, None, at(used_secs)) };
            self.clients.by_token.insert(token, Box::new(client));
            self.clients.get_mut(token).unwrap()
        }

        /// The tokens that yield one after another.
        fn order(mut self, newcomer: Newcomer, idle_least: Duration) -> Vec<u64> {
            let next = |clients: &Clients| clients.yielding(newcomer, at(10), idle_least);
            let mut order = Vec::new();
            while let Some(token) = next(&self.clients) {
                order.push(token);
                self.clients.by_token.remove(&token);
            }
            order
        }
    }

    fn principal() -> Option<Principal> {
        let (server, grant) = ("inet_http_server".to_owned(), Grant::default());
        Some(Principal::Client { server, uid: None, username: None, grant })
    }

    /// Unauthorised (1, 2), authorised and idle over TCP (3, 4), idle over a unix socket (5, 6), and waiting for a
    /// reply (7 over TCP, 8 over a unix socket).
    fn table() -> Table {
        let mut table = Table::new();
        table.add(1, false, 2);
        table.add(2, false, 1);
        table.add(3, false, 0).principal = principal();
        table.add(4, false, 9).principal = principal();
        table.add(5, true, 0);
        table.add(6, true, 9).principal = principal();
        table.add(7, false, 0).ticket = Some(Ticket(1));
        table.add(8, true, 0).ticket = Some(Ticket(2));
        table
    }

    #[test]
    fn idle_connections_yield_by_their_standing_and_the_longest_idle_first() {
        assert_eq!(table().order(Newcomer::Remote, Duration::ZERO), [2, 1, 3, 4]);
        assert_eq!(table().order(Newcomer::Local, Duration::ZERO), [2, 1, 3, 4, 5, 6, 7]);
        // A child takes no place of a client that is served.
        assert_eq!(table().order(Newcomer::Child, Duration::ZERO), [2, 1, 3, 4, 5, 6]);
    }

    #[test]
    fn a_connection_of_the_same_kind_yields_only_after_it_was_idle_for_a_while() {
        let least = Duration::from_secs(5);
        assert_eq!(table().order(Newcomer::Remote, least), [2, 1, 3]);
        assert_eq!(table().order(Newcomer::Local, least), [2, 1, 3, 4, 5, 7]);
    }

    #[test]
    fn a_connection_with_unread_input_does_not_count_as_idle_among_equals() {
        let mut table = Table::new();
        table.add(1, true, 0);
        table.add(2, true, 1);
        table.peers[0].write_all(b"POST").unwrap();
        assert_eq!(table.clients.yielding(Newcomer::Local, at(10), Duration::ZERO), Some(2));
        assert_eq!(table.clients.yielding(Newcomer::Child, at(10), Duration::ZERO), Some(1));
    }

    #[test]
    fn a_newcomer_has_a_place_while_there_are_few_or_one_yields() {
        let mut table = Table::new();
        table.clients.most = 1;
        assert!(table.clients.has_place(Newcomer::Remote, at(10)));
        table.add(1, true, 0);
        assert!(!table.clients.has_place(Newcomer::Remote, at(10)));
        assert!(table.clients.has_place(Newcomer::Local, at(10)));
        assert_eq!(Clients::new(u64::MAX).most, CLIENTS_MAX);
        assert_eq!(Clients::new(60).most, 30);
    }
}
