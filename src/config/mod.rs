//! Reads a configuration: text to settings.
//!
//! The stages, each in files of its own: bytes become lines, lines become a document of sections whose
//! options carry their position ([`ini`], [`toml`], [`document`]); values are expanded ([`expand`]),
//! converted to their type, and together make [`crate::model::Settings`].
//!
//! Invariants:
//!
//! * This module opens no file, reads no clock and no environment, and looks up no user: it asks
//!   [`Machine`], which is passed in.
//! * One bad value never hides another: reading continues with a default and fails at the end, with all
//!   errors ([`Errors`]). Only a line that can't be parsed ends it early, since its missing content would
//!   cause many misleading errors.
//! * No input makes it panic, and every size has a named bound.

mod binding;
mod client;
mod command;
mod daemon;
mod depend;
mod dependent_startup;
pub mod document;
mod env_file;
mod error;
pub mod expand;
#[cfg(test)]
pub(crate) mod fake;
mod fastcgi;
mod foreground;
mod groups;
pub mod ini;
mod listener;
mod load;
mod log_form;
mod machine;
mod main_command;
pub mod options;
mod pairs;
mod plugins;
mod print_listeners;
mod program;
mod reader;
mod reading;
mod search;
mod servers;
mod signals;
mod sources;
mod stream;
pub mod toml;
mod unknown;
mod values;
mod variables;

pub use client::{ClientSettings, load_client};
pub use command::{BYTES, resolve, resolve_command};
pub use document::Language;
pub use error::{Error, ErrorKind, Errors, did_you_mean};
pub use foreground::foreground_form;
pub use load::{is_control_socket_off, load, load_scaled, load_servers, load_with_command, place_of};
pub use machine::{FILE_BYTES_MAX, Machine};
pub use options::{SUPERVISOR_SAMPLE, nearest, sample, similar};
pub use plugins::{ClientPlugin, client_plugins};
pub use program::PROCESSES_MAX;
pub use reader::Override;
pub use search::{SUPERVISORD_CONF, SUPERVISORD_TOML, find, search_paths};
pub use sources::{INCLUDED_FILES_MAX, TOML_BYTES_MAX};

// Used by `inspect` to lint a configuration and to show it.
pub(crate) use daemon::environment;
pub(crate) use env_file::env_files;
pub(crate) use foreground::{DaemonizesWhen, daemonizes_when};
pub(crate) use load::{Completeness, Examined, examine};
pub(crate) use pairs::overlaid;
pub(crate) use reader::SectionReader;
pub(crate) use reading::{Findings, Reading, Remark, Spot};
pub(crate) use values::{absolute, cpus};
pub(crate) use variables::apply as apply_variables;
