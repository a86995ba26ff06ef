//! The controlling terminal on standard input, and its foreground process group.

use std::io;

use nix::libc;
use rustix::process::{Pid as RawPid, getpgrp, getpid, getsid};
use rustix::termios::{tcgetpgrp, tcsetpgrp};

use crate::model::Pid;

/// The foreground process group of our controlling terminal; `None` if standard input is not that terminal.
#[must_use]
pub fn foreground() -> Option<Pid> {
    tcgetpgrp(io::stdin()).ok().map(|group| Pid(group.as_raw_nonzero().get()))
}

/// Whether we are in the foreground. A background process must not use the terminal or pass it on.
#[must_use]
pub fn is_in_foreground() -> bool {
    foreground() == Some(Pid(getpgrp().as_raw_nonzero().get()))
}

/// Whether we lead our session, and thus control its terminal.
#[must_use]
pub fn is_session_leader() -> bool {
    getsid(None).is_ok_and(|session| session == getpid())
}

/// Makes a process group the foreground group. From the background SIGTTOU must be blocked: tcsetpgrp(3).
///
/// # Errors
/// ENOTTY, EPERM for a group of another session, ESRCH if it does not exist.
pub fn put_into_foreground(group: Pid) -> io::Result<()> {
    let group = RawPid::from_raw(group.0).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(tcsetpgrp(io::stdin(), group)?)
}

/// Makes our own process group the foreground group.
///
/// # Errors
/// As [`put_into_foreground`].
pub fn take_back() -> io::Result<()> {
    Ok(tcsetpgrp(io::stdin(), getpgrp())?)
}

/// Releases the controlling terminal. If we lead the session, the whole session loses it, and the foreground
/// group gets SIGHUP and SIGCONT: ioctl_tty(2).
///
/// # Errors
/// ENOTTY if standard input is not our controlling terminal.
pub fn give_up() -> io::Result<()> {
    // SAFETY: TIOCNOTTY takes no argument, and descriptor 0 need not be open.
    #[expect(unsafe_code, reason = "rustix has no TIOCNOTTY")]
    let result = unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCNOTTY) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
