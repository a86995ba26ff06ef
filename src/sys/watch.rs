//! Detects the removal of a file: inotify on the file itself, so that activity in its folder does not matter.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

/// The size of the event buffer; events of a file itself have no name.
const EVENTS_BYTES: usize = 1024;

/// Files that may be removed or renamed by others.
#[derive(Debug)]
pub struct FileWatch {
    inotify: OwnedFd,
    /// The kernel's numbers of the files.
    files: Vec<i32>,
}

impl FileWatch {
    /// # Errors
    /// The error of inotify_init1(2): EMFILE if a user has too many instances.
    pub fn new() -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self { inotify, files: Vec::new() })
    }

    /// Watches the file at this path. The watch ends by itself when the file is removed.
    ///
    /// # Errors
    /// The error of inotify_add_watch(2): EACCES for a file that we may not read.
    pub fn add(&mut self, path: &Path) -> io::Result<()> {
        // Removing the last link of a file that is still open changes its link count, which is an attribute.
        let flags = WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
        self.files.push(inotify::add_watch(&self.inotify, path, flags | WatchFlags::DONT_FOLLOW)?);
        Ok(())
    }

    /// Watches nothing any more.
    ///
    /// Closing an inotify instance waits until the kernel has freed its watches, which it does some 20 ms after their removal.
    /// So what is going to be closed is ended before.
    pub fn end(&mut self) {
        for file in self.files.drain(..) {
            // That of a removed file has ended already.
            let _ = inotify::remove_watch(&self.inotify, file);
        }
    }

    /// Whether any file is watched.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !self.files.is_empty()
    }

    /// Discards the pending events: one of the files has changed.
    pub fn drain(&mut self) {
        let mut buffer = [MaybeUninit::uninit(); EVENTS_BYTES];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        while let Ok(event) = reader.next() {
            if event.events().contains(ReadFlags::IGNORED) {
                self.files.retain(|file| *file != event.wd());
            }
        }
    }
}

impl AsFd for FileWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
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
            let (mut watch, mut poller) = (FileWatch::new().unwrap(), Poller::new().unwrap());
            poller.add(&watch, 1, Interest { read: true, write: false }).unwrap();
            let mut is_noticed = || poller.wait(Some(Duration::ZERO)).unwrap().next().is_some();
            let path = folder.join(name);
            let listener = UnixListener::bind(&path).unwrap();
            watch.add(&path).unwrap();
            fs::write(folder.join("other"), "x").unwrap();
            fs::remove_file(folder.join("other")).unwrap();
            assert!(!is_noticed(), "{name}");
            end(&path);
            assert!(is_noticed(), "{name}");
            watch.drain();
            assert!(!is_noticed(), "{name}");
            drop(listener);
            watch.drain();
            assert_eq!(watch.is_active(), name == "renamed", "{name}");
        }
    }

    #[test]
    fn nothing_is_noticed_once_it_has_ended() {
        let folder = Folder::new("watch-end");
        let (mut watch, mut poller) = (FileWatch::new().unwrap(), Poller::new().unwrap());
        let path = folder.join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        watch.add(&path).unwrap();
        watch.end();
        // The kernel reports that the watch has ended.
        watch.drain();
        poller.add(&watch, 1, Interest { read: true, write: false }).unwrap();
        remove(&path);
        assert!(poller.wait(Some(Duration::ZERO)).unwrap().next().is_none());
    }

    fn remove(path: &Path) {
        fs::remove_file(path).unwrap();
    }

    fn rename(path: &Path) {
        fs::rename(path, path.with_extension("old")).unwrap();
    }
}
