//! Process groups from outside: whether they have members, which, and signals to all of them.
//!
//! The kernel does not reuse the number of a group while it has members, including zombies. Once the group is
//! empty the number may be used for another process, and a signal sent by number could hit an unrelated one.
//! A pidfd of the leader keeps identifying the group that it led, even after the leader was reaped.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use rustix::process::{Pid as RawPid, PidfdFlags, pidfd_open};

use super::kept::kept;
use super::proc_stat::ProcStat;
use super::process::{own_pid, send_signal};
use crate::model::{Pid, Signal};

/// The maximum number of processes that a search examines. On a machine with more, the members of a group
/// stay unknown.
const SEARCHED_MAX: usize = 65_536;

/// `PIDFD_SIGNAL_PROCESS_GROUP`, since Linux 6.9.
const TO_THE_GROUP: libc::c_uint = 1 << 2;

/// The null signal: only checks for existence.
const NULL: Signal = Signal(0);

/// A handle for the process group that a child leads.
#[derive(Debug)]
pub struct LeaderFd(OwnedFd);

impl LeaderFd {
    /// Opens a handle for the group of this child, which was not reaped yet. `None` if the kernel has no
    /// pidfds, or if no descriptor is available.
    #[must_use]
    pub fn open(leader: Pid) -> Option<Self> {
        pidfd_open(RawPid::from_raw(leader.0)?, PidfdFlags::empty()).ok().map(kept).map(Self)
    }
}

/// The process group of a leader that was reaped.
#[derive(Clone, Copy, Debug)]
pub struct ProcessGroup<'fd> {
    leader: Pid,
    pidfd: Option<BorrowedFd<'fd>>,
}

impl<'fd> ProcessGroup<'fd> {
    /// Identified by its number, and by a handle if there is one.
    #[must_use]
    pub fn of(leader: Pid, handle: Option<&'fd LeaderFd>) -> Self {
        Self { leader, pidfd: handle.map(|LeaderFd(pidfd)| pidfd.as_fd()) }
    }

    /// Sends a signal to the members.
    ///
    /// # Errors
    /// ESRCH if there are none, EPERM.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        if let Some(pidfd) = self.pidfd {
            match signal_by_pidfd(pidfd, signal, TO_THE_GROUP) {
                // A kernel without the flag, or a sandbox without the call.
                Err(error) if is_unsupported(&error) => {}
                outcome => return outcome,
            }
        }
        // While a group has members, no process or thread has its number. A process with that number got it
        // later.
        match send_signal(self.leader, NULL, false) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => send_signal(self.leader, signal, true),
            Ok(()) | Err(_) => Err(io::Error::from_raw_os_error(libc::ESRCH)),
        }
    }

    /// Whether the group is empty. Zombies count as members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.signal(NULL).is_err_and(|error| error.raw_os_error() == Some(libc::ESRCH))
    }
}

/// A handle for a process, which need not be our child.
#[derive(Debug)]
pub struct ProcessFd(OwnedFd);

impl ProcessFd {
    /// For the process that has this pid now. `None` if there is none, the kernel has no pidfds, or there is no
    /// descriptor available.
    #[must_use]
    pub fn open(pid: Pid) -> Option<Self> {
        pidfd_open(RawPid::from_raw(pid.0)?, PidfdFlags::empty()).ok().map(Self)
    }

    /// Readable once the process has ended.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// ESRCH if it was reaped, EPERM.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        signal_by_pidfd(self.0.as_fd(), signal, 0)
    }
}

fn signal_by_pidfd(pidfd: BorrowedFd<'_>, signal: Signal, flags: libc::c_uint) -> io::Result<()> {
    let no_info: *const libc::siginfo_t = std::ptr::null();
    // SAFETY: pidfd_send_signal(2) takes a descriptor that lives as long as the call, and a null pointer for
    // the information that goes with the signal.
    #[expect(unsafe_code, reason = "rustix has no flags here, nor real-time signals")]
    let result =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal.0, no_info, flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::EPERM))
}

/// Why processes cannot be looked up in /proc, if so.
#[must_use]
pub fn proc_obstacle() -> Option<String> {
    match fs::read_link("/proc/self") {
        Err(error) => Some(format!("cannot read '/proc/self': {error}")),
        Ok(own) if own.to_str().and_then(|own| own.parse().ok()) == Some(own_pid()) => None,
        Ok(_) => Some("/proc shows another pid namespace".to_owned()),
    }
}

/// All processes, zombies included, as /proc lists them. `None` without /proc, if it shows another pid namespace, or if there
/// are more than `SEARCHED_MAX`.
pub(super) fn all_pids() -> Option<Vec<Pid>> {
    if proc_obstacle().is_some() {
        return None;
    }
    let names = fs::read_dir("/proc").ok()?.flatten();
    let pids = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid));
    let pids: Vec<_> = pids.take(SEARCHED_MAX + 1).collect();
    (pids.len() <= SEARCHED_MAX).then_some(pids)
}

/// The processes in these groups that are not zombies, each with its group's number. `None` if they can't be
/// determined: as with [`all_pids`].
#[must_use]
pub fn members_of(groups: &[Pid]) -> Option<Vec<(Pid, Pid)>> {
    let members = all_pids()?.into_iter().filter_map(|pid| {
        let group = group_of(pid).ok().filter(|group| groups.contains(group))?;
        (!has_exited(pid)).then_some((group, pid))
    });
    Some(members.collect())
}

/// All processes by their groups, zombies included.
#[derive(Debug)]
pub struct GroupTable(HashMap<Pid, Vec<Pid>>);

impl GroupTable {
    /// Those of this moment; `None` as with [`members_of`].
    #[must_use]
    pub fn read() -> Option<Self> {
        let mut groups: HashMap<Pid, Vec<Pid>> = HashMap::new();
        for pid in all_pids()? {
            if let Ok(group) = group_of(pid) {
                groups.entry(group).or_default().push(pid);
            }
        }
        Some(Self(groups))
    }

    /// The members of a group.
    #[must_use]
    pub fn members(&self, group: Pid) -> &[Pid] {
        self.0.get(&group).map_or(&[], Vec::as_slice)
    }
}

/// Does not use rustix, which rejects 0 as a result. 0 is returned for a process whose group leader is
/// outside of our pid namespace.
pub(super) fn group_of(pid: Pid) -> Result<Pid, Errno> {
    nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(pid.0))).map(|group| Pid(group.as_raw()))
}

/// Whether the process has exited, reaped or not.
fn has_exited(pid: Pid) -> bool {
    match ProcStat::read(pid) {
        Ok(stat) => stat.is_zombie(),
        Err(error) => matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)),
    }
}

/// Sends a signal to the group that a child leads, which was not reaped yet, and to the child itself if it
/// has left that group.
///
/// # Errors
/// The error of kill(2): ESRCH if nothing was signalled, EPERM.
pub fn signal_with_leader(leader: Pid, signal: Signal) -> io::Result<()> {
    let sent = send_signal(leader, signal, true);
    match group_of(leader) {
        Ok(group) if group != leader => send_signal(leader, signal, false),
        Ok(_) | Err(_) => sent,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn members_are_found_until_they_exit_and_numbers_are_not_mixed_up() {
        let mut leader = Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
        let number = Pid(i32::try_from(leader.id()).unwrap());
        let mut member = Command::new("sleep").arg("1000").process_group(number.0).spawn().unwrap();
        let pid = Pid(i32::try_from(member.id()).unwrap());
        let handle = LeaderFd::open(number);
        let groups = [ProcessGroup::of(number, handle.as_ref()), ProcessGroup::of(number, None)];
        // The leader is alive, so the number alone could refer to any process.
        assert!(groups[1].is_empty());
        leader.kill().unwrap();
        leader.wait().unwrap();
        for group in &groups {
            assert!(!group.is_empty(), "{group:?}");
        }
        assert_eq!(members_of(&[number]), Some(vec![(number, pid)]));
        groups[0].signal(Signal::KILL).unwrap();
        // A zombie until it is waited for, which counts as a member for the kernel alone.
        while members_of(&[number]) != Some(Vec::new()) {
            std::thread::yield_now();
        }
        assert!(!groups[0].is_empty());
        member.wait().unwrap();
        for group in &groups {
            assert!(group.is_empty(), "{group:?}");
            assert_eq!(group.signal(Signal::KILL).unwrap_err().raw_os_error(), Some(libc::ESRCH));
        }
    }
}
