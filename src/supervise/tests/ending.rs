//! What ends the supervisor, with which status, and what signals do.

use super::*;

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
