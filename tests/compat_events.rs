//! Events compared with the reference's: the same programs under the reference's supervisord and under ours, and a
//! listener that writes down every header and payload. The sequence of events of each process is the same.
//!
//! What differs is masked: process ids, and the numbers of events, as what happens to several processes at
//! the same time comes in an undefined order. That numbers count up by one is checked separately.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use support::{REPORT, Sandbox, binary, peers};

/// They behave in many ways, none so quickly that the reference, which looks once a second, could miss it.
const PROGRAMS: &str = "
[eventlistener:l]
command=/usr/bin/perl %(here)s/tell.pl %(here)s/told text
events=PROCESS_STATE,PROCESS_COMMUNICATION,PROCESS_LOG,REMOTE_COMMUNICATION,SUPERVISOR_STATE_CHANGE,PROCESS_GROUP
buffer_size=1000
startsecs=0
[program:done]
command=sleep 2.5
autorestart=unexpected
[program:failed]
command=sh -c 'sleep 2.5; exit 3'
autorestart=false
[program:again]
command=sh -c 'sleep 2.5; exit 3'
exitcodes=0,3
autorestart=false
[program:quick]
command=sh -c 'sleep 0.1; exit 1'
startsecs=2
startretries=1
[program:missing]
command=/there/is/none
startretries=0
[program:cat]
command=cat
startsecs=0
[program:waits]
command=sh -c 'sleep 0.1; exit 1'
startsecs=2
autostart=false
[program:stubborn]
command=/usr/bin/perl -e '$SIG{TERM} = q(IGNORE); $| = 1; print qq(deaf\\n); sleep 1000'
startsecs=0
stopwaitsecs=1
[program:pair]
command=cat
process_name=%(program_name)s_%(process_num)d
numprocs=2
startsecs=0
[program:says]
command=/usr/bin/perl -e '$| = 1; sub w { syswrite(STDOUT, $_[0]); sleep 1 } sleep 1; w(qq(one\\n)); w(qq(h\\xc3\\xa4\\n)); w(qq(\\xff\\xfe\"\\n)); syswrite(STDERR, qq(loud\\n)); sleep 1000'
startsecs=0
stdout_events_enabled=true
stderr_events_enabled=true
[program:tells]
command=/usr/bin/perl -e 'my ($b, $e) = map { qq(<!--XSUPERVISOR:$_-->) } qw(BEGIN END); my $l = q(.) x 50; sleep 1; for my $f (*STDOUT, *STDERR) { syswrite($f, qq(${b}one$e$l)); sleep 1; syswrite($f, qq(x${b}h\\xc3)); sleep 1; syswrite($f, qq(\\xa4${e}y${b}\\xff${e}$l)) } sleep 1000'
startsecs=0
stdout_capture_maxbytes=100
stderr_capture_maxbytes=100
";

/// Asks by Python's `xmlrpc.client` over the unix socket.
const REMOTE: &str = "import sys, xmlrpc.client; from supervisor.xmlrpc import SupervisorTransport as T\n\
    s = xmlrpc.client.ServerProxy('http://127.0.0.1', T(None, None, 'unix://' + sys.argv[1])).supervisor\n\
    s.sendRemoteCommEvent('deploy', 'now')\ns.sendRemoteCommEvent('', 'h\\u00e4\\n')\n";

fn start(reference: &Path, is_theirs: bool) -> Sandbox {
    let sandbox = Sandbox::with_programs(PROGRAMS);
    sandbox.write("tell.pl", REPORT);
    let sandbox = match is_theirs {
        true => sandbox.run_by(&reference.join("supervisord"), "supervisord", &["-n"]),
        false => sandbox.run_by(&binary(), "sv", &["run"]),
    };
    sandbox.start()
}

fn act(sandbox: &mut Sandbox, reference: &Path) {
    let mut python = sandbox.marked(Command::new(reference.join("python")));
    python.arg("-c").arg(REMOTE).arg(sandbox.path("supervisor.sock")).stdin(Stdio::null());
    assert!(python.status().unwrap().success());
    sandbox.ctl(&["start", "waits"]);
    sandbox.ctl(&["stop", "waits"]);
    sandbox.ctl(&["restart", "cat"]);
    sandbox.ctl(&["stop", "stubborn"]);
    sandbox.ctl(&["stop", "pair:*"]);
    sandbox.ctl(&["remove", "pair"]);
    sandbox.ctl(&["add", "pair"]);
    for (name, state) in [
        ("quick", "FATAL"),
        ("missing", "FATAL"),
        ("failed", "EXITED"),
        ("again", "EXITED"),
        ("done", "EXITED"),
    ] {
        sandbox.wait_state(name, state);
    }
    sandbox.wait("all that is written", |it| {
        let counted = [("channel:stderr\nloud", 1), ("eventname:PROCESS_COMMUNICATION_STDERR", 3)];
        let reported = it.file("told");
        counted.iter().all(|(text, count)| reported.matches(text).count() == *count).then_some(())
    });
    sandbox.ctl(&["shutdown"]);
    sandbox.wait_exit();
}

/// The story of each process by its name; of what is none by the event's name. Each line is the header, but
/// for what is masked, and the payload.
fn stories(reported: &str) -> BTreeMap<String, Vec<String>> {
    let mut stories: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (number, event) in reported.split("\n--\n").filter(|event| !event.is_empty()).enumerate() {
        let (header, payload) = event.split_once('\n').unwrap();
        let numbers = format!(" serial:{number} pool:l poolserial:{number} ");
        assert!(header.contains(&numbers), "{numbers} in {header}");
        let name = header.split_once("eventname:").unwrap().1.split(' ').next().unwrap();
        let process = payload.strip_prefix("processname:").and_then(|rest| rest.split(' ').next());
        let (payload, digits) = without_pid(payload);
        let (start, length) = header
            .replace(&numbers, " ")
            .rsplit_once(" len:")
            .map(|(start, length)| (start.to_owned(), length.parse::<usize>().unwrap()))
            .unwrap();
        let line = format!("{start} len:{} {payload}", length - digits);
        stories.entry(process.unwrap_or(name).to_owned()).or_default().push(line);
    }
    stories
}

/// The payload without its process id, and how many digits that had.
fn without_pid(payload: &str) -> (String, usize) {
    let Some((before, rest)) = payload.split_once(" pid:") else { return (payload.to_owned(), 0) };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if &rest[..digits] == "0" {
        return (payload.to_owned(), 0);
    }
    (format!("{before} pid:N{}", &rest[digits..]), digits)
}

#[test]
fn every_event_matches_the_reference() {
    let Some(reference) = peers::reference() else { return };
    let report = |is_theirs| {
        let mut sandbox = start(&reference, is_theirs);
        act(&mut sandbox, &reference);
        stories(&sandbox.file("told"))
    };
    let report = &report;
    let [theirs, ours] = thread::scope(|scope| {
        [true, false]
            .map(|is_theirs| scope.spawn(move || report(is_theirs)))
            .map(|thread| thread.join().unwrap())
    });
    assert!(theirs.len() > 15 && theirs.values().map(Vec::len).sum::<usize>() > 60, "{theirs:#?}");
    for (name, story) in &theirs {
        let (alike, surplus) = ours[name].split_at(story.len().min(ours[name].len()));
        assert_eq!(alike, story, "{name}");
        // The reference may stop its listener before it has been notified of the last exits.
        let is_end = |line: &String| line.contains(":PROCESS_STATE_STOPP");
        assert!(surplus.iter().all(is_end) && surplus.len() <= 2, "{name}: {surplus:#?}");
    }
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
}
