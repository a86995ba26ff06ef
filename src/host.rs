//! The machine we run on, as the configuration sees it: files, environment, users.
//!
//! What can change under us (the user database, the environment) is looked at once, when this is
//! made; a restart looks again.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use glob::MatchOptions;

use crate::config::Surroundings;
use crate::model::{User, UserId};
use crate::sys::files;
use crate::sys::users::Users;

/// A configuration file is read no further than this.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// As Python's `glob` matches: case counts, `*` neither crosses a folder nor finds dot files.
const GLOB: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// This machine.
#[derive(Debug)]
pub struct Host {
    environment: Vec<(String, String)>,
    environment_os: Vec<(OsString, OsString)>,
    users: Users,
}

impl Host {
    /// Looks at the machine.
    #[must_use]
    pub fn look() -> Self {
        let environment_os: Vec<_> = env::vars_os().collect();
        let text = |value: &OsString| value.to_string_lossy().into_owned();
        let environment = environment_os.iter().map(|(name, value)| (text(name), text(value))).collect();
        Self { environment, environment_os, users: Users::read() }
    }

    /// Our environment as it was at the start, byte by byte: what children inherit.
    #[must_use]
    pub fn environment_os(&self) -> &[(OsString, OsString)] {
        &self.environment_os
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Surroundings for Host {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = fs::File::open(path)?;
        let mut bytes = Vec::new();
        if file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)? as u64 > FILE_BYTES_MAX {
            return Err(io::Error::other("the file is larger than 16 MiB"));
        }
        Ok(bytes)
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        fs::metadata(path).ok().map(|found| found.permissions().mode() & 0o7777)
    }

    fn is_executable(&self, path: &Path) -> bool {
        files::is_executable(path)
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        // Python's `**` is no more than `*` there.
        let pattern = pattern.replace("**", "*");
        let Ok(found) = glob::glob_with(&pattern, GLOB) else { return Vec::new() };
        let mut found: Vec<_> = found.filter_map(Result::ok).collect();
        found.sort();
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
            Some(name) => self.users.home(name),
            None => match self.variable("HOME") {
                Some(home) => Some(PathBuf::from(home)),
                None => self.users.home_by_id(nix::unistd::getuid().as_raw()),
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
        self.users.by_name(name)
    }

    fn user_by_id(&self, uid: UserId) -> Option<User> {
        self.users.by_id(uid)
    }

    fn group_id(&self, name: &str) -> Option<UserId> {
        self.users.group_id(name)
    }

    fn group_exists(&self, gid: UserId) -> bool {
        self.users.group_exists(gid)
    }
}
