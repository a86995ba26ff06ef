//! The active groups and the configured groups.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::process::Process;
use super::{Effect, Effects, Supervisor, Turn};
use crate::events::{Event, Pool};
use crate::model::{
    ConfigInfo, EventType, Fault, FaultCode, GroupKind, GroupSpec, LogTarget, LoggedEventKind, Name,
    ProcessId, ProcessSpec, Reply, SocketSpec, Ticket,
};

/// A group that is active: its processes are found by their ids.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) name: Name,
    pub(super) priority: i64,
    /// In the order of definition.
    pub(super) members: Box<[ProcessId]>,
    pub(super) kind: GroupKind,
    /// Only a group of event listeners has one.
    pub(super) pool: Option<Box<Pool>>,
}

/// The active groups in the order in which they were added, with an index by name: a client may name thousands
/// of them in one call.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Groups {
    all: Vec<Group>,
    /// Positions in `all`, sorted by name.
    by_name: Vec<usize>,
}

impl Groups {
    /// None yet, with room for so many.
    pub(super) fn with_capacity(count: usize) -> Self {
        Self { all: Vec::with_capacity(count), by_name: Vec::with_capacity(count) }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Group> {
        self.all.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn last(&self) -> Option<&Group> {
        self.all.last()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Group> {
        self.all.get(index)
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Group> {
        self.all.get_mut(index)
    }

    pub(super) fn named(&self, name: &str) -> Option<&Group> {
        self.all.get(self.position(name)?)
    }

    pub(super) fn named_mut(&mut self, name: &str) -> Option<&mut Group> {
        let at = self.position(name)?;
        self.all.get_mut(at)
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.search(name).ok().and_then(|at| self.by_name.get(at).copied())
    }

    /// Where a name is in the index, or where it belongs.
    fn search(&self, name: &str) -> Result<usize, usize> {
        self.by_name.binary_search_by(|&at| self.all.get(at).map_or("", |group| &group.name).cmp(name))
    }

    fn push(&mut self, group: Group) {
        let (Ok(at) | Err(at)) = self.search(&group.name);
        self.by_name.insert(at, self.all.len());
        self.all.push(group);
    }

    /// Removes a group; those after it move up.
    fn remove(&mut self, name: &str) -> Option<Group> {
        let at = self.search(name).ok()?;
        let position = self.by_name.remove(at);
        for later in self.by_name.iter_mut().filter(|it| **it > position) {
            *later -= 1;
        }
        Some(self.all.remove(position))
    }
}

/// Names of groups that a new configuration changes.
pub(super) struct ConfigurationChanges {
    /// Configured and not active.
    pub(super) added: Vec<String>,
    pub(super) changed: Vec<String>,
    /// Active and no longer configured.
    pub(super) removed: Vec<String>,
}

impl Supervisor {
    pub(super) fn add_group(&mut self, spec: GroupSpec) -> Vec<ProcessId> {
        let members: Vec<_> =
            spec.processes.iter().map(|process| self.add_process(process, spec.priority)).collect();
        let GroupSpec { name, priority, kind, .. } = spec;
        let mut group = Group { name, priority, members: members.clone().into(), kind, pool: None };
        group.take_kind(kind);
        self.groups.push(group);
        members
    }

    pub(super) fn add_process(&mut self, spec: &Arc<ProcessSpec>, group_priority: i64) -> ProcessId {
        let id = ProcessId(self.next_process);
        self.next_process += 1;
        self.processes.add(Process::new(id, Arc::clone(spec), group_priority));
        id
    }

    /// Takes this configuration for the one that an update applies.
    /// COMPAT: Supervisor leaves a log out of the comparison if it is AUTO on either side.
    pub(super) fn reread(&mut self, groups: Vec<GroupSpec>, out: &mut Effects) -> ConfigurationChanges {
        self.configured = groups;
        self.report_scaling(out);
        let active = |name: &str| self.groups.named(name);
        let names = |wanted: &dyn Fn(&GroupSpec) -> bool| -> Vec<String> {
            self.configured.iter().filter(|spec| wanted(spec)).map(|spec| spec.name.to_string()).collect()
        };
        let added = names(&|spec| active(&spec.name).is_none());
        let changed =
            names(&|spec| active(&spec.name).is_some_and(|group| !self.is_as_configured(group, spec)));
        let configured: HashSet<&str> = self.configured.iter().map(|spec| &*spec.name).collect();
        let is_gone = |group: &&Group| !configured.contains(&*group.name);
        let removed = self.groups.iter().filter(is_gone).map(|group| group.name.to_string()).collect();
        ConfigurationChanges { added, changed, removed }
    }

    /// Whether a group became active with exactly this configuration.
    pub(super) fn is_as_configured(&self, group: &Group, spec: &GroupSpec) -> bool {
        let members = group.members.iter().filter_map(|id| self.process(*id));
        group.priority == spec.priority
            && group.kind == spec.kind
            && members.map(|process| &process.spec).eq(&spec.processes)
    }

    /// A group with sockets becomes active once they are bound.
    pub(super) fn add_configured(&mut self, turn: &Turn, ticket: Ticket, name: &str, out: &mut Effects) {
        match self.sockets_to_add(name) {
            Ok(sockets) if sockets.is_empty() => self.add_active(turn, ticket, name, out),
            Ok(sockets) => out.push(Effect::TrySockets { ticket, group: name.to_owned(), sockets }),
            Err(fault) => out.reply(ticket, Err(fault)),
        }
    }

    /// The sockets of a configured group that is not active.
    pub(super) fn sockets_to_add(&self, name: &str) -> Result<Vec<Arc<SocketSpec>>, Fault> {
        match self.configured.iter().find(|spec| spec.name == name) {
            None => Err(Fault::about(FaultCode::BadName, name)),
            Some(_) if self.groups.named(name).is_some() => Err(Fault::about(FaultCode::AlreadyAdded, name)),
            Some(spec) => Ok(spec.sockets().cloned().collect()),
        }
    }

    pub(super) fn sockets_tried(
        &mut self,
        turn: &Turn,
        ticket: Ticket,
        (group, outcome): (&str, Result<(), String>),
        out: &mut Effects,
    ) {
        if self.update_tried_sockets(turn, ticket, &outcome, out) {
            return;
        }
        match outcome {
            Ok(()) => self.add_active(turn, ticket, group, out),
            Err(text) => out.reply(ticket, Err(Fault::about(FaultCode::Failed, text))),
        }
    }

    fn add_active(&mut self, turn: &Turn, ticket: Ticket, name: &str, out: &mut Effects) {
        match self.activate(name, out) {
            Ok(members) => {
                out.reply(ticket, Ok(Reply::Done));
                self.introduce(turn, &members, out);
            }
            Err(fault) => out.reply(ticket, Err(fault)),
        }
    }

    /// Returns the processes in the order in which they start.
    pub(super) fn activate(&mut self, name: &str, out: &mut Effects) -> Result<Vec<ProcessId>, Fault> {
        let spec = self.configured.iter().find(|spec| spec.name == name).cloned();
        self.add_group(spec.ok_or_else(|| Fault::about(FaultCode::BadName, name))?);
        self.rebuild_conditions();
        self.ask_again(out);
        self.publish_group_added(self.groups.len() - 1, out);
        out.record(LoggedEventKind::GroupAdded(name.to_owned()));
        Ok(self.groups.last().map(|group| self.members_by_priority(group)).unwrap_or_default())
    }

    /// Removes a group whose processes are stopped.
    pub(super) fn remove_active(&mut self, name: &str, out: &mut Effects) -> Result<(), Fault> {
        let group = self.groups.named(name).ok_or_else(|| Fault::about(FaultCode::BadName, name))?;
        let busy = |id: &ProcessId| {
            self.process(*id).is_some_and(|process| process.is_unstopped() || process.will_restart())
        };
        if group.members.iter().any(busy) {
            return Err(Fault::about(FaultCode::StillRunning, name));
        }
        self.forget_scaling(name);
        for id in self.groups.remove(name).map(|group| group.members).unwrap_or_default() {
            self.forget(id, out);
        }
        self.rebuild_conditions();
        self.ask_again(out);
        out.record(LoggedEventKind::GroupRemoved(name.to_owned()));
        out.announce(EventType::ProcessGroupRemoved, || Event::GroupRemoved(name.to_owned()));
        Ok(())
    }

    pub(super) fn forget(&mut self, process: ProcessId, out: &mut Effects) {
        self.with(process, |process| {
            process.end_hooks(out);
            process.forget_members(out);
        });
        if let Some(gone) = self.processes.get(process) {
            self.event_log.keep_names(gone);
        }
        self.processes.remove(process);
        out.push(Effect::Forget { process });
    }

    /// Sorted by process name alone; processes of one name are in the order of the configuration.
    pub(super) fn all_config(&self) -> Reply {
        let mut infos: Vec<_> = self.configured.iter().flat_map(|group| self.config_of(group)).collect();
        infos.sort_by(|a, b| a.process.name.cmp(&b.process.name));
        Reply::AllConfig(infos)
    }

    /// An AUTO log is shown by its file name if the group is active and so has one.
    fn config_of(&self, spec: &GroupSpec) -> impl Iterator<Item = ConfigInfo> {
        let active = self.groups.named(&spec.name);
        spec.processes.iter().map(move |process| {
            let mut process = ProcessSpec::clone(process);
            if let Some(active) = self.processes.named(&spec.name, &process.name) {
                let named = active.log_targets();
                for (stream, named) in [&mut process.stdout, &mut process.stderr].into_iter().zip(named) {
                    if stream.target == LogTarget::Auto && named != LogTarget::None {
                        stream.target = named;
                    }
                }
            }
            ConfigInfo { group_priority: spec.priority, in_use: active.is_some(), process }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::spec;
    use super::super::{Identity, Supervisor};
    use super::*;
    use crate::model::Namespec;

    fn group(name: &str, processes: &[&str]) -> GroupSpec {
        let processes = processes.iter().map(|process| {
            let spec = ProcessSpec { group: name.into(), ..spec(process) };
            Arc::new(spec)
        });
        GroupSpec { name: name.into(), priority: 999, kind: GroupKind::Group, processes: processes.collect() }
    }

    /// Asserts that exactly the existing processes are found by name.
    fn check_names(supervisor: &Supervisor) {
        for process in supervisor.processes.iter() {
            let name = Namespec::split(&format!("{}:{}", process.spec.group, process.spec.name));
            assert_eq!(supervisor.find_process(&name), Some(process.id), "{}", name.text);
        }
        for (index, group) in supervisor.groups.iter().enumerate() {
            assert_eq!(supervisor.groups.position(&group.name), Some(index), "{}", group.name);
        }
    }

    #[test]
    fn names_are_found_while_groups_come_and_go() {
        let identity = Identity { identifier: "supervisor".to_owned(), pid: 1 };
        let groups =
            vec![group("m", &["b", "a", "c"]), group("z", &["z"]), group("a", &[]), group("k", &["m"])];
        let mut supervisor = Supervisor::new(identity, groups);
        check_names(&supervisor);
        for name in ["z", "a", "m", "k"] {
            let mut out = Effects::default();
            supervisor.remove_active(name, &mut out).unwrap();
            assert!(supervisor.groups.named(name).is_none());
            check_names(&supervisor);
            supervisor.add_group(group(name, &["y", "x"]));
            check_names(&supervisor);
        }
        for missing in ["m:a", "m", "b", "x:y", ":", "y:", "k:z"] {
            assert_eq!(supervisor.find_process(&Namespec::split(missing)), None, "{missing}");
        }
    }
}
