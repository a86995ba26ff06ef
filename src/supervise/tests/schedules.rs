//! Scheduled runs: when they start, overlap, are paused, missed and changed.

use super::dependencies::dependency;
use super::*;

/// A program with a schedule, as the configuration specifies it.
pub(super) fn job(when: &str, change: impl FnOnce(&mut ScheduleSpec)) -> ProcessSpec {
    let mut schedule = ScheduleSpec::new(Schedule::parse(when).unwrap(), when.to_owned());
    change(&mut schedule);
    ProcessSpec { start_secs: 0, autorestart: AutoRestart::Never, ..spec("job") }
        .with_lifecycle(|it| it.schedule = Some(Box::new(schedule)))
}

fn scenario(when: &str, change: impl FnOnce(&mut ScheduleSpec)) -> Scenario {
    let mut scenario = Scenario::of(vec![alone(999, job(when, change))]);
    scenario.at(Mono::default());
    scenario.begin()
}

impl Scenario {
    fn take_runs(&mut self) -> usize {
        let lines = std::mem::take(&mut self.log);
        lines.iter().filter(|line| *line == "!spawn job").count()
    }
}

#[test]
fn a_job_runs_when_it_is_due_and_not_at_the_start() {
    let mut scenario = scenario("*/15 * * * *", |_| ());
    scenario.expect_log(&[]);
    assert_eq!(scenario.state("job"), ProcessState::Stopped);
    assert_eq!(scenario.description("job"), "next run Nov 20 04:15 PM");
    scenario.pass(899.9);
    scenario.expect_log(&[]);
    scenario.pass(0.1);
    assert_eq!(scenario.log[..2], ["INFO job: scheduled run", "!spawn job"]);
    scenario.exit("job", 0);
    assert_eq!(scenario.state("job"), ProcessState::Exited);
    assert_eq!(scenario.description("job"), "Nov 20 04:15 PM, next run Nov 20 04:30 PM");
    scenario.log.clear();
    scenario.pass(899.0);
    scenario.expect_log(&[]);
    scenario.pass(1.0);
    assert_eq!(scenario.take_runs(), 1);
}

#[test]
fn a_failed_run_is_followed_by_the_next_scheduled_one() {
    let mut scenario = scenario("@every 60s", |_| ());
    scenario.pass(60.0);
    scenario.exit("job", 3);
    assert_eq!((scenario.take_runs(), scenario.state("job")), (1, ProcessState::Exited));
    scenario.spawn_errors.extend(["no"; 4]);
    scenario.pass(70.0);
    assert_eq!((scenario.take_runs(), scenario.state("job")), (4, ProcessState::Fatal));
    assert_eq!(scenario.description("job"), "no, next run Nov 20 04:03 PM");
    scenario.pass(60.0);
    assert_eq!((scenario.take_runs(), scenario.state("job")), (1, ProcessState::Running));
}

#[test]
fn an_overlapping_run_is_skipped_or_queued_or_replaces_the_current_one() {
    let mut skips = scenario("@every 60s", |_| ());
    skips.pass(150.0);
    skips.exit("job", 0);
    skips.pass(1.0);
    assert_eq!(skips.take_runs(), 1);

    let mut queues = scenario("@every 60s", |it| it.overlap = Overlap::Queue);
    queues.pass(190.0);
    assert_eq!(queues.take_runs(), 1);
    queues.exit("job", 0);
    queues.pass(0.0);
    assert_eq!(queues.take_runs(), 1, "of several runs one is queued");
    queues.exit("job", 0);
    queues.pass(1.0);
    assert_eq!(queues.take_runs(), 0);

    let mut replaces = scenario("@every 60s", |it| it.overlap = Overlap::Restart);
    replaces.pass(120.0);
    assert!(replaces.log.contains(&"!kill job SIGTERM".to_owned()));
    replaces.end("job", KILLED);
    assert_eq!((replaces.take_runs(), replaces.state("job")), (2, ProcessState::Running));
}

#[test]
fn start_runs_a_job_now_and_stop_pauses_its_schedule() {
    let mut scenario = scenario("@every 60s", |_| ());
    scenario.start("job", Wait::Yes);
    scenario.exit("job", 0);
    scenario.pass(60.0);
    scenario.exit("job", 0);
    assert_eq!(scenario.take_runs(), 2);
    scenario.stop("job", Wait::Yes);
    scenario.expect_log(&["INFO job: schedule paused", "!reply 2 done"]);
    assert_eq!(scenario.description("job"), "Nov 20 04:01 PM, schedule paused");
    assert_eq!(scenario.supervisor.deadline(), None);
    scenario.pass(3600.0);
    scenario.start("job", Wait::No);
    scenario.exit("job", 0);
    assert_eq!(scenario.take_runs(), 1);
    scenario.pass(60.0);
    assert_eq!(scenario.take_runs(), 1);
    scenario.stop("job", Wait::No);
    scenario.end("job", KILLED);
    scenario.pass(600.0);
    assert_eq!(scenario.take_runs(), 0, "a stop of a run pauses it, too");
}

#[test]
fn setting_the_clock_neither_repeats_nor_loses_runs() {
    let mut scenario = scenario("*/15 * * * *", |_| ());
    scenario.clock_step_ms = 10 * 86_400_000;
    scenario.pass(61.0);
    assert_eq!(scenario.log.pop().unwrap(), "WARN job: a scheduled run was missed, and is not made up");
    scenario.pass(900.0);
    scenario.exit("job", 0);
    assert_eq!(scenario.take_runs(), 1);
    scenario.clock_step_ms = 0;
    scenario.pass(61.0);
    scenario.expect_log(&["INFO job: the clock was set back"]);
    scenario.pass(900.0);
    scenario.exit("job", 0);
    assert_eq!(scenario.take_runs(), 1);
    // Setting the clock back by a second just after a run does not repeat it.
    scenario.pass(900.0);
    scenario.exit("job", 0);
    scenario.clock_step_ms = -1_000;
    scenario.pass(5.0);
    assert_eq!(scenario.take_runs(), 1);
}

#[test]
fn schedule_catch_up_makes_up_one_run() {
    let mut scenario = scenario("*/15 * * * *", |it| it.catch_up = true);
    scenario.clock_step_ms = 10 * 86_400_000;
    scenario.pass(61.0);
    assert_eq!(scenario.take_runs(), 1);
}

#[test]
fn each_run_is_delayed_by_less_than_the_jitter() {
    let mut scenario = scenario("*/15 * * * *", |it| it.jitter = Duration::from_secs(300));
    scenario.pass(899.0);
    for _ in 0..20 {
        scenario.pass(301.5);
        scenario.exit("job", 0);
        assert_eq!(scenario.take_runs(), 1);
        scenario.pass(598.5);
        assert_eq!(scenario.take_runs(), 0);
    }
}

#[test]
fn an_update_in_place_reschedules_and_keeps_a_pause() {
    let mut scenario = scenario("*/15 * * * *", |_| ());
    let changed = |scenario: &mut Scenario, when: &str| {
        scenario.next_groups = vec![alone(999, job(when, |_| ()))];
        scenario.ask(Command::ReloadConfig);
        scenario.ask(Command::UpdateProcessGroup("job".to_owned()));
    };
    changed(&mut scenario, "@every 60s");
    assert_eq!(scenario.description("job"), "next run Nov 20 04:01 PM");
    scenario.stop("job", Wait::No);
    changed(&mut scenario, "@daily");
    assert_eq!(
        (scenario.description("job"), scenario.supervisor.deadline()),
        ("schedule paused".to_owned(), None)
    );
}

#[test]
fn a_shutdown_starts_no_run() {
    let mut scenario = scenario("@every 60s", |_| ());
    scenario.pass(60.0);
    scenario.signal(Signal::TERM);
    scenario.log.clear();
    scenario.pass(60.0);
    assert_eq!(scenario.take_runs(), 0);
}

#[test]
fn a_lost_binding_ends_the_run_and_not_the_schedule() {
    let bound = dependency("db");
    let job = job("@every 60s", |_| ()).with_lifecycle(|it| it.restart_with = vec![bound]);
    let db = ProcessSpec { start_secs: 0, autorestart: AutoRestart::Never, ..spec("db") };
    let mut scenario = Scenario::of(vec![alone(1, db), alone(2, job)]);
    scenario.at(Mono::default());
    let mut scenario = scenario.begin();
    scenario.pass(60.0);
    assert_eq!(scenario.state("job"), ProcessState::Running);
    scenario.log.clear();
    scenario.exit("db", 0);
    assert_eq!(scenario.state("job"), ProcessState::Stopping);
    assert!(!scenario.log.contains(&"INFO job: schedule paused".to_owned()), "{:?}", scenario.log);
    scenario.exit("job", 0);
    scenario.start("db", Wait::No);
    scenario.exit("job", 0);
    assert_eq!(scenario.description("job"), "Nov 20 04:01 PM, next run Nov 20 04:02 PM");
}
