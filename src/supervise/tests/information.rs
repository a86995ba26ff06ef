//! What clients learn of a process.

use super::*;

#[test]
fn process_information_is_what_supervisor_tells() {
    let mut story = Story::one(|web| web.autorestart = AutoRestart::Never);
    story.at(Mono(Duration::from_secs(5)));
    let info = |story: &Story| {
        let turn = Turn { now: story.now, restarts_allowed: true, random: 0 };
        story.supervisor.process(story.id("web")).unwrap().info(&turn)
    };
    let never = info(&story);
    assert_eq!((never.start, never.stop, never.pid, never.description.as_str()), (0, 0, 0, "Not started"));
    story.input(Input::Begin);
    story.pass(3.0);
    let running = info(&story);
    assert_eq!((running.start, running.stop, running.now), (1_795_190_405, 0, 1_795_190_408));
    assert_eq!((running.pid, running.description.as_str()), (101, "pid 101, uptime 0:00:03"));
    assert_eq!((running.exit_status, running.spawn_error.as_str()), (0, ""));
    assert_eq!((running.last_exit, running.ended_as_expected), (None, false));
    story.exits("web", 7);
    let exited = info(&story);
    assert_eq!((exited.state, exited.stop, exited.pid), (ProcessState::Exited, 1_795_190_408, 0));
    assert_eq!((exited.exit_status, exited.spawn_error.as_str()), (7, "Bad exit code 7"));
    story.start("web", Wait::No);
    assert_eq!((info(&story).exit_status, info(&story).spawn_error.as_str()), (0, ""));
    story.ends("web", KILLED);
    let failed = info(&story);
    assert_eq!((failed.state, failed.exit_status), (ProcessState::Backoff, 0));
    assert_eq!(failed.description, "Exited too quickly (process log may have details)");
    story.pass(1.0);
    story.stop("web", Wait::No);
    story.ends("web", KILLED);
    assert_eq!((info(&story).exit_status, info(&story).state), (-1, ProcessState::Stopped));
}

#[test]
fn the_last_end_is_kept_while_it_runs_again_and_after_a_failed_start() {
    let mut story = Story::one(|web| {
        web.autorestart = AutoRestart::Always;
        web.start_retries = StartRetries::Times(0);
    });
    let told = |story: &Story| {
        let turn = Turn { now: story.now, restarts_allowed: true, random: 0 };
        let info = story.supervisor.process(story.id("web")).unwrap().info(&turn);
        (info.state, info.last_exit, info.ended_as_expected)
    };
    story.input(Input::Begin);
    story.pass(3.0);
    story.exits("web", 0);
    story.pass(3.0);
    assert_eq!(told(&story), (ProcessState::Running, Some(ExitStatus::Exited(0)), true));
    story.stop("web", Wait::No);
    story.ends("web", KILLED);
    assert_eq!(told(&story), (ProcessState::Stopped, Some(KILLED), false));
    story.start("web", Wait::No);
    assert_eq!(told(&story), (ProcessState::Starting, Some(KILLED), false));
    story.exits("web", 3);
    assert_eq!(told(&story), (ProcessState::Fatal, Some(ExitStatus::Exited(3)), false));
}

#[test]
fn the_configuration_is_told_by_the_names_of_processes_alone() {
    let groups = vec![group("a", [spec("z"), spec("m")]), alone(1, spec("b")), group("c", [spec("m")])];
    let story = Story::of(groups);
    let Reply::AllConfig(infos) = story.supervisor.all_config() else { panic!("another reply") };
    let names: Vec<_> =
        infos.iter().map(|info| (info.process.group.as_str(), info.process.name.as_str())).collect();
    assert_eq!(names, [("b", "b"), ("a", "m"), ("c", "m"), ("a", "z")]);
}
