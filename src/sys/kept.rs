//! The numbers of descriptors that stay open.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::io::fcntl_dupfd_cloexec;

/// What is kept for each program has numbers from this one on, so that the descriptors for the next child have lower ones:
/// a child that shares our memory copies the table of descriptors up to the highest that it needs (`clone`).
const KEPT_MIN: RawFd = 64;

/// Gives a descriptor that will be kept a number out of the way, if there is one.
pub(super) fn kept(fd: OwnedFd) -> OwnedFd {
    if fd.as_raw_fd() >= KEPT_MIN { fd } else { fcntl_dupfd_cloexec(&fd, KEPT_MIN).unwrap_or(fd) }
}
