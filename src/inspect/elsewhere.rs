//! A machine that lacks nothing: every user, folder, command and variable that a configuration names is there.
//!
//! `sv check` reads a configuration on this machine and on that one. What it finds on both is wrong with the
//! configuration; what it finds only here is what this machine lacks, and the image that the configuration is
//! for may have it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::{User, UserId};

use crate::config::Machine;
use crate::config::expand::variables_in;

/// The number of every user and group that is made up; what `nobody` has on most machines.
const MADE_UP: UserId = 65_534;

/// What a variable is taken to hold: a number is a value of most types.
const MADE_UP_VALUE: &str = "1";

/// This machine, with what it lacks made up.
pub(super) struct Elsewhere<'a> {
    here: &'a dyn Machine,
    main: &'a Path,
    environment: Vec<(String, String)>,
}

impl<'a> Elsewhere<'a> {
    /// `main` has to be there on any machine. `variables` are the names that it needs.
    pub(super) fn new(here: &'a dyn Machine, main: &'a Path, variables: &BTreeSet<String>) -> Self {
        let known = here.environment();
        let is_unset = |name: &&String| !known.iter().any(|(known, _)| known == *name);
        let made_up = variables.iter().filter(is_unset).map(|name| (name.clone(), MADE_UP_VALUE.to_owned()));
        Self { here, main, environment: known.iter().cloned().chain(made_up).collect() }
    }
}

/// Whether a machine may have something of this name. What has quotes was meant to be without.
fn is_likely(name: &str) -> bool {
    !name.is_empty() && !name.contains(['"', '\''])
}

fn nobody(name: String, uid: UserId) -> User {
    User { name, uid, gid: MADE_UP, groups: vec![MADE_UP] }
}

impl Machine for Elsewhere<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
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
        let made_up = || is_likely(name).then(|| nobody(name.to_owned(), MADE_UP));
        self.here.user_by_name(name).or_else(made_up)
    }

    fn user_by_id(&self, uid: UserId) -> Option<User> {
        self.here.user_by_id(uid).or_else(|| Some(nobody(uid.to_string(), uid)))
    }

    fn group_id(&self, name: &str) -> Option<UserId> {
        self.here.group_id(name).or_else(|| is_likely(name).then_some(MADE_UP))
    }

    fn group_exists(&self, _: UserId) -> bool {
        true
    }
}

/// The variables that these files need: those that a value names without anything to stand in for them.
pub(super) fn variables_needed<'f>(
    files: impl Iterator<Item = &'f Path>,
    machine: &dyn Machine,
) -> BTreeSet<String> {
    let texts = files.filter_map(|file| machine.read(file).ok());
    texts.flat_map(|bytes| variables_in(&String::from_utf8_lossy(&bytes))).collect()
}
