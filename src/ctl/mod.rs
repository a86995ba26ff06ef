//! The client: `supervisorctl`, and `sv` with an action.
//!
//! An action is a small function over a [`session::Session`]: it calls methods, says lines, and
//! leaves an exit code. What it says and how it ends are Supervisor's to the letter, since scripts
//! read both; only errors that would show a Python exception are told in our own words.
//!
//! * `target`: which server, by command line, configuration, environment;
//! * `endpoint`, `client`, `follow`: the way there, calls over it, and logs that are read while they grow;
//! * `session`: what actions share; `input`: what is typed; `answers`: results as rows; `failure`, `exit`: how actions end;
//! * `waiting`: a sign of life; `suggest`: what an unknown name may have meant; `wildcard`: names that stand for several; `json`: rows for programs;
//! * `status`, `health`, `process`, `groups`, `logs`, `journal`, `foreground`, `daemon`, `help`: the actions by subject;
//! * `perform`, `shell`, `editor`, `completion`: from keys to lines to actions.
//!
//! Nothing here knows how a supervisor works: all it knows of one is what XML-RPC tells.

mod answers;
mod ask;
mod client;
mod completion;
mod daemon;
mod editor;
mod endpoint;
mod exit;
mod explain;
mod failure;
mod follow;
mod foreground;
mod groups;
mod health;
mod help;
mod input;
mod journal;
mod json;
mod logs;
mod perform;
mod process;
mod session;
mod shell;
mod status;
mod suggest;
mod target;
#[cfg(test)]
mod tests;
mod waiting;
mod wildcard;

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use crate::cli::{ClientOptions, Face, wants_colors};
use crate::config::Machine;
use crate::sys::stdout::{self, Stdout};
use client::Client;
use editor::{Editor, History};
use input::Input;
use session::Session;
use target::Target;

/// Carries out one action, or reads actions until told to stop. Returns the exit code: that of the
/// action, while a shell always ends well.
#[must_use]
pub fn run(options: &ClientOptions, machine: &dyn Machine) -> u8 {
    let target = match target::choose(options, machine) {
        Ok(target) => target,
        Err(text) => {
            // There is nobody to tell if stderr is gone.
            let _ = io::stderr().write_all(text.as_bytes());
            return if asks_for_health(options) { exit::GENERIC } else { exit::INVALID_ARGS };
        }
    };
    let Target { url, username, password, prompt, history_file, origin, elsewhere } = target;
    let origin = || origin.remark(machine);
    let mut client = Client::new(url, username, password);
    client.set_elsewhere(elsewhere);
    let plugins = || target::plugins(options, machine);
    let (mut output, stdin) = (Stdout, io::stdin());
    let colors = options.color && wants_colors(machine) && output.is_terminal();
    let editor = can_edit(machine).then(|| Editor::new(History::of(history_file)));
    let mut session = Session::new(client, &mut output, Input::new(stdin.as_fd()), options.interactive);
    session.set_colors(colors);
    session.set_plugins(&plugins);
    if is_dumb(machine) {
        session.be_dumb();
    }
    if options.face == Face::Sv {
        session.be_sv(&origin);
        session.set_reading_timeout(options.request_timeout);
    }
    if options.words.is_empty() {
        shell::converse(&mut session, &prompt, editor);
        return stdout::status(0, session.written());
    }
    perform::perform(&mut session, &options.words.join(" "));
    stdout::status(session.exit_code(), session.written())
}

/// Probes know well and unwell: whatever keeps us from asking is the latter.
fn asks_for_health(options: &ClientOptions) -> bool {
    options.face == Face::Sv && options.words.first().is_some_and(|word| word == "health")
}

/// Whether lines can be edited: at a terminal that is more than a typewriter.
fn can_edit(machine: &dyn Machine) -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_dumb(machine)
}

fn is_dumb(machine: &dyn Machine) -> bool {
    machine.environment().iter().any(|(name, value)| name == "TERM" && value == "dumb")
}
