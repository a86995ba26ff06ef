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
//! A process with dependencies passes through WAITING, which clients see as STARTING without a pid, before
//! each start. One with explicit checks of its readiness (`ready`) is RUNNING once these hold, and a oneshot goes
//! from STARTING to EXITED.
//!
//! A state carries its data and its deadline, so leaving the state drops the deadline: there are
//! no timers to cancel. Each method handles one input and names every state; there is no
//! catch-all arm, so a new state is a build error wherever it has to be considered.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::background::Background;
use super::describe::describe;
use super::desired::Desired;
use super::ending::LastEnd;
use super::gates::StartedFor;
use super::health::HealthMonitor;
use super::history::ProcessHistory;
use super::hook_runs::HookRuns;
use super::members::RemainingGroup;
use super::memory::MemoryWatch;
use super::processes::Indexed;
use super::readiness::Readiness;
use super::remarks::Remarks;
use super::restart::RestartCounter;
use super::schedule::Timetable;
use super::stopping::Stop;
use super::{Effects, Turn};
use crate::events::{Event, ProcessNames, StateChange};
use crate::model::{
    ExitStatus, LogLevel, LogTarget, Mono, Pid, ProcessId, ProcessInfo, ProcessSpec, ProcessState, Wall,
};

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum State {
    Stopped,
    /// It starts once the conditions that it waits for hold. `pulls` is set until its dependencies were started.
    Waiting {
        pulls: Option<StartedFor>,
    },
    /// `pid` is `None` between the `Spawn` effect and its outcome.
    Starting {
        pid: Option<Pid>,
        until: Until,
    },
    Running {
        pid: Pid,
    },
    Backoff {
        retry_at: Mono,
    },
    Stopping {
        pid: Pid,
        stop: Box<Stop>,
    },
    /// `restart_at` is set while an automatic restart is delayed by `RESTART_SPACING`.
    Exited {
        restart_at: Option<Mono>,
    },
    Fatal,
    /// A signal could not be sent; the process may still be there.
    Unknown {
        pid: Option<Pid>,
    },
}

/// The condition under which a starting process becomes RUNNING.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Until {
    /// It has stayed up for `startsecs`.
    UpFor { at: Mono },
    /// The checks of `ready` hold, at the latest by `give_up_at`.
    Ready { readiness: Box<Readiness>, give_up_at: Option<Mono> },
    /// Nothing: a oneshot is EXITED when it is done, at the latest by `give_up_at`.
    Done { give_up_at: Option<Mono> },
}

impl Until {
    pub(super) fn is_met(&self, now: Mono) -> bool {
        match self {
            Self::UpFor { at } => now >= *at,
            Self::Ready { readiness, .. } => readiness.holds(now),
            Self::Done { .. } => false,
        }
    }

    fn deadline(&self) -> Option<Mono> {
        match self {
            Self::UpFor { at } => Some(*at),
            Self::Ready { readiness, give_up_at } => {
                [readiness.deadline(), *give_up_at].into_iter().flatten().min()
            }
            Self::Done { give_up_at } => *give_up_at,
        }
    }
}

/// The files of AUTO logs.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct AutoLogs {
    pub(super) stdout: Option<PathBuf>,
    pub(super) stderr: Option<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Process {
    pub(super) id: ProcessId,
    pub(super) spec: Arc<ProcessSpec>,
    /// The priority of the group that owns it.
    pub(super) group_priority: i64,
    /// Processes stop by descending rank: the priority of the group, raised to that of what it depends on.
    pub(super) stop_rank: i64,
    /// Its AUTO logs were made, and its `autostart` was considered.
    pub(super) is_introduced: bool,
    /// The last state that was sent to listeners.
    announced: ProcessState,
    /// It stops because a condition that it is bound to is lost, and starts again when that holds again.
    pub(super) is_losing_its_binding: bool,
    /// It is FATAL only because a process that it needs has failed.
    pub(super) has_failed_dependency: bool,
    /// Set once they are created.
    pub(super) auto_logs: Option<Box<AutoLogs>>,
    pub(super) desired: Desired,
    pub(super) timetable: Timetable,
    pub(super) hooks: HookRuns,
    pub(super) state: State,
    /// An update waits for its end: it is not started again.
    pub(super) leaving: bool,
    /// The process that it left in the background and that still lives.
    pub(super) background: Option<Box<Background>>,
    /// Consecutive starts that failed because the machine was short of resources: not counted as failed.
    pub(super) short_attempts: u8,
    /// It is being stopped because its start takes too long: its end is that of a failed start.
    pub(super) start_timed_out: bool,
    /// Consecutive failed starts.
    pub(super) failed_starts: u32,
    /// `failed_starts` as it was before it became RUNNING.
    pub(super) failed_before_ready: u32,
    /// The counter of `restart_*`.
    pub(super) restarts: Option<Box<RestartCounter>>,
    /// When it became ready; `None` from each spawn until then.
    pub(super) ready_at: Option<Mono>,
    /// The started process, which leads its group, if the program has named another main process.
    pub(super) leader: Option<Pid>,
    /// Set while it runs and its health is checked.
    pub(super) health: Option<Box<HealthMonitor>>,
    /// Set while it runs and has a `memory_limit`.
    pub(super) memory: Option<Box<MemoryWatch>>,
    /// With `health=notify`: how often it has to report in this run. Boxed, as few processes have one.
    pub(super) report_interval: Option<Box<Duration>>,
    /// Whether a failed check is why this run was given up.
    pub(super) failed_check: bool,
    pub(super) started: Option<(Mono, Wall)>,
    /// When and how its process ended last. A later start leaves it as it is. Boxed, as most processes
    /// run and have not ended before.
    pub(super) ended: Option<Box<(Wall, ExitStatus)>>,
    /// As Supervisor reports it: `None` again from the next start on, and after a failed start.
    pub(super) exit_status: Option<ExitStatus>,
    /// Of the last attempt, even if that does not count as a failed start.
    pub(super) last_end: Option<LastEnd>,
    /// Its group, once the leader is dead and while members may remain.
    pub(super) remaining: Option<Box<RemainingGroup>>,
    /// A `Spawn` effect is not answered yet, whatever the state.
    pub(super) is_spawning: bool,
    /// Whether this run is known to have entered a cgroup of its own.
    pub(super) is_in_cgroup: bool,
    /// SIGKILL was sent to it in this run.
    pub(super) is_killed_by_us: bool,
    /// The entry of this process in the index of all processes.
    pub(super) indexed: Indexed,
    pub(super) remarks: Option<Box<Remarks>>,
    pub(super) history: ProcessHistory,
}

impl State {
    /// What clients see.
    pub(super) fn process_state(&self) -> ProcessState {
        match self {
            Self::Stopped => ProcessState::Stopped,
            Self::Waiting { .. } | Self::Starting { .. } => ProcessState::Starting,
            Self::Running { .. } => ProcessState::Running,
            Self::Backoff { .. } => ProcessState::Backoff,
            Self::Stopping { .. } => ProcessState::Stopping,
            Self::Exited { .. } => ProcessState::Exited,
            Self::Fatal => ProcessState::Fatal,
            Self::Unknown { .. } => ProcessState::Unknown,
        }
    }
}

impl Process {
    pub(super) fn new(id: ProcessId, spec: Arc<ProcessSpec>, group_priority: i64) -> Self {
        Self {
            id,
            spec,
            group_priority,
            stop_rank: group_priority,
            is_introduced: false,
            announced: ProcessState::Stopped,
            is_losing_its_binding: false,
            has_failed_dependency: false,
            auto_logs: None,
            desired: Desired::default(),
            timetable: Timetable::default(),
            hooks: HookRuns::default(),
            state: State::Stopped,
            leaving: false,
            background: None,
            short_attempts: 0,
            start_timed_out: false,
            failed_starts: 0,
            failed_before_ready: 0,
            restarts: None,
            ready_at: None,
            leader: None,
            health: None,
            memory: None,
            report_interval: None,
            failed_check: false,
            started: None,
            ended: None,
            exit_status: None,
            last_end: None,
            remaining: None,
            is_spawning: false,
            is_in_cgroup: false,
            is_killed_by_us: false,
            indexed: Indexed::default(),
            remarks: None,
            history: ProcessHistory::default(),
        }
    }

    pub(super) fn state(&self) -> ProcessState {
        self.state.process_state()
    }

    pub(super) fn pid(&self) -> Option<Pid> {
        match self.state {
            State::Running { pid } | State::Stopping { pid, .. } => Some(pid),
            State::Starting { pid, .. } | State::Unknown { pid } => pid,
            State::Stopped
            | State::Waiting { .. }
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal => None,
        }
    }

    /// Whether text may be written to its standard input: not once it is being stopped.
    pub(super) fn takes_stdin(&self) -> bool {
        match self.state {
            State::Running { .. } => true,
            State::Starting { pid, .. } | State::Unknown { pid } => pid.is_some(),
            State::Stopped
            | State::Waiting { .. }
            | State::Backoff { .. }
            | State::Stopping { .. }
            | State::Exited { .. }
            | State::Fatal => false,
        }
    }

    /// Standard output, standard error. An AUTO log that could not be created counts as no log.
    pub(super) fn log_targets(&self) -> [LogTarget; 2] {
        let (stdout, stderr) = self.auto_logs.as_ref().map_or((&None, &None), |it| (&it.stdout, &it.stderr));
        [(&self.spec.stdout, stdout), (&self.spec.stderr, stderr)].map(|(stream, auto)| {
            match &stream.target {
                LogTarget::Auto => auto.clone().map_or(LogTarget::None, |path| LogTarget::File(path.into())),
                LogTarget::None => LogTarget::None,
                LogTarget::File(path) => LogTarget::File(path.clone()),
            }
        })
    }

    /// Whether anything of this process exists or is about to.
    pub(super) fn is_unstopped(&self) -> bool {
        !self.state().is_stopped()
            || self.has_stopping_members()
            || self.is_spawning
            || self.has_open_post_stop()
    }

    /// Whether the supervisor has to wait for this process before it ends, or before an update continues.
    pub(super) fn is_pending(&self) -> bool {
        (self.is_unstopped() || self.has_hooks_after_end()) && !self.is_given_up()
    }

    pub(super) fn is_starting(&self) -> bool {
        matches!(self.state, State::Starting { .. })
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting { .. })
    }

    /// Whether it has ended and is about to be restarted automatically.
    pub(super) fn will_restart(&self) -> bool {
        matches!(self.state, State::Exited { restart_at: Some(_) })
    }

    /// Whether it is being stopped because its start takes too long, it is unhealthy or what it is bound to is down, so
    /// that another start may follow.
    pub(super) fn stops_before_another_start(&self) -> bool {
        let is_followed =
            self.start_timed_out || self.unhealthy_reason().is_some() || self.is_losing_its_binding;
        is_followed && matches!(self.state, State::Stopping { .. })
    }

    /// When `time_passed` has to be called. What would only start something has no deadline
    /// while nothing may start.
    pub(super) fn deadline(&self, restarts_allowed: bool) -> Option<Mono> {
        let own = match &self.state {
            State::Starting { pid: Some(_), until } => until.deadline(),
            State::Backoff { retry_at } => restarts_allowed.then_some(*retry_at),
            State::Stopping { stop, .. } => stop.deadline(),
            State::Exited { restart_at } => restart_at.filter(|_| restarts_allowed),
            State::Starting { pid: None, .. }
            | State::Waiting { .. }
            | State::Stopped
            | State::Running { .. }
            | State::Fatal
            | State::Unknown { .. } => None,
        };
        let next_run = self.schedule_deadline().filter(|_| restarts_allowed);
        let check = self.health_deadline().filter(|_| restarts_allowed);
        let memory = self.memory_deadline().filter(|_| restarts_allowed);
        let deadlines = [own, self.members_deadline(), next_run, self.hooks_deadline(), check, memory];
        deadlines.into_iter().flatten().min()
    }

    /// Acts on a deadline that is due; does nothing before.
    pub(super) fn time_passed(&mut self, turn: &Turn, out: &mut Effects) {
        self.members_time_passed(turn, out);
        self.hooks_time_passed(turn, out);
        self.schedule_time_passed(turn, out);
        let now = turn.now.mono;
        match &mut self.state {
            State::Starting { pid: Some(pid), until } if until.is_met(now) => {
                let pid = *pid;
                let why = match until {
                    Until::Ready { .. } => "it is ready".to_owned(),
                    Until::UpFor { .. } | Until::Done { .. } => {
                        format!(
                            "process has stayed up for > than {} seconds (startsecs)",
                            self.spec.start_secs
                        )
                    }
                };
                self.become_ready(turn, pid, out);
                out.log(LogLevel::Info, format!("success: {} entered RUNNING state, {why}", self.spec.name));
                self.begin_post_start(turn, pid, out);
            }
            State::Starting { .. } => self.start_time_passed(turn, out),
            State::Backoff { retry_at } if now >= *retry_at && turn.restarts_allowed => self.start(turn, out),
            State::Exited { restart_at: Some(at) } if now >= *at && turn.restarts_allowed => {
                self.start(turn, out)
            }
            State::Stopping { .. } => self.stop_time_passed(turn, out),
            State::Running { .. } => {
                self.health_time_passed(turn, out);
                self.memory_time_passed(turn, out);
            }
            State::Backoff { .. }
            | State::Exited { .. }
            | State::Stopped
            | State::Waiting { .. }
            | State::Fatal
            | State::Unknown { .. } => {}
        }
    }

    /// The only way to change the state, so that listeners see every change. They get no event for a process that
    /// waits, as it was not spawned.
    pub(super) fn enter(&mut self, state: State, out: &mut Effects) {
        self.leave_hook_of_state(out);
        let pid_before = self.pid();
        let left = std::mem::replace(&mut self.state, state);
        self.note_transition(&left, pid_before, out);
        if let State::Starting { until: Until::Ready { readiness, .. }, .. } = left {
            readiness.cancel(out);
        }
        self.memory.take_if(|_| !matches!(self.state, State::Running { .. }));
        if let Some(monitor) = self.health.take_if(|_| !matches!(self.state, State::Running { .. })) {
            monitor.cancel(out);
        }
        if matches!(self.state, State::Waiting { .. }) {
            return;
        }
        let state = self.state();
        let from = std::mem::replace(&mut self.announced, state);
        if state != from {
            let change = self.change(self.pid().or(pid_before).map_or(0, |pid| pid.0));
            let event = || Event::ProcessState { names: self.names(), from, change };
            out.announce(change.event_type(), event);
        }
    }

    /// Its state in events.
    fn change(&self, pid: i32) -> StateChange {
        let tries = i64::from(self.failed_starts);
        match self.state {
            State::Stopped => StateChange::Stopped { pid },
            State::Waiting { .. } | State::Starting { .. } => StateChange::Starting { tries },
            State::Running { .. } => StateChange::Running { pid },
            State::Backoff { .. } => StateChange::Backoff { tries },
            State::Stopping { .. } => StateChange::Stopping { pid },
            State::Exited { .. } => {
                StateChange::Exited { expected: self.exit_status.is_some_and(|it| self.expects(it)), pid }
            }
            State::Fatal => StateChange::Fatal,
            State::Unknown { .. } => StateChange::Unknown,
        }
    }

    /// Its identity in events.
    pub(super) fn names(&self) -> ProcessNames {
        ProcessNames { process: self.spec.name.clone(), group: self.spec.group.clone() }
    }

    /// Its information for clients.
    pub(super) fn info(&self, turn: &Turn) -> ProcessInfo {
        let uptime = self.started.map_or(Duration::ZERO, |(at, _)| turn.now.mono.since(at));
        let [stdout, stderr] = self.log_targets();
        let in_progress = self.hook_in_place_of_state().or_else(|| self.not_ready_text(turn.now.mono));
        let description = in_progress.unwrap_or_else(|| {
            let ended = self.ended.as_ref().map(|ended| ended.0);
            describe(&self.spec.name, self.state(), self.pid(), uptime, self.spawn_error(), ended)
        });
        ProcessInfo {
            name: self.spec.name.to_string(),
            group: self.spec.group.to_string(),
            description: self.with_next_run(description, turn.now.wall.utc_offset_secs),
            start: self.started.map_or(0, |(_, wall)| wall.unix_secs()),
            stop: self.ended.as_ref().map_or(0, |ended| ended.0.unix_secs()),
            now: turn.now.wall.unix_secs(),
            state: self.state(),
            spawn_error: self.spawn_error().to_owned(),
            step_failure: self.step_failure().map(str::to_owned),
            hint: self.hint_for_clients(turn, uptime),
            waiting_for: Vec::new(),
            needed_by: Vec::new(),
            reported_status: Some(self.reported_status().to_owned())
                .filter(|status| !status.is_empty() && self.pid().is_some()),
            health: self.health_info(),
            check_output: self.check_output().to_owned(),
            is_about_check: self.lacks_command_check(turn.now.mono) || self.failed_by_check(),
            exit_status: self.exit_status.map_or(0, ExitStatus::code),
            last_exit: self.last_exit(),
            ended_as_expected: self.ended.as_ref().is_some_and(|ended| self.expects(ended.1)),
            stdout_log_file: log_file(&stdout),
            stderr_log_file: log_file(&stderr),
            pid: self.pid().map_or(0, |pid| pid.0),
            listener: None,
            since_ms: self.history.since().map(|at| at.unix_ms),
            next_start_ms: self.next_start_ms(turn),
            counters: self.history.counters,
        }
    }
}

impl Process {
    /// When it is started next without a request: the next try or the next scheduled run.
    fn next_start_ms(&self, turn: &Turn) -> Option<i64> {
        let retry = self.retry_at().map(|at| {
            let wait = at.since(turn.now.mono).as_millis();
            turn.now.wall.unix_ms.saturating_add(i64::try_from(wait).unwrap_or(i64::MAX))
        });
        retry.or_else(|| self.next_run_ms())
    }

    /// Whether a check is why it has failed.
    fn failed_by_check(&self) -> bool {
        self.failed_check && matches!(self.state(), ProcessState::Fatal | ProcessState::Backoff)
    }

    /// What is known about its state beyond Supervisor's text and the step that has failed.
    fn hint_for_clients(&self, turn: &Turn, uptime: Duration) -> Option<String> {
        let background = self.hint().filter(|_| self.may_be_kept_from_running(uptime));
        let hook = self.hook_text().filter(|_| self.hook_in_place_of_state().is_none());
        let hints = [background, self.unhealthy_end_text(), self.retry_text(turn.now.mono), hook];
        let hints: Vec<_> = hints.into_iter().flatten().collect();
        (!hints.is_empty()).then(|| hints.join("; "))
    }
}

/// Supervisor accepts negative times; they count as zero.
pub(super) fn seconds(secs: i64) -> Duration {
    Duration::from_secs(u64::try_from(secs).unwrap_or(0))
}

fn log_file(target: &LogTarget) -> String {
    match target {
        LogTarget::File(path) => path.display().to_string(),
        LogTarget::None | LogTarget::Auto => String::new(),
    }
}
