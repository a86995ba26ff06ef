//! Operations: requests that take more than one input to complete.
//!
//! A command that waits for processes, an update, a rolling restart and the shutdown are operations. A step of an
//! operation requests something of processes and waits for them. When it waits for none any more, it continues or
//! ends ([`Supervisor::advance`]), with a result for each process.
//!
//! An index leads from a process to the operations that wait for it, so a change of a process costs as much as the
//! operations that it affects, however many others are open.

mod group_update;
mod rolling;
mod rows;
mod shutdown;
mod update;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::process::Process;
use super::{Effects, Supervisor, Turn};
use crate::model::{BatchLimits, Fault, FaultCode, Mono, Principal, ProcessId, Reply, Ticket};

use rolling::RollingRestart;
use rows::{AwaitedRows, SettledRow, in_order};
pub(super) use rows::{Form, Goal, Row, RowOutcome};
use shutdown::Shutdown;
use update::Update;

/// Maximum number of open operations of clients. Far more than there are connections; but a client that asks and
/// closes its connection leaves an operation behind.
pub(super) const OPERATIONS_MAX: usize = 4_096;

/// Never used twice by a supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct OperationId(u64);

/// What follows when the step under way is complete.
#[derive(Debug, Serialize, Deserialize)]
enum OperationKind {
    /// An answer.
    Command(Form),
    /// The next group is changed.
    Update(Box<Update>),
    /// The next batch starts, unless there is none or one has failed.
    RollingRestart(RollingRestart),
    /// The next rank is stopped, at the end of the input.
    Shutdown(Box<Shutdown>),
}

impl OperationKind {
    /// Whether the results of what has succeeded are wanted. At the end of a shutdown nobody asks for them.
    fn reports_success(&self) -> bool {
        !matches!(self, Self::Shutdown(_))
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Operation {
    /// The request that is answered at the end. The shutdown has none.
    ticket: Option<Ticket>,
    /// The sender of that request, for the history. Not of commands, which do nothing more.
    requester: Option<Principal>,
    began_at: Mono,
    kind: OperationKind,
    awaited: AwaitedRows,
    settled: Vec<SettledRow>,
}

impl Operation {
    fn deadline(&self) -> Option<Mono> {
        match &self.kind {
            OperationKind::RollingRestart(rolling) => rolling.deadline(),
            OperationKind::Shutdown(shutdown) => Some(shutdown.deadline()),
            OperationKind::Command(_) | OperationKind::Update(_) => None,
        }
    }

    fn answers(&self, ticket: Ticket) -> bool {
        self.ticket == Some(ticket)
    }
}

fn answer(ticket: Option<Ticket>, outcome: Result<Reply, Fault>, out: &mut Effects) {
    if let Some(ticket) = ticket {
        out.reply(ticket, outcome);
    }
}

/// All open operations.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Operations {
    last: u64,
    /// Boxed, as a tree keeps the space of its entries when it is empty.
    open: BTreeMap<OperationId, Box<Operation>>,
    /// Which of them wait for a process, the oldest first, with the place of its row.
    by_process: BTreeSet<(ProcessId, OperationId, usize)>,
    /// Of those that are open and have one.
    deadlines: BTreeSet<(Mono, OperationId)>,
    /// Those whose next step begins at the end of the input.
    between_steps: Vec<OperationId>,
}

impl Operations {
    /// Whether no more operations may begin.
    pub(super) fn is_full(&self) -> bool {
        self.open.len() >= OPERATIONS_MAX
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    fn open(
        &mut self,
        turn: &Turn,
        ticket: Option<Ticket>,
        kind: OperationKind,
        rows: Vec<Row>,
        out: &Effects,
    ) -> OperationId {
        self.last += 1;
        let id = OperationId(self.last);
        let has_steps = matches!(kind, OperationKind::Update(_) | OperationKind::RollingRestart(_));
        let operation = Operation {
            ticket,
            requester: out.requester.clone().filter(|_| has_steps),
            began_at: turn.now.mono,
            kind,
            awaited: AwaitedRows::default(),
            settled: Vec::new(),
        };
        self.begin_step(id, operation, rows);
        id
    }

    /// Makes the operation wait for these from now on.
    fn begin_step(&mut self, id: OperationId, mut operation: Operation, rows: Vec<Row>) {
        operation.awaited = AwaitedRows::new(rows);
        self.by_process.extend(operation.awaited.iter().map(|(place, row)| (row.process, id, place)));
        self.deadlines.extend(operation.deadline().map(|at| (at, id)));
        self.open.insert(id, Box::new(operation));
    }

    fn ids_of(&self, is_meant: impl Fn(&Operation) -> bool) -> Vec<OperationId> {
        self.open.iter().filter(|(_, operation)| is_meant(operation)).map(|(id, _)| *id).collect()
    }

    /// Removes an operation, whatever it still waits for.
    fn close(&mut self, id: OperationId) -> Option<Operation> {
        let operation = *self.open.remove(&id)?;
        if let Some(at) = operation.deadline() {
            self.deadlines.remove(&(at, id));
        }
        for (place, row) in operation.awaited.iter() {
            self.by_process.remove(&(row.process, id, place));
        }
        Some(operation)
    }

    /// Settles the rows of a process for which there is an outcome. Returns the operations whose step is complete.
    fn settle(
        &mut self,
        now: Mono,
        process: &Process,
        mut outcome: impl FnMut(&mut Row) -> Option<RowOutcome>,
    ) -> Vec<OperationId> {
        let first = (process.id, OperationId(0), 0);
        let last = (process.id, OperationId(u64::MAX), usize::MAX);
        let entries: Vec<_> = self.by_process.range(first..=last).copied().collect();
        let mut complete = Vec::new();
        for entry in entries {
            let (_, id, place) = entry;
            let Some(operation) = self.open.get_mut(&id) else { continue };
            let Some(row) = operation.awaited.get_mut(place) else { continue };
            let Some(outcome) = outcome(row) else { continue };
            if outcome.is_err() || operation.kind.reports_success() {
                let elapsed = now.since(operation.began_at);
                operation.settled.push(SettledRow::new(elapsed, place, process, outcome));
            }
            operation.awaited.remove(place);
            self.by_process.remove(&entry);
            complete.extend(operation.awaited.is_empty().then_some(id));
        }
        complete
    }
}

impl Supervisor {
    /// Begins a command that is answered when all rows are settled. They are in the order in which the answer lists
    /// those that are settled together.
    pub(super) fn open_command(
        &mut self,
        turn: &Turn,
        ticket: Ticket,
        form: Form,
        rows: Vec<Row>,
        out: &mut Effects,
    ) {
        if rows.is_empty() {
            return out.reply(ticket, Ok(Reply::Bulk(Vec::new())));
        }
        self.operations.open(turn, Some(ticket), OperationKind::Command(form), rows, out);
    }

    /// Must be called whenever a process may have changed: settles what waits for it. `failure` is the text of a
    /// signal that could not be sent just now.
    pub(super) fn changed(&mut self, turn: &Turn, id: ProcessId, failure: Option<&str>, out: &mut Effects) {
        self.check_shortage(id, out);
        self.settle_rows(turn, id, |row, process| row.outcome(process, failure), out);
    }

    /// The same during a shutdown, when the end of a shortage does not matter.
    pub(super) fn settle_changed(&mut self, turn: &Turn, id: ProcessId, out: &mut Effects) {
        self.settle_rows(turn, id, |row, process| row.outcome(process, None), out);
    }

    /// A process is removed: settles whatever waits for it.
    pub(super) fn settle_forgotten(&mut self, turn: &Turn, id: ProcessId, out: &mut Effects) {
        let gone = |row: &mut Row, _: &Process| {
            Some(Err(Fault::about(FaultCode::AbnormalTermination, row.asked_as.clone())))
        };
        self.settle_rows(turn, id, gone, out);
    }

    /// Settles the rows of a process for which there is an outcome.
    pub(super) fn settle_rows(
        &mut self,
        turn: &Turn,
        id: ProcessId,
        mut outcome: impl FnMut(&mut Row, &Process) -> Option<RowOutcome>,
        out: &mut Effects,
    ) {
        let Some(process) = self.processes.get(id) else { return };
        for id in self.operations.settle(turn.now.mono, process, |row| outcome(row, process)) {
            self.advance(turn, id, out);
        }
    }

    /// A step is complete: the operation continues or ends.
    fn advance(&mut self, turn: &Turn, id: OperationId, out: &mut Effects) {
        self.resume(id, out, |supervisor, operation, out| match operation.kind {
            OperationKind::Command(form) => answer(operation.ticket, form.answer(operation.settled), out),
            OperationKind::Update(_) => supervisor.advance_update(turn, id, operation, out),
            OperationKind::RollingRestart(_) => supervisor.advance_rolling(turn, id, operation, out),
            // It waits for nothing until the end of the input.
            OperationKind::Shutdown(_) => supervisor.operations.begin_step(id, operation, Vec::new()),
        });
    }

    /// Takes an operation out of those that are open, if it still is. What it does is at the request of its sender.
    fn resume(
        &mut self,
        id: OperationId,
        out: &mut Effects,
        act: impl FnOnce(&mut Self, Operation, &mut Effects),
    ) {
        let Some(operation) = self.operations.close(id) else { return };
        let Some(requester) = operation.requester.clone() else { return act(self, operation, out) };
        let before = out.requester.replace(requester);
        act(self, operation, out);
        out.requester_of_effects = std::mem::replace(&mut out.requester, before);
    }

    /// At the end of each input.
    pub(super) fn continue_operations(&mut self, turn: &Turn, out: &mut Effects) {
        self.continue_updates(turn, out);
        self.advance_shutdown(turn, out);
    }

    pub(super) fn operations_time_passed(&mut self, turn: &Turn, out: &mut Effects) {
        let due = self.operations.deadlines.iter().take_while(|(at, _)| *at <= turn.now.mono);
        for id in due.map(|(_, id)| *id).collect::<Vec<_>>() {
            match self.operations.open.get(&id).map(|operation| &operation.kind) {
                Some(OperationKind::RollingRestart(_)) => {
                    self.end_rolling(turn, id, BatchLimits::TIMED_OUT, out);
                }
                Some(OperationKind::Shutdown(_)) => self.shutdown_time_passed(turn, out),
                Some(OperationKind::Command(_) | OperationKind::Update(_)) | None => {}
            }
        }
    }

    /// The client of a request no longer waits for it. A rolling restart ends; all others are completed.
    pub(super) fn cancelled(&mut self, turn: &Turn, ticket: Ticket, out: &mut Effects) {
        let rolling = self.operations.ids_of(|operation| {
            operation.answers(ticket) && matches!(operation.kind, OperationKind::RollingRestart(_))
        });
        rolling.into_iter().for_each(|id| self.end_rolling(turn, id, "it was cancelled", out));
    }

    /// The supervisor stops: refuses operations that would start something. Commands that wait for processes are
    /// answered according to the outcome of these.
    pub(super) fn cancel_operations(&mut self, out: &mut Effects) {
        let cancelled = self.operations.ids_of(|operation| match operation.kind {
            OperationKind::Command(_) | OperationKind::Shutdown(_) => false,
            OperationKind::Update(_) | OperationKind::RollingRestart(_) => true,
        });
        for id in cancelled {
            if let Some(operation) = self.operations.close(id) {
                answer(operation.ticket, Err(Fault::bare(FaultCode::ShutdownState)), out);
            }
        }
    }
}

#[cfg(test)]
impl Supervisor {
    /// Returns the number of open operations. Asserts that each waits for something without an outcome,
    /// and that the indexes lead to exactly these.
    pub(super) fn check_operations(&self) -> usize {
        let Operations { open, by_process, deadlines, .. } = &self.operations;
        let indexed: Vec<_> = by_process.iter().map(|(process, id, place)| (*id, *place, *process)).collect();
        let mut awaited = Vec::new();
        for (id, operation) in open {
            assert!(!operation.awaited.is_empty(), "{operation:?}");
            for (place, row) in operation.awaited.iter() {
                let outcome = self.process(row.process).map(|it| row.outcome(it, None));
                assert_eq!(outcome, Some(None), "{row:?}");
                awaited.push((*id, place, row.process));
            }
        }
        assert_eq!(awaited.len(), indexed.len());
        assert!(indexed.iter().all(|it| awaited.binary_search(it).is_ok()), "{indexed:?}");
        let due = open.iter().filter_map(|(id, it)| Some((it.deadline()?, *id)));
        assert_eq!(due.collect::<BTreeSet<_>>(), *deadlines);
        open.len()
    }
}
