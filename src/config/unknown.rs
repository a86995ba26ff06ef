//! Sections and options that nothing reads.
//!
//! Supervisor ignores them without a word, so a slip of the fingers goes unseen. COMPAT: here each
//! is told once, with what it may have meant. None is an error: files carry notes for others.

use std::collections::HashSet;

use super::ini::Section;
use super::options::{OptionDoc, SectionKind, nearest_option, nearest_section};
use super::reading::Reading;

/// Most that are told of one file; whoever has more has another problem.
const TOLD_MAX: usize = 100;

/// Warns of what is not in the table. Keys of `[DEFAULT]` are meant for whoever knows them.
pub(super) fn warn(reading: &mut Reading<'_>) {
    let mut found = Vec::new();
    for section in reading.document.sections() {
        match SectionKind::of(&section.name) {
            None => found.push(unknown_section(reading, section)),
            Some((SectionKind::RpcInterface, _)) => {} // Its factory may take any key.
            Some((kind, _)) => found.extend(unknown_options(reading, section, kind.options())),
        }
        if found.len() >= TOLD_MAX {
            break;
        }
    }
    found.into_iter().for_each(|text| reading.warn(text));
}

fn unknown_section(reading: &Reading<'_>, section: &Section) -> String {
    let place = reading.told(section.place);
    let suggestion =
        nearest_section(&section.name).map_or_else(String::new, |name| format!(", did you mean [{name}]?"));
    format!("unknown section [{}] ({place}){suggestion}", section.name)
}

fn unknown_options(reading: &Reading<'_>, section: &Section, known: &'static [OptionDoc]) -> Vec<String> {
    let mut seen = HashSet::new();
    let is_known = |key: &str| known.is_empty() || known.iter().any(|option| option.name == key);
    let unknown =
        section.entries().iter().filter(|entry| !is_known(&entry.key) && seen.insert(entry.key.as_str()));
    let told = unknown.map(|entry| {
        let place = reading.told(entry.place);
        let suggestion = nearest_option(known, &entry.key)
            .map_or_else(String::new, |name| format!(", did you mean '{name}'?"));
        format!("unknown option '{}' in [{}] ({place}){suggestion}", entry.key, section.name)
    });
    told.take(TOLD_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fake::notices_in;
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
    fn a_flood_is_cut_off() {
        let keys: String = (0..1_000).map(|nth| format!("key{nth}=1\n")).collect();
        assert_eq!(notices_in(&format!("[supervisord]\n{keys}")).len(), TOLD_MAX);
    }
}
