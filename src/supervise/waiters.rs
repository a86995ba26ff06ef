//! Who waits for what: commands whose answer depends on what becomes of processes.
//!
//! A waiter is a ticket with a row for each process it concerns. Whenever a process changes, its
//! rows are looked at; when the last row is settled the ticket is answered.

use super::process::Process;
use super::{Effects, Supervisor, Turn};
use crate::model::{BulkRow, Fault, FaultCode, ProcessId, ProcessState, Reply, Ticket, Wait};

/// What a row waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

#[derive(Debug)]
pub(super) struct Row {
    pub(super) process: ProcessId,
    /// What the client called it: the detail of faults.
    pub(super) asked_as: String,
    pub(super) goal: Goal,
    /// Set once the row is settled; taken when it is reported.
    pub(super) settled: Option<Result<(), Fault>>,
}

impl Row {
    pub(super) fn new(process: ProcessId, asked_as: String, goal: Goal) -> Self {
        Self { process, asked_as, goal, settled: None }
    }
}

/// Whether a ticket is answered with one outcome or with a list of rows.
#[derive(Debug)]
pub(super) enum Form {
    One,
    Many(Vec<BulkRow>),
}

#[derive(Debug)]
struct Waiter {
    ticket: Ticket,
    form: Form,
    rows: Vec<Row>,
}

/// All open tickets. Bounded by the number of connections, each of which asks one thing at a time.
#[derive(Debug, Default)]
pub(super) struct Waiters(Vec<Waiter>);

impl Waiters {
    pub(super) fn add(&mut self, ticket: Ticket, form: Form, rows: Vec<Row>) {
        self.0.push(Waiter { ticket, form, rows });
    }

    /// The rows that concern a process and are not settled yet.
    pub(super) fn open_rows(&mut self, process: ProcessId) -> impl Iterator<Item = &mut Row> {
        let rows = self.0.iter_mut().flat_map(|waiter| &mut waiter.rows);
        rows.filter(move |row| row.process == process && row.settled.is_none())
    }
}

impl Supervisor {
    /// Looks at the rows of a process that may have changed, and on with an update
    /// and with the shutdown.
    pub(super) fn changed(&mut self, turn: &Turn, id: ProcessId, failure: Option<&str>, out: &mut Effects) {
        self.check_shortage(id, out);
        self.settle_rows(id, failure);
        self.answer_settled(out);
        self.go_on_updating(turn, out);
        self.go_on_stopping(turn, out);
    }

    pub(super) fn settle_rows(&mut self, id: ProcessId, failure: Option<&str>) {
        if let Some(process) = self.processes.get(&id) {
            for row in self.waiters.open_rows(id) {
                row.settled = settle(row, process, failure);
            }
        }
    }

    /// The outcome of sending a signal, which settles those who asked for no more than that.
    pub(super) fn sent(&mut self, turn: &Turn, id: ProcessId, failure: Option<String>, out: &mut Effects) {
        for row in self.waiters.open_rows(id) {
            if matches!(row.goal, Goal::Signalled | Goal::Stopped(Wait::No)) {
                row.settled =
                    Some(failure.clone().map_or(Ok(()), |text| Err(Fault::about(FaultCode::Failed, text))));
            }
        }
        self.changed(turn, id, failure.as_deref(), out);
    }

    pub(super) fn logs_cleared(&mut self, id: ProcessId, cleared: bool, out: &mut Effects) {
        for row in self.waiters.open_rows(id).filter(|row| row.goal == Goal::Cleared) {
            let failed = || Err(Fault::about(FaultCode::Failed, row.asked_as.clone()));
            row.settled = Some(if cleared { Ok(()) } else { failed() });
        }
        self.answer_settled(out);
    }

    /// The outcome of looking a command up: the start itself may follow.
    pub(super) fn checked(
        &mut self,
        turn: &Turn,
        id: ProcessId,
        outcome: Result<(), Fault>,
        out: &mut Effects,
    ) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let mut start = false;
        for row in self.waiters.open_rows(id) {
            let Goal::Checked(wait) = row.goal else { continue };
            row.goal = Goal::Started(wait);
            match outcome.clone().and_then(|()| may_start(process, &row.asked_as)) {
                Ok(()) => start = true,
                Err(fault) => row.settled = Some(Err(fault)),
            }
        }
        let was_stopping = process.state() == ProcessState::Stopping;
        if start {
            process.start(turn, out);
        }
        // Otherwise the outcome of the spawn settles the rows.
        if !start || was_stopping {
            self.changed(turn, id, None, out);
        }
    }

    pub(super) fn answer_settled(&mut self, out: &mut Effects) {
        let processes = &self.processes;
        for waiter in &mut self.waiters.0 {
            for row in waiter.rows.extract_if(.., |row| row.settled.is_some()) {
                let Some(outcome) = row.settled else { continue };
                match &mut waiter.form {
                    Form::One => out.reply(waiter.ticket, outcome.map(|()| Reply::Done)),
                    Form::Many(done) => {
                        done.extend(processes.get(&row.process).map(|it| bulk_row(it, outcome)))
                    }
                }
            }
        }
        for waiter in self.waiters.0.extract_if(.., |waiter| waiter.rows.is_empty()) {
            if let Form::Many(done) = waiter.form {
                out.reply(waiter.ticket, Ok(Reply::Bulk(done)));
            }
        }
    }
}

fn bulk_row(process: &Process, outcome: Result<(), Fault>) -> BulkRow {
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
fn settle(row: &Row, process: &Process, failure: Option<&str>) -> Option<Result<(), Fault>> {
    let refused = |code, text: &str| Some(Err(Fault::about(code, text)));
    match (row.goal, process.state()) {
        (Goal::Checked(_) | Goal::Signalled | Goal::Cleared | Goal::Written, _) => None,
        (Goal::Started(_), _) if !process.spawn_error().is_empty() => {
            refused(FaultCode::SpawnError, &row.asked_as)
        }
        (Goal::Started(Wait::No), _) | (Goal::Started(Wait::Yes), ProcessState::Running) => Some(Ok(())),
        (Goal::Started(Wait::Yes), ProcessState::Starting) => None,
        (Goal::Started(Wait::Yes), _) => refused(FaultCode::AbnormalTermination, &row.asked_as),
        (Goal::Stopped(_), state) if state.is_stopped() && !process.is_stopping_rest() => {
            Some(failure.map_or(Ok(()), |text| Err(Fault::about(FaultCode::Failed, text))))
        }
        (Goal::Stopped(_), _) => None,
    }
}
