//! The last bytes of a stream whose destination can't be read back.

use std::collections::VecDeque;

use super::window::Window;

/// Keeps a limited number of bytes. Offsets count from the first byte that was ever written, as in a file
/// whose beginning was removed.
#[derive(Debug)]
pub struct Ring {
    bytes_max: usize,
    kept: VecDeque<u8>,
    /// The total number of bytes written.
    total: u64,
}

impl Ring {
    /// Memory is allocated as it fills.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, kept: VecDeque::new(), total: 0 }
    }

    /// Changes the limit.
    pub fn limit(&mut self, bytes_max: usize) {
        self.kept.drain(..self.kept.len().saturating_sub(bytes_max));
        if bytes_max < self.bytes_max {
            self.kept.shrink_to(bytes_max);
        }
        self.bytes_max = bytes_max;
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let bytes = &bytes[bytes.len().saturating_sub(self.bytes_max)..];
        let too_many = (self.kept.len() + bytes.len()).saturating_sub(self.bytes_max);
        self.kept.drain(..too_many);
        if self.kept.capacity() - self.kept.len() < bytes.len() {
            let wanted = (self.kept.len() + bytes.len()).next_power_of_two().min(self.bytes_max);
            self.kept.reserve_exact(wanted - self.kept.len());
        }
        self.kept.extend(bytes);
    }

    /// Removes everything and resets the count.
    pub fn clear(&mut self) {
        *self = Self::new(self.bytes_max);
    }

    /// The offset of the next byte.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.total
    }

    /// The offset of the first byte that is still available.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.total - self.kept.len() as u64
    }

    /// The available part of a range.
    #[must_use]
    pub fn read(&self, window: Window) -> Vec<u8> {
        let index = |offset: u64| {
            let index = usize::try_from(offset.saturating_sub(self.start())).unwrap_or(usize::MAX);
            index.min(self.kept.len())
        };
        let (start, end) = (index(window.start), index(window.start.saturating_add(window.bytes)));
        self.kept.range(start..end).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_are_remembered_at_their_offsets() {
        let mut ring = Ring::new(5);
        for (bytes, size, kept) in [
            (&b""[..], 0, &b""[..]),
            (b"abc", 3, b"abc"),
            (b"de", 5, b"abcde"),
            (b"f", 6, b"bcdef"),
            (b"0123456789", 16, b"56789"),
        ] {
            ring.push(bytes);
            assert_eq!((ring.size(), ring.read(Window { start: 0, bytes: 100 })), (size, kept.to_vec()));
        }
        for (start, bytes, expected) in
            [(11, 2, &b"56"[..]), (10, 2, b"5"), (15, 9, b"9"), (16, 1, b""), (99, 1, b""), (0, 3, b"")]
        {
            assert_eq!(ring.read(Window { start, bytes }), expected, "{start} {bytes}");
        }
        ring.limit(3);
        assert_eq!((ring.size(), ring.read(Window { start: 0, bytes: 99 })), (16, b"789".to_vec()));
        ring.clear();
        assert_eq!((ring.size(), ring.read(Window { start: 0, bytes: 9 })), (0, Vec::new()));
    }

    #[test]
    fn memory_is_taken_as_it_fills_and_never_beyond_the_bound() {
        let mut ring = Ring::new(100_000);
        assert_eq!(ring.kept.capacity(), 0);
        ring.push(&[b'x'; 100]);
        assert!(ring.kept.capacity() <= 256);
        for _ in 0..100 {
            ring.push(&[b'x'; 7777]);
        }
        assert_eq!((ring.kept.len(), ring.kept.capacity()), (100_000, 100_000));
    }
}
