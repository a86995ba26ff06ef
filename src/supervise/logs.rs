//! Commands about logs: the core knows whose they are, but not their contents.

use super::commands::{Found, bad_name};
use super::operations::{Form, Goal, Row};
use super::{Effect, Effects, Supervisor, Turn};
use crate::model::{Channel, Fault, LogOf, LogRange, Namespec, ProcessId, Reply, Ticket};

impl Supervisor {
    pub(super) fn read_log(&self, ticket: Ticket, log: LogOf, range: LogRange, out: &mut Effects) {
        match self.owner(&log) {
            Ok(of) => out.push(Effect::ReadLog { ticket, of, range }),
            Err(fault) => out.reply(ticket, Err(fault)),
        }
    }

    pub(super) fn log_to_follow(&self, log: &LogOf) -> Result<Reply, Fault> {
        self.owner(log).map(Reply::Log)
    }

    fn owner(&self, log: &LogOf) -> Result<Option<(ProcessId, Channel)>, Fault> {
        let LogOf::Process(name, channel) = log else { return Ok(None) };
        match self.find(name)? {
            Found::Process(id) => Ok(Some((id, *channel))),
            Found::Group(_) => Err(bad_name(name)),
        }
    }

    pub(super) fn clear_logs_of(&mut self, turn: &Turn, ticket: Ticket, name: &Namespec, out: &mut Effects) {
        match self.find(name) {
            Ok(Found::Process(process)) => {
                let row = Row { process, asked_as: name.text.clone(), goal: Goal::Cleared };
                self.open_command(turn, ticket, Form::One, vec![row], out);
                out.push(Effect::ClearLogs { process });
            }
            Ok(Found::Group(_)) => out.reply(ticket, Err(bad_name(name))),
            Err(fault) => out.reply(ticket, Err(fault)),
        }
    }

    /// COMPAT: Supervisor handles one of them in each tick.
    pub(super) fn clear_all_logs(&mut self, turn: &Turn, ticket: Ticket, out: &mut Effects) {
        let members = self.by_priority();
        let rows = self.rows(&members, Goal::Cleared);
        self.open_command(turn, ticket, Form::Many, rows, out);
        members.into_iter().for_each(|process| out.push(Effect::ClearLogs { process }));
    }
}
