//! When a job runs: `schedule` and `schedule_*`, and the next run.
//!
//! Everything is computed from instants in UTC, never from the wall clock, and from zone files that were read
//! with the configuration: the same input gives the same run on any machine.
//!
//! A schedule with fixed minutes and hours follows cron: it runs once if an hour occurs twice, and right
//! after the gap if its hour is skipped. One with `*` in them follows real time.

use std::cmp::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::options::BadValue;
use super::time::parse_duration;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::{CivilDate, CivilDateTime, CivilTime, Cron, CronDateTime, Resolution, Weekday};
use tz::datetime::FoundDateTimeKind;
use tz::{DateTime, TimeZone, TimeZoneSettings};

/// `schedule`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Schedule {
    /// `@every`: at least a second.
    Every(Duration),
    /// Five fields, or a name for them.
    Cron(Box<Cron>),
}

/// What happens if a run is due while the previous one is still running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Overlap {
    /// It is skipped.
    #[default]
    Skip,
    /// It starts when the previous one has exited. At most one is queued.
    Queue,
    /// The previous one is stopped first.
    Restart,
}

/// The rules of a time zone, as data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Zone {
    /// Coordinated universal time.
    #[default]
    Utc,
    /// A value of `TZ` that contains its rules, such as `CET-1CEST,M3.5.0,M10.5.0/3`.
    Posix(String),
    /// The content of a zone file.
    File(Vec<u8>),
}

/// `schedule` and related options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleSpec {
    /// `schedule`
    pub when: Schedule,
    /// As written, for people.
    pub text: String,
    /// `schedule_timezone`
    pub zone: Zone,
    /// `schedule_overlap`
    pub overlap: Overlap,
    /// `schedule_jitter`: a run starts up to this much later.
    pub jitter: Duration,
    /// `schedule_catch_up`: missed runs are replaced by one run.
    pub catch_up: bool,
}

impl ScheduleSpec {
    /// With defaults for all other options.
    #[must_use]
    pub fn new(when: Schedule, text: String) -> Self {
        Self {
            when,
            text,
            zone: Zone::default(),
            overlap: Overlap::default(),
            jitter: Duration::ZERO,
            catch_up: false,
        }
    }

    /// The first run after an instant, both in seconds since 1970.
    #[must_use]
    pub fn next_after(&self, last: i64) -> Option<i64> {
        self.when.next_after(last, &self.zone)
    }
}

/// An arbitrary instant, to check that a schedule has a next run.
const SOME_INSTANT: i64 = 1_700_000_000;

/// The names for schedules of five fields.
const NAMES: [&str; 6] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@hourly"];

impl Schedule {
    /// Parses five fields, one of the names, or `@every` with a duration.
    ///
    /// # Errors
    ///
    /// Why it is not a schedule.
    pub fn parse(text: &str) -> Result<Self, BadValue> {
        let text = text.trim();
        let bad =
            |message: &str, suggestion: Option<String>| BadValue { message: message.to_owned(), suggestion };
        if let Some(period) = text.strip_prefix("@every") {
            let period = parse_duration(period.trim()).filter(|period| *period >= Duration::from_secs(1));
            let wrong =
                || bad("@every takes a duration of at least a second, such as 90s, 15m or 1h30m", None);
            return period.map(Self::Every).ok_or_else(wrong);
        }
        let fields: Vec<_> = text.split_whitespace().collect();
        match fields.as_slice() {
            ["@midnight"] => return Err(bad("there is no @midnight", Some("@daily".to_owned()))),
            ["@reboot"] => return Err(bad("@reboot is what autostart=true does, without a schedule", None)),
            [name] if name.starts_with('@') && !NAMES.contains(name) => {
                return Err(bad(
                    "it is none of @yearly, @monthly, @weekly, @daily, @hourly and @every",
                    None,
                ));
            }
            [name] if name.starts_with('@') => {}
            [_, five @ ..] if five.len() == 5 => {
                let message = "it has six fields, and a schedule has five: minute, hour, day, month, weekday; seconds \
                    are not supported";
                return Err(bad(message, Some(five.join(" "))));
            }
            [_, _, _, _, _] => {}
            _ => return Err(bad("a schedule has five fields: minute, hour, day, month, weekday", None)),
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| bad(&plain(&error), None))?;
        let schedule = Self::Cron(Box::new(cron));
        match schedule.next_after(SOME_INSTANT, &Zone::Utc) {
            Some(_) => Ok(schedule),
            None => Err(bad("no day is like that", None)),
        }
    }

    /// The first run after an instant, both in seconds since 1970. `None` if there is none, or if the zone
    /// can't be read, although it was valid when the configuration was read.
    #[must_use]
    pub fn next_after(&self, last: i64, zone: &Zone) -> Option<i64> {
        match self {
            Self::Every(period) => last.checked_add(i64::try_from(period.as_secs()).ok()?),
            Self::Cron(cron) => {
                let zone = zone.rules()?;
                let start = Local::new(last, &zone)?;
                let next = cron.find_next_occurrence(&start, false).ok()?.at.unix_time();
                (next > last).then_some(next)
            }
        }
    }
}

/// As spelled in a configuration.
impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        match schedule {
            Schedule::Every(period) => format!("@every {}s", period.as_secs()),
            Schedule::Cron(cron) => cron.pattern.to_string(),
        }
    }
}

impl TryFrom<String> for Schedule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).map_err(|bad| bad.message)
    }
}

impl Zone {
    /// The rules, if they can be read.
    #[must_use]
    pub fn rules(&self) -> Option<TimeZone> {
        match self {
            Self::Utc => Some(TimeZone::utc()),
            Self::Posix(text) => {
                // File names are not looked up here.
                let no_files = |_: &str| Err("no file is read".into());
                TimeZoneSettings::new(&[], no_files).parse_posix_tz(text).ok()
            }
            Self::File(data) => TimeZone::from_tz_data(data).ok(),
        }
    }
}

/// The library's message in the format of ours.
fn plain(error: &CronError) -> String {
    let (CronError::InvalidPattern(message)
    | CronError::IllegalCharacters(message)
    | CronError::ComponentError(message)) = error
    else {
        return "it is not a schedule".to_owned();
    };
    let message =
        message.trim_end_matches('.').replace("CronPattern contains illegal character", "illegal character");
    let mut letters = message.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// An instant in a time zone, for the library that matches schedules.
#[derive(Clone)]
struct Local<'z> {
    at: DateTime,
    zone: &'z TimeZone,
}

impl<'z> Local<'z> {
    /// `None` for a time out of range.
    fn new(unix: i64, zone: &'z TimeZone) -> Option<Self> {
        let at = DateTime::from_timespec(unix, 0, zone.as_ref()).ok()?;
        Some(Self { at, zone })
    }
}

impl CronDateTime for Local<'_> {
    fn to_civil(&self) -> CivilDateTime {
        let at = &self.at;
        // A leap second counts as the second before it.
        let second = u32::from(at.second()).min(59);
        CivilDateTime::new(
            CivilDate::from_parts_unchecked(at.year(), at.month().into(), at.month_day().into()),
            CivilTime::from_parts_unchecked(at.hour().into(), at.minute().into(), second),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(self.at.week_day().into())
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let byte = |number: u32| u8::try_from(number).map_err(|_| CronError::InvalidDate);
        let (month, day) = (byte(civil.month())?, byte(civil.day())?);
        let (hour, minute, second) = (byte(civil.hour())?, byte(civil.minute())?, byte(civil.second())?);
        let found = DateTime::find(civil.year(), month, day, hour, minute, second, 0, self.zone.as_ref());
        let found = found.map_err(|_| CronError::InvalidDate)?.into_inner();
        let mut instants = found.into_iter().filter_map(|kind| match kind {
            FoundDateTimeKind::Normal(at) => Some(Self { at, zone: self.zone }),
            FoundDateTimeKind::Skipped { .. } => None,
        });
        Ok(match (instants.next(), instants.next()) {
            (Some(earlier), Some(later)) => Resolution::Ambiguous(earlier, later),
            (Some(only), None) => Resolution::Single(only),
            (None, _) => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        Self::new(self.at.unix_time().checked_add(seconds)?, self.zone)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.at.unix_time().cmp(&other.at.unix_time())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    /// Seconds since 1970, of a time in UTC.
    fn utc(year: i32, month: u8, day: u8, hour: u8, minute: u8) -> i64 {
        tz::UtcDateTime::new(year, month, day, hour, minute, 0, 0).unwrap().unix_time()
    }

    /// The runs in a period, in UTC as `day hour:minute`.
    fn runs(text: &str, from: i64, until: i64) -> Vec<String> {
        let (schedule, zone) = (Schedule::parse(text).unwrap(), Zone::Posix(BERLIN.to_owned()));
        let mut found = Vec::new();
        let mut last = from;
        while let Some(next) = schedule.next_after(last, &zone).filter(|next| *next < until) {
            assert!(next > last);
            let at = tz::UtcDateTime::from_timespec(next, 0).unwrap();
            found.push(format!("{} {:02}:{:02}", at.month_day(), at.hour(), at.minute()));
            last = next;
        }
        found
    }

    /// On 29 March 2026 in Berlin, 02:00 is followed by 03:00, at 01:00 in UTC.
    #[test]
    fn a_skipped_hour_runs_right_after_the_gap() {
        let (from, until) = (utc(2026, 3, 28, 12, 0), utc(2026, 3, 30, 12, 0));
        assert_eq!(runs("30 2 * * *", from, until), ["29 01:00", "30 00:30"]);
        assert_eq!(runs("0 3 * * *", from, until), ["29 01:00", "30 01:00"]);
        assert_eq!(runs("30 1 * * *", from, until), ["29 00:30", "29 23:30"]);
        let (from, until) = (utc(2026, 3, 29, 0, 10), utc(2026, 3, 29, 2, 10));
        assert_eq!(runs("*/30 * * * *", from, until), ["29 00:30", "29 01:00", "29 01:30", "29 02:00"]);
    }

    /// On 25 October 2026 in Berlin, 03:00 is followed by 02:00, at 01:00 in UTC.
    #[test]
    fn an_hour_that_occurs_twice_runs_once() {
        let (from, until) = (utc(2026, 10, 24, 12, 0), utc(2026, 10, 26, 12, 0));
        assert_eq!(runs("30 2 * * *", from, until), ["25 00:30", "26 01:30"]);
        assert_eq!(runs("0 3 * * *", from, until), ["25 02:00", "26 02:00"]);
        // A run that started in the first of the two hours is not repeated in the second, whatever it took.
        assert_eq!(
            runs("30 2 * * *", utc(2026, 10, 25, 0, 31), utc(2026, 10, 25, 12, 0)),
            Vec::<String>::new()
        );
        assert_eq!(
            runs("30 2 * * *", utc(2026, 10, 25, 1, 10), utc(2026, 10, 25, 12, 0)),
            Vec::<String>::new()
        );
        let (from, until) = (utc(2026, 10, 24, 23, 50), utc(2026, 10, 25, 2, 10));
        assert_eq!(
            runs("*/30 * * * *", from, until),
            ["25 00:00", "25 00:30", "25 01:00", "25 01:30", "25 02:00"]
        );
    }

    #[test]
    fn days_of_month_or_of_week_are_those_of_cron() {
        let (from, until) = (utc(2026, 1, 1, 12, 0), utc(2026, 2, 1, 12, 0));
        assert_eq!(
            runs("0 0 * * SUN", from, until),
            ["3 23:00", "10 23:00", "17 23:00", "24 23:00", "31 23:00"]
        );
        assert_eq!(runs("0 12 13 * 5", from, until).len(), 6);
        assert_eq!(runs("0 12 L * *", from, until), ["31 11:00"]);
        assert_eq!(runs("@monthly", from, until), ["31 23:00"]);
    }

    #[test]
    fn periods_count_from_the_last_run() {
        for (text, expected) in
            [("@every 90s", 190), ("@every 1h30m", 5500), ("@every 1d", 86_500), ("  @every  5m ", 400)]
        {
            assert_eq!(Schedule::parse(text).unwrap().next_after(100, &Zone::Utc), Some(expected), "{text}");
        }
        let week = Schedule::parse("@every 7d").unwrap();
        assert_eq!(week.next_after(i64::MAX, &Zone::Utc), None);
    }

    #[test]
    fn times_that_no_calendar_has_end_the_search() {
        let schedule = Schedule::parse("* * * * *").unwrap();
        assert_eq!(schedule.next_after(i64::MAX, &Zone::Utc), None);
        assert_eq!(schedule.next_after(0, &Zone::Posix("there/is/none".to_owned())), None);
        assert_eq!(schedule.next_after(0, &Zone::File(b"TZif".to_vec())), None);
    }

    #[test]
    fn a_schedule_is_written_and_read_again() {
        for text in ["*/15 3 * * MON", "@daily", "@every 90s"] {
            let schedule = Schedule::parse(text).unwrap();
            assert_eq!(Schedule::try_from(String::from(schedule.clone())), Ok(schedule), "{text}");
        }
    }

    #[test]
    fn bad_schedules_are_explained() {
        for (text, message, suggestion) in [
            ("*/5 * * *", "a schedule has five fields: minute, hour, day, month, weekday", None),
            ("", "a schedule has five fields: minute, hour, day, month, weekday", None),
            (
                "0 */5 * * * *",
                "it has six fields, and a schedule has five: minute, hour, day, month, weekday; seconds are not \
                 supported",
                Some("*/5 * * * *"),
            ),
            ("60 * * * *", "number out of bounds", None),
            ("0 0 30 2 *", "no day is like that", None),
            ("@reboot", "@reboot is what autostart=true does, without a schedule", None),
            ("@midnight", "there is no @midnight", Some("@daily")),
            ("@dayly", "it is none of @yearly, @monthly, @weekly, @daily, @hourly and @every", None),
            ("@every", "@every takes a duration of at least a second, such as 90s, 15m or 1h30m", None),
            ("@every 0s", "@every takes a duration of at least a second, such as 90s, 15m or 1h30m", None),
            ("@every 90", "@every takes a duration of at least a second, such as 90s, 15m or 1h30m", None),
        ] {
            let expected =
                BadValue { message: message.to_owned(), suggestion: suggestion.map(str::to_owned) };
            assert_eq!(Schedule::parse(text), Err(expected), "{text}");
        }
    }
}
