//! Maps byte offsets to line numbers.

use memchr::memchr_iter;

/// The lines of a text.
pub(super) struct TomlLines {
    /// The offset after each newline.
    starts: Vec<usize>,
}

impl TomlLines {
    pub(super) fn of(text: &str) -> Self {
        Self { starts: memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1).collect() }
    }

    /// The line number of a byte, from 1.
    pub(super) fn number(&self, offset: usize) -> usize {
        1 + self.starts.partition_point(|&start| start <= offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newlines_belong_to_the_line_that_they_end() {
        let lines = TomlLines::of("a\r\n\nb\n");
        let numbers: Vec<_> = (0..7).map(|offset| lines.number(offset)).collect();
        assert_eq!(numbers, [1, 1, 1, 2, 3, 3, 4]);
        assert_eq!(TomlLines::of("").number(0), 1);
    }
}
