//! Additional lines of `sv` for an action: why a start has failed, and which processes depend on a stopped
//! one.
//!
//! They go to standard error, so that standard output is the same as that of Supervisor's client.

use super::failure::{Failure, Outcome, fault};
use super::session::Session;
use crate::model::Namespec;
use crate::xmlrpc::Value;

/// Up to three lines for each process that could not be started: its state with the reason, its last exit,
/// and the location of its output.
pub(super) fn failed_starts(session: &mut Session) -> Outcome {
    let failed = session.take_results(&[fault::SPAWN_ERROR, fault::ABNORMAL_TERMINATION]);
    for row in details(session, &failed)? {
        for line in why(&row) {
            session.warn(line);
        }
    }
    Ok(())
}

/// One line for each stopped process that others still depend on.
pub(super) fn dependents(session: &mut Session) -> Outcome {
    let stopped = session.take_results(&[fault::DONE]);
    for row in details(session, &stopped)? {
        let needed_by = texts(&row, "needed_by");
        if let Some(line) = still_depends(&full_name(&row), &needed_by) {
            session.warn(line);
        }
    }
    Ok(())
}

/// The rows of these processes. Without names the server is not asked, and a server that lacks these fields
/// causes no error.
fn details(session: &mut Session, names: &[String]) -> Result<Vec<Value>, Failure> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let Ok(answer) = session.call("sv.getAllProcessInfo", &[]) else { return Ok(Vec::new()) };
    let rows = answer.as_array().unwrap_or_default().iter();
    Ok(rows.filter(|row| names.contains(&full_name(row))).cloned().collect())
}

fn full_name(row: &Value) -> String {
    Namespec::join(text(row, "group"), text(row, "name"))
}

fn text<'v>(row: &'v Value, member: &str) -> &'v str {
    row.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn texts<'v>(row: &'v Value, member: &str) -> Vec<&'v str> {
    let values = row.get(member).and_then(Value::as_array).unwrap_or_default();
    values.iter().filter_map(Value::as_str).collect()
}

fn why(row: &Value) -> Vec<String> {
    let name = full_name(row);
    let hint = Some(text(row, "hint")).filter(|hint| !hint.is_empty());
    let hint = hint.map_or_else(String::new, |hint| format!("; {hint}"));
    let mut lines =
        vec![format!("  {name} is {}: {}{hint}", text(row, "statename"), text(row, "description"))];
    let status =
        row.get("last_exit_status").and_then(Value::as_int).map(|code| format!("exit status {code}"));
    let signal = Some(text(row, "last_term_signal")).filter(|signal| !signal.is_empty());
    let Some(end) = status.or_else(|| signal.map(|signal| format!("terminated by {signal}"))) else {
        return lines;
    };
    lines.push(format!("  its last end: {end}"));
    lines.push(format!("  'sv logs {name}' shows its output"));
    lines
}

/// `web still runs and depends on db`, `web, api and worker still run and depend on db`.
fn still_depends(name: &str, needed_by: &[&str]) -> Option<String> {
    const NAMES_MAX: usize = 3;
    let (first, others) = needed_by.split_first()?;
    if others.is_empty() {
        return Some(format!("  {first} still runs and depends on {name}"));
    }
    let (shown, more) = needed_by.split_at(needed_by.len().min(NAMES_MAX));
    let names = if let (false, Some((last, before))) = (!more.is_empty(), shown.split_last()) {
        format!("{} and {last}", before.join(", "))
    } else {
        format!("{} and {} more", shown.join(", "), more.len())
    };
    Some(format!("  {names} still run and depend on {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependents_that_run_are_named_up_to_a_number() {
        for (needed_by, expected) in [
            (&[][..], None),
            (&["web"], Some("  web still runs and depends on db")),
            (&["web", "api"], Some("  web and api still run and depend on db")),
            (&["a", "b", "c"], Some("  a, b and c still run and depend on db")),
            (&["a", "b", "c", "d"], Some("  a, b, c and 1 more still run and depend on db")),
        ] {
            assert_eq!(still_depends("db", needed_by).as_deref(), expected);
        }
    }

    #[test]
    fn a_failed_start_is_explained_in_up_to_three_lines() {
        let row = |end: (&'static str, Value)| {
            Value::members([
                ("name", "web".into()),
                ("group", "g".into()),
                ("statename", "FATAL".into()),
                ("description", "db is FATAL: can't find command 'x'".into()),
                end,
            ])
        };
        let first = "  g:web is FATAL: db is FATAL: can't find command 'x'";
        assert_eq!(why(&row(("stop", 0.into()))), [first]);
        let expected = [first, "  its last end: exit status 3", "  'sv logs g:web' shows its output"];
        assert_eq!(why(&row(("last_exit_status", 3.into()))), expected);
        assert_eq!(
            why(&row(("last_term_signal", "SIGKILL".into())))[1],
            "  its last end: terminated by SIGKILL"
        );
    }
}
