//! The machine we run on, as the configuration sees it: files, environment, users.
//!
//! State that can change (the environment, the user database) is read once, when this is created or first asked for
//! it; a restart reads it again, and a spawn does so for users.

use std::cell::OnceCell;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use glob::MatchOptions;

use crate::config::Machine;
use crate::model::{User, UserId};
use crate::sys::startup::while_waiting;
use crate::sys::users::Users;
use crate::sys::{files, process};

/// The maximum size of a configuration file.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// As Python's `glob` matches: case-sensitive, and `*` does not match a slash. Dot files are filtered by
/// [`finds`]: with the option here, `.x*` would not find them either.
const GLOB: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// Which files may block while they are read, such as a pipe.
#[derive(Debug)]
enum WaitsFor {
    /// For a command of a user, who can interrupt it.
    Anything,
    /// For a configuration that is read at the start: `-c /dev/stdin`, `-c <(…)`.
    File(PathBuf),
    Nothing,
}

/// This machine.
#[derive(Debug)]
pub struct Host {
    environment: Vec<(String, String)>,
    /// Most commands of a client ask for none.
    users: OnceCell<Users>,
    waits_for: WaitsFor,
    /// Whether missing folders for logs, sockets and the pid file are created.
    makes_folders: bool,
}

impl Host {
    /// Reads the state of the machine.
    #[must_use]
    pub fn look() -> Self {
        let text = |value: OsString| {
            value.into_string().unwrap_or_else(|value| value.to_string_lossy().into_owned())
        };
        Self {
            environment: env::vars_os().map(|(name, value)| (text(name), text(value))).collect(),
            users: OnceCell::new(),
            waits_for: WaitsFor::Anything,
            makes_folders: false,
        }
    }

    /// The same for a supervisor, which never blocks on a file and creates missing folders if it is a
    /// container's init.
    #[must_use]
    pub fn look_as_supervisor() -> Self {
        Self { waits_for: WaitsFor::Nothing, makes_folders: process::is_pid_1(), ..Self::look() }
    }

    /// Allows blocking on this configuration file, while there is nothing else to do.
    #[must_use]
    pub fn waiting_for(self, config_file: &Path) -> Self {
        Self { waits_for: WaitsFor::File(config_file.to_owned()), ..self }
    }

    /// Never blocks on a file from now on.
    #[must_use]
    pub fn without_waiting(self) -> Self {
        Self { waits_for: WaitsFor::Nothing, ..self }
    }

    /// The user with its current entries in /etc/passwd and /etc/group, which are read again if they have
    /// changed. A user that was removed is returned unchanged.
    pub fn user_now(&mut self, user: &Arc<User>) -> Arc<User> {
        if let Some(users) = self.users.get_mut() {
            users.refresh();
        }
        self.users().again(user).filter(|now| *now != **user).map_or_else(|| Arc::clone(user), Arc::new)
    }

    fn users(&self) -> &Users {
        self.users.get_or_init(Users::read)
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A pattern for one path component in the syntax of the package: Python's `**` is equivalent to `*` here,
/// and an unclosed bracket is literal.
fn folder_pattern(pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        match c {
            '*' if out.ends_with('*') => {}
            '[' => match class_end(rest) {
                Some(end) => {
                    out.push_str(&rest[..end]);
                    rest = &rest[end..];
                    continue;
                }
                None => out.push_str("[[]"),
            },
            c => out.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// The end of `[...]`; a `]` that comes first is one of its characters.
fn class_end(pattern: &str) -> Option<usize> {
    let after = if pattern.starts_with("[!") { 2 } else { 1 };
    let first = pattern[after..].chars().next()?.len_utf8();
    let end = pattern[after + first..].find(']')?;
    Some(after + first + end + 1)
}

/// Whether Python would find a match too: a dot file only matches a pattern that starts with a dot, and `.`
/// and `..` never match.
fn finds(pattern: &Path, path: &Path) -> bool {
    let (wanted, found) = (pattern.components(), path.components());
    let is_found = |(wanted, found): (Component<'_>, Component<'_>)| match (wanted, found) {
        (Component::Normal(wanted), Component::Normal(found)) => {
            let [wanted, found] = [wanted, found].map(OsStr::as_encoded_bytes);
            !found.starts_with(b".") || wanted.starts_with(b".") || wanted == found
        }
        (wanted, found) => wanted == found,
    };
    wanted.clone().count() == found.clone().count() && wanted.zip(found).all(is_found)
}

impl Machine for Host {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match &self.waits_for {
            WaitsFor::Anything => files::read_and_wait(path, FILE_BYTES_MAX),
            WaitsFor::File(file) if file == path && fs::metadata(path)?.file_type().is_fifo() => {
                while_waiting(|| files::read_and_wait(path, FILE_BYTES_MAX))
            }
            WaitsFor::File(_) | WaitsFor::Nothing => files::read_file(path, FILE_BYTES_MAX),
        }
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        fs::metadata(path).ok().map(|found| found.permissions().mode())
    }

    fn may_write(&self, path: &Path, user: Option<&User>) -> io::Result<()> {
        files::may_write(path, user)
    }

    fn make_folder(&self, path: &Path, owner: Option<&User>) -> Option<io::Result<()>> {
        self.makes_folders.then(|| files::make_folder(path, owner))
    }

    fn is_executable(&self, path: &Path) -> bool {
        files::is_executable(path)
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        let pattern = pattern.split('/').map(folder_pattern).collect::<Vec<_>>().join("/");
        let Ok(found) = glob::glob_with(&pattern, GLOB) else { return Vec::new() };
        let mut found: Vec<_> =
            found.filter_map(Result::ok).filter(|path| finds(Path::new(&pattern), path)).collect();
        // As texts: compared by components, `a/x` would come before `a-b/x`.
        found.sort_unstable_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
        found
    }

    fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    fn current_dir(&self) -> PathBuf {
        env::current_dir().unwrap_or_else(|_| PathBuf::from("/"))
    }

    /// The first of Python's candidates that is a directory.
    fn temp_dir(&self) -> PathBuf {
        let named = ["TMPDIR", "TEMP", "TMP"].into_iter().filter_map(|name| self.variable(name));
        let candidates = named.chain(["/tmp", "/var/tmp", "/usr/tmp"]).map(PathBuf::from);
        candidates.into_iter().find(|path| path.is_dir()).unwrap_or_else(|| self.current_dir())
    }

    fn home_dir(&self, user: Option<&str>) -> Option<PathBuf> {
        match user {
            Some(name) => self.users().home(name),
            None => match self.variable("HOME") {
                Some(home) => Some(PathBuf::from(home)),
                None => self.users().home_by_id(nix::unistd::getuid().as_raw()),
            },
        }
    }

    fn host_node_name(&self) -> String {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }

    fn effective_user(&self) -> UserId {
        rustix::process::geteuid().as_raw()
    }

    fn effective_group(&self) -> UserId {
        rustix::process::getegid().as_raw()
    }

    fn user_by_name(&self, name: &str) -> Option<User> {
        self.users().by_name(name)
    }

    fn user_by_id(&self, uid: UserId) -> Option<User> {
        self.users().by_id(uid)
    }

    fn group_id(&self, name: &str) -> Option<UserId> {
        self.users().group_id(name)
    }

    fn group_exists(&self, gid: UserId) -> bool {
        self.users().group_exists(gid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_for_a_name_is_read_as_python_reads_it() {
        for (pattern, expected) in [
            ("*.ini", "*.ini"),
            ("**", "*"),
            ("a***b", "a*b"),
            ("[a", "[[]a"),
            ("[]", "[[]]"),
            ("[!]", "[[]!]"),
            ("[]a]*", "[]a]*"),
            ("[!]a][", "[!]a][[]"),
            ("[**]", "[**]"),
            ("x[ü]é", "x[ü]é"),
        ] {
            assert_eq!(folder_pattern(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn dot_files_are_found_by_patterns_with_a_dot() {
        for (pattern, path, expected) in [
            ("/x/*", "/x/a", true),
            ("/x/*", "/x/.a", false),
            ("/x/.a*", "/x/.ab", true),
            ("/.x/*", "/.x/a", true),
            ("/*/a", "/.x/a", false),
            ("/x/./../*", "/x/../a", true),
            ("/x/.*", "/x/.", false),
            ("/x/.*", "/x/..", false),
        ] {
            assert_eq!(finds(Path::new(pattern), Path::new(path)), expected, "{pattern} {path}");
        }
    }
}
