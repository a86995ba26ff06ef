//! Capture mode: output between two tags goes to listeners instead of the log.
//!
//! Tags may be split at any point. Only a possible beginning of a tag is held back; of captured output the
//! newest bytes are kept, up to the configured bound.
//!
//! COMPAT: Supervisor holds back the length of a tag, loses that much when a child exits, and keeps a single
//! chunk that exceeds the bound.

use std::borrow::Cow;
use std::collections::VecDeque;

use memchr::memmem;

const BEGIN: &[u8] = b"<!--XSUPERVISOR:BEGIN-->";
const END: &[u8] = b"<!--XSUPERVISOR:END-->";

/// A piece of a child's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'b> {
    /// For its log.
    Text(Cow<'b, [u8]>),
    /// Between the tags: not for its log.
    Captured(Cow<'b, [u8]>),
    /// At the second tag: the output between the tags, or its end.
    Message(Cow<'b, [u8]>),
}

/// Searches one stream for tags.
#[derive(Debug)]
pub struct Capture {
    bytes_max: usize,
    /// `None` outside of the tags.
    captured: Option<VecDeque<u8>>,
    /// The end of the last chunk, if it may be the beginning of a tag.
    held: Vec<u8>,
}

impl Capture {
    /// Captures up to this many bytes. `None` if capture mode is off.
    #[must_use]
    pub fn new(bytes_max: i64) -> Option<Self> {
        let bytes_max = usize::try_from(bytes_max).ok().filter(|&bytes| bytes > 0)?;
        Some(Self { bytes_max, captured: None, held: Vec::new() })
    }

    /// Splits a chunk into pieces.
    pub fn scan(&mut self, chunk: &[u8]) -> Vec<Piece<'static>> {
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(chunk);
        let (mut rest, mut pieces) = (all.as_slice(), Vec::new());
        loop {
            let tag = if self.captured.is_some() { END } else { BEGIN };
            let Some(at) = memmem::find(rest, tag) else {
                let (known, open) = rest.split_at(rest.len() - begun(rest, tag));
                pieces.extend(self.take(known));
                self.held = open.to_owned();
                return pieces;
            };
            pieces.extend(self.take(&rest[..at]));
            pieces.extend(self.toggle());
            rest = &rest[at + tag.len()..];
        }
    }

    /// Text that was held back, at the end of the stream. Captured output without an end tag is dropped.
    pub fn finish(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        if self.captured.take().is_some() { Vec::new() } else { held }
    }

    fn take(&mut self, bytes: &[u8]) -> Option<Piece<'static>> {
        if bytes.is_empty() {
            return None;
        }
        let Some(captured) = &mut self.captured else { return Some(Piece::Text(bytes.to_owned().into())) };
        let newest = &bytes[bytes.len().saturating_sub(self.bytes_max)..];
        let surplus = (captured.len() + newest.len()).saturating_sub(self.bytes_max);
        captured.drain(..surplus);
        captured.extend(newest);
        Some(Piece::Captured(bytes.to_owned().into()))
    }

    fn toggle(&mut self) -> Option<Piece<'static>> {
        let message = self.captured.take();
        if message.is_none() {
            self.captured = Some(VecDeque::new());
        }
        message.map(|message| Piece::Message(Vec::from(message).into()))
    }
}

/// How many bytes at the end may be the beginning of the tag.
fn begun(bytes: &[u8], tag: &[u8]) -> usize {
    let longest = bytes.len().min(tag.len() - 1);
    (1..=longest).rev().find(|&count| bytes.ends_with(&tag[..count])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text and messages, each joined to one; what is captured has to be what the messages are made of.
    fn in_pieces(text: &[u8], size: usize, bytes_max: i64) -> (String, Vec<String>) {
        let mut capture = Capture::new(bytes_max).unwrap();
        let (mut log, mut messages) = (Vec::new(), Vec::new());
        for chunk in text.chunks(size) {
            for piece in capture.scan(chunk) {
                match piece {
                    Piece::Text(bytes) => log.extend_from_slice(&bytes),
                    Piece::Captured(_) => {}
                    Piece::Message(bytes) => messages.push(String::from_utf8(bytes.into_owned()).unwrap()),
                }
            }
        }
        log.extend(capture.finish());
        (String::from_utf8(log).unwrap(), messages)
    }

    #[test]
    fn captured_output_is_removed_regardless_of_chunk_boundaries() {
        const B: &str = "<!--XSUPERVISOR:BEGIN-->";
        const E: &str = "<!--XSUPERVISOR:END-->";
        for (text, log, messages) in [
            ("plain\n".to_owned(), "plain\n", &[][..]),
            (format!("a{B}one{E}b{B}two{E}c"), "abc", &["one", "two"]),
            (format!("{B}{E}"), "", &[""]),
            (format!("{B}{B}x{E}"), "", &["<!--XSUPERVISOR:BEGIN-->x"]),
            (format!("{E}x"), "<!--XSUPERVISOR:END-->x", &[]),
            ("<<!--XSUPERVISOR:BEGI".to_owned(), "<<!--XSUPERVISOR:BEGI", &[]),
            (format!("<!--<!--XSUPERVISOR:<{B}x{E}"), "<!--<!--XSUPERVISOR:<", &["x"]),
            (format!("a{B}never ended<!--XSUPERVISOR:EN"), "a", &[]),
            (format!("{B}0123456789{E}"), "", &["0123456789"]),
        ] {
            for size in 1..=text.len() {
                let reported = in_pieces(text.as_bytes(), size, 100);
                let expected = messages.iter().map(|it| (*it).to_owned()).collect();
                assert_eq!(reported, (log.to_owned(), expected), "{text} in pieces of {size}");
            }
        }
    }

    #[test]
    fn the_newest_bytes_are_kept_up_to_the_bound() {
        let text = b"<!--XSUPERVISOR:BEGIN-->0123456789<!--XSUPERVISOR:END-->";
        for size in 1..=text.len() {
            assert_eq!(in_pieces(text, size, 4).1, ["6789"], "in pieces of {size}");
        }
    }

    fn text(bytes: &'static [u8]) -> Piece<'static> {
        Piece::Text(bytes.into())
    }

    #[test]
    fn only_a_possible_tag_is_held_back() {
        let mut capture = Capture::new(10).unwrap();
        assert_eq!(capture.scan(b"line\n"), [text(b"line\n")]);
        assert_eq!(capture.scan(b"x<!--XSUPERVISOR:BEGIN--"), [text(b"x")]);
        assert_eq!(capture.scan(b"."), [text(b"<!--XSUPERVISOR:BEGIN--.")]);
        assert_eq!(capture.held.len(), 0);
        assert!(Capture::new(0).is_none() && Capture::new(-1).is_none());
    }
}
