//! Updates of a group.

use super::*;

#[test]
fn what_needs_no_restart_is_applied_to_the_process_that_runs() {
    let mut story = Story::one(|_| ()).running();
    let limited = StreamSpec { bytes_max: 77, ..spec("web").stdout };
    let changed = ProcessSpec {
        stop_signal: Signal::INT,
        stop_wait_secs: 2,
        autorestart: AutoRestart::Always,
        stdout: limited,
        ..spec("web")
    };
    configure(&mut story, vec![alone(7, changed)]);
    update(&mut story, "web");
    story.tells(&[
        "INFO updated: 'web' in place (autorestart, stopsignal, stopwaitsecs, stdout_logfile_maxbytes)",
        "!limits web 77",
        "!reply 2 web:applied",
    ]);
    story.ask(Command::ReloadConfig);
    story.tells(&["!reply 3 Changes { added: [], changed: [], removed: [] }"]);
    update(&mut story, "web");
    story.tells(&["!reply 4 web:unchanged"]);
    story.exits("web", 0);
    story.pass(2.0);
    story.told.clear();
    story.stop("web", Wait::No);
    story.pass(2.0);
    story.tells(&[
        "!kill web SIGINT",
        "!reply 5 done",
        "WARN killing 'web' (102) with SIGKILL",
        "!kill web SIGKILL",
    ]);
}

#[test]
fn a_priority_of_a_group_is_in_force_at_once() {
    let mut story = three_levels();
    configure(&mut story, vec![alone(99, spec("db"))]);
    update(&mut story, "db");
    story.tells(&["!reply 2 db:unchanged"]);
    story.signal(Signal::TERM);
    assert!(story.told.contains(&"!kill db SIGTERM".to_owned()), "{:?}", story.told);
    assert!(!story.told.contains(&"!kill web SIGTERM".to_owned()), "{:?}", story.told);
}

#[test]
fn startsecs_that_change_count_from_the_start() {
    let mut story = Story::one(|web| web.start_secs = 5).begun();
    story.pass(2.0);
    configure(&mut story, vec![alone(999, ProcessSpec { start_secs: 9, ..spec("web") })]);
    update(&mut story, "web");
    story.pass(6.5);
    assert_eq!(story.state("web"), ProcessState::Starting);
    configure(&mut story, vec![alone(999, ProcessSpec { start_secs: 3, ..spec("web") })]);
    update(&mut story, "web");
    assert_eq!(story.state("web"), ProcessState::Running);
}

#[test]
fn autostart_that_comes_starts_what_was_never_started_and_nothing_else() {
    let off = |name: &str| ProcessSpec { autostart: false, ..spec(name) };
    let mut story = Story::of(vec![group("g", [off("new"), off("old")])]).begun();
    story.start("g:old", Wait::No);
    story.stop("g:old", Wait::No);
    story.exits("old", 0);
    configure(&mut story, vec![group("g", [spec("new"), spec("old")])]);
    update(&mut story, "g");
    story.told.retain(|line| line.starts_with('!') && !line.starts_with("!limits"));
    story.tells(&["!spawn new", "!reply 4 new:applied,old:applied"]);
}

#[test]
fn what_needs_a_restart_is_replaced_and_the_rest_is_left_alone() {
    let changed = |name: &str| ProcessSpec { command: "/bin/false".to_owned(), ..spec(name) };
    let mut story = Story::of(vec![group("g", [spec("a"), spec("b"), spec("c"), spec("d")])]).running();
    let old = story.id("b");
    let first = ProcessSpec { priority: 1, ..spec("new") };
    configure(&mut story, vec![group("g", [changed("b"), spec("a"), changed("d"), first])]);
    update(&mut story, "g");
    story.tells(&[
        "INFO updating: 'b' is replaced (command)",
        "INFO updating: 'd' is replaced (command)",
        "!kill c SIGTERM",
        "INFO waiting for c to stop",
        "!kill d SIGTERM",
        "INFO waiting for d to stop",
        "!kill b SIGTERM",
        "INFO waiting for b to stop",
    ]);
    story.exits("b", 0);
    story.exits("d", 0);
    story.tells(&["INFO stopped: b (exit status 0)", "INFO stopped: d (exit status 0)"]);
    assert_eq!(story.id("b"), old, "nothing is entered before the last has left");
    story.exits("c", 0);
    story.tells(&[
        "INFO stopped: c (exit status 0)",
        "!spawn new",
        "!spawn b",
        "!spawn d",
        "!reply 2 b:replaced,a:unchanged,d:replaced,new:added,c:removed",
        "INFO spawned: 'new' with pid 105",
        "INFO spawned: 'b' with pid 106",
        "INFO spawned: 'd' with pid 107",
    ]);
    story.ask(Command::ReloadConfig);
    story.tells(&["!reply 3 Changes { added: [], changed: [], removed: [] }"]);
}

#[test]
fn one_that_does_not_run_is_replaced_at_once_and_autostart_says_the_rest() {
    let off = |name: &str| ProcessSpec { autostart: false, ..spec(name) };
    let mut story = Story::of(vec![group("g", [spec("stopped"), off("off"), spec("dead")])]).begun();
    story.stop("g:stopped", Wait::No);
    story.exits("stopped", 0);
    story.exits("dead", 1);
    let moved = |spec: ProcessSpec| ProcessSpec { directory: Some("/".into()), ..spec };
    let all = [moved(spec("stopped")), moved(off("off")), moved(spec("dead"))];
    configure(&mut story, vec![group("g", all)]);
    update(&mut story, "g");
    story.told.retain(|line| line.starts_with('!'));
    story.tells(&["!spawn stopped", "!spawn dead", "!reply 3 stopped:replaced,off:replaced,dead:replaced"]);
}

#[test]
fn a_group_of_another_kind_is_replaced_as_a_whole() {
    let mut story = Story::one(|_| ()).running();
    configure(&mut story, vec![group("web", [spec("web")])]);
    update(&mut story, "web");
    story.exits("web", 0);
    story.tells(&[
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
fn while_it_updates() -> Story {
    let changed = |name: &str| ProcessSpec { umask: Some(0o77), ..spec(name) };
    let mut story = Story::of(vec![group("g", [spec("slow"), spec("quick"), spec("same")])]).running();
    configure(&mut story, vec![group("g", [changed("slow"), changed("quick"), spec("same")])]);
    update(&mut story, "g");
    story.exits("quick", 0);
    story.told.clear();
    story
}

#[test]
fn while_a_group_is_updated_nothing_else_can_be_made_of_it() {
    let mut story = while_it_updates();
    for name in ["g:slow", "g:quick", "g:same"] {
        story.start(name, Wait::Yes);
    }
    story.ask(Command::StartProcessGroup("g".to_owned(), Wait::No));
    story.ask(Command::RemoveProcessGroup("g".to_owned()));
    story.ask(Command::AddProcessGroup("g".to_owned()));
    update(&mut story, "g");
    story.stop("g:slow", Wait::Yes);
    story.tells(&[
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
    update(&mut story, "nope");
    story.tells(&["!reply 11 BAD_NAME: nope"]);
    story.exits("slow", 0);
    story.told.retain(|line| line.starts_with('!'));
    story.tells(&["!spawn slow", "!spawn quick", "!reply 2 slow:replaced,quick:replaced,same:unchanged"]);
}

#[test]
fn an_update_makes_what_was_configured_when_it_was_asked_for() {
    let mut story = while_it_updates();
    configure(&mut story, Vec::new());
    story.exits("slow", 0);
    story.told.retain(|line| line.starts_with('!'));
    story.tells(&["!spawn slow", "!spawn quick", "!reply 2 slow:replaced,quick:replaced,same:unchanged"]);
    update(&mut story, "g");
    story.tells(&["!reply 4 BAD_NAME: g"]);
}

#[test]
fn a_shutdown_ends_an_update() {
    for signal in [Signal::TERM, Signal::HUP] {
        let mut story = while_it_updates();
        story.signal(signal);
        assert!(story.told.contains(&"!reply 2 SHUTDOWN_STATE".to_owned()), "{:?}", story.told);
        story.exits("slow", 0);
        story.exits("same", 0);
        assert!(!story.told.iter().any(|line| line.starts_with("!spawn")), "{:?}", story.told);
        assert!(story.told.last().unwrap().starts_with("!stopped"), "{:?}", story.told);
    }
}

#[test]
fn an_update_goes_on_over_a_restart_that_is_refused() {
    let mut story = while_it_updates();
    story.broken_settings = Some("bad");
    story.signal(Signal::HUP);
    story.exits("slow", 0);
    let done = "!reply 2 slow:replaced,quick:replaced,same:unchanged".to_owned();
    assert!(story.told.contains(&done), "{:?}", story.told);
}

#[test]
fn what_can_not_be_stopped_stays_and_is_told() {
    let mut story = Story::of(vec![group("g", [spec("a"), spec("b")])]).running();
    configure(&mut story, vec![group("g", [ProcessSpec { umask: Some(0o77), ..spec("a") }])]);
    story.send_error = Some(SendError::Failed("EPERM".to_owned()));
    update(&mut story, "g");
    story.told.retain(|line| line.starts_with("!reply"));
    story.tells(&[
        "!reply 2 a:FAILED: g:a is in an unknown process state,b:FAILED: g:b is in an unknown process state",
    ]);
    story.ask(Command::ReloadConfig);
    story.tells(&["!reply 3 Changes { added: [], changed: [\"g\"], removed: [] }"]);
    story.exits("a", 0);
    story.exits("b", 0);
    update(&mut story, "g");
    story.told.retain(|line| line.starts_with('!'));
    story.tells(&["!spawn a", "!reply 4 a:replaced,b:removed"]);
}

#[test]
fn those_who_wait_for_a_leaving_process_are_answered() {
    let mut story = Story::one(|web| web.autostart = false).begun();
    story.start("web", Wait::Yes);
    configure(&mut story, vec![alone(999, ProcessSpec { umask: Some(0o77), ..spec("web") })]);
    update(&mut story, "web");
    story.exits("web", 0);
    story.told.retain(|line| line.starts_with('!'));
    story.tells(&[
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
    let mut story = Story::of(vec![auto(|_| ())]).running();
    let log = |story: &Story| story.supervisor.log_targets(story.id("web")).unwrap()[0].clone();
    let first = log(&story);
    assert_eq!(first, LogTarget::File("/auto/1-out".into()));
    configure(&mut story, vec![auto(|web| web.priority = 1)]);
    update(&mut story, "web");
    assert_eq!(log(&story), first);
    configure(&mut story, vec![auto(|web| web.umask = Some(0))]);
    update(&mut story, "web");
    story.exits("web", 0);
    assert_eq!(log(&story), LogTarget::File("/auto/2-out".into()));
}

#[test]
fn groups_without_processes_are_added_updated_and_removed() {
    let mut story = Story::of(vec![group("g", [])]).begun();
    update(&mut story, "g");
    story.ask(Command::RemoveProcessGroup("g".to_owned()));
    story.ask(Command::ReloadConfig);
    story.next_groups = vec![group("g", [])];
    story.ask(Command::ReloadConfig);
    story.ask(Command::AddProcessGroup("g".to_owned()));
    story.ask(Command::GetAllProcessInfo);
    story.tells(&[
        "!reply 1 ",
        "!reply 2 done",
        "!reply 3 Changes { added: [], changed: [], removed: [] }",
        "!reply 4 Changes { added: [\"g\"], changed: [], removed: [] }",
        "!reply 5 done",
        "!reply 6 AllInfo([])",
    ]);
}
