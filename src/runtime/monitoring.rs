//! Requests for metrics, and probes. They send no command to the core: what they read is available in any state of the
//! supervisor.

use super::Shell;
use super::long_reply::LongReply;
use super::metrics_reply::MetricsReply;
use super::questions::Pending;
use super::refusals::RequestRefusal;
use crate::http::{Request, Response};
use crate::metrics::{Exposition, Measurements, MetricsFormat, MonitoringPath, ProbeAnswer};

impl Shell {
    pub(super) fn monitoring_request(&mut self, token: u64, request: &Request, path: MonitoringPath) {
        if !request.is_safe() {
            return self.respond_with_refusal(token, RequestRefusal::method_not_allowed());
        }
        let answer = match path {
            MonitoringPath::Metrics => {
                let format = MetricsFormat::negotiate(request.headers.all("accept"));
                return self.front.clients.line_up(token, Pending::Metrics(format), self.client_deadline());
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
        self.front.usage.forget_stale(self.now.mono);
        let mut supervisor = self.core.snapshot();
        let processes = std::mem::take(&mut supervisor.processes).into_iter();
        let unmeasured: Vec<_> = processes
            .map(|process| {
                let logs = self.output.counters(process.id);
                (process, logs)
            })
            .collect();
        let measured =
            Measurements { supervisor, began: self.began, spawn_times: self.children.spawn_times.clone() };
        let exposition = Exposition::new(measured, unmeasured.len(), format);
        let reply = MetricsReply::new(format, unmeasured, exposition);
        self.begin_reply(token, LongReply::Metrics(Box::new(reply)));
    }
}
