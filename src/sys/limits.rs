//! Resource limits.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than any limit.
const UNLIMITED: u64 = u64::MAX;

/// A limit that the configuration can raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain words")]
pub enum Limit {
    OpenFiles,
    Processes,
}

/// The result of raising a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raised {
    /// It was high enough.
    Enough,
    /// It was raised.
    Now,
    /// It can't be raised this far; it was raised as far as possible, to this value.
    UpTo(u64),
}

/// Raises the soft limit to at least `least`, and the hard one too if necessary and allowed.
#[must_use]
pub fn raise(limit: Limit, least: u64) -> Raised {
    let resource = match limit {
        Limit::OpenFiles => Resource::Nofile,
        Limit::Processes => Resource::Nproc,
    };
    let (soft, hard) = bounds(resource);
    if soft >= least {
        return Raised::Enough;
    }
    let set = |soft, hard| setrlimit(resource, Rlimit { current: Some(soft), maximum: hard });
    if set(least, (hard != UNLIMITED).then_some(hard.max(least))).is_ok() {
        return Raised::Now;
    }
    // Without the right to raise the hard limit.
    let _ = set(hard, Some(hard));
    Raised::UpTo(hard)
}

/// The current limit of open descriptors.
#[must_use]
pub fn open_files_max() -> u64 {
    bounds(Resource::Nofile).0
}

/// The highest limit of open descriptors that we may set.
#[must_use]
pub fn open_files_max_ever() -> u64 {
    let (soft, hard) = bounds(Resource::Nofile);
    soft.max(hard)
}

/// The soft and the hard limit.
fn bounds(resource: Resource) -> (u64, u64) {
    let Rlimit { current, maximum } = getrlimit(resource);
    (current.unwrap_or(UNLIMITED), maximum.unwrap_or(UNLIMITED))
}
