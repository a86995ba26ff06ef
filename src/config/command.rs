//! From the text of `command=` to a file that can be executed, with Supervisor's words for why not.

use std::path::{Path, PathBuf};

use crate::model::{Environment, EventLength, Fault, FaultCode, PrintHandler, ProcessSpec, StandIn};
use crate::python::quote;

use super::print_listeners;
use super::surroundings::Surroundings;
use super::words::split_command;

/// Where commands are looked for if nobody has set a PATH.
const DEFAULT_PATH: &str = "/bin:/usr/bin:/usr/local/bin";

/// The bits of a file's mode that let somebody execute it.
const EXECUTABLE: u32 = 0o111;

/// Has a built-in listener count bytes.
pub const BYTES: &str = "bytes";

/// What is to be executed.
#[derive(Debug, PartialEq, Eq)]
pub struct Executable {
    /// The program.
    pub file: PathBuf,
    /// What it is given; never empty.
    pub argv: Vec<String>,
}

/// Looks the command up as Supervisor does: in the program's own PATH, else in ours, and the first
/// that exists is it, whether it can be executed or not.
///
/// # Errors
///
/// Why it can't be executed: the text, and the code that a start request is refused with.
///
/// A listener that is built in takes the place of a command that is not there, and of the script of the
/// package that it is modelled on: that needs Python, and does the same.
pub fn resolve(spec: &ProcessSpec, around: &dyn Surroundings) -> Result<Executable, Fault> {
    let found = resolve_command(&spec.command, &spec.environment, around);
    let Some(StandIn { package, length }) = spec.stand_in else { return found };
    let is_replaced = match &found {
        Ok(Executable { file, .. }) => is_of_package(&spec.command, file, package, around),
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

/// Another program may have the name of the script.
fn is_of_package(command: &str, file: &Path, package: PrintHandler, around: &dyn Surroundings) -> bool {
    let is_python = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"python"));
    print_listeners::run_by(command) == Some(package)
        && (is_python || print_listeners::is_script(file, package, around))
}

/// The same for a command in this environment, with no listener to take its place.
///
/// # Errors
///
/// As [`resolve`].
pub fn resolve_command(
    command: &str,
    environment: &Environment,
    around: &dyn Surroundings,
) -> Result<Executable, Fault> {
    let argv = split_command(command)
        .map_err(|error| not_executable(format!("can't parse command {}: {error}", quote(command))))?;
    let Some(program) = argv.first() else {
        return Err(not_executable("command is empty".to_owned()));
    };
    let own_path = path_of(environment.iter().rev());
    let inherited = || path_of(around.environment().iter()).filter(|path| !path.is_empty());
    let path = own_path.or_else(inherited).unwrap_or(DEFAULT_PATH);
    let file = find(program, path, around).unwrap_or_else(|| PathBuf::from(program));
    check(&file, around)?;
    Ok(Executable { file, argv })
}

fn path_of<'e>(mut environment: impl Iterator<Item = &'e (String, String)>) -> Option<&'e str> {
    environment.find(|(name, _)| name == "PATH").map(|(_, value)| value.as_str())
}

fn find(program: &str, path: &str, around: &dyn Surroundings) -> Option<PathBuf> {
    if program.contains('/') {
        return None;
    }
    path.split(':').map(|folder| Path::new(folder).join(program)).find(|file| around.exists(file))
}

fn check(file: &Path, around: &dyn Surroundings) -> Result<(), Fault> {
    let shown = quote(&file.display().to_string());
    let Some(mode) = around.mode(file) else {
        return Err(Fault::about(FaultCode::NoFile, format!("can't find command {shown}")));
    };
    if around.is_dir(file) {
        return Err(not_executable(format!("command at {shown} is a directory")));
    }
    if mode & EXECUTABLE == 0 {
        return Err(not_executable(format!("command at {shown} is not executable")));
    }
    if !around.is_executable(file) {
        return Err(not_executable(format!("no permission to run command {shown}")));
    }
    Ok(())
}

fn not_executable(text: String) -> Fault {
    Fault::about(FaultCode::NotExecutable, text)
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, MAIN};
    use super::super::load;
    use super::*;

    /// `file argv…`, or why not.
    fn told(lines: &str) -> String {
        let text = format!("[supervisord]\n[program:x]\n{lines}");
        let around = Fake::main(&text)
            .variable("PATH", "/opt:/bin")
            .program("/bin/cat")
            .program("/opt/own/cat")
            .file("/opt/text", "");
        let settings = load(Path::new(MAIN), &[], &around).unwrap();
        match resolve(&settings.groups[0].processes[0], &around) {
            Ok(Executable { file, argv }) => format!("{} {}", file.display(), argv.join(" ")),
            Err(fault) => fault.detail.unwrap_or_default(),
        }
    }

    #[test]
    fn without_a_path_or_with_an_empty_one_the_usual_folders_are_searched() {
        for around in [Fake::main(CAT), Fake::main(CAT).variable("PATH", "")] {
            let around = around.program("/usr/bin/cat");
            let settings = load(Path::new(MAIN), &[], &around).unwrap();
            let found = resolve(&settings.groups[0].processes[0], &around).map(|found| found.file);
            assert_eq!(found.ok(), Some("/usr/bin/cat".into()));
        }
    }

    const CAT: &str = "[supervisord]\n[program:x]\ncommand=cat\n";

    #[test]
    fn commands_are_looked_up_in_the_own_path_then_in_ours() {
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
            assert_eq!(told(lines), expected, "{lines}");
        }
    }
}
