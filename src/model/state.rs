//! States with the codes that Supervisor's clients use.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Signal;

/// The id of a process in the kernel: always positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pid(pub i32);

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Identifies a supervised process while its group is active. Counts up and is never reused, so that a late
/// answer about a removed process can't be attributed to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId(pub u64);

/// The state of a supervised process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u16)]
#[expect(missing_docs, reason = "the names are Supervisor's and say it all")]
pub enum ProcessState {
    Stopped = 0,
    Starting = 10,
    Running = 20,
    Backoff = 30,
    Stopping = 40,
    Exited = 100,
    Fatal = 200,
    Unknown = 1000,
}

impl ProcessState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Stopped,
        Self::Starting,
        Self::Running,
        Self::Backoff,
        Self::Stopping,
        Self::Exited,
        Self::Fatal,
        Self::Unknown,
    ];

    /// The number for clients.
    #[must_use]
    pub fn code(self) -> i32 {
        i32::from(self as u16)
    }

    /// The word for clients.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stopped => "STOPPED",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Backoff => "BACKOFF",
            Self::Stopping => "STOPPING",
            Self::Exited => "EXITED",
            Self::Fatal => "FATAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The state with this code, or `None`: used by the client to decode an answer.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| i64::from(state.code()) == code)
    }

    /// The state of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Nothing runs, and nothing will start by itself.
    #[must_use]
    pub fn is_stopped(self) -> bool {
        matches!(self, Self::Stopped | Self::Exited | Self::Fatal | Self::Unknown)
    }

    /// Running, or about to run: a start request is rejected, a stop request is accepted.
    #[must_use]
    pub fn is_running(self) -> bool {
        matches!(self, Self::Running | Self::Backoff | Self::Starting)
    }

    /// Has a process that a signal can be sent to.
    #[must_use]
    pub fn is_signallable(self) -> bool {
        matches!(self, Self::Running | Self::Starting | Self::Stopping)
    }
}

impl fmt::Display for ProcessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The protocol state of an event listener. A new one is ACKNOWLEDGED.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListenerState {
    /// It is ready for an event.
    Ready = 10,
    /// It was sent an event and has not answered yet.
    Busy = 20,
    /// It has answered, or has written nothing yet.
    Acknowledged = 30,
    /// It has violated the protocol, and gets no more events.
    Unknown = 40,
}

impl ListenerState {
    /// Supervisor's number for it.
    #[must_use]
    pub fn code(self) -> i32 {
        self as i32
    }

    /// Supervisor's name for it, as in `ACKNOWLEDGED -> READY`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Busy => "BUSY",
            Self::Acknowledged => "ACKNOWLEDGED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// The state of the supervisor itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are Supervisor's and say it all")]
pub enum SupervisorState {
    Running,
    Restarting,
    Shutdown,
}

impl SupervisorState {
    /// The number for clients.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Running => 1,
            Self::Restarting => 0,
            Self::Shutdown => -1,
        }
    }

    /// The word for clients.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Restarting => "RESTARTING",
            Self::Shutdown => "SHUTDOWN",
        }
    }
}

/// How a child ended, as reported by `waitpid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitStatus {
    /// It called exit with this code.
    Exited(u8),
    /// A signal killed it.
    Signaled {
        /// Real-time signals included.
        signal: Signal,
        /// Whether a core was dumped.
        core_dumped: bool,
    },
    /// The kernel killed it with SIGKILL because memory was short.
    OomKilled,
    /// A raw wait status that is neither; a PID 1 must handle any.
    Unknown(i32),
}

impl ExitStatus {
    /// The code for clients: -1 for any end other than an exit.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Exited(code) => i32::from(code),
            Self::Signaled { .. } | Self::OomKilled | Self::Unknown(_) => -1,
        }
    }

    /// As in a shell: the exit code, 128 plus the number of a signal, 255 for anything else.
    #[must_use]
    pub fn for_shell(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled { signal, .. } => u8::try_from(128 + signal.0).unwrap_or(u8::MAX),
            Self::OomKilled => Self::killed().for_shell(),
            Self::Unknown(_) => u8::MAX,
        }
    }

    /// By SIGKILL.
    #[must_use]
    pub const fn killed() -> Self {
        Self::Signaled { signal: Signal::KILL, core_dumped: false }
    }

    /// The signal that killed it.
    #[must_use]
    pub fn signal(self) -> Option<Signal> {
        match self {
            Self::Signaled { signal, .. } => Some(signal),
            Self::OomKilled => Some(Signal::KILL),
            Self::Exited(_) | Self::Unknown(_) => None,
        }
    }
}

impl fmt::Display for ExitStatus {
    /// Supervisor's text, which people grep for: `exit status 0`, `terminated by SIGSEGV (core dumped)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit status {code}"),
            Self::Signaled { signal, core_dumped } => {
                write!(f, "terminated by {signal}{}", if *core_dumped { " (core dumped)" } else { "" })
            }
            // COMPAT: Supervisor does not know the cause.
            Self::OomKilled => write!(f, "{}, out of memory", Self::killed()),
            Self::Unknown(raw) => write!(f, "unknown termination cause {raw:#06x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_round_trip() {
        for (code, name) in [
            (0, "STOPPED"),
            (10, "STARTING"),
            (20, "RUNNING"),
            (30, "BACKOFF"),
            (40, "STOPPING"),
            (100, "EXITED"),
            (200, "FATAL"),
            (1000, "UNKNOWN"),
        ] {
            assert_eq!(ProcessState::from_code(code).map(ProcessState::name), Some(name));
        }
        assert_eq!(ProcessState::from_code(7), None);
    }

    #[test]
    fn listeners_have_codes_of_their_own() {
        use ListenerState::*;
        let reported = [Ready, Busy, Acknowledged, Unknown].map(|state| (state.code(), state.name()));
        assert_eq!(reported, [(10, "READY"), (20, "BUSY"), (30, "ACKNOWLEDGED"), (40, "UNKNOWN")]);
    }

    #[test]
    fn every_exit_status_has_a_text() {
        let signaled = |number, core_dumped| ExitStatus::Signaled { signal: Signal(number), core_dumped };
        for (status, text, code, for_shell) in [
            (ExitStatus::Exited(3), "exit status 3", 3, 3),
            (signaled(15, false), "terminated by SIGTERM", -1, 143),
            (signaled(11, true), "terminated by SIGSEGV (core dumped)", -1, 139),
            (signaled(37, false), "terminated by signal 37", -1, 165),
            (ExitStatus::OomKilled, "terminated by SIGKILL, out of memory", -1, 137),
            (ExitStatus::Unknown(0x137f), "unknown termination cause 0x137f", -1, 255),
        ] {
            let reported = (status.to_string(), status.code(), status.for_shell());
            assert_eq!(reported, (text.to_owned(), code, for_shell));
        }
    }
}
