//! The command line of `sv`: one binary, one subcommand for each task.
//!
//! Clap parses it. The options of `sv run` come from `supervisord`'s table of flags, the client's subcommands
//! from the table of actions, so both support exactly what the compatible names support.
//!
//! As PID 1 the same binary is a container's init: no arguments, or only options, mean `run`. Otherwise no
//! arguments mean the shell.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, ValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::client::is_url;
use super::daemon::FLAGS;
use super::{
    ACTIONS, Action, COMPLETE, ClientAction, ClientOptions, Face, Inspect, InspectOptions, RunOptions,
    ScaffoldOptions, completions, init,
};
use crate::config::{Language, Override, similar};
use crate::python::join_words;

// How to find and reach the supervisor: before or after the action. (A doc comment here would become the
// description of every command that has these options.)
#[derive(Args, Debug, Default)]
struct ConnectionArgs {
    /// Configuration to take the address from [searched for if absent]
    #[arg(short = 'c', long = "configuration", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address of the supervisor: unix:///PATH or http://HOST:PORT
    #[arg(short = 's', long = "serverurl", value_name = "URL", value_parser = url)]
    server_url: Option<String>,
    /// User name to authenticate with
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,
    /// Password to authenticate with
    #[arg(short, long, value_name = "PASSWORD")]
    password: Option<String>,
    /// Ask before a shutdown or reload, and for a password when one is needed
    #[arg(short, long)]
    interactive: bool,
    /// How long to wait for an answer to a request that only reads; 0 is forever [default: 30]
    #[arg(long = "request-timeout", value_name = "SECONDS")]
    request_timeout: Option<u32>,
    /// Keep the history of the shell in this file
    #[arg(short = 'r', long = "history-file", value_name = "FILE")]
    history_file: Option<PathBuf>,
}

impl ConnectionArgs {
    /// Options after the action override those before it.
    fn or(self, outer: Self) -> Self {
        Self {
            config: self.config.or(outer.config),
            server_url: self.server_url.or(outer.server_url),
            username: self.username.or(outer.username),
            password: self.password.or(outer.password),
            interactive: self.interactive || outer.interactive,
            request_timeout: self.request_timeout.or(outer.request_timeout),
            history_file: self.history_file.or(outer.history_file),
        }
    }

    fn into_client(self, argv0: String, words: Vec<String>) -> ClientOptions {
        let timeout_secs = self.request_timeout.unwrap_or(REQUEST_TIMEOUT_SECS);
        ClientOptions {
            argv0,
            face: Face::Sv,
            config: self.config,
            server_url: self.server_url,
            username: self.username,
            password: self.password,
            history_file: self.history_file,
            interactive: self.interactive || words.is_empty(),
            words,
            request_timeout: (timeout_secs > 0).then(|| Duration::from_secs(timeout_secs.into())),
            color: true,
        }
    }
}

/// A supervisor answers a read-only request within one turn; it is silent for this long only if it is stopped
/// or overloaded.
const REQUEST_TIMEOUT_SECS: u32 = 30;

fn url(text: &str) -> Result<String, String> {
    if is_url(text) {
        Ok(text.to_owned())
    } else {
        Err("not a URL such as unix:///run/supervisor.sock or http://localhost:9001".to_owned())
    }
}

/// Parses the arguments of `sv`.
pub(super) fn parse(argv0: String, args: Vec<OsString>, is_pid_1: bool) -> Action {
    if let Some(action) = init::parse(&args) {
        return action;
    }
    if is_pid_1 && let Some(action) = parse_as_init(&argv0, &args) {
        return action;
    }
    if let Some(matches) = matched_by_part(&args) {
        return chosen(argv0, &matches);
    }
    match command().try_get_matches_from(with_name("sv", &args)) {
        Ok(matches) => chosen(argv0, &matches),
        Err(error) => printed(&with_similar_actions(error), is_pid_1),
    }
}

/// Matches with a grammar that has only the subcommands whose names are among the words, since building the grammar of
/// all of them takes longer than most requests. The subcommand is the first word that is neither an option nor the value
/// of one, so a line that the part accepts means the same to the whole. Everything else, help included, is left to the
/// whole, which knows all names for its messages.
fn matched_by_part(args: &[OsString]) -> Option<ArgMatches> {
    let is_among = |name: &str| args.iter().any(|arg| arg == name);
    let own = SUBCOMMANDS.iter().filter(|(name, _)| is_among(name)).map(|(_, grammar)| grammar());
    let actions = ACTIONS.iter().filter(|it| is_among(it.name) || it.with_wildcards().is_some_and(is_among));
    let part =
        Command::new("sv").disable_help_subcommand(true).subcommands(own.chain(actions.map(action_command)));
    ConnectionArgs::augment_args(part).try_get_matches_from(with_name("sv", args)).ok()
}

/// How many actions are suggested in place of an unknown one.
const SUGGESTED_MAX: usize = 3;

/// The actions that were probably meant by a word: those that it begins, then those that differ in few letters. Aliases
/// only if there are none.
fn similar_actions(word: &str) -> Vec<String> {
    let own = SUBCOMMANDS.iter().map(|(name, _)| *name);
    let actions = ACTIONS.iter().filter(|action| !action.is_for_shell()).map(|action| action.name);
    let names: Vec<&str> = own.chain(actions).collect();
    let is_begun = |name: &&str| word.len() >= 3 && name.starts_with(word);
    let mut found: Vec<&str> = names.iter().copied().filter(is_begun).collect();
    found.extend(similar(names.iter().copied().filter(|name| !is_begun(name)), word));
    if found.is_empty() {
        found = similar(ACTIONS.iter().filter_map(ClientAction::with_wildcards), word);
    }
    found.into_iter().take(SUGGESTED_MAX).map(str::to_owned).collect()
}

/// Ranks what clap suggests for an unknown action, by another measure than clap's, which places `mstart` next to `statsu`.
fn with_similar_actions(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) {
        let found = similar_actions(word);
        if found.is_empty() {
            error.remove(ContextKind::SuggestedSubcommand);
        } else {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(found));
        }
    }
    error
}

/// For `docker run IMAGE bash` with sv as the entry point: another command was meant, and what follows the image are
/// our arguments. Otherwise a word that is similar to an action was meant as that action.
fn tip(error: &clap::Error, is_pid_1: bool) -> Option<String> {
    if !is_pid_1 && error.get(ContextKind::SuggestedSubcommand).is_some() {
        return None;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    Some(if is_pid_1 {
        format!(
            "\n  tip: to run '{word}' instead of the programs: docker run -it IMAGE -- {word}\n  \
             tip: to run it beside them: docker exec -it CONTAINER {word}\n"
        )
    } else {
        format!("\n  tip: to run '{word}' with sv as its init: sv -- {word}\n")
    })
}

/// As PID 1, options without a subcommand, or nothing, are those of `run`.
fn parse_as_init(argv0: &str, args: &[OsString]) -> Option<Action> {
    let matches = run_command(None).try_get_matches_from(with_name("run", args)).ok()?;
    Some(Action::Run(run_options(argv0.to_owned(), &matches)))
}

fn with_name<'a>(name: &str, args: &'a [OsString]) -> impl Iterator<Item = OsString> + use<'a> {
    std::iter::once(OsString::from(name)).chain(args.iter().cloned())
}

fn printed(error: &clap::Error, is_pid_1: bool) -> Action {
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    let mut text = error.render().to_string();
    if let Some(tip) = tip(error, is_pid_1) {
        // After the error itself, where clap prints its own tips.
        let end = text.find('\n').map_or(text.len(), |end| end + 1);
        text.insert_str(end, &tip);
    }
    Action::Print { text, code, to_stderr: error.use_stderr() }
}

fn chosen(argv0: String, matches: &ArgMatches) -> Action {
    match matches.subcommand() {
        None => Action::Client(connection(matches).into_client(argv0, Vec::new())),
        Some(("run", run)) => Action::Run(run_options(argv0, run)),
        Some((name @ ("check" | "config"), inner)) => {
            let options =
                if name == "check" { check_options(argv0, inner) } else { config_options(argv0, inner) };
            let config = options.config.or(connection(matches).config);
            Action::Inspect(InspectOptions { config, ..options })
        }
        Some(("init", scaffold)) => Action::Scaffold(scaffold_options(scaffold)),
        Some(("sample", sample)) => Action::Sample(sample_language(sample)),
        Some(("pidproxy", proxy)) => pidproxy(proxy),
        Some(("completions", asked)) => completions(&argv0, asked),
        Some((action, inner)) => {
            let arguments = inner.get_many::<String>("words").into_iter().flatten().cloned();
            let options = options_given(action, inner);
            let arguments: Vec<String> = arguments.collect();
            // From here on words are separated by blanks.
            let arguments = if action == EXEC { vec![join_words(&arguments)] } else { arguments };
            let words = std::iter::once(action.to_owned()).chain(options).chain(arguments).collect();
            Action::Client(connection(inner).or(connection(matches)).into_client(argv0, words))
        }
    }
}

/// Clap has validated them already, so they can be read.
fn connection(matches: &ArgMatches) -> ConnectionArgs {
    ConnectionArgs::from_arg_matches(matches).unwrap_or_default()
}

fn run_options(argv0: String, matches: &ArgMatches) -> RunOptions {
    let named = matches.try_get_one::<PathBuf>("file").ok().flatten();
    let config = named.or_else(|| matches.get_one("config")).cloned();
    let (overrides, command) = (overrides(matches), main_command(matches));
    RunOptions { argv0, face: Face::Sv, config, overrides, command }
}

fn main_command(matches: &ArgMatches) -> Vec<String> {
    matches.get_many("command").into_iter().flatten().cloned().collect()
}

fn check_options(argv0: String, matches: &ArgMatches) -> InspectOptions {
    let grace_secs = matches.get_one("grace").copied();
    let is_image = matches.get_one::<String>("image").map(|answer| answer == "yes");
    let what = Inspect::Mistakes { grace_secs, is_image };
    let ((config, json), command) = (inspected(matches), main_command(matches));
    InspectOptions { argv0, config, overrides: strict(matches), command, json, what }
}

fn config_options(argv0: String, matches: &ArgMatches) -> InspectOptions {
    let what = Inspect::Values { expand: matches.get_flag("expand"), changed: matches.get_flag("changed") };
    let ((config, json), command) = (inspected(matches), main_command(matches));
    InspectOptions { argv0, config, overrides: overrides(matches), command, json, what }
}

/// The named file, by option or positional, and whether JSON is requested.
fn inspected(matches: &ArgMatches) -> (Option<PathBuf>, bool) {
    let named = matches.get_one::<PathBuf>("file").or_else(|| matches.get_one("config"));
    (named.cloned(), matches.get_flag("json"))
}

/// The flags of `sv run`.
fn overrides(matches: &ArgMatches) -> Vec<Override> {
    let overrides = FLAGS.iter().filter_map(|flag| {
        let value = match flag.value {
            Some(_) => matches.get_one::<String>(flag.option)?.clone(),
            None => matches.get_flag(flag.option).then(|| "true".to_owned())?,
        };
        Some(Override { option: flag.option, value, spelled: format!("--{}", flag.option) })
    });
    overrides.chain(strict(matches)).collect()
}

/// It is not among Supervisor's flags: another long name could make an abbreviation ambiguous.
fn strict(matches: &ArgMatches) -> Vec<Override> {
    let is_strict = matches.get_flag("strict");
    let strict = Override { option: "strict", value: "true".to_owned(), spelled: "--strict".to_owned() };
    is_strict.then_some(strict).into_iter().collect()
}

fn scaffold_options(matches: &ArgMatches) -> ScaffoldOptions {
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    ScaffoldOptions { source: path("source"), output: path("output"), toml: matches.get_flag("toml") }
}

fn sample_language(matches: &ArgMatches) -> Language {
    if matches.get_flag("toml") { Language::Toml } else { Language::Ini }
}

fn pidproxy(matches: &ArgMatches) -> Action {
    let mut words = matches.get_many::<OsString>("words").into_iter().flatten().cloned();
    let pid_file = words.next().map(PathBuf::from).unwrap_or_default();
    Action::Pidproxy { pid_file, command: words.collect() }
}

/// A completion script, or the answer to one.
fn completions(argv0: &str, asked: &ArgMatches) -> Action {
    let kind = asked.get_one::<String>("kind").map(String::as_str).unwrap_or_default();
    if let Some(script) = completions::script(kind) {
        return Action::say(script.to_owned());
    }
    let words: Vec<OsString> = asked.get_many("words").into_iter().flatten().cloned().collect();
    let client = |line: Vec<String>| {
        let options: Vec<String> = line.iter().take_while(|word| *word != COMPLETE).cloned().collect();
        let words = line[options.len()..].to_vec();
        let grammar = ConnectionArgs::augment_args(Command::new("sv"));
        // Errors are reported when the line is run.
        let found = grammar.try_get_matches_from(std::iter::once("sv".to_owned()).chain(options));
        let options = found.map(|matches| connection(&matches)).unwrap_or_default();
        Action::Client(options.into_client(argv0.to_owned(), words))
    };
    let mut grammar = command();
    grammar.build();
    completions::words(&grammar, &words, client)
}

fn completions_command() -> Command {
    let kinds = completions::SHELLS.iter().copied().chain([WORDS]);
    let kinds: Vec<_> = kinds.map(|kind| PossibleValue::new(kind).hide(kind == WORDS)).collect();
    Command::new("completions")
        .about("Print a script that completes sv's command line in a shell")
        .after_help("bash:  source <(sv completions bash)\nzsh:   source <(sv completions zsh)\nfish:  sv completions fish > ~/.config/fish/completions/sv.fish")
        .arg(Arg::new("kind").value_name("SHELL").value_parser(kinds).required(true))
        .arg(words("words", ValueParser::os_string()).last(true).hide(true))
}

/// The argument that scripts use instead of the name of a shell.
const WORDS: &str = "words";

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (speaks Supervisor 4.3.0)");

/// What an action does, its usage, and then everything else.
const ACTION_HELP: &str = "{about-with-newline}\nUsage:\n{before-help}{all-args}{after-help}";

pub(super) fn command() -> Command {
    let command = Command::new("sv")
        .version(VERSION)
        .about("Supervise processes: a container's init, a daemon, and the client of both")
        .override_usage("sv run [OPTIONS]\n       sv [INIT OPTIONS] -- COMMAND [ARGUMENT]...\n       sv [OPTIONS] [ACTION [ARGUMENT]...]")
        .after_help(AFTER)
        .after_long_help(format!("{AFTER_LONG}\n\n{}\n\n{EXIT_CODES}", init::HELP))
        .subcommand_value_name("ACTION")
        .subcommand_help_heading("Actions")
        .subcommands(SUBCOMMANDS.iter().map(|(_, grammar)| grammar()));
    ConnectionArgs::augment_args(command).subcommands(ACTIONS.iter().map(|action| {
        action_command(action)
            .about(action.about)
            .hide(action.is_for_shell())
            .help_template(ACTION_HELP)
            .before_help(action.forms().trim_end().to_owned())
            .after_long_help(EXIT_CODES)
    }))
}

/// The name of a subcommand, and its grammar.
type Subcommand = (&'static str, fn() -> Command);

/// All subcommands but the client's actions.
const SUBCOMMANDS: [Subcommand; 7] = [
    ("init", scaffold_command),
    ("run", || run_command(Some(file_arg()))),
    ("check", check_command),
    ("config", config_command),
    ("sample", sample_command),
    ("pidproxy", pidproxy_command),
    ("completions", completions_command),
];

/// The action whose arguments are a command.
const EXEC: &str = "exec";

/// An action as far as it is needed to match a line.
fn action_command(action: &ClientAction) -> Command {
    Command::new(action.name).aliases(action.with_wildcards()).defer(with_arguments)
}

/// The arguments of an action. Added only to the one that is used: those of all actions cost a third of a `status`.
fn with_arguments(action: Command) -> Command {
    let options = options_of(action.get_name());
    // Without options of its own an action has words that only look like some: `signal -9`.
    let words = words("ARGUMENT", ValueParser::string()).allow_hyphen_values(options.is_empty());
    let words = words.trailing_var_arg(action.get_name() == EXEC);
    ConnectionArgs::augment_args(action).args(options).arg(words.hide(true))
}

const SORT_HELP: &str = "name, state (trouble first), cpu, mem, restarts or uptime";

/// What only `sv`'s form of an action has; the client reads them as words.
fn options_of(action: &str) -> Vec<Arg> {
    let flag = |name, help| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let valued = |name, value, help| Arg::new(name).long(name).value_name(value).help(help);
    match action {
        "events" => vec![
            flag("follow", "Keep showing new events, until Ctrl-C").short('f'),
            flag("json", "Print a JSON object for each event, one a line"),
            valued("since", "SERIAL", "Only the events after this one"),
        ],
        "diff" => vec![flag("json", "Print a JSON object")],
        "scale" => vec![flag("json", "Print a JSON array with an object for each program")],
        "graph" => vec![
            flag("dot", "For Graphviz"),
            flag("mermaid", "For Mermaid"),
            flag("json", "Print a JSON object"),
        ],
        "ps" => vec![
            flag("watch", "Refresh the table in place, until Ctrl-C").short('w'),
            valued("sort", "KEY", SORT_HELP),
            flag("json", "Print a JSON array with an object for each process"),
        ],
        "restart" => vec![
            flag("rolling", "Restart the next process when the one before is ready"),
            valued("max-unavailable", "N", "How many processes --rolling restarts at a time [default: 1]"),
            valued("timeout", "SECONDS", "When --rolling is to end, with exit code 124 [default: never]"),
            flag("json", "With --rolling: print a JSON array with an object for each process"),
        ],
        "top" => vec![valued("sort", "KEY", SORT_HELP)],
        "wait" => vec![
            valued("for", "WHAT", "running, ready, healthy, done or stopped [default: running]"),
            valued("timeout", "SECONDS", "When to give up, with exit code 124 [default: never]"),
        ],
        "why" => vec![flag("json", "Print a JSON object, or an array for several processes")],
        "status" => vec![flag("json", "Print a JSON array with an object for each process")],
        "health" => vec![flag("json", "Print a JSON object")],
        "logs" => vec![
            flag("follow", "Keep showing new output, until Ctrl-C").short('f'),
            Arg::new("lines")
                .short('n')
                .long("lines")
                .value_name("LINES")
                .help("How many of the existing lines to show [default: 10; all with --since]"),
            valued("since", "TIME", "Only lines since then: 90s, 10m, 2h or 1d ago, or 2026-11-29T03:07:29Z"),
            valued("grep", "RE", "Only lines that match this regular expression"),
            flag("timestamps", "Show when each line was written").short('t'),
            flag("json", "Print a JSON object for each line"),
            flag("stdout", "Standard output only"),
            flag("stderr", "Standard error only"),
        ],
        _ => Vec::new(),
    }
}

/// The same options, as given.
fn options_given(action: &str, matches: &ArgMatches) -> Vec<String> {
    let given = options_of(action).into_iter().filter_map(|option| {
        let name = option.get_id().as_str();
        match option.get_action() {
            ArgAction::SetTrue => matches.get_flag(name).then(|| format!("--{name}")),
            // Words are separated by blanks from here on, and a pattern can do without.
            _ if name == "grep" => matches.get_one::<String>(name).map(|pattern| {
                let pattern = pattern.replace("\\ ", " ").replace(' ', "\\x20").replace('\t', "\\t");
                format!("--{name}={pattern}")
            }),
            _ => matches.get_one::<String>(name).map(|value| format!("--{name}={value}")),
        }
    });
    given.collect()
}

/// As PID 1 `sv WORD` is not `sv run FILE`: there a file needs its option.
fn run_command(file: Option<Arg>) -> Command {
    Command::new("run")
        .about("Supervise: start the configured programs and keep them running")
        .after_help(SEARCHED)
        .arg(config_arg())
        .args(file)
        .args(flags())
        .arg(strict_arg())
        .arg(main_command_arg())
}

fn main_command_arg() -> Arg {
    let help = "The main program: those of the configuration run beside it, and we end with its status";
    Arg::new("command").value_name("COMMAND").num_args(1..).last(true).help(help)
}

fn checked_command_arg() -> Arg {
    main_command_arg().help("The main program that `sv run` would be given: [program:main] stands for it")
}

fn check_command() -> Command {
    let grace = Arg::new("grace")
        .long("grace")
        .value_name("SECONDS")
        .value_parser(clap::value_parser!(u32))
        .help("What a container is given to stop in [10 in a container, as with docker stop; Kubernetes gives 30]");
    let image = Arg::new("image")
        .long("image")
        .value_name("yes|no")
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("yes")
        .overrides_with("image")
        .value_parser(["yes", "no"])
        .help("This is the image that the configuration is for: what is missing is an error [as root in a container]");
    Command::new("check")
        .about("Report errors and likely mistakes in a configuration")
        .after_help(CHECK)
        .args([file_arg(), config_arg(), strict_arg(), json_arg(), grace, image, checked_command_arg()])
}

fn config_command() -> Command {
    let switch = |name, help| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let expand =
        switch("expand", "Put names such as %(ENV_X)s in where they mean the same for a whole section");
    let changed = switch("changed", "Leave out what nobody has set");
    Command::new("config")
        .about("Show the effective configuration: each value, and where it comes from")
        .after_help(CONFIG)
        .args([file_arg(), config_arg(), json_arg(), expand, changed, checked_command_arg()])
        .next_help_heading("Options of `sv run`")
        .args(flags())
        .arg(strict_arg())
}

fn config_arg() -> Arg {
    Arg::new("config")
        .short('c')
        .long("configuration")
        .value_name("FILE")
        .value_parser(ValueParser::path_buf())
        .help("Configuration [searched for if absent]")
}

/// The file as a positional.
fn file_arg() -> Arg {
    Arg::new("file")
        .value_name("FILE")
        .value_parser(ValueParser::path_buf())
        .conflicts_with("config")
        .help("Configuration [searched for if absent]")
}

fn json_arg() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON")
}

fn strict_arg() -> Arg {
    let help = "Take unknown sections, options and SV_ variables for errors (strict=true)";
    Arg::new("strict").long("strict").action(ArgAction::SetTrue).help(help)
}

fn flags() -> impl Iterator<Item = Arg> {
    FLAGS.iter().map(|flag| {
        let arg = Arg::new(flag.option).short(flag.short).long(flag.option).help(flag.help);
        let arg = arg.hide(flag.option == "profile_options");
        match flag.value {
            Some(name) => arg.value_name(name),
            None => arg.action(ArgAction::SetTrue),
        }
    })
}

fn sample_command() -> Command {
    Command::new("sample").about("Print a sample configuration").arg(toml_arg())
}

fn toml_arg() -> Arg {
    Arg::new("toml").long("toml").action(ArgAction::SetTrue).help("In TOML instead of INI")
}

fn scaffold_command() -> Command {
    let path = |name| Arg::new(name).value_name("FILE").value_parser(ValueParser::path_buf());
    let output = path("output").short('o').long("output");
    Command::new("init")
        .about("Write a first configuration, from a Procfile, a Dockerfile or questions")
        .after_help(SCAFFOLD)
        .arg(
            path("source")
                .help("A Procfile or Dockerfile [searched for here if absent; else commands are asked for]"),
        )
        .arg(
            output.help(
                "The file to write; - is standard output [default: supervisord.conf or supervisord.toml]",
            ),
        )
        .arg(toml_arg())
}

fn pidproxy_command() -> Command {
    Command::new("pidproxy")
        .about("Run a command and pass on signals to the process that wrote a pid file")
        .override_usage("sv pidproxy PIDFILE COMMAND [ARGUMENT]...")
        .arg(
            words("WORD", ValueParser::os_string())
                .help("The pid file, a command by its path, and its arguments")
                .num_args(2..)
                .trailing_var_arg(true)
                .required(true),
        )
}

/// Arguments that may look like options: `tail -f`, `signal -9`.
fn words(name: &'static str, parser: ValueParser) -> Arg {
    Arg::new("words").value_name(name).value_parser(parser).num_args(0..).allow_hyphen_values(true)
}

const SEARCHED: &str = "\
The configuration is searched for as etc/supervisord.conf and supervisord.conf beside the folder of
the binary, supervisord.conf and etc/supervisord.conf here, /etc/supervisord.conf and
/etc/supervisor/supervisord.conf; and where there is none, as supervisord.toml in the same places. A
file whose name ends in .toml is read as TOML. As `sv run`, and as PID 1, we stay in the foreground.";

const SCAFFOLD: &str = "\
A Procfile has a line `NAME: COMMAND` for each program; one called release runs once before the others.
Of a Dockerfile, ENTRYPOINT and CMD of the last stage are one program; an init such as tini is left out.
The configuration has comments with the options that are often added. No file is overwritten.

Exit codes:
  0  it is written
  2  nothing is written: the file exists, or the source is missing or wrong";

const CHECK: &str = "\
Errors come first, then warnings (likely mistakes), then notes; each with its file and line, the line
itself, and what was perhaps meant. What this machine lacks (a user, a folder, a command, a file that can't
be written) is a note that begins with \"here:\", since the image that the configuration is for may have it.
With --image it is an error. A file of conf.d, with programs and without [supervisord], is checked as it is.
A main command after --, as for `sv run`, is checked too.

Exit codes:
  0  there are no errors and no warnings
  1  there are warnings
  2  there are errors, and `sv run` would refuse it";

const CONFIG: &str = "\
Values are shown as they were written, each followed by its origin: a file and line, an environment
variable, a flag, or the default. The output is a configuration that `sv run` takes. Passwords are not
shown, but the variables that set them are; nor is the content of a file that an SV_..._FILE names. With
--expand the output is for reading only: percent signs are not doubled.

Exit codes:
  0  the configuration is shown
  2  it has errors, which are printed on stderr as by `sv check`";

const AFTER: &str = "\
Without an action: the shell, or `run` as PID 1. `sv help ACTION` explains one; `sv --help` has more.";

pub(super) const EXIT_CODES: &str = "\
Exit codes of the client's actions (with several problems the last one counts):
  0  done; starting what runs and stopping what does not run count as done
  1  it failed, or there is no such process; health: not healthy
  2  wrong use: the command line, the configuration, `start` without a name or of an unknown group
  3  status: a process shown is STOPPED, EXITED, FATAL or UNKNOWN; else: the server lacks the methods
  4  status: no answer, or no such process; else: the connection was refused
  5  the server speaks another version of the interface
  7  nothing runs: no such socket, the program ended at once, or it had no process
  diff: 1 update would change something, 2 any error
  exec: that of the command; 125 any error of sv, 126 it can't be executed, 127 it is not found
  is-running: 1 it is not RUNNING, 2 any error
  restart: 124 the timeout of --rolling has passed
  wait: 1 it can no longer come true, 2 any error, 124 the timeout has passed";

const AFTER_LONG: &str = "\
Without an action: the shell, or `run` as PID 1. `sv help ACTION` explains one.

Called as supervisord, supervisorctl, pidproxy, echo_supervisord_conf, tini or dumb-init (by a link of
that name) it takes the command line of that program.

The address of the supervisor is that of -s; else of the configuration, given by -c or searched
for: its [supervisorctl] section or, failing that, its [unix_http_server]; else of the environment's
SUPERVISOR_SERVER_URL; else http://localhost:9001.

Names of processes: NAME, GROUP:NAME, GROUP:* for all of a group, all for all. Patterns with *, ? and
[...] mean every process that they fit: 'web_*', 'work*:*'.";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str], is_pid_1: bool) -> Action {
        parse("sv".into(), line.iter().map(OsString::from).collect(), is_pid_1)
    }

    /// The result of parsing a line, in short form.
    fn shown(line: &[&str], is_pid_1: bool) -> String {
        match parsed(line, is_pid_1) {
            Action::Run(options) => {
                let flags = options.overrides.iter().map(|o| format!(" {}={}", o.option, o.value));
                let words = options.command.iter().map(|word| format!(" -{word}-"));
                let (flags, words): (String, String) = (flags.collect(), words.collect());
                format!("run {:?}{flags}{words}", options.config.unwrap_or_default())
            }
            Action::Client(options) => {
                let url = options.server_url.unwrap_or_default();
                let config = options.config.unwrap_or_default();
                let asks = if options.interactive { " asking" } else { "" };
                format!("client {config:?} {url}{asks} {:?}", options.words)
            }
            Action::Pidproxy { pid_file, command } => format!("pidproxy {pid_file:?} {command:?}"),
            Action::PrintListener(length) => format!("print listener {length:?}"),
            Action::Init(options) => format!("init {:?}", options.command),
            Action::Inspect(options) => {
                let flags = options.overrides.iter().map(|o| format!(" {}={}", o.option, o.value));
                let (config, json) = (options.config.unwrap_or_default(), options.json);
                let words: String = options.command.iter().map(|word| format!(" -{word}-")).collect();
                format!("{:?} {config:?} {json}{}{words}", options.what, flags.collect::<String>())
            }
            Action::Sample(language) => format!("sample {language:?}"),
            Action::Scaffold(ScaffoldOptions { source, output, toml }) => {
                format!("init {:?} {:?} {toml}", source.unwrap_or_default(), output.unwrap_or_default())
            }
            Action::Print { code, to_stderr, text } => {
                let first = text.lines().next().unwrap_or_default();
                format!("print {code} {} {first}", if to_stderr { "err" } else { "out" })
            }
        }
    }

    #[test]
    fn the_first_argument_selects_the_action() {
        for (line, expected) in [
            (&[][..], "client \"\"  asking []"),
            (&["-s", "unix:///s"], "client \"\" unix:///s asking []"),
            (&["status"], "client \"\"  [\"status\"]"),
            (&["-c", "f", "status", "a", "b"], "client \"f\"  [\"status\", \"a\", \"b\"]"),
            (&["status", "-c", "f", "a"], "client \"f\"  [\"status\", \"a\"]"),
            (&["-c", "f", "status", "-c", "g"], "client \"g\"  [\"status\"]"),
            (&["tail", "-f", "web"], "client \"\"  [\"tail\", \"-f\", \"web\"]"),
            (&["tail", "-100", "web"], "client \"\"  [\"tail\", \"-100\", \"web\"]"),
            (&["status", "--json"], "client \"\"  [\"status\", \"--json\"]"),
            (&["status", "web", "--json", "-c", "f"], "client \"f\"  [\"status\", \"--json\", \"web\"]"),
            (
                &["logs", "-fn5", "web", "--stderr", "-c", "f", "cron"],
                "client \"f\"  [\"logs\", \"--follow\", \"--lines=5\", \"--stderr\", \"web\", \"cron\"]",
            ),
            (&["logs", "--grep", "a b"], "client \"\"  [\"logs\", \"--grep=a\\\\x20b\"]"),
            (
                &["exec", "-c", "f", "web", "--", "sh", "-c", "a  b"],
                "client \"f\"  [\"exec\", \"web -- sh -c 'a  b'\"]",
            ),
            (&["exec", "web", "ls", "-c", "-h"], "client \"\"  [\"exec\", \"web ls -c -h\"]"),
            (&["health", "web", "--json"], "client \"\"  [\"health\", \"--json\", \"web\"]"),
            (&["mstop", "work:*"], "client \"\"  [\"stop\", \"work:*\"]"),
            (&["-i", "shutdown"], "client \"\"  asking [\"shutdown\"]"),
            (&["open", "unix:///s"], "client \"\"  [\"open\", \"unix:///s\"]"),
            (&["run"], "run \"\""),
            (&["run", "-nc", "f", "-e", "debug"], "run \"f\" nodaemon=true loglevel=debug"),
            (&["run", "-s", "--minfds=9"], "run \"\" silent=true minfds=9"),
            (&["run", "f"], "run \"f\""),
            (&["run", "f", "-n", "--", "job"], "run \"f\" nodaemon=true -job-"),
            (&["run", "--strict", "-e", "warn"], "run \"\" loglevel=warn strict=true"),
            (&["run", "-c", "f", "--", "job", "-n", "--"], "run \"f\" -job- --n- ----"),
            (&["check"], "Mistakes { grace_secs: None, is_image: None } \"\" false"),
            (
                &["check", "f", "--strict", "--json", "--grace", "30"],
                "Mistakes { grace_secs: Some(30), is_image: None } \"f\" true strict=true",
            ),
            (&["-c", "f", "check"], "Mistakes { grace_secs: None, is_image: None } \"f\" false"),
            (&["check", "-c", "f"], "Mistakes { grace_secs: None, is_image: None } \"f\" false"),
            (
                &["check", "f", "--", "job", "-n"],
                "Mistakes { grace_secs: None, is_image: None } \"f\" false -job- --n-",
            ),
            (&["check", "--", "job"], "Mistakes { grace_secs: None, is_image: None } \"\" false -job-"),
            (
                &["config", "f", "-n", "--", "job", "--"],
                "Values { expand: false, changed: false } \"f\" false nodaemon=true -job- ----",
            ),
            (
                &["config", "f", "-e", "debug"],
                "Values { expand: false, changed: false } \"f\" false loglevel=debug",
            ),
            (
                &["config", "--expand", "--changed", "--json", "--strict", "-n"],
                "Values { expand: true, changed: true } \"\" true nodaemon=true strict=true",
            ),
            (&["init"], "init \"\" \"\" false"),
            (&["init", "Procfile", "--toml", "-o", "-"], "init \"Procfile\" \"-\" true"),
            (&["sample"], "sample Ini"),
            (&["sample", "--toml"], "sample Toml"),
            (
                &["completions", "bash"],
                "print 0 out # Completion of sv for bash:  source <(sv completions bash)",
            ),
            (&["completions", "words", "--", "statu"], "print 0 out status"),
            (&["completions", "words", "--", "help", "statu"], "print 0 out status"),
            (&["completions", "words", "--", "completions", "z"], "print 0 out zsh"),
            (&["completions", "words", "--", "--serv"], "print 0 out --serverurl"),
            (&["completions", "words", "--", "run", "--nod"], "print 0 out --nodaemon"),
            (&["completions", "words", "--", "-c", ""], "print 0 out "),
            (&["completions", "words", "--", "run", ""], "print 0 out "),
            (
                &["completions", "words", "--", "-c", "f", "start", "-s", "unix:///s", "a", "w"],
                "client \"f\" unix:///s [\"complete\", \"=w\", \"start\", \"a\"]",
            ),
            (&["--", "status"], "init [\"status\"]"),
            (&["-g", "--", "ls", "--", "-l"], "init [\"ls\", \"--\", \"-l\"]"),
            (&["tail", "--", "-f"], "client \"\"  [\"tail\", \"-f\"]"),
            (&["pidproxy", "p", "/c", "-x"], "pidproxy \"p\" [\"/c\", \"-x\"]"),
        ] {
            assert_eq!(shown(line, false), expected, "{line:?}");
        }
    }

    #[test]
    fn as_pid_1_options_alone_are_those_of_run() {
        for (line, expected) in [
            (&[][..], "run \"\""),
            (&["-c", "f"], "run \"f\""),
            (&["-c", "f", "-e", "debug", "-s"], "run \"f\" silent=true loglevel=debug"),
            (&["run", "-n"], "run \"\" nodaemon=true"),
            (&["-vg", "--", "run"], "init [\"run\"]"),
            (&["-c", "f", "--", "job", "-n"], "run \"f\" -job- --n-"),
            (&["-c", "f", "status"], "client \"f\"  [\"status\"]"),
            (&["-s", "unix:///s", "status"], "client \"\" unix:///s [\"status\"]"),
            (
                &["--version"],
                concat!("print 0 out sv ", env!("CARGO_PKG_VERSION"), " (speaks Supervisor 4.3.0)"),
            ),
            // Not a configuration: `docker run IMAGE bash` passes it on.
            (&["bash"], "print 2 err error: unrecognized subcommand 'bash'"),
        ] {
            assert_eq!(shown(line, true), expected, "{line:?}");
        }
    }

    #[test]
    fn usage_errors_are_printed_on_stderr() {
        for line in [
            &["frobnicate"][..],
            &["-s", "foo", "status"],
            &["run", "word", "word"],
            &["run", "word", "-c", "f"],
            &["logs", "-x", "web"],
            &["pidproxy", "p"],
            &["run", "-n", "-n"],
            &["check", "a", "b"],
            &["check", "a", "-c", "b"],
            &["check", "--grace", "-1"],
            &["check", "-n"],
            &["run", "--json"],
        ] {
            assert!(
                shown(line, false).starts_with("print 2 err error: "),
                "{line:?}: {}",
                shown(line, false)
            );
        }
    }

    #[test]
    fn an_unknown_action_may_be_a_command() {
        for is_pid_1 in [false, true] {
            let tip = if is_pid_1 {
                "\n  tip: to run 'bash' instead of the programs: docker run -it IMAGE -- bash\n"
            } else {
                "\n  tip: to run 'bash' with sv as its init: sv -- bash\n"
            };
            let Action::Print { text, .. } = parsed(&["bash", "-c", "ls"], is_pid_1) else { panic!() };
            assert!(text.contains(tip), "{text}");
            let Action::Print { text, .. } = parsed(&["stat"], is_pid_1) else { panic!() };
            assert_eq!(text.contains("-- stat"), is_pid_1, "{text}");
            let Action::Print { text, .. } = parsed(&["run", "--nope"], is_pid_1) else { panic!() };
            assert!(!text.contains("as its init"), "{text}");
        }
    }

    #[test]
    fn the_action_that_was_meant_is_suggested_first() {
        for (word, expected) in [
            ("statsu", &["status"][..]),
            ("stauts", &["status"]),
            ("Status", &["status"]),
            ("strat", &["start"]),
            ("stat", &["status", "start"]),
            ("rest", &["restart"]),
            ("resart", &["restart"]),
            ("shutdwon", &["shutdown"]),
            ("udpate", &["update"]),
            ("lgos", &["logs"]),
            ("tial", &["tail"]),
            ("evnets", &["events"]),
            ("comp", &["completions"]),
            ("pss", &["ps"]),
            ("mrestrat", &["restart"]),
            ("bash", &[]),
            ("x", &[]),
            ("frobnicate", &[]),
        ] {
            assert_eq!(similar_actions(word), expected, "{word}");
        }
        let Action::Print { text, .. } = parsed(&["statsu"], false) else { panic!() };
        assert!(text.contains("  tip: a similar subcommand exists: 'status'\n"), "{text}");
    }

    #[test]
    fn the_version_names_supervisors() {
        assert!(VERSION.ends_with(&format!("(speaks Supervisor {})", crate::model::SUPERVISOR_VERSION)));
    }

    #[test]
    fn the_help_lists_actions_and_exit_codes() {
        for line in [&["--help"][..], &["help"]] {
            let Action::Print { text, code: 0, to_stderr: false } = parsed(line, false) else { panic!() };
            for part in ["run", "status", "SUPERVISOR_SERVER_URL", "Exit codes", "  7  nothing runs"] {
                assert!(text.contains(part), "{part} in {text}");
            }
            assert!(!text.contains("Leave the shell"), "{text}");
        }
        for line in [&["help", "stop"][..], &["stop", "--help"]] {
            let Action::Print { text, .. } = parsed(line, false) else { panic!() };
            let forms = text.find("  sv stop GROUP:*").unwrap();
            let example = text.find("  sv stop web 'worker:*'").unwrap();
            let options = text.find("Options:").unwrap();
            assert!(forms < example && example < options, "{text}");
        }
    }

    #[test]
    fn every_action_that_only_sv_has_prints_json_or_has_a_reason_not_to() {
        const EXEMPT: [(&str, &str); 4] = [
            ("exec", "the output is that of the command"),
            ("is-running", "prints nothing; the exit code answers"),
            ("top", "refreshes a table in place; ps has --json"),
            ("wait", "prints nothing; the exit code answers"),
        ];
        // Of the actions that Supervisor has, these have a form of their own in `sv`. The output of the others is
        // Supervisor's.
        const EXTENDED: [&str; 2] = ["restart", "status"];
        for action in &ACTIONS {
            let has_json = options_of(action.name).iter().any(|option| option.get_id() == "json");
            let is_exempt = EXEMPT.iter().any(|(name, _)| *name == action.name);
            let is_ours = action.is_for_sv() || EXTENDED.contains(&action.name);
            assert_eq!(has_json, is_ours && !is_exempt, "{}", action.name);
            assert_eq!(has_json, action.forms().contains("--json"), "the help of {}", action.name);
        }
    }

    #[test]
    fn a_part_of_the_grammar_accepts_lines_of_the_client() {
        let part = |line: &[&str]| matched_by_part(&line.iter().map(OsString::from).collect::<Vec<_>>());
        for line in [
            &[][..],
            &["-c", "stop", "status", "start"],
            &["mstop", "run"],
            &["run", "-n"],
            &["tail", "-f", "a"],
        ] {
            assert!(part(line).is_some(), "{line:?}");
        }
        for line in [&["help", "stop"][..], &["stop", "-h"], &["--version"], &["stat"], &["statu", "status"]]
        {
            assert!(part(line).is_none(), "{line:?}");
        }
        for (name, grammar) in SUBCOMMANDS {
            assert_eq!(grammar().get_name(), name);
        }
    }

    #[test]
    fn the_grammar_is_sound() {
        command().debug_assert();
        run_command(None).debug_assert();
    }
}
