//! Input that is typed or piped in: lines from a descriptor, or single bytes for the editor.
//!
//! All readers of the input share one buffer, so that no line is lost between a shell and its actions: `fg`
//! must find the lines that follow it in a pipe.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;

use rustix::io::{Errno, read};

/// A longer line is split.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// The size of a read.
const READ_BYTES: usize = 8 * 1024;

/// An input with its read-ahead buffer.
pub(super) struct LineInput<'fd> {
    source: BorrowedFd<'fd>,
    buffer: VecDeque<u8>,
    is_ended: bool,
}

impl<'fd> LineInput<'fd> {
    /// Reads from this descriptor, on demand.
    pub(super) fn new(source: BorrowedFd<'fd>) -> Self {
        Self { source, buffer: VecDeque::new(), is_ended: false }
    }

    /// The descriptor that it reads from.
    pub(super) fn source(&self) -> BorrowedFd<'fd> {
        self.source
    }

    /// The next line without its newline; `None` at the end of the input. A terminal can continue after its
    /// end, so the end is not remembered.
    pub(super) fn line(&mut self) -> Option<String> {
        loop {
            if let Some(line) = self.take_line() {
                return Some(line);
            }
            if self.takes_end() {
                return None;
            }
            self.read();
        }
    }

    /// A line that was read already; at the end of the input also an incomplete one.
    pub(super) fn take_line(&mut self) -> Option<String> {
        let end = match self.buffer.iter().position(|&byte| byte == b'\n') {
            Some(at) => at + 1,
            None if self.buffer.len() >= LINE_BYTES_MAX => LINE_BYTES_MAX,
            None if self.is_ended && !self.buffer.is_empty() => self.buffer.len(),
            None => return None,
        };
        let line: Vec<u8> = self.buffer.drain(..end).collect();
        Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }

    /// A byte that was read already.
    pub(super) fn take_byte(&mut self) -> Option<u8> {
        self.buffer.pop_front()
    }

    /// Whether the input has ended and the buffer is empty; this resets the end.
    pub(super) fn takes_end(&mut self) -> bool {
        let is_ended = self.is_ended && self.buffer.is_empty();
        self.is_ended &= !is_ended;
        is_ended
    }

    /// Reads once, waiting for data. An input that can't be read counts as ended.
    pub(super) fn read(&mut self) {
        let mut bytes = [0; READ_BYTES];
        match read(self.source, &mut bytes) {
            Ok(0) => self.is_ended = true,
            Ok(count) => self.buffer.extend(&bytes[..count]),
            Err(Errno::INTR) => {}
            Err(_) => self.is_ended = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn lines_are_read_one_by_one_and_the_last_needs_no_newline() {
        let long = "x".repeat(LINE_BYTES_MAX);
        for (text, lines) in [
            ("", &[][..]),
            ("a\n\nb\r\nc", &["a", "", "b", "c"]),
            ("a\n", &["a"]),
            (&format!("{long}y\n"), &[&long, "y"]),
        ] {
            let (reader, mut writer) = std::io::pipe().unwrap();
            let text = text.to_owned();
            let thread = std::thread::spawn(move || writer.write_all(text.as_bytes()).unwrap());
            let mut input = LineInput::new(reader.as_fd());
            for line in lines {
                assert_eq!(input.line().as_deref(), Some(*line));
            }
            assert_eq!((input.line(), input.line()), (None, None));
            thread.join().unwrap();
        }
    }

    #[test]
    fn buffered_input_is_taken_without_waiting() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut input = LineInput::new(reader.as_fd());
        writer.write_all(b"fg cat\nhello\nxy").unwrap();
        assert_eq!(input.line().as_deref(), Some("fg cat"));
        assert_eq!(input.take_line().as_deref(), Some("hello"));
        assert_eq!(input.take_line(), None);
        assert_eq!(input.take_byte(), Some(b'x'));
        drop(writer);
        input.read();
        assert!(!input.takes_end());
        assert_eq!(input.take_line().as_deref(), Some("y"));
        assert!(input.takes_end() && !input.takes_end());
    }
}
