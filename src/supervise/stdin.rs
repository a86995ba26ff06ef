//! Commands that write to the standard input of a process: the core knows which processes can take it, the shell knows
//! how much fits into the pipe and the buffer.

use serde::{Deserialize, Serialize};

use super::commands::{Found, bad_name};
use super::operations::{Form, Goal, Row};
use super::{Effect, Effects, Process, Supervisor, Turn};
use crate::model::{Fault, FaultCode, Namespec, ProcessId, Ticket};

/// Why a text was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StdinError {
    /// The process has closed its standard input, or has none.
    Closed,
    /// It has not read what was sent before, and the buffer is full.
    Full,
}

impl Supervisor {
    pub(super) fn send_stdin(
        &mut self,
        turn: &Turn,
        ticket: Ticket,
        name: &Namespec,
        text: String,
        out: &mut Effects,
    ) {
        let process = match self.find(name) {
            Ok(Found::Process(process)) => process,
            Ok(Found::Group(_)) => return out.reply(ticket, Err(bad_name(name))),
            Err(fault) => return out.reply(ticket, Err(fault)),
        };
        if !self.process(process).is_some_and(Process::takes_stdin) {
            return out.reply(ticket, Err(Fault::about(FaultCode::NotRunning, name.text.clone())));
        }
        let row = Row { process, asked_as: name.text.clone(), goal: Goal::Written };
        self.open_command(turn, ticket, Form::One, vec![row], out);
        out.push(Effect::WriteStdin { process, text });
    }

    /// COMPAT: Supervisor buffers whatever is sent, and answers with an internal error once the pipe is full.
    pub(super) fn stdin_taken(
        &mut self,
        turn: &Turn,
        id: ProcessId,
        outcome: Result<(), StdinError>,
        out: &mut Effects,
    ) {
        let taken = |row: &mut Row, _: &Process| {
            let name = &row.asked_as;
            let full = || format!("{name} has not read what was sent to it before; try again later");
            let fault = |error| match error {
                StdinError::Closed => Fault::about(FaultCode::NoFile, name.clone()),
                StdinError::Full => Fault::about(FaultCode::Failed, full()),
            };
            (row.goal == Goal::Written).then(|| outcome.map_err(fault))
        };
        self.settle_rows(turn, id, taken, out);
    }
}
