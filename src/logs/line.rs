//! The format of an activity log line, which users grep and scrapers parse.

use std::fmt;

use tz::UtcDateTime;

use crate::model::Wall;

/// Writes `2026-11-20 16:11:36,042 INFO `, the prefix of a message: local time, a comma before the
/// milliseconds. A message of several lines has it once.
///
/// # Errors
/// The errors of the writer.
pub fn activity_line_head(out: &mut dyn fmt::Write, when: Wall, tag: &str) -> fmt::Result {
    let local = when.unix_secs().saturating_add(i64::from(when.utc_offset_secs));
    if let Ok(at) = UtcDateTime::from_timespec(local, 0) {
        let (year, month, day) = (at.year(), at.month(), at.month_day());
        let (hour, minute, second) = (at.hour(), at.minute(), at.second());
        write!(out, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")?;
    }
    write!(out, ",{:03} {tag} ", when.unix_ms.rem_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_local_time_with_a_comma() {
        for (unix_ms, utc_offset_secs, line) in [
            (1_795_191_096_042, 0, "2026-11-20 16:11:36,042 INFO "),
            (1_795_191_096_042, -5 * 3600, "2026-11-20 11:11:36,042 INFO "),
            (1_795_191_096_999, 19_800, "2026-11-20 21:41:36,999 INFO "),
            (0, 0, "1970-01-01 00:00:00,000 INFO "),
        ] {
            let mut text = String::new();
            activity_line_head(&mut text, Wall { unix_ms, utc_offset_secs }, "INFO").unwrap();
            assert_eq!(text, line);
        }
    }
}
