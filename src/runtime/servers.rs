//! The control servers: sockets that listen.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use super::{Shell, Source, Sources};
use crate::model::{Address, LogLevel, Mono, ServerSpec};
use crate::sys::errno_name;
use crate::sys::names::HostNames;
use crate::sys::poller::{Interest, Poller};
use crate::sys::sockets::{ListenError, Listener};
use crate::sys::users::own_name;

/// Connections taken from one server in one turn.
const ACCEPTS_PER_TURN: usize = 64;

/// How long a server rests when there is no descriptor left for a connection. Without a rest the
/// one that waits would wake us again and again.
const REST: Duration = Duration::from_millis(500);

const IN_USE: &str = "Another program is already listening on a port that one of our HTTP servers is \
    configured to use.  Shut this program down first before starting supervisord.";

#[derive(Debug)]
struct Server {
    spec: ServerSpec,
    listener: Listener,
    token: u64,
    /// Not watched until then.
    rests_until: Option<Mono>,
    /// Why it rests was told, and there are connections waiting since.
    rest_told: bool,
}

/// All servers, in the order in which they opened. A slot is empty when its server was removed.
#[derive(Debug, Default)]
pub(super) struct Servers(Vec<Option<Server>>);

/// A listener that is open and is not watched yet.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) spec: ServerSpec,
    pub(super) listener: Listener,
}

/// Why a server could not be opened.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Supervisor's words.
    pub(super) text: String,
    /// Whether it is the file system that has no place for a socket, and no mistake or neighbour.
    pub(super) is_by_file_system: bool,
}

/// Listens. A stale socket that was replaced is told to `on_stale`.
pub(super) fn open(
    spec: &ServerSpec,
    names: &mut HostNames,
    on_stale: impl FnOnce(&str),
) -> Result<Opened, Refusal> {
    let listener = match &spec.address {
        Address::Unix { path, mode, owner } => {
            let shown = path.display().to_string();
            Listener::unix(path, *mode, *owner, || on_stale(&shown)).map_err(|error| Refusal {
                is_by_file_system: is_by_file_system(&error),
                text: match error {
                    ListenError::NotASocket => {
                        format!("cannot listen on '{shown}': there is a file that is no socket")
                    }
                    other => cannot_listen(&shown, &other),
                },
            })
        }
        Address::Inet { host, port } => {
            let host_shown = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            let shown = format!("{host_shown}:{port}");
            Listener::inet(host, *port, names)
                .map_err(|error| Refusal { text: cannot_listen(&shown, &error), is_by_file_system: false })
        }
    };
    Ok(Opened { spec: spec.clone(), listener: listener? })
}

fn is_by_file_system(error: &ListenError) -> bool {
    use nix::libc::{EACCES, EDQUOT, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS};
    let ListenError::System(error) = error else { return false };
    let refusals = [EACCES, EDQUOT, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS];
    error.raw_os_error().is_some_and(|number| refusals.contains(&number))
}

fn cannot_listen(place: &str, error: &ListenError) -> String {
    match error {
        ListenError::InUse => format!("{IN_USE} ({place})"),
        ListenError::NotASocket => format!("cannot listen on '{place}'"),
        ListenError::Owner(uid, gid) => {
            let gid = gid.map_or_else(|| "-1".to_owned(), |gid| gid.to_string());
            format!(
                "Not permitted to chown {place} to uid/gid ({uid}, {gid}); adjust \"sockchown\" value in config file \
                 or on command line to values that the current user ({}) can successfully chown",
                own_name()
            )
        }
        ListenError::System(error) => match error.raw_os_error() {
            Some(nix::libc::ENAMETOOLONG) => {
                format!("Cannot open an HTTP server: socket.error reported AF_UNIX path too long: '{place}'")
            }
            Some(number) => format!(
                "Cannot open an HTTP server: socket.error reported errno.{} ({number}) for '{place}'",
                errno_name(error)
            ),
            None => format!("Cannot open an HTTP server: socket.error reported {error} for '{place}'"),
        },
    }
}

impl Servers {
    /// Watches a server that was opened.
    pub(super) fn add(&mut self, opened: Opened, poller: &Poller, sources: &mut Sources) {
        let token = sources.add(Source::Server(self.0.len()));
        let Opened { spec, listener } = opened;
        // Only a lack of kernel memory could refuse this; the server then rests and tries again.
        let watched = poller.add(&listener, token, READ).is_ok();
        let rests_until = (!watched).then_some(Mono::default());
        self.0.push(Some(Server { spec, listener, token, rests_until, rest_told: false }));
    }

    /// What a server asks of its clients.
    pub(super) fn spec(&self, server: usize) -> Option<&ServerSpec> {
        self.0.get(server)?.as_ref().map(|server| &server.spec)
    }

    /// Whether a server like this is open.
    pub(super) fn has(&self, spec: &ServerSpec) -> bool {
        self.0.iter().flatten().any(|server| server.spec == *spec)
    }

    /// Closes those that are not wanted any more.
    pub(super) fn retain(&mut self, wanted: &[ServerSpec], sources: &mut Sources) {
        for slot in &mut self.0 {
            if let Some(server) = slot
                && !wanted.contains(&server.spec)
            {
                sources.remove(server.token);
                *slot = None;
            }
        }
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        self.0.iter().flatten().filter_map(|server| server.rests_until).min()
    }

    /// Watches again those that have rested.
    pub(super) fn wake(&mut self, now: Mono, poller: &Poller) {
        for server in self.0.iter_mut().flatten() {
            if server.rests_until.is_some_and(|until| until <= now) {
                let watched = poller.add(&server.listener, server.token, READ).is_ok();
                server.rests_until = (!watched).then_some(now.after(REST));
            }
        }
    }
}

const READ: Interest = Interest { read: true, write: false };

impl Shell {
    /// Takes the connections that wait.
    pub(super) fn server_is_ready(&mut self, index: usize) {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(Some(server)) = self.servers.0.get_mut(index) else { return };
            match server.listener.accept() {
                Ok(Some(stream)) => self.add_client(stream, index),
                Ok(None) => {
                    server.rest_told = false;
                    return;
                }
                // It was gone before it was taken.
                Err(error) if error.raw_os_error() == Some(nix::libc::ECONNABORTED) => {}
                Err(error) if is_lack_of_descriptors(&error) && self.make_room() => {}
                Err(error) => return self.rest(index, &error),
            }
        }
    }

    /// Stops watching a server for a while. The reason is told once, however often it happens again.
    fn rest(&mut self, index: usize, error: &io::Error) {
        let Some(Some(server)) = self.servers.0.get_mut(index) else { return };
        self.poller.remove(server.listener.as_fd());
        server.rests_until = Some(self.now.mono.after(REST));
        if !std::mem::replace(&mut server.rest_told, true) {
            let section = server.spec.section.clone();
            self.log(LogLevel::Error, &format!("cannot accept a connection on [{section}]: {error}"));
        }
    }
}

fn is_lack_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(nix::libc::EMFILE | nix::libc::ENFILE))
}
