//! An update of several groups is one request.

use super::configuration::with_socket;
use super::*;

impl Scenario {
    /// Asserts the effects, without log lines, since the last call.
    #[track_caller]
    pub(super) fn expect_effects(&mut self, expected: &[&str]) {
        self.log.retain(|line| line.starts_with('!'));
        self.expect_log(expected);
    }
}

/// `old` and `web` run; `old` is no longer configured, `web` has changed, and `new` has been added.
fn changed() -> Scenario {
    let mut scenario = Scenario::of(vec![alone(1, spec("old")), alone(2, spec("web"))]).running();
    let moved = ProcessSpec { directory: Some("/".into()), ..spec("web") };
    scenario.next_groups = vec![alone(2, moved), alone(3, with_socket("/s", spec("new")))];
    scenario
}

#[test]
fn an_update_changes_one_group_after_the_other() {
    let mut scenario = changed();
    scenario.ask(Command::Update(None));
    scenario.expect_effects(&["!kill old SIGTERM"]);
    scenario.exit("old", 0);
    scenario.expect_effects(&["!kill web SIGTERM"]);
    scenario.exit("web", 0);
    scenario.expect_effects(&[
        "!spawn web",
        "!try unix:///s",
        "!spawn new",
        "!reply 1 old:*:removed,web:replaced,new:*:added",
    ]);
    assert_eq!(scenario.supervisor.check_operations(), 0);
    scenario.ask(Command::Update(None));
    scenario.expect_effects(&["!reply 2 "]);
}

#[test]
fn a_group_that_can_not_be_changed_does_not_keep_the_others_from_it() {
    let mut scenario = changed();
    scenario.socket_error = Some("no such luck");
    scenario.ask(Command::Update(None));
    // It survives SIGKILL.
    scenario.pass(20.5);
    scenario.expect_effects(&["!kill old SIGTERM", "!kill old SIGKILL", "!kill web SIGTERM"]);
    scenario.exit("web", 0);
    scenario.expect_effects(&[
        "!spawn web",
        "!try unix:///s",
        "!reply 1 old:*:STILL_RUNNING: old,web:replaced,new:*:FAILED: no such luck",
    ]);
}

#[test]
fn an_update_of_one_group_leaves_the_others_alone() {
    let mut scenario = changed();
    scenario.ask(Command::Update(Some("new".to_owned())));
    scenario.expect_effects(&["!try unix:///s", "!spawn new", "!reply 1 new:*:added"]);
    scenario.ask(Command::Update(Some("new".to_owned())));
    scenario.expect_effects(&["!reply 2 new:unchanged"]);
    scenario.ask(Command::Update(Some("nope".to_owned())));
    scenario.expect_effects(&["!reply 3 BAD_NAME: nope"]);
    scenario.broken_settings = Some("bad");
    scenario.ask(Command::Update(None));
    scenario.expect_effects(&["!reply 4 CANT_REREAD: bad"]);
    assert_eq!(
        (scenario.state("old"), scenario.state("web")),
        (ProcessState::Running, ProcessState::Running)
    );
}

#[test]
fn the_group_under_way_is_not_updated_twice() {
    let mut scenario = changed();
    scenario.next_groups.truncate(1);
    scenario.ask(Command::Update(None));
    scenario.exit("old", 0);
    scenario.log.clear();
    update(&mut scenario, "web");
    scenario.expect_effects(&["!reply 2 FAILED: an update of web is under way"]);
    // Its client may go.
    scenario.input(Input::Cancelled { ticket: Ticket(1) });
    scenario.exit("web", 0);
    scenario.expect_effects(&["!spawn web", "!reply 1 old:*:removed,web:replaced"]);
}

#[test]
fn a_shutdown_ends_an_update() {
    let mut scenario = changed();
    scenario.ask(Command::Update(None));
    scenario.log.clear();
    scenario.signal(Signal::TERM);
    scenario.expect_effects(&["!reply 1 SHUTDOWN_STATE", "!kill web SIGTERM"]);
}

#[test]
fn any_number_of_groups_may_be_gone_at_once() {
    const GROUPS: usize = 5_000;
    let groups = (0..GROUPS).map(|at| alone(1, spec(&format!("p{at}"))));
    let mut scenario = Scenario::of(groups.collect());
    scenario.spawn_errors.extend(std::iter::repeat_n("no", GROUPS));
    let mut scenario = scenario.begin();
    while scenario.supervisor.has_pending_starts() {
        scenario.input(Input::TimePassed);
    }
    assert_eq!(scenario.state("p4999"), ProcessState::Backoff);
    scenario.log.clear();
    scenario.ask(Command::Update(None));
    let reply = scenario.log.last().unwrap();
    assert_eq!(reply.matches(":removed").count(), GROUPS, "{reply:.200}");
}
