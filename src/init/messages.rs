//! The messages of the init of one command, on standard error, in the format of the face.

use std::fmt;

use crate::cli::{Face, InitOptions};
use crate::sys::exec_error::{ExecError, ExecErrorKind};
use crate::sys::process::own_pid;
use crate::sys::stderr;

/// The severity of a message; levels above the verbosity are not printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Fatal,
    Warning,
    Info,
    Debug,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Messages {
    face: Face,
    verbosity: u8,
}

impl Messages {
    pub(super) fn new(options: &InitOptions) -> Self {
        Self { face: options.face, verbosity: options.verbosity }
    }

    pub(super) fn print(self, level: Level, text: fmt::Arguments<'_>) {
        if self.verbosity >= level as u8 {
            stderr::print_at_once(format!("{}{text}\n", self.prefix(level)));
        }
    }

    /// Prints that the command can't be executed, and returns the exit code for it, each as the face has it.
    /// Called between fork and exec: it must not allocate.
    pub(super) fn refuse(self, command: &str, error: ExecError, out: &mut dyn fmt::Write) -> u8 {
        let (prefix, why) = (self.prefix(Level::Fatal), error.text);
        let _ = match (self.face, error.kind) {
            (Face::Tini, _) => writeln!(out, "{prefix}exec {command} failed: {why}"),
            (Face::DumbInit, _) => writeln!(out, "{prefix}{command}: {why}"),
            (_, ExecErrorKind::NotFound) => writeln!(out, "{prefix}cannot find '{command}': {why}"),
            (_, ExecErrorKind::Denied | ExecErrorKind::Other) => {
                writeln!(out, "{prefix}cannot execute '{command}': {why}")
            }
        };
        match (self.face, error.kind) {
            (Face::DumbInit, _) => 2,
            (_, ExecErrorKind::NotFound) => 127,
            (Face::Tini, ExecErrorKind::Other) => 1,
            (_, ExecErrorKind::Denied | ExecErrorKind::Other) => 126,
        }
    }

    fn prefix(self, level: Level) -> MessagePrefix {
        MessagePrefix(self.face, level)
    }
}

/// Not a string, since a child of fork must not allocate one.
struct MessagePrefix(Face, Level);

impl fmt::Display for MessagePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.1 {
            Level::Fatal => "FATAL",
            Level::Warning => "WARN ",
            Level::Info => "INFO ",
            Level::Debug => "DEBUG",
        };
        match self.0 {
            Face::Tini => write!(f, "[{word} tini ({})] ", own_pid()),
            Face::DumbInit => f.write_str("[dumb-init] "),
            _ => f.write_str("sv: "),
        }
    }
}
