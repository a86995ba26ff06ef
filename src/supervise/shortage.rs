//! Starts that fail because the machine is short of descriptors, processes or memory.
//!
//! That is not the program's failure: it does not count (`startretries`), never ends in FATAL, and is
//! retried for as long as the shortage lasts. The log has one line when it begins and one when it is over,
//! however many programs wait.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::process::{Process, State};
use super::{Effects, Supervisor, Turn};
use crate::model::{LogLevel, ProcessId, counted};

/// The wait before the first new attempt; it doubles with each further one.
const RETRY_MIN: Duration = Duration::from_secs(1);

/// The longest wait. The resource may become available at any time, without notice.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// The wait after this many consecutive attempts. They are counted up to where it is the longest.
fn retry_after(attempts: u8) -> Duration {
    let doubled = 1_u32.checked_shl(attempts.saturating_sub(1).into()).unwrap_or(u32::MAX);
    RETRY_MIN.saturating_mul(doubled).min(RETRY_MAX)
}

/// A current shortage, from the first failed start until all of these have been retried.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Shortage {
    waiting: BTreeSet<ProcessId>,
    failed: u64,
}

impl Process {
    /// It could not be started because of a shortage.
    ///
    /// COMPAT: Supervisor counts it as a failed start, and the program is FATAL after `startretries`.
    pub(super) fn wait_out_shortage(&mut self, turn: &Turn, text: String, out: &mut Effects) {
        self.remarks_mut().spawn_error = text;
        self.short_attempts = self.short_attempts.saturating_add(1);
        let retry_at = turn.now.mono.after(retry_after(self.short_attempts));
        self.enter(State::Backoff { retry_at }, out);
    }

    /// True also during a new attempt.
    fn waits_out_shortage(&self) -> bool {
        self.short_attempts > 0 && matches!(self.state, State::Backoff { .. } | State::Starting { .. })
    }
}

impl Supervisor {
    /// A start has failed because of a shortage.
    pub(super) fn shortage_met(&mut self, id: ProcessId, out: &mut Effects) {
        let Some(process) = self.process(id).filter(|process| process.waits_out_shortage()) else { return };
        if self.shortage.waiting.is_empty() {
            let text = process.spawn_error();
            out.log(
                LogLevel::Warn,
                format!("spawnerr: {text}; starts are retried until the shortage is over"),
            );
        }
        self.shortage.waiting.insert(id);
        self.shortage.failed += 1;
    }

    /// Must be called when a process may no longer wait: it was started, stopped or removed.
    pub(super) fn check_shortage(&mut self, id: ProcessId, out: &mut Effects) {
        let waits = self.process(id).is_some_and(Process::waits_out_shortage);
        if !waits && self.shortage.waiting.remove(&id) && self.shortage.waiting.is_empty() {
            let failed = std::mem::take(&mut self.shortage.failed);
            let starts = counted(failed, "start", "starts");
            out.log(LogLevel::Info, format!("the shortage is over, {starts} failed meanwhile"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound() {
        let secs = |attempts| retry_after(attempts).as_secs();
        assert_eq!([1, 2, 3, 4, 100, u8::MAX].map(secs), [1, 2, 4, 5, 5, 5]);
    }
}
