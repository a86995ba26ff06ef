//! Shutdown and restart of the supervisor.

use super::*;

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
fn ids_are_not_used_again_after_a_restart() {
    let story = Story::one(|_| ()).running();
    let old = story.id("web");
    let identity = Identity { identifier: "supervisor".to_owned(), pid: 1 };
    let next = story.supervisor.succeed(identity, vec![alone(999, spec("web"))]);
    assert!(next.spec(old).is_none());
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
