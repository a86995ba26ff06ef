//! What is kept of a stream from one run of its process to the next: how much was written to it, and its last output
//! if that cannot be read back from where it goes. Both outlive the process: its last output is what people ask for.

use super::ids::{OWN_LOG, StreamId};
use crate::logs::Ring;
use crate::model::{LogCounters, ProcessId, SortedMap};

/// The records of all streams that have any.
#[derive(Debug, Default)]
pub(super) struct Records {
    rings: SortedMap<StreamId, Box<Ring>>,
    /// Of processes that were started and still exist.
    counters: SortedMap<StreamId, LogCounters>,
}

impl Records {
    /// Keeps this many bytes of a stream from now on; 0 removes its ring.
    pub(super) fn limit_ring(&mut self, id: StreamId, bytes_max: usize) {
        if bytes_max == 0 {
            self.remove_ring(id);
        } else if let Some(ring) = self.rings.get_mut(&id) {
            ring.limit(bytes_max);
        } else {
            self.rings.insert(id, Box::new(Ring::new(bytes_max)));
        }
    }

    pub(super) fn push_to_ring(&mut self, id: StreamId, bytes: &[u8]) {
        if let Some(ring) = self.rings.get_mut(&id) {
            ring.push(bytes);
        }
    }

    pub(super) fn ring(&self, id: StreamId) -> Option<&Ring> {
        self.rings.get(&id).map(|ring| &**ring)
    }

    /// Empties the rings of a process.
    pub(super) fn clear_rings(&mut self, process: ProcessId) {
        for id in StreamId::both(process) {
            if let Some(ring) = self.rings.get_mut(&id) {
                ring.clear();
            }
        }
    }

    pub(super) fn remove_ring(&mut self, id: StreamId) {
        self.rings.remove(&id);
    }

    /// Counts what is written to a stream from now on, with what was counted before.
    pub(super) fn begin_counting(&mut self, id: StreamId) {
        self.counters.get_or_insert_default(id);
    }

    /// Counts what was written to a stream. A process that is gone is not counted, although others may still hold its
    /// streams open.
    pub(super) fn count(&mut self, id: StreamId, written: usize, dropped: u64) {
        if let Some(counters) = self.counters.get_mut(&id) {
            counters.written = counters.written.saturating_add(written as u64);
            counters.dropped = counters.dropped.saturating_add(dropped);
        }
    }

    pub(super) fn counters(&self, id: StreamId) -> Option<LogCounters> {
        self.counters.get(&id).copied()
    }

    /// The process is gone.
    pub(super) fn remove_counters(&mut self, id: StreamId) {
        self.counters.remove(&id);
    }

    /// The processes that have a record.
    pub(super) fn processes(&self) -> impl Iterator<Item = ProcessId> {
        let ids = self.rings.keys().chain(self.counters.keys());
        ids.filter(|id| **id != OWN_LOG).map(|id| id.process)
    }
}
