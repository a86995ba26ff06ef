//! One destination whose reader may be slow or gone: our standard output or error, another inherited descriptor, or a
//! log path that is a pipe or a terminal.
//!
//! What does not fit now is buffered, up to a bound. What cannot be written is dropped and counted, with one warning
//! when that begins and one when it is over.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ids::{DestinationId, OURSELVES, WriterId};
use super::logfile::LOG_MODE;
use super::tokens::{Tokens, Watched};
use super::warning::Warning;
use crate::logs::Loss;
use crate::model::{Mono, counted};
use crate::sys::files::open_log;
use crate::sys::output::Output;
use crate::sys::poller::{Interest, Poller};

/// Bytes buffered for a reader before the children that write to it are no longer read.
const PENDING_BYTES_MAX: usize = 256 * 1024;

/// Bytes buffered for a reader before lines of the activity log, which has no writer that could wait, are dropped.
const PENDING_LINES_BYTES_MAX: usize = 2 * PENDING_BYTES_MAX;

/// Bytes buffered for a reader before anything is dropped: the last output of a dead child is taken however full the
/// buffer is.
const PENDING_LAST_OUTPUT_BYTES_MAX: usize = 8 * PENDING_BYTES_MAX;

/// How often a path whose reader is gone is opened again while there is something to write.
const REOPEN_INTERVAL: Duration = Duration::from_secs(1);

/// A destination and the bytes that wait for its reader.
#[derive(Debug)]
pub(super) struct BufferedOutput {
    output: Option<Output>,
    /// Its reader is gone: nothing is written or buffered. The descriptor is closed once it is off the poller, which
    /// would keep reporting a copy of it that others hold.
    broken: bool,
    name: String,
    /// Where it is opened again; `None` for inherited descriptors.
    path: Option<PathBuf>,
    reopen_at: Mono,
    pending: VecDeque<u8>,
    /// Set while it is watched for room.
    token: Option<u64>,
    /// Who has begun a line that is not complete yet.
    mid_line: Option<WriterId>,
    dropped_lines: u64,
    loss: Loss,
    /// Streams that write here, and the activity log if it does.
    writers: usize,
    /// 1 while the activity log does.
    own_writers: usize,
}

impl BufferedOutput {
    pub(super) fn new(name: &str, output: Option<Output>, path: Option<PathBuf>) -> Self {
        Self {
            broken: output.is_none(),
            output,
            name: name.to_owned(),
            path,
            reopen_at: Mono::default(),
            pending: VecDeque::new(),
            token: None,
            mid_line: None,
            dropped_lines: 0,
            loss: Loss::default(),
            writers: 0,
            own_writers: 0,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_at(&self, path: &Path) -> bool {
        self.path.as_deref() == Some(path)
    }

    /// What is written to, unless that is gone.
    pub(super) fn output(&self) -> Option<&Output> {
        self.output.as_ref()
    }

    /// Continues with another opening of the same path, unless something waits for the reader of this one.
    pub(super) fn renew(&mut self, open: Option<Output>) {
        if open.is_some() && self.pending.is_empty() && self.token.is_none() {
            self.output = open;
            self.broken = false;
        }
    }

    /// Opens its path again. One that cannot be opened has no reader now, so the open descriptor is kept.
    pub(super) fn reopen(&mut self) {
        let open = self.path.as_deref().and_then(|path| open_log(path, LOG_MODE).ok());
        self.renew(open.map(|(file, _)| Output::own(file)));
    }

    pub(super) fn add_writer(&mut self) {
        self.writers += 1;
    }

    pub(super) fn remove_writer(&mut self) {
        self.writers = self.writers.saturating_sub(1);
    }

    pub(super) fn has_writers(&self) -> bool {
        self.writers > 0
    }

    /// One of the writers is the activity log, or no longer is.
    pub(super) fn count_own_log(&mut self, is_open: bool) {
        self.own_writers = if is_open { self.own_writers + 1 } else { self.own_writers.saturating_sub(1) };
    }

    /// Whether several streams of programs write here. The activity log does not count: it writes whole lines.
    pub(super) fn is_shared(&self) -> bool {
        self.writers > self.own_writers + 1
    }

    /// Whether children that write here have to wait.
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= PENDING_BYTES_MAX
    }

    /// Bytes that could not be written so far.
    pub(super) fn lost_bytes(&self) -> u64 {
        self.loss.bytes_so_far()
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Takes bytes of a child: all of them, whether they fit or not.
    pub(super) fn write(&mut self, writer: WriterId, bytes: &[u8], now: Mono) -> Option<Warning> {
        if self.broken
            && let Err(error) = self.find_reader(now)
        {
            return self.lost(bytes.len(), &error);
        }
        if self.pending.len() > PENDING_LAST_OUTPUT_BYTES_MAX {
            return self.lost(bytes.len(), &io::Error::other("its reader is too slow"));
        }
        let outcome = self.end_line_of_another(writer).and_then(|()| self.take(bytes));
        self.mid_line = bytes.last().filter(|&&byte| byte != b'\n').map(|_| writer);
        match outcome {
            Ok(()) => self.recovered(),
            Err((lost, error)) => self.failed(lost, &error),
        }
    }

    /// Takes lines that may be dropped. With the next lines that are not, `note` makes a line about how many were.
    pub(super) fn write_lines(
        &mut self,
        lines: &[u8],
        now: Mono,
        note: impl FnOnce(&str) -> Vec<u8>,
    ) -> Option<Warning> {
        if self.pending.len() > PENDING_LINES_BYTES_MAX {
            self.dropped_lines += memchr::memchr_iter(b'\n', lines).count() as u64;
            return None;
        }
        if self.dropped_lines > 0 {
            let dropped = std::mem::take(&mut self.dropped_lines);
            let note = note(&format!(
                "{} dropped here, the reader was too slow",
                counted(dropped, "line was", "lines were")
            ));
            self.write(OURSELVES, &note, now);
        }
        self.write(OURSELVES, lines, now)
    }

    /// The beginning of a line by one writer is never continued by another.
    fn end_line_of_another(&mut self, writer: WriterId) -> Result<(), (usize, io::Error)> {
        let is_anothers = self.mid_line.is_some_and(|begun_by| begun_by != writer);
        if is_anothers { self.take(b"\n") } else { Ok(()) }
    }

    /// Writes what there is room for and buffers the rest; an error comes with the number of bytes lost.
    fn take(&mut self, mut bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        while let Some(output) = self.output.as_ref()
            && self.pending.is_empty()
            && !bytes.is_empty()
        {
            match output.write(bytes) {
                Ok(0) => break,
                Ok(count) => bytes = &bytes[count..],
                Err(error) => return Err((bytes.len(), error)),
            }
        }
        self.pending.extend(bytes);
        Ok(())
    }

    /// A full disk may have room again later, so only what is being written is lost. With a reader that is gone, what
    /// waits for it is lost too, and nothing more is written.
    fn failed(&mut self, bytes: usize, error: &io::Error) -> Option<Warning> {
        let waiting = std::mem::take(&mut self.pending).len();
        let is_passing = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        );
        self.broken |= !is_passing;
        self.mid_line = None;
        self.lost(bytes + waiting, error)
    }

    fn lost(&mut self, bytes: usize, error: &io::Error) -> Option<Warning> {
        let is_first = self.loss.add(bytes);
        is_first.then(|| Warning { text: format!("cannot write to {}: {error}", self.name) })
    }

    fn recovered(&mut self) -> Option<Warning> {
        let lost = self.loss.end()?;
        let lost = counted(lost, "byte was", "bytes were");
        Some(Warning { text: format!("{} can be written to again, {lost} lost", self.name) })
    }

    /// Looks for a new reader at intervals. An inherited descriptor has only the one.
    fn find_reader(&mut self, now: Mono) -> io::Result<()> {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let path = self.path.as_deref().ok_or_else(gone)?;
        if self.token.is_some() || now < self.reopen_at {
            return Err(gone());
        }
        self.reopen_at = now.after(REOPEN_INTERVAL);
        let (file, _) = open_log(path, LOG_MODE)?;
        self.output = Some(Output::own(file));
        self.broken = false;
        Ok(())
    }

    /// Writes what waits: there is room again, or the reader is gone.
    pub(super) fn flush(&mut self) -> Option<Warning> {
        while let Some(output) = self.output.as_ref().filter(|_| !self.broken) {
            let (front, _) = self.pending.as_slices();
            if front.is_empty() {
                break;
            }
            match output.write(front) {
                Ok(0) => break,
                Ok(count) => drop(self.pending.drain(..count)),
                Err(error) => return self.failed(0, &error),
            }
        }
        if self.pending.is_empty() {
            self.pending = VecDeque::new();
        }
        None
    }

    /// Watches it while something waits for room, and only then.
    pub(super) fn watch(&mut self, id: DestinationId, poller: &Poller, tokens: &mut Tokens) {
        match (&self.output, self.token) {
            (Some(output), None) if !self.pending.is_empty() => {
                let token = tokens.add(Watched::Destination(id));
                let room = Interest { read: false, write: true };
                match poller.add(output, token, room) {
                    Ok(()) => self.token = Some(token),
                    // What cannot be waited for never makes anything wait: a regular file.
                    Err(_) => {
                        tokens.remove(token);
                        self.pending.clear();
                    }
                }
            }
            (Some(_), Some(_)) if self.pending.is_empty() => self.unwatch(poller, tokens),
            _ => {}
        }
        if self.broken && self.token.is_none() {
            self.output = None;
        }
    }

    /// Drops what waits for the reader, so that it can be closed.
    pub(super) fn discard(&mut self, poller: &Poller, tokens: &mut Tokens) {
        self.pending.clear();
        self.unwatch(poller, tokens);
    }

    fn unwatch(&mut self, poller: &Poller, tokens: &mut Tokens) {
        let Some(token) = self.token.take() else { return };
        if let Some(output) = &self.output {
            poller.remove(output.as_fd());
        }
        tokens.remove(token);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::OwnedFd;

    use super::*;
    use crate::sys::scratch::Folder;

    fn pipe() -> (File, BufferedOutput) {
        let (read, write): (OwnedFd, OwnedFd) = rustix::pipe::pipe().unwrap();
        rustix::fs::fcntl_setfl(&write, rustix::fs::OFlags::NONBLOCK).unwrap();
        let output = BufferedOutput::new("standard output", Some(Output::own(File::from(write))), None);
        (File::from(read), output)
    }

    #[test]
    fn a_begun_line_is_ended_before_another_writer_writes() {
        let (mut reader, mut output) = pipe();
        for (writer, text) in
            [(1, "a1"), (1, "a2\n"), (2, "b\n"), (1, "half"), (2, "b\n"), (0, "own\n"), (1, "x")]
        {
            assert_eq!(output.write(WriterId(writer), text.as_bytes(), Mono::default()), None);
        }
        drop(output);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a1a2\nb\nhalf\nb\nown\nx");
    }

    #[test]
    fn a_reader_that_is_gone_is_reported_once() {
        let (reader, mut output) = pipe();
        drop(reader);
        let warning = output.write(OURSELVES, b"12345", Mono::default()).unwrap();
        assert!(warning.text.starts_with("cannot write to standard output: "), "{warning:?}");
        assert_eq!(output.write(OURSELVES, b"67", Mono::default()), None);
        assert!(output.broken && output.pending.is_empty());
    }

    #[test]
    fn the_buffer_is_bounded() {
        let (_reader, mut output) = pipe();
        let chunk = vec![b'x'; 100_000];
        let warnings: Vec<_> =
            (0..100).filter_map(|_| output.write(WriterId(1), &chunk, Mono::default())).collect();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(output.pending.len() <= PENDING_LAST_OUTPUT_BYTES_MAX + chunk.len());
    }

    #[test]
    fn a_fifo_is_opened_again_when_it_has_a_reader() {
        let folder = Folder::new("outputs-fifo");
        let path = folder.join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut output = BufferedOutput::new("log 'fifo'", None, Some(path.clone()));
        let at = |secs| Mono(Duration::from_secs(secs));
        assert!(
            output
                .write(WriterId(1), b"one", at(10))
                .unwrap()
                .text
                .starts_with("cannot write to log 'fifo': ")
        );
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK;
        let reader = rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).unwrap();
        assert_eq!(output.write(WriterId(1), b"two", at(10)), None, "not so soon");
        let warnings = output.write(WriterId(1), b"three", at(11)).unwrap();
        assert_eq!(warnings.text, "log 'fifo' can be written to again, 6 bytes were lost");
        let mut text = [0; 16];
        assert_eq!(rustix::io::read(&reader, &mut text).unwrap(), 5);
        assert_eq!(&text[..5], b"three");
    }
}
