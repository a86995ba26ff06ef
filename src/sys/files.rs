//! Files and inherited descriptors.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::fs::{Access, AtFlags, CWD, access, accessat};
use rustix::process::geteuid;

use crate::model::{User, UserId};

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

/// Whether we may write to a file or in a directory, or the user that we would become.
///
/// For another user the permission bits are asked, and for the way there those that let one search it; what
/// access control lists say besides is not looked at.
///
/// # Errors
/// EACCES, EROFS, and whatever keeps us from looking.
pub fn may_write(path: &Path, user: Option<&User>) -> io::Result<()> {
    let needed = if path.is_dir() { Access::WRITE_OK | Access::EXEC_OK } else { Access::WRITE_OK };
    accessat(CWD, path, needed, AtFlags::EACCESS)?;
    let Some(user) = user.filter(|user| user.uid != ROOT && user.uid != geteuid().as_raw()) else {
        return Ok(());
    };
    let mut way = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    let may_search = way.all(|folder| fs::metadata(folder).is_ok_and(|it| permits(&it, user, SEARCH)));
    let bits = if path.is_dir() { WRITE | SEARCH } else { WRITE };
    if may_search && permits(&fs::metadata(path)?, user, bits) {
        return Ok(());
    }
    Err(io::ErrorKind::PermissionDenied.into())
}

const ROOT: UserId = 0;

/// Of the permission bits of others.
const WRITE: u32 = 0o2;
const SEARCH: u32 = 0o1;

/// Whether the class that a user belongs to has these bits: the first that fits is it, as for the kernel.
fn permits(found: &fs::Metadata, user: &User, bits: u32) -> bool {
    let is_of_group = found.gid() == user.gid || user.groups.contains(&found.gid());
    let shift = match found.uid() == user.uid {
        true => 6,
        false if is_of_group => 3,
        false => 0,
    };
    found.mode() >> shift & bits == bits
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
    use super::super::scratch::Folder;
    use super::*;

    #[test]
    fn a_log_is_a_file_or_a_stream() {
        assert_eq!(open_log(Path::new("/dev/null"), 0o666).unwrap().1, Kind::Stream);
        assert!(open_log(Path::new("/"), 0o666).is_err());
    }

    /// For root the permission bits are no hindrance, so the other user is asked for.
    #[test]
    fn permission_bits_tell_whether_another_may_write() {
        use std::os::unix::fs::PermissionsExt;

        let scratch = Folder::new("may-write");
        let (folder, file) = (scratch.join("x"), scratch.join("x/x.log"));
        fs::create_dir(&folder).unwrap();
        fs::write(&file, "").unwrap();
        let (uid, gid) = (geteuid().as_raw(), fs::metadata(&file).unwrap().gid());
        let other = |groups: &[UserId]| User {
            name: "x".into(),
            uid: uid + 1,
            gid: gid + 1,
            groups: groups.to_vec(),
        };
        for (folder_mode, mode, groups, expected) in [
            (0o755, 0o644, &[][..], [false, false]),
            (0o777, 0o666, &[], [true, true]),
            (0o755, 0o666, &[], [false, true]),
            (0o700, 0o666, &[], [false, false]),
            (0o775, 0o664, &[gid], [true, true]),
            // The group is what counts for its members, even if all others may.
            (0o757, 0o646, &[gid], [false, false]),
        ] {
            for (path, mode) in [(&folder, folder_mode), (&file, mode)] {
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            }
            let found = [&folder, &file].map(|path| may_write(path, Some(&other(groups))).is_ok());
            assert_eq!(found, expected, "{folder_mode:o} {mode:o} {groups:?}");
        }
        assert!(may_write(&file, None).is_ok());
        assert_eq!(may_write(&folder.join("y"), None).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
