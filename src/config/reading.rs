//! What all readers of one document share: the document, the machine, and what was found wrong.
//!
//! Nothing here knows an option. Errors and notices are kept in the order in which they are found;
//! the first error makes all that was read worthless, but never ends the reading.

use std::collections::{HashMap, HashSet};

use crate::model::{LogLevel, Notice, User};

use super::error::{Error, ErrorKind, Errors};
use super::ini::{Document, Place, Section};
use super::surroundings::Surroundings;
use super::values;

/// What reading finds beside values.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) errors: Vec<Error>,
    pub(super) notices: Vec<Notice>,
}

/// All that is needed while a document is read, and all that is found.
pub(super) struct Reading<'a> {
    pub(super) document: &'a Document,
    pub(super) around: &'a dyn Surroundings,
    pub(super) host_node_name: &'a str,
    findings: Findings,
    /// Asked for once: a thousand programs may run as one user.
    users: HashMap<String, Result<User, String>>,
}

impl<'a> Reading<'a> {
    /// `findings` are what was found before.
    pub(super) fn new(
        document: &'a Document,
        around: &'a dyn Surroundings,
        host_node_name: &'a str,
        findings: Findings,
    ) -> Self {
        Self { document, around, host_node_name, findings, users: HashMap::new() }
    }

    pub(super) fn warn(&mut self, text: String) {
        self.findings.notices.push(Notice { level: LogLevel::Warn, text });
    }

    pub(super) fn error(&mut self, error: Error) {
        self.findings.errors.push(error);
    }

    pub(super) fn error_count(&self) -> usize {
        self.findings.errors.len()
    }

    /// Writes down what is wrong with a section as a whole.
    pub(super) fn section_error(&mut self, section: &Section, message: String) {
        let error = self.placed(section, section.place, message);
        self.error(error);
    }

    /// `/etc/x.conf:12`
    pub(super) fn told(&self, place: Place) -> String {
        format!("{}:{}", self.document.file(place).path.display(), place.line)
    }

    /// All that was found.
    pub(super) fn into_findings(self) -> Findings {
        self.findings
    }

    /// The notices, if there were no errors. What was found wrong twice is told once: a program in
    /// two groups is read twice, its processes each for themselves.
    pub(super) fn finish(self) -> Result<Vec<Notice>, Errors> {
        let Findings { mut errors, mut notices } = self.findings;
        let mut seen = HashSet::new();
        errors.retain(|error| seen.insert(error.to_string()));
        seen.clear();
        notices.retain(|notice| notice.level < LogLevel::Warn || seen.insert(notice.text.clone()));
        if errors.is_empty() { Ok(notices) } else { Err(Errors(errors)) }
    }

    /// An error with a place.
    pub(super) fn placed(&self, section: &Section, place: Place, message: String) -> Error {
        Error {
            section: Some(section.name.clone()),
            file: Some(self.document.file(place).path.clone()),
            line: Some(place.line),
            ..Error::new(ErrorKind::Value, message)
        }
    }

    /// A user of the machine, by name or number.
    pub(super) fn user(&mut self, text: &str) -> Result<User, String> {
        if let Some(known) = self.users.get(text) {
            return known.clone();
        }
        let found = values::user(text, self.around);
        self.users.insert(text.to_owned(), found.clone());
        found
    }
}
