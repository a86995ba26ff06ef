//! Signals held back for a while and told through a descriptor: Ctrl-C as something to read instead
//! of something that kills.
//!
//! Nothing is handled and no disposition changes. A signal that was not taken when the hold ends
//! does then what it would have done at once, so whoever only has to tidy up first lets go and is
//! ended as by rights.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{self, SigSet};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::model::Signal;

/// As long as it lives the signals wait to be taken. For programs of one thread.
#[derive(Debug)]
pub struct HeldInterrupts {
    arrivals: SignalFd,
    before: SigSet,
}

impl HeldInterrupts {
    /// Holds these back from now on.
    ///
    /// # Errors
    /// What signalfd(2) says, or EINVAL for what is no signal.
    pub fn back(signals: &[Signal]) -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in signals {
            set.add(signal::Signal::try_from(signal.0)?);
        }
        let arrivals = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let before = set.thread_swap_mask(signal::SigmaskHow::SIG_BLOCK)?;
        Ok(Self { arrivals, before })
    }

    /// Takes one that came, if any did: it has no other effect any more.
    #[must_use]
    pub fn take(&self) -> bool {
        matches!(self.arrivals.read_signal(), Ok(Some(_)))
    }
}

impl AsFd for HeldInterrupts {
    /// Readable while there is something to take.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.arrivals.as_fd()
    }
}

impl Drop for HeldInterrupts {
    fn drop(&mut self) {
        // It was in force before, so it can't be wrong.
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
        // To this thread alone: the others of the harness don't hold it back.
        signal::raise(signal::Signal::SIGUSR1).unwrap();
        assert!(held.take());
        assert!(!held.take());
    }

    #[test]
    fn what_is_no_signal_can_not_be_held_back() {
        assert!(HeldInterrupts::back(&[Signal(0)]).is_err());
    }
}
