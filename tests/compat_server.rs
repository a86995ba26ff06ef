//! The server compared with the reference's: the same configuration under the reference's supervisord and
//! under ours, and Python clients, unmodified, that must not notice a difference.
//!
//! Ours runs under two names: as `sv run`, asked by the reference's `supervisorctl`, and as
//! `supervisord -n`, asked by our own. All three answer the same lines with the same exit status.
//!
//! Every line brings about its state first and takes it from there, so that what came before does
//! not matter. Many list results in the order in which these were reached, which is not defined (and
//! differs by intent: stops go by descending priority here), so those lines are sorted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use support::peers::{self, PROGRAMS, masked_across, sorted};
use support::{HEAD, Sandbox, binary, free_port, wire};
use sv::xmlrpc::Value;

/// A supervisor and the client that asks it.
struct Peer {
    sandbox: Sandbox,
    client: PathBuf,
    reference: PathBuf,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pair {
    TheirsOnTheirs,
    TheirsOnOurs,
    OursOnOurs,
}
use Pair::{OursOnOurs, TheirsOnOurs, TheirsOnTheirs};

impl Peer {
    fn start(pair: Pair, reference: &Path, programs: &str) -> Self {
        let sandbox = Sandbox::with_programs(programs);
        let daemon = reference.join("supervisord");
        let sandbox = match pair {
            TheirsOnTheirs => sandbox.run_by(&daemon, "supervisord", &["-n"]),
            TheirsOnOurs => sandbox.run_by(&binary(), "sv", &["run"]),
            OursOnOurs => sandbox.run_by(&binary(), "supervisord", &["-n"]),
        };
        let client = if pair == OursOnOurs { binary() } else { reference.join("supervisorctl") };
        Self { sandbox: sandbox.start(), client, reference: reference.to_owned() }
    }

    /// Brings about a state, by our client because it is the faster one.
    fn prepare(&self, lines: &str) {
        for line in lines.split(';').filter(|line| !line.is_empty()) {
            self.sandbox.ctl(&line.split_whitespace().collect::<Vec<_>>());
        }
    }

    /// What the client prints for a line, and its exit status.
    fn say(&self, line: &str) -> String {
        let command = peers::client(&self.client, &self.reference);
        let mut command = self.sandbox.marked(command);
        command.arg("-c").arg(self.sandbox.config()).args(line.split_whitespace());
        masked_across(&command.stdin(Stdio::null()).output().unwrap(), self.sandbox.dir())
    }
}

/// Has all three do the same, side by side, and compares what came of it.
fn compare<T: Send + PartialEq + std::fmt::Debug>(
    programs: &str,
    act: impl Fn(&mut Peer) -> Vec<(String, T)> + Sync,
) {
    let Some(reference) = peers::reference() else { return };
    let (reference, act) = (&reference, &act);
    let reported = |pair| move || act(&mut Peer::start(pair, reference, programs));
    let [theirs, others @ ..] = thread::scope(|scope| {
        [TheirsOnTheirs, TheirsOnOurs, OursOnOurs]
            .map(|pair| scope.spawn(reported(pair)))
            .map(|thread| thread.join().unwrap())
    });
    for (pair, others) in [TheirsOnOurs, OursOnOurs].into_iter().zip(others) {
        assert_eq!(others.len(), theirs.len(), "{pair:?}");
        for ((what, here), (_, there)) in others.iter().zip(&theirs) {
            assert_eq!(here, there, "{pair:?}: {what}");
        }
    }
}

/// Lines with what has to be so before; each is a client of its own.
fn compare_lines(programs: &str, ready: impl Fn(&mut Sandbox) + Sync, lines: &[(&str, &str)]) {
    compare(programs, |peer| {
        ready(&mut peer.sandbox);
        let reported = lines.iter().map(|(preparation, line)| {
            peer.prepare(preparation);
            let text = peer.say(line);
            let is_ordered = line.starts_with("status") || !line.contains("all") && !line.contains('*');
            let text = if is_ordered { text } else { sorted(&text).join("\n") };
            ((*line).to_owned(), text)
        });
        reported.collect()
    });
}

fn settled(sandbox: &mut Sandbox) {
    sandbox.wait_state("short-lived", "FATAL");
    sandbox.wait_state("cat", "RUNNING");
}

#[test]
fn questions_to_our_server_are_answered_alike() {
    let lines = [
        "status",
        "status all",
        "status cat",
        "status cat many:* cat pair:* many:many_01",
        "status nope cat nope:* many: many:nope",
        "status short-lived",
        "pid",
        "pid cat off many:many_00",
        "pid cat nope",
        "pid all",
        "version",
        "version x",
        "avail",
        "avail x",
        "reread",
        "reread x",
        "help",
        "help start",
        "help nope",
        "nope",
        "start",
        "stop",
        "restart",
        "signal",
        "signal HUP",
        "shutdown x",
        "reload x",
    ];
    compare_lines(PROGRAMS, settled, &lines.map(|line| ("", line)));
}

#[test]
fn actions_on_our_server_match_the_reference() {
    compare_lines(
        PROGRAMS,
        settled,
        &[
            ("stop cat", "start cat"),
            ("start cat", "start cat"),
            ("stop cat", "start nope cat off:nope"),
            ("start cat", "start nope:* cat"),
            ("stop many:*", "start many:*"),
            ("stop many:many_00;start many:many_01", "start many:*"),
            ("start many:*", "start many:*"),
            ("stop pair:*", "start pair:one pair:nope"),
            ("", "start missing"),
            ("", "status missing"),
            ("", "start unreadable"),
            ("", "start short-lived"),
            ("", "status short-lived"),
            ("stop off", "start off short-lived"),
            ("start cat", "stop cat"),
            ("stop cat", "stop cat"),
            ("stop cat", "status cat"),
            ("", "stop short-lived"),
            ("start cat", "stop nope cat nope:*"),
            ("stop many:many_01;start many:many_00", "stop many:*"),
            ("stop many:*", "stop many:*"),
            ("stop all;start cat many:*", "stop all"),
            ("stop all", "stop all"),
            ("start cat", "restart cat"),
            ("stop off", "restart off"),
            ("start cat", "restart nope cat"),
            ("", "restart nope:*"),
            ("start cat", "signal CONT cat"),
            ("start cat", "signal SIGCONT cat"),
            ("start cat", "signal 0 cat"),
            ("start cat", "signal 18 cat"),
            ("start cat", "signal BOGUS cat"),
            ("start cat", "signal 999 cat"),
            ("stop off", "signal CONT off"),
            ("stop off", "signal BOGUS off"),
            ("", "signal CONT nope nope:*"),
            ("start many:*", "signal CONT many:*"),
            ("start many:*", "signal BOGUS many:*"),
            ("stop many:*", "signal CONT many:*"),
            ("stop all;start cat", "signal CONT all"),
            ("stop all;start cat", "signal BOGUS all"),
            ("", "add"),
            ("", "add cat nope"),
            ("", "remove"),
            ("start cat", "remove cat nope"),
            ("stop cat", "remove cat"),
            ("remove cat", "add cat"),
            ("", "update"),
            ("stop all", "start all"),
            ("start cat", "start all nope"),
            ("start all", "restart all"),
        ],
    );
}

const STUBBORN: &str = "[program:stubborn]\n\
    command=/bin/sh -c 'trap \"\" TERM; echo > %(here)s/trapped; while :; do sleep 1; done'\n\
    stopwaitsecs=3600\nstopasgroup=true\nkillasgroup=true\n[program:cat]\ncommand=/bin/cat\nstartsecs=0\n";

/// The trap is set, and it runs.
fn trapped(sandbox: &mut Sandbox) {
    sandbox.wait_file("trapped", "\n");
    sandbox.wait_state("stubborn", "RUNNING");
}

#[test]
fn our_server_during_shutdown_matches_the_reference() {
    for line in ["shutdown", "reload"] {
        let lines = [
            ("", line),
            ("", "status"),
            ("", "start cat"),
            ("", "stop cat"),
            ("", "restart cat"),
            ("", "signal HUP cat"),
            ("", "pid"),
            ("", "pid cat"),
            ("", "version"),
            ("", "avail"),
            ("", "reread"),
            ("", "update"),
            ("", "add cat"),
            ("", "remove cat"),
            ("", "shutdown"),
            ("", "reload"),
        ];
        compare_lines(STUBBORN, trapped, &lines);
    }
}

const SPEAKER: &str = "[program:speaker]\nstartsecs=0\n\
    command=/bin/sh -c 'echo h\u{e9}llo \u{20ac}; echo err >&2; exec tee -a %(here)s/heard'\n\
    stdout_logfile=%(here)s/speaker.out\nstderr_logfile=%(here)s/speaker.err\n\
    [program:off]\ncommand=/bin/cat\nautostart=false\nstdout_logfile=NONE\n";

#[test]
fn logs_of_our_server_match_the_reference() {
    let ready = |sandbox: &mut Sandbox| {
        sandbox.wait_file("speaker.out", "\u{20ac}\n");
        sandbox.wait_file("speaker.err", "err\n");
    };
    let lines = [
        "tail speaker",
        "tail speaker stdout",
        "tail speaker stderr",
        "tail -5 speaker",
        "tail -1000 speaker stderr",
        "tail off",
        "tail off stderr",
        "tail nope",
        "tail speaker nope",
        "tail",
        "clear nope",
        "clear",
        "clear speaker",
        "tail speaker",
        "clear all",
        "tail speaker stderr",
    ];
    compare_lines(SPEAKER, ready, &lines.map(|line| ("", line)));
}

/// `fg` of the reference's client: what is typed goes in, what is said comes out.
#[test]
fn a_program_of_ours_can_be_brought_to_the_foreground() {
    let Some(reference) = peers::reference() else { return };
    for pair in [TheirsOnTheirs, TheirsOnOurs] {
        let mut peer = Peer::start(pair, &reference, SPEAKER);
        peer.sandbox.wait_file("speaker.out", "\u{20ac}\n");
        let mut client = peer.sandbox.marked(Command::new(&peer.client));
        client.arg("-c").arg(peer.sandbox.config()).args(["fg", "speaker"]).env("PYTHONUNBUFFERED", "1");
        let shown = std::fs::File::create(peer.sandbox.path("shown")).unwrap();
        let mut client = client.stdin(Stdio::piped()).stdout(shown).spawn().unwrap();
        peer.sandbox.wait_file("shown", "\u{20ac}\n");
        writeln!(client.stdin.as_ref().unwrap(), "typed \u{f6}").unwrap();
        peer.sandbox.wait_file("heard", "typed \u{f6}\n");
        peer.sandbox.wait_file("shown", "typed \u{f6}\n");
        drop(client.stdin.take());
        peer.sandbox.wait_file("shown", "Exiting foreground");
        // Its thread would linger for half a minute.
        client.kill().unwrap();
        client.wait().unwrap();
    }
}

#[test]
fn shutdown_and_reload_of_our_server_are_alike() {
    compare("[program:cat]\ncommand=/bin/cat\nstartsecs=0\n", |peer| {
        let (pid, cat) = (peer.sandbox.supervisor_pid(), peer.sandbox.pid("cat"));
        let mut reported = vec![("reload".to_owned(), peer.say("reload"))];
        peer.sandbox.wait("another cat", |sandbox| sandbox.pid("cat").filter(|it| Some(*it) != cat));
        reported.push(("status".to_owned(), peer.say("status")));
        let same = peer.sandbox.ctl(&["pid"]).stdout.trim() == pid.as_raw_nonzero().to_string();
        reported.push(("the same pid".to_owned(), same.to_string()));
        reported.push(("shutdown".to_owned(), peer.say("shutdown")));
        reported.push(("exit".to_owned(), peer.sandbox.wait_exit().to_string()));
        // The supervisor has ended, and its socket is gone.
        reported.extend(["status", "shutdown", "start cat"].map(|line| (line.to_owned(), peer.say(line))));
        reported
    });
}

#[test]
fn our_server_accepts_the_same_clients_as_theirs() {
    const SECRETS: [&str; 2] = ["se:cret", "{SHA}a6fd8606f8f12a7541202a933e4a2a986fd9c1a1"];
    for password in SECRETS {
        let programs = "[program:cat]\ncommand=/bin/cat\nstartsecs=0\n";
        compare(programs, |peer| {
            _ = peer.sandbox.ctl(&["shutdown"]);
            _ = peer.sandbox.wait_exit();
            let file = "file=%(here)s/supervisor.sock";
            let with = format!("{file}\nusername=me\npassword={password}");
            peer.sandbox.replace("supervisord.conf", file, &with);
            std::fs::remove_file(peer.sandbox.path("supervisord.log")).unwrap();
            peer.sandbox.spawn();
            // Our helpers have no password to ask with.
            peer.sandbox.wait_file("supervisord.log", "spawned: 'cat'");
            let lines = [
                "status cat",
                "shutdown",
                "-u me version",
                "-u me -p wrong version",
                "-u you -p se:cret version",
                "-u me -p se:cret version",
            ];
            lines.map(|line| (line.to_owned(), peer.say(line))).into()
        });
    }
}

/// What a script of calls was answered: what was called, and the outcome as JSON.
fn calls(peer: &Peer, part: &str, url: &str) -> Vec<(String, String)> {
    const SCRIPT: &str = include_str!("compat_server/calls.py");
    let mut python = peer.sandbox.marked(Command::new(peer.reference.join("python")));
    python.args(["-c", SCRIPT, part, url]).arg(peer.sandbox.dir()).stdin(Stdio::null());
    let output = python.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}\n{}", peer.sandbox.story());
    let text = String::from_utf8(output.stdout).unwrap();
    let split = |line: &str| line.split_once('\t').map(|(what, said)| (what.to_owned(), said.to_owned()));
    text.lines().map(|line| split(line).unwrap()).collect()
}

fn calls_over_the_socket(peer: &Peer, part: &str) -> Vec<(String, String)> {
    calls(peer, part, &format!("unix://{}", peer.sandbox.path("supervisor.sock").display()))
}

#[test]
fn python_gets_the_same_lists_of_methods() {
    compare("", |peer| calls_over_the_socket(peer, "methods"));
}

#[test]
fn requests_that_no_client_of_theirs_sends_are_answered_alike() {
    compare("[program:cat]\ncommand=/bin/cat\nstartsecs=0\n", |peer| {
        peer.sandbox.wait_state("cat", "RUNNING");
        calls_over_the_socket(peer, "http")
    });
}

#[test]
fn python_calls_are_answered_alike() {
    let programs = format!(
        "{PROGRAMS}[program:slow]\ncommand=/bin/cat\nautostart=false\nstartsecs=2\n\
         [program:flaky]\ncommand=/bin/false\nautostart=false\nstartretries=50\n\
         [program:unparsable]\ncommand=/bin/cat \"x\nautostart=false\n\
         [program:silent]\ncommand=/bin/cat\nautostart=false\nstartsecs=0\nstdout_logfile=NONE\n\
         stderr_logfile=%(here)s/silent.err\n"
    );
    compare(&programs, |peer| {
        settled(&mut peer.sandbox);
        calls_over_the_socket(peer, "deeds")
    });
}

/// Repeats what it reads on both streams; has closed its standard input.
const TALKERS: &str = "[program:parrot]\ncommand=/bin/sh -c 'exec tee /dev/stderr'\nstartsecs=0\n\
    stdout_logfile=%(here)s/parrot.out\nstderr_logfile=%(here)s/parrot.err\n\
    [program:deaf]\ncommand=/bin/sh -c 'exec <&-; echo > %(here)s/deaf; exec sleep 3600'\nstartsecs=0\n\
    [program:slow]\ncommand=/bin/cat\nautostart=false\nstartsecs=2\n\
    [program:silent]\ncommand=/bin/cat\nautostart=false\nstdout_logfile=NONE\n\
    stderr_logfile=%(here)s/silent.err\n";

#[test]
fn python_reads_logs_alike() {
    compare(&format!("{PROGRAMS}{TALKERS}"), |peer| {
        settled(&mut peer.sandbox);
        let reported = calls_over_the_socket(peer, "logs");
        assert!(reported.len() > 150, "{}", reported.len());
        reported
    });
}

#[test]
fn python_sends_and_calls_in_bulk_alike() {
    compare(&format!("{PROGRAMS}{TALKERS}"), |peer| {
        settled(&mut peer.sandbox);
        peer.sandbox.wait_file("deaf", "\n");
        let reported = calls_over_the_socket(peer, "more");
        assert!(reported.len() > 150, "{reported:?}");
        reported
    });
}

#[test]
fn python_changes_groups_alike() {
    compare(PROGRAMS, |peer| {
        settled(&mut peer.sandbox);
        calls_over_the_socket(peer, "groups")
    });
}

/// Some fail at once, some settle at once, others later, and not in the order of the request.
#[test]
fn rows_of_bulk_answers_come_in_the_same_order() {
    let slow = |name: &str, secs: &str| {
        format!(
            "[program:{name}]\nstartsecs=0\n\
             command=sh -c 'trap \"sleep {secs}; exit 0\" TERM; echo > %(here)s/{name}.armed; while :; do sleep 0.05; done'\n"
        )
    };
    let programs = [
        "[program:a]\ncommand=/bin/cat\nautostart=false\nstartsecs=3\n\
         [program:b]\ncommand=/nope\nautostart=false\n\
         [program:c]\ncommand=/bin/cat\nautostart=false\nstartsecs=0\n\
         [program:d]\ncommand=sh -c 'sleep 0.3; exit 3'\nautostart=false\nstartretries=0\n\
         [program:e]\ncommand=/bin/cat\nautostart=false\nstartsecs=3\n\
         [group:g]\nprograms=e,d,c,b,a\n"
            .to_owned(),
        slow("s", "4"),
        slow("t", "0.1"),
        slow("u", "2"),
        "[program:first]\ncommand=/bin/cat\nstartsecs=0\npriority=1\n\
         [program:y]\ncommand=/bin/cat\nstartsecs=0\n[program:z]\ncommand=/bin/cat\nstartsecs=0\n"
            .to_owned(),
    ];
    let (yes, no) = (Value::Bool(true), Value::Bool(false));
    let named = |name: &str, wait: &Value| vec![Value::from(name), wait.clone()];
    let calls = [
        ("startProcessGroup", named("g", &no)),
        ("stopProcessGroup", named("g", &no)),
        ("startProcessGroup", named("g", &yes)),
        ("stopProcessGroup", named("g", &no)),
        ("stopProcessGroup", named("first", &no)),
        ("stopProcessGroup", named("y", &no)),
        ("stopProcessGroup", named("z", &no)),
        // Only those are left whose ends are far apart: which of two that end together is noticed first is
        // not defined there.
        ("stopAllProcesses", vec![yes.clone()]),
        ("startAllProcesses", vec![no.clone()]),
        ("signalAllProcesses", vec!["CONT".into()]),
        ("signalProcessGroup", named("y", &"NOPE".into())),
        ("stopAllProcesses", vec![no.clone()]),
        ("removeProcessGroup", vec!["y".into()]),
        ("addProcessGroup", vec!["y".into()]),
        ("clearAllProcessLogs", Vec::new()),
        ("signalAllProcesses", vec!["CONT".into()]),
        ("stopAllProcesses", vec![no.clone()]),
    ];
    compare(&programs.concat(), |peer| {
        for name in ["s", "t", "u"] {
            peer.sandbox.wait_file(&format!("{name}.armed"), "\n");
        }
        let reported = calls.iter().map(|(method, params)| {
            let ask = |sandbox: &Sandbox, method: &str, params: &[Value]| {
                wire::Peer::unix(sandbox).call(&format!("supervisor.{method}"), params)
            };
            let answer = ask(&peer.sandbox, method, params);
            // What was not waited for is over before the next call.
            peer.sandbox.wait("nothing to be under way", |sandbox| {
                let all = format!("{:?}", ask(sandbox, "getAllProcessInfo", &[]));
                (!["STARTING", "STOPPING", "BACKOFF"].iter().any(|state| all.contains(state))).then_some(())
            });
            (format!("{method} {params:?}"), format!("{answer:?}"))
        });
        reported.collect()
    });
}

#[test]
fn pools_and_sockets_make_groups_alike() {
    const KINDS: &str = "[program:cat]\ncommand=/bin/cat\nstartsecs=0\n\
        [eventlistener:pool]\ncommand=/bin/cat\nstartsecs=0\nevents=TICK_3600,process_state_unknown\n\
        process_name=%(program_name)s_%(process_num)d\nnumprocs=2\n\
        [eventlistener:late]\ncommand=/bin/cat\nstartsecs=0\nevents=TICK_3600\npriority=1500\n\
        [fcgi-program:fcgi]\ncommand=/bin/sleep 1000\nstartsecs=0\nsocket=unix://%(here)s/f.sock\npriority=5\n\
        [fcgi-program:member]\ncommand=/bin/sleep 1000\nstartsecs=0\nsocket=unix://%(here)s/m.sock\n\
        [group:both]\nprograms=member\npriority=7\n";
    let lines = [
        ("", "status"),
        ("", "avail"),
        ("", "reread"),
        ("start all", "stop pool:*"),
        ("start all", "stop pool:pool_0 fcgi both:member"),
        ("start all", "status"),
        ("stop all", "start pool:* fcgi"),
        ("start all", "remove pool"),
        ("stop pool:*", "remove pool"),
        ("", "avail"),
        ("", "update"),
        ("stop fcgi", "remove fcgi"),
        ("", "add fcgi pool"),
        ("", "update pool"),
    ];
    let ready = |sandbox: &mut Sandbox| sandbox.wait_state("pool:pool_1", "RUNNING");
    compare_lines(KINDS, ready, &lines);
    compare(KINDS, |peer| {
        ready(&mut peer.sandbox);
        calls_over_the_socket(peer, "configured")
    });
}

#[test]
fn updates_by_our_server_match_the_reference() {
    const BEFORE: &str = "[program:gone]\ncommand=/bin/cat\nstartsecs=0\n\
        [program:changed]\ncommand=/bin/cat\nstartsecs=0\n[program:same]\ncommand=/bin/cat\nstartsecs=0\n";
    const AFTER: &str = "[program:new]\ncommand=/bin/cat\nstartsecs=0\n\
        [program:changed]\ncommand=/bin/cat -u\nstartsecs=0\n[program:same]\ncommand=/bin/cat\nstartsecs=0\n";
    // No reread has found it yet when it is added.
    const WITH_ANOTHER: &str = "[program:another]\ncommand=/bin/cat\n";
    const BROKEN: &str = "[program:x]\ncommand=%(nope)s\n";
    compare(BEFORE, |peer| {
        peer.sandbox.wait_state("same", "RUNNING");
        let same = peer.sandbox.pid("same");
        let mut reported = Vec::new();
        for (programs, line) in [
            (AFTER, "reread"),
            (AFTER, "avail"),
            (AFTER, "update new"),
            (WITH_ANOTHER, "add another"),
            (AFTER, "update gone nope"),
            (AFTER, "update all nope"),
            (AFTER, "status new changed gone"),
            (BEFORE, "update"),
            (BEFORE, "update"),
            (AFTER, "update"),
            (BROKEN, "reread"),
            (BROKEN, "avail"),
        ] {
            peer.sandbox.write("supervisord.conf", &format!("{HEAD}{programs}"));
            let mut said = peer.say(line);
            if line == "reread" && programs == BROKEN {
                // The error and its place are in our own words.
                said.truncate("ERROR: CANT_REREAD: ".len());
            }
            reported.push((line.to_owned(), said));
        }
        reported.push(("the same".to_owned(), (peer.sandbox.pid("same") == same).to_string()));
        reported
    });
}

/// Python's client replaces a group for a change that ours applies to its running processes.
#[test]
fn updates_by_python_replace_whole_groups() {
    const BEFORE: &str =
        "[program:many]\ncommand=/bin/cat\nprocess_name=%(process_num)d\nnumprocs=2\nstartsecs=0\n";
    let Some(reference) = peers::reference() else { return };
    let [theirs, ours] = [TheirsOnTheirs, TheirsOnOurs].map(|pair| {
        let mut peer = Peer::start(pair, &reference, BEFORE);
        peer.sandbox.wait_state("many:1", "RUNNING");
        let old = peer.sandbox.pid("many:0");
        peer.sandbox.write("supervisord.conf", &format!("{HEAD}{BEFORE}stopwaitsecs=9\n"));
        let reported = ["reread", "update", "reread", "update"].map(|line| peer.say(line));
        let new = peer.sandbox.wait("a successor", |sandbox| sandbox.pid("many:0"));
        (reported, Some(new) == old)
    });
    assert_eq!(ours, theirs);
    assert!(!ours.1, "it has another pid");
}

#[test]
fn python_calls_during_a_shutdown_are_answered_alike() {
    compare(STUBBORN, |peer| {
        trapped(&mut peer.sandbox);
        calls_over_the_socket(peer, "shutdown")
    });
}

#[test]
fn calls_of_python_over_tcp_with_a_password_are_answered_alike() {
    let port = free_port();
    // One after the other, as they share the port.
    let programs = format!(
        "[inet_http_server]\nport=127.0.0.1:{port}\nusername=me\npassword=secret\n\
         [program:cat]\ncommand=/bin/cat\nstartsecs=0\n"
    );
    let Some(reference) = peers::reference() else { return };
    let [theirs, ours] = [TheirsOnTheirs, TheirsOnOurs].map(|pair| {
        let peer = Peer::start(pair, &reference, &programs);
        peer.prepare("start cat");
        ["me:secret@", "me:wrong@", ""]
            .map(|who| calls(&peer, "state", &format!("http://{who}127.0.0.1:{port}/RPC2")))
    });
    assert_eq!(ours, theirs);
    assert!(ours[1].iter().all(|(what, said)| said.contains("401") || what.contains("getPID")), "{ours:?}");
}
