//! The runtime around the pure modules: it owns all live descriptors.
//!
//! One turn is: wait, read the clock once, turn what is ready into inputs (signals, then dead children, then
//! output of children, then clients), pass each to [`crate::supervise`], perform the effects in order, and
//! derive from the buffers what to wait for next. Nothing is polled: with nothing due the process sleeps
//! indefinitely.
//!
//! There are two phases.
//!
//! * **Start-up** (`boot`): an error is fatal. It is printed once, on standard error, and determines the exit
//!   status.
//! * **Supervision** (`turn` and everything it calls): only a shutdown returns to `main`. Every failure
//!   becomes a log line and a state. There is no `unwrap`, no indexing by external values, no blocking call
//!   except the wait itself, and a named bound on every buffer and every loop.
//!
//! There are no callbacks and no shared mutable state: [`Shell`] is one struct, and what belongs together in it is a part of
//! its own: [`Children`], [`Resources`], [`TaskRunner`], [`FrontEnd`]. What needs one part is a method of that part; what also logs,
//! asks the core or serves clients is a method of the shell, and names the parts that it uses.

mod activity;
mod boot;
mod cgroups;
mod children;
mod clients;
mod door;
mod effects;
mod exit_report;
mod fastcgi;
mod file_checks;
mod front_end;
mod implicit;
mod long_reply;
mod main_processes;
mod measurements;
mod metrics_reply;
mod monitoring;
mod notices;
mod oom_kills;
mod orphans;
mod page_requests;
mod pidfile;
mod probes;
mod questions;
mod reading;
mod refusals;
mod resources;
mod restart;
mod self_reports;
mod servers;
mod stdin;
mod streams;
mod tails;
mod task_runner;
mod task_table;
mod tasks;
mod trace;
mod trees;
mod turn;
mod usage;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Override;
use crate::host::Host;
use crate::model::{ChildId, LogLevel, Mono, Notice, Now, ProcessId, Settings, TaskId, Ticket, Wall};
use crate::output::{Outputs, ReadContext, Report, is_output_token};
use crate::supervise::{AfterStop, Input, Supervisor};
use crate::sys::clock::Clock;
use crate::sys::names::HostNames;
use crate::sys::poller::Poller;
use crate::sys::program::InheritedVariables;
use crate::sys::signals::Signals;

use activity::Activity;
use children::Children;
use fastcgi::SharedSockets;
use front_end::FrontEnd;
use pidfile::PidFile;
use resources::Resources;
use task_runner::TaskRunner;

pub use boot::run;

/// How the supervisor was started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// As typed, for messages and for the search of a configuration.
    pub argv0: String,
    /// `-c`; searched for if `None`.
    pub config: Option<PathBuf>,
    /// Options of `[supervisord]` from the command line.
    pub overrides: Vec<Override>,
    /// The main command, which runs in addition to the programs of the configuration; may be empty.
    pub command: Vec<String>,
    /// Stay in the foreground regardless of the configuration: as PID 1, or as `sv run`.
    pub foreground: bool,
}

/// The sources of events, as an enum, so that one `match` handles all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Signals,
    Server(usize),
    /// The file of a unix socket may have been removed.
    SocketFiles,
    Client,
    /// The captured output of a task.
    Task(ChildId),
    /// A probe has progressed.
    Probe(TaskId),
    Stdin(ProcessId),
    /// A process has sent a report.
    SelfReport(ProcessId),
    /// A main process that a program has named has ended.
    MainProcess(ProcessId),
    /// A child has left a note.
    ChildNotes,
    /// Output of a child, or room where output goes to: [`Outputs`] knows.
    Output,
}

/// Tokens count up and are never reused: a late event can't be attributed to another source.
#[derive(Debug, Default)]
struct Sources {
    by_token: BTreeMap<u64, Source>,
    last: u64,
}

impl Sources {
    fn add(&mut self, source: Source) -> u64 {
        self.last += 1;
        self.by_token.insert(self.last, source);
        self.last
    }

    fn get(&self, token: u64) -> Option<Source> {
        if is_output_token(token) { Some(Source::Output) } else { self.by_token.get(&token).copied() }
    }

    fn remove(&mut self, token: u64) {
        self.by_token.remove(&token);
    }
}

/// The state of the running supervisor.
struct Shell {
    launch: Launch,
    /// The path of the configuration file, resolved once, so that it stays valid after changing the
    /// directory.
    config_file: PathBuf,
    host: Host,
    /// What children inherit of our environment.
    inherited: Arc<InheritedVariables>,
    clock: Clock,
    /// The start time of this program.
    began: Wall,
    /// The time of this turn.
    now: Now,
    settings: Settings,
    /// Read by a restart, used once everything has stopped.
    next_settings: Option<Settings>,
    core: Supervisor,
    poller: Poller,
    sources: Sources,
    signals: Signals,
    children: Children,
    resources: Resources,
    runner: TaskRunner,
    sockets: SharedSockets,
    host_names: HostNames,
    output: Outputs,
    activity: Activity,
    front: FrontEnd,
    pid_file: Option<PidFile>,
    /// One buffer for all: data is passed on before the next read.
    buffer: Box<[u8]>,
    all_stopped: Option<AfterStop>,
}

/// The maximum size of a read from a child or a client. A pipe holds no more unless it was enlarged.
const READ_BYTES_MAX: usize = 64 * 1024;

/// Time for clients in a turn. It is checked between two requests, so a request that takes longer is completed.
const WORK_PER_TURN: Duration = Duration::from_millis(5);

/// Maps pending commands to connections.
#[derive(Debug, Default)]
struct Tickets {
    by_ticket: HashMap<Ticket, u64>,
    last: u64,
}

impl Tickets {
    fn give(&mut self, client: u64) -> Ticket {
        self.last += 1;
        self.by_ticket.insert(Ticket(self.last), client);
        Ticket(self.last)
    }

    fn take(&mut self, ticket: Ticket) -> Option<u64> {
        self.by_ticket.remove(&ticket)
    }
}

impl Shell {
    /// The only way into the activity log.
    fn log(&mut self, level: LogLevel, text: &str) {
        self.activity.log(level, text, self.output.destinations());
    }

    /// Writes the buffered lines of the activity log.
    fn flush_activity(&mut self) {
        self.activity.flush(self.output.destinations());
        let written = self.activity.take_written();
        if written.is_empty() {
            return;
        }
        self.output.own_log_written(&written, self.settings.daemon.log_file.as_deref());
    }

    /// Keeps the last lines of our own log in memory if they can't be read back.
    fn remember_own_log(&mut self) {
        let bytes = self.settings.daemon.log_defaults.ring_bytes as usize;
        self.output.limit_own_ring(if self.activity.is_unreadable() { bytes } else { 0 });
    }

    /// Logs the notices of the configuration, the most severe first.
    fn log_messages(&mut self, mut notices: Vec<Notice>) {
        notices.sort_by_key(|notice| std::cmp::Reverse(notice.level));
        for Notice { level, text } in notices {
            self.log(level, &text);
        }
    }

    /// Reads or writes output, and handles the resulting reports.
    fn with_output(&mut self, act: impl FnOnce(&mut Outputs, &mut ReadContext<'_>) -> Vec<Report>) {
        let echoes = self.activity.level() <= LogLevel::Debug;
        let mut context = ReadContext { poller: &self.poller, buffer: &mut self.buffer, echoes };
        let reports = act(&mut self.output, &mut context);
        self.handle_reports(reports);
    }

    /// Logs what is for the log, then passes to the core what concerns listeners.
    fn handle_reports(&mut self, reports: impl IntoIterator<Item = Report>) {
        let mut inputs = Vec::new();
        for report in reports {
            match report {
                Report::Log { level, text } => self.log(level, &text),
                Report::ListenerOutput { process, bytes } => {
                    inputs.push(Input::ListenerSaid { process, bytes });
                }
                Report::ReadyLine { process, pid, check } => {
                    inputs.push(Input::ReadyReported { process, pid, check });
                }
                Report::Event { process, pid, channel, kind, data } => {
                    if self.core.asks_for(kind.event_type(channel)) {
                        inputs.push(Input::Wrote { process, pid, channel, kind, data });
                    }
                }
            }
        }
        inputs.into_iter().for_each(|input| self.feed(input));
    }

    fn deadline(&self) -> Option<Mono> {
        let deadlines =
            [self.runner.deadline(), self.output.deadline(), self.core.deadline(), self.front.deadline()];
        deadlines.into_iter().flatten().min()
    }
}
