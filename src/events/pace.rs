//! Limits the CPU time and log lines of a pool whose listeners reject everything, or are too slow.
//!
//! Rejected events are sent again with a growing pause. Repeated rejections and discarded events are counted
//! instead of logged one by one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Mono;

/// The number of consecutive rejections without a pause: another listener of the pool may accept the event,
/// or the cause may be gone.
const FREE_REFUSALS: u64 = 3;

/// The first pause; it doubles with each rejection.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The minimum time between two lines about discarded events.
const DISCARD_LINE_EVERY: Duration = Duration::from_secs(1);

/// The delivery rate of a pool, and the counts that its log lines omit.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Pace {
    /// Consecutive rejections by any listener.
    refusals: u64,
    /// Nothing is sent before this time.
    paused_until: Option<Mono>,
    /// The time of the last line about discarded events.
    discard_line_at: Option<Mono>,
    /// The events discarded since that line.
    unlogged: Option<Discarded>,
}

/// Events that did not fit into the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discarded {
    /// How many.
    pub count: u64,
    /// The serial number of the first.
    pub serial: u64,
}

/// What to log about a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalNews {
    /// It is the first one.
    First,
    /// The pause has reached its maximum.
    LongestPause {
        /// The number of consecutive rejections.
        refusals: u64,
        /// The length of the pause.
        pause: Duration,
    },
}

impl Pace {
    /// Records a rejection.
    pub(super) fn refused(&mut self, now: Mono) -> Option<RefusalNews> {
        self.refusals += 1;
        let refusals = self.refusals;
        let pause = pause_after(refusals);
        self.paused_until = (!pause.is_zero()).then(|| now.after(pause));
        match pause {
            _ if refusals == 1 => Some(RefusalNews::First),
            PAUSE_MAX if pause_after(refusals - 1) < PAUSE_MAX => {
                Some(RefusalNews::LongestPause { refusals, pause })
            }
            _ => None,
        }
    }

    /// Records a processed event. Returns the number of rejections before it.
    pub(super) fn processed(&mut self) -> u64 {
        self.paused_until = None;
        std::mem::take(&mut self.refusals)
    }

    /// Whether sending is paused.
    pub(super) fn is_paused(&self) -> bool {
        self.paused_until.is_some()
    }

    /// Records a discarded event.
    pub(super) fn discarded(&mut self, serial: u64) {
        self.unlogged.get_or_insert(Discarded { count: 0, serial }).count += 1;
    }

    fn line_due(&self) -> Option<Mono> {
        self.unlogged?;
        Some(self.discard_line_at.map_or(Mono::default(), |at| at.after(DISCARD_LINE_EVERY)))
    }

    /// When `pass` must be called.
    pub(super) fn deadline(&self) -> Option<Mono> {
        [self.paused_until, self.line_due()].into_iter().flatten().min()
    }

    /// Ends a pause that is over. Returns what was discarded since the last line, if one is due.
    pub(super) fn pass(&mut self, now: Mono) -> Option<Discarded> {
        self.paused_until = self.paused_until.filter(|at| *at > now);
        self.line_due().filter(|at| *at <= now)?;
        self.discard_line_at = Some(now);
        self.unlogged.take()
    }
}

fn pause_after(refusals: u64) -> Duration {
    let Some(doublings) = refusals.checked_sub(FREE_REFUSALS + 1) else { return Duration::ZERO };
    let factor = u32::try_from(doublings).ok().and_then(|shift| 1_u32.checked_shl(shift));
    PAUSE_MIN.saturating_mul(factor.unwrap_or(u32::MAX)).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound() {
        let millis = |refusals| pause_after(refusals).as_millis();
        assert_eq!(
            [0, 1, 3, 4, 5, 9, 10, 50, u64::MAX].map(millis),
            [0, 0, 0, 100, 200, 3200, 5000, 5000, 5000]
        );
    }
}
