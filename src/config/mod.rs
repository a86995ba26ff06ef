//! Reading a configuration: text to settings.
//!
//! The stages, each in files of its own: bytes become lines, lines become a document of sections
//! whose options know where they were said ([`ini`], [`toml`], [`document`]); values are expanded ([`expand`]), take their
//! type, and together make [`crate::model::Settings`].
//!
//! Invariants:
//!
//! * Nothing here opens a file, reads a clock or the environment, or looks up a user: all that is
//!   asked of [`Surroundings`], which is handed in.
//! * One bad value never hides another: reading goes on with a stand-in and fails at the end, with
//!   all errors ([`Errors`]). Only a line that can't be parsed ends it early, since whatever it was
//!   meant to say would be missed in one message after the other.
//! * No bytes make it panic, and every size has a named bound.

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
mod landing;
mod listener;
mod load;
mod log_form;
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
mod surroundings;
pub mod toml;
mod unknown;
mod values;
mod variables;

pub use client::{ClientSettings, load_client};
pub use command::{BYTES, resolve, resolve_command};
pub use document::Language;
pub use error::{Error, ErrorKind, Errors, did_you_mean};
pub use foreground::foreground_form;
pub use load::{is_control_socket_off, load, load_beside, load_servers, place_of};
pub use options::{SUPERVISOR_SAMPLE, nearest, sample};
pub use plugins::{ClientPlugin, client_plugins};
pub use program::PROCESSES_MAX;
pub use reader::Override;
pub use search::{find, search_paths};
pub use sources::{INCLUDED_FILES_MAX, TOML_BYTES_MAX};
pub use surroundings::{FILE_BYTES_MAX, Surroundings};

// What `inspect` looks at, to lint a configuration and to show it.
pub(crate) use daemon::environment;
pub(crate) use env_file::env_files;
pub(crate) use foreground::{DaemonizesWhen, leaves};
pub(crate) use load::{Completeness, Examined, examine};
pub(crate) use pairs::overlaid;
pub(crate) use reader::SectionReader;
pub(crate) use reading::{Findings, Reading, Remark, Spot};
pub(crate) use values::absolute;
pub(crate) use variables::lay as lay_variables;
