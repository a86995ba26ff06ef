//! Signals for the supervisor itself, and the shutdown: everything is stopped in order, then the supervisor ends
//! or begins again.
//!
//! Groups stop by descending priority. Those of one priority stop side by side, and the next priority
//! begins the moment the last process of this one is gone.
//! COMPAT: Supervisor stops strictly one group after the other and waits up to a second after each.
//!
//! That second is when its listeners learn how the others ended. Here listeners whose turn has come to stop
//! get time for the events that they have not dealt with: a second in all, whatever their priorities.
//!
//! Every shutdown ends. `shutdown_timeout` bounds all of it: when it is over, whatever is left is killed,
//! whatever its priority. So does a request that is repeated, if not within a second: several programs send
//! SIGTERM twice at once. What does not end after SIGKILL is given up.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::commands::Found;
use super::stop_order::StopReason;
use super::{Effect, Effects, Ending, ReadFor, Supervisor, Turn};
use crate::events::Event;
use crate::model::{
    EventType, Fault, FaultCode, GroupSpec, LogLevel, Mono, Namespec, ProcessId, Reply, Signal, SignalAction,
    SupervisorState,
};

/// How often `waiting for a, b to die` is repeated.
const SHUTDOWN_REPORT_EVERY: Duration = Duration::from_secs(3);

/// How long a shutdown waits in all for listeners that have not dealt with their events.
const LISTENERS_GRACE: Duration = Duration::from_secs(1);

/// A request to end that comes sooner after the last one is the same request.
const REQUEST_SPACING: Duration = Duration::from_secs(1);

/// What follows when everything is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterStop {
    /// The supervisor ends, for this reason.
    End(Ending),
    /// It begins anew with the settings that were read.
    Restart,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Mood {
    Running,
    Stopping(Shutdown),
    /// `AllStopped` was said.
    Stopped(AfterStop),
}

/// A shutdown that is under way.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Shutdown {
    then: AfterStop,
    /// When it was asked for, for the last time.
    requested_at: Mono,
    /// It was asked for again: no order is kept and no listener is waited for.
    is_hurried: bool,
    report_at: Mono,
    /// `shutdown_timeout`; `None` if there is none, or it is over.
    kill_at: Option<Mono>,
    /// All processes by the priority of their group, each in the order in which they stop.
    levels: BTreeMap<i64, Vec<ProcessId>>,
    /// The priority whose processes are being stopped.
    level: Option<i64>,
    listeners: BusyListeners,
}

/// Listeners of the current priority that are not asked to stop yet, as they have events to deal with.
#[derive(Debug, Serialize, Deserialize)]
struct BusyListeners {
    ids: Vec<ProcessId>,
    /// While there are any.
    waiting_since: Option<Mono>,
    time_left: Duration,
}

impl BusyListeners {
    fn deadline(&self) -> Option<Mono> {
        self.waiting_since.map(|since| since.after(self.time_left))
    }

    /// Waits for these only, as long as there is time left.
    fn wait_for(&mut self, now: Mono, ids: Vec<ProcessId>) {
        if let Some(since) = self.waiting_since.take() {
            self.time_left = self.time_left.saturating_sub(now.since(since));
        }
        self.ids = if self.time_left.is_zero() { Vec::new() } else { ids };
        self.waiting_since = (!self.ids.is_empty()).then_some(now);
    }
}

impl Mood {
    pub(super) fn state(&self) -> SupervisorState {
        match self {
            Self::Running => SupervisorState::Running,
            Self::Stopping(Shutdown { then, .. }) | Self::Stopped(then) => match then {
                AfterStop::End(_) => SupervisorState::Shutdown,
                AfterStop::Restart => SupervisorState::Restarting,
            },
        }
    }

    pub(super) fn allows_starts(&self) -> bool {
        matches!(self, Self::Running)
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        match self {
            Self::Stopping(Shutdown { report_at, kill_at, listeners, .. }) => {
                [Some(*report_at), *kill_at, listeners.deadline()].into_iter().flatten().min()
            }
            Self::Running | Self::Stopped(_) => None,
        }
    }
}

impl Supervisor {
    pub(super) fn signalled(&mut self, turn: &Turn, signal: Signal, out: &mut Effects) {
        match self.rules.action(signal) {
            SignalAction::Shutdown => {
                out.log(LogLevel::Warn, format!("received {signal} indicating exit request"));
                self.asked_to_end(turn, signal, out);
            }
            SignalAction::Reload if self.state() == SupervisorState::Shutdown => {
                let text = format!("ignored {signal} indicating restart request (shutdown in progress)");
                out.log(LogLevel::Warn, text);
            }
            SignalAction::Reload => {
                out.log(LogLevel::Warn, format!("received {signal} indicating restart request"));
                if self.mood.allows_starts() {
                    out.push(Effect::ReadSettings { purpose: ReadFor::Restart(None) });
                }
            }
            SignalAction::Reopen => {
                out.log(LogLevel::Info, format!("received {signal} indicating log reopen request"));
                out.push(Effect::ReopenLogs);
            }
            SignalAction::Forward(names) => self.forward(signal, &names, out),
            SignalAction::Ignore if signal == Signal::CHLD => {
                out.log(LogLevel::Debug, format!("received {signal} indicating a child quit"));
            }
            SignalAction::Ignore => {
                out.log(LogLevel::Blather, format!("received {signal} indicating nothing"))
            }
        }
    }

    /// Those of the named processes that have a pid get it too.
    fn forward(&self, signal: Signal, names: &[String], out: &mut Effects) {
        out.log(LogLevel::Info, format!("received {signal}, forwarding it to {}", names.join(", ")));
        for name in names {
            let members = match self.find(&Namespec::split(name)) {
                Ok(Found::Process(process)) => vec![process],
                Ok(Found::Group(members)) => members,
                Err(_) => continue, // Its group is not active.
            };
            for process in members.iter().filter_map(|id| self.process(*id)) {
                process.signal(signal, out);
            }
        }
    }

    /// The first request begins the shutdown or turns a restart into one. Each further one hastens it: what
    /// was asked to stop is killed, all that is left is asked at once.
    fn asked_to_end(&mut self, turn: &Turn, signal: Signal, out: &mut Effects) {
        let now = turn.now.mono;
        match &mut self.mood {
            Mood::Running => self.shut_down(turn, Ending::Signal(signal), out),
            Mood::Stopping(Shutdown { then: then @ AfterStop::Restart, requested_at, .. }) => {
                *then = AfterStop::End(Ending::Signal(signal));
                *requested_at = now;
            }
            Mood::Stopping(Shutdown { requested_at, .. }) if now < requested_at.after(REQUEST_SPACING) => {
                let text =
                    format!("{signal} came within a second of the last request and counts as the same");
                out.log(LogLevel::Debug, text);
            }
            Mood::Stopping(shutdown) => {
                shutdown.requested_at = now;
                shutdown.is_hurried = true;
                for id in shutdown.all() {
                    self.with(id, |process| process.hasten(turn, out));
                    self.settle_changed(turn, id, out);
                }
                self.go_on_stopping(turn, out);
            }
            // The restart has not begun yet.
            Mood::Stopped(then @ AfterStop::Restart) => {
                *then = AfterStop::End(Ending::Signal(signal));
                out.push(Effect::AllStopped(then.clone()));
            }
            Mood::Stopped(AfterStop::End(_)) => {}
        }
    }

    pub(super) fn shut_down(&mut self, turn: &Turn, ending: Ending, out: &mut Effects) {
        self.begin_stopping(turn, AfterStop::End(ending), out);
    }

    /// What was read is good, or it is not and nothing changes.
    pub(super) fn settings_read(
        &mut self,
        turn: &Turn,
        purpose: ReadFor,
        outcome: Result<Vec<GroupSpec>, String>,
        out: &mut Effects,
    ) {
        let cant_reread = |text: &String| Err(Fault::about(FaultCode::CantReread, text.clone()));
        match (purpose, outcome) {
            (ReadFor::Reread(ticket), Ok(groups)) => self.reread(ticket, groups, out),
            (ReadFor::Reread(ticket), Err(text)) => out.reply(ticket, cant_reread(&text)),
            (ReadFor::Restart(ticket), outcome) => {
                if let Some(ticket) = ticket {
                    out.reply(ticket, outcome.as_ref().map_or_else(cant_reread, |_| Ok(Reply::Done)));
                }
                match outcome {
                    Ok(_) => self.begin_stopping(turn, AfterStop::Restart, out),
                    Err(text) => refuse_restart(&text, out),
                }
            }
        }
    }

    fn begin_stopping(&mut self, turn: &Turn, then: AfterStop, out: &mut Effects) {
        let now = turn.now.mono;
        let bound = self.rules.shutdown_timeout_secs.map(Duration::from_secs);
        self.mood = Mood::Stopping(Shutdown {
            then,
            requested_at: now,
            is_hurried: false,
            report_at: now,
            kill_at: bound.map(|bound| now.after(bound)),
            levels: self.levels(),
            level: None,
            listeners: BusyListeners { ids: Vec::new(), waiting_since: None, time_left: LISTENERS_GRACE },
        });
        self.processes.forbid_starts();
        self.autostarts.clear();
        out.announce(EventType::SupervisorStateChangeStopping, || Event::SupervisorStopping);
        self.cancel_operations(out);
        self.go_on_stopping(turn, out);
        self.report_shutdown(turn, out);
    }

    /// All processes by the priority of their group, each in the order in which they stop: the reverse of that
    /// in which they start.
    fn levels(&self) -> BTreeMap<i64, Vec<ProcessId>> {
        let mut levels: BTreeMap<i64, Vec<ProcessId>> = BTreeMap::new();
        for id in self.by_priority().into_iter().rev() {
            let rank = self.process(id).map_or(0, |process| process.stop_rank);
            levels.entry(rank).or_default().push(id);
        }
        levels
    }

    /// Stops the highest priority that still has something running; says so when nothing has.
    /// May be called at any time and as often as one likes.
    pub(super) fn go_on_stopping(&mut self, turn: &Turn, out: &mut Effects) {
        while let Mood::Stopping(shutdown) = &mut self.mood {
            let Some(level) = self.processes.highest_pending_rank() else {
                let then = shutdown.then.clone();
                self.mood = Mood::Stopped(then.clone());
                return out.push(Effect::AllStopped(then));
            };
            let members = if shutdown.level == Some(level) {
                std::mem::take(&mut shutdown.listeners.ids)
            } else {
                shutdown.level = Some(level);
                shutdown.levels.get(&level).cloned().unwrap_or_default()
            };
            self.retire(turn, members, out);
            // A level of nothing but processes that waited for another try is done at once.
            if self.processes.highest_pending_rank() == Some(level) {
                return;
            }
        }
    }

    /// Asks these to stop, but for listeners that still get time for their events.
    fn retire(&mut self, turn: &Turn, members: Vec<ProcessId>, out: &mut Effects) {
        if members.is_empty() {
            return;
        }
        self.publish_news(out);
        let (busy, others): (Vec<_>, Vec<_>) = members.into_iter().partition(|id| self.is_owed_events(*id));
        let Mood::Stopping(shutdown) = &mut self.mood else { return };
        let waits = !shutdown.is_hurried;
        shutdown.listeners.wait_for(turn.now.mono, if waits { busy.clone() } else { Vec::new() });
        let asked = if shutdown.listeners.ids.is_empty() { busy } else { Vec::new() };
        let asked: Vec<_> = others.into_iter().chain(asked).collect();
        self.stop_in_order(turn, &asked, StopReason::Shutdown, out);
    }

    /// A leader has ended by itself. Members of its group are stopped now if its turn has come already.
    pub(super) fn stop_members_in_shutdown(&mut self, turn: &Turn, id: ProcessId, out: &mut Effects) {
        let rank = self.process(id).map(|process| process.stop_rank);
        if let Mood::Stopping(Shutdown { is_hurried, level, .. }) = &self.mood
            && (*is_hurried || level.is_some_and(|level| rank >= Some(level)))
        {
            self.with(id, |process| process.stop_members(turn, out));
        }
    }

    /// Kills what is left once `shutdown_timeout` is over.
    pub(super) fn bound_shutdown(&mut self, turn: &Turn, out: &mut Effects) {
        let Mood::Stopping(shutdown) = &mut self.mood else { return };
        if shutdown.kill_at.take_if(|at| turn.now.mono >= *at).is_none() {
            return;
        }
        shutdown.is_hurried = true;
        out.log(LogLevel::Warn, "shutdown_timeout is over: killing what is left");
        for id in shutdown.all() {
            self.with(id, |process| process.kill_now(turn, out));
            self.settle_changed(turn, id, out);
        }
    }

    pub(super) fn report_shutdown(&mut self, turn: &Turn, out: &mut Effects) {
        let Mood::Stopping(shutdown) = &mut self.mood else { return };
        if turn.now.mono < shutdown.report_at {
            return;
        }
        shutdown.report_at = turn.now.mono.after(SHUTDOWN_REPORT_EVERY);
        let names: Vec<_> = self.pending().map(|process| process.spec.name.as_str()).collect();
        out.log(LogLevel::Info, format!("waiting for {} to die", names.join(", ")));
    }

    /// In the order in which groups were added.
    fn pending(&self) -> impl Iterator<Item = &super::Process> {
        let members = self.groups.iter().flat_map(|group| &group.members);
        members.filter_map(|id| self.process(*id)).filter(|process| process.is_pending())
    }
}

#[cfg(test)]
impl Supervisor {
    /// Whether no order is kept any more.
    pub(super) fn is_hurried(&self) -> bool {
        matches!(&self.mood, Mood::Stopping(shutdown) if shutdown.is_hurried)
    }
}

impl Shutdown {
    /// By descending priority.
    fn all(&self) -> Vec<ProcessId> {
        self.levels.values().rev().flatten().copied().collect()
    }
}

/// COMPAT: Supervisor stops everything first and then ends with an error.
fn refuse_restart(text: &str, out: &mut Effects) {
    for line in text.lines() {
        out.log(LogLevel::Error, line);
    }
    out.log(LogLevel::Error, "restart refused: the configuration has errors, all goes on as before");
}
