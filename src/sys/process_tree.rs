//! Everything that a program has started and that still lives, without a cgroup.
//!
//! A process that leaves its parent, its process group and its session is adopted by us, as we are PID 1 or a subreaper. Whose
//! it was is known by a mark: a value of RLIMIT_LOCKS that is random and that a program gets before exec. The kernel hands
//! limits on to every descendant, whatever it executes and whichever user it becomes, nobody can raise a hard limit back
//! without CAP_SYS_RESOURCE, everybody may read it in /proc, and this one has had no other effect since Linux 2.6. An
//! environment could be replaced, and is not readable for a PID 1 without CAP_SYS_PTRACE.
//!
//! A process that is not our child may be reaped at any time, and its number be used again. So a signal is sent by a
//! handle of the kernel, after the process behind the handle was compared with the one that was found. Without such
//! handles only our children get signals: the others become our children when their parents are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;

use nix::errno::Errno;
use rustix::process::{Resource, getrlimit, setrlimit};

use super::children::is_child;
use super::groups::{ProcessFd, all_pids, group_of};
use super::proc_stat::ProcStat;
use super::process::{own_pid, send_signal};
use crate::model::{Pid, ResourceBounds, Signal};

/// How often we look again for what was forked while we were killing. What is left is found later.
pub const ROUNDS_MAX: usize = 8;

/// Marks are above it, and no real limit is.
const MARK_MIN: u64 = 1 << 32;

/// What marks a program and all its descendants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeMark(u64);

impl TreeMark {
    /// A mark that nothing else has. `None` if our own limit leaves no room for one, or if this limit can't be set: a
    /// sandbox such as gVisor answers EPERM.
    #[must_use]
    pub fn new() -> Option<Self> {
        // A nested supervisor has a mark, too, which limits ours.
        let ours = getrlimit(Resource::Locks);
        let most = ours.maximum.unwrap_or(1 << 62).min(1 << 62);
        setrlimit(Resource::Locks, ours).ok()?;
        let random = RandomState::new().hash_one(0);
        let room = most.checked_sub(MARK_MIN).filter(|room| *room > MARK_MIN)?;
        Some(Self(MARK_MIN + random % room))
    }

    /// The limit of the program.
    #[must_use]
    pub fn bounds(self) -> ResourceBounds {
        ResourceBounds { soft: Some(self.0), hard: Some(self.0) }
    }

    /// The hard limit may have been lowered, or the soft one.
    fn is_on(self, pid: Pid) -> bool {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
        let line = limits.lines().find_map(|line| line.strip_prefix("Max file locks"));
        line.is_some_and(|line| line.split_ascii_whitespace().take(2).any(|it| it.parse() == Ok(self.0)))
    }
}

/// All processes at one moment.
#[derive(Debug)]
pub struct ProcessTable {
    processes: BTreeMap<Pid, ProcStat>,
    children: BTreeMap<Pid, Vec<Pid>>,
}

/// How the tree of a program is found.
#[derive(Clone, Copy, Debug)]
pub struct TreeRoots<'r> {
    /// Processes of the program that are not reaped yet. They are not part of the result.
    pub own: &'r [Pid],
    /// The mark that the program was started with.
    pub mark: Option<TreeMark>,
}

impl ProcessTable {
    /// `None` without /proc, if it shows another pid namespace, or with too many processes.
    #[must_use]
    pub fn read() -> Option<Self> {
        let (mut processes, mut children) = (BTreeMap::new(), BTreeMap::<Pid, Vec<Pid>>::new());
        for pid in all_pids()? {
            if let Ok(stat) = ProcStat::read(pid) {
                children.entry(stat.parent).or_default().push(pid);
                processes.insert(pid, stat);
            }
        }
        Some(Self { processes, children })
    }

    /// The live processes of a tree. `is_known` are our children that belong to something else.
    #[must_use]
    pub fn tree(&self, roots: TreeRoots<'_>, is_known: &dyn Fn(Pid) -> bool) -> Vec<Pid> {
        let us = Pid(own_pid());
        let adopted = self.children.get(&us).into_iter().flatten().copied();
        let marked = adopted.filter(|pid| !is_known(*pid) && roots.mark.is_some_and(|mark| mark.is_on(*pid)));
        let mut found: Vec<Pid> =
            roots.own.iter().copied().filter(|pid| self.processes.contains_key(pid)).collect();
        found.extend(marked);
        let mut seen: BTreeSet<Pid> = found.iter().copied().chain([us]).collect();
        let mut next = 0;
        while let Some(pid) = found.get(next) {
            next += 1;
            let children = self.children.get(pid).into_iter().flatten().copied();
            found.extend(children.filter(|child| seen.insert(*child)).collect::<Vec<_>>());
        }
        let is_alive = |pid: &Pid| self.processes.get(pid).is_some_and(|stat| !stat.is_zombie());
        found.into_iter().filter(|pid| !roots.own.contains(pid) && is_alive(pid)).collect()
    }

    /// The process group of a process.
    #[must_use]
    pub fn group(&self, pid: Pid) -> Option<Pid> {
        self.processes.get(&pid).map(|stat| stat.group)
    }

    /// Sends a signal to a process of this table, unless its number is another's by now.
    ///
    /// # Errors
    /// ESRCH, EPERM.
    pub fn signal(&self, pid: Pid, signal: Signal) -> io::Result<()> {
        let before = self.processes.get(&pid).ok_or(Errno::ESRCH)?;
        let handle = ProcessFd::open(pid);
        let now = ProcStat::read(pid)?;
        // A parent that has ended meanwhile makes the process our child.
        let has_its_parent = now.parent == before.parent || now.parent == Pid(own_pid());
        if now.start_ticks != before.start_ticks || !has_its_parent {
            return Err(Errno::ESRCH.into());
        }
        signal_one(pid, handle.as_ref(), signal)
    }
}

/// Kills the tree of a program, and what it forks meanwhile. False if processes can't be found, see
/// [`ProcessTable::read`].
pub fn kill_tree(roots: TreeRoots<'_>, is_known: &dyn Fn(Pid) -> bool) -> bool {
    let mut killed = BTreeSet::new();
    for _ in 0..ROUNDS_MAX {
        let Some(table) = ProcessTable::read() else { return false };
        let found = table.tree(roots, is_known);
        if found.iter().all(|pid| killed.contains(pid)) {
            return true;
        }
        for pid in found {
            if table.signal(pid, Signal::KILL).is_ok() {
                killed.insert(pid);
            }
        }
    }
    true
}

/// Sends a signal to those of these processes that `look_again` still lists, which is called once their handles are open.
/// Those in the process group `except` get none, nor do others than our children where the kernel has no handles.
pub fn signal_all(pids: &[Pid], signal: Signal, except: Option<Pid>, look_again: impl FnOnce() -> Vec<Pid>) {
    let handles: Vec<_> = pids.iter().map(|pid| (*pid, ProcessFd::open(*pid))).collect();
    let still: BTreeSet<Pid> = look_again().into_iter().collect();
    for (pid, handle) in handles {
        if still.contains(&pid) && except.is_none_or(|group| group_of(pid) != Ok(group)) {
            let _ = signal_one(pid, handle.as_ref(), signal);
        }
    }
}

/// Nobody but us can reap our children, so their numbers are no one else's.
fn signal_one(pid: Pid, handle: Option<&ProcessFd>, signal: Signal) -> io::Result<()> {
    match handle {
        Some(handle) => handle.signal(signal),
        None if is_child(pid) => send_signal(pid, signal, false),
        None => Err(Errno::ESRCH.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn marks_differ_and_leave_room_for_a_nested_supervisor() {
        let (one, other) = (TreeMark::new().unwrap(), TreeMark::new().unwrap());
        assert_ne!(one, other);
        assert!(one.0 > MARK_MIN && !one.is_on(Pid(own_pid())));
    }

    #[test]
    fn a_tree_is_found_below_its_root_and_a_number_of_another_is_not_signalled() {
        let script = "setsid sleep 1000 & echo $!; exec sleep 1000";
        let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let root = Pid(child.id().cast_signed());
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let below = Pid(line.trim().parse().unwrap());
        let mut table = ProcessTable::read().unwrap();
        let roots = TreeRoots { own: &[root], mark: None };
        assert_eq!(table.tree(roots, &|_| false), [below]);
        table.processes.get_mut(&below).unwrap().start_ticks += 1;
        assert_eq!(table.signal(below, Signal::KILL).unwrap_err().raw_os_error(), Some(Errno::ESRCH as i32));
        // Without a handle only a child is safe to signal.
        assert_eq!(signal_one(below, None, Signal(0)).unwrap_err().raw_os_error(), Some(Errno::ESRCH as i32));
        signal_one(root, None, Signal(0)).unwrap();
        assert!(kill_tree(roots, &|_| false));
        while ProcStat::read(below).is_ok_and(|stat| !stat.is_zombie()) {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
