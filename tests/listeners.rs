//! Event listeners and events, with real listeners: Perl that writes down each event, Python with
//! Supervisor's own `childutils`, superlance as it comes from its package, and some that misbehave.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use rustix::process::{Signal, kill_process};
use support::{REPORT, Sandbox, have, reference_bin, reference_under_test};

/// Writes down each event by Python's repr, in the body of Supervisor's own loop.
const PYTHON: &str = "
import sys
from supervisor import childutils
while True:
    headers, payload = childutils.listener.wait()
    with open(sys.argv[1], 'a') as told:
        told.write('%s %r\\n' % (headers['eventname'], payload))
    childutils.listener.ok()
";

fn sandbox(programs: &str) -> Sandbox {
    let sandbox = Sandbox::with_programs(programs);
    sandbox.write("tell.pl", REPORT);
    sandbox
}

/// A pool with one listener that writes its events to `<name>.told`.
fn teller(name: &str, events: &str, lines: &str) -> String {
    format!(
        "[eventlistener:{name}]\ncommand=/usr/bin/perl %(here)s/tell.pl %(here)s/{name}.told\nstartsecs=0\n\
         events={events}\nbuffer_size=1000\n{lines}\n"
    )
}

/// Header lines and payloads.
fn reported(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(&fs::read(sandbox.path(&format!("{name}.told"))).unwrap_or_default())
        .into_owned();
    text.split("\n--\n").filter(|event| !event.is_empty()).map(str::to_owned).collect()
}

fn without_header(event: &str) -> &str {
    event.split_once('\n').map_or("", |(_, payload)| payload)
}

/// Asks by Python's `xmlrpc.client` over the unix socket.
fn call(sandbox: &Sandbox, expression: &str) {
    let Some(folder) = reference_bin() else { return };
    let script = format!(
        "import xmlrpc.client; from supervisor.xmlrpc import SupervisorTransport as T\n\
         s = xmlrpc.client.ServerProxy('http://127.0.0.1', T(None, None, 'unix://{}')).supervisor\n{expression}\n",
        sandbox.path("supervisor.sock").display()
    );
    let mut command = sandbox.marked(Command::new(folder.join("python")));
    let output = command.arg("-c").arg(script).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_listener_gets_every_event_byte_for_byte() {
    let mut sandbox = sandbox(&format!(
        "{}[program:web]\ncommand=sh -c 'sleep 0.2; exit 3'\nstartsecs=0\nautorestart=false\n",
        teller("all", "PROCESS_STATE,PROCESS_GROUP,SUPERVISOR_STATE_CHANGE", "")
    ))
    .start();
    sandbox.wait_file("all.told", "eventname:PROCESS_STATE_EXITED");
    let pids: Vec<_> = ["all", "web"]
        .iter()
        .map(|name| {
            let log = sandbox.log();
            let spawned = format!("spawned: '{name}' with pid ");
            log.split_once(&spawned).unwrap().1.lines().next().unwrap().to_owned()
        })
        .collect();
    let state = |name: &str, rest: &str| format!("processname:{name} groupname:{name} from_state:{rest}");
    let expected = [
        ("PROCESS_GROUP_ADDED", "groupname:all\n".to_owned()),
        ("PROCESS_GROUP_ADDED", "groupname:web\n".to_owned()),
        ("SUPERVISOR_STATE_CHANGE_RUNNING", String::new()),
        ("PROCESS_STATE_STARTING", state("all", "STOPPED tries:0")),
        ("PROCESS_STATE_STARTING", state("web", "STOPPED tries:0")),
        ("PROCESS_STATE_RUNNING", state("all", &format!("STARTING pid:{}", pids[0]))),
        ("PROCESS_STATE_RUNNING", state("web", &format!("STARTING pid:{}", pids[1]))),
        ("PROCESS_STATE_EXITED", state("web", &format!("RUNNING expected:0 pid:{}", pids[1]))),
    ];
    let events: Vec<_> =
        reported(&sandbox, "all").into_iter().filter(|event| !event.contains(":TICK_")).collect();
    for (serial, ((name, payload), event)) in expected.iter().zip(&events).enumerate() {
        let header = format!(
            "ver:3.0 server:supervisor serial:{serial} pool:all poolserial:{serial} eventname:{name} len:{}\n",
            payload.len()
        );
        assert_eq!(*event, format!("{header}{payload}"));
    }
    assert_eq!(events.len(), expected.len(), "{events:#?}");
}

#[test]
fn supervisors_own_childutils_get_ticks_states_and_messages_of_clients() {
    let folder = reference_bin();
    if !have("the reference", folder.is_some()) {
        return;
    }
    let python = folder.unwrap().join("python");
    let sandbox = sandbox(&format!(
        "[eventlistener:python]\ncommand={} %(here)s/listen.py %(here)s/told\n\
         events=TICK_5,REMOTE_COMMUNICATION,PROCESS_STATE_STOPPED\n[program:cat]\ncommand=cat\nstartsecs=0\n",
        python.display()
    ));
    sandbox.write("listen.py", PYTHON);
    let mut sandbox = sandbox.start();
    call(&sandbox, "assert s.sendRemoteCommEvent('deploy', 'h\\u00e4\\nsecond') is True");
    let cat = sandbox.pid("cat").unwrap().as_raw_nonzero();
    sandbox.ctl(&["stop", "cat"]);
    sandbox.wait_file("told", "REMOTE_COMMUNICATION 'type:deploy\\nh\u{e4}\\nsecond'\n");
    let stopped =
        format!("PROCESS_STATE_STOPPED 'processname:cat groupname:cat from_state:STOPPING pid:{cat}'\n");
    sandbox.wait_file("told", &stopped);
    let when = sandbox.wait("a tick", |sandbox| {
        let text = sandbox.file("told");
        let when = text.split_once("TICK_5 'when:")?.1.split_once('\'')?.0;
        Some(when.parse::<u64>().unwrap())
    });
    assert_eq!(when % 5, 0);
}

#[test]
fn an_event_outlives_the_listener_that_dies_of_it() {
    const FRAGILE: &str = "open(my $file, '>>', $ARGV[0]); $| = 1; print qq(READY\\n); my $header = <STDIN>; \
        print $file $header; close($file); sleep 1000";
    let sandbox = sandbox(
        "[eventlistener:fragile]\ncommand=/usr/bin/perl %(here)s/fragile.pl %(here)s/told\nstartsecs=0\n\
         autorestart=true\nevents=PROCESS_STATE_STOPPED\n[program:cat]\ncommand=cat\nstartsecs=0\n",
    );
    sandbox.write("fragile.pl", FRAGILE);
    let mut sandbox = sandbox.start();
    sandbox.ctl(&["stop", "cat"]);
    for deaths in 1..=2 {
        sandbox.wait("the event", |it| (it.file("told").lines().count() == deaths).then_some(()));
        let pid = sandbox.pid("fragile").unwrap();
        kill_process(pid, Signal::KILL).unwrap();
    }
    sandbox.wait("the event again", |it| (it.file("told").lines().count() == 3).then_some(()));
    let reported = sandbox.file("told");
    let lines: Vec<_> = reported.lines().collect();
    assert!(
        lines[0].contains("serial:0 pool:fragile poolserial:0") && lines.iter().all(|it| *it == lines[0])
    );
}

#[test]
fn a_listener_may_end_after_each_event() {
    let mut sandbox = sandbox(
        "[eventlistener:once]\ncommand=sh -c 'echo READY; read line; echo \"$line\" >> %(here)s/told; \
         printf \"RESULT 2\\nOK\"'\nautorestart=true\nstartsecs=0\nevents=PROCESS_GROUP_ADDED\n\
         [program:one]\ncommand=cat\n[program:two]\ncommand=cat\n",
    )
    .start();
    sandbox.wait("three events", |it| (it.file("told").lines().count() == 3).then_some(()));
    let reported = sandbox.file("told");
    let numbers: Vec<_> = reported.lines().map(|line| line.split(' ').nth(2).unwrap()).collect();
    assert_eq!(numbers, ["serial:0", "serial:1", "serial:2"]);
}

#[test]
fn misbehaving_listeners_do_no_harm() {
    let bad = [
        ("rubbish", "exec yes rubbish"),
        ("half", "printf REA; exec sleep 1000"),
        ("silent", "exec sleep 1000"),
        ("endless", "printf \"READY\\nRESULT 100000000\\n\"; exec yes"),
        ("spurious", "printf \"READY\\nREADY\\n\"; exec sleep 1000"),
        ("old", "echo READY; read l; printf \"RESULT 2\\nOK\\nREADY\\n\"; exec sleep 1000"),
        ("wrong", "echo READY; read l; echo RESULT many; exec sleep 1000"),
        ("long", "echo READY; read l; exec head -c 1000000 /dev/zero"),
        ("busy", "echo READY; read l; echo RESULT 99999999; exec yes"),
        ("deaf", "exec 0<&-; echo READY; exec sleep 1000"),
    ];
    let sections: String = bad
        .iter()
        .map(|(name, script)| {
            format!(
                "[eventlistener:{name}]\ncommand=sh -c '{script}'\nevents=EVENT\nstartsecs=0\nstdout_logfile=NONE\n"
            )
        })
        .collect();
    let good = teller("good", "PROCESS_STATE_STOPPED", "");
    let programs = format!("{sections}{good}[program:cat]\ncommand=cat\nstartsecs=0\n");
    let mut sandbox = sandbox(&programs).start();
    for name in ["rubbish", "spurious", "old", "wrong", "long"] {
        let unknown = format!(
            "WARN {name}: has entered the UNKNOWN state and will no longer receive events, this usually \
             indicates the process violated the eventlistener protocol\n"
        );
        sandbox.wait_log(&unknown);
    }
    sandbox.wait_log("WARN wrong: bad result line: 'RESULT many'\n");
    for round in 1..=20 {
        assert_eq!(sandbox.ctl(&["stop", "cat"]).code, Some(0));
        assert_eq!(sandbox.ctl(&["start", "cat"]).code, Some(0));
        sandbox.wait("an event", |it| {
            let stopped = reported(it, "good");
            let stopped = stopped.iter().filter(|event| event.contains("processname:cat "));
            (stopped.count() == round).then_some(())
        });
    }
    for name in ["half", "silent", "busy", "deaf", "rubbish"] {
        assert_eq!(sandbox.state(name).as_deref(), Some("RUNNING"), "{name} is left alone");
    }
    assert!(sandbox.log().contains("ERRO pool silent event buffer overflowed, discarding event "));
}

#[test]
fn one_that_answers_without_reading_is_given_up() {
    let mut sandbox = sandbox(
        "[eventlistener:liar]\ncommand=sh -c 'echo READY; while printf \"RESULT 2\\nOKREADY\\n\"; do \
         sleep 0.01; done'\nevents=REMOTE_COMMUNICATION\nstartsecs=0\n",
    )
    .start();
    if !have("the reference", reference_bin().is_some()) {
        return;
    }
    call(
        &sandbox,
        "import time\nfor n in range(30): s.sendRemoteCommEvent('x', 'y' * 100000); time.sleep(.05)",
    );
    let ended = ["liar: does not read the events that it is sent", "liar: has entered the UNKNOWN state"];
    sandbox.wait("it to be given up", |it| ended.iter().any(|end| it.log().contains(end)).then_some(()));
}

#[test]
fn a_large_event_is_written_as_its_reader_reads() {
    let program = "[program:big]\nautorestart=false\nstartsecs=0\nstdout_capture_maxbytes=2MB\ncommand=/usr/bin/perl -e 'print \
        qq(<!--XSUPERVISOR:BEGIN-->) . (qq(0123456789) x 100000) . qq(<!--XSUPERVISOR:END-->)'\n";
    let mut sandbox = sandbox(&format!("{}{program}", teller("l", "PROCESS_COMMUNICATION", ""))).start();
    let event =
        sandbox.wait("the event", |it| reported(it, "l").pop().filter(|event| event.len() > 1_000_000));
    let (head, data) = without_header(&event).split_once('\n').unwrap();
    assert!(head.starts_with("processname:big groupname:big pid:"), "{head}");
    assert_eq!(data.len(), 1_000_000);
    assert!(data.as_bytes().chunks(10).all(|chunk| chunk == b"0123456789"));
}

#[test]
fn output_between_the_tags_is_an_event_and_not_logged() {
    const WRITES: &str = "$| = 1; for (split(//, qq(a<!--XSUPERVISOR:BEGIN-->0123456789<!--XSUPERVISOR:END-->b<!--X))) \
        { print; select(undef, undef, undef, 0.002) } print STDERR qq(<!--XSUPERVISOR:BEGIN-->oops);";
    let sandbox = sandbox(&format!(
        "{}[program:x]\ncommand=/usr/bin/perl %(here)s/x.pl\nautorestart=false\nstartsecs=0\n\
         stdout_logfile=%(here)s/x.log\nstdout_capture_maxbytes=8\nstdout_events_enabled=true\n\
         stderr_logfile=%(here)s/x.err\nstderr_capture_maxbytes=8\n",
        teller("l", "PROCESS_COMMUNICATION,PROCESS_LOG", "stderr_capture_maxbytes=8")
    ));
    sandbox.replace("supervisord.conf", "[supervisord]\n", "[supervisord]\nloglevel=debug\n");
    sandbox.write("x.pl", WRITES);
    let mut sandbox = sandbox.start();
    sandbox.wait_log("exited: x");
    assert_eq!((sandbox.file("x.log").as_str(), sandbox.file("x.err").as_str()), ("ab<!--X", ""));
    assert!(sandbox.log().contains("DEBG 'x' stdout emitted a comm event\n"), "{}", sandbox.log());
    sandbox.wait("all events", |it| {
        let events = reported(it, "l");
        let texts: Vec<_> =
            events.iter().map(|it| without_header(it).split_once('\n').unwrap().1.to_owned()).collect();
        let messages: Vec<_> = events
            .iter()
            .zip(&texts)
            .filter(|(event, _)| event.contains(":PROCESS_COMMUNICATION_STDOUT"))
            .collect();
        let log: String = events
            .iter()
            .zip(&texts)
            .filter(|(event, _)| event.contains(":PROCESS_LOG_STDOUT"))
            .map(|it| it.1.as_str())
            .collect();
        (messages.len() == 1 && messages[0].1 == "23456789" && log == "ab<!--X").then_some(())
    });
}

#[test]
fn lengths_count_characters_or_bytes_as_a_pool_asks() {
    let characters = teller("chars", "PROCESS_LOG", "").replace("chars.told", "chars.told text");
    let bytes = teller("bytes", "PROCESS_LOG", "event_length=bytes");
    let program = "[program:x]\ncommand=/usr/bin/perl -e '$| = 1; print qq(h\\xc3\\xa4!); sleep 1; print \
        qq(\\xff.)'\nautorestart=false\nstartsecs=0\nstdout_events_enabled=true\n";
    let mut sandbox = sandbox(&format!("{characters}{bytes}{program}")).start();
    for name in ["chars", "bytes"] {
        sandbox.wait("two events", |it| (reported(it, name).len() == 2).then_some(()));
    }
    let texts = |name: &str| -> Vec<String> {
        let text = fs::read(sandbox.path(&format!("{name}.told"))).unwrap();
        let text = text.escape_ascii().to_string();
        text.split("\\n--\\n")
            .filter_map(|it| Some(it.rsplit_once("channel:stdout\\n")?.1.to_owned()))
            .collect()
    };
    assert_eq!(texts("chars"), ["h\\xc3\\xa4!", "Undecodable: b\\'\\\\xff.\\'"]);
    assert_eq!(texts("bytes"), ["h\\xc3\\xa4!", "\\xff."]);
}

#[test]
fn output_of_a_listener_is_logged_and_shown_unchanged() {
    let sandbox = sandbox(&teller("l", "PROCESS_GROUP", "stdout_logfile=%(here)s/l.out"));
    sandbox.replace("supervisord.conf", "[supervisord]\n", "[supervisord]\nloglevel=debug\n");
    let mut sandbox = sandbox.start();
    sandbox.wait_log("DEBG l: BUSY -> ACKNOWLEDGED\n");
    sandbox.wait_file("l.out", "READY\nRESULT 2\nOKREADY\n");
    let log = sandbox.log();
    for line in [
        "DEBG 'l' stdout output:\nb'READY\\n'\n",
        "DEBG l: ACKNOWLEDGED -> READY\n",
        "DEBG event 0 sent to listener l\n",
        "DEBG l: event was processed\n",
    ] {
        assert!(log.contains(line), "{line:?}\n{log}");
    }
}

#[test]
fn a_format_applies_to_output_and_not_to_events_or_listeners() {
    let sandbox = sandbox(&format!(
        "{}[program:x]\ncommand=printf 'one<!--XSUPERVISOR:BEGIN-->mail<!--XSUPERVISOR:END--> more\\nlast'\n\
         autorestart=false\nstartsecs=0\nstdout_logfile=/dev/stdout\nstdout_capture_maxbytes=8\n\
         stdout_events_enabled=true\n",
        teller("l", "PROCESS_COMMUNICATION,PROCESS_LOG", "stdout_logfile=%(here)s/l.out")
    ));
    sandbox.replace("supervisord.conf", "[supervisord]\n", "[supervisord]\nsilent=true\nlog_format=prefix\n");
    let mut sandbox = sandbox.start();
    sandbox.wait_terminal("x | last\n");
    assert!(sandbox.terminal().contains("x | one more\n"), "{}", sandbox.terminal());
    assert_eq!(sandbox.ctl(&["tail", "x"]).stdout, "one more\nlast\n");
    let events = ["one", "mail", " more\nlast"];
    sandbox.wait("all events", |it| (reported(it, "l").len() == events.len()).then_some(()));
    for (event, text) in reported(&sandbox, "l").iter().zip(events) {
        assert_eq!(without_header(event).split_once('\n').unwrap().1, text);
    }
    sandbox.wait_file("l.out", "READY\nRESULT 2\nOKREADY\n");
}

#[test]
fn standard_error_of_a_listener_is_as_any_other() {
    let tagged = "<!--XSUPERVISOR:BEGIN-->me<!--XSUPERVISOR:END-->";
    let mut sandbox = sandbox(&format!(
        "{}[eventlistener:loud]\ncommand=sh -c 'printf \"a{tagged}b\" >&2; printf \"{tagged}\"; exec sleep 1000'\n\
         events=TICK_3600\nstartsecs=0\nstderr_capture_maxbytes=10\nstderr_events_enabled=true\n\
         stdout_capture_maxbytes=10\nstdout_logfile=%(here)s/loud.out\nstderr_logfile=%(here)s/loud.err\n",
        teller("l", "PROCESS_COMMUNICATION,PROCESS_LOG", "")
    ))
    .start();
    sandbox.wait("three events", |it| (reported(it, "l").len() == 3).then_some(()));
    let texts: Vec<_> =
        reported(&sandbox, "l").iter().map(|it| it.rsplit_once('\n').unwrap().1.to_owned()).collect();
    assert_eq!(texts, ["a", "me", "b"]);
    sandbox.wait_file("loud.out", tagged);
    assert_eq!(sandbox.file("loud.err"), "ab");
}

#[test]
fn the_listener_of_supervisor_stdout_has_lines_go_to_standard_output() {
    // As supervisor_stdout does it: the payload is the answer.
    const ECHO: &str = "$| = 1; while (1) { print qq(READY\\n); my $h = <STDIN>; exit unless defined $h; \
        my ($n) = $h =~ / len:(\\d+)$/; read(STDIN, my $p, $n); print qq(RESULT $n\\n$p) }";
    let sandbox = sandbox(
        "[eventlistener:out]\ncommand=/usr/bin/perl %(here)s/echo.pl\nevents=PROCESS_LOG\nstartsecs=0\n\
         result_handler=supervisor_stdout:event_handler\nbuffer_size=100\n\
         [program:web]\ncommand=sh -c 'echo one; echo two >&2; exec cat'\nstartsecs=0\n\
         stdout_events_enabled=true\nstderr_events_enabled=true\n",
    );
    sandbox.write("echo.pl", ECHO);
    let mut sandbox = sandbox.start();
    sandbox.wait_terminal("web stdout | one\n");
    sandbox.wait_terminal("web stderr | two\n");
}

/// The same where that package is not installed: its listener is built in too.
#[test]
fn ours_prints_output_without_the_python_package_that_a_listener_names() {
    if reference_under_test().is_some() {
        return;
    }
    let sandbox = sandbox(
        "[eventlistener:out]\ncommand=supervisor_stdout\nevents=PROCESS_LOG\n\
         result_handler=supervisor_stdout:event_handler\nbuffer_size=100\n\
         [eventlistener:colors]\ncommand=/no/python -m supervisor_stdlog\nevents=PROCESS_LOG_STDERR\n\
         result_handler=supervisor_stdlog:log_handler\nbuffer_size=100\n\
         [program:web]\ncommand=sh -c 'echo one; echo z\u{f6}\u{20ac} >&2; echo three; exec cat'\nstartsecs=0\n\
         stdout_events_enabled=true\nstderr_events_enabled=true\n",
    );
    let mut sandbox = sandbox.start();
    sandbox.wait_terminal("web stdout | one\n");
    sandbox.wait_terminal("web stderr | z\u{f6}\u{20ac}\n");
    sandbox.wait_terminal("three\n");
    sandbox.wait_terminal("\u{1b}[36mweb | \u{1b}[31mz\u{f6}\u{20ac}\u{1b}[m\n");
    sandbox.wait_state("out", "RUNNING");
    let lines = sandbox.log().matches("[eventlistener:out] is built in: what supervisor_stdout does").count();
    assert_eq!(lines, 1, "{}", sandbox.log());
    // It ends like any other.
    assert_eq!(sandbox.ctl(&["stop", "out"]).stdout, "out: stopped\n");
}

/// superlance in an environment of its own: `SV_SUPERLANCE_BIN`, or where `make setup` puts it.
fn superlance() -> Option<PathBuf> {
    let folder = std::env::var_os("SV_SUPERLANCE_BIN")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/superlance/bin"), PathBuf::from);
    let there = folder.join("crashmail").exists();
    have("superlance", there).then_some(folder)
}

#[test]
fn superlances_crashmail_and_batches_of_fatal_processes_are_mailed() {
    let Some(folder) = superlance() else { return };
    let folder = folder.display();
    let mail = "-s \"sh -c \\'cat >> %(here)s/mail\\'\"".replace("\\'", "'");
    let mut sandbox = sandbox(&format!(
        "[eventlistener:crashmail]\ncommand={folder}/crashmail -a -m me@there {mail}\n\
         events=PROCESS_STATE_EXITED\n\
         [eventlistener:fatal]\ncommand={folder}/fatalmailbatch --toEmail=me@there --fromEmail=us@here \
         --interval=0.01 --smtpHost=127.0.0.1 --tickEvent=TICK_5\nevents=PROCESS_STATE,TICK_5\n\
         [program:crash]\ncommand=sh -c 'sleep 0.3; exit 3'\nstartsecs=0\nautorestart=false\n\
         [program:fatal-one]\ncommand=/there/is/none\nstartretries=0\n"
    ))
    .start();
    sandbox.wait_file("mail", "crash");
    let mail = sandbox.file("mail");
    assert!(mail.contains("To: me@there\n") && mail.contains("Subject:  crash crashed at "), "{mail}");
    assert!(mail.contains("Process crash in group crash exited unexpectedly (pid "), "{mail}");
    sandbox.wait("the batch to be tried", |it| {
        let reported = it.ctl(&["tail", "-5000", "fatal", "stderr"]).stdout;
        let (_, mail) = reported.split_once("Sending notification email:\nTo: me@there\n")?;
        mail.contains("fatal-one").then_some(())
    });
}

/// A mail host that takes every mail, and the mails that it was given.
fn mail_host() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mails = Arc::<Mutex<Vec<String>>>::default();
    let taken = Arc::clone(&mails);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let taken = Arc::clone(&taken);
            thread::spawn(move || take_mail(&stream.unwrap(), &taken));
        }
    });
    (address, mails)
}

/// SMTP as RFC 5321 has it, for one client.
fn take_mail(mut stream: &TcpStream, mails: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    stream.write_all(b"220 here\r\n")?;
    while let Some(line) = lines.next().transpose()? {
        match line.split([' ', ':']).next() {
            Some("data") => {
                stream.write_all(b"354 go on\r\n")?;
                let text: Result<Vec<String>, _> = lines
                    .by_ref()
                    .take_while(|line| line.as_ref().map_or(true, |line| line != "."))
                    .collect();
                mails.lock().unwrap().push(text?.join("\n"));
                stream.write_all(b"250 taken\r\n")?;
            }
            Some("quit") => return stream.write_all(b"221 bye\r\n"),
            _ => stream.write_all(b"250 yes\r\n")?,
        }
    }
    Ok(())
}

#[test]
fn superlances_batches_of_crashes_are_mailed_to_a_mail_host() {
    let Some(folder) = superlance() else { return };
    let (host, mails) = mail_host();
    let listener = |name: &str, events: &str, more: &str| {
        format!(
            "[eventlistener:{name}]\ncommand={}/{name} --toEmail=me@there,you@there --fromEmail=us@here \
             --interval=0.01 --smtpHost={host} --tickEvent=TICK_5{more}\nevents={events},TICK_5\nbuffer_size=100\n",
            folder.display()
        )
    };
    let mut sandbox = sandbox(&format!(
        "{}{}{}\
         [program:crash]\ncommand=sh -c 'sleep 0.3; exit 3'\nstartsecs=0\nautorestart=false\n\
         [program:fine]\ncommand=sh -c 'sleep 0.3; exit 0'\nstartsecs=0\nautorestart=false\n\
         [program:none]\ncommand=/there/is/none\nstartretries=0\n",
        listener("crashmailbatch", "PROCESS_STATE", ""),
        listener("crashsms", "PROCESS_STATE_EXITED", " --subject=Look"),
        listener("fatalmailbatch", "PROCESS_STATE_FATAL", ""),
    ))
    .start();
    sandbox.wait("three mails", |_| (mails.lock().unwrap().len() >= 3).then_some(()));
    let pid =
        sandbox.log().split_once("spawned: 'crash' with pid ").unwrap().1.lines().next().unwrap().to_owned();
    let mails = mails.lock().unwrap();
    for (subject, body) in [
        ("Crash alert from supervisord", format!(" -- Process crash:crash (pid {pid}) died unexpectedly")),
        ("Look", format!("[crash:crash]({pid}) exited unexpectedly ")),
        (
            "Fatal start alert from supervisord",
            " -- Process none:none failed to start too many times".to_owned(),
        ),
    ] {
        let mail = mails.iter().find(|mail| mail.contains(&format!("Subject: {subject}\n")));
        let mail = mail.unwrap_or_else(|| panic!("{subject} is not in {mails:#?}"));
        assert!(mail.contains("From: us@here\nTo: me@there, you@there\n") && mail.contains(&body), "{mail}");
        assert!(!mail.contains("fine"), "{mail}");
    }
}

#[test]
fn superlances_memmon_restarts_grown_programs_from_inside_an_event() {
    let Some(folder) = superlance() else { return };
    let mut sandbox = sandbox(&format!(
        "[eventlistener:memmon]\ncommand={}/memmon -p hog=1MB\nevents=TICK_5\nstartsecs=0\n\
         [program:hog]\ncommand=/usr/bin/perl -e '$x = q(x) x 20_000_000; sleep 1000'\nstartsecs=0\n",
        folder.display()
    ))
    .start();
    let first = sandbox.pid("hog");
    assert!(first.is_some());
    sandbox.wait("another hog", |it| it.pid("hog").filter(|pid| Some(*pid) != first));
}

#[test]
fn superlances_httpok_restarts_unresponsive_programs_with_the_password_in_its_environment() {
    let Some(folder) = superlance() else { return };
    let secret = "username=me\npassword=secret\n";
    let sandbox = sandbox(&format!(
        "[eventlistener:httpok]\ncommand={}/httpok -p web -t 1 http://127.0.0.1:{}/\nevents=TICK_5\nstartsecs=0\n\
         environment=SUPERVISOR_USERNAME=me,SUPERVISOR_PASSWORD=secret\n\
         [program:web]\ncommand=sleep 1000\nstartsecs=0\n",
        folder.display(),
        support::free_port()
    ));
    for line in ["file=%(here)s/supervisor.sock\n", "serverurl=unix://%(here)s/supervisor.sock\n"] {
        sandbox.replace("supervisord.conf", line, &format!("{line}{secret}"));
    }
    let mut sandbox = sandbox.start();
    let first = sandbox.pid("web");
    assert!(first.is_some());
    sandbox.wait("another server", |it| it.pid("web").filter(|pid| Some(*pid) != first));
}

#[test]
fn a_listener_that_refuses_everything_costs_little() {
    let sandbox = sandbox(
        "[eventlistener:no]\ncommand=/usr/bin/perl %(here)s/no.pl\nevents=PROCESS_STATE_EXITED\nstdout_logfile=NONE\n\
         [program:job]\ncommand=true\nstartsecs=0\nautorestart=false\n",
    );
    sandbox.write(
        "no.pl",
        r#"
$| = 1;
while (1) {
    print "READY\n";
    my $header = <STDIN>;
    exit unless defined $header;
    my ($length) = $header =~ / len:(\d+)$/;
    read(STDIN, my $payload, $length);
    open(my $file, '>>', 'refused') or die;
    print $file $header;
    close($file);
    print "RESULT 4\nFAIL";
}
"#,
    );
    let mut sandbox = sandbox.start();
    sandbox.wait_log("WARN pool no: 10 events were rejected in a row, the next is sent in 5 seconds\n");
    assert!(sandbox.file("refused").lines().count() <= 11, "{}", sandbox.file("refused"));
    assert_eq!(sandbox.log().matches("no: event was rejected\n").count(), 1, "{}", sandbox.log());
}

#[test]
fn a_listener_that_is_too_slow_has_one_line_a_second() {
    let mut sandbox = sandbox(
        "[eventlistener:slow]\ncommand=sh -c 'echo READY; exec sleep 100000'\nevents=PROCESS_LOG\nstartsecs=0\n\
         [program:flood]\ncommand=sh -c 'while :; do echo line; sleep 0.005; done'\nstdout_events_enabled=true\n\
         startsecs=0\n",
    )
    .start();
    let since = Instant::now();
    sandbox.wait_log(" more\n");
    let (log, seconds) = (sandbox.log(), since.elapsed().as_secs());
    let lines = log.matches("event buffer overflowed").count() as u64;
    // One more for the first, and one for the second that began before the clock was read.
    assert!(lines <= seconds + 2, "{lines} in {seconds} seconds\n{log}");
}

#[test]
fn a_listener_that_has_broken_the_protocol_is_not_healthy() {
    let mut sandbox = Sandbox::with_programs(
        "[eventlistener:chatty]\ncommand=sh -c 'echo hello; exec sleep 1000'\nevents=TICK_3600\nstartsecs=0\n\
         [eventlistener:fine]\ncommand=sh -c 'echo READY; exec sleep 1000'\nevents=TICK_3600\nstartsecs=0\n",
    )
    .start();
    sandbox.wait_log("chatty: has entered the UNKNOWN state");
    sandbox.wait_state("chatty", "RUNNING");
    sandbox.wait_state("fine", "RUNNING");
    let answer = sandbox.ctl(&["health"]);
    assert_eq!(answer.code, Some(1));
    let text = "not healthy: chatty is RUNNING, but has broken the protocol of listeners and is sent no events: restart it\n";
    assert_eq!(answer.stdout, text);
    assert_eq!(sandbox.ctl(&["health", "fine"]).stdout, "healthy\n");
}
