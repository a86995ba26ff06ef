//! Places to write to that have a reader who may be slow: our standard output and error, and log
//! paths that turned out to be pipes or terminals.
//!
//! What does not fit now is kept, up to a bound. Whoever writes here asks [`Outputs::is_full`]
//! first and stops reading the child that has more to say; so a slow reader slows the chatty
//! child down and nobody else.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::{Source, Sources};
use crate::sys::output::Output;
use crate::sys::poller::{Interest, Poller};

/// Bytes kept for a reader before children are no longer read.
const PENDING_BYTES_MAX: usize = 256 * 1024;

/// Bytes kept for a reader before activity log lines, which nobody can be made to hold back, are
/// dropped.
const PENDING_LINES_BYTES_MAX: usize = 2 * PENDING_BYTES_MAX;

/// One of [`Outputs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutputId(usize);

pub(super) const STDOUT: OutputId = OutputId(0);
pub(super) const STDERR: OutputId = OutputId(1);

#[derive(Debug)]
struct Slow {
    output: Option<Output>,
    /// Its reader is gone: nothing is written or kept any more. The descriptor is let go of once it
    /// is off the poller, which would go on reporting a copy of it that others hold.
    broken: bool,
    /// Where it was opened; `None` for our own.
    path: Option<PathBuf>,
    pending: VecDeque<u8>,
    /// Set while it is watched for room.
    token: Option<u64>,
    dropped_lines: u64,
}

/// All of them; they stay until the end, as there are no more than paths in the configuration.
#[derive(Debug)]
pub(super) struct Outputs(Vec<Slow>);

impl Outputs {
    /// Our standard output and error. One that can't be used takes everything and keeps nothing.
    pub(super) fn own() -> Self {
        let stdout = Output::inherited(io::stdout().as_fd()).ok();
        let stderr = Output::inherited(io::stderr().as_fd()).ok();
        Self(vec![Slow::new(stdout, None), Slow::new(stderr, None)])
    }

    /// The output for a path that was opened with O_NONBLOCK; the one that is open already, if
    /// there is one.
    pub(super) fn add(&mut self, path: &Path, open: impl FnOnce() -> Output) -> OutputId {
        let known = self.0.iter().position(|slow| slow.path.as_deref() == Some(path) && !slow.broken);
        OutputId(known.unwrap_or_else(|| {
            self.0.push(Slow::new(Some(open()), Some(path.to_owned())));
            self.0.len() - 1
        }))
    }

    /// Takes bytes of a child: all of them, whether they fit or not.
    pub(super) fn write(&mut self, id: OutputId, bytes: &[u8]) {
        if let Some(slow) = self.0.get_mut(id.0) {
            slow.write(bytes);
        }
    }

    /// Takes a line of the activity log for our standard output, unless there is far too much
    /// waiting already.
    pub(super) fn stdout(&mut self, line: &[u8]) {
        self.line(STDOUT, line);
    }

    /// Says something on standard error that has no other place to go.
    pub(super) fn complain(&mut self, text: &str) {
        self.line(STDERR, format!("sv: {text}\n").as_bytes());
    }

    /// Takes lines that may be dropped. How many were is told with the next that is not.
    pub(super) fn line(&mut self, id: OutputId, line: &[u8]) {
        let Some(slow) = self.0.get_mut(id.0) else { return };
        if slow.pending.len() > PENDING_LINES_BYTES_MAX {
            slow.dropped_lines += memchr::memchr_iter(b'\n', line).count() as u64;
            return;
        }
        if slow.dropped_lines > 0 {
            let text =
                format!("sv: {} lines were dropped here, the reader was too slow\n", slow.dropped_lines);
            slow.dropped_lines = 0;
            slow.write(text.as_bytes());
        }
        slow.write(line);
    }

    /// Whether children that write here are to wait.
    pub(super) fn is_full(&self, id: OutputId) -> bool {
        self.0.get(id.0).is_some_and(|slow| slow.pending.len() >= PENDING_BYTES_MAX)
    }

    /// Whether anything waits for a reader.
    pub(super) fn has_pending(&self) -> bool {
        self.0.iter().any(|slow| !slow.pending.is_empty())
    }

    /// There is room again, or the reader is gone.
    pub(super) fn flush(&mut self, id: OutputId) {
        if let Some(slow) = self.0.get_mut(id.0) {
            slow.flush();
        }
    }

    /// Watches those that have something waiting, and only those.
    pub(super) fn watch(&mut self, poller: &Poller, sources: &mut Sources) {
        for (index, slow) in self.0.iter_mut().enumerate() {
            slow.watch(OutputId(index), poller, sources);
        }
    }

    /// The descriptor behind an output.
    pub(super) fn get(&self, id: OutputId) -> Option<&Output> {
        self.0.get(id.0)?.output.as_ref()
    }
}

impl Slow {
    fn new(output: Option<Output>, path: Option<PathBuf>) -> Self {
        Self {
            broken: output.is_none(),
            output,
            path,
            pending: VecDeque::new(),
            token: None,
            dropped_lines: 0,
        }
    }

    fn write(&mut self, mut bytes: &[u8]) {
        if self.pending.is_empty() {
            bytes = self.write_now(bytes);
        }
        if !self.broken {
            self.pending.extend(bytes);
        }
    }

    /// What did not fit.
    fn write_now<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        while let Some(output) = self.output.as_ref().filter(|_| !self.broken)
            && !bytes.is_empty()
        {
            match output.write(bytes) {
                Ok(0) => break,
                Ok(count) => bytes = &bytes[count..],
                Err(error) => {
                    self.failed(&error);
                    return &[];
                }
            }
        }
        bytes
    }

    /// A full disk may have room again later, so that what is being written alone is lost; a
    /// reader that is gone does not come back.
    fn failed(&mut self, error: &io::Error) {
        if error.kind() != io::ErrorKind::StorageFull {
            self.broken = true;
            self.pending = VecDeque::new();
        }
    }

    fn flush(&mut self) {
        while let Some(output) = self.output.as_ref().filter(|_| !self.broken) {
            let (front, _) = self.pending.as_slices();
            if front.is_empty() {
                return;
            }
            match output.write(front) {
                Ok(0) => return,
                Ok(count) => drop(self.pending.drain(..count)),
                Err(error) => {
                    self.failed(&error);
                    self.pending.clear();
                }
            }
        }
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
            (Some(output), Some(token)) if self.pending.is_empty() => {
                poller.remove(output.as_fd());
                sources.remove(token);
                self.token = None;
            }
            _ => {}
        }
        if self.broken && self.token.is_none() {
            self.output = None;
        }
    }
}
