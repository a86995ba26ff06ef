//! What a client needs to run a command as a program's own: `sv exec`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{LimitsSpec, User};

/// What a program is started with, secrets included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchContext {
    /// Its process as `group:name`.
    pub full_name: String,
    /// Its variables, without those of the notify protocol, which are for one run.
    pub environment: Vec<(String, String)>,
    /// The names of variables that are not UTF-8, which JSON can't represent.
    pub omitted: Vec<String>,
    /// `directory`, or that of the supervisor; `None` if it is unknown.
    pub directory: Option<PathBuf>,
    /// `umask`
    pub umask: Option<u32>,
    /// `user`, or that of the supervisor.
    pub user: User,
    /// Limits, priorities and privileges.
    pub limits: Option<LimitsSpec>,
    /// The boot, the root directory and the namespaces of the supervisor. A client with other ones is not where the
    /// program runs.
    pub isolation: Vec<String>,
}
