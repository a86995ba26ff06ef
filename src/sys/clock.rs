//! The clocks, and the time zone.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use tz::{TimeZone, TimeZoneSettings};

use super::files::read_file;
use crate::model::{Mono, Now, Wall};

/// The maximum size of a time zone file; those of the tz database have a few kilobytes.
const ZONE_BYTES_MAX: u64 = 1024 * 1024;

/// Reads both clocks; uses the time zone that was set when it was created.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: TimeZone,
}

impl Clock {
    /// Takes the zone from `TZ` or `/etc/localtime`; UTC if that can't be read, as in an empty container, or
    /// if `TZ` is empty (tzset(3)).
    #[must_use]
    pub fn local() -> Self {
        Self::in_zone(std::env::var("TZ").ok().as_deref())
    }

    fn in_zone(named: Option<&str>) -> Self {
        let read = |path: &str| Ok(read_file(Path::new(path), ZONE_BYTES_MAX)?);
        let settings = TimeZoneSettings::new(TimeZoneSettings::DEFAULT_DIRECTORIES, read);
        let zone = match named {
            None => settings.parse_local(),
            Some("") => Ok(TimeZone::utc()),
            Some(name) => settings.parse_posix_tz(name),
        };
        Self { zone: zone.unwrap_or_else(|_| TimeZone::utc()) }
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { mono: monotonic(), wall: self.wall() }
    }

    fn wall(&self) -> Wall {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        self.at(i64::try_from(unix.as_millis()).unwrap_or(i64::MAX))
    }

    /// The time with the offset of that moment: offsets change with daylight saving time and with laws.
    fn at(&self, unix_ms: i64) -> Wall {
        let local = self.zone.find_local_time_type(unix_ms / 1000);
        Wall { unix_ms, utc_offset_secs: local.map_or(0, |local| local.ut_offset()) }
    }
}

/// CLOCK_MONOTONIC: it stops while the machine is suspended, and so do the programs.
fn monotonic() -> Mono {
    let now = clock_gettime(ClockId::Monotonic);
    let secs = u64::try_from(now.tv_sec).unwrap_or(0);
    Mono(Duration::new(secs, u32::try_from(now.tv_nsec).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn daylight_saving_time_is_applied() {
        let clock = Clock::in_zone(Some("CET-1CEST,M3.5.0,M10.5.0/3"));
        let (spring, autumn) = (1_774_746_000, 1_792_890_000);
        for (secs, hours) in
            [(spring - 1, 1), (spring, 2), (autumn - 1, 2), (autumn, 1), (spring - 1, 1), (0, 1)]
        {
            let wall = clock.at(secs * 1000 + 999);
            assert_eq!((wall.unix_secs(), wall.utc_offset_secs), (secs, hours * 3600));
        }
    }

    #[test]
    fn an_empty_or_unknown_zone_is_utc() {
        for name in ["", "there/is/none", "../../etc/passwd"] {
            assert_eq!(Clock::in_zone(Some(name)).at(1_790_000_000_000).utc_offset_secs, 0, "{name}");
        }
        // A time out of range is shown without an offset rather than not at all.
        assert_eq!(Clock::in_zone(Some("XYZ-5:45")).at(i64::MAX).unix_ms, i64::MAX);
    }
}
