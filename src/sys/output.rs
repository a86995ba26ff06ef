//! Writing to descriptors that are shared with other processes, without ever waiting for their readers.
//!
//! O_NONBLOCK belongs to the open file, not to the descriptor: setting it on our stdout would set it for the
//! shell, the terminal and every other process that shares it. So a pipe or terminal is opened again for
//! ourselves if possible; otherwise each write is preceded by a poll, and writes no more than is certain to
//! fit.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

use nix::libc;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendFlags, send};

/// The size that a ready pipe accepts without blocking (PIPE_BUF).
const SURE_TO_FIT_BYTES: usize = 4096;

/// A descriptor to write to.
#[derive(Debug)]
pub struct Output {
    file: File,
    way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// A regular file: there is always room, or an error.
    File,
    /// An open file of our own with O_NONBLOCK.
    Own,
    /// A socket: each write has a flag for not blocking.
    Socket,
    /// Shared with other processes, so its flags must not change.
    Shared,
}

impl Output {
    /// A file that was opened with O_NONBLOCK for ourselves.
    #[must_use]
    pub fn own(file: File) -> Self {
        Self { file, way: Way::Own }
    }

    /// An inherited descriptor, such as our standard output.
    ///
    /// # Errors
    /// EBADF, EMFILE.
    pub fn inherited(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let file = File::from(fd.try_clone_to_owned()?);
        let kind = file.metadata()?.file_type();
        if kind.is_file() {
            return Ok(Self { file, way: Way::File });
        }
        if kind.is_socket() {
            return Ok(Self { file, way: Way::Socket });
        }
        // Root may have opened a file that we, after dropping root, may not open again.
        let again = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(format!("/proc/self/fd/{}", file.as_raw_fd()));
        Ok(again.map_or(Self { file, way: Way::Shared }, Self::own))
    }

    /// The inherited descriptor of this number.
    ///
    /// # Errors
    /// EBADF, EMFILE.
    pub fn inherited_number(number: i32) -> io::Result<Self> {
        // SAFETY: only looked at and copied; a closed one answers EBADF. It is none of those that this
        // process opens and closes, as it was there before.
        #[expect(unsafe_code, reason = "a descriptor by its number")]
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        Self::inherited(fd)
    }

    /// Whether it is a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.file.is_terminal()
    }

    /// Writes as much as there is room for; `Ok(0)` if there is none now.
    ///
    /// # Errors
    /// EPIPE, ENOSPC, EIO and the like: these bytes can't be written.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let written = match self.way {
            Way::File | Way::Own => (&self.file).write(bytes),
            Way::Socket => {
                send(&self.file, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL).map_err(io::Error::from)
            }
            Way::Shared if !self.has_room() => Ok(0),
            Way::Shared => (&self.file).write(&bytes[..bytes.len().min(SURE_TO_FIT_BYTES)]),
        };
        match written {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(0)
            }
            other => other,
        }
    }

    fn has_room(&self) -> bool {
        let mut fds = [PollFd::new(&self.file, PollFlags::OUT)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready > 0)
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Reads available data into the buffer; `Ok(None)` if there is none now, `Ok(Some(0))` at the end.
///
/// # Errors
/// The error of read(2).
pub fn read_ready(fd: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match rustix::io::read(fd, buffer) {
        Ok(count) => Ok(Some(count)),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn fill(output: &Output) -> usize {
        let mut total = 0;
        loop {
            match output.write(&[b'x'; 10_000]).unwrap() {
                0 => return total,
                count => total += count,
            }
        }
    }

    #[test]
    fn a_full_pipe_has_no_room_and_keeps_its_flags() {
        let (_read, write) = rustix::pipe::pipe().unwrap();
        let output = Output::inherited(write.as_fd()).unwrap();
        assert!(fill(&output) >= SURE_TO_FIT_BYTES);
        let flags = rustix::fs::fcntl_getfl(&write).unwrap();
        assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK), "the other holders of it would notice");
    }

    #[test]
    fn a_shared_pipe_is_asked_before_each_write() {
        let (_read, write) = rustix::pipe::pipe().unwrap();
        let output = Output { file: File::from(write), way: Way::Shared };
        assert!(fill(&output) >= SURE_TO_FIT_BYTES);
    }

    #[test]
    fn a_socket_is_written_without_blocking() {
        let (_one, other) = UnixStream::pair().unwrap();
        let output = Output::inherited(other.as_fd()).unwrap();
        assert_eq!(output.way, Way::Socket);
        assert!(fill(&output) > 0);
    }

    #[test]
    fn a_pipe_without_reader_is_an_error() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        let output = Output::inherited(write.as_fd()).unwrap();
        drop(read);
        assert_eq!(output.write(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
