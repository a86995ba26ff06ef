//! What a configuration says: sections with their options, from all sources laid over each other.
//!
//! Files in either language and environment variables end up here, and one reader of options is
//! behind them all. Nothing here knows a section or an option by name; nothing expands or unquotes a
//! value.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain words")]
pub enum Language {
    Ini,
    Toml,
}

impl Language {
    /// Told by the ending of the file's name: `.toml`, and INI is whatever ends otherwise.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let is_toml = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
        if is_toml { Self::Toml } else { Self::Ini }
    }

    /// The usual ending, for messages.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Ini => ".ini",
            Self::Toml => ".toml",
        }
    }
}

/// Where something was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Which source; [`Document::source`] has it.
    pub source: usize,
    /// From 1; 0 where a source has no lines.
    pub line: usize,
}

/// What sort of source it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file, as it was named.
    File(PathBuf),
    /// An environment variable of ours that overrides an option, by its name.
    Variable(String),
    /// The command line of `sv run`.
    CommandLine,
}

/// A file or a variable that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Which.
    pub origin: Origin,
    /// The absolute directory that `%(here)s` means in it.
    pub here: String,
}

/// A value as it was written, not yet expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// A text, with the lines that continue it.
    Text(String),
    /// A list of texts. TOML has them; in INI a list is a text that its option takes apart.
    List(Vec<String>),
    /// Names and values. TOML has them.
    Pairs(Vec<(String, String)>),
    /// What a file holds that a variable names. It is taken as it is, and no message shows it.
    Secret(String),
    /// A value of a type that its option does not take. TOML has them; whoever reads it fails.
    Unfit {
        /// As it was written.
        shown: String,
        /// What is wrong with it.
        message: String,
    },
}

impl Written {
    /// For messages; `None` for what must not show.
    #[must_use]
    pub fn shown(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) | Self::Unfit { shown: text, .. } => Some(Cow::Borrowed(text)),
            Self::List(items) => Some(Cow::Owned(items.join(", "))),
            Self::Pairs(pairs) => {
                let told: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
                Some(Cow::Owned(told.join(", ")))
            }
            Self::Secret(_) => None,
        }
    }
}

/// `key = value`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Lower case; borrowed where it is one that there is.
    pub key: Cow<'static, str>,
    /// As it was written.
    pub value: Written,
    /// Where the key stands; for an unfit item of a list or table, where that stands.
    pub place: Place,
}

/// `[name]` and the options below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// As written between the brackets.
    pub name: String,
    /// Its first header.
    pub place: Place,
    /// All of them, overridden ones included: the last of a key counts. Nothing is looked for when
    /// one is added, so a file of a million lines takes a million steps.
    entries: Vec<Entry>,
}

/// As many options as most sections have: there is room for them from the start.
const ENTRIES_USUAL: usize = 8;

impl Section {
    /// An empty section.
    #[must_use]
    pub fn new(name: &str, place: Place) -> Self {
        Self { name: name.to_owned(), place, entries: Vec::with_capacity(ENTRIES_USUAL) }
    }

    /// The last of this key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.key.len() == key.len() && entry.key == key)
    }

    /// All options in the order of the files, overridden ones included.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// The text of the last entry, to be continued.
    pub(super) fn last_text_mut(&mut self) -> Option<&mut String> {
        match &mut self.entries.last_mut()?.value {
            Written::Text(text) => Some(text),
            Written::List(_) | Written::Pairs(_) | Written::Secret(_) | Written::Unfit { .. } => None,
        }
    }
}

/// What stands where no section reads it. TOML has such places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misplaced {
    /// Where it stands.
    pub(super) place: Place,
    /// The section that was perhaps meant.
    pub(super) section: Option<String>,
    /// Its key, if it looks like an option.
    pub(super) option: Option<String>,
    /// What is wrong with it.
    pub(super) message: String,
}

/// Everything that the files say, in the order in which sections were first opened.
#[derive(Clone, Debug)]
pub struct Document {
    sources: Vec<Source>,
    sections: Vec<Section>,
    defaults: Section,
    by_name: HashMap<String, usize>,
    misplaced: Vec<Misplaced>,
    /// What comments cut off commands: the places of the commands and the comments.
    comments: Vec<(Place, String)>,
}

/// The section whose options are a fallback in all others.
pub(super) const DEFAULTS: &str = "DEFAULT";

impl Default for Document {
    fn default() -> Self {
        let defaults = Section::new(DEFAULTS, Place { source: 0, line: 0 });
        Self {
            sources: Vec::new(),
            sections: Vec::new(),
            defaults,
            by_name: HashMap::new(),
            misplaced: Vec::new(),
            comments: Vec::new(),
        }
    }
}

/// Files are read one after the other, each from its first line on.
fn place_key(place: Place) -> (usize, usize) {
    (place.source, place.line)
}

/// Which section the options below a header belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// INI's `[DEFAULT]`, whose options are a fallback in all other sections.
    Defaults,
    Section(usize),
}

impl Document {
    /// Registers a file; what is parsed next belongs to it.
    pub fn add_file(&mut self, path: &Path, here: String) -> usize {
        self.add(Source { origin: Origin::File(path.to_owned()), here })
    }

    /// Registers a variable. In it `%(here)s` is the directory of the main file.
    pub(super) fn add_variable(&mut self, name: &str) -> Place {
        let here = self.sources.first().map_or_else(String::new, |main| main.here.clone());
        Place { source: self.add(Source { origin: Origin::Variable(name.to_owned()), here }), line: 0 }
    }

    /// Registers the command line, likewise.
    pub(super) fn add_command_line(&mut self) -> Place {
        let here = self.sources.first().map_or_else(String::new, |main| main.here.clone());
        Place { source: self.add(Source { origin: Origin::CommandLine, here }), line: 0 }
    }

    fn add(&mut self, source: Source) -> usize {
        self.sources.push(source);
        self.sources.len() - 1
    }

    /// A source by its number.
    pub(crate) fn source_at(&self, source: usize) -> Option<&Source> {
        self.sources.get(source)
    }

    /// The source that a place is in.
    #[must_use]
    pub fn source(&self, place: Place) -> &Source {
        &self.sources[place.source]
    }

    /// How many sources were added.
    #[must_use]
    pub fn source_count(&self) -> usize {
        self.sources.len()
    }

    /// All of them.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// What the main file is written in.
    #[must_use]
    pub fn language(&self) -> Language {
        match self.sources.first().map(|main| &main.origin) {
            Some(Origin::File(path)) => Language::of(path),
            Some(Origin::Variable(_) | Origin::CommandLine) | None => Language::Ini,
        }
    }

    /// `/etc/x.conf:12`, or the name of a variable.
    #[must_use]
    pub fn told(&self, place: Place) -> String {
        match &self.source(place).origin {
            Origin::File(path) => format!("{}:{}", path.display(), place.line),
            Origin::Variable(name) => name.clone(),
            Origin::CommandLine => "command line".to_owned(),
        }
    }

    /// All sections but the defaults.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The files that it was read from.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.sources.iter().filter_map(|source| match &source.origin {
            Origin::File(path) => Some(path.as_path()),
            Origin::Variable(_) | Origin::CommandLine => None,
        })
    }

    /// The section of exactly this name.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.by_name.get(name).map(|&index| &self.sections[index])
    }

    /// What a section says of a key, or else what `[DEFAULT]` does.
    #[must_use]
    pub fn entry<'d>(&'d self, section: &'d Section, key: &str) -> Option<&'d Entry> {
        section.entry(key).or_else(|| self.fallback(key))
    }

    /// What `[DEFAULT]` says of a key.
    pub(super) fn fallback(&self, key: &str) -> Option<&Entry> {
        self.defaults.entry(key)
    }

    /// All sections but the defaults, by their names.
    pub(super) fn headers(&self) -> impl Iterator<Item = (Header, &str)> {
        self.sections
            .iter()
            .enumerate()
            .map(|(index, section)| (Header::Section(index), section.name.as_str()))
    }

    /// Opens a section, the same one again for the same name.
    pub(super) fn open(&mut self, name: &str, place: Place) -> Header {
        if let Some(&index) = self.by_name.get(name) {
            return Header::Section(index);
        }
        let index = self.sections.len();
        self.sections.push(Section::new(name, place));
        self.by_name.insert(name.to_owned(), index);
        Header::Section(index)
    }

    /// Remembers a comment that follows a command, or one of its lines.
    pub(super) fn remember_comment(&mut self, command: Place, comment: &str) {
        self.comments.push((command, comment.to_owned()));
    }

    /// The comments that follow the command in this place.
    pub(crate) fn comments_of(&self, command: Place) -> impl Iterator<Item = &str> {
        let start = self.comments.partition_point(|(place, _)| place_key(*place) < place_key(command));
        let of_it = self.comments[start..].iter().take_while(move |(place, _)| *place == command);
        of_it.map(|(_, comment)| comment.as_str())
    }

    /// Remembers what no section reads.
    pub(super) fn misplace(&mut self, misplaced: Misplaced) {
        self.misplaced.push(misplaced);
    }

    /// All that no section reads.
    pub(super) fn misplaced(&self) -> &[Misplaced] {
        &self.misplaced
    }

    pub(super) fn section_mut(&mut self, header: Header) -> &mut Section {
        match header {
            Header::Defaults => &mut self.defaults,
            Header::Section(index) => &mut self.sections[index],
        }
    }
}
