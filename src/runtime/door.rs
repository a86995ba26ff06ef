//! Authorisation: the one place that decides who may send requests, and the only way for commands and signals
//! into the core.
//!
//! A request is authorised when its head is complete: before its body is read and before anything is done for
//! it. The sender is a [`Principal`], which every command then carries.

use super::Shell;
use crate::control_socket;
use crate::http::{Request, Response, Secret, authenticate};
use crate::model::{Address, Command, Password, Principal, ServerSpec, Signal, Ticket, UserId};
use crate::supervise::Input;
use crate::sys::sockets::{Peer, SocketStream};

/// The user at the other end of a connection, where the kernel knows it.
pub(super) fn peer_uid(stream: &SocketStream) -> Option<UserId> {
    match stream {
        SocketStream::Unix(stream) => Peer::of(stream).ok().map(|peer| peer.user),
        SocketStream::Inet(_) => None,
    }
}

/// Whether a connection is served at all. A socket file is protected by its permissions; a name in the
/// abstract namespace has none.
pub(super) fn may_connect(address: &Address, stream: &SocketStream) -> bool {
    match (address, stream) {
        (Address::Abstract { .. }, SocketStream::Unix(stream)) => control_socket::may_ask(stream),
        _ => true,
    }
}

/// The sender of a request to a server. `None` if the server denies access.
fn principal(server: &ServerSpec, uid: Option<UserId>, head: &Request) -> Option<Principal> {
    let username = match &server.credentials {
        None => None,
        Some(required) => {
            let secret = match &required.password {
                Password::Plain(text) => Secret::Plain(text),
                Password::Sha1(digest) => Secret::Sha1(digest),
            };
            let is_authentic = authenticate(head.header("authorization"), &required.username, secret);
            is_authentic.then(|| Some(required.username.clone()))?
        }
    };
    Some(Principal::Client { server: server.section.clone(), uid, username })
}

impl Shell {
    /// Authorises a request by its head. A rejected request, or one to a removed server, is answered here.
    pub(super) fn admit(&mut self, token: u64, head: &Request) -> bool {
        let Some(client) = self.clients.get_mut(token) else { return false };
        let server = self.servers.spec(client.server);
        client.principal = server.and_then(|server| principal(server, client.uid, head));
        let is_admitted = client.principal.is_some();
        if !is_admitted {
            self.trace_request(token, head);
            self.respond(token, Response::unauthorized());
        }
        is_admitted
    }

    /// Sends the command of a client to the core.
    pub(super) fn command(&mut self, token: u64, ticket: Ticket, principal: Principal, command: Command) {
        if let Some(client) = self.clients.get_mut(token) {
            client.ticket = Some(ticket);
        }
        self.feed(Input::Command { principal, ticket, command });
    }

    /// Sends a signal to the core.
    pub(super) fn signal(&mut self, signal: Signal) {
        self.feed(Input::Signal { principal: Principal::Signal, signal });
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::http::Connection;
    use crate::model::Credentials;

    fn server(credentials: Option<Password>) -> ServerSpec {
        let address = Address::Unix { path: PathBuf::from("/run/x.sock"), mode: 0o700, owner: None };
        let credentials = credentials.map(|password| Credentials { username: "me".to_owned(), password });
        ServerSpec { section: "unix_http_server".to_owned(), address, credentials, is_implicit: false }
    }

    fn head(authorization: &str) -> Request {
        let mut connection = Connection::new();
        connection.feed(format!("GET / HTTP/1.1\r\n{authorization}\r\n\r\n").as_bytes());
        connection.next_head().unwrap().unwrap().clone()
    }

    #[test]
    fn a_principal_names_the_server_the_peer_and_the_authenticated_user() {
        let plain = || Some(Password::Plain("secret".to_owned()));
        let client = |username: Option<&str>| {
            let username = username.map(str::to_owned);
            Some(Principal::Client { server: "unix_http_server".to_owned(), uid: Some(7), username })
        };
        // me:secret, you:secret
        let (right, wrong) = ("Authorization: Basic bWU6c2VjcmV0", "Authorization: Basic eW91OnNlY3JldA==");
        for (credentials, authorization, expected) in [
            (None, "Host: x", client(None)),
            // The server requires no password, so the name proves nothing.
            (None, right, client(None)),
            (plain(), right, client(Some("me"))),
            (plain(), wrong, None),
            (plain(), "Host: x", None),
        ] {
            assert_eq!(principal(&server(credentials), Some(7), &head(authorization)), expected);
        }
    }
}
