//! Processes from outside: reaping them, signalling them, adopting orphans.

use std::io;

use nix::errno::Errno;
use nix::libc;
use rustix::process::{
    Pid as RawPid, WaitId, WaitIdOptions, WaitOptions, WaitStatus, getppid, wait, waitid, waitpid,
};

use crate::model::{ExitStatus, Pid, Signal};

/// The result of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaped {
    /// A child that has exited: our own, or an adopted orphan.
    Child(Pid, ExitStatus),
    /// There are children, but none has exited.
    NoneEnded,
    /// There are no children.
    NoChildren,
}

/// Reaps one exited child, if there is one; never blocks.
#[must_use]
pub fn reap() -> Reaped {
    loop {
        // nix's own wrapper loses the status of a child killed by a real-time signal.
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => return Reaped::Child(Pid(pid.as_raw_nonzero().get()), decode(status)),
            Ok(None) => return Reaped::NoneEnded,
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::CHILD) => return Reaped::NoChildren,
            // A sandbox without wait4(2).
            Err(_) => return reap_by_waitid().unwrap_or(Reaped::NoChildren),
        }
    }
}

/// Reaps this child if it has exited; never blocks. [`reap`] makes the kernel look at one child after the other until one
/// has exited.
#[must_use]
pub fn reap_child(pid: Pid) -> Option<ExitStatus> {
    loop {
        match waitpid(Some(RawPid::from_raw(pid.0)?), WaitOptions::NOHANG) {
            Ok(ended) => return ended.map(|(_, status)| decode(status)),
            Err(rustix::io::Errno::INTR) => {}
            // Not our child, or a sandbox without wait4(2), where `reap` finds it.
            Err(_) => return None,
        }
    }
}

/// The same as [`reap`] by waitid(2).
fn reap_by_waitid() -> io::Result<Reaped> {
    let (pid, code, status) = waitid_any()?;
    if pid == 0 {
        return Ok(Reaped::NoneEnded);
    }
    let status = match code {
        libc::CLD_EXITED => ExitStatus::Exited(u8::try_from(status & 0xff).unwrap_or(u8::MAX)),
        libc::CLD_KILLED | libc::CLD_DUMPED => {
            ExitStatus::Signaled { signal: Signal(status), core_dumped: code == libc::CLD_DUMPED }
        }
        _ => ExitStatus::Unknown(status),
    };
    Ok(Reaped::Child(Pid(pid), status))
}

/// Pid, kind of exit, and status or signal; the pid is 0 if none has exited.
fn waitid_any() -> io::Result<(i32, i32, i32)> {
    // SAFETY: siginfo_t is plain data, for which zeroes are valid. The kernel fills it in for a child that has
    // ended, and the fields that are read are those of SIGCHLD.
    #[expect(unsafe_code, reason = "rustix reports no pid, nix no real-time signals")]
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        if libc::waitid(libc::P_ALL, 0, &raw mut info, libc::WEXITED | libc::WNOHANG) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((info.si_pid(), info.si_code, info.si_status()))
    }
}

/// Checks that children can be reaped at all.
///
/// # Errors
/// The errors of wait4(2) and waitid(2), if a sandbox rejects both.
pub fn ensure_reaping() -> io::Result<()> {
    // A process is never its own child, so nothing is reaped.
    let refused = |error| matches!(error, Err(errno) if errno != rustix::io::Errno::CHILD);
    let by_wait4 = waitpid(Some(rustix::process::getpid()), WaitOptions::NOHANG).map(drop);
    let by_waitid =
        waitid(WaitId::Pid(rustix::process::getpid()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    match by_waitid.map(drop) {
        by_waitid if refused(by_wait4) && refused(by_waitid) => {
            Err(by_waitid.err().map_or_else(|| io::ErrorKind::PermissionDenied.into(), io::Error::from))
        }
        _ => Ok(()),
    }
}

/// Whether a child of ours was stopped since the last call.
#[must_use]
pub fn was_stopped(child: Pid) -> bool {
    let Some(pid) = RawPid::from_raw(child.0) else { return false };
    waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | WaitIdOptions::NOHANG)
        .is_ok_and(|status| status.is_some_and(|status| status.stopped()))
}

fn decode(status: WaitStatus) -> ExitStatus {
    const CORE_DUMPED: i32 = 0x80;
    if let Some(code) = status.exit_status() {
        return ExitStatus::Exited(u8::try_from(code & 0xff).unwrap_or(u8::MAX));
    }
    match status.terminating_signal() {
        Some(number) => {
            ExitStatus::Signaled { signal: Signal(number), core_dumped: status.as_raw() & CORE_DUMPED != 0 }
        }
        None => ExitStatus::Unknown(status.as_raw()),
    }
}

/// Sends a signal to a process, or to the process group that it leads.
///
/// # Errors
/// The error of kill(2): ESRCH, EPERM, EINVAL.
pub fn send_signal(pid: Pid, signal: Signal, group: bool) -> io::Result<()> {
    let target = if group { -pid.0 } else { pid.0 };
    // SAFETY: kill(2) takes two integers and touches no memory of ours.
    #[expect(unsafe_code, reason = "nix and rustix have no real-time signals")]
    let result = unsafe { nix::libc::kill(target, signal.0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sends a signal to our own process group, including ourselves.
pub fn signal_own_group(signal: Signal) {
    // SAFETY: kill(2) takes two integers and touches no memory of ours.
    #[expect(unsafe_code, reason = "as in send_signal")]
    let _ = unsafe { nix::libc::kill(0, signal.0) };
}

/// Stops only ourselves; returns when we are continued. PID 1 does not stop.
pub fn suspend() {
    let _ = send_signal(Pid(own_pid()), Signal::STOP, false);
}

/// Sends a signal to every process except ourselves. Only for a PID 1 that is exiting.
pub fn signal_everybody(signal: Signal) {
    // SAFETY: kill(2) takes two integers and touches no memory of ours.
    #[expect(unsafe_code, reason = "rustix has no kill of all")]
    let _ = unsafe { nix::libc::kill(-1, signal.0) };
}

/// Whether we are the init of our pid namespace.
#[must_use]
pub fn is_pid_1() -> bool {
    rustix::process::getpid() == RawPid::INIT
}

/// Our own pid.
#[must_use]
pub fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// Makes orphaned descendants our children rather than those of an init further up.
///
/// # Errors
/// The error of prctl(2); sandboxes may deny it.
pub fn become_subreaper() -> io::Result<()> {
    // SAFETY: PR_SET_CHILD_SUBREAPER takes one integer and touches no memory of ours.
    #[expect(unsafe_code, reason = "rustix asks for a pid here, which is not what the kernel takes")]
    let result = unsafe { nix::libc::prctl(nix::libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes the kernel send us a signal when our parent dies.
///
/// # Errors
/// The error of prctl(2); ESRCH if the parent has exited in the meantime, so that no signal will arrive.
pub fn ask_for_parent_death(signal: Signal) -> io::Result<()> {
    let parent = getppid();
    // SAFETY: PR_SET_PDEATHSIG takes one integer and touches no memory of ours.
    #[expect(unsafe_code, reason = "rustix has no real-time signals")]
    let result = unsafe { nix::libc::prctl(nix::libc::PR_SET_PDEATHSIG, signal.0, 0, 0, 0) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    if getppid() == parent { Ok(()) } else { Err(Errno::ESRCH.into()) }
}

/// The two processes after daemonizing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The original process; it may exit.
    Starter,
    /// The daemon, in a session of its own, without a terminal.
    Daemon,
}

/// Forks once; the daemon leads a new session and has `/dev/null` for its standard descriptors.
///
/// # Errors
/// The errors of fork(2), setsid(2) and of opening `/dev/null`.
pub fn daemonize() -> io::Result<Side> {
    // SAFETY: the process has one thread, so the child may run any code.
    #[expect(unsafe_code, reason = "fork is unsafe where there are threads")]
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Parent { .. } => Ok(Side::Starter),
        nix::unistd::ForkResult::Child => {
            super::files::detach_standard_descriptors()?;
            nix::unistd::setsid()?;
            Ok(Side::Daemon)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signalling_a_missing_process_is_esrch() {
        let error = send_signal(Pid(i32::MAX), Signal(0), false).unwrap_err();
        assert_eq!(crate::sys::errno_name(&error), "ESRCH");
    }
}
