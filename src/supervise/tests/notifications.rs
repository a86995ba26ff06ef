//! Stories of what programs report of themselves.

use super::*;

impl Story {
    pub(super) fn notifies(&mut self, notifications: &[Notification]) {
        let process = self.id("web");
        self.input(Input::Notified { process, notifications: notifications.to_vec() });
    }

    fn status(&self) -> Option<String> {
        let turn = Turn { now: self.now, restarts_allowed: true, random: 0 };
        self.supervisor.processes.get(self.id("web")).unwrap().info(&turn).reported_status
    }
}

fn status(text: &str) -> Notification {
    Notification::Status(text.to_owned())
}

#[test]
fn a_status_is_shown_while_the_run_that_reported_it_lives() {
    let mut story = Story::one(|_| ()).running();
    assert_eq!(story.status(), None);
    story.notifies(&[
        status("3 of 4"),
        Notification::Reloading,
        Notification::Stopping,
        Notification::Errno(2),
    ]);
    story.tells(&[
        "INFO web (pid 101) is reloading",
        "INFO web (pid 101) is stopping by itself",
        "INFO web (pid 101) reports error 2",
    ]);
    assert_eq!(story.status().as_deref(), Some("3 of 4"));
    story.notifies(&[status("")]);
    assert_eq!(story.status(), None);
    story.notifies(&[status("last")]);
    story.exits("web", 1);
    story.tells(&[
        "WARN exited: web (exit status 1; not expected)",
        "!spawn web",
        "INFO spawned: 'web' with pid 102",
    ]);
    assert_eq!(story.status(), None, "of another run");
    story.stop("web", Wait::No);
    story.exits("web", 0);
    story.told.clear();
    story.notifies(&[status("late"), Notification::Reloading]);
    story.tells(&[]);
    assert_eq!(story.status(), None);
}

#[test]
fn a_stop_is_extended_and_never_shortened() {
    let mut story = Story::one(|web| web.stop_wait_secs = 5).running();
    story.stop("web", Wait::No);
    story.told.clear();
    story.notifies(&[Notification::ExtendTimeout(Duration::from_secs(1))]);
    story.pass(4.0);
    story.notifies(&[Notification::ExtendTimeout(Duration::from_secs(20))]);
    story.pass(19.0);
    story.tells(&[]);
    story.pass(1.0);
    story.tells(&["WARN killing 'web' (101) with SIGKILL", "!kill web SIGKILL"]);
}

/// Whatever it asks for, once or again and again.
#[test]
fn a_stop_is_not_extended_without_bound() {
    let hour = Duration::from_secs(3600);
    for (asks_for, every_secs) in [(Duration::MAX, 3604.0), (hour, 1800.0)] {
        let mut story = Story::one(|web| web.stop_wait_secs = 5).running();
        story.stop("web", Wait::No);
        story.told.clear();
        let mut left_secs: f64 = 3604.0;
        while left_secs > 0.0 {
            story.notifies(&[Notification::ExtendTimeout(asks_for)]);
            let pause = left_secs.min(every_secs);
            story.pass(pause);
            left_secs -= pause;
        }
        story.notifies(&[Notification::ExtendTimeout(asks_for)]);
        story.tells(&[]);
        story.pass(1.0);
        story.tells(&["WARN killing 'web' (101) with SIGKILL", "!kill web SIGKILL"]);
        story.notifies(&[Notification::ExtendTimeout(asks_for)]);
        story.pass(10.0);
        story.tells(&["CRIT giving up 'web' (101), which does not end after SIGKILL"]);
    }
}

#[test]
fn a_start_is_extended_from_the_report_on() {
    let mut story = Story::one(|web| {
        web.readiness = Some(Box::new(ReadinessSpec::new(vec![ReadyCheck::Notify])));
        web.ready_timeout = Some(Duration::from_secs(5));
    })
    .begun();
    story.told.clear();
    story.pass(4.0);
    story.notifies(&[Notification::ExtendTimeout(Duration::from_secs(10))]);
    story.pass(9.0);
    story.tells(&[]);
    story.pass(1.0);
    assert_eq!(story.state("web"), ProcessState::Stopping);
}

#[test]
fn a_reset_forgets_failed_starts() {
    let mut story = Story::one(|web| web.start_retries = StartRetries::Times(1)).begun();
    story.exits("web", 1);
    story.pass(1.0);
    story.notifies(&[Notification::RestartReset]);
    story.exits("web", 1);
    assert_eq!(story.state("web"), ProcessState::Backoff, "it would have been the last");
}

#[test]
fn the_main_process_is_the_program_and_the_leader_may_take_over_again() {
    let mut story = Story::one(|web| web.kill_as_group = true).running();
    story.notifies(&[Notification::MainPid(Pid(777))]);
    story.tells(&["INFO web (pid 101) has pid 777 as its main process now"]);
    assert_eq!(story.description("web"), "pid 777, uptime 0:00:02");
    story.notifies(&[Notification::MainPid(Pid(101))]);
    assert_eq!(story.description("web"), "pid 101, uptime 0:00:02");
    story.notifies(&[Notification::MainPid(Pid(778))]);
    story.told.clear();
    // Those who are left are members of the group that the first process has led.
    story.stop("web", Wait::Yes);
    story.members = Members::Some(vec![Pid(4000)]);
    story.exits("web", 0);
    story.pass(10.0);
    assert!(story.told.contains(&"!kill web SIGKILL members of 101".to_owned()), "{:?}", story.told);
}

#[test]
fn a_main_process_reports_readiness_for_its_program() {
    let mut story = Story::one(|web| {
        web.readiness = Some(Box::new(ReadinessSpec::new(vec![ReadyCheck::Notify])));
    })
    .begun();
    story.notifies(&[Notification::MainPid(Pid(777))]);
    story.input(Input::ReadyReported { process: story.id("web"), pid: Pid(101), check: 0 });
    assert_eq!(story.description("web"), "pid 777, uptime 0:00:00");
}

#[test]
fn a_reset_forgets_restarts_and_the_ends_before() {
    let limit = Some(RestartLimit { ends: 2, within: Duration::from_secs(600) });
    let policy = RestartDelays {
        delay: Duration::from_secs(2),
        delay_max: Duration::from_secs(60),
        jitter_percent: 0,
        limit,
        ..RestartDelays::default()
    };
    let mut story = Story::one(|web| web.restart_policy = Some(policy.into())).running();
    for _ in 0..3 {
        story.exits("web", 1);
        let retry = story.supervisor.process(story.id("web")).unwrap().retry_text(story.now.mono);
        assert_eq!(retry.as_deref(), Some("retry in 2 s (1st)"));
        story.pass(4.0);
        story.notifies(&[Notification::RestartReset]);
    }
    assert_eq!(story.state("web"), ProcessState::Running);
}
