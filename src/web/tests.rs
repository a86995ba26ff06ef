//! Tests: requests in, pages and commands out.

use std::time::Duration;

use super::*;
use crate::http::{Connection, Version};
use crate::model::{
    BatchLimits, BulkRow, Channel, FaultCode, Grant, HealthInfo, HealthStatus, LogOf, LogRange, Namespec,
    Pid, ProcessDetails, ProcessInfo, ProcessSpec, ProcessState, Transition, TransitionReason, Wait,
};

const BEGAN: i64 = 784_111_777;

/// Sunday, November 6, 1994, 09:49:37, an hour east of UTC.
const WALL: Wall = Wall { unix_ms: BEGAN * 1000, utc_offset_secs: 3600 };

fn request(line: &str, fields: &str, body: &str) -> Request {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let mut connection = Connection::new();
    connection.feed(format!("{line} HTTP/1.1\r\nHost: here\r\n{fields}{length}\r\n{body}").as_bytes());
    connection.next_request().unwrap().unwrap()
}

fn asked(request: &Request) -> Answer {
    ask(request, BEGAN)
}

fn text(response: &Response) -> String {
    String::from_utf8(
        [response.encode_head(true, Version::Http11, "now"), response.clone().into_content()].concat(),
    )
    .unwrap()
}

fn now(line: &str) -> String {
    match asked(&request(line, "", "")) {
        Answer::Now(response) => text(&response),
        Answer::Later(page_request) => panic!("{line}: {page_request:?}"),
    }
}

fn later(line: &str) -> PageRequest {
    match asked(&request(line, "", "")) {
        Answer::Later(page_request) => page_request,
        Answer::Now(response) => panic!("{line}: {response:?}"),
    }
}

fn fault(code: FaultCode) -> Result<Reply, Fault> {
    Err(Fault::about(code, "web"))
}

/// Runs a request with these results of its commands; returns the commands and the page.
fn run(line: &str, outcomes: &[Result<Reply, Fault>]) -> (Vec<Command>, String) {
    let (mut page_request, mut commands) = (later(line), Vec::new());
    let mut outcomes = outcomes.iter();
    while let Some(command) = page_request.next() {
        commands.push(command);
        page_request.answered(outcomes.next().unwrap().clone());
    }
    assert_eq!(outcomes.next(), None, "{line}");
    let usage = |_| ProcessUsage { cpu: Duration::ZERO, resident_bytes: 3_600_000 };
    let usage = page_request.measured_pid().map(usage);
    (commands, text(&page_request.into_response(WALL, Grant::default(), usage)))
}

/// The message in the redirect of a response.
fn message(page: &str) -> String {
    assert!(page.starts_with("HTTP/1.1 303 See Other\r\n"), "{page}");
    let location = page.split("\r\nLocation: ./?").nth(1).unwrap().split("\r\n").next().unwrap();
    form_fields(location).next().unwrap().1
}

fn info(group: &str, name: &str, state: ProcessState) -> ProcessInfo {
    ProcessInfo {
        name: name.to_owned(),
        group: group.to_owned(),
        description: "pid 1, <uptime>".to_owned(),
        start: 0,
        stop: 0,
        now: 0,
        state,
        spawn_error: String::new(),
        step_failure: None,
        hint: None,
        since_ms: None,
        next_start_ms: None,
        counters: crate::model::RunCounters::default(),
        waiting_for: Vec::new(),
        needed_by: Vec::new(),
        reported_status: None,
        check_output: String::new(),
        is_about_check: false,
        health: None,
        exit_status: 0,
        last_exit: None,
        ended_as_expected: false,
        stdout_log_file: String::new(),
        stderr_log_file: String::new(),
        pid: 0,
        listener: None,
    }
}

fn status_of(infos: &[ProcessInfo]) -> String {
    let (commands, page) = run("GET /", &[Ok(Reply::AllInfo(infos.to_vec()))]);
    assert_eq!(commands, [Command::GetAllProcessInfo]);
    page
}

#[test]
fn paths_lead_to_pages_files_and_nowhere() {
    for line in ["GET /", "POST /", "GET /index.html", "GET //index.html", "HEAD /", "GET /?action=&x=1"] {
        assert!(
            matches!(later(&line.replace("POST", "GET")).purpose, PagePurpose::ShowStatus { .. }),
            "{line}"
        );
    }
    assert!(matches!(later("GET /tail.html").purpose, PagePurpose::ShowTail(_)));
    for (line, status) in [
        ("GET /ok.html", "200 OK"),
        ("GET /stylesheets/supervisor.css", "200 OK"),
        ("GET /images/icon.svg", "200 OK"),
        ("GET /js/status.js", "200 OK"),
        ("GET /js/", "404 Not Found"),
        ("GET /js/nope.js", "404 Not Found"),
        ("GET /process.html", "400 Bad Request"),
        ("GET /stylesheets", "404 Not Found"),
        ("GET /stylesheets/", "404 Not Found"),
        ("GET /stylesheets/../../x", "404 Not Found"),
        ("GET /%2e%2e/%2e%2e/etc/passwd", "404 Not Found"),
        ("GET /status.html", "404 Not Found"),
        ("GET /images/icon.png", "404 Not Found"),
        ("GET /index.html/", "404 Not Found"),
        ("PUT /", "400 Bad Request"),
        ("DELETE /nope", "400 Bad Request"),
    ] {
        assert!(now(line).starts_with(&format!("HTTP/1.1 {status}\r\n")), "{line}");
    }
    assert!(now("GET /ok.html").contains("\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nOK"));
    for path in ["/stylesheets/supervisor.css", "/nope"] {
        let posted = asked(&request(&format!("POST {path}"), "", "a=b"));
        assert_eq!(posted, Answer::Now(Response::error(400)));
    }
}

/// Every module that a script imports is served, with a type that browsers execute.
#[test]
fn scripts_find_their_modules() {
    let mut pending = vec!["status.js".to_owned(), "process.js".to_owned()];
    let mut seen = Vec::new();
    while let Some(name) = pending.pop() {
        let file = now(&format!("GET /js/{name}"));
        assert!(file.contains("\r\nContent-Type: text/javascript\r\n"), "{name}: {file}");
        assert!(file.contains("\r\nX-Content-Type-Options: nosniff\r\n"), "{name}: {file}");
        let imports = file.split(" from \"./").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
        pending.extend(imports.filter(|import| !seen.contains(import)));
        for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style="] {
            assert!(!file.contains(markup), "{name} uses {markup}");
        }
        seen.push(name);
    }
    assert!(seen.contains(&"view.js".to_owned()), "{seen:?}");
}

#[test]
fn a_file_is_sent_once() {
    for (since, status) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", "304 Not Modified"),
        ("Sun, 06 Nov 1994 08:49:38 GMT", "304 Not Modified"),
        ("Sun, 06 Nov 1994 08:49:36 GMT", "200 OK"),
        ("yesterday", "200 OK"),
    ] {
        let fields = format!("If-Modified-Since: {since}\r\n");
        let Answer::Now(response) = asked(&request("GET /stylesheets/supervisor.css", &fields, "")) else {
            panic!("a file has to be asked for")
        };
        let answer = text(&response);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{since}: {answer}");
        assert!(answer.contains("\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), "{answer}");
    }
}

#[test]
fn fields_are_in_the_form_or_else_in_the_query() {
    for (query, body, expected) in [
        ("a=1&a=2", "", Some("1")),
        ("a=1", "a=2&a=3", Some("3")),
        ("a=1", "b=2", Some("1")),
        ("a=1", "a=", Some("1")),
        ("b=1", "", None),
    ] {
        let posted = request(&format!("POST /?{query}"), "Content-Type: x/y\r\n", &format!("{body}&c=d"));
        assert_eq!(field(&posted, "a").as_deref(), expected, "{query} {body}");
    }
    assert_eq!(field(&request("GET /?a=1", "", "a=2"), "a").as_deref(), Some("1"));
}

#[test]
fn a_row_has_the_links_that_its_state_allows() {
    let logs = ["Clear Log", "Tail -f Stdout", "Tail -f Stderr"];
    for (state, class, actions) in [
        (ProcessState::Running, "statusrunning", &["Restart", "Stop"] as &[_]),
        (ProcessState::Stopped, "statusnominal", &["Start"]),
        (ProcessState::Exited, "statusnominal", &["Start"]),
        (ProcessState::Fatal, "statuserror", &["Start"]),
        (ProcessState::Backoff, "statuserror", &[]),
        (ProcessState::Starting, "statusnominal", &[]),
        (ProcessState::Stopping, "statusnominal", &[]),
        (ProcessState::Unknown, "statusnominal", &[]),
    ] {
        let page = status_of(&[info("web", "web", state)]);
        let word = state.name().to_lowercase();
        assert!(page.contains(&format!("<span class=\"{class}\">{word}</span>")), "{page}");
        let links = page.split("<td class=\"action\">").nth(1).unwrap();
        let labels = links.split(" name=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        let labels: Vec<_> = labels.collect();
        assert_eq!(labels, [actions, &logs].concat(), "{state}");
        assert_eq!(page.matches("</li>").count(), 3 + 5, "{state}");
    }
}

#[test]
fn names_are_shown_and_linked_whatever_is_in_them() {
    let page = status_of(&[
        info("g", "<i>\u{e4}&\"'%", ProcessState::Stopped),
        info("g", "b", ProcessState::Stopped),
    ]);
    for part in [
        "<a href=\"tail.html?processname=g%3A%3Ci%3E%C3%A4%26%22%27%25\" target=\"_blank\">g:&lt;i&gt;\u{e4}&amp;&quot;&#39;%</a>",
        "\"index.html?processname=g%3A%3Ci%3E%C3%A4%26%22%27%25&amp;action=start\"",
        "\"logtail/g%3A%3Ci%3E%C3%A4%26%22%27%25/stderr\"",
        "<td><span>pid 1, &lt;uptime&gt;</span></td>",
        "<tr class=\"shade\">\n<td class=\"status\">",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("<i>"), "{page}");
}

#[test]
fn pages_are_never_kept_and_take_nothing_from_elsewhere() {
    let page = status_of(&[]);
    for field in [
        "Content-Type: text/html;charset=utf-8",
        "Pragma: no-cache",
        "Cache-Control: no-cache",
        "Expires: Thu, 01 Jan 1970 00:00:00 GMT",
    ] {
        assert!(page.contains(&format!("\r\n{field}\r\n")), "{field} in {page}");
    }
    assert!(page.contains("default-src 'none'") && page.contains("frame-ancestors 'self'"), "{page}");
    assert!(page.contains("No programs to manage") && !page.contains("<table"), "{page}");
    assert!(page.contains("<span>4.3.0</span>"), "{page}");
    assert!(page.contains("script-src 'self'; connect-src 'self'") && !page.contains("unsafe"), "{page}");
    let body = page.split("\r\n\r\n").nth(1).unwrap();
    for foreign in ["http://", "https://", "//", "onclick", "http-equiv", "style="] {
        assert!(!body.contains(foreign), "{foreign} in {body}");
    }
    let script = "<script type=\"module\" src=\"js/status.js\"></script>";
    assert_eq!((body.matches("<script").count(), body.matches(script).count()), (1, 1), "{body}");
}

#[test]
fn a_message_is_shown_as_text() {
    let (_, page) = run("GET /?message=%3Cb%3E&message=2", &[Ok(Reply::AllInfo(Vec::new()))]);
    assert!(page.contains("<div class=\"status_msg\" role=\"status\">&lt;b&gt;</div>"), "{page}");
    assert!(!status_of(&[]).contains("status_msg"));
}

#[test]
fn the_page_of_a_stopping_supervisor_says_so() {
    let (_, page) = run("GET /?message=hi", &[fault(FaultCode::ShutdownState)]);
    assert!(page.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{page}");
    assert!(page.contains(">hi</div>") && page.contains("shutting down"), "{page}");
    assert!(!page.contains("action=stopall"), "{page}");
}

#[test]
fn actions_become_commands_and_results_become_messages() {
    use FaultCode::*;
    let web = || Namespec::split("web");
    let (start, stop) = ([Command::StartProcess(web(), Wait::Yes)], [Command::StopProcess(web(), Wait::Yes)]);
    let clear = [Command::ClearProcessLogs(web())];
    let done = || Ok(Reply::Done);
    let restart = [Command::RestartRolling(web(), BatchLimits::ALL_AT_ONE_TIME)];
    let row = |outcome| BulkRow { name: "web".to_owned(), group: "web".to_owned(), outcome };
    let restarted = |outcome| Ok(Reply::Bulk(vec![row(outcome)]));
    let failed = |code| restarted(Err(Fault::about(code, "web")));
    for (action, outcomes, commands, listed) in [
        ("start", vec![done()], &start as &[_], "Process web started"),
        ("start", vec![fault(BadName)], &start, "No such process named web"),
        ("start", vec![fault(NoFile)], &start, "ERROR: Process web: no such file"),
        ("start", vec![fault(NotExecutable)], &start, "ERROR: Process web: file not executable"),
        ("start", vec![fault(AlreadyStarted)], &start, "ERROR: Process web: already started"),
        ("start", vec![fault(SpawnError)], &start, "ERROR: Process web: spawn error"),
        ("start", vec![fault(AbnormalTermination)], &start, "ERROR: Process web: abnormal termination"),
        (
            "start",
            vec![Err(Fault::bare(ShutdownState))],
            &start,
            "ERROR: Process web: unexpected rpc fault [6] SHUTDOWN_STATE",
        ),
        ("stop", vec![done()], &stop, "Process web stopped"),
        ("stop", vec![fault(NotRunning)], &stop, "unexpected rpc fault [70] NOT_RUNNING: web"),
        ("stop", vec![fault(BadName)], &stop, "No such process named web"),
        ("restart", vec![restarted(Ok(()))], &restart, "Process web restarted"),
        ("restart", vec![failed(SpawnError)], &restart, "ERROR: Process web: spawn error"),
        ("restart", vec![fault(BadName)], &restart, "No such process named web"),
        ("restart", vec![failed(Failed)], &restart, "unexpected rpc fault [30] FAILED: web"),
        ("clearlog", vec![done()], &clear, "Log for web cleared"),
        ("clearlog", vec![fault(Failed)], &clear, "unexpected rpc fault [30] FAILED: web"),
    ] {
        let (asked, page) = run(&format!("GET /?processname=web&action={action}"), &outcomes);
        assert_eq!((asked.as_slice(), message(&page).as_str()), (commands, listed));
    }
    for action in ["start", "stop", "restart", "clearlog"] {
        for name in ["g:*", "g:"] {
            let (asked, page) = run(&format!("GET /?processname={name}&action={action}"), &[]);
            assert_eq!((asked, message(&page)), (vec![], format!("No such process named {name}")));
        }
    }
}

#[test]
fn restartall_reports_processes_that_did_not_restart() {
    let row = |name: &str, outcome| BulkRow { name: name.to_owned(), group: "g".to_owned(), outcome };
    let fine = || Ok(Reply::Bulk(vec![row("a", Ok(()))]));
    let not = |code| Ok(Reply::Bulk(vec![row("a", Ok(())), row("b", Err(Fault::about(code, "g:b")))]));
    let many = (0..7).map(|_| row("c", Err(Fault::bare(FaultCode::SpawnError)))).collect();
    let at = "Sun Nov  6 09:49:37 1994";
    let spawn_errors = ["g:c: spawn error"; 5].join(", ");
    for (action, outcomes, listed) in [
        ("refresh", vec![], format!("Page refreshed at {at}")),
        ("stopall", vec![fine()], format!("All stopped at {at}")),
        (
            "stopall",
            vec![not(FaultCode::Failed)],
            format!("Not all stopped at {at}: g:b: unexpected rpc fault [30] FAILED: g:b"),
        ),
        ("restartall", vec![fine()], format!("All restarted at {at}")),
        ("restartall", vec![not(FaultCode::NoFile)], format!("Not all restarted at {at}: g:b: no such file")),
        (
            "restartall",
            vec![Ok(Reply::Bulk(many))],
            format!("Not all restarted at {at}: {spawn_errors}, and 2 more"),
        ),
        (
            "restartall",
            vec![Err(Fault::bare(FaultCode::ShutdownState))],
            "unexpected rpc fault [6] SHUTDOWN_STATE".to_owned(),
        ),
    ] {
        let (commands, page) = run(&format!("GET /?action={action}&processname=web"), &outcomes);
        assert_eq!(message(&page), listed);
        let all = match action {
            "stopall" => vec![Command::StopAllProcesses(Wait::Yes)],
            "restartall" => vec![Command::RestartAllProcesses],
            _ => Vec::new(),
        };
        assert_eq!(commands, all);
    }
}

#[test]
fn a_message_fits_in_a_url() {
    let name = "\u{6f22}".repeat(MESSAGE_BYTES_MAX);
    let posted = request("POST /", "", &format!("action=stop&processname={name}"));
    let Answer::Later(mut page_request) = asked(&posted) else { panic!("a stop has to be asked for") };
    page_request.next();
    page_request.answered(fault(FaultCode::BadName));
    let listed = message(&text(&page_request.into_response(WALL, Grant::default(), None)));
    assert!(listed.starts_with("No such process named \u{6f22}\u{6f22}") && listed.ends_with('\u{6f22}'));
    assert!((MESSAGE_BYTES_MAX - 2..=MESSAGE_BYTES_MAX).contains(&listed.len()), "{}", listed.len());
}

#[test]
fn unknown_actions_are_rejected() {
    for query in ["action=nope", "action=nope&processname=web", "action=start", "action=%3Cb%3E"] {
        let page = now(&format!("GET /?{query}"));
        assert!(page.starts_with("HTTP/1.1 400 Bad Request\r\n") && !page.contains("<b>"), "{page}");
    }
}

#[test]
fn requests_of_foreign_pages_are_shown_and_not_performed() {
    let foreign =
        ["Sec-Fetch-Site: cross-site\r\n", "Origin: http://evil\r\n", "User-Agent: Mozilla/5.0\r\n"];
    for fields in foreign {
        for (query, is_done) in [
            ("action=stopall", false),
            ("action=restartall", false),
            ("action=start&processname=%3Cb%3E", false),
            ("action=stop&processname=web", false),
            ("action=clearlog&processname=web", false),
            ("action=refresh", true),
            ("message=hi", true),
        ] {
            match asked(&request(&format!("GET /?{query}"), fields, "")) {
                Answer::Later(page_request) => assert!(is_done, "{fields}{query}: {page_request:?}"),
                Answer::Now(response) => {
                    let page = text(&response);
                    assert!(!is_done && page.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{page}");
                    assert!(page.contains("<form action=\"index.html\" method=\"post\">"), "{page}");
                    assert!(page.contains("frame-ancestors 'self'") && !page.contains("<b>"), "{page}");
                }
            }
        }
        assert_eq!(
            asked(&request("POST /?action=stopall", fields, "a=b")),
            Answer::Now(pages::refusal("stopall", None))
        );
    }
    for fields in ["", "User-Agent: curl/8\r\n", "Referer: http://here/\r\n", "Origin: http://here\r\n"] {
        assert!(matches!(asked(&request("GET /?action=stopall", fields, "")), Answer::Later(_)), "{fields}");
    }
    // A HEAD request changes nothing.
    assert!(matches!(later("HEAD /?action=stopall").purpose, PagePurpose::ShowStatus { .. }));
}

#[test]
fn the_tail_page_shows_the_end_of_a_log_or_why_not() {
    use FaultCode::*;
    let text = |text: &str| Ok(Reply::Text(text.to_owned()));
    for (query, outcomes, bytes, shown) in [
        (
            "processname=web",
            vec![text("a<b>\u{fffd}\n"), fault(NoFile)],
            1024,
            "<pre>a&lt;b&gt;\u{fffd}\n</pre>",
        ),
        ("processname=web&limit=1", vec![text(""), fault(NoFile)], 1024, "<pre></pre>"),
        ("processname=web&limit=2000", vec![text(""), fault(NoFile)], 2000, "&amp;limit=2000\""),
        ("processname=web&limit=-5", vec![text(""), fault(NoFile)], 1024, "&amp;limit=1024\""),
        ("processname=web&limit=many", vec![text(""), fault(NoFile)], 1024, "&amp;limit=1024\""),
        (
            "processname=web&limit=99999999999999999999",
            vec![text(""), fault(NoFile)],
            TAIL_BYTES_MAX,
            "&amp;limit=1048576\"",
        ),
        ("processname=web", vec![fault(NoFile), fault(NoFile)], 1024, "<pre>No file for web</pre>"),
        (
            "processname=web",
            vec![fault(BadName)],
            1024,
            "<pre>ERROR: unexpected rpc fault [10] BAD_NAME: web</pre>",
        ),
        ("", vec![], 0, "<pre>No process name found</pre>"),
        ("processname=", vec![], 0, "<title>Supervisor tail of process None</title>"),
    ] {
        let (commands, page) = run(&format!("GET /tail.html?{query}"), &outcomes);
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains(shown), "{query}: {page}");
        let offsets: Vec<_> = commands
            .iter()
            .map(|command| match command {
                Command::ReadLog(_, LogRange::Range { offset, length: 0 }) => *offset,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(offsets, outcomes.iter().map(|_| -bytes - 1).collect::<Vec<_>>(), "{query}");
        assert_eq!(page.contains("tail.html?processname=web"), !outcomes.is_empty(), "{query}");
    }
}

#[test]
fn the_tail_page_shows_whole_lines_of_both_streams_and_the_way_back() {
    let text = |text: &str| Ok(Reply::Text(text.to_owned()));
    let shown = |stdout: Result<Reply, Fault>, stderr: Result<Reply, Fault>| {
        let (commands, page) = run("GET /tail.html?processname=web", &[stdout, stderr]);
        let channels: Vec<_> = commands
            .iter()
            .map(|command| match command {
                Command::ReadLog(LogOf::Process(_, channel), _) => *channel,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(channels, [Channel::Stdout, Channel::Stderr]);
        assert!(page.contains("<a href=\"index.html\">Supervisor Status</a>"), "{page}");
        assert!(page.contains("limit=16384\">Show More</a>"), "{page}");
        page
    };
    let page = shown(text(""), text("oh\n"));
    let nothing = "<h2>Standard output</h2>\n<p>Nothing was written.</p>\n<pre></pre>\n";
    assert!(page.contains(&format!("{nothing}<h2>Standard error</h2>\n<pre>oh\n</pre>")), "{page}");
    let page = shown(fault(FaultCode::NoFile), text("oh\n"));
    assert!(page.contains("<div data-kind=\"error\"><pre>No file for web</pre></div>\n<h2>Standard error"));
    let page = shown(text("x\n"), fault(FaultCode::NoFile));
    assert!(!page.contains("Standard error"), "{page}");
    // One byte more than requested: the first line is incomplete.
    let lines = format!("{}\n{}\n", "a".repeat(24), "b".repeat(999));
    let page = shown(text(&lines), text(""));
    let whole = format!("<p>Earlier output is not shown.</p>\n<pre>{}\n</pre>", "b".repeat(999));
    assert!(page.contains(&whole), "{page}");
    // A complete log is shown from its beginning.
    let page = shown(text(&lines[1..]), text(""));
    assert!(page.contains(&format!("<pre>{}\n{}\n</pre>", "a".repeat(23), "b".repeat(999))), "{page}");
    // A single line has no later line start.
    let page = shown(text(&"\u{e4}".repeat(513)), text(""));
    assert!(page.contains(&format!("<pre>{}</pre>", "\u{e4}".repeat(512))), "{page}");
}

#[test]
fn marks_that_would_not_be_seen_are_symbols_and_links_still_work() {
    let odd = ProcessInfo {
        reported_status: Some("\u{202e}ok\u{1b}[2J".into()),
        hint: Some("\u{2067}why".into()),
        ..info("g", "a\u{202e}b", ProcessState::Running)
    };
    let (encoded, shown) = ("g%3Aa%E2%80%AEb", "g:a\u{fffd}b");
    let page = status_of(std::slice::from_ref(&odd));
    let (tail, stop) =
        (format!("tail.html?processname={encoded}"), format!("processname={encoded}&amp;action=stop"));
    for part in [
        format!("<a href=\"{tail}\" target=\"_blank\">{shown}</a>"),
        format!("<a href=\"index.html?{stop}\" name=\"Stop\" aria-label=\"Stop {shown}\">"),
        "; \u{fffd}why; \u{fffd}ok\u{241b}[2J</span>".to_owned(),
    ] {
        let part = part.as_str();
        assert!(page.contains(part), "{part} in {page}");
    }
    let spec = ProcessSpec { command: "/bin/x \u{202e}y".to_owned(), ..ProcessSpec::default() };
    let details = ProcessDetails { info: odd, spec: spec.into(), history: Vec::new() };
    let outcomes = [Ok(Reply::Details(Box::new(details)))];
    let (_, page) = run(&format!("GET /process.html?processname={encoded}"), &outcomes);
    let title = format!("<title>{shown}</title>");
    for part in [title.as_str(), "<dd>/bin/x \u{fffd}y</dd>", "<p>\u{fffd}ok\u{241b}[2J</p>"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains(['\u{202e}', '\u{2067}', '\u{1b}']), "{page}");
    // What a button sends back is the name itself.
    let refusal = pages::refusal("stop", Some("a\u{202e}b"));
    let page = String::from_utf8(refusal.content().to_vec()).unwrap();
    assert!(page.contains("value=\"a\u{202e}b\"") && page.contains("Do it: stop a\u{fffd}b"), "{page}");
}

#[test]
fn the_page_of_a_process_shows_its_state_configuration_and_history() {
    let transition = Transition {
        serial: 7,
        at: WALL,
        from: ProcessState::Starting,
        to: ProcessState::Fatal,
        pid: Some(Pid(12)),
        exit: None,
        reason: TransitionReason::Text("<gave up>".into()),
    };
    let failed = ProcessInfo { hint: Some("try 'x'".into()), ..info("g", "<w>", ProcessState::Fatal) };
    let spec = ProcessSpec { command: "/bin/<w> --x".to_owned(), ..ProcessSpec::default() };
    let details = ProcessDetails { info: failed, spec: spec.into(), history: vec![transition] };
    let outcomes = [Ok(Reply::Details(Box::new(details)))];
    let (commands, page) = run("GET /process.html?processname=g:%3Cw%3E", &outcomes);
    assert_eq!(commands, [Command::GetProcessDetails(Namespec::split("g:<w>"))]);
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    for part in [
        "<title>g:&lt;w&gt;</title>",
        "<span class=\"statuserror\">fatal</span>",
        "<p>try &#39;x&#39;</p>",
        "<dt>Command</dt><dd>/bin/&lt;w&gt; --x</dd>",
        "<td>Sun Nov  6 09:49:37 1994</td><td>STARTING \u{2192} FATAL</td><td>12</td><td>&lt;gave up&gt;</td>",
        "<a href=\"tail.html?processname=g%3A%3Cw%3E\">Logs</a>",
        "src=\"js/process.js\"",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("Memory"), "{page}");
    let running = ProcessInfo { pid: 12, ..info("g", "w", ProcessState::Running) };
    let details = ProcessDetails { info: running, spec: ProcessSpec::default().into(), history: Vec::new() };
    let (_, page) = run("GET /process.html?processname=g:w", &[Ok(Reply::Details(Box::new(details)))]);
    assert!(page.contains("<p>Memory: 3.4 MiB</p>"), "{page}");
    let (_, page) = run("GET /process.html?processname=%3Cb%3E", &[fault(FaultCode::BadName)]);
    assert!(page.starts_with("HTTP/1.1 404 Not Found\r\n"), "{page}");
    assert!(page.contains("No such process named &lt;b&gt;"), "{page}");
    let (_, page) = run("GET /process.html?processname=web", &[fault(FaultCode::ShutdownState)]);
    assert!(page.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{page}");
}

#[test]
fn errors_and_exits_are_distinguishable() {
    let of = |message: &str| run(&format!("GET /?message={message}"), &[Ok(Reply::AllInfo(vec![]))]).1;
    for message in ["ERROR:%20x", "unexpected%20rpc%20fault%20[30]", "No%20such%20process%20named%20x"] {
        assert!(of(message).contains("role=\"alert\" data-kind=\"error\">"), "{message}");
    }
    assert!(of("Process%20x%20started").contains("role=\"status\">"));
    let end = |state, ended_as_expected| {
        let info = ProcessInfo { ended_as_expected, ..info("g", "x", state) };
        status_of(&[info])
    };
    assert!(end(ProcessState::Exited, true).contains("<tr data-end=\"expected\">"));
    assert!(end(ProcessState::Exited, false).contains("<tr data-end=\"unexpected\">"));
    assert!(!end(ProcessState::Running, true).contains("data-end"));
    let running = info("g", "a", ProcessState::Running);
    let health =
        HealthInfo { status: HealthStatus::Unhealthy, failure: Some("3 of 3 checks failed: <no>".into()) };
    let page = status_of(&[ProcessInfo { health: Some(health), ..running }]);
    assert!(page.contains("<tr data-health=\"unhealthy\">"), "{page}");
    assert!(page.contains("uptime&gt;; unhealthy: 3 of 3 checks failed: &lt;no&gt;</span>"), "{page}");
}

#[test]
fn stopping_everything_needs_confirmation_in_a_browser_only() {
    for (action, label) in [("stopall", "Stop All"), ("restartall", "Restart All")] {
        let ask = |method: &str, fields: &str| {
            asked(&request(
                &format!("{method} /index.html?action={action}"),
                fields,
                if method == "POST" { "x" } else { "" },
            ))
        };
        const BROWSER: &str = "User-Agent: Mozilla/5.0\r\nReferer: http://here/\r\n";
        for fields in ["Sec-Fetch-Site: same-origin\r\n", BROWSER] {
            let Answer::Now(page) = ask("GET", fields) else { panic!("{action} was done for {fields}") };
            let page = text(&page);
            assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
            assert!(page.contains(&format!("<button data-kind=\"error\">{label}</button>")), "{page}");
            assert!(page.contains(&format!(
                "method=\"post\">\n<input type=\"hidden\" name=\"action\" value=\"{action}\">"
            )));
            assert!(matches!(ask("POST", fields), Answer::Later(_)), "{action}");
        }
        assert!(matches!(ask("GET", "User-Agent: curl/8.5.0\r\n"), Answer::Later(_)), "{action}");
        assert!(matches!(ask("GET", ""), Answer::Later(_)), "{action}");
    }
}

#[test]
fn a_missing_page_has_the_common_style_and_a_link_back() {
    let page = now("GET /nope");
    assert!(page.starts_with("HTTP/1.1 404 Not Found\r\n"), "{page}");
    assert!(page.contains("\r\nContent-Type: text/html\r\n"), "{page}");
    assert!(page.contains("href=\"stylesheets/supervisor.css\""), "{page}");
    assert!(page.contains("<a href=\"index.html\">Supervisor Status</a>"), "{page}");
}
