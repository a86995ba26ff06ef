//! Scenarios of supervision, run without a clock and without a fork.
//!
//! A [`Scenario`] plays the shell: spawns succeed with pids 101, 102, …, signals arrive, commands
//! can be found, unless a test says otherwise. Its log holds the log lines of the supervisor and
//! the effects between them, written as `!spawn web`, `!kill web SIGTERM`, `!reply 1 …`.

mod autostart;
mod background;
mod bounded;
mod commands;
mod configuration;
mod configured;
mod dependencies;
mod ending;
mod health;
mod history;
mod hooks;
mod information;
mod lifecycle;
mod listeners;
mod memory;
mod notifications;
mod operations;
mod random;
mod random_dependencies;
mod readiness;
mod restarts;
mod schedules;
mod shell;
mod shortage;
mod shutdown;
mod streams;
mod update;
mod updates;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::*;

pub(super) fn spec(name: &str) -> ProcessSpec {
    ProcessSpec {
        name: name.into(),
        group: name.into(),
        program: name.into(),
        command: "/bin/true".to_owned(),
        ..ProcessSpec::default()
    }
}

/// Any client.
pub(super) fn client() -> Principal {
    let (server, grant) = ("unix_http_server".to_owned(), Grant::default());
    Principal::Client { server, uid: Some(0), username: None, grant }
}

fn alone(priority: i64, process: ProcessSpec) -> GroupSpec {
    GroupSpec {
        name: process.group.clone(),
        priority,
        kind: GroupKind::Program,
        processes: vec![process.into()],
    }
}

fn group(name: &str, processes: impl IntoIterator<Item = ProcessSpec>) -> GroupSpec {
    let owned = processes.into_iter().map(|it| ProcessSpec { group: name.into(), ..it }.into());
    GroupSpec { name: name.into(), priority: 999, kind: GroupKind::Group, processes: owned.collect() }
}

struct Scenario {
    supervisor: Supervisor,
    now: Now,
    pids: i32,
    log: Vec<String>,
    /// Whether debug lines are recorded too.
    verbose: bool,
    spawn_errors: VecDeque<&'static str>,
    spawn_takes: Duration,
    /// Whether programs run only in cgroups of their own.
    enters_cgroups: bool,
    /// Whether the next starts fail because the machine is short of resources.
    is_short: bool,
    /// What the next measurements find.
    memory_bytes: Option<u64>,
    /// The orphans that the shell reports as adopted.
    orphans: Vec<Orphan>,
    /// Probes that are under way, including commands.
    probes: Vec<TaskId>,
    /// Hooks that run, with their processes and names.
    hooks: Vec<(TaskId, ProcessId, String)>,
    /// SV_RESTARTS of the hook that was run last.
    hook_restarts: String,
    /// Processes whose `pre_stop` has begun, before their stop signal.
    pre_stops: BTreeSet<ProcessId>,
    send_error: Option<SendError>,
    /// Processes to which a signal could not be sent.
    unknown: BTreeSet<ProcessId>,
    check_fault: Option<Fault>,
    /// The only process that has it, if there is one.
    check_fault_of: Option<&'static str>,
    broken_settings: Option<&'static str>,
    socket_error: Option<&'static str>,
    event_error: Option<StdinError>,
    /// The current content of the configuration file.
    next_groups: Vec<GroupSpec>,
    tickets: u64,
    /// Processes that are alive, by group and name.
    alive: BTreeMap<ProcessId, (Name, Name)>,
    /// Their pids.
    pids_in_use: BTreeMap<ProcessId, Pid>,
    /// The remaining members of every group whose leader is dead.
    members: Members,
    /// How often groups were searched for members.
    looks: u32,
    /// By how much the wall clock was set.
    clock_step_ms: i64,
    /// Counts inputs. With `Some`, the supervisor is regularly replaced by its serialized and restored state.
    round_trips: Option<u32>,
}

/// Inputs between two round trips.
const ROUND_TRIP_EVERY: u32 = 25;

/// Serializes a value and restores it.
fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

impl Scenario {
    fn of(groups: Vec<GroupSpec>) -> Self {
        let identity = Identity { identifier: "supervisor".to_owned(), pid: 1 };
        let supervisor = Supervisor::new(identity, groups);
        Self {
            supervisor,
            now: Now::default(),
            pids: 100,
            log: Vec::new(),
            verbose: false,
            spawn_errors: VecDeque::new(),
            spawn_takes: Duration::ZERO,
            enters_cgroups: false,
            is_short: false,
            memory_bytes: None,
            orphans: Vec::new(),
            probes: Vec::new(),
            hooks: Vec::new(),
            hook_restarts: String::new(),
            pre_stops: BTreeSet::new(),
            send_error: None,
            unknown: BTreeSet::new(),
            check_fault: None,
            check_fault_of: None,
            broken_settings: None,
            socket_error: None,
            event_error: None,
            next_groups: Vec::new(),
            tickets: 0,
            alive: BTreeMap::new(),
            pids_in_use: BTreeMap::new(),
            members: Members::None,
            looks: 0,
            clock_step_ms: 0,
            round_trips: None,
        }
    }

    fn one(change: impl FnOnce(&mut ProcessSpec)) -> Self {
        let mut web = spec("web");
        change(&mut web);
        Self::of(vec![alone(999, web)])
    }

    fn begin(mut self) -> Self {
        self.input(Input::Begin);
        self
    }

    /// Begins, passes every `startsecs`, and clears the log.
    fn running(self) -> Self {
        let mut scenario = self.begin();
        scenario.pass(2.0);
        scenario.log.clear();
        scenario
    }

    fn input(&mut self, input: Input) {
        let mut effects = VecDeque::from(self.handle(input));
        while let Some(effect) = effects.pop_front() {
            if let Some(answer) = self.perform(effect) {
                effects.extend(self.handle(answer));
            }
        }
    }

    fn handle(&mut self, input: Input) -> Vec<Effect> {
        let effects = self.decide(input);
        for effect in &effects {
            self.check_stop_order(effect);
            if let Effect::KillMembers { group: LeaderlessGroup { leader, target, .. }, .. } = effect
                && *target == KillTarget::Group
            {
                assert!(!self.pids_in_use.values().any(|pid| pid == leader), "{leader} is another's by now");
            }
        }
        effects
    }

    /// Asserts that a process is asked to stop only after its dependents, unless a hurried shutdown ignores the order.
    fn check_stop_order(&mut self, effect: &Effect) {
        let stopped = match effect {
            Effect::Kill { process, signal: Signal::TERM, .. } => {
                // A stop that began with `pre_stop` was checked then.
                (!self.pre_stops.remove(process)).then_some(process)
            }
            Effect::RunTask { task: Task { process, environment, .. }, .. } => {
                let is_pre_stop = environment.contains(&("SV_HOOK".to_owned(), "pre_stop".to_owned()));
                (is_pre_stop && self.pre_stops.insert(*process)).then_some(process)
            }
            _ => None,
        };
        if let Some(process) = stopped.filter(|_| !self.supervisor.is_hurried()) {
            let is_early = self.supervisor.conditions.has_dependents_going_down(*process);
            assert!(!is_early, "{process:?} stops before its dependents: {:?}", self.log);
        }
    }

    /// Asserts now and then that a restored supervisor makes the same decisions, and continues with it.
    fn decide(&mut self, input: Input) -> Vec<Effect> {
        let Some(inputs) = &mut self.round_trips else {
            return self.supervisor.handle(self.now, input).all;
        };
        *inputs += 1;
        if *inputs % ROUND_TRIP_EVERY != 0 {
            return self.supervisor.handle(self.now, input).all;
        }
        let mut restored = round_trip(&self.supervisor);
        let decided = self.supervisor.handle(self.now, round_trip(&input)).all;
        assert_eq!(restored.handle(self.now, input).all, decided);
        assert_eq!(round_trip(&decided), decided);
        assert_eq!(restored.deadline(), self.supervisor.deadline());
        self.supervisor = restored;
        decided
    }

    /// Lets time pass as the shell would: from deadline to deadline.
    fn pass(&mut self, secs: f64) {
        let end = self.now.mono.after(Duration::from_secs_f64(secs));
        let mut wakes = 0;
        while let Some(at) = self.supervisor.deadline().filter(|at| *at <= end) {
            self.at(at.max(self.now.mono));
            self.input(Input::TimePassed);
            wakes += 1;
            assert!(wakes < 1_000, "a busy loop: {:?}", self.log);
        }
        self.at(end);
    }

    /// Handles what is due at once, as the shell does at the end of each turn.
    fn finish_turn(&mut self) {
        if self.supervisor.look_deadline().is_some_and(|at| at <= self.now.mono) {
            self.input(Input::TimePassed);
        }
    }

    fn at(&mut self, mono: Mono) {
        let unix_ms = 1_795_190_400_000 + self.clock_step_ms + i64::try_from(mono.0.as_millis()).unwrap();
        self.now = Now { mono, wall: Wall { unix_ms, utc_offset_secs: 0 } };
    }

    fn id(&self, name: &str) -> ProcessId {
        let known = self.supervisor.processes.iter().find(|it| it.spec.name == name);
        known.map(|it| it.id).unwrap()
    }

    fn end(&mut self, name: &str, status: ExitStatus) {
        self.end_id(self.id(name), status);
    }

    fn end_id(&mut self, process: ProcessId, status: ExitStatus) {
        self.alive.remove(&process);
        self.pre_stops.remove(&process);
        self.pids_in_use.remove(&process);
        self.input(Input::Ended { process, status, has_oom_kill: false });
        self.finish_turn();
    }

    fn exit(&mut self, name: &str, code: u8) {
        self.end(name, ExitStatus::Exited(code));
    }

    fn signal(&mut self, signal: Signal) {
        self.input(Input::Signal { principal: Principal::Signal, signal });
    }

    fn ask(&mut self, command: Command) {
        self.tickets += 1;
        self.input(Input::Command { principal: client(), ticket: Ticket(self.tickets), command });
    }

    fn start(&mut self, name: &str, wait: Wait) {
        self.ask(Command::StartProcess(Namespec::split(name), wait));
    }

    fn stop(&mut self, name: &str, wait: Wait) {
        self.ask(Command::StopProcess(Namespec::split(name), wait));
    }

    fn state(&self, name: &str) -> ProcessState {
        self.supervisor.process(self.id(name)).unwrap().state()
    }

    /// Asserts what was logged since the last call, and clears the log.
    #[track_caller]
    fn expect_log(&mut self, expected: &[&str]) {
        assert_eq!(std::mem::take(&mut self.log), expected);
    }
}

const KILLED: ExitStatus = ExitStatus::Signaled { signal: Signal::KILL, core_dumped: false };
const SUCCESS_LINE: &str =
    "INFO success: web entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)";

/// Changes the configuration and rereads it.
fn configure(scenario: &mut Scenario, groups: Vec<GroupSpec>) {
    scenario.next_groups = groups;
    scenario.ask(Command::ReloadConfig);
    scenario.log.clear();
}

fn update(scenario: &mut Scenario, name: &str) {
    scenario.ask(Command::UpdateProcessGroup(name.to_owned()));
}

fn end_of(rules: Rules, groups: Vec<GroupSpec>) -> Scenario {
    let mut scenario = Scenario::of(groups);
    scenario.supervisor = scenario.supervisor.under(rules);
    scenario
}

const IDLE_ENDS: fn() -> Rules = || Rules { on_idle: OnIdle::Exit, ..Rules::default() };

fn hint(scenario: &Scenario) -> Option<String> {
    let turn = Turn { now: scenario.now, restarts_allowed: true, random: 0 };
    scenario.supervisor.processes.get(scenario.id("web")).unwrap().info(&turn).hint
}

fn three_levels() -> Scenario {
    Scenario::of(vec![
        alone(1, spec("db")),
        alone(5, spec("app")),
        alone(5, spec("worker")),
        alone(9, spec("web")),
    ])
    .running()
}
