//! Additional lines of `sv` for an action: why a start has failed, and which processes depend on a stopped
//! one.
//!
//! They go to standard error, so that standard output is the same as that of Supervisor's client.

use super::ends;
use super::failure::{Failure, Outcome, fault};
use super::screen::{harmless, shortened};
use super::session::Session;
use super::why::last_lines;
use crate::model::Namespec;
use crate::xmlrpc::Value;

/// The lines of output shown of a process.
const OUTPUT_LINES: usize = 2;

/// A longer line of output is shortened to this many columns.
const LINE_WIDTH_MAX: usize = 160;

/// Up to three lines for each process that could not be started: its state with the reason and its last end, and the
/// last lines of its output or where to find more.
pub(super) fn failed_starts(session: &mut Session) -> Outcome {
    let failed = session.take_results(&[fault::SPAWN_ERROR, fault::ABNORMAL_TERMINATION]);
    for row in details(session, &failed)? {
        let (line, has_ended) = why(&row);
        session.warn(line);
        if !has_ended {
            continue;
        }
        let name = full_name(&row);
        match last_lines(session, &name, OUTPUT_LINES) {
            Some((channel, lines)) => {
                for line in lines {
                    let line = harmless(&line);
                    session.warn(format_args!("  {channel}: {}", shortened(&line, LINE_WIDTH_MAX)));
                }
            }
            None => session.warn(format_args!("  'sv why {name}' shows more")),
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

/// The first line, and whether the process has ever ended.
fn why(row: &Value) -> (String, bool) {
    let name = full_name(row);
    let hint = Some(text(row, "hint")).filter(|hint| !hint.is_empty());
    let reason = hint.unwrap_or_default();
    let hint = hint.map_or_else(String::new, |hint| format!("; {hint}"));
    let status = row.get("last_exit_status").and_then(Value::as_int);
    let status = status.map(|status| ends::exit_status(status, reason));
    let signal = Some(text(row, "last_term_signal")).filter(|signal| !signal.is_empty());
    let end = status.or_else(|| signal.map(|signal| format!("terminated by {signal}")));
    let has_ended = end.is_some();
    let end = end.map_or_else(String::new, |end| format!("; its last end: {end}"));
    let line = format!("  {name} is {}: {}{end}{hint}", text(row, "statename"), text(row, "description"));
    (harmless(&line).into_owned(), has_ended)
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
    fn a_failed_start_is_explained_by_its_reason_and_its_end() {
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
        assert_eq!(why(&row(("stop", 0.into()))), (first.to_owned(), false));
        for (end, words) in [
            (("last_exit_status", 3.into()), "exit status 3"),
            (("last_exit_status", 127.into()), "exit status 127 (command not found)"),
            (("last_term_signal", "SIGKILL".into()), "terminated by SIGKILL"),
        ] {
            assert_eq!(why(&row(end)), (format!("{first}; its last end: {words}"), true));
        }
    }
}
