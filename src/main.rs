//! The binary: all of it is in the library.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use sv::cli::{self, Action, Face};
use sv::host::Host;
use sv::runtime::Launch;
use sv::{config, ctl, init, inspect, pidproxy, print_listener, runtime, scaffold, sys};

fn main() -> ExitCode {
    // Before anything else: a signal that comes from here on stays pending until it can be handled.
    let blocked = sys::startup::block_signals();
    let action = cli::parse(env::args_os().collect(), sys::process::is_pid_1());
    if !action.takes_over_signals() {
        blocked.restore();
    }
    ExitCode::from(match action {
        Action::Run(cli::RunOptions { argv0, face, config, overrides, command }) => {
            runtime::run(Launch { argv0, config, overrides, command, foreground: face == Face::Sv })
        }
        Action::Client(options) => ctl::run(&options, &Host::look()),
        Action::Inspect(options) => inspect::run(&options, &Host::look()),
        Action::Init(options) => init::run(options),
        Action::Pidproxy { pid_file, command } => pidproxy::run(&pid_file, &command),
        Action::PrintListener(length) => print_listener::run(length),
        Action::Scaffold(options) => scaffold::run(&options),
        Action::Sample(language) => sys::stdout::print(&config::sample(language), 0),
        Action::Print { text, code, to_stderr: false } => sys::stdout::print(&text, code),
        Action::Print { text, code, to_stderr: true } => {
            // If stderr fails there is nowhere left to report it.
            let _ = io::stderr().write_all(text.as_bytes());
            code
        }
    })
}
