//! Encodes metrics as text, in slices, so that the supervisor can do other work in between.

use super::MetricsFormat;
use super::families::{FAMILIES, Family, MetricType, Samples};
use super::samples::{Measurements, ProcessMeasurements, SampleWriter, escape_label};
use crate::model::ProcessSnapshot;

/// The approximate number of bytes that one slice adds: about half a millisecond.
const SLICE_BYTES: usize = 64 * 1024;

/// The approximate size of the text about one process.
const PROCESS_BYTES: usize = 2 * 1024;

/// A process and its labels, which all its samples have.
#[derive(Debug)]
pub(super) struct LabelledProcess {
    pub(super) measured: ProcessMeasurements,
    /// `group="web",name="web_00"`
    labels: String,
}

/// A text that is being encoded.
#[derive(Debug)]
pub struct Exposition {
    format: MetricsFormat,
    supervisor: Measurements,
    processes: Vec<LabelledProcess>,
    labels_bytes: usize,
    text: String,
    /// The family that is being written, and the process that is next in it.
    next: (usize, usize),
}

impl Exposition {
    /// Without processes, which [`Exposition::add`] adds.
    #[must_use]
    pub fn new(supervisor: Measurements, processes: usize, format: MetricsFormat) -> Self {
        Self {
            format,
            supervisor,
            processes: Vec::with_capacity(processes),
            labels_bytes: 0,
            text: String::new(),
            next: (0, 0),
        }
    }

    /// Adds a process.
    pub fn add(&mut self, measured: ProcessMeasurements) {
        let spec = &measured.snapshot.spec;
        let mut labels = String::with_capacity(spec.group.len() + spec.name.len() + 20);
        for (label, value) in [("group=\"", &spec.group), ("\",name=\"", &spec.name)] {
            labels.push_str(label);
            escape_label(value, &mut labels);
        }
        labels.push('"');
        self.labels_bytes += labels.capacity();
        self.processes.push(LabelledProcess { measured, labels });
    }

    /// Writes a slice. True once everything is written.
    pub fn encode_slice(&mut self) -> bool {
        if self.text.capacity() == 0 {
            // So that a long text is not moved while it grows.
            self.text.reserve(SLICE_BYTES.min(PROCESS_BYTES * 8) + self.processes.len() * PROCESS_BYTES);
        }
        let until = self.text.len() + SLICE_BYTES;
        while self.text.len() < until {
            let (index, process) = self.next;
            let Some(family) = FAMILIES.get(index) else { return true };
            if process == 0 {
                write_head(family, self.format, &mut self.text);
            }
            self.next = match family.samples {
                Samples::OfSupervisor(write) => {
                    write(&self.supervisor, &mut SampleWriter::new(family.name, "", &mut self.text));
                    (index + 1, 0)
                }
                Samples::OfProcess(write) => match self.processes.get(process) {
                    Some(LabelledProcess { measured, labels }) => {
                        write(measured, &mut SampleWriter::new(family.name, labels, &mut self.text));
                        (index, process + 1)
                    }
                    None => (index + 1, 0),
                },
            };
        }
        false
    }

    /// The approximate memory that it uses.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.text.capacity()
            + self.processes.capacity() * size_of::<LabelledProcess>()
            + self.supervisor.supervisor.processes.capacity() * size_of::<ProcessSnapshot>()
            + self.labels_bytes
    }

    /// The complete text.
    #[must_use]
    pub fn finish(mut self) -> String {
        while !self.encode_slice() {}
        if self.format == MetricsFormat::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

fn write_head(family: &Family, format: MetricsFormat, text: &mut String) {
    let (name, kind) = match (format, family.kind) {
        (_, MetricType::Gauge) => (family.name, "gauge"),
        (_, MetricType::Histogram) => (family.name, "histogram"),
        (MetricsFormat::Prometheus, MetricType::Counter) => (family.name, "counter"),
        (MetricsFormat::Prometheus, MetricType::Info) => (family.name, "gauge"),
        // The suffix belongs to the sample.
        (MetricsFormat::OpenMetrics, MetricType::Counter) => {
            (family.name.trim_end_matches("_total"), "counter")
        }
        (MetricsFormat::OpenMetrics, MetricType::Info) => (family.name.trim_end_matches("_info"), "info"),
    };
    text.extend(["# HELP ", name, " ", family.help, "\n# TYPE ", name, " ", kind, "\n"]);
}
