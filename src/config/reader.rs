//! Reads the options of one section: look up, expand, convert, and collect errors.
//!
//! A bad value is recorded as an error and returned as `None`; the caller continues with any default, since
//! the settings are discarded if there are errors.

use std::borrow::Cow;
use std::sync::Arc;

use memchr::memchr;

use crate::model::{Environment, User, WrittenAt};

use super::document::{DEFAULTS, Entry, Section, Written};
use super::error::{Error, ErrorKind};
use super::expand::{ExpandError, NameValue, Names, expand, variables_in};
use super::machine::Machine;
use super::options::{BadValue, DefaultValue, OptionDoc, OptionList, SectionKind, ValueType, meant};
use super::pairs::{join_pairs, pairs, set};
use super::reading::{Reading, Spot};
use super::values;
use crate::python::join_words;
use crate::python::quote;

/// An option of `[supervisord]` that the command line sets. It overrides the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Its key in a file.
    pub option: &'static str,
    /// Its value, which is not expanded; `true` for a flag.
    pub value: String,
    /// As typed, for messages: `-m` or `--umask`.
    pub spelled: String,
}

/// The message about a bad value that must not be shown.
const NOT_SHOWN: &str = "the value is not valid; it comes from a file and is not shown";

/// One section and the names that its values can use.
pub(crate) struct SectionReader<'r, 'a> {
    pub(crate) reading: &'r mut Reading<'a>,
    pub(crate) section: &'a Section,
    /// The section with the defaults for this one: `[program-default]`.
    fallback: Option<&'a Section>,
    options: OptionList,
    names: &'r Names<'r>,
    overrides: &'r [Override],
}

impl<'r, 'a> SectionReader<'r, 'a> {
    pub(crate) fn new(
        reading: &'r mut Reading<'a>,
        section: &'a Section,
        kind: SectionKind,
        names: &'r Names<'r>,
    ) -> Self {
        let fallback = reading.program_defaults.filter(|_| kind.has_defaults());
        Self { reading, section, fallback, options: kind.options(), names, overrides: &[] }
    }

    /// Applies the overrides of the command line.
    pub(crate) fn overridden(self, overrides: &'r [Override]) -> Self {
        Self { overrides, ..self }
    }

    /// The same section with other names.
    pub(crate) fn under<'s>(&'s mut self, names: &'s Names<'s>) -> SectionReader<'s, 'a> {
        SectionReader {
            reading: self.reading,
            section: self.section,
            fallback: self.fallback,
            options: self.options,
            names,
            overrides: self.overrides,
        }
    }

    pub(crate) fn machine(&self) -> &'a dyn Machine {
        self.reading.machine
    }

    /// The directory that `%(here)s` stands for in an option's value.
    pub(crate) fn here(&self, option: &str) -> &'a str {
        let place = self.entry(option).map_or(self.section.place, |entry| entry.place);
        &self.reading.document.source(place).here
    }

    /// Whether the file or the command line sets it.
    pub(crate) fn is_set(&self, option: &str) -> bool {
        self.entry(option).is_some() || self.overriding(option).is_some()
    }

    /// The value as written, or else the default, not expanded.
    pub(crate) fn raw(&self, option: &str) -> Option<Cow<'a, str>> {
        match self.entry(option).map(|entry| &entry.value) {
            Some(Written::Text(text) | Written::Secret(text)) => Some(Cow::Borrowed(text)),
            Some(written @ (Written::List(_) | Written::Pairs(_) | Written::WrongType { .. })) => {
                written.shown()
            }
            None => self.default(option).map(Cow::Borrowed),
        }
    }

    /// The expanded value.
    pub(crate) fn text(&mut self, option: &str) -> Option<Cow<'a, str>> {
        let from_file = self.expanded(option);
        self.overriding(option).map(|overriding| Cow::Owned(overriding.value.clone())).or(from_file)
    }

    /// The expanded and converted value.
    pub(crate) fn value<T>(
        &mut self,
        option: &str,
        convert: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let from_file = self.expanded(option).and_then(|text| {
            let converted = convert(&text);
            self.checked(option, converted)
        });
        let Some(overriding) = self.overriding(option) else { return from_file };
        match convert(&overriding.value) {
            Ok(value) => Some(value),
            Err(message) => {
                let suggestion = self.option(option).and_then(|doc| meant(doc.value, &overriding.value));
                self.reading.error(Error { suggestion, ..command_line_error(overriding, &message) });
                None
            }
        }
    }

    pub(crate) fn boolean(&mut self, option: &str) -> bool {
        self.value(option, values::boolean).unwrap_or_default()
    }

    pub(crate) fn integer(&mut self, option: &str) -> i64 {
        self.value(option, values::integer).unwrap_or_default()
    }

    pub(crate) fn size(&mut self, option: &str) -> i64 {
        self.value(option, values::size).unwrap_or_default()
    }

    pub(crate) fn pairs(&mut self, option: &str) -> Environment {
        let Some(Written::Pairs(written)) = self.entry(option).map(|entry| &entry.value) else {
            return self.value(option, pairs).unwrap_or_default();
        };
        let mut found = Environment::new();
        for (name, value) in written {
            let value = self.expand_text(option, value).unwrap_or_default();
            set(&mut found, name.clone(), value.into_owned());
        }
        found
    }

    /// The items of a list, each expanded: the items of an array as they are, or a text as split by `split`.
    pub(crate) fn items(&mut self, option: &str, split: impl Fn(&str) -> Vec<&str>) -> Vec<String> {
        if let (None, Some(Written::List(items))) =
            (self.overriding(option), self.entry(option).map(|entry| &entry.value))
        {
            let expanded = items.iter().filter_map(|item| self.expand_text(option, item));
            return expanded.map(Cow::into_owned).collect();
        }
        let text = self.text(option).unwrap_or_default();
        split(&text).into_iter().map(str::to_owned).collect()
    }

    /// A user of the machine. Only the effective value is looked up, not overridden ones.
    pub(crate) fn user(&mut self, option: &str) -> Option<Arc<User>> {
        if let Some(overriding) = self.overriding(option) {
            let found = self.reading.user(&overriding.value);
            return found.map_err(|why| self.reading.error(command_line_error(overriding, &why))).ok();
        }
        let text = self.expanded(option)?;
        let found = self.reading.user(&text);
        self.checked(option, found)
    }

    /// Records an error in an option, at its line if it has one.
    pub(crate) fn error(&mut self, option: &str, message: String) {
        let written = self.entry(option).and_then(|entry| entry.value.shown());
        let suggestion = written.and_then(|text| meant(self.option(option)?.value, &text));
        self.error_about(option, message, None, suggestion);
    }

    /// Like [`error`](Self::error), with the part of the value that is wrong and what was probably meant.
    pub(crate) fn error_about(
        &mut self,
        option: &str,
        message: String,
        part: Option<String>,
        suggestion: Option<String>,
    ) {
        let entry = self.entry(option);
        let place = entry.map_or(self.section.place, |entry| entry.place);
        if entry.and_then(|entry| entry.value.shown()).is_some_and(|text| self.has_placeholders(&text)) {
            return;
        }
        let is_secret = self.option(option).is_some_and(|option| option.value == ValueType::Secret);
        let mut error = self.reading.placed(self.section, place, message);
        error.option = Some(option.to_owned());
        (error.part, error.suggestion) = (part, suggestion);
        let shown = entry.filter(|_| !is_secret).and_then(|entry| entry.value.shown());
        error.value = shown.map(Cow::into_owned);
        self.reading.error(error);
    }

    /// Like [`error_about`](Self::error_about), for a part that must not be shown if the value must not.
    pub(crate) fn error_in_part(&mut self, option: &str, bad: BadValue, part: Option<String>) {
        if self.is_hidden(option) {
            return self.error_about(option, NOT_SHOWN.to_owned(), None, None);
        }
        self.error_about(option, bad.message, part, bad.suggestion);
    }

    /// The position of an option, for messages.
    pub(crate) fn written_at(&self, option: &str) -> WrittenAt {
        let place = self.entry(option).map_or(self.section.place, |entry| entry.place);
        self.reading.document.written_at(place)
    }

    /// The position of the section, for messages.
    pub(crate) fn section_written_at(&self) -> WrittenAt {
        self.reading.document.written_at(self.section.place)
    }

    fn has_placeholders(&self, text: &str) -> bool {
        variables_in(text).iter().any(|name| self.reading.machine.is_placeholder(name))
    }

    /// Records that the section lacks something or is wrong as a whole.
    pub(crate) fn section_error(&mut self, message: String) {
        self.reading.section_error(self.section, message);
    }

    /// Records a warning about an option.
    pub(crate) fn warn(&mut self, option: &str, text: String) {
        self.reading.warn_at(self.spot(option), text);
    }

    /// The position of an option, or else of the section.
    pub(crate) fn spot(&self, option: &str) -> Spot {
        let place = self.entry(option).map_or(self.section.place, |entry| entry.place);
        Spot::of(self.section, place, Some(option))
    }

    /// Whether an option's value must not be shown.
    pub(crate) fn is_hidden(&self, option: &str) -> bool {
        matches!(self.entry(option), Some(Entry { value: Written::Secret(_), .. }))
    }

    /// An option as written, if it is a single text.
    pub(crate) fn own_text(&self, option: &str) -> Option<&'a str> {
        match &self.entry(option)?.value {
            Written::Text(text) => Some(text),
            Written::List(_) | Written::Pairs(_) | Written::Secret(_) | Written::WrongType { .. } => None,
        }
    }

    /// The expanded value as written in INI; `None` if it can't be expanded here.
    pub(crate) fn expanded_text(&mut self, option: &str) -> Option<String> {
        if matches!(self.entry(option).map(|entry| &entry.value), Some(Written::Pairs(_))) {
            return None;
        }
        self.expanded(option).map(Cow::into_owned)
    }

    /// The value as written, or else the default, in INI form.
    pub(crate) fn written(&self, option: &str) -> Option<String> {
        match self.entry(option).map(|entry| &entry.value) {
            Some(Written::List(items)) => {
                let items: Vec<_> = items.iter().map(|item| Cow::Borrowed(item.as_str())).collect();
                Some(self.joined(option, &items))
            }
            Some(Written::Pairs(pairs)) => Some(join_pairs(pairs)),
            Some(Written::Text(_) | Written::Secret(_) | Written::WrongType { .. }) | None => {
                self.raw(option).map(Cow::into_owned)
            }
        }
    }

    /// An option, and the section that it comes from if that is a different one.
    pub(crate) fn entry_and_source(&self, option: &str) -> Option<(&'a Entry, Option<&'a str>)> {
        if let Some(own) = self.section.entry(option) {
            return Some((own, None));
        }
        let fallback = self.fallback.and_then(|section| Some((section.entry(option)?, Some(&*section.name))));
        fallback.or_else(|| self.entry(option).map(|entry| (entry, Some(DEFAULTS))))
    }

    /// The converted value; records the error if there is none.
    pub(crate) fn checked<T>(&mut self, option: &str, converted: Result<T, String>) -> Option<T> {
        converted
            .map_err(|message| {
                let shown = if self.is_hidden(option) { NOT_SHOWN.to_owned() } else { message };
                self.error(option, shown);
            })
            .ok()
    }

    fn expanded(&mut self, option: &str) -> Option<Cow<'a, str>> {
        let Some(entry) = self.entry(option) else {
            return self.default(option).and_then(|default| self.expand_text(option, default));
        };
        match &entry.value {
            Written::Text(text) => self.expand_text(option, text),
            Written::Secret(text) => Some(Cow::Borrowed(text)),
            Written::List(items) => {
                let expanded: Option<Vec<_>> =
                    items.iter().map(|item| self.expand_text(option, item)).collect();
                Some(Cow::Owned(self.joined(option, &expanded?)))
            }
            written @ Written::Pairs(_) => written.shown(),
            Written::WrongType { message, .. } => {
                self.error(option, message.clone());
                None
            }
        }
    }

    /// A list in the text form of its option.
    fn joined(&self, option: &str, items: &[Cow<'_, str>]) -> String {
        match self.option(option).map(|option| option.value) {
            Some(ValueType::Command) => join_words(items),
            Some(ValueType::Globs | ValueType::Checks) => items.join("\n"),
            _ => items.join(","),
        }
    }

    /// COMPAT: `%(here)s` is the directory of the file that contains the option, for every option. In
    /// Supervisor that is so if there is an `[include]`; without one some options can't use it.
    fn expand_text(&mut self, option: &str, raw: &'a str) -> Option<Cow<'a, str>> {
        if memchr(b'%', raw.as_bytes()).is_none() || self.is_percentage(option, raw) {
            return Some(Cow::Borrowed(raw));
        }
        let template = match self.is_expanded_twice(option) {
            true => Cow::Owned(for_one_expansion(raw)),
            false => Cow::Borrowed(raw),
        };
        let names = Names::over(self.names).with("here", NameValue::Text(self.here(option)));
        match expand(&template, &names) {
            Ok(text) => Some(Cow::Owned(text.into_owned())),
            Err(why) => {
                let message = self.expand_message(option, raw, &why, &names);
                let (part, suggestion) = match &why {
                    ExpandError::UnknownName(name) => {
                        // Formats of other programs contain such names in parentheses as well.
                        let is_ours = name.starts_with("ENV_") || NAMES.contains(&name.as_str());
                        let doubled = || (!is_ours).then(|| format!("%%({name})"));
                        (Some(format!("%({name})")), names.nearest(name).or_else(doubled))
                    }
                    ExpandError::Malformed(_) | ExpandError::Unset { .. } => (None, None),
                };
                self.error_about(option, message, part, suggestion);
                None
            }
        }
    }

    fn expand_message(&self, option: &str, raw: &str, why: &ExpandError, names: &Names<'_>) -> String {
        let is_secret = self.option(option).is_some_and(|option| option.value == ValueType::Secret);
        let shown = if is_secret { "'...'".to_owned() } else { quote(raw) };
        let full_name = match option {
            "environment" | "process_name" => quote(option),
            option => quote(&format!("{}.{option}", self.section.name)),
        };
        match why {
            ExpandError::Malformed(why) => {
                format!("Format string {shown} for {full_name} is badly formatted: {why}")
            }
            ExpandError::Unset { variable, message } => {
                format!("Format string {shown} for {full_name} needs the variable {variable}: {message}")
            }
            ExpandError::UnknownName(name) => {
                let (named, variables) = names.listed();
                format!(
                    "Format string {shown} for {full_name} contains names ({}) which cannot be expanded. \
                     Available names: {} and {variables} ENV_ names",
                    quote(name),
                    named.join(", ")
                )
            }
        }
    }

    /// `10%` is written without an escape, although a percent sign begins a name elsewhere.
    fn is_percentage(&self, option: &str, raw: &str) -> bool {
        let is_one = || self.option(option).is_some_and(|option| option.value == ValueType::Percent);
        raw.strip_suffix('%').is_some_and(|number| !number.contains('%')) && is_one()
    }

    /// Supervisor expands these twice, so files contain `%%%%` for one percent sign.
    /// COMPAT: they are expanded once; both spellings make one sign.
    fn is_expanded_twice(&self, option: &str) -> bool {
        match option {
            "stdout_logfile" | "stderr_logfile" => true,
            "environment" => self.section.name == "supervisord",
            _ => false,
        }
    }

    fn entry(&self, option: &str) -> Option<&'a Entry> {
        let own = self.section.entry(option);
        let inherited = || self.fallback.and_then(|fallback| fallback.entry(option));
        own.or_else(inherited).or_else(|| self.reading.document.fallback(option))
    }

    fn option(&self, name: &str) -> Option<&'static OptionDoc> {
        self.options.named(name)
    }

    fn default(&self, option: &str) -> Option<&'static str> {
        match self.option(option)?.default {
            DefaultValue::Is(value) => Some(value),
            DefaultValue::Unset(_) | DefaultValue::Required(_) => None,
        }
    }

    pub(crate) fn overriding(&self, option: &str) -> Option<&'r Override> {
        self.overrides.iter().rev().find(|overriding| overriding.option == option)
    }
}

/// The names that any option can use.
const NAMES: [&str; 6] = ["here", "host_node_name", "program_name", "group_name", "process_num", "numprocs"];

/// Converts a template that is written for two expansions: the names that the second expansion would replace
/// are rewritten for a single one.
fn for_one_expansion(template: &str) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((text, after)) = rest.split_once("%%") {
        let (percent, after) = match after.strip_prefix("%%") {
            Some(after) => ("%%", after),
            None if after.starts_with('(') => ("%", after),
            None => ("%%", after),
        };
        out.extend([text, percent]);
        rest = after;
    }
    out + rest
}

fn command_line_error(overriding: &Override, why: &str) -> Error {
    let message = format!("invalid value for {} {}: {why}", overriding.spelled, quote(&overriding.value));
    Error {
        option: Some(overriding.option.to_owned()),
        value: Some(overriding.value.clone()),
        ..Error::new(ErrorKind::CommandLine, message)
    }
}
