//! The CPU time and memory of processes, for all clients that ask.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Mono, Pid, ProcessUsage};
use crate::sys::process_usage::process_usage;

/// How long a value is used before it is read again.
const FRESH_FOR: Duration = Duration::from_secs(1);

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
