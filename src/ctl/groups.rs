//! Actions on the set of active groups: `reread`, `add`, `remove`, `update`.

use std::collections::BTreeMap;

use super::answers::{self, AnsweredRow, Changes};
use super::exit;
use super::failure::{CallError, Outcome, fault};
use super::session::Session;
use crate::model::Namespec;

/// `reread`: the differences between the file and the active groups.
pub(super) fn reread(session: &mut Session, arg: &str) -> Outcome {
    if session.refuses_arguments("reread", arg) {
        return Ok(());
    }
    match session.call("supervisor.reloadConfig", &[]) {
        Ok(found) => print(session, answers::changes(&found)?),
        Err(CallError::Fault(fault::SHUTDOWN_STATE, _)) => {
            session.complain("ERROR: supervisor shutting down");
        }
        Err(CallError::Fault(fault::CANT_REREAD, text)) if !session.is_sv() => {
            session.complain(format_args!("ERROR: {text}"));
        }
        Err(other) => return Err(other.into()),
    }
    Ok(())
}

/// Sorted by name; for a name in two lists the later one counts.
fn print(session: &mut Session, changes: Changes) {
    let lists =
        [(changes.added, "available"), (changes.changed, "changed"), (changes.removed, "disappeared")];
    let mut by_name = BTreeMap::new();
    for (names, word) in lists {
        for name in names {
            by_name.insert(name, word);
        }
    }
    if by_name.is_empty() {
        session.say("No config updates to processes");
    }
    for (name, word) in by_name {
        session.say(format_args!("{name}: {word}"));
    }
}

/// `add GROUP...`
pub(super) fn add(session: &mut Session, arg: &str) -> Outcome {
    for name in arg.split_whitespace() {
        match session.call("supervisor.addProcessGroup", &[name.into()]) {
            Ok(_) => session.say(format_args!("{name}: added process group")),
            // Not a failure: the requested state is reached.
            Err(CallError::Fault(fault::ALREADY_ADDED, _)) => {
                session.say("ERROR: process group already active");
            }
            Err(CallError::Fault(fault::SHUTDOWN_STATE, _)) => session.complain("ERROR: shutting down"),
            Err(CallError::Fault(fault::BAD_NAME, _)) => {
                let suggestion = session.configured_suggestion(name);
                session.complain(format_args!("ERROR: no such process/group: {name}{suggestion}"));
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}

/// `remove GROUP...`
pub(super) fn remove(session: &mut Session, arg: &str) -> Outcome {
    for name in arg.split_whitespace() {
        match session.call("supervisor.removeProcessGroup", &[name.into()]) {
            Ok(_) => session.say(format_args!("{name}: removed process group")),
            Err(CallError::Fault(fault::STILL_RUNNING, _)) => {
                session.complain(format_args!("ERROR: process/group still running: {name}"));
            }
            Err(CallError::Fault(fault::BAD_NAME, _)) => {
                let suggestion = session.group_suggestion(name);
                session.complain(format_args!("ERROR: no such process/group: {name}{suggestion}"));
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}

/// `update [GROUP...]`: rereads and applies the changes, for these groups or for all.
pub(super) fn update(session: &mut Session, arg: &str) -> Outcome {
    let changes = match session.call("supervisor.reloadConfig", &[]) {
        Ok(found) => answers::changes(&found)?,
        Err(CallError::Fault(fault::SHUTDOWN_STATE, _)) => {
            session.complain("ERROR: already shutting down");
            return Ok(());
        }
        Err(other) => return Err(other.into()),
    };
    let mut wanted: Vec<&str> = Vec::new();
    for name in arg.split_whitespace() {
        if !wanted.contains(&name) {
            wanted.push(name);
        }
    }
    if wanted.contains(&"all") {
        wanted.clear();
    }
    report_unknown(session, &wanted, &changes.added)?;
    carry_out(session, &changes, &wanted)
}

/// A group is known if a process of it is active or if the file has just added it.
fn report_unknown(session: &mut Session, wanted: &[&str], added: &[String]) -> Outcome {
    if wanted.is_empty() {
        return Ok(());
    }
    let active = answers::processes(&session.call("supervisor.getAllProcessInfo", &[])?)?;
    for name in wanted {
        if !active.iter().any(|row| row.group == *name) && !added.iter().any(|group| group == name) {
            let suggestion = session.group_suggestion(name);
            session.complain(format_args!("ERROR: no such group: {name}{suggestion}"));
        }
    }
    Ok(())
}

fn carry_out(session: &mut Session, changes: &Changes, wanted: &[&str]) -> Outcome {
    let is_wanted = |name: &&String| wanted.is_empty() || wanted.contains(&name.as_str());
    for name in changes.removed.iter().filter(is_wanted) {
        drop_group(session, name)?;
    }
    for name in changes.changed.iter().filter(is_wanted) {
        update_group(session, name)?;
    }
    for name in changes.added.iter().filter(is_wanted) {
        session.call("supervisor.addProcessGroup", &[name.as_str().into()])?;
        session.say(format_args!("{name}: added process group"));
    }
    Ok(())
}

fn drop_group(session: &mut Session, name: &str) -> Outcome {
    let stopped = answers::bulk(&session.call("supervisor.stopProcessGroup", &[name.into()])?)?;
    session.say(format_args!("{name}: stopped"));
    if stopped.iter().any(|row| row.status == fault::FAILED) {
        session.say(format_args!("{name}: has problems; not removing"));
        session.fail(exit::GENERIC);
        return Ok(());
    }
    session.call("supervisor.removeProcessGroup", &[name.into()])?;
    session.say(format_args!("{name}: removed process group"));
    Ok(())
}

/// Uses our own method, which restarts as little as possible, if the server has it. The messages are
/// Supervisor's; those about single processes, which it lacks, are printed only as `sv`.
fn update_group(session: &mut Session, name: &str) -> Outcome {
    match session.call("sv.updateProcessGroup", &[name.into()]) {
        Ok(rows) => print_update(session, name, &answers::bulk(&rows)?),
        Err(CallError::Fault(fault::UNKNOWN_METHOD, _)) => return replace_group(session, name),
        Err(CallError::Fault(fault::FAILED, text)) => session.complain(format_args!("ERROR: {text}")),
        Err(other) => return Err(other.into()),
    }
    Ok(())
}

fn print_update(session: &mut Session, name: &str, rows: &[AnsweredRow]) {
    if rows.iter().any(|row| row.status != fault::DONE) {
        print_each(session, rows);
        session.complain(format_args!("{name}: has problems; not removing"));
        return;
    }
    if rows.iter().any(|row| matches!(row.description.as_str(), "unchanged" | "applied")) {
        print_each(session, rows);
    } else {
        session.say(format_args!("{name}: stopped"));
    }
    session.say(format_args!("{name}: updated process group"));
}

fn print_each(session: &mut Session, rows: &[AnsweredRow]) {
    for row in rows {
        let process = Namespec::join(&row.group, &row.name);
        match row.description.as_str() {
            "unchanged" => {}
            "applied" => session.say_more(format_args!("{process}: applied without a restart")),
            done_or_why => session.say_more(format_args!("{process}: {done_or_why}")),
        }
    }
}

/// Replaces the whole group, as Supervisor does.
fn replace_group(session: &mut Session, name: &str) -> Outcome {
    session.call("supervisor.stopProcessGroup", &[name.into()])?;
    session.say(format_args!("{name}: stopped"));
    session.call("supervisor.removeProcessGroup", &[name.into()])?;
    session.call("supervisor.addProcessGroup", &[name.into()])?;
    session.say(format_args!("{name}: updated process group"));
    Ok(())
}
