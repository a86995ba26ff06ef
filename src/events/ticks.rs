//! Ticks: events of the wall clock.
//!
//! Time is divided into periods that begin at multiples of their length. A tick is made when the current
//! period is different from the last one, so a clock that is set, forward or back, makes one tick and no
//! more. Ticks without a subscriber cause no wakeups.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Event;
use crate::model::{EventType, EventTypes, Mono, Now};

/// The length of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "plain words")]
pub enum Period {
    FiveSeconds,
    Minute,
    Hour,
}

/// In the order in which ticks that are due together are sent.
const PERIODS: [Period; 3] = [Period::FiveSeconds, Period::Minute, Period::Hour];

/// How long a change of the clock may go unnoticed when only the next hour is awaited.
const LOOK_EVERY: Duration = Duration::from_secs(60);

impl Period {
    fn secs(self) -> i64 {
        match self {
            Self::FiveSeconds => 5,
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }

    /// The type of its events.
    #[must_use]
    pub fn event_type(self) -> EventType {
        match self {
            Self::FiveSeconds => EventType::Tick5,
            Self::Minute => EventType::Tick60,
            Self::Hour => EventType::Tick3600,
        }
    }

    fn begin(self, now: Now) -> i64 {
        let secs = now.wall.unix_secs();
        secs - secs.rem_euclid(self.secs())
    }

    fn left(self, now: Now) -> Duration {
        let millis = self.secs() * 1000;
        let left = millis - now.wall.unix_ms.rem_euclid(millis);
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }
}

/// The current periods of the requested lengths.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Ticks {
    begun: [Option<i64>; PERIODS.len()],
    next: Option<Mono>,
}

impl Ticks {
    /// The periods that have begun since the last call, of those that are requested now and were requested
    /// then.
    pub fn pass(&mut self, now: Now, asked_for: EventTypes) -> Vec<Event> {
        let mut ticks = Vec::new();
        let mut left: Option<Duration> = None;
        for (period, begun) in PERIODS.into_iter().zip(&mut self.begun) {
            if !asked_for.cover(period.event_type()) {
                *begun = None;
                continue;
            }
            let when = period.begin(now);
            if begun.replace(when).is_some_and(|before| before != when) {
                ticks.push(Event::Tick { period, when });
            }
            left = Some(left.unwrap_or(LOOK_EVERY).min(period.left(now)));
        }
        self.next = left.map(|left| now.mono.after(left));
        ticks
    }

    /// When [`Ticks::pass`] must be called; `None` if no ticks are requested.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Wall;

    /// A multiple of an hour.
    const HOUR: i64 = 1_795_190_400;

    fn at(millis: i64) -> Now {
        let mono = Mono(Duration::from_millis(millis.max(0).cast_unsigned()));
        Now { mono, wall: Wall { unix_ms: HOUR * 1000 + millis, utc_offset_secs: 0 } }
    }

    fn asked_for(types: &[EventType]) -> EventTypes {
        types.iter().copied().collect()
    }

    fn reported(ticks: &mut Ticks, millis: i64, types: EventTypes) -> Vec<(Period, i64)> {
        let tick = |event| match event {
            Event::Tick { period, when } => (period, when - HOUR),
            other => panic!("{other:?}"),
        };
        ticks.pass(at(millis), types).into_iter().map(tick).collect()
    }

    #[test]
    fn a_tick_is_sent_when_its_period_begins() {
        let (mut ticks, all) = (Ticks::default(), asked_for(&[EventType::Tick]));
        assert_eq!(reported(&mut ticks, 1_300, all), [], "the stretch that there is has begun before");
        assert_eq!(ticks.deadline(), Some(at(5_000).mono));
        assert_eq!(reported(&mut ticks, 4_999, all), []);
        assert_eq!(reported(&mut ticks, 5_000, all), [(Period::FiveSeconds, 5)]);
        assert_eq!(reported(&mut ticks, 5_001, all), []);
        let late = [(Period::FiveSeconds, 60), (Period::Minute, 60)];
        assert_eq!(reported(&mut ticks, 64_000, all), late, "those that were missed are one");
        let hour = [(Period::FiveSeconds, 3600), (Period::Minute, 3600), (Period::Hour, 3600)];
        assert_eq!(reported(&mut ticks, 3_600_000, all), hour);
    }

    #[test]
    fn only_requested_ticks_are_due() {
        let mut ticks = Ticks::default();
        assert_eq!(reported(&mut ticks, 0, asked_for(&[EventType::ProcessLog])), []);
        assert_eq!(ticks.deadline(), None);
        let minute = asked_for(&[EventType::Tick60]);
        reported(&mut ticks, 1_000, minute);
        assert_eq!(ticks.deadline(), Some(at(60_000).mono));
        assert_eq!(reported(&mut ticks, 60_000, minute), [(Period::Minute, 60)]);
        reported(&mut ticks, 61_000, EventTypes::default());
        assert_eq!(reported(&mut ticks, 200_000, minute), [], "it was not asked for in between");
        reported(&mut ticks, 0, asked_for(&[EventType::Tick3600]));
        assert_eq!(ticks.deadline(), Some(at(60_000).mono), "the clock may be set");
    }

    #[test]
    fn a_clock_that_is_set_makes_one_tick() {
        let (mut ticks, all) = (Ticks::default(), asked_for(&[EventType::Tick5]));
        reported(&mut ticks, 12_000, all);
        assert_eq!(reported(&mut ticks, 900_000, all), [(Period::FiveSeconds, 900)]);
        assert_eq!(reported(&mut ticks, 7_000, all), [(Period::FiveSeconds, 5)]);
        assert_eq!(reported(&mut ticks, 7_001, all), []);
    }
}
