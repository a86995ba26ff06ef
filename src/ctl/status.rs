//! Read-only actions: `status`, `pid`, `version`, `avail`.

use unicode_width::UnicodeWidthStr;

use super::answers::{self, ConfigRow, ProcessRow};
use super::exit;
use super::failure::{CallError, Outcome, fault};
use super::screen::harmless;
use super::session::Session;
use super::{json, wildcard};
use crate::model::{Namespec, ProcessState};

/// The minimum width of the name column.
const NAME_WIDTH_MIN: usize = 30;

/// As `sv`, the maximum width of the name column; a longer name only shifts its own row.
const NAME_WIDTH_MAX: usize = 48;

/// As `sv`, an option among the names.
const JSON: &str = "--json";

/// `status [NAME...]`: errors first, then the table. Exits with 3 if a process in the table is not running.
pub(super) fn status(session: &mut Session, arg: &str) -> Outcome {
    let mut names: Vec<&str> = arg.split_whitespace().collect();
    let wants_json = session.is_sv() && names.contains(&JSON);
    names.retain(|name| !(wants_json && *name == JSON));
    if wants_json {
        return status_json(session, &names);
    }
    let Some(all) = session.checked_processes()? else {
        session.fail(exit::STATUS_UNKNOWN);
        return Ok(());
    };
    let selected = select(session, &all, &names, false);
    show(session, selected.iter().map(|at| &all[*at]));
    fail_if_stopped(session, &all, &selected);
    Ok(())
}

/// `status --json [NAME...]`
fn status_json(session: &mut Session, names: &[&str]) -> Outcome {
    let Some(answer) = session.checked_process_info()? else {
        session.fail(exit::STATUS_UNKNOWN);
        return Ok(());
    };
    let all = answers::processes(&answer)?;
    let selected = select(session, &all, names, true);
    let values = answer.as_array().unwrap_or_default();
    session.print(&json::processes(selected.iter().map(|at| &values[*at])));
    fail_if_stopped(session, &all, &selected);
    Ok(())
}

fn fail_if_stopped(session: &mut Session, all: &[ProcessRow], selected: &[usize]) {
    if selected.iter().any(|at| all[*at].state.is_some_and(ProcessState::is_stopped)) {
        session.fail(exit::STATUS_NOT_RUNNING);
    }
}

/// The indexes of the rows that the names mean, those of all without names. Prints an error for a name that means none, on
/// stderr if stdout is for JSON.
fn select(session: &mut Session, all: &[ProcessRow], names: &[&str], is_json: bool) -> Vec<usize> {
    let names = wildcard::expand(names, all);
    if names.is_empty() || names.iter().any(|name| name == "all") {
        return (0..all.len()).collect();
    }
    names.iter().flat_map(|name| named(session, all, name, is_json)).collect()
}

fn named(session: &mut Session, all: &[ProcessRow], name: &str, is_json: bool) -> Vec<usize> {
    let spec = Namespec::split(name);
    let rows: Vec<usize> = (0..all.len()).filter(|at| all[*at].is_meant_by(&spec)).collect();
    if rows.is_empty() {
        let problem = answers::unknown(&spec, &session.suggestion(name));
        if is_json {
            session.warn(problem)
        } else {
            session.say(problem)
        }
        session.fail(exit::STATUS_UNKNOWN);
    }
    rows
}

fn show<'r>(session: &mut Session, rows: impl Iterator<Item = &'r ProcessRow>) {
    let named: Vec<(String, &ProcessRow)> = rows.map(|row| (row.namespec(), row)).collect();
    // Supervisor counts characters, and widens the column for all of them.
    let is_sv = session.is_sv();
    let width_of = |name: &str| if is_sv { name.width() } else { name.chars().count() };
    let widths = named.iter().map(|(name, _)| width_of(name));
    let longest = widths.filter(|width| !is_sv || *width <= NAME_WIDTH_MAX).max().unwrap_or(0);
    let width = longest.max(NAME_WIDTH_MIN);
    for (name, row) in named {
        let padding = " ".repeat(width.saturating_sub(width_of(&name)) + 3);
        let state = format!("{:<10}", row.state_name);
        let (on, off) = session.paint(row);
        let health = row.health.as_ref().map(ToString::to_string);
        let more = health.iter().chain(&row.hint).chain(&row.reported_status);
        // Parts of these come from programs. (Supervisor's client prints descriptions as they are.)
        let more: String = more.map(|text| format!("; {}", harmless(text))).collect();
        let description = if is_sv { harmless(&row.description) } else { row.description.as_str().into() };
        session.say(format_args!("{name}{padding}{on}{state}{off}{description}{more}"));
    }
}

/// `pid`, `pid all`, `pid NAME...`
pub(super) fn pid(session: &mut Session, arg: &str) -> Outcome {
    if !session.upcheck()? {
        return Ok(());
    }
    let names: Vec<&str> = arg.split_whitespace().collect();
    if names.is_empty() {
        let pid = answers::plain_number(&session.call("supervisor.getPID", &[])?)?;
        session.say(pid);
    } else if names.contains(&"all") {
        for row in answers::processes(&session.call("supervisor.getAllProcessInfo", &[])?)? {
            session.say(row.pid);
        }
    } else {
        for name in session.expanded(&names)? {
            pid_of(session, &name)?;
        }
    }
    Ok(())
}

fn pid_of(session: &mut Session, name: &str) -> Outcome {
    match session.call("supervisor.getProcessInfo", &[name.into()]) {
        Ok(info) => {
            let pid = answers::process(&info)?.pid;
            session.say(pid);
            if pid == 0 {
                session.fail(exit::NOT_RUNNING);
            }
        }
        Err(CallError::Fault(fault::BAD_NAME, _)) => {
            let suggestion = session.suggestion(name);
            session.say(format_args!("No such process {name}{suggestion}"));
            session.fail(exit::GENERIC);
        }
        Err(other) => return Err(other.into()),
    }
    Ok(())
}

/// `version`: Supervisor's number alone, or as `sv` the name of the server and its API version.
pub(super) fn version(session: &mut Session, arg: &str) -> Outcome {
    if session.refuses_arguments("version", arg) || !session.upcheck()? {
        return Ok(());
    }
    let version = answers::plain_text(&session.call("supervisor.getSupervisorVersion", &[])?)?;
    if !session.is_sv() {
        session.say(version);
        return Ok(());
    }
    match session.call("sv.getVersion", &[]) {
        Ok(own) => {
            session.say(format_args!("sv {} (speaks Supervisor {version})", answers::plain_text(&own)?));
        }
        Err(CallError::Fault(fault::UNKNOWN_METHOD, _)) => session.say(format_args!("Supervisor {version}")),
        Err(other) => return Err(other.into()),
    }
    Ok(())
}

/// `avail`
pub(super) fn avail(session: &mut Session, arg: &str) -> Outcome {
    if session.refuses_arguments("avail", arg) {
        return Ok(());
    }
    match session.call("supervisor.getAllConfigInfo", &[]) {
        Ok(rows) => {
            for row in answers::config(&rows)? {
                let line = available(&row, session.is_sv());
                session.say(line);
            }
            Ok(())
        }
        Err(CallError::Fault(fault::SHUTDOWN_STATE, _)) => {
            session.complain("ERROR: supervisor shutting down");
            Ok(())
        }
        Err(other) => Err(other.into()),
    }
}

fn available(row: &ConfigRow, is_sv: bool) -> String {
    let in_use = if row.in_use { "in use" } else { "avail" };
    let start = if row.autostart { "auto" } else { "manual" };
    let priorities = format!("{}:{}", row.group_priority, row.process_priority);
    let name = &row.namespec;
    let width = if is_sv { name.width() } else { name.chars().count() };
    let padding = " ".repeat(32_usize.saturating_sub(width));
    format!("{name}{padding} {in_use:<9} {start:<9} {priorities}")
}
