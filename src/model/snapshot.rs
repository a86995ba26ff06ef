//! What monitoring reads of all processes at one moment, and what makes a process healthy or ready.

use std::sync::Arc;
use std::time::Duration;

use super::{
    ExitStatus, HealthStatus, ListenerState, Pid, ProcessId, ProcessSpec, ProcessState, RunCounters,
    SupervisorState, Wall,
};

/// A process at one moment.
#[derive(Clone, Debug)]
pub struct ProcessSnapshot {
    /// Its id.
    pub id: ProcessId,
    /// What it is configured to be.
    pub spec: Arc<ProcessSpec>,
    /// Its state.
    pub state: ProcessState,
    /// The process that runs.
    pub pid: Option<Pid>,
    /// When it was last spawned.
    pub started: Option<Wall>,
    /// As Supervisor reports it: `None` while it runs, and after a failed start.
    pub exit_status: Option<ExitStatus>,
    /// The last exit of its process, kept while it runs again.
    pub last_exit: Option<ExitStatus>,
    /// Whether `exit_status` is an exit with one of its `exitcodes`.
    pub ended_as_expected: bool,
    /// The result of its health check; `None` without one, and while it does not run.
    pub health: Option<HealthStatus>,
    /// The protocol state of a running listener.
    pub listener: Option<ListenerState>,
    /// What was counted of it.
    pub counters: RunCounters,
}

/// The supervisor at one moment.
#[derive(Clone, Debug)]
pub struct SupervisorSnapshot {
    /// Its own state.
    pub state: SupervisorState,
    /// By group name, then process name.
    pub processes: Vec<ProcessSnapshot>,
    /// Events that were discarded because the buffer of a pool was full.
    pub events_dropped: u64,
    /// Adopted processes that were reaped.
    pub orphans_reaped: u64,
    /// When the configuration was last read again without errors; `None` if never.
    pub reloaded: Option<Wall>,
    /// Whether it was valid when it was last read.
    pub is_last_reload_valid: bool,
}

/// The resources that a process uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessUsage {
    /// CPU time in user and kernel mode, without that of its children.
    pub cpu: Duration,
    /// Resident memory.
    pub resident_bytes: u64,
}

/// The bytes that a stream of a process has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogCounters {
    /// Bytes taken for its log.
    pub written: u64,
    /// Bytes that were lost, as its log could not be written to or its reader was gone or too slow.
    pub dropped: u64,
}

/// What decides whether a process is healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthFacts {
    /// `None` is a state of a foreign server that we don't know.
    pub state: Option<ProcessState>,
    /// It is a listener that has violated the protocol: it runs, but receives no events.
    pub is_cut_off: bool,
    /// It has a health check that fails or has not succeeded yet.
    pub is_unhealthy: bool,
    /// Its last exit was one with one of its `exitcodes`.
    pub ended_as_expected: bool,
    /// It was started at least once.
    pub was_started: bool,
    /// `autostart`
    pub autostart: bool,
}

impl HealthFacts {
    /// Whether the process is healthy. One that is asked for by name (`is_named`) must run or have finished; among
    /// all processes one that was stopped, or is not started automatically, is healthy as well.
    #[must_use]
    pub fn is_healthy(self, is_named: bool) -> bool {
        match self.state {
            Some(ProcessState::Running) => !self.is_cut_off && !self.is_unhealthy,
            Some(ProcessState::Exited) => self.ended_as_expected,
            // A process that has never been started, although it starts automatically, is not ready yet.
            Some(ProcessState::Stopped) => !is_named && (self.was_started || !self.autostart),
            Some(ProcessState::Stopping) => !is_named,
            Some(
                ProcessState::Starting | ProcessState::Backoff | ProcessState::Fatal | ProcessState::Unknown,
            )
            | None => false,
        }
    }
}

impl ProcessSnapshot {
    /// Whether it is healthy among all processes, by the rules of `sv health`.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        let facts = HealthFacts {
            state: Some(self.state),
            is_cut_off: self.listener == Some(ListenerState::Unknown),
            is_unhealthy: self.health.is_some_and(|health| health != HealthStatus::Healthy),
            ended_as_expected: self.ended_as_expected,
            was_started: self.started.is_some(),
            autostart: self.spec.autostart,
        };
        facts.is_healthy(false)
    }

    /// Whether it is up and ready, or has finished as expected.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match self.state {
            ProcessState::Running => true,
            ProcessState::Exited => self.ended_as_expected,
            ProcessState::Stopped
            | ProcessState::Starting
            | ProcessState::Backoff
            | ProcessState::Stopping
            | ProcessState::Fatal
            | ProcessState::Unknown => false,
        }
    }

    /// Whether the supervisor is ready only with it: it starts with the supervisor. A scheduled program does not.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.spec.autostart
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn healthy_is_what_runs_has_finished_or_is_stopped_on_purpose() {
        use ProcessState::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping, Unknown};
        // State, whether the exit was expected, whether it was ever started: healthy among all, healthy by name.
        for (state, ended_as_expected, was_started, among_all, by_name) in [
            (Some(Running), false, true, true, true),
            (Some(Starting), false, true, false, false),
            (Some(Backoff), false, true, false, false),
            (Some(Fatal), false, true, false, false),
            (Some(Unknown), false, true, false, false),
            (None, false, true, false, false),
            (Some(Exited), true, true, true, true),
            (Some(Exited), false, true, false, false),
            (Some(Stopping), false, true, true, false),
            (Some(Stopped), false, true, true, false),
            (Some(Stopped), false, false, false, false),
        ] {
            let facts = HealthFacts {
                state,
                is_cut_off: false,
                is_unhealthy: false,
                ended_as_expected,
                was_started,
                autostart: true,
            };
            assert_eq!([false, true].map(|it| facts.is_healthy(it)), [among_all, by_name], "{facts:?}");
            for changed in
                [HealthFacts { is_cut_off: true, ..facts }, HealthFacts { is_unhealthy: true, ..facts }]
            {
                assert!(state != Some(Running) || !changed.is_healthy(false), "{changed:?}");
            }
        }
    }
}
