//! Init for one command: `sv -- COMMAND`, like tini and dumb-init.
//!
//! The only events are signals, so it is one loop around `rt_sigtimedwait`: SIGCHLD means to reap, any other
//! signal is forwarded. All signals are blocked before anything else happens, and the child unblocks its own
//! only after its process group exists; so no signal is lost, however early it arrives.
//!
//! The command gets a process group of its own, which becomes the foreground group of the terminal if we are
//! in the foreground. When it is stopped there (Ctrl-Z) we take back the terminal and stop too, as the shell
//! above sees us and not the command; where there is no such shell, as for PID 1, the command is continued at
//! once. With `--session`, and as dumb-init, it leads a session of its own instead.
//!
//! We exit when the command does, after reaping everything that has exited by then. Remaining processes are
//! left to the kernel, which kills all of a namespace with its PID 1; a session is sent TERM first.
//!
//! No error after the start ends us before the command exits.

mod messages;
mod rules;

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::cli::InitOptions;
use crate::model::{ExitStatus, Pid, Signal};
use crate::sys::descriptors::Membership;
use crate::sys::process::{self, Reaped};
use crate::sys::program::Program;
use crate::sys::sigwait::Inbox;
use crate::sys::spawn::spawn_in_place;
use crate::sys::terminal;

use messages::{Level, Messages};
use rules::SignalRules;

/// The exit code if the command could not be tried.
const FAILED: u8 = 1;

/// The default PATH, as in execvp(3).
const DEFAULT_PATH: &str = "/usr/local/bin:/bin:/usr/bin";

/// Runs the command and returns its exit code, or 128 plus the signal that killed it.
#[must_use]
pub fn run(options: InitOptions) -> u8 {
    let options = options.with_environment(|name| env::var_os(name));
    let messages = Messages::new(&options);
    let ended = begin(&options, messages).map(|mut init| init.watch());
    ended.unwrap_or_else(|why| {
        messages.print(Level::Fatal, format_args!("{why}"));
        FAILED
    })
}

/// A running command.
#[derive(Debug)]
struct Init {
    inbox: Inbox,
    rules: SignalRules,
    messages: Messages,
    child: Pid,
    to_group: bool,
    session: bool,
    /// The command has a terminal, and we are the job that the shell above sees.
    is_job: bool,
    warn_of_reaped: bool,
}

/// An error before the command runs is final and printed unchanged.
fn begin(options: &InitOptions, messages: Messages) -> Result<Init, String> {
    let mut rules = SignalRules::new(options);
    let inbox = Inbox::open(SignalRules::left_alone(options.face))
        .map_err(|error| format!("cannot block signals: {error}"))?;
    if let Some(signal) = options.parent_death {
        process::ask_for_parent_death(signal)
            .map_err(|error| format!("cannot ask for {signal} at the parent's death: {error}"))?;
    }
    adopt_orphans(options.subreaper)?;
    let membership = membership(options.session, &mut rules);
    let program = program(&options.command).map_err(|error| error.to_string())?;
    let shown = options.command.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    let child = spawn_in_place(&program, membership, &|error, out| messages.refuse(&shown, error, out))
        .map_err(|error| format!("cannot fork: {error}"))?;
    messages.print(Level::Info, format_args!("started '{shown}' with pid {}", child.0));
    // A working directory would keep its file system from being unmounted.
    let _ = env::set_current_dir("/");
    let (to_group, session) = (options.to_group, options.session);
    let is_job = !session && terminal::foreground().is_some();
    Ok(Init {
        inbox,
        rules,
        messages,
        child,
        to_group,
        session,
        is_job,
        warn_of_reaped: options.warn_of_reaped,
    })
}

/// PID 1 gets orphans anyway. Sandboxes may deny it to other processes, which then continue without.
fn adopt_orphans(required: bool) -> Result<(), String> {
    if process::is_pid_1() {
        return Ok(());
    }
    match process::become_subreaper() {
        Err(error) if required => Err(format!("cannot adopt orphans: {error}")),
        _ => Ok(()),
    }
}

/// A session takes over the terminal if we release it; a group becomes the foreground group if ours is.
fn membership(session: bool, rules: &mut SignalRules) -> Membership {
    let foreground = terminal::is_in_foreground();
    if !session {
        return Membership::Group { foreground };
    }
    let hangup = foreground && terminal::is_session_leader();
    if terminal::give_up().is_ok() && hangup {
        rules.expect_hangup();
    }
    Membership::Session
}

fn program(command: &[OsString]) -> Result<Program, std::ffi::NulError> {
    let path = env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    let mut files = candidates(command.first().map(OsString::as_os_str).unwrap_or_default(), &path);
    // A name that is not found is reported as typed.
    let first = if files.is_empty() { PathBuf::new() } else { files.remove(0) };
    Program::new(&first, command, env::vars_os())?.or_else(files)
}

/// The files that a command name may mean, as in execvp(3): in each folder of `path` unless it contains a
/// slash.
fn candidates(name: &OsStr, path: &OsStr) -> Vec<PathBuf> {
    if name.is_empty() || name.as_bytes().contains(&b'/') {
        return vec![name.into()];
    }
    // An empty entry is the current directory.
    env::split_paths(path).map(|folder| folder.join(name)).collect()
}

impl Init {
    /// Runs until the command has exited; returns our exit code.
    fn watch(&mut self) -> u8 {
        loop {
            match self.inbox.take() {
                Ok(signal) => {
                    if let Some(status) = self.handle(signal) {
                        return self.end(status);
                    }
                }
                // It has no error for valid arguments. If it failed anyway, we could still wait for the
                // command.
                Err(error) => {
                    self.messages.print(Level::Fatal, format_args!("cannot wait for signals: {error}"));
                    return FAILED;
                }
            }
        }
    }

    /// Handles a signal; returns how the command ended, if it has.
    fn handle(&mut self, signal: Signal) -> Option<ExitStatus> {
        let step = self.rules.on(signal);
        if step.reap {
            return self.look_after_children();
        }
        self.messages.print(Level::Debug, format_args!("received {signal}"));
        if signal == Signal::CONT && !self.session {
            self.hand_terminal_over();
        }
        match step.send {
            Some(sent) => self.send(sent),
            None => self.messages.print(Level::Debug, format_args!("not passing {signal} on")),
        }
        if step.suspend {
            process::suspend();
        }
        None
    }

    /// Reaps all exited children; returns the status of the command, if it is among them.
    fn look_after_children(&mut self) -> Option<ExitStatus> {
        let mut ended = None;
        while let Reaped::Child(pid, status) = process::reap() {
            if pid == self.child {
                // At once: its number is free from now on, and only members of its group still use it.
                self.print_last_line();
                self.messages.print(Level::Info, format_args!("the command ended: {status}"));
                ended = Some(status);
            } else {
                let level = if self.warn_of_reaped { Level::Warning } else { Level::Debug };
                self.messages.print(level, format_args!("reaped process {}: {status}", pid.0));
            }
        }
        if ended.is_none() && self.is_job && process::was_stopped(self.child) {
            self.stop_with_command();
        }
        ended
    }

    /// A child that has not yet created its group is signalled directly: it has no other members yet.
    fn send(&self, signal: Signal) {
        let mut sent = process::send_signal(self.child, signal, self.to_group);
        if self.to_group && sent.as_ref().is_err_and(|error| error.raw_os_error() == Some(NO_SUCH_PROCESS)) {
            sent = process::send_signal(self.child, signal, false);
        }
        match sent {
            Ok(()) => self.messages.print(Level::Debug, format_args!("sent {signal}")),
            Err(error) => self.messages.print(Level::Warning, format_args!("cannot send {signal}: {error}")),
        }
    }

    fn print_last_line(&self) {
        if let Some(signal) = self.rules.last_line() {
            let _ = process::send_signal(self.child, signal, true);
        }
    }

    /// Only if the terminal is ours: `bg` continues us too.
    fn hand_terminal_over(&self) {
        if terminal::is_in_foreground()
            && let Err(error) = terminal::put_into_foreground(self.child)
        {
            self.messages.print(Level::Warning, format_args!("cannot hand the terminal over: {error}"));
        }
    }

    /// The command was stopped. If that is job control on our terminal, we are the job that the shell sees.
    fn stop_with_command(&self) {
        let Some(foreground) = terminal::foreground() else { return };
        let was_in_front = foreground == self.child;
        self.take_terminal_back();
        // The kernel ignores it in an orphaned process group, and for PID 1.
        process::signal_own_group(Signal::TSTP);
        let _ = self.inbox.let_through(Signal::TSTP);
        // A program in the background waits for our SIGCONT: if it reads there, it would be stopped again at
        // once.
        if was_in_front {
            self.hand_terminal_over();
            let _ = process::send_signal(self.child, Signal::CONT, true);
        }
    }

    fn take_terminal_back(&self) {
        if terminal::foreground() == Some(self.child) {
            let _ = terminal::take_back();
        }
    }

    fn end(&self, status: ExitStatus) -> u8 {
        self.take_terminal_back();
        self.rules.exit_code(status)
    }
}

/// ESRCH
const NO_SUCH_PROCESS: i32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_searched_for_and_a_path_is_not() {
        for (name, path, expected) in [
            ("ls", "/a:/b", &["/a/ls", "/b/ls"][..]),
            ("ls", "/a::", &["/a/ls", "ls", "ls"]),
            ("./ls", "/a", &["./ls"]),
            ("/bin/ls", "", &["/bin/ls"]),
            ("", "/a", &[""]),
        ] {
            let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(candidates(OsStr::new(name), OsStr::new(path)), expected, "{name} {path}");
        }
    }
}
