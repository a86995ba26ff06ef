//! What is done to processes: `start`, `stop`, `restart`, `signal`, `clear`.
//!
//! They are one story told with other words: `all`, `GROUP:*` or names, a line for each process,
//! and an exit code by how it fared. A [`Verb`] holds the words.

use super::answers::{self, BulkRow};
use super::exit;
use super::failure::{CallError, Failure, Outcome, fault};
use super::session::Session;
use crate::model::Namespec;
use crate::xmlrpc::Value;

/// What makes one of these actions differ from the others.
struct Verb {
    /// Methods for all, for a group, for one.
    all: &'static str,
    group: Option<&'static str>,
    one: &'static str,
    /// What is said when it went well.
    done: &'static str,
    /// What is said otherwise, by fault code; [`OWN_WORDS`] has the fault speak for itself.
    problems: &'static [(i64, &'static str)],
    /// The fault that means that nothing was to be done: it is told but is no failure.
    harmless: i64,
    /// Exit code for a group that doesn't exist.
    no_group: u8,
}

const OWN_WORDS: &str = "";

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

const SIGNAL_PROBLEMS: &[(i64, &str)] = &[
    (fault::BAD_NAME, "no such process"),
    (fault::BAD_SIGNAL, "bad signal name"),
    (fault::NOT_RUNNING, "not running"),
    (fault::FAILED, OWN_WORDS),
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

/// `start NAME...`: each is waited for before the next begins.
pub(super) fn start(session: &mut Session, arg: &str) -> Outcome {
    if session.upcheck()? && has_names(session, "start", arg, exit::INVALID_ARGS) {
        START.carry_out(session, arg.split_whitespace().collect(), None)?;
    }
    Ok(())
}

/// `stop NAME...`
pub(super) fn stop(session: &mut Session, arg: &str) -> Outcome {
    if session.upcheck()? && has_names(session, "stop", arg, exit::GENERIC) {
        STOP.carry_out(session, arg.split_whitespace().collect(), None)?;
    }
    Ok(())
}

/// `restart NAME...`: all are stopped, then all are started.
pub(super) fn restart(session: &mut Session, arg: &str) -> Outcome {
    if session.upcheck()? && has_names(session, "restart", arg, exit::GENERIC) {
        stop(session, arg)?;
        start(session, arg)?;
    }
    Ok(())
}

/// `clear NAME...`
pub(super) fn clear(session: &mut Session, arg: &str) -> Outcome {
    if session.upcheck()? && has_names(session, "clear", arg, exit::GENERIC) {
        CLEAR.carry_out(session, arg.split_whitespace().collect(), None)?;
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
    SIGNAL.carry_out(session, names, Some(signal))
}

fn has_names(session: &mut Session, action: &str, arg: &str, code: u8) -> bool {
    if arg.is_empty() {
        session.misused(action, &format!("Error: {action} requires a process name"));
        session.fail(code);
    }
    !arg.is_empty()
}

impl Verb {
    fn carry_out(&self, session: &mut Session, names: Vec<&str>, signal: Option<&str>) -> Outcome {
        if names.contains(&"all") {
            let rows = session.call(self.all, &params(None, signal))?;
            return self.tell_rows(session, &answers::bulk(&rows)?);
        }
        for name in session.expanded(&names)? {
            let spec = Namespec::split(&name);
            match (&spec.process, self.group) {
                (Some(process), _) => self.to_one(session, &name, &spec.group, process, signal)?,
                (None, Some(method)) => self.to_group(session, method, &spec.group, signal)?,
                (None, None) => self.to_each(session, &spec.group)?,
            }
        }
        Ok(())
    }

    fn to_one(
        &self,
        session: &mut Session,
        namespec: &str,
        group: &str,
        process: &str,
        signal: Option<&str>,
    ) -> Outcome {
        let (status, description) = match session.call(self.one, &params(Some(namespec), signal)) {
            Ok(_) => (fault::DONE, String::new()),
            Err(CallError::Fault(code, text)) => (code, text),
            Err(other) => return Err(other.into()),
        };
        let row = BulkRow { group: group.to_owned(), name: process.to_owned(), status, description };
        self.tell(session, &row)
    }

    fn to_group(&self, session: &mut Session, method: &str, group: &str, signal: Option<&str>) -> Outcome {
        match session.call(method, &params(Some(group), signal)) {
            Ok(rows) => self.tell_rows(session, &answers::bulk(&rows)?),
            Err(CallError::Fault(fault::BAD_NAME, _)) => {
                self.tell_no_group(session, group);
                Ok(())
            }
            Err(other) => Err(other.into()),
        }
    }

    /// COMPAT: the reference takes `clear GROUP:*` for a process called None.
    fn to_each(&self, session: &mut Session, group: &str) -> Outcome {
        let all = answers::processes(&session.call("supervisor.getAllProcessInfo", &[])?)?;
        let members: Vec<_> = all.iter().filter(|row| row.group == group).collect();
        if members.is_empty() {
            self.tell_no_group(session, group);
        }
        for row in members {
            self.to_one(session, &format!("{group}:{}", row.name), group, &row.name, None)?;
        }
        Ok(())
    }

    fn tell_no_group(&self, session: &mut Session, group: &str) {
        session.say(format_args!("{group}: ERROR (no such group)"));
        session.fail(self.no_group);
    }

    fn tell_rows(&self, session: &mut Session, rows: &[BulkRow]) -> Outcome {
        rows.iter().try_for_each(|row| self.tell(session, row))
    }

    fn tell(&self, session: &mut Session, row: &BulkRow) -> Outcome {
        session.say(self.line(row)?);
        if row.status != fault::DONE && row.status != self.harmless {
            session.fail(exit_code(row.status));
        }
        Ok(())
    }

    fn line(&self, row: &BulkRow) -> Result<String, Failure> {
        let name = Namespec::join(&row.group, &row.name);
        if row.status == fault::DONE {
            return Ok(format!("{name}: {}", self.done));
        }
        match self.problems.iter().find(|(code, _)| *code == row.status) {
            Some((_, words)) if *words == OWN_WORDS => Ok(row.description.clone()),
            Some((_, words)) => Ok(format!("{name}: ERROR ({words})")),
            None => Err(Failure::UnknownResult(row.status, name)),
        }
    }
}

/// Names come before signals.
fn params(name: Option<&str>, signal: Option<&str>) -> Vec<Value> {
    name.into_iter().chain(signal).map(Value::from).collect()
}

/// A program that is dead has an exit code of its own.
fn exit_code(status: i64) -> u8 {
    match status {
        fault::SPAWN_ERROR | fault::ABNORMAL_TERMINATION | fault::NOT_RUNNING => exit::NOT_RUNNING,
        _ => exit::GENERIC,
    }
}
