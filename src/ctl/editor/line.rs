//! A line that is edited: its text, the cursor, and the cut text. It does not know the terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::keys::Key;

/// The maximum length of a line: no typed line is longer, and it is redrawn for each key.
const LINE_BYTES_MAX: usize = 4096;

/// The text with a cursor, which is always between two characters.
#[derive(Debug, Default)]
pub(super) struct EditedLine {
    text: String,
    cursor: usize,
    cut: String,
}

impl EditedLine {
    /// An empty line, with text that was cut earlier.
    pub(super) fn new(cut: String) -> Self {
        Self { cut, ..Self::default() }
    }

    /// The whole text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The text left of the cursor.
    pub(super) fn before_cursor(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// The text that was cut last.
    pub(super) fn into_cut(self) -> String {
        self.cut
    }

    /// Replaces the text, with the cursor at its end.
    pub(super) fn set(&mut self, text: String) {
        self.cursor = text.len();
        self.text = text;
    }

    /// Replaces the text between `start` and the cursor.
    pub(super) fn replace_before_cursor(&mut self, start: usize, with: &str) {
        if self.text.len() + with.len() <= LINE_BYTES_MAX {
            self.text.replace_range(start..self.cursor, with);
            self.cursor = start + with.len();
        }
    }

    /// Applies a key that needs nothing but the line.
    pub(super) fn press(&mut self, key: Key) {
        let (left, right) = (self.left(), self.right());
        match key {
            Key::Char(c) => self.replace_before_cursor(self.cursor, c.encode_utf8(&mut [0; 4])),
            Key::Paste => self.replace_before_cursor(self.cursor, &self.cut.clone()),
            Key::Left => self.cursor = left,
            Key::Right => self.cursor = right,
            Key::WordLeft => self.cursor = self.word_left(),
            Key::WordRight => self.cursor = self.word_right(),
            Key::Home => self.cursor = 0,
            Key::End => self.cursor = self.text.len(),
            Key::Backspace => self.remove(left, self.cursor),
            Key::Delete | Key::DeleteOrEnd => self.remove(self.cursor, right),
            Key::CutToEnd => self.cut(self.cursor, self.text.len()),
            Key::CutToStart => self.cut(0, self.cursor),
            Key::CutWord => self.cut(self.word_left(), self.cursor),
            Key::CutWordAhead => self.cut(self.cursor, self.word_right()),
            Key::Enter | Key::Tab | Key::Older | Key::Newer | Key::Clear | Key::Interrupt => {}
            Key::Suspend | Key::Other => {}
        }
    }

    /// The part that fits into a number of columns, and the column of the cursor in it.
    pub(super) fn view(&self, columns: usize) -> (String, usize) {
        let mut hidden = 0;
        while self.text[hidden..self.cursor].width() > columns {
            hidden += self.text[hidden..].chars().next().map_or(1, char::len_utf8);
        }
        let mut room = columns;
        let fits = |c: &char| {
            let left = room.checked_sub(c.width().unwrap_or(0));
            room = left.unwrap_or(0);
            left.is_some()
        };
        let shown = self.text[hidden..].chars().take_while(fits).collect();
        (shown, self.text[hidden..self.cursor].width())
    }

    fn remove(&mut self, start: usize, end: usize) {
        self.text.replace_range(start..end, "");
        self.cursor = start;
    }

    fn cut(&mut self, start: usize, end: usize) {
        if start < end {
            self.cut = self.text[start..end].to_owned();
            self.remove(start, end);
        }
    }

    fn left(&self) -> usize {
        self.before_cursor().char_indices().next_back().map_or(0, |(at, _)| at)
    }

    fn right(&self) -> usize {
        self.cursor + self.text[self.cursor..].chars().next().map_or(0, char::len_utf8)
    }

    /// The start of the word left of the cursor. Blanks separate words, as in the shell's actions.
    fn word_left(&self) -> usize {
        let trimmed = self.before_cursor().trim_end();
        trimmed
            .rfind(char::is_whitespace)
            .map_or(0, |blank| blank + trimmed[blank..].chars().next().map_or(0, char::len_utf8))
    }

    fn word_right(&self) -> usize {
        let rest = &self.text[self.cursor..];
        let word = rest.len() - rest.trim_start().len();
        let end = rest[word..].find(char::is_whitespace).map_or(rest.len(), |len| word + len);
        self.cursor + end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line after these keys, with `|` for the cursor.
    fn typed(text: &str, keys: &[Key]) -> String {
        let mut line = EditedLine::default();
        text.chars().for_each(|c| line.press(Key::Char(c)));
        keys.iter().for_each(|key| line.press(*key));
        let mut shown = line.text.clone();
        shown.insert(line.cursor, '|');
        shown
    }

    #[test]
    fn keys_move_the_cursor_and_change_the_text() {
        for (text, keys, expected) in [
            ("ab", &[][..], "ab|"),
            ("a\u{e9}b", &[Key::Left, Key::Left, Key::Char('x')], "ax|\u{e9}b"),
            ("ab", &[Key::Left, Key::Right, Key::Right], "ab|"),
            ("ab", &[Key::Home, Key::Left, Key::Delete], "|b"),
            ("a\u{e9}", &[Key::Backspace], "a|"),
            ("", &[Key::Backspace, Key::Delete], "|"),
            ("ab", &[Key::Home, Key::DeleteOrEnd, Key::End], "b|"),
            ("stop web  ", &[Key::CutWord], "stop |"),
            ("stop", &[Key::CutWord, Key::CutWord], "|"),
            ("a bc d", &[Key::WordLeft, Key::WordLeft], "a |bc d"),
            ("a bc d", &[Key::Home, Key::WordRight, Key::WordRight], "a bc| d"),
            ("a bc d", &[Key::Home, Key::CutWordAhead], "| bc d"),
            ("a bc", &[Key::WordLeft, Key::CutToEnd, Key::Home, Key::Paste], "bc|a "),
            ("a bc", &[Key::WordLeft, Key::CutToStart, Key::End, Key::Paste], "bca |"),
            ("a", &[Key::CutToEnd, Key::Paste], "a|"),
        ] {
            assert_eq!(typed(text, keys), expected, "{text} {keys:?}");
        }
    }

    #[test]
    fn a_long_line_scrolls_with_its_cursor() {
        let mut line = EditedLine::default();
        line.set("0123456789".to_owned());
        assert_eq!(line.view(4), ("6789".to_owned(), 4));
        line.press(Key::Home);
        assert_eq!(line.view(4), ("0123".to_owned(), 0));
        assert_eq!(line.view(0), (String::new(), 0));
        // These have two columns each, and an accent has none.
        line.set("\u{65e5}\u{672c}e\u{301}".to_owned());
        assert_eq!(line.view(9), ("\u{65e5}\u{672c}e\u{301}".to_owned(), 5));
        assert_eq!(line.view(4), ("\u{672c}e\u{301}".to_owned(), 3));
    }

    #[test]
    fn a_line_has_an_end() {
        let mut line = EditedLine::default();
        line.set("x".repeat(LINE_BYTES_MAX));
        line.press(Key::Char('y'));
        assert_eq!(line.text().len(), LINE_BYTES_MAX);
    }
}
