//! Reading and truncating logs for clients: files, and rings of streams without a file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::Shell;
use crate::logs::{
    Ring, WINDOW_BYTES_MAX, Window, cut_off_before, read_window, tail_window, whole_characters,
};
use crate::model::{Channel, Fault, FaultCode, LogLevel, LogRange, LogTarget, ProcessId, Reply};
use crate::output::{OWN_LOG, StreamId};
use crate::sys::files::open_to_read;

impl Shell {
    /// The answer to a request for a part of a log; without a target, of our own.
    pub(super) fn read_log(&self, of: Option<(ProcessId, Channel)>, range: LogRange) -> Result<Reply, Fault> {
        let id = of.map_or(OWN_LOG, |(process, channel)| StreamId { process, channel });
        if let Some(ring) = self.output.ring(id) {
            return read_ring(ring, range);
        }
        let path = match of {
            None => self.settings.daemon.log_file.clone(),
            Some((process, channel)) => self.log_path(process, channel),
        };
        match (existing(path), range) {
            (Ok(path), LogRange::Range { offset, length }) => read_range(&path, offset, length),
            (Ok(path), LogRange::Piece { offset, length }) => read_piece(&path, offset, length),
            (Err(fault), LogRange::Range { .. } | LogRange::Piece { .. }) => Err(fault),
            (Ok(path), LogRange::Tail { offset, length }) => Ok(read_tail(&path, offset, length)),
            (Err(_), LogRange::Tail { .. }) => Ok(nothing_at(0)),
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
        LogTarget::File(path) => Some(path.into()),
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
fn read_ring(ring: &Ring, range: LogRange) -> Result<Reply, Fault> {
    let size = ring.size();
    let text = |window| String::from_utf8_lossy(&ring.read(window)).into_owned();
    match range {
        LogRange::Range { offset, length } => {
            let window = read_window(size, offset, length);
            window.map(text).map(Reply::Text).ok_or_else(|| Fault::bare(FaultCode::BadArguments))
        }
        LogRange::Tail { offset, length } => {
            let (window, overflow) = tail_window(size, offset, length);
            Ok(Reply::Tail { text: text(window), offset: size, overflow })
        }
        LogRange::Piece { offset, length } => {
            let window = piece_window((ring.start(), size), offset, length);
            Ok(piece(&ring.read(window), window.start, offset))
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

fn read_piece(path: &Path, offset: Option<u64>, length: u64) -> Result<Reply, Fault> {
    let failed = |_| Fault::bare(FaultCode::Failed);
    let (file, size) = open_regular(path).map_err(failed)?;
    let window = piece_window((0, size), offset, length);
    let bytes = read_bytes(file, window).map_err(failed)?;
    Ok(piece(&bytes, window.start, offset))
}

/// The part of a log, which goes from its start to its size, that is read. An offset beyond its end is its end.
fn piece_window((start, size): (u64, u64), offset: Option<u64>, length: u64) -> Window {
    let length = length.min(WINDOW_BYTES_MAX);
    let first = offset.unwrap_or(size.saturating_sub(length)).max(start).min(size);
    Window { start: first, bytes: length.min(size - first) }
}

/// What was read from `start` on, in whole characters. It has overflowed if something before it was left out.
fn piece(bytes: &[u8], start: u64, offset: Option<u64>) -> Reply {
    let cut_off = if offset.is_none() && start > 0 { cut_off_before(bytes) } else { 0 };
    let end = whole_characters(bytes).max(cut_off);
    let text = String::from_utf8_lossy(&bytes[cut_off..end]).into_owned();
    Reply::Tail { text, offset: start + end as u64, overflow: start > offset.unwrap_or(0) }
}

fn nothing_at(offset: i64) -> Reply {
    Reply::Tail { text: String::new(), offset: u64::try_from(offset).unwrap_or(0), overflow: false }
}

fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    let file = open_to_read(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

fn read_bytes(mut file: File, window: Window) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(window.start))?;
    let mut bytes = Vec::new();
    file.take(window.bytes).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Invalid UTF-8, or a truncated character, is replaced.
fn read(file: File, window: Window) -> io::Result<String> {
    let bytes = read_bytes(file, window)?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}
