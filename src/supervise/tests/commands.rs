//! How commands are answered: starts, stops and signals, of one process and of many.

use super::*;

#[test]
fn start_answers_when_it_runs() {
    let mut scenario = Scenario::one(|web| web.autostart = false).begin();
    scenario.start("web", Wait::Yes);
    scenario.expect_log(&["!spawn web", "INFO spawned: 'web' with pid 101"]);
    scenario.pass(1.0);
    scenario.expect_log(&[SUCCESS_LINE, "!reply 1 done"]);
    scenario.start("web", Wait::Yes);
    scenario.expect_log(&["!reply 2 ALREADY_STARTED: web"]);
}

#[test]
fn start_without_waiting_answers_when_it_is_spawned() {
    let mut scenario = Scenario::one(|web| web.autostart = false).begin();
    scenario.start("web", Wait::No);
    scenario.expect_log(&["!spawn web", "INFO spawned: 'web' with pid 101", "!reply 1 done"]);
}

#[test]
fn start_reports_why_it_failed() {
    let mut scenario = Scenario::one(|web| web.autostart = false).begin();
    scenario.start("web", Wait::Yes);
    scenario.exit("web", 1);
    assert_eq!(scenario.log.pop().unwrap(), "!reply 1 SPAWN_ERROR: web");
    scenario.stop("web", Wait::No);

    scenario.check_fault = Some(Fault::about(FaultCode::NoFile, "can't find command 'x'"));
    scenario.log.clear();
    scenario.start("web", Wait::Yes);
    scenario.expect_log(&["!reply 3 NO_FILE: can't find command 'x'"]);
    scenario.check_fault = None;

    scenario.spawn_errors = ["too many open files to spawn 'web'"].into();
    scenario.start("web", Wait::No);
    scenario.expect_log(&[
        "!spawn web",
        "INFO spawnerr: too many open files to spawn 'web'",
        "!reply 4 SPAWN_ERROR: web",
    ]);
    scenario.stop("web", Wait::No);

    scenario.start("web", Wait::Yes);
    scenario.stop("web", Wait::No);
    scenario.log.retain(|line| line.starts_with("!reply"));
    scenario.expect_log(&["!reply 5 done", "!reply 6 ABNORMAL_TERMINATION: web", "!reply 7 done"]);
}

#[test]
fn a_start_while_it_stops_is_abnormal() {
    let mut scenario = Scenario::one(|_| ()).running();
    scenario.stop("web", Wait::No);
    scenario.log.clear();
    scenario.start("web", Wait::Yes);
    scenario.expect_log(&["WARN process 'web' already running", "!reply 2 ABNORMAL_TERMINATION: web"]);
}

#[test]
fn debug_lines_name_each_signal_and_its_process() {
    let mut scenario = Scenario::one(|web| (web.stop_as_group, web.kill_as_group) = (true, true)).running();
    scenario.verbose = true;
    scenario.ask(Command::SignalProcess(Namespec::split("web"), Ok(Signal::HUP)));
    scenario.send_error = Some(SendError::Gone("No such process".to_owned()));
    scenario.ask(Command::SignalProcess(Namespec::split("web"), Ok(Signal::HUP)));
    scenario.stop("web", Wait::No);
    scenario.log.retain(|line| line.starts_with("DEBG"));
    scenario.expect_log(&[
        "DEBG sending web (pid 101) sig SIGHUP",
        "DEBG sending web (pid 101) sig SIGHUP",
        "DEBG unable to signal web (pid 101), it probably just now exited on its own: No such process",
        "DEBG killing web (pid 101) process group with signal SIGTERM",
        "DEBG unable to signal web (pid 101), it probably just exited on its own: No such process",
    ]);
    scenario.exit("web", 0);
    scenario.start("web", Wait::No);
    scenario.exit("web", 0);
    scenario.log.clear();
    scenario.stop("web", Wait::No);
    scenario.expect_log(&["DEBG Attempted to kill web, which is in BACKOFF state.", "!reply 5 done"]);
    scenario.signal(Signal::CHLD);
    scenario.signal(Signal::USR1);
    scenario.expect_log(&[
        "DEBG received SIGCHLD indicating a child quit",
        "BLAT received SIGUSR1 indicating nothing",
    ]);
}

#[test]
fn unknown_names_are_reported_as_requested() {
    let mut scenario = Scenario::of(vec![group("g", [spec("a"), spec("b")])]).running();
    for (name, fault) in [("nope", "nope"), ("g:nope", "g:nope"), ("nope:*", "nope:*"), ("g", "g")] {
        scenario.start(name, Wait::Yes);
        scenario.stop(name, Wait::Yes);
        scenario.ask(Command::SignalProcess(Namespec::split(name), Ok(Signal::HUP)));
        scenario.ask(Command::GetProcessInfo(Namespec::split(name)));
        let lines = std::mem::take(&mut scenario.log);
        assert!(lines.iter().all(|line| line.ends_with(&format!(" BAD_NAME: {fault}"))), "{lines:?}");
    }
    scenario.ask(Command::GetProcessInfo(Namespec::split("g:*")));
    scenario.ask(Command::StartProcessGroup("nope".to_owned(), Wait::No));
    assert_eq!(scenario.log.pop().unwrap(), "!reply 18 BAD_NAME: nope");
    assert_eq!(scenario.log.pop().unwrap(), "!reply 17 BAD_NAME: g:*");
}

#[test]
fn groups_start_together_in_order_of_priority() {
    let low = ProcessSpec { priority: 1, ..spec("low") };
    let mut scenario = Scenario::of(vec![
        group("g", [ProcessSpec { priority: 500, ..spec("high") }, low]),
        alone(999, spec("last")),
        alone(-5, spec("first")),
    ])
    .begin();
    scenario.log.retain(|line| line.starts_with("!spawn"));
    scenario.expect_log(&["!spawn first", "!spawn low", "!spawn high", "!spawn last"]);
}

#[test]
fn bulk_answers_come_in_the_order_in_which_they_are_settled() {
    let quick = ProcessSpec { start_secs: 0, ..spec("quick") };
    let mut scenario = Scenario::of(vec![group("g", [spec("slow"), quick])]).running();
    scenario.ask(Command::StopProcessGroup("g".to_owned(), Wait::Yes));
    scenario.exit("slow", 0);
    scenario.exit("quick", 0);
    scenario.expect_log(&[
        "!kill quick SIGTERM",
        "INFO waiting for quick to stop",
        "!kill slow SIGTERM",
        "INFO waiting for slow to stop",
        "INFO stopped: slow (exit status 0)",
        "INFO stopped: quick (exit status 0)",
        "!reply 1 slow:ok,quick:ok",
    ]);
    scenario.ask(Command::StartAllProcesses(Wait::Yes));
    scenario.pass(1.0);
    assert_eq!(scenario.log.pop().unwrap(), "!reply 2 quick:ok,slow:ok");
    scenario.log.clear();
    scenario.ask(Command::StartAllProcesses(Wait::Yes));
    scenario.expect_log(&["!reply 3 "]);
}

#[test]
fn rows_that_are_settled_together_keep_the_order_of_the_request() {
    let quick = |name: &str| ProcessSpec { start_secs: 0, autostart: false, ..spec(name) };
    let mut scenario = Scenario::of(vec![group("g", ["a", "b", "c"].map(quick))]).begin();
    scenario.spawn_errors.extend(["no"]);
    scenario.start("g:*", Wait::Yes);
    assert_eq!(scenario.log.pop().unwrap(), "!reply 1 a:SPAWN_ERROR: g:a,b:ok,c:ok");
    scenario.stop("g:a", Wait::No);
    scenario.start("g:a", Wait::Yes);
    scenario.stop("g:*", Wait::No);
    assert_eq!(scenario.log.pop().unwrap(), "!reply 4 a:ok,b:ok,c:ok");
    for name in ["c", "b", "a"] {
        scenario.exit(name, 0);
    }
    // Within one interval of 50 ms, and in two.
    for (pause, order) in [(0.01, "a:ok,b:ok,c:ok"), (0.06, "c:ok,b:ok,a:ok")] {
        scenario.start("g:*", Wait::Yes);
        scenario.stop("g:*", Wait::Yes);
        for name in ["c", "b", "a"] {
            scenario.pass(pause);
            scenario.exit(name, 0);
        }
        let answer = scenario.log.pop().unwrap();
        assert!(answer.ends_with(order), "{answer}");
    }
}

#[test]
fn spawns_that_take_long_do_not_change_the_order_of_rows() {
    let off = |name: &str| ProcessSpec { autostart: false, ..spec(name) };
    let mut scenario = Scenario::of(vec![group("g", ["a", "b", "c"].map(off))]).begin();
    scenario.check_fault = Some(Fault::about(FaultCode::NoFile, "can't find command 'x'"));
    scenario.check_fault_of = Some("b");
    scenario.spawn_takes = Duration::from_secs(3);
    scenario.start("g:*", Wait::No);
    assert_eq!(scenario.log.pop().unwrap(), "!reply 1 a:ok,b:NO_FILE: can't find command 'x',c:ok");
}

#[test]
fn a_group_that_is_added_again_is_the_last_of_its_priority() {
    let off = |name: &str| ProcessSpec { autostart: false, start_secs: 0, ..spec(name) };
    let mut scenario = Scenario::of(["a", "b", "c"].map(|name| alone(999, off(name))).to_vec()).begin();
    scenario.ask(Command::RemoveProcessGroup("a".to_owned()));
    scenario.ask(Command::AddProcessGroup("a".to_owned()));
    scenario.ask(Command::StartAllProcesses(Wait::No));
    scenario.ask(Command::SignalAllProcesses(Ok(Signal::HUP)));
    scenario.log.retain(|line| line.contains("b:ok"));
    scenario.expect_log(&["!reply 3 b:ok,c:ok,a:ok", "!reply 4 b:ok,c:ok,a:ok"]);
}

#[test]
fn bulk_answers_carry_each_fault() {
    let mut scenario = Scenario::of(vec![group("g", [spec("a"), spec("b")])]).running();
    scenario.exit("a", 0);
    scenario.exit("b", 0);
    scenario.log.clear();
    scenario.check_fault = Some(Fault::about(FaultCode::NoFile, "can't find command 'x'"));
    scenario.start("g:*", Wait::Yes);
    scenario.expect_log(&["!reply 1 a:NO_FILE: can't find command 'x',b:NO_FILE: can't find command 'x'"]);
}

#[test]
fn signals_go_to_those_that_can_take_them() {
    let mut scenario = Scenario::of(vec![group("g", [spec("a"), spec("b")])]).running();
    scenario.exit("b", 0);
    scenario.log.clear();
    scenario.ask(Command::SignalProcess(Namespec::split("g:a"), Ok(Signal::HUP)));
    scenario.expect_log(&["!kill a SIGHUP", "!reply 1 done"]);
    scenario.ask(Command::SignalProcess(Namespec::split("g:b"), Ok(Signal::HUP)));
    scenario.expect_log(&["!reply 2 NOT_RUNNING: g:b"]);
    scenario.ask(Command::SignalAllProcesses(Ok(Signal::USR1)));
    scenario.expect_log(&["!kill a SIGUSR1", "!reply 3 a:ok"]);
}

#[test]
fn a_signal_that_can_not_be_sent_makes_it_unknown() {
    let mut scenario = Scenario::one(|_| ()).running();
    scenario.send_error = Some(SendError::Failed("EPERM".to_owned()));
    scenario.stop("web", Wait::Yes);
    scenario.expect_log(&[
        "!kill web SIGTERM",
        "INFO waiting for web to stop",
        "CRIT unknown problem killing web (101):EPERM",
        "!reply 1 FAILED: unknown problem killing web (101):EPERM",
    ]);
    scenario.start("web", Wait::No);
    scenario.expect_log(&["!reply 2 FAILED: web is in an unknown process state"]);
    scenario.exit("web", 0);
    assert_eq!(scenario.state("web"), ProcessState::Stopped);
}

#[test]
fn a_process_that_has_just_ended_is_awaited() {
    let mut scenario = Scenario::one(|_| ()).running();
    scenario.send_error = Some(SendError::Gone("no such process".to_owned()));
    scenario.stop("web", Wait::Yes);
    scenario.exit("web", 0);
    assert_eq!(scenario.log.pop().unwrap(), "!reply 1 done");
}
