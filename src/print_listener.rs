//! The listener of a Python package that prints what programs write (supervisor-stdout and its like), built
//! in: it accepts events one at a time. What is printed is up to the pool's result handler, which sees
//! the event itself, so every answer is `OK`.

use std::io::{self, BufRead, Write};

use crate::model::EventLength;

/// The maximum length of a header line, which has seven short fields.
const HEADER_BYTES_MAX: u64 = 64 * 1024;

/// Answers events on standard input until there are no more. The exit code is 0 at the end of input, else 1.
#[must_use]
pub fn run(length: EventLength) -> u8 {
    answer(&mut io::stdin().lock(), &mut io::stdout().lock(), length)
}

fn answer(input: &mut impl BufRead, output: &mut impl Write, length: EventLength) -> u8 {
    let ended = loop {
        match answer_one(input, output, length) {
            Ok(true) => {}
            ended => break ended,
        }
    };
    u8::from(ended.is_err())
}

/// Returns false at the end of input.
fn answer_one(input: &mut impl BufRead, output: &mut impl Write, length: EventLength) -> io::Result<bool> {
    output.write_all(b"READY\n")?;
    output.flush()?;
    let mut header = Vec::new();
    io::Read::take(&mut *input, HEADER_BYTES_MAX).read_until(b'\n', &mut header)?;
    // The rest of the previous payload's last character, which was counted with its first byte.
    let rest = header.iter().take_while(|byte| continues(**byte)).count();
    let header = &header[rest..];
    if header.is_empty() {
        return Ok(false);
    }
    skip(input, payload_length(header)?, length)?;
    output.write_all(b"RESULT 2\nOK")?;
    output.flush()?;
    Ok(true)
}

fn payload_length(header: &[u8]) -> io::Result<usize> {
    let mut fields = header.split(u8::is_ascii_whitespace);
    let length = fields.find_map(|field| field.strip_prefix(b"len:"));
    length
        .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
        .ok_or_else(|| io::Error::other("not a header of an event"))
}

/// Reads a payload.
fn skip(input: &mut impl BufRead, mut left: usize, length: EventLength) -> io::Result<()> {
    while left > 0 {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let counts = |byte: &u8| length == EventLength::Bytes || !continues(*byte);
        let end = bytes.iter().position(|byte| {
            left -= usize::from(counts(byte));
            left == 0
        });
        let read = end.map_or(bytes.len(), |last| last + 1);
        input.consume(read);
    }
    Ok(())
}

/// Whether a byte continues a UTF-8 character.
fn continues(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: &str) -> (u8, String) {
        answers_to(input, EventLength::Characters)
    }

    fn answers_to(input: &str, length: EventLength) -> (u8, String) {
        let mut output = Vec::new();
        let code = answer(&mut input.as_bytes(), &mut output, length);
        (code, String::from_utf8(output).unwrap())
    }

    #[test]
    fn every_event_is_answered_with_ok() {
        let event = "ver:3.0 server:supervisor serial:1 pool:p poolserial:0 eventname:TICK_5 len:5\nhallo";
        assert_eq!(answers(""), (0, "READY\n".to_owned()));
        let two = format!("{event}{event}");
        assert_eq!(answers(&two), (0, "READY\nRESULT 2\nOKREADY\nRESULT 2\nOKREADY\n".to_owned()));
    }

    #[test]
    fn a_payload_is_counted_as_its_pool_counts_it() {
        for (length, count) in [(EventLength::Characters, 4), (EventLength::Bytes, 7)] {
            let event = format!("ver:3.0 len:{count}\na\u{e4}\u{20ac}\n");
            assert_eq!(event.len() - event.find('\n').unwrap(), 8);
            let expected = (0, "READY\nRESULT 2\nOKREADY\nRESULT 2\nOKREADY\n".to_owned());
            assert_eq!(answers_to(&event.repeat(2), length), expected);
            // It ends in a multi-byte character.
            let count = count - 1;
            let event = format!("ver:3.0 len:{count}\na\u{e4}\u{20ac}");
            assert_eq!(answers_to(&event.repeat(2), length), expected);
        }
    }

    #[test]
    fn invalid_input_ends_it() {
        for input in ["nonsense\n", "len:x\n", "len:9\nshort"] {
            assert_eq!(answers(input), (1, "READY\n".to_owned()), "{input}");
        }
    }
}
