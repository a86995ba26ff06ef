//! How streams, writers and destinations are named within this module and by its users.

use crate::model::{Channel, ProcessId};

/// One stream of one process, whichever of its runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "plain words")]
pub struct StreamId {
    pub process: ProcessId,
    pub channel: Channel,
}

impl StreamId {
    /// Standard output and standard error of a process.
    #[must_use]
    pub fn both(process: ProcessId) -> [Self; 2] {
        [Channel::Stdout, Channel::Stderr].map(|channel| Self { process, channel })
    }
}

/// The supervisor's own log, among the streams that have a ring. No process has this number.
pub const OWN_LOG: StreamId = StreamId { process: ProcessId(0), channel: Channel::Stdout };

/// One log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId(pub(super) u64);

/// One of [`super::Destinations`] that has a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DestinationId(pub(super) u64);

/// Our standard output.
pub(super) const STDOUT: DestinationId = DestinationId(0);

/// Our standard error.
pub(super) const STDERR: DestinationId = DestinationId(1);

/// Who writes to a destination: a stream, by its token, or the supervisor itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterId(pub(super) u64);

/// The supervisor itself. No token is 0.
pub const OURSELVES: WriterId = WriterId(0);
