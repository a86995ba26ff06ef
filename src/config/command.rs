//! The command of a program, or the built-in listener that replaces it.

use std::path::{Path, PathBuf};

use crate::launch::{self, Executable, FileLookup};
use crate::model::{Environment, EventLength, Fault, FaultCode, PrintHandler, ProcessSpec, StandIn};

use super::machine::Machine;
use super::print_listeners;

/// The value that makes a built-in listener count bytes.
pub const BYTES: &str = "bytes";

/// Looks up the command of a program, see [`launch::resolve_command`].
///
/// A built-in listener replaces a command that does not exist, and the script of the Python package that it
/// is modelled on: the script needs Python and does the same.
///
/// # Errors
///
/// Why the command cannot be executed: the text, and the fault code that answers a start request.
pub fn resolve(spec: &ProcessSpec, machine: &dyn Machine) -> Result<Executable, Fault> {
    let found = resolve_command(&spec.command, &spec.environment, machine);
    let Some(StandIn { package, length }) = spec.stand_in else { return found };
    let is_replaced = match &found {
        Ok(Executable { file, .. }) => is_of_package(&spec.command, file, package, machine),
        Err(fault) => fault.code == FaultCode::NoFile,
    };
    if !is_replaced {
        return found;
    }
    let script = print_listeners::script(package).to_owned();
    let words = match length {
        EventLength::Characters => vec![script],
        EventLength::Bytes => vec![script, BYTES.to_owned()],
    };
    Ok(Executable { file: PathBuf::from(print_listeners::OURSELVES), argv: words })
}

/// A different program may have the name of the script.
fn is_of_package(command: &str, file: &Path, package: PrintHandler, machine: &dyn Machine) -> bool {
    let is_python = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"python"));
    print_listeners::run_by(command) == Some(package)
        && (is_python || print_listeners::is_script(file, package, machine))
}

/// Like [`resolve`], for a command in the given environment and without a built-in listener.
///
/// # Errors
///
/// As for [`resolve`].
pub fn resolve_command(
    command: &str,
    environment: &Environment,
    machine: &dyn Machine,
) -> Result<Executable, Fault> {
    launch::resolve_command(command, launch::search_path(environment, machine.environment()), machine)
}

impl FileLookup for dyn Machine + '_ {
    fn exists(&self, path: &Path) -> bool {
        Machine::exists(self, path)
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        Machine::mode(self, path)
    }

    fn is_executable(&self, path: &Path) -> bool {
        Machine::is_executable(self, path)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, MAIN};
    use super::super::load;
    use super::*;

    /// `file argv…`, or the error.
    fn summary(lines: &str) -> String {
        let text = format!("[supervisord]\n[program:x]\n{lines}");
        let machine = Fake::main(&text)
            .variable("PATH", "/opt:/bin")
            .program("/bin/cat")
            .program("/opt/own/cat")
            .file("/opt/text", "");
        let settings = load(Path::new(MAIN), &[], &machine).unwrap();
        match resolve(&settings.groups[0].processes[0], &machine) {
            Ok(Executable { file, argv }) => format!("{} {}", file.display(), argv.join(" ")),
            Err(fault) => fault.detail.unwrap_or_default(),
        }
    }

    #[test]
    fn without_a_path_or_with_an_empty_one_the_usual_folders_are_searched() {
        for machine in [Fake::main(CAT), Fake::main(CAT).variable("PATH", "")] {
            let machine = machine.program("/usr/bin/cat");
            let settings = load(Path::new(MAIN), &[], &machine).unwrap();
            let found = resolve(&settings.groups[0].processes[0], &machine).map(|found| found.file);
            assert_eq!(found.ok(), Some("/usr/bin/cat".into()));
        }
    }

    const CAT: &str = "[supervisord]\n[program:x]\ncommand=cat\n";

    #[test]
    fn commands_are_found_in_the_programs_path_then_in_ours() {
        for (lines, expected) in [
            ("command=cat -n", "/bin/cat cat -n"),
            ("command=cat\nenvironment=PATH=\"/opt/own:/bin\"", "/opt/own/cat cat"),
            ("command=/opt/own/cat", "/opt/own/cat /opt/own/cat"),
            ("command=dog", "can't find command 'dog'"),
            ("command=own/cat", "can't find command 'own/cat'"),
            ("command=text", "command at '/opt/text' is not executable"),
            ("command=/tmp", "command at '/tmp' is a directory"),
            ("command=", "command is empty"),
            ("command='a", "can't parse command \"'a\": No closing quotation"),
        ] {
            assert_eq!(summary(lines), expected, "{lines}");
        }
    }
}
