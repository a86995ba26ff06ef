//! Polling descriptors: level-triggered epoll.

use std::io;
#[cfg(target_arch = "x86_64")]
use std::os::fd::AsRawFd;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

#[cfg(target_arch = "x86_64")]
use nix::libc;
use rustix::event::epoll;
use rustix::event::{Timespec, epoll::EventFlags};
use rustix::io::Errno;

/// The maximum number of events per wait; the rest is reported by the next wait.
const EVENTS_PER_WAIT_MAX: usize = 256;

/// The events that a source is watched for. Errors and hang-ups are always reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain words")]
pub struct Interest {
    pub read: bool,
    pub write: bool,
}

/// A source that is ready.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// As registered.
    pub token: u64,
    /// Reading gives bytes, an end or an error.
    pub readable: bool,
    /// Writing takes bytes or gives an error.
    pub writable: bool,
}

/// An epoll instance.
pub struct Poller {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Poller {
    /// # Errors
    /// The error of epoll_create1(2).
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, events: Vec::with_capacity(EVENTS_PER_WAIT_MAX) })
    }

    /// Watches a descriptor under a token.
    ///
    /// # Errors
    /// The error of epoll_ctl(2); EPERM for a regular file, which is always ready.
    pub fn add(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, epoll::EventData::new_u64(token), flags(interest))?)
    }

    /// Changes what a descriptor is watched for.
    ///
    /// # Errors
    /// The error of epoll_ctl(2).
    pub fn modify(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, epoll::EventData::new_u64(token), flags(interest))?)
    }

    /// Stops watching. Closing a descriptor does so too, unless a child still has a copy of it.
    pub fn remove(&self, fd: BorrowedFd<'_>) {
        // It can only fail if the descriptor was not watched.
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// Sleeps until a source is ready or the timeout has passed; forever without one. The timeout is rounded
    /// up, so that a deadline has passed when it wakes.
    ///
    /// # Errors
    /// The error of epoll_wait(2), except for interruptions.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<impl Iterator<Item = Ready>> {
        self.events.clear();
        // Milliseconds, since older kernels and sandboxes lack epoll_pwait2(2).
        let timeout = timeout.map(|timeout| {
            let millis = timeout.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128);
            let millis = u64::try_from(millis).unwrap_or(u64::MAX);
            Timespec {
                tv_sec: (millis / 1000).cast_signed(),
                tv_nsec: ((millis % 1000) * 1_000_000).cast_signed(),
            }
        });
        let waited = match epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut self.events),
            timeout.as_ref(),
        ) {
            Err(Errno::PERM | Errno::NOSYS | Errno::ACCESS) => {
                wait_by_old_call(&self.epoll, &mut self.events, timeout.as_ref())
            }
            waited => waited.map(drop),
        };
        match waited {
            Ok(()) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.events.iter().map(|event| {
            // Packed on x86-64: fields are copied before use.
            let (flags, data) = (event.flags, event.data);
            let broken = flags.intersects(EventFlags::ERR | EventFlags::HUP);
            Ready {
                token: data.u64(),
                readable: broken || flags.intersects(EventFlags::IN | EventFlags::RDHUP),
                writable: broken || flags.contains(EventFlags::OUT),
            }
        }))
    }
}

/// Uses epoll_wait(2), for a sandbox without epoll_pwait(2).
#[cfg(target_arch = "x86_64")]
fn wait_by_old_call(
    epoll: &OwnedFd,
    events: &mut Vec<epoll::Event>,
    timeout: Option<&Timespec>,
) -> Result<(), Errno> {
    let millis = timeout.map_or(-1, |timeout| {
        timeout.tv_sec.saturating_mul(1000).saturating_add(timeout.tv_nsec / 1_000_000)
    });
    let millis = i32::try_from(millis).unwrap_or(i32::MAX);
    events.reserve(EVENTS_PER_WAIT_MAX);
    // SAFETY: the kernel writes no more events than there is room for, and events of rustix are laid out as the
    // kernel's; as many as it reports are initialised.
    #[expect(unsafe_code, reason = "rustix has no epoll_wait")]
    unsafe {
        let count = libc::syscall(
            libc::SYS_epoll_wait,
            epoll.as_raw_fd(),
            events.as_mut_ptr(),
            EVENTS_PER_WAIT_MAX,
            millis,
        );
        match usize::try_from(count) {
            Ok(count) => events.set_len(count),
            Err(_) => {
                return Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL));
            }
        }
    }
    Ok(())
}

/// These architectures never had epoll_wait(2).
#[cfg(not(target_arch = "x86_64"))]
fn wait_by_old_call(_: &OwnedFd, _: &mut Vec<epoll::Event>, _: Option<&Timespec>) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

fn flags(interest: Interest) -> EventFlags {
    let mut flags = EventFlags::empty();
    flags.set(EventFlags::IN | EventFlags::RDHUP, interest.read);
    flags.set(EventFlags::OUT, interest.write);
    flags
}
