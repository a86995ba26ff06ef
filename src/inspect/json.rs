//! Findings and effective settings as JSON. Members are never omitted: a missing value is null.

use std::path::Path;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::effective::{EffectiveOption, EffectiveSection, EffectiveValue, ValueOrigin};
use super::excerpt::Texts;
use super::findings::{CheckReport, Finding, Severity};
use super::secrecy::is_secret;
use crate::config::Machine;

#[derive(Serialize)]
struct ReportForm<'r> {
    file: Option<String>,
    findings: Vec<FindingForm<'r>>,
    errors: usize,
    warnings: usize,
    /// What this machine lacks, and additional information.
    notes: usize,
    /// Null if there are errors.
    groups: Option<usize>,
    processes: Option<usize>,
    exit: u8,
}

#[derive(Serialize)]
struct FindingForm<'r> {
    severity: &'static str,
    message: &'r str,
    file: Option<String>,
    line: Option<usize>,
    /// In characters, from 1.
    column: Option<usize>,
    variable: Option<&'r str>,
    section: Option<&'r str>,
    option: Option<&'r str>,
    value: Option<&'r str>,
    suggestion: Option<&'r str>,
}

/// The result of `sv check`.
pub(super) fn report(path: Option<&Path>, report: &CheckReport, exit: u8, machine: &dyn Machine) -> String {
    let count = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    let groups = report.settings.as_ref().map(|settings| &settings.groups);
    let mut texts = Texts::new(machine);
    written(&ReportForm {
        file: path.map(text_of),
        findings: report.findings.iter().map(|finding| finding_form(finding, &mut texts)).collect(),
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        notes: count(Severity::Here) + count(Severity::Note),
        groups: groups.map(Vec::len),
        processes: groups.map(|groups| groups.iter().map(|group| group.processes.len()).sum()),
        exit,
    })
}

/// The line is that of the marked part, since a value may have several lines.
fn finding_form<'r>(finding: &'r Finding, texts: &mut Texts<'_>) -> FindingForm<'r> {
    let excerpt = texts.excerpt(finding);
    FindingForm {
        severity: match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Here => "here",
            Severity::Note => "note",
        },
        message: &finding.message,
        file: finding.file.as_deref().map(text_of),
        line: excerpt.as_ref().and_then(|excerpt| excerpt.line).or(finding.line),
        column: excerpt.map(|excerpt| excerpt.column),
        variable: finding.variable.as_deref(),
        section: finding.section.as_deref(),
        option: finding.option.as_deref(),
        value: finding.value.as_deref().filter(|_| !is_secret(finding)),
        suggestion: finding.suggestion.as_deref(),
    }
}

#[derive(Serialize)]
struct ValuesForm<'v> {
    file: String,
    sections: Sections<'v>,
}

/// By name.
struct Sections<'v> {
    all: &'v [EffectiveSection],
    changed: bool,
}

/// By name.
struct Options<'v>(Vec<&'v EffectiveOption>);

#[derive(Serialize)]
struct OptionForm<'v> {
    value: Option<&'v str>,
    /// There is a value, but it is not shown.
    hidden: bool,
    origin: OriginForm<'v>,
}

#[derive(Serialize)]
struct OriginForm<'v> {
    kind: &'static str,
    file: Option<String>,
    line: Option<usize>,
    variable: Option<&'v str>,
    flag: Option<&'v str>,
    /// The section that sets the value, if it is inherited.
    section: Option<&'v str>,
}

/// The output of `sv config`.
pub(super) fn values(path: &Path, sections: &[EffectiveSection], changed: bool) -> String {
    written(&ValuesForm { file: text_of(path), sections: Sections { all: sections, changed } })
}

impl Serialize for Sections<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for section in self.all {
            let options = section.options.iter();
            let wanted = options.filter(|option| !self.changed || option.origin != ValueOrigin::Default);
            map.serialize_entry(&section.name, &Options(wanted.collect()))?;
        }
        map.end()
    }
}

impl Serialize for Options<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|option| (&option.name, option_form(option))))
    }
}

fn option_form(option: &EffectiveOption) -> OptionForm<'_> {
    let value = match &option.value {
        EffectiveValue::Is(text) => Some(text.as_str()),
        EffectiveValue::Unset | EffectiveValue::Hidden => None,
    };
    let section = option.inherited_from.as_deref();
    let nobody = OriginForm { kind: "default", file: None, line: None, variable: None, flag: None, section };
    let origin = match &option.origin {
        ValueOrigin::File { path, line } => {
            OriginForm { kind: "file", file: Some(text_of(path)), line: Some(*line), ..nobody }
        }
        ValueOrigin::Variable(name) => OriginForm { kind: "variable", variable: Some(name), ..nobody },
        ValueOrigin::Flag(spelled) => OriginForm { kind: "flag", flag: Some(spelled), ..nobody },
        ValueOrigin::Default => nobody,
    };
    OptionForm { value, hidden: option.value == EffectiveValue::Hidden, origin }
}

fn text_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Serializing texts, numbers and maps with text keys can't fail.
fn written(form: &impl Serialize) -> String {
    serde_json::to_string_pretty(form).unwrap_or_default() + "\n"
}
