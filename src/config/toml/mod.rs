//! The same sections and options in TOML, with types.
//!
//! Three stages, a file each: text to tables with the positions of all keys and values (the `toml` package),
//! tables to sections ([`tables`]), values to what their options accept ([`types`]). The values become the
//! texts, lists and pairs that INI has too, so one reader of options serves both languages: it expands
//! `%(x)s` in them and validates them.
//!
//! * `[program.web]` is the section `program:web`, under that name in all messages.
//! * Keys are case-insensitive, as in INI; names of sections and of environment variables keep their case.
//! * There is no `[DEFAULT]`: use `[program-default]`.
//! * A value of a wrong type is an error only if an option is read from it, like a bad text.

mod lines;
mod tables;
#[cfg(test)]
mod tests;
mod types;

use toml::de::DeTable;

use super::document::Document;
use super::ini::{NotText, decode};
use lines::TomlLines;

/// A line that is not TOML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTomlLine {
    /// From 1.
    pub number: usize,
    /// The error message of the parser.
    pub message: String,
    /// The part of the line that is wrong, if known.
    pub part: Option<String>,
    /// The line that was probably meant.
    pub suggestion: Option<String>,
}

/// Why a file could not be parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TomlSyntaxError {
    /// It is not UTF-8.
    NotText(NotText),
    /// All lines that are not TOML, in order.
    BadLines(Vec<BadTomlLine>),
}

/// The maximum number of bad lines that are remembered; a file with more is not a configuration.
const BAD_LINES_MAX: usize = 100;

/// Adds the content of a file to `document`; its keys override those of earlier files.
///
/// `file` is the index that [`Document::add_file`] returned.
///
/// # Errors
///
/// All bad lines at once, each with its first error.
pub fn parse(bytes: &[u8], file: usize, document: &mut Document) -> Result<(), TomlSyntaxError> {
    let text = decode(bytes).map_err(TomlSyntaxError::NotText)?;
    let lines = TomlLines::of(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        tables::read_tables(root.get_ref(), text, &lines, file, document);
        return Ok(());
    }
    let numbered = |error| (lines.number(start(error, text)), error);
    let mut bad: Vec<(usize, &toml::de::Error)> = errors.iter().map(numbered).collect();
    bad.sort_by_cached_key(|(number, _)| *number);
    bad.dedup_by_key(|(number, _)| *number);
    bad.truncate(BAD_LINES_MAX);
    let bad = bad.into_iter().map(|(number, error)| bad_line(number, error, text)).collect();
    Err(TomlSyntaxError::BadLines(bad))
}

fn start(error: &toml::de::Error, text: &str) -> usize {
    error.span().map_or(text.len(), |span| span.start)
}

fn bad_line(number: usize, error: &toml::de::Error, text: &str) -> BadTomlLine {
    let (before, after) = text.split_at_checked(start(error, text)).unwrap_or((text, ""));
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let line_end = before.len() + after.find('\n').unwrap_or(after.len());
    let part = error.span().and_then(|span| text.get(span)).and_then(|part| part.lines().next());
    BadTomlLine {
        number,
        message: error.message().to_owned(),
        part: part.filter(|part| !part.is_empty()).map(str::to_owned),
        suggestion: header_of_ini(&text[line_start..line_end]),
    }
}

/// `[program.x]` for an INI header `[program:x]`.
fn header_of_ini(line: &str) -> Option<String> {
    let inner = line.trim().strip_prefix('[')?.split(']').next()?;
    let (kind, name) = inner.split_once(':')?;
    let is_bare = |key: &str| {
        !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    let name = if is_bare(name) { name.to_owned() } else { format!("{name:?}") };
    is_bare(kind).then(|| format!("[{kind}.{name}]"))
}
