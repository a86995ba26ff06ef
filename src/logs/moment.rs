//! Time formats of log lines.

use std::fmt;

use tz::UtcDateTime;

use crate::model::Wall;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Local time; a time out of range is the epoch.
fn local(when: Wall) -> Option<UtcDateTime> {
    let local = when.unix_secs().saturating_add(i64::from(when.utc_offset_secs));
    UtcDateTime::from_timespec(local, 0).or_else(|_| UtcDateTime::from_timespec(0, 0)).ok()
}

fn month(at: &UtcDateTime) -> &'static str {
    MONTHS.get(usize::from(at.month().saturating_sub(1))).copied().unwrap_or("Jan")
}

/// `2026-11-20T16:11:36.042+01:00`: local time in RFC 3339 format, `Z` in UTC.
#[must_use]
pub fn rfc3339(when: Wall) -> String {
    let Some(at) = local(when) else { return String::new() };
    let (year, month, day) = (at.year(), at.month(), at.month_day());
    let (hour, minute, second, ms) = (at.hour(), at.minute(), at.second(), when.unix_ms.rem_euclid(1000));
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}");
    match when.utc_offset_secs / 60 {
        0 => text.push('Z'),
        minutes => {
            let sign = if minutes < 0 { '-' } else { '+' };
            let minutes = minutes.unsigned_abs();
            text.push_str(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
        }
    }
    text
}

/// `Nov  2 16:11:36`, in RFC 3164 format.
pub(super) fn rfc3164(out: &mut dyn fmt::Write, when: Wall) -> fmt::Result {
    let Some(at) = local(when) else { return Ok(()) };
    let (day, hour, minute, second) = (at.month_day(), at.hour(), at.minute(), at.second());
    write!(out, "{} {day:>2} {hour:02}:{minute:02}:{second:02}", month(&at))
}

/// `20/Nov/2026:16:11:36 +0100`, the format of access logs.
#[must_use]
pub fn access_time(when: Wall) -> String {
    let Some(at) = local(when) else { return String::new() };
    let (year, day) = (at.year(), at.month_day());
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    let minutes = when.utc_offset_secs / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    format!(
        "{day:02}/{}/{year:04}:{hour:02}:{minute:02}:{second:02} {sign}{:02}{:02}",
        month(&at),
        minutes / 60,
        minutes % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_forms_that_readers_of_logs_know() {
        for (unix_ms, utc_offset_secs, iso, syslog, access) in [
            (
                1_795_191_096_042,
                0,
                "2026-11-20T16:11:36.042Z",
                "Nov 20 16:11:36",
                "20/Nov/2026:16:11:36 +0000",
            ),
            (
                1_795_191_096_042,
                -5 * 3600,
                "2026-11-20T11:11:36.042-05:00",
                "Nov 20 11:11:36",
                "20/Nov/2026:11:11:36 -0500",
            ),
            (
                86_400_000,
                19_800,
                "1970-01-02T05:30:00.000+05:30",
                "Jan  2 05:30:00",
                "02/Jan/1970:05:30:00 +0530",
            ),
        ] {
            let when = Wall { unix_ms, utc_offset_secs };
            let mut text = String::new();
            rfc3164(&mut text, when).unwrap();
            assert_eq!((rfc3339(when), text, access_time(when)), (iso.into(), syslog.into(), access.into()));
        }
    }
}
