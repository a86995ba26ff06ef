//! Signals for the supervisor itself, turned into something to read.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::sys::signal::{self, SaFlags, SigAction, SigHandler, SigSet};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

use crate::model::Signal;

/// Signals that mean something to the supervisor.
const HANDLED: [Signal; 6] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR2, Signal::CHLD];

/// Signals that would end a process or stop it, but mean nothing to the supervisor. Faults
/// (SEGV, BUS, ILL, FPE, TRAP, SYS, ABRT) keep their default: ignoring one would loop.
const IGNORED: [signal::Signal; 13] = [
    signal::Signal::SIGUSR1,
    signal::Signal::SIGPIPE,
    signal::Signal::SIGALRM,
    signal::Signal::SIGSTKFLT,
    signal::Signal::SIGTSTP,
    signal::Signal::SIGTTIN,
    signal::Signal::SIGTTOU,
    signal::Signal::SIGXCPU,
    signal::Signal::SIGXFSZ,
    signal::Signal::SIGVTALRM,
    signal::Signal::SIGPROF,
    signal::Signal::SIGIO,
    signal::Signal::SIGPWR,
];

/// Delivers handled signals through a descriptor. Several of one kind that come between two
/// reads are one.
#[derive(Debug)]
pub struct Signals {
    delivery: SignalDelivery<UnixStream, SignalOnly>,
}

impl Signals {
    /// Takes over all signals that can be taken over: from now on none of them ends the process.
    ///
    /// # Errors
    /// What socketpair(2) or sigaction(2) say.
    pub fn take_over() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        let handled = HANDLED.map(|signal| signal.0);
        let delivery = SignalDelivery::with_pipe(read, write, SignalOnly, handled)?;
        ignore_the_rest();
        Ok(Self { delivery })
    }

    /// Delivers these too, whatever they did so far.
    ///
    /// # Errors
    /// For a signal that can't be handled, as one that the libc keeps to itself.
    pub fn deliver(&self, signals: impl IntoIterator<Item = Signal>) -> io::Result<()> {
        let handle = self.delivery.handle();
        let add = |signal: Signal| {
            let told = |error| io::Error::other(format!("{signal} can not be handled here: {error}"));
            handle.add_signal(signal.0).map_err(told)
        };
        signals.into_iter().try_for_each(add)
    }

    /// What came since the last call.
    pub fn pending(&mut self) -> impl Iterator<Item = Signal> + use<> {
        self.delivery.pending().map(Signal)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.delivery.get_read().as_fd()
    }
}

fn ignore_the_rest() {
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    for signal in IGNORED {
        // SAFETY: no handler is installed, so no code runs in signal context.
        // It can't fail: each is a signal that may be ignored.
        #[expect(unsafe_code, reason = "sigaction(2) is unsafe in nix")]
        let _ = unsafe { signal::sigaction(signal, &ignore) };
    }
    for number in REALTIME {
        // SAFETY: as above; SIG_IGN is a valid disposition for every real-time signal.
        #[expect(unsafe_code, reason = "nix has no real-time signals")]
        let _ = unsafe { nix::libc::signal(number, nix::libc::SIG_IGN) };
    }
}

/// The real-time signals that a libc leaves to programs (32 and 33, and musl's 34, are its own
/// and are refused by it).
const REALTIME: std::ops::RangeInclusive<i32> = 34..=64;
