//! The meaning of a log path. The names of our own descriptors are not opened by path: that fails for a user
//! without permission and for a socket, truncates, and loses the shared file position.

use std::path::Path;

/// The target of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathTarget {
    /// An inherited descriptor: 1 is our standard output, 2 our standard error.
    Descriptor(u32),
    /// A path to open.
    Path,
}

/// The target of this path in the process of this id.
#[must_use]
pub fn place(path: &Path, own_pid: i32) -> PathTarget {
    let Some(text) = path.to_str() else { return PathTarget::Path };
    let own = format!("/proc/{own_pid}/fd/");
    let number = match text {
        "/dev/stdout" => Some("1"),
        "/dev/stderr" => Some("2"),
        _ => ["/dev/fd/", "/proc/self/fd/", &own].into_iter().find_map(|folder| text.strip_prefix(folder)),
    };
    let is_plain = |number: &&str| number.bytes().all(|byte| byte.is_ascii_digit());
    number
        .filter(is_plain)
        .and_then(|number| number.parse().ok())
        .map_or(PathTarget::Path, PathTarget::Descriptor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_descriptors_have_several_names() {
        for (path, expected) in [
            ("/dev/stdout", PathTarget::Descriptor(1)),
            ("/dev/stderr", PathTarget::Descriptor(2)),
            ("/proc/self/fd/1", PathTarget::Descriptor(1)),
            ("/proc/42/fd/1", PathTarget::Descriptor(1)),
            ("/dev/fd/2", PathTarget::Descriptor(2)),
            ("/dev/fd/17", PathTarget::Descriptor(17)),
            ("/dev/fd/+1", PathTarget::Path),
            ("/dev/fd/", PathTarget::Path),
            ("/dev/fd/1/x", PathTarget::Path),
            ("/proc/1/fd/1", PathTarget::Path),
            ("/var/log/x.log", PathTarget::Path),
        ] {
            assert_eq!(place(Path::new(path), 42), expected, "{path}");
        }
    }
}
