//! The formats of log lines, with the time at which they were read.

use sv_lines::{LineFormatter, Speaker};

use super::moment::rfc3339;
use crate::model::Wall;

/// Formats the lines of one stream.
#[derive(Debug)]
pub struct Shaper {
    formatter: LineFormatter,
    timestamp: bool,
    /// The timestamp of lines, if they have one.
    when: Option<Wall>,
}

impl Shaper {
    /// `name | line`, with the name padded to `width`; with a number, in the colour of that number.
    #[must_use]
    pub fn prefix(name: &str, width: usize, colour: Option<u64>, timestamp: bool) -> Self {
        Self::new(LineFormatter::prefix(name, width, colour), timestamp)
    }

    /// A JSON object per line.
    #[must_use]
    pub fn json(speaker: &Speaker<'_>, timestamp: bool) -> Self {
        Self::new(LineFormatter::json(speaker), timestamp)
    }

    fn new(formatter: LineFormatter, timestamp: bool) -> Self {
        Self { formatter, timestamp, when: None }
    }

    /// Formats the lines that this chunk completes and passes them on. `buffer` holds them in between; the
    /// caller keeps it to avoid an allocation per chunk.
    pub fn feed(&mut self, chunk: &[u8], when: Wall, buffer: &mut Vec<u8>, pass_on: &mut dyn FnMut(&[u8])) {
        self.set_time(when);
        self.formatter.feed(chunk, buffer, pass_on);
    }

    /// The same for what was held back, at the end of the stream.
    pub fn finish(&mut self, when: Wall, buffer: &mut Vec<u8>, pass_on: &mut dyn FnMut(&[u8])) {
        self.set_time(when);
        self.formatter.finish(buffer, pass_on);
    }

    /// Once per chunk: all of its lines were read at the same time.
    fn set_time(&mut self, when: Wall) {
        if self.timestamp && self.when != Some(when) {
            self.when = Some(when);
            self.formatter.set_time(&rfc3339(when));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_chunk_has_its_own_time() {
        let (mut shaper, mut buffer, mut all) =
            (Shaper::prefix("web", 3, None, true), Vec::new(), String::new());
        for unix_ms in [0, 1] {
            let when = Wall { unix_ms, utc_offset_secs: 0 };
            shaper.feed(b"x\n", when, &mut buffer, &mut |bytes| all += std::str::from_utf8(bytes).unwrap());
        }
        let times: Vec<_> = all.lines().map(|line| &line[..24]).collect();
        assert_eq!(times, ["1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.001Z"]);
    }
}
