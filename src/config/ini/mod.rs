//! The INI dialect of Python's `RawConfigParser` as Supervisor configures it.
//!
//! Three stages, a file each: bytes to text (`characters`), text to lines without their comments (`lines`),
//! lines to sections and options (`parse`, `document`). Every option keeps its file and line, since values
//! are checked later.
//!
//! Nothing here knows a section or an option by name, except `[DEFAULT]`; nothing expands or unquotes a
//! value.

mod characters;
mod lines;
mod parse;

pub(super) use characters::decode;
pub use characters::{NotText, is_space, trim};
pub use parse::{BadLine, SyntaxError, parse};
