//! From a path to settings: the order of things.

use std::path::Path;

use crate::model::{Environment, ServerSpec, Settings};

use super::daemon::{daemon, environment};
use super::error::{Error, ErrorKind, Errors};
use super::expand::Names;
use super::plugins::namespaces;
use super::reader::Override;
use super::reading::Reading;
use super::servers::servers;
use super::sources::read_all;
use super::surroundings::Surroundings;

/// Reads a configuration, the files it includes and the command line's `overrides` into settings.
///
/// # Errors
///
/// All that is wrong with it.
pub fn load(path: &Path, overrides: &[Override], around: &dyn Surroundings) -> Result<Settings, Errors> {
    let host_node_name = around.host_node_name();
    let inherited = Names::default().with_variables(around.environment());
    let (document, findings) = read_all(path, around, &host_node_name, &inherited)?;
    let mut reading = Reading::new(&document, around, &host_node_name, findings);
    let daemon = match document.section("supervisord") {
        Some(section) => Some(daemon(&mut reading, section, &inherited, overrides)),
        None => {
            reading.error(missing_section(path, "supervisord"));
            None
        }
    };
    let nothing = Environment::new();
    let own = daemon.as_ref().map_or(&nothing, |daemon| &daemon.environment);
    let names = Names::over(&inherited).with_variables(own);
    let namespaces = namespaces(&mut reading, &names);
    let servers = servers(&mut reading, &names);
    let notices = reading.finish()?;
    match daemon {
        Some(daemon) => Ok(Settings { daemon, servers, namespaces, groups: Vec::new(), notices }),
        None => Err(missing_section(path, "supervisord").into()),
    }
}

/// Reads only the control servers of a configuration, for a client that looks for one.
///
/// # Errors
///
/// All that is wrong with them or with the environment that their values may use.
pub fn load_servers(path: &Path, around: &dyn Surroundings) -> Result<Vec<ServerSpec>, Errors> {
    let host_node_name = around.host_node_name();
    let inherited = Names::default().with_variables(around.environment());
    let (document, findings) = read_all(path, around, &host_node_name, &inherited)?;
    let mut reading = Reading::new(&document, around, &host_node_name, findings);
    let section = document.section("supervisord");
    let own = section.map(|section| environment(&mut reading, section, &inherited)).unwrap_or_default();
    let servers = servers(&mut reading, &Names::over(&inherited).with_variables(&own));
    reading.finish()?;
    Ok(servers)
}

pub(super) fn missing_section(path: &Path, section: &str) -> Error {
    Error::about_file(
        ErrorKind::MissingSection,
        path,
        format!(".ini file does not include {section} section"),
    )
}
