//! Files and inherited descriptors.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown};
use std::path::Path;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, access, accessat, open};
use rustix::process::geteuid;

use super::kept::kept;
use super::limits::open_files_max_ever;
use crate::model::{User, UserId};

/// The kind of file at a log path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFileKind {
    /// Has a size, can be rotated, accepts every write at once.
    Regular,
    /// A pipe, a terminal, a device: may block and is never rotated.
    Stream,
}

/// Opens a log for appending, and creates it if it does not exist. Never blocks, neither for the reader of a
/// FIFO nor for a terminal line.
///
/// # Errors
/// The error of open(2); ENXIO for a FIFO without a reader.
pub fn open_log(path: &Path, mode: u32) -> io::Result<(File, LogFileKind)> {
    let file = open_without_waiting(OpenOptions::new().append(true).create(true).mode(mode), path)?;
    let kind = if file.metadata()?.is_file() { LogFileKind::Regular } else { LogFileKind::Stream };
    Ok((kept(file.into()).into(), kind))
}

/// Opens a path that a user or client has chosen. Never blocks, neither for the other end of a FIFO nor for a
/// terminal line; and a terminal does not become our controlling terminal.
///
/// # Errors
/// The error of open(2); ENXIO when writing to a FIFO without a reader.
pub fn open_without_waiting(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// Opens a regular file for reading. Other kinds of files have no content to read back and are rejected
/// without blocking.
///
/// # Errors
/// EINVAL for other kinds of files; the error of open(2).
pub fn open_to_read(path: &Path) -> io::Result<File> {
    let file = open_without_waiting(OpenOptions::new().read(true), path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    let what = match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () => "a device",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what} and not a regular file")))
}

/// Reads a regular file up to a maximum size, without blocking. /dev/null counts as an empty file.
///
/// # Errors
/// As [`open_to_read`]; and if it is larger.
pub fn read_file(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    match open_to_read(path) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput && is_null(path) => Ok(Vec::new()),
        file => read_to_end(file?, bytes_max),
    }
}

/// Reads any kind of file to its end, and blocks for it.
///
/// # Errors
/// The errors of open(2) and read(2); and if it is larger.
pub fn read_and_wait(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    read_to_end(OpenOptions::new().read(true).custom_flags(libc::O_NOCTTY).open(path)?, bytes_max)
}

fn read_to_end(file: File, bytes_max: u64) -> io::Result<Vec<u8>> {
    // With room for one more byte the end is found without another allocation.
    let bytes_expected = file.metadata().map_or(0, |found| found.len().min(bytes_max) + 1);
    let mut bytes = Vec::with_capacity(usize::try_from(bytes_expected).unwrap_or(0));
    if file.take(bytes_max + 1).read_to_end(&mut bytes)? as u64 > bytes_max {
        return Err(io::Error::other(format!("it has more than {bytes_max} bytes")));
    }
    Ok(bytes)
}

fn is_null(path: &Path) -> bool {
    let number = |path: &Path| fs::metadata(path).map(|found| found.rdev()).ok();
    number(path).is_some_and(|found| Some(found) == number(Path::new("/dev/null")))
}

/// Replaces the content of a file, or writes to another kind of file without waiting for a reader. Creates
/// the file if `create` is set.
///
/// # Errors
/// As [`open_without_waiting`]; the error of write(2).
pub fn write_file(path: &Path, text: &str, create: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).truncate(true).create(create);
    open_without_waiting(&mut options, path)?.write_all(text.as_bytes())
}

/// Truncates a file to nothing.
///
/// # Errors
/// The errors of open(2) and ftruncate(2): EINVAL for other kinds of files.
pub fn empty_file(path: &Path) -> io::Result<()> {
    open_without_waiting(OpenOptions::new().write(true), path)?.set_len(0)
}

/// Creates a file that does not exist yet.
///
/// # Errors
/// EEXIST if it exists; the error of open(2).
pub fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// Creates a folder that everybody may read, and missing parents. The umask is ignored.
///
/// # Errors
/// The errors of mkdir(2), chmod(2) and chown(2).
pub fn make_folder(path: &Path, owner: Option<&User>) -> io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| *parent != Path::new("") && !parent.exists()) {
        make_folder(parent, None)?;
    }
    fs::create_dir(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    match owner {
        Some(owner) => chown(path, Some(owner.uid), Some(owner.gid)),
        None => Ok(()),
    }
}

/// Creates a folder and missing parents, unless it exists, and changes its owner. A symbolic link in its
/// place is rejected: the owner of the parent could otherwise redirect the change to any folder.
///
/// # Errors
/// The errors of mkdir(2), open(2), chmod(2) and chown(2).
pub fn make_owned_folder(path: &Path, owner: Option<&User>) -> io::Result<()> {
    match make_folder(path, None) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let flags = (OFlags::DIRECTORY | OFlags::NOFOLLOW).bits().cast_signed();
    let folder = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    match owner {
        Some(owner) if folder.metadata()?.uid() != owner.uid => {
            fchown(&folder, Some(owner.uid), Some(owner.gid))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether we may execute it.
#[must_use]
pub fn is_executable(path: &Path) -> bool {
    access(path, Access::EXEC_OK).is_ok()
}

/// Whether we, or the user that we would switch to, may write to a file or in a directory.
///
/// For another user only permission bits are checked, including the search permission of parent folders;
/// access control lists are ignored.
///
/// # Errors
/// EACCES, EROFS, and errors of the check itself.
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

/// The write bit of others.
const WRITE: u32 = 0o2;
const SEARCH: u32 = 0o1;

/// Whether the class of a user has these bits: the first matching class counts, as for the kernel.
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

/// A spare descriptor that is kept open for when all others are used up.
#[derive(Debug, Default)]
pub struct ReserveDescriptor(Option<File>);

impl ReserveDescriptor {
    /// Opens it, if it is not open and a descriptor is available.
    pub fn refill(&mut self) {
        if self.0.is_none() {
            self.0 = File::open("/dev/null").ok();
        }
    }

    /// Closes it. False if it was closed already.
    pub fn spend(&mut self) -> bool {
        self.0.take().is_some()
    }
}

/// Sets our umask.
pub fn set_umask(mask: u32) {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
}

/// Opens `/dev/null` for descriptors 0, 1 and 2 if they are closed, so that no later file gets their numbers
/// and is passed to children by mistake.
///
/// # Errors
/// The error of open(2).
pub fn ensure_standard_descriptors() -> io::Result<()> {
    for number in 0..3 {
        if !is_open(number) {
            // The lowest free number is the one that was found closed. Without /dev/null it is a folder, which can
            // neither be read nor written to.
            // They are for children too, and so not close-on-exec.
            let null = open("/dev/null", OFlags::RDWR, Mode::empty());
            std::mem::forget(null.or_else(|_| open("/", OFlags::RDONLY, Mode::empty()))?);
        }
    }
    Ok(())
}

/// Redirects descriptors 0, 1 and 2 to `/dev/null`.
///
/// # Errors
/// The errors of opening `/dev/null` and of dup2(2).
pub fn detach_standard_descriptors() -> io::Result<()> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    Ok(())
}

/// The numbers of open descriptors from 3 on: those that we inherited, if nothing was opened before.
#[must_use]
pub fn inherited_descriptors() -> Vec<i32> {
    candidates().into_iter().filter(|&number| is_open(number)).collect()
}

/// If neither the kernel nor /proc lists open descriptors, higher numbers are not checked.
const NUMBERS_MAX: u64 = 65_536;

/// The numbers from 3 on that may be open.
fn candidates() -> Vec<i32> {
    let listed = fs::read_dir("/proc/self/fd").into_iter().flatten();
    let mut numbers: Vec<i32> =
        listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    // The listing has at least its own descriptor.
    if numbers.is_empty() {
        // The soft limit may have been higher when they were opened.
        let end = open_files_max_ever().min(NUMBERS_MAX);
        numbers = (0..i32::try_from(end).unwrap_or(i32::MAX)).collect();
    }
    numbers.into_iter().filter(|&number| number > 2).collect()
}

fn is_open(number: i32) -> bool {
    // SAFETY: asked only whether it is open; a closed one answers EBADF, the listing's own among them.
    #[expect(unsafe_code, reason = "a descriptor by its number")]
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(fd, FcntlArg::F_GETFD).is_ok()
}

/// Marks every descriptor from 3 on as close-on-exec, so that children don't inherit what we inherited. The
/// cost does not depend on the limit of descriptors, if the kernel has close_range(2).
pub fn keep_inherited_descriptors_from_children() {
    const FIRST: u32 = 3;
    // SAFETY: close_range(2) with CLOEXEC changes a flag on descriptors and touches no memory.
    #[expect(unsafe_code, reason = "close_range(2) has no wrapper")]
    let result = unsafe { libc::syscall(libc::SYS_close_range, FIRST, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result != 0 {
        // A kernel or sandbox without it: mark those that are open.
        mark_descriptors(candidates());
    }
}

fn mark_descriptors(numbers: Vec<i32>) {
    for number in numbers {
        // SAFETY: a flag is set; what is closed answers EBADF, such as the listing that found it.
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

/// Whether an open file is still the one at this path.
#[must_use]
pub fn is_file_at(file: &File, path: &Path) -> bool {
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    let (open, there) = (file.metadata().map(identity), fs::metadata(path).map(identity));
    matches!((open, there), (Ok(open), Ok(there)) if open == there)
}

/// Whether its last name was removed.
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
        assert_eq!(open_log(Path::new("/dev/null"), 0o666).unwrap().1, LogFileKind::Stream);
        assert!(open_log(Path::new("/"), 0o666).is_err());
    }

    #[test]
    fn an_owned_folder_is_made_with_its_parents_and_never_through_a_link() {
        let scratch = Folder::new("owned-folder");
        let (folder, link) = (scratch.join("a/b"), scratch.join("a/link"));
        for _ in 0..2 {
            make_owned_folder(&folder, None).unwrap();
            assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o755);
        }
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        assert!(make_owned_folder(&link, None).is_err());
    }

    /// Permission bits don't restrict root, so the check is for the other user.
    #[test]
    fn permission_bits_decide_whether_another_may_write() {
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
            has_own_group: false,
        };
        for (folder_mode, mode, groups, expected) in [
            (0o755, 0o644, &[][..], [false, false]),
            (0o777, 0o666, &[], [true, true]),
            (0o755, 0o666, &[], [false, true]),
            (0o700, 0o666, &[], [false, false]),
            (0o775, 0o664, &[gid], [true, true]),
            // The group class counts for its members, even if all others may.
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
