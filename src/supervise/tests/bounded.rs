//! Nothing that a process or its descendants do keeps a stop, an update, a restart or a shutdown from
//! finishing: groups that outlive their leaders, processes that SIGKILL does not end, requests that come twice.

use super::*;

const MEMBER: fn() -> Members = || Members::Some(vec![Pid(4000)]);

impl Story {
    pub(super) fn orphan_ends(&mut self) {
        self.input(Input::OrphanEnded { pid: Pid(4000), status: ExitStatus::Exited(0) });
        self.finish_turn();
    }
}

#[test]
fn a_group_is_stopped_when_the_last_of_it_is_gone() {
    let mut story = Story::one(|web| (web.stop_as_group, web.kill_as_group) = (true, true)).running();
    story.members = MEMBER();
    story.stop("web", Wait::Yes);
    story.exits("web", 0);
    assert_eq!(story.state("web"), ProcessState::Stopped);
    story.orphan_ends();
    story.tells(&[
        "!kill web SIGTERM group",
        "INFO waiting for web to stop",
        "INFO stopped: web (exit status 0)",
        "INFO reaped unknown pid 4000 (exit status 0)",
    ]);
    story.members = Members::None;
    story.orphan_ends();
    story.tells(&["INFO reaped unknown pid 4000 (exit status 0)", "!reply 1 done"]);
    assert_eq!(story.supervisor.deadline(), None);
}

#[test]
fn what_is_left_of_a_group_is_killed_when_its_time_is_over() {
    let mut story = Story::one(|web| (web.kill_as_group, web.stop_wait_secs) = (true, 5)).running();
    story.members = MEMBER();
    story.signal(Signal::TERM);
    story.pass(1.0);
    story.exits("web", 0);
    story.told.clear();
    story.pass(3.9);
    story.tells(&["INFO waiting for web to die"]);
    story.pass(0.2);
    story.tells(&[
        "WARN killing what is left of the group of 'web' with SIGKILL",
        "!kill web SIGKILL members of 101",
    ]);
    story.members = Members::None;
    story.orphan_ends();
    assert_eq!(story.told.last().unwrap(), "!stopped End");
}

#[test]
fn what_a_dead_leader_has_left_is_stopped_with_all_else() {
    let mut story = Story::one(|web| web.kill_as_group = true).running();
    story.members = MEMBER();
    story.exits("web", 0);
    assert_eq!((story.state("web"), story.supervisor.deadline()), (ProcessState::Exited, None));
    story.told.clear();
    story.signal(Signal::TERM);
    story.tells(&[
        "WARN received SIGTERM indicating exit request",
        "!kill web SIGTERM members of 101",
        "INFO waiting for web to die",
    ]);
    story.members = Members::None;
    story.orphan_ends();
    assert_eq!(story.told.last().unwrap(), "!stopped End");
}

#[test]
fn a_new_start_forgets_what_a_dead_leader_has_left() {
    let mut story = Story::one(|web| web.kill_as_group = true).running();
    story.members = MEMBER();
    story.exits("web", 0);
    story.start("web", Wait::No);
    story.pass(2.0);
    story.told.clear();
    story.members = Members::None;
    story.signal(Signal::TERM);
    story.exits("web", 0);
    assert_eq!(story.told.last().unwrap(), "!stopped End");
}

#[test]
fn members_that_sigkill_does_not_end_are_given_up() {
    let mut story = Story::one(|web| (web.stop_as_group, web.kill_as_group) = (true, true)).running();
    story.members = Members::Some((201..=212).map(Pid).collect());
    story.stop("web", Wait::Yes);
    story.exits("web", 0);
    story.pass(10.0);
    story.told.clear();
    story.pass(9.9);
    story.tells(&[]);
    story.pass(0.2);
    story.tells(&[
        "WARN giving up what is left of the group of 'web' after SIGKILL: \
         pids 201, 202, 203, 204, 205, 206, 207, 208, 209, 210 and 2 more",
        "!reply 1 done",
    ]);
    assert_eq!(story.supervisor.deadline(), None);
    assert!(story.looks < 40, "{}", story.looks);
}

#[test]
fn without_proc_a_time_out_gives_up_what_may_be_zombies() {
    let mut story = Story::one(|web| (web.stop_as_group, web.kill_as_group) = (true, true)).running();
    story.members = Members::Unknown;
    story.stop("web", Wait::Yes);
    story.exits("web", 0);
    story.pass(30.0);
    let given_up = "WARN giving up what is left of the group of 'web' after SIGKILL: pids unknown";
    assert_eq!(story.told[story.told.len() - 2..], [given_up, "!reply 1 done"]);
}

#[test]
fn a_second_request_gives_up_what_is_left_of_a_group() {
    let mut story = Story::one(|web| (web.kill_as_group, web.stop_wait_secs) = (true, 3600)).running();
    story.members = Members::Some(vec![Pid(4000)]);
    story.signal(Signal::TERM);
    story.exits("web", 0);
    story.pass(2.0);
    story.told.clear();
    story.signal(Signal::TERM);
    story.pass(1.0);
    story.tells(&[
        "WARN received SIGTERM indicating exit request",
        "WARN killing what is left of the group of 'web' with SIGKILL",
        "!kill web SIGKILL members of 101",
        "INFO waiting for web to die",
        "WARN giving up what is left of the group of 'web' after SIGKILL: pid 4000",
        "!stopped End",
    ]);
}

#[test]
fn a_group_number_is_forgotten_when_another_program_has_it() {
    let other = ProcessSpec { autostart: false, ..spec("other") };
    let web = ProcessSpec { kill_as_group: true, autorestart: AutoRestart::Never, ..spec("web") };
    let mut story = Story::of(vec![alone(1, other), alone(2, web)]).running();
    story.members = MEMBER();
    story.exits("web", 0);
    story.pids = 100;
    story.start("other", Wait::No);
    story.told.clear();
    story.signal(Signal::TERM);
    assert!(!story.told.iter().any(|line| line.contains("members of")), "{:?}", story.told);
}

#[test]
fn a_leader_that_ends_by_itself_in_a_shutdown_leaves_nothing_that_holds_it_up() {
    let grouped = |name: &str| ProcessSpec { kill_as_group: true, ..spec(name) };
    for first in ["web", "db"] {
        let mut story = Story::of(vec![alone(1, grouped("db")), alone(9, grouped("web"))]).running();
        story.members = MEMBER();
        story.signal(Signal::TERM);
        story.exits(first, 0);
        story.pass(11.0);
        story.members = Members::None;
        story.pass(1.0);
        story.exits(if first == "web" { "db" } else { "web" }, 0);
        story.pass(1.0);
        assert_eq!(story.told.last().unwrap(), "!stopped End");
    }
}

/// Killed, and still there.
fn stuck(groups: Vec<GroupSpec>) -> Story {
    let mut story = Story::of(groups).running();
    story.stop("web", Wait::Yes);
    story.pass(10.0);
    story.told.clear();
    story
}

#[test]
fn a_stop_of_what_sigkill_does_not_end_is_answered() {
    let mut story = stuck(vec![alone(1, spec("web"))]);
    story.pass(9.9);
    story.told.retain(|line| !line.starts_with("INFO"));
    story.tells(&[]);
    story.pass(0.1);
    story.tells(&[
        "CRIT giving up 'web' (101), which does not end after SIGKILL",
        "!reply 1 FAILED: web (pid 101) does not end after SIGKILL",
    ]);
    assert_eq!((story.state("web"), story.supervisor.deadline()), (ProcessState::Stopping, None));
    story.stop("web", Wait::Yes);
    story.start("web", Wait::Yes);
    story.ask(Command::RemoveProcessGroup("web".to_owned()));
    story.told.retain(|line| line.starts_with("!reply"));
    story.tells(&[
        "!reply 2 NOT_RUNNING: web",
        "!reply 3 ABNORMAL_TERMINATION: web",
        "!reply 4 STILL_RUNNING: web",
    ]);
    story.ends("web", KILLED);
    assert_eq!(story.state("web"), ProcessState::Stopped);
}

#[test]
fn an_update_goes_on_without_what_sigkill_does_not_end() {
    let changed = |name: &str| ProcessSpec { umask: Some(0), ..spec(name) };
    let mut story = Story::of(vec![group("g", [spec("web"), spec("other")])]).running();
    configure(&mut story, vec![group("g", [changed("web"), changed("other")])]);
    update(&mut story, "g");
    story.exits("other", 0);
    story.pass(20.0);
    story.told.retain(|line| line.starts_with("!reply"));
    story.tells(&["!reply 2 web:FAILED: g:web (pid 101) does not end after SIGKILL,other:replaced"]);
    story.ends("web", KILLED);
    update(&mut story, "g");
    story.told.retain(|line| line.starts_with("!reply"));
    story.tells(&["!reply 3 web:replaced,other:unchanged"]);
}

#[test]
fn a_shutdown_and_a_restart_end_without_what_sigkill_does_not_end() {
    for (signal, end) in [(Signal::TERM, "!stopped End"), (Signal::HUP, "!stopped Restart")] {
        let mut story = Story::of(vec![alone(1, spec("db")), alone(9, spec("web"))]).running();
        story.signal(signal);
        story.pass(20.0);
        assert!(story.told.contains(&"!kill db SIGTERM".to_owned()), "{:?}", story.told);
        story.exits("db", 0);
        assert_eq!(story.told.last().unwrap(), end);
    }
}

#[test]
fn a_second_request_and_shutdown_timeout_wait_a_second_after_sigkill() {
    let rules = Rules { shutdown_timeout_secs: Some(4), ..Rules::default() };
    let mut bounded = end_of(rules, vec![alone(1, spec("db")), alone(9, spec("web"))]).running();
    bounded.signal(Signal::TERM);
    bounded.pass(4.9);
    assert!(!bounded.told.iter().any(|line| line.starts_with("!stopped")), "{:?}", bounded.told);
    bounded.pass(0.1);
    assert_eq!(bounded.told.last().unwrap(), "!stopped End");

    let mut asked_twice = stuck(vec![alone(1, spec("web"))]);
    asked_twice.signal(Signal::TERM);
    asked_twice.pass(1.0);
    asked_twice.signal(Signal::TERM);
    asked_twice.pass(1.0);
    assert_eq!(asked_twice.told.last().unwrap(), "!stopped End");
}

#[test]
fn a_restart_that_has_not_begun_becomes_a_shutdown() {
    let mut story = Story::one(|web| web.autostart = false).begun();
    story.signal(Signal::HUP);
    story.signal(Signal::TERM);
    story.signal(Signal::TERM);
    story.told.retain(|line| line.starts_with('!'));
    story.tells(&["!stopped Restart", "!stopped End"]);
    assert_eq!(story.supervisor.state(), SupervisorState::Shutdown);
}

#[test]
fn a_request_that_overrides_a_restart_is_the_first_one() {
    let mut story = Story::one(|_| ()).running();
    story.signal(Signal::HUP);
    story.pass(5.0);
    story.signal(Signal::TERM);
    story.signal(Signal::TERM);
    assert!(!story.told.contains(&"!kill web SIGKILL".to_owned()), "{:?}", story.told);
    story.pass(1.0);
    story.signal(Signal::TERM);
    assert!(story.told.contains(&"!kill web SIGKILL".to_owned()), "{:?}", story.told);
}

/// The end of one program begins the shutdown while the spawn of another is under way.
#[test]
fn a_shutdown_waits_for_what_is_being_spawned() {
    let vital =
        ProcessSpec { on_fatal: OnEnd::Shutdown, start_retries: StartRetries::Times(0), ..spec("vital") };
    let mut story = Story::of(vec![alone(1, vital), alone(9, spec("web"))]);
    story.spawn_errors.push_back("no");
    let mut story = story.begun();
    assert_eq!(story.told.last().unwrap(), "!kill web SIGTERM");
    story.exits("web", 0);
    assert!(story.told.last().unwrap().starts_with("!stopped 126"), "{:?}", story.told);
}
