//! Options that one file sets twice in one section: a section was copied and kept its name.
//!
//! Another file may override an option: that is the purpose of included files.

use std::collections::HashMap;

use crate::config::document::{Origin, Place, Section};
use crate::config::options::SectionKind;
use crate::config::{Reading, Remark, Spot};
use crate::python::quote;

/// The maximum number of options in one warning.
const NAMED_MAX: usize = 5;

pub(super) fn lint(reading: &mut Reading<'_>) {
    let document = reading.document;
    for section in document.sections() {
        if SectionKind::of(&section.name).is_some() {
            report(reading, section, &repeated(reading, section));
        }
    }
}

/// An option without effect, and the line that overrides it.
struct Repeated<'a> {
    key: &'a str,
    idle: Place,
    line: usize,
}

fn repeated<'a>(reading: &Reading<'_>, section: &'a Section) -> Vec<Repeated<'a>> {
    let is_of_file = |place: Place| matches!(reading.document.source(place).origin, Origin::File(_));
    let mut last: HashMap<(&str, usize), Place> = HashMap::new();
    let mut found = Vec::new();
    for entry in section.entries().iter().filter(|entry| is_of_file(entry.place)) {
        let Place { source, line } = entry.place;
        if let Some(idle) = last.insert((&entry.key, source), entry.place) {
            found.push(Repeated { key: &entry.key, idle, line });
        }
    }
    found
}

fn report(reading: &mut Reading<'_>, section: &Section, repeated: &[Repeated<'_>]) {
    let Some(first) = repeated.first() else { return };
    let named = repeated.iter().take(NAMED_MAX).map(|it| format!("{} in line {}", quote(it.key), it.line));
    let named = named.collect::<Vec<_>>().join(", ");
    let others = if repeated.len() > NAMED_MAX { " and more" } else { "" };
    let text = format!("[{}] sets {named}{others} again, and the last one counts", section.name);
    reading.remark(Remark::warning(Spot::of(section, first.idle, Some(first.key)), text));
}

#[cfg(test)]
mod tests {
    use super::super::tests::{machine, warnings_in, warnings_on};

    #[test]
    fn a_copied_section_with_the_same_name_is_reported() {
        let text = "[program:a]\ncommand=a\nnumprocs=1\n[program:b]\ncommand=b\n[program:a]\ncommand=b\nNumProcs=1\n";
        assert_eq!(
            warnings_in(text),
            ["3: [program:a] sets 'command' in line 8, 'numprocs' in line 9 again, and the last one counts"]
        );
        let many: String = (0..9).map(|nth| format!("nodaemon={}\n", nth % 2)).collect();
        let warnings = warnings_in(&many);
        assert!(
            warnings.len() == 1 && warnings[0].contains("'nodaemon' in line 7 and more again"),
            "{warnings:?}"
        );
    }

    #[test]
    fn another_file_may_override_an_option() {
        let text = "[supervisord]\n[include]\nfiles=x.ini x.ini\n[program:a]\ncommand=a\n";
        let machine = machine(text)
            .file("/etc/x.ini", "[program:a]\ncommand=b\n")
            .variable("SV_PROGRAM_A_COMMAND", "a");
        assert_eq!(warnings_on(&machine), Vec::<String>::new());
    }
}
