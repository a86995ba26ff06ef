//! The history of a process and the event log.

use super::*;
use crate::supervise::history::{EVENTS_KEPT, TRANSITIONS_KEPT};

/// Each transition as `FROM TO: reason`.
fn history(story: &Story, name: &str) -> Vec<String> {
    let process = story.supervisor.process(story.id(name)).unwrap();
    let text = |it: &Transition| format!("{} {}: {}", it.from, it.to, it.reason);
    process.history.transitions().map(text).collect()
}

fn counters(story: &Story, name: &str) -> RunCounters {
    story.supervisor.process(story.id(name)).unwrap().history.counters
}

#[test]
fn transitions_have_their_reasons() {
    let mut story = Story::one(|web| web.autorestart = AutoRestart::Unexpected).running();
    story.exits("web", 3);
    story.pass(2.0);
    story.stop("web", Wait::No);
    story.ends("web", ExitStatus::Signaled { signal: Signal::TERM, core_dumped: false });
    story.start("web", Wait::No);
    story.exits("web", 1);
    let client = "a client of [unix_http_server] (uid 0)";
    assert_eq!(
        history(&story, "web"),
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
    };
    assert_eq!(counters(&story, "web"), expected);
}

#[test]
fn a_shutdown_is_the_reason_of_its_stops() {
    let mut story = Story::one(|_| ()).running();
    story.ask(Command::Shutdown);
    let last = history(&story, "web").pop().unwrap();
    assert_eq!(last, "RUNNING STOPPING: the supervisor is shutting down");
    let events = story.supervisor.events_after(0, usize::MAX).events;
    let states: Vec<_> = events
        .iter()
        .filter_map(|event| match event.what {
            Happening::Supervisor(state) => Some(state),
            _ => None,
        })
        .collect();
    assert_eq!(states, [SupervisorState::Running, SupervisorState::Shutdown]);
}

#[test]
fn what_waits_says_so_and_then_starts() {
    let db = Dependency {
        name: "db".to_owned(),
        condition: None,
        is_optional: false,
        place: WrittenAt::default(),
    };
    let web = ProcessSpec { depends_on: vec![db], ..spec("web") };
    let story = Story::of(vec![alone(1, spec("db")), alone(2, web)]).running();
    let expected = ["STOPPED STARTING: waiting for its dependencies", "STARTING STARTING: started"];
    assert_eq!(history(&story, "web")[..2], expected);
}

#[test]
fn a_history_survives_an_update_that_replaces_the_process() {
    let mut story = Story::one(|_| ()).running();
    let serials = |story: &Story| -> Vec<_> {
        let process = story.supervisor.process(story.id("web")).unwrap();
        process.history.transitions().map(|it| it.serial).collect()
    };
    let before = serials(&story);
    story.next_groups = vec![alone(999, ProcessSpec { command: "/bin/false".to_owned(), ..spec("web") })];
    story.ask(Command::ReloadConfig);
    story.ask(Command::UpdateProcessGroup("web".to_owned()));
    story.exits("web", 0);
    let after = serials(&story);
    assert!(after.starts_with(&before) && after.len() > before.len(), "{before:?} {after:?}");
    assert!(after.is_sorted());
    let stop = history(&story, "web")[2].clone();
    assert_eq!(stop, "RUNNING STOPPING: its configuration has changed");
    assert_eq!(counters(&story, "web").starts, 2);
}

#[test]
fn histories_and_the_event_log_are_bounded() {
    let mut story = Story::one(|web| web.autorestart = AutoRestart::Always).running();
    for _ in 0..EVENTS_KEPT {
        story.exits("web", 0);
        story.pass(2.0);
    }
    assert_eq!(history(&story, "web").len(), TRANSITIONS_KEPT);
    let part = story.supervisor.events_after(0, usize::MAX);
    assert_eq!(part.events.len(), EVENTS_KEPT);
    assert!(part.has_gap && part.newest > EVENTS_KEPT as u64);
}
