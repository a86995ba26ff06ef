//! Supervisor's own end-to-end tests, as they come with its source, run against our programs. They start them on
//! a terminal, read what they print and talk to them by `supervisorctl` and XML-RPC. Those with a client run
//! also with one half ours and the other Supervisor's.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use support::{Sandbox, have};

/// All of them, by their names after `test_`.
const TESTS: [&str; 27] = [
    "issue_291a_percent_signs_in_original_env_are_preserved",
    "issue_550",
    "issue_565",
    "issue_638",
    "issue_663",
    "issue_664",
    "issue_733",
    "issue_835",
    "issue_836",
    "issue_986_command_string_with_double_percent",
    "issue_1054",
    "issue_1170a",
    "issue_1170b",
    "issue_1170c",
    "issue_1224",
    "issue_1231a",
    "issue_1231b",
    "issue_1231c",
    "issue_1251",
    "issue_1298",
    "issue_1418_pidproxy_cmd_with_no_args",
    "issue_1418_pidproxy_cmd_with_args",
    "issue_1483a_identifier_default",
    "issue_1483b_identifier_from_config_file",
    "issue_1483c_identifier_from_command_line",
    "pull_request_1578_echo_supervisord_conf",
    "issue_1596_asyncore_close_does_not_crash",
];

/// They wait most of the time, so several go side by side, each in a folder of its own.
const LANES: usize = 4;

/// Where Supervisor's source was unpacked, and a Python with pexpect.
struct Means {
    source: PathBuf,
    python: PathBuf,
}

impl Means {
    fn find() -> Option<Self> {
        let place = |variable: &str, default: &str| {
            std::env::var_os(variable)
                .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(default), PathBuf::from)
        };
        let source = place("SV_SUPERVISOR_SOURCE", "target/supervisor-source");
        let python = place("SV_SUPERLANCE_BIN", "target/superlance/bin").join("python");
        let there = source.join("supervisor/tests/test_end_to_end.py").exists() && python.exists();
        have("Supervisor's source", there).then_some(Self { source, python })
    }

    /// The tests that start a client.
    fn with_client(&self) -> Vec<&'static str> {
        let text = fs::read_to_string(self.source.join("supervisor/tests/test_end_to_end.py")).unwrap();
        let mut tests = TESTS.to_vec();
        tests.retain(|name| {
            let (_, behind) = text.split_once(&format!("def test_{name}(")).unwrap();
            behind.split("    def test_").next().unwrap().contains("supervisor.supervisorctl")
        });
        tests
    }

    /// All of these tests pass with some programs of another folder in the place of ours.
    fn pass(&self, tests: &[&'static str], others: &[(&Path, &str)]) {
        let lane = |lane: usize| move || self.run(tests.iter().skip(lane).step_by(LANES), others);
        let reported = thread::scope(|scope| {
            let lanes: Vec<_> = (0..LANES).map(|number| scope.spawn(lane(number))).collect();
            lanes.into_iter().map(|thread| thread.join().unwrap()).collect::<String>()
        });
        let passed: Vec<_> = reported.lines().filter_map(|line| line.strip_prefix("ok test_")).collect();
        for test in tests {
            assert!(passed.contains(test), "{test}\n{reported}");
        }
    }

    /// What became of these tests: a line for each, and for those that failed why.
    fn run<'t>(&self, tests: impl Iterator<Item = &'t &'static str>, others: &[(&Path, &str)]) -> String {
        let sandbox = Sandbox::new("");
        for name in ["supervisord", "supervisorctl", "pidproxy", "echo_supervisord_conf"] {
            drop(sandbox.program(name));
        }
        for (folder, name) in others {
            let link = sandbox.path("bin").join(name);
            fs::remove_file(&link).unwrap();
            symlink(folder.join(name), link).unwrap();
        }
        let mut command = sandbox.marked(Command::new(&self.python));
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/run.py"));
        command.args([&self.source, &sandbox.path("bin"), &sandbox.path("run")]);
        command.args(tests.map(|name| format!("test_{name}")));
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[test]
fn supervisors_own_end_to_end_tests_pass() {
    let Some(means) = Means::find() else { return };
    means.pass(&TESTS, &[]);
}

#[test]
fn those_with_a_client_pass_with_ours_against_the_reference_and_with_its_own_against_ours() {
    let Some(means) = Means::find() else { return };
    let Some(reference) = support::peers::reference() else { return };
    let tests = means.with_client();
    assert!(tests.len() >= 10, "{tests:?}");
    for theirs in ["supervisord", "supervisorctl"] {
        means.pass(&tests, &[(&reference, theirs)]);
    }
}
