//! The binary: all of it is in the library.

use std::env;
use std::process::ExitCode;

use sv::runtime::{Launch, run};

fn main() -> ExitCode {
    let mut args = env::args();
    let argv0 = args.next().unwrap_or_default();
    let config = args.next().map(Into::into);
    ExitCode::from(run(Launch { argv0, config, overrides: Vec::new(), foreground: true }))
}
