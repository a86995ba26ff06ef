//! The shell: a line, its action, the next line.
//!
//! At a terminal lines can be edited and completed; anywhere else they are read as they come.
//!
//! COMPAT: Ctrl-C ends the shell at its prompt, as in Supervisor's, but as `sv` it first clears what was
//! typed. While an action waits it ends that wait only: whoever does not want to wait any longer wants to see
//! what has become of it.

use super::editor::{Editor, Typed};
use super::perform::{Then, perform};
use super::session::Session;

/// Shows the status, then carries out lines until one ends it, or the input does, or Ctrl-C.
pub(super) fn converse(session: &mut Session<'_>, prompt: &str, mut editor: Option<Editor>) {
    if editor.is_some() {
        session.be_interruptible();
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
