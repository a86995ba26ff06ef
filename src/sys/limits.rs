//! Resource limits.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

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
///
/// # Errors
/// The error of getrlimit(2).
pub fn raise(limit: Limit, least: u64) -> io::Result<Raised> {
    let resource = match limit {
        Limit::OpenFiles => Resource::RLIMIT_NOFILE,
        Limit::Processes => Resource::RLIMIT_NPROC,
    };
    let (soft, hard) = getrlimit(resource)?;
    if soft >= least {
        return Ok(Raised::Enough);
    }
    if setrlimit(resource, least, hard.max(least)).is_ok() {
        return Ok(Raised::Now);
    }
    // Without the right to raise the hard limit.
    let _ = setrlimit(resource, hard, hard);
    Ok(Raised::UpTo(hard))
}

/// The current limit of open descriptors.
#[must_use]
pub fn open_files_max() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft)
}

/// The highest limit of open descriptors that we may set.
#[must_use]
pub fn open_files_max_ever() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, hard)| soft.max(hard))
}
