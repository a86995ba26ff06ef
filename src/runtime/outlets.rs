//! What becomes of the output of one stream of one process: it gets its form and goes to its sink, it is
//! remembered, and its lines go to syslog.
//!
//! Bytes for a file that shall be raw pass straight through.

use std::collections::BTreeMap;
use std::io;

use super::children::{Outlets, StreamId};
use super::outputs::{Outputs, Writer};
use super::sinks::{Sink, Trouble};
use super::tails::Tails;
use super::{OWN_LOG, Shell};
use crate::logs::{Lines, Ring, SYSLOG_TEXT_BYTES_MAX, Shaper, Speaker, WholeLines, severity};
use crate::model::{Channel, LogForm, LogFormat, LogLevel, LogTarget, Mono, ProcessId, StreamSpec};
use crate::sys::is_shortage;

/// Where the output of one stream goes, and as what.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) sink: Sink,
    form: LogForm,
    shape: Shape,
    /// `*_syslog`: the lines so far.
    syslog: Option<Lines>,
    /// Whether there should be an AUTO log, which could not be made.
    lacks_auto_log: bool,
    /// What is remembered of it; 0 is nothing.
    ring_bytes: usize,
    /// Since when half a line waits for the rest.
    half_since: Option<Mono>,
}

#[derive(Debug)]
enum Shape {
    /// Byte for byte, chunk by chunk.
    Exact,
    /// Byte for byte, line by line: others write there too.
    Whole(WholeLines),
    Lines(Box<Shaper>),
}

/// How lines behind a name look on the terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<'a> {
    pub(super) name: &'a str,
    pub(super) width: usize,
    pub(super) colour: Option<u64>,
}

/// What an outlet writes to that is not its own, and those who follow what is written.
pub(super) struct Around<'a> {
    pub(super) outputs: &'a mut Outputs,
    pub(super) rings: &'a mut Rings,
    pub(super) tails: &'a mut Tails,
}

impl Around<'_> {
    /// Begins to remember a stream, goes on with what was remembered of an earlier run, or forgets it.
    pub(super) fn remember(&mut self, id: StreamId, outlet: &Outlet) {
        self.rings.limit(id, outlet.ring_bytes);
        self.tails.remembered(id);
    }

    /// The same for both streams of a process.
    pub(super) fn remember_both(&mut self, process: ProcessId, outlets: &Outlets) {
        self.remember(StreamId { process, channel: Channel::Stdout }, &outlets.stdout);
        self.remember(StreamId { process, channel: Channel::Stderr }, &outlets.stderr);
    }
}

impl Outlet {
    /// A log that can't be opened is tried again later; what is wrong with it is returned as well.
    ///
    /// # Errors
    /// What opening a log says, with `strict`, for a lack of descriptors or memory, and for a descriptor that we were not given.
    pub(super) fn open(
        target: &LogTarget,
        spec: &StreamSpec,
        (form, strict): (LogForm, bool),
        outputs: &mut Outputs,
    ) -> io::Result<(Self, Option<io::Error>)> {
        let (sink, trouble) = match Sink::open(target, spec.bytes_max, spec.backups, outputs) {
            Ok(sink) => (sink, None),
            // A descriptor that we were not given will not be there later either.
            Err(error) if strict || is_shortage(&error) || is_missing_descriptor(&error) => {
                return Err(error);
            }
            Err(error) => (Sink::unopened(target, spec, outputs), Some(error)),
        };
        let syslog = spec.syslog.then(|| Lines::new(SYSLOG_TEXT_BYTES_MAX));
        let lacks_auto_log = spec.target == LogTarget::Auto && *target == LogTarget::None;
        let shape = Shape::Exact;
        let mut outlet = Self { sink, form, shape, syslog, lacks_auto_log, ring_bytes: 0, half_since: None };
        outlet.begin(form);
        Ok((outlet, trouble))
    }

    /// Begins with another form: bytes as they are, until it is known who speaks.
    pub(super) fn begin(&mut self, form: LogForm) {
        let is_remembered = match self.sink {
            Sink::File(_) => false,
            Sink::Output(_) | Sink::Unopened(_) => true,
            Sink::Nowhere => self.syslog.is_some() || self.lacks_auto_log,
        };
        self.form = form;
        self.half_since = None;
        self.ring_bytes = if is_remembered { form.ring_bytes as usize } else { 0 };
        self.shape = match self.sink {
            Sink::Output(_) => Shape::Whole(WholeLines::default()),
            Sink::Nowhere | Sink::File(_) | Sink::Unopened(_) => Shape::Exact,
        };
    }

    pub(super) fn has_form(&self, form: LogForm) -> bool {
        self.form == form
    }

    /// Takes on its form, now that it is known who speaks.
    pub(super) fn speak_as(&mut self, speaker: &Speaker<'_>, column: Column<'_>) {
        if matches!(self.sink, Sink::Nowhere) {
            return;
        }
        let (Column { name, width, colour }, form) = (column, self.form);
        let shaper = match form.format {
            LogFormat::Raw => return,
            LogFormat::Prefix => Shaper::prefix(name, width, colour, form.timestamp),
            LogFormat::Json => Shaper::json(speaker, form.timestamp),
        };
        self.shape = Shape::Lines(Box::new(shaper));
    }

    /// Nothing more is written.
    pub(super) fn close(self, outputs: &mut Outputs) {
        self.sink.close(outputs);
    }

    /// Whether chunks should be small, as their lines grow.
    pub(super) fn is_shaped(&self) -> bool {
        matches!(self.shape, Shape::Lines(_))
    }

    /// Whether whoever writes here is to wait.
    pub(super) fn is_full(&self, outputs: &Outputs) -> bool {
        self.sink.is_full(outputs) || self.syslog.is_some() && outputs.syslog.is_full()
    }

    /// Passes a chunk on to all places.
    pub(super) fn write(
        &mut self,
        bytes: &[u8],
        (id, writer, name): (StreamId, Writer, &str),
        around: &mut Around<'_>,
    ) -> Option<Trouble> {
        if bytes.is_empty() {
            return None;
        }
        let opened = self.retry(id, around);
        if self.ring_bytes > 0 {
            around.rings.push(id, bytes);
            around.tails.remembered(id);
        }
        let outputs = &mut *around.outputs;
        if let Some(lines) = &mut self.syslog {
            lines.feed(bytes, |piece| to_syslog(name, piece.bytes, outputs));
        }
        if memchr::memchr(b'\n', bytes).is_some() {
            self.half_since = None;
        }
        let Self { sink, shape, .. } = self;
        let (wall, mut trouble) = (outputs.now.wall, opened);
        let mut pass_on = |bytes: &[u8]| trouble = sink.write(bytes, writer, outputs).or(trouble.take());
        match shape {
            Shape::Exact => pass_on(bytes),
            Shape::Whole(lines) => lines.feed(bytes, pass_on),
            Shape::Lines(shaper) => shaper.feed(bytes, wall, pass_on),
        }
        around.tails.written_to(sink, around.outputs);
        self.pass_on_alone(writer, around.outputs).or(trouble)
    }

    /// Opens a log that could not be opened before, now and then. What is remembered of the stream instead is
    /// forgotten then.
    fn retry(&mut self, id: StreamId, around: &mut Around<'_>) -> Option<Trouble> {
        let trouble = self.sink.retry(around.outputs)?;
        let shape = std::mem::replace(&mut self.shape, Shape::Exact);
        self.begin(self.form);
        if let Shape::Lines(shaper) = shape {
            self.shape = Shape::Lines(shaper);
        }
        around.remember(id, self);
        Some(trouble)
    }

    /// With nobody else to write there, half a line need not wait for the rest.
    fn pass_on_alone(&mut self, writer: Writer, outputs: &mut Outputs) -> Option<Trouble> {
        let Shape::Whole(lines) = &self.shape else { return None };
        if !lines.is_holding() {
            self.half_since = None;
        } else if self.sink.is_shared(outputs) {
            self.half_since.get_or_insert(outputs.now.mono);
        } else {
            return self.pass_on_half(writer, outputs);
        }
        None
    }

    /// Passes on half a line, which has waited long enough for the rest. A line of another that comes before the
    /// rest begins a line of its own.
    pub(super) fn pass_on_half(&mut self, writer: Writer, outputs: &mut Outputs) -> Option<Trouble> {
        let Self { sink, shape: Shape::Whole(lines), half_since, .. } = self else { return None };
        let mut trouble = None;
        lines.finish(|bytes| trouble = sink.write(bytes, writer, outputs));
        *half_since = None;
        trouble
    }

    /// Since when half a line waits for the rest.
    pub(super) fn half_since(&self) -> Option<Mono> {
        self.half_since
    }

    /// Passes on what was held back, now that nothing follows.
    pub(super) fn finish(
        &mut self,
        (writer, name): (Writer, &str),
        around: &mut Around<'_>,
    ) -> Option<Trouble> {
        let outputs = &mut *around.outputs;
        if let Some(lines) = &mut self.syslog {
            lines.finish(|piece| to_syslog(name, piece.bytes, outputs));
        }
        self.half_since = None;
        let Self { sink, shape, .. } = self;
        let (wall, mut trouble) = (outputs.now.wall, None);
        let pass_on = |bytes: &[u8]| trouble = sink.write(bytes, writer, outputs).or(trouble.take());
        match shape {
            Shape::Exact => {}
            Shape::Whole(lines) => lines.finish(pass_on),
            Shape::Lines(shaper) => shaper.finish(wall, pass_on),
        }
        around.tails.written_to(sink, around.outputs);
        trouble
    }
}

fn is_missing_descriptor(error: &io::Error) -> bool {
    error.raw_os_error() == Some(nix::libc::EBADF)
}

fn to_syslog(process: &str, line: &[u8], outputs: &mut Outputs) {
    let now = outputs.now;
    outputs.syslog.send(severity(LogLevel::Info), &[process.as_bytes(), line], now);
}

/// What is remembered of streams that go where nothing can be read back from. It outlives the process,
/// whose last words are what people ask for.
#[derive(Debug, Default)]
pub(super) struct Rings(BTreeMap<StreamId, Ring>);

impl Rings {
    /// Remembers so many bytes of a stream from now on; 0 forgets it.
    pub(super) fn limit(&mut self, id: StreamId, bytes_max: usize) {
        if bytes_max > 0 {
            self.0.entry(id).or_insert_with(|| Ring::new(bytes_max)).limit(bytes_max);
        } else {
            self.0.remove(&id);
        }
    }

    pub(super) fn push(&mut self, id: StreamId, bytes: &[u8]) {
        if let Some(ring) = self.0.get_mut(&id) {
            ring.push(bytes);
        }
    }

    pub(super) fn get(&self, id: StreamId) -> Option<&Ring> {
        self.0.get(&id)
    }

    /// Forgets what a process has said.
    pub(super) fn clear(&mut self, process: ProcessId) {
        for id in StreamId::both(process) {
            self.0.entry(id).and_modify(Ring::clear);
        }
    }

    /// The processes whose streams are remembered.
    pub(super) fn processes(&self) -> impl Iterator<Item = ProcessId> {
        self.0.keys().filter(|id| **id != OWN_LOG).map(|id| id.process)
    }
}

impl Shell {
    /// Forgets the streams of processes that are no more, once nobody follows them.
    pub(super) fn forget_rings(&mut self) {
        let Self { forgotten, rings, tails, unopened, .. } = self;
        for process in &*forgotten {
            unopened.remove(process);
        }
        forgotten.retain(|&process| {
            let ids = StreamId::both(process);
            let is_followed = ids.iter().any(|id| tails.follows(*id));
            if !is_followed {
                ids.iter().for_each(|id| drop(rings.0.remove(id)));
            }
            is_followed
        });
    }
}
