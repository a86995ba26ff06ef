//! What all readers of one document share: the document, the machine, and what was found wrong.
//!
//! Nothing here knows an option. Errors and notices are kept in the order in which they are found;
//! the first error makes all that was read worthless, but never ends the reading.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::{LogDefaults, LogLevel, Notice, User};

use super::document::{Document, Origin, Place, Section};
use super::error::{Error, ErrorKind, Errors};
use super::options::SectionKind;
use super::surroundings::Surroundings;
use super::values;

/// Where something is that is no error.
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

/// Something that is no error and yet worth a line.
#[derive(Debug)]
pub(crate) struct Remark {
    /// For the activity log, where it has to stand for itself.
    pub(crate) notice: Notice,
    /// For those who see the place and the suggestion beside it.
    pub(crate) message: String,
    /// What was perhaps meant.
    pub(crate) suggestion: Option<String>,
    /// The part of the value that it is about, as it is written there.
    pub(crate) part: Option<String>,
    pub(crate) spot: Option<Spot>,
    /// The environment variable that it is about, if that sets nothing.
    pub(crate) variable: Option<String>,
    /// It is no mistake, and only for those who look for one.
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

/// What reading finds beside values.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) errors: Vec<Error>,
    pub(crate) remarks: Vec<Remark>,
}

impl Findings {
    pub(crate) fn remark(&mut self, level: LogLevel, text: String) {
        self.remarks.push(Remark::new(level, text));
    }

    /// Takes in what else was found.
    pub(crate) fn extend(&mut self, more: Self) {
        self.errors.extend(more.errors);
        self.remarks.extend(more.remarks);
    }

    /// What was found wrong twice is told once: a program in two groups is read twice, its
    /// processes each for themselves.
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

/// A program as a group takes it in.
pub(crate) struct Program<'a> {
    /// `[program:x]`, `[fcgi-program:x]` or `[eventlistener:x]`
    pub(crate) kind: SectionKind,
    pub(crate) section: &'a Section,
    /// What follows the colon, a valid name.
    pub(crate) name: &'a str,
    /// `enabled`: one that is not is known by its name alone.
    pub(crate) is_enabled: bool,
}

/// A section that was read into so many processes of a group.
#[derive(Clone, Debug)]
pub(crate) struct Birth<'a> {
    pub(crate) section: &'a Section,
    pub(crate) group: String,
    pub(crate) count: usize,
}

/// All that is needed while a document is read, and all that is found.
pub(crate) struct Reading<'a> {
    pub(crate) document: &'a Document,
    pub(crate) around: &'a dyn Surroundings,
    pub(crate) host_node_name: &'a str,
    /// `[program-default]`, looked for once: every program falls back on it.
    pub(crate) program_defaults: Option<&'a Section>,
    /// The listener supervisord_dependent_startup is configured, so the options that it reads mean something. It is
    /// known once the groups are read.
    pub(crate) has_dependent_startup: bool,
    /// What `[supervisord]` says for programs that say nothing of it.
    pub(crate) log_defaults: LogDefaults,
    /// Whom programs run as that don't say, if it is not whoever started us.
    pub(crate) own_user: Option<Arc<User>>,
    /// Whether missing folders may be made.
    pub(crate) makes_folders: bool,
    /// Other files may have what this one refers to.
    pub(crate) is_fragment: bool,
    findings: Findings,
    /// The sections that are of a kind, each with what follows the colon in its name.
    kinds: Vec<(SectionKind, &'a Section, &'a str)>,
    /// Which section made which processes: a group's are in the order in which it has them.
    births: Vec<Birth<'a>>,
    /// Asked for once: a thousand programs may run as one user.
    users: HashMap<String, Result<Arc<User>, String>>,
    /// The directory that was last seen to be there: a thousand programs may log side by side.
    directory: Option<PathBuf>,
}

fn with_kind(section: &Section) -> Option<(SectionKind, &Section, &str)> {
    SectionKind::of(&section.name).map(|(kind, instance)| (kind, section, instance))
}

impl<'a> Reading<'a> {
    /// `findings` are what was found before.
    pub(crate) fn new(
        document: &'a Document,
        around: &'a dyn Surroundings,
        host_node_name: &'a str,
        findings: Findings,
    ) -> Self {
        Self {
            document,
            around,
            host_node_name,
            program_defaults: document.section("program-default"),
            has_dependent_startup: false,
            log_defaults: LogDefaults::default(),
            own_user: None,
            makes_folders: false,
            is_fragment: false,
            findings,
            kinds: document.sections().iter().filter_map(with_kind).collect(),
            births: Vec::new(),
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
        self.births.push(Birth { section, group: group.to_owned(), count });
    }

    /// All of them, in the order in which the sections were read.
    pub(crate) fn births(&self) -> &[Birth<'a>] {
        &self.births
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

    /// Makes errors of what was remarked of variables that set nothing.
    pub(crate) fn refuse_idle_variables(&mut self) {
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

    /// Writes down what is wrong with a section as a whole.
    pub(crate) fn section_error(&mut self, section: &Section, message: String) {
        let error = self.placed(section, section.place, message);
        self.error(error);
    }

    /// `/etc/x.conf:12`, or the name of a variable.
    pub(crate) fn told(&self, place: Place) -> String {
        self.document.told(place)
    }

    /// All that was found.
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

    /// The path of a log that may not exist yet in a directory that must, or that a container's init makes.
    pub(crate) fn in_log_folder(&mut self, text: &str) -> Result<PathBuf, String> {
        let around = self.around;
        values::in_existing(text, around, |parent| {
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

    /// Whether a folder is there, or was made. A container's init runs without one that can't be made: what was to be
    /// in it is then missing, which is reported when it is opened.
    pub(crate) fn has_folder(&mut self, folder: &Path) -> bool {
        if self.around.is_dir(folder) {
            return true;
        }
        let made =
            if self.makes_folders { self.around.make_folder(folder, self.own_user.as_deref()) } else { None };
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
        let found = values::user(text, self.around).map(Arc::new);
        self.users.insert(text.to_owned(), found.clone());
        found
    }
}
