//! Signals by direct system calls. A libc reserves some signals for itself (32 and 33, musl 34 too) and
//! rejects or omits them; but they can be sent like all others, and 34 is what `docker stop` takes for
//! SIGRTMIN.
//!
//! A set is one bit for each signal, from 1 on.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

use nix::libc;

use crate::model::Signal;

/// The kernel's signal set: one bit for each of 64 signals.
pub(super) const SET_BYTES: usize = size_of::<u64>();

/// The set of all signals.
pub(super) const ALL: u64 = u64::MAX;

/// As large as the kernel's struct on any architecture. The handler comes first; the rest is zero: no flags, no mask.
type KernelSigaction = [usize; 8];

/// The bit of a signal; zero for an invalid one.
pub(super) fn bit(signal: Signal) -> u64 {
    u32::try_from(signal.0 - 1).ok().and_then(|shift| 1_u64.checked_shl(shift)).unwrap_or(0)
}

/// Sets a signal to its default disposition.
pub(super) fn default(number: i32) {
    dispose(number, libc::SIG_DFL);
}

/// Ignores a signal. If it is blocked it is still kept, until it is read or unblocked.
pub(super) fn ignore(number: i32) {
    dispose(number, libc::SIG_IGN);
}

/// It fails for invalid signals, and for KILL and STOP, which can't be changed.
fn dispose(number: i32, effect: usize) {
    let mut action: KernelSigaction = [0; 8];
    action[0] = effect;
    // SAFETY: rt_sigaction(2) reads the action and writes nothing. No handler is installed, so no code runs
    // in signal context.
    #[expect(unsafe_code, reason = "past the libc")]
    unsafe {
        libc::syscall(libc::SYS_rt_sigaction, number, action.as_ptr(), 0, SET_BYTES)
    };
}

/// Blocks these signals and unblocks all others; returns the set that was blocked before.
///
/// # Errors
/// The error of rt_sigprocmask(2).
pub(super) fn block(blocked: u64) -> io::Result<u64> {
    let mut before = 0_u64;
    // SAFETY: reads one signal set of the given size, and writes another.
    #[expect(unsafe_code, reason = "past the libc")]
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            ptr::from_ref(&blocked),
            ptr::from_mut(&mut before),
            SET_BYTES,
        )
    };
    if result == 0 { Ok(before) } else { Err(io::Error::last_os_error()) }
}

/// A nonblocking signalfd without any signals yet.
///
/// # Errors
/// The error of signalfd(2).
pub(super) fn descriptor() -> io::Result<OwnedFd> {
    const NEW: i32 = -1;
    let number = i32::try_from(signalfd(NEW, 0)?).map_err(io::Error::other)?;
    // SAFETY: it was just made and has no other owner.
    #[expect(unsafe_code, reason = "signalfd(2) gives a number")]
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Makes these signals readable from the descriptor, if they are blocked.
///
/// # Errors
/// The error of signalfd(2).
pub(super) fn read_from(descriptor: &OwnedFd, set: u64) -> io::Result<()> {
    signalfd(std::os::fd::AsRawFd::as_raw_fd(descriptor), set).map(drop)
}

fn signalfd(number: i32, set: u64) -> io::Result<libc::c_long> {
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: reads one signal set of the given size, and writes nothing.
    #[expect(unsafe_code, reason = "past the libc")]
    let result = unsafe { libc::syscall(libc::SYS_signalfd4, number, ptr::from_ref(&set), SET_BYTES, flags) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_has_its_bit() {
        for (number, set) in [(1, 1), (9, 0x100), (64, 1 << 63), (0, 0), (65, 0)] {
            assert_eq!(bit(Signal(number)), set, "{number}");
        }
    }
}
