//! The two kinds of fork: with a copy of our memory, and within our memory.
//!
//! fork(2) copies page tables, and afterwards each page that we write to is copied, too. A child that shares
//! our memory, as with vfork(2) and posix_spawn(3), avoids both: we are suspended until it has executed its
//! program or exited. This has two drawbacks: if the child blocks, we block too; and while a child with the
//! credentials of another user runs in our memory, that user's processes may stop it, and us with it. So a
//! child that changes its user, its directory, its cgroup, its priority or its privileges gets a copy.

use std::io;
use std::mem::MaybeUninit;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::libc::{self, c_int, c_void};
use nix::unistd::{ForkResult, fork};

use super::descriptors::ChildDescriptors;
use super::spawn_failures::NOT_SPAWNED;
use super::{child, kernel_signals};
use crate::model::Pid;

/// The stack of a child within our memory, which is a part of ours: a mapping of its own would cost as much as the rest of a
/// start, since its removal interrupts every processor that we have run on. It has no page that stops an overflow; what a
/// child does is known, and needs less than half of it even in a build for tests.
#[repr(C, align(16))]
struct ChildStack([MaybeUninit<u8>; 8 * 1024]);

impl ChildStack {
    const fn new() -> Self {
        Self([MaybeUninit::uninit(); _])
    }

    fn top(&mut self) -> *mut c_void {
        self.0.as_mut_ptr_range().end.cast()
    }
}

/// Runs a function in a child that has a copy of our memory. The function does not return.
///
/// # Errors
/// The error of fork(2): EAGAIN, ENOMEM.
pub(super) fn with_copied_memory(run: &dyn Fn()) -> io::Result<Pid> {
    // SAFETY: the process has one thread, and the child calls nothing but functions of `child`, which neither
    // allocate nor take locks.
    #[expect(unsafe_code, reason = "the fork that this module is for")]
    match unsafe { fork() }? {
        ForkResult::Child => {
            run();
            child::exit(NOT_SPAWNED.into())
        }
        ForkResult::Parent { child } => Ok(Pid(child.as_raw())),
    }
}

/// Runs a function in a child that does slow work for us, in a process group of its own. The function does not return.
///
/// # Errors
/// The error of fork(2): EAGAIN, ENOMEM.
pub(super) fn helper(run: &dyn Fn()) -> io::Result<Pid> {
    // A signal that reaches the child would be reported to us.
    let before = kernel_signals::block(kernel_signals::ALL)?;
    let forked = with_copied_memory(run);
    kernel_signals::block(before)?;
    let pid = forked?;
    make_group_leader(pid);
    Ok(pid)
}

/// Both sides of a fork do this: whichever runs first, the group is there before it can be signalled.
/// It fails if the child has done it and executed its program since (EACCES), or has ended (ESRCH).
pub(super) fn make_group_leader(child: Pid) {
    let child = nix::unistd::Pid::from_raw(child.0);
    let _ = nix::unistd::setpgid(child, child);
}

/// Runs a function in a child that shares our memory, and returns when the child has executed a program or
/// exited. All signals must be blocked, and `run` must not change our memory except its own stack. The child has
/// those of our descriptors whose numbers are below the end of these; the others it has until exec, or not at all.
///
/// # Errors
/// The error of clone(2): EAGAIN, ENOMEM.
pub(super) fn within_our_memory(child_descriptors: &ChildDescriptors, run: &dyn Fn()) -> io::Result<Pid> {
    on_stack(&mut ChildStack::new(), child_descriptors, run)
}

fn on_stack(stack: &mut ChildStack, child_descriptors: &ChildDescriptors, run: &dyn Fn()) -> io::Result<Pid> {
    // A copy of a table with thousands of descriptors, which are closed one by one before exec, takes longer than all
    // the rest. So the child starts with our table, and copies the part that it needs.
    let copies_descriptors_itself = can_copy_descriptors();
    let descriptors = if copies_descriptors_itself { libc::CLONE_FILES } else { 0 };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD | descriptors;
    let run: &dyn Fn() = &|| {
        if copies_descriptors_itself {
            child::copy_descriptors(child_descriptors);
        }
        run();
    };
    let argument: *const &dyn Fn() = &raw const run;
    // SAFETY: the stack is larger than the child needs, grows down from its aligned top, and is used by nothing else:
    // CLONE_VFORK suspends us until the child has left our memory, so the stack and `run` outlive it. Dispositions,
    // directory and umask are the child's own, as CLONE_SIGHAND and CLONE_FS are not given, and so are descriptors before
    // `run` changes any. What it shares is memory, of which functions of `child` change nothing but errno.
    #[expect(unsafe_code, reason = "vfork without its hazards for the stack")]
    let pid = unsafe { libc::clone(enter, stack.top(), flags, argument.cast_mut().cast()) };
    if pid < 0 { Err(Errno::last().into()) } else { Ok(Pid(pid)) }
}

/// Whether a child can copy a part of our table of descriptors by close_range(2). Kernels before 6.11, unless the fix was
/// added to them, may take numbers above that part for used in the copy, and the program would get numbers that are too
/// high, or none.
fn can_copy_descriptors() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    // Closes nothing, as no descriptor has this number. With the flag, threads of a test would lose our descriptors.
    *CAN.get_or_init(|| is_linux_since((6, 11)) && child::close_range(u32::MAX, 0).is_ok())
}

fn is_linux_since(version: (u32, u32)) -> bool {
    let system = rustix::system::uname();
    let mut numbers = system.release().to_bytes().split(|byte| !byte.is_ascii_digit()).map(|digits| {
        digits
            .iter()
            .fold(0u32, |number, digit| number.saturating_mul(10).saturating_add(u32::from(digit - b'0')))
    });
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= version
}

/// The child's first function. Its return value becomes the exit status, by _exit(2).
extern "C" fn enter(argument: *mut c_void) -> c_int {
    // SAFETY: `within_our_memory` passes a pointer to its parameter, which lives until the child has left.
    #[expect(unsafe_code, reason = "an argument of clone(2)")]
    let run = unsafe { *argument.cast::<&dyn Fn()>() };
    run();
    NOT_SPAWNED.into()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::attributes::Attributes;
    use super::super::descriptors::{ChildStdin, Descriptors};
    use super::super::program::Program;
    use super::super::spawn_failures::ChildNotes;
    use super::*;

    #[test]
    fn a_child_within_our_memory_needs_less_than_half_of_its_stack() {
        const UNUSED: u8 = 0xa5;
        // The longest way: each step, and a report of the last one.
        let program = Program::new(Path::new("/nodir/none"), &["none"], std::env::vars()).unwrap();
        let attributes = Attributes::new(None, Some(0o022), None).unwrap();
        let (notes, pipes) =
            (ChildNotes::new().unwrap(), Descriptors::piped(ChildStdin::Empty, true).unwrap());
        let (_parent, descriptors) = pipes.assign(notes.write_end()).unwrap();
        let mut stack = ChildStack([MaybeUninit::new(UNUSED); _]);
        let before = kernel_signals::block(kernel_signals::ALL).unwrap();
        let run = || child::run(&program, &attributes, &descriptors);
        let started = on_stack(&mut stack, &descriptors, &run);
        kernel_signals::block(before).unwrap();
        nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(started.unwrap().0), None).unwrap();
        // SAFETY: all of it was initialised above.
        #[expect(unsafe_code, reason = "to see what the child has written")]
        let bytes = stack.0.map(|byte| unsafe { byte.assume_init() });
        let unused = bytes.iter().take_while(|byte| **byte == UNUSED).count();
        assert!(unused > bytes.len() / 2 && unused < bytes.len(), "{unused} of {} bytes", bytes.len());
    }
}
