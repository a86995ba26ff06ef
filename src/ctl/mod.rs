//! The client: `supervisorctl`, and `sv` with an action.
//!
//! An action is a small function over a [`session::Session`]: it calls methods, prints lines, and sets an
//! exit code. Its output and exit code are exactly Supervisor's, since scripts use both; only errors that
//! would show a Python exception have our own text.
//!
//! * `target`: chooses the server by command line, configuration, environment;
//! * `endpoint`, `client`, `api`, `follow`, `event_stream`: connections, calls, documents, and logs and events that are read
//!   while they grow;
//! * `session`: the shared state of actions; `input`: typed input; `answers`: results as rows; `failure`,
//!   `exit`: how actions end;
//! * `first_steps`: what to do where no supervisor runs yet;
//! * `waiting`: the progress line; `suggest`: suggestions for unknown names; `wildcard`, `selection`: name patterns and
//!   what they mean; `words`: options; `json`: rows for programs; `screen`, `ends`, `times`: texts for terminals;
//! * `status`, `ps`, `why`, `events`, `graph`, `diff`, `health`, `is_running`, `await_state`, `process`, `groups`, `scale`,
//!   `exec`, `logs`, `journal`, `foreground`, `daemon`, `help`: the actions by subject;
//! * `perform`, `shell`, `editor`, `completion`: from keys to lines to actions.
//!
//! The client knows a supervisor only by its XML-RPC interface and, for actions that only `sv` has, by its JSON API.

mod answers;
mod api;
mod ask;
mod await_state;
mod client;
mod completion;
mod daemon;
mod diff;
mod editor;
mod endpoint;
mod ends;
mod event_stream;
mod events;
mod exec;
mod exit;
mod explain;
mod failure;
mod first_steps;
mod follow;
mod foreground;
mod graph;
mod groups;
mod health;
mod help;
mod input;
mod is_running;
mod journal;
mod json;
mod logs;
mod perform;
mod process;
mod ps;
mod scale;
mod screen;
mod selection;
mod session;
mod shell;
mod status;
mod suggest;
mod target;
#[cfg(test)]
mod tests;
mod times;
mod waiting;
mod why;
mod wildcard;
mod words;

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use crate::cli::{ClientOptions, Face, wants_colors};
use crate::config::Machine;
use crate::sys::stdout::{self, Stdout};
use client::RpcClient;
use editor::{Editor, History};
use input::LineInput;
use session::Session;
use target::Target;

/// Performs one action, or reads actions until the user leaves. Returns the exit code: that of the action,
/// while a shell always succeeds.
#[must_use]
pub fn run(options: &ClientOptions, machine: &dyn Machine) -> u8 {
    let target = match target::choose(options, machine) {
        Ok(target) => target,
        Err(text) => {
            // If stderr is closed the message is lost.
            let _ = io::stderr().write_all(text.as_bytes());
            return if asks_for_health(options) { exit::GENERIC } else { exit::INVALID_ARGS };
        }
    };
    let first_steps = first_steps::of(options, &target);
    let Target { url, username, password, prompt, history_file, origin, fallback } = target;
    let origin = || origin.remark(machine);
    let mut client = RpcClient::new(url, username, password);
    client.set_fallback(fallback);
    let plugins = || target::plugins(options, machine);
    let (mut output, stdin) = (Stdout, io::stdin());
    let colors = options.color && wants_colors(machine) && output.is_terminal();
    let editor = can_edit(machine).then(|| Editor::new(History::of(history_file)));
    let mut session = Session::new(client, &mut output, LineInput::new(stdin.as_fd()), options.interactive);
    session.set_colors(colors);
    session.set_plugins(&plugins);
    if is_dumb(machine) {
        session.disable_escapes();
    }
    if options.face == Face::Sv {
        session.act_as_sv(&origin);
        session.set_reading_timeout(options.request_timeout);
    }
    if options.words.is_empty() {
        if let Some(text) = first_steps.filter(|_| editor.is_some() && !session.reaches_a_server()) {
            session.warn(text);
            return exit::NOT_RUNNING;
        }
        session.act_as_shell();
        shell::converse(&mut session, &prompt, editor);
        return stdout::status(0, session.written());
    }
    perform::perform(&mut session, &options.words.join(" "));
    stdout::status(session.exit_code(), session.written())
}

/// A probe has two results: if nothing can be asked, it is unhealthy.
fn asks_for_health(options: &ClientOptions) -> bool {
    options.face == Face::Sv && options.words.first().is_some_and(|word| word == "health")
}

/// Whether lines can be edited: on a terminal that supports escape sequences.
fn can_edit(machine: &dyn Machine) -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_dumb(machine)
}

fn is_dumb(machine: &dyn Machine) -> bool {
    machine.environment().iter().any(|(name, value)| name == "TERM" && value == "dumb")
}
