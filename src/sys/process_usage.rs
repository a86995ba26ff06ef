//! The CPU time and the memory of a process, from /proc.

use std::time::Duration;

use nix::libc;

use super::proc_stat::{ProcStat, TICKS_PER_SEC};
use super::process_tree::TreeMark;
use crate::model::{Pid, ProcessUsage};

/// What a process uses now; `None` if there is no such process, or no /proc.
#[must_use]
pub fn process_usage(pid: Pid) -> Option<ProcessUsage> {
    let stat = ProcStat::read(pid).ok()?;
    let cpu = Duration::from_millis(stat.cpu_ticks.saturating_mul(1000 / TICKS_PER_SEC));
    Some(ProcessUsage { cpu, resident_bytes: stat.resident_pages.saturating_mul(page_bytes()) })
}

/// The maximum number of processes of one program that are measured.
const MEASURED_MAX: usize = 1024;

/// The maximum number of their threads that are asked for children.
const THREADS_READ_MAX: usize = 4096;

/// The memory of a process and its descendants, which takes as many steps as there are processes. Descendants that we have
/// adopted are known by their mark.
///
/// What processes share by files and shared memory, as those that were forked from one do, counts once: the largest share.
#[derive(Debug)]
pub struct TreeMeasurement {
    found: Vec<Pid>,
    /// What we have adopted, whose mark has not been read yet.
    adopted: Vec<Pid>,
    mark: Option<TreeMark>,
    /// How many of them were asked for their children.
    asked: usize,
    threads_left: usize,
    own_pages: u64,
    shared_pages: u64,
}

impl TreeMeasurement {
    /// `None` if there is no such process, or no /proc.
    #[must_use]
    pub fn begin(root: Pid) -> Option<Self> {
        if super::groups::proc_obstacle().is_some() {
            return None;
        }
        let (own_pages, shared_pages) = resident_pages(root)?;
        Some(Self {
            found: vec![root],
            adopted: Vec::new(),
            mark: None,
            asked: 0,
            threads_left: THREADS_READ_MAX,
            own_pages,
            shared_pages,
        })
    }

    /// Also measures our children with this mark, except those that are known to be something else.
    #[must_use]
    pub fn with_adopted(self, mark: Option<TreeMark>, is_known: &dyn Fn(Pid) -> bool) -> Self {
        let children = || super::children::children().into_iter().filter(|pid| !is_known(*pid)).collect();
        Self { adopted: mark.map(|_| children()).unwrap_or_default(), mark, ..self }
    }

    /// Looks at one more process: for its mark, or for its children. The result in bytes, once there are no others.
    pub fn advance(&mut self) -> Option<u64> {
        if let Some(pid) = self.adopted.pop() {
            if self.mark.is_some_and(|mark| mark.is_of(pid)) {
                self.add(pid);
            }
            return None;
        }
        if let Some(pid) = self.found.get(self.asked).copied().filter(|_| self.found.len() < MEASURED_MAX) {
            self.asked += 1;
            for child in super::children::children_of(pid, &mut self.threads_left) {
                self.add(child);
            }
            return None;
        }
        Some((self.own_pages + self.shared_pages).saturating_mul(page_bytes()))
    }

    fn add(&mut self, child: Pid) {
        // One whose parent thread ends while we look may be listed twice.
        if self.found.len() < MEASURED_MAX && !self.found.contains(&child) {
            let (own, shared) = resident_pages(child).unwrap_or_default();
            self.own_pages += own;
            self.shared_pages = self.shared_pages.max(shared);
            self.found.push(child);
        }
    }
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

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::process::CommandExt;

    use super::*;

    fn tree_memory(root: Pid) -> Option<u64> {
        completed(TreeMeasurement::begin(root)?)
    }

    fn completed(mut measurement: TreeMeasurement) -> Option<u64> {
        std::iter::from_fn(|| Some(measurement.advance())).find_map(|bytes| bytes)
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
        let root_bytes = || {
            let (alone, shared) = resident_pages(root).unwrap();
            (alone + shared) * page_bytes()
        };
        let tree = tree_memory(root).unwrap();
        assert!(tree > root_bytes(), "{tree}");
        // The shell may still be on its way to `wait`, and take more in between.
        let is_root_alone =
            |measure: &dyn Fn() -> Option<u64>| (0..1000).any(|_| measure() == Some(root_bytes()));
        // Beyond the bounds no thread is asked for children, and no process measured.
        let begun = || TreeMeasurement::begin(root).unwrap();
        assert!(is_root_alone(&|| completed(TreeMeasurement { threads_left: 0, ..begun() })));
        assert!(is_root_alone(&|| {
            completed(TreeMeasurement { found: vec![root; MEASURED_MAX], ..begun() })
        }));
        let mut almost_full = TreeMeasurement { found: vec![root; MEASURED_MAX - 1], ..begun() };
        while almost_full.advance().is_none() {}
        assert_eq!((almost_full.found.len(), almost_full.asked), (MEASURED_MAX, 1));
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
