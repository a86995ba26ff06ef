//! Shutdown and restart of the supervisor.

use super::*;

#[test]
fn a_shutdown_goes_by_descending_priority_and_in_parallel_within_one() {
    let mut scenario = three_levels();
    scenario.signal(Signal::TERM);
    scenario.expect_log(
        &[
            "WARN received SIGTERM indicating exit request",
            "!kill web SIGTERM",
            "INFO waiting for db, app, worker, web to die",
        ]
        .map(|line| line),
    );
    scenario.exit("web", 0);
    scenario.expect_log(&["INFO stopped: web (exit status 0)", "!kill worker SIGTERM", "!kill app SIGTERM"]);
    scenario.exit("app", 0);
    scenario.pass(3.1);
    scenario.expect_log(&["INFO stopped: app (exit status 0)", "INFO waiting for db, worker to die"]);
    scenario.exit("worker", 0);
    scenario.expect_log(&["INFO stopped: worker (exit status 0)", "!kill db SIGTERM"]);
    scenario.exit("db", 0);
    scenario.expect_log(&["INFO stopped: db (exit status 0)", "!stopped End"]);
    scenario.pass(3600.0);
    scenario.expect_log(&[]);
}

#[test]
fn a_group_of_negative_priority_starts_first_and_stops_last() {
    let mut scenario = Scenario::of(vec![alone(999, spec("web")), alone(-1, spec("pool"))]).begin();
    scenario.log.retain(|line| line.starts_with("!spawn"));
    scenario.expect_log(&["!spawn pool", "!spawn web"]);
    scenario.pass(2.0);
    scenario.signal(Signal::TERM);
    scenario.exit("web", 0);
    scenario.log.retain(|line| line.starts_with("!kill"));
    scenario.expect_log(&["!kill web SIGTERM", "!kill pool SIGTERM"]);
}

#[test]
fn a_second_request_kills_what_was_asked_to_stop() {
    let mut scenario = three_levels();
    scenario.signal(Signal::TERM);
    scenario.pass(1.0);
    scenario.log.clear();
    scenario.signal(Signal::INT);
    scenario.expect_log(&[
        "WARN received SIGINT indicating exit request",
        "!kill web SIGKILL",
        "!kill worker SIGTERM",
        "!kill app SIGTERM",
        "!kill db SIGTERM",
    ]);
    // The same request, sent twice.
    scenario.signal(Signal::INT);
    scenario.expect_log(&["WARN received SIGINT indicating exit request"]);
    scenario.pass(0.9);
    scenario.signal(Signal::INT);
    scenario.expect_log(&["WARN received SIGINT indicating exit request"]);
    scenario.end("web", KILLED);
    scenario.pass(0.1);
    scenario.signal(Signal::INT);
    let kills = scenario.log.iter().filter(|line| line.ends_with("SIGKILL")).count();
    assert_eq!(kills, 3, "{:?}", scenario.log);
}

#[test]
fn during_a_shutdown_nothing_starts_and_every_command_is_refused() {
    let retrying = ProcessSpec { start_retries: StartRetries::Times(50), ..spec("retrying") };
    let mut scenario = Scenario::of(vec![alone(1, retrying), alone(9, spec("web"))]).running();
    scenario.exit("retrying", 0);
    scenario.start("retrying", Wait::Yes);
    scenario.exit("retrying", 1);
    scenario.log.clear();
    scenario.signal(Signal::TERM);
    scenario.pass(9.0);
    assert!(!scenario.log.iter().any(|line| line.starts_with("!spawn")), "{:?}", scenario.log);
    scenario.log.clear();
    for command in [Command::GetPid, Command::Shutdown, Command::StartAllProcesses(Wait::No)] {
        scenario.ask(command);
    }
    scenario.expect_log(&["!reply 2 SHUTDOWN_STATE", "!reply 3 SHUTDOWN_STATE", "!reply 4 SHUTDOWN_STATE"]);
    scenario.exit("web", 1);
    scenario.expect_log(&["WARN stopped: web (exit status 1)", "!stopped End"]);
    assert_eq!(scenario.state("retrying"), ProcessState::Fatal);
}

#[test]
fn waiting_clients_are_answered_before_the_end() {
    let mut scenario = Scenario::of(vec![alone(9, spec("web")), alone(9, spec("late"))]).running();
    scenario.stop("web", Wait::Yes);
    scenario.exit("late", 0);
    scenario.start("late", Wait::Yes);
    scenario.ask(Command::Shutdown);
    scenario.exit("late", 0);
    scenario.exit("web", 0);
    scenario.log.retain(|line| line.starts_with('!'));
    scenario.expect_log(&[
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
    let mut scenario = Scenario::one(|web| web.autostart = false).begin();
    scenario.signal(Signal::QUIT);
    scenario.expect_log(&["WARN received SIGQUIT indicating exit request", "!stopped End"]);
}

#[test]
fn hup_restarts_everything_once_the_new_settings_are_good() {
    let mut scenario = Scenario::one(|_| ()).running();
    scenario.signal(Signal::HUP);
    scenario.exit("web", 0);
    scenario.expect_log(&[
        "WARN received SIGHUP indicating restart request",
        "!kill web SIGTERM",
        "INFO waiting for web to die",
        "INFO stopped: web (exit status 0)",
        "!stopped Restart",
    ]);
}

#[test]
fn hup_with_broken_settings_changes_nothing() {
    let mut scenario = Scenario::one(|_| ()).running();
    scenario.broken_settings = Some("bad one\nbad two");
    scenario.signal(Signal::HUP);
    let refused = "ERRO restart refused: the configuration has errors, nothing changes";
    scenario.expect_log(&[
        "WARN received SIGHUP indicating restart request",
        "ERRO bad one",
        "ERRO bad two",
        refused,
    ]);
    assert_eq!(scenario.state("web"), ProcessState::Running);
    scenario.ask(Command::Restart);
    assert_eq!(scenario.log[0], "!reply 1 CANT_REREAD: bad one\nbad two");
}

#[test]
fn term_turns_a_restart_into_a_shutdown_and_hup_then_is_ignored() {
    let mut scenario = Scenario::one(|_| ()).running();
    scenario.signal(Signal::HUP);
    scenario.signal(Signal::TERM);
    scenario.log.clear();
    scenario.signal(Signal::HUP);
    scenario.exit("web", 0);
    scenario.expect_log(&[
        "WARN ignored SIGHUP indicating restart request (shutdown in progress)",
        "INFO stopped: web (exit status 0)",
        "!stopped End",
    ]);
}

#[test]
fn ids_are_not_used_again_after_a_restart() {
    let scenario = Scenario::one(|_| ()).running();
    let old = scenario.id("web");
    let identity = Identity { identifier: "supervisor".to_owned(), pid: 1 };
    let next = scenario.supervisor.succeed(identity, vec![alone(999, spec("web"))]);
    assert!(next.spec(old).is_none());
}

#[test]
fn shutdown_timeout_kills_what_is_left_whatever_its_priority() {
    let rules = Rules { shutdown_timeout_secs: Some(4), ..Rules::default() };
    let mut scenario = end_of(rules, vec![alone(1, spec("db")), alone(999, spec("web"))]).running();
    scenario.signal(Signal::TERM);
    scenario.pass(3.9);
    scenario.log.clear();
    scenario.pass(0.2);
    scenario.expect_log(&[
        "WARN shutdown_timeout is over: killing what is left",
        "!kill web SIGKILL",
        "!kill db SIGKILL",
    ]);
    scenario.end("db", KILLED);
    scenario.end("web", KILLED);
    assert_eq!(scenario.log.last().unwrap(), "!stopped End");
}

#[test]
fn a_rank_that_has_to_be_waited_for_again_is_the_next_step() {
    let web = ProcessSpec { kill_as_group: true, ..spec("web") };
    let mut scenario = Scenario::of(vec![alone(1, spec("db")), alone(9, web)]).running();
    scenario.send_error = Some(SendError::Failed("EPERM".to_owned()));
    scenario.stop("web", Wait::No);
    scenario.send_error = None;
    assert_eq!(scenario.state("web"), ProcessState::Unknown);
    // It is not waited for, until it ends after all and leaves members of its group behind.
    scenario.signal(Signal::TERM);
    scenario.log.clear();
    scenario.members = Members::Some(vec![Pid(4000)]);
    scenario.exit("web", 0);
    scenario.exit("db", 0);
    scenario.log.retain(|line| line.starts_with('!'));
    scenario.expect_log(&["!kill web SIGTERM members of 102"]);
    scenario.members = Members::None;
    scenario.pass(1.0);
    assert_eq!(scenario.log.last().unwrap(), "!stopped End");
    assert_eq!((scenario.supervisor.check_operations(), scenario.supervisor.deadline()), (0, None));
}

#[test]
fn the_result_of_a_shutdown_names_what_was_given_up() {
    let mut scenario = three_levels();
    scenario.signal(Signal::TERM);
    scenario.exit("web", 0);
    scenario.exit("app", 0);
    scenario.pass(30.0);
    (scenario.verbose, scenario.log) = (true, Vec::new());
    scenario.exit("db", 0);
    scenario.log.retain(|line| line.contains("shutdown") || line.starts_with('!'));
    let left = "DEBG the shutdown did not stop everything: worker (pid 103) does not end after SIGKILL";
    scenario.expect_log(&[left, "!stopped End"]);
}
