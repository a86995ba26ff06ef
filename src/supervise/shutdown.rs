//! Signals for the supervisor itself, and the way down: everything stopped in order, then the end
//! or a new beginning.
//!
//! Groups stop by descending priority. Those of one priority stop side by side, and the next step
//! begins the moment the last process of this one is gone.
//! COMPAT: Supervisor stops strictly one group after the other and waits up to a second after each.
//!
//! That second is when its listeners are told how the others ended. Here a pool whose turn has come and
//! whose listeners are not through with what there is to tell gets a second for it, and none if they are.
//!
//! `shutdown_timeout` bounds all of it: when it is over, whatever is left is killed, whoever's turn it is.

use std::time::Duration;

use super::commands::Found;
use super::{Effect, Effects, Ending, ReadFor, Supervisor, Turn};
use crate::events::Event;
use crate::model::{
    EventType, Fault, FaultCode, GroupSpec, LogLevel, Mono, Namespec, ProcessId, Reply, Signal, SignalAction,
    SupervisorState,
};

/// How often `waiting for a, b to die` is repeated.
const SHUTDOWN_REPORT_EVERY: Duration = Duration::from_secs(3);

/// How long listeners may take what waits for them, once it is their turn to stop.
const LISTENERS_PATIENCE: Duration = Duration::from_secs(1);

/// What follows when everything is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterStop {
    /// The supervisor ends, for this reason.
    End(Ending),
    /// It begins anew with the settings that were read.
    Restart,
}

#[derive(Debug)]
pub(super) enum Mood {
    Running,
    Stopping {
        then: AfterStop,
        /// Asked a second time: no order is kept and nobody is waited for.
        hurried: bool,
        report_at: Mono,
        /// `shutdown_timeout`; `None` if there is none, or it is over.
        kill_at: Option<Mono>,
        patience: Option<Patience>,
    },
    /// `AllStopped` was said.
    Stopped(AfterStop),
}

/// With the listeners of one priority.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    level: i64,
    /// `None` when it is over.
    until: Option<Mono>,
}

impl Mood {
    pub(super) fn state(&self) -> SupervisorState {
        match self {
            Self::Running => SupervisorState::Running,
            Self::Stopping { then: AfterStop::End(_), .. } | Self::Stopped(AfterStop::End(_)) => {
                SupervisorState::Shutdown
            }
            Self::Stopping { then: AfterStop::Restart, .. } | Self::Stopped(AfterStop::Restart) => {
                SupervisorState::Restarting
            }
        }
    }

    pub(super) fn allows_starts(&self) -> bool {
        matches!(self, Self::Running)
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        match self {
            Self::Stopping { report_at, kill_at, patience, .. } => {
                let until = patience.and_then(|patience| patience.until);
                [Some(*report_at), *kill_at, until].into_iter().flatten().min()
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

    /// The first request begins the shutdown (or turns a restart into one), each further one
    /// hastens it: what was asked to stop is killed, all that is left is asked at once.
    fn asked_to_end(&mut self, turn: &Turn, signal: Signal, out: &mut Effects) {
        match &mut self.mood {
            Mood::Running => self.shut_down(turn, Ending::Signal(signal), out),
            Mood::Stopping { then: then @ AfterStop::Restart, .. } => {
                *then = AfterStop::End(Ending::Signal(signal));
            }
            Mood::Stopping { then: AfterStop::End(_), hurried, .. } => {
                *hurried = true;
                for id in self.all_by_descending_priority() {
                    self.with(id, |process| process.hasten(turn, out));
                }
                self.go_on_stopping(turn, out);
            }
            Mood::Stopped(_) => {}
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
        let kill_at = bound.map(|bound| now.after(bound));
        self.mood = Mood::Stopping { then, hurried: false, report_at: now, kill_at, patience: None };
        out.announce(EventType::SupervisorStateChangeStopping, || Event::SupervisorStopping);
        self.refuse_updates(out);
        self.go_on_stopping(turn, out);
        self.report_shutdown(turn, out);
    }

    /// Stops the highest priority that still has something running; says so when nothing has.
    /// May be called at any time and as often as one likes.
    pub(super) fn go_on_stopping(&mut self, turn: &Turn, out: &mut Effects) {
        let Mood::Stopping { then, hurried, .. } = &self.mood else { return };
        let (then, hurried) = (then.clone(), *hurried);
        loop {
            let Some(level) = self.highest_unstopped_priority() else {
                self.mood = Mood::Stopped(then.clone());
                return out.push(Effect::AllStopped(then));
            };
            self.publish_news(out);
            let spared = self.listeners_to_wait_for(turn, level);
            for id in self.all_by_descending_priority() {
                self.with(id, |process| {
                    if hurried || process.group_priority == level && !spared.contains(&id) {
                        process.retire(turn, out);
                    }
                });
            }
            self.answer_stopped(out);
            // A level of nothing but processes that waited for another try is done at once.
            if self.highest_unstopped_priority() == Some(level) {
                return;
            }
        }
    }

    /// Those of this priority that are not through with what there is to tell, while there is patience.
    fn listeners_to_wait_for(&mut self, turn: &Turn, level: i64) -> Vec<ProcessId> {
        let Mood::Stopping { patience, hurried, .. } = &mut self.mood else { return Vec::new() };
        let now = turn.now.mono;
        let fresh = Patience { level, until: Some(now.after(LISTENERS_PATIENCE)) };
        let this = patience.filter(|patience| patience.level == level).unwrap_or(fresh);
        let is_over = *hurried || this.until.is_none_or(|until| now >= until);
        let spared = if is_over { Vec::new() } else { self.owed_listeners(level) };
        let until = this.until.filter(|_| !spared.is_empty());
        if let Mood::Stopping { patience, .. } = &mut self.mood {
            *patience = Some(Patience { level, until });
        }
        spared
    }

    /// Kills what is left once `shutdown_timeout` is over.
    pub(super) fn bound_shutdown(&mut self, turn: &Turn, out: &mut Effects) {
        let Mood::Stopping { hurried, kill_at, .. } = &mut self.mood else { return };
        if kill_at.take_if(|at| turn.now.mono >= *at).is_none() {
            return;
        }
        *hurried = true;
        out.log(LogLevel::Warn, "shutdown_timeout is over: killing what is left");
        for id in self.all_by_descending_priority() {
            self.with(id, |process| process.give_up(turn, out));
        }
    }

    pub(super) fn report_shutdown(&mut self, turn: &Turn, out: &mut Effects) {
        let names: Vec<_> = self.unstopped().map(|process| process.spec.name.as_str()).collect();
        let text = format!("waiting for {} to die", names.join(", "));
        if let Mood::Stopping { report_at, .. } = &mut self.mood
            && turn.now.mono >= *report_at
        {
            *report_at = turn.now.mono.after(SHUTDOWN_REPORT_EVERY);
            out.log(LogLevel::Info, text);
        }
    }

    fn highest_unstopped_priority(&self) -> Option<i64> {
        self.unstopped().map(|process| process.group_priority).max()
    }

    /// In the order in which groups were added.
    fn unstopped(&self) -> impl Iterator<Item = &super::Process> {
        let members = self.groups.iter().flat_map(|group| &group.members);
        members
            .filter_map(|id| self.process(*id))
            .filter(|process| process.is_unstopped() || process.rest.is_some())
    }

    fn all_by_descending_priority(&self) -> Vec<ProcessId> {
        let mut all = self.by_priority();
        all.reverse();
        all
    }

    /// Answers those who waited for processes that a step of the shutdown has settled by itself.
    fn answer_stopped(&mut self, out: &mut Effects) {
        let ids: Vec<_> = self.processes.keys().copied().collect();
        for id in ids {
            self.settle_rows(id, None);
        }
        self.answer_settled(out);
    }
}

/// COMPAT: Supervisor stops everything first and then ends with an error.
fn refuse_restart(text: &str, out: &mut Effects) {
    for line in text.lines() {
        out.log(LogLevel::Error, line);
    }
    out.log(LogLevel::Error, "restart refused: the configuration has errors, all goes on as before");
}
