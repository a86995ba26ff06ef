//! What the path of a log means once links are followed.

use std::fs;
use std::path::Path;

use crate::logs::{PathTarget, place};
use crate::sys::process::own_pid;

/// Links followed on the way to one of our descriptors. Images have them: `/var/log/nginx/access.log -> /dev/stdout`.
const LINKS_MAX: usize = 8;

/// Whether a log path leads to a descriptor that we inherited.
pub(super) fn resolve_links(path: &Path) -> PathTarget {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        if let place @ PathTarget::Descriptor(_) = place(&path, own_pid()) {
            return place;
        }
        let Ok(link) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("/")).join(link);
    }
    PathTarget::Path
}
