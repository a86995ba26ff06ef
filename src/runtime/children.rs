//! Children that live: their pipes, and where what they say goes.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::outputs::Outputs;
use super::sinks::{Sink, Trouble};
use super::{READ_BYTES_MAX, Shell, Source, Sources};
use crate::logs::{AnsiStripper, output_echo};
use crate::model::{Channel, LogLevel, LogTarget, Pid, ProcessId, ProcessSpec, StreamSpec};
use crate::sys::output::read_ready;
use crate::sys::poller::{Interest, Poller};
use crate::sys::spawn::ParentEnds;

/// What is read of a dead child's pipe before its end is told. A pipe can be enlarged to this; a
/// surviving grandchild that goes on writing is cut off there.
const LAST_WORDS_BYTES_MAX: usize = 1024 * 1024;

/// One stream of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamId {
    process: ProcessId,
    channel: Channel,
}

#[derive(Debug)]
struct Stream {
    fd: OwnedFd,
    token: u64,
    sink: Sink,
    /// `strip_ansi`
    stripper: Option<AnsiStripper>,
    /// False while its sink is full. It is not watched at all then: a hang-up would be reported
    /// again and again.
    watched: bool,
}

#[derive(Debug)]
struct Child {
    name: String,
    /// Held open: without it the child would see the end of its input. A FastCGI program has none.
    _stdin: Option<OwnedFd>,
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

/// Where the two streams of a child go.
#[derive(Debug)]
pub(super) struct Sinks {
    pub(super) stdout: Sink,
    pub(super) stderr: Sink,
}

impl Sinks {
    /// # Errors
    /// What opening a log says.
    pub(super) fn open(
        spec: &ProcessSpec,
        [stdout, stderr]: [LogTarget; 2],
        outputs: &mut Outputs,
    ) -> io::Result<Self> {
        let mut open = |target: &LogTarget, stream: &StreamSpec| {
            Sink::open(target, stream.bytes_max, stream.backups, outputs)
        };
        Ok(Self { stdout: open(&stdout, &spec.stdout)?, stderr: open(&stderr, &spec.stderr)? })
    }
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
        (sinks, strip_ansi): (Sinks, bool),
        poller: &Poller,
        sources: &mut Sources,
    ) {
        let mut stream = |channel, fd: OwnedFd, sink| {
            let token = sources.add(Source::Child(StreamId { process, channel }));
            let watched = poller.add(&fd, token, READ).is_ok();
            let stripper = strip_ansi.then(AnsiStripper::default);
            Stream { fd, token, sink, stripper, watched }
        };
        let stdout = Some(stream(Channel::Stdout, ends.stdout, sinks.stdout));
        let stderr = ends.stderr.map(|fd| stream(Channel::Stderr, fd, sinks.stderr));
        self.by_pid.insert(pid, process);
        self.live.insert(process, Child { name, _stdin: ends.stdin, stdout, stderr });
    }

    /// Whether it was started and not reaped since.
    pub(super) fn is_live(&self, process: ProcessId) -> bool {
        self.live.contains_key(&process)
    }

    /// Whose pid this is; the kernel may give it to another from now on.
    pub(super) fn take_pid(&mut self, pid: Pid) -> Option<ProcessId> {
        self.by_pid.remove(&pid)
    }

    /// Watches those whose sinks have room, and only those.
    pub(super) fn watch(&mut self, outputs: &Outputs, poller: &Poller) {
        let streams =
            self.live.values_mut().flat_map(|child| child.stdout.iter_mut().chain(&mut child.stderr));
        for stream in streams {
            let wanted = !stream.sink.is_full(outputs);
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
            if let Sink::File(file) = &mut stream.sink {
                file.clear()?;
            }
        }
        Ok(())
    }

    /// Has the logs of a child that lives rotate as its specification says by now.
    pub(super) fn limit_logs(&mut self, process: ProcessId, spec: &ProcessSpec) {
        let Some(child) = self.live.get_mut(&process) else { return };
        for (stream, spec) in [(&mut child.stdout, &spec.stdout), (&mut child.stderr, &spec.stderr)] {
            if let Some(Stream { sink: Sink::File(file), .. }) = stream {
                file.limit(spec.bytes_max, spec.backups);
            }
        }
    }

    /// Closes and opens again the logs of all children. Returns what went wrong.
    pub(super) fn reopen_logs(&mut self) -> Vec<String> {
        let mut troubles = Vec::new();
        for child in self.live.values_mut() {
            for stream in child.stdout.iter_mut().chain(&mut child.stderr) {
                if let Sink::File(file) = &mut stream.sink
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
        let Some(stream) = child.stream(id.channel) else { return Read::End };
        let count = match read_ready(&stream.fd, &mut self.buffer[..READ_BYTES_MAX]) {
            Ok(Some(0)) | Err(_) => return Read::End,
            Ok(Some(count)) => count,
            Ok(None) => return Read::NothingNow,
        };
        let stripped = stream.stripper.as_mut().map(|stripper| stripper.strip(&self.buffer[..count]));
        let bytes = stripped.as_deref().unwrap_or(&self.buffer[..count]);
        let trouble = stream.sink.write(bytes, &mut self.outputs);
        if self.activity.level() <= LogLevel::Debug {
            let echo = output_echo(&child.name, id.channel.name(), bytes);
            self.log(LogLevel::Debug, &echo);
        }
        if let Some(Trouble { text }) = trouble {
            self.log(LogLevel::Warn, &text);
        }
        Read::Some(count)
    }

    fn close_stream(&mut self, id: StreamId) {
        let Some(child) = self.children.live.get_mut(&id.process) else { return };
        let name = child.name.clone();
        if let Some(mut stream) = child.stream(id.channel).take() {
            let held_back = stream.stripper.as_mut().map_or(&b""[..], AnsiStripper::finish);
            let trouble = stream.sink.write(held_back, &mut self.outputs);
            self.poller.remove(stream.fd.as_fd());
            self.sources.remove(stream.token);
            let channel = id.channel.name();
            if let Some(Trouble { text }) = trouble {
                self.log(LogLevel::Warn, &text);
            }
            self.log(LogLevel::Debug, &format!("{channel} of '{name}' closed, stopped monitoring it"));
        }
    }
}
