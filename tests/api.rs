//! The JSON API, as its clients see it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::os::unix::net::UnixStream;

use serde_json::{Value as Json, json};
use support::wire::{Answer, Peer};
use support::{HEAD, Sandbox, free_ports};

const PROGRAMS: &str = "\
[program:web]
command=/bin/sleep 1000
process_name=%(program_name)s_%(process_num)02d
numprocs=2
startsecs=0
[program:cat]
command=/bin/cat
startsecs=0
depends_on=web=started, ghost?
stopsignal=INT
[program:ghost]
command=/nonexistent/ghost
autostart=false
startretries=forever
[program:job]
command=/bin/sh -c 'exit 3'
type=oneshot
startretries=0
";

/// Sends a request without a body and reads the answer, which is JSON.
fn ask(peer: &mut Peer, request: &str) -> (String, Json) {
    let answer = peer.send(format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n")).answer();
    (status(&answer), body(&answer))
}

/// `200 OK`
fn status(answer: &Answer) -> String {
    answer.line.split_once(' ').unwrap().1.to_owned()
}

fn body(answer: &Answer) -> Json {
    assert_eq!(answer.field("Content-Type"), Some("application/json"), "{answer:?}");
    assert_eq!(answer.field("Cache-Control"), Some("no-store"));
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

fn get(peer: &mut Peer, path: &str) -> Json {
    let (status, body) = ask(peer, &format!("GET /api/v1{path}"));
    assert_eq!(status, "200 OK", "{path}: {body}");
    body
}

fn members(object: &Json) -> Vec<&str> {
    let mut members: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    members
}

fn names(list: &Json) -> Vec<&str> {
    list["processes"].as_array().unwrap().iter().map(|it| it["full_name"].as_str().unwrap()).collect()
}

/// `2026-11-29T03:07:29.123Z`
fn is_time(value: &Json) -> bool {
    let shape: String =
        value.as_str().unwrap().chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00.000Z"
}

/// A supervisor whose processes have reached their states.
fn started() -> Sandbox {
    let mut sandbox = Sandbox::with_programs(PROGRAMS).start();
    sandbox.wait_state("cat", "RUNNING");
    sandbox.wait_state("job", "FATAL");
    sandbox
}

#[test]
fn the_supervisor_and_its_processes_are_described() {
    let sandbox = started();
    let mut peer = Peer::unix(&sandbox);
    let server = get(&mut peer, "");
    assert_eq!((&server["state"], &server["identifier"]), (&json!("RUNNING"), &json!("supervisor")));
    assert_eq!(server["pid"], json!(sandbox.supervisor_pid().as_raw_nonzero().get()));
    assert_eq!(server["supervisor_version"], json!("4.3.0"));
    assert!(is_time(&server["started_at"]) && is_time(&server["now_at"]), "{server}");
    assert!(server["newest_event"].as_u64().unwrap() > 5, "{server}");

    let list = get(&mut peer, "/processes");
    assert_eq!(names(&list), ["cat", "ghost", "job", "web:web_00", "web:web_01"]);
    let summary = json!({"total": 5, "by_state": {"RUNNING": 3, "STOPPED": 1, "FATAL": 1}, "unhealthy": 0});
    assert_eq!(list["summary"], summary);
    let every = [
        "counters",
        "description",
        "ended_at",
        "full_name",
        "group",
        "health",
        "hint",
        "last_end",
        "listener_state",
        "logs",
        "name",
        "needed_by",
        "next_start_at",
        "pid",
        "since_at",
        "spawn_error",
        "started_at",
        "state",
        "status",
        "uptime_secs",
        "waiting_for",
    ];
    for process in list["processes"].as_array().unwrap() {
        assert_eq!(members(process), every);
    }
    let [cat, ghost, job, web, _] = list["processes"].as_array().unwrap().as_slice() else {
        panic!("{list}")
    };
    assert!(cat["pid"].as_i64().unwrap() > 1 && is_time(&cat["since_at"]) && cat["uptime_secs"].is_u64());
    assert_eq!((&cat["last_end"], &cat["ended_at"]), (&Json::Null, &Json::Null));
    assert_eq!(web["needed_by"], json!(["cat"]));
    assert_eq!(
        (&ghost["state"], &ghost["started_at"], &ghost["pid"]),
        (&json!("STOPPED"), &Json::Null, &Json::Null)
    );
    assert_eq!(job["last_end"], json!({"exit_code": 3, "signal": null, "expected": false}));
    assert_eq!(
        job["counters"],
        json!({"starts": 1, "restarts": 0, "failed_starts": 1, "exits_expected": 0, "exits_unexpected": 1, "exits_by_signal": 0})
    );
    assert!(job["logs"]["stdout"].as_str().unwrap().contains("job-stdout"), "{job}");
}

#[test]
fn processes_are_filtered_and_summed_up() {
    let sandbox = started();
    let mut peer = Peer::unix(&sandbox);
    for (query, expected) in [
        ("?group=web", vec!["web:web_00", "web:web_01"]),
        ("?name=web:web_01", vec!["web:web_01"]),
        ("?name=web%3Aweb_01", vec!["web:web_01"]),
        ("?name=cat", vec!["cat"]),
        ("?name=cat&group=web", vec![]),
        ("?state=fatal,STOPPED", vec!["ghost", "job"]),
        ("?state=RUNNING&group=web", vec!["web:web_00", "web:web_01"]),
        ("?group=nope", vec![]),
    ] {
        let list = get(&mut peer, &format!("/processes{query}"));
        assert_eq!(names(&list), expected, "{query}");
        assert_eq!(list["summary"]["total"], json!(expected.len()), "{query}");
    }
}

#[test]
fn a_process_has_its_configuration_and_its_history() {
    let sandbox = started();
    let mut peer = Peer::unix(&sandbox);
    let cat = get(&mut peer, "/processes/cat");
    assert_eq!(members(&cat), ["config", "history", "newest_event", "now_at", "process"]);
    assert_eq!(cat["process"]["full_name"], json!("cat"));
    let config = sandbox.config().display().to_string();
    assert_eq!(
        cat["config"],
        json!({
            "command": "/bin/cat", "directory": null, "user": null, "type": "daemon", "autostart": true,
            "autorestart": "unexpected", "priority": 999, "startsecs": 0, "startretries": 3,
            "exitcodes": [0], "stopsignal": "INT", "stopwaitsecs": 10,
            "depends_on": [
                {"on": "web", "condition": "started", "optional": false},
                {"on": "ghost", "condition": null, "optional": true},
            ],
            "restart_with": [], "ready": [], "health": null, "schedule": null,
            "defined_at": {"file": config, "line": HEAD.lines().count() + 6},
        })
    );
    let ghost = get(&mut peer, "/processes/ghost");
    assert_eq!((&ghost["config"]["startretries"], &ghost["history"]), (&Json::Null, &json!([])));

    let job = get(&mut peer, "/processes/job");
    let history = job["history"].as_array().unwrap();
    for transition in history {
        assert_eq!(members(transition), ["at", "end", "from", "pid", "reason", "serial", "to"]);
        assert!(is_time(&transition["at"]), "{transition}");
    }
    let states: Vec<_> = history.iter().map(|it| it["to"].as_str().unwrap()).collect();
    assert_eq!(states, ["STARTING", "BACKOFF", "FATAL"], "{job}");
    assert_eq!(history[1]["end"], json!({"exit_code": 3, "signal": null}), "{job}");
    let serials: Vec<_> = history.iter().map(|it| it["serial"].as_u64().unwrap()).collect();
    assert!(serials.is_sorted() && serials[2] <= job["newest_event"].as_u64().unwrap(), "{job}");
}

#[test]
fn errors_have_a_status_a_name_and_the_code_of_xml_rpc() {
    let sandbox = started();
    let mut peer = Peer::unix(&sandbox);
    for (request, status, code, name) in [
        ("GET /api", "404 Not Found", Json::Null, "NOT_FOUND"),
        ("GET /api/v2/processes", "404 Not Found", Json::Null, "NOT_FOUND"),
        ("GET /api/v1/nope", "404 Not Found", Json::Null, "NOT_FOUND"),
        ("GET /api/v1/processes/nope", "404 Not Found", json!(10), "BAD_NAME"),
        ("GET /api/v1/processes/web", "404 Not Found", json!(10), "BAD_NAME"),
        ("GET /api/v1/processes/web:*", "404 Not Found", json!(10), "BAD_NAME"),
        ("GET /api/v1/processes/%3Cb%3E%22%00%ff", "404 Not Found", json!(10), "BAD_NAME"),
        ("GET /api/v1/processes?state=GONE", "400 Bad Request", Json::Null, "BAD_REQUEST"),
        ("GET /api/v1/processes?stat=RUNNING", "400 Bad Request", Json::Null, "BAD_REQUEST"),
        ("GET /api/v1/processes?group=a&group=b", "400 Bad Request", Json::Null, "BAD_REQUEST"),
        ("DELETE /api/v1/processes/cat", "405 Method Not Allowed", Json::Null, "METHOD_NOT_ALLOWED"),
        ("POST /api/v1/processes", "405 Method Not Allowed", Json::Null, "METHOD_NOT_ALLOWED"),
    ] {
        let answer = peer.send(format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n")).answer();
        assert_eq!(self::status(&answer), status, "{request}");
        let body = body(&answer);
        assert_eq!((&body["error"]["code"], &body["error"]["name"]), (&code, &json!(name)), "{request}");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(name), "{message}");
        let allow = (name == "METHOD_NOT_ALLOWED").then_some("GET, HEAD");
        assert_eq!(answer.field("Allow"), allow, "{request}");
    }
    let head = peer.send("HEAD /api/v1/processes HTTP/1.1\r\n\r\n").head();
    assert_eq!(head[0], "HTTP/1.1 200 OK");
    // Had the answer to HEAD a body, it would be taken for the next answer.
    assert_eq!(ask(&mut peer, "GET /api/v1").0, "200 OK");
}

#[test]
fn hostile_texts_are_valid_json() {
    let mut sandbox = Sandbox::with_programs(
        "[program:<b>\"&'é]\ncommand=/nonexistent/<script>\\\"é\nstartretries=0\n\
         [program:says]\ncommand=/usr/bin/perl -e 'use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => $ENV{NOTIFY_SOCKET}); $s->send(qq{READY=1\\nSTATUS=<i>\\x01\"\\\\}); sleep 1000'\n\
         ready=notify\n",
    )
    .start();
    sandbox.wait_state("<b>\"&'é", "FATAL");
    sandbox.wait_state("says", "RUNNING");
    let mut peer = Peer::unix(&sandbox);
    let list = get(&mut peer, "/processes");
    assert_eq!(names(&list), ["<b>\"&'é", "says"]);
    assert!(list["processes"][0]["spawn_error"].as_str().unwrap().contains("<script>\"é"), "{list}");
    let said = list["processes"][1]["status"].as_str().unwrap();
    assert!(said.starts_with("<i>") && said.ends_with("\"\\"), "{said:?}");
    let details = get(&mut peer, "/processes/%3Cb%3E%22%26%27%C3%A9");
    assert_eq!(details["process"]["name"], json!("<b>\"&'é"));
}

#[test]
fn who_may_not_ask_learns_so_in_json() {
    let [port, open] = free_ports();
    let servers = format!(
        "[inet_http_server]\nport=127.0.0.1:{port}\nusername=me\npassword=secret\n\
         [inet_http_server:open]\nport=127.0.0.1:{open}\n\
         [unix_http_server:metrics]\nfile=%(here)s/metrics.sock\nrole=metrics\n"
    );
    let sandbox = Sandbox::new(&format!("{HEAD}{servers}")).start();
    let metrics = || Peer::of(UnixStream::connect(sandbox.path("metrics.sock")).unwrap());
    let foreign = "Host: localhost\r\nOrigin: http://evil.example\r\n";
    let get = "GET /api/v1 HTTP/1.1\r\n";
    for (mut peer, request, line, name) in [
        (Peer::tcp(port), format!("{get}Host: x\r\n"), "401 Unauthorized", "UNAUTHORIZED"),
        (metrics(), format!("{get}Host: x\r\n"), "403 Forbidden", "FORBIDDEN"),
        (Peer::tcp(open), format!("{get}Host: evil.example\r\n"), "403 Forbidden", "FORBIDDEN"),
        (Peer::unix(&sandbox), format!("POST /api/v1 HTTP/1.1\r\n{foreign}"), "403 Forbidden", "FORBIDDEN"),
    ] {
        let answer = peer.send(format!("{request}\r\n")).answer();
        assert_eq!(status(&answer), line, "{request}");
        assert_eq!(body(&answer)["error"]["name"], json!(name), "{request}");
        let challenge = (name == "UNAUTHORIZED").then_some("Basic realm=\"default\"");
        assert_eq!(answer.field("WWW-Authenticate"), challenge, "{request}");
        assert!(peer.ends(), "{request}");
    }
    let authorized = format!("{get}Host: x\r\nAuthorization: Basic bWU6c2VjcmV0\r\n\r\n");
    assert_eq!(Peer::tcp(port).send(authorized).answer().line, "HTTP/1.1 200 OK");
}
