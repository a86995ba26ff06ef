//! First stage: decodes bytes, and defines white space.

/// A byte that is not part of any UTF-8 character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotText {
    /// The byte.
    pub byte: u8,
    /// How many bytes of the file precede it.
    pub offset: usize,
}

/// Decodes UTF-8. A byte order mark is skipped, which Supervisor takes for a broken header.
pub(in super::super) fn decode(bytes: &[u8]) -> Result<&str, NotText> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let offset = error.valid_up_to();
            Err(NotText { byte: bytes[offset], offset })
        }
    }
}

/// Python's definition of a space: Unicode's, and the four separators U+001C to U+001F.
#[must_use]
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Removes the spaces at both ends.
#[must_use]
pub fn trim(text: &str) -> &str {
    // A fast path: this is called for every line, key and value, and few have anything to trim.
    if text.as_bytes().first().is_some_and(u8::is_ascii_graphic) {
        return trim_end(text);
    }
    text.trim_matches(is_space)
}

/// Removes the spaces at the end.
pub(super) fn trim_end(text: &str) -> &str {
    let is_bare = text.as_bytes().last().is_some_and(u8::is_ascii_graphic);
    if is_bare { text } else { text.trim_end_matches(is_space) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_utf8_with_or_without_a_mark() {
        assert_eq!(decode(b"a\xc3\xa9"), Ok("aé"));
        assert_eq!(decode(b"\xef\xbb\xbf[a]"), Ok("[a]"));
        assert_eq!(decode(b"a=\xe9\n"), Err(NotText { byte: 0xe9, offset: 2 }));
        assert_eq!(decode(b"\xff"), Err(NotText { byte: 0xff, offset: 0 }));
    }

    #[test]
    fn spaces_are_those_of_python() {
        assert_eq!(trim("\u{1c}\u{1f}\u{a0}\u{2003}\u{85} a b \t\u{b}\u{c}"), "a b");
        assert_eq!(trim("\u{200b}"), "\u{200b}");
    }
}
