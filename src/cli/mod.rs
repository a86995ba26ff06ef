//! Command lines: the arguments and the name of the program become one [`Action`].
//!
//! The binary has seven names. As `supervisord`, `supervisorctl`, `pidproxy` and `echo_supervisord_conf` it
//! follows the grammar and messages of the reference exactly, so that images and scripts need no change; as
//! `tini` and `dumb-init` it accepts their command lines; under any other name it is `sv`, with a grammar of
//! our own.
//!
//! This module does not act: it opens no file, prints nothing and does not exit. Output is returned as an
//! [`Action::Print`]. Values are validated only if that needs no knowledge of the configuration; the flags of
//! `supervisord` are passed to the `config` module as overrides, including their spelling, since its table of
//! options has their types.

mod actions;
mod client;
mod completions;
mod daemon;
mod getopt;
mod init;
#[cfg(test)]
mod manual;
mod sv;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{BYTES, Language, Machine, Override, SUPERVISOR_SAMPLE};
use crate::model::EventLength;

pub use actions::{ACTIONS, ClientAction};
pub use init::InitOptions;

/// The name by which the binary was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain words")]
pub enum Face {
    Sv,
    Supervisord,
    Supervisorctl,
    Pidproxy,
    EchoSupervisordConf,
    PrintListener,
    Tini,
    DumbInit,
}

impl Face {
    /// Determined by the last component of `argv[0]`; any unknown name is `sv`. `docker-init` is Docker's
    /// name for its tini.
    #[must_use]
    pub fn of(argv0: &OsStr) -> Self {
        match Path::new(argv0).file_name().and_then(OsStr::to_str) {
            Some("supervisord") => Self::Supervisord,
            Some("supervisorctl") => Self::Supervisorctl,
            Some("pidproxy") => Self::Pidproxy,
            Some("echo_supervisord_conf") => Self::EchoSupervisordConf,
            Some("supervisor_stdout" | "supervisor-stdlog" | "supervisor-console") => Self::PrintListener,
            Some("tini" | "tini-static" | "docker-init") => Self::Tini,
            Some("dumb-init") => Self::DumbInit,
            _ => Self::Sv,
        }
    }
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Supervise programs.
    Run(RunOptions),
    /// Act as a client, for one action or as a shell.
    Client(ClientOptions),
    /// Run a command and forward signals to the process named in a file.
    Pidproxy {
        /// The file with the process id.
        pid_file: PathBuf,
        /// Never empty.
        command: Vec<OsString>,
    },
    /// Run one command as its init.
    Init(InitOptions),
    /// Act as the listener of a package that prints the output of programs.
    PrintListener(EventLength),
    /// Check a configuration, or show its effective values.
    Inspect(InspectOptions),
    /// Print the sample configuration.
    Sample(Language),
    /// Write a first configuration.
    Scaffold(ScaffoldOptions),
    /// Print a text (help, a version, a usage error) and exit.
    Print {
        /// Ends in a newline.
        text: String,
        /// The exit code.
        code: u8,
        /// Whether to print to standard error.
        to_stderr: bool,
    },
}

impl Action {
    /// Whether the action decides how signals are handled. All signals are blocked until then.
    #[must_use]
    pub fn takes_over_signals(&self) -> bool {
        match self {
            Self::Run(_) | Self::Init(_) | Self::Pidproxy { .. } => true,
            Self::Client(_)
            | Self::Inspect(_)
            | Self::PrintListener(_)
            | Self::Sample(_)
            | Self::Scaffold(_)
            | Self::Print { .. } => false,
        }
    }

    fn say(text: String) -> Self {
        Self::Print { text, code: 0, to_stderr: false }
    }

    /// The two lines that report every usage error of Supervisor's own commands.
    fn misused(argv0: &str, why: &str) -> Self {
        let text = format!("Error: {why}\nFor help, use {argv0} -h\n");
        Self::Print { text, code: 2, to_stderr: true }
    }
}

/// The options of a supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// As called: the configuration is searched relative to it, and messages contain it.
    pub argv0: String,
    /// [`Face::Sv`] or [`Face::Supervisord`].
    pub face: Face,
    /// `-c`; searched for if absent.
    pub config: Option<PathBuf>,
    /// All other flags, in the order given; they override the file. A flag without a value is `true`.
    pub overrides: Vec<Override>,
    /// The command after `--`, which runs in addition to the programs of the configuration.
    pub command: Vec<String>,
}

/// The options of a configuration check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectOptions {
    /// As called: the configuration is searched relative to it.
    pub argv0: String,
    /// The file that was named; searched for if absent.
    pub config: Option<PathBuf>,
    /// Flags of `sv run`; they override the file.
    pub overrides: Vec<Override>,
    /// The main command that `sv run` would get; may be empty.
    pub command: Vec<String>,
    /// JSON output.
    pub json: bool,
    /// What to show.
    pub what: Inspect,
}

/// What to show of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspect {
    /// Findings.
    Mistakes {
        /// The grace period of the container, if given.
        grace_secs: Option<u32>,
        /// Whether this machine is the intended one, if given.
        is_image: Option<bool>,
    },
    /// Effective values, and the origin of each.
    Values {
        /// Expand names that are the same for a whole section.
        expand: bool,
        /// Omit defaults.
        changed: bool,
    },
}

/// The options of `sv init`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScaffoldOptions {
    /// A Procfile or Dockerfile; searched for in the current directory if absent.
    pub source: Option<PathBuf>,
    /// The file to write; `-` is standard output, and absent is the usual name in the current directory.
    pub output: Option<PathBuf>,
    /// TOML instead of INI; a name that ends in `.toml` implies it.
    pub toml: bool,
}

/// The options of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// As called.
    pub argv0: String,
    /// [`Face::Sv`] or [`Face::Supervisorctl`].
    pub face: Face,
    /// `-c`; searched for if absent.
    pub config: Option<PathBuf>,
    /// `-s`: a URL of any scheme.
    pub server_url: Option<String>,
    /// `-u`
    pub username: Option<String>,
    /// `-p`
    pub password: Option<String>,
    /// `-r`
    pub history_file: Option<PathBuf>,
    /// `-i`, or no words: the user may be asked for a password or for confirmation.
    pub interactive: bool,
    /// One action with its arguments; empty starts a shell.
    pub words: Vec<String>,
    /// `--request-timeout`: the time limit of read-only requests; `None` is forever.
    pub request_timeout: Option<Duration>,
    /// Whether colours are used if the output is a terminal.
    pub color: bool,
}

/// Parses a whole command line, including `argv[0]`. Never fails: a usage error is an action that prints and
/// exits.
#[must_use]
pub fn parse(args: Vec<OsString>, is_pid_1: bool) -> Action {
    let mut args = args.into_iter();
    // The kernel allows an empty argv.
    let argv0 = args.next().unwrap_or_else(|| "sv".into());
    let shown = argv0.to_string_lossy().into_owned();
    let rest: Vec<OsString> = args.collect();
    match Face::of(&argv0) {
        Face::Supervisord => daemon::parse(shown, rest),
        Face::Supervisorctl => client::parse(shown, rest),
        Face::Pidproxy => pidproxy(&shown, rest),
        Face::EchoSupervisordConf => {
            Action::Print { text: SUPERVISOR_SAMPLE.to_owned(), code: 0, to_stderr: false }
        }
        Face::PrintListener => Action::PrintListener(match rest.first() {
            Some(word) if word == BYTES => EventLength::Bytes,
            _ => EventLength::Characters,
        }),
        Face::Tini => init::parse_tini(&shown, rest),
        Face::DumbInit => init::parse_dumb_init(&shown, rest),
        Face::Sv => sv::parse(shown, rest, is_pid_1),
    }
}

fn pidproxy(argv0: &str, args: Vec<OsString>) -> Action {
    let mut args = args.into_iter();
    let pid_file = args.next().map(PathBuf::from);
    let command: Vec<OsString> = args.collect();
    match pid_file {
        Some(pid_file) if !command.is_empty() => Action::Pidproxy { pid_file, command },
        _ => Action::Print { text: pidproxy_usage(argv0), code: 1, to_stderr: false },
    }
}

fn pidproxy_usage(argv0: &str) -> String {
    format!(
        "pidproxy -- run a command and pass on signals to the process that wrote a pid file\n\
         \n\
         Usage: {argv0} PIDFILE COMMAND [ARGUMENT ...]\n\
         \n\
         SIGTERM, SIGHUP, SIGINT, SIGUSR1, SIGUSR2 and SIGQUIT are sent to the process whose id is\n\
         in PIDFILE at that moment. COMMAND is a path: it is not searched for in PATH.\n"
    )
}

/// The client's action for `sv completions`: `=WORD`, then the words before it. Not for users.
pub const COMPLETE: &str = "complete";

/// Whether colours are used if the output is a terminal: see no-color.org; a dumb terminal does not interpret
/// escape sequences.
#[must_use]
pub fn wants_colors(machine: &dyn Machine) -> bool {
    let forbids = |name: &str, value: &str| match name {
        "NO_COLOR" => !value.is_empty(),
        "TERM" => value == "dumb",
        _ => false,
    };
    !machine.environment().iter().any(|(name, value)| forbids(name, value))
}

/// Words as texts; bytes that are not UTF-8 can't be a valid name anyway.
fn texts(words: &[OsString]) -> Vec<String> {
    words.iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides_the_face() {
        for (argv0, face) in [
            ("sv", Face::Sv),
            ("/usr/bin/supervisord", Face::Supervisord),
            ("./supervisorctl", Face::Supervisorctl),
            ("pidproxy", Face::Pidproxy),
            ("/a/echo_supervisord_conf", Face::EchoSupervisordConf),
            ("supervisor_stdout", Face::PrintListener),
            ("/usr/local/bin/supervisor-stdlog", Face::PrintListener),
            ("supervisor-console", Face::PrintListener),
            ("/usr/bin/tini-static", Face::Tini),
            ("/sbin/docker-init", Face::Tini),
            ("dumb-init", Face::DumbInit),
            ("supervisord.old", Face::Sv),
            ("", Face::Sv),
        ] {
            assert_eq!(Face::of(OsStr::new(argv0)), face, "{argv0}");
        }
    }

    fn parsed(line: &[&str]) -> Action {
        parse(line.iter().map(OsString::from).collect(), false)
    }

    #[test]
    fn pidproxy_needs_a_file_and_a_command() {
        for line in [&["/b/pidproxy"][..], &["/b/pidproxy", "/tmp/pid"]] {
            let Action::Print { text, code: 1, to_stderr: false } = parsed(line) else {
                panic!("{line:?}");
            };
            assert!(text.contains("Usage: /b/pidproxy PIDFILE"), "{text}");
        }
        let expected = Action::Pidproxy {
            pid_file: "/tmp/pid".into(),
            command: vec!["/bin/echo".into(), "-n".into(), "1".into()],
        };
        assert_eq!(parsed(&["pidproxy", "/tmp/pid", "/bin/echo", "-n", "1"]), expected);
    }

    #[test]
    fn the_sample_ignores_arguments() {
        let sample = Action::Print { text: SUPERVISOR_SAMPLE.to_owned(), code: 0, to_stderr: false };
        assert_eq!(parsed(&["echo_supervisord_conf", "-h", "x"]), sample);
        assert_eq!(parsed(&["echo_supervisord_conf", "--toml"]), sample);
    }
}
