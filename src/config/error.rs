//! Errors in a configuration, each with its place.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::python::quote;

/// The kind of an error. Callers match on kinds, never on texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The file is missing, unreadable, too large or not text.
    File,
    /// A line is neither a header nor an option.
    Syntax,
    /// A required section is missing.
    MissingSection,
    /// A section or an option has an invalid value.
    Value,
    /// An option of the command line has a bad value.
    CommandLine,
}

/// An error in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Its kind.
    pub kind: ErrorKind,
    /// What is wrong, in Supervisor's words where it has any.
    pub message: String,
    /// The section's full name.
    pub section: Option<String>,
    /// The file that contains the option or, if the option is missing, the header of the section.
    pub file: Option<PathBuf>,
    /// The line in that file, from 1.
    pub line: Option<usize>,
    /// The environment variable that sets the option, if it is not set in a file.
    pub variable: Option<String>,
    /// The option's key.
    pub option: Option<String>,
    /// The value; never set for a password.
    pub value: Option<String>,
    /// The part of the value that is wrong, as written, if known.
    pub part: Option<String>,
    /// What was probably meant instead.
    pub suggestion: Option<String>,
    /// What to do about it, which Supervisor's words don't say.
    pub remedy: Option<&'static str>,
    /// For a file that can't be parsed: its bad lines, from 1, and what is wrong with each.
    pub bad_lines: Vec<(usize, Cow<'static, str>)>,
}

/// `did you mean 'x'?`
#[must_use]
pub fn did_you_mean(suggestion: &str) -> String {
    if suggestion.starts_with('[') {
        return format!("did you mean {suggestion}?");
    }
    format!("did you mean '{suggestion}'?")
}

impl Error {
    /// An error without a place.
    pub(super) fn new(kind: ErrorKind, message: String) -> Self {
        Self {
            kind,
            message,
            section: None,
            file: None,
            line: None,
            variable: None,
            option: None,
            value: None,
            part: None,
            suggestion: None,
            remedy: None,
            bad_lines: Vec::new(),
        }
    }

    /// An error about a whole file.
    pub(super) fn about_file(kind: ErrorKind, file: &Path, message: String) -> Self {
        Self { file: Some(file.to_owned()), ..Self::new(kind, message) }
    }

    /// The message as `sv`: with the remedy.
    #[must_use]
    pub fn plain(&self) -> String {
        match self.remedy {
            Some(remedy) => format!("{self}: {remedy}"),
            None => self.to_string(),
        }
    }

    /// Whether the message itself does not contain the place, so that it is appended.
    fn is_placed_by_suffix(&self) -> bool {
        matches!(self.kind, ErrorKind::MissingSection | ErrorKind::Value)
    }
}

impl fmt::Display for Error {
    /// `T in section 'program:x' (file: '/etc/x.conf', line: 12, option: autostart)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, " ({})", did_you_mean(suggestion))?;
        }
        if !self.is_placed_by_suffix() {
            return Ok(());
        }
        if let Some(section) = &self.section {
            write!(f, " in section {}", quote(section))?;
        }
        let file = self.file.as_ref().map(|file| format!("file: {}", quote(&file.to_string_lossy())));
        let line = self.line.map(|line| format!("line: {line}"));
        let variable = self.variable.as_ref().map(|name| format!("variable: {name}"));
        let option = self.option.as_ref().map(|option| format!("option: {option}"));
        let place: Vec<String> = [file, line, variable, option].into_iter().flatten().collect();
        if place.is_empty() { Ok(()) } else { write!(f, " ({})", place.join(", ")) }
    }
}

impl std::error::Error for Error {}

/// All errors, in the order in which they were found; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors(pub Vec<Error>);

impl Errors {
    /// All messages as `sv`, one per line.
    #[must_use]
    pub fn plain(&self) -> String {
        self.0.iter().map(Error::plain).collect::<Vec<_>>().join("\n")
    }

    /// Whether the only error is that a section is missing, so that defaults can be used.
    #[must_use]
    pub fn is_missing_section(&self) -> bool {
        self.0.iter().all(|error| error.kind == ErrorKind::MissingSection)
    }
}

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if nth == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind) -> Error {
        Error {
            section: Some("program:x".to_owned()),
            file: Some("/etc/x.conf".into()),
            line: Some(12),
            option: Some("autostart".to_owned()),
            value: Some("maybe".to_owned()),
            ..Error::new(kind, "no good".to_owned())
        }
    }

    #[test]
    fn the_place_follows_the_message() {
        let whole = error(ErrorKind::Value);
        let expected = "no good in section 'program:x' (file: '/etc/x.conf', line: 12, option: autostart)";
        assert_eq!(whole.to_string(), expected);
        let section_only = Error { line: None, option: None, ..whole.clone() };
        assert_eq!(section_only.to_string(), "no good in section 'program:x' (file: '/etc/x.conf')");
        let nowhere = Error { section: None, file: None, ..section_only };
        assert_eq!(nowhere.to_string(), "no good");
        for kind in [ErrorKind::File, ErrorKind::Syntax, ErrorKind::CommandLine] {
            assert_eq!(error(kind).to_string(), "no good", "{kind:?} has the place in its message");
        }
    }

    #[test]
    fn errors_print_one_below_the_other() {
        let both = Errors(vec![error(ErrorKind::File), error(ErrorKind::Syntax)]);
        assert_eq!(both.to_string(), "no good\nno good");
        assert!(!both.is_missing_section());
        assert!(Errors::from(error(ErrorKind::MissingSection)).is_missing_section());
    }
}
