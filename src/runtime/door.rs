//! Authorisation: the one place that decides who may send requests, and the only way for commands and signals
//! into the core.
//!
//! A request is authorised when its head is complete: before its body is read and before anything is done for
//! it. The sender is a [`Principal`], which every command then carries, with what its server grants it. A command that
//! needs more is answered here with the fault FORBIDDEN, wherever it comes from.

use super::Shell;
use super::refusals::{RefusalFormat, RequestRefusal};
use crate::api::is_api;
use crate::control_socket;
use crate::http::{
    Request, Response, Secret, Sender, authenticate, has_trusted_host, has_valid_host, may_be_a_page,
};
use crate::metrics::MonitoringPath;
use crate::model::{
    Address, Command, Fault, FaultCode, LogLevel, Password, Permission, Principal, Role, ServerSpec, Signal,
    Ticket, UserId,
};
use crate::python::quote;
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
    let grant = server.access.grant(uid);
    Some(Principal::Client { server: server.section.clone(), uid, username, grant })
}

/// What a path requires. Every role includes metrics and probes. The calls of XML-RPC have permissions of their own, and
/// are answered with faults.
fn permission_for(path: &str) -> Permission {
    let is_open = MonitoringPath::of(path).is_some() || path.starts_with("/RPC2");
    Permission::of(if is_open { Role::Metrics } else { Role::Read }, "see anything but metrics")
}

/// Whether a request may come from a page that a browser takes for one of ours: the owner of a domain can let its
/// name mean our address. Programs have no pages, and metrics are scraped by any name.
///
/// COMPAT: Supervisor accepts any host.
fn is_rebound(server: &ServerSpec, head: &Request) -> bool {
    let is_about_metrics = MonitoringPath::of(&head.path).is_some();
    let is_guarded = !server.address.is_unix() && !is_about_metrics;
    is_guarded && may_be_a_page(head) && !has_trusted_host(head, &server.access.hosts)
}

/// Whether a page of another site had a browser send a request to an API, or may have: browsers say where requests of our
/// own pages come from. Pages decide about theirs: they may ask the user. Some clients of XML-RPC call themselves Mozilla.
///
/// COMPAT: Supervisor accepts such calls.
fn is_forged(head: &Request) -> bool {
    let is_refused = |sender| match sender {
        Sender::ForeignPage => is_api(&head.path) || head.path.starts_with("/RPC2"),
        Sender::SilentBrowser => is_api(&head.path),
        Sender::OwnPage | Sender::Program => false,
    };
    !head.is_safe() && is_refused(Sender::of(head))
}

/// Characters shown of a host name that a client has sent.
const HOST_CHARS_SHOWN: usize = 100;

impl Shell {
    /// Authorises a request by its head. A rejected request, or one to a removed server, is answered here.
    pub(super) fn admit(&mut self, token: u64, head: &Request) -> bool {
        let Some(client) = self.front.clients.get_mut(token) else { return false };
        let server = self.front.servers.spec(client.server);
        client.refusal_format = RefusalFormat::of(&head.path);
        client.principal = server.and_then(|server| principal(server, client.uid, head));
        let refusal = match (server, client.principal.clone()) {
            (Some(server), _) if !server.address.is_unix() && !has_valid_host(head) => {
                RequestRefusal::malformed_host()
            }
            // Not worth a line: it can be open to everybody.
            (Some(server), Some(_)) if server.is_for_probes && MonitoringPath::of(&head.path).is_none() => {
                RequestRefusal::not_found()
            }
            (Some(server), Some(_)) if server.is_for_probes && !head.is_safe() => {
                RequestRefusal::method_not_allowed()
            }
            // Before the password: a page of that name would be what asks for it.
            (Some(server), _) if is_rebound(server, head) => {
                let host: String =
                    head.header("host").unwrap_or_default().chars().take(HOST_CHARS_SHOWN).collect();
                let or = if server.credentials.is_none() { ", or set username and password" } else { "" };
                let text = format!(
                    "a request to [{}] for the host {}: add it to allowed_hosts there{or}",
                    server.section,
                    quote(&host)
                );
                self.log_refusal(&text);
                RequestRefusal::forbidden(UNKNOWN_HOST)
            }
            (Some(_), Some(_)) if is_forged(head) => {
                let text = "a call that a page of another site had a browser send";
                self.log_refusal(text);
                RequestRefusal::forbidden(text)
            }
            (Some(_), Some(principal)) => match self.permit(&principal, permission_for(&head.path)) {
                Ok(()) => return true,
                Err(fault) => RequestRefusal::forbidden(fault.detail.unwrap_or_default()),
            },
            _ => RequestRefusal::unauthorized(),
        };
        self.trace_request(token, head);
        self.respond_with_refusal(token, refusal);
        false
    }

    /// Whether a client may ask for something. The fault says what would be enough, and the log who has asked.
    pub(super) fn permit(&mut self, principal: &Principal, permission: Permission) -> Result<(), Fault> {
        let Principal::Client { grant, .. } = principal else { return Ok(()) };
        let Err(least) = grant.covers(permission) else { return Ok(()) };
        let text = format!(
            "the role {} may not {}: that needs {}",
            grant.role.name(),
            permission.what,
            least.name()
        );
        self.log_refusal(&format!("{principal}: {text}"));
        Err(Fault::about(FaultCode::Forbidden, text))
    }

    fn log_refusal(&mut self, text: &str) {
        if let Some(line) = self.front.refusals.line(self.now.mono, text) {
            self.log(LogLevel::Warn, &line);
        }
    }

    /// Sends the command of a client to the core, if its role includes it.
    pub(super) fn command(&mut self, token: u64, ticket: Ticket, principal: Principal, command: Command) {
        if let Some(client) = self.front.clients.get_mut(token) {
            client.ticket = Some(ticket);
        }
        match self.permit(&principal, command.permission()) {
            Ok(()) => self.feed(Input::Command { principal, ticket, command }),
            Err(fault) => self.answer(ticket, Err(fault)),
        }
    }

    /// Sends a signal to the core.
    pub(super) fn signal(&mut self, signal: Signal) {
        self.feed(Input::Signal { principal: Principal::Signal, signal });
    }
}

/// Why a request for a host that is not ours is refused.
const UNKNOWN_HOST: &str = "this host name is not in allowed_hosts of the server, so another site may be behind the \
    request; if the name is right, add it there in the supervisor's configuration";

/// The page about a fault FORBIDDEN. Its text is our own.
pub(super) fn forbidden(fault: &Fault) -> Response {
    Response::explained(403, &format!("<p>{fault}</p>\n"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::http::Connection;
    use crate::model::{Credentials, Grant, ServerAccess};

    fn server(credentials: Option<Password>) -> ServerSpec {
        let address = Address::Unix { path: PathBuf::from("/run/x.sock"), mode: 0o700, owner: None };
        let credentials = credentials.map(|password| Credentials { username: "me".to_owned(), password });
        let access = ServerAccess::default();
        ServerSpec {
            section: "unix_http_server".to_owned(),
            address,
            credentials,
            access,
            is_implicit: false,
            is_for_probes: false,
        }
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
            Some(Principal::Client {
                server: "unix_http_server".to_owned(),
                uid: Some(7),
                username,
                grant: Grant::default(),
            })
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
