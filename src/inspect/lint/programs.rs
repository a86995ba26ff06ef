//! Programs that can't be run as configured.

use std::collections::HashSet;

use super::shell::shell_variable;
use super::{Advice, SectionProcesses, with_options};
use crate::config::Reading;
use crate::config::SectionReader;
use crate::config::options::SectionKind;
use crate::config::{resolve, resolve_command};
use crate::model::{
    DaemonSettings, HealthCheck, Hooks, Probe, ProcessSpec, ReadyCheck, Settings, User, UserId,
};
use crate::python::quote;
use crate::python::split_pairs;

pub(super) fn lint(reading: &mut Reading<'_>, settings: &Settings, programs: &[SectionProcesses<'_, '_>]) {
    if let Some(section) = reading.document.section("supervisord") {
        with_options(reading, section, SectionKind::Supervisord, |options| daemon(options, &settings.daemon));
    }
    for program in programs {
        with_options(reading, program.section, program.kind(), |options| {
            repeated_variables(options);
            shell_variables(options);
            ends(options);
            if program.kind() == SectionKind::EventListener {
                unused_by_listeners(options);
            }
            for process in program.processes {
                command(options, process);
                commands_beside(options, process);
                directory(options, process);
                user(options, process, settings.daemon.user.as_deref());
            }
        });
    }
}

fn daemon(options: &mut SectionReader<'_, '_>, daemon: &DaemonSettings) {
    repeated_variables(options);
    let ours = options.machine().effective_user();
    if let Some(user) = daemon.user.as_ref().filter(|user| ours != ROOT && user.uid != ours) {
        let text = format!("cannot become user {}: only root can, and we are user {ours}", quote(&user.name));
        Advice::new(text).report(options, "user");
    }
}

/// The text is that of the spawn error.
fn command(options: &mut SectionReader<'_, '_>, process: &ProcessSpec) {
    if let Err(fault) = resolve(process, options.machine()) {
        let text = format!("{} of [{}]", fault.detail.unwrap_or_default(), options.section.name);
        Advice::new(text).report(options, "command");
    }
}

/// Those of checks and hooks, which run in the environment of the program.
fn commands_beside(options: &mut SectionReader<'_, '_>, process: &ProcessSpec) {
    let ready =
        process.lifecycle.readiness.iter().flat_map(|ready| &ready.checks).filter_map(|check| match check {
            ReadyCheck::Probe(Probe::Exec(command)) => Some(("ready", command)),
            _ => None,
        });
    let health = process.lifecycle.health.iter().filter_map(|health| match &health.check {
        HealthCheck::Probe(Probe::Exec(command)) => Some(("health", command)),
        _ => None,
    });
    let hooks = process.lifecycle.hooks.iter().flat_map(|hooks| {
        let Hooks { pre_start, post_start, pre_stop, post_stop, on_failure, timeout: _ } = &**hooks;
        let commands = [
            ("pre_start", pre_start),
            ("post_start", post_start),
            ("pre_stop", pre_stop),
            ("post_stop", post_stop),
            ("on_failure", on_failure),
        ];
        commands.into_iter().filter_map(|(option, command)| Some((option, command.as_ref()?)))
    });
    for (option, command) in ready.chain(health).chain(hooks) {
        if let Err(fault) = resolve_command(command, &process.environment, options.machine()) {
            let section = &options.section.name;
            let text = format!("{} ({option} of [{section}])", fault.detail.unwrap_or_default());
            Advice::new(text).report(options, option);
        }
    }
}

fn directory(options: &mut SectionReader<'_, '_>, process: &ProcessSpec) {
    if let Some(directory) = process.directory.as_ref().filter(|path| !options.machine().is_dir(path)) {
        let shown = quote(&directory.to_string_lossy());
        let text = format!("directory {shown} of [{}] does not exist", options.section.name);
        Advice::new(text).report(options, "directory");
    }
}

const ROOT: UserId = 0;

fn user(options: &mut SectionReader<'_, '_>, process: &ProcessSpec, daemon_user: Option<&User>) {
    let ours = daemon_user.map_or_else(|| options.machine().effective_user(), |user| user.uid);
    let Some(user) = process.user.as_ref().filter(|user| ours != ROOT && user.uid != ours) else { return };
    let why = match daemon_user {
        Some(daemon_user) => format!("the supervisor becomes {} first", quote(&daemon_user.name)),
        None => format!("only root can, and we are user {ours}"),
    };
    let (section, name) = (&options.section.name, quote(&user.name));
    Advice::new(format!("[{section}] cannot become user {name}: {why}")).report(options, "user");
}

/// The last one counts. A variable that is set twice is a mistake.
fn repeated_variables(options: &mut SectionReader<'_, '_>) {
    let Some(text) = options.own_text("environment") else { return };
    let words = split_pairs(text).unwrap_or_default();
    let names = words.windows(2).filter(|pair| !pair[0].is_sign && pair[1].is_sign && pair[1].text == "=");
    let mut seen = HashSet::new();
    let twice: Vec<_> = names.map(|pair| &*pair[0].text).filter(|name| !seen.insert(*name)).collect();
    for name in twice {
        let section = &options.section.name;
        let text = format!("environment of [{section}] sets {} twice: the last one counts", quote(name));
        Advice::new(text).about(name).report(options, "environment");
    }
}

/// `environment=PATH="$PATH:/x"`
fn shell_variables(options: &mut SectionReader<'_, '_>) {
    let Some(text) = options.own_text("environment") else { return };
    let words = split_pairs(text).unwrap_or_default();
    let found = words.iter().find_map(|word| shell_variable(&word.text));
    if let Some((variable, name)) = found {
        let (variable, section) = (variable.to_owned(), &options.section.name);
        let text = format!(
            "environment of [{section}] has {}: there is no shell that replaces it",
            quote(&variable)
        );
        let suggestion = Some(format!("%(ENV_{name})s"));
        Advice { suggestion, ..Advice::new(text).about(&variable) }.report(options, "environment");
    }
}

/// A supervisor that should exit with a program should also exit if the program can't be started.
fn ends(options: &mut SectionReader<'_, '_>) {
    if options.text("on_exit").as_deref() == Some("shutdown") && !options.is_set("on_fatal") {
        let text = format!(
            "on_exit=shutdown of [{}] does not count when the program can't be started: set on_fatal=shutdown too, \
             or on_fatal=ignore if that is meant",
            options.section.name
        );
        Advice::new(text).report(options, "on_exit");
    }
}

/// Options for the standard output of programs. That of a listener is its protocol.
fn unused_by_listeners(options: &mut SectionReader<'_, '_>) {
    for option in ["stdout_syslog", "stdout_events_enabled"] {
        if options.own_text(option).is_some() && options.boolean(option) {
            let section = &options.section.name;
            let text = format!(
                "{option} of [{section}] has no effect: the standard output of a listener is its half of the protocol"
            );
            Advice::new(text).report(options, option);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{machine, warnings_in, warnings_on};

    #[test]
    fn commands_that_can_not_be_run_are_reported_at_their_line() {
        for (lines, expected) in [
            ("command=nope -x", "3: can't find command 'nope' of [program:x]"),
            ("command=/tmp", "3: command at '/tmp' is a directory of [program:x]"),
            ("command='a", "3: can't parse command \"'a\": No closing quotation of [program:x]"),
            ("command=a\nenvironment=PATH=\"/x\"", "3: can't find command 'a' of [program:x]"),
            ("command=a\ndirectory=/nodir", "4: directory '/nodir' of [program:x] does not exist"),
            (
                "command=a\nenvironment=P=\"$PATH:/x\"",
                "4: environment of [program:x] has '$PATH': there is no shell that replaces it",
            ),
            (
                "command=a\non_exit=shutdown",
                "4: on_exit=shutdown of [program:x] does not count when the program can't be started: set \
                 on_fatal=shutdown too, or on_fatal=ignore if that is meant",
            ),
            (
                "command=a\nenvironment=A=\"1\",B=%(program_name)s,A=\"A=2\"",
                "4: environment of [program:x] sets 'A' twice: the last one counts",
            ),
        ] {
            assert_eq!(warnings_in(&format!("[program:x]\n{lines}\n")), [expected]);
        }
    }

    #[test]
    fn commands_of_checks_and_hooks_are_looked_for_too() {
        let warnings = |lines: &str| warnings_in(&format!("[program:x]\ncommand=a\n{lines}\n"));
        for (option, value) in
            [("ready", "exec:"), ("health", "exec:"), ("pre_start", ""), ("on_failure", "")]
        {
            let found = warnings(&format!("{option}={value}nope -q"));
            assert_eq!(found, [format!("4: can't find command 'nope' ({option} of [program:x])")]);
            assert_eq!(warnings(&format!("{option}={value}b -q")), [] as [&str; 0]);
        }
    }

    #[test]
    fn options_for_programs_only_are_reported_in_listeners() {
        let text = "[eventlistener:e]\ncommand=a\nevents=TICK_5\nstdout_syslog=true\nstderr_syslog=true\n\
            stdout_events_enabled=true\n[program:x]\ncommand=a\non_exit=shutdown\non_fatal=ignore\n\
            stdout_syslog=true\nenvironment=A='1$'\n";
        let expected = |line: usize, option: &str| {
            format!(
                "{line}: {option} of [eventlistener:e] has no effect: the standard output of a listener is its half of \
                 the protocol"
            )
        };
        assert_eq!(warnings_in(text), [expected(5, "stdout_syslog"), expected(7, "stdout_events_enabled")]);
    }

    #[test]
    fn inherited_options_are_reported_at_their_origin() {
        let text = "[program-default]\ndirectory=/nodir\n[program:x]\ncommand=a\n";
        assert_eq!(warnings_in(text), ["3: directory '/nodir' of [program:x] does not exist"]);
    }

    #[test]
    fn only_root_can_switch_users() {
        let text = "[supervisord]\n[program:x]\ncommand=a\nuser=www\n";
        assert_eq!(warnings_on(&machine(text)), Vec::<String>::new());
        assert_eq!(warnings_on(&machine(text).run_by(33)), Vec::<String>::new());
        assert_eq!(
            warnings_on(&machine(text).run_by(1000)),
            ["4: [program:x] cannot become user 'www': only root can, and we are user 1000"]
        );
        let text = "[supervisord]\nuser=www\n[program:x]\ncommand=a\nuser=root\n";
        let given_up = "5: [program:x] cannot become user 'root': the supervisor becomes 'www' first";
        assert_eq!(warnings_on(&machine(text)), [given_up]);
        let own = "2: cannot become user 'www': only root can, and we are user 1000";
        assert_eq!(warnings_on(&machine(text).run_by(1000)), [own, given_up]);
    }

    #[test]
    fn the_content_of_a_secret_file_is_not_shown() {
        let text = "[supervisord]\n[program:x]\ncommand=a\n";
        let machine = machine(text).file("/run/c", "geheim").variable("SV_PROGRAM_X_COMMAND_FILE", "/run/c");
        assert_eq!(
            warnings_on(&machine),
            ["0: command of [program:x] is a mistake; it comes from a file and is not shown"]
        );
    }
}
