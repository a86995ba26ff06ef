//! The answers of `/readyz` and `/healthz`.

use std::fmt::Write;

use crate::model::{
    HealthStatus, ListenerState, Namespec, ProcessSnapshot, ProcessState, SupervisorSnapshot, SupervisorState,
};

/// Processes that a text names; of the others there is the number.
pub const PROCESSES_NAMED_MAX: usize = 100;

/// The answer to a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeAnswer {
    /// Whether the probe succeeds.
    pub is_positive: bool,
    /// One line if it does, and otherwise one for each process that is the reason.
    pub text: String,
}

impl ProbeAnswer {
    /// Ready are all programs that start with the supervisor: they run and are ready, or have finished as expected.
    #[must_use]
    pub fn ready(snapshot: &SupervisorSnapshot) -> Self {
        Self::of(snapshot, "ready", |process| process.is_ready() || !process.is_required())
    }

    /// Healthy is what is so by the rules of `sv health`.
    #[must_use]
    pub fn healthy(snapshot: &SupervisorSnapshot) -> Self {
        Self::of(snapshot, "healthy", ProcessSnapshot::is_healthy)
    }

    fn of(snapshot: &SupervisorSnapshot, word: &str, holds: impl Fn(&ProcessSnapshot) -> bool) -> Self {
        let state = match snapshot.state {
            SupervisorState::Running => None,
            SupervisorState::Restarting => Some("the supervisor is restarting"),
            SupervisorState::Shutdown => Some("the supervisor is shutting down"),
        };
        let mut text = state.map_or_else(String::new, |state| format!("not {word}: {state}\n"));
        let mut failing = snapshot.processes.iter().filter(|process| !holds(process));
        for process in failing.by_ref().take(PROCESSES_NAMED_MAX) {
            let name = Namespec::join(&process.spec.group, &process.spec.name);
            let (name, state, detail) = (name.escape_debug(), process.state, detail(process));
            // Writing to memory can't fail.
            let _ = writeln!(text, "not {word}: {name} is {state}{detail}");
        }
        let more = failing.count();
        if more > 0 {
            let _ = writeln!(text, "not {word}: {more} more");
        }
        let is_positive = text.is_empty();
        if is_positive {
            let _ = writeln!(text, "{word}");
        }
        Self { is_positive, text }
    }
}

/// What is wrong with a process that runs. Why a check fails is not said: probes ask for no password.
fn detail(process: &ProcessSnapshot) -> &'static str {
    match (process.health, process.listener) {
        _ if process.state != ProcessState::Running => "",
        (Some(HealthStatus::Unhealthy), _) => ", and its health check fails",
        (Some(HealthStatus::Starting), _) => ", and its health check has not succeeded yet",
        (_, Some(ListenerState::Unknown)) => ", but has broken the protocol of listeners",
        _ => "",
    }
}
