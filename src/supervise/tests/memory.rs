//! Programs with a `memory_limit`.

use super::*;

const MB: u64 = 1 << 20;

/// A program that runs at once and may use 300 MB.
fn limited(change: impl FnOnce(&mut ProcessSpec, &mut MemoryLimitSpec)) -> Scenario {
    let mut spec = ProcessSpec { start_secs: 0, autorestart: AutoRestart::Always, ..spec("web") };
    let mut limit = MemoryLimitSpec::new(300 * MB);
    change(&mut spec, &mut limit);
    let spec = spec.with_lifecycle(|it| it.memory_limit = Some(Box::new(limit)));
    let mut scenario = Scenario::of(vec![alone(999, spec)]).begin();
    scenario.log.clear();
    scenario
}

fn use_memory(scenario: &mut Scenario, megabytes: u64) {
    scenario.memory_bytes = Some(megabytes * MB);
    // Measurements begin at steps of a few milliseconds.
    scenario.pass(10.02);
}

#[test]
fn three_measurements_in_a_row_above_the_limit_restart_a_program() {
    let mut scenario = limited(|_, _| ());
    use_memory(&mut scenario, 300);
    scenario.expect_log(&[]);
    use_memory(&mut scenario, 400);
    use_memory(&mut scenario, 401);
    use_memory(&mut scenario, 299);
    scenario.expect_log(&[
        "INFO web: 400 MB of memory in use, memory_limit is 300 MB (1 of 3 measurements)",
        "INFO web: 401 MB of memory in use, memory_limit is 300 MB (2 of 3 measurements)",
    ]);
    for _ in 0..3 {
        use_memory(&mut scenario, 500);
    }
    scenario.expect_log(&[
        "INFO web: 500 MB of memory in use, memory_limit is 300 MB (1 of 3 measurements)",
        "INFO web: 500 MB of memory in use, memory_limit is 300 MB (2 of 3 measurements)",
        "WARN web: 500 MB of memory in use, memory_limit is 300 MB; restarting it",
        "!kill web SIGTERM",
    ]);
    scenario.exit("web", 0);
    scenario.pass(1.0);
    assert_eq!(scenario.state("web"), ProcessState::Running, "{:?}", scenario.log);
    scenario.log.clear();
    // The next run is counted from zero.
    use_memory(&mut scenario, 500);
    scenario.expect_log(&["INFO web: 500 MB of memory in use, memory_limit is 300 MB (1 of 3 measurements)"]);
}

#[test]
fn a_program_that_is_not_restarted_is_fatal_with_the_reason() {
    let mut scenario = limited(|web, _| web.autorestart = AutoRestart::Never);
    for _ in 0..3 {
        use_memory(&mut scenario, 500);
    }
    scenario.exit("web", 0);
    assert_eq!(scenario.state("web"), ProcessState::Fatal);
    let turn = Turn { now: scenario.now, restarts_allowed: true, random: 0 };
    let info = scenario.supervisor.process(scenario.id("web")).unwrap().info(&turn);
    assert_eq!(info.description, "500 MB of memory in use, memory_limit is 300 MB");
}

#[test]
fn the_supervisor_may_end_instead() {
    let mut scenario = limited(|_, limit| limit.on_limit = OnUnhealthy::Shutdown);
    for _ in 0..3 {
        use_memory(&mut scenario, 500);
    }
    assert!(scenario.log.contains(&"!kill web SIGTERM".to_owned()), "{:?}", scenario.log);
    assert_eq!(scenario.supervisor.state(), SupervisorState::Shutdown);
    let reason = "web failed: 500 MB of memory in use, memory_limit is 300 MB";
    assert!(scenario.log.iter().any(|line| line.contains(reason)), "{:?}", scenario.log);
}

#[test]
fn what_cannot_be_measured_is_not_above() {
    let mut scenario = limited(|_, _| ());
    use_memory(&mut scenario, 500);
    use_memory(&mut scenario, 500);
    scenario.memory_bytes = None;
    scenario.pass(10.02);
    use_memory(&mut scenario, 500);
    assert!(scenario.log.last().unwrap().ends_with("(1 of 3 measurements)"), "{:?}", scenario.log);
}

#[test]
fn an_update_changes_or_ends_the_measurements() {
    let mut scenario = limited(|_, _| ());
    use_memory(&mut scenario, 500);
    use_memory(&mut scenario, 500);
    let running = scenario.supervisor.spec(scenario.id("web")).unwrap().clone();
    let with = |limit: Option<u64>| {
        let limit = limit.map(|megabytes| Box::new(MemoryLimitSpec::new(megabytes * MB)));
        ProcessSpec::clone(&running).with_lifecycle(|it| it.memory_limit = limit)
    };
    configure(&mut scenario, vec![alone(999, with(Some(600)))]);
    update(&mut scenario, "web");
    scenario.log.clear();
    use_memory(&mut scenario, 500);
    scenario.expect_log(&[]);
    configure(&mut scenario, vec![alone(999, with(None))]);
    update(&mut scenario, "web");
    assert_eq!(scenario.supervisor.deadline(), None);
}

#[test]
fn a_measurement_of_an_earlier_run_does_not_count() {
    let mut scenario = limited(|_, _| ());
    let process = scenario.id("web");
    for _ in 0..3 {
        scenario.input(Input::MemoryMeasured { process, pid: Pid(7), bytes: Some(500 * MB) });
    }
    scenario.expect_log(&[]);
}

#[test]
fn small_amounts_are_shown_in_smaller_units() {
    let mut scenario = limited(|_, limit| limit.bytes = 1_000_000);
    scenario.memory_bytes = Some(1_020_000);
    scenario.pass(10.02);
    scenario.expect_log(&["INFO web: 996 KB of memory in use, memory_limit is 976 KB (1 of 3 measurements)"]);
}
