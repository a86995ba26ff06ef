//! The client under its own name, where it says more than Supervisor's, or says it otherwise.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::process::{Command, Output};

use serde_json::Value as Json;

use support::{Sandbox, binary};

/// `sv WORDS` against the server of the sandbox.
fn sv(sandbox: &Sandbox, words: &[&str]) -> Command {
    let mut command = sandbox.marked(Command::new(binary()));
    command.arg("-c").arg(sandbox.config()).args(words);
    command
}

/// Standard output, standard error and the exit code.
fn told(output: &Output) -> (String, String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

fn row(sandbox: &Sandbox, name: &str) -> Json {
    let output = sv(sandbox, &["status", "--json", name]).output().unwrap();
    let (text, ..) = told(&output);
    serde_json::from_str::<Json>(&text).unwrap_or_else(|error| panic!("{error}: {text}"))[0].take()
}

#[test]
fn json_rows_tell_how_each_process_ended_last() {
    let mut sandbox = Sandbox::with_programs(
        "[program:waits]\ncommand=/bin/sleep 1000\nstartsecs=0\n\
         [program:deaf]\ncommand=/bin/sh -c 'trap \"\" TERM; echo armed; while :; do sleep 1; done'\nstartsecs=0\n\
         stopwaitsecs=0\nstdout_logfile=%(here)s/deaf.log\n\
         [program:fails]\ncommand=/bin/sh -c 'exit 3'\nstartretries=0\n\
         [program:never]\ncommand=/bin/cat\nautostart=false\n",
    )
    .start();
    let last_end = |sandbox: &Sandbox, name: &str| {
        let row = row(sandbox, name);
        (row["state"].clone(), row["exit_status"].clone(), row["term_signal"].clone())
    };
    assert_eq!(last_end(&sandbox, "never"), ("STOPPED".into(), Json::Null, Json::Null));
    assert_eq!(last_end(&sandbox, "waits"), ("RUNNING".into(), Json::Null, Json::Null));
    sandbox.wait_state("fails", "FATAL");
    assert_eq!(last_end(&sandbox, "fails"), ("FATAL".into(), 3.into(), Json::Null));
    sandbox.wait_file("deaf.log", "armed");
    sandbox.ctl(&["restart", "waits"]);
    sandbox.ctl(&["stop", "deaf"]);
    assert_eq!(last_end(&sandbox, "waits"), ("RUNNING".into(), Json::Null, "SIGTERM".into()));
    assert_eq!(last_end(&sandbox, "deaf"), ("STOPPED".into(), Json::Null, "SIGKILL".into()));
}
