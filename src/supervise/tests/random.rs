//! Any inputs in any order, from many seeds: nothing panics, nothing loops, every question is answered once,
//! and every shutdown ends in bounded time, whatever becomes of the processes.

use super::*;

/// As many seconds as the longest shutdown of these stories may take: `stopwaitsecs`, the grace after SIGKILL and
/// two hooks that hang for each of the priorities, and the time for listeners.
const SHUTDOWN_SECS_MAX: f64 = 5.0 * (STOP_WAIT_SECS as f64 + 10.0 + 2.0 * HOOK_SECS_MAX) + 1.0;

/// `hook_timeout`, and the time after which the end of a hook is not waited for any more.
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

/// Each a version of the same groups: changed in place, changed otherwise, with more and with less.
fn versions() -> [Vec<GroupSpec>; 4] {
    let spec = |name: &str| ProcessSpec { stop_wait_secs: STOP_WAIT_SECS, ..spec(name) };
    let limit = Some(RestartLimit { ends: 4, within: Duration::from_secs(20) });
    let quick = ProcessSpec {
        start_secs: 0,
        autorestart: AutoRestart::Always,
        restart_policy: Some(RestartDelays { limit, ..RestartDelays::default() }.into()),
        ..spec("quick")
    };
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
        groups.push(alone(3, hooked(version)));
        groups.push(group("h", checked_while_they_run(STOP_WAIT_SECS, version)));
    }
    versions
}

/// A program with hooks, other ones in each version.
fn hooked(version: usize) -> ProcessSpec {
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
        ..hooks::hooked(without)
    }
}

/// One of the hooks that run ends.
fn hook_ends(story: &mut Story, random: &mut Random) {
    let Some((hook, ..)) = random.of(&story.hooks) else { return };
    story.hooks.retain(|(it, ..)| *it != hook);
    let exited = |code| TaskEnd::Exited(ExitStatus::Exited(code));
    let short = TaskEnd::NotRun(NotSpawned::for_shortage("no memory".to_owned()));
    let end = random.of(&[exited(0), exited(0), exited(1), TaskEnd::TimedOut, short]).unwrap();
    story.input(Input::TaskEnded { child: ChildId::Hook(hook), end, output: Vec::new() });
}

/// Programs that are checked before they run, and a job that ends.
fn starts_of_all_kinds(stop_wait_secs: i64) -> [ProcessSpec; 3] {
    let checks = |checks: Vec<ReadyCheck>| Some(Box::new(ReadinessSpec::new(checks)));
    let probe = ReadyCheck::Probe(Probe::Tcp { host: "127.0.0.1".to_owned(), port: 80 });
    let command = |command: &str| ReadyCheck::Probe(Probe::Exec(command.to_owned()));
    let spec = |name: &str| ProcessSpec { stop_wait_secs, ..spec(name) };
    [
        ProcessSpec {
            readiness: checks(vec![probe, ReadyCheck::StartSecs, ReadyCheck::Notify]),
            ..spec("checked")
        },
        ProcessSpec {
            readiness: checks(vec![command("a"), ReadyCheck::File("/ready".into()), command("b")]),
            ready_timeout: Some(Duration::from_secs(7)),
            ..spec("asked")
        },
        ProcessSpec {
            program_type: ProgramType::Oneshot,
            ready_timeout: Some(Duration::from_secs(20)),
            ..spec("job")
        },
    ]
}

/// Programs whose health is checked. Another version checks otherwise, and does something else about it.
fn checked_while_they_run(stop_wait_secs: i64, version: usize) -> [ProcessSpec; 3] {
    let spec = |name: &str, check: HealthCheck, on_unhealthy: OnUnhealthy, retries: u32| {
        let (interval, timeout) = (Duration::from_millis(900), Duration::from_secs(2));
        let health = HealthSpec { on_unhealthy, retries, interval, timeout, ..HealthSpec::new(check) };
        let autorestart = [AutoRestart::Always, AutoRestart::Never][version % 2];
        ProcessSpec {
            stop_wait_secs,
            start_secs: 0,
            autorestart,
            health: Some(Box::new(health)),
            ..spec(name)
        }
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

/// A process reports something of its health.
fn reported(story: &mut Story, random: &mut Random) {
    let alive: Vec<_> = story.alive.keys().copied().collect();
    let notifications = [
        Notification::Watchdog,
        Notification::Watchdog,
        Notification::WatchdogTrigger,
        Notification::MainPid(Pid(9000 + random.below(2) as i32)),
        Notification::WatchdogInterval(Duration::from_millis(random.below(3_000))),
    ];
    if let Some((process, notification)) = random.of(&alive).zip(random.of(&notifications)) {
        story.input(Input::Notified { process, notifications: vec![notification] });
    }
}

/// What is checked of a process has an outcome, or a process reports that it is ready or healthy.
fn check_answered(story: &mut Story, random: &mut Random) {
    if random.one_in(6) {
        return reported(story, random);
    }
    if random.one_in(3) {
        let check = random.below(3) as usize;
        let process = ProcessId(1 + random.below(story.supervisor.next_process));
        let pid = story.pids_in_use.get(&process).copied().unwrap_or(Pid(1));
        return story.input(Input::ReadyReported { process, pid, check });
    }
    let Some(probe) = random.of(&story.probes) else { return };
    story.probes.retain(|it| *it != probe);
    let code = random.below(2) as u8;
    if random.one_in(2) {
        let not_run = TaskEnd::NotRun(NotSpawned::for_shortage("too many open files".to_owned()));
        let end =
            random.of(&[TaskEnd::Exited(ExitStatus::Exited(code)), TaskEnd::TimedOut, not_run]).unwrap();
        return story.input(Input::TaskEnded { child: ChildId::Probe(probe), end, output: Vec::new() });
    }
    let outcome = if code == 0 { Ok(()) } else { Err(ProbeFailure::of_program("connection refused")) };
    story.input(Input::Probed { probe, outcome });
}

/// One thing that happens. Only children of this story end, and only those that can.
fn happen(story: &mut Story, random: &mut Random, versions: &[Vec<GroupSpec>; 4]) {
    let name = ["db", "g", "p", "job", "web"][random.below(5) as usize];
    let process = if name == "g" || name == "p" { "g:app" } else { name };
    match random.below(27) {
        0 => story.ask(Command::StartAllProcesses(Wait::Yes)),
        1 => story.ask(Command::StopAllProcesses(Wait::Yes)),
        2 => story.start(process, if random.one_in(2) { Wait::Yes } else { Wait::No }),
        3 => story.pass(random.below(4_000) as f64 / 1000.0),
        4 => story.send_error = random.one_in(4).then(|| SendError::Failed("EPERM".to_owned())),
        5 => {
            story.spawn_errors.extend(random.one_in(3).then_some("no"));
            story.is_short = random.one_in(8);
        }
        6 if random.one_in(20) => story.signal(Signal::TERM),
        6 if random.one_in(20) => story.signal(Signal::HUP),
        7 => {
            story.next_groups = versions[random.below(4) as usize].clone();
            story.ask(Command::ReloadConfig);
        }
        8 => update(story, name),
        9 => story.ask(Command::SendStdin(Namespec::split(name), "x".to_owned())),
        10 | 11 => {
            let said = [&b"READY\n"[..], b"RESULT 2\nOKREADY\n", b"RESULT 4\nFAIL", b"RESU", b"no\n"];
            let bytes = said[random.below(5) as usize].to_owned();
            let process = ProcessId(1 + random.below(story.supervisor.next_process));
            story.input(Input::ListenerSaid { process, bytes });
            story.event_error = random.one_in(20).then_some(StdinError::Closed);
        }
        12 => {
            let pids = || Members::Some(vec![Pid(4000)]);
            story.members = random.of(&[Members::None, pids(), pids(), Members::Unknown]).unwrap();
        }
        13 => {
            story.orphan_ends();
            story.clock_step_ms = [0, 0, 86_400_000, -500][random.below(4) as usize];
        }
        // The kernel begins again with its lowest numbers.
        14 if random.one_in(2) => story.pids = 100,
        14 => story.stop(process, if random.one_in(2) { Wait::Yes } else { Wait::No }),
        15..=17 => check_answered(story, random),
        22..=24 => hook_ends(story, random),
        25 | 26 => restart_rolling(story, random, name),
        _ => {
            let alive: Vec<_> = story.alive.keys().copied().collect();
            if let Some(process) = random.of(&alive) {
                let status = [ExitStatus::Exited(random.below(3) as u8), KILLED][random.below(2) as usize];
                story.end(process, status);
            }
        }
    }
}

/// A rolling restart begins, or one of the last requests is cancelled.
fn restart_rolling(story: &mut Story, random: &mut Random, group: &str) {
    if random.one_in(3) {
        let ticket = Ticket(story.tickets.saturating_sub(random.below(3)));
        return story.input(Input::Cancelled { ticket });
    }
    let timeout = random.of(&[None, Some(Duration::from_secs(2))]).unwrap();
    let limits = BatchLimits { size: random.below(3) as usize, timeout };
    story.ask(Command::RestartRolling(Namespec::split(&format!("{group}:*")), limits));
}

fn check_invariants(story: &Story) {
    let known: BTreeSet<_> =
        story.supervisor.groups.iter().flat_map(|group| group.members.iter().copied()).collect();
    assert!(story.supervisor.processes.iter().map(|it| it.id).eq(known), "all processes are in a group");
    for pool in story.supervisor.groups.iter().filter_map(|group| group.pool.as_ref()) {
        assert!(pool.waiting() <= 6, "{pool:?}");
    }
    let may_start = story.supervisor.allows_starts();
    let deadline = story.supervisor.processes.iter().filter_map(|it| it.deadline(may_start)).min();
    assert_eq!(story.supervisor.processes.deadline(), deadline, "the index is in step");
    story.supervisor.check_operations();
    let hooks = story.hooks.iter().map(|(hook, ..)| *hook);
    let tasks: BTreeSet<_> = story.probes.iter().copied().chain(hooks).collect();
    assert!(story.supervisor.tasks.open().eq(tasks), "each task that is under way is waited for");
    check_hooks(story);
    let pending = |process: &&Process| process.is_pending() || !may_start && process.remaining.is_some();
    let priority = story.supervisor.processes.iter().filter(pending).map(|it| it.stop_rank).max();
    assert_eq!(story.supervisor.processes.highest_pending_rank(), priority, "the index is in step");
}

/// What waits for a hook is started or stopped by its end or by its deadline.
fn check_hooks(story: &Story) {
    for process in story.supervisor.processes.iter() {
        let hooks: Vec<_> = story.hooks.iter().filter(|(_, id, _)| *id == process.id).collect();
        assert!(hooks.len() <= 3, "{hooks:?}");
        let runs = |point: &str| hooks.iter().any(|(.., it)| it == point);
        let is_due = process.hooks_deadline().is_some() || process.has_stopping_members();
        assert!(is_due || hooks.is_empty() && !process.has_hooks_after_end(), "{hooks:?} may hang");
        assert_eq!(runs("pre_start"), process.runs_pre_start());
        assert_eq!(runs("pre_stop"), process.runs_pre_stop());
        let is_unspawned = process.is_starting() && process.pid().is_none();
        assert_eq!(runs("pre_start"), is_unspawned, "it is spawned once its pre_start has ended");
        if process.is_waiting() && process.spec.is_independent() && story.supervisor.allows_starts() {
            assert!(
                process.has_open_post_stop() || story.supervisor.has_pending_starts(),
                "it waits for nothing"
            );
        }
    }
}

fn replies(story: &Story) -> u64 {
    story.told.iter().filter(|line| line.starts_with("!reply")).count() as u64
}

/// Whether the supervisor is done; one that is to begin again does.
fn is_done(story: &mut Story) -> bool {
    match story.told.iter().rev().find(|line| line.starts_with("!stopped")).map(String::as_str) {
        None => false,
        Some("!stopped Restart") => story.supervisor.state() == SupervisorState::Restarting,
        Some(_) => true,
    }
}

/// What is left alive after the end: children that SIGKILL does not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    Leaders,
    Members,
}

fn ends(seed: u64, left: Left, kind: u64) {
    let mut random = Random(seed);
    let versions = versions();
    let shutdown_timeout_secs = [None, Some(3)][random.below(2) as usize];
    let rules = Rules { shutdown_timeout_secs, ..Rules::default() };
    let mut story = end_of(rules, versions[0].clone());
    story.round_trips = Some(0);
    let mut story = story.begun();
    for _ in 0..80 {
        happen(&mut story, &mut random, &versions);
        check_invariants(&story);
        if is_done(&mut story) {
            break;
        }
    }
    story.send_error = None;
    story.members = if left == Left::Members { Members::Unknown } else { Members::None };
    let first = if kind == 0 { Signal::HUP } else { Signal::TERM };
    story.signal(first);
    if kind == 2 {
        story.pass(1.5);
        story.signal(Signal::TERM);
    }
    let alive: Vec<_> = story.alive.keys().copied().collect();
    for process in alive.into_iter().filter(|_| left != Left::Leaders) {
        story.end(process, ExitStatus::Exited(0));
        check_invariants(&story);
    }
    // What lives is waited for, but not for ever.
    story.pass(SHUTDOWN_SECS_MAX);
    assert!(is_done(&mut story), "seed {seed} {left:?} {kind}: it never ends\n{}", story.told.join("\n"));
    // Until the last moment.
    story.signal(Signal::TERM);
    let ends: Vec<_> = story.told.iter().filter(|line| line.starts_with("!stopped")).collect();
    assert!(ends.last().is_some_and(|end| *end != "!stopped Restart"), "seed {seed}: TERM is lost {ends:?}");
    assert_eq!(replies(&story), story.tickets, "seed {seed}: every question is answered once");
    assert_eq!(story.supervisor.check_operations(), 0, "seed {seed}: an operation is left open");
    let supervisor = &story.supervisor;
    let deadlines =
        [supervisor.processes.deadline(), supervisor.look_deadline(), supervisor.operations.deadline()];
    assert_eq!(deadlines, [None; 3], "seed {seed}: but for ticks, nothing is due");
    check_invariants(&story);
}

#[test]
fn any_inputs_in_any_order_end_in_order() {
    let mut seeds = Random(0x2545_f491_4f6c_dd1d);
    for number in 0..600 {
        let left = [Left::Nothing, Left::Leaders, Left::Members][number % 3];
        ends(seeds.below(u64::MAX), left, (number / 3 % 3) as u64);
    }
}
