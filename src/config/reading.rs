//! The context of all readers of one document: the document, the machine, and the findings.
//!
//! Nothing here knows an option. Errors and notices are kept in the order in which they are found; an error
//! invalidates the settings, but reading continues.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::{LogDefaults, LogLevel, Notice, User};

use super::document::{Document, Origin, Place, Section};
use super::error::{Error, ErrorKind, Errors};
use super::machine::Machine;
use super::options::SectionKind;
use super::values;

/// The position of a finding that is not an error.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Spot {
    pub(crate) section: String,
    pub(crate) place: Place,
    pub(crate) option: Option<String>,
}

impl Spot {
    pub(crate) fn of(section: &Section, place: Place, option: Option<&str>) -> Self {
        Self { section: section.name.clone(), place, option: option.map(str::to_owned) }
    }
}

/// A finding that is not an error but worth a line.
#[derive(Debug)]
pub(crate) struct Remark {
    /// For the activity log, where it must be understandable alone.
    pub(crate) notice: Notice,
    /// For output that shows the place and the suggestion separately.
    pub(crate) message: String,
    /// What was probably meant.
    pub(crate) suggestion: Option<String>,
    /// The part of the value that it is about, as written.
    pub(crate) part: Option<String>,
    pub(crate) spot: Option<Spot>,
    /// The environment variable that it is about, if that has no effect.
    pub(crate) variable: Option<String>,
    /// It is not a mistake, and only shown by tools that look for such notes.
    pub(crate) is_note: bool,
}

impl Remark {
    pub(crate) fn new(level: LogLevel, text: String) -> Self {
        let message = text.clone();
        let notice = Notice { level, text };
        Self { notice, message, suggestion: None, part: None, spot: None, variable: None, is_note: false }
    }

    pub(crate) fn warning(spot: Spot, text: String) -> Self {
        Self { spot: Some(spot), ..Self::new(LogLevel::Warn, text) }
    }
}

/// Everything that reading finds in addition to values.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) errors: Vec<Error>,
    pub(crate) remarks: Vec<Remark>,
}

impl Findings {
    pub(crate) fn remark(&mut self, level: LogLevel, text: String) {
        self.remarks.push(Remark::new(level, text));
    }

    /// Adds other findings.
    pub(crate) fn extend(&mut self, more: Self) {
        self.errors.extend(more.errors);
        self.remarks.extend(more.remarks);
    }

    /// Removes duplicates: a program in two groups is read twice, and each of its processes separately.
    pub(crate) fn without_repetitions(mut self) -> Self {
        let mut seen = HashSet::new();
        self.errors.retain(|error| seen.insert(error.to_string()));
        let mut seen = HashSet::new();
        let is_quiet = |remark: &Remark| remark.notice.level < LogLevel::Warn;
        self.remarks.retain(|remark| {
            is_quiet(remark) || seen.insert((remark.notice.text.clone(), remark.spot.clone()))
        });
        self
    }
}

/// A program that a group can contain.
pub(crate) struct ProgramSection<'a> {
    /// `[program:x]`, `[fcgi-program:x]` or `[eventlistener:x]`
    pub(crate) kind: SectionKind,
    pub(crate) section: &'a Section,
    /// The part after the colon, a valid name.
    pub(crate) name: &'a str,
    /// `enabled`: of a disabled program only the name is known.
    pub(crate) is_enabled: bool,
}

/// The number of processes that a section makes in a group.
#[derive(Clone, Debug)]
pub(crate) struct SectionCount<'a> {
    pub(crate) section: &'a Section,
    pub(crate) group: String,
    pub(crate) count: usize,
}

/// The input and the findings while a document is read.
pub(crate) struct Reading<'a> {
    pub(crate) document: &'a Document,
    pub(crate) machine: &'a dyn Machine,
    pub(crate) host_node_name: &'a str,
    /// `[program-default]`, looked up once because every program uses it.
    pub(crate) program_defaults: Option<&'a Section>,
    /// The listener supervisord_dependent_startup is configured, so the options that it reads have an effect.
    /// Set once the groups are read.
    pub(crate) has_dependent_startup: bool,
    /// The values in `[supervisord]` that programs inherit.
    pub(crate) log_defaults: LogDefaults,
    /// The user of programs that don't set one, if it is not the user that started us.
    pub(crate) own_user: Option<Arc<User>>,
    /// Whether missing folders may be created.
    pub(crate) makes_folders: bool,
    /// Other files may define what this one refers to.
    pub(crate) is_fragment: bool,
    findings: Findings,
    /// The sections of known kinds, each with the part of its name after the colon.
    kinds: Vec<(SectionKind, &'a Section, &'a str)>,
    /// Which section made which processes, in the order of the processes in each group.
    section_counts: Vec<SectionCount<'a>>,
    /// A cache: a thousand programs may run as one user.
    users: HashMap<String, Result<Arc<User>, String>>,
    /// The directory that was last found to exist: a thousand programs may log to one directory.
    directory: Option<PathBuf>,
}

fn with_kind(section: &Section) -> Option<(SectionKind, &Section, &str)> {
    SectionKind::of(&section.name).map(|(kind, instance)| (kind, section, instance))
}

impl<'a> Reading<'a> {
    /// `findings` are those from before.
    pub(crate) fn new(
        document: &'a Document,
        machine: &'a dyn Machine,
        host_node_name: &'a str,
        findings: Findings,
    ) -> Self {
        Self {
            document,
            machine,
            host_node_name,
            program_defaults: document.section("program-default"),
            has_dependent_startup: false,
            log_defaults: LogDefaults::default(),
            own_user: None,
            makes_folders: false,
            is_fragment: false,
            findings,
            kinds: document.sections().iter().filter_map(with_kind).collect(),
            section_counts: Vec::new(),
            users: HashMap::new(),
            directory: None,
        }
    }

    /// The sections of one kind, in the order of the document.
    pub(crate) fn sections_of(&self, kind: SectionKind) -> Vec<(&'a Section, &'a str)> {
        let found = self.kinds.iter().filter(|(known, ..)| *known == kind);
        found.map(|&(_, section, instance)| (section, instance)).collect()
    }

    pub(crate) fn made(&mut self, section: &'a Section, group: &str, count: usize) {
        self.section_counts.push(SectionCount { section, group: group.to_owned(), count });
    }

    /// All of them, in the order in which the sections were read.
    pub(crate) fn section_counts(&self) -> &[SectionCount<'a>] {
        &self.section_counts
    }

    pub(crate) fn warn(&mut self, text: String) {
        self.findings.remark(LogLevel::Warn, text);
    }

    pub(crate) fn warn_at(&mut self, spot: Spot, text: String) {
        self.remark(Remark::warning(spot, text));
    }

    pub(crate) fn remark(&mut self, remark: Remark) {
        self.findings.remarks.push(remark);
    }

    pub(crate) fn error(&mut self, error: Error) {
        self.findings.errors.push(error);
    }

    /// Turns remarks about variables without effect into errors.
    pub(crate) fn reject_unused_variables(&mut self) {
        let (idle, others) = std::mem::take(&mut self.findings.remarks)
            .into_iter()
            .partition(|it: &Remark| it.variable.is_some());
        self.findings.remarks = others;
        let idle: Vec<Remark> = idle;
        for Remark { message, suggestion, variable, .. } in idle {
            self.error(Error { suggestion, variable, ..Error::new(ErrorKind::Value, message) });
        }
    }

    pub(crate) fn error_count(&self) -> usize {
        self.findings.errors.len()
    }

    /// Records an error about a whole section.
    pub(crate) fn section_error(&mut self, section: &Section, message: String) {
        let error = self.placed(section, section.place, message);
        self.error(error);
    }

    /// `/etc/x.conf:12`, or the name of a variable.
    pub(crate) fn describe(&self, place: Place) -> String {
        self.document.describe(place)
    }

    /// All findings.
    pub(crate) fn into_findings(self) -> Findings {
        self.findings
    }

    /// The notices, if there were no errors.
    pub(crate) fn finish(self) -> Result<Vec<Notice>, Errors> {
        let Findings { errors, remarks } = self.findings.without_repetitions();
        let notices = remarks.into_iter().map(|remark| remark.notice).collect();
        if errors.is_empty() { Ok(notices) } else { Err(Errors(errors)) }
    }

    /// An error with a place.
    pub(crate) fn placed(&self, section: &Section, place: Place, message: String) -> Error {
        let error = Error { section: Some(section.name.clone()), ..Error::new(ErrorKind::Value, message) };
        match &self.document.source(place).origin {
            Origin::File(path) => Error { file: Some(path.clone()), line: Some(place.line), ..error },
            Origin::Variable(name) => Error { variable: Some(name.clone()), ..error },
            Origin::CommandLine => error,
        }
    }

    /// The path of a log that may not exist yet. Its directory must exist, or a container's init creates it.
    pub(crate) fn in_log_folder(&mut self, text: &str) -> Result<PathBuf, String> {
        let machine = self.machine;
        values::in_existing(text, machine, |parent| {
            if self.directory.as_deref().is_some_and(|known| known.as_os_str() == parent.as_os_str()) {
                return true;
            }
            let exists = self.has_folder(parent);
            if exists {
                self.directory = Some(parent.to_owned());
            }
            exists
        })
    }

    /// Whether a folder exists or was created. A container's init continues without a folder that can't be
    /// created: the missing file is reported when it is opened.
    pub(crate) fn has_folder(&mut self, folder: &Path) -> bool {
        if self.machine.is_dir(folder) {
            return true;
        }
        let made = if self.makes_folders {
            self.machine.make_folder(folder, self.own_user.as_deref())
        } else {
            None
        };
        let Some(made) = made else { return false };
        let shown = folder.display();
        match made {
            Ok(()) => self.findings.remark(LogLevel::Info, format!("made the missing folder '{shown}'")),
            Err(error) => {
                let text = format!("cannot make the missing folder '{shown}': {error}");
                self.findings.remark(LogLevel::Warn, text);
            }
        }
        true
    }

    /// A user of the machine, by name or number.
    pub(crate) fn user(&mut self, text: &str) -> Result<Arc<User>, String> {
        if let Some(known) = self.users.get(text) {
            return known.clone();
        }
        let found = values::user(text, self.machine).map(Arc::new);
        self.users.insert(text.to_owned(), found.clone());
        found
    }
}
