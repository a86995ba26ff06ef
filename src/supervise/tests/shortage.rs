//! A shortage of the machine is waited out.

use super::*;

#[test]
fn a_shortage_is_waited_out_and_counts_for_no_failed_start() {
    let mut one = spec("one");
    (one.start_retries, one.on_fatal) = (StartRetries::Times(0), OnEnd::Shutdown);
    let mut story = Story::of(vec![alone(1, one), alone(2, spec("two"))]);
    story.is_short = true;
    let mut story = story.begun();
    story.tells(&[
        "!spawn one",
        "!spawn two",
        "WARN spawnerr: too many open files to spawn 'one'; starts are retried until the shortage is over",
    ]);
    // 1, 2, 4, then every 5 seconds, without another line and without an end.
    for wait in [1.0, 2.0, 4.0, 5.0, 5.0] {
        story.pass(wait - 0.001);
        story.tells(&[]);
        story.pass(0.001);
        story.tells(&["!spawn one", "!spawn two"]);
    }
    assert_eq!(story.state("one"), ProcessState::Backoff);
    let turn = Turn { now: story.now, restarts_allowed: true, random: 0 };
    let info = story.supervisor.process(story.id("one")).unwrap().info(&turn);
    assert_eq!(info.description, "too many open files to spawn 'one'");
    // A child may lack what its parent had.
    story.is_short = false;
    story.pass(5.0);
    let process = story.id("two");
    let failure = NotSpawned::for_shortage("couldn't exec 'two': EAGAIN".to_owned());
    story.alive.remove(&process);
    story.input(Input::NotExecuted { process, status: ExitStatus::Exited(127), failure });
    story.tells(&[
        "!spawn one",
        "!spawn two",
        "INFO spawned: 'one' with pid 113",
        "INFO spawned: 'two' with pid 114",
    ]);
    story.pass(6.0);
    story.tells(&[
        "INFO success: one entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)",
        "!spawn two",
        "INFO spawned: 'two' with pid 115",
        "INFO success: two entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)",
        "INFO the shortage is over, 13 starts failed meanwhile",
    ]);
    // What a program fails by itself is counted from nothing.
    story.exits("one", 1);
    story.exits("one", 1);
    assert_eq!(story.state("one"), ProcessState::Fatal);
}

#[test]
fn who_is_stopped_waits_for_no_end_of_a_shortage() {
    let mut story = Story::one(|_| ());
    story.is_short = true;
    let mut story = story.begun();
    story.told.clear();
    story.stop("web", Wait::Yes);
    story.tells(&["INFO the shortage is over, 1 start failed meanwhile", "!reply 1 done"]);
    story.pass(100.0);
    story.tells(&[]);
}
