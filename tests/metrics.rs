//! Metrics and probes from outside: the real binary, read by Prometheus, promtool and a strict parser of OpenMetrics.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use support::wire::{Answer, Peer, call};
use support::{Sandbox, free_port, free_ports, have};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

fn exists(path: &str) -> bool {
    Path::new(path).exists()
}

fn have_promtool() -> bool {
    have("promtool", exists("/usr/bin/promtool"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn request(method: &str, path: &str, fields: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
}

fn get(sandbox: &Sandbox, path: &str) -> Answer {
    Peer::unix(sandbox).send(request("GET", path, "")).answer()
}

fn status(answer: &Answer) -> u16 {
    answer.line.split(' ').nth(1).unwrap().parse().unwrap()
}

fn body(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

/// A probe, as status and body.
fn probe(sandbox: &Sandbox, path: &str) -> (u16, String) {
    let answer = get(sandbox, path);
    assert_eq!(answer.field("Content-Type"), Some("text/plain; charset=utf-8"));
    (status(&answer), body(&answer))
}

/// The exit status of `sv health`.
fn sv_health(sandbox: &Sandbox) -> Option<i32> {
    let config = sandbox.config().display().to_string();
    sandbox.program("sv").args(["health", "-c", &config]).output().unwrap().status.code()
}

fn wait_probe(sandbox: &mut Sandbox, path: &str, expected: (u16, &str)) {
    sandbox.wait(&format!("{path} to answer {expected:?}"), |sandbox| {
        let (status, body) = probe(sandbox, path);
        (status == expected.0 && body == expected.1).then_some(())
    });
}

/// All metrics in the format that is accepted.
fn metrics(sandbox: &Sandbox, accept: &str, content_type: &str) -> String {
    let fields = format!("Accept: {accept}\r\n");
    let answer = Peer::unix(sandbox).gets(request("GET", "/metrics", &fields), "HTTP/1.1 200 OK");
    assert_eq!(answer.field("Content-Type"), Some(content_type));
    body(&answer)
}

fn plain(sandbox: &Sandbox) -> String {
    metrics(sandbox, "*/*", PROMETHEUS)
}

/// The value of a series, by its name with labels.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.rsplit_once(' ').is_some_and(|(it, _)| it == series))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

fn wait_value(sandbox: &mut Sandbox, series: &str, expected: impl Fn(f64) -> bool) {
    sandbox.wait(series, |sandbox| value(&plain(sandbox), series).filter(|value| expected(*value)));
}

/// The names of all families.
fn families(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// All series, without their values.
fn series(text: &str) -> BTreeSet<String> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

/// Runs a program with a text as its input; returns whether it succeeded, and its output.
fn run(command: &mut Command, input: &str) -> (bool, String) {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// What a strict parser of OpenMetrics finds, a sample a line: its name and its labels as JSON.
const PARSE: &str = "import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        print(family.type, sample.name, json.dumps(sample.labels, sort_keys=True))
";

fn parse_openmetrics(text: &str) -> Option<String> {
    let package = "/usr/lib/python3/dist-packages/prometheus_client";
    have("python3-prometheus-client", exists(package)).then(|| {
        let (success, output) = run(Command::new("/usr/bin/python3").args(["-c", PARSE]), text);
        assert!(success, "{output}\n{text}");
        output
    })
}

const PROGRAMS: &str = "[program:web]
command=sleep 1000
numprocs=2
process_name=%(program_name)s_%(process_num)02d
[program:once]
command=sh -c 'exit 3'
startsecs=0
autorestart=false
";

#[test]
fn every_metric_is_there_and_documented() {
    let mut sandbox = Sandbox::with_programs(PROGRAMS).start();
    sandbox.wait_state("web:web_01", "RUNNING");
    sandbox.wait_state("once", "EXITED");
    let text = plain(&sandbox);
    let page = fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let documented: BTreeSet<_> =
        rows.map(|(name, _)| name.to_owned()).filter(|it| it.contains("_")).collect();
    assert_eq!(families(&text), documented);
    for (series, expected) in [
        ("node_supervisord_up{group=\"web\",name=\"web_01\"}", 1.0),
        ("node_supervisord_state{group=\"web\",name=\"web_01\"}", 20.0),
        ("node_supervisord_up{group=\"once\",name=\"once\"}", 0.0),
        ("node_supervisord_exit_status{group=\"once\",name=\"once\"}", 3.0),
        ("sv_process_state{group=\"web\",name=\"web_00\",state=\"RUNNING\"}", 1.0),
        ("sv_process_state{group=\"once\",name=\"once\",state=\"EXITED\"}", 1.0),
        ("sv_process_state{group=\"once\",name=\"once\",state=\"RUNNING\"}", 0.0),
        ("sv_process_exits_total{group=\"once\",name=\"once\",kind=\"unexpected\"}", 1.0),
        ("sv_process_last_exit_code{group=\"once\",name=\"once\"}", 3.0),
        ("sv_spawn_seconds_count", 3.0),
        ("sv_config_last_reload_successful", 1.0),
    ] {
        assert_eq!(value(&text, series), Some(expected), "{series}\n{text}");
    }
    assert!(value(&text, "sv_process_resident_memory_bytes{group=\"web\",name=\"web_00\"}").unwrap() > 0.0);
    assert!(!text.contains("pid"));
    if have_promtool() {
        let checked = run(Command::new("promtool").args(["check", "metrics"]), &text);
        assert_eq!(checked, (true, String::new()));
    }
}

#[test]
fn openmetrics_is_sound_and_has_the_same_samples() {
    let mut sandbox = Sandbox::with_programs(PROGRAMS).start();
    sandbox.wait_state("web:web_01", "RUNNING");
    sandbox.wait_state("once", "EXITED");
    let open = metrics(&sandbox, "application/openmetrics-text; version=1.0.0", OPENMETRICS);
    assert!(open.ends_with("\n# EOF\n"));
    assert_eq!(series(&open), series(&plain(&sandbox)));
    let Some(parsed) = parse_openmetrics(&open) else { return };
    assert_eq!(parsed.lines().count(), series(&open).len());
    for line in [
        "info sv_build_info {\"version\": \"0.1.0\"}",
        "counter sv_process_restarts_total {\"group\": \"once\", \"name\": \"once\"}",
        "histogram sv_spawn_seconds_bucket {\"le\": \"+Inf\"}",
    ] {
        assert!(parsed.lines().any(|it| it == line), "{line}\n{parsed}");
    }
}

#[test]
fn hostile_names_are_escaped() {
    let mut sandbox = Sandbox::with_programs("");
    // A configuration is UTF-8, so a name can't be anything else.
    let programs =
        ["a\"}\\n<b>&amp;", "\u{fffd}\u{e4}"].map(|it| format!("[program:{it}]\ncommand=sleep 1000\n"));
    sandbox.write("supervisord.conf", &(sandbox.file("supervisord.conf") + &programs.concat()));
    sandbox.spawn();
    sandbox.wait_ready();
    let plain = plain(&sandbox);
    if have_promtool() {
        let checked = run(Command::new("promtool").args(["check", "metrics"]), &plain);
        assert_eq!(checked, (true, String::new()));
    }
    let Some(parsed) = parse_openmetrics(&metrics(&sandbox, "application/openmetrics-text", OPENMETRICS))
    else {
        return;
    };
    let names: BTreeSet<String> = parsed
        .lines()
        .filter_map(|line| line.strip_prefix("gauge node_supervisord_up "))
        .map(|labels| serde_json::from_str::<Value>(labels).unwrap()["name"].as_str().unwrap().to_owned())
        .collect();
    let expected = ["a\"}\\n<b>&amp;", "\u{fffd}\u{e4}"].map(str::to_owned);
    assert_eq!(names, BTreeSet::from(expected));
}

#[test]
fn a_restart_changes_values_and_no_series() {
    let mut sandbox = Sandbox::with_programs(
        "[program:web]\ncommand=sleep 1000\nstartsecs=0\nautorestart=true\n[program:idle]\ncommand=sleep 1000\n",
    )
    .start();
    sandbox.wait_state("web", "RUNNING");
    let labels = "{group=\"web\",name=\"web\"}";
    let mut ends = BTreeSet::new();
    for round in 1..=2 {
        let pid = sandbox.pid("web").unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        wait_value(&mut sandbox, &format!("sv_process_starts_total{labels}"), |it| {
            it == f64::from(round + 1)
        });
        sandbox.wait_state("web", "RUNNING");
        sandbox.wait_state("idle", "RUNNING");
        let text = plain(&sandbox);
        for (name, expected) in [
            (format!("sv_process_restarts_total{labels}"), f64::from(round)),
            (
                "sv_process_exits_total{group=\"web\",name=\"web\",kind=\"signal\"}".to_owned(),
                f64::from(round),
            ),
            (format!("sv_process_last_exit_code{labels}"), 137.0),
            (format!("node_supervisord_exit_status{labels}"), 0.0),
        ] {
            assert_eq!(value(&text, &name), Some(expected), "{name}\n{text}");
        }
        ends.insert(series(&text));
    }
    assert_eq!(ends.len(), 1);
}

#[test]
fn resources_and_output_are_measured() {
    let mut sandbox = Sandbox::with_programs(
        "[program:busy]\ncommand=sh -c 'while :; do :; done'\n\
         [program:chatty]\ncommand=sh -c 'echo hello >&2; echo 123456789; exec sleep 1000'\nstdout_logfile=/dev/full\n",
    )
    .start();
    let labels = "{group=\"busy\",name=\"busy\"}";
    wait_value(&mut sandbox, &format!("sv_process_cpu_seconds_total{labels}"), |it| it > 0.0);
    let stream = |metric: &str, stream: &str| {
        format!("sv_process_{metric}_total{{group=\"chatty\",name=\"chatty\",stream=\"{stream}\"}}")
    };
    wait_value(&mut sandbox, &stream("log_bytes", "stdout"), |it| it == 10.0);
    wait_value(&mut sandbox, &stream("log_bytes", "stderr"), |it| it == 6.0);
    wait_value(&mut sandbox, &stream("log_dropped_bytes", "stdout"), |it| it == 10.0);
    wait_value(&mut sandbox, &stream("log_dropped_bytes", "stderr"), |it| it == 0.0);
}

#[test]
fn a_reload_is_reported_whether_it_succeeds_or_not() {
    let mut sandbox = Sandbox::with_programs(PROGRAMS).start();
    let time = "sv_config_last_reload_success_timestamp_seconds";
    let began = value(&plain(&sandbox), time).unwrap();
    sandbox.replace("supervisord.conf", "numprocs=2", "numprocs=x");
    assert!(!sandbox.ctl(&["reread"]).stdout.contains("changed"));
    let text = plain(&sandbox);
    assert_eq!(value(&text, "sv_config_last_reload_successful"), Some(0.0));
    assert_eq!(value(&text, time), Some(began));
    sandbox.replace("supervisord.conf", "numprocs=x", "numprocs=1");
    assert!(sandbox.ctl(&["reread"]).stdout.contains("changed"));
    let text = plain(&sandbox);
    assert_eq!(value(&text, "sv_config_last_reload_successful"), Some(1.0));
    assert!(value(&text, time).unwrap() > began);
    // The counts outlive a restart in the same process.
    sandbox.ctl(&["reload"]);
    wait_value(&mut sandbox, "sv_spawn_seconds_count", |it| it >= 5.0);
    assert!(value(&plain(&sandbox), time).unwrap() > began);
}

#[test]
fn discarded_events_and_orphans_are_counted() {
    let mut sandbox = Sandbox::with_programs(
        "[eventlistener:slow]\ncommand=sleep 1000\nevents=PROCESS_STATE\nbuffer_size=1\n\
         [program:fork]\ncommand=sh -c 'sh -c \"sleep 0.01 &\"; exec sleep 1000'\nnumprocs=3\n\
         process_name=%(program_name)s_%(process_num)d\n",
    );
    // The sandbox's supervisor is no PID 1, and reaps orphans as their subreaper.
    sandbox.spawn();
    sandbox.wait_ready();
    wait_value(&mut sandbox, "sv_events_dropped_total", |it| it > 0.0);
    wait_value(&mut sandbox, "sv_orphans_reaped_total", |it| it >= 3.0);
}

#[test]
fn readyz_becomes_ready_with_the_slowest_program() {
    let mut sandbox = Sandbox::with_programs(
        "[program:slow]\ncommand=sleep 1000\nready=file:%(here)s/go\nready_timeout=0\n\
         [program:setup]\ncommand=sh -c 'exit 0'\ntype=oneshot\n\
         [program:nightly]\ncommand=sh -c 'exit 1'\nschedule=0 3 * * *\n\
         [program:manual]\ncommand=sleep 1000\nautostart=false\n",
    )
    .start();
    wait_probe(&mut sandbox, "/readyz", (503, "not ready: slow is STARTING\n"));
    wait_probe(&mut sandbox, "/healthz", (503, "not healthy: slow is STARTING\n"));
    assert_eq!(probe(&sandbox, "/livez"), (200, "alive\n".to_owned()));
    sandbox.write("go", "");
    wait_probe(&mut sandbox, "/readyz", (200, "ready\n"));
    wait_probe(&mut sandbox, "/healthz", (200, "healthy\n"));
    assert_eq!(sv_health(&sandbox), Some(0));
    // What was stopped by request is healthy, and not ready.
    sandbox.ctl(&["stop", "slow"]);
    wait_probe(&mut sandbox, "/readyz", (503, "not ready: slow is STOPPED\n"));
    wait_probe(&mut sandbox, "/healthz", (200, "healthy\n"));
}

#[test]
fn healthz_and_sv_health_agree() {
    let port = free_port();
    let mut sandbox = Sandbox::with_programs(&format!(
        "[program:sick]\ncommand=sleep 1000\nstartsecs=0\nhealth=tcp:127.0.0.1:{port}\nhealth_interval=0.1\n\
         health_retries=1\non_unhealthy=ignore\n"
    ))
    .start();
    wait_probe(&mut sandbox, "/healthz", (503, "not healthy: sick is RUNNING, and its health check fails\n"));
    assert_eq!(probe(&sandbox, "/readyz"), (200, "ready\n".to_owned()));
    assert_eq!(sv_health(&sandbox), Some(1));
    wait_value(&mut sandbox, "sv_process_healthy{group=\"sick\",name=\"sick\"}", |it| it == 0.0);
}

#[test]
fn monitoring_continues_during_a_shutdown() {
    let mut sandbox = Sandbox::with_programs(
        "[program:stubborn]\ncommand=sh -c 'trap \"\" TERM; echo on; while :; do sleep 0.1; done'\nstopwaitsecs=60\n\
         stdout_logfile=%(here)s/stubborn.log\n",
    )
    .start();
    sandbox.wait_file("stubborn.log", "on");
    sandbox.wait_state("stubborn", "RUNNING");
    let pid = sandbox.pid("stubborn").unwrap();
    sandbox.signal(Signal::TERM);
    sandbox.wait("a shutdown that is not ready", |sandbox| {
        let (status, body) = probe(sandbox, "/readyz");
        (status == 503 && body.starts_with("not ready: the supervisor is shutting down\n")).then_some(())
    });
    assert_eq!(probe(&sandbox, "/healthz").0, 503);
    assert_eq!(probe(&sandbox, "/livez").0, 200);
    let state = "sv_process_state{group=\"stubborn\",name=\"stubborn\",state=\"STOPPING\"}";
    assert_eq!(value(&plain(&sandbox), state), Some(1.0));
    kill_process(pid, Signal::KILL).unwrap();
    sandbox.wait_exit();
}

#[test]
fn only_reading_is_served() {
    let sandbox = Sandbox::with_programs(PROGRAMS).start();
    for path in ["/metrics", "/livez", "/readyz", "/healthz"] {
        let answer = Peer::unix(&sandbox).gets(
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"),
            "HTTP/1.1 405 Method Not Allowed",
        );
        assert_eq!(answer.field("Allow"), Some("GET, HEAD"));
        let mut peer = Peer::unix(&sandbox);
        let head = peer.send(request("HEAD", path, "Connection: close\r\n")).head();
        assert!(head[0].starts_with("HTTP/1.1 200") || head[0].starts_with("HTTP/1.1 503"), "{head:?}");
        let length = head.iter().find_map(|field| field.strip_prefix("Content-Length: ")).unwrap();
        assert!(length.parse::<usize>().unwrap() > 0 && peer.ends(), "{head:?}");
    }
}

#[test]
fn a_server_with_a_password_asks_for_it_here_too() {
    let port = free_port();
    let sandbox = Sandbox::with_programs(&format!(
        "[inet_http_server]\nport=127.0.0.1:{port}\nusername=u\npassword=p\n"
    ))
    .start();
    for path in ["/metrics", "/livez"] {
        Peer::tcp(port).gets(request("GET", path, ""), "HTTP/1.1 401 Unauthorized");
        // u:p
        Peer::tcp(port).gets(request("GET", path, "Authorization: Basic dTpw\r\n"), "HTTP/1.1 200 OK");
    }
    drop(sandbox);
}

#[test]
fn a_probe_server_serves_nothing_else() {
    let port = free_port();
    let programs = format!(
        "[program:web]\ncommand=sh -c 'echo url=$SUPERVISOR_SERVER_URL; exec sleep 1000'\n\
         stdout_logfile=%(here)s/web.log\n[probe_http_server]\nport=*:{port}\n"
    );
    let mut sandbox = Sandbox::with_programs(&programs).start();
    sandbox.wait_state("web", "RUNNING");
    for path in ["/metrics", "/livez", "/readyz", "/healthz", "/readyz?verbose"] {
        // By any name, as Prometheus may know it by one.
        let request = format!("GET {path} HTTP/1.1\r\nHost: sv.example.com\r\n\r\n");
        Peer::tcp(port).gets(request, "HTTP/1.1 200 OK");
    }
    assert!(body(&Peer::tcp(port).send(request("GET", "/metrics", "")).answer()).contains("name=\"web\""));
    for path in [
        "/",
        "/index.html",
        "/index.html?action=stopall",
        "/tail.html?processname=web",
        "/ok.html",
        "/stylesheets/supervisor.css",
        "/logtail/web/stdout",
        "/mainlogtail",
        "/RPC2",
        "/api/v1",
        "/api/v1/processes",
        "/metrics/",
        "/metrics/../RPC2",
        "/Metrics",
        "//livez",
        "http://localhost/RPC2",
    ] {
        let answer = Peer::tcp(port).gets(request("GET", path, ""), "HTTP/1.1 404 Not Found");
        assert_eq!(answer.field("Connection"), Some("close"), "{path}");
    }
    Peer::tcp(port).gets(call("supervisor.stopAllProcesses", &[]), "HTTP/1.1 404 Not Found");
    // Refused before the body is read.
    let post = "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";
    Peer::tcp(port).gets(post, "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(sandbox.state("web").as_deref(), Some("RUNNING"));
    // Programs get the address of the socket, not of this server.
    let url = format!("url=unix://{}\n", sandbox.path("supervisor.sock").display());
    sandbox.wait_file("web.log", &url);
    assert!(!sandbox.log().contains("probe_http_server"), "{}", sandbox.log());
    // It is opened and closed by a restart in the same process.
    sandbox.replace("supervisord.conf", &format!("[probe_http_server]\nport=*:{port}\n"), "");
    sandbox.ctl(&["reload"]);
    sandbox.wait("its end", |_| std::net::TcpStream::connect(("127.0.0.1", port)).is_err().then_some(()));
}

#[test]
fn a_probe_server_needs_a_port_of_its_own() {
    let mut sandbox = Sandbox::with_programs("[probe_http_server:k8s]\n");
    let text = String::from_utf8(sandbox.run_to_end().stdout).unwrap();
    assert!(text.contains("section [probe_http_server:k8s] has no port value"), "{text}");
    let port = free_port();
    let taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let mut sandbox = Sandbox::with_programs(&format!("[probe_http_server]\nport=127.0.0.1:{port}\n"));
    let text = String::from_utf8(sandbox.run_to_end().stdout).unwrap();
    assert!(text.contains(&format!("cannot listen on '127.0.0.1:{port}'")), "{text}");
    drop(taken);
}

#[test]
fn a_role_for_metrics_includes_nothing_else() {
    let port = free_port();
    let sandbox =
        Sandbox::with_programs(&format!("[inet_http_server]\nport=127.0.0.1:{port}\nrole=metrics\n")).start();
    for path in ["/metrics", "/livez", "/readyz", "/healthz"] {
        Peer::tcp(port).gets(request("GET", path, ""), "HTTP/1.1 200 OK");
    }
    for path in ["/", "/logtail/web", "/mainlogtail"] {
        Peer::tcp(port).gets(request("GET", path, ""), "HTTP/1.1 403 Forbidden");
    }
    drop(sandbox);
}

#[test]
fn a_thousand_processes_are_complete_for_many_clients_at_once() {
    let sandbox = Sandbox::with_programs(
        "[program:many]\ncommand=sleep 1000\nautostart=false\nnumprocs=1000\n\
         process_name=%(program_name)s_%(process_num)04d\n",
    )
    .start();
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let mut peer = Peer::unix(&sandbox);
            peer.send(request("GET", "/metrics", ""));
            peer
        })
        .collect();
    // Probes do not wait in line with them.
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(status(&get(&sandbox, path)), 200);
    }
    for mut peer in clients {
        let text = body(&peer.answer());
        assert_eq!(text.matches("node_supervisord_state{").count(), 1000);
        assert_eq!(text.matches("sv_process_state{").count(), 8000);
    }
}

/// The result of a query.
fn query(port: u16, query: &str) -> Value {
    let request = format!("GET /api/v1/query?query={query} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let Ok(stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else { return Value::Null };
    let answer = Peer::of(stream).send(request).answer();
    serde_json::from_slice::<Value>(&answer.body).unwrap_or_default()["data"]["result"].clone()
}

#[test]
fn prometheus_scrapes_a_running_supervisor() {
    if !have("prometheus", exists("/usr/bin/prometheus")) {
        return;
    }
    let [sv, port] = free_ports();
    let sandbox =
        Sandbox::with_programs(&format!("[inet_http_server]\nport=127.0.0.1:{sv}\n{PROGRAMS}")).start();
    let config = fs::read_to_string(root().join("examples/monitoring/prometheus.yml")).unwrap();
    let config = config.replace("15s", "1s").replace("localhost:9002", &format!("127.0.0.1:{sv}"));
    sandbox.write("prometheus.yml", &config);
    fs::copy(root().join("examples/monitoring/alerts.yml"), sandbox.path("alerts.yml")).unwrap();
    let mut prometheus = Command::new("/usr/bin/prometheus");
    prometheus
        .arg(format!("--config.file={}", sandbox.path("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", sandbox.path("tsdb").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let log = fs::File::create(sandbox.path("prometheus.log")).unwrap();
    let mut sandbox = sandbox;
    let mut child = sandbox.marked(prometheus).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    for (text, expected) in [
        ("sum(sv_process_state{state=\"RUNNING\"})", "2"),
        ("sv_process_exits_total{name=\"once\",kind=\"unexpected\"}", "1"),
        ("sum(node_supervisord_up)", "2"),
        ("sv_spawn_seconds_count", "3"),
        ("up{job=\"sv\"}", "1"),
    ] {
        let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        sandbox.wait(&format!("the answer {expected} to {text}"), |_| {
            (query(port, &encoded)[0]["value"][1] == expected).then_some(())
        });
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The names of metrics in a text, without the suffixes of a histogram.
fn mentioned(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| word.starts_with("sv_") || word.starts_with("node_supervisord_"));
    names.map(|name| name.trim_end_matches("_bucket").to_owned()).collect()
}

#[test]
fn the_alert_rules_and_the_dashboard_are_sound() {
    let folder = root().join("examples/monitoring");
    let sandbox = Sandbox::with_programs(PROGRAMS).start();
    let known = families(&plain(&sandbox));
    for file in ["alerts.yml", "grafana.json"] {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        let names = mentioned(&text);
        assert!(names.len() > 5 && names.is_subset(&known), "{file}: {:?}", names.difference(&known));
    }
    let dashboard: Value = serde_json::from_slice(&fs::read(folder.join("grafana.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let has_expressions = |panel: &Value| {
        let targets = panel["targets"].as_array().unwrap();
        !targets.is_empty() && targets.iter().all(|target| target["expr"].is_string())
    };
    assert!(panels.len() > 10 && panels.iter().all(has_expressions));
    if have_promtool() {
        for (kind, file) in [("rules", "alerts.yml"), ("config", "prometheus.yml")] {
            let mut promtool = Command::new("promtool");
            let (success, output) = run(promtool.args(["check", kind]).arg(folder.join(file)), "");
            assert!(success && output.contains("SUCCESS"), "{output}");
        }
    }
}
