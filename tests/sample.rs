//! `echo_supervisord_conf` as Dockerfiles use it: its output is edited with `sed`, `grep` and the like, and
//! the result has to be the configuration that the same commands make of Supervisor's output.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use support::{Sandbox, free_port, peers, reference_under_test};

/// What public Dockerfiles and guides append to `echo_supervisord_conf |`.
const RECIPES: &[&str] = &[
    "cat",
    "sed 's/^nodaemon=false/nodaemon=true/'",
    "sed -e 's/nodaemon=false/nodaemon=true /g'",
    "sed -e 's/^nodaemon=false .*/nodaemon=true/' -e '/^silent/d'",
    "sed 's/loglevel=info/loglevel=debug/'",
    "sed 's/^loglevel=info                ;/loglevel=warn ;/'",
    "sed -e 's/^logfile_maxbytes=50MB/logfile_maxbytes=0/' -e 's:^logfile=/tmp/supervisord.log:logfile=/dev/stdout:'",
    "sed 's:/tmp/:/var/run/:g'",
    r"sed -e 's:;files = relative/directory/\*.ini:files = /etc/supervisor.d/*.ini:' -e 's:;\[include\]:[include]:'",
    r"sed '$!N;s/;\[include\]\n;files = .*/[include]\nfiles = conf.d\/*.conf/;P;D'",
    r"sed 's/;username=user/username=me/;s/;password=123/password=secret/;s/;\[inet_http_server\]/[inet_http_server]/'",
    r"sed -E 's/^;(\[inet_http_server\]|port=|username=user|password=123)/\1/;s/127.0.0.1:9001/*:9001/'",
    "sed 's/;user=chrism/user=root/'",
    "sed 's/^;user=supervisord /user=root /'",
    "sed 's/;chmod=0700/chmod=0770/;s/;chown=nobody:nogroup/chown=root:root/'",
    "sed 's/^;environment=KEY=\"value\"/environment=LANG=\"C\"/;s/^minfds=1024/minfds=4096/;s/minprocs=200/minprocs=400/'",
    "sed '/^;\\[program:theprogramname\\]/,/^;serverurl=AUTO/s/^;//'",
    "sed '/^;\\[eventlistener/,/^;serverurl=AUTO/s/^;//;s/=EVENT /=TICK_60 /'",
    "sed '/^;\\[group:thegroupname\\]/,/^$/s/^;//'",
    "grep -v '^;'",
    "grep -v '^;' | grep -v '^$'",
    "grep -v -e '^;' -e '^$' | cut -d';' -f1",
    "awk '/^\\[supervisord\\]/{print;print \"nodaemon=true\";next}{print}'",
    "head -n -2",
    "sed '/^;\\[include\\]/,$d'",
    "sed '22,27d'",
];

fn edited(mut sample: Command, recipe: &str) -> String {
    let sample = sample.stdin(Stdio::null()).output().unwrap();
    assert!(sample.status.success());
    let mut shell = Command::new("sh");
    shell.args(["-c", recipe]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    let mut input = shell.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, &sample.stdout).unwrap();
    drop(input);
    let output = shell.wait_with_output().unwrap();
    assert!(output.status.success(), "{recipe}");
    String::from_utf8(output.stdout).unwrap()
}

/// The line up to a comment that follows it, and whether there is one; prose is a comment alone.
fn without_prose(line: &str) -> (&str, bool) {
    let is_prose = line.starts_with("; ") || line == ";";
    let bare = if is_prose { ";" } else { line };
    bare.split_once(" ; ").map_or((bare, is_prose), |(before, _)| (before, true))
}

#[test]
fn recipes_make_the_same_configuration_of_both_samples() {
    let Some(reference) = peers::reference() else { return };
    let sandbox = Sandbox::new("");
    for recipe in RECIPES {
        let ours = edited(sandbox.program("echo_supervisord_conf"), recipe);
        let theirs = edited(Command::new(reference.join("echo_supervisord_conf")), recipe);
        let lines =
            |text: &str| -> Vec<_> { text.lines().map(|line| without_prose(line).0.to_owned()).collect() };
        assert_eq!(lines(&ours), lines(&theirs), "{recipe}");
    }
}

#[test]
fn a_line_of_the_sample_begins_as_supervisors_up_to_its_remark() {
    let Some(reference) = peers::reference() else { return };
    let sandbox = Sandbox::new("");
    let ours = edited(sandbox.program("echo_supervisord_conf"), "cat");
    let theirs = edited(Command::new(reference.join("echo_supervisord_conf")), "cat");
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(without_prose(ours), without_prose(theirs), "{ours}");
    }
    assert_eq!(ours.lines().count(), theirs.lines().count());
}

fn path_with(folder: &Path) -> OsString {
    let mut path = OsString::from(folder);
    path.push(":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    path
}

/// The whole way of such a Dockerfile: the sample is edited, and `supervisord` runs the result.
#[test]
fn an_edited_sample_runs_in_the_foreground_and_requires_its_password() {
    let mut sandbox = Sandbox::new("");
    let port = free_port();
    drop(sandbox.program("echo_supervisord_conf"));
    drop(sandbox.program("supervisord"));
    let script = format!(
        "echo_supervisord_conf | sed -e 's/^nodaemon=false/nodaemon=true/' -e 's/loglevel=info/loglevel=debug/' \
         -e 's/;username=user/username=me/' -e 's/;password=123/password=secret/' \
         -e 's/;\\[inet_http_server\\]/[inet_http_server]/' -e 's/^;port=127.0.0.1:9001/port=127.0.0.1:{port}/' \
         -e 's:;\\[include\\]:[include]:' -e 's:;files = relative/directory/\\*.ini:files = conf.d/*.ini:' \
         -e \"s:/tmp/:$PWD/:\" > supervisord.conf && exec supervisord -c supervisord.conf"
    );
    std::fs::create_dir(sandbox.path("conf.d")).unwrap();
    sandbox.write("conf.d/cat.ini", "[program:cat]\ncommand=/bin/sh -c 'echo hello; exec cat'\n");
    let mut command = sandbox.marked(Command::new("sh"));
    let bin = reference_under_test().unwrap_or_else(|| sandbox.path("bin"));
    command.args(["-c", &script]).env("PATH", path_with(&bin));
    sandbox.spawn_as(command);
    sandbox.wait_log("success: cat entered RUNNING state");
    let url = format!("http://127.0.0.1:{port}");
    let status = |words: &[&str]| {
        let mut client = sandbox.program("supervisorctl");
        let output = client.args(["-s", &url]).args(words).arg("status").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(!status(&["-u", "x", "-p", "y"]).contains("RUNNING"), "the password is asked for");
    assert!(status(&["-u", "me", "-p", "secret"]).contains("RUNNING"));
    sandbox.wait_log("DEBG 'cat' stdout output");
}
