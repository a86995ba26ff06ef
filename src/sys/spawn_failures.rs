//! Why a child could not become its program: the step that failed, and its errno.
//!
//! Between fork and exec a child can only report by its exit status, and any program may exit with the same.
//! So it leaves a note in a page that it shares with us. Unlike a close-on-exec pipe this needs no
//! descriptor, and the parent does not wait for exec.

use std::fmt;
use std::io;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::libc;

use crate::model::{LimitOption, Pid};

/// The number of notes in the page. Two children whose pids share a slot at the same time lose a note, no
/// more.
const SLOTS: usize = 512;

static NOTES: OnceLock<Option<&'static [AtomicU64; SLOTS]>> = OnceLock::new();

/// The steps of a child before exec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Duplicating its descriptors.
    Descriptors,
    /// Entering its cgroup, which need not succeed. Noted in either case.
    Cgroup,
    /// Applying this option.
    Limit(LimitOption),
    /// Switching to its user.
    User,
    /// Changing to its directory.
    Directory,
    /// execve(2).
    Exec,
}

impl Step {
    const PLAIN: [Self; 5] = [Self::Descriptors, Self::User, Self::Directory, Self::Exec, Self::Cgroup];

    fn all() -> impl Iterator<Item = Self> {
        Self::PLAIN.into_iter().chain(LimitOption::ALL.into_iter().map(Self::Limit))
    }

    /// Its number in a note, never 0.
    const fn code(self) -> u64 {
        match self {
            Self::Descriptors => 1,
            Self::User => 2,
            Self::Directory => 3,
            Self::Exec => 4,
            Self::Cgroup => 5,
            Self::Limit(option) => 6 + option as u64,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Limit(option) => return write!(f, "cannot apply {}", option.name()),
            Self::Descriptors => "cannot set up its descriptors",
            Self::Cgroup => "cannot enter its cgroup",
            Self::User => "cannot apply user",
            Self::Directory => "cannot apply directory",
            Self::Exec => "cannot execute its program",
        })
    }
}

/// A failed step of a child.
#[derive(Debug)]
pub struct SpawnFailure {
    /// Which step.
    pub step: Step,
    /// The error of its system call.
    pub error: io::Error,
}

/// Whether a text is that of a failed step.
#[must_use]
pub fn is_of_step(text: &str) -> bool {
    Step::all().any(|step| text.starts_with(&step.to_string()))
}

impl fmt::Display for SpawnFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needed = match self.step {
            Step::Limit(option) => option.capability(),
            Step::User => Some("root, with CAP_SETUID and CAP_SETGID"),
            Step::Directory => None,
            Step::Descriptors | Step::Cgroup | Step::Exec => {
                return write!(f, "{}: {}", self.step, self.error);
            }
        };
        let errno = Errno::from_raw(self.error.raw_os_error().unwrap_or(0));
        write!(f, "{}: {}", self.step, errno.desc())?;
        match needed {
            Some(needed) if matches!(errno, Errno::EPERM | Errno::EACCES) => {
                write!(f, " (it needs {needed})")
            }
            _ => Ok(()),
        }
    }
}

impl SpawnFailure {
    /// Whether an option could not be applied.
    #[must_use]
    pub fn is_of_limit(&self) -> bool {
        matches!(self.step, Step::Limit(_))
    }

    /// Whether the child cannot become its program after it.
    #[must_use]
    pub fn ends_the_child(&self) -> bool {
        self.step != Step::Cgroup
    }

    /// The failure of a program that has `rlimit_nproc`: exec fails if its user had that many processes when it took the
    /// identity of that user, which is no shortage of the machine.
    #[must_use]
    pub fn with_process_limit(self) -> Self {
        let is_of_exec = self.step == Step::Exec && self.error.raw_os_error() == Some(Errno::EAGAIN as i32);
        if is_of_exec { Self { step: Step::Limit(LimitOption::RlimitNproc), ..self } } else { self }
    }

    /// Whether the machine is short of processes or memory, so that the program is not to blame.
    #[must_use]
    pub fn is_shortage(&self) -> bool {
        matches!(self.step, Step::Exec | Step::Descriptors) && super::is_shortage(&self.error)
    }
}

/// Must be called before the first fork.
pub(super) fn prepare() {
    NOTES.get_or_init(share);
}

fn share() -> Option<&'static [AtomicU64; SLOTS]> {
    // SAFETY: a new mapping, which overlaps no other memory.
    #[expect(unsafe_code, reason = "memory that fork does not copy")]
    let page = unsafe {
        libc::mmap(
            ptr::null_mut(),
            size_of::<[AtomicU64; SLOTS]>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the mapping is as large as this, aligned to a page, zeroed, and never unmapped.
    #[expect(unsafe_code, reason = "the page as an array")]
    Some(unsafe { &*page.cast::<[AtomicU64; SLOTS]>() })
}

fn slot(pid: i32) -> Option<&'static AtomicU64> {
    let notes = NOTES.get().copied().flatten()?;
    notes.get(usize::try_from(pid).ok()? % SLOTS)
}

/// The pid in the upper half, then the step and the errno, which is less than 4,096.
fn note(pid: i32, step: Step, errno: i32) -> u64 {
    let errno = u64::from(errno.cast_unsigned() & 0xffff);
    (u64::from(pid.cast_unsigned()) << 32) | (step.code() << 16) | errno
}

/// Called by the child: it must not allocate or block.
pub(super) fn leave(step: Step, errno: Errno) {
    let pid = nix::unistd::getpid().as_raw();
    if let Some(slot) = slot(pid) {
        slot.store(note(pid, step, errno as i32), Ordering::Release);
    }
}

/// Whether a child has entered its cgroup. `None` if it has not tried yet, or if a later step has failed.
#[must_use]
pub fn take_entry(pid: Pid) -> Option<io::Result<()>> {
    let slot = slot(pid.0)?;
    let found = slot.load(Ordering::Acquire);
    let errno = i32::try_from(found & 0xffff).ok()?;
    if note(pid.0, Step::Cgroup, errno) != found {
        return None;
    }
    // The child may be leaving another note.
    slot.compare_exchange(found, 0, Ordering::AcqRel, Ordering::Acquire).ok()?;
    Some(if errno == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(errno)) })
}

/// Why a reaped child did not execute its program, if so.
#[must_use]
pub fn take(pid: Pid) -> Option<SpawnFailure> {
    let slot = slot(pid.0)?;
    let found = slot.load(Ordering::Acquire);
    let errno = i32::try_from(found & 0xffff).ok()?;
    let step = Step::all().find(|step| note(pid.0, *step, errno) == found)?;
    slot.store(0, Ordering::Release);
    Some(SpawnFailure { step, error: io::Error::from_raw_os_error(errno) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_is_taken_once_and_by_its_pid_alone() {
        prepare();
        let own = Pid(nix::unistd::getpid().as_raw());
        assert!(take(own).is_none());
        leave(Step::Directory, Errno::ENOENT);
        assert!(take(Pid(own.0 + i32::try_from(SLOTS).unwrap())).is_none(), "another pid with the same slot");
        let failure = take(own).unwrap();
        assert_eq!((failure.step, failure.error.raw_os_error()), (Step::Directory, Some(libc::ENOENT)));
        assert!(take(own).is_none());
        leave(Step::Cgroup, Errno::EBUSY);
        let refused = take_entry(own).unwrap().unwrap_err();
        assert_eq!((refused.raw_os_error(), take_entry(own).is_none()), (Some(libc::EBUSY), true));
        leave(Step::Cgroup, Errno::UnknownErrno);
        assert!(take_entry(own).unwrap().is_ok() && take(own).is_none());
    }

    #[test]
    fn limits_are_named_with_what_they_need() {
        prepare();
        let own = Pid(nix::unistd::getpid().as_raw());
        for option in LimitOption::ALL {
            leave(Step::Limit(option), Errno::EPERM);
            assert_eq!(take(own).map(|failure| failure.step), Some(Step::Limit(option)));
        }
        let shown = |option, errno| {
            let error = io::Error::from_raw_os_error(errno);
            SpawnFailure { step: Step::Limit(option), error }.to_string()
        };
        for (option, errno, expected) in [
            (
                LimitOption::OomScoreAdj,
                libc::EACCES,
                "cannot apply oom_score_adj: Permission denied (it needs CAP_SYS_RESOURCE)",
            ),
            (LimitOption::CpuAffinity, libc::EINVAL, "cannot apply cpu_affinity: Invalid argument"),
            (
                LimitOption::NoNewPrivileges,
                libc::EPERM,
                "cannot apply no_new_privileges: Operation not permitted",
            ),
        ] {
            assert_eq!(shown(option, errno), expected);
        }
    }

    #[test]
    fn a_program_with_too_many_processes_of_its_user_is_to_blame() {
        let failure = |step, errno| SpawnFailure { step, error: io::Error::from_raw_os_error(errno) };
        let of_limit = |step, errno| failure(step, errno).with_process_limit().is_of_limit();
        assert!(of_limit(Step::Exec, libc::EAGAIN));
        assert!(!of_limit(Step::Exec, libc::ENOMEM) && !of_limit(Step::User, libc::EAGAIN));
    }

    #[test]
    fn exec_and_the_copy_of_descriptors_can_meet_a_shortage() {
        let is_shortage =
            |step, errno| SpawnFailure { step, error: io::Error::from_raw_os_error(errno) }.is_shortage();
        assert!(is_shortage(Step::Exec, libc::EAGAIN) && is_shortage(Step::Exec, libc::ENOMEM));
        assert!(is_shortage(Step::Descriptors, libc::ENOMEM));
        assert!(!is_shortage(Step::Exec, libc::ENOENT) && !is_shortage(Step::User, libc::EAGAIN));
    }
}
