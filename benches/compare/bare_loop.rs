//! What a restart costs at least: a process of its own that starts one program again whenever it ends, and nothing else.

use std::path::Path;
use std::process::{Child, Command};

use crate::Outcome;
use crate::subjects::boot::spawn;

const WORD: &str = "__bare-loop";

/// Starts such a process; the program ends for good only after it.
pub(crate) fn start(program: &Path) -> Outcome<Child> {
    Ok(Command::new(std::env::current_exe()?).arg(WORD).arg(program).spawn()?)
}

/// Runs the loop if this process was started as one.
pub(crate) fn run_when_asked() -> Option<Outcome<()>> {
    let mut arguments = std::env::args_os().skip(1);
    let is_asked = arguments.next().is_some_and(|word| word == WORD);
    let program = arguments.next().filter(|_| is_asked)?;
    Some(run(Path::new(&program)))
}

fn run(program: &Path) -> Outcome<()> {
    loop {
        spawn(program)?.wait()?;
    }
}
