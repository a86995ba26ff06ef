//! Why a child could not become its program: the step that failed, and its errno.
//!
//! Between fork and exec a child can only report by its exit status, and any program may exit with the same.
//! So it leaves a note in a page that it shares with us. Unlike a close-on-exec pipe this needs no
//! descriptor, and the parent does not wait for exec.
//!
//! A child that is killed before it has left a note has none, as it would have written nothing to a pipe. A note is
//! taken when its child is reaped at the latest, so none outlives its child, and a pid identifies its note.

use std::fmt;
use std::io;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::libc;

use crate::model::{LimitOption, Pid};

/// The number of notes in the page: of children that have not been reaped, or whose entry of a cgroup has not been
/// noticed. If there are more, the child of the oldest note at its place is taken for a program that has ended.
const SLOTS: usize = 512;

/// The notes of children, 0 where there is none.
#[repr(transparent)]
struct Notes([AtomicU64; SLOTS]);

static NOTES: OnceLock<Option<&'static Notes>> = OnceLock::new();

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

fn share() -> Option<&'static Notes> {
    // SAFETY: a new mapping, which overlaps no other memory.
    #[expect(unsafe_code, reason = "memory that fork does not copy")]
    let page = unsafe {
        libc::mmap(
            ptr::null_mut(),
            size_of::<Notes>(),
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
    Some(unsafe { &*page.cast::<Notes>() })
}

fn shared() -> Option<&'static Notes> {
    NOTES.get().copied().flatten()
}

/// The pid in the upper half, then the step and the errno, which is less than 4,096.
fn note(pid: i32, step: Step, errno: i32) -> u64 {
    let errno = u64::from(errno.cast_unsigned() & 0xffff);
    (u64::from(pid.cast_unsigned()) << 32) | (step.code() << 16) | errno
}

fn errno_of(note: u64) -> i32 {
    i32::try_from(note & 0xffff).unwrap_or(0)
}

impl Notes {
    /// All slots, those first that a child with this pid tries first.
    fn slots(&self, pid: i32) -> impl Iterator<Item = &AtomicU64> {
        let first = pid.unsigned_abs() as usize % SLOTS;
        let (last, first) = self.0.split_at_checked(first).unwrap_or_default();
        first.iter().chain(last)
    }

    /// The slot with the note of this child, and the note.
    fn find(&self, pid: i32) -> Option<(&AtomicU64, u64)> {
        let mut notes = self.slots(pid).map(|slot| (slot, slot.load(Ordering::Acquire)));
        notes.find(|(_, note)| note >> 32 == u64::from(pid.cast_unsigned()))
    }

    /// Replaces the earlier note of this child. Other children look for slots at the same time, and the parent may be
    /// taking the earlier note.
    fn leave(&self, pid: i32, step: Step, errno: Errno) {
        let note = note(pid, step, errno as i32);
        let replace = |slot: &AtomicU64, old| {
            slot.compare_exchange(old, note, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        let is_left = self.find(pid).is_some_and(|(slot, earlier)| replace(slot, earlier))
            || self.slots(pid).any(|slot| replace(slot, 0));
        if let Some(slot) = self.slots(pid).next().filter(|_| !is_left) {
            slot.store(note, Ordering::Release);
        }
    }

    fn take_entry(&self, pid: Pid) -> Option<io::Result<()>> {
        let (slot, found) = self.find(pid.0)?;
        let errno = errno_of(found);
        if note(pid.0, Step::Cgroup, errno) != found {
            return None;
        }
        // The child may be leaving another note.
        slot.compare_exchange(found, 0, Ordering::AcqRel, Ordering::Acquire).ok()?;
        Some(if errno == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(errno)) })
    }

    fn take(&self, pid: Pid) -> Option<SpawnFailure> {
        let (slot, found) = self.find(pid.0)?;
        slot.store(0, Ordering::Release);
        // Without an errno it has entered its cgroup, and has executed its program.
        let errno = Some(errno_of(found)).filter(|errno| *errno != 0)?;
        let step = Step::all().find(|step| note(pid.0, *step, errno) == found)?;
        Some(SpawnFailure { step, error: io::Error::from_raw_os_error(errno) })
    }
}

/// Called by the child: it must not allocate or block.
pub(super) fn leave(step: Step, errno: Errno) {
    if let Some(notes) = shared() {
        notes.leave(nix::unistd::getpid().as_raw(), step, errno);
    }
}

/// Whether a child has entered its cgroup. `None` if it has not tried yet, or if a later step has failed.
#[must_use]
pub fn take_entry(pid: Pid) -> Option<io::Result<()>> {
    shared()?.take_entry(pid)
}

/// Why a reaped child did not execute its program, if so.
#[must_use]
pub fn take(pid: Pid) -> Option<SpawnFailure> {
    shared()?.take(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes() -> Notes {
        Notes(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    #[test]
    fn note_is_taken_once_and_by_its_pid_alone() {
        let (notes, pid) = (notes(), Pid(7));
        assert!(notes.take(pid).is_none());
        notes.leave(pid.0, Step::Directory, Errno::ENOENT);
        let same_slot = Pid(pid.0 + i32::try_from(SLOTS).unwrap());
        assert!(notes.take(same_slot).is_none(), "another pid with the same slot");
        let failure = notes.take(pid).unwrap();
        assert_eq!((failure.step, failure.error.raw_os_error()), (Step::Directory, Some(libc::ENOENT)));
        assert!(notes.take(pid).is_none());
        notes.leave(pid.0, Step::Cgroup, Errno::EBUSY);
        let refused = notes.take_entry(pid).unwrap().unwrap_err();
        assert_eq!((refused.raw_os_error(), notes.take_entry(pid).is_none()), (Some(libc::EBUSY), true));
        notes.leave(pid.0, Step::Cgroup, Errno::UnknownErrno);
        assert!(notes.take_entry(pid).unwrap().is_ok() && notes.take(pid).is_none());
        notes.leave(pid.0, Step::Cgroup, Errno::UnknownErrno);
        notes.leave(pid.0, Step::Exec, Errno::ENOMEM);
        assert!(notes.take_entry(pid).is_none(), "a later step has failed");
        assert!(notes.take(pid).unwrap().is_shortage() && notes.take(pid).is_none());
        // Nothing has looked whether it has entered its cgroup before it was reaped.
        notes.leave(pid.0, Step::Cgroup, Errno::UnknownErrno);
        assert!(notes.take(pid).is_none() && notes.take_entry(pid).is_none());
    }

    #[test]
    fn as_many_children_as_there_are_slots_leave_notes_whatever_their_pids() {
        let notes = notes();
        let slots = i32::try_from(SLOTS).unwrap();
        // They begin at two places.
        let pids: Vec<_> = (1..=slots).map(|number| Pid(number * slots + number % 2)).collect();
        pids.iter().for_each(|pid| notes.leave(pid.0, Step::Exec, Errno::ENOENT));
        assert!(pids.iter().all(|pid| notes.take(*pid).is_some()));
        assert!(notes.0.iter().all(|slot| slot.load(Ordering::Relaxed) == 0));
    }

    #[test]
    fn limits_are_named_with_what_they_need() {
        let notes = notes();
        for option in LimitOption::ALL {
            notes.leave(1, Step::Limit(option), Errno::EPERM);
            assert_eq!(notes.take(Pid(1)).map(|failure| failure.step), Some(Step::Limit(option)));
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
