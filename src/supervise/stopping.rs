//! How a process is stopped, and how it is sent signals.

use std::time::Duration;

use super::process::{Process, State, seconds};
use super::{Effect, Effects, Turn};
use crate::model::{LogLevel, Mono, Pid, Signal};

/// The least time between two SIGKILLs for one process, so that `stopwaitsecs=0` on one that the
/// kernel can't end at once (uninterruptible sleep) is no busy loop.
const KILL_SPACING: Duration = Duration::from_millis(10);

/// What happened to an attempt to send a signal.
pub type SendOutcome = Result<(), SendError>;

/// Why a signal could not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// ESRCH: it has just ended on its own; its exit is on the way.
    Gone(String),
    /// Anything else, such as EPERM.
    Failed(String),
}

impl Process {
    /// A request to stop: asked politely first.
    pub(super) fn stop(&mut self, turn: &Turn, out: &mut Effects) {
        match self.state {
            State::Starting { pid: Some(pid), .. } | State::Running { pid } => {
                self.begin_stopping(turn, pid, self.spec.stop_signal, self.spec.stop_as_group, out);
            }
            State::Backoff { .. } => {
                let name = &self.spec.name;
                out.log(LogLevel::Debug, format!("Attempted to kill {name}, which is in BACKOFF state."));
                // COMPAT: Supervisor keeps the counter, so a later start may go FATAL at once.
                self.failed_starts = 0;
                self.enter(State::Stopped, out);
            }
            State::Starting { pid: None, .. } => self.enter(State::Stopped, out),
            State::Exited { .. } => self.enter(State::Exited { restart_at: None }, out),
            State::Stopped | State::Stopping { .. } | State::Fatal | State::Unknown { .. } => {}
        }
    }

    /// When it is killed, if it is asked to stop.
    pub(super) fn kill_at(&self) -> Option<Mono> {
        match self.state {
            State::Stopping { kill_at, .. } => Some(kill_at),
            State::Stopped
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => None,
        }
    }

    /// The supervisor ends: as `stop`, but a process that waits for another try has failed.
    pub(super) fn retire(&mut self, turn: &Turn, out: &mut Effects) {
        self.retire_rest(turn, out);
        match self.state {
            State::Backoff { .. } => {
                self.failed_starts = 0;
                self.enter(State::Fatal, out);
            }
            State::Stopped
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => self.stop(turn, out),
        }
    }

    /// Ends the patience with a process that is already stopping.
    pub(super) fn hasten(&mut self, turn: &Turn, out: &mut Effects) {
        if self.is_stopping_rest() {
            self.kill_rest(turn, out);
        }
        match self.state {
            State::Stopping { pid, .. } => self.kill(turn, pid, out),
            State::Stopped
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => self.retire(turn, out),
        }
    }

    /// Ends all patience with it: what has a pid is killed, whether it was asked to stop or not.
    pub(super) fn give_up(&mut self, turn: &Turn, out: &mut Effects) {
        self.kill_rest(turn, out);
        match self.state {
            State::Starting { pid: Some(pid), .. } | State::Running { pid } | State::Stopping { pid, .. } => {
                self.kill(turn, pid, out)
            }
            State::Starting { pid: None, .. }
            | State::Stopped
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => self.retire(turn, out),
        }
    }

    /// A signal that is not meant to end it. Goes to the process, never to its group.
    pub(super) fn signal(&self, signal: Signal, out: &mut Effects) {
        if let Some(pid) = self.pid() {
            let name = &self.spec.name;
            out.log(LogLevel::Debug, format!("sending {name} (pid {pid}) sig {signal}"));
            out.push(Effect::Kill { process: self.id, pid, signal, group: false });
        }
    }

    /// The outcome of a `Kill` effect. Returns the text of a failure that a client is to be told.
    pub(super) fn sent(&mut self, signal: Signal, outcome: SendOutcome, out: &mut Effects) -> Option<String> {
        let Some(pid) = self.pid() else {
            if outcome.is_err() {
                self.forget_rest();
            }
            return None;
        };
        let name = &self.spec.name;
        let stopping = matches!(self.state, State::Stopping { .. });
        match outcome {
            Ok(()) => None,
            Err(SendError::Gone(cause)) => {
                let when = if stopping { "just" } else { "just now" };
                let text = format!(
                    "unable to signal {name} (pid {pid}), it probably {when} exited on its own: {cause}"
                );
                out.log(LogLevel::Debug, text);
                None
            }
            Err(SendError::Failed(cause)) => {
                let text = if stopping {
                    format!("unknown problem killing {name} ({pid}):{cause}")
                } else {
                    format!("unknown problem sending sig {signal} ({pid}):{cause}")
                };
                out.log(LogLevel::Critical, text.clone());
                self.enter(State::Unknown { pid: Some(pid) }, out);
                Some(text)
            }
        }
    }

    /// A client waits for the end of this process: tell so in the log now and then.
    pub(super) fn report_stopping(&mut self, turn: &Turn, out: &mut Effects) {
        if let State::Stopping { report_at: report_at @ None, .. } = &mut self.state {
            *report_at = Some(turn.now.mono);
            self.time_passed(turn, out);
        }
    }

    pub(super) fn begin_stopping(
        &mut self,
        turn: &Turn,
        pid: Pid,
        signal: Signal,
        group: bool,
        out: &mut Effects,
    ) {
        let target = if group { "process group " } else { "" };
        let name = &self.spec.name;
        out.log(LogLevel::Debug, format!("killing {name} (pid {pid}) {target}with signal {signal}"));
        let report_at = match self.state {
            State::Stopping { report_at, .. } => report_at,
            State::Stopped
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => None,
        };
        let kill_at = turn.now.mono.after(seconds(self.spec.stop_wait_secs).max(KILL_SPACING));
        self.enter(State::Stopping { pid, kill_at, report_at }, out);
        out.push(Effect::Kill { process: self.id, pid, signal, group });
    }

    pub(super) fn kill(&mut self, turn: &Turn, pid: Pid, out: &mut Effects) {
        self.begin_stopping(turn, pid, Signal::KILL, self.spec.kill_as_group, out);
    }
}
