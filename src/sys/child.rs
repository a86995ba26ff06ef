//! The child side of fork, until exec. Nothing here allocates, takes a lock, logs or returns: the child is a
//! copy of the supervisor, or shares its memory, and must not act as a supervisor or change that memory.
//!
//! A step that fails is reported on the child's standard error, in Supervisor's words, and in a note to the
//! parent (`spawn_failures`). Then the child exits with status 127.

use std::ffi::CStr;
use std::fmt::{self, Write};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, chdir, getpid, setpgid, setsid};
use rustix::process::{getpgrp, ioctl_tiocsctty};
use rustix::termios::tcsetpgrp;

use super::attributes::{Attributes, ChildLimits, Entrance, NotApplied};
use super::descriptors::{Assignment, ChildDescriptors, Membership};
use super::exec_error::ReportExecError;
use super::kernel_signals;
use super::program::Program;
use super::spawn_failures::{NOT_SPAWNED, NoteWriter, Step};
use super::users::{UserRefused, become_user};
use crate::model::{LimitOption, User};

pub(super) fn run(program: &Program, attributes: &Attributes, descriptors: &ChildDescriptors) -> ! {
    become_program(program, attributes, descriptors);
    say(format_args!("supervisor: child process was not spawned\n"));
    exit(NOT_SPAWNED.into())
}

/// Keeps our own standard descriptors. `report` returns the exit status.
pub(super) fn run_in_place(program: &Program, membership: Membership, report: &ReportExecError<'_>) -> ! {
    // While all signals are still blocked, SIGTTOU among them: a background group takes the terminal here.
    join(membership);
    default_signals();
    let errno = exec(program);
    exit(i32::from(report(errno.into(), &mut StandardError)))
}

/// Ends with the errno of looking for a file, or 0. The file system may never answer.
pub(super) fn look_for_file(path: &CStr) -> ! {
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    default_signals();
    close_from(0);
    exit(status_of(rustix::fs::stat(path).map(drop)))
}

/// The exit status for this outcome: its errno, or 0.
fn status_of(outcome: rustix::io::Result<()>) -> i32 {
    match outcome {
        Ok(()) => 0,
        Err(errno) => u8::try_from(errno.raw_os_error()).map_or(libc::EIO, i32::from),
    }
}

/// Closes what a copy of us does not use, so that clients see the end of their connections and our locks end with us.
/// Without close_range(2) it stays open until the copy ends.
fn close_from(first: u32) {
    let _ = close_range(first, 0);
}

/// Calls close_range(2) for all descriptors from this number on. Only for numbers that nothing of this process uses.
pub(super) fn close_range(first: u32, flags: u32) -> Result<(), Errno> {
    // SAFETY: no owner of such a descriptor uses it again, as the callers ensure, and the call touches no memory.
    #[expect(unsafe_code, reason = "close_range(2) has no wrapper")]
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) };
    Errno::result(result).map(drop)
}

/// Replaces the table of descriptors, which is shared with the parent, by a copy of the part that the child needs. If that
/// fails, the child only leaves a note: its standard error is the parent's.
pub(super) fn copy_descriptors(descriptors: &ChildDescriptors) {
    if let Err(errno) = close_range(descriptors.end.cast_unsigned(), libc::CLOSE_RANGE_UNSHARE) {
        descriptors.notes.leave(Step::Descriptors, errno);
        exit(NOT_SPAWNED.into());
    }
}

/// Ends with the errno of writing to a file, or 0. The kernel may take long to do what is written.
pub(super) fn write_and_exit(file: &impl AsFd, bytes: &[u8]) -> ! {
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    default_signals();
    if let Err(errno) = assign(&Assignment { source: file.as_fd().as_raw_fd(), number: 0 }) {
        exit(errno as i32);
    }
    close_from(1);
    // SAFETY: descriptor 0 was just opened, and stays open until this process ends.
    #[expect(unsafe_code, reason = "a descriptor by its number")]
    let file = unsafe { BorrowedFd::borrow_raw(0) };
    exit(status_of(rustix::io::write(file, bytes).map(drop)))
}

/// Done on this side of fork, so that the program can't run before it. Only taking the terminal can fail for a child
/// that was just forked, and then it runs without.
fn join(membership: Membership) {
    match membership {
        Membership::Ours => {}
        Membership::Group { foreground } => {
            let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
            if foreground {
                let _ = tcsetpgrp(io::stdin(), getpgrp());
            }
        }
        Membership::Session => {
            let _ = setsid();
            let _ = ioctl_tiocsctty(io::stdin());
        }
    }
}

pub(super) fn exit(status: i32) -> ! {
    // SAFETY: _exit(2) ends the process at once: no destructors, no buffers flushed twice.
    #[expect(unsafe_code, reason = "exit would run the parent's handlers")]
    unsafe {
        libc::_exit(status)
    }
}

/// Returns only if a step failed, which was reported.
fn become_program(program: &Program, attributes: &Attributes, descriptors: &ChildDescriptors) {
    // In Supervisor's order: later failures find their standard error in place.
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    // Before its descriptor is replaced, and before anything is charged to ours. 0 is the writer.
    let notes = descriptors.notes;
    let entered = attributes.cgroup.as_ref().map_or(Ok(()), |entrance| enter_cgroup(entrance, notes));
    if let Err(errno) = descriptors.assignments.iter().try_for_each(assign) {
        return notes.leave(Step::Descriptors, errno);
    }
    if descriptors.is_in_foreground {
        // The terminal is ours, and a background group can't read from it. SIGTTOU, with which the kernel answers
        // this otherwise, is still blocked.
        let _ = tcsetpgrp(io::stdin(), getpgrp());
    }
    default_signals();
    let entered = entered.map_err(|errno| NotApplied { option: LimitOption::Cgroup, errno });
    let applied = entered.map_err(AttributeRefusal::Limit).and_then(|()| apply(attributes));
    if let Err(refusal) = applied {
        notes.leave(refusal.step(), refusal.errno());
        return refusal.say();
    }
    let errno = exec(program);
    notes.leave(Step::Exec, errno);
    say(format_args!("supervisor: couldn't exec {}: {errno:?}\n", Bytes(&program.argv0)));
}

/// A failure that does not end the child is left as a note.
fn enter_cgroup(entrance: &Entrance, notes: NoteWriter) -> Result<(), Errno> {
    let written = rustix::io::write(&entrance.file, b"0");
    let entered = written.map(drop).map_err(|error| Errno::from_raw(error.raw_os_error()));
    if entrance.is_required {
        return entered;
    }
    notes.leave(Step::Cgroup, entered.err().unwrap_or(Errno::UnknownErrno));
    Ok(())
}

/// An attribute that could not be applied.
enum AttributeRefusal<'a> {
    Limit(NotApplied),
    User(&'a User, UserRefused),
    Directory(&'a CStr, Errno),
}

impl AttributeRefusal<'_> {
    fn step(&self) -> Step {
        match self {
            Self::Limit(refused) => Step::Limit(refused.option),
            Self::User(..) => Step::User,
            Self::Directory(..) => Step::Directory,
        }
    }

    fn errno(&self) -> Errno {
        match self {
            Self::Limit(NotApplied { errno, .. })
            | Self::User(_, UserRefused { errno, .. })
            | Self::Directory(_, errno) => *errno,
        }
    }

    /// In Supervisor's words, as far as it has any.
    fn say(&self) {
        match self {
            Self::Limit(NotApplied { option, errno }) => {
                say(format_args!("supervisor: couldn't apply {}: {errno:?}\n", option.name()));
            }
            Self::User(user, refused) => {
                say(format_args!("supervisor: couldn't setuid to {}: {}\n", user.uid, refused.text));
            }
            Self::Directory(directory, errno) => {
                say(format_args!("supervisor: couldn't chdir to {}: {errno:?}\n", Bytes(directory)));
            }
        }
    }
}

/// In the order of privileges.
fn apply(attributes: &Attributes) -> Result<(), AttributeRefusal<'_>> {
    let limits = attributes.limits.as_deref();
    limits.map_or(Ok(()), ChildLimits::apply_before_user).map_err(AttributeRefusal::Limit)?;
    if let Some(user) = &attributes.user {
        become_user(user).map_err(|refused| AttributeRefusal::User(user, refused))?;
    }
    limits.map_or(Ok(()), ChildLimits::apply_after_user).map_err(AttributeRefusal::Limit)?;
    if let Some(directory) = &attributes.directory {
        chdir(directory.as_c_str()).map_err(|errno| AttributeRefusal::Directory(directory, errno))?;
    }
    if let Some(mask) = attributes.umask {
        umask(Mode::from_bits_truncate(mask));
    }
    Ok(())
}

/// For a process that becomes the program itself. Returns only on failure.
pub(super) fn become_in_place(program: &Program, attributes: &Attributes) -> (Step, Errno) {
    match apply(attributes) {
        Ok(()) => {
            default_signals();
            (Step::Exec, exec(program))
        }
        Err(refusal) => (refusal.step(), refusal.errno()),
    }
}

/// Duplicates a descriptor to its number. The copy is not close-on-exec.
fn assign(&Assignment { source, number }: &Assignment) -> Result<(), Errno> {
    // SAFETY: dup2(2) takes two numbers and touches no memory of ours. The descriptor that it may close under the new
    // number is the child's own copy, and nothing here uses it.
    #[expect(unsafe_code, reason = "descriptors by their numbers")]
    Errno::result(unsafe { libc::dup2(source, number) }).map(drop)
}

/// Executes the first of the program's files that can be executed, as execvp(3) does: a file that is not
/// executable is skipped, and reported if there is no other. Returns only on failure.
fn exec(program: &Program) -> Errno {
    if let Some(own_pid) = &program.own_pid {
        own_pid.write(getpid().as_raw());
    }
    let mut worst = Errno::ENOENT;
    for file in &program.files {
        // SAFETY: `file` and the elements of both arrays are NUL-terminated strings that `program`
        // keeps alive, and both arrays end with a null pointer.
        #[expect(unsafe_code, reason = "nix's execve allocates")]
        unsafe {
            libc::execve(file.as_ptr(), program.argv.as_ptr(), program.envp.as_ptr());
        }
        match Errno::last() {
            Errno::ENOENT if worst == Errno::ENOTDIR => {}
            Errno::ENOENT | Errno::ENOTDIR if worst == Errno::EACCES => {}
            missing @ (Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => worst = missing,
            other => return other,
        }
    }
    worst
}

/// COMPAT: Python leaves SIGPIPE and SIGXFSZ ignored in children. exec resets handlers, but ignored signals stay
/// ignored; and no handler of ours may run here once signals are unblocked.
fn default_signals() {
    (1..=64).for_each(kernel_signals::default);
    let _ = kernel_signals::block(0);
}

/// Writes to standard error, unbuffered.
fn say(message: fmt::Arguments<'_>) {
    let _ = StandardError.write_fmt(message);
}

struct StandardError;

impl Write for StandardError {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_all(text.as_bytes());
        Ok(())
    }
}

fn write_all(mut bytes: &[u8]) {
    // SAFETY: descriptor 2 was made by dup2 above and stays open until the end of this process.
    #[expect(unsafe_code, reason = "a descriptor by its number")]
    let stderr = unsafe { BorrowedFd::borrow_raw(2) };
    while !bytes.is_empty() {
        match nix::unistd::write(stderr, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

/// Writes bytes unchanged, without allocating a string.
struct Bytes<'a>(&'a CStr);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing is buffered, so the order is kept.
        self.0.to_bytes().utf8_chunks().try_for_each(|chunk| {
            f.write_str(chunk.valid())?;
            if chunk.invalid().is_empty() { Ok(()) } else { f.write_char('\u{fffd}') }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errno_that_no_exit_status_has_is_an_error_all_the_same() {
        assert_eq!(status_of(Err(rustix::io::Errno::NOENT)), libc::ENOENT);
        assert_eq!(status_of(Err(rustix::io::Errno::from_raw_os_error(300))), libc::EIO);
    }
}
