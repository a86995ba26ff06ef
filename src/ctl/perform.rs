//! From a line to an action: shared by the shell and one-shot commands.

use super::failure::{CallError, Failure, Outcome};
use super::session::Session;
use super::{
    await_state, completion, daemon, diff, events, exec, exit, foreground, graph, groups, health, help,
    is_running, journal, logs, process, ps, scale, status, why,
};
use crate::cli::{COMPLETE, ClientAction};
use crate::config::ClientPlugin;

/// Whether the shell reads another line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Stay,
    Leave,
}

/// An action, with the text after its name.
type Perform = fn(&mut Session<'_>, &str) -> Outcome;

/// Some exist only in `sv`: [`is_for_sv`].
const TABLE: [(&str, Perform); 33] = [
    ("add", groups::add),
    ("avail", status::avail),
    ("clear", process::clear),
    (COMPLETE, completion::answer),
    ("diff", diff::diff),
    ("events", events::events),
    ("exec", exec::exec),
    ("fg", foreground::fg),
    ("graph", graph::graph),
    ("health", health::health),
    ("help", help::help),
    (IS_RUNNING, is_running::is_running),
    ("logs", journal::logs),
    ("maintail", logs::maintail),
    ("open", daemon::open),
    ("pid", status::pid),
    ("ps", ps::ps),
    ("reload", daemon::reload),
    ("remove", groups::remove),
    ("reread", groups::reread),
    ("restart", process::restart),
    ("scale", scale::scale),
    ("shutdown", daemon::shutdown),
    ("signal", process::signal),
    ("start", process::start),
    ("status", status::status),
    ("stop", process::stop),
    ("tail", logs::tail),
    ("top", ps::top),
    ("update", groups::update),
    ("version", status::version),
    ("wait", await_state::wait_for),
    ("why", why::why),
];

/// Performs one line. Errors are printed and set the exit code.
pub(super) fn perform(session: &mut Session<'_>, line: &str) -> Then {
    session.forget_known();
    let line = asked_with_mark(line.trim());
    let (word, arg) = split(&line);
    let then = match word {
        _ if line.is_empty() => Then::Stay,
        "exit" | "quit" | "EOF" => {
            session.say("");
            Then::Leave
        }
        _ => {
            let word = without_wildcards(session, word);
            match TABLE.iter().find(|(name, _)| *name == word) {
                Some((_, action)) if session.is_sv() || !is_for_sv(word) => carry_out(session, *action, arg),
                _ => report_unknown(session, &line),
            }
            Then::Stay
        }
    };
    session.flush();
    then
}

/// `mstop` of the plug-in supervisor-wildcards is `stop`, which accepts patterns anyway. Supervisor's client
/// has it if the configuration names the plug-in.
fn without_wildcards<'w>(session: &Session<'_>, word: &'w str) -> &'w str {
    let action = ClientAction::without_wildcards(word);
    let is_here = |session: &Session<'_>| session.plugins().iter().any(ClientPlugin::is_wildcards);
    match action {
        Some(action) if session.is_sv() || is_here(session) => action,
        _ => word,
    }
}

/// It may be an action of a plug-in that is not built in.
fn report_unknown(session: &mut Session<'_>, line: &str) {
    session.complain(format_args!("*** Unknown syntax: {line}"));
    for ClientPlugin { section, factory } in session.plugins().iter().filter(|it| !it.is_wildcards()) {
        session
            .say(format_args!("[{section}] is left out: {factory} is Python code, which can't be run here"));
    }
}

fn is_for_sv(name: &str) -> bool {
    name == COMPLETE || ClientAction::named(name).is_some_and(ClientAction::is_for_sv)
}

/// `?topic` is another way to write `help topic`.
fn asked_with_mark(line: &str) -> String {
    match line.strip_prefix('?') {
        Some(topic) => format!("help {topic}"),
        None => line.to_owned(),
    }
}

/// The only name with a hyphen.
const IS_RUNNING: &str = "is-running";

/// The action name ends at the first character that a name can't contain: `tail-f` is `tail` with `-f`.
fn split(line: &str) -> (&str, &str) {
    if let Some(arg) =
        line.strip_prefix(IS_RUNNING).filter(|arg| !arg.starts_with(|c: char| !c.is_whitespace()))
    {
        return (IS_RUNNING, arg.trim());
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (word, arg) = line.split_at(line.find(|c| !is_name(c)).unwrap_or(line.len()));
    (word, arg.trim())
}

fn carry_out(session: &mut Session<'_>, action: Perform, arg: &str) {
    let mut outcome = action(session, arg);
    while let Err(Failure::Call(CallError::Refused(401, _))) = outcome {
        if !session.logs_in() {
            break;
        }
        outcome = action(session, arg);
    }
    match outcome {
        Ok(()) => return,
        Err(Failure::Call(error @ CallError::Interrupted)) => session.say(error),
        Err(Failure::Call(error)) if session.is_sv() => {
            let text = session.plain(&error);
            session.warn(format_args!("error: {text}"));
        }
        Err(failure) => session.say(format_args!("error: {failure}")),
    }
    session.fail(exit::GENERIC);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ACTIONS;

    #[test]
    fn every_action_can_be_carried_out() {
        for action in ACTIONS {
            let is_here = TABLE.iter().any(|(name, _)| *name == action.name);
            assert!(is_here || matches!(action.name, "exit" | "quit"), "{}", action.name);
        }
    }

    #[test]
    fn a_line_is_a_name_and_the_rest() {
        for (line, word, arg) in [
            ("status", "status", ""),
            ("start  a b", "start", "a b"),
            ("tail-f x", "tail", "-f x"),
            ("is-running web", "is-running", "web"),
            ("is-running", "is-running", ""),
            ("is-runningweb", "is", "-runningweb"),
            ("!ls", "", "!ls"),
            ("", "", ""),
        ] {
            assert_eq!(split(line), (word, arg), "{line}");
        }
        assert_eq!(asked_with_mark("?"), "help ");
        assert_eq!(asked_with_mark("?start"), "help start");
    }
}
