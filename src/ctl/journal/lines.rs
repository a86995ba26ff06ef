//! Splits the bytes of a log into lines with a name in front, and finds where a stream continues the text
//! that was read.

use std::borrow::Cow;

use regex_lite::Regex;
use serde_json::json;

use super::super::screen::harmless_log;
use super::super::times;

/// A longer line is split, with the name in front of each part.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// The server begins a stream at most this far before the end of the log.
const STREAM_HEAD_BYTES: usize = 1024;

/// How a line is shown.
pub(super) enum LineStyle {
    /// After this text.
    Prefixed(Vec<u8>),
    /// After this text and the time.
    Timed(Vec<u8>),
    /// As an object with these names of the process and the channel.
    Json(String, &'static str),
}

/// What shows the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogScreen {
    /// A file or a program, which gets them as they are.
    None,
    /// A terminal, which gets nothing but text and, if it wants them, colors.
    Terminal { has_colors: bool },
}

/// The lines of a channel; an incomplete line is kept until its end.
pub(super) struct JournalLines {
    style: LineStyle,
    screen: LogScreen,
    /// Lines that do not match are left out.
    pattern: Option<Regex>,
    begun: Vec<u8>,
}

impl JournalLines {
    /// Shows lines in this style.
    pub(super) fn new(style: LineStyle, screen: LogScreen, pattern: Option<Regex>) -> Self {
        Self { style, screen, pattern, begun: Vec::new() }
    }

    /// The lines that these bytes complete, which have arrived now.
    pub(super) fn take(&mut self, bytes: &[u8], now_ms: i64) -> Vec<u8> {
        let mut text = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            while self.begun.len() > LINE_BYTES_MAX {
                let rest = self.begun.split_off(LINE_BYTES_MAX);
                text.extend(self.rest(now_ms));
                self.begun = rest;
            }
            if self.begun.ends_with(b"\n") {
                self.begun.pop();
                text.extend(self.end(now_ms));
            }
        }
        text
    }

    /// An incomplete line that will not be continued, if there is one.
    pub(super) fn rest(&mut self, now_ms: i64) -> Vec<u8> {
        if self.begun.is_empty() { Vec::new() } else { self.end(now_ms) }
    }

    fn end(&mut self, now_ms: i64) -> Vec<u8> {
        let line = std::mem::take(&mut self.begun);
        let text = String::from_utf8_lossy(&line);
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(&text)) {
            return Vec::new();
        }
        let at = match self.style {
            LineStyle::Prefixed(_) => None,
            // The time of its arrival if the line has none.
            LineStyle::Timed(_) | LineStyle::Json(..) => times::of_line(&text).or(Some(now_ms)),
        };
        self.shown(&line, at)
    }

    /// A line without its newline, which was written then. A longer one is split.
    pub(super) fn shown(&self, line: &[u8], at: Option<i64>) -> Vec<u8> {
        let parts = line.chunks(LINE_BYTES_MAX).chain(line.is_empty().then_some(&[][..]));
        parts.flat_map(|part| self.part(part, at)).collect()
    }

    fn part(&self, line: &[u8], at: Option<i64>) -> Vec<u8> {
        match &self.style {
            LineStyle::Prefixed(prefix) => [prefix.as_slice(), &self.on_screen(line), b"\n"].concat(),
            LineStyle::Timed(prefix) => {
                let time = at.map_or_else(|| format!("{:<24}", "-"), times::utc);
                let line =
                    std::str::from_utf8(line).map_or(line, |text| times::without_time(text).as_bytes());
                [prefix.as_slice(), time.as_bytes(), b" ", &self.on_screen(line), b"\n"].concat()
            }
            LineStyle::Json(full_name, channel) => {
                let (text, at) = (String::from_utf8_lossy(line), at.map(times::utc));
                format!("{}\n", json!({"full_name": full_name, "channel": channel, "at": at, "text": text}))
                    .into_bytes()
            }
        }
    }

    fn on_screen<'l>(&self, line: &'l [u8]) -> Cow<'l, [u8]> {
        match self.screen {
            LogScreen::None => line.into(),
            LogScreen::Terminal { has_colors } => {
                harmless_log(&String::from_utf8_lossy(line), has_colors).into_bytes().into()
            }
        }
    }
}

/// The lines of a log that has been written already, each with its time if that is known. A line without a time belongs
/// to the one before, as in a stack trace. Times are looked for only if they are needed.
pub(super) fn timed(text: &str, needs_times: bool) -> impl Iterator<Item = (Option<i64>, &str)> {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let lines = body.split('\n').filter(move |_| !text.is_empty());
    lines.scan(None, move |at, line| {
        *at = needs_times.then(|| times::of_line(line)).flatten().or(*at);
        Some((*at, line))
    })
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

    fn prefixed(pattern: Option<Regex>) -> JournalLines {
        JournalLines::new(LineStyle::Prefixed(b"web | ".to_vec()), LogScreen::None, pattern)
    }

    #[test]
    fn only_whole_lines_are_let_out() {
        let mut lines = prefixed(None);
        assert_eq!(text(lines.take(b"one\ntw", 0)), "web | one\n");
        assert_eq!(text(lines.take(b"o\n\nthr", 0)), "web | two\nweb | \n");
        assert_eq!(text(lines.rest(0)), "web | thr\n");
        assert_eq!(text(lines.rest(0)), "");
        let long = "x".repeat(LINE_BYTES_MAX);
        assert_eq!(text(lines.take(long.as_bytes(), 0)), "");
        assert_eq!(text(lines.take(b"yz\n", 0)), format!("web | {long}\nweb | yz\n"));
        assert_eq!(
            text(lines.shown(format!("{long}yz").as_bytes(), None)),
            format!("web | {long}\nweb | yz\n")
        );
    }

    #[test]
    fn a_terminal_gets_text_and_colors_only() {
        let line = b"\x1b[31mred\x1b[2J\xe2\x80\xae\xff\n";
        for (screen, expected) in [
            (
                LogScreen::Terminal { has_colors: true },
                "web | \x1b[31mred\\u{1b}[2J\\u{202e}\u{fffd}\x1b[0m\n".as_bytes(),
            ),
            (LogScreen::Terminal { has_colors: false }, "web | red\\u{1b}[2J\\u{202e}\u{fffd}\n".as_bytes()),
            (LogScreen::None, b"web | \x1b[31mred\x1b[2J\xe2\x80\xae\xff\n"),
        ] {
            let mut lines = JournalLines::new(LineStyle::Prefixed(b"web | ".to_vec()), screen, None);
            assert_eq!(lines.take(line, 0), expected, "{screen:?}");
        }
    }

    #[test]
    fn only_lines_that_match_are_let_out() {
        let mut lines = prefixed(Some(Regex::new("^(E|x)\\d$").unwrap()));
        assert_eq!(text(lines.take(b"E1\nE12\nx", 0)), "web | E1\n");
        assert_eq!(text(lines.take(b"3\n\xff\nE4", 0)), "web | x3\n");
        assert_eq!(text(lines.rest(0)), "web | E4\n");
    }

    #[test]
    fn lines_have_the_time_that_is_known_of_them() {
        let log = "a\n1970-01-01T00:00:01Z b\n  at c\n\n{\"time\":\"1970-01-01T00:00:02Z\"}\n";
        let expected =
            [(None, "a"), (Some(1000), "1970-01-01T00:00:01Z b"), (Some(1000), "  at c"), (Some(1000), "")];
        assert_eq!(timed(log, true).take(4).collect::<Vec<_>>(), expected);
        assert_eq!(timed(log, true).last().unwrap().0, Some(2000));
        assert_eq!((timed("", true).count(), timed("a", true).count(), timed("\n", true).count()), (0, 1, 1));
        let mut lines = JournalLines::new(LineStyle::Timed(b"web | ".to_vec()), LogScreen::None, None);
        // The time of arrival where a line has none.
        assert_eq!(
            text(lines.take(b"a\n1970-01-01T00:00:01Z b\n", 7)),
            "web | 1970-01-01T00:00:00.007Z a\nweb | 1970-01-01T00:00:01.000Z b\n"
        );
        assert_eq!(text(lines.shown(b"x", None)), format!("web | -{} x\n", " ".repeat(23)));
        let lines = JournalLines::new(LineStyle::Json("g:web".to_owned(), "stdout"), LogScreen::None, None);
        let expected = "{\"at\":null,\"channel\":\"stdout\",\"full_name\":\"g:web\",\"text\":\"x\"}\n";
        assert_eq!(text(lines.shown(b"x", None)), expected);
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
