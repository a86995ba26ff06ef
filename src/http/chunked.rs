//! Chunked bodies (RFC 9112, 7.1), for both ends.

use httparse::Status;

/// The maximum size of a chunk's size line, including extensions.
const SIZE_LINE_BYTES_MAX: usize = 1024;

/// The maximum size of the trailer fields after the last chunk, which are ignored.
const TRAILER_BYTES_MAX: usize = 16 * 1024;

/// Why bytes are not a valid chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChunkError {
    Malformed,
    /// Larger than the reader allows.
    TooLarge,
}

/// The position in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunked {
    /// Before a size line.
    Size,
    /// In a chunk, with this many bytes left.
    Data(u64),
    /// Before the line break that ends a chunk.
    DataEnd,
    /// After the last chunk, with this many bytes of trailers read.
    Trailers(usize),
    /// After the end.
    Done,
}

impl Chunked {
    /// Moves complete data from `input` to `body`, which may grow up to `body_bytes_max`, and returns how
    /// many bytes of `input` were used.
    pub(super) fn decode(
        &mut self,
        input: &[u8],
        body: &mut Vec<u8>,
        body_bytes_max: usize,
    ) -> Result<usize, ChunkError> {
        let mut used = 0;
        while let Some((step, next)) = self.step(&input[used..])? {
            if let Self::Data(_) = self {
                if body.len() + step > body_bytes_max {
                    return Err(ChunkError::TooLarge);
                }
                body.extend_from_slice(&input[used..used + step]);
            }
            used += step;
            *self = next;
        }
        Ok(used)
    }

    /// The number of bytes of the next element, and the position after it; `None` if it is incomplete.
    fn step(self, input: &[u8]) -> Result<Option<(usize, Self)>, ChunkError> {
        match self {
            Self::Size => size_line(input),
            Self::Data(left) => Ok(data(input, left)),
            Self::DataEnd => data_end(input),
            Self::Trailers(seen) => trailer(input, seen),
            Self::Done => Ok(None),
        }
    }
}

/// The end of a body.
pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Encodes a chunk. Empty data makes no chunk, as that would end the body.
pub(super) fn chunk(bytes: &[u8]) -> Vec<u8> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

fn size_line(input: &[u8]) -> Result<Option<(usize, Chunked)>, ChunkError> {
    // httparse takes a line without digits for zero.
    if input.first().is_some_and(|first| !first.is_ascii_hexdigit()) {
        return Err(ChunkError::Malformed);
    }
    // A line that is too long must be rejected even if it arrives in one piece.
    let bounded = &input[..input.len().min(SIZE_LINE_BYTES_MAX)];
    match httparse::parse_chunk_size(bounded) {
        Ok(Status::Complete((line, 0))) => Ok(Some((line, Chunked::Trailers(0)))),
        Ok(Status::Complete((line, size))) => Ok(Some((line, Chunked::Data(size)))),
        Ok(Status::Partial) if bounded.len() < SIZE_LINE_BYTES_MAX => Ok(None),
        _ => Err(ChunkError::Malformed),
    }
}

fn data(input: &[u8], left: u64) -> Option<(usize, Chunked)> {
    let here = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
    let left = left - here as u64;
    let next = if left == 0 { Chunked::DataEnd } else { Chunked::Data(left) };
    (here > 0).then_some((here, next))
}

fn data_end(input: &[u8]) -> Result<Option<(usize, Chunked)>, ChunkError> {
    match input {
        [b'\r', b'\n', ..] => Ok(Some((2, Chunked::Size))),
        [] | [b'\r'] => Ok(None),
        _ => Err(ChunkError::Malformed),
    }
}

fn trailer(input: &[u8], seen: usize) -> Result<Option<(usize, Chunked)>, ChunkError> {
    let line = input.iter().position(|&byte| byte == b'\n').map(|end| end + 1);
    if seen + line.unwrap_or(input.len()) > TRAILER_BYTES_MAX {
        return Err(ChunkError::Malformed);
    }
    let after = |line| match &input[..line] {
        b"\r\n" | b"\n" => Chunked::Done,
        _ => Chunked::Trailers(seen + line),
    };
    Ok(line.map(|line| (line, after(line))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes everything at once.
    fn decode(input: &[u8]) -> Result<(Chunked, Vec<u8>, usize), ChunkError> {
        let (mut chunked, mut body) = (Chunked::Size, Vec::new());
        let used = chunked.decode(input, &mut body, 16)?;
        Ok((chunked, body, used))
    }

    #[test]
    fn chunks_become_one_body() {
        for (input, body, rest) in [
            ("0\r\n\r\n", "", ""),
            ("5\r\nhello\r\n0\r\n\r\n", "hello", ""),
            ("2\r\nhe\r\n003;name=\"x\"\r\nllo\r\n0\r\n\r\nGET", "hello", "GET"),
            ("A \r\n0123456789\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n", "0123456789", ""),
        ] {
            let (chunked, decoded, used) = decode(input.as_bytes()).unwrap();
            assert_eq!((chunked, decoded.as_slice(), &input[used..]), (Chunked::Done, body.as_bytes(), rest));
        }
    }

    #[test]
    fn invalid_chunks_are_rejected() {
        let long_line = format!("1;{}", "x".repeat(SIZE_LINE_BYTES_MAX));
        let long_line_with_end = format!("{long_line}\r\nx\r\n0\r\n\r\n");
        let long_trailer = format!("0\r\n{}", "x: y\r\n".repeat(TRAILER_BYTES_MAX / 6 + 1));
        for (input, error) in [
            ("\r\n", ChunkError::Malformed),
            ("x\r\n", ChunkError::Malformed),
            ("-1\r\n", ChunkError::Malformed),
            ("0x5\r\n", ChunkError::Malformed),
            ("5\nhello", ChunkError::Malformed),
            ("5\r\nhelloworld", ChunkError::Malformed),
            ("10000000000000000\r\n", ChunkError::Malformed),
            ("11\r\n0123456789abcdefg\r\n", ChunkError::TooLarge),
            ("9\r\n012345678\r\n8\r\n01234567\r\n", ChunkError::TooLarge),
            (&long_line, ChunkError::Malformed),
            (&long_line_with_end, ChunkError::Malformed),
            (&long_trailer, ChunkError::Malformed),
        ] {
            assert_eq!(decode(input.as_bytes()), Err(error), "{input}");
        }
    }

    #[test]
    fn a_chunk_is_passed_on_as_it_arrives() {
        let (chunked, body, used) = decode(b"ffff\r\nabc").unwrap();
        assert_eq!((chunked, body.as_slice(), used), (Chunked::Data(0xfffc), b"abc".as_slice(), 9));
    }
}
