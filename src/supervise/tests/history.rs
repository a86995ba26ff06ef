//! The history of a process and the event log.

use super::dependencies::dependency;
use super::*;
use crate::supervise::history::{EVENTS_KEPT, TRANSITIONS_KEPT};

/// Each transition as `FROM TO: reason`.
fn history(scenario: &Scenario, name: &str) -> Vec<String> {
    let process = scenario.supervisor.process(scenario.id(name)).unwrap();
    let text = |it: &Transition| format!("{} {}: {}", it.from, it.to, it.reason.text());
    process.history.transitions().map(text).collect()
}

fn counters(scenario: &Scenario, name: &str) -> RunCounters {
    scenario.supervisor.process(scenario.id(name)).unwrap().history.counters
}

#[test]
fn transitions_have_their_reasons() {
    let mut scenario = Scenario::one(|web| web.autorestart = AutoRestart::Unexpected).running();
    scenario.exit("web", 3);
    scenario.pass(2.0);
    scenario.stop("web", Wait::No);
    scenario.end("web", ExitStatus::Signaled { signal: Signal::TERM, core_dumped: false });
    scenario.start("web", Wait::No);
    scenario.exit("web", 1);
    let client = "a client of [unix_http_server] (uid 0)";
    assert_eq!(
        history(&scenario, "web"),
        [
            "STOPPED STARTING: started",
            "STARTING RUNNING: up for 1 s (startsecs)",
            "RUNNING EXITED: exit status 3 (not expected)",
            "EXITED STARTING: restarted",
            "STARTING RUNNING: up for 1 s (startsecs)",
            &format!("RUNNING STOPPING: stopped by {client}"),
            "STOPPING STOPPED: terminated by SIGTERM",
            &format!("STOPPED STARTING: started by {client}"),
            "STARTING BACKOFF: Exited too quickly (process log may have details)",
        ]
    );
    let expected = RunCounters {
        starts: 3,
        restarts: 1,
        failed_starts: 1,
        exits_expected: 0,
        exits_unexpected: 2,
        exits_by_signal: 1,
        exits_by_oom: 0,
    };
    assert_eq!(counters(&scenario, "web"), expected);
}

#[test]
fn the_sender_of_a_request_is_the_reason_of_its_later_steps() {
    let groups = vec![alone(1, spec("web")), alone(1, spec("old"))];
    let mut scenario = Scenario::of(groups).running();
    scenario.ask(Command::RestartAllProcesses);
    scenario.exit("web", 0);
    scenario.exit("old", 0);
    scenario.pass(2.0);
    let by = |what: &str| format!("{what} by a client of [unix_http_server] (uid 0)");
    assert_eq!(history(&scenario, "web")[4], format!("STOPPED STARTING: {}", by("started")));

    scenario.next_groups = vec![alone(1, spec("new"))];
    scenario.ask(Command::Update(None));
    scenario.exit("web", 0);
    scenario.exit("old", 0);
    assert_eq!(history(&scenario, "new"), [format!("STOPPED STARTING: {}", by("started"))]);
    let events = scenario.supervisor.events_after(0, usize::MAX).events;
    let stops = events.iter().filter_map(|event| match &event.kind {
        LoggedEventKind::Process { name, transition, .. } if transition.to == ProcessState::Stopping => {
            Some(format!("{name} {}", transition.reason.text()))
        }
        _ => None,
    });
    let stops: Vec<_> = stops.collect();
    assert_eq!(stops[2..], ["web", "old"].map(|name| by(&format!("{name} stopped"))));
    // What happens by itself has no sender.
    scenario.exit("new", 1);
    scenario.pass(2.0);
    assert!(!history(&scenario, "new").last().unwrap().contains("by a client"));
}

#[test]
fn a_shutdown_is_the_reason_of_its_stops() {
    let mut scenario = Scenario::one(|_| ()).running();
    scenario.ask(Command::Shutdown);
    let last = history(&scenario, "web").pop().unwrap();
    assert_eq!(last, "RUNNING STOPPING: the supervisor is shutting down");
    let events = scenario.supervisor.events_after(0, usize::MAX).events;
    let states: Vec<_> = events
        .iter()
        .filter_map(|event| match event.kind {
            LoggedEventKind::Supervisor(state) => Some(state),
            _ => None,
        })
        .collect();
    assert_eq!(states, [SupervisorState::Running, SupervisorState::Shutdown]);
}

#[test]
fn what_waits_says_so_and_then_starts() {
    let db = dependency("db");
    let web = spec("web").with_lifecycle(|it| it.depends_on = vec![db]);
    let scenario = Scenario::of(vec![alone(1, spec("db")), alone(2, web)]).running();
    let expected = ["STOPPED STARTING: waiting for its dependencies", "STARTING STARTING: started"];
    assert_eq!(history(&scenario, "web")[..2], expected);
}

#[test]
fn a_history_survives_an_update_that_replaces_the_process() {
    let mut scenario = Scenario::one(|_| ()).running();
    let serials = |scenario: &Scenario| -> Vec<_> {
        let process = scenario.supervisor.process(scenario.id("web")).unwrap();
        process.history.transitions().map(|it| it.serial).collect()
    };
    let before = serials(&scenario);
    scenario.next_groups = vec![alone(999, ProcessSpec { command: "/bin/false".to_owned(), ..spec("web") })];
    scenario.ask(Command::ReloadConfig);
    scenario.ask(Command::UpdateProcessGroup("web".to_owned()));
    scenario.exit("web", 0);
    let after = serials(&scenario);
    assert!(after.starts_with(&before) && after.len() > before.len(), "{before:?} {after:?}");
    assert!(after.is_sorted());
    let stop = history(&scenario, "web")[2].clone();
    assert_eq!(stop, "RUNNING STOPPING: its configuration has changed");
    assert_eq!(counters(&scenario, "web").starts, 2);
}

#[test]
fn histories_and_the_event_log_are_bounded() {
    let mut scenario = Scenario::one(|web| web.autorestart = AutoRestart::Always).running();
    for _ in 0..EVENTS_KEPT {
        scenario.exit("web", 0);
        scenario.pass(2.0);
    }
    assert_eq!(history(&scenario, "web").len(), TRANSITIONS_KEPT);
    let part = scenario.supervisor.events_after(0, usize::MAX);
    assert_eq!(part.events.len(), EVENTS_KEPT);
    assert!(part.has_gap && part.newest > EVENTS_KEPT as u64);
}

#[test]
fn the_event_log_names_processes_that_are_gone() {
    let mut scenario = Scenario::of(vec![alone(1, spec("web")), alone(2, spec("db"))]).running();
    let named = |supervisor: &Supervisor, wanted: &str| {
        let events = supervisor.events_after(0, usize::MAX).events;
        let mut serials = Vec::new();
        for LoggedEvent { serial, kind, .. } in events {
            if let LoggedEventKind::Process { group, name, transition } = kind
                && name == wanted
            {
                assert_eq!((&*group, transition.serial), (wanted, serial));
                serials.push(serial);
            }
        }
        serials
    };
    scenario.ask(Command::StopProcess(Namespec::split("web"), Wait::No));
    scenario.exit("web", 0);
    let before = named(&scenario.supervisor, "web");
    assert_eq!(before.len(), 4, "STARTING, RUNNING, STOPPING and STOPPED");
    scenario.ask(Command::RemoveProcessGroup("web".to_owned()));
    assert_eq!(named(&scenario.supervisor, "web"), before);
    let identity = Identity { identifier: "supervisor".to_owned(), pid: 1 };
    let next = scenario.supervisor.succeed(identity, vec![alone(1, spec("db"))]);
    assert_eq!(named(&next, "web"), before);
    assert_eq!(named(&next, "db"), named(&scenario.supervisor, "db"));
}
