//! The file with our pid, removed at the end if this run wrote it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Shell;
use crate::model::LogLevel;
use crate::sys::files::{read_file, write_file};
use crate::sys::process::{is_pid_1, own_pid};

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

/// COMPAT: a container's init, whose pid is well known, writes none unless `pidfile` is set.
pub(super) fn write_pid_file(shell: &mut Shell) {
    if shell.settings.daemon.pid_file_asked_for || !is_pid_1() {
        let path = shell.settings.daemon.pid_file.clone();
        match PidFile::write(&path, own_pid()) {
            Ok(file) => shell.pid_file = Some(file),
            Err(error) if shell.launch.foreground => {
                let text = format!("cannot write the pid file '{}': {error}", path.display());
                shell.log(LogLevel::Warn, &text);
            }
            Err(_) => shell.log(LogLevel::Critical, &format!("could not write pidfile {}", path.display())),
        }
    }
    shell.log(LogLevel::Info, &format!("supervisord started with pid {}", own_pid()));
}
