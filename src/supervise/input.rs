//! The inputs that the shell passes to the core.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Members, NotSpawned, Orphan, ProbeFailure, SendOutcome, StdinError, TaskEnd};
use crate::events::OutputKind;
use crate::model::{
    Channel, ChildId, Command, ExitStatus, Fault, GroupSpec, LogLevel, Notification, Now, Pid, Principal,
    ProcessId, Reply, Signal, TaskId, Ticket,
};

#[cfg(doc)]
use super::{Effect, Supervisor};

/// Something that happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Input {
    /// The shell is ready: programs with `autostart` may start.
    Begin,
    /// Lines of lower levels are not logged from now on.
    LogLevel {
        /// The lowest level that is.
        level: LogLevel,
    },
    /// A signal was sent to the supervisor itself.
    Signal {
        /// Who sent it.
        principal: Principal,
        /// Which signal.
        signal: Signal,
    },
    /// A client or a page asks for something.
    Command {
        /// Who asks. The shell has authorised it.
        principal: Principal,
        /// What the reply will carry.
        ticket: Ticket,
        /// What is asked.
        command: Command,
    },
    /// The client of a request no longer waits for it. A rolling restart ends early and is answered; all
    /// other requests are completed.
    Cancelled {
        /// As in [`Input::Command`].
        ticket: Ticket,
    },
    /// The outcome of [`Effect::Spawn`].
    Spawned {
        /// Which process.
        process: ProcessId,
        /// When that was known. Spawns may take long on a machine that is overloaded, so the time of the turn can be
        /// much earlier.
        at: Now,
        /// The process, or why there is none.
        outcome: Result<SpawnedProcess, NotSpawned>,
    },
    /// A process was seen to have entered its cgroup, at the latest before [`Input::Ended`]. With `cgroup=required`
    /// that is known from [`Input::Spawned`].
    CgroupEntered {
        /// Which process.
        process: ProcessId,
        /// Of the run that has entered it.
        pid: Pid,
    },
    /// The outcome of [`Effect::Check`].
    Checked {
        /// Which process.
        process: ProcessId,
        /// The fault that a start request is answered with (NO_FILE, NOT_EXECUTABLE).
        outcome: Result<(), Fault>,
    },
    /// The outcome of [`Effect::Kill`].
    Sent {
        /// Which process.
        process: ProcessId,
        /// What was sent.
        signal: Signal,
        /// Whether it could be.
        outcome: SendOutcome,
    },
    /// A supervised process was reaped; what it had written was read before.
    Ended {
        /// Which process.
        process: ProcessId,
        /// How it ended.
        status: ExitStatus,
        /// Whether the OOM killer has killed something of its cgroup or, if it has none of its own, of the container.
        has_oom_kill: bool,
    },
    /// A child was reaped that could not execute its program because the machine is short of resources, or as one of
    /// its limits could not be applied.
    NotExecuted {
        /// Which process.
        process: ProcessId,
        /// How the child ended.
        status: ExitStatus,
        /// What it was short of, or which option failed.
        failure: NotSpawned,
    },
    /// A child could not become its program, in another way than those of [`Input::NotExecuted`]. Its end follows.
    StepFailed {
        /// Which process.
        process: ProcessId,
        /// Which step failed, and why.
        failure: String,
    },
    /// The outcome of [`Effect::MeasureMemory`].
    MemoryMeasured {
        /// Which process.
        process: ProcessId,
        /// Of the run that was measured.
        pid: Pid,
        /// Of the process and its descendants; `None` if that is not known.
        bytes: Option<u64>,
    },
    /// A process that we did not start was reaped: an orphan.
    OrphanEnded {
        /// Which process.
        pid: Pid,
        /// How it ended.
        status: ExitStatus,
    },
    /// The outcome of [`Effect::LookForOrphans`].
    OrphansFound {
        /// As asked.
        process: ProcessId,
        /// As asked.
        leader: Pid,
        /// Those that are younger and live.
        orphans: Vec<Orphan>,
    },
    /// The outcome of [`Effect::ReadSettings`].
    SettingsRead {
        /// As asked.
        purpose: ReadFor,
        /// The groups that are configured now, for a reread. `Err` lists the errors, one line for
        /// each.
        outcome: Result<Vec<GroupSpec>, String>,
    },
    /// The outcome of [`Effect::ReadLog`].
    LogRead {
        /// Who asked.
        ticket: Ticket,
        /// Its answer.
        outcome: Result<Reply, Fault>,
    },
    /// The outcome of [`Effect::ClearLogs`].
    LogsCleared {
        /// Whose.
        process: ProcessId,
        /// Whether they could be.
        cleared: bool,
    },
    /// The outcome of [`Effect::WriteStdin`].
    StdinTaken {
        /// Whose.
        process: ProcessId,
        /// Whether it was taken, all of it or nothing.
        outcome: Result<(), StdinError>,
    },
    /// The outcome of [`Effect::MakeAutoLogs`].
    AutoLogsMade {
        /// Which process.
        process: ProcessId,
        /// The file for its standard output, if it has one.
        stdout: Option<PathBuf>,
        /// The file for its standard error, if it has one.
        stderr: Option<PathBuf>,
    },
    /// The outcome of [`Effect::TrySockets`].
    SocketsTried {
        /// Who asked.
        ticket: Ticket,
        /// For which group.
        group: String,
        /// What is wrong, a line for each socket.
        outcome: Result<(), String>,
    },
    /// A listener has written to its standard output.
    ListenerSaid {
        /// Which one.
        process: ProcessId,
        /// What.
        bytes: Vec<u8>,
    },
    /// The outcome of [`Effect::SendEvent`].
    EventSent {
        /// To whom.
        process: ProcessId,
        /// As asked.
        serial: u64,
        /// Whether it was taken, all of it or nothing.
        outcome: Result<(), StdinError>,
    },
    /// A process has written something that listeners have subscribed to ([`Supervisor::asks_for`]).
    Wrote {
        /// Which one.
        process: ProcessId,
        /// Its pid, also when it is dead and others write to its pipes.
        pid: Pid,
        /// Where.
        channel: Channel,
        /// For whom.
        kind: OutputKind,
        /// What.
        data: Vec<u8>,
    },
    /// The outcome of [`Effect::FindMembers`].
    MembersFound(Vec<(ProcessId, Members)>),
    /// The outcome of [`Effect::RunTask`], which comes when the task has ended. One that the core does not know
    /// was started before a restart and is ignored.
    TaskEnded {
        /// As in the effect.
        child: ChildId,
        /// How it ended, or why it did not run.
        end: TaskEnd,
        /// The last bytes that a probe or an exec wrote, standard output and standard error together.
        output: Vec<u8>,
    },
    /// One of the checks of `ready` that are not probed holds: the program has reported or written it.
    ReadyReported {
        /// Which process.
        process: ProcessId,
        /// Of the run that it holds for.
        pid: Pid,
        /// Its place among the checks of the process.
        check: usize,
    },
    /// The outcome of [`Effect::Probe`] or [`Effect::CheckFile`]. A probe that the core does not know was cancelled.
    Probed {
        /// As in the effect.
        probe: TaskId,
        /// Why it has failed.
        outcome: Result<(), ProbeFailure>,
    },
    /// A process reports about itself by systemd's notify protocol. The report is from its current run.
    Notified {
        /// Which process.
        process: ProcessId,
        /// In the order in which they were written.
        notifications: Vec<Notification>,
    },
    /// The deadline may have passed.
    TimePassed,
}

/// A process that was spawned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnedProcess {
    /// Its pid.
    pub pid: Pid,
    /// Whether it runs only if it enters a cgroup of its own. One that may also run without reports it later
    /// ([`Input::CgroupEntered`]).
    pub is_in_cgroup: bool,
}

/// Why the configuration is read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadFor {
    /// To restart with it; without a ticket a signal requested it.
    Restart(Option<Ticket>),
    /// To report what changed.
    Reread(Ticket),
    /// To apply it.
    Update {
        /// Who asked.
        ticket: Ticket,
        /// `None` is all groups.
        group: Option<String>,
    },
    /// To report what an update would do.
    Diff(Ticket),
    /// To give a program another number of processes. The outcome is its group twice: with the present numbers and with
    /// the other one.
    Scale {
        /// Who asked.
        ticket: Ticket,
        /// The program.
        program: String,
        /// How many processes it is to have.
        processes: u32,
        /// The numbers of programs that are scaled now.
        present: BTreeMap<String, u32>,
    },
}
