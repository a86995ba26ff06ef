//! Splits the bytes of a log into lines with a name in front, and finds where a stream continues the text
//! that was read.

use regex_lite::Regex;

/// A longer line is split, with the name in front of each part.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// The server begins a stream at most this far before the end of the log.
const STREAM_HEAD_BYTES: usize = 1024;

/// The lines of a channel; an incomplete line is kept until its end.
pub(super) struct PrefixedLines {
    prefix: Vec<u8>,
    /// Lines that do not match are left out.
    pattern: Option<Regex>,
    begun: Vec<u8>,
}

impl PrefixedLines {
    /// Adds this prefix to each line.
    pub(super) fn with_prefix(prefix: &str, pattern: Option<Regex>) -> Self {
        Self { prefix: prefix.as_bytes().to_vec(), pattern, begun: Vec::new() }
    }

    /// The lines that these bytes complete.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            while self.begun.len() > LINE_BYTES_MAX {
                let rest = self.begun.split_off(LINE_BYTES_MAX);
                text.extend(self.rest());
                self.begun = rest;
            }
            if self.begun.ends_with(b"\n") {
                self.begun.pop();
                text.extend(self.end());
            }
        }
        text
    }

    /// An incomplete line that will not be continued, if there is one.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        if self.begun.is_empty() { Vec::new() } else { self.end() }
    }

    fn end(&mut self) -> Vec<u8> {
        let line = std::mem::take(&mut self.begun);
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(&String::from_utf8_lossy(&line))) {
            return Vec::new();
        }
        [self.prefix.as_slice(), &line, b"\n"].concat()
    }
}

/// The lines that match.
pub(super) fn matching(text: &str, pattern: Option<&Regex>) -> String {
    let Some(pattern) = pattern else { return text.to_owned() };
    text.split_inclusive('\n').filter(|line| pattern.is_match(line.trim_end_matches('\n'))).collect()
}

/// The last `lines` lines of a log, including an incomplete one.
pub(super) fn last(text: &[u8], lines: usize) -> &[u8] {
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    if lines == 0 {
        return &[];
    }
    let breaks = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    let start = breaks.map(|(at, _)| at + 1).nth(lines - 1).unwrap_or(0);
    &text[start..]
}

/// Finds the overlap of the text that was read and the stream.
///
/// The stream begins at most [`STREAM_HEAD_BYTES`] before the end that the log had then, so it repeats the
/// last bytes that we have, unless more was written in between.
#[derive(Default)]
pub(super) struct StreamOverlap {
    /// The end of the text that was read; empty once the overlap is resolved.
    seen: Vec<u8>,
    /// The streamed bytes so far.
    streamed: Vec<u8>,
}

impl StreamOverlap {
    /// Begins after this text.
    pub(super) fn at_end_of(text: &[u8]) -> Self {
        Self { seen: text[text.len().saturating_sub(STREAM_HEAD_BYTES)..].to_vec(), streamed: Vec::new() }
    }

    /// Whether more data is needed to find the overlap.
    pub(super) fn is_open(&self) -> bool {
        !self.seen.is_empty()
    }

    /// The bytes that were not seen before. They are kept until that is known.
    pub(super) fn unseen(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        if !self.is_open() {
            return bytes;
        }
        self.streamed.extend(bytes);
        if self.streamed.len() < self.seen.len() { Vec::new() } else { self.close() }
    }

    /// Gives up waiting and returns the kept bytes that were not seen before.
    pub(super) fn close(&mut self) -> Vec<u8> {
        let (seen, mut streamed) = (std::mem::take(&mut self.seen), std::mem::take(&mut self.streamed));
        let longest = seen.len().min(streamed.len());
        let again = (0..=longest).rev().find(|len| seen.ends_with(&streamed[..*len])).unwrap_or(0);
        streamed.drain(..again);
        streamed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn only_whole_lines_are_let_out() {
        let mut lines = PrefixedLines::with_prefix("web | ", None);
        assert_eq!(text(lines.take(b"one\ntw")), "web | one\n");
        assert_eq!(text(lines.take(b"o\n\nthr")), "web | two\nweb | \n");
        assert_eq!(text(lines.rest()), "web | thr\n");
        assert_eq!(text(lines.rest()), "");
        let long = "x".repeat(LINE_BYTES_MAX);
        assert_eq!(text(lines.take(long.as_bytes())), "");
        assert_eq!(text(lines.take(b"yz\n")), format!("web | {long}\nweb | yz\n"));
    }

    #[test]
    fn only_lines_that_match_are_let_out() {
        let pattern = Regex::new("^(E|x)\\d$").unwrap();
        assert_eq!(matching("E1\nE12\nx3\n", Some(&pattern)), "E1\nx3\n");
        assert_eq!(matching("E12\nE1", Some(&pattern)), "E1");
        let mut lines = PrefixedLines::with_prefix("web | ", Some(pattern));
        assert_eq!(text(lines.take(b"E1\nE12\nx")), "web | E1\n");
        assert_eq!(text(lines.take(b"3\n\xff\nE4")), "web | x3\n");
        assert_eq!(text(lines.rest()), "web | E4\n");
    }

    #[test]
    fn the_last_lines_are_counted_from_the_end() {
        for (log, lines, expected) in [
            ("a\nb\nc\n", 2, "b\nc\n"),
            ("a\nb\nc", 2, "b\nc"),
            ("a\nb\n", 5, "a\nb\n"),
            ("a\n\n", 1, "\n"),
            ("", 3, ""),
            ("a\n", 0, ""),
        ] {
            assert_eq!(last(log.as_bytes(), lines), expected.as_bytes(), "{log:?} {lines}");
        }
    }

    #[test]
    fn a_stream_continues_where_the_log_was_read_to() {
        let long = "0123456789".repeat(200);
        for (seen, streamed, fresh) in [
            ("", &["new"][..], "new"),
            ("old\n", &["old\n", "new"], "new"),
            ("old\n", &["ol", "d\nnew"], "new"),
            // More was written in between: the stream begins with the end of what we know, or after it.
            ("a\nb\nc\n", &["c\nd\ne\nf\n"], "d\ne\nf\n"),
            ("old\n", &["quite new"], "quite new"),
            (&long, &[&long[long.len() - 1024..], "x"], "x"),
        ] {
            let mut overlap = StreamOverlap::at_end_of(seen.as_bytes());
            let mut all: Vec<u8> = Vec::new();
            streamed.iter().for_each(|bytes| all.extend(overlap.unseen(bytes.as_bytes().to_vec())));
            assert!(!overlap.is_open());
            assert_eq!(text(all), fresh);
        }
    }

    #[test]
    fn a_missing_overlap_is_given_up() {
        let mut overlap = StreamOverlap::at_end_of(b"it was long before it was rotated\n");
        assert_eq!(overlap.unseen(b"new\n".to_vec()), b"");
        assert!(overlap.is_open());
        assert_eq!(overlap.close(), b"new\n");
        assert_eq!(overlap.unseen(b"x".to_vec()), b"x");
    }
}
