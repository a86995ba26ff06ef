//! What differs between two specifications of one process, and what it takes to make it so.
//!
//! What a child was started with lives in the child or in its pipes: only another child can have it
//! otherwise. What the supervisor looks at when something happens to the child is simply looked at in
//! its new form from now on.
//!
//! Both specifications are taken apart field by field, so that a new field is a build error here
//! until it has its row.

use crate::model::{LogForm, ProcessSpec, StreamSpec};

/// What it takes for a change to be in force. The greater includes the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Takes {
    /// It is in force as soon as it is known.
    InPlace,
    /// The process has to be started anew.
    Restart,
}
use Takes::{InPlace, Restart};

/// The options that differ, by their names in a configuration.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference(Vec<(&'static str, Takes)>);

impl Difference {
    /// What has to change for `old` to become `new`, another specification of the same process.
    pub(super) fn between(old: &ProcessSpec, new: &ProcessSpec) -> Self {
        let rows = table(old, new).into_iter();
        let streams = [stream(STDOUT, &old.stdout, &new.stdout), stream(STDERR, &old.stderr, &new.stderr)];
        let differing = rows.chain(streams.into_iter().flatten()).filter(|(_, is_same, _)| !is_same);
        Self(differing.map(|(option, _, takes)| (option, takes)).collect())
    }

    /// `None` when nothing differs.
    pub(super) fn takes(&self) -> Option<Takes> {
        self.0.iter().map(|(_, takes)| *takes).max()
    }

    /// Those that take this, for a line of the log.
    pub(super) fn options(&self, takes: Takes) -> String {
        let options = self.0.iter().filter(|row| row.1 == takes).map(|(option, _)| *option);
        options.collect::<Vec<_>>().join(", ")
    }
}

/// An option, whether it is the same in both, and what it takes if not.
type Row = (&'static str, bool, Takes);

fn table(old: &ProcessSpec, new: &ProcessSpec) -> [Row; 27] {
    let ProcessSpec {
        name,
        group,
        command,
        directory,
        umask,
        priority,
        autostart,
        autorestart,
        start_secs,
        start_retries,
        exit_codes,
        stop_signal,
        stop_wait_secs,
        stop_as_group,
        kill_as_group,
        on_exit,
        on_fatal,
        user,
        redirect_stderr,
        inherits_stdio,
        // Each has rows of its own.
        stdout: _,
        stderr: _,
        log_form: LogForm { format, timestamp, ring_bytes },
        environment,
        server_url,
        stand_in,
        socket,
    } = old;
    [
        ("process_name", *name == new.name, Restart),
        ("group", *group == new.group, Restart),
        ("command", *command == new.command, Restart),
        ("directory", *directory == new.directory, Restart),
        ("umask", *umask == new.umask, Restart),
        ("priority", *priority == new.priority, InPlace),
        ("autostart", *autostart == new.autostart, InPlace),
        ("autorestart", *autorestart == new.autorestart, InPlace),
        ("startsecs", *start_secs == new.start_secs, InPlace),
        ("startretries", *start_retries == new.start_retries, InPlace),
        ("exitcodes", *exit_codes == new.exit_codes, InPlace),
        ("stopsignal", *stop_signal == new.stop_signal, InPlace),
        ("stopwaitsecs", *stop_wait_secs == new.stop_wait_secs, InPlace),
        ("stopasgroup", *stop_as_group == new.stop_as_group, InPlace),
        ("killasgroup", *kill_as_group == new.kill_as_group, InPlace),
        ("on_exit", *on_exit == new.on_exit, InPlace),
        ("on_fatal", *on_fatal == new.on_fatal, InPlace),
        ("user", *user == new.user, Restart),
        ("redirect_stderr", *redirect_stderr == new.redirect_stderr, Restart),
        ("log_format", *format == new.log_form.format, InPlace),
        ("log_timestamp", *timestamp == new.log_form.timestamp, InPlace),
        ("log_ring_bytes", *ring_bytes == new.log_form.ring_bytes, InPlace),
        // No option: the main command has it.
        ("stdio", *inherits_stdio == new.inherits_stdio, Restart),
        // Of the program or of the supervisor: it is in the child either way.
        ("environment", *environment == new.environment, Restart),
        ("serverurl", *server_url == new.server_url, Restart),
        // No option of a process: its pool has it.
        ("result_handler", *stand_in == new.stand_in, Restart),
        ("socket", *socket == new.socket, Restart),
    ]
}

const STDOUT: [&str; 6] = [
    "stdout_logfile",
    "stdout_logfile_maxbytes",
    "stdout_logfile_backups",
    "stdout_capture_maxbytes",
    "stdout_events_enabled",
    "stdout_syslog",
];

const STDERR: [&str; 6] = [
    "stderr_logfile",
    "stderr_logfile_maxbytes",
    "stderr_logfile_backups",
    "stderr_capture_maxbytes",
    "stderr_events_enabled",
    "stderr_syslog",
];

fn stream(names: [&'static str; 6], old: &StreamSpec, new: &StreamSpec) -> [Row; 6] {
    let StreamSpec { target, bytes_max, backups, capture_bytes_max, events_enabled, syslog } = old;
    let [logfile, maxbytes, kept, capture, events, to_syslog] = names;
    [
        (logfile, *target == new.target, Restart),
        (maxbytes, *bytes_max == new.bytes_max, InPlace),
        (kept, *backups == new.backups, InPlace),
        (capture, *capture_bytes_max == new.capture_bytes_max, Restart),
        (events, *events_enabled == new.events_enabled, Restart),
        (to_syslog, *syslog == new.syslog, Restart),
    ]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use std::collections::BTreeSet;

    use super::super::tests::spec;
    use super::*;
    use crate::model::{
        Address, AutoRestart, EventLength, LogFormat, LogTarget, OnEnd, PrintHandler, Signal, SocketSpec,
        StandIn, User,
    };

    type Change = fn(&mut ProcessSpec);

    const CHANGES: [(&str, Takes, Change); 39] = [
        ("process_name", Restart, |it| it.name.push('x')),
        ("group", Restart, |it| it.group.push('x')),
        ("command", Restart, |it| it.command.push('x')),
        ("directory", Restart, |it| it.directory = Some("/".into())),
        ("umask", Restart, |it| it.umask = Some(0o77)),
        ("priority", InPlace, |it| it.priority = 1),
        ("autostart", InPlace, |it| it.autostart = false),
        ("autorestart", InPlace, |it| it.autorestart = AutoRestart::Never),
        ("startsecs", InPlace, |it| it.start_secs = 9),
        ("startretries", InPlace, |it| it.start_retries = crate::model::StartRetries::Times(9)),
        ("exitcodes", InPlace, |it| it.exit_codes = vec![0, 2]),
        ("stopsignal", InPlace, |it| it.stop_signal = Signal::INT),
        ("stopwaitsecs", InPlace, |it| it.stop_wait_secs = 9),
        ("stopasgroup", InPlace, |it| it.stop_as_group = true),
        ("killasgroup", InPlace, |it| it.kill_as_group = true),
        ("on_exit", InPlace, |it| it.on_exit = OnEnd::Shutdown),
        ("on_fatal", InPlace, |it| it.on_fatal = OnEnd::Shutdown),
        ("user", Restart, |it| {
            it.user =
                Some(User { name: "nobody".to_owned(), uid: 65534, gid: 65534, groups: vec![65534] }.into());
        }),
        ("redirect_stderr", Restart, |it| it.redirect_stderr = true),
        ("log_format", InPlace, |it| it.log_form.format = LogFormat::Json),
        ("log_timestamp", InPlace, |it| it.log_form.timestamp = true),
        ("log_ring_bytes", InPlace, |it| it.log_form.ring_bytes = 9),
        ("stdio", Restart, |it| it.inherits_stdio = true),
        ("environment", Restart, |it| {
            Arc::make_mut(&mut it.environment).push(("A".to_owned(), "1".to_owned()))
        }),
        ("serverurl", Restart, |it| it.server_url = Some(String::new())),
        ("result_handler", Restart, |it| {
            it.stand_in = Some(StandIn { package: PrintHandler::Stdout, length: EventLength::Bytes });
        }),
        ("socket", Restart, |it| {
            let address = Address::Inet { host: "localhost".to_owned(), port: 9000 };
            it.socket = Some(
                SocketSpec { section: String::new(), address, owner_asked_for: false, backlog: 1 }.into(),
            );
        }),
        ("stdout_logfile", Restart, |it| it.stdout.target = LogTarget::Auto),
        ("stdout_logfile_maxbytes", InPlace, |it| it.stdout.bytes_max = 9),
        ("stdout_logfile_backups", InPlace, |it| it.stdout.backups = 9),
        ("stdout_capture_maxbytes", Restart, |it| it.stdout.capture_bytes_max = 9),
        ("stdout_events_enabled", Restart, |it| it.stdout.events_enabled = true),
        ("stdout_syslog", Restart, |it| it.stdout.syslog = true),
        ("stderr_logfile", Restart, |it| it.stderr.target = LogTarget::Auto),
        ("stderr_logfile_maxbytes", InPlace, |it| it.stderr.bytes_max = 9),
        ("stderr_logfile_backups", InPlace, |it| it.stderr.backups = 9),
        ("stderr_capture_maxbytes", Restart, |it| it.stderr.capture_bytes_max = 9),
        ("stderr_events_enabled", Restart, |it| it.stderr.events_enabled = true),
        ("stderr_syslog", Restart, |it| it.stderr.syslog = true),
    ];

    #[test]
    fn every_option_takes_what_the_table_says() {
        let old = spec("web");
        for (option, takes, change) in CHANGES {
            let mut new = old.clone();
            change(&mut new);
            assert_eq!(Difference::between(&old, &new), Difference(vec![(option, takes)]));
            assert_eq!(Difference::between(&new, &old), Difference(vec![(option, takes)]));
        }
        let rows = table(&old, &old).into_iter();
        let rows = rows.chain(stream(STDOUT, &old.stdout, &old.stdout));
        let rows: BTreeSet<_> =
            rows.chain(stream(STDERR, &old.stderr, &old.stderr)).map(|row| row.0).collect();
        assert_eq!(rows, CHANGES.map(|(option, ..)| option).into(), "a row without a test");
    }

    #[test]
    fn the_readme_says_what_is_applied_in_place() {
        let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        let readme = std::fs::read_to_string(readme).unwrap();
        let row = readme.lines().find(|line| line.contains("| applies it to the running process"));
        let told = row.unwrap().trim_start_matches('|').split('|').next().unwrap();
        let told: BTreeSet<_> = told.split('`').skip(1).step_by(2).collect();
        // Both streams have the same options.
        let in_place = CHANGES.iter().filter(|(_, takes, _)| *takes == InPlace).map(|(option, ..)| *option);
        let in_place = in_place.map(|option| match option.split_once("_logfile_") {
            Some((_, rest)) => format!("*_logfile_{rest}"),
            None => option.to_owned(),
        });
        let in_place: BTreeSet<_> = in_place.collect();
        assert_eq!(told, in_place.iter().map(String::as_str).collect());
    }

    #[test]
    fn one_change_that_takes_a_restart_is_enough() {
        let old = spec("web");
        assert_eq!(Difference::between(&old, &old).takes(), None);
        let mut new = ProcessSpec { priority: 1, start_secs: 5, ..old.clone() };
        let difference = Difference::between(&old, &new);
        assert_eq!(difference.takes(), Some(InPlace));
        assert_eq!(difference.options(InPlace), "priority, startsecs");
        new.command.push('x');
        let difference = Difference::between(&old, &new);
        assert_eq!((difference.takes(), difference.options(Restart).as_str()), (Some(Restart), "command"));
    }
}
