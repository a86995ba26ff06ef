//! The search path of the configuration file.

use std::path::{Path, PathBuf};

use super::error::{Error, ErrorKind, Errors};
use super::machine::Machine;

/// The name of a configuration.
pub const SUPERVISORD_CONF: &str = "supervisord.conf";

/// The same in TOML.
pub const SUPERVISORD_TOML: &str = "supervisord.toml";

/// The paths that are searched, in order: next to the folder of the program, in the current directory, in
/// `/etc`. If none has a `supervisord.conf`, the same paths are searched for a `supervisord.toml`, so that an
/// existing `supervisord.conf` takes precedence, as in Supervisor.
///
/// Relative paths are joined to `current_dir`, so that the file stays the same after the supervisor has
/// changed its directory.
#[must_use]
pub fn search_paths(argv0: &str, current_dir: &Path) -> Vec<PathBuf> {
    let program_dir = Path::new(argv0).parent().and_then(Path::parent).unwrap_or(Path::new(""));
    let folders = [
        program_dir.join("etc"),
        program_dir.into(),
        "".into(),
        "etc".into(),
        "/etc".into(),
        "/etc/supervisor".into(),
    ];
    let in_all = |name| folders.iter().map(move |folder| current_dir.join(folder).join(name));
    in_all(SUPERVISORD_CONF).chain(in_all(SUPERVISORD_TOML)).collect()
}

/// What `sv` adds to the message.
const REMEDY: &str = "`sv init` writes a first one";

/// The first file of [`search_paths`] that exists.
///
/// # Errors
///
/// No file exists; the message lists the paths.
pub fn find(argv0: &str, machine: &dyn Machine) -> Result<PathBuf, Errors> {
    let paths = search_paths(argv0, &machine.current_dir());
    if let Some(found) = paths.iter().find(|path| machine.exists(path)) {
        return Ok(found.clone());
    }
    let searched: Vec<_> = paths.iter().map(|path| path.to_string_lossy()).collect();
    let message = format!(
        "No config file found at default paths ({}); use the -c option to specify a config file at a \
         different path",
        searched.join(", ")
    );
    Err(Error { remedy: Some(REMEDY), ..Error::new(ErrorKind::File, message) }.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fake::Fake;

    #[test]
    fn searches_next_to_the_program_then_here_then_in_etc() {
        for (argv0, first, second) in [
            ("/usr/bin/supervisord", "/usr/etc/supervisord.conf", "/usr/supervisord.conf"),
            ("supervisord", "/srv/etc/supervisord.conf", "/srv/supervisord.conf"),
            ("bin/supervisord", "/srv/etc/supervisord.conf", "/srv/supervisord.conf"),
            ("../venv/bin/sv", "/srv/../venv/etc/supervisord.conf", "/srv/../venv/supervisord.conf"),
        ] {
            let expected = [
                first,
                second,
                "/srv/supervisord.conf",
                "/srv/etc/supervisord.conf",
                "/etc/supervisord.conf",
                "/etc/supervisor/supervisord.conf",
            ];
            let found = search_paths(argv0, Path::new("/srv"));
            assert_eq!(found[..6], expected.map(PathBuf::from), "{argv0}");
            assert_eq!(found[6..], expected.map(|path| Path::new(path).with_extension("toml")), "{argv0}");
        }
    }

    #[test]
    fn the_first_that_exists_wins() {
        let machine = Fake::new().file("/etc/supervisord.conf", "").file("/srv/etc/supervisord.conf", "");
        let machine = machine.file("/usr/supervisord.toml", "");
        assert_eq!(find("/usr/bin/sv", &machine), Ok("/srv/etc/supervisord.conf".into()));
        let machine = Fake::new().file("/etc/supervisord.toml", "").file("/srv/supervisord.toml", "");
        assert_eq!(find("/usr/bin/sv", &machine), Ok("/srv/supervisord.toml".into()));
    }

    #[test]
    fn the_search_path_is_listed_if_no_file_exists() {
        let message = find("/usr/bin/sv", &Fake::new()).unwrap_err().to_string();
        assert!(message.starts_with("No config file found at default paths (/usr/etc/supervisord.conf, "));
        assert!(message.ends_with("; use the -c option to specify a config file at a different path"));
    }
}
