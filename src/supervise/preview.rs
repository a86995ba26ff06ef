//! What an update would do: the active groups compared with a configuration that was read for this only.

use std::collections::{BTreeMap, BTreeSet};

use super::Supervisor;
use super::difference::{Difference, Takes};
use super::groups::Group;
use super::process::Process;
use crate::model::{
    ConfigChange, GraphInfo, GroupDifference, GroupSpec, ProcessDifference, ProcessSpec, UpdateAction,
};

/// Edges in an answer. A thousand processes may each depend on another thousand.
const EDGES_MAX: usize = 20_000;

impl Supervisor {
    /// The groups that differ: those of the configuration in its order, then the active ones that it lacks.
    pub(super) fn differences(&self, configured: &[GroupSpec]) -> Vec<GroupDifference> {
        let changed = configured.iter().filter_map(|spec| match self.groups.named(&spec.name) {
            None => Some(GroupDifference {
                group: spec.name.clone(),
                change: ConfigChange::Added,
                processes: spec.processes.iter().map(|process| added(process)).collect(),
            }),
            Some(group) if self.is_as_configured(group, spec) => None,
            Some(group) => Some(self.difference(group, spec)),
        });
        let names: BTreeSet<&str> = configured.iter().map(|spec| &*spec.name).collect();
        let gone = self.groups.iter().filter(|group| !names.contains(&*group.name));
        let gone = gone.map(|group| GroupDifference {
            group: group.name.clone(),
            change: ConfigChange::Removed,
            processes: self.members(group).map(removed).collect(),
        });
        changed.chain(gone).collect()
    }

    fn members(&self, group: &Group) -> impl Iterator<Item = &Process> {
        group.members.iter().filter_map(|id| self.process(*id))
    }

    fn difference(&self, group: &Group, spec: &GroupSpec) -> GroupDifference {
        let by_name: BTreeMap<&str, &Process> =
            self.members(group).map(|process| (&*process.spec.name, process)).collect();
        let is_other_kind = group.kind != spec.kind;
        let present = spec.processes.iter().filter_map(|new| match by_name.get(&*new.name) {
            None => Some(added(new)),
            Some(old) => changed(old, new, is_other_kind),
        });
        let names: BTreeSet<&str> = spec.processes.iter().map(|process| &*process.name).collect();
        let gone = self.members(group).filter(|process| !names.contains(&*process.spec.name));
        GroupDifference {
            group: spec.name.clone(),
            change: ConfigChange::Changed,
            processes: present.chain(gone.map(removed)).collect(),
        }
    }

    pub(super) fn graph_info(&self) -> GraphInfo {
        let (edges, is_cut_off) = self.conditions.edges(&self.processes, EDGES_MAX);
        let nodes = self.processes.iter().map(|process| (process.full_name(), process.state()));
        GraphInfo { nodes: nodes.collect(), edges, is_cut_off }
    }
}

fn added(new: &ProcessSpec) -> ProcessDifference {
    let action = if new.autostart { UpdateAction::Start } else { UpdateAction::None };
    ProcessDifference { name: new.name.clone(), change: ConfigChange::Added, action, options: Vec::new() }
}

fn removed(old: &Process) -> ProcessDifference {
    let action = if old.is_unstopped() { UpdateAction::Stop } else { UpdateAction::None };
    let name = old.spec.name.clone();
    ProcessDifference { name, change: ConfigChange::Removed, action, options: Vec::new() }
}

/// `None` if nothing differs.
fn changed(old: &Process, new: &ProcessSpec, is_other_kind: bool) -> Option<ProcessDifference> {
    let difference = Difference::between(&old.spec, new);
    let takes = if is_other_kind { Some(Takes::Restart) } else { difference.takes() };
    let action = match takes? {
        Takes::InPlace => UpdateAction::InPlace,
        Takes::Restart if old.is_unstopped() => UpdateAction::Restart,
        // Its successor is a new process.
        Takes::Restart if new.autostart => UpdateAction::Start,
        Takes::Restart => UpdateAction::None,
    };
    let options = difference.names().map(str::to_owned).collect();
    Some(ProcessDifference { name: new.name.clone(), change: ConfigChange::Changed, action, options })
}
