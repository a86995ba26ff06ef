//! Stories of programs that say or show when they are ready, and of jobs that end.

use super::*;

fn ready(checks: &[ReadyCheck]) -> Story {
    Story::one(|web| {
        web.readiness = Some(Box::new(ReadinessSpec::new(checks.to_vec())));
        web.start_retries = StartRetries::Times(1);
    })
    .begun()
}

fn tcp(port: u16) -> ReadyCheck {
    ReadyCheck::Probe(Probe::Tcp { host: "127.0.0.1".to_owned(), port })
}

fn exec(command: &str) -> ReadyCheck {
    ReadyCheck::Probe(Probe::Exec(command.to_owned()))
}

fn oneshot(change: impl FnOnce(&mut ProcessSpec)) -> Story {
    Story::one(|web| {
        web.program_type = ProgramType::Oneshot;
        change(web);
    })
}

impl Story {
    /// The outcome of the oldest probe that is under way.
    pub(super) fn probed(&mut self, outcome: Result<(), &str>) {
        let probe = self.probes.remove(0);
        self.input(Input::Probed { probe, outcome: outcome.map_err(ProbeFailure::of_program) });
    }

    pub(super) fn command_ends(&mut self, end: TaskEnd) {
        let child = ChildId::Probe(self.probes.remove(0));
        self.input(Input::TaskEnded { child, end, output: b"no response\n".to_vec() });
    }

    fn reports(&mut self, name: &str, pid: i32, check: usize) {
        self.input(Input::ReadyReported { process: self.id(name), pid: Pid(pid), check });
    }
}

#[test]
fn a_probe_that_succeeds_makes_it_run_and_is_the_last() {
    let mut story = ready(&[tcp(80)]);
    story.tells(&["!spawn web", "INFO spawned: 'web' with pid 101", "!probe tcp:127.0.0.1:80"]);
    assert_eq!(story.description("web"), "not ready yet: tcp:127.0.0.1:80: no answer yet");
    story.probed(Err("connection refused"));
    assert_eq!(story.description("web"), "not ready yet: tcp:127.0.0.1:80: connection refused");
    story.pass(0.01);
    story.tells(&["!probe tcp:127.0.0.1:80"]);
    story.probed(Ok(()));
    story.tells(&["INFO success: web entered RUNNING state, it is ready"]);
    assert_eq!(story.state("web"), ProcessState::Running);
    assert_eq!(story.supervisor.deadline(), None, "nothing is probed any more");
}

#[test]
fn pauses_between_probes_grow_and_two_never_overlap() {
    let mut story = ready(&[tcp(80)]);
    let mut pauses = Vec::new();
    for _ in 0..10 {
        story.pass(3.0);
        assert_eq!(story.probes.len(), 1, "one that hangs is not joined by another");
        story.probed(Err("no"));
        let due = story.supervisor.deadline().unwrap();
        pauses.push(due.since(story.now.mono).as_millis());
        story.at(due);
        story.input(Input::TimePassed);
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000]);
}

#[test]
fn all_checks_have_to_hold() {
    let mut story = ready(&[ReadyCheck::StartSecs, ReadyCheck::Notify, ReadyCheck::File("/ready".into())]);
    story.told.clear();
    story.reports("web", 101, 1);
    story.pass(2.0);
    assert_eq!(story.state("web"), ProcessState::Starting);
    assert_eq!(story.description("web"), "not ready yet: file:/ready: no answer yet");
    story.probed(Ok(()));
    story.tells(&["INFO success: web entered RUNNING state, it is ready"]);
}

#[test]
fn startsecs_is_waited_for_only_where_it_is_a_check() {
    let mut story = ready(&[ReadyCheck::Notify]);
    story.pass(10.0);
    assert_eq!(story.state("web"), ProcessState::Starting);
    assert_eq!(story.description("web"), "not ready yet: notify: READY=1 was not sent");
    story.reports("web", 101, 0);
    assert_eq!(story.state("web"), ProcessState::Running);

    let mut story = ready(&[ReadyCheck::StartSecs, ReadyCheck::Notify]);
    story.reports("web", 101, 1);
    assert_eq!(story.state("web"), ProcessState::Starting);
    story.pass(1.0);
    assert_eq!(story.state("web"), ProcessState::Running);
}

#[test]
fn a_report_of_another_run_or_about_a_probe_means_nothing() {
    let mut story = ready(&[ReadyCheck::Notify, tcp(80)]);
    story.reports("web", 100, 0);
    story.reports("web", 101, 1);
    story.reports("web", 101, 7);
    story.probed(Ok(()));
    assert_eq!(story.description("web"), "not ready yet: notify: READY=1 was not sent");
}

#[test]
fn commands_run_one_at_a_time() {
    let mut story = ready(&[exec("a"), exec("b")]);
    story.tells(&["!spawn web", "INFO spawned: 'web' with pid 101", "!run Probe(TaskId(1)) a"]);
    story.pass(3.0);
    story.tells(&[]);
    story.command_ends(TaskEnd::Exited(ExitStatus::Exited(2)));
    story.tells(&["!run Probe(TaskId(2)) b"]);
    assert_eq!(story.description("web"), "not ready yet: exec:a: exit status 2: no response");
    story.command_ends(TaskEnd::Exited(ExitStatus::Exited(0)));
    story.pass(0.1);
    story.tells(&["!run Probe(TaskId(3)) a"]);
    story.command_ends(TaskEnd::TimedOut);
    assert_eq!(story.description("web"), "not ready yet: exec:a: no result after 5 seconds");
    story.pass(0.1);
    story.command_ends(TaskEnd::Exited(ExitStatus::Exited(0)));
    assert_eq!(story.state("web"), ProcessState::Running);
}

#[test]
fn a_start_that_takes_too_long_is_stopped_and_has_failed() {
    let mut story = ready(&[tcp(80)]);
    story.probed(Err("connection refused"));
    story.pass(59.9);
    assert_eq!(story.state("web"), ProcessState::Starting);
    story.told.clear();
    story.pass(0.1);
    story.tells(&[
        "WARN web is not ready after 60 seconds: connection refused; stopping it",
        "!cancel Probe(TaskId(2))",
        "!kill web SIGTERM",
    ]);
    story.ends("web", KILLED);
    story.tells(&["WARN stopped: web (terminated by SIGKILL)"]);
    assert_eq!(story.state("web"), ProcessState::Backoff);
    assert_eq!(story.description("web"), "not ready after 60 seconds: connection refused");
    story.probes.clear();
    story.pass(1.0);
    story.tells(&["!spawn web", "INFO spawned: 'web' with pid 102", "!probe tcp:127.0.0.1:80"]);
    story.pass(60.0);
    story.ends("web", KILLED);
    assert_eq!(story.state("web"), ProcessState::Fatal);
    assert_eq!(story.supervisor.deadline(), None);
}

#[test]
fn a_client_that_waits_for_a_start_learns_that_it_takes_too_long() {
    let mut story = Story::one(|web| {
        web.readiness = Some(Box::new(ReadinessSpec::new(vec![ReadyCheck::Notify])));
        web.ready_timeout = Some(Duration::from_secs(2));
        web.autostart = false;
    })
    .begun();
    story.start("web", Wait::Yes);
    story.told.clear();
    story.pass(2.0);
    assert_eq!(story.told.last().unwrap(), "!reply 1 SPAWN_ERROR: web");
}

#[test]
fn without_a_time_limit_it_may_take_forever() {
    let mut story = Story::one(|web| {
        web.readiness = Some(Box::new(ReadinessSpec::new(vec![ReadyCheck::Notify])));
        web.ready_timeout = Some(Duration::ZERO);
    })
    .begun();
    assert_eq!(story.supervisor.deadline(), None);
    story.reports("web", 101, 0);
    assert_eq!(story.state("web"), ProcessState::Running);
}

#[test]
fn a_death_before_readiness_is_a_failed_start() {
    let mut story = ready(&[tcp(80)]);
    story.pass(10.0);
    story.told.clear();
    story.exits("web", 0);
    story.tells(&["WARN exited: web (exit status 0; not expected)", "!cancel Probe(TaskId(1))"]);
    assert_eq!(story.description("web"), "ended before it was ready: exit status 0");
    assert_eq!(story.state("web"), ProcessState::Backoff);
}

#[test]
fn a_stop_before_readiness_works_at_once_also_once_its_time_is_up() {
    let mut story = ready(&[tcp(80)]);
    story.told.clear();
    story.stop("web", Wait::No);
    story.tells(&["!cancel Probe(TaskId(1))", "!kill web SIGTERM", "!reply 1 done"]);
    story.exits("web", 0);
    assert_eq!(story.state("web"), ProcessState::Stopped);

    let mut story = ready(&[tcp(80)]);
    story.pass(60.0);
    story.stop("web", Wait::Yes);
    story.exits("web", 0);
    assert_eq!(story.state("web"), ProcessState::Stopped, "a stop beats the retry");
}

#[test]
fn a_late_outcome_is_ignored() {
    let mut story = ready(&[tcp(80)]);
    let probe = story.probes[0];
    story.exits("web", 0);
    story.pass(1.0);
    story.input(Input::Probed { probe, outcome: Ok(()) });
    assert_eq!(story.state("web"), ProcessState::Starting);
}

#[test]
fn a_dependent_waits_until_it_is_ready() {
    let readiness = Some(Box::new(ReadinessSpec::new(vec![ReadyCheck::Notify])));
    let db = ProcessSpec { readiness, ..spec("db") };
    let needs_db = Dependency {
        name: "db".to_owned(),
        condition: None,
        is_optional: false,
        place: WrittenAt::default(),
    };
    let web = ProcessSpec { depends_on: vec![needs_db], ..spec("web") };
    let mut story = Story::of(vec![alone(1, web), alone(1, db)]).begun();
    story.pass(30.0);
    assert_eq!(story.description("web"), "waiting for db (ready)");
    story.told.clear();
    story.reports("db", 101, 0);
    story.tells(&[
        "INFO success: db entered RUNNING state, it is ready",
        "!spawn web",
        "INFO spawned: 'web' with pid 102",
    ]);
}

#[test]
fn a_oneshot_is_starting_while_it_runs_and_done_when_it_exits_as_expected() {
    let mut story = oneshot(|web| web.autorestart = AutoRestart::Always).begun();
    story.pass(600.0);
    assert_eq!(story.state("web"), ProcessState::Starting);
    story.told.clear();
    story.exits("web", 0);
    story.tells(&["INFO exited: web (exit status 0; expected)"]);
    assert_eq!(story.state("web"), ProcessState::Exited);
    assert_eq!(story.supervisor.deadline(), None, "autorestart does not apply");
}

#[test]
fn a_start_of_a_oneshot_is_answered_when_it_is_done() {
    let mut story = oneshot(|web| web.autostart = false).begun();
    story.start("web", Wait::Yes);
    story.told.clear();
    story.pass(5.0);
    story.tells(&[]);
    story.exits("web", 0);
    story.tells(&["INFO exited: web (exit status 0; expected)", "!reply 1 done"]);
}

#[test]
fn a_oneshot_that_fails_is_tried_again_and_then_given_up() {
    let mut story = oneshot(|web| web.start_retries = StartRetries::Times(1)).begun();
    story.pass(30.0);
    story.exits("web", 3);
    assert_eq!(
        (story.state("web"), story.description("web").as_str()),
        (ProcessState::Backoff, "exit status 3")
    );
    story.pass(1.0);
    story.ends("web", KILLED);
    assert_eq!(story.state("web"), ProcessState::Fatal);
    assert_eq!(story.description("web"), "terminated by SIGKILL");
}

#[test]
fn a_oneshot_may_have_a_time_limit() {
    let mut story = oneshot(|web| web.ready_timeout = Some(Duration::from_secs(5))).begun();
    story.told.clear();
    story.pass(5.0);
    story.tells(&["WARN web is not done after 5 seconds; stopping it", "!kill web SIGTERM"]);
    story.exits("web", 0);
    assert_eq!(story.state("web"), ProcessState::Backoff, "an exit by request does not count");
    assert_eq!(story.description("web"), "not done after 5 seconds");
}

#[test]
fn a_failed_oneshot_ends_the_supervisor_with_its_status_where_that_is_asked_for() {
    let mut story = oneshot(|web| {
        web.start_retries = StartRetries::Times(0);
        web.on_fatal = OnEnd::Shutdown;
    })
    .begun();
    story.exits("web", 3);
    assert_eq!(story.told.last().unwrap(), "!stopped 3: web failed: exit status 3");
}
