//! Why the supervisor ends, and with which status.
//!
//! A process that ends by itself and is not started again unless a client asks is recorded
//! while an input is handled. At the input's end its own `on_exit` or `on_fatal` is applied,
//! then `on_idle`. The first reason to end counts; processes that end during a shutdown do not change it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::process::{Process, State};
use super::{Effects, Supervisor, Turn};
use crate::model::{ExitStatus, GroupKind, LogLevel, Namespec, OnEnd, OnIdle, ProcessId, Signal};

/// The exit status after a program that failed without a status of its own.
const FAILED: u8 = 1;

/// Reported when a process was started and ended before `startsecs`.
pub(super) const EXITED_TOO_QUICKLY: &str = "Exited too quickly (process log may have details)";

/// Why the supervisor ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// A signal asked for it.
    Signal(Signal),
    /// A client asked for it.
    Client,
    /// A program with `on_exit=shutdown` has ended.
    Exited {
        /// `group:name`, or one word where both are the same.
        process: String,
        /// How.
        status: ExitStatus,
    },
    /// A program with `on_fatal=shutdown` could not be started.
    Fatal(Failed),
    /// A program with `on_unhealthy=shutdown` is unhealthy, or was stopped for that and has `on_exit=shutdown`.
    Unhealthy(Failed),
    /// No program is left, with `on_idle=exit`; the first that has failed decides the status.
    Idle(Option<Failed>),
}

/// A program that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// As in [`Ending::Exited`].
    pub process: String,
    /// Its end as an exit status, never 0.
    pub status: u8,
    /// What is known about it.
    pub why: String,
}

impl Ending {
    /// The exit status.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Signal(_) | Self::Client | Self::Idle(None) => 0,
            Self::Exited { status, .. } => status.for_shell(),
            Self::Fatal(failed) | Self::Unhealthy(failed) | Self::Idle(Some(failed)) => failed.status,
        }
    }

    /// Whether a client or a signal asked for it.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        match self {
            Self::Signal(_) | Self::Client => true,
            Self::Exited { .. } | Self::Fatal(_) | Self::Unhealthy(_) | Self::Idle(_) => false,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => write!(f, "{signal} asked for it"),
            Self::Client => f.write_str("a client asked for it"),
            Self::Exited { process, status } => write!(f, "{process} ended: {status}"),
            Self::Fatal(failed) | Self::Unhealthy(failed) => write!(f, "{failed}"),
            Self::Idle(None) => f.write_str("no program is left, all ended as expected"),
            Self::Idle(Some(failed)) => write!(f, "no program is left, and {failed}"),
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.process, self.why)
    }
}

/// How a process last ended, or why it could not start.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum LastEnd {
    Ended(ExitStatus),
    /// With the status that a shell has for it, 126 or 127.
    NotSpawned(u8),
    /// The child has ended before it was the program: it could not apply an option, or the machine was short.
    NotExecuted(u8),
}

impl LastEnd {
    fn for_shell(self) -> u8 {
        match self {
            Self::Ended(status) => status.for_shell(),
            Self::NotSpawned(status) | Self::NotExecuted(status) => status,
        }
    }
}

impl Process {
    /// How its program ended last; `None` if there was no program in the last attempt.
    pub(super) fn last_exit(&self) -> Option<ExitStatus> {
        let is_of_program = !matches!(self.last_end, Some(LastEnd::NotExecuted(_)));
        self.ended.as_ref().filter(|_| is_of_program).map(|ended| ended.1)
    }

    pub(super) fn full_name(&self) -> String {
        Namespec::join(&self.spec.group, &self.spec.name)
    }

    /// What its end requests of the supervisor.
    fn verdict(&self) -> Option<Ending> {
        match self.state {
            State::Exited { .. } if self.spec.on_exit == OnEnd::Shutdown => {
                let status = self.exit_status?;
                Some(Ending::Exited { process: self.full_name(), status })
            }
            State::Fatal if self.spec.on_fatal == OnEnd::Shutdown => self.failure().map(Ending::Fatal),
            State::Fatal if self.unhealthy_reason().is_some() && self.spec.on_exit == OnEnd::Shutdown => {
                self.failure().map(Ending::Unhealthy)
            }
            State::Running { .. } if self.ends_supervisor_unhealthy() => {
                let why = self.unhealthy_reason()?.to_owned();
                Some(Ending::Unhealthy(Failed { process: self.full_name(), status: FAILED, why }))
            }
            State::Stopped
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Stopping { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => None,
        }
    }

    /// `None` if it did not fail, or is not at its end.
    fn failure(&self) -> Option<Failed> {
        let failed = |why: String| {
            let status = self.last_end.map_or(FAILED, LastEnd::for_shell).max(FAILED);
            Some(Failed { process: self.full_name(), status, why })
        };
        match self.state {
            State::Fatal => failed(match self.last_end {
                Some(LastEnd::Ended(status)) if self.failure_text() == EXITED_TOO_QUICKLY => {
                    format!("{status}, too quickly to count as started")
                }
                Some(LastEnd::Ended(_) | LastEnd::NotSpawned(_) | LastEnd::NotExecuted(_)) | None => {
                    self.failure_text().to_owned()
                }
            }),
            State::Exited { .. } => {
                self.exit_status.filter(|&status| !self.expects(status)).and_then(|it| failed(it.to_string()))
            }
            State::Stopped
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Stopping { .. }
            | State::Unknown { .. } => None,
        }
    }
}

impl Supervisor {
    /// At the end of an input: ends the supervisor if a process that ended requires it.
    pub(super) fn judge_ends(&mut self, turn: &Turn, out: &mut Effects) {
        let ended = std::mem::take(&mut out.ended);
        let may_be_idle = std::mem::take(&mut out.may_be_idle) || !ended.is_empty();
        if !self.allows_starts() {
            return;
        }
        let verdict = ended.iter().find_map(|id: &ProcessId| self.process(*id)?.verdict());
        let idle = || (may_be_idle && self.is_idle()).then(|| Ending::Idle(self.first_failure()));
        if let Some(ending) = verdict.or_else(idle) {
            out.log(LogLevel::Warn, format!("{ending}; shutting down"));
            self.shut_down(turn, ending, out);
        }
    }

    /// Whether `on_idle=exit` applies now. Listeners never end by themselves, so they do not count.
    fn is_idle(&self) -> bool {
        let is_busy =
            |process: &Process| process.is_unstopped() || process.will_restart() || process.has_next_run();
        self.rules.on_idle == OnIdle::Exit && !self.has_pending_starts() && !self.programs().any(is_busy)
    }

    fn first_failure(&self) -> Option<Failed> {
        self.programs().find_map(Process::failure)
    }

    /// All but listeners.
    fn programs(&self) -> impl Iterator<Item = &Process> {
        let groups = self.groups.iter().filter(|it| !matches!(it.kind, GroupKind::EventListener(_)));
        groups.flat_map(|group| &group.members).filter_map(|id| self.process(*id))
    }
}
