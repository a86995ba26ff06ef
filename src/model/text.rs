//! What is true of any text.

use std::fmt::Display;

/// Whether a character changes the direction of the text that follows, and so may show it in another order than it has.
#[must_use]
pub fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `1 line`, `4 lines`
#[must_use]
pub fn counted(count: impl Display, one: &str, many: &str) -> String {
    let count = count.to_string();
    let what = if count == "1" { one } else { many };
    format!("{count} {what}")
}
