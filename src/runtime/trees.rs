//! `kill_tree`: signals to everything that a program has started, by its cgroup or else by its mark.

use std::collections::BTreeMap;

use super::Shell;
use crate::model::{LimitOption, LimitsSpec, Pid, ProcessId, Signal};
use crate::supervise::Members;
use crate::sys::cgroup::Cgroup;
use crate::sys::process_tree::{ProcessTable, ROUNDS_MAX, TreeMark, TreeRoots, kill_tree, signal_all};

/// The marks of processes that have no cgroup of their own, from their first start on.
#[derive(Debug, Default)]
pub(super) struct TreeMarks(BTreeMap<ProcessId, TreeMark>);

impl TreeMarks {
    /// Forgets the mark of a process that is not started again.
    pub(super) fn forget(&mut self, process: ProcessId) {
        self.0.remove(&process);
    }

    /// Forgets all, for the supervisor that takes over.
    pub(super) fn forget_all(&mut self) {
        self.0.clear();
    }
}

/// Sends a signal to the processes of a cgroup, except `own` and those in the process group `except`.
pub(super) fn signal_cgroup(cgroup: &Cgroup, own: &[Pid], signal: Signal, except: Option<Pid>) {
    if signal == Signal::KILL && cgroup.kill().is_ok() {
        return;
    }
    let rounds = if signal == Signal::KILL { ROUNDS_MAX } else { 1 };
    for _ in 0..rounds {
        let pids: Vec<_> = cgroup.pids().into_iter().filter(|pid| !own.contains(pid)).collect();
        if pids.is_empty() {
            return;
        }
        signal_all(&pids, signal, except, || cgroup.pids());
    }
}

impl Shell {
    /// The limits of a program that is started now, with the mark of its tree if it needs one.
    pub(super) fn marked_limits(&mut self, process: ProcessId, has_cgroup: bool) -> Option<LimitsSpec> {
        let spec = self.core.spec(process).filter(|spec| spec.kill_tree && !has_cgroup)?;
        let known = self.tree_marks.0.get(&process).copied();
        let mark = known.or_else(TreeMark::new)?;
        self.tree_marks.0.insert(process, mark);
        let mut limits = spec.limits.as_deref().cloned().unwrap_or_default();
        limits.set_resource(LimitOption::RlimitLocks, mark.bounds());
        Some(limits)
    }

    /// Whether the tree of a process can be found once its leader is gone.
    pub(super) fn has_tree(&self, process: ProcessId) -> bool {
        let is_killed = self.core.spec(process).is_some_and(|spec| spec.kill_tree);
        is_killed && (self.cgroups.of(process).is_some() || self.tree_marks.0.contains_key(&process))
    }

    fn roots<'r>(&self, process: ProcessId, own: &'r [Pid]) -> TreeRoots<'r> {
        TreeRoots { own, mark: self.tree_marks.0.get(&process).copied() }
    }

    /// What is left of a tree whose leader is gone. `None` if only its process group can be searched. `table` is read
    /// once for all processes.
    pub(super) fn tree_members(
        &self,
        process: ProcessId,
        table: &mut Option<Option<ProcessTable>>,
    ) -> Option<Members> {
        if !self.has_tree(process) {
            return None;
        }
        let pids = match self.cgroups.of(process) {
            Some(cgroup) if cgroup.is_populated() => cgroup.pids(),
            Some(_) => Vec::new(),
            None => {
                let table = table.get_or_insert_with(ProcessTable::read).as_ref()?;
                table.tree(self.roots(process, &[]), &|pid| self.children.has_pid(pid))
            }
        };
        Some(if pids.is_empty() { Members::None } else { Members::Some(pids) })
    }

    /// Sends a signal to the tree of a process, except its own live processes. With `stopasgroup` the group of its
    /// leader has got the stop signal already.
    pub(super) fn signal_tree(&self, process: ProcessId, leader: Pid, own: &[Pid], signal: Signal) {
        let has_got_it = self.core.spec(process).is_some_and(|spec| spec.stop_as_group);
        let except = (has_got_it && signal != Signal::KILL).then_some(leader);
        let Some(cgroup) = self.cgroups.of(process) else {
            let is_found = self.signal_marked_tree(process, own, signal, except);
            // As with killasgroup. The group of a live leader has got the signal already.
            if !is_found && own.is_empty() && except.is_none() {
                let _ = self.children.group(process, leader).signal(signal);
            }
            return;
        };
        signal_cgroup(cgroup, own, signal, except);
    }

    /// False if processes can't be found.
    fn signal_marked_tree(
        &self,
        process: ProcessId,
        own: &[Pid],
        signal: Signal,
        except: Option<Pid>,
    ) -> bool {
        let is_known = |pid| self.children.has_pid(pid);
        let roots = self.roots(process, own);
        if signal == Signal::KILL {
            return kill_tree(roots, &is_known);
        }
        let Some(table) = ProcessTable::read() else { return false };
        for pid in table.tree(roots, &is_known) {
            if except.is_none_or(|group| table.group(pid) != Some(group)) {
                let _ = table.signal(pid, signal);
            }
        }
        true
    }
}
