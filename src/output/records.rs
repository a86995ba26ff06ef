//! What is kept of a stream from one run of its process to the next: how much was written to it, and its last output
//! if that cannot be read back from where it goes. Both outlive the process: its last output is what people ask for.

use super::ids::{OWN_LOG, StreamId};
use crate::logs::Ring;
use crate::model::{LogCounters, ProcessId, SortedMap};

/// The records of all streams that have any.
#[derive(Debug, Default)]
pub(super) struct Records(SortedMap<StreamId, Record>);

#[derive(Debug, Default)]
struct Record {
    /// Boxed, as most streams have none.
    ring: Option<Box<Ring>>,
    /// Of a process that was started and still exists.
    counters: Option<LogCounters>,
}

impl Records {
    /// Keeps this many bytes of a stream from now on; 0 removes its ring.
    pub(super) fn limit_ring(&mut self, id: StreamId, bytes_max: usize) {
        if bytes_max > 0 {
            let ring = &mut self.0.get_or_insert_default(id).ring;
            ring.get_or_insert_with(|| Box::new(Ring::new(bytes_max))).limit(bytes_max);
        } else {
            self.remove_ring(id);
        }
    }

    pub(super) fn push_to_ring(&mut self, id: StreamId, bytes: &[u8]) {
        if let Some(ring) = self.ring_mut(id) {
            ring.push(bytes);
        }
    }

    pub(super) fn ring(&self, id: StreamId) -> Option<&Ring> {
        self.0.get(&id)?.ring.as_deref()
    }

    fn ring_mut(&mut self, id: StreamId) -> Option<&mut Ring> {
        self.0.get_mut(&id)?.ring.as_deref_mut()
    }

    /// Empties the rings of a process.
    pub(super) fn clear_rings(&mut self, process: ProcessId) {
        for id in StreamId::both(process) {
            if let Some(ring) = self.ring_mut(id) {
                ring.clear();
            }
        }
    }

    pub(super) fn remove_ring(&mut self, id: StreamId) {
        self.remove(id, |record| record.ring = None);
    }

    /// Counts what is written to a stream from now on, with what was counted before.
    pub(super) fn begin_counting(&mut self, id: StreamId) {
        self.0.get_or_insert_default(id).counters.get_or_insert_default();
    }

    /// Counts what was written to a stream. A process that is gone is not counted, although others may still hold its
    /// streams open.
    pub(super) fn count(&mut self, id: StreamId, written: usize, dropped: u64) {
        if let Some(counters) = self.0.get_mut(&id).and_then(|record| record.counters.as_mut()) {
            counters.written = counters.written.saturating_add(written as u64);
            counters.dropped = counters.dropped.saturating_add(dropped);
        }
    }

    pub(super) fn counters(&self, id: StreamId) -> Option<LogCounters> {
        self.0.get(&id)?.counters
    }

    /// The process is gone.
    pub(super) fn remove_counters(&mut self, id: StreamId) {
        self.remove(id, |record| record.counters = None);
    }

    /// Removes a part of a record, and the record with its last part.
    fn remove(&mut self, id: StreamId, part: impl FnOnce(&mut Record)) {
        let Some(record) = self.0.get_mut(&id) else { return };
        part(record);
        if record.ring.is_none() && record.counters.is_none() {
            self.0.remove(&id);
        }
    }

    /// The processes that have a record.
    pub(super) fn processes(&self) -> impl Iterator<Item = ProcessId> {
        self.0.keys().filter(|id| **id != OWN_LOG).map(|id| id.process)
    }
}
