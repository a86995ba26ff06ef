//! Where the bytes of one stream go: a file that rotates, an output with a reader, or nowhere.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::outputs::{OutputId, Outputs, STDERR, STDOUT};
use crate::logs::{Place, Rotation, Step, place};
use crate::model::LogTarget;
use crate::sys::files::{Kind, is_same_file, open_log};
use crate::sys::output::Output;

/// Something that went wrong and is told once, until it goes well again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) text: String,
}

#[derive(Debug)]
pub(super) enum Sink {
    Nowhere,
    File(LogFile),
    Output(OutputId),
}

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
        match place(path) {
            Place::Stdout => return Ok(Self::Output(STDOUT)),
            Place::Stderr => return Ok(Self::Output(STDERR)),
            Place::Path => {}
        }
        let (file, kind) = open_log(path, LOG_MODE)?;
        Ok(match kind {
            Kind::Regular => Self::File(LogFile::new(path, file, bytes_max, backups)?),
            Kind::Stream => Self::Output(outputs.add(path, || Output::own(file))),
        })
    }

    /// Writes all of it, or keeps it for later, or drops it and says so.
    pub(super) fn write(&mut self, bytes: &[u8], outputs: &mut Outputs) -> Option<Trouble> {
        match self {
            Self::Nowhere => None,
            _ if bytes.is_empty() => None,
            Self::File(file) => file.write(bytes),
            Self::Output(id) => {
                outputs.write(*id, bytes);
                None
            }
        }
    }

    /// Whether whoever writes here is to wait.
    pub(super) fn is_full(&self, outputs: &Outputs) -> bool {
        match self {
            Self::Output(id) => outputs.is_full(*id),
            Self::Nowhere | Self::File(_) => false,
        }
    }

    /// Whether this is where our standard output goes.
    pub(super) fn is_stdout(&self, outputs: &Outputs) -> bool {
        let Some(stdout) = outputs.get(STDOUT) else { return false };
        match self {
            Self::Nowhere => false,
            Self::File(log) => is_same_file(&log.file, stdout),
            Self::Output(id) => outputs.get(*id).is_some_and(|output| is_same_file(output, stdout)),
        }
    }
}

/// Less the umask.
const LOG_MODE: u32 = 0o666;

/// A regular file that is rotated when it is full.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    rotation: Rotation,
    /// Bytes that could not be written since the last that could.
    lost_bytes: u64,
}

impl LogFile {
    fn new(path: &Path, file: File, bytes_max: i64, backups: i64) -> io::Result<Self> {
        let rotation = Rotation::new(bytes_max, backups, file.metadata()?.len());
        Ok(Self { path: path.to_owned(), file, rotation, lost_bytes: 0 })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn write(&mut self, bytes: &[u8]) -> Option<Trouble> {
        if let Err(error) = self.file.write_all(bytes) {
            return self.lost(bytes.len(), &error);
        }
        let trouble = self.recovered();
        if self.rotation.wrote(bytes.len()) {
            return self.rotate().err().map(|error| self.trouble("rotate", &error)).or(trouble);
        }
        trouble
    }

    fn lost(&mut self, bytes: usize, error: &io::Error) -> Option<Trouble> {
        let first = self.lost_bytes == 0;
        self.lost_bytes = self.lost_bytes.saturating_add(bytes as u64);
        first.then(|| self.trouble("write to", error))
    }

    fn recovered(&mut self) -> Option<Trouble> {
        let lost = std::mem::take(&mut self.lost_bytes);
        let text =
            || format!("log '{}' can be written to again, {lost} bytes were lost", self.path.display());
        (lost > 0).then(|| Trouble { text: text() })
    }

    fn trouble(&self, verb: &str, error: &io::Error) -> Trouble {
        Trouble { text: format!("cannot {verb} log '{}': {error}", self.path.display()) }
    }

    fn rotate(&mut self) -> io::Result<()> {
        for step in self.rotation.plan(&self.path) {
            match step {
                Step::Rename(from, to) => match fs::rename(&from, &to) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return self.keep(error),
                    Ok(()) | Err(_) => {}
                },
                Step::Truncate => self.file.set_len(0)?,
            }
        }
        self.reopen()
    }

    /// A rotation that is impossible (a read-only folder) is tried again a whole file later.
    fn keep(&mut self, error: io::Error) -> io::Result<()> {
        self.rotation.reopened(0);
        Err(error)
    }

    /// Rotates by other limits from now on, at the next write if it exceeds them already.
    pub(super) fn limit(&mut self, bytes_max: i64, backups: i64) {
        self.rotation.limit(bytes_max, backups);
    }

    /// Empties the file.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.rotation.reopened(0);
        Ok(())
    }

    /// Opens the path again; what is open stays so if that fails.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let (file, _) = open_log(&self.path, LOG_MODE)?;
        self.rotation.reopened(file.metadata()?.len());
        self.file = file;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::scratch::Folder;

    fn open(path: &Path, bytes_max: i64, backups: i64) -> Sink {
        Sink::open(&LogTarget::File(path.to_owned()), bytes_max, backups, &mut Outputs::own()).unwrap()
    }

    #[test]
    fn every_byte_is_in_one_of_the_files() {
        let folder = Folder::new("sinks-rotate");
        let path = folder.join("x.log");
        let mut sink = open(&path, 10, 2);
        for line in ["one\n", "two\n", "three\n", "four\n", "five\n"] {
            assert_eq!(sink.write(line.as_bytes(), &mut Outputs::own()), None);
        }
        let read = |name: String| fs::read_to_string(name).unwrap_or_default();
        let name = path.display();
        assert_eq!(read(format!("{name}.2")), "one\ntwo\nthree\n");
        assert_eq!(read(format!("{name}.1")), "four\nfive\n");
        assert_eq!(read(name.to_string()), "");
    }

    #[test]
    fn without_backups_it_starts_again_at_nothing() {
        let folder = Folder::new("sinks-truncate");
        let path = folder.join("x.log");
        let mut sink = open(&path, 4, 0);
        sink.write(b"12345", &mut Outputs::own());
        sink.write(b"67", &mut Outputs::own());
        assert_eq!(fs::read_to_string(&path).unwrap(), "67");
    }

    #[test]
    fn a_full_disk_is_told_once_and_then_how_much_was_lost() {
        let (file, _) = open_log(Path::new("/dev/full"), 0o666).unwrap();
        let mut log = LogFile::new(Path::new("/dev/full"), file, 0, 0).unwrap();
        let first = log.write(b"12345").unwrap();
        assert!(first.text.starts_with("cannot write to log '/dev/full': "), "{first:?}");
        assert_eq!(log.write(b"678"), None);
        let again = Folder::new("sinks-again");
        log.file = open_log(&again.join("x.log"), 0o666).unwrap().0;
        let last = log.write(b"9").unwrap();
        assert_eq!(last.text, "log '/dev/full' can be written to again, 8 bytes were lost");
    }

    #[test]
    fn our_own_descriptors_are_not_opened_again() {
        let mut outputs = Outputs::own();
        let sink = Sink::open(&LogTarget::File("/dev/stdout".into()), 50, 10, &mut outputs).unwrap();
        assert!(matches!(sink, Sink::Output(STDOUT)) && sink.is_stdout(&outputs));
    }
}
