//! The cgroups of programs: made before a start, changed by an update, read at an end and removed when empty.
//!
//! Nothing is made before a program needs it. Where the kernel lets us make no cgroups, or lets a program not enter its own,
//! programs run without: that is one warning, or a failed start with `cgroup=required`.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;

use super::Shell;
use super::oom_kills::OomKills;
use super::trees::signal_cgroup;
use crate::model::{
    CgroupMode, CgroupSpec, ExitStatus, LimitOption, LogLevel, Mono, Namespec, Pid, ProcessId, Signal,
};
use crate::supervise::{Input, NotSpawned};
use crate::sys::attributes::Entrance;
use crate::sys::cgroup::{Cgroup, Controller, Hierarchy};
use crate::sys::children::{entered_namespace, is_descendant};
use crate::sys::file_lookup::file_outcome;
use crate::sys::process::{is_pid_1, own_pid, send_signal};

/// The cgroup of a process, from its start until nothing is left in it.
#[derive(Debug)]
struct ProcessCgroup {
    cgroup: Cgroup,
    /// What the OOM killer had killed in it before the start: not 0 if something was left of an earlier run.
    oom_kills: u64,
}

/// The maximum number of children that set a limit at a time. The kernel may take long to free the memory.
const LIMIT_WRITERS_MAX: usize = 64;

/// A child of ours that sets a limit, as the kernel reclaims memory for it.
#[derive(Debug)]
struct LimitWriter {
    pid: Pid,
    /// `None` once its cgroup is not that of a process any more.
    process: Option<ProcessId>,
    /// The name of the process.
    name: String,
    option: LimitOption,
    /// A newer value, which is set once this child has ended.
    next: Option<Option<u64>>,
}

impl LimitWriter {
    /// Its cgroup is not that of the process any more.
    fn detach(&mut self) {
        (self.process, self.next) = (None, None);
    }
}

/// A child that continues without a cgroup if it can't enter it. Kept until that is known or the program has ended.
#[derive(Clone, Copy, Debug)]
struct Entering {
    process: ProcessId,
    pid: Pid,
}

/// All cgroups that we have made.
#[derive(Debug, Default)]
pub(super) struct Cgroups {
    /// `None` until a program needs it; the error is for people.
    hierarchy: Option<Result<Hierarchy, String>>,
    /// Those that were asked for, each with the outcome.
    controllers: Vec<(Controller, Result<(), String>)>,
    /// Options that were reported as having no effect, for all programs or for one.
    reported: BTreeSet<(LimitOption, Option<ProcessId>)>,
    /// Boxed, as a tree that grows at its end leaves half of its leaves empty.
    by_process: BTreeMap<ProcessId, Box<ProcessCgroup>>,
    /// Cgroups without their program, in which something was left.
    left: Vec<Cgroup>,
    writers: Vec<LimitWriter>,
    entering: Vec<Entering>,
    container: OomKills,
}

/// Why an option has no effect.
struct WithoutEffect {
    option: LimitOption,
    why: String,
    /// The only program that is affected.
    process: Option<ProcessId>,
}

impl Cgroups {
    fn set_up(&mut self, id: &str, is_ours: &dyn Fn(Pid) -> bool) -> Result<(), String> {
        if self.hierarchy.is_none() {
            self.hierarchy = Some(Hierarchy::set_up(id, is_ours));
            // For what is measured and reported, so it is no problem if that fails.
            let _ = self.enable(Controller::Memory);
            // We are in another cgroup now.
            self.count_from_now();
        }
        match &self.hierarchy {
            Some(Err(why)) => Err(why.clone()),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    /// Counts what the OOM killer kills in the cgroup that we are in from now on.
    pub(super) fn count_from_now(&mut self) {
        self.container = OomKills::from_now();
    }

    /// Looks from time to time at what the OOM killer has killed.
    pub(super) fn look_at_oom_kills(&mut self, now: Mono, buffer: &mut [u8]) {
        self.container.look(now, buffer);
    }

    fn enable(&mut self, controller: Controller) -> Result<(), String> {
        let Some(Ok(hierarchy)) = &mut self.hierarchy else { return Err("there are no cgroups".to_owned()) };
        if let Some((_, outcome)) = self.controllers.iter().find(|(asked_for, _)| *asked_for == controller) {
            return outcome.clone();
        }
        let outcome = hierarchy.enable(controller);
        self.controllers.push((controller, outcome.clone()));
        outcome
    }

    fn make(&mut self, process: ProcessId, full_name: &str) -> Result<Cgroup, WithoutEffect> {
        let failed = |why: String| WithoutEffect { option: LimitOption::Cgroup, why, process: Some(process) };
        let Some(Ok(hierarchy)) = &self.hierarchy else {
            return Err(failed("there are no cgroups".to_owned()));
        };
        let cgroup =
            hierarchy.program(full_name).map_err(|error| failed(format!("cannot make it: {error}")))?;
        self.left.retain(|left| *left != cgroup);
        // They set the limits of the one before.
        self.writers
            .iter_mut()
            .filter(|writer| writer.process == Some(process))
            .for_each(LimitWriter::detach);
        let oom_kills = cgroup.oom_kills().unwrap_or(0);
        self.by_process.insert(process, Box::new(ProcessCgroup { cgroup: cgroup.clone(), oom_kills }));
        Ok(cgroup)
    }

    /// Whether an option is reported for the first time.
    fn is_news(&mut self, failure: &WithoutEffect) -> bool {
        self.reported.insert((failure.option, failure.process))
    }

    /// A child was started that enters its cgroup if it can.
    pub(super) fn expect_entry(&mut self, process: ProcessId, pid: Pid) {
        self.entering.push(Entering { process, pid });
    }

    /// Has another value set by a child of ours that is still busy with an older one.
    fn supersede(&mut self, process: ProcessId, option: LimitOption, value: Option<u64>) -> bool {
        let busy =
            self.writers.iter_mut().find(|writer| writer.process == Some(process) && writer.option == option);
        let Some(writer) = busy else { return false };
        writer.next = Some(value);
        // The kernel would continue to reclaim memory for the older one.
        let _ = send_signal(writer.pid, Signal::KILL, false);
        true
    }

    /// The cgroup of a process, also of a dead one that has left something in it.
    pub(super) fn of(&self, process: ProcessId) -> Option<&Cgroup> {
        self.by_process.get(&process).map(|it| &it.cgroup)
    }

    /// The program of this process has ended: removes its cgroup if nothing is left in it.
    fn leave(&mut self, process: ProcessId) {
        if self.by_process.get(&process).is_some_and(|it| it.cgroup.remove().is_ok()) {
            self.by_process.remove(&process);
        }
    }

    /// Forgets the cgroup of a process that is not started again.
    pub(super) fn forget(&mut self, process: ProcessId) {
        let cgroup = self.by_process.remove(&process).map(|it| it.cgroup);
        self.left.extend(cgroup.filter(|cgroup| cgroup.remove().is_err()));
    }

    /// Forgets a process that is gone, also what was reported about it.
    pub(super) fn forget_all_of(&mut self, process: ProcessId) {
        self.forget(process);
        self.reported.retain(|(_, of)| *of != Some(process));
    }

    /// Forgets the processes of the supervisor before a restart. What made cgroups impossible may be gone.
    pub(super) fn forget_processes(&mut self) {
        let processes: Vec<_> = self.by_process.keys().copied().collect();
        processes.into_iter().for_each(|process| self.forget(process));
        self.writers.iter_mut().for_each(LimitWriter::detach);
        self.entering.clear();
        self.hierarchy.take_if(|hierarchy| hierarchy.is_err());
        self.controllers.retain(|(_, outcome)| outcome.is_ok());
        self.reported.clear();
    }

    /// Removes cgroups in which something was left and ended since. To be called when orphans were reaped.
    pub(super) fn remove_empty(&mut self, is_live: impl Fn(ProcessId) -> bool) {
        let is_kept = |cgroup: &Cgroup| cgroup.is_populated() || cgroup.remove().is_err();
        self.by_process.retain(|process, it| is_live(*process) || is_kept(&it.cgroup));
        self.left.retain(is_kept);
    }

    /// Removes everything at our end.
    pub(super) fn end(&mut self) {
        if let Some(Ok(hierarchy)) = self.hierarchy.take() {
            hierarchy.leave();
        }
    }
}

impl Shell {
    /// Moves us out of our cgroup before there are children that would have to move, too.
    pub(super) fn prepare_cgroups(&mut self) {
        if self.core.specs().any(|spec| spec.cgroup().is_some()) {
            let _ = self.set_up_cgroups();
        }
        self.resources.cgroups.count_from_now();
    }

    fn set_up_cgroups(&mut self) -> Result<(), String> {
        let us = Pid(own_pid());
        // As PID 1 also what a container's runtime has put beside us.
        let is_ours = |pid| is_descendant(pid, us) || is_pid_1() && entered_namespace(pid);
        self.resources.cgroups.set_up(&self.config_file.to_string_lossy(), &is_ours)
    }

    /// The cgroup that a program is to be started in, with its limits; `None` if that is ours.
    pub(super) fn cgroup_to_enter(&mut self, process: ProcessId) -> Result<Option<Entrance>, NotSpawned> {
        let Some(spec) = self.core.spec(process) else { return Ok(None) };
        let Some(wanted) = spec.cgroup() else {
            self.resources.cgroups.forget(process);
            return Ok(None);
        };
        let full_name = Namespec::join(&spec.group, &spec.name);
        let is_tree_killed = spec.kill_tree;
        let prepared = self.prepare_cgroup(process, &full_name, (wanted, is_tree_killed));
        let (entrance, failures) = match prepared {
            Ok((entrance, failures)) => (Some(entrance), failures),
            Err(failure) => (None, vec![failure]),
        };
        let is_required = wanted.mode == CgroupMode::Required;
        if let Some(WithoutEffect { option, why, .. }) = failures.first().filter(|_| is_required) {
            self.resources.cgroups.leave(process);
            return Err(NotSpawned::from(format!("cannot apply {}: {why}", option.name())));
        }
        if entrance.is_none() {
            self.resources.cgroups.forget(process);
        }
        failures.iter().for_each(|failure| self.report_without_effect(process, failure));
        Ok(entrance.map(|file| Entrance { file, is_required }))
    }

    /// Logs that a program starts without a limit, once.
    fn report_without_effect(&mut self, process: ProcessId, failure: &WithoutEffect) {
        let Some(spec) = self.core.spec(process) else { return };
        let (name, cgroup) = (spec.name.clone(), spec.cgroup().unwrap_or_default());
        // kill_tree also works without a cgroup.
        if cgroup.limits().next().is_some() && self.resources.cgroups.is_news(failure) {
            self.log(LogLevel::Warn, &failure.warning(&name));
        }
    }

    /// Children have left notes, as they do when they have entered their cgroups.
    pub(super) fn look_at_entries(&mut self) {
        self.children.notes.receive();
        for it in std::mem::take(&mut self.resources.cgroups.entering) {
            if !self.take_entry(it.process, it.pid) {
                self.resources.cgroups.entering.push(it);
            }
        }
    }

    /// The process of a program was reaped: whether it has entered its cgroup is settled.
    fn settle_entry(&mut self, process: ProcessId) {
        let entering = &mut self.resources.cgroups.entering;
        if let Some(at) = entering.iter().position(|it| it.process == process) {
            let Entering { pid, .. } = entering.swap_remove(at);
            self.children.notes.receive();
            self.take_entry(process, pid);
        }
    }

    /// Takes the note of a child that has tried to enter its cgroup; false if there is none yet. If the child could not
    /// enter it, the process has none.
    fn take_entry(&mut self, process: ProcessId, pid: Pid) -> bool {
        match self.children.notes.take_entry(pid) {
            None => return false,
            Some(Ok(())) => {
                self.resources.cgroups.reported.remove(&(LimitOption::Cgroup, Some(process)));
                self.feed(Input::CgroupEntered { process, pid });
            }
            Some(Err(error)) => {
                self.resources.cgroups.forget(process);
                let why = format!("cannot enter it: {error}");
                let failure = WithoutEffect { option: LimitOption::Cgroup, why, process: Some(process) };
                self.report_without_effect(process, &failure);
            }
        }
        true
    }

    /// Makes the cgroup of a program and sets its limits. Returns those that could not be set.
    fn prepare_cgroup(
        &mut self,
        process: ProcessId,
        full_name: &str,
        (wanted, is_tree_killed): (CgroupSpec, bool),
    ) -> Result<(OwnedFd, Vec<WithoutEffect>), WithoutEffect> {
        let of_all = |why| WithoutEffect { option: LimitOption::Cgroup, why, process: None };
        self.set_up_cgroups().map_err(of_all)?;
        let cgroup = self.resources.cgroups.make(process, full_name)?;
        // Left by a predecessor of ours that has crashed.
        if is_tree_killed && cgroup.is_populated() {
            signal_cgroup(&cgroup, &[], Signal::KILL, None);
        }
        let entrance = cgroup.entrance().map_err(|error| WithoutEffect {
            process: Some(process),
            ..of_all(format!("cannot enter it: {error}"))
        })?;
        let failures = wanted
            .limits()
            .filter_map(|(option, value)| self.set_cgroup_limit(process, option, Some(value)).err())
            .collect();
        Ok((entrance, failures))
    }

    /// Sets a limit of a cgroup, by a child if the kernel has to reclaim memory for it.
    fn set_cgroup_limit(
        &mut self,
        process: ProcessId,
        option: LimitOption,
        value: Option<u64>,
    ) -> Result<(), WithoutEffect> {
        if self.resources.cgroups.supersede(process, option, value) {
            return Ok(());
        }
        let failed = |why| WithoutEffect { option, why, process: None };
        if let Some(controller) = Controller::of(option) {
            self.resources.cgroups.enable(controller).map_err(|why| {
                failed(format!("the cgroup controller '{}' is not available: {why}", controller.name()))
            })?;
        }
        let Some(cgroup) = self.resources.cgroups.of(process) else {
            return Err(failed("it does not run in a cgroup of its own".to_owned()));
        };
        if cgroup.is_reclaimed_by(option, value) {
            if self.resources.cgroups.writers.len() >= LIMIT_WRITERS_MAX {
                return Err(failed("too many limits are being applied".to_owned()));
            }
            let pid = cgroup.set_limit_by_child(option, value).map_err(|error| failed(error.to_string()))?;
            let name = self.core.spec(process).map_or_else(String::new, |spec| spec.name.to_string());
            self.resources.cgroups.writers.push(LimitWriter {
                pid,
                process: Some(process),
                name,
                option,
                next: None,
            });
            return Ok(());
        }
        cgroup.set_limit(option, value).map_err(|error| failed(error.to_string()))
    }

    /// Applies changed limits to the cgroup of a process that runs.
    pub(super) fn apply_cgroup_limits(&mut self, process: ProcessId, options: &[LimitOption]) {
        for option in options {
            let Some(spec) = self.core.spec(process) else { return };
            let name = spec.name.clone();
            let value = spec.limits.as_ref().and_then(|limits| limits.cgroup.limit(*option));
            if value.is_none() && self.resources.cgroups.of(process).is_none() {
                continue;
            }
            self.change_cgroup_limit(process, &name, *option, value);
        }
    }

    /// Sets a limit of the cgroup of a process that runs.
    fn change_cgroup_limit(
        &mut self,
        process: ProcessId,
        name: &str,
        option: LimitOption,
        value: Option<u64>,
    ) {
        if let Err(WithoutEffect { option, why, .. }) = self.set_cgroup_limit(process, option, value) {
            let option = option.name();
            let text = format!("cannot apply {option} to '{name}': {why}; its next start applies it");
            self.log(LogLevel::Warn, &text);
        }
    }

    /// A child was reaped. Returns whether it has set a limit.
    pub(super) fn limit_writer_ended(&mut self, pid: Pid, status: ExitStatus) -> bool {
        let writers = &mut self.resources.cgroups.writers;
        let Some(at) = writers.iter().position(|writer| writer.pid == pid) else { return false };
        let LimitWriter { process, name, option, next, .. } = writers.swap_remove(at);
        if let Some(value) = next {
            if let Some(process) = process.filter(|process| self.resources.cgroups.of(*process).is_some()) {
                self.change_cgroup_limit(process, &name, option, value);
            }
            return true;
        }
        let outcome = match status {
            ExitStatus::Exited(code) => file_outcome(code).map_err(|error| error.to_string()),
            other => Err(other.to_string()),
        };
        if let Err(why) = outcome {
            self.log(LogLevel::Warn, &format!("cannot apply {} to '{name}': {why}", option.name()));
        }
        true
    }

    /// The process of a program was reaped: removes its cgroup if that is empty. Returns whether the OOM killer has
    /// killed something of it, or, without a cgroup of its own, something of the container.
    pub(super) fn leave_cgroup(&mut self, process: ProcessId, status: ExitStatus) -> bool {
        self.settle_entry(process);
        let is_killed = matches!(status, ExitStatus::Signaled { signal: Signal::KILL, .. });
        let own = self.resources.cgroups.by_process.get(&process);
        let Some(kills) = own.and_then(|it| it.new_oom_kills()) else {
            self.resources.cgroups.leave(process);
            let is_by_others = is_killed && !self.core.is_killed_by_us(process);
            return is_by_others && self.resources.cgroups.container.explain(self.now.mono, &mut self.buffer);
        };
        self.resources.cgroups.container.pass_over(kills, self.now.mono, &mut self.buffer);
        if kills > 0 && !is_killed {
            let name = self.core.spec(process).map_or("", |spec| &spec.name);
            let text = format!("{name}: the OOM killer has killed {kills} of its processes");
            self.log(LogLevel::Warn, &text);
        }
        self.resources.cgroups.leave(process);
        kills > 0
    }
}

impl ProcessCgroup {
    /// What the OOM killer has killed in it since the start. `None` without a counter.
    fn new_oom_kills(&self) -> Option<u64> {
        Some(self.cgroup.oom_kills()?.saturating_sub(self.oom_kills))
    }
}

impl WithoutEffect {
    fn warning(&self, name: &str) -> String {
        let Self { option, why, process } = self;
        match option {
            LimitOption::Cgroup if process.is_some() => format!(
                "'{name}' runs without a cgroup of its own: {why}; its options of cgroups have no effect \
                 (cgroup=required makes that an error)"
            ),
            LimitOption::Cgroup => format!(
                "programs run without cgroups of their own: {why}; options of cgroups have no effect \
                 (cgroup=required makes that an error)"
            ),
            _ => format!("{} has no effect: {why} (cgroup=required makes that an error)", option.name()),
        }
    }
}
