//! The rules of supervision: inputs in, effects out.
//!
//! [`Supervisor::handle`] takes the time of the turn and one [`Input`], and returns
//! [`Effect`]s for the shell to perform in order. It reads no clock, no descriptor, no
//! environment and no global state, so years of uptime are tested in milliseconds and a recorded list
//! of inputs replays any incident.
//!
//! Invariants:
//!
//! * Every effect whose documentation names an input is answered by exactly one such input, before
//!   any other is given.
//! * Every command is answered by exactly one `Reply` effect, if only when the supervisor ends.
//! * With no deadline ([`Supervisor::deadline`] is `None`) nothing will happen until something
//!   comes in from outside: the shell may sleep indefinitely.
//! * A process id is never used twice, not even by the supervisor that takes over after a restart.
//! * Inputs, effects and the whole state can be serialized, and [`Supervisor::handle`] is the only place that
//!   inputs enter and effects leave. A supervisor restored from its serialized state makes the same decisions.

mod autostart;
mod background;
mod commands;
mod conditions;
mod describe;
mod desired;
mod difference;
mod effect;
mod ending;
mod gates;
mod groups;
mod health;
mod history;
mod hook_runs;
mod hooks;
mod input;
mod life;
mod logs;
mod members;
mod memory;
mod not_spawned;
mod notifications;
mod operations;
mod pools;
mod preview;
mod probing;
mod process;
mod processes;
mod readiness;
mod remarks;
mod restart;
mod scaling;
mod schedule;
mod shortage;
mod shutdown;
mod signals;
mod snapshot;
mod stdin;
mod stop_order;
mod stopping;
mod task;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::events::{Event, Ticks};
use crate::model::{
    EventType, EventTypes, GroupSpec, LogLevel, LogTarget, LoggedEventKind, Mono, Namespec, Now, Pid,
    Principal, ProcessId, ProcessSpec, Rules, SupervisorState,
};

pub use background::Orphan;
pub use effect::{Effect, Effects};
pub use ending::{Ending, Failed};
pub use history::{EVENTS_KEPT, TRANSITIONS_KEPT};
pub use input::{Input, ReadFor, SpawnedProcess};
pub use members::{LeaderlessGroup, Members};
pub use not_spawned::{Blame, NotSpawned};
pub use probing::ProbeFailure;
pub use restart::RESTART_SPACING;
pub use scaling::group_of_program;
pub use shutdown::AfterStop;
pub use stdin::StdinError;
pub use stopping::{KillTarget, SendError, SendOutcome};
pub use task::{Task, TaskEnd};

use autostart::Autostarts;
use commands::Found;
use conditions::Conditions;
use groups::{Group, Groups};
use history::EventLog;
use members::NextLook;
use operations::Operations;
use process::{AutoLogs, Process};
use processes::Processes;
use restart::Randomness;
use shortage::Shortage;
use shutdown::ShutdownState;
use snapshot::SupervisorCounters;
use stop_order::StopReason;
use task::OpenTasks;

/// What holds for everything that happens while one input is handled.
pub(crate) struct Turn {
    now: Now,
    /// False while stopping: nothing starts on its own then.
    restarts_allowed: bool,
    /// A different number in each turn.
    random: u64,
}

/// The supervisor's identity, as clients see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// `identifier`
    pub identifier: String,
    /// Its own pid.
    pub pid: i32,
}

/// The whole supervisor: its groups, its state and its open requests.
#[derive(Debug, Serialize, Deserialize)]
pub struct Supervisor {
    identity: Identity,
    rules: Rules,
    shutdown_state: ShutdownState,
    /// As it was read last, active or not.
    configured: Vec<GroupSpec>,
    /// Programs that have another number of processes than configured, at a client's request.
    scaled: BTreeMap<String, u32>,
    /// In the order in which they were added.
    groups: Groups,
    processes: Processes,
    autostarts: Autostarts,
    /// When to look for members of groups whose leaders are dead.
    next_look: Option<NextLook>,
    /// The conditions that processes meet for their dependents.
    conditions: Conditions,
    /// Stops that wait for dependents to be gone.
    deferred_stops: BTreeMap<ProcessId, StopReason>,
    operations: Operations,
    shortage: Shortage,
    randomness: Randomness,
    /// Processes that programs left in the background and that were not reaped yet.
    in_background: HashMap<Pid, ProcessId>,
    /// Which of the groups have pools.
    pools: Vec<usize>,
    /// The event types that any pool subscribes to.
    asked_for: EventTypes,
    log_level: Option<LogLevel>,
    ticks: Ticks,
    tasks: OpenTasks,
    next_process: u64,
    /// The number of the next event.
    next_event: u64,
    event_log: EventLog,
    counters: SupervisorCounters,
    /// The sender of the last command, until an input that does not follow from it.
    requester: Option<Principal>,
}

impl Supervisor {
    /// A supervisor of these groups; nothing starts before [`Input::Begin`].
    #[must_use]
    pub fn new(identity: Identity, groups: Vec<GroupSpec>) -> Self {
        let mut supervisor = Self {
            identity,
            rules: Rules::default(),
            shutdown_state: ShutdownState::NotRequested,
            configured: groups.clone(),
            scaled: BTreeMap::new(),
            groups: Groups::with_capacity(groups.len()),
            processes: Processes::default(),
            autostarts: Autostarts::default(),
            next_look: None,
            conditions: Conditions::default(),
            deferred_stops: BTreeMap::new(),
            operations: Operations::default(),
            shortage: Shortage::default(),
            randomness: Randomness::default(),
            in_background: HashMap::new(),
            pools: Vec::new(),
            asked_for: EventTypes::default(),
            log_level: None,
            ticks: Ticks::default(),
            tasks: OpenTasks::default(),
            next_process: 1,
            next_event: 0,
            event_log: EventLog::default(),
            counters: SupervisorCounters::default(),
            requester: None,
        };
        for group in groups {
            supervisor.add_group(group);
        }
        supervisor.rebuild_conditions();
        supervisor
    }

    /// The same with rules of its own.
    #[must_use]
    pub fn under(self, rules: Rules) -> Self {
        Self { rules, ..self }
    }

    /// The same with a seed for everything random.
    #[must_use]
    pub fn seeded(self, seed: u64) -> Self {
        Self { randomness: Randomness::seeded(seed), ..self }
    }

    /// The supervisor that takes over after a restart. With everything stopped no request is
    /// open any more; process ids and event serials continue.
    #[must_use]
    pub fn succeed(&self, identity: Identity, groups: Vec<GroupSpec>) -> Self {
        let mut next = Self::new(identity, Vec::new());
        (next.next_process, next.next_event) = (self.next_process, self.next_event);
        next.randomness = Randomness::seeded(self.randomness.last());
        next.tasks = self.tasks.successor();
        next.event_log = self.event_log.clone();
        self.processes.iter().for_each(|gone| next.event_log.keep_names(gone));
        next.counters = self.counters.clone();
        next.configured.clone_from(&groups);
        for group in groups {
            next.add_group(group);
        }
        next.rebuild_conditions();
        next
    }

    /// The specification of a process, or `None` if there is no such process.
    #[must_use]
    pub fn spec(&self, process: ProcessId) -> Option<&ProcessSpec> {
        self.process(process).map(|process| &*process.spec)
    }

    /// Whether we have sent SIGKILL to a process in its present run.
    #[must_use]
    pub fn is_killed_by_us(&self, process: ProcessId) -> bool {
        self.process(process).is_some_and(|process| process.is_killed_by_us)
    }

    /// The specifications of all processes.
    pub fn specs(&self) -> impl Iterator<Item = &ProcessSpec> {
        self.processes.iter().map(|process| &*process.spec)
    }

    /// How many processes there have been so far: changes whenever one is added.
    #[must_use]
    pub fn processes_made(&self) -> u64 {
        self.next_process
    }

    /// Where the streams of a process go, AUTO logs by their names.
    #[must_use]
    pub fn log_targets(&self, process: ProcessId) -> Option<[LogTarget; 2]> {
        self.process(process).map(Process::log_targets)
    }

    /// The process of this name; `None` also for a whole group.
    #[must_use]
    pub fn find_process(&self, name: &Namespec) -> Option<ProcessId> {
        match self.find(name) {
            Ok(Found::Process(process)) => Some(process),
            Ok(Found::Group(_)) | Err(_) => None,
        }
    }

    /// The supervisor's own state.
    #[must_use]
    pub fn state(&self) -> SupervisorState {
        self.shutdown_state.supervisor_state()
    }

    /// When [`Input::TimePassed`] is due; `None` while nothing is.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        let deadlines = [
            self.processes.deadline(),
            self.autostarts.deadline(),
            self.operations.deadline(),
            self.ticks.deadline(),
            self.pools_deadline(),
            self.look_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Handles one input and returns what the shell has to do.
    #[must_use]
    pub fn handle(&mut self, now: Now, input: Input) -> Effects {
        let tasks = std::mem::take(&mut self.tasks);
        let requester = self.take_requester(&input);
        let mut out = Effects {
            asked_for: self.asked_for,
            log_level: self.log_level,
            tasks,
            requester,
            ..Effects::default()
        };
        let random = self.randomness.draw();
        let turn = Turn { now, restarts_allowed: self.allows_starts(), random };
        // One start may lead to the next, all in one turn.
        if !matches!(input, Input::Spawned { .. }) {
            self.autostarts.renew_slots();
        }
        match input {
            Input::Begin => self.begin(&turn, &mut out),
            Input::LogLevel { level } => self.log_level = Some(level),
            Input::Signal { principal: _, signal } => self.signalled(&turn, signal, &mut out),
            Input::Command { principal, ticket, command } => {
                out.requester = Some(principal);
                self.command(&turn, ticket, command, &mut out)
            }
            Input::Cancelled { ticket } => self.cancelled(&turn, ticket, &mut out),
            Input::Spawned { process, at, outcome } => {
                if let Ok(spawned) = outcome {
                    self.listener_began(process);
                    self.forget_group(&turn, spawned.pid, &mut out);
                }
                let is_short = matches!(outcome, Err(NotSpawned { blame: Blame::Machine, .. }));
                self.with(process, |process| process.spawned(&turn, at, outcome, &mut out));
                if is_short {
                    self.shortage_met(process, &mut out);
                }
                self.changed(&turn, process, None, &mut out);
            }
            Input::CgroupEntered { process, pid } => {
                self.with(process, |process| process.is_in_cgroup |= process.pid() == Some(pid));
            }
            Input::Checked { process, outcome } => self.checked(&turn, process, outcome, &mut out),
            Input::Sent { process, signal, outcome } => {
                let failure = self.with(process, |process| process.sent(signal, outcome, &mut out)).flatten();
                self.sent(&turn, process, failure, &mut out);
            }
            Input::Ended { process, status, has_oom_kill } => {
                self.with(process, |process| {
                    let status = process.with_cause(status, has_oom_kill);
                    process.ended(&turn, status, &mut out);
                });
                self.stop_members_in_shutdown(&turn, process, &mut out);
                self.listener_ended(process, &mut out);
                self.changed(&turn, process, None, &mut out);
            }
            Input::MemoryMeasured { process, pid, bytes } => {
                self.with(process, |process| process.memory_measured(&turn, (pid, bytes), &mut out));
                self.changed(&turn, process, None, &mut out);
            }
            Input::NotExecuted { process, status, failure } => {
                self.with(process, |process| process.not_executed(&turn, status, failure, &mut out));
                self.shortage_met(process, &mut out);
                self.listener_ended(process, &mut out);
                self.changed(&turn, process, None, &mut out);
            }
            Input::StepFailed { process, failure } => {
                self.with(process, |process| process.step_failed(failure));
            }
            Input::OrphanEnded { pid, status } => {
                out.log(LogLevel::Info, format!("reaped unknown pid {pid} ({status})"));
                self.counters.orphans_reaped += 1;
                self.orphan_ended(&turn);
                self.look_again(pid, &turn, &mut out);
            }
            Input::OrphansFound { process, leader, orphans } => {
                self.orphans_found(process, leader, &orphans, &mut out);
            }
            Input::SettingsRead { purpose, outcome } => self.settings_read(&turn, purpose, outcome, &mut out),
            Input::LogRead { ticket, outcome } => out.reply(ticket, outcome),
            Input::LogsCleared { process, cleared } => self.logs_cleared(&turn, process, cleared, &mut out),
            Input::StdinTaken { process, outcome } => self.stdin_taken(&turn, process, outcome, &mut out),
            Input::AutoLogsMade { process, stdout, stderr } => {
                self.with(process, |process| {
                    process.auto_logs = Some(Box::new(AutoLogs { stdout, stderr }));
                });
            }
            Input::SocketsTried { ticket, group, outcome } => {
                self.sockets_tried(&turn, ticket, (&group, outcome), &mut out);
            }
            Input::ListenerSaid { process, bytes } => {
                self.listener_said(process, &bytes, &turn, &mut out);
            }
            Input::EventSent { process, serial, outcome } => {
                self.event_sent(process, serial, outcome, &mut out);
            }
            Input::Wrote { process, pid, channel, kind, data } => {
                self.wrote(process, pid, (channel, kind), data, &mut out);
            }
            Input::MembersFound(found) => self.members_found(&turn, &found, &mut out),
            Input::TaskEnded { child, end, output } => {
                self.task_ended(&turn, child, (end, &output), &mut out);
            }
            Input::ReadyReported { process, pid, check } => {
                self.ready_reported(&turn, process, (pid, check), &mut out);
            }
            Input::Probed { probe, outcome } => self.probed(&turn, probe, outcome, &mut out),
            Input::Notified { process, notifications } => {
                for notification in notifications {
                    self.with(process, |process| process.notified(&turn, notification, &mut out));
                }
                self.changed(&turn, process, None, &mut out);
            }
            Input::TimePassed => self.time_passed(&turn, &mut out),
        }
        self.settle_conditions(&turn, &mut out);
        self.judge_ends(&turn, &mut out);
        self.continue_operations(&turn, &mut out);
        // A process that has just stopped may have blocked others.
        self.settle_conditions(&turn, &mut out);
        self.deliver_events(&turn, &mut out);
        self.schedule_look(&turn, &mut out);
        self.record_events(&turn, &mut out);
        self.requester = out.requester_of_effects.take().or(out.requester.take());
        self.tasks = std::mem::take(&mut out.tasks);
        out
    }

    /// COMPAT: inside a group Supervisor ignores the processes' own priorities here.
    fn begin(&mut self, turn: &Turn, out: &mut Effects) {
        self.ask_again(out);
        out.record(LoggedEventKind::Supervisor(self.state()));
        for index in 0..self.groups.len() {
            self.publish_group_added(index, out);
        }
        out.announce(EventType::SupervisorStateChangeRunning, || Event::SupervisorRunning);
        let all = self.by_priority();
        self.introduce(turn, &all, out);
        out.may_be_idle = true;
    }

    fn time_passed(&mut self, turn: &Turn, out: &mut Effects) {
        for process in self.processes.due(turn.now.mono) {
            self.with(process, |process| process.time_passed(turn, out));
            self.changed(turn, process, None, out);
        }
        self.continue_starting(turn, out);
        self.operations_time_passed(turn, out);
        self.look_for_members(turn, out);
    }

    /// Every process by ascending priority of its group, age of its group, own priority and order of
    /// definition: the order in which they start. The groups of a configuration are added by priority and
    /// name; one that is removed and added again is the youngest.
    fn by_priority(&self) -> Vec<ProcessId> {
        let mut groups: Vec<&Group> = self.groups.iter().collect();
        groups.sort_by_cached_key(|group| group.priority);
        groups.into_iter().flat_map(|group| self.members_by_priority(group)).collect()
    }

    fn members_by_priority(&self, group: &Group) -> Vec<ProcessId> {
        let mut members = group.members.to_vec();
        self.sort_by_priority(&mut members);
        members
    }

    /// Sorted by their own priorities; processes of equal priority keep their order.
    fn sort_by_priority(&self, members: &mut [ProcessId]) {
        members.sort_by_cached_key(|id| self.process(*id).map_or(0, |process| process.spec.priority));
    }

    fn process(&self, process: ProcessId) -> Option<&Process> {
        self.processes.get(process)
    }

    fn with<T>(&mut self, process: ProcessId, act: impl FnOnce(&mut Process) -> T) -> Option<T> {
        self.processes.with(process, act)
    }
}
