//! Orphans that programs have left by going into the background.

use std::time::Duration;

use super::Shell;
use crate::config::{foreground_form, resolve};
use crate::model::ProcessId;
use crate::python::split_command;
use crate::supervise::Orphan;
use crate::sys::children::{children, look_at, variables};

/// The maximum error of fork times, which /proc has in ticks.
const TICK: Duration = Duration::from_millis(20);

/// The length at which /proc truncates the name of an executable.
const NAME_BYTES_MAX: usize = 15;

impl Shell {
    /// Live processes that we have adopted since a program was started, `age` ago.
    pub(super) fn orphans(&self, process: ProcessId, age: Duration) -> Vec<Orphan> {
        let Some(spec) = self.core.spec(process) else { return Vec::new() };
        let words = split_command(&spec.command).unwrap_or_default();
        let base = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        let executable = resolve(spec, &self.host).ok().map(|found| base(&found.file.to_string_lossy()));
        let form_of_command = words.iter().find_map(|word| foreground_form(&base(word)));
        let adopted = children().into_iter().filter(|pid| !self.children.has_pid(*pid));
        let orphans = adopted.filter_map(|pid| {
            let found = look_at(pid).filter(|found| found.age <= age.saturating_add(TICK))?;
            let is_it = |name: &String| name.bytes().take(NAME_BYTES_MAX).eq(found.name.bytes());
            let names = variables(pid, ["SUPERVISOR_GROUP_NAME", "SUPERVISOR_PROCESS_NAME"]);
            Some(Orphan {
                pid,
                group: found.group,
                started_as: names.map(|[group, name]| (group, name)),
                has_programs_name: executable.as_ref().is_some_and(is_it),
                foreground_form: foreground_form(&found.name).or(form_of_command).map(str::to_owned),
            })
        });
        orphans.collect()
    }
}
