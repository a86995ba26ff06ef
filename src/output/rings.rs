//! The last output of streams that cannot be read back from where it goes. A ring outlives its process, whose last
//! output is what people ask for.

use std::collections::BTreeMap;

use super::ids::{OWN_LOG, StreamId};
use crate::logs::Ring;
use crate::model::ProcessId;

/// One ring for each stream that has one.
#[derive(Debug, Default)]
pub(super) struct Rings(BTreeMap<StreamId, Ring>);

impl Rings {
    /// Keeps this many bytes of a stream from now on; 0 removes its ring.
    pub(super) fn limit(&mut self, id: StreamId, bytes_max: usize) {
        if bytes_max > 0 {
            self.0.entry(id).or_insert_with(|| Ring::new(bytes_max)).limit(bytes_max);
        } else {
            self.0.remove(&id);
        }
    }

    pub(super) fn push(&mut self, id: StreamId, bytes: &[u8]) {
        if let Some(ring) = self.0.get_mut(&id) {
            ring.push(bytes);
        }
    }

    pub(super) fn get(&self, id: StreamId) -> Option<&Ring> {
        self.0.get(&id)
    }

    /// Empties the rings of a process.
    pub(super) fn clear(&mut self, process: ProcessId) {
        for id in StreamId::both(process) {
            self.0.entry(id).and_modify(Ring::clear);
        }
    }

    pub(super) fn remove(&mut self, id: StreamId) {
        self.0.remove(&id);
    }

    /// The processes that have a ring.
    pub(super) fn processes(&self) -> impl Iterator<Item = ProcessId> {
        self.0.keys().filter(|id| **id != OWN_LOG).map(|id| id.process)
    }
}
