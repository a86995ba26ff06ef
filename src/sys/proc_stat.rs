//! /proc/PID/stat, which nothing else reads.

use std::fs::File;
use std::io::{self, Read};

use crate::model::Pid;

/// What is read of the file, whose line has at most about 1,000 bytes.
const STAT_BYTES_MAX: usize = 2048;

/// Clock ticks per second in /proc: the same on all architectures that Rust supports.
pub(super) const TICKS_PER_SEC: u64 = 100;

/// The properties of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProcStat {
    /// The name of its executable, cut after 15 bytes.
    pub(super) name: String,
    /// A letter, see proc_pid_stat(5).
    state: u8,
    pub(super) parent: Pid,
    pub(super) group: Pid,
    /// In user and kernel mode.
    pub(super) cpu_ticks: u64,
    /// When it was forked, since boot.
    pub(super) start_ticks: u64,
    pub(super) resident_pages: u64,
}

impl ProcStat {
    /// # Errors
    /// ENOENT or ESRCH if there is no such process; EINVAL if the line is not understood; without /proc ENOENT.
    pub(super) fn read(pid: Pid) -> io::Result<Self> {
        let mut buffer = [0; STAT_BYTES_MAX];
        let count = File::open(format!("/proc/{pid}/stat"))?.read(&mut buffer)?;
        Self::parse(buffer.get(..count).unwrap_or_default()).ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    /// The name is in parentheses and may contain anything, including parentheses and bytes that are not UTF-8.
    fn parse(stat: &[u8]) -> Option<Self> {
        let name_start = stat.iter().position(|byte| *byte == b'(')?;
        let name_end = stat.iter().rposition(|byte| *byte == b')')?;
        let name = String::from_utf8_lossy(stat.get(name_start + 1..name_end)?).into_owned();
        let mut fields = str::from_utf8(stat.get(name_end + 1..)?).ok()?.split_ascii_whitespace();
        // The numbers of fields in the manual page: the first one here is 3.
        let state = *fields.next()?.as_bytes().first()?;
        let (parent, group) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let mut number = |skipped| fields.nth(skipped)?.parse::<u64>().ok();
        let (user, kernel) = (number(14 - 6)?, number(0)?);
        let (start_ticks, resident_pages) = (number(22 - 16)?, number(24 - 23)?);
        Some(Self {
            name,
            state,
            parent: Pid(parent),
            group: Pid(group),
            cpu_ticks: user.saturating_add(kernel),
            start_ticks,
            resident_pages,
        })
    }

    /// Whether it has exited and was not reaped.
    pub(super) fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name_holds() {
        let stat = b"14 (a) \xff b) S 1 13 12 0 -1 4194560 9 9 9 9 150 25 7 8 20 0 1 0 250 9999 3 18446744073709551615";
        let expected = ProcStat {
            name: "a) \u{fffd} b".to_owned(),
            state: b'S',
            parent: Pid(1),
            group: Pid(13),
            cpu_ticks: 175,
            start_ticks: 250,
            resident_pages: 3,
        };
        assert_eq!(ProcStat::parse(stat), Some(expected.clone()));
        assert!(!expected.is_zombie());
        for cut in [&b""[..], b"14 (a", b"14 (a) S 1 14", &stat[..40], b")(", b"14 ()"] {
            assert_eq!(ProcStat::parse(cut), None);
        }
    }

    #[test]
    fn we_are_alive_and_a_child_is_a_zombie_until_it_is_reaped() {
        let own = Pid(super::super::process::own_pid());
        assert!(!ProcStat::read(own).unwrap().is_zombie());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = Pid(child.id().cast_signed());
        while !ProcStat::read(pid).unwrap().is_zombie() {
            std::thread::yield_now();
        }
        assert_eq!(ProcStat::read(pid).unwrap().parent, own);
        child.wait().unwrap();
        assert!(ProcStat::read(pid).is_err());
    }
}
