//! Programs whose health is checked.

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
    spec.with_lifecycle(|it| it.health = Some(Box::new(health)))
}

fn of(spec: ProcessSpec) -> Scenario {
    let mut scenario = Scenario::of(vec![alone(999, spec)]).begin();
    scenario.log.clear();
    scenario
}

fn scenario(change: impl FnOnce(&mut ProcessSpec, &mut HealthSpec)) -> Scenario {
    of(checked("web", change))
}

/// A program that reports by itself.
fn reporting(change: impl FnOnce(&mut ProcessSpec, &mut HealthSpec)) -> Scenario {
    scenario(|web, health| {
        *health = HealthSpec::new(HealthCheck::Notify);
        change(web, health);
    })
}

impl Scenario {
    /// Advances to the next check; nothing is due before it.
    #[track_caller]
    fn begin_check(&mut self) {
        self.probes.clear();
        let due = self.supervisor.deadline().expect("a check is due");
        self.at(due);
        self.input(Input::TimePassed);
        assert_eq!(self.probes.len(), 1, "{:?}", self.log);
        self.log.retain(|line| !line.starts_with("!probe") && !line.starts_with("!run"));
    }

    #[track_caller]
    fn check(&mut self, outcome: Result<(), &str>) {
        self.begin_check();
        self.end_probe(outcome);
    }

    /// The health of a process as clients see it.
    fn health(&self, name: &str) -> String {
        let turn = Turn { now: self.now, restarts_allowed: true, random: 0 };
        let health = self.supervisor.process(self.id(name)).unwrap().info(&turn).health;
        health.map_or_else(|| "none".to_owned(), |health| health.to_string())
    }

    /// Changes the configuration of the only program and updates it.
    fn update_to(&mut self, spec: ProcessSpec) {
        self.next_groups = vec![alone(999, spec)];
        self.ask(Command::ReloadConfig);
        update(self, "web");
    }
}

#[test]
fn failures_in_a_row_make_it_unhealthy_and_it_is_restarted() {
    let mut scenario = scenario(|_, _| ());
    assert_eq!(scenario.health("web"), "health: starting");
    scenario.check(Ok(()));
    scenario.expect_log(&["INFO web is healthy"]);
    assert_eq!(scenario.health("web"), "healthy");
    scenario.check(REFUSED);
    scenario.check(REFUSED);
    scenario.expect_log(&[
        "INFO health of web: 1 of 3 checks failed: connection refused",
        "INFO health of web: 2 of 3 checks failed: connection refused",
    ]);
    assert_eq!(scenario.health("web"), "healthy, but 2 of 3 checks failed: connection refused");
    // A success in between: counting starts again.
    scenario.check(Ok(()));
    scenario.expect_log(&[]);
    assert_eq!(scenario.health("web"), "healthy");
    scenario.check(REFUSED);
    scenario.check(REFUSED);
    scenario.log.clear();
    scenario.check(REFUSED);
    scenario.expect_log(&[
        "WARN web is unhealthy: 3 of 3 checks failed: connection refused; restarting it",
        "!kill web SIGTERM",
    ]);
    assert_eq!((scenario.state("web"), scenario.health("web").as_str()), (ProcessState::Stopping, "none"));
    assert_eq!(hint(&scenario).as_deref(), Some("unhealthy: 3 of 3 checks failed: connection refused"));
    scenario.exit("web", 0);
    assert_eq!(scenario.log[..2], ["INFO stopped: web (exit status 0)", "!spawn web"]);
    assert_eq!(scenario.state("web"), ProcessState::Running);
    assert_eq!(scenario.health("web"), "health: starting", "not known of the new run");
    assert_eq!(hint(&scenario), None);
}

#[test]
fn a_stop_takes_its_time_and_a_request_to_stop_beats_the_restart() {
    let mut scenario = scenario(|web, health| (health.retries, web.stop_wait_secs) = (1, 5));
    scenario.check(REFUSED);
    scenario.log.clear();
    scenario.pass(5.0);
    scenario.expect_log(&["WARN killing 'web' (101) with SIGKILL", "!kill web SIGKILL"]);
    scenario.stop("web", Wait::Yes);
    scenario.end("web", KILLED);
    assert_eq!(scenario.log[1..], ["WARN stopped: web (terminated by SIGKILL)", "!reply 1 done"]);
    assert_eq!((scenario.state("web"), scenario.supervisor.deadline()), (ProcessState::Stopped, None));
}

#[test]
fn a_restart_goes_through_the_restart_policy() {
    let mut scenario = scenario(|web, health| {
        health.retries = 1;
        let limit = Some(RestartLimit { ends: 2, within: Duration::from_secs(600) });
        let policy = RestartDelays { jitter_percent: 0, limit, ..RestartDelays::default() };
        web.lifecycle.restart_policy = Some(policy.into());
    });
    scenario.check(REFUSED);
    scenario.exit("web", 0);
    assert_eq!(scenario.state("web"), ProcessState::Exited);
    let expected = "unhealthy: connection refused; retry in 1 s (1st)";
    assert_eq!(hint(&scenario).as_deref(), Some(expected));
    scenario.pass(0.5);
    assert_eq!(scenario.state("web"), ProcessState::Running);
    scenario.check(REFUSED);
    scenario.exit("web", 0);
    assert_eq!(scenario.state("web"), ProcessState::Fatal);
    assert_eq!(scenario.description("web"), "ended 2 times in 600 seconds (restart_limit)");
}

#[test]
fn an_unhealthy_program_that_must_not_restart_becomes_fatal() {
    let mut scenario = scenario(|web, health| (health.retries, web.autorestart) = (1, AutoRestart::Never));
    scenario.check(REFUSED);
    scenario.expect_log(&["WARN web is unhealthy: connection refused; stopping it", "!kill web SIGTERM"]);
    scenario.exit("web", 0);
    scenario.expect_log(&[
        "INFO stopped: web (exit status 0)",
        "INFO gave up: web entered FATAL state, unhealthy: connection refused",
    ]);
    assert_eq!(scenario.description("web"), "unhealthy: connection refused");
    scenario.start("web", Wait::Yes);
    assert_eq!(scenario.state("web"), ProcessState::Running);
}

#[test]
fn a_main_program_that_is_unhealthy_ends_the_supervisor_with_a_failure() {
    let mut scenario = scenario(|web, health| (health.retries, web.on_exit) = (1, OnEnd::Shutdown));
    scenario.check(REFUSED);
    scenario.exit("web", 0);
    assert_eq!(scenario.log.last().unwrap(), "!stopped 1: web failed: unhealthy: connection refused");
}

#[test]
fn it_may_shut_the_supervisor_down_or_change_nothing() {
    let mut shuts = scenario(|_, health| (health.retries, health.on_unhealthy) = (1, OnUnhealthy::Shutdown));
    shuts.check(REFUSED);
    assert_eq!(shuts.supervisor.state(), SupervisorState::Shutdown);
    shuts.exit("web", 0);
    assert_eq!(shuts.log.last().unwrap(), "!stopped 1: web failed: unhealthy: connection refused");

    let mut ignores = scenario(|_, health| (health.retries, health.on_unhealthy) = (2, OnUnhealthy::Ignore));
    for _ in 0..5 {
        ignores.check(REFUSED);
    }
    ignores.expect_log(&[
        "INFO health of web: 1 of 2 checks failed: connection refused",
        "WARN web is unhealthy: 2 of 2 checks failed: connection refused",
    ]);
    assert_eq!(ignores.health("web"), "unhealthy: 2 of 2 checks failed: connection refused");
    ignores.check(Ok(()));
    ignores.expect_log(&["INFO web is healthy again"]);
    // From now on a failure counts.
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
    let mut scenario = scenario(|_, health| health.successes = 2);
    scenario.check(Ok(()));
    scenario.check(REFUSED);
    scenario.check(Ok(()));
    assert_eq!(scenario.health("web"), "health: starting");
    scenario.check(Ok(()));
    assert_eq!(scenario.health("web"), "healthy");
}

#[test]
fn in_the_start_period_failures_do_not_count_and_the_first_success_ends_it() {
    let slow_start = |_: &mut ProcessSpec, health: &mut HealthSpec| {
        (health.retries, health.start_period) = (1, Duration::from_secs(60));
    };
    let mut patient = scenario(slow_start);
    while patient.now.mono.0 < Duration::from_secs(40) {
        patient.check(REFUSED);
    }
    patient.expect_log(&[]);
    let expected = "health: starting, a check in health_start_period failed: connection refused";
    assert_eq!(patient.health("web"), expected);
    while patient.now.mono.0 < Duration::from_secs(60) {
        patient.check(REFUSED);
    }
    assert_eq!(patient.state("web"), ProcessState::Stopping, "it is over");

    let mut quick = scenario(slow_start);
    quick.check(Ok(()));
    quick.check(REFUSED);
    assert_eq!(quick.state("web"), ProcessState::Stopping, "it has ended early");
}

#[test]
fn the_start_period_counts_from_readiness() {
    let mut scenario = of(checked("web", |web, health| {
        web.lifecycle.readiness = Some(Box::new(ReadinessSpec::new(vec![ReadyCheck::Notify])));
        (health.retries, health.start_period) = (1, Duration::from_secs(5));
    }));
    scenario.pass(30.0);
    assert_eq!((scenario.health("web").as_str(), scenario.log.len()), ("none", 0), "not checked before");
    let process = scenario.id("web");
    scenario.input(Input::ReadyReported { process, pid: Pid(101), check: 0 });
    scenario.check(REFUSED);
    assert_eq!(scenario.state("web"), ProcessState::Running);
}

#[test]
fn checks_do_not_overlap_and_commands_have_a_timeout() {
    let mut scenario = scenario(|_, health| {
        health.check = HealthCheck::Probe(Probe::Exec("ask".to_owned()));
        (health.timeout, health.retries) = (Duration::from_secs(30), 2);
    });
    scenario.begin_check();
    scenario.pass(100.0);
    scenario.expect_log(&[]);
    scenario.end_probe_command(TaskEnd::TimedOut);
    scenario
        .expect_log(&["INFO health of web: 1 of 2 checks failed: no result after 30 seconds: no response"]);
    scenario.begin_check();
    scenario.end_probe_command(TaskEnd::Exited(ExitStatus::Exited(3)));
    scenario.expect_log(&[
        "WARN web is unhealthy: 2 of 2 checks failed: exit status 3: no response; restarting it",
        "!kill web SIGTERM",
    ]);
}

#[test]
fn a_resource_shortage_does_not_count_as_a_failed_check() {
    let mut scenario = scenario(|_, health| health.retries = 1);
    for _ in 0..3 {
        scenario.begin_check();
        let (probe, failure) = (scenario.probes.remove(0), ProbeFailure::of_machine("too many open files"));
        scenario.input(Input::Probed { probe, outcome: Err(failure) });
    }
    scenario.expect_log(&["WARN the health of web cannot be checked: too many open files"]);
    assert_eq!(
        (scenario.state("web"), scenario.health("web").as_str()),
        (ProcessState::Running, "health: starting")
    );
    scenario.check(Ok(()));
    assert_eq!(scenario.health("web"), "healthy");
}

#[test]
fn checks_end_with_the_run_that_they_are_for() {
    let mut scenario = scenario(|web, health| (health.retries, web.autorestart) = (1, AutoRestart::Always));
    scenario.begin_check();
    let probe = scenario.probes[0];
    scenario.pass(2.0);
    scenario.exit("web", 0);
    assert!(scenario.log.contains(&format!("!cancel {:?}", ChildId::Probe(probe))), "{:?}", scenario.log);
    scenario.input(Input::Probed { probe, outcome: Err(ProbeFailure::of_program("late")) });
    assert_eq!(
        (scenario.state("web"), scenario.health("web").as_str()),
        (ProcessState::Running, "health: starting")
    );
    scenario.stop("web", Wait::No);
    scenario.exit("web", 0);
    assert_eq!(scenario.supervisor.deadline(), None, "nothing is checked any more");
}

#[test]
fn nothing_is_checked_or_restarted_in_a_shutdown() {
    let db = checked("db", |_, health| health.retries = 1);
    let mut scenario = Scenario::of(vec![alone(1, db), alone(2, spec("web"))]).begin();
    scenario.begin_check();
    scenario.pass(1.0);
    scenario.signal(Signal::TERM);
    assert_eq!(
        [scenario.state("db"), scenario.state("web")],
        [ProcessState::Running, ProcessState::Stopping]
    );
    scenario.end_probe(REFUSED);
    assert!(
        scenario.log.contains(&"WARN db is unhealthy: connection refused".to_owned()),
        "{:?}",
        scenario.log
    );
    assert_eq!(scenario.state("db"), ProcessState::Running);
    scenario.pass(5.0);
    assert_eq!(scenario.probes, [], "no further check");
    scenario.exit("web", 0);
    scenario.exit("db", 0);
    assert_eq!(scenario.log.last().unwrap(), "!stopped End");
}

#[test]
fn a_hundred_checks_are_spread() {
    let programs = (0..100).map(|number| alone(1, checked(&format!("p{number}"), |_, _| ())));
    let mut scenario = Scenario::of(programs.collect()).begin();
    scenario.pass(0.0);
    let mut times = BTreeMap::<u128, usize>::new();
    while scenario.now.mono.0 < Duration::from_secs(35) {
        let due = scenario.supervisor.deadline().unwrap();
        scenario.at(due);
        scenario.input(Input::TimePassed);
        *times.entry(due.0.as_millis() / 10).or_default() += scenario.probes.len();
        while !scenario.probes.is_empty() {
            scenario.end_probe(Ok(()));
        }
    }
    let checks: usize = times.values().sum();
    assert!((380..=440).contains(&checks), "{checks}: four each in 35 seconds");
    assert!(times.values().all(|count| *count < 12), "in 10 ms: {times:?}");
}

#[test]
fn a_dependent_waits_until_it_is_healthy() {
    let db = checked("db", |_, _| ());
    let web = ProcessSpec { start_secs: 0, ..spec("web") };
    let web = web.with_lifecycle(|it| it.depends_on = vec![dependency("db=healthy")]);
    let mut scenario = Scenario::of(vec![alone(1, web), alone(1, db)]).begin();
    assert_eq!(scenario.description("web"), "waiting for db (healthy)");
    scenario.check(REFUSED);
    assert_eq!(scenario.description("web"), "waiting for db (healthy)");
    scenario.check(Ok(()));
    assert_eq!(scenario.state("web"), ProcessState::Running);
    for _ in 0..3 {
        scenario.check(REFUSED);
    }
    assert_eq!(
        [scenario.state("db"), scenario.state("web")],
        [ProcessState::Stopping, ProcessState::Running]
    );
}

#[test]
fn a_process_bound_to_its_health_stops_first_and_starts_again() {
    let db = checked("db", |_, health| health.retries = 1);
    let web = ProcessSpec { start_secs: 0, ..spec("web") };
    let web = web.with_lifecycle(|it| it.restart_with = vec![dependency("db=healthy")]);
    let mut scenario = Scenario::of(vec![alone(1, web), alone(1, db)]).begin();
    scenario.check(Ok(()));
    assert_eq!(scenario.state("web"), ProcessState::Running);
    scenario.log.clear();
    scenario.check(REFUSED);
    scenario.expect_log(&["WARN db is unhealthy: connection refused; restarting it", "!kill web SIGTERM"]);
    assert_eq!(scenario.state("db"), ProcessState::Running, "it stops after what is bound to it");
    scenario.exit("web", 0);
    scenario.expect_log(&[
        "INFO stopped: web (exit status 0)",
        "INFO web: waiting for db (healthy)",
        "!kill db SIGTERM",
    ]);
    assert_eq!(scenario.description("web"), "waiting for db (healthy)");
    scenario.exit("db", 0);
    // The next start is due first: a run was shorter than a second.
    while scenario.state("db") != ProcessState::Running {
        let due = scenario.supervisor.deadline().unwrap();
        scenario.pass(due.since(scenario.now.mono).as_secs_f64());
    }
    assert_eq!(scenario.state("web"), ProcessState::Starting, "it still waits");
    scenario.check(Ok(()));
    assert_eq!(scenario.state("web"), ProcessState::Running);
}

#[test]
fn options_change_in_place() {
    let mut scenario = scenario(|_, _| ());
    scenario.check(Ok(()));
    scenario.check(REFUSED);
    scenario.update_to(checked("web", |_, health| {
        (health.retries, health.interval) = (2, Duration::from_millis(500));
    }));
    assert_eq!(scenario.health("web"), "healthy, but 1 of 2 checks failed: connection refused");
    let before = scenario.now.mono;
    scenario.check(REFUSED);
    assert!(scenario.now.mono.since(before) <= Duration::from_millis(500), "the next check is earlier");
    assert_eq!(scenario.state("web"), ProcessState::Stopping);
}

#[test]
fn a_changed_check_starts_over_and_a_removed_check_ends() {
    let mut scenario = scenario(|_, _| ());
    scenario.check(Ok(()));
    scenario.begin_check();
    let probe = scenario.probes[0];
    scenario
        .update_to(checked("web", |_, health| health.check = HealthCheck::Probe(Probe::Unix("/s".into()))));
    assert!(scenario.log.contains(&format!("!cancel {:?}", ChildId::Probe(probe))), "{:?}", scenario.log);
    assert_eq!(scenario.health("web"), "health: starting");
    scenario.check(Ok(()));
    scenario.update_to(ProcessSpec { start_secs: 0, ..spec("web") });
    assert_eq!((scenario.health("web").as_str(), scenario.supervisor.deadline()), ("none", None));
    // A program that was started without a socket can't report before its next start.
    scenario.update_to(checked("web", |_, health| health.check = HealthCheck::Notify));
    assert_eq!((scenario.health("web").as_str(), scenario.supervisor.deadline()), ("none", None));
    scenario.stop("web", Wait::No);
    scenario.exit("web", 0);
    scenario.start("web", Wait::No);
    assert_eq!(scenario.health("web"), "health: starting");
}

#[test]
fn a_missing_report_makes_it_unhealthy() {
    let mut scenario = reporting(|_, _| ());
    scenario.pass(9.0);
    scenario.notify(&[Notification::Watchdog]);
    scenario.expect_log(&["INFO web is healthy"]);
    scenario.pass(9.0);
    scenario.notify(&[Notification::Watchdog]);
    scenario.pass(9.9);
    scenario.expect_log(&[]);
    scenario.pass(0.1);
    scenario.expect_log(&[
        "WARN web is unhealthy: no WATCHDOG=1 in 10 seconds; restarting it",
        "!kill web SIGTERM",
    ]);
}

#[test]
fn missing_reports_can_be_counted() {
    let mut scenario = reporting(|_, health| (health.retries, health.interval) = (2, Duration::from_secs(1)));
    scenario.pass(1.0);
    scenario.expect_log(&["INFO health of web: 1 of 2 checks failed: no WATCHDOG=1 in 1 second"]);
    scenario.notify(&[Notification::Watchdog]);
    scenario.pass(2.0);
    assert_eq!(scenario.state("web"), ProcessState::Stopping);
}

#[test]
fn a_program_may_choose_its_interval_and_report_itself_unhealthy() {
    let mut scenario = reporting(|_, health| health.start_period = Duration::from_secs(60));
    scenario.notify(&[Notification::WatchdogInterval(Duration::from_secs(30)), Notification::Watchdog]);
    scenario.pass(29.0);
    assert_eq!(scenario.health("web"), "healthy");
    scenario.notify(&[Notification::WatchdogInterval(Duration::from_nanos(1))]);
    assert_eq!(scenario.supervisor.deadline().unwrap().since(scenario.now.mono), Duration::from_millis(10));
    scenario.log.clear();
    scenario.notify(&[Notification::WatchdogTrigger]);
    scenario.expect_log(&[
        "WARN web is unhealthy: it has sent WATCHDOG=trigger; restarting it",
        "!kill web SIGTERM",
    ]);
}

#[test]
fn unexpected_reports_change_nothing() {
    let mut scenario = scenario(|_, _| ());
    scenario.notify(&[Notification::Watchdog, Notification::WatchdogTrigger]);
    scenario.expect_log(&[]);
    assert_eq!(scenario.health("web"), "health: starting");
}

#[test]
fn a_report_missed_while_the_supervisor_was_stopped_does_not_count() {
    let mut scenario = reporting(|_, _| ());
    scenario.notify(&[Notification::Watchdog]);
    scenario.at(scenario.now.mono.after(Duration::from_secs(60)));
    scenario.input(Input::TimePassed);
    assert_eq!(scenario.health("web"), "healthy");
    scenario.pass(10.0);
    assert_eq!(scenario.state("web"), ProcessState::Stopping);
}

#[test]
fn listeners_receive_health_events() {
    let web = checked("web", |web, health| {
        web.lifecycle.readiness = Some(Box::new(ReadinessSpec::new(vec![ReadyCheck::Notify])));
        health.retries = 1;
    });
    let events = [EventType::ProcessReady, EventType::ProcessHealth];
    let mut scenario =
        Scenario::of(vec![listeners::pool("pool", &events, &["l"], 10), alone(1, web)]).begin();
    let process = scenario.id("web");
    scenario.input(Input::ReadyReported { process, pid: Pid(102), check: 0 });
    scenario.check(Ok(()));
    scenario.check(REFUSED);
    let who = "processname:web groupname:web pid:102";
    assert_eq!(
        scenario.take_all_events("l"),
        [
            format!("PROCESS_READY {who}"),
            format!("PROCESS_HEALTH_HEALTHY {who}"),
            format!("PROCESS_HEALTH_UNHEALTHY {who}\nconnection refused"),
        ]
    );
}

#[test]
fn hooks_receive_the_unhealthy_reason() {
    let mut scenario = scenario(|web, health| {
        let hooks = hooks::with_hooks(|hooks| (hooks.pre_start, hooks.post_start) = (None, None))
            .lifecycle
            .hooks
            .clone();
        (web.lifecycle.hooks, web.autorestart, health.retries) = (hooks, AutoRestart::Never, 1);
    });
    let done = TaskEnd::Exited(ExitStatus::Exited(0));
    scenario.check(REFUSED);
    assert_eq!(scenario.log.last().unwrap(), "!pre_stop web (unhealthy pid 101)");
    scenario.end_hook(done.clone());
    assert_eq!(scenario.log.last().unwrap(), "!kill web SIGTERM");
    scenario.exit("web", 0);
    assert_eq!(scenario.log.last().unwrap(), "!post_stop web (unhealthy pid 101 code 0)");
    scenario.end_hook(done);
    assert_eq!(scenario.log.last().unwrap(), "!on_failure web (unhealthy pid 101 code 0)");
}

#[test]
fn the_output_of_a_failed_check_is_kept_until_a_check_succeeds() {
    let command = |command: &str| Probe::Exec(command.to_owned());
    let mut scenario = scenario(|web, health| {
        *health = HealthSpec { retries: 1, ..HealthSpec::new(HealthCheck::Probe(command("health"))) };
        web.lifecycle.readiness =
            Some(Box::new(ReadinessSpec::new(vec![ReadyCheck::Probe(command("ready"))])));
    });
    let output = |scenario: &Scenario| {
        let turn = Turn { now: scenario.now, restarts_allowed: true, random: 0 };
        scenario.supervisor.process(scenario.id("web")).unwrap().info(&turn).check_output
    };
    let exited = |code| TaskEnd::Exited(ExitStatus::Exited(code));
    assert_eq!(output(&scenario), "");
    scenario.end_probe_command(exited(1));
    assert_eq!(output(&scenario), "no response", "of readiness");
    scenario.begin_check();
    scenario.end_probe_command(exited(0));
    assert_eq!((scenario.state("web"), output(&scenario)), (ProcessState::Running, String::new()));
    scenario.begin_check();
    scenario.end_probe_command(exited(1));
    scenario.exit("web", 0);
    scenario.pass(1.0);
    assert_eq!(scenario.description("web"), "not ready yet: exec:ready: no answer yet");
    assert_eq!(output(&scenario), "no response", "after the restart");
    let short = TaskEnd::NotRun(NotSpawned::for_shortage("too many open files".to_owned()));
    scenario.end_probe_command(short);
    assert_eq!(output(&scenario), "no response", "nothing is known about the program");
}
