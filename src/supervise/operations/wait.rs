//! A wait: it is answered when all of its processes hold a condition at one time, or at once when one of them can't
//! come to hold it without a request.
//!
//! As for a dependency, one that is STOPPED may be started by somebody; one that is FATAL, or has ended for good,
//! has failed.

use serde::{Deserialize, Serialize};

use super::super::commands::Found;
use super::super::gates::waiting_text;
use super::super::process::{Process, State};
use super::super::{Effects, Supervisor, Turn};
use super::{Goal, Operation, OperationId, OperationKind};
use crate::model::{
    AutoRestart, Fault, Mono, Namespec, ProcessId, ProcessState, ProgramType, Reply, Ticket, WaitCondition,
    WaitRow, Waited,
};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WaitFor {
    condition: WaitCondition,
    members: Vec<ProcessId>,
    give_up_at: Option<Mono>,
}

impl WaitFor {
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.give_up_at
    }

    /// Whether a shutdown makes the condition hold.
    pub(super) fn ends_in_a_shutdown(&self) -> bool {
        self.condition == WaitCondition::Stopped
    }
}

/// How a process stands to a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitStanding {
    Holds,
    MayHold,
    Never,
}

impl Process {
    pub(super) fn standing(&self, condition: WaitCondition) -> WaitStanding {
        let state = self.condition_state();
        let is_oneshot = self.spec.program_type == ProgramType::Oneshot;
        let is_running = matches!(self.state, State::Running { .. });
        let (holds, never) = match condition {
            WaitCondition::Running => (is_running || is_oneshot && self.is_starting(), self.has_failed()),
            WaitCondition::Ready => (is_running || is_oneshot && state.is_done(), self.has_failed()),
            WaitCondition::Healthy => (is_running && self.is_healthy(), self.has_failed()),
            WaitCondition::Done => (state.is_done(), self.has_failed() || self.is_never_done()),
            WaitCondition::Stopped => (
                self.state().is_stopped() && !self.is_unstopped() && !self.will_restart(),
                self.is_given_up() || matches!(self.state, State::Unknown { .. }),
            ),
        };
        match (never, holds) {
            (_, true) if condition != WaitCondition::Stopped || !never => WaitStanding::Holds,
            (true, _) => WaitStanding::Never,
            _ => WaitStanding::MayHold,
        }
    }

    /// Whether it does not come up by itself any more.
    fn has_failed(&self) -> bool {
        match self.state {
            State::Fatal => true,
            State::Exited { restart_at: None } => !self.has_next_run(),
            State::Stopped
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Stopping { .. }
            | State::Exited { restart_at: Some(_) }
            | State::Unknown { .. } => false,
        }
    }

    /// Whether it is restarted whatever its exit status is.
    fn is_never_done(&self) -> bool {
        self.spec.program_type != ProgramType::Oneshot
            && self.spec.schedule.is_none()
            && self.spec.autorestart == AutoRestart::Always
    }
}

impl Supervisor {
    pub(in crate::supervise) fn wait_for(
        &mut self,
        turn: &Turn,
        ticket: Ticket,
        (names, condition, timeout): (&[Namespec], WaitCondition, Option<std::time::Duration>),
        out: &mut Effects,
    ) {
        let members = match self.members_named(names) {
            Ok(members) => members,
            Err(fault) => return out.reply(ticket, Err(fault)),
        };
        let give_up_at = timeout.map(|timeout| turn.now.mono.after(timeout));
        let kind = OperationKind::Wait(WaitFor { condition, members, give_up_at });
        let id = self.operations.open(turn, ticket, kind, Vec::new());
        if let Some(operation) = self.operations.close(id) {
            self.advance_wait(id, operation, out);
        }
    }

    /// The processes of these names, each once.
    fn members_named(&self, names: &[Namespec]) -> Result<Vec<ProcessId>, Fault> {
        let mut members = Vec::new();
        for name in names {
            match self.find(name)? {
                Found::Process(process) => members.push(process),
                Found::Group(group) => members.extend(group),
            }
        }
        members.sort_unstable();
        members.dedup();
        Ok(members)
    }

    /// One of them can't hold the condition any more, or each of them has come to hold it, but perhaps not at the
    /// same time.
    pub(super) fn advance_wait(&mut self, id: OperationId, mut operation: Operation, out: &mut Effects) {
        let OperationKind::Wait(wait) = &operation.kind else { return };
        let condition = wait.condition;
        let standing =
            |id: &ProcessId| self.process(*id).map_or(WaitStanding::Never, |it| it.standing(condition));
        let with = |wanted: WaitStanding| -> Vec<ProcessId> {
            wait.members.iter().copied().filter(|id| standing(id) == wanted).collect()
        };
        let mut failed = self.wait_rows(&with(WaitStanding::Never), condition);
        if failed.is_empty() {
            // It is being removed.
            let removed = operation.settled.drain(..).map(|it| it.row).filter(|row| row.outcome.is_err());
            failed.extend(removed.map(|row| removed_row(row.group, row.name)));
        }
        if !failed.is_empty() {
            return out.reply(operation.ticket, Ok(Reply::Waited(Waited::Impossible(failed))));
        }
        let awaited = with(WaitStanding::MayHold);
        if awaited.is_empty() {
            let rows = self.wait_rows(&wait.members, condition);
            return out.reply(operation.ticket, Ok(Reply::Waited(Waited::Held(rows))));
        }
        let rows = self.rows(&awaited, Goal::Holds(condition));
        self.operations.begin_step(id, operation, rows);
    }

    /// Its time is up, or its client is gone.
    pub(super) fn end_wait(&mut self, id: OperationId, out: &mut Effects) {
        let is_wait = |it: &Operation| matches!(it.kind, OperationKind::Wait(_));
        let Some(operation) = self.operations.close_if(id, is_wait) else { return };
        let Operation { kind: OperationKind::Wait(wait), ticket, .. } = operation else { return };
        let is_awaited = |id: &ProcessId| {
            self.process(*id).is_none_or(|it| it.standing(wait.condition) != WaitStanding::Holds)
        };
        let awaited: Vec<_> = wait.members.iter().copied().filter(is_awaited).collect();
        let rows = self.wait_rows(&awaited, wait.condition);
        out.reply(ticket, Ok(Reply::Waited(Waited::TimedOut(rows))));
    }

    fn wait_rows(&self, members: &[ProcessId], condition: WaitCondition) -> Vec<WaitRow> {
        let row = |id: &ProcessId| match self.process(*id) {
            Some(process) => WaitRow {
                name: process.spec.name.clone(),
                group: process.spec.group.clone(),
                state: process.state(),
                text: self.wait_text(process, condition),
            },
            None => removed_row(String::new(), "a process".to_owned()),
        };
        members.iter().map(row).collect()
    }

    /// `db is FATAL: can't find command 'x'`
    fn wait_text(&self, process: &Process, condition: WaitCondition) -> String {
        let (name, state) = (process.full_name(), process.state());
        let why = match state {
            _ if condition == WaitCondition::Done
                && process.standing(condition) == WaitStanding::Never
                && process.is_never_done() =>
            {
                "it is restarted whenever it ends (autorestart=true)".to_owned()
            }
            _ if process.is_waiting() => {
                waiting_text(&self.conditions.waiting_for(process.id, &process.spec))
            }
            ProcessState::Running if condition == WaitCondition::Healthy => {
                process.health_info().map(|health| health.to_string()).unwrap_or_default()
            }
            ProcessState::Exited => process.exit_status.map(|status| status.to_string()).unwrap_or_default(),
            ProcessState::Fatal | ProcessState::Backoff => process.spawn_error.clone(),
            _ => process.given_up_text().unwrap_or_default(),
        };
        if why.is_empty() { format!("{name} is {state}") } else { format!("{name} is {state}: {why}") }
    }
}

fn removed_row(group: String, name: String) -> WaitRow {
    let namespec = if group.is_empty() { name.clone() } else { Namespec::join(&group, &name) };
    WaitRow { group, name, state: ProcessState::Stopped, text: format!("{namespec} was removed or replaced") }
}
