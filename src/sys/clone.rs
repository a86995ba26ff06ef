//! The two kinds of fork: with a copy of our memory, and within our memory.
//!
//! fork(2) copies page tables, and afterwards each page that we write to is copied, too. A child that shares
//! our memory, as with vfork(2) and posix_spawn(3), avoids both: we are suspended until it has executed its
//! program or exited. This has two drawbacks: if the child blocks, we block too; and while a child with the
//! credentials of another user runs in our memory, that user's processes may stop it, and us with it. So a
//! child that changes its user, its directory, its cgroup, its priority or its privileges gets a copy.

use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::libc::{self, c_int, c_void};
use nix::unistd::{ForkResult, fork};

use super::{child, kernel_signals};
use crate::model::Pid;

/// The stack of a child within our memory; a page below it is not accessible.
const STACK_BYTES: usize = 64 * 1024;

const GUARD_BYTES: usize = 4096;

/// Mapped for one child only, so that it does not remain in our memory.
struct Stack(*mut c_void);

impl Stack {
    const BYTES: usize = GUARD_BYTES + STACK_BYTES;

    fn new() -> io::Result<Self> {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, which overlaps no other memory.
        #[expect(unsafe_code, reason = "a stack for clone(2)")]
        let bottom = unsafe { libc::mmap(ptr::null_mut(), Self::BYTES, protection, flags, -1, 0) };
        if bottom == libc::MAP_FAILED {
            return Err(Errno::last().into());
        }
        let stack = Self(bottom);
        // SAFETY: the first page of our own mapping, which nothing points to.
        #[expect(unsafe_code, reason = "a page that stops an overflow")]
        let guarded = unsafe { libc::mprotect(stack.0, GUARD_BYTES, libc::PROT_NONE) };
        Errno::result(guarded)?;
        Ok(stack)
    }

    fn top(&self) -> *mut c_void {
        self.0.wrapping_byte_add(Self::BYTES)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: our own mapping, which the child has left and nothing else points to.
        #[expect(unsafe_code, reason = "as in new")]
        unsafe {
            libc::munmap(self.0, Self::BYTES);
        }
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
            child::exit(child::NOT_SPAWNED)
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
    super::spawn::make_group_leader(pid);
    Ok(pid)
}

/// Runs a function in a child that shares our memory, and returns when the child has executed a program or
/// exited. All signals must be blocked, and `run` must not change our memory except its own stack. The child has
/// those of our descriptors whose numbers are below `end`; the others it has until exec, or not at all.
///
/// # Errors
/// The error of clone(2): EAGAIN, ENOMEM.
pub(super) fn within_our_memory(end: RawFd, run: &dyn Fn()) -> io::Result<Pid> {
    let stack = Stack::new()?;
    // A copy of a table with thousands of descriptors, which are closed one by one before exec, takes longer than all
    // the rest. So the child starts with our table, and copies the part that it needs.
    let copies_descriptors_itself = can_copy_descriptors();
    let descriptors = if copies_descriptors_itself { libc::CLONE_FILES } else { 0 };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD | descriptors;
    let run: &dyn Fn() = &|| {
        if copies_descriptors_itself {
            child::copy_descriptors(end);
        }
        run();
    };
    let argument: *const &dyn Fn() = &raw const run;
    // SAFETY: the stack is as large as the child needs, grows down from its aligned top, and is used by nobody else:
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
    child::NOT_SPAWNED
}
