//! A temporary folder for unit tests that need real files.

use std::fs;
use std::path::PathBuf;

/// Removed with its content when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// `name` is unique among the tests of this crate.
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("sv-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
