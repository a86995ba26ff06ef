//! Blocks every signal and takes one at a time: for a process whose only events are signals.
//!
//! The kernel keeps blocked signals, even for PID 1 and even if they are ignored, so none is lost between the
//! start and the first [`Inbox::take`]. Our own faults still kill us: the kernel does not block synchronous
//! signals.

use std::io;
use std::ptr;

use nix::libc;

use super::kernel_signals::{self, ALL, SET_BYTES, bit, block};
use crate::model::Signal;

/// The held signals. For programs with one thread.
#[derive(Debug)]
pub struct Inbox {
    /// One bit for each signal, from 1 on, as the kernel has it.
    held: u64,
}

impl Inbox {
    /// Holds all signals except these, which keep their effect. SIGCHLD gets its default disposition: if it
    /// is ignored, the kernel reaps children and discards their statuses.
    ///
    /// # Errors
    /// The error of rt_sigprocmask(2).
    pub fn open(left_alone: &[Signal]) -> io::Result<Self> {
        kernel_signals::default(Signal::CHLD.0);
        let held = left_alone.iter().fold(ALL, |set, signal| set & !bit(*signal));
        block(held)?;
        Ok(Self { held })
    }

    /// Gives a pending signal its default effect, and holds it again.
    ///
    /// # Errors
    /// The error of rt_sigprocmask(2).
    pub fn let_through(&self, signal: Signal) -> io::Result<()> {
        kernel_signals::default(signal.0);
        // It is delivered before the call returns.
        block(self.held & !bit(signal))?;
        block(self.held).map(drop)
    }

    /// Waits for a signal. Several of one kind are merged, except for real-time signals. SIGPIPE is skipped
    /// if one of our own writes caused it: that write has already returned the error, and forwarding the
    /// signal would kill a command that has written nothing.
    ///
    /// # Errors
    /// The error of rt_sigtimedwait(2); being stopped and continued is not an error.
    pub fn take(&self) -> io::Result<Signal> {
        loop {
            // SAFETY: all bytes zero are a valid siginfo_t.
            #[expect(unsafe_code, reason = "a structure for the kernel to fill")]
            let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
            // SAFETY: reads one signal set of the size that is given and writes one siginfo_t; a null pointer
            // means that there is no time-out.
            #[expect(unsafe_code, reason = "past the libc")]
            let result = unsafe {
                libc::syscall(
                    libc::SYS_rt_sigtimedwait,
                    ptr::from_ref(&self.held),
                    ptr::from_mut(&mut info),
                    ptr::null::<libc::timespec>(),
                    SET_BYTES,
                )
            };
            match i32::try_from(result) {
                Ok(libc::SIGPIPE) if is_of_own_write(&info) => {}
                Ok(number @ 1..) => return Ok(Signal(number)),
                _ => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        }
    }
}

/// The kernel names the writer as the sender of SIGPIPE.
fn is_of_own_write(info: &libc::siginfo_t) -> bool {
    // SAFETY: rt_sigtimedwait(2) sets the pid for SI_USER, and the bytes are initialized in any case.
    #[expect(unsafe_code, reason = "a field of a union")]
    let sender = unsafe { info.si_pid() };
    info.si_code == libc::SI_USER && u32::try_from(sender) == Ok(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends to this thread only: other threads of the test harness don't hold signals.
    fn send(number: i32) {
        // SAFETY: tgkill(2) takes integers and touches no memory of ours.
        #[expect(unsafe_code, reason = "the standard library sends no signals")]
        unsafe {
            libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), number);
        }
    }

    #[test]
    fn signals_are_taken_in_their_order_and_once() {
        let inbox = Inbox::open(&[]).unwrap();
        for number in [64, 40, 40, 15, 1, 1] {
            send(number);
        }
        let taken = [(); 5].map(|()| inbox.take().unwrap().0);
        assert_eq!(taken, [1, 15, 40, 40, 64]);
    }

    #[test]
    fn sigpipe_of_our_own_write_is_skipped() {
        let inbox = Inbox::open(&[]).unwrap();
        let (read, write) = rustix::pipe::pipe().unwrap();
        drop(read);
        assert_eq!(rustix::io::write(&write, b"x"), Err(rustix::io::Errno::PIPE));
        // Of the two, this one would be taken second.
        send(Signal::TERM.0);
        assert_eq!(inbox.take().unwrap(), Signal::TERM);
    }
}
