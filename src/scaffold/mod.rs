//! `sv init`: writes a first configuration, from a Procfile, from a Dockerfile's CMD and ENTRYPOINT, or from questions
//! on a terminal.
//!
//! It creates one file and changes nothing else. A file that exists is never overwritten.
//!
//! * `procfile`, `dockerfile`, `questions`: sources of programs;
//! * `command`: whether a command line needs a shell;
//! * `render`: programs as a configuration in INI or TOML.

mod command;
mod dockerfile;
mod procfile;
mod questions;
mod render;

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::cli::ScaffoldOptions;
use crate::config::{Language, SUPERVISORD_CONF, SUPERVISORD_TOML};
use crate::sys::{files, stdout};
use command::CommandLine;

/// The maximum size of a Procfile or Dockerfile.
const SOURCE_BYTES_MAX: u64 = 1 << 20;

/// The exit status if nothing was written.
const FAILED: u8 = 2;

/// The sources that are searched for in the current directory.
const SOURCES: [&str; 2] = ["Procfile", "Dockerfile"];

/// What a source contributes to the configuration.
#[derive(Debug, Default, PartialEq, Eq)]
struct Draft {
    /// Never empty.
    programs: Vec<ProgramDraft>,
    /// The directory and the file of variables that all programs have.
    directory: Option<String>,
    env_file: Option<String>,
    /// Another signal that stops the container, as `SIGRTMIN+3` without its `SIG`.
    stop_signal: Option<String>,
    /// What to do with the source, one line each.
    next_steps: Vec<String>,
}

/// A program of a configuration to be written.
#[derive(Debug, PartialEq, Eq)]
struct ProgramDraft {
    name: String,
    /// Where it comes from, such as `Procfile:3`.
    origin: String,
    command: CommandLine,
    /// It runs once, before all others.
    is_release: bool,
    /// The default of its variable PORT.
    port: Option<u16>,
}

/// Why nothing was written: what is wrong, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
struct ScaffoldError(String);

impl fmt::Display for ScaffoldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn failed<T>(text: String) -> Result<T, ScaffoldError> {
    Err(ScaffoldError(text))
}

/// Runs the command and returns the exit status.
#[must_use]
pub fn run(options: &ScaffoldOptions) -> u8 {
    match write_configuration(options) {
        Ok(text) => stdout::print(&text, 0),
        Err(error) => {
            // If stderr fails there is nowhere left to report it.
            let _ = writeln!(io::stderr(), "error: {error}");
            FAILED
        }
    }
}

/// The text for standard output: a report about the written file, or the configuration itself.
fn write_configuration(options: &ScaffoldOptions) -> Result<String, ScaffoldError> {
    let (output, language) = output(options);
    if let Some(path) = output.as_deref() {
        ensure_absent(path)?;
    }
    let source = options.source.clone().or_else(source_here);
    let draft = match &source {
        Some(source) => draft_of(source, output.as_deref())?,
        None if io::stdin().is_terminal() => questions::draft()?,
        None => {
            return failed(
                "there is no Procfile and no Dockerfile here: name one (`sv init FILE`), or run `sv init` on a \
                 terminal, where it asks for commands"
                    .to_owned(),
            );
        }
    };
    if let Some(program) = draft.programs.iter().find(|program| program.command.text().contains('\n'))
        && language == Language::Ini
    {
        return failed(format!(
            "the command of '{}' has a line break, which the INI format cannot express: use --toml",
            program.name
        ));
    }
    let text = render::configuration(&draft, language, source.as_deref());
    let Some(path) = output else { return Ok(text) };
    create(&path, &text)?;
    Ok(report(&path, &draft))
}

/// The file to write, none for standard output, and its language.
fn output(options: &ScaffoldOptions) -> (Option<PathBuf>, Language) {
    let is_toml = |path: &Path| path.extension().is_some_and(|ending| ending == "toml");
    let is_toml = options.toml || options.output.as_deref().is_some_and(is_toml);
    let (language, name) =
        if is_toml { (Language::Toml, SUPERVISORD_TOML) } else { (Language::Ini, SUPERVISORD_CONF) };
    let path = match &options.output {
        Some(path) if path.as_os_str() == "-" => None,
        Some(path) => Some(path.clone()),
        None => Some(name.into()),
    };
    (path, language)
}

fn source_here() -> Option<PathBuf> {
    SOURCES.iter().map(PathBuf::from).find(|path| path.is_file())
}

/// Before any question is asked.
fn ensure_absent(path: &Path) -> Result<(), ScaffoldError> {
    if path.symlink_metadata().is_ok() { failed(exists(path)) } else { Ok(()) }
}

fn exists(path: &Path) -> String {
    format!(
        "'{}' exists and is left as it is: choose another file with -o FILE, or see the configuration with -o -",
        path.display()
    )
}

fn create(path: &Path, text: &str) -> Result<(), ScaffoldError> {
    let created = OpenOptions::new().write(true).create_new(true).open(path);
    let written = created.and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => failed(exists(path)),
        Err(error) => failed(format!("cannot write '{}': {error}", path.display())),
    }
}

fn draft_of(source: &Path, output: Option<&Path>) -> Result<Draft, ScaffoldError> {
    let shown = source.display().to_string();
    let cannot = |why: &dyn fmt::Display| {
        let help = if source.is_file() { "" } else { ": name a Procfile or a Dockerfile" };
        ScaffoldError(format!("cannot read '{shown}': {why}{help}"))
    };
    let bytes = files::read_and_wait(source, SOURCE_BYTES_MAX).map_err(|error| cannot(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| cannot(&"it is not UTF-8"))?;
    if !is_procfile(source) {
        return dockerfile::draft(&text, &shown);
    }
    let folder = source.parent().unwrap_or(Path::new(""));
    let mut draft = procfile::draft(&text, &shown)?;
    let here = output.and_then(Path::parent).unwrap_or(Path::new(""));
    let folder_in_config = if same_folder(folder, here) {
        "%(here)s".to_owned()
    } else {
        render::escape_percent(&absolute(folder).to_string_lossy())
    };
    if let Ok(variables) = fs::read_to_string(folder.join(".env")) {
        draft.env_file = Some(format!("{folder_in_config}/.env"));
        // Options in `environment` take precedence over the file.
        if variables.lines().any(|line| line.trim_start_matches("export ").starts_with("PORT=")) {
            draft.programs.iter_mut().for_each(|program| program.port = None);
        }
    }
    draft.directory = Some(folder_in_config);
    Ok(draft)
}

/// `Procfile`, `Procfile.dev`, `dev.procfile`; everything else is a Dockerfile.
fn is_procfile(source: &Path) -> bool {
    source.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().contains("procfile"))
}

fn absolute(folder: &Path) -> PathBuf {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
}

fn same_folder(one: &Path, other: &Path) -> bool {
    absolute(one) == absolute(other)
}

fn report(path: &Path, draft: &Draft) -> String {
    let (count, shown) = (draft.programs.len(), path.display());
    let programs = if count == 1 { "1 program".to_owned() } else { format!("{count} programs") };
    let mut text = format!("wrote {shown} with {programs}\n\nnext:\n  sv check {shown}\n  sv run {shown}\n");
    for step in &draft.next_steps {
        text.push_str(&format!("  {step}\n"));
    }
    text
}

/// A name for a program: without the characters that a section's name or `GROUP:NAME` can't contain.
fn program_name(text: &str) -> String {
    let base = text.rsplit('/').next().unwrap_or(text);
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = base.chars().filter(|c| is_allowed(*c)).collect();
    let name = name.trim_start_matches(['-', '.']).to_owned();
    if name.is_empty() { "app".to_owned() } else { name }
}
