//! Commands that run beside supervised processes: probes, hooks, and what clients execute.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Effect, Effects, NotSpawned};
use crate::model::{ChildId, Environment, ExitStatus, ProcessId, TaskId};

/// A command to run with the user, environment, directory and umask of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The process whose user, environment, directory and umask it has.
    pub process: ProcessId,
    /// The command line: split and looked up in PATH like the command of a program.
    pub command: String,
    /// Variables besides those of the process, which they override.
    pub environment: Environment,
    /// How long it may run before its group is killed; without one it may run forever.
    pub timeout: Option<Duration>,
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskEnd {
    /// By itself, or by a signal from elsewhere.
    Exited(ExitStatus),
    /// It was killed when its time was up.
    TimedOut,
    /// [`super::Effect::CancelTask`] killed it, or it was still queued.
    Cancelled,
    /// It could not be started.
    NotRun(NotSpawned),
}

/// Tasks and probes that are under way, with their processes.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct OpenTasks {
    last: u64,
    owners: BTreeMap<TaskId, ProcessId>,
}

impl OpenTasks {
    /// Allocates an id for a new one.
    pub(super) fn begin(&mut self, process: ProcessId) -> TaskId {
        self.last += 1;
        self.owners.insert(TaskId(self.last), process);
        TaskId(self.last)
    }

    /// Removes one and returns its process; `None` if it was removed before.
    pub(super) fn end(&mut self, task: TaskId) -> Option<ProcessId> {
        self.owners.remove(&task)
    }

    pub(super) fn owner(&self, task: TaskId) -> Option<ProcessId> {
        self.owners.get(&task).copied()
    }

    #[cfg(test)]
    pub(super) fn open(&self) -> impl Iterator<Item = TaskId> {
        self.owners.keys().copied()
    }

    /// For the supervisor that takes over: without open tasks, but it never reuses an id.
    pub(super) fn successor(&self) -> Self {
        Self { last: self.last, owners: BTreeMap::new() }
    }
}

impl Effects {
    /// Cancels a task; its end is no longer awaited.
    pub(super) fn cancel_task(&mut self, child: ChildId) {
        match child {
            ChildId::Probe(task) | ChildId::Hook(task) | ChildId::Exec(task) => {
                if self.tasks.end(task).is_some() {
                    self.push(Effect::CancelTask { child });
                }
            }
            ChildId::Process(_) => {}
        }
    }
}
