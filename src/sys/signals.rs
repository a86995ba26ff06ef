//! Signals to the supervisor, as something to read.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::libc;
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

use super::kernel_signals::{self, ALL, bit, block};
use crate::model::Signal;

/// The signals that the supervisor handles.
const HANDLED: [Signal; 6] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR2, Signal::CHLD];

/// Signals that would end or stop a process, but have no meaning for the supervisor. Faults (SEGV, BUS, ILL,
/// FPE, TRAP, SYS, ABRT) keep their default: ignoring one would loop.
const IGNORED: [i32; 13] = [
    libc::SIGUSR1,
    libc::SIGPIPE,
    libc::SIGALRM,
    libc::SIGSTKFLT,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGXCPU,
    libc::SIGXFSZ,
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGIO,
    libc::SIGPWR,
];

/// Includes those that the libc reserves: with one thread it does not use them, so a sender means us.
const REALTIME: std::ops::RangeInclusive<i32> = 32..=64;

/// The rest is read the next time.
const READ_AT_ONCE: usize = 8;

/// Delivers handled signals through a descriptor. Several of one kind between two reads are merged, except for
/// real-time signals.
///
/// They stay blocked and are read from a signalfd: no handler interrupts what we do, however many children end
/// meanwhile. Only where a sandbox has no signalfd there are handlers, by `signal-hook`.
#[derive(Debug)]
pub enum Signals {
    /// Read from a signalfd.
    Blocked(BlockedSignals),
    /// Caught by handlers.
    Caught(SignalDelivery<UnixStream, SignalOnly>),
}

impl Signals {
    /// Takes over all signals that can be handled: none of them ends the process any more.
    ///
    /// # Errors
    /// The errors of socketpair(2) and sigaction(2), where there is no signalfd.
    pub fn take_over() -> io::Result<Self> {
        let signals = match kernel_signals::descriptor() {
            Ok(descriptor) => {
                let mut signals = BlockedSignals { descriptor, set: 0 };
                HANDLED.into_iter().try_for_each(|signal| signals.add(signal))?;
                // An inherited SIG_IGN would leave nothing of a child to wait for.
                kernel_signals::default(libc::SIGCHLD);
                Self::Blocked(signals)
            }
            Err(_) => {
                let (read, write) = UnixStream::pair()?;
                read.set_nonblocking(true)?;
                write.set_nonblocking(true)?;
                let handled = HANDLED.map(|signal| signal.0);
                Self::Caught(SignalDelivery::with_pipe(read, write, SignalOnly, handled)?)
            }
        };
        IGNORED.into_iter().chain(REALTIME).for_each(kernel_signals::ignore);
        Ok(signals)
    }

    /// Unblocks the signals that were held back since the start ([`super::startup`]), except for those that are read
    /// while they are blocked. Inherited blocked signals are unblocked too.
    ///
    /// # Errors
    /// The error of rt_sigprocmask(2).
    pub fn unblock(&self) -> io::Result<()> {
        let blocked = match self {
            Self::Blocked(signals) => signals.set,
            Self::Caught(_) => 0,
        };
        block(blocked).map(drop)
    }

    /// Delivers these signals too, whatever their previous action.
    ///
    /// # Errors
    /// If a signal can't be handled.
    pub fn deliver(&mut self, signals: impl IntoIterator<Item = Signal>) -> io::Result<()> {
        signals.into_iter().try_for_each(|signal| {
            let added = match self {
                Self::Blocked(signals) => signals.add(signal),
                // A libc reserves some: 34 is one of musl's.
                Self::Caught(delivery) => delivery.handle().add_signal(signal.0),
            };
            added.map_err(|error| io::Error::other(format!("{signal} can not be handled here: {error}")))
        })
    }

    /// The signals since the last call.
    pub fn pending(&mut self) -> impl Iterator<Item = Signal> + use<> {
        let (read, caught) = match self {
            Self::Blocked(signals) => (Some(signals.read()), None),
            Self::Caught(delivery) => (None, Some(delivery.pending().map(Signal))),
        };
        read.into_iter().flatten().chain(caught.into_iter().flatten())
    }

    /// The descriptor that is readable after a signal.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Self::Blocked(signals) => signals.descriptor.as_fd(),
            Self::Caught(delivery) => delivery.get_read().as_fd(),
        }
    }
}

/// Signals that are blocked and read from a descriptor. A blocked signal is kept whatever its disposition, which is left
/// as it is: ignoring a signal would drop one that has arrived during the start.
#[derive(Debug)]
pub struct BlockedSignals {
    descriptor: OwnedFd,
    set: u64,
}

impl BlockedSignals {
    fn add(&mut self, signal: Signal) -> io::Result<()> {
        self.set |= bit(signal);
        // Nothing comes through in between.
        let before = block(ALL)?;
        kernel_signals::read_from(&self.descriptor, self.set)?;
        block(before | self.set).map(drop)
    }

    fn read(&self) -> impl Iterator<Item = Signal> + use<> {
        let mut buffer = [0_u8; READ_AT_ONCE * size_of::<libc::signalfd_siginfo>()];
        let count = rustix::io::read(&self.descriptor, &mut buffer).unwrap_or(0);
        let reported = buffer[..count].chunks_exact(size_of::<libc::signalfd_siginfo>());
        // A record begins with the signal's number: signalfd(2).
        let numbers: Vec<i32> = reported
            .filter_map(|record| record.first_chunk())
            .map(|bytes| i32::from_ne_bytes(*bytes))
            .collect();
        numbers.into_iter().map(Signal)
    }
}
