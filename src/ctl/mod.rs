//! The client: `supervisorctl`, and `sv` with an action.
//!
//! An action is a small function over a [`session::Session`]: it calls methods, says lines, and
//! leaves an exit code. What it says and how it ends are Supervisor's to the letter, since scripts
//! read both; only errors that would show a Python exception are told in our own words.
//!
//! * `target`: which server, by command line, configuration, environment;
//! * `endpoint`, `client`: the way there and calls over it;
//! * `session`: what actions share; `answers`: results as rows; `failure`, `exit`: how actions end;
//! * `status`, `process`, `groups`, `logs`, `daemon`, `help`: the actions by subject;
//! * `perform`, `shell`: from lines to actions.
//!
//! Nothing here knows how a supervisor works: all it knows of one is what XML-RPC tells.

mod answers;
mod ask;
mod client;
mod daemon;
mod endpoint;
mod exit;
mod failure;
mod groups;
mod help;
mod logs;
mod perform;
mod process;
mod session;
mod shell;
mod status;
mod target;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, Write};

use crate::cli::{ClientOptions, Face, wants_colors};
use crate::config::Surroundings;
use client::Client;
use session::Session;
use target::Target;

/// Carries out one action, or reads actions until told to stop. Returns the exit code: that of the
/// action, while a shell always ends well.
#[must_use]
pub fn run(options: &ClientOptions, around: &dyn Surroundings) -> u8 {
    let target = match target::choose(options, around) {
        Ok(target) => target,
        Err(text) => {
            // There is nobody to tell if stderr is gone.
            let _ = io::stderr().write_all(text.as_bytes());
            return exit::INVALID_ARGS;
        }
    };
    let hint = (options.face == Face::Sv).then(|| hint(&target));
    let Target { url, username, password, prompt, .. } = target;
    let client = Client::new(url, username, password);
    let (mut output, mut input) = (io::stdout().lock(), io::stdin().lock());
    let colors = options.color && wants_colors(around) && output.is_terminal();
    let mut session = Session::new(client, &mut output, &mut input, options.interactive);
    session.set_colors(colors);
    session.set_says_more(options.face == Face::Sv);
    session.set_hint(hint);
    if options.words.is_empty() {
        shell::converse(&mut session, &prompt);
        return 0;
    }
    perform::perform(&mut session, &options.words.join(" "));
    session.exit_code()
}

/// For those whom nobody answers.
fn hint(target: &Target) -> String {
    format!("(The address comes from {}. Does the supervisor run?)", target.origin)
}
