//! The shell: a line, its action, the next line.
//!
//! On a terminal lines can be edited and completed; otherwise they are read unchanged.
//!
//! COMPAT: Ctrl-C ends the shell at its prompt, as in Supervisor's, but as `sv` it first clears the line.
//! During an action it only cancels the wait: a user who does not want to wait any longer may still want to
//! see the result.

use super::editor::{Editor, Typed};
use super::perform::{Then, perform};
use super::session::Session;

/// Shows the status, then performs lines until one of them, the end of the input or Ctrl-C ends the shell.
pub(super) fn converse(session: &mut Session<'_>, prompt: &str, mut editor: Option<Editor>) {
    if editor.is_some() {
        session.set_interruptible();
    }
    perform(session, "status");
    let prompt = format!("{prompt}> ");
    loop {
        let typed = match &mut editor {
            Some(editor) => editor.read(session, &prompt),
            None => session.ask(&prompt).map_or(Typed::End, Typed::Line),
        };
        let then = match typed {
            Typed::Line(line) => perform(session, &line),
            Typed::End if editor.is_some() => Then::Leave,
            Typed::End => perform(session, "EOF"),
            Typed::Interrupted => Then::Leave,
        };
        if then == Then::Leave {
            return;
        }
    }
}
