//! The one place that writes texts and bytes as Python's `repr` does, where that form is what
//! clients and scrapers of Supervisor have come to expect.

use std::fmt::Write;

/// `'text'` as Python shows it: in single quotes unless it has single but no double ones inside.
#[must_use]
pub fn repr_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => push_escape(&mut out, u32::from(c)),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// `b'bytes'` as Python shows them.
#[must_use]
fn repr_bytes(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
    let mut out = String::with_capacity(bytes.len() + 3);
    out.extend(['b', char::from(quote)]);
    for &byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte if byte == quote => out.extend(['\\', char::from(byte)]),
            b' '..=b'~' => out.push(char::from(byte)),
            byte => push_escape(&mut out, u32::from(byte)),
        }
    }
    out.push(char::from(quote));
    out
}

fn push_escape(out: &mut String, code: u32) {
    // Writing to a String can't fail.
    let _ = if code < 0x100 { write!(out, "\\x{code:02x}") } else { write!(out, "\\u{code:04x}") };
}

/// What the activity log says at debug level of a chunk that a child wrote.
#[must_use]
pub fn output_echo(process: &str, channel: &str, bytes: &[u8]) -> String {
    let name = repr_text(process);
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("{name} {channel} output:\n{text}"),
        Err(_) => format!("{name} {channel} output:\nUndecodable: {}", repr_bytes(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_as_python_quotes_them() {
        for (text, shown) in [
            ("cat", "'cat'"),
            ("it's", "\"it's\""),
            ("it's \"x\"", "'it\\'s \"x\"'"),
            ("a\\b\n\t\u{7}\u{e4}\u{85}", "'a\\\\b\\n\\t\\x07\u{e4}\\x85'"),
            ("", "''"),
        ] {
            assert_eq!(repr_text(text), shown);
        }
    }

    #[test]
    fn output_that_is_no_text_is_shown_as_bytes() {
        assert_eq!(output_echo("x", "stdout", "h\u{e4}\n".as_bytes()), "'x' stdout output:\nh\u{e4}\n");
        assert_eq!(output_echo("x", "stderr", b"\x88\n'"), "'x' stderr output:\nUndecodable: b\"\\x88\\n'\"");
    }
}
