//! Kills of the OOM killer in the container, for the ends of programs without a counter of their own.
//!
//! The kernel counts a kill before the victim ends, and does not report which process it has killed. So an end by SIGKILL that we did not
//! send is the kernel's if a rise of the counter was noticed not long before. A rise that explained no end by then was that of
//! another process. While nothing happens we do not look, and date a rise by the next turn.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Mono;
use crate::sys::cgroup::{COUNTER_BYTES_MAX, OomCounter};

/// How long a victim may take to end and to be reaped.
const VICTIM_ENDS_WITHIN: Duration = Duration::from_secs(5);

/// The pause between two looks at the counter in turns in which no program was killed.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The maximum number of kills that are remembered.
const KILLS_MAX: u64 = 256;

/// What the counter has counted.
#[derive(Debug, Default)]
pub(super) struct OomKills {
    counter: OomCounter,
    count: u64,
    /// When those were noticed that no end of a program was explained by.
    unexplained: VecDeque<Mono>,
    look_after: Option<Mono>,
}

impl OomKills {
    /// Those in the cgroup that we are in, from now on.
    pub(super) fn from_now() -> Self {
        let counter = OomCounter::of_our_cgroup();
        let count = counter.read(&mut vec![0; COUNTER_BYTES_MAX]).unwrap_or(0);
        Self { count, counter, ..Self::default() }
    }

    /// Looks at the counter, unless it was looked at lately.
    pub(super) fn look(&mut self, now: Mono, buffer: &mut [u8]) {
        if self.look_after.is_none_or(|at| at <= now) {
            self.note(self.counter.read(buffer), now);
        }
    }

    fn note(&mut self, count: Option<u64>, now: Mono) {
        self.look_after = Some(now.after(LOOK_INTERVAL));
        self.unexplained.retain(|at| now.since(*at) < VICTIM_ENDS_WITHIN);
        let Some(count) = count else { return };
        let room = KILLS_MAX.saturating_sub(self.unexplained.len() as u64);
        let new = count.saturating_sub(self.count).min(room);
        self.unexplained.extend((0..new).map(|_| now));
        self.count = count;
    }

    /// Whether a program that has ended by SIGKILL is a victim.
    pub(super) fn explain(&mut self, now: Mono, buffer: &mut [u8]) -> bool {
        let count = self.counter.read(buffer);
        self.explained_by(count, now)
    }

    fn explained_by(&mut self, count: Option<u64>, now: Mono) -> bool {
        self.note(count, now);
        self.unexplained.pop_front().is_some()
    }

    /// So many kills are known to be those of a program with a counter of its own.
    pub(super) fn pass_over(&mut self, kills: u64, now: Mono, buffer: &mut [u8]) {
        if self.counter.counts_programs() {
            self.note(self.counter.read(buffer), now);
            // The newest: these were noticed last.
            let left = (self.unexplained.len() as u64).saturating_sub(kills);
            self.unexplained.truncate(left as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_explains_one_end_that_soon_follows() {
        let at = |millis| Mono::default().after(Duration::from_millis(millis));
        let mut kills = OomKills { count: 3, ..OomKills::default() };
        assert!(!kills.explained_by(Some(3), at(0)));
        // Two at once, seen before the victims have ended.
        kills.note(Some(5), at(100));
        assert!(kills.explained_by(Some(5), at(200)) && kills.explained_by(Some(5), at(2000)));
        assert!(!kills.explained_by(Some(5), at(2100)));
        // A grandchild, long before a kill by hand.
        kills.note(Some(6), at(3000));
        assert!(!kills.explained_by(Some(6), at(8000)));
        // Unreadable for once, and less after a change of the cgroup.
        assert!(!kills.explained_by(None, at(8000)) && !kills.explained_by(Some(1), at(8000)));
        assert!(kills.explained_by(Some(2), at(8000)));
        // Many that have explained nothing leave room for the next one.
        kills.note(Some(1000), at(9000));
        assert!(kills.explained_by(Some(1001), at(20_000)) && !kills.explained_by(Some(1001), at(20_000)));
    }
}
