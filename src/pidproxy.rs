//! `pidproxy`: represents a daemon that goes into the background.
//!
//! A supervisor can only watch its own children. `pidproxy` stays in the foreground: it runs the command,
//! waits for it, and forwards the signals it gets to the process in a pid file, regardless of that process's
//! parent.
//!
//! Differences from Supervisor's: it really waits (theirs polls every five seconds), it exits when the
//! command exits, with its status (theirs always exits 0), and a pid file that does not contain the id of a
//! single process (`-1` means everybody) is never used. After a signal that requests termination we exit only
//! after the process that it was forwarded to: otherwise a restart could run two of them at once.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{self, Path};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid as RawPid, PidfdFlags, Signal as NamedSignal, kill_process, pidfd_open, test_kill_process,
};
use signal_hook::iterator::Signals;

use crate::model::{Pid, Signal};
use crate::sys::descriptors::Membership;
use crate::sys::exec_error::ExecErrorKind;
use crate::sys::files::read_file;
use crate::sys::process::{Reaped, reap};
use crate::sys::program::Program;
use crate::sys::spawn::spawn_in_place;
use crate::sys::startup::unblock_signals;

/// The forwarded signals.
const FORWARDED: [Signal; 6] =
    [Signal::TERM, Signal::HUP, Signal::INT, Signal::USR1, Signal::USR2, Signal::QUIT];

/// The signals that request termination: after forwarding one, we wait for the process to exit and then exit.
/// After its stop timeout a supervisor kills us.
const ENDING: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::QUIT];

/// A larger file is not a pid file.
const PID_BYTES_MAX: u64 = 4096;

/// How often the process is polled if the kernel can't report its exit, and how often pending signals are
/// checked between two waits.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// The shell's exit codes for a command that could not be run.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;
const FAILED: u8 = 1;

/// Runs `command` until it exits or we are asked to terminate. The exit code is that of the command, 128 plus
/// the signal if one killed it, 126 or 127 if it could not be run, and 0 once the process that a termination
/// request was forwarded to has exited.
#[must_use]
pub fn run(pid_file: &Path, command: &[OsString]) -> u8 {
    // Before the command starts, so that neither its end nor a signal meanwhile is missed.
    let watched = FORWARDED.iter().chain(&[Signal::CHLD]).map(|signal| signal.0);
    let mut signals = match Signals::new(watched) {
        Ok(signals) => signals,
        Err(error) => return complain(&format!("cannot watch for signals: {error}"), FAILED),
    };
    let child = match spawn(command) {
        Ok(child) => child,
        Err(error) => return complain(&format!("cannot start the command: {error}"), FAILED),
    };
    unblock_signals();
    let mut ending: Option<SignalledProcess> = None;
    loop {
        // Without a target there is nothing to wait for but signals.
        let arrived: Vec<i32> = match &ending {
            Some(target) if target.has_ended() => return 0,
            Some(_) => signals.pending().collect(),
            None => signals.wait().collect(),
        };
        for signal in arrived.into_iter().map(Signal) {
            let sent_to = match signal {
                Signal::CHLD => match (ended(child), &ending) {
                    (Some(code), None) => return code,
                    // The process that was signalled may outlive the command that started it.
                    (Some(_) | None, _) => continue,
                },
                signal => forward(pid_file, signal),
            };
            if ENDING.contains(&signal) {
                ending = sent_to.or(ending);
            }
        }
        if let Some(target) = &ending {
            target.wait();
        }
    }
}

/// A process that was asked to end.
struct SignalledProcess {
    pid: RawPid,
    /// `None` for kernels before 5.3, and where a sandbox refuses it.
    handle: Option<OwnedFd>,
}

impl SignalledProcess {
    fn new(pid: RawPid) -> Self {
        Self { pid, handle: pidfd_open(pid, PidfdFlags::empty()).ok() }
    }

    /// Waits for its end, a signal, or [`LOOK_EVERY`].
    fn wait(&self) {
        let mut fds: Vec<_> = self.handle.iter().map(|handle| PollFd::new(handle, PollFlags::IN)).collect();
        let _ = poll(&mut fds, Some(&LOOK_EVERY));
    }

    fn has_ended(&self) -> bool {
        let Some(handle) = &self.handle else { return test_kill_process(self.pid).is_err() };
        let mut fds = [PollFd::new(handle, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }
}

/// The command is a path against the folder we are in: no search, and `argv[0]` as it was typed. All signals are still blocked.
fn spawn(command: &[OsString]) -> io::Result<Pid> {
    let program = command.first().ok_or(io::ErrorKind::InvalidInput)?;
    let path = path::absolute(program).unwrap_or_else(|_| program.into());
    let program = Program::new(&path, command, env::vars_os())?;
    spawn_in_place(&program, Membership::Ours, &|error, out| {
        let _ = writeln!(out, "pidproxy: cannot run '{}': {}", path.display(), error.text);
        if error.kind == ExecErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE }
    })
}

/// The exit status that a shell reports, once the command has exited.
fn ended(command: Pid) -> Option<u8> {
    loop {
        match reap() {
            Reaped::Child(pid, status) if pid == command => return Some(status.for_shell()),
            // As PID 1 we get orphans, too.
            Reaped::Child(..) => {}
            Reaped::NoneEnded | Reaped::NoChildren => return None,
        }
    }
}

/// The process that it was sent to.
fn forward(pid_file: &Path, signal: Signal) -> Option<SignalledProcess> {
    let Some(pid) = read_pid(pid_file) else {
        // On stdout, as Supervisor's does: it ends up in the program's log either way.
        let _ = writeln!(io::stdout(), "Can't read child pidfile {}!", pid_file.display());
        return None;
    };
    // Before it is signalled: its number is free for others once it has ended.
    let target = SignalledProcess::new(pid);
    let sent = NamedSignal::from_named_raw(signal.0).map(|named| kill_process(pid, named));
    if let Some(Err(error)) = sent {
        complain(
            &format!("cannot send {signal} to process {pid} of '{}': {error}", pid_file.display()),
            FAILED,
        );
        return None;
    }
    Some(target)
}

/// Read at every signal: the daemon may have been restarted. Only a positive number is one process.
fn read_pid(pid_file: &Path) -> Option<RawPid> {
    let bytes = read_file(pid_file, PID_BYTES_MAX).ok()?;
    let number: i32 = str::from_utf8(&bytes).ok()?.trim().parse().ok()?;
    (number > 0).then(|| RawPid::from_raw(number)).flatten()
}

fn complain(text: &str, code: u8) -> u8 {
    // Without standard error it cannot be reported.
    let _ = writeln!(io::stderr(), "pidproxy: {text}");
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_names_one_process_or_none() {
        let path = std::env::temp_dir().join(format!("sv-pidproxy-{}", std::process::id()));
        for (text, pid) in
            [("42\n", Some(42)), (" 7 ", Some(7)), ("0", None), ("-1", None), ("x", None), ("", None)]
        {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read_pid(&path), pid.and_then(RawPid::from_raw), "{text:?}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read_pid(&path), None);
    }
}
