//! Requests for metrics, and probes. They send no command to the core: what they read is available in any state of the
//! supervisor.

use super::Shell;
use super::long_reply::LongReply;
use super::questions::Pending;
use super::refusals::RequestRefusal;
use super::usage::{PROCESSES_READ_AT_ONCE, UsageCache};
use crate::http::{Request, Response};
use crate::metrics::{
    Exposition, Measurements, MetricsFormat, MonitoringPath, ProbeAnswer, ProcessMeasurements,
};
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

/// Whether a request has a method that only reads.
pub(super) fn reads(request: &Request) -> bool {
    ["GET", "HEAD"].contains(&request.method.as_str())
}

impl Shell {
    pub(super) fn monitoring_request(&mut self, token: u64, request: &Request, path: MonitoringPath) {
        if !reads(request) {
            return self.respond_with_refusal(token, RequestRefusal::method_not_allowed());
        }
        let answer = match path {
            MonitoringPath::Metrics => {
                let format = MetricsFormat::negotiate(request.headers.all("accept"));
                return self.clients.line_up(token, Pending::Metrics(format), self.client_deadline());
            }
            MonitoringPath::Live => ProbeAnswer { is_positive: true, text: "alive\n".to_owned() },
            MonitoringPath::Ready => ProbeAnswer::ready(&self.core.snapshot()),
            MonitoringPath::Healthy => ProbeAnswer::healthy(&self.core.snapshot()),
        };
        let response = Response::new(if answer.is_positive { 200 } else { 503 })
            .body("text/plain; charset=utf-8", answer.text)
            .header("X-Content-Type-Options", "nosniff");
        self.respond(token, response);
    }

    /// Begins to measure and encode all metrics.
    pub(super) fn begin_metrics(&mut self, token: u64, format: MetricsFormat) {
        self.usage.forget_stale(self.now.mono);
        let mut supervisor = self.core.snapshot();
        let processes = std::mem::take(&mut supervisor.processes).into_iter();
        let unmeasured: Vec<_> = processes
            .map(|process| {
                let logs = self.output.counters(process.id);
                (process, logs)
            })
            .collect();
        let measured = Measurements { supervisor, began: self.began, spawn_times: self.spawn_times.clone() };
        let exposition = Exposition::new(measured, unmeasured.len(), format);
        let reply = MetricsReply { format, unmeasured: unmeasured.into_iter(), exposition };
        self.begin_reply(token, LongReply::Metrics(Box::new(reply)));
    }
}
