//! Where the bytes of one stream go: a log file, a destination with a reader, or nowhere.

use std::io;
use std::time::Duration;

use super::destinations::Destinations;
use super::ids::{DestinationId, FileId, STDOUT, WriterId};
use super::logfile::{LOG_MODE, LogFile};
use super::paths::resolve_links;
use super::warning::Warning;
use crate::logs::PathTarget;
use crate::model::{LogTarget, Mono, StreamSpec, counted};
use crate::sys::files::{LogFileKind, is_fifo, is_same_file, open_log};
use crate::sys::output::Output;

/// Where a stream writes to. What it writes to stays open until [`Sink::close`].
#[derive(Debug)]
pub enum Sink {
    /// Everything is dropped.
    Nowhere,
    /// A regular file.
    File(FileId),
    /// A pipe, a terminal or a socket.
    Destination(DestinationId),
    /// A log that could not be opened.
    Unopened(Box<Unopened>),
}

/// A log whose opening is tried again while there is something to write to it.
#[derive(Debug)]
pub struct Unopened {
    target: LogTarget,
    bytes_max: i64,
    backups: i64,
    retry_at: Mono,
    lost: u64,
}

/// How often opening such a log is tried.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

impl Sink {
    /// # Errors
    /// The error of opening the file.
    pub fn open(
        target: &LogTarget,
        bytes_max: i64,
        backups: i64,
        destinations: &mut Destinations,
    ) -> io::Result<Self> {
        let LogTarget::File(path) = target else { return Ok(Self::Nowhere) };
        if let PathTarget::Descriptor(number) = resolve_links(path) {
            return destinations.descriptor(number).map(Self::Destination);
        }
        match open_log(path, LOG_MODE) {
            Ok((file, LogFileKind::Regular)) => {
                destinations.files.add(path, file, bytes_max, backups).map(Self::File)
            }
            Ok((file, LogFileKind::Stream)) => {
                Ok(Self::Destination(destinations.add(path, Some(Output::own(file)))))
            }
            Err(error) if error.raw_os_error() == Some(nix::libc::ENXIO) && is_fifo(path) => {
                Ok(Self::Destination(destinations.add(path, None)))
            }
            Err(error) => Err(error),
        }
    }

    /// A log that could not be opened just now.
    pub(super) fn unopened(target: &LogTarget, spec: &StreamSpec, destinations: &Destinations) -> Self {
        let (bytes_max, backups) = (spec.bytes_max, spec.backups);
        let retry_at = destinations.now().mono.after(RETRY_INTERVAL);
        Self::Unopened(Box::new(Unopened { target: target.clone(), bytes_max, backups, retry_at, lost: 0 }))
    }

    /// Opening a log is next tried at this time.
    pub(super) fn retry_at(&mut self, at: Mono) {
        if let Self::Unopened(unopened) = self {
            unopened.retry_at = at;
        }
    }

    /// Tries again to open a log if that is due. Returns what to report if it is open now.
    pub(super) fn retry(&mut self, destinations: &mut Destinations) -> Option<Warning> {
        let Self::Unopened(unopened) = self else { return None };
        if destinations.now().mono < unopened.retry_at {
            return None;
        }
        unopened.retry_at = destinations.now().mono.after(RETRY_INTERVAL);
        let sink = Self::open(&unopened.target, unopened.bytes_max, unopened.backups, destinations).ok()?;
        let (LogTarget::File(path), lost) = (&unopened.target, unopened.lost) else { return None };
        let lost = counted(lost, "byte was", "bytes were");
        let text = format!("log '{}' is open now, {lost} not written to it", path.display());
        *self = sink;
        Some(Warning { text })
    }

    /// Nothing more is written here. What it wrote to is closed with its last writer.
    pub fn close(self, destinations: &mut Destinations) {
        match self {
            Self::Nowhere | Self::Unopened(_) => {}
            Self::File(id) => destinations.files.release(id),
            Self::Destination(id) => destinations.release(id),
        }
    }

    /// Writes all of it, or keeps it for later, or drops it and reports that.
    pub fn write(
        &mut self,
        bytes: &[u8],
        writer: WriterId,
        destinations: &mut Destinations,
    ) -> Option<Warning> {
        match self {
            Self::Nowhere => None,
            _ if bytes.is_empty() => None,
            Self::File(id) => {
                let now = destinations.now().mono;
                destinations.files.get_mut(*id)?.write(bytes, now)
            }
            Self::Destination(id) => destinations.write(*id, writer, bytes),
            Self::Unopened(unopened) => {
                unopened.lost = unopened.lost.saturating_add(bytes.len() as u64);
                None
            }
        }
    }

    /// Bytes that could not be written so far, those of other writers to the same place included.
    pub(super) fn lost_bytes(&self, destinations: &Destinations) -> u64 {
        match self {
            Self::Nowhere => 0,
            Self::File(id) => destinations.files.get(*id).map_or(0, LogFile::lost_bytes),
            Self::Destination(id) => destinations.lost_bytes(*id),
            Self::Unopened(unopened) => unopened.lost,
        }
    }

    /// Whether children that write here have to wait.
    pub(super) fn is_full(&self, destinations: &Destinations) -> bool {
        match self {
            Self::Destination(id) => destinations.is_full(*id),
            Self::Nowhere | Self::File(_) | Self::Unopened(_) => false,
        }
    }

    /// Whether other streams of programs write to the same destination.
    pub(super) fn is_shared(&self, destinations: &Destinations) -> bool {
        match self {
            Self::Destination(id) => destinations.is_shared(*id),
            Self::Nowhere | Self::File(_) | Self::Unopened(_) => false,
        }
    }

    /// The log file, if it is one.
    pub(super) fn file<'o>(&self, destinations: &'o Destinations) -> Option<&'o LogFile> {
        match self {
            Self::File(id) => destinations.files.get(*id),
            Self::Nowhere | Self::Destination(_) | Self::Unopened(_) => None,
        }
    }

    /// Opens the log file again, if it is one, as after it was moved away.
    ///
    /// # Errors
    /// The error of open(2).
    pub fn reopen(&self, destinations: &mut Destinations) -> io::Result<()> {
        self.file_mut(destinations).map_or(Ok(()), LogFile::reopen)
    }

    /// Empties the log file, if it is one.
    ///
    /// # Errors
    /// The error of truncating it.
    pub fn clear(&self, destinations: &mut Destinations) -> io::Result<()> {
        self.file_mut(destinations).map_or(Ok(()), LogFile::clear)
    }

    /// The log file, if it is one, to be changed.
    pub(super) fn file_mut<'o>(&self, destinations: &'o mut Destinations) -> Option<&'o mut LogFile> {
        match self {
            Self::File(id) => destinations.files.get_mut(*id),
            Self::Nowhere | Self::Destination(_) | Self::Unopened(_) => None,
        }
    }

    /// Whether this is where our standard output goes.
    pub fn is_stdout(&self, destinations: &Destinations) -> bool {
        let Some(stdout) = destinations.get(STDOUT) else { return false };
        match self {
            Self::Nowhere | Self::Unopened(_) => false,
            Self::File(_) => self.file(destinations).is_some_and(|log| is_same_file(log.file(), stdout)),
            Self::Destination(id) => destinations.get(*id).is_some_and(|output| is_same_file(output, stdout)),
        }
    }

    /// Whether this is a terminal.
    pub(super) fn is_terminal(&self, destinations: &Destinations) -> bool {
        match self {
            Self::Destination(id) => destinations.get(*id).is_some_and(Output::is_terminal),
            Self::Nowhere | Self::File(_) | Self::Unopened(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use std::path::Path;

    use crate::output::ids::OURSELVES;
    use crate::sys::scratch::Folder;

    #[test]
    fn an_inherited_descriptor_is_not_opened_again() {
        let folder = Folder::new("sinks-own");
        let link = folder.join("link.log");
        std::os::unix::fs::symlink("/dev/stdout", &link).unwrap();
        let mut destinations = Destinations::for_tests();
        for path in [Path::new("/dev/stdout"), &link] {
            let sink = Sink::open(&LogTarget::File(path.into()), 50, 10, &mut destinations).unwrap();
            assert!(matches!(sink, Sink::Destination(STDOUT)) && sink.is_stdout(&destinations));
        }
        // A descriptor that we have opened ourselves is not a destination for logs.
        let ours = File::open("/dev/null").unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&ours);
        let opened = Sink::open(
            &LogTarget::File(Path::new(&format!("/dev/fd/{number}")).into()),
            0,
            0,
            &mut destinations,
        );
        assert_eq!(opened.unwrap_err().raw_os_error(), Some(nix::libc::EBADF));
    }

    #[test]
    fn a_fifo_without_a_reader_is_not_an_error() {
        let folder = Folder::new("sinks-fifo");
        let path = folder.join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut destinations = Destinations::for_tests();
        let mut sink = Sink::open(&LogTarget::File(path.into()), 0, 0, &mut destinations).unwrap();
        assert!(sink.write(b"x", OURSELVES, &mut destinations).is_some(), "reported once");
        assert_eq!(sink.write(b"y", OURSELVES, &mut destinations), None);
    }
}
