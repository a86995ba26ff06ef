//! The CPU time and memory of processes, for all clients that ask.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::api::{MeasuredProcess, resources};
use crate::http::Response;
use crate::model::{Mono, Pid, ProcessUsage, Wall};
use crate::sys::process_usage::process_usage;

/// How long a value is used before it is read again.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// Processes that are read at a time: about half a millisecond.
pub(super) const PROCESSES_READ_AT_ONCE: usize = 32;

/// A response with the resources of processes, which are being read.
#[derive(Debug)]
pub(super) struct ResourcesReply {
    processes: Vec<MeasuredProcess>,
    /// How many of them were read.
    read: usize,
    now: Wall,
}

impl ResourcesReply {
    pub(super) fn new(processes: Vec<MeasuredProcess>, now: Wall) -> Self {
        Self { processes, read: 0, now }
    }

    /// Reads some processes. True after the last one.
    pub(super) fn read_slice(&mut self, usage: &mut UsageCache, now: Mono) -> bool {
        for process in self.processes.iter_mut().skip(self.read).take(PROCESSES_READ_AT_ONCE) {
            process.usage = usage.usage(process.pid, now);
            self.read += 1;
        }
        self.read >= self.processes.len()
    }

    /// The approximate memory that it uses.
    pub(super) fn held_bytes(&self) -> usize {
        self.processes.capacity() * size_of::<MeasuredProcess>()
    }

    pub(super) fn finish(&self) -> Response {
        resources(&self.processes, self.now)
    }
}

/// What was read in the last second: each process is read at most once in this time, however many clients ask.
#[derive(Debug, Default)]
pub(super) struct UsageCache {
    by_pid: BTreeMap<Pid, (Mono, Option<ProcessUsage>)>,
}

impl UsageCache {
    /// What a process uses; `None` if that cannot be read.
    pub(super) fn usage(&mut self, pid: Pid, now: Mono) -> Option<ProcessUsage> {
        let (at, usage) = self.by_pid.entry(pid).or_insert_with(|| (now, process_usage(pid)));
        if now.since(*at) >= FRESH_FOR {
            (*at, *usage) = (now, process_usage(pid));
        }
        *usage
    }

    /// Forgets processes that nobody has asked for in the last second. To be called before all are read.
    pub(super) fn forget_stale(&mut self, now: Mono) {
        self.by_pid.retain(|_, (at, _)| now.since(*at) < FRESH_FOR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process::own_pid;

    #[test]
    fn a_value_is_used_for_a_second() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = Pid(child.id().cast_signed());
        let at = |millis| Mono(Duration::from_millis(millis));
        let mut cache = UsageCache::default();
        let first = cache.usage(pid, at(5_000));
        assert!(first.is_some() && cache.usage(Pid(own_pid()), at(5_500)).is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(cache.usage(pid, at(5_999)), first);
        assert_eq!(cache.usage(pid, at(6_000)), None);
        cache.forget_stale(at(6_999));
        assert_eq!(cache.by_pid.keys().copied().collect::<Vec<_>>(), [pid]);
        cache.forget_stale(at(7_000));
        assert!(cache.by_pid.is_empty());
    }
}
