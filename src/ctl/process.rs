//! Actions on processes: `start`, `stop`, `restart`, `signal`, `clear`.
//!
//! They share one structure: `all`, `GROUP:*` or names as arguments, one line for each process, and an exit
//! code by its result. A [`Verb`] contains the methods and messages.

use std::iter;
use std::time::Instant;

use serde_json::{Value as Json, json};

use super::answers::{self, AnsweredRow};
use super::exit;
use super::explain;
use super::failure::{CallError, Failure, Outcome, fault, is_forbidden, plain_fault};
use super::json;
use super::session::Session;
use super::words::{ActionOptions, ActionWords, refuse};
use crate::model::{BatchLimits, Namespec};
use crate::xmlrpc::Value;

/// The differences between these actions.
struct Verb {
    /// The methods for all processes, for a group, for one.
    all: &'static str,
    group: Option<&'static str>,
    one: &'static str,
    /// The message of success.
    done: &'static str,
    /// The other messages, by fault code; [`FAULT_TEXT`] uses the text of the fault.
    problems: &'static [(i64, &'static str)],
    /// The fault for an action that was not necessary: it is printed but is not a failure.
    harmless: i64,
    /// The exit code for an unknown group.
    no_group: u8,
}

const FAULT_TEXT: &str = "";

const START: Verb = Verb {
    all: "supervisor.startAllProcesses",
    group: Some("supervisor.startProcessGroup"),
    one: "supervisor.startProcess",
    done: "started",
    problems: &[
        (fault::BAD_NAME, "no such process"),
        (fault::NO_FILE, "no such file"),
        (fault::NOT_EXECUTABLE, "file is not executable"),
        (fault::ALREADY_STARTED, "already started"),
        (fault::SPAWN_ERROR, "spawn error"),
        (fault::ABNORMAL_TERMINATION, "abnormal termination"),
    ],
    harmless: fault::ALREADY_STARTED,
    no_group: exit::INVALID_ARGS,
};

/// Both at once, in the supervisor.
const ROLLING: Verb = Verb { done: "restarted", harmless: fault::DONE, no_group: exit::GENERIC, ..START };

const SIGNAL_PROBLEMS: &[(i64, &str)] = &[
    (fault::BAD_NAME, "no such process"),
    (fault::BAD_SIGNAL, "bad signal name"),
    (fault::NOT_RUNNING, "not running"),
    (fault::FAILED, FAULT_TEXT),
];

const STOP: Verb = Verb {
    all: "supervisor.stopAllProcesses",
    group: Some("supervisor.stopProcessGroup"),
    one: "supervisor.stopProcess",
    done: "stopped",
    problems: SIGNAL_PROBLEMS,
    harmless: fault::NOT_RUNNING,
    no_group: exit::GENERIC,
};

const SIGNAL: Verb = Verb {
    all: "supervisor.signalAllProcesses",
    group: Some("supervisor.signalProcessGroup"),
    one: "supervisor.signalProcess",
    done: "signalled",
    problems: SIGNAL_PROBLEMS,
    harmless: fault::DONE,
    no_group: exit::GENERIC,
};

const CLEAR: Verb = Verb {
    all: "supervisor.clearAllProcessLogs",
    // There is no method that clears a group: its processes are cleared one by one.
    group: None,
    one: "supervisor.clearProcessLogs",
    done: "cleared",
    problems: &[(fault::BAD_NAME, "no such process"), (fault::FAILED, "failed")],
    harmless: fault::DONE,
    no_group: exit::GENERIC,
};

/// `start NAME...`: waits for each process before it starts the next.
pub(super) fn start(session: &mut Session, arg: &str) -> Outcome {
    if session.upcheck()? && has_names(session, "start", arg, exit::INVALID_ARGS) {
        START.carry_out(session, &words(arg), None)?;
        explain::failed_starts(session)?;
    }
    Ok(())
}

/// `stop NAME...`
pub(super) fn stop(session: &mut Session, arg: &str) -> Outcome {
    if session.upcheck()? && has_names(session, "stop", arg, exit::GENERIC) {
        STOP.carry_out(session, &words(arg), None)?;
        explain::dependents(session)?;
    }
    Ok(())
}

const RESTART_OPTIONS: ActionOptions = ActionOptions {
    action: "restart",
    flags: &[("--rolling", ""), ("--json", "")],
    valued: &["--max-unavailable", "--timeout"],
};

/// `restart NAME...`: stops all, then starts all. As `sv` an unknown name is reported once.
pub(super) fn restart(session: &mut Session, arg: &str) -> Outcome {
    if session.is_sv() && words(arg).iter().any(|word| word.starts_with("--")) {
        let Some(words) = RESTART_OPTIONS.parse(session, arg) else { return Ok(()) };
        return restart_rolling(session, &words);
    }
    if !session.upcheck()? || !has_names(session, "restart", arg, exit::GENERIC) {
        return Ok(());
    }
    if !session.is_sv() {
        stop(session, arg)?;
        return start(session, arg);
    }
    let names = words(arg);
    let unknown = STOP.carry_out(session, &names, None)?;
    let known: Vec<&str> = names.into_iter().filter(|name| !unknown.iter().any(|it| it == name)).collect();
    if !known.is_empty() {
        START.carry_out(session, &known, None)?;
    }
    Ok(())
}

/// What `restart --rolling` keeps to.
struct RollingLimits {
    at_a_time: i64,
    /// Of all that it restarts.
    deadline: Option<Instant>,
}

impl RollingLimits {
    fn params(&self, name: &str) -> Vec<Value> {
        let left = self.deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let left_ms = left.map(|left| i32::try_from(left.as_millis()).unwrap_or(i32::MAX));
        let numbers = [Some(self.at_a_time), left_ms.map(i64::from)].into_iter().flatten().map(Value::Int);
        iter::once(name.into()).chain(numbers).collect()
    }
}

/// `restart --rolling [--max-unavailable N] [--timeout SECONDS] [--json] NAME...`: ends at the first failure, and with
/// exit code 124 when the time is over.
///
/// With `--json` it prints an array with one object per process: `full_name`, `group`, `name`, and `error`, null or why it
/// has failed. For a name that means nothing `group` and `name` are null.
fn restart_rolling(session: &mut Session, words: &ActionWords<'_>) -> Outcome {
    let at_a_time = words.value("--max-unavailable").map_or(Ok(1), str::parse::<i64>);
    let Some(at_a_time) = at_a_time.ok().filter(|number| *number > 0) else {
        refuse(session, "restart", "Error: --max-unavailable is a number of processes, at least 1");
        return Ok(());
    };
    let timeout = match words.seconds("--timeout") {
        Ok(timeout) => timeout,
        Err(why) => {
            refuse(session, "restart", &why);
            return Ok(());
        }
    };
    if !words.has("--rolling") {
        let given = ["--max-unavailable", "--timeout"].into_iter().find(|it| words.value(it).is_some());
        let option = given.unwrap_or("--json");
        refuse(session, "restart", &format!("Error: {option} requires --rolling"));
        return Ok(());
    }
    if !session.upcheck()? || !has_names(session, "restart", &words.names.join(" "), exit::INVALID_ARGS) {
        return Ok(());
    }
    let mut objects = words.has("--json").then(Vec::new);
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let limits = RollingLimits { at_a_time, deadline };
    let outcome = restart_in_turn(session, &words.names, &limits, &mut objects);
    // Also those that were restarted before the connection was lost.
    if let Some(objects) = objects {
        session.print(&json::array(objects.into_iter()));
    }
    outcome?;
    explain::failed_starts(session)
}

/// Adds to the objects, or prints lines if there are none to add to.
fn restart_in_turn(
    session: &mut Session,
    names: &[&str],
    limits: &RollingLimits,
    objects: &mut Option<Vec<Json>>,
) -> Outcome {
    for name in groups_for_all(session, names)? {
        let answer = session.call("sv.restartRolling", &limits.params(&name));
        let is_done = match (answer, &mut *objects) {
            (Ok(rows), objects) => {
                let rows = answers::bulk(&rows)?;
                match objects {
                    None => ROLLING.print_rows(session, &rows)?,
                    Some(objects) => objects.extend(ROLLING.objects(session, &rows)),
                }
                if rows.iter().any(|row| row.description.ends_with(BatchLimits::TIMED_OUT)) {
                    session.fail(exit::TIMED_OUT);
                }
                rows.iter().all(|row| row.status == fault::DONE)
            }
            (Err(CallError::Fault(fault::BAD_NAME, _)), objects) => {
                let (spec, suggestion) = (Namespec::split(&name), session.suggestion(&name));
                match objects {
                    None => session.say(answers::unknown(&spec, &suggestion)),
                    Some(objects) => {
                        let error = answers::no_such(&spec, &suggestion);
                        objects.push(json!({"full_name": name, "group": null, "name": null, "error": error}));
                    }
                }
                session.fail(exit::GENERIC);
                false
            }
            (Err(other), _) => return Err(other.into()),
        };
        if !is_done {
            break;
        }
    }
    Ok(())
}

/// The names, with all groups in place of `all`.
fn groups_for_all(session: &mut Session, names: &[&str]) -> Result<Vec<String>, CallError> {
    if !names.contains(&"all") {
        return session.expanded(names);
    }
    let rows = answers::processes(&session.call("supervisor.getAllProcessInfo", &[])?)?;
    let mut groups: Vec<String> = rows.iter().map(|row| format!("{}:*", row.group)).collect();
    groups.dedup();
    Ok(groups)
}

/// `clear NAME...`
pub(super) fn clear(session: &mut Session, arg: &str) -> Outcome {
    if session.upcheck()? && has_names(session, "clear", arg, exit::GENERIC) {
        CLEAR.carry_out(session, &words(arg), None)?;
    }
    Ok(())
}

/// `signal SIGNAL NAME...`
pub(super) fn signal(session: &mut Session, arg: &str) -> Outcome {
    if !session.upcheck()? {
        return Ok(());
    }
    let mut words = arg.split_whitespace();
    let signal = words.next().unwrap_or_default();
    let names: Vec<&str> = words.collect();
    if names.is_empty() {
        session.misused("signal", "Error: signal requires a signal name and a process name");
        return Ok(());
    }
    SIGNAL.carry_out(session, &names, Some(signal)).map(drop)
}

fn words(arg: &str) -> Vec<&str> {
    arg.split_whitespace().collect()
}

fn has_names(session: &mut Session, action: &str, arg: &str, code: u8) -> bool {
    if arg.is_empty() {
        session.misused(action, &format!("Error: {action} requires a process name"));
        session.fail(code);
    }
    !arg.is_empty()
}

impl Verb {
    /// Returns the unknown names.
    fn carry_out(
        &self,
        session: &mut Session,
        names: &[&str],
        signal: Option<&str>,
    ) -> Result<Vec<String>, Failure> {
        let mut unknown = Vec::new();
        if names.contains(&"all") {
            let rows = session.call(self.all, &params(None, signal))?;
            self.print_rows(session, &answers::bulk(&rows)?)?;
            return Ok(unknown);
        }
        for name in session.expanded(names)? {
            let spec = Namespec::split(&name);
            let is_known = match (&spec.process, self.group) {
                (Some(process), _) => self.to_one(session, &name, &spec.group, process, signal)?,
                (None, Some(method)) => self.to_group(session, method, &name, signal)?,
                (None, None) => self.to_each(session, &name)?,
            };
            if !is_known {
                unknown.push(name);
            }
        }
        Ok(unknown)
    }

    /// `false` if there is no such process.
    fn to_one(
        &self,
        session: &mut Session,
        namespec: &str,
        group: &str,
        process: &str,
        signal: Option<&str>,
    ) -> Result<bool, Failure> {
        let (status, description) = match session.call(self.one, &params(Some(namespec), signal)) {
            Ok(_) => (fault::DONE, String::new()),
            Err(CallError::Fault(code, text)) => (code, text),
            Err(other) => return Err(other.into()),
        };
        let row = AnsweredRow { group: group.to_owned(), name: process.to_owned(), status, description };
        self.print(session, &row)?;
        Ok(status != fault::BAD_NAME)
    }

    /// `false` if there is no such group.
    fn to_group(
        &self,
        session: &mut Session,
        method: &str,
        name: &str,
        signal: Option<&str>,
    ) -> Result<bool, Failure> {
        let group = Namespec::split(name).group;
        match session.call(method, &params(Some(&group), signal)) {
            Ok(rows) => self.print_rows(session, &answers::bulk(&rows)?)?,
            Err(CallError::Fault(fault::BAD_NAME, _)) => {
                self.report_unknown_group(session, name, &group);
                return Ok(false);
            }
            Err(other) => return Err(other.into()),
        }
        Ok(true)
    }

    /// COMPAT: the reference takes `clear GROUP:*` for a process called None.
    fn to_each(&self, session: &mut Session, name: &str) -> Result<bool, Failure> {
        let group = Namespec::split(name).group;
        let all = answers::processes(&session.call("supervisor.getAllProcessInfo", &[])?)?;
        let members: Vec<_> = all.iter().filter(|row| row.group == group).collect();
        if members.is_empty() {
            self.report_unknown_group(session, name, &group);
            return Ok(false);
        }
        for row in members {
            self.to_one(session, &format!("{group}:{}", row.name), &group, &row.name, None)?;
        }
        Ok(true)
    }

    fn report_unknown_group(&self, session: &mut Session, name: &str, group: &str) {
        let suggestion = session.suggestion(name);
        session.say(format_args!("{group}: ERROR (no such group{suggestion})"));
        session.fail(self.no_group);
    }

    /// COMPAT: as `sv` in the order of `status`; Supervisor's client prints them in the order of the answer,
    /// which is the order in which they finished.
    fn print_rows(&self, session: &mut Session, rows: &[AnsweredRow]) -> Outcome {
        if session.is_sv() {
            return by_name(rows).into_iter().try_for_each(|row| self.print(session, row));
        }
        rows.iter().try_for_each(|row| self.print(session, row))
    }

    /// The same as objects, for --json.
    fn objects(&self, session: &mut Session, rows: &[AnsweredRow]) -> Vec<Json> {
        let object = |row: &AnsweredRow| {
            self.record(session, row);
            let error = (row.status != fault::DONE).then(|| self.why(session, row));
            let full_name = Namespec::join(&row.group, &row.name);
            json!({"full_name": full_name, "group": row.group, "name": row.name, "error": error})
        };
        by_name(rows).into_iter().map(object).collect()
    }

    fn print(&self, session: &mut Session, row: &AnsweredRow) -> Outcome {
        let line = self.line(session, row)?;
        session.say(line);
        self.record(session, row);
        Ok(())
    }

    /// Keeps the result for the explanations that follow, and for the exit code.
    fn record(&self, session: &mut Session, row: &AnsweredRow) {
        session.record(&row.group, &row.name, row.status);
        if row.status != fault::DONE && row.status != self.harmless {
            session.fail(exit_code(row.status));
        }
    }

    fn line(&self, session: &mut Session, row: &AnsweredRow) -> Result<String, Failure> {
        let name = Namespec::join(&row.group, &row.name);
        if row.status == fault::DONE {
            return Ok(format!("{name}: {}", self.done));
        }
        if session.is_sv() {
            return Ok(format!("{name}: ERROR ({})", self.why(session, row)));
        }
        match self.problem(row.status) {
            Some(FAULT_TEXT) => Ok(row.description.clone()),
            Some(words) => Ok(format!("{name}: ERROR ({words})")),
            None => Err(Failure::UnknownResult(row.status, name)),
        }
    }

    /// The reason for a failure, as `sv` reports it.
    fn why(&self, session: &mut Session, row: &AnsweredRow) -> String {
        if let Some(why) = why_not_runnable(row) {
            return format!("{why}: check its command, and PATH");
        }
        match self.problem(row.status) {
            Some(words) if words != FAULT_TEXT && !is_forbidden(&row.description) => {
                let name = Namespec::join(&row.group, &row.name);
                let is_unknown = row.status == fault::BAD_NAME;
                let suggestion = if is_unknown { session.suggestion(&name) } else { String::new() };
                format!("{words}{suggestion}")
            }
            _ => plain_fault(row.status, &row.description),
        }
    }

    fn problem(&self, status: i64) -> Option<&'static str> {
        self.problems.iter().find(|(code, _)| *code == status).map(|(_, words)| *words)
    }
}

/// In the order of `status`.
fn by_name(rows: &[AnsweredRow]) -> Vec<&AnsweredRow> {
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_unstable_by_key(|row| (&row.group, &row.name));
    rows
}

/// Which file can't be run and why, if the supervisor reports it: `can't find command '/bin/x'`.
fn why_not_runnable(row: &AnsweredRow) -> Option<String> {
    let why = plain_fault(row.status, &row.description);
    let is_about_file = matches!(row.status, fault::NO_FILE | fault::NOT_EXECUTABLE);
    (is_about_file && why.contains("command")).then_some(why)
}

/// Names come before signals.
fn params(name: Option<&str>, signal: Option<&str>) -> Vec<Value> {
    name.into_iter().chain(signal).map(Value::from).collect()
}

/// A program that is not running has an exit code of its own.
fn exit_code(status: i64) -> u8 {
    match status {
        fault::SPAWN_ERROR | fault::ABNORMAL_TERMINATION | fault::NOT_RUNNING => exit::NOT_RUNNING,
        _ => exit::GENERIC,
    }
}
