//! Formats and policies of logs: what to write, decided here and written elsewhere.
//!
//! This module opens no file and does not know the state of a process.

mod ansi;
mod capture;
mod echo;
mod follow;
mod line;
mod loss;
mod moment;
mod own;
mod ring;
mod rotation;
mod shape;
mod syslog;
mod target;
mod window;

pub use ansi::AnsiStripper;
pub use capture::{Capture, Piece};
pub use echo::{conversation_echo, output_echo};
pub use follow::{AWAIT_QUERY, FOLLOWED_BYTES_FIRST, FollowFrom, TRUNCATED, missed};
pub use line::activity_line_head;
pub use loss::Loss;
pub use moment::{access_time, rfc3339};
pub use own::{OWN_LABEL, OwnForm};
pub use ring::Ring;
pub use rotation::{Rotation, RotationStep};
pub use shape::Shaper;
pub use sv_lines::{
    LABEL_WIDTH_MAX, LINE_BYTES_MAX, LinePiece, Lines, Speaker, WholeLines, complete_characters,
    cut_off_before, whole_characters,
};
pub use syslog::{SYSLOG_TEXT_BYTES_MAX, severity, syslog_message};
pub use target::{PathTarget, place};
pub use window::{PIECE_BYTES_MAX, WINDOW_BYTES_MAX, Window, read_window, tail_window};
