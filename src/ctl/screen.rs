//! What fits on a terminal, and what may be written to it.

use std::borrow::Cow;
use std::io::{self, IsTerminal};

use rustix::termios::tcgetwinsize;
use serde_json::Value as Json;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

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

/// The same for a text of a document; empty if it is none.
pub(super) fn shown(value: &Json) -> String {
    harmless(value.as_str().unwrap_or_default()).into_owned()
}

/// The same for a text of several lines.
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
            used += c.width().unwrap_or(0);
            used <= width
        })
        .collect()
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
    fn durations_have_two_units_at_most() {
        for (secs, text) in [(0, "0s"), (59, "59s"), (247, "4m07s"), (11_399, "3h09m"), (1_058_400, "12d06h")]
        {
            assert_eq!(duration(secs), text);
        }
    }
}
