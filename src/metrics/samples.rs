//! What is measured, and how a sample of it is written.

use std::fmt::{Display, Write};

use super::Histogram;
use crate::model::{LogCounters, ProcessSnapshot, ProcessUsage, SupervisorSnapshot, Wall};

/// What is measured of the supervisor.
#[derive(Clone, Debug)]
pub struct Measurements {
    /// Its state and its processes. Each process is moved to [`Exposition::add`](super::Exposition::add).
    pub supervisor: SupervisorSnapshot,
    /// When this program started.
    pub began: Wall,
    /// How long spawns took.
    pub spawn_times: Histogram,
}

/// What is measured of one process.
#[derive(Clone, Debug)]
pub struct ProcessMeasurements {
    /// The process.
    pub snapshot: ProcessSnapshot,
    /// What it uses; `None` while it does not run, or if that cannot be read.
    pub usage: Option<ProcessUsage>,
    /// Its standard output and its standard error.
    pub logs: [LogCounters; 2],
}

/// Writes the samples of one metric, with the labels that all of them have.
pub(super) struct SampleWriter<'a> {
    name: &'static str,
    labels: &'a str,
    text: &'a mut String,
}

impl<'a> SampleWriter<'a> {
    pub(super) fn new(name: &'static str, labels: &'a str, text: &'a mut String) -> Self {
        Self { name, labels, text }
    }

    /// A sample without further labels.
    pub(super) fn plain(&mut self, value: impl Display) {
        self.sample("", None, &value);
    }

    /// A sample with another label.
    pub(super) fn labelled(&mut self, label: (&str, &str), value: impl Display) {
        self.sample("", Some(label), &value);
    }

    /// A sample whose name has a suffix.
    pub(super) fn sample(&mut self, suffix: &str, label: Option<(&str, &str)>, value: &dyn Display) {
        let separator = if self.labels.is_empty() || label.is_none() { "" } else { "," };
        self.text.extend([self.name, suffix]);
        if label.is_some() || !self.labels.is_empty() {
            self.text.extend(["{", self.labels, separator]);
            if let Some((name, value)) = label {
                self.text.extend([name, "=\""]);
                escape_label(value, self.text);
                self.text.push('"');
            }
            self.text.push('}');
        }
        // Writing to memory can't fail.
        let _ = writeln!(self.text, " {value}");
    }
}

/// Both formats escape backslashes, quotes and line feeds, and nothing else.
pub(super) fn escape_label(value: &str, text: &mut String) {
    for piece in value.split_inclusive(['\\', '"', '\n']) {
        let (before, escaped) = match piece.as_bytes().last() {
            Some(b'\\') => (&piece[..piece.len() - 1], "\\\\"),
            Some(b'"') => (&piece[..piece.len() - 1], "\\\""),
            Some(b'\n') => (&piece[..piece.len() - 1], "\\n"),
            _ => (piece, ""),
        };
        text.extend([before, escaped]);
    }
}
