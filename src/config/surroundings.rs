//! What reading a configuration has to ask the machine for.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::{User, UserId};

/// Largest file that is read.
pub const FILE_BYTES_MAX: usize = 16 << 20;

/// The machine as the configuration sees it. The program hands in the real one; tests make one up.
pub trait Surroundings {
    /// The bytes of a file.
    ///
    /// # Errors
    ///
    /// The file can't be read; `NotFound` is told apart from all others.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Whether this is a directory.
    fn is_dir(&self, path: &Path) -> bool;
    /// Whether there is anything here.
    fn exists(&self, path: &Path) -> bool;
    /// The permission bits of what is here, behind links; `None` if nothing is.
    fn mode(&self, path: &Path) -> Option<u32>;
    /// Whether somebody may write to what is here, into a file or in a directory: we, or a user that we
    /// become.
    ///
    /// # Errors
    ///
    /// Why not.
    fn may_write(&self, path: &Path, user: Option<&User>) -> io::Result<()>;
    /// Makes a missing folder, for this user if not for us. `None` if that is not done here: only a container's init
    /// makes folders.
    fn make_folder(&self, path: &Path, owner: Option<&User>) -> Option<io::Result<()>>;
    /// Whether we may execute it.
    fn is_executable(&self, path: &Path) -> bool;
    /// The sorted matches of one absolute pattern, by the rules of Python's `glob`: `*` skips dot
    /// files, `**` is one level.
    fn glob(&self, pattern: &str) -> Vec<PathBuf>;
    /// Our own environment as it was at the start.
    fn environment(&self) -> &[(String, String)];
    /// Whether a variable of the environment is made up: what it holds is no guide to what it will hold.
    fn is_made_up(&self, _variable: &str) -> bool {
        false
    }
    /// Where relative paths start.
    fn current_dir(&self) -> PathBuf;
    /// Where temporary files go.
    fn temp_dir(&self) -> PathBuf;
    /// What `~` (no user) or `~user` stands for.
    fn home_dir(&self, user: Option<&str>) -> Option<PathBuf>;
    /// What `uname -n` prints.
    fn host_node_name(&self) -> String;
    /// The user as whom we act.
    fn effective_user(&self) -> UserId;
    /// Our group.
    fn effective_group(&self) -> UserId;
    /// A user with the groups it is in.
    fn user_by_name(&self, name: &str) -> Option<User>;
    /// The same, by number.
    fn user_by_id(&self, uid: UserId) -> Option<User>;
    /// The number of a group.
    fn group_id(&self, name: &str) -> Option<UserId>;
    /// Whether a group has this number.
    fn group_exists(&self, gid: UserId) -> bool;
}
