//! Parsers of values: one function per type, each a pure function from `&str` to a value or a message.
//!
//! Messages are Supervisor's where it has a clear one. Where it shows a Python exception (`invalid literal
//! for int() with base 10: 'x'`), a plain sentence names the same value.
//! Users and paths need the machine and take [`super::Machine`].

mod address;
mod dependencies;
mod durations;
mod limits;
mod numbers;
mod paths;
mod probes;
mod users;
mod vocabulary;

pub(super) use address::{inet_address, port_number};
pub(super) use dependencies::{dependency, in_parentheses};
pub(super) use durations::{count, local_zone, percent, restart_limit, seconds, zone};
pub(crate) use limits::cpus;
pub(super) use limits::limit;
pub(super) use numbers::{decimal_digit, exit_codes, integer, octal, size};
pub(crate) use paths::absolute;
pub(super) use paths::{existing_directory, in_existing, normal_path, parent_of};
pub(super) use probes::{command, health_check, ready_check};
pub(super) use users::{owner, user};
pub(super) use vocabulary::{
    auto_restart, boolean, caught_signal, list, log_format, log_level, name, on_idle, password, signal,
    start_retries, word,
};

use crate::model::options::BadValue;
