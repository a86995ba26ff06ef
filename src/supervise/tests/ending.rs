//! What ends the supervisor and with which status, and how it handles signals.

use super::*;

#[test]
fn a_program_with_on_exit_shutdown_ends_the_supervisor_with_its_status() {
    for (status, expected) in [
        (ExitStatus::Exited(0), "!stopped 0: web ended: exit status 0"),
        (ExitStatus::Exited(3), "!stopped 3: web ended: exit status 3"),
        (KILLED, "!stopped 137: web ended: terminated by SIGKILL"),
    ] {
        let web = ProcessSpec { on_exit: OnEnd::Shutdown, autorestart: AutoRestart::Always, ..spec("web") };
        let mut scenario = Scenario::of(vec![alone(1, spec("db")), alone(999, web)]).running();
        scenario.end("web", status);
        assert_eq!(scenario.log.last().unwrap(), "INFO waiting for db to die");
        scenario.log.clear();
        scenario.exit("db", 0);
        scenario.expect_log(&["INFO stopped: db (exit status 0)", expected]);
    }
}

#[test]
fn a_stop_by_request_ends_nothing_and_changes_no_status() {
    let mut scenario = Scenario::one(|web| web.on_exit = OnEnd::Shutdown).running();
    scenario.stop("web", Wait::No);
    scenario.exit("web", 3);
    assert_eq!(scenario.supervisor.state(), SupervisorState::Running);
    scenario.start("web", Wait::No);
    scenario.pass(2.0);
    scenario.signal(Signal::TERM);
    scenario.exit("web", 3);
    assert_eq!(scenario.log.last().unwrap(), "!stopped End");
}

#[test]
fn an_exit_before_startsecs_is_a_failed_start_and_on_fatal_decides() {
    let mut scenario = Scenario::one(|web| {
        (web.on_exit, web.on_fatal) = (OnEnd::Shutdown, OnEnd::Shutdown);
        web.start_retries = StartRetries::Times(1);
    })
    .begin();
    scenario.exit("web", 4);
    assert_eq!(scenario.supervisor.state(), SupervisorState::Running);
    scenario.pass(1.0);
    scenario.log.clear();
    scenario.exit("web", 5);
    scenario.expect_log(&[
        "WARN exited: web (exit status 5; not expected)",
        "INFO gave up: web entered FATAL state, too many start retries too quickly",
        "WARN web failed: exit status 5, too quickly to count as started; shutting down",
        "!stopped 5: web failed: exit status 5, too quickly to count as started",
    ]);
}

#[test]
fn a_failure_never_ends_with_status_0() {
    let mut scenario =
        Scenario::one(|web| (web.on_fatal, web.start_retries) = (OnEnd::Shutdown, StartRetries::Times(0)))
            .begin();
    scenario.exit("web", 0);
    assert!(scenario.log.last().unwrap().starts_with("!stopped 1: "), "{:?}", scenario.log);
}

#[test]
fn a_failed_spawn_ends_with_the_status_a_shell_would_use() {
    let mut scenario =
        Scenario::one(|web| (web.on_fatal, web.start_retries) = (OnEnd::Shutdown, StartRetries::Times(0)));
    scenario.spawn_errors.push_back("command at '/x' is not executable");
    let mut scenario = scenario.begin();
    scenario.log.drain(..3);
    scenario.expect_log(&[
        "WARN web failed: command at '/x' is not executable; shutting down",
        "!stopped 126: web failed: command at '/x' is not executable",
    ]);
}

#[test]
fn on_idle_exit_ends_an_idle_supervisor() {
    let never = |name: &str| ProcessSpec { autorestart: AutoRestart::Never, ..spec(name) };
    let mut scenario = end_of(IDLE_ENDS(), vec![alone(1, never("a")), group("g", [never("b")])]).running();
    scenario.exit("a", 0);
    assert_eq!(scenario.supervisor.state(), SupervisorState::Running);
    scenario.exit("b", 0);
    assert_eq!(scenario.log.last().unwrap(), "!stopped 0: no program is left, all ended as expected");

    let mut scenario = end_of(IDLE_ENDS(), vec![alone(1, never("a")), group("g", [never("b")])]).running();
    scenario.exit("b", 6);
    scenario.exit("a", 0);
    assert_eq!(scenario.log.last().unwrap(), "!stopped 6: no program is left, and g:b failed: exit status 6");
}

#[test]
fn a_pending_restart_or_a_manual_stop_is_not_idle() {
    let mut scenario = end_of(IDLE_ENDS(), vec![alone(999, spec("web"))]).running();
    scenario.exit("web", 1);
    assert_eq!(scenario.state("web"), ProcessState::Starting);
    scenario.pass(2.0);
    scenario.stop("web", Wait::No);
    scenario.exit("web", 0);
    assert_eq!(
        (scenario.state("web"), scenario.supervisor.state()),
        (ProcessState::Stopped, SupervisorState::Running)
    );
}

#[test]
fn with_nothing_to_start_an_idle_supervisor_ends_at_once() {
    let by_hand = ProcessSpec { autostart: false, ..spec("web") };
    let mut scenario = end_of(IDLE_ENDS(), vec![alone(999, by_hand)]).begin();
    assert!(scenario.log.last().unwrap().starts_with("!stopped 0: "), "{:?}", scenario.log);
    scenario.log.clear();
    let mut scenario = Scenario::of(Vec::new()).begin();
    scenario.expect_log(&[]);
}

#[test]
fn an_end_during_a_shutdown_does_not_change_its_reason() {
    let vital = |name: &str| ProcessSpec { on_exit: OnEnd::Shutdown, ..spec(name) };
    let mut scenario = Scenario::of(vec![alone(1, vital("db")), alone(999, vital("web"))]).running();
    scenario.exit("web", 3);
    scenario.exit("db", 9);
    assert_eq!(scenario.log.last().unwrap(), "!stopped 3: web ended: exit status 3");
    let mut scenario = Scenario::of(vec![alone(1, vital("db")), alone(999, vital("web"))]).running();
    scenario.signal(Signal::TERM);
    scenario.exit("db", 9);
    scenario.exit("web", 3);
    assert_eq!(scenario.log.last().unwrap(), "!stopped End");
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
    let mut scenario = end_of(Rules { signals, ..Rules::default() }, groups).running();
    scenario.exit("b", 0);
    scenario.log.clear();
    for signal in [Signal::TERM, Signal::USR1, Signal::HUP] {
        scenario.signal(signal);
    }
    scenario.expect_log(&[
        "INFO received SIGUSR1, forwarding it to g:*, web:web, gone:*",
        "!kill a SIGUSR1",
        "!kill web SIGUSR1",
        "INFO received SIGHUP indicating log reopen request",
        "!reopen",
    ]);
    scenario.signal(Signal(37));
    assert_eq!(scenario.log[0], "WARN received signal 37 indicating exit request");
}
