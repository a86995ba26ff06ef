//! `sv status --json`: the processes of a supervisor, for programs.
//!
//! An array with one object per process, one per line. Every member is always present; a missing value is
//! null. Members may be added, but none is ever removed or changes its type:
//!
//! * `name`, `group`, `state` (`RUNNING`), `description` as in `status`;
//! * `pid`, null without one; `uptime_secs`, null unless it has a pid;
//! * `started_at`, `stopped_at`: the times of the last start and stop, in seconds since 1970;
//! * `exit_status`, `term_signal` (`SIGTERM`): how it ended last, kept while it runs again; at most one of
//!   them is not null. A Supervisor in Python reports neither for a process that runs again or has failed to
//!   start, and never a signal;
//! * `spawn_error`: why it couldn't be started; `hint`: additional information, about that or
//!   about a running hook;
//! * `waiting_for`: what it waits for before it is spawned, an array of texts such as `db (ready)`; null if
//!   it does not wait;
//! * `health`: `starting`, `healthy` or `unhealthy`, null without a health check; `health_failure`: why the
//!   last check failed, null if it did not;
//! * `check_output`: what the command of the last failed check of health or readiness has printed, null if nothing;
//! * `status`: the status that the program reports by systemd's notify protocol;
//! * `stdout_logfile`, `stderr_logfile`: null for none.

use serde_json::{Map, Value as Json};

use crate::model::ProcessState;
use crate::xmlrpc::Value;

/// The rows of `getAllProcessInfo`, as text that ends in a newline.
pub(super) fn processes<'r>(rows: impl Iterator<Item = &'r Value>) -> String {
    array(rows.map(process))
}

/// An array with each object on a line of its own, as text that ends in a newline.
pub(super) fn array(objects: impl Iterator<Item = Json>) -> String {
    let objects: Vec<String> = objects.map(|object| object.to_string()).collect();
    if objects.is_empty() { "[]\n".to_owned() } else { format!("[\n{}\n]\n", objects.join(",\n")) }
}

fn process(row: &Value) -> Json {
    let number = |member: &str| row.get(member).and_then(Value::as_int).filter(|number| *number != 0);
    let text = |member: &str| row.get(member).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (pid, started_at, stopped_at) = (number("pid"), number("start"), number("stop"));
    // A clock that was set back makes the uptime unknown rather than negative.
    let uptime = pid.and(number("now").zip(started_at)).map(|(now, start)| (now - start).max(0));
    let waiting_for = row.get("waiting_for").and_then(Value::as_array);
    let waiting_for = waiting_for.map(|texts| texts.iter().filter_map(Value::as_str).collect::<Vec<_>>());
    let members: [(&str, Json); 19] = [
        ("name", text("name").into()),
        ("group", text("group").into()),
        ("state", text("statename").into()),
        ("description", text("description").into()),
        ("pid", pid.into()),
        ("uptime_secs", uptime.into()),
        ("started_at", started_at.into()),
        ("stopped_at", stopped_at.into()),
        ("exit_status", exit_status(row).into()),
        ("term_signal", text("last_term_signal").into()),
        ("spawn_error", text("spawnerr").into()),
        ("hint", text("hint").and_then(|hint| beyond(hint, text("spawnerr"))).into()),
        ("waiting_for", waiting_for.into()),
        ("health", text("health").into()),
        ("health_failure", text("health_failure").into()),
        ("check_output", text("check_output").into()),
        ("status", text("status").into()),
        ("stdout_logfile", text("stdout_logfile").into()),
        ("stderr_logfile", text("stderr_logfile").into()),
    ];
    let mut object = Map::new();
    for (name, value) in members {
        object.insert(name.to_owned(), value);
    }
    Json::Object(object)
}

/// What a hint adds to the error with which it begins.
fn beyond<'t>(hint: &'t str, error: Option<&str>) -> Option<&'t str> {
    match error.and_then(|error| hint.strip_prefix(error)) {
        Some("") => None,
        Some(rest) => rest.strip_prefix("; ").or(Some(hint)),
        None => Some(hint),
    }
}

/// The status of the last exit, if it has one. From a foreign server an exit is only certain if the process
/// has not been started since.
fn exit_status(row: &Value) -> Option<i64> {
    let number = |member: &str| row.get(member).and_then(Value::as_int);
    if row.get("ended_as_expected").is_some() {
        return number("last_exit_status");
    }
    let state = number("state").and_then(ProcessState::from_code);
    let is_of_an_end = matches!(state, Some(ProcessState::Exited | ProcessState::Stopped))
        && number("stop").is_some_and(|at| at != 0);
    number("exitstatus").filter(|status| is_of_an_end && *status >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_always_there() {
        let running = Value::members([
            ("name", "a\"b\u{e9}".into()),
            ("group", "g".into()),
            ("statename", "RUNNING".into()),
            ("description", "pid 7, uptime 0:00:09".into()),
            ("pid", 7.into()),
            ("start", 1000.into()),
            ("stop", 0.into()),
            ("now", 1009.into()),
            ("exitstatus", 0.into()),
            ("waiting_for", vec![Value::from("db (ready)")].into()),
            ("health", "unhealthy".into()),
            ("health_failure", "3 of 3 checks failed: no".into()),
            ("check_output", "no".into()),
            ("spawnerr", "".into()),
            ("stdout_logfile", "/l".into()),
            ("stderr_logfile", "".into()),
        ]);
        let ended = Value::members([
            ("stop", 1.into()),
            ("now", 9.into()),
            ("last_term_signal", "SIGKILL".into()),
            ("ended_as_expected", false.into()),
        ]);
        let expected = "[\n{\"check_output\":\"no\",\"description\":\"pid 7, uptime 0:00:09\",\"exit_status\":null,\"group\":\"g\",\
            \"health\":\"unhealthy\",\"health_failure\":\"3 of 3 checks failed: no\",\"hint\":null,\
            \"name\":\"a\\\"b\u{e9}\",\"pid\":7,\"spawn_error\":null,\"started_at\":1000,\"state\":\"RUNNING\",\
            \"status\":null,\"stderr_logfile\":null,\"stdout_logfile\":\"/l\",\"stopped_at\":null,\"term_signal\":null,\
            \"uptime_secs\":9,\"waiting_for\":[\"db (ready)\"]},\n\
            {\"check_output\":null,\"description\":null,\"exit_status\":null,\"group\":null,\"health\":null,\"health_failure\":null,\"hint\":null,\"name\":null,\"pid\":null,\
            \"spawn_error\":null,\"started_at\":null,\"state\":null,\"status\":null,\"stderr_logfile\":null,\
            \"stdout_logfile\":null,\"stopped_at\":1,\"term_signal\":\"SIGKILL\",\"uptime_secs\":null,\"waiting_for\":null}\n]\n";
        assert_eq!(processes([running, ended].iter()), expected);
        assert_eq!(processes([].iter()), "[]\n");
    }

    #[test]
    fn a_hint_does_not_repeat_the_error() {
        for (hint, error, expected) in [
            ("no x", Some("no x"), None),
            ("no x; retry in 1 s", Some("no x"), Some("retry in 1 s")),
            ("no xylophone", Some("no x"), Some("no xylophone")),
            ("retry in 1 s", Some("no x"), Some("retry in 1 s")),
            ("running post_start", None, Some("running post_start")),
        ] {
            assert_eq!(beyond(hint, error), expected, "{hint}");
        }
    }

    #[test]
    fn a_foreign_exit_status_counts_only_after_an_exit() {
        // State, stop, exitstatus.
        for (state, stop, code, expected) in [
            (ProcessState::Exited, 9, 3, Some(3)),
            (ProcessState::Stopped, 9, 0, Some(0)),
            (ProcessState::Stopped, 9, -1, None),
            (ProcessState::Stopped, 0, 0, None),
            (ProcessState::Running, 9, 0, None),
            (ProcessState::Fatal, 9, 0, None),
        ] {
            let members =
                [("state", state.code().into()), ("stop", stop.into()), ("exitstatus", code.into())];
            assert_eq!(exit_status(&Value::members(members)), expected, "{state} {stop} {code}");
        }
    }
}
