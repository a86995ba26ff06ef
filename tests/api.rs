//! The JSON API, as its clients see it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use support::client::{exit_code, interrupt, spawn};
use support::wire::{Answer, Peer, anonymous_kib, sleeps};
use support::{HEAD, Sandbox, free_port, free_ports, have};

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
    let (status, body) = (status(&answer), body(&answer));
    let (method, target) = request.split_once(' ').unwrap();
    let path = target.split('?').next().unwrap().strip_prefix("/api/v1").unwrap_or("/nope");
    Document::new().check(method, path, &status, &body);
    (status, body)
}

/// The description of the API, which every answer has to match.
struct Document(Json);

impl Document {
    fn new() -> Self {
        Self(serde_json::from_str(include_str!("../src/api/openapi.json")).unwrap())
    }

    fn check(&self, method: &str, path: &str, status: &str, body: &Json) {
        let path = if path.is_empty() { "/" } else { path };
        let matches = |template: &str| {
            let (template, path): (Vec<_>, Vec<_>) =
                (template.split('/').collect(), path.split('/').collect());
            let is_same = |(a, b): (&&str, &&str)| a == b || *a == "{name}";
            template.len() == path.len() && template.iter().zip(&path).all(is_same)
        };
        let found = self.0["paths"].as_object().unwrap().iter().find(|(template, _)| matches(template));
        let operation = found.map(|(_, item)| &item[method.to_lowercase()]).filter(|it| it.is_object());
        let Some(operation) = operation else {
            assert!(
                ["404 Not Found", "405 Method Not Allowed"].contains(&status),
                "{method} {path}: {status}"
            );
            return self.validate(&json!({"$ref": "#/components/schemas/Error"}), body, path);
        };
        let response = &operation["responses"][status.split(' ').next().unwrap()];
        let response = match response["$ref"].as_str() {
            Some(pointer) => self.0.pointer(&pointer[1..]).unwrap(),
            None if response.is_null() => &self.0["components"]["responses"]["Error"],
            None => response,
        };
        self.validate(&response["content"]["application/json"]["schema"], body, path);
    }

    /// As much of JSON Schema as the document needs. A member that it does not describe is an error too.
    fn validate(&self, schema: &Json, value: &Json, place: &str) {
        if let Some(pointer) = schema["$ref"].as_str() {
            return self.validate(self.0.pointer(&pointer[1..]).unwrap(), value, place);
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            if !value.is_null() {
                self.validate(&choices[0], value, place);
            }
            return;
        }
        let kind = match value {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(number) if number.is_f64() => "number",
            Json::Number(_) => "integer",
            Json::String(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        };
        let types = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
        let is_of_type =
            types.contains(&json!(kind)) || kind == "integer" && types.contains(&json!("number"));
        assert!(is_of_type, "{place}: {value} is no {}", schema["type"]);
        let words = schema["enum"].as_array();
        assert!(words.is_none_or(|words| words.contains(value)), "{place}: {value} is none of {words:?}");
        if let Some(array) = value.as_array() {
            array.iter().for_each(|it| self.validate(&schema["items"], it, place));
        }
        for name in schema["required"].as_array().unwrap_or(&Vec::new()) {
            assert!(value.get(name.as_str().unwrap()).is_some(), "{place}: {name} is missing");
        }
        for (name, member) in value.as_object().unwrap_or(&serde_json::Map::new()) {
            let place = format!("{place}.{name}");
            match (&schema["properties"][name], &schema["additionalProperties"]) {
                (Json::Null, Json::Null) if schema.get("properties").is_none() => {}
                (Json::Null, other) => self.validate(other, member, &place),
                (described, _) => self.validate(described, member, &place),
            }
        }
    }
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

/// A stream of server-sent events.
struct Events {
    peer: Peer,
    text: String,
}

/// One of them: id, event and data.
type Event = (Option<u64>, String, Json);

impl Events {
    fn follow(mut peer: Peer, path: &str, fields: &str) -> Self {
        let head = peer.send(format!("GET /api/v1{path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n")).head();
        assert_eq!(head[0], "HTTP/1.1 200 OK", "{path}");
        assert!(head.iter().any(|field| field == "Content-Type: text/event-stream"), "{head:?}");
        Self { peer, text: String::new() }
    }

    /// The next event; `None` at the end of the stream.
    fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let event = parse(frame);
                self.text = rest.to_owned();
                match event {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let chunk = self.chunk()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next chunk; `None` after the last, and if the connection ends without one.
    fn chunk(&mut self) -> Option<Vec<u8>> {
        loop {
            let ahead = &mut self.peer.ahead;
            if let Some(line) = ahead.windows(2).position(|window| window == b"\r\n") {
                let size = usize::from_str_radix(std::str::from_utf8(&ahead[..line]).unwrap(), 16).unwrap();
                if ahead.len() >= line + 2 + size + 2 {
                    let chunk: Vec<u8> = ahead.drain(..line + 2 + size + 2).collect();
                    return (size > 0).then(|| chunk[line + 2..line + 2 + size].to_vec());
                }
            }
            if !self.peer.read_more() {
                return None;
            }
        }
    }

    /// The events up to one with this text in its data.
    fn up_to(&mut self, text: &str) -> Vec<Event> {
        let mut events = Vec::new();
        while !events.last().is_some_and(|(_, _, data): &Event| data.to_string().contains(text)) {
            events.push(self.next().unwrap_or_else(|| panic!("the stream ends before {text}: {events:?}")));
        }
        events
    }
}

/// `None` for a comment.
fn parse(frame: &str) -> Option<Event> {
    let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let data = serde_json::from_str(field("data")?).unwrap_or_else(|error| panic!("{error}: {frame}"));
    Some((field("id").map(|id| id.parse().unwrap()), field("event").unwrap_or("message").to_owned(), data))
}

/// What a process went through.
fn states(events: &[Event], name: &str) -> Vec<String> {
    let of_process = events.iter().filter(|(_, _, data)| data["full_name"] == json!(name));
    of_process.map(|(_, _, data)| data["to"].as_str().unwrap().to_owned()).collect()
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
    let all = json!({"role": "admin", "read_logs": true, "operate": true, "administer": true});
    assert_eq!(server["permissions"], all);

    let list = get(&mut peer, "/processes");
    assert_eq!(names(&list), ["cat", "ghost", "job", "web:web_00", "web:web_01"]);
    let summary = json!({"total": 5, "by_state": {"RUNNING": 3, "STOPPED": 1, "FATAL": 1}, "unhealthy": 0});
    assert_eq!(list["summary"], summary);
    let every = [
        "check_output",
        "counters",
        "description",
        "ended_at",
        "failed_step",
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
    assert_eq!(
        job["last_end"],
        json!({"exit_code": 3, "signal": null, "out_of_memory": false, "expected": false})
    );
    assert_eq!(
        job["counters"],
        json!({"starts": 1, "restarts": 0, "failed_starts": 1, "exits_expected": 0, "exits_unexpected": 1, "exits_by_signal": 0, "exits_by_oom": 0})
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
    assert_eq!(history[1]["end"], json!({"exit_code": 3, "signal": null, "out_of_memory": false}), "{job}");
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
        assert_eq!(message.starts_with(name), !code.is_null(), "{message}");
        let allow = (name == "METHOD_NOT_ALLOWED").then_some("GET, HEAD");
        assert_eq!(answer.field("Allow"), allow, "{request}");
    }
    let head = peer.send("HEAD /api/v1/processes HTTP/1.1\r\n\r\n").head();
    assert_eq!(head[0], "HTTP/1.1 200 OK");
    // Had the answer to HEAD a body, it would be taken for the next answer.
    assert_eq!(ask(&mut peer, "GET /api/v1").0, "200 OK");
}

#[test]
fn a_list_is_as_of_the_newest_event_that_it_names() {
    let mut sandbox = started();
    sandbox.wait_state("cat", "RUNNING");
    let socket = sandbox.path("supervisor.sock");
    let actor = std::thread::spawn(move || {
        let mut peer = Peer::of(UnixStream::connect(socket).unwrap());
        for _ in 0..100 {
            for action in ["stop", "start"] {
                let path = format!("/processes/cat/{action}?wait=10");
                assert_eq!(post(&mut peer, &path).0, "200 OK");
            }
        }
    });
    let mut peer = Peer::unix(&sandbox);
    let mut seen = Vec::new();
    while !actor.is_finished() {
        let list = get(&mut peer, "/processes?name=cat");
        let state = list["processes"][0]["state"].as_str().unwrap().to_owned();
        seen.push((list["newest_event"].as_u64().unwrap(), state));
    }
    actor.join().unwrap();
    let log = get(&mut peer, "/events?limit=1024");
    let changes: Vec<_> =
        log["events"].as_array().unwrap().iter().filter(|it| it["full_name"] == "cat").collect();
    for (newest, state) in seen {
        let then = changes.iter().rfind(|change| change["serial"].as_u64().unwrap() <= newest).unwrap();
        assert_eq!(then["to"], state.as_str(), "at {newest}");
    }
}

#[test]
fn head_of_a_stream_is_answered_as_get_without_the_stream() {
    let port = free_port();
    let server = format!("[inet_http_server:less]\nport=127.0.0.1:{port}\nrole=read\nread_logs=false\n");
    let sandbox = Sandbox::new(&format!("{HEAD}{server}{PROGRAMS}")).start();
    for path in [
        "/events?follow=true",
        "/log?follow=true",
        "/processes/cat/logs/stdout?follow=true",
        "/processes/cat/follow",
    ] {
        let head = Peer::unix(&sandbox).send(format!("GET /api/v1{path} HTTP/1.1\r\nHost: x\r\n\r\n")).head();
        let mut peer = Peer::unix(&sandbox);
        let answer = peer.send(format!("HEAD /api/v1{path} HTTP/1.1\r\nHost: x\r\n\r\n")).head();
        let without_date = |head: &[String]| -> Vec<String> {
            head.iter().filter(|field| !field.starts_with("Date: ")).cloned().collect()
        };
        assert_eq!(without_date(&answer), without_date(&head), "{path}");
        assert_eq!(answer[0], "HTTP/1.1 200 OK");
        assert!(answer.contains(&"Content-Type: text/event-stream".to_owned()), "{answer:?}");
        // Nothing follows.
        assert!(peer.ends(), "{path}: {:?}", peer.ahead);
    }
    let status = |mut peer: Peer, request: &str| {
        peer.send(format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n")).head().remove(0)
    };
    for (path, line) in [
        ("/processes/nope/follow", "HTTP/1.1 404 Not Found"),
        ("/processes/nope/logs/stdout?follow=true", "HTTP/1.1 404 Not Found"),
        ("/events?follow=true&after=x", "HTTP/1.1 400 Bad Request"),
        ("/log?follow=true&length=1", "HTTP/1.1 400 Bad Request"),
    ] {
        for method in ["GET", "HEAD"] {
            assert_eq!(
                status(Peer::unix(&sandbox), &format!("{method} /api/v1{path}")),
                line,
                "{method} {path}"
            );
        }
    }
    for method in ["GET", "HEAD"] {
        let answer = status(Peer::tcp(port), &format!("{method} /api/v1/processes/cat/follow"));
        assert_eq!(answer, "HTTP/1.1 403 Forbidden", "{method}");
    }
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
fn refused_requests_are_answered_in_json() {
    let [port, open] = free_ports();
    let servers = format!(
        "[inet_http_server]\nport=127.0.0.1:{port}\nusername=me\npassword=secret\n\
         [inet_http_server:open]\nport=127.0.0.1:{open}\n\
         [unix_http_server:metrics]\nfile=%(here)s/metrics.sock\nrole=metrics\n"
    );
    let sandbox = Sandbox::new(&format!("{HEAD}{servers}")).start();
    let metrics = || Peer::of(UnixStream::connect(sandbox.path("metrics.sock")).unwrap());
    let foreign = "Host: localhost\r\nOrigin: http://evil.example\r\n";
    // Only a browser can be tricked by a host name.
    let rebound = "Host: evil.example\r\nUser-Agent: Mozilla/5.0\r\n";
    let silent = "Host: localhost\r\nUser-Agent: Mozilla/5.0\r\n";
    let get = "GET /api/v1 HTTP/1.1\r\n";
    for (mut peer, request, line, name) in [
        (Peer::tcp(port), format!("{get}Host: x\r\n"), "401 Unauthorized", "UNAUTHORIZED"),
        (metrics(), format!("{get}Host: x\r\n"), "403 Forbidden", "FORBIDDEN"),
        (Peer::tcp(open), format!("{get}{rebound}"), "403 Forbidden", "FORBIDDEN"),
        (Peer::unix(&sandbox), format!("POST /api/v1 HTTP/1.1\r\n{foreign}"), "403 Forbidden", "FORBIDDEN"),
        // A browser that does not say which page it is for.
        (
            Peer::unix(&sandbox),
            format!("POST /api/v1/shutdown HTTP/1.1\r\n{silent}"),
            "403 Forbidden",
            "FORBIDDEN",
        ),
    ] {
        let answer = peer.send(format!("{request}\r\n")).answer();
        assert_eq!(status(&answer), line, "{request}");
        let error = &body(&answer)["error"];
        assert_eq!((&error["code"], &error["name"]), (&json!(null), &json!(name)), "{request}");
        assert!(!error["message"].as_str().unwrap().contains(name), "{error}");
        let challenge = (name == "UNAUTHORIZED").then_some("Basic realm=\"default\"");
        assert_eq!(answer.field("WWW-Authenticate"), challenge, "{request}");
        assert!(peer.ends(), "{request}");
    }
    for (head, line, name) in [
        ("Content-Length: 99999999", "413 Content Too Large", "CONTENT_TOO_LARGE"),
        ("Transfer-Encoding: gzip", "501 Not Implemented", "NOT_IMPLEMENTED"),
        ("Transfer-Encoding: chunked\r\n\r\nnope", "400 Bad Request", "BAD_REQUEST"),
    ] {
        let request =
            format!("POST /api/v1/processes/x/signal HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n");
        let answer = Peer::unix(&sandbox).send(request).answer();
        assert_eq!(
            (status(&answer).as_str(), &body(&answer)["error"]["name"]),
            (line, &json!(name)),
            "{head}"
        );
    }
    let authorized = format!("{get}Host: x\r\nAuthorization: Basic bWU6c2VjcmV0\r\n\r\n");
    assert_eq!(Peer::tcp(port).send(authorized).answer().line, "HTTP/1.1 200 OK");
}

#[test]
fn a_request_to_a_server_that_is_gone_is_refused_in_json() {
    let port = free_port();
    let server = format!("[inet_http_server]\nport=127.0.0.1:{port}\n");
    let mut sandbox = Sandbox::new(&format!("{HEAD}{server}")).start();
    let body_of = |text: &str| text.to_owned();
    let mut peer = Peer::tcp(port);
    peer.send(body_of("POST /api/v1/processes/x/signal HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"));
    sandbox.replace("supervisord.conf", &server, "");
    assert!(sandbox.ctl(&["reload"]).success);
    sandbox.wait("the port to be closed", |_| std::net::TcpStream::connect(("127.0.0.1", port)).err());
    let answer = peer.send(body_of("\"a\": 1}\n")).answer();
    assert_eq!(status(&answer), "401 Unauthorized");
    assert_eq!(body(&answer)["error"]["name"], json!("UNAUTHORIZED"));
}

#[test]
fn events_are_listed_by_their_serials() {
    let sandbox = started();
    let mut peer = Peer::unix(&sandbox);
    let all = get(&mut peer, "/events");
    assert_eq!(members(&all), ["events", "missed", "newest"]);
    let events = all["events"].as_array().unwrap();
    let serials: Vec<_> = events.iter().map(|event| event["serial"].as_u64().unwrap()).collect();
    assert_eq!(serials, (1..=all["newest"].as_u64().unwrap()).collect::<Vec<_>>());
    assert_eq!(all["missed"], json!(false));
    let job = events.iter().rfind(|event| event["full_name"] == json!("job")).unwrap();
    let every = ["at", "end", "from", "full_name", "group", "kind", "name", "pid", "reason", "serial", "to"];
    assert_eq!(members(job), every);
    assert_eq!(
        (&job["kind"], &job["from"], &job["to"]),
        (&json!("process"), &json!("BACKOFF"), &json!("FATAL"))
    );

    let some = get(&mut peer, "/events?after=2&limit=2");
    let serials: Vec<_> = some["events"].as_array().unwrap().iter().map(|it| &it["serial"]).collect();
    assert_eq!(serials, [&json!(3), &json!(4)]);
    // A serial of another run: everything is new.
    let beyond = get(&mut peer, "/events?after=4000000000");
    assert_eq!((&beyond["missed"], &beyond["events"]), (&json!(true), &all["events"]));

    sandbox.replace("supervisord.conf", ", ghost?\nstopsignal=INT\n[program:ghost]", "\n[program:other]");
    assert!(sandbox.ctl(&["update"]).success);
    let after = format!("/events?after={}", all["newest"]);
    let changes = get(&mut peer, &after);
    let changes: Vec<_> =
        changes["events"].as_array().unwrap().iter().filter(|it| it["kind"] == "group").collect();
    let change = |event: &Json| (event["group"].clone(), event["change"].clone());
    let mut changes: Vec<_> =
        changes.into_iter().map(change).map(|(group, change)| format!("{group} {change}")).collect();
    changes.sort();
    assert_eq!(changes, ["\"cat\" \"updated\"", "\"ghost\" \"removed\"", "\"other\" \"added\""]);
    for (query, name) in
        [("after=-1", "BAD_REQUEST"), ("after=x", "BAD_REQUEST"), ("follow=yes", "BAD_REQUEST")]
    {
        let (status, body) = ask(&mut peer, &format!("GET /api/v1/events?{query}"));
        assert_eq!((status.as_str(), &body["error"]["name"]), ("400 Bad Request", &json!(name)), "{query}");
    }
}

#[test]
fn followed_events_come_as_they_happen_and_resume_without_a_gap() {
    let sandbox = started();
    let mut live = Events::follow(Peer::unix(&sandbox), "/events?follow=true", "");
    assert!(sandbox.ctl(&["restart", "cat"]).success);
    let events = live.up_to("\"to\":\"RUNNING\"");
    // It waits for its dependency before it is spawned.
    assert_eq!(states(&events, "cat"), ["STOPPING", "STOPPED", "STARTING", "STARTING", "RUNNING"]);
    for (id, event, data) in &events {
        assert_eq!((json!(id), event.as_str()), (data["serial"].clone(), "process"));
    }
    drop(live);
    assert!(sandbox.ctl(&["stop", "cat"]).success);
    // The header of a browser that comes back wins over the address that it opened first.
    let last = events.last().unwrap().0.unwrap();
    let back = format!("Last-Event-ID: {last}\r\n");
    let mut again = Events::follow(Peer::unix(&sandbox), "/events?follow=true&after=1", &back);
    let missed = again.up_to("\"to\":\"STOPPED\"");
    assert_eq!(missed[0].0, Some(last + 1));
    assert_eq!(states(&missed, "cat"), ["STOPPING", "STOPPED"]);
    // From the beginning.
    let mut all = Events::follow(Peer::unix(&sandbox), "/events?follow=true&after=0", "");
    let (id, event, _) = all.next().unwrap();
    assert_eq!((id, event.as_str()), (Some(1), "supervisor"));
    // A serial of another run.
    let mut foreign = Events::follow(Peer::unix(&sandbox), "/events?follow=true&after=99999", "");
    let (id, event, data) = foreign.next().unwrap();
    assert_eq!((id, event.as_str(), data), (None, "gap", json!({"after": 99999, "oldest": 1})));
    assert_eq!(foreign.next().unwrap().0, Some(1));
}

#[test]
fn a_stream_of_events_lasts_until_the_end() {
    let mut sandbox = started();
    let mut live = Events::follow(Peer::unix(&sandbox), "/events?follow=true", "");
    assert!(sandbox.ctl(&["shutdown"]).success);
    let events: Vec<_> = std::iter::from_fn(|| live.next()).collect();
    assert_eq!(events[0].2["state"], json!("SHUTDOWN"), "{events:?}");
    assert_eq!(states(&events, "cat"), ["STOPPING", "STOPPED"]);
    sandbox.wait_exit();
}

#[test]
fn a_stream_of_events_ends_with_the_password_that_opened_it() {
    let port = free_port();
    let server = format!("[inet_http_server]\nport=127.0.0.1:{port}\nusername=me\npassword=secret\n");
    let mut sandbox =
        Sandbox::new(&format!("{HEAD}{server}[program:cat]\ncommand=/bin/cat\nstartsecs=0\n")).start();
    sandbox.wait_state("cat", "RUNNING");
    let authorization = "Authorization: Basic bWU6c2VjcmV0\r\n";
    let mut outsider = Events::follow(Peer::tcp(port), "/events?follow=true", authorization);
    let mut local = Events::follow(Peer::unix(&sandbox), "/events?follow=true", "");
    sandbox.replace("supervisord.conf", "password=secret", "password=other");
    assert!(sandbox.ctl(&["reload"]).success);
    // Up to the restart it may see what happens.
    while outsider.next().is_some() {}
    // The stream of a server that has not changed continues.
    let is_running = |(_, _, data): (Option<u64>, String, Json)| data["to"] == json!("RUNNING");
    assert!(std::iter::from_fn(|| local.next()).any(is_running));
}

/// More events than the log keeps and a socket holds.
fn flood(sandbox: &Sandbox, enough: impl Fn(u64) -> bool) {
    let mut peer = Peer::unix(sandbox);
    let newest = |peer: &mut Peer| get(peer, "")["newest_event"].as_u64().unwrap();
    let first = newest(&mut peer);
    while !enough(newest(&mut peer) - first) {
        for method in ["supervisor.startProcessGroup", "supervisor.stopProcessGroup"] {
            peer.call(method, &["crowd".into()]).unwrap();
        }
    }
}

const CROWD: &str = "[program:crowd]\ncommand=/bin/sleep 1000\nprocess_name=%(process_num)d\nnumprocs=50\nstartsecs=0\nautostart=false\n";

#[test]
fn a_reader_that_is_too_slow_is_disconnected_and_learns_what_it_has_missed() {
    let sandbox = Sandbox::with_programs(CROWD).start();
    let mut slow = Events::follow(Peer::unix(&sandbox), "/events?follow=true", "");
    flood(&sandbox, |events| events > 5000);
    let mut last = 0;
    while let Some((id, ..)) = slow.next() {
        let id = id.unwrap();
        assert!(last == 0 || id == last + 1, "{id} after {last}");
        last = id;
    }
    let back = format!("Last-Event-ID: {last}\r\n");
    let mut again = Events::follow(Peer::unix(&sandbox), "/events?follow=true", &back);
    let (id, event, data) = again.next().unwrap();
    assert_eq!((id, event.as_str(), &data["after"]), (None, "gap", &json!(last)));
    assert_eq!(again.next().unwrap().0.map(Json::from), Some(data["oldest"].clone()));
}

#[test]
fn two_hundred_streams_cost_little() {
    let sandbox = Sandbox::with_programs(CROWD).start();
    flood(&sandbox, |events| events > 1200);
    let pid = sandbox.supervisor_pid();
    let before = anonymous_kib(pid);
    let mut streams: Vec<_> =
        (0..200).map(|_| Events::follow(Peer::unix(&sandbox), "/events?follow=true", "")).collect();
    let grown = anonymous_kib(pid).saturating_sub(before);
    assert!(grown < 1024, "200 streams cost {grown} KiB");
    assert!(sandbox.ctl(&["start", "crowd:7"]).success);
    for stream in &mut streams {
        assert_eq!(states(&stream.up_to("\"to\":\"RUNNING\""), "crowd:7"), ["STARTING", "RUNNING"]);
    }
}

const LOGS: &str = "\
[program:talks]
command=/usr/bin/perl -e '$| = 1; binmode(STDOUT); open(F, \"<\", \"fifo\"); while (sysread(F, my $b, 65536)) { print $b }'
startsecs=0
stdout_logfile=%(here)s/talks.log
stderr_logfile=NONE
[program:ring]
command=/bin/sh -c 'echo of the ring; exec sleep 1000'
startsecs=0
stdout_logfile=/dev/stdout
[program:off]
command=/bin/cat
autostart=false
stdout_logfile=%(here)s/off.log
";

/// Appends to the log of `talks`, as the program does.
fn say(sandbox: &mut Sandbox, bytes: &[u8]) {
    let path = sandbox.path("talks.log");
    let size = || std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    let expected = size() + bytes.len() as u64;
    std::fs::OpenOptions::new().write(true).open(sandbox.path("fifo")).unwrap().write_all(bytes).unwrap();
    sandbox.wait("the log to be written", |_| (size() >= expected).then_some(()));
}

fn with_logs() -> (Sandbox, File) {
    let sandbox = Sandbox::with_programs(LOGS);
    assert!(std::process::Command::new("mkfifo").arg(sandbox.path("fifo")).status().unwrap().success());
    // With a writer the FIFO does not end between two texts.
    let keep = File::options().read(true).write(true).open(sandbox.path("fifo")).unwrap();
    let mut sandbox = sandbox.start();
    sandbox.wait_state("talks", "RUNNING");
    sandbox.wait_terminal("of the ring");
    (sandbox, keep)
}

#[test]
fn logs_are_read_by_offsets_of_whole_characters() {
    let (mut sandbox, _keep) = with_logs();
    say(&mut sandbox, "one €\ntwo\n".as_bytes());
    let mut peer = Peer::unix(&sandbox);
    for (query, expected) in [
        ("", json!({"text": "one €\ntwo\n", "offset": 12, "overflow": false})),
        ("?bytes=4", json!({"text": "two\n", "offset": 12, "overflow": true})),
        // In the middle of the euro sign.
        ("?bytes=6", json!({"text": "\ntwo\n", "offset": 12, "overflow": true})),
        ("?offset=0&length=6", json!({"text": "one ", "offset": 4, "overflow": false})),
        ("?offset=4&length=3", json!({"text": "€", "offset": 7, "overflow": false})),
        ("?offset=7", json!({"text": "\ntwo\n", "offset": 12, "overflow": false})),
        ("?offset=99", json!({"text": "", "offset": 12, "overflow": false})),
    ] {
        assert_eq!(get(&mut peer, &format!("/processes/talks/logs/stdout{query}")), expected, "{query}");
    }
    let ring = get(&mut peer, "/processes/ring/logs/stdout");
    assert_eq!(ring, json!({"text": "of the ring\n", "offset": 12, "overflow": false}));
    assert!(get(&mut peer, "/log")["text"].as_str().unwrap().contains("spawned: 'talks'"));
    for (path, status, name) in [
        ("processes/off/logs/stdout", "422 Unprocessable Content", "NO_FILE"),
        ("processes/nope/logs/stdout", "404 Not Found", "BAD_NAME"),
        ("processes/nope/logs/stdout?follow=true", "404 Not Found", "BAD_NAME"),
        ("processes/talks/logs/stderr?follow=true", "422 Unprocessable Content", "NO_FILE"),
        ("processes/talks/logs/stdin", "404 Not Found", "NOT_FOUND"),
        ("processes/talks/logs/stdout?length=3", "400 Bad Request", "BAD_REQUEST"),
        ("processes/talks/logs/stdout?offset=1&bytes=3", "400 Bad Request", "BAD_REQUEST"),
        ("processes/talks/logs/stdout?offset=-1", "400 Bad Request", "BAD_REQUEST"),
    ] {
        let (line, body) = ask(&mut peer, &format!("GET /api/v1/{path}"));
        assert_eq!((line.as_str(), &body["error"]["name"]), (status, &json!(name)), "{path}");
    }
}

#[test]
fn a_followed_log_resumes_at_its_offset_and_ends_with_its_process() {
    let (mut sandbox, _keep) = with_logs();
    say(&mut sandbox, "first line\n".as_bytes());
    let path = "/processes/talks/logs/stdout?follow=true";
    let mut live = Events::follow(Peer::unix(&sandbox), &format!("{path}&bytes=5"), "");
    assert_eq!(live.next().unwrap(), (Some(11), "message".to_owned(), json!({"text": "line\n"})));
    // The second half of a character comes later.
    say(&mut sandbox, b"a \xe2\x82");
    assert_eq!(live.next().unwrap().2, json!({"text": "a "}));
    say(&mut sandbox, b"\xac \"q\" \x1b[1m\xff\n");
    let (id, _, data) = live.next().unwrap();
    assert_eq!((id, data), (Some(27), json!({"text": "€ \"q\" \u{1b}[1m\u{fffd}\n"})));
    drop(live);
    say(&mut sandbox, b"missed\n");
    let mut again = Events::follow(Peer::unix(&sandbox), path, "Last-Event-ID: 27\r\n");
    assert_eq!(again.next().unwrap().2, json!({"text": "missed\n"}));
    let mut from = Events::follow(Peer::unix(&sandbox), &format!("{path}&offset=6"), "");
    assert!(from.next().unwrap().2["text"].as_str().unwrap().starts_with("line\n"));

    // A line of a mebibyte, with control characters.
    say(&mut sandbox, &[b"\x01".repeat(1 << 20), b"\nend".to_vec()].concat());
    let pieces: String =
        again.up_to("end").iter().map(|(_, _, data)| data["text"].as_str().unwrap()).collect();
    assert_eq!(pieces, format!("{}\nend", "\u{1}".repeat(1 << 20)));
    let mut peer = Peer::unix(&sandbox);
    let tail = get(&mut peer, "/processes/talks/logs/stdout?bytes=4000000");
    assert_eq!((tail["text"].as_str().unwrap().len(), &tail["overflow"]), (1 << 20, &json!(true)));

    sandbox.write("talks.log", "");
    say(&mut sandbox, b"new\n");
    assert_eq!(again.next().unwrap(), (Some(0), "gap".to_owned(), json!({"missed_bytes": null})));
    assert_eq!(again.next().unwrap().2, json!({"text": "new\n"}));
    assert!(sandbox.ctl(&["stop", "talks"]).success && sandbox.ctl(&["remove", "talks"]).success);
    assert_eq!(again.next().unwrap(), (None, "end".to_owned(), json!({})));
    assert_eq!(again.next(), None);
}

#[test]
fn the_events_and_both_logs_of_a_process_come_in_one_stream() {
    let (mut sandbox, _keep) = with_logs();
    say(&mut sandbox, "one €\ntwo\n".as_bytes());
    let path = "/processes/talks/follow?after=0";
    let mut live = Events::follow(Peer::unix(&sandbox), &format!("{path}&bytes=4"), "");
    assert_eq!(live.next().unwrap(), (None, "logs".to_owned(), json!({"stdout": true, "stderr": false})));
    let events = live.up_to("two");
    assert_eq!(events[0].1, "supervisor");
    assert_eq!(states(&events, "talks"), ["STARTING", "RUNNING"]);
    let last = events.last().unwrap();
    assert_eq!(*last, (None, "stdout".to_owned(), json!({"offset": 12, "text": "two\n"})));
    // What comes later is sent at once, of either kind.
    say(&mut sandbox, b"three\n");
    assert_eq!(live.next().unwrap().2, json!({"offset": 18, "text": "three\n"}));
    assert!(sandbox.ctl(&["start", "off"]).success);
    assert_eq!(states(&live.up_to("RUNNING"), "off"), ["STARTING", "RUNNING"]);
    let newest = get(&mut Peer::unix(&sandbox), "")["newest_event"].clone();
    let again = format!("/processes/talks/follow?after={newest}&stdout=12&stderr=0");
    let mut again = Events::follow(Peer::unix(&sandbox), &again, "");
    assert_eq!(
        (again.next().unwrap().1.as_str(), again.next().unwrap().2["offset"].clone()),
        ("logs", json!(18))
    );
    sandbox.write("talks.log", "");
    say(&mut sandbox, b"new\n");
    let gap = (None, "stdout".to_owned(), json!({"offset": 0, "missed_bytes": null}));
    assert_eq!((again.next().unwrap(), again.next().unwrap().2["text"].clone()), (gap, json!("new\n")));
    assert!(sandbox.ctl(&["stop", "talks"]).success && sandbox.ctl(&["remove", "talks"]).success);
    for mut stream in [live, again] {
        let events: Vec<_> = std::iter::from_fn(|| stream.next()).collect();
        assert_eq!(*events.last().unwrap(), (None, "end".to_owned(), json!({})));
    }
    for (query, status, name) in [
        ("talks/follow", "404 Not Found", "BAD_NAME"),
        ("off/follow?stdout=x", "400 Bad Request", "BAD_REQUEST"),
        ("off/follow?follow=true", "400 Bad Request", "BAD_REQUEST"),
    ] {
        let (line, body) = ask(&mut Peer::unix(&sandbox), &format!("GET /api/v1/processes/{query}"));
        assert_eq!((line.as_str(), &body["error"]["name"]), (status, &json!(name)), "{query}");
    }
}

/// Without it, proxies close a connection on which nothing happens.
#[test]
fn every_stream_is_kept_alive() {
    let (mut sandbox, _keep) = with_logs();
    let newest = get(&mut Peer::unix(&sandbox), "")["newest_event"].clone();
    let paths = [
        format!("/events?follow=true&after={newest}"),
        "/processes/talks/logs/stdout?follow=true".to_owned(),
        format!("/processes/talks/follow?after={newest}"),
    ];
    let mut streams = paths.map(|path| Events::follow(Peer::unix(&sandbox), &path, ""));
    assert_eq!(streams[2].next().unwrap().1, "logs");
    for stream in &mut streams {
        assert_eq!(stream.chunk().as_deref(), Some(&b":\n\n"[..]));
    }
    // They continue after that.
    say(&mut sandbox, b"more\n");
    assert_eq!(streams[1].next().unwrap().2, json!({"text": "more\n"}));
}

#[test]
fn lists_of_many_processes_are_complete() {
    let many =
        "[program:many]\ncommand=/bin/cat\nautostart=false\nnumprocs=300\nprocess_name=%(process_num)04d\n";
    let sandbox = Sandbox::with_programs(many).start();
    let mut peer = Peer::unix(&sandbox);
    let list = get(&mut peer, "/processes");
    assert_eq!((names(&list).len(), &list["summary"]["total"]), (300, &json!(300)));
    assert_eq!(get(&mut peer, "/graph")["nodes"].as_array().unwrap().len(), 300);
    assert_eq!(names(&get(&mut peer, "/config")).len(), 300);
}

#[test]
fn nothing_happens_between_two_events() {
    let mut sandbox = started();
    let mut streams: Vec<_> =
        (0..20).map(|_| Events::follow(Peer::unix(&sandbox), "/events?follow=true&after=0", "")).collect();
    streams.iter_mut().for_each(|stream| drop(stream.up_to("\"to\":\"FATAL\"")));
    let (before, since) = (sleeps(sandbox.supervisor_pid()), Instant::now());
    sandbox.wait("two seconds", |_| (since.elapsed() > Duration::from_secs(2)).then_some(()));
    // The last turns of what was done before, and one comment for all streams.
    let wakes = sleeps(sandbox.supervisor_pid()) - before;
    assert!(wakes <= 3, "{wakes} wake-ups");
}

#[test]
fn clients_that_watch_cost_nothing_between_two_events() {
    let mut sandbox = started();
    // So many that requests for each table would be more than the few wake-ups below.
    let tables = ["table.0", "table.1", "table.2", "table.3", "table.4"];
    let mut clients: Vec<_> = tables.iter().map(|out| spawn(&sandbox, &["ps", "-w"], out)).collect();
    clients.push(spawn(&sandbox, &["events", "-f", "--since", "0"], "events"));
    sandbox.wait_file("events", "-> FATAL");
    let drawn = |sandbox: &Sandbox| tables.map(|out| sandbox.file(out).matches("NAME ").count());
    let draw_again = |sandbox: &mut Sandbox, times: usize| {
        let before = drawn(sandbox);
        sandbox.wait("the next tables", |sandbox| {
            drawn(sandbox).iter().zip(before).all(|(now, before)| *now >= before + times).then_some(())
        });
    };
    // The events follow after the first table.
    draw_again(&mut sandbox, 2);
    let before = sleeps(sandbox.supervisor_pid());
    draw_again(&mut sandbox, 2);
    let wakes = sleeps(sandbox.supervisor_pid()) - before;
    assert!(wakes <= 3, "{wakes} wake-ups");
    for client in &mut clients {
        interrupt(client);
        assert_eq!(exit_code(&mut sandbox, client), Some(0));
    }
}

const ACTED_ON: &str = "\
[program:cat]
command=/bin/cat
startsecs=0
[program:web]
command=/bin/sleep 1000
process_name=%(process_num)d
numprocs=2
startsecs=0
[program:slow]
command=/bin/sh -c 'trap \"\" TERM; echo up; while :; do sleep 1000; done'
startsecs=0
autostart=false
stopwaitsecs=3600
stdout_logfile=%(here)s/slow.log
[program:ghost]
command=/nonexistent/ghost
autostart=false
[program:hup]
command=/bin/sh -c 'trap \"echo hup\" HUP; echo ready; while :; do sleep 1000 & wait $!; done'
startsecs=0
stopasgroup=true
stdout_logfile=%(here)s/hup.log
";

fn post(peer: &mut Peer, path: &str) -> (String, Json) {
    ask(peer, &format!("POST /api/v1{path}"))
}

fn done(results: &[(&str, &str)]) -> Json {
    let rows = results.iter().map(|(group, name)| {
        let full_name = if group == name { (*group).to_owned() } else { format!("{group}:{name}") };
        json!({"full_name": full_name, "group": group, "name": name, "error": null})
    });
    Json::Array(rows.collect())
}

fn pid_of(peer: &mut Peer, name: &str) -> Json {
    get(peer, &format!("/processes/{name}"))["process"]["pid"].clone()
}

#[test]
fn processes_are_started_stopped_and_restarted() {
    let mut sandbox = Sandbox::with_programs(ACTED_ON).start();
    sandbox.wait_file("hup.log", "ready");
    let mut peer = Peer::unix(&sandbox);
    let cat = done(&[("cat", "cat")]);
    for (path, status, body) in [
        ("cat/stop?wait=30", "200 OK", json!({"completed": true, "results": cat})),
        ("cat/start?wait=30", "200 OK", json!({"completed": true, "results": cat})),
        ("cat/restart?wait=30", "200 OK", json!({"completed": true, "results": cat})),
        (
            "web:*/stop?wait=30",
            "200 OK",
            json!({"completed": true, "results": done(&[("web", "1"), ("web", "0")])}),
        ),
        (
            "web:*/start?wait=30",
            "200 OK",
            json!({"completed": true, "results": done(&[("web", "0"), ("web", "1")])}),
        ),
        ("cat/stop", "202 Accepted", json!({"completed": false, "results": cat})),
    ] {
        let before = pid_of(&mut peer, "cat");
        let (line, mut answer) = post(&mut peer, &format!("/processes/{path}"));
        // Those of a group are finished in any order.
        if path.starts_with("web") {
            let by_name = |row: &Json| row["name"].as_str().unwrap().to_owned();
            answer["results"].as_array_mut().unwrap().sort_by_key(by_name);
            let mut body = body;
            body["results"].as_array_mut().unwrap().sort_by_key(by_name);
            assert_eq!((line.as_str(), answer), (status, body), "{path}");
        } else {
            assert_eq!((line.as_str(), answer), (status, body), "{path}");
            // Without waiting it may still be there.
            assert!(!path.contains("wait") || pid_of(&mut peer, "cat") != before, "{path}");
        }
    }
    sandbox.wait_state("cat", "STOPPED");
    assert_eq!(post(&mut peer, "/processes/cat/start").0, "202 Accepted");
    sandbox.wait_state("cat", "RUNNING");
    for (path, status, name) in [
        ("cat/start", "409 Conflict", "ALREADY_STARTED"),
        ("ghost/stop", "409 Conflict", "NOT_RUNNING"),
        ("ghost/start", "422 Unprocessable Content", "NO_FILE"),
        ("ghost/restart", "422 Unprocessable Content", "NO_FILE"),
        ("nope/start", "404 Not Found", "BAD_NAME"),
        ("nope/restart?wait=1", "404 Not Found", "BAD_NAME"),
        ("cat/nope", "404 Not Found", "NOT_FOUND"),
        ("cat/start?wait=3601", "400 Bad Request", "BAD_REQUEST"),
        ("cat/start?wait=1.5", "400 Bad Request", "BAD_REQUEST"),
        ("cat/start?signal=HUP", "400 Bad Request", "BAD_REQUEST"),
    ] {
        let (line, body) = post(&mut peer, &format!("/processes/{path}"));
        assert_eq!((line.as_str(), &body["error"]["name"]), (status, &json!(name)), "{path}: {body}");
    }
    let (line, body) = ask(&mut peer, "GET /api/v1/processes/cat/start");
    assert_eq!(
        (line.as_str(), &body["error"]["name"]),
        ("405 Method Not Allowed", &json!("METHOD_NOT_ALLOWED"))
    );
}

#[test]
fn a_client_that_has_waited_long_enough_is_answered_and_its_action_continues() {
    let mut sandbox = Sandbox::with_programs(ACTED_ON).start();
    let mut peer = Peer::unix(&sandbox);
    assert_eq!(post(&mut peer, "/processes/slow/start?wait=30").0, "200 OK");
    sandbox.wait_file("slow.log", "up");
    let unfinished = ("202 Accepted".to_owned(), json!({"completed": false, "results": []}));
    assert_eq!(post(&mut peer, "/processes/slow/restart?wait=1"), unfinished);
    // The connection is free for other requests.
    let slow = get(&mut peer, "/processes/slow")["process"].clone();
    assert_eq!(slow["state"], json!("STOPPING"));
    let kill = |peer: &mut Peer| assert_eq!(post(peer, "/processes/slow/signal?signal=KILL").0, "200 OK");
    kill(&mut peer);
    sandbox.wait_state("slow", "RUNNING");
    assert_ne!(pid_of(&mut peer, "slow"), slow["pid"]);

    // All of them, without waiting and without the connection.
    sandbox.wait("the shell to ignore SIGTERM", |sandbox| {
        (sandbox.file("slow.log") == "up\nup\n").then_some(())
    });
    let web = pid_of(&mut peer, "web:0");
    assert_eq!(post(&mut Peer::unix(&sandbox), "/processes/*/restart"), unfinished);
    sandbox.wait_state("cat", "STOPPED");
    kill(&mut peer);
    sandbox.wait_state("web:0", "RUNNING");
    sandbox.wait_state("slow", "RUNNING");
    assert_ne!(pid_of(&mut peer, "web:0"), web);
}

#[test]
fn a_restart_is_completed_for_a_client_that_has_gone() {
    let mut sandbox = Sandbox::with_programs(ACTED_ON).start();
    let mut peer = Peer::unix(&sandbox);
    assert_eq!(post(&mut peer, "/processes/slow/start?wait=30").0, "200 OK");
    sandbox.wait_file("slow.log", "up");
    for name in ["slow", "*"] {
        let before = pid_of(&mut peer, "slow");
        let mut gone = Peer::unix(&sandbox);
        gone.send(format!("POST /api/v1/processes/{name}/restart?wait=60 HTTP/1.1\r\n\r\n"));
        sandbox.wait_state("slow", "STOPPING");
        drop(gone);
        assert_eq!(post(&mut peer, "/processes/slow/signal?signal=KILL").0, "200 OK");
        sandbox.wait_state("slow", "RUNNING");
        assert_ne!(pid_of(&mut peer, "slow"), before, "{name}");
        let lines = if name == "*" { 3 } else { 2 };
        sandbox
            .wait("SIGTERM to be ignored", |it| (it.file("slow.log").lines().count() == lines).then_some(()));
    }
}

#[test]
fn signals_and_logs_are_handled() {
    let mut sandbox = Sandbox::with_programs(ACTED_ON).start();
    sandbox.wait_file("hup.log", "ready");
    let mut peer = Peer::unix(&sandbox);
    let finished = json!({"completed": true, "results": done(&[("hup", "hup")])});
    assert_eq!(
        post(&mut peer, "/processes/hup/signal?signal=SIGHUP"),
        ("200 OK".to_owned(), finished.clone())
    );
    sandbox.wait_file("hup.log", "hup");
    assert_eq!(post(&mut peer, "/processes/hup/clear_logs"), ("200 OK".to_owned(), finished));
    assert_eq!(sandbox.file("hup.log"), "");
    for (body, status) in [
        ("{\"signal\":\"hup\"}", "200 OK"),
        ("{\"signal\":1}", "200 OK"),
        ("{\"signal\":\"NOPE\"}", "400 Bad Request"),
        ("{\"signal\":null}", "400 Bad Request"),
        ("{\"signal\":", "400 Bad Request"),
        ("[]", "400 Bad Request"),
        ("\u{1}\"<", "400 Bad Request"),
        ("", "400 Bad Request"),
    ] {
        let length = body.len();
        let request =
            format!("POST /api/v1/processes/hup/signal HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}");
        assert_eq!(self::status(&peer.send(request).answer()), status, "{body}");
    }
    let (line, body) = post(&mut peer, "/processes/ghost/signal?signal=HUP");
    assert_eq!((line.as_str(), &body["error"]["name"]), ("409 Conflict", &json!("NOT_RUNNING")));
    let (line, body) = post(&mut peer, "/processes/*/clear_logs");
    assert_eq!((line.as_str(), body["results"].as_array().unwrap().len()), ("200 OK", 6));
}

#[test]
fn the_configuration_is_shown_reread_and_applied() {
    let sandbox = Sandbox::with_programs(ACTED_ON).start();
    let mut peer = Peer::unix(&sandbox);
    let config = get(&mut peer, "/config");
    assert_eq!(names(&config), ["web:0", "web:1", "cat", "ghost", "hup", "slow"]);
    let web = &config["processes"][0];
    assert_eq!(members(web), ["config", "full_name", "group", "group_priority", "in_use", "name"]);
    assert_eq!((&web["in_use"], &web["config"]["command"]), (&json!(true), &json!("/bin/sleep 1000")));

    let unchanged = ("200 OK".to_owned(), json!({"added": [], "changed": [], "removed": []}));
    assert_eq!(post(&mut peer, "/reread"), unchanged);
    sandbox.replace("supervisord.conf", "[program:ghost]", "[program:spirit]");
    sandbox.replace("supervisord.conf", "numprocs=2", "numprocs=1");
    let changes = json!({"added": ["spirit"], "changed": ["web"], "removed": ["ghost"]});
    assert_eq!(post(&mut peer, "/reread"), ("200 OK".to_owned(), changes));
    let row = |group: &str, name: Json, full_name: &str, outcome: &str| json!({"group": group, "name": name, "full_name": full_name, "outcome": outcome, "error": null});
    let web = [row("web", json!("0"), "web:0", "unchanged"), row("web", json!("1"), "web:1", "removed")];
    assert_eq!(post(&mut peer, "/update?group=web"), ("200 OK".to_owned(), json!({"results": web})));
    let others =
        [row("ghost", Json::Null, "ghost:*", "removed"), row("spirit", Json::Null, "spirit:*", "added")];
    assert_eq!(post(&mut peer, "/update"), ("200 OK".to_owned(), json!({"results": others})));
    assert_eq!(post(&mut peer, "/update"), ("200 OK".to_owned(), json!({"results": []})));
    let (line, body) = post(&mut peer, "/update?group=nope");
    assert_eq!((line.as_str(), &body["error"]["name"]), ("404 Not Found", &json!("BAD_NAME")));
    assert_eq!(names(&get(&mut peer, "/processes")), ["cat", "hup", "slow", "spirit", "web:0"]);

    sandbox.replace("supervisord.conf", "numprocs=1", "numprocs=one");
    for path in ["/reread", "/update", "/restart"] {
        let (line, body) = post(&mut peer, path);
        let error = (&body["error"]["code"], &body["error"]["name"]);
        assert_eq!(
            (line.as_str(), error),
            ("422 Unprocessable Content", (&json!(92), &json!("CANT_REREAD"))),
            "{path}"
        );
    }
}

#[test]
fn the_graph_says_who_depends_on_whom() {
    let sandbox = started();
    let graph = get(&mut Peer::unix(&sandbox), "/graph");
    let nodes: Vec<_> =
        graph["nodes"].as_array().unwrap().iter().map(|it| it["full_name"].as_str().unwrap()).collect();
    assert_eq!(nodes, ["cat", "ghost", "job", "web:web_00", "web:web_01"]);
    let edge = |to: &str, condition: &str, optional: bool, holds: bool| json!({"from": "cat", "to": to, "condition": condition, "optional": optional, "kind": "depends_on", "holds": holds});
    let edges = [
        edge("web:web_00", "started", false, true),
        edge("web:web_01", "started", false, true),
        edge("ghost", "ready", true, false),
    ];
    assert_eq!((&graph["edges"], &graph["truncated"]), (&json!(edges), &json!(false)));
}

#[test]
fn a_program_is_scaled_and_the_difference_is_shown() {
    let sandbox = started();
    let mut peer = Peer::unix(&sandbox);
    assert_eq!(get(&mut peer, "/diff"), json!({"groups": []}));
    let (line, body) = post(&mut peer, "/programs/web/scale?processes=1");
    assert_eq!(line, "200 OK");
    let row = |name: &str, outcome: &str| json!({"full_name": format!("web:{name}"), "group": "web", "name": name, "outcome": outcome, "error": null});
    assert_eq!(body, json!({"results": [row("web_00", "unchanged"), row("web_01", "removed")]}));
    let process = json!({"full_name": "web:web_01", "group": "web", "name": "web_01", "change": "added", "action": "start", "options": []});
    let group = json!({"group": "web", "change": "changed", "processes": [process]});
    assert_eq!(get(&mut peer, "/diff"), json!({"groups": [group]}));
    sandbox.replace(
        "supervisord.conf",
        "[program:cat]\n",
        "[program:cat]\npriority=5\nenvironment=TOKEN=\"secret\"\n",
    );
    let body = get(&mut peer, "/diff");
    let options = json!([
        {"name": "priority", "effect": "in_place", "old": "999", "new": "5"},
        {"name": "environment", "effect": "restart", "old": null, "new": "TOKEN=..."},
    ]);
    assert_eq!(body["groups"][0]["processes"][0]["options"], options, "{body}");
    assert!(!body.to_string().contains("secret"), "{body}");
    for (target, status, name) in [
        ("/programs/web/scale", "400 Bad Request", "BAD_REQUEST"),
        ("/programs/web/scale?processes=-1", "400 Bad Request", "BAD_REQUEST"),
        ("/programs/web/scale?processes=5000000000", "400 Bad Request", "BAD_REQUEST"),
        ("/programs/web/scale?processes=10001", "422 Unprocessable Content", "CANT_REREAD"),
        ("/programs/nope/scale?processes=1", "404 Not Found", "BAD_NAME"),
    ] {
        let (line, body) = post(&mut peer, target);
        assert_eq!((line.as_str(), &body["error"]["name"]), (status, &json!(name)), "{target}: {body}");
    }
}

#[test]
fn a_client_sees_what_a_program_is_started_with() {
    let sandbox = started();
    let launch = get(&mut Peer::unix(&sandbox), "/processes/web:web_00/launch");
    let environment = launch["environment"].as_array().unwrap();
    assert!(environment.contains(&json!(["SUPERVISOR_PROCESS_NAME", "web_00"])), "{launch}");
    assert_eq!(launch["user"]["uid"], json!(rustix::process::getuid().as_raw()));
    assert_eq!((&launch["full_name"], &launch["omitted"]), (&json!("web:web_00"), &json!([])));
    assert_eq!(launch["isolation"].as_array().unwrap().len(), 8, "{launch}");
}

#[test]
fn the_description_is_served() {
    let sandbox = Sandbox::with_programs("").start();
    let served = get(&mut Peer::unix(&sandbox), "/openapi.json");
    assert_eq!((&served["openapi"], &served), (&json!("3.1.0"), &Document::new().0));
}

#[test]
fn resources_are_read_of_the_processes_that_run() {
    let mut sandbox = Sandbox::with_programs(ACTED_ON).start();
    sandbox.wait_state("cat", "RUNNING");
    let mut peer = Peer::unix(&sandbox);
    let resources = get(&mut peer, "/resources");
    assert_eq!(names(&resources), ["cat", "hup", "web:0", "web:1"]);
    assert!(is_time(&resources["now_at"]));
    for process in resources["processes"].as_array().unwrap() {
        assert_eq!(members(process), ["cpu_secs", "full_name", "pid", "resident_bytes"]);
        assert!(
            process["resident_bytes"].as_u64().unwrap() > 4096 && process["cpu_secs"].is_f64(),
            "{process}"
        );
    }
    assert_eq!(resources["processes"][0]["pid"], pid_of(&mut peer, "cat"));
    for (name, expected) in
        [("web:1", &["web:1"][..]), ("cat:cat", &["cat"]), ("slow", &[]), ("nope", &[]), ("web:*", &[])]
    {
        let found = get(&mut peer, &format!("/resources?name={name}"));
        assert_eq!(names(&found), expected, "{name}");
    }
}

#[test]
fn the_supervisor_is_restarted_and_shut_down() {
    let mut sandbox = Sandbox::with_programs(ACTED_ON).start();
    let mut peer = Peer::unix(&sandbox);
    let before = pid_of(&mut peer, "cat");
    assert_eq!(post(&mut peer, "/restart"), ("202 Accepted".to_owned(), json!({"state": "RESTARTING"})));
    sandbox.wait("cat to be another", |it| {
        (pid_of_if_answered(it).is_some_and(|pid| pid != before)).then_some(())
    });
    let mut peer = Peer::unix(&sandbox);
    assert_eq!(post(&mut peer, "/processes/slow/start?wait=30").0, "200 OK");
    sandbox.wait_file("slow.log", "up");
    assert_eq!(post(&mut peer, "/shutdown"), ("202 Accepted".to_owned(), json!({"state": "SHUTDOWN"})));
    assert_eq!(get(&mut peer, "")["state"], json!("SHUTDOWN"));
    // What has happened can still be seen.
    assert_eq!(get(&mut peer, "/events")["missed"], json!(false));
    let (line, body) = post(&mut peer, "/processes/cat/start");
    assert_eq!(
        (line.as_str(), &body["error"]["name"]),
        ("503 Service Unavailable", &json!("SHUTDOWN_STATE"))
    );
}

fn pid_of_if_answered(sandbox: &Sandbox) -> Option<Json> {
    sandbox.pid("cat").map(|pid| json!(pid.as_raw_nonzero().get()))
}

/// A client that openapi-python-client makes of the served description.
#[test]
fn a_generated_client_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var_os("SV_OPENAPI_CLIENT_BIN").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| root.join("target/openapi-client/bin"));
    let generator = folder.join("openapi-python-client");
    if !have("openapi-python-client", generator.exists()) {
        return;
    }
    let port = free_port();
    let server = format!("[inet_http_server]\nport=127.0.0.1:{port}\n");
    let mut sandbox = Sandbox::new(&format!("{HEAD}{server}{PROGRAMS}")).start();
    sandbox.wait_state("web:web_01", "RUNNING");
    let document =
        Peer::tcp(port).gets("GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK");
    std::fs::write(sandbox.path("openapi.json"), document.body).unwrap();
    // It would format what it has made by programs that may not be there.
    sandbox.write("generator.yaml", "post_hooks: []\n");
    let output = sandbox
        .marked(std::process::Command::new(generator))
        .args(["generate", "--meta", "none", "--path"])
        .arg(sandbox.path("openapi.json"))
        .arg("--config")
        .arg(sandbox.path("generator.yaml"))
        .arg("--output-path")
        .arg(sandbox.path("sv_client"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let output = sandbox
        .marked(std::process::Command::new(folder.join("python")))
        .arg(root.join("tests/openapi_client/use.py"))
        .arg(format!("http://127.0.0.1:{port}/api/v1"))
        .env("PYTHONPATH", sandbox.path(""))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout == b"done\n", "{text}\n{}", sandbox.story());
}

/// Requests made from the description, valid and invalid ones. Every answer has to match it.
#[test]
fn schemathesis_finds_nothing() {
    let folder = std::env::var_os("SV_SCHEMATHESIS_BIN").map(PathBuf::from);
    let folder =
        folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/schemathesis/bin"));
    let program = folder.join("schemathesis");
    if !have("schemathesis", program.exists()) {
        return;
    }
    let port = free_port();
    let server = format!("[inet_http_server]\nport=127.0.0.1:{port}\n");
    let sandbox = Sandbox::new(&format!("{HEAD}{server}{PROGRAMS}")).start();
    let output = sandbox
        .marked(std::process::Command::new(program))
        .arg("run")
        .arg(format!("http://127.0.0.1:{port}/api/v1/openapi.json"))
        // They would end the supervisor, or the programs and connections in the middle of a request.
        .args(["--exclude-path", "/shutdown", "--exclude-path", "/restart"])
        .args(["--phases", "coverage,fuzzing", "--max-examples", "10", "--generation-deterministic"])
        // Parameters that exclude each other, and signals that do not exist, match the description and are refused.
        .args(["--exclude-checks", "positive_data_acceptance", "--request-timeout", "5"])
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}\n{}", sandbox.story());
    assert!(report.contains("Test cases:"), "{report}");
}
