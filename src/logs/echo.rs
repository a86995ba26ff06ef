//! How the activity log shows a child's output at debug level.

use crate::python::{quote, quote_bytes};

/// The name and the channel, then the chunk as text, or as bytes if it is not text.
#[must_use]
pub fn output_echo(process: &str, channel: &str, bytes: &[u8]) -> String {
    let name = quote(process);
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("{name} {channel} output:\n{text}"),
        Err(_) => format!("{name} {channel} output:\nUndecodable: {}", quote_bytes(bytes)),
    }
}

/// The same for output of an event listener, which is always shown as bytes.
#[must_use]
pub fn conversation_echo(process: &str, channel: &str, bytes: &[u8]) -> String {
    format!("{} {channel} output:\n{}", quote(process), quote_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_that_is_not_text_is_shown_as_bytes() {
        assert_eq!(output_echo("x", "stdout", "h\u{e4}\n".as_bytes()), "'x' stdout output:\nh\u{e4}\n");
        assert_eq!(output_echo("x", "stderr", b"\x88\n"), "'x' stderr output:\nUndecodable: b'\\x88\\n'");
    }

    #[test]
    fn output_of_listeners_is_shown_as_bytes() {
        assert_eq!(conversation_echo("l", "stdout", b"READY\n"), "'l' stdout output:\nb'READY\\n'");
    }
}
