//! Python listeners that print the output of programs, as many images run them. Each is a package with a
//! script that answers every event with the event itself, and a result handler that prints the answer. Both
//! are built in.

use std::path::Path;

use crate::model::PrintHandler;

use super::machine::Machine;
use crate::python::split_command;

/// A package, by the names that configurations use.
struct Package {
    handler: PrintHandler,
    /// `result_handler`
    handler_name: &'static str,
    /// The command that it installs.
    script: &'static str,
    /// The module for `python -m`.
    module: &'static str,
}

const PACKAGES: [Package; 3] = [
    Package {
        handler: PrintHandler::Stdout,
        handler_name: "supervisor_stdout:event_handler",
        script: "supervisor_stdout",
        module: "supervisor_stdout",
    },
    Package {
        handler: PrintHandler::Stdlog,
        handler_name: "supervisor_stdlog:log_handler",
        script: "supervisor-stdlog",
        module: "supervisor_stdlog",
    },
    Package {
        handler: PrintHandler::Console,
        handler_name: "supervisor_console.events:event_handler",
        script: "supervisor-console",
        module: "supervisor_console",
    },
];

/// Our own executable, which also implements the listeners.
pub(super) const OURSELVES: &str = "/proc/self/exe";

/// The package that has this result handler.
pub(super) fn with_handler(name: &str) -> Option<PrintHandler> {
    PACKAGES.iter().find(|package| package.handler_name == name).map(|package| package.handler)
}

/// The package whose listener a command runs: its script by name or path, `python -m MODULE`, or
/// `python FOLDER/MODULE.py`.
pub(super) fn run_by(command: &str) -> Option<PrintHandler> {
    let words = split_command(command).ok()?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let words = words.strip_prefix(&["/usr/bin/env"][..]).unwrap_or(&words);
    let (first, rest) = words.split_first()?;
    let package = match program_name(first) {
        program if program.starts_with("python") => {
            let mut rest = rest.iter().skip_while(|word| word.starts_with('-') && **word != "-m");
            let first = rest.next()?;
            let module =
                if *first == "-m" { rest.next()? } else { program_name(first).strip_suffix(".py")? };
            PACKAGES.iter().find(|package| package.module == module)
        }
        program => PACKAGES.iter().find(|package| package.script == program),
    };
    package.map(|package| package.handler)
}

/// The script name that selects the listener of a package.
pub(super) fn script(handler: PrintHandler) -> &'static str {
    package(handler).map_or("", |package| package.script)
}

/// Whether a file is the script of a package and not a different program of that name. Installers write
/// Python scripts that import the package's module.
pub(super) fn is_script(file: &Path, handler: PrintHandler, machine: &dyn Machine) -> bool {
    let Ok(bytes) = machine.read(file) else { return false };
    let holds = |bytes: &[u8], text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    let first_line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let module = package(handler).map_or("", |package| package.module);
    first_line.starts_with(b"#!") && holds(first_line, "python") && holds(&bytes, module)
}

fn package(handler: PrintHandler) -> Option<&'static Package> {
    PACKAGES.iter().find(|package| package.handler == handler)
}

fn program_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    #[test]
    fn a_listener_is_known_by_its_command() {
        use PrintHandler::{Console, Stdlog, Stdout};
        for (command, expected) in [
            ("supervisor_stdout", Some(Stdout)),
            ("/usr/local/bin/supervisor_stdout", Some(Stdout)),
            ("/usr/bin/env supervisor_stdout", Some(Stdout)),
            ("python -m supervisor_stdout", Some(Stdout)),
            ("/usr/bin/python3 -u /opt/supervisor_stdout.py", Some(Stdout)),
            ("/usr/bin/env python3 -u -m supervisor_stdlog", Some(Stdlog)),
            ("supervisor-stdlog", Some(Stdlog)),
            ("supervisor-console", Some(Console)),
            ("python3 -m supervisor_console", Some(Console)),
            ("supervisor_stdout.sh", None),
            ("python3 -m http.server", None),
            ("python3", None),
            ("'", None),
            ("", None),
        ] {
            assert_eq!(run_by(command), expected, "{command}");
        }
    }

    #[test]
    fn only_the_script_of_the_package_is_recognised() {
        let machine = Fake::main("")
            .file("/pip", "#!/usr/bin/python3\nimport sys\nfrom supervisor_stdout import main\nmain()\n")
            .file("/other", "#!/bin/sh\nexec supervisor_stdout\n")
            .file("/unrelated", "#!/usr/bin/python3\nprint(1)\n");
        let is_script = |path: &str| is_script(Path::new(path), PrintHandler::Stdout, &machine);
        assert!(is_script("/pip"));
        assert!(!is_script("/other") && !is_script("/unrelated") && !is_script("/none"));
    }
}
