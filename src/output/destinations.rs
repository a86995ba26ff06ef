//! Everything that is written to: log files, syslog, and destinations whose reader may be slow.
//!
//! [`Destinations::is_full`] is asked before a child is read, and the child is not read while it is true. So a slow
//! reader slows down the programs that write to it and no others.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use super::buffered::BufferedOutput;
use super::ids::{DestinationId, STDERR, STDOUT, WriterId};
use super::logfiles::LogFiles;
use super::syslog::Syslog;
use super::tokens::Tokens;
use super::warning::Warning;
use crate::logs::OwnForm;
use crate::model::{Channel, LogLevel, Now};
use crate::sys::output::Output;
use crate::sys::poller::Poller;

/// Destinations without a writer whose readers have not taken everything. When there are more, the oldest is closed.
const CLOSING_OUTPUTS_MAX: usize = 16;

/// All destinations. One is closed with its last writer, except our standard output and error.
#[derive(Debug)]
pub struct Destinations {
    /// Boxed, as there are few, and a node of the tree has room for eleven.
    all: BTreeMap<DestinationId, Box<BufferedOutput>>,
    last: u64,
    pub(super) files: LogFiles,
    /// The descriptors from 3 on that we inherited, by number.
    inherited: Vec<i32>,
    pub(super) syslog: Syslog,
    /// Of this turn.
    now: Now,
    own_form: OwnForm,
}

impl Destinations {
    /// Our standard output and error, and what else we inherited. One that cannot be used drops everything.
    #[must_use]
    pub(super) fn new(inherited: Vec<i32>, syslog: Syslog) -> Self {
        let all = standard_outputs();
        let (files, now, own_form) = (LogFiles::default(), Now::default(), OwnForm::default());
        Self { all, last: STDERR.0, files, inherited, syslog, now, own_form }
    }

    /// The process has another standard output and error now.
    pub(super) fn replace_standard_outputs(&mut self) {
        self.all.extend(standard_outputs());
    }

    /// The time of this turn.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    pub(super) fn set_now(&mut self, now: Now) {
        self.now = now;
    }

    /// The form of the supervisor's own lines.
    #[must_use]
    pub fn own_form(&self) -> &OwnForm {
        &self.own_form
    }

    /// Changes the form of the supervisor's own lines.
    pub fn set_own_form(&mut self, form: OwnForm) {
        self.own_form = form;
    }

    /// Sets the width of the column of names for the supervisor's own lines.
    pub(super) fn set_own_width(&mut self, width: usize) {
        self.own_form.set_width(width);
    }

    /// An inherited descriptor, with one more writer.
    ///
    /// # Errors
    /// EBADF for one that was not inherited.
    pub(super) fn descriptor(&mut self, number: u32) -> io::Result<DestinationId> {
        let id = match i32::try_from(number) {
            Ok(1) => STDOUT,
            Ok(2) => STDERR,
            Ok(number) if self.inherited.contains(&number) => {
                let name = format!("descriptor {number}");
                match self.find(|it| it.name() == name) {
                    Some(id) => id,
                    None => {
                        let output = Output::inherited_number(number)?;
                        self.insert(BufferedOutput::new(&name, Some(output), None))
                    }
                }
            }
            Ok(_) | Err(_) => return Err(io::Error::from_raw_os_error(nix::libc::EBADF)),
        };
        Ok(self.with_writer(id))
    }

    /// The destination for a path, which was opened with O_NONBLOCK, with one more writer. Without a file it has no
    /// reader yet. All writers of a path share its last opening.
    pub(super) fn add(&mut self, path: &Path, open: Option<Output>) -> DestinationId {
        let id = match self.find(|it| it.is_at(path)) {
            Some(id) => {
                self.all.entry(id).and_modify(|it| it.renew(open));
                id
            }
            None => {
                let name = format!("log '{}'", path.display());
                self.insert(BufferedOutput::new(&name, open, Some(path.to_owned())))
            }
        };
        self.with_writer(id)
    }

    fn find(&self, is_it: impl Fn(&BufferedOutput) -> bool) -> Option<DestinationId> {
        self.all.iter().find(|(_, it)| is_it(it)).map(|(id, _)| *id)
    }

    fn insert(&mut self, output: BufferedOutput) -> DestinationId {
        self.last += 1;
        self.all.insert(DestinationId(self.last), Box::new(output));
        DestinationId(self.last)
    }

    fn with_writer(&mut self, id: DestinationId) -> DestinationId {
        self.all.entry(id).and_modify(|it| it.add_writer());
        id
    }

    /// Removes a writer. Without any, [`Destinations::watch`] closes it once its reader has taken what waits.
    pub(super) fn release(&mut self, id: DestinationId) {
        self.all.entry(id).and_modify(|it| it.remove_writer());
    }

    /// Whether several streams of programs write here, so that their unfinished lines could meet.
    pub(super) fn is_shared(&self, id: DestinationId) -> bool {
        self.all.get(&id).is_some_and(|it| it.is_shared())
    }

    /// One of the writers is the activity log, or no longer is.
    pub fn count_own_log(&mut self, id: DestinationId, is_open: bool) {
        self.all.entry(id).and_modify(|it| it.count_own_log(is_open));
    }

    /// Opens all paths again, as another pipe may have been put in the place of one.
    pub(super) fn reopen(&mut self) {
        self.all.values_mut().for_each(|it| it.reopen());
    }

    /// Takes bytes of a child: all of them, whether they fit or not.
    pub(super) fn write(&mut self, id: DestinationId, writer: WriterId, bytes: &[u8]) -> Option<Warning> {
        let now = self.now.mono;
        self.all.get_mut(&id)?.write(writer, bytes, now)
    }

    /// Takes lines for our standard output or standard error. They are dropped while far too much waits there.
    pub fn write_lines(&mut self, channel: Channel, lines: &[u8]) -> Option<Warning> {
        let id = match channel {
            Channel::Stdout => STDOUT,
            Channel::Stderr => STDERR,
        };
        let (form, now) = (&self.own_form, self.now);
        let note = |text: &str| own_line(form, now, LogLevel::Warn, text);
        self.all.get_mut(&id)?.write_lines(lines, now.mono, note)
    }

    /// Writes an error to standard error that has no other place to go.
    pub fn complain(&mut self, text: &str) {
        let line = own_line(&self.own_form, self.now, LogLevel::Error, text);
        self.write_lines(Channel::Stderr, &line);
    }

    /// Sends a message to syslog, or keeps it for later. The parts of its text are joined by spaces.
    pub fn send_to_syslog(&mut self, severity: u8, text: &[&[u8]]) {
        self.syslog.send(severity, text, self.now);
    }

    /// Whether children that write here have to wait.
    pub(super) fn is_full(&self, id: DestinationId) -> bool {
        self.all.get(&id).is_some_and(|it| it.is_full())
    }

    /// Bytes that could not be written to a destination so far.
    pub(super) fn lost_bytes(&self, id: DestinationId) -> u64 {
        self.all.get(&id).map_or(0, |it| it.lost_bytes())
    }

    /// Whether children that write to any of them have to wait.
    pub(super) fn is_any_full(&self) -> bool {
        self.syslog.is_full() || self.all.values().any(|it| it.is_full())
    }

    /// Whether anything waits for a reader.
    pub(super) fn has_pending(&self) -> bool {
        self.syslog.has_pending() || self.all.values().any(|it| it.has_pending())
    }

    /// There is room again, or the reader is gone.
    pub(super) fn flush(&mut self, id: DestinationId) -> Option<Warning> {
        self.all.get_mut(&id)?.flush()
    }

    /// Watches those that have something waiting, and only those.
    pub(super) fn watch(&mut self, poller: &Poller, tokens: &mut Tokens) {
        for (id, output) in &mut self.all {
            output.watch(*id, poller, tokens);
        }
        self.close_unused(poller, tokens);
        self.syslog.watch(poller, tokens);
    }

    /// Closes those without a writer: at once if nothing waits for the reader.
    fn close_unused(&mut self, poller: &Poller, tokens: &mut Tokens) {
        let mut closing = 0;
        let unused =
            |(id, it): &(&DestinationId, &mut Box<BufferedOutput>)| **id > STDERR && !it.has_writers();
        for (_, output) in self.all.iter_mut().rev().filter(unused) {
            closing += usize::from(output.has_pending());
            if closing > CLOSING_OUTPUTS_MAX {
                output.discard(poller, tokens);
            }
        }
        self.all.retain(|id, it| *id <= STDERR || it.has_writers() || it.has_pending());
    }

    /// What a destination writes to, unless that is gone.
    pub(super) fn get(&self, id: DestinationId) -> Option<&Output> {
        self.all.get(&id)?.output()
    }
}

fn own_line(form: &OwnForm, now: Now, level: LogLevel, text: &str) -> Vec<u8> {
    form.line(now.wall, level, text).unwrap_or_else(|| format!("sv: {text}\n").into_bytes())
}

fn standard_outputs() -> BTreeMap<DestinationId, Box<BufferedOutput>> {
    let stdout = Output::inherited(io::stdout().as_fd()).ok();
    let stderr = Output::inherited(io::stderr().as_fd()).ok();
    let mut all = BTreeMap::new();
    all.insert(STDOUT, Box::new(BufferedOutput::new("standard output", stdout, None)));
    all.insert(STDERR, Box::new(BufferedOutput::new("standard error", stderr, None)));
    all
}

#[cfg(test)]
impl Destinations {
    /// For tests of what writes to files.
    pub(super) fn for_tests() -> Self {
        Self::new(Vec::new(), Syslog::new("test", Path::new("/nodir/log")))
    }
}
