//! A line editor for the shell: the common keys of readline, and no more.
//!
//! * `keys`: from the bytes of a terminal to keys;
//! * `line`: the text, the cursor, and the effects of keys;
//! * `history`: earlier lines, in memory and in a file;
//! * here: the terminal.
//!
//! It uses a single row. Longer text scrolls horizontally, so it does not depend on how a terminal wraps.
//! While a line is edited the terminal passes on every byte and generates no signals; a signal from elsewhere
//! that would end us restores the terminal first.

mod history;
mod keys;
mod line;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::process::{Signal as RawSignal, kill_current_process_group};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use unicode_width::UnicodeWidthStr;

use super::completion;
use super::follow::wait;
use super::help::columns;
use super::screen;
use super::session::Session;
use crate::model::Signal;
use crate::sys::interrupts::HeldInterrupts;
pub(super) use history::History;
use keys::Key;
use line::EditedLine;

/// The result of editing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    Line(String),
    /// Ctrl-D on an empty line, or the end of the input.
    End,
    /// Ctrl-C, as `sv` on an empty line.
    Interrupted,
}

/// State that is kept between lines.
pub(super) struct Editor {
    history: History,
    /// The text that was cut last.
    cut: String,
}

impl Editor {
    /// With the lines of earlier sessions, if there are any.
    pub(super) fn new(history: History) -> Self {
        Self { history, cut: String::new() }
    }

    /// Reads a line.
    pub(super) fn read(&mut self, session: &mut Session<'_>, prompt: &str) -> Typed {
        session.flush();
        let terminal = session.input().source();
        // Released in reverse order: a pending signal finds the terminal restored.
        let held = HeldInterrupts::back(&[Signal::TERM, Signal::HUP]);
        let raw = Raw::enter(terminal);
        let (Ok(held), Ok(raw)) = (held, raw) else {
            return session.ask(prompt).map_or(Typed::End, Typed::Line);
        };
        let mut line = EditedLine::new(std::mem::take(&mut self.cut));
        let typed = Edit { history: &mut self.history, line: &mut line, raw, prompt }.run(session, &held);
        self.cut = line.into_cut();
        if let Typed::Line(text) = &typed {
            self.history.add(text);
        }
        session.say("");
        session.flush();
        typed
    }
}

/// A line that is being edited.
struct Edit<'e, 'fd> {
    history: &'e mut History,
    line: &'e mut EditedLine,
    raw: Raw<'fd>,
    prompt: &'e str,
}

impl Edit<'_, '_> {
    fn run(mut self, session: &mut Session<'_>, held: &HeldInterrupts) -> Typed {
        let mut bytes = Vec::new();
        let mut before = Key::Other;
        self.draw(session);
        loop {
            // Input that was typed or pasted at once is drawn at once.
            while let Some(byte) = session.input().take_byte() {
                bytes.push(byte);
                if let Some((key, used)) = keys::decode(&bytes) {
                    bytes.drain(..used);
                    let done = self.press(session, key, before);
                    before = key;
                    if let Some(typed) = done {
                        self.draw(session);
                        return typed;
                    }
                }
            }
            self.draw(session);
            if !can_read_more(session, held) {
                return Typed::End;
            }
        }
    }

    /// Applies a key; the line is redrawn later.
    fn press(&mut self, session: &mut Session<'_>, key: Key, before: Key) -> Option<Typed> {
        match key {
            Key::Enter => return Some(Typed::Line(self.line.text().to_owned())),
            // As in other shells, unlike Supervisor's.
            Key::Interrupt if session.is_sv() && !self.line.text().is_empty() => self.discard(session),
            Key::Interrupt => return Some(Typed::Interrupted),
            Key::DeleteOrEnd if self.line.text().is_empty() => return Some(Typed::End),
            Key::Older => self.recall(|history, now| history.older(now)),
            Key::Newer => self.recall(|history, now| history.newer(now)),
            Key::Tab => self.complete(session, before),
            Key::Clear => session.print("\x1b[H\x1b[2J"),
            Key::Suspend => self.suspend(session),
            other => self.line.press(other),
        }
        None
    }

    /// Leaves the typed text on its row and begins another line.
    fn discard(&mut self, session: &mut Session<'_>) {
        self.draw(session);
        session.say("^C");
        self.line.set(String::new());
        // A blank line is not kept, but resets the position in the history.
        self.history.add("");
    }

    fn recall(&mut self, choose: impl Fn(&mut History, &str) -> Option<String>) {
        if let Some(text) = choose(self.history, self.line.text()) {
            self.line.set(text);
        }
    }

    /// Adds the common prefix of all candidates; a second Tab shows them.
    fn complete(&mut self, session: &mut Session<'_>, before: Key) {
        let found = completion::complete(session, self.line.before_cursor());
        match found.candidates.as_slice() {
            [] => {}
            [only] => self.line.replace_before_cursor(found.start, &format!("{only} ")),
            several => {
                let common = common_start(several);
                if common.len() > self.line.before_cursor().len() - found.start {
                    self.line.replace_before_cursor(found.start, common);
                } else if before == Key::Tab {
                    let names: Vec<&str> = several.iter().map(String::as_str).collect();
                    session.print(&format!("\n{}", columns(&names)));
                }
            }
        }
    }

    /// What Ctrl-Z does in the normal mode of a terminal.
    fn suspend(&mut self, session: &mut Session<'_>) {
        session.say("");
        session.flush();
        self.raw.leave();
        let _ = kill_current_process_group(RawSignal::TSTP);
        self.raw.enter_again();
    }

    fn draw(&self, session: &mut Session<'_>) {
        let prompt_columns = self.prompt.width();
        let (shown, cursor) = self.line.view(screen::size().columns.saturating_sub(prompt_columns + 1));
        let column = prompt_columns + cursor;
        session.print(&format!("\r{}{shown}\x1b[K\r\x1b[{column}C", self.prompt));
        session.flush();
    }
}

/// Waits for bytes and reads them; `false` at the end of the input, or if we no longer own the terminal.
fn can_read_more(session: &mut Session<'_>, held: &HeldInterrupts) -> bool {
    let ready = wait(&[session.input().source(), held.as_fd()], None);
    match ready.as_deref() {
        Ok([_, true]) | Err(_) => return false,
        Ok([true, _]) => session.input().read(),
        Ok(_) => {}
    }
    !session.input().takes_end()
}

fn common_start(words: &[String]) -> &str {
    let [first, others @ ..] = words else { return "" };
    let is_common = |at: usize| others.iter().all(|other| other.get(..at) == first.get(..at));
    let ends = first.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|end| is_common(*end)).last().unwrap_or(0);
    &first[..end]
}

/// Puts a terminal into raw mode until this is dropped.
struct Raw<'fd> {
    terminal: BorrowedFd<'fd>,
    before: Termios,
}

impl<'fd> Raw<'fd> {
    fn enter(terminal: BorrowedFd<'fd>) -> io::Result<Self> {
        let raw = Self { terminal, before: tcgetattr(terminal)? };
        raw.set()?;
        Ok(raw)
    }

    /// Enter is still read as a newline, so that typed-ahead text reads the same in every mode.
    fn set(&self) -> io::Result<()> {
        let mut modes = self.before.clone();
        modes
            .local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN);
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        // Without a flush, to keep typed-ahead text.
        Ok(tcsetattr(self.terminal, OptionalActions::Drain, &modes)?)
    }

    fn leave(&self) {
        // An error can't be handled here.
        let _ = tcsetattr(self.terminal, OptionalActions::Drain, &self.before);
    }

    /// A program that used the terminal in between may have changed its mode.
    fn enter_again(&mut self) {
        if let Ok(now) = tcgetattr(self.terminal) {
            self.before = now;
        }
        let _ = self.set();
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_have_a_start_in_common() {
        for (words, common) in [
            (&["start", "status"][..], "sta"),
            (&["a", "b"], ""),
            (&["w\u{f6}rk", "w\u{f8}rk"], "w"),
            (&["web", "web:*"], "web"),
            (&["one"], "one"),
        ] {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(common_start(&words), common);
        }
    }
}
