//! Restarts by `restart_*`: one counter for exits and failed starts, with delays that double.

use super::*;

/// Without jitter: after 1, 2, 4, 4 … seconds.
fn policy() -> RestartDelays {
    RestartDelays {
        delay: Duration::from_secs(1),
        delay_max: Duration::from_secs(4),
        jitter_percent: 0,
        ..RestartDelays::default()
    }
}

fn scenario(change: impl FnOnce(&mut ProcessSpec, &mut RestartDelays)) -> Scenario {
    let mut policy = policy();
    let mut web = spec("web");
    web.start_secs = 0;
    change(&mut web, &mut policy);
    web.lifecycle.restart_policy = Some(policy.into());
    Scenario::of(vec![alone(999, web)]).begin()
}

impl Scenario {
    /// Ends web and returns the time until its next start, which must come within a minute.
    fn delay_after_exit(&mut self, code: u8) -> f64 {
        self.exit("web", code);
        self.delay_to_start()
    }

    fn delay_to_start(&mut self) -> f64 {
        let since = self.now.mono;
        while self.state("web").is_stopped() || self.state("web") == ProcessState::Backoff {
            let at = self.supervisor.deadline().expect("a restart is due");
            self.pass(at.since(self.now.mono).as_secs_f64());
            assert!(self.now.mono.since(since) < Duration::from_secs(60));
        }
        self.now.mono.since(since).as_secs_f64()
    }
}

#[test]
fn delays_double_over_exits_and_failed_starts() {
    let mut scenario = scenario(|web, _| web.start_retries = StartRetries::Forever);
    let mut delays = vec![scenario.delay_after_exit(1)];
    scenario.spawn_errors.push_back("no such file");
    delays.push(scenario.delay_after_exit(1));
    // The start after 2 seconds has failed, and the next came after 4 more.
    delays.push(scenario.delay_after_exit(1));
    assert_eq!(delays, [1.0, 6.0, 4.0]);
}

#[test]
fn the_counter_starts_again_after_restart_reset_after_of_readiness() {
    let mut scenario = scenario(|web, policy| {
        web.start_secs = 5;
        policy.reset_after = Duration::from_secs(10);
    });
    scenario.exit("web", 1);
    assert_eq!(scenario.delay_to_start(), 1.0);
    scenario.pass(14.0);
    assert_eq!(scenario.delay_after_exit(1), 2.0, "ready for 9 seconds");
    scenario.pass(15.0);
    assert_eq!(scenario.delay_after_exit(1), 1.0, "ready for 10 seconds");
}

#[test]
fn autorestart_still_decides_whether_there_is_a_restart() {
    let mut expected = scenario(|_, _| ());
    expected.exit("web", 0);
    expected.pass(100.0);
    assert_eq!(expected.state("web"), ProcessState::Exited);
    let mut always = scenario(|web, _| web.autorestart = AutoRestart::Always);
    assert_eq!(always.delay_after_exit(0), 1.0);
}

#[test]
fn restart_limit_ends_in_fatal_with_its_reason() {
    let mut scenario = scenario(|web, policy| {
        web.on_fatal = OnEnd::Shutdown;
        policy.limit = Some(RestartLimit { ends: 3, within: Duration::from_secs(10) });
    });
    scenario.delay_after_exit(1);
    scenario.delay_after_exit(1);
    scenario.log.clear();
    scenario.exit("web", 7);
    scenario.expect_log(&[
        "WARN exited: web (exit status 7; not expected)",
        "INFO gave up: web entered FATAL state, ended 3 times in 10 seconds (restart_limit)",
        "WARN web failed: ended 3 times in 10 seconds (restart_limit); shutting down",
        "!stopped 7: web failed: ended 3 times in 10 seconds (restart_limit)",
    ]);
}

#[test]
fn ends_further_apart_than_restart_limit_looks_back_do_not_count() {
    let limit = RestartLimit { ends: 2, within: Duration::from_secs(10) };
    let mut scenario = scenario(|web, policy| {
        web.start_retries = StartRetries::Times(0);
        policy.limit = Some(limit);
    });
    for _ in 0..5 {
        scenario.pass(10.0);
        assert!(scenario.delay_after_exit(1) <= 4.0);
    }
    // A failed start counts as well, and startretries does not.
    scenario.pass(10.0);
    scenario.spawn_errors.push_back("no such file");
    scenario.exit("web", 1);
    scenario.pass(4.0);
    assert_eq!(scenario.state("web"), ProcessState::Fatal);
    scenario.start("web", Wait::No);
    scenario.exit("web", 1);
    assert_eq!(scenario.state("web"), ProcessState::Exited, "a start by hand starts the counts again");
    assert_eq!(scenario.delay_to_start(), 1.0);
}

#[test]
fn startretries_limits_failed_starts_while_there_is_no_limit() {
    let mut scenario = scenario(|web, _| (web.start_secs, web.start_retries) = (1, StartRetries::Times(1)));
    scenario.exit("web", 1);
    assert_eq!(scenario.state("web"), ProcessState::Backoff);
    scenario.delay_to_start();
    scenario.log.clear();
    scenario.exit("web", 1);
    scenario.expect_log(&[
        "WARN exited: web (exit status 1; not expected)",
        "INFO gave up: web entered FATAL state, too many start retries too quickly",
    ]);
}

#[test]
fn a_stop_cancels_a_pending_restart() {
    for start_secs in [0, 1] {
        let mut scenario = scenario(|web, _| web.start_secs = start_secs);
        scenario.exit("web", 1);
        assert!(hint(&scenario).is_some());
        scenario.log.clear();
        scenario.stop("web", Wait::Yes);
        scenario.pass(100.0);
        assert!(
            scenario.state("web").is_stopped() && !scenario.log.iter().any(|line| line.starts_with("!spawn"))
        );
        assert_eq!((scenario.supervisor.deadline(), hint(&scenario)), (None, None));
        scenario.start("web", Wait::No);
        scenario.exit("web", 1);
        assert_eq!(scenario.delay_to_start(), 1.0, "the counter has started again");
    }
}

#[test]
fn the_next_try_is_shown() {
    let mut scenario = scenario(|_, _| ());
    for (expected, delay) in
        [("retry in 1 s (1st)", 1.0), ("retry in 2 s (2nd)", 2.0), ("retry in 4 s (3rd)", 4.0)]
    {
        scenario.exit("web", 1);
        assert_eq!(hint(&scenario).as_deref(), Some(expected));
        scenario.pass(delay - 0.4);
        assert!(hint(&scenario).unwrap().starts_with("retry in 1 s"));
        scenario.pass(0.4);
        assert_eq!(hint(&scenario), None, "it runs");
    }
    let mut supervisors = Scenario::one(|_| ()).begin();
    supervisors.exit("web", 1);
    assert_eq!(hint(&supervisors), None, "Supervisor's texts are as they were");
}

#[test]
fn a_delay_of_zero_still_means_one_restart_a_second_at_most() {
    let mut scenario =
        scenario(|_, policy| (policy.delay, policy.delay_max) = (Duration::ZERO, Duration::ZERO));
    for _ in 0..3 {
        assert_eq!(scenario.delay_after_exit(1), 1.0);
    }
    scenario.pass(5.0);
    assert_eq!(scenario.delay_after_exit(1), 0.0, "it has lived for longer");
}

#[test]
fn jitter_depends_on_the_seed() {
    let delay = |seed| {
        let mut scenario = Scenario::one(|web| {
            (web.start_secs, web.lifecycle.restart_policy) = (0, Some(RestartDelays::default().into()));
        });
        scenario.supervisor = scenario.supervisor.seeded(seed);
        scenario.begin().delay_after_exit(1)
    };
    assert_eq!(delay(1), delay(1));
    assert_ne!(delay(1), delay(2));
    assert!((0.45..=0.55).contains(&delay(3)));
}
