//! Asks for a password.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

/// Asks on the terminal, with echo off; no answer is an empty one. `None` if there is no terminal.
pub(super) fn hidden(prompt: &str) -> Option<String> {
    // Opens the terminal itself, as getpass does: input and output may be redirected.
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
    terminal.write_all(prompt.as_bytes()).ok()?;
    let line = without_echo(&terminal)?;
    // The newline that was typed was not echoed either.
    terminal.write_all(b"\n").ok()?;
    Some(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn without_echo(terminal: &File) -> Option<String> {
    let before = tcgetattr(terminal).ok()?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(terminal, OptionalActions::Flush, &silent).ok()?;
    let mut line = String::new();
    let read = BufReader::new(terminal).read_line(&mut line);
    // The terminal must be restored even after an error.
    let _ = tcsetattr(terminal, OptionalActions::Flush, &before);
    read.is_ok().then_some(line)
}
