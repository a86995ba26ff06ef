//! The CPU time and the memory of a process, from /proc.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use nix::libc;

use super::children::TICKS_PER_SEC;
use crate::model::{Pid, ProcessUsage};

/// What is read of a stat file, whose line has at most about 1,000 bytes.
const STAT_BYTES_MAX: usize = 2048;

/// What a process uses now; `None` if there is no such process, or no /proc.
#[must_use]
pub fn process_usage(pid: Pid) -> Option<ProcessUsage> {
    let mut buffer = [0; STAT_BYTES_MAX];
    let count = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut buffer).ok()?;
    usage_in(buffer.get(..count)?, page_bytes())
}

fn page_bytes() -> u64 {
    // SAFETY: sysconf(3) takes a number and touches no memory of ours.
    #[expect(unsafe_code, reason = "rustix and nix have it behind features that nothing else needs")]
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(0)
}

/// See proc_pid_stat(5). The name is in parentheses and may contain anything, including bytes that are not UTF-8.
fn usage_in(stat: &[u8], page_bytes: u64) -> Option<ProcessUsage> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = str::from_utf8(stat.get(name_end + 1..)?).ok()?.split_ascii_whitespace();
    let mut number = |skipped| fields.nth(skipped)?.parse::<u64>().ok();
    // Fields 14, 15 and 24; the first one here is field 3.
    let (user, kernel, pages) = (number(11)?, number(0)?, number(8)?);
    let cpu = Duration::from_millis(user.saturating_add(kernel).saturating_mul(1000 / TICKS_PER_SEC));
    Some(ProcessUsage { cpu, resident_bytes: pages.saturating_mul(page_bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_whatever_the_name_holds() {
        let stat = b"14 (a) \xff b) S 1 14 14 0 -1 4194560 9 9 9 9 150 25 7 8 20 0 1 0 250 9999 3 18446744073709551615";
        let expected = ProcessUsage { cpu: Duration::from_millis(1750), resident_bytes: 3 * 4096 };
        assert_eq!(usage_in(stat, 4096), Some(expected));
        for cut in [&b""[..], b"14 (a", b"14 (a) S 1 14", &stat[..40]] {
            assert_eq!(usage_in(cut, 4096), None);
        }
    }

    #[test]
    fn our_own_usage_is_plausible() {
        let own = process_usage(Pid(crate::sys::process::own_pid())).unwrap();
        assert!(own.resident_bytes > 0, "{own:?}");
        assert_eq!(process_usage(Pid(i32::MAX)), None);
    }
}
