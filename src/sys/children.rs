//! Our children in /proc, including adopted ones.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::proc_stat::{ProcStat, TICKS_PER_SEC};
use crate::model::Pid;

/// The maximum number of children that are examined; there may be more.
pub const CHILDREN_MAX: usize = 1024;

/// The maximum size of an environment that is read.
pub const ENVIRON_BYTES_MAX: u64 = 128 * 1024;

/// A process that is not a zombie.
#[derive(Debug)]
pub struct FoundChild {
    /// Its process group.
    pub group: Pid,
    /// How long ago it was forked, at most a tick more than that.
    pub age: Duration,
    /// The name of its executable, cut after 15 bytes.
    pub name: String,
}

/// Our children, including dead ones that were not reaped yet. Empty if the kernel does not provide the list.
#[must_use]
pub fn children() -> Vec<Pid> {
    let path = format!("/proc/self/task/{}/children", super::process::own_pid());
    let mut text = String::new();
    // A pid and a blank are at most eight bytes.
    let bytes_max = CHILDREN_MAX as u64 * 8;
    if File::open(path).and_then(|file| file.take(bytes_max).read_to_string(&mut text)).is_err() {
        return Vec::new();
    }
    text.split_whitespace().filter_map(|pid| pid.parse().ok().map(Pid)).take(CHILDREN_MAX).collect()
}

/// The children of any process, of as many of its threads as are left to read, which it counts down. Empty if the kernel
/// does not provide the list.
pub(super) fn children_of(pid: Pid, threads_left: &mut usize) -> Vec<Pid> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let threads = threads.take(*threads_left);
    let of_thread = |thread: fs::DirEntry| {
        *threads_left -= 1;
        let text = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        text.split_whitespace().filter_map(|pid| pid.parse().ok().map(Pid)).collect::<Vec<_>>()
    };
    threads.flat_map(of_thread).take(CHILDREN_MAX).collect()
}

/// The properties of a live process.
#[must_use]
pub fn look_at(pid: Pid) -> Option<FoundChild> {
    let stat = ProcStat::read(pid).ok().filter(|stat| !stat.is_zombie())?;
    let began = Duration::from_millis(stat.start_ticks.saturating_mul(1000 / TICKS_PER_SEC));
    Some(FoundChild { group: stat.group, age: since_boot().saturating_sub(began), name: stat.name })
}

/// The maximum number of generations between a process and an ancestor.
const GENERATIONS_MAX: usize = 32;

/// Whether a process is alive and is `ancestor`, or descends from it by live parents.
#[must_use]
pub fn is_descendant(pid: Pid, ancestor: Pid) -> bool {
    let lineage = std::iter::successors(Some(pid), |pid| parent(*pid));
    lineage.take(GENERATIONS_MAX).any(|pid| pid == ancestor)
}

/// Whether a process is a child of ours, dead or alive.
#[must_use]
pub fn is_child(pid: Pid) -> bool {
    parent(pid) == Some(Pid(super::process::own_pid()))
}

/// Whether a process has no parent in our pid namespace, as after `docker exec`. The kernel's own threads do not count.
#[must_use]
pub fn entered_namespace(pid: Pid) -> bool {
    const KTHREADD: Pid = Pid(2);
    pid != KTHREADD && parent(pid) == Some(Pid(0))
}

fn parent(pid: Pid) -> Option<Pid> {
    ProcStat::read(pid).ok().map(|stat| stat.parent)
}

fn since_boot() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

/// The values of these variables when a process was executed; `None` if access is denied, or if the process
/// has overwritten them with its title.
#[must_use]
pub fn variables<const N: usize>(pid: Pid, names: [&str; N]) -> Option<[String; N]> {
    let mut environment = Vec::new();
    let file = File::open(Path::new("/proc").join(pid.to_string()).join("environ")).ok()?;
    file.take(ENVIRON_BYTES_MAX).read_to_end(&mut environment).ok()?;
    let value = |name: &str| {
        let entries = environment.split(|byte| *byte == 0);
        let mut values = entries.filter_map(|it| it.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        Some(String::from_utf8_lossy(values.next()?).into_owned())
    };
    let values = names.map(value);
    values.iter().all(Option::is_some).then(|| values.map(Option::unwrap_or_default))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descendants_are_known_by_their_parents() {
        let own = Pid(super::super::process::own_pid());
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = Pid(child.id().cast_signed());
        assert!(is_descendant(own, own) && is_descendant(pid, own) && is_descendant(pid, Pid(1)));
        assert!(!is_descendant(own, pid) && !is_descendant(Pid(1), own));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_descendant(pid, own), "it is gone");
    }

    #[test]
    fn we_are_found_with_our_environment() {
        let own = Pid(super::super::process::own_pid());
        assert!(look_at(own).is_some());
        let [path] = variables(own, ["PATH"]).unwrap();
        assert_eq!(path, std::env::var("PATH").unwrap());
        assert_eq!(variables(own, ["PATH", "NO_SUCH_VARIABLE_HERE"]), None);
    }
}
