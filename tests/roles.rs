//! What clients may do by the role that their server grants, and which sites a browser may act for.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use support::peers::reference;
use support::wire::{Peer, call, post};
use support::{HEAD, Sandbox, free_port, free_ports};
use sv::xmlrpc::{Value, encode_call};

const CAT: &str = "[program:cat]\ncommand=/bin/cat\nstartsecs=0\n";

/// A supervisor with one more unix server, `role.sock`, with these options.
fn with_server(options: &str) -> Sandbox {
    let server = format!("[unix_http_server:role]\nfile=%(here)s/role.sock\n{options}\n");
    let mut sandbox = Sandbox::new(&format!("{HEAD}{server}{CAT}")).start();
    sandbox.wait_state("cat", "RUNNING");
    sandbox
}

fn peer(sandbox: &Sandbox) -> Peer {
    Peer::of(UnixStream::connect(sandbox.path("role.sock")).unwrap())
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn own_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// Whether a call is refused for the role; it may fail for another reason.
fn is_forbidden(peer: &mut Peer, method: &str, params: &[Value]) -> bool {
    match peer.call(method, params) {
        Err((30, text)) if text.starts_with("FORBIDDEN: ") => true,
        Err((30, text)) => panic!("{method}: {text}"),
        _ => false,
    }
}

/// The roles, each of which includes those before it.
const ROLES: [&str; 4] = ["metrics", "read", "operate", "admin"];

fn rank(role: &str) -> usize {
    ROLES.iter().position(|known| *known == role).unwrap()
}

/// The rows of the tables in docs/roles.md whose first cell begins with one of these.
fn documented(beginnings: &[&str]) -> Vec<(String, String)> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/roles.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "));
    let is_meant = |(cell, _): &(&str, &str)| beginnings.iter().any(|it| cell.starts_with(it));
    rows.filter(is_meant).map(|(cell, role)| (cell.to_owned(), role.to_owned())).collect()
}

/// The requests that the description of the API has: `GET /api/v1/processes`.
fn described() -> Vec<String> {
    let document: serde_json::Value = serde_json::from_str(include_str!("../src/api/openapi.json")).unwrap();
    let paths = document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
        let path = path.trim_end_matches('/');
        methods.map(move |method| format!("{} /api/v1{path}", method.to_uppercase()))
    });
    paths.collect()
}

#[test]
fn every_method_is_refused_to_lesser_roles_and_has_no_effect() {
    // Methods that every server has.
    let methods = documented(&["supervisor.", "sv.", "system."]);
    assert!(methods.len() > 40, "{methods:?}");
    for role in ["metrics", "read", "operate"] {
        let sandbox = with_server(&format!("role={role}"));
        let mut admin = Peer::unix(&sandbox);
        let pid = |admin: &mut Peer| {
            admin.call("supervisor.getProcessInfo", &["cat".into()]).unwrap().get("pid").cloned()
        };
        let before = pid(&mut admin);
        for (method, least) in methods.iter().filter(|(_, least)| rank(least) > rank(role)) {
            // A call with other parameters than the method takes is refused for that.
            let signature = admin.call("system.methodSignature", &[method.as_str().into()]).unwrap();
            let kinds = signature.as_array().unwrap()[1..].iter().map(|kind| kind.as_str().unwrap());
            let params: Vec<Value> = kinds
                .enumerate()
                .map(|(nth, kind)| match (kind, nth) {
                    ("int", _) => 0.into(),
                    ("boolean", _) => true.into(),
                    ("array", _) => Value::Array(vec![]),
                    (_, 0) if method.starts_with("system.") => "system.listMethods".into(),
                    (_, 0) if !method.contains("signalAll") => "cat".into(),
                    _ => "TERM".into(),
                })
                .collect();
            assert!(is_forbidden(&mut peer(&sandbox), method, &params), "{role}: {method} needs {least}");
        }
        assert_eq!(pid(&mut admin), before);
        let line = format!(
            "refused a client of [unix_http_server:role] (uid {}): the role {role} may not",
            own_uid()
        );
        assert!(sandbox.log().contains(&line), "{}", sandbox.story());
    }
}

#[test]
fn every_request_of_the_api_is_refused_to_lesser_roles_only() {
    let requests = documented(&["GET ", "POST "]);
    let mut names: Vec<&String> = requests.iter().map(|(request, _)| request).collect();
    names.sort_unstable();
    let mut expected = described();
    expected.sort_unstable();
    assert_eq!(names, expected.iter().collect::<Vec<_>>(), "the table in docs/roles.md");
    for role in ROLES {
        let sandbox = with_server(&format!("role={role}"));
        let pid = || Peer::unix(&sandbox).call("supervisor.getProcessInfo", &["cat".into()]).unwrap();
        let before = pid().get("pid").cloned();
        for (request, least) in &requests {
            let ends = ["/v1/shutdown", "/v1/restart"].iter().any(|path| request.ends_with(path));
            // The others need the supervisor of this role.
            let own = (ends && role == "admin").then(|| with_server("role=admin"));
            let parameters = match request.rsplit('/').next().unwrap() {
                "signal" => "?signal=CONT",
                "scale" => "?processes=1",
                _ => "",
            };
            let target = request.replace("{name}", "cat") + parameters;
            let message = format!("{target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            // Some answers are streams, so their heads have to do.
            let line = peer(own.as_ref().unwrap_or(&sandbox)).send(message).head().remove(0);
            let is_refused = line == "HTTP/1.1 403 Forbidden";
            assert_eq!(is_refused, rank(role) < rank(least), "{role}: {request} needs {least}: {line}");
        }
        if rank(role) < rank("operate") {
            assert_eq!(pid().get("pid").cloned(), before, "{role}");
        }
    }
}

#[test]
fn a_refusal_of_the_api_names_the_role_that_is_needed() {
    let sandbox = with_server("role=read");
    let stop = "POST /api/v1/processes/cat/stop HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = peer(&sandbox).gets(stop, "HTTP/1.1 403 Forbidden");
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let text = "the role read may not stop processes: that needs operate";
    assert_eq!((&body["error"]["name"], &body["error"]["message"]), (&"FORBIDDEN".into(), &text.into()));
    assert_eq!(sandbox.state("cat").as_deref(), Some("RUNNING"));
}

#[test]
fn a_role_does_what_it_includes() {
    for (role, does) in [("read", 0), ("operate", 3), ("admin", 4)] {
        let sandbox = with_server(&format!("role={role}"));
        let mut client = peer(&sandbox);
        let (cat, all) = (|| vec![Value::from("cat")], |_: &str| vec![]);
        assert!(!is_forbidden(&mut client, "supervisor.getAllProcessInfo", &all("")));
        assert!(!is_forbidden(
            &mut client,
            "supervisor.readProcessStdoutLog",
            &["cat".into(), 0.into(), 0.into()]
        ));
        client.gets(get("/"), "HTTP/1.1 200 OK");
        let calls = [
            "supervisor.stopProcess",
            "supervisor.startProcess",
            "supervisor.clearProcessLogs",
            "supervisor.reloadConfig",
        ];
        let params = [cat(), cat(), cat(), vec![]];
        let refused: Vec<bool> = calls
            .iter()
            .zip(&params)
            .map(|(method, params)| is_forbidden(&mut client, method, params))
            .collect();
        assert_eq!(refused, [does < 1, does < 2, does < 3, does < 4], "{role}");
    }
}

#[test]
fn the_users_of_a_socket_have_their_own_roles_and_logs_can_be_kept_from_all_but_admins() {
    let uid = own_uid();
    for (options, may_read_logs, may_stop) in [
        (format!("role=metrics\nrole_uid={uid}=admin\nread_logs=false"), true, true),
        (format!("role=admin\nrole_uid={uid}=operate\nread_logs=false"), false, true),
        (format!("role=admin\nrole_uid={uid}=read"), true, false),
        (format!("role=operate\nrole_uid={}=admin\nread_logs=false", uid + 1), false, true),
    ] {
        let sandbox = with_server(&options);
        let mut client = peer(&sandbox);
        let read = |method: &str| (method.to_owned(), vec!["cat".into(), 0.into(), 0.into()]);
        for (method, params) in [
            read("supervisor.readProcessStdoutLog"),
            read("supervisor.tailProcessStderrLog"),
            ("supervisor.readLog".to_owned(), vec![0.into(), 0.into()]),
        ] {
            assert_eq!(is_forbidden(&mut client, &method, &params), !may_read_logs, "{options}: {method}");
        }
        assert_eq!(
            is_forbidden(&mut client, "supervisor.stopProcess", &["cat".into()]),
            !may_stop,
            "{options}"
        );
        for target in ["/logtail/cat", "/mainlogtail", "/tail.html?processname=cat"] {
            let line = peer(&sandbox).send(get(target)).head().remove(0);
            let expected = if may_read_logs { "HTTP/1.1 200 OK" } else { "HTTP/1.1 403 Forbidden" };
            assert_eq!(line, expected, "{options}: {target}");
        }
    }
}

#[test]
fn what_checks_print_is_shown_only_with_logs() {
    let checks = "[program:sick]\ncommand=/bin/cat\nstartsecs=0\nhealth_interval=0.1\nhealth_retries=1\non_unhealthy=ignore\n\
        health=exec:/bin/sh -c 'echo top-$((6*7)); exit 3'\n\
        [program:unready]\ncommand=/bin/cat\nready=exec:/bin/sh -c 'echo top-$((6*7)); exit 3'\nready_timeout=1\nstartretries=0\n";
    let servers: String = [("open", "role=read"), ("closed", "role=operate\nread_logs=false")]
        .map(|(name, options)| format!("[unix_http_server:{name}]\nfile=%(here)s/{name}.sock\n{options}\n"))
        .concat();
    let mut sandbox = Sandbox::new(&format!("{HEAD}{servers}{checks}")).start();
    let texts = |sandbox: &Sandbox, socket: &str| {
        let peer = || Peer::of(UnixStream::connect(sandbox.path(socket)).unwrap());
        let targets = [
            "/api/v1/processes",
            "/api/v1/processes/sick",
            "/api/v1/processes?name=unready",
            "/api/v1/events",
            "/",
            "/process.html?processname=sick",
        ];
        let mut texts: Vec<String> = targets
            .iter()
            .map(|target| String::from_utf8(peer().gets(get(target), "HTTP/1.1 200 OK").body).unwrap())
            .collect();
        for method in ["supervisor.getAllProcessInfo", "sv.getAllProcessInfo"] {
            texts.push(format!("{:?}", peer().call(method, &[]).unwrap()));
        }
        texts
    };
    let says = |texts: &[String]| texts.iter().filter(|text| text.contains("top-42")).count();
    // While one of them is not ready, and after it was given up.
    let open = sandbox.wait("both checks to fail", |sandbox| {
        let texts = texts(sandbox, "open.sock");
        (texts[2].contains("exit status 3: top-42") && texts[0].contains(r#""status":"unhealthy""#))
            .then_some(texts)
    });
    assert!(says(&open) >= 6, "{open:?}");
    assert_eq!(says(&texts(&sandbox, "closed.sock")), 0);
    sandbox.wait_state("unready", "FATAL");
    let open = texts(&sandbox, "open.sock");
    assert!(says(&open) >= 6, "{open:?}");
    let closed = texts(&sandbox, "closed.sock");
    assert_eq!(says(&closed), 0, "{closed:?}");
    assert!(closed[0].contains("exit status 3"), "{}", closed[0]);
    sandbox.wait_log("sick is unhealthy: exit status 3: top-42");
    sandbox.wait_log("unready is not ready after 1 second: exit status 3: top-42; stopping it");
}

#[test]
fn each_call_of_a_multicall_has_its_own_fault() {
    let sandbox = with_server("role=read");
    let calls = ["supervisor.getState", "supervisor.shutdown", "supervisor.getPID"]
        .map(|method| Value::members([("methodName", method.into()), ("params", Value::Array(vec![]))]));
    let results = peer(&sandbox).call("system.multicall", &[Value::Array(calls.to_vec())]).unwrap();
    let results = results.as_array().unwrap();
    assert_eq!(results[0].get("statename"), Some(&"RUNNING".into()));
    let text = "FORBIDDEN: the role read may not shut down the supervisor: that needs admin";
    assert_eq!(results[1], Value::members([("faultCode", 30.into()), ("faultString", text.into())]));
    assert!(results[2].as_int().is_some());
    assert_eq!(sandbox.state("cat").as_deref(), Some("RUNNING"));
}

#[test]
fn the_page_says_what_the_role_lacks() {
    let sandbox = with_server("role=read");
    let page = peer(&sandbox).gets(get("/index.html?action=stop&processname=cat"), "HTTP/1.1 403 Forbidden");
    let text = String::from_utf8(page.body).unwrap();
    assert!(
        text.contains("<p>FORBIDDEN: the role read may not stop processes: that needs operate</p>"),
        "{text}"
    );
    assert_eq!(sandbox.state("cat").as_deref(), Some("RUNNING"));
    // Supervisor's scripts find each link at its position.
    for (options, operates, reads_logs) in
        [("role=operate\nread_logs=false", true, false), ("role=read", false, true), ("", true, true)]
    {
        let sandbox = with_server(options);
        let server = peer(&sandbox).gets(get("/api/v1"), "HTTP/1.1 200 OK");
        let server: serde_json::Value = serde_json::from_slice(&server.body).unwrap();
        let permissions = &server["permissions"];
        assert_eq!(
            (&permissions["operate"], &permissions["read_logs"]),
            (&operates.into(), &reads_logs.into())
        );
        assert_eq!(permissions["administer"], serde_json::Value::from(options.is_empty()));
        let page = String::from_utf8(peer(&sandbox).gets(get("/"), "HTTP/1.1 200 OK").body).unwrap();
        assert_eq!(page.contains("action=stopall"), operates, "{options}");
        assert_eq!(page.contains("action=stop\""), operates, "{options}");
        assert_eq!(page.contains("action=clearlog"), operates, "{options}");
        assert_eq!(page.contains("tail.html") && page.contains("logtail/cat"), reads_logs, "{options}");
        assert_eq!(page.matches("</li>").count(), if operates { 8 } else { 6 }, "{page}");
        let page = peer(&sandbox).gets(get("/process.html?processname=cat"), "HTTP/1.1 200 OK");
        assert_eq!(String::from_utf8(page.body).unwrap().contains("tail.html"), reads_logs, "{options}");
    }
    let sandbox = with_server("role=metrics");
    for target in ["/metrics", "/livez"] {
        peer(&sandbox).gets(get(target), "HTTP/1.1 200 OK");
    }
    for target in ["/", "/ok.html", "/stylesheets/supervisor.css", "/nope", "/logtail/cat", "/api/v1"] {
        peer(&sandbox).gets(get(target), "HTTP/1.1 403 Forbidden");
    }
}

#[test]
fn refusals_do_not_flood_the_log() {
    let sandbox = with_server("role=read");
    let mut client = peer(&sandbox);
    for _ in 0..200 {
        assert!(is_forbidden(&mut client, "supervisor.shutdown", &[]));
    }
    // At most ten in ten seconds; a slow machine may take longer for all of them.
    let lines = sandbox.log().matches("may not shut down the supervisor").count();
    assert!((10..100).contains(&lines), "{lines}");
}

#[test]
fn supervisors_client_prints_a_sentence_about_a_refusal() {
    let Some(bin) = reference() else { return };
    let sandbox = with_server("role=read");
    let supervisorctl = |words: &[&str]| {
        let url = format!("unix://{}", sandbox.path("role.sock").display());
        let mut command = sandbox.marked(Command::new(bin.join("supervisorctl")));
        let output = command.args(["-s", &url]).args(words).stdin(Stdio::null()).output().unwrap();
        (String::from_utf8([output.stdout, output.stderr].concat()).unwrap(), output.status.code())
    };
    let stop = "FORBIDDEN: the role read may not stop processes: that needs operate\n";
    assert_eq!(supervisorctl(&["stop", "cat"]), (stop.to_owned(), Some(1)));
    let signal = "FORBIDDEN: the role read may not send signals: that needs operate\n";
    assert_eq!(supervisorctl(&["signal", "HUP", "cat"]), (signal.to_owned(), Some(1)));
    // It has a sentence for some faults of a start only, whatever their texts.
    let (text, code) = supervisorctl(&["start", "cat"]);
    assert!(text.starts_with("error: <class 'ValueError'>, Unknown result code 30 for cat: "), "{text}");
    assert_eq!(code, Some(1));
    for (words, what) in [
        (&["start", "all"][..], "start processes: that needs operate"),
        (&["stop", "cat:*"], "stop processes: that needs operate"),
        (&["clear", "all"], "clear logs of processes: that needs operate"),
        (&["reread"], "reread the configuration: that needs admin"),
        (&["update"], "reread the configuration: that needs admin"),
        (&["add", "cat"], "add, remove or update groups: that needs admin"),
        (&["remove", "cat"], "add, remove or update groups: that needs admin"),
        (&["reload"], "restart the supervisor: that needs admin"),
        (&["shutdown"], "shut down the supervisor: that needs admin"),
    ] {
        let (text, code) = supervisorctl(words);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(&format!("'FORBIDDEN: the role read may not {what}'")), "{words:?}: {text}");
        assert_eq!(code, Some(1), "{words:?}");
    }
    assert!(supervisorctl(&["status"]).0.contains("RUNNING"));
    assert_eq!(sandbox.state("cat").as_deref(), Some("RUNNING"));
}

#[test]
fn our_client_says_what_the_role_lacks() {
    let sandbox = with_server("role=read\nread_logs=false");
    let url = format!("unix://{}", sandbox.path("role.sock").display());
    for (words, expected) in [
        (&["start", "cat"][..], "cat: ERROR (the role read may not start processes: that needs operate)"),
        (&["stop", "cat"], "cat: ERROR (the role read may not stop processes: that needs operate)"),
        (&["clear", "cat"], "cat: ERROR (the role read may not clear logs of processes: that needs operate)"),
        (&["tail", "cat"], "the role read may not read logs: that needs admin"),
        (&["tail", "-f", "cat"], "the server forbids it: its role does not include this"),
        (&["shutdown"], "the role read may not shut down the supervisor: that needs admin"),
    ] {
        let answer = sandbox.ctl(&[&["-s", &url], words].concat());
        let text = answer.stdout + &answer.stderr;
        assert!(text.contains(expected), "{words:?}: {text}");
        assert!(!answer.success, "{words:?}");
    }
}

#[test]
fn without_a_password_a_server_answers_to_its_own_names_only() {
    let [open, guarded] = free_ports();
    let config = format!(
        "{HEAD}[inet_http_server]\nport=127.0.0.1:{open}\nallowed_hosts=sv.example.com\n\
         [inet_http_server:guarded]\nport=127.0.0.1:{guarded}\nusername=me\npassword=secret\n{CAT}"
    );
    let mut sandbox = Sandbox::new(&config).start();
    sandbox.wait_state("cat", "RUNNING");
    let node = rustix::system::uname().nodename().to_str().unwrap().to_owned();
    let status = |port, host: &str, fields: &str| {
        let page = format!("GET / HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
        let stop = encode_call("supervisor.getPID", &[]);
        let head =
            format!("POST /RPC2 HTTP/1.1\r\nHost: {host}\r\n{fields}Content-Length: {}\r\n\r\n", stop.len());
        let lines = [page.into_bytes(), [head.as_bytes(), &stop].concat()]
            .map(|request| Peer::tcp(port).send(request).head().remove(0));
        assert_eq!(lines[0], lines[1], "{host}");
        lines[0].clone()
    };
    let credentials = "Authorization: Basic bWU6c2VjcmV0\r\n";
    for host in ["localhost", "127.0.0.1:9001", "[::1]:1", "web:9001", "sv.example.com", &node] {
        assert_eq!(status(open, host, ""), "HTTP/1.1 200 OK", "{host}");
    }
    // A page of evil.com after its name has come to mean our address.
    let same_origin = "Origin: http://evil.com:9001\r\nSec-Fetch-Site: same-origin\r\n";
    for fields in [same_origin, "Accept-Language: en\r\n", "User-Agent: Mozilla/5.0 (X11)\r\n"] {
        assert_eq!(status(open, "evil.com:9001", fields), "HTTP/1.1 403 Forbidden");
    }
    // Python's client, which knows the server by a name that the server does not know.
    let program = "User-Agent: Python-xmlrpc/3.11\r\nAccept-Encoding: gzip\r\n";
    assert_eq!(status(open, "app.internal.example.com:9001", program), "HTTP/1.1 200 OK");
    sandbox.wait_log("refused a request to [inet_http_server] for the host 'evil.com:9001'");
    assert_eq!(status(guarded, "evil.com:9001", credentials), "HTTP/1.1 200 OK");
    assert_eq!(status(guarded, "evil.com:9001", ""), "HTTP/1.1 401 Unauthorized");
    // Whatever the name, this is not about metrics, which are scraped by any.
    let metrics = "GET /metrics HTTP/1.1\r\nHost: evil.com\r\n\r\n";
    assert_eq!(Peer::tcp(open).send(metrics).head()[0], "HTTP/1.1 200 OK");
}

#[test]
fn listed_hosts_count_with_a_password_too() {
    let [listed, own] = free_ports();
    let password = "username=me\npassword=secret\n";
    let config = format!(
        "{HEAD}[inet_http_server:listed]\nport=127.0.0.1:{listed}\nallowed_hosts=sv.example.com\n{password}\
         [inet_http_server:own]\nport=127.0.0.1:{own}\nallowed_hosts=\n{password}{CAT}"
    );
    let mut sandbox = Sandbox::new(&config).start();
    sandbox.wait_state("cat", "RUNNING");
    let line = |port, path: &str, host: &str, fields: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
        Peer::tcp(port).send(request).head()[0].clone()
    };
    let credentials = "Authorization: Basic bWU6c2VjcmV0\r\n";
    let browser = format!("{credentials}User-Agent: Mozilla/5.0 (X11)\r\n");
    for (port, host, status) in [
        (listed, "sv.example.com", "200 OK"),
        (listed, "SV.example.com:443", "200 OK"),
        (listed, "localhost:9001", "200 OK"),
        (listed, "evil.com", "403 Forbidden"),
        (own, "sv.example.com", "403 Forbidden"),
        (own, "127.0.0.1", "200 OK"),
    ] {
        for path in ["/", "/api/v1/processes", "/logtail/nope"] {
            let is_missing = path.ends_with("nope") && status == "200 OK";
            let status = if is_missing { "404 Not Found" } else { status };
            assert_eq!(line(port, path, host, &browser), format!("HTTP/1.1 {status}"), "{path} {host}");
        }
        // Programs may use any name, and a role is asked for only once the password is right.
        assert_eq!(line(port, "/", host, credentials), "HTTP/1.1 200 OK", "{host}");
        assert_eq!(line(port, "/", host, ""), "HTTP/1.1 401 Unauthorized", "{host}");
        assert_eq!(line(port, "/metrics", host, &browser), "HTTP/1.1 200 OK", "{host}");
    }
    // A browser does not ask its user for the password on such a page.
    let answer =
        Peer::tcp(listed).send("GET / HTTP/1.1\r\nHost: evil.com\r\nAccept-Language: en\r\n\r\n").answer();
    assert_eq!((answer.line.as_str(), answer.field("WWW-Authenticate")), ("HTTP/1.1 403 Forbidden", None));
    sandbox.wait_log("refused a request to [inet_http_server:listed] for the host 'evil.com': add it to allowed_hosts there");
}

#[test]
fn a_malformed_host_is_a_bad_request() {
    let [open, guarded, probes] = free_ports();
    let config = format!(
        "{HEAD}[inet_http_server]\nport=127.0.0.1:{open}\n\
         [inet_http_server:guarded]\nport=127.0.0.1:{guarded}\nusername=me\npassword=secret\n\
         [probe_http_server]\nport=127.0.0.1:{probes}\n{CAT}"
    );
    let sandbox = Sandbox::new(&config).start();
    for port in [open, guarded, probes] {
        for host in ["a b", "http://localhost", "me@localhost", "localhost:x", "[::1", "::1", "a\r\nHost: a"]
        {
            for path in ["/", "/metrics", "/api/v1/processes", "/RPC2"] {
                let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
                Peer::tcp(port).gets(request, "HTTP/1.1 400 Bad Request");
            }
        }
        for fields in ["", "Host:\r\n", "Host: my_app:9001\r\n", "Host: [::1]:9001\r\n"] {
            let head = Peer::tcp(port).send(format!("GET /livez HTTP/1.1\r\n{fields}\r\n")).head();
            let status = if port == guarded { "401 Unauthorized" } else { "200 OK" };
            assert_eq!(head[0], format!("HTTP/1.1 {status}"), "{fields}");
        }
    }
    let request = "GET /api/v1 HTTP/1.1\r\nHost: a b\r\n\r\n";
    let answer = Peer::tcp(open).gets(request, "HTTP/1.1 400 Bad Request");
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["error"]["name"], "BAD_REQUEST");
    // What reaches a unix socket has no name.
    Peer::unix(&sandbox).gets("GET / HTTP/1.1\r\nHost: /run/sv.sock\r\n\r\n", "HTTP/1.1 200 OK");
}

#[test]
fn calls_of_pages_of_other_hosts_are_refused_before_their_body() {
    let port = free_port();
    let config = format!("{HEAD}[inet_http_server]\nport=127.0.0.1:{port}\n{CAT}");
    let mut sandbox = Sandbox::new(&config).start();
    sandbox.wait_state("cat", "RUNNING");
    for fields in ["Origin: http://evil.com\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        for target in ["/RPC2", "/api/v1/processes/cat/stop"] {
            let head =
                format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: 1000\r\n\r\n");
            Peer::tcp(port).gets(head, "HTTP/1.1 403 Forbidden");
        }
    }
    // Python's clients send none of these.
    Peer::tcp(port).gets(call("supervisor.getPID", &[]), "HTTP/1.1 200 OK");
    let own = post("Origin: http://localhost\r\n", &encode_call("supervisor.getPID", &[]));
    Peer::tcp(port).gets(own, "HTTP/1.1 200 OK");
    assert_eq!(sandbox.state("cat").as_deref(), Some("RUNNING"));
}
