//! Starting a program, the parent's side. What happens between fork and exec is in `child.rs`.

use std::ffi::{CString, NulError, OsStr, c_char};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;

use nix::errno::Errno;
use nix::unistd::{ForkResult, fork};
use rustix::fs::{Gid, OFlags, Uid, fchown, fcntl_getfl, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};

use super::{child, exec_shortages, kernel_signals};
use crate::model::{Pid, User};

/// A program made ready for exec: everything the child needs is allocated here, as it may not
/// allocate anything itself.
#[derive(Debug)]
pub struct Program {
    /// Tried one after the other.
    pub(super) files: Vec<CString>,
    pub(super) argv0: CString,
    /// Keeps alive what `argv` and `envp` point to.
    _strings: Vec<CString>,
    pub(super) argv: Vec<*const c_char>,
    pub(super) envp: Vec<*const c_char>,
    pub(super) directory: Option<CString>,
    pub(super) umask: Option<u32>,
    pub(super) user: Option<Arc<User>>,
}

impl Program {
    /// `file` is what is executed, `argv` what the program is told its arguments are.
    ///
    /// # Errors
    /// If any of the texts contains a NUL byte.
    pub fn new<A: AsRef<OsStr>, E: AsRef<OsStr>>(
        file: &Path,
        argv: &[A],
        environment: impl IntoIterator<Item = (E, E)>,
    ) -> Result<Self, NulError> {
        let mut strings = Vec::new();
        for argument in argv {
            strings.push(CString::new(argument.as_ref().as_bytes())?);
        }
        for (name, value) in environment {
            strings.push(CString::new([name.as_ref().as_bytes(), b"=", value.as_ref().as_bytes()].concat())?);
        }
        let pointers = |strings: &[CString]| -> Vec<*const c_char> {
            strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
        };
        Ok(Self {
            files: vec![CString::new(file.as_os_str().as_bytes())?],
            argv0: strings.first().cloned().unwrap_or_default(),
            argv: pointers(&strings[..argv.len()]),
            envp: pointers(&strings[argv.len()..]),
            _strings: strings,
            directory: None,
            umask: None,
            user: None,
        })
    }

    /// Where else it may be, in this order.
    ///
    /// # Errors
    /// If a path contains a NUL byte.
    pub fn or_else(mut self, files: impl IntoIterator<Item = PathBuf>) -> Result<Self, NulError> {
        for file in files {
            self.files.push(CString::new(file.as_os_str().as_bytes())?);
        }
        Ok(self)
    }

    /// The directory it starts in.
    ///
    /// # Errors
    /// If the path contains a NUL byte.
    pub fn directory(mut self, directory: Option<&Path>) -> Result<Self, NulError> {
        self.directory = directory.map(|path| CString::new(path.as_os_str().as_bytes())).transpose()?;
        Ok(self)
    }

    /// The umask it starts with.
    #[must_use]
    pub fn umask(mut self, umask: Option<u32>) -> Self {
        self.umask = umask;
        self
    }

    /// The user it becomes before it starts; nothing changes if that is who we are.
    #[must_use]
    pub fn user(mut self, user: Option<Arc<User>>) -> Self {
        self.user = user;
        self
    }
}

/// What a child has for standard input.
#[derive(Clone, Copy, Debug)]
pub enum Stdin<'a> {
    /// A pipe from us.
    Pipe,
    /// Nothing: reading gives the end at once, also where there is no /dev/null.
    Empty,
    /// A socket from which it takes connections.
    Socket(BorrowedFd<'a>),
}

/// How a child that has our own standard descriptors uses the terminal, if they are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// It is the foreground process group.
    Foreground,
    /// It may write to it.
    Background,
}

/// Our ends of a child's standard descriptors, none of which blocks.
#[derive(Debug)]
pub struct ParentEnds {
    /// Write end; `None` where standard input is empty, a socket, or ours.
    pub stdin: Option<OwnedFd>,
    /// Read end; `None` where it is ours.
    pub stdout: Option<OwnedFd>,
    /// Read end; `None` when stderr shares stdout's pipe, or is ours.
    pub stderr: Option<OwnedFd>,
}

/// The child's ends.
#[derive(Debug)]
pub(super) struct ChildEnds {
    pub(super) stdin: OwnedFd,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: Option<OwnedFd>,
    /// Whether it is to have the terminal that its standard input may be.
    pub(super) is_in_foreground: bool,
}

/// The standard descriptors of one child.
#[derive(Debug)]
pub struct Pipes {
    parent: ParentEnds,
    child: ChildEnds,
}

impl Pipes {
    /// # Errors
    /// EMFILE, ENFILE.
    pub fn new(stdin: Stdin<'_>, redirect_stderr: bool) -> io::Result<Self> {
        let (stdin_read, stdin_write) = match stdin {
            Stdin::Pipe => pipe_with(PipeFlags::CLOEXEC).map(|(read, write)| (read, Some(write)))?,
            Stdin::Empty => pipe_with(PipeFlags::CLOEXEC).map(|(read, _)| (read, None))?,
            Stdin::Socket(socket) => (socket.try_clone_to_owned()?, None),
        };
        let (stdout_read, stdout_write) = pipe_with(PipeFlags::CLOEXEC)?;
        let stderr = if redirect_stderr { None } else { Some(pipe_with(PipeFlags::CLOEXEC)?) };
        let (stderr_read, stderr_write) = stderr.unzip();
        // Only our ends: O_NONBLOCK belongs to the open file, and the child's ends are its own.
        for fd in [&stdout_read].into_iter().chain(&stdin_write).chain(&stderr_read) {
            set_nonblocking(fd)?;
        }
        Ok(Self {
            parent: ParentEnds { stdin: stdin_write, stdout: Some(stdout_read), stderr: stderr_read },
            child: ChildEnds {
                stdin: stdin_read,
                stdout: stdout_write,
                stderr: stderr_write,
                is_in_foreground: false,
            },
        })
    }

    /// The descriptors that we have ourselves, and the terminal with them if they are one.
    ///
    /// # Errors
    /// EMFILE, ENFILE.
    pub fn ours(terminal: Terminal) -> io::Result<Self> {
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        Ok(Self {
            parent: ParentEnds { stdin: None, stdout: None, stderr: None },
            child: ChildEnds {
                stdin: stdin.as_fd().try_clone_to_owned()?,
                stdout: stdout.as_fd().try_clone_to_owned()?,
                stderr: Some(stderr.as_fd().try_clone_to_owned()?),
                is_in_foreground: terminal == Terminal::Foreground,
            },
        })
    }

    /// Makes the pipes the user's own. A program that opens /dev/stdout by its path opens the pipe once more,
    /// which only its owner and root may. Where we may not give them away the child can't become that user
    /// either, and says so itself.
    fn give_to(&self, user: &User) {
        let (uid, gid) = (Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)));
        // Standard input that is a socket belongs to others too; an empty pipe is read by its descriptor alone.
        let stdin = self.parent.stdin.as_ref().map(|_| &self.child.stdin);
        for fd in [&self.child.stdout].into_iter().chain(&self.child.stderr).chain(stdin) {
            let _ = fchown(fd, uid, gid);
        }
    }
}

fn set_nonblocking(fd: impl AsFd) -> io::Result<()> {
    Ok(fcntl_setfl(&fd, fcntl_getfl(&fd)? | OFlags::NONBLOCK)?)
}

/// Starts the program as leader of a process group of its own, with default signal dispositions.
/// That the program can't be executed shows in what it writes to its standard error and in its
/// exit status of 127, as with Supervisor; fork itself does not wait for exec.
///
/// # Errors
/// What fork(2) says: EAGAIN, ENOMEM.
pub fn spawn(program: &Program, pipes: Pipes) -> io::Result<(Pid, ParentEnds)> {
    if let Some(user) = &program.user {
        pipes.give_to(user);
    }
    exec_shortages::prepare();
    // A signal that came to the child before it has dropped our handlers would be reported to us.
    let before = kernel_signals::block(kernel_signals::ALL)?;
    let forked = fork_into(|| child::run(program, &pipes.child));
    if let Ok(pid) = &forked {
        make_group_leader(*pid);
    }
    kernel_signals::block(before)?;
    Ok((forked?, pipes.parent))
}

/// Where a program runs that has our own standard descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a process group of its own.
    Group {
        /// Which takes our place in the foreground of the terminal.
        foreground: bool,
    },
    /// In a session of its own, with standard input for its terminal if that is one and free.
    Session,
}

/// Why a program could not be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What kind of reason it is.
    pub cause: Cause,
    /// `No such file or directory`
    pub text: &'static str,
}

/// What a shell tells apart by its exit codes 126 and 127.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain words")]
pub enum Cause {
    NotFound,
    Denied,
    Other,
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        let cause = match errno {
            Errno::ENOENT | Errno::ENOTDIR => Cause::NotFound,
            Errno::EACCES => Cause::Denied,
            _ => Cause::Other,
        };
        Self { cause, text: errno.desc() }
    }
}

/// Tells on the child's standard error that its program could not be executed, and gives the child's exit
/// status. It is called between fork and exec: it may not allocate, nor take a lock.
pub type Refusal<'a> = dyn Fn(Refused, &mut dyn fmt::Write) -> u8 + 'a;

/// Starts the program with our own standard descriptors, and with whatever else we have open, with
/// default signal dispositions. For callers who block all signals ([`super::sigwait`]).
///
/// # Errors
/// What fork(2) says: EAGAIN, ENOMEM.
pub fn spawn_in_place(program: &Program, place: Place, refused: &Refusal) -> io::Result<Pid> {
    fork_into(|| child::run_in_place(program, place, refused))
}

/// Both sides of a fork do this: whichever runs first, the group is there before anybody can signal it.
/// It fails if the child has done it and executed its program since (EACCES), or has ended (ESRCH).
fn make_group_leader(child: Pid) {
    let child = nix::unistd::Pid::from_raw(child.0);
    let _ = nix::unistd::setpgid(child, child);
}

/// `run` does not return.
fn fork_into(run: impl FnOnce()) -> io::Result<Pid> {
    // SAFETY: the process has one thread, and the child calls nothing but functions of `child`,
    // which neither allocate nor take locks.
    #[expect(unsafe_code, reason = "the fork that this module is for")]
    match unsafe { fork() }? {
        ForkResult::Child => {
            run();
            child::exit(child::NOT_SPAWNED)
        }
        ForkResult::Parent { child } => Ok(Pid(child.as_raw())),
    }
}
