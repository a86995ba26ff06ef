//! All that there is to say of a configuration, each with its place: what `sv check` prints.

use std::path::{Path, PathBuf};

use crate::model::{LogLevel, Settings};

use super::document::{Document, Origin};
use super::error::Error;
use super::load::{Examined, examine};
use super::reader::Override;
use super::reading::Remark;
use super::surroundings::Surroundings;

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing runs with it.
    Error,
    /// It runs, but perhaps not as was meant.
    Warning,
}

/// Something that is to be said of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub message: String,
    /// The file that it is in.
    pub file: Option<PathBuf>,
    /// The line there, from 1.
    pub line: Option<usize>,
    /// The environment variable that says so instead of a file.
    pub variable: Option<String>,
    /// The section's full name.
    pub section: Option<String>,
    /// The option's key.
    pub option: Option<String>,
    /// What it was set to; never a secret.
    pub value: Option<String>,
}

/// What checking a configuration came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Errors first, each sort in the order in which it was found.
    pub findings: Vec<Finding>,
    /// `None` if there is any error.
    pub settings: Option<Settings>,
}

/// Reads a configuration and tells everything about it.
#[must_use]
pub fn check(path: &Path, overrides: &[Override], around: &dyn Surroundings) -> Report {
    let Examined { settings, document, findings } = examine(path, overrides, around);
    let errors = findings.errors.into_iter().map(Finding::of_error);
    let loud = findings.remarks.into_iter().filter(|remark| remark.notice.level >= LogLevel::Warn);
    let warnings = loud.map(|remark| Finding::of_remark(remark, document.as_ref()));
    Report { findings: errors.chain(warnings).collect(), settings }
}

impl Finding {
    fn of_error(error: Error) -> Self {
        let Error { kind: _, message, section, file, line, variable, option, value } = error;
        Self { severity: Severity::Error, message, file, line, variable, section, option, value }
    }

    fn of_remark(remark: Remark, document: Option<&Document>) -> Self {
        let Remark { notice, spot } = remark;
        let mut finding = Self {
            severity: Severity::Warning,
            message: notice.text,
            file: None,
            line: None,
            variable: None,
            section: None,
            option: None,
            value: None,
        };
        let Some((spot, document)) = spot.zip(document) else { return finding };
        match &document.source(spot.place).origin {
            Origin::File(path) => {
                finding.file = Some(path.clone());
                finding.line = Some(spot.place.line);
            }
            Origin::Variable(name) => finding.variable = Some(name.clone()),
        }
        Self { section: Some(spot.section), option: spot.option, ..finding }
    }
}
