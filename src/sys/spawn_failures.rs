//! Why a child could not become its program: the step that failed, and its errno.
//!
//! Between fork and exec a child can only report by its exit status, and any program may exit with the same. So it
//! writes a note to a close-on-exec pipe, which is at its number when the child is forked and gone when the child has
//! executed its program: a start needs no system call for it.
//!
//! One pipe is enough for all children. A note names its child, and is so short that the kernel writes it as a whole or not
//! at all, so the notes of children that fail at the same time do not mix. The end of the pipe, by which a pipe for
//! each child shows that exec has succeeded, is not needed: a failed step ends its child, whose exit status we get anyway,
//! and a child is reaped after it has written its note.
//!
//! A child must not wait for us, so both ends are nonblocking: if the pipe is full, the note is lost, as with a child that
//! is killed before it has written one. So are those of other children beyond [`UNTAKEN_MAX`] while nothing takes them. The
//! child is then taken for a program that has ended with status 127.
//!
//! A note is taken when its child is reaped at the latest, so none outlives its child, and a pid identifies its note.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::kept::kept;
use crate::model::{ExitStatus, LimitOption, Pid};

/// The number of notes that are kept for children that were not reaped, or whose entry of a cgroup was not looked at: as many
/// as the pipe holds.
const UNTAKEN_MAX: usize = 64 * 1024 / NOTE_BYTES;

/// Exit status of a child that could not become its program.
pub(super) const NOT_SPAWNED: u8 = 127;

/// The size of a note in the pipe. A write of so many bytes is atomic, see PIPE_BUF in pipe(7).
const NOTE_BYTES: usize = size_of::<u64>();

/// The number of notes that are read at once.
const NOTES_PER_READ: usize = 512;

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

/// A note: the pid in the upper half, then the step and the errno, which is less than 4,096.
fn note(pid: i32, step: Step, errno: i32) -> u64 {
    let errno = u64::from(errno.cast_unsigned() & 0xffff);
    (u64::from(pid.cast_unsigned()) << 32) | (step.code() << 16) | errno
}

fn is_of(note: u64, pid: Pid) -> bool {
    note >> 32 == u64::from(pid.0.cast_unsigned())
}

fn is_entry(note: u64) -> bool {
    step_code(note) == Step::Cgroup.code()
}

fn step_code(note: u64) -> u64 {
    (note >> 16) & 0xffff
}

fn errno_of(note: u64) -> i32 {
    i32::try_from(note & 0xffff).unwrap_or(0)
}

/// The notes of all children.
#[derive(Debug)]
pub struct ChildNotes {
    read: OwnedFd,
    write: OwnedFd,
    /// What was read and not taken.
    untaken: Vec<u64>,
}

impl ChildNotes {
    /// A pipe for children that are forked from now on.
    ///
    /// # Errors
    /// EMFILE, ENFILE.
    pub fn new() -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // The write end keeps a low number: a child within our memory copies all descriptors up to it.
        Ok(Self { read: kept(read), write, untaken: Vec::new() })
    }

    /// Readable when a child has left a note.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }

    /// The end for children.
    pub(super) fn write_end(&self) -> BorrowedFd<'_> {
        self.write.as_fd()
    }

    /// Reads the notes that children have left.
    pub fn receive(&mut self) {
        let mut buffer = [0; NOTES_PER_READ * NOTE_BYTES];
        // A pipe that is refilled meanwhile is reported as readable again.
        for _ in 0..UNTAKEN_MAX.div_ceil(NOTES_PER_READ) {
            let read = rustix::io::read(&self.read, &mut buffer).unwrap_or(0);
            let notes = buffer.get(..read).unwrap_or_default().as_chunks().0.iter();
            let room = UNTAKEN_MAX.saturating_sub(self.untaken.len());
            self.untaken.extend(notes.map(|note| u64::from_ne_bytes(*note)).take(room));
            if read < buffer.len() {
                return;
            }
        }
    }

    /// Whether a child has entered its cgroup, by the notes that were received. `None` if it has not tried yet.
    #[must_use]
    pub fn take_entry(&mut self, pid: Pid) -> Option<io::Result<()>> {
        let at = self.untaken.iter().position(|note| is_of(*note, pid) && is_entry(*note))?;
        let errno = errno_of(self.untaken.swap_remove(at));
        Some(if errno == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(errno)) })
    }

    /// Why a child, which was reaped with this status, did not execute its program, if so.
    #[must_use]
    pub fn take(&mut self, pid: Pid, status: ExitStatus) -> Option<SpawnFailure> {
        // Any other status is that of a program, and programs end more often than children fail.
        let may_have_failed = match status {
            ExitStatus::Exited(code) => code == NOT_SPAWNED,
            ExitStatus::Signaled { .. } | ExitStatus::OomKilled | ExitStatus::Unknown(_) => true,
        };
        if may_have_failed {
            self.receive();
        }
        let failure = self.untaken.iter().copied().find(|note| is_of(*note, pid) && !is_entry(*note));
        self.untaken.retain(|note| !is_of(*note, pid));
        if self.untaken.is_empty() {
            self.untaken = Vec::new();
        }
        let step = Step::all().find(|step| failure.map(step_code) == Some(step.code()))?;
        Some(SpawnFailure { step, error: io::Error::from_raw_os_error(errno_of(failure?)) })
    }
}

/// The number that a child has for the write end.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoteWriter(pub(super) RawFd);

impl NoteWriter {
    /// Leaves a note. Called by the child: it must not allocate or block.
    pub(super) fn leave(self, step: Step, errno: Errno) {
        let note = note(nix::unistd::getpid().as_raw(), step, errno as i32).to_ne_bytes();
        // SAFETY: the child has this descriptor until it executes its program, and nothing else uses it.
        #[expect(unsafe_code, reason = "a descriptor by its number")]
        let pipe = unsafe { BorrowedFd::borrow_raw(self.0) };
        // If the pipe is full, the note is lost.
        let _ = rustix::io::write(pipe, &note);
    }
}

#[cfg(test)]
mod tests {
    use nix::libc;

    use super::*;

    const FAILED: ExitStatus = ExitStatus::Exited(NOT_SPAWNED);

    /// What a child with this pid would write.
    fn leave(notes: &ChildNotes, pid: i32, step: Step, errno: i32) -> rustix::io::Result<usize> {
        rustix::io::write(notes.write_end(), &note(pid, step, errno).to_ne_bytes())
    }

    #[test]
    fn note_is_taken_once_and_by_its_pid_alone() {
        let (mut notes, pid) = (ChildNotes::new().unwrap(), Pid(7));
        assert!(notes.take(pid, FAILED).is_none());
        leave(&notes, pid.0, Step::Directory, libc::ENOENT).unwrap();
        assert!(notes.take(Pid(8), FAILED).is_none(), "another child");
        let failure = notes.take(pid, FAILED).unwrap();
        assert_eq!((failure.step, failure.error.raw_os_error()), (Step::Directory, Some(libc::ENOENT)));
        assert!(notes.take(pid, FAILED).is_none());
        leave(&notes, pid.0, Step::User, libc::EPERM).unwrap();
        assert_eq!(notes.take(pid, ExitStatus::killed()).map(|it| it.step), Some(Step::User));
    }

    #[test]
    fn nothing_is_read_for_a_program_that_has_ended() {
        let mut notes = ChildNotes::new().unwrap();
        leave(&notes, 7, Step::Exec, libc::ENOENT).unwrap();
        assert!(notes.take(Pid(7), ExitStatus::Exited(0)).is_none() && notes.untaken.is_empty());
        assert!(notes.take(Pid(7), FAILED).is_some());
    }

    #[test]
    fn entry_of_a_cgroup_is_taken_separately_from_what_fails_later() {
        let (mut notes, pid) = (ChildNotes::new().unwrap(), Pid(7));
        leave(&notes, pid.0, Step::Cgroup, libc::EBUSY).unwrap();
        assert!(notes.take_entry(pid).is_none(), "not received");
        notes.receive();
        let refused = notes.take_entry(pid).unwrap().unwrap_err();
        assert_eq!((refused.raw_os_error(), notes.take_entry(pid).is_none()), (Some(libc::EBUSY), true));
        leave(&notes, pid.0, Step::Cgroup, 0).unwrap();
        leave(&notes, pid.0, Step::Exec, libc::ENOMEM).unwrap();
        notes.receive();
        assert!(notes.take_entry(pid).unwrap().is_ok());
        assert!(notes.take(pid, FAILED).unwrap().is_shortage() && notes.take(pid, FAILED).is_none());
        // Nothing has looked whether it has entered its cgroup before it was reaped.
        leave(&notes, pid.0, Step::Cgroup, 0).unwrap();
        assert!(notes.take(pid, FAILED).is_none() && notes.take_entry(pid).is_none());
    }

    #[test]
    fn as_many_children_as_fit_leave_notes_and_the_others_are_not_blocked() {
        let mut notes = ChildNotes::new().unwrap();
        let fill = |notes: &ChildNotes, first: i32| {
            let mut pids = first..;
            pids.find(|pid| leave(notes, *pid, Step::Exec, libc::ENOENT) == Err(rustix::io::Errno::AGAIN))
                .unwrap()
        };
        let end = fill(&notes, 1);
        assert!(end > 256, "{end}");
        notes.receive();
        assert_eq!(notes.untaken.len(), usize::try_from(end - 1).unwrap());
        for round in 0..64 {
            fill(&notes, 100_000 * (round + 1));
            notes.receive();
        }
        assert!(notes.untaken.len() <= UNTAKEN_MAX);
        assert!((1..end).all(|pid| notes.take(Pid(pid), FAILED).is_some()));
        // Again there is room.
        leave(&notes, 99_999, Step::Exec, libc::ENOENT).unwrap();
        assert!(notes.take(Pid(99_999), FAILED).is_some());
    }

    #[test]
    fn what_is_no_note_is_ignored() {
        let mut notes = ChildNotes::new().unwrap();
        rustix::io::write(notes.write_end(), &[0xff; 21]).unwrap();
        notes.receive();
        leave(&notes, 7, Step::Exec, libc::ENOENT).unwrap();
        assert!(notes.take(Pid(-1), FAILED).is_none());
        assert!(notes.take(Pid(7), FAILED).is_some());
    }

    #[test]
    fn limits_are_named_with_what_they_need() {
        let mut notes = ChildNotes::new().unwrap();
        for option in LimitOption::ALL {
            leave(&notes, 1, Step::Limit(option), libc::EPERM).unwrap();
            assert_eq!(notes.take(Pid(1), FAILED).map(|failure| failure.step), Some(Step::Limit(option)));
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
