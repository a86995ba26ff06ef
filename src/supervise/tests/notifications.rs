//! What programs report about themselves.

use super::*;

impl Scenario {
    pub(super) fn notify(&mut self, notifications: &[Notification]) {
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
    let mut scenario = Scenario::one(|_| ()).running();
    assert_eq!(scenario.status(), None);
    scenario.notify(&[
        status("3 of 4"),
        Notification::Reloading,
        Notification::Stopping,
        Notification::Errno(2),
    ]);
    scenario.expect_log(&[
        "INFO web (pid 101) is reloading",
        "INFO web (pid 101) is stopping by itself",
        "INFO web (pid 101) reports error 2",
    ]);
    assert_eq!(scenario.status().as_deref(), Some("3 of 4"));
    scenario.notify(&[status("")]);
    assert_eq!(scenario.status(), None);
    scenario.notify(&[status("last")]);
    scenario.exit("web", 1);
    scenario.expect_log(&[
        "WARN exited: web (exit status 1; not expected)",
        "!spawn web",
        "INFO spawned: 'web' with pid 102",
    ]);
    assert_eq!(scenario.status(), None, "of another run");
    scenario.stop("web", Wait::No);
    scenario.exit("web", 0);
    scenario.log.clear();
    scenario.notify(&[status("late"), Notification::Reloading]);
    scenario.expect_log(&[]);
    assert_eq!(scenario.status(), None);
}

#[test]
fn a_stop_is_extended_and_never_shortened() {
    let mut scenario = Scenario::one(|web| web.stop_wait_secs = 5).running();
    scenario.stop("web", Wait::No);
    scenario.log.clear();
    scenario.notify(&[Notification::ExtendTimeout(Duration::from_secs(1))]);
    scenario.pass(4.0);
    scenario.notify(&[Notification::ExtendTimeout(Duration::from_secs(20))]);
    scenario.pass(19.0);
    scenario.expect_log(&[]);
    scenario.pass(1.0);
    scenario.expect_log(&["WARN killing 'web' (101) with SIGKILL", "!kill web SIGKILL"]);
}

/// Whatever time it requests, once or repeatedly.
#[test]
fn a_stop_is_not_extended_without_bound() {
    let hour = Duration::from_secs(3600);
    for (asks_for, every_secs) in [(Duration::MAX, 3604.0), (hour, 1800.0)] {
        let mut scenario = Scenario::one(|web| web.stop_wait_secs = 5).running();
        scenario.stop("web", Wait::No);
        scenario.log.clear();
        let mut left_secs: f64 = 3604.0;
        while left_secs > 0.0 {
            scenario.notify(&[Notification::ExtendTimeout(asks_for)]);
            let pause = left_secs.min(every_secs);
            scenario.pass(pause);
            left_secs -= pause;
        }
        scenario.notify(&[Notification::ExtendTimeout(asks_for)]);
        scenario.expect_log(&[]);
        scenario.pass(1.0);
        scenario.expect_log(&["WARN killing 'web' (101) with SIGKILL", "!kill web SIGKILL"]);
        scenario.notify(&[Notification::ExtendTimeout(asks_for)]);
        scenario.pass(10.0);
        scenario.expect_log(&["CRIT giving up 'web' (101), which does not end after SIGKILL"]);
    }
}

#[test]
fn a_start_is_extended_from_the_time_of_the_report() {
    let mut scenario = Scenario::one(|web| {
        web.lifecycle.readiness = Some(Box::new(ReadinessSpec::new(vec![ReadyCheck::Notify])));
        web.lifecycle.ready_timeout = Some(Duration::from_secs(5));
    })
    .begin();
    scenario.log.clear();
    scenario.pass(4.0);
    scenario.notify(&[Notification::ExtendTimeout(Duration::from_secs(10))]);
    scenario.pass(9.0);
    scenario.expect_log(&[]);
    scenario.pass(1.0);
    assert_eq!(scenario.state("web"), ProcessState::Stopping);
}

#[test]
fn a_reset_forgets_failed_starts() {
    let mut scenario = Scenario::one(|web| web.start_retries = StartRetries::Times(1)).begin();
    scenario.exit("web", 1);
    scenario.pass(1.0);
    scenario.notify(&[Notification::RestartReset]);
    scenario.exit("web", 1);
    assert_eq!(scenario.state("web"), ProcessState::Backoff, "it would have been the last");
}

#[test]
fn the_main_process_is_the_program_and_the_leader_may_take_over_again() {
    let mut scenario = Scenario::one(|web| web.kill_as_group = true).running();
    scenario.notify(&[Notification::MainPid(Pid(777))]);
    scenario.expect_log(&["INFO web (pid 101) has pid 777 as its main process now"]);
    assert_eq!(scenario.description("web"), "pid 777, uptime 0:00:02");
    scenario.notify(&[Notification::MainPid(Pid(101))]);
    assert_eq!(scenario.description("web"), "pid 101, uptime 0:00:02");
    scenario.notify(&[Notification::MainPid(Pid(778))]);
    scenario.log.clear();
    // The remaining processes are members of the group that the first process led.
    scenario.stop("web", Wait::Yes);
    scenario.members = Members::Some(vec![Pid(4000)]);
    scenario.exit("web", 0);
    scenario.pass(10.0);
    assert!(scenario.log.contains(&"!kill web SIGKILL members of 101".to_owned()), "{:?}", scenario.log);
}

#[test]
fn a_main_process_reports_readiness_for_its_program() {
    let mut scenario = Scenario::one(|web| {
        web.lifecycle.readiness = Some(Box::new(ReadinessSpec::new(vec![ReadyCheck::Notify])));
    })
    .begin();
    scenario.notify(&[Notification::MainPid(Pid(777))]);
    scenario.input(Input::ReadyReported { process: scenario.id("web"), pid: Pid(101), check: 0 });
    assert_eq!(scenario.description("web"), "pid 777, uptime 0:00:00");
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
    let mut scenario = Scenario::one(|web| web.lifecycle.restart_policy = Some(policy.into())).running();
    for _ in 0..3 {
        scenario.exit("web", 1);
        let retry = scenario.supervisor.process(scenario.id("web")).unwrap().retry_text(scenario.now.mono);
        assert_eq!(retry.as_deref(), Some("retry in 2 s (1st)"));
        scenario.pass(4.0);
        scenario.notify(&[Notification::RestartReset]);
    }
    assert_eq!(scenario.state("web"), ProcessState::Running);
}
