//! Why a program could not be executed, and how a child with our own standard descriptors says so.

use std::fmt;

use nix::errno::Errno;

/// Why a program could not be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecError {
    /// What kind of reason it is.
    pub kind: ExecErrorKind,
    /// `No such file or directory`
    pub text: &'static str,
}

/// What a shell distinguishes by its exit codes 126 and 127.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain words")]
pub enum ExecErrorKind {
    NotFound,
    Denied,
    Other,
}

impl From<Errno> for ExecError {
    fn from(errno: Errno) -> Self {
        let kind = match errno {
            Errno::ENOENT | Errno::ENOTDIR => ExecErrorKind::NotFound,
            Errno::EACCES => ExecErrorKind::Denied,
            _ => ExecErrorKind::Other,
        };
        Self { kind, text: errno.desc() }
    }
}

/// Reports on the child's standard error that its program could not be executed, and returns the child's exit
/// status. It is called between fork and exec: it must not allocate or take a lock.
pub type ReportExecError<'a> = dyn Fn(ExecError, &mut dyn fmt::Write) -> u8 + 'a;
