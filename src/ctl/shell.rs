//! The shell: a line, its action, the next line.
//!
//! At a terminal lines can be edited and completed; anywhere else they are read as they come.

use super::editor::{Editor, Typed};
use super::perform::{Then, perform};
use super::session::Session;

/// Shows the status, then carries out lines until one ends it, or the input does, or Ctrl-C.
pub(super) fn converse(session: &mut Session<'_>, prompt: &str, mut editor: Option<Editor>) {
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
