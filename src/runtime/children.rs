//! Children that live: their pipes, and where what they say goes.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::outlets::{Around, Column, Outlet};
use super::outputs::{Outputs, Writer};
use super::sinks::{Sink, Trouble};
use super::{READ_BYTES_MAX, Shell, Source, Sources};
use crate::logs::{AnsiStripper, LINE_BYTES_MAX, Speaker, output_echo};
use crate::model::{Channel, LogLevel, LogTarget, Namespec, Pid, ProcessId, ProcessSpec, StreamSpec};
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
    /// False while its outlet is full. It is not watched at all then: a hang-up would be reported
    /// again and again.
    watched: bool,
}

#[derive(Debug)]
struct Child {
    name: String,
    pid: Pid,
    /// Held open: without it the child would see the end of its input. A FastCGI program has none.
    _stdin: Option<OwnedFd>,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
}

impl Child {
    /// And the name of the process.
    fn stream(&mut self, channel: Channel) -> (&str, &mut Option<Stream>) {
        let Self { name, stdout, stderr, .. } = self;
        match channel {
            Channel::Stdout => (name, stdout),
            Channel::Stderr => (name, stderr),
        }
    }
}

/// Where the two streams of a child go.
#[derive(Debug)]
pub(super) struct Outlets {
    pub(super) stdout: Outlet,
    pub(super) stderr: Outlet,
}

impl Outlets {
    /// # Errors
    /// What opening a log says.
    pub(super) fn open(
        spec: &ProcessSpec,
        [stdout, stderr]: [LogTarget; 2],
        outputs: &mut Outputs,
    ) -> io::Result<Self> {
        let mut open =
            |target: &LogTarget, stream: &StreamSpec| Outlet::open(target, stream, spec.log_form, outputs);
        Ok(Self { stdout: open(&stdout, &spec.stdout)?, stderr: open(&stderr, &spec.stderr)? })
    }

    /// Lets both take on the form of their program, in a column of this width.
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
    outlet.speak_as(spec.log_form, &speaker, column);
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
    live: BTreeMap<ProcessId, Child>,
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
        let mut stream = |channel, fd: OwnedFd, outlet| {
            let token = sources.add(Source::Child(StreamId { process, channel }));
            let watched = poller.add(&fd, token, READ).is_ok();
            let stripper = strip_ansi.then(AnsiStripper::default);
            Stream { fd, token, outlet, stripper, watched }
        };
        let stdout = Some(stream(Channel::Stdout, ends.stdout, outlets.stdout));
        let stderr = ends.stderr.map(|fd| stream(Channel::Stderr, fd, outlets.stderr));
        self.by_pid.insert(pid, process);
        self.live.insert(process, Child { name, pid, _stdin: ends.stdin, stdout, stderr });
    }

    /// Whether it was started and not reaped since.
    pub(super) fn is_live(&self, process: ProcessId) -> bool {
        self.live.contains_key(&process)
    }

    /// Whose pid this is; the kernel may give it to another from now on.
    pub(super) fn take_pid(&mut self, pid: Pid) -> Option<ProcessId> {
        self.by_pid.remove(&pid)
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
        let Child { name, pid, stdout, stderr, .. } = self.live.get_mut(&process)?;
        let mut trouble = None;
        for (stream, channel) in [(stdout, Channel::Stdout), (stderr, Channel::Stderr)] {
            let Some(stream) = stream.as_mut().filter(|it| !it.outlet.has_form(spec.log_form)) else {
                continue;
            };
            let writer = Writer(stream.token);
            trouble = stream.outlet.finish((writer, name), around.outputs).or(trouble);
            stream.outlet.begin(spec.log_form);
            speak_as(&mut stream.outlet, spec, channel, (process, *pid), width, around.outputs);
            around.rings.prepare(StreamId { process, channel }, &stream.outlet);
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
        self.children.live.remove(&process);
    }

    fn read_stream(&mut self, id: StreamId) -> Read {
        let Some(child) = self.children.live.get_mut(&id.process) else { return Read::End };
        let (name, Some(stream)) = child.stream(id.channel) else { return Read::End };
        // Lines that get a form get longer.
        let bytes_max = if stream.outlet.is_shaped() { LINE_BYTES_MAX } else { READ_BYTES_MAX };
        let count = match read_ready(&stream.fd, &mut self.buffer[..bytes_max]) {
            Ok(Some(0)) | Err(_) => return Read::End,
            Ok(Some(count)) => count,
            Ok(None) => return Read::NothingNow,
        };
        let stripped = stream.stripper.as_mut().map(|stripper| stripper.strip(&self.buffer[..count]));
        let bytes = stripped.as_deref().unwrap_or(&self.buffer[..count]);
        let mut around = Around { outputs: &mut self.outputs, rings: &mut self.rings };
        let trouble = stream.outlet.write(bytes, (id, Writer(stream.token), name), &mut around);
        if self.activity.level() <= LogLevel::Debug {
            let echo = output_echo(name, id.channel.name(), bytes);
            self.log(LogLevel::Debug, &echo);
        }
        self.warn_of(trouble);
        Read::Some(count)
    }

    fn close_stream(&mut self, id: StreamId) {
        let Some(child) = self.children.live.get_mut(&id.process) else { return };
        let (name, stream) = child.stream(id.channel);
        let name = name.to_owned();
        if let Some(mut stream) = stream.take() {
            let held_back = stream.stripper.as_mut().map_or(&b""[..], AnsiStripper::finish);
            let writer = Writer(stream.token);
            let mut around = Around { outputs: &mut self.outputs, rings: &mut self.rings };
            let trouble = stream.outlet.write(held_back, (id, writer, &name), &mut around);
            let trouble = stream.outlet.finish((writer, &name), &mut self.outputs).or(trouble);
            self.poller.remove(stream.fd.as_fd());
            self.sources.remove(stream.token);
            let channel = id.channel.name();
            self.warn_of(trouble);
            self.log(LogLevel::Debug, &format!("{channel} of '{name}' closed, stopped monitoring it"));
        }
    }
}
