//! Waits, scaling, and what an update would do.

use super::*;

/// `db`, a job and a daemon.
fn three() -> Scenario {
    let job = ProcessSpec { program_type: ProgramType::Oneshot, autostart: false, ..spec("job") };
    let daemon = ProcessSpec { autorestart: AutoRestart::Always, ..spec("daemon") };
    let db =
        ProcessSpec { start_retries: StartRetries::Times(0), autorestart: AutoRestart::Never, ..spec("db") };
    Scenario::of(vec![alone(1, db), alone(2, job), alone(3, daemon)]).begin()
}

impl Scenario {
    fn wait_for(&mut self, names: &[&str], condition: WaitCondition, timeout_secs: Option<u64>) {
        let names = names.iter().map(|name| Namespec::split(name)).collect();
        let timeout = timeout_secs.map(Duration::from_secs);
        self.ask(Command::WaitFor { names, condition, timeout });
    }

    /// The outcome of the wait that was answered last, with the text of each row.
    #[track_caller]
    fn expect_waited(&mut self, expected: &str) {
        let reply = self.log.iter().rev().find(|line| line.starts_with("!reply"));
        assert_eq!(reply.map(String::as_str), Some(expected));
        self.log.clear();
    }
}

#[test]
fn a_wait_is_answered_when_all_hold_the_condition() {
    let mut scenario = three();
    scenario.log.clear();
    scenario.wait_for(&["db", "daemon"], WaitCondition::Ready, None);
    scenario.pass(0.9);
    assert_eq!(scenario.log.iter().find(|line| line.starts_with("!reply")), None);
    scenario.pass(0.2);
    scenario.expect_waited("!reply 1 held: db is RUNNING; daemon is RUNNING");
    scenario.wait_for(&["db"], WaitCondition::Healthy, None);
    scenario.expect_waited("!reply 2 held: db is RUNNING");
    scenario.wait_for(&["db:*", "db"], WaitCondition::Stopped, Some(9));
    scenario.exit("db", 0);
    scenario.expect_waited("!reply 3 held: db is EXITED: exit status 0");
    assert_eq!(
        (scenario.supervisor.check_operations(), scenario.supervisor.operations.deadline()),
        (0, None)
    );
}

#[test]
fn all_have_to_hold_at_one_time() {
    let mut scenario = three();
    scenario.wait_for(&["db", "daemon", "job"], WaitCondition::Ready, None);
    scenario.pass(2.0);
    scenario.exit("daemon", 0);
    scenario.start("job", Wait::No);
    scenario.log.clear();
    scenario.exit("job", 0);
    assert_eq!(scenario.log.iter().find(|line| line.starts_with("!reply")), None);
    scenario.pass(2.0);
    scenario.expect_waited("!reply 1 held: db is RUNNING; job is EXITED: exit status 0; daemon is RUNNING");
}

#[test]
fn a_wait_ends_at_once_when_it_can_not_come_true() {
    let mut scenario = three();
    scenario.wait_for(&["nope"], WaitCondition::Ready, None);
    scenario.expect_waited("!reply 1 BAD_NAME: nope");
    scenario.wait_for(&["daemon"], WaitCondition::Done, None);
    scenario.expect_waited(
        "!reply 2 impossible: daemon is STARTING: it is restarted whenever it ends (autorestart=true)",
    );
    scenario.wait_for(&["daemon", "db"], WaitCondition::Running, None);
    scenario.exit("db", 1);
    scenario
        .expect_waited("!reply 3 impossible: db is FATAL: Exited too quickly (process log may have details)");
    // What is STOPPED may be started by somebody.
    scenario.wait_for(&["job"], WaitCondition::Done, Some(3));
    scenario.pass(3.0);
    scenario.expect_waited("!reply 4 timed out: job is STOPPED");
    assert_eq!(scenario.supervisor.check_operations(), 0);
}

#[test]
fn a_wait_ends_when_its_client_leaves_and_with_a_removed_group() {
    let mut scenario = three();
    scenario.wait_for(&["job"], WaitCondition::Running, None);
    scenario.wait_for(&["job"], WaitCondition::Running, None);
    scenario.input(Input::Cancelled { ticket: Ticket(1) });
    assert_eq!(scenario.supervisor.check_operations(), 1);
    scenario.ask(Command::RemoveProcessGroup("job".to_owned()));
    assert!(
        scenario.log.contains(&"!reply 2 impossible: job was removed or replaced".to_owned()),
        "{:?}",
        scenario.log
    );
    assert_eq!(scenario.supervisor.check_operations(), 0);
}

#[test]
fn a_shutdown_refuses_waits_but_those_for_a_stop() {
    let mut scenario = three();
    scenario.wait_for(&["job"], WaitCondition::Running, None);
    scenario.wait_for(&["db"], WaitCondition::Stopped, None);
    scenario.log.clear();
    scenario.signal(Signal::TERM);
    scenario.expect_waited("!reply 1 SHUTDOWN_STATE");
    scenario.exit("daemon", 0);
    scenario.exit("db", 0);
    scenario.expect_waited("!reply 2 held: db is STOPPED");
}

/// `web:web_0` and `web:web_1`.
fn two_of_web() -> Scenario {
    Scenario::of(vec![web(2)]).running()
}

fn web(number: u32) -> GroupSpec {
    let process = |at| ProcessSpec { program: "web".to_owned(), ..spec(&format!("web_{at}")) };
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
        "INFO scaling 'web' from 2 to 3 processes, until its configuration is applied again",
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
    // The configuration counts again once it is applied.
    scenario.log.clear();
    scenario.next_groups = vec![web(2)];
    scenario.ask(Command::ReloadConfig);
    update(&mut scenario, "web");
    scenario.expect_log(&[
        "INFO 'web' was scaled to 1 processes; an update gives it 2 again, as configured",
        "!reply 4 Changes { added: [], changed: [\"web\"], removed: [] }",
        "!spawn web_1",
        "!reply 5 web_0:unchanged,web_1:added",
        "INFO spawned: 'web_1' with pid 104",
    ]);
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
fn differences_say_what_an_update_would_do() {
    let app = group("app", [spec("same"), spec("moved"), spec("tuned"), spec("gone")]);
    let mut scenario = Scenario::of(vec![app, alone(1, spec("old"))]).running();
    scenario.stop("old", Wait::No);
    scenario.exit("old", 0);
    let moved = ProcessSpec { directory: Some("/".into()), umask: Some(0), ..spec("moved") };
    let tuned = ProcessSpec { priority: 1, ..spec("tuned") };
    let by_hand = ProcessSpec { autostart: false, ..spec("by_hand") };
    scenario.next_groups =
        vec![group("app", [spec("same"), moved, tuned]), group("new", [spec("a"), by_hand])];
    scenario.log.clear();
    scenario.ask(Command::GetDiff);
    scenario.expect_log(&["!reply 2 app changed: moved changed restart (directory,umask); \
        tuned changed in_place (priority); gone removed stop \
        | new added: a added start (); by_hand added none () | old removed: old removed none ()"
        .replace("stop |", "stop () |")
        .as_str()]);
    // Nothing of it is kept.
    update(&mut scenario, "app");
    assert!(scenario.log.last().unwrap().contains("moved:unchanged"), "{:?}", scenario.log);
}

#[test]
fn the_graph_lists_processes_and_what_they_depend_on() {
    let db = Dependency {
        name: "db".to_owned(),
        condition: None,
        is_optional: false,
        place: WrittenAt::default(),
    };
    let web = ProcessSpec { restart_with: vec![db], ..spec("web") };
    let mut scenario = Scenario::of(vec![alone(1, spec("db")), alone(2, web)]).begin();
    let edges = |scenario: &Scenario| {
        let graph = scenario.supervisor.graph_info();
        let edge = |edge: &GraphEdge| {
            format!("{} {} {} {} {}", edge.from, edge.to, edge.condition, edge.is_binding, edge.holds)
        };
        (graph.nodes.len(), graph.edges.iter().map(edge).collect::<Vec<_>>(), graph.is_cut_off)
    };
    assert_eq!(edges(&scenario), (2, vec!["web db ready true false".to_owned()], false));
    scenario.pass(2.0);
    assert_eq!(edges(&scenario), (2, vec!["web db ready true true".to_owned()], false));
}
