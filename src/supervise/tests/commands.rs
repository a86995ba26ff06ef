//! How commands are answered: starts, stops and signals, of one process and of many.

use super::*;

#[test]
fn start_answers_when_it_runs() {
    let mut story = Story::one(|web| web.autostart = false).begun();
    story.start("web", Wait::Yes);
    story.tells(&["!spawn web", "INFO spawned: 'web' with pid 101"]);
    story.pass(1.0);
    story.tells(&[SUCCESS_LINE, "!reply 1 done"]);
    story.start("web", Wait::Yes);
    story.tells(&["!reply 2 ALREADY_STARTED: web"]);
}

#[test]
fn start_without_waiting_answers_when_it_is_spawned() {
    let mut story = Story::one(|web| web.autostart = false).begun();
    story.start("web", Wait::No);
    story.tells(&["!spawn web", "INFO spawned: 'web' with pid 101", "!reply 1 done"]);
}

#[test]
fn start_tells_why_it_failed() {
    let mut story = Story::one(|web| web.autostart = false).begun();
    story.start("web", Wait::Yes);
    story.exits("web", 1);
    assert_eq!(story.told.pop().unwrap(), "!reply 1 SPAWN_ERROR: web");
    story.stop("web", Wait::No);

    story.check_fault = Some(Fault::about(FaultCode::NoFile, "can't find command 'x'"));
    story.told.clear();
    story.start("web", Wait::Yes);
    story.tells(&["!reply 3 NO_FILE: can't find command 'x'"]);
    story.check_fault = None;

    story.spawn_errors = ["too many open files to spawn 'web'"].into();
    story.start("web", Wait::No);
    story.tells(&[
        "!spawn web",
        "INFO spawnerr: too many open files to spawn 'web'",
        "!reply 4 SPAWN_ERROR: web",
    ]);
    story.stop("web", Wait::No);

    story.start("web", Wait::Yes);
    story.stop("web", Wait::No);
    story.told.retain(|line| line.starts_with("!reply"));
    story.tells(&["!reply 5 done", "!reply 6 ABNORMAL_TERMINATION: web", "!reply 7 done"]);
}

#[test]
fn a_start_while_it_stops_is_abnormal() {
    let mut story = Story::one(|_| ()).running();
    story.stop("web", Wait::No);
    story.told.clear();
    story.start("web", Wait::Yes);
    story.tells(&["WARN process 'web' already running", "!reply 2 ABNORMAL_TERMINATION: web"]);
}

#[test]
fn debug_lines_tell_what_is_sent_to_whom() {
    let mut story = Story::one(|web| (web.stop_as_group, web.kill_as_group) = (true, true)).running();
    story.verbose = true;
    story.ask(Command::SignalProcess(Namespec::split("web"), Ok(Signal::HUP)));
    story.send_error = Some(SendError::Gone("No such process".to_owned()));
    story.ask(Command::SignalProcess(Namespec::split("web"), Ok(Signal::HUP)));
    story.stop("web", Wait::No);
    story.told.retain(|line| line.starts_with("DEBG"));
    story.tells(&[
        "DEBG sending web (pid 101) sig SIGHUP",
        "DEBG sending web (pid 101) sig SIGHUP",
        "DEBG unable to signal web (pid 101), it probably just now exited on its own: No such process",
        "DEBG killing web (pid 101) process group with signal SIGTERM",
        "DEBG unable to signal web (pid 101), it probably just exited on its own: No such process",
    ]);
    story.exits("web", 0);
    story.start("web", Wait::No);
    story.exits("web", 0);
    story.told.clear();
    story.stop("web", Wait::No);
    story.tells(&["DEBG Attempted to kill web, which is in BACKOFF state.", "!reply 5 done"]);
    story.signal(Signal::CHLD);
    story.signal(Signal::USR1);
    story.tells(&[
        "DEBG received SIGCHLD indicating a child quit",
        "BLAT received SIGUSR1 indicating nothing",
    ]);
}

#[test]
fn names_that_nobody_has_are_told_as_they_were_asked() {
    let mut story = Story::of(vec![group("g", [spec("a"), spec("b")])]).running();
    for (name, fault) in [("nope", "nope"), ("g:nope", "g:nope"), ("nope:*", "nope:*"), ("g", "g")] {
        story.start(name, Wait::Yes);
        story.stop(name, Wait::Yes);
        story.ask(Command::SignalProcess(Namespec::split(name), Ok(Signal::HUP)));
        story.ask(Command::GetProcessInfo(Namespec::split(name)));
        let told = std::mem::take(&mut story.told);
        assert!(told.iter().all(|line| line.ends_with(&format!(" BAD_NAME: {fault}"))), "{told:?}");
    }
    story.ask(Command::GetProcessInfo(Namespec::split("g:*")));
    story.ask(Command::StartProcessGroup("nope".to_owned(), Wait::No));
    assert_eq!(story.told.pop().unwrap(), "!reply 18 BAD_NAME: nope");
    assert_eq!(story.told.pop().unwrap(), "!reply 17 BAD_NAME: g:*");
}

#[test]
fn groups_start_together_in_order_of_priority() {
    let low = ProcessSpec { priority: 1, ..spec("low") };
    let mut story = Story::of(vec![
        group("g", [ProcessSpec { priority: 500, ..spec("high") }, low]),
        alone(999, spec("last")),
        alone(-5, spec("first")),
    ])
    .begun();
    story.told.retain(|line| line.starts_with("!spawn"));
    story.tells(&["!spawn first", "!spawn low", "!spawn high", "!spawn last"]);
}

#[test]
fn bulk_answers_come_in_the_order_in_which_they_are_settled() {
    let quick = ProcessSpec { start_secs: 0, ..spec("quick") };
    let mut story = Story::of(vec![group("g", [spec("slow"), quick])]).running();
    story.ask(Command::StopProcessGroup("g".to_owned(), Wait::Yes));
    story.exits("slow", 0);
    story.exits("quick", 0);
    story.tells(&[
        "!kill quick SIGTERM",
        "INFO waiting for quick to stop",
        "!kill slow SIGTERM",
        "INFO waiting for slow to stop",
        "INFO stopped: slow (exit status 0)",
        "INFO stopped: quick (exit status 0)",
        "!reply 1 slow:ok,quick:ok",
    ]);
    story.ask(Command::StartAllProcesses(Wait::Yes));
    story.pass(1.0);
    assert_eq!(story.told.pop().unwrap(), "!reply 2 quick:ok,slow:ok");
    story.told.clear();
    story.ask(Command::StartAllProcesses(Wait::Yes));
    story.tells(&["!reply 3 "]);
}

#[test]
fn rows_that_are_settled_together_keep_the_order_of_the_request() {
    let quick = |name: &str| ProcessSpec { start_secs: 0, autostart: false, ..spec(name) };
    let mut story = Story::of(vec![group("g", ["a", "b", "c"].map(quick))]).begun();
    story.spawn_errors.extend(["no"]);
    story.start("g:*", Wait::Yes);
    assert_eq!(story.told.pop().unwrap(), "!reply 1 a:SPAWN_ERROR: g:a,b:ok,c:ok");
    story.stop("g:a", Wait::No);
    story.start("g:a", Wait::Yes);
    story.stop("g:*", Wait::No);
    assert_eq!(story.told.pop().unwrap(), "!reply 4 a:ok,b:ok,c:ok");
    for name in ["c", "b", "a"] {
        story.exits(name, 0);
    }
    // Within one interval of 50 ms, and in two.
    for (pause, order) in [(0.01, "a:ok,b:ok,c:ok"), (0.06, "c:ok,b:ok,a:ok")] {
        story.start("g:*", Wait::Yes);
        story.stop("g:*", Wait::Yes);
        for name in ["c", "b", "a"] {
            story.pass(pause);
            story.exits(name, 0);
        }
        let answer = story.told.pop().unwrap();
        assert!(answer.ends_with(order), "{answer}");
    }
}

#[test]
fn a_group_that_is_added_again_is_the_last_of_its_priority() {
    let off = |name: &str| ProcessSpec { autostart: false, start_secs: 0, ..spec(name) };
    let mut story = Story::of(["a", "b", "c"].map(|name| alone(999, off(name))).to_vec()).begun();
    story.ask(Command::RemoveProcessGroup("a".to_owned()));
    story.ask(Command::AddProcessGroup("a".to_owned()));
    story.ask(Command::StartAllProcesses(Wait::No));
    story.ask(Command::SignalAllProcesses(Ok(Signal::HUP)));
    story.told.retain(|line| line.contains("b:ok"));
    story.tells(&["!reply 3 b:ok,c:ok,a:ok", "!reply 4 b:ok,c:ok,a:ok"]);
}

#[test]
fn bulk_answers_carry_each_fault() {
    let mut story = Story::of(vec![group("g", [spec("a"), spec("b")])]).running();
    story.exits("a", 0);
    story.exits("b", 0);
    story.told.clear();
    story.check_fault = Some(Fault::about(FaultCode::NoFile, "can't find command 'x'"));
    story.start("g:*", Wait::Yes);
    story.tells(&["!reply 1 a:NO_FILE: can't find command 'x',b:NO_FILE: can't find command 'x'"]);
}

#[test]
fn signals_go_to_those_that_can_take_them() {
    let mut story = Story::of(vec![group("g", [spec("a"), spec("b")])]).running();
    story.exits("b", 0);
    story.told.clear();
    story.ask(Command::SignalProcess(Namespec::split("g:a"), Ok(Signal::HUP)));
    story.tells(&["!kill a SIGHUP", "!reply 1 done"]);
    story.ask(Command::SignalProcess(Namespec::split("g:b"), Ok(Signal::HUP)));
    story.tells(&["!reply 2 NOT_RUNNING: g:b"]);
    story.ask(Command::SignalAllProcesses(Ok(Signal::USR1)));
    story.tells(&["!kill a SIGUSR1", "!reply 3 a:ok"]);
}

#[test]
fn a_signal_that_can_not_be_sent_makes_it_unknown() {
    let mut story = Story::one(|_| ()).running();
    story.send_error = Some(SendError::Failed("EPERM".to_owned()));
    story.stop("web", Wait::Yes);
    story.tells(&[
        "!kill web SIGTERM",
        "INFO waiting for web to stop",
        "CRIT unknown problem killing web (101):EPERM",
        "!reply 1 FAILED: unknown problem killing web (101):EPERM",
    ]);
    story.start("web", Wait::No);
    story.tells(&["!reply 2 FAILED: web is in an unknown process state"]);
    story.exits("web", 0);
    assert_eq!(story.state("web"), ProcessState::Stopped);
}

#[test]
fn one_that_has_just_gone_is_waited_for() {
    let mut story = Story::one(|_| ()).running();
    story.send_error = Some(SendError::Gone("no such process".to_owned()));
    story.stop("web", Wait::Yes);
    story.exits("web", 0);
    assert_eq!(story.told.pop().unwrap(), "!reply 1 done");
}
