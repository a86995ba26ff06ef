//! What becomes of the output of one stream of one process: it gets its form and goes to its sink, it is
//! remembered, and its lines go to syslog.
//!
//! Bytes for a file that shall be raw pass straight through.

use std::collections::BTreeMap;
use std::io;

use super::Shell;
use super::children::StreamId;
use super::outputs::{Outputs, Writer};
use super::sinks::{Sink, Trouble};
use super::tails::Tails;
use crate::logs::{Lines, Ring, SYSLOG_TEXT_BYTES_MAX, Shaper, Speaker, WholeLines, severity};
use crate::model::{LogForm, LogFormat, LogLevel, LogTarget, ProcessId, StreamSpec};

/// Where the output of one stream goes, and as what.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) sink: Sink,
    form: LogForm,
    shape: Shape,
    /// `*_syslog`: the lines so far.
    syslog: Option<Lines>,
    /// What is remembered of it; 0 is nothing.
    ring_bytes: usize,
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
        self.rings.prepare(id, outlet);
        self.tails.remembered(id);
    }
}

impl Outlet {
    /// # Errors
    /// What opening a log says.
    pub(super) fn open(
        target: &LogTarget,
        spec: &StreamSpec,
        form: LogForm,
        outputs: &mut Outputs,
    ) -> io::Result<Self> {
        let sink = Sink::open(target, spec.bytes_max, spec.backups, outputs)?;
        let syslog = spec.syslog.then(|| Lines::new(SYSLOG_TEXT_BYTES_MAX));
        let mut outlet = Self { sink, form, shape: Shape::Exact, syslog, ring_bytes: 0 };
        outlet.begin(form);
        Ok(outlet)
    }

    /// Begins with another form: bytes as they are, until it is known who speaks.
    pub(super) fn begin(&mut self, form: LogForm) {
        let is_remembered = match self.sink {
            Sink::File(_) => false,
            Sink::Output(_) => true,
            Sink::Nowhere => self.syslog.is_some(),
        };
        self.form = form;
        self.ring_bytes = if is_remembered { form.ring_bytes as usize } else { 0 };
        self.shape = match self.sink {
            Sink::Output(_) => Shape::Whole(WholeLines::default()),
            Sink::Nowhere | Sink::File(_) => Shape::Exact,
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
        if self.ring_bytes > 0 {
            around.rings.push(id, bytes);
            around.tails.remembered(id);
        }
        let outputs = &mut *around.outputs;
        if let Some(lines) = &mut self.syslog {
            lines.feed(bytes, |piece| to_syslog(name, piece.bytes, outputs));
        }
        let Self { sink, shape, .. } = self;
        let (wall, mut trouble) = (outputs.now.wall, None);
        let mut pass_on = |bytes: &[u8]| trouble = sink.write(bytes, writer, outputs).or(trouble.take());
        match shape {
            Shape::Exact => pass_on(bytes),
            Shape::Whole(lines) => lines.feed(bytes, pass_on),
            Shape::Lines(shaper) => shaper.feed(bytes, wall, pass_on),
        }
        around.tails.written_to(sink, around.outputs);
        trouble
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

fn to_syslog(process: &str, line: &[u8], outputs: &mut Outputs) {
    let now = outputs.now;
    outputs.syslog.send(severity(LogLevel::Info), &[process.as_bytes(), line], now);
}

/// What is remembered of streams that go where nothing can be read back from. It outlives the process,
/// whose last words are what people ask for.
#[derive(Debug, Default)]
pub(super) struct Rings(BTreeMap<StreamId, Ring>);

impl Rings {
    fn prepare(&mut self, id: StreamId, outlet: &Outlet) {
        if outlet.ring_bytes > 0 {
            self.0.entry(id).or_insert_with(|| Ring::new(outlet.ring_bytes)).limit(outlet.ring_bytes);
        } else {
            self.0.remove(&id);
        }
    }

    fn push(&mut self, id: StreamId, bytes: &[u8]) {
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

    /// Whose streams are remembered.
    pub(super) fn processes(&self) -> impl Iterator<Item = ProcessId> {
        self.0.keys().map(|id| id.process)
    }
}

impl Shell {
    /// Forgets the streams of processes that are no more, once nobody follows them.
    pub(super) fn forget_rings(&mut self) {
        let Self { forgotten, rings, tails, .. } = self;
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
