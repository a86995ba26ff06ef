//! Characters of UTF-8 at the ends of a piece of text.

/// A character has three bytes that are not its first, at most.
const CONTINUATION_BYTES_MAX: usize = 3;

/// How many bytes at the beginning belong to a character that begins before them.
///
/// COMPAT: Supervisor begins in the middle of a character, and then its own client can't show any part of
/// that piece.
#[must_use]
pub fn cut_off_before(bytes: &[u8]) -> usize {
    let count = bytes.iter().take_while(|&&byte| is_continuation(byte)).count();
    if count <= CONTINUATION_BYTES_MAX { count } else { 0 }
}

/// How many bytes precede an incomplete character at the end. All of them if there is none, or if nothing
/// else would be left.
#[must_use]
pub fn whole_characters(bytes: &[u8]) -> usize {
    let after = bytes.iter().rev().take(CONTINUATION_BYTES_MAX).take_while(|&&byte| is_continuation(byte));
    let start = bytes.len().saturating_sub(after.count() + 1);
    match bytes.get(start) {
        Some(&first) if start > 0 && start + character_len(first) > bytes.len() => start,
        Some(_) | None => bytes.len(),
    }
}

/// The same, except that it is nothing if an incomplete character is all there is.
#[must_use]
pub fn complete_characters(bytes: &[u8]) -> usize {
    let is_incomplete =
        |first: u8| bytes.len() < character_len(first) && bytes[1..].iter().all(|&it| is_continuation(it));
    match bytes.first() {
        Some(&first) if is_incomplete(first) => 0,
        Some(_) | None => whole_characters(bytes),
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

/// The length by its first byte; 1 for an invalid one.
fn character_len(first: u8) -> usize {
    match first {
        0b1100_0000..=0b1101_1111 => 2,
        0b1110_0000..=0b1110_1111 => 3,
        0b1111_0000..=0b1111_0111 => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incomplete_character_alone_is_held_back() {
        for (bytes, complete) in [
            (&b""[..], 0),
            (b"abc", 3),
            (b"\xc3", 0),
            (b"\xe2\x82", 0),
            (b"\xf0\x9f\x98", 0),
            (b"x\xe2\x82", 1),
            ("\u{20ac}".as_bytes(), 3),
            // Not the beginning of a character.
            (b"\x80", 1),
            (b"\xff", 1),
            (b"\xc3x", 2),
        ] {
            assert_eq!(complete_characters(bytes), complete, "{bytes:?}");
        }
    }

    #[test]
    fn characters_stay_whole() {
        for (bytes, before, whole) in [
            (&b""[..], 0, 0),
            (b"abc", 0, 3),
            ("\u{f6}".as_bytes(), 0, 2),
            (b"\xb6x", 1, 2),
            (b"\x98\x80x\xf0\x9f\x98", 2, 3),
            (b"x\xc3", 0, 1),
            (b"x\xe2\x82", 0, 1),
            ("x\u{20ac}".as_bytes(), 0, 4),
            // Not text, so no characters.
            (b"\x80\x80\x80\x80", 0, 4),
            (b"\xff\xff\xff", 0, 3),
            (b"x\xff", 0, 2),
            // Nothing else would be left.
            (b"\xc3", 0, 1),
        ] {
            assert_eq!((cut_off_before(bytes), whole_characters(bytes)), (before, whole), "{bytes:?}");
        }
    }
}
