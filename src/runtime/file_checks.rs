//! `ready=file:`: whether a file exists, without waiting for a file system that does not answer.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Shell;
use super::probes::failure;
use super::task_table::QueuedTask;
use crate::model::{ChildId, ExitStatus, TaskId, seconds_text};
use crate::supervise::{Input, ProbeFailure, TaskEnd};
use crate::sys::file_lookup::{FileAnswer, file_outcome, known_outcome, look_for_file};

/// Checks that a child makes, each with its time. The table of tasks has them too: it bounds them and kills those
/// whose time is up.
#[derive(Debug, Default)]
pub(super) struct FileChecks(HashMap<TaskId, Duration>);

impl FileChecks {
    /// What the end of its child means; `None` if the child is that of another kind of probe.
    pub(super) fn end(&mut self, probe: TaskId, end: &TaskEnd) -> Option<Result<(), ProbeFailure>> {
        let timeout = self.0.remove(&probe)?;
        Some(match end {
            TaskEnd::Exited(ExitStatus::Exited(code)) => file_outcome(*code).map_err(|error| failure(&error)),
            TaskEnd::Exited(status) => Err(ProbeFailure::of_program(status.to_string())),
            TaskEnd::TimedOut => {
                let time = seconds_text(timeout);
                Err(ProbeFailure::of_program(format!("the file system gave no answer for {time}")))
            }
            TaskEnd::Cancelled | TaskEnd::NotRun(_) => Err(ProbeFailure::of_machine("it was not looked for")),
        })
    }

    /// Their outcomes are no longer needed.
    pub(super) fn abandon(&mut self) {
        self.0.clear();
    }
}

impl Shell {
    /// Looks for a file; if that takes a child and there is no room for one, it is queued. Returns the outcome, if it
    /// is known at once.
    pub(super) fn check_file(&mut self, probe: TaskId, path: PathBuf, timeout: Duration) -> Option<Input> {
        let child = ChildId::Probe(probe);
        if self.runner.tasks.may_start(child) {
            return self.look_for_file(child, &path, timeout);
        }
        match known_outcome(&path) {
            Some(known) => Some(probed(probe, known)),
            None => self.runner.queue(child, QueuedTask::FileCheck { path, timeout }),
        }
    }

    /// Looks for a file, with a child if need be.
    pub(super) fn look_for_file(&mut self, child: ChildId, path: &Path, timeout: Duration) -> Option<Input> {
        let ChildId::Probe(probe) = child else { return None };
        match look_for_file(path) {
            Ok(FileAnswer::Known(known)) => Some(probed(probe, known)),
            Ok(FileAnswer::AskedBy(pid)) => {
                self.children.add_task(pid, child);
                self.runner.tasks.add(child, pid, self.now.mono, Some(timeout), None);
                self.runner.file_checks.0.insert(probe, timeout);
                None
            }
            Err(error) => {
                let text = format!("it can't be looked for: {error}");
                Some(Input::Probed { probe, outcome: Err(ProbeFailure::of_machine(text)) })
            }
        }
    }
}

fn probed(probe: TaskId, found: io::Result<()>) -> Input {
    Input::Probed { probe, outcome: found.map_err(|error| failure(&error)) }
}
