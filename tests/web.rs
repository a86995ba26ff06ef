//! The web pages of the real binary, as curl and browsers ask for them, and beside the reference's.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::peers::{self, PROGRAMS};
use support::wire::{Answer, Peer, call, get_pid, post};
use support::{HEAD, Sandbox, binary, free_port, have};
use sv::http::form_fields;
use sv::xmlrpc::{Value, encode_call};

const CAT: &str = "[program:cat]\ncommand=/bin/cat\nstartsecs=0\n";

/// Does not stop when asked to, but when there is a file `go`.
const STUBBORN: &str = "[program:stubborn]\ndirectory=%(here)s\nstartsecs=0\nstopwaitsecs=60\n\
    command=/bin/sh -c 'rm -f go; trap \"\" TERM; echo > trapped; until [ -e go ]; do sleep 0.05; done'\n";

fn let_go(sandbox: &Sandbox) {
    fs::write(sandbox.path("go"), "").unwrap();
}

fn request(line: &str, fields: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
}

fn get(peer: &mut Peer, target: &str) -> Answer {
    peer.send(request(&format!("GET {target}"), "")).answer()
}

/// The result message of an action.
fn act(peer: &mut Peer, query: &str) -> String {
    message(&get(peer, &format!("/index.html?{query}")))
}

fn message(answer: &Answer) -> String {
    let location = answer.field("Location").unwrap_or_else(|| panic!("{answer:?} leads nowhere"));
    let (_, query) = location.split_once('?').unwrap();
    form_fields(query).find(|(name, _)| name == "message").unwrap().1
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

fn unescaped(html: &str) -> String {
    let plain = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    plain.replace("&amp;", "&")
}

fn between<'t>(html: &'t str, from: &str, to: &str) -> Option<&'t str> {
    html.split_once(from)?.1.split_once(to).map(|(found, _)| found)
}

/// Label, address and window of each link; what is hidden is none.
fn links(html: &str) -> Vec<[String; 3]> {
    let anchors = html.split("<a ").skip(1).map(|rest| rest.split("</a>").next().unwrap());
    let visible = anchors.filter(|anchor| !anchor.contains("class=\"hidden\""));
    let attribute =
        |tag: &str, name: &str| between(tag, &format!("{name}=\""), "\"").unwrap_or_default().to_owned();
    visible
        .map(|anchor| {
            let (tag, label) = anchor.split_once('>').unwrap();
            [unescaped(label), unescaped(&attribute(tag, "href")), attribute(tag, "target")]
        })
        .collect()
}

#[derive(Debug, PartialEq)]
struct Row {
    class: String,
    state: String,
    description: String,
    links: Vec<[String; 3]>,
}

fn rows(html: &str) -> Vec<Row> {
    let rows = html.split("<tr").skip(1).map(|rest| rest.split("</tr>").next().unwrap());
    rows.filter(|row| row.contains("<td"))
        .map(|row| {
            let [class, state] = [("<span class=\"", "\""), ("\">", "</span>")].map(|(from, to)| {
                let status = row.split_once("<td class=\"status\">").unwrap().1;
                let status =
                    if from == "\">" { status.split_once("<span class=").unwrap().1 } else { status };
                between(status, from, to).unwrap().to_owned()
            });
            let description = unescaped(between(row, "<td><span>", "</span>").unwrap());
            Row { class, state, description: without_numbers(&description), links: links(row) }
        })
        .collect()
}

/// Process ids, uptimes and dates are distinguished by their words only.
fn without_numbers(text: &str) -> String {
    let mut masked = String::new();
    for character in text.chars() {
        match character {
            '0'..='9' if masked.ends_with('0') => {}
            '0'..='9' => masked.push('0'),
            other => masked.push(other),
        }
    }
    // The day of a month below ten has a blank before it.
    masked.replace("  ", " ")
}

#[test]
fn the_status_page_shows_all_processes_in_their_order() {
    let port = free_port();
    let config = format!(
        "{HEAD}[inet_http_server]\nport=127.0.0.1:{port}\n{CAT}\
         [program:b]\ncommand=/bin/cat\nautostart=false\n\
         [program:a]\ncommand=/bin/cat\nautostart=false\n\
         [group:Z]\nprograms=b,a\npriority=1\n"
    );
    let mut sandbox = Sandbox::new(&config).start();
    sandbox.wait_state("cat", "RUNNING");
    for mut peer in [Peer::unix(&sandbox), Peer::tcp(port)] {
        for line in ["GET /", "GET /index.html", "GET //", "POST /index.html"] {
            let page = peer.gets(request(line, "Content-Length: 0\r\n"), "HTTP/1.1 200 OK");
            assert_eq!(page.field("Content-Type"), Some("text/html;charset=utf-8"));
            assert_eq!(page.field("Expires"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
            let rows = rows(&text(&page));
            let reported: Vec<_> = rows
                .iter()
                .map(|row| (row.links[0][0].as_str(), row.state.as_str(), row.class.as_str()))
                .collect();
            let stopped = ("stopped", "statusnominal");
            let expected = [
                ("Z:a", stopped.0, stopped.1),
                ("Z:b", stopped.0, stopped.1),
                ("cat", "running", "statusrunning"),
            ];
            assert_eq!(reported, expected);
        }
        peer.send(request("HEAD /", ""));
        assert_eq!(peer.head()[0], "HTTP/1.1 200 OK");
        // Had it a body, that would be taken for this answer.
        let ok = get(&mut peer, "/ok.html");
        assert_eq!((ok.field("Content-Type"), text(&ok).as_str()), (Some("text/plain"), "OK"));
    }
}

#[test]
fn links_perform_their_action() {
    let mut sandbox = Sandbox::with_programs(CAT).start();
    let mut peer = Peer::unix(&sandbox);
    sandbox.wait_state("cat", "RUNNING");
    let first = sandbox.pid("cat").unwrap();
    assert_eq!(act(&mut peer, "processname=cat&action=restart"), "Process cat restarted");
    assert!(sandbox.pid("cat").is_some_and(|pid| pid != first));
    assert_eq!(act(&mut peer, "processname=cat&action=stop"), "Process cat stopped");
    assert_eq!(sandbox.state("cat").as_deref(), Some("STOPPED"));
    let form = "action=start&processname=cat";
    let posted = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{form}", form.len());
    let answer = peer.gets(posted, "HTTP/1.1 303 See Other");
    assert_eq!(answer.field("Location"), Some("./?message=Process%20cat%20started"));
    assert_eq!(sandbox.state("cat").as_deref(), Some("RUNNING"));
    assert!(
        text(&get(&mut peer, "/?message=Process%20cat%20started")).contains(">Process cat started</div>")
    );
    assert!(act(&mut peer, "action=stopall").starts_with("All stopped at "));
    assert_eq!(sandbox.state("cat").as_deref(), Some("STOPPED"));
    assert!(act(&mut peer, "action=restartall").starts_with("All restarted at "));
    assert_eq!(sandbox.state("cat").as_deref(), Some("RUNNING"));
    let log = fs::read_dir(sandbox.dir()).unwrap().map(|entry| entry.unwrap().path());
    let log = log.into_iter().find(|path| path.to_string_lossy().contains("cat-stdout")).unwrap();
    fs::write(&log, "hello").unwrap();
    assert_eq!(act(&mut peer, "processname=cat&action=clearlog"), "Log for cat cleared");
    assert_eq!(fs::read(&log).unwrap(), b"");
    assert!(act(&mut peer, "action=refresh").starts_with("Page refreshed at "));
    for query in ["action=nope", "action=start", "processname=cat&action=nope"] {
        let page = get(&mut peer, &format!("/?{query}"));
        assert_eq!(page.line, "HTTP/1.1 400 Bad Request", "{query}");
    }
}

#[test]
fn processes_that_did_not_restart_are_reported() {
    let once = "[program:once]\ncommand=/bin/sh -c 'test ! -e been && : > been && exec cat'\n\
                directory=%(here)s\nstartsecs=1\nstartretries=0\nautorestart=false\n";
    let mut sandbox = Sandbox::with_programs(once).start();
    sandbox.wait_state("once", "RUNNING");
    let mut peer = Peer::unix(&sandbox);
    let reported = act(&mut peer, "processname=once&action=restart");
    assert_eq!(reported, "ERROR: Process once: spawn error");
    let reported = act(&mut peer, "action=restartall");
    assert!(
        reported.starts_with("Not all restarted at ") && reported.ends_with(": once: spawn error"),
        "{reported}"
    );
}

#[test]
fn long_actions_are_answered_when_done_and_delay_nobody() {
    let mut sandbox = Sandbox::with_programs(STUBBORN).start();
    sandbox.wait_file("trapped", "\n");
    let (mut peer, mut other) = (Peer::unix(&sandbox), Peer::unix(&sandbox));
    peer.send(request("GET /?processname=stubborn&action=stop", ""));
    sandbox.wait_state("stubborn", "STOPPING");
    let page = text(&get(&mut other, "/"));
    assert_eq!(rows(&page)[0].state, "stopping");
    let_go(&sandbox);
    assert_eq!(message(&peer.answer()), "Process stubborn stopped");
    assert_eq!(sandbox.state("stubborn").as_deref(), Some("STOPPED"));
}

#[test]
fn a_restart_continues_when_its_client_disconnects() {
    let mut sandbox = Sandbox::with_programs(STUBBORN).start();
    for query in ["processname=stubborn&action=restart", "action=restartall"] {
        sandbox.wait_file("trapped", "\n");
        let first = sandbox.pid("stubborn").unwrap();
        let mut peer = Peer::unix(&sandbox);
        peer.send(request(&format!("GET /?{query}"), ""));
        sandbox.wait_state("stubborn", "STOPPING");
        fs::remove_file(sandbox.path("trapped")).unwrap();
        drop(peer);
        // The next request is answered after the end of the connection was noticed.
        assert_eq!(sandbox.state("stubborn").as_deref(), Some("STOPPING"));
        let_go(&sandbox);
        sandbox.wait_state("stubborn", "RUNNING");
        assert!(sandbox.pid("stubborn").is_some_and(|pid| pid != first), "{query}");
    }
}

/// What pages may load and do.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'self'";

#[test]
fn every_page_has_the_whole_policy() {
    let sandbox = Sandbox::with_programs(CAT).start();
    let mut peer = Peer::unix(&sandbox);
    for (target, line) in [
        ("/", "HTTP/1.1 200 OK"),
        ("/index.html?action=stopall", "HTTP/1.1 200 OK"),
        ("/process.html?processname=cat", "HTTP/1.1 200 OK"),
        ("/process.html?processname=none", "HTTP/1.1 404 Not Found"),
        ("/tail.html?processname=cat", "HTTP/1.1 200 OK"),
        ("/none.html", "HTTP/1.1 404 Not Found"),
    ] {
        let browser = "Sec-Fetch-Site: same-origin\r\nUser-Agent: Mozilla/5.0\r\n";
        let page = peer.gets(request(&format!("GET {target}"), browser), line);
        assert_eq!(page.field("Content-Security-Policy"), Some(POLICY), "{target}: {page:?}");
        assert_eq!(page.field("X-Content-Type-Options"), Some("nosniff"), "{target}");
    }
}

#[test]
fn the_page_of_a_process_shows_its_memory_without_scripts_too() {
    let mut sandbox = Sandbox::with_programs(CAT).start();
    sandbox.wait_state("cat", "RUNNING");
    let page = request("GET /process.html?processname=cat", "");
    let page = Peer::unix(&sandbox).gets(page, "HTTP/1.1 200 OK");
    let page = String::from_utf8(page.body).unwrap();
    assert!(page.contains("<p>Memory: ") && page.contains("iB</p>"), "{page}");
}

#[test]
fn pages_of_other_sites_change_nothing() {
    let port = free_port();
    let config = format!("{HEAD}[inet_http_server]\nport=127.0.0.1:{port}\n{CAT}");
    let mut sandbox = Sandbox::new(&config).start();
    sandbox.wait_state("cat", "RUNNING");
    let mut peer = Peer::tcp(port);
    let foreign = [
        "Origin: http://evil.example\r\n",
        "Referer: http://evil.example/\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\nReferer: http://localhost/\r\n",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n",
    ];
    for fields in foreign {
        for query in ["action=stopall", "action=restartall", "processname=cat&action=stop"] {
            let line = request(&format!("GET /?{query}"), fields);
            let page = peer.gets(line, "HTTP/1.1 403 Forbidden");
            assert!(text(&page).contains("<form action=\"index.html\" method=\"post\">"), "{page:?}");
            assert_eq!(page.field("Content-Security-Policy"), Some(POLICY));
        }
        // Looking is free.
        peer.gets(request("GET /", fields), "HTTP/1.1 200 OK");
    }
    let stop = call("supervisor.stopAllProcesses", &[]);
    let stop = String::from_utf8(stop).unwrap().replace("Host:", "Origin: http://evil.example\r\nHost:");
    Peer::tcp(port).gets(stop, "HTTP/1.1 403 Forbidden");
    let program = post("User-Agent: Mozilla/5.0 (so it says)\r\n", &encode_call("supervisor.getPID", &[]));
    peer.gets(program, "HTTP/1.1 200 OK");
    assert_eq!(sandbox.state("cat").as_deref(), Some("RUNNING"));
    sandbox.wait_log("WARN refused a call");
    for (fields, is_browser) in [
        ("Referer: http://localhost/index.html\r\nUser-Agent: Mozilla/5.0\r\n", true),
        ("Sec-Fetch-Site: same-origin\r\nOrigin: https://proxy\r\n", true),
        ("Origin: https://proxy\r\nX-Forwarded-Host: proxy\r\n", false),
        ("User-Agent: curl/8.5.0\r\n", false),
    ] {
        assert_eq!(sandbox.ctl(&["start", "cat"]).code, Some(0));
        // A person is asked first, and says yes by the form of that page.
        let line = match is_browser {
            true => {
                let page = peer.gets(request("GET /?action=stopall", fields), "HTTP/1.1 200 OK");
                assert!(text(&page).contains("<form action=\"index.html\" method=\"post\">"), "{page:?}");
                assert_eq!(sandbox.state("cat").as_deref(), Some("RUNNING"), "{fields}");
                format!(
                    "POST /index.html HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: 14\r\n\r\naction=stopall"
                )
            }
            false => request("GET /?action=stopall", fields),
        };
        let answer = peer.gets(line, "HTTP/1.1 303 See Other");
        assert!(message(&answer).starts_with("All stopped at "), "{fields}");
        assert_eq!(sandbox.state("cat").as_deref(), Some("STOPPED"), "{fields}");
    }
}

#[test]
fn the_style_is_a_file_that_is_sent_once() {
    let sandbox = Sandbox::with_programs("").start();
    let mut peer = Peer::unix(&sandbox);
    let page = text(&get(&mut peer, "/"));
    assert!(page.contains("No programs to manage"), "{page}");
    for (path, content_type) in
        [("stylesheets/supervisor.css", "text/css"), ("images/icon.svg", "image/svg+xml")]
    {
        assert!(page.contains(&format!("<link href=\"{path}\"")), "{page}");
        let file = get(&mut peer, &format!("/{path}"));
        assert_eq!((file.line.as_str(), file.field("Content-Type")), ("HTTP/1.1 200 OK", Some(content_type)));
        let changed = file.field("Last-Modified").unwrap();
        peer.send(request(&format!("GET /{path}"), &format!("If-Modified-Since: {changed}\r\n")));
        assert_eq!(peer.head()[0], "HTTP/1.1 304 Not Modified");
        let old = "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
        assert_eq!(peer.gets(request(&format!("GET /{path}"), old), "HTTP/1.1 200 OK").body, file.body);
        peer.send(request(&format!("HEAD /{path}"), ""));
        let head = peer.head();
        assert!(head.contains(&format!("Content-Length: {}", file.body.len())), "{head:?}");
    }
    for path in ["/stylesheets", "/images/", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/status.html"]
    {
        assert_eq!(get(&mut peer, path).line, "HTTP/1.1 404 Not Found", "{path}");
    }
}

#[test]
fn the_tail_page_shows_whatever_is_in_a_log() {
    let programs = "[program:odd]\ncommand=/bin/sh -c 'printf \"<b>\\\\377\\\\000w\\303\\244b&\\n\"; exec cat'\n\
                    stdout_logfile=%(here)s/odd.log\n[program:mute]\ncommand=/bin/cat\nstdout_logfile=NONE\n";
    let mut sandbox = Sandbox::with_programs(programs).start();
    sandbox.wait_file("odd.log", "&");
    let shown = |peer: &mut Peer, query: &str| {
        let page = peer.gets(request(&format!("GET /tail.html?{query}"), ""), "HTTP/1.1 200 OK");
        between(&text(&page), "<pre>", "</pre>").unwrap().to_owned()
    };
    let mut peer = Peer::unix(&sandbox);
    let long = "x".repeat(3000);
    for (log, query, expected) in [
        (
            b"<b>\xff\x00w\xc3\xa4b&".to_vec(),
            "processname=odd",
            "&lt;b&gt;\u{fffd}\u{2400}w\u{e4}b&amp;".to_owned(),
        ),
        (
            "\x1b[1;31mred\x1b[m \u{202e}evil\u{2066}\x07\t1\r\n".into(),
            "processname=odd",
            "red \u{fffd}evil\u{fffd}\u{2407}\t1\r\n".to_owned(),
        ),
        (long.clone().into_bytes(), "processname=odd", long[..1024].to_owned()),
        (long.clone().into_bytes(), "processname=odd&limit=2000", long[..2000].to_owned()),
        (long.clone().into_bytes(), "processname=odd&limit=99999999999999999999", long),
        (vec![], "processname=odd", String::new()),
        (vec![], "processname=mute", "No file for mute".to_owned()),
        (vec![], "processname=nope", "ERROR: unexpected rpc fault [10] BAD_NAME: nope".to_owned()),
        (vec![], "limit=5", "No process name found".to_owned()),
    ] {
        fs::write(sandbox.path("odd.log"), log).unwrap();
        assert_eq!(shown(&mut peer, query), expected, "{query}");
    }
}

#[test]
fn a_stopping_supervisor_shows_a_page() {
    let mut sandbox = Sandbox::with_programs(STUBBORN).start();
    sandbox.wait_file("trapped", "\n");
    let mut peer = Peer::unix(&sandbox);
    peer.gets(call("supervisor.shutdown", &[]), "HTTP/1.1 200 OK");
    let page = get(&mut peer, "/?message=hi");
    assert_eq!(page.line, "HTTP/1.1 503 Service Unavailable");
    assert!(text(&page).contains("shutting down") && text(&page).contains(">hi</div>"), "{page:?}");
    assert_eq!(act(&mut peer, "action=stopall"), "unexpected rpc fault [6] SHUTDOWN_STATE");
    let reported = act(&mut peer, "processname=stubborn&action=start");
    assert_eq!(reported, "ERROR: Process stubborn: unexpected rpc fault [6] SHUTDOWN_STATE");
    assert_eq!(text(&get(&mut peer, "/ok.html")), "OK");
    let_go(&sandbox);
    assert!(sandbox.wait_exit().success());
}

#[test]
fn pages_require_the_password_but_no_rpc_interface() {
    let port = free_port();
    let config = format!(
        "[supervisord]\nlogfile=%(here)s/supervisord.log\npidfile=%(here)s/supervisord.pid\nchildlogdir=%(here)s\n\
         [inet_http_server]\nport=127.0.0.1:{port}\nusername=me\npassword=se:cret\n{CAT}"
    );
    // As `sv` there would be the interface, configured or not.
    let mut sandbox = Sandbox::new(&config).run_by(&support::binary(), "supervisord", &["-n"]);
    sandbox.spawn();
    sandbox.wait_log("spawned: 'cat'");
    for path in ["/", "/index.html?action=stopall", "/tail.html", "/ok.html", "/stylesheets/supervisor.css"] {
        Peer::tcp(port).gets(request(&format!("GET {path}"), ""), "HTTP/1.1 401 Unauthorized");
    }
    let me = "Authorization: Basic bWU6c2U6Y3JldA==\r\n";
    let mut peer = Peer::tcp(port);
    let page = peer.gets(request("GET /", me), "HTTP/1.1 200 OK");
    assert_eq!(rows(&text(&page))[0].state, "running");
    let stopped = peer.gets(request("GET /?processname=cat&action=stop", me), "HTTP/1.1 303 See Other");
    assert_eq!(message(&stopped), "Process cat stopped");
    // The methods of the interface that is not configured don't exist.
    let methods = String::from_utf8(get_pid()).unwrap().replace("Host:", &format!("{me}Host:"));
    assert!(text(&peer.gets(methods, "HTTP/1.1 200 OK")).contains("UNKNOWN_METHOD"));
}

#[test]
fn curl_can_use_the_pages() {
    if !have("curl", Command::new("curl").arg("--version").output().is_ok()) {
        return;
    }
    let mut sandbox = Sandbox::with_programs(CAT).start();
    sandbox.wait_state("cat", "RUNNING");
    let curl = |words: &[&str]| {
        let mut command = sandbox.marked(Command::new("curl"));
        command.args(["-sS", "--max-time", "30", "--unix-socket"]).arg(sandbox.path("supervisor.sock"));
        let output = command.args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(curl(&["http://localhost/ok.html"]), "OK");
    let page = curl(&["-L", "http://localhost/?processname=cat&action=stop"]);
    assert!(page.contains(">Process cat stopped</div>") && page.contains(">stopped</span>"), "{page}");
    let page = curl(&["-L", "-d", "processname=cat", "-d", "action=start", "http://localhost/index.html"]);
    assert!(page.contains(">Process cat started</div>"), "{page}");
    assert!(curl(&["-I", "http://localhost/"]).starts_with("HTTP/1.1 200 OK"));
    // The log of a process ends with its supervisor.
    let mut follow = sandbox.marked(Command::new("curl"));
    follow.args(["-sSN", "-o"]).arg(sandbox.path("followed")).arg("--unix-socket");
    follow.arg(sandbox.path("supervisor.sock")).arg("http://localhost/logtail/cat");
    let mut follow = follow.spawn().unwrap();
    say(&sandbox, "hello\n");
    sandbox.wait_file("followed", "hello");
    follow.kill().unwrap();
    follow.wait().unwrap();
}

/// Has the program say something: it repeats what it is sent.
fn say(sandbox: &Sandbox, text: &str) {
    let params = [Value::from("cat"), Value::from(text)];
    assert_eq!(Peer::unix(sandbox).call("supervisor.sendProcessStdin", &params), Ok(Value::from(true)));
}

/// Ours and theirs, side by side, with the same programs.
fn both(reference: &Path, programs: &str) -> [Sandbox; 2] {
    let theirs =
        Sandbox::with_programs(programs).run_by(&reference.join("supervisord"), "supervisord", &["-n"]);
    let ours = Sandbox::with_programs(programs).run_by(&binary(), "supervisord", &["-n"]);
    [theirs, ours].map(Sandbox::start)
}

#[test]
fn actions_and_rows_are_those_of_the_reference() {
    let Some(reference) = peers::reference() else { return };
    let programs = format!("{PROGRAMS}[program:w\u{e4}b&<x>\"'%%]\ncommand=/bin/cat\nautostart=false\n");
    let mut reported = both(&reference, &programs).map(|mut sandbox| {
        sandbox.wait_state("short-lived", "FATAL");
        sandbox.wait_state("cat", "RUNNING");
        // The reference announces an answer's length, and ends its connections at will.
        let ask = |query: &str| get(&mut Peer::unix(&sandbox), query);
        let mut reported: Vec<String> = [
            "processname=off&action=start",
            "processname=off&action=start",
            "processname=off&action=stop",
            "processname=off&action=stop",
            "processname=off&action=restart",
            "processname=cat&action=restart",
            "processname=cat&action=clearlog",
            "processname=many:many_00&action=stop",
            "processname=many%3Amany_00&action=start&processname=cat",
            "processname=many:*&action=stop",
            "processname=many:&action=clearlog",
            "processname=nope&action=start",
            "processname=%3Cb%3E+%C3%A4&action=restart",
            "processname=missing&action=start",
            "processname=unreadable&action=start",
            "processname=short-lived&action=start",
            "processname=w%C3%A4b%26%3Cx%3E%22%27%25&action=start",
            "action=refresh",
            "action=stopall",
            "action=refresh&action=stopall",
            "processname=one&action=stop",
            "processname=pair:one&action=start",
        ]
        .iter()
        .map(|query| format!("{query}: {}", without_numbers(&message(&ask(&format!("/index.html?{query}"))))))
        .collect();
        let page = text(&ask("/"));
        reported.extend(rows(&page).iter().map(|row| format!("{row:?}")));
        reported.push(format!("{:?}", &links(&page)[..3]));
        reported.push(between(&page, "<title>", "</title>").unwrap().to_owned());
        for query in [
            "processname=cat",
            "processname=cat&limit=2000",
            "processname=many:*",
            "processname=nope&limit=x",
            "limit=5",
        ] {
            let page = text(&ask(&format!("/tail.html?{query}")));
            let part = |from, to| between(&page, from, to).unwrap().to_owned();
            // Ours has more links: to more of it, and back.
            let hrefs: Option<String> =
                links(&page).into_iter().map(|[_, href, _]| href).find(|href| href.starts_with("tail.html"));
            reported.push(format!(
                "{query}: {} {} {hrefs:?}",
                part("<title>", "</title>"),
                part("<pre>", "</pre>")
            ));
        }
        for (line, since) in [
            ("GET /ok.html", ""),
            ("HEAD /stylesheets/supervisor.css", ""),
            ("GET /stylesheets/supervisor.css", "If-Modified-Since: Fri, 31 Dec 2100 23:59:59 GMT\r\n"),
            ("GET /images/", ""),
            ("GET /nope.html", ""),
            ("GET /../web.py", ""),
            ("PUT /", ""),
            ("DELETE /nope", ""),
        ] {
            let head = Peer::unix(&sandbox).send(request(line, since)).head();
            let status = head[0].split_whitespace().nth(1).unwrap().to_owned();
            reported.push(format!("{line}: {status}"));
        }
        reported
    });
    let [theirs, ours] = &mut reported;
    assert_eq!(ours.len(), theirs.len(), "{ours:#?}\n{theirs:#?}");
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_eq!(ours, theirs);
    }
}
