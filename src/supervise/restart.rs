//! The restart policy: whether a process that has ended or could not be started is started again, and when.
//!
//! [`RestartRules`] are Supervisor's rules. With any `restart_*` option the delays are those of [`RestartDelays`]
//! instead, with one [`RestartCounter`] for exits and failed starts. `restart_limit` replaces
//! `startretries`, which limits failed starts only without it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Turn;
use super::process::{Process, State};
use crate::model::{
    AutoRestart, Mono, OnEnd, ProcessId, ProcessSpec, RestartDelays, StartRetries, counted, seconds_text,
};

/// The minimum time between two automatic starts from EXITED. A program with `startsecs=0` that
/// ends at once would otherwise be forked thousands of times a second; Supervisor's one-second
/// loop has the same effect. A program that ran for longer is restarted at once.
pub const RESTART_SPACING: Duration = Duration::from_secs(1);

/// Failed starts are counted up to this limit, so that the wait between two of them, which
/// grows by a second each time, does not overflow however many retries are allowed.
const FAILED_STARTS_MAX: u32 = 86_400;

/// The longest wait in seconds with `startretries=forever`: what the program waits for may come at any time.
const BACKOFF_MAX_FOREVER: u32 = 60;

/// A restart with a shorter delay than this is also subject to [`RESTART_SPACING`].
const UNSPACED_DELAY_MIN: Duration = Duration::from_millis(100);

/// What follows a failed start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AfterFailure {
    /// Consecutive failed starts, including this one.
    pub(super) failed_starts: u32,
    /// The wait before the next attempt.
    pub(super) delay: Duration,
    /// No attempt follows: the process is FATAL.
    pub(super) gives_up: bool,
}

/// Supervisor's rules, as configured for one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RestartRules {
    after_exit: AutoRestart,
    retries: StartRetries,
}

impl RestartRules {
    pub(super) fn of(spec: &ProcessSpec) -> Self {
        let after_exit = match spec.on_exit {
            OnEnd::Shutdown => AutoRestart::Never,
            OnEnd::Ignore => spec.autorestart,
        };
        Self { after_exit, retries: spec.start_retries }
    }

    /// Whether an exit from RUNNING is followed by a restart.
    pub(super) fn restarts_after_exit(self, is_expected: bool) -> bool {
        match self.after_exit {
            AutoRestart::Never => false,
            AutoRestart::Always => true,
            AutoRestart::Unexpected => !is_expected,
        }
    }

    /// `failed_before` is the number of failed starts in a row before this one.
    pub(super) fn after_failed_start(self, failed_before: u32) -> AfterFailure {
        let failed_starts = (failed_before + 1).min(FAILED_STARTS_MAX);
        let longest = match self.retries {
            StartRetries::Times(_) => FAILED_STARTS_MAX,
            StartRetries::Forever => BACKOFF_MAX_FOREVER,
        };
        AfterFailure {
            failed_starts,
            delay: Duration::from_secs(u64::from(failed_starts.min(longest))),
            gives_up: !self.retries.allow(failed_starts),
        }
    }
}

/// What `restart_*` counts for one process.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct RestartCounter {
    /// Restarts since it was last up, and ready, for `restart_reset_after`.
    in_row: u32,
    /// When it ended, as far back as `restart_limit` looks, the oldest first.
    ends: VecDeque<Mono>,
}

impl RestartCounter {
    /// Counts an end or a failed start. Returns the delay before the restart, without jitter, or `None` once
    /// `restart_limit` is reached.
    fn count(&mut self, now: Mono, policy: &RestartDelays) -> Option<Duration> {
        let delay = policy.delay_before(self.in_row);
        self.in_row = self.in_row.saturating_add(1);
        let Some(limit) = policy.limit else { return Some(delay) };
        self.ends.retain(|at| now.since(*at) < limit.within);
        self.ends.push_back(now);
        let is_reached = self.ends.len() >= usize::try_from(limit.ends).unwrap_or(usize::MAX);
        (!is_reached).then_some(delay)
    }
}

/// A deterministic generator: randomness comes from outside, with the seed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Randomness(u64);

impl Randomness {
    pub(super) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn last(&self) -> u64 {
        self.0
    }

    /// The number from which a turn derives its random numbers.
    pub(super) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0
    }
}

/// A pseudo-random number, determined by a number and a process: the finalizer of splitmix64.
pub(super) fn scatter(number: u64, process: ProcessId) -> u64 {
    let mut mixed = number ^ process.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Lengthens or shortens a delay by up to this many percent.
pub(super) fn with_jitter(delay: Duration, percent: u8, random: u64) -> Duration {
    // From -1000 to 1000.
    let thousandths = i32::try_from(random % 2001).unwrap_or(1000) - 1000;
    let factor = 1.0 + f64::from(thousandths) / 1000.0 * f64::from(percent.min(100)) / 100.0;
    Duration::try_from_secs_f64(delay.as_secs_f64() * factor).unwrap_or(delay)
}

impl Process {
    /// When the restart after this end is due: by `restart_*`, or by Supervisor's rules if none of these is set.
    /// `Err` says why there is none.
    pub(super) fn next_restart(&mut self, turn: &Turn, by_rules: Mono) -> Result<Mono, String> {
        let spec = Arc::clone(&self.spec);
        let Some(policy) = &spec.lifecycle.restart_policy else { return Ok(by_rules) };
        let now = turn.now.mono;
        let Some(delay) = self.restarts.get_or_insert_default().count(now, policy) else {
            let (ends, within) = policy.limit.map_or((0, Duration::ZERO), |limit| (limit.ends, limit.within));
            let times = counted(ends, "time", "times");
            return Err(format!("ended {times} in {} (restart_limit)", seconds_text(within)));
        };
        let random = scatter(turn.random, self.id);
        let at = now.after(with_jitter(delay, policy.jitter_percent, random));
        let started = self.started.map_or(now, |(at, _)| at);
        Ok(if delay < UNSPACED_DELAY_MIN { at.max(started.after(RESTART_SPACING)) } else { at })
    }

    /// Handles the end of a run that may have lasted for `restart_reset_after`: its restarts are counted from zero
    /// again, also for hooks.
    pub(super) fn reset_restarts_after_long_run(&mut self, turn: &Turn) {
        let Some(policy) = &self.spec.lifecycle.restart_policy else { return };
        if self.ready_at.is_some_and(|at| turn.now.mono.since(at) >= policy.reset_after) {
            if let Some(restarts) = &mut self.restarts {
                restarts.in_row = 0;
            }
            self.hooks.restarts = 0;
        }
    }

    /// Resets the counter: the process was started or stopped on request, or it has failed for good.
    pub(super) fn reset_restarts(&mut self) {
        self.restarts = None;
    }

    /// When the next attempt or restart is due.
    pub(super) fn retry_at(&self) -> Option<Mono> {
        match self.state {
            State::Backoff { retry_at } => Some(retry_at),
            State::Exited { restart_at } => restart_at,
            State::Stopped
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Fatal
            | State::Unknown { .. } => None,
        }
    }

    /// The next attempt of a process with a restart policy: `retry in 4 s (3rd)`.
    pub(super) fn retry_text(&self, now: Mono) -> Option<String> {
        let at = self.retry_at()?;
        // A shortage is not counted.
        let in_row = self.restarts.as_ref().map_or(0, |restarts| restarts.in_row);
        if self.spec.lifecycle.restart_policy.is_none() || in_row == 0 {
            return None;
        }
        let secs = at.since(now).as_secs_f64().ceil();
        Some(format!("retry in {secs} s ({})", ordinal(in_row)))
    }
}

/// `1st`, `2nd`, `3rd`, `4th`, `11th`.
fn ordinal(number: u32) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::super::tests::spec;
    use super::*;

    fn policy(change: impl FnOnce(&mut ProcessSpec)) -> RestartRules {
        let mut spec = spec("web");
        change(&mut spec);
        RestartRules::of(&spec)
    }

    #[test]
    fn autorestart_decides_after_an_exit_unless_the_exit_ends_the_supervisor() {
        for (autorestart, is_expected, restarts) in [
            (AutoRestart::Never, false, false),
            (AutoRestart::Unexpected, true, false),
            (AutoRestart::Unexpected, false, true),
            (AutoRestart::Always, true, true),
        ] {
            let ignored = policy(|it| it.autorestart = autorestart);
            assert_eq!(ignored.restarts_after_exit(is_expected), restarts, "{autorestart:?}");
            let final_exit = policy(|it| (it.autorestart, it.on_exit) = (autorestart, OnEnd::Shutdown));
            assert!(!final_exit.restarts_after_exit(is_expected));
        }
    }

    #[test]
    fn delays_grow_by_a_second_and_retries_are_counted() {
        let twice = policy(|it| it.start_retries = StartRetries::Times(2));
        let row: Vec<_> = (0..3).map(|failed| twice.after_failed_start(failed)).collect();
        assert_eq!(row.iter().map(|it| it.delay.as_secs()).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(row.iter().map(|it| it.gives_up).collect::<Vec<_>>(), [false, false, true]);
        let forever = policy(|it| it.start_retries = StartRetries::Forever).after_failed_start(1_000_000);
        assert_eq!((forever.delay.as_secs(), forever.gives_up), (60, false));
        assert_eq!(forever.failed_starts, FAILED_STARTS_MAX);
    }

    #[test]
    fn jitter_keeps_to_its_part_of_the_delay() {
        let delays = (0..500).map(|random| {
            with_jitter(Duration::from_secs(100), 10, scatter(random, ProcessId(random % 3))).as_secs_f64()
        });
        let delays: Vec<_> = delays.collect();
        assert!(delays.iter().all(|delay| (90.0..=110.0).contains(delay)), "{delays:?}");
        assert!(delays.iter().any(|delay| *delay < 92.0) && delays.iter().any(|delay| *delay > 108.0));
        assert_eq!(with_jitter(Duration::from_secs(4), 0, 1), Duration::from_secs(4));
    }

    #[test]
    fn ordinals_are_english() {
        let all = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(ordinal);
        assert_eq!(all, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]);
    }
}
