//! A safe interface to Linux: the only module with `unsafe`, and the only one with system calls.
//!
//! It makes no decisions, logs nothing and keeps nothing between calls but facts about the machine and this process.
//! Errors are returned as the `io::Error` of the kernel. Every descriptor created here is close-on-exec.

pub mod attributes;
pub mod cgroup;
mod child;
pub mod children;
pub mod clock;
mod clone;
pub mod connect;
pub mod descriptors;
pub mod exec_error;
pub mod file_lookup;
pub mod files;
pub mod groups;
pub mod interrupts;
pub mod isolation;
mod kept;
mod kernel_signals;
pub mod limits;
pub mod names;
pub mod notify_socket;
pub mod output;
mod own_pid;
pub mod poller;
mod proc_stat;
pub mod process;
pub mod process_tree;
pub mod process_usage;
pub mod program;
#[cfg(test)]
pub(crate) mod scratch;
pub mod signals;
pub mod sigwait;
pub mod sockets;
pub mod spawn;
pub mod spawn_failures;
pub mod startup;
pub mod stderr;
pub mod stdout;
pub mod terminal;
pub mod users;
pub mod watch;

use std::io;

use nix::errno::Errno;

/// The symbolic name of an error, such as `ENOENT`, as in Supervisor's messages.
#[must_use]
pub fn errno_name(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(raw) => format!("{:?}", Errno::from_raw(raw)),
        None => error.kind().to_string(),
    }
}

/// Whether a call failed because the machine, or our quota, lacks descriptors, processes or memory. EAGAIN is
/// the error of fork(2) and execve(2) at a limit of processes.
#[must_use]
pub fn is_shortage(error: &io::Error) -> bool {
    const SHORTAGES: [Errno; 6] =
        [Errno::EMFILE, Errno::ENFILE, Errno::EAGAIN, Errno::ENOMEM, Errno::ENOBUFS, Errno::ENOSR];
    error.raw_os_error().is_some_and(|raw| SHORTAGES.contains(&Errno::from_raw(raw)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_their_symbolic_names() {
        for (raw, name) in [(2, "ENOENT"), (13, "EACCES"), (24, "EMFILE"), (28, "ENOSPC")] {
            assert_eq!(errno_name(&io::Error::from_raw_os_error(raw)), name);
        }
    }
}
