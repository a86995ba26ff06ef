//! What becomes of bytes and lines on their way to a log: decided here, written elsewhere.
//!
//! Nothing here opens a file or knows the state of a process.

mod ansi;
mod capture;
mod echo;
mod follow;
mod line;
mod rotation;
mod target;
mod window;

pub use ansi::AnsiStripper;
pub use capture::{Capture, Piece};
pub use echo::{conversation_echo, output_echo};
pub use follow::{FOLLOWED_BYTES_FIRST, TRUNCATED, cut_off_before, follow_from, whole_characters};
pub use line::activity_line;
pub use rotation::{Rotation, Step};
pub use target::{Place, place};
pub use window::{WINDOW_BYTES_MAX, Window, read_window, tail_window};
