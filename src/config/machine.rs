//! What reading a configuration needs from the machine.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::{User, UserId};

/// The maximum size of a file.
pub const FILE_BYTES_MAX: usize = 16 << 20;

/// The machine as the configuration sees it. The program passes in the real one; tests a fake.
pub trait Machine {
    /// The content of a file.
    ///
    /// # Errors
    ///
    /// The file can't be read; `NotFound` is distinct from all other errors.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Whether this is a directory.
    fn is_dir(&self, path: &Path) -> bool;
    /// Whether the path exists.
    fn exists(&self, path: &Path) -> bool;
    /// The type and the permission bits, inode(7), following links; `None` if the path does not exist.
    fn mode(&self, path: &Path) -> Option<u32>;
    /// Whether a file or directory is writable for us, or for a user that we switch to.
    ///
    /// # Errors
    ///
    /// Why it is not.
    fn may_write(&self, path: &Path, user: Option<&User>) -> io::Result<()>;
    /// Creates a missing folder, owned by this user if given. `None` if folders are not created here: only a
    /// container's init does so.
    fn make_folder(&self, path: &Path, owner: Option<&User>) -> Option<io::Result<()>>;
    /// Whether we may execute it.
    fn is_executable(&self, path: &Path) -> bool;
    /// The sorted matches of one absolute pattern, by the rules of Python's `glob`: `*` skips dot files, `**`
    /// is one level.
    fn glob(&self, pattern: &str) -> Vec<PathBuf>;
    /// Our own environment as it was at the start.
    fn environment(&self) -> &[(String, String)];
    /// Whether the value of a variable is a placeholder that says nothing about its real value.
    fn is_placeholder(&self, _variable: &str) -> bool {
        false
    }
    /// The directory that relative paths start from.
    fn current_dir(&self) -> PathBuf;
    /// The directory for temporary files.
    fn temp_dir(&self) -> PathBuf;
    /// The home directory for `~` (no user) or `~user`.
    fn home_dir(&self, user: Option<&str>) -> Option<PathBuf>;
    /// What `uname -n` prints.
    fn host_node_name(&self) -> String;
    /// Our effective user.
    fn effective_user(&self) -> UserId;
    /// Our group.
    fn effective_group(&self) -> UserId;
    /// A user with its groups.
    fn user_by_name(&self, name: &str) -> Option<User>;
    /// A user with its groups, by number.
    fn user_by_id(&self, uid: UserId) -> Option<User>;
    /// The number of a group.
    fn group_id(&self, name: &str) -> Option<UserId>;
    /// Whether a group has this number.
    fn group_exists(&self, gid: UserId) -> bool;
}
