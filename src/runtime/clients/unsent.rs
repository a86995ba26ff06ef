//! The bytes of a reply that the client has not taken yet.

use std::collections::VecDeque;

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

    pub(super) fn front(&self) -> Option<&[u8]> {
        self.pieces.front().map(|piece| &piece[self.sent..])
    }

    pub(super) fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.pieces.front().is_some_and(|piece| piece.len() <= self.sent) {
            self.pieces.pop_front();
            self.sent = 0;
        }
    }
}
