//! From the text of `command=` to a file that can be executed, with Supervisor's words for why not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::split_command;
use crate::model::{Fault, FaultCode, ProcessSpec};
use crate::python::quote;
use crate::sys::files::is_executable;

/// Where commands are looked for if nobody has set a PATH.
const DEFAULT_PATH: &str = "/bin:/usr/bin:/usr/local/bin";

/// What is to be executed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Executable {
    pub(super) file: PathBuf,
    pub(super) argv: Vec<String>,
}

/// Why a command can't be executed: the text, and the code that a start request is refused with.
pub(super) type Refusal = Fault;

/// Looks the command up as Supervisor does: in the program's own PATH, else in `inherited_path`,
/// and the first that exists is it, whether it can be executed or not.
pub(super) fn resolve(spec: &ProcessSpec, inherited_path: Option<&str>) -> Result<Executable, Refusal> {
    let command = &spec.command;
    let argv = split_command(command)
        .map_err(|error| not_executable(format!("can't parse command {}: {error}", quote(command))))?;
    let Some(program) = argv.first() else {
        return Err(not_executable("command is empty".to_owned()));
    };
    let own_path = spec.environment.iter().rev().find(|(name, _)| name == "PATH");
    let path = own_path.map(|(_, value)| value.as_str()).or(inherited_path).unwrap_or(DEFAULT_PATH);
    let file = find(program, path).unwrap_or_else(|| PathBuf::from(program));
    check(&file)?;
    Ok(Executable { file, argv })
}

fn find(program: &str, path: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return None;
    }
    path.split(':').map(|folder| Path::new(folder).join(program)).find(|file| file.exists())
}

fn check(file: &Path) -> Result<(), Refusal> {
    let shown = quote(&file.display().to_string());
    let Ok(found) = fs::metadata(file) else {
        return Err(Fault::about(FaultCode::NoFile, format!("can't find command {shown}")));
    };
    if found.is_dir() {
        return Err(not_executable(format!("command at {shown} is a directory")));
    }
    if found.permissions().mode() & 0o111 == 0 {
        return Err(not_executable(format!("command at {shown} is not executable")));
    }
    if !is_executable(file) {
        return Err(not_executable(format!("no permission to run command {shown}")));
    }
    Ok(())
}

fn not_executable(text: String) -> Refusal {
    Fault::about(FaultCode::NotExecutable, text)
}
