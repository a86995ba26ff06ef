//! Text in Python's formats: values as `repr` writes them, and words as `shlex` splits them.
//!
//! Supervisor's messages contain values in the format of `repr`, and people grep for them. Its options are split by
//! `shlex`. Both are implemented only here.

mod words;

pub use words::{SplitError, Word, join_words, split_command, split_pairs, split_pairs_of_old};

/// `'it''s'` as Python would print it: single quotes unless only double ones avoid escaping.
#[must_use]
pub fn quote(text: &str) -> String {
    quoted(text, |c| !is_printable(c))
}

/// The same with all non-ASCII characters escaped, as by Python's `ascii()`.
#[must_use]
pub fn quote_ascii(text: &str) -> String {
    quoted(text, |c| !c.is_ascii() || !is_printable(c))
}

fn quoted(text: &str, must_escape: impl Fn(char) -> bool) -> String {
    let mark = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(mark);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == mark => out.extend(['\\', c]),
            c if must_escape(c) => out.push_str(&escape(c)),
            c => out.push(c),
        }
    }
    out.push(mark);
    out
}

fn escape(c: char) -> String {
    match u32::from(c) {
        code @ ..=0xff => format!("\\x{code:02x}"),
        code @ ..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

/// Rust's definition of printable is close enough; both follow the Unicode tables. Rust also escapes a
/// combining mark without a base character, so it gets one.
fn is_printable(c: char) -> bool {
    match c {
        ' '..='~' => true,
        c => !c.is_whitespace() && !format!("a{c}").escape_debug().any(|escaped| escaped == '\\'),
    }
}

/// `b'bytes'` as Python prints them.
#[must_use]
pub fn quote_bytes(bytes: &[u8]) -> String {
    let mark = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
    let mut out = String::with_capacity(bytes.len() + 3);
    out.extend(['b', char::from(mark)]);
    for &byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'\\' => out.push_str("\\\\"),
            byte if byte == mark => out.extend(['\\', char::from(byte)]),
            b' '..=b'~' => out.push(char::from(byte)),
            byte => out.push_str(&escape(char::from(byte))),
        }
    }
    out.push(char::from(mark));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_python_does() {
        for (text, expected) in [
            ("", "''"),
            ("web", "'web'"),
            ("it's", r#""it's""#),
            (r#"it's "so""#, r#"'it\'s "so"'"#),
            ("a\\b\n\t\r", r"'a\\b\n\t\r'"),
            ("\u{1}\u{7f}\u{a0}", r"'\x01\x7f\xa0'"),
            ("é\u{200b}\u{2028}", "'é\\u200b\\u2028'"),
            ("i\u{307}", "'i\u{307}'"),
        ] {
            assert_eq!(quote(text), expected);
        }
        assert_eq!(quote_bytes(b"\x88\n'\\a"), r#"b"\x88\n'\\a""#);
        assert_eq!(quote_ascii("é\u{1f600}'"), r#""\xe9\U0001f600'""#);
    }
}
