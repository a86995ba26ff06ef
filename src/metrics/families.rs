//! The table of all metrics.
//!
//! A metric is never renamed and keeps its labels, as dashboards and alerts depend on them.

use super::samples::{Measurements, ProcessMeasurements, SampleWriter};
use crate::model::{ExitStatus, HealthStatus, ProcessState, Wall};

/// The type of a metric, as both formats know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MetricType {
    Gauge,
    /// Its name ends in `_total`.
    Counter,
    Histogram,
    /// Its name ends in `_info`.
    Info,
}

/// Who writes the samples of a metric.
pub(super) enum Samples {
    OfSupervisor(fn(&Measurements, &mut SampleWriter<'_>)),
    OfProcess(fn(&ProcessMeasurements, &mut SampleWriter<'_>)),
}

/// A metric with all its samples.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: MetricType,
    /// One line without backslashes and quotes.
    pub(super) help: &'static str,
    pub(super) samples: Samples,
}

const ALL_STATES: [ProcessState; 8] = [
    ProcessState::Stopped,
    ProcessState::Starting,
    ProcessState::Running,
    ProcessState::Backoff,
    ProcessState::Stopping,
    ProcessState::Exited,
    ProcessState::Fatal,
    ProcessState::Unknown,
];

/// All metrics, in the order in which they are written.
pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "sv_build_info",
        kind: MetricType::Info,
        help: "The version of this program; always 1.",
        samples: Samples::OfSupervisor(|_, out| {
            out.labelled(("version", env!("CARGO_PKG_VERSION")), 1);
        }),
    },
    Family {
        name: "sv_start_time_seconds",
        kind: MetricType::Gauge,
        help: "When the supervisor was started, in seconds since the epoch.",
        samples: Samples::OfSupervisor(|measured, out| out.plain(Seconds(measured.began))),
    },
    Family {
        name: "sv_config_last_reload_successful",
        kind: MetricType::Gauge,
        help: "Whether the configuration was valid when it was last read.",
        samples: Samples::OfSupervisor(|measured, out| {
            out.plain(u8::from(measured.supervisor.is_last_reload_valid));
        }),
    },
    Family {
        name: "sv_config_last_reload_success_timestamp_seconds",
        kind: MetricType::Gauge,
        help: "When a valid configuration was last read, in seconds since the epoch.",
        samples: Samples::OfSupervisor(|measured, out| {
            out.plain(Seconds(measured.supervisor.reloaded.unwrap_or(measured.began)));
        }),
    },
    Family {
        name: "sv_events_dropped_total",
        kind: MetricType::Counter,
        help: "Events for listeners that were discarded because the buffer of their pool was full.",
        samples: Samples::OfSupervisor(|measured, out| out.plain(measured.supervisor.events_dropped)),
    },
    Family {
        name: "sv_orphans_reaped_total",
        kind: MetricType::Counter,
        help: "Processes reaped that the supervisor has adopted and not started.",
        samples: Samples::OfSupervisor(|measured, out| out.plain(measured.supervisor.orphans_reaped)),
    },
    Family {
        name: "sv_spawn_seconds",
        kind: MetricType::Histogram,
        help: "How long the supervisor was busy with the spawn of a process.",
        samples: Samples::OfSupervisor(|measured, out| {
            let times = &measured.spawn_times;
            for (bound, count) in times.buckets() {
                out.sample("_bucket", Some(("le", bound)), &count);
            }
            out.sample("_sum", None, &times.sum().as_secs_f64());
            out.sample("_count", None, &times.count());
        }),
    },
    Family {
        name: "node_supervisord_up",
        kind: MetricType::Gauge,
        help: "Whether the process is up (STARTING, RUNNING or STOPPING), as node_exporter has it.",
        samples: Samples::OfProcess(|process, out| out.plain(u8::from(is_up(process)))),
    },
    Family {
        name: "node_supervisord_state",
        kind: MetricType::Gauge,
        help: "The code of the state of the process, as node_exporter has it.",
        samples: Samples::OfProcess(|process, out| out.plain(process.snapshot.state.code())),
    },
    Family {
        name: "node_supervisord_exit_status",
        kind: MetricType::Gauge,
        help: "The last exit code, -1 for a signal and 0 while the process runs, as node_exporter has it.",
        samples: Samples::OfProcess(|process, out| {
            out.plain(process.snapshot.exit_status.map_or(0, ExitStatus::code));
        }),
    },
    Family {
        name: "node_supervisord_start_time_seconds",
        kind: MetricType::Gauge,
        help: "When the process was started, in whole seconds since the epoch, as node_exporter has it.",
        samples: Samples::OfProcess(|process, out| {
            if is_up(process) {
                out.plain(process.snapshot.started.map_or(0, Wall::unix_secs));
            }
        }),
    },
    Family {
        name: "sv_process_state",
        kind: MetricType::Gauge,
        help: "1 for the state that the process is in, 0 for all others.",
        samples: Samples::OfProcess(|process, out| {
            for state in ALL_STATES {
                out.labelled(("state", state.name()), u8::from(state == process.snapshot.state));
            }
        }),
    },
    Family {
        name: "sv_process_ready",
        kind: MetricType::Gauge,
        help: "Whether the process runs and is ready, or has finished as expected.",
        samples: Samples::OfProcess(|process, out| out.plain(u8::from(process.snapshot.is_ready()))),
    },
    Family {
        name: "sv_process_healthy",
        kind: MetricType::Gauge,
        help: "Whether the health check of the process succeeds. Only of processes that run and have one.",
        samples: Samples::OfProcess(|process, out| {
            if let Some(health) = process.snapshot.health {
                out.plain(u8::from(health == HealthStatus::Healthy));
            }
        }),
    },
    Family {
        name: "sv_process_starts_total",
        kind: MetricType::Counter,
        help: "How often the process was spawned.",
        samples: Samples::OfProcess(|process, out| out.plain(process.snapshot.counters.starts)),
    },
    Family {
        name: "sv_process_restarts_total",
        kind: MetricType::Counter,
        help: "Starts after an end or a failed start that nobody has asked for.",
        samples: Samples::OfProcess(|process, out| out.plain(process.snapshot.counters.restarts)),
    },
    Family {
        name: "sv_process_failed_starts_total",
        kind: MetricType::Counter,
        help: "Starts that have not led to RUNNING or, of a oneshot, to an expected end.",
        samples: Samples::OfProcess(|process, out| out.plain(process.snapshot.counters.failed_starts)),
    },
    Family {
        name: "sv_process_exits_total",
        kind: MetricType::Counter,
        help: "Ends of the process: expected (one of its exitcodes), unexpected (another code), by a signal, or by the OOM killer.",
        samples: Samples::OfProcess(|process, out| {
            let counters = &process.snapshot.counters;
            for (kind, count) in [
                ("expected", counters.exits_expected),
                ("unexpected", counters.exits_unexpected),
                ("signal", counters.exits_by_signal),
                ("oom", counters.exits_by_oom),
            ] {
                out.labelled(("kind", kind), count);
            }
        }),
    },
    Family {
        name: "sv_process_last_exit_code",
        kind: MetricType::Gauge,
        help: "How the process has last ended: its exit code, or 128 plus the number of a signal.",
        samples: Samples::OfProcess(|process, out| {
            if let Some(status) = process.snapshot.last_exit {
                out.plain(status.for_shell());
            }
        }),
    },
    Family {
        name: "sv_process_cpu_seconds_total",
        kind: MetricType::Counter,
        help: "CPU time of the running process, without that of its children.",
        samples: Samples::OfProcess(|process, out| {
            if let Some(usage) = process.usage {
                out.plain(usage.cpu.as_secs_f64());
            }
        }),
    },
    Family {
        name: "sv_process_resident_memory_bytes",
        kind: MetricType::Gauge,
        help: "Resident memory of the running process, without that of its children.",
        samples: Samples::OfProcess(|process, out| {
            if let Some(usage) = process.usage {
                out.plain(usage.resident_bytes);
            }
        }),
    },
    Family {
        name: "sv_process_log_bytes_total",
        kind: MetricType::Counter,
        help: "Bytes that the process has written to a stream.",
        samples: Samples::OfProcess(|process, out| {
            for (stream, counters) in STREAMS.iter().zip(process.logs) {
                out.labelled(("stream", stream), counters.written);
            }
        }),
    },
    Family {
        name: "sv_process_log_dropped_bytes_total",
        kind: MetricType::Counter,
        help: "Bytes lost on the way to the log of a stream, as it could not be written to or its reader was too slow.",
        samples: Samples::OfProcess(|process, out| {
            for (stream, counters) in STREAMS.iter().zip(process.logs) {
                out.labelled(("stream", stream), counters.dropped);
            }
        }),
    },
];

const STREAMS: [&str; 2] = ["stdout", "stderr"];

/// As node_exporter decides.
fn is_up(process: &ProcessMeasurements) -> bool {
    matches!(process.snapshot.state, ProcessState::Starting | ProcessState::Running | ProcessState::Stopping)
}

/// A time in seconds since the epoch, with milliseconds.
struct Seconds(Wall);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unix_ms = self.0.unix_ms.max(0);
        write!(f, "{}.{:03}", unix_ms / 1000, unix_ms % 1000)
    }
}
