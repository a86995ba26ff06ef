//! Decodes the bytes of a terminal to keys (ECMA-48, with the variants of xterm and the Linux console).

/// A longer sequence is unknown to us.
const SEQUENCE_BYTES_MAX: usize = 32;

/// A key, by its effect on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Enter,
    Tab,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    Older,
    Newer,
    Backspace,
    Delete,
    /// Ctrl-D: deletes, or ends the input if there is nothing to delete.
    DeleteOrEnd,
    CutToEnd,
    CutToStart,
    CutWord,
    CutWordAhead,
    Paste,
    Clear,
    Interrupt,
    Suspend,
    /// No effect.
    Other,
}

/// The first key and its length in bytes; `None` if it is incomplete.
pub(super) fn decode(bytes: &[u8]) -> Option<(Key, usize)> {
    match bytes {
        [] => None,
        [b'\x1b', rest @ ..] => escaped(rest).map(|(key, used)| (key, used + 1)),
        [byte @ (..0x20 | 0x7f), ..] => Some((control(*byte), 1)),
        _ => character(bytes),
    }
}

fn control(byte: u8) -> Key {
    match byte {
        0x01 => Key::Home,
        0x02 => Key::Left,
        0x03 => Key::Interrupt,
        0x04 => Key::DeleteOrEnd,
        0x05 => Key::End,
        0x06 => Key::Right,
        0x08 | 0x7f => Key::Backspace,
        0x09 => Key::Tab,
        0x0a | 0x0d => Key::Enter,
        0x0b => Key::CutToEnd,
        0x0c => Key::Clear,
        0x0e => Key::Newer,
        0x10 => Key::Older,
        0x15 => Key::CutToStart,
        0x17 => Key::CutWord,
        0x19 => Key::Paste,
        0x1a => Key::Suspend,
        _ => Key::Other,
    }
}

/// The rest after an escape: Alt with a key, or a sequence.
fn escaped(bytes: &[u8]) -> Option<(Key, usize)> {
    match bytes {
        [] => None,
        [b'[' | b'O', rest @ ..] => sequence(rest).map(|(key, used)| (key, used + 1)),
        [b'b', ..] => Some((Key::WordLeft, 1)),
        [b'f', ..] => Some((Key::WordRight, 1)),
        [b'd', ..] => Some((Key::CutWordAhead, 1)),
        [0x7f | 0x08, ..] => Some((Key::CutWord, 1)),
        // The escape is ignored; the rest may be a key of its own.
        [0x1b, ..] => Some((Key::Other, 0)),
        _ => Some((Key::Other, 1)),
    }
}

/// Parameters and a final byte.
fn sequence(bytes: &[u8]) -> Option<(Key, usize)> {
    let Some(at) = bytes.iter().position(|byte| !(0x20..0x40).contains(byte)) else {
        return (bytes.len() >= SEQUENCE_BYTES_MAX).then_some((Key::Other, bytes.len()));
    };
    let (parameters, with_modifier) = match bytes[..at].split(|byte| *byte == b';').collect::<Vec<_>>()[..] {
        [number, _] => (number, true),
        [number] => (number, false),
        _ => return Some((Key::Other, at + 1)),
    };
    let key = match (bytes[at], parameters) {
        (b'A', _) => Key::Older,
        (b'B', _) => Key::Newer,
        (b'C', _) if with_modifier => Key::WordRight,
        (b'D', _) if with_modifier => Key::WordLeft,
        (b'C', _) => Key::Right,
        (b'D', _) => Key::Left,
        (b'H', _) | (b'~', b"1" | b"7") => Key::Home,
        (b'F', _) | (b'~', b"4" | b"8") => Key::End,
        (b'~', b"3") => Key::Delete,
        _ => Key::Other,
    };
    Some((key, at + 1))
}

fn character(bytes: &[u8]) -> Option<(Key, usize)> {
    let len = match bytes[0] {
        ..0x80 => 1,
        0xc2..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf5 => 4,
        _ => return Some((Key::Other, 1)),
    };
    let start = &bytes[..len.min(bytes.len())];
    match std::str::from_utf8(start) {
        Ok(text) => text.chars().next().map(|c| (Key::Char(c), len)),
        Err(error) if error.error_len().is_none() => None,
        Err(_) => Some((Key::Other, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys in it, and whether an incomplete key remains.
    fn keys(mut bytes: &[u8]) -> (Vec<Key>, bool) {
        let mut keys = Vec::new();
        while let Some((key, used)) = decode(bytes) {
            keys.push(key);
            bytes = &bytes[used..];
        }
        (keys, !bytes.is_empty())
    }

    #[test]
    fn bytes_become_keys() {
        for (bytes, expected) in [
            (&b"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"[..], "aé€😀".chars().map(Key::Char).collect()),
            (b"\x01\x02\x05\x06", vec![Key::Home, Key::Left, Key::End, Key::Right]),
            (b"\x1b[A\x1b[B\x1b[C\x1b[D", vec![Key::Older, Key::Newer, Key::Right, Key::Left]),
            (b"\x1bOA\x1bOH\x1bOF", vec![Key::Older, Key::Home, Key::End]),
            (b"\x1b[1~\x1b[4~\x1b[3~\x1b[H", vec![Key::Home, Key::End, Key::Delete, Key::Home]),
            (
                b"\x1b[1;5C\x1b[1;5D\x1bb\x1bf",
                vec![Key::WordRight, Key::WordLeft, Key::WordLeft, Key::WordRight],
            ),
            (b"\x7f\x08\x1b\x7f\x17", vec![Key::Backspace, Key::Backspace, Key::CutWord, Key::CutWord]),
            (b"\n\r\t", vec![Key::Enter, Key::Enter, Key::Tab]),
            (b"\x1b[15~\x1b[1;2;3Rx", vec![Key::Other, Key::Other, Key::Char('x')]),
            (b"\x1b\x1b[A", vec![Key::Other, Key::Older]),
            (b"\xff\xc3(", vec![Key::Other, Key::Other, Key::Char('(')]),
        ] {
            assert_eq!(keys(bytes), (expected, false), "{bytes:?}");
        }
    }

    #[test]
    fn incomplete_lines_wait() {
        for bytes in [&b"\x1b"[..], b"\x1b[", b"\x1b[1;", b"\xc3", b"\xf0\x9f\x98"] {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
        let endless = [b"\x1b[".as_slice(), &[b'1'; SEQUENCE_BYTES_MAX]].concat();
        assert_eq!(keys(&endless), (vec![Key::Other], false));
    }
}
