//! Output of dead processes that others hold open.
//!
//! A launcher that starts a daemon and exits, `exec > >(tee …)`, a shell that is stopped before what it runs: the
//! pipes outlive the process that they were made for. Whoever writes to a pipe without a reader is killed by
//! SIGPIPE, so the pipes are read until all writers have closed them, and the log of the process stays their
//! sink: when it is started again, replaced or removed, and through a restart in place.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::children::{Stream, StreamId, StreamKey};
use super::outlets::Around;
use super::outputs::Writer;
use super::{Shell, Source};
use crate::model::{LogLevel, Mono, Pid, ProcessId};

/// Streams of dead processes that are read at one time, and never more than every fourth descriptor that we may
/// have open. When there are more, the oldest is closed.
const HELD_STREAMS_MAX: usize = 256;

/// How long a stream is held open by others before that is logged. The members of a pipeline do not end at the
/// same moment.
const REPORT_AFTER: Duration = Duration::from_secs(1);

/// How long nothing has to come of any of them before the end, unless all are closed.
const QUIET: Duration = Duration::from_millis(100);

/// One of [`HeldStreams`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HeldId(u64);

/// A stream of a process that was reaped.
#[derive(Debug)]
pub(super) struct HeldStream {
    pub(super) id: StreamId,
    /// Of the process that was reaped.
    pub(super) pid: Pid,
    pub(super) name: String,
    pub(super) stream: Stream,
}

/// All of them, the oldest first.
#[derive(Debug)]
pub(super) struct HeldStreams {
    by_id: BTreeMap<HeldId, HeldStream>,
    most: usize,
    last: u64,
    unreported: VecDeque<(Mono, HeldId)>,
    /// Processes that were reported and have streams here.
    reported: BTreeSet<ProcessId>,
}

impl HeldStreams {
    /// None yet; how many there may be follows from how many files may be open.
    pub(super) fn new(open_files_max: u64) -> Self {
        let quarter = usize::try_from(open_files_max / 4).unwrap_or(usize::MAX);
        Self {
            by_id: BTreeMap::new(),
            most: quarter.clamp(1, HELD_STREAMS_MAX),
            last: 0,
            unreported: VecDeque::new(),
            reported: BTreeSet::new(),
        }
    }

    fn add(&mut self, held: HeldStream, report_at: Mono) -> HeldId {
        self.last += 1;
        let id = HeldId(self.last);
        self.by_id.insert(id, held);
        self.unreported.push_back((report_at, id));
        id
    }

    pub(super) fn get_mut(&mut self, id: HeldId) -> Option<&mut HeldStream> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut HeldStream> {
        self.by_id.values_mut()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn ids(&self) -> Vec<HeldId> {
        self.by_id.keys().copied().collect()
    }

    /// The oldest, if there are too many.
    fn surplus(&self) -> Option<HeldId> {
        (self.by_id.len() > self.most).then(|| self.by_id.keys().next().copied())?
    }

    pub(super) fn remove(&mut self, id: HeldId) -> Option<HeldStream> {
        let held = self.by_id.remove(&id)?;
        self.unreported.retain(|(_, other)| *other != id);
        if !self.by_id.values().any(|other| other.id.process == held.id.process) {
            self.reported.remove(&held.id.process);
        }
        Some(held)
    }

    /// When the next has to be reported.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.unreported.front().map(|(at, _)| *at)
    }

    /// The name and the pid of the next that is due and whose process was not reported yet.
    fn next_to_report(&mut self, now: Mono) -> Option<(String, Pid)> {
        while self.deadline().is_some_and(|at| at <= now) {
            let (_, id) = self.unreported.pop_front()?;
            if let Some(held) = self.by_id.get(&id)
                && self.reported.insert(held.id.process)
            {
                return Some((held.name.clone(), held.pid));
            }
        }
        None
    }
}

impl Shell {
    /// Reads a stream of a dead process on. The line that the process has begun will not be continued by it.
    pub(super) fn hold(&mut self, mut held: HeldStream) {
        let mut around =
            Around { outputs: &mut self.outputs, rings: &mut self.rings, tails: &mut self.tails };
        let writer = Writer(held.stream.token);
        let trouble = held.stream.outlet.finish((writer, &held.name), &mut around);
        self.warn_of(trouble);
        let token = held.stream.token;
        let id = self.children.held.add(held, self.now.mono.after(REPORT_AFTER));
        self.sources.replace(token, Source::Child(StreamKey::Held(id)));
        let most = self.children.held.most;
        while let Some(oldest) = self.children.held.surplus() {
            if let Some(HeldStream { name, pid, id, .. }) = self.children.held.get_mut(oldest) {
                let text = format!(
                    "{} of '{name}' (pid {}) is closed, although other processes hold it open: there are more than {most} \
                     outputs of ended processes",
                    id.channel.name(),
                    pid.0
                );
                self.log(LogLevel::Warn, &text);
            }
            self.close_stream(StreamKey::Held(oldest));
        }
    }

    /// Logs, once for each process, that its output is still open.
    pub(super) fn report_held(&mut self) {
        while let Some((name, pid)) = self.children.held.next_to_report(self.now.mono) {
            let text = format!(
                "'{name}' (pid {}) ended, but other processes hold its output open; it is read until they close it",
                pid.0
            );
            self.log(LogLevel::Info, &text);
        }
    }

    /// Everything supervised is stopped: reads what others still write, until they have closed it or are silent
    /// for a moment, and no longer than the time that they are given.
    pub(super) fn finish_held(&mut self, until: Mono) {
        while !self.children.held.is_empty() {
            let left = until.since(self.clock.now().mono).min(QUIET);
            if left.is_zero() || !self.take_last_output(left) {
                return;
            }
        }
    }

    /// The end: reads what there is and closes all.
    pub(super) fn close_held(&mut self) {
        for id in self.children.held.ids() {
            self.drain(StreamKey::Held(id));
            self.close_stream(StreamKey::Held(id));
        }
    }
}
