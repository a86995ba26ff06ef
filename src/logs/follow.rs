//! Following a growing log: where to begin, and how to split it into pieces.

/// How much of the existing log a new follower gets.
pub const FOLLOWED_BYTES_FIRST: u64 = 1024;

/// The query of a request to follow a log that may not exist yet. Supervisor ignores queries.
pub const AWAIT_QUERY: &str = "await=true";

/// Sent when a log was truncated, before its new content.
pub const TRUNCATED: &[u8] = b"==> File truncated <==\n";

/// Sent in place of bytes that were lost before they could be sent.
#[must_use]
pub fn missed(bytes: u64) -> String {
    format!("==> {bytes} bytes missed <==\n")
}

/// Where a client begins to follow a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowFrom {
    /// So many bytes before its end.
    Last(u64),
    /// At an offset; at the beginning if the log is shorter.
    Offset(u64),
}

impl FollowFrom {
    /// The position in a log of this size, and whether it may be in the middle of a character.
    #[must_use]
    pub fn position(self, size: u64) -> (u64, bool) {
        let position = match self {
            Self::Last(bytes) => size.saturating_sub(bytes),
            Self::Offset(offset) if offset <= size => return (offset, false),
            Self::Offset(_) => 0,
        };
        (position, position > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begins_near_the_end_or_where_it_is_asked_to() {
        use FollowFrom::{Last, Offset};
        for (from, size, position) in [
            (Last(1024), 0, (0, false)),
            (Last(1024), 1024, (0, false)),
            (Last(1024), 1025, (1, true)),
            (Last(1024), u64::MAX, (u64::MAX - 1024, true)),
            (Last(0), 5, (5, true)),
            (Offset(0), 5, (0, false)),
            (Offset(5), 5, (5, false)),
            (Offset(6), 5, (0, false)),
        ] {
            assert_eq!(from.position(size), position, "{from:?} {size}");
        }
    }
}
