//! Exit codes of actions, as the Linux Standard Base defines them for init scripts. Unlike there, `start` of
//! a running process and `stop` of a stopped one succeed with a message.

/// A failure.
pub(super) const GENERIC: u8 = 1;
/// Invalid usage.
pub(super) const INVALID_ARGS: u8 = 2;
/// The server lacks the methods.
pub(super) const UNIMPLEMENTED: u8 = 3;
/// The server denies access.
pub(super) const NOT_PERMITTED: u8 = 4;
/// The server is of an unknown kind.
pub(super) const NOT_INSTALLED: u8 = 5;
/// Nothing is running.
pub(super) const NOT_RUNNING: u8 = 7;

/// `status`: a process that is shown is not running.
pub(super) const STATUS_NOT_RUNNING: u8 = 3;
/// `status`: the state can't be determined.
pub(super) const STATUS_UNKNOWN: u8 = 4;
/// `wait`, `restart --rolling`: the time is over, as with timeout(1).
pub(super) const TIMED_OUT: u8 = 124;
