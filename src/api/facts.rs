//! The supervisor itself, as responses show it.

use crate::model::{Grant, SupervisorState, Wall};

/// What responses say of the supervisor itself.
#[derive(Clone, Debug)]
pub struct ServerFacts {
    /// What the client may do.
    pub grant: Grant,
    /// The time of the response.
    pub now: Wall,
    /// The serial of the newest entry of the event log.
    pub newest_event: u64,
    /// `identifier`
    pub identifier: String,
    /// The machine's name.
    pub host: String,
    /// Its own pid.
    pub pid: u32,
    /// Its state.
    pub state: SupervisorState,
    /// When it was started.
    pub began: Wall,
}
