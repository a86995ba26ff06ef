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
use lines::Lines;

/// A line that is not TOML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// From 1.
    pub number: usize,
    /// What is wrong with it, in the words of the parser.
    pub message: String,
}

/// Why a file could not be parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyntaxError {
    /// It is not UTF-8.
    NotText(NotText),
    /// All lines that are not TOML, in their order.
    BadLines(Vec<BadLine>),
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
pub fn parse(bytes: &[u8], file: usize, document: &mut Document) -> Result<(), SyntaxError> {
    let text = decode(bytes).map_err(SyntaxError::NotText)?;
    let lines = Lines::of(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        tables::lay(root.get_ref(), text, &lines, file, document);
        return Ok(());
    }
    let bad_line = |error: &toml::de::Error| BadLine {
        number: lines.number(error.span().map_or(text.len(), |span| span.start)),
        message: error.message().to_owned(),
    };
    let mut bad: Vec<_> = errors.iter().map(bad_line).collect();
    bad.sort_by_key(|line| line.number);
    bad.dedup_by_key(|line| line.number);
    bad.truncate(BAD_LINES_MAX);
    Err(SyntaxError::BadLines(bad))
}
