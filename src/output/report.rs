//! What this module has to report.

use super::warning::Warning;
use crate::events::OutputKind;
use crate::model::{Channel, LogLevel, Pid, ProcessId};

/// Something that was read, or happened, and is for others.
#[derive(Debug, PartialEq, Eq)]
pub enum Report {
    /// A line for the activity log.
    Log {
        /// Its level.
        level: LogLevel,
        /// Its text.
        text: String,
    },
    /// A listener wrote this to its standard output.
    ListenerOutput {
        /// The listener.
        process: ProcessId,
        /// As written.
        bytes: Vec<u8>,
    },
    /// A line that a process was expected to write shows that it is ready.
    ReadyLine {
        /// The process.
        process: ProcessId,
        /// Of the run that has written it.
        pid: Pid,
        /// The check that holds: its place among those of the process.
        check: usize,
    },
    /// Output that is an event if a listener has subscribed to it.
    Event {
        /// The process that wrote it.
        process: ProcessId,
        /// Of the run that wrote it.
        pid: Pid,
        /// To which stream.
        channel: Channel,
        /// The kind of event.
        kind: OutputKind,
        /// The output.
        data: Vec<u8>,
    },
}

impl From<Warning> for Report {
    fn from(warning: Warning) -> Self {
        Self::Log { level: LogLevel::Warn, text: warning.text }
    }
}
