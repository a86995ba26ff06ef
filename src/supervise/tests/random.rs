//! Random inputs from many seeds: nothing panics, nothing loops, every request is answered once,
//! and every shutdown ends in bounded time, whatever happens to the processes.

use super::*;

/// The longest shutdown of these scenarios in seconds: `stopwaitsecs`, the grace period after SIGKILL and
/// two hooks that hang for each of the priorities, and the time for listeners.
const SHUTDOWN_SECS_MAX: f64 = 5.0 * (STOP_WAIT_SECS as f64 + 10.0 + 2.0 * HOOK_SECS_MAX) + 1.0;

/// `hook_timeout`, and the time after which a hook is given up.
const HOOK_SECS_MAX: f64 = 5.0 + 10.0;

const STOP_WAIT_SECS: i64 = 10;

pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    pub(super) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    pub(super) fn of<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        all.get(self.below(all.len().max(1) as u64) as usize).cloned()
    }
}

/// Versions of the same groups: changed in place, changed otherwise, with more and with fewer processes.
fn versions() -> [Vec<GroupSpec>; 4] {
    let spec = |name: &str| ProcessSpec { stop_wait_secs: STOP_WAIT_SECS, ..spec(name) };
    let limit = Some(RestartLimit { ends: 4, within: Duration::from_secs(20) });
    let policy = RestartDelays { limit, ..RestartDelays::default() };
    let quick = ProcessSpec { start_secs: 0, autorestart: AutoRestart::Always, ..spec("quick") };
    let quick = quick.with_lifecycle(|it| it.restart_policy = Some(policy.into()));
    let moved = ProcessSpec { directory: Some("/".into()), ..quick.clone() };
    let app = ProcessSpec { stop_as_group: true, kill_as_group: true, ..spec("app") };
    let db = ProcessSpec { kill_as_group: true, ..spec("db") };
    let vital =
        ProcessSpec { on_fatal: OnEnd::Shutdown, start_retries: StartRetries::Times(1), ..spec("third") };
    let job = schedules::job("@every 2s", |it| it.overlap = Overlap::Queue);
    let rescheduled = schedules::job("@every 3s", |it| it.overlap = Overlap::Restart);
    let mut versions = [
        vec![alone(1, db.clone()), group("g", [app.clone(), quick.clone()])],
        vec![alone(5, db.clone()), group("g", [ProcessSpec { start_secs: 3, ..app.clone() }, moved.clone()])],
        vec![group("db", [db.clone()]), group("g", [quick, app, vital])],
        vec![alone(1, ProcessSpec { umask: Some(0), ..db }), group("g", [moved])],
    ];
    for (version, groups) in versions.iter_mut().enumerate().filter(|(version, _)| *version != 2) {
        groups.push(alone(7, if version == 3 { rescheduled.clone() } else { job.clone() }));
        groups.push(listeners::pool("p", &[EventType::Event], &["l", "m"], 3 + version));
        groups.push(group("r", starts_of_all_kinds(STOP_WAIT_SECS)));
        groups.push(alone(3, with_hooks(version)));
        groups.push(group("h", checked_while_they_run(STOP_WAIT_SECS, version)));
    }
    versions
}

/// A program with hooks, which differ in each version.
fn with_hooks(version: usize) -> ProcessSpec {
    let without = |hooks: &mut Hooks| match version {
        0 => {}
        1 => (hooks.pre_start, hooks.on_failure) = (None, None),
        _ => (hooks.post_start, hooks.post_stop) = (None, None),
    };
    ProcessSpec {
        stop_wait_secs: STOP_WAIT_SECS,
        start_secs: version as i64,
        autorestart: AutoRestart::Always,
        start_retries: StartRetries::Times(1),
        kill_as_group: version == 1,
        umask: (version == 3).then_some(0),
        ..hooks::with_hooks(without)
    }
}

/// Ends one of the running hooks.
fn end_random_hook(scenario: &mut Scenario, random: &mut Random) {
    let Some((hook, ..)) = random.of(&scenario.hooks) else { return };
    scenario.hooks.retain(|(it, ..)| *it != hook);
    let exited = |code| TaskEnd::Exited(ExitStatus::Exited(code));
    let short = TaskEnd::NotRun(NotSpawned::for_shortage("no memory".to_owned()));
    let end = random.of(&[exited(0), exited(0), exited(1), TaskEnd::TimedOut, short]).unwrap();
    scenario.input(Input::TaskEnded { child: ChildId::Hook(hook), end, output: Vec::new() });
}

/// Programs with readiness checks, and a job that ends.
fn starts_of_all_kinds(stop_wait_secs: i64) -> [ProcessSpec; 3] {
    let checks = |checks: Vec<ReadyCheck>| Some(Box::new(ReadinessSpec::new(checks)));
    let probe = ReadyCheck::Probe(Probe::Tcp { host: "127.0.0.1".to_owned(), port: 80 });
    let command = |command: &str| ReadyCheck::Probe(Probe::Exec(command.to_owned()));
    let spec = |name: &str| ProcessSpec { stop_wait_secs, ..spec(name) };
    [
        spec("checked").with_lifecycle(|it| {
            it.readiness = checks(vec![probe, ReadyCheck::StartSecs, ReadyCheck::Notify]);
        }),
        spec("asked").with_lifecycle(|it| {
            it.readiness = checks(vec![command("a"), ReadyCheck::File("/ready".into()), command("b")]);
            it.ready_timeout = Some(Duration::from_secs(7));
        }),
        ProcessSpec { program_type: ProgramType::Oneshot, ..spec("job") }
            .with_lifecycle(|it| it.ready_timeout = Some(Duration::from_secs(20))),
    ]
}

/// Programs whose health is checked. The check and its consequence differ in each version.
fn checked_while_they_run(stop_wait_secs: i64, version: usize) -> [ProcessSpec; 3] {
    let spec = |name: &str, check: HealthCheck, on_unhealthy: OnUnhealthy, retries: u32| {
        let (interval, timeout) = (Duration::from_millis(900), Duration::from_secs(2));
        let health = HealthSpec { on_unhealthy, retries, interval, timeout, ..HealthSpec::new(check) };
        let autorestart = [AutoRestart::Always, AutoRestart::Never][version % 2];
        ProcessSpec { stop_wait_secs, start_secs: 0, autorestart, ..spec(name) }
            .with_lifecycle(|it| it.health = Some(Box::new(health)))
    };
    let command = HealthCheck::Probe(Probe::Exec("ask".to_owned()));
    let socket = HealthCheck::Probe(Probe::Unix("/socket".into()));
    let [first, second] = if version == 1 { [socket, command] } else { [command, socket] };
    [
        spec("asked", first, OnUnhealthy::Restart, 1 + version as u32),
        spec("ignored", second, OnUnhealthy::Ignore, 1),
        spec("reporting", HealthCheck::Notify, OnUnhealthy::Restart, 3),
    ]
}

/// Lets a process report its health.
fn random_report(scenario: &mut Scenario, random: &mut Random) {
    let alive: Vec<_> = scenario.alive.keys().copied().collect();
    let notifications = [
        Notification::Watchdog,
        Notification::Watchdog,
        Notification::WatchdogTrigger,
        Notification::MainPid(Pid(9000 + random.below(2) as i32)),
        Notification::WatchdogInterval(Duration::from_millis(random.below(3_000))),
    ];
    if let Some((process, notification)) = random.of(&alive).zip(random.of(&notifications)) {
        scenario.input(Input::Notified { process, notifications: vec![notification] });
    }
}

/// Ends a probe, or lets a process report that it is ready or healthy.
fn answer_random_check(scenario: &mut Scenario, random: &mut Random) {
    if random.one_in(6) {
        return random_report(scenario, random);
    }
    if random.one_in(3) {
        let check = random.below(3) as usize;
        let process = ProcessId(1 + random.below(scenario.supervisor.next_process));
        let pid = scenario.pids_in_use.get(&process).copied().unwrap_or(Pid(1));
        return scenario.input(Input::ReadyReported { process, pid, check });
    }
    let Some(probe) = random.of(&scenario.probes) else { return };
    scenario.probes.retain(|it| *it != probe);
    let code = random.below(2) as u8;
    if random.one_in(2) {
        let not_run = TaskEnd::NotRun(NotSpawned::for_shortage("too many open files".to_owned()));
        let end =
            random.of(&[TaskEnd::Exited(ExitStatus::Exited(code)), TaskEnd::TimedOut, not_run]).unwrap();
        return scenario.input(Input::TaskEnded { child: ChildId::Probe(probe), end, output: Vec::new() });
    }
    let outcome = if code == 0 { Ok(()) } else { Err(ProbeFailure::of_program("connection refused")) };
    scenario.input(Input::Probed { probe, outcome });
}

/// Applies one random input. Only children of this scenario end, and only those that can.
fn random_input(scenario: &mut Scenario, random: &mut Random, versions: &[Vec<GroupSpec>; 4]) {
    let name = ["db", "g", "p", "job", "web"][random.below(5) as usize];
    let process = if name == "g" || name == "p" { "g:app" } else { name };
    match random.below(31) {
        0 => scenario.ask(Command::StartAllProcesses(Wait::Yes)),
        1 => scenario.ask(Command::StopAllProcesses(Wait::Yes)),
        2 => scenario.start(process, if random.one_in(2) { Wait::Yes } else { Wait::No }),
        3 => scenario.pass(random.below(4_000) as f64 / 1000.0),
        4 => scenario.send_error = random.one_in(4).then(|| SendError::Failed("EPERM".to_owned())),
        5 => {
            scenario.spawn_errors.extend(random.one_in(3).then_some("no"));
            scenario.is_short = random.one_in(8);
        }
        6 if random.one_in(20) => scenario.signal(Signal::TERM),
        6 if random.one_in(20) => scenario.signal(Signal::HUP),
        7 => {
            scenario.next_groups = versions[random.below(4) as usize].clone();
            scenario.ask(Command::ReloadConfig);
        }
        8 => update(scenario, name),
        9 => scenario.ask(Command::SendStdin(Namespec::split(name), "x".to_owned())),
        10 | 11 => {
            let said = [&b"READY\n"[..], b"RESULT 2\nOKREADY\n", b"RESULT 4\nFAIL", b"RESU", b"no\n"];
            let bytes = said[random.below(5) as usize].to_owned();
            let process = ProcessId(1 + random.below(scenario.supervisor.next_process));
            scenario.input(Input::ListenerSaid { process, bytes });
            scenario.event_error = random.one_in(20).then_some(StdinError::Closed);
        }
        12 => {
            let pids = || Members::Some(vec![Pid(4000)]);
            scenario.members = random.of(&[Members::None, pids(), pids(), Members::Unknown]).unwrap();
        }
        13 => {
            scenario.end_orphan();
            scenario.clock_step_ms = [0, 0, 86_400_000, -500][random.below(4) as usize];
        }
        // The kernel starts again at its lowest pids.
        14 if random.one_in(2) => scenario.pids = 100,
        14 => scenario.stop(process, if random.one_in(2) { Wait::Yes } else { Wait::No }),
        15..=17 => answer_random_check(scenario, random),
        22..=24 => end_random_hook(scenario, random),
        25 | 26 => restart_rolling(scenario, random, name),
        27 => scenario.ask(Command::GetDiff),
        29 => scenario.ask(Command::RestartAllProcesses),
        30 => {
            scenario.next_groups = versions[random.below(4) as usize].clone();
            scenario.ask(Command::Update(random.one_in(2).then(|| name.to_owned())));
        }
        28 => scenario.ask(Command::Scale { program: "quick".to_owned(), processes: random.below(4) as u32 }),
        _ => {
            let alive: Vec<_> = scenario.alive.keys().copied().collect();
            if let Some(process) = random.of(&alive) {
                let status = [ExitStatus::Exited(random.below(3) as u8), KILLED][random.below(2) as usize];
                scenario.end_id(process, status);
            }
        }
    }
}

/// Begins a rolling restart, or cancels one of the last requests.
fn restart_rolling(scenario: &mut Scenario, random: &mut Random, group: &str) {
    if random.one_in(3) {
        let ticket = Ticket(scenario.tickets.saturating_sub(random.below(3)));
        return scenario.input(Input::Cancelled { ticket });
    }
    let timeout = random.of(&[None, Some(Duration::from_secs(2))]).unwrap();
    let limits = BatchLimits { size: random.below(3) as usize, timeout };
    scenario.ask(Command::RestartRolling(Namespec::split(&format!("{group}:*")), limits));
}

fn check_invariants(scenario: &Scenario) {
    let known: BTreeSet<_> =
        scenario.supervisor.groups.iter().flat_map(|group| group.members.iter().copied()).collect();
    assert!(scenario.supervisor.processes.iter().map(|it| it.id).eq(known), "all processes are in a group");
    for pool in scenario.supervisor.groups.iter().filter_map(|group| group.pool.as_ref()) {
        assert!(pool.waiting() <= 6, "{pool:?}");
    }
    let may_start = scenario.supervisor.allows_starts();
    let deadline = scenario.supervisor.processes.iter().filter_map(|it| it.deadline(may_start)).min();
    assert_eq!(scenario.supervisor.processes.deadline(), deadline, "the index is in step");
    scenario.supervisor.check_operations();
    let hooks = scenario.hooks.iter().map(|(hook, ..)| *hook);
    let tasks: BTreeSet<_> = scenario.probes.iter().copied().chain(hooks).collect();
    assert!(scenario.supervisor.tasks.open().eq(tasks), "each task that is under way is waited for");
    check_hooks(scenario);
    let pending = |process: &&Process| process.is_pending() || !may_start && process.remaining.is_some();
    let priority = scenario.supervisor.processes.iter().filter(pending).map(|it| it.stop_rank).max();
    assert_eq!(scenario.supervisor.processes.highest_pending_rank(), priority, "the index is in step");
}

/// Asserts that what waits for a hook proceeds at its end or its deadline.
fn check_hooks(scenario: &Scenario) {
    for process in scenario.supervisor.processes.iter() {
        let hooks: Vec<_> = scenario.hooks.iter().filter(|(_, id, _)| *id == process.id).collect();
        assert!(hooks.len() <= 3, "{hooks:?}");
        let runs = |point: &str| hooks.iter().any(|(.., it)| it == point);
        let is_due = process.hooks_deadline().is_some() || process.has_stopping_members();
        assert!(is_due || hooks.is_empty() && !process.has_hooks_after_end(), "{hooks:?} may hang");
        assert_eq!(runs("pre_start"), process.runs_pre_start());
        assert_eq!(runs("pre_stop"), process.runs_pre_stop());
        let is_unspawned = process.is_starting() && process.pid().is_none();
        assert_eq!(runs("pre_start"), is_unspawned, "it is spawned once its pre_start has ended");
        if process.is_waiting() && process.spec.is_independent() && scenario.supervisor.allows_starts() {
            assert!(
                process.has_open_post_stop() || scenario.supervisor.has_pending_starts(),
                "it waits for nothing"
            );
        }
    }
}

fn replies(scenario: &Scenario) -> u64 {
    scenario.log.iter().filter(|line| line.starts_with("!reply")).count() as u64
}

/// Whether the supervisor has ended; one that restarts begins again.
fn is_done(scenario: &mut Scenario) -> bool {
    match scenario.log.iter().rev().find(|line| line.starts_with("!stopped")).map(String::as_str) {
        None => false,
        Some("!stopped Restart") => scenario.supervisor.state() == SupervisorState::Restarting,
        Some(_) => true,
    }
}

/// Children that survive SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    Leaders,
    Members,
}

fn check_seed(seed: u64, left: Left, kind: u64) {
    let mut random = Random(seed);
    let versions = versions();
    let shutdown_timeout_secs = [None, Some(3)][random.below(2) as usize];
    let rules = Rules { shutdown_timeout_secs, ..Rules::default() };
    let mut scenario = end_of(rules, versions[0].clone());
    scenario.round_trips = Some(0);
    let mut scenario = scenario.begin();
    for _ in 0..80 {
        random_input(&mut scenario, &mut random, &versions);
        check_invariants(&scenario);
        if is_done(&mut scenario) {
            break;
        }
    }
    scenario.send_error = None;
    scenario.members = if left == Left::Members { Members::Unknown } else { Members::None };
    let first = if kind == 0 { Signal::HUP } else { Signal::TERM };
    scenario.signal(first);
    if kind == 2 {
        scenario.pass(1.5);
        scenario.signal(Signal::TERM);
    }
    let alive: Vec<_> = scenario.alive.keys().copied().collect();
    for process in alive.into_iter().filter(|_| left != Left::Leaders) {
        scenario.end_id(process, ExitStatus::Exited(0));
        check_invariants(&scenario);
    }
    // Living processes are awaited, but not forever.
    scenario.pass(SHUTDOWN_SECS_MAX);
    assert!(
        is_done(&mut scenario),
        "seed {seed} {left:?} {kind}: it never ends\n{}",
        scenario.log.join("\n")
    );
    // Until the last moment.
    scenario.signal(Signal::TERM);
    let ends: Vec<_> = scenario.log.iter().filter(|line| line.starts_with("!stopped")).collect();
    assert!(ends.last().is_some_and(|end| *end != "!stopped Restart"), "seed {seed}: TERM is lost {ends:?}");
    assert_eq!(replies(&scenario), scenario.tickets, "seed {seed}: every question is answered once");
    assert_eq!(scenario.supervisor.check_operations(), 0, "seed {seed}: an operation is left open");
    let supervisor = &scenario.supervisor;
    let deadlines =
        [supervisor.processes.deadline(), supervisor.look_deadline(), supervisor.operations.deadline()];
    assert_eq!(deadlines, [None; 3], "seed {seed}: but for ticks, nothing is due");
    check_invariants(&scenario);
}

#[test]
fn random_inputs_keep_the_invariants_and_every_shutdown_ends() {
    let mut seeds = Random(0x2545_f491_4f6c_dd1d);
    for number in 0..600 {
        let left = [Left::Nothing, Left::Leaders, Left::Members][number % 3];
        check_seed(seeds.below(u64::MAX), left, (number / 3 % 3) as u64);
    }
}
