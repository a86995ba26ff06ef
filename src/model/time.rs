//! Two clocks: one that decides and one that is only told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point on the monotonic clock: every deadline and every duration is measured on it, so a
/// wall clock that is set back or forth changes nothing (Supervisor needs guards for that).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mono(pub Duration);

impl Mono {
    /// The point `duration` later; saturates at the end of time.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A wall-clock reading with the offset of local time that was in force then, so that a text can
/// be made of it later without asking for the time zone again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wall {
    /// Milliseconds since the Unix epoch.
    pub unix_ms: i64,
    /// Seconds east of UTC.
    pub utc_offset_secs: i32,
}

impl Wall {
    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub fn unix_secs(self) -> i64 {
        self.unix_ms.div_euclid(1000)
    }
}

/// The time of one turn: read once, given to everything that happens in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// For deadlines and durations.
    pub mono: Mono,
    /// For what people and clients are told.
    pub wall: Wall,
}
