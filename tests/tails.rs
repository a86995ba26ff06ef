//! Logs as streams: a follower gets what is written to its log, even after the file is rotated or truncated,
//! and clients without new data cause no wakeups.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::wire::{Peer, anonymous_kib, sleeps};
use support::{Sandbox, peers};
use sv::xmlrpc::Value;

/// Says what it is sent, on both streams.
const ECHO: &str = "[program:echo]\n\
    command=/bin/sh -c 'echo ready; while read -r line; do echo \"$line\"; echo \"not $line\" >&2; done'\n\
    startsecs=0\nstdout_logfile=%(here)s/echo.out\nstderr_logfile=%(here)s/echo.err\n";

fn started(programs: &str) -> Sandbox {
    let mut sandbox = Sandbox::with_programs(programs).start();
    sandbox.wait_file("echo.out", "ready\n");
    sandbox
}

fn say(sandbox: &Sandbox, text: &str) {
    let mut peer = Peer::unix(sandbox);
    let sent = peer.call("supervisor.sendProcessStdin", &["echo".into(), format!("{text}\n").into()]);
    assert_eq!(sent, Ok(true.into()));
}

/// One that follows a log, from the answer's head on.
struct Follower {
    peer: Peer,
    heard: String,
}

impl Follower {
    fn of(sandbox: &Sandbox, path: &str) -> Self {
        let mut peer = Peer::unix(sandbox);
        // An empty Host and a line break too many, as Supervisor's client sends them.
        peer.send(format!("GET {path} HTTP/1.1\r\nHost: \r\nAccept-Encoding: chunked\r\n\r\n\r\n"));
        let head = peer.head();
        assert_eq!(head[0], "HTTP/1.1 200 OK");
        for field in ["Transfer-Encoding: chunked", "Content-Type: text/plain;charset=utf-8"] {
            assert!(head.iter().any(|it| it == field), "{head:?}");
        }
        assert!(head.iter().any(|it| it.starts_with("Last-Modified: ")), "{head:?}");
        Self { peer, heard: String::new() }
    }

    /// The next chunk; an empty one is the last.
    fn chunk(&mut self) -> Vec<u8> {
        let line = self.line();
        let size = usize::from_str_radix(&line, 16).unwrap();
        while self.peer.ahead.len() < size + 2 {
            assert!(self.peer.read_more());
        }
        let chunk = self.peer.ahead.drain(..size).collect();
        assert_eq!(self.peer.ahead.drain(..2).collect::<Vec<_>>(), b"\r\n");
        chunk
    }

    fn line(&mut self) -> String {
        let end = loop {
            match self.peer.ahead.windows(2).position(|window| window == b"\r\n") {
                Some(end) => break end,
                None => assert!(self.peer.read_more(), "the stream ends after {:?}", self.heard),
            }
        };
        let line: Vec<u8> = self.peer.ahead.drain(..end + 2).collect();
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }

    /// Listens until this was said.
    fn hears(&mut self, text: &str) {
        while !self.heard.contains(text) {
            let chunk = self.chunk();
            assert!(!chunk.is_empty(), "the stream ends after {:?}", self.heard);
            self.heard.push_str(&String::from_utf8(chunk).unwrap());
        }
    }

    /// Listens to the end, which is one in form and closes the connection.
    fn hears_out(mut self) -> String {
        loop {
            let chunk = self.chunk();
            if chunk.is_empty() {
                assert!(self.peer.ends());
                return self.heard;
            }
            self.heard.push_str(&String::from_utf8(chunk).unwrap());
        }
    }
}

#[test]
fn a_follower_of_a_log_gets_new_output() {
    let sandbox = started(ECHO);
    let mut followers =
        ["/logtail/echo", "/logtail/echo:echo/stdout", "/logtailfoo/echo?x", "/logtail/%65cho"]
            .map(|path| Follower::of(&sandbox, path));
    let mut errors = Follower::of(&sandbox, "/logtail/echo/stderr");
    for text in ["one", "w\u{f6}rt", "three"] {
        say(&sandbox, text);
        for follower in &mut followers {
            follower.hears(&format!("{text}\n"));
        }
        errors.hears(&format!("not {text}\n"));
    }
    for follower in &followers {
        assert_eq!(follower.heard, "ready\none\nw\u{f6}rt\nthree\n");
    }
    assert_eq!(errors.heard, "not one\nnot w\u{f6}rt\nnot three\n");
}

#[test]
fn a_stream_begins_with_the_last_kilobyte_of_whole_characters() {
    let sandbox = started(ECHO);
    // 3,001 bytes and a line end: the 1,024th from the end is the second of a character.
    let text = format!("x{}", "\u{20ac}".repeat(1000));
    say(&sandbox, &text);
    let mut sandbox = sandbox;
    sandbox.wait_file("echo.out", &format!("{text}\n"));
    let mut follower = Follower::of(&sandbox, "/logtail/echo");
    let chunk = follower.chunk();
    assert_eq!(String::from_utf8(chunk).unwrap(), format!("{}\n", "\u{20ac}".repeat(341)));
}

#[test]
fn paths_without_a_log_are_not_found() {
    let silent = "[program:silent]\ncommand=/bin/cat\nstdout_logfile=NONE\nstderr_logfile=/dev/null\nlog_ring_bytes=0\n\
        [program:passing]\ncommand=/bin/cat\nstdout_logfile=/dev/stdout\nlog_ring_bytes=0\n\
        [program:never]\ncommand=/bin/cat\nautostart=false\nstdout_logfile=%(here)s/never.log\n";
    let sandbox = started(&format!("{ECHO}{silent}"));
    let mut peer = Peer::unix(&sandbox);
    for path in [
        "/logtail",
        "/logtail/",
        "/logtail/nope",
        "/logtail/echo:*",
        "/logtail/echo:nope",
        "/logtail/echo/",
        "/logtail/echo/foo",
        "/logtail/echo/stdout/",
        "/logtail/silent",
        "/logtail/silent/stderr",
        "/logtail/never",
        "/logtail/passing",
    ] {
        peer.gets(format!("GET {path} HTTP/1.1\r\n\r\n"), "HTTP/1.1 404 Not Found");
    }
    for method in ["HEAD", "PUT", "DELETE"] {
        for path in ["/logtail/echo", "/mainlogtail"] {
            let mut peer = Peer::unix(&sandbox);
            peer.send(format!("{method} {path} HTTP/1.1\r\n\r\n"));
            assert_eq!(peer.head()[0], "HTTP/1.1 400 Bad Request", "{method} {path}");
        }
    }
}

#[test]
fn a_client_of_http_1_0_gets_the_bytes_as_they_are() {
    let sandbox = started(ECHO);
    let mut peer = Peer::unix(&sandbox);
    let head = peer.send("GET /logtail/echo HTTP/1.0\r\n\r\n").head();
    assert_eq!(head[0], "HTTP/1.0 200 OK");
    assert!(!head.iter().any(|field| field.starts_with("Transfer-Encoding")), "{head:?}");
    say(&sandbox, "one");
    while peer.ahead != b"ready\none\n" {
        assert!(peer.read_more());
    }
    let mut other = Peer::unix(&sandbox);
    assert!(other.call("supervisor.stopProcess", &["echo".into()]).is_ok());
    assert!(other.call("supervisor.removeProcessGroup", &["echo".into()]).is_ok());
    peer.ahead.clear();
    assert!(peer.ends());
}

#[test]
fn our_own_log_can_be_followed_to_the_end() {
    let mut sandbox = started(ECHO);
    let mut follower = Follower::of(&sandbox, "/mainlogtailfoo");
    let mut peer = Peer::unix(&sandbox);
    assert!(peer.call("supervisor.stopProcess", &["echo".into()]).is_ok());
    follower.hears("stopped: echo");
    assert!(peer.call("supervisor.startProcess", &["echo".into()]).is_ok());
    follower.hears("entered RUNNING state");
    assert!(peer.call("supervisor.shutdown", &[]).is_ok());
    let reported = follower.hears_out();
    assert!(sandbox.wait_exit().success());
    let lines: Vec<&str> = reported.lines().collect();
    assert!(
        sandbox.log().ends_with(&lines[1..].join("\n")) || sandbox.log().contains(&reported),
        "{reported}"
    );
    assert!(reported.contains("stopped: echo (terminated by SIGTERM)"), "{reported}");
}

#[test]
fn a_log_that_is_rotated_is_followed_without_a_gap() {
    let rotating = format!("{ECHO}stdout_logfile_maxbytes=20\nstdout_logfile_backups=3\n");
    let sandbox = started(&rotating);
    let mut follower = Follower::of(&sandbox, "/logtail/echo");
    let mut all = "ready\n".to_owned();
    for nth in 0..50 {
        let line = format!("line {nth}");
        say(&sandbox, &line);
        all.push_str(&format!("{line}\n"));
        follower.hears(&all);
    }
    assert_eq!(follower.heard, all);
    assert!(sandbox.path("echo.out.3").exists());
    // Another process moves it away and requests reopening.
    fs::rename(sandbox.path("echo.out"), sandbox.path("moved")).unwrap();
    sandbox.signal(Signal::USR2);
    let mut sandbox = sandbox;
    sandbox.wait_log("supervisord logreopen");
    say(&sandbox, "in a new file");
    follower.hears(&format!("{all}in a new file\n"));
}

#[test]
fn a_log_that_is_emptied_is_reported() {
    let sandbox = started(ECHO);
    let mut follower = Follower::of(&sandbox, "/logtail/echo");
    follower.hears("ready\n");
    let mut peer = Peer::unix(&sandbox);
    assert!(peer.call("supervisor.clearProcessLogs", &["echo".into()]).is_ok());
    follower.hears("ready\n==> File truncated <==\n");
    say(&sandbox, "again");
    follower.hears("<==\nagain\n");
    // Changes by another process are noticed with the next line.
    fs::File::options().write(true).open(sandbox.path("echo.out")).unwrap().set_len(0).unwrap();
    say(&sandbox, "x");
    follower.hears("again\n==> File truncated <==\nx\n");
    let mut own = Follower::of(&sandbox, "/mainlogtail");
    own.hears("\n");
    assert!(peer.call("supervisor.clearLog", &[]).is_ok());
    own.hears("==> File truncated <==\n");
}

#[test]
fn the_ring_of_a_stream_without_a_file_can_be_followed() {
    let programs = ECHO.replace("%(here)s/echo.out", "/dev/stdout").replace("%(here)s/echo.err", "NONE");
    let programs = format!("{programs}stderr_syslog=true\nlog_ring_bytes=1KB\nlog_format=prefix\n");
    let mut sandbox = Sandbox::with_programs(&programs).start();
    sandbox.wait_terminal("echo | ready\n");
    let (mut follower, mut errors) =
        (Follower::of(&sandbox, "/logtail/echo"), Follower::of(&sandbox, "/logtail/echo/stderr"));
    for text in ["one", "w\u{f6}rt"] {
        say(&sandbox, text);
        follower.hears(&format!("{text}\n"));
        errors.hears(&format!("not {text}\n"));
    }
    assert_eq!(
        (follower.heard.as_str(), errors.heard.as_str()),
        ("ready\none\nw\u{f6}rt\n", "not one\nnot w\u{f6}rt\n")
    );
    let mut peer = Peer::unix(&sandbox);
    assert!(peer.call("supervisor.clearProcessLogs", &["echo".into()]).is_ok());
    follower.hears("==> File truncated <==\n");
    // It continues with the next process of this name.
    assert!(peer.call("supervisor.stopProcess", &["echo".into()]).is_ok());
    assert!(peer.call("supervisor.startProcess", &["echo".into()]).is_ok());
    follower.hears("<==\nready\n");
    assert!(peer.call("supervisor.stopProcess", &["echo".into()]).is_ok());
    assert!(peer.call("supervisor.removeProcessGroup", &["echo".into()]).is_ok());
    assert!(follower.hears_out().ends_with("<==\nready\n"));
}

#[test]
fn a_follower_learns_how_many_bytes_it_missed() {
    let programs = ECHO.replace("%(here)s/echo.out", "/dev/stdout");
    let mut sandbox = Sandbox::with_programs(&format!("{programs}log_ring_bytes=100\n")).start();
    sandbox.wait_terminal("ready\n");
    let mut follower = Follower::of(&sandbox, "/logtail/echo");
    say(&sandbox, &"\u{20ac}".repeat(1000));
    follower.hears("\u{20ac}\n");
    let (before, behind) = follower.heard.split_once("==> ").unwrap();
    let (missed, behind) = behind.split_once(" bytes missed <==\n").unwrap();
    let missed: usize = missed.parse().unwrap();
    // One or two bytes of a character that was cut are not shown.
    let all = before.len() + missed + behind.len();
    assert!((3005..=3007).contains(&all), "{}", follower.heard);
    assert!(behind.trim_end().chars().all(|it| it == '\u{20ac}'), "{behind}");
}

#[test]
fn lines_that_get_a_form_wake_their_followers() {
    let sandbox = Sandbox::with_programs(&format!("{ECHO}log_format=prefix\n"));
    let mut sandbox = sandbox.start();
    sandbox.wait_file("echo.out", "echo | ready\n");
    let mut follower = Follower::of(&sandbox, "/logtail/echo");
    say(&sandbox, "one");
    follower.hears("echo | ready\necho | one\n");
}

#[test]
fn a_stream_ends_with_its_group_and_with_a_restart() {
    let mut sandbox = started(ECHO);
    let follower = Follower::of(&sandbox, "/logtail/echo");
    let mut peer = Peer::unix(&sandbox);
    assert!(peer.call("supervisor.stopProcess", &["echo".into()]).is_ok());
    assert!(peer.call("supervisor.removeProcessGroup", &["echo".into()]).is_ok());
    assert_eq!(follower.hears_out(), "ready\n");
    assert!(peer.call("supervisor.addProcessGroup", &["echo".into()]).is_ok());
    sandbox.wait_file("echo.out", "ready\nready\n");
    let followers = ["/logtail/echo", "/mainlogtail"].map(|path| Follower::of(&sandbox, path));
    assert!(peer.call("supervisor.restart", &[]).is_ok());
    let [reported, own] = followers.map(Follower::hears_out);
    assert_eq!(reported, "ready\nready\n");
    assert!(own.contains("stopped: echo"), "{own}");
}

#[test]
fn an_idle_stream_causes_no_wakeup() {
    let mut sandbox = started(ECHO);
    let mut followers =
        ["/logtail/echo", "/logtail/echo/stderr", "/mainlogtail"].map(|path| Follower::of(&sandbox, path));
    followers[0].hears("ready\n");
    followers[2].hears("RUNNING state");
    let (before, since) = (sleeps(sandbox.supervisor_pid()), Instant::now());
    sandbox.wait("two seconds", |_| (since.elapsed() > Duration::from_secs(2)).then_some(()));
    // The first may be its way back to sleep from what was there to be done before, and once it comes to
    // rest.
    let woken = sleeps(sandbox.supervisor_pid()) - before;
    assert!(woken <= 2, "woken {woken} times in two seconds");
    say(&sandbox, "still there");
    followers[0].hears("still there\n");
}

/// Says 64 MiB at once.
const CHATTY: &str = "[program:chatty]\ncommand=/bin/sh -c 'read -r line; yes 0123456789abcde | head -c 67108864; echo end'\n\
    startsecs=0\nautorestart=false\nstdout_logfile=%(here)s/chatty.out\nstdout_logfile_maxbytes=0\n";

#[test]
fn a_slow_follower_delays_no_other_and_misses_nothing() {
    let mut sandbox = Sandbox::with_programs(CHATTY).start();
    sandbox.wait_state("chatty", "RUNNING");
    // None of these listens before everything was said.
    let mut slow: Vec<Follower> = (0..20).map(|_| Follower::of(&sandbox, "/logtail/chatty")).collect();
    let mut peer = Peer::unix(&sandbox);
    let go = ["chatty".into(), Value::from("go\n")];
    assert!(peer.call("supervisor.sendProcessStdin", &go).is_ok());
    sandbox.wait_state("chatty", "EXITED");
    let kept = anonymous_kib(sandbox.supervisor_pid());
    assert!(kept < 8 * 1024, "{kept} KiB");
    let mut follower = slow.remove(0);
    let mut heard = 0;
    while heard < 67_108_864 + 4 {
        let chunk = follower.chunk();
        assert!(!chunk.is_empty());
        heard += chunk.len();
    }
    assert_eq!(heard, 67_108_864 + 4);
    assert!(peer.call("supervisor.getPID", &[]).is_ok());
}

#[test]
fn followers_that_leave_are_forgotten() {
    let mut sandbox = started(ECHO);
    let open = |sandbox: &Sandbox| {
        let pid = sandbox.supervisor_pid().as_raw_nonzero();
        fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
    };
    assert!(Peer::unix(&sandbox).call("supervisor.getPID", &[]).is_ok());
    let mut followers: Vec<Follower> = (0..50).map(|_| Follower::of(&sandbox, "/logtail/echo")).collect();
    let before = open(&sandbox);
    assert!(before > 100, "{before}");
    followers.truncate(1);
    sandbox.wait("them to be forgotten", |sandbox| (open(sandbox) <= before - 98).then_some(()));
    say(&sandbox, "one");
    followers[0].hears("one\n");
}

#[test]
fn supervisorctl_of_the_reference_follows_our_logs() {
    let Some(reference) = peers::reference() else { return };
    let mut sandbox = started(ECHO);
    for (action, output, last) in [
        ("tail -f echo", "tail", "one\n"),
        ("tail -f echo stderr", "err", "not one\n"),
        ("maintail -f", "main", "RUNNING state"),
    ] {
        let mut client = sandbox.marked(Command::new(reference.join("supervisorctl")));
        client.arg("-c").arg(sandbox.config()).args(action.split(' ')).stdin(Stdio::null());
        let heard = fs::File::create(sandbox.path(output)).unwrap();
        let mut client = client.env("PYTHONUNBUFFERED", "1").stdout(heard).spawn().unwrap();
        if output != "err" {
            sandbox.wait_file(output, if output == "tail" { "ready\n" } else { "spawned: 'echo'" });
        }
        say(&sandbox, "one");
        sandbox.wait_file(output, last);
        client.kill().unwrap();
        client.wait().unwrap();
    }
}
