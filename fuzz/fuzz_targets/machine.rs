//! A machine with a configuration, another file next to it, two users and little else.

use std::io;
use std::path::{Path, PathBuf};

use sv::config::Machine;
use sv::model::{User, UserId};

/// The main file.
pub const MAIN: &str = "/etc/main.conf";

/// What every pattern matches but those of a directory.
const BESIDE: &str = "/etc/beside.conf";

const SEPARATOR: &[u8] = b"\n\0\n";

/// The machine.
pub struct FuzzMachine {
    main: Vec<u8>,
    beside: Vec<u8>,
    environment: Vec<(String, String)>,
}

impl FuzzMachine {
    /// With these bytes as its files.
    pub fn new(bytes: &[u8]) -> Self {
        let at = bytes.windows(SEPARATOR.len()).position(|part| part == SEPARATOR);
        let (main, beside) = match at {
            Some(at) => (&bytes[..at], &bytes[at + SEPARATOR.len()..]),
            None => (bytes, &b""[..]),
        };
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let environment = vec![variable("APP", "shop"), variable("PERCENT", "%(here)s %d 100% \"")];
        Self { main: main.to_vec(), beside: beside.to_vec(), environment }
    }

    /// The bytes of the main file.
    pub fn main(&self) -> &[u8] {
        &self.main
    }

    /// The bytes of either file.
    pub fn file(&self, path: &Path) -> Option<&[u8]> {
        match path.to_str() {
            Some(MAIN) => Some(&self.main),
            Some(BESIDE) => Some(&self.beside),
            _ => None,
        }
    }
}

/// How many lines these bytes have, whatever ends them.
pub fn lines(bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    text.lines().count()
}

fn user(name: &str, uid: UserId) -> User {
    User { name: name.to_owned(), uid, gid: uid, groups: vec![uid], has_own_group: false }
}

impl Machine for FuzzMachine {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.file(path).map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn is_dir(&self, path: &Path) -> bool {
        matches!(path.to_str(), Some("" | "/" | "/tmp" | "/etc"))
    }

    fn exists(&self, path: &Path) -> bool {
        self.is_dir(path) || self.file(path).is_some()
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        self.exists(path).then_some(0o644)
    }

    fn make_folder(&self, _: &Path, _: Option<&User>) -> Option<io::Result<()>> {
        None
    }

    fn may_write(&self, _: &Path, _: Option<&User>) -> io::Result<()> {
        Ok(())
    }

    fn is_executable(&self, path: &Path) -> bool {
        path.starts_with("/bin")
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        if pattern.ends_with('/') { vec!["/etc".into()] } else { vec![BESIDE.into()] }
    }

    fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    fn current_dir(&self) -> PathBuf {
        "/".into()
    }

    fn temp_dir(&self) -> PathBuf {
        "/tmp".into()
    }

    fn home_dir(&self, user: Option<&str>) -> Option<PathBuf> {
        user.is_none().then(|| "/tmp".into())
    }

    fn host_node_name(&self) -> String {
        "node".to_owned()
    }

    fn effective_user(&self) -> UserId {
        0
    }

    fn effective_group(&self) -> UserId {
        0
    }

    fn user_by_name(&self, name: &str) -> Option<User> {
        matches!(name, "root" | "nobody").then(|| user(name, if name == "root" { 0 } else { 65534 }))
    }

    fn user_by_id(&self, uid: UserId) -> Option<User> {
        (uid == 0).then(|| user("root", 0))
    }

    fn group_id(&self, name: &str) -> Option<UserId> {
        (name == "root").then_some(0)
    }

    fn group_exists(&self, gid: UserId) -> bool {
        gid == 0
    }
}
