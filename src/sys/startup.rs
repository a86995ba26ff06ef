//! Signals between exec and the installation of handlers.
//!
//! The kernel drops a signal to PID 1 that has no handler, unless it is blocked: a blocked signal is kept,
//! whatever its disposition. So all signals are blocked before anything else is done. An action that takes
//! over signals unblocks them once it can receive them, or reads them while they are blocked; any other restores
//! the inherited mask.
//!
//! Before `main` the C library initializes itself, and relocates a position-independent program page by page, which takes
//! a millisecond on a busy machine. On x86-64 the entry point of the executable is therefore ours: it makes one system call and
//! continues with that of the C library. Elsewhere the first call of `main` does the same, a little later.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::libc;

use super::kernel_signals::{ALL, bit, block};
use crate::model::Signal;

/// The inherited signal mask; all signals unless the entry point wrote to it.
static INHERITED: AtomicU64 = AtomicU64::new(ALL);

/// `build.rs` makes `sv_entry` the entry point of the executable.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "nothing but assembly runs before the program is relocated")]
mod entry {
    use super::{ALL, INHERITED, libc};

    static EVERY_SIGNAL: u64 = ALL;

    // SAFETY: rt_sigprocmask(SIG_SETMASK, &EVERY_SIGNAL, &INHERITED, 8), with addresses relative to the code. The
    // kernel hands rdx and the stack to the C library, and both stay as they are.
    std::arch::global_asm!(
        ".pushsection .text.sv_entry, \"ax\", @progbits",
        ".globl sv_entry",
        ".type sv_entry, @function",
        "sv_entry:",
        "mov r12, rdx",
        "mov eax, {rt_sigprocmask}",
        "mov edi, {setmask}",
        "lea rsi, [rip + {every}]",
        "lea rdx, [rip + {inherited}]",
        "mov r10d, 8",
        "syscall",
        "mov rdx, r12",
        "jmp _start",
        ".size sv_entry, . - sv_entry",
        ".popsection",
        rt_sigprocmask = const libc::SYS_rt_sigprocmask,
        setmask = const libc::SIG_SETMASK,
        every = sym EVERY_SIGNAL,
        inherited = sym INHERITED,
    );
}

/// All signals are blocked.
#[derive(Debug)]
#[must_use]
pub struct Blocked {
    inherited: u64,
}

/// Blocks all signals, including those that the C library reserves.
pub fn block_signals() -> Blocked {
    // The call can't fail with valid arguments.
    let before = block(ALL).unwrap_or(0);
    // KILL and STOP are never blocked, so a mask of all signals was never inherited.
    let inherited = INHERITED.load(Ordering::Relaxed);
    Blocked { inherited: if inherited == ALL { before } else { inherited } }
}

impl Blocked {
    /// Restores the inherited signal mask.
    pub fn restore(self) {
        let _ = block(self.inherited);
    }
}

/// Unblocks all signals, regardless of the inherited mask.
pub fn unblock_signals() {
    let _ = block(0);
}

/// The signals that request termination.
const ENDING: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::QUIT];

/// Runs a blocking operation during the start, while all signals are blocked. A signal that requests
/// termination exits at once, with status 0: nothing runs yet that would have to be stopped.
///
/// # Errors
/// The error of sigaction(2), and the errors of `wait`.
pub fn while_waiting<T>(wait: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let mut handlers = Vec::new();
    for signal in ENDING {
        // SAFETY: the handler does nothing but end the process by _exit(2).
        #[expect(unsafe_code, reason = "code in signal context")]
        let handler = unsafe { signal_hook::low_level::register(signal.0, end_at_once) };
        handlers.push(handler?);
    }
    let before = block(ALL)?;
    block(before & !ENDING.iter().fold(0, |set, signal| set | bit(*signal)))?;
    let result = wait();
    block(before)?;
    for handler in handlers {
        signal_hook::low_level::unregister(handler);
    }
    result
}

fn end_at_once() {
    // SAFETY: _exit(2) ends the process and may be called from a handler.
    #[expect(unsafe_code, reason = "exit(3) may not be called from a handler")]
    unsafe {
        libc::_exit(0)
    }
}
