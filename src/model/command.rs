//! The interface of the supervisor: every client, signal and page sends a [`Command`] and gets a [`Reply`] or
//! a [`Fault`].

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::graph::ProcessGraph;
use super::{
    EventLogPart, ExitStatus, GroupDifference, HealthInfo, ListenerState, LogLevel, Permission, ProcessId,
    ProcessSpec, ProcessState, Role, RunCounters, Signal, SupervisorState, Transition, with_last_line,
};

/// Identifies a command until it is answered. Counts up and is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket(pub u64);

/// Whether the answer to a start or stop waits for its completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "plain words")]
pub enum Wait {
    Yes,
    No,
}

/// `name`, `group:name`, `group:*`: the notation of clients for a process or a whole group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespec {
    /// As written by the client: quoted in faults.
    pub text: String,
    /// The group's name.
    pub group: String,
    /// The process in it; `None` means all of them.
    pub process: Option<String>,
}

impl Namespec {
    /// Splits at the first colon. A bare `name` is the process of that name in the group of that name;
    /// nothing or `*` after the colon is the whole group.
    #[must_use]
    pub fn split(text: &str) -> Self {
        let (group, process) = match text.split_once(':') {
            None => (text, Some(text)),
            Some((group, "" | "*")) => (group, None),
            Some((group, process)) => (group, Some(process)),
        };
        Self { text: text.to_owned(), group: group.to_owned(), process: process.map(str::to_owned) }
    }

    /// `name` if group and process have the same name, else `group:name`.
    #[must_use]
    pub fn join(group: &str, process: &str) -> String {
        if group == process { process.to_owned() } else { format!("{group}:{process}") }
    }
}

/// A signal as a client named it; `Err` is the invalid text.
///
/// It is checked late because errors have an order: it comes after a shutdown and an unknown name, and in a
/// bulk command each row that would have got the signal has the error.
pub type SignalRequest = Result<Signal, String>;

/// A request to the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The supervisor's identifier.
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
    /// The same with the last exit of each, which Supervisor's clients don't get.
    GetAllProcessDetails,
    /// One process with its configuration and its history.
    GetProcessDetails(Namespec),
    /// One process with all that its program is started with, secrets included.
    GetLaunch(Namespec),
    /// The entries of the event log after the one with this serial; 0 is from the oldest one.
    GetEvents {
        /// The serial.
        after: u64,
        /// How many at most.
        limit: usize,
    },
    /// Start a process or, with a whole-group namespec, its group.
    StartProcess(Namespec, Wait),
    /// Start the processes of a group that are not running.
    StartProcessGroup(String, Wait),
    /// Start all processes that are not running.
    StartAllProcesses(Wait),
    /// Stop a process or, with a whole-group namespec, its group.
    StopProcess(Namespec, Wait),
    /// Stop the running processes of a group.
    StopProcessGroup(String, Wait),
    /// Stop all running processes.
    StopAllProcesses(Wait),
    /// Restart a process or, with a whole-group namespec, its group: some at a time, the next ones when those
    /// before them run. It ends at the first that fails.
    RestartRolling(Namespec, BatchLimits),
    /// Stop all running processes, then start all processes.
    RestartAllProcesses,
    /// Send a signal to a process (never to its process group) or to each of a group.
    SignalProcess(Namespec, SignalRequest),
    /// Send a signal to each running process of a group.
    SignalProcessGroup(String, SignalRequest),
    /// Send a signal to all running processes.
    SignalAllProcesses(SignalRequest),
    /// Read the configuration again and return the differences, without applying them.
    ReloadConfig,
    /// Read the configuration again and apply it: to one group, or to all.
    Update(Option<String>),
    /// What an update would do, according to a configuration that is read for this and not kept.
    GetDiff,
    /// Give a program another number of processes, until its configuration is applied again.
    Scale {
        /// The program.
        program: String,
        /// How many processes it is to have.
        processes: u32,
    },
    /// Activate a configured group; its programs with `autostart` start.
    AddProcessGroup(String),
    /// Deactivate a group without running processes.
    RemoveProcessGroup(String),
    /// Apply the configuration to an active group; only what needs a restart is restarted.
    UpdateProcessGroup(String),
    /// Every configured process, active or not.
    GetAllConfigInfo,
    /// Which active process depends on which.
    GetGraph,
    /// Bytes of a log.
    ReadLog(LogOf, LogRange),
    /// Find a log in order to follow it. Accepted in any state.
    FollowLog(LogOf),
    /// Empty the supervisor's own log.
    ClearLog,
    /// Empty both logs of a process.
    ClearProcessLogs(Namespec),
    /// Empty the logs of all.
    ClearAllProcessLogs,
    /// Write a text to the standard input of a process.
    SendStdin(Namespec, String),
    /// Send a client's message to listeners. Accepted in any state.
    SendRemoteEvent {
        /// Its type, chosen by the client.
        kind: String,
        /// Its content.
        data: String,
    },
    /// Stop everything, then exit.
    Shutdown,
    /// Stop everything, read the configuration again, and start again in the same process.
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

impl BatchLimits {
    /// All processes are stopped, then all are started.
    pub const ALL_AT_ONE_TIME: Self = Self { size: usize::MAX, timeout: None };

    /// The end of the text of a fault: the timeout has passed before the restart of a process was complete.
    pub const TIMED_OUT: &str = "its time is up";
}

impl Command {
    /// Whether the reply may be so long that it is sent in turn: a log, or all processes.
    #[must_use]
    pub fn has_long_reply(&self) -> bool {
        matches!(
            self,
            Self::ReadLog(..)
                | Self::GetAllProcessInfo
                | Self::GetAllProcessDetails
                | Self::GetAllConfigInfo
                | Self::GetGraph
                | Self::GetDiff
                | Self::GetEvents { .. }
        )
    }
}

impl Command {
    /// The least role of a client that may send it.
    ///
    /// Operating is what a program is made for: being started, stopped, signalled. What decides which programs there
    /// are and what they are fed (configuration, standard input, events) needs admin, as does what would hide traces:
    /// emptying the supervisor's own log and writing to it.
    #[must_use]
    pub fn permission(&self) -> Permission {
        let (role, what) = match self {
            Self::GetIdentification
            | Self::GetGroupNames
            | Self::GetState
            | Self::GetPid
            | Self::GetProcessInfo(_)
            | Self::GetAllProcessInfo
            | Self::GetAllProcessDetails
            | Self::GetProcessDetails(_)
            | Self::GetEvents { .. }
            | Self::GetGraph
            | Self::GetAllConfigInfo => (Role::Read, "see anything"),
            Self::ReadLog(..) | Self::FollowLog(_) => return Permission::LOG,
            Self::StartProcess(..) | Self::StartProcessGroup(..) | Self::StartAllProcesses(_) => {
                (Role::Operate, "start processes")
            }
            Self::StopProcess(..) | Self::StopProcessGroup(..) | Self::StopAllProcesses(_) => {
                (Role::Operate, "stop processes")
            }
            Self::RestartRolling(..) | Self::RestartAllProcesses => (Role::Operate, "restart processes"),
            Self::SignalProcess(..) | Self::SignalProcessGroup(..) | Self::SignalAllProcesses(_) => {
                (Role::Operate, "send signals")
            }
            Self::ClearProcessLogs(_) | Self::ClearAllProcessLogs => {
                (Role::Operate, "clear logs of processes")
            }
            Self::ClearLog => (Role::Admin, "clear the supervisor's own log"),
            Self::WriteLog(..) => (Role::Admin, "write to the supervisor's own log"),
            Self::ReloadConfig | Self::GetDiff => (Role::Admin, "reread the configuration"),
            Self::GetLaunch(_) => (Role::Admin, "see the environment of programs"),
            Self::Scale { .. } => (Role::Admin, "scale programs"),
            Self::AddProcessGroup(_)
            | Self::RemoveProcessGroup(_)
            | Self::UpdateProcessGroup(_)
            | Self::Update(_) => (Role::Admin, "add, remove or update groups"),
            Self::SendStdin(..) => (Role::Admin, "write to the standard input of a process"),
            Self::SendRemoteEvent { .. } => (Role::Admin, "send events"),
            Self::Shutdown => (Role::Admin, "shut down the supervisor"),
            Self::Restart => (Role::Admin, "restart the supervisor"),
        };
        Permission::of(role, what)
    }

    /// Whether it is accepted while the supervisor shuts down or restarts.
    #[must_use]
    pub fn is_taken_in_any_state(&self) -> bool {
        matches!(self, Self::SendRemoteEvent { .. } | Self::FollowLog(_) | Self::GetEvents { .. })
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
    /// The name in options, messages and events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// The owner of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogOf {
    /// The supervisor's own.
    Supervisor,
    /// A process's.
    Process(Namespec, Channel),
}

/// The requested part of a log, by Supervisor's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogRange {
    /// From an offset; a negative one counts from the end.
    Range {
        /// In bytes.
        offset: i64,
        /// In bytes; 0 is all.
        length: i64,
    },
    /// The last bytes after an offset, for clients that follow.
    Tail {
        /// In bytes.
        offset: i64,
        /// In bytes.
        length: i64,
    },
    /// Whole characters, by our own rules: from an offset or, without one, the last ones. The reply is a
    /// [`Reply::Tail`] with the exact offset of what comes next.
    Piece {
        /// In bytes.
        offset: Option<u64>,
        /// In bytes, at most.
        length: u64,
    },
}

/// The result of a bulk command for one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkRow {
    /// Process name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// `Err` is the fault that a command for this process alone would get.
    pub outcome: Result<(), Fault>,
}

/// The effect of an update on a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Updated {
    /// None: it matches its configuration.
    Unchanged,
    /// New settings were applied to the running process.
    Applied,
    /// It was stopped and replaced by one with the new settings.
    Replaced,
    /// It is new.
    Added,
    /// It was stopped and removed.
    Removed,
}

impl Updated {
    /// The word for clients.
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

/// The result of an update for one process, or for a group that was added or removed as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateRow {
    /// Process name; `None` is the whole group.
    pub name: Option<String>,
    /// Its group.
    pub group: String,
    /// `Err` is why it is unchanged.
    pub outcome: Result<Updated, Fault>,
}

/// The information about a process for clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Process name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// The explanation of the state, in Supervisor's words.
    pub description: String,
    /// Unix time of the last start; 0 if never.
    pub start: i64,
    /// Unix time of the last end; 0 if never.
    pub stop: i64,
    /// Unix time of this answer.
    pub now: i64,
    /// Its state.
    pub state: ProcessState,
    /// Why the last start failed or the last end was unexpected; empty if neither.
    pub spawn_error: String,
    /// The step at which the last start failed, if it is one for which Supervisor has no other text than that of an end.
    pub step_failure: Option<String>,
    /// What else is known about its state, beyond `step_failure`.
    pub hint: Option<String>,
    /// What it waits for before it is spawned, as `db (ready)`; empty if it does not wait.
    pub waiting_for: Vec<String>,
    /// Processes that run and depend on it, some of them if there are many.
    pub needed_by: Vec<String>,
    /// The status text that the program has reported by systemd's notify protocol.
    pub reported_status: Option<String>,
    /// The result of its health check; `None` without one, and while it does not run.
    pub health: Option<HealthInfo>,
    /// The last bytes that the command of its last failed check of health or readiness has printed; empty if there were
    /// none. Kept after it was restarted or has failed, until a check succeeds.
    pub check_output: String,
    /// Whether `description` is about the check that has printed this, if anything.
    pub is_about_check: bool,
    /// The last exit code, -1 for a signal, 0 while it runs.
    pub exit_status: i32,
    /// The last exit of its process; kept while it runs again and after a failed start.
    pub last_exit: Option<ExitStatus>,
    /// Whether that was an exit with one of its `exitcodes`.
    pub ended_as_expected: bool,
    /// Path, or empty.
    pub stdout_log_file: String,
    /// Path, or empty.
    pub stderr_log_file: String,
    /// 0 if it has none.
    pub pid: i32,
    /// The protocol state of a running listener; `None` for a program.
    pub listener: Option<ListenerState>,
    /// Unix time in milliseconds of its last transition; `None` before the first.
    pub since_ms: Option<i64>,
    /// Unix time in milliseconds of the next start that is planned: the next try or the next scheduled run.
    pub next_start_ms: Option<i64>,
    /// What was counted of it.
    pub counters: RunCounters,
}

impl ProcessInfo {
    /// `spawn_error` as it is shown under our own name.
    #[must_use]
    pub fn shown_spawn_error(&self) -> &str {
        self.step_failure.as_deref().unwrap_or(&self.spawn_error)
    }

    /// What is shown after Supervisor's description of its state: the step that has failed, and what else is known.
    #[must_use]
    pub fn shown_hint(&self) -> Option<String> {
        match (&self.step_failure, &self.hint) {
            (Some(step), Some(hint)) => Some(format!("{step}; {hint}")),
            (step, hint) => step.clone().or_else(|| hint.clone()),
        }
    }

    /// Its description as it is shown, with what the command of a failed check has printed.
    #[must_use]
    pub fn shown_description(&self) -> Cow<'_, str> {
        match self.is_about_check {
            true => with_last_line(&self.description, &self.check_output).into(),
            false => self.description.as_str().into(),
        }
    }

    /// Its health as it is shown, with what the command of its check has printed.
    #[must_use]
    pub fn shown_health(&self) -> Option<HealthInfo> {
        let HealthInfo { status, failure } = self.health.as_ref()?;
        let failure = failure.as_ref().map(|failure| with_last_line(failure, &self.check_output));
        Some(HealthInfo { status: *status, failure })
    }
}

/// Everything about a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessDetails {
    /// Its state.
    pub info: ProcessInfo,
    /// What it is configured to be.
    pub spec: Arc<ProcessSpec>,
    /// Its last transitions, the oldest first.
    pub history: Vec<Transition>,
}

/// The configuration of one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigInfo {
    /// The priority of its group.
    pub group_priority: i64,
    /// Whether that group is active.
    pub in_use: bool,
    /// The process.
    pub process: ProcessSpec,
}

/// A successful answer.
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
    /// Many processes, with their last exits.
    AllDetails(Vec<ProcessInfo>),
    /// One process with its configuration and its history.
    Details(Box<ProcessDetails>),
    /// A part of the event log.
    Events(EventLogPart),
    /// Names of groups that a new configuration adds, changes and removes.
    Changes {
        /// Configured and not active.
        added: Vec<String>,
        /// Active with a changed configuration.
        changed: Vec<String>,
        /// Active and no longer configured.
        removed: Vec<String>,
    },
    /// The end of a log.
    Tail {
        /// What was read.
        text: String,
        /// The offset for the next request.
        offset: u64,
        /// Whether more was written than requested.
        overflow: bool,
    },
    /// The log to follow; `None` is the supervisor's own.
    Log(Option<(ProcessId, Channel)>),
    /// The configuration of all processes.
    AllConfig(Vec<ConfigInfo>),
    /// Which process depends on which.
    Graph(ProcessGraph),
    /// What an update would change, in the order of the configuration; removed groups come last.
    Differences(Vec<GroupDifference>),
    /// The rows of a bulk command, in the order in which they were finished.
    Bulk(Vec<BulkRow>),
    /// The result for each process of an updated group: first the configured ones in order, then the removed
    /// ones. Of several groups one after the other.
    Updated(Vec<UpdateRow>),
}

impl Reply {
    /// The reply for a client that may not read logs: without what checks have printed.
    #[must_use]
    pub fn without_output(mut self) -> Self {
        match &mut self {
            Self::Info(info) => info.check_output.clear(),
            Self::AllInfo(infos) | Self::AllDetails(infos) => {
                infos.iter_mut().for_each(|info| info.check_output.clear());
            }
            Self::Details(details) => details.info.check_output.clear(),
            _ => {}
        }
        self
    }
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
    /// The client's role does not allow it. Supervisor has no such fault: [`FaultCode::number`].
    Forbidden = 403,
}

impl FaultCode {
    /// The word at the beginning of the fault's text.
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
            Self::Forbidden => "FORBIDDEN",
        }
    }

    /// The number in XML-RPC.
    ///
    /// COMPAT: FORBIDDEN has the number of FAILED. Supervisor's client stops with an exception at numbers that it
    /// does not know; of FAILED it prints the text.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::Forbidden => Self::Failed as i32,
            known => known as i32,
        }
    }
}

/// The status of a successful bulk row; never the code of a fault.
pub const SUCCESS: i32 = 80;

/// An error, with Supervisor's code and text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Its code.
    pub code: FaultCode,
    /// Normally the namespec; `None` if Supervisor's text is only the name of the fault.
    pub detail: Option<String>,
}

impl Fault {
    /// A fault without details.
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
