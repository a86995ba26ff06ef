//! A complete machine: it has every user, folder, command and variable that a configuration names.
//!
//! `sv check` reads a configuration on this machine and on the complete one. A finding on both is an error in
//! the configuration; a finding only on this machine is something that this machine lacks, and that the
//! intended image may have.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::{User, UserId};

use crate::config::Machine;
use crate::config::expand::variables_in;

/// The number of all placeholder users and groups; that of `nobody` on most machines.
const PLACEHOLDER_ID: UserId = 65_534;

/// The placeholder value of variables: a number is valid for most types.
const PLACEHOLDER_VALUE: &str = "1";

/// This machine, completed with placeholders.
pub(super) struct CompleteMachine<'a> {
    here: &'a dyn Machine,
    main: &'a Path,
    environment: Vec<(String, String)>,
}

impl<'a> CompleteMachine<'a> {
    /// `main` has to exist on any machine. `variables` are the variables that the configuration needs.
    pub(super) fn new(here: &'a dyn Machine, main: &'a Path, variables: &[String]) -> Self {
        let known = here.environment();
        let is_unset = |name: &&String| !known.iter().any(|(known, _)| known == *name);
        let made_up =
            variables.iter().filter(is_unset).map(|name| (name.clone(), PLACEHOLDER_VALUE.to_owned()));
        Self { here, main, environment: known.iter().cloned().chain(made_up).collect() }
    }
}

/// Whether a machine may plausibly have something of this name. A name with quotes is probably a mistake.
fn is_likely(name: &str) -> bool {
    !name.is_empty() && !name.contains(['"', '\''])
}

fn nobody(name: String, uid: UserId) -> User {
    let gid = PLACEHOLDER_ID;
    User { name, uid, gid, groups: vec![gid], has_own_group: false }
}

impl Machine for CompleteMachine<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        // What the kernel reports about this machine and this process.
        let is_of_kernel = path.starts_with("/proc") || path.starts_with("/sys");
        if is_of_kernel && path != self.main {
            return Ok(Vec::new());
        }
        match self.here.read(path) {
            Err(_) if path != self.main => Ok(Vec::new()),
            read => read,
        }
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.here.is_dir(path) || !self.here.exists(path) && is_likely(&path.to_string_lossy())
    }

    fn exists(&self, _: &Path) -> bool {
        true
    }

    fn mode(&self, _: &Path) -> Option<u32> {
        Some(0o755)
    }

    fn make_folder(&self, path: &Path, owner: Option<&User>) -> Option<io::Result<()>> {
        self.here.make_folder(path, owner)
    }

    fn may_write(&self, _: &Path, _: Option<&User>) -> io::Result<()> {
        Ok(())
    }

    fn is_executable(&self, _: &Path) -> bool {
        true
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        self.here.glob(pattern)
    }

    fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    fn is_placeholder(&self, variable: &str) -> bool {
        self.environment[self.here.environment().len()..].iter().any(|(name, _)| name == variable)
    }

    fn current_dir(&self) -> PathBuf {
        self.here.current_dir()
    }

    fn temp_dir(&self) -> PathBuf {
        self.here.temp_dir()
    }

    fn home_dir(&self, user: Option<&str>) -> Option<PathBuf> {
        self.here.home_dir(user).or_else(|| Some(PathBuf::from("/")))
    }

    fn host_node_name(&self) -> String {
        self.here.host_node_name()
    }

    fn effective_user(&self) -> UserId {
        0
    }

    fn effective_group(&self) -> UserId {
        0
    }

    fn user_by_name(&self, name: &str) -> Option<User> {
        let made_up = || is_likely(name).then(|| nobody(name.to_owned(), PLACEHOLDER_ID));
        self.here.user_by_name(name).or_else(made_up)
    }

    fn user_by_id(&self, uid: UserId) -> Option<User> {
        self.here.user_by_id(uid).or_else(|| Some(nobody(uid.to_string(), uid)))
    }

    fn group_id(&self, name: &str) -> Option<UserId> {
        self.here.group_id(name).or_else(|| is_likely(name).then_some(PLACEHOLDER_ID))
    }

    fn group_exists(&self, _: UserId) -> bool {
        true
    }
}

/// The variables that these files need, sorted: those that a value names without a default.
pub(super) fn variables_needed<'f>(
    files: impl Iterator<Item = &'f Path>,
    machine: &dyn Machine,
) -> Vec<String> {
    let mut variables = Vec::new();
    for bytes in files.filter_map(|file| machine.read(file).ok()) {
        variables.extend(variables_in(&String::from_utf8_lossy(&bytes)));
    }
    variables.sort_unstable();
    variables.dedup();
    variables
}
