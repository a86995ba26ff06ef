//! The same sections and options in TOML, with types.
//!
//! Three stages, a file each: text to tables with the places of all keys and values (the `toml`
//! package), tables to sections ([`tables`]), values to what their options take ([`types`]). The
//! values end up as the texts, lists and pairs that INI has too, so one reader of options is behind
//! both languages: it expands `%(x)s` in them and judges them.
//!
//! * `[program.web]` is the section `program:web`, under that name in all messages.
//! * Keys are in lower case whatever they are written in, as in INI; names of sections and of
//!   environment variables are as they are written.
//! * There is no `[DEFAULT]`: `[program-default]` has its use.
//! * A value of a wrong type is an error only where somebody reads it, as a bad text is.

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
    /// What is wrong with it, in the words of the parser.
    pub message: String,
    /// The part of the line that is wrong, where that is known.
    pub part: Option<String>,
    /// What was perhaps meant by the line.
    pub suggestion: Option<String>,
}

/// Why a file could not be parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TomlSyntaxError {
    /// It is not UTF-8.
    NotText(NotText),
    /// All lines that are not TOML, in their order.
    BadLines(Vec<BadTomlLine>),
}

/// Bad lines that are remembered; a file with more of them is no configuration.
const BAD_LINES_MAX: usize = 100;

/// Adds what a file says to `document`; its keys override those of files before it.
///
/// `file` is what [`Document::add_file`] gave.
///
/// # Errors
///
/// All bad lines at once, each with the first thing that is wrong with it.
pub fn parse(bytes: &[u8], file: usize, document: &mut Document) -> Result<(), TomlSyntaxError> {
    let text = decode(bytes).map_err(TomlSyntaxError::NotText)?;
    let lines = TomlLines::of(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        tables::lay(root.get_ref(), text, &lines, file, document);
        return Ok(());
    }
    let numbered = |error| (lines.number(start(error, text)), error);
    let mut bad: Vec<(usize, &toml::de::Error)> = errors.iter().map(numbered).collect();
    bad.sort_by_key(|(number, _)| *number);
    bad.dedup_by_key(|(number, _)| *number);
    bad.truncate(BAD_LINES_MAX);
    let bad = bad.into_iter().map(|(number, error)| bad_line(number, error, text)).collect();
    Err(TomlSyntaxError::BadLines(bad))
}

fn start(error: &toml::de::Error, text: &str) -> usize {
    error.span().map_or(text.len(), |span| span.start)
}

fn bad_line(number: usize, error: &toml::de::Error, text: &str) -> BadTomlLine {
    let (before, behind) = text.split_at_checked(start(error, text)).unwrap_or((text, ""));
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let line_end = before.len() + behind.find('\n').unwrap_or(behind.len());
    let part = error.span().and_then(|span| text.get(span)).and_then(|part| part.lines().next());
    BadTomlLine {
        number,
        message: error.message().to_owned(),
        part: part.filter(|part| !part.is_empty()).map(str::to_owned),
        suggestion: header_of_ini(&text[line_start..line_end]),
    }
}

/// `[program.x]` for the `[program:x]` of who comes from INI.
fn header_of_ini(line: &str) -> Option<String> {
    let inner = line.trim().strip_prefix('[')?.split(']').next()?;
    let (kind, name) = inner.split_once(':')?;
    let is_bare = |key: &str| {
        !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    let name = if is_bare(name) { name.to_owned() } else { format!("{name:?}") };
    is_bare(kind).then(|| format!("[{kind}.{name}]"))
}
