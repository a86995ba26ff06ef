//! The date as HTTP writes it.

use tz::UtcDateTime;

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since the Unix epoch as an IMF-fixdate (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// A time out of range is formatted as the epoch.
#[must_use]
pub fn http_date(unix_secs: i64) -> String {
    let time = UtcDateTime::from_timespec(unix_secs, 0).unwrap_or(UtcDateTime::UNIX_EPOCH);
    let weekday = WEEKDAYS[usize::from(time.week_day()) % 7];
    let month = MONTHS[usize::from(time.month() - 1) % 12];
    let (year, day) = (time.year(), time.month_day());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// The inverse; `None` for anything else. The two obsolete formats of RFC 9110 are not supported.
#[must_use]
pub fn http_date_secs(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [_, day, month, year, clock, "GMT"] = words[..] else { return None };
    let month = MONTHS.iter().zip(1..).find(|(name, _)| **name == month).map(|(_, number)| number)?;
    let clock: Vec<u8> = clock.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [hour, minute, second] = clock[..] else { return None };
    let time = UtcDateTime::new(year.parse().ok()?, month, day.parse().ok()?, hour, minute, second, 0);
    time.ok().map(|time| time.unix_time())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_imf_fixdates() {
        for (unix_secs, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_827_696, "Tue, 29 Feb 2000 12:34:56 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (i64::MAX, "Thu, 01 Jan 1970 00:00:00 GMT"),
        ] {
            assert_eq!(http_date(unix_secs), text);
        }
    }

    #[test]
    fn dates_round_trip() {
        for unix_secs in [0, 784_111_777, 951_827_696, 1_735_689_599, 4_107_542_400, -1] {
            assert_eq!(http_date_secs(&http_date(unix_secs)), Some(unix_secs));
        }
        for text in [
            "",
            "yesterday",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 99999999999 08:49:37 GMT",
        ] {
            assert_eq!(http_date_secs(text), None, "{text}");
        }
    }
}
