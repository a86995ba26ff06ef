//! Operations: requests that take more than one input.

use super::super::operations::OPERATIONS_MAX;
use super::dependencies::dependency;
use super::*;

/// `web` needs `db`, so `db` stops after it.
fn web_needs_db() -> Scenario {
    let db = dependency("db");
    let web = spec("web").with_lifecycle(|it| it.depends_on = vec![db]);
    Scenario::of(vec![alone(1, spec("db")), alone(1, web)]).running()
}

#[test]
fn requests_beyond_the_bound_are_refused_and_the_others_answered() {
    let mut scenario = web_needs_db();
    scenario.stop("web", Wait::Yes);
    // A stop that waits for another can be requested repeatedly.
    for _ in 1..OPERATIONS_MAX {
        scenario.stop("db", Wait::Yes);
    }
    scenario.log.clear();
    scenario.stop("db", Wait::Yes);
    scenario.expect_log(&["!reply 4097 FAILED: too many requests wait for processes; try again later"]);
    scenario.ask(Command::GetPid);
    scenario.expect_log(&["!reply 4098 Pid(1)"]);
    scenario.exit("web", 0);
    scenario.exit("db", 0);
    let answered = scenario.log.iter().filter(|line| line.ends_with(" done")).count();
    assert_eq!((answered, scenario.supervisor.check_operations()), (OPERATIONS_MAX, 0));
    scenario.start("db", Wait::No);
    assert_eq!(scenario.log.last().unwrap(), "!reply 4099 done");
}

/// `app:0`, `app:1` and `app:2` run and are restarted by a request.
fn rolling(change: fn(&mut ProcessSpec), limits: BatchLimits) -> Scenario {
    let member = |name: &str| {
        let mut member = spec(name);
        change(&mut member);
        member
    };
    let mut scenario = Scenario::of(vec![group("app", ["0", "1", "2"].map(member))]).begin();
    scenario.pass(10.0);
    scenario.log.clear();
    scenario.ask(Command::RestartRolling(Namespec::split("app:*"), limits));
    scenario
}

const ONE_BY_ONE: BatchLimits = BatchLimits { size: 1, timeout: None };

#[test]
fn a_rolling_restart_stops_the_next_process_when_the_previous_one_runs() {
    let mut scenario = rolling(|_| (), ONE_BY_ONE);
    scenario.expect_effects(&["!kill 0 SIGTERM"]);
    scenario.exit("0", 0);
    scenario.expect_effects(&["!spawn 0"]);
    scenario.pass(0.9);
    scenario.expect_effects(&[]);
    scenario.pass(0.1);
    scenario.expect_effects(&["!kill 1 SIGTERM"]);
    scenario.exit("1", 0);
    scenario.pass(1.0);
    scenario.expect_effects(&["!spawn 1", "!kill 2 SIGTERM"]);
    scenario.exit("2", 0);
    scenario.pass(1.0);
    scenario.expect_effects(&["!spawn 2", "!reply 1 0:ok,1:ok,2:ok"]);
    assert_eq!((scenario.supervisor.check_operations(), scenario.supervisor.deadline()), (0, None));
}

#[test]
fn a_rolling_restart_waits_until_the_previous_process_is_ready() {
    let notifies = |it: &mut ProcessSpec| {
        it.lifecycle.readiness = Some(Box::new(ReadinessSpec::new(vec![ReadyCheck::Notify])));
    };
    let mut scenario = rolling(notifies, ONE_BY_ONE);
    let says_ready = |scenario: &mut Scenario, name: &str| {
        let process = scenario.id(name);
        let pid = scenario.pids_in_use[&process];
        scenario.input(Input::ReadyReported { process, pid, check: 0 });
    };
    // None of them is ready yet; they are restarted anyway.
    scenario.exit("0", 0);
    scenario.pass(30.0);
    scenario.expect_effects(&["!kill 0 SIGTERM", "!spawn 0"]);
    says_ready(&mut scenario, "0");
    scenario.expect_effects(&["!kill 1 SIGTERM"]);
}

#[test]
fn a_rolling_restart_handles_one_batch_at_a_time_and_starts_stopped_processes() {
    let mut scenario = rolling(|_| (), BatchLimits { size: 2, timeout: None });
    scenario.expect_effects(&["!kill 1 SIGTERM", "!kill 0 SIGTERM"]);
    scenario.exit("0", 0);
    scenario.expect_effects(&[]);
    scenario.stop("app:2", Wait::No);
    scenario.exit("2", 0);
    scenario.exit("1", 0);
    scenario.expect_effects(&["!kill 2 SIGTERM", "!reply 2 done", "!spawn 0", "!spawn 1"]);
    scenario.pass(1.0);
    scenario.expect_effects(&["!spawn 2"]);
    scenario.pass(1.0);
    scenario.expect_effects(&["!reply 1 0:ok,1:ok,2:ok"]);
}

#[test]
fn a_rolling_restart_ends_at_the_first_failure_and_leaves_the_rest_alone() {
    let mut scenario = rolling(|it| it.start_retries = StartRetries::Times(0), ONE_BY_ONE);
    scenario.exit("0", 0);
    scenario.exit("0", 1);
    scenario.expect_effects(&[
        "!kill 0 SIGTERM",
        "!spawn 0",
        "!reply 1 0:SPAWN_ERROR: app:0,\
         1:FAILED: the restart of app:1 is not complete: that of another has failed,\
         2:FAILED: the restart of app:2 is not complete: that of another has failed",
    ]);
    assert_eq!(scenario.state("1"), ProcessState::Running);
}

#[test]
fn a_rolling_restart_starts_its_batch_again_when_one_process_does_not_stop() {
    let mut scenario = rolling(|_| (), BatchLimits { size: 2, timeout: None });
    scenario.exit("0", 0);
    scenario.pass(30.0);
    scenario.expect_effects(&[
        "!kill 1 SIGTERM",
        "!kill 0 SIGTERM",
        "!kill 1 SIGKILL",
        "!spawn 0",
        "!reply 1 1:FAILED: app:1 (pid 102) does not end after SIGKILL,0:ok,\
         2:FAILED: the restart of app:2 is not complete: that of another has failed",
    ]);
}

#[test]
fn a_rolling_restart_that_is_cancelled_leaves_nothing_down() {
    let mut scenario = rolling(|_| (), BatchLimits { size: 2, timeout: None });
    scenario.exit("0", 0);
    scenario.log.clear();
    scenario.input(Input::Cancelled { ticket: Ticket(1) });
    let row = |name| format!("{name}:FAILED: the restart of app:{name} is not complete: it was cancelled");
    scenario.expect_effects(&["!spawn 0", &format!("!reply 1 {},{},{}", row("0"), row("1"), row("2"))]);
    scenario.exit("1", 0);
    scenario.expect_effects(&["!spawn 1"]);
    // Other requests are completed.
    scenario.stop("app:2", Wait::Yes);
    scenario.input(Input::Cancelled { ticket: Ticket(2) });
    scenario.exit("2", 0);
    scenario.expect_effects(&["!kill 2 SIGTERM", "!reply 2 done"]);
}

#[test]
fn a_restart_of_everything_stops_all_before_it_starts_any() {
    let off = ProcessSpec { autostart: false, ..spec("off") };
    let groups = vec![alone(1, spec("db")), alone(5, off), alone(9, spec("web"))];
    let mut scenario = Scenario::of(groups.clone()).running();
    scenario.ask(Command::RestartAllProcesses);
    scenario.exit("web", 0);
    scenario.expect_effects(&["!kill web SIGTERM", "!kill db SIGTERM"]);
    scenario.exit("db", 0);
    scenario.pass(1.0);
    scenario.expect_effects(&["!spawn db", "!spawn off", "!spawn web", "!reply 1 db:ok,off:ok,web:ok"]);

    // One that is stopping already is started again, one that does not stop is not.
    let mut scenario = Scenario::of(groups).running();
    scenario.stop("web", Wait::No);
    scenario.ask(Command::RestartAllProcesses);
    scenario.exit("web", 0);
    scenario.pass(30.0);
    scenario.expect_effects(&[
        "!kill web SIGTERM",
        "!reply 1 done",
        "!kill db SIGTERM",
        "!kill db SIGKILL",
        "!spawn off",
        "!spawn web",
        "!reply 2 db:FAILED: db (pid 101) does not end after SIGKILL,off:ok,web:ok",
    ]);
}

#[test]
fn a_rolling_restart_has_a_deadline() {
    let limits = BatchLimits { size: 1, timeout: Some(Duration::from_secs(5)) };
    let mut scenario = rolling(|it| it.start_secs = 8, limits);
    scenario.exit("0", 0);
    scenario.pass(4.9);
    scenario.log.clear();
    scenario.pass(0.1);
    let row = |name| format!("{name}:FAILED: the restart of app:{name} is not complete: its time is up");
    scenario.expect_effects(&[&format!("!reply 1 {},{},{}", row("0"), row("1"), row("2"))]);
    assert_eq!(scenario.state("0"), ProcessState::Starting);
    // Without time nothing is stopped.
    scenario.ask(Command::RestartRolling(
        Namespec::split("app:1"),
        BatchLimits { size: 1, timeout: Some(Duration::ZERO) },
    ));
    scenario.expect_effects(&[&format!("!reply 2 {}", row("1"))]);
    assert_eq!((scenario.state("1"), scenario.supervisor.check_operations()), (ProcessState::Running, 0));
}

#[test]
fn a_shutdown_ends_a_rolling_restart() {
    let mut scenario = rolling(|_| (), ONE_BY_ONE);
    scenario.exit("0", 0);
    scenario.log.clear();
    scenario.signal(Signal::TERM);
    scenario.expect_effects(&[
        "!reply 1 SHUTDOWN_STATE",
        "!kill 2 SIGTERM",
        "!kill 1 SIGTERM",
        "!kill 0 SIGTERM",
    ]);
}

#[test]
fn a_rolling_restart_ends_when_an_update_replaces_what_it_is_restarting() {
    let mut scenario = rolling(|_| (), ONE_BY_ONE);
    let moved = |name: &str| ProcessSpec { directory: Some("/".into()), ..spec(name) };
    configure(&mut scenario, vec![group("app", [moved("0"), spec("1"), spec("2")])]);
    update(&mut scenario, "app");
    scenario.log.clear();
    scenario.exit("0", 0);
    scenario.expect_effects(&[
        "!reply 1 0:ABNORMAL_TERMINATION: app:0,\
         1:FAILED: the restart of app:1 is not complete: that of another has failed,\
         2:FAILED: the restart of app:2 is not complete: that of another has failed",
        "!spawn 0",
        "!reply 3 0:replaced,1:unchanged,2:unchanged",
    ]);
    assert_eq!(scenario.supervisor.check_operations(), 0);
}
