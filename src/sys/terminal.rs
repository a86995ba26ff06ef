//! The controlling terminal, as standard input: who is in its foreground.

use std::io;

use nix::libc;
use rustix::process::{Pid as RawPid, getpgrp, getpid, getsid};
use rustix::termios::{tcgetpgrp, tcsetpgrp};

use crate::model::Pid;

/// The process group in the foreground of our controlling terminal; `None` if standard input is none.
#[must_use]
pub fn foreground() -> Option<Pid> {
    tcgetpgrp(io::stdin()).ok().map(|group| Pid(group.as_raw_nonzero().get()))
}

/// Whether we are in the foreground. Whoever is not has no right to the terminal and none to give away.
#[must_use]
pub fn is_in_foreground() -> bool {
    foreground() == Some(Pid(getpgrp().as_raw_nonzero().get()))
}

/// Whether our session, and with it its terminal, is our own.
#[must_use]
pub fn is_session_leader() -> bool {
    getsid(None).is_ok_and(|session| session == getpid())
}

/// Puts a process group into the foreground. From the background it needs SIGTTOU blocked: tcsetpgrp(3).
///
/// # Errors
/// ENOTTY, EPERM for a group of another session, ESRCH for one that is gone.
pub fn put_into_foreground(group: Pid) -> io::Result<()> {
    let group = RawPid::from_raw(group.0).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(tcsetpgrp(io::stdin(), group)?)
}

/// Takes the terminal back for our own process group.
///
/// # Errors
/// As [`put_into_foreground`].
pub fn take_back() -> io::Result<()> {
    Ok(tcsetpgrp(io::stdin(), getpgrp())?)
}

/// Gives the controlling terminal up. A session's leader takes it from all its session with that, and its
/// foreground is sent SIGHUP and SIGCONT: ioctl_tty(2).
///
/// # Errors
/// ENOTTY where standard input is no controlling terminal of ours.
pub fn give_up() -> io::Result<()> {
    // SAFETY: TIOCNOTTY takes no argument, and descriptor 0 need not be open.
    #[expect(unsafe_code, reason = "rustix has no TIOCNOTTY")]
    let result = unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCNOTTY) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
