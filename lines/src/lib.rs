//! Splits the output of programs into lines, and formats them: with a name before each, or as JSON objects.
//!
//! This is a crate of its own because every byte of formatted output passes through it: it is compiled for speed, all
//! else for size. For the same reason nothing of it is generic for its callers, as they would compile it for size.
//! It knows neither processes nor clocks: a time is a text here.

mod append;
mod characters;
mod formatter;
mod json;
mod prefix;
mod split;

pub use characters::{complete_characters, cut_off_before, whole_characters};
pub use formatter::LineFormatter;
pub use json::{Speaker, quoted};
pub use prefix::LABEL_WIDTH_MAX;
pub use split::{LINE_BYTES_MAX, LinePiece, Lines, WholeLines};
