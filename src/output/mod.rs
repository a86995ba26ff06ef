//! Output: from the pipes of children to logs, and from logs to the clients that follow them.
//!
//! A byte takes one way: it is read from a stream ([`stream`]), cut into text, captured events and the listener
//! protocol, and its text goes through an outlet ([`outlet`]), which formats lines, to a sink ([`sink`]): a log file
//! that rotates ([`logfile`]), a destination with a reader ([`buffered`]), or nowhere. What cannot be read back from
//! there is kept in a ring ([`records`]). Clients that follow a log ([`followers`]) read the file or the ring.
//!
//! [`Outputs`] owns all of this. It knows nothing about process states: what it has read for others (events, listener
//! protocol, log lines) is returned as [`Report`]s, in the order in which it was read.
//!
//! Invariants:
//!
//! * Nothing blocks, and every buffer is bounded. A slow reader slows down the children that write to it and no
//!   others; a destination that fails drops and counts output.
//! * The last output of a dead child is read before its end is reported, see [`Outputs::drain_dead`].
//! * A log is open once for all of its writers.

mod autologs;
mod buffered;
mod destinations;
mod followers;
mod following;
mod held;
mod ids;
mod logfile;
mod logfiles;
mod outlet;
mod outlets;
mod paths;
mod reading;
mod ready_lines;
mod records;
mod report;
mod sink;
mod stream;
mod streams;
mod syslog;
mod tokens;
mod warning;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use crate::logs::{LABEL_WIDTH_MAX, OWN_LABEL, OwnForm};
use crate::model::{
    Channel, ChildId, LogCounters, LogFormat, LogTarget, Mono, Now, Pid, ProcessId, ProcessSpec,
};
use crate::sys::poller::Poller;

use followers::Followers;
use outlet::Targets;
use outlets::{format_as, label, stream_spec};
use ready_lines::ReadyLines;
use records::Records;
use stream::Stream;
use streams::Streams;
use syslog::{SYSLOG_PATH, Syslog};
use tokens::Tokens;

pub use autologs::{clean_auto_logs, make_auto_logs};
pub use destinations::Destinations;
pub use followers::{FollowedPart, FollowedPiece, Follower};
pub use ids::{DestinationId, FileId, OURSELVES, OWN_LOG, StreamId, WriterId};
pub use outlets::{Outlets, Wanted};
pub use reading::ReadContext;
pub use report::Report;
pub use sink::{Sink, Unopened};
pub use tokens::is_output_token;
pub use warning::Warning;

/// All output of a supervisor.
#[derive(Debug)]
pub struct Outputs {
    destinations: Destinations,
    streams: Streams,
    tokens: Tokens,
    records: Records,
    followers: Followers,
    /// Holds formatted lines until they are written.
    formatted: Vec<u8>,
    /// Processes that no longer exist and whose rings may still be followed.
    forgotten: Vec<ProcessId>,
    /// Processes with a log that could not be opened when they were started, which was reported.
    unopened: BTreeSet<ProcessId>,
    /// The width of the column of names, and how many processes there had been when it was measured.
    column: Column,
}

#[derive(Clone, Copy, Debug, Default)]
struct Column {
    width: usize,
    processes_made: u64,
}

impl Outputs {
    /// Our standard output and error and the other inherited descriptors. `ident` is the sender of syslog messages.
    #[must_use]
    pub fn new(inherited: Vec<i32>, ident: &str, open_files_max: u64) -> Self {
        let syslog = Syslog::new(ident, Path::new(SYSLOG_PATH));
        Self::with(Destinations::new(inherited, syslog), open_files_max)
    }

    fn with(destinations: Destinations, open_files_max: u64) -> Self {
        Self {
            destinations,
            streams: Streams::new(open_files_max),
            tokens: Tokens::default(),
            records: Records::default(),
            followers: Followers::default(),
            formatted: Vec::new(),
            forgotten: Vec::new(),
            unopened: BTreeSet::new(),
            column: Column::default(),
        }
    }

    /// Continues in a process that has another standard output and error.
    pub fn replace_standard_outputs(&mut self) {
        self.destinations.replace_standard_outputs();
    }

    /// The time that everything in this turn is stamped with.
    pub fn begin_turn(&mut self, now: Now) {
        self.destinations.set_now(now);
    }

    /// What the activity log writes to.
    pub fn destinations(&mut self) -> &mut Destinations {
        &mut self.destinations
    }

    /// The form of the supervisor's own lines.
    #[must_use]
    pub fn own_form(&self) -> &OwnForm {
        self.destinations.own_form()
    }

    fn targets(&mut self) -> Targets<'_> {
        Targets {
            destinations: &mut self.destinations,
            records: &mut self.records,
            followers: &mut self.followers,
            formatted: &mut self.formatted,
        }
    }

    /// Opens the logs of a process, or of its hook, that is about to start.
    ///
    /// # Errors
    /// The error of opening a log. A log that can be opened later is not an error unless `strict`.
    pub fn open(
        &mut self,
        spec: &ProcessSpec,
        (wanted, strict): (Wanted, bool),
        targets: [LogTarget; 2],
    ) -> io::Result<Outlets> {
        Outlets::open(spec, (wanted, strict), targets, &mut self.destinations)
    }

    /// The process was not started.
    pub fn close(&mut self, outlets: Outlets) {
        outlets.close(&mut self.destinations);
    }

    /// Begins to read the standard output and error of a child of a process, which is the process itself or a hook.
    /// One without a descriptor is not read.
    pub fn add(
        &mut self,
        (child, process, pid): (ChildId, ProcessId, Pid),
        spec: &ProcessSpec,
        [stdout, stderr]: [Option<OwnedFd>; 2],
        (outlets, strip_ansi): (Outlets, bool),
        poller: &Poller,
    ) -> Vec<Report> {
        let Outlets { stdout: to_stdout, stderr: to_stderr, warnings } = outlets;
        for (channel, fd, (mut outlet, purpose)) in
            [(Channel::Stdout, stdout, to_stdout), (Channel::Stderr, stderr, to_stderr)]
        {
            let id = StreamId { process, channel };
            format_as(&mut outlet, spec, (id, pid), self.column.width, &self.destinations);
            outlet.limit_ring(id, &mut self.targets());
            let Some(fd) = fd else {
                outlet.close(&mut self.destinations);
                continue;
            };
            self.records.begin_counting(id);
            let token = self.tokens.next();
            let whose = (child, id, pid, spec.name.clone());
            let mut stream = Stream::new(whose, (fd, token), (outlet, purpose), strip_ansi);
            if child == ChildId::Process(process) {
                stream.ready_lines = ReadyLines::of(spec);
            }
            self.streams.add(stream, &self.destinations, poller);
        }
        // What is wrong with a log is reported when its program starts, not with each hook.
        if child != ChildId::Process(process) {
            return Vec::new();
        }
        let was_reported =
            if warnings.is_empty() { self.unopened.remove(&process) } else { !self.unopened.insert(process) };
        if was_reported { Vec::new() } else { warnings.into_iter().map(Report::from).collect() }
    }

    /// Measures the column of names if there are new processes: it is as wide as the longest name that is shown,
    /// ours included if our own lines are shown.
    pub fn measure_names<'a>(
        &mut self,
        processes_made: u64,
        specs: impl Iterator<Item = &'a ProcessSpec>,
        shows_own_lines: bool,
    ) {
        if self.column.processes_made == processes_made {
            return;
        }
        let shown = specs.filter(|spec| spec.log_form.format == LogFormat::Prefix);
        let width = shown.filter_map(shown_width).max().unwrap_or(0);
        let own = if shows_own_lines { OWN_LABEL.len() } else { 0 };
        self.column = Column { width: width.max(own), processes_made };
        self.destinations.set_own_width(self.column.width);
    }

    /// The log options of a process have changed: rotation, format and rings follow them from now on.
    pub fn apply_options(&mut self, process: ProcessId, spec: &ProcessSpec) -> Vec<Report> {
        for stream in self.streams.of_mut(process) {
            let options = stream_spec(spec, stream.channel);
            if let Some(file) = stream.outlet.sink().file_mut(&mut self.destinations) {
                file.limit(options.bytes_max, options.backups);
            }
        }
        if spec.log_form.format == LogFormat::Prefix {
            // It may be the first that is shown so.
            self.column.width = self.column.width.max(shown_width(spec).unwrap_or(0));
            self.destinations.set_own_width(self.column.width);
        }
        self.change_form(process, spec)
    }

    fn change_form(&mut self, process: ProcessId, spec: &ProcessSpec) -> Vec<Report> {
        let Self { streams, destinations, records, followers, formatted, column, .. } = self;
        let mut targets = Targets { destinations, records, followers, formatted };
        let mut reports = Vec::new();
        for stream in streams.of_mut(process) {
            let form = stream.form(spec.log_form);
            if stream.outlet.has_form(form) {
                continue;
            }
            reports.extend(stream.finish(&mut targets).map(Report::from));
            let (whose, outlet) = ((stream.id(), stream.pid), &mut stream.outlet);
            outlet.begin(form);
            format_as(outlet, spec, whose, column.width, targets.destinations);
            outlet.limit_ring(whose.0, &mut targets);
        }
        reports
    }

    /// Opens all logs again, as after they were moved away. Logs that could not be opened are tried again with the
    /// next bytes for them.
    pub fn reopen(&mut self) -> Vec<Report> {
        self.destinations.reopen();
        let now = self.destinations.now().mono;
        self.streams.all_mut().for_each(|stream| stream.outlet.sink_mut().retry_at(now));
        self.followers.reopened();
        self.destinations.files.reopen().into_iter().map(Report::from).collect()
    }

    /// Writes lines to our standard output or standard error.
    pub fn print(&mut self, channel: Channel, lines: &[u8]) -> Option<Report> {
        self.destinations.write_lines(channel, lines).map(Report::from)
    }

    /// What a process has written to standard output and standard error, in all its runs.
    #[must_use]
    pub fn counters(&self, process: ProcessId) -> [LogCounters; 2] {
        StreamId::both(process).map(|id| self.records.counters(id).unwrap_or_default())
    }

    /// When [`Outputs::wake`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        let syslog = self.destinations.syslog.deadline();
        [syslog, self.streams.held.deadline(), self.streams.next_line_end()].into_iter().flatten().min()
    }

    /// Whether anything waits for a reader.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        self.destinations.has_pending()
    }

    /// Derives from the buffers what to wait for.
    pub fn watch(&mut self, poller: &Poller) {
        self.destinations.watch(poller, &mut self.tokens);
        self.streams.watch(&self.destinations, poller);
    }
}

/// The width of a name in the column; a name that is too long stands out of it.
fn shown_width(spec: &ProcessSpec) -> Option<usize> {
    Some(label(spec).chars().count()).filter(|width| *width <= LABEL_WIDTH_MAX)
}
