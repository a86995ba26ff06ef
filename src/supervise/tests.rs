//! Stories of supervision, told without a clock and without a fork.
//!
//! A [`Story`] plays the shell: spawns succeed with pids 101, 102, …, signals arrive, commands
//! can be found, unless a test says otherwise. What the supervisor did is told by its log lines,
//! the effects in between written as `!spawn web`, `!kill web SIGTERM`, `!reply 1 …`.

mod autostart;
mod background;
mod bounded;
mod commands;
mod configuration;
mod dependencies;
mod ending;
mod health;
mod history;
mod hooks;
mod information;
mod lifecycle;
mod listeners;
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

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::*;

pub(super) fn spec(name: &str) -> ProcessSpec {
    ProcessSpec {
        name: name.to_owned(),
        group: name.to_owned(),
        program: name.to_owned(),
        command: "/bin/true".to_owned(),
        ..ProcessSpec::default()
    }
}

/// Any client.
pub(super) fn client() -> Principal {
    Principal::Client { server: "unix_http_server".to_owned(), uid: Some(0), username: None }
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
    let owned = processes.into_iter().map(|it| ProcessSpec { group: name.to_owned(), ..it }.into());
    GroupSpec { name: name.to_owned(), priority: 999, kind: GroupKind::Group, processes: owned.collect() }
}

struct Story {
    supervisor: Supervisor,
    now: Now,
    pids: i32,
    told: Vec<String>,
    /// Whether debug lines are told too.
    verbose: bool,
    spawn_errors: VecDeque<&'static str>,
    /// Whether the next starts fail because the machine is short of something.
    is_short: bool,
    /// What was adopted.
    orphans: Vec<Orphan>,
    /// Probes that are under way, commands among them.
    probes: Vec<TaskId>,
    /// Hooks that run, with their processes and names.
    hooks: Vec<(TaskId, ProcessId, String)>,
    /// Processes whose `pre_stop` has begun, before their stop signal.
    pre_stops: BTreeSet<ProcessId>,
    send_error: Option<SendError>,
    check_fault: Option<Fault>,
    broken_settings: Option<&'static str>,
    socket_error: Option<&'static str>,
    event_error: Option<StdinError>,
    /// What the configuration file holds by now.
    next_groups: Vec<GroupSpec>,
    tickets: u64,
    /// What the kernel would know of, by group and name.
    alive: BTreeMap<ProcessId, (String, String)>,
    /// The pids that these have.
    pids_in_use: BTreeMap<ProcessId, Pid>,
    /// Who is left of every group whose leader is dead.
    members: Members,
    /// Whose groups were looked at.
    looks: u32,
    /// By how much the wall clock was set.
    clock_step_ms: i64,
    /// With `Some`, every so often the supervisor is replaced by what its serialized state gives. Counts inputs.
    round_trips: Option<u32>,
}

/// Every so many inputs of a story with round trips.
const ROUND_TRIP_EVERY: u32 = 25;

/// What a value becomes when it is written and read again.
fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

impl Story {
    fn of(groups: Vec<GroupSpec>) -> Self {
        let identity = Identity { identifier: "supervisor".to_owned(), pid: 1 };
        let supervisor = Supervisor::new(identity, groups);
        Self {
            supervisor,
            now: Now::default(),
            pids: 100,
            told: Vec::new(),
            verbose: false,
            spawn_errors: VecDeque::new(),
            is_short: false,
            orphans: Vec::new(),
            probes: Vec::new(),
            hooks: Vec::new(),
            pre_stops: BTreeSet::new(),
            send_error: None,
            check_fault: None,
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

    fn begun(mut self) -> Self {
        self.input(Input::Begin);
        self
    }

    /// Begun, and past every `startsecs`; what was told so far is forgotten.
    fn running(self) -> Self {
        let mut story = self.begun();
        story.pass(2.0);
        story.told.clear();
        story
    }

    fn input(&mut self, input: Input) {
        let mut effects = VecDeque::from(self.handle(input));
        while let Some(effect) = effects.pop_front() {
            if let Some(answer) = self.carry_out(effect) {
                effects.extend(self.handle(answer));
            }
        }
    }

    fn handle(&mut self, input: Input) -> Vec<Effect> {
        let effects = self.decide(input);
        for effect in &effects {
            self.check_stop_order(effect);
            if let Effect::KillMembers { leader, .. } = effect {
                assert!(!self.pids_in_use.values().any(|pid| pid == leader), "{leader} is another's by now");
            }
        }
        effects
    }

    /// What others depend on is asked to stop after them, unless nothing waits any more.
    fn check_stop_order(&mut self, effect: &Effect) {
        let stopped = match effect {
            Effect::Kill { process, signal: Signal::TERM, .. } => {
                // What began with `pre_stop` was looked at then.
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
            assert!(!is_early, "{process:?} stops before its dependents: {:?}", self.told);
        }
    }

    /// A supervisor that was written and read again decides the same, and goes on from there.
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
            assert!(wakes < 1_000, "a busy loop: {:?}", self.told);
        }
        self.at(end);
    }

    /// What is due at once, as the shell does at the end of each turn.
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

    fn ends(&mut self, name: &str, status: ExitStatus) {
        self.end(self.id(name), status);
    }

    fn end(&mut self, process: ProcessId, status: ExitStatus) {
        self.alive.remove(&process);
        self.pre_stops.remove(&process);
        self.pids_in_use.remove(&process);
        self.input(Input::Ended { process, status });
        self.finish_turn();
    }

    fn exits(&mut self, name: &str, code: u8) {
        self.ends(name, ExitStatus::Exited(code));
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

    /// What was told since the last time.
    #[track_caller]
    fn tells(&mut self, expected: &[&str]) {
        assert_eq!(std::mem::take(&mut self.told), expected);
    }
}

const KILLED: ExitStatus = ExitStatus::Signaled { signal: Signal::KILL, core_dumped: false };
const SUCCESS_LINE: &str =
    "INFO success: web entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)";

/// What is configured by now, as a reread would find it.
fn configure(story: &mut Story, groups: Vec<GroupSpec>) {
    story.next_groups = groups;
    story.ask(Command::ReloadConfig);
    story.told.clear();
}

fn update(story: &mut Story, name: &str) {
    story.ask(Command::UpdateProcessGroup(name.to_owned()));
}

fn end_of(rules: Rules, groups: Vec<GroupSpec>) -> Story {
    let mut story = Story::of(groups);
    story.supervisor = story.supervisor.under(rules);
    story
}

const IDLE_ENDS: fn() -> Rules = || Rules { on_idle: OnIdle::Exit, ..Rules::default() };

fn hint(story: &Story) -> Option<String> {
    let turn = Turn { now: story.now, restarts_allowed: true, random: 0 };
    story.supervisor.processes.get(story.id("web")).unwrap().info(&turn).hint
}

fn three_levels() -> Story {
    Story::of(vec![
        alone(1, spec("db")),
        alone(5, spec("app")),
        alone(5, spec("worker")),
        alone(9, spec("web")),
    ])
    .running()
}
