//! Which streams of dead processes are still read.
//!
//! A launcher that starts a daemon and exits, `exec > >(tee …)`, a shell that is stopped before what it runs: pipes
//! outlive the process that they were made for. A process that writes to a pipe without a reader is killed by SIGPIPE,
//! so such pipes are read until all writers have closed them, and still go to the log of the process: when it is
//! started again, replaced or removed, and through a restart in place.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::model::{Mono, ProcessId};

/// Streams of dead processes that are read at one time, and never more than a quarter of the descriptors that we may
/// have open. When there are more, the oldest is closed.
const HELD_STREAMS_MAX: usize = 256;

/// How long a stream is held open by others before that is logged. The members of a pipeline do not end at the same
/// moment.
const REPORT_AFTER: Duration = Duration::from_secs(1);

/// One held stream, by the token under which it is read.
#[derive(Clone, Copy, Debug)]
struct Held {
    token: u64,
    process: ProcessId,
}

/// All held streams, the oldest first.
#[derive(Debug)]
pub(super) struct HeldStreams {
    all: VecDeque<Held>,
    max: usize,
    /// Those whose process was not looked at since, with the time to report it.
    unreported: VecDeque<(Mono, Held)>,
    /// Processes that were reported and have streams here.
    reported: BTreeSet<ProcessId>,
}

impl HeldStreams {
    /// None yet; their bound follows from how many files may be open.
    pub(super) fn new(open_files_max: u64) -> Self {
        let quarter = usize::try_from(open_files_max / 4).unwrap_or(usize::MAX);
        Self {
            all: VecDeque::new(),
            max: quarter.clamp(1, HELD_STREAMS_MAX),
            unreported: VecDeque::new(),
            reported: BTreeSet::new(),
        }
    }

    pub(super) fn add(&mut self, token: u64, process: ProcessId, now: Mono) {
        let held = Held { token, process };
        self.all.push_back(held);
        self.unreported.push_back((now.after(REPORT_AFTER), held));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The streams that may be held at one time.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// The tokens of all of them.
    pub(super) fn tokens(&self) -> impl Iterator<Item = u64> {
        self.all.iter().map(|held| held.token)
    }

    /// The oldest, if there are too many.
    pub(super) fn surplus(&self) -> Option<u64> {
        (self.all.len() > self.max).then(|| self.all.front().map(|held| held.token))?
    }

    /// Forgets a stream that was closed; it need not be one of these.
    pub(super) fn remove(&mut self, token: u64) {
        let Some(at) = self.all.iter().position(|held| held.token == token) else { return };
        let Some(Held { process, .. }) = self.all.remove(at) else { return };
        self.unreported.retain(|(_, held)| held.token != token);
        if !self.all.iter().any(|held| held.process == process) {
            self.reported.remove(&process);
        }
    }

    /// When the next has to be reported.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.unreported.front().map(|(at, _)| *at)
    }

    /// The token of the next that is due and whose process was not reported yet.
    pub(super) fn next_to_report(&mut self, now: Mono) -> Option<u64> {
        while self.deadline().is_some_and(|at| at <= now) {
            let (_, held) = self.unreported.pop_front()?;
            if self.reported.insert(held.process) {
                return Some(held.token);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Mono {
        Mono(Duration::from_secs(secs))
    }

    #[test]
    fn a_process_is_reported_once_while_any_of_its_streams_is_held() {
        let mut held = HeldStreams::new(1024);
        held.add(1, ProcessId(7), at(0));
        held.add(2, ProcessId(7), at(0));
        held.add(3, ProcessId(8), at(5));
        assert_eq!((held.next_to_report(at(0)), held.deadline()), (None, Some(at(1))));
        assert_eq!((held.next_to_report(at(1)), held.next_to_report(at(1))), (Some(1), None));
        held.remove(3);
        assert_eq!((held.deadline(), held.next_to_report(at(9))), (None, None), "closed before it was due");
        held.remove(1);
        held.remove(2);
        held.add(4, ProcessId(7), at(9));
        assert_eq!(held.next_to_report(at(10)), Some(4), "another run");
    }

    #[test]
    fn the_oldest_is_in_surplus_beyond_a_quarter_of_the_descriptors() {
        let mut held = HeldStreams::new(8);
        for token in [1, 2, 3] {
            held.add(token, ProcessId(token), at(0));
        }
        assert_eq!(held.surplus(), Some(1));
        held.remove(1);
        assert_eq!((held.surplus(), held.tokens().collect::<Vec<_>>()), (None, vec![2, 3]));
    }
}
