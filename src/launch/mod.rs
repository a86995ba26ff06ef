//! From the settings of a program to what is executed: the file and its arguments, and the child's
//! environment.
//!
//! Nothing here reads the machine: the caller supplies file lookups ([`FileLookup`]).

mod environment;
mod resolve;

pub use environment::{OwnVariables, child_environment, inherited_variables, own_variables, server_url};
pub use resolve::{Executable, FileLookup, resolve_command, search_path};
