//! Rereading the configuration; adding and removing groups.

use super::*;

#[test]
fn reread_tells_what_changed_and_touches_nothing() {
    let mut story =
        Story::of(vec![alone(1, spec("same")), alone(2, spec("other")), alone(3, spec("gone"))]).running();
    let changed = ProcessSpec { start_secs: 5, ..spec("other") };
    story.next_groups = vec![
        alone(1, spec("same")),
        alone(2, changed),
        alone(9, ProcessSpec { autostart: false, ..spec("new") }),
    ];
    story.ask(Command::ReloadConfig);
    story.tells(&["!reply 1 Changes { added: [\"new\"], changed: [\"other\"], removed: [\"gone\"] }"]);
    assert_eq!(story.state("gone"), ProcessState::Running);
    story.broken_settings = Some("bad");
    story.ask(Command::ReloadConfig);
    story.tells(&["!reply 2 CANT_REREAD: bad"]);
    story.ask(Command::AddProcessGroup("new".to_owned()));
    assert_eq!(story.told[0], "!reply 3 done", "what was read last is still there: {:?}", story.told);
}

#[test]
fn a_log_that_becomes_auto_is_a_change() {
    let file = |target: LogTarget| {
        let web = spec("web");
        alone(1, ProcessSpec { stdout: StreamSpec { target, ..web.stdout.clone() }, ..web })
    };
    let mut story = Story::of(vec![file(LogTarget::File("/x.log".into()))]).running();
    story.next_groups = vec![file(LogTarget::Auto)];
    story.ask(Command::ReloadConfig);
    story.tells(&["!reply 1 Changes { added: [], changed: [\"web\"], removed: [] }"]);
    let mut story = Story::of(vec![file(LogTarget::Auto)]).running();
    story.next_groups = vec![file(LogTarget::Auto)];
    story.ask(Command::ReloadConfig);
    story.tells(&["!reply 1 Changes { added: [], changed: [], removed: [] }"]);
}

fn with_socket(url_path: &str, process: ProcessSpec) -> ProcessSpec {
    let address = Address::Unix { path: url_path.into(), mode: 0o700, owner: None };
    let section = format!("fcgi-program:{}", process.group);
    let socket = SocketSpec { section, address, owner_asked_for: false, backlog: 1 };
    ProcessSpec { socket: Some(Arc::new(socket)), ..process }
}

#[test]
fn a_group_with_sockets_is_added_once_they_can_be_had() {
    let shared = with_socket("/s", spec("a"));
    let second = ProcessSpec { autostart: false, ..shared.clone() };
    let mut story = Story::of(Vec::new()).running();
    story.next_groups = vec![group("g", [shared, ProcessSpec { name: "b".to_owned(), ..second }])];
    story.ask(Command::ReloadConfig);
    story.told.clear();
    story.socket_error = Some("no such luck");
    story.ask(Command::AddProcessGroup("g".to_owned()));
    story.tells(&["!try unix:///s", "!reply 2 FAILED: no such luck"]);
    story.socket_error = None;
    story.ask(Command::AddProcessGroup("g".to_owned()));
    assert_eq!(story.told[..2], ["!try unix:///s", "!reply 3 done"]);
    assert_eq!(story.state("a"), ProcessState::Starting);
    assert_eq!(story.state("b"), ProcessState::Stopped);
}

#[test]
fn a_socket_that_is_another_is_a_change() {
    let f = |path: &str| alone(1, with_socket(path, spec("f")));
    let mut story = Story::of(vec![f("/s")]).running();
    for (next, changed) in [(f("/s"), ""), (f("/t"), "\"f\""), (alone(1, spec("f")), "\"f\"")] {
        story.next_groups = vec![next];
        story.told.clear();
        story.ask(Command::ReloadConfig);
        let expected = format!("Changes {{ added: [], changed: [{changed}], removed: [] }}");
        assert!(story.told[0].ends_with(&expected), "{:?}", story.told);
    }
}

#[test]
fn groups_are_added_and_removed() {
    let mut story = Story::one(|_| ()).running();
    story.next_groups =
        vec![alone(999, spec("web")), group("g", [spec("a"), ProcessSpec { autostart: false, ..spec("b") }])];
    story.ask(Command::AddProcessGroup("g".to_owned()));
    story.tells(&["!reply 1 BAD_NAME: g"]);
    story.ask(Command::ReloadConfig);
    story.ask(Command::AddProcessGroup("web".to_owned()));
    story.told.clear();
    story.ask(Command::AddProcessGroup("g".to_owned()));
    story.tells(&["!reply 4 done", "!spawn a", "INFO spawned: 'a' with pid 102"]);
    story.ask(Command::AddProcessGroup("g".to_owned()));
    story.ask(Command::RemoveProcessGroup("g".to_owned()));
    story.ask(Command::RemoveProcessGroup("nope".to_owned()));
    story.tells(&["!reply 5 ALREADY_ADDED: g", "!reply 6 STILL_RUNNING: g", "!reply 7 BAD_NAME: nope"]);
    story.stop("g:a", Wait::No);
    story.exits("a", 0);
    story.told.clear();
    story.ask(Command::RemoveProcessGroup("g".to_owned()));
    story.ask(Command::StartProcessGroup("g".to_owned(), Wait::No));
    story.tells(&["!reply 9 done", "!reply 10 BAD_NAME: g"]);
}
