//! The one door into the supervisor: every client, signal and page makes a [`Command`] and gets a
//! [`Reply`] or a [`Fault`].

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    ExitStatus, HealthInfo, ListenerState, LogLevel, ProcessId, ProcessSpec, ProcessState, Signal,
    SupervisorState,
};

/// Stands for one asked question until it is answered. Counts up and is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket(pub u64);

/// Whether the answer to a start or stop waits for its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "plain words")]
pub enum Wait {
    Yes,
    No,
}

/// `name`, `group:name`, `group:*`: what a client calls one process or a whole group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespec {
    /// As the client wrote it: what a fault about it quotes.
    pub text: String,
    /// The group's name.
    pub group: String,
    /// The process in it; `None` means all of them.
    pub process: Option<String>,
}

impl Namespec {
    /// Splits at the first colon. A bare `name` is the process of that name in the group of that
    /// name; nothing or `*` behind the colon is the whole group.
    #[must_use]
    pub fn split(text: &str) -> Self {
        let (group, process) = match text.split_once(':') {
            None => (text, Some(text)),
            Some((group, "" | "*")) => (group, None),
            Some((group, process)) => (group, Some(process)),
        };
        Self { text: text.to_owned(), group: group.to_owned(), process: process.map(str::to_owned) }
    }

    /// `name` when group and process are called alike, else `group:name`.
    #[must_use]
    pub fn join(group: &str, process: &str) -> String {
        if group == process { process.to_owned() } else { format!("{group}:{process}") }
    }
}

/// A signal as a client named it; `Err` is the text that names none.
///
/// It travels as it is because its refusal has its turn: after a shutdown and an unknown name, and
/// in a command over many as an entry of each row that would have got the signal.
pub type SignalRequest = Result<Signal, String>;

/// Something asked of the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Who runs here.
    GetIdentification,
    /// The names of all active groups.
    GetGroupNames,
    /// A line for the supervisor's own log.
    WriteLog(LogLevel, String),
    /// The supervisor's own state.
    GetState,
    /// The supervisor's own process id.
    GetPid,
    /// One process.
    GetProcessInfo(Namespec),
    /// All of them, by group name and process name.
    GetAllProcessInfo,
    /// The same with how each ended last, which Supervisor's clients are not sent.
    GetAllProcessDetails,
    /// Start a process or, with a whole-group namespec, its group.
    StartProcess(Namespec, Wait),
    /// Start the processes of a group that don't run.
    StartProcessGroup(String, Wait),
    /// Start all that don't run.
    StartAllProcesses(Wait),
    /// Stop a process or, with a whole-group namespec, its group.
    StopProcess(Namespec, Wait),
    /// Stop the running processes of a group.
    StopProcessGroup(String, Wait),
    /// Stop all that run.
    StopAllProcesses(Wait),
    /// Restart a process or, with a whole-group namespec, its group: some at a time, the next ones when those
    /// before them run. It ends at the first that fails.
    RestartRolling(Namespec, BatchLimits),
    /// Send a signal to a process (never to its process group) or to each of a group.
    SignalProcess(Namespec, SignalRequest),
    /// Send a signal to each process of a group that has one to take it.
    SignalProcessGroup(String, SignalRequest),
    /// Send a signal to all.
    SignalAllProcesses(SignalRequest),
    /// Read the configuration again and tell what changed, without acting on it.
    ReloadConfig,
    /// Make a configured group active; its programs with `autostart` start.
    AddProcessGroup(String),
    /// Take a group out of action of which nothing runs any more.
    RemoveProcessGroup(String),
    /// Make an active group as it is configured; only what needs a restart is restarted.
    UpdateProcessGroup(String),
    /// Every configured process, active or not.
    GetAllConfigInfo,
    /// Bytes of a log.
    ReadLog(LogOf, Reading),
    /// Find a log in order to follow it. Carried out in any state.
    FollowLog(LogOf),
    /// Empty the supervisor's own log.
    ClearLog,
    /// Empty both logs of a process.
    ClearProcessLogs(Namespec),
    /// Empty the logs of all.
    ClearAllProcessLogs,
    /// Write a text to the standard input of a process.
    SendStdin(Namespec, String),
    /// Tell those who listen for it what somebody outside has to tell. Taken in any state.
    SendRemoteEvent {
        /// What kind of thing it is, in the words of whoever sends it.
        kind: String,
        /// What there is to tell.
        data: String,
    },
    /// Stop everything, then end.
    Shutdown,
    /// Stop everything, read the configuration again, start anew in the same process.
    Restart,
}

/// How many processes a rolling restart stops at one time, and how long all of it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchLimits {
    /// Processes, at least one.
    pub size: usize,
    /// `None` means no limit.
    pub timeout: Option<Duration>,
}

impl Command {
    /// Whether the reply may be so long that it takes a place in a line: a log, or all processes.
    #[must_use]
    pub fn has_long_reply(&self) -> bool {
        matches!(
            self,
            Self::ReadLog(..) | Self::GetAllProcessInfo | Self::GetAllProcessDetails | Self::GetAllConfigInfo
        )
    }
}

impl Command {
    /// Whether it is carried out also while the supervisor shuts down or restarts.
    #[must_use]
    pub fn is_taken_in_any_state(&self) -> bool {
        matches!(self, Self::SendRemoteEvent { .. } | Self::FollowLog(_))
    }
}

/// One output stream of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "plain words")]
pub enum Channel {
    Stdout,
    Stderr,
}

impl Channel {
    /// As it is called in options, messages and events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Whose log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogOf {
    /// The supervisor's own.
    Supervisor,
    /// A process's.
    Process(Namespec, Channel),
}

/// Which bytes of a log, by Supervisor's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reading {
    /// From an offset on; from the end for a negative one.
    Range {
        /// In bytes.
        offset: i64,
        /// In bytes; 0 is all.
        length: i64,
    },
    /// The last bytes behind an offset, for clients that follow.
    Tail {
        /// In bytes.
        offset: i64,
        /// In bytes.
        length: i64,
    },
}

/// How one process fared in a command over many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkRow {
    /// Process name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// `Err` carries the fault it would have got alone.
    pub outcome: Result<(), Fault>,
}

/// What an update has done to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Updated {
    /// Nothing: it is as it is configured.
    Unchanged,
    /// Its new settings are in force, and it was not touched.
    Applied,
    /// It was stopped, and another with its new settings has taken its place.
    Replaced,
    /// It was not there before.
    Added,
    /// It was stopped and is gone.
    Removed,
}

impl Updated {
    /// The word that clients are given.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Applied => "applied",
            Self::Replaced => "replaced",
            Self::Added => "added",
            Self::Removed => "removed",
        }
    }
}

/// How one process fared in an update of its group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateRow {
    /// Process name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// `Err` tells why it is as it was.
    pub outcome: Result<Updated, Fault>,
}

/// What clients are told of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Process name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// The state column's explanation, in Supervisor's words.
    pub description: String,
    /// Unix time of the last start; 0 if never.
    pub start: i64,
    /// Unix time of the last end; 0 if never.
    pub stop: i64,
    /// Unix time of this answer.
    pub now: i64,
    /// Where it stands.
    pub state: ProcessState,
    /// Why the last start failed or the last end was unexpected; empty if neither.
    pub spawn_error: String,
    /// What `sv` knows beyond Supervisor's words about a start that failed.
    pub hint: Option<String>,
    /// What it waits for before it is spawned, as `db (ready)`; empty if it does not wait.
    pub waiting_for: Vec<String>,
    /// Processes that run and depend on it, some of them if there are many.
    pub needed_by: Vec<String>,
    /// What the program has reported for people to read, by systemd's notify protocol.
    pub reported_status: Option<String>,
    /// What its health check tells; `None` without one, and while it does not run.
    pub health: Option<HealthInfo>,
    /// The last exit code, -1 for a signal, 0 while it runs.
    pub exit_status: i32,
    /// How its process ended last; kept while it runs again and after a start that failed.
    pub last_exit: Option<ExitStatus>,
    /// Whether that was an exit with one of its `exitcodes`.
    pub ended_as_expected: bool,
    /// Path, or empty.
    pub stdout_log_file: String,
    /// Path, or empty.
    pub stderr_log_file: String,
    /// 0 when it has none.
    pub pid: i32,
    /// How far the conversation with a listener that was started has come; `None` for a program.
    pub listener: Option<ListenerState>,
}

/// One process as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigInfo {
    /// Of the group that owns it.
    pub group_priority: i64,
    /// Whether that group is active.
    pub in_use: bool,
    /// The process.
    pub process: ProcessSpec,
}

/// An answer that is no fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Done.
    Done,
    /// A text.
    Text(String),
    /// Names.
    Names(Vec<String>),
    /// The supervisor's state.
    State(SupervisorState),
    /// A process id.
    Pid(i32),
    /// One process.
    Info(Box<ProcessInfo>),
    /// Many processes.
    AllInfo(Vec<ProcessInfo>),
    /// Many processes, with how each ended last.
    AllDetails(Vec<ProcessInfo>),
    /// Names of groups that a new configuration adds, changes and removes.
    Changes {
        /// Configured and not active.
        added: Vec<String>,
        /// Active and configured otherwise now.
        changed: Vec<String>,
        /// Active and not configured any more.
        removed: Vec<String>,
    },
    /// The end of a log.
    Tail {
        /// What was read.
        text: String,
        /// Where to go on.
        offset: u64,
        /// Whether more was written than was asked for.
        overflow: bool,
    },
    /// The log to follow; `None` is the supervisor's own.
    Log(Option<(ProcessId, Channel)>),
    /// The configuration of all processes.
    AllConfig(Vec<ConfigInfo>),
    /// The rows of a command over many, in the order in which they were finished.
    Bulk(Vec<BulkRow>),
    /// What became of each process of an updated group: those that are configured in their order,
    /// then those that are gone.
    Updated(Vec<UpdateRow>),
}

/// Supervisor's fault codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are Supervisor's and say it all")]
pub enum FaultCode {
    UnknownMethod = 1,
    IncorrectParameters = 2,
    BadArguments = 3,
    SignatureUnsupported = 4,
    ShutdownState = 6,
    BadName = 10,
    BadSignal = 11,
    NoFile = 20,
    NotExecutable = 21,
    Failed = 30,
    AbnormalTermination = 40,
    SpawnError = 50,
    AlreadyStarted = 60,
    NotRunning = 70,
    AlreadyAdded = 90,
    StillRunning = 91,
    CantReread = 92,
}

impl FaultCode {
    /// The word that starts the fault's text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownMethod => "UNKNOWN_METHOD",
            Self::IncorrectParameters => "INCORRECT_PARAMETERS",
            Self::BadArguments => "BAD_ARGUMENTS",
            Self::SignatureUnsupported => "SIGNATURE_UNSUPPORTED",
            Self::ShutdownState => "SHUTDOWN_STATE",
            Self::BadName => "BAD_NAME",
            Self::BadSignal => "BAD_SIGNAL",
            Self::NoFile => "NO_FILE",
            Self::NotExecutable => "NOT_EXECUTABLE",
            Self::Failed => "FAILED",
            Self::AbnormalTermination => "ABNORMAL_TERMINATION",
            Self::SpawnError => "SPAWN_ERROR",
            Self::AlreadyStarted => "ALREADY_STARTED",
            Self::NotRunning => "NOT_RUNNING",
            Self::AlreadyAdded => "ALREADY_ADDED",
            Self::StillRunning => "STILL_RUNNING",
            Self::CantReread => "CANT_REREAD",
        }
    }
}

/// The status of a bulk row that went well; never the code of a fault.
pub const SUCCESS: i32 = 80;

/// A refusal, with Supervisor's code and text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What kind.
    pub code: FaultCode,
    /// Normally the namespec; `None` where Supervisor says no more than the name.
    pub detail: Option<String>,
}

impl Fault {
    /// A fault that says no more than its name.
    #[must_use]
    pub fn bare(code: FaultCode) -> Self {
        Self { code, detail: None }
    }

    /// A fault about something.
    pub fn about(code: FaultCode, detail: impl Into<String>) -> Self {
        Self { code, detail: Some(detail.into()) }
    }
}

impl fmt::Display for Fault {
    /// `BAD_NAME: web`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) => write!(f, "{}: {detail}", self.code.name()),
            None => f.write_str(self.code.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespecs_split_as_supervisor_splits_them() {
        for (text, group, process) in [
            ("web", "web", Some("web")),
            ("g:web", "g", Some("web")),
            ("g:*", "g", None),
            ("g:", "g", None),
            ("g:a:b", "g", Some("a:b")),
            ("g:a*", "g", Some("a*")),
            ("", "", Some("")),
        ] {
            let split = Namespec::split(text);
            assert_eq!((split.group.as_str(), split.process.as_deref()), (group, process), "{text}");
        }
    }

    #[test]
    fn fault_texts_are_the_name_and_the_detail() {
        assert_eq!(Fault::about(FaultCode::BadName, "nope").to_string(), "BAD_NAME: nope");
        assert_eq!(Fault::bare(FaultCode::ShutdownState).to_string(), "SHUTDOWN_STATE");
    }
}
