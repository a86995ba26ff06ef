//! What runs beside processes: commands, probes of sockets, and looks for files.

use super::Sources;
use super::file_checks::FileChecks;
use super::probes::Probes;
use super::task_table::{Cancelled, QueuedTask, StartBudget, Tasks};
use crate::model::{ChildId, Mono};
use crate::supervise::{Input, NotSpawned, TaskEnd};

/// All of it, with what may be started in this turn.
#[derive(Debug)]
pub(super) struct TaskRunner {
    pub(super) tasks: Tasks,
    pub(super) probes: Probes,
    pub(super) file_checks: FileChecks,
    pub(super) budget: StartBudget,
}

impl Default for TaskRunner {
    fn default() -> Self {
        Self {
            tasks: Tasks::default(),
            probes: Probes::default(),
            file_checks: FileChecks::default(),
            budget: StartBudget::of_turn(),
        }
    }
}

impl TaskRunner {
    pub(super) fn begin_turn(&mut self) {
        self.budget = StartBudget::of_turn();
    }

    /// Whether something that is queued may be started.
    pub(super) fn has_startable(&self) -> bool {
        self.tasks.has_startable() || self.probes.has_startable()
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        [self.tasks.deadline(), self.probes.deadline()].into_iter().flatten().min()
    }

    /// Queues a task. Returns the outcome if the queue is full.
    pub(super) fn queue(&mut self, child: ChildId, task: QueuedTask) -> Option<Input> {
        let what = match self.tasks.queue(child, task).err()? {
            QueuedTask::Command(task) => format!("run {}", task.command),
            QueuedTask::FileCheck { path, .. } => format!("look for '{}'", path.display()),
        };
        let text = format!("cannot {what}: too many tasks are queued");
        Some(not_run(child, NotSpawned::for_shortage(text)))
    }

    /// Kills a task or ends a probe. Returns the end of a task that was still queued.
    pub(super) fn cancel(&mut self, child: ChildId, sources: &mut Sources) -> Option<Input> {
        if let ChildId::Probe(probe) = child
            && self.probes.cancel(probe, sources)
        {
            return None;
        }
        match self.tasks.cancel(child) {
            Cancelled::Dequeued => {
                Some(Input::TaskEnded { child, end: TaskEnd::Cancelled, output: Vec::new() })
            }
            Cancelled::Killed | Cancelled::Unknown => None,
        }
    }

    /// Kills and drops everything; the outcomes are no longer needed.
    pub(super) fn abandon(&mut self, sources: &mut Sources) {
        self.tasks.abandon(sources);
        self.probes.abandon(sources);
        self.file_checks.abandon();
    }

    /// What the end of a task is for the core.
    pub(super) fn outcome(&mut self, child: ChildId, end: TaskEnd, output: Vec<u8>) -> Input {
        if let ChildId::Probe(probe) = child
            && let Some(outcome) = self.file_checks.end(probe, &end)
        {
            return Input::Probed { probe, outcome };
        }
        Input::TaskEnded { child, end, output }
    }
}

/// The end of a task that could not be started.
pub(super) fn not_run(child: ChildId, failure: NotSpawned) -> Input {
    Input::TaskEnded { child, end: TaskEnd::NotRun(failure), output: Vec::new() }
}
