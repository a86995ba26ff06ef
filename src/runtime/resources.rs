//! The resources of programs: the cgroups that limit them, the trees of processes that use them, and what is measured.

use super::Children;
use super::cgroups::Cgroups;
use super::measurements::MemoryQueue;
use super::trees::Trees;
use crate::model::{Mono, Pid, ProcessId};
use crate::sys::cgroup::Cgroup;
use crate::sys::groups::GroupTable;
use crate::sys::process_usage::TreeMeasurement;

/// The resources of all programs.
#[derive(Debug, Default)]
pub(super) struct Resources {
    pub(super) cgroups: Cgroups,
    pub(super) trees: Trees,
    measurements: MemoryQueue,
    /// Process groups as they are in this turn, if a change has needed them.
    groups_of_turn: Option<Option<GroupTable>>,
}

impl Resources {
    pub(super) fn begin_turn(&mut self, now: Mono, buffer: &mut [u8]) {
        self.groups_of_turn = None;
        self.cgroups.look_at_oom_kills(now, buffer);
    }

    /// The process groups of this machine. `None` without /proc.
    pub(super) fn groups(&mut self) -> Option<&GroupTable> {
        self.groups_of_turn.get_or_insert_with(GroupTable::read).as_ref()
    }

    /// The memory that a program uses, if its cgroup knows it. Otherwise it is measured later.
    pub(super) fn memory(&mut self, process: ProcessId, pid: Pid) -> Option<u64> {
        let known = self.cgroups.of(process).and_then(Cgroup::memory);
        if known.is_none() {
            self.measurements.add(process, pid);
        }
        known
    }

    /// Whether something is to be measured.
    pub(super) fn has_measurements(&self) -> bool {
        self.measurements.is_due()
    }

    /// Looks at one more process. Returns the result of a measurement that is complete with it.
    pub(super) fn measure(&mut self, children: &Children) -> Option<(ProcessId, Pid, Option<u64>)> {
        self.measurements.step(|process, pid| {
            let measurement = TreeMeasurement::begin(pid)?;
            Some(measurement.with_adopted(self.trees.mark(process), &|child| children.has_pid(child)))
        })
    }

    /// Forgets a process that is gone.
    pub(super) fn forget(&mut self, process: ProcessId) {
        self.cgroups.forget_all_of(process);
        self.trees.forget(process);
    }

    /// Forgets all processes, for the supervisor that takes over.
    pub(super) fn forget_processes(&mut self) {
        self.cgroups.forget_processes();
        self.trees.forget_all();
    }
}
