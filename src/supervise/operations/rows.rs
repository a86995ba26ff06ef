//! What an operation waits for in each process, and how the outcomes become an answer.
//!
//! The rows of an answer are in Supervisor's order. Supervisor goes through the rows that are
//! open every 50 ms at most, in the order of the request, and appends those that are settled by then. So rows that
//! are settled at once come first, and rows that are settled within one interval keep the order of the request.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::process::Process;
use super::super::{Effects, Supervisor, Turn};
use crate::model::{BulkRow, Fault, FaultCode, ProcessId, ProcessState, Reply, Wait};

/// How often Supervisor goes through the open rows of a request.
const INTERVAL: Duration = Duration::from_millis(50);

/// What a row waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::supervise) enum Goal {
    /// The command is being looked up; a start follows.
    Checked(Wait),
    /// The process has to run.
    Started(Wait),
    /// The process has to be gone.
    Stopped(Wait),
    /// A signal has to be sent.
    Signalled,
    /// Its logs have to be emptied.
    Cleared,
    /// A text has to be accepted for its standard input.
    Written,
    /// It has to be gone, together with everything that a stop of it waits for.
    Gone,
    /// The same during a shutdown, which waits for all that is left of its group.
    GoneWithGroup,
}

/// The outcome of a row.
pub(in crate::supervise) type RowOutcome = Result<(), Fault>;

#[derive(Debug, Serialize, Deserialize)]
pub(in crate::supervise) struct Row {
    pub(in crate::supervise) process: ProcessId,
    /// The name that the client used: the detail of faults.
    pub(in crate::supervise) asked_as: String,
    pub(in crate::supervise) goal: Goal,
}

/// The rows that a step waits for, by their place in the answer.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct AwaitedRows {
    /// `None` once it is settled.
    rows: Vec<Option<Row>>,
    unsettled: usize,
}

impl AwaitedRows {
    pub(super) fn new(rows: Vec<Row>) -> Self {
        Self { unsettled: rows.len(), rows: rows.into_iter().map(Some).collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unsettled == 0
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Row)> {
        self.rows.iter().enumerate().filter_map(|(place, row)| Some((place, row.as_ref()?)))
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Row> {
        self.rows.get_mut(place)?.as_mut()
    }

    pub(super) fn remove(&mut self, place: usize) {
        if self.rows.get_mut(place).and_then(Option::take).is_some() {
            self.unsettled -= 1;
        }
    }
}

/// A row that has its outcome.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SettledRow {
    pub(super) process: ProcessId,
    /// The interval in which it was settled.
    interval: u128,
    /// Its place in the request.
    place: usize,
    pub(super) row: BulkRow,
}

impl SettledRow {
    pub(super) fn new(elapsed: Duration, place: usize, process: &Process, outcome: RowOutcome) -> Self {
        let interval = elapsed.as_nanos().div_ceil(INTERVAL.as_nanos());
        Self { process: process.id, interval, place, row: process.bulk_row(outcome) }
    }
}

pub(super) fn in_order(mut settled: Vec<SettledRow>) -> Vec<SettledRow> {
    settled.sort_unstable_by_key(|it| (it.interval, it.place));
    settled
}

/// Whether a command is answered with one outcome or with a list of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::supervise) enum Form {
    One,
    Many,
}

impl Form {
    pub(super) fn answer(self, settled: Vec<SettledRow>) -> Result<Reply, Fault> {
        let mut rows = in_order(settled).into_iter().map(|it| it.row);
        match self {
            Self::One => rows.next().map_or(Ok(()), |row| row.outcome).map(|()| Reply::Done),
            Self::Many => Ok(Reply::Bulk(rows.collect())),
        }
    }
}

impl Process {
    pub(in crate::supervise) fn bulk_row(&self, outcome: RowOutcome) -> BulkRow {
        BulkRow { name: self.spec.name.to_string(), group: self.spec.group.to_string(), outcome }
    }

    fn given_up(&self) -> Option<Fault> {
        self.given_up_text().map(|text| Fault::about(FaultCode::Failed, text))
    }
}

impl Row {
    /// The outcome of a row, or `None` while it is open. `failure` is the text of a signal that could
    /// not be sent just now.
    pub(super) fn outcome(&self, process: &Process, failure: Option<&str>) -> Option<RowOutcome> {
        let refused = |code, text: &str| Some(Err(Fault::about(code, text)));
        match (self.goal, process.state()) {
            (Goal::Checked(_) | Goal::Signalled | Goal::Cleared | Goal::Written, _) => None,
            (Goal::Started(_), _) if !process.spawn_error().is_empty() => {
                refused(FaultCode::SpawnError, &self.asked_as)
            }
            (Goal::Started(Wait::No), _) | (Goal::Started(Wait::Yes), ProcessState::Running) => Some(Ok(())),
            (Goal::Started(Wait::Yes), ProcessState::Starting) => None,
            (Goal::Started(Wait::Yes), ProcessState::Exited) if process.is_done_oneshot() => Some(Ok(())),
            (Goal::Started(Wait::Yes), _) => refused(FaultCode::AbnormalTermination, &self.asked_as),
            (Goal::Stopped(_), state) if state.is_stopped() && !process.is_unstopped() => {
                Some(failure.map_or(Ok(()), |text| Err(Fault::about(FaultCode::Failed, text))))
            }
            (Goal::Gone, _) => (!process.is_pending()).then_some(Ok(())),
            (Goal::GoneWithGroup, _) if process.blocks_shutdown() => None,
            (Goal::GoneWithGroup, _) => Some(process.given_up().map_or(Ok(()), Err)),
            // COMPAT: Supervisor's client waits forever.
            (Goal::Stopped(_), _) => process.given_up().map(Err),
        }
    }
}

impl Supervisor {
    /// The outcome of sending a signal, which settles the rows that requested only that.
    pub(in crate::supervise) fn sent(
        &mut self,
        turn: &Turn,
        id: ProcessId,
        failure: Option<String>,
        out: &mut Effects,
    ) {
        let outcome = failure.clone().map_or(Ok(()), |text| Err(Fault::about(FaultCode::Failed, text)));
        let sent = |row: &mut Row, _: &Process| {
            matches!(row.goal, Goal::Signalled | Goal::Stopped(Wait::No)).then(|| outcome.clone())
        };
        self.settle_rows(turn, id, sent, out);
        self.changed(turn, id, failure.as_deref(), out);
    }

    pub(in crate::supervise) fn logs_cleared(
        &mut self,
        turn: &Turn,
        id: ProcessId,
        cleared: bool,
        out: &mut Effects,
    ) {
        let outcome = |row: &mut Row, _: &Process| {
            let failed = || Err(Fault::about(FaultCode::Failed, row.asked_as.clone()));
            (row.goal == Goal::Cleared).then(|| if cleared { Ok(()) } else { failed() })
        };
        self.settle_rows(turn, id, outcome, out);
    }

    /// The outcome of looking a command up: the start itself may follow.
    pub(in crate::supervise) fn checked(
        &mut self,
        turn: &Turn,
        id: ProcessId,
        outcome: Result<(), Fault>,
        out: &mut Effects,
    ) {
        let mut start = false;
        let decide = |row: &mut Row, process: &Process| {
            let Goal::Checked(wait) = row.goal else { return None };
            row.goal = Goal::Started(wait);
            let may_start = outcome.clone().and_then(|()| may_start(process, &row.asked_as));
            start |= may_start.is_ok();
            may_start.err().map(Err)
        };
        self.settle_rows(turn, id, decide, out);
        let was_stopping = self.state_of(id) == ProcessState::Stopping;
        if start {
            self.with(id, |process| process.start_requested(turn, out));
            self.answer_before_hook(turn, id, out);
        }
        // Otherwise the outcome of the spawn settles the rows.
        if !start || was_stopping {
            self.changed(turn, id, None, out);
        }
    }
}

/// Whether a start request is accepted at all.
fn may_start(process: &Process, asked_as: &str) -> Result<(), Fault> {
    match process.state() {
        // As for a process that is stopping: every client has a message for this code.
        _ if process.leaving => Err(Fault::about(
            FaultCode::AbnormalTermination,
            format!("{asked_as} is leaving, its group is being updated"),
        )),
        ProcessState::Running | ProcessState::Starting | ProcessState::Backoff => {
            Err(Fault::about(FaultCode::AlreadyStarted, asked_as))
        }
        ProcessState::Unknown => {
            Err(Fault::about(FaultCode::Failed, format!("{asked_as} is in an unknown process state")))
        }
        // A process that is stopping is not started; the operation sees that by its state.
        ProcessState::Stopping | ProcessState::Stopped | ProcessState::Exited | ProcessState::Fatal => Ok(()),
    }
}
