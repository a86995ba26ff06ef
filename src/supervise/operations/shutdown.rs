//! The shutdown as an operation: everything is stopped, rank by rank.
//!
//! Groups stop by descending priority. Those of one priority stop side by side, and the next priority
//! begins the moment the last process of this one is gone.
//! COMPAT: Supervisor stops strictly one group after the other and waits up to a second after each.
//!
//! During that second its listeners receive the last events of the others. Here listeners that are next to stop
//! get time for their queued and unanswered events: a second in total, whatever their priorities.
//!
//! Every shutdown ends. `shutdown_timeout` bounds all of it: when it is over, everything that is left is killed,
//! whatever its priority. A repeated request has the same effect, except within a second, because several programs send
//! SIGTERM twice in succession. A process that does not end after SIGKILL is given up.
//!
//! A step is a rank, with a row for each process of it that has to end. The next step begins at the end of the input,
//! so that what the input has changed is complete, with the highest rank that has to end then. That may be one that was
//! complete before: a process whose state was unknown ends, and leaves members of its group behind.

use std::cmp::Reverse;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::shutdown::ShutdownState;
use super::super::stop_order::StopReason;
use super::super::{Effect, Effects, Process, Supervisor, Turn};
use super::{Goal, Operation, OperationId, OperationKind, Operations, Row};
use crate::model::{Fault, LogLevel, Mono, ProcessId, Signal};

/// How often `waiting for a, b to die` is repeated.
const SHUTDOWN_REPORT_EVERY: Duration = Duration::from_secs(3);

/// How long a shutdown waits in total for listeners with queued or unanswered events.
const LISTENERS_GRACE: Duration = Duration::from_secs(1);

/// A shutdown request that arrives sooner after the last one counts as the same request.
const REQUEST_SPACING: Duration = Duration::from_secs(1);

/// A shutdown that is under way.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Shutdown {
    /// When it was last requested.
    requested_at: Mono,
    /// It was requested again: it keeps no order and waits for no listener.
    is_hurried: bool,
    report_at: Mono,
    /// The end of `shutdown_timeout`; `None` if there is none or it is over.
    kill_at: Option<Mono>,
    /// All processes with their ranks, in the order in which they stop: ranks descend.
    order: Vec<(i64, ProcessId)>,
    /// The rank whose processes are being stopped.
    rank: Option<i64>,
    listeners: BusyListeners,
}

impl Shutdown {
    pub(super) fn deadline(&self) -> Mono {
        let others = [self.kill_at, self.listeners.deadline()];
        others.into_iter().flatten().fold(self.report_at, Mono::min)
    }

    /// In the order in which they stop.
    fn all(&self) -> Vec<ProcessId> {
        self.order.iter().map(|(_, id)| *id).collect()
    }

    /// Those of this rank, in the same order.
    fn of_rank(&self, rank: i64) -> Vec<ProcessId> {
        let first = self.order.partition_point(|(higher, _)| *higher > rank);
        let members = self.order.iter().skip(first).take_while(|(it, _)| *it == rank);
        members.map(|(_, id)| *id).collect()
    }
}

/// Listeners of the current priority that are not asked to stop yet, as they have queued or unanswered events.
#[derive(Debug, Serialize, Deserialize)]
struct BusyListeners {
    ids: Vec<ProcessId>,
    /// Set while there are any.
    waiting_since: Option<Mono>,
    time_left: Duration,
}

impl BusyListeners {
    fn deadline(&self) -> Option<Mono> {
        self.waiting_since.map(|since| since.after(self.time_left))
    }

    /// Keeps waiting for these only, while there is time left.
    fn wait_for(&mut self, now: Mono, ids: Vec<ProcessId>) {
        if let Some(since) = self.waiting_since.take() {
            self.time_left = self.time_left.saturating_sub(now.since(since));
        }
        self.ids = if self.time_left.is_zero() { Vec::new() } else { ids };
        self.waiting_since = (!self.ids.is_empty()).then_some(now);
    }
}

impl Operations {
    /// The shutdown, if one is under way. It is the last operation, as no other begins during it.
    fn shutdown(&self) -> Option<(OperationId, &Operation, &Shutdown)> {
        let (id, operation) = self.open.last_key_value()?;
        match &operation.kind {
            OperationKind::Shutdown(shutdown) => Some((*id, operation, shutdown)),
            _ => None,
        }
    }

    /// Changes the shutdown, and with it its deadline.
    fn change_shutdown<T>(&mut self, change: impl FnOnce(&mut Shutdown) -> T) -> Option<T> {
        let mut last = self.open.last_entry()?;
        let id = *last.key();
        let OperationKind::Shutdown(shutdown) = &mut last.get_mut().kind else { return None };
        self.deadlines.remove(&(shutdown.deadline(), id));
        let result = change(shutdown);
        self.deadlines.insert((shutdown.deadline(), id));
        Some(result)
    }

    /// Records another request that changed what follows the shutdown.
    pub(in crate::supervise) fn shutdown_requested(&mut self, turn: &Turn) {
        self.change_shutdown(|shutdown| shutdown.requested_at = turn.now.mono);
    }
}

impl Supervisor {
    pub(in crate::supervise) fn open_shutdown(&mut self, turn: &Turn, out: &mut Effects) {
        let now = turn.now.mono;
        let bound = self.rules.shutdown_timeout_secs.map(Duration::from_secs);
        let shutdown = Shutdown {
            requested_at: now,
            is_hurried: false,
            report_at: now,
            kill_at: bound.map(|bound| now.after(bound)),
            order: self.stop_order(),
            rank: None,
            listeners: BusyListeners { ids: Vec::new(), waiting_since: None, time_left: LISTENERS_GRACE },
        };
        self.operations.open(turn, None, OperationKind::Shutdown(Box::new(shutdown)), Vec::new(), out);
        self.advance_shutdown(turn, out);
        self.report_shutdown(turn, out);
    }

    /// It was requested again: kills what was asked to stop, and asks everything else at once.
    pub(in crate::supervise) fn hurry_shutdown(&mut self, turn: &Turn, signal: Signal, out: &mut Effects) {
        let Some((_, _, shutdown)) = self.operations.shutdown() else { return };
        if turn.now.mono < shutdown.requested_at.after(REQUEST_SPACING) {
            return out.debug(|| {
                format!("{signal} came within a second of the last request and counts as the same")
            });
        }
        self.operations.shutdown_requested(turn);
        for id in self.hurry() {
            self.with(id, |process| process.kill_or_stop(turn, out));
            self.settle_changed(turn, id, out);
        }
        self.advance_shutdown(turn, out);
    }

    /// The stop order is no longer kept. Returns all processes.
    fn hurry(&mut self) -> Vec<ProcessId> {
        let all = self.operations.change_shutdown(|shutdown| {
            shutdown.is_hurried = true;
            shutdown.all()
        });
        all.unwrap_or_default()
    }

    /// All processes with their ranks. Those of one rank stop in the reverse of the order in which they start.
    fn stop_order(&self) -> Vec<(i64, ProcessId)> {
        let rank = |id| self.process(id).map_or(0, |process| process.stop_rank);
        let mut order: Vec<_> = self.by_priority().into_iter().rev().map(|id| (rank(id), id)).collect();
        order.sort_by_key(|(rank, _)| Reverse(*rank));
        order
    }

    /// At the end of each input: stops the highest rank that still has something running once the one before is gone,
    /// and ends the shutdown when none has.
    pub(super) fn advance_shutdown(&mut self, turn: &Turn, out: &mut Effects) {
        while let Some((id, operation, _)) = self.operations.shutdown() {
            let members = if !operation.awaited.is_empty() {
                self.operations
                    .change_shutdown(|it| std::mem::take(&mut it.listeners.ids))
                    .unwrap_or_default()
            } else if let Some(rank) = self.processes.highest_pending_rank() {
                self.begin_rank(id, rank)
            } else {
                return self.end_shutdown(id, out);
            };
            self.stop_together(turn, members, out);
            // A rank whose processes all waited for another attempt is done at once.
            if self.operations.shutdown().is_none_or(|(_, operation, _)| !operation.awaited.is_empty()) {
                return;
            }
        }
    }

    /// Makes the shutdown wait for the processes of this rank. Returns those that are to stop.
    fn begin_rank(&mut self, id: OperationId, rank: i64) -> Vec<ProcessId> {
        let Some(mut operation) = self.operations.close(id) else { return Vec::new() };
        let OperationKind::Shutdown(shutdown) = &mut operation.kind else { return Vec::new() };
        shutdown.rank = Some(rank);
        let members = shutdown.of_rank(rank);
        let awaited = members.iter().filter(|id| self.process(**id).is_some_and(Process::blocks_shutdown));
        let row = |id: &ProcessId| Row { process: *id, asked_as: String::new(), goal: Goal::GoneWithGroup };
        let rows = awaited.map(row).collect();
        self.operations.begin_step(id, operation, rows);
        members
    }

    fn end_shutdown(&mut self, id: OperationId, out: &mut Effects) {
        let Some(operation) = self.operations.close(id) else { return };
        // Of processes that were given up.
        for failed in operation.settled {
            if let Err(Fault { detail: Some(why), .. }) = failed.row.outcome {
                out.debug(|| format!("the shutdown did not stop everything: {why}"));
            }
        }
        if let ShutdownState::Stopping(then) = &self.shutdown_state {
            let then = then.clone();
            self.shutdown_state = ShutdownState::Stopped(then.clone());
            out.push(Effect::AllStopped(then));
        }
    }

    /// Asks these to stop, except for listeners that still get time for their events.
    fn stop_together(&mut self, turn: &Turn, members: Vec<ProcessId>, out: &mut Effects) {
        if members.is_empty() {
            return;
        }
        self.publish_news(out);
        let (busy, others): (Vec<_>, Vec<_>) = members.into_iter().partition(|id| self.is_owed_events(*id));
        let asked = self.operations.change_shutdown(|Shutdown { is_hurried, listeners, .. }| {
            listeners.wait_for(turn.now.mono, if *is_hurried { Vec::new() } else { busy.clone() });
            if listeners.ids.is_empty() { busy } else { Vec::new() }
        });
        let asked: Vec<_> = others.into_iter().chain(asked.unwrap_or_default()).collect();
        self.stop_in_order(turn, &asked, StopReason::Shutdown, out);
    }

    /// A leader has ended by itself. Stops the members of its group now if its rank is stopping already.
    pub(in crate::supervise) fn stop_members_in_shutdown(
        &mut self,
        turn: &Turn,
        id: ProcessId,
        out: &mut Effects,
    ) {
        let own = self.process(id).map(|process| process.stop_rank);
        if let Some((_, _, Shutdown { is_hurried, rank, .. })) = self.operations.shutdown()
            && (*is_hurried || rank.is_some_and(|rank| own >= Some(rank)))
        {
            self.with(id, |process| process.stop_members(turn, out));
        }
    }

    pub(super) fn shutdown_time_passed(&mut self, turn: &Turn, out: &mut Effects) {
        self.bound_shutdown(turn, out);
        self.advance_shutdown(turn, out);
        self.report_shutdown(turn, out);
    }

    /// Kills what is left once `shutdown_timeout` is over.
    fn bound_shutdown(&mut self, turn: &Turn, out: &mut Effects) {
        let is_over = |shutdown: &mut Shutdown| shutdown.kill_at.take_if(|at| turn.now.mono >= *at);
        if self.operations.change_shutdown(is_over).flatten().is_none() {
            return;
        }
        out.log(LogLevel::Warn, "shutdown_timeout is over: killing what is left");
        for id in self.hurry() {
            self.with(id, |process| process.kill_now(turn, out));
            self.settle_changed(turn, id, out);
        }
    }

    fn report_shutdown(&mut self, turn: &Turn, out: &mut Effects) {
        let now = turn.now.mono;
        let is_due = self.operations.change_shutdown(|shutdown| {
            let is_due = now >= shutdown.report_at;
            if is_due {
                shutdown.report_at = now.after(SHUTDOWN_REPORT_EVERY);
            }
            is_due
        });
        if is_due == Some(true) {
            let names: Vec<_> = self.pending().map(|process| process.spec.name.as_str()).collect();
            out.log(LogLevel::Info, format!("waiting for {} to die", names.join(", ")));
        }
    }

    /// In the order in which groups were added.
    fn pending(&self) -> impl Iterator<Item = &Process> {
        let members = self.groups.iter().flat_map(|group| &group.members);
        members.filter_map(|id| self.process(*id)).filter(|process| process.is_pending())
    }
}

impl Process {
    /// Whether a shutdown has to wait for it: also for members of its group that were not asked to stop yet.
    pub(in crate::supervise) fn blocks_shutdown(&self) -> bool {
        self.is_pending() || self.remaining.is_some()
    }
}

#[cfg(test)]
impl Supervisor {
    /// Whether the stop order is no longer kept.
    pub(in crate::supervise) fn is_hurried(&self) -> bool {
        self.operations.shutdown().is_some_and(|(_, _, shutdown)| shutdown.is_hurried)
    }
}
