//! Whether a file exists, without waiting for its file system.
//!
//! Where the kernel knows the answer from its cache of names, as it does of a local file system once it was asked,
//! openat2(2) gives it at once. Everything else is asked by a child: what a server does not answer holds up the
//! child, which can be killed, and not us.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use super::{child, clone};
use crate::model::Pid;

/// What is known at once.
#[derive(Debug)]
pub enum FileAnswer {
    /// It exists, or the error says why not.
    Known(io::Result<()>),
    /// A child looks for it. Its exit status is an errno, or 0 if the file exists.
    AskedBy(Pid),
}

/// Looks for a file, following symbolic links.
///
/// # Errors
/// The path contains a NUL byte, or what fork(2) returns: EAGAIN, ENOMEM.
pub fn look_for_file(path: &Path) -> io::Result<FileAnswer> {
    if let Some(known) = known_outcome(path) {
        return Ok(FileAnswer::Known(known));
    }
    let path = CString::new(path.as_os_str().as_bytes())?;
    Ok(FileAnswer::AskedBy(clone::helper(&|| child::look_for_file(&path))?))
}

/// Whether a file exists, from the kernel's cache. `None` if that has no answer, or can't be read: before Linux 5.12, or
/// in a sandbox.
pub fn known_outcome(path: &Path) -> Option<io::Result<()>> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED) {
        Ok(_) => Some(Ok(())),
        Err(error @ (Errno::NOENT | Errno::NOTDIR)) => Some(Err(error.into())),
        Err(_) => None,
    }
}

/// What the exit status of the child means.
///
/// # Errors
/// Why the file could not be found.
pub fn file_outcome(code: u8) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code.into())) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nix::libc;
    use nix::sys::wait::{WaitStatus, waitpid};

    use super::super::scratch::Folder;
    use super::*;

    fn asked(path: &Path) -> io::Result<()> {
        let path = CString::new(path.as_os_str().as_bytes()).unwrap();
        let pid = clone::with_copied_memory(&|| child::look_for_file(&path)).unwrap();
        match waitpid(nix::unistd::Pid::from_raw(pid.0), None).unwrap() {
            WaitStatus::Exited(_, code) => file_outcome(u8::try_from(code).unwrap()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_cache_and_a_child_say_the_same() {
        let folder = Folder::new("lookup");
        let (file, link, dangling) = (folder.join("x"), folder.join("link"), folder.join("dangling"));
        fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink("x", &link).unwrap();
        std::os::unix::fs::symlink("nope", &dangling).unwrap();
        for (path, expected) in [
            (file.clone(), None),
            (link, None),
            (folder.join(""), None),
            (dangling, Some(libc::ENOENT)),
            (folder.join("nope"), Some(libc::ENOENT)),
            (file.join("below"), Some(libc::ENOTDIR)),
        ] {
            let errno = |outcome: io::Result<()>| outcome.err().and_then(|error| error.raw_os_error());
            assert_eq!(errno(asked(&path)), expected, "{path:?}");
            if let Some(known) = known_outcome(&path) {
                assert_eq!(errno(known), expected, "{path:?}");
            }
        }
        assert!(look_for_file(Path::new("/a\0b")).is_err());
    }
}
