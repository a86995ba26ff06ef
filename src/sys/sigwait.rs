//! Every signal blocked, and taken one at a time: for a process whose only events are signals.
//!
//! What is blocked is kept by the kernel from the first call on, even for PID 1 and even where it was
//! ignored, so nothing is lost between the start and the first [`Inbox::take`]. A fault of our own
//! ends us all the same: the kernel does not let a synchronous signal wait.

use std::io;
use std::ptr;

use nix::libc;

use super::kernel_signals::{self, ALL, SET_BYTES, bit, block};
use crate::model::Signal;

/// The signals that are held and not yet taken. For programs of one thread.
#[derive(Debug)]
pub struct Inbox {
    /// One bit for each signal, from 1 on, as the kernel has it.
    held: u64,
}

impl Inbox {
    /// Holds all signals from now on but these, which keep their effect. SIGCHLD gets its default
    /// disposition: where it is ignored, the kernel reaps children and tells nobody how they ended.
    ///
    /// # Errors
    /// What rt_sigprocmask(2) says.
    pub fn open(left_alone: &[Signal]) -> io::Result<Self> {
        kernel_signals::default(Signal::CHLD.0);
        let held = left_alone.iter().fold(ALL, |set, signal| set & !bit(*signal));
        block(held)?;
        Ok(Self { held })
    }

    /// Lets one signal have its default effect, if it has come, and holds it again.
    ///
    /// # Errors
    /// What rt_sigprocmask(2) says.
    pub fn let_through(&self, signal: Signal) -> io::Result<()> {
        kernel_signals::default(signal.0);
        // It is delivered before the call returns.
        block(self.held & !bit(signal))?;
        block(self.held).map(drop)
    }

    /// Waits for ever until there is one. Several of one kind are one, but for real-time signals.
    ///
    /// # Errors
    /// What rt_sigtimedwait(2) says; being stopped and continued is no error.
    pub fn take(&self) -> io::Result<Signal> {
        loop {
            // SAFETY: reads one signal set of the size that it is told; null pointers mean that
            // nothing is written and that there is no time-out.
            #[expect(unsafe_code, reason = "past the libc")]
            let result = unsafe {
                libc::syscall(
                    libc::SYS_rt_sigtimedwait,
                    ptr::from_ref(&self.held),
                    ptr::null_mut::<libc::siginfo_t>(),
                    ptr::null::<libc::timespec>(),
                    SET_BYTES,
                )
            };
            if let Some(number) = i32::try_from(result).ok().filter(|number| *number > 0) {
                return Ok(Signal(number));
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_taken_in_their_order_and_once() {
        let inbox = Inbox::open(&[]).unwrap();
        for number in [64, 40, 40, 15, 1, 1] {
            // SAFETY: tgkill(2) takes integers and touches no memory of ours. To this thread alone: the
            // others of the harness hold nothing back.
            #[expect(unsafe_code, reason = "the standard library sends no signals")]
            unsafe {
                libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), number);
            }
        }
        let taken = [(); 5].map(|()| inbox.take().unwrap().0);
        assert_eq!(taken, [1, 15, 40, 40, 64]);
    }
}
