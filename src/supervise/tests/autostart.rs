//! Many programs start a bounded number at a time, so that nothing else has to wait for all of them.

use super::super::autostart::AUTOSTARTS_PER_TURN;
use super::*;

fn many(count: usize) -> Vec<GroupSpec> {
    (0..count).map(|at| alone(at as i64, spec(&format!("p{at:03}")))).collect()
}

fn spawned(scenario: &Scenario) -> Vec<&str> {
    scenario.log.iter().filter_map(|line| line.strip_prefix("!spawn ")).collect()
}

#[test]
fn all_start_in_order_without_time_passing() {
    let count = 3 * AUTOSTARTS_PER_TURN + 1;
    let mut scenario = Scenario::of(many(count)).begin();
    assert_eq!(spawned(&scenario).len(), AUTOSTARTS_PER_TURN);
    assert_eq!(scenario.supervisor.deadline(), Some(scenario.now.mono), "the rest is due at once");
    scenario.pass(0.0);
    let expected: Vec<_> = (0..count).map(|at| format!("p{at:03}")).collect();
    assert_eq!(spawned(&scenario), expected);
    assert!(!scenario.supervisor.has_pending_starts());
}

#[test]
fn a_request_to_end_stops_the_start_of_the_rest() {
    let mut scenario = Scenario::of(many(2 * AUTOSTARTS_PER_TURN)).begin();
    scenario.signal(Signal::TERM);
    scenario.pass(0.0);
    assert_eq!(spawned(&scenario).len(), AUTOSTARTS_PER_TURN);
    let names: Vec<_> = scenario.alive.values().map(|(_, name)| name.clone()).collect();
    names.iter().for_each(|name| scenario.exit(name, 0));
    assert_eq!(scenario.log.last().unwrap(), "!stopped End");
    assert_eq!(scenario.supervisor.deadline(), None);
}

#[test]
fn it_is_not_idle_while_some_have_not_been_started() {
    let mut groups = many(AUTOSTARTS_PER_TURN + 1);
    let by_hand = |spec: &Arc<ProcessSpec>| Arc::new(ProcessSpec { autostart: false, ..(**spec).clone() });
    for group in &mut groups[..AUTOSTARTS_PER_TURN] {
        group.processes = group.processes.iter().map(by_hand).collect();
    }
    let mut scenario = Scenario::of(groups);
    scenario.supervisor = scenario.supervisor.under(IDLE_ENDS());
    let mut scenario = scenario.begin();
    scenario.expect_log(&[]);
    scenario.pass(0.0);
    assert_eq!(spawned(&scenario).len(), 1);
}
