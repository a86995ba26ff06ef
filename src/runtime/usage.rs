//! The CPU time and memory of processes, for all clients that ask.

use std::collections::HashMap;
use std::time::Duration;

use crate::api::{ListReply, MeasuredProcess, resources};
use crate::http::Response;
use crate::model::{Mono, Pid, ProcessUsage, Wall};
use crate::sys::process_usage::process_usage;

/// How long a value is used before it is read again.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// Processes that are read at a time: about half a millisecond.
pub(super) const PROCESSES_READ_AT_ONCE: usize = 32;

/// A response with the resources of processes: they are read, and then encoded.
#[derive(Debug)]
pub(super) enum ResourcesReply {
    Reading {
        processes: Vec<MeasuredProcess>,
        /// How many of them were read.
        read: usize,
        now: Wall,
    },
    Encoding(ListReply),
}

impl ResourcesReply {
    pub(super) fn new(processes: Vec<MeasuredProcess>, now: Wall) -> Self {
        Self::Reading { processes, read: 0, now }
    }

    /// Reads some processes or, after the last one, encodes a slice. True once everything is encoded.
    pub(super) fn encode_slice(&mut self, usage: &mut UsageCache, at: Mono) -> bool {
        match self {
            Self::Encoding(reply) => reply.encode_slice(),
            Self::Reading { processes, read, now } => {
                for process in processes.iter_mut().skip(*read).take(PROCESSES_READ_AT_ONCE) {
                    process.usage = usage.usage(process.pid, at);
                    *read += 1;
                }
                if *read >= processes.len() {
                    *self = Self::Encoding(resources(std::mem::take(processes), *now));
                }
                false
            }
        }
    }

    /// The approximate memory that it uses.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::Reading { processes, .. } => processes.capacity() * size_of::<MeasuredProcess>(),
            Self::Encoding(reply) => reply.held_bytes(),
        }
    }

    pub(super) fn finish(self) -> Response {
        match self {
            Self::Reading { processes, now, .. } => resources(processes, now).finish(),
            Self::Encoding(reply) => reply.finish(),
        }
    }
}

/// What was read in the last second: each process is read at most once in this time, however many clients ask.
#[derive(Debug, Default)]
pub(super) struct UsageCache {
    by_pid: HashMap<Pid, (Mono, Option<ProcessUsage>)>,
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

    /// Forgets processes that no client has asked for in the last second. To be called before all are read.
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
