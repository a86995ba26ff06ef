//! `sv events`: what has happened, and what happens.
//!
//! With `--json` each event is an object of the JSON API on a line of its own, also while they are followed.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use serde_json::Value as Json;

use super::answers;
use super::ends;
use super::failure::{CallError, Outcome};
use super::follow::wait;
use super::screen::{harmless, shown, table_columns, wrapped};
use super::selection;
use super::session::Session;
use super::words::{ActionOptions, refuse};
use crate::model::Signal;
use crate::sys::interrupts::HeldInterrupts;

const OPTIONS: ActionOptions =
    ActionOptions { action: "events", flags: &[("--follow", "-f"), ("--json", "")], valued: &["--since"] };

/// `events [-f] [--json] [--since SERIAL] [NAME...]`
pub(super) fn events(session: &mut Session, arg: &str) -> Outcome {
    let Some(words) = OPTIONS.parse(session, arg) else { return Ok(()) };
    let since = words.value("--since").map(str::parse::<u64>);
    let Ok(since) = since.transpose() else {
        refuse(session, "events", "Error: --since requires the serial of an event");
        return Ok(());
    };
    let Some(names) = known_names(session, &words.names)? else { return Ok(()) };
    let lines = if words.has("--json") { json_line } else { event_lines };
    if words.has("--follow") {
        return follow(session, since, &names, lines);
    }
    let mut last = since.unwrap_or(0);
    loop {
        let page = session.get(&format!("/api/v1/events?after={last}"), "the events")?;
        if page["missed"] == true && since.is_some() {
            report_gap(session);
        }
        let shown = page["events"].as_array().into_iter().flatten();
        let before = last;
        for event in shown {
            if is_wanted(event, &names) {
                session.print(&lines(event));
            }
            last = event["serial"].as_u64().unwrap_or(last);
        }
        if last == before || page["newest"].as_u64().is_none_or(|newest| newest <= last) {
            return Ok(());
        }
    }
}

/// The names that mean a process, or none for all; `None` if none of several does. The others are reported.
fn known_names<'n>(session: &mut Session, names: &[&'n str]) -> Result<Option<Vec<&'n str>>, CallError> {
    if names.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let rows = session.api_processes("the names of all processes")?;
    selection::named(session, &rows, names);
    let is_known = |name: &&str| *name == "all" || !selection::existing(&rows, &[name]).is_empty();
    let known: Vec<&str> = names.iter().copied().filter(is_known).collect();
    Ok((!known.is_empty()).then_some(known))
}

/// Whether an event is about what is named: a process, or a group as a whole.
fn is_wanted(event: &Json, names: &[&str]) -> bool {
    let row = answers::api_process(event);
    let is_meant = || !selection::existing(std::slice::from_ref(&row), names).is_empty();
    names.is_empty() || !row.group.is_empty() && is_meant()
}

fn report_gap(session: &mut Session) {
    session.warn("some events are missing here: they are no longer kept");
}

/// Until Ctrl-C, or until the server ends.
fn follow(session: &mut Session, since: Option<u64>, names: &[&str], lines: fn(&Json) -> String) -> Outcome {
    let interrupts = HeldInterrupts::back(&[Signal::INT])?;
    let mut stream = session.follow_events(since)?;
    let mut last = None;
    loop {
        let silence_left = stream.silence_left();
        let Ok(ready) = wait(&[interrupts.as_fd(), stream.as_fd()], Some(silence_left)) else {
            return Ok(());
        };
        if interrupts.take() {
            if io::stdout().is_terminal() {
                session.say("");
            }
            return Ok(());
        }
        if ready.get(1) != Some(&true) {
            stream.check_silence()?;
            continue;
        }
        let Some(events) = stream.read()? else {
            // A reader that was too slow is disconnected, and continues where it was.
            let Some(serial) = last.take() else { return Ok(()) };
            match session.follow_events(Some(serial)) {
                Ok(again) => stream = again,
                Err(CallError::Connect(..)) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            continue;
        };
        let mut text = String::new();
        for event in events {
            if event.is_gap {
                report_gap(session);
                continue;
            }
            last = event.data["serial"].as_u64();
            if is_wanted(&event.data, names) {
                text.push_str(&lines(&event.data));
            }
        }
        if session.pass_on(text.as_bytes()).is_err() {
            return Ok(());
        }
    }
}

fn json_line(event: &Json) -> String {
    format!("{event}\n")
}

/// For people: one line, or as many as the terminal needs.
fn event_lines(event: &Json) -> String {
    let (when, what) = line(event);
    let lines = wrapped(&format!("{when}{what}"), table_columns(), when.len());
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// When, and what: `7  2026-11-29T03:07:29.123Z  `, `web STARTING -> RUNNING, pid 12: up for 1 s (startsecs)`
fn line(event: &Json) -> (String, String) {
    let text = |member: &str| shown(&event[member]);
    let what = match event["kind"].as_str() {
        Some("process") => format!("{} {}", text("full_name"), ends::transition(event)),
        Some("health") => {
            let failure = text("failure");
            let separator = if failure.is_empty() { "" } else { ": " };
            format!("{} is {}{separator}{failure}", text("full_name"), text("status"))
        }
        Some("group") => format!("group {} was {}", text("group"), text("change")),
        Some("supervisor") => format!("the supervisor is {}", text("state")),
        _ => harmless(&event.to_string()).into_owned(),
    };
    (format!("{}  {}  ", event["serial"], text("at")), what)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_limit_events_to_processes_and_groups() {
        let of_process = json!({"kind": "process", "full_name": "web:a", "group": "web", "name": "a"});
        let of_group = json!({"kind": "group", "group": "web", "change": "added"});
        let of_supervisor = json!({"kind": "supervisor", "state": "SHUTDOWN"});
        for (names, wanted) in [
            (&[][..], [true, true, true]),
            (&["web:a"], [true, false, false]),
            (&["w*:a", "x"], [true, false, false]),
            (&["web:*"], [true, true, false]),
            (&["all"], [true, true, false]),
            (&["web:b"], [false, false, false]),
        ] {
            let events = [&of_process, &of_group, &of_supervisor];
            assert_eq!(events.map(|event| is_wanted(event, names)), wanted, "{names:?}");
        }
    }

    #[test]
    fn every_kind_of_event_is_one_line() {
        for (event, expected) in [
            (
                json!({"serial": 7, "at": "T", "kind": "process", "full_name": "g:web", "from": "STARTING",
                    "to": "RUNNING", "pid": 12, "end": null, "reason": "up for 1 s"}),
                "7  T  g:web STARTING -> RUNNING, pid 12: up for 1 s",
            ),
            (
                json!({"serial": 8, "at": "T", "kind": "process", "full_name": "web\x1b[2J", "from": "RUNNING",
                    "to": "EXITED", "pid": null, "end": {"exit_code": 1, "signal": null}, "reason": ""}),
                "8  T  web\\u{1b}[2J RUNNING -> EXITED, exit status 1",
            ),
            (
                json!({"serial": 9, "at": "T", "kind": "health", "full_name": "web", "status": "unhealthy",
                    "failure": "refused"}),
                "9  T  web is unhealthy: refused",
            ),
            (
                json!({"serial": 10, "at": "T", "kind": "group", "group": "web", "change": "added"}),
                "10  T  group web was added",
            ),
            (
                json!({"serial": 11, "at": "T", "kind": "supervisor", "state": "SHUTDOWN"}),
                "11  T  the supervisor is SHUTDOWN",
            ),
        ] {
            let (when, what) = line(&event);
            assert_eq!(when + &what, expected);
        }
    }
}
