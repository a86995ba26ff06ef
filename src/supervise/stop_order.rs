//! Stopping in order of dependencies: what others depend on stops after them.
//!
//! A stop that has to wait is deferred until the last dependent that is going down is gone. Dependents that are
//! not asked to stop do not count: `stop db` alone stops db alone.

use super::desired::RunTarget;
use super::{Effects, Supervisor, Turn};
use crate::model::{ProcessId, Wait};

/// Why processes stop together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopReason {
    /// A client or an update asks for it.
    Request(Wait),
    /// The supervisor ends.
    Shutdown,
}

impl Supervisor {
    /// Stops these processes in this order, each after its dependents.
    pub(super) fn stop_in_order(
        &mut self,
        turn: &Turn,
        ids: &[ProcessId],
        reason: StopReason,
        out: &mut Effects,
    ) {
        if !self.conditions.is_empty() {
            for id in ids {
                self.with(*id, |process| process.desired.request(RunTarget::Down));
            }
            // Processes that are bound to these begin to stop here.
            self.settle_conditions(turn, out);
        }
        for id in ids {
            self.stop_after_dependents(turn, *id, reason, out);
        }
    }

    fn stop_after_dependents(&mut self, turn: &Turn, id: ProcessId, reason: StopReason, out: &mut Effects) {
        let is_alive = self.process(id).is_some_and(|process| process.pid().is_some());
        if is_alive && self.conditions.has_dependents_going_down(id) {
            let wait = if reason == StopReason::Request(Wait::Yes) { Wait::Yes } else { Wait::No };
            self.deferred_stops.insert(id, wait);
            return;
        }
        match reason {
            StopReason::Request(wait) => self.stop_process(turn, id, wait, out),
            StopReason::Shutdown => {
                self.with(id, |process| process.retire(turn, out));
                self.settle_changed(turn, id, out);
            }
        }
    }

    /// Something has changed for a process: a stop of it that was deferred may be due.
    pub(super) fn stop_if_deferred(&mut self, turn: &Turn, id: ProcessId, out: &mut Effects) {
        let is_alive = self.process(id).is_some_and(|process| process.pid().is_some());
        if is_alive && self.conditions.has_dependents_going_down(id) {
            return;
        }
        let Some(wait) = self.deferred_stops.remove(&id).filter(|_| is_alive) else { return };
        if self.mood.allows_starts() {
            return self.stop_process(turn, id, wait, out);
        }
        self.with(id, |process| process.retire(turn, out));
        self.changed(turn, id, None, out);
    }
}
