//! Nothing that a process or its descendants do keeps a stop, an update, a restart or a shutdown from
//! finishing: groups that outlive their leaders, processes that SIGKILL does not end, requests that come twice.

use super::*;

const MEMBER: fn() -> Members = || Members::Some(vec![Pid(4000)]);

impl Scenario {
    pub(super) fn end_orphan(&mut self) {
        self.input(Input::OrphanEnded { pid: Pid(4000), status: ExitStatus::Exited(0) });
        // Others may end at the same time.
        self.pass(0.005);
    }
}

#[test]
fn a_stop_completes_when_the_last_group_member_is_gone() {
    let mut scenario = Scenario::one(|web| (web.stop_as_group, web.kill_as_group) = (true, true)).running();
    scenario.members = MEMBER();
    scenario.stop("web", Wait::Yes);
    scenario.exit("web", 0);
    assert_eq!(scenario.state("web"), ProcessState::Stopped);
    scenario.end_orphan();
    scenario.expect_log(&[
        "!kill web SIGTERM group",
        "INFO waiting for web to stop",
        "INFO stopped: web (exit status 0)",
        "INFO reaped unknown pid 4000 (exit status 0)",
    ]);
    scenario.members = Members::None;
    scenario.end_orphan();
    scenario.expect_log(&["INFO reaped unknown pid 4000 (exit status 0)", "!reply 1 done"]);
    assert_eq!(scenario.supervisor.deadline(), None);
}

#[test]
fn remaining_group_members_are_killed_when_the_stop_times_out() {
    let mut scenario = Scenario::one(|web| (web.kill_as_group, web.stop_wait_secs) = (true, 5)).running();
    scenario.members = MEMBER();
    scenario.signal(Signal::TERM);
    scenario.pass(1.0);
    scenario.exit("web", 0);
    scenario.log.clear();
    scenario.pass(3.9);
    scenario.expect_log(&["INFO waiting for web to die"]);
    scenario.pass(0.2);
    scenario.expect_log(&[
        "WARN killing what is left of the group of 'web' with SIGKILL",
        "!kill web SIGKILL members of 101",
    ]);
    scenario.members = Members::None;
    scenario.end_orphan();
    assert_eq!(scenario.log.last().unwrap(), "!stopped End");
}

#[test]
fn members_of_a_dead_leader_are_stopped_at_shutdown() {
    let mut scenario = Scenario::one(|web| web.kill_as_group = true).running();
    scenario.members = MEMBER();
    scenario.exit("web", 0);
    assert_eq!((scenario.state("web"), scenario.supervisor.deadline()), (ProcessState::Exited, None));
    scenario.log.clear();
    scenario.signal(Signal::TERM);
    scenario.expect_log(&[
        "WARN received SIGTERM indicating exit request",
        "!kill web SIGTERM members of 101",
        "INFO waiting for web to die",
    ]);
    scenario.members = Members::None;
    scenario.end_orphan();
    assert_eq!(scenario.log.last().unwrap(), "!stopped End");
}

#[test]
fn a_new_start_forgets_members_of_a_dead_leader() {
    let mut scenario = Scenario::one(|web| web.kill_as_group = true).running();
    scenario.members = MEMBER();
    scenario.exit("web", 0);
    scenario.start("web", Wait::No);
    scenario.pass(2.0);
    scenario.log.clear();
    scenario.members = Members::None;
    scenario.signal(Signal::TERM);
    scenario.exit("web", 0);
    assert_eq!(scenario.log.last().unwrap(), "!stopped End");
}

#[test]
fn members_that_survive_sigkill_are_given_up() {
    let mut scenario = Scenario::one(|web| (web.stop_as_group, web.kill_as_group) = (true, true)).running();
    scenario.members = Members::Some((201..=212).map(Pid).collect());
    scenario.stop("web", Wait::Yes);
    scenario.exit("web", 0);
    scenario.pass(10.0);
    scenario.log.clear();
    scenario.pass(9.9);
    scenario.expect_log(&[]);
    scenario.pass(0.2);
    scenario.expect_log(&[
        "WARN giving up what is left of the group of 'web' after SIGKILL: \
         pids 201, 202, 203, 204, 205, 206, 207, 208, 209, 210 and 2 more",
        "!reply 1 done",
    ]);
    assert_eq!(scenario.supervisor.deadline(), None);
    assert!(scenario.looks < 40, "{}", scenario.looks);
}

#[test]
fn without_proc_possible_zombies_are_given_up_after_a_timeout() {
    let mut scenario = Scenario::one(|web| (web.stop_as_group, web.kill_as_group) = (true, true)).running();
    scenario.members = Members::Unknown;
    scenario.stop("web", Wait::Yes);
    scenario.exit("web", 0);
    scenario.pass(30.0);
    let given_up = "WARN giving up what is left of the group of 'web' after SIGKILL: pids unknown";
    assert_eq!(scenario.log[scenario.log.len() - 2..], [given_up, "!reply 1 done"]);
}

#[test]
fn a_second_request_gives_up_remaining_group_members() {
    let mut scenario = Scenario::one(|web| (web.kill_as_group, web.stop_wait_secs) = (true, 3600)).running();
    scenario.members = Members::Some(vec![Pid(4000)]);
    scenario.signal(Signal::TERM);
    scenario.exit("web", 0);
    scenario.pass(2.0);
    scenario.log.clear();
    scenario.signal(Signal::TERM);
    scenario.pass(1.0);
    scenario.expect_log(&[
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
    let mut scenario = Scenario::of(vec![alone(1, other), alone(2, web)]).running();
    scenario.members = MEMBER();
    scenario.exit("web", 0);
    scenario.pids = 100;
    scenario.start("other", Wait::No);
    scenario.log.clear();
    scenario.signal(Signal::TERM);
    assert!(!scenario.log.iter().any(|line| line.contains("members of")), "{:?}", scenario.log);
}

#[test]
fn a_leader_that_exits_during_a_shutdown_does_not_delay_it() {
    let grouped = |name: &str| ProcessSpec { kill_as_group: true, ..spec(name) };
    for first in ["web", "db"] {
        let mut scenario = Scenario::of(vec![alone(1, grouped("db")), alone(9, grouped("web"))]).running();
        scenario.members = MEMBER();
        scenario.signal(Signal::TERM);
        scenario.exit(first, 0);
        scenario.pass(11.0);
        scenario.members = Members::None;
        scenario.pass(1.0);
        scenario.exit(if first == "web" { "db" } else { "web" }, 0);
        scenario.pass(1.0);
        assert_eq!(scenario.log.last().unwrap(), "!stopped End");
    }
}

/// Processes that survive SIGKILL.
fn stuck(groups: Vec<GroupSpec>) -> Scenario {
    let mut scenario = Scenario::of(groups).running();
    scenario.stop("web", Wait::Yes);
    scenario.pass(10.0);
    scenario.log.clear();
    scenario
}

#[test]
fn a_stop_is_answered_even_if_sigkill_fails() {
    let mut scenario = stuck(vec![alone(1, spec("web"))]);
    scenario.pass(9.9);
    scenario.log.retain(|line| !line.starts_with("INFO"));
    scenario.expect_log(&[]);
    scenario.pass(0.1);
    scenario.expect_log(&[
        "CRIT giving up 'web' (101), which does not end after SIGKILL",
        "!reply 1 FAILED: web (pid 101) does not end after SIGKILL",
    ]);
    assert_eq!((scenario.state("web"), scenario.supervisor.deadline()), (ProcessState::Stopping, None));
    scenario.stop("web", Wait::Yes);
    scenario.start("web", Wait::Yes);
    scenario.ask(Command::RemoveProcessGroup("web".to_owned()));
    scenario.log.retain(|line| line.starts_with("!reply"));
    scenario.expect_log(&[
        "!reply 2 NOT_RUNNING: web",
        "!reply 3 ABNORMAL_TERMINATION: web",
        "!reply 4 STILL_RUNNING: web",
    ]);
    scenario.end("web", KILLED);
    assert_eq!(scenario.state("web"), ProcessState::Stopped);
}

#[test]
fn an_update_continues_without_a_process_that_survives_sigkill() {
    let changed = |name: &str| ProcessSpec { umask: Some(0), ..spec(name) };
    let mut scenario = Scenario::of(vec![group("g", [spec("web"), spec("other")])]).running();
    configure(&mut scenario, vec![group("g", [changed("web"), changed("other")])]);
    update(&mut scenario, "g");
    scenario.exit("other", 0);
    scenario.pass(20.0);
    scenario.log.retain(|line| line.starts_with("!reply"));
    scenario.expect_log(&["!reply 2 web:FAILED: g:web (pid 101) does not end after SIGKILL,other:replaced"]);
    scenario.end("web", KILLED);
    update(&mut scenario, "g");
    scenario.log.retain(|line| line.starts_with("!reply"));
    scenario.expect_log(&["!reply 3 web:replaced,other:unchanged"]);
}

#[test]
fn a_shutdown_and_a_restart_complete_without_a_process_that_survives_sigkill() {
    for (signal, end) in [(Signal::TERM, "!stopped End"), (Signal::HUP, "!stopped Restart")] {
        let mut scenario = Scenario::of(vec![alone(1, spec("db")), alone(9, spec("web"))]).running();
        scenario.signal(signal);
        scenario.pass(20.0);
        assert!(scenario.log.contains(&"!kill db SIGTERM".to_owned()), "{:?}", scenario.log);
        scenario.exit("db", 0);
        assert_eq!(scenario.log.last().unwrap(), end);
    }
}

#[test]
fn a_second_request_and_shutdown_timeout_wait_a_second_after_sigkill() {
    let rules = Rules { shutdown_timeout_secs: Some(4), ..Rules::default() };
    let mut bounded = end_of(rules, vec![alone(1, spec("db")), alone(9, spec("web"))]).running();
    bounded.signal(Signal::TERM);
    bounded.pass(4.9);
    assert!(!bounded.log.iter().any(|line| line.starts_with("!stopped")), "{:?}", bounded.log);
    bounded.pass(0.1);
    assert_eq!(bounded.log.last().unwrap(), "!stopped End");

    let mut asked_twice = stuck(vec![alone(1, spec("web"))]);
    asked_twice.signal(Signal::TERM);
    asked_twice.pass(1.0);
    asked_twice.signal(Signal::TERM);
    asked_twice.pass(1.0);
    assert_eq!(asked_twice.log.last().unwrap(), "!stopped End");
}

#[test]
fn a_restart_that_has_not_begun_becomes_a_shutdown() {
    let mut scenario = Scenario::one(|web| web.autostart = false).begin();
    scenario.signal(Signal::HUP);
    scenario.signal(Signal::TERM);
    scenario.signal(Signal::TERM);
    scenario.log.retain(|line| line.starts_with('!'));
    scenario.expect_log(&["!stopped Restart", "!stopped End"]);
    assert_eq!(scenario.supervisor.state(), SupervisorState::Shutdown);
}

#[test]
fn a_request_that_overrides_a_restart_is_the_first_one() {
    let mut scenario = Scenario::one(|_| ()).running();
    scenario.signal(Signal::HUP);
    scenario.pass(5.0);
    scenario.signal(Signal::TERM);
    scenario.signal(Signal::TERM);
    assert!(!scenario.log.contains(&"!kill web SIGKILL".to_owned()), "{:?}", scenario.log);
    scenario.pass(1.0);
    scenario.signal(Signal::TERM);
    assert!(scenario.log.contains(&"!kill web SIGKILL".to_owned()), "{:?}", scenario.log);
}

/// The end of one program begins the shutdown while the spawn of another is under way.
#[test]
fn a_shutdown_waits_for_what_is_being_spawned() {
    let vital =
        ProcessSpec { on_fatal: OnEnd::Shutdown, start_retries: StartRetries::Times(0), ..spec("vital") };
    let mut scenario = Scenario::of(vec![alone(1, vital), alone(9, spec("web"))]);
    scenario.spawn_errors.push_back("no");
    let mut scenario = scenario.begin();
    assert_eq!(scenario.log.last().unwrap(), "!kill web SIGTERM");
    scenario.exit("web", 0);
    assert!(scenario.log.last().unwrap().starts_with("!stopped 126"), "{:?}", scenario.log);
}

#[test]
fn a_tree_is_asked_to_stop_when_its_leader_has_ended() {
    let mut scenario = Scenario::one(|web| (web.kill_tree, web.stop_wait_secs) = (true, 5)).running();
    scenario.members = MEMBER();
    scenario.stop("web", Wait::Yes);
    scenario.pass(1.0);
    scenario.exit("web", 0);
    scenario.expect_log(&[
        "!kill web SIGTERM",
        "INFO waiting for web to stop",
        "INFO stopped: web (exit status 0)",
        "!kill web SIGTERM members of 101",
    ]);
    scenario.pass(3.9);
    scenario.expect_log(&[]);
    scenario.pass(0.2);
    assert_eq!(
        scenario.log[..2],
        [
            "WARN killing what is left of the process tree of 'web' with SIGKILL",
            "!kill web SIGKILL members of 101"
        ]
    );
    // What is found later is killed, too.
    assert_eq!(scenario.log.last().unwrap(), "!kill web SIGKILL members of 101");
    scenario.members = Members::None;
    scenario.log.clear();
    scenario.end_orphan();
    scenario.expect_log(&["INFO reaped unknown pid 4000 (exit status 0)", "!reply 1 done"]);
    assert_eq!(scenario.supervisor.deadline(), None);
}

#[test]
fn a_tree_is_killed_with_its_leader_when_the_stop_times_out() {
    let mut scenario = Scenario::one(|web| (web.kill_tree, web.stop_wait_secs) = (true, 5)).running();
    scenario.members = MEMBER();
    scenario.stop("web", Wait::No);
    scenario.pass(5.0);
    scenario.end("web", ExitStatus::killed());
    scenario.expect_log(&[
        "!kill web SIGTERM",
        "!reply 1 done",
        "WARN killing 'web' (101) with SIGKILL",
        "!kill web SIGKILL tree",
        "WARN stopped: web (terminated by SIGKILL)",
        "!kill web SIGKILL members of 101",
        "!kill web SIGKILL members of 101",
    ]);
}

#[test]
fn a_tree_ends_with_a_program_that_ends_by_itself() {
    let mut scenario =
        Scenario::one(|web| (web.kill_tree, web.autorestart) = (true, AutoRestart::Never)).running();
    scenario.members = MEMBER();
    scenario.exit("web", 0);
    scenario.expect_log(&["INFO exited: web (exit status 0; expected)", "!kill web SIGTERM members of 101"]);
    scenario.pass(10.0);
    assert!(scenario.log.contains(&"!kill web SIGKILL members of 101".to_owned()), "{:?}", scenario.log);
}

#[test]
fn a_tree_is_killed_before_a_restart_that_follows_at_once() {
    let mut scenario =
        Scenario::one(|web| (web.kill_tree, web.autorestart) = (true, AutoRestart::Always)).running();
    scenario.members = MEMBER();
    scenario.exit("web", 3);
    scenario.expect_log(&[
        "WARN exited: web (exit status 3; not expected)",
        "!kill web SIGKILL members of 101",
        "!spawn web",
        "INFO spawned: 'web' with pid 102",
    ]);
    scenario.pass(60.0);
    assert!(!scenario.log.iter().any(|line| line.contains("members of")), "{:?}", scenario.log);
}

/// A program that runs only in a cgroup of its own.
fn in_cgroup(change: impl FnOnce(&mut ProcessSpec)) -> Scenario {
    let mut scenario = Scenario::one(|web| {
        web.kill_tree = true;
        change(web);
    });
    scenario.enters_cgroups = true;
    scenario.running()
}

#[test]
fn a_program_in_a_cgroup_of_its_own_is_killed_with_it() {
    let mut scenario = in_cgroup(|web| web.stop_wait_secs = 5);
    scenario.members = MEMBER();
    scenario.verbose = true;
    scenario.stop("web", Wait::No);
    scenario.pass(5.0);
    scenario.end("web", ExitStatus::killed());
    scenario.expect_log(&[
        "DEBG killing web (pid 101) with signal SIGTERM",
        "!kill web SIGTERM",
        "!reply 1 done",
        "WARN killing 'web' (101) with SIGKILL",
        "DEBG killing web (pid 101) cgroup with signal SIGKILL",
        "!kill web SIGKILL cgroup",
        "WARN stopped: web (terminated by SIGKILL)",
        "!kill web SIGKILL members of the cgroup of 101",
        "!kill web SIGKILL members of the cgroup of 101",
    ]);
    scenario.pass(10.0);
    let last = scenario.log.last().unwrap();
    assert_eq!(last, "WARN giving up what is left of the cgroup of 'web' after SIGKILL: pid 4000");
}

#[test]
fn a_program_is_killed_by_its_cgroup_once_it_was_seen_to_have_entered_it() {
    let killed = |scenario: &mut Scenario| {
        scenario.log.clear();
        scenario.stop("web", Wait::No);
        scenario.pass(5.0);
        let kill = scenario.log.last().unwrap().clone();
        scenario.end("web", ExitStatus::killed());
        scenario.start("web", Wait::No);
        kill
    };
    let mut scenario = Scenario::one(|web| (web.kill_tree, web.stop_wait_secs) = (true, 5)).running();
    assert_eq!(killed(&mut scenario), "!kill web SIGKILL tree");
    let process = scenario.id("web");
    scenario.input(Input::CgroupEntered { process, pid: Pid(102) });
    assert_eq!(killed(&mut scenario), "!kill web SIGKILL cgroup");
    // The run before.
    scenario.input(Input::CgroupEntered { process, pid: Pid(102) });
    assert_eq!(killed(&mut scenario), "!kill web SIGKILL tree");
    // Just before it was reaped.
    scenario.input(Input::CgroupEntered { process, pid: Pid(104) });
    scenario.log.clear();
    scenario.exit("web", 1);
    assert!(
        scenario.log.contains(&"!kill web SIGTERM members of the cgroup of 104".to_owned()),
        "{:?}",
        scenario.log
    );
}

#[test]
fn an_update_does_not_change_where_members_are_looked_for() {
    let mut scenario = in_cgroup(|web| (web.autorestart, web.stop_wait_secs) = (AutoRestart::Never, 5));
    scenario.members = MEMBER();
    scenario.exit("web", 0);
    configure(
        &mut scenario,
        vec![alone(999, ProcessSpec { autorestart: AutoRestart::Never, ..spec("web") })],
    );
    update(&mut scenario, "web");
    scenario.log.clear();
    scenario.pass(5.0);
    assert!(
        scenario.log.contains(&"!kill web SIGKILL members of the cgroup of 101".to_owned()),
        "{:?}",
        scenario.log
    );
}
