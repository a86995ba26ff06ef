//! New processes: creates their AUTO logs and starts those with `autostart`, a bounded number at a time.
//!
//! With a thousand programs this takes a while, and a shutdown request that arrives meanwhile must not wait for it.
//! So the rest follows with the next [`super::Input::TimePassed`], which is due at once, and a shutdown drops
//! them. The shell serves no clients until all are started, so none can see or change a half-started configuration.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Effect, Effects, Supervisor, Turn};
use crate::model::{LogTarget, Mono, ProcessId};

/// Processes started in one turn, apart from those that clients start.
pub(super) const AUTOSTARTS_PER_TURN: usize = 32;

/// A process that is queued to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum PendingStart {
    /// It is new: its AUTO logs have to be created, and it starts if it has `autostart`.
    New(ProcessId),
    /// The conditions that it waited for hold.
    Released(ProcessId),
}

/// The queued processes, in order.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Autostarts {
    pending: VecDeque<PendingStart>,
    /// When the previous ones were started.
    at: Mono,
    /// How many may still start in this turn.
    slots: usize,
}

impl Default for Autostarts {
    fn default() -> Self {
        Self { pending: VecDeque::new(), at: Mono::default(), slots: AUTOSTARTS_PER_TURN }
    }
}

impl Autostarts {
    pub(super) fn deadline(&self) -> Option<Mono> {
        (!self.pending.is_empty()).then_some(self.at)
    }

    /// Begins another turn.
    pub(super) fn renew_slots(&mut self) {
        self.slots = AUTOSTARTS_PER_TURN;
    }

    /// Whether another process may start in this turn.
    pub(super) fn take_slot(&mut self) -> bool {
        let is_free = self.slots > 0;
        self.slots = self.slots.saturating_sub(1);
        is_free
    }

    /// Starts it with the next turn, if the conditions that it waited for still hold then.
    pub(super) fn add_released(&mut self, id: ProcessId) {
        if !self.pending.contains(&PendingStart::Released(id)) {
            self.pending.push_back(PendingStart::Released(id));
        }
    }

    /// Drops the queue, because the supervisor stops.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
    }
}

impl Supervisor {
    /// Whether new processes are still queued.
    #[must_use]
    pub fn has_pending_starts(&self) -> bool {
        self.autostarts.deadline().is_some()
    }

    /// Creates the AUTO logs of new processes and starts those with `autostart`, in this order, now or in a
    /// later turn.
    pub(super) fn introduce(&mut self, turn: &Turn, processes: &[ProcessId], out: &mut Effects) {
        self.autostarts.pending.extend(processes.iter().copied().map(PendingStart::New));
        self.start_pending(turn, out);
    }

    /// Continues with the next ones. When none are left, the supervisor may turn out to be idle.
    pub(super) fn continue_starting(&mut self, turn: &Turn, out: &mut Effects) {
        if self.has_pending_starts() {
            self.start_pending(turn, out);
            out.may_be_idle |= !self.has_pending_starts();
        }
    }

    fn start_pending(&mut self, turn: &Turn, out: &mut Effects) {
        self.autostarts.at = turn.now.mono;
        for _ in 0..self.autostarts.slots {
            match self.autostarts.pending.pop_front() {
                Some(PendingStart::New(id)) => {
                    self.autostarts.take_slot();
                    self.introduce_one(id, out);
                    self.with(id, |process| process.autostart(turn, out));
                }
                // It takes its slot when its gate opens.
                Some(PendingStart::Released(id)) => out.to_look_at.push_back(id),
                None => break,
            }
        }
        if self.autostarts.pending.is_empty() {
            // It held all processes of the configuration.
            self.autostarts.pending = VecDeque::new();
        }
    }

    /// Creates the AUTO logs of a new process, once.
    pub(super) fn introduce_one(&mut self, id: ProcessId, out: &mut Effects) {
        self.with(id, |process| {
            if std::mem::replace(&mut process.is_introduced, true) {
                return;
            }
            let streams = [&process.spec.stdout, &process.spec.stderr];
            if streams.iter().any(|stream| stream.target == LogTarget::Auto) {
                out.push(Effect::MakeAutoLogs { process: id });
            }
        });
    }
}
