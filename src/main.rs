//! The binary: all of it is in the library.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use sv::cli::{self, Action, Face};
use sv::host::Host;
use sv::runtime::Launch;
use sv::{config, ctl, pidproxy, runtime, sys};

fn main() -> ExitCode {
    ExitCode::from(match cli::parse(env::args_os().collect(), sys::process::is_pid_1()) {
        Action::Run(cli::RunOptions { argv0, face, config, overrides }) => {
            runtime::run(Launch { argv0, config, overrides, foreground: face == Face::Sv })
        }
        Action::Client(options) => ctl::run(&options, &Host::look()),
        Action::Pidproxy { pid_file, command } => pidproxy::run(&pid_file, &command),
        Action::Sample(language) => print(&config::sample(language), &mut io::stdout(), 0),
        Action::Print { text, code, to_stderr: true } => print(&text, &mut io::stderr(), code),
        Action::Print { text, code, to_stderr: false } => print(&text, &mut io::stdout(), code),
    })
}

/// A reader that has gone away is no failure of ours.
fn print(text: &str, out: &mut dyn Write, code: u8) -> u8 {
    let _ = out.write_all(text.as_bytes());
    code
}
