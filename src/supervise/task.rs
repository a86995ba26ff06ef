//! Commands that run beside supervised processes: probes, hooks, and what clients execute.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::NotSpawned;
use crate::model::{Environment, ExitStatus, ProcessId};

/// A command to run with the user, environment, directory and umask of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Whose user, environment, directory and umask it has.
    pub process: ProcessId,
    /// Not yet split: split and looked up in PATH like the command of a program.
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
