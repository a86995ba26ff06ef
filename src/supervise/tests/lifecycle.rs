//! Starts, exits and stops of one process.

use super::*;

#[test]
fn runs_after_startsecs_and_then_nothing_is_due() {
    let mut scenario = Scenario::one(|_| ()).begin();
    scenario.expect_log(&["!spawn web", "INFO spawned: 'web' with pid 101"]);
    scenario.pass(0.9);
    assert_eq!(scenario.state("web"), ProcessState::Starting);
    scenario.pass(0.2);
    scenario.expect_log(&[SUCCESS_LINE]);
    assert_eq!(scenario.supervisor.deadline(), None, "an idle supervisor sleeps for ever");
}

#[test]
fn runs_at_once_with_startsecs_0() {
    let mut scenario = Scenario::one(|web| web.start_secs = 0).begin();
    assert_eq!(scenario.state("web"), ProcessState::Running);
    scenario.exit("web", 0);
    assert_eq!(scenario.state("web"), ProcessState::Exited);
}

#[test]
fn negative_times_count_as_none() {
    let mut scenario = Scenario::one(|web| (web.start_secs, web.stop_wait_secs) = (-5, -5)).begin();
    assert_eq!(scenario.state("web"), ProcessState::Running);
    scenario.stop("web", Wait::No);
    scenario.pass(0.1);
    assert!(scenario.log.contains(&"WARN killing 'web' (101) with SIGKILL".to_owned()));
}

#[test]
fn backs_off_a_second_longer_each_time_and_gives_up() {
    let mut scenario = Scenario::one(|web| web.start_retries = StartRetries::Times(2)).begin();
    scenario.exit("web", 0);
    scenario.expect_log(&[
        "!spawn web",
        "INFO spawned: 'web' with pid 101",
        "WARN exited: web (exit status 0; not expected)",
    ]);
    scenario.pass(0.9);
    scenario.expect_log(&[]);
    scenario.pass(0.2);
    scenario.exit("web", 1);
    scenario.expect_log(&[
        "!spawn web",
        "INFO spawned: 'web' with pid 102",
        "WARN exited: web (exit status 1; not expected)",
    ]);
    scenario.pass(1.9);
    scenario.expect_log(&[]);
    scenario.pass(0.2);
    scenario.end("web", KILLED);
    scenario.expect_log(&[
        "!spawn web",
        "INFO spawned: 'web' with pid 103",
        "WARN exited: web (terminated by SIGKILL; not expected)",
        "INFO gave up: web entered FATAL state, too many start retries too quickly",
    ]);
    assert_eq!(scenario.state("web"), ProcessState::Fatal);
    scenario.pass(3600.0);
    scenario.expect_log(&[]);
}

#[test]
fn startsecs_count_from_the_end_of_a_spawn_that_takes_longer() {
    let mut scenario = Scenario::one(|web| web.start_retries = StartRetries::Times(0));
    scenario.spawn_takes = Duration::from_secs(3);
    let mut scenario = scenario.begin();
    scenario.pass(3.5);
    assert_eq!(scenario.state("web"), ProcessState::Starting);
    scenario.exit("web", 0);
    scenario.expect_log(&[
        "!spawn web",
        "INFO spawned: 'web' with pid 101",
        "WARN exited: web (exit status 0; not expected)",
        "INFO gave up: web entered FATAL state, too many start retries too quickly",
    ]);
}

#[test]
fn startretries_forever_never_gives_up_and_waits_a_minute_at_most() {
    let mut scenario = Scenario::one(|web| web.start_retries = StartRetries::Forever).begin();
    for failure in 1..200 {
        scenario.exit("web", 1);
        assert_eq!(scenario.state("web"), ProcessState::Backoff);
        let wait = f64::from(failure.min(60));
        scenario.pass(wait - 0.1);
        assert_eq!(scenario.state("web"), ProcessState::Backoff, "{failure}");
        scenario.pass(0.1);
        assert_eq!(scenario.state("web"), ProcessState::Starting, "{failure}");
    }
}

#[test]
fn a_missing_command_ends_in_fatal_with_supervisors_message() {
    let mut scenario = Scenario::one(|web| web.start_retries = StartRetries::Times(1));
    scenario.spawn_errors = ["can't find command 'x'"; 2].into();
    let mut scenario = scenario.begin();
    scenario.pass(1.0);
    scenario.expect_log(&[
        "!spawn web",
        "INFO spawnerr: can't find command 'x'",
        "!spawn web",
        "INFO spawnerr: can't find command 'x'",
        "INFO gave up: web entered FATAL state, too many start retries too quickly",
    ]);
    let info = scenario.supervisor.process(scenario.id("web")).unwrap().info(&Turn {
        now: scenario.now,
        restarts_allowed: true,
        random: 0,
    });
    assert_eq!(info.description, "can't find command 'x'");
}

#[test]
fn autorestart_decides_what_follows_an_exit() {
    let unexpected = AutoRestart::Unexpected;
    for (policy, status, restarts) in [
        (AutoRestart::Never, ExitStatus::Exited(1), false),
        (unexpected, ExitStatus::Exited(0), false),
        (unexpected, ExitStatus::Exited(2), false),
        (unexpected, ExitStatus::Exited(1), true),
        (unexpected, KILLED, true),
        (AutoRestart::Always, ExitStatus::Exited(0), true),
    ] {
        let mut scenario =
            Scenario::one(|web| (web.autorestart, web.exit_codes) = (policy, [0, 2].into())).running();
        scenario.end("web", status);
        let started = scenario.log.iter().any(|line| line == "!spawn web");
        assert_eq!(started, restarts, "{policy:?} {status:?}: {:?}", scenario.log);
    }
}

#[test]
fn a_restart_within_a_second_is_delayed_and_a_later_one_is_not() {
    let always = |web: &mut ProcessSpec| (web.autorestart, web.start_secs) = (AutoRestart::Always, 0);
    let mut scenario = Scenario::one(always).running();
    scenario.exit("web", 0);
    scenario.expect_log(&[
        "INFO exited: web (exit status 0; expected)",
        "!spawn web",
        "INFO spawned: 'web' with pid 102",
        "INFO success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)",
    ]);
    scenario.exit("web", 0);
    scenario.expect_log(&["INFO exited: web (exit status 0; expected)"]);
    assert_eq!(scenario.state("web"), ProcessState::Exited);
    scenario.pass(1.0);
    assert_eq!(scenario.state("web"), ProcessState::Running);
}

#[test]
fn a_held_back_restart_can_be_stopped() {
    let mut scenario =
        Scenario::one(|web| (web.autorestart, web.start_secs) = (AutoRestart::Always, 0)).begin();
    scenario.exit("web", 0);
    scenario.log.clear();
    scenario.stop("web", Wait::Yes);
    scenario.expect_log(&["!reply 1 done"]);
    scenario.pass(5.0);
    scenario.expect_log(&[]);
}

#[test]
fn an_exit_noticed_together_with_the_end_of_startsecs_is_one_from_running() {
    let mut scenario = Scenario::one(|_| ()).begin();
    scenario.log.clear();
    scenario.at(Mono(Duration::from_secs(1)));
    scenario.exit("web", 0);
    scenario.expect_log(&["INFO exited: web (exit status 0; expected)"]);
    assert_eq!(scenario.state("web"), ProcessState::Exited);
}

#[test]
fn a_stop_sends_the_signal_and_logs_how_the_process_ended() {
    let mut scenario = Scenario::one(|_| ()).running();
    scenario.stop("web", Wait::Yes);
    scenario.expect_log(&["!kill web SIGTERM", "INFO waiting for web to stop"]);
    scenario.pass(2.5);
    scenario.expect_log(&["INFO waiting for web to stop"]);
    scenario.end("web", ExitStatus::Signaled { signal: Signal::TERM, core_dumped: false });
    scenario.expect_log(&["WARN stopped: web (terminated by SIGTERM)", "!reply 1 done"]);
    scenario.pass(60.0);
    scenario.expect_log(&[]);
}

#[test]
fn a_process_that_does_not_stop_is_killed() {
    let mut scenario = Scenario::one(|web| {
        (web.stop_wait_secs, web.stop_as_group, web.kill_as_group) = (5, false, true);
    })
    .running();
    scenario.stop("web", Wait::No);
    scenario.expect_log(&["!kill web SIGTERM", "!reply 1 done"]);
    scenario.pass(4.9);
    scenario.expect_log(&[]);
    scenario.pass(5.2);
    scenario.expect_log(&["WARN killing 'web' (101) with SIGKILL", "!kill web SIGKILL group"]);
    scenario.exit("web", 0);
    scenario.expect_log(&["INFO stopped: web (exit status 0)"]);
}

#[test]
fn a_stop_during_backoff_completes_at_once_and_resets_the_failures() {
    let mut scenario = Scenario::one(|web| web.start_retries = StartRetries::Times(1)).begin();
    scenario.exit("web", 1);
    scenario.log.clear();
    scenario.stop("web", Wait::Yes);
    scenario.expect_log(&["!reply 1 done"]);
    assert_eq!(scenario.state("web"), ProcessState::Stopped);
    scenario.start("web", Wait::No);
    scenario.exit("web", 1);
    assert_eq!(scenario.state("web"), ProcessState::Backoff);
}

#[test]
fn an_end_is_out_of_memory_if_the_killer_was_there_and_we_were_not() {
    let end = |scenario: &mut Scenario, status, has_oom_kill| {
        let process = scenario.id("web");
        scenario.alive.remove(&process);
        scenario.pids_in_use.remove(&process);
        scenario.log.clear();
        scenario.input(Input::Ended { process, status, has_oom_kill });
        scenario.log[0].clone()
    };
    let (killed, term) =
        (ExitStatus::killed(), ExitStatus::Signaled { signal: Signal::TERM, core_dumped: false });
    for (status, has_oom_kill, expected) in [
        (killed, true, "terminated by SIGKILL, out of memory"),
        (killed, false, "terminated by SIGKILL"),
        (term, true, "terminated by SIGTERM"),
        (ExitStatus::Exited(1), true, "exit status 1"),
    ] {
        let mut scenario = Scenario::one(|web| web.autorestart = AutoRestart::Never).running();
        let line = end(&mut scenario, status, has_oom_kill);
        assert_eq!(line, format!("WARN exited: web ({expected}; not expected)"));
    }
    let mut scenario =
        Scenario::one(|web| (web.autorestart, web.stop_wait_secs) = (AutoRestart::Never, 1)).running();
    scenario.stop("web", Wait::No);
    scenario.pass(1.0);
    assert_eq!(end(&mut scenario, killed, true), "WARN stopped: web (terminated by SIGKILL)");
}

#[test]
fn an_option_that_cannot_be_applied_is_a_failed_start_without_startsecs_too() {
    for autorestart in [AutoRestart::Never, AutoRestart::Unexpected, AutoRestart::Always] {
        let mut scenario = Scenario::one(|web| {
            (web.start_secs, web.start_retries, web.autorestart) = (0, StartRetries::Times(2), autorestart);
        })
        .begin();
        let process = scenario.id("web");
        for attempt in 1..=3 {
            assert_eq!(scenario.state("web"), ProcessState::Running, "attempt {attempt}");
            scenario.alive.remove(&process);
            scenario.pids_in_use.remove(&process);
            let failure = NotSpawned::from("cannot apply nice: Operation not permitted".to_owned());
            scenario.log.clear();
            scenario.input(Input::NotExecuted { process, status: ExitStatus::Exited(127), failure });
            assert_eq!(scenario.log[0], "INFO spawnerr: cannot apply nice: Operation not permitted");
            let expected = if attempt == 3 { ProcessState::Fatal } else { ProcessState::Backoff };
            assert_eq!(scenario.state("web"), expected);
            scenario.pass(f64::from(attempt) + 0.1);
        }
        let turn = Turn { now: scenario.now, restarts_allowed: true, random: 0 };
        let info = scenario.supervisor.process(process).unwrap().info(&turn);
        assert_eq!(
            (info.last_exit, info.spawn_error.as_str()),
            (None, "cannot apply nice: Operation not permitted")
        );
    }
}
