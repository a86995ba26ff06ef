//! Any bytes as a configuration: they are read or refused, at once and for a reason that has a place.
//!
//! A line that is a single NUL parts the main file from the one that it may include.
#![no_main]

mod machine;

use std::collections::HashSet;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use machine::{FuzzMachine, MAIN};
use sv::config::document::Document;
use sv::config::ini::{SyntaxError, parse};
use sv::config::{Error, ErrorKind, Errors, PROCESSES_MAX, load};
use sv::inspect::{Examination, check};
use sv::model::{GroupKind, Settings};

fuzz_target!(|bytes: &[u8]| {
    let machine = FuzzMachine::new(bytes);
    check_document(machine.main());
    match load(Path::new(MAIN), &[], &machine) {
        Ok(settings) => check_settings(&settings),
        Err(errors) => check_errors(&errors, &machine),
    }
    for is_image in [false, true] {
        let examination = Examination { grace_secs: Some(GRACE_SECS), is_image, now: Some(0) };
        let report = check(Path::new(MAIN), &[], &[], &machine, examination);
        assert!(report.settings.is_some() || !report.findings.is_empty());
    }
});

/// What a container is given to stop.
const GRACE_SECS: i64 = 10;

/// What is in the document was in the file, and the kind of line ends makes no difference.
fn check_document(bytes: &[u8]) {
    let (document, outcome) = parsed(bytes);
    let lines = machine::lines(bytes);
    match &outcome {
        Ok(()) => {}
        Err(SyntaxError::NotText(bad)) => assert_eq!(bytes[bad.offset], bad.byte),
        Err(SyntaxError::NoHeader(bad)) => assert!((1..=lines).contains(&bad.number)),
        Err(SyntaxError::BadLines(bad)) => {
            assert!(!bad.is_empty() && bad.iter().all(|bad| (1..=lines).contains(&bad.number)));
        }
    }
    let mut size = 0;
    for section in document.sections() {
        assert!((1..=lines).contains(&section.place.line));
        for entry in section.entries() {
            assert!((1..=lines).contains(&entry.place.line) && !entry.key.is_empty());
            size += entry.value.shown().map_or(0, |text| text.len());
        }
    }
    assert!(size <= bytes.len(), "values hold more than the file");
    let Ok(text) = str::from_utf8(bytes) else { return };
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    let (again, outcome_again) = parsed(unix.as_bytes());
    assert_eq!((document.sections(), outcome), (again.sections(), outcome_again));
}

fn parsed(bytes: &[u8]) -> (Document, Result<(), SyntaxError>) {
    let mut document = Document::default();
    let file = document.add_file(Path::new(MAIN), "/etc".to_owned());
    let outcome = parse(bytes, file, &mut document);
    (document, outcome)
}

/// Names are not empty and distinct, and no program makes more processes than allowed.
fn check_settings(settings: &Settings) {
    assert!(are_names(settings.groups.iter().map(|group| group.name.as_str())));
    for group in &settings.groups {
        assert!(are_names(group.processes.iter().map(|process| process.name.as_str())));
        assert!(group.processes.iter().all(|process| process.group == group.name));
        assert!(group.kind != GroupKind::Program || group.processes.len() as i64 <= PROCESSES_MAX);
    }
}

fn are_names<'s>(mut names: impl Iterator<Item = &'s str>) -> bool {
    let mut seen = HashSet::new();
    names.all(|name| !name.is_empty() && seen.insert(name))
}

fn check_errors(errors: &Errors, machine: &FuzzMachine) {
    assert!(!errors.0.is_empty() && !errors.to_string().is_empty());
    errors.0.iter().for_each(|error| check_place(error, machine));
}

/// Whatever is about a value has a line, and the line is there.
fn check_place(error: &Error, machine: &FuzzMachine) {
    assert!(!error.message.is_empty());
    if error.kind == ErrorKind::Value {
        assert!(error.file.is_some() && error.line.is_some() && error.section.is_some(), "{error:?}");
    }
    if let (Some(file), Some(line)) = (&error.file, error.line) {
        let lines = machine::lines(machine.file(file).unwrap_or_default());
        assert!((1..=lines).contains(&line), "{error:?} of {lines} lines");
    }
}
