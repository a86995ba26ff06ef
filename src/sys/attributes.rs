//! What a child changes about itself between fork and exec: its directory, its user, its cgroup, limits, priorities, CPUs and
//! privileges. Some of these can be changed for a process that runs.
//!
//! The order of limits and privileges is that of privileges. What may need some comes first; then the bounding set is dropped, which
//! needs CAP_SETPCAP, and the user is switched; the sets of capabilities follow, and at last the promise to
//! gain no others. Nothing here allocates on the child's side.

use std::ffi::{CString, NulError};
use std::fs;
use std::io;
use std::iter;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use nix::errno::Errno;
use nix::libc;
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{
    Pid as RawPid, Resource, Rlimit, getpriority_process, getrlimit, prlimit, setpriority_process, setrlimit,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, CpuSet, capability_is_in_bounding_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set, sched_getaffinity,
    sched_setaffinity, set_capabilities, set_keep_capabilities, set_no_new_privs,
};

use super::groups::GroupTable;
use super::users;
use crate::model::{IoPriority, LimitOption, LimitsSpec, Pid, ResourceBounds, User};

/// The maximum number of threads that a change of a running process reaches.
const THREADS_MAX: usize = 16_384;

/// The attributes that a child changes before it executes its program. Unset ones are inherited.
#[derive(Debug, Default)]
pub struct Attributes {
    pub(super) directory: Option<CString>,
    pub(super) umask: Option<u32>,
    pub(super) user: Option<Arc<User>>,
    pub(super) limits: Option<Box<ChildLimits>>,
    /// The cgroup that the child moves to.
    pub(super) cgroup: Option<Entrance>,
}

/// How a child enters a cgroup.
#[derive(Debug)]
pub struct Entrance {
    /// The file that it writes to.
    pub file: OwnedFd,
    /// Whether it ends if it can't. Otherwise it leaves a note, see [`super::spawn_failures::ChildNotes::take_entry`].
    pub is_required: bool,
}

impl Attributes {
    /// # Errors
    /// If the path of the directory contains a NUL byte.
    pub fn new(
        directory: Option<&Path>,
        umask: Option<u32>,
        user: Option<Arc<User>>,
    ) -> Result<Self, NulError> {
        let directory = directory.map(|path| CString::new(path.as_os_str().as_bytes())).transpose()?;
        Ok(Self { directory, umask, user, limits: None, cgroup: None })
    }

    /// Adds limits, priorities and privileges.
    #[must_use]
    pub fn with_limits(self, limits: Option<&LimitsSpec>) -> Self {
        Self { limits: limits.map(|limits| Box::new(ChildLimits::new(limits.clone()))), ..self }
    }

    /// Adds the entrance of a cgroup.
    #[must_use]
    pub fn within(self, cgroup: Option<Entrance>) -> Self {
        Self { cgroup, ..self }
    }

    /// Whether the child may share our memory until exec, see [`super::clone`]. Moving to a cgroup may take some milliseconds.
    pub(super) fn allow_shared_memory(&self) -> bool {
        self.directory.is_none()
            && self.cgroup.is_none()
            && self.user.as_ref().is_none_or(|user| users::is_ours(user))
            && self.limits.as_ref().is_none_or(|limits| limits.allow_shared_memory())
    }
}

/// The option that could not be applied.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotApplied {
    pub(super) option: LimitOption,
    pub(super) errno: Errno,
}

fn not_applied(option: LimitOption) -> impl Fn(rustix::io::Errno) -> NotApplied {
    move |error| NotApplied { option, errno: Errno::from_raw(error.raw_os_error()) }
}

/// The attributes of a child, ready to be applied.
#[derive(Debug)]
pub(super) struct ChildLimits {
    spec: LimitsSpec,
    /// As written to the kernel's file.
    oom_score_adj: Option<String>,
    cpus: Option<CpuSet>,
}

impl ChildLimits {
    pub(super) fn new(spec: LimitsSpec) -> Self {
        let oom_score_adj = spec.oom_score_adj.map(|value| value.to_string());
        let cpus = (!spec.cpus.is_empty()).then(|| cpu_set(&spec.cpus));
        Self { spec, oom_score_adj, cpus }
    }

    /// Whether a child may apply them while it shares our memory. It may block us for as long as it does: with
    /// a low priority, or with CPUs that are busy. And a change of capabilities makes the kernel protect the
    /// memory of the child, which is ours, from debuggers and core dumps.
    pub(super) fn allow_shared_memory(&self) -> bool {
        self.spec.has_resources_only()
    }

    /// Applies what may need privileges that the user of the program lacks.
    pub(super) fn apply_before_user(&self) -> Result<(), NotApplied> {
        if let Some(text) = &self.oom_score_adj {
            write_oom_score_adj(text).map_err(not_applied(LimitOption::OomScoreAdj))?;
        }
        if let Some(nice) = self.spec.nice {
            setpriority_process(None, nice).map_err(not_applied(LimitOption::Nice))?;
        }
        if let Some(priority) = self.spec.io_priority {
            set_io_priority(0, number(priority)).map_err(not_applied(LimitOption::Ionice))?;
        }
        if let Some(cpus) = &self.cpus {
            sched_setaffinity(None, cpus).map_err(not_applied(LimitOption::CpuAffinity))?;
        }
        for (option, bounds) in &self.spec.resources {
            let Some(resource) = resource(*option) else { continue };
            setrlimit(resource, rlimit(*bounds)).map_err(not_applied(*option))?;
        }
        if let Some(kept) = self.spec.capabilities {
            limit_capabilities(kept.0).map_err(not_applied(LimitOption::Capabilities))?;
        }
        Ok(())
    }

    /// Applies what ends privileges.
    pub(super) fn apply_after_user(&self) -> Result<(), NotApplied> {
        if let Some(kept) = self.spec.capabilities {
            keep_capabilities(kept.0).map_err(not_applied(LimitOption::Capabilities))?;
        }
        if self.spec.no_new_privileges {
            set_no_new_privs(true).map_err(not_applied(LimitOption::NoNewPrivileges))?;
        }
        Ok(())
    }
}

const OOM_SCORE_ADJ: &str = "/proc/self/oom_score_adj";

/// Not std, which allocates for the path.
fn write_oom_score_adj(text: &str) -> rustix::io::Result<()> {
    let file = open(c"/proc/self/oom_score_adj", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, text.as_bytes()).map(drop)
}

/// Removes all others from the bounding set, and keeps what is permitted over a change of the user.
fn limit_capabilities(kept: u64) -> rustix::io::Result<()> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match capability_is_in_bounding_set(capability) {
            Ok(true) if kept & capability.bits() == 0 => remove_capability_from_bounding_set(capability)?,
            Ok(_) => {}
            // Beyond the last one of this kernel.
            Err(rustix::io::Errno::INVAL) if number > 0 => break,
            Err(error) => return Err(error),
        }
    }
    set_keep_capabilities(true)
}

/// As the bounding set. exec would take all from a program that is not root's without the ambient set.
fn keep_capabilities(kept: u64) -> rustix::io::Result<()> {
    let kept = CapabilitySet::from_bits_retain(kept);
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: kept })?;
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if kept.contains(capability) {
            configure_capability_in_ambient_set(capability, true)?;
        }
    }
    Ok(())
}

fn resource(option: LimitOption) -> Option<Resource> {
    Some(match option {
        LimitOption::RlimitAs => Resource::As,
        LimitOption::RlimitCore => Resource::Core,
        LimitOption::RlimitCpu => Resource::Cpu,
        LimitOption::RlimitData => Resource::Data,
        LimitOption::RlimitFsize => Resource::Fsize,
        LimitOption::RlimitLocks => Resource::Locks,
        LimitOption::RlimitMemlock => Resource::Memlock,
        LimitOption::RlimitMsgqueue => Resource::Msgqueue,
        LimitOption::RlimitNice => Resource::Nice,
        LimitOption::RlimitNofile => Resource::Nofile,
        LimitOption::RlimitNproc => Resource::Nproc,
        LimitOption::RlimitRss => Resource::Rss,
        LimitOption::RlimitRtprio => Resource::Rtprio,
        LimitOption::RlimitRttime => Resource::Rttime,
        LimitOption::RlimitSigpending => Resource::Sigpending,
        LimitOption::RlimitStack => Resource::Stack,
        LimitOption::Nice
        | LimitOption::Ionice
        | LimitOption::OomScoreAdj
        | LimitOption::CpuAffinity
        | LimitOption::NoNewPrivileges
        | LimitOption::Capabilities
        | LimitOption::Cgroup
        | LimitOption::CgroupMemoryMax
        | LimitOption::CgroupMemoryHigh
        | LimitOption::CgroupCpuMax
        | LimitOption::CgroupPidsMax => return None,
    })
}

fn rlimit(ResourceBounds { soft, hard }: ResourceBounds) -> Rlimit {
    Rlimit { current: soft, maximum: hard }
}

fn cpu_set(cpus: &[u16]) -> CpuSet {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|cpu| set.set(usize::from(*cpu)));
    set
}

/// As ioprio_set(2) takes it.
fn number(priority: IoPriority) -> i32 {
    const CLASS_SHIFT: i32 = 13;
    let (class, data) = match priority {
        IoPriority::Realtime(data) => (1, data),
        IoPriority::BestEffort(data) => (2, data),
        IoPriority::Idle => (3, 0),
    };
    class << CLASS_SHIFT | i32::from(data)
}

const IOPRIO_WHO_PROCESS: i32 = 1;

/// 0 is the calling thread.
fn set_io_priority(thread: i32, priority: i32) -> rustix::io::Result<()> {
    // SAFETY: ioprio_set(2) takes three integers and touches no memory of ours.
    #[expect(unsafe_code, reason = "ioprio_set(2) has no wrapper")]
    let result = unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, thread, priority) };
    if result == 0 { Ok(()) } else { Err(rustix::io::Errno::from_raw_os_error(Errno::last_raw())) }
}

fn own_io_priority() -> rustix::io::Result<i32> {
    // SAFETY: ioprio_get(2) takes two integers and touches no memory of ours.
    #[expect(unsafe_code, reason = "ioprio_get(2) has no wrapper")]
    let result = unsafe { libc::syscall(libc::SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0) };
    i32::try_from(result)
        .ok()
        .filter(|priority| *priority >= 0)
        .ok_or_else(|| rustix::io::Errno::from_raw_os_error(Errno::last_raw()))
}

/// Changes these attributes of a process that runs, of all processes in the group that it leads, and of their threads.
/// `groups` is `None` if the members are not known. An option that is not set takes the value that a child inherits from
/// us. Returns what failed, each option once.
#[must_use]
pub fn apply_in_place(
    leader: Pid,
    groups: Option<&GroupTable>,
    limits: Option<&LimitsSpec>,
    options: &[LimitOption],
) -> Vec<(LimitOption, io::Error)> {
    let group = groups.map_or(&[][..], |groups| groups.members(leader));
    let others = group.iter().filter(|pid| **pid != leader);
    let processes: Vec<i32> = iter::once(&leader).chain(others).map(|pid| pid.0).collect();
    let threads: Vec<i32> = processes.iter().flat_map(|pid| threads_of(*pid)).take(THREADS_MAX).collect();
    let unset = LimitsSpec::default();
    let change = Change { processes, threads, limits: limits.unwrap_or(&unset) };
    options.iter().filter_map(|option| Some((*option, change.apply(*option).err()?))).collect()
}

struct Change<'l> {
    processes: Vec<i32>,
    threads: Vec<i32>,
    limits: &'l LimitsSpec,
}

impl Change<'_> {
    fn apply(&self, option: LimitOption) -> io::Result<()> {
        let limits = self.limits;
        match option {
            LimitOption::Nice => {
                let nice = limits.nice.map_or_else(|| getpriority_process(None), Ok)?;
                for_each(&self.threads, |thread| setpriority_process(RawPid::from_raw(thread), nice))
            }
            LimitOption::Ionice => {
                let priority = limits.io_priority.map_or_else(own_io_priority, |own| Ok(number(own)))?;
                for_each(&self.threads, |thread| set_io_priority(thread, priority))
            }
            LimitOption::CpuAffinity if limits.cpus.is_empty() => self.set_cpus(&sched_getaffinity(None)?),
            LimitOption::CpuAffinity => self.set_cpus(&cpu_set(&limits.cpus)),
            LimitOption::OomScoreAdj => {
                // It fails without /proc, and not if the process has ended.
                let own = fs::read_to_string(OOM_SCORE_ADJ)?;
                let text = limits.oom_score_adj.map_or(own, |value| value.to_string());
                for_each(&self.processes, |pid| fs::write(format!("/proc/{pid}/oom_score_adj"), &text))
            }
            LimitOption::NoNewPrivileges | LimitOption::Capabilities => Ok(()),
            _ => {
                let Some(resource) = resource(option) else { return Ok(()) };
                let new = limits.resource(option).map_or_else(|| getrlimit(resource), rlimit);
                for_each(&self.processes, |pid| prlimit(RawPid::from_raw(pid), resource, new).map(drop))
            }
        }
    }

    fn set_cpus(&self, cpus: &CpuSet) -> io::Result<()> {
        for_each(&self.threads, |thread| sched_setaffinity(RawPid::from_raw(thread), cpus))
    }
}

/// Goes on after an error, and returns the first. What has ended meanwhile is passed over.
fn for_each<'i, E: Into<io::Error>>(
    ids: impl IntoIterator<Item = &'i i32>,
    change: impl Fn(i32) -> Result<(), E>,
) -> io::Result<()> {
    let mut first = Ok(());
    for id in ids {
        match change(*id).map_err(Into::into) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT)) => {}
            outcome => first = first.and(outcome),
        }
    }
    first
}

/// The threads of a process; itself, without /proc.
fn threads_of(pid: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let threads: Vec<_> = threads.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    if threads.is_empty() { vec![pid] } else { threads }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_that_runs_is_changed_and_reset() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let pid = Pid(i32::try_from(child.id()).unwrap());
        let bounds = ResourceBounds { soft: Some(11), hard: Some(12) };
        let limits = LimitsSpec {
            nice: Some(7),
            resources: vec![(LimitOption::RlimitNofile, bounds)],
            ..LimitsSpec::default()
        };
        let options = [LimitOption::Nice, LimitOption::RlimitNofile];
        let groups = GroupTable::read();
        assert!(apply_in_place(pid, groups.as_ref(), Some(&limits), &options).is_empty());
        assert_eq!(getpriority_process(RawPid::from_raw(pid.0)), Ok(7));
        let found = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let line = found.lines().find(|line| line.starts_with("Max open files")).unwrap();
        assert_eq!(line.split_whitespace().collect::<Vec<_>>()[3..5], ["11", "12"]);
        // A user may not lower it, which is the only thing that can fail here.
        let failed = apply_in_place(pid, None, None, &[LimitOption::Nice]);
        let nice = getpriority_process(RawPid::from_raw(pid.0)).unwrap();
        assert_eq!(failed.is_empty(), nice == getpriority_process(None).unwrap(), "{failed:?}");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(
            apply_in_place(pid, None, Some(&limits), &options).is_empty(),
            "what has ended is not an error"
        );
    }
}
