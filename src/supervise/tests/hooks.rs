//! Hooks.

use super::dependencies::dependency;
use super::*;

/// A program with all hooks, whose restarts come at once.
pub(super) fn with_hooks(change: impl FnOnce(&mut Hooks)) -> ProcessSpec {
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
    ProcessSpec { start_secs: 0, ..spec("web") }.with_lifecycle(|it| it.hooks = Some(hooks.into()))
}

/// With this hook alone.
fn only(hook: &str) -> ProcessSpec {
    with_hooks(|hooks| {
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

fn web(spec: ProcessSpec) -> Scenario {
    Scenario::of(vec![alone(999, spec)])
}

/// A running program with this hook alone; the log is cleared.
fn running(hook: &str) -> Scenario {
    let mut scenario = web(only(hook)).begin();
    scenario.pass(2.0);
    scenario.log.clear();
    scenario
}

const DONE: TaskEnd = TaskEnd::Exited(ExitStatus::Exited(0));
const FAILED: TaskEnd = TaskEnd::Exited(ExitStatus::Exited(3));

impl Scenario {
    /// The shell runs a hook.
    pub(super) fn begin_hook(&mut self, hook: TaskId, task: Task) {
        let value = |name: &str| {
            let found = task.environment.iter().find(|(it, _)| it == name);
            found.map(|(_, value)| value.clone())
        };
        let (point, reason) = (value("SV_HOOK").unwrap(), value("SV_REASON").unwrap());
        assert_eq!(task.command, format!("/hooks/{point}"));
        let details = [("pid", "SV_PID"), ("code", "SV_EXIT_CODE"), ("signal", "SV_EXIT_SIGNAL")];
        let details = details.iter().filter_map(|(word, name)| Some(format!(" {word} {}", value(name)?)));
        let (name, details) = (value("SV_NAME").unwrap(), details.collect::<String>());
        self.log.push(format!("!{point} {name} ({reason}{details})"));
        self.hook_restarts = value("SV_RESTARTS").unwrap();
        self.hooks.push((hook, task.process, point));
    }

    /// The oldest hook that runs ends.
    pub(super) fn end_hook(&mut self, end: TaskEnd) {
        let (hook, ..) = self.hooks.remove(0);
        self.input(Input::TaskEnded { child: ChildId::Hook(hook), end, output: Vec::new() });
    }

    fn hint(&self, name: &str) -> Option<String> {
        let turn = Turn { now: self.now, restarts_allowed: true, random: 0 };
        self.supervisor.process(self.id(name)).unwrap().info(&turn).hint
    }
}

#[test]
fn all_hooks_run_in_order() {
    let mut scenario = web(with_hooks(|_| ())).begin();
    scenario.expect_log(&["INFO web: running pre_start", "!pre_start web (start)"]);
    assert_eq!(
        (scenario.state("web"), scenario.description("web")),
        (ProcessState::Starting, "running pre_start".into())
    );
    scenario.end_hook(DONE);
    scenario.expect_log(&[
        "!spawn web",
        "INFO spawned: 'web' with pid 101",
        "INFO success: web entered RUNNING state, process has stayed up for > than 0 seconds (startsecs)",
        "INFO web: running post_start",
        "!post_start web (start pid 101)",
    ]);
    assert_eq!(scenario.description("web"), "pid 101, uptime 0:00:00");
    assert_eq!(scenario.hint("web").as_deref(), Some("running post_start"));
    scenario.end_hook(DONE);
    assert_eq!((scenario.hint("web"), scenario.supervisor.deadline()), (None, None));
    scenario.stop("web", Wait::Yes);
    scenario.expect_log(&[
        "INFO web: running pre_stop",
        "!pre_stop web (stop pid 101)",
        "INFO waiting for web to stop",
    ]);
    assert_eq!(
        (scenario.state("web"), scenario.description("web")),
        (ProcessState::Stopping, "running pre_stop".into())
    );
    scenario.end_hook(DONE);
    scenario.expect_log(&["!kill web SIGTERM"]);
    scenario.exit("web", 0);
    scenario.expect_log(&[
        "INFO stopped: web (exit status 0)",
        "INFO web: running post_stop",
        "!post_stop web (stop pid 101 code 0)",
    ]);
    assert_eq!(scenario.hint("web").as_deref(), Some("running post_stop"));
    scenario.end_hook(DONE);
    scenario.expect_log(&["!reply 1 done"]);
    assert_eq!((scenario.state("web"), scenario.supervisor.deadline()), (ProcessState::Stopped, None));
}

#[test]
fn pre_start_that_fails_is_a_failed_start() {
    let mut scenario =
        web(ProcessSpec { start_retries: StartRetries::Times(1), ..only("pre_start") }).begin();
    scenario.log.clear();
    scenario.end_hook(FAILED);
    scenario.expect_log(&["WARN web: pre_start failed: exit status 3"]);
    assert_eq!(scenario.state("web"), ProcessState::Backoff);
    assert_eq!(scenario.description("web"), "pre_start failed: exit status 3");
    scenario.pass(1.0);
    scenario.expect_log(&["INFO web: running pre_start", "!pre_start web (restart)"]);
    scenario.end_hook(TaskEnd::TimedOut);
    assert_eq!(scenario.state("web"), ProcessState::Fatal);
    assert_eq!(scenario.description("web"), "pre_start timed out after 5 seconds");
}

#[test]
fn pre_start_is_retried_after_a_resource_shortage() {
    let mut scenario =
        web(ProcessSpec { start_retries: StartRetries::Times(0), ..only("pre_start") }).begin();
    scenario.log.clear();
    scenario.end_hook(TaskEnd::NotRun(NotSpawned::for_shortage("too many open files".to_owned())));
    assert_eq!(scenario.state("web"), ProcessState::Backoff);
    scenario.pass(1.0);
    scenario.end_hook(DONE);
    assert_eq!(scenario.state("web"), ProcessState::Running);
    assert!(scenario.log.iter().any(|it| it.contains("shortage is over")), "{:?}", scenario.log);
}

#[test]
fn requests_to_start_are_answered_by_the_outcome_or_at_once() {
    let mut scenario = web(ProcessSpec { autostart: false, ..only("pre_start") }).begin();
    scenario.start("web", Wait::No);
    scenario.expect_log(&["INFO web: running pre_start", "!pre_start web (start)", "!reply 1 done"]);
    scenario.start("web", Wait::No);
    scenario.expect_log(&["!reply 2 ALREADY_STARTED: web"]);
    scenario.ask(Command::SignalProcess(Namespec::split("web"), Ok(Signal::HUP)));
    scenario.expect_log(&["!reply 3 NOT_RUNNING: web"]);
    scenario.stop("web", Wait::Yes);
    scenario.expect_log(&["INFO web: pre_start is cancelled", "!cancel Hook(TaskId(1))", "!reply 4 done"]);
    assert_eq!((scenario.state("web"), scenario.supervisor.deadline()), (ProcessState::Stopped, None));
    scenario.start("web", Wait::Yes);
    scenario.log.clear();
    scenario.end_hook(FAILED);
    scenario.expect_log(&["WARN web: pre_start failed: exit status 3", "!reply 5 SPAWN_ERROR: web"]);
}

#[test]
fn the_end_of_a_cancelled_hook_is_ignored() {
    let mut scenario = web(only("pre_start")).begin();
    let (hook, ..) = scenario.hooks[0].clone();
    scenario.stop("web", Wait::Yes);
    scenario.log.clear();
    scenario.input(Input::TaskEnded { child: ChildId::Hook(hook), end: DONE, output: Vec::new() });
    scenario.expect_log(&[]);
    assert_eq!(scenario.state("web"), ProcessState::Stopped);
}

#[test]
fn post_start_waits_for_readiness_and_its_failure_is_a_warning() {
    let checks = vec![ReadyCheck::Notify];
    let readiness = Some(Box::new(ReadinessSpec::new(checks)));
    let mut scenario = web(only("post_start").with_lifecycle(|it| it.readiness = readiness)).begin();
    scenario.pass(3.0);
    assert!(scenario.hooks.is_empty());
    scenario.input(Input::ReadyReported { process: scenario.id("web"), pid: Pid(101), check: 0 });
    scenario.log.clear();
    scenario.end_hook(FAILED);
    scenario.expect_log(&["WARN web: post_start failed: exit status 3"]);
    assert_eq!(scenario.state("web"), ProcessState::Running);
}

#[test]
fn the_end_of_a_program_cancels_its_post_start() {
    let mut scenario = web(only("post_start")).begin();
    scenario.pass(2.0);
    scenario.log.clear();
    scenario.exit("web", 1);
    scenario.expect_log(&[
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
    let mut scenario = running("pre_stop");
    scenario.stop("web", Wait::No);
    scenario.expect_log(&["INFO web: running pre_stop", "!pre_stop web (stop pid 101)", "!reply 1 done"]);
    scenario.pass(5.0);
    scenario.expect_log(&[
        "!cancel Hook(TaskId(1))",
        "WARN web: pre_stop timed out after 5 seconds",
        "!kill web SIGTERM",
    ]);
    scenario.pass(5.0);
    scenario.expect_log(&["WARN killing 'web' (101) with SIGKILL", "!kill web SIGKILL"]);

    let mut scenario = web(with_hooks(|hooks| hooks.timeout = Duration::from_secs(60))).begin();
    scenario.end_hook(DONE);
    scenario.end_hook(DONE);
    scenario.stop("web", Wait::No);
    scenario.pass(7.9);
    assert!(!scenario.log.contains(&"!kill web SIGTERM".to_owned()));
    scenario.pass(0.1);
    assert!(
        scenario.log.contains(&"!kill web SIGTERM".to_owned()),
        "two seconds before stopwaitsecs is over"
    );
}

#[test]
fn pre_stop_that_fails_is_followed_by_the_stop_signal() {
    let mut scenario = running("pre_stop");
    scenario.stop("web", Wait::No);
    scenario.log.clear();
    scenario.end_hook(FAILED);
    scenario.expect_log(&["WARN web: pre_stop failed: exit status 3", "!kill web SIGTERM"]);
}

#[test]
fn pre_stop_does_not_run_after_a_crash_or_before_it_is_up() {
    let mut scenario = running("pre_stop");
    scenario.exit("web", 1);
    assert!(scenario.hooks.is_empty());
    let mut scenario = web(ProcessSpec { start_secs: 5, ..only("pre_stop") }).begin();
    scenario.stop("web", Wait::No);
    assert!(scenario.hooks.is_empty());
    assert!(scenario.log.contains(&"!kill web SIGTERM".to_owned()));
}

#[test]
fn the_end_of_a_program_cancels_its_pre_stop() {
    let mut scenario = running("pre_stop");
    scenario.stop("web", Wait::Yes);
    scenario.log.clear();
    scenario.exit("web", 0);
    scenario.expect_log(&[
        "INFO stopped: web (exit status 0)",
        "INFO web: pre_stop is cancelled",
        "!cancel Hook(TaskId(1))",
        "!reply 1 done",
    ]);
}

#[test]
fn a_restart_waits_for_post_stop() {
    let mut scenario = running("post_stop");
    scenario.end("web", KILLED);
    scenario.expect_log(&[
        "WARN exited: web (terminated by SIGKILL; not expected)",
        "INFO web: running post_stop",
        "!post_stop web (crash pid 101 signal SIGKILL)",
    ]);
    assert_eq!(
        (scenario.state("web"), scenario.description("web")),
        (ProcessState::Starting, "running post_stop".into())
    );
    scenario.pass(4.0);
    scenario.log.clear();
    scenario.end_hook(FAILED);
    assert_eq!(scenario.log[..2], ["WARN web: post_stop failed: exit status 3", "!spawn web"]);
    // A hook that never ends is given up.
    scenario.exit("web", 1);
    scenario.log.clear();
    scenario.pass(15.0);
    assert_eq!(
        scenario.log[..3],
        ["!cancel Hook(TaskId(2))", "WARN web: post_stop timed out after 5 seconds", "!spawn web"]
    );
}

#[test]
fn a_stop_during_post_stop_keeps_it_down_and_waits_for_it() {
    let mut scenario = running("post_stop");
    scenario.exit("web", 1);
    scenario.stop("web", Wait::Yes);
    scenario.start("web", Wait::Yes);
    scenario.stop("web", Wait::Yes);
    assert_eq!(scenario.state("web"), ProcessState::Stopped);
    scenario.log.clear();
    scenario.end_hook(DONE);
    scenario.expect_log(&["!reply 1 done", "!reply 3 done"]);
}

#[test]
fn requests_that_do_not_wait_are_answered_during_post_stop() {
    let mut scenario = running("post_stop");
    scenario.exit("web", 1);
    scenario.log.clear();
    scenario.stop("web", Wait::No);
    scenario.start("web", Wait::No);
    scenario.stop("web", Wait::No);
    scenario.expect_log(&["!reply 1 done", "!reply 2 done", "!reply 3 done"]);
    assert_eq!((scenario.state("web"), scenario.hooks.len()), (ProcessState::Stopped, 1));
}

#[test]
fn post_stop_waits_for_the_members_of_the_group() {
    let mut scenario =
        web(ProcessSpec { stop_as_group: true, kill_as_group: true, ..only("post_stop") }).begin();
    scenario.pass(1.0);
    scenario.members = Members::Some(vec![Pid(4000)]);
    scenario.stop("web", Wait::Yes);
    scenario.exit("web", 0);
    assert!(scenario.hooks.is_empty());
    scenario.members = Members::None;
    scenario.log.clear();
    scenario.pass(1.0);
    scenario.expect_log(&["INFO web: running post_stop", "!post_stop web (stop pid 101 code 0)"]);
    scenario.end_hook(DONE);
    scenario.expect_log(&["!reply 1 done"]);
}

#[test]
fn on_failure_runs_once_when_it_is_fatal_and_after_post_stop() {
    let both = with_hooks(|hooks| (hooks.pre_start, hooks.post_start, hooks.pre_stop) = (None, None, None));
    let mut scenario =
        web(ProcessSpec { start_secs: 5, start_retries: StartRetries::Times(0), ..both }).begin();
    scenario.log.clear();
    scenario.exit("web", 7);
    scenario.expect_log(&[
        "WARN exited: web (exit status 7; not expected)",
        "INFO gave up: web entered FATAL state, too many start retries too quickly",
        "INFO web: running post_stop",
        "!post_stop web (crash pid 101 code 7)",
    ]);
    scenario.end_hook(DONE);
    scenario.expect_log(&["INFO web: running on_failure", "!on_failure web (crash pid 101 code 7)"]);
    assert_eq!(scenario.hint("web").as_deref(), Some("running on_failure"));
    // A start does not wait for it.
    scenario.start("web", Wait::No);
    scenario.expect_log(&["!spawn web", "INFO spawned: 'web' with pid 102", "!reply 1 done"]);
    scenario.end_hook(DONE);
    scenario.expect_log(&[]);
}

#[test]
fn on_failure_runs_for_a_dependency_and_for_a_command_that_is_not_there() {
    let mut scenario = web(ProcessSpec { start_retries: StartRetries::Times(0), ..only("on_failure") });
    scenario.spawn_errors.push_back("can't find command 'web'");
    let mut scenario = scenario.begin();
    assert_eq!(scenario.log.pop().as_deref(), Some("!on_failure web (crash)"));
    scenario.end_hook(DONE);
    assert_eq!(scenario.supervisor.deadline(), None);
}

#[test]
fn a_shutdown_runs_pre_stop_and_post_stop_and_cancels_pre_start() {
    let waits = ProcessSpec { name: "late".into(), group: "late".into(), ..only("pre_start") };
    let both = with_hooks(|hooks| (hooks.pre_start, hooks.post_start) = (None, None));
    let mut scenario = Scenario::of(vec![alone(1, waits), alone(2, both)]).begin();
    scenario.log.clear();
    scenario.signal(Signal::TERM);
    scenario.expect_log(&[
        "WARN received SIGTERM indicating exit request",
        "INFO web: running pre_stop",
        "!pre_stop web (shutdown pid 101)",
        "INFO waiting for late, web to die",
    ]);
    // Nothing else starts.
    scenario.end_hook(DONE);
    assert_eq!(scenario.state("late"), ProcessState::Stopped);
    scenario.end_hook(DONE);
    scenario.exit("web", 0);
    scenario.expect_log(&[
        "!kill web SIGTERM",
        "INFO stopped: web (exit status 0)",
        "INFO web: running post_stop",
        "!post_stop web (shutdown pid 101 code 0)",
    ]);
    scenario.end_hook(DONE);
    scenario.expect_log(&["!stopped End"]);
}

#[test]
fn a_shutdown_ends_although_its_hooks_hang() {
    let mut scenario = web(with_hooks(|_| ())).begin();
    scenario.end_hook(DONE);
    scenario.end_hook(DONE);
    scenario.signal(Signal::TERM);
    scenario.pass(5.0);
    scenario.exit("web", 0);
    scenario.log.clear();
    scenario.pass(15.0);
    assert_eq!(scenario.log.last().map(String::as_str), Some("!stopped End"), "{:?}", scenario.log);
}

#[test]
fn shutdown_timeout_and_a_second_request_kill_hooks_and_start_no_more() {
    let rules = Rules { shutdown_timeout_secs: Some(3), ..Rules::default() };
    for is_timeout in [true, false] {
        let mut scenario = end_of(rules.clone(), vec![alone(1, with_hooks(|_| ()))]).begin();
        scenario.end_hook(DONE);
        scenario.end_hook(DONE);
        scenario.signal(Signal::TERM);
        scenario.pass(if is_timeout { 2.9 } else { 1.5 });
        scenario.log.clear();
        if is_timeout {
            scenario.pass(0.1)
        } else {
            scenario.signal(Signal::TERM)
        }
        assert!(
            scenario.hooks.is_empty() && scenario.log.contains(&"!kill web SIGKILL".to_owned()),
            "{:?}",
            scenario.log
        );
        scenario.end("web", KILLED);
        assert_eq!(scenario.log.last().map(String::as_str), Some("!stopped End"), "{:?}", scenario.log);
    }
}

#[test]
fn a_supervisor_that_ends_for_a_failure_waits_for_on_failure() {
    let vital = ProcessSpec {
        on_fatal: OnEnd::Shutdown,
        start_retries: StartRetries::Times(0),
        ..only("on_failure")
    };
    let mut scenario = web(vital);
    scenario.spawn_errors.push_back("no");
    let mut scenario = scenario.begin();
    assert_eq!(scenario.supervisor.state(), SupervisorState::Shutdown);
    assert!(!scenario.log.iter().any(|it| it.starts_with("!stopped")));
    scenario.end_hook(DONE);
    assert!(scenario.log.last().unwrap().starts_with("!stopped 126"), "{:?}", scenario.log);
}

#[test]
fn an_update_waits_for_post_stop_and_says_why_it_stops() {
    let mut scenario = running("post_stop");
    scenario.next_groups = vec![alone(999, ProcessSpec { directory: Some("/".into()), ..only("post_stop") })];
    scenario.ask(Command::ReloadConfig);
    scenario.ask(Command::UpdateProcessGroup("web".to_owned()));
    scenario.log.clear();
    scenario.exit("web", 0);
    scenario.expect_log(&[
        "INFO stopped: web (exit status 0)",
        "INFO web: running post_stop",
        "!post_stop web (update pid 101 code 0)",
    ]);
    scenario.end_hook(DONE);
    assert_eq!(scenario.log[0], "!spawn web");
}

#[test]
fn a_group_is_removed_once_post_stop_has_ended_and_without_waiting_for_on_failure() {
    let mut scenario = running("post_stop");
    scenario.stop("web", Wait::No);
    scenario.exit("web", 0);
    scenario.log.clear();
    scenario.ask(Command::RemoveProcessGroup("web".to_owned()));
    scenario.expect_log(&["!reply 2 STILL_RUNNING: web"]);
    scenario.end_hook(DONE);
    scenario.ask(Command::RemoveProcessGroup("web".to_owned()));
    scenario.expect_log(&["!reply 3 done"]);

    let mut scenario = web(ProcessSpec { start_retries: StartRetries::Times(0), ..only("on_failure") });
    scenario.spawn_errors.push_back("no");
    let mut scenario = scenario.begin();
    scenario.log.clear();
    scenario.ask(Command::RemoveProcessGroup("web".to_owned()));
    assert!(scenario.hooks.is_empty());
    assert_eq!(scenario.log.last().map(String::as_str), Some("!reply 1 done"));
}

#[test]
fn a_job_that_is_due_again_waits_for_post_stop() {
    let hooks = only("post_stop").lifecycle.hooks.clone();
    let job = schedules::job("@every 2s", |_| ()).with_lifecycle(|it| it.hooks = hooks);
    let mut scenario = web(job);
    scenario.at(Mono::default());
    let mut scenario = scenario.begin();
    scenario.pass(2.0);
    scenario.exit("job", 0);
    assert_eq!(scenario.state("job"), ProcessState::Exited);
    scenario.pass(2.0);
    assert_eq!(
        (scenario.state("job"), scenario.description("job")),
        (ProcessState::Starting, "running post_stop".into())
    );
    scenario.log.clear();
    scenario.end_hook(DONE);
    assert_eq!(scenario.log[0], "!spawn job");
}

#[test]
fn a_lost_binding_cancels_pre_start() {
    let bound = dependency("db");
    let web = only("pre_start").with_lifecycle(|it| it.restart_with = vec![bound]);
    let db = ProcessSpec { start_secs: 0, autorestart: AutoRestart::Never, ..spec("db") };
    let mut scenario = Scenario::of(vec![alone(1, db), alone(2, web)]).begin();
    assert_eq!(scenario.description("web"), "running pre_start");
    scenario.log.clear();
    scenario.exit("db", 0);
    assert!(scenario.hooks.is_empty(), "{:?}", scenario.log);
    assert_eq!(scenario.state("web"), ProcessState::Fatal, "{:?}", scenario.log);
    scenario.start("db", Wait::No);
    scenario.end_hook(DONE);
    assert_eq!(scenario.state("web"), ProcessState::Running);
}

#[test]
fn a_dependency_lost_during_pre_start_is_awaited_again() {
    let on_db = dependency("db");
    let web = only("pre_start").with_lifecycle(|it| it.depends_on = vec![on_db]);
    let db = ProcessSpec { start_secs: 2, autorestart: AutoRestart::Always, ..spec("db") };
    let mut scenario = Scenario::of(vec![alone(1, db), alone(1, web)]).begin();
    scenario.pass(2.0);
    assert_eq!(scenario.description("web"), "running pre_start");
    scenario.exit("db", 0);
    scenario.end_hook(DONE);
    assert_eq!(scenario.description("web"), "waiting for db (ready)");
    scenario.pass(2.0);
    scenario.end_hook(DONE);
    assert_eq!(scenario.state("web"), ProcessState::Running);
}

#[test]
fn dependencies_stop_after_post_stop_of_their_dependents() {
    let on_db = dependency("db");
    let web = only("post_stop").with_lifecycle(|it| it.depends_on = vec![on_db]);
    let db = ProcessSpec { start_secs: 0, ..spec("db") };
    let mut scenario = Scenario::of(vec![alone(1, db), alone(1, web)]).begin();
    scenario.ask(Command::StopAllProcesses(Wait::Yes));
    scenario.exit("web", 0);
    assert!(!scenario.log.contains(&"!kill db SIGTERM".to_owned()), "{:?}", scenario.log);
    scenario.end_hook(DONE);
    assert!(scenario.log.contains(&"!kill db SIGTERM".to_owned()), "{:?}", scenario.log);
}

#[test]
fn hooks_receive_the_reason_unhealthy() {
    let health = HealthSpec { retries: 1, ..HealthSpec::new(HealthCheck::Notify) };
    let limit = Some(RestartLimit { ends: 2, within: Duration::from_secs(600) });
    let policy = RestartDelays { limit, delay: Duration::ZERO, ..RestartDelays::default() };
    let hooks = with_hooks(|hooks| (hooks.pre_start, hooks.post_start) = (None, None));
    let checked = hooks.with_lifecycle(|it| {
        (it.health, it.restart_policy) = (Some(health.into()), Some(policy.into()));
    });
    let mut scenario = web(checked).begin();
    for end in ["!spawn web", "!on_failure web (unhealthy pid 102 code 0)"] {
        scenario.log.clear();
        let trigger = vec![Notification::WatchdogTrigger];
        scenario.input(Input::Notified { process: scenario.id("web"), notifications: trigger });
        scenario.end_hook(DONE);
        scenario.exit("web", 0);
        scenario.pass(1.5);
        scenario.end_hook(DONE);
        scenario.pass(0.0);
        for hook in ["!pre_stop web (unhealthy pid", "!post_stop web (unhealthy pid", end] {
            assert!(scenario.log.iter().any(|it| it.starts_with(hook)), "{hook}: {:?}", scenario.log);
        }
    }
}

#[test]
fn restarts_are_counted_for_hooks() {
    let mut scenario = web(only("pre_start")).begin();
    for _ in 0..2 {
        scenario.end_hook(DONE);
        scenario.pass(2.0);
        scenario.exit("web", 1);
    }
    assert_eq!(scenario.log.last().map(String::as_str), Some("!pre_start web (restart)"));
    assert_eq!(scenario.hook_restarts, "2");
    scenario.stop("web", Wait::No);
    scenario.start("web", Wait::No);
    assert_eq!(scenario.hook_restarts, "0");
}

impl Scenario {
    /// SV_RESTARTS in `post_stop` after a run of this many seconds.
    fn restarts_after_run(&mut self, secs: f64) -> String {
        self.pass(secs);
        self.exit("web", 1);
        self.end_hook(DONE);
        self.pass(2.0);
        assert_eq!(self.state("web"), ProcessState::Running);
        self.hook_restarts.clone()
    }
}

#[test]
fn a_reset_by_the_program_counts_restarts_for_hooks_from_zero() {
    let mut scenario = web(only("post_stop")).begin();
    assert_eq!([1.0, 1.0].map(|secs| scenario.restarts_after_run(secs)), ["0", "1"]);
    scenario.notify(&[Notification::RestartReset]);
    assert_eq!([1.0, 1.0].map(|secs| scenario.restarts_after_run(secs)), ["0", "1"]);
}

#[test]
fn a_run_of_restart_reset_after_counts_restarts_for_hooks_from_zero() {
    let runs = [20.0, 8.0, 8.0, 20.0, 8.0];
    for (is_set, expected) in [(true, ["0", "1", "2", "0", "1"]), (false, ["0", "1", "2", "3", "4"])] {
        let policy = RestartDelays {
            reset_after: Duration::from_secs(15),
            delay_max: Duration::from_secs(1),
            ..RestartDelays::default()
        };
        let restart_policy = is_set.then(|| policy.into());
        let mut scenario =
            web(only("post_stop").with_lifecycle(|it| it.restart_policy = restart_policy)).begin();
        assert_eq!(runs.map(|secs| scenario.restarts_after_run(secs)), expected);
    }
}

/// An earlier run does not count.
#[test]
fn a_pre_start_that_fails_after_a_long_run_does_not_reset_the_delays() {
    let policy = RestartDelays { jitter_percent: 0, ..RestartDelays::default() };
    let tireless = ProcessSpec { start_retries: StartRetries::Forever, ..only("pre_start") };
    let mut scenario = web(tireless.with_lifecycle(|it| it.restart_policy = Some(policy.into()))).begin();
    scenario.end_hook(DONE);
    scenario.pass(100.0);
    scenario.exit("web", 1);
    scenario.pass(1.0);
    for expected in ["retry in 1 s (2nd)", "retry in 2 s (3rd)"] {
        scenario.end_hook(FAILED);
        assert_eq!(scenario.hint("web").as_deref(), Some(expected));
        scenario.pass(2.0);
    }
}
