//! `sv` side by side with what is installed, and with the bare floor, in one run.
//!
//! Figures of two machines, or of two days, cannot be compared; ratios of one run can. So every subject
//! measures all that take part one after the other on the same machine under the same load and prints one
//! table. The floor is what the kernel itself costs: a loop of `posix_spawn` with pipes for the start of
//! programs, a process that only waits for its program and starts it again for a restart, `cat` from a pipe to a file for
//! logs, `true` for a client.
//!
//! What is not installed is left out with a line that says so. Nothing outlives the run: this process is a
//! subreaper, so whatever it started stays below it and is killed in the end.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints tables")]

mod arguments;
mod bare_loop;
mod beacon;
mod chat;
mod peers;
mod proc;
mod publish;
mod regression;
mod subjects;
mod table;

use std::error::Error;
use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;

/// The result of anything that asks the system.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    // The child whose output the log subject measures is this program itself, and so is the loop of the restart subject.
    if let Some(outcome) = chat::run_when_asked().or_else(bare_loop::run_when_asked) {
        return report(outcome);
    }
    let arguments = Arguments::parse();
    proc::clean_up_on_interrupt(arguments.run_dir());
    let outcome = rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(Into::into)
        .and_then(|()| if arguments.check { regression::run(&arguments) } else { subjects::run(&arguments) });
    proc::kill_descendants();
    report(outcome)
}

fn report(outcome: Outcome<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
