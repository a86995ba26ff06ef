//! Exit codes of actions, as the Linux Standard Base has them for init scripts. Other than the base,
//! `start` of what runs and `stop` of what doesn't are successes that say so.

/// It failed.
pub(super) const GENERIC: u8 = 1;
/// Wrong use.
pub(super) const INVALID_ARGS: u8 = 2;
/// The server lacks the methods.
pub(super) const UNIMPLEMENTED: u8 = 3;
/// The server doesn't let us in.
pub(super) const NOT_PERMITTED: u8 = 4;
/// The server is of a kind that we don't know.
pub(super) const NOT_INSTALLED: u8 = 5;
/// Nothing runs there.
pub(super) const NOT_RUNNING: u8 = 7;

/// `status`: a process that is shown doesn't run.
pub(super) const STATUS_NOT_RUNNING: u8 = 3;
/// `status`: how things are can't be told.
pub(super) const STATUS_UNKNOWN: u8 = 4;
