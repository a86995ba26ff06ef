//! Everything that a program has started and that still lives, without a cgroup.
//!
//! A process that leaves its parent, its process group and its session is adopted by us, as we are PID 1 or a subreaper. Which program it
//! belongs to is known by a mark: a value of RLIMIT_LOCKS that is random and that a program gets before exec. The kernel hands
//! limits on to every descendant, whatever it executes and whichever user it becomes; a hard limit can be raised again only
//! with CAP_SYS_RESOURCE; every process may read it in /proc; and this one has had no other effect since Linux 2.6. An
//! environment could be replaced, and is not readable for a PID 1 without CAP_SYS_PTRACE.
//!
//! A process that is not our child may be reaped at any time, and its number be used again. So a signal is sent by a
//! handle of the kernel, after the process that the handle stands for was compared with the one that was found. Without such
//! handles only our children get signals: the others become our children when their parents are gone.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
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

const MARK_MAX: u64 = 1 << 62;

/// What marks a program and all its descendants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeMark {
    value: u64,
    /// The hard limit: the mark of the supervisor itself if it is nested, so that the program that has started it
    /// still finds what it leaves behind.
    hard: u64,
}

impl TreeMark {
    /// A mark that nothing else has. `None` if our own limit leaves no room for one, or if this limit can't be set: a
    /// sandbox such as gVisor answers EPERM.
    #[must_use]
    pub fn new() -> Option<Self> {
        let ours = getrlimit(Resource::Locks);
        setrlimit(Resource::Locks, ours).ok()?;
        let most = ours.maximum.unwrap_or(MARK_MAX).min(MARK_MAX);
        let random = RandomState::new().hash_one(0);
        let room = most.checked_sub(MARK_MIN).filter(|room| *room > MARK_MIN)?;
        let value = MARK_MIN + random % room;
        Some(Self { value, hard: ours.maximum.unwrap_or(value) })
    }

    /// Whether this process descends from the program.
    pub(super) fn is_of(self, pid: Pid) -> bool {
        marks_of(pid).contains(&Some(self.value))
    }

    /// The limit of the program.
    #[must_use]
    pub fn bounds(self) -> ResourceBounds {
        ResourceBounds { soft: Some(self.value), hard: Some(self.hard) }
    }
}

/// RLIMIT_LOCKS of a process, soft and hard. Either may be a mark.
fn marks_of(pid: Pid) -> [Option<u64>; 2] {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max file locks")).unwrap_or_default();
    let mut values = line.split_ascii_whitespace().map(|value| value.parse().ok());
    [values.next().flatten(), values.next().flatten()]
}

/// All processes at one moment.
#[derive(Debug)]
pub struct ProcessTable {
    processes: HashMap<Pid, ProcStat>,
    children: HashMap<Pid, Vec<Pid>>,
    /// The limits of our children that belong to nothing that we know, read when they are needed.
    adopted: OnceCell<Vec<(Pid, [Option<u64>; 2])>>,
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
        let (mut processes, mut children) = (HashMap::new(), HashMap::<Pid, Vec<Pid>>::new());
        for pid in all_pids()? {
            if let Ok(stat) = ProcStat::read(pid) {
                children.entry(stat.parent).or_default().push(pid);
                processes.insert(pid, stat);
            }
        }
        Some(Self { processes, children, adopted: OnceCell::new() })
    }

    /// The live processes of a tree. `is_known` are our children that belong to something else, the same for all trees.
    #[must_use]
    pub fn tree(&self, roots: TreeRoots<'_>, is_known: &dyn Fn(Pid) -> bool) -> Vec<Pid> {
        let us = Pid(own_pid());
        let adopted = self.adopted.get_or_init(|| {
            let children = self.children.get(&us).into_iter().flatten().copied();
            children.filter(|pid| !is_known(*pid)).map(|pid| (pid, marks_of(pid))).collect()
        });
        let mark = roots.mark.map(|mark| mark.value);
        let is_marked = |marks: &[Option<u64>; 2]| mark.is_some() && marks.contains(&mark);
        let marked = adopted.iter().filter(|(_, marks)| is_marked(marks)).map(|(pid, _)| *pid);
        let mut found: Vec<Pid> =
            roots.own.iter().copied().filter(|pid| self.processes.contains_key(pid)).collect();
        found.extend(marked);
        let mut seen: HashSet<Pid> = found.iter().copied().chain([us]).collect();
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

/// A signal to the tree of a program.
#[derive(Clone, Debug)]
pub struct TreeSignal {
    /// As [`TreeRoots::own`]. They get no signal.
    pub own: Vec<Pid>,
    /// As [`TreeRoots::mark`].
    pub mark: Option<TreeMark>,
    /// SIGKILL also reaches what is forked meanwhile.
    pub signal: Signal,
    /// The members of this process group get no signal.
    pub except: Option<Pid>,
}

/// Sends signals to the trees of programs, with one look at all processes for all of them, and more of them for SIGKILL.
/// False if processes can't be found, see [`ProcessTable::read`].
pub fn signal_trees(mut signals: Vec<&TreeSignal>, is_known: &dyn Fn(Pid) -> bool) -> bool {
    let mut signalled = HashSet::new();
    for _ in 0..ROUNDS_MAX {
        let Some(table) = ProcessTable::read() else { return false };
        signals.retain(|it| {
            let roots = TreeRoots { own: &it.own, mark: it.mark };
            let mut is_new = false;
            for pid in table.tree(roots, is_known) {
                let is_excepted = it.except.is_some_and(|group| table.group(pid) == Some(group));
                if !is_excepted
                    && !signalled.contains(&(pid, it.signal))
                    && table.signal(pid, it.signal).is_ok()
                {
                    is_new |= signalled.insert((pid, it.signal));
                }
            }
            it.signal == Signal::KILL && is_new
        });
        if signals.is_empty() {
            break;
        }
    }
    true
}

/// Sends a signal to those of these processes that `look_again` still lists, which is called once their handles are open.
/// Those in the process group `except` get none, nor do others than our children where the kernel has no handles.
pub fn signal_all(pids: &[Pid], signal: Signal, except: Option<Pid>, look_again: impl FnOnce() -> Vec<Pid>) {
    let handles: Vec<_> = pids.iter().map(|pid| (*pid, ProcessFd::open(*pid))).collect();
    let still: HashSet<Pid> = look_again().into_iter().collect();
    for (pid, handle) in handles {
        if still.contains(&pid) && except.is_none_or(|group| group_of(pid) != Ok(group)) {
            let _ = signal_one(pid, handle.as_ref(), signal);
        }
    }
}

/// Only we can reap our children, so their numbers are not reused until then.
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
        assert!(one.value > MARK_MIN && !marks_of(Pid(own_pid())).contains(&Some(one.value)));
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
        let kill = TreeSignal { own: vec![root], mark: None, signal: Signal::KILL, except: None };
        assert!(signal_trees(vec![&kill], &|_| false));
        while ProcStat::read(below).is_ok_and(|stat| !stat.is_zombie()) {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
