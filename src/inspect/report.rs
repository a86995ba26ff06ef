//! Findings in the format of a compiler: place, severity, message, the line, and a caret below it.

use super::excerpt::{Excerpt, Texts, printable};
use super::findings::{CheckReport, Finding, Severity};
use super::shown;
use crate::config::{Machine, did_you_mean};
use crate::model::counted;

/// The output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Colored,
}

const BOLD: &str = "1";
const RED: &str = "1;31";
const YELLOW: &str = "1;33";
const CYAN: &str = "36";

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colored => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

/// All findings and a summary line.
pub(super) fn text(report: &CheckReport, machine: &dyn Machine, style: Style) -> String {
    let mut text = String::new();
    let mut texts = Texts::new(machine);
    for finding in &report.findings {
        let excerpt = texts.excerpt(finding);
        let line = excerpt.as_ref().and_then(|excerpt| excerpt.line).or(finding.line);
        text += &headline(finding, line, style);
        text += &drawn(excerpt.as_ref(), finding.severity, style);
    }
    text + &style.paint(BOLD, &summary(report)) + "\n"
}

/// `/etc/x.conf:7: warning: unknown option 'autorestrat' in [program:x], did you mean 'autorestart'?`
fn headline(finding: &Finding, line: Option<usize>, style: Style) -> String {
    let place =
        place(finding, line).map(|place| style.paint(BOLD, &format!("{place}: "))).unwrap_or_default();
    let severity = match finding.severity {
        Severity::Error => style.paint(RED, "error:"),
        Severity::Warning => style.paint(YELLOW, "warning:"),
        Severity::Here => style.paint(CYAN, "here:"),
        Severity::Note => style.paint(CYAN, "note:"),
    };
    let suggestion = finding.suggestion.as_deref().map(|text| format!(", {}", did_you_mean(text)));
    let message: Vec<_> = finding.message.lines().map(printable).collect();
    format!(
        "{place}{severity} {}{}{}\n",
        message.join("\n    "),
        in_section(finding),
        printable(&suggestion.unwrap_or_default())
    )
}

/// `None` if the message contains it.
fn place(finding: &Finding, line: Option<usize>) -> Option<String> {
    match (&finding.variable, &finding.file, line) {
        (Some(name), _, _) => Some(name.clone()).filter(|name| !finding.message.contains(name.as_str())),
        (None, Some(file), Some(line)) => Some(format!("{}:{line}", shown(file))),
        (None, Some(file), None) => {
            let shown = shown(file);
            (!finding.message.contains(&shown)).then_some(shown)
        }
        (None, None, _) => None,
    }
}

/// The section, unless the message contains it or is about the section as a whole.
fn in_section(finding: &Finding) -> String {
    let section = finding.section.as_deref().filter(|_| finding.option.is_some());
    let parts = |section: &&str| !finding.message.contains(&format!("[{section}]"));
    section.filter(parts).map(|section| format!(" (in [{}])", printable(section))).unwrap_or_default()
}

/// Empty if there is no line to show.
fn drawn(excerpt: Option<&Excerpt>, severity: Severity, style: Style) -> String {
    let Some(Excerpt { line, text, caret: (before, width), .. }) = excerpt else { return String::new() };
    let number = line.map(|line| line.to_string()).unwrap_or_default();
    let gutter = |number: &str| style.paint(CYAN, &format!("{number:>5} |"));
    let color = match severity {
        Severity::Error => RED,
        Severity::Warning => YELLOW,
        Severity::Here | Severity::Note => CYAN,
    };
    let carets = style.paint(color, &"^".repeat(*width));
    format!("{} {text}\n{} {}{carets}\n", gutter(&number), gutter(""), " ".repeat(*before))
}

/// `2 errors, 1 warning`, and the number of programs if the configuration can be run.
fn summary(report: &CheckReport) -> String {
    let count = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let mut parts =
        vec![if errors == 0 { "no errors".to_owned() } else { counted(errors, "error", "errors") }];
    parts.extend((warnings > 0).then(|| counted(warnings, "warning", "warnings")));
    let lacks = count(Severity::Here);
    parts.extend((lacks > 0).then(|| format!("{} about this machine", counted(lacks, "note", "notes"))));
    if let Some(settings) = &report.settings {
        let processes: usize = settings.groups.iter().map(|group| group.processes.len()).sum();
        let (processes, groups) =
            (counted(processes, "process", "processes"), counted(settings.groups.len(), "group", "groups"));
        parts.push(format!("{processes} in {groups}"));
    }
    parts.join(", ")
}
