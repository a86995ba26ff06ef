//! Second stage: tables to sections.
//!
//! The table of options determines what a TOML table is: `[supervisord]` is a section, `[program.web]` is one
//! section per program, `[unix_http_server]` is a section that may contain others, except where an option of its own has
//! that name (`role_uid`). A table below a section is
//! the value of an option (`[program.web.environment]`) or, if there is no such option, a prefix of dotted
//! keys: `[rpcinterface.x]` may contain `supervisor.rpcinterface_factory = "…"`.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::super::document::{Document, Entry, Misplaced, Place};
use super::super::options::{Naming, OptionDoc, OptionList, SectionKind, TABLE, ValueType};
use super::lines::TomlLines;
use super::types::{WrongType, written};
use crate::python::quote;

/// Longer keys can't be a path to an option: the tables below them are skipped.
const PATH_BYTES_MAX: usize = 256;

type TomlKey<'t> = Spanned<std::borrow::Cow<'t, str>>;
type TomlValue<'t> = Spanned<DeValue<'t>>;

/// Adds the sections of a file in the order of their headers, each with its options in the order of the file.
pub(super) fn read_tables(
    root: &DeTable<'_>,
    text: &str,
    lines: &TomlLines,
    file: usize,
    document: &mut Document,
) {
    let mut layout = Layout { text, lines, file, document, sections: Vec::new() };
    for (key, value) in root {
        layout.top(key, value);
    }
    layout.add_sections();
}

struct Layout<'l> {
    text: &'l str,
    lines: &'l TomlLines,
    file: usize,
    document: &'l mut Document,
    sections: Vec<OpenedSection>,
}

/// A section that is not yet sorted by position.
struct OpenedSection {
    name: String,
    /// The offset of its header.
    start: usize,
    /// Each with the offset of its key.
    entries: Vec<(usize, Entry)>,
}

impl Layout<'_> {
    /// A key outside of all tables.
    fn top(&mut self, key: &TomlKey<'_>, value: &TomlValue<'_>) {
        let name = key.get_ref();
        match value.get_ref() {
            DeValue::Table(table) if has_parts(name) => self.parts(name, value, table),
            DeValue::Table(table) => self.section(name.to_string(), value, table.iter()),
            DeValue::Array(array) if is_of_tables(array) => {
                self.misplace_array(name.to_string(), value);
            }
            _ => {
                let message = format!("{} must be in a section, such as [supervisord]", quote(name));
                self.misplace(key.span().start, None, Some(name.to_lowercase()), message);
            }
        }
    }

    /// A table that contains a section per subtable, and may be a section itself.
    fn parts(&mut self, name: &str, value: &TomlValue<'_>, table: &DeTable<'_>) {
        let mut own = Vec::new();
        let options = SectionKind::of(name).map(|(kind, _)| kind.options()).unwrap_or_default();
        for (key, part) in table {
            let full_name = || format!("{name}:{}", key.get_ref());
            match part.get_ref() {
                DeValue::Table(inner) if !is_table(options.named(key.get_ref())) => {
                    self.section(full_name(), part, inner.iter())
                }
                DeValue::Array(array) if is_of_tables(array) => self.misplace_array(full_name(), part),
                _ => own.push((key, part)),
            }
        }
        // The header of a section that may stand alone creates it, even if nothing follows.
        let may_be_alone = SectionKind::of(name).is_some();
        if !own.is_empty() || table.is_empty() || may_be_alone && self.is_header(value) {
            self.section(name.to_owned(), value, own.into_iter());
        }
    }

    /// Whether a table has a header of its own, and not only subtables.
    fn is_header(&self, value: &TomlValue<'_>) -> bool {
        self.text[value.span()].starts_with(['[', '{'])
    }

    fn section<'t>(
        &mut self,
        name: String,
        value: &TomlValue<'_>,
        options: impl Iterator<Item = (&'t TomlKey<'t>, &'t TomlValue<'t>)>,
    ) {
        let start = value.span().start;
        if name.contains(char::is_control) {
            let message = format!("the name of a section can not hold control characters: {}", quote(&name));
            return self.misplace(start, None, None, message);
        }
        let known = SectionKind::of(&name).map(|(kind, _)| kind.options()).unwrap_or_default();
        let mut found = OpenedSection { name, start, entries: Vec::new() };
        for (key, value) in options {
            self.entries(known, "", (key, value), &mut found.entries);
        }
        self.sections.push(found);
    }

    /// An option, or all options in a table that is not an option itself.
    fn entries(
        &self,
        known: OptionList,
        path: &str,
        (key, value): (&TomlKey<'_>, &TomlValue<'_>),
        found: &mut Vec<(usize, Entry)>,
    ) {
        let name = format!("{path}{}", key.get_ref().to_lowercase());
        let option = known.named(&name);
        match value.get_ref() {
            DeValue::Table(inner)
                if option.is_none() && !inner.is_empty() && name.len() <= PATH_BYTES_MAX =>
            {
                let path = format!("{name}.");
                inner.iter().for_each(|pair| self.entries(known, &path, pair, found));
            }
            _ => found.push((key.span().start, self.entry(name, option, key, value))),
        }
    }

    fn entry(
        &self,
        key: String,
        option: Option<&OptionDoc>,
        at: &TomlKey<'_>,
        value: &TomlValue<'_>,
    ) -> Entry {
        let (value, start) = match written(option, value, self.text) {
            Ok(value) => (value, at.span().start),
            Err(WrongType { value, start }) => (value, start.unwrap_or(at.span().start)),
        };
        Entry { key: key.into(), value, place: self.place(start) }
    }

    fn add_sections(mut self) {
        self.sections.sort_by_cached_key(|section| section.start);
        for OpenedSection { name, start, mut entries } in std::mem::take(&mut self.sections) {
            let header = self.document.open(&name, self.place(start));
            entries.sort_by_cached_key(|(start, _)| *start);
            for (_, entry) in entries {
                self.document.section_mut(header).push(entry);
            }
        }
    }

    fn misplace_array(&mut self, name: String, value: &TomlValue<'_>) {
        let message =
            format!("[{name}] must be a table, not an array of tables: write its header in single brackets");
        self.misplace(value.span().start, Some(name), None, message);
    }

    fn misplace(&mut self, start: usize, section: Option<String>, option: Option<String>, message: String) {
        let place = self.place(start);
        self.document.misplace(Misplaced { place, section, option, message });
    }

    fn place(&self, start: usize) -> Place {
        Place { source: self.file, line: self.lines.number(start) }
    }
}

/// Whether the subtables of a table of this name are sections. Those of an unknown table are, too, so that
/// `[programm.web]` is reported with a suggestion.
fn has_parts(name: &str) -> bool {
    match TABLE.iter().find(|section| section.name == name) {
        Some(section) => section.naming != Naming::Single,
        None => SectionKind::of(name).is_none(),
    }
}

/// Whether an option's value is a table.
fn is_table(option: Option<&OptionDoc>) -> bool {
    option.is_some_and(|option| option.value == ValueType::Roles)
}

fn is_of_tables(array: &DeArray<'_>) -> bool {
    !array.is_empty() && array.iter().all(|item| item.get_ref().is_table())
}
