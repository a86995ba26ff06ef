//! Actions against a scripted server: which methods they call, what they print, and how they end.
//! `tests/compat_ctl.rs` compares the same with Supervisor's own client.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::client::RpcClient;
use super::completion::complete;
use super::input::LineInput;
use super::perform::{Then, perform};
use super::session::Session;
use super::shell;
use crate::xmlrpc::{Value, decode_call, encode_fault, encode_response};

/// The answer to one call.
#[derive(Clone)]
enum Answer {
    Value(Value),
    Fault(i32, &'static str),
    /// A document of the JSON API.
    Document(&'static str),
    NotFound,
    Unauthorized,
    /// Announces that it closes the connection, and does.
    LastValue(Value),
    HangUp,
}
use Answer::{Document, Fault, HangUp, LastValue, NotFound, Unauthorized};

/// A call in text form (`startProcess web`) or the path of a document, and its answer.
type Script = Vec<(&'static str, Answer)>;

fn value(value: impl Into<Value>) -> Answer {
    Answer::Value(value.into())
}

/// The upcheck at the start of most scripts.
fn up() -> (&'static str, Answer) {
    ("getVersion", value("3.0"))
}

fn socket_path() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let nth = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("sv-ctl-unit-{}-{nth}.sock", std::process::id()))
}

/// One request from the stream, or `None` at its end.
fn read_request(stream: &mut UnixStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    Some((head, body))
}

fn shown(head: &str, body: &[u8]) -> String {
    let (request, fields) = head.split_once("\r\n").unwrap();
    assert!(fields.starts_with("Host: localhost\r\n"), "{head}");
    if let Some(path) = request.strip_prefix("GET ").and_then(|rest| rest.strip_suffix(" HTTP/1.1")) {
        return path.to_owned();
    }
    assert_eq!(request, "POST /RPC2 HTTP/1.1");
    let call = decode_call(body).unwrap();
    let params = call.params.iter().map(|param| match param {
        Value::Int(number) => format!(" {number}"),
        other => format!(" {}", other.as_str().unwrap_or("?")),
    });
    let name = call.method.strip_prefix("supervisor.").unwrap_or(&call.method);
    format!("{name}{}", params.collect::<String>())
}

fn reply(status_and_fields: &str, body: &[u8]) -> Vec<u8> {
    let mut reply =
        format!("HTTP/1.1 {status_and_fields}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    reply.extend_from_slice(body);
    reply
}

/// Answers in order, over as many connections as the client opens.
fn serve(listener: &UnixListener, script: Script) {
    let mut stream: Option<UnixStream> = None;
    for (expected, answer) in script {
        let (head, body) = loop {
            match stream.as_mut().and_then(read_request) {
                Some(request) => break request,
                None => stream = Some(listener.accept().unwrap().0),
            }
        };
        let user = head.lines().find_map(|line| line.strip_prefix("Authorization: ")).map(|_| " as user");
        assert_eq!(format!("{}{}", shown(&head, &body), user.unwrap_or_default()), expected);
        let bytes = match &answer {
            Answer::Value(value) => reply("200 OK", &encode_response(value)),
            LastValue(value) => reply("200 OK\r\nConnection: close", &encode_response(value)),
            Fault(code, text) => reply("200 OK", &encode_fault(*code, text)),
            Document(text) => reply("200 OK", text.as_bytes()),
            NotFound => reply("404 Not Found", b"<html>"),
            Unauthorized => reply("401 Unauthorized", b""),
            HangUp => Vec::new(),
        };
        stream.as_mut().unwrap().write_all(&bytes).unwrap();
        if matches!(answer, LastValue(_) | HangUp) {
            stream = None;
        }
    }
}

/// Runs a function in a session with a scripted server; returns the output and the exit code.
fn in_session(script: Script, input: &str, asks: bool, act: impl FnOnce(&mut Session<'_>)) -> (String, u8) {
    let path = socket_path();
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || serve(&listener, script));
    let client = RpcClient::new(format!("unix://{}", path.display()), None, None);
    let (typed, mut keyboard) = std::io::pipe().unwrap();
    keyboard.write_all(input.as_bytes()).unwrap();
    drop(keyboard);
    let mut output = Vec::new();
    let mut session = Session::new(client, &mut output, LineInput::new(typed.as_fd()), asks);
    act(&mut session);
    let code = session.exit_code();
    server.join().unwrap();
    std::fs::remove_file(&path).unwrap();
    (String::from_utf8(output).unwrap().replace(&path.display().to_string(), "SOCKET"), code)
}

fn check(line: &str, script: Script, expected: &str, code: u8) {
    let result = in_session(script, "", false, |session| {
        perform(session, line);
    });
    assert_eq!(result, (expected.to_owned(), code), "{line}");
}

fn process(group: &str, name: &str, state: i64, state_name: &str, description: &str, pid: i64) -> Value {
    Value::members([
        ("group", group.into()),
        ("name", name.into()),
        ("state", state.into()),
        ("statename", state_name.into()),
        ("description", description.into()),
        ("pid", pid.into()),
    ])
}

fn three() -> Answer {
    value(vec![
        process("web", "web", 20, "RUNNING", "pid 7, uptime 0:00:09", 7),
        process("pair", "a", 0, "STOPPED", "Not started", 0),
        process("pair", "b", 30, "BACKOFF", "unknown error", 0),
    ])
}

fn row(group: &str, name: &str, status: i32, description: &str) -> Value {
    Value::members([
        ("group", group.into()),
        ("name", name.into()),
        ("status", status.into()),
        ("description", description.into()),
    ])
}

const WEB: &str = "web                              RUNNING   pid 7, uptime 0:00:09\n";
const PAIR_A: &str = "pair:a                           STOPPED   Not started\n";
const PAIR_B: &str = "pair:b                           BACKOFF   unknown error\n";

#[test]
fn status_shows_the_named_processes() {
    let script = || vec![up(), ("getAllProcessInfo", three())];
    check("status", script(), &format!("{WEB}{PAIR_A}{PAIR_B}"), 3);
    check("status pair:b web", script(), &format!("{PAIR_B}{WEB}"), 0);
    check("status pair:* web", script(), &format!("{PAIR_A}{PAIR_B}{WEB}"), 3);
    check("status x all", script(), &format!("{WEB}{PAIR_A}{PAIR_B}"), 3);
    let errors = "x: ERROR (no such process)\ny: ERROR (no such group)\n";
    check("status x web y:*", script(), &format!("{errors}{WEB}"), 4);
    check("status", vec![up(), ("getAllProcessInfo", value(vec![]))], "", 0);
}

/// The fields that `health` uses: name, state, exit status, start time.
fn of_health(rows: &[(&str, i64, &str, i64, i64)]) -> Answer {
    let row = |&(name, state, state_name, exit_status, start): &(&str, i64, &str, i64, i64)| {
        let Value::Struct(mut members) = process("g", name, state, state_name, "why", 0) else { panic!() };
        members.push(("exitstatus".into(), exit_status.into()));
        members.push(("start".into(), start.into()));
        Value::Struct(members)
    };
    value(rows.iter().map(row).collect::<Vec<_>>())
}

fn check_health(line: &str, script: Script, expected: &str, code: u8) {
    let result = in_session(script, "", false, |session| {
        session.act_as_sv(&String::new);
        perform(session, line);
    });
    assert_eq!(result, (expected.to_owned(), code), "{line}");
}

#[test]
fn health_is_one_of_two_codes_and_says_what_is_wrong() {
    let expectation = |name: &str, code: i64| {
        Value::members([
            ("group", "g".into()),
            ("name", name.into()),
            ("autostart", true.into()),
            ("exitcodes", vec![Value::from(code)].into()),
        ])
    };
    let configured = || ("getAllConfigInfo", value(vec![expectation("a", 0), expectation("job", 7)]));
    let processes = |rows: &[(&str, i64, &str, i64, i64)]| ("sv.getAllProcessInfo", of_health(rows));
    let runs = || vec![processes(&[("a", 20, "RUNNING", 0, 9)])];
    let done = || vec![processes(&[("a", 20, "RUNNING", 0, 9), ("job", 100, "EXITED", 7, 9)]), configured()];
    let bad = || vec![processes(&[("a", 200, "FATAL", 0, 9), ("job", 0, "STOPPED", 0, 9)]), configured()];
    let a_is_fatal = "not healthy: g:a is FATAL: why\n";
    let job_is_stopped = "not healthy: g:job is STOPPED: why\n";
    check_health("health", runs(), "healthy\n", 0);
    check_health("health g:a", runs(), "healthy\n", 0);
    check_health("health x", runs(), "not healthy: x: ERROR (no such process)\n", 1);
    check_health("health", done(), "healthy\n", 0);
    check_health("health g:*", done(), "healthy\n", 0);
    check_health("health", bad(), a_is_fatal, 1);
    check_health("health g:*", bad(), &format!("{a_is_fatal}{job_is_stopped}"), 1);
    check_health("health all", bad(), a_is_fatal, 1);
    check_health("health g:job", bad(), job_is_stopped, 1);
    let json = "{\"healthy\":true,\"problem\":null,\"processes\":\
        [{\"group\":\"g\",\"healthy\":true,\"name\":\"a\",\"state\":\"RUNNING\"}]}\n";
    check_health("health --json", runs(), json, 0);
    let shutting_down = || vec![("sv.getAllProcessInfo", Fault(6, "SHUTDOWN_STATE"))];
    check_health("health", shutting_down(), "not healthy: the supervisor is shutting down\n", 1);
    let json = "{\"healthy\":false,\"problem\":\"the supervisor is shutting down\",\"processes\":[]}\n";
    check_health("health --json", shutting_down(), json, 1);
    let refused = "not healthy: the server asks for a user name and a password: give them by -u and -p, or as \
                   username= and password= in [supervisorctl]\n";
    let lacking = "not healthy: the supervisor does not offer this: its configuration needs the section \
                   [rpcinterface:supervisor]\n";
    let no_method = |name: &'static str| (name, Fault(1, "UNKNOWN_METHOD"));
    check_health(
        "health",
        vec![no_method("sv.getAllProcessInfo"), no_method("getAllProcessInfo")],
        lacking,
        1,
    );
    check_health("health", vec![("sv.getAllProcessInfo", Unauthorized)], refused, 1);
    check("health", Vec::new(), "*** Unknown syntax: health\n", 1);
}

#[test]
fn as_sv_status_asks_for_a_document_and_calls_methods_where_there_is_none() {
    const PROCESSES: &str = r#"{"summary":{},"processes":[
        {"group":"web","name":"web","state":"RUNNING","description":"pid 7, uptime 0:00:09","pid":7,"failed_step":null,
         "hint":null,"status":"ready","health":{"status":"healthy","failure":null},"last_end":null,"counters":{}},
        {"group":"pair","name":"a","state":"STOPPED","description":"Not started","pid":null},
        {"group":"pair","name":"b","state":"BACKOFF","description":"unknown error","pid":null,
         "failed_step":"cannot apply user","hint":"next attempt in 2 s","last_end":{"expected":false}}]}"#;
    let (web, b) = (WEB.trim_end(), PAIR_B.trim_end());
    let table = format!("{web}; healthy; ready\n{PAIR_A}{b}; cannot apply user; next attempt in 2 s\n");
    let no_api = ("/api/v1/processes", NotFound);
    let no_method = ("sv.getAllProcessInfo", Fault(1, "UNKNOWN_METHOD"));
    for (script, expected, code) in [
        (vec![("/api/v1/processes", Document(PROCESSES))], table, 3),
        (vec![no_api, no_method, up(), ("getAllProcessInfo", three())], format!("{WEB}{PAIR_A}{PAIR_B}"), 3),
    ] {
        let result = in_session(script, "", false, |session| {
            session.act_as_sv(&String::new);
            perform(session, "status");
        });
        assert_eq!(result, (expected, code));
    }
}

#[test]
fn wide_names_widen_the_table() {
    let name = "n".repeat(35);
    let all =
        value(vec![process(&name, &name, 20, "RUNNING", "", 1), process("x", "x", 1234, "NEWSTATE", "d", 1)]);
    let expected = format!("{name}   RUNNING   \nx{}NEWSTATE  d\n", " ".repeat(37));
    check("status", vec![up(), ("getAllProcessInfo", all)], &expected, 0);
    let all = value(vec![process("w\u{f6}rk", "w\u{f6}rk", 20, "RUNNING", "\u{1f600}", 1)]);
    let expected = format!("w\u{f6}rk{}RUNNING   \u{1f600}\n", " ".repeat(29));
    check("status", vec![up(), ("getAllProcessInfo", all)], &expected, 0);
}

#[test]
fn colours_go_around_the_state_only() {
    let (said, _) = in_session(vec![up(), ("getAllProcessInfo", three())], "", false, |session| {
        session.set_colors(true);
        perform(session, "status");
    });
    assert!(said.contains("   \x1b[32mRUNNING   \x1b[0mpid 7"), "{said:?}");
    assert!(said.contains(PAIR_A), "{said:?}");
}

#[test]
fn a_foreign_server_is_reported() {
    let sorry = "Sorry, this version of supervisorctl expects to talk to a server with API version 3.0, but \
                 the remote version is 4.0.\n";
    for (line, code) in [("version", 5), ("start", 5), ("status", 4)] {
        check(line, vec![("getVersion", value("4.0"))], sorry, code);
    }
    let unknown = vec![("getVersion", Fault(1, "UNKNOWN_METHOD"))];
    let (said, code) = in_session(unknown, "", false, |session| {
        perform(session, "pid");
    });
    assert!(said.starts_with("Sorry, supervisord responded but did not recognize"), "{said}");
    assert_eq!(code, 3);
    // Once the version is known, a fault is one of the method.
    let no_rows = vec![up(), ("getAllProcessInfo", Fault(1, "UNKNOWN_METHOD"))];
    check("status", no_rows, "error: <class 'xmlrpc.client.Fault'>, <Fault 1: 'UNKNOWN_METHOD'>\n", 1);
}

#[test]
fn actions_end_with_the_result_of_each_process() {
    let one = |call, answer| vec![up(), (call, answer)];
    for (line, script, said, code) in [
        ("start web", one("startProcess web", value(true)), "web: started\n", 0),
        ("start g:w", one("startProcess g:w", Fault(60, "")), "g:w: ERROR (already started)\n", 0),
        ("start  \"w\t", one("startProcess \"w", value(true)), "\"w: started\n", 0),
        ("start w\u{f6}rk", one("startProcess w\u{f6}rk", value(true)), "w\u{f6}rk: started\n", 0),
        ("start w", one("startProcess w", Fault(10, "")), "w: ERROR (no such process)\n", 1),
        ("start w", one("startProcess w", Fault(20, "")), "w: ERROR (no such file)\n", 1),
        ("start w", one("startProcess w", Fault(21, "")), "w: ERROR (file is not executable)\n", 1),
        ("start w", one("startProcess w", Fault(40, "")), "w: ERROR (abnormal termination)\n", 7),
        ("start w", one("startProcess w", Fault(50, "")), "w: ERROR (spawn error)\n", 7),
        (
            "start w",
            one("startProcess w", Fault(92, "")),
            "error: <class 'ValueError'>, Unknown result code 92 for w\n",
            1,
        ),
        ("start g:*", one("startProcessGroup g", Fault(10, "")), "g: ERROR (no such group)\n", 2),
        ("stop g:*", one("stopProcessGroup g", Fault(10, "")), "g: ERROR (no such group)\n", 1),
        (
            "stop g:*",
            one("stopProcessGroup g", value(vec![row("g", "b", 80, "OK"), row("g", "a", 70, "")])),
            "g:b: stopped\ng:a: ERROR (not running)\n",
            0,
        ),
        ("stop w", one("stopProcess w", Fault(30, "FAILED: because")), "FAILED: because\n", 1),
        (
            "start x all",
            one("startAllProcesses", value(vec![row("a", "a", 80, "OK"), row("b", "b", 50, "")])),
            "a: started\nb: ERROR (spawn error)\n",
            7,
        ),
        ("signal HUP w", one("signalProcess w HUP", value(true)), "w: signalled\n", 0),
        ("signal HUP g:*", one("signalProcessGroup g HUP", value(vec![])), "", 0),
        (
            "signal HUP all",
            one("signalAllProcesses HUP", value(vec![row("w", "w", 70, "")])),
            "w: ERROR (not running)\n",
            7,
        ),
        ("signal X w", one("signalProcess w X", Fault(11, "")), "w: ERROR (bad signal name)\n", 1),
        ("clear w", one("clearProcessLogs w", Fault(30, "")), "w: ERROR (failed)\n", 1),
        ("clear all", one("clearAllProcessLogs", value(vec![row("w", "w", 80, "OK")])), "w: cleared\n", 0),
    ] {
        check(line, script, said, code);
    }
}

#[test]
fn the_last_failure_counts_and_success_does_not_undo_it() {
    check(
        "start a b c",
        vec![
            up(),
            ("startProcess a", Fault(50, "")),
            ("startProcess b", Fault(10, "")),
            ("startProcess c", value(true)),
        ],
        "a: ERROR (spawn error)\nb: ERROR (no such process)\nc: started\n",
        1,
    );
}

#[test]
fn patterns_are_expanded_unlike_in_the_reference() {
    let all = || ("getAllProcessInfo", three());
    for (line, script, said, code) in [
        ("start w*", vec![up(), all(), ("startProcess web", value(true))], "web: started\n", 0),
        (
            "stop pair:? x*",
            vec![
                up(),
                all(),
                ("stopProcess pair:a", value(true)),
                ("stopProcess pair:b", value(true)),
                ("stopProcess x*", Fault(10, "")),
            ],
            "pair:a: stopped\npair:b: stopped\nx*: ERROR (no such process)\n",
            1,
        ),
        ("start p*:*", vec![up(), all(), ("startProcessGroup pair", value(vec![]))], "", 0),
        (
            "signal HUP ?",
            vec![
                up(),
                all(),
                ("signalProcess pair:a HUP", value(true)),
                ("signalProcess pair:b HUP", value(true)),
            ],
            "pair:a: signalled\npair:b: signalled\n",
            0,
        ),
        ("status [ab] we?", vec![up(), all()], &format!("{PAIR_A}{PAIR_B}{WEB}"), 3),
        ("status w* x*:*", vec![up(), all()], &format!("x*: ERROR (no such group)\n{WEB}"), 4),
        ("pid x*", vec![up(), all(), ("getProcessInfo x*", Fault(10, ""))], "No such process x*\n", 1),
    ] {
        check(line, script, said, code);
    }
}

#[test]
fn json_is_for_sv_only_and_exits_like_status() {
    check(
        "status --json",
        vec![up(), ("getAllProcessInfo", three())],
        "--json: ERROR (no such process)\n",
        4,
    );
    for (line, names, code) in [
        ("status --json", &["web", "a", "b"][..], 3),
        ("status web --json", &["web"], 0),
        ("status --json pair:b x", &["b"], 4),
        ("status --json x", &[], 4),
    ] {
        // A Supervisor in Python lacks our own method; who has it need not be asked for a version.
        let script =
            vec![("sv.getAllProcessInfo", Fault(1, "UNKNOWN_METHOD")), up(), ("getAllProcessInfo", three())];
        let (said, ended) = in_session(script, "", false, |session| {
            session.act_as_sv(&String::new);
            perform(session, line);
        });
        let read: Vec<serde_json::Value> = serde_json::from_str(&said).unwrap();
        let read: Vec<_> = read.iter().map(|row| row["name"].as_str().unwrap()).collect();
        assert_eq!((read.as_slice(), ended), (names, code), "{line}");
    }
}

#[test]
fn as_sv_faults_are_plain_and_unknown_names_get_suggestions() {
    let state = "its state is UNKNOWN, since a signal could not be sent to it: 'sv maintail' shows why";
    let unknown = || Fault(30, "FAILED: w is in an unknown process state");
    let all = || ("getAllProcessInfo", three());
    for (line, script, expected, code) in [
        ("start w", vec![up(), ("startProcess w", unknown())], format!("w: ERROR ({state})\n"), 1),
        ("stop w", vec![up(), ("stopProcess w", unknown())], format!("w: ERROR ({state})\n"), 1),
        (
            "start w a",
            vec![up(), ("startProcess w", Fault(99, "WHAT: ever")), ("startProcess a", value(true))],
            "w: ERROR (ever)\na: started\n".to_owned(),
            1,
        ),
        (
            "stop webb",
            vec![up(), ("stopProcess webb", Fault(10, "")), all()],
            "webb: ERROR (no such process, did you mean 'web'?)\n".to_owned(),
            1,
        ),
        (
            "restart pair web",
            vec![
                up(),
                ("stopProcess pair", Fault(10, "")),
                all(),
                ("stopProcess web", value(true)),
                ("startProcess web", value(true)),
            ],
            "pair: ERROR (no such process, did you mean 'pair:*'?)\nweb: stopped\nweb: started\n".to_owned(),
            1,
        ),
        (
            "start pari:*",
            vec![up(), ("startProcessGroup pari", Fault(10, "")), all()],
            "pari: ERROR (no such group, did you mean 'pair:*'?)\n".to_owned(),
            2,
        ),
    ] {
        let result = in_session(script, "", false, |session| {
            session.act_as_sv(&String::new);
            perform(session, line);
        });
        assert_eq!(result, (expected, code), "{line}");
    }
}

#[test]
fn restart_is_stop_then_start() {
    check(
        "restart w",
        vec![up(), up(), ("stopProcess w", Fault(70, "")), up(), ("startProcess w", value(true))],
        "w: ERROR (not running)\nw: started\n",
        0,
    );
}

#[test]
fn clear_knows_groups() {
    check(
        "clear pair:* x:*",
        vec![
            up(),
            ("getAllProcessInfo", three()),
            ("clearProcessLogs pair:a", value(true)),
            ("clearProcessLogs pair:b", value(true)),
            ("getAllProcessInfo", three()),
        ],
        "pair:a: cleared\npair:b: cleared\nx: ERROR (no such group)\n",
        1,
    );
}

#[test]
fn update_removes_replaces_and_adds() {
    let changes = || {
        let names = |names: &[&str]| Value::Array(names.iter().map(|name| (*name).into()).collect());
        value(vec![Value::Array(vec![names(&["new"]), names(&["other"]), names(&["old", "bad"])])])
    };
    let all_is_well = || value(vec![row("g", "g", 80, "OK")]);
    check(
        "update",
        vec![
            ("reloadConfig", changes()),
            ("stopProcessGroup old", all_is_well()),
            ("removeProcessGroup old", value(true)),
            ("stopProcessGroup bad", value(vec![row("bad", "bad", 30, "FAILED")])),
            ("sv.updateProcessGroup other", Fault(1, "UNKNOWN_METHOD")),
            ("stopProcessGroup other", all_is_well()),
            ("removeProcessGroup other", value(true)),
            ("addProcessGroup other", value(true)),
            ("addProcessGroup new", value(true)),
        ],
        "old: stopped\nold: removed process group\nbad: stopped\nbad: has problems; not removing\n\
         other: stopped\nother: updated process group\nnew: added process group\n",
        1,
    );
    check(
        "update new x new",
        vec![
            ("reloadConfig", changes()),
            ("getAllProcessInfo", three()),
            ("addProcessGroup new", value(true)),
        ],
        "ERROR: no such group: x\nnew: added process group\n",
        1,
    );
    check(
        "reread",
        vec![("reloadConfig", changes())],
        "bad: disappeared\nnew: available\nold: disappeared\nother: changed\n",
        0,
    );
}

#[test]
fn an_update_prints_its_results_and_more_as_sv() {
    let changes = || {
        let none = || Value::Array(Vec::new());
        value(vec![Value::Array(vec![none(), Value::Array(vec!["g".into()]), none()])])
    };
    let done = |rows: &[(&str, &str)]| {
        value(rows.iter().map(|(name, done)| row("g", name, 80, done)).collect::<Vec<_>>())
    };
    let updated = "g: updated process group\n";
    let mixed =
        done(&[("a", "unchanged"), ("b", "applied"), ("c", "replaced"), ("d", "added"), ("e", "removed")]);
    let problem =
        vec![row("g", "a", 30, "FAILED: g:a is in an unknown process state"), row("g", "b", 80, "removed")];
    let under_way = "FAILED: an update of g is under way";
    for (answer, said, more, code) in [
        (
            mixed,
            updated.to_owned(),
            "g:b: applied without a restart\ng:c: replaced\ng:d: added\ng:e: removed\n".to_owned(),
            0,
        ),
        (done(&[("a", "replaced"), ("b", "added")]), format!("g: stopped\n{updated}"), String::new(), 0),
        (done(&[]), format!("g: stopped\n{updated}"), String::new(), 0),
        (
            value(problem),
            "g: has problems; not removing\n".to_owned(),
            "g:a: FAILED: g:a is in an unknown process state\ng:b: removed\n".to_owned(),
            1,
        ),
        (Fault(30, under_way), format!("ERROR: {under_way}\n"), String::new(), 1),
        (
            Fault(6, "SHUTDOWN_STATE"),
            "error: <class 'xmlrpc.client.Fault'>, <Fault 6: 'SHUTDOWN_STATE'>\n".to_owned(),
            String::new(),
            1,
        ),
    ] {
        for says_more in [false, true] {
            let script = vec![("reloadConfig", changes()), ("sv.updateProcessGroup g", answer.clone())];
            let result = in_session(script, "", false, |session| {
                if says_more {
                    session.act_as_sv(&String::new);
                }
                perform(session, "update");
            });
            let more = if says_more { more.as_str() } else { "" };
            // As `sv` a plain sentence is on stderr.
            let said = if says_more && said.contains("<class") { "" } else { &said };
            assert_eq!(result, (format!("{more}{said}"), code));
        }
    }
}

#[test]
fn a_connection_is_kept_and_replaced_when_it_was_closed() {
    check(
        "start a b",
        vec![
            ("getVersion", LastValue("3.0".into())),
            ("startProcess a", LastValue(true.into())),
            ("startProcess b", value(true)),
        ],
        "a: started\nb: started\n",
        0,
    );
}

#[test]
fn a_call_without_a_reply_is_not_repeated() {
    check(
        "start a",
        vec![up(), ("startProcess a", HangUp)],
        "error: the connection broke: the server closed it without a reply\n",
        1,
    );
}

#[test]
fn a_client_without_permission_is_asked_for_credentials() {
    let refused = "Server requires authentication\n";
    let error = "error: <class 'xmlrpc.client.ProtocolError'>, <ProtocolError for 127.0.0.1/RPC2: 401 \
                 Unauthorized>\n";
    check("version", vec![("getVersion", Unauthorized)], &format!("{refused}{error}"), 1);
    let (said, _) = in_session(vec![("getVersion", Unauthorized)], "", true, |session| {
        perform(session, "version");
    });
    assert_eq!(said, format!("{refused}Username:{error}"));
    let script = vec![("getVersion as user", value("3.0")), ("getPID as user", value(5))];
    let (said, _) = in_session(script, "", false, |session| {
        session.log_in("me".into(), "secret".into());
        perform(session, "pid");
    });
    assert_eq!(said, "5\n");
}

#[test]
fn the_shell_continues_until_the_user_leaves() {
    let status = || vec![up(), ("getAllProcessInfo", value(vec![]))];
    for (input, said) in [
        ("", "s> \n"),
        ("\n  \nquit\n", "s> s> s> \n"),
        ("nope\r\nexit\nquit\n", "s> *** Unknown syntax: nope\ns> \n"),
        ("shutdown\nno\n", "s> Really shut the remote supervisord process down y/N? s> \n"),
    ] {
        let (output, _) = in_session(status(), input, true, |session| shell::converse(session, "s", None));
        assert_eq!(output, said, "{input:?}");
    }
}

#[test]
fn only_leaving_ends_the_foreground() {
    in_session(vec![], "", false, |session| {
        for (line, then) in [("quit", Then::Leave), ("EOF", Then::Leave), ("", Then::Stay), ("x", Then::Stay)]
        {
            assert_eq!(perform(session, line), then, "{line}");
        }
    });
}

#[test]
fn one_tab_asks_the_server_and_the_next_does_not() {
    let script = vec![
        ("getAllProcessInfo", three()),
        up(),
        ("getAllProcessInfo", three()),
        ("getAllProcessInfo", three()),
    ];
    in_session(script, "", false, |session| {
        let candidates = |session: &mut Session<'_>, text: &str| complete(session, text).candidates;
        assert_eq!(candidates(session, "start w"), ["web"]);
        assert_eq!(candidates(session, "start pair:"), ["pair:a", "pair:*", "pair:b"]);
        // Completion of actions does not need the server.
        assert_eq!(candidates(session, "rel"), ["reload"]);
        perform(session, "status");
        assert_eq!(candidates(session, "add p"), ["pair"]);
    });
}
