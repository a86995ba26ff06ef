//! When and how often a program is restarted: `restart_*`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The maximum number of exits in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartLimit {
    /// The number; at least 1.
    pub ends: u32,
    /// The period.
    pub within: Duration,
}

/// Delays before restarts. It applies to exits and failed starts, with one counter, instead of Supervisor's
/// rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartDelays {
    /// `restart_delay`: before the first restart.
    pub delay: Duration,
    /// `restart_delay_max`: the delay doubles up to it; not less than `delay`.
    pub delay_max: Duration,
    /// `restart_jitter`: each delay is longer or shorter by up to this part of it.
    pub jitter_percent: u8,
    /// `restart_reset_after`: after running, and being ready, for this long, the counter is reset.
    pub reset_after: Duration,
    /// `restart_limit`: the program becomes FATAL after this many exits.
    pub limit: Option<RestartLimit>,
}

impl RestartLimit {
    /// The maximum number, since each counted exit is kept.
    pub const ENDS_MAX: u32 = 1000;
}

impl Default for RestartDelays {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(500),
            delay_max: Duration::from_secs(30),
            jitter_percent: 10,
            reset_after: Duration::from_secs(30),
            limit: None,
        }
    }
}

impl RestartDelays {
    /// The delay before a restart, without jitter; the first consecutive restart is number 0.
    #[must_use]
    pub fn delay_before(&self, restart: u32) -> Duration {
        let factor = 1_u32.checked_shl(restart).unwrap_or(u32::MAX);
        self.delay.saturating_mul(factor).min(self.delay_max.max(self.delay))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let policy = RestartDelays::default();
        let delays: Vec<_> = [0, 1, 2, 5, 6, 31, 32, 1000].map(|n| policy.delay_before(n).as_millis()).into();
        assert_eq!(delays, [500, 1000, 2000, 16_000, 30_000, 30_000, 30_000, 30_000]);
        let fixed = RestartDelays { delay: Duration::from_secs(9), delay_max: Duration::ZERO, ..policy };
        assert_eq!(fixed.delay_before(3), Duration::from_secs(9));
    }
}
