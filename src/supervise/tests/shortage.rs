//! Starts are retried while the machine is short of resources.

use super::*;

#[test]
fn a_shortage_is_retried_and_does_not_count_as_a_failed_start() {
    let mut one = spec("one");
    (one.start_retries, one.on_fatal) = (StartRetries::Times(0), OnEnd::Shutdown);
    let mut scenario = Scenario::of(vec![alone(1, one), alone(2, spec("two"))]);
    scenario.is_short = true;
    let mut scenario = scenario.begin();
    scenario.expect_log(&[
        "!spawn one",
        "!spawn two",
        "WARN spawnerr: too many open files to spawn 'one'; starts are retried until the shortage is over",
    ]);
    // 1, 2, 4, then every 5 seconds, indefinitely and without another log line.
    for wait in [1.0, 2.0, 4.0, 5.0, 5.0] {
        scenario.pass(wait - 0.001);
        scenario.expect_log(&[]);
        scenario.pass(0.001);
        scenario.expect_log(&["!spawn one", "!spawn two"]);
    }
    assert_eq!(scenario.state("one"), ProcessState::Backoff);
    let turn = Turn { now: scenario.now, restarts_allowed: true, random: 0 };
    let info = scenario.supervisor.process(scenario.id("one")).unwrap().info(&turn);
    assert_eq!(info.description, "too many open files to spawn 'one'");
    // A child may fail for lack of a resource although its parent did not.
    scenario.is_short = false;
    scenario.pass(5.0);
    let process = scenario.id("two");
    let failure = NotSpawned::for_shortage("couldn't exec 'two': EAGAIN".to_owned());
    scenario.alive.remove(&process);
    scenario.input(Input::NotExecuted { process, status: ExitStatus::Exited(127), failure });
    scenario.expect_log(&[
        "!spawn one",
        "!spawn two",
        "INFO spawned: 'one' with pid 113",
        "INFO spawned: 'two' with pid 114",
    ]);
    scenario.pass(6.0);
    scenario.expect_log(&[
        "INFO success: one entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)",
        "!spawn two",
        "INFO spawned: 'two' with pid 115",
        "INFO success: two entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)",
        "INFO the shortage is over, 13 starts failed meanwhile",
    ]);
    // The program's own failures are counted from zero.
    scenario.exit("one", 1);
    scenario.exit("one", 1);
    assert_eq!(scenario.state("one"), ProcessState::Fatal);
}

#[test]
fn a_stopped_process_does_not_wait_for_the_end_of_a_shortage() {
    let mut scenario = Scenario::one(|_| ());
    scenario.is_short = true;
    let mut scenario = scenario.begin();
    scenario.log.clear();
    scenario.stop("web", Wait::Yes);
    scenario.expect_log(&["INFO the shortage is over, 1 start failed meanwhile", "!reply 1 done"]);
    scenario.pass(100.0);
    scenario.expect_log(&[]);
}

#[test]
fn a_limit_that_could_not_be_applied_is_a_failed_start() {
    let mut scenario = Scenario::one(|spec| spec.start_retries = StartRetries::Times(1)).begin();
    let process = scenario.id("web");
    let fail = |scenario: &mut Scenario| {
        let failure = NotSpawned::from("cannot apply nice: Permission denied".to_owned());
        scenario.alive.remove(&process);
        scenario.input(Input::NotExecuted { process, status: ExitStatus::Exited(127), failure });
    };
    scenario.log.clear();
    fail(&mut scenario);
    scenario.expect_log(&["INFO spawnerr: cannot apply nice: Permission denied"]);
    assert_eq!(scenario.state("web"), ProcessState::Backoff);
    scenario.pass(1.0);
    scenario.log.clear();
    fail(&mut scenario);
    scenario.expect_log(&[
        "INFO spawnerr: cannot apply nice: Permission denied",
        "INFO gave up: web entered FATAL state, too many start retries too quickly",
    ]);
    let turn = Turn { now: scenario.now, restarts_allowed: true, random: 0 };
    let info = scenario.supervisor.process(process).unwrap().info(&turn);
    assert_eq!(info.description, "cannot apply nice: Permission denied");
}
