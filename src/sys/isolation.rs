//! Where a process runs: which boot of which machine, which namespaces and which root directory.

use std::fs;
use std::os::unix::fs::MetadataExt;

/// All that make a difference to a command. A time namespace does not.
const NAMESPACES: [&str; 6] = ["mnt", "pid", "user", "net", "ipc", "uts"];

/// A text for each; the texts of two processes are equal if they share it. What can't be read is left out, so two lists
/// that are not complete are never taken for equal ([`is_complete`]).
#[must_use]
pub fn own_isolation() -> Vec<String> {
    let namespaces = NAMESPACES.iter().filter_map(|name| {
        let link = fs::read_link(format!("/proc/self/ns/{name}")).ok()?;
        Some(format!("namespace {}", link.to_str()?))
    });
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let boot = boot.ok().map(|id| format!("boot {}", id.trim_end()));
    let root = fs::metadata("/").ok().map(|root| format!("root {}:{}", root.dev(), root.ino()));
    boot.into_iter().chain(root).chain(namespaces).collect()
}

/// Whether nothing is missing.
#[must_use]
pub fn is_complete(isolation: &[String]) -> bool {
    isolation.len() == NAMESPACES.len() + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_the_same_for_two_looks() {
        let own = own_isolation();
        assert!(is_complete(&own), "{own:?}");
        assert_eq!(own, own_isolation());
    }
}
