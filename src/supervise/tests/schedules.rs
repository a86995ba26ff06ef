//! Scheduled runs: when they start, overlap, are paused, missed and changed.

use super::*;

/// What the configuration makes of a program with a schedule.
pub(super) fn job(when: &str, change: impl FnOnce(&mut ScheduleSpec)) -> ProcessSpec {
    let mut schedule = ScheduleSpec::new(Schedule::parse(when).unwrap(), when.to_owned());
    change(&mut schedule);
    ProcessSpec {
        start_secs: 0,
        autorestart: AutoRestart::Never,
        schedule: Some(Box::new(schedule)),
        ..spec("job")
    }
}

fn story(when: &str, change: impl FnOnce(&mut ScheduleSpec)) -> Story {
    let mut story = Story::of(vec![alone(999, job(when, change))]);
    story.at(Mono::default());
    story.begun()
}

impl Story {
    fn runs(&mut self) -> usize {
        let told = std::mem::take(&mut self.told);
        told.iter().filter(|line| *line == "!spawn job").count()
    }
}

#[test]
fn a_job_runs_when_it_is_due_and_not_at_the_start() {
    let mut story = story("*/15 * * * *", |_| ());
    story.tells(&[]);
    assert_eq!(story.state("job"), ProcessState::Stopped);
    assert_eq!(story.description("job"), "next run Nov 20 04:15 PM");
    story.pass(899.9);
    story.tells(&[]);
    story.pass(0.1);
    assert_eq!(story.told[..2], ["INFO job: scheduled run", "!spawn job"]);
    story.exits("job", 0);
    assert_eq!(story.state("job"), ProcessState::Exited);
    assert_eq!(story.description("job"), "Nov 20 04:15 PM, next run Nov 20 04:30 PM");
    story.told.clear();
    story.pass(899.0);
    story.tells(&[]);
    story.pass(1.0);
    assert_eq!(story.runs(), 1);
}

#[test]
fn a_run_that_fails_is_tried_again_with_the_next() {
    let mut story = story("@every 60s", |_| ());
    story.pass(60.0);
    story.exits("job", 3);
    assert_eq!((story.runs(), story.state("job")), (1, ProcessState::Exited));
    story.spawn_errors.extend(["no"; 4]);
    story.pass(70.0);
    assert_eq!((story.runs(), story.state("job")), (4, ProcessState::Fatal));
    assert_eq!(story.description("job"), "no, next run Nov 20 04:03 PM");
    story.pass(60.0);
    assert_eq!((story.runs(), story.state("job")), (1, ProcessState::Running));
}

#[test]
fn a_run_that_is_due_while_the_last_is_not_over_is_skipped_queued_or_replaces_it() {
    let mut skips = story("@every 60s", |_| ());
    skips.pass(150.0);
    skips.exits("job", 0);
    skips.pass(1.0);
    assert_eq!(skips.runs(), 1);

    let mut queues = story("@every 60s", |it| it.overlap = Overlap::Queue);
    queues.pass(190.0);
    assert_eq!(queues.runs(), 1);
    queues.exits("job", 0);
    queues.pass(0.0);
    assert_eq!(queues.runs(), 1, "of several runs one is queued");
    queues.exits("job", 0);
    queues.pass(1.0);
    assert_eq!(queues.runs(), 0);

    let mut replaces = story("@every 60s", |it| it.overlap = Overlap::Restart);
    replaces.pass(120.0);
    assert!(replaces.told.contains(&"!kill job SIGTERM".to_owned()));
    replaces.ends("job", KILLED);
    assert_eq!((replaces.runs(), replaces.state("job")), (2, ProcessState::Running));
}

#[test]
fn start_runs_it_now_and_stop_pauses_it_until_then() {
    let mut story = story("@every 60s", |_| ());
    story.start("job", Wait::Yes);
    story.exits("job", 0);
    story.pass(60.0);
    story.exits("job", 0);
    assert_eq!(story.runs(), 2);
    story.stop("job", Wait::Yes);
    story.tells(&["INFO job: schedule paused", "!reply 2 done"]);
    assert_eq!(story.description("job"), "Nov 20 04:01 PM, schedule paused");
    assert_eq!(story.supervisor.deadline(), None);
    story.pass(3600.0);
    story.start("job", Wait::No);
    story.exits("job", 0);
    assert_eq!(story.runs(), 1);
    story.pass(60.0);
    assert_eq!(story.runs(), 1);
    story.stop("job", Wait::No);
    story.ends("job", KILLED);
    story.pass(600.0);
    assert_eq!(story.runs(), 0, "a stop of a run pauses it, too");
}

#[test]
fn a_clock_that_is_set_neither_repeats_runs_nor_loses_them() {
    let mut story = story("*/15 * * * *", |_| ());
    story.clock_step_ms = 10 * 86_400_000;
    story.pass(61.0);
    assert_eq!(story.told.pop().unwrap(), "WARN job: a scheduled run was missed, and is not made up");
    story.pass(900.0);
    story.exits("job", 0);
    assert_eq!(story.runs(), 1);
    story.clock_step_ms = 0;
    story.pass(61.0);
    story.tells(&["INFO job: the clock was set back"]);
    story.pass(900.0);
    story.exits("job", 0);
    assert_eq!(story.runs(), 1);
    // A correction by a second, just after a run, repeats nothing.
    story.pass(900.0);
    story.exits("job", 0);
    story.clock_step_ms = -1_000;
    story.pass(5.0);
    assert_eq!(story.runs(), 1);
}

#[test]
fn missed_runs_are_made_up_by_one_if_asked_for() {
    let mut story = story("*/15 * * * *", |it| it.catch_up = true);
    story.clock_step_ms = 10 * 86_400_000;
    story.pass(61.0);
    assert_eq!(story.runs(), 1);
}

#[test]
fn jitter_delays_each_run_by_less_than_it() {
    let mut story = story("*/15 * * * *", |it| it.jitter = Duration::from_secs(300));
    story.pass(899.0);
    for _ in 0..20 {
        story.pass(301.5);
        story.exits("job", 0);
        assert_eq!(story.runs(), 1);
        story.pass(598.5);
        assert_eq!(story.runs(), 0);
    }
}

#[test]
fn an_update_in_place_plans_anew_and_leaves_a_pause_alone() {
    let mut story = story("*/15 * * * *", |_| ());
    let changed = |story: &mut Story, when: &str| {
        story.next_groups = vec![alone(999, job(when, |_| ()))];
        story.ask(Command::ReloadConfig);
        story.ask(Command::UpdateProcessGroup("job".to_owned()));
    };
    changed(&mut story, "@every 60s");
    assert_eq!(story.description("job"), "next run Nov 20 04:01 PM");
    story.stop("job", Wait::No);
    changed(&mut story, "@daily");
    assert_eq!((story.description("job"), story.supervisor.deadline()), ("schedule paused".to_owned(), None));
}

#[test]
fn a_shutdown_starts_no_run() {
    let mut story = story("@every 60s", |_| ());
    story.pass(60.0);
    story.signal(Signal::TERM);
    story.told.clear();
    story.pass(60.0);
    assert_eq!(story.runs(), 0);
}

#[test]
fn a_lost_binding_ends_the_run_and_not_the_schedule() {
    let bound = Dependency {
        name: "db".to_owned(),
        condition: None,
        is_optional: false,
        place: WrittenAt::default(),
    };
    let job = ProcessSpec { restart_with: vec![bound], ..job("@every 60s", |_| ()) };
    let db = ProcessSpec { start_secs: 0, autorestart: AutoRestart::Never, ..spec("db") };
    let mut story = Story::of(vec![alone(1, db), alone(2, job)]);
    story.at(Mono::default());
    let mut story = story.begun();
    story.pass(60.0);
    assert_eq!(story.state("job"), ProcessState::Running);
    story.told.clear();
    story.exits("db", 0);
    assert_eq!(story.state("job"), ProcessState::Stopping);
    assert!(!story.told.contains(&"INFO job: schedule paused".to_owned()), "{:?}", story.told);
    story.exits("job", 0);
    story.start("db", Wait::No);
    story.exits("job", 0);
    assert_eq!(story.description("job"), "Nov 20 04:01 PM, next run Nov 20 04:02 PM");
}
