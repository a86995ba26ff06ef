//! Children that live: their pipes, and where what they say goes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::outlets::{Around, Column, Outlet};
use super::outputs::{Outputs, Writer};
use super::sinks::{Sink, Trouble};
use super::stdin::Stdin;
use super::{READ_BYTES_MAX, Shell, Source, Sources};
use crate::events::OutputKind;
use crate::logs::{AnsiStripper, Capture, LINE_BYTES_MAX, Piece, Speaker, conversation_echo, output_echo};
use crate::model::{
    Channel, LogForm, LogFormat, LogLevel, LogTarget, Namespec, Pid, ProcessId, ProcessSpec, StreamSpec,
};
use crate::python::quote;
use crate::supervise::Input;
use crate::sys::output::read_ready;
use crate::sys::poller::{Interest, Poller};
use crate::sys::spawn::ParentEnds;

/// What is read of a dead child's pipe before its end is told. A pipe can be enlarged to this; a
/// surviving grandchild that goes on writing is cut off there.
const LAST_WORDS_BYTES_MAX: usize = 1024 * 1024;

/// One stream of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamId {
    pub(super) process: ProcessId,
    pub(super) channel: Channel,
}

#[derive(Debug)]
struct Stream {
    fd: OwnedFd,
    token: u64,
    outlet: Outlet,
    /// `strip_ansi`
    stripper: Option<AnsiStripper>,
    purpose: Purpose,
    /// False while its outlet is full. It is not watched at all then: a hang-up would be reported
    /// again and again.
    watched: bool,
}

/// What a stream is for, besides its log.
#[derive(Debug)]
enum Purpose {
    Output {
        /// `*_capture_maxbytes`
        capture: Option<Box<Capture>>,
        /// `*_events_enabled`
        events_enabled: bool,
    },
    /// It is a listener's half of the conversation with us.
    Conversation,
}

impl Purpose {
    fn of(spec: &StreamSpec) -> Self {
        let capture = Capture::new(spec.capture_bytes_max).map(Box::new);
        Self::Output { capture, events_enabled: spec.events_enabled }
    }

    /// The form of what such a stream says. That of a conversation is the protocol's.
    fn form(&self, form: LogForm) -> LogForm {
        match self {
            Self::Output { .. } => form,
            Self::Conversation => LogForm { format: LogFormat::Raw, ..form },
        }
    }
}

impl Stream {
    /// Reads once; of a listener all that there is, so that what it says in two breaths is heard
    /// together.
    fn read(&self, buffer: &mut [u8]) -> Read {
        // Lines that get a form get longer.
        let bytes_max = if self.outlet.is_shaped() { LINE_BYTES_MAX } else { READ_BYTES_MAX };
        let buffer = &mut buffer[..bytes_max];
        let mut total = 0;
        while total < buffer.len() {
            match read_ready(&self.fd, &mut buffer[total..]) {
                Ok(Some(0)) | Err(_) if total == 0 => return Read::End,
                Ok(None) if total == 0 => return Read::NothingNow,
                Ok(Some(0) | None) | Err(_) => break,
                Ok(Some(count)) => total += count,
            }
            if matches!(self.purpose, Purpose::Output { .. }) {
                break;
            }
        }
        Read::Some(total)
    }

    /// What there is in a chunk, in its order.
    fn pieces<'b>(&mut self, bytes: &'b [u8]) -> Vec<Piece<'b>> {
        let bytes = match &mut self.stripper {
            Some(stripper) => Cow::Owned(stripper.strip(bytes)),
            None => Cow::Borrowed(bytes),
        };
        match &mut self.purpose {
            Purpose::Output { capture: Some(capture), .. } => capture.scan(&bytes),
            Purpose::Output { capture: None, .. } | Purpose::Conversation => vec![Piece::Text(bytes)],
        }
    }

    /// What was held back, now that nothing follows.
    fn last_pieces(&mut self) -> Vec<Piece<'static>> {
        let held = self.stripper.as_mut().map_or(&b""[..], AnsiStripper::finish);
        let Purpose::Output { capture: Some(capture), .. } = &mut self.purpose else {
            return vec![Piece::Text(held.into())];
        };
        let mut pieces = capture.scan(held);
        pieces.push(Piece::Text(capture.finish().into()));
        pieces
    }

    /// For whom a piece is an event, if it may be one.
    fn event(&self, piece: &Piece<'_>) -> Option<OutputKind> {
        match (piece, &self.purpose) {
            (Piece::Message(_), _) => Some(OutputKind::Communication),
            (Piece::Text(_), Purpose::Output { events_enabled: true, .. }) => Some(OutputKind::Log),
            (Piece::Text(_) | Piece::Captured(_), _) => None,
        }
    }
}

#[derive(Debug)]
struct Child {
    name: String,
    pid: Pid,
    stdin: Stdin,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
}

impl Child {
    fn stream(&mut self, channel: Channel) -> &mut Option<Stream> {
        match channel {
            Channel::Stdout => &mut self.stdout,
            Channel::Stderr => &mut self.stderr,
        }
    }
}

/// Where the two streams of a child go, and what they are for.
#[derive(Debug)]
pub(super) struct Outlets {
    pub(super) stdout: Outlet,
    pub(super) stderr: Outlet,
    purposes: [Purpose; 2],
}

impl Outlets {
    /// # Errors
    /// What opening a log says.
    pub(super) fn open(
        spec: &ProcessSpec,
        is_listener: bool,
        [stdout, stderr]: [LogTarget; 2],
        outputs: &mut Outputs,
    ) -> io::Result<Self> {
        let spoken = if is_listener { Purpose::Conversation } else { Purpose::of(&spec.stdout) };
        let purposes = [spoken, Purpose::of(&spec.stderr)];
        let mut open = |target: &LogTarget, stream: &StreamSpec, purpose: &Purpose| {
            Outlet::open(target, stream, purpose.form(spec.log_form), outputs)
        };
        let stdout = open(&stdout, &spec.stdout, &purposes[0])?;
        let stderr = open(&stderr, &spec.stderr, &purposes[1])?;
        Ok(Self { stdout, stderr, purposes })
    }

    /// Lets both take on their form, in a column of this width.
    pub(super) fn speak_as(
        &mut self,
        spec: &ProcessSpec,
        who: (ProcessId, Pid),
        width: usize,
        outputs: &Outputs,
    ) {
        for (outlet, channel) in [(&mut self.stdout, Channel::Stdout), (&mut self.stderr, Channel::Stderr)] {
            speak_as(outlet, spec, channel, who, width, outputs);
        }
    }
}

fn speak_as(
    outlet: &mut Outlet,
    spec: &ProcessSpec,
    channel: Channel,
    (process, pid): (ProcessId, Pid),
    width: usize,
    outputs: &Outputs,
) {
    let is_coloured = outlet.sink.is_terminal(outputs) && may_be_coloured();
    let column = Column { name: &label(spec), width, colour: is_coloured.then_some(process.0) };
    let speaker = Speaker { program: &spec.name, group: &spec.group, channel, pid: pid.0 };
    outlet.speak_as(&speaker, column);
}

/// The name of a process in front of its lines: as in `status`.
pub(super) fn label(spec: &ProcessSpec) -> String {
    Namespec::join(&spec.group, &spec.name)
}

/// <https://no-color.org>
fn may_be_coloured() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// All children that were not reaped yet.
#[derive(Debug, Default)]
pub(super) struct Children {
    by_pid: BTreeMap<Pid, ProcessId>,
    /// Boxed, as a tree that grows at its end leaves half of its leaves empty.
    live: BTreeMap<ProcessId, Box<Child>>,
}

impl Children {
    /// Begins to listen to a child.
    pub(super) fn add(
        &mut self,
        (process, pid, name): (ProcessId, Pid, String),
        ends: ParentEnds,
        (outlets, strip_ansi): (Outlets, bool),
        poller: &Poller,
        sources: &mut Sources,
    ) {
        let mut stream = |channel, fd: OwnedFd, outlet, purpose| {
            let token = sources.add(Source::Child(StreamId { process, channel }));
            let watched = poller.add(&fd, token, READ).is_ok();
            let stripper = strip_ansi.then(AnsiStripper::default);
            Stream { fd, token, outlet, stripper, purpose, watched }
        };
        let Outlets { stdout, stderr, purposes: [of_stdout, of_stderr] } = outlets;
        let stdout = ends.stdout.map(|fd| stream(Channel::Stdout, fd, stdout, of_stdout));
        let stderr = ends.stderr.map(|fd| stream(Channel::Stderr, fd, stderr, of_stderr));
        self.by_pid.insert(pid, process);
        let child = Child { name, pid, stdin: Stdin::new(ends.stdin), stdout, stderr };
        self.live.insert(process, Box::new(child));
    }

    /// Whether it was started and not reaped since.
    pub(super) fn is_live(&self, process: ProcessId) -> bool {
        self.live.contains_key(&process)
    }

    /// Whose pid this is; the kernel may give it to another from now on.
    pub(super) fn take_pid(&mut self, pid: Pid) -> Option<ProcessId> {
        self.by_pid.remove(&pid)
    }

    /// The standard input of a child that was not reaped yet.
    pub(super) fn stdin(&mut self, process: ProcessId) -> Option<&mut Stdin> {
        self.live.get_mut(&process).map(|child| &mut child.stdin)
    }

    /// A stream that was not closed yet, and whose it is.
    fn stream(&mut self, id: StreamId) -> Option<(&str, &mut Stream)> {
        let Child { name, stdout, stderr, .. } = &mut **self.live.get_mut(&id.process)?;
        let stream = match id.channel {
            Channel::Stdout => stdout,
            Channel::Stderr => stderr,
        };
        Some((name, stream.as_mut()?))
    }

    /// Watches those whose outlets have room, and only those.
    pub(super) fn watch(&mut self, outputs: &Outputs, poller: &Poller) {
        let streams =
            self.live.values_mut().flat_map(|child| child.stdout.iter_mut().chain(&mut child.stderr));
        for stream in streams {
            let wanted = !stream.outlet.is_full(outputs);
            if wanted && !stream.watched {
                stream.watched = poller.add(&stream.fd, stream.token, READ).is_ok();
            } else if !wanted && stream.watched {
                poller.remove(stream.fd.as_fd());
                stream.watched = false;
            }
        }
    }

    /// Tells the writers of a process that their files are about to be emptied.
    ///
    /// # Errors
    /// What truncating says.
    pub(super) fn clear_logs(&mut self, process: ProcessId) -> io::Result<()> {
        let Some(child) = self.live.get_mut(&process) else { return Ok(()) };
        for stream in child.stdout.iter_mut().chain(&mut child.stderr) {
            if let Sink::File(file) = &mut stream.outlet.sink {
                file.clear()?;
            }
        }
        Ok(())
    }

    /// Has the logs of a child that lives rotate as its specification says by now.
    pub(super) fn limit_logs(&mut self, process: ProcessId, spec: &ProcessSpec) {
        let Some(child) = self.live.get_mut(&process) else { return };
        for (stream, spec) in [(&mut child.stdout, &spec.stdout), (&mut child.stderr, &spec.stderr)] {
            if let Some(Stream { outlet: Outlet { sink: Sink::File(file), .. }, .. }) = stream {
                file.limit(spec.bytes_max, spec.backups);
            }
        }
    }

    /// Has a child that lives be shown and remembered as its specification says by now.
    pub(super) fn change_form(
        &mut self,
        (process, width): (ProcessId, usize),
        spec: &ProcessSpec,
        around: &mut Around<'_>,
    ) -> Option<Trouble> {
        let Child { name, pid, stdout, stderr, .. } = &mut **self.live.get_mut(&process)?;
        let mut trouble = None;
        for (stream, channel) in [(stdout, Channel::Stdout), (stderr, Channel::Stderr)] {
            let Some(Stream { outlet, purpose, token, .. }) = stream else { continue };
            let form = purpose.form(spec.log_form);
            if outlet.has_form(form) {
                continue;
            }
            trouble = outlet.finish((Writer(*token), name), around).or(trouble);
            outlet.begin(form);
            speak_as(outlet, spec, channel, (process, *pid), width, around.outputs);
            around.remember(StreamId { process, channel }, outlet);
        }
        trouble
    }

    /// Closes and opens again the logs of all children. Returns what went wrong.
    pub(super) fn reopen_logs(&mut self) -> Vec<String> {
        let mut troubles = Vec::new();
        for child in self.live.values_mut() {
            for stream in child.stdout.iter_mut().chain(&mut child.stderr) {
                if let Sink::File(file) = &mut stream.outlet.sink
                    && let Err(error) = file.reopen()
                {
                    troubles.push(format!("cannot reopen a log of {}: {error}", child.name));
                }
            }
        }
        troubles
    }
}

const READ: Interest = Interest { read: true, write: false };

/// What reading a stream once came to.
enum Read {
    Some(usize),
    NothingNow,
    End,
}

impl Shell {
    /// A child has said something, or closed its end.
    pub(super) fn child_is_ready(&mut self, id: StreamId) {
        if matches!(self.read_stream(id), Read::End) {
            self.close_stream(id);
        }
    }

    /// Reads what a dead child has left in its pipes, then lets go of it.
    pub(super) fn hear_last_words(&mut self, process: ProcessId) {
        for channel in [Channel::Stdout, Channel::Stderr] {
            let id = StreamId { process, channel };
            let mut bytes = 0;
            while bytes < LAST_WORDS_BYTES_MAX {
                match self.read_stream(id) {
                    Read::Some(count) => bytes += count,
                    Read::NothingNow | Read::End => break,
                }
            }
            self.close_stream(id);
        }
        if let Some(mut child) = self.children.live.remove(&process) {
            child.stdin.close(process, &self.poller, &mut self.sources);
        }
    }

    fn read_stream(&mut self, id: StreamId) -> Read {
        let Some((_, stream)) = self.children.stream(id) else { return Read::End };
        let read = stream.read(&mut self.buffer);
        if let Read::Some(count) = read {
            // Taken out while it is looked at, as what follows needs all of us.
            let buffer = std::mem::take(&mut self.buffer);
            let inputs = self.heard(id, &buffer[..count]);
            self.buffer = buffer;
            inputs.into_iter().for_each(|input| self.feed(input));
        }
        read
    }

    /// A chunk goes where it is to go; what the core is to know of it is returned.
    fn heard(&mut self, id: StreamId, bytes: &[u8]) -> Vec<Input> {
        let Some((name, stream)) = self.children.stream(id) else { return Vec::new() };
        let (pieces, echoes) = (stream.pieces(bytes), self.activity.level() <= LogLevel::Debug);
        if let Purpose::Output { .. } = stream.purpose {
            return pieces.iter().filter_map(|piece| self.take_piece(id, piece)).collect();
        }
        let echo = echoes.then(|| conversation_echo(name, id.channel.name(), bytes));
        pieces.iter().for_each(|piece| self.write_piece(id, piece));
        echo.iter().for_each(|echo| self.log(LogLevel::Debug, echo));
        vec![Input::ListenerSaid { process: id.process, bytes: bytes.to_owned() }]
    }

    /// A piece of output goes to the log and, at debug level, to ours; it is an event if somebody asks.
    fn take_piece(&mut self, id: StreamId, piece: &Piece<'_>) -> Option<Input> {
        self.write_piece(id, piece);
        let (name, stream) = self.children.stream(id)?;
        let (kind, echoes) = (stream.event(piece), self.activity.level() <= LogLevel::Debug);
        let channel = id.channel.name();
        let (bytes, echo) = match piece {
            Piece::Text(bytes) if bytes.is_empty() => return None,
            Piece::Text(bytes) | Piece::Captured(bytes) => {
                (bytes, echoes.then(|| output_echo(name, channel, bytes)))
            }
            Piece::Message(bytes) => (bytes, Some(format!("{} {channel} emitted a comm event", quote(name)))),
        };
        echo.iter().for_each(|echo| self.log(LogLevel::Debug, echo));
        let kind = kind.filter(|kind| self.core.asks_for(kind.event_type(id.channel)))?;
        Some(Input::Wrote { process: id.process, channel: id.channel, kind, data: bytes.to_vec() })
    }

    fn write_piece(&mut self, id: StreamId, piece: &Piece<'_>) {
        let Piece::Text(bytes) = piece else { return };
        let Some((name, stream)) = self.children.stream(id) else { return };
        let mut around =
            Around { outputs: &mut self.outputs, rings: &mut self.rings, tails: &mut self.tails };
        let trouble = stream.outlet.write(bytes, (id, Writer(stream.token), name), &mut around);
        self.warn_of(trouble);
    }

    fn close_stream(&mut self, id: StreamId) {
        let Some((name, stream)) = self.children.stream(id) else { return };
        let closed = format!("{} of '{name}' closed, stopped monitoring it", id.channel.name());
        let pieces = stream.last_pieces();
        let inputs: Vec<_> = pieces.iter().filter_map(|piece| self.take_piece(id, piece)).collect();
        self.let_go_of_stream(id);
        self.log(LogLevel::Debug, &closed);
        inputs.into_iter().for_each(|input| self.feed(input));
    }

    /// What was held back for the end of its line is written without one.
    fn let_go_of_stream(&mut self, id: StreamId) {
        let Some(child) = self.children.live.get_mut(&id.process) else { return };
        let Some(mut stream) = child.stream(id.channel).take() else { return };
        let mut around =
            Around { outputs: &mut self.outputs, rings: &mut self.rings, tails: &mut self.tails };
        let trouble = stream.outlet.finish((Writer(stream.token), &child.name), &mut around);
        self.poller.remove(stream.fd.as_fd());
        self.sources.remove(stream.token);
        self.warn_of(trouble);
    }
}
