//! `kill_tree`: signals to everything that a program has started, by its cgroup or by its mark, as the core decides.
//! `memory_limit` without a cgroup needs the mark, too.
//!
//! A program that may run without a cgroup has a mark from before exec, so what it has started is also found by that
//! while nothing has seen yet that it has entered its cgroup.

use std::collections::HashSet;
use std::io;

use super::{Children, Resources, Shell};
use crate::model::{LimitOption, LimitsSpec, LogLevel, Pid, ProcessId, ProcessSpec, Signal, SortedMap};
use crate::supervise::{Effect, KillTarget, LeaderlessGroup, Members};
use crate::sys::cgroup::Cgroup;
use crate::sys::groups::{proc_obstacle, signal_with_leader};
use crate::sys::process::send_signal;
use crate::sys::process_tree::{
    ProcessTable, ROUNDS_MAX, TreeMark, TreeRoots, TreeSignal, signal_all, signal_trees,
};

/// A signal to a tree that is found by its mark.
#[derive(Debug)]
struct PendingSignal {
    process: ProcessId,
    leader: Pid,
    to: TreeSignal,
    /// Whether the leader gets it afterwards: the processes below it are known as its descendants until it has ended.
    also_leader: bool,
}

/// Trees of processes that are found by their marks.
#[derive(Debug, Default)]
pub(super) struct Trees {
    /// The marks of processes, from their first start on.
    marks: SortedMap<ProcessId, TreeMark>,
    /// Sent together, as finding the processes takes a look at all of the machine.
    pending: Vec<PendingSignal>,
    /// Options that were reported as having no effect, or less, without /proc.
    reported: HashSet<&'static str>,
}

impl Trees {
    /// The limits of a program that is started now, with the mark of its tree if it needs one.
    pub(super) fn marked_limits(&mut self, process: ProcessId, spec: &ProcessSpec) -> Option<LimitsSpec> {
        if !spec.has_mark() {
            return None;
        }
        let mark = self.mark(process).or_else(TreeMark::new)?;
        self.marks.insert(process, mark);
        let mut limits = spec.limits.as_deref().cloned().unwrap_or_default();
        limits.set_resource(LimitOption::RlimitLocks, mark.bounds());
        Some(limits)
    }

    /// Forgets the mark of a process that is not started again.
    pub(super) fn forget(&mut self, process: ProcessId) {
        self.marks.remove(&process);
    }

    /// The mark of a process that was started with one.
    pub(super) fn mark(&self, process: ProcessId) -> Option<TreeMark> {
        self.marks.get(&process).copied()
    }

    /// Forgets all, for the supervisor that takes over.
    pub(super) fn forget_all(&mut self) {
        self.marks = SortedMap::default();
    }

    /// Whether pending signals have to be sent before this: a new run must not get those for the run before.
    pub(super) fn must_signal_before(&self, effect: &Effect) -> bool {
        match effect {
            Effect::Spawn { process } | Effect::ForgetMembers { process } | Effect::Forget { process } => {
                self.pending.iter().any(|pending| pending.process == *process)
            }
            Effect::FindMembers { .. } => !self.pending.is_empty(),
            _ => false,
        }
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
    /// Logs once for each option that it needs /proc, for a program that is started without a cgroup.
    pub(super) fn report_missing_proc(&mut self, process: ProcessId) {
        let Some(spec) = self.core.spec(process) else { return };
        let options = [
            (spec.kill_tree, "kill_tree", "works only as killasgroup"),
            (spec.lifecycle.memory_limit.is_some(), "memory_limit", "has no effect"),
        ];
        if options.iter().all(|(is_set, ..)| !is_set) {
            return;
        }
        let Some(why) = proc_obstacle() else { return };
        for (is_set, option, consequence) in options {
            if is_set && self.resources.trees.reported.insert(option) {
                self.log(LogLevel::Warn, &format!("{option} {consequence}: {why}"));
            }
        }
    }

    /// The process group that has got a stop signal already, with `stopasgroup`.
    pub(super) fn already_signalled(&self, process: ProcessId, leader: Pid, signal: Signal) -> Option<Pid> {
        let has_got_it = self.core.spec(process).is_some_and(|spec| spec.stop_as_group);
        (has_got_it && signal != Signal::KILL).then_some(leader)
    }
}

impl Resources {
    /// The members of a cgroup or a tree whose leader is gone. `None` if only its process group can be searched. `table`
    /// is read once for all processes.
    pub(super) fn members_beyond_group(
        &self,
        LeaderlessGroup { process, target, .. }: LeaderlessGroup,
        children: &Children,
        table: &mut Option<Option<ProcessTable>>,
    ) -> Option<Members> {
        match target {
            KillTarget::Process | KillTarget::Group => None,
            // Without one it was empty when its leader was reaped.
            KillTarget::Cgroup => {
                let populated = self.cgroups.of(process).filter(|cgroup| cgroup.is_populated());
                Some(Members::of(populated.map_or_else(Vec::new, Cgroup::pids)))
            }
            KillTarget::Tree => {
                let roots = TreeRoots { own: &[], mark: Some(self.trees.mark(process)?) };
                let table = table.get_or_insert_with(ProcessTable::read).as_ref()?;
                Some(Members::of(table.tree(roots, &|pid| children.has_pid(pid))))
            }
        }
    }

    /// Sends a signal to the members of a group whose leader is gone, except those of the process group `except`.
    pub(super) fn signal_members(
        &mut self,
        LeaderlessGroup { process, leader, target }: LeaderlessGroup,
        signal: Signal,
        except: Option<Pid>,
        children: &Children,
    ) {
        match target {
            KillTarget::Cgroup => self.signal_cgroup_of(process, &[], signal, except),
            KillTarget::Tree if self.trees.mark(process).is_some() => {
                self.trees.signal_later(process, leader, (signal, except));
            }
            KillTarget::Process | KillTarget::Group | KillTarget::Tree => {
                let _ = children.group(process, leader).signal(signal);
            }
        }
    }

    /// Sends a signal to everything in the cgroup of a process, except its own live processes and the process group
    /// `except`. To be called before its own processes get SIGKILL.
    pub(super) fn signal_cgroup_of(
        &self,
        process: ProcessId,
        own: &[Pid],
        signal: Signal,
        except: Option<Pid>,
    ) {
        if let Some(cgroup) = self.cgroups.of(process) {
            signal_cgroup(cgroup, own, signal, except);
        }
    }
}

impl Trees {
    fn queue(
        &mut self,
        process: ProcessId,
        leader: Pid,
        own: &[Pid],
        to: (Signal, Option<Pid>),
        also_leader: bool,
    ) {
        let (signal, except) = to;
        let to = TreeSignal { own: own.to_vec(), mark: self.mark(process), signal, except };
        self.pending.push(PendingSignal { process, leader, to, also_leader });
    }

    /// Sends a signal to the tree of a process whose leader is gone, with the others by [`Self::signal_pending`].
    fn signal_later(&mut self, process: ProcessId, leader: Pid, to: (Signal, Option<Pid>)) {
        self.queue(process, leader, &[], to, false);
    }

    /// Sends a signal to the tree of a process at once, except its own live processes. To be called before these get
    /// SIGKILL.
    pub(super) fn signal_now(
        &mut self,
        (process, leader): (ProcessId, Pid),
        own: &[Pid],
        to: (Signal, Option<Pid>),
        children: &Children,
    ) {
        self.queue(process, leader, own, to, false);
        self.signal_pending(children);
    }

    /// Sends a signal to the tree of a process, with the others by [`Self::signal_pending`], and then to its leader, which is
    /// its only live process.
    pub(super) fn signal_with_leader(
        &mut self,
        process: ProcessId,
        leader: Pid,
        signal: Signal,
    ) -> io::Result<()> {
        self.queue(process, leader, &[leader], (signal, None), true);
        // It is not reaped before, so nothing else can go wrong later.
        send_signal(leader, Signal(0), false)
    }

    /// Sends pending signals to trees. To be called before anything is reaped.
    pub(super) fn signal_pending(&mut self, children: &Children) {
        if self.pending.is_empty() {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        let signals = pending.iter().map(|it| &it.to).collect();
        let are_found = signal_trees(signals, &|pid| children.has_pid(pid));
        for PendingSignal { process, leader, to, also_leader } in &pending {
            if *also_leader {
                let _ = signal_with_leader(*leader, to.signal);
            } else if !are_found && to.own.is_empty() && to.except.is_none() {
                // As with killasgroup.
                let _ = children.group(*process, *leader).signal(to.signal);
            }
        }
    }
}
