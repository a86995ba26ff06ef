//! Spawning a program, the parent side. `clone` has the kinds of fork; the child side until exec is in
//! `child`.

use std::ffi::{CStr, CString, NulError, OsStr, c_char};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;

use nix::errno::Errno;
use rustix::fs::{Gid, OFlags, Uid, fchown, fcntl_setfl};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::pipe::{PipeFlags, pipe_with};

use super::attributes::ChildLimits;
use super::kept::kept;
use super::own_pid::OwnPid;
use super::spawn_failures::SpawnFailure;
use super::{child, clone, kernel_signals, spawn_failures, users};
use crate::model::{LimitsSpec, Pid, User};

/// Strings as exec takes them, each with a NUL byte at its end. In one buffer, as a start would otherwise allocate several
/// times for each variable.
#[derive(Debug, Default)]
struct ExecStrings {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl ExecStrings {
    fn add(&mut self, parts: &[&[u8]]) -> Result<(), NulError> {
        if let Some(with_nul) = parts.iter().find(|part| memchr::memchr(0, part).is_some()) {
            CString::new(*with_nul)?;
        }
        self.starts.push(self.bytes.len());
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.bytes.push(0);
        Ok(())
    }

    fn add_variable(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Result<(), NulError> {
        self.add(&[name.as_ref().as_bytes(), b"=", value.as_ref().as_bytes()])
    }

    /// Valid while this is not changed.
    fn pointers(&self) -> impl Iterator<Item = *const c_char> {
        let start: *const c_char = self.bytes.as_ptr().cast();
        self.starts.iter().map(move |at| start.wrapping_add(*at))
    }
}

/// The variables that many programs inherit, in the form that exec takes.
#[derive(Debug)]
pub struct InheritedVariables {
    strings: ExecStrings,
    name_lengths: Vec<usize>,
}

impl InheritedVariables {
    /// One with a NUL byte, which no process can have, is left out.
    #[must_use]
    pub fn new<'v>(variables: impl IntoIterator<Item = (&'v OsStr, &'v OsStr)>) -> Self {
        let (mut strings, mut name_lengths) = (ExecStrings::default(), Vec::new());
        for (name, value) in variables {
            if strings.add_variable(name, value).is_ok() {
                name_lengths.push(name.len());
            }
        }
        Self { strings, name_lengths }
    }

    fn names(&self) -> impl Iterator<Item = &OsStr> {
        let starts_and_lengths = self.strings.starts.iter().zip(&self.name_lengths);
        starts_and_lengths.map(|(start, length)| OsStr::from_bytes(&self.strings.bytes[*start..][..*length]))
    }
}

/// A program ready for exec. Everything that the child needs is allocated here, since the child must not
/// allocate.
#[derive(Debug)]
pub struct Program {
    /// Tried in order.
    pub(super) files: Vec<CString>,
    pub(super) argv0: CString,
    /// What `argv` and `envp` point to.
    _strings: ExecStrings,
    _inherited: Option<Arc<InheritedVariables>>,
    pub(super) own_pid: Option<OwnPid>,
    pub(super) argv: Vec<*const c_char>,
    pub(super) envp: Vec<*const c_char>,
}

impl Program {
    /// Executes `file` with `argv` as its arguments.
    ///
    /// # Errors
    /// If any of the texts contains a NUL byte.
    pub fn new<A: AsRef<OsStr>, E: AsRef<OsStr>>(
        file: &Path,
        argv: &[A],
        environment: impl IntoIterator<Item = (E, E)>,
    ) -> Result<Self, NulError> {
        let mut strings = ExecStrings::default();
        argv.iter().try_for_each(|argument| strings.add(&[argument.as_ref().as_bytes()]))?;
        environment.into_iter().try_for_each(|(name, value)| strings.add_variable(name, value))?;
        let mut pointers = strings.pointers();
        let end = [ptr::null()];
        let argv0 = argv.first().map_or(OsStr::new(""), AsRef::as_ref);
        Ok(Self {
            files: vec![CString::new(file.as_os_str().as_bytes())?],
            argv0: CString::new(argv0.as_bytes())?,
            argv: pointers.by_ref().take(argv.len()).chain(end).collect(),
            envp: pointers.chain(end).collect(),
            _strings: strings,
            _inherited: None,
            own_pid: None,
        })
    }

    /// Adds the inherited variables, except those of these names.
    #[must_use]
    pub fn inheriting(mut self, all: &Arc<InheritedVariables>, except: impl Fn(&OsStr) -> bool) -> Self {
        let named = all.strings.pointers().zip(all.names());
        self.envp.splice(..0, named.filter(|(_, name)| !except(name)).map(|(variable, _)| variable));
        Self { _inherited: Some(Arc::clone(all)), ..self }
    }

    /// Adds a variable whose value is the pid of the program.
    #[must_use]
    pub fn with_own_pid(mut self, name: &CStr) -> Self {
        let own_pid = OwnPid::new(name);
        // Before the terminating null pointer.
        self.envp.insert(self.envp.len().saturating_sub(1), own_pid.as_ptr());
        Self { own_pid: Some(own_pid), ..self }
    }

    /// Adds alternative paths, in order.
    ///
    /// # Errors
    /// If a path contains a NUL byte.
    pub fn or_else(mut self, files: impl IntoIterator<Item = PathBuf>) -> Result<Self, NulError> {
        for file in files {
            self.files.push(CString::new(file.as_os_str().as_bytes())?);
        }
        Ok(self)
    }
}

/// The attributes that a child changes before it executes its program. Unset ones are inherited.
#[derive(Debug, Default)]
pub struct Attributes {
    pub(super) directory: Option<CString>,
    pub(super) umask: Option<u32>,
    pub(super) user: Option<Arc<User>>,
    pub(super) limits: Option<Box<ChildLimits>>,
    /// The cgroup that the child moves to.
    pub(super) cgroup: Option<Entrance>,
}

/// How a child enters a cgroup.
#[derive(Debug)]
pub struct Entrance {
    /// The file that it writes to.
    pub file: OwnedFd,
    /// Whether it ends if it can't. Otherwise it leaves a note, see [`spawn_failures::take_entry`].
    pub is_required: bool,
}

impl Attributes {
    /// # Errors
    /// If the path of the directory contains a NUL byte.
    pub fn new(
        directory: Option<&Path>,
        umask: Option<u32>,
        user: Option<Arc<User>>,
    ) -> Result<Self, NulError> {
        let directory = directory.map(|path| CString::new(path.as_os_str().as_bytes())).transpose()?;
        Ok(Self { directory, umask, user, limits: None, cgroup: None })
    }

    /// Adds limits, priorities and privileges.
    #[must_use]
    pub fn with_limits(self, limits: Option<&LimitsSpec>) -> Self {
        Self { limits: limits.map(|limits| Box::new(ChildLimits::new(limits.clone()))), ..self }
    }

    /// Adds the entrance of a cgroup.
    #[must_use]
    pub fn within(self, cgroup: Option<Entrance>) -> Self {
        Self { cgroup, ..self }
    }

    /// Whether the child may share our memory until exec, see [`clone`]. Moving to a cgroup may take some milliseconds.
    fn allow_shared_memory(&self) -> bool {
        self.directory.is_none()
            && self.cgroup.is_none()
            && self.user.as_ref().is_none_or(|user| users::is_ours(user))
            && self.limits.as_ref().is_none_or(|limits| limits.allow_shared_memory())
    }
}

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
    child: Vec<(OwnedFd, RawFd)>,
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
    fn give_to(&self, user: &User) {
        let (uid, gid) = (Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)));
        for (fd, _) in self.child.iter().filter(|(_, number)| self.pipes.contains(number)) {
            let _ = fchown(fd, uid, gid);
        }
    }

    /// Moves each source whose number the child needs for something else to an unused number, so that the
    /// order of the assignments does not matter.
    pub(super) fn assign(self) -> io::Result<(ParentEnds, ChildDescriptors)> {
        let free = self.child.iter().map(|(_, number)| number.saturating_add(1)).max().unwrap_or(0);
        let (mut assignments, mut open) = (Vec::new(), Vec::new());
        for (fd, number) in self.child {
            let fd = if fd.as_raw_fd() < free { fcntl_dupfd_cloexec(&fd, free)? } else { fd };
            assignments.push(Assignment { source: fd.as_raw_fd(), number });
            open.push(fd);
        }
        let end = assignments.iter().map(|it| it.source.max(it.number)).fold(2, RawFd::max).saturating_add(1);
        let is_in_foreground = self.is_in_foreground;
        let child = ChildDescriptors { assignments, end, is_in_foreground, _open: open };
        Ok((self.parent, child))
    }
}

/// Starts the program as leader of a process group of its own, with default signal dispositions. A step that
/// fails in the child is in [`spawn_failures`] when the child is reaped, and on its standard error; its exit
/// status is 127, as in Supervisor.
///
/// # Errors
/// The error of fork(2): EAGAIN, ENOMEM; EMFILE if a descriptor can't be copied.
pub fn spawn(
    program: &Program,
    attributes: &Attributes,
    descriptors: Descriptors,
) -> io::Result<(Pid, ParentEnds)> {
    if let Some(user) = &attributes.user {
        descriptors.give_to(user);
    }
    let (parent, descriptors) = descriptors.assign()?;
    spawn_failures::prepare();
    // A signal that reaches the child before it has reset our handlers would be reported to us.
    let before = kernel_signals::block(kernel_signals::ALL)?;
    let run = || child::run(program, attributes, &descriptors);
    let forked = start(attributes.allow_shared_memory().then_some(descriptors.end), &run);
    kernel_signals::block(before)?;
    Ok((forked?, parent))
}

/// With `end`, the child may share our memory, and needs none of our descriptors from that number on.
fn start(end: Option<RawFd>, run: &dyn Fn()) -> io::Result<Pid> {
    if let Some(end) = end {
        match clone::within_our_memory(end, run) {
            // A sandbox that only allows fork(2).
            Err(error) if is_refusal(&error) => {}
            started => return started,
        }
    }
    let pid = clone::with_copied_memory(run)?;
    make_group_leader(pid);
    Ok(pid)
}

fn is_refusal(error: &io::Error) -> bool {
    let refusals = [Errno::EPERM, Errno::ENOSYS, Errno::EINVAL];
    error.raw_os_error().is_some_and(|raw| refusals.contains(&Errno::from_raw(raw)))
}

/// The process group or session of a program with our own standard descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// In a process group of its own.
    Group {
        /// It becomes the foreground group of the terminal instead of ours.
        foreground: bool,
    },
    /// In a session of its own. If standard input is a terminal and free, it becomes the controlling
    /// terminal.
    Session,
}

/// Why a program could not be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecError {
    /// What kind of reason it is.
    pub kind: ExecErrorKind,
    /// `No such file or directory`
    pub text: &'static str,
}

/// What a shell distinguishes by its exit codes 126 and 127.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain words")]
pub enum ExecErrorKind {
    NotFound,
    Denied,
    Other,
}

impl From<Errno> for ExecError {
    fn from(errno: Errno) -> Self {
        let kind = match errno {
            Errno::ENOENT | Errno::ENOTDIR => ExecErrorKind::NotFound,
            Errno::EACCES => ExecErrorKind::Denied,
            _ => ExecErrorKind::Other,
        };
        Self { kind, text: errno.desc() }
    }
}

/// Reports on the child's standard error that its program could not be executed, and returns the child's exit
/// status. It is called between fork and exec: it must not allocate or take a lock.
pub type ReportExecError<'a> = dyn Fn(ExecError, &mut dyn fmt::Write) -> u8 + 'a;

/// Starts the program with our own standard descriptors and all other inherited ones, with default signal
/// dispositions. For callers that block all signals ([`super::sigwait`]).
///
/// # Errors
/// The error of fork(2): EAGAIN, ENOMEM.
pub fn spawn_in_place(
    program: &Program,
    membership: Membership,
    report: &ReportExecError<'_>,
) -> io::Result<Pid> {
    clone::with_copied_memory(&|| child::run_in_place(program, membership, report))
}

/// Becomes the program, in our own place: our process id, process group and standard descriptors are the program's.
/// Returns only on failure, after which attributes may have been applied.
#[must_use]
pub fn become_program(program: &Program, attributes: &Attributes) -> SpawnFailure {
    let (step, errno) = child::become_in_place(program, attributes);
    SpawnFailure { step, error: errno.into() }
}

/// Both sides of a fork do this: whichever runs first, the group is there before it can be signalled.
/// It fails if the child has done it and executed its program since (EACCES), or has ended (ESRCH).
pub(super) fn make_group_leader(child: Pid) {
    let child = nix::unistd::Pid::from_raw(child.0);
    let _ = nix::unistd::setpgid(child, child);
}

#[cfg(test)]
mod tests;
