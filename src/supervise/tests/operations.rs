//! Operations: what is asked for and takes more than one input.

use super::super::operations::OPERATIONS_MAX;
use super::*;

/// `web` needs `db`, so `db` stops after it.
fn web_needs_db() -> Story {
    let db = Dependency {
        name: "db".to_owned(),
        condition: None,
        is_optional: false,
        place: WrittenAt::default(),
    };
    let web = ProcessSpec { depends_on: vec![db], ..spec("web") };
    Story::of(vec![alone(1, spec("db")), alone(1, web)]).running()
}

#[test]
fn requests_beyond_the_bound_are_refused_and_the_others_answered() {
    let mut story = web_needs_db();
    story.stop("web", Wait::Yes);
    // A stop that waits for another can be asked for again and again.
    for _ in 1..OPERATIONS_MAX {
        story.stop("db", Wait::Yes);
    }
    story.told.clear();
    story.stop("db", Wait::Yes);
    story.tells(&["!reply 4097 FAILED: too many requests wait for processes; try again later"]);
    story.ask(Command::GetPid);
    story.tells(&["!reply 4098 Pid(1)"]);
    story.exits("web", 0);
    story.exits("db", 0);
    let answered = story.told.iter().filter(|line| line.ends_with(" done")).count();
    assert_eq!((answered, story.supervisor.check_operations()), (OPERATIONS_MAX, 0));
    story.start("db", Wait::No);
    assert_eq!(story.told.last().unwrap(), "!reply 4099 done");
}

/// `app:0`, `app:1` and `app:2` run and are restarted by a request.
fn rolling(change: fn(&mut ProcessSpec), limits: BatchLimits) -> Story {
    let member = |name: &str| {
        let mut member = spec(name);
        change(&mut member);
        member
    };
    let mut story = Story::of(vec![group("app", ["0", "1", "2"].map(member))]).begun();
    story.pass(10.0);
    story.told.clear();
    story.ask(Command::RestartRolling(Namespec::split("app:*"), limits));
    story
}

const ONE_BY_ONE: BatchLimits = BatchLimits { size: 1, timeout: None };

impl Story {
    /// What was asked of the shell since the last time.
    #[track_caller]
    fn acts(&mut self, expected: &[&str]) {
        self.told.retain(|line| line.starts_with('!'));
        self.tells(expected);
    }
}

#[test]
fn a_rolling_restart_stops_the_next_one_when_the_one_before_runs() {
    let mut story = rolling(|_| (), ONE_BY_ONE);
    story.acts(&["!kill 0 SIGTERM"]);
    story.exits("0", 0);
    story.acts(&["!spawn 0"]);
    story.pass(0.9);
    story.acts(&[]);
    story.pass(0.1);
    story.acts(&["!kill 1 SIGTERM"]);
    story.exits("1", 0);
    story.pass(1.0);
    story.acts(&["!spawn 1", "!kill 2 SIGTERM"]);
    story.exits("2", 0);
    story.pass(1.0);
    story.acts(&["!spawn 2", "!reply 1 0:ok,1:ok,2:ok"]);
    assert_eq!((story.supervisor.check_operations(), story.supervisor.deadline()), (0, None));
}

#[test]
fn a_rolling_restart_waits_until_the_one_before_is_ready() {
    let notifies = |it: &mut ProcessSpec| {
        it.readiness = Some(Box::new(ReadinessSpec::new(vec![ReadyCheck::Notify])));
    };
    let mut story = rolling(notifies, ONE_BY_ONE);
    let says_ready = |story: &mut Story, name: &str| {
        let process = story.id(name);
        let pid = story.pids_in_use[&process];
        story.input(Input::ReadyReported { process, pid, check: 0 });
    };
    // None of them is ready yet: they are restarted all the same.
    story.exits("0", 0);
    story.pass(30.0);
    story.acts(&["!kill 0 SIGTERM", "!spawn 0"]);
    says_ready(&mut story, "0");
    story.acts(&["!kill 1 SIGTERM"]);
}

#[test]
fn a_rolling_restart_takes_a_batch_at_a_time_and_starts_what_does_not_run() {
    let mut story = rolling(|_| (), BatchLimits { size: 2, timeout: None });
    story.acts(&["!kill 1 SIGTERM", "!kill 0 SIGTERM"]);
    story.exits("0", 0);
    story.acts(&[]);
    story.stop("app:2", Wait::No);
    story.exits("2", 0);
    story.exits("1", 0);
    story.acts(&["!kill 2 SIGTERM", "!reply 2 done", "!spawn 0", "!spawn 1"]);
    story.pass(1.0);
    story.acts(&["!spawn 2"]);
    story.pass(1.0);
    story.acts(&["!reply 1 0:ok,1:ok,2:ok"]);
}

#[test]
fn a_rolling_restart_ends_at_the_first_failure_and_leaves_the_rest_alone() {
    let mut story = rolling(|it| it.start_retries = StartRetries::Times(0), ONE_BY_ONE);
    story.exits("0", 0);
    story.exits("0", 1);
    story.acts(&[
        "!kill 0 SIGTERM",
        "!spawn 0",
        "!reply 1 0:SPAWN_ERROR: app:0,\
         1:FAILED: the restart of app:1 is not complete: that of another has failed,\
         2:FAILED: the restart of app:2 is not complete: that of another has failed",
    ]);
    assert_eq!(story.state("1"), ProcessState::Running);
}

#[test]
fn what_a_rolling_restart_has_stopped_starts_again_when_another_of_its_batch_does_not_stop() {
    let mut story = rolling(|_| (), BatchLimits { size: 2, timeout: None });
    story.exits("0", 0);
    story.pass(30.0);
    story.acts(&[
        "!kill 1 SIGTERM",
        "!kill 0 SIGTERM",
        "!kill 1 SIGKILL",
        "!spawn 0",
        "!reply 1 1:FAILED: app:1 (pid 102) does not end after SIGKILL,0:ok,\
         2:FAILED: the restart of app:2 is not complete: that of another has failed",
    ]);
}

#[test]
fn a_rolling_restart_that_is_cancelled_leaves_nothing_down() {
    let mut story = rolling(|_| (), BatchLimits { size: 2, timeout: None });
    story.exits("0", 0);
    story.told.clear();
    story.input(Input::Cancelled { ticket: Ticket(1) });
    let row = |name| format!("{name}:FAILED: the restart of app:{name} is not complete: it was cancelled");
    story.acts(&["!spawn 0", &format!("!reply 1 {},{},{}", row("0"), row("1"), row("2"))]);
    story.exits("1", 0);
    story.acts(&["!spawn 1"]);
    // Other requests are completed.
    story.stop("app:2", Wait::Yes);
    story.input(Input::Cancelled { ticket: Ticket(2) });
    story.exits("2", 0);
    story.acts(&["!kill 2 SIGTERM", "!reply 2 done"]);
}

#[test]
fn a_rolling_restart_has_a_deadline() {
    let limits = BatchLimits { size: 1, timeout: Some(Duration::from_secs(5)) };
    let mut story = rolling(|it| it.start_secs = 8, limits);
    story.exits("0", 0);
    story.pass(4.9);
    story.told.clear();
    story.pass(0.1);
    let row = |name| format!("{name}:FAILED: the restart of app:{name} is not complete: its time is up");
    story.acts(&[&format!("!reply 1 {},{},{}", row("0"), row("1"), row("2"))]);
    assert_eq!(story.state("0"), ProcessState::Starting);
}

#[test]
fn a_shutdown_ends_a_rolling_restart() {
    let mut story = rolling(|_| (), ONE_BY_ONE);
    story.exits("0", 0);
    story.told.clear();
    story.signal(Signal::TERM);
    story.acts(&["!reply 1 SHUTDOWN_STATE", "!kill 2 SIGTERM", "!kill 1 SIGTERM", "!kill 0 SIGTERM"]);
}

#[test]
fn a_rolling_restart_ends_when_an_update_replaces_what_it_is_restarting() {
    let mut story = rolling(|_| (), ONE_BY_ONE);
    let moved = |name: &str| ProcessSpec { directory: Some("/".into()), ..spec(name) };
    configure(&mut story, vec![group("app", [moved("0"), spec("1"), spec("2")])]);
    update(&mut story, "app");
    story.told.clear();
    story.exits("0", 0);
    story.acts(&[
        "!reply 1 0:ABNORMAL_TERMINATION: app:0,\
         1:FAILED: the restart of app:1 is not complete: that of another has failed,\
         2:FAILED: the restart of app:2 is not complete: that of another has failed",
        "!spawn 0",
        "!reply 3 0:replaced,1:unchanged,2:unchanged",
    ]);
    assert_eq!(story.supervisor.check_operations(), 0);
}
