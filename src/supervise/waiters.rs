//! Who waits for what: commands whose answer depends on what becomes of processes.
//!
//! A waiter is a ticket with a row for each process that it concerns. Whenever a process changes, its rows
//! are looked at; when the last row of a ticket is settled the ticket is answered.
//!
//! The rows of an answer come in the order in which Supervisor gives them. It goes through the rows that are
//! open every 50 ms at most, in the order of the request, and appends those that are settled by then. So what
//! is settled at once comes first, and rows that are settled within one interval keep the order of the request.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::process::Process;
use super::{Effects, Supervisor, Turn};
use crate::model::{BulkRow, Fault, FaultCode, Mono, ProcessId, ProcessState, Reply, Ticket, Wait};

/// How often Supervisor goes through the open rows of a request.
const INTERVAL: Duration = Duration::from_millis(50);

/// What a row waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Goal {
    /// The command is being looked up; a start follows.
    Checked(Wait),
    /// The process is to run.
    Started(Wait),
    /// The process is to be gone.
    Stopped(Wait),
    /// A signal is to be sent.
    Signalled,
    /// Its logs are to be emptied.
    Cleared,
    /// A text is to be taken for its standard input.
    Written,
}

/// What became of a row.
pub(super) type Outcome = Result<(), Fault>;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) process: ProcessId,
    /// What the client called it: the detail of faults.
    pub(super) asked_as: String,
    pub(super) goal: Goal,
}

/// Whether a ticket is answered with one outcome or with a list of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Form {
    One,
    Many,
}

#[derive(Debug, Serialize, Deserialize)]
struct Waiter {
    form: Form,
    asked_at: Mono,
    /// Rows that are not settled yet.
    open: usize,
    /// With the interval in which they were settled and their place in the request.
    settled: Vec<(u128, usize, BulkRow)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct OpenRow {
    ticket: Ticket,
    /// Its place in the request.
    place: usize,
    row: Row,
}

/// All open tickets. Bounded by the number of connections, each of which asks one thing at a time.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Waiters {
    tickets: BTreeMap<Ticket, Waiter>,
    rows: BTreeMap<ProcessId, Vec<OpenRow>>,
}

impl Waiters {
    /// `rows` are in the order in which the answer lists those that are settled together.
    pub(super) fn add(&mut self, turn: &Turn, ticket: Ticket, form: Form, rows: Vec<Row>, out: &mut Effects) {
        if rows.is_empty() {
            return out.reply(ticket, Ok(Reply::Bulk(Vec::new())));
        }
        let waiter = Waiter { form, asked_at: turn.now.mono, open: rows.len(), settled: Vec::new() };
        self.tickets.insert(ticket, waiter);
        for (place, row) in rows.into_iter().enumerate() {
            self.rows.entry(row.process).or_default().push(OpenRow { ticket, place, row });
        }
    }

    /// Settles those open rows of a process for which there is an outcome, and answers the tickets that have no
    /// open row left.
    fn settle(
        &mut self,
        turn: &Turn,
        process: &Process,
        mut outcome: impl FnMut(&mut Row) -> Option<Outcome>,
        out: &mut Effects,
    ) {
        let Some(rows) = self.rows.get_mut(&process.id) else { return };
        let mut settled = Vec::new();
        rows.retain_mut(|open| match outcome(&mut open.row) {
            None => true,
            Some(outcome) => {
                settled.push((open.ticket, open.place, outcome));
                false
            }
        });
        if rows.is_empty() {
            self.rows.remove(&process.id);
        }
        for (ticket, place, outcome) in settled {
            self.row_settled(turn, process, (ticket, place, outcome), out);
        }
    }

    fn row_settled(
        &mut self,
        turn: &Turn,
        process: &Process,
        (ticket, place, outcome): (Ticket, usize, Outcome),
        out: &mut Effects,
    ) {
        let Some(waiter) = self.tickets.get_mut(&ticket) else { return };
        if waiter.form == Form::One {
            self.tickets.remove(&ticket);
            return out.reply(ticket, outcome.map(|()| Reply::Done));
        }
        let elapsed = turn.now.mono.since(waiter.asked_at);
        let interval = elapsed.as_nanos().div_ceil(INTERVAL.as_nanos());
        waiter.settled.push((interval, place, bulk_row(process, outcome)));
        waiter.open -= 1;
        if waiter.open == 0
            && let Some(mut waiter) = self.tickets.remove(&ticket)
        {
            waiter.settled.sort_by_key(|(interval, place, _)| (*interval, *place));
            let rows = waiter.settled.into_iter().map(|(_, _, row)| row).collect();
            out.reply(ticket, Ok(Reply::Bulk(rows)));
        }
    }
}

impl Supervisor {
    /// Looks at the rows of a process that may have changed, and continues with an update.
    pub(super) fn changed(&mut self, turn: &Turn, id: ProcessId, failure: Option<&str>, out: &mut Effects) {
        self.check_shortage(id, out);
        self.settle_rows(turn, id, |row, process| settle(row, process, failure), out);
        self.continue_updates(turn, id, out);
    }

    /// The same for the rows alone.
    pub(super) fn settle_changed(&mut self, turn: &Turn, id: ProcessId, out: &mut Effects) {
        self.settle_rows(turn, id, |row, process| settle(row, process, None), out);
    }

    pub(super) fn settle_rows(
        &mut self,
        turn: &Turn,
        id: ProcessId,
        mut outcome: impl FnMut(&mut Row, &Process) -> Option<Outcome>,
        out: &mut Effects,
    ) {
        if let Some(process) = self.processes.get(id) {
            self.waiters.settle(turn, process, |row| outcome(row, process), out);
        }
    }

    /// The outcome of sending a signal, which settles the rows that asked for no more than that.
    pub(super) fn sent(&mut self, turn: &Turn, id: ProcessId, failure: Option<String>, out: &mut Effects) {
        let outcome = failure.clone().map_or(Ok(()), |text| Err(Fault::about(FaultCode::Failed, text)));
        let sent = |row: &mut Row, _: &Process| {
            matches!(row.goal, Goal::Signalled | Goal::Stopped(Wait::No)).then(|| outcome.clone())
        };
        self.settle_rows(turn, id, sent, out);
        self.changed(turn, id, failure.as_deref(), out);
    }

    pub(super) fn logs_cleared(&mut self, turn: &Turn, id: ProcessId, cleared: bool, out: &mut Effects) {
        let outcome = |row: &mut Row, _: &Process| {
            let failed = || Err(Fault::about(FaultCode::Failed, row.asked_as.clone()));
            (row.goal == Goal::Cleared).then(|| if cleared { Ok(()) } else { failed() })
        };
        self.settle_rows(turn, id, outcome, out);
    }

    /// The outcome of looking a command up: the start itself may follow.
    pub(super) fn checked(
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

fn bulk_row(process: &Process, outcome: Outcome) -> BulkRow {
    BulkRow { name: process.spec.name.clone(), group: process.spec.group.clone(), outcome }
}

/// Whether a start request is taken at all.
fn may_start(process: &Process, asked_as: &str) -> Result<(), Fault> {
    match process.state() {
        // As one that is stopping; every client has words for this code.
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
        // A process that is stopping is not started; who waits learns that from its state.
        ProcessState::Stopping | ProcessState::Stopped | ProcessState::Exited | ProcessState::Fatal => Ok(()),
    }
}

/// The outcome of a row, or `None` while it is open. `failure` is the text of a signal that could
/// not be sent just now.
fn settle(row: &Row, process: &Process, failure: Option<&str>) -> Option<Outcome> {
    let refused = |code, text: &str| Some(Err(Fault::about(code, text)));
    match (row.goal, process.state()) {
        (Goal::Checked(_) | Goal::Signalled | Goal::Cleared | Goal::Written, _) => None,
        (Goal::Started(_), _) if !process.spawn_error().is_empty() => {
            refused(FaultCode::SpawnError, &row.asked_as)
        }
        (Goal::Started(Wait::No), _) | (Goal::Started(Wait::Yes), ProcessState::Running) => Some(Ok(())),
        (Goal::Started(Wait::Yes), ProcessState::Starting) => None,
        (Goal::Started(Wait::Yes), ProcessState::Exited) if process.is_done_oneshot() => Some(Ok(())),
        (Goal::Started(Wait::Yes), _) => refused(FaultCode::AbnormalTermination, &row.asked_as),
        (Goal::Stopped(_), state) if state.is_stopped() && !process.is_unstopped() => {
            Some(failure.map_or(Ok(()), |text| Err(Fault::about(FaultCode::Failed, text))))
        }
        // COMPAT: Supervisor's client waits for ever.
        (Goal::Stopped(_), _) => {
            process.given_up_text().map(|text| Err(Fault::about(FaultCode::Failed, text)))
        }
    }
}
