//! Updates of a group.

use std::path::Path;

use super::*;

#[test]
fn changes_without_a_restart_apply_to_the_running_process() {
    let mut scenario = Scenario::one(|_| ()).running();
    let limited = StreamSpec { bytes_max: 77, ..spec("web").stdout };
    let changed = ProcessSpec {
        stop_signal: Signal::INT,
        stop_wait_secs: 2,
        autorestart: AutoRestart::Always,
        stdout: limited,
        ..spec("web")
    };
    configure(&mut scenario, vec![alone(7, changed)]);
    update(&mut scenario, "web");
    scenario.expect_log(&[
        "INFO updated: 'web' in place (autorestart, stopsignal, stopwaitsecs, stdout_logfile_maxbytes)",
        "!limits web 77",
        "!reply 2 web:applied",
    ]);
    scenario.ask(Command::ReloadConfig);
    scenario.expect_log(&["!reply 3 Changes { added: [], changed: [], removed: [] }"]);
    update(&mut scenario, "web");
    scenario.expect_log(&["!reply 4 web:unchanged"]);
    scenario.exit("web", 0);
    scenario.pass(2.0);
    scenario.log.clear();
    scenario.stop("web", Wait::No);
    scenario.pass(2.0);
    scenario.expect_log(&[
        "!kill web SIGINT",
        "!reply 5 done",
        "WARN killing 'web' (102) with SIGKILL",
        "!kill web SIGKILL",
    ]);
}

#[test]
fn changed_limits_are_applied_to_a_process_that_runs() {
    let nice = |nice| {
        let limits = LimitsSpec { nice, oom_score_adj: Some(1), ..LimitsSpec::default() };
        ProcessSpec { limits: Some(Box::new(limits)), ..spec("web") }
    };
    let mut scenario = Scenario::one(|web| *web = nice(None)).running();
    configure(&mut scenario, vec![alone(999, nice(Some(5)))]);
    update(&mut scenario, "web");
    scenario.expect_log(&[
        "INFO updated: 'web' in place (nice)",
        "!limits web 52428800",
        "!apply nice to web (101)",
        "!reply 2 web:applied",
    ]);
    // Without a process there is nothing to change.
    scenario.stop("web", Wait::No);
    scenario.exit("web", 0);
    scenario.log.clear();
    configure(&mut scenario, vec![alone(999, spec("web"))]);
    update(&mut scenario, "web");
    assert!(!scenario.log.iter().any(|line| line.starts_with("!apply")), "{:?}", scenario.log);
}

#[test]
fn a_changed_group_priority_applies_at_once() {
    let mut scenario = three_levels();
    configure(&mut scenario, vec![alone(99, spec("db"))]);
    update(&mut scenario, "db");
    scenario.expect_log(&["!reply 2 db:unchanged"]);
    scenario.signal(Signal::TERM);
    assert!(scenario.log.contains(&"!kill db SIGTERM".to_owned()), "{:?}", scenario.log);
    assert!(!scenario.log.contains(&"!kill web SIGTERM".to_owned()), "{:?}", scenario.log);
}

#[test]
fn changed_startsecs_count_from_the_start() {
    let mut scenario = Scenario::one(|web| web.start_secs = 5).begin();
    scenario.pass(2.0);
    configure(&mut scenario, vec![alone(999, ProcessSpec { start_secs: 9, ..spec("web") })]);
    update(&mut scenario, "web");
    scenario.pass(6.5);
    assert_eq!(scenario.state("web"), ProcessState::Starting);
    configure(&mut scenario, vec![alone(999, ProcessSpec { start_secs: 3, ..spec("web") })]);
    update(&mut scenario, "web");
    assert_eq!(scenario.state("web"), ProcessState::Running);
}

#[test]
fn newly_set_autostart_starts_only_what_was_never_started() {
    let off = |name: &str| ProcessSpec { autostart: false, ..spec(name) };
    let mut scenario = Scenario::of(vec![group("g", [off("new"), off("old")])]).begin();
    scenario.start("g:old", Wait::No);
    scenario.stop("g:old", Wait::No);
    scenario.exit("old", 0);
    configure(&mut scenario, vec![group("g", [spec("new"), spec("old")])]);
    update(&mut scenario, "g");
    scenario.log.retain(|line| line.starts_with('!') && !line.starts_with("!limits"));
    scenario.expect_log(&["!spawn new", "!reply 4 new:applied,old:applied"]);
}

#[test]
fn only_processes_that_need_a_restart_are_replaced() {
    let changed = |name: &str| ProcessSpec { command: "/bin/false".to_owned(), ..spec(name) };
    let mut scenario = Scenario::of(vec![group("g", [spec("a"), spec("b"), spec("c"), spec("d")])]).running();
    let old = scenario.id("b");
    let first = ProcessSpec { priority: 1, ..spec("new") };
    configure(&mut scenario, vec![group("g", [changed("b"), spec("a"), changed("d"), first])]);
    update(&mut scenario, "g");
    scenario.expect_log(&[
        "INFO updating: 'b' is replaced (command)",
        "INFO updating: 'd' is replaced (command)",
        "!kill c SIGTERM",
        "INFO waiting for c to stop",
        "!kill d SIGTERM",
        "INFO waiting for d to stop",
        "!kill b SIGTERM",
        "INFO waiting for b to stop",
    ]);
    scenario.exit("b", 0);
    scenario.exit("d", 0);
    scenario.expect_log(&["INFO stopped: b (exit status 0)", "INFO stopped: d (exit status 0)"]);
    assert_eq!(scenario.id("b"), old, "nothing is entered before the last has left");
    scenario.exit("c", 0);
    scenario.expect_log(&[
        "INFO stopped: c (exit status 0)",
        "!spawn new",
        "!spawn b",
        "!spawn d",
        "!reply 2 b:replaced,a:unchanged,d:replaced,new:added,c:removed",
        "INFO spawned: 'new' with pid 105",
        "INFO spawned: 'b' with pid 106",
        "INFO spawned: 'd' with pid 107",
    ]);
    scenario.ask(Command::ReloadConfig);
    scenario.expect_log(&["!reply 3 Changes { added: [], changed: [], removed: [] }"]);
}

#[test]
fn a_stopped_process_is_replaced_at_once_and_autostart_decides_its_start() {
    let off = |name: &str| ProcessSpec { autostart: false, ..spec(name) };
    let mut scenario = Scenario::of(vec![group("g", [spec("stopped"), off("off"), spec("dead")])]).begin();
    scenario.stop("g:stopped", Wait::No);
    scenario.exit("stopped", 0);
    scenario.exit("dead", 1);
    let moved = |spec: ProcessSpec| ProcessSpec { directory: Some("/".into()), ..spec };
    let all = [moved(spec("stopped")), moved(off("off")), moved(spec("dead"))];
    configure(&mut scenario, vec![group("g", all)]);
    update(&mut scenario, "g");
    scenario.log.retain(|line| line.starts_with('!'));
    scenario.expect_log(&[
        "!spawn stopped",
        "!spawn dead",
        "!reply 3 stopped:replaced,off:replaced,dead:replaced",
    ]);
}

#[test]
fn a_group_of_another_kind_is_replaced_as_a_whole() {
    let mut scenario = Scenario::one(|_| ()).running();
    configure(&mut scenario, vec![group("web", [spec("web")])]);
    update(&mut scenario, "web");
    scenario.exit("web", 0);
    scenario.expect_log(&[
        "INFO updating: 'web' is replaced (kind of its group)",
        "!kill web SIGTERM",
        "INFO waiting for web to stop",
        "INFO stopped: web (exit status 0)",
        "!spawn web",
        "!reply 2 web:replaced",
        "INFO spawned: 'web' with pid 102",
    ]);
}

/// A group with a process that is leaving and one that has left already.
fn while_it_updates() -> Scenario {
    let changed = |name: &str| ProcessSpec { umask: Some(0o77), ..spec(name) };
    let mut scenario = Scenario::of(vec![group("g", [spec("slow"), spec("quick"), spec("same")])]).running();
    configure(&mut scenario, vec![group("g", [changed("slow"), changed("quick"), spec("same")])]);
    update(&mut scenario, "g");
    scenario.exit("quick", 0);
    scenario.log.clear();
    scenario
}

#[test]
fn other_changes_of_a_group_are_refused_during_its_update() {
    let mut scenario = while_it_updates();
    for name in ["g:slow", "g:quick", "g:same"] {
        scenario.start(name, Wait::Yes);
    }
    scenario.ask(Command::StartProcessGroup("g".to_owned(), Wait::No));
    scenario.ask(Command::RemoveProcessGroup("g".to_owned()));
    scenario.ask(Command::AddProcessGroup("g".to_owned()));
    update(&mut scenario, "g");
    scenario.stop("g:slow", Wait::Yes);
    scenario.expect_log(&[
        "!reply 3 ABNORMAL_TERMINATION: g:slow is leaving, its group is being updated",
        "!reply 4 ABNORMAL_TERMINATION: g:quick is leaving, its group is being updated",
        "!reply 5 ALREADY_STARTED: g:same",
        "!reply 6 slow:ABNORMAL_TERMINATION: g:slow is leaving, its group is being updated,\
         quick:ABNORMAL_TERMINATION: g:quick is leaving, its group is being updated",
        "!reply 7 STILL_RUNNING: g",
        "!reply 8 ALREADY_ADDED: g",
        "!reply 9 FAILED: an update of g is under way",
        "!reply 10 NOT_RUNNING: g:slow",
    ]);
    update(&mut scenario, "nope");
    scenario.expect_log(&["!reply 11 BAD_NAME: nope"]);
    scenario.exit("slow", 0);
    scenario.log.retain(|line| line.starts_with('!'));
    scenario.expect_log(&[
        "!spawn slow",
        "!spawn quick",
        "!reply 2 slow:replaced,quick:replaced,same:unchanged",
    ]);
}

#[test]
fn an_update_applies_the_configuration_at_the_time_of_the_request() {
    let mut scenario = while_it_updates();
    configure(&mut scenario, Vec::new());
    scenario.exit("slow", 0);
    scenario.log.retain(|line| line.starts_with('!'));
    scenario.expect_log(&[
        "!spawn slow",
        "!spawn quick",
        "!reply 2 slow:replaced,quick:replaced,same:unchanged",
    ]);
    update(&mut scenario, "g");
    scenario.expect_log(&["!reply 4 BAD_NAME: g"]);
}

#[test]
fn a_shutdown_ends_an_update() {
    for signal in [Signal::TERM, Signal::HUP] {
        let mut scenario = while_it_updates();
        scenario.signal(signal);
        assert!(scenario.log.contains(&"!reply 2 SHUTDOWN_STATE".to_owned()), "{:?}", scenario.log);
        scenario.exit("slow", 0);
        scenario.exit("same", 0);
        assert!(!scenario.log.iter().any(|line| line.starts_with("!spawn")), "{:?}", scenario.log);
        assert!(scenario.log.last().unwrap().starts_with("!stopped"), "{:?}", scenario.log);
    }
}

#[test]
fn an_update_continues_after_a_refused_restart() {
    let mut scenario = while_it_updates();
    scenario.broken_settings = Some("bad");
    scenario.signal(Signal::HUP);
    scenario.exit("slow", 0);
    let done = "!reply 2 slow:replaced,quick:replaced,same:unchanged".to_owned();
    assert!(scenario.log.contains(&done), "{:?}", scenario.log);
}

#[test]
fn a_process_that_cannot_be_stopped_stays_and_is_reported() {
    let mut scenario = Scenario::of(vec![group("g", [spec("a"), spec("b")])]).running();
    configure(&mut scenario, vec![group("g", [ProcessSpec { umask: Some(0o77), ..spec("a") }])]);
    scenario.send_error = Some(SendError::Failed("EPERM".to_owned()));
    update(&mut scenario, "g");
    scenario.log.retain(|line| line.starts_with("!reply"));
    scenario.expect_log(&[
        "!reply 2 a:FAILED: g:a is in an unknown process state,b:FAILED: g:b is in an unknown process state",
    ]);
    scenario.ask(Command::ReloadConfig);
    scenario.expect_log(&["!reply 3 Changes { added: [], changed: [\"g\"], removed: [] }"]);
    scenario.exit("a", 0);
    scenario.exit("b", 0);
    update(&mut scenario, "g");
    scenario.log.retain(|line| line.starts_with('!'));
    scenario.expect_log(&["!spawn a", "!reply 4 a:replaced,b:removed"]);
}

#[test]
fn clients_that_wait_for_a_leaving_process_are_answered() {
    let mut scenario = Scenario::one(|web| web.autostart = false).begin();
    scenario.start("web", Wait::Yes);
    configure(&mut scenario, vec![alone(999, ProcessSpec { umask: Some(0o77), ..spec("web") })]);
    update(&mut scenario, "web");
    scenario.exit("web", 0);
    scenario.log.retain(|line| line.starts_with('!'));
    scenario.expect_log(&[
        "!kill web SIGTERM",
        "!reply 1 ABNORMAL_TERMINATION: web",
        "!spawn web",
        "!reply 3 web:replaced",
    ]);
}

#[test]
fn auto_logs_stay_with_the_process_and_are_made_for_its_successor() {
    let auto = |change: fn(&mut ProcessSpec)| {
        let mut web = spec("web");
        web.stdout.target = LogTarget::Auto;
        change(&mut web);
        alone(999, web)
    };
    let mut scenario = Scenario::of(vec![auto(|_| ())]).running();
    let log = |scenario: &Scenario| scenario.supervisor.log_targets(scenario.id("web")).unwrap()[0].clone();
    let first = log(&scenario);
    assert_eq!(first, LogTarget::File(Path::new("/auto/1-out").into()));
    configure(&mut scenario, vec![auto(|web| web.priority = 1)]);
    update(&mut scenario, "web");
    assert_eq!(log(&scenario), first);
    configure(&mut scenario, vec![auto(|web| web.umask = Some(0))]);
    update(&mut scenario, "web");
    scenario.exit("web", 0);
    assert_eq!(log(&scenario), LogTarget::File(Path::new("/auto/2-out").into()));
}

#[test]
fn groups_without_processes_are_added_updated_and_removed() {
    let mut scenario = Scenario::of(vec![group("g", [])]).begin();
    update(&mut scenario, "g");
    scenario.ask(Command::RemoveProcessGroup("g".to_owned()));
    scenario.ask(Command::ReloadConfig);
    scenario.next_groups = vec![group("g", [])];
    scenario.ask(Command::ReloadConfig);
    scenario.ask(Command::AddProcessGroup("g".to_owned()));
    scenario.ask(Command::GetAllProcessInfo);
    scenario.expect_log(&[
        "!reply 1 ",
        "!reply 2 done",
        "!reply 3 Changes { added: [], changed: [], removed: [] }",
        "!reply 4 Changes { added: [\"g\"], changed: [], removed: [] }",
        "!reply 5 done",
        "!reply 6 AllInfo([])",
    ]);
}
