//! Detects the removal of a file: inotify on the file itself, so that activity in its folder does not matter.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};

/// The size of the event buffer; events of a file itself have no name.
const EVENTS_BYTES: usize = 1024;

/// Files that may be removed or renamed by others.
#[derive(Debug)]
pub struct FileWatch(OwnedFd);

impl FileWatch {
    /// # Errors
    /// The error of inotify_init1(2): EMFILE if a user has too many instances.
    pub fn new() -> io::Result<Self> {
        Ok(Self(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?))
    }

    /// Watches the file at this path. The watch ends by itself when the file is removed.
    ///
    /// # Errors
    /// The error of inotify_add_watch(2): EACCES for a file that we may not read.
    pub fn add(&self, path: &Path) -> io::Result<()> {
        // Removing the last link of a file that is still open changes its link count, which is an attribute.
        let flags = WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
        inotify::add_watch(&self.0, path, flags | WatchFlags::DONT_FOLLOW)?;
        Ok(())
    }

    /// Discards the pending events: one of the files has changed.
    pub fn drain(&self) {
        let mut buffer = [MaybeUninit::uninit(); EVENTS_BYTES];
        let mut reader = Reader::new(&self.0, &mut buffer);
        while reader.next().is_ok() {}
    }
}

impl AsFd for FileWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poller::{Interest, Poller};
    use crate::sys::scratch::Folder;
    use std::fs;
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    #[test]
    fn a_socket_that_is_removed_or_renamed_is_noticed_and_its_neighbours_are_not() {
        let folder = Folder::new("watch");
        for (name, end) in [("removed", remove as fn(&Path)), ("renamed", rename)] {
            let (watch, mut poller) = (FileWatch::new().unwrap(), Poller::new().unwrap());
            poller.add(&watch, 1, Interest { read: true, write: false }).unwrap();
            let mut is_noticed = || poller.wait(Some(Duration::ZERO)).unwrap().next().is_some();
            let path = folder.join(name);
            let _listener = UnixListener::bind(&path).unwrap();
            watch.add(&path).unwrap();
            fs::write(folder.join("other"), "x").unwrap();
            fs::remove_file(folder.join("other")).unwrap();
            assert!(!is_noticed(), "{name}");
            end(&path);
            assert!(is_noticed(), "{name}");
            watch.drain();
            assert!(!is_noticed(), "{name}");
        }
    }

    fn remove(path: &Path) {
        fs::remove_file(path).unwrap();
    }

    fn rename(path: &Path) {
        fs::rename(path, path.with_extension("old")).unwrap();
    }
}
