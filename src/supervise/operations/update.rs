//! An update: groups take their configured form, one after the other, as when a client asks for one group at a time.
//!
//! Groups that are no longer configured are stopped and removed first, then those with a changed configuration are
//! updated ([`GroupUpdate`]), and new ones are added last. The failure of one does not keep the others from it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::super::groups::ConfigurationChanges;
use super::super::stop_order::StopReason;
use super::super::{Effect, Effects, Supervisor, Turn};
use super::group_update::GroupUpdate;
use super::{Goal, Operation, OperationId, OperationKind, Operations, Row, answer};
use crate::model::{Fault, FaultCode, Reply, Ticket, UpdateRow, Updated, Wait};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum GroupChange {
    Remove,
    Update,
    Add,
}

/// The step under way.
#[derive(Debug, Serialize, Deserialize)]
enum UpdateStep {
    /// The processes of this group stop.
    Removal(String),
    /// Those of a group that are replaced or removed stop.
    OfGroup(GroupUpdate),
    /// The sockets of this group are tried before it is added.
    SocketTrial(String),
    Addition(String),
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Update {
    /// The groups to change, the next first.
    pending: VecDeque<(GroupChange, String)>,
    step: Option<UpdateStep>,
    results: Vec<UpdateRow>,
    /// A group was named: that it can't be changed is the failure of the request.
    is_of_one: bool,
}

impl Update {
    fn new(pending: impl Iterator<Item = (GroupChange, String)>, is_of_one: bool) -> Self {
        Self { pending: pending.collect(), step: None, results: Vec::new(), is_of_one }
    }

    /// A group as a whole has a result.
    fn push(&mut self, group: String, outcome: Result<Updated, Fault>) {
        self.results.push(UpdateRow { name: None, group, outcome });
    }

    fn answer(self) -> Result<Reply, Fault> {
        match self.results.as_slice() {
            [UpdateRow { name: None, outcome: Err(fault), .. }] if self.is_of_one => Err(fault.clone()),
            _ => Ok(Reply::Updated(self.results)),
        }
    }
}

impl Operations {
    /// Whether an update of the group is under way.
    fn is_updating(&self, group: &str) -> bool {
        self.open.values().any(|operation| match &operation.kind {
            OperationKind::Update(update) => {
                matches!(&update.step, Some(UpdateStep::OfGroup(update)) if update.spec.name == group)
            }
            OperationKind::Command(_) | OperationKind::RollingRestart(_) | OperationKind::Shutdown(_) => {
                false
            }
        })
    }
}

impl Supervisor {
    /// Updates one active group.
    pub(in crate::supervise) fn update_group(
        &mut self,
        turn: &Turn,
        ticket: Ticket,
        name: &str,
        out: &mut Effects,
    ) {
        let change = (GroupChange::Update, name.to_owned());
        self.open_update(turn, ticket, Update::new([change].into_iter(), true), out);
    }

    /// Updates all groups whose configuration has changed, or only this one if it has.
    pub(in crate::supervise) fn update_changed(
        &mut self,
        turn: &Turn,
        ticket: Ticket,
        (only, changes): (Option<String>, ConfigurationChanges),
        out: &mut Effects,
    ) {
        let ConfigurationChanges { added, changed, removed } = changes;
        let of = |change, groups: Vec<String>| groups.into_iter().map(move |group| (change, group));
        let all = of(GroupChange::Remove, removed)
            .chain(of(GroupChange::Update, changed))
            .chain(of(GroupChange::Add, added));
        let wanted = all.filter(|(_, group)| only.as_ref().is_none_or(|it| it == group));
        let mut update = Update::new(wanted, only.is_some());
        if let Some(group) = only.filter(|_| update.pending.is_empty()) {
            // Its processes have results, although nothing has changed.
            update.pending.push_back((GroupChange::Update, group));
        }
        for (_, group) in update.pending.iter().filter(|(change, _)| *change == GroupChange::Update) {
            self.forget_scaling(group);
        }
        self.open_update(turn, ticket, update, out);
    }

    /// Whether an update of the group is under way.
    pub(in crate::supervise) fn is_updating(&self, group: &str) -> bool {
        self.operations.is_updating(group)
    }

    /// The sockets of a group that an update adds were tried. Returns false if no update waits for that.
    pub(in crate::supervise) fn update_tried_sockets(
        &mut self,
        turn: &Turn,
        ticket: Ticket,
        outcome: &Result<(), String>,
        out: &mut Effects,
    ) -> bool {
        let waits = |operation: &Operation| operation.answers(ticket);
        let Some(id) = self.operations.ids_of(waits).pop() else { return false };
        self.resume(id, out, |supervisor, mut operation, out| {
            let OperationKind::Update(update) = &mut operation.kind else { return };
            if let Some(UpdateStep::SocketTrial(group)) = update.step.take() {
                match outcome {
                    Ok(()) => supervisor.complete_step(turn, update, UpdateStep::Addition(group), out),
                    Err(text) => update.push(group, Err(Fault::about(FaultCode::Failed, text.clone()))),
                }
            }
            supervisor.continue_update(turn, id, operation, out);
        });
        true
    }

    fn open_update(&mut self, turn: &Turn, ticket: Ticket, update: Update, out: &mut Effects) {
        let kind = OperationKind::Update(Box::new(update));
        let id = self.operations.open(turn, Some(ticket), kind, Vec::new(), out);
        self.begin_next_step(turn, id, out);
    }

    /// What a step waits for is gone. The next one begins at the end of the input: each may be complete at once, however
    /// many there are.
    pub(super) fn advance_update(
        &mut self,
        turn: &Turn,
        id: OperationId,
        mut operation: Operation,
        out: &mut Effects,
    ) {
        let OperationKind::Update(update) = &mut operation.kind else { return };
        if let Some(step) = update.step.take() {
            self.complete_step(turn, update, step, out);
        }
        if update.pending.is_empty() {
            return self.continue_update(turn, id, operation, out);
        }
        self.operations.begin_step(id, operation, Vec::new());
        self.operations.between_steps.push(id);
    }

    /// At the end of each input: begins the next steps.
    pub(super) fn continue_updates(&mut self, turn: &Turn, out: &mut Effects) {
        while let Some(id) = self.operations.between_steps.pop() {
            // Unless a shutdown has cancelled it.
            self.begin_next_step(turn, id, out);
        }
    }

    fn begin_next_step(&mut self, turn: &Turn, id: OperationId, out: &mut Effects) {
        self.resume(id, out, |supervisor, operation, out| {
            supervisor.continue_update(turn, id, operation, out);
        });
    }

    /// Begins steps until one has to wait, and answers after the last.
    fn continue_update(&mut self, turn: &Turn, id: OperationId, mut operation: Operation, out: &mut Effects) {
        let Operation { kind: OperationKind::Update(update), ticket, .. } = &mut operation else { return };
        let rows = loop {
            let Some((change, group)) = update.pending.pop_front() else {
                return answer(*ticket, std::mem::take(&mut **update).answer(), out);
            };
            match self.begin_change(turn, *ticket, (change, &group), out) {
                Ok((step, rows)) if rows.is_empty() && !matches!(step, UpdateStep::SocketTrial(_)) => {
                    self.complete_step(turn, update, step, out);
                }
                Ok((step, rows)) => {
                    update.step = Some(step);
                    break rows;
                }
                Err(fault) => update.push(group, Err(fault)),
            }
        };
        let leaving: Vec<_> = rows.iter().rev().map(|row| row.process).collect();
        self.operations.begin_step(id, operation, rows);
        self.stop_in_order(turn, &leaving, StopReason::Request(Wait::Yes), out);
    }

    /// Returns the step, and the processes that have to stop for it.
    fn begin_change(
        &mut self,
        turn: &Turn,
        ticket: Option<Ticket>,
        (change, group): (GroupChange, &str),
        out: &mut Effects,
    ) -> Result<(UpdateStep, Vec<Row>), Fault> {
        let name = group.to_owned();
        Ok(match change {
            GroupChange::Remove => {
                let mut members = self.group_members(group)?;
                members.retain(|id| self.can_stop(*id));
                (UpdateStep::Removal(name), self.rows(&members, Goal::Stopped(Wait::Yes)))
            }
            GroupChange::Update => {
                let (update, rows) = self.begin_group_update(turn, group, out)?;
                (UpdateStep::OfGroup(update), rows)
            }
            GroupChange::Add => {
                let sockets = self.sockets_to_add(group)?;
                let step = match ticket.filter(|_| !sockets.is_empty()) {
                    None => UpdateStep::Addition(name),
                    Some(ticket) => {
                        out.push(Effect::TrySockets { ticket, group: name.clone(), sockets });
                        UpdateStep::SocketTrial(name)
                    }
                };
                (step, Vec::new())
            }
        })
    }

    fn complete_step(&mut self, turn: &Turn, update: &mut Update, step: UpdateStep, out: &mut Effects) {
        match step {
            UpdateStep::Removal(group) => {
                let removed = self.remove_active(&group, out);
                update.push(group, removed.map(|()| Updated::Removed));
            }
            UpdateStep::OfGroup(of_group) => {
                update.results.extend(self.finish_group_update(turn, of_group, out));
            }
            UpdateStep::Addition(group) => match self.activate(&group, out) {
                Ok(members) => {
                    update.push(group, Ok(Updated::Added));
                    self.introduce(turn, &members, out);
                }
                Err(fault) => update.push(group, Err(fault)),
            },
            // It is followed by the addition.
            UpdateStep::SocketTrial(_) => {}
        }
    }
}
