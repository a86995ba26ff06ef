//! Programs that depend on each other.

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
    ProcessSpec { start_secs: 0, ..spec(name) }.with_lifecycle(|it| {
        it.depends_on = others.into_iter().map(dependency).collect();
        it.restart_with = bound.into_iter().map(|text| dependency(text.trim_end_matches('!'))).collect();
    })
}

/// The same, but RUNNING a second after its spawn.
fn slow(name: &str, depends_on: &[&str]) -> ProcessSpec {
    ProcessSpec { start_secs: 1, ..quick(name, depends_on) }
}

fn job(name: &str, depends_on: &[&str]) -> ProcessSpec {
    ProcessSpec { autorestart: AutoRestart::Never, ..quick(name, depends_on) }
}

fn scenario(programs: Vec<ProcessSpec>) -> Scenario {
    Scenario::of(programs.into_iter().map(|it| alone(it.priority, it)).collect())
}

impl Scenario {
    /// The processes spawned since the last call, in order.
    fn take_spawned(&mut self) -> Vec<String> {
        let lines = std::mem::take(&mut self.log);
        lines.iter().filter_map(|line| line.strip_prefix("!spawn ")).map(str::to_owned).collect()
    }

    /// The processes signalled since the last call, in order.
    fn take_signalled(&mut self) -> Vec<String> {
        let lines = std::mem::take(&mut self.log);
        let names = lines.iter().filter_map(|line| line.strip_prefix("!kill "));
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
    let mut scenario = scenario(vec![slow("web", &["db"]), slow("db", &[])]).begin();
    assert_eq!(scenario.state("web"), ProcessState::Starting);
    assert_eq!(scenario.description("web"), "waiting for db (ready)");
    scenario.expect_log(&[
        "!spawn db",
        "INFO web: waiting for db (ready)",
        "INFO spawned: 'db' with pid 101",
    ]);
    scenario.pass(1.0);
    assert_eq!(scenario.take_spawned(), ["web"]);
    scenario.pass(1.0);
    assert_eq!(scenario.state("web"), ProcessState::Running);
    assert_eq!(scenario.supervisor.deadline(), None);
}

#[test]
fn the_condition_of_each_dependency_is_awaited() {
    let programs = || vec![quick("web", &["db=started"]), slow("db", &[])];
    assert_eq!(scenario(programs()).begin().take_spawned(), ["db", "web"]);
    let mut scenario = scenario(vec![quick("web", &["migrate=done"]), job("migrate", &[])]).begin();
    assert_eq!(scenario.take_spawned(), ["migrate"]);
    scenario.exit("migrate", 0);
    assert_eq!(scenario.take_spawned(), ["web"]);
}

#[test]
fn a_chain_starts_one_after_the_other_and_stops_in_reverse() {
    let mut scenario = scenario(vec![quick("c", &["b"]), quick("b", &["a"]), quick("a", &[])]).begin();
    assert_eq!(scenario.take_spawned(), ["a", "b", "c"]);
    scenario.ask(Command::StopAllProcesses(Wait::Yes));
    for name in ["c", "b", "a"] {
        assert_eq!(scenario.take_signalled(), [name]);
        scenario.exit(name, 0);
    }
    assert_eq!(scenario.log.last().unwrap(), "!reply 1 c:ok,b:ok,a:ok");
}

#[test]
fn a_shutdown_stops_dependents_first_whatever_their_priorities() {
    // Without the dependency db would stop first, as its priority is higher.
    let first = ProcessSpec { priority: 1, ..quick("web", &["db"]) };
    let last = ProcessSpec { priority: 900, ..quick("db", &[]) };
    let alone_in_between = ProcessSpec { priority: 500, ..quick("other", &[]) };
    let mut scenario = scenario(vec![first, last, alone_in_between]).begin();
    scenario.log.clear();
    scenario.signal(Signal::TERM);
    for name in ["web", "db", "other"] {
        assert_eq!(scenario.take_signalled(), [name]);
        scenario.exit(name, 0);
    }
    assert!(scenario.log.contains(&"!stopped End".to_owned()), "{:?}", scenario.log);
}

#[test]
fn a_second_shutdown_request_ignores_the_stop_order() {
    let mut scenario = scenario(vec![quick("web", &["db"]), quick("db", &[])]).begin();
    scenario.log.clear();
    scenario.signal(Signal::TERM);
    assert_eq!(scenario.take_signalled(), ["web"]);
    scenario.pass(1.5);
    scenario.log.clear();
    scenario.signal(Signal::TERM);
    let mut names = scenario.take_signalled();
    names.sort();
    assert_eq!(names, ["db", "web"]);
}

#[test]
fn a_dependency_alone_can_be_stopped_alone() {
    let mut scenario = scenario(vec![quick("web", &["db"]), quick("db", &[])]).begin();
    scenario.log.clear();
    scenario.stop("db", Wait::Yes);
    assert_eq!(scenario.take_signalled(), ["db"]);
    scenario.exit("db", 0);
    assert_eq!(scenario.log.last().unwrap(), "!reply 1 done");
    assert_eq!(scenario.state("web"), ProcessState::Running);
}

#[test]
fn a_start_also_starts_required_dependencies() {
    let off = |it: ProcessSpec| ProcessSpec { autostart: false, ..it };
    let mut scenario =
        scenario(vec![off(slow("web", &["cache"])), off(slow("cache", &["db"])), off(slow("db", &[]))])
            .begin();
    assert_eq!(scenario.take_spawned(), [] as [&str; 0]);
    scenario.start("web", Wait::Yes);
    assert_eq!(scenario.take_spawned(), ["db"]);
    scenario.pass(1.0);
    assert_eq!(scenario.take_spawned(), ["cache"]);
    scenario.pass(1.0);
    assert_eq!(scenario.take_spawned(), ["web"]);
    scenario.pass(1.0);
    assert_eq!(scenario.log.last().unwrap(), "!reply 1 done");
}

#[test]
fn autostart_does_not_start_dependencies_that_were_stopped_manually() {
    let mut scenario = scenario(vec![quick("web", &["db"]), quick("db", &[])]).begin();
    scenario.stop("db", Wait::No);
    scenario.exit("db", 0);
    scenario.log.clear();
    // Its condition was lost and it continues; once it ends, it waits.
    scenario.exit("web", 1);
    assert_eq!(scenario.state("web"), ProcessState::Exited, "the restart is spaced");
    scenario.pass(1.0);
    assert_eq!(scenario.description("web"), "waiting for db (ready)");
    assert_eq!(scenario.take_spawned(), [] as [&str; 0]);
    scenario.start("db", Wait::No);
    assert_eq!(scenario.take_spawned(), ["db", "web"]);
}

#[test]
fn a_stop_of_a_waiting_process_completes_at_once() {
    let mut scenario = scenario(vec![quick("web", &["db"]), slow("db", &[])]).begin();
    scenario.log.clear();
    scenario.stop("web", Wait::Yes);
    scenario.expect_log(&["!reply 1 done"]);
    assert_eq!(scenario.state("web"), ProcessState::Stopped);
    scenario.pass(5.0);
    assert_eq!(scenario.take_spawned(), [] as [&str; 0]);
}

#[test]
fn a_failed_dependency_fails_its_dependents_until_its_condition_holds() {
    let db = ProcessSpec { start_retries: StartRetries::Times(0), ..slow("db", &[]) };
    let mut scenario = scenario(vec![quick("app", &["web"]), quick("web", &["db"]), db]).begin();
    scenario.log.clear();
    scenario.exit("db", 1);
    assert_eq!(scenario.state("web"), ProcessState::Fatal);
    assert_eq!(scenario.state("app"), ProcessState::Fatal);
    assert_eq!(scenario.description("web"), "db is FATAL: Exited too quickly (process log may have details)");
    assert!(
        scenario.description("app").starts_with("web is FATAL: db is FATAL"),
        "{}",
        scenario.description("app")
    );
    scenario.log.clear();
    scenario.start("db", Wait::No);
    scenario.pass(1.0);
    assert_eq!(scenario.take_spawned(), ["db", "web", "app"]);
}

#[test]
fn the_reason_names_the_failed_process_and_not_one_that_is_done() {
    let worker = |number: u32| ProcessSpec {
        program: "worker".into(),
        start_secs: 1,
        start_retries: StartRetries::Times(0),
        ..job(&format!("worker_{number}"), &[])
    };
    let workers = group("workers", [worker(0), worker(1)]);
    let mut scenario = Scenario::of(vec![workers, alone(999, quick("web", &["worker=done"]))]).begin();
    scenario.pass(1.0);
    scenario.exit("worker_0", 0);
    assert_eq!(scenario.description("web"), "waiting for worker (done)");
    scenario.exit("worker_1", 1);
    assert_eq!(scenario.description("web"), "workers:worker_1 is EXITED: exit status 1");
}

#[test]
fn a_start_retries_a_failed_dependency() {
    let db = ProcessSpec { start_retries: StartRetries::Times(0), ..slow("db", &[]) };
    let mut scenario = scenario(vec![quick("web", &["db"]), db]).begin();
    scenario.exit("db", 1);
    scenario.log.clear();
    scenario.start("web", Wait::Yes);
    assert_eq!(scenario.take_spawned(), ["db"]);
    scenario.exit("db", 1);
    assert_eq!(scenario.log.last().unwrap(), "!reply 1 SPAWN_ERROR: web");
}

#[test]
fn dependents_keep_waiting_while_a_dependency_backs_off() {
    let mut scenario = scenario(vec![quick("web", &["db"]), slow("db", &[])]).begin();
    scenario.exit("db", 1);
    assert_eq!(scenario.state("web"), ProcessState::Starting);
    scenario.pass(2.0);
    assert_eq!(scenario.state("web"), ProcessState::Running);
}

#[test]
fn an_optional_dependency_is_ignored_once_its_condition_cannot_hold() {
    let off = ProcessSpec { autostart: false, ..slow("off", &[]) };
    let failing = ProcessSpec { start_retries: StartRetries::Times(0), ..slow("failing", &[]) };
    let mut scenario =
        scenario(vec![quick("web", &["off?", "failing?", "slow?"]), off, failing, slow("slow", &[])]).begin();
    assert_eq!(scenario.take_spawned(), ["failing", "slow"]);
    assert_eq!(scenario.description("web"), "waiting for failing (ready), slow (ready)");
    scenario.exit("failing", 1);
    assert_eq!(scenario.description("web"), "waiting for slow (ready)");
    scenario.stop("slow", Wait::No);
    scenario.exit("slow", 0);
    assert!(scenario.take_spawned().contains(&"web".to_owned()));
}

#[test]
fn a_bound_process_stops_and_starts_with_its_dependency() {
    let mut scenario = scenario(vec![quick("web", &["db!"]), quick("db", &[])]).begin();
    scenario.log.clear();
    // A crash of db.
    scenario.exit("db", 1);
    assert_eq!(scenario.take_signalled(), ["web"]);
    scenario.exit("web", 0);
    assert_eq!(scenario.description("web"), "waiting for db (ready)");
    scenario.pass(1.0);
    assert_eq!(scenario.take_spawned(), ["db", "web"]);
    // A stop of db: the process bound to it stops first.
    scenario.stop("db", Wait::Yes);
    assert_eq!(scenario.take_signalled(), ["web"]);
    scenario.exit("web", 0);
    assert_eq!(scenario.take_signalled(), ["db"]);
    scenario.exit("db", 0);
    assert_eq!(scenario.log.last().unwrap(), "!reply 1 done");
    scenario.start("db", Wait::Yes);
    assert_eq!(scenario.take_spawned(), ["db", "web"]);
}

#[test]
fn a_request_to_stop_beats_the_start_after_a_lost_binding() {
    let mut scenario = scenario(vec![quick("web", &["db!"]), quick("db", &[])]).begin();
    scenario.exit("db", 1);
    scenario.log.clear();
    scenario.stop("web", Wait::Yes);
    scenario.exit("web", 0);
    assert_eq!(scenario.log.last().unwrap(), "!reply 1 done");
    assert_eq!(scenario.state("web"), ProcessState::Stopped);
    scenario.pass(1.0);
    assert_eq!(scenario.take_spawned(), ["db"]);
}

#[test]
fn a_chain_that_is_bound_stops_from_its_end() {
    let mut scenario = scenario(vec![quick("c", &["b!"]), quick("b", &["a!"]), quick("a", &[])]).begin();
    scenario.log.clear();
    scenario.exit("a", 1);
    for name in ["c", "b"] {
        assert_eq!(scenario.take_signalled(), [name]);
        scenario.exit(name, 0);
    }
    scenario.pass(1.0);
    assert_eq!(scenario.take_spawned(), ["a", "b", "c"]);
}

#[test]
fn a_finished_job_still_orders_the_stops_around_it() {
    let mut scenario =
        scenario(vec![quick("web", &["migrate=done"]), job("migrate", &["db"]), quick("db", &[])]).begin();
    scenario.exit("migrate", 0);
    scenario.log.clear();
    scenario.signal(Signal::TERM);
    for name in ["web", "db"] {
        assert_eq!(scenario.take_signalled(), [name]);
        scenario.exit(name, 0);
    }
    assert!(scenario.log.contains(&"!stopped End".to_owned()), "{:?}", scenario.log);
}

#[test]
fn a_dependency_on_a_program_covers_all_its_processes() {
    let worker =
        |number: u32| ProcessSpec { program: "worker".into(), ..slow(&format!("worker_{number}"), &[]) };
    let workers = group("workers", [worker(0), worker(1)]);
    for (name, is_all) in [("worker", true), ("workers:*", true), ("workers:worker_1", false)] {
        let mut scenario = Scenario::of(vec![workers.clone(), alone(999, quick("web", &[name]))]).begin();
        scenario.exit("worker_0", 1);
        scenario.log.clear();
        scenario.pass(1.0);
        let expected: &[&str] = if is_all { &["worker_0"] } else { &["worker_0", "web"] };
        let mut spawned = scenario.take_spawned();
        spawned.sort_by_key(|name| name == "web");
        assert_eq!(spawned, expected, "{name}");
        scenario.pass(1.0);
        assert_eq!(scenario.state("web"), ProcessState::Running, "{name}");
    }
}

#[test]
fn listeners_get_no_events_for_a_waiting_process() {
    let pool = listeners::pool("pool", &[EventType::ProcessState], &["l"], 100);
    let mut scenario =
        Scenario::of(vec![pool, alone(1, quick("web", &["db"])), alone(2, slow("db", &[]))]).begin();
    scenario.stop("web", Wait::No);
    scenario.start("web", Wait::No);
    scenario.pass(1.0);
    let lines = scenario.take_all_events("l");
    let of_web: Vec<_> = lines.iter().filter(|line| line.contains("processname:web ")).collect();
    assert_eq!(
        of_web,
        [
            "PROCESS_STATE_STARTING processname:web groupname:web from_state:STOPPED tries:0",
            "PROCESS_STATE_RUNNING processname:web groupname:web from_state:STARTING pid:103",
        ]
    );
}

#[test]
fn a_removed_dependency_is_awaited() {
    let mut scenario = scenario(vec![quick("web", &["db"]), quick("db", &[])]).begin();
    scenario.next_groups = vec![alone(999, quick("web", &["db"])), alone(999, quick("db", &[]))];
    for name in ["web", "db"] {
        scenario.stop(name, Wait::No);
        scenario.exit(name, 0);
    }
    scenario.ask(Command::RemoveProcessGroup("db".to_owned()));
    scenario.log.clear();
    scenario.start("web", Wait::No);
    assert_eq!(scenario.description("web"), "waiting for db (not active)");
    scenario.ask(Command::AddProcessGroup("db".to_owned()));
    assert_eq!(scenario.take_spawned(), ["db", "web"]);
}

#[test]
fn a_thousand_dependents_start_a_bounded_number_at_a_time() {
    let mut programs = vec![slow("db", &[])];
    programs.extend((0..1000).map(|number| quick(&format!("web{number}"), &["db"])));
    let mut scenario = scenario(programs).begin();
    while scenario.supervisor.has_pending_starts() {
        scenario.input(Input::TimePassed);
    }
    scenario.log.clear();
    scenario.at(scenario.now.mono.after(Duration::from_secs(1)));
    scenario.input(Input::TimePassed);
    assert!(scenario.take_spawned().len() <= super::super::autostart::AUTOSTARTS_PER_TURN);
    let mut turns = 0;
    while scenario.supervisor.has_pending_starts() {
        scenario.input(Input::TimePassed);
        turns += 1;
        assert!(turns < 1000);
    }
    assert!((0..1000).all(|number| scenario.state(&format!("web{number}")) == ProcessState::Running));
}
