//! `sv wait`: for scripts.
//!
//! A wait asks for the states once and then follows the events that come after that answer, so nothing is missed
//! and nothing is polled. The states are requested again only after an event that may have ended the hope for the
//! condition: whether an exit is followed by a restart is not part of the event.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::answers::{self, ProcessRow};
use super::exit;
use super::failure::{CallError, Failure, Outcome};
use super::follow::readable;
use super::is_running::error_is_2;
use super::screen::harmless;
use super::selection;
use super::session::Session;
use super::words::{ActionOptions, ActionWords, refuse};
use crate::model::{HealthInfo, HealthStatus, ProcessState, Signal};
use crate::sys::interrupts::HeldInterrupts;

/// The values of `--for`.
pub(super) const CONDITION_WORDS: [&str; 5] = ["running", "ready", "healthy", "done", "stopped"];

/// What `wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AwaitedCondition {
    Running,
    Healthy,
    Done,
    Stopped,
}

/// A process, and whether its end is followed by a restart.
#[derive(Debug)]
struct WatchedProcess {
    row: ProcessRow,
    will_restart: bool,
}

impl AwaitedCondition {
    fn named(word: &str) -> Option<Self> {
        Some(match word {
            // A process with `ready=` is RUNNING once it is ready.
            "running" | "ready" => Self::Running,
            "healthy" => Self::Healthy,
            "done" => Self::Done,
            "stopped" => Self::Stopped,
            _ => return None,
        })
    }

    fn holds(self, row: &ProcessRow) -> bool {
        let is_running = row.state == Some(ProcessState::Running);
        match self {
            Self::Running => is_running,
            Self::Healthy => is_running && !row.is_unhealthy(),
            Self::Done => row.is_done,
            Self::Stopped => row.state.is_some_and(ProcessState::is_stopped),
        }
    }

    /// Whether it will not hold unless the process is started. One that is STOPPED may be started soon, as in a
    /// supervisor that has just started itself.
    fn is_hopeless(self, process: &WatchedProcess) -> bool {
        let has_ended = match process.row.state {
            Some(ProcessState::Exited) => !process.will_restart,
            Some(ProcessState::Fatal | ProcessState::Unknown) | None => true,
            Some(_) => false,
        };
        has_ended && !self.holds(&process.row)
    }
}

const OPTIONS: ActionOptions = ActionOptions { action: "wait", flags: &[], valued: &["--for", "--timeout"] };

/// `wait [--for CONDITION] [--timeout SECONDS] NAME...`: exits with 0 when all of them meet the condition at the same
/// time, with 1 when one can't any more, with 124 when the time is over, with 2 after any error.
pub(super) fn wait_for(session: &mut Session, arg: &str) -> Outcome {
    let Some(words) = OPTIONS.parse(session, arg) else { return Ok(()) };
    let condition = AwaitedCondition::named(words.value("--for").unwrap_or("running"));
    match (condition, words.seconds("--timeout")) {
        (None, _) => {
            refuse(session, "wait", &format!("Error: --for is one of {}", CONDITION_WORDS.join(", ")));
        }
        (_, Err(why)) => refuse(session, "wait", &why),
        _ if words.names.is_empty() => refuse(session, "wait", "Error: wait requires a process name"),
        (Some(condition), Ok(timeout)) => {
            let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            session.set_deadline(deadline);
            let ended = until(session, &words, condition, deadline);
            session.set_deadline(None);
            return report_end(session, ended, deadline);
        }
    }
    Ok(())
}

/// A request that takes longer than the time that is left has timed out, like the wait.
fn report_end(session: &mut Session, ended: Outcome, deadline: Option<Instant>) -> Outcome {
    match ended {
        Err(Failure::Call(error @ (CallError::TimedOut { .. } | CallError::Connect(..))))
            if is_over(deadline) =>
        {
            let text = session.plain(&error);
            session.warn(format_args!("timed out: {text}"));
            session.fail(exit::TIMED_OUT);
            Ok(())
        }
        ended => error_is_2(session, ended),
    }
}

fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

fn until(
    session: &mut Session,
    words: &ActionWords<'_>,
    condition: AwaitedCondition,
    deadline: Option<Instant>,
) -> Outcome {
    // In a shell, Ctrl-C ends the wait and not the shell.
    let interrupts = session.is_interruptible().then(|| HeldInterrupts::back(&[Signal::INT])).transpose()?;
    loop {
        let Some((mut processes, newest)) = requested(session, words)? else { return Ok(()) };
        if processes.iter().all(|process| condition.holds(&process.row)) {
            return Ok(());
        }
        if let Some(lost) = processes.iter().find(|process| condition.is_hopeless(process)) {
            let (name, state) = (lost.row.namespec(), &lost.row.state_name);
            let why = if lost.row.description.is_empty() { "" } else { ": " };
            let line = format!("{name} is {state}{why}{}", lost.row.description);
            session.warn(harmless(&line));
            session.fail(exit::GENERIC);
            return Ok(());
        }
        match follow(session, (&mut processes, newest), condition, deadline, interrupts.as_ref())? {
            FollowEnd::Holds => return Ok(()),
            FollowEnd::TimedOut => {
                for process in processes.iter().filter(|process| !condition.holds(&process.row)) {
                    session.warn(harmless(&format!(
                        "timed out: {} is {}",
                        process.row.namespec(),
                        process.row.state_name
                    )));
                }
                session.fail(exit::TIMED_OUT);
                return Ok(());
            }
            FollowEnd::Interrupted => {
                session.say("");
                session.fail(exit::GENERIC);
                return Ok(());
            }
            FollowEnd::AskAgain => {}
        }
    }
}

/// The processes and the serial of the newest event; `None` after an error message.
fn requested(
    session: &mut Session,
    words: &ActionWords<'_>,
) -> Result<Option<(Vec<WatchedProcess>, u64)>, CallError> {
    let document = session.get("/api/v1/processes", "the state of all processes")?;
    let rows = answers::api_processes(&document);
    let selected = selection::named(session, &rows, &words.names);
    if !selected.is_complete {
        session.fail(exit::INVALID_ARGS);
        return Ok(None);
    }
    let watched = selected.positions.iter().map(|at| {
        let object = &document["processes"][at];
        WatchedProcess { row: answers::api_process(object), will_restart: !object["next_start_at"].is_null() }
    });
    Ok(Some((watched.collect(), document["newest_event"].as_u64().unwrap_or(0))))
}

/// Why events are no longer followed.
enum FollowEnd {
    Holds,
    TimedOut,
    Interrupted,
    AskAgain,
}

fn follow(
    session: &mut Session,
    (processes, newest): (&mut [WatchedProcess], u64),
    condition: AwaitedCondition,
    deadline: Option<Instant>,
    interrupts: Option<&HeldInterrupts>,
) -> Result<FollowEnd, Failure> {
    let mut stream = session.follow_events(Some(newest))?;
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let left = stream.silence_left().min(left.unwrap_or(Duration::MAX));
        let watched: Vec<_> =
            std::iter::once(stream.as_fd()).chain(interrupts.map(HeldInterrupts::as_fd)).collect();
        let ready = readable(&watched, Some(left))?;
        if interrupts.is_some_and(HeldInterrupts::take) {
            return Ok(FollowEnd::Interrupted);
        }
        if ready.first() != Some(&true) {
            if is_over(deadline) {
                return Ok(FollowEnd::TimedOut);
            }
            stream.check_silence()?;
            continue;
        }
        let Some(events) = stream.read()? else { return Ok(FollowEnd::AskAgain) };
        for event in events {
            let may_be_lost = event.is_gap || happened(processes, &event.data);
            if processes.iter().all(|process| condition.holds(&process.row)) {
                return Ok(FollowEnd::Holds);
            }
            if may_be_lost {
                return Ok(FollowEnd::AskAgain);
            }
        }
    }
}

/// Takes in an event. Whether the states have to be requested again: a process has ended, or groups have changed.
fn happened(processes: &mut [WatchedProcess], event: &Json) -> bool {
    let is_meant = |row: &ProcessRow| event["group"] == *row.group && event["name"] == *row.name;
    let text = |member: &str| event[member].as_str().unwrap_or_default();
    let mut has_ended = false;
    for WatchedProcess { row, .. } in processes.iter_mut().filter(|process| is_meant(&process.row)) {
        if text("kind") == "health" {
            let status = HealthStatus::named(text("status")).unwrap_or(HealthStatus::Starting);
            row.health = Some(HealthInfo { status, failure: None });
            continue;
        }
        row.state = ProcessState::named(text("to"));
        text("to").clone_into(&mut row.state_name);
        row.is_done = false;
        if let Some(health) = &mut row.health
            && row.state == Some(ProcessState::Starting)
        {
            health.status = HealthStatus::Starting;
        }
        has_ended |= row.state.is_none_or(ProcessState::is_stopped);
    }
    has_ended || text("kind") == "group"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn process(state: ProcessState) -> WatchedProcess {
        let row = ProcessRow {
            state: Some(state),
            state_name: state.name().to_owned(),
            ..ProcessRow::named("g", "web")
        };
        WatchedProcess { row, will_restart: false }
    }

    #[test]
    fn a_condition_holds_or_may_hold_or_can_not() {
        use ProcessState::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping, Unknown};
        // `+` holds, `?` may still, `-` can't: running, healthy, done, stopped.
        for (state, expected) in [
            (Stopped, "???+"),
            (Starting, "????"),
            (Running, "++??"),
            (Backoff, "????"),
            (Stopping, "????"),
            (Exited, "---+"),
            (Fatal, "---+"),
            (Unknown, "---+"),
        ] {
            let process = process(state);
            let conditions = ["running", "healthy", "done", "stopped"];
            let found =
                conditions.map(|word| AwaitedCondition::named(word).unwrap()).map(|condition| {
                    match (condition.holds(&process.row), condition.is_hopeless(&process)) {
                        (true, false) => '+',
                        (false, false) => '?',
                        (false, true) => '-',
                        (true, true) => '!',
                    }
                });
            assert_eq!(found.iter().collect::<String>(), expected, "{state}");
        }
        assert!(CONDITION_WORDS.iter().all(|word| AwaitedCondition::named(word).is_some()));
        let restarting = WatchedProcess { will_restart: true, ..process(Exited) };
        assert!(!AwaitedCondition::Running.is_hopeless(&restarting));
        let mut done = process(Exited);
        done.row.is_done = true;
        assert!(AwaitedCondition::Done.holds(&done.row) && !AwaitedCondition::Done.is_hopeless(&done));
    }

    #[test]
    fn events_of_the_process_change_its_state() {
        let mut processes = [process(ProcessState::Starting)];
        let changed = |to: &str| json!({"kind": "process", "group": "g", "name": "web", "to": to});
        let other = json!({"kind": "process", "group": "h", "name": "web", "to": "FATAL"});
        assert!(!happened(&mut processes, &other));
        assert_eq!(processes[0].row.state, Some(ProcessState::Starting));
        assert!(!happened(&mut processes, &changed("RUNNING")));
        assert!(AwaitedCondition::Healthy.holds(&processes[0].row));
        let health = |status: &str| json!({"kind": "health", "group": "g", "name": "web", "status": status});
        assert!(!happened(&mut processes, &health("unhealthy")));
        assert!(!AwaitedCondition::Healthy.holds(&processes[0].row));
        assert!(!happened(&mut processes, &health("healthy")));
        assert!(AwaitedCondition::Healthy.holds(&processes[0].row));
        // What was known of its health ends with the run.
        assert!(happened(&mut processes, &changed("EXITED")));
        assert!(!happened(&mut processes, &changed("STARTING")));
        assert!(!happened(&mut processes, &changed("RUNNING")));
        assert!(!AwaitedCondition::Healthy.holds(&processes[0].row));
        assert!(happened(&mut processes, &json!({"kind": "group", "group": "g", "change": "removed"})));
    }
}
