//! What is left of a process group whose leader is dead.
//!
//! With `stopasgroup` or `killasgroup` it is the group that is stopped, so it does not end with its leader:
//! the rest keep the time that the stop gave them, and are killed when that is over. Those of a leader that
//! died by itself are left alone, as by Supervisor, until everything is stopped.
//!
//! A group is known by the pid of its leader, which nobody else gets while anybody is in the group. So it
//! is asked after whenever an orphan was reaped, and forgotten once it is empty or the process is started
//! anew.
//! COMPAT: Supervisor never sends anything to a group whose leader is dead.

use std::time::Duration;

use super::process::{Process, State, seconds};
use super::{Effect, Effects, Supervisor, Turn};
use crate::model::{LogLevel, Mono, Pid, Signal};

/// How often those are killed again that the kernel can't end at once, or whose end is told to others.
const KILL_AGAIN_EVERY: Duration = Duration::from_secs(1);

/// The null signal: whether there is anybody.
const NULL: Signal = Signal(0);

/// The group of a dead leader.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    leader: Pid,
    /// `None` until it is to be stopped.
    kill_at: Option<Mono>,
}

impl Process {
    /// The leader, with this pid, was reaped; `kill_at` is when a stop that is under way would have killed it.
    pub(super) fn leave_rest(&mut self, leader: Option<Pid>, kill_at: Option<Mono>, out: &mut Effects) {
        let is_new = matches!(self.state, State::Starting { .. });
        self.rest =
            leader.filter(|_| self.spec.kill_as_group && !is_new).map(|leader| Rest { leader, kill_at });
        self.ask_after_rest(out);
    }

    fn ask_after_rest(&self, out: &mut Effects) {
        self.signal_rest(NULL, out);
    }

    fn signal_rest(&self, signal: Signal, out: &mut Effects) {
        if let Some(Rest { leader, .. }) = self.rest {
            out.push(Effect::Kill { process: self.id, pid: leader, signal, group: true });
        }
    }

    /// Nobody is there, or nothing can be done about them.
    pub(super) fn forget_rest(&mut self) {
        self.rest = None;
    }

    /// It is started anew: what a stop has not ended yet is not to be in its way.
    pub(super) fn clear_away_rest(&mut self, out: &mut Effects) {
        if self.is_stopping_rest() {
            self.signal_rest(Signal::KILL, out);
        }
        self.rest = None;
    }

    /// Everything is stopped, so they are too.
    pub(super) fn retire_rest(&mut self, turn: &Turn, out: &mut Effects) {
        let Some(Rest { kill_at: kill_at @ None, .. }) = &mut self.rest else { return };
        *kill_at = Some(turn.now.mono.after(seconds(self.spec.stop_wait_secs)));
        self.signal_rest(self.spec.stop_signal, out);
    }

    /// Kills them at once.
    pub(super) fn kill_rest(&mut self, turn: &Turn, out: &mut Effects) {
        let Some(rest) = &mut self.rest else { return };
        rest.kill_at = Some(turn.now.mono.after(KILL_AGAIN_EVERY));
        let text = format!("killing what is left of the group of '{}' with SIGKILL", self.spec.name);
        out.log(LogLevel::Warn, text);
        self.signal_rest(Signal::KILL, out);
    }

    /// Kills them if their time is over.
    pub(super) fn rest_time_passed(&mut self, turn: &Turn, out: &mut Effects) {
        if self.rest_deadline().is_some_and(|at| at <= turn.now.mono) {
            self.kill_rest(turn, out);
        }
    }

    pub(super) fn rest_deadline(&self) -> Option<Mono> {
        self.rest.and_then(|rest| rest.kill_at)
    }

    /// Whether a stop waits for them.
    pub(super) fn is_stopping_rest(&self) -> bool {
        self.rest_deadline().is_some()
    }
}

impl Supervisor {
    /// An orphan is gone, who may have been the last of a group.
    pub(super) fn ask_after_rests(&self, out: &mut Effects) {
        self.processes.values().for_each(|process| process.ask_after_rest(out));
    }
}
