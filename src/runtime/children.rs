//! Children that were not reaped yet: their pids, groups and standard inputs. Their output is read by [`crate::output`].

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use super::Shell;
use super::main_processes::MainProcesses;
use super::self_reports::SelfReports;
use super::stdin::Stdin;
use crate::metrics::Histogram;
use crate::model::{ChildId, Pid, ProcessId, SortedMap};
use crate::supervise::NotSpawned;
use crate::sys::groups::{LeaderFd, ProcessGroup};
use crate::sys::is_shortage;
use crate::sys::spawn_failures::ChildNotes;

/// All children that were not reaped yet, what they report, and the groups of reaped ones.
#[derive(Debug)]
pub(super) struct Children {
    by_pid: SortedMap<Pid, ChildId>,
    /// The standard inputs of live processes.
    live: SortedMap<ProcessId, Stdin>,
    /// Handles of the groups that are killed as a whole, even if their leader is dead.
    group_handles: BTreeMap<ProcessId, LeaderFd>,
    /// What they report before they execute their programs.
    pub(super) notes: ChildNotes,
    /// What programs report of themselves.
    pub(super) self_reports: SelfReports,
    /// The main processes that programs have named.
    pub(super) main: MainProcesses,
    /// How long the spawns of processes took.
    pub(super) spawn_times: Histogram,
    /// More may have exited than were reaped in this turn.
    pub(super) more_to_reap: bool,
}

impl Children {
    /// None yet.
    pub(super) fn new(notes: ChildNotes) -> Self {
        Self {
            by_pid: SortedMap::default(),
            live: SortedMap::default(),
            group_handles: BTreeMap::new(),
            notes,
            self_reports: SelfReports::default(),
            main: MainProcesses::default(),
            spawn_times: Histogram::default(),
            more_to_reap: false,
        }
    }

    /// Adds a started process, with our end of the pipe to its standard input.
    pub(super) fn add(&mut self, process: ProcessId, pid: Pid, stdin: Option<OwnedFd>) {
        self.by_pid.insert(pid, ChildId::Process(process));
        self.live.insert(process, Stdin::new(stdin));
    }

    /// The main process of a program, which was a descendant of its leader, is our child by now.
    pub(super) fn adopt(&mut self, pid: Pid, process: ProcessId) {
        self.by_pid.insert(pid, ChildId::Process(process));
    }

    /// A task was started.
    pub(super) fn add_task(&mut self, pid: Pid, child: ChildId) {
        self.by_pid.insert(pid, child);
    }

    /// Records that a process leads its group, with a handle if the whole group is killed.
    pub(super) fn lead_group(&mut self, process: ProcessId, handle: Option<LeaderFd>) {
        self.group_handles.remove(&process);
        handle.map(|handle| self.group_handles.insert(process, handle));
    }

    /// The group that a process led until it was reaped.
    pub(super) fn group(&self, process: ProcessId, leader: Pid) -> ProcessGroup<'_> {
        ProcessGroup::of(leader, self.group_handles.get(&process))
    }

    /// Forgets its group, until it leads one again.
    pub(super) fn forget_group(&mut self, process: ProcessId) {
        if !self.is_live(process) {
            self.group_handles.remove(&process);
        }
    }

    /// Forgets the groups of dead processes, for the supervisor that takes over.
    pub(super) fn forget_groups(&mut self) {
        let live = &self.live;
        self.group_handles.retain(|process, _| live.contains_key(process));
    }

    /// Whether it was started and not reaped since.
    pub(super) fn is_live(&self, process: ProcessId) -> bool {
        self.live.contains_key(&process)
    }

    /// The owner of a pid, which is forgotten: the kernel may reuse it from now on.
    pub(super) fn take_pid(&mut self, pid: Pid) -> Option<ChildId> {
        self.by_pid.remove(&pid)
    }

    /// Whether this is a child that we started and did not reap yet.
    pub(super) fn has_pid(&self, pid: Pid) -> bool {
        self.by_pid.contains_key(&pid)
    }

    /// The standard input of a child that was not reaped yet.
    pub(super) fn stdin(&mut self, process: ProcessId) -> Option<&mut Stdin> {
        self.live.get_mut(&process)
    }

    /// Removes a reaped child. Returns its standard input.
    fn remove(&mut self, process: ProcessId) -> Option<Stdin> {
        self.live.remove(&process)
    }
}

impl Shell {
    /// Reads the last output of a reaped process, before its end is reported, and closes its standard input.
    pub(super) fn drain_dead(&mut self, process: ProcessId) {
        self.with_output(|output, context| output.drain_dead(ChildId::Process(process), context));
        if let Some(mut stdin) = self.children.remove(process) {
            stdin.close(process, &self.poller, &mut self.sources);
        }
    }

    /// Kills all tasks, whose ends are no longer relevant. Remaining output of hooks is still read.
    pub(super) fn abandon_tasks(&mut self) {
        self.runner.abandon(&mut self.sources);
        self.with_output(|output, context| output.abandon_hooks(context));
    }
}

/// A start that failed in a system call: the error determines who is to blame.
pub(super) fn not_spawned(text: String, error: &io::Error) -> NotSpawned {
    if is_shortage(error) { NotSpawned::for_shortage(text) } else { NotSpawned::from(text) }
}
