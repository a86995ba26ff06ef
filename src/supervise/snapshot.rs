//! What monitoring reads of all processes, in any state of the supervisor.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Supervisor;
use super::process::Process;
use crate::model::{ListenerState, ProcessSnapshot, SupervisorSnapshot, Wall};

/// What is counted of the whole supervisor. A restart in the same process continues the counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SupervisorCounters {
    /// Events that were discarded because the buffer of a pool was full, as far as that was logged.
    pub(super) events_dropped: u64,
    pub(super) orphans_reaped: u64,
    reloaded: Option<Wall>,
    is_last_reload_valid: bool,
}

impl Default for SupervisorCounters {
    fn default() -> Self {
        Self { events_dropped: 0, orphans_reaped: 0, reloaded: None, is_last_reload_valid: true }
    }
}

impl SupervisorCounters {
    /// The configuration was read again.
    pub(super) fn note_reload(&mut self, at: Wall, is_valid: bool) {
        self.is_last_reload_valid = is_valid;
        if is_valid {
            self.reloaded = Some(at);
        }
    }
}

impl Supervisor {
    /// All processes as they are now.
    #[must_use]
    pub fn snapshot(&self) -> SupervisorSnapshot {
        let listeners = self.listener_states();
        let all = self.processes.sorted().map(|it| it.snapshot(listeners.get(&it.id).copied()));
        let mut processes: Vec<_> = all.collect();
        // While an update replaces a process, its successor of the same name is not started yet.
        processes.dedup_by(|next, it| (&next.spec.group, &next.spec.name) == (&it.spec.group, &it.spec.name));
        let SupervisorCounters { events_dropped, orphans_reaped, reloaded, is_last_reload_valid } =
            self.counters.clone();
        SupervisorSnapshot {
            state: self.state(),
            processes,
            events_dropped,
            orphans_reaped,
            reloaded,
            is_last_reload_valid,
        }
    }
}

impl Process {
    fn snapshot(&self, listener: Option<ListenerState>) -> ProcessSnapshot {
        ProcessSnapshot {
            id: self.id,
            spec: Arc::clone(&self.spec),
            state: self.state(),
            pid: self.pid(),
            started: self.started.map(|(_, at)| at),
            exit_status: self.exit_status,
            last_exit: self.last_exit(),
            ended_as_expected: self.exit_status.is_some_and(|status| self.expects(status)),
            health: self.health_status(),
            listener,
            counters: self.history.counters,
        }
    }
}
