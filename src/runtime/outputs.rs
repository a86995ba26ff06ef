//! Places to write to that have a reader who may be slow: our standard output and error, other
//! descriptors that we were given, log paths that turned out to be pipes or terminals, and syslog.
//!
//! What does not fit now is kept, up to a bound. Whoever writes here asks [`Outputs::is_full`]
//! first and stops reading the child that has more to say; so a slow reader slows the chatty
//! child down and nobody else.
//!
//! A reader that is gone, or a disk that is full, holds nobody up: what can't be written is dropped and
//! counted, told once when that begins and once when it is over.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::logfile::{LOG_MODE, LogFiles};
use super::sinks::Trouble;
use super::syslog::Syslog;
use super::{Source, Sources};
use crate::logs::{Loss, OwnForm};
use crate::model::{Channel, LogLevel, Mono, Now};
use crate::sys::files::open_log;
use crate::sys::output::Output;
use crate::sys::poller::{Interest, Poller};

/// Bytes kept for a reader before children are no longer read.
const PENDING_BYTES_MAX: usize = 256 * 1024;

/// Bytes kept for a reader before activity log lines, which nobody can be made to hold back, are
/// dropped.
const PENDING_LINES_BYTES_MAX: usize = 2 * PENDING_BYTES_MAX;

/// Bytes kept for a reader before anything is dropped: last words of children come however full it is.
const PENDING_LAST_WORDS_BYTES_MAX: usize = 8 * PENDING_BYTES_MAX;

/// How often a path whose reader is gone is opened again, if there is something to write.
const REOPEN_EVERY: Duration = Duration::from_secs(1);

/// Outputs that nobody writes to any more and whose readers have not taken all. When there are more, the
/// oldest is closed.
const CLOSING_OUTPUTS_MAX: usize = 16;

/// One of [`Outputs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OutputId(u64);

pub(super) const STDOUT: OutputId = OutputId(0);
pub(super) const STDERR: OutputId = OutputId(1);

/// Whose bytes these are: a stream's token, or the supervisor's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Writer(pub(super) u64);

pub(super) const OURSELVES: Writer = Writer(0);

#[derive(Debug)]
struct Slow {
    output: Option<Output>,
    /// Its reader is gone: nothing is written or kept. The descriptor is let go of once it is off the
    /// poller, which would go on reporting a copy of it that others hold.
    broken: bool,
    name: String,
    /// Where it is opened again; `None` for descriptors that we were given.
    path: Option<PathBuf>,
    reopen_at: Mono,
    pending: VecDeque<u8>,
    /// Set while it is watched for room.
    token: Option<u64>,
    /// Who has begun a line that is not complete yet.
    mid_line: Option<Writer>,
    dropped_lines: u64,
    loss: Loss,
    /// Streams that write here, and our own log if it does.
    writers: usize,
    /// 1 while our own log does.
    own_writers: usize,
}

/// All of them. One is closed with its last writer, except our standard output and error.
#[derive(Debug)]
pub(super) struct Outputs {
    all: BTreeMap<OutputId, Slow>,
    last: u64,
    pub(super) files: LogFiles,
    /// The numbers from 3 on that we were given.
    inherited: Vec<i32>,
    pub(super) syslog: Syslog,
    /// Of this turn.
    pub(super) now: Now,
    /// Of our own lines.
    pub(super) own_form: OwnForm,
}

impl Outputs {
    /// Our standard output and error, and what else we were given. One that can't be used takes
    /// everything and keeps nothing.
    pub(super) fn own(inherited: Vec<i32>, syslog: Syslog) -> Self {
        let (all, files) = (standard_outputs(), LogFiles::default());
        Self {
            all,
            last: STDERR.0,
            files,
            inherited,
            syslog,
            now: Now::default(),
            own_form: OwnForm::default(),
        }
    }

    /// The same places for a process whose standard output and error are others now.
    pub(super) fn renewed(mut self) -> Self {
        self.all.extend(standard_outputs());
        self
    }

    /// A descriptor that we were given, with one more writer.
    ///
    /// # Errors
    /// EBADF for one that we were not.
    pub(super) fn descriptor(&mut self, number: u32) -> io::Result<OutputId> {
        let id = match i32::try_from(number) {
            Ok(1) => STDOUT,
            Ok(2) => STDERR,
            Ok(number) if self.inherited.contains(&number) => {
                let name = format!("descriptor {number}");
                match self.find(|slow| slow.name == name) {
                    Some(id) => id,
                    None => self.insert(Slow::new(&name, Some(Output::inherited_number(number)?), None)),
                }
            }
            Ok(_) | Err(_) => return Err(io::Error::from_raw_os_error(nix::libc::EBADF)),
        };
        Ok(self.with_writer(id))
    }

    /// The output for a path, which was opened with O_NONBLOCK, with one more writer. Without a file its reader
    /// is not there yet. All who write to a path share its last opening.
    pub(super) fn add(&mut self, path: &Path, open: Option<Output>) -> OutputId {
        let id = match self.find(|slow| slow.path.as_deref() == Some(path)) {
            Some(id) => {
                self.all.entry(id).and_modify(|slow| slow.renew(open));
                id
            }
            None => {
                let name = format!("log '{}'", path.display());
                self.insert(Slow::new(&name, open, Some(path.to_owned())))
            }
        };
        self.with_writer(id)
    }

    /// Whether several streams of programs write here, so that half a line of one could meet one of another.
    pub(super) fn is_shared(&self, id: OutputId) -> bool {
        self.all.get(&id).is_some_and(|slow| slow.writers > slow.own_writers + 1)
    }

    /// One of the writers is our own log, or is not any more. It writes whole lines only.
    pub(super) fn count_own_log(&mut self, id: OutputId, is_open: bool) {
        if let Some(slow) = self.all.get_mut(&id) {
            slow.own_writers =
                if is_open { slow.own_writers + 1 } else { slow.own_writers.saturating_sub(1) };
        }
    }

    fn find(&self, is_it: impl Fn(&Slow) -> bool) -> Option<OutputId> {
        self.all.iter().find(|(_, slow)| is_it(slow)).map(|(id, _)| *id)
    }

    fn insert(&mut self, slow: Slow) -> OutputId {
        self.last += 1;
        self.all.insert(OutputId(self.last), slow);
        OutputId(self.last)
    }

    fn with_writer(&mut self, id: OutputId) -> OutputId {
        self.all.entry(id).and_modify(|slow| slow.writers += 1);
        id
    }

    /// One writer less. Without any it is closed as soon as its reader has taken what waits, see
    /// [`Outputs::watch`].
    pub(super) fn release(&mut self, id: OutputId) {
        self.all.entry(id).and_modify(|slow| slow.writers = slow.writers.saturating_sub(1));
    }

    /// Opens all paths again, as somebody may have put another pipe in the place of one.
    pub(super) fn reopen(&mut self) {
        for slow in self.all.values_mut() {
            // One that can't be opened has no reader now: what is open is as good.
            let open = slow.path.as_deref().and_then(|path| open_log(path, LOG_MODE).ok());
            slow.renew(open.map(|(file, _)| Output::own(file)));
        }
    }

    /// Takes bytes of a child: all of them, whether they fit or not.
    pub(super) fn write(&mut self, id: OutputId, writer: Writer, bytes: &[u8]) -> Option<Trouble> {
        let now = self.now.mono;
        self.all.get_mut(&id)?.write(writer, bytes, now)
    }

    /// Takes a line of the activity log for our standard output, unless there is far too much
    /// waiting already.
    pub(super) fn stdout(&mut self, line: &[u8]) -> Option<Trouble> {
        self.line(STDOUT, line)
    }

    /// Takes lines for our standard output or standard error in the same way.
    pub(super) fn lines(&mut self, channel: Channel, lines: &[u8]) -> Option<Trouble> {
        match channel {
            Channel::Stdout => self.line(STDOUT, lines),
            Channel::Stderr => self.line(STDERR, lines),
        }
    }

    /// Says something on standard error that has no other place to go.
    pub(super) fn complain(&mut self, text: &str) {
        let line = self.own_line(LogLevel::Error, text);
        self.line(STDERR, &line);
    }

    fn own_line(&self, level: LogLevel, text: &str) -> Vec<u8> {
        let shaped = self.own_form.line(self.now.wall, level, text);
        shaped.unwrap_or_else(|| format!("sv: {text}\n").into_bytes())
    }

    /// Takes lines that may be dropped. How many were is told with the next that is not.
    fn line(&mut self, id: OutputId, line: &[u8]) -> Option<Trouble> {
        let now = self.now.mono;
        let slow = self.all.get_mut(&id)?;
        if slow.pending.len() > PENDING_LINES_BYTES_MAX {
            slow.dropped_lines += memchr::memchr_iter(b'\n', line).count() as u64;
            return None;
        }
        if slow.dropped_lines > 0 {
            let lines = std::mem::take(&mut slow.dropped_lines);
            let text = format!("{lines} lines were dropped here, the reader was too slow");
            let line = self.own_line(LogLevel::Warn, &text);
            self.all.get_mut(&id)?.write(OURSELVES, &line, now);
        }
        self.all.get_mut(&id)?.write(OURSELVES, line, now)
    }

    /// Whether children that write here are to wait.
    pub(super) fn is_full(&self, id: OutputId) -> bool {
        self.all.get(&id).is_some_and(|slow| slow.pending.len() >= PENDING_BYTES_MAX)
    }

    /// Whether children that write to any of them are to wait.
    pub(super) fn is_any_full(&self) -> bool {
        self.syslog.is_full() || self.all.keys().any(|id| self.is_full(*id))
    }

    /// Whether anything waits for a reader.
    pub(super) fn has_pending(&self) -> bool {
        self.syslog.has_pending() || self.all.values().any(|slow| !slow.pending.is_empty())
    }

    /// There is room again, or the reader is gone.
    pub(super) fn flush(&mut self, id: OutputId) -> Option<Trouble> {
        self.all.get_mut(&id)?.flush()
    }

    /// Watches those that have something waiting, and only those.
    pub(super) fn watch(&mut self, poller: &Poller, sources: &mut Sources) {
        for (id, slow) in &mut self.all {
            slow.watch(*id, poller, sources);
        }
        self.close_unused(poller, sources);
        self.syslog.watch(poller, sources);
    }

    /// Closes those that nobody writes to any more: at once if nothing waits for the reader.
    fn close_unused(&mut self, poller: &Poller, sources: &mut Sources) {
        let mut closing = 0;
        let unused = |(id, slow): &(&OutputId, &mut Slow)| **id > STDERR && slow.writers == 0;
        for (_, slow) in self.all.iter_mut().rev().filter(unused) {
            closing += usize::from(!slow.pending.is_empty());
            if closing > CLOSING_OUTPUTS_MAX {
                slow.pending.clear();
                slow.unwatch(poller, sources);
            }
        }
        self.all.retain(|id, slow| *id <= STDERR || slow.writers > 0 || !slow.pending.is_empty());
    }

    /// The descriptor behind an output.
    pub(super) fn get(&self, id: OutputId) -> Option<&Output> {
        self.all.get(&id)?.output.as_ref()
    }
}

fn standard_outputs() -> BTreeMap<OutputId, Slow> {
    let stdout = Output::inherited(io::stdout().as_fd()).ok();
    let stderr = Output::inherited(io::stderr().as_fd()).ok();
    [(STDOUT, "standard output", stdout), (STDERR, "standard error", stderr)]
        .into_iter()
        .map(|(id, name, output)| (id, Slow::new(name, output, None)))
        .collect()
}

impl Slow {
    fn new(name: &str, output: Option<Output>, path: Option<PathBuf>) -> Self {
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

    /// Goes on with another opening of the same path, unless something waits for the reader of this one.
    fn renew(&mut self, open: Option<Output>) {
        if open.is_some() && self.pending.is_empty() && self.token.is_none() {
            self.output = open;
            self.broken = false;
        }
    }

    fn write(&mut self, writer: Writer, bytes: &[u8], now: Mono) -> Option<Trouble> {
        if self.broken
            && let Err(error) = self.reopen(now)
        {
            return self.lost(bytes.len(), &error);
        }
        if self.pending.len() > PENDING_LAST_WORDS_BYTES_MAX {
            return self.lost(bytes.len(), &io::Error::other("its reader is too slow"));
        }
        let trouble = self.end_line_of_another(writer).and_then(|()| self.take(bytes));
        self.mid_line = bytes.last().filter(|&&byte| byte != b'\n').map(|_| writer);
        match trouble {
            Ok(()) => self.recovered(),
            Err((lost, error)) => self.failed(lost, &error),
        }
    }

    /// Half a line of one writer and half a line of another never make one.
    fn end_line_of_another(&mut self, writer: Writer) -> Result<(), (usize, io::Error)> {
        let is_anothers = self.mid_line.is_some_and(|begun_by| begun_by != writer);
        if is_anothers { self.take(b"\n") } else { Ok(()) }
    }

    /// Writes what there is room for and keeps the rest; the error says how much is lost.
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

    /// A full disk may have room again later, so that what is being written alone is lost; a
    /// reader that is gone takes what waits for it along.
    fn failed(&mut self, bytes: usize, error: &io::Error) -> Option<Trouble> {
        let waiting = std::mem::take(&mut self.pending).len();
        let is_passing = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        );
        self.broken |= !is_passing;
        self.mid_line = None;
        self.lost(bytes + waiting, error)
    }

    fn lost(&mut self, bytes: usize, error: &io::Error) -> Option<Trouble> {
        let is_first = self.loss.add(bytes);
        is_first.then(|| Trouble { text: format!("cannot write to {}: {error}", self.name) })
    }

    fn recovered(&mut self) -> Option<Trouble> {
        let lost = self.loss.end()?;
        Some(Trouble { text: format!("{} can be written to again, {lost} bytes were lost", self.name) })
    }

    /// Looks for a new reader now and then. A descriptor that we were given has none but the one.
    fn reopen(&mut self, now: Mono) -> io::Result<()> {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let path = self.path.as_deref().ok_or_else(gone)?;
        if self.token.is_some() || now < self.reopen_at {
            return Err(gone());
        }
        self.reopen_at = now.after(REOPEN_EVERY);
        let (file, _) = open_log(path, LOG_MODE)?;
        self.output = Some(Output::own(file));
        self.broken = false;
        Ok(())
    }

    fn flush(&mut self) -> Option<Trouble> {
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

    fn watch(&mut self, id: OutputId, poller: &Poller, sources: &mut Sources) {
        match (&self.output, self.token) {
            (Some(output), None) if !self.pending.is_empty() => {
                let token = sources.add(Source::Output(id));
                let room = Interest { read: false, write: true };
                match poller.add(output, token, room) {
                    Ok(()) => self.token = Some(token),
                    // It can't be waited for, so it is no place where anything could be waiting.
                    Err(_) => {
                        sources.remove(token);
                        self.pending.clear();
                    }
                }
            }
            (Some(_), Some(_)) if self.pending.is_empty() => self.unwatch(poller, sources),
            _ => {}
        }
        if self.broken && self.token.is_none() {
            self.output = None;
        }
    }

    fn unwatch(&mut self, poller: &Poller, sources: &mut Sources) {
        let Some(token) = self.token.take() else { return };
        if let Some(output) = &self.output {
            poller.remove(output.as_fd());
        }
        sources.remove(token);
    }
}

#[cfg(test)]
impl Outputs {
    /// For tests of what writes to files.
    pub(super) fn for_tests() -> Self {
        Self::own(Vec::new(), Syslog::new("test", Path::new("/nodir/log")))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::OwnedFd;

    use super::*;
    use crate::sys::scratch::Folder;

    fn pipe() -> (File, Slow) {
        let (read, write): (OwnedFd, OwnedFd) = rustix::pipe::pipe().unwrap();
        rustix::fs::fcntl_setfl(&write, rustix::fs::OFlags::NONBLOCK).unwrap();
        let slow = Slow::new("standard output", Some(Output::own(File::from(write))), None);
        (File::from(read), slow)
    }

    #[test]
    fn halves_of_lines_of_two_writers_never_make_one() {
        let (mut reader, mut slow) = pipe();
        for (writer, text) in
            [(1, "a1"), (1, "a2\n"), (2, "b\n"), (1, "half"), (2, "b\n"), (0, "own\n"), (1, "x")]
        {
            assert_eq!(slow.write(Writer(writer), text.as_bytes(), Mono::default()), None);
        }
        drop(slow);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a1a2\nb\nhalf\nb\nown\nx");
    }

    #[test]
    fn a_reader_that_is_gone_is_told_once() {
        let (reader, mut slow) = pipe();
        drop(reader);
        let trouble = slow.write(OURSELVES, b"12345", Mono::default()).unwrap();
        assert!(trouble.text.starts_with("cannot write to standard output: "), "{trouble:?}");
        assert_eq!(slow.write(OURSELVES, b"67", Mono::default()), None);
        assert!(slow.broken && slow.pending.is_empty());
    }

    #[test]
    fn nothing_is_kept_beyond_the_bound() {
        let (_reader, mut slow) = pipe();
        let chunk = vec![b'x'; 100_000];
        let told: Vec<_> = (0..100).filter_map(|_| slow.write(Writer(1), &chunk, Mono::default())).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(slow.pending.len() <= PENDING_LAST_WORDS_BYTES_MAX + chunk.len());
    }

    #[test]
    fn a_fifo_finds_its_reader_again() {
        let folder = Folder::new("outputs-fifo");
        let path = folder.join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut slow = Slow::new("log 'fifo'", None, Some(path.clone()));
        let at = |secs| Mono(Duration::from_secs(secs));
        assert!(
            slow.write(Writer(1), b"one", at(10)).unwrap().text.starts_with("cannot write to log 'fifo': ")
        );
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK;
        let reader = rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).unwrap();
        assert_eq!(slow.write(Writer(1), b"two", at(10)), None, "not so soon");
        let told = slow.write(Writer(1), b"three", at(11)).unwrap();
        assert_eq!(told.text, "log 'fifo' can be written to again, 6 bytes were lost");
        let mut text = [0; 16];
        assert_eq!(rustix::io::read(&reader, &mut text).unwrap(), 5);
        assert_eq!(&text[..5], b"three");
    }
}
