//! Rereading the configuration; adding and removing groups.

use std::path::Path;

use super::*;

#[test]
fn reread_reports_changes_and_applies_nothing() {
    let mut scenario =
        Scenario::of(vec![alone(1, spec("same")), alone(2, spec("other")), alone(3, spec("gone"))]).running();
    let changed = ProcessSpec { start_secs: 5, ..spec("other") };
    scenario.next_groups = vec![
        alone(1, spec("same")),
        alone(2, changed),
        alone(9, ProcessSpec { autostart: false, ..spec("new") }),
    ];
    scenario.ask(Command::ReloadConfig);
    scenario
        .expect_log(&["!reply 1 Changes { added: [\"new\"], changed: [\"other\"], removed: [\"gone\"] }"]);
    assert_eq!(scenario.state("gone"), ProcessState::Running);
    scenario.broken_settings = Some("bad");
    scenario.ask(Command::ReloadConfig);
    scenario.expect_log(&["!reply 2 CANT_REREAD: bad"]);
    scenario.ask(Command::AddProcessGroup("new".to_owned()));
    assert_eq!(scenario.log[0], "!reply 3 done", "what was read last is still there: {:?}", scenario.log);
}

#[test]
fn a_log_that_becomes_auto_is_a_change() {
    let file = |target: LogTarget| {
        let web = spec("web");
        alone(1, ProcessSpec { stdout: StreamSpec { target, ..web.stdout.clone() }, ..web })
    };
    let mut scenario = Scenario::of(vec![file(LogTarget::File(Path::new("/x.log").into()))]).running();
    scenario.next_groups = vec![file(LogTarget::Auto)];
    scenario.ask(Command::ReloadConfig);
    scenario.expect_log(&["!reply 1 Changes { added: [], changed: [\"web\"], removed: [] }"]);
    let mut scenario = Scenario::of(vec![file(LogTarget::Auto)]).running();
    scenario.next_groups = vec![file(LogTarget::Auto)];
    scenario.ask(Command::ReloadConfig);
    scenario.expect_log(&["!reply 1 Changes { added: [], changed: [], removed: [] }"]);
}

pub(super) fn with_socket(url_path: &str, process: ProcessSpec) -> ProcessSpec {
    let address = Address::Unix { path: url_path.into(), mode: 0o700, owner: None };
    let section = format!("fcgi-program:{}", process.group);
    let socket = SocketSpec { section, address, owner_asked_for: false, backlog: 1 };
    ProcessSpec { socket: Some(Arc::new(socket)), ..process }
}

#[test]
fn a_group_with_sockets_is_added_once_they_are_available() {
    let shared = with_socket("/s", spec("a"));
    let second = ProcessSpec { autostart: false, ..shared.clone() };
    let mut scenario = Scenario::of(Vec::new()).running();
    scenario.next_groups = vec![group("g", [shared, ProcessSpec { name: "b".into(), ..second }])];
    scenario.ask(Command::ReloadConfig);
    scenario.log.clear();
    scenario.socket_error = Some("no such luck");
    scenario.ask(Command::AddProcessGroup("g".to_owned()));
    scenario.expect_log(&["!try unix:///s", "!reply 2 FAILED: no such luck"]);
    scenario.socket_error = None;
    scenario.ask(Command::AddProcessGroup("g".to_owned()));
    assert_eq!(scenario.log[..2], ["!try unix:///s", "!reply 3 done"]);
    assert_eq!(scenario.state("a"), ProcessState::Starting);
    assert_eq!(scenario.state("b"), ProcessState::Stopped);
}

#[test]
fn a_different_socket_is_a_change() {
    let f = |path: &str| alone(1, with_socket(path, spec("f")));
    let mut scenario = Scenario::of(vec![f("/s")]).running();
    for (next, changed) in [(f("/s"), ""), (f("/t"), "\"f\""), (alone(1, spec("f")), "\"f\"")] {
        scenario.next_groups = vec![next];
        scenario.log.clear();
        scenario.ask(Command::ReloadConfig);
        let expected = format!("Changes {{ added: [], changed: [{changed}], removed: [] }}");
        assert!(scenario.log[0].ends_with(&expected), "{:?}", scenario.log);
    }
}

#[test]
fn groups_are_added_and_removed() {
    let mut scenario = Scenario::one(|_| ()).running();
    scenario.next_groups =
        vec![alone(999, spec("web")), group("g", [spec("a"), ProcessSpec { autostart: false, ..spec("b") }])];
    scenario.ask(Command::AddProcessGroup("g".to_owned()));
    scenario.expect_log(&["!reply 1 BAD_NAME: g"]);
    scenario.ask(Command::ReloadConfig);
    scenario.ask(Command::AddProcessGroup("web".to_owned()));
    scenario.log.clear();
    scenario.ask(Command::AddProcessGroup("g".to_owned()));
    scenario.expect_log(&["!reply 4 done", "!spawn a", "INFO spawned: 'a' with pid 102"]);
    scenario.ask(Command::AddProcessGroup("g".to_owned()));
    scenario.ask(Command::RemoveProcessGroup("g".to_owned()));
    scenario.ask(Command::RemoveProcessGroup("nope".to_owned()));
    scenario.expect_log(&[
        "!reply 5 ALREADY_ADDED: g",
        "!reply 6 STILL_RUNNING: g",
        "!reply 7 BAD_NAME: nope",
    ]);
    scenario.stop("g:a", Wait::No);
    scenario.exit("a", 0);
    scenario.log.clear();
    scenario.ask(Command::RemoveProcessGroup("g".to_owned()));
    scenario.ask(Command::StartProcessGroup("g".to_owned(), Wait::No));
    scenario.expect_log(&["!reply 9 done", "!reply 10 BAD_NAME: g"]);
}
