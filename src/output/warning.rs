//! What this module has to say in the activity log about a destination.

/// A line for the activity log, of level `WARN`. One is made when a failure begins and one when it ends, none in between.
#[derive(Debug, PartialEq, Eq)]
pub struct Warning {
    /// The line.
    pub text: String,
}
