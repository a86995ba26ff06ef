//! Signals for the supervisor itself, turned into something to read.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::libc;
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

use super::kernel_signals::{self, ALL, bit, block};
use crate::model::Signal;

/// Signals that mean something to the supervisor.
const HANDLED: [Signal; 6] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR2, Signal::CHLD];

/// Signals that would end a process or stop it, but mean nothing to the supervisor. Faults
/// (SEGV, BUS, ILL, FPE, TRAP, SYS, ABRT) keep their default: ignoring one would loop.
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

/// Those of the libc among them: with one thread it has no use for them, and who sends them means us.
const REALTIME: std::ops::RangeInclusive<i32> = 32..=64;

/// What can't be read at once is read the next time.
const READ_AT_ONCE: usize = 8;

/// Delivers handled signals through descriptors. Several of one kind that come between two
/// reads are one, but for those that the libc refuses.
#[derive(Debug)]
pub struct Signals {
    delivery: SignalDelivery<UnixStream, SignalOnly>,
    refused: ReservedSignals,
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
        IGNORED.into_iter().chain(REALTIME).for_each(kernel_signals::ignore);
        Ok(Self { delivery, refused: ReservedSignals::new() })
    }

    /// Lets come what was held back since the start ([`super::startup`]). What we inherited as blocked does not
    /// stay so: a supervisor that is deaf to SIGCHLD reaps nobody.
    ///
    /// # Errors
    /// What rt_sigprocmask(2) says.
    pub fn unblock(&self) -> io::Result<()> {
        block(self.refused.set).map(drop)
    }

    /// Delivers these too, whatever they did so far.
    ///
    /// # Errors
    /// For a signal that can't be handled.
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

    /// What came since the last call.
    pub fn pending(&mut self) -> impl Iterator<Item = Signal> + use<> {
        self.delivery.pending().map(Signal).chain(self.refused.read())
    }

    /// What there is to read from when a signal has come.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [self.delivery.get_read().as_fd()]
            .into_iter()
            .chain(self.refused.descriptor.as_ref().map(AsFd::as_fd))
    }
}

/// Signals that the libc, and `signal-hook` with it, lets nobody handle: 34 is one of musl's. They are blocked and read
/// from a descriptor, and stay ignored, so that they do no harm whoever unblocks them.
#[derive(Debug)]
struct ReservedSignals {
    /// Only a sandbox refuses it.
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
