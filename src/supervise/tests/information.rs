//! What clients see of a process.

use super::*;

#[test]
fn process_information_matches_supervisors() {
    let mut scenario = Scenario::one(|web| web.autorestart = AutoRestart::Never);
    scenario.at(Mono(Duration::from_secs(5)));
    let info = |scenario: &Scenario| {
        let turn = Turn { now: scenario.now, restarts_allowed: true, random: 0 };
        scenario.supervisor.process(scenario.id("web")).unwrap().info(&turn)
    };
    let never = info(&scenario);
    assert_eq!((never.start, never.stop, never.pid, never.description.as_str()), (0, 0, 0, "Not started"));
    scenario.input(Input::Begin);
    scenario.pass(3.0);
    let running = info(&scenario);
    assert_eq!((running.start, running.stop, running.now), (1_795_190_405, 0, 1_795_190_408));
    assert_eq!((running.pid, running.description.as_str()), (101, "pid 101, uptime 0:00:03"));
    assert_eq!((running.exit_status, running.spawn_error.as_str()), (0, ""));
    assert_eq!((running.last_exit, running.ended_as_expected), (None, false));
    scenario.exit("web", 7);
    let exited = info(&scenario);
    assert_eq!((exited.state, exited.stop, exited.pid), (ProcessState::Exited, 1_795_190_408, 0));
    assert_eq!((exited.exit_status, exited.spawn_error.as_str()), (7, "Bad exit code 7"));
    scenario.start("web", Wait::No);
    assert_eq!((info(&scenario).exit_status, info(&scenario).spawn_error.as_str()), (0, ""));
    scenario.end("web", KILLED);
    let failed = info(&scenario);
    assert_eq!((failed.state, failed.exit_status), (ProcessState::Backoff, 0));
    assert_eq!(failed.description, "Exited too quickly (process log may have details)");
    scenario.pass(1.0);
    scenario.stop("web", Wait::No);
    scenario.end("web", KILLED);
    assert_eq!((info(&scenario).exit_status, info(&scenario).state), (-1, ProcessState::Stopped));
}

#[test]
fn the_last_end_is_kept_while_it_runs_again_and_after_a_failed_start() {
    let mut scenario = Scenario::one(|web| {
        web.autorestart = AutoRestart::Always;
        web.start_retries = StartRetries::Times(0);
    });
    let lines = |scenario: &Scenario| {
        let turn = Turn { now: scenario.now, restarts_allowed: true, random: 0 };
        let info = scenario.supervisor.process(scenario.id("web")).unwrap().info(&turn);
        (info.state, info.last_exit, info.ended_as_expected)
    };
    scenario.input(Input::Begin);
    scenario.pass(3.0);
    scenario.exit("web", 0);
    scenario.pass(3.0);
    assert_eq!(lines(&scenario), (ProcessState::Running, Some(ExitStatus::Exited(0)), true));
    scenario.stop("web", Wait::No);
    scenario.end("web", KILLED);
    assert_eq!(lines(&scenario), (ProcessState::Stopped, Some(KILLED), false));
    scenario.start("web", Wait::No);
    assert_eq!(lines(&scenario), (ProcessState::Starting, Some(KILLED), false));
    scenario.exit("web", 3);
    assert_eq!(lines(&scenario), (ProcessState::Fatal, Some(ExitStatus::Exited(3)), false));
}

#[test]
fn the_configuration_is_sorted_by_process_name() {
    let groups = vec![group("a", [spec("z"), spec("m")]), alone(1, spec("b")), group("c", [spec("m")])];
    let scenario = Scenario::of(groups);
    let Reply::AllConfig(infos) = scenario.supervisor.all_config() else { panic!("another reply") };
    let names: Vec<_> =
        infos.iter().map(|info| (info.process.group.as_str(), info.process.name.as_str())).collect();
    assert_eq!(names, [("b", "b"), ("a", "m"), ("c", "m"), ("a", "z")]);
}
