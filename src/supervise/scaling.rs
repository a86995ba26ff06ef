//! Another number of processes for a program: an update of its group, whose configuration is read again with the
//! other number.
//!
//! The number applies until the configuration is applied again, by an update of the group or a restart of
//! everything. A group whose configuration has changed otherwise is refused, so that scaling restarts nothing.

use super::{Effect, Effects, ReadFor, Supervisor, Turn};
use crate::model::{Fault, FaultCode, GroupSpec, LogLevel, Ticket};

impl Supervisor {
    pub(super) fn ask_to_scale(
        &mut self,
        ticket: Ticket,
        program: String,
        processes: u32,
        out: &mut Effects,
    ) {
        let is_known = self.scaled.contains_key(&program)
            || self.configured.iter().any(|group| group.name == program || has_program(group, &program));
        if !is_known {
            return out.reply(ticket, Err(Fault::about(FaultCode::BadName, program)));
        }
        let present = self.scaled.get(&program).copied();
        out.push(Effect::ReadSettings { purpose: ReadFor::Scale { ticket, program, processes, present } });
    }

    /// The group of the program was read with the present number and with the other one.
    pub(super) fn scale(
        &mut self,
        turn: &Turn,
        ticket: Ticket,
        (program, processes): (String, u32),
        readings: Vec<GroupSpec>,
        out: &mut Effects,
    ) {
        let Ok([present, scaled]) = <[GroupSpec; 2]>::try_from(readings) else {
            return out.reply(ticket, Err(Fault::about(FaultCode::BadName, program)));
        };
        let name = scaled.name.clone();
        let is_active = self.groups.named(&name).is_some_and(|group| self.is_as_configured(group, &present));
        if self.groups.named(&name).is_none() {
            return out.reply(ticket, Err(Fault::about(FaultCode::BadName, name)));
        }
        if !is_active {
            let text =
                format!("the configuration of {name} has changed: apply it first, with 'sv update {name}'");
            return out.reply(ticket, Err(Fault::about(FaultCode::Failed, text)));
        }
        if self.is_updating(&name) {
            let text = format!("an update of {name} is under way");
            return out.reply(ticket, Err(Fault::about(FaultCode::Failed, text)));
        }
        let count = |group: &GroupSpec| group.processes.iter().filter(|it| it.program == program).count();
        out.log(
            LogLevel::Info,
            format!(
                "scaling '{program}' from {} to {} processes, until its configuration is applied again",
                count(&present),
                count(&scaled)
            ),
        );
        match self.configured.iter_mut().find(|group| group.name == name) {
            Some(group) => *group = scaled,
            None => self.configured.push(scaled),
        }
        self.scaled.insert(program, processes);
        self.update_group(turn, ticket, &name, out);
    }

    /// The configuration was read to be applied: its numbers count again.
    pub(super) fn forget_scaling(&mut self, out: &mut Effects) {
        for (program, processes) in std::mem::take(&mut self.scaled) {
            let configured = self.configured.iter().flat_map(|group| &group.processes);
            let configured = configured.filter(|process| process.program == program).count();
            if usize::try_from(processes) != Ok(configured) {
                let text = format!(
                    "'{program}' was scaled to {processes} processes; an update gives it {configured} again, as \
                     configured"
                );
                out.log(LogLevel::Info, text);
            }
        }
    }
}

/// Whether a group has processes of a program.
pub fn has_program(group: &GroupSpec, program: &str) -> bool {
    group.processes.iter().any(|process| process.program == program)
}
