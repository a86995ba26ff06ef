//! Third stage: sections with their options, from all files laid over each other.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index into [`Document::files`].
    pub file: usize,
    /// From 1.
    pub line: usize,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// As it was named.
    pub path: PathBuf,
    /// Its absolute directory: what `%(here)s` means in it.
    pub here: String,
}

/// `key = value`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Lower case.
    pub key: String,
    /// With the lines that continue it; not yet expanded.
    pub value: String,
    /// Where the key stands.
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

impl Section {
    /// An empty section.
    #[must_use]
    pub fn new(name: &str, place: Place) -> Self {
        Self { name: name.to_owned(), place, entries: Vec::new() }
    }

    /// The last of this key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.key == key)
    }

    /// All options in the order of the files, overridden ones included.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut Entry> {
        self.entries.last_mut()
    }
}

/// Everything that the files say, in the order in which sections were first opened.
#[derive(Clone, Debug)]
pub struct Document {
    files: Vec<SourceFile>,
    sections: Vec<Section>,
    defaults: Section,
    by_name: HashMap<String, usize>,
}

/// The section whose options are a fallback in all others.
const DEFAULTS: &str = "DEFAULT";

impl Default for Document {
    fn default() -> Self {
        let defaults = Section::new(DEFAULTS, Place { file: 0, line: 0 });
        Self { files: Vec::new(), sections: Vec::new(), defaults, by_name: HashMap::new() }
    }
}

/// Which section the options below a header belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    Defaults,
    Section(usize),
}

impl Document {
    /// Registers a file; what is parsed next belongs to it.
    pub fn add_file(&mut self, path: &Path, here: String) -> usize {
        self.files.push(SourceFile { path: path.to_owned(), here });
        self.files.len() - 1
    }

    /// The file that a place is in.
    #[must_use]
    pub fn file(&self, place: Place) -> &SourceFile {
        &self.files[place.file]
    }

    /// How many files were added.
    #[must_use]
    pub fn file_count(&self) -> usize {
        self.files.len()
    }

    /// All sections but the defaults.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The section of exactly this name.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.by_name.get(name).map(|&index| &self.sections[index])
    }

    /// What a section says of a key, or else what `[DEFAULT]` does.
    #[must_use]
    pub fn entry<'d>(&'d self, section: &'d Section, key: &str) -> Option<&'d Entry> {
        section.entry(key).or_else(|| self.defaults.entry(key))
    }

    /// Opens a section, the same one again for the same name.
    pub(super) fn open(&mut self, name: &str, place: Place) -> Header {
        if let Some(&index) = self.by_name.get(name) {
            return Header::Section(index);
        }
        if name == DEFAULTS {
            return Header::Defaults;
        }
        let index = self.sections.len();
        self.sections.push(Section::new(name, place));
        self.by_name.insert(name.to_owned(), index);
        Header::Section(index)
    }

    pub(super) fn section_mut(&mut self, header: Header) -> &mut Section {
        match header {
            Header::Defaults => &mut self.defaults,
            Header::Section(index) => &mut self.sections[index],
        }
    }
}
