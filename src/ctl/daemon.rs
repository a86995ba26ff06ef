//! Actions on the supervisor itself: `shutdown`, `reload`, and `open`, which switches to another.

use std::io;

use super::failure::{CallError, Outcome, fault};
use super::session::Session;
use super::status;

/// `shutdown`
pub(super) fn shutdown(session: &mut Session, arg: &str) -> Outcome {
    let question = "Really shut the remote supervisord process down y/N? ";
    if session.refuses_arguments("shutdown", arg) || !session.confirms(question) {
        return Ok(());
    }
    match session.call("supervisor.shutdown", &[]) {
        Ok(_) => session.say("Shut down"),
        // Not a failure: the requested state is reached.
        Err(CallError::Fault(fault::SHUTDOWN_STATE, _)) => session.say("ERROR: already shutting down"),
        Err(error) => match already_gone(&error) {
            Some(why) => {
                let url = session.url().to_owned();
                session.complain(format_args!("ERROR: {url} {why} (already shut down?)"));
            }
            None => return Err(error.into()),
        },
    }
    Ok(())
}

fn already_gone(error: &CallError) -> Option<&'static str> {
    match error.connect_kind()? {
        io::ErrorKind::ConnectionRefused => Some("refused connection"),
        io::ErrorKind::NotFound => Some("no such file"),
        _ => None,
    }
}

/// `reload`
pub(super) fn reload(session: &mut Session, arg: &str) -> Outcome {
    let question = "Really restart the remote supervisord process y/N? ";
    if session.refuses_arguments("reload", arg) || !session.confirms(question) {
        return Ok(());
    }
    match session.call("supervisor.restart", &[]) {
        Ok(_) => session.say("Restarted supervisord"),
        Err(CallError::Fault(fault::SHUTDOWN_STATE, _)) => session.complain("ERROR: already shutting down"),
        Err(other) => return Err(other.into()),
    }
    Ok(())
}

/// `open URL`: the status shown then doesn't affect the exit code.
pub(super) fn open(session: &mut Session, arg: &str) -> Outcome {
    let scheme = arg.split_once(':').map_or("", |(scheme, _)| scheme);
    if !["unix", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        session.complain("ERROR: url must be http:// or unix://");
        return Ok(());
    }
    session.switch_to(arg);
    let before = session.exit_code();
    status::status(session, "")?;
    session.fail(before);
    Ok(())
}
