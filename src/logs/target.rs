//! What a log path means. The names of our own standard descriptors are not opened again by path:
//! that fails for a user who may not open them, truncates, and loses the shared position in a file.

use std::path::Path;

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Our own standard output.
    Stdout,
    /// Our own standard error.
    Stderr,
    /// Something to be opened.
    Path,
}

/// Where this path leads.
#[must_use]
pub fn place(path: &Path) -> Place {
    match path.to_str() {
        Some("/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1") => Place::Stdout,
        Some("/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2") => Place::Stderr,
        _ => Place::Path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_descriptors_have_several_names() {
        for (path, expected) in [
            ("/dev/stdout", Place::Stdout),
            ("/proc/self/fd/1", Place::Stdout),
            ("/dev/fd/2", Place::Stderr),
            ("/dev/stderr", Place::Stderr),
            ("/dev/fd/3", Place::Path),
            ("/var/log/x.log", Place::Path),
        ] {
            assert_eq!(place(Path::new(path)), expected, "{path}");
        }
    }
}
