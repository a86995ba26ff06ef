//! What has happened: the transitions and counts of one process, and the event log of the whole supervisor.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ExitStatus, HealthStatus, Name, Pid, ProcessState, SupervisorState, Wall};

/// A change of the state of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// The serial of its [`LoggedEvent`].
    pub serial: u64,
    /// When it happened.
    pub at: Wall,
    /// The state before.
    pub from: ProcessState,
    /// The state after. The same as before if a process is spawned that has waited for others: both are STARTING.
    pub to: ProcessState,
    /// The process that is or was running.
    pub pid: Option<Pid>,
    /// How that process ended, if its end is the cause.
    pub exit: Option<ExitStatus>,
    /// Why it happened.
    pub reason: TransitionReason,
}

/// Why a process has changed its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransitionReason {
    /// One line for people.
    Text(Cow<'static, str>),
    /// It has stayed up for so many seconds: `startsecs`. Most processes have such a transition, and need no text for it.
    UpFor(i64),
}

impl TransitionReason {
    /// One line for people.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::UpFor(secs) => Cow::Owned(format!("up for {secs} s (startsecs)")),
        }
    }
}

/// What has been counted since a process was added to the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCounters {
    /// Times it was spawned.
    pub starts: u32,
    /// Starts that followed an end or a failed start without a request.
    pub restarts: u32,
    /// Starts that did not lead to RUNNING or, for a oneshot, to an expected end.
    pub failed_starts: u32,
    /// Exits with one of its `exitcodes`.
    pub exits_expected: u32,
    /// Exits with another code.
    pub exits_unexpected: u32,
    /// Ends by a signal, also by ours, without those of the next counter.
    pub exits_by_signal: u32,
    /// Kills by the kernel because memory was short.
    #[serde(default)]
    pub exits_by_oom: u32,
}

impl RunCounters {
    /// Counts an end.
    pub fn count_end(&mut self, status: ExitStatus, is_expected: bool) {
        let counter = match status {
            ExitStatus::OomKilled => &mut self.exits_by_oom,
            ExitStatus::Signaled { .. } => &mut self.exits_by_signal,
            _ if is_expected => &mut self.exits_expected,
            _ => &mut self.exits_unexpected,
        };
        Self::increment(counter);
    }

    /// Counts one more, up to the greatest number.
    pub fn increment(counter: &mut u32) {
        *counter = counter.saturating_add(1);
    }
}

/// An entry of the supervisor's event log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedEvent {
    /// Counts up by one, from 1. A restart of the supervisor in the same process continues the count.
    pub serial: u64,
    /// When it happened.
    pub at: Wall,
    /// What happened.
    pub kind: LoggedEventKind,
}

/// What happened, in an entry of the event log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoggedEventKind {
    /// A process has changed its state.
    Process {
        /// Its group.
        group: Name,
        /// Its name.
        name: Name,
        /// The change; serial and time are those of the entry.
        transition: Arc<Transition>,
    },
    /// The health of a process has changed.
    Health {
        /// Its group.
        group: Name,
        /// Its name.
        name: Name,
        /// The new status.
        status: HealthStatus,
        /// Why the check failed.
        failure: Option<String>,
    },
    /// A group was added.
    GroupAdded(String),
    /// A group was removed.
    GroupRemoved(String),
    /// A group was updated to its configuration.
    GroupUpdated(String),
    /// The supervisor has entered this state.
    Supervisor(SupervisorState),
}

/// A part of the event log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLogPart {
    /// In ascending order of their serials.
    pub events: Vec<LoggedEvent>,
    /// The serial of the newest event of the log, 0 if there was none yet.
    pub newest: u64,
    /// Whether events before these were requested and are no longer kept.
    pub has_gap: bool,
}
