//! The restart policy: whether a process that has ended or could not be started is started again, and when.

use std::time::Duration;

use super::process::seconds;
use crate::model::{AutoRestart, OnEnd, ProcessSpec, StartRetries};

/// The least time between two automatic starts from EXITED. A program with `startsecs=0` that
/// ends at once would otherwise be forked thousands of times a second; Supervisor's one-second
/// loop has the same effect. One that has lived longer is started again at once.
pub const RESTART_SPACING: Duration = Duration::from_secs(1);

/// Failed starts are counted no further than this, so that the wait between two of them, which
/// grows by a second each time, stays a number however many retries are allowed.
const FAILED_STARTS_MAX: i64 = 86_400;

/// The longest wait in seconds with `startretries=forever`: what the program waits for may come at any time.
const BACKOFF_MAX_FOREVER: i64 = 60;

/// What follows a failed start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AfterFailure {
    /// Failed starts in a row, this one included.
    pub(super) failed_starts: i64,
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

    /// The time from the start to the restart, or `None` if an exit from RUNNING is final.
    pub(super) fn after_exit(self, is_expected: bool) -> Option<Duration> {
        let restarts = match self.after_exit {
            AutoRestart::Never => false,
            AutoRestart::Always => true,
            AutoRestart::Unexpected => !is_expected,
        };
        restarts.then_some(RESTART_SPACING)
    }

    /// `failed_before` is the number of failed starts in a row before this one.
    pub(super) fn after_failed_start(self, failed_before: i64) -> AfterFailure {
        let failed_starts = (failed_before + 1).min(FAILED_STARTS_MAX);
        let longest = match self.retries {
            StartRetries::Times(_) => FAILED_STARTS_MAX,
            StartRetries::Forever => BACKOFF_MAX_FOREVER,
        };
        AfterFailure {
            failed_starts,
            delay: seconds(failed_starts.min(longest)),
            gives_up: !self.retries.allow(failed_starts),
        }
    }
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
            assert_eq!(ignored.after_exit(is_expected).is_some(), restarts, "{autorestart:?}");
            let final_exit = policy(|it| (it.autorestart, it.on_exit) = (autorestart, OnEnd::Shutdown));
            assert_eq!(final_exit.after_exit(is_expected), None);
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
}
