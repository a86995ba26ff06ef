//! Commands that are run at points in the life cycle of a program.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The commands, each run like the program: with its user, environment, directory and umask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hooks {
    /// `pre_start`: before each start; a failure is a failed start.
    pub pre_start: Option<String>,
    /// `post_start`: once it is ready.
    pub post_start: Option<String>,
    /// `pre_stop`: before the stop signal, within `stopwaitsecs`.
    pub pre_stop: Option<String>,
    /// `post_stop`: after each exit, before a restart.
    pub post_stop: Option<String>,
    /// `on_failure`: once, when it becomes FATAL.
    pub on_failure: Option<String>,
    /// `hook_timeout`: then the hook's process group is killed.
    pub timeout: Duration,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            pre_start: None,
            post_start: None,
            pre_stop: None,
            post_stop: None,
            on_failure: None,
            timeout: Duration::from_secs(10),
        }
    }
}
