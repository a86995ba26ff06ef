//! The file with our pid, removed at the end if this run wrote it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::sys::files::{read_file, write_file};

/// A larger file is not ours.
const PID_BYTES_MAX: u64 = 64;

#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
    pid: i32,
}

impl PidFile {
    /// Overwrites the file of an earlier run.
    ///
    /// # Errors
    /// The error of writing the file.
    pub(super) fn write(path: &Path, pid: i32) -> io::Result<Self> {
        write_file(path, &format!("{pid}\n"), true)?;
        Ok(Self { path: path.to_owned(), pid })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another run may have replaced it in the meantime.
        let ours = read_file(&self.path, PID_BYTES_MAX)
            .is_ok_and(|bytes| bytes.trim_ascii() == self.pid.to_string().as_bytes());
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}
