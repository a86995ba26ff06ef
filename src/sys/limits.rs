//! Resource limits.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A limit that the configuration asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain words")]
pub enum Limit {
    OpenFiles,
    Processes,
}

/// What became of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raised {
    /// It was high enough.
    Enough,
    /// It was raised.
    Now,
    /// It can't be raised so far; this is as far as it goes, and there it is now.
    UpTo(u64),
}

/// Raises the soft limit to at least `least`, and the hard one too where that is needed and allowed.
///
/// # Errors
/// What getrlimit(2) says.
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

/// How many descriptors may be open now.
#[must_use]
pub fn open_files_max() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft)
}

/// How many descriptors we may allow ourselves to have open.
#[must_use]
pub fn open_files_max_ever() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, hard)| soft.max(hard))
}
