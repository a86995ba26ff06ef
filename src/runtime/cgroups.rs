//! The cgroups of programs: made before a start, changed by an update, read at an end and removed when empty.
//!
//! Nothing is made before a program needs it. Where the kernel lets us make no cgroups, programs run without: that is
//! one warning, or a failed start with `cgroup=required`.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;

use super::Shell;
use super::trees::signal_cgroup;
use crate::model::{
    CgroupMode, CgroupSpec, ExitStatus, LimitOption, LogLevel, Namespec, Pid, ProcessId, Signal,
};
use crate::supervise::NotSpawned;
use crate::sys::cgroup::{Cgroup, Controller, Hierarchy, OomCounter};
use crate::sys::children::{entered_namespace, is_descendant};
use crate::sys::file_lookup::file_outcome;
use crate::sys::process::{is_pid_1, own_pid};

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
    /// The name of the process.
    name: String,
    option: LimitOption,
}

/// All cgroups that we have made.
#[derive(Debug, Default)]
pub(super) struct Cgroups {
    /// `None` until a program needs it; the error is for people.
    hierarchy: Option<Result<Hierarchy, String>>,
    /// Those that were asked for.
    controllers: BTreeMap<Controller, Result<(), String>>,
    /// Options that were reported as having no effect.
    reported: BTreeSet<LimitOption>,
    by_process: BTreeMap<ProcessId, ProcessCgroup>,
    /// Cgroups without their program, in which something was left.
    left: Vec<Cgroup>,
    writers: BTreeMap<Pid, LimitWriter>,
    container: OomCounter,
    container_oom_kills: u64,
}

/// Why an option has no effect.
struct WithoutEffect {
    option: LimitOption,
    why: String,
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
        self.container = OomCounter::of_our_cgroup();
        self.container_oom_kills = self.container.read().unwrap_or(0);
    }

    fn enable(&mut self, controller: Controller) -> Result<(), String> {
        let Some(Ok(hierarchy)) = &mut self.hierarchy else { return Err("there are no cgroups".to_owned()) };
        self.controllers.entry(controller).or_insert_with(|| hierarchy.enable(controller)).clone()
    }

    fn make(&mut self, process: ProcessId, full_name: &str) -> Result<Cgroup, WithoutEffect> {
        let failed = |why: String| WithoutEffect { option: LimitOption::Cgroup, why };
        let Some(Ok(hierarchy)) = &self.hierarchy else {
            return Err(failed("there are no cgroups".to_owned()));
        };
        let cgroup = hierarchy
            .program(full_name)
            .map_err(|error| failed(format!("cannot make a cgroup for '{full_name}': {error}")))?;
        self.left.retain(|left| *left != cgroup);
        let oom_kills = cgroup.oom_kills().unwrap_or(0);
        self.by_process.insert(process, ProcessCgroup { cgroup: cgroup.clone(), oom_kills });
        Ok(cgroup)
    }

    /// Whether an option is reported for the first time.
    fn is_news(&mut self, option: LimitOption) -> bool {
        self.reported.insert(option)
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

    /// Forgets the processes of the supervisor before a restart. What made cgroups impossible may be gone.
    pub(super) fn forget_processes(&mut self) {
        let processes: Vec<_> = self.by_process.keys().copied().collect();
        processes.into_iter().for_each(|process| self.forget(process));
        self.hierarchy.take_if(|hierarchy| hierarchy.is_err());
        self.controllers.retain(|_, outcome| outcome.is_ok());
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
        self.cgroups.count_from_now();
    }

    fn set_up_cgroups(&mut self) -> Result<(), String> {
        let us = Pid(own_pid());
        // As PID 1 also what a container's runtime has put beside us.
        let is_ours = |pid| is_descendant(pid, us) || is_pid_1() && entered_namespace(pid);
        self.cgroups.set_up(&self.config_file.to_string_lossy(), &is_ours)
    }

    /// The cgroup that a program is to be started in, with its limits; `None` if that is ours.
    pub(super) fn cgroup_to_enter(&mut self, process: ProcessId) -> Result<Option<OwnedFd>, NotSpawned> {
        let Some(spec) = self.core.spec(process) else { return Ok(None) };
        let Some(wanted) = spec.cgroup() else {
            self.cgroups.forget(process);
            return Ok(None);
        };
        let full_name = Namespec::join(&spec.group, &spec.name);
        let is_tree_killed = spec.kill_tree;
        let prepared = self.prepare_cgroup(process, &full_name, (wanted, is_tree_killed));
        let failures = match &prepared {
            Ok((_, failures)) => failures.as_slice(),
            Err(failure) => std::slice::from_ref(failure),
        };
        if let (CgroupMode::Required, Some(WithoutEffect { option, why })) = (wanted.mode, failures.first()) {
            self.cgroups.leave(process);
            return Err(NotSpawned::from(format!("cannot apply {}: {why}", option.name())));
        }
        if prepared.is_err() {
            self.cgroups.forget(process);
        }
        // kill_tree also works without a cgroup.
        let has_limits = wanted.limits().next().is_some();
        let news: Vec<String> = failures
            .iter()
            .filter(|_| has_limits)
            .filter(|failure| self.cgroups.is_news(failure.option))
            .map(WithoutEffect::warning)
            .collect();
        news.iter().for_each(|text| self.log(LogLevel::Warn, text));
        Ok(prepared.ok().map(|(entrance, _)| entrance))
    }

    /// Makes the cgroup of a program and sets its limits. Returns those that could not be set.
    fn prepare_cgroup(
        &mut self,
        process: ProcessId,
        full_name: &str,
        (wanted, is_tree_killed): (CgroupSpec, bool),
    ) -> Result<(OwnedFd, Vec<WithoutEffect>), WithoutEffect> {
        let failed = |why| WithoutEffect { option: LimitOption::Cgroup, why };
        self.set_up_cgroups().map_err(failed)?;
        let cgroup = self.cgroups.make(process, full_name)?;
        // Left by a predecessor of ours that has crashed.
        if is_tree_killed && cgroup.is_populated() {
            signal_cgroup(&cgroup, &[], Signal::KILL, None);
        }
        let entrance = cgroup.entrance().map_err(|error| failed(error.to_string()))?;
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
        let failed = |why| WithoutEffect { option, why };
        if let Some(controller) = Controller::of(option) {
            self.cgroups.enable(controller).map_err(|why| {
                failed(format!("the cgroup controller '{}' is not available: {why}", controller.name()))
            })?;
        }
        let Some(cgroup) = self.cgroups.of(process) else {
            return Err(failed("it does not run in a cgroup of its own".to_owned()));
        };
        if cgroup.is_reclaimed_by(option, value) {
            if self.cgroups.writers.len() >= LIMIT_WRITERS_MAX {
                return Err(failed("too many limits are being applied".to_owned()));
            }
            let writer =
                cgroup.set_limit_by_child(option, value).map_err(|error| failed(error.to_string()))?;
            let name = self.core.spec(process).map_or_else(String::new, |spec| spec.name.clone());
            self.cgroups.writers.insert(writer, LimitWriter { name, option });
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
            if value.is_none() && self.cgroups.of(process).is_none() {
                continue;
            }
            if let Err(WithoutEffect { option, why }) = self.set_cgroup_limit(process, *option, value) {
                let option = option.name();
                let text = format!("cannot apply {option} to '{name}': {why}; its next start applies it");
                self.log(LogLevel::Warn, &text);
            }
        }
    }

    /// A child was reaped. Returns whether it has set a limit.
    pub(super) fn limit_writer_ended(&mut self, pid: Pid, status: ExitStatus) -> bool {
        let Some(LimitWriter { name, option }) = self.cgroups.writers.remove(&pid) else { return false };
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
        let is_killed = matches!(status, ExitStatus::Signaled { signal: Signal::KILL, .. });
        let Some(own) = self.cgroups.by_process.get(&process) else {
            return is_killed && self.container_has_oom_kill();
        };
        let kills = own.cgroup.oom_kills().unwrap_or(0).saturating_sub(own.oom_kills);
        if kills > 0 && !is_killed {
            let name = self.core.spec(process).map_or("", |spec| &spec.name);
            let text = format!("{name}: the OOM killer has killed {kills} of its processes");
            self.log(LogLevel::Warn, &text);
        }
        self.cgroups.leave(process);
        kills > 0
    }

    /// Whether the OOM killer has killed something in our cgroup since the last call.
    fn container_has_oom_kill(&mut self) -> bool {
        let kills = self.cgroups.container.read().unwrap_or(0);
        let before = std::mem::replace(&mut self.cgroups.container_oom_kills, kills);
        kills > before
    }
}

impl WithoutEffect {
    fn warning(&self) -> String {
        let Self { option, why } = self;
        match option {
            LimitOption::Cgroup => format!(
                "programs run without cgroups of their own: {why}; options of cgroups have no effect \
                 (cgroup=required makes that an error)"
            ),
            _ => format!("{} has no effect: {why} (cgroup=required makes that an error)", option.name()),
        }
    }
}
