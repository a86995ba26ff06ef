//! Between fork and exec. Nothing here allocates, takes a lock, logs or returns: this is a copy of
//! the supervisor that must not behave like one.
//!
//! A step that fails says so on the child's standard error, in Supervisor's words, and ends the
//! child with status 127.

use std::ffi::CStr;
use std::fmt::{self, Write};
use std::io;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::libc;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, setpgid, setsid};
use rustix::process::{getpgrp, ioctl_tiocsctty};
use rustix::termios::tcsetpgrp;

use super::spawn::{ChildEnds, Place, Program, Refusal};
use super::users::become_user;
use super::{exec_shortages, kernel_signals};

/// Exit status of a child that could not become its program.
pub(super) const NOT_SPAWNED: i32 = 127;

pub(super) fn run(program: &Program, ends: &ChildEnds) -> ! {
    become_program(program, ends);
    say(format_args!("supervisor: child process was not spawned\n"));
    exit(NOT_SPAWNED)
}

/// With our own standard descriptors. What `refused` writes is told there, and what it gives is the exit status.
pub(super) fn run_in_place(program: &Program, place: Place, refused: &Refusal) -> ! {
    // While all signals are still blocked, SIGTTOU among them: a background group takes the terminal here.
    take_place(place);
    default_signals();
    let errno = exec(program);
    exit(i32::from(refused(errno.into(), &mut StandardError)))
}

/// Done on this side of fork, so that the program can't run before it. Nothing here can fail for a child that
/// was just forked but for the terminal, without which it goes on.
fn take_place(place: Place) {
    match place {
        Place::Group { foreground } => {
            let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
            if foreground {
                let _ = tcsetpgrp(io::stdin(), getpgrp());
            }
        }
        Place::Session => {
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

/// Returns only when it failed, having said why.
fn become_program(program: &Program, ends: &ChildEnds) {
    // In the order of Supervisor: what fails later finds its standard error in place.
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    let stderr = ends.stderr.as_ref().unwrap_or(&ends.stdout);
    if dup2_stdin(&ends.stdin).is_err() || dup2_stdout(&ends.stdout).is_err() || dup2_stderr(stderr).is_err()
    {
        return;
    }
    if ends.is_in_foreground {
        // Of a terminal that is ours: who is in the background can't read from it. SIGTTOU, with which the
        // kernel answers this otherwise, is blocked still.
        let _ = tcsetpgrp(&ends.stdin, getpgrp());
    }
    default_signals();
    if let Some(user) = &program.user
        && let Err(why) = become_user(user)
    {
        return say(format_args!("supervisor: couldn't setuid to {}: {why}\n", user.uid));
    }
    if let Some(directory) = &program.directory
        && let Err(errno) = chdir(directory.as_c_str())
    {
        return say(format_args!("supervisor: couldn't chdir to {}: {errno:?}\n", Bytes(directory)));
    }
    if let Some(mask) = program.umask {
        umask(Mode::from_bits_truncate(mask));
    }
    let errno = exec(program);
    exec_shortages::leave(errno);
    say(format_args!("supervisor: couldn't exec {}: {errno:?}\n", Bytes(&program.argv0)));
}

/// Executes the first of the program's files that can be, as execvp(3) does: one that may not be executed
/// is passed over, and told of if there is no other. Returns only when there was none.
fn exec(program: &Program) -> Errno {
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

/// COMPAT: Python leaves SIGPIPE and SIGXFSZ ignored in children. Handlers would be dropped by
/// exec, but what is ignored would stay so; and nothing may be delivered before they are gone.
fn default_signals() {
    (1..=64).for_each(kernel_signals::default);
    let _ = kernel_signals::block(0);
}

/// Writes to standard error without a buffer.
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

/// Shows bytes as they are, without making a text of them first.
struct Bytes<'a>(&'a CStr);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whatever is written before it goes out at once, so the order is kept.
        self.0.to_bytes().utf8_chunks().try_for_each(|chunk| {
            f.write_str(chunk.valid())?;
            if chunk.invalid().is_empty() { Ok(()) } else { f.write_char('\u{fffd}') }
        })
    }
}
