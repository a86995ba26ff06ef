//! The bytes of a reply that the client has not taken yet.

use std::collections::VecDeque;
use std::io::IoSlice;

/// The head and the body of a reply go out in one call, so that its reader wakes up once.
const PIECES_AT_ONCE: usize = 8;

/// The part of a reply that has not been sent yet, in the pieces in which it was made.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    pieces: VecDeque<Vec<u8>>,
    /// Bytes of the first piece that were sent.
    sent: usize,
}

impl Unsent {
    pub(super) fn push(&mut self, piece: impl Into<Vec<u8>>) {
        let piece = piece.into();
        if !piece.is_empty() {
            self.pieces.push_back(piece);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum::<usize>() - self.sent
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.pieces.iter().map(Vec::capacity).sum()
    }

    /// What to send next: the first pieces that are left, as many as one call takes.
    pub(super) fn next(&self) -> impl Iterator<Item = IoSlice<'_>> {
        let sent_of = |at| if at == 0 { self.sent } else { 0 };
        let pieces = self.pieces.iter().take(PIECES_AT_ONCE).enumerate();
        pieces.map(move |(at, piece)| IoSlice::new(&piece[sent_of(at)..]))
    }

    /// Forgets so many bytes, which were sent.
    pub(super) fn advance(&mut self, count: usize) {
        self.sent += count;
        while let Some(rest) = self.pieces.front().and_then(|piece| self.sent.checked_sub(piece.len())) {
            self.pieces.pop_front();
            self.sent = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_leave_in_order_wherever_a_call_ends() {
        for step in 1..=9 {
            let mut unsent = Unsent::default();
            for piece in ["head", "", "bo", "dy"] {
                unsent.push(piece);
            }
            let mut taken = Vec::new();
            while !unsent.is_empty() {
                let offered = unsent.next().flat_map(|piece| piece.to_vec()).collect::<Vec<_>>();
                assert_eq!(offered.len(), unsent.bytes());
                let count = step.min(offered.len());
                taken.extend_from_slice(&offered[..count]);
                unsent.advance(count);
            }
            assert_eq!((taken.as_slice(), unsent.bytes()), (&b"headbody"[..], 0), "{step} bytes at a time");
        }
    }
}
