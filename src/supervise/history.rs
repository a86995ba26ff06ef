//! The history of each process and the event log of the supervisor.
//!
//! Transitions are collected while an input is handled and recorded at its end, with the time of the turn and the
//! next serial.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::hook_runs::HookReason;
use super::process::{Process, State, Until};
use super::{Effects, Input, Supervisor, Turn};
use crate::model::{
    EventLogPart, ExitStatus, LoggedEvent, LoggedEventKind, Pid, Principal, ProcessId, ProcessSpec,
    ProcessState, RunCounters, Transition, TransitionReason, Wall,
};

/// Transitions kept of each process.
pub const TRANSITIONS_KEPT: usize = 64;

/// Entries kept of the event log.
pub const EVENTS_KEPT: usize = 1024;

/// A reason is cut to this length. Texts of programs and of checks can be part of it.
const REASON_CHARS_MAX: usize = 300;

/// What has happened to one process.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct ProcessHistory {
    /// The event log has the newest of them too.
    transitions: Vec<Arc<Transition>>,
    pub(super) counters: RunCounters,
}

impl ProcessHistory {
    fn record(&mut self, transition: Arc<Transition>) {
        if self.transitions.len() >= TRANSITIONS_KEPT {
            self.transitions.remove(0);
        }
        if self.transitions.len() == self.transitions.capacity() {
            // Most processes have started and no more: no room that is never used.
            self.transitions.reserve_exact(2);
        }
        self.transitions.push(transition);
    }

    /// When it entered its state.
    pub(super) fn since(&self) -> Option<Wall> {
        self.transitions.last().map(|last| last.at)
    }

    pub(super) fn transitions(&self) -> impl Iterator<Item = &Transition> {
        self.transitions.iter().map(|transition| &**transition)
    }
}

/// The last events of the whole supervisor.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct EventLog {
    kept: VecDeque<LogEntry>,
    newest: u64,
}

/// An entry of the event log. Nearly all are transitions, which the histories of their processes have too.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum LogEntry {
    /// Of a process that exists, whose specification has its names.
    Process {
        process: ProcessId,
        transition: Arc<Transition>,
    },
    Other(Box<LoggedEvent>),
}

impl LogEntry {
    fn serial(&self) -> u64 {
        match self {
            Self::Process { transition, .. } => transition.serial,
            Self::Other(event) => event.serial,
        }
    }

    /// `None` for a transition of a process that does not exist.
    fn event<'s>(&self, spec: impl Fn(ProcessId) -> Option<&'s ProcessSpec>) -> Option<LoggedEvent> {
        match self {
            Self::Process { process, transition } => {
                Some(transition_event(spec(*process)?, Arc::clone(transition)))
            }
            Self::Other(event) => Some(LoggedEvent::clone(event)),
        }
    }
}

fn transition_event(spec: &ProcessSpec, transition: Arc<Transition>) -> LoggedEvent {
    let (serial, at, group, name) = (transition.serial, transition.at, spec.group.clone(), spec.name.clone());
    LoggedEvent { serial, at, kind: LoggedEventKind::Process { group, name, transition } }
}

impl EventLog {
    fn next_serial(&self) -> u64 {
        self.newest + 1
    }

    /// Adds an entry with the next serial.
    fn add(&mut self, entry: LogEntry) {
        self.newest = entry.serial();
        if self.kept.len() >= EVENTS_KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(entry);
    }

    fn record(&mut self, at: Wall, kind: LoggedEventKind) {
        self.add(LogEntry::Other(Box::new(LoggedEvent { serial: self.next_serial(), at, kind })));
    }

    /// Puts the names into the entries of a process that is going to be removed.
    pub(super) fn keep_names(&mut self, gone: &Process) {
        for entry in &mut self.kept {
            if let LogEntry::Process { process, transition } = entry
                && *process == gone.id
            {
                *entry = LogEntry::Other(Box::new(transition_event(&gone.spec, Arc::clone(transition))));
            }
        }
    }

    /// A client may name any serial.
    fn after<'s>(
        &self,
        serial: u64,
        limit: usize,
        spec: impl Fn(ProcessId) -> Option<&'s ProcessSpec>,
    ) -> EventLogPart {
        let oldest = self.kept.front().map_or(self.newest + 1, LogEntry::serial);
        let first = serial.saturating_add(1);
        let skipped = usize::try_from(first.saturating_sub(oldest)).unwrap_or(usize::MAX);
        let entries = self.kept.iter().skip(skipped).take(limit);
        let events = entries.filter_map(|entry| entry.event(&spec)).collect();
        EventLogPart { events, newest: self.newest, has_gap: first < oldest }
    }
}

/// Something that has happened while an input was handled and is not recorded yet.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Unrecorded {
    Transition { process: ProcessId, spec: Arc<ProcessSpec>, change: StateTransition },
    Other(LoggedEventKind),
}

/// A transition without its serial and time.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StateTransition {
    from: ProcessState,
    to: ProcessState,
    pid: Option<Pid>,
    exit: Option<ExitStatus>,
    reason: TransitionReason,
}

impl Effects {
    /// Adds an entry to the event log.
    pub(super) fn record(&mut self, kind: LoggedEventKind) {
        self.unrecorded.push(Unrecorded::Other(kind));
    }
}

impl Supervisor {
    /// The entries of the event log after this serial, so many at most.
    #[must_use]
    pub fn events_after(&self, serial: u64, limit: usize) -> EventLogPart {
        self.event_log.after(serial, limit, |process| self.spec(process))
    }

    /// The serial of the newest entry of the event log.
    #[must_use]
    pub fn newest_event(&self) -> u64 {
        self.event_log.newest
    }

    /// The sender of the command that this input follows from. The outcomes of the effects of a command come before any
    /// other input.
    pub(super) fn take_requester(&mut self, input: &Input) -> Option<Principal> {
        let requester = self.requester.take();
        requester.filter(|_| {
            matches!(
                input,
                Input::Checked { .. }
                    | Input::Spawned { .. }
                    | Input::Sent { .. }
                    | Input::AutoLogsMade { .. }
                    | Input::SettingsRead { .. }
                    | Input::SocketsTried { .. }
            )
        })
    }

    /// Gives everything that has happened in this turn its serial.
    pub(super) fn record_events(&mut self, turn: &Turn, out: &mut Effects) {
        let at = turn.now.wall;
        for event in std::mem::take(&mut out.unrecorded) {
            match event {
                Unrecorded::Other(kind) => self.event_log.record(at, kind),
                Unrecorded::Transition { process, spec, change } => {
                    let StateTransition { from, to, pid, exit, reason } = change;
                    let serial = self.event_log.next_serial();
                    let transition = Arc::new(Transition { serial, at, from, to, pid, exit, reason });
                    self.event_log.add(match self.processes.history_mut(process) {
                        Some(history) => {
                            history.record(Arc::clone(&transition));
                            LogEntry::Process { process, transition }
                        }
                        // It has just been removed.
                        None => LogEntry::Other(Box::new(transition_event(&spec, transition))),
                    });
                }
            }
        }
    }

    /// A process takes the place of another one of the same name, with its history.
    pub(super) fn inherit_history(&mut self, old: Option<ProcessHistory>, new: ProcessId) {
        if let (Some(old), Some(history)) = (old, self.processes.history_mut(new)) {
            *history = old;
        }
    }
}

impl Process {
    /// Notes that it has just left a state for its present one.
    pub(super) fn note_transition(&self, left: &State, pid_before: Option<Pid>, out: &mut Effects) {
        if std::mem::discriminant(left) == std::mem::discriminant(&self.state) {
            return;
        }
        let to = self.state();
        let is_end = matches!(to, ProcessState::Stopped | ProcessState::Exited | ProcessState::Backoff)
            && pid_before.is_some();
        let exit = self.last_exit().filter(|_| is_end);
        let mut reason = self.reason_of_transition(left, exit, out.requester.as_ref());
        if let TransitionReason::Text(text) = &mut reason {
            if let Some((end, _)) = text.char_indices().nth(REASON_CHARS_MAX) {
                text.to_mut().truncate(end);
            }
            // It is kept for long, and a text that shrinks keeps the place that it grew into.
            if let Cow::Owned(text) = text {
                *text = text.as_str().to_owned();
            }
        }
        let (from, pid) = (left.process_state(), self.pid().or(pid_before));
        let change = StateTransition { from, to, pid, exit, reason };
        let spec = Arc::clone(&self.spec);
        out.unrecorded.push(Unrecorded::Transition { process: self.id, spec, change });
    }

    fn reason_of_transition(
        &self,
        left: &State,
        exit: Option<ExitStatus>,
        requester: Option<&Principal>,
    ) -> TransitionReason {
        let by = |what: &'static str| match requester {
            Some(requester) => Cow::Owned(format!("{what} by {requester}")),
            None => Cow::Borrowed(what),
        };
        let text: Cow<'static, str> = match &self.state {
            State::Waiting { .. } => "waiting for its dependencies".into(),
            State::Starting { .. } => match self.hooks.start_reason {
                HookReason::Restart if matches!(left, State::Backoff { .. }) => "next attempt".into(),
                HookReason::Restart => "restarted".into(),
                _ => by("started"),
            },
            State::Running { .. } => match left {
                State::Starting { until: Until::Ready { .. }, .. } => "ready".into(),
                _ => return TransitionReason::UpFor(self.spec.start_secs.max(0)),
            },
            State::Backoff { .. } => self.failure_text().to_owned().into(),
            State::Stopping { .. } => match self.hooks.stop_reason.unwrap_or(HookReason::Stop) {
                HookReason::Shutdown => "the supervisor is shutting down".into(),
                HookReason::Update => "its configuration has changed".into(),
                HookReason::Unhealthy => self.unhealthy_reason().unwrap_or_default().to_owned().into(),
                HookReason::Crash => self.failure_text().to_owned().into(),
                HookReason::Restart if self.is_losing_its_binding => {
                    "a process it is bound to is no longer up".into()
                }
                HookReason::Restart | HookReason::Start | HookReason::Exit => {
                    "stopped to be restarted".into()
                }
                HookReason::Stop => by("stopped"),
            },
            State::Exited { .. } => match exit {
                Some(status) if self.expects(status) => format!("{status} (expected)").into(),
                Some(status) => format!("{status} (not expected)").into(),
                None => "".into(),
            },
            State::Stopped => exit.map_or_else(|| by("stopped"), |status| status.to_string().into()),
            State::Fatal if self.failure_text().is_empty() => "given up".into(),
            State::Fatal => self.failure_text().to_owned().into(),
            State::Unknown { .. } => "a signal could not be sent to it".into(),
        };
        TransitionReason::Text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SupervisorState;

    #[test]
    fn the_event_log_is_bounded_and_says_what_is_missing() {
        let (mut log, none) = (EventLog::default(), |_| None);
        assert_eq!(log.after(0, 10, none), EventLogPart::default());
        let count = EVENTS_KEPT as u64 + 3;
        for _ in 0..count {
            log.record(Wall::default(), LoggedEventKind::Supervisor(SupervisorState::Running));
        }
        let serials = |part: &EventLogPart| part.events.iter().map(|it| it.serial).collect::<Vec<_>>();
        let part = log.after(count - 2, 10, none);
        assert_eq!((serials(&part), part.newest, part.has_gap), (vec![count - 1, count], count, false));
        let part = log.after(0, 2, none);
        assert_eq!((serials(&part), part.has_gap), (vec![4, 5], true));
        assert!(!log.after(3, 1, none).has_gap);
        for serial in [count + 7, u64::MAX] {
            let part = log.after(serial, 5, none);
            assert_eq!((part.events, part.has_gap), (vec![], false));
        }
    }
}
