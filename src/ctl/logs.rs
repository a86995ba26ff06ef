//! What processes and the supervisor have written: `tail`, `maintail`, and the way into `fg`.

use super::answers;
use super::failure::{CallError, Outcome, fault};
use super::session::Session;
use crate::model::ProcessState;
use crate::python::quote;
use crate::xmlrpc::Value;

/// How much of a log is shown unless a number is given.
const TAIL_BYTES: i32 = 1600;

/// How much of a log is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// Its last bytes.
    Last(i32),
    /// Its end and what is yet to come.
    Follow,
}

/// `-f` or `-N`
fn extent(word: &str) -> Option<Extent> {
    match word.strip_prefix('-')? {
        "f" => Some(Extent::Follow),
        number => number.parse().ok().map(Extent::Last),
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
    match option.map_or(Some(Extent::Last(TAIL_BYTES)), extent) {
        Some(Extent::Last(bytes)) => show(session, method, Some(name), bytes),
        Some(Extent::Follow) => {
            session.complain("tail -f: not supported yet");
            Ok(())
        }
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
        [] => Some(Extent::Last(TAIL_BYTES)),
        [word] => extent(word),
        _ => {
            session.misused("maintail", "Error: too many arguments");
            return Ok(());
        }
    };
    match wanted {
        Some(Extent::Last(bytes)) => return show(session, "supervisor.readLog", None, bytes),
        Some(Extent::Follow) => session.complain("maintail -f: not supported yet"),
        None => session.complain(format_args!("Error: bad argument {arg}")),
    }
    Ok(())
}

/// A negative offset counts from the end, and a length of 0 is all that follows.
fn show(session: &mut Session, method: &str, name: Option<&str>, bytes: i32) -> Outcome {
    let offset = Value::Int(-i64::from(bytes));
    let params: Vec<Value> = name.map(Value::from).into_iter().chain([offset, Value::Int(0)]).collect();
    let problem = match session.call(method, &params) {
        Ok(text) => {
            let text = answers::plain_text(&text)?;
            session.say(text);
            return Ok(());
        }
        Err(CallError::Fault(fault::NO_FILE, _)) => "no log file",
        Err(CallError::Fault(fault::FAILED, _)) => "unknown error reading log",
        Err(CallError::Fault(fault::BAD_NAME, _)) if name.is_some() => "no such process name",
        Err(other) => return Err(other.into()),
    };
    session.complain(format_args!("{}: ERROR ({problem})", name.unwrap_or("supervisord")));
    Ok(())
}

/// `fg NAME`: so far only what is said before the conversation starts.
pub(super) fn fg(session: &mut Session, arg: &str) -> Outcome {
    if !session.upcheck()? {
        return Ok(());
    }
    let mut names = arg.split_whitespace();
    match (names.next(), names.next()) {
        (None, _) => session.misused("fg", "ERROR: no process name supplied"),
        (Some(_), Some(_)) => session.complain("ERROR: too many process names supplied"),
        (Some(name), None) => return fg_one(session, name),
    }
    Ok(())
}

fn fg_one(session: &mut Session, name: &str) -> Outcome {
    match session.call("supervisor.getProcessInfo", &[name.into()]) {
        Ok(info) if answers::process(&info)?.state != Some(ProcessState::Running) => {
            session.complain("ERROR: process not running");
        }
        Ok(_) => session.complain("fg: not supported yet"),
        Err(CallError::Fault(fault::BAD_NAME, _)) => session.complain("ERROR: bad process name supplied"),
        Err(CallError::Fault(code, text)) => {
            // The reference leaves the exit code alone here.
            session.say(format_args!("ERROR: <Fault {code}: {}>", quote(&text)));
        }
        Err(other) => return Err(other.into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_says_how_much() {
        for (word, expected) in [
            ("-f", Some(Extent::Follow)),
            ("-100", Some(Extent::Last(100))),
            ("-0", Some(Extent::Last(0))),
            ("--5", Some(Extent::Last(-5))),
            ("-", None),
            ("-x", None),
            ("-99999999999", None),
            ("100", None),
        ] {
            assert_eq!(extent(word), expected, "{word}");
        }
    }
}
