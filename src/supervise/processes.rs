//! All processes, with an index that avoids walking over all of them: which deadlines
//! are next, which priorities still have processes to wait for, and which process has a name.
//!
//! A process is changed only through [`Processes::with`], which keeps the index consistent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::conditions::ConditionState;
use super::history::ProcessHistory;
use super::process::Process;
use crate::model::{Mono, ProcessId, SortedMap};

/// The index entry of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Indexed {
    deadline: Option<Mono>,
    /// Its rank, while a shutdown has to wait for it.
    pending: Option<i64>,
    condition_state: ConditionState,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Processes {
    all: SortedMap<ProcessId, Box<Process>>,
    /// Sorted by group and name.
    by_name: Vec<ProcessId>,
    deadlines: BTreeSet<(Mono, ProcessId)>,
    /// How many processes of each rank a shutdown has to wait for.
    pending: BTreeMap<i64, usize>,
    with_members: BTreeSet<ProcessId>,
    /// While nothing may start, what would only start something has no deadline.
    may_start: bool,
    /// Processes whose conditions for others have changed; not recorded while no process depends on another.
    changes: Vec<ConditionChange>,
    records_changes: bool,
}

/// A process with its old and new conditions for others.
type ConditionChange = (ProcessId, ConditionState, ConditionState);

impl Default for Processes {
    fn default() -> Self {
        Self {
            all: SortedMap::default(),
            by_name: Vec::new(),
            deadlines: BTreeSet::new(),
            pending: BTreeMap::new(),
            with_members: BTreeSet::new(),
            may_start: true,
            changes: Vec::new(),
            records_changes: false,
        }
    }
}

impl Processes {
    pub(super) fn add(&mut self, process: Process) {
        let id = process.id;
        let at = self.position(&process.spec.group, &process.spec.name, id);
        self.by_name.insert(at, id);
        self.all.insert(id, Box::new(process));
        self.update_index(id);
    }

    /// The history of a process. It is part of no index.
    pub(super) fn history_mut(&mut self, id: ProcessId) -> Option<&mut ProcessHistory> {
        self.all.get_mut(&id).map(|process| &mut process.history)
    }

    pub(super) fn remove(&mut self, id: ProcessId) {
        let Some(spec) = self.get(id).map(|process| Arc::clone(&process.spec)) else { return };
        let at = self.position(&spec.group, &spec.name, id);
        if self.by_name.get(at) == Some(&id) {
            self.by_name.remove(at);
        }
        if let Some(process) = self.all.remove(&id) {
            self.reindex(id, process.indexed, Indexed::default());
            self.with_members.remove(&id);
        }
    }

    pub(super) fn get(&self, id: ProcessId) -> Option<&Process> {
        self.all.get(&id).map(|process| &**process)
    }

    /// The process of this name in this group.
    pub(super) fn named(&self, group: &str, name: &str) -> Option<&Process> {
        let at = self.position(group, name, ProcessId(0));
        let process = self.get(*self.by_name.get(at)?)?;
        (process.spec.group == group && process.spec.name == name).then_some(process)
    }

    /// How many processes come before this one by name, and among those of one name by id.
    fn position(&self, group: &str, name: &str, id: ProcessId) -> usize {
        self.by_name.partition_point(|&it| {
            let spec = self.get(it).map(|process| &process.spec);
            spec.is_some_and(|spec| (&*spec.group, &*spec.name, it) < (group, name, id))
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Process> {
        self.all.values().map(|process| &**process)
    }

    /// By group and name.
    pub(super) fn sorted(&self) -> impl Iterator<Item = &Process> {
        self.by_name.iter().filter_map(|id| self.get(*id))
    }

    /// The one way to change a process.
    pub(super) fn with<T>(&mut self, id: ProcessId, change: impl FnOnce(&mut Process) -> T) -> Option<T> {
        let result = change(self.all.get_mut(&id)?);
        self.update_index(id);
        Some(result)
    }

    /// From now on nothing starts, and the remaining members of groups are awaited.
    pub(super) fn forbid_starts(&mut self) {
        self.may_start = false;
        let ids: Vec<_> = self.all.keys().copied().collect();
        ids.into_iter().for_each(|id| self.update_index(id));
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Processes whose deadline has passed, in the order of their ids.
    pub(super) fn due(&self, now: Mono) -> Vec<ProcessId> {
        let due = self.deadlines.iter().take_while(|(at, _)| *at <= now);
        let mut ids: Vec<_> = due.map(|(_, id)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// Whether others may wait for processes.
    pub(super) fn record_changes(&mut self, records: bool) {
        self.records_changes = records;
        self.changes.clear();
    }

    /// The changes since the last call.
    pub(super) fn take_changes(&mut self) -> Vec<ConditionChange> {
        std::mem::take(&mut self.changes)
    }

    /// The highest rank that a shutdown still has to wait for.
    pub(super) fn highest_pending_rank(&self) -> Option<i64> {
        self.pending.last_key_value().map(|(priority, _)| *priority)
    }

    /// Processes whose groups may have outlived them.
    pub(super) fn with_members(&self) -> impl Iterator<Item = &Process> {
        self.with_members.iter().filter_map(|id| self.get(*id))
    }

    fn update_index(&mut self, id: ProcessId) {
        let Some(process) = self.all.get_mut(&id) else { return };
        let has_members = process.remaining.is_some();
        let blocks = if self.may_start { process.is_pending() } else { process.blocks_shutdown() };
        let new = Indexed {
            deadline: process.deadline(self.may_start),
            pending: blocks.then_some(process.stop_rank),
            condition_state: process.condition_state(),
        };
        let old = std::mem::replace(&mut process.indexed, new);
        self.reindex(id, old, new);
        if has_members {
            self.with_members.insert(id);
        } else {
            self.with_members.remove(&id);
        }
    }

    fn reindex(&mut self, id: ProcessId, old: Indexed, new: Indexed) {
        if old.deadline != new.deadline {
            if let Some(at) = old.deadline {
                self.deadlines.remove(&(at, id));
            }
            if let Some(at) = new.deadline {
                self.deadlines.insert((at, id));
            }
        }
        if old.pending != new.pending {
            if let Some(priority) = old.pending
                && let Some(count) = self.pending.get_mut(&priority)
            {
                *count -= 1;
                if *count == 0 {
                    self.pending.remove(&priority);
                }
            }
            if let Some(priority) = new.pending {
                *self.pending.entry(priority).or_default() += 1;
            }
        }
        if self.records_changes && old.condition_state != new.condition_state {
            self.changes.push((id, old.condition_state, new.condition_state));
        }
    }
}
