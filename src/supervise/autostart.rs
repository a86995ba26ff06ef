//! Processes that start by themselves, a bounded number at a time.
//!
//! With a thousand programs the forks take a while, and a request to end that comes meanwhile must not wait for
//! them. So what is left of a configuration is started with the next [`super::Input::TimePassed`], which is due at
//! once, and a shutdown forgets it. The shell serves no clients until all are started, so none can see or change
//! a half-started configuration.

use std::collections::VecDeque;

use super::{Effects, Supervisor, Turn};
use crate::model::{Mono, ProcessId};

/// Processes started while one input is handled.
pub(super) const AUTOSTARTS_PER_INPUT: usize = 32;

/// Those that are still to be started, in order.
#[derive(Debug, Default)]
pub(super) struct Autostarts {
    pending: VecDeque<ProcessId>,
    /// When the last of them were started.
    at: Mono,
}

impl Autostarts {
    pub(super) fn deadline(&self) -> Option<Mono> {
        (!self.pending.is_empty()).then_some(self.at)
    }

    /// The supervisor stops: they are not started any more.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
    }
}

impl Supervisor {
    /// Whether processes that start by themselves have not been started yet.
    #[must_use]
    pub fn has_pending_starts(&self) -> bool {
        self.autostarts.deadline().is_some()
    }

    /// Starts those that start by themselves, now or as soon as others before them are started.
    pub(super) fn autostart(&mut self, turn: &Turn, processes: &[ProcessId], out: &mut Effects) {
        self.autostarts.pending.extend(processes);
        self.start_pending(turn, out);
    }

    /// Starts the next of them; once there are none left, none may be running either.
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
            self.with(id, |process| process.autostart(turn, out));
        }
    }
}
