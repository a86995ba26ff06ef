//! Which groups there are: those that are active and those that are configured.

use std::sync::Arc;

use super::process::Process;
use super::{Effect, Effects, Supervisor, Turn};
use crate::events::{Event, Pool};
use crate::model::{
    ConfigInfo, EventType, Fault, FaultCode, GroupKind, GroupSpec, LogTarget, ProcessId, ProcessSpec, Reply,
    Ticket,
};

/// A group that is active: its processes are found by their ids.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) priority: i64,
    /// In the order of definition.
    pub(super) members: Vec<ProcessId>,
    pub(super) kind: GroupKind,
    /// Only a group of event listeners has one.
    pub(super) pool: Option<Box<Pool>>,
}

impl Supervisor {
    pub(super) fn add_group(&mut self, spec: GroupSpec) -> Vec<ProcessId> {
        let members: Vec<_> =
            spec.processes.iter().map(|process| self.add_process(process, spec.priority)).collect();
        let GroupSpec { name, priority, kind, .. } = spec;
        let mut group = Group { name, priority, members: members.clone(), kind, pool: None };
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

    /// COMPAT: Supervisor leaves a log out of the comparison when one side of it is AUTO.
    pub(super) fn reread(&mut self, ticket: Ticket, groups: Vec<GroupSpec>, out: &mut Effects) {
        self.configured = groups;
        let active = |name: &str| self.groups.iter().find(|group| group.name == name);
        let names = |wanted: &dyn Fn(&GroupSpec) -> bool| -> Vec<String> {
            self.configured.iter().filter(|spec| wanted(spec)).map(|spec| spec.name.clone()).collect()
        };
        let added = names(&|spec| active(&spec.name).is_none());
        let changed =
            names(&|spec| active(&spec.name).is_some_and(|group| !self.is_as_configured(group, spec)));
        let is_gone = |group: &&Group| !self.configured.iter().any(|spec| spec.name == group.name);
        let removed = self.groups.iter().filter(is_gone).map(|group| group.name.clone()).collect();
        out.reply(ticket, Ok(Reply::Changes { added, changed, removed }));
    }

    /// Whether a group became active with just this configuration.
    fn is_as_configured(&self, group: &Group, spec: &GroupSpec) -> bool {
        let members = group.members.iter().filter_map(|id| self.process(*id));
        group.priority == spec.priority
            && group.kind == spec.kind
            && members.map(|process| &process.spec).eq(&spec.processes)
    }

    /// A group that is to have sockets becomes active once it is known that they can be had.
    pub(super) fn add_configured(&mut self, turn: &Turn, ticket: Ticket, name: &str, out: &mut Effects) {
        let spec = match self.configured.iter().find(|spec| spec.name == name) {
            None => return out.reply(ticket, Err(Fault::about(FaultCode::BadName, name))),
            Some(_) if self.groups.iter().any(|group| group.name == name) => {
                return out.reply(ticket, Err(Fault::about(FaultCode::AlreadyAdded, name)));
            }
            Some(spec) => spec,
        };
        let sockets: Vec<_> = spec.sockets().cloned().collect();
        if sockets.is_empty() {
            return self.activate(turn, ticket, name, out);
        }
        out.push(Effect::TrySockets { ticket, group: name.to_owned(), sockets });
    }

    pub(super) fn activate(&mut self, turn: &Turn, ticket: Ticket, name: &str, out: &mut Effects) {
        let Some(spec) = self.configured.iter().find(|spec| spec.name == name).cloned() else {
            return out.reply(ticket, Err(Fault::about(FaultCode::BadName, name)));
        };
        self.add_group(spec);
        self.ask_again(out);
        self.tell_added(self.groups.len() - 1, out);
        out.reply(ticket, Ok(Reply::Done));
        let by_priority = self.groups.last().map(|group| self.members_by_priority(group));
        self.introduce(turn, &by_priority.unwrap_or_default(), out);
    }

    pub(super) fn remove_active(&mut self, ticket: Ticket, name: &str, out: &mut Effects) {
        let Some(at) = self.groups.iter().position(|group| group.name == name) else {
            return out.reply(ticket, Err(Fault::about(FaultCode::BadName, name)));
        };
        let busy = |id: &ProcessId| {
            self.process(*id).is_some_and(|process| process.is_unstopped() || process.will_restart())
        };
        if self.groups[at].members.iter().any(busy) {
            return out.reply(ticket, Err(Fault::about(FaultCode::StillRunning, name)));
        }
        for id in self.groups.remove(at).members {
            self.forget(id, out);
        }
        self.ask_again(out);
        out.announce(EventType::ProcessGroupRemoved, || Event::GroupRemoved(name.to_owned()));
        out.reply(ticket, Ok(Reply::Done));
    }

    pub(super) fn forget(&mut self, process: ProcessId, out: &mut Effects) {
        self.with(process, |process| process.forget_members(out));
        self.processes.remove(process);
        out.push(Effect::Forget { process });
    }

    /// By process name alone; those of one name in the order of the configuration.
    pub(super) fn all_config(&self) -> Reply {
        let mut infos: Vec<_> = self.configured.iter().flat_map(|group| self.config_of(group)).collect();
        infos.sort_by(|a, b| a.process.name.cmp(&b.process.name));
        Reply::AllConfig(infos)
    }

    /// An AUTO log goes by its name where the group is active and so has one.
    fn config_of(&self, spec: &GroupSpec) -> impl Iterator<Item = ConfigInfo> {
        let active = self.groups.iter().find(|group| group.name == spec.name);
        let members = active.map_or(&[][..], |group| &group.members);
        let active_process = |name: &str| {
            members.iter().filter_map(|id| self.process(*id)).find(|process| process.spec.name == name)
        };
        spec.processes.iter().map(move |process| {
            let mut process = ProcessSpec::clone(process);
            if let Some(active) = active_process(&process.name) {
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
