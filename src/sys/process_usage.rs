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

/// The maximum number of processes of one program that are measured.
const MEASURED_MAX: usize = 1024;

/// The maximum number of their threads that are asked for children.
const THREADS_READ_MAX: usize = 4096;

/// The memory of a process and its descendants, in bytes; `None` if there is no such process, or no /proc.
///
/// What processes share by files and shared memory, as those that were forked from one do, counts once: the largest share.
#[must_use]
pub fn tree_memory(root: Pid) -> Option<u64> {
    let (mut own, mut shared) = resident_pages(root)?;
    let mut found = vec![root];
    let (mut next, mut threads_left) = (0, THREADS_READ_MAX);
    while let Some(pid) = found.get(next).copied().filter(|_| found.len() < MEASURED_MAX) {
        next += 1;
        for child in super::children::children_of(pid, &mut threads_left) {
            // One whose parent thread ends while we look may be listed twice.
            if found.len() < MEASURED_MAX && !found.contains(&child) {
                let (child_own, child_shared) = resident_pages(child).unwrap_or_default();
                own += child_own;
                shared = shared.max(child_shared);
                found.push(child);
            }
        }
    }
    Some((own + shared).saturating_mul(page_bytes()))
}

/// Those of the process alone, and those of files and shared memory. See proc_pid_statm(5).
fn resident_pages(pid: Pid) -> Option<(u64, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let mut fields = text.split_ascii_whitespace().skip(1).map(|field| field.parse::<u64>().ok());
    let (resident, shared) = (fields.next()??, fields.next()??);
    Some((resident.saturating_sub(shared), shared))
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
    use std::os::unix::process::CommandExt;

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
    fn descendants_count_with_their_own_memory() {
        let own = Pid(crate::sys::process::own_pid());
        let script = "sh -c 'echo; exec sleep 1000' & wait";
        let mut child = std::process::Command::new("sh")
            .args(["-c", script])
            .process_group(0)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // The grandchild is there once it has written.
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let root = Pid(child.id().cast_signed());
        let (alone, shared) = resident_pages(root).unwrap();
        let tree = tree_memory(root).unwrap();
        assert!(tree > (alone + shared) * page_bytes(), "{tree}");
        crate::sys::process::send_signal(root, crate::model::Signal::KILL, true).unwrap();
        child.wait().unwrap();
        assert_eq!(tree_memory(root), None);
        assert!(tree_memory(own).is_some());
    }

    #[test]
    fn our_own_usage_is_plausible() {
        let own = process_usage(Pid(crate::sys::process::own_pid())).unwrap();
        assert!(own.resident_bytes > 0, "{own:?}");
        assert_eq!(process_usage(Pid(i32::MAX)), None);
    }
}
