//! How processes end and change their states, in words.

use serde_json::Value as Json;

use super::screen::{harmless, shown};
use crate::model::Signal;
use crate::sys::spawn_failures::is_of_step;

/// `exit 3`, `SIGKILL`, for a column. `None` if there was no end.
pub(super) fn short(end: &Json) -> Option<String> {
    match end["exit_code"].as_i64() {
        Some(code) => Some(format!("exit {code}")),
        None if end["out_of_memory"] == true => Some("OOM kill".to_owned()),
        None => end["signal"].as_str().map(|signal| harmless(signal).into_owned()),
    }
}

/// `exit status 127 (command not found)`, `terminated by SIGKILL`. `None` if there was no end. `reason` is what is known
/// about it otherwise.
pub(super) fn in_words(end: &Json, reason: &str) -> Option<String> {
    match end["exit_code"].as_i64() {
        Some(code) => Some(exit_status(code, reason)),
        None => end["signal"].as_str().map(|signal| {
            let cause = if end["out_of_memory"] == true { ", out of memory" } else { "" };
            format!("terminated by {}{cause}", harmless(signal))
        }),
    }
}

/// An exit status with its meaning, where shells have given it one. That of a child that could not become its program
/// means only this.
pub(super) fn exit_status(code: i64, reason: &str) -> String {
    let meaning = match code {
        _ if is_of_step(reason) => String::new(),
        126 => " (the command can't be executed)".to_owned(),
        127 => " (command not found)".to_owned(),
        129..=192 => match Signal::from_number(code - 128) {
            Some(signal) => format!(" (128+{}: a command was terminated by {signal})", code - 128),
            None => String::new(),
        },
        _ => String::new(),
    };
    format!("exit status {code}{meaning}")
}

/// A change of state of a process: `RUNNING -> EXITED, pid 12, exit status 1: reason`.
pub(super) fn transition(change: &Json) -> String {
    let text = |member: &str| shown(&change[member]);
    let pid = change["pid"].as_i64().map_or_else(String::new, |pid| format!(", pid {pid}"));
    let reason = text("reason");
    // Some reasons begin with the end.
    let end = in_words(&change["end"], &reason).filter(|end| !reason.starts_with(end.as_str()));
    let end = end.map_or_else(String::new, |end| format!(", {end}"));
    let separator = if reason.is_empty() { "" } else { ": " };
    format!("{} -> {}{pid}{end}{separator}{reason}", text("from"), text("to"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_end_that_the_reason_begins_with_is_said_once() {
        for (end, reason, expected) in [
            (7, "exit status 7 (not expected)", "A -> B, pid 5: exit status 7 (not expected)"),
            (0, "done", "A -> B, pid 5, exit status 0: done"),
            (127, "too quick", "A -> B, pid 5, exit status 127 (command not found): too quick"),
            (127, "cannot apply user: no", "A -> B, pid 5, exit status 127: cannot apply user: no"),
        ] {
            let end = json!({"exit_code": end, "signal": null});
            let change = json!({"from": "A", "to": "B", "pid": 5, "end": end, "reason": reason});
            assert_eq!(transition(&change), expected);
        }
    }

    #[test]
    fn ends_are_shown_short_and_in_words() {
        for (end, shown, words) in [
            (json!(null), None, None),
            (json!({"exit_code": 0, "signal": null}), Some("exit 0"), Some("exit status 0")),
            (
                json!({"exit_code": 127, "signal": null}),
                Some("exit 127"),
                Some("exit status 127 (command not found)"),
            ),
            (
                json!({"exit_code": 137, "signal": null}),
                Some("exit 137"),
                Some("exit status 137 (128+9: a command was terminated by SIGKILL)"),
            ),
            (json!({"exit_code": 128, "signal": null}), Some("exit 128"), Some("exit status 128")),
            (json!({"signal": "\x1b["}), Some("\\u{1b}["), Some("terminated by \\u{1b}[")),
            (
                json!({"exit_code": null, "signal": "SIGKILL", "out_of_memory": true}),
                Some("OOM kill"),
                Some("terminated by SIGKILL, out of memory"),
            ),
            (json!({"exit_code": null, "signal": "SIGSEGV"}), Some("SIGSEGV"), Some("terminated by SIGSEGV")),
        ] {
            assert_eq!((short(&end).as_deref(), in_words(&end, "").as_deref()), (shown, words));
        }
    }
}
