//! Stopping in order of dependencies: a process stops after its dependents.
//!
//! A stop that has to wait is deferred until the last dependent that is going down is gone. Dependents that are
//! not asked to stop do not count: `stop db` alone stops db alone.

use serde::{Deserialize, Serialize};

use super::desired::RunTarget;
use super::{Effects, Supervisor, Turn};
use crate::model::{ProcessId, Wait};

/// Why processes stop together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum StopReason {
    /// A client or an update asks for it.
    Request(Wait),
    /// A condition that it is bound to is lost.
    LostBinding,
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
        out.reserve(ids.len());
        for id in ids {
            self.stop_after_dependents(turn, *id, reason, out);
        }
    }

    pub(super) fn stop_after_dependents(
        &mut self,
        turn: &Turn,
        id: ProcessId,
        reason: StopReason,
        out: &mut Effects,
    ) {
        if self.has_to_wait_with_its_stop(id) {
            self.deferred_stops.insert(id, reason);
        } else {
            self.stop_for(turn, id, reason, out);
        }
    }

    /// Continues a deferred stop of a process after a change.
    pub(super) fn stop_if_deferred(&mut self, turn: &Turn, id: ProcessId, out: &mut Effects) {
        if self.deferred_stops.is_empty() || self.has_to_wait_with_its_stop(id) {
            return;
        }
        if let Some(reason) = self.deferred_stops.remove(&id)
            && self.is_alive(id)
        {
            self.stop_for(turn, id, reason, out);
        }
    }

    fn stop_for(&mut self, turn: &Turn, id: ProcessId, reason: StopReason, out: &mut Effects) {
        match reason {
            StopReason::Request(wait) => self.stop_process(turn, id, wait, out),
            StopReason::LostBinding => {
                self.with(id, |process| process.stop_for_restart(turn, out));
                self.changed(turn, id, None, out);
            }
            StopReason::Shutdown => {
                self.with(id, |process| process.stop_for_shutdown(turn, out));
                self.settle_changed(turn, id, out);
            }
        }
    }

    fn is_alive(&self, id: ProcessId) -> bool {
        self.process(id).is_some_and(|process| process.pid().is_some())
    }

    fn has_to_wait_with_its_stop(&self, id: ProcessId) -> bool {
        self.is_alive(id) && self.conditions.has_dependents_going_down(id)
    }
}
