//! One process and its states.
//!
//! ```text
//!            start                  alive > startsecs
//!  STOPPED ────────▶ STARTING ───────────────────────▶ RUNNING
//!     ▲               │  ▲ │                            │   │
//!     │    exit or    │  │ │ stop                  stop │   │ exit
//!     │  spawn error  ▼  │ ▼                            │   ▼
//!     │◀── stop ── BACKOFF  STOPPING ◀──────────────────┘  EXITED ──▶ STARTING (autorestart)
//!     │               │        │
//!     │               ▼        │ exit
//!     │             FATAL      │
//!     └────────────────────────┘
//! ```
//!
//! A state carries its data and its deadline, so leaving the state drops the deadline: there are
//! no timers to cancel. Each method answers one input in every state by name; there is no
//! catch-all arm, so a new state or input is a build error wherever it has to be thought of.

use std::time::Duration;

use super::describe::describe;
use super::{Effect, Effects, Turn};
use crate::model::{
    AutoRestart, ExitStatus, LogLevel, LogTarget, Mono, Pid, ProcessId, ProcessInfo, ProcessSpec,
    ProcessState, Signal, StreamSpec, Wall,
};

/// The least time between two automatic starts from EXITED. A program with `startsecs=0` that
/// ends at once would otherwise be forked thousands of times a second; Supervisor's one-second
/// loop has the same effect. One that has lived longer is started again at once.
pub const RESTART_SPACING: Duration = Duration::from_secs(1);

/// How often `waiting for x to stop` is repeated while a client waits.
const STOP_REPORT_EVERY: Duration = Duration::from_secs(2);

/// Failed starts are counted no further than this, so that the wait between two of them, which
/// grows by a second each time, stays a number however many retries are allowed.
const BACKOFF_MAX: i64 = 86_400;

/// Told when a process was started and ended before `startsecs`.
const EXITED_TOO_QUICKLY: &str = "Exited too quickly (process log may have details)";

#[derive(Debug)]
pub(super) enum State {
    Stopped,
    /// `pid` is `None` between the `Spawn` effect and its outcome.
    Starting {
        pid: Option<Pid>,
        running_at: Mono,
    },
    Running {
        pid: Pid,
    },
    Backoff {
        retry_at: Mono,
    },
    /// `report_at` is set while a client waits for the end.
    Stopping {
        pid: Pid,
        kill_at: Mono,
        report_at: Option<Mono>,
    },
    /// `restart_at` is set while an automatic restart is held back by `RESTART_SPACING`.
    Exited {
        restart_at: Option<Mono>,
    },
    Fatal,
    /// A signal could not be sent; the process may still be there.
    Unknown {
        pid: Option<Pid>,
    },
}

/// What happened to an attempt to send a signal.
pub type SendOutcome = Result<(), SendError>;

/// Why a signal could not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// ESRCH: it has just ended on its own; its exit is on the way.
    Gone(String),
    /// Anything else, such as EPERM.
    Failed(String),
}

#[derive(Debug)]
pub(super) struct Process {
    pub(super) id: ProcessId,
    pub(super) spec: ProcessSpec,
    /// The priority of the group that owns it.
    pub(super) group_priority: i64,
    state: State,
    /// Failed starts in a row.
    failed_starts: i64,
    started: Option<(Mono, Wall)>,
    ended: Option<Wall>,
    exit_status: Option<ExitStatus>,
    spawn_error: String,
}

impl Process {
    pub(super) fn new(id: ProcessId, spec: ProcessSpec, group_priority: i64) -> Self {
        Self {
            id,
            spec,
            group_priority,
            state: State::Stopped,
            failed_starts: 0,
            started: None,
            ended: None,
            exit_status: None,
            spawn_error: String::new(),
        }
    }

    pub(super) fn state(&self) -> ProcessState {
        match self.state {
            State::Stopped => ProcessState::Stopped,
            State::Starting { .. } => ProcessState::Starting,
            State::Running { .. } => ProcessState::Running,
            State::Backoff { .. } => ProcessState::Backoff,
            State::Stopping { .. } => ProcessState::Stopping,
            State::Exited { .. } => ProcessState::Exited,
            State::Fatal => ProcessState::Fatal,
            State::Unknown { .. } => ProcessState::Unknown,
        }
    }

    pub(super) fn pid(&self) -> Option<Pid> {
        match self.state {
            State::Running { pid } | State::Stopping { pid, .. } => Some(pid),
            State::Starting { pid, .. } | State::Unknown { pid } => pid,
            State::Stopped | State::Backoff { .. } | State::Exited { .. } | State::Fatal => None,
        }
    }

    pub(super) fn spawn_error(&self) -> &str {
        &self.spawn_error
    }

    /// Whether this process still has to be waited for before the supervisor may end.
    pub(super) fn is_unstopped(&self) -> bool {
        !self.state().is_stopped()
    }

    /// Whether it has ended and is about to be started again by itself.
    pub(super) fn will_restart(&self) -> bool {
        matches!(self.state, State::Exited { restart_at: Some(_) })
    }

    /// When `time_passed` wants to be called. What would only start something has no deadline
    /// while nothing may start.
    pub(super) fn deadline(&self, restarts_allowed: bool) -> Option<Mono> {
        match self.state {
            State::Starting { pid: Some(_), running_at } => Some(running_at),
            State::Backoff { retry_at } => restarts_allowed.then_some(retry_at),
            State::Stopping { kill_at, report_at, .. } => {
                Some(report_at.map_or(kill_at, |at| at.min(kill_at)))
            }
            State::Exited { restart_at } => restart_at.filter(|_| restarts_allowed),
            State::Starting { pid: None, .. }
            | State::Stopped
            | State::Running { .. }
            | State::Fatal
            | State::Unknown { .. } => None,
        }
    }

    /// The first start of a program with `autostart`.
    pub(super) fn autostart(&mut self, turn: &Turn, out: &mut Effects) {
        if self.spec.autostart && self.started.is_none() {
            self.start(turn, out);
        }
    }

    /// Starts it, if there is nothing of it running.
    pub(super) fn start(&mut self, turn: &Turn, out: &mut Effects) {
        match self.state {
            State::Stopped | State::Exited { .. } | State::Fatal | State::Backoff { .. } => {
                self.spawn_error.clear();
                self.exit_status = None;
                self.started = Some((turn.now.mono, turn.now.wall));
                let running_at = turn.now.mono.after(seconds(self.spec.start_secs));
                self.state = State::Starting { pid: None, running_at };
                out.push(Effect::Spawn { process: self.id });
            }
            State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Unknown { .. } => {
                out.log(LogLevel::Warn, format!("process '{}' already running", self.spec.name));
            }
        }
    }

    /// The outcome of the `Spawn` effect.
    pub(super) fn spawned(&mut self, turn: &Turn, outcome: Result<Pid, String>, out: &mut Effects) {
        match (&self.state, outcome) {
            (State::Starting { pid: None, running_at }, Ok(pid)) => {
                let running_at = *running_at;
                out.log(LogLevel::Info, format!("spawned: '{}' with pid {pid}", self.spec.name));
                self.state = State::Starting { pid: Some(pid), running_at };
                self.time_passed(turn, out);
            }
            (State::Starting { .. }, Err(text)) => {
                out.log(LogLevel::Info, format!("spawnerr: {text}"));
                self.spawn_error = text;
                self.back_off(turn, out);
            }
            // It was told to stop before its spawn was over, so it is stopped as soon as it is there.
            (
                State::Stopped
                | State::Starting { pid: Some(_), .. }
                | State::Running { .. }
                | State::Backoff { .. }
                | State::Stopping { .. }
                | State::Exited { .. }
                | State::Fatal
                | State::Unknown { .. },
                Ok(pid),
            ) => self.begin_stopping(turn, pid, self.spec.stop_signal, self.spec.stop_as_group, out),
            (
                State::Stopped
                | State::Running { .. }
                | State::Backoff { .. }
                | State::Stopping { .. }
                | State::Exited { .. }
                | State::Fatal
                | State::Unknown { .. },
                Err(text),
            ) => out.log(LogLevel::Info, format!("spawnerr: {text}")),
        }
    }

    /// It was reaped.
    pub(super) fn ended(&mut self, turn: &Turn, status: ExitStatus, out: &mut Effects) {
        self.ended = Some(turn.now.wall);
        match self.state {
            State::Stopping { .. } => self.ended_by_request(status, out),
            State::Starting { running_at, .. } if turn.now.mono < running_at => {
                self.exit_status = None;
                EXITED_TOO_QUICKLY.clone_into(&mut self.spawn_error);
                out.log(LogLevel::Warn, format!("exited: {} ({status}; not expected)", self.spec.name));
                self.back_off(turn, out);
            }
            // An exit that is noticed together with the end of `startsecs` is one from RUNNING.
            State::Starting { .. } | State::Running { .. } => self.ended_by_itself(turn, status, out),
            State::Stopped
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => {
                self.exit_status = Some(status);
                self.state = State::Stopped;
            }
        }
    }

    fn ended_by_request(&mut self, status: ExitStatus, out: &mut Effects) {
        let level = if self.expects(status) { LogLevel::Info } else { LogLevel::Warn };
        out.log(level, format!("stopped: {} ({status})", self.spec.name));
        self.exit_status = Some(status);
        self.failed_starts = 0;
        self.state = State::Stopped;
    }

    fn ended_by_itself(&mut self, turn: &Turn, status: ExitStatus, out: &mut Effects) {
        let expected = self.expects(status);
        if expected {
            out.log(LogLevel::Info, format!("exited: {} ({status}; expected)", self.spec.name));
        } else {
            self.spawn_error = format!("Bad exit code {}", status.code());
            out.log(LogLevel::Warn, format!("exited: {} ({status}; not expected)", self.spec.name));
        }
        self.exit_status = Some(status);
        self.failed_starts = 0;
        let restart = match self.spec.autorestart {
            AutoRestart::Always => true,
            AutoRestart::Unexpected => !expected,
            AutoRestart::Never => false,
        };
        let not_before = self.started.map_or(turn.now.mono, |(at, _)| at.after(RESTART_SPACING));
        self.state = State::Exited { restart_at: (restart && turn.restarts_allowed).then_some(not_before) };
        self.time_passed(turn, out);
    }

    /// A request to stop: asked politely first.
    pub(super) fn stop(&mut self, turn: &Turn, out: &mut Effects) {
        match self.state {
            State::Starting { pid: Some(pid), .. } | State::Running { pid } => {
                self.begin_stopping(turn, pid, self.spec.stop_signal, self.spec.stop_as_group, out);
            }
            State::Backoff { .. } => {
                let name = &self.spec.name;
                out.log(LogLevel::Debug, format!("Attempted to kill {name}, which is in BACKOFF state."));
                // COMPAT: Supervisor keeps the counter, so a later start may go FATAL at once.
                self.failed_starts = 0;
                self.state = State::Stopped;
            }
            State::Starting { pid: None, .. } => self.state = State::Stopped,
            State::Exited { .. } => self.state = State::Exited { restart_at: None },
            State::Stopped | State::Stopping { .. } | State::Fatal | State::Unknown { .. } => {}
        }
    }

    /// The supervisor ends: as `stop`, but a process that waits for another try has failed.
    pub(super) fn retire(&mut self, turn: &Turn, out: &mut Effects) {
        match self.state {
            State::Backoff { .. } => {
                self.failed_starts = 0;
                self.state = State::Fatal;
            }
            State::Stopped
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => self.stop(turn, out),
        }
    }

    /// Ends the patience with a process that is already stopping.
    pub(super) fn hasten(&mut self, turn: &Turn, out: &mut Effects) {
        match self.state {
            State::Stopping { pid, .. } => self.kill(turn, pid, out),
            State::Stopped
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => self.retire(turn, out),
        }
    }

    /// A signal that is not meant to end it. Goes to the process, never to its group.
    pub(super) fn signal(&self, signal: Signal, out: &mut Effects) {
        if let Some(pid) = self.pid() {
            let name = &self.spec.name;
            out.log(LogLevel::Debug, format!("sending {name} (pid {pid}) sig {signal}"));
            out.push(Effect::Kill { process: self.id, pid, signal, group: false });
        }
    }

    /// The outcome of a `Kill` effect. Returns the text of a failure that a client is to be told.
    pub(super) fn sent(&mut self, signal: Signal, outcome: SendOutcome, out: &mut Effects) -> Option<String> {
        let (name, pid) = (&self.spec.name, self.pid()?);
        let stopping = matches!(self.state, State::Stopping { .. });
        match outcome {
            Ok(()) => None,
            Err(SendError::Gone(cause)) => {
                let when = if stopping { "just" } else { "just now" };
                let text = format!(
                    "unable to signal {name} (pid {pid}), it probably {when} exited on its own: {cause}"
                );
                out.log(LogLevel::Debug, text);
                None
            }
            Err(SendError::Failed(cause)) => {
                let text = if stopping {
                    format!("unknown problem killing {name} ({pid}):{cause}")
                } else {
                    format!("unknown problem sending sig {signal} ({pid}):{cause}")
                };
                out.log(LogLevel::Critical, text.clone());
                self.state = State::Unknown { pid: Some(pid) };
                Some(text)
            }
        }
    }

    /// A client waits for the end of this process: tell so in the log now and then.
    pub(super) fn report_stopping(&mut self, turn: &Turn, out: &mut Effects) {
        if let State::Stopping { report_at: report_at @ None, .. } = &mut self.state {
            *report_at = Some(turn.now.mono);
            self.time_passed(turn, out);
        }
    }

    /// Acts on a deadline that is due; does nothing before.
    pub(super) fn time_passed(&mut self, turn: &Turn, out: &mut Effects) {
        let now = turn.now.mono;
        match &mut self.state {
            State::Starting { pid: Some(pid), running_at } if now >= *running_at => {
                self.state = State::Running { pid: *pid };
                self.failed_starts = 0;
                out.log(
                    LogLevel::Info,
                    format!(
                        "success: {} entered RUNNING state, process has stayed up for > than {} seconds (startsecs)",
                        self.spec.name, self.spec.start_secs
                    ),
                );
            }
            State::Backoff { retry_at } if now >= *retry_at && turn.restarts_allowed => self.start(turn, out),
            State::Exited { restart_at: Some(at) } if now >= *at && turn.restarts_allowed => {
                self.start(turn, out)
            }
            State::Stopping { pid, kill_at, .. } if now >= *kill_at => {
                let pid = *pid;
                out.log(LogLevel::Warn, format!("killing '{}' ({pid}) with SIGKILL", self.spec.name));
                self.kill(turn, pid, out);
            }
            State::Stopping { report_at: Some(report_at), .. } if now >= *report_at => {
                *report_at = now.after(STOP_REPORT_EVERY);
                out.log(LogLevel::Info, format!("waiting for {} to stop", self.spec.name));
            }
            State::Starting { .. }
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Stopping { .. }
            | State::Stopped
            | State::Running { .. }
            | State::Fatal
            | State::Unknown { .. } => {}
        }
    }

    /// What clients are told of it.
    pub(super) fn info(&self, turn: &Turn) -> ProcessInfo {
        let uptime = self.started.map_or(Duration::ZERO, |(at, _)| turn.now.mono.since(at));
        ProcessInfo {
            name: self.spec.name.clone(),
            group: self.spec.group.clone(),
            description: describe(
                &self.spec.name,
                self.state(),
                self.pid(),
                uptime,
                &self.spawn_error,
                self.ended,
            ),
            start: self.started.map_or(0, |(_, wall)| wall.unix_secs()),
            stop: self.ended.map_or(0, Wall::unix_secs),
            now: turn.now.wall.unix_secs(),
            state: self.state(),
            spawn_error: self.spawn_error.clone(),
            exit_status: self.exit_status.map_or(0, ExitStatus::code),
            stdout_log_file: log_file(&self.spec.stdout),
            stderr_log_file: log_file(&self.spec.stderr),
            pid: self.pid().map_or(0, |pid| pid.0),
        }
    }

    fn expects(&self, status: ExitStatus) -> bool {
        self.spec.exit_codes.contains(&status.code())
    }

    fn back_off(&mut self, turn: &Turn, out: &mut Effects) {
        self.failed_starts = (self.failed_starts + 1).min(BACKOFF_MAX);
        if self.failed_starts > self.spec.start_retries && turn.restarts_allowed {
            self.failed_starts = 0;
            self.state = State::Fatal;
            let name = &self.spec.name;
            out.log(
                LogLevel::Info,
                format!("gave up: {name} entered FATAL state, too many start retries too quickly"),
            );
        } else {
            self.state = State::Backoff { retry_at: turn.now.mono.after(seconds(self.failed_starts)) };
        }
    }

    fn begin_stopping(&mut self, turn: &Turn, pid: Pid, signal: Signal, group: bool, out: &mut Effects) {
        let target = if group { "process group " } else { "" };
        let name = &self.spec.name;
        out.log(LogLevel::Debug, format!("killing {name} (pid {pid}) {target}with signal {signal}"));
        let report_at = match self.state {
            State::Stopping { report_at, .. } => report_at,
            State::Stopped
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => None,
        };
        let kill_at = turn.now.mono.after(seconds(self.spec.stop_wait_secs).max(KILL_SPACING));
        self.state = State::Stopping { pid, kill_at, report_at };
        out.push(Effect::Kill { process: self.id, pid, signal, group });
    }

    fn kill(&mut self, turn: &Turn, pid: Pid, out: &mut Effects) {
        self.begin_stopping(turn, pid, Signal::KILL, self.spec.kill_as_group, out);
    }
}

/// The least time between two SIGKILLs for one process, so that `stopwaitsecs=0` on one that the
/// kernel can't end at once (uninterruptible sleep) is no busy loop.
const KILL_SPACING: Duration = Duration::from_millis(10);

/// Supervisor lets times be negative; they count as none.
fn seconds(secs: i64) -> Duration {
    Duration::from_secs(u64::try_from(secs).unwrap_or(0))
}

fn log_file(stream: &StreamSpec) -> String {
    match &stream.target {
        LogTarget::File(path) => path.display().to_string(),
        LogTarget::None | LogTarget::Auto => String::new(),
    }
}
