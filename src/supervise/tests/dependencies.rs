//! Stories of programs that depend on each other.

use super::*;

/// `db`, `db?`, `db=started`, `db!` (bound to it), and their combinations.
pub(super) fn dependency(text: &str) -> Dependency {
    let (text, is_optional) = text.strip_suffix('?').map_or((text, false), |text| (text, true));
    let (name, condition) = text.split_once('=').map_or((text, None), |(name, word)| (name, Some(word)));
    let condition = condition.map(|word| Condition::from_word(word).unwrap());
    Dependency { name: name.to_owned(), condition, is_optional, place: WrittenAt::default() }
}

/// A program that runs as soon as it is spawned.
fn quick(name: &str, depends_on: &[&str]) -> ProcessSpec {
    let (bound, others): (Vec<&str>, Vec<&str>) = depends_on.iter().partition(|text| text.ends_with('!'));
    ProcessSpec {
        start_secs: 0,
        depends_on: others.into_iter().map(dependency).collect(),
        restart_with: bound.into_iter().map(|text| dependency(text.trim_end_matches('!'))).collect(),
        ..spec(name)
    }
}

/// The same that runs a second after its spawn.
fn slow(name: &str, depends_on: &[&str]) -> ProcessSpec {
    ProcessSpec { start_secs: 1, ..quick(name, depends_on) }
}

fn job(name: &str, depends_on: &[&str]) -> ProcessSpec {
    ProcessSpec { autorestart: AutoRestart::Never, ..quick(name, depends_on) }
}

fn story(programs: Vec<ProcessSpec>) -> Story {
    Story::of(programs.into_iter().map(|it| alone(it.priority, it)).collect())
}

impl Story {
    /// Who was spawned since the last time, in order.
    fn spawned(&mut self) -> Vec<String> {
        let told = std::mem::take(&mut self.told);
        told.iter().filter_map(|line| line.strip_prefix("!spawn ")).map(str::to_owned).collect()
    }

    /// Who was sent a signal since the last time, in order.
    fn signalled(&mut self) -> Vec<String> {
        let told = std::mem::take(&mut self.told);
        let names = told.iter().filter_map(|line| line.strip_prefix("!kill "));
        names.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    }

    pub(super) fn description(&self, name: &str) -> String {
        let turn = Turn { now: self.now, restarts_allowed: true, random: 0 };
        let process = self.supervisor.process(self.id(name)).unwrap();
        self.supervisor.info(&turn, process).description
    }
}

#[test]
fn a_program_starts_once_what_it_depends_on_is_ready() {
    let mut story = story(vec![slow("web", &["db"]), slow("db", &[])]).begun();
    assert_eq!(story.state("web"), ProcessState::Starting);
    assert_eq!(story.description("web"), "waiting for db (ready)");
    story.tells(&["!spawn db", "INFO web: waiting for db (ready)", "INFO spawned: 'db' with pid 101"]);
    story.pass(1.0);
    assert_eq!(story.spawned(), ["web"]);
    story.pass(1.0);
    assert_eq!(story.state("web"), ProcessState::Running);
    assert_eq!(story.supervisor.deadline(), None);
}

#[test]
fn a_condition_of_its_own_is_waited_for() {
    let programs = || vec![quick("web", &["db=started"]), slow("db", &[])];
    assert_eq!(story(programs()).begun().spawned(), ["db", "web"]);
    let mut story = story(vec![quick("web", &["migrate=done"]), job("migrate", &[])]).begun();
    assert_eq!(story.spawned(), ["migrate"]);
    story.exits("migrate", 0);
    assert_eq!(story.spawned(), ["web"]);
}

#[test]
fn a_chain_starts_one_after_the_other_and_stops_in_reverse() {
    let mut story = story(vec![quick("c", &["b"]), quick("b", &["a"]), quick("a", &[])]).begun();
    assert_eq!(story.spawned(), ["a", "b", "c"]);
    story.ask(Command::StopAllProcesses(Wait::Yes));
    for name in ["c", "b", "a"] {
        assert_eq!(story.signalled(), [name]);
        story.exits(name, 0);
    }
    assert_eq!(story.told.last().unwrap(), "!reply 1 c:ok,b:ok,a:ok");
}

#[test]
fn a_shutdown_stops_dependents_first_whatever_their_priorities() {
    // Without the dependency db would stop first, as its priority is higher.
    let first = ProcessSpec { priority: 1, ..quick("web", &["db"]) };
    let last = ProcessSpec { priority: 900, ..quick("db", &[]) };
    let alone_in_between = ProcessSpec { priority: 500, ..quick("other", &[]) };
    let mut story = story(vec![first, last, alone_in_between]).begun();
    story.told.clear();
    story.signal(Signal::TERM);
    for name in ["web", "db", "other"] {
        assert_eq!(story.signalled(), [name]);
        story.exits(name, 0);
    }
    assert!(story.told.contains(&"!stopped End".to_owned()), "{:?}", story.told);
}

#[test]
fn a_second_request_to_end_waits_for_no_order() {
    let mut story = story(vec![quick("web", &["db"]), quick("db", &[])]).begun();
    story.told.clear();
    story.signal(Signal::TERM);
    assert_eq!(story.signalled(), ["web"]);
    story.pass(1.5);
    story.told.clear();
    story.signal(Signal::TERM);
    let mut names = story.signalled();
    names.sort();
    assert_eq!(names, ["db", "web"]);
}

#[test]
fn a_dependency_alone_can_be_stopped_alone() {
    let mut story = story(vec![quick("web", &["db"]), quick("db", &[])]).begun();
    story.told.clear();
    story.stop("db", Wait::Yes);
    assert_eq!(story.signalled(), ["db"]);
    story.exits("db", 0);
    assert_eq!(story.told.last().unwrap(), "!reply 1 done");
    assert_eq!(story.state("web"), ProcessState::Running);
}

#[test]
fn a_start_brings_up_what_it_needs() {
    let off = |it: ProcessSpec| ProcessSpec { autostart: false, ..it };
    let mut story =
        story(vec![off(slow("web", &["cache"])), off(slow("cache", &["db"])), off(slow("db", &[]))]).begun();
    assert_eq!(story.spawned(), [] as [&str; 0]);
    story.start("web", Wait::Yes);
    assert_eq!(story.spawned(), ["db"]);
    story.pass(1.0);
    assert_eq!(story.spawned(), ["cache"]);
    story.pass(1.0);
    assert_eq!(story.spawned(), ["web"]);
    story.pass(1.0);
    assert_eq!(story.told.last().unwrap(), "!reply 1 done");
}

#[test]
fn autostart_leaves_alone_what_was_stopped_by_hand() {
    let mut story = story(vec![quick("web", &["db"]), quick("db", &[])]).begun();
    story.stop("db", Wait::No);
    story.exits("db", 0);
    story.told.clear();
    // It lost its condition and goes on; once it has ended it waits.
    story.exits("web", 1);
    assert_eq!(story.state("web"), ProcessState::Exited, "the restart is spaced");
    story.pass(1.0);
    assert_eq!(story.description("web"), "waiting for db (ready)");
    assert_eq!(story.spawned(), [] as [&str; 0]);
    story.start("db", Wait::No);
    assert_eq!(story.spawned(), ["db", "web"]);
}

#[test]
fn a_stop_of_what_waits_is_done_at_once() {
    let mut story = story(vec![quick("web", &["db"]), slow("db", &[])]).begun();
    story.told.clear();
    story.stop("web", Wait::Yes);
    story.tells(&["!reply 1 done"]);
    assert_eq!(story.state("web"), ProcessState::Stopped);
    story.pass(5.0);
    assert_eq!(story.spawned(), [] as [&str; 0]);
}

#[test]
fn a_failed_dependency_fails_its_dependents_until_it_holds_after_all() {
    let db = ProcessSpec { start_retries: StartRetries::Times(0), ..slow("db", &[]) };
    let mut story = story(vec![quick("app", &["web"]), quick("web", &["db"]), db]).begun();
    story.told.clear();
    story.exits("db", 1);
    assert_eq!(story.state("web"), ProcessState::Fatal);
    assert_eq!(story.state("app"), ProcessState::Fatal);
    assert_eq!(story.description("web"), "db is FATAL: Exited too quickly (process log may have details)");
    assert!(
        story.description("app").starts_with("web is FATAL: db is FATAL"),
        "{}",
        story.description("app")
    );
    story.told.clear();
    story.start("db", Wait::No);
    story.pass(1.0);
    assert_eq!(story.spawned(), ["db", "web", "app"]);
}

#[test]
fn the_reason_names_the_process_that_has_failed_and_not_one_that_is_done() {
    let worker = |number: u32| ProcessSpec {
        program: "worker".to_owned(),
        start_secs: 1,
        start_retries: StartRetries::Times(0),
        ..job(&format!("worker_{number}"), &[])
    };
    let workers = group("workers", [worker(0), worker(1)]);
    let mut story = Story::of(vec![workers, alone(999, quick("web", &["worker=done"]))]).begun();
    story.pass(1.0);
    story.exits("worker_0", 0);
    assert_eq!(story.description("web"), "waiting for worker (done)");
    story.exits("worker_1", 1);
    assert_eq!(story.description("web"), "workers:worker_1 is EXITED: exit status 1");
}

#[test]
fn a_start_with_a_failed_dependency_tries_that_again() {
    let db = ProcessSpec { start_retries: StartRetries::Times(0), ..slow("db", &[]) };
    let mut story = story(vec![quick("web", &["db"]), db]).begun();
    story.exits("db", 1);
    story.told.clear();
    story.start("web", Wait::Yes);
    assert_eq!(story.spawned(), ["db"]);
    story.exits("db", 1);
    assert_eq!(story.told.last().unwrap(), "!reply 1 SPAWN_ERROR: web");
}

#[test]
fn a_dependency_that_backs_off_keeps_waiting() {
    let mut story = story(vec![quick("web", &["db"]), slow("db", &[])]).begun();
    story.exits("db", 1);
    assert_eq!(story.state("web"), ProcessState::Starting);
    story.pass(2.0);
    assert_eq!(story.state("web"), ProcessState::Running);
}

#[test]
fn an_optional_dependency_is_forgotten_once_it_can_not_hold() {
    let off = ProcessSpec { autostart: false, ..slow("off", &[]) };
    let failing = ProcessSpec { start_retries: StartRetries::Times(0), ..slow("failing", &[]) };
    let mut story =
        story(vec![quick("web", &["off?", "failing?", "slow?"]), off, failing, slow("slow", &[])]).begun();
    assert_eq!(story.spawned(), ["failing", "slow"]);
    assert_eq!(story.description("web"), "waiting for failing (ready), slow (ready)");
    story.exits("failing", 1);
    assert_eq!(story.description("web"), "waiting for slow (ready)");
    story.stop("slow", Wait::No);
    story.exits("slow", 0);
    assert!(story.spawned().contains(&"web".to_owned()));
}

#[test]
fn what_is_bound_stops_with_it_and_starts_again_with_it() {
    let mut story = story(vec![quick("web", &["db!"]), quick("db", &[])]).begun();
    story.told.clear();
    // A crash of db.
    story.exits("db", 1);
    assert_eq!(story.signalled(), ["web"]);
    story.exits("web", 0);
    assert_eq!(story.description("web"), "waiting for db (ready)");
    story.pass(1.0);
    assert_eq!(story.spawned(), ["db", "web"]);
    // A stop of db: the one that is bound to it goes first.
    story.stop("db", Wait::Yes);
    assert_eq!(story.signalled(), ["web"]);
    story.exits("web", 0);
    assert_eq!(story.signalled(), ["db"]);
    story.exits("db", 0);
    assert_eq!(story.told.last().unwrap(), "!reply 1 done");
    story.start("db", Wait::Yes);
    assert_eq!(story.spawned(), ["db", "web"]);
}

#[test]
fn a_request_to_stop_beats_the_start_after_a_lost_binding() {
    let mut story = story(vec![quick("web", &["db!"]), quick("db", &[])]).begun();
    story.exits("db", 1);
    story.told.clear();
    story.stop("web", Wait::Yes);
    story.exits("web", 0);
    assert_eq!(story.told.last().unwrap(), "!reply 1 done");
    assert_eq!(story.state("web"), ProcessState::Stopped);
    story.pass(1.0);
    assert_eq!(story.spawned(), ["db"]);
}

#[test]
fn a_chain_that_is_bound_stops_from_its_end() {
    let mut story = story(vec![quick("c", &["b!"]), quick("b", &["a!"]), quick("a", &[])]).begun();
    story.told.clear();
    story.exits("a", 1);
    for name in ["c", "b"] {
        assert_eq!(story.signalled(), [name]);
        story.exits(name, 0);
    }
    story.pass(1.0);
    assert_eq!(story.spawned(), ["a", "b", "c"]);
}

#[test]
fn a_job_that_is_done_still_stands_between_two_that_stop() {
    let mut story =
        story(vec![quick("web", &["migrate=done"]), job("migrate", &["db"]), quick("db", &[])]).begun();
    story.exits("migrate", 0);
    story.told.clear();
    story.signal(Signal::TERM);
    for name in ["web", "db"] {
        assert_eq!(story.signalled(), [name]);
        story.exits(name, 0);
    }
    assert!(story.told.contains(&"!stopped End".to_owned()), "{:?}", story.told);
}

#[test]
fn a_program_is_all_of_its_processes() {
    let worker =
        |number: u32| ProcessSpec { program: "worker".to_owned(), ..slow(&format!("worker_{number}"), &[]) };
    let workers = group("workers", [worker(0), worker(1)]);
    for (name, is_all) in [("worker", true), ("workers:*", true), ("workers:worker_1", false)] {
        let mut story = Story::of(vec![workers.clone(), alone(999, quick("web", &[name]))]).begun();
        story.exits("worker_0", 1);
        story.told.clear();
        story.pass(1.0);
        let expected: &[&str] = if is_all { &["worker_0"] } else { &["worker_0", "web"] };
        let mut spawned = story.spawned();
        spawned.sort_by_key(|name| name == "web");
        assert_eq!(spawned, expected, "{name}");
        story.pass(1.0);
        assert_eq!(story.state("web"), ProcessState::Running, "{name}");
    }
}

#[test]
fn listeners_are_sent_nothing_of_a_process_that_waits() {
    let pool = listeners::pool("pool", &[EventType::ProcessState], &["l"], 100);
    let mut story = Story::of(vec![pool, alone(1, quick("web", &["db"])), alone(2, slow("db", &[]))]).begun();
    story.stop("web", Wait::No);
    story.start("web", Wait::No);
    story.pass(1.0);
    let told = story.takes_all("l");
    let of_web: Vec<_> = told.iter().filter(|line| line.contains("processname:web ")).collect();
    assert_eq!(
        of_web,
        [
            "PROCESS_STATE_STARTING processname:web groupname:web from_state:STOPPED tries:0",
            "PROCESS_STATE_RUNNING processname:web groupname:web from_state:STARTING pid:103",
        ]
    );
}

#[test]
fn a_dependency_that_is_removed_is_waited_for() {
    let mut story = story(vec![quick("web", &["db"]), quick("db", &[])]).begun();
    story.next_groups = vec![alone(999, quick("web", &["db"])), alone(999, quick("db", &[]))];
    for name in ["web", "db"] {
        story.stop(name, Wait::No);
        story.exits(name, 0);
    }
    story.ask(Command::RemoveProcessGroup("db".to_owned()));
    story.told.clear();
    story.start("web", Wait::No);
    assert_eq!(story.description("web"), "waiting for db (not active)");
    story.ask(Command::AddProcessGroup("db".to_owned()));
    assert_eq!(story.spawned(), ["db", "web"]);
}

#[test]
fn a_thousand_dependents_start_a_bounded_number_at_a_time() {
    let mut programs = vec![slow("db", &[])];
    programs.extend((0..1000).map(|number| quick(&format!("web{number}"), &["db"])));
    let mut story = story(programs).begun();
    while story.supervisor.has_pending_starts() {
        story.input(Input::TimePassed);
    }
    story.told.clear();
    story.at(story.now.mono.after(Duration::from_secs(1)));
    story.input(Input::TimePassed);
    assert!(story.spawned().len() <= super::super::autostart::AUTOSTARTS_PER_TURN);
    let mut turns = 0;
    while story.supervisor.has_pending_starts() {
        story.input(Input::TimePassed);
        turns += 1;
        assert!(turns < 1000);
    }
    assert!((0..1000).all(|number| story.state(&format!("web{number}")) == ProcessState::Running));
}
