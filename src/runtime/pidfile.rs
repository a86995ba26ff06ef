//! The file that tells our pid, removed at the end if this run wrote it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
    pid: i32,
}

impl PidFile {
    /// Overwrites what an earlier run may have left.
    ///
    /// # Errors
    /// What writing the file says.
    pub(super) fn write(path: &Path, pid: i32) -> io::Result<Self> {
        fs::write(path, format!("{pid}\n"))?;
        Ok(Self { path: path.to_owned(), pid })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another run may have replaced it meanwhile.
        let ours = fs::read_to_string(&self.path).is_ok_and(|text| text.trim() == self.pid.to_string());
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}
