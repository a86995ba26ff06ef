//! The supervisor's own lines: their form among those of programs, where they can be read back, and the last of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use support::wire::{Peer, cpu_ticks, ticks_of};
use support::{HEAD, Sandbox, have};
use sv::xmlrpc::Value;

fn sandbox(daemon: &str, programs: &str) -> Sandbox {
    let sandbox = Sandbox::with_programs(programs);
    sandbox.replace("supervisord.conf", "[supervisord]\n", &format!("[supervisord]\n{daemon}\n"));
    sandbox
}

/// A sandbox whose supervisor keeps no log of its own.
fn without_log(programs: &str) -> Sandbox {
    let head = HEAD.replace("logfile=%(here)s/supervisord.log", "logfile=/dev/null");
    Sandbox::new(&format!("{head}{programs}"))
}

const FAILS: &str = "[program:job]\ncommand=sh -c 'echo working; exit 3'\nstartsecs=0\nautorestart=false\n\
    on_exit=shutdown\nstdout_logfile=/dev/stdout\n";

#[test]
fn with_json_every_line_is_an_object_up_to_the_very_last() {
    let mut sandbox = sandbox("log_format=json", FAILS);
    let output = sandbox.run_to_end();
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8(output.stdout).unwrap();
    let objects: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}")))
        .collect();
    let last = objects.iter().find(|it| it["message"].as_str().unwrap().starts_with("sv ends with status 3"));
    assert_eq!(last.unwrap_or_else(|| panic!("{text}"))["level"], "ERRO");
    assert!(objects.iter().any(|it| it["message"] == "working" && it["program"] == "job"), "{text}");
}

#[test]
fn with_prefix_our_own_lines_stand_in_the_same_column() {
    let mut sandbox = sandbox("log_format=prefix", &format!("{FAILS}[program:longername]\ncommand=cat\n"));
    let output = sandbox.run_to_end();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "job        | working\n",
        "sv         | INFO spawned: 'job' with pid ",
        "sv         | WARN exited: job (exit status 3; not expected)\n",
        "sv         | ERRO sv ends with status 3: ",
    ] {
        assert!(format!("\n{text}").contains(&format!("\n{line}")), "{line:?} in {text}");
    }
    // The file stays as it was.
    assert!(sandbox.log().lines().all(|line| line.starts_with("20")), "{}", sandbox.log());
}

#[test]
fn with_prefix_and_times_all_lines_begin_with_the_same_kind_of_time() {
    let mut sandbox = sandbox("log_format=prefix\nlog_timestamp=true", FAILS);
    let text = String::from_utf8(sandbox.run_to_end().stdout).unwrap();
    let is_timed = |line: &str| {
        let (time, rest) = line.split_once(' ').unwrap();
        time.len() >= 24 && &time[10..11] == "T" && (rest.starts_with("sv  | ") || rest.starts_with("job | "))
    };
    assert!(text.lines().count() > 4 && text.lines().all(is_timed), "{text}");
}

#[test]
fn a_log_that_goes_nowhere_can_still_be_read_followed_and_cleared() {
    let mut sandbox = without_log("[program:cat]\ncommand=cat\nstartsecs=0\n");
    sandbox.spawn();
    sandbox.wait_ready();
    sandbox.wait_state("cat", "RUNNING");
    let shown = sandbox.ctl(&["maintail"]);
    assert!(shown.success && shown.stdout.contains("INFO spawned: 'cat' with pid "), "{shown:?}");
    let mut peer = Peer::unix(&sandbox);
    let text = peer.call("supervisor.readLog", &[0.into(), 0.into()]).unwrap();
    let Value::String(text) = text else { panic!("{text:?}") };
    assert!(text.contains("supervisord started with pid "), "{text}");
    // Followed.
    let mut follower = Peer::unix(&sandbox);
    follower.send("GET /mainlogtail HTTP/1.1\r\n\r\n");
    assert_eq!(follower.head()[0], "HTTP/1.1 200 OK");
    assert!(sandbox.ctl(&["stop", "cat"]).success);
    let heard = |peer: &Peer| String::from_utf8_lossy(&peer.ahead).into_owned();
    let deadline = Instant::now() + support::TIMEOUT;
    while !heard(&follower).contains("stopped: cat") {
        assert!(follower.read_more() && Instant::now() < deadline, "{}", heard(&follower));
    }
    // Cleared.
    assert_eq!(peer.call("supervisor.clearLog", &[]), Ok(true.into()));
    let text = peer.call("supervisor.readLog", &[0.into(), 0.into()]).unwrap();
    let Value::String(text) = text else { panic!("{text:?}") };
    assert!(!text.contains("spawned"), "{text}");
}

#[test]
fn the_ring_of_our_own_log_is_bounded() {
    let head = "log_ring_bytes=2KB\n[unix_http_server]";
    let mut sandbox = without_log("[program:cat]\ncommand=cat\nstartsecs=0\n");
    sandbox.replace("supervisord.conf", "[unix_http_server]", head);
    sandbox = sandbox.start();
    for _ in 0..10 {
        assert!(sandbox.ctl(&["restart", "cat"]).success);
    }
    let text = sandbox.ctl(&["maintail", "-100000"]).stdout;
    assert!((1000..2100).contains(&text.len()), "{} bytes", text.len());
    let mut sandbox = without_log("");
    sandbox.replace("supervisord.conf", "[unix_http_server]", "log_ring_bytes=0\n[unix_http_server]");
    sandbox = sandbox.start();
    assert!(!sandbox.ctl(&["maintail"]).stdout.contains("started"));
}

#[test]
fn clients_that_leave_at_the_very_end_cost_no_cpu_time() {
    let mut sandbox = Sandbox::with_programs(
        "[program:chatty]\ncommand=sh -c 'yes | head -c 300000; echo done >done; exec sleep 1000'\ndirectory=%(here)s\n\
         stdout_logfile=/dev/stdout\nstartsecs=0\n",
    );
    sandbox.replace("supervisord.conf", "[supervisord]\n", "[supervisord]\nsilent=true\n");
    // Its output is not read, so it waits for its reader until the end.
    let mut command = Command::new("sh");
    command.args(["-c", "mkfifo out; exec 3<>out; exec \"$@\" >out", "sh"]);
    command.arg(support::binary()).args(["run", "-c"]).arg(sandbox.config()).stdin(Stdio::null());
    let command = sandbox.marked(command);
    sandbox.spawn_as(command);
    sandbox.wait_ready();
    sandbox.wait_file("done", "done");
    let peers: Vec<Peer> = (0..20).map(|_| Peer::unix(&sandbox)).collect();
    // They were accepted before this one.
    assert!(sandbox.ctl(&["pid"]).success);
    let supervisor = sandbox.supervisor_pid();
    let before = cpu_ticks(supervisor);
    sandbox.signal(Signal::TERM);
    sandbox.wait_log("stopped: chatty");
    drop(peers);
    // A process that has exited and was not reaped still reports its resource usage.
    let stat = format!("/proc/{}/stat", supervisor.as_raw_nonzero());
    sandbox.wait("it to end", |_| {
        let text = std::fs::read_to_string(&stat).unwrap();
        text.contains(") Z ").then_some(())
    });
    let used = cpu_ticks(supervisor) - before;
    assert!(used < 10, "{used} ticks of CPU time");
    sandbox.wait_exit();
}

#[test]
fn clients_that_leave_while_pid_1_waits_for_orphans_cost_no_cpu_time() {
    let there = Command::new("unshare").args(["--pid", "--fork", "true"]).stderr(Stdio::null()).status();
    if !have("root with namespaces of process ids", there.is_ok_and(|status| status.success())) {
        return;
    }
    let mut sandbox = Sandbox::with_programs(
        "[program:launcher]\ncommand=sh -c '(trap \"\" TERM; echo armed >armed; sleep 1000) & exit 0'\ndirectory=%(here)s\n\
         startsecs=0\nautorestart=false\n",
    );
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child"]).arg(support::binary()).args(["run", "-c"]);
    command.arg(sandbox.config()).stdin(Stdio::null());
    let command = sandbox.marked(command);
    sandbox.spawn_as(command);
    sandbox.wait_ready();
    sandbox.wait_file("armed", "armed");
    let outer = sandbox.supervisor_pid().as_raw_nonzero();
    let children = std::fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).unwrap();
    let pid_1 = children.trim().parse().ok().and_then(Pid::from_raw).unwrap();
    let peers: Vec<Peer> = (0..20).map(|_| Peer::unix(&sandbox)).collect();
    assert!(sandbox.ctl(&["pid"]).success);
    let before = cpu_ticks(pid_1);
    kill_process(pid_1, Signal::TERM).unwrap();
    sandbox.wait_log("received SIGTERM indicating exit request");
    drop(peers);
    let (stat, mut last) = (format!("/proc/{}/stat", pid_1.as_raw_nonzero()), before);
    sandbox.wait("it to end", |_| {
        let text = std::fs::read_to_string(&stat).ok().filter(|text| !text.contains(") Z "));
        if let Some(text) = &text {
            last = ticks_of(text);
        }
        text.is_none().then_some(())
    });
    assert!(last - before < 10, "{} ticks of CPU time", last - before);
}
