//! Removes terminal control sequences from the output of children.

/// The characters that end a sequence, as in Supervisor.
const TERMINATORS: &[u8] = b"HfABCDRsuJKhlpm";

/// A sequence that has not ended after this many bytes was none: the text after it is kept. In Supervisor it
/// swallows the rest of the chunk.
const SEQUENCE_BYTES_MAX: usize = 128;

const ESC: u8 = 0x1b;

/// Removes `ESC [ … m` and similar sequences from one stream, regardless of chunk boundaries.
#[derive(Debug, Default)]
pub struct AnsiStripper {
    state: EscapeState,
}

#[derive(Clone, Copy, Debug, Default)]
enum EscapeState {
    #[default]
    Text,
    /// An ESC that may begin a sequence is held back.
    Escape,
    /// This many bytes of a sequence were removed.
    Sequence(usize),
}

impl AnsiStripper {
    /// The text of a chunk without sequences.
    pub fn strip(&mut self, chunk: &[u8]) -> Vec<u8> {
        let mut kept = Vec::with_capacity(chunk.len() + 1);
        let mut rest = chunk;
        while let Some((&byte, after)) = rest.split_first() {
            rest = match self.state {
                EscapeState::Text => self.text(rest, &mut kept),
                EscapeState::Escape if byte == b'[' => {
                    self.state = EscapeState::Sequence(0);
                    after
                }
                EscapeState::Escape => {
                    kept.push(ESC);
                    self.state = EscapeState::Text;
                    rest
                }
                EscapeState::Sequence(bytes) => {
                    let ends = TERMINATORS.contains(&byte) || bytes >= SEQUENCE_BYTES_MAX;
                    self.state = if ends { EscapeState::Text } else { EscapeState::Sequence(bytes + 1) };
                    after
                }
            };
        }
        kept
    }

    /// Text that was held back, at the end of the stream.
    pub fn finish(&mut self) -> &'static [u8] {
        match std::mem::take(&mut self.state) {
            EscapeState::Escape => &[ESC],
            EscapeState::Text | EscapeState::Sequence(_) => &[],
        }
    }

    /// Keeps everything up to the next ESC; returns the rest after it.
    fn text<'a>(&mut self, rest: &'a [u8], kept: &mut Vec<u8>) -> &'a [u8] {
        let Some(at) = memchr::memchr(ESC, rest) else {
            kept.extend_from_slice(rest);
            return &[];
        };
        kept.extend_from_slice(&rest[..at]);
        self.state = EscapeState::Escape;
        &rest[at + 1..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip_in_pieces(text: &[u8], size: usize) -> Vec<u8> {
        let mut stripper = AnsiStripper::default();
        let mut kept: Vec<u8> = text.chunks(size).flat_map(|chunk| stripper.strip(chunk)).collect();
        kept.extend(stripper.finish());
        kept
    }

    #[test]
    fn sequences_go_wherever_they_are_cut() {
        for (text, kept) in [
            (&b"plain"[..], &b"plain"[..]),
            (b"\x1b[31mred\x1b[0m!", b"red!"),
            (b"a\x1b[2J\x1b[1;1Hb", b"ab"),
            (b"title \x1b]0;x\x07 stays", b"title \x1b]0;x\x07 stays"),
            (b"\x1b\x1b[mx\x1b", b"\x1bx\x1b"),
            (b"cut \x1b[31", b"cut "),
            (b"", b""),
        ] {
            for size in 1..=text.len().max(1) {
                assert_eq!(strip_in_pieces(text, size), kept, "{text:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn an_endless_sequence_is_kept_as_text() {
        let text = [&b"\x1b["[..], &[b'1'; 1000], b"shown"].concat();
        let kept = strip_in_pieces(&text, 7);
        assert!(kept.ends_with(b"1shown") && kept.len() < 1000);
    }
}
