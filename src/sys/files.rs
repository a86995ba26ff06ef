//! Files and inherited descriptors.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::fs::{Access, access};

/// What a log path turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Has a size, can be rotated, takes every write at once.
    Regular,
    /// A pipe, a terminal, a device: must be waited for and is never rotated.
    Stream,
}

/// Opens a log for appending, and makes it if it is not there. Never waits: not for the reader
/// of a FIFO, not for a terminal line.
///
/// # Errors
/// What open(2) says; ENXIO for a FIFO without a reader.
pub fn open_log(path: &Path, mode: u32) -> io::Result<(File, Kind)> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().append(true).create(true).mode(mode).custom_flags(flags).open(path)?;
    let kind = if file.metadata()?.is_file() { Kind::Regular } else { Kind::Stream };
    Ok((file, kind))
}

/// Opens a regular file for reading. Anything else has no past that could be read, and is refused without
/// waiting for it.
///
/// # Errors
/// EINVAL for what is no regular file; what open(2) says.
pub fn open_to_read(path: &Path) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// Makes a file that is not there yet.
///
/// # Errors
/// EEXIST if it is; what open(2) says.
pub fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// Whether we may execute it.
#[must_use]
pub fn is_executable(path: &Path) -> bool {
    access(path, Access::EXEC_OK).is_ok()
}

/// Whether there is a socket at this path.
#[must_use]
pub fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// Sets our umask.
pub fn set_umask(mask: u32) {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
}

/// Gives descriptors 0, 1 and 2 something to refer to if they were closed, so that nothing we
/// open takes their place and is given to children by mistake.
///
/// # Errors
/// What opening `/dev/null` says.
pub fn ensure_standard_descriptors() -> io::Result<()> {
    for number in 0..3 {
        if !is_open(number) {
            // The lowest free number is the one that was found closed.
            std::mem::forget(OpenOptions::new().read(true).write(true).open("/dev/null")?);
        }
    }
    Ok(())
}

/// Lets descriptors 0, 1 and 2 refer to `/dev/null`.
///
/// # Errors
/// What opening `/dev/null` or dup2(2) say.
pub fn detach_standard_descriptors() -> io::Result<()> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    Ok(())
}

/// The numbers of the descriptors from 3 on that are open: what we were given, if nothing was opened
/// before.
#[must_use]
pub fn inherited_descriptors() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let mut numbers: Vec<i32> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    numbers.retain(|&number| number > 2 && is_open(number));
    numbers
}

fn is_open(number: i32) -> bool {
    // SAFETY: asked only whether it is open; a closed one answers EBADF, the listing's own among them.
    #[expect(unsafe_code, reason = "a descriptor by its number")]
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(fd, FcntlArg::F_GETFD).is_ok()
}

/// Marks every descriptor from 3 on as close-on-exec, so that children get nothing that we were
/// given. Costs the same whatever the limit of descriptors is.
pub fn keep_inherited_descriptors_from_children() {
    const FIRST: u32 = 3;
    // SAFETY: close_range(2) with CLOEXEC changes a flag on descriptors and touches no memory.
    #[expect(unsafe_code, reason = "close_range(2) has no wrapper")]
    let result = unsafe { libc::syscall(libc::SYS_close_range, FIRST, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result != 0 {
        // A kernel or sandbox without it: mark those that are open.
        mark_open_descriptors();
    }
}

fn mark_open_descriptors() {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return };
    let numbers: Vec<i32> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|&number| number > 2) {
        // SAFETY: a flag is set; the descriptor of the listing itself is closed by now (EBADF).
        #[expect(unsafe_code, reason = "a descriptor by its number")]
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        let _ = fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
}

/// Whether a path leads to a FIFO.
#[must_use]
pub fn is_fifo(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}

/// Whether the file that was opened is the one that the path leads to now.
#[must_use]
pub fn is_file_at(file: &File, path: &Path) -> bool {
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    let (open, there) = (file.metadata().map(identity), fs::metadata(path).map(identity));
    matches!((open, there), (Ok(open), Ok(there)) if open == there)
}

/// Whether nobody can find it any more: the last of its names was removed.
#[must_use]
pub fn is_removed(file: &File) -> bool {
    file.metadata().is_ok_and(|found| found.nlink() == 0)
}

/// Whether two descriptors refer to the same file, pipe or terminal.
#[must_use]
pub fn is_same_file(one: impl AsFd, other: impl AsFd) -> bool {
    let identity = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).map(|stat| (stat.st_dev, stat.st_ino)).ok();
    let (one, other) = (identity(one.as_fd()), identity(other.as_fd()));
    one.is_some() && one == other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_a_file_or_a_stream() {
        assert_eq!(open_log(Path::new("/dev/null"), 0o666).unwrap().1, Kind::Stream);
        assert!(open_log(Path::new("/"), 0o666).is_err());
    }
}
