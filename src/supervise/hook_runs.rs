//! The hooks of one process: those that run, those that are due, and how they end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::NotSpawned;
use super::ending::LastEnd;
use super::not_spawned::Blame;
use super::task::TaskEnd;
use crate::model::{Environment, ExitStatus, Mono, Pid, TaskId, seconds_text};

/// Which hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum HookPoint {
    PreStart,
    PostStart,
    PreStop,
    PostStop,
    OnFailure,
}

impl HookPoint {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::PreStart => "pre_start",
            Self::PostStart => "post_start",
            Self::PreStop => "pre_stop",
            Self::PostStop => "post_stop",
            Self::OnFailure => "on_failure",
        }
    }
}

/// Why a process starts or ends: SV_REASON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum HookReason {
    /// A client, the configuration, a dependent or its schedule started it.
    #[default]
    Start,
    /// The supervisor restarts it by itself, or stops it to do so.
    Restart,
    Stop,
    Shutdown,
    Update,
    /// A health check has failed.
    Unhealthy,
    /// It has ended by itself with one of its `exitcodes`.
    Exit,
    /// It has ended by itself in another way, or a start has failed.
    Crash,
}

impl HookReason {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::Shutdown => "shutdown",
            Self::Update => "update",
            Self::Unhealthy => "unhealthy",
            Self::Exit => "exit",
            Self::Crash => "crash",
        }
    }
}

/// A running hook.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct HookRun {
    pub(super) point: HookPoint,
    pub(super) task: TaskId,
    pub(super) limit: Duration,
    /// When it is given up if its end was not reported.
    pub(super) give_up_at: Mono,
}

/// A hook that runs after an end.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum HookAfterEnd {
    /// It runs as soon as nothing blocks it.
    Due {
        since: Mono,
        environment: Environment,
    },
    Running(HookRun),
}

impl HookAfterEnd {
    pub(super) fn run(&self) -> Option<HookRun> {
        match self {
            Self::Due { .. } => None,
            Self::Running(run) => Some(*run),
        }
    }
}

/// Takes the environment of a due hook, which runs now.
pub(super) fn take_due(hook: &mut Option<Box<HookAfterEnd>>) -> Option<Environment> {
    match *hook.take_if(|hook| matches!(**hook, HookAfterEnd::Due { .. }))? {
        HookAfterEnd::Due { environment, .. } => Some(environment),
        HookAfterEnd::Running(_) => None,
    }
}

/// The hooks of a process that run or are about to run. Most processes have none, so those are boxed that have a value for a
/// short time only.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct HookRuns {
    /// `pre_start`, `post_start` or `pre_stop`.
    pub(super) of_state: Option<Box<HookRun>>,
    pub(super) post_stop: Option<Box<HookAfterEnd>>,
    pub(super) on_failure: Option<Box<HookAfterEnd>>,
    pub(super) start_reason: HookReason,
    /// It was stopped in order to restart.
    pub(super) is_restarting: bool,
    /// Set while it stops.
    pub(super) stop_reason: Option<HookReason>,
    /// The pid of its last run.
    pub(super) last_pid: Option<Pid>,
    /// SV_RESTARTS: how often it has started again by itself since it was last started, or its counts were reset.
    pub(super) restarts: u32,
    /// The supervisor ends or restarts.
    pub(super) is_shutting_down: bool,
    /// The shutdown no longer waits for hooks.
    pub(super) are_over: bool,
}

impl HookRuns {
    pub(super) fn all(&self) -> impl Iterator<Item = HookRun> {
        let after_end = [&self.post_stop, &self.on_failure];
        self.of_state
            .as_deref()
            .copied()
            .into_iter()
            .chain(after_end.into_iter().flatten().filter_map(|hook| hook.run()))
    }

    /// The hook that matters most for what the process does next.
    pub(super) fn shown(&self) -> Option<HookPoint> {
        self.all().next().map(|run| run.point)
    }

    /// Takes it out of its place.
    pub(super) fn take(&mut self, task: TaskId) -> Option<HookRun> {
        let is_it = |run: &HookRun| run.task == task;
        let after_end = |hook: &mut Option<Box<HookAfterEnd>>| {
            hook.take_if(|hook| hook.run().as_ref().is_some_and(is_it)).and_then(|hook| hook.run())
        };
        let of_state = self.of_state.take_if(|run| is_it(run)).map(|run| *run);
        of_state.or_else(|| after_end(&mut self.post_stop)).or_else(|| after_end(&mut self.on_failure))
    }
}

/// How a hook has ended, and whether its process may be spawned.
pub(super) struct HookEnd {
    pub(super) end: TaskEnd,
    pub(super) is_gate_open: bool,
}

/// Why a hook has failed.
pub(super) struct HookFailure {
    pub(super) text: String,
    pub(super) end: Option<LastEnd>,
    pub(super) is_shortage: bool,
}

impl HookFailure {
    pub(super) fn of(run: HookRun, end: TaskEnd) -> Option<Self> {
        let name = run.point.name();
        let failed = |text, end, is_shortage| Some(Self { text, end, is_shortage });
        match end {
            TaskEnd::Exited(ExitStatus::Exited(0)) => None,
            TaskEnd::Exited(status) => {
                failed(format!("{name} failed: {status}"), Some(LastEnd::Ended(status)), false)
            }
            TaskEnd::TimedOut => {
                failed(format!("{name} timed out after {}", seconds_text(run.limit)), None, false)
            }
            TaskEnd::Cancelled => failed(format!("{name} was cancelled"), None, false),
            TaskEnd::NotRun(NotSpawned { text, status, blame }) => {
                let is_shortage = blame == Blame::Machine;
                failed(format!("{name} failed: {text}"), Some(LastEnd::NotSpawned(status)), is_shortage)
            }
        }
    }
}
