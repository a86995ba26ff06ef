//! Text to HTML.

use crate::model::is_direction_mark;

/// Escapes a text that people read. Characters that would not be seen, and marks that change the direction of the text
/// that follows, become symbols, as on the live pages (`visible` in `js/view.js`).
pub(super) fn readable(text: &str) -> String {
    escape(&text.chars().map(visible).collect::<String>())
}

/// The same for a log, without the colors of terminals. A carriage return remains: in HTML it ends a line.
pub(super) fn readable_log(text: &str) -> String {
    let keep = |character| if character == '\r' { '\r' } else { visible(character) };
    escape(&without_escape_sequences(text).chars().map(keep).collect::<String>())
}

fn visible(character: char) -> char {
    match character {
        '\t' | '\n' => character,
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(character)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f'..='\u{9f}' => char::REPLACEMENT_CHARACTER,
        mark if is_direction_mark(mark) => char::REPLACEMENT_CHARACTER,
        other => other,
    }
}

/// Drops colors and cursor movements (`ESCAPES` in `js/log.js`).
fn without_escape_sequences(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\x1b') {
        kept.push_str(before);
        let length = sequence_length(after);
        if length == 0 {
            kept.push('\x1b');
        }
        rest = &after[length..];
    }
    kept + rest
}

/// The length of the escape sequence that begins before this text; 0 if there is none.
fn sequence_length(after: &str) -> usize {
    let bytes = after.as_bytes();
    match bytes.first() {
        Some(b'[') => {
            let is_parameter = |byte: &&u8| (b' '..=b'?').contains(*byte);
            let last = 1 + bytes[1..].iter().take_while(is_parameter).count();
            if bytes.get(last).is_some_and(|byte| (b'@'..=b'~').contains(byte)) { last + 1 } else { 0 }
        }
        // A title of a window, up to its end if it has one.
        Some(b']') => match after.find(['\x07', '\x1b']).map(|end| (end, &after[end..])) {
            Some((end, rest)) if rest.starts_with('\x07') => end + 1,
            Some((end, rest)) if rest.starts_with("\x1b\\") => end + 2,
            _ => 1,
        },
        Some(b'@'..=b'_') => 1,
        _ => 0,
    }
}

/// Escapes a text for HTML, otherwise as it is: for a value that comes back.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // HTML can't contain it, not even as a character reference.
            '\0' => escaped.push(char::REPLACEMENT_CHARACTER),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The common frame of all pages. A script, by its path, may replace the body.
pub(super) fn document(title: &str, script: Option<&str>, body: &str) -> String {
    let title = readable(title);
    let script =
        script.map(|path| format!("<script type=\"module\" src=\"{path}\"></script>\n")).unwrap_or_default();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <link href=\"stylesheets/supervisor.css\" rel=\"stylesheet\">\n\
         <link href=\"images/icon.svg\" rel=\"icon\" type=\"image/svg+xml\">\n{script}</head>\n<body>\n{body}</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_not_be_seen_is_a_symbol() {
        assert_eq!(
            readable("<a\0\x07\x1b[1m\r\t\n\x7f\u{85}>"),
            "&lt;a\u{2400}\u{2407}\u{241b}[1m\u{240d}\t\n\u{fffd}\u{fffd}&gt;"
        );
        for mark in ['\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}'] {
            assert_eq!(readable(&format!("a{mark}b")), "a\u{fffd}b", "{mark:?}");
        }
        // Letters of any script, and what joins them.
        for text in ["w\u{e4}b \u{1f512}", "\u{5e9}\u{5dc}\u{5d5}\u{5dd}", "\u{1f468}\u{200d}\u{1f469}"] {
            assert_eq!(readable(text), text);
        }
    }

    #[test]
    fn a_log_is_shown_without_the_colors_of_terminals() {
        for (text, expected) in [
            ("\x1b[31mred\x1b[0m\x1b[K\x1b[38;5;1m!\r\n", "red!\r\n"),
            ("\x1b]0;title\x07a\x1b]8;;x\x1b\\b\x1bMc", "abc"),
            ("\x1b]open \x1b[", "open \u{241b}["),
            ("10 %\r20 %\x08", "10 %\r20 %\u{2408}"),
            ("\x1b\u{e4}\x1b", "\u{241b}\u{e4}\u{241b}"),
            ("a & b\n", "a &amp; b\n"),
        ] {
            assert_eq!(readable_log(text), expected, "{text:?}");
        }
    }

    #[test]
    fn nothing_that_means_something_to_html_is_left() {
        assert_eq!(
            escape("<b a='1' c=\"2\">&amp;\0\n"),
            "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;\u{fffd}\n"
        );
        assert_eq!(escape("w\u{e4}b \u{1f512}"), "w\u{e4}b \u{1f512}");
        assert!(
            document("</title><script>", None, "").contains("<title>&lt;/title&gt;&lt;script&gt;</title>")
        );
    }
}
