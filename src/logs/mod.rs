//! What becomes of bytes and lines on their way to a log: decided here, written elsewhere.
//!
//! Nothing here opens a file or knows the state of a process.

mod ansi;
mod echo;
mod line;
mod rotation;
mod target;

pub use ansi::AnsiStripper;
pub use echo::output_echo;
pub use line::activity_line;
pub use rotation::{Rotation, Step};
pub use target::{Place, place};
