//! The command line of `supervisorctl`.

use std::ffi::OsString;
use std::path::PathBuf;

use super::getopt::{self, Given, Opt};
use super::{Action, ClientOptions, Face, texts};
use crate::python::quote;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientKey {
    Help,
    Config,
    Interactive,
    ServerUrl,
    Username,
    Password,
    HistoryFile,
}

const fn opt(key: ClientKey, short: u8, long: Option<&'static str>, takes_value: bool) -> Opt<ClientKey> {
    Opt { key, short: Some(short), long, takes_value }
}

const TABLE: [Opt<ClientKey>; 8] = [
    opt(ClientKey::Help, b'h', Some("help"), false),
    opt(ClientKey::Help, b'?', None, false),
    opt(ClientKey::Config, b'c', Some("configuration"), true),
    opt(ClientKey::Interactive, b'i', Some("interactive"), false),
    opt(ClientKey::ServerUrl, b's', Some("serverurl"), true),
    opt(ClientKey::Username, b'u', Some("username"), true),
    opt(ClientKey::Password, b'p', Some("password"), true),
    opt(ClientKey::HistoryFile, b'r', Some("history_file"), true),
];

/// Parses the arguments of `supervisorctl`.
pub(super) fn parse(argv0: String, args: Vec<OsString>) -> Action {
    let (given, words) = match getopt::split(&TABLE, args) {
        Ok(split) => split,
        Err(why) => return Action::misused(&argv0, &why),
    };
    let mut options = ClientOptions {
        argv0,
        face: Face::Supervisorctl,
        config: None,
        server_url: None,
        username: None,
        password: None,
        history_file: None,
        interactive: words.is_empty(),
        words: texts(&words),
        request_timeout: None,
        color: false,
    };
    let mut seen = Vec::new();
    for one in given {
        if one.key == ClientKey::Help {
            return Action::say(help(&options.argv0));
        }
        if let Err(why) = take(&mut options, &one, &mut seen) {
            return Action::misused(&options.argv0, &why);
        }
    }
    Action::Client(options)
}

fn take(
    options: &mut ClientOptions,
    one: &Given<ClientKey>,
    seen: &mut Vec<ClientKey>,
) -> Result<(), String> {
    let text = one.value.to_string_lossy().into_owned();
    // The reference converts a value before it checks for conflicts.
    if one.key == ClientKey::ServerUrl && !is_url(&text) {
        let shown = quote(&text);
        return Err(format!("invalid value for {} {shown}: value {shown} is not a URL", one.spelled));
    }
    if seen.contains(&one.key) {
        return Err(format!("conflicting command line option '{}'", one.spelled));
    }
    seen.push(one.key);
    match one.key {
        ClientKey::Help => {}
        ClientKey::Config => options.config = Some(PathBuf::from(&one.value)),
        ClientKey::Interactive => options.interactive = true,
        ClientKey::ServerUrl => options.server_url = Some(text),
        ClientKey::Username => options.username = Some(text),
        ClientKey::Password => options.password = Some(text),
        ClientKey::HistoryFile => options.history_file = Some(PathBuf::from(&one.value)),
    }
    Ok(())
}

/// Whether a text has a scheme, followed by a host or a path. Whether the scheme is supported is checked when
/// it is used.
pub(super) fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let (place, _) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    is_scheme && !place.is_empty() && place != "//"
}

pub(super) fn help(argv0: &str) -> String {
    format!(
        "supervisorctl -- control applications run by supervisord from the command line.\n\
         \n\
         Usage: {argv0} [options] [action [arguments]]\n\
         \n\
         Options:\n\
         -c/--configuration FILENAME -- read FILENAME (else a few usual places are searched)\n\
         -h/--help -- show this text and exit\n\
         -i/--interactive -- start an interactive shell when there is no action; ask before some\n\
         -s/--serverurl URL -- where supervisord listens: http://HOST:PORT or unix:///PATH\n     \
         (\"http://localhost:9001\" if neither this nor the configuration says)\n\
         -u/--username USERNAME -- user name to authenticate with\n\
         -p/--password PASSWORD -- password to authenticate with\n\
         -r/--history_file FILENAME -- keep the history of the shell in FILENAME\n\
         \n\
         Without an action a shell is started, which reads actions line by line. The action \"help\"\n\
         lists them, \"help ACTION\" explains one.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> Action {
        parse("supervisorctl".into(), line.iter().map(OsString::from).collect())
    }

    fn options(line: &[&str]) -> ClientOptions {
        match parsed(line) {
            Action::Client(options) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn arguments_follow_the_options() {
        let all = options(&[
            "-c",
            "f",
            "-iu",
            "me",
            "-psecret",
            "--serverurl=unix:///s",
            "-r",
            "h",
            "tail",
            "-f",
            "web",
        ]);
        assert_eq!(all.config, Some("f".into()));
        assert_eq!(all.username.as_deref(), Some("me"));
        assert_eq!(all.password.as_deref(), Some("secret"));
        assert_eq!(all.server_url.as_deref(), Some("unix:///s"));
        assert_eq!(all.history_file, Some("h".into()));
        assert_eq!(all.words, ["tail", "-f", "web"]);
        assert!(all.interactive);
        assert!(!options(&["status"]).interactive);
        assert!(options(&[]).interactive, "no words start a shell");
    }

    #[test]
    fn usage_errors_have_two_lines() {
        for (line, why) in [
            (&["-s", "foo"][..], "invalid value for -s 'foo': value 'foo' is not a URL"),
            (&["--server", ""], "invalid value for --serverurl '': value '' is not a URL"),
            (&["-i", "-i"], "conflicting command line option '-i'"),
            (&["-ua", "--username=b"], "conflicting command line option '--username'"),
            (&["-v"], "option -v not recognized"),
            (&["--version"], "option --version not recognized"),
        ] {
            let text = format!("Error: {why}\nFor help, use supervisorctl -h\n");
            assert_eq!(parsed(line), Action::Print { text, code: 2, to_stderr: true }, "{line:?}");
        }
    }

    #[test]
    fn the_help_contains_what_tests_of_the_reference_look_for() {
        for line in [&["-h"][..], &["-?"], &["--he"], &["-h", "-i", "-i"]] {
            let Action::Print { text, code: 0, to_stderr: false } = parsed(line) else { panic!("{line:?}") };
            for part in ["supervisorctl -- control applications", "-i/--interactive -- start an interactive"]
            {
                assert!(text.contains(part), "{part}");
            }
        }
    }

    #[test]
    fn a_url_has_a_scheme_and_a_place() {
        for (text, accepted) in [
            ("http://localhost:9001", true),
            ("unix:///run/s.sock", true),
            ("unix://relative", true),
            ("ftp://x", true),
            ("localhost:9001", true),
            ("foo", false),
            ("http:", false),
            ("http://", false),
            ("/run/s.sock", false),
            ("9p://x", false),
            ("", false),
        ] {
            assert_eq!(is_url(text), accepted, "{text}");
        }
    }
}
