//! Standard output of commands: output that can't be written is an error.
//!
//! The standard library hides two cases. A write to a descriptor that is not open for writing counts as
//! successful, and a closed standard output is replaced by /dev/null before `main`. Here both are EBADF, as
//! in the kernel.

use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, fcntl_getfd};

/// Whether standard output was closed when we were started.
static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

#[expect(unsafe_code, reason = "a descriptor by its number")]
extern "C" fn look() {
    // SAFETY: only looked at; a closed one answers EBADF.
    let stdout = unsafe { BorrowedFd::borrow_raw(1) };
    WAS_CLOSED.store(fcntl_getfd(stdout) == Err(Errno::BADF), Ordering::Relaxed);
    // The standard library aborts where one is closed and there is no /dev/null. If this fails too, it does.
    let _ = super::files::ensure_standard_descriptors();
}

// The C library calls what it finds there before the standard library looks at the descriptors.
// SAFETY: a pointer to a function is what this section consists of. The function makes one system call
// and stores into a static: it needs nothing that is set up later.
#[used]
#[expect(unsafe_code, reason = "the only way to run before the standard library does")]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

/// Standard output, unbuffered.
#[derive(Debug, Default)]
pub struct Stdout;

impl AsFd for Stdout {
    fn as_fd(&self) -> BorrowedFd<'_> {
        rustix::stdio::stdout()
    }
}

impl Stdout {
    /// Whether it is a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        !WAS_CLOSED.load(Ordering::Relaxed) && self.as_fd().is_terminal()
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if WAS_CLOSED.load(Ordering::Relaxed) {
            return Err(Errno::BADF.into());
        }
        loop {
            match rustix::io::write(self.as_fd(), bytes) {
                // Another process that shares the open file has made it nonblocking.
                Err(Errno::AGAIN) => {
                    poll(&mut [PollFd::from_borrowed_fd(self.as_fd(), PollFlags::OUT)], None)?;
                }
                written => return Ok(written?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Prints a text and returns the exit status: the given one, unless that is 0 and printing failed.
#[must_use]
pub fn print(text: &str, code: u8) -> u8 {
    status(code, Stdout.write_all(text.as_bytes()))
}

/// The exit status of a command that has written to standard output: the given one, but never 0 if that
/// failed, which is reported on standard error. A reader that has closed the pipe, as `head` does, is not a
/// failure.
#[must_use]
pub fn status(code: u8, written: io::Result<()>) -> u8 {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            // If stderr fails as well there is nowhere left to report it.
            let _ = writeln!(io::stderr(), "error: cannot write to standard output: {error}");
            code.max(1)
        }
        _ => code,
    }
}
