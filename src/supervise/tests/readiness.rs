//! Programs that report or show when they are ready, and jobs that end.

use super::dependencies::dependency;
use super::*;

fn ready(checks: &[ReadyCheck]) -> Scenario {
    Scenario::one(|web| {
        web.lifecycle.readiness = Some(Box::new(ReadinessSpec::new(checks.to_vec())));
        web.start_retries = StartRetries::Times(1);
    })
    .begin()
}

fn tcp(port: u16) -> ReadyCheck {
    ReadyCheck::Probe(Probe::Tcp { host: "127.0.0.1".to_owned(), port })
}

fn exec(command: &str) -> ReadyCheck {
    ReadyCheck::Probe(Probe::Exec(command.to_owned()))
}

fn oneshot(change: impl FnOnce(&mut ProcessSpec)) -> Scenario {
    Scenario::one(|web| {
        web.program_type = ProgramType::Oneshot;
        change(web);
    })
}

impl Scenario {
    /// Ends the oldest probe that is under way.
    pub(super) fn end_probe(&mut self, outcome: Result<(), &str>) {
        let probe = self.probes.remove(0);
        self.input(Input::Probed { probe, outcome: outcome.map_err(ProbeFailure::of_program) });
    }

    pub(super) fn end_probe_command(&mut self, end: TaskEnd) {
        let child = ChildId::Probe(self.probes.remove(0));
        self.input(Input::TaskEnded { child, end, output: b"no response\n".to_vec() });
    }

    fn report_ready(&mut self, name: &str, pid: i32, check: usize) {
        self.input(Input::ReadyReported { process: self.id(name), pid: Pid(pid), check });
    }
}

#[test]
fn a_successful_probe_is_the_last_and_the_process_is_running() {
    let mut scenario = ready(&[tcp(80)]);
    scenario.expect_log(&["!spawn web", "INFO spawned: 'web' with pid 101", "!probe tcp:127.0.0.1:80"]);
    assert_eq!(scenario.description("web"), "not ready yet: tcp:127.0.0.1:80: no answer yet");
    scenario.end_probe(Err("connection refused"));
    assert_eq!(scenario.description("web"), "not ready yet: tcp:127.0.0.1:80: connection refused");
    scenario.pass(0.01);
    scenario.expect_log(&["!probe tcp:127.0.0.1:80"]);
    scenario.end_probe(Ok(()));
    scenario.expect_log(&["INFO success: web entered RUNNING state, it is ready"]);
    assert_eq!(scenario.state("web"), ProcessState::Running);
    assert_eq!(scenario.supervisor.deadline(), None, "nothing is probed any more");
}

#[test]
fn pauses_between_probes_grow_and_two_never_overlap() {
    let mut scenario = ready(&[tcp(80)]);
    let mut pauses = Vec::new();
    for _ in 0..10 {
        scenario.pass(3.0);
        assert_eq!(scenario.probes.len(), 1, "one that hangs is not joined by another");
        scenario.end_probe(Err("no"));
        let due = scenario.supervisor.deadline().unwrap();
        pauses.push(due.since(scenario.now.mono).as_millis());
        scenario.at(due);
        scenario.input(Input::TimePassed);
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000]);
}

#[test]
fn all_checks_have_to_hold() {
    let mut scenario = ready(&[ReadyCheck::StartSecs, ReadyCheck::Notify, ReadyCheck::File("/ready".into())]);
    scenario.log.clear();
    scenario.report_ready("web", 101, 1);
    scenario.pass(2.0);
    assert_eq!(scenario.state("web"), ProcessState::Starting);
    assert_eq!(scenario.description("web"), "not ready yet: file:/ready: no answer yet");
    scenario.end_probe(Ok(()));
    scenario.expect_log(&["INFO success: web entered RUNNING state, it is ready"]);
}

#[test]
fn startsecs_delays_readiness_only_as_a_check() {
    let mut scenario = ready(&[ReadyCheck::Notify]);
    scenario.pass(10.0);
    assert_eq!(scenario.state("web"), ProcessState::Starting);
    assert_eq!(scenario.description("web"), "not ready yet: notify: READY=1 was not sent");
    scenario.report_ready("web", 101, 0);
    assert_eq!(scenario.state("web"), ProcessState::Running);

    let mut scenario = ready(&[ReadyCheck::StartSecs, ReadyCheck::Notify]);
    scenario.report_ready("web", 101, 1);
    assert_eq!(scenario.state("web"), ProcessState::Starting);
    scenario.pass(1.0);
    assert_eq!(scenario.state("web"), ProcessState::Running);
}

#[test]
fn a_report_of_another_run_or_about_a_probe_is_ignored() {
    let mut scenario = ready(&[ReadyCheck::Notify, tcp(80)]);
    scenario.report_ready("web", 100, 0);
    scenario.report_ready("web", 101, 1);
    scenario.report_ready("web", 101, 7);
    scenario.end_probe(Ok(()));
    assert_eq!(scenario.description("web"), "not ready yet: notify: READY=1 was not sent");
}

#[test]
fn commands_run_one_at_a_time() {
    let mut scenario = ready(&[exec("a"), exec("b")]);
    scenario.expect_log(&["!spawn web", "INFO spawned: 'web' with pid 101", "!run Probe(TaskId(1)) a"]);
    scenario.pass(3.0);
    scenario.expect_log(&[]);
    scenario.end_probe_command(TaskEnd::Exited(ExitStatus::Exited(2)));
    scenario.expect_log(&["!run Probe(TaskId(2)) b"]);
    assert_eq!(scenario.description("web"), "not ready yet: exec:a: exit status 2");
    scenario.end_probe_command(TaskEnd::Exited(ExitStatus::Exited(0)));
    scenario.pass(0.1);
    scenario.expect_log(&["!run Probe(TaskId(3)) a"]);
    scenario.end_probe_command(TaskEnd::TimedOut);
    assert_eq!(scenario.description("web"), "not ready yet: exec:a: no result after 5 seconds");
    scenario.pass(0.1);
    scenario.end_probe_command(TaskEnd::Exited(ExitStatus::Exited(0)));
    assert_eq!(scenario.state("web"), ProcessState::Running);
}

#[test]
fn a_start_that_takes_too_long_is_stopped_and_has_failed() {
    let mut scenario = ready(&[tcp(80)]);
    scenario.end_probe(Err("connection refused"));
    scenario.pass(59.9);
    assert_eq!(scenario.state("web"), ProcessState::Starting);
    scenario.log.clear();
    scenario.pass(0.1);
    scenario.expect_log(&[
        "WARN web is not ready after 60 seconds: connection refused; stopping it",
        "!cancel Probe(TaskId(2))",
        "!kill web SIGTERM",
    ]);
    scenario.end("web", KILLED);
    scenario.expect_log(&["WARN stopped: web (terminated by SIGKILL)"]);
    assert_eq!(scenario.state("web"), ProcessState::Backoff);
    assert_eq!(scenario.description("web"), "not ready after 60 seconds: connection refused");
    scenario.probes.clear();
    scenario.pass(1.0);
    scenario.expect_log(&["!spawn web", "INFO spawned: 'web' with pid 102", "!probe tcp:127.0.0.1:80"]);
    scenario.pass(60.0);
    scenario.end("web", KILLED);
    assert_eq!(scenario.state("web"), ProcessState::Fatal);
    assert_eq!(scenario.supervisor.deadline(), None);
}

#[test]
fn a_waiting_client_is_answered_when_a_start_times_out() {
    let mut scenario = Scenario::one(|web| {
        web.lifecycle.readiness = Some(Box::new(ReadinessSpec::new(vec![ReadyCheck::Notify])));
        web.lifecycle.ready_timeout = Some(Duration::from_secs(2));
        web.autostart = false;
    })
    .begin();
    scenario.start("web", Wait::Yes);
    scenario.log.clear();
    scenario.pass(2.0);
    assert_eq!(scenario.log.last().unwrap(), "!reply 1 SPAWN_ERROR: web");
}

#[test]
fn without_a_time_limit_it_may_take_forever() {
    let mut scenario = Scenario::one(|web| {
        web.lifecycle.readiness = Some(Box::new(ReadinessSpec::new(vec![ReadyCheck::Notify])));
        web.lifecycle.ready_timeout = Some(Duration::ZERO);
    })
    .begin();
    assert_eq!(scenario.supervisor.deadline(), None);
    scenario.report_ready("web", 101, 0);
    assert_eq!(scenario.state("web"), ProcessState::Running);
}

#[test]
fn an_exit_before_readiness_is_a_failed_start() {
    let mut scenario = ready(&[tcp(80)]);
    scenario.pass(10.0);
    scenario.log.clear();
    scenario.exit("web", 0);
    scenario.expect_log(&["WARN exited: web (exit status 0; not expected)", "!cancel Probe(TaskId(1))"]);
    assert_eq!(scenario.description("web"), "ended before it was ready: exit status 0");
    assert_eq!(scenario.state("web"), ProcessState::Backoff);
}

#[test]
fn a_stop_before_readiness_works_at_once_also_once_its_time_is_up() {
    let mut scenario = ready(&[tcp(80)]);
    scenario.log.clear();
    scenario.stop("web", Wait::No);
    scenario.expect_log(&["!cancel Probe(TaskId(1))", "!kill web SIGTERM", "!reply 1 done"]);
    scenario.exit("web", 0);
    assert_eq!(scenario.state("web"), ProcessState::Stopped);

    let mut scenario = ready(&[tcp(80)]);
    scenario.pass(60.0);
    scenario.stop("web", Wait::Yes);
    scenario.exit("web", 0);
    assert_eq!(scenario.state("web"), ProcessState::Stopped, "a stop beats the retry");
}

#[test]
fn a_late_outcome_is_ignored() {
    let mut scenario = ready(&[tcp(80)]);
    let probe = scenario.probes[0];
    scenario.exit("web", 0);
    scenario.pass(1.0);
    scenario.input(Input::Probed { probe, outcome: Ok(()) });
    assert_eq!(scenario.state("web"), ProcessState::Starting);
}

#[test]
fn a_dependent_waits_until_it_is_ready() {
    let readiness = Some(Box::new(ReadinessSpec::new(vec![ReadyCheck::Notify])));
    let db = spec("db").with_lifecycle(|it| it.readiness = readiness);
    let needs_db = dependency("db");
    let web = spec("web").with_lifecycle(|it| it.depends_on = vec![needs_db]);
    let mut scenario = Scenario::of(vec![alone(1, web), alone(1, db)]).begin();
    scenario.pass(30.0);
    assert_eq!(scenario.description("web"), "waiting for db (ready)");
    scenario.log.clear();
    scenario.report_ready("db", 101, 0);
    scenario.expect_log(&[
        "INFO success: db entered RUNNING state, it is ready",
        "!spawn web",
        "INFO spawned: 'web' with pid 102",
    ]);
}

#[test]
fn a_oneshot_is_starting_while_it_runs_and_done_when_it_exits_as_expected() {
    let mut scenario = oneshot(|web| web.autorestart = AutoRestart::Always).begin();
    scenario.pass(600.0);
    assert_eq!(scenario.state("web"), ProcessState::Starting);
    scenario.log.clear();
    scenario.exit("web", 0);
    scenario.expect_log(&["INFO exited: web (exit status 0; expected)"]);
    assert_eq!(scenario.state("web"), ProcessState::Exited);
    assert_eq!(scenario.supervisor.deadline(), None, "autorestart does not apply");
}

#[test]
fn a_start_of_a_oneshot_is_answered_when_it_is_done() {
    let mut scenario = oneshot(|web| web.autostart = false).begin();
    scenario.start("web", Wait::Yes);
    scenario.log.clear();
    scenario.pass(5.0);
    scenario.expect_log(&[]);
    scenario.exit("web", 0);
    scenario.expect_log(&["INFO exited: web (exit status 0; expected)", "!reply 1 done"]);
}

#[test]
fn a_oneshot_that_fails_is_tried_again_and_then_given_up() {
    let mut scenario = oneshot(|web| web.start_retries = StartRetries::Times(1)).begin();
    scenario.pass(30.0);
    scenario.exit("web", 3);
    assert_eq!(
        (scenario.state("web"), scenario.description("web").as_str()),
        (ProcessState::Backoff, "exit status 3")
    );
    scenario.pass(1.0);
    scenario.end("web", KILLED);
    assert_eq!(scenario.state("web"), ProcessState::Fatal);
    assert_eq!(scenario.description("web"), "terminated by SIGKILL");
}

#[test]
fn a_oneshot_may_have_a_time_limit() {
    let mut scenario = oneshot(|web| web.lifecycle.ready_timeout = Some(Duration::from_secs(5))).begin();
    scenario.log.clear();
    scenario.pass(5.0);
    scenario.expect_log(&["WARN web is not done after 5 seconds; stopping it", "!kill web SIGTERM"]);
    scenario.exit("web", 0);
    assert_eq!(scenario.state("web"), ProcessState::Backoff, "an exit by request does not count");
    assert_eq!(scenario.description("web"), "not done after 5 seconds");
}

#[test]
fn a_failed_oneshot_with_on_fatal_shutdown_ends_the_supervisor_with_its_status() {
    let mut scenario = oneshot(|web| {
        web.start_retries = StartRetries::Times(0);
        web.on_fatal = OnEnd::Shutdown;
    })
    .begin();
    scenario.exit("web", 3);
    assert_eq!(scenario.log.last().unwrap(), "!stopped 3: web failed: exit status 3");
}
