//! The control servers: listening sockets.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use super::clients::Newcomer;
use super::door::may_connect;
use super::{Shell, Source, Sources};
use crate::control_socket;
use crate::model::{Address, LogLevel, Mono, ServerSpec};
use crate::sys::errno_name;
use crate::sys::files::ReserveDescriptor;
use crate::sys::names::HostNames;
use crate::sys::poller::{Interest, Poller};
use crate::sys::sockets::{ListenError, ListeningSocket, Presence, SocketStream};
use crate::sys::users::own_name;
use crate::sys::watch::FileWatch;

/// The maximum number of connections accepted from one server in one turn.
const ACCEPTS_PER_TURN: usize = 64;

/// The maximum pause of a server when no descriptor is left for a connection. Without a pause the pending
/// connection would wake us continuously. It ends as soon as a connection is closed or a child is reaped.
const PAUSE: Duration = Duration::from_millis(500);

/// A socket file that is removed repeatedly is restored in this interval.
const RESTORE_INTERVAL: Duration = Duration::from_secs(1);

const IN_USE: &str = "Another program is already listening on a port that one of our HTTP servers is \
    configured to use.  Shut this program down first before starting supervisord.";

#[derive(Debug)]
struct Server {
    spec: ServerSpec,
    listener: ListeningSocket,
    token: u64,
    /// Not watched until this time.
    paused_until: Option<Mono>,
    /// The pause was logged, and connections have been pending since.
    is_pause_logged: bool,
    /// The loss of its path was logged, and it is still lost.
    is_loss_logged: bool,
}

/// All servers.
#[derive(Debug, Default)]
pub(super) struct Servers {
    /// By number, in the order in which they opened. Numbers are never reused: a client of a removed server
    /// is not taken for one of another.
    by_number: BTreeMap<usize, Box<Server>>,
    last: usize,
    /// A spare descriptor, so that a client over a unix socket is served even when all others are in use.
    reserve: ReserveDescriptor,
    /// A descriptor was closed since servers paused.
    is_descriptor_free: bool,
    /// Watches the files of unix sockets, if the kernel allows it.
    watch: Option<FileWatch>,
    /// When to check the files.
    check_at: Option<Mono>,
    checked_at: Mono,
}

/// An open listener that is not watched yet.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) spec: ServerSpec,
    pub(super) listener: ListeningSocket,
}

/// Why a server could not be opened.
#[derive(Debug)]
pub(super) struct Refusal {
    place: String,
    error: ListenError,
    /// Its file could not be created.
    is_file: bool,
}

impl Refusal {
    /// Whether the file system is the reason, and not a wrong setting or another process.
    pub(super) fn is_by_file_system(&self) -> bool {
        self.is_file && is_by_file_system(&self.error)
    }

    /// One line: in plain words as `sv`, and in Supervisor's as `supervisord`.
    pub(super) fn text(&self, is_sv: bool) -> String {
        let Self { place, error, is_file } = self;
        if is_sv && *is_file && matches!(error, ListenError::InUse) {
            format!(
                "cannot listen on '{place}': another program listens there. If it is a supervisor, `sv -s unix://{place} \
                 status` asks it and `sv -s unix://{place} shutdown` ends it; else choose another path"
            )
        } else if is_sv {
            format!("cannot listen on '{place}': {}", cause(error))
        } else {
            cannot_listen(place, error)
        }
    }
}

/// Listens. `on_stale` is called for a stale socket that was replaced.
pub(super) fn open(
    spec: &ServerSpec,
    names: &mut HostNames,
    on_stale: impl FnOnce(&str),
) -> Result<Opened, Refusal> {
    let listener = match &spec.address {
        Address::Unix { path, mode, owner } => {
            if spec.is_implicit {
                control_socket::restore_folder(path);
            }
            let place = path.display().to_string();
            ListeningSocket::unix(path, *mode, *owner, || on_stale(&place)).map_err(|error| Refusal {
                place,
                error,
                is_file: true,
            })
        }
        Address::Inet { host, port } => {
            let host_shown = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            let place = format!("{host_shown}:{port}");
            ListeningSocket::inet(host, *port, names).map_err(|error| Refusal {
                place,
                error,
                is_file: false,
            })
        }
        Address::Abstract { name } => {
            let place = format!("@{name}");
            ListeningSocket::abstract_name(name).map_err(|error| Refusal { place, error, is_file: false })
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

/// The cause, with a remedy if we know one.
fn cause(error: &ListenError) -> String {
    match error {
        ListenError::InUse => "another program listens there; stop it or choose another address".to_owned(),
        ListenError::NotASocket => {
            "there is a file that is not a socket; remove it or choose another path".to_owned()
        }
        ListenError::Owner(uid, gid) => {
            let gid = gid.map_or_else(String::new, |gid| format!(" and gid {gid}"));
            format!("user {} may not give it to uid {uid}{gid}; change the option chown", own_name())
        }
        ListenError::System(error) if error.raw_os_error() == Some(nix::libc::ENAMETOOLONG) => {
            "the path is too long for a unix socket; choose a shorter one".to_owned()
        }
        ListenError::System(error) => error.to_string(),
    }
}

fn cannot_listen(place: &str, error: &ListenError) -> String {
    match error {
        ListenError::InUse => format!("{IN_USE} ({place})"),
        ListenError::NotASocket => format!("cannot listen on '{place}': there is a file that is no socket"),
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
        self.last += 1;
        let token = sources.add(Source::Server(self.last));
        let Opened { spec, listener } = opened;
        // Only a lack of kernel memory could prevent this; the server then pauses and tries again.
        let is_watched = poller.add(&listener, token, READ).is_ok();
        let paused_until = (!is_watched).then_some(Mono::default());
        self.reserve.refill();
        if let Address::Unix { path, .. } = &spec.address {
            self.watch_file(path, poller, sources);
        }
        let server =
            Server { spec, listener, token, paused_until, is_pause_logged: false, is_loss_logged: false };
        self.by_number.insert(self.last, Box::new(server));
    }

    /// Watches for the removal of a unix socket's file. Without inotify it is checked on the signals that
    /// reopen logs and restart.
    fn watch_file(&mut self, path: &Path, poller: &Poller, sources: &mut Sources) {
        if self.watch.is_none()
            && let Ok(watch) = FileWatch::new()
            && poller.add(&watch, sources.add(Source::SocketFiles), READ).is_ok()
        {
            self.watch = Some(watch);
        }
        if let Some(watch) = &mut self.watch {
            let _ = watch.add(path);
        }
    }

    /// The supervisor is going to end: files that are removed from now on are not made again.
    pub(super) fn stop_watching_files(&mut self, poller: &Poller) {
        if let Some(watch) = self.watch.as_mut().filter(|watch| watch.is_active()) {
            poller.remove(watch.as_fd());
            watch.end();
        }
    }

    /// The configuration of a server.
    pub(super) fn spec(&self, server: usize) -> Option<&ServerSpec> {
        self.by_number.get(&server).map(|server| &server.spec)
    }

    /// The configurations of open servers.
    pub(super) fn specs(&self) -> impl Iterator<Item = &ServerSpec> {
        self.by_number.values().map(|server| &server.spec)
    }

    /// Closes unwanted servers.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(&ServerSpec) -> bool, sources: &mut Sources) {
        let unwanted = self.by_number.iter().filter(|(_, server)| !is_wanted(&server.spec));
        let unwanted: Vec<usize> = unwanted.map(|(&number, _)| number).collect();
        for server in unwanted.into_iter().filter_map(|number| self.by_number.remove(&number)) {
            sources.remove(server.token);
            close(*server);
        }
    }

    /// Closes all servers, at the very end.
    pub(super) fn close(&mut self) {
        self.watch = None;
        std::mem::take(&mut self.by_number).into_values().for_each(|server| close(*server));
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        let pauses = self.by_number.values().filter_map(|server| server.paused_until);
        // There may be room for a pending connection: try in the next turn.
        let pauses = pauses.map(|until| if self.is_descriptor_free { Mono::default() } else { until });
        pauses.chain(self.check_at).min()
    }

    /// A closed connection or reaped child has released descriptors.
    pub(super) fn descriptor_is_free(&mut self) {
        self.is_descriptor_free = true;
    }

    /// Watches servers again after their pause.
    pub(super) fn wake(&mut self, now: Mono, poller: &Poller) {
        let is_free = std::mem::take(&mut self.is_descriptor_free);
        if is_free {
            self.reserve.refill();
        }
        for server in self.by_number.values_mut() {
            if server.paused_until.is_some_and(|until| is_free || until <= now) {
                let is_watched = poller.add(&server.listener, server.token, READ).is_ok();
                server.paused_until = (!is_watched).then_some(now.after(PAUSE));
            }
        }
    }

    /// Whether the files of unix sockets must be checked now.
    pub(super) fn take_check_due(&mut self, now: Mono) -> bool {
        self.check_at.take_if(|at| *at <= now).is_some()
    }
}

/// Closes a server, with the folder that was created for it.
fn close(server: Server) {
    let Server { spec, listener, .. } = server;
    drop(listener);
    if let Address::Unix { path, .. } = &spec.address
        && spec.is_implicit
    {
        control_socket::remove_folder(path);
    }
}

const READ: Interest = Interest { read: true, write: false };

impl Shell {
    /// Accepts pending connections.
    pub(super) fn server_is_ready(&mut self, number: usize) {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(server) = self.front.servers.by_number.get_mut(&number) else { return };
            let newcomer = if server.spec.address.is_unix() { Newcomer::Local } else { Newcomer::Remote };
            if !self.front.clients.has_place(newcomer, self.now.mono) {
                // All of them have precedence; the new connection waits until one is closed.
                return self.pause(number);
            }
            match server.listener.accept() {
                Ok(Some(stream)) => self.take_connection(stream, number),
                Ok(None) => {
                    server.is_pause_logged = false;
                    return;
                }
                // The client closed it before it was accepted.
                Err(error) if error.raw_os_error() == Some(nix::libc::ECONNABORTED) => {}
                Err(error) if is_lack_of_descriptors(&error) => {
                    let has_room = self.make_room(newcomer)
                        || newcomer == Newcomer::Local && self.front.servers.reserve.spend();
                    if !has_room {
                        return self.rest(number, &error);
                    }
                }
                Err(error) => return self.rest(number, &error),
            }
        }
    }

    fn take_connection(&mut self, stream: SocketStream, number: usize) {
        if self.front.servers.spec(number).is_some_and(|spec| may_connect(&spec.address, &stream)) {
            self.add_client(stream, number);
        }
    }

    /// Stops watching a server for a while. The reason is logged once, however often it repeats.
    fn rest(&mut self, number: usize, error: &io::Error) {
        self.pause(number);
        let Some(server) = self.front.servers.by_number.get_mut(&number) else { return };
        if !std::mem::replace(&mut server.is_pause_logged, true) {
            let section = server.spec.section.clone();
            self.log(LogLevel::Error, &format!("cannot accept a connection on [{section}]: {error}"));
        }
    }

    fn pause(&mut self, number: usize) {
        let Some(server) = self.front.servers.by_number.get_mut(&number) else { return };
        self.poller.remove(server.listener.as_fd());
        server.paused_until = Some(self.now.mono.after(PAUSE));
    }

    /// The file of a unix socket has changed.
    pub(super) fn socket_files_changed(&mut self) {
        let servers = &mut self.front.servers;
        if let Some(watch) = &mut servers.watch {
            watch.drain();
        }
        servers.check_at = Some(servers.checked_at.after(RESTORE_INTERVAL).max(self.now.mono));
    }

    /// Restores removed files of unix sockets. If another process listens at the path, its socket is kept. On
    /// request (`is_asked`), a path is also taken back from a process that is gone.
    pub(super) fn restore_socket_files(&mut self, is_asked: bool) {
        self.front.servers.checked_at = self.now.mono;
        let numbers: Vec<usize> = self.front.servers.by_number.keys().copied().collect();
        for number in numbers {
            let Some(server) = self.front.servers.by_number.get_mut(&number) else { continue };
            let presence = server.listener.presence();
            if presence == Presence::Ours {
                server.is_loss_logged = false;
                continue;
            }
            let is_first = !std::mem::replace(&mut server.is_loss_logged, true);
            let spec = server.spec.clone();
            let Address::Unix { path, .. } = &spec.address else { continue };
            let shown = path.display();
            if presence == Presence::Foreign && !is_asked {
                if is_first {
                    let text = format!(
                        "another process has put something else in the place of the control socket '{shown}'; clients cannot reach us there"
                    );
                    self.log(LogLevel::Warn, &text);
                }
                continue;
            }
            match open(&spec, &mut self.host_names, |_| ()) {
                Ok(opened) => {
                    self.replace_listener(number, opened.listener);
                    self.log(
                        LogLevel::Info,
                        &format!("made the control socket '{shown}' again: it had been removed"),
                    );
                }
                Err(refusal) if is_first || is_asked => {
                    self.log(LogLevel::Error, &refusal.text(self.launch.foreground))
                }
                Err(_) => {}
            }
        }
    }

    /// Replaces the listening socket. Connections that are pending at the old one are served.
    fn replace_listener(&mut self, number: usize, listener: ListeningSocket) {
        self.server_is_ready(number);
        let Some(server) = self.front.servers.by_number.get_mut(&number) else { return };
        self.poller.remove(server.listener.as_fd());
        server.listener = listener;
        server.is_loss_logged = false;
        let is_watched = self.poller.add(&server.listener, server.token, READ).is_ok();
        server.paused_until = (!is_watched).then_some(self.now.mono.after(PAUSE));
        if let Address::Unix { path, .. } = server.spec.address.clone() {
            self.front.servers.watch_file(&path, &self.poller, &mut self.sources);
        }
    }
}

fn is_lack_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(nix::libc::EMFILE | nix::libc::ENFILE))
}
