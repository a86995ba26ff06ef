//! Options that Supervisor does not have: dependencies, readiness, health, restarts, hooks and schedules.

use std::time::Duration;

use super::DefaultValue::{Is, Unset};
use super::OnUpdate::{InPlace, NextStart, Restart};
use super::Per::Process;
use super::fields::row;
use super::{Field, Lands, OptionDoc};
use crate::model::{
    HealthSpec, OnUnhealthy, Overlap, ProcessSpec, ProgramType, ReadinessSpec, ReadyCheck, ScheduleSpec,
};

/// More frequent checks would overload the machine.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);

/// In the order of the sample. An option that creates a part comes before those of the part.
pub(super) const LIFECYCLE: &[OptionDoc] = &[
    row(
        "type",
        Lands::Word(&["daemon", "oneshot"], word!(program_type: ProgramType::Daemon, ProgramType::Oneshot)),
        Is("daemon"),
        (Process, Restart),
        "oneshot",
        "oneshot: a job that runs to completion",
    )
    .since("0.1.0"),
    row(
        "depends_on",
        Lands::Dependencies(field!(lifecycle.depends_on)),
        Is(""),
        (Process, InPlace),
        "db, migrate=done, cache?",
        "programs to wait for: db, cache=started, api?",
    )
    .since("0.1.0"),
    row(
        "restart_with",
        Lands::Dependencies(field!(lifecycle.restart_with)),
        Is(""),
        (Process, InPlace),
        "db",
        "stop when these stop, start when they are ready",
    )
    .since("0.1.0"),
    row(
        "ready",
        Lands::Ready(Field {
            get: |spec| spec.lifecycle.readiness.as_ref().map(|ready| ready.checks.clone()),
            set: |spec, checks| {
                let is_default = checks.iter().all(|check| *check == ReadyCheck::StartSecs);
                spec.lifecycle.readiness = (!is_default).then(|| Box::new(ReadinessSpec::new(checks)));
            },
            is_same: |old, new| {
                let checks =
                    |spec: &ProcessSpec| spec.lifecycle.readiness.as_ref().map(|ready| ready.checks.clone());
                checks(old) == checks(new)
            },
        }),
        Is("startsecs"),
        (Process, NextStart),
        "notify",
        "or notify, fd:N, tcp:PORT, unix:, http:, exec:, file:, log:",
    )
    .since("0.1.0"),
    row(
        "ready_timeout",
        Lands::Seconds(
            Duration::ZERO,
            Field {
                get: |spec| spec.lifecycle.ready_timeout,
                set: |spec, timeout| spec.lifecycle.ready_timeout = Some(timeout),
                is_same: |old, new| old.lifecycle.ready_timeout == new.lifecycle.ready_timeout,
            },
        ),
        Unset("60"),
        (Process, NextStart),
        "5",
        "seconds to become ready; 0: no limit; default: 60 with ready",
    )
    .since("0.1.0"),
    row(
        "ready_interval",
        Lands::Seconds(LEAST_INTERVAL, part!(readiness.interval)),
        Is("1"),
        (Process, NextStart),
        "0.5",
        "longest pause between two readiness checks",
    )
    .since("0.1.0"),
    row(
        "health",
        Lands::Health(Field {
            get: |spec| spec.lifecycle.health.as_ref().map(|health| health.check.clone()),
            set: |spec, check| spec.lifecycle.health = Some(Box::new(HealthSpec::new(check))),
            is_same: |old, new| {
                let check =
                    |spec: &ProcessSpec| spec.lifecycle.health.as_ref().map(|health| health.check.clone());
                check(old) == check(new)
            },
        }),
        Unset("tcp:8080"),
        (Process, InPlace),
        "exec:/bin/true",
        "notify, tcp:PORT, unix:PATH, http://HOST:PORT/PATH, exec:COMMAND",
    )
    .since("0.1.0"),
    row(
        "health_interval",
        Lands::Seconds(LEAST_INTERVAL, part!(health.interval)),
        Is("10"),
        (Process, InPlace),
        "2.5",
        "seconds between two health checks",
    )
    .since("0.1.0"),
    row(
        "health_timeout",
        Lands::Seconds(LEAST_INTERVAL, part!(health.timeout)),
        Is("5"),
        (Process, InPlace),
        "1",
        "time limit of a health check in seconds",
    )
    .since("0.1.0"),
    row(
        "health_retries",
        Lands::Count(part!(health.retries)),
        Unset("3"),
        (Process, InPlace),
        "2",
        "failures in a row that make it unhealthy; default: 3, 1 with notify",
    )
    .since("0.1.0"),
    row(
        "health_successes",
        Lands::Count(part!(health.successes)),
        Is("1"),
        (Process, InPlace),
        "2",
        "successes in a row that make it healthy",
    )
    .since("0.1.0"),
    row(
        "health_start_period",
        Lands::Seconds(Duration::ZERO, part!(health.start_period)),
        Is("0"),
        (Process, InPlace),
        "30",
        "seconds after ready in which failures do not count",
    )
    .since("0.1.0"),
    row(
        "on_unhealthy",
        Lands::Word(
            &["restart", "shutdown", "ignore"],
            part!(health.on_unhealthy: OnUnhealthy::Restart, OnUnhealthy::Shutdown, OnUnhealthy::Ignore),
        ),
        Is("restart"),
        (Process, InPlace),
        "ignore",
        "restart it, shutdown everything, or ignore it",
    )
    .since("0.1.0"),
    row(
        "restart_delay",
        Lands::Seconds(Duration::ZERO, making!(restart_policy.delay)),
        Unset("0.5"),
        (Process, InPlace),
        "2",
        "seconds before the first restart, then doubled",
    )
    .since("0.1.0"),
    row(
        "restart_delay_max",
        Lands::Seconds(Duration::ZERO, making!(restart_policy.delay_max)),
        Unset("30"),
        (Process, InPlace),
        "60",
        "longest delay; default: 30 once a restart_* is set",
    )
    .since("0.1.0"),
    row(
        "restart_jitter",
        Lands::Percent(making!(restart_policy.jitter_percent)),
        Unset("10%"),
        (Process, InPlace),
        "20%",
        "random part of a delay; default: 10% once a restart_* is set",
    )
    .since("0.1.0"),
    row(
        "restart_reset_after",
        Lands::Seconds(Duration::ZERO, making!(restart_policy.reset_after)),
        Unset("30"),
        (Process, InPlace),
        "60",
        "seconds of uptime that reset the delays; default: 30",
    )
    .since("0.1.0"),
    row(
        "restart_limit",
        Lands::RestartLimit(making!(restart_policy.limit, Some)),
        Unset("10/60"),
        (Process, InPlace),
        "5/30",
        "ends/seconds: give up after this many in this time",
    )
    .since("0.1.0"),
    row(
        "pre_start",
        hook!(pre_start),
        Unset("/bin/true"),
        (Process, NextStart),
        "/bin/true",
        "run before each start, which fails if this fails",
    )
    .since("0.1.0"),
    row(
        "post_start",
        hook!(post_start),
        Unset("/bin/true"),
        (Process, NextStart),
        "/bin/true",
        "run once the program is ready",
    )
    .since("0.1.0"),
    row(
        "pre_stop",
        hook!(pre_stop),
        Unset("/bin/true"),
        (Process, InPlace),
        "/bin/true",
        "run before the stop signal, within stopwaitsecs",
    )
    .since("0.1.0"),
    row(
        "post_stop",
        hook!(post_stop),
        Unset("/bin/true"),
        (Process, InPlace),
        "/bin/true",
        "run after the program has ended",
    )
    .since("0.1.0"),
    row(
        "on_failure",
        hook!(on_failure),
        Unset("/bin/true"),
        (Process, InPlace),
        "/bin/true",
        "run when the program becomes FATAL",
    )
    .since("0.1.0"),
    row(
        "hook_timeout",
        Lands::Seconds(LEAST_INTERVAL, part!(hooks.timeout)),
        Is("10"),
        (Process, InPlace),
        "5",
        "time limit of a hook in seconds",
    )
    .since("0.1.0"),
    row(
        "runtime_directory",
        Lands::Paths(field!(lifecycle.runtime_directories)),
        Is(""),
        (Process, NextStart),
        "/run/php,/run/web",
        "directories to create before each start: /run/php",
    )
    .since("0.1.0"),
    row(
        "schedule",
        Lands::Schedule(Field {
            get: |spec| spec.lifecycle.schedule.as_ref().map(|it| (it.when.clone(), it.text.clone())),
            set: |spec, (when, text)| spec.lifecycle.schedule = Some(Box::new(ScheduleSpec::new(when, text))),
            is_same: |old, new| {
                let when = |spec: &ProcessSpec| {
                    spec.lifecycle.schedule.as_ref().map(|schedule| schedule.when.clone())
                };
                when(old) == when(new)
            },
        }),
        Unset("*/15 * * * *"),
        (Process, InPlace),
        "@every 90s",
        "when to run: five fields of cron, @daily, @every 90s",
    )
    .since("0.1.0"),
    row(
        "schedule_timezone",
        Lands::Zone(part!(schedule.zone)),
        Unset("UTC"),
        (Process, InPlace),
        "Europe/Berlin",
        "time zone of the schedule; default: TZ or the machine's",
    )
    .since("0.1.0"),
    row(
        "schedule_overlap",
        Lands::Word(
            &["skip", "queue", "restart"],
            part!(schedule.overlap: Overlap::Skip, Overlap::Queue, Overlap::Restart),
        ),
        Is("skip"),
        (Process, InPlace),
        "queue",
        "if the last run is not over: skip, queue or restart",
    )
    .since("0.1.0"),
    row(
        "schedule_jitter",
        Lands::Seconds(Duration::ZERO, part!(schedule.jitter)),
        Is("0"),
        (Process, InPlace),
        "30",
        "start up to this many seconds later",
    )
    .since("0.1.0"),
    row(
        "schedule_catch_up",
        Lands::Boolean(part!(schedule.catch_up)),
        Is("false"),
        (Process, InPlace),
        "true",
        "make up for missed runs with one run",
    )
    .since("0.1.0"),
];
