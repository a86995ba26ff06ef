//! The clocks, and the time zone.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use tz::TimeZone;

use crate::model::{Mono, Now, Wall};

/// Reads both clocks; knows the time zone that was in force when it was made.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: TimeZone,
}

impl Clock {
    /// Takes the zone from `TZ` or `/etc/localtime`; UTC where neither can be read, as in an
    /// empty container.
    #[must_use]
    pub fn local() -> Self {
        let named = std::env::var("TZ").ok().filter(|name| !name.is_empty());
        let zone = named.map_or_else(TimeZone::local, |name| TimeZone::from_posix_tz(&name));
        Self { zone: zone.unwrap_or_else(|_| TimeZone::utc()) }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { mono: monotonic(), wall: self.wall() }
    }

    fn wall(&self) -> Wall {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let unix_ms = i64::try_from(unix.as_millis()).unwrap_or(i64::MAX);
        let local = self.zone.find_local_time_type(unix_ms / 1000);
        Wall { unix_ms, utc_offset_secs: local.map_or(0, |local| local.ut_offset()) }
    }
}

/// CLOCK_MONOTONIC: it stands still while the machine is suspended, and so do the programs.
fn monotonic() -> Mono {
    let now = clock_gettime(ClockId::Monotonic);
    let secs = u64::try_from(now.tv_sec).unwrap_or(0);
    Mono(Duration::new(secs, u32::try_from(now.tv_nsec).unwrap_or(0)))
}
