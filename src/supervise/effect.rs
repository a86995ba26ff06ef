//! What the core asks of the shell.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::history::Unrecorded;
use super::task::OpenTasks;
use super::{AfterStop, KillTarget, LeaderlessGroup, ReadFor, Task};
use crate::events::Event;
use crate::model::{
    Channel, ChildId, EventTypes, Fault, LimitOption, LogLevel, LogRange, Pid, Principal, Probe, ProcessId,
    Reply, Signal, SocketSpec, TaskId, Ticket,
};

#[cfg(doc)]
use super::{Input, Supervisor, TaskEnd};

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Start the process ([`Supervisor::spec`]); answer with [`Input::Spawned`].
    Spawn {
        /// Which process.
        process: ProcessId,
    },
    /// Run a command beside a process, or queue it where too many of its kind run; answer with
    /// [`Input::TaskEnded`] when it has ended.
    RunTask {
        /// A probe, a hook or an exec with an id of its own.
        child: ChildId,
        /// What to run.
        task: Task,
    },
    /// Probe a socket or an HTTP server; answer with [`Input::Probed`] when there is an outcome or the time is up,
    /// unless [`Effect::CancelTask`] cancels it.
    Probe {
        /// An id of its own, among those of tasks.
        probe: TaskId,
        /// What to probe; never a command, which is a task.
        target: Probe,
        /// How long it may take.
        timeout: Duration,
    },
    /// See whether a file exists; answer with [`Input::Probed`], as for [`Effect::Probe`].
    CheckFile {
        /// An id of its own, among those of tasks.
        probe: TaskId,
        /// Which file.
        path: PathBuf,
        /// How long it may take.
        timeout: Duration,
    },
    /// Kill the process group of a task, drop it from the queue, or end a probe, which then has no outcome. The end of
    /// a task is reported as [`TaskEnd::Cancelled`]; what has ended is ignored.
    CancelTask {
        /// As in [`Effect::RunTask`].
        child: ChildId,
    },
    /// See whether the command could be started; answer with [`Input::Checked`].
    Check {
        /// Which process.
        process: ProcessId,
    },
    /// Send a signal; answer with [`Input::Sent`].
    Kill {
        /// Which process.
        process: ProcessId,
        /// Its pid.
        pid: Pid,
        /// What to send.
        signal: Signal,
        /// How far it reaches.
        target: KillTarget,
    },
    /// Find the remaining members of these groups; answer with [`Input::MembersFound`].
    FindMembers {
        /// In any order.
        groups: Vec<LeaderlessGroup>,
    },
    /// Send a signal to the remaining members of a group, if it is still the same.
    KillMembers {
        /// Which group.
        group: LeaderlessGroup,
        /// What to send.
        signal: Signal,
    },
    /// Forget the group of this process.
    ForgetMembers {
        /// Which process.
        process: ProcessId,
    },
    /// Find the processes that we have adopted since a program was started; answer with [`Input::OrphansFound`].
    LookForOrphans {
        /// Which program.
        process: ProcessId,
        /// Its pid, which is dead.
        leader: Pid,
        /// How long ago it was started.
        age: Duration,
    },
    /// Answer a command.
    Reply {
        /// Whose.
        ticket: Ticket,
        /// The answer.
        result: Result<Reply, Fault>,
    },
    /// Read the configuration again; answer with [`Input::SettingsRead`]. What is read for a
    /// restart is kept for [`Effect::AllStopped`].
    ReadSettings {
        /// Returned with the answer.
        purpose: ReadFor,
    },
    /// Read from a log; answer with [`Input::LogRead`].
    ReadLog {
        /// Returned with the answer.
        ticket: Ticket,
        /// Whose log; `None` is the supervisor's own.
        of: Option<(ProcessId, Channel)>,
        /// Which bytes.
        range: LogRange,
    },
    /// Empty the supervisor's own log; answer with [`Input::LogRead`].
    ClearLog {
        /// Returned with the answer.
        ticket: Ticket,
    },
    /// Empty both logs of a process; answer with [`Input::LogsCleared`].
    ClearLogs {
        /// Whose.
        process: ProcessId,
    },
    /// Write to the standard input of a process that has a pid, now or once it reads; answer with
    /// [`Input::StdinTaken`].
    WriteStdin {
        /// Whose.
        process: ProcessId,
        /// What.
        text: String,
    },
    /// Write an event to the standard input of a listener, now or once it reads; answer with
    /// [`Input::EventSent`].
    SendEvent {
        /// To whom.
        process: ProcessId,
        /// Returned with the answer.
        serial: u64,
        /// Header and payload.
        bytes: Vec<u8>,
    },
    /// Write lines to our standard output or standard error, where they may be dropped if nothing reads them.
    Print {
        /// Which of the two.
        channel: Channel,
        /// Whole lines.
        bytes: Vec<u8>,
    },
    /// Make the AUTO logs of a process; answer with [`Input::AutoLogsMade`].
    MakeAutoLogs {
        /// Which process.
        process: ProcessId,
    },
    /// Apply the log limits of the current specification to the process, if it is alive.
    ApplyLogLimits {
        /// Whose.
        process: ProcessId,
    },
    /// Change these attributes of a process that runs to what its current specification says. What fails is logged.
    ApplyLimits {
        /// Whose.
        process: ProcessId,
        /// Its pid.
        pid: Pid,
        /// Those that were changed.
        options: Vec<LimitOption>,
    },
    /// Measure the memory of a process and its descendants, which may take some turns; answer with
    /// [`Input::MemoryMeasured`]. One that waits already is not begun again.
    MeasureMemory {
        /// Whose.
        process: ProcessId,
        /// Its pid.
        pid: Pid,
    },
    /// See whether sockets could be made for a group; answer with [`Input::SocketsTried`].
    TrySockets {
        /// Returned with the answer.
        ticket: Ticket,
        /// Returned with the answer.
        group: String,
        /// Those that its processes name.
        sockets: Vec<Arc<SocketSpec>>,
    },
    /// Free everything that is kept for this process alone: it no longer exists.
    Forget {
        /// Which process.
        process: ProcessId,
    },
    /// Close and open again all log files.
    ReopenLogs,
    /// A line for the activity log.
    Log {
        /// Its level.
        level: LogLevel,
        /// Without a line end.
        text: String,
    },
    /// The last process is gone, as requested.
    AllStopped(AfterStop),
}

/// Effects in the order in which the shell performs them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Effects {
    /// All of them.
    pub all: Vec<Effect>,
    /// The event types that any pool subscribes to; no other events are created.
    pub(super) asked_for: EventTypes,
    /// Lines of lower levels are not made; `None` if all are logged.
    pub(super) log_level: Option<LogLevel>,
    /// Events that have not been given to pools yet.
    pub(super) news: Vec<Event>,
    /// What is to be recorded in the histories and the event log.
    pub(super) unrecorded: Vec<Unrecorded>,
    /// The sender of the command that is being handled, for the history.
    pub(super) requester: Option<Principal>,
    /// The same of an operation that has continued: what follows from its effects is at the request of its sender.
    pub(super) requester_of_effects: Option<Principal>,
    /// Processes that ended by themselves and for which `on_exit` or `on_fatal` has not been applied yet.
    pub(super) ended: Vec<ProcessId>,
    /// Processes that a change of another process may affect, in the order of the changes.
    pub(super) to_look_at: VecDeque<ProcessId>,
    /// Processes that have just lost a condition that they are bound to.
    pub(super) to_unbind: Vec<ProcessId>,
    /// Whether there may be nothing left to do.
    pub(super) may_be_idle: bool,
    /// Whether to look for members of groups whose leaders are dead.
    pub(super) look_for_members: bool,
    /// Those of the supervisor while an input is handled.
    pub(super) tasks: OpenTasks,
}

impl Effects {
    pub(super) fn push(&mut self, effect: Effect) {
        self.all.push(effect);
    }

    /// Makes room for one effect and one transition of so many processes: growing step by step would touch as much
    /// memory again.
    pub(super) fn reserve(&mut self, processes: usize) {
        self.all.reserve(processes);
        self.unrecorded.reserve(processes);
    }

    pub(super) fn log(&mut self, level: LogLevel, text: impl Into<String>) {
        self.log_made(level, || text.into());
    }

    /// A line of a level that is rarely logged.
    pub(super) fn debug(&mut self, text: impl FnOnce() -> String) {
        self.log_made(LogLevel::Debug, text);
    }

    /// The text is made only if the line is logged.
    fn log_made(&mut self, level: LogLevel, text: impl FnOnce() -> String) {
        if self.log_level.is_none_or(|lowest| level >= lowest) {
            self.push(Effect::Log { level, text: text() });
        }
    }

    pub(super) fn reply(&mut self, ticket: Ticket, result: Result<Reply, Fault>) {
        self.push(Effect::Reply { ticket, result });
    }
}
