//! Two clocks: one for decisions and one for display.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point on the monotonic clock: all deadlines and durations use it, so setting the wall clock has no
/// effect (Supervisor needs guards for that).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mono(pub Duration);

impl Mono {
    /// The point `duration` later; saturates.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// The time since `earlier`; zero if it lies in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A wall-clock reading with the offset of local time at that moment, so that it can be formatted later
/// without the time zone.
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

/// The time of one turn: read once, used for everything that happens in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// For deadlines and durations.
    pub mono: Mono,
    /// For display to people and clients.
    pub wall: Wall,
}

/// `60 seconds`, `1 second`, `0.5 seconds`.
#[must_use]
pub fn seconds_text(duration: Duration) -> String {
    let secs = duration.as_secs_f64();
    if duration == Duration::from_secs(1) { "1 second".to_owned() } else { format!("{secs} seconds") }
}

/// `90s`, `10m`, `1h30m`, `1d`
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text.is_empty() {
        return None;
    }
    let mut rest = text;
    let mut secs: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().ok()?;
        let mut after = rest[digits..].chars();
        let unit = match after.next()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        secs = secs.checked_add(number.checked_mul(unit)?)?;
        rest = after.as_str();
    }
    Some(Duration::from_secs(secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_words() {
        let text = |millis| seconds_text(Duration::from_millis(millis));
        assert_eq!([60_000, 1_000, 500].map(text), ["60 seconds", "1 second", "0.5 seconds"]);
    }
}
