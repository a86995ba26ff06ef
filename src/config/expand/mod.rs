//! `%(name)s` in values, by the rules of Python's `%` operator.
//!
//! [`Names`] holds the names in layers, [`expand`] fills in templates. Values are inserted literally and
//! never expanded again, so a percent sign in the environment is safe.

mod conversion;
mod names;
mod template;

pub(crate) use names::variables_in;
pub use names::{NameValue, Names};
pub use template::{EXPANDED_BYTES_MAX, ExpandError, expand};
