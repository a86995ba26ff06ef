//! The command line of `supervisord`, and the table of flags that `sv run` shares with it.

use std::ffi::OsString;
use std::path::PathBuf;

use super::getopt::{self, Given, Opt};
use super::{Action, Face, RunOptions};
use crate::config::Override;
use crate::model::SUPERVISOR_VERSION;
use crate::python::quote;

/// A flag that overrides an option of `[supervisord]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flag {
    /// The option, and the flag's long name.
    pub(super) option: &'static str,
    /// Its letter.
    pub(super) short: Option<char>,
    /// The placeholder of its value in the help; `None` if it takes none.
    pub(super) value: Option<&'static str>,
    /// One line of help.
    pub(super) help: &'static str,
}

const fn flag(
    option: &'static str,
    short: Option<char>,
    value: Option<&'static str>,
    help: &'static str,
) -> Flag {
    Flag { option, short, value, help }
}

/// In the order of the help.
pub(super) const FLAGS: [Flag; 17] = [
    flag("nodaemon", Some('n'), None, "stay in the foreground (nodaemon=true)"),
    flag("silent", Some('s'), None, "no activity log on stdout (silent=true)"),
    flag("user", Some('u'), Some("USER"), "become this user, by name or number"),
    flag("umask", Some('m'), Some("UMASK"), "file mode mask for us and our children, octal (022)"),
    flag("directory", Some('d'), Some("DIRECTORY"), "change into DIRECTORY when daemonizing"),
    flag("logfile", Some('l'), Some("FILENAME"), "use FILENAME as activity log"),
    flag("logfile_maxbytes", Some('y'), Some("BYTES"), "rotate the activity log at this size (50MB)"),
    flag("logfile_backups", Some('z'), Some("NUM"), "rotated activity logs to keep (10)"),
    flag("loglevel", Some('e'), Some("LEVEL"), "critical, error, warn, info, debug, trace or blather (info)"),
    flag("pidfile", Some('j'), Some("FILENAME"), "write our process id to FILENAME"),
    flag("identifier", Some('i'), Some("STR"), "what this instance calls itself (supervisor)"),
    flag("childlogdir", Some('q'), Some("DIRECTORY"), "where logs named AUTO go"),
    flag("nocleanup", Some('k'), None, "leave the AUTO logs of earlier runs where they are"),
    flag("minfds", Some('a'), Some("NUM"), "file descriptors that must be available (1024)"),
    flag("strip_ansi", Some('t'), None, "remove ANSI escape sequences from what children print"),
    flag("minprocs", None, Some("NUM"), "processes that must be allowed (200)"),
    flag("profile_options", None, Some("LIST"), "accepted for compatibility, without effect"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DaemonKey {
    Help,
    Version,
    Config,
    /// By option name.
    Flag(&'static str),
}

fn table() -> Vec<Opt<DaemonKey>> {
    let own = [
        Opt { key: DaemonKey::Help, short: Some(b'h'), long: Some("help"), takes_value: false },
        Opt { key: DaemonKey::Help, short: Some(b'?'), long: None, takes_value: false },
        Opt { key: DaemonKey::Config, short: Some(b'c'), long: Some("configuration"), takes_value: true },
        Opt { key: DaemonKey::Version, short: Some(b'v'), long: Some("version"), takes_value: false },
    ];
    let flags = FLAGS.iter().map(|flag| Opt {
        key: DaemonKey::Flag(flag.option),
        short: flag.short.and_then(|letter| u8::try_from(letter).ok()),
        long: Some(flag.option),
        takes_value: flag.value.is_some(),
    });
    own.into_iter().chain(flags).collect()
}

/// Parses the arguments of `supervisord`.
pub(super) fn parse(argv0: String, args: Vec<OsString>) -> Action {
    let (given, words) = match getopt::split(&table(), args) {
        Ok(split) => split,
        Err(why) => return Action::misused(&argv0, &why),
    };
    if !words.is_empty() {
        let shown: Vec<String> = words.iter().map(|word| quote(&word.to_string_lossy())).collect();
        let why = format!("positional arguments are not supported: [{}]", shown.join(", "));
        return Action::misused(&argv0, &why);
    }
    let (config, overrides, command) = (None, Vec::new(), Vec::new());
    let mut options = RunOptions { argv0, face: Face::Supervisord, config, overrides, command };
    for one in given {
        if let Some(action) = take(&mut options, one) {
            return action;
        }
    }
    Action::Run(options)
}

/// Applies one option to `options`, or returns an action at once: help and version act in argv order.
fn take(options: &mut RunOptions, one: Given<DaemonKey>) -> Option<Action> {
    match one.key {
        DaemonKey::Help => return Some(Action::say(help(&options.argv0))),
        DaemonKey::Version => return Some(Action::say(format!("{SUPERVISOR_VERSION}\n"))),
        DaemonKey::Config if options.config.is_none() => options.config = Some(PathBuf::from(one.value)),
        DaemonKey::Flag(option) if options.overrides.iter().all(|other| other.option != option) => {
            options.overrides.push(overriding(option, &one));
        }
        DaemonKey::Config | DaemonKey::Flag(_) => {
            let why = format!("conflicting command line option '{}'", one.spelled);
            return Some(Action::misused(&options.argv0, &why));
        }
    }
    None
}

fn overriding(option: &'static str, one: &Given<DaemonKey>) -> Override {
    let is_switch = FLAGS.iter().any(|flag| flag.option == option && flag.value.is_none());
    let value = if is_switch { "true".to_owned() } else { one.value.to_string_lossy().into_owned() };
    Override { option, value, spelled: one.spelled.clone() }
}

pub(super) fn help(argv0: &str) -> String {
    let mut text = format!(
        "supervisord -- run a set of applications as daemons.\n\
         \n\
         Usage: {argv0} [options]\n\
         \n\
         Options:\n\
         -c/--configuration FILENAME -- read FILENAME (else a few usual places are searched)\n\
         -h/--help -- show this text and exit\n\
         -v/--version -- show the version and exit\n"
    );
    for flag in FLAGS {
        let short = flag.short.map(|letter| format!("-{letter}/")).unwrap_or_default();
        let value = flag.value.map(|value| format!(" {value}")).unwrap_or_default();
        text.push_str(&format!("{short}--{}{value} -- {}\n", flag.option, flag.help));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> Action {
        parse("/b/supervisord".into(), line.iter().map(OsString::from).collect())
    }

    /// `config: option=value(spelled) ...`
    fn shown(line: &[&str]) -> String {
        match parsed(line) {
            Action::Run(options) => {
                let overrides =
                    options.overrides.iter().map(|o| format!(" {}={}({})", o.option, o.value, o.spelled));
                let config = options.config.map(|path| path.display().to_string()).unwrap_or_default();
                format!("{config}:{}", overrides.collect::<String>())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_become_overrides_with_their_spelling() {
        for (line, expected) in [
            (&[][..], ":"),
            (&["-c", "/etc/s.conf", "-n"], "/etc/s.conf: nodaemon=true(-n)"),
            (&["-nsl/tmp/x"], ": nodaemon=true(-n) silent=true(-s) logfile=/tmp/x(-l)"),
            (&["--minf=9", "--umask", "077"], ": minfds=9(--minfds) umask=077(--umask)"),
            (&["--minprocs=7"], ": minprocs=7(--minprocs)"),
            (
                &["-uw", "-m1", "-dD", "-y2", "-z3", "-e", "info", "-jP", "-iI", "-qC", "-k", "-a4", "-t"],
                ": user=w(-u) umask=1(-m) directory=D(-d) logfile_maxbytes=2(-y) logfile_backups=3(-z) \
                 loglevel=info(-e) pidfile=P(-j) identifier=I(-i) childlogdir=C(-q) nocleanup=true(-k) \
                 minfds=4(-a) strip_ansi=true(-t)",
            ),
            (&["--profile_options=calls"], ": profile_options=calls(--profile_options)"),
        ] {
            assert_eq!(shown(line), expected, "{line:?}");
        }
    }

    #[test]
    fn usage_errors_have_two_lines() {
        for (line, why) in [
            (&["foo", "bar"][..], "positional arguments are not supported: ['foo', 'bar']"),
            (&["-h", "foo"], "positional arguments are not supported: ['foo']"),
            (&["-n", "-n"], "conflicting command line option '-n'"),
            (&["-n", "--nodaemon"], "conflicting command line option '--nodaemon'"),
            (&["-ca", "-cb"], "conflicting command line option '-c'"),
            (&["-Z"], "option -Z not recognized"),
            (&["--log=x"], "option --log not a unique prefix"),
        ] {
            let text = format!("Error: {why}\nFor help, use /b/supervisord -h\n");
            assert_eq!(parsed(line), Action::Print { text, code: 2, to_stderr: true }, "{line:?}");
        }
    }

    #[test]
    fn help_and_version_answer_in_argv_order() {
        for line in [&["-h"][..], &["-?"], &["--help"], &["-n", "-h", "-n", "-n"]] {
            let Action::Print { text, code: 0, to_stderr: false } = parsed(line) else { panic!("{line:?}") };
            for part in [
                "supervisord -- run a set of applications",
                "Usage: /b/supervisord [options]",
                "-l/--logfile FILENAME -- use FILENAME as",
                "\n--minprocs NUM -- ",
            ] {
                assert!(text.contains(part), "{part}");
            }
        }
        for line in [&["-v"][..], &["--vers"], &["-v", "-h"], &["-c", "/nope", "-v"]] {
            assert_eq!(parsed(line), Action::say("4.3.0\n".into()), "{line:?}");
        }
    }
}
