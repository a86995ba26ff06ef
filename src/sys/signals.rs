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

/// Delivers handled signals through descriptors. Several of one kind between two reads are merged, except for
/// those that the libc rejects.
#[derive(Debug)]
pub struct Signals {
    delivery: SignalDelivery<UnixStream, SignalOnly>,
    refused: ReservedSignals,
}

impl Signals {
    /// Takes over all signals that can be handled: none of them ends the process any more.
    ///
    /// # Errors
    /// The errors of socketpair(2) and sigaction(2).
    pub fn take_over() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        let handled = HANDLED.map(|signal| signal.0);
        let delivery = SignalDelivery::with_pipe(read, write, SignalOnly, handled)?;
        IGNORED.into_iter().chain(REALTIME).for_each(kernel_signals::ignore);
        Ok(Self { delivery, refused: ReservedSignals::new() })
    }

    /// Unblocks the signals that were held back since the start ([`super::startup`]). Inherited blocked
    /// signals are unblocked too: a supervisor that does not receive SIGCHLD reaps nothing.
    ///
    /// # Errors
    /// The error of rt_sigprocmask(2).
    pub fn unblock(&self) -> io::Result<()> {
        block(self.refused.set).map(drop)
    }

    /// Delivers these signals too, whatever their previous action.
    ///
    /// # Errors
    /// If a signal can't be handled.
    pub fn deliver(&mut self, signals: impl IntoIterator<Item = Signal>) -> io::Result<()> {
        let handle = self.delivery.handle();
        signals.into_iter().try_for_each(|signal| match handle.add_signal(signal.0) {
            Ok(()) => Ok(()),
            Err(error) if !REALTIME.contains(&signal.0) => {
                Err(io::Error::other(format!("{signal} can not be handled here: {error}")))
            }
            Err(_) => self.refused.add(signal),
        })
    }

    /// The signals since the last call.
    pub fn pending(&mut self) -> impl Iterator<Item = Signal> + use<> {
        self.delivery.pending().map(Signal).chain(self.refused.read())
    }

    /// The descriptors that are readable after a signal.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [self.delivery.get_read().as_fd()]
            .into_iter()
            .chain(self.refused.descriptor.as_ref().map(AsFd::as_fd))
    }
}

/// Signals that the libc, and `signal-hook` with it, does not allow handlers for: 34 is one of musl's. They
/// are blocked and read from a descriptor, and also ignored, so that they are harmless if they are ever
/// unblocked.
#[derive(Debug)]
struct ReservedSignals {
    /// `None` only if a sandbox rejects it.
    descriptor: Option<OwnedFd>,
    set: u64,
}

impl ReservedSignals {
    fn new() -> Self {
        Self { descriptor: kernel_signals::descriptor().ok(), set: 0 }
    }

    fn add(&mut self, signal: Signal) -> io::Result<()> {
        let Some(descriptor) = &self.descriptor else {
            return Err(io::Error::other(format!("{signal} can not be handled here: there is no signalfd")));
        };
        self.set |= bit(signal);
        // Nothing comes through in between.
        let before = block(ALL)?;
        block(before | self.set)?;
        kernel_signals::read_from(descriptor, self.set)
    }

    fn read(&self) -> impl Iterator<Item = Signal> + use<> {
        let mut buffer = [0_u8; READ_AT_ONCE * size_of::<libc::signalfd_siginfo>()];
        let count =
            self.descriptor.as_ref().and_then(|fd| rustix::io::read(fd, &mut buffer).ok()).unwrap_or(0);
        let reported = buffer[..count].chunks_exact(size_of::<libc::signalfd_siginfo>());
        // A record begins with the signal's number: signalfd(2).
        let numbers: Vec<i32> = reported
            .filter_map(|record| record.first_chunk())
            .map(|bytes| i32::from_ne_bytes(*bytes))
            .collect();
        numbers.into_iter().map(Signal)
    }
}
