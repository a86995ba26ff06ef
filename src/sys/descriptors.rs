//! The descriptors of a child: pipes to us, our own, and those with numbers of their own.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::{Gid, OFlags, Uid, fchown, fcntl_setfl};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::pipe::{PipeFlags, pipe_with};

use super::kept::kept;
use super::spawn_failures::NoteWriter;
use crate::model::User;

/// The standard input of a child.
#[derive(Clone, Copy, Debug)]
pub enum ChildStdin<'a> {
    /// A pipe from us.
    Pipe,
    /// Empty input: reading returns the end of file at once, even without /dev/null.
    Empty,
    /// A socket from which it accepts connections.
    Socket(BorrowedFd<'a>),
}

/// How a child with our own standard descriptors uses the terminal, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// As the foreground process group.
    Foreground,
    /// For output only.
    Background,
}

/// Our ends of a child's standard descriptors, all nonblocking.
#[derive(Debug)]
pub struct ParentEnds {
    /// Write end; `None` where standard input is empty, a socket, or ours.
    pub stdin: Option<OwnedFd>,
    /// Read end; `None` where it is ours.
    pub stdout: Option<OwnedFd>,
    /// Read end; `None` when stderr shares stdout's pipe, or is ours.
    pub stderr: Option<OwnedFd>,
}

/// A descriptor and the number that it has in the child.
#[derive(Clone, Copy, Debug)]
pub(super) struct Assignment {
    pub(super) source: RawFd,
    pub(super) number: RawFd,
}

/// The descriptor operations of the child.
#[derive(Debug)]
pub(super) struct ChildDescriptors {
    /// No source has a number that is assigned.
    pub(super) assignments: Vec<Assignment>,
    /// Where it leaves notes: a number that is not assigned either, and that it has until exec.
    pub(super) notes: NoteWriter,
    /// Above all numbers that it uses.
    pub(super) end: RawFd,
    /// Whether it becomes the foreground group of its terminal.
    pub(super) is_in_foreground: bool,
    /// The sources, kept open until the child has its copies.
    _open: Vec<OwnedFd>,
}

/// The descriptors of one child. It inherits no others: all of ours are close-on-exec.
#[derive(Debug)]
pub struct Descriptors {
    parent: ParentEnds,
    /// With the numbers that they have in the child.
    pub(super) child: Vec<(OwnedFd, RawFd)>,
    /// The numbers of the pipes between us, which are not shared with others.
    pipes: Vec<RawFd>,
    is_in_foreground: bool,
}

impl Descriptors {
    /// Pipes for standard output and standard error, which may share one.
    ///
    /// # Errors
    /// EMFILE, ENFILE.
    pub fn piped(stdin: ChildStdin<'_>, redirect_stderr: bool) -> io::Result<Self> {
        let (stdin_read, stdin_write) = match stdin {
            ChildStdin::Pipe => pipe_with(PipeFlags::CLOEXEC).map(|(read, write)| (read, Some(write)))?,
            ChildStdin::Empty => pipe_with(PipeFlags::CLOEXEC).map(|(read, _)| (read, None))?,
            ChildStdin::Socket(socket) => (socket.try_clone_to_owned()?, None),
        };
        let (stdout_read, stdout_write) = pipe_with(PipeFlags::CLOEXEC)?;
        let (stderr_read, stderr_write) = if redirect_stderr {
            (None, fcntl_dupfd_cloexec(&stdout_write, 0)?)
        } else {
            pipe_with(PipeFlags::CLOEXEC).map(|(read, write)| (Some(read), write))?
        };
        // Only our ends: O_NONBLOCK belongs to the open file, and the child's ends are its own.
        for fd in [&stdout_read].into_iter().chain(&stdin_write).chain(&stderr_read) {
            fcntl_setfl(fd, OFlags::NONBLOCK)?;
        }
        let is_socket = matches!(stdin, ChildStdin::Socket(_));
        let parent = ParentEnds {
            stdin: stdin_write.map(kept),
            stdout: Some(kept(stdout_read)),
            stderr: stderr_read.map(kept),
        };
        Ok(Self {
            parent,
            child: vec![(stdin_read, 0), (stdout_write, 1), (stderr_write, 2)],
            // A socket is shared.
            pipes: if is_socket { vec![1, 2] } else { vec![0, 1, 2] },
            is_in_foreground: false,
        })
    }

    /// Our own standard descriptors.
    ///
    /// # Errors
    /// EMFILE, ENFILE.
    pub fn ours(terminal: Terminal) -> io::Result<Self> {
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        Ok(Self {
            parent: ParentEnds { stdin: None, stdout: None, stderr: None },
            child: vec![
                (stdin.as_fd().try_clone_to_owned()?, 0),
                (stdout.as_fd().try_clone_to_owned()?, 1),
                (stderr.as_fd().try_clone_to_owned()?, 2),
            ],
            pipes: Vec::new(),
            is_in_foreground: terminal == Terminal::Foreground,
        })
    }

    /// Adds a descriptor for the child, with a number above those of the standard descriptors.
    #[must_use]
    pub fn with(mut self, fd: OwnedFd, number: RawFd) -> Self {
        self.child.push((fd, number));
        self
    }

    /// Adds a pipe whose write end has this number in the child, above those of the standard descriptors.
    /// Returns the read end, which is nonblocking.
    ///
    /// # Errors
    /// EMFILE, ENFILE.
    pub fn with_pipe(mut self, number: RawFd) -> io::Result<(Self, OwnedFd)> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setfl(&read, OFlags::NONBLOCK)?;
        self.pipes.push(number);
        Ok((self.with(write, number), kept(read)))
    }

    /// Changes the owner of the pipes to the user. A program that opens /dev/stdout by its path opens the
    /// pipe again, which only its owner and root may. If we may not change the owner, the child can't switch
    /// to that user either, and reports it itself.
    pub(super) fn give_to(&self, user: &User) {
        let (uid, gid) = (Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)));
        for (fd, _) in self.child.iter().filter(|(_, number)| self.pipes.contains(number)) {
            let _ = fchown(fd, uid, gid);
        }
    }

    /// Moves each source whose number the child needs for something else to an unused number, so that the
    /// order of the assignments does not matter. `notes` is a source without a number of its own.
    pub(super) fn assign(self, notes: BorrowedFd<'_>) -> io::Result<(ParentEnds, ChildDescriptors)> {
        let free = self.child.iter().map(|(_, number)| number.saturating_add(1)).max().unwrap_or(0);
        let (mut assignments, mut open) = (Vec::new(), Vec::new());
        let mut notes_number = notes.as_raw_fd();
        if self.child.iter().any(|(_, number)| *number == notes_number) {
            let moved = fcntl_dupfd_cloexec(notes, free)?;
            notes_number = moved.as_raw_fd();
            open.push(moved);
        }
        for (fd, number) in self.child {
            let fd = if fd.as_raw_fd() < free { fcntl_dupfd_cloexec(&fd, free)? } else { fd };
            assignments.push(Assignment { source: fd.as_raw_fd(), number });
            open.push(fd);
        }
        let numbers = assignments.iter().map(|it| it.source.max(it.number));
        let end = numbers.fold(notes_number.max(2), RawFd::max).saturating_add(1);
        let is_in_foreground = self.is_in_foreground;
        let child = ChildDescriptors {
            assignments,
            notes: NoteWriter(notes_number),
            end,
            is_in_foreground,
            _open: open,
        };
        Ok((self.parent, child))
    }
}

/// The process group or session of a program with our own standard descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// In our own process group.
    Ours,
    /// In a process group of its own.
    Group {
        /// It becomes the foreground group of the terminal instead of ours.
        foreground: bool,
    },
    /// In a session of its own. If standard input is a terminal and free, it becomes the controlling
    /// terminal.
    Session,
}
