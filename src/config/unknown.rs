//! Unknown sections and options.
//!
//! Supervisor ignores them silently, so typing errors go unnoticed. COMPAT: here each is reported once, with
//! a suggestion. They are not errors, as files may contain options for other programs, but with `strict` they
//! are.

use std::collections::HashSet;

use super::dependent_startup;
use super::document::{Entry, Place, Section, Written};
use super::error::{Error, did_you_mean};
use super::options::{OptionList, SectionKind, nearest_option, nearest_section};
use super::reading::{Reading, Remark, Spot};

/// The maximum number of reports per file.
const REPORTED_MAX: usize = 100;

/// An unknown section or option.
struct UnknownItem<'a> {
    section: &'a Section,
    place: Place,
    /// `None` if it is the section itself.
    option: Option<&'a str>,
    /// What was probably meant.
    suggestion: Option<String>,
    /// Why it is unknown here.
    why: Option<String>,
}

/// Reports what is not in the table. Keys of `[DEFAULT]` are skipped: any section may use them.
pub(super) fn report(reading: &mut Reading<'_>, is_strict: bool) {
    let mut found = Vec::new();
    for section in reading.document.sections() {
        match SectionKind::of(&section.name) {
            None => found.push(unknown_section(section)),
            Some((SectionKind::RpcInterface, _)) => {} // The factory of the interface may accept any key.
            Some((kind, _)) => {
                let items = unknown_options(section, kind.options()).into_iter();
                found.extend(items.filter(|it| !is_of_dependent_startup(reading, it)));
            }
        }
        if found.len() >= REPORTED_MAX {
            break;
        }
    }
    for item in found {
        item.report(reading, is_strict);
    }
}

/// The options of the built-in listener, if it is configured.
fn is_of_dependent_startup(reading: &Reading<'_>, item: &UnknownItem<'_>) -> bool {
    reading.has_dependent_startup && item.option.is_some_and(|key| dependent_startup::OPTIONS.contains(&key))
}

impl UnknownItem<'_> {
    fn report(&self, reading: &mut Reading<'_>, is_strict: bool) {
        if is_strict { self.report_error(reading) } else { self.report_warning(reading) }
    }

    fn report_error(&self, reading: &mut Reading<'_>) {
        let Self { section, place, option, suggestion, why } = self;
        let message = match option {
            Some(key) => format!("unknown option '{key}'{}", why.as_deref().unwrap_or_default()),
            None => format!("unknown section [{}]", section.name),
        };
        let error = Error {
            option: option.map(str::to_owned),
            suggestion: suggestion.clone(),
            ..reading.placed(section, *place, message)
        };
        // An error in the section as a whole does not concern its options.
        let section = error.section.clone().filter(|_| option.is_some());
        reading.error(Error { section, ..error });
    }

    fn report_warning(&self, reading: &mut Reading<'_>) {
        let Self { section, place, option, suggestion, why } = self;
        let why = why.as_deref().unwrap_or_default();
        let message = match option {
            Some(key) => format!("unknown option '{key}' in [{}]{why}", section.name),
            None => format!("unknown section [{}]", section.name),
        };
        let hint = suggestion.as_deref().map(|text| format!(", {}", did_you_mean(text))).unwrap_or_default();
        let text = format!("{message} ({}){hint}", reading.describe(*place));
        let remark = Remark::warning(Spot::of(section, *place, *option), text);
        reading.remark(Remark { message, suggestion: suggestion.clone(), ..remark });
    }
}

fn unknown_section(section: &Section) -> UnknownItem<'_> {
    let suggestion = nearest_section(&section.name).map(|name| format!("[{name}]"));
    UnknownItem { section, place: section.place, option: None, suggestion, why: None }
}

fn unknown_options<'a>(section: &'a Section, known: OptionList) -> Vec<UnknownItem<'a>> {
    let mut seen = HashSet::new();
    let is_known = |key: &str| known.is_empty() || known.named(key).is_some();
    let unknown = section.entries().iter().filter(|entry| !is_known(&entry.key) && seen.insert(&*entry.key));
    let items = unknown.map(|entry| {
        let why = reason(&entry.key, known);
        let suggestion = unclosed_header(entry).or_else(|| nearest_option(known, &entry.key));
        let suggestion = suggestion.filter(|_| why.is_none());
        UnknownItem { section, place: entry.place, option: Some(&entry.key), suggestion, why }
    });
    items.take(REPORTED_MAX).collect()
}

/// Sections whose options are often found in others.
const COMMON_SECTIONS: [SectionKind; 5] = [
    SectionKind::Program,
    SectionKind::EventListener,
    SectionKind::Supervisord,
    SectionKind::InetHttpServer,
    SectionKind::UnixHttpServer,
];

fn reason(key: &str, known: OptionList) -> Option<String> {
    if dependent_startup::OPTIONS.contains(&key) {
        return Some(": it needs the listener supervisord_dependent_startup, or write depends_on".to_owned());
    }
    // A section that accepts any key has no unknown options.
    let is_common =
        |kind: &SectionKind| kind.options().named(key).is_some_and(|option| option.family().is_none());
    let home = COMMON_SECTIONS.into_iter().find(is_common).filter(|_| !known.is_empty())?;
    let header = match home {
        SectionKind::Program => "[program:x]",
        SectionKind::EventListener => "[eventlistener:x]",
        SectionKind::InetHttpServer => "[inet_http_server]",
        SectionKind::UnixHttpServer => "[unix_http_server]",
        _ => "[supervisord]",
    };
    Some(format!(": it is an option of {header}"))
}

/// `[program:web` without its closing bracket is an option `[program`, in Supervisor as well.
fn unclosed_header(entry: &Entry) -> Option<String> {
    let Written::Text(value) = &entry.value else { return None };
    let kind = entry.key.strip_prefix('[')?;
    let name = format!("{kind}:{}", value.lines().next().unwrap_or_default());
    SectionKind::of(&name).map(|_| format!("[{name}]"))
}

#[cfg(test)]
mod tests {
    use super::super::fake::{errors_in, notices_in};
    use super::*;

    #[test]
    fn misspellings_are_reported_once_with_a_suggestion() {
        let text = "[DEFAULT]\nanything=1\n[supervisord]\nlogflie=x\n[program:x]\ncommand=a\nautorestrat=1\n\
            autorestrat=2\nfoo=1\n[programm:y]\ncommand=a\n[celery]\nx=1\n\
            [supervisorctl]\nurl=x\n[include]\nfiles=";
        assert_eq!(
            notices_in(text),
            [
                "unknown option 'logflie' in [supervisord] (/etc/x.conf:4), did you mean 'logfile'?",
                "unknown option 'autorestrat' in [program:x] (/etc/x.conf:7), did you mean 'autorestart'?",
                "unknown option 'foo' in [program:x] (/etc/x.conf:9)",
                "unknown section [programm:y] (/etc/x.conf:10), did you mean [program:y]?",
                "unknown section [celery] (/etc/x.conf:12)",
                "unknown option 'url' in [supervisorctl] (/etc/x.conf:15)",
            ]
        );
    }

    #[test]
    fn with_strict_they_are_errors() {
        let text = "[supervisord]\nstrict=true\n[program:x]\ncommand=a\nautorestrat=1\n[celery]\nx=1\n";
        assert_eq!(
            errors_in(text),
            [
                "unknown option 'autorestrat' (did you mean 'autorestart'?) in section 'program:x' \
                 (file: '/etc/x.conf', line: 5, option: autorestrat)",
                "unknown section [celery] (file: '/etc/x.conf', line: 6)",
            ]
        );
    }

    #[test]
    fn a_header_without_its_bracket_is_recognised() {
        assert_eq!(
            notices_in("[supervisord]\n[program:web\ncommand=a\n"),
            [
                "unknown option '[program' in [supervisord] (/etc/x.conf:2), did you mean [program:web]?",
                "unknown option 'command' in [supervisord]: it is an option of [program:x] (/etc/x.conf:3)",
            ]
        );
    }

    #[test]
    fn an_option_of_another_section_is_reported_with_that_section() {
        let text = "[supervisord]\nautorestart=true\nbuffer_size=1\n[program:x]\ncommand=a\nminfds=1\n\
            dependent_startup=true\n[supervisorctl]\nport=1\n";
        assert_eq!(
            notices_in(text),
            [
                "unknown option 'autorestart' in [supervisord]: it is an option of [program:x] (/etc/x.conf:2)",
                "unknown option 'buffer_size' in [supervisord]: it is an option of [eventlistener:x] (/etc/x.conf:3)",
                "unknown option 'minfds' in [program:x]: it is an option of [supervisord] (/etc/x.conf:6)",
                "unknown option 'dependent_startup' in [program:x]: it needs the listener \
                 supervisord_dependent_startup, or write depends_on (/etc/x.conf:7)",
                "unknown option 'port' in [supervisorctl]: it is an option of [inet_http_server] (/etc/x.conf:9)",
            ]
        );
    }

    #[test]
    fn a_flood_is_cut_off() {
        let keys: String = (0..1_000).map(|nth| format!("key{nth}=1\n")).collect();
        assert_eq!(notices_in(&format!("[supervisord]\n{keys}")).len(), REPORTED_MAX);
    }
}
