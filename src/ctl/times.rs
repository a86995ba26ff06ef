//! Points in time: those of the JSON API, and those that lines of logs begin with.

use serde_json::Value as Json;
use tz::UtcDateTime;

use crate::logs::rfc3339;
use crate::model::Wall;

/// The members of an object that say when it was written, in the order of preference.
const TIME_MEMBERS: [&str; 4] = ["time", "timestamp", "@timestamp", "ts"];

/// The shortest form: `2026-11-29T03:07:29Z`
const SECONDS_BYTES: usize = "2026-11-29T03:07:29".len();

/// A time as RFC 3339 has it, in milliseconds since 1970.
pub(super) fn unix_ms(text: &str) -> Option<i64> {
    let (time, length) = leading_time(text)?;
    (length == text.len()).then_some(time)
}

/// The time in UTC: `2026-11-29T03:07:29.123Z`.
pub(super) fn utc(unix_ms: i64) -> String {
    rfc3339(Wall { unix_ms, utc_offset_secs: 0 })
}

/// When a line was written, if it says so: a time of RFC 3339 at its beginning, or in an object.
pub(super) fn of_line(line: &str) -> Option<i64> {
    if line.starts_with('{') {
        let object: Json = serde_json::from_str(line).ok()?;
        return TIME_MEMBERS.iter().find_map(|member| unix_ms(object[*member].as_str()?));
    }
    leading_time(line).map(|(time, _)| time)
}

/// A line without the time that it begins with, if it does.
pub(super) fn without_time(line: &str) -> &str {
    leading_time(line).map_or(line, |(_, length)| line[length..].trim_start_matches(' '))
}

/// A time at the beginning of a text, and its length. It has a zone: without one it is not known which time is meant.
fn leading_time(text: &str) -> Option<(i64, usize)> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<u32> {
        let digits = bytes.get(from..to)?;
        digits.iter().all(u8::is_ascii_digit).then(|| text.get(from..to)?.parse().ok())?
    };
    let small = |from: usize| number(from, from + 2).and_then(|number| u8::try_from(number).ok());
    let signs = [(4, "-"), (7, "-"), (10, "Tt "), (13, ":"), (16, ":")];
    if !signs.iter().all(|(at, allowed)| bytes.get(*at).is_some_and(|byte| allowed.as_bytes().contains(byte)))
    {
        return None;
    }
    let year = i32::try_from(number(0, 4)?).ok()?;
    let (month, day) = (small(5)?, small(8)?);
    let (hour, minute, second) = (small(11)?, small(14)?, small(17)?);
    // A leap second counts as the one before.
    let time = UtcDateTime::new(year, month, day, hour, minute, second.min(59), 0).ok()?.unix_time();
    let (mut at, mut ms) = (SECONDS_BYTES, 0);
    if matches!(bytes.get(at), Some(b'.' | b',')) {
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let first: String = text.get(at + 1..at + 1 + digits)?.chars().chain("00".chars()).take(3).collect();
        ms = first.parse().ok()?;
        at += 1 + digits;
    }
    if matches!(bytes.get(at), Some(b'Z' | b'z')) {
        return Some((time * 1000 + ms, at + 1));
    }
    let sign = match bytes.get(at)? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = i64::from(number(at + 1, at + 3)?);
    let minutes_at = if bytes.get(at + 3) == Some(&b':') { at + 4 } else { at + 3 };
    let minutes = i64::from(number(minutes_at, minutes_at + 2)?);
    Some(((time - sign * (hours * 3600 + minutes * 60)) * 1000 + ms, minutes_at + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_zones() {
        let noon = 1_795_953_600_000;
        for (text, expected) in [
            ("2026-11-29T12:00:00Z", Some(noon)),
            ("2026-11-29T12:00:00.123456789Z", Some(noon + 123)),
            ("2026-11-29 13:00:00,5+01:00", Some(noon + 500)),
            ("2026-11-29t06:30:00.07-0530", Some(noon + 70)),
            ("2026-11-29T12:00:00", None),
            ("2026-11-29T12:00:00Zx", None),
            ("2026-13-29T12:00:00Z", None),
            ("2026-11-29T12:00:\u{e9}0Z", None),
            ("", None),
        ] {
            assert_eq!(unix_ms(text), expected, "{text}");
        }
        assert_eq!(utc(noon + 123), "2026-11-29T12:00:00.123Z");
        assert_eq!(unix_ms(&utc(-1)), Some(-1));
    }

    #[test]
    fn lines_say_when_they_were_written_or_do_not() {
        for (line, time) in [
            ("1970-01-01T00:00:01Z web | hello", Some(1000)),
            ("{\"message\":\"x\",\"time\":\"1970-01-01T00:00:01.5Z\"}", Some(1500)),
            ("{\"@timestamp\":\"1970-01-01T00:00:01Z\"}", Some(1000)),
            ("{\"time\":1}", None),
            ("{\"time\":", None),
            ("hello 1970-01-01T00:00:01Z", None),
        ] {
            assert_eq!(of_line(line), time, "{line}");
        }
        assert_eq!(without_time("1970-01-01T00:00:01Z web | hello"), "web | hello");
        assert_eq!(without_time("{}"), "{}");
    }
}
