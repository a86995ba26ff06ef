//! Reading and truncating logs for clients: files, and rings of streams without a file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::Shell;
use crate::logs::{Ring, Window, read_window, tail_window};
use crate::model::{Channel, Fault, FaultCode, LogLevel, LogTarget, ProcessId, Reading, Reply};
use crate::output::{OWN_LOG, StreamId};
use crate::sys::files::open_to_read;

impl Shell {
    /// The answer to a request for a part of a log; without a target, of our own.
    pub(super) fn read_log(
        &self,
        of: Option<(ProcessId, Channel)>,
        reading: Reading,
    ) -> Result<Reply, Fault> {
        let id = of.map_or(OWN_LOG, |(process, channel)| StreamId { process, channel });
        if let Some(ring) = self.output.ring(id) {
            return read_ring(ring, reading);
        }
        let path = match of {
            None => self.settings.daemon.log_file.clone(),
            Some((process, channel)) => self.log_path(process, channel),
        };
        match (existing(path), reading) {
            (Ok(path), Reading::Range { offset, length }) => read_range(&path, offset, length),
            (Err(fault), Reading::Range { .. }) => Err(fault),
            (Ok(path), Reading::Tail { offset, length }) => Ok(read_tail(&path, offset, length)),
            (Err(_), Reading::Tail { .. }) => Ok(nothing_at(0)),
        }
    }

    pub(super) fn log_path(&self, process: ProcessId, channel: Channel) -> Option<PathBuf> {
        let [stdout, stderr] = self.core.log_targets(process)?;
        let target = match channel {
            Channel::Stdout => stdout,
            Channel::Stderr => stderr,
        };
        file_of(target)
    }

    /// COMPAT: Supervisor removes the file and creates a new one; here the same file is truncated.
    pub(super) fn clear_log(&mut self) -> Result<Reply, Fault> {
        if self.output.ring(OWN_LOG).is_none() {
            existing(self.settings.daemon.log_file.clone()).map_err(|_| Fault::bare(FaultCode::NoFile))?;
        }
        self.log(LogLevel::Info, "reopening log file");
        self.flush_activity();
        self.activity.clear(self.output.destinations()).map_err(|_| Fault::bare(FaultCode::Failed))?;
        self.output.own_log_cleared();
        Ok(Reply::Done)
    }

    /// COMPAT: in Supervisor this does nothing for a process that does not run.
    pub(super) fn clear_logs(&mut self, process: ProcessId) -> io::Result<()> {
        let targets = self.core.log_targets(process).into_iter().flatten();
        let paths: Vec<_> = targets.filter_map(file_of).collect();
        self.output.clear_logs(process, &paths)
    }
}

fn file_of(target: LogTarget) -> Option<PathBuf> {
    match target {
        LogTarget::File(path) => Some(path),
        LogTarget::None | LogTarget::Auto => None,
    }
}

/// NO_FILE for a missing log, with its path if it has one.
fn existing(path: Option<PathBuf>) -> Result<PathBuf, Fault> {
    let path = path.ok_or_else(|| Fault::bare(FaultCode::NoFile))?;
    if path.exists() {
        return Ok(path);
    }
    Err(Fault::about(FaultCode::NoFile, path.display().to_string()))
}

/// COMPAT: Supervisor can only read regular files; here the last bytes of other logs are kept.
fn read_ring(ring: &Ring, reading: Reading) -> Result<Reply, Fault> {
    let size = ring.size();
    let text = |window| String::from_utf8_lossy(&ring.read(window)).into_owned();
    match reading {
        Reading::Range { offset, length } => {
            let window = read_window(size, offset, length);
            window.map(text).map(Reply::Text).ok_or_else(|| Fault::bare(FaultCode::BadArguments))
        }
        Reading::Tail { offset, length } => {
            let (window, overflow) = tail_window(size, offset, length);
            Ok(Reply::Tail { text: text(window), offset: size, overflow })
        }
    }
}

fn read_range(path: &Path, offset: i64, length: i64) -> Result<Reply, Fault> {
    let failed = |_| Fault::bare(FaultCode::Failed);
    let (file, size) = open_regular(path).map_err(failed)?;
    let window = read_window(size, offset, length).ok_or_else(|| Fault::bare(FaultCode::BadArguments))?;
    read(file, window).map(Reply::Text).map_err(failed)
}

fn read_tail(path: &Path, offset: i64, length: i64) -> Reply {
    let Ok((file, size)) = open_regular(path) else { return nothing_at(offset) };
    let (window, overflow) = tail_window(size, offset, length);
    read(file, window)
        .map_or_else(|_| nothing_at(offset), |text| Reply::Tail { text, offset: size, overflow })
}

fn nothing_at(offset: i64) -> Reply {
    Reply::Tail { text: String::new(), offset: u64::try_from(offset).unwrap_or(0), overflow: false }
}

fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    let file = open_to_read(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

/// Invalid UTF-8, or a truncated character, is replaced.
fn read(mut file: File, window: Window) -> io::Result<String> {
    file.seek(SeekFrom::Start(window.start))?;
    let mut bytes = Vec::new();
    file.take(window.bytes).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}
