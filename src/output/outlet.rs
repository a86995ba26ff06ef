//! What becomes of the output of one stream: it is formatted and written to its sink, its last bytes are kept in a
//! ring, and its lines are sent to syslog.
//!
//! Raw bytes for a file pass straight through.

use std::io;

use super::destinations::Destinations;
use super::followers::Followers;
use super::ids::{StreamId, WriterId};
use super::records::Records;
use super::sink::Sink;
use super::warning::Warning;
use crate::logs::{Lines, SYSLOG_TEXT_BYTES_MAX, Shaper, Speaker, WholeLines, severity};
use crate::model::{LogForm, LogFormat, LogLevel, LogTarget, Mono, StreamSpec};
use crate::sys::is_shortage;

/// Where the output of one stream goes, and in which form.
#[derive(Debug)]
pub(super) struct Outlet {
    sink: Sink,
    form: LogForm,
    shape: Shape,
    /// `*_syslog`: the lines so far.
    syslog: Option<Box<Lines>>,
    /// Whether there should be an AUTO log, which could not be created.
    lacks_auto_log: bool,
    /// The size of its ring; 0 without one.
    ring_bytes: u32,
}

#[derive(Debug)]
enum Shape {
    /// Byte for byte, chunk by chunk.
    Exact,
    /// Byte for byte, by whole lines: others write there, too.
    Whole(Option<Box<UnfinishedLine>>),
    /// Formatted line by line.
    Lines(Box<Shaper>),
}

/// A line whose end was not read yet.
#[derive(Debug, Default)]
struct UnfinishedLine {
    lines: WholeLines,
    /// Since when it waits for the rest.
    since: Option<Mono>,
}

/// How the name before a line looks with `log_format=prefix`.
#[derive(Clone, Copy, Debug)]
pub(super) struct NamePrefix<'a> {
    pub(super) name: &'a str,
    pub(super) width: usize,
    pub(super) colour: Option<u64>,
}

/// What all outlets write to, and the clients that follow what is written.
pub(super) struct Targets<'a> {
    pub(super) destinations: &'a mut Destinations,
    pub(super) records: &'a mut Records,
    pub(super) followers: &'a mut Followers,
    /// Formatted lines, on their way to a sink.
    pub(super) formatted: &'a mut Vec<u8>,
}

impl Outlet {
    /// A log that cannot be opened is tried again later, and the error is returned as well.
    ///
    /// # Errors
    /// The error of opening a log: with `strict`, for a lack of descriptors or memory, and for a descriptor that was not
    /// inherited.
    pub(super) fn open(
        target: &LogTarget,
        spec: &StreamSpec,
        (form, strict): (LogForm, bool),
        destinations: &mut Destinations,
    ) -> io::Result<(Self, Option<io::Error>)> {
        let (sink, error) = match Sink::open(target, spec.bytes_max, spec.backups, destinations) {
            Ok(sink) => (sink, None),
            // A descriptor that was not inherited will not be there later either.
            Err(error) if strict || is_shortage(&error) || is_missing_descriptor(&error) => {
                return Err(error);
            }
            Err(error) => (Sink::unopened(target, spec, destinations), Some(error)),
        };
        let syslog = spec.syslog.then(|| Box::new(Lines::new(SYSLOG_TEXT_BYTES_MAX)));
        let lacks_auto_log = spec.target == LogTarget::Auto && *target == LogTarget::None;
        let mut outlet = Self { sink, form, shape: Shape::Exact, syslog, lacks_auto_log, ring_bytes: 0 };
        outlet.begin(form);
        Ok((outlet, error))
    }

    /// Begins with another form: bytes as they are, until [`Outlet::format_as`].
    pub(super) fn begin(&mut self, form: LogForm) {
        let has_ring = match self.sink {
            Sink::File(_) => false,
            Sink::Destination(_) | Sink::Unopened(_) => true,
            Sink::Nowhere => self.syslog.is_some() || self.lacks_auto_log,
        };
        self.form = form;
        self.ring_bytes = if has_ring { form.ring_bytes } else { 0 };
        self.shape = match self.sink {
            Sink::Destination(_) => Shape::Whole(None),
            Sink::Nowhere | Sink::File(_) | Sink::Unopened(_) => Shape::Exact,
        };
    }

    /// Gives the stream a ring, keeps that of an earlier run, or removes it.
    pub(super) fn limit_ring(&self, id: StreamId, targets: &mut Targets<'_>) {
        targets.records.limit_ring(id, self.ring_bytes as usize);
        targets.followers.ring_changed(id);
    }

    pub(super) fn has_form(&self, form: LogForm) -> bool {
        self.form == form
    }

    /// Formats lines from now on, as the process that writes them is known.
    pub(super) fn format_as(&mut self, speaker: &Speaker<'_>, column: NamePrefix<'_>) {
        if matches!(self.sink, Sink::Nowhere) {
            return;
        }
        let (NamePrefix { name, width, colour }, form) = (column, self.form);
        let shaper = match form.format {
            LogFormat::Raw => return,
            LogFormat::Prefix => Shaper::prefix(name, width, colour, form.timestamp),
            LogFormat::Json => Shaper::json(speaker, form.timestamp),
        };
        self.shape = Shape::Lines(Box::new(shaper));
    }

    pub(super) fn sink(&self) -> &Sink {
        &self.sink
    }

    pub(super) fn sink_mut(&mut self) -> &mut Sink {
        &mut self.sink
    }

    /// Nothing more is written.
    pub(super) fn close(self, destinations: &mut Destinations) {
        self.sink.close(destinations);
    }

    /// Whether lines are formatted, and so become longer.
    pub(super) fn is_formatted(&self) -> bool {
        matches!(self.shape, Shape::Lines(_))
    }

    /// Whether the child that writes here has to wait.
    pub(super) fn is_full(&self, destinations: &Destinations) -> bool {
        self.sink.is_full(destinations) || self.syslog.is_some() && destinations.syslog.is_full()
    }

    /// Writes a chunk to all places where it goes.
    pub(super) fn write(
        &mut self,
        bytes: &[u8],
        (id, writer, name): (StreamId, WriterId, &str),
        targets: &mut Targets<'_>,
    ) -> Option<Warning> {
        if bytes.is_empty() {
            return None;
        }
        let opened = self.retry(id, targets);
        if self.ring_bytes > 0 {
            targets.records.push_to_ring(id, bytes);
            targets.followers.ring_changed(id);
        }
        let destinations = &mut *targets.destinations;
        if let Some(lines) = &mut self.syslog {
            lines.feed(bytes, &mut |piece| to_syslog(name, piece.bytes, destinations));
        }
        let Self { sink, shape, .. } = self;
        let (wall, mut warning) = (destinations.now().wall, opened);
        let mut write = |bytes: &[u8]| warning = sink.write(bytes, writer, destinations).or(warning.take());
        match shape {
            Shape::Exact => write(bytes),
            Shape::Whole(unfinished) => {
                let line = unfinished.get_or_insert_default();
                if memchr::memchr(b'\n', bytes).is_some() {
                    line.since = None;
                }
                line.lines.feed(bytes, &mut write);
                unfinished.take_if(|line| !line.lines.is_holding());
            }
            Shape::Lines(shaper) => shaper.feed(bytes, wall, targets.formatted, &mut write),
        }
        targets.followers.written_to(sink.file(targets.destinations));
        self.write_unfinished_if_alone(writer, targets.destinations).or(warning)
    }

    /// Opens a log that could not be opened before, when that is due. The ring that stood in for it is removed then.
    fn retry(&mut self, id: StreamId, targets: &mut Targets<'_>) -> Option<Warning> {
        let warning = self.sink.retry(targets.destinations)?;
        let shape = std::mem::replace(&mut self.shape, Shape::Exact);
        self.begin(self.form);
        if let Shape::Lines(shaper) = shape {
            self.shape = Shape::Lines(shaper);
        }
        self.limit_ring(id, targets);
        Some(warning)
    }

    /// Without other writers, an unfinished line need not wait for the rest.
    fn write_unfinished_if_alone(
        &mut self,
        writer: WriterId,
        destinations: &mut Destinations,
    ) -> Option<Warning> {
        let Shape::Whole(Some(line)) = &mut self.shape else { return None };
        if !self.sink.is_shared(destinations) {
            return self.write_unfinished(writer, destinations);
        }
        line.since.get_or_insert(destinations.now().mono);
        None
    }

    /// Writes an unfinished line that has waited long enough for the rest. If another stream writes before the rest
    /// comes, that begins a line of its own.
    pub(super) fn write_unfinished(
        &mut self,
        writer: WriterId,
        destinations: &mut Destinations,
    ) -> Option<Warning> {
        let Self { sink, shape: Shape::Whole(unfinished), .. } = self else { return None };
        let mut warning = None;
        if let Some(mut line) = unfinished.take() {
            line.lines.finish(&mut |bytes| warning = sink.write(bytes, writer, destinations));
        }
        warning
    }

    /// Since when an unfinished line waits for the rest.
    pub(super) fn unfinished_since(&self) -> Option<Mono> {
        let Shape::Whole(Some(line)) = &self.shape else { return None };
        line.since
    }

    /// Writes what was held back, as nothing follows.
    pub(super) fn finish(
        &mut self,
        (writer, name): (WriterId, &str),
        targets: &mut Targets<'_>,
    ) -> Option<Warning> {
        let destinations = &mut *targets.destinations;
        if let Some(lines) = &mut self.syslog {
            lines.finish(&mut |piece| to_syslog(name, piece.bytes, destinations));
        }
        let Self { sink, shape, .. } = self;
        let (wall, mut warning) = (destinations.now().wall, None);
        let mut write = |bytes: &[u8]| warning = sink.write(bytes, writer, destinations).or(warning.take());
        match shape {
            Shape::Exact => {}
            Shape::Whole(unfinished) => {
                if let Some(mut line) = unfinished.take() {
                    line.lines.finish(&mut write);
                }
            }
            Shape::Lines(shaper) => shaper.finish(wall, targets.formatted, &mut write),
        }
        targets.followers.written_to(sink.file(targets.destinations));
        warning
    }
}

fn is_missing_descriptor(error: &io::Error) -> bool {
    error.raw_os_error() == Some(nix::libc::EBADF)
}

fn to_syslog(process: &str, line: &[u8], destinations: &mut Destinations) {
    destinations.send_to_syslog(severity(LogLevel::Info), &[process.as_bytes(), line]);
}
