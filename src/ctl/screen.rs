//! What fits on a terminal, and what may be written to it.

use std::borrow::Cow;
use std::io::{self, IsTerminal};

use rustix::termios::tcgetwinsize;
use serde_json::Value as Json;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::model::is_direction_mark;

/// The size of a terminal in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScreenSize {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// The size of the terminal on standard output; 24 by 80 where it is unknown.
pub(super) fn size() -> ScreenSize {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            ScreenSize { rows: size.ws_row.into(), columns: size.ws_col.into() }
        }
        _ => ScreenSize { rows: 24, columns: 80 },
    }
}

/// The columns that a table may have: without a limit if standard output is not a terminal, since whatever reads it
/// wants names as they are.
pub(super) fn table_columns() -> usize {
    if io::stdout().is_terminal() { size().columns } else { usize::MAX }
}

/// A text in which nothing changes the terminal or the order of the text: control characters, and those that
/// format, join or reorder invisibly, are escaped.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return text.into();
    }
    let mut escaped = String::new();
    for c in text.chars() {
        if is_harmful(c) { escaped.extend(c.escape_default()) } else { escaped.push(c) }
    }
    escaped.into()
}

/// A line of a log in which nothing but colors changes the terminal, and nothing the order of the text: other control
/// characters and marks of direction are escaped. Letters that join others remain, and so does the end of a line of Windows.
pub(super) fn harmless_log(line: &str, has_colors: bool) -> String {
    const RESET: &str = "\x1b[0m";
    let mut shown = String::with_capacity(line.len());
    let (mut rest, mut is_colored) = (line, false);
    while let Some(c) = rest.chars().next() {
        let color = color_length(rest);
        if color > 0 {
            if has_colors {
                shown.push_str(&rest[..color]);
                is_colored = true;
            }
            rest = &rest[color..];
            continue;
        }
        let is_line_end = c == '\r' && rest.len() == 1;
        let is_text = c == '\t' || is_line_end || !(c.is_control() || is_direction_mark(c));
        if is_text {
            shown.push(c)
        } else {
            shown.extend(c.escape_default())
        }
        rest = &rest[c.len_utf8()..];
    }
    if is_colored { shown + RESET } else { shown }
}

/// The length of the escape sequence for a color or a weight with which a text begins; 0 if it begins with none.
fn color_length(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\x1b[") else { return 0 };
    let end = parameters.bytes().position(|byte| !(byte.is_ascii_digit() || b";:".contains(&byte)));
    end.filter(|end| parameters[*end..].starts_with('m')).map_or(0, |end| end + 3)
}

/// A harmless text of a document; empty if it is none.
pub(super) fn shown(value: &Json) -> String {
    harmless(value.as_str().unwrap_or_default()).into_owned()
}

/// A harmless text of several lines.
pub(super) fn harmless_lines(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// At most this many columns of a text, at least one, with `…` in place of its middle.
pub(super) fn shortened(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return text.into();
    }
    let room = width.saturating_sub(1);
    let head = fitting(text.chars(), room - room / 2);
    let mut tail: Vec<char> = fitting(text.chars().rev(), room / 2);
    tail.reverse();
    head.into_iter().chain(['\u{2026}']).chain(tail).collect::<String>().into()
}

/// The first characters that fit into this many columns.
fn fitting(chars: impl Iterator<Item = char>, width: usize) -> Vec<char> {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += columns_of(*c);
            used <= width
        })
        .collect()
}

/// A line in as many lines as it takes for none to be wider than this, broken between words where there are some; those
/// after the first are indented. Escape sequences for colours take no room.
pub(super) fn wrapped(line: &str, width: usize, indent: usize) -> Vec<String> {
    if line.width() <= width {
        return vec![line.to_owned()];
    }
    let (width, indent) = (width.max(1), indent.min(width / 2));
    let mut lines = Vec::new();
    let mut current = String::new();
    // The width of the current line, where it may be broken, and whether a word has begun in it.
    let (mut used, mut word_at, mut has_word) = (0, None, false);
    for (c, columns) in cells(line) {
        while used + columns > width && has_word && c != ' ' {
            let rest = current.split_off(word_at.unwrap_or(current.len()));
            lines.push(current.trim_end().to_owned());
            current = format!("{}{rest}", " ".repeat(indent));
            used = indent + cells(&rest).map(|(_, columns)| columns).sum::<usize>();
            (word_at, has_word) = (None, !rest.is_empty());
        }
        current.push(c);
        used += columns;
        has_word |= c != ' ';
        if c == ' ' && has_word {
            word_at = Some(current.len());
        }
    }
    lines.push(current.trim_end().to_owned());
    lines
}

/// Each character with its columns: none in an escape sequence for colours.
fn cells(line: &str) -> impl Iterator<Item = (char, usize)> {
    line.chars().scan(false, |is_escape, c| {
        *is_escape |= c == '\x1b';
        let columns = if *is_escape { 0 } else { columns_of(c) };
        *is_escape &= c != 'm';
        Some((c, columns))
    })
}

/// The columns of a character, at most: U+FE0F counts as one, since it may widen the character before it.
fn columns_of(c: char) -> usize {
    if c == '\u{fe0f}' { 1 } else { c.width().unwrap_or(0) }
}

/// The text, filled with blanks up to this many columns on the left or on the right.
pub(super) fn padded(text: &str, width: usize, is_right: bool) -> String {
    let blanks = " ".repeat(width.saturating_sub(text.width()));
    if is_right { format!("{blanks}{text}") } else { format!("{text}{blanks}") }
}

/// A duration in at most six columns: `9s`, `4m07s`, `3h09m`, `12d06h`.
pub(super) fn duration(secs: u64) -> String {
    match secs {
        0..60 => format!("{secs}s"),
        60..3600 => format!("{}m{:02}s", secs / 60, secs % 60),
        3600..86_400 => format!("{}h{:02}m", secs / 3600, secs / 60 % 60),
        _ => format!("{}d{:02}h", secs / 86_400, secs / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmful_characters_are_escaped() {
        for (text, shown) in [
            ("web", "web"),
            ("<b>\u{6771}\u{301}&", "<b>\u{6771}\u{301}&"),
            ("a\x1b[2Jb\tc\nd\x7f\u{9b}", "a\\u{1b}[2Jb\\tc\\nd\\u{7f}\\u{9b}"),
            ("\u{202e}txt.exe\u{2066}\u{200f}\u{61c}", "\\u{202e}txt.exe\\u{2066}\\u{200f}\\u{61c}"),
            ("\u{feff}\u{200b}x\u{2028}", "\\u{feff}\\u{200b}x\\u{2028}"),
        ] {
            assert_eq!(harmless(text), shown);
            assert_eq!(harmless_lines(&format!("{text}\r\nnext")).lines().last(), Some("next"));
        }
    }

    #[test]
    fn the_middle_of_a_long_text_is_left_out() {
        for (text, width, expected) in [
            ("web_00", 6, "web_00"),
            ("worker_process_17", 9, "work\u{2026}s_17"),
            ("worker_process_17", 8, "work\u{2026}_17"),
            // Two columns each: what does not fit is left out.
            ("\u{6771}\u{4eac}\u{6771}\u{4eac}", 6, "\u{6771}\u{2026}\u{4eac}"),
            ("abc", 1, "\u{2026}"),
        ] {
            let short = shortened(text, width);
            assert_eq!(short, expected);
            assert!(short.width() <= width, "{short}");
        }
    }

    #[test]
    fn a_long_line_is_wrapped_between_words() {
        for (line, width, indent, expected) in [
            ("one two", 7, 2, &["one two"][..]),
            ("one two three four", 9, 2, &["one two", "  three", "  four"]),
            // Columns stay as they are, and a blank at the end of a line is left out.
            ("  a   b", 6, 4, &["  a", "   b"]),
            ("label:  some more words", 16, 8, &["label:  some", "        more", "        words"]),
            // What has no blanks is broken anywhere, and two columns are not shared by two lines.
            ("abcdefgh", 5, 2, &["abcde", "  fgh"]),
            ("ab \u{6771}\u{4eac}\u{6771}", 5, 0, &["ab", "\u{6771}\u{4eac}", "\u{6771}"]),
            ("\x1b[31mFATAL\x1b[0m now", 9, 2, &["\x1b[31mFATAL\x1b[0m now"]),
            ("\x1b[31mFATAL\x1b[0m now", 7, 2, &["\x1b[31mFATAL\x1b[0m", "  now"]),
            // The indentation leaves room for text.
            ("x yyyyyy", 4, 10, &["x", "  yy", "  yy", "  yy"]),
            ("ab", 0, 10, &["a", "b"]),
        ] {
            assert_eq!(wrapped(line, width, indent), expected, "{line} in {width}");
        }
        assert_eq!(wrapped(&"x ".repeat(100), usize::MAX, 4).len(), 1);
        let hearts = wrapped(&"\u{2764}\u{fe0f}".repeat(9), 5, 0);
        assert!(hearts.iter().all(|line| line.width() <= 5), "{hearts:?}");
    }

    #[test]
    fn durations_have_two_units_at_most() {
        for (secs, text) in [(0, "0s"), (59, "59s"), (247, "4m07s"), (11_399, "3h09m"), (1_058_400, "12d06h")]
        {
            assert_eq!(duration(secs), text);
        }
    }
}
