//! A reply with metrics: processes are measured, some in each slice, and then all of it is encoded.

use super::usage::{PROCESSES_READ_AT_ONCE, UsageCache};
use crate::http::Response;
use crate::metrics::{Exposition, MetricsFormat, ProcessMeasurements};
use crate::model::{LogCounters, Mono, ProcessSnapshot};

/// Metrics that are being measured, and then encoded.
#[derive(Debug)]
pub(super) struct MetricsReply {
    format: MetricsFormat,
    /// Processes that are not measured yet.
    unmeasured: std::vec::IntoIter<(ProcessSnapshot, [LogCounters; 2])>,
    exposition: Exposition,
}

impl MetricsReply {
    /// `exposition` lacks only these processes.
    pub(super) fn new(
        format: MetricsFormat,
        unmeasured: Vec<(ProcessSnapshot, [LogCounters; 2])>,
        exposition: Exposition,
    ) -> Self {
        Self { format, unmeasured: unmeasured.into_iter(), exposition }
    }

    /// Measures some processes or, after the last one, encodes a slice. True once everything is encoded.
    pub(super) fn encode_slice(&mut self, usage: &mut UsageCache, now: Mono) -> bool {
        if self.unmeasured.len() == 0 {
            return self.exposition.encode_slice();
        }
        for (snapshot, logs) in self.unmeasured.by_ref().take(PROCESSES_READ_AT_ONCE) {
            let usage = snapshot.pid.and_then(|pid| usage.usage(pid, now));
            self.exposition.add(ProcessMeasurements { snapshot, usage, logs });
        }
        false
    }

    /// The approximate memory that it uses.
    pub(super) fn held_bytes(&self) -> usize {
        self.unmeasured.len() * size_of::<(ProcessSnapshot, [LogCounters; 2])>()
            + self.exposition.held_bytes()
    }

    pub(super) fn finish(self) -> Response {
        Response::ok(self.format.content_type(), self.exposition.finish())
            .header("X-Content-Type-Options", "nosniff")
    }
}
