//! Sections and options that nothing reads.
//!
//! Supervisor ignores them without a word, so a slip of the fingers goes unseen. COMPAT: here each
//! is told once, with what it may have meant. None is an error, as files carry notes for others,
//! but with `strict` all are.

use std::collections::HashSet;

use super::dependent_startup;
use super::document::{Entry, Place, Section, Written};
use super::error::{Error, did_you_mean};
use super::options::{OptionDoc, SectionKind, nearest_option, nearest_section, option_of};
use super::reading::{Reading, Remark, Spot};

/// Most that are told of one file; whoever has more has another problem.
const TOLD_MAX: usize = 100;

/// Something that nothing reads.
struct Stranger<'a> {
    section: &'a Section,
    place: Place,
    /// `None` when it is the section itself.
    option: Option<&'a str>,
    /// What it may have been meant to be.
    suggestion: Option<String>,
    /// Why it is not known here.
    why: Option<String>,
}

/// Tells what is not in the table. Keys of `[DEFAULT]` are meant for whoever knows them.
pub(super) fn tell(reading: &mut Reading<'_>, is_strict: bool) {
    let mut found = Vec::new();
    for section in reading.document.sections() {
        match SectionKind::of(&section.name) {
            None => found.push(unknown_section(section)),
            Some((SectionKind::RpcInterface, _)) => {} // Its factory may take any key.
            Some((kind, _)) => {
                let strangers = unknown_options(section, kind.options()).into_iter();
                found.extend(strangers.filter(|it| !is_of_dependent_startup(reading, it)));
            }
        }
        if found.len() >= TOLD_MAX {
            break;
        }
    }
    for stranger in found {
        stranger.tell(reading, is_strict);
    }
}

/// The options of a listener that is built in, where it is configured.
fn is_of_dependent_startup(reading: &Reading<'_>, stranger: &Stranger<'_>) -> bool {
    reading.has_dependent_startup
        && stranger.option.is_some_and(|key| dependent_startup::OPTIONS.contains(&key))
}

impl Stranger<'_> {
    fn tell(&self, reading: &mut Reading<'_>, is_strict: bool) {
        if is_strict { self.tell_error(reading) } else { self.tell_warning(reading) }
    }

    fn tell_error(&self, reading: &mut Reading<'_>) {
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
        // What is wrong with a section as such is not wrong in it.
        let section = error.section.clone().filter(|_| option.is_some());
        reading.error(Error { section, ..error });
    }

    fn tell_warning(&self, reading: &mut Reading<'_>) {
        let Self { section, place, option, suggestion, why } = self;
        let why = why.as_deref().unwrap_or_default();
        let message = match option {
            Some(key) => format!("unknown option '{key}' in [{}]{why}", section.name),
            None => format!("unknown section [{}]", section.name),
        };
        let hint = suggestion.as_deref().map(|text| format!(", {}", did_you_mean(text))).unwrap_or_default();
        let text = format!("{message} ({}){hint}", reading.told(*place));
        let remark = Remark::warning(Spot::of(section, *place, *option), text);
        reading.remark(Remark { message, suggestion: suggestion.clone(), ..remark });
    }
}

fn unknown_section(section: &Section) -> Stranger<'_> {
    let suggestion = nearest_section(&section.name).map(|name| format!("[{name}]"));
    Stranger { section, place: section.place, option: None, suggestion, why: None }
}

fn unknown_options<'a>(section: &'a Section, known: &'static [OptionDoc]) -> Vec<Stranger<'a>> {
    let mut seen = HashSet::new();
    let is_known = |key: &str| known.is_empty() || option_of(known, key).is_some();
    let unknown = section.entries().iter().filter(|entry| !is_known(&entry.key) && seen.insert(&*entry.key));
    let strangers = unknown.map(|entry| {
        let why = reason(&entry.key, known);
        let suggestion = unclosed_header(entry).or_else(|| nearest_option(known, &entry.key));
        let suggestion = suggestion.filter(|_| why.is_none());
        Stranger { section, place: entry.place, option: Some(&entry.key), suggestion, why }
    });
    strangers.take(TOLD_MAX).collect()
}

/// The sections whose options are often found in others.
const HOMES: [SectionKind; 4] =
    [SectionKind::Program, SectionKind::EventListener, SectionKind::Supervisord, SectionKind::InetHttpServer];

fn reason(key: &str, known: &[OptionDoc]) -> Option<String> {
    if dependent_startup::OPTIONS.contains(&key) {
        return Some(": it needs the listener supervisord_dependent_startup, or write depends_on".to_owned());
    }
    // Of a section that takes any key nothing is foreign.
    let is_home =
        |kind: &SectionKind| option_of(kind.options(), key).is_some_and(|option| option.family().is_none());
    let home = HOMES.into_iter().find(is_home).filter(|_| !known.is_empty())?;
    let header = match home {
        SectionKind::Program => "[program:x]",
        SectionKind::EventListener => "[eventlistener:x]",
        SectionKind::InetHttpServer => "[inet_http_server]",
        _ => "[supervisord]",
    };
    Some(format!(": it is an option of {header}"))
}

/// `[program:web` without its bracket is an option `[program`, for Supervisor as well.
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
    fn slips_are_told_once_with_a_suggestion() {
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
    fn an_option_of_another_section_is_told_where_it_belongs() {
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
        assert_eq!(notices_in(&format!("[supervisord]\n{keys}")).len(), TOLD_MAX);
    }
}
