//! `%(name)s` in values, by the rules of Python's `%` operator.
//!
//! Names come in layers ([`Names`]), templates are filled by [`expand`]. Values go in as they are
//! and are never expanded again, so a percent sign in the environment is safe.

mod conversion;
mod names;
mod template;

pub(crate) use names::variables_in;
pub use names::{Names, Value};
pub use template::{EXPANDED_BYTES_MAX, ExpandError, expand};
