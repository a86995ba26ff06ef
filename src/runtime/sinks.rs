//! Where the bytes of one stream go: a file that rotates, an output with a reader, or nowhere.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::logfile::{FileId, LOG_MODE, LogFile};
use super::outputs::{OutputId, Outputs, STDOUT, Writer};
use crate::logs::{Place, place};
use crate::model::{LogTarget, Mono, StreamSpec};
use crate::sys::files::{Kind, is_fifo, is_same_file, open_log};
use crate::sys::output::Output;
use crate::sys::process::own_pid;

/// Something that went wrong and is told once, until it goes well again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) text: String,
}

/// Where a stream writes to. It holds what it writes to open: it is given back with [`Sink::close`].
#[derive(Debug)]
pub(super) enum Sink {
    Nowhere,
    File(FileId),
    Output(OutputId),
    /// A log that could not be opened.
    Unopened(Box<Unopened>),
}

/// A log that is opened later, if that can be.
#[derive(Debug)]
pub(super) struct Unopened {
    target: LogTarget,
    bytes_max: i64,
    backups: i64,
    retry_at: Mono,
    lost: u64,
}

/// How often a log that can't be opened is tried again, if there is something to write.
const RETRY_EVERY: Duration = Duration::from_secs(1);

impl Sink {
    /// # Errors
    /// What opening the file says.
    pub(super) fn open(
        target: &LogTarget,
        bytes_max: i64,
        backups: i64,
        outputs: &mut Outputs,
    ) -> io::Result<Self> {
        let LogTarget::File(path) = target else { return Ok(Self::Nowhere) };
        if let Place::Descriptor(number) = place_behind_links(path) {
            return outputs.descriptor(number).map(Self::Output);
        }
        match open_log(path, LOG_MODE) {
            Ok((file, Kind::Regular)) => outputs.files.add(path, file, bytes_max, backups).map(Self::File),
            Ok((file, Kind::Stream)) => Ok(Self::Output(outputs.add(path, Some(Output::own(file))))),
            Err(error) if error.raw_os_error() == Some(nix::libc::ENXIO) && is_fifo(path) => {
                Ok(Self::Output(outputs.add(path, None)))
            }
            Err(error) => Err(error),
        }
    }

    /// A log that could not be opened just now.
    pub(super) fn unopened(target: &LogTarget, spec: &StreamSpec, outputs: &Outputs) -> Self {
        let (bytes_max, backups) = (spec.bytes_max, spec.backups);
        let retry_at = outputs.now.mono.after(RETRY_EVERY);
        Self::Unopened(Box::new(Unopened { target: target.clone(), bytes_max, backups, retry_at, lost: 0 }))
    }

    /// A log that could not be opened is tried again from then on.
    pub(super) fn retry_at(&mut self, at: Mono) {
        if let Self::Unopened(unopened) = self {
            unopened.retry_at = at;
        }
    }

    /// Tries again to open a log if that is due. What there is to say if it could be.
    pub(super) fn retry(&mut self, outputs: &mut Outputs) -> Option<Trouble> {
        let Self::Unopened(unopened) = self else { return None };
        if outputs.now.mono < unopened.retry_at {
            return None;
        }
        unopened.retry_at = outputs.now.mono.after(RETRY_EVERY);
        let sink = Self::open(&unopened.target, unopened.bytes_max, unopened.backups, outputs).ok()?;
        let (LogTarget::File(path), lost) = (&unopened.target, unopened.lost) else { return None };
        let text = format!("log '{}' is open now, {lost} bytes were not written to it", path.display());
        *self = sink;
        Some(Trouble { text })
    }

    /// Nothing more is written here. What it wrote to is closed if nobody else writes there.
    pub(super) fn close(self, outputs: &mut Outputs) {
        match self {
            Self::Nowhere | Self::Unopened(_) => {}
            Self::File(id) => outputs.files.release(id),
            Self::Output(id) => outputs.release(id),
        }
    }

    /// Writes all of it, or keeps it for later, or drops it and says so.
    pub(super) fn write(&mut self, bytes: &[u8], writer: Writer, outputs: &mut Outputs) -> Option<Trouble> {
        match self {
            Self::Nowhere => None,
            _ if bytes.is_empty() => None,
            Self::File(id) => outputs.files.get_mut(*id)?.write(bytes, outputs.now.mono),
            Self::Output(id) => outputs.write(*id, writer, bytes),
            Self::Unopened(unopened) => {
                unopened.lost = unopened.lost.saturating_add(bytes.len() as u64);
                None
            }
        }
    }

    /// Whether children that write here are to wait.
    pub(super) fn is_full(&self, outputs: &Outputs) -> bool {
        match self {
            Self::Output(id) => outputs.is_full(*id),
            Self::Nowhere | Self::File(_) | Self::Unopened(_) => false,
        }
    }

    /// Whether other streams of programs write to the same output.
    pub(super) fn is_shared(&self, outputs: &Outputs) -> bool {
        match self {
            Self::Output(id) => outputs.is_shared(*id),
            Self::Nowhere | Self::File(_) | Self::Unopened(_) => false,
        }
    }

    /// The log file, if it is one.
    pub(super) fn file<'o>(&self, outputs: &'o Outputs) -> Option<&'o LogFile> {
        match self {
            Self::File(id) => outputs.files.get(*id),
            Self::Nowhere | Self::Output(_) | Self::Unopened(_) => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn file_mut<'o>(&self, outputs: &'o mut Outputs) -> Option<&'o mut LogFile> {
        match self {
            Self::File(id) => outputs.files.get_mut(*id),
            Self::Nowhere | Self::Output(_) | Self::Unopened(_) => None,
        }
    }

    /// Whether this is where our standard output goes.
    pub(super) fn is_stdout(&self, outputs: &Outputs) -> bool {
        let Some(stdout) = outputs.get(STDOUT) else { return false };
        match self {
            Self::Nowhere | Self::Unopened(_) => false,
            Self::File(_) => self.file(outputs).is_some_and(|log| is_same_file(log.file(), stdout)),
            Self::Output(id) => outputs.get(*id).is_some_and(|output| is_same_file(output, stdout)),
        }
    }

    /// Whether people look at what is written here.
    pub(super) fn is_terminal(&self, outputs: &Outputs) -> bool {
        match self {
            Self::Output(id) => outputs.get(*id).is_some_and(Output::is_terminal),
            Self::Nowhere | Self::File(_) | Self::Unopened(_) => false,
        }
    }
}

/// Links followed on the way to one of our descriptors, as images have them:
/// `/var/log/nginx/access.log -> /dev/stdout`.
const LINKS_MAX: usize = 8;

pub(super) fn place_behind_links(path: &Path) -> Place {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        if let place @ Place::Descriptor(_) = place(&path, own_pid()) {
            return place;
        }
        let Ok(link) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("/")).join(link);
    }
    Place::Path
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::runtime::outputs::OURSELVES;
    use crate::sys::scratch::Folder;

    #[test]
    fn our_own_descriptors_are_not_opened_again() {
        let folder = Folder::new("sinks-own");
        let link = folder.join("link.log");
        std::os::unix::fs::symlink("/dev/stdout", &link).unwrap();
        let mut outputs = Outputs::for_tests();
        for path in [Path::new("/dev/stdout"), &link] {
            let sink = Sink::open(&LogTarget::File(path.into()), 50, 10, &mut outputs).unwrap();
            assert!(matches!(sink, Sink::Output(STDOUT)) && sink.is_stdout(&outputs));
        }
        // What we have opened ourselves is no place for logs.
        let ours = File::open("/dev/null").unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&ours);
        let opened = Sink::open(&LogTarget::File(format!("/dev/fd/{number}").into()), 0, 0, &mut outputs);
        assert_eq!(opened.unwrap_err().raw_os_error(), Some(nix::libc::EBADF));
    }

    #[test]
    fn a_fifo_without_reader_is_no_error() {
        let folder = Folder::new("sinks-fifo");
        let path = folder.join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut outputs = Outputs::for_tests();
        let mut sink = Sink::open(&LogTarget::File(path), 0, 0, &mut outputs).unwrap();
        assert!(sink.write(b"x", OURSELVES, &mut outputs).is_some(), "told once");
        assert_eq!(sink.write(b"y", OURSELVES, &mut outputs), None);
    }
}
