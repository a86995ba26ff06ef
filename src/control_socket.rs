//! The default control socket of a supervisor, for configurations without a control server.
//!
//! The supervisor creates a socket in a private folder of its user, in the first location that allows it:
//! `$XDG_RUNTIME_DIR/sv-UID`, `/run/sv-UID`, `/tmp/sv-UID`; if no file system does, it listens on a name in
//! the abstract namespace. The socket is named after the configuration file, so supervisors of different
//! configurations don't collide, and that of PID 1 is recognisable.
//!
//! A client searches the same locations: for the socket of its configuration, and if no configuration was
//! named on its command line, for that of PID 1, and then for the only one in its user's folder.
//!
//! Any user can create files in `/tmp`, or abstract names, before us. A folder is used if it belongs to our
//! user and is private. A client trusts a socket if the listening process belongs to root or to the client's
//! user, or is PID 1; a process of another PID namespace, which shares a volume or the network with us,
//! belongs to another container. For sockets without permissions the supervisor also checks the client:
//! [`may_ask`].

use std::fs::{self, DirBuilder};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

use crate::model::{Address, Pid, UserId};
use crate::sys::sockets::{
    ListenError, ListeningSocket, Peer, connect_to_name_without_waiting, connect_without_waiting,
    remove_if_abandoned,
};
use crate::sys::users::own_id;

/// The variable with the first location.
pub const RUNTIME_DIR_VARIABLE: &str = "XDG_RUNTIME_DIR";

/// The locations after that.
const BASES: [&str; 2] = ["/run", "/tmp"];

/// The prefix of sockets of PID 1.
const INIT: &str = "init-";

const ENDING: &str = ".sock";

/// The mode of folders and sockets: private to their user.
const FOLDER_MODE: u32 = 0o700;
const SOCKET_MODE: u32 = 0o700;

/// The maximum number of entries of a folder that are read.
const ENTRIES_MAX: usize = 4096;

/// The maximum size of the kernel's list of unix sockets that is read.
const SOCKET_LIST_BYTES_MAX: u64 = 4 << 20;

const PID_1: Pid = Pid(1);

const ROOT: UserId = 0;

/// A socket's address: a file, or a name in the abstract namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SocketAddress {
    File(PathBuf),
    Abstract(String),
}

impl SocketAddress {
    fn address(&self) -> Address {
        match self {
            Self::File(path) => Address::Unix { path: path.clone(), mode: SOCKET_MODE, owner: None },
            Self::Abstract(name) => Address::Abstract { name: name.clone() },
        }
    }
}

/// Listens at the first location that allows it.
///
/// # Errors
/// One text for each location that failed.
pub fn open(
    config: &Path,
    is_init: bool,
    runtime_dir: Option<&Path>,
) -> Result<(Address, ListeningSocket), Vec<String>> {
    let name = file_name(config, is_init);
    let user = own_id();
    let mut refusals = Vec::new();
    for base in bases(runtime_dir) {
        let folder = folder_in(&base, user);
        let made = make_folder(&folder, user).map_err(ListenError::from).and_then(|()| {
            remove_abandoned(&folder);
            ListeningSocket::unix(&folder.join(&name), SOCKET_MODE, None, || ())
        });
        match made {
            Ok(listener) => return Ok((SocketAddress::File(folder.join(&name)).address(), listener)),
            Err(error) => refusals.push(format!("{}: {}", folder.display(), why(&error))),
        }
    }
    let name = abstract_name(user, &name);
    match ListeningSocket::abstract_name(&name) {
        Ok(listener) => Ok((SocketAddress::Abstract(name).address(), listener)),
        Err(error) => {
            refusals.push(format!("@{name}: {}", why(&error)));
            Err(refusals)
        }
    }
}

/// The process id of a supervisor of our user that listens where [`open`] would for this configuration.
///
/// One with another root directory or another file at this path is not meant: containers and services that share a runtime
/// directory may all have a configuration there. What comes by a pipe is another configuration each time.
#[must_use]
pub fn running_supervisor(config: &Path, runtime_dir: Option<&Path>) -> Option<Pid> {
    let config = fs::canonicalize(config).ok().filter(|path| path.is_file())?;
    let config = config.as_path();
    let user = own_id();
    let names = [false, true].map(|is_init| file_name(config, is_init));
    let folders: Vec<PathBuf> = bases(runtime_dir).iter().map(|base| folder_in(base, user)).collect();
    let files = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
    let listening = files.filter_map(|path| connect_without_waiting(&path).ok());
    let abstract_names = names.iter().map(|name| abstract_name(user, name));
    let listening =
        listening.chain(abstract_names.filter_map(|name| connect_to_name_without_waiting(&name).ok()));
    listening.filter_map(|stream| Peer::of(&stream).ok()).find_map(|Peer { user: owner, pid }| {
        pid.filter(|pid| {
            owner == user && pid.0.cast_unsigned() != std::process::id() && sees_our_file(*pid, config)
        })
    })
}

/// Whether a process has our root directory, and this file where we have it. Not if that can't be found out, as across user
/// namespaces.
fn sees_our_file(pid: Pid, file: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let root = PathBuf::from(format!("/proc/{pid}/root/"));
    let is_same = |ours: &Path, theirs: &Path| {
        let ours = identity(ours);
        ours.is_some() && identity(theirs) == ours
    };
    let below = file.strip_prefix("/").unwrap_or(file);
    is_same(Path::new("/"), &root) && is_same(file, &root.join(below))
}

/// Whether [`open`] may have created this address.
#[must_use]
pub fn is_default(address: &Address) -> bool {
    match address {
        Address::Unix { path, .. } => path.parent().is_some_and(|folder| is_folder_of(folder, own_id())),
        Address::Abstract { name } => is_abstract_of(name, own_id()),
        Address::Inet { .. } => false,
    }
}

/// Whether [`open`], of any user, may have created a socket at this path.
#[must_use]
pub fn is_default_path(path: &Path) -> bool {
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    folder.and_then(|name| name.strip_prefix("sv-")).is_some_and(|user| user.parse::<UserId>().is_ok())
}

/// Creates the folder of a socket of [`open`] again, if it is missing.
pub fn restore_folder(socket: &Path) {
    let user = own_id();
    if let Some(folder) = socket.parent().filter(|folder| is_folder_of(folder, user)) {
        // If this fails, listening fails too and is reported.
        let _ = make_folder(folder, user);
    }
}

/// Removes the folder of a socket of [`open`], if it is empty.
pub fn remove_folder(socket: &Path) {
    if let Some(folder) = socket.parent().filter(|folder| is_folder_of(folder, own_id())) {
        let _ = fs::remove_dir(folder);
    }
}

/// Whether a client at an address without permissions is trusted: one of root or of our own user, and not in
/// another container that shares our network.
#[must_use]
pub fn may_ask(client: &UnixStream) -> bool {
    Peer::of(client).is_ok_and(|peer| is_entitled(&peer, own_id()))
}

fn is_entitled(client: &Peer, user: UserId) -> bool {
    client.pid.is_some() && (client.user == ROOT || client.user == user)
}

/// Whether a client can trust the supervisor that it is connected to.
///
/// # Errors
/// `PermissionDenied`, with the owner of the socket.
pub fn check_supervisor(stream: &UnixStream) -> io::Result<()> {
    let peer = Peer::of(stream)?;
    let refused = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    match peer {
        Peer { pid: None, .. } => refused("it belongs to a process of another container".to_owned()),
        Peer { pid: Some(PID_1), .. } => Ok(()),
        Peer { user, .. } if user == ROOT || user == own_id() => Ok(()),
        Peer { user, .. } => refused(format!("it belongs to user {user}, ask as that user")),
    }
}

/// The result of a search.
#[derive(Debug, Default)]
pub struct FoundSocket {
    /// The address of a supervisor that answers.
    pub address: Option<Address>,
    /// Existing sockets that can't be used, each with the reason.
    pub refusals: Vec<String>,
    /// The searched locations, for people.
    pub places: Vec<String>,
}

/// Which sockets to search for.
#[derive(Clone, Copy, Debug)]
pub struct SocketSearch<'a> {
    /// The configuration of the client.
    pub config: Option<&'a Path>,
    /// Only a supervisor of that configuration is acceptable.
    pub is_config_named: bool,
}

/// Searches for a supervisor that listens where [`open`] put it.
#[must_use]
pub fn find(wanted: SocketSearch<'_>, runtime_dir: Option<&Path>) -> FoundSocket {
    let user = own_id();
    let own: Vec<PathBuf> = bases(runtime_dir).iter().map(|base| folder_in(base, user)).collect();
    let mut found = FoundSocket {
        places: own
            .iter()
            .map(|folder| folder.display().to_string())
            .chain([abstract_prefix(user)])
            .collect(),
        ..FoundSocket::default()
    };
    let all = || {
        let others =
            bases(runtime_dir).into_iter().filter(|_| user == ROOT).flat_map(|base| folders_of_others(&base));
        let folders = own.iter().cloned().chain(others);
        let files = folders.flat_map(|folder| sockets_in(&folder));
        files.chain(abstract_sockets()).collect::<Vec<(SocketAddress, String)>>()
    };
    let all = all();
    let mut try_all = |is_wanted: &dyn Fn(&str) -> bool| {
        let mut matching = all.iter().filter(|(_, name)| is_wanted(name));
        found.address = matching.find_map(|(place, _)| match answers(place) {
            Ok(true) => Some(place.address()),
            Ok(false) => None,
            Err(error) => {
                let refusal = format!("{}: {error}", place.address().url());
                if !found.refusals.contains(&refusal) {
                    found.refusals.push(refusal);
                }
                None
            }
        });
        found.address.is_some()
    };
    if let Some(config) = wanted.config {
        let names = [false, true].map(|is_init| file_name(config, is_init));
        if try_all(&|name| names.iter().any(|wanted| wanted == name)) {
            return found;
        }
    }
    if wanted.is_config_named || try_all(&|name| name.starts_with(INIT)) {
        return found;
    }
    // Only the nearest folder counts: tests and sessions have runtime directories of their own.
    let near = own.iter().find(|folder| folder.is_dir());
    let mut only = None;
    for (place, _) in &all {
        let is_near = match place {
            SocketAddress::File(path) => near.is_some_and(|near| path.parent() == Some(near)),
            SocketAddress::Abstract(name) => near.is_none() && is_abstract_of(name, user),
        };
        if is_near && answers(place).unwrap_or(false) && only.replace(place).is_some() {
            found
                .refusals
                .push("several supervisors run here: name the configuration of one with -c".to_owned());
            return found;
        }
    }
    found.address = only.map(SocketAddress::address);
    found
}

fn bases(runtime_dir: Option<&Path>) -> Vec<PathBuf> {
    let runtime_dir = runtime_dir.filter(|path| {
        path.is_absolute() && fs::metadata(path).is_ok_and(|it| it.is_dir() && it.uid() == own_id())
    });
    runtime_dir.into_iter().map(PathBuf::from).chain(BASES.map(PathBuf::from)).collect()
}

fn folder_in(base: &Path, user: UserId) -> PathBuf {
    base.join(format!("sv-{user}"))
}

fn is_folder_of(folder: &Path, user: UserId) -> bool {
    folder.file_name().is_some_and(|name| name == format!("sv-{user}").as_str())
}

/// Creates a private folder. An existing one is used if it is ours; its mode is restricted.
fn make_folder(folder: &Path, user: UserId) -> io::Result<()> {
    match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.uid() != user {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user"));
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(FOLDER_MODE))?;
    }
    Ok(())
}

/// Removes sockets that killed supervisors have left.
fn remove_abandoned(folder: &Path) {
    for (place, _) in sockets_in(folder) {
        if let SocketAddress::File(path) = place {
            remove_if_abandoned(&path);
        }
    }
}

/// `HASH.sock`, for PID 1 `init-HASH.sock`: a hash of the real path of the configuration.
fn file_name(config: &Path, is_init: bool) -> String {
    let config = fs::canonicalize(config).unwrap_or_else(|_| config.to_owned());
    let hash = Sha1::digest(config.as_os_str().as_encoded_bytes());
    let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{}{hash}{ENDING}", if is_init { INIT } else { "" })
}

/// Containers may share a network, and with it the abstract namespace; but each has mounts of its own.
fn abstract_name(user: UserId, name: &str) -> String {
    format!("{}{name}", &abstract_prefix(user)[1..])
}

fn abstract_prefix(user: UserId) -> String {
    format!("@sv-{user}/{}/", mount_namespace())
}

fn mount_namespace() -> String {
    let link = fs::read_link("/proc/self/ns/mnt").unwrap_or_default();
    link.to_string_lossy().chars().filter(char::is_ascii_digit).collect()
}

fn is_abstract_of(name: &str, user: UserId) -> bool {
    name.starts_with(&abstract_prefix(user)[1..])
}

/// The private folders of other users. Root may use PID 1 of any user.
fn folders_of_others(base: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(base).into_iter().flatten().take(ENTRIES_MAX).flatten();
    let is_private = |entry: &fs::DirEntry| {
        let user =
            entry.file_name().to_str().and_then(|name| name.strip_prefix("sv-")?.parse::<UserId>().ok());
        user.is_some_and(|user| {
            user != own_id() && entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == user)
        })
    };
    entries.filter(is_private).map(|entry| entry.path()).collect()
}

/// The sockets in a folder, in the order of these names.
fn sockets_in(folder: &Path) -> Vec<(SocketAddress, String)> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(ENTRIES_MAX).flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(ENDING)).collect();
    names.sort_unstable();
    names.into_iter().map(|name| (SocketAddress::File(folder.join(&name)), name)).collect()
}

/// The abstract sockets of our mount namespace, of any user; the kernel lists those of our network.
fn abstract_sockets() -> Vec<(SocketAddress, String)> {
    let mut list = Vec::new();
    if let Ok(file) = fs::File::open("/proc/net/unix") {
        // A partial list is used as well.
        let _ = file.take(SOCKET_LIST_BYTES_MAX).read_to_end(&mut list);
    }
    let list = String::from_utf8_lossy(&list);
    let mut names: Vec<_> = list.lines().filter_map(socket_name).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter_map(abstract_socket).collect()
}

/// The name in a line of the list, without the `@` of an abstract one.
fn socket_name(line: &str) -> Option<&str> {
    line.split_whitespace().next_back()?.strip_prefix('@')
}

fn abstract_socket(name: &str) -> Option<(SocketAddress, String)> {
    let [user, namespace, file] = name.strip_prefix("sv-")?.split('/').collect::<Vec<_>>().try_into().ok()?;
    let is_here = namespace == mount_namespace() && user.parse::<UserId>().is_ok();
    is_here.then(|| (SocketAddress::Abstract(name.to_owned()), file.to_owned()))
}

/// Whether a server listens there. The error is why it can't be used.
fn answers(place: &SocketAddress) -> io::Result<bool> {
    let connected = match place {
        SocketAddress::File(path) => connect_without_waiting(path),
        SocketAddress::Abstract(name) => connect_to_name_without_waiting(name),
    };
    match connected {
        Ok(stream) => check_supervisor(&stream).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn why(error: &ListenError) -> String {
    match error {
        ListenError::InUse => "another process listens there".to_owned(),
        ListenError::NotASocket => "there is a file that is no socket".to_owned(),
        ListenError::Owner(..) => "its owner cannot be set".to_owned(),
        ListenError::System(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::scratch::Folder;

    fn found(config: Option<&Path>, is_config_named: bool, runtime_dir: &Path) -> Option<Address> {
        find(SocketSearch { config, is_config_named }, Some(runtime_dir)).address
    }

    #[test]
    fn a_client_finds_the_supervisor_of_its_configuration() {
        let folder = Folder::new("control-found");
        let (first, second) = (folder.join("a.conf"), folder.join("b.conf"));
        for config in [&first, &second] {
            fs::write(config, "").unwrap();
        }
        let runtime_dir = folder.join("");
        let (address, listener) = open(&first, false, Some(&runtime_dir)).unwrap();
        assert_eq!(found(Some(&first), true, &runtime_dir), Some(address.clone()));
        // By another path to the same file, and by a missing one.
        let link = folder.join("link.conf");
        std::os::unix::fs::symlink(&first, &link).unwrap();
        assert_eq!(found(Some(&link), true, &runtime_dir), Some(address.clone()));
        assert_eq!(found(None, false, &runtime_dir), Some(address.clone()));
        // The only socket is used for a configuration that was found by search, but not for one that was
        // named.
        assert_eq!(found(Some(&second), false, &runtime_dir), Some(address.clone()));
        assert_eq!(found(Some(&second), true, &runtime_dir), None);
        // Two of them are only distinguished by name.
        let (other, _other_listener) = open(&second, false, Some(&runtime_dir)).unwrap();
        assert_eq!(found(Some(&second), true, &runtime_dir), Some(other));
        let none = find(SocketSearch { config: None, is_config_named: false }, Some(&runtime_dir));
        assert_eq!(none.address, None);
        assert_eq!(none.refusals, ["several supervisors run here: name the configuration of one with -c"]);
        drop(listener);
        let Address::Unix { path, .. } = address else { panic!("{address:?}") };
        assert!(!path.exists());
    }

    #[test]
    fn the_folder_is_private_and_stale_sockets_are_removed() {
        let folder = Folder::new("control-private");
        let config = folder.join("a.conf");
        fs::write(&config, "").unwrap();
        let own = folder_in(&folder.join(""), own_id());
        fs::create_dir(&own).unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
        let left = own.join("0123456789abcdef.sock");
        drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
        let (address, _listener) = open(&config, true, Some(&folder.join(""))).unwrap();
        assert_eq!(fs::metadata(&own).unwrap().mode() & 0o777, 0o700);
        assert!(!left.exists());
        assert!(address.url().contains("/init-"), "{address:?}");
        let Address::Unix { path, .. } = address else { panic!("{address:?}") };
        assert_eq!(path.parent(), Some(own.as_path()));
    }

    #[test]
    fn a_location_taken_by_another_user_is_skipped() {
        let folder = Folder::new("control-taken");
        let elsewhere = folder.join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let own = folder_in(&folder.join(""), own_id());
        // A link into a folder that another user chose.
        std::os::unix::fs::symlink(&elsewhere, &own).unwrap();
        assert_eq!(make_folder(&own, own_id()).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        fs::remove_file(&own).unwrap();
        fs::create_dir(&own).unwrap();
        let another = own_id() + 1;
        assert_eq!(make_folder(&own, another).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn abstract_names_are_those_of_this_mount_namespace() {
        let name = abstract_name(7, "init-0.sock");
        let line = format!("0000: 00000002 00000000 00010000 0001 01 12345 @{name}");
        let found = |line| socket_name(line).and_then(abstract_socket);
        assert_eq!(found(&line), Some((SocketAddress::Abstract(name), "init-0.sock".to_owned())));
        for line in ["", "x /run/a.sock", "x @sv-7/0/init-0.sock", "x @sv-u/1/a", "x @other"] {
            assert_eq!(found(line), None, "{line}");
        }
        let name = format!("sv-test-{}", std::process::id());
        let listener = ListeningSocket::abstract_name(&name).unwrap();
        assert!(answers(&SocketAddress::Abstract(name.clone())).unwrap());
        assert!(may_ask(&connect_to_name_without_waiting(&name).unwrap()));
        for (user, pid, expected) in [
            (ROOT, Some(Pid(7)), true),
            (1000, Some(Pid(7)), true),
            (1001, Some(Pid(7)), false),
            // Of another container, with a different root.
            (ROOT, None, false),
            (1000, None, false),
        ] {
            assert_eq!(is_entitled(&Peer { user, pid }, 1000), expected, "{user} {pid:?}");
        }
        drop(listener);
        assert!(!answers(&SocketAddress::Abstract(name)).unwrap());
    }
}
