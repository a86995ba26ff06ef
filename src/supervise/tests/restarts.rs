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

fn story(change: impl FnOnce(&mut ProcessSpec, &mut RestartDelays)) -> Story {
    let mut policy = policy();
    let mut web = spec("web");
    web.start_secs = 0;
    change(&mut web, &mut policy);
    web.restart_policy = Some(policy.into());
    Story::of(vec![alone(999, web)]).begun()
}

impl Story {
    /// Ends web and returns the time to its next start, which has to come within a minute.
    fn delay_after_exit(&mut self, code: u8) -> f64 {
        self.exits("web", code);
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
    let mut story = story(|web, _| web.start_retries = StartRetries::Forever);
    let mut delays = vec![story.delay_after_exit(1)];
    story.spawn_errors.push_back("no such file");
    delays.push(story.delay_after_exit(1));
    // The start after 2 seconds has failed, and the next came after 4 more.
    delays.push(story.delay_after_exit(1));
    assert_eq!(delays, [1.0, 6.0, 4.0]);
}

#[test]
fn the_counter_starts_again_after_restart_reset_after_of_readiness() {
    let mut story = story(|web, policy| {
        web.start_secs = 5;
        policy.reset_after = Duration::from_secs(10);
    });
    story.exits("web", 1);
    assert_eq!(story.delay_to_start(), 1.0);
    story.pass(14.0);
    assert_eq!(story.delay_after_exit(1), 2.0, "ready for 9 seconds");
    story.pass(15.0);
    assert_eq!(story.delay_after_exit(1), 1.0, "ready for 10 seconds");
}

#[test]
fn autorestart_still_decides_whether_there_is_a_restart() {
    let mut expected = story(|_, _| ());
    expected.exits("web", 0);
    expected.pass(100.0);
    assert_eq!(expected.state("web"), ProcessState::Exited);
    let mut always = story(|web, _| web.autorestart = AutoRestart::Always);
    assert_eq!(always.delay_after_exit(0), 1.0);
}

#[test]
fn restart_limit_ends_in_fatal_with_its_reason() {
    let mut story = story(|web, policy| {
        web.on_fatal = OnEnd::Shutdown;
        policy.limit = Some(RestartLimit { ends: 3, within: Duration::from_secs(10) });
    });
    story.delay_after_exit(1);
    story.delay_after_exit(1);
    story.told.clear();
    story.exits("web", 7);
    story.tells(&[
        "WARN exited: web (exit status 7; not expected)",
        "INFO gave up: web entered FATAL state, ended 3 times in 10 seconds (restart_limit)",
        "WARN web failed: ended 3 times in 10 seconds (restart_limit); shutting down",
        "!stopped 7: web failed: ended 3 times in 10 seconds (restart_limit)",
    ]);
}

#[test]
fn ends_further_apart_than_restart_limit_looks_back_do_not_count() {
    let limit = RestartLimit { ends: 2, within: Duration::from_secs(10) };
    let mut story = story(|web, policy| {
        web.start_retries = StartRetries::Times(0);
        policy.limit = Some(limit);
    });
    for _ in 0..5 {
        story.pass(10.0);
        assert!(story.delay_after_exit(1) <= 4.0);
    }
    // A failed start counts as well, and startretries does not.
    story.pass(10.0);
    story.spawn_errors.push_back("no such file");
    story.exits("web", 1);
    story.pass(4.0);
    assert_eq!(story.state("web"), ProcessState::Fatal);
    story.start("web", Wait::No);
    story.exits("web", 1);
    assert_eq!(story.state("web"), ProcessState::Exited, "a start by hand starts the counts again");
    assert_eq!(story.delay_to_start(), 1.0);
}

#[test]
fn startretries_limits_failed_starts_while_there_is_no_limit() {
    let mut story = story(|web, _| (web.start_secs, web.start_retries) = (1, StartRetries::Times(1)));
    story.exits("web", 1);
    assert_eq!(story.state("web"), ProcessState::Backoff);
    story.delay_to_start();
    story.told.clear();
    story.exits("web", 1);
    story.tells(&[
        "WARN exited: web (exit status 1; not expected)",
        "INFO gave up: web entered FATAL state, too many start retries too quickly",
    ]);
}

#[test]
fn a_stop_beats_a_restart_that_is_decided() {
    for start_secs in [0, 1] {
        let mut story = story(|web, _| web.start_secs = start_secs);
        story.exits("web", 1);
        assert!(hint(&story).is_some());
        story.told.clear();
        story.stop("web", Wait::Yes);
        story.pass(100.0);
        assert!(story.state("web").is_stopped() && !story.told.iter().any(|line| line.starts_with("!spawn")));
        assert_eq!((story.supervisor.deadline(), hint(&story)), (None, None));
        story.start("web", Wait::No);
        story.exits("web", 1);
        assert_eq!(story.delay_to_start(), 1.0, "the counter has started again");
    }
}

#[test]
fn the_next_try_is_shown() {
    let mut story = story(|_, _| ());
    for (expected, delay) in
        [("retry in 1 s (1st)", 1.0), ("retry in 2 s (2nd)", 2.0), ("retry in 4 s (3rd)", 4.0)]
    {
        story.exits("web", 1);
        assert_eq!(hint(&story).as_deref(), Some(expected));
        story.pass(delay - 0.4);
        assert!(hint(&story).unwrap().starts_with("retry in 1 s"));
        story.pass(0.4);
        assert_eq!(hint(&story), None, "it runs");
    }
    let mut supervisors = Story::one(|_| ()).begun();
    supervisors.exits("web", 1);
    assert_eq!(hint(&supervisors), None, "Supervisor's texts are as they were");
}

#[test]
fn a_delay_of_zero_keeps_to_one_restart_a_second() {
    let mut story = story(|_, policy| (policy.delay, policy.delay_max) = (Duration::ZERO, Duration::ZERO));
    for _ in 0..3 {
        assert_eq!(story.delay_after_exit(1), 1.0);
    }
    story.pass(5.0);
    assert_eq!(story.delay_after_exit(1), 0.0, "it has lived for longer");
}

#[test]
fn jitter_depends_on_the_seed() {
    let delay = |seed| {
        let mut story = Story::one(|web| {
            (web.start_secs, web.restart_policy) = (0, Some(RestartDelays::default().into()));
        });
        story.supervisor = story.supervisor.seeded(seed);
        story.begun().delay_after_exit(1)
    };
    assert_eq!(delay(1), delay(1));
    assert_ne!(delay(1), delay(2));
    assert!((0.45..=0.55).contains(&delay(3)));
}
