//! Stories of hooks.

use super::*;

/// A program with all hooks, whose restarts come at once.
pub(super) fn hooked(change: impl FnOnce(&mut Hooks)) -> ProcessSpec {
    let command = |name: &str| Some(format!("/hooks/{name}"));
    let mut hooks = Hooks {
        pre_start: command("pre_start"),
        post_start: command("post_start"),
        pre_stop: command("pre_stop"),
        post_stop: command("post_stop"),
        on_failure: command("on_failure"),
        timeout: Duration::from_secs(5),
    };
    change(&mut hooks);
    ProcessSpec { start_secs: 0, hooks: Some(hooks.into()), ..spec("web") }
}

/// With this hook alone.
fn only(hook: &str) -> ProcessSpec {
    hooked(|hooks| {
        let all = [
            ("pre_start", &mut hooks.pre_start),
            ("post_start", &mut hooks.post_start),
            ("pre_stop", &mut hooks.pre_stop),
            ("post_stop", &mut hooks.post_stop),
            ("on_failure", &mut hooks.on_failure),
        ];
        all.into_iter().filter(|(name, _)| *name != hook).for_each(|(_, command)| *command = None);
    })
}

fn web(spec: ProcessSpec) -> Story {
    Story::of(vec![alone(999, spec)])
}

/// One that runs, with this hook alone; what was told so far is forgotten.
fn running(hook: &str) -> Story {
    let mut story = web(only(hook)).begun();
    story.pass(2.0);
    story.told.clear();
    story
}

const DONE: TaskEnd = TaskEnd::Exited(ExitStatus::Exited(0));
const FAILED: TaskEnd = TaskEnd::Exited(ExitStatus::Exited(3));

impl Story {
    /// The shell runs a hook.
    pub(super) fn hook_begins(&mut self, hook: TaskId, task: Task) {
        let value = |name: &str| {
            let found = task.environment.iter().find(|(it, _)| it == name);
            found.map(|(_, value)| value.clone())
        };
        let (point, reason) = (value("SV_HOOK").unwrap(), value("SV_REASON").unwrap());
        assert_eq!(task.command, format!("/hooks/{point}"));
        let details = [("pid", "SV_PID"), ("code", "SV_EXIT_CODE"), ("signal", "SV_EXIT_SIGNAL")];
        let details = details.iter().filter_map(|(word, name)| Some(format!(" {word} {}", value(name)?)));
        let (name, details) = (value("SV_NAME").unwrap(), details.collect::<String>());
        self.told.push(format!("!{point} {name} ({reason}{details})"));
        self.hooks.push((hook, task.process, point));
    }

    /// The oldest hook that runs ends.
    pub(super) fn hook_ends(&mut self, end: TaskEnd) {
        let (hook, ..) = self.hooks.remove(0);
        self.input(Input::TaskEnded { child: ChildId::Hook(hook), end, output: Vec::new() });
    }

    fn hint(&self, name: &str) -> Option<String> {
        let turn = Turn { now: self.now, restarts_allowed: true, random: 0 };
        self.supervisor.process(self.id(name)).unwrap().info(&turn).hint
    }
}

#[test]
fn a_life_with_all_hooks() {
    let mut story = web(hooked(|_| ())).begun();
    story.tells(&["INFO web: running pre_start", "!pre_start web (start)"]);
    assert_eq!(
        (story.state("web"), story.description("web")),
        (ProcessState::Starting, "running pre_start".into())
    );
    story.hook_ends(DONE);
    story.tells(&[
        "!spawn web",
        "INFO spawned: 'web' with pid 101",
        "INFO success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)",
        "INFO web: running post_start",
        "!post_start web (start pid 101)",
    ]);
    assert_eq!(story.description("web"), "pid 101, uptime 0:00:00");
    assert_eq!(story.hint("web").as_deref(), Some("running post_start"));
    story.hook_ends(DONE);
    assert_eq!((story.hint("web"), story.supervisor.deadline()), (None, None));
    story.stop("web", Wait::Yes);
    story.tells(&[
        "INFO web: running pre_stop",
        "!pre_stop web (stop pid 101)",
        "INFO waiting for web to stop",
    ]);
    assert_eq!(
        (story.state("web"), story.description("web")),
        (ProcessState::Stopping, "running pre_stop".into())
    );
    story.hook_ends(DONE);
    story.tells(&["!kill web SIGTERM"]);
    story.exits("web", 0);
    story.tells(&[
        "INFO stopped: web (exit status 0)",
        "INFO web: running post_stop",
        "!post_stop web (stop pid 101 code 0)",
    ]);
    assert_eq!(story.hint("web").as_deref(), Some("running post_stop"));
    story.hook_ends(DONE);
    story.tells(&["!reply 1 done"]);
    assert_eq!((story.state("web"), story.supervisor.deadline()), (ProcessState::Stopped, None));
}

#[test]
fn pre_start_that_fails_is_a_failed_start() {
    let mut story = web(ProcessSpec { start_retries: StartRetries::Times(1), ..only("pre_start") }).begun();
    story.told.clear();
    story.hook_ends(FAILED);
    story.tells(&["WARN web: pre_start failed: exit status 3"]);
    assert_eq!(story.state("web"), ProcessState::Backoff);
    assert_eq!(story.description("web"), "pre_start failed: exit status 3");
    story.pass(1.0);
    story.tells(&["INFO web: running pre_start", "!pre_start web (restart)"]);
    story.hook_ends(TaskEnd::TimedOut);
    assert_eq!(story.state("web"), ProcessState::Fatal);
    assert_eq!(story.description("web"), "pre_start timed out after 5 seconds");
}

#[test]
fn pre_start_that_lacks_what_the_machine_is_short_of_is_retried() {
    let mut story = web(ProcessSpec { start_retries: StartRetries::Times(0), ..only("pre_start") }).begun();
    story.told.clear();
    story.hook_ends(TaskEnd::NotRun(NotSpawned::for_shortage("too many open files".to_owned())));
    assert_eq!(story.state("web"), ProcessState::Backoff);
    story.pass(1.0);
    story.hook_ends(DONE);
    assert_eq!(story.state("web"), ProcessState::Running);
    assert!(story.told.iter().any(|it| it.contains("shortage is over")), "{:?}", story.told);
}

#[test]
fn requests_to_start_are_answered_by_the_outcome_or_at_once() {
    let mut story = web(ProcessSpec { autostart: false, ..only("pre_start") }).begun();
    story.start("web", Wait::No);
    story.tells(&["INFO web: running pre_start", "!pre_start web (start)", "!reply 1 done"]);
    story.start("web", Wait::No);
    story.tells(&["!reply 2 ALREADY_STARTED: web"]);
    story.ask(Command::SignalProcess(Namespec::split("web"), Ok(Signal::HUP)));
    story.tells(&["!reply 3 NOT_RUNNING: web"]);
    story.stop("web", Wait::Yes);
    story.tells(&["INFO web: pre_start is cancelled", "!cancel Hook(TaskId(1))", "!reply 4 done"]);
    assert_eq!((story.state("web"), story.supervisor.deadline()), (ProcessState::Stopped, None));
    story.start("web", Wait::Yes);
    story.told.clear();
    story.hook_ends(FAILED);
    story.tells(&["WARN web: pre_start failed: exit status 3", "!reply 5 SPAWN_ERROR: web"]);
}

#[test]
fn the_end_of_a_cancelled_hook_means_nothing() {
    let mut story = web(only("pre_start")).begun();
    let (hook, ..) = story.hooks[0].clone();
    story.stop("web", Wait::Yes);
    story.told.clear();
    story.input(Input::TaskEnded { child: ChildId::Hook(hook), end: DONE, output: Vec::new() });
    story.tells(&[]);
    assert_eq!(story.state("web"), ProcessState::Stopped);
}

#[test]
fn post_start_waits_for_readiness_and_its_failure_is_a_warning() {
    let checks = vec![ReadyCheck::Notify];
    let readiness = Some(Box::new(ReadinessSpec::new(checks)));
    let mut story = web(ProcessSpec { readiness, ..only("post_start") }).begun();
    story.pass(3.0);
    assert!(story.hooks.is_empty());
    story.input(Input::ReadyReported { process: story.id("web"), pid: Pid(101), check: 0 });
    story.told.clear();
    story.hook_ends(FAILED);
    story.tells(&["WARN web: post_start failed: exit status 3"]);
    assert_eq!(story.state("web"), ProcessState::Running);
}

#[test]
fn a_program_that_ends_ends_its_post_start() {
    let mut story = web(only("post_start")).begun();
    story.pass(2.0);
    story.told.clear();
    story.exits("web", 1);
    story.tells(&[
        "WARN exited: web (exit status 1; not expected)",
        "INFO web: post_start is cancelled",
        "!cancel Hook(TaskId(1))",
        "!spawn web",
        "INFO spawned: 'web' with pid 102",
        "INFO success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)",
        "INFO web: running post_start",
        "!post_start web (restart pid 102)",
    ]);
}

#[test]
fn pre_stop_that_hangs_leaves_time_for_the_stop_signal() {
    let mut story = running("pre_stop");
    story.stop("web", Wait::No);
    story.tells(&["INFO web: running pre_stop", "!pre_stop web (stop pid 101)", "!reply 1 done"]);
    story.pass(5.0);
    story.tells(&[
        "!cancel Hook(TaskId(1))",
        "WARN web: pre_stop timed out after 5 seconds",
        "!kill web SIGTERM",
    ]);
    story.pass(5.0);
    story.tells(&["WARN killing 'web' (101) with SIGKILL", "!kill web SIGKILL"]);

    let mut story = web(hooked(|hooks| hooks.timeout = Duration::from_secs(60))).begun();
    story.hook_ends(DONE);
    story.hook_ends(DONE);
    story.stop("web", Wait::No);
    story.pass(7.9);
    assert!(!story.told.contains(&"!kill web SIGTERM".to_owned()));
    story.pass(0.1);
    assert!(story.told.contains(&"!kill web SIGTERM".to_owned()), "two seconds before stopwaitsecs is over");
}

#[test]
fn pre_stop_that_fails_is_followed_by_the_stop_signal() {
    let mut story = running("pre_stop");
    story.stop("web", Wait::No);
    story.told.clear();
    story.hook_ends(FAILED);
    story.tells(&["WARN web: pre_stop failed: exit status 3", "!kill web SIGTERM"]);
}

#[test]
fn pre_stop_does_not_run_after_a_crash_or_before_it_is_up() {
    let mut story = running("pre_stop");
    story.exits("web", 1);
    assert!(story.hooks.is_empty());
    let mut story = web(ProcessSpec { start_secs: 5, ..only("pre_stop") }).begun();
    story.stop("web", Wait::No);
    assert!(story.hooks.is_empty());
    assert!(story.told.contains(&"!kill web SIGTERM".to_owned()));
}

#[test]
fn a_program_that_ends_ends_its_pre_stop() {
    let mut story = running("pre_stop");
    story.stop("web", Wait::Yes);
    story.told.clear();
    story.exits("web", 0);
    story.tells(&[
        "INFO stopped: web (exit status 0)",
        "INFO web: pre_stop is cancelled",
        "!cancel Hook(TaskId(1))",
        "!reply 1 done",
    ]);
}

#[test]
fn a_restart_waits_for_post_stop() {
    let mut story = running("post_stop");
    story.ends("web", KILLED);
    story.tells(&[
        "WARN exited: web (terminated by SIGKILL; not expected)",
        "INFO web: running post_stop",
        "!post_stop web (crash pid 101 signal SIGKILL)",
    ]);
    assert_eq!(
        (story.state("web"), story.description("web")),
        (ProcessState::Starting, "running post_stop".into())
    );
    story.pass(4.0);
    story.told.clear();
    story.hook_ends(FAILED);
    assert_eq!(story.told[..2], ["WARN web: post_stop failed: exit status 3", "!spawn web"]);
    // One that never ends is given up.
    story.exits("web", 1);
    story.told.clear();
    story.pass(15.0);
    assert_eq!(
        story.told[..3],
        ["!cancel Hook(TaskId(2))", "WARN web: post_stop timed out after 5 seconds", "!spawn web"]
    );
}

#[test]
fn a_stop_during_post_stop_keeps_it_down_and_waits_for_it() {
    let mut story = running("post_stop");
    story.exits("web", 1);
    story.stop("web", Wait::Yes);
    story.start("web", Wait::Yes);
    story.stop("web", Wait::Yes);
    assert_eq!(story.state("web"), ProcessState::Stopped);
    story.told.clear();
    story.hook_ends(DONE);
    story.tells(&["!reply 1 done", "!reply 3 done"]);
}

#[test]
fn requests_that_do_not_wait_are_answered_during_post_stop() {
    let mut story = running("post_stop");
    story.exits("web", 1);
    story.told.clear();
    story.stop("web", Wait::No);
    story.start("web", Wait::No);
    story.stop("web", Wait::No);
    story.tells(&["!reply 1 done", "!reply 2 done", "!reply 3 done"]);
    assert_eq!((story.state("web"), story.hooks.len()), (ProcessState::Stopped, 1));
}

#[test]
fn post_stop_waits_for_the_members_of_the_group() {
    let mut story =
        web(ProcessSpec { stop_as_group: true, kill_as_group: true, ..only("post_stop") }).begun();
    story.pass(1.0);
    story.members = Members::Some(vec![Pid(4000)]);
    story.stop("web", Wait::Yes);
    story.exits("web", 0);
    assert!(story.hooks.is_empty());
    story.members = Members::None;
    story.told.clear();
    story.pass(1.0);
    story.tells(&["INFO web: running post_stop", "!post_stop web (stop pid 101 code 0)"]);
    story.hook_ends(DONE);
    story.tells(&["!reply 1 done"]);
}

#[test]
fn on_failure_runs_once_when_it_is_fatal_and_after_post_stop() {
    let both = hooked(|hooks| (hooks.pre_start, hooks.post_start, hooks.pre_stop) = (None, None, None));
    let mut story = web(ProcessSpec { start_secs: 5, start_retries: StartRetries::Times(0), ..both }).begun();
    story.told.clear();
    story.exits("web", 7);
    story.tells(&[
        "WARN exited: web (exit status 7; not expected)",
        "INFO gave up: web entered FATAL state, too many start retries too quickly",
        "INFO web: running post_stop",
        "!post_stop web (crash pid 101 code 7)",
    ]);
    story.hook_ends(DONE);
    story.tells(&["INFO web: running on_failure", "!on_failure web (crash pid 101 code 7)"]);
    assert_eq!(story.hint("web").as_deref(), Some("running on_failure"));
    // A start does not wait for it.
    story.start("web", Wait::No);
    story.tells(&["!spawn web", "INFO spawned: 'web' with pid 102", "!reply 1 done"]);
    story.hook_ends(DONE);
    story.tells(&[]);
}

#[test]
fn on_failure_runs_for_a_dependency_and_for_a_command_that_is_not_there() {
    let mut story = web(ProcessSpec { start_retries: StartRetries::Times(0), ..only("on_failure") });
    story.spawn_errors.push_back("can't find command 'web'");
    let mut story = story.begun();
    assert_eq!(story.told.pop().as_deref(), Some("!on_failure web (crash)"));
    story.hook_ends(DONE);
    assert_eq!(story.supervisor.deadline(), None);
}

#[test]
fn a_shutdown_runs_pre_stop_and_post_stop_and_cancels_pre_start() {
    let waits = ProcessSpec { name: "late".to_owned(), group: "late".to_owned(), ..only("pre_start") };
    let both = hooked(|hooks| (hooks.pre_start, hooks.post_start) = (None, None));
    let mut story = Story::of(vec![alone(1, waits), alone(2, both)]).begun();
    story.told.clear();
    story.signal(Signal::TERM);
    story.tells(&[
        "WARN received SIGTERM indicating exit request",
        "INFO web: running pre_stop",
        "!pre_stop web (shutdown pid 101)",
        "INFO waiting for late, web to die",
    ]);
    // Nothing starts any more.
    story.hook_ends(DONE);
    assert_eq!(story.state("late"), ProcessState::Stopped);
    story.hook_ends(DONE);
    story.exits("web", 0);
    story.tells(&[
        "!kill web SIGTERM",
        "INFO stopped: web (exit status 0)",
        "INFO web: running post_stop",
        "!post_stop web (shutdown pid 101 code 0)",
    ]);
    story.hook_ends(DONE);
    story.tells(&["!stopped End"]);
}

#[test]
fn a_shutdown_ends_although_its_hooks_hang() {
    let mut story = web(hooked(|_| ())).begun();
    story.hook_ends(DONE);
    story.hook_ends(DONE);
    story.signal(Signal::TERM);
    story.pass(5.0);
    story.exits("web", 0);
    story.told.clear();
    story.pass(15.0);
    assert_eq!(story.told.last().map(String::as_str), Some("!stopped End"), "{:?}", story.told);
}

#[test]
fn shutdown_timeout_and_a_second_request_kill_hooks_and_start_no_more() {
    let rules = Rules { shutdown_timeout_secs: Some(3), ..Rules::default() };
    for is_timeout in [true, false] {
        let mut story = end_of(rules.clone(), vec![alone(1, hooked(|_| ()))]).begun();
        story.hook_ends(DONE);
        story.hook_ends(DONE);
        story.signal(Signal::TERM);
        story.pass(if is_timeout { 2.9 } else { 1.5 });
        story.told.clear();
        if is_timeout {
            story.pass(0.1)
        } else {
            story.signal(Signal::TERM)
        }
        assert!(
            story.hooks.is_empty() && story.told.contains(&"!kill web SIGKILL".to_owned()),
            "{:?}",
            story.told
        );
        story.ends("web", KILLED);
        assert_eq!(story.told.last().map(String::as_str), Some("!stopped End"), "{:?}", story.told);
    }
}

#[test]
fn a_supervisor_that_ends_for_a_failure_waits_for_on_failure() {
    let vital = ProcessSpec {
        on_fatal: OnEnd::Shutdown,
        start_retries: StartRetries::Times(0),
        ..only("on_failure")
    };
    let mut story = web(vital);
    story.spawn_errors.push_back("no");
    let mut story = story.begun();
    assert_eq!(story.supervisor.state(), SupervisorState::Shutdown);
    assert!(!story.told.iter().any(|it| it.starts_with("!stopped")));
    story.hook_ends(DONE);
    assert!(story.told.last().unwrap().starts_with("!stopped 126"), "{:?}", story.told);
}

#[test]
fn an_update_waits_for_post_stop_and_says_why_it_stops() {
    let mut story = running("post_stop");
    story.next_groups = vec![alone(999, ProcessSpec { directory: Some("/".into()), ..only("post_stop") })];
    story.ask(Command::ReloadConfig);
    story.ask(Command::UpdateProcessGroup("web".to_owned()));
    story.told.clear();
    story.exits("web", 0);
    story.tells(&[
        "INFO stopped: web (exit status 0)",
        "INFO web: running post_stop",
        "!post_stop web (update pid 101 code 0)",
    ]);
    story.hook_ends(DONE);
    assert_eq!(story.told[0], "!spawn web");
}

#[test]
fn a_group_is_removed_once_post_stop_has_ended_and_without_waiting_for_on_failure() {
    let mut story = running("post_stop");
    story.stop("web", Wait::No);
    story.exits("web", 0);
    story.told.clear();
    story.ask(Command::RemoveProcessGroup("web".to_owned()));
    story.tells(&["!reply 2 STILL_RUNNING: web"]);
    story.hook_ends(DONE);
    story.ask(Command::RemoveProcessGroup("web".to_owned()));
    story.tells(&["!reply 3 done"]);

    let mut story = web(ProcessSpec { start_retries: StartRetries::Times(0), ..only("on_failure") });
    story.spawn_errors.push_back("no");
    let mut story = story.begun();
    story.told.clear();
    story.ask(Command::RemoveProcessGroup("web".to_owned()));
    assert!(story.hooks.is_empty());
    assert_eq!(story.told.last().map(String::as_str), Some("!reply 1 done"));
}

#[test]
fn a_job_that_is_due_again_waits_for_post_stop() {
    let hooks = only("post_stop").hooks;
    let job = ProcessSpec { hooks, ..schedules::job("@every 2s", |_| ()) };
    let mut story = web(job);
    story.at(Mono::default());
    let mut story = story.begun();
    story.pass(2.0);
    story.exits("job", 0);
    assert_eq!(story.state("job"), ProcessState::Exited);
    story.pass(2.0);
    assert_eq!(
        (story.state("job"), story.description("job")),
        (ProcessState::Starting, "running post_stop".into())
    );
    story.told.clear();
    story.hook_ends(DONE);
    assert_eq!(story.told[0], "!spawn job");
}

#[test]
fn a_lost_binding_takes_a_program_back_from_its_pre_start() {
    let bound = Dependency {
        name: "db".to_owned(),
        condition: None,
        is_optional: false,
        place: WrittenAt::default(),
    };
    let web = ProcessSpec { restart_with: vec![bound], ..only("pre_start") };
    let db = ProcessSpec { start_secs: 0, autorestart: AutoRestart::Never, ..spec("db") };
    let mut story = Story::of(vec![alone(1, db), alone(2, web)]).begun();
    assert_eq!(story.description("web"), "running pre_start");
    story.told.clear();
    story.exits("db", 0);
    assert!(story.hooks.is_empty(), "{:?}", story.told);
    assert_eq!(story.state("web"), ProcessState::Fatal, "{:?}", story.told);
    story.start("db", Wait::No);
    story.hook_ends(DONE);
    assert_eq!(story.state("web"), ProcessState::Running);
}

#[test]
fn a_dependency_that_is_lost_during_pre_start_is_waited_for_again() {
    let on_db = Dependency {
        name: "db".to_owned(),
        condition: None,
        is_optional: false,
        place: WrittenAt::default(),
    };
    let web = ProcessSpec { depends_on: vec![on_db], ..only("pre_start") };
    let db = ProcessSpec { start_secs: 2, autorestart: AutoRestart::Always, ..spec("db") };
    let mut story = Story::of(vec![alone(1, db), alone(1, web)]).begun();
    story.pass(2.0);
    assert_eq!(story.description("web"), "running pre_start");
    story.exits("db", 0);
    story.hook_ends(DONE);
    assert_eq!(story.description("web"), "waiting for db (ready)");
    story.pass(2.0);
    story.hook_ends(DONE);
    assert_eq!(story.state("web"), ProcessState::Running);
}

#[test]
fn what_a_program_depends_on_stops_after_its_post_stop() {
    let on_db = Dependency {
        name: "db".to_owned(),
        condition: None,
        is_optional: false,
        place: WrittenAt::default(),
    };
    let web = ProcessSpec { depends_on: vec![on_db], ..only("post_stop") };
    let db = ProcessSpec { start_secs: 0, ..spec("db") };
    let mut story = Story::of(vec![alone(1, db), alone(1, web)]).begun();
    story.ask(Command::StopAllProcesses(Wait::Yes));
    story.exits("web", 0);
    assert!(!story.told.contains(&"!kill db SIGTERM".to_owned()), "{:?}", story.told);
    story.hook_ends(DONE);
    assert!(story.told.contains(&"!kill db SIGTERM".to_owned()), "{:?}", story.told);
}

#[test]
fn hooks_learn_that_a_program_is_unhealthy() {
    let health = HealthSpec { retries: 1, ..HealthSpec::new(HealthCheck::Notify) };
    let limit = Some(RestartLimit { ends: 2, within: Duration::from_secs(600) });
    let policy = RestartDelays { limit, delay: Duration::ZERO, ..RestartDelays::default() };
    let checked = ProcessSpec {
        health: Some(health.into()),
        restart_policy: Some(policy.into()),
        ..hooked(|hooks| (hooks.pre_start, hooks.post_start) = (None, None))
    };
    let mut story = web(checked).begun();
    for end in ["!spawn web", "!on_failure web (unhealthy pid 102 code 0)"] {
        story.told.clear();
        let trigger = vec![Notification::WatchdogTrigger];
        story.input(Input::Notified { process: story.id("web"), notifications: trigger });
        story.hook_ends(DONE);
        story.exits("web", 0);
        story.pass(1.5);
        story.hook_ends(DONE);
        story.pass(0.0);
        for hook in ["!pre_stop web (unhealthy pid", "!post_stop web (unhealthy pid", end] {
            assert!(story.told.iter().any(|it| it.starts_with(hook)), "{hook}: {:?}", story.told);
        }
    }
}

#[test]
fn restarts_are_counted_for_hooks() {
    let mut story = web(only("pre_start")).begun();
    for _ in 0..2 {
        story.hook_ends(DONE);
        story.pass(2.0);
        story.exits("web", 1);
    }
    assert_eq!(story.told.last().map(String::as_str), Some("!pre_start web (restart)"));
    let environment = |story: &Story| {
        let process = story.supervisor.process(story.id("web")).unwrap();
        serde_json::to_value(process).unwrap()["hooks"]["restarts"].clone()
    };
    assert_eq!(environment(&story), 2);
    story.stop("web", Wait::No);
    story.start("web", Wait::No);
    assert_eq!(environment(&story), 0);
}
