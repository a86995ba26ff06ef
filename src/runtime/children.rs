//! Children: their pipes, and where their output goes.
//!
//! The pipes of a dead child that others still hold open are read on, see [`super::held`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::held::{HeldId, HeldStream, HeldStreams};
use super::outlets::{Around, Column, Outlet};
use super::outputs::{Outputs, Writer};
use super::sinks::Trouble;
use super::stdin::Stdin;
use super::{READ_BYTES_MAX, Shell, Source, Sources};
use crate::events::OutputKind;
use crate::logs::{AnsiStripper, Capture, LINE_BYTES_MAX, Piece, Speaker, conversation_echo, output_echo};
use crate::model::{
    Channel, ChildId, LogForm, LogFormat, LogLevel, LogTarget, Mono, Namespec, Pid, ProcessId, ProcessSpec,
    StreamSpec,
};
use crate::python::quote;
use crate::supervise::Input;
use crate::sys::groups::{Group, LeaderFd};
use crate::sys::output::read_ready;
use crate::sys::poller::{Interest, Poller};
use crate::sys::spawn::ParentEnds;

/// Bytes read of a dead child's pipe before its end is reported. A pipe can be enlarged to this; what a
/// descendant writes beyond it is read later.
const DRAINED_BYTES_MAX: usize = 1024 * 1024;

/// How long half a line waits for the rest where several streams write to one output.
const LINE_END_PATIENCE: Duration = Duration::from_secs(1);

/// One stream of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamId {
    pub(super) process: ProcessId,
    pub(super) channel: Channel,
}

impl StreamId {
    pub(super) fn both(process: ProcessId) -> [Self; 2] {
        [Channel::Stdout, Channel::Stderr].map(|channel| Self { process, channel })
    }
}

/// A stream that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamKey {
    Live(StreamId),
    /// It is that of a hook, which has not been reaped yet.
    Hook(ChildId, Channel),
    /// Its process is dead.
    Held(HeldId),
}

/// Whose stream it is.
#[derive(Clone, Copy, Debug)]
struct Owner<'a> {
    id: StreamId,
    pid: Pid,
    name: &'a str,
}

#[derive(Debug)]
pub(super) struct Stream {
    fd: OwnedFd,
    pub(super) token: u64,
    pub(super) outlet: Outlet,
    /// `strip_ansi`
    stripper: Option<AnsiStripper>,
    purpose: Purpose,
    /// It is among those whose half line is looked at later.
    awaits_line_end: bool,
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
    /// A log that can't be opened is tried again later, and what is wrong with it is in the list, with its path.
    ///
    /// # Errors
    /// What opening a log says, see [`Outlet::open`].
    pub(super) fn open(
        spec: &ProcessSpec,
        (is_listener, strict): (bool, bool),
        [stdout, stderr]: [LogTarget; 2],
        outputs: &mut Outputs,
    ) -> io::Result<(Self, Vec<Trouble>)> {
        let spoken = if is_listener { Purpose::Conversation } else { Purpose::of(&spec.stdout) };
        let purposes = [spoken, Purpose::of(&spec.stderr)];
        let mut troubles = Vec::new();
        let mut open = |target: &LogTarget, stream: &StreamSpec, purpose: &Purpose| {
            let form = (purpose.form(spec.log_form), strict);
            let (outlet, error) = Outlet::open(target, stream, form, outputs)?;
            troubles.extend(error.and_then(|error| cannot_open(target, &spec.name, &error)));
            Ok(outlet)
        };
        let stdout = open(&stdout, &spec.stdout, &purposes[0])?;
        match open(&stderr, &spec.stderr, &purposes[1]) {
            Ok(stderr) => Ok((Self { stdout, stderr, purposes }, troubles)),
            Err(error) => {
                stdout.close(outputs);
                Err(error)
            }
        }
    }

    /// The same with no use besides the logs: no events, and no conversation with a listener.
    pub(super) fn for_logs_alone(self) -> Self {
        let plain = || Purpose::Output { capture: None, events_enabled: false };
        Self { purposes: [plain(), plain()], ..self }
    }

    /// Nothing will be written.
    pub(super) fn close(self, outputs: &mut Outputs) {
        self.stdout.close(outputs);
        self.stderr.close(outputs);
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

fn cannot_open(target: &LogTarget, name: &str, error: &io::Error) -> Option<Trouble> {
    let LogTarget::File(path) = target else { return None };
    let path = path.display();
    let text = format!(
        "cannot open log '{path}' of '{name}': {error}; its last output is kept in memory until it opens"
    );
    Some(Trouble { text })
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

/// All children that were not reaped yet, and what others hold open of those that were.
#[derive(Debug)]
pub(super) struct Children {
    by_pid: BTreeMap<Pid, ChildId>,
    /// Boxed, as a tree that grows at its end leaves half of its leaves empty.
    live: BTreeMap<ProcessId, Box<Child>>,
    /// The streams of hooks that were not reaped yet.
    hooks: BTreeMap<(ChildId, Channel), HeldStream>,
    pub(super) held: HeldStreams,
    /// Whether any stream is not watched.
    has_unwatched: bool,
    /// Of the groups that are killed as a whole, also when their leader is dead.
    group_handles: BTreeMap<ProcessId, LeaderFd>,
}

impl Children {
    /// None yet; the bound of what is held open follows from how many files may be open.
    pub(super) fn new(open_files_max: u64) -> Self {
        let held = HeldStreams::new(open_files_max);
        Self {
            by_pid: BTreeMap::new(),
            live: BTreeMap::new(),
            hooks: BTreeMap::new(),
            held,
            has_unwatched: false,
            group_handles: BTreeMap::new(),
        }
    }

    /// Begins to listen to a child.
    pub(super) fn add(
        &mut self,
        (process, pid, name): (ProcessId, Pid, String),
        ends: ParentEnds,
        outlets: (Outlets, bool),
        outputs: &mut Outputs,
        watch: (&Poller, &mut Sources),
    ) {
        let key = |channel| StreamKey::Live(StreamId { process, channel });
        let [stdout, stderr] = connect((ends.stdout, ends.stderr), outlets, key, outputs, watch);
        self.has_unwatched |= stdout.iter().chain(&stderr).any(|stream| !stream.watched);
        self.by_pid.insert(pid, ChildId::Process(process));
        let child = Child { name, pid, stdin: Stdin::new(ends.stdin), stdout, stderr };
        self.live.insert(process, Box::new(child));
    }

    /// A task was started.
    pub(super) fn add_task(&mut self, pid: Pid, child: ChildId) {
        self.by_pid.insert(pid, child);
    }

    /// Begins to listen to a hook of a process.
    pub(super) fn add_hook(
        &mut self,
        child: ChildId,
        (process, pid, name): (ProcessId, Pid, String),
        ends: ParentEnds,
        outlets: (Outlets, bool),
        outputs: &mut Outputs,
        watch: (&Poller, &mut Sources),
    ) {
        let key = |channel| StreamKey::Hook(child, channel);
        let streams = connect((ends.stdout, ends.stderr), outlets, key, outputs, watch);
        for (channel, stream) in [Channel::Stdout, Channel::Stderr].into_iter().zip(streams) {
            let Some(stream) = stream else { continue };
            self.has_unwatched |= !stream.watched;
            let id = StreamId { process, channel };
            self.hooks.insert((child, channel), HeldStream { id, pid, name: name.clone(), stream });
        }
    }

    /// A process was started as the leader of its group, with a handle if it is killed with all its group.
    pub(super) fn lead_group(&mut self, process: ProcessId, handle: Option<LeaderFd>) {
        self.group_handles.remove(&process);
        handle.map(|handle| self.group_handles.insert(process, handle));
    }

    /// The group that a process led until it was reaped.
    pub(super) fn group(&self, process: ProcessId, leader: Pid) -> Group<'_> {
        Group::of(leader, self.group_handles.get(&process))
    }

    /// Its group is of no interest any more, unless it leads one again.
    pub(super) fn forget_group(&mut self, process: ProcessId) {
        if !self.is_live(process) {
            self.group_handles.remove(&process);
        }
    }

    /// What dead processes have left is of no interest to the supervisor that takes over.
    pub(super) fn forget_groups(&mut self) {
        let live = &self.live;
        self.group_handles.retain(|process, _| live.contains_key(process));
    }

    /// Whether it was started and not reaped since.
    pub(super) fn is_live(&self, process: ProcessId) -> bool {
        self.live.contains_key(&process)
    }

    /// Whose pid this is; the kernel may give it to another from now on.
    pub(super) fn take_pid(&mut self, pid: Pid) -> Option<ChildId> {
        self.by_pid.remove(&pid)
    }

    /// Whether this is a child that we have started and that was not reaped yet.
    pub(super) fn has_pid(&self, pid: Pid) -> bool {
        self.by_pid.contains_key(&pid)
    }

    /// The standard input of a child that was not reaped yet.
    pub(super) fn stdin(&mut self, process: ProcessId) -> Option<&mut Stdin> {
        self.live.get_mut(&process).map(|child| &mut child.stdin)
    }

    /// A stream that was not closed yet, and whose it is.
    fn stream(&mut self, key: StreamKey) -> Option<(Owner<'_>, &mut Stream)> {
        match key {
            StreamKey::Live(id) => {
                let Child { name, pid, stdout, stderr, .. } = &mut **self.live.get_mut(&id.process)?;
                let stream = match id.channel {
                    Channel::Stdout => stdout,
                    Channel::Stderr => stderr,
                };
                Some((Owner { id, pid: *pid, name }, stream.as_mut()?))
            }
            StreamKey::Hook(child, channel) => {
                let HeldStream { id, pid, name, stream } = self.hooks.get_mut(&(child, channel))?;
                Some((Owner { id: *id, pid: *pid, name }, stream))
            }
            StreamKey::Held(held) => {
                let HeldStream { id, pid, name, stream } = self.held.get_mut(held)?;
                Some((Owner { id: *id, pid: *pid, name }, stream))
            }
        }
    }

    /// Takes a stream out.
    fn take_stream(&mut self, key: StreamKey) -> Option<(String, Stream)> {
        match key {
            StreamKey::Live(id) => {
                let child = self.live.get_mut(&id.process)?;
                let stream = child.stream(id.channel).take()?;
                Some((child.name.clone(), stream))
            }
            StreamKey::Hook(child, channel) => {
                self.hooks.remove(&(child, channel)).map(|it| (it.name, it.stream))
            }
            StreamKey::Held(held) => self.held.remove(held).map(|it| (it.name, it.stream)),
        }
    }

    /// All that are read.
    fn streams(&mut self) -> impl Iterator<Item = &mut Stream> {
        let live = self.live.values_mut().flat_map(|child| child.stdout.iter_mut().chain(&mut child.stderr));
        let others = self.hooks.values_mut().chain(self.held.all_mut());
        live.chain(others.map(|other| &mut other.stream))
    }

    /// Those of one process, of its earlier runs too, with the pid that they are of.
    fn streams_of(&mut self, process: ProcessId) -> impl Iterator<Item = (Channel, Pid, &str, &mut Stream)> {
        let live = self.live.get_mut(&process).into_iter().flat_map(|child| {
            let Child { name, pid, stdout, stderr, .. } = &mut **child;
            let (name, pid) = (&**name, *pid);
            let stdout = stdout.as_mut().map(|stream| (Channel::Stdout, pid, name, stream));
            stdout.into_iter().chain(stderr.as_mut().map(|stream| (Channel::Stderr, pid, name, stream)))
        });
        let others = self.hooks.values_mut().chain(self.held.all_mut());
        let others = others.filter(move |other| other.id.process == process);
        live.chain(others.map(|it| (it.id.channel, it.pid, &*it.name, &mut it.stream)))
    }

    /// Watches those whose outlets have room, and only those.
    pub(super) fn watch(&mut self, outputs: &Outputs, poller: &Poller) {
        // Nearly always: no walk over all streams.
        if !self.has_unwatched && !outputs.is_any_full() {
            return;
        }
        let mut has_unwatched = false;
        for stream in self.streams() {
            let wanted = !stream.outlet.is_full(outputs);
            if wanted && !stream.watched {
                stream.watched = poller.add(&stream.fd, stream.token, READ).is_ok();
            } else if !wanted && stream.watched {
                poller.remove(stream.fd.as_fd());
                stream.watched = false;
            }
            has_unwatched |= !stream.watched;
        }
        self.has_unwatched = has_unwatched;
    }

    /// Has logs that could not be opened be tried again with the next bytes for them.
    pub(super) fn retry_logs(&mut self, now: Mono) {
        self.streams().for_each(|stream| stream.outlet.sink.retry_at(now));
    }

    /// Empties the files that the streams of a process write to.
    ///
    /// # Errors
    /// What truncating says.
    pub(super) fn clear_logs(&mut self, process: ProcessId, outputs: &mut Outputs) -> io::Result<()> {
        for (_, _, _, stream) in self.streams_of(process) {
            stream.outlet.sink.file_mut(outputs).map_or(Ok(()), |file| file.clear())?;
        }
        Ok(())
    }

    /// Has the logs of a process rotate as its specification says by now.
    pub(super) fn limit_logs(&mut self, process: ProcessId, spec: &ProcessSpec, outputs: &mut Outputs) {
        for (channel, _, _, stream) in self.streams_of(process) {
            let spec = match channel {
                Channel::Stdout => &spec.stdout,
                Channel::Stderr => &spec.stderr,
            };
            if let Some(file) = stream.outlet.sink.file_mut(outputs) {
                file.limit(spec.bytes_max, spec.backups);
            }
        }
    }

    /// Has the output of a process be shown and remembered as its specification says by now.
    pub(super) fn change_form(
        &mut self,
        (process, width): (ProcessId, usize),
        spec: &ProcessSpec,
        around: &mut Around<'_>,
    ) -> Option<Trouble> {
        let mut trouble = None;
        for (channel, pid, name, Stream { outlet, purpose, token, .. }) in self.streams_of(process) {
            let form = purpose.form(spec.log_form);
            if outlet.has_form(form) {
                continue;
            }
            trouble = outlet.finish((Writer(*token), name), around).or(trouble);
            outlet.begin(form);
            speak_as(outlet, spec, channel, (process, pid), width, around.outputs);
            around.remember(StreamId { process, channel }, outlet);
        }
        trouble
    }
}

/// Begins to read the pipes of a child. Where there is no pipe, its outlet is closed.
fn connect(
    (stdout, stderr): (Option<OwnedFd>, Option<OwnedFd>),
    (outlets, strip_ansi): (Outlets, bool),
    key: impl Fn(Channel) -> StreamKey,
    outputs: &mut Outputs,
    (poller, sources): (&Poller, &mut Sources),
) -> [Option<Stream>; 2] {
    let mut stream = |channel, fd: Option<OwnedFd>, outlet: Outlet, purpose| {
        let Some(fd) = fd else {
            outlet.close(outputs);
            return None;
        };
        let token = sources.add(Source::Child(key(channel)));
        let watched = poller.add(&fd, token, READ).is_ok();
        let stripper = strip_ansi.then(AnsiStripper::default);
        Some(Stream { fd, token, outlet, stripper, purpose, awaits_line_end: false, watched })
    };
    let Outlets { stdout: to_stdout, stderr: to_stderr, purposes: [of_stdout, of_stderr] } = outlets;
    [
        stream(Channel::Stdout, stdout, to_stdout, of_stdout),
        stream(Channel::Stderr, stderr, to_stderr, of_stderr),
    ]
}

const READ: Interest = Interest { read: true, write: false };

/// What reading a stream once came to.
enum Read {
    Some(usize),
    NothingNow,
    End,
}

impl Shell {
    /// There is output of a child, or its end.
    pub(super) fn child_is_ready(&mut self, key: StreamKey) {
        if matches!(self.read_stream(key), Read::End) {
            self.close_stream(key);
        }
    }

    /// Reads what a dead child has left in its pipes, before its end is reported. What others still hold open is
    /// kept, as a process that writes to a pipe without a reader is killed.
    pub(super) fn drain_dead(&mut self, process: ProcessId) {
        for channel in [Channel::Stdout, Channel::Stderr] {
            self.drain(StreamKey::Live(StreamId { process, channel }));
        }
        let Some(mut child) = self.children.live.remove(&process) else { return };
        child.stdin.close(process, &self.poller, &mut self.sources);
        for (channel, stream) in [(Channel::Stdout, child.stdout), (Channel::Stderr, child.stderr)] {
            if let Some(stream) = stream {
                let (pid, name) = (child.pid, child.name.clone());
                self.hold(HeldStream { id: StreamId { process, channel }, pid, name, stream });
            }
        }
    }

    /// Reads what a dead hook has left in its pipes. What others still hold open is kept like that of a process.
    pub(super) fn drain_hook(&mut self, child: ChildId) {
        for channel in [Channel::Stdout, Channel::Stderr] {
            self.drain(StreamKey::Hook(child, channel));
            if let Some(stream) = self.children.hooks.remove(&(child, channel)) {
                self.hold(stream);
            }
        }
    }

    /// Kills all tasks, whose ends nobody waits for any more. What hooks still write is read on.
    pub(super) fn abandon_tasks(&mut self) {
        self.tasks.abandon(&mut self.sources);
        for stream in std::mem::take(&mut self.children.hooks).into_values() {
            self.hold(stream);
        }
    }

    /// Reads what there is now, up to a bound.
    pub(super) fn drain(&mut self, key: StreamKey) {
        let mut bytes = 0;
        while bytes < DRAINED_BYTES_MAX {
            match self.read_stream(key) {
                Read::Some(count) => bytes += count,
                Read::NothingNow => return,
                Read::End => return self.close_stream(key),
            }
        }
    }

    fn read_stream(&mut self, key: StreamKey) -> Read {
        let Some((_, stream)) = self.children.stream(key) else { return Read::End };
        let read = stream.read(&mut self.buffer);
        if let Read::Some(count) = read {
            // Taken out while it is looked at, as what follows needs all of us.
            let buffer = std::mem::take(&mut self.buffer);
            let inputs = self.heard(key, &buffer[..count]);
            self.buffer = buffer;
            inputs.into_iter().for_each(|input| self.feed(input));
        }
        read
    }

    /// A chunk goes where it is to go; what the core is to know of it is returned.
    fn heard(&mut self, key: StreamKey, bytes: &[u8]) -> Vec<Input> {
        let Some((owner, stream)) = self.children.stream(key) else { return Vec::new() };
        let (pieces, echoes) = (stream.pieces(bytes), self.activity.level() <= LogLevel::Debug);
        if let Purpose::Output { .. } = stream.purpose {
            return pieces.iter().filter_map(|piece| self.take_piece(key, piece)).collect();
        }
        let process = owner.id.process;
        let echo = echoes.then(|| conversation_echo(owner.name, owner.id.channel.name(), bytes));
        pieces.iter().for_each(|piece| self.write_piece(key, piece));
        echo.iter().for_each(|echo| self.log(LogLevel::Debug, echo));
        match key {
            StreamKey::Live(_) => vec![Input::ListenerSaid { process, bytes: bytes.to_owned() }],
            // What a dead listener has left behind does not answer for the next.
            StreamKey::Hook(..) | StreamKey::Held(_) => Vec::new(),
        }
    }

    /// A piece of output goes to the log and, at debug level, to ours; it is an event if somebody asks.
    fn take_piece(&mut self, key: StreamKey, piece: &Piece<'_>) -> Option<Input> {
        self.write_piece(key, piece);
        let (Owner { id: StreamId { process, channel }, pid, name }, stream) = self.children.stream(key)?;
        let (kind, echoes) = (stream.event(piece), self.activity.level() <= LogLevel::Debug);
        let (bytes, echo) = match piece {
            Piece::Text(bytes) if bytes.is_empty() => return None,
            Piece::Text(bytes) | Piece::Captured(bytes) => {
                (bytes, echoes.then(|| output_echo(name, channel.name(), bytes)))
            }
            Piece::Message(bytes) => {
                (bytes, Some(format!("{} {} emitted a comm event", quote(name), channel.name())))
            }
        };
        echo.iter().for_each(|echo| self.log(LogLevel::Debug, echo));
        let kind = kind.filter(|kind| self.core.asks_for(kind.event_type(channel)))?;
        Some(Input::Wrote { process, pid, channel, kind, data: bytes.to_vec() })
    }

    fn write_piece(&mut self, key: StreamKey, piece: &Piece<'_>) {
        let Piece::Text(bytes) = piece else { return };
        let Some((owner, stream)) = self.children.stream(key) else { return };
        let mut around =
            Around { outputs: &mut self.outputs, rings: &mut self.rings, tails: &mut self.tails };
        let token = stream.token;
        let trouble = stream.outlet.write(bytes, (owner.id, Writer(token), owner.name), &mut around);
        if let Some(since) = stream.outlet.half_since()
            && !std::mem::replace(&mut stream.awaits_line_end, true)
        {
            self.half_lines.insert((since.after(LINE_END_PATIENCE), token));
        }
        self.warn_of(trouble);
    }

    /// Passes on halves of lines whose ends have not come in time.
    pub(super) fn pass_on_half_lines(&mut self) {
        while let Some(&(at, token)) = self.half_lines.first().filter(|(at, _)| *at <= self.now.mono) {
            self.half_lines.remove(&(at, token));
            let Some(Source::Child(key)) = self.sources.get(token) else { continue };
            let Some((_, stream)) = self.children.stream(key) else { continue };
            // The one that it was about may be complete, and another one have begun.
            match stream.outlet.half_since().map(|since| since.after(LINE_END_PATIENCE)) {
                Some(later) if later > self.now.mono => {
                    self.half_lines.insert((later, token));
                    continue;
                }
                due => {
                    stream.awaits_line_end = false;
                    let writer = Writer(token);
                    let trouble = due.and_then(|_| stream.outlet.pass_on_half(writer, &mut self.outputs));
                    self.warn_of(trouble);
                }
            }
        }
    }

    /// Closes a stream whose end has come. Its last line is written without an end.
    pub(super) fn close_stream(&mut self, key: StreamKey) {
        let Some((owner, stream)) = self.children.stream(key) else { return };
        let closed = format!("{} of '{}' closed, stopped monitoring it", owner.id.channel.name(), owner.name);
        let pieces = stream.last_pieces();
        let inputs: Vec<_> = pieces.iter().filter_map(|piece| self.take_piece(key, piece)).collect();
        self.remove_stream(key);
        self.log(LogLevel::Debug, &closed);
        inputs.into_iter().for_each(|input| self.feed(input));
    }

    fn remove_stream(&mut self, key: StreamKey) {
        let Some((name, mut stream)) = self.children.take_stream(key) else { return };
        let mut around =
            Around { outputs: &mut self.outputs, rings: &mut self.rings, tails: &mut self.tails };
        let trouble = stream.outlet.finish((Writer(stream.token), &name), &mut around);
        self.poller.remove(stream.fd.as_fd());
        self.sources.remove(stream.token);
        stream.outlet.close(&mut self.outputs);
        self.warn_of(trouble);
    }
}
