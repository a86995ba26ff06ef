//! Formats and policies of logs: what to write, decided here and written elsewhere.
//!
//! This module opens no file and does not know the state of a process.

mod ansi;
mod capture;
mod echo;
mod follow;
mod json;
mod line;
mod lines;
mod loss;
mod moment;
mod own;
mod prefix;
mod ring;
mod rotation;
mod shape;
mod syslog;
mod target;
mod window;

pub use ansi::AnsiStripper;
pub use capture::{Capture, Piece};
pub use echo::{conversation_echo, output_echo};
pub use follow::{
    AWAIT_QUERY, FOLLOWED_BYTES_FIRST, FollowFrom, TRUNCATED, complete_characters, cut_off_before, missed,
    whole_characters,
};
pub use json::Speaker;
pub use line::activity_line_head;
pub use lines::{LINE_BYTES_MAX, LinePiece, Lines, WholeLines};
pub use loss::Loss;
pub use moment::{access_time, rfc3339};
pub use own::{OWN_LABEL, OwnForm};
pub use prefix::LABEL_WIDTH_MAX;
pub use ring::Ring;
pub use rotation::{Rotation, RotationStep};
pub use shape::Shaper;
pub use syslog::{SYSLOG_TEXT_BYTES_MAX, severity, syslog_message};
pub use target::{PathTarget, place};
pub use window::{PIECE_BYTES_MAX, WINDOW_BYTES_MAX, Window, read_window, tail_window};
