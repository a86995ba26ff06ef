//! All that there is to say of a configuration, each with its place: what `sv check` prints.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::model::{LogLevel, Settings};

use super::document::{Document, Origin};
use super::error::{Error, Errors};
use super::load::{Examined, examine};
use super::options::{SectionKind, ValueType, option_of};
use super::reader::Override;
use super::reading::{Remark, Spot};
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
    /// What it is; neither the place nor the suggestion is in it.
    pub message: String,
    /// What was perhaps meant instead: an option, a `[section]`, or what the value should be.
    pub suggestion: Option<String>,
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
    /// The part of the value that it is about, as it is written there, where that is known.
    pub part: Option<String>,
}

/// What checking a configuration came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Errors first, and those of one file by line.
    pub findings: Vec<Finding>,
    /// `None` if there is any error.
    pub settings: Option<Settings>,
}

/// Reads a configuration and tells everything about it: what is wrong and, if nothing is, what is
/// legal and yet a mistake where `grace_secs` are the seconds that a stop may take in all. `command` is
/// the main program, as for [`super::load_beside`].
#[must_use]
pub fn check(
    path: &Path,
    overrides: &[Override],
    command: &[String],
    around: &dyn Surroundings,
    grace_secs: i64,
) -> Report {
    Report::of(examine(path, overrides, command, around, Some(grace_secs)))
}

impl Report {
    pub(super) fn of(examined: Examined) -> Self {
        let Examined { settings, document, findings } = examined;
        let errors = findings.errors.into_iter().flat_map(Finding::of_error);
        let loud = findings.remarks.into_iter().filter(|remark| remark.notice.level >= LogLevel::Warn);
        let warnings = loud.map(|remark| Finding::of_remark(remark, document.as_ref()));
        let mut findings: Vec<_> = errors.chain(warnings).collect();
        sort(&mut findings);
        Self { findings, settings }
    }
}

/// Errors first; within a file by line, and files in the order in which something was found in them.
fn sort(findings: &mut [Finding]) {
    let mut files: Vec<Option<PathBuf>> = Vec::new();
    for finding in findings.iter() {
        if !files.contains(&finding.file) {
            files.push(finding.file.clone());
        }
    }
    findings.sort_by_key(|finding| {
        let is_warning = finding.severity == Severity::Warning;
        (is_warning, files.iter().position(|file| *file == finding.file), finding.line)
    });
}

impl From<Errors> for Vec<Finding> {
    fn from(errors: Errors) -> Self {
        errors.0.into_iter().flat_map(Finding::of_error).collect()
    }
}

impl Finding {
    /// More than one of a file that can't be parsed: one for each bad line.
    fn of_error(error: Error) -> Vec<Self> {
        let Error { kind: _, message, section, file, line, variable, option, value, .. } = error;
        let Error { part, suggestion, bad_lines, .. } = error;
        let severity = Severity::Error;
        let whole =
            Self { severity, message, suggestion, file, line, variable, section, option, value, part };
        if bad_lines.is_empty() {
            return vec![whole];
        }
        let of_line = |(line, message): (usize, Cow<'static, str>)| Self {
            line: Some(line),
            message: message.into_owned(),
            ..whole.clone()
        };
        bad_lines.into_iter().map(of_line).collect()
    }

    fn of_remark(remark: Remark, document: Option<&Document>) -> Self {
        let Remark { notice: _, message, suggestion, part, spot, variable } = remark;
        let finding = Self {
            severity: Severity::Warning,
            message,
            suggestion,
            file: None,
            line: None,
            variable,
            section: None,
            option: None,
            value: None,
            part,
        };
        match spot.zip(document) {
            Some((spot, document)) => finding.at(spot, document),
            None => finding,
        }
    }

    fn at(self, spot: Spot, document: &Document) -> Self {
        let value = written(&spot, document);
        let finding = Self { section: Some(spot.section), option: spot.option, value, ..self };
        match &document.source(spot.place).origin {
            Origin::File(path) => Self { file: Some(path.clone()), line: Some(spot.place.line), ..finding },
            Origin::Variable(name) => Self { variable: Some(name.clone()), ..finding },
            Origin::CommandLine => finding,
        }
    }
}

/// What the option at a spot was set to, if it is one of ours and no secret.
fn written(spot: &Spot, document: &Document) -> Option<String> {
    let (kind, _) = SectionKind::of(&spot.section)?;
    let key = spot.option.as_deref()?;
    let option = option_of(kind.options(), key)?;
    let section = document.section(&spot.section)?;
    let entry = document.entry(section, key).filter(|_| option.value != ValueType::Secret)?;
    entry.value.shown().map(std::borrow::Cow::into_owned)
}
