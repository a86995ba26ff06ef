//! The options of programs, a row each.

use super::DefaultValue::{Is, Required, Unset};
use super::Per::{Process, Program};
use super::Update::{InPlace, NextStart, Restart};
use super::{DefaultValue, Field, Landing, Lands, OptionDoc, Per, Update, ValueType};
use crate::model::{
    HealthSpec, OnEnd, OnUnhealthy, Overlap, ProcessSpec, ProgramType, ReadinessSpec, ReadyCheck,
    ScheduleSpec,
};
use std::time::Duration;

/// A field of the specification.
macro_rules! field {
    ($($path:tt)+) => {
        Field {
            set: |spec, value| spec.$($path)+ = value,
            is_same: |old, new| old.$($path)+ == new.$($path)+,
        }
    };
}

/// A field whose values have a word each.
macro_rules! word {
    ($path:ident: $($value:expr),+) => {
        Field {
            set: |spec, index| spec.$path = [$($value),+][index],
            is_same: |old, new| old.$path == new.$path,
        }
    };
}

/// A field of a part that another option makes, and that has a default there.
macro_rules! part {
    ($part:ident.$field:ident) => {
        Field {
            set: |spec, value| {
                if let Some(part) = &mut spec.$part {
                    part.$field = value;
                }
            },
            is_same: |old, new| match (&old.$part, &new.$part) {
                (Some(old), Some(new)) => old.$field == new.$field,
                _ => true,
            },
        }
    };
    ($part:ident.$field:ident: $($value:expr),+) => {
        Field {
            set: |spec, index| {
                if let Some(part) = &mut spec.$part {
                    part.$field = [$($value),+][index];
                }
            },
            is_same: |old, new| match (&old.$part, &new.$part) {
                (Some(old), Some(new)) => old.$field == new.$field,
                _ => true,
            },
        }
    };
}

/// A field of a part that each of its options makes.
macro_rules! making {
    ($part:ident.$field:ident, $into:expr) => {
        Field {
            set: |spec, value| spec.$part.get_or_insert_default().$field = $into(value),
            is_same: |old, new| {
                old.$part.as_ref().map(|part| &part.$field) == new.$part.as_ref().map(|part| &part.$field)
            },
        }
    };
}

/// One of the hooks.
macro_rules! hook {
    ($field:ident) => {
        Lands::Command(Field {
            set: |spec, command| spec.hooks.get_or_insert_default().$field = Some(command),
            is_same: |old, new| {
                let hook = |spec: &ProcessSpec| spec.hooks.as_ref().and_then(|hooks| hooks.$field.clone());
                hook(old) == hook(new)
            },
        })
    };
}

/// A field that a reader of its own sets.
macro_rules! own {
    ($value:ident, $($path:tt)+) => {
        Lands::Own(
            ValueType::$value,
            Field { set: |_, ()| (), is_same: |old, new| old.$($path)+ == new.$($path)+ },
        )
    };
}

/// An option that is a field: read once per program or for each process.
const fn row(
    name: &'static str,
    lands: Lands,
    default: DefaultValue,
    (per, update): (Per, Update),
    test: &'static str,
    doc: &'static str,
) -> OptionDoc {
    OptionDoc {
        name,
        value: lands.value(),
        default,
        doc,
        landing: Some(Landing { lands, per, update, test }),
    }
}

/// An option that decides which processes there are.
const fn beside(name: &'static str, value: ValueType, default: DefaultValue, doc: &'static str) -> OptionDoc {
    OptionDoc::new(name, value, default, doc)
}

const ON_END: &[&str] = &["ignore", "shutdown"];

/// In the order in which the sample shows them.
pub const PROGRAM: &[OptionDoc] = &[
    row(
        "command",
        own!(Command, command),
        Required("/bin/cat"),
        (Process, Restart),
        "/bin/false",
        "program and arguments; PATH is searched, no shell is used",
    ),
    row(
        "process_name",
        own!(Text, name),
        Is("%(program_name)s"),
        (Process, Restart),
        "other",
        "needs %(process_num) if numprocs is above 1",
    ),
    beside("numprocs", ValueType::Integer, Is("1"), "processes to run"),
    beside("numprocs_start", ValueType::Integer, Is("0"), "process_num of the first"),
    row(
        "directory",
        own!(Path, directory),
        Unset("/tmp"),
        (Process, Restart),
        "/srv",
        "where it runs; default: where we do",
    ),
    row(
        "umask",
        Lands::Octal(field!(umask)),
        Unset("022"),
        (Program, Restart),
        "077",
        "file mode mask; default: ours",
    ),
    row(
        "priority",
        Lands::Integer(field!(priority)),
        Is("999"),
        (Program, InPlace),
        "1",
        "lower ones start first and stop last",
    ),
    row(
        "autostart",
        Lands::Boolean(field!(autostart)),
        Is("true"),
        (Program, InPlace),
        "false",
        "start with the supervisor",
    ),
    row(
        "startsecs",
        Lands::Integer(field!(start_secs)),
        Is("1"),
        (Program, InPlace),
        "9",
        "seconds it must live to count as running",
    ),
    row(
        "startretries",
        Lands::Retries(field!(start_retries)),
        Is("3"),
        (Program, InPlace),
        "forever",
        "failed starts after the first before giving up, or forever",
    ),
    row(
        "autorestart",
        Lands::AutoRestart(field!(autorestart)),
        Is("unexpected"),
        (Program, InPlace),
        "false",
        "restart after an exit: true, false or unexpected",
    ),
    row(
        "exitcodes",
        Lands::ExitCodes(field!(exit_codes)),
        Is("0"),
        (Program, InPlace),
        "0,2",
        "exit codes that are expected",
    ),
    row(
        "stopsignal",
        Lands::Signal(field!(stop_signal)),
        Is("TERM"),
        (Program, InPlace),
        "INT",
        "signal that asks it to stop",
    ),
    row(
        "stopwaitsecs",
        Lands::Integer(field!(stop_wait_secs)),
        Is("10"),
        (Program, InPlace),
        "9",
        "seconds until it is killed",
    ),
    row(
        "stopasgroup",
        Lands::Boolean(field!(stop_as_group)),
        Is("false"),
        (Program, InPlace),
        "true",
        "stop its whole process group",
    ),
    row(
        "killasgroup",
        own!(Boolean, kill_as_group),
        Unset("false"),
        (Program, InPlace),
        "true",
        "kill its whole process group; default: as stopasgroup",
    ),
    row(
        "on_exit",
        Lands::Word(ON_END, word!(on_exit: OnEnd::Ignore, OnEnd::Shutdown)),
        Is("ignore"),
        (Program, InPlace),
        "shutdown",
        "shutdown: end with it, with its status; sv only",
    ),
    row(
        "on_fatal",
        Lands::Word(ON_END, word!(on_fatal: OnEnd::Ignore, OnEnd::Shutdown)),
        Is("ignore"),
        (Program, InPlace),
        "shutdown",
        "shutdown: end when it can't be started; sv only",
    ),
    row(
        "user",
        Lands::User(field!(user)),
        Unset("root"),
        (Program, Restart),
        "www",
        "user to run as; default: ours",
    ),
    beside(
        "set_user_environment",
        ValueType::Boolean,
        Is("false"),
        "HOME, USER and LOGNAME of its user; sv only",
    ),
    row(
        "redirect_stderr",
        Lands::Boolean(field!(redirect_stderr)),
        Is("false"),
        (Program, Restart),
        "true",
        "stderr goes where stdout goes",
    ),
    row(
        "stdout_logfile",
        own!(LogFile, stdout.target),
        Is("AUTO"),
        (Process, Restart),
        "NONE",
        "path, AUTO (a name of our own) or NONE",
    ),
    row(
        "stdout_logfile_maxbytes",
        Lands::Size(field!(stdout.bytes_max)),
        Is("50MB"),
        (Process, InPlace),
        "9",
        "size at which it is rotated; 0: never",
    ),
    row(
        "stdout_logfile_backups",
        Lands::Integer(field!(stdout.backups)),
        Is("10"),
        (Process, InPlace),
        "9",
        "rotated files to keep; 0: none",
    ),
    row(
        "stdout_capture_maxbytes",
        Lands::Size(field!(stdout.capture_bytes_max)),
        Is("0"),
        (Program, Restart),
        "9",
        "bytes to keep in capture mode; 0: off",
    ),
    row(
        "stdout_events_enabled",
        Lands::Boolean(field!(stdout.events_enabled)),
        Is("false"),
        (Program, Restart),
        "true",
        "tell listeners what it writes",
    ),
    row(
        "stdout_syslog",
        own!(Boolean, stdout.syslog),
        Is("false"),
        (Process, Restart),
        "true",
        "send it to syslog",
    ),
    row(
        "stderr_logfile",
        own!(LogFile, stderr.target),
        Is("AUTO"),
        (Process, Restart),
        "NONE",
        "path, AUTO (a name of our own) or NONE",
    ),
    row(
        "stderr_logfile_maxbytes",
        Lands::Size(field!(stderr.bytes_max)),
        Is("50MB"),
        (Process, InPlace),
        "9",
        "size at which it is rotated; 0: never",
    ),
    row(
        "stderr_logfile_backups",
        Lands::Integer(field!(stderr.backups)),
        Is("10"),
        (Process, InPlace),
        "9",
        "rotated files to keep; 0: none",
    ),
    row(
        "stderr_capture_maxbytes",
        Lands::Size(field!(stderr.capture_bytes_max)),
        Is("0"),
        (Program, Restart),
        "9",
        "bytes to keep in capture mode; 0: off",
    ),
    row(
        "stderr_events_enabled",
        Lands::Boolean(field!(stderr.events_enabled)),
        Is("false"),
        (Program, Restart),
        "true",
        "tell listeners what it writes",
    ),
    row(
        "stderr_syslog",
        own!(Boolean, stderr.syslog),
        Is("false"),
        (Process, Restart),
        "true",
        "send it to syslog",
    ),
    row(
        "log_format",
        own!(LogFormat, log_form.format),
        Unset("raw"),
        (Program, InPlace),
        "prefix",
        "raw, prefix or json; default: of [supervisord]; sv only",
    ),
    row(
        "log_timestamp",
        own!(Boolean, log_form.timestamp),
        Unset("true"),
        (Program, InPlace),
        "true",
        "default: of [supervisord]; sv only",
    ),
    row(
        "log_ring_bytes",
        own!(Size, log_form.ring_bytes),
        Unset("64KB"),
        (Program, InPlace),
        "9",
        "default: of [supervisord]; sv only",
    ),
    row(
        "environment",
        own!(Pairs, environment),
        Is(""),
        (Process, Restart),
        "A=\"1\"",
        "variables for it: A=\"1\",B=\"2\"",
    ),
    beside(
        "env_file",
        ValueType::Files,
        Unset("-/run/web.env"),
        "files of variables for it; -: may be missing; sv only",
    ),
    row(
        "serverurl",
        own!(Url, server_url),
        Is("AUTO"),
        (Program, Restart),
        "unix:///run/sv.sock",
        "value of SUPERVISOR_SERVER_URL",
    ),
    beside("enabled", ValueType::Boolean, Is("true"), "leave it out when false; sv only"),
    row(
        "type",
        Lands::Word(&["daemon", "oneshot"], word!(program_type: ProgramType::Daemon, ProgramType::Oneshot)),
        Is("daemon"),
        (Process, Restart),
        "oneshot",
        "oneshot: a job that ends, and is done once it has; sv only",
    ),
    row(
        "depends_on",
        Lands::Dependencies(field!(depends_on)),
        Is(""),
        (Process, InPlace),
        "db, migrate=done, cache?",
        "what to wait for: db, cache=started, api?; sv only",
    ),
    row(
        "restart_with",
        Lands::Dependencies(field!(restart_with)),
        Is(""),
        (Process, InPlace),
        "db",
        "stop when these stop, start when they are up; sv only",
    ),
    row(
        "ready",
        Lands::Ready(Field {
            set: |spec, checks| {
                let is_default = checks.iter().all(|check| *check == ReadyCheck::StartSecs);
                spec.readiness = (!is_default).then(|| Box::new(ReadinessSpec::new(checks)));
            },
            is_same: |old, new| {
                let checks = |spec: &ProcessSpec| spec.readiness.as_ref().map(|ready| ready.checks.clone());
                checks(old) == checks(new)
            },
        }),
        Is("startsecs"),
        (Process, NextStart),
        "notify",
        "or notify, fd:N, tcp:PORT, unix:, http:, exec:, file:, log:; sv only",
    ),
    row(
        "ready_timeout",
        Lands::Seconds(
            Duration::ZERO,
            Field {
                set: |spec, timeout| spec.ready_timeout = Some(timeout),
                is_same: |old, new| old.ready_timeout == new.ready_timeout,
            },
        ),
        Unset("60"),
        (Process, NextStart),
        "5",
        "seconds to be ready in; 0: any; default: 60 with ready; sv only",
    ),
    row(
        "ready_interval",
        Lands::Seconds(LEAST_INTERVAL, part!(readiness.interval)),
        Is("1"),
        (Process, NextStart),
        "0.5",
        "longest pause between two checks of ready; sv only",
    ),
    row(
        "health",
        Lands::Health(Field {
            set: |spec, check| spec.health = Some(Box::new(HealthSpec::new(check))),
            is_same: |old, new| {
                let check = |spec: &ProcessSpec| spec.health.as_ref().map(|health| health.check.clone());
                check(old) == check(new)
            },
        }),
        Unset("tcp:8080"),
        (Process, InPlace),
        "exec:/bin/true",
        "notify, tcp:PORT, unix:PATH, http://HOST:PORT/PATH, exec:COMMAND; sv only",
    ),
    row(
        "health_interval",
        Lands::Seconds(LEAST_INTERVAL, part!(health.interval)),
        Is("10"),
        (Process, InPlace),
        "2.5",
        "seconds between two checks; sv only",
    ),
    row(
        "health_timeout",
        Lands::Seconds(LEAST_INTERVAL, part!(health.timeout)),
        Is("5"),
        (Process, InPlace),
        "1",
        "seconds that a check may take; sv only",
    ),
    row(
        "health_retries",
        Lands::Count(part!(health.retries)),
        Is("3"),
        (Process, InPlace),
        "2",
        "failures in a row that make it unhealthy; sv only",
    ),
    row(
        "health_successes",
        Lands::Count(part!(health.successes)),
        Is("1"),
        (Process, InPlace),
        "2",
        "successes in a row that make it healthy; sv only",
    ),
    row(
        "health_start_period",
        Lands::Seconds(Duration::ZERO, part!(health.start_period)),
        Is("0"),
        (Process, InPlace),
        "30",
        "seconds from ready on in which failures don't count; sv only",
    ),
    row(
        "on_unhealthy",
        Lands::Word(
            &["restart", "shutdown", "ignore"],
            part!(health.on_unhealthy: OnUnhealthy::Restart, OnUnhealthy::Shutdown, OnUnhealthy::Ignore),
        ),
        Is("restart"),
        (Process, InPlace),
        "ignore",
        "restart it, shutdown everything, or ignore it; sv only",
    ),
    row(
        "restart_delay",
        Lands::Seconds(Duration::ZERO, making!(restart_policy.delay, std::convert::identity)),
        Unset("0.5"),
        (Process, InPlace),
        "2",
        "seconds before the first restart, then doubled; sv only",
    ),
    row(
        "restart_delay_max",
        Lands::Seconds(Duration::ZERO, making!(restart_policy.delay_max, std::convert::identity)),
        Unset("30"),
        (Process, InPlace),
        "60",
        "longest delay; default: 30 once a restart_* is set; sv only",
    ),
    row(
        "restart_jitter",
        Lands::Percent(making!(restart_policy.jitter_percent, std::convert::identity)),
        Unset("10%"),
        (Process, InPlace),
        "20%",
        "random part of a delay; default: 10% once a restart_* is set; sv only",
    ),
    row(
        "restart_reset_after",
        Lands::Seconds(Duration::ZERO, making!(restart_policy.reset_after, std::convert::identity)),
        Unset("30"),
        (Process, InPlace),
        "60",
        "seconds up after which delays start again; default: 30; sv only",
    ),
    row(
        "restart_limit",
        Lands::RestartLimit(making!(restart_policy.limit, Some)),
        Unset("10/60"),
        (Process, InPlace),
        "5/30",
        "ends/seconds: gives up after so many in that time; sv only",
    ),
    row(
        "pre_start",
        hook!(pre_start),
        Unset("/bin/true"),
        (Process, NextStart),
        "/bin/true",
        "run before each start, which fails if it fails; sv only",
    ),
    row(
        "post_start",
        hook!(post_start),
        Unset("/bin/true"),
        (Process, NextStart),
        "/bin/true",
        "run once it is ready; sv only",
    ),
    row(
        "pre_stop",
        hook!(pre_stop),
        Unset("/bin/true"),
        (Process, InPlace),
        "/bin/true",
        "run before it is stopped, within stopwaitsecs; sv only",
    ),
    row(
        "post_stop",
        hook!(post_stop),
        Unset("/bin/true"),
        (Process, InPlace),
        "/bin/true",
        "run after each end; sv only",
    ),
    row(
        "on_failure",
        hook!(on_failure),
        Unset("/bin/true"),
        (Process, InPlace),
        "/bin/true",
        "run when it is given up; sv only",
    ),
    row(
        "hook_timeout",
        Lands::Seconds(LEAST_INTERVAL, part!(hooks.timeout)),
        Is("10"),
        (Process, InPlace),
        "5",
        "seconds that a hook may take; sv only",
    ),
    row(
        "runtime_directory",
        Lands::Paths(field!(runtime_directories)),
        Is(""),
        (Process, NextStart),
        "/run/php,/run/web",
        "folders to make for it before each start: /run/php; sv only",
    ),
    row(
        "schedule",
        Lands::Schedule(Field {
            set: |spec, (when, text)| spec.schedule = Some(Box::new(ScheduleSpec::new(when, text))),
            is_same: |old, new| {
                let when = |spec: &ProcessSpec| spec.schedule.as_ref().map(|schedule| schedule.when.clone());
                when(old) == when(new)
            },
        }),
        Unset("*/15 * * * *"),
        (Process, InPlace),
        "@every 90s",
        "when to run: five fields of cron, @daily, @every 90s; sv only",
    ),
    row(
        "schedule_timezone",
        Lands::Zone(part!(schedule.zone)),
        Unset("UTC"),
        (Process, InPlace),
        "Europe/Berlin",
        "time zone of schedule; default: TZ or that of the machine; sv only",
    ),
    row(
        "schedule_overlap",
        Lands::Word(
            &["skip", "queue", "restart"],
            part!(schedule.overlap: Overlap::Skip, Overlap::Queue, Overlap::Restart),
        ),
        Is("skip"),
        (Process, InPlace),
        "queue",
        "when the last run still runs: skip, queue or restart; sv only",
    ),
    row(
        "schedule_jitter",
        Lands::Seconds(Duration::ZERO, part!(schedule.jitter)),
        Is("0"),
        (Process, InPlace),
        "30",
        "start up to so many seconds later; sv only",
    ),
    row(
        "schedule_catch_up",
        Lands::Boolean(part!(schedule.catch_up)),
        Is("false"),
        (Process, InPlace),
        "true",
        "run once for runs that were missed; sv only",
    ),
];

/// Checks that are more frequent would keep the machine busy.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);

/// Compares one field.
type IsSame = fn(&ProcessSpec, &ProcessSpec) -> bool;

/// What no option of a program sets: a change of it replaces the process.
const OTHERS: [(&str, IsSame); 4] = [
    ("group", |old, new| old.group == new.group),
    ("stdio", |old, new| old.inherits_stdio == new.inherits_stdio),
    ("result_handler", |old, new| old.stand_in == new.stand_in),
    ("socket", |old, new| old.socket == new.socket),
];

/// The options whose values differ between two specifications of one process, and what `update` does about each.
pub fn differences(old: &ProcessSpec, new: &ProcessSpec) -> impl Iterator<Item = (&'static str, Update)> {
    let landings = PROGRAM.iter().filter_map(|option| Some((option.name, option.landing?)));
    let options = landings
        .filter(|(_, landing)| !landing.lands.is_same(old, new))
        .map(|(name, landing)| (name, landing.update));
    let others =
        OTHERS.iter().filter(|(_, is_same)| !is_same(old, new)).map(|(name, _)| (*name, Update::Restart));
    options.chain(others)
}
