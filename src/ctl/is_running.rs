//! `sv is-running`: for scripts.

use super::api::process_path;
use super::exit;
use super::failure::{CallError, Failure, Outcome, fault};
use super::session::Session;
use super::words::refuse;
use crate::model::ProcessState;

/// `is-running NAME`: exits with 0 if it is RUNNING, with 1 if not, with 2 after any error.
pub(super) fn is_running(session: &mut Session, arg: &str) -> Outcome {
    let [name] = arg.split_whitespace().collect::<Vec<_>>()[..] else {
        refuse(session, "is-running", "Error: is-running requires one process name");
        return Ok(());
    };
    let answer = session.get(&process_path(name), "the state of a process");
    let state = answer.map(|document| document["process"]["state"] == ProcessState::Running.name());
    if let Ok(false) = state {
        session.fail(exit::GENERIC);
    }
    match state {
        Err(error @ CallError::Fault(fault::BAD_NAME, _)) => {
            let text = session.plain_for_process(name, &error);
            session.warn(format_args!("error: {text}"));
            session.fail(exit::INVALID_ARGS);
            Ok(())
        }
        state => error_is_2(session, state.map(drop).map_err(Failure::from)),
    }
}

/// Errors have an exit code of their own where 1 is an answer.
pub(super) fn error_is_2(session: &mut Session, outcome: Outcome) -> Outcome {
    match outcome {
        Err(Failure::Call(error @ CallError::Refused(401, _))) => Err(error.into()),
        Err(Failure::Call(error)) => {
            let text = session.plain(&error);
            session.warn(format_args!("error: {text}"));
            session.fail(exit::INVALID_ARGS);
            Ok(())
        }
        other => other,
    }
}
