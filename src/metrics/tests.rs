//! Tests of the text as a whole; `tests/metrics.rs` has other programs read it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::families::{FAMILIES, MetricType};
use super::*;
use crate::model::{
    ExitStatus, HealthStatus, ListenerState, LogCounters, Pid, ProcessId, ProcessSnapshot, ProcessSpec,
    ProcessState, ProcessUsage, RunCounters, Signal, SupervisorSnapshot, SupervisorState, Wall,
};

fn wall(unix_ms: i64) -> Wall {
    Wall { unix_ms, utc_offset_secs: 3600 }
}

fn process(group: &str, name: &str, state: ProcessState) -> ProcessSnapshot {
    let spec = ProcessSpec { group: group.into(), name: name.into(), autostart: true, ..Default::default() };
    ProcessSnapshot {
        id: ProcessId(1),
        spec: Arc::new(spec),
        state,
        pid: None,
        started: None,
        exit_status: None,
        last_exit: None,
        ended_as_expected: false,
        health: None,
        listener: None,
        counters: RunCounters::default(),
    }
}

fn supervisor(processes: Vec<ProcessSnapshot>) -> SupervisorSnapshot {
    SupervisorSnapshot {
        state: SupervisorState::Running,
        processes,
        events_dropped: 3,
        orphans_reaped: 4,
        reloaded: None,
        is_last_reload_valid: true,
    }
}

fn text(processes: Vec<ProcessMeasurements>, format: MetricsFormat) -> String {
    let mut spawn_times = Histogram::default();
    spawn_times.observe(Duration::from_millis(3));
    let measured = Measurements { supervisor: supervisor(Vec::new()), began: wall(1_500), spawn_times };
    let mut exposition = Exposition::new(measured, processes.len(), format);
    processes.into_iter().for_each(|process| exposition.add(process));
    exposition.finish()
}

fn running() -> ProcessMeasurements {
    let snapshot = ProcessSnapshot {
        pid: Some(Pid(7)),
        started: Some(wall(2_900)),
        last_exit: Some(ExitStatus::Signaled { signal: Signal::KILL, core_dumped: false }),
        health: Some(HealthStatus::Starting),
        counters: RunCounters {
            starts: 5,
            restarts: 4,
            failed_starts: 2,
            exits_expected: 1,
            exits_unexpected: 0,
            exits_by_signal: 1,
            exits_by_oom: 0,
        },
        ..process("web", "web_00", ProcessState::Running)
    };
    let usage = Some(ProcessUsage { cpu: Duration::from_millis(1_250), resident_bytes: 8192 });
    let logs = [LogCounters { written: 100, dropped: 30 }, LogCounters::default()];
    ProcessMeasurements { snapshot, usage, logs }
}

#[test]
fn a_running_process_has_all_samples() {
    let text = text(vec![running()], MetricsFormat::Prometheus);
    let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let expected = "\
sv_build_info{version=\"VERSION\"} 1
sv_start_time_seconds 1.500
sv_config_last_reload_successful 1
sv_config_last_reload_success_timestamp_seconds 1.500
sv_events_dropped_total 3
sv_orphans_reaped_total 4
sv_spawn_seconds_bucket{le=\"0.0001\"} 0
sv_spawn_seconds_bucket{le=\"0.00025\"} 0
sv_spawn_seconds_bucket{le=\"0.0005\"} 0
sv_spawn_seconds_bucket{le=\"0.001\"} 0
sv_spawn_seconds_bucket{le=\"0.0025\"} 0
sv_spawn_seconds_bucket{le=\"0.005\"} 1
sv_spawn_seconds_bucket{le=\"0.01\"} 1
sv_spawn_seconds_bucket{le=\"0.025\"} 1
sv_spawn_seconds_bucket{le=\"0.05\"} 1
sv_spawn_seconds_bucket{le=\"0.1\"} 1
sv_spawn_seconds_bucket{le=\"0.5\"} 1
sv_spawn_seconds_bucket{le=\"2.5\"} 1
sv_spawn_seconds_bucket{le=\"+Inf\"} 1
sv_spawn_seconds_sum 0.003
sv_spawn_seconds_count 1
node_supervisord_up{WEB} 1
node_supervisord_state{WEB} 20
node_supervisord_exit_status{WEB} 0
node_supervisord_start_time_seconds{WEB} 2
sv_process_state{WEB,state=\"STOPPED\"} 0
sv_process_state{WEB,state=\"STARTING\"} 0
sv_process_state{WEB,state=\"RUNNING\"} 1
sv_process_state{WEB,state=\"BACKOFF\"} 0
sv_process_state{WEB,state=\"STOPPING\"} 0
sv_process_state{WEB,state=\"EXITED\"} 0
sv_process_state{WEB,state=\"FATAL\"} 0
sv_process_state{WEB,state=\"UNKNOWN\"} 0
sv_process_ready{WEB} 1
sv_process_healthy{WEB} 0
sv_process_starts_total{WEB} 5
sv_process_restarts_total{WEB} 4
sv_process_failed_starts_total{WEB} 2
sv_process_exits_total{WEB,kind=\"expected\"} 1
sv_process_exits_total{WEB,kind=\"unexpected\"} 0
sv_process_exits_total{WEB,kind=\"signal\"} 1
sv_process_exits_total{WEB,kind=\"oom\"} 0
sv_process_last_exit_code{WEB} 137
sv_process_cpu_seconds_total{WEB} 1.25
sv_process_resident_memory_bytes{WEB} 8192
sv_process_log_bytes_total{WEB,stream=\"stdout\"} 100
sv_process_log_bytes_total{WEB,stream=\"stderr\"} 0
sv_process_log_dropped_bytes_total{WEB,stream=\"stdout\"} 30
sv_process_log_dropped_bytes_total{WEB,stream=\"stderr\"} 0";
    let expected = expected
        .replace("VERSION", env!("CARGO_PKG_VERSION"))
        .replace("WEB", "group=\"web\",name=\"web_00\"");
    assert_eq!(samples.join("\n"), expected);
}

#[test]
fn what_is_unknown_has_no_sample() {
    let snapshot = process("web", "web", ProcessState::Stopped);
    let text = text(
        vec![ProcessMeasurements { snapshot, usage: None, logs: Default::default() }],
        MetricsFormat::Prometheus,
    );
    for absent in [
        "node_supervisord_start_time_seconds{",
        "sv_process_healthy{",
        "sv_process_last_exit_code{",
        "sv_process_cpu_seconds_total{",
        "sv_process_resident_memory_bytes{",
    ] {
        assert!(!text.contains(absent), "{absent}");
    }
    assert!(text.contains("node_supervisord_up{group=\"web\",name=\"web\"} 0\n"));
}

#[test]
fn openmetrics_differs_in_the_names_of_families_and_the_end() {
    let [prometheus, open] =
        [MetricsFormat::Prometheus, MetricsFormat::OpenMetrics].map(|format| text(vec![running()], format));
    let samples = |text: &str| {
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(samples(&prometheus), samples(&open));
    assert!(open.ends_with("\n# EOF\n") && !prometheus.contains("# EOF"));
    for (line, in_prometheus) in [
        ("# TYPE sv_process_starts counter\n", false),
        ("# TYPE sv_process_starts_total counter\n", true),
        ("# TYPE sv_build info\n", false),
        ("# TYPE sv_build_info gauge\n", true),
    ] {
        assert_eq!(
            (prometheus.contains(line), open.contains(line)),
            (in_prometheus, !in_prometheus),
            "{line}"
        );
    }
}

#[test]
fn hostile_names_stay_in_their_labels() {
    let snapshot = process("a\"} 1\nx{b=\"", "\\<b>&\r\u{fffd}\u{e4}", ProcessState::Fatal);
    let text = text(
        vec![ProcessMeasurements { snapshot, usage: None, logs: Default::default() }],
        MetricsFormat::Prometheus,
    );
    let labels = "group=\"a\\\"} 1\\nx{b=\\\"\",name=\"\\\\<b>&\r\u{fffd}\u{e4}\"";
    assert!(text.contains(&format!("\nnode_supervisord_up{{{labels}}} 0\n")), "{text}");
    assert!(
        text.split('\n')
            .all(|line| line.is_empty() || ["#", "sv_", "node_"].iter().any(|it| line.starts_with(it)))
    );
}

#[test]
fn the_table_follows_the_conventions_of_both_formats() {
    let mut names = BTreeSet::new();
    for family in FAMILIES {
        assert!(names.insert(family.name), "{} is there twice", family.name);
        assert_eq!(family.name.ends_with("_total"), family.kind == MetricType::Counter, "{}", family.name);
        assert_eq!(family.name.ends_with("_info"), family.kind == MetricType::Info, "{}", family.name);
        assert!(!family.help.contains(['\\', '"', '\n']) && family.help.ends_with('.'), "{}", family.name);
    }
}

#[test]
fn many_processes_are_encoded_in_slices() {
    let processes: Vec<_> = (0..1000).map(|_| running()).collect();
    let measured = Measurements {
        supervisor: supervisor(Vec::new()),
        began: wall(0),
        spawn_times: Histogram::default(),
    };
    let mut exposition = Exposition::new(measured, processes.len(), MetricsFormat::Prometheus);
    processes.into_iter().for_each(|process| exposition.add(process));
    let mut slices = 1;
    while !exposition.encode_slice() {
        slices += 1;
    }
    let held = exposition.held_bytes();
    let text = exposition.finish();
    assert!(slices >= text.len() / (70 * 1024) && slices > 10, "{slices} for {}", text.len());
    assert!(held >= text.len() && held < 3 * text.len(), "{held} for {}", text.len());
}

fn answers(snapshot: ProcessSnapshot) -> [(bool, String); 2] {
    let snapshot = supervisor(vec![process("ok", "ok", ProcessState::Running), snapshot]);
    [ProbeAnswer::ready(&snapshot), ProbeAnswer::healthy(&snapshot)].map(|it| (it.is_positive, it.text))
}

#[test]
fn readiness_and_health_of_a_process() {
    let required = |state| process("g", "x", state);
    let done = ProcessSnapshot { ended_as_expected: true, ..required(ProcessState::Exited) };
    let manual = |state| {
        let spec = ProcessSpec { autostart: false, ..(*required(state).spec).clone() };
        ProcessSnapshot { spec: Arc::new(spec), ..required(state) }
    };
    let stopped = ProcessSnapshot { started: Some(wall(0)), ..required(ProcessState::Stopped) };
    let checked = |health| ProcessSnapshot { health: Some(health), ..required(ProcessState::Running) };
    let cut_off =
        ProcessSnapshot { listener: Some(ListenerState::Unknown), ..required(ProcessState::Running) };
    for (snapshot, ready, healthy) in [
        (required(ProcessState::Running), "", ""),
        (required(ProcessState::Starting), "g:x is STARTING", "g:x is STARTING"),
        (required(ProcessState::Backoff), "g:x is BACKOFF", "g:x is BACKOFF"),
        (required(ProcessState::Fatal), "g:x is FATAL", "g:x is FATAL"),
        (required(ProcessState::Stopped), "g:x is STOPPED", "g:x is STOPPED"),
        (required(ProcessState::Exited), "g:x is EXITED", "g:x is EXITED"),
        (required(ProcessState::Stopping), "g:x is STOPPING", ""),
        (stopped, "g:x is STOPPED", ""),
        (done, "", ""),
        (manual(ProcessState::Stopped), "", ""),
        (manual(ProcessState::Fatal), "", "g:x is FATAL"),
        (checked(HealthStatus::Healthy), "", ""),
        (checked(HealthStatus::Starting), "", "g:x is RUNNING, and its health check has not succeeded yet"),
        (checked(HealthStatus::Unhealthy), "", "g:x is RUNNING, and its health check fails"),
        (cut_off, "", "g:x is RUNNING, but has broken the protocol of listeners"),
    ] {
        let shown = format!("{snapshot:?}");
        let expected = [("ready", ready), ("healthy", healthy)].map(|(word, problem)| match problem {
            "" => (true, format!("{word}\n")),
            problem => (false, format!("not {word}: {problem}\n")),
        });
        assert_eq!(answers(snapshot), expected, "{shown}");
    }
}

#[test]
fn a_shutdown_is_neither_ready_nor_healthy_and_long_lists_are_cut() {
    let mut snapshot = supervisor(vec![process("a\nb", "x", ProcessState::Fatal); PROCESSES_NAMED_MAX + 5]);
    snapshot.state = SupervisorState::Shutdown;
    let ProbeAnswer { is_positive, text } = ProbeAnswer::ready(&snapshot);
    let lines: Vec<_> = text.lines().collect();
    assert!(!is_positive && lines.len() == PROCESSES_NAMED_MAX + 2, "{text}");
    assert_eq!(lines[0], "not ready: the supervisor is shutting down");
    assert_eq!((lines[1], lines[lines.len() - 1]), ("not ready: a\\nb:x is FATAL", "not ready: 5 more"));
    snapshot.processes.clear();
    snapshot.state = SupervisorState::Restarting;
    assert_eq!(ProbeAnswer::healthy(&snapshot).text, "not healthy: the supervisor is restarting\n");
}
