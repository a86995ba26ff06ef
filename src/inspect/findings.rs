//! The findings of `sv check`, each with its place.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::model::{LimitOption, LogLevel, Settings};
use crate::python::quote;

use super::complete_machine::{CompleteMachine, variables_needed};
use super::lint::lint;
use crate::config::document::{Document, Origin};
use crate::config::options::{SectionKind, ValueType};
use crate::config::{Completeness, Error, Errors, Examined, Machine, Override, Remark, Spot, examine};

/// The severity of a finding, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration can't be run.
    Error,
    /// It can be run, but probably does not do what was meant.
    Warning,
    /// This machine lacks something that the intended machine may have.
    Here,
    /// Additional information.
    Note,
}

/// A finding about a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its severity.
    pub severity: Severity,
    /// The text, without the place and the suggestion.
    pub message: String,
    /// What was probably meant: an option, a `[section]`, or a valid value.
    pub suggestion: Option<String>,
    /// The file that contains it.
    pub file: Option<PathBuf>,
    /// The line in that file, from 1.
    pub line: Option<usize>,
    /// The environment variable that sets the option, if it is not set in a file.
    pub variable: Option<String>,
    /// The section's full name.
    pub section: Option<String>,
    /// The option's key.
    pub option: Option<String>,
    /// The value; never a secret.
    pub value: Option<String>,
    /// The part of the value that it is about, as written, if known.
    pub part: Option<String>,
}

/// The result of checking a configuration.
#[derive(Clone, Debug)]
pub struct CheckReport {
    /// The worst first; findings of one file are sorted by line.
    pub findings: Vec<Finding>,
    /// `None` if there are errors.
    pub settings: Option<Settings>,
}

/// How to check a configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Examination {
    /// The total time for a shutdown in seconds, if known.
    pub grace_secs: Option<i64>,
    /// This machine is the intended one: what it lacks is an error.
    pub is_image: bool,
    /// The time in seconds since 1970, to show the next runs of schedules.
    pub now: Option<i64>,
}

/// The maximum number of times a configuration is read, each time with more of its files known.
const ROUNDS_MAX: usize = 3;

/// Reads a configuration and reports all findings: errors, likely mistakes, and what this machine lacks.
/// `command` is the main program, as for [`crate::config::load_with_command`].
#[must_use]
pub fn check(
    path: &Path,
    overrides: &[Override],
    command: &[String],
    machine: &dyn Machine,
    examination: Examination,
) -> CheckReport {
    let complete = complete(path, overrides, command, machine, examination);
    let settings = complete.settings.as_ref();
    let here = examine(path, overrides, command, machine, Completeness::WholeOrPart, |reading, own| {
        if let Some(settings) = own.or(settings) {
            lint(reading, settings, examination);
        }
    });
    let is_fragment = here.is_fragment || complete.is_fragment;
    let is_readable = here.document.is_some();
    let complete = CheckReport::of(complete);
    let everywhere: HashSet<FindingKey> = complete.findings.iter().map(Finding::key).collect();
    let mut report = CheckReport::of(here);
    drop_repeated(&mut report.findings, &everywhere);
    let makes_folders = complete.settings.as_ref().is_some_and(|settings| !settings.daemon.strict);
    for finding in &mut report.findings {
        if !everywhere.contains(&finding.key()) {
            let is_made = makes_folders && finding.is_about_a_missing_folder();
            finding.is_of_this_machine(examination.is_image && !is_made && !finding.is_about_rights());
            if is_made && examination.is_image {
                finding.message.push_str("; as PID 1 sv makes it");
            }
        }
    }
    // An included file with a different name on this machine says nothing about the others.
    if !is_readable && complete.settings.is_some() && !examination.is_image {
        report.findings.extend(complete.findings);
    }
    let has_errors = report.findings.iter().any(|finding| finding.severity == Severity::Error);
    report.settings = report.settings.or(complete.settings).filter(|_| !has_errors);
    if is_fragment {
        report.findings.retain(|finding| finding.section.as_deref() != Some("supervisord"));
        report.findings.push(Finding::of_fragment(path));
    }
    sort(&mut report.findings);
    report
}

/// A missing item is an error of its option; a lint that looks at the option finds it again.
fn drop_repeated(findings: &mut Vec<Finding>, everywhere: &HashSet<FindingKey>) {
    let spot = |it: &Finding| (it.file.clone(), it.line, it.section.clone(), it.option.clone());
    let is_here = |it: &&Finding| !everywhere.contains(&it.key());
    let errors = findings.iter().filter(|it| it.severity == Severity::Error).filter(is_here);
    let errors: HashSet<_> = errors.map(spot).collect();
    findings.retain(|it| it.severity == Severity::Error || !is_here(&it) || !errors.contains(&spot(it)));
}

/// The findings on a complete machine. Its variables are known from the files, and a variable may name
/// further included files, so this repeats.
fn complete(
    path: &Path,
    overrides: &[Override],
    command: &[String],
    machine: &dyn Machine,
    examination: Examination,
) -> Examined {
    let mut variables = variables_needed(std::iter::once(path), machine);
    let mut rounds = 0;
    loop {
        let complete = CompleteMachine::new(machine, path, &variables);
        let examined =
            examine(path, overrides, command, &complete, Completeness::WholeOrPart, |reading, settings| {
                if let Some(settings) = settings {
                    lint(reading, settings, examination);
                }
            });
        let needed = examined.document.as_ref().map(|document| variables_needed(document.files(), machine));
        rounds += 1;
        match needed {
            Some(needed) if needed != variables && rounds < ROUNDS_MAX => variables = needed,
            _ => return examined,
        }
    }
}

/// Identifies a finding on two machines.
type FindingKey = (String, Option<PathBuf>, Option<usize>, Option<String>, Option<String>, Option<String>);

impl CheckReport {
    pub(super) fn of(examined: Examined) -> Self {
        let Examined { settings, document, findings, .. } = examined;
        let errors = findings.errors.into_iter().flat_map(Finding::of_error);
        let loud = findings
            .remarks
            .into_iter()
            .filter(|remark| remark.is_note || remark.notice.level >= LogLevel::Warn);
        let warnings = loud.map(|remark| Finding::of_remark(remark, document.as_ref()));
        let mut findings: Vec<_> = errors.chain(warnings).collect();
        sort(&mut findings);
        Self { findings, settings }
    }
}

/// The worst first; within a file by line, and files in the order of their first findings.
fn sort(findings: &mut [Finding]) {
    let mut files: HashMap<Option<PathBuf>, usize> = HashMap::new();
    for finding in findings.iter() {
        let next = files.len();
        files.entry(finding.file.clone()).or_insert(next);
    }
    findings.sort_by_key(|finding| (finding.severity, files.get(&finding.file).copied(), finding.line));
}

impl From<Errors> for Vec<Finding> {
    fn from(errors: Errors) -> Self {
        errors.0.into_iter().flat_map(Finding::of_error).collect()
    }
}

impl Finding {
    /// Several for a file that can't be parsed: one for each bad line.
    fn of_error(error: Error) -> Vec<Self> {
        let Error { kind: _, message, section, file, line, variable, option, value, .. } = error;
        let Error { part, suggestion, bad_lines, remedy, .. } = error;
        let message = match remedy {
            Some(remedy) => format!("{message}: {remedy}"),
            None => message,
        };
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

    fn key(&self) -> FindingKey {
        let Self { message, file, line, variable, section, option, .. } = self.clone();
        (message, file, line, variable, section, option)
    }

    /// Marks a finding that exists only on this machine, not on a complete one.
    fn is_of_this_machine(&mut self, is_image: bool) {
        if is_image {
            self.severity = Severity::Error;
            return;
        }
        self.severity = Severity::Here;
        if let Some(variable) = self.unset_variable() {
            self.message = format!(
                "the environment variable {variable} is not set here: set it where this is to run, or write \
                 what to take instead: %(ENV_{variable}:-...)s"
            );
            self.severity = Severity::Warning;
            self.suggestion = None;
        } else if let Some(name) = self.message.strip_prefix("Invalid user name ") {
            self.message = format!("user {} does not exist", quote(name));
        } else if let Some(number) = self.message.strip_prefix("Invalid user id ") {
            self.message = format!("there is no user with the number {number}");
        } else if let Some(path) = self.message.strip_suffix(" is not an existing directory") {
            self.message = format!("directory {} does not exist", quote(path));
        } else if let Some(path) = self.message.strip_prefix("The directory named as part of the path ") {
            let path = path.trim_end_matches(" does not exist");
            self.message = format!("the folder of {} does not exist", quote(path));
        }
    }

    /// Whether it is about what this process may set. An image does not say that, but the command that runs it.
    fn is_about_rights(&self) -> bool {
        self.severity == Severity::Warning
            && LimitOption::ALL.iter().any(|option| self.option.as_deref() == Some(option.name()))
    }

    /// Whether it is a folder that a container's init creates.
    fn is_about_a_missing_folder(&self) -> bool {
        let message = &self.message;
        message.starts_with("The directory named as part of the path ")
            || message.ends_with(" is not an existing directory")
                && self.option.as_deref() == Some("childlogdir")
            || message.starts_with("cannot make ") && message.ends_with(": it does not exist")
    }

    /// The unset variable because of which a value can't be expanded.
    fn unset_variable(&self) -> Option<String> {
        let after = |text: &str| self.message.split_once(text).map(|(_, rest)| rest.to_owned());
        let named = after("contains names ('ENV_").and_then(|rest| Some(rest.split_once('\'')?.0.to_owned()));
        named.or_else(|| Some(after("needs the variable ")?.split_once(':')?.0.to_owned()))
    }

    fn of_fragment(path: &Path) -> Self {
        Self {
            severity: Severity::Note,
            message: "this is a part of a configuration: it has no [supervisord], and all else is checked"
                .to_owned(),
            file: Some(path.to_owned()),
            suggestion: None,
            line: None,
            variable: None,
            section: None,
            option: None,
            value: None,
            part: None,
        }
    }

    fn of_remark(remark: Remark, document: Option<&Document>) -> Self {
        let Remark { notice: _, message, suggestion, part, spot, variable, is_note } = remark;
        let finding = Self {
            severity: if is_note { Severity::Note } else { Severity::Warning },
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

/// The value of the option at a spot, if we know the option and it is not a secret.
fn written(spot: &Spot, document: &Document) -> Option<String> {
    let (kind, _) = SectionKind::of(&spot.section)?;
    let key = spot.option.as_deref()?;
    let option = kind.options().named(key)?;
    let section = document.section(&spot.section)?;
    let entry = document.entry(section, key).filter(|_| option.value != ValueType::Secret)?;
    entry.value.shown().map(std::borrow::Cow::into_owned)
}
