//! A fake machine for tests.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::{Settings, User, UserId};

use super::{Errors, Machine, load};

/// The path of the file that [`Fake::main`] adds.
pub(crate) const MAIN: &str = "/etc/x.conf";

/// The same for [`Fake::toml`].
pub(crate) const MAIN_TOML: &str = "/etc/x.toml";

/// Loads a text as the main file of an otherwise empty machine.
pub(crate) fn load_text(text: &str) -> Result<Settings, Errors> {
    load(Path::new(MAIN), &[], &Fake::main(text))
}

/// The same in TOML.
pub(crate) fn load_toml(text: &str) -> Result<Settings, Errors> {
    load(Path::new(MAIN_TOML), &[], &Fake::toml(text))
}

/// The errors in a text, one per line; empty if there are none.
pub(crate) fn errors_in(text: &str) -> Vec<String> {
    summary(load_text(text))
}

/// The same in TOML.
pub(crate) fn toml_errors_in(text: &str) -> Vec<String> {
    summary(load_toml(text))
}

fn summary(loaded: Result<Settings, Errors>) -> Vec<String> {
    loaded.err().map_or_else(Vec::new, |errors| errors.0.iter().map(ToString::to_string).collect())
}

/// The notices of a valid text.
pub(crate) fn notices_in(text: &str) -> Vec<String> {
    load_text(text).unwrap().notices.into_iter().map(|notice| notice.text).collect()
}

/// Has `/`, `/dev`, `/tmp`, `/var/log` and the working directory `/srv`, the users root and www, and what a
/// test adds.
pub(crate) struct Fake {
    files: BTreeMap<PathBuf, Vec<u8>>,
    directories: Vec<PathBuf>,
    programs: Vec<PathBuf>,
    environment: Vec<(String, String)>,
    effective_user: UserId,
    /// What can't be written, and why.
    refusing: Vec<(PathBuf, io::ErrorKind)>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        let directories =
            ["", "/", "/dev", "/tmp", "/var/log", "/srv", "/home/www"].map(PathBuf::from).to_vec();
        Self {
            files: BTreeMap::new(),
            directories,
            programs: Vec::new(),
            environment: Vec::new(),
            effective_user: 0,
            refusing: Vec::new(),
        }
    }

    pub(crate) fn main(text: &str) -> Self {
        Self::new().file(MAIN, text)
    }

    pub(crate) fn toml(text: &str) -> Self {
        Self::new().file(MAIN_TOML, text)
    }

    pub(crate) fn file(mut self, path: &str, text: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.into(), text.as_ref().to_vec());
        self
    }

    /// A file that everybody may execute.
    pub(crate) fn program(mut self, path: &str) -> Self {
        self.programs.push(path.into());
        self.file(path, "")
    }

    /// Makes a path read-only for all users.
    pub(crate) fn refusing(mut self, path: &str, why: io::ErrorKind) -> Self {
        self.refusing.push((path.into(), why));
        self
    }

    /// Runs as this user instead of root.
    pub(crate) fn run_by(self, effective_user: UserId) -> Self {
        Self { effective_user, ..self }
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }
}

fn users() -> [User; 2] {
    let user = |name: &str, id, groups: &[UserId]| User {
        name: name.to_owned(),
        uid: id,
        gid: id,
        groups: groups.to_vec(),
        has_own_group: false,
    };
    [user("root", 0, &[0]), user("www", 33, &[33, 100])]
}

impl Machine for Fake {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if self.is_dir(path) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.directories.iter().any(|known| known == path)
    }

    fn exists(&self, path: &Path) -> bool {
        self.is_dir(path) || self.files.contains_key(path)
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        let mode = match () {
            () if self.is_dir(path) => 0o040_755,
            () if self.programs.iter().any(|known| known == path) => 0o755,
            () => 0o644,
        };
        self.exists(path).then_some(mode)
    }

    fn make_folder(&self, _: &Path, _: Option<&User>) -> Option<io::Result<()>> {
        None
    }

    fn may_write(&self, path: &Path, _: Option<&User>) -> io::Result<()> {
        let refused = self.refusing.iter().find(|(known, _)| known == path);
        refused.map_or(Ok(()), |&(_, why)| Err(why.into()))
    }

    fn is_executable(&self, path: &Path) -> bool {
        self.mode(path) == Some(0o755)
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        let options = glob::MatchOptions {
            require_literal_separator: true,
            require_literal_leading_dot: true,
            ..glob::MatchOptions::default()
        };
        let pattern = glob::Pattern::new(pattern).unwrap();
        let all = self.files.keys().chain(&self.directories);
        let mut found: Vec<_> =
            all.filter(|path| pattern.matches_path_with(path, options)).cloned().collect();
        found.sort();
        found
    }

    fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    fn current_dir(&self) -> PathBuf {
        "/srv".into()
    }

    fn temp_dir(&self) -> PathBuf {
        "/tmp".into()
    }

    fn home_dir(&self, user: Option<&str>) -> Option<PathBuf> {
        matches!(user, None | Some("www")).then(|| "/home/www".into())
    }

    fn host_node_name(&self) -> String {
        "node1".to_owned()
    }

    fn effective_user(&self) -> UserId {
        self.effective_user
    }

    /// As on OpenShift, where users have arbitrary numbers and the group of root.
    fn effective_group(&self) -> UserId {
        0
    }

    fn user_by_name(&self, name: &str) -> Option<User> {
        users().into_iter().find(|user| user.name == name)
    }

    fn user_by_id(&self, uid: UserId) -> Option<User> {
        users().into_iter().find(|user| user.uid == uid)
    }

    fn group_id(&self, name: &str) -> Option<UserId> {
        [("root", 0), ("adm", 4)].into_iter().find(|&(known, _)| known == name).map(|(_, gid)| gid)
    }

    fn group_exists(&self, gid: UserId) -> bool {
        gid == 4
    }
}
