//! Identifies children: supervised processes, and tasks that run for them.

use serde::{Deserialize, Serialize};

use super::ProcessId;

/// A command that runs in addition to a supervised process. Counts up and is never reused, not even after a
/// restart, so that a late exit can't be attributed to another task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId(pub u64);

/// A child of the supervisor. Orphans that it has adopted are not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChildId {
    /// A supervised process.
    Process(ProcessId),
    /// A readiness or health check. Its output is captured.
    Probe(TaskId),
    /// A hook. Its output goes to the log of its process.
    Hook(TaskId),
    /// A command that a client runs in the environment of a process. Its output is captured.
    Exec(TaskId),
}
