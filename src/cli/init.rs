//! The command lines that run one command: `sv [OPTION]... -- COMMAND`, and those of tini and dumb-init.
//!
//! `sv` uses the same letters for its options. They can't be confused with the client's, as a client's
//! command line never has only options before a bare `--`.

use std::ffi::{OsStr, OsString};

use super::getopt::{self, Given, Opt};
use super::{Action, Face};
use crate::model::Signal;

/// The options of an init for one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitOptions {
    /// [`Face::Sv`], [`Face::Tini`] or [`Face::DumbInit`]: determines the messages and the exit codes.
    pub face: Face,
    /// Never empty; the program is searched for in PATH.
    pub command: Vec<OsString>,
    /// Signals are sent to the command's process group.
    pub to_group: bool,
    /// The command leads a session; if we have a terminal, it becomes the session's.
    pub session: bool,
    /// Failing to become a subreaper is an error.
    pub subreaper: bool,
    /// The signal that the kernel sends us when our parent dies.
    pub parent_death: Option<Signal>,
    /// Exit codes that are replaced by others.
    pub exit_codes: Vec<(u8, u8)>,
    /// Signals that are replaced by others; `None` drops the signal. The last entry for a signal counts.
    pub rewrites: Vec<(Signal, Option<Signal>)>,
    /// The verbosity: 0 for fatal errors only, 1 with warnings, up to 3.
    pub verbosity: u8,
    /// Warn about orphans that were reaped.
    pub warn_of_reaped: bool,
}

/// Warnings are shown by default.
const VERBOSITY: u8 = 1;
const VERBOSITY_MAX: u8 = 3;

impl InitOptions {
    /// The defaults.
    #[must_use]
    pub fn new(face: Face) -> Self {
        let session = face == Face::DumbInit;
        Self {
            face,
            command: Vec::new(),
            to_group: session,
            session,
            subreaper: false,
            parent_death: None,
            exit_codes: Vec::new(),
            rewrites: Vec::new(),
            verbosity: VERBOSITY,
            warn_of_reaped: false,
        }
    }

    /// Applies the variables of tini and dumb-init; `sv` has none.
    #[must_use]
    pub fn with_environment(mut self, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        match self.face {
            Face::Tini => {
                self.subreaper |= variable("TINI_SUBREAPER").is_some();
                self.to_group |= variable("TINI_KILL_PROCESS_GROUP").is_some();
                if let Some(level) = variable("TINI_VERBOSITY") {
                    // As tini parses it: what is not a number is 0.
                    let level = level.to_str().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
                    self.verbosity = level;
                }
            }
            Face::DumbInit => {
                if variable("DUMB_INIT_DEBUG").is_some_and(|value| value == "1") {
                    self.verbosity = VERBOSITY_MAX;
                }
                if variable("DUMB_INIT_SETSID").is_some_and(|value| value == "0") {
                    (self.session, self.to_group) = (false, false);
                }
            }
            _ => {}
        }
        self
    }

    fn take(&mut self, one: &Given<InitKey>) -> Result<(), String> {
        match one.key {
            InitKey::Group => self.to_group = true,
            InitKey::Session => (self.session, self.to_group) = (true, true),
            InitKey::SingleChild => (self.session, self.to_group) = (false, false),
            InitKey::Subreaper => self.subreaper = true,
            InitKey::Verbose if self.face == Face::DumbInit => self.verbosity = VERBOSITY_MAX,
            InitKey::Verbose => self.verbosity = self.verbosity.saturating_add(1),
            InitKey::WarnOfReaped => self.warn_of_reaped = true,
            InitKey::ParentDeath => self.parent_death = Some(read(one, Signal::from_any, A_SIGNAL)?),
            InitKey::ExitCode if self.face == Face::Tini => {
                self.exit_codes.push((read(one, |text| text.parse().ok(), AN_EXIT_CODE)?, 0));
            }
            InitKey::ExitCode => self.exit_codes.push(read(one, exit_codes, EXIT_CODES)?),
            InitKey::Rewrite => {
                let rewrite = read(one, rewrite, A_REWRITE)?;
                // dumb-init accepts it, without effect.
                if self.face == Face::Sv && NOT_REWRITTEN.contains(&rewrite.0) {
                    return Err(format!(
                        "{} can't rewrite {}, which is never passed on",
                        one.spelled, rewrite.0
                    ));
                }
                self.rewrites.push(rewrite);
            }
            InitKey::Help | InitKey::Version | InitKey::License => {}
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InitKey {
    Help,
    Version,
    License,
    Group,
    Session,
    SingleChild,
    Subreaper,
    Verbose,
    WarnOfReaped,
    ParentDeath,
    ExitCode,
    Rewrite,
}

const fn flag(key: InitKey, short: u8, long: Option<&'static str>) -> Opt<InitKey> {
    Opt { key, short: Some(short), long, takes_value: false }
}

const fn value(key: InitKey, short: u8, long: Option<&'static str>) -> Opt<InitKey> {
    Opt { key, short: Some(short), long, takes_value: true }
}

const SV: [Opt<InitKey>; 8] = [
    flag(InitKey::Group, b'g', Some("group")),
    flag(InitKey::Session, b'S', Some("session")),
    flag(InitKey::Subreaper, b's', Some("subreaper")),
    flag(InitKey::Verbose, b'v', Some("verbose")),
    flag(InitKey::WarnOfReaped, b'w', Some("warn")),
    value(InitKey::ParentDeath, b'p', Some("parent-death")),
    value(InitKey::ExitCode, b'e', Some("exit-code")),
    value(InitKey::Rewrite, b'r', Some("rewrite")),
];

const TINI: [Opt<InitKey>; 8] = [
    flag(InitKey::Help, b'h', None),
    flag(InitKey::License, b'l', None),
    flag(InitKey::Subreaper, b's', None),
    flag(InitKey::Verbose, b'v', None),
    flag(InitKey::WarnOfReaped, b'w', None),
    flag(InitKey::Group, b'g', None),
    value(InitKey::ParentDeath, b'p', None),
    value(InitKey::ExitCode, b'e', None),
];

const DUMB_INIT: [Opt<InitKey>; 5] = [
    flag(InitKey::Help, b'h', Some("help")),
    flag(InitKey::SingleChild, b'c', Some("single-child")),
    flag(InitKey::Verbose, b'v', Some("verbose")),
    flag(InitKey::Version, b'V', Some("version")),
    value(InitKey::Rewrite, b'r', Some("rewrite")),
];

const A_SIGNAL: &str = "a signal: TERM, SIGTERM, RTMIN+3 or 15";
const AN_EXIT_CODE: &str = "an exit code from 0 to 255";
const EXIT_CODES: &str = "an exit code from 0 to 255, or two as in 143:0";
const A_REWRITE: &str = "two signals as in TERM:QUIT or 15:3, with 0 for none after the colon";

fn read<T>(one: &Given<InitKey>, reader: impl Fn(&str) -> Option<T>, what: &str) -> Result<T, String> {
    let (spelled, shown) = (&one.spelled, one.value.to_string_lossy());
    one.value.to_str().and_then(reader).ok_or_else(|| format!("{spelled} takes {what}, not '{shown}'"))
}

fn exit_codes(text: &str) -> Option<(u8, u8)> {
    let (from, to) = text.split_once(':').unwrap_or((text, "0"));
    Some((from.parse().ok()?, to.parse().ok()?))
}

/// Signals that can't be caught, and SIGCHLD, which reports children.
const NOT_REWRITTEN: [Signal; 3] = [Signal::KILL, Signal::STOP, Signal::CHLD];

fn rewrite(text: &str) -> Option<(Signal, Option<Signal>)> {
    let (from, to) = text.split_once(':')?;
    let from = Signal::from_any(from)?;
    let to = if to == "0" { None } else { Some(Signal::from_any(to)?) };
    Some((from, to))
}

/// Parses the arguments of `sv`, if they are a command after `--` with only options before it.
pub(super) fn parse(args: &[OsString]) -> Option<Action> {
    let (before, command) = args.split_at(args.iter().position(|word| word == "--")?);
    let no_words = before.iter().all(|word| word.as_encoded_bytes().starts_with(b"-"));
    let given = match getopt::split(&SV, before.to_vec()) {
        Ok((given, words)) if words.is_empty() => given,
        Err(why) if no_words => return Some(misused(&why)),
        // It is an action of the client.
        _ => return None,
    };
    let mut options = InitOptions::new(Face::Sv);
    options.command = command[1..].to_vec();
    if options.command.is_empty() {
        return Some(misused("there is no command after --"));
    }
    let taken = given.iter().try_for_each(|one| options.take(one));
    Some(taken.map_or_else(|why| misused(&why), |()| Action::Init(options)))
}

/// In the format of `sv`'s other usage errors.
fn misused(why: &str) -> Action {
    let usage = "Usage: sv [INIT OPTIONS] -- COMMAND [ARGUMENT]...";
    let text = format!("error: {why}\n\n{usage}\n\nFor more information, try '--help'.\n");
    Action::Print { text, code: 2, to_stderr: true }
}

/// The help text in `sv --help`.
pub(super) const HELP: &str = "\
Init options, for one command: sv [INIT OPTIONS] -- COMMAND [ARGUMENT]...
  -g, --group                Send signals to the command's process group, not to the command alone
  -S, --session              Let the command lead a session of its own; implies --group. What is left
                             of its group when it ends is sent TERM
  -e, --exit-code FROM[:TO]  Exit with TO [0] where the command exits with FROM (may be repeated)
  -r, --rewrite FROM:TO      Send the signal TO in place of FROM, or nothing if TO is 0 (may be repeated)
  -p, --parent-death SIGNAL  Get this signal, and pass it on, when our parent ends
  -s, --subreaper            Fail if orphans can't be adopted, where we are not PID 1
  -w, --warn                 Report each orphan that is reaped
  -v, --verbose              Report what happens (-vv: in detail)
Every signal that can be caught is passed on; zombies are reaped; the command gets the terminal. The exit
code is that of the command: 128 and the signal that ended it, 126 if it can't be executed, 127 if it
is not found. As tini or dumb-init their options and environment variables apply.";

/// Parses the arguments of `tini`.
pub(super) fn parse_tini(argv0: &str, args: Vec<OsString>) -> Action {
    if args == ["--version"] {
        return Action::say(TINI_VERSION.to_owned());
    }
    let mut options = InitOptions::new(Face::Tini);
    let (given, command) = match getopt::split(&TINI, args) {
        Ok(split) => split,
        Err(why) => return failed(format!("{}: {why}\n{}", name_of(argv0), tini_usage(argv0))),
    };
    for one in &given {
        match one.key {
            InitKey::Help => return Action::say(tini_usage(argv0)),
            InitKey::License => return Action::say(LICENSE.to_owned()),
            _ => {}
        }
        if let Err(why) = options.take(one) {
            return failed(format!("[FATAL {}] {why}\n", name_of(argv0)));
        }
    }
    options.command = without_separator(command);
    if options.command.is_empty() { failed(tini_usage(argv0)) } else { Action::Init(options) }
}

/// tini's usage is `tini PROGRAM -- [ARGUMENT]...`, and its permuting getopt removes that `--`.
fn without_separator(mut command: Vec<OsString>) -> Vec<OsString> {
    if command.get(1).is_some_and(|word| word == "--") {
        command.remove(1);
    }
    command
}

/// Parses the arguments of `dumb-init`.
pub(super) fn parse_dumb_init(argv0: &str, args: Vec<OsString>) -> Action {
    let mut options = InitOptions::new(Face::DumbInit);
    let (given, command) = match getopt::split(&DUMB_INIT, args) {
        Ok(split) => split,
        Err(why) => return failed(format!("{argv0}: {why}\n")),
    };
    for one in &given {
        // It prints both on standard error, and succeeds.
        let output = match one.key {
            InitKey::Help => dumb_init_usage(argv0),
            InitKey::Version => DUMB_INIT_VERSION.to_owned(),
            _ => match options.take(one) {
                Ok(()) => continue,
                Err(why) => return failed(format!("{argv0}: {why}\nUse --help for full usage.\n")),
            },
        };
        return Action::Print { text: output, code: 0, to_stderr: true };
    }
    options.command = command;
    if options.command.is_empty() {
        let usage = format!("Usage: {argv0} [option] program [args]\nTry {argv0} --help for full usage.\n");
        return failed(usage);
    }
    Action::Init(options)
}

fn failed(text: String) -> Action {
    Action::Print { text, code: 1, to_stderr: true }
}

fn name_of(argv0: &str) -> &str {
    std::path::Path::new(argv0).file_name().and_then(OsStr::to_str).unwrap_or(argv0)
}

/// The releases whose command lines we support.
const TINI_VERSION: &str = "tini version 0.19.0\n";
const DUMB_INIT_VERSION: &str = "dumb-init v1.2.5\n";

const LICENSE: &str = include_str!("../../LICENSE");

fn tini_usage(argv0: &str) -> String {
    let name = name_of(argv0);
    format!(
        "{name} (sv {}, in place of {})\n\
         Usage: {name} [OPTIONS] PROGRAM -- [ARGS] | --version\n\
         \n\
         Run one program as its init: pass signals on, reap zombies, exit as it does.\n\
         \n\
         Options:\n\
         \n\
         \x20 --version: Show the version and exit.\n\
         \x20 -h: Show this text and exit.\n\
         \x20 -s: Fail if orphans can't be adopted, where this is not PID 1.\n\
         \x20 -p SIGNAL: Get SIGNAL, and pass it on, when the parent ends.\n\
         \x20 -v: Report more of what happens (up to 3 times).\n\
         \x20 -w: Warn of each orphan that was reaped.\n\
         \x20 -g: Send signals to the program's process group.\n\
         \x20 -e EXIT_CODE: Exit with 0 where the program exits with EXIT_CODE (may be repeated).\n\
         \x20 -l: Show the license and exit.\n\
         \n\
         Environment variables:\n\
         \n\
         \x20 TINI_SUBREAPER: As -s.\n\
         \x20 TINI_VERBOSITY: How much to log, from 0 to 3 (1).\n\
         \x20 TINI_KILL_PROCESS_GROUP: As -g.\n\
         \n",
        env!("CARGO_PKG_VERSION"),
        TINI_VERSION.trim_end(),
    )
}

fn dumb_init_usage(argv0: &str) -> String {
    format!(
        "{DUMB_INIT_VERSION}\
         Usage: {argv0} [option] command [[arg] ...]\n\
         \n\
         Runs one command as its init: passes signals on, reaps zombies, exits as it does. This is sv {}.\n\
         \n\
         Optional arguments:\n\
         \x20  -c, --single-child   Send signals to the command alone; it leads no session.\n\
         \x20  -r, --rewrite s:r    Send signal r in place of signal s, or nothing if r is 0.\n\
         \x20                       This option can be specified multiple times.\n\
         \x20  -v, --verbose        Report on standard error what happens.\n\
         \x20  -h, --help           Print this help message and exit.\n\
         \x20  -V, --version        Print the current version and exit.\n\
         \n\
         DUMB_INIT_SETSID=0 is as -c, DUMB_INIT_DEBUG=1 as -v.\n",
        env!("CARGO_PKG_VERSION"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(argv0: &str, line: &str) -> Action {
        super::super::parse(
            [argv0].into_iter().chain(line.split_whitespace()).map(Into::into).collect(),
            false,
        )
    }

    /// The options that differ from the defaults of the face, in short form.
    fn shown(argv0: &str, line: &str) -> String {
        let options = match parsed(argv0, line) {
            Action::Init(options) => options,
            Action::Print { text, code, to_stderr } => {
                let first = text.lines().next().unwrap_or_default();
                return format!("{code} {} {first}", if to_stderr { "err" } else { "out" });
            }
            other => return format!("{other:?}"),
        };
        let words = [
            (options.to_group, "group"),
            (options.session, "session"),
            (options.subreaper, "subreaper"),
            (options.warn_of_reaped, "warn"),
        ];
        let mut parts: Vec<String> =
            words.iter().filter(|(on, _)| *on).map(|(_, word)| (*word).to_owned()).collect();
        parts.extend(options.parent_death.map(|signal| format!("death={signal}")));
        parts.extend(options.exit_codes.iter().map(|(from, to)| format!("{from}->{to}")));
        parts.extend(options.rewrites.iter().map(|(from, to)| match to {
            Some(to) => format!("{from}->{to}"),
            None => format!("{from}->nothing"),
        }));
        if options.verbosity != VERBOSITY {
            parts.push(format!("v{}", options.verbosity));
        }
        let command = options.command.iter().map(|word| word.to_string_lossy().into_owned());
        parts.into_iter().chain(["|".to_owned()]).chain(command).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_face_has_its_grammar() {
        for (argv0, line, expected) in [
            ("sv", "-- ls -l", "| ls -l"),
            ("sv", "-gvw -- ls -- -l", "group warn v2 | ls -- -l"),
            ("sv", "-S -s -- ls", "group session subreaper | ls"),
            (
                "sv",
                "--group --rewrite=TERM:QUIT -r HUP:0 -- ls",
                "group SIGTERM->SIGQUIT SIGHUP->nothing | ls",
            ),
            ("sv", "-p KILL -e 143 -e 3:4 -- ls", "death=SIGKILL 143->0 3->4 | ls"),
            ("tini", "-- ls -l", "| ls -l"),
            ("tini", "ls -l", "| ls -l"),
            ("tini", "ls -- -l", "| ls -l"),
            (
                "tini",
                "-sgwvv -p SIGTERM -e 143 -e1 -- ls",
                "group subreaper warn death=SIGTERM 143->0 1->0 v3 | ls",
            ),
            ("docker-init", "-- ls", "| ls"),
            ("tini", "--version", "0 out tini version 0.19.0"),
            ("dumb-init", "ls -l", "group session | ls -l"),
            ("dumb-init", "-c -r 15:3 --rewrite 1:0 -- ls", "SIGTERM->SIGQUIT SIGHUP->nothing | ls"),
            ("dumb-init", "-r 9:15 ls", "group session SIGKILL->SIGTERM | ls"),
            ("dumb-init", "-v ls", "group session v3 | ls"),
            ("dumb-init", "--single ls -- -l", "| ls -- -l"),
            ("dumb-init", "-V", "0 err dumb-init v1.2.5"),
        ] {
            assert_eq!(shown(argv0, line), expected, "{argv0} {line}");
        }
    }

    #[test]
    fn usage_errors_have_one_line() {
        for (argv0, line, expected) in [
            ("sv", "--", "2 err error: there is no command after --"),
            (
                "sv",
                "-e 256 -- ls",
                "2 err error: -e takes an exit code from 0 to 255, or two as in 143:0, not '256'",
            ),
            (
                "sv",
                "--parent-death=FOO -- ls",
                "2 err error: --parent-death takes a signal: TERM, SIGTERM, RTMIN+3 or 15, not 'FOO'",
            ),
            ("sv", "-r KILL:TERM -- ls", "2 err error: -r can't rewrite SIGKILL, which is never passed on"),
            ("sv", "-z -- ls", "2 err error: option -z not recognized"),
            ("sv", "-p -- ls", "2 err error: option -p requires argument"),
            ("tini", "-e 256 -- ls", "1 err [FATAL tini] -e takes an exit code from 0 to 255, not '256'"),
            ("/sbin/tini", "-z", "1 err tini: option -z not recognized"),
            (
                "dumb-init",
                "-r 15 ls",
                "1 err dumb-init: -r takes two signals as in TERM:QUIT or 15:3, with 0 for none after the colon, not '15'",
            ),
            ("dumb-init", "", "1 err Usage: dumb-init [option] program [args]"),
        ] {
            assert_eq!(shown(argv0, line), expected, "{argv0} {line}");
        }
        assert!(shown("tini", "").starts_with("1 err tini (sv "));
    }

    #[test]
    fn variables_are_those_of_the_face() {
        let all = |name: &str| match name {
            "TINI_SUBREAPER" | "TINI_KILL_PROCESS_GROUP" => Some("".into()),
            "TINI_VERBOSITY" => Some("2".into()),
            "DUMB_INIT_SETSID" => Some("0".into()),
            "DUMB_INIT_DEBUG" => Some("1".into()),
            _ => None,
        };
        let options = |face| InitOptions::new(face).with_environment(all);
        assert_eq!(options(Face::Sv), InitOptions::new(Face::Sv));
        let tini = options(Face::Tini);
        assert_eq!((tini.subreaper, tini.to_group, tini.verbosity), (true, true, 2));
        let dumb_init = options(Face::DumbInit);
        assert_eq!((dumb_init.session, dumb_init.to_group, dumb_init.verbosity), (false, false, 3));
        let silent = InitOptions::new(Face::Tini).with_environment(|_| Some("x".into()));
        assert_eq!(silent.verbosity, 0);
    }
}
