//! The logs of processes and of the supervisor: `tail` and `maintail`.

use std::os::fd::AsFd;

use super::answers;
use super::exit;
use super::failure::{CallError, Outcome, fault, is_forbidden};
use super::follow::{Follow, log_of, wait};
use super::session::Session;
use crate::model::Signal;
use crate::python::quote;
use crate::sys::interrupts::HeldInterrupts;
use crate::xmlrpc::Value;

/// The default number of bytes shown.
const TAIL_BYTES: i32 = 1600;

/// Which part of a log is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TailExtent {
    /// Its last bytes.
    Last(i32),
    /// Its end and everything that follows.
    Follow,
}

/// `-f` or `-N`
fn extent(word: &str) -> Option<TailExtent> {
    match word.strip_prefix('-')? {
        "f" => Some(TailExtent::Follow),
        number => number.parse().ok().map(TailExtent::Last),
    }
}

/// `tail [-f or -N] NAME [stdout or stderr]`
pub(super) fn tail(session: &mut Session, arg: &str) -> Outcome {
    if !session.upcheck()? {
        return Ok(());
    }
    let words: Vec<&str> = arg.split_whitespace().collect();
    match words.len() {
        0 => session.misused("tail", "Error: too few arguments"),
        1..=3 => return tail_words(session, &words),
        _ => session.misused("tail", "Error: too many arguments"),
    }
    Ok(())
}

fn tail_words(session: &mut Session, words: &[&str]) -> Outcome {
    let (option, words) = match words {
        [option, rest @ ..] if option.starts_with('-') => (Some(*option), rest),
        all => (None, all),
    };
    let (name, channel) = match words {
        [] => {
            session.complain("Error: tail requires process name");
            return Ok(());
        }
        [name] => (*name, "stdout".to_owned()),
        [name, .., channel] => (*name, channel.to_lowercase()),
    };
    let method = match channel.as_str() {
        "stdout" => "supervisor.readProcessStdoutLog",
        "stderr" => "supervisor.readProcessStderrLog",
        other => {
            session.complain(format_args!("Error: bad channel {}", quote(other)));
            return Ok(());
        }
    };
    match option.map_or(Some(TailExtent::Last(TAIL_BYTES)), extent) {
        Some(TailExtent::Last(bytes)) => show(session, method, Some(name), bytes),
        Some(TailExtent::Follow) => follow(session, &log_of(name, &channel)),
        None => {
            session.complain(format_args!("Error: bad argument {}", option.unwrap_or_default()));
            Ok(())
        }
    }
}

/// `maintail [-f or -N]`
pub(super) fn maintail(session: &mut Session, arg: &str) -> Outcome {
    if !session.upcheck()? {
        return Ok(());
    }
    let words: Vec<&str> = arg.split_whitespace().collect();
    let wanted = match words[..] {
        [] => Some(TailExtent::Last(TAIL_BYTES)),
        [word] => extent(word),
        _ => {
            session.misused("maintail", "Error: too many arguments");
            return Ok(());
        }
    };
    match wanted {
        Some(TailExtent::Last(bytes)) => return show(session, "supervisor.readLog", None, bytes),
        Some(TailExtent::Follow) => return follow(session, "/mainlogtail"),
        None => session.complain(format_args!("Error: bad argument {arg}")),
    }
    Ok(())
}

const NO_SUCH_NAME: &str = "no such process name";

/// A negative offset counts from the end, and a length of 0 means everything after it.
fn show(session: &mut Session, method: &str, name: Option<&str>, bytes: i32) -> Outcome {
    let offset = Value::Int(-i64::from(bytes));
    let params: Vec<Value> = name.map(Value::from).into_iter().chain([offset, Value::Int(0)]).collect();
    let problem = match session.call(method, &params) {
        Ok(text) => {
            let text = answers::plain_text(&text)?;
            session.say(text);
            return Ok(());
        }
        Err(CallError::Fault(code, text)) if session.is_sv() && is_forbidden(&text) => {
            return Err(CallError::Fault(code, text).into());
        }
        Err(CallError::Fault(fault::NO_FILE, _)) => "no log file",
        Err(CallError::Fault(fault::FAILED, _)) => "unknown error reading log",
        Err(CallError::Fault(fault::BAD_NAME, _)) if name.is_some() => NO_SUCH_NAME,
        Err(other) => return Err(other.into()),
    };
    let suggestion = match name {
        Some(name) if problem == NO_SUCH_NAME => session.suggestion(name),
        _ => String::new(),
    };
    session.complain(format_args!("{}: ERROR ({problem}{suggestion})", name.unwrap_or("supervisord")));
    Ok(())
}

/// Printed before something that only Ctrl-C ends.
pub(super) const PRESS: &str = "==> Press Ctrl-C to exit <==";

/// Shows a growing log, until Ctrl-C or until the server ends it.
fn follow(session: &mut Session, path: &str) -> Outcome {
    session.say(PRESS);
    let interrupts = HeldInterrupts::back(&[Signal::INT])?;
    let followed = match session.follow(path) {
        Ok(mut log) => pass_on(session, &mut log, &interrupts),
        Err(error) => Err(error),
    };
    if let Err(error) = followed {
        report_unreadable(session, path, &error);
        // The reference does not treat this as a failure.
        if session.is_sv() {
            session.fail(exit::GENERIC);
        }
    }
    Ok(())
}

fn pass_on(session: &mut Session, log: &mut Follow, interrupts: &HeldInterrupts) -> Result<(), CallError> {
    loop {
        // If the reader of our output is gone, there is nothing left to do.
        let Ok(ready) = wait(&[log.as_fd(), interrupts.as_fd()], None) else { return Ok(()) };
        if interrupts.take() {
            session.say("");
            return Ok(());
        }
        if ready[0] {
            match log.read()? {
                Some(bytes) if session.pass_on(&bytes).is_ok() => {}
                _ => return Ok(()),
            }
        }
    }
}

/// Prints on stderr why a log can't be followed.
pub(super) fn report_unreadable(session: &mut Session, path: &str, error: &CallError) {
    if session.is_sv() {
        let why = match error {
            CallError::Refused(404, _) => "there is no such process, or it has no log".to_owned(),
            other => session.plain(other),
        };
        return session.warn(format_args!("error: cannot follow '{path}': {why}"));
    }
    let why = match error {
        CallError::Refused(status, _) => format!("Cannot read, status code {status}"),
        other => format!("Cannot connect, error: {other}"),
    };
    let url = session.url().to_owned();
    session.warn(format_args!("{url}{path} {why}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_says_how_much() {
        for (word, expected) in [
            ("-f", Some(TailExtent::Follow)),
            ("-100", Some(TailExtent::Last(100))),
            ("-0", Some(TailExtent::Last(0))),
            ("--5", Some(TailExtent::Last(-5))),
            ("-", None),
            ("-x", None),
            ("-99999999999", None),
            ("100", None),
        ] {
            assert_eq!(extent(word), expected, "{word}");
        }
    }
}
