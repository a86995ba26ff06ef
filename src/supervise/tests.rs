//! Stories of supervision, told without a clock and without a fork.
//!
//! A [`Story`] plays the shell: spawns succeed with pids 101, 102, …, signals arrive, commands
//! can be found, unless a test says otherwise. What the supervisor did is told by its log lines,
//! the effects in between written as `!spawn web`, `!kill web SIGTERM`, `!reply 1 …`.

mod autostart;
mod bounded;
mod dependencies;
mod listeners;
mod notifications;
mod random;
mod random_dependencies;
mod readiness;
mod restarts;
mod schedules;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
    fn check_stop_order(&self, effect: &Effect) {
        if let Effect::Kill { process, signal: Signal::TERM, .. } = effect
            && !self.supervisor.is_hurried()
        {
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

    fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Log { level: LogLevel::Debug | LogLevel::Blather, .. } if !self.verbose => None,
            Effect::Log { level, text } => {
                self.told.push(format!("{} {text}", level.tag()));
                None
            }
            Effect::RunTask { child, task } => {
                self.told.push(format!("!run {child:?} {}", task.command));
                if let ChildId::Probe(probe) = child {
                    self.probes.push(probe);
                }
                None
            }
            Effect::Probe { probe, target, .. } => {
                self.told.push(format!("!probe {target}"));
                self.probes.push(probe);
                None
            }
            // It is answered at once by the shell, and by the story when a test says so.
            Effect::CheckFile { probe, .. } => {
                self.probes.push(probe);
                None
            }
            Effect::CancelTask { child } => {
                self.probes.retain(|probe| child != ChildId::Probe(*probe));
                self.told.push(format!("!cancel {child:?}"));
                None
            }
            Effect::Spawn { process } => {
                let spec = self.supervisor.spec(process).unwrap();
                let name = (spec.group.clone(), spec.name.clone());
                self.told.push(format!("!spawn {}", name.1));
                self.pids += 1;
                while self.pids_in_use.values().any(|pid| pid.0 == self.pids) {
                    self.pids += 1;
                }
                let error = self.spawn_errors.pop_front();
                let outcome = match error {
                    _ if self.is_short => {
                        Err(NotSpawned::for_shortage(format!("too many open files to spawn '{}'", name.1)))
                    }
                    Some(text) => Err(NotSpawned::from(text.to_owned())),
                    None => Ok(Pid(self.pids)),
                };
                if outcome.is_ok() {
                    assert!(!self.alive.values().any(|other| *other == name), "two of {name:?}");
                    self.alive.insert(process, name);
                    self.pids_in_use.insert(process, Pid(self.pids));
                }
                Some(Input::Spawned { process, outcome })
            }
            Effect::Check { process } => {
                Some(Input::Checked { process, outcome: self.check_fault.clone().map_or(Ok(()), Err) })
            }
            Effect::Kill { process, signal, target, .. } => {
                let whole = if target == KillTarget::Group { " group" } else { "" };
                let name = &self.supervisor.spec(process).unwrap().name;
                self.told.push(format!("!kill {name} {signal}{whole}"));
                let outcome = self.send_error.clone().map_or(Ok(()), Err);
                Some(Input::Sent { process, signal, outcome })
            }
            Effect::FindMembers { groups } => {
                self.looks += 1;
                let found = groups.iter().map(|(process, _)| (*process, self.members.clone()));
                Some(Input::MembersFound(found.collect()))
            }
            Effect::KillMembers { process, leader, signal } => {
                let name = &self.supervisor.spec(process).unwrap().name;
                self.told.push(format!("!kill {name} {signal} members of {leader}"));
                None
            }
            Effect::ForgetMembers { .. } => None,
            Effect::LookForOrphans { process, leader, .. } => {
                Some(Input::OrphansFound { process, leader, orphans: self.orphans.clone() })
            }
            Effect::Reply { ticket, result } => {
                let told = match result {
                    Ok(Reply::Bulk(rows)) => {
                        let row = |row: &BulkRow| match &row.outcome {
                            Ok(()) => format!("{}:ok", row.name),
                            Err(fault) => format!("{}:{fault}", row.name),
                        };
                        rows.iter().map(row).collect::<Vec<_>>().join(",")
                    }
                    Ok(Reply::Updated(rows)) => {
                        let row = |row: &UpdateRow| match &row.outcome {
                            Ok(updated) => format!("{}:{}", row.name, updated.name()),
                            Err(fault) => format!("{}:{fault}", row.name),
                        };
                        rows.iter().map(row).collect::<Vec<_>>().join(",")
                    }
                    Ok(Reply::Done) => "done".to_owned(),
                    Ok(other) => format!("{other:?}"),
                    Err(fault) => fault.to_string(),
                };
                self.told.push(format!("!reply {} {told}", ticket.0));
                None
            }
            Effect::ReadSettings { purpose } => {
                let groups = || Ok(self.next_groups.clone());
                let outcome = self.broken_settings.map_or_else(groups, |text| Err(text.to_owned()));
                Some(Input::SettingsRead { purpose, outcome })
            }
            Effect::ReadLog { ticket, of, .. } => {
                Some(Input::LogRead { ticket, outcome: Ok(Reply::Text(format!("{of:?}"))) })
            }
            Effect::ClearLog { ticket } => Some(Input::LogRead { ticket, outcome: Ok(Reply::Done) }),
            Effect::ClearLogs { process } => {
                Some(Input::LogsCleared { process, cleared: self.send_error.is_none() })
            }
            Effect::WriteStdin { process, text } => {
                let name = &self.supervisor.spec(process).unwrap().name;
                self.told.push(format!("!write {name} {text}"));
                let outcome = self.send_error.as_ref().map_or(Ok(()), |error| match error {
                    SendError::Gone(_) => Err(StdinError::Closed),
                    SendError::Failed(_) => Err(StdinError::Full),
                });
                Some(Input::StdinTaken { process, outcome })
            }
            Effect::SendEvent { process, serial, bytes } => {
                let name = &self.supervisor.spec(process).unwrap().name;
                let text = String::from_utf8(bytes).unwrap();
                self.told.push(format!(
                    "!event {name} {}",
                    text.strip_prefix("ver:3.0 server:supervisor ").unwrap()
                ));
                Some(Input::EventSent { process, serial, outcome: self.event_error.map_or(Ok(()), Err) })
            }
            Effect::MakeAutoLogs { process } => {
                let path = |channel: &str| Some(PathBuf::from(format!("/auto/{}-{channel}", process.0)));
                Some(Input::AutoLogsMade { process, stdout: path("out"), stderr: path("err") })
            }
            Effect::ApplyLogLimits { process } => {
                let spec = self.supervisor.spec(process).unwrap();
                self.told.push(format!("!limits {} {}", spec.name, spec.stdout.bytes_max));
                None
            }
            Effect::TrySockets { ticket, group, sockets } => {
                let urls: Vec<_> = sockets.iter().map(|socket| socket.url()).collect();
                self.told.push(format!("!try {}", urls.join(" ")));
                let outcome = self.socket_error.map_or(Ok(()), |text| Err(text.to_owned()));
                Some(Input::SocketsTried { ticket, group, outcome })
            }
            Effect::Print { channel, bytes } => {
                let text = String::from_utf8(bytes).unwrap();
                self.told.push(format!("!print to {}: {text}", channel.name()));
                None
            }
            Effect::Forget { .. } => None,
            Effect::ReopenLogs => {
                self.told.push("!reopen".to_owned());
                None
            }
            Effect::AllStopped(then) => {
                self.told.push(match then {
                    AfterStop::End(ending) if ending.is_ordered() => "!stopped End".to_owned(),
                    AfterStop::End(ending) => format!("!stopped {}: {ending}", ending.status()),
                    AfterStop::Restart => "!stopped Restart".to_owned(),
                });
                None
            }
        }
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

#[test]
fn runs_after_startsecs_and_then_nothing_is_due() {
    let mut story = Story::one(|_| ()).begun();
    story.tells(&["!spawn web", "INFO spawned: 'web' with pid 101"]);
    story.pass(0.9);
    assert_eq!(story.state("web"), ProcessState::Starting);
    story.pass(0.2);
    story.tells(&[SUCCESS_LINE]);
    assert_eq!(story.supervisor.deadline(), None, "an idle supervisor sleeps for ever");
}

#[test]
fn runs_at_once_with_startsecs_0() {
    let mut story = Story::one(|web| web.start_secs = 0).begun();
    assert_eq!(story.state("web"), ProcessState::Running);
    story.exits("web", 0);
    assert_eq!(story.state("web"), ProcessState::Exited);
}

#[test]
fn negative_times_count_as_none() {
    let mut story = Story::one(|web| (web.start_secs, web.stop_wait_secs) = (-5, -5)).begun();
    assert_eq!(story.state("web"), ProcessState::Running);
    story.stop("web", Wait::No);
    story.pass(0.1);
    assert!(story.told.contains(&"WARN killing 'web' (101) with SIGKILL".to_owned()));
}

#[test]
fn backs_off_a_second_longer_each_time_and_gives_up() {
    let mut story = Story::one(|web| web.start_retries = StartRetries::Times(2)).begun();
    story.exits("web", 0);
    story.tells(&[
        "!spawn web",
        "INFO spawned: 'web' with pid 101",
        "WARN exited: web (exit status 0; not expected)",
    ]);
    story.pass(0.9);
    story.tells(&[]);
    story.pass(0.2);
    story.exits("web", 1);
    story.tells(&[
        "!spawn web",
        "INFO spawned: 'web' with pid 102",
        "WARN exited: web (exit status 1; not expected)",
    ]);
    story.pass(1.9);
    story.tells(&[]);
    story.pass(0.2);
    story.ends("web", KILLED);
    story.tells(&[
        "!spawn web",
        "INFO spawned: 'web' with pid 103",
        "WARN exited: web (terminated by SIGKILL; not expected)",
        "INFO gave up: web entered FATAL state, too many start retries too quickly",
    ]);
    assert_eq!(story.state("web"), ProcessState::Fatal);
    story.pass(3600.0);
    story.tells(&[]);
}

#[test]
fn with_forever_it_is_never_given_up_and_waits_a_minute_at_most() {
    let mut story = Story::one(|web| web.start_retries = StartRetries::Forever).begun();
    for failure in 1..200 {
        story.exits("web", 1);
        assert_eq!(story.state("web"), ProcessState::Backoff);
        let wait = f64::from(failure.min(60));
        story.pass(wait - 0.1);
        assert_eq!(story.state("web"), ProcessState::Backoff, "{failure}");
        story.pass(0.1);
        assert_eq!(story.state("web"), ProcessState::Starting, "{failure}");
    }
}

#[test]
fn a_command_that_is_not_there_ends_fatal_with_supervisors_words() {
    let mut story = Story::one(|web| web.start_retries = StartRetries::Times(1));
    story.spawn_errors = ["can't find command 'x'"; 2].into();
    let mut story = story.begun();
    story.pass(1.0);
    story.tells(&[
        "!spawn web",
        "INFO spawnerr: can't find command 'x'",
        "!spawn web",
        "INFO spawnerr: can't find command 'x'",
        "INFO gave up: web entered FATAL state, too many start retries too quickly",
    ]);
    let info = story.supervisor.process(story.id("web")).unwrap().info(&Turn {
        now: story.now,
        restarts_allowed: true,
        random: 0,
    });
    assert_eq!(info.description, "can't find command 'x'");
}

fn orphan(pid: i32, started_as: Option<&str>, has_programs_name: bool) -> Orphan {
    Orphan {
        pid: Pid(pid),
        group: Pid(pid),
        started_as: started_as.map(|name| (name.to_owned(), name.to_owned())),
        has_programs_name,
        foreground_form: Some("nginx -g 'daemon off;'".to_owned()),
    }
}

fn hint(story: &Story) -> Option<String> {
    let turn = Turn { now: story.now, restarts_allowed: true, random: 0 };
    story.supervisor.processes.get(story.id("web")).unwrap().info(&turn).hint
}

#[test]
fn a_program_that_goes_into_the_background_is_found_there() {
    let mut story = Story::one(|web| web.start_retries = StartRetries::Times(1)).begun();
    story.told.clear();
    // Of another program; and one that hides its environment behind its title, as nginx does.
    story.orphans = vec![orphan(7, Some("db"), true), orphan(8, None, false), orphan(14, None, true)];
    story.exits("web", 0);
    story.tells(&[
        "WARN exited: web (exit status 0; not expected)",
        "WARN web went into the background as pid 14; run it in the foreground (nginx -g 'daemon off;')",
    ]);
    // The next start fails for another reason, and the hint stays: it is the cause.
    story.orphans.clear();
    story.pass(1.0);
    story.exits("web", 1);
    assert_eq!(story.state("web"), ProcessState::Fatal);
    let expected = "it went into the background as pid 14; run it in the foreground (nginx -g 'daemon off;')";
    assert_eq!(hint(&story).as_deref(), Some(expected));
    story.start("web", Wait::No);
    assert_eq!(hint(&story), None);
}

#[test]
fn what_forks_twice_is_found_when_the_first_child_has_ended() {
    let mut story = Story::one(|_| ()).begun();
    story.orphans = vec![orphan(14, Some("web"), false)];
    story.exits("web", 0);
    story.told.clear();
    story.orphans = vec![orphan(15, Some("web"), false)];
    story.input(Input::OrphanEnded { pid: Pid(14), status: ExitStatus::Exited(0) });
    story.tells(&["INFO reaped unknown pid 14 (exit status 0)"]);
    assert!(hint(&story).unwrap().contains("as pid 15;"));
    // It may be in the way of a start that gets beyond `startsecs`, but not for ever.
    story.pass(3.0);
    assert_eq!(story.state("web"), ProcessState::Running);
    assert!(hint(&story).is_some());
    story.pass(30.0);
    assert!(hint(&story).is_none());
    story.orphans.clear();
    story.input(Input::OrphanEnded { pid: Pid(15), status: KILLED });
    story.exits("web", 1);
    assert!(hint(&story).is_none(), "it is gone");
}

#[test]
fn only_an_exit_with_0_before_startsecs_is_looked_into() {
    for (secs, status, is_found) in [(0.5, 0, true), (0.5, 1, false), (1.5, 0, false)] {
        let mut story = Story::one(|_| ()).begun();
        story.orphans = vec![orphan(14, Some("web"), false)];
        story.pass(secs);
        story.exits("web", status);
        assert_eq!(hint(&story).is_some(), is_found, "{secs} {status}");
    }
}

#[test]
fn a_shortage_is_waited_out_and_counts_for_no_failed_start() {
    let mut one = spec("one");
    (one.start_retries, one.on_fatal) = (StartRetries::Times(0), OnEnd::Shutdown);
    let mut story = Story::of(vec![alone(1, one), alone(2, spec("two"))]);
    story.is_short = true;
    let mut story = story.begun();
    story.tells(&[
        "!spawn one",
        "!spawn two",
        "WARN spawnerr: too many open files to spawn 'one'; starts are retried until the shortage is over",
    ]);
    // 1, 2, 4, then every 5 seconds, without another line and without an end.
    for wait in [1.0, 2.0, 4.0, 5.0, 5.0] {
        story.pass(wait - 0.001);
        story.tells(&[]);
        story.pass(0.001);
        story.tells(&["!spawn one", "!spawn two"]);
    }
    assert_eq!(story.state("one"), ProcessState::Backoff);
    let turn = Turn { now: story.now, restarts_allowed: true, random: 0 };
    let info = story.supervisor.process(story.id("one")).unwrap().info(&turn);
    assert_eq!(info.description, "too many open files to spawn 'one'");
    // A child may lack what its parent had.
    story.is_short = false;
    story.pass(5.0);
    let process = story.id("two");
    let failure = NotSpawned::for_shortage("couldn't exec 'two': EAGAIN".to_owned());
    story.alive.remove(&process);
    story.input(Input::NotExecuted { process, status: ExitStatus::Exited(127), failure });
    story.tells(&[
        "!spawn one",
        "!spawn two",
        "INFO spawned: 'one' with pid 113",
        "INFO spawned: 'two' with pid 114",
    ]);
    story.pass(6.0);
    story.tells(&[
        "INFO success: one entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)",
        "!spawn two",
        "INFO spawned: 'two' with pid 115",
        "INFO success: two entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)",
        "INFO the shortage is over, 13 starts failed meanwhile",
    ]);
    // What a program fails by itself is counted from nothing.
    story.exits("one", 1);
    story.exits("one", 1);
    assert_eq!(story.state("one"), ProcessState::Fatal);
}

#[test]
fn who_is_stopped_waits_for_no_end_of_a_shortage() {
    let mut story = Story::one(|_| ());
    story.is_short = true;
    let mut story = story.begun();
    story.told.clear();
    story.stop("web", Wait::Yes);
    story.tells(&["INFO the shortage is over, 1 start failed meanwhile", "!reply 1 done"]);
    story.pass(100.0);
    story.tells(&[]);
}

#[test]
fn exits_are_answered_as_autorestart_says() {
    let unexpected = AutoRestart::Unexpected;
    for (policy, status, restarts) in [
        (AutoRestart::Never, ExitStatus::Exited(1), false),
        (unexpected, ExitStatus::Exited(0), false),
        (unexpected, ExitStatus::Exited(2), false),
        (unexpected, ExitStatus::Exited(1), true),
        (unexpected, KILLED, true),
        (AutoRestart::Always, ExitStatus::Exited(0), true),
    ] {
        let mut story = Story::one(|web| (web.autorestart, web.exit_codes) = (policy, vec![0, 2])).running();
        story.ends("web", status);
        let started = story.told.iter().any(|line| line == "!spawn web");
        assert_eq!(started, restarts, "{policy:?} {status:?}: {:?}", story.told);
    }
}

#[test]
fn one_that_has_lived_is_restarted_at_once_one_that_has_not_waits_its_second() {
    let always = |web: &mut ProcessSpec| (web.autorestart, web.start_secs) = (AutoRestart::Always, 0);
    let mut story = Story::one(always).running();
    story.exits("web", 0);
    story.tells(&[
        "INFO exited: web (exit status 0; expected)",
        "!spawn web",
        "INFO spawned: 'web' with pid 102",
        "INFO success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)",
    ]);
    story.exits("web", 0);
    story.tells(&["INFO exited: web (exit status 0; expected)"]);
    assert_eq!(story.state("web"), ProcessState::Exited);
    story.pass(1.0);
    assert_eq!(story.state("web"), ProcessState::Running);
}

#[test]
fn a_held_back_restart_can_be_stopped() {
    let mut story = Story::one(|web| (web.autorestart, web.start_secs) = (AutoRestart::Always, 0)).begun();
    story.exits("web", 0);
    story.told.clear();
    story.stop("web", Wait::Yes);
    story.tells(&["!reply 1 done"]);
    story.pass(5.0);
    story.tells(&[]);
}

#[test]
fn an_exit_noticed_together_with_the_end_of_startsecs_is_one_from_running() {
    let mut story = Story::one(|_| ()).begun();
    story.told.clear();
    story.at(Mono(Duration::from_secs(1)));
    story.exits("web", 0);
    story.tells(&["INFO exited: web (exit status 0; expected)"]);
    assert_eq!(story.state("web"), ProcessState::Exited);
}

#[test]
fn stops_when_asked_and_says_how_it_ended() {
    let mut story = Story::one(|_| ()).running();
    story.stop("web", Wait::Yes);
    story.tells(&["!kill web SIGTERM", "INFO waiting for web to stop"]);
    story.pass(2.5);
    story.tells(&["INFO waiting for web to stop"]);
    story.ends("web", ExitStatus::Signaled { signal: Signal::TERM, core_dumped: false });
    story.tells(&["WARN stopped: web (terminated by SIGTERM)", "!reply 1 done"]);
    story.pass(60.0);
    story.tells(&[]);
}

#[test]
fn is_killed_when_it_does_not_stop() {
    let mut story = Story::one(|web| {
        (web.stop_wait_secs, web.stop_as_group, web.kill_as_group) = (5, false, true);
    })
    .running();
    story.stop("web", Wait::No);
    story.tells(&["!kill web SIGTERM", "!reply 1 done"]);
    story.pass(4.9);
    story.tells(&[]);
    story.pass(5.2);
    story.tells(&["WARN killing 'web' (101) with SIGKILL", "!kill web SIGKILL group"]);
    story.exits("web", 0);
    story.tells(&["INFO stopped: web (exit status 0)"]);
}

#[test]
fn a_stop_while_it_backs_off_is_done_at_once_and_forgives_the_failures() {
    let mut story = Story::one(|web| web.start_retries = StartRetries::Times(1)).begun();
    story.exits("web", 1);
    story.told.clear();
    story.stop("web", Wait::Yes);
    story.tells(&["!reply 1 done"]);
    assert_eq!(story.state("web"), ProcessState::Stopped);
    story.start("web", Wait::No);
    story.exits("web", 1);
    assert_eq!(story.state("web"), ProcessState::Backoff);
}

#[test]
fn start_answers_when_it_runs() {
    let mut story = Story::one(|web| web.autostart = false).begun();
    story.start("web", Wait::Yes);
    story.tells(&["!spawn web", "INFO spawned: 'web' with pid 101"]);
    story.pass(1.0);
    story.tells(&[SUCCESS_LINE, "!reply 1 done"]);
    story.start("web", Wait::Yes);
    story.tells(&["!reply 2 ALREADY_STARTED: web"]);
}

#[test]
fn start_without_waiting_answers_when_it_is_spawned() {
    let mut story = Story::one(|web| web.autostart = false).begun();
    story.start("web", Wait::No);
    story.tells(&["!spawn web", "INFO spawned: 'web' with pid 101", "!reply 1 done"]);
}

#[test]
fn start_tells_why_it_failed() {
    let mut story = Story::one(|web| web.autostart = false).begun();
    story.start("web", Wait::Yes);
    story.exits("web", 1);
    assert_eq!(story.told.pop().unwrap(), "!reply 1 SPAWN_ERROR: web");
    story.stop("web", Wait::No);

    story.check_fault = Some(Fault::about(FaultCode::NoFile, "can't find command 'x'"));
    story.told.clear();
    story.start("web", Wait::Yes);
    story.tells(&["!reply 3 NO_FILE: can't find command 'x'"]);
    story.check_fault = None;

    story.spawn_errors = ["too many open files to spawn 'web'"].into();
    story.start("web", Wait::No);
    story.tells(&[
        "!spawn web",
        "INFO spawnerr: too many open files to spawn 'web'",
        "!reply 4 SPAWN_ERROR: web",
    ]);
    story.stop("web", Wait::No);

    story.start("web", Wait::Yes);
    story.stop("web", Wait::No);
    story.told.retain(|line| line.starts_with("!reply"));
    story.tells(&["!reply 5 done", "!reply 6 ABNORMAL_TERMINATION: web", "!reply 7 done"]);
}

#[test]
fn a_start_while_it_stops_is_abnormal() {
    let mut story = Story::one(|_| ()).running();
    story.stop("web", Wait::No);
    story.told.clear();
    story.start("web", Wait::Yes);
    story.tells(&["WARN process 'web' already running", "!reply 2 ABNORMAL_TERMINATION: web"]);
}

#[test]
fn debug_lines_tell_what_is_sent_to_whom() {
    let mut story = Story::one(|web| (web.stop_as_group, web.kill_as_group) = (true, true)).running();
    story.verbose = true;
    story.ask(Command::SignalProcess(Namespec::split("web"), Ok(Signal::HUP)));
    story.send_error = Some(SendError::Gone("No such process".to_owned()));
    story.ask(Command::SignalProcess(Namespec::split("web"), Ok(Signal::HUP)));
    story.stop("web", Wait::No);
    story.told.retain(|line| line.starts_with("DEBG"));
    story.tells(&[
        "DEBG sending web (pid 101) sig SIGHUP",
        "DEBG sending web (pid 101) sig SIGHUP",
        "DEBG unable to signal web (pid 101), it probably just now exited on its own: No such process",
        "DEBG killing web (pid 101) process group with signal SIGTERM",
        "DEBG unable to signal web (pid 101), it probably just exited on its own: No such process",
    ]);
    story.exits("web", 0);
    story.start("web", Wait::No);
    story.exits("web", 0);
    story.told.clear();
    story.stop("web", Wait::No);
    story.tells(&["DEBG Attempted to kill web, which is in BACKOFF state.", "!reply 5 done"]);
    story.signal(Signal::CHLD);
    story.signal(Signal::USR1);
    story.tells(&[
        "DEBG received SIGCHLD indicating a child quit",
        "BLAT received SIGUSR1 indicating nothing",
    ]);
}

#[test]
fn process_information_is_what_supervisor_tells() {
    let mut story = Story::one(|web| web.autorestart = AutoRestart::Never);
    story.at(Mono(Duration::from_secs(5)));
    let info = |story: &Story| {
        let turn = Turn { now: story.now, restarts_allowed: true, random: 0 };
        story.supervisor.process(story.id("web")).unwrap().info(&turn)
    };
    let never = info(&story);
    assert_eq!((never.start, never.stop, never.pid, never.description.as_str()), (0, 0, 0, "Not started"));
    story.input(Input::Begin);
    story.pass(3.0);
    let running = info(&story);
    assert_eq!((running.start, running.stop, running.now), (1_795_190_405, 0, 1_795_190_408));
    assert_eq!((running.pid, running.description.as_str()), (101, "pid 101, uptime 0:00:03"));
    assert_eq!((running.exit_status, running.spawn_error.as_str()), (0, ""));
    assert_eq!((running.last_exit, running.ended_as_expected), (None, false));
    story.exits("web", 7);
    let exited = info(&story);
    assert_eq!((exited.state, exited.stop, exited.pid), (ProcessState::Exited, 1_795_190_408, 0));
    assert_eq!((exited.exit_status, exited.spawn_error.as_str()), (7, "Bad exit code 7"));
    story.start("web", Wait::No);
    assert_eq!((info(&story).exit_status, info(&story).spawn_error.as_str()), (0, ""));
    story.ends("web", KILLED);
    let failed = info(&story);
    assert_eq!((failed.state, failed.exit_status), (ProcessState::Backoff, 0));
    assert_eq!(failed.description, "Exited too quickly (process log may have details)");
    story.pass(1.0);
    story.stop("web", Wait::No);
    story.ends("web", KILLED);
    assert_eq!((info(&story).exit_status, info(&story).state), (-1, ProcessState::Stopped));
}

#[test]
fn the_last_end_is_kept_while_it_runs_again_and_after_a_failed_start() {
    let mut story = Story::one(|web| {
        web.autorestart = AutoRestart::Always;
        web.start_retries = StartRetries::Times(0);
    });
    let told = |story: &Story| {
        let turn = Turn { now: story.now, restarts_allowed: true, random: 0 };
        let info = story.supervisor.process(story.id("web")).unwrap().info(&turn);
        (info.state, info.last_exit, info.ended_as_expected)
    };
    story.input(Input::Begin);
    story.pass(3.0);
    story.exits("web", 0);
    story.pass(3.0);
    assert_eq!(told(&story), (ProcessState::Running, Some(ExitStatus::Exited(0)), true));
    story.stop("web", Wait::No);
    story.ends("web", KILLED);
    assert_eq!(told(&story), (ProcessState::Stopped, Some(KILLED), false));
    story.start("web", Wait::No);
    assert_eq!(told(&story), (ProcessState::Starting, Some(KILLED), false));
    story.exits("web", 3);
    assert_eq!(told(&story), (ProcessState::Fatal, Some(ExitStatus::Exited(3)), false));
}

#[test]
fn names_that_nobody_has_are_told_as_they_were_asked() {
    let mut story = Story::of(vec![group("g", [spec("a"), spec("b")])]).running();
    for (name, fault) in [("nope", "nope"), ("g:nope", "g:nope"), ("nope:*", "nope:*"), ("g", "g")] {
        story.start(name, Wait::Yes);
        story.stop(name, Wait::Yes);
        story.ask(Command::SignalProcess(Namespec::split(name), Ok(Signal::HUP)));
        story.ask(Command::GetProcessInfo(Namespec::split(name)));
        let told = std::mem::take(&mut story.told);
        assert!(told.iter().all(|line| line.ends_with(&format!(" BAD_NAME: {fault}"))), "{told:?}");
    }
    story.ask(Command::GetProcessInfo(Namespec::split("g:*")));
    story.ask(Command::StartProcessGroup("nope".to_owned(), Wait::No));
    assert_eq!(story.told.pop().unwrap(), "!reply 18 BAD_NAME: nope");
    assert_eq!(story.told.pop().unwrap(), "!reply 17 BAD_NAME: g:*");
}

#[test]
fn groups_start_together_in_order_of_priority() {
    let low = ProcessSpec { priority: 1, ..spec("low") };
    let mut story = Story::of(vec![
        group("g", [ProcessSpec { priority: 500, ..spec("high") }, low]),
        alone(999, spec("last")),
        alone(-5, spec("first")),
    ])
    .begun();
    story.told.retain(|line| line.starts_with("!spawn"));
    story.tells(&["!spawn first", "!spawn low", "!spawn high", "!spawn last"]);
}

#[test]
fn bulk_answers_come_in_the_order_in_which_they_are_settled() {
    let quick = ProcessSpec { start_secs: 0, ..spec("quick") };
    let mut story = Story::of(vec![group("g", [spec("slow"), quick])]).running();
    story.ask(Command::StopProcessGroup("g".to_owned(), Wait::Yes));
    story.exits("slow", 0);
    story.exits("quick", 0);
    story.tells(&[
        "!kill quick SIGTERM",
        "INFO waiting for quick to stop",
        "!kill slow SIGTERM",
        "INFO waiting for slow to stop",
        "INFO stopped: slow (exit status 0)",
        "INFO stopped: quick (exit status 0)",
        "!reply 1 slow:ok,quick:ok",
    ]);
    story.ask(Command::StartAllProcesses(Wait::Yes));
    story.pass(1.0);
    assert_eq!(story.told.pop().unwrap(), "!reply 2 quick:ok,slow:ok");
    story.told.clear();
    story.ask(Command::StartAllProcesses(Wait::Yes));
    story.tells(&["!reply 3 "]);
}

#[test]
fn rows_that_are_settled_together_keep_the_order_of_the_request() {
    let quick = |name: &str| ProcessSpec { start_secs: 0, autostart: false, ..spec(name) };
    let mut story = Story::of(vec![group("g", ["a", "b", "c"].map(quick))]).begun();
    story.spawn_errors.extend(["no"]);
    story.start("g:*", Wait::Yes);
    assert_eq!(story.told.pop().unwrap(), "!reply 1 a:SPAWN_ERROR: g:a,b:ok,c:ok");
    story.stop("g:a", Wait::No);
    story.start("g:a", Wait::Yes);
    story.stop("g:*", Wait::No);
    assert_eq!(story.told.pop().unwrap(), "!reply 4 a:ok,b:ok,c:ok");
    for name in ["c", "b", "a"] {
        story.exits(name, 0);
    }
    // Within one interval of 50 ms, and in two.
    for (pause, order) in [(0.01, "a:ok,b:ok,c:ok"), (0.06, "c:ok,b:ok,a:ok")] {
        story.start("g:*", Wait::Yes);
        story.stop("g:*", Wait::Yes);
        for name in ["c", "b", "a"] {
            story.pass(pause);
            story.exits(name, 0);
        }
        let answer = story.told.pop().unwrap();
        assert!(answer.ends_with(order), "{answer}");
    }
}

#[test]
fn a_group_that_is_added_again_is_the_last_of_its_priority() {
    let off = |name: &str| ProcessSpec { autostart: false, start_secs: 0, ..spec(name) };
    let mut story = Story::of(["a", "b", "c"].map(|name| alone(999, off(name))).to_vec()).begun();
    story.ask(Command::RemoveProcessGroup("a".to_owned()));
    story.ask(Command::AddProcessGroup("a".to_owned()));
    story.ask(Command::StartAllProcesses(Wait::No));
    story.ask(Command::SignalAllProcesses(Ok(Signal::HUP)));
    story.told.retain(|line| line.contains("b:ok"));
    story.tells(&["!reply 3 b:ok,c:ok,a:ok", "!reply 4 b:ok,c:ok,a:ok"]);
}

#[test]
fn bulk_answers_carry_each_fault() {
    let mut story = Story::of(vec![group("g", [spec("a"), spec("b")])]).running();
    story.exits("a", 0);
    story.exits("b", 0);
    story.told.clear();
    story.check_fault = Some(Fault::about(FaultCode::NoFile, "can't find command 'x'"));
    story.start("g:*", Wait::Yes);
    story.tells(&["!reply 1 a:NO_FILE: can't find command 'x',b:NO_FILE: can't find command 'x'"]);
}

#[test]
fn signals_go_to_those_that_can_take_them() {
    let mut story = Story::of(vec![group("g", [spec("a"), spec("b")])]).running();
    story.exits("b", 0);
    story.told.clear();
    story.ask(Command::SignalProcess(Namespec::split("g:a"), Ok(Signal::HUP)));
    story.tells(&["!kill a SIGHUP", "!reply 1 done"]);
    story.ask(Command::SignalProcess(Namespec::split("g:b"), Ok(Signal::HUP)));
    story.tells(&["!reply 2 NOT_RUNNING: g:b"]);
    story.ask(Command::SignalAllProcesses(Ok(Signal::USR1)));
    story.tells(&["!kill a SIGUSR1", "!reply 3 a:ok"]);
}

#[test]
fn a_signal_that_can_not_be_sent_makes_it_unknown() {
    let mut story = Story::one(|_| ()).running();
    story.send_error = Some(SendError::Failed("EPERM".to_owned()));
    story.stop("web", Wait::Yes);
    story.tells(&[
        "!kill web SIGTERM",
        "INFO waiting for web to stop",
        "CRIT unknown problem killing web (101):EPERM",
        "!reply 1 FAILED: unknown problem killing web (101):EPERM",
    ]);
    story.start("web", Wait::No);
    story.tells(&["!reply 2 FAILED: web is in an unknown process state"]);
    story.exits("web", 0);
    assert_eq!(story.state("web"), ProcessState::Stopped);
}

#[test]
fn one_that_has_just_gone_is_waited_for() {
    let mut story = Story::one(|_| ()).running();
    story.send_error = Some(SendError::Gone("no such process".to_owned()));
    story.stop("web", Wait::Yes);
    story.exits("web", 0);
    assert_eq!(story.told.pop().unwrap(), "!reply 1 done");
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

#[test]
fn shuts_down_by_descending_priority_side_by_side_within_one() {
    let mut story = three_levels();
    story.signal(Signal::TERM);
    story.tells(
        &[
            "WARN received SIGTERM indicating exit request",
            "!kill web SIGTERM",
            "INFO waiting for db, app, worker, web to die",
        ]
        .map(|line| line),
    );
    story.exits("web", 0);
    story.tells(&["INFO stopped: web (exit status 0)", "!kill worker SIGTERM", "!kill app SIGTERM"]);
    story.exits("app", 0);
    story.pass(3.1);
    story.tells(&["INFO stopped: app (exit status 0)", "INFO waiting for db, worker to die"]);
    story.exits("worker", 0);
    story.tells(&["INFO stopped: worker (exit status 0)", "!kill db SIGTERM"]);
    story.exits("db", 0);
    story.tells(&["INFO stopped: db (exit status 0)", "!stopped End"]);
    story.pass(3600.0);
    story.tells(&[]);
}

#[test]
fn a_group_of_negative_priority_starts_first_and_stops_last() {
    let mut story = Story::of(vec![alone(999, spec("web")), alone(-1, spec("pool"))]).begun();
    story.told.retain(|line| line.starts_with("!spawn"));
    story.tells(&["!spawn pool", "!spawn web"]);
    story.pass(2.0);
    story.signal(Signal::TERM);
    story.exits("web", 0);
    story.told.retain(|line| line.starts_with("!kill"));
    story.tells(&["!kill web SIGTERM", "!kill pool SIGTERM"]);
}

#[test]
fn a_second_request_hastens_the_shutdown() {
    let mut story = three_levels();
    story.signal(Signal::TERM);
    story.pass(1.0);
    story.told.clear();
    story.signal(Signal::INT);
    story.tells(&[
        "WARN received SIGINT indicating exit request",
        "!kill web SIGKILL",
        "!kill worker SIGTERM",
        "!kill app SIGTERM",
        "!kill db SIGTERM",
    ]);
    // The same request, sent twice.
    story.signal(Signal::INT);
    story.tells(&["WARN received SIGINT indicating exit request"]);
    story.pass(0.9);
    story.signal(Signal::INT);
    story.tells(&["WARN received SIGINT indicating exit request"]);
    story.ends("web", KILLED);
    story.pass(0.1);
    story.signal(Signal::INT);
    let kills = story.told.iter().filter(|line| line.ends_with("SIGKILL")).count();
    assert_eq!(kills, 3, "{:?}", story.told);
}

#[test]
fn while_it_stops_nothing_starts_and_every_command_is_refused() {
    let retrying = ProcessSpec { start_retries: StartRetries::Times(50), ..spec("retrying") };
    let mut story = Story::of(vec![alone(1, retrying), alone(9, spec("web"))]).running();
    story.exits("retrying", 0);
    story.start("retrying", Wait::Yes);
    story.exits("retrying", 1);
    story.told.clear();
    story.signal(Signal::TERM);
    story.pass(9.0);
    assert!(!story.told.iter().any(|line| line.starts_with("!spawn")), "{:?}", story.told);
    story.told.clear();
    for command in [Command::GetPid, Command::Shutdown, Command::StartAllProcesses(Wait::No)] {
        story.ask(command);
    }
    story.tells(&["!reply 2 SHUTDOWN_STATE", "!reply 3 SHUTDOWN_STATE", "!reply 4 SHUTDOWN_STATE"]);
    story.exits("web", 1);
    story.tells(&["WARN stopped: web (exit status 1)", "!stopped End"]);
    assert_eq!(story.state("retrying"), ProcessState::Fatal);
}

#[test]
fn waiting_clients_are_answered_before_the_end() {
    let mut story = Story::of(vec![alone(9, spec("web")), alone(9, spec("late"))]).running();
    story.stop("web", Wait::Yes);
    story.exits("late", 0);
    story.start("late", Wait::Yes);
    story.ask(Command::Shutdown);
    story.exits("late", 0);
    story.exits("web", 0);
    story.told.retain(|line| line.starts_with('!'));
    story.tells(&[
        "!kill web SIGTERM",
        "!spawn late",
        "!reply 3 done",
        "!kill late SIGTERM",
        "!reply 2 ABNORMAL_TERMINATION: late",
        "!reply 1 done",
        "!stopped End",
    ]);
}

#[test]
fn nothing_to_stop_ends_at_once() {
    let mut story = Story::one(|web| web.autostart = false).begun();
    story.signal(Signal::QUIT);
    story.tells(&["WARN received SIGQUIT indicating exit request", "!stopped End"]);
}

#[test]
fn hup_restarts_everything_once_the_new_settings_are_good() {
    let mut story = Story::one(|_| ()).running();
    story.signal(Signal::HUP);
    story.exits("web", 0);
    story.tells(&[
        "WARN received SIGHUP indicating restart request",
        "!kill web SIGTERM",
        "INFO waiting for web to die",
        "INFO stopped: web (exit status 0)",
        "!stopped Restart",
    ]);
}

#[test]
fn hup_with_broken_settings_leaves_all_as_it_was() {
    let mut story = Story::one(|_| ()).running();
    story.broken_settings = Some("bad one\nbad two");
    story.signal(Signal::HUP);
    let refused = "ERRO restart refused: the configuration has errors, all goes on as before";
    story.tells(&[
        "WARN received SIGHUP indicating restart request",
        "ERRO bad one",
        "ERRO bad two",
        refused,
    ]);
    assert_eq!(story.state("web"), ProcessState::Running);
    story.ask(Command::Restart);
    assert_eq!(story.told[0], "!reply 1 CANT_REREAD: bad one\nbad two");
}

#[test]
fn term_turns_a_restart_into_a_shutdown_and_hup_then_is_ignored() {
    let mut story = Story::one(|_| ()).running();
    story.signal(Signal::HUP);
    story.signal(Signal::TERM);
    story.told.clear();
    story.signal(Signal::HUP);
    story.exits("web", 0);
    story.tells(&[
        "WARN ignored SIGHUP indicating restart request (shutdown in progress)",
        "INFO stopped: web (exit status 0)",
        "!stopped End",
    ]);
}

#[test]
fn reread_tells_what_changed_and_touches_nothing() {
    let mut story =
        Story::of(vec![alone(1, spec("same")), alone(2, spec("other")), alone(3, spec("gone"))]).running();
    let changed = ProcessSpec { start_secs: 5, ..spec("other") };
    story.next_groups = vec![
        alone(1, spec("same")),
        alone(2, changed),
        alone(9, ProcessSpec { autostart: false, ..spec("new") }),
    ];
    story.ask(Command::ReloadConfig);
    story.tells(&["!reply 1 Changes { added: [\"new\"], changed: [\"other\"], removed: [\"gone\"] }"]);
    assert_eq!(story.state("gone"), ProcessState::Running);
    story.broken_settings = Some("bad");
    story.ask(Command::ReloadConfig);
    story.tells(&["!reply 2 CANT_REREAD: bad"]);
    story.ask(Command::AddProcessGroup("new".to_owned()));
    assert_eq!(story.told[0], "!reply 3 done", "what was read last is still there: {:?}", story.told);
}

#[test]
fn a_log_that_becomes_auto_is_a_change() {
    let file = |target: LogTarget| {
        let web = spec("web");
        alone(1, ProcessSpec { stdout: StreamSpec { target, ..web.stdout.clone() }, ..web })
    };
    let mut story = Story::of(vec![file(LogTarget::File("/x.log".into()))]).running();
    story.next_groups = vec![file(LogTarget::Auto)];
    story.ask(Command::ReloadConfig);
    story.tells(&["!reply 1 Changes { added: [], changed: [\"web\"], removed: [] }"]);
    let mut story = Story::of(vec![file(LogTarget::Auto)]).running();
    story.next_groups = vec![file(LogTarget::Auto)];
    story.ask(Command::ReloadConfig);
    story.tells(&["!reply 1 Changes { added: [], changed: [], removed: [] }"]);
}

fn with_socket(url_path: &str, process: ProcessSpec) -> ProcessSpec {
    let address = Address::Unix { path: url_path.into(), mode: 0o700, owner: None };
    let section = format!("fcgi-program:{}", process.group);
    let socket = SocketSpec { section, address, owner_asked_for: false, backlog: 1 };
    ProcessSpec { socket: Some(Arc::new(socket)), ..process }
}

#[test]
fn a_group_with_sockets_is_added_once_they_can_be_had() {
    let shared = with_socket("/s", spec("a"));
    let second = ProcessSpec { autostart: false, ..shared.clone() };
    let mut story = Story::of(Vec::new()).running();
    story.next_groups = vec![group("g", [shared, ProcessSpec { name: "b".to_owned(), ..second }])];
    story.ask(Command::ReloadConfig);
    story.told.clear();
    story.socket_error = Some("no such luck");
    story.ask(Command::AddProcessGroup("g".to_owned()));
    story.tells(&["!try unix:///s", "!reply 2 FAILED: no such luck"]);
    story.socket_error = None;
    story.ask(Command::AddProcessGroup("g".to_owned()));
    assert_eq!(story.told[..2], ["!try unix:///s", "!reply 3 done"]);
    assert_eq!(story.state("a"), ProcessState::Starting);
    assert_eq!(story.state("b"), ProcessState::Stopped);
}

#[test]
fn a_socket_that_is_another_is_a_change() {
    let f = |path: &str| alone(1, with_socket(path, spec("f")));
    let mut story = Story::of(vec![f("/s")]).running();
    for (next, changed) in [(f("/s"), ""), (f("/t"), "\"f\""), (alone(1, spec("f")), "\"f\"")] {
        story.next_groups = vec![next];
        story.told.clear();
        story.ask(Command::ReloadConfig);
        let expected = format!("Changes {{ added: [], changed: [{changed}], removed: [] }}");
        assert!(story.told[0].ends_with(&expected), "{:?}", story.told);
    }
}

#[test]
fn groups_are_added_and_removed() {
    let mut story = Story::one(|_| ()).running();
    story.next_groups =
        vec![alone(999, spec("web")), group("g", [spec("a"), ProcessSpec { autostart: false, ..spec("b") }])];
    story.ask(Command::AddProcessGroup("g".to_owned()));
    story.tells(&["!reply 1 BAD_NAME: g"]);
    story.ask(Command::ReloadConfig);
    story.ask(Command::AddProcessGroup("web".to_owned()));
    story.told.clear();
    story.ask(Command::AddProcessGroup("g".to_owned()));
    story.tells(&["!reply 4 done", "!spawn a", "INFO spawned: 'a' with pid 102"]);
    story.ask(Command::AddProcessGroup("g".to_owned()));
    story.ask(Command::RemoveProcessGroup("g".to_owned()));
    story.ask(Command::RemoveProcessGroup("nope".to_owned()));
    story.tells(&["!reply 5 ALREADY_ADDED: g", "!reply 6 STILL_RUNNING: g", "!reply 7 BAD_NAME: nope"]);
    story.stop("g:a", Wait::No);
    story.exits("a", 0);
    story.told.clear();
    story.ask(Command::RemoveProcessGroup("g".to_owned()));
    story.ask(Command::StartProcessGroup("g".to_owned(), Wait::No));
    story.tells(&["!reply 9 done", "!reply 10 BAD_NAME: g"]);
}

#[test]
fn logs_are_read_and_cleared_by_name() {
    let mut story = Story::of(vec![alone(1, spec("web")), group("g", [spec("a")])]).running();
    let read = |name: &str, channel| {
        let reading = Reading::Range { offset: 0, length: 0 };
        Command::ReadLog(LogOf::Process(Namespec::split(name), channel), reading)
    };
    story.ask(read("web", Channel::Stdout));
    story.ask(read("web", Channel::Stderr));
    story.ask(read("g:*", Channel::Stdout));
    story.tells(&[
        "!reply 1 Text(\"Some((ProcessId(1), Stdout))\")",
        "!reply 2 Text(\"Some((ProcessId(1), Stderr))\")",
        "!reply 3 BAD_NAME: g:*",
    ]);
    story.ask(Command::ClearProcessLogs(Namespec::split("web")));
    story.ask(Command::ClearProcessLogs(Namespec::split("nope")));
    story.ask(Command::ClearProcessLogs(Namespec::split("g:*")));
    story.ask(Command::ClearAllProcessLogs);
    story.send_error = Some(SendError::Failed("EROFS".to_owned()));
    story.ask(Command::ClearProcessLogs(Namespec::split("g:a")));
    story.tells(&[
        "!reply 4 done",
        "!reply 5 BAD_NAME: nope",
        "!reply 6 BAD_NAME: g:*",
        "!reply 7 web:ok,a:ok",
        "!reply 8 FAILED: g:a",
    ]);
}

#[test]
fn auto_logs_are_made_before_the_start_and_told() {
    let auto = |stream: StreamSpec| StreamSpec { target: LogTarget::Auto, ..stream };
    let mut story = Story::one(|web| (web.stdout, web.autostart) = (auto(web.stdout.clone()), false)).begun();
    story.tells(&[]);
    let turn = Turn { now: story.now, restarts_allowed: true, random: 0 };
    let info = story.supervisor.process(story.id("web")).unwrap().info(&turn);
    assert_eq!((info.stdout_log_file.as_str(), info.stderr_log_file.as_str()), ("/auto/1-out", ""));
}

#[test]
fn what_is_sent_goes_to_those_who_can_read_it() {
    let later = ProcessSpec { autostart: false, ..spec("later") };
    let mut story = Story::of(vec![alone(1, spec("web")), alone(2, later)]).begun();
    story.told.clear();
    let send = |name: &str| Command::SendStdin(Namespec::split(name), "hi".to_owned());
    for name in ["web", "later", "nope", "web:*"] {
        story.ask(send(name));
    }
    story.tells(&[
        "!write web hi",
        "!reply 1 done",
        "!reply 2 NOT_RUNNING: later",
        "!reply 3 BAD_NAME: nope",
        "!reply 4 BAD_NAME: web:*",
    ]);
    story.send_error = Some(SendError::Gone(String::new()));
    story.ask(send("web"));
    story.send_error = Some(SendError::Failed(String::new()));
    story.ask(send("web:web"));
    story.tells(&[
        "!write web hi",
        "!reply 5 NO_FILE: web",
        "!write web hi",
        "!reply 6 FAILED: web:web has not read what was sent to it before; try again later",
    ]);
    story.send_error = None;
    story.stop("web", Wait::No);
    story.told.clear();
    story.ask(send("web"));
    story.tells(&["!reply 8 NOT_RUNNING: web"]);
}

#[test]
fn remote_events_are_taken_in_any_state() {
    let mut story = Story::one(|_| ()).running();
    let event = || Command::SendRemoteEvent { kind: "x".to_owned(), data: "y".to_owned() };
    story.ask(event());
    story.signal(Signal::TERM);
    story.told.retain(|line| line.starts_with("!reply"));
    story.ask(event());
    story.tells(&["!reply 1 done", "!reply 2 done"]);
}

#[test]
fn usr2_reopens_the_logs() {
    let mut story = Story::one(|_| ()).running();
    story.signal(Signal::USR2);
    story.tells(&["INFO received SIGUSR2 indicating log reopen request", "!reopen"]);
}

#[test]
fn orphans_are_told_of() {
    let mut story = Story::one(|_| ()).running();
    story.input(Input::OrphanEnded { pid: Pid(77), status: KILLED });
    story.tells(&["INFO reaped unknown pid 77 (terminated by SIGKILL)"]);
}

#[test]
fn ids_are_not_used_again_after_a_restart() {
    let story = Story::one(|_| ()).running();
    let old = story.id("web");
    let identity = Identity { identifier: "supervisor".to_owned(), pid: 1 };
    let next = story.supervisor.succeed(identity, vec![alone(999, spec("web"))]);
    assert!(next.spec(old).is_none());
}

/// What is configured by now, as a reread would find it.
fn configure(story: &mut Story, groups: Vec<GroupSpec>) {
    story.next_groups = groups;
    story.ask(Command::ReloadConfig);
    story.told.clear();
}

fn update(story: &mut Story, name: &str) {
    story.ask(Command::UpdateProcessGroup(name.to_owned()));
}

#[test]
fn what_needs_no_restart_is_applied_to_the_process_that_runs() {
    let mut story = Story::one(|_| ()).running();
    let limited = StreamSpec { bytes_max: 77, ..spec("web").stdout };
    let changed = ProcessSpec {
        stop_signal: Signal::INT,
        stop_wait_secs: 2,
        autorestart: AutoRestart::Always,
        stdout: limited,
        ..spec("web")
    };
    configure(&mut story, vec![alone(7, changed)]);
    update(&mut story, "web");
    story.tells(&[
        "INFO updated: 'web' in place (autorestart, stopsignal, stopwaitsecs, stdout_logfile_maxbytes)",
        "!limits web 77",
        "!reply 2 web:applied",
    ]);
    story.ask(Command::ReloadConfig);
    story.tells(&["!reply 3 Changes { added: [], changed: [], removed: [] }"]);
    update(&mut story, "web");
    story.tells(&["!reply 4 web:unchanged"]);
    story.exits("web", 0);
    story.pass(2.0);
    story.told.clear();
    story.stop("web", Wait::No);
    story.pass(2.0);
    story.tells(&[
        "!kill web SIGINT",
        "!reply 5 done",
        "WARN killing 'web' (102) with SIGKILL",
        "!kill web SIGKILL",
    ]);
}

#[test]
fn a_priority_of_a_group_is_in_force_at_once() {
    let mut story = three_levels();
    configure(&mut story, vec![alone(99, spec("db"))]);
    update(&mut story, "db");
    story.tells(&["!reply 2 db:unchanged"]);
    story.signal(Signal::TERM);
    assert!(story.told.contains(&"!kill db SIGTERM".to_owned()), "{:?}", story.told);
    assert!(!story.told.contains(&"!kill web SIGTERM".to_owned()), "{:?}", story.told);
}

#[test]
fn startsecs_that_change_count_from_the_start() {
    let mut story = Story::one(|web| web.start_secs = 5).begun();
    story.pass(2.0);
    configure(&mut story, vec![alone(999, ProcessSpec { start_secs: 9, ..spec("web") })]);
    update(&mut story, "web");
    story.pass(6.5);
    assert_eq!(story.state("web"), ProcessState::Starting);
    configure(&mut story, vec![alone(999, ProcessSpec { start_secs: 3, ..spec("web") })]);
    update(&mut story, "web");
    assert_eq!(story.state("web"), ProcessState::Running);
}

#[test]
fn autostart_that_comes_starts_what_was_never_started_and_nothing_else() {
    let off = |name: &str| ProcessSpec { autostart: false, ..spec(name) };
    let mut story = Story::of(vec![group("g", [off("new"), off("old")])]).begun();
    story.start("g:old", Wait::No);
    story.stop("g:old", Wait::No);
    story.exits("old", 0);
    configure(&mut story, vec![group("g", [spec("new"), spec("old")])]);
    update(&mut story, "g");
    story.told.retain(|line| line.starts_with('!') && !line.starts_with("!limits"));
    story.tells(&["!spawn new", "!reply 4 new:applied,old:applied"]);
}

#[test]
fn what_needs_a_restart_is_replaced_and_the_rest_is_left_alone() {
    let changed = |name: &str| ProcessSpec { command: "/bin/false".to_owned(), ..spec(name) };
    let mut story = Story::of(vec![group("g", [spec("a"), spec("b"), spec("c"), spec("d")])]).running();
    let old = story.id("b");
    let first = ProcessSpec { priority: 1, ..spec("new") };
    configure(&mut story, vec![group("g", [changed("b"), spec("a"), changed("d"), first])]);
    update(&mut story, "g");
    story.tells(&[
        "INFO updating: 'b' is replaced (command)",
        "INFO updating: 'd' is replaced (command)",
        "!kill c SIGTERM",
        "INFO waiting for c to stop",
        "!kill d SIGTERM",
        "INFO waiting for d to stop",
        "!kill b SIGTERM",
        "INFO waiting for b to stop",
    ]);
    story.exits("b", 0);
    story.exits("d", 0);
    story.tells(&["INFO stopped: b (exit status 0)", "INFO stopped: d (exit status 0)"]);
    assert_eq!(story.id("b"), old, "nothing is entered before the last has left");
    story.exits("c", 0);
    story.tells(&[
        "INFO stopped: c (exit status 0)",
        "!spawn new",
        "!spawn b",
        "!spawn d",
        "!reply 2 b:replaced,a:unchanged,d:replaced,new:added,c:removed",
        "INFO spawned: 'new' with pid 105",
        "INFO spawned: 'b' with pid 106",
        "INFO spawned: 'd' with pid 107",
    ]);
    story.ask(Command::ReloadConfig);
    story.tells(&["!reply 3 Changes { added: [], changed: [], removed: [] }"]);
}

#[test]
fn one_that_does_not_run_is_replaced_at_once_and_autostart_says_the_rest() {
    let off = |name: &str| ProcessSpec { autostart: false, ..spec(name) };
    let mut story = Story::of(vec![group("g", [spec("stopped"), off("off"), spec("dead")])]).begun();
    story.stop("g:stopped", Wait::No);
    story.exits("stopped", 0);
    story.exits("dead", 1);
    let moved = |spec: ProcessSpec| ProcessSpec { directory: Some("/".into()), ..spec };
    let all = [moved(spec("stopped")), moved(off("off")), moved(spec("dead"))];
    configure(&mut story, vec![group("g", all)]);
    update(&mut story, "g");
    story.told.retain(|line| line.starts_with('!'));
    story.tells(&["!spawn stopped", "!spawn dead", "!reply 3 stopped:replaced,off:replaced,dead:replaced"]);
}

#[test]
fn a_group_of_another_kind_is_replaced_as_a_whole() {
    let mut story = Story::one(|_| ()).running();
    configure(&mut story, vec![group("web", [spec("web")])]);
    update(&mut story, "web");
    story.exits("web", 0);
    story.tells(&[
        "INFO updating: 'web' is replaced (kind of its group)",
        "!kill web SIGTERM",
        "INFO waiting for web to stop",
        "INFO stopped: web (exit status 0)",
        "!spawn web",
        "!reply 2 web:replaced",
        "INFO spawned: 'web' with pid 102",
    ]);
}

/// A group with a process that is leaving and one that has left already.
fn while_it_updates() -> Story {
    let changed = |name: &str| ProcessSpec { umask: Some(0o77), ..spec(name) };
    let mut story = Story::of(vec![group("g", [spec("slow"), spec("quick"), spec("same")])]).running();
    configure(&mut story, vec![group("g", [changed("slow"), changed("quick"), spec("same")])]);
    update(&mut story, "g");
    story.exits("quick", 0);
    story.told.clear();
    story
}

#[test]
fn while_a_group_is_updated_nothing_else_can_be_made_of_it() {
    let mut story = while_it_updates();
    for name in ["g:slow", "g:quick", "g:same"] {
        story.start(name, Wait::Yes);
    }
    story.ask(Command::StartProcessGroup("g".to_owned(), Wait::No));
    story.ask(Command::RemoveProcessGroup("g".to_owned()));
    story.ask(Command::AddProcessGroup("g".to_owned()));
    update(&mut story, "g");
    story.stop("g:slow", Wait::Yes);
    story.tells(&[
        "!reply 3 ABNORMAL_TERMINATION: g:slow is leaving, its group is being updated",
        "!reply 4 ABNORMAL_TERMINATION: g:quick is leaving, its group is being updated",
        "!reply 5 ALREADY_STARTED: g:same",
        "!reply 6 slow:ABNORMAL_TERMINATION: g:slow is leaving, its group is being updated,\
         quick:ABNORMAL_TERMINATION: g:quick is leaving, its group is being updated",
        "!reply 7 STILL_RUNNING: g",
        "!reply 8 ALREADY_ADDED: g",
        "!reply 9 FAILED: an update of g is under way",
        "!reply 10 NOT_RUNNING: g:slow",
    ]);
    update(&mut story, "nope");
    story.tells(&["!reply 11 BAD_NAME: nope"]);
    story.exits("slow", 0);
    story.told.retain(|line| line.starts_with('!'));
    story.tells(&["!spawn slow", "!spawn quick", "!reply 2 slow:replaced,quick:replaced,same:unchanged"]);
}

#[test]
fn an_update_makes_what_was_configured_when_it_was_asked_for() {
    let mut story = while_it_updates();
    configure(&mut story, Vec::new());
    story.exits("slow", 0);
    story.told.retain(|line| line.starts_with('!'));
    story.tells(&["!spawn slow", "!spawn quick", "!reply 2 slow:replaced,quick:replaced,same:unchanged"]);
    update(&mut story, "g");
    story.tells(&["!reply 4 BAD_NAME: g"]);
}

#[test]
fn a_shutdown_ends_an_update() {
    for signal in [Signal::TERM, Signal::HUP] {
        let mut story = while_it_updates();
        story.signal(signal);
        assert!(story.told.contains(&"!reply 2 SHUTDOWN_STATE".to_owned()), "{:?}", story.told);
        story.exits("slow", 0);
        story.exits("same", 0);
        assert!(!story.told.iter().any(|line| line.starts_with("!spawn")), "{:?}", story.told);
        assert!(story.told.last().unwrap().starts_with("!stopped"), "{:?}", story.told);
    }
}

#[test]
fn an_update_goes_on_over_a_restart_that_is_refused() {
    let mut story = while_it_updates();
    story.broken_settings = Some("bad");
    story.signal(Signal::HUP);
    story.exits("slow", 0);
    let done = "!reply 2 slow:replaced,quick:replaced,same:unchanged".to_owned();
    assert!(story.told.contains(&done), "{:?}", story.told);
}

#[test]
fn what_can_not_be_stopped_stays_and_is_told() {
    let mut story = Story::of(vec![group("g", [spec("a"), spec("b")])]).running();
    configure(&mut story, vec![group("g", [ProcessSpec { umask: Some(0o77), ..spec("a") }])]);
    story.send_error = Some(SendError::Failed("EPERM".to_owned()));
    update(&mut story, "g");
    story.told.retain(|line| line.starts_with("!reply"));
    story.tells(&[
        "!reply 2 a:FAILED: g:a is in an unknown process state,b:FAILED: g:b is in an unknown process state",
    ]);
    story.ask(Command::ReloadConfig);
    story.tells(&["!reply 3 Changes { added: [], changed: [\"g\"], removed: [] }"]);
    story.exits("a", 0);
    story.exits("b", 0);
    update(&mut story, "g");
    story.told.retain(|line| line.starts_with('!'));
    story.tells(&["!spawn a", "!reply 4 a:replaced,b:removed"]);
}

#[test]
fn those_who_wait_for_a_leaving_process_are_answered() {
    let mut story = Story::one(|web| web.autostart = false).begun();
    story.start("web", Wait::Yes);
    configure(&mut story, vec![alone(999, ProcessSpec { umask: Some(0o77), ..spec("web") })]);
    update(&mut story, "web");
    story.exits("web", 0);
    story.told.retain(|line| line.starts_with('!'));
    story.tells(&[
        "!kill web SIGTERM",
        "!reply 1 ABNORMAL_TERMINATION: web",
        "!spawn web",
        "!reply 3 web:replaced",
    ]);
}

#[test]
fn auto_logs_stay_with_the_process_and_are_made_for_its_successor() {
    let auto = |change: fn(&mut ProcessSpec)| {
        let mut web = spec("web");
        web.stdout.target = LogTarget::Auto;
        change(&mut web);
        alone(999, web)
    };
    let mut story = Story::of(vec![auto(|_| ())]).running();
    let log = |story: &Story| story.supervisor.log_targets(story.id("web")).unwrap()[0].clone();
    let first = log(&story);
    assert_eq!(first, LogTarget::File("/auto/1-out".into()));
    configure(&mut story, vec![auto(|web| web.priority = 1)]);
    update(&mut story, "web");
    assert_eq!(log(&story), first);
    configure(&mut story, vec![auto(|web| web.umask = Some(0))]);
    update(&mut story, "web");
    story.exits("web", 0);
    assert_eq!(log(&story), LogTarget::File("/auto/2-out".into()));
}

#[test]
fn groups_without_processes_are_added_updated_and_removed() {
    let mut story = Story::of(vec![group("g", [])]).begun();
    update(&mut story, "g");
    story.ask(Command::RemoveProcessGroup("g".to_owned()));
    story.ask(Command::ReloadConfig);
    story.next_groups = vec![group("g", [])];
    story.ask(Command::ReloadConfig);
    story.ask(Command::AddProcessGroup("g".to_owned()));
    story.ask(Command::GetAllProcessInfo);
    story.tells(&[
        "!reply 1 ",
        "!reply 2 done",
        "!reply 3 Changes { added: [], changed: [], removed: [] }",
        "!reply 4 Changes { added: [\"g\"], changed: [], removed: [] }",
        "!reply 5 done",
        "!reply 6 AllInfo([])",
    ]);
}

#[test]
fn the_configuration_is_told_by_the_names_of_processes_alone() {
    let groups = vec![group("a", [spec("z"), spec("m")]), alone(1, spec("b")), group("c", [spec("m")])];
    let story = Story::of(groups);
    let Reply::AllConfig(infos) = story.supervisor.all_config() else { panic!("another reply") };
    let names: Vec<_> =
        infos.iter().map(|info| (info.process.group.as_str(), info.process.name.as_str())).collect();
    assert_eq!(names, [("b", "b"), ("a", "m"), ("c", "m"), ("a", "z")]);
}

fn end_of(rules: Rules, groups: Vec<GroupSpec>) -> Story {
    let mut story = Story::of(groups);
    story.supervisor = story.supervisor.under(rules);
    story
}

const IDLE_ENDS: fn() -> Rules = || Rules { on_idle: OnIdle::Exit, ..Rules::default() };

#[test]
fn a_program_that_matters_ends_everything_with_its_status() {
    for (status, expected) in [
        (ExitStatus::Exited(0), "!stopped 0: web ended: exit status 0"),
        (ExitStatus::Exited(3), "!stopped 3: web ended: exit status 3"),
        (KILLED, "!stopped 137: web ended: terminated by SIGKILL"),
    ] {
        let web = ProcessSpec { on_exit: OnEnd::Shutdown, autorestart: AutoRestart::Always, ..spec("web") };
        let mut story = Story::of(vec![alone(1, spec("db")), alone(999, web)]).running();
        story.ends("web", status);
        assert_eq!(story.told.last().unwrap(), "INFO waiting for db to die");
        story.told.clear();
        story.exits("db", 0);
        story.tells(&["INFO stopped: db (exit status 0)", expected]);
    }
}

#[test]
fn a_stop_by_request_ends_nothing_and_changes_no_status() {
    let mut story = Story::one(|web| web.on_exit = OnEnd::Shutdown).running();
    story.stop("web", Wait::No);
    story.exits("web", 3);
    assert_eq!(story.supervisor.state(), SupervisorState::Running);
    story.start("web", Wait::No);
    story.pass(2.0);
    story.signal(Signal::TERM);
    story.exits("web", 3);
    assert_eq!(story.told.last().unwrap(), "!stopped End");
}

#[test]
fn too_quick_an_exit_is_a_failed_start_and_on_fatal_decides() {
    let mut story = Story::one(|web| {
        (web.on_exit, web.on_fatal) = (OnEnd::Shutdown, OnEnd::Shutdown);
        web.start_retries = StartRetries::Times(1);
    })
    .begun();
    story.exits("web", 4);
    assert_eq!(story.supervisor.state(), SupervisorState::Running);
    story.pass(1.0);
    story.told.clear();
    story.exits("web", 5);
    story.tells(&[
        "WARN exited: web (exit status 5; not expected)",
        "INFO gave up: web entered FATAL state, too many start retries too quickly",
        "WARN web failed: exit status 5, too quickly to count as started; shutting down",
        "!stopped 5: web failed: exit status 5, too quickly to count as started",
    ]);
}

#[test]
fn a_failure_never_ends_with_status_0() {
    let mut story =
        Story::one(|web| (web.on_fatal, web.start_retries) = (OnEnd::Shutdown, StartRetries::Times(0)))
            .begun();
    story.exits("web", 0);
    assert!(story.told.last().unwrap().starts_with("!stopped 1: "), "{:?}", story.told);
}

#[test]
fn what_can_not_be_spawned_ends_with_a_shells_status() {
    let mut story =
        Story::one(|web| (web.on_fatal, web.start_retries) = (OnEnd::Shutdown, StartRetries::Times(0)));
    story.spawn_errors.push_back("command at '/x' is not executable");
    let mut story = story.begun();
    story.told.drain(..3);
    story.tells(&[
        "WARN web failed: command at '/x' is not executable; shutting down",
        "!stopped 126: web failed: command at '/x' is not executable",
    ]);
}

#[test]
fn an_idle_supervisor_ends_when_told_so() {
    let never = |name: &str| ProcessSpec { autorestart: AutoRestart::Never, ..spec(name) };
    let mut story = end_of(IDLE_ENDS(), vec![alone(1, never("a")), group("g", [never("b")])]).running();
    story.exits("a", 0);
    assert_eq!(story.supervisor.state(), SupervisorState::Running);
    story.exits("b", 0);
    assert_eq!(story.told.last().unwrap(), "!stopped 0: no program is left, all ended as expected");

    let mut story = end_of(IDLE_ENDS(), vec![alone(1, never("a")), group("g", [never("b")])]).running();
    story.exits("b", 6);
    story.exits("a", 0);
    assert_eq!(story.told.last().unwrap(), "!stopped 6: no program is left, and g:b failed: exit status 6");
}

#[test]
fn what_is_restarted_or_was_stopped_by_hand_is_not_idle() {
    let mut story = end_of(IDLE_ENDS(), vec![alone(999, spec("web"))]).running();
    story.exits("web", 1);
    assert_eq!(story.state("web"), ProcessState::Starting);
    story.pass(2.0);
    story.stop("web", Wait::No);
    story.exits("web", 0);
    assert_eq!(
        (story.state("web"), story.supervisor.state()),
        (ProcessState::Stopped, SupervisorState::Running)
    );
}

#[test]
fn with_nothing_to_start_an_idle_supervisor_ends_at_once() {
    let by_hand = ProcessSpec { autostart: false, ..spec("web") };
    let mut story = end_of(IDLE_ENDS(), vec![alone(999, by_hand)]).begun();
    assert!(story.told.last().unwrap().starts_with("!stopped 0: "), "{:?}", story.told);
    story.told.clear();
    let mut story = Story::of(Vec::new()).begun();
    story.tells(&[]);
}

#[test]
fn an_end_during_a_shutdown_does_not_change_its_reason() {
    let vital = |name: &str| ProcessSpec { on_exit: OnEnd::Shutdown, ..spec(name) };
    let mut story = Story::of(vec![alone(1, vital("db")), alone(999, vital("web"))]).running();
    story.exits("web", 3);
    story.exits("db", 9);
    assert_eq!(story.told.last().unwrap(), "!stopped 3: web ended: exit status 3");
    let mut story = Story::of(vec![alone(1, vital("db")), alone(999, vital("web"))]).running();
    story.signal(Signal::TERM);
    story.exits("db", 9);
    story.exits("web", 3);
    assert_eq!(story.told.last().unwrap(), "!stopped End");
}

#[test]
fn a_bound_shutdown_kills_what_is_left_whoevers_turn_it_is() {
    let rules = Rules { shutdown_timeout_secs: Some(4), ..Rules::default() };
    let mut story = end_of(rules, vec![alone(1, spec("db")), alone(999, spec("web"))]).running();
    story.signal(Signal::TERM);
    story.pass(3.9);
    story.told.clear();
    story.pass(0.2);
    story.tells(&[
        "WARN shutdown_timeout is over: killing what is left",
        "!kill web SIGKILL",
        "!kill db SIGKILL",
    ]);
    story.ends("db", KILLED);
    story.ends("web", KILLED);
    assert_eq!(story.told.last().unwrap(), "!stopped End");
}

#[test]
fn signals_do_what_the_rules_say() {
    let forward = SignalAction::Forward(vec!["g:*".to_owned(), "web:web".to_owned(), "gone:*".to_owned()]);
    let signals = BTreeMap::from([
        (Signal::TERM, SignalAction::Ignore),
        (Signal::USR1, forward),
        (Signal::HUP, SignalAction::Reopen),
        (Signal(37), SignalAction::Shutdown),
    ]);
    let groups = vec![alone(999, spec("web")), group("g", [spec("a"), spec("b")])];
    let mut story = end_of(Rules { signals, ..Rules::default() }, groups).running();
    story.exits("b", 0);
    story.told.clear();
    for signal in [Signal::TERM, Signal::USR1, Signal::HUP] {
        story.signal(signal);
    }
    story.tells(&[
        "INFO received SIGUSR1, forwarding it to g:*, web:web, gone:*",
        "!kill a SIGUSR1",
        "!kill web SIGUSR1",
        "INFO received SIGHUP indicating log reopen request",
        "!reopen",
    ]);
    story.signal(Signal(37));
    assert_eq!(story.told[0], "WARN received signal 37 indicating exit request");
}
