//! Scaling, and what an update would do.

use super::*;

/// `web:web_0` and `web:web_1`.
fn two_of_web() -> Scenario {
    Scenario::of(vec![web(2)]).running()
}

fn web(number: u32) -> GroupSpec {
    let process = |at| ProcessSpec { program: "web".into(), ..spec(&format!("web_{at}")) };
    group("web", (0..number).map(process))
}

fn scale(scenario: &mut Scenario, processes: u32) {
    scenario.ask(Command::Scale { program: "web".to_owned(), processes });
}

#[test]
fn a_program_is_scaled_by_an_update_of_its_group() {
    let mut scenario = two_of_web();
    scale(&mut scenario, 3);
    scenario.expect_log(&[
        "INFO scaling 'web' from 2 processes to 3",
        "!spawn web_2",
        "!reply 1 web_0:unchanged,web_1:unchanged,web_2:added",
        "INFO spawned: 'web_2' with pid 103",
    ]);
    scale(&mut scenario, 1);
    scenario.exit("web_2", 0);
    scenario.exit("web_1", 0);
    assert_eq!(scenario.log.last().unwrap(), "!reply 2 web_0:unchanged,web_1:removed,web_2:removed");
    scenario.ask(Command::Scale { program: "nope".to_owned(), processes: 2 });
    assert_eq!(scenario.log.last().unwrap(), "!reply 3 BAD_NAME: nope");
}

#[test]
fn the_configured_number_counts_again_after_a_reread() {
    let mut scenario = two_of_web();
    scale(&mut scenario, 1);
    scenario.exit("web_1", 0);
    scenario.log.clear();
    scenario.next_groups = vec![web(2)];
    scenario.ask(Command::GetDiff);
    scenario.expect_log(&["!reply 2 web changed: web_1 added start ()"]);
    scenario.ask(Command::ReloadConfig);
    update(&mut scenario, "web");
    scenario.expect_log(&[
        "INFO 'web' was scaled to 1 process; an update gives it 2, as configured",
        "!reply 3 Changes { added: [], changed: [\"web\"], removed: [] }",
        "!spawn web_1",
        "!reply 4 web_0:unchanged,web_1:added",
        "INFO spawned: 'web_1' with pid 103",
    ]);
}

/// A reread, or an update of other groups, changes nothing of the program.
#[test]
fn a_scaled_program_is_scaled_again_after_a_reread() {
    let mut scenario = two_of_web();
    scale(&mut scenario, 3);
    scenario.next_groups = vec![web(2)];
    scenario.ask(Command::ReloadConfig);
    scale(&mut scenario, 4);
    let reply = scenario.log.iter().rfind(|line| line.starts_with("!reply"));
    assert_eq!(reply.unwrap(), "!reply 3 web_0:unchanged,web_1:unchanged,web_2:unchanged,web_3:added");
}

#[test]
fn a_program_whose_configuration_has_changed_is_not_scaled() {
    let mut scenario = two_of_web();
    let mut changed = web(2);
    changed.processes = changed
        .processes
        .iter()
        .map(|it| ProcessSpec { umask: Some(0), ..ProcessSpec::clone(it) }.into())
        .collect();
    scenario.next_groups = vec![changed];
    scale(&mut scenario, 3);
    scenario.expect_log(&[
        "!reply 1 FAILED: the configuration of web has changed: apply it first, with 'sv update web'",
    ]);
    scenario.next_groups.clear();
    scenario.broken_settings = Some("%(process_num) must be present");
    scale(&mut scenario, 3);
    scenario.expect_log(&["!reply 2 CANT_REREAD: %(process_num) must be present"]);
}

#[test]
fn a_program_of_several_groups_is_not_scaled() {
    let of = |name: &str| group(name, [ProcessSpec { program: "web".into(), ..spec("web") }]);
    let reading = || vec![of("a"), of("b")];
    let error = group_of_program("web", [reading(), reading()]).unwrap_err();
    assert_eq!(error, "cannot scale 'web': it is in several groups: a, b");
    assert_eq!(group_of_program("nope", [reading(), reading()]), Ok(Vec::new()));
}

#[test]
fn differences_say_what_an_update_would_do() {
    let app = group("app", [spec("same"), spec("moved"), spec("tuned"), spec("manual"), spec("gone")]);
    let waiting = ProcessSpec { autostart: false, ..spec("waiting") };
    let mut scenario = Scenario::of(vec![app, alone(1, waiting), alone(1, spec("old"))]).running();
    scenario.stop("old", Wait::No);
    scenario.exit("old", 0);
    let moved = ProcessSpec { directory: Some("/".into()), umask: Some(0), ..spec("moved") };
    let tuned = ProcessSpec { priority: 1, ..spec("tuned") };
    // What runs without `autostart` is stopped and stays down.
    let manual = ProcessSpec { autostart: false, umask: Some(0), ..spec("manual") };
    let by_hand = ProcessSpec { autostart: false, ..spec("by_hand") };
    scenario.next_groups = vec![
        group("app", [spec("same"), moved, tuned, manual]),
        group("new", [spec("a"), by_hand]),
        alone(1, spec("waiting")),
    ];
    scenario.log.clear();
    scenario.ask(Command::GetDiff);
    let expected = "!reply 2 app changed: moved changed restart (directory:restart,umask:restart); \
        tuned changed in_place (priority:in_place); manual changed stop (umask:restart,autostart:in_place); \
        gone removed stop () | new added: a added start (); by_hand added none () \
        | waiting changed: waiting changed start (autostart:in_place) | old removed: old removed none ()";
    scenario.expect_log(&[expected]);
    // Nothing of it is kept.
    update(&mut scenario, "app");
    assert!(scenario.log.last().unwrap().contains("moved:unchanged"), "{:?}", scenario.log);
}
