//! What an update would do: the active groups compared with a configuration that was read for this only.

use std::collections::{HashMap, HashSet};

use super::Supervisor;
use super::desired::Desired;
use super::difference::{Difference, Takes};
use super::groups::Group;
use super::process::Process;
use crate::model::options::differing_values;
use crate::model::{ConfigChange, GroupDifference, GroupSpec, ProcessDifference, ProcessSpec, UpdateAction};

impl Supervisor {
    /// The groups that differ: those of the configuration in its order, then the active ones that it lacks.
    pub(super) fn differences(&self, configured: &[GroupSpec]) -> Vec<GroupDifference> {
        let changed = configured.iter().filter_map(|spec| match self.groups.named(&spec.name) {
            None => Some(GroupDifference {
                group: spec.name.to_string(),
                change: ConfigChange::Added,
                processes: spec.processes.iter().map(|process| added(process)).collect(),
            }),
            Some(group) if self.is_as_configured(group, spec) => None,
            Some(group) => Some(self.difference(group, spec)),
        });
        let names: HashSet<&str> = configured.iter().map(|spec| &*spec.name).collect();
        let gone = self.groups.iter().filter(|group| !names.contains(&*group.name));
        let gone = gone.map(|group| GroupDifference {
            group: group.name.to_string(),
            change: ConfigChange::Removed,
            processes: self.members_of(group).map(removed).collect(),
        });
        changed.chain(gone).collect()
    }

    fn members_of(&self, group: &Group) -> impl Iterator<Item = &Process> {
        group.members.iter().filter_map(|id| self.process(*id))
    }

    fn difference(&self, group: &Group, spec: &GroupSpec) -> GroupDifference {
        let mut by_name = HashMap::new();
        for process in self.members_of(group) {
            by_name.insert(process.spec.name.as_str(), process);
        }
        let is_other_kind = group.kind != spec.kind;
        let present = spec.processes.iter().filter_map(|new| match by_name.get(&*new.name) {
            None => Some(added(new)),
            Some(old) => changed(old, new, is_other_kind),
        });
        let names: HashSet<&str> = spec.processes.iter().map(|process| &*process.name).collect();
        let gone = self.members_of(group).filter(|process| !names.contains(&*process.spec.name));
        GroupDifference {
            group: spec.name.to_string(),
            change: ConfigChange::Changed,
            processes: present.chain(gone.map(removed)).collect(),
        }
    }
}

/// Whether a new process starts by itself. One with a schedule waits for its time.
fn starts(new: &ProcessSpec) -> bool {
    new.autostart && new.lifecycle.schedule.is_none()
}

fn added(new: &ProcessSpec) -> ProcessDifference {
    let action = if starts(new) { UpdateAction::Start } else { UpdateAction::None };
    ProcessDifference { name: new.name.to_string(), change: ConfigChange::Added, action, options: Vec::new() }
}

fn removed(old: &Process) -> ProcessDifference {
    let action = if old.is_unstopped() { UpdateAction::Stop } else { UpdateAction::None };
    let name = old.spec.name.to_string();
    ProcessDifference { name, change: ConfigChange::Removed, action, options: Vec::new() }
}

/// `None` if nothing differs.
fn changed(old: &Process, new: &ProcessSpec, is_other_kind: bool) -> Option<ProcessDifference> {
    let difference = Difference::between(&old.spec, new);
    let takes = if is_other_kind { Some(Takes::Restart) } else { difference.takes() };
    // One that was never started or stopped by a client is started by an `autostart` that is new.
    let is_untouched = old.desired == Desired::default();
    let action = match (takes?, old.is_unstopped(), starts(new)) {
        (Takes::InPlace, false, true) if is_untouched => UpdateAction::Start,
        (Takes::InPlace, ..) => UpdateAction::InPlace,
        (Takes::Restart, true, true) => UpdateAction::Restart,
        (Takes::Restart, true, false) => UpdateAction::Stop,
        (Takes::Restart, false, true) => UpdateAction::Start,
        (Takes::Restart, false, false) => UpdateAction::None,
    };
    let options = differing_values(&old.spec, new);
    Some(ProcessDifference { name: new.name.to_string(), change: ConfigChange::Changed, action, options })
}
