//! Calls to the real binary that take more than a question and an answer: several in one, some that wait
//! for processes, some during a shutdown.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::Sandbox;
use support::wire::{Peer, call, cpu_ticks, raw};
use sv::xmlrpc::Value;

const CAT: &str = "[program:cat]\ncommand=/bin/cat\nstartsecs=0\n";

/// Takes an hour to count as started.
const SLOW: &str = "[program:slow]\ncommand=/bin/cat\nautostart=false\nstartsecs=3600\n";

/// Takes a second to count as started.
const SOON: &str = "[program:soon]\ncommand=/bin/cat\nautostart=false\nstartsecs=1\n";

/// Does not stop when asked to, and then is killed after a second.
const STUBBORN: &str = "[program:stubborn]\n\
    command=/bin/sh -c 'trap \"\" TERM; echo > %(here)s/trapped; while :; do sleep 1; done'\n\
    stopwaitsecs=1\nstopasgroup=true\nkillasgroup=true\n";

fn one_of(method: &str, params: &[Value]) -> Value {
    Value::members([
        ("methodName", format!("supervisor.{method}").into()),
        ("params", Value::Array(params.to_vec())),
    ])
}

fn many(calls: &[(&str, &[Value])]) -> Vec<Value> {
    vec![Value::Array(calls.iter().map(|(method, params)| one_of(method, params)).collect())]
}

fn fault(code: i32, text: &str) -> Value {
    Value::members([("faultCode", code.into()), ("faultString", text.into())])
}

fn state(info: &Value) -> &str {
    info.get("statename").and_then(Value::as_str).unwrap()
}

#[test]
fn each_call_of_a_multicall_waits_for_the_one_before() {
    let mut sandbox = Sandbox::with_programs(&format!("{CAT}{SOON}")).start();
    sandbox.wait_state("cat", "RUNNING");
    let soon = || Value::from("soon");
    let calls = many(&[
        ("startProcess", &[soon(), false.into()]),
        ("getProcessInfo", &[soon()]),
        ("stopProcess", &[soon()]),
        ("startProcess", &[soon()]),
        ("getProcessInfo", &[soon()]),
        ("startProcess", &[soon()]),
        ("stopProcess", &["cat".into()]),
        ("getProcessInfo", &["cat".into()]),
        ("stopProcessGroup", &["soon".into()]),
        ("nope", &[]),
        ("getPID", &[]),
    ]);
    let results = Peer::unix(&sandbox).call("system.multicall", &calls).unwrap();
    let results = results.as_array().unwrap();
    assert_eq!(
        [state(&results[1]), state(&results[4]), state(&results[7])],
        ["STARTING", "RUNNING", "STOPPED"]
    );
    assert_eq!(results[5], fault(60, "ALREADY_STARTED: soon"));
    let row = &results[8].as_array().unwrap()[0];
    assert_eq!(row.get("description").and_then(Value::as_str), Some("OK"));
    assert_eq!(results[9], fault(1, "UNKNOWN_METHOD"));
    assert_eq!(results[10], raw(sandbox.supervisor_pid()).into());
    for done in [0, 2, 3, 6] {
        assert_eq!(results[done], true.into(), "{done}");
    }
}

#[test]
fn a_group_gets_its_stop_signal_from_the_first_moment() {
    let sandbox = Sandbox::with_programs(
        "[program:web]\ncommand=sleep 1000\nautostart=false\nstopasgroup=true\nstopwaitsecs=1\n",
    )
    .start();
    let (start, stop) = (["web".into(), false.into()], ["web".into(), true.into()]);
    let calls: Vec<_> =
        (0..30).flat_map(|_| [("startProcess", &start[..]), ("stopProcess", &stop[..])]).collect();
    let results = Peer::unix(&sandbox).call("system.multicall", &many(&calls)).unwrap();
    assert_eq!(results, Value::Array(vec![true.into(); 60]), "{}", sandbox.log());
    assert!(!sandbox.log().contains("SIGKILL"), "the signal met no group: {}", sandbox.log());
}

#[test]
fn a_multicall_that_waits_holds_up_its_own_connection_only() {
    let mut sandbox = Sandbox::with_programs(&format!("{CAT}{SLOW}")).start();
    let pid = || Value::from(raw(sandbox.supervisor_pid()));
    let expected = pid();
    let mut waiting = Peer::unix(&sandbox);
    let calls = many(&[("startProcess", &["slow".into()]), ("getPID", &[])]);
    // What it asks next is answered after that.
    waiting.send([call("system.multicall", &calls), call("supervisor.getPID", &[])].concat());
    sandbox.wait_state("slow", "STARTING");
    // The rest of a multicall is not done if its connection is closed before.
    let calls = many(&[("startProcess", &["slow".into()]), ("startProcess", &["slow".into()])]);
    Peer::unix(&sandbox).send(call("system.multicall", &calls));
    let mut other = Peer::unix(&sandbox);
    for _ in 0..100 {
        assert_eq!(other.call("supervisor.getPID", &[]), Ok(expected.clone()));
    }
    assert_eq!(other.call("supervisor.stopProcess", &["slow".into()]), Ok(true.into()));
    let results = Value::Array(vec![fault(40, "ABNORMAL_TERMINATION: slow"), expected.clone()]);
    assert_eq!(waiting.answer().value(), Ok(results));
    assert_eq!(waiting.answer().value(), Ok(expected));
}

#[test]
fn a_long_multicall_does_not_delay_other_clients() {
    let sandbox = Sandbox::with_programs(&format!("{CAT}{SLOW}")).start();
    let mut long = Peer::unix(&sandbox);
    let calls: Vec<(&str, &[Value])> = vec![("getAllConfigInfo", &[]); 4000];
    long.send(call("system.multicall", &many(&calls)));
    let mut other = Peer::unix(&sandbox);
    for _ in 0..10 {
        assert!(other.call("supervisor.getPID", &[]).is_ok());
    }
    assert!(long.ahead.is_empty());
    let results = long.answer().value().unwrap();
    let results = results.as_array().unwrap();
    assert_eq!(results.len(), 4000);
    // There is a bound on what one answer may hold; what is beyond it is refused, not left out.
    let refused = results.iter().filter(|result| result.get("faultCode") == Some(&30.into())).count();
    assert!((1..4000).contains(&refused), "{refused}");
}

#[test]
fn a_multicall_that_ends_the_supervisor_is_answered_to_its_end() {
    for programs in ["", CAT] {
        let mut sandbox = Sandbox::with_programs(programs).start();
        let calls = many(&[("getPID", &[]), ("shutdown", &[]), ("getPID", &[]), ("getVersion", &[])]);
        let results = Peer::unix(&sandbox).call("system.multicall", &calls).unwrap();
        let stopping = || fault(6, "SHUTDOWN_STATE");
        let pid = raw(sandbox.supervisor_pid()).into();
        assert_eq!(results, Value::Array(vec![pid, true.into(), stopping(), stopping()]));
        assert!(sandbox.wait_exit().success());
    }
}

#[test]
fn calls_that_wait_are_answered_when_the_supervisor_ends_or_restarts() {
    for method in ["supervisor.shutdown", "supervisor.restart"] {
        let other = SLOW.replace("slow", "other");
        let mut sandbox = Sandbox::with_programs(&format!("{SLOW}{other}")).start();
        let mut waiting: Vec<Peer> = (0..2).map(|_| Peer::unix(&sandbox)).collect();
        waiting[0].send(call("supervisor.startProcess", &["slow".into()]));
        let start = |name: &str| one_of("startProcess", &[name.into()]);
        let calls = Value::Array(vec![start("other"), start("other"), start("slow")]);
        waiting[1].send(call("system.multicall", &[calls]));
        sandbox.wait_state("slow", "STARTING");
        sandbox.wait_state("other", "STARTING");
        assert_eq!(Peer::unix(&sandbox).call(method, &[]), Ok(true.into()));
        let gone = Err((40, "ABNORMAL_TERMINATION: slow".to_owned()));
        assert_eq!(waiting[0].answer().value(), gone, "{method}");
        let stopping = || fault(6, "SHUTDOWN_STATE");
        let results = vec![fault(40, "ABNORMAL_TERMINATION: other"), stopping(), stopping()];
        assert_eq!(waiting[1].answer().value(), Ok(Value::Array(results)), "{method}");
    }
}

/// What it reads is in a file.
const READER: &str = "[program:reader]\ncommand=/bin/sh -c 'exec cat > %(here)s/heard'\nstartsecs=0\n";

/// Reads no input until the file `go` exists.
const LATE: &str = "[program:late]\nstartsecs=0\n\
    command=/bin/sh -c 'echo > %(here)s/late; until test -e %(here)s/go; do sleep 0.05; done; exec cat > %(here)s/late-heard'\n";

/// Has no standard input any more.
const UNRESPONSIVE: &str =
    "[program:deaf]\ncommand=/bin/sh -c 'exec <&-; echo > %(here)s/deaf; exec sleep 3600'\nstartsecs=0\n";

#[test]
fn a_fastcgi_program_has_no_standard_input_to_send_to() {
    let program = "[fcgi-program:f]\ncommand=sleep 1000\nsocket=unix://%(here)s/f.sock\nstartsecs=0\n";
    let mut sandbox = Sandbox::with_programs(program).start();
    sandbox.wait_state("f", "RUNNING");
    let answer = Peer::unix(&sandbox).call("supervisor.sendProcessStdin", &["f".into(), "x".into()]);
    assert_eq!(answer, Err((20, "NO_FILE: f".to_owned())));
}

#[test]
fn text_sent_to_standard_input_is_read_by_the_program() {
    let mut sandbox = Sandbox::with_programs(&format!("{READER}{UNRESPONSIVE}{SLOW}")).start();
    sandbox.wait_file("deaf", "\n");
    sandbox.wait_state("reader", "RUNNING");
    let mut peer = Peer::unix(&sandbox);
    let mut send =
        |name: &str, text: &str| peer.call("supervisor.sendProcessStdin", &[name.into(), text.into()]);
    assert_eq!(send("reader", "one\nw\u{f6}rt "), Ok(true.into()));
    assert_eq!(send("reader:reader", ""), Ok(true.into()));
    assert_eq!(send("reader", "\u{1f600}\n"), Ok(true.into()));
    for (name, code, text) in [
        ("deaf", 20, "NO_FILE: deaf"),
        ("deaf", 20, "NO_FILE: deaf"),
        ("slow", 70, "NOT_RUNNING: slow"),
        ("nope", 10, "BAD_NAME: nope"),
        ("reader:*", 10, "BAD_NAME: reader:*"),
    ] {
        assert_eq!(send(name, "x"), Err((code, text.to_owned())));
    }
    sandbox.wait_file("heard", "one\nw\u{f6}rt \u{1f600}\n");
}

#[test]
fn input_for_a_child_that_does_not_read_is_bounded() {
    let mut sandbox = Sandbox::with_programs(&format!("{LATE}{READER}")).start();
    sandbox.wait_file("late", "\n");
    let mut peer = Peer::unix(&sandbox);
    let text = "x".repeat(200_000);
    let mut send =
        |name: &str| peer.call("supervisor.sendProcessStdin", &[name.into(), text.as_str().into()]);
    let mut taken = 0;
    let refusal = loop {
        match send("late") {
            Ok(_) => taken += text.len(),
            Err(refusal) => break refusal,
        }
        assert!(taken < 4_000_000);
    };
    let reported = "FAILED: late has not read what was sent to it before; try again later";
    assert_eq!(refusal, (30, reported.to_owned()));
    assert!(taken >= 1_000_000, "{taken}");
    // Other children get their input in the meantime, and a pipe without room causes no wakeups.
    assert_eq!(send("reader"), Ok(true.into()));
    let (before, since) = (cpu_ticks(sandbox.supervisor_pid()), Instant::now());
    sandbox.wait("a second", |_| (since.elapsed() > Duration::from_secs(1)).then_some(()));
    let used = cpu_ticks(sandbox.supervisor_pid()) - before;
    assert!(used < 10, "{used} ticks of CPU time in a second of waiting");
    // All of it arrives once it reads, and then there is room again.
    sandbox.write("go", "");
    sandbox.wait("room", |_| send("late").ok());
    let all = taken + text.len();
    sandbox.wait("all of it", |sandbox| (sandbox.file("late-heard").len() == all).then_some(()));
    sandbox.wait("the other", |sandbox| (sandbox.file("heard").len() == text.len()).then_some(()));
}

#[test]
fn remote_events_are_accepted_also_during_a_shutdown() {
    let mut sandbox = Sandbox::with_programs(STUBBORN).start();
    sandbox.wait_file("trapped", "\n");
    let mut peer = Peer::unix(&sandbox);
    let mut send = |kind: Value, data: Value| peer.call("supervisor.sendRemoteCommEvent", &[kind, data]);
    assert_eq!(send("type".into(), "w\u{f6}rt\n".into()), Ok(true.into()));
    assert_eq!(send(5.into(), true.into()), Ok(true.into()));
    sandbox.signal(Signal::TERM);
    sandbox.wait_log("waiting for stubborn to die");
    assert_eq!(send("type".into(), "data".into()), Ok(true.into()));
}
