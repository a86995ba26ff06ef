//! What becomes of bytes and lines on their way to a log: decided here, written elsewhere.
//!
//! Nothing here opens a file or knows the state of a process.

mod line;
mod repr;
mod rotation;
mod target;

pub use line::activity_line;
pub use repr::{output_echo, repr_text};
pub use rotation::{Rotation, Step};
pub use target::{Place, place};
