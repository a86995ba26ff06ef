//! `health`, `ready`, `schedule` and similar options: options without effect, and the effect of the others.

use std::time::Duration;

use tz::DateTime;

use super::{Advice, SectionProcesses, with_options};
use crate::config::{Reading, Remark};
use crate::model::{
    CgroupMode, HealthCheck, ProcessSpec, ProgramType, ReadyCheck, RestartDelays, ScheduleSpec, counted,
    seconds_text,
};

/// Options that belong to an optional part of the specification.
struct OptionPart {
    options: &'static [&'static str],
    /// What the options need, or what replaces them.
    reason: &'static str,
    /// Whether they have no effect.
    is_idle: fn(&ProcessSpec) -> bool,
}

const OPTION_PARTS: [OptionPart; 12] = [
    OptionPart {
        options: &[
            "health_interval",
            "health_timeout",
            "health_retries",
            "health_successes",
            "health_start_period",
            "on_unhealthy",
        ],
        reason: "without health",
        is_idle: |spec| spec.lifecycle.health.is_none(),
    },
    OptionPart {
        options: &["health"],
        reason: "with type=oneshot, whose end says how it went",
        is_idle: |spec| spec.program_type == ProgramType::Oneshot && spec.lifecycle.health.is_some(),
    },
    OptionPart {
        options: &["health_timeout"],
        reason: "with health=notify, where nothing is asked",
        is_idle: |spec| {
            spec.lifecycle.health.as_ref().is_some_and(|health| health.check == HealthCheck::Notify)
        },
    },
    OptionPart {
        options: &["ready_interval"],
        reason: "without ready",
        is_idle: |spec| spec.lifecycle.readiness.is_none(),
    },
    OptionPart {
        options: &["ready_timeout"],
        reason: "without ready or type=oneshot",
        is_idle: |spec| spec.lifecycle.readiness.is_none() && spec.program_type == ProgramType::Daemon,
    },
    OptionPart {
        options: &["on_memory_limit", "memory_interval"],
        reason: "without memory_limit",
        is_idle: |spec| spec.lifecycle.memory_limit.is_none(),
    },
    OptionPart {
        options: &["cgroup_memory_max", "cgroup_memory_high", "cgroup_cpu_max", "cgroup_pids_max"],
        reason: "with cgroup=off",
        is_idle: |spec| spec.limits.as_ref().is_some_and(|limits| limits.cgroup.mode == CgroupMode::Off),
    },
    OptionPart {
        options: &["hook_timeout"],
        reason: "without a hook",
        is_idle: |spec| spec.lifecycle.hooks.is_none(),
    },
    OptionPart {
        options: &["schedule_timezone", "schedule_overlap", "schedule_jitter", "schedule_catch_up"],
        reason: "without schedule",
        is_idle: |spec| spec.lifecycle.schedule.is_none(),
    },
    OptionPart {
        options: &["startsecs", "autorestart", "post_start"],
        reason: "with type=oneshot",
        is_idle: |spec| spec.program_type == ProgramType::Oneshot,
    },
    OptionPart {
        options: &["pre_stop"],
        reason: "with a stopwaitsecs of 0",
        is_idle: |spec| spec.stop_wait_secs <= 0,
    },
    OptionPart {
        options: &["startsecs"],
        reason: "with ready, unless that names startsecs too",
        is_idle: |spec| {
            spec.lifecycle
                .readiness
                .as_ref()
                .is_some_and(|ready| !ready.checks.contains(&ReadyCheck::StartSecs))
        },
    },
];

const RESTART_OPTIONS: [&str; 5] =
    ["restart_delay", "restart_delay_max", "restart_jitter", "restart_reset_after", "restart_limit"];

/// The maximum number of delays shown; with usual values the longest is among them.
const DELAYS_SHOWN_MAX: u32 = 12;

/// The number of runs shown.
const RUNS_SHOWN: usize = 3;

/// Checks each program by its first process. `now` is in seconds since 1970.
pub(super) fn lint(reading: &mut Reading<'_>, programs: &[SectionProcesses<'_, '_>], now: Option<i64>) {
    for program in programs {
        let Some(spec) = program.processes.first() else { continue };
        warn_of_idle_options(reading, program, spec);
        warn_of_early_timeout(reading, program, spec);
        if let Some(policy) = &spec.lifecycle.restart_policy {
            let option = RESTART_OPTIONS.into_iter().find(|option| program.section.entry(option).is_some());
            note(reading, program, option.unwrap_or(RESTART_OPTIONS[0]), delays(policy));
        }
        if let Some((schedule, now)) = spec.lifecycle.schedule.as_ref().zip(now) {
            note(reading, program, "schedule", next_runs(schedule, now));
        }
    }
}

/// Only options that the section itself sets: defaults for all programs are not meant for each of them.
fn warn_of_idle_options(reading: &mut Reading<'_>, program: &SectionProcesses<'_, '_>, spec: &ProcessSpec) {
    for OptionPart { options, reason, is_idle } in &OPTION_PARTS {
        for name in options.iter().filter(|name| is_idle(spec) && program.section.entry(name).is_some()) {
            let text = format!("{name} of [{}] has no effect {reason}", program.section.name);
            with_options(reading, program.section, program.kind(), |options| {
                Advice::new(text).report(options, name);
            });
        }
    }
}

/// A start that is given up before it can be ready.
fn warn_of_early_timeout(reading: &mut Reading<'_>, program: &SectionProcesses<'_, '_>, spec: &ProcessSpec) {
    let needs_start_secs =
        spec.lifecycle.readiness.as_ref().is_some_and(|ready| ready.checks.contains(&ReadyCheck::StartSecs));
    let Some(timeout) = spec.start_timeout().filter(|_| needs_start_secs) else { return };
    if u64::try_from(spec.start_secs).is_ok_and(|secs| timeout < Duration::from_secs(secs)) {
        let text = format!(
            "[{}] is never ready: ready waits for startsecs={}, and ready_timeout ends the start after {}",
            program.section.name,
            spec.start_secs,
            seconds_text(timeout)
        );
        with_options(reading, program.section, program.kind(), |options| {
            Advice::new(text).report(options, "ready");
        });
    }
}

fn note(reading: &mut Reading<'_>, program: &SectionProcesses<'_, '_>, option: &str, text: String) {
    let text = format!("[{}] {text}", program.section.name);
    with_options(reading, program.section, program.kind(), |options| {
        let remark = Remark { is_note: true, ..Remark::warning(options.spot(option), text) };
        options.reading.remark(remark);
    });
}

/// The sequence of delays of a policy.
fn delays(policy: &RestartDelays) -> String {
    let longest = policy.delay_before(u32::MAX);
    let mut shown = Vec::new();
    for restart in 0..DELAYS_SHOWN_MAX {
        let delay = policy.delay_before(restart);
        shown.push(delay.as_secs_f64().to_string());
        if delay == longest {
            break;
        }
    }
    let jitter = match policy.jitter_percent {
        0 => String::new(),
        percent => format!(", each up to {percent}% more or less"),
    };
    let end = match &policy.limit {
        Some(limit) => {
            format!("gives up after {} in {}", counted(limit.ends, "end", "ends"), seconds_text(limit.within))
        }
        None => "restart_limit does not end it".to_owned(),
    };
    let unit = if shown == ["1"] { "second" } else { "seconds" };
    format!("restarts after {} {unit}{jitter}; {end}", shown.join(", "))
}

/// The next runs, in the time zone of the schedule.
fn next_runs(schedule: &ScheduleSpec, now: i64) -> String {
    let runs = std::iter::successors(schedule.next_after(now), |last| schedule.next_after(*last));
    let runs: Vec<_> = runs.take(RUNS_SHOWN).filter_map(|unix| shown(unix, schedule)).collect();
    format!("next runs: {}", runs.join(", "))
}

fn shown(unix: i64, schedule: &ScheduleSpec) -> Option<String> {
    let zone = schedule.zone.rules()?;
    let at = DateTime::from_timespec(unix, 0, zone.as_ref()).ok()?;
    let name = Some(at.local_time_type().time_zone_designation()).filter(|name| !name.is_empty());
    let name = name.unwrap_or("UTC");
    Some(format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02} {name}",
        at.year(),
        at.month(),
        at.month_day(),
        at.hour(),
        at.minute(),
        at.second()
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::findings::{Examination, Severity, check};
    use super::super::tests::{machine, warnings_in};
    use crate::config::fake::MAIN;

    /// `line: note`, one per line, on 28 March 2026 at noon in UTC.
    fn notes_in(text: &str) -> Vec<String> {
        let machine = machine(&format!("[supervisord]\n{text}")).variable("TZ", "CET-1CEST,M3.5.0,M10.5.0/3");
        let examination = Examination { now: Some(1_774_699_200), ..Examination::default() };
        let findings = check(Path::new(MAIN), &[], &[], &machine, examination).findings;
        let notes = findings.into_iter().filter(|finding| finding.severity == Severity::Note);
        notes.map(|note| format!("{}: {}", note.line.unwrap_or_default(), note.message)).collect()
    }

    #[test]
    fn options_without_their_part_have_no_effect() {
        for (lines, expected) in [
            ("health_retries=2\n", "health_retries of [program:a] has no effect without health"),
            (
                "health=tcp:80\ntype=oneshot\n",
                "health of [program:a] has no effect with type=oneshot, whose end says how it went",
            ),
            (
                "health_timeout=2\nhealth=notify\n",
                "health_timeout of [program:a] has no effect with health=notify, where nothing is asked",
            ),
            ("ready_timeout=2\n", "ready_timeout of [program:a] has no effect without ready or type=oneshot"),
            ("hook_timeout=2\n", "hook_timeout of [program:a] has no effect without a hook"),
            ("schedule_jitter=2\n", "schedule_jitter of [program:a] has no effect without schedule"),
            ("startsecs=2\ntype=oneshot\n", "startsecs of [program:a] has no effect with type=oneshot"),
            ("post_start=a\ntype=oneshot\n", "post_start of [program:a] has no effect with type=oneshot"),
            (
                "pre_stop=a\nstopwaitsecs=0\n",
                "pre_stop of [program:a] has no effect with a stopwaitsecs of 0",
            ),
            (
                "startsecs=2\nready=notify\n",
                "startsecs of [program:a] has no effect with ready, unless that names startsecs too",
            ),
        ] {
            let text = format!("[program:a]\ncommand=a\n{lines}");
            assert_eq!(warnings_in(&text), [format!("4: {expected}")], "{lines}");
        }
        for lines in [
            "health_retries=2\nhealth=tcp:80\n",
            "startsecs=2\nready=notify\n startsecs\n",
            "ready_timeout=2\ntype=oneshot\n",
            "[program-default]\nhealth_retries=2\nhook_timeout=3\n",
        ] {
            let text = format!("[program:a]\ncommand=a\n{lines}");
            assert_eq!(warnings_in(&text), [] as [&str; 0], "{lines}");
        }
    }

    #[test]
    fn a_start_that_is_given_up_too_early_is_never_ready() {
        let ready =
            |lines: &str| warnings_in(&format!("[program:a]\ncommand=a\nready=startsecs\n tcp:80\n{lines}"));
        let expected = |secs: u32, timeout: u32| {
            [format!(
                "4: [program:a] is never ready: ready waits for startsecs={secs}, and ready_timeout ends the start after \
                 {timeout} seconds"
            )]
        };
        assert_eq!(ready("startsecs=61\n"), expected(61, 60));
        assert_eq!(ready("startsecs=5\nready_timeout=4\n"), expected(5, 4));
        for lines in ["startsecs=60\n", "startsecs=61\nready_timeout=0\n", ""] {
            assert_eq!(ready(lines), [] as [&str; 0], "{lines}");
        }
    }

    #[test]
    fn restart_delays_are_shown_as_a_row() {
        let delays = |lines: &str| notes_in(&format!("[program:a]\ncommand=a\n{lines}"));
        assert_eq!(
            delays("restart_delay=0.5\n"),
            ["4: [program:a] restarts after 0.5, 1, 2, 4, 8, 16, 30 seconds, each up to 10% more or less; \
                 restart_limit does not end it"]
        );
        let lines = "restart_delay=5\nrestart_delay_max=5\nrestart_jitter=0\nrestart_limit=3/60\n";
        let expected = "4: [program:a] restarts after 5 seconds; gives up after 3 ends in 60 seconds";
        assert_eq!(delays(lines), [expected]);
    }

    #[test]
    fn the_next_runs_of_a_schedule_are_shown_in_its_zone() {
        let runs = |lines: &str| notes_in(&format!("[program:a]\ncommand=a\n{lines}"));
        assert_eq!(
            runs("schedule=30 2 * * *\n"),
            ["4: [program:a] next runs: 2026-03-29 03:00:00 CEST, 2026-03-30 02:30:00 CEST, \
                 2026-03-31 02:30:00 CEST"]
        );
        let utc = runs("schedule=@daily\nschedule_timezone=UTC\n");
        assert!(utc[0].starts_with("4: [program:a] next runs: 2026-03-29 00:00:00 UTC, "), "{utc:?}");
    }
}
