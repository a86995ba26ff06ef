//! What must not be shown: passwords, and what looks like one.
//!
//! Messages of `config` contain no passwords. But reports also show lines that it could not parse, so
//! anything named like a secret counts as one.

use super::findings::{CheckReport, Finding};
use crate::config::options::{OptionDoc, SectionKind, ValueType};

/// Shown instead of a secret.
pub(super) const HIDDEN: &str = "(hidden)";

/// Names of secrets contain one of these.
const MARKS: [&str; 5] = ["passw", "passphrase", "secret", "token", "credential"];

/// The text before the quotation in a message about `environment=`.
const QUOTATION: &str = " in value '";

/// Whether a text names a secret.
pub(super) fn names_secret(text: &str) -> bool {
    let text = text.to_lowercase();
    MARKS.iter().any(|mark| text.contains(mark))
}

/// Whether the value of a finding must not be shown.
pub(super) fn is_secret(finding: &Finding) -> bool {
    let Some(option) = finding.option.as_deref() else { return false };
    match known_option(finding) {
        Some(OptionDoc { value: ValueType::Secret, .. }) => true,
        Some(OptionDoc { value: ValueType::Pairs, .. }) => finding.value.as_deref().is_some_and(names_secret),
        Some(_) => false,
        None => names_secret(option) || finding.suggestion.as_deref().is_some_and(names_secret),
    }
}

/// The known option that a finding is about, if any.
pub(super) fn known_option(finding: &Finding) -> Option<&'static OptionDoc> {
    let (kind, _) = SectionKind::of(finding.section.as_deref()?)?;
    let key = finding.option.as_deref()?;
    kind.options().named(key)
}

/// Removes secrets from the messages of a report: the variables of a program may contain anything, and names
/// in a message may have been expanded.
pub(super) fn without_secrets(report: CheckReport) -> CheckReport {
    let findings = report.findings.into_iter().map(|finding| {
        let is_pairs = known_option(&finding).is_some_and(|option| option.value == ValueType::Pairs);
        let message = match finding.message.split_once(QUOTATION) {
            Some((head, _)) if is_pairs => head.to_owned(),
            _ => finding.message.clone(),
        };
        Finding { message, ..finding }
    });
    CheckReport { findings: findings.collect(), ..report }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for (text, expected) in [
            ("password", true),
            ("DB_PASSWD", true),
            ("A=1,API_TOKEN=x", true),
            ("command", false),
            ("compass=1", false),
        ] {
            assert_eq!(names_secret(text), expected, "{text}");
        }
    }
}
