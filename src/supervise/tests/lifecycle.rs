//! Starts, exits and stops of one process.

use super::*;

#[test]
fn runs_after_startsecs_and_then_nothing_is_due() {
    let mut story = Story::one(|_| ()).begun();
    story.tells(&["!spawn web", "INFO spawned: 'web' with pid 101"]);
    story.pass(0.9);
    assert_eq!(story.state("web"), ProcessState::Starting);
    story.pass(0.2);
    story.tells(&[SUCCESS_LINE]);
    assert_eq!(story.supervisor.deadline(), None, "an idle supervisor sleeps for ever");
}

#[test]
fn runs_at_once_with_startsecs_0() {
    let mut story = Story::one(|web| web.start_secs = 0).begun();
    assert_eq!(story.state("web"), ProcessState::Running);
    story.exits("web", 0);
    assert_eq!(story.state("web"), ProcessState::Exited);
}

#[test]
fn negative_times_count_as_none() {
    let mut story = Story::one(|web| (web.start_secs, web.stop_wait_secs) = (-5, -5)).begun();
    assert_eq!(story.state("web"), ProcessState::Running);
    story.stop("web", Wait::No);
    story.pass(0.1);
    assert!(story.told.contains(&"WARN killing 'web' (101) with SIGKILL".to_owned()));
}

#[test]
fn backs_off_a_second_longer_each_time_and_gives_up() {
    let mut story = Story::one(|web| web.start_retries = StartRetries::Times(2)).begun();
    story.exits("web", 0);
    story.tells(&[
        "!spawn web",
        "INFO spawned: 'web' with pid 101",
        "WARN exited: web (exit status 0; not expected)",
    ]);
    story.pass(0.9);
    story.tells(&[]);
    story.pass(0.2);
    story.exits("web", 1);
    story.tells(&[
        "!spawn web",
        "INFO spawned: 'web' with pid 102",
        "WARN exited: web (exit status 1; not expected)",
    ]);
    story.pass(1.9);
    story.tells(&[]);
    story.pass(0.2);
    story.ends("web", KILLED);
    story.tells(&[
        "!spawn web",
        "INFO spawned: 'web' with pid 103",
        "WARN exited: web (terminated by SIGKILL; not expected)",
        "INFO gave up: web entered FATAL state, too many start retries too quickly",
    ]);
    assert_eq!(story.state("web"), ProcessState::Fatal);
    story.pass(3600.0);
    story.tells(&[]);
}

#[test]
fn with_forever_it_is_never_given_up_and_waits_a_minute_at_most() {
    let mut story = Story::one(|web| web.start_retries = StartRetries::Forever).begun();
    for failure in 1..200 {
        story.exits("web", 1);
        assert_eq!(story.state("web"), ProcessState::Backoff);
        let wait = f64::from(failure.min(60));
        story.pass(wait - 0.1);
        assert_eq!(story.state("web"), ProcessState::Backoff, "{failure}");
        story.pass(0.1);
        assert_eq!(story.state("web"), ProcessState::Starting, "{failure}");
    }
}

#[test]
fn a_command_that_is_not_there_ends_fatal_with_supervisors_words() {
    let mut story = Story::one(|web| web.start_retries = StartRetries::Times(1));
    story.spawn_errors = ["can't find command 'x'"; 2].into();
    let mut story = story.begun();
    story.pass(1.0);
    story.tells(&[
        "!spawn web",
        "INFO spawnerr: can't find command 'x'",
        "!spawn web",
        "INFO spawnerr: can't find command 'x'",
        "INFO gave up: web entered FATAL state, too many start retries too quickly",
    ]);
    let info = story.supervisor.process(story.id("web")).unwrap().info(&Turn {
        now: story.now,
        restarts_allowed: true,
        random: 0,
    });
    assert_eq!(info.description, "can't find command 'x'");
}

#[test]
fn exits_are_answered_as_autorestart_says() {
    let unexpected = AutoRestart::Unexpected;
    for (policy, status, restarts) in [
        (AutoRestart::Never, ExitStatus::Exited(1), false),
        (unexpected, ExitStatus::Exited(0), false),
        (unexpected, ExitStatus::Exited(2), false),
        (unexpected, ExitStatus::Exited(1), true),
        (unexpected, KILLED, true),
        (AutoRestart::Always, ExitStatus::Exited(0), true),
    ] {
        let mut story = Story::one(|web| (web.autorestart, web.exit_codes) = (policy, vec![0, 2])).running();
        story.ends("web", status);
        let started = story.told.iter().any(|line| line == "!spawn web");
        assert_eq!(started, restarts, "{policy:?} {status:?}: {:?}", story.told);
    }
}

#[test]
fn one_that_has_lived_is_restarted_at_once_one_that_has_not_waits_its_second() {
    let always = |web: &mut ProcessSpec| (web.autorestart, web.start_secs) = (AutoRestart::Always, 0);
    let mut story = Story::one(always).running();
    story.exits("web", 0);
    story.tells(&[
        "INFO exited: web (exit status 0; expected)",
        "!spawn web",
        "INFO spawned: 'web' with pid 102",
        "INFO success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)",
    ]);
    story.exits("web", 0);
    story.tells(&["INFO exited: web (exit status 0; expected)"]);
    assert_eq!(story.state("web"), ProcessState::Exited);
    story.pass(1.0);
    assert_eq!(story.state("web"), ProcessState::Running);
}

#[test]
fn a_held_back_restart_can_be_stopped() {
    let mut story = Story::one(|web| (web.autorestart, web.start_secs) = (AutoRestart::Always, 0)).begun();
    story.exits("web", 0);
    story.told.clear();
    story.stop("web", Wait::Yes);
    story.tells(&["!reply 1 done"]);
    story.pass(5.0);
    story.tells(&[]);
}

#[test]
fn an_exit_noticed_together_with_the_end_of_startsecs_is_one_from_running() {
    let mut story = Story::one(|_| ()).begun();
    story.told.clear();
    story.at(Mono(Duration::from_secs(1)));
    story.exits("web", 0);
    story.tells(&["INFO exited: web (exit status 0; expected)"]);
    assert_eq!(story.state("web"), ProcessState::Exited);
}

#[test]
fn stops_when_asked_and_says_how_it_ended() {
    let mut story = Story::one(|_| ()).running();
    story.stop("web", Wait::Yes);
    story.tells(&["!kill web SIGTERM", "INFO waiting for web to stop"]);
    story.pass(2.5);
    story.tells(&["INFO waiting for web to stop"]);
    story.ends("web", ExitStatus::Signaled { signal: Signal::TERM, core_dumped: false });
    story.tells(&["WARN stopped: web (terminated by SIGTERM)", "!reply 1 done"]);
    story.pass(60.0);
    story.tells(&[]);
}

#[test]
fn is_killed_when_it_does_not_stop() {
    let mut story = Story::one(|web| {
        (web.stop_wait_secs, web.stop_as_group, web.kill_as_group) = (5, false, true);
    })
    .running();
    story.stop("web", Wait::No);
    story.tells(&["!kill web SIGTERM", "!reply 1 done"]);
    story.pass(4.9);
    story.tells(&[]);
    story.pass(5.2);
    story.tells(&["WARN killing 'web' (101) with SIGKILL", "!kill web SIGKILL group"]);
    story.exits("web", 0);
    story.tells(&["INFO stopped: web (exit status 0)"]);
}

#[test]
fn a_stop_while_it_backs_off_is_done_at_once_and_forgives_the_failures() {
    let mut story = Story::one(|web| web.start_retries = StartRetries::Times(1)).begun();
    story.exits("web", 1);
    story.told.clear();
    story.stop("web", Wait::Yes);
    story.tells(&["!reply 1 done"]);
    assert_eq!(story.state("web"), ProcessState::Stopped);
    story.start("web", Wait::No);
    story.exits("web", 1);
    assert_eq!(story.state("web"), ProcessState::Backoff);
}
