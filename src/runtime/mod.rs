//! The shell around the pure parts: it owns every live descriptor, and nothing else does.
//!
//! One turn is: wait, read the clock once, turn what is ready into inputs (signals, then the dead,
//! then output of children, then clients), hand each to [`crate::supervise`], carry out the
//! effects in order, and derive from the buffers what to wait for next. Nothing is polled for:
//! with nothing due the process sleeps for ever.
//!
//! There are two regimes.
//!
//! * **Before the oath** (`boot`): an error is fatal. It is told once, on standard error, and
//!   becomes the exit status.
//! * **After it** (`turn` and all below): nothing returns to `main` but a shutdown. Every failure
//!   becomes a log line and a state. No `unwrap`, no indexing by what came from outside, no
//!   blocking call but the wait itself, and a named bound on every buffer and every loop.
//!
//! No callbacks and no shared mutable state: [`Shell`] is one struct, and a method of it that
//! needs two of its fields names them.

mod activity;
mod boot;
mod children;
mod clients;
mod door;
mod effects;
mod fastcgi;
mod file_checks;
mod implicit;
mod last_word;
mod main_processes;
mod orphans;
mod pidfile;
mod probes;
mod questions;
mod reading;
mod restart;
mod self_reports;
mod servers;
mod stdin;
mod tails;
mod task_table;
mod tasks;
mod trace;
mod turn;
mod visits;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::Override;
use crate::host::Host;
use crate::model::{ChildId, LogLevel, Mono, Notice, Now, ProcessId, Settings, TaskId, Ticket, Wall};
use crate::output::{Outputs, ReadContext, Report, is_output_token};
use crate::rpc::Cache;
use crate::supervise::{AfterStop, Input, Supervisor};
use crate::sys::clock::Clock;
use crate::sys::names::HostNames;
use crate::sys::poller::Poller;
use crate::sys::signals::Signals;

use activity::Activity;
use children::Children;
use clients::Clients;
use fastcgi::SharedSockets;
use file_checks::FileChecks;
use main_processes::MainProcesses;
use pidfile::PidFile;
use probes::Probes;
use self_reports::SelfReports;
use servers::Servers;
use task_table::Tasks;
use trace::Traces;
use visits::Visits;

pub use boot::run;

/// How the supervisor was started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// As typed, for messages and for the places where a configuration is searched.
    pub argv0: String,
    /// `-c`; `None` searches.
    pub config: Option<PathBuf>,
    /// Options of `[supervisord]` from the command line.
    pub overrides: Vec<Override>,
    /// What the programs of the configuration run beside; empty if they run for themselves.
    pub command: Vec<String>,
    /// Stay in the foreground whatever the configuration says: as PID 1, or as `sv run`.
    pub foreground: bool,
}

/// What wakes the shell. Closed, so that one `match` shows all that can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Signals,
    Server(usize),
    /// A unix socket's file may have been removed.
    SocketFiles,
    Client,
    /// The captured output of a task.
    Task(ChildId),
    /// A probe has an outcome, or what it needs for one.
    Probe(TaskId),
    Stdin(ProcessId),
    /// A process reports something of itself.
    SelfReport(ProcessId),
    /// A main process that a program has named has ended.
    MainProcess(ProcessId),
    /// Output of a child, or room where output goes to: [`Outputs`] knows.
    Output,
}

/// Tokens count up and are never used again: a late event can't be taken for another's.
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

/// Everything that lives as long as the supervisor does.
struct Shell {
    launch: Launch,
    /// The configuration file, resolved once: changing the directory does not lose it.
    config_file: PathBuf,
    host: Host,
    clock: Clock,
    /// When this program was started.
    began: Wall,
    /// Of this turn.
    now: Now,
    settings: Settings,
    /// Read by a restart, used once everything is stopped.
    next_settings: Option<Settings>,
    core: Supervisor,
    poller: Poller,
    sources: Sources,
    signals: Signals,
    children: Children,
    tasks: Tasks,
    probes: Probes,
    file_checks: FileChecks,
    self_reports: SelfReports,
    main_processes: MainProcesses,
    sockets: SharedSockets,
    host_names: HostNames,
    output: Outputs,
    activity: Activity,
    servers: Servers,
    clients: Clients,
    visits: Visits,
    tickets: Tickets,
    traces: Traces,
    pid_file: Option<PidFile>,
    /// One for all: what is read is passed on before the next is read.
    buffer: Box<[u8]>,
    /// Not all of the dead were taken in this turn.
    more_to_reap: bool,
    all_stopped: Option<AfterStop>,
    /// What clients store by the methods of `supervisor_cache`.
    cache: Cache,
}

/// Bytes read from a child or a client in one go. A pipe holds no more unless it was enlarged.
const READ_BYTES_MAX: usize = 64 * 1024;

/// Which connection asked which open question.
#[derive(Debug, Default)]
struct Tickets {
    by_ticket: BTreeMap<Ticket, u64>,
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
    /// The one way into the activity log.
    fn log(&mut self, level: LogLevel, text: &str) {
        self.activity.log(level, text, self.output.destinations());
    }

    /// Writes the lines of the activity log that were taken so far.
    fn flush_activity(&mut self) {
        self.activity.flush(self.output.destinations());
        let written = self.activity.take_written();
        if written.is_empty() {
            return;
        }
        self.output.own_log_written(&written, self.settings.daemon.log_file.as_deref());
    }

    /// Keeps the last lines of our own log in memory where it cannot be read back.
    fn remember_own_log(&mut self) {
        let bytes = self.settings.daemon.log_defaults.ring_bytes as usize;
        self.output.limit_own_ring(if self.activity.is_unreadable() { bytes } else { 0 });
    }

    /// What reading the configuration had to say, the loudest first.
    fn tell(&mut self, mut notices: Vec<Notice>) {
        notices.sort_by_key(|notice| std::cmp::Reverse(notice.level));
        for Notice { level, text } in notices {
            self.log(level, &text);
        }
    }

    /// Reads or writes output, and handles what there is to report of it.
    fn with_output(&mut self, act: impl FnOnce(&mut Outputs, &mut ReadContext<'_>) -> Vec<Report>) {
        let echoes = self.activity.level() <= LogLevel::Debug;
        let mut context = ReadContext { poller: &self.poller, buffer: &mut self.buffer, echoes };
        let reports = act(&mut self.output, &mut context);
        self.handle_reports(reports);
    }

    /// Logs what there is to log, then hands the core what is for listeners or of them.
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
        let tasks =
            [self.tasks.deadline(), self.probes.deadline(), self.output.deadline(), self.core.deadline()];
        [self.clients.deadline(), self.servers.deadline()].into_iter().chain(tasks).flatten().min()
    }
}
