//! What monitoring reads: metrics as text, and the answers to probes.
//!
//! This module does no I/O and reads no clock. Its owner measures ([`Measurements`]), has an [`Exposition`] encode it
//! in slices, and sends the result. Four paths belong to it ([`MonitoringPath`]); all of them only read.
//!
//! One table of metrics (`families.rs`) determines both formats. No label has a value that changes when a program is
//! restarted, so a series lasts as long as its program is configured.

mod exposition;
mod families;
mod histogram;
mod negotiation;
mod samples;
#[cfg(test)]
mod tests;
mod verdict;

pub use exposition::Exposition;
pub use histogram::Histogram;
pub use negotiation::MetricsFormat;
pub use samples::{Measurements, ProcessMeasurements};
pub use verdict::{PROCESSES_NAMED_MAX, ProbeAnswer};

/// A path that is served for monitoring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonitoringPath {
    /// All metrics.
    Metrics,
    /// Whether the supervisor responds.
    Live,
    /// Whether all programs that start with the supervisor are ready.
    Ready,
    /// Whether everything is healthy, as `sv health` decides.
    Healthy,
}

impl MonitoringPath {
    /// The one with this path; `None` for any other path.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        match path {
            "/metrics" => Some(Self::Metrics),
            "/livez" => Some(Self::Live),
            "/readyz" => Some(Self::Ready),
            "/healthz" => Some(Self::Healthy),
            _ => None,
        }
    }
}
