//! The tokens of the poller for descriptors of this module, and what they stand for if that is not a stream.

use std::collections::BTreeMap;

use super::ids::DestinationId;

/// Tokens of this module begin here; the runtime counts its own up from 1.
const FIRST: u64 = 1 << 63;

/// Whether a token is one of this module's.
#[must_use]
pub fn is_output_token(token: u64) -> bool {
    token >= FIRST
}

/// What a token stands for that is not a stream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    Destination(DestinationId),
    Syslog,
}

/// Tokens count up and are never used again, so a late event is not taken for another descriptor's.
#[derive(Debug)]
pub(super) struct Tokens {
    by_token: BTreeMap<u64, Watched>,
    next: u64,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { by_token: BTreeMap::new(), next: FIRST }
    }
}

impl Tokens {
    /// The token of a stream, by which [`super::streams`] knows it.
    pub(super) fn next(&mut self) -> u64 {
        let token = self.next;
        self.next += 1;
        token
    }

    pub(super) fn add(&mut self, watched: Watched) -> u64 {
        let token = self.next();
        self.by_token.insert(token, watched);
        token
    }

    pub(super) fn get(&self, token: u64) -> Option<Watched> {
        self.by_token.get(&token).copied()
    }

    pub(super) fn remove(&mut self, token: u64) {
        self.by_token.remove(&token);
    }
}
