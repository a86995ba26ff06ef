//! The shell: a line, its action, the next line.
//!
//! There is no line editing yet: lines are read as they come, from a terminal or a pipe.

use super::perform::{Then, perform};
use super::session::Session;

/// Shows the status, then carries out lines until one ends it, or the input does.
pub(super) fn converse(session: &mut Session<'_>, prompt: &str) {
    perform(session, "status");
    let prompt = format!("{prompt}> ");
    loop {
        let line = session.ask(&prompt).unwrap_or_else(|| "EOF".to_owned());
        if perform(session, &line) == Then::Leave {
            return;
        }
    }
}
