//! Splits chunks, which can end anywhere, into lines.
//!
//! A line is held back until it is complete, so that it is reported as a whole. One that exceeds the bound is
//! reported in pieces, never split inside a character.

use super::characters::whole_characters;

/// The maximum number of bytes of an incomplete line that are held back. Longer lines are reported in pieces.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

/// A line without its line ending, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinePiece<'a> {
    /// As written.
    pub bytes: &'a [u8],
    /// Whether it begins a line.
    pub is_first: bool,
    /// Whether it ends a line.
    pub is_last: bool,
}

/// The lines of one stream.
#[derive(Debug)]
pub struct Lines {
    bytes_max: usize,
    held: Vec<u8>,
    /// A piece of the line was reported already.
    in_the_middle: bool,
}

impl Lines {
    /// Lines of at most this many bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, held: Vec::new(), in_the_middle: false }
    }

    /// Adds a chunk; reports complete lines.
    pub fn feed(&mut self, chunk: &[u8], report: &mut dyn FnMut(LinePiece<'_>)) {
        self.split(chunk, report);
    }

    /// The same, compiled together with what it reports to.
    pub(crate) fn split(&mut self, mut chunk: &[u8], mut report: impl FnMut(LinePiece<'_>)) {
        while let Some(at) = memchr::memchr(b'\n', chunk) {
            self.line(&chunk[..at], &mut report);
            chunk = &chunk[at + 1..];
        }
        self.hold(chunk, &mut report);
    }

    /// Reports what was held back, at the end of the stream.
    pub fn finish(&mut self, mut report: &mut dyn FnMut(LinePiece<'_>)) {
        if !self.held.is_empty() {
            self.line(&[], &mut report);
        }
    }

    fn line(&mut self, rest: &[u8], report: &mut impl FnMut(LinePiece<'_>)) {
        if self.held.is_empty() && rest.len() <= self.bytes_max {
            report(LinePiece { bytes: rest, is_first: !self.in_the_middle, is_last: true });
        } else {
            self.hold(rest, report);
            report(LinePiece { bytes: &self.held, is_first: !self.in_the_middle, is_last: true });
            self.held.clear();
        }
        self.in_the_middle = false;
    }

    fn hold(&mut self, mut bytes: &[u8], report: &mut impl FnMut(LinePiece<'_>)) {
        while self.held.len() + bytes.len() > self.bytes_max {
            let (now, later) = bytes.split_at(self.bytes_max - self.held.len());
            self.held.extend_from_slice(now);
            bytes = later;
            let whole = whole_characters(&self.held);
            report(LinePiece { bytes: &self.held[..whole], is_first: !self.in_the_middle, is_last: false });
            self.held.drain(..whole);
            self.in_the_middle = true;
        }
        self.held.extend_from_slice(bytes);
    }
}

/// Passes on a stream unchanged, in whole lines if possible, so that the output of another writer to the same
/// destination starts on a line of its own.
#[derive(Debug, Default)]
pub struct WholeLines {
    held: Vec<u8>,
}

impl WholeLines {
    /// Passes on everything up to the last line ending; the rest too if it has become too long.
    pub fn feed(&mut self, chunk: &[u8], pass_on: &mut dyn FnMut(&[u8])) {
        let ends = memchr::memrchr(b'\n', chunk).map_or(0, |at| at + 1);
        let (lines, rest) = chunk.split_at(ends);
        let is_too_long = self.held.len() + rest.len() > LINE_BYTES_MAX;
        if (ends > 0 || is_too_long) && !self.held.is_empty() {
            pass_on(&self.held);
            self.held.clear();
        }
        if ends > 0 {
            pass_on(lines);
        }
        if rest.len() > LINE_BYTES_MAX || (is_too_long && ends == 0) {
            pass_on(rest);
        } else {
            self.held.extend_from_slice(rest);
        }
    }

    /// Passes on what was held back: nothing follows, or not soon.
    pub fn finish(&mut self, pass_on: &mut dyn FnMut(&[u8])) {
        if !self.held.is_empty() {
            pass_on(&self.held);
            self.held = Vec::new();
        }
    }

    /// Whether an incomplete line is held back.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(chunks: &[&[u8]], bytes_max: usize) -> Vec<String> {
        let mut all = Vec::new();
        let mut report = |piece: LinePiece<'_>| {
            let text = String::from_utf8_lossy(piece.bytes).into_owned();
            let (before, after) =
                (if piece.is_first { "" } else { "…" }, if piece.is_last { "" } else { "…" });
            all.push(format!("{before}{text}{after}"));
        };
        let mut lines = Lines::new(bytes_max);
        chunks.iter().for_each(|chunk| lines.feed(chunk, &mut report));
        lines.finish(&mut report);
        all
    }

    #[test]
    fn lines_are_passed_on_whole_wherever_chunks_end() {
        let text = "one\n\ntw\u{f6}\nand no end";
        for size in 1..=text.len() {
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            assert_eq!(reported(&chunks, 100), ["one", "", "tw\u{f6}", "and no end"], "pieces of {size}");
        }
        assert_eq!(reported(&[b"\n"], 100), [""]);
        assert_eq!(reported(&[b""], 100), Vec::<String>::new());
    }

    #[test]
    fn long_lines_are_split_between_characters() {
        assert_eq!(reported(&[b"12345\n1234\n"], 4), ["1234…", "…5", "1234"]);
        assert_eq!(reported(&[b"123456789"], 4), ["1234…", "…5678…", "…9"]);
        assert_eq!(reported(&[b"1234", b"\n5"], 4), ["1234", "5"]);
        assert_eq!(reported(&["123\u{e4}5\n".as_bytes()], 4), ["123…", "…\u{e4}5"]);
        assert_eq!(reported(&["1\u{1f600}2".as_bytes()], 4), ["1…", "…\u{1f600}…", "…2"]);
        assert_eq!(reported(&[b"\x80\x80\x80\x80\x80\x80"], 4).len(), 2, "no UTF-8 at all");
    }

    #[test]
    fn whole_lines_lose_nothing_and_hold_back_no_more_than_a_bound() {
        let long = "x".repeat(LINE_BYTES_MAX - 1);
        let text = format!("a\nbb\n{long}{long}\nccc\nend");
        for size in [1, 2, 3, 1000, LINE_BYTES_MAX, 40_000, text.len()] {
            let (mut whole, mut pieces) = (WholeLines::default(), Vec::new());
            for chunk in text.as_bytes().chunks(size) {
                whole.feed(chunk, &mut |bytes| pieces.push(bytes.to_vec()));
                assert!(whole.held.len() <= LINE_BYTES_MAX);
            }
            assert!(!pieces.concat().ends_with(b"end"), "held back in pieces of {size}");
            whole.finish(&mut |bytes| pieces.push(bytes.to_vec()));
            assert_eq!(pieces.concat(), text.as_bytes(), "pieces of {size}");
        }
    }

    #[test]
    fn a_complete_line_is_passed_on_at_once() {
        let (mut whole, mut passed) = (WholeLines::default(), Vec::new());
        whole.feed(b"one\ntw", &mut |bytes| passed.extend_from_slice(bytes));
        assert_eq!(passed, b"one\n");
        whole.feed(b"o\n", &mut |bytes| passed.extend_from_slice(bytes));
        assert_eq!(passed, b"one\ntwo\n");
    }
}
