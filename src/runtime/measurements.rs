//! `memory_limit`: measurements of the memory of programs without a cgroup, one after the other and for a limited time in each turn.

use std::collections::VecDeque;
use std::time::Duration;

use super::Shell;
use crate::model::{Pid, ProcessId};
use crate::supervise::Input;
use crate::sys::process_usage::TreeMeasurement;

/// Time for measurements in a turn. It is looked at between two processes.
const MEASURING_PER_TURN: Duration = Duration::from_millis(2);

/// Measurements that were asked for: one of each run of a process at most.
#[derive(Debug, Default)]
pub(super) struct MemoryQueue {
    queue: VecDeque<(ProcessId, Pid)>,
    /// That of the first in the queue.
    current: Option<TreeMeasurement>,
}

impl MemoryQueue {
    /// Asks for one.
    pub(super) fn add(&mut self, process: ProcessId, pid: Pid) {
        // One that waits already may be that of an earlier run, which has another pid.
        if !self.queue.contains(&(process, pid)) {
            self.queue.push_back((process, pid));
        }
    }

    /// Whether there is something to measure.
    pub(super) fn is_due(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Looks at one more process. Returns the result of a measurement that is complete with it.
    pub(super) fn step(
        &mut self,
        begin: impl FnOnce(ProcessId, Pid) -> Option<TreeMeasurement>,
    ) -> Option<(ProcessId, Pid, Option<u64>)> {
        let (process, pid) = *self.queue.front()?;
        let bytes = match self.current.take().or_else(|| begin(process, pid)) {
            Some(mut measurement) => match measurement.advance() {
                Some(bytes) => Some(bytes),
                None => {
                    self.current = Some(measurement);
                    return None;
                }
            },
            None => None,
        };
        self.queue.pop_front();
        Some((process, pid, bytes))
    }
}

impl Shell {
    /// Measures until the time for it in this turn is over.
    pub(super) fn continue_measuring(&mut self) {
        if !self.resources.has_measurements() {
            return;
        }
        let until = self.clock.now().mono.after(MEASURING_PER_TURN);
        while self.resources.has_measurements() && !self.is_over(until) {
            if let Some((process, pid, bytes)) = self.resources.measure(&self.children) {
                self.feed(Input::MemoryMeasured { process, pid, bytes });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process::own_pid;

    #[test]
    fn each_request_has_one_result_and_the_dead_have_no_memory() {
        let (own, dead) = (Pid(own_pid()), Pid(i32::MAX));
        let mut measurements = MemoryQueue::default();
        for (process, pid) in [(1, own), (2, dead), (1, own)] {
            measurements.add(ProcessId(process), pid);
        }
        let mut results = Vec::new();
        while measurements.is_due() {
            results.extend(measurements.step(|_, pid| TreeMeasurement::begin(pid)));
        }
        assert!(
            matches!(results[..], [(ProcessId(1), _, Some(1..)), (ProcessId(2), _, None)]),
            "{results:?}"
        );
    }
}
