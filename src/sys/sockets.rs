//! Listening sockets: for the control servers, and for children that accept by themselves.

use std::fs;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{
    CWD, Gid, Mode, OFlags, RenameFlags, Uid, chmod, chown, fchmod, fcntl_getfl, fcntl_setfl, renameat_with,
};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrUnix, SocketFlags, SocketType, bind,
    connect, listen, recv, sendmsg, socket_with,
};

use super::names::HostNames;
use crate::model::{Pid, SocketOwner, UserId};

/// The same as Supervisor's.
const BACKLOG: i32 = 1024;

/// Why listening failed.
#[derive(Debug)]
pub enum ListenError {
    /// A server answers there.
    InUse,
    /// The path exists and is not a socket; it is kept.
    NotASocket,
    /// The owner can't be set.
    Owner(UserId, Option<UserId>),
    /// An error from the kernel.
    System(io::Error),
}

impl From<io::Error> for ListenError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::AddrInUse { Self::InUse } else { Self::System(error) }
    }
}

impl From<rustix::io::Errno> for ListenError {
    fn from(errno: rustix::io::Errno) -> Self {
        io::Error::from(errno).into()
    }
}

/// A listening socket. A unix socket's file is removed when it is dropped, unless another process has
/// replaced it.
#[derive(Debug)]
pub enum ListeningSocket {
    /// With a file.
    Unix(UnixListener, SocketFile),
    /// With a name in the abstract namespace of Linux, which any local process can connect to.
    Abstract(UnixListener),
    /// Any IP version.
    Inet(TcpListener),
}

/// The file of a unix socket.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    id: Option<SocketFileId>,
}

/// Device and inode.
type SocketFileId = (u64, u64);

/// The state of a socket's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is our listening socket.
    Ours,
    /// It does not exist.
    Missing,
    /// It belongs to another process.
    Foreign,
}

impl SocketFile {
    fn made_at(path: &Path) -> Self {
        Self { path: path.to_owned(), id: file_id(path).ok() }
    }

    fn presence(&self) -> Presence {
        match file_id(&self.path) {
            Ok(found) if self.id == Some(found) => Presence::Ours,
            Err(error) if is_absence(&error) => Presence::Missing,
            Ok(_) | Err(_) => Presence::Foreign,
        }
    }
}

fn file_id(path: &Path) -> io::Result<SocketFileId> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A connection that was accepted.
#[derive(Debug)]
#[expect(missing_docs, reason = "plain words")]
pub enum SocketStream {
    Unix(UnixStream),
    Inet(TcpStream),
}

impl ListeningSocket {
    /// Listens on a path. A stale socket is replaced, after calling `on_stale`; the new one appears at the
    /// path atomically, with its mode and owner.
    ///
    /// # Errors
    /// See [`ListenError`]; EINVAL for a path that is too long for a socket.
    /// See [`ListenError`]; EINVAL for a path that is too long for a socket.
    pub fn unix(
        path: &Path,
        mode: u32,
        owner: Option<SocketOwner>,
        on_stale: impl FnOnce(),
    ) -> Result<Self, ListenError> {
        if clear_the_way(path)? {
            on_stale();
        }
        let temporary = temporary_name(path)?;
        let made = listen_at(&temporary, mode, owner).and_then(|listener| {
            publish(&temporary, path)?;
            Ok(listener)
        });
        if made.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        Ok(Self::Unix(made?, SocketFile::made_at(path)))
    }

    /// Listens on a name in the abstract namespace, which needs no file system. The name is released with the
    /// socket.
    ///
    /// # Errors
    /// See [`ListenError`]; EINVAL for a name that is too long.
    pub fn abstract_name(name: &str) -> Result<Self, ListenError> {
        let address = SocketAddrUnix::new_abstract_name(name.as_bytes())?;
        let socket = unix_socket()?;
        bind(&socket, &address)?;
        listen(&socket, BACKLOG)?;
        Ok(Self::Abstract(UnixListener::from(socket)))
    }

    /// The state of a unix socket's path; sockets without a path are always ours.
    #[must_use]
    pub fn presence(&self) -> Presence {
        match self {
            Self::Unix(_, file) => file.presence(),
            Self::Abstract(_) | Self::Inet(_) => Presence::Ours,
        }
    }

    /// Listens on a TCP port; an empty host means all addresses.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn inet(host: &str, port: u16, names: &mut HostNames) -> Result<Self, ListenError> {
        let host = if host.is_empty() { "0.0.0.0" } else { host };
        let addresses = names.addresses(host)?;
        let mut addresses: Vec<_> = addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        // Supervisor listens on IPv4 only, so clients of a name like `localhost` expect that: if the IPv4
        // port is in use, IPv6 is not a substitute.
        if addresses.iter().any(SocketAddr::is_ipv4) {
            addresses.retain(SocketAddr::is_ipv4);
        }
        let listener = TcpListener::bind(addresses.as_slice())?;
        // A second time, since the standard library uses a backlog of 128.
        listen(&listener, BACKLOG)?;
        listener.set_nonblocking(true)?;
        Ok(Self::Inet(listener))
    }

    /// For the standard input of programs that accept connections themselves: there accept(2) blocks. The
    /// backlog is `backlog`.
    ///
    /// # Errors
    /// The errors of listen(2) and fcntl(2).
    pub fn for_children(self, backlog: u16) -> io::Result<Self> {
        listen(&self, i32::from(backlog))?;
        fcntl_setfl(&self, fcntl_getfl(&self)? - OFlags::NONBLOCK)?;
        Ok(self)
    }

    /// Accepts a pending connection, or `None`. The stream is nonblocking.
    ///
    /// # Errors
    /// The error of accept(2): EMFILE and ENFILE require a pause, others concern only that connection.
    pub fn accept(&self) -> io::Result<Option<SocketStream>> {
        let accepted = match self {
            Self::Unix(listener, _) | Self::Abstract(listener) => {
                listener.accept().and_then(|(stream, _)| {
                    stream.set_nonblocking(true)?;
                    Ok(SocketStream::Unix(stream))
                })
            }
            Self::Inet(listener) => listener.accept().and_then(|(stream, _)| {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                Ok(SocketStream::Inet(stream))
            }),
        };
        match accepted {
            Ok(stream) => Ok(Some(stream)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl SocketStream {
    /// Whether there is unread input. The end of the stream does not count.
    #[must_use]
    pub fn has_input(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        recv(self, &mut [0; 1], flags).is_ok_and(|(count, _)| count > 0)
    }
}

impl AsFd for ListeningSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(listener, _) | Self::Abstract(listener) => listener.as_fd(),
            Self::Inet(listener) => listener.as_fd(),
        }
    }
}

impl Drop for ListeningSocket {
    fn drop(&mut self) {
        if let Self::Unix(_, file) = self
            && file.presence() == Presence::Ours
        {
            let _ = fs::remove_file(&file.path);
        }
    }
}

/// Connects to a unix socket without blocking, for connecting and for all later I/O.
///
/// # Errors
/// EAGAIN if its backlog is full; the errors of socket(2) and connect(2).
pub fn connect_without_waiting(path: &Path) -> io::Result<UnixStream> {
    let socket = unix_socket()?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket.into())
}

/// The same for a name in the abstract namespace.
///
/// # Errors
/// As [`connect_without_waiting`].
pub fn connect_to_name_without_waiting(name: &str) -> io::Result<UnixStream> {
    let socket = unix_socket()?;
    connect(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
    Ok(socket.into())
}

fn unix_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// The process at the other end of a unix socket: the one that connected, or the one that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its effective user when it connected or began to listen.
    pub user: UserId,
    /// `None` if it is outside of our PID namespace.
    pub pid: Option<Pid>,
}

impl Peer {
    /// Of a connected unix socket.
    ///
    /// # Errors
    /// The errors of getsockopt(2).
    #[expect(unsafe_code, reason = "rustix can't hold the pid 0 of another namespace, nix lacks the feature")]
    pub fn of(stream: &UnixStream) -> io::Result<Self> {
        let mut found = nix::libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
        let mut length = size_of::<nix::libc::ucred>() as nix::libc::socklen_t;
        // SAFETY: getsockopt(2) writes at most `length` bytes to `found`, a plain C struct of that size, and the
        // new length to `length`; both outlive the call.
        let result = unsafe {
            nix::libc::getsockopt(
                stream.as_raw_fd(),
                nix::libc::SOL_SOCKET,
                nix::libc::SO_PEERCRED,
                (&raw mut found).cast(),
                &raw mut length,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { user: found.uid, pid: (found.pid > 0).then_some(Pid(found.pid)) })
    }
}

impl SocketStream {
    /// Sends as much of these pieces as the socket accepts, without a SIGPIPE when the other end is gone.
    ///
    /// # Errors
    /// The errors of sendmsg(2).
    pub fn send(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(sendmsg(self, pieces, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL)?)
    }

    /// The address of the other end in Supervisor's form: `127.0.0.1:56606`, and `localhost:0` for a unix
    /// socket.
    #[must_use]
    pub fn peer(&self) -> String {
        match self {
            Self::Inet(stream) => {
                stream.peer_addr().map_or_else(|_| "?:0".to_owned(), |peer| peer.to_string())
            }
            Self::Unix(_) => "localhost:0".to_owned(),
        }
    }
}

impl AsFd for SocketStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Inet(stream) => stream.as_fd(),
        }
    }
}

impl io::Read for SocketStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Inet(stream) => stream.read(buffer),
        }
    }
}

/// Whether a stale socket was removed. A live socket, or a file of another kind, is an error.
fn clear_the_way(path: &Path) -> Result<bool, ListenError> {
    if fs::symlink_metadata(path).is_err() {
        return Ok(false);
    }
    if !super::files::is_socket(path) {
        return Err(ListenError::NotASocket);
    }
    if is_listened_on(path) {
        return Err(ListenError::InUse);
    }
    fs::remove_file(path)?;
    Ok(true)
}

/// The maximum number of temporary names that are tried.
const TEMPORARY_NAMES_MAX: u32 = 16;

/// An unused name next to the path. A file of another user, in a folder that everybody may write to, is kept,
/// and another name is used.
fn temporary_name(path: &Path) -> Result<PathBuf, ListenError> {
    let name = |end: String| PathBuf::from(format!("{}.{}{end}", path.display(), std::process::id()));
    // PID 1 always has the same pid: a killed predecessor may have left the name on a persistent volume.
    let first = name(String::new());
    let Err(error) = clear_the_way(&first) else { return Ok(first) };
    let began = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.subsec_nanos());
    let others = (0..TEMPORARY_NAMES_MAX).map(|number| name(format!(".{:x}", began.wrapping_add(number))));
    others.into_iter().find(|other| fs::symlink_metadata(other).is_err()).ok_or(error)
}

/// Only ECONNREFUSED proves that no process listens: a socket that can't be connected to, or a datagram socket,
/// counts as used. So does one with a full backlog; connecting does not wait for it.
fn is_listened_on(path: &Path) -> bool {
    connect_without_waiting(path).err().is_none_or(|error| error.kind() != io::ErrorKind::ConnectionRefused)
}

/// Removes a socket on which no process listens any more.
pub fn remove_if_abandoned(path: &Path) {
    if super::files::is_socket(path) && !is_listened_on(path) {
        let _ = fs::remove_file(path);
    }
}

fn listen_at(path: &Path, mode: u32, owner: Option<SocketOwner>) -> Result<UnixListener, ListenError> {
    let address = SocketAddrUnix::new(path)?;
    let socket = unix_socket()?;
    // The file of bind(2) has the mode of the socket minus the umask: never more than requested.
    let mode = Mode::from_raw_mode(mode);
    fchmod(&socket, mode)?;
    bind(&socket, &address)?;
    chmod(path, mode)?;
    if let Some(SocketOwner { uid, gid }) = owner {
        let group = gid.map(Gid::from_raw);
        chown(path, Some(Uid::from_raw(uid)), group).map_err(|_| ListenError::Owner(uid, gid))?;
    }
    listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

/// Renames the socket to its final path unless another process was faster. File systems without that kind of
/// rename get a plain one.
fn publish(temporary: &Path, path: &Path) -> Result<(), ListenError> {
    match renameat_with(CWD, temporary, CWD, path, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::EXIST) => Err(ListenError::InUse),
        Err(_) => Ok(fs::rename(temporary, path)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::scratch::Folder;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    #[test]
    fn a_socket_has_its_mode_and_goes_with_its_listener() {
        let folder = Folder::new("sockets-mode");
        let path = folder.join("sv.sock");
        let listener = ListeningSocket::unix(&path, 0o750, None, || panic!("nothing was stale")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o750);
        assert!(listener.accept().unwrap().is_none());
        UnixStream::connect(&path).unwrap();
        assert!(listener.accept().unwrap().is_some());
        drop(listener);
        assert!(!path.exists());
    }

    #[test]
    fn a_live_socket_is_refused_and_a_stale_one_replaced() {
        let first = Folder::new("sockets-stale");
        let path = first.join("sv.sock");
        let listener = ListeningSocket::unix(&path, 0o700, None, || ()).unwrap();
        assert!(matches!(ListeningSocket::unix(&path, 0o700, None, || ()), Err(ListenError::InUse)));
        let ListeningSocket::Unix(socket, ..) = &listener else { unreachable!() };
        let left = socket.try_clone().unwrap();
        // As after a crash: no process listens, but the file remains.
        std::mem::forget(listener);
        drop(left);
        let other = Folder::new("sockets-stale2");
        let stale = other.join("sv.sock");
        drop(UnixListener::bind(&stale).unwrap());
        let mut reported = false;
        let again = ListeningSocket::unix(&stale, 0o700, None, || reported = true).unwrap();
        assert!(reported);
        drop(again);
    }

    #[test]
    fn a_socket_of_another_kind_counts_as_used() {
        let folder = Folder::new("sockets-datagram");
        let path = folder.join("log");
        let _log = UnixDatagram::bind(&path).unwrap();
        assert!(matches!(ListeningSocket::unix(&path, 0o700, None, || ()), Err(ListenError::InUse)));
        assert!(path.exists());
    }

    #[test]
    fn leftover_temporary_sockets_are_harmless() {
        let folder = Folder::new("sockets-half-way");
        let left = folder.join(&format!("sv.sock.{}", std::process::id()));
        drop(UnixListener::bind(&left).unwrap());
        let path = folder.join("sv.sock");
        let _listener = ListeningSocket::unix(&path, 0o700, None, || panic!("nothing was stale")).unwrap();
        assert!(path.exists() && !left.exists());
    }

    #[test]
    fn a_foreign_file_next_to_the_path_is_kept_and_harmless() {
        let folder = Folder::new("sockets-squatted");
        let squatted = folder.join(&format!("sv.sock.{}", std::process::id()));
        fs::write(&squatted, "precious").unwrap();
        let path = folder.join("sv.sock");
        let listener = ListeningSocket::unix(&path, 0o700, None, || panic!("nothing was stale")).unwrap();
        UnixStream::connect(&path).unwrap();
        assert!(squatted.exists());
        drop(listener);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn other_files_and_foreign_sockets_are_kept() {
        let folder = Folder::new("sockets-file");
        let path = folder.join("sv.sock");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(ListeningSocket::unix(&path, 0o700, None, || ()), Err(ListenError::NotASocket)));
        fs::remove_file(&path).unwrap();
        let listener = ListeningSocket::unix(&path, 0o700, None, || ()).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "somebody else's").unwrap();
        drop(listener);
        assert!(path.exists());
    }

    #[test]
    fn many_may_wait_to_be_taken() {
        let listener = ListeningSocket::inet("127.0.0.1", 0, &mut HostNames::at_the_start()).unwrap();
        let ListeningSocket::Inet(inet) = &listener else { panic!("{listener:?}") };
        let address = inet.local_addr().unwrap();
        // With a shorter queue the kernel drops connections, and the client tries again a second later.
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(900));
        let waiting: Result<Vec<_>, _> = (0..300).map(connect).collect();
        assert!(waiting.is_ok(), "{waiting:?}");
    }

    #[test]
    fn children_wait_in_accept_and_nothing_is_inherited_by_chance() {
        let listener = ListeningSocket::inet("127.0.0.1", 0, &mut HostNames::at_the_start())
            .unwrap()
            .for_children(5)
            .unwrap();
        assert!(!fcntl_getfl(&listener).unwrap().contains(OFlags::NONBLOCK));
        let flags = rustix::io::fcntl_getfd(&listener).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }

    #[test]
    fn a_name_that_is_taken_by_ipv4_is_taken() {
        let mut names = HostNames::at_the_start();
        let first = ListeningSocket::inet("localhost", 0, &mut names).unwrap();
        let ListeningSocket::Inet(inet) = &first else { panic!("{first:?}") };
        let port = inet.local_addr().unwrap().port();
        assert!(matches!(ListeningSocket::inet("localhost", port, &mut names), Err(ListenError::InUse)));
    }

    #[test]
    fn a_path_that_is_too_long_is_an_error() {
        let folder = Folder::new("sockets-long");
        let path = folder.join(&"x".repeat(200));
        assert!(matches!(ListeningSocket::unix(&path, 0o700, None, || ()), Err(ListenError::System(_))));
    }
}
