//! Second stage: splits text into lines, and each line into indent, content and comment.

use memchr::memchr2;

use super::characters::{is_space, trim};

/// One line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'t> {
    /// From 1.
    pub(super) number: usize,
    /// The whole line, without its line ending.
    pub(super) raw: &'t str,
    /// Whether it had a line ending: the last line may not.
    pub(super) is_ended: bool,
    /// Without comment and surrounding spaces.
    pub(super) content: &'t str,
    /// A comment was removed.
    pub(super) has_comment: bool,
    /// The number of characters before the content.
    pub(super) indent: usize,
}

/// Splits at LF, CR LF and CR.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut rest = text;
    let mut number = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        number += 1;
        let (raw, is_ended, next) = cut(rest);
        rest = next;
        Some(Line::new(number, raw, is_ended))
    })
}

impl Line<'_> {
    /// The comment after the content, with its sign.
    pub(super) fn comment(&self) -> &str {
        let after = |at| trim(&self.raw[at..]);
        comment_start(self.raw).map(after).unwrap_or_default()
    }
}

fn cut(text: &str) -> (&str, bool, &str) {
    let Some(end) = memchr2(b'\n', b'\r', text.as_bytes()) else { return (text, false, "") };
    let width = if text[end..].starts_with("\r\n") { 2 } else { 1 };
    (&text[..end], true, &text[end + width..])
}

impl<'t> Line<'t> {
    fn new(number: usize, raw: &'t str, is_ended: bool) -> Self {
        let comment = comment_start(raw);
        let content = trim(&raw[..comment.unwrap_or(raw.len())]);
        let indent = raw.chars().take_while(|&c| is_space(c)).count();
        Self { number, raw, is_ended, content, has_comment: comment.is_some(), indent }
    }
}

fn comment_start(line: &str) -> Option<usize> {
    // Most lines have neither sign; they are done here.
    let first = memchr2(b';', b'#', line.as_bytes())?;
    if line[..first].chars().all(is_space) { Some(0) } else { inline_comment(line) }
}

/// A comment inside a line starts at a `;` or `#` that follows a space, even inside quotes.
///
/// Python looks at the first `;` and the first `#`, then at the second ones, and so on, and stops at the
/// first round that has a comment: in `a;b ; c # d` that is the `#`. We keep its order because it determines
/// the value.
fn inline_comment(line: &str) -> Option<usize> {
    let mut semicolons = line.match_indices(';');
    let mut hashes = line.match_indices('#');
    loop {
        let round = [semicolons.next(), hashes.next()];
        if round == [None, None] {
            return None;
        }
        let candidates = round.into_iter().flatten().map(|(at, _)| at);
        let found = candidates.filter(|&at| line[..at].chars().next_back().is_none_or(is_space)).min();
        if found.is_some() {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_end_ends_a_line() {
        let numbers_and_texts: Vec<_> =
            lines("a\r\nb\rc\n\nd\u{b}\u{c}\u{2028}e").map(|line| (line.number, line.raw)).collect();
        assert_eq!(numbers_and_texts, [(1, "a"), (2, "b"), (3, "c"), (4, ""), (5, "d\u{b}\u{c}\u{2028}e")]);
        let ended: Vec<_> = lines("a\n\rb").map(|line| line.is_ended).collect();
        assert_eq!(ended, [true, true, false]);
        assert_eq!(lines("").count(), 0);
    }

    #[test]
    fn comments_are_taken_off() {
        for (raw, content, has_comment, indent) in [
            ("a=b", "a=b", false, 0),
            ("  a = b \t", "a = b", false, 2),
            ("a=b ; c", "a=b", true, 0),
            ("a=b\t# c", "a=b", true, 0),
            ("a=b\u{a0}# c", "a=b", true, 0),
            ("a=b;c#d", "a=b;c#d", false, 0),
            ("a=;b", "a=;b", false, 0),
            ("a= ;b", "a=", true, 0),
            ("a='x ; y'", "a='x", true, 0),
            ("; a", "", true, 0),
            ("   # a", "", true, 3),
            ("", "", false, 0),
            ("  \t", "", false, 3),
            ("a;b ; c # d", "a;b ; c", true, 0),
            ("a;b ; c #d", "a;b ; c", true, 0),
            ("a;b ; c", "a;b", true, 0),
            ("\u{2003}é=1", "é=1", false, 1),
        ] {
            let line = lines(raw).next().unwrap_or(Line::new(1, "", false));
            assert_eq!(
                (line.content, line.has_comment, line.indent),
                (content, has_comment, indent),
                "{raw:?}"
            );
        }
    }
}
