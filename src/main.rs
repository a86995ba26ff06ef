//! The binary: all of it is in the library.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use sv::cli::{self, Action, Face};
use sv::host::Host;
use sv::runtime::Launch;
use sv::{config, ctl, init, inspect, pidproxy, print_listener, runtime, sys};

fn main() -> ExitCode {
    ExitCode::from(match cli::parse(env::args_os().collect(), sys::process::is_pid_1()) {
        Action::Run(cli::RunOptions { argv0, face, config, overrides, command }) => {
            runtime::run(Launch { argv0, config, overrides, command, foreground: face == Face::Sv })
        }
        Action::Client(options) => ctl::run(&options, &Host::look()),
        Action::Inspect(options) => inspect::run(&options, &Host::look()),
        Action::Init(options) => init::run(options),
        Action::Pidproxy { pid_file, command } => pidproxy::run(&pid_file, &command),
        Action::PrintListener(length) => print_listener::run(length),
        Action::Sample(language) => print(&config::sample(language), 0, false),
        Action::Print { text, code, to_stderr } => print(&text, code, to_stderr),
    })
}

/// A reader that has gone away is no failure of ours.
fn print(text: &str, code: u8, to_stderr: bool) -> u8 {
    let bytes = text.as_bytes();
    let _ = if to_stderr { io::stderr().write_all(bytes) } else { io::stdout().write_all(bytes) };
    code
}
