//! Command lines: what was typed, under which name, becomes one [`Action`].
//!
//! The binary answers to seven names. As `supervisord`, `supervisorctl`, `pidproxy` and
//! `echo_supervisord_conf` it follows the reference's grammar and words to the letter, so that
//! images and scripts need no change; as `tini` and `dumb-init` it takes their command lines; under any
//! other name it is `sv`, with a grammar of our own.
//!
//! Nothing here acts: no file is opened, nothing is printed, the process does not exit. What has to
//! be said is an [`Action::Print`]. Values are judged only where that needs no knowledge of the
//! configuration; the flags of `supervisord` go to the `config` module as overrides, spelling
//! included, since its table of options knows their types.

mod actions;
mod client;
mod completions;
mod daemon;
mod getopt;
mod init;
mod sv;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{BYTES, Language, Machine, Override, SUPERVISOR_SAMPLE};
use crate::model::EventLength;

pub use actions::{ACTIONS, ClientAction};
pub use init::InitOptions;

/// Which of the names that the binary answers to it was called by.
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
    /// By the last part of `argv[0]`; a name that is nobody else's is `sv`. `docker-init` is how Docker
    /// calls its tini.
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
    /// Supervise.
    Run(RunOptions),
    /// Be a client, for one action or for a whole conversation.
    Client(ClientOptions),
    /// Run a command and pass signals on to the process named in a file.
    Pidproxy {
        /// Holds the process id.
        pid_file: PathBuf,
        /// Never empty.
        command: Vec<OsString>,
    },
    /// Run one command as its init.
    Init(InitOptions),
    /// Be the listener of a package that prints what programs write.
    PrintListener(EventLength),
    /// Tell what is wrong with a configuration, or what it comes to.
    Inspect(InspectOptions),
    /// Print the sample configuration.
    Sample(Language),
    /// Print a text (help, a version, a usage error) and end.
    Print {
        /// Ends in a newline.
        text: String,
        /// The exit code.
        code: u8,
        /// Where to.
        to_stderr: bool,
    },
}

impl Action {
    /// Whether it decides itself what signals do. All are blocked until it has.
    #[must_use]
    pub fn takes_over_signals(&self) -> bool {
        match self {
            Self::Run(_) | Self::Init(_) | Self::Pidproxy { .. } => true,
            Self::Client(_)
            | Self::Inspect(_)
            | Self::PrintListener(_)
            | Self::Sample(_)
            | Self::Print { .. } => false,
        }
    }

    fn say(text: String) -> Self {
        Self::Print { text, code: 0, to_stderr: false }
    }

    /// The two lines that answer every misuse of Supervisor's own commands.
    fn misused(argv0: &str, why: &str) -> Self {
        let text = format!("Error: {why}\nFor help, use {argv0} -h\n");
        Self::Print { text, code: 2, to_stderr: true }
    }
}

/// How to supervise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// As called: the configuration is searched near it, and messages name it.
    pub argv0: String,
    /// [`Face::Sv`] or [`Face::Supervisord`].
    pub face: Face,
    /// `-c`; it is searched for when absent.
    pub config: Option<PathBuf>,
    /// Every other flag, in the order given; they beat the file. A flag without a value has `true`.
    pub overrides: Vec<Override>,
    /// What stands behind `--`: the command that the programs of the configuration run beside.
    pub command: Vec<String>,
}

/// How to look at a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectOptions {
    /// As called: the configuration is searched near it.
    pub argv0: String,
    /// The file that was named; it is searched for when absent.
    pub config: Option<PathBuf>,
    /// Flags of `sv run`; they beat the file.
    pub overrides: Vec<Override>,
    /// The main program that `sv run` would be given; empty if it wouldn't be.
    pub command: Vec<String>,
    /// For machines instead of people.
    pub json: bool,
    /// What to tell of it.
    pub what: Inspect,
}

/// What to tell of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspect {
    /// What is wrong with it.
    Mistakes {
        /// What a container is given to stop in, if that was said.
        grace_secs: Option<u32>,
        /// Whether this machine is the one that it is for, if that was said.
        is_image: Option<bool>,
    },
    /// What it comes to, and where each value comes from.
    Values {
        /// With names put in where they mean the same for a whole section.
        expand: bool,
        /// Without what nobody has set.
        changed: bool,
    },
}

/// How to be a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// As called.
    pub argv0: String,
    /// [`Face::Sv`] or [`Face::Supervisorctl`].
    pub face: Face,
    /// `-c`; it is searched for when absent.
    pub config: Option<PathBuf>,
    /// `-s`: has the form of a URL, of whatever scheme.
    pub server_url: Option<String>,
    /// `-u`
    pub username: Option<String>,
    /// `-p`
    pub password: Option<String>,
    /// `-r`
    pub history_file: Option<PathBuf>,
    /// `-i`, or no words: questions may be asked (password, "really?").
    pub interactive: bool,
    /// One action with its arguments; none starts a shell.
    pub words: Vec<String>,
    /// `--request-timeout`: how long a request that only reads may take; `None` is forever.
    pub request_timeout: Option<Duration>,
    /// Whether colours are welcome where the output is a terminal.
    pub color: bool,
}

/// Makes an action of a whole command line, `argv[0]` included. Never fails: a misuse is an action
/// that prints and ends.
#[must_use]
pub fn parse(args: Vec<OsString>, is_pid_1: bool) -> Action {
    let mut args = args.into_iter();
    // The kernel lets a program be started without even its own name.
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

/// The client's action behind `sv completions`: `=WORD`, then the words before it. Nobody types it.
pub const COMPLETE: &str = "complete";

/// Whether colours are welcome where the output is a terminal: see no-color.org, and a dumb terminal
/// shows escape sequences as they are.
#[must_use]
pub fn wants_colors(machine: &dyn Machine) -> bool {
    let forbids = |name: &str, value: &str| match name {
        "NO_COLOR" => !value.is_empty(),
        "TERM" => value == "dumb",
        _ => false,
    };
    !machine.environment().iter().any(|(name, value)| forbids(name, value))
}

/// The words of a command line that end up in one text; what is not UTF-8 can't name anything.
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
