//! Another number of processes for a program: an update of its group, whose configuration is read again with the
//! other number.
//!
//! The configuration stays what counts: a reread reports the group as changed, and an update of the group or a restart of
//! everything gives the program the number that is configured. A group whose configuration has changed otherwise is
//! refused, so that scaling restarts nothing.

use super::{Effect, Effects, ReadFor, Supervisor, Turn};
use crate::model::{Fault, FaultCode, GroupSpec, LogLevel, Ticket, counted};

impl Supervisor {
    pub(super) fn ask_to_scale(
        &mut self,
        ticket: Ticket,
        program: String,
        processes: u32,
        out: &mut Effects,
    ) {
        let is_known = self.scaled.contains_key(&program)
            || self.configured.iter().any(|group| has_program(group, &program));
        if !is_known {
            return out.reply(ticket, Err(Fault::about(FaultCode::BadName, program)));
        }
        let present = self.scaled.clone();
        out.push(Effect::ReadSettings { purpose: ReadFor::Scale { ticket, program, processes, present } });
    }

    /// The group of the program was read with the present numbers and with the other one.
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
        let refusal = match self.groups.named(&name) {
            None => Some(format!("{name} is not active: add it first, with 'sv add {name}'")),
            Some(_) if self.is_updating(&name) => Some(format!("an update of {name} is under way")),
            Some(group) if self.is_as_configured(group, &present) => None,
            Some(_) => Some(format!(
                "the configuration of {name} has changed: apply it first, with 'sv update {name}'"
            )),
        };
        if let Some(text) = refusal {
            return out.reply(ticket, Err(Fault::about(FaultCode::Failed, text)));
        }
        let count = |group: &GroupSpec| group.processes.iter().filter(|it| it.program == program).count();
        let text = format!(
            "scaling '{program}' from {} to {}",
            counted(count(&present), "process", "processes"),
            count(&scaled)
        );
        out.log(LogLevel::Info, text);
        match self.configured.iter_mut().find(|group| group.name == name) {
            Some(group) => *group = scaled,
            None => self.configured.push(scaled),
        }
        self.scaled.insert(program, processes);
        self.update_group(turn, ticket, &name, out);
    }

    /// The configuration was read to be applied: an update gives each program its configured number.
    pub(super) fn report_scaling(&self, out: &mut Effects) {
        for (program, processes) in &self.scaled {
            let configured = self.configured.iter().flat_map(|group| &group.processes);
            let configured = configured.filter(|process| process.program == *program).count();
            if usize::try_from(*processes) != Ok(configured) {
                let text = format!(
                    "'{program}' was scaled to {}; an update gives it {configured}, as configured",
                    counted(*processes, "process", "processes")
                );
                out.log(LogLevel::Info, text);
            }
        }
    }

    /// The group gets its configured numbers, or is removed.
    pub(super) fn forget_scaling(&mut self, group: &str) {
        let members = self.groups.named(group).into_iter().flat_map(|group| &group.members);
        let programs: Vec<_> =
            members.filter_map(|id| Some(self.process(*id)?.spec.program.clone())).collect();
        // A program that was scaled to 0 is known by the name of its group.
        self.scaled.retain(|program, _| program != group && !programs.iter().any(|it| it == program));
    }
}

/// The group of a program in two readings of the configuration. A program without processes is found by the name of its
/// group. Empty if there is no such program.
///
/// # Errors
///
/// The program is in several groups, so it is not clear which of them to scale.
pub fn group_of_program(program: &str, readings: [Vec<GroupSpec>; 2]) -> Result<Vec<GroupSpec>, String> {
    let has_it = |group: &&GroupSpec| has_program(group, program);
    let mut names: Vec<_> =
        readings.iter().flatten().filter(has_it).map(|group| group.name.clone()).collect();
    names.sort_unstable();
    names.dedup();
    let [name] = names.as_slice() else {
        return match names.is_empty() {
            true => Ok(Vec::new()),
            false => Err(format!("cannot scale '{program}': it is in several groups: {}", names.join(", "))),
        };
    };
    let of_it = |groups: Vec<GroupSpec>| groups.into_iter().find(|group| group.name == *name);
    Ok(readings.into_iter().filter_map(of_it).collect())
}

/// Whether a group has this program. One without processes is known by the name of its group.
fn has_program(group: &GroupSpec, program: &str) -> bool {
    group.name == program || group.processes.iter().any(|process| process.program == program)
}
