//! Lines by which a program shows that it is ready: `ready=log:REGEX`.

use regex_lite::Regex;

use crate::logs::{AnsiStripper, LINE_BYTES_MAX, Lines};
use crate::model::{ProcessSpec, ReadyCheck};

/// The expressions that no line of a stream has matched yet. Only whole lines are looked at, as the end of a line is
/// part of what an expression may ask for. One that is longer than a bound is looked at in pieces.
#[derive(Debug)]
pub(super) struct ReadyLines {
    /// With their places among the checks of the process.
    expressions: Vec<(usize, Regex)>,
    lines: Lines,
    /// Colours are for terminals, whatever the log keeps of them.
    stripper: AnsiStripper,
}

impl ReadyLines {
    /// Those of a process; `None` without any. All of them compile, as the configuration was checked.
    pub(super) fn of(spec: &ProcessSpec) -> Option<Box<Self>> {
        let checks = spec.lifecycle.readiness.iter().flat_map(|ready| &ready.checks).enumerate();
        let expressions = checks.filter_map(|(place, check)| match check {
            ReadyCheck::Log(regex) => Regex::new(regex).ok().map(|regex| (place, regex)),
            ReadyCheck::StartSecs
            | ReadyCheck::Notify
            | ReadyCheck::Fd(_)
            | ReadyCheck::Probe(_)
            | ReadyCheck::File(_) => None,
        });
        Self::new(expressions.collect())
    }

    fn new(expressions: Vec<(usize, Regex)>) -> Option<Box<Self>> {
        let (lines, stripper) = (Lines::new(LINE_BYTES_MAX), AnsiStripper::default());
        (!expressions.is_empty()).then(|| Box::new(Self { expressions, lines, stripper }))
    }

    /// Takes a chunk. Returns the checks that hold now, as a line has matched their expressions.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> Vec<usize> {
        let Self { expressions, lines, stripper } = self;
        let mut matched = Vec::new();
        lines.feed(&stripper.strip(chunk), &mut |piece| take_matches(expressions, piece.bytes, &mut matched));
        matched
    }

    /// The stream has ended: what was begun is a line.
    pub(super) fn finish(&mut self) -> Vec<usize> {
        let Self { expressions, lines, .. } = self;
        let mut matched = Vec::new();
        lines.finish(&mut |piece| take_matches(expressions, piece.bytes, &mut matched));
        matched
    }

    /// A line of the other stream has matched it.
    pub(super) fn forget(&mut self, matched: usize) {
        self.expressions.retain(|(place, _)| *place != matched);
    }

    pub(super) fn is_done(&self) -> bool {
        self.expressions.is_empty()
    }
}

fn take_matches(expressions: &mut Vec<(usize, Regex)>, line: &[u8], matched: &mut Vec<usize>) {
    if expressions.is_empty() {
        return;
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = String::from_utf8_lossy(line);
    let found = expressions.extract_if(.., |(_, expression)| expression.is_match(&line));
    matched.extend(found.map(|(place, _)| place));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expect(expressions: &[&str]) -> Box<ReadyLines> {
        ReadyLines::new(expressions.iter().map(|it| Regex::new(it).unwrap()).enumerate().collect()).unwrap()
    }

    #[test]
    fn lines_match_wherever_chunks_are_cut() {
        let text = b"starting\r\n\x1b[32mINFO\x1b[0m listening on :80\r\nmore\n";
        for size in 1..text.len() {
            let mut lines = expect(&["^INFO listening on :[0-9]+$"]);
            let matched: Vec<_> = text.chunks(size).flat_map(|chunk| lines.feed(chunk)).collect();
            assert_eq!(matched, [0], "chunks of {size}");
            assert!(lines.is_done());
        }
    }

    #[test]
    fn half_a_line_is_not_a_line_until_the_stream_ends() {
        let mut lines = expect(&["^ready$"]);
        assert!(lines.feed(b"ready").is_empty());
        assert!(lines.feed(b"ing\n").is_empty());
        assert!(lines.feed(b"ready").is_empty());
        assert_eq!(lines.finish(), [0]);
    }

    #[test]
    fn each_expression_is_matched_once() {
        let mut lines = expect(&["a", "b", "c"]);
        assert_eq!(lines.feed(b"b\nab\nx\n"), [1, 0]);
        assert!(lines.feed(b"a b\n").is_empty());
        lines.forget(2);
        assert!(lines.is_done());
    }

    #[test]
    fn invalid_and_endless_lines_are_bounded() {
        let mut lines = expect(&["ready"]);
        assert!(lines.feed(&vec![b'x'; 10 * LINE_BYTES_MAX]).is_empty());
        assert_eq!(lines.feed(b" \xff\xfe ready \xff\n"), [0]);
    }
}
