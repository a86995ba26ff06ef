//! INI and TOML say the same: every example and every golden file is there in both languages and
//! comes to the same settings; the binary runs either and refuses either in the same way.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::Signal;
use support::{Sandbox, reference_under_test};
use sv::config::options::TABLE;
use sv::config::{Language, load, load_client, sample};
use sv::host::Host;
use sv::model::Settings;

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// The files below a folder that end so, sorted.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|own| own == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The settings of a file, with places in messages as if it were called `FILE`.
fn settings(path: &Path) -> Settings {
    let mut settings =
        load(path, &[], &Host::look()).unwrap_or_else(|errors| panic!("{}:\n{errors}", path.display()));
    for notice in &mut settings.notices {
        notice.text = without_place(&notice.text, path);
    }
    settings
}

/// Lines differ, as the languages do.
fn without_place(text: &str, path: &Path) -> String {
    let shown = format!("{}:", path.display());
    let Some((before, after)) = text.split_once(&shown) else { return text.to_owned() };
    format!("{before}FILE{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
}

fn assert_same(ini: &Path, toml: &Path) {
    assert_eq!(settings(toml), settings(ini), "{}", toml.display());
    let client = |path| load_client(path, &Host::look()).map_err(|errors| errors.is_missing_section());
    assert_eq!(client(toml), client(ini), "{}", toml.display());
}

#[test]
fn every_example_is_equivalent_in_both_languages() {
    let found = files(&root().join("examples"), "conf");
    let all: Vec<_> = found.iter().filter(|path| path.ends_with("supervisord.conf")).collect();
    assert!(all.len() >= 2, "{all:?}");
    for ini in all {
        assert_same(ini, &ini.with_extension("toml"));
    }
}

#[test]
fn every_golden_file_is_equivalent_in_both_languages() {
    let golden = root().join("tests/golden");
    let in_folder = |path: &PathBuf| path.parent() == Some(golden.as_path());
    let stems = |ending| -> Vec<_> {
        files(&golden, ending)
            .iter()
            .filter(|path| in_folder(path))
            .map(|path| path.with_extension(""))
            .collect()
    };
    assert_eq!(stems("conf"), stems("toml"));
    assert!(stems("conf").len() >= 12);
    for stem in stems("conf") {
        assert_same(&stem.with_extension("conf"), &stem.with_extension("toml"));
    }
}

/// Two files are not equal because both are empty: each option of the table is set in one, except those whose
/// row has a value for tests, which a test of the table sets in both languages.
#[test]
fn golden_files_set_every_option_of_every_section() {
    let texts: Vec<_> = files(&root().join("tests/golden"), "toml")
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for section in TABLE {
        let header = |line: &str| line.starts_with(&format!("[{}", section.name));
        let with_section: Vec<_> = texts.iter().filter(|text| text.lines().any(header)).collect();
        assert!(!with_section.is_empty(), "no golden file has a [{}]", section.name);
        // FastCGI programs, listeners and the defaults have the options of programs once more.
        let is_own = |name| section.name == "program" || !is_of_programs(name);
        for option in section.options.iter().filter(|option| is_own(option.name) && option.binding.is_none())
        {
            let sets =
                |line: &str| line.replace('"', "").starts_with(&format!("{} = ", option.example_key()));
            let is_set = with_section.iter().any(|text| text.lines().any(sets));
            assert!(is_set, "no golden file sets {} in a [{}]", option.name, section.name);
        }
    }
}

fn is_of_programs(option: &str) -> bool {
    let program = TABLE.iter().find(|section| section.name == "program").unwrap();
    program.options.iter().any(|known| known.name == option)
}

#[test]
fn the_example_of_the_page_is_sound() {
    let page = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let sandbox = toml_sandbox(rest.split_once("```").unwrap().0);
    let settings = settings(&sandbox.path("supervisord.toml"));
    let site = &settings.groups[0];
    assert_eq!((site.name.as_str(), site.processes[0].command.as_str()), ("site", "nginx -g 'daemon off;'"));
    assert!(settings.notices.iter().all(|notice| notice.text.contains("conf.d")), "{:?}", settings.notices);
}

/// The head that tests begin with, in TOML. There is no interface to name.
const TOML_HEAD: &str = "\
[supervisord]
logfile = '%(here)s/supervisord.log'
pidfile = '%(here)s/supervisord.pid'
childlogdir = '%(here)s'

[unix_http_server]
file = '%(here)s/supervisor.sock'

[supervisorctl]
serverurl = 'unix://%(here)s/supervisor.sock'

";

/// A sandbox with this text as its `supervisord.toml`.
fn toml_sandbox(text: &str) -> Sandbox {
    let sandbox = Sandbox::new("");
    fs::remove_file(sandbox.config()).unwrap();
    sandbox.write("supervisord.toml", text);
    sandbox
}

const PROGRAM: &str = "\
[program.web]
command = ['/bin/sh', '-c', 'echo \"$GREETING $0 $*\"; exec sleep 600', 'a b', \"it's\"]
environment = { GREETING = 'hello' }
umask = 0o27
startsecs = 0
stdout_logfile = '%(here)s/web.log'
";

#[test]
fn a_toml_file_is_supervised_under_both_names() {
    if reference_under_test().is_some() {
        return;
    }
    let mut lines = vec![
        ("sv", vec!["run", "-c", "supervisord.toml"]),
        ("supervisord", vec!["-n", "-c", "supervisord.toml"]),
    ];
    // One of the machine's own would be found before ours.
    if !Path::new("/etc/supervisord.conf").exists() && !Path::new("/etc/supervisor").exists() {
        lines.push(("sv", vec!["run"]));
    }
    for (name, words) in lines {
        let mut sandbox = toml_sandbox(&format!("{TOML_HEAD}{PROGRAM}"));
        let mut command = sandbox.program(name);
        command.args(words);
        sandbox.spawn_as(command);
        sandbox.wait_file("web.log", "hello a b it's\n");
        let status = || {
            let output =
                sandbox.program("sv").args(["-c", "supervisord.toml", "status", "web"]).output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        assert!(status().starts_with("web                              RUNNING"), "{}", status());
        sandbox.signal(Signal::TERM);
        assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
    }
}

#[test]
fn ours_reads_a_toml_file_again() {
    if reference_under_test().is_some() {
        return;
    }
    let mut sandbox = toml_sandbox(&format!("{TOML_HEAD}{PROGRAM}"));
    let mut command = sandbox.program("supervisord");
    command.args(["-n", "-c", "supervisord.toml"]);
    sandbox.spawn_as(command);
    sandbox.wait_file("web.log", "hello");
    let mut ctl = sandbox.program("supervisorctl");
    ctl.args(["-c", "supervisord.toml", "update"]);
    sandbox.replace("supervisord.toml", "umask = 0o27", "umask = 27");
    let refused = ctl.output().unwrap();
    let reported = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(reported.contains("must be written in octal"), "{reported}");
    sandbox.replace("supervisord.toml", "umask = 27", "umask = 0o77");
    sandbox.replace("supervisord.toml", "hello", "again");
    assert_eq!(ctl.output().unwrap().stdout, b"web: stopped\nweb: updated process group\n");
    sandbox.wait_file("web.log", "again a b it's\n");
}

fn run(sandbox: &Sandbox, name: &str, words: &[&str]) -> Output {
    sandbox.program(name).args(words).output().unwrap()
}

#[test]
fn ours_refuses_a_bad_toml_file_with_status_2_and_every_place() {
    if reference_under_test().is_some() {
        return;
    }
    let sandbox = toml_sandbox("[supervisord]\n[program.web]\ncommand = 5\numask = 22\n[[group]]\n");
    let file = format!("'{}'", sandbox.path("supervisord.toml").display());
    for (name, words) in
        [("supervisord", &["-n", "-c", "supervisord.toml"][..]), ("sv", &["run", "-c", "supervisord.toml"])]
    {
        sandbox
            .write("supervisord.toml", "[supervisord]\n[program.web]\ncommand = 5\numask = 22\n[[group]]\n");
        let output = run(&sandbox, name, words);
        let reported = String::from_utf8_lossy(&output.stderr).replace(&file, "FILE");
        assert_eq!(output.status.code(), Some(2), "{reported}");
        for expected in [
            "'command' must be an array of texts or a text, not the integer 5 in section 'program:web' (file: FILE, line: 3, option: command)",
            "'umask' must be written in octal, such as 0o22 or \"022\", not the integer 22 in section 'program:web' (file: FILE, line: 4, option: umask)",
            "[group] must be a table, not an array of tables: write its header in single brackets in section 'group' (file: FILE, line: 5)",
        ] {
            assert!(reported.contains(expected), "{expected} in {reported}");
        }
        sandbox.write("supervisord.toml", "[supervisord]\nloglevel = info\n\n[program:web]\n");
        let output = run(&sandbox, name, words);
        let reported = String::from_utf8_lossy(&output.stderr).replace(&file, "FILE");
        assert_eq!(output.status.code(), Some(2), "{reported}");
        assert!(reported.contains("(file: FILE, line: 2)"), "{reported}");
        assert!(reported.contains("(file: FILE, line: 4)"), "{reported}");
    }
}

#[test]
fn ours_prints_the_sample_in_either_language() {
    if reference_under_test().is_some() {
        return;
    }
    let sandbox = Sandbox::new("");
    for (name, words, language) in
        [("sv", &["sample"][..], Language::Ini), ("sv", &["sample", "--toml"], Language::Toml)]
    {
        let output = run(&sandbox, name, words);
        assert_eq!(String::from_utf8_lossy(&output.stdout), sample(language), "{name} {words:?}");
        assert_eq!(output.status.code(), Some(0));
    }
    assert_eq!(
        Command::new(support::binary()).args(["sample", "x"]).output().unwrap().status.code(),
        Some(2)
    );
}
