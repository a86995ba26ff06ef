//! Holds back signals for a while and reports them through a descriptor: Ctrl-C becomes something to read
//! instead of something that kills.
//!
//! No handler is installed and no disposition changes. A signal that was not taken when the hold ends then
//! has its normal effect, so a program that only has to clean up first releases the hold and terminates
//! normally.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{self, SigSet};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::model::Signal;

/// Holds back the signals while it lives. For programs with one thread.
#[derive(Debug)]
pub struct HeldInterrupts {
    arrivals: SignalFd,
    before: SigSet,
}

impl HeldInterrupts {
    /// Holds back these signals.
    ///
    /// # Errors
    /// The error of signalfd(2), or EINVAL for an invalid signal.
    pub fn back(signals: &[Signal]) -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in signals {
            set.add(signal::Signal::try_from(signal.0)?);
        }
        let arrivals = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let before = set.thread_swap_mask(signal::SigmaskHow::SIG_BLOCK)?;
        Ok(Self { arrivals, before })
    }

    /// Takes a pending signal, if any: it has no other effect then.
    #[must_use]
    pub fn take(&self) -> bool {
        matches!(self.arrivals.read_signal(), Ok(Some(_)))
    }
}

impl AsFd for HeldInterrupts {
    /// Readable while a signal is pending.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.arrivals.as_fd()
    }
}

impl Drop for HeldInterrupts {
    fn drop(&mut self) {
        // The mask was valid before, so this can't fail.
        let _ = self.before.thread_set_mask();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_taken_instead_of_having_its_effect() {
        let held = HeldInterrupts::back(&[Signal::USR1]).unwrap();
        assert!(!held.take());
        // To this thread only: the other threads of the test harness don't hold it back.
        signal::raise(signal::Signal::SIGUSR1).unwrap();
        assert!(held.take());
        assert!(!held.take());
    }

    #[test]
    fn invalid_signals_can_not_be_held_back() {
        assert!(HeldInterrupts::back(&[Signal(0)]).is_err());
    }
}
