//! Resolves a command to an executable file, with Supervisor's error messages.

use std::path::{Path, PathBuf};

use crate::model::{Fault, FaultCode};
use crate::python::{quote, split_command};

/// The search path if PATH is not set.
const DEFAULT_PATH: &str = "/bin:/usr/bin:/usr/local/bin";

/// The bits of a mode that are the type of the file, and those of a directory.
const FILE_TYPE: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;

/// The executable bits of a mode.
const EXECUTABLE: u32 = 0o111;

/// A resolved command.
#[derive(Debug, PartialEq, Eq)]
pub struct Executable {
    /// The file of the program.
    pub file: PathBuf,
    /// Its arguments; never empty.
    pub argv: Vec<String>,
}

/// Lookups of files. Links are followed.
pub trait FileLookup {
    /// Whether the path exists.
    fn exists(&self, path: &Path) -> bool;
    /// The type and the permission bits, inode(7); `None` if the path does not exist.
    fn mode(&self, path: &Path) -> Option<u32>;
    /// Whether we may execute it.
    fn is_executable(&self, path: &Path) -> bool;
}

/// The PATH for the command of a program: its own, else ours unless that is empty.
#[must_use]
pub fn search_path<'e>(own: &'e [(String, String)], inherited: &'e [(String, String)]) -> &'e str {
    let path = |(name, value): &'e (String, String)| (name == "PATH").then_some(value.as_str());
    let inherited = || inherited.iter().find_map(path).filter(|path| !path.is_empty());
    own.iter().rev().find_map(path).or_else(inherited).unwrap_or(DEFAULT_PATH)
}

/// Looks up a command as Supervisor does: the first file of this name in `path` is used, executable or not.
///
/// # Errors
/// Why it can't be executed: the text, and the fault code that answers a start request.
pub fn resolve_command(
    command: &str,
    path: &str,
    files: &(impl FileLookup + ?Sized),
) -> Result<Executable, Fault> {
    let argv = split_command(command)
        .map_err(|error| not_executable(format!("can't parse command {}: {error}", quote(command))))?;
    let Some(program) = argv.first() else {
        return Err(not_executable("command is empty".to_owned()));
    };
    let file = find(program, path, files).unwrap_or_else(|| PathBuf::from(program));
    check(&file, files)?;
    Ok(Executable { file, argv })
}

fn find(program: &str, path: &str, files: &(impl FileLookup + ?Sized)) -> Option<PathBuf> {
    if program.contains('/') {
        return None;
    }
    path.split(':').map(|folder| Path::new(folder).join(program)).find(|file| files.exists(file))
}

fn check(file: &Path, files: &(impl FileLookup + ?Sized)) -> Result<(), Fault> {
    let shown = || quote(&file.display().to_string());
    let Some(mode) = files.mode(file) else {
        return Err(Fault::about(FaultCode::NoFile, format!("can't find command {}", shown())));
    };
    if mode & FILE_TYPE == DIRECTORY {
        return Err(not_executable(format!("command at {} is a directory", shown())));
    }
    if mode & EXECUTABLE == 0 {
        return Err(not_executable(format!("command at {} is not executable", shown())));
    }
    if !files.is_executable(file) {
        return Err(not_executable(format!("no permission to run command {}", shown())));
    }
    Ok(())
}

fn not_executable(text: String) -> Fault {
    Fault::about(FaultCode::NotExecutable, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths with their modes.
    struct Files(&'static [(&'static str, u32)]);

    impl Files {
        fn find(&self, path: &Path) -> Option<&(&'static str, u32)> {
            self.0.iter().find(|(known, _)| Path::new(known) == path)
        }
    }

    impl FileLookup for Files {
        fn exists(&self, path: &Path) -> bool {
            self.find(path).is_some()
        }

        fn mode(&self, path: &Path) -> Option<u32> {
            self.find(path).map(|(_, mode)| *mode)
        }

        fn is_executable(&self, path: &Path) -> bool {
            // Not executable for us, only for others.
            self.mode(path).is_some_and(|mode| mode & 0o700 != 0)
        }
    }

    const FILES: Files = Files(&[
        ("/opt/own/cat", 0o755),
        ("/bin/cat", 0o755),
        ("/opt/text", 0o644),
        ("/opt/others", 0o005),
        ("/opt/tmp", DIRECTORY | 0o755),
    ]);

    #[test]
    fn command_is_searched_in_path_and_has_to_be_executable() {
        let path = "/opt:/bin";
        for (command, path, expected) in [
            ("cat -n", path, Ok("/bin/cat cat -n")),
            ("cat", "/opt/own:/bin", Ok("/opt/own/cat cat")),
            ("/opt/own/cat 'a b'", path, Ok("/opt/own/cat /opt/own/cat a b")),
            ("dog", path, Err((FaultCode::NoFile, "can't find command 'dog'"))),
            ("own/cat", path, Err((FaultCode::NoFile, "can't find command 'own/cat'"))),
            ("text", path, Err((FaultCode::NotExecutable, "command at '/opt/text' is not executable"))),
            ("others", path, Err((FaultCode::NotExecutable, "no permission to run command '/opt/others'"))),
            ("tmp", path, Err((FaultCode::NotExecutable, "command at '/opt/tmp' is a directory"))),
            ("", path, Err((FaultCode::NotExecutable, "command is empty"))),
            ("'a", path, Err((FaultCode::NotExecutable, "can't parse command \"'a\": No closing quotation"))),
        ] {
            let found = resolve_command(command, path, &FILES);
            let found =
                found.map(|Executable { file, argv }| format!("{} {}", file.display(), argv.join(" ")));
            let found = found.map_err(|fault| (fault.code, fault.detail.unwrap_or_default()));
            let expected = expected.map(str::to_owned).map_err(|(code, text)| (code, text.to_owned()));
            assert_eq!(found, expected, "{command}");
        }
    }

    #[test]
    fn the_programs_own_path_comes_first_and_an_empty_inherited_one_is_ignored() {
        let variables = |path: &[&str]| -> Vec<(String, String)> {
            path.iter().map(|path| ("PATH".to_owned(), (*path).to_owned())).collect()
        };
        for (own, inherited, expected) in [
            (&["/a", "/b"][..], &["/c"][..], "/b"),
            (&[], &["/c"], "/c"),
            (&[], &[""], DEFAULT_PATH),
            (&[""], &["/c"], ""),
            (&[], &[], DEFAULT_PATH),
        ] {
            assert_eq!(search_path(&variables(own), &variables(inherited)), expected);
        }
    }
}
