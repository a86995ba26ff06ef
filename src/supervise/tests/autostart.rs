//! Many programs start a bounded number at a time, so that nothing else has to wait for all of them.

use super::super::autostart::AUTOSTARTS_PER_TURN;
use super::*;

fn many(count: usize) -> Vec<GroupSpec> {
    (0..count).map(|at| alone(at as i64, spec(&format!("p{at:03}")))).collect()
}

fn spawned(story: &Story) -> Vec<&str> {
    story.told.iter().filter_map(|line| line.strip_prefix("!spawn ")).collect()
}

#[test]
fn all_start_in_order_without_time_passing() {
    let count = 3 * AUTOSTARTS_PER_TURN + 1;
    let mut story = Story::of(many(count)).begun();
    assert_eq!(spawned(&story).len(), AUTOSTARTS_PER_TURN);
    assert_eq!(story.supervisor.deadline(), Some(story.now.mono), "the rest is due at once");
    story.pass(0.0);
    let expected: Vec<_> = (0..count).map(|at| format!("p{at:03}")).collect();
    assert_eq!(spawned(&story), expected);
    assert!(!story.supervisor.has_pending_starts());
}

#[test]
fn a_request_to_end_stops_the_start_of_the_rest() {
    let mut story = Story::of(many(2 * AUTOSTARTS_PER_TURN)).begun();
    story.signal(Signal::TERM);
    story.pass(0.0);
    assert_eq!(spawned(&story).len(), AUTOSTARTS_PER_TURN);
    let names: Vec<_> = story.alive.values().map(|(_, name)| name.clone()).collect();
    names.iter().for_each(|name| story.exits(name, 0));
    assert_eq!(story.told.last().unwrap(), "!stopped End");
    assert_eq!(story.supervisor.deadline(), None);
}

#[test]
fn it_is_not_idle_while_some_have_not_been_started() {
    let mut groups = many(AUTOSTARTS_PER_TURN + 1);
    let by_hand = |spec: &Arc<ProcessSpec>| Arc::new(ProcessSpec { autostart: false, ..(**spec).clone() });
    for group in &mut groups[..AUTOSTARTS_PER_TURN] {
        group.processes = group.processes.iter().map(by_hand).collect();
    }
    let mut story = Story::of(groups);
    story.supervisor = story.supervisor.under(IDLE_ENDS());
    let mut story = story.begun();
    story.tells(&[]);
    story.pass(0.0);
    assert_eq!(spawned(&story).len(), 1);
}
