//! New processes: their AUTO logs are made, and those with `autostart` are started, a bounded number at a time.
//!
//! With a thousand programs this takes a while, and a request to end that comes meanwhile must not wait for it.
//! So the rest follows with the next [`super::Input::TimePassed`], which is due at once, and a shutdown forgets
//! it. The shell serves no clients until all are started, so none can see or change a half-started configuration.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Effect, Effects, Supervisor, Turn};
use crate::model::{LogTarget, Mono, ProcessId};

/// Processes introduced while one input is handled.
pub(super) const AUTOSTARTS_PER_INPUT: usize = 32;

/// Those whose turn has not come yet, in order.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Autostarts {
    pending: VecDeque<ProcessId>,
    /// When the last before them had theirs.
    at: Mono,
}

impl Autostarts {
    pub(super) fn deadline(&self) -> Option<Mono> {
        (!self.pending.is_empty()).then_some(self.at)
    }

    /// The supervisor stops, so they are not needed any more.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
    }
}

impl Supervisor {
    /// Whether there are new processes whose turn to start has not come yet.
    #[must_use]
    pub fn has_pending_starts(&self) -> bool {
        self.autostarts.deadline().is_some()
    }

    /// Makes the AUTO logs of new processes and starts those that start by themselves, in this order, now or once
    /// it is their turn.
    pub(super) fn introduce(&mut self, turn: &Turn, processes: &[ProcessId], out: &mut Effects) {
        self.autostarts.pending.extend(processes);
        self.start_pending(turn, out);
    }

    /// Continues with the next of them. When there are none left it may turn out that nothing runs.
    pub(super) fn go_on_starting(&mut self, turn: &Turn, out: &mut Effects) {
        if self.has_pending_starts() {
            self.start_pending(turn, out);
            out.may_be_idle |= !self.has_pending_starts();
        }
    }

    fn start_pending(&mut self, turn: &Turn, out: &mut Effects) {
        self.autostarts.at = turn.now.mono;
        for _ in 0..AUTOSTARTS_PER_INPUT {
            let Some(id) = self.autostarts.pending.pop_front() else { break };
            self.with(id, |process| {
                let streams = [&process.spec.stdout, &process.spec.stderr];
                if streams.iter().any(|stream| stream.target == LogTarget::Auto) {
                    out.push(Effect::MakeAutoLogs { process: id });
                }
                process.autostart(turn, out);
            });
        }
    }
}
