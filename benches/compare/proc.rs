//! Process information from /proc, and the end of all processes that this run started.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// The memory of one or more processes, in KiB.
#[derive(Clone, Copy, Default)]
pub(crate) struct Memory {
    pub(crate) pss: f64,
    pub(crate) private_dirty: f64,
}

/// The sum over these processes; /proc/PID/smaps_rollup, proc_pid_smaps(5).
pub(crate) fn memory(pids: &[u32]) -> Memory {
    let mut sum = Memory::default();
    for pid in pids {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        sum.pss += field(&rollup, "Pss:");
        sum.private_dirty += field(&rollup, "Private_Dirty:");
    }
    sum
}

/// The context switches of these processes.
pub(crate) fn context_switches(pids: &[u32]) -> f64 {
    let of = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        field(&status, "voluntary_ctxt_switches:") + field(&status, "nonvoluntary_ctxt_switches:")
    };
    pids.iter().map(of).sum()
}

/// The processor time these processes took, as the scheduler counts it: to the nanosecond, not to the tick.
pub(crate) fn cpu_seconds(pids: &[u32]) -> f64 {
    let of = |pid: &u32| -> Option<f64> {
        let schedstat = fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
        Some(schedstat.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
    };
    pids.iter().filter_map(of).sum()
}

fn field(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0.0)
}

/// The basic facts about a process.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) name: String,
    pub(crate) zombie: bool,
    parent: u32,
}

/// This process and all below it.
pub(crate) fn family(root: u32) -> Vec<Process> {
    let mut children: HashMap<u32, Vec<Process>> = HashMap::new();
    let mut family = Vec::new();
    for process in processes() {
        if process.pid == root {
            family.push(process);
        } else {
            children.entry(process.parent).or_default().push(process);
        }
    }
    let mut next = 0;
    while let Some(pid) = family.get(next).map(|process: &Process| process.pid) {
        family.extend(children.remove(&pid).unwrap_or_default());
        next += 1;
    }
    family
}

fn processes() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| process(entry.ok()?.file_name().to_str()?.parse().ok()?))
}

/// One process; `None` when there is none with this id.
pub(crate) fn process(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything, parentheses too: proc_pid_stat(5).
    let (head, tail) = stat.rsplit_once(')')?;
    let mut fields = tail.split_whitespace();
    Some(Process {
        pid,
        name: head.split_once('(')?.1.to_owned(),
        zombie: fields.next()? == "Z",
        parent: fields.next()?.parse().ok()?,
    })
}

/// The direct children in the order in which the kernel keeps them, zombies included: proc_tid_children(5).
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Whether there is such a process, a zombie too.
pub(crate) fn exists(pid: u32) -> bool {
    raw(pid).is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

/// Sends a signal; a process that is gone is not an error.
pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = raw(pid) {
        _ = kill_process(pid, signal);
    }
}

/// The id in the type of the system calls.
pub(crate) fn raw(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Kills and reaps all that is below this process, until there is nothing left.
pub(crate) fn kill_descendants() {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        let below: Vec<Process> = family(std::process::id()).into_iter().skip(1).collect();
        if below.is_empty() {
            return;
        }
        for process in below.iter().filter(|process| !process.zombie) {
            signal(process.pid, Signal::KILL);
        }
        // Our children, started or adopted: this process is a subreaper.
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        thread::sleep(Duration::from_millis(2));
    }
}

/// Makes Ctrl-C and similar signals end the run without leaving anything behind.
pub(crate) fn clean_up_on_interrupt(dir: PathBuf) {
    if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) {
        thread::spawn(move || {
            if signals.forever().next().is_some() {
                kill_descendants();
                _ = fs::remove_dir_all(dir);
                std::process::exit(130);
            }
        });
    }
}
