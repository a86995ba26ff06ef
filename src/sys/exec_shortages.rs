//! Children that could not execute their program because the machine is short of processes or memory.
//!
//! Between fork and exec a child has nothing but its exit status to report with, and any program may end with
//! that. So it leaves a note in a page that it shares with us, which costs neither a descriptor nor a wait.

use std::io;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::libc;

use crate::model::Pid;

/// One page. Two children whose pids meet in one slot at the same time cost a note, no more.
const SLOTS: usize = 512;

static NOTES: OnceLock<Option<&'static [AtomicU64; SLOTS]>> = OnceLock::new();

/// To be called before the first fork.
pub(super) fn prepare() {
    NOTES.get_or_init(share);
}

fn share() -> Option<&'static [AtomicU64; SLOTS]> {
    // SAFETY: a new mapping, which meets no other memory.
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
    #[expect(unsafe_code, reason = "a page seen as what it is for")]
    Some(unsafe { &*page.cast::<[AtomicU64; SLOTS]>() })
}

fn slot(pid: i32) -> Option<&'static AtomicU64> {
    let notes = NOTES.get().copied().flatten()?;
    notes.get(usize::try_from(pid).ok()? % SLOTS)
}

fn note(pid: i32, errno: i32) -> u64 {
    (u64::from(pid.cast_unsigned()) << 32) | u64::from(errno.cast_unsigned())
}

/// The child's side: it may neither allocate nor wait.
pub(super) fn leave(errno: Errno) {
    let pid = nix::unistd::getpid().as_raw();
    if super::is_shortage(&errno.into())
        && let Some(slot) = slot(pid)
    {
        slot.store(note(pid, errno as i32), Ordering::Release);
    }
}

/// What a child that was reaped has been short of, if that is why it did not become its program.
#[must_use]
pub fn take(pid: Pid) -> Option<io::Error> {
    let slot = slot(pid.0)?;
    let found = slot.load(Ordering::Acquire);
    let errno = i32::try_from(found & u64::from(u32::MAX)).ok()?;
    if errno == 0 || note(pid.0, errno) != found {
        return None;
    }
    slot.store(0, Ordering::Release);
    Some(io::Error::from_raw_os_error(errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_shortage_is_noted_and_it_is_taken_once() {
        prepare();
        let own = Pid(nix::unistd::getpid().as_raw());
        leave(Errno::ENOENT);
        assert!(take(own).is_none());
        leave(Errno::EAGAIN);
        assert!(take(Pid(own.0 + i32::try_from(SLOTS).unwrap())).is_none(), "another pid in the same slot");
        assert_eq!(take(own).unwrap().raw_os_error(), Some(libc::EAGAIN));
        assert!(take(own).is_none());
    }
}
