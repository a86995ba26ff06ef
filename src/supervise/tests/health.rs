//! Stories of programs whose health is checked.

use super::dependencies::dependency;
use super::*;

const REFUSED: Result<(), &str> = Err("connection refused");

fn tcp() -> HealthCheck {
    HealthCheck::Probe(Probe::Tcp { host: "127.0.0.1".to_owned(), port: 80 })
}

/// A program that runs at once and is checked.
fn checked(name: &str, change: impl FnOnce(&mut ProcessSpec, &mut HealthSpec)) -> ProcessSpec {
    let mut spec = ProcessSpec { start_secs: 0, ..spec(name) };
    let mut health = HealthSpec::new(tcp());
    change(&mut spec, &mut health);
    ProcessSpec { health: Some(Box::new(health)), ..spec }
}

fn of(spec: ProcessSpec) -> Story {
    let mut story = Story::of(vec![alone(999, spec)]).begun();
    story.told.clear();
    story
}

fn story(change: impl FnOnce(&mut ProcessSpec, &mut HealthSpec)) -> Story {
    of(checked("web", change))
}

/// A program that reports by itself.
fn reporting(change: impl FnOnce(&mut ProcessSpec, &mut HealthSpec)) -> Story {
    story(|web, health| {
        *health = HealthSpec::new(HealthCheck::Notify);
        change(web, health);
    })
}

impl Story {
    /// The next check begins, as nothing is due before it.
    #[track_caller]
    fn begin_check(&mut self) {
        self.probes.clear();
        let due = self.supervisor.deadline().expect("a check is due");
        self.at(due);
        self.input(Input::TimePassed);
        assert_eq!(self.probes.len(), 1, "{:?}", self.told);
        self.told.retain(|line| !line.starts_with("!probe") && !line.starts_with("!run"));
    }

    #[track_caller]
    fn check(&mut self, outcome: Result<(), &str>) {
        self.begin_check();
        self.probed(outcome);
    }

    /// As clients are told of it.
    fn health(&self, name: &str) -> String {
        let turn = Turn { now: self.now, restarts_allowed: true, random: 0 };
        let health = self.supervisor.process(self.id(name)).unwrap().info(&turn).health;
        health.map_or_else(|| "none".to_owned(), |health| health.to_string())
    }

    /// The configuration of the only program is another one, and is applied.
    fn update_to(&mut self, spec: ProcessSpec) {
        self.next_groups = vec![alone(999, spec)];
        self.ask(Command::ReloadConfig);
        update(self, "web");
    }
}

#[test]
fn failures_in_a_row_make_it_unhealthy_and_it_is_restarted() {
    let mut story = story(|_, _| ());
    assert_eq!(story.health("web"), "health: starting");
    story.check(Ok(()));
    story.tells(&["INFO web is healthy"]);
    assert_eq!(story.health("web"), "healthy");
    story.check(REFUSED);
    story.check(REFUSED);
    story.tells(&[
        "INFO health of web: 1 of 3 checks failed: connection refused",
        "INFO health of web: 2 of 3 checks failed: connection refused",
    ]);
    assert_eq!(story.health("web"), "healthy, but 2 of 3 checks failed: connection refused");
    // A success in between: counting starts again.
    story.check(Ok(()));
    story.tells(&[]);
    assert_eq!(story.health("web"), "healthy");
    story.check(REFUSED);
    story.check(REFUSED);
    story.told.clear();
    story.check(REFUSED);
    story.tells(&[
        "WARN web is unhealthy: 3 of 3 checks failed: connection refused; restarting it",
        "!kill web SIGTERM",
    ]);
    assert_eq!((story.state("web"), story.health("web").as_str()), (ProcessState::Stopping, "none"));
    assert_eq!(hint(&story).as_deref(), Some("unhealthy: 3 of 3 checks failed: connection refused"));
    story.exits("web", 0);
    assert_eq!(story.told[..2], ["INFO stopped: web (exit status 0)", "!spawn web"]);
    assert_eq!(story.state("web"), ProcessState::Running);
    assert_eq!(story.health("web"), "health: starting", "not known of the new run");
    assert_eq!(hint(&story), None);
}

#[test]
fn a_stop_takes_its_time_and_a_request_to_stop_beats_the_restart() {
    let mut story = story(|web, health| (health.retries, web.stop_wait_secs) = (1, 5));
    story.check(REFUSED);
    story.told.clear();
    story.pass(5.0);
    story.tells(&["WARN killing 'web' (101) with SIGKILL", "!kill web SIGKILL"]);
    story.stop("web", Wait::Yes);
    story.ends("web", KILLED);
    assert_eq!(story.told[1..], ["WARN stopped: web (terminated by SIGKILL)", "!reply 1 done"]);
    assert_eq!((story.state("web"), story.supervisor.deadline()), (ProcessState::Stopped, None));
}

#[test]
fn a_restart_goes_through_the_restart_policy() {
    let mut story = story(|web, health| {
        health.retries = 1;
        let limit = Some(RestartLimit { ends: 2, within: Duration::from_secs(600) });
        let policy = RestartDelays { jitter_percent: 0, limit, ..RestartDelays::default() };
        web.restart_policy = Some(policy.into());
    });
    story.check(REFUSED);
    story.exits("web", 0);
    assert_eq!(story.state("web"), ProcessState::Exited);
    let expected = "unhealthy: connection refused; retry in 1 s (1st)";
    assert_eq!(hint(&story).as_deref(), Some(expected));
    story.pass(0.5);
    assert_eq!(story.state("web"), ProcessState::Running);
    story.check(REFUSED);
    story.exits("web", 0);
    assert_eq!(story.state("web"), ProcessState::Fatal);
    assert_eq!(story.description("web"), "ended 2 times in 600 seconds (restart_limit)");
}

#[test]
fn what_must_not_be_restarted_is_stopped_and_fatal() {
    let mut story = story(|web, health| (health.retries, web.autorestart) = (1, AutoRestart::Never));
    story.check(REFUSED);
    story.tells(&["WARN web is unhealthy: connection refused; stopping it", "!kill web SIGTERM"]);
    story.exits("web", 0);
    story.tells(&[
        "INFO stopped: web (exit status 0)",
        "INFO gave up: web entered FATAL state, unhealthy: connection refused",
    ]);
    assert_eq!(story.description("web"), "unhealthy: connection refused");
    story.start("web", Wait::Yes);
    assert_eq!(story.state("web"), ProcessState::Running);
}

#[test]
fn a_main_program_that_is_unhealthy_ends_the_supervisor_with_a_failure() {
    let mut story = story(|web, health| (health.retries, web.on_exit) = (1, OnEnd::Shutdown));
    story.check(REFUSED);
    story.exits("web", 0);
    assert_eq!(story.told.last().unwrap(), "!stopped 1: web failed: unhealthy: connection refused");
}

#[test]
fn it_may_shut_the_supervisor_down_or_change_nothing() {
    let mut shuts = story(|_, health| (health.retries, health.on_unhealthy) = (1, OnUnhealthy::Shutdown));
    shuts.check(REFUSED);
    assert_eq!(shuts.supervisor.state(), SupervisorState::Shutdown);
    shuts.exits("web", 0);
    assert_eq!(shuts.told.last().unwrap(), "!stopped 1: web failed: unhealthy: connection refused");

    let mut ignores = story(|_, health| (health.retries, health.on_unhealthy) = (2, OnUnhealthy::Ignore));
    for _ in 0..5 {
        ignores.check(REFUSED);
    }
    ignores.tells(&[
        "INFO health of web: 1 of 2 checks failed: connection refused",
        "WARN web is unhealthy: 2 of 2 checks failed: connection refused",
    ]);
    assert_eq!(ignores.health("web"), "unhealthy: 2 of 2 checks failed: connection refused");
    ignores.check(Ok(()));
    ignores.tells(&["INFO web is healthy again"]);
    // From now on it matters.
    let spec = checked("web", |_, health| (health.retries, health.on_unhealthy) = (2, OnUnhealthy::Restart));
    ignores.check(REFUSED);
    ignores.check(REFUSED);
    ignores.update_to(spec);
    assert_eq!(ignores.state("web"), ProcessState::Running);
    ignores.check(REFUSED);
    assert_eq!(ignores.state("web"), ProcessState::Stopping);
}

#[test]
fn several_successes_may_be_asked_for() {
    let mut story = story(|_, health| health.successes = 2);
    story.check(Ok(()));
    story.check(REFUSED);
    story.check(Ok(()));
    assert_eq!(story.health("web"), "health: starting");
    story.check(Ok(()));
    assert_eq!(story.health("web"), "healthy");
}

#[test]
fn in_the_start_period_failures_do_not_count_and_the_first_success_ends_it() {
    let slow_start = |_: &mut ProcessSpec, health: &mut HealthSpec| {
        (health.retries, health.start_period) = (1, Duration::from_secs(60));
    };
    let mut patient = story(slow_start);
    while patient.now.mono.0 < Duration::from_secs(40) {
        patient.check(REFUSED);
    }
    patient.tells(&[]);
    let expected = "health: starting, a check in health_start_period failed: connection refused";
    assert_eq!(patient.health("web"), expected);
    while patient.now.mono.0 < Duration::from_secs(60) {
        patient.check(REFUSED);
    }
    assert_eq!(patient.state("web"), ProcessState::Stopping, "it is over");

    let mut quick = story(slow_start);
    quick.check(Ok(()));
    quick.check(REFUSED);
    assert_eq!(quick.state("web"), ProcessState::Stopping, "it has ended early");
}

#[test]
fn the_start_period_counts_from_readiness() {
    let mut story = of(checked("web", |web, health| {
        web.readiness = Some(Box::new(ReadinessSpec::new(vec![ReadyCheck::Notify])));
        (health.retries, health.start_period) = (1, Duration::from_secs(5));
    }));
    story.pass(30.0);
    assert_eq!((story.health("web").as_str(), story.told.len()), ("none", 0), "not checked before");
    let process = story.id("web");
    story.input(Input::ReadyReported { process, pid: Pid(101), check: 0 });
    story.check(REFUSED);
    assert_eq!(story.state("web"), ProcessState::Running);
}

#[test]
fn a_check_that_hangs_is_not_joined_by_another_and_commands_have_their_timeout() {
    let mut story = story(|_, health| {
        health.check = HealthCheck::Probe(Probe::Exec("ask".to_owned()));
        (health.timeout, health.retries) = (Duration::from_secs(30), 2);
    });
    story.begin_check();
    story.pass(100.0);
    story.tells(&[]);
    story.command_ends(TaskEnd::TimedOut);
    story.tells(&["INFO health of web: 1 of 2 checks failed: no result after 30 seconds"]);
    story.begin_check();
    story.command_ends(TaskEnd::Exited(ExitStatus::Exited(3)));
    story.tells(&[
        "WARN web is unhealthy: 2 of 2 checks failed: exit status 3: no response; restarting it",
        "!kill web SIGTERM",
    ]);
}

#[test]
fn what_the_machine_is_short_of_is_not_the_programs_fault() {
    let mut story = story(|_, health| health.retries = 1);
    for _ in 0..3 {
        story.begin_check();
        let (probe, failure) = (story.probes.remove(0), ProbeFailure::of_machine("too many open files"));
        story.input(Input::Probed { probe, outcome: Err(failure) });
    }
    story.tells(&["WARN the health of web cannot be checked: too many open files"]);
    assert_eq!(
        (story.state("web"), story.health("web").as_str()),
        (ProcessState::Running, "health: starting")
    );
    story.check(Ok(()));
    assert_eq!(story.health("web"), "healthy");
}

#[test]
fn checks_end_with_the_run_that_they_are_for() {
    let mut story = story(|web, health| (health.retries, web.autorestart) = (1, AutoRestart::Always));
    story.begin_check();
    let probe = story.probes[0];
    story.pass(2.0);
    story.exits("web", 0);
    assert!(story.told.contains(&format!("!cancel {:?}", ChildId::Probe(probe))), "{:?}", story.told);
    story.input(Input::Probed { probe, outcome: Err(ProbeFailure::of_program("late")) });
    assert_eq!(
        (story.state("web"), story.health("web").as_str()),
        (ProcessState::Running, "health: starting")
    );
    story.stop("web", Wait::No);
    story.exits("web", 0);
    assert_eq!(story.supervisor.deadline(), None, "nothing is checked any more");
}

#[test]
fn nothing_is_checked_or_restarted_in_a_shutdown() {
    let db = checked("db", |_, health| health.retries = 1);
    let mut story = Story::of(vec![alone(1, db), alone(2, spec("web"))]).begun();
    story.begin_check();
    story.pass(1.0);
    story.signal(Signal::TERM);
    assert_eq!([story.state("db"), story.state("web")], [ProcessState::Running, ProcessState::Stopping]);
    story.probed(REFUSED);
    assert!(story.told.contains(&"WARN db is unhealthy: connection refused".to_owned()), "{:?}", story.told);
    assert_eq!(story.state("db"), ProcessState::Running);
    story.pass(5.0);
    assert_eq!(story.probes, [], "no further check");
    story.exits("web", 0);
    story.exits("db", 0);
    assert_eq!(story.told.last().unwrap(), "!stopped End");
}

#[test]
fn a_hundred_checks_are_spread() {
    let programs = (0..100).map(|number| alone(1, checked(&format!("p{number}"), |_, _| ())));
    let mut story = Story::of(programs.collect()).begun();
    story.pass(0.0);
    let mut times = BTreeMap::<u128, usize>::new();
    while story.now.mono.0 < Duration::from_secs(35) {
        let due = story.supervisor.deadline().unwrap();
        story.at(due);
        story.input(Input::TimePassed);
        *times.entry(due.0.as_millis() / 10).or_default() += story.probes.len();
        while !story.probes.is_empty() {
            story.probed(Ok(()));
        }
    }
    let checks: usize = times.values().sum();
    assert!((380..=440).contains(&checks), "{checks}: four each in 35 seconds");
    assert!(times.values().all(|count| *count < 12), "in 10 ms: {times:?}");
}

#[test]
fn a_dependent_waits_until_it_is_healthy() {
    let db = checked("db", |_, _| ());
    let web = ProcessSpec { depends_on: vec![dependency("db=healthy")], start_secs: 0, ..spec("web") };
    let mut story = Story::of(vec![alone(1, web), alone(1, db)]).begun();
    assert_eq!(story.description("web"), "waiting for db (healthy)");
    story.check(REFUSED);
    assert_eq!(story.description("web"), "waiting for db (healthy)");
    story.check(Ok(()));
    assert_eq!(story.state("web"), ProcessState::Running);
    for _ in 0..3 {
        story.check(REFUSED);
    }
    assert_eq!([story.state("db"), story.state("web")], [ProcessState::Stopping, ProcessState::Running]);
}

#[test]
fn what_is_bound_to_its_health_stops_first_and_starts_again_with_it() {
    let db = checked("db", |_, health| health.retries = 1);
    let web = ProcessSpec { restart_with: vec![dependency("db=healthy")], start_secs: 0, ..spec("web") };
    let mut story = Story::of(vec![alone(1, web), alone(1, db)]).begun();
    story.check(Ok(()));
    assert_eq!(story.state("web"), ProcessState::Running);
    story.told.clear();
    story.check(REFUSED);
    story.tells(&["WARN db is unhealthy: connection refused; restarting it", "!kill web SIGTERM"]);
    assert_eq!(story.state("db"), ProcessState::Running, "it stops after what is bound to it");
    story.exits("web", 0);
    story.tells(&[
        "INFO stopped: web (exit status 0)",
        "INFO web: waiting for db (healthy)",
        "!kill db SIGTERM",
    ]);
    assert_eq!(story.description("web"), "waiting for db (healthy)");
    story.exits("db", 0);
    // The next start is due first: a run was shorter than a second.
    while story.state("db") != ProcessState::Running {
        let due = story.supervisor.deadline().unwrap();
        story.pass(due.since(story.now.mono).as_secs_f64());
    }
    assert_eq!(story.state("web"), ProcessState::Starting, "it still waits");
    story.check(Ok(()));
    assert_eq!(story.state("web"), ProcessState::Running);
}

#[test]
fn options_change_in_place() {
    let mut story = story(|_, _| ());
    story.check(Ok(()));
    story.check(REFUSED);
    story.update_to(checked("web", |_, health| {
        (health.retries, health.interval) = (2, Duration::from_millis(500));
    }));
    assert_eq!(story.health("web"), "healthy, but 1 of 2 checks failed: connection refused");
    let before = story.now.mono;
    story.check(REFUSED);
    assert!(story.now.mono.since(before) <= Duration::from_millis(500), "the next check is earlier");
    assert_eq!(story.state("web"), ProcessState::Stopping);
}

#[test]
fn another_check_begins_from_the_start_and_none_ends_it() {
    let mut story = story(|_, _| ());
    story.check(Ok(()));
    story.begin_check();
    let probe = story.probes[0];
    story.update_to(checked("web", |_, health| health.check = HealthCheck::Probe(Probe::Unix("/s".into()))));
    assert!(story.told.contains(&format!("!cancel {:?}", ChildId::Probe(probe))), "{:?}", story.told);
    assert_eq!(story.health("web"), "health: starting");
    story.check(Ok(()));
    story.update_to(ProcessSpec { start_secs: 0, ..spec("web") });
    assert_eq!((story.health("web").as_str(), story.supervisor.deadline()), ("none", None));
    // A program that was started without a socket can't report before its next start.
    story.update_to(checked("web", |_, health| health.check = HealthCheck::Notify));
    assert_eq!((story.health("web").as_str(), story.supervisor.deadline()), ("none", None));
    story.stop("web", Wait::No);
    story.exits("web", 0);
    story.start("web", Wait::No);
    assert_eq!(story.health("web"), "health: starting");
}

#[test]
fn a_missing_report_makes_it_unhealthy() {
    let mut story = reporting(|_, _| ());
    story.pass(9.0);
    story.notifies(&[Notification::Watchdog]);
    story.tells(&["INFO web is healthy"]);
    story.pass(9.0);
    story.notifies(&[Notification::Watchdog]);
    story.pass(9.9);
    story.tells(&[]);
    story.pass(0.1);
    story.tells(&["WARN web is unhealthy: no WATCHDOG=1 in 10 seconds; restarting it", "!kill web SIGTERM"]);
}

#[test]
fn missing_reports_can_be_counted() {
    let mut story = reporting(|_, health| (health.retries, health.interval) = (2, Duration::from_secs(1)));
    story.pass(1.0);
    story.tells(&["INFO health of web: 1 of 2 checks failed: no WATCHDOG=1 in 1 second"]);
    story.notifies(&[Notification::Watchdog]);
    story.pass(2.0);
    assert_eq!(story.state("web"), ProcessState::Stopping);
}

#[test]
fn a_program_may_choose_its_interval_and_report_that_it_is_sick() {
    let mut story = reporting(|_, health| health.start_period = Duration::from_secs(60));
    story.notifies(&[Notification::WatchdogInterval(Duration::from_secs(30)), Notification::Watchdog]);
    story.pass(29.0);
    assert_eq!(story.health("web"), "healthy");
    story.notifies(&[Notification::WatchdogInterval(Duration::from_nanos(1))]);
    assert_eq!(story.supervisor.deadline().unwrap().since(story.now.mono), Duration::from_millis(10));
    story.told.clear();
    story.notifies(&[Notification::WatchdogTrigger]);
    story.tells(&["WARN web is unhealthy: it has sent WATCHDOG=trigger; restarting it", "!kill web SIGTERM"]);
}

#[test]
fn reports_of_a_program_that_is_not_to_report_change_nothing() {
    let mut story = story(|_, _| ());
    story.notifies(&[Notification::Watchdog, Notification::WatchdogTrigger]);
    story.tells(&[]);
    assert_eq!(story.health("web"), "health: starting");
}

#[test]
fn a_report_that_is_missed_while_we_were_stopped_ourselves_is_forgiven() {
    let mut story = reporting(|_, _| ());
    story.notifies(&[Notification::Watchdog]);
    story.at(story.now.mono.after(Duration::from_secs(60)));
    story.input(Input::TimePassed);
    assert_eq!(story.health("web"), "healthy");
    story.pass(10.0);
    assert_eq!(story.state("web"), ProcessState::Stopping);
}

#[test]
fn listeners_are_sent_what_becomes_of_it() {
    let web = checked("web", |web, health| {
        web.readiness = Some(Box::new(ReadinessSpec::new(vec![ReadyCheck::Notify])));
        health.retries = 1;
    });
    let events = [EventType::ProcessReady, EventType::ProcessHealth];
    let mut story = Story::of(vec![listeners::pool("pool", &events, &["l"], 10), alone(1, web)]).begun();
    let process = story.id("web");
    story.input(Input::ReadyReported { process, pid: Pid(102), check: 0 });
    story.check(Ok(()));
    story.check(REFUSED);
    let who = "processname:web groupname:web pid:102";
    assert_eq!(
        story.takes_all("l"),
        [
            format!("PROCESS_READY {who}"),
            format!("PROCESS_HEALTH_HEALTHY {who}"),
            format!("PROCESS_HEALTH_UNHEALTHY {who}\nconnection refused"),
        ]
    );
}

#[test]
fn hooks_learn_that_it_is_unhealthy() {
    let mut story = story(|web, health| {
        let hooks = hooks::hooked(|hooks| (hooks.pre_start, hooks.post_start) = (None, None)).hooks;
        (web.hooks, web.autorestart, health.retries) = (hooks, AutoRestart::Never, 1);
    });
    let done = TaskEnd::Exited(ExitStatus::Exited(0));
    story.check(REFUSED);
    assert_eq!(story.told.last().unwrap(), "!pre_stop web (unhealthy pid 101)");
    story.hook_ends(done.clone());
    assert_eq!(story.told.last().unwrap(), "!kill web SIGTERM");
    story.exits("web", 0);
    assert_eq!(story.told.last().unwrap(), "!post_stop web (unhealthy pid 101 code 0)");
    story.hook_ends(done);
    assert_eq!(story.told.last().unwrap(), "!on_failure web (unhealthy pid 101 code 0)");
}
