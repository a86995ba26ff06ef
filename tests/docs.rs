//! The documents match the binary: their configurations are accepted, and their commands exist.
//!
//! A block that begins with ```` ```ini ```` or ```` ```toml ```` is a configuration, or sections of one, and `sv check` has no
//! complaint about it. One that is wrong on purpose, or is not for `sv`, begins with ```` ```ini,ignore ````.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use sv::cli::{self, Action};

mod support;
use support::{Sandbox, binary};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The documents for users: their paths from the root, and their texts.
fn documents() -> Vec<(String, String)> {
    let files = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        entries.map(|entry| format!("{folder}/{}", entry.unwrap().file_name().display())).collect()
    };
    let mut paths = ["README.md", "CHANGELOG.md", "COMPAT.md", "CONTRIBUTING.md", "SECURITY.md"]
        .map(str::to_owned)
        .to_vec();
    paths.extend(files("docs"));
    paths.extend(files("examples").into_iter().map(|folder| format!("{folder}/README.md")));
    paths.retain(|path| path.ends_with(".md") && root().join(path).exists());
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(root().join(path)).unwrap())).collect()
}

/// A fenced block, or one that is indented: the number of its first line, what it is, and its lines.
struct Block<'t> {
    line: usize,
    info: &'t str,
    lines: Vec<&'t str>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut is_fenced = false;
    for (number, line) in text.lines().enumerate() {
        if let Some(info) = line.trim_start().strip_prefix("```") {
            is_fenced = !is_fenced;
            if is_fenced {
                blocks.push(Block { line: number + 2, info, lines: Vec::new() });
            }
        } else if is_fenced {
            blocks.last_mut().unwrap().lines.push(line);
        } else if let Some(code) = line.strip_prefix("    ") {
            blocks.push(Block { line: number + 1, info: "indented", lines: vec![code] });
        }
    }
    blocks
}

#[test]
fn configurations_in_documents_are_accepted() {
    let mut checked = 0;
    let mut wrong = Vec::new();
    for (document, text) in documents() {
        for block in blocks(&text) {
            let name = match block.info {
                "ini" => "example.conf",
                "toml" => "example.toml",
                _ => continue,
            };
            checked += 1;
            let sandbox = Sandbox::new("");
            let text = block.lines.join("\n");
            // Programs alone are read as a file of conf.d, whose dependencies may be elsewhere.
            let is_own = |line: &str| line == "[supervisord]" || line.starts_with("[program");
            let is_whole = block.lines.iter().any(|line| is_own(line) || line.starts_with("[eventlistener"));
            let header = if is_whole { "" } else { "[supervisord]\n" };
            sandbox.write(name, &format!("{header}{text}"));
            // For those that include others.
            fs::create_dir(sandbox.path("conf.d")).unwrap();
            sandbox.write("conf.d/more.conf", "");
            sandbox.write("conf.d/more.toml", "");
            let mut check = sandbox.program("sv");
            let output =
                check.args(["check", "--strict", "--image=no"]).arg(sandbox.path(name)).output().unwrap();
            if output.status.code() != Some(0) {
                let found = [output.stdout, output.stderr].concat();
                wrong.push(format!("{document}:{}: {}", block.line, String::from_utf8_lossy(&found)));
            }
        }
    }
    assert!(wrong.is_empty() && checked > 15, "of {checked} configurations:\n{}", wrong.join("\n"));
}

/// The output of the binary for this command line, as a set of words: actions and flags.
fn words_of(arguments: &[&str]) -> BTreeSet<String> {
    let output = Command::new(binary()).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.split(|c| !is_part(c)).map(str::to_owned).collect()
}

/// The names of the actions that `sv help` lists.
fn actions() -> BTreeSet<String> {
    let output = Command::new(binary()).arg("help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, list) = text.split_once("\nActions:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    list.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// The words of a command line after `sv`, up to what ends the command: `None` if the line does not run `sv`.
fn arguments(line: &str) -> Option<Vec<&str>> {
    let mut words = line.split_whitespace().skip_while(|word| *word == "$");
    let runs_sv = |word: &str| {
        let word = word.trim_start_matches(['$', '<', '(']);
        word == "sv" || word.ends_with("/sv")
    };
    let first = words.clone().find(|word| !word.contains('='))?;
    // Other programs take the path of `sv` as an argument.
    if !runs_sv(first) && !["docker", "kubectl", "source", "kill"].contains(&first) {
        return None;
    }
    words.find(|word| runs_sv(word))?;
    let ends = |word: &&str| ["|", "#", "&&", ";", ">", "<", "2>"].contains(word);
    Some(words.take_while(|word| !ends(word)).map(|word| word.trim_end_matches([')', ';'])).collect())
}

/// The command lines of a document, each with its line number: in blocks, between backticks, and as lists of words.
fn command_lines(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for block in blocks(text) {
        for (number, line) in block.lines.iter().enumerate() {
            let is_command = line.starts_with("$ ") || block.info == "indented" || block.info == "sh";
            if is_command {
                found.push((block.line + number, (*line).to_owned()));
            }
        }
    }
    for (number, line) in text.lines().enumerate() {
        let spans = line.split('`').skip(1).step_by(2);
        // `sv ends with status 7` is a message, and `sv  | INFO …` a line of a log.
        let is_command = |span: &&str| {
            let rest = span.strip_prefix("sv ").unwrap_or(" ");
            !rest.starts_with("ends") && !rest.starts_with(|c: char| c == ' ' || c.is_ascii_digit())
        };
        found.extend(spans.filter(is_command).map(|span| (number + 1, span.to_owned())));
        if let Some((_, rest)) = line.split_once("[\"/sv\"")
            && let Some((list, _)) = rest.split_once(']')
        {
            let words = list.split(',').map(|word| word.trim().trim_matches('"'));
            found.push((number + 1, format!("sv{}", words.collect::<Vec<_>>().join(" "))));
        }
    }
    found
}

#[test]
fn commands_in_documents_exist() {
    /// Options of all actions that take a value, in short and long forms.
    const WITH_VALUE: [&str; 9] =
        ["-c", "-s", "-u", "-p", "-r", "-e", "--configuration", "--serverurl", "--request-timeout"];
    let actions = actions();
    let general = words_of(&["--help"]);
    let (mut checked, mut wrong) = (0, Vec::new());
    for (document, text) in documents() {
        for (number, line) in command_lines(&text) {
            let Some(words) = arguments(&line) else { continue };
            checked += 1;
            let mut flags = Vec::new();
            let mut action = None;
            let mut words = words.into_iter();
            while let Some(word) = words.next() {
                if word == "--" {
                    break;
                } else if word.starts_with('-') {
                    flags.push(word.split('=').next().unwrap());
                    if action.is_none() && WITH_VALUE.contains(&word) {
                        words.next();
                    }
                } else if action.is_none() {
                    action = Some(word);
                }
            }
            // A placeholder stands for any action.
            let action = action.filter(|word| !word.starts_with(['…', '[']) && *word != "ACTION");
            if let Some(action) = action
                && !actions.contains(action)
            {
                wrong.push(format!("{document}:{number}: no action '{action}': {line}"));
                continue;
            }
            let known = action.map_or_else(|| general.clone(), |action| words_of(&["help", action]));
            let is_number = |flag: &str| flag[1..].chars().all(|c| c.is_ascii_digit());
            let unknown = flags
                .iter()
                .filter(|flag| !known.contains(**flag) && !general.contains(**flag) && !is_number(flag));
            wrong.extend(unknown.map(|flag| format!("{document}:{number}: no option '{flag}': {line}")));
        }
    }
    assert!(wrong.is_empty() && checked > 100, "of {checked} commands:\n{}", wrong.join("\n"));
}

/// The words of a line as a shell splits them; `None` for a line that needs a shell.
fn shell_words(line: &str) -> Option<Vec<String>> {
    let line = line.trim_start_matches("$ ").split(" #").next().unwrap_or_default();
    // Placeholders are not words, and quotations may contain anything.
    if line.contains(['|', '&', ';', '<', '>', '$', '(', '…', '[', '{', '`']) {
        return None;
    }
    sv::python::split_command(line).ok()
}

/// Every option has its value, every argument its place: what the existence of names does not show.
#[test]
fn command_lines_in_documents_are_accepted() {
    let (mut checked, mut wrong) = (0, Vec::new());
    for (document, text) in documents() {
        for (number, line) in command_lines(&text) {
            let Some(words) = shell_words(&line) else { continue };
            let words: Vec<&String> = words.iter().skip_while(|word| is_variable(word)).collect();
            let runs_sv = words.first().is_some_and(|word| *word == "sv" || word.ends_with("/sv"));
            if !runs_sv || words.iter().any(|word| *word == "ACTION") {
                continue;
            }
            checked += 1;
            // A number stands for a placeholder, which may be one.
            // In an image, the command follows from CMD.
            let cmd = words.last().is_some_and(|word| *word == "--").then(|| "web".into());
            let words = words.iter().map(|word| match word.as_str() {
                "SECONDS" | "N" | "SERIAL" => "5".into(),
                word => std::ffi::OsString::from(word),
            });
            let action = cli::parse(words.chain(cmd).collect(), false);
            if let Action::Print { text, to_stderr: true, .. } = action {
                wrong.push(format!("{document}:{number}: {line}: {text}"));
            }
        }
    }
    assert!(wrong.is_empty() && checked > 100, "of {checked} command lines:\n{}", wrong.join("\n"));
}

fn is_variable(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
}

/// Numbers, and the dates and blanks around them, differ in each run.
fn without_numbers(text: &str) -> Vec<String> {
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let lines = text.lines().filter(|line| !line.is_empty() && *line != "…");
    let word = |word: &str| {
        let is_date = word.contains(|c: char| c.is_ascii_digit()) && !word.contains('_');
        let is_date = is_date || months.contains(word) && word.len() == 3 || word == "AM" || word == "PM";
        (!is_date).then(|| word.to_owned())
    };
    lines.map(|line| line.split_whitespace().filter_map(word).collect::<Vec<_>>().join(" ")).collect()
}

/// The page that everybody reads first: its configuration is run, and each command prints what the page shows.
#[test]
fn the_session_of_the_first_page_is_as_shown() {
    if !support::have("python3", Command::new("python3").arg("--version").output().is_ok()) {
        return;
    }
    let text = fs::read_to_string(root().join("docs/getting-started.md")).unwrap();
    let blocks = blocks(&text);
    let config = blocks.iter().find(|block| block.info == "ini").unwrap().lines.join("\n");
    let port = support::free_port().to_string();
    // Beside the supervisors of other tests: by its own socket.
    let mut sandbox = Sandbox::new(&config.replace("8099", &port));
    let mut procfile = Sandbox::new("");
    fs::remove_file(procfile.config()).unwrap();
    let (mut compared, mut is_running) = (0, false);
    for block in blocks.iter().filter(|block| block.info == "console") {
        let session = block.lines.join("\n");
        for step in session.split("$ ").skip(1) {
            let (line, shown) = step.split_once('\n').unwrap_or((step, ""));
            let at =
                if is_running || line.contains("supervisord.conf") { &mut sandbox } else { &mut procfile };
            if let Some(file) = line.strip_prefix("cat ") {
                at.write(file, shown);
                continue;
            }
            let words = sv::python::split_command(line).unwrap();
            if words[1] == "run" {
                sandbox.spawn_as({
                    let mut command = sandbox.program("sv");
                    command.args(&words[1..]);
                    command
                });
                for name in ["web", "worker:worker_00", "worker:worker_01"] {
                    sandbox.wait_state(name, "RUNNING");
                }
                is_running = true;
                for line in without_numbers(shown).iter().filter(|line| !line.contains("Serving HTTP")) {
                    assert!(
                        without_numbers(&sandbox.terminal()).contains(line),
                        "{line}: {}",
                        sandbox.terminal()
                    );
                }
                continue;
            }
            if words[1] == "reread" {
                sandbox.replace("supervisord.conf", "sleep 5", "sleep 6");
            }
            let at = if is_running || line.contains("supervisord.conf") { &sandbox } else { &procfile };
            let output = at.program("sv").args(&words[1..]).output().unwrap();
            let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert_eq!(without_numbers(&printed), without_numbers(shown), "{line}: {printed}");
            compared += 1;
        }
    }
    assert!(compared >= 8, "{compared} commands were compared");
    sandbox.signal(rustix::process::Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
}

/// Programs with the names that the pages use.
const PAGE_PROGRAMS: &str = "\
[program-default]
startsecs=0
[program:web]
command=sh -c 'echo one; echo two >&2; exec sleep 1000'
stdout_logfile=%(here)s/web.log
log_format=prefix
log_timestamp=true
[program:worker]
command=sleep 1000
process_name=%(program_name)s_%(process_num)02d
numprocs=2
[program:db]
command=sleep 1000
[program:cache]
command=sleep 1000
[program:api]
command=sleep 1000
process_name=%(program_name)s_%(process_num)d
";

/// What single pages have in addition.
const MORE_OF_PAGES: [(&str, &str); 5] = [
    ("README.md", "[program:nginx]\ncommand=sleep 1000\n"),
    ("docs/client.md", "[inet_http_server]\nport=127.0.0.1:9001\nusername=admin\npassword=secret\n"),
    (
        "docs/jobs.md",
        "[program:migrate]\ntype=oneshot\ncommand=true\n[program:backup]\ncommand=true\nschedule=0 3 * * *\n",
    ),
    (
        "docs/operating.md",
        "[program:mail]\ncommand=sh -c 'echo maild: not found >&2; exit 127'\nstartsecs=1\nstartretries=0\n",
    ),
    (
        "docs/troubleshooting.md",
        "[program:port]\ncommand=sh -c 'echo OSError: [Errno 98] Address already in use >&2; exit 1'\nstartsecs=1\n\
         startretries=0\n",
    ),
];

/// Other files that commands name.
const PAGE_FILES: [(&str, &str); 4] = [
    ("services.conf", "[supervisord]\nlogfile=/dev/null\n[program:cache]\ncommand=sleep 1000\nstartsecs=0\n"),
    (
        "p.conf",
        "[supervisord]\nlogfile=/dev/null\n[inet_http_server]\nport=127.0.0.1:8097\nusername=a\npassword=b\n",
    ),
    ("s.conf", "[supervisord]\n[unix_http_server]\nfile=/tmp/x.sock\n"),
    (
        "web.conf",
        "[supervisord]\nnodaemon=true\n\n[program-default]\nstartsecs=5\n\n[program:web]\n\
         command=gunicorn --bind=:$PORT app:app\nautorestrat=true\nautorestart=unexpected\n",
    ),
];

/// Programs that are not those of `sv`, and need not be installed.
const STAND_INS: [&str; 6] = ["bin/bundle", "bin/dot", "bin/gunicorn", "bin/php", "bin/web", "migrate"];

/// Lines that are not run here, by their start, and what covers each: a test, or a target of make. A start that is longer
/// comes first.
const NOT_RUN: &[(&str, &str)] = &[
    ("apt ", "make setup"),
    ("apt-get ", "a_debian_package_is_installed_upgraded_and_leaves_nothing_behind"),
    ("cat Procfile", "the_session_of_the_first_page_is_as_shown"),
    ("cp ", "a_user_logs_in_by_a_key_and_asks_for_the_status_beside_the_application"),
    ("curl http://127.0.0.1:8000/", "celery_works_while_a_worker_is_restarted_and_redis_leaves_last"),
    ("curl http://127.0.0.1:8080/", "nginx_gets_its_page_from_php_while_one_of_two_is_killed"),
    ("curl ", "requests_in_documents_are_answered"),
    ("docker buildx ", "the_release_workflow_is_valid"),
    ("docker ", "finds_its_configuration_and_answers_with_the_right_exit_status"),
    ("exec /sv run", "pid1"),
    ("ln -s /sv ", "behaves_as_tini_and_dumb_init_do"),
    ("make bench", "make bench-check"),
    ("make check", "make test"),
    ("make image", "the_image_is_little_more_than_the_binary"),
    ("make install", "uninstall_removes_what_install_has_installed"),
    ("make quickstart", "the_quickstart_runs_crashes_recovers_and_stops_in_order"),
    ("make static", "make test"),
    ("make test", "make test"),
    ("make uninstall", "uninstall_removes_what_install_has_installed"),
    ("mount ", "pid1"),
    ("redis-cli ", "queue_workers_finish_their_jobs_and_none_is_lost_by_a_kill"),
    ("rpm ", "an_rpm_package_is_installed_and_removed"),
    ("sha256sum ", "a_release_is_made_checked_and_unpacked"),
    ("ssh ", "a_user_logs_in_by_a_key_and_asks_for_the_status_beside_the_application"),
    ("sudo make install", "uninstall_removes_what_install_has_installed"),
    ("sv -c p.conf", "a_second_instance_of_a_configuration_names_the_first"),
    ("sv run --strict", "strict_is_a_flag_of_run_too"),
    ("sv run -- ", "the_exit_status_is_that_of_the_table"),
    ("sv run -e", "the_command_line_beats_the_file_and_stays_so_over_a_restart"),
    ("sv run -s", "programs_run_with_a_main_command_that_has_our_descriptors"),
    ("sv run FILE", "a_second_instance_of_a_configuration_names_the_first"),
    ("systemctl ", "make vm-runtimes"),
    ("tail ", "the_listener_reports_unexpected_exits"),
    ("tar ", "a_release_is_made_checked_and_unpacked"),
];

/// What covers a line that is not run.
fn covered_by(line: &str) -> Option<&'static str> {
    let line = line.trim_start_matches("$ ");
    NOT_RUN.iter().find(|(start, _)| line.starts_with(start)).map(|(_, by)| *by)
}

/// Lines that end with another status than 0, by their start.
const STATUSES: [(&str, i32); 5] = [
    ("sv start mail", 7),
    ("sv status port", 3),
    ("sv run p.conf", 2),
    ("sv -c s.conf status", 4),
    ("sv check web.conf", 1),
];

/// What a page prints after a line, without the numbers: compared where the page's own configuration is run here.
fn shown_after(text: &str, line: &str) -> Option<Vec<String>> {
    let block =
        blocks(text).into_iter().find(|block| block.info == "console" && block.lines.contains(&line))?;
    let after = block.lines.into_iter().skip_while(|it| *it != line).skip(1);
    let shown: Vec<&str> = after.take_while(|it| !it.starts_with("$ ")).collect();
    Some(without_numbers(&shown.join("\n")))
}

/// Commands find `sv` in the folder of the sandbox.
fn with_sv_in_path(sandbox: Sandbox) -> Sandbox {
    let path = format!("{}:{}", sandbox.path("bin").display(), std::env::var("PATH").unwrap());
    let sandbox = sandbox.env("PATH", &path);
    // Makes the folder, and the name in it.
    _ = sandbox.program("sv");
    sandbox
}

/// Every page but the first, whose session is compared above: each line in a block that runs `sv`, and each in a sentence or a
/// table that has an argument. An action alone is only mentioned there.
#[test]
fn the_command_lines_of_each_page_are_run() {
    if !support::have("jq", Command::new("jq").arg("--version").output().is_ok()) {
        return;
    }
    let (mut run, mut wrong) = (0, Vec::new());
    for (document, text) in documents() {
        let is_page = document.starts_with("docs/") || document == "README.md";
        if !is_page || document == "docs/getting-started.md" {
            continue;
        }
        let found = blocks(&text);
        let in_blocks: BTreeSet<&str> = found.iter().flat_map(|block| block.lines.iter().copied()).collect();
        let is_whole = |line: &str| {
            !line.contains('…') && (in_blocks.contains(line) || line.split_whitespace().count() > 2)
        };
        let lines: Vec<(usize, String)> = command_lines(&text)
            .into_iter()
            .filter(|(_, line)| arguments(line).is_some() && is_whole(line))
            .filter(|(_, line)| covered_by(line).is_none() && !line.contains("examples/"))
            .collect();
        if lines.is_empty() {
            continue;
        }
        let page = Page::new(&document);
        for (number, line) in lines {
            let is_endless = line.contains(" -f") || line.contains("sv top") || line.contains(" -w");
            let starts = |(start, _): &&(&str, i32)| line.trim_start_matches("$ ").starts_with(start);
            let status = STATUSES.iter().find(starts).map_or(0, |(_, status)| *status);
            let status = if is_endless { ENDED_BY_TIMEOUT } else { status };
            let output = page.run(&line, if is_endless { "1" } else { "20" });
            run += 1;
            let printed =
                String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
            if output.status.code() != Some(status) {
                wrong.push(format!("{document}:{number}: {line}: {}: {printed}", output.status));
            }
            let is_compared =
                ["docs/configuration.md", "docs/troubleshooting.md"].contains(&document.as_str());
            if let Some(shown) = shown_after(&text, &line).filter(|_| is_compared && line != "$ sv update")
                && shown != without_numbers(&printed)
            {
                wrong.push(format!("{document}:{number}: {line} prints:\n{printed}"));
            }
        }
    }
    assert!(wrong.is_empty() && run > 50, "of {run} command lines:\n{}", wrong.join("\n"));
}

/// The exit status of timeout(1) when the time is over.
const ENDED_BY_TIMEOUT: i32 = 124;

/// A running supervisor with what the commands of a page need.
struct Page {
    sandbox: Sandbox,
    /// What the lines contain, and what it is here.
    places: [(&'static str, String); 11],
    /// A port that is in use.
    _listener: TcpListener,
}

impl Page {
    fn new(document: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let in_use = listener.local_addr().unwrap();
        let port = support::free_port();
        let more = MORE_OF_PAGES.iter().find(|(page, _)| *page == document).map_or("", |(_, more)| more);
        let more = more.replace("9001", &port.to_string());
        let mut programs = PAGE_PROGRAMS.to_owned();
        if document == "docs/operating.md" {
            programs = programs.replace(
                "[program:web]\n",
                "[program:web]\nprocess_name=%(program_name)s_%(process_num)02d\n",
            );
        }
        let mut sandbox = with_sv_in_path(Sandbox::with_programs(&format!("{programs}{more}")));
        for (name, text) in PAGE_FILES {
            sandbox.write(name, &text.replace("127.0.0.1:8097", &in_use.to_string()));
        }
        for name in STAND_INS {
            sandbox.write(name, "#!/bin/sh\nexec cat >/dev/null\n");
            fs::set_permissions(sandbox.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        sandbox.spawn();
        sandbox.wait_ready();
        sandbox.wait_state("db", "RUNNING");
        let socket = sandbox.path("supervisor.sock").display().to_string();
        let word = str::to_owned;
        let places = [
            ("/run/supervisor.sock", socket),
            ("127.0.0.1:9001", format!("127.0.0.1:{port}")),
            (" NAME", word(" web")),
            (" GROUP", word(" web")),
            (" FILE", word(" services.conf")),
            (" COMMAND", word(" true")),
            (" CMD", word(" true")),
            (" ACTION", word(" status")),
            (" SECONDS", word(" 5")),
            (" SERIAL", word(" 0")),
            (" /usr/bin/web", word(" web")),
        ];
        Self { sandbox, places, _listener: listener }
    }

    /// Runs a line for at most this time, and then sends it what Ctrl-C does.
    fn run(&self, line: &str, seconds: &str) -> std::process::Output {
        let line = line.trim_start_matches("$ ").to_owned();
        let line = self.places.iter().fold(line, |line, (place, here)| line.replace(place, here));
        // It begins a command that follows.
        let line = if line.ends_with(" --") { line + " true" } else { line };
        run_in_shell(&self.sandbox, &line, seconds)
    }
}

fn run_in_shell(sandbox: &Sandbox, line: &str, seconds: &str) -> std::process::Output {
    let mut shell = sandbox.marked(Command::new("timeout"));
    shell.args(["--signal=INT", seconds, "bash", "-c", line]).stdin(Stdio::null()).output().unwrap()
}

/// The configuration of an example with programs of the same names that need nothing installed.
fn with_stand_ins(config: &str) -> String {
    const LEFT_OUT: [&str; 12] = [
        "depends_on",
        "exitcodes",
        "health",
        "on_exit",
        "on_fatal",
        "on_idle",
        "post_",
        "pre_",
        "ready",
        "restart_with",
        "startsecs",
        "type",
    ];
    let lines = config.lines().filter(|line| !LEFT_OUT.iter().any(|start| line.starts_with(start)));
    let lines = lines.map(|line| if line.starts_with("command=") { "command=sleep 1000" } else { line });
    let lines = lines.filter(|line| !line.starts_with("user="));
    lines.map(|line| format!("{line}\n").replace("@every 30s", "@every 1s")).collect()
}

/// Runs the lines of a document that name the configuration of this example: their number, and what was wrong.
fn run_lines_of_example(name: &str, document: &str, text: &str) -> (usize, Vec<String>) {
    let config = format!("examples/{name}/supervisord.conf");
    let lines: Vec<(usize, String)> = command_lines(text)
        .into_iter()
        .map(|(number, line)| (number, line.replace("target/release/sv", "sv").trim().to_owned()))
        .filter(|(_, line)| line.contains(&config) && arguments(line).is_some())
        .collect();
    if lines.is_empty() {
        return (0, Vec::new());
    }
    let mut sandbox = with_sv_in_path(Sandbox::from_example(name));
    // It ends by itself, and consists of shell scripts.
    let is_job = name == "job";
    if !is_job {
        sandbox.write("supervisord.conf", &with_stand_ins(&sandbox.file("supervisord.conf")));
        sandbox.spawn();
        sandbox.wait_ready();
    }
    let here = sandbox.config().display().to_string();
    let mut wrong = Vec::new();
    for (number, line) in &lines {
        let command = line.replace(&config, &here);
        let is_start = line.starts_with("sv run ");
        if is_start && !is_job {
            // It runs already; that its command line is accepted, another test shows.
            continue;
        }
        if !is_job && !line.contains("shutdown") {
            sandbox.wait("programs to have started", |sandbox| {
                (!sandbox.ctl(&["status"]).stdout.contains("STARTING")).then_some(())
            });
        }
        let is_endless = line.contains(" -f");
        let output = run_in_shell(&sandbox, &command, if is_endless { "1" } else { "20" });
        let code = output.status.code().unwrap_or(-1);
        // Some programs are not started with the others, and `status` says that something does not run.
        let is_expected = match line.as_str() {
            line if is_endless => code == ENDED_BY_TIMEOUT && line.contains("logs"),
            line if line.contains(" status") => code == 0 || code == 3,
            _ => code == 0,
        };
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        // `echo $?  # 3, of …`
        let shown = line.split_once("echo $?").and_then(|(_, rest)| rest.trim().strip_prefix("# "));
        let shown = shown.map(|shown| shown.chars().take_while(char::is_ascii_digit).collect::<String>());
        if !is_expected || shown.is_some_and(|shown| printed.lines().last() != Some(&shown)) {
            wrong.push(format!("{document}:{number}: {line}: {code}: {printed}{errors}"));
        }
    }
    (lines.len(), wrong)
}

/// With stand-ins for the programs; tests/examples.rs runs the real ones.
#[test]
fn the_command_lines_of_each_example_are_run() {
    let documents = documents();
    let examples = documents.iter().filter_map(|(document, text)| match document.as_str() {
        "README.md" => Some(("quickstart", document, text)),
        path => Some((path.strip_prefix("examples/")?.strip_suffix("/README.md")?, document, text)),
    });
    let (mut run, mut wrong) = (0, Vec::new());
    std::thread::scope(|scope| {
        let threads: Vec<_> = examples
            .map(|(name, document, text)| scope.spawn(move || run_lines_of_example(name, document, text)))
            .collect();
        for thread in threads {
            let (lines, found) = thread.join().unwrap();
            run += lines;
            wrong.extend(found);
        }
    });
    assert!(wrong.is_empty() && run > 40, "of {run} command lines:\n{}", wrong.join("\n"));
}

/// The command lines in blocks, with their numbers: those of a shell, those after a prompt, and indented ones. An indented
/// block whose first line is neither `sv` nor of a known kind is output.
fn lines_in_blocks(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut before = 0;
    let (mut is_output, mut has_prompt, mut is_continued) = (false, false, false);
    for block in blocks(text) {
        let is_indented = block.info == "indented";
        if !is_indented || block.line != before + 1 {
            let first = block.lines.first().copied().unwrap_or_default();
            has_prompt = block.info == "console" || is_indented && first.starts_with("$ ");
            let is_known = arguments(first).is_some() || covered_by(first).is_some();
            is_output = !is_known && !has_prompt && is_indented
                || !["indented", "console", "sh"].contains(&block.info);
            is_continued = false;
        }
        before = block.line;
        for (number, line) in block.lines.iter().enumerate().filter(|_| !is_output) {
            let is_rest = is_continued || line.starts_with([' ', '#', '}']) || line.is_empty();
            is_continued = line.ends_with('\\');
            if !is_rest && (!has_prompt || line.starts_with("$ ")) {
                found.push((block.line + number, (*line).to_owned()));
            }
        }
    }
    found
}

#[test]
fn each_command_line_is_run_or_another_test_covers_its_kind() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let has_target = |name: &str| makefile.lines().any(|line| line.starts_with(&format!("{name}:")));
    let mut tests = String::new();
    for entry in fs::read_dir(root().join("tests")).unwrap() {
        tests += &fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
    }
    for (start, by) in NOT_RUN {
        let is_there = match by.strip_prefix("make ") {
            Some(target) => has_target(target),
            None => tests.contains(&format!("\nfn {by}() {{")),
        };
        assert!(is_there, "'{start}': there is no {by}");
    }
    let (mut covered, mut wrong) = (BTreeSet::new(), Vec::new());
    for (document, text) in documents() {
        for (number, line) in lines_in_blocks(&text) {
            let line = line.trim_start_matches("$ ");
            let place = format!("{document}:{number}: {line}");
            if let Some(target) = line.trim_start_matches("sudo ").strip_prefix("make ") {
                let target = target.split_whitespace().find(|word| !word.contains('=')).unwrap();
                if !has_target(target) {
                    wrong.push(place.clone());
                }
            }
            match covered_by(line) {
                Some(_) => _ = covered.insert(line.split_whitespace().next().unwrap().to_owned()),
                None if arguments(line).is_none() && !line.starts_with("if sv ") => wrong.push(place),
                None => {}
            }
        }
    }
    assert!(wrong.is_empty() && covered.len() > 12, "{covered:?}\n{}", wrong.join("\n"));
}

/// Without this, a change of the rules above could leave nothing to check.
#[test]
fn a_command_that_does_not_exist_is_found() {
    assert_eq!(arguments("$ A=1 /sv -c x frobnicate # all"), Some(vec!["-c", "x", "frobnicate"]));
    assert_eq!(arguments("docker exec web /sv status | head"), Some(vec!["status"]));
    assert_eq!(arguments("source <(sv completions bash)"), Some(vec!["completions", "bash"]));
    assert_eq!(arguments("ln -s /sv /usr/bin/supervisorctl"), None);
    let text =
        "Use `sv one`.\n\n    sv two\n\n```console\n$ sv three\nsv prints\n```\nCMD [\"/sv\", \"four\"]\n";
    let found: Vec<String> = command_lines(text).into_iter().map(|(_, line)| line).collect();
    assert_eq!(found, ["sv two", "$ sv three", "sv one", "sv four"]);
    assert!(!actions().contains("frobnicate") && actions().contains("status"));
    assert!(Path::new(&root()).join("README.md").exists());
}

const PROGRAMS: &str = "\
[program:web]
command=/bin/sleep 1000
startsecs=0
[program:web_00]
command=/bin/sleep 1000
startsecs=0
[group:web]
programs=web,web_00
";

/// The requests of documents to the servers of a supervisor.
#[test]
fn requests_in_documents_are_answered() {
    if !support::have("curl", Command::new("curl").arg("--version").output().is_ok()) {
        return;
    }
    let [port, probes] = support::free_ports();
    let servers = format!(
        "[inet_http_server]\nport=127.0.0.1:{port}\nusername=admin\npassword=secret\n\
         [probe_http_server]\nport=127.0.0.1:{probes}\n"
    );
    let mut sandbox = Sandbox::new(&format!("{}{servers}{PROGRAMS}", support::HEAD)).start();
    sandbox.wait_state("web:web_00", "RUNNING");
    let socket = sandbox.path("supervisor.sock").display().to_string();
    let mut answered = 0;
    for (document, text) in documents() {
        for (number, line) in command_lines(&text) {
            let line = line.strip_prefix("$ ").unwrap_or(&line);
            let Some(words) = line.strip_prefix("curl ") else { continue };
            // Others are of programs in examples.
            if !["/run/supervisor.sock", "localhost:9001", "localhost:9002"]
                .iter()
                .any(|it| line.contains(it))
            {
                continue;
            }
            let words = words
                .replace("/run/supervisor.sock", &socket)
                .replace("localhost:9001", &format!("localhost:{port}"))
                .replace("localhost:9002", &format!("localhost:{probes}"));
            let place = format!("{document}:{number}: {line}");
            let mut curl = sandbox.marked(Command::new("sh"));
            curl.arg("-c").arg(format!("exec curl -sS --fail --max-time 30 {words}"));
            if line.contains("follow=true") {
                assert!(follows(&sandbox, curl), "{place}");
            } else {
                let output = curl.output().unwrap();
                assert!(output.status.success(), "{place}: {output:?}");
                if line.contains("/api/") {
                    let body = serde_json::from_slice::<serde_json::Value>(&output.stdout);
                    assert!(body.is_ok_and(|body| body.is_object()), "{place}: {output:?}");
                }
            }
            answered += 1;
        }
    }
    assert!(answered >= 7, "{answered} requests");
}

/// Whether a stream has an event after a restart, which is repeated until the stream has begun.
fn follows(sandbox: &Sandbox, mut curl: Command) -> bool {
    let mut stream = curl.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(stream.stdout.take().unwrap()).lines();
    let (sender, events) = channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok).filter(|line| line == "event: process") {
            _ = sender.send(line);
        }
    });
    let has_event = (0..20).any(|_| {
        assert!(sandbox.ctl(&["restart", "web:web"]).success);
        events.recv_timeout(Duration::from_secs(1)).is_ok()
    });
    _ = stream.kill();
    _ = stream.wait();
    has_event
}

/// The pages of a folder and of those below it.
fn html_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { html_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|it| it == "html")).collect()
}

/// mdBook gets copies of the documents, with other links.
#[test]
fn links_in_the_book_lead_somewhere() {
    let folder = std::env::var_os("SV_MDBOOK_BIN");
    let mdbook = folder.map_or_else(|| root().join("target/mdbook/bin"), PathBuf::from).join("mdbook");
    if !support::have("mdbook", mdbook.exists()) {
        return;
    }
    let output = Command::new(root().join("docs/book.sh")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let index = root().join(String::from_utf8(output.stdout).unwrap().trim());
    let (mut links, mut wrong) = (0, Vec::new());
    // It is served for other addresses, so its links are those of the root of a server.
    let not_found = Path::new("404.html");
    for page in html_files(index.parent().unwrap()).iter().filter(|page| !page.ends_with(not_found)) {
        let html = fs::read_to_string(page).unwrap();
        let found = [" href=\"", " src=\""].map(|attribute| html.split(attribute).skip(1));
        for link in found.into_iter().flatten().filter_map(|rest| rest.split('"').next()) {
            if link.contains("://") {
                continue;
            }
            links += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let id = format!("id=\"{anchor}\"");
            if !target.exists() || !anchor.is_empty() && !fs::read_to_string(&target).unwrap().contains(&id) {
                wrong.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty() && links > 1000, "of {links} links these lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn manual_pages_are_formatted_without_warnings() {
    let is_there = Command::new("groff").arg("--version").output().is_ok();
    if !support::have("groff", is_there) {
        return;
    }
    let pages: Vec<PathBuf> =
        fs::read_dir(root().join("docs/man")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(pages.len(), 4);
    let has_man = support::have("man", Command::new("man").arg("--version").output().is_ok());
    for page in pages {
        let output = Command::new("groff").args(["-man", "-ww", "-z"]).arg(&page).output().unwrap();
        let warnings = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && warnings.is_empty(), "{}: {warnings}", page.display());
        if !has_man {
            continue;
        }
        // With preprocessors and an encoding of its own.
        let mut man = Command::new("man");
        man.args(["--warnings", "--local-file"]).arg(&page).env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80");
        let output = man.output().unwrap();
        let warnings = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && warnings.is_empty(), "{}: {warnings}", page.display());
        assert!(output.stdout.len() > 1000, "{}", page.display());
    }
}
