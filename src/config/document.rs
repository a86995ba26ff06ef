//! The content of a configuration: sections with their options, from all sources merged.
//!
//! Files in either language and environment variables are parsed into a document, and one reader of options
//! reads it. This module does not know any section or option by name, and it does not expand or unquote
//! values.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::WrittenAt;

/// The language of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain words")]
pub enum Language {
    Ini,
    Toml,
}

impl Language {
    /// Determined by the extension of the file: `.toml` is TOML, everything else is INI.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let is_toml = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
        if is_toml { Self::Toml } else { Self::Ini }
    }

    /// The usual extension, for messages.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Ini => ".ini",
            Self::Toml => ".toml",
        }
    }
}

/// The position of something in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The index of the source, see [`Document::source`].
    pub source: usize,
    /// From 1; 0 where a source has no lines.
    pub line: usize,
}

/// The kind of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file, with its path as given.
    File(PathBuf),
    /// An environment variable of ours that overrides an option, by name.
    Variable(String),
    /// The command line of `sv run`.
    CommandLine,
}

/// A file or a variable that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSource {
    /// Where it comes from.
    pub origin: Origin,
    /// The path of the file, or the name of the variable, for positions in it.
    pub name: Arc<str>,
    /// The absolute directory that `%(here)s` stands for in it.
    pub here: String,
}

/// A value as written, not yet expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// A text, including its continuation lines.
    Text(String),
    /// A list of texts. Only TOML has lists; in INI a list is a text that its option splits.
    List(Vec<String>),
    /// Names and values. Only TOML has tables.
    Pairs(Vec<(String, String)>),
    /// The content of a file that a variable names. It is taken literally and never shown in messages.
    Secret(String),
    /// A value of a type that its option does not accept. Only TOML has types; reading the option fails.
    WrongType {
        /// As written.
        shown: String,
        /// What is wrong with it.
        message: String,
    },
}

impl Written {
    /// The value for messages; `None` if it must not be shown.
    #[must_use]
    pub fn shown(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) | Self::WrongType { shown: text, .. } => Some(Cow::Borrowed(text)),
            Self::List(items) => Some(Cow::Owned(items.join(", "))),
            Self::Pairs(pairs) => {
                let shown: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
                Some(Cow::Owned(shown.join(", ")))
            }
            Self::Secret(_) => None,
        }
    }
}

/// `key = value`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Lower case; borrowed if it is a known key.
    pub key: Cow<'static, str>,
    /// As written.
    pub value: Written,
    /// The position of the key; for an item of the wrong type in a list or table, the position of that item.
    pub place: Place,
}

/// `[name]` and the options below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// As written between the brackets.
    pub name: String,
    /// The position of its first header.
    pub place: Place,
    /// All entries, including overridden ones: the last entry of a key counts. Adding an entry does not
    /// search the others, so a file of a million lines takes linear time.
    entries: Vec<Entry>,
}

/// Most sections have at most this many options; this capacity is allocated up front.
const ENTRIES_USUAL: usize = 8;

impl Section {
    /// An empty section.
    #[must_use]
    pub fn new(name: &str, place: Place) -> Self {
        Self { name: name.to_owned(), place, entries: Vec::with_capacity(ENTRIES_USUAL) }
    }

    /// The last entry of this key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.key.len() == key.len() && entry.key == key)
    }

    /// All options in the order of the files, including overridden ones.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// The text of the last entry, to append a continuation line.
    pub(super) fn last_text_mut(&mut self) -> Option<&mut String> {
        match &mut self.entries.last_mut()?.value {
            Written::Text(text) => Some(text),
            Written::List(_) | Written::Pairs(_) | Written::Secret(_) | Written::WrongType { .. } => None,
        }
    }
}

/// An item that no section reads. Only TOML can have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misplaced {
    /// Its position.
    pub(super) place: Place,
    /// The section that was probably meant.
    pub(super) section: Option<String>,
    /// Its key, if it looks like an option.
    pub(super) option: Option<String>,
    /// What is wrong with it.
    pub(super) message: String,
}

/// The content of all sources, in the order in which sections first appear.
#[derive(Clone, Debug)]
pub struct Document {
    sources: Vec<ConfigSource>,
    sections: Vec<Section>,
    defaults: Section,
    by_name: HashMap<String, usize>,
    misplaced: Vec<Misplaced>,
    /// Comments that cut off commands, each with the position of the command.
    comments: Vec<(Place, String)>,
}

/// The section whose options are the fallback for all others.
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

/// Orders places: files are read one after the other, each from its first line.
fn place_key(place: Place) -> (usize, usize) {
    (place.source, place.line)
}

/// The section that the options after a header belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// INI's `[DEFAULT]`, whose options are the fallback for all other sections.
    Defaults,
    Section(usize),
}

impl Document {
    /// Registers a file; what is parsed next belongs to it.
    pub fn add_file(&mut self, path: &Path, here: String) -> usize {
        self.add(Origin::File(path.to_owned()), here)
    }

    /// Registers a variable. `%(here)s` in it is the directory of the main file.
    pub(super) fn add_variable(&mut self, name: &str) -> Place {
        let here = self.sources.first().map_or_else(String::new, |main| main.here.clone());
        Place { source: self.add(Origin::Variable(name.to_owned()), here), line: 0 }
    }

    /// Registers the command line. `%(here)s` in it is the directory of the main file.
    pub(super) fn add_command_line(&mut self) -> Place {
        let here = self.sources.first().map_or_else(String::new, |main| main.here.clone());
        Place { source: self.add(Origin::CommandLine, here), line: 0 }
    }

    fn add(&mut self, origin: Origin, here: String) -> usize {
        let name = match &origin {
            Origin::File(path) => path.display().to_string().into(),
            Origin::Variable(name) => name.as_str().into(),
            Origin::CommandLine => "command line".into(),
        };
        self.sources.push(ConfigSource { origin, name, here });
        self.sources.len() - 1
    }

    /// The source with this index.
    pub(crate) fn source_at(&self, source: usize) -> Option<&ConfigSource> {
        self.sources.get(source)
    }

    /// The source that contains a place.
    #[must_use]
    pub fn source(&self, place: Place) -> &ConfigSource {
        &self.sources[place.source]
    }

    /// The number of sources.
    #[must_use]
    pub fn source_count(&self) -> usize {
        self.sources.len()
    }

    /// All sources.
    #[must_use]
    pub fn sources(&self) -> &[ConfigSource] {
        &self.sources
    }

    /// The language of the main file.
    #[must_use]
    pub fn language(&self) -> Language {
        match self.sources.first().map(|main| &main.origin) {
            Some(Origin::File(path)) => Language::of(path),
            Some(Origin::Variable(_) | Origin::CommandLine) | None => Language::Ini,
        }
    }

    /// `/etc/x.conf:12`, or the name of a variable.
    #[must_use]
    pub fn describe(&self, place: Place) -> String {
        self.written_at(place).to_string()
    }

    /// The same for specifications, which outlive the document.
    pub(crate) fn written_at(&self, place: Place) -> WrittenAt {
        WrittenAt { source: Arc::clone(&self.source(place).name), line: place.line }
    }

    /// All sections except the defaults.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The files that the document was read from.
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

    /// The entry of a key in a section, or else in `[DEFAULT]`.
    #[must_use]
    pub fn entry<'d>(&'d self, section: &'d Section, key: &str) -> Option<&'d Entry> {
        section.entry(key).or_else(|| self.fallback(key))
    }

    /// The entry of a key in `[DEFAULT]`.
    pub(super) fn fallback(&self, key: &str) -> Option<&Entry> {
        self.defaults.entry(key)
    }

    /// All sections except the defaults, by name.
    pub(super) fn headers(&self) -> impl Iterator<Item = (Header, &str)> {
        self.sections
            .iter()
            .enumerate()
            .map(|(index, section)| (Header::Section(index), section.name.as_str()))
    }

    /// Opens a section; the same name gives the same section.
    pub(super) fn open(&mut self, name: &str, place: Place) -> Header {
        if let Some(&index) = self.by_name.get(name) {
            return Header::Section(index);
        }
        let index = self.sections.len();
        self.sections.push(Section::new(name, place));
        self.by_name.insert(name.to_owned(), index);
        Header::Section(index)
    }

    /// Remembers a comment that follows a command or one of its lines.
    pub(super) fn remember_comment(&mut self, command: Place, comment: &str) {
        self.comments.push((command, comment.to_owned()));
    }

    /// The comments that follow the command at this place.
    pub(crate) fn comments_of(&self, command: Place) -> impl Iterator<Item = &str> {
        let start = self.comments.partition_point(|(place, _)| place_key(*place) < place_key(command));
        let of_it = self.comments[start..].iter().take_while(move |(place, _)| *place == command);
        of_it.map(|(_, comment)| comment.as_str())
    }

    /// Remembers an item that no section reads.
    pub(super) fn misplace(&mut self, misplaced: Misplaced) {
        self.misplaced.push(misplaced);
    }

    /// All items that no section reads.
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
