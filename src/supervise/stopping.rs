//! Stopping processes and sending them signals.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::desired::RunTarget;
use super::process::{Process, State, seconds};
use super::{Effect, Effects, Turn};
use crate::model::{LogLevel, Mono, Pid, Signal};

/// How often `waiting for x to stop` is repeated while a client waits.
const STOP_REPORT_EVERY: Duration = Duration::from_secs(2);

/// The minimum time before a stop sends SIGKILL, even with `stopwaitsecs=0`.
const KILL_AFTER_MIN: Duration = Duration::from_millis(10);

/// How long a process may take to end after SIGKILL. The kernel ends most at once; one with much memory takes
/// longer, and one in an uninterruptible sleep (state D) may never end. Then it is given up.
pub(super) const GRACE_AFTER_KILL: Duration = Duration::from_secs(10);

/// The same once `shutdown_timeout` is over or a shutdown was requested again.
pub(super) const GRACE_AFTER_KILL_IN_A_HURRY: Duration = Duration::from_secs(1);

/// How much longer than `stopwaitsecs` a stop may take because the program asks for time (`EXTEND_TIMEOUT_USEC`).
/// Without it a program that keeps asking would never be killed.
pub(super) const STOP_EXTENSION_MAX: Duration = Duration::from_secs(3600);

/// A stop that is under way.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Stop {
    pub(super) kill_at: Mono,
    /// `kill_at` is not extended beyond it.
    latest_kill_at: Mono,
    /// Set once SIGKILL was sent.
    pub(super) give_up_at: Option<Mono>,
    /// Set while a client waits for the end.
    report_at: Option<Mono>,
    /// It did not end after SIGKILL and is given up: nothing waits for it any more.
    is_given_up: bool,
}

impl Stop {
    /// A stop that sends SIGKILL at this time.
    fn killing_at(kill_at: Mono) -> Self {
        let latest_kill_at = kill_at.after(STOP_EXTENSION_MAX);
        Self { kill_at, latest_kill_at, give_up_at: None, report_at: None, is_given_up: false }
    }

    /// Extends the stop to this time. A stop that has sent SIGKILL is not extended.
    pub(super) fn extend_to(&mut self, at: Mono) {
        if self.give_up_at.is_none() {
            self.kill_at = self.kill_at.max(at.min(self.latest_kill_at));
        }
    }

    pub(super) fn deadline(self) -> Option<Mono> {
        let next = self.give_up_at.unwrap_or(self.kill_at);
        (!self.is_given_up).then_some(self.report_at.map_or(next, |at| at.min(next)))
    }
}

/// How far a signal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KillTarget {
    /// The process alone.
    Process,
    /// Its process group, and the process itself if it has left that.
    Group,
    /// Its group and everything else in its cgroup, which it is known to have entered.
    Cgroup,
    /// Its group and everything else that it has started, found as its descendants and by its mark.
    Tree,
}

impl KillTarget {
    fn group_if(is_group: bool) -> Self {
        if is_group { Self::Group } else { Self::Process }
    }
}

/// What happened to an attempt to send a signal.
pub type SendOutcome = Result<(), SendError>;

/// Why a signal could not be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SendError {
    /// ESRCH: it has just ended on its own and will be reaped soon.
    Gone(String),
    /// Anything else, such as EPERM.
    Failed(String),
}

impl Process {
    /// A request to stop: the stop signal comes before SIGKILL.
    pub(super) fn stop(&mut self, turn: &Turn, out: &mut Effects) {
        self.desired.request(RunTarget::Down);
        self.reset_restarts();
        self.pause_schedule(turn, out);
        match self.state {
            State::Starting { pid: Some(pid), .. } | State::Running { pid } => {
                self.begin_stopping(turn, pid, out);
            }
            State::Backoff { .. } => {
                let name = &self.spec.name;
                out.debug(|| format!("Attempted to kill {name}, which is in BACKOFF state."));
                // COMPAT: Supervisor keeps the counter, so a later start may go FATAL at once.
                self.failed_starts = 0;
                self.enter(State::Stopped, out);
            }
            State::Waiting { .. } | State::Starting { pid: None, .. } => self.enter(State::Stopped, out),
            State::Exited { .. } => self.enter(State::Exited { restart_at: None }, out),
            State::Stopped | State::Stopping { .. } | State::Fatal | State::Unknown { .. } => {}
        }
    }

    /// Stops it without a request to stay down: it keeps its target and starts again afterwards.
    pub(super) fn stop_for_restart(&mut self, turn: &Turn, out: &mut Effects) {
        if let State::Starting { pid: Some(pid), .. } | State::Running { pid } = self.state {
            self.begin_stopping(turn, pid, out);
        }
    }

    pub(super) fn stop_under_way(&self) -> Option<Stop> {
        match &self.state {
            State::Stopping { stop, .. } => Some(**stop),
            State::Stopped
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => None,
        }
    }

    /// Whether it was given up because SIGKILL did not end it.
    pub(super) fn is_given_up(&self) -> bool {
        self.stop_under_way().is_some_and(|stop| stop.is_given_up)
    }

    /// What clients see of a process that was given up.
    pub(super) fn given_up_text(&self) -> Option<String> {
        let pid = self.pid().filter(|_| self.is_given_up())?;
        Some(format!("{} (pid {pid}) does not end after SIGKILL", self.full_name()))
    }

    /// Stops it because the supervisor ends: as `stop`, but a process that waits for another attempt has failed.
    pub(super) fn stop_for_shutdown(&mut self, turn: &Turn, out: &mut Effects) {
        self.note_shutdown();
        self.stop_members(turn, out);
        match self.state {
            State::Backoff { .. } => {
                self.failed_starts = 0;
                self.enter(State::Fatal, out);
            }
            State::Stopped
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => self.stop(turn, out),
        }
    }

    /// A shutdown was requested again: kills it if it was already asked to stop, otherwise asks it now.
    pub(super) fn kill_or_stop(&mut self, turn: &Turn, out: &mut Effects) {
        self.end_hooks(out);
        if self.has_stopping_members() {
            self.kill_members(turn, GRACE_AFTER_KILL_IN_A_HURRY, out);
        }
        match self.state {
            State::Stopping { .. } => self.kill(turn, GRACE_AFTER_KILL_IN_A_HURRY, out),
            State::Stopped
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => self.stop_for_shutdown(turn, out),
        }
    }

    /// The time for the shutdown is over: kills it if it has a pid, whether it was asked to stop or not.
    pub(super) fn kill_now(&mut self, turn: &Turn, out: &mut Effects) {
        self.end_hooks(out);
        self.kill_members(turn, GRACE_AFTER_KILL_IN_A_HURRY, out);
        match self.state {
            State::Starting { pid: Some(_), .. } | State::Running { .. } | State::Stopping { .. } => {
                self.kill(turn, GRACE_AFTER_KILL_IN_A_HURRY, out);
            }
            State::Starting { pid: None, .. }
            | State::Waiting { .. }
            | State::Stopped
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => self.stop_for_shutdown(turn, out),
        }
    }

    /// Sends a signal that is not part of a stop. Goes to the process, never to its group.
    pub(super) fn signal(&self, signal: Signal, out: &mut Effects) {
        if let Some(pid) = self.pid() {
            let name = &self.spec.name;
            out.debug(|| format!("sending {name} (pid {pid}) sig {signal}"));
            out.push(Effect::Kill { process: self.id, pid, signal, target: KillTarget::Process });
        }
    }

    /// The outcome of a `Kill` effect. Returns the text of a failure for the client.
    pub(super) fn sent(&mut self, signal: Signal, outcome: SendOutcome, out: &mut Effects) -> Option<String> {
        let pid = self.pid()?;
        let name = &self.spec.name;
        let stopping = matches!(self.state, State::Stopping { .. });
        match outcome {
            Ok(()) => {
                self.is_killed_by_us |= signal == Signal::KILL;
                None
            }
            Err(SendError::Gone(cause)) => {
                let when = if stopping { "just" } else { "just now" };
                out.debug(|| {
                    format!(
                        "unable to signal {name} (pid {pid}), it probably {when} exited on its own: {cause}"
                    )
                });
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

    /// Logs at intervals that a client waits for the end of this process.
    pub(super) fn report_stopping(&mut self, turn: &Turn, out: &mut Effects) {
        if let State::Stopping { stop, .. } = &mut self.state
            && stop.report_at.is_none()
        {
            stop.report_at = Some(turn.now.mono);
            self.time_passed(turn, out);
        }
    }

    /// Performs the next step of a stop when it is due.
    pub(super) fn stop_time_passed(&mut self, turn: &Turn, out: &mut Effects) {
        let (now, name) = (turn.now.mono, &self.spec.name);
        let State::Stopping { pid, stop } = &mut self.state else { return };
        match &mut **stop {
            Stop { is_given_up: true, .. } => {}
            Stop { give_up_at: Some(at), .. } if now >= *at => {
                stop.is_given_up = true;
                let text = format!("giving up '{name}' ({pid}), which does not end after SIGKILL");
                out.log(LogLevel::Critical, text);
            }
            Stop { give_up_at: None, kill_at, .. } if now >= *kill_at => {
                out.log(LogLevel::Warn, format!("killing '{name}' ({pid}) with SIGKILL"));
                self.kill(turn, GRACE_AFTER_KILL, out);
            }
            Stop { report_at: Some(report_at), .. } if now >= *report_at => {
                *report_at = now.after(STOP_REPORT_EVERY);
                out.log(LogLevel::Info, format!("waiting for {name} to stop"));
            }
            Stop { .. } => {}
        }
    }

    /// Asks it to stop.
    pub(super) fn begin_stopping(&mut self, turn: &Turn, pid: Pid, out: &mut Effects) {
        let kill_at = turn.now.mono.after(seconds(self.spec.stop_wait_secs).max(KILL_AFTER_MIN));
        let stop = Stop::killing_at(kill_at);
        if !self.begin_pre_stop(turn, pid, stop, out) {
            let target = KillTarget::group_if(self.spec.stop_as_group);
            self.send_to_end_it((pid, target), stop, self.spec.stop_signal, out);
        }
    }

    /// How far SIGKILL reaches. Until it is known whether it has entered its cgroup, what it has started is found as
    /// without one.
    pub(super) fn kill_target(&self) -> KillTarget {
        match (self.spec.kill_tree, self.is_in_cgroup) {
            (false, _) => KillTarget::group_if(self.spec.kill_as_group),
            (true, true) => KillTarget::Cgroup,
            (true, false) => KillTarget::Tree,
        }
    }

    /// Kills it, unless that was done before, and gives it up after this grace period.
    fn kill(&mut self, turn: &Turn, grace: Duration, out: &mut Effects) {
        let Some(pid) = self.pid() else { return };
        let now = turn.now.mono;
        let latest = now.after(grace);
        let stop = self.stop_under_way().unwrap_or_else(|| Stop::killing_at(now));
        match stop.give_up_at {
            None => {
                let stop = Stop { give_up_at: Some(latest), ..stop };
                let target = self.kill_target();
                self.send_to_end_it((pid, target), stop, Signal::KILL, out);
            }
            Some(at) => {
                let stop = Stop { give_up_at: Some(at.min(latest)), ..stop };
                self.enter(State::Stopping { pid, stop: Box::new(stop) }, out);
            }
        }
    }

    /// Sends the stop signal, at once or after `pre_stop`.
    pub(super) fn send_stop_signal(&mut self, out: &mut Effects) {
        if let (Some(pid), Some(stop)) = (self.pid(), self.stop_under_way()) {
            let target = KillTarget::group_if(self.spec.stop_as_group);
            self.send_to_end_it((pid, target), stop, self.spec.stop_signal, out);
        }
    }

    fn send_to_end_it(
        &mut self,
        (pid, target): (Pid, KillTarget),
        stop: Stop,
        signal: Signal,
        out: &mut Effects,
    ) {
        let whole = match target {
            KillTarget::Process => "",
            KillTarget::Group => "process group ",
            KillTarget::Cgroup => "cgroup ",
            KillTarget::Tree => "process tree ",
        };
        let name = &self.spec.name;
        out.debug(|| format!("killing {name} (pid {pid}) {whole}with signal {signal}"));
        self.enter(State::Stopping { pid, stop: Box::new(stop) }, out);
        out.push(Effect::Kill { process: self.id, pid, signal, target });
    }
}
