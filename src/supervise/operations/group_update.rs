//! The update of one group: it takes its configured form, and only processes that need it are restarted.
//!
//! Changes that need no restart are applied at once. Processes that need one or are no longer configured
//! leave: they are stopped by their old configuration, all at the same time. When the last of
//! them is gone, their successors and new processes are added together, by priority. So nothing is
//! started while the process that it replaces may be alive.
//!
//! Meanwhile a leaving process can't be started, the group can't be removed and another update
//! of it is refused. A process that can't be stopped stays as it is and is reported as failed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::difference::{Difference, Takes};
use super::super::groups::Group;
use super::super::history::ProcessHistory;
use super::super::process::{Process, State, Until, seconds};
use super::super::{Effect, Effects, Supervisor, Turn};
use super::{Goal, Row};
use crate::model::{
    Fault, FaultCode, GroupSpec, LimitsSpec, LogLevel, LoggedEventKind, Name, ProcessId, ProcessSpec,
    ProcessState, UpdateRow, Updated,
};

/// How a configured process is updated.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Fate {
    Stays(ProcessId, Updated),
    /// This one leaves, and another of its name is added.
    Replaced(ProcessId),
    Added,
}

/// Until its leaving processes are gone. There is at most one for each group.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct GroupUpdate {
    /// As it was configured at the time of the request.
    pub(super) spec: GroupSpec,
    /// For each process in `spec`, in its order.
    fates: Vec<Fate>,
    removed: Vec<ProcessId>,
}

impl GroupUpdate {
    fn of(group: &Group, members: &[&Process], spec: GroupSpec) -> Self {
        let mut by_name = HashMap::new();
        for process in members {
            by_name.insert(process.spec.name.as_str(), *process);
        }
        let fate = |new: &Arc<ProcessSpec>| match by_name.get(new.name.as_str()) {
            None => Fate::Added,
            Some(old) if group.kind != spec.kind => Fate::Replaced(old.id),
            Some(old) => match Difference::between(&old.spec, new).takes() {
                None => Fate::Stays(old.id, Updated::Unchanged),
                Some(Takes::InPlace) => Fate::Stays(old.id, Updated::Applied),
                Some(Takes::Restart) => Fate::Replaced(old.id),
            },
        };
        let fates = spec.processes.iter().map(fate).collect();
        let configured: HashSet<&str> = spec.processes.iter().map(|process| process.name.as_str()).collect();
        let is_gone = |process: &&&Process| !configured.contains(process.spec.name.as_str());
        let removed = members.iter().filter(is_gone).map(|process| process.id).collect();
        Self { spec, fates, removed }
    }

    fn leaving(&self) -> impl Iterator<Item = ProcessId> {
        let replaced = self.fates.iter().filter_map(|fate| match fate {
            Fate::Replaced(id) => Some(*id),
            Fate::Stays(..) | Fate::Added => None,
        });
        replaced.chain(self.removed.iter().copied())
    }
}

impl Supervisor {
    /// Returns what is waited for: that all leaving processes are gone. The caller stops them.
    pub(super) fn begin_group_update(
        &mut self,
        turn: &Turn,
        name: &str,
        out: &mut Effects,
    ) -> Result<(GroupUpdate, Vec<Row>), Fault> {
        let update = self.plan_update(name)?;
        self.apply_in_place(turn, &update, out);
        let mut leaving: Vec<_> = update.leaving().collect();
        self.sort_by_priority(&mut leaving);
        for id in &leaving {
            self.with(*id, |process| process.leaving = true);
        }
        Ok((update, self.rows(&leaving, Goal::Gone)))
    }

    fn plan_update(&self, name: &str) -> Result<GroupUpdate, Fault> {
        let group = self.groups.named(name);
        let spec = self.configured.iter().find(|spec| spec.name == name);
        let (Some(group), Some(spec)) = (group, spec) else {
            return Err(Fault::about(FaultCode::BadName, name));
        };
        if self.is_updating(name) {
            return Err(Fault::about(FaultCode::Failed, format!("an update of {name} is under way")));
        }
        let members: Vec<_> = group.members.iter().filter_map(|id| self.process(*id)).collect();
        Ok(GroupUpdate::of(group, &members, spec.clone()))
    }

    fn apply_in_place(&mut self, turn: &Turn, update: &GroupUpdate, out: &mut Effects) {
        let GroupSpec { name, priority, kind, processes } = &update.spec;
        let Some(group) = self.groups.named_mut(name) else { return };
        group.priority = *priority;
        group.take_kind(*kind);
        for id in group.members.clone() {
            self.with(id, |process| {
                process.group_priority = *priority;
                process.stop_rank = *priority;
            });
        }
        self.ask_again(out);
        for (spec, fate) in processes.iter().zip(&update.fates) {
            match *fate {
                Fate::Stays(id, Updated::Applied) => {
                    self.with(id, |process| process.apply(turn, spec, out));
                    self.changed(turn, id, None, out);
                }
                Fate::Replaced(id) => {
                    self.with(id, |process| process.log_replacement(spec, out));
                }
                // What is not compared may have changed: where it is written, and what comes from a file of secrets.
                Fate::Stays(id, _) => {
                    self.with(id, |process| process.spec = Arc::clone(spec));
                }
                Fate::Added => {}
            }
        }
        self.rebuild_conditions();
    }

    /// All leaving processes are gone.
    pub(super) fn finish_group_update(
        &mut self,
        turn: &Turn,
        update: GroupUpdate,
        out: &mut Effects,
    ) -> Vec<UpdateRow> {
        let GroupUpdate { spec, fates, removed } = update;
        let row = |name: &str, outcome| UpdateRow {
            name: Some(name.to_owned()),
            group: spec.name.to_string(),
            outcome,
        };
        let (mut members, mut entered, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for (process, fate) in spec.processes.iter().zip(fates) {
            let history = self.take_history_of_replaced(&fate);
            let (kept, outcome) = self.meet(turn, fate, out);
            let id = kept.unwrap_or_else(|| {
                let id = self.add_process(process, spec.priority);
                entered.push(id);
                id
            });
            self.inherit_history(history, id);
            members.push(id);
            rows.push(row(&process.name, outcome));
        }
        for id in removed {
            let name = self.spec(id).map_or_else(Name::default, |spec| spec.name.clone());
            let outcome = self.release(turn, id, out);
            members.extend(outcome.is_err().then_some(id));
            rows.push(row(&name, outcome.map(|()| Updated::Removed)));
        }
        if let Some(group) = self.groups.named_mut(&spec.name) {
            group.members = members.into();
        }
        self.rebuild_conditions();
        self.sort_by_priority(&mut entered);
        self.introduce(turn, &entered, out);
        out.record(LoggedEventKind::GroupUpdated(spec.name.to_string()));
        rows
    }

    fn take_history_of_replaced(&mut self, fate: &Fate) -> Option<ProcessHistory> {
        match fate {
            Fate::Replaced(id) => self.processes.history_mut(*id).map(std::mem::take),
            Fate::Stays(..) | Fate::Added => None,
        }
    }

    /// The process that continues, if it is an old one, and what is reported about it.
    fn meet(
        &mut self,
        turn: &Turn,
        fate: Fate,
        out: &mut Effects,
    ) -> (Option<ProcessId>, Result<Updated, Fault>) {
        match fate {
            Fate::Stays(id, updated) => (Some(id), Ok(updated)),
            Fate::Added => (None, Ok(Updated::Added)),
            Fate::Replaced(id) => match self.release(turn, id, out) {
                Ok(()) => (None, Ok(Updated::Replaced)),
                Err(fault) => (Some(id), Err(fault)),
            },
        }
    }

    /// Removes a process that has left, unless it may still be alive.
    fn release(&mut self, turn: &Turn, id: ProcessId, out: &mut Effects) -> Result<(), Fault> {
        let why = self.process(id).and_then(|process| match process.state() {
            ProcessState::Unknown => Some(format!("{} is in an unknown process state", process.full_name())),
            _ => process.given_up_text(),
        });
        if let Some(why) = why {
            self.with(id, |process| process.leaving = false);
            return Err(Fault::about(FaultCode::Failed, why));
        }
        self.settle_forgotten(turn, id, out);
        self.forget(id, out);
        Ok(())
    }
}

impl Process {
    /// Applies settings of which none needs a restart. `startsecs` counts from the start, whenever it was
    /// changed; a stop that is under way keeps its deadline. A process that has never been started is started
    /// if it now has `autostart`.
    fn apply(&mut self, turn: &Turn, spec: &Arc<ProcessSpec>, out: &mut Effects) {
        let options = Difference::between(&self.spec, spec).options(Takes::InPlace);
        out.log(LogLevel::Info, format!("updated: '{}' in place ({options})", spec.name));
        let is_rescheduled = self.spec.lifecycle.schedule != spec.lifecycle.schedule;
        let old = std::mem::replace(&mut self.spec, Arc::clone(spec));
        self.health_updated(turn, &old, out);
        self.memory_limit_updated(turn, &old);
        if is_rescheduled {
            self.schedule_changed(turn, out);
        }
        if let (State::Starting { until: Until::UpFor { at }, .. }, Some((started, _))) =
            (&mut self.state, self.started)
        {
            *at = started.after(seconds(spec.start_secs));
        }
        out.push(Effect::ApplyLogLimits { process: self.id });
        let options = LimitsSpec::changes_in_place(old.limits.as_deref(), spec.limits.as_deref());
        if let Some(pid) = self.pid().filter(|_| !options.is_empty()) {
            out.push(Effect::ApplyLimits { process: self.id, pid, options });
        }
        self.time_passed(turn, out);
        self.autostart(turn, out);
    }

    fn log_replacement(&self, spec: &ProcessSpec, out: &mut Effects) {
        let options = Difference::between(&self.spec, spec).options(Takes::Restart);
        let options = if options.is_empty() { "kind of its group".to_owned() } else { options };
        out.log(LogLevel::Info, format!("updating: '{}' is replaced ({options})", spec.name));
    }
}
