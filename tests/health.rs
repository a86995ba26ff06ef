//! Programs whose health is checked, from outside, with real programs: HTTP servers, commands, systemd-notify.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Output;

use rustix::process::{Pid, test_kill_process};
use serde_json::Value;
use support::{Sandbox, free_port, have};

fn exists(path: &str) -> bool {
    Path::new(path).exists()
}

fn have_python() -> bool {
    have("python3", exists("/usr/bin/python3"))
}

fn have_systemd_notify() -> bool {
    have("systemd-notify", exists("/usr/bin/systemd-notify"))
}

/// A program that lives and is checked by these lines, often.
fn checked(name: &str, lines: &str) -> String {
    format!("[program:{name}]\ncommand=sleep 1000\nstartsecs=0\nhealth_interval=0.1\n{lines}\n")
}

/// An HTTP server that answers with 503 while there is a file `sick` in its folder, which it removes first.
const SERVER: &str = "import http.server, os, sys
os.path.exists('sick') and os.remove('sick')
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if os.path.exists('sick') else 200)
        self.send_header('Content-Length', '0')
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()
";

fn server(port: u16, lines: &str) -> String {
    format!(
        "[program:web]\ncommand=python3 server.py {port}\ndirectory=%(here)s\nhealth=http://127.0.0.1:{port}/health\n\
         health_interval=0.1\n{lines}\n"
    )
}

fn sv(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    let config = sandbox.config().display().to_string();
    sandbox.program("sv").args(arguments).args(["-c", &config]).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The object of a process in `status --json`.
fn json(sandbox: &Sandbox, name: &str) -> Value {
    let all: Value = serde_json::from_slice(&sv(sandbox, &["status", "--json"]).stdout).unwrap_or_default();
    let all = all.as_array().cloned().unwrap_or_default();
    all.into_iter().find(|it| it["name"] == name).unwrap_or_default()
}

fn wait_health(sandbox: &mut Sandbox, name: &str, health: &str) {
    sandbox.wait(&format!("{name} is {health}"), |it| (json(it, name)["health"] == health).then_some(()));
}

#[test]
fn an_http_server_that_is_sick_is_restarted() {
    if !have_python() {
        return;
    }
    let sandbox = Sandbox::with_programs(&server(free_port(), "health_start_period=60\nhealth_retries=2"));
    sandbox.write("server.py", SERVER);
    let mut sandbox = sandbox.start();
    wait_health(&mut sandbox, "web", "healthy");
    let before = sandbox.pid("web");
    sandbox.write("sick", "");
    sandbox.wait_log("web is unhealthy: 2 of 2 checks failed: status 503 Service Unavailable; restarting it");
    sandbox.wait_log("stopped: web (terminated by SIGTERM)");
    sandbox.wait("another process", |it| it.pid("web").filter(|pid| Some(*pid) != before));
    wait_health(&mut sandbox, "web", "healthy");
}

#[test]
fn as_sv_only_lost_sockets_are_logged() {
    let port = free_port();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let programs = checked("web", &format!("health=tcp:127.0.0.1:{port}\non_unhealthy=ignore"))
        + &checked("db", "health=unix:%(here)s/db.sock\non_unhealthy=ignore\nhealth_retries=1");
    let sandbox = Sandbox::with_programs(&programs);
    let socket = UnixListener::bind(sandbox.path("db.sock")).unwrap();
    let mut sandbox = sandbox.start();
    wait_health(&mut sandbox, "web", "healthy");
    wait_health(&mut sandbox, "db", "healthy");
    assert_eq!(text(&sv(&sandbox, &["health"])), "healthy\n");
    assert!(text(&sv(&sandbox, &["status", "web"])).trim_end().ends_with("; healthy"));

    let pid = sandbox.pid("web");
    drop(listener);
    wait_health(&mut sandbox, "web", "unhealthy");
    let why = "3 of 3 checks failed: connection refused";
    assert_eq!(json(&sandbox, "web")["health_failure"], why);
    let status = text(&sv(&sandbox, &["status", "web"]));
    assert!(status.trim_end().ends_with(&format!("; unhealthy: {why}")), "{status}");
    let health = sv(&sandbox, &["health", "web"]);
    assert_eq!(text(&health), format!("not healthy: web is RUNNING; unhealthy: {why}\n"));
    assert_eq!(health.status.code(), Some(1));
    // Supervisor's face shows what Supervisor shows.
    let config = sandbox.config().display().to_string();
    let status = sandbox.program("supervisorctl").args(["-c", &config, "status", "web"]).output().unwrap();
    let status = text(&status);
    assert!(status.contains("RUNNING") && !status.contains("healthy"), "{status}");

    drop(socket);
    fs::remove_file(sandbox.path("db.sock")).unwrap();
    sandbox.wait_log("db is unhealthy: no such file or directory");
    let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    sandbox.wait_log("web is healthy again");
    assert_eq!(sandbox.pid("web"), pid, "it was not restarted");
}

#[test]
fn a_command_runs_as_its_program_and_its_last_line_is_the_reason() {
    let lines = "directory=%(here)s\nenvironment=FLAG=\"flag\"\nautorestart=false\n\
                 health=exec:sh -c 'test -e \"$FLAG\" || { echo looking; echo no $FLAG here; exit 3; }'";
    let sandbox = Sandbox::with_programs(&checked("web", lines));
    sandbox.write("flag", "");
    let mut sandbox = sandbox.start();
    wait_health(&mut sandbox, "web", "healthy");
    fs::remove_file(sandbox.path("flag")).unwrap();
    let why = "3 of 3 checks failed: exit status 3: no flag here";
    sandbox.wait_log(&format!("web is unhealthy: {why}; stopping it"));
    sandbox.wait_state("web", "FATAL");
    let status = sandbox.ctl(&["status", "web"]).stdout;
    assert!(status.contains(&format!("unhealthy: {why}")), "autorestart=false: {status}");
    assert_eq!(json(&sandbox, "web")["check_output"], "looking\nno flag here");
}

#[test]
fn a_check_that_hangs_costs_one_deadline_and_is_killed_with_its_group() {
    let lines = "health=exec:sh -c 'sleep 1000 & echo $! >> %(here)s/sleepers; wait'\nhealth_timeout=0.5\n\
                 health_retries=2\non_unhealthy=ignore";
    let mut sandbox = Sandbox::with_programs(&checked("web", lines)).start();
    sandbox.wait_log("health of web: 1 of 2 checks failed: no result after 0.5 seconds");
    sandbox.wait_log("web is unhealthy: 2 of 2 checks failed: no result after 0.5 seconds");
    let sleepers = sandbox.file("sleepers");
    let first: i32 = sleepers.lines().next().unwrap().parse().unwrap();
    sandbox.wait("the end of what the check has started", |_| {
        test_kill_process(Pid::from_raw(first).unwrap()).is_err().then_some(())
    });
    // A stop cancels the check that is under way.
    sandbox.ctl(&["stop", "web"]);
    sandbox.wait_state("web", "STOPPED");
    sandbox.wait("the end of all checks", |it| {
        let pids = it.file("sleepers");
        let mut pids = pids.lines().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        pids.all(|pid| test_kill_process(pid).is_err()).then_some(())
    });
}

#[test]
fn servers_that_never_answer_delay_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let hanging = |number| {
        let lines = format!(
            "health=http://127.0.0.1:{port}/\nhealth_timeout=0.5\nhealth_retries=1\non_unhealthy=ignore"
        );
        checked(&format!("slow{number}"), &lines)
    };
    let programs: String = (0..100).map(hanging).collect();
    let mut sandbox = Sandbox::with_programs(&(programs + &checked("quick", "health=exec:true"))).start();
    wait_health(&mut sandbox, "quick", "healthy");
    for number in [0, 50, 99] {
        sandbox.wait_log(&format!("slow{number} is unhealthy: no answer after 0.5 seconds"));
    }
    assert!(sandbox.ctl(&["stop", "slow0"]).stdout.contains("slow0: stopped"));
}

#[test]
fn dependents_wait_until_it_is_healthy() {
    let port = free_port();
    let mut sandbox = Sandbox::with_programs(
        &(checked("db", &format!("health=tcp:127.0.0.1:{port}\nhealth_start_period=600"))
            + "[program:web]\ncommand=sleep 1000\ndepends_on=db=healthy\nstartsecs=0\n"),
    )
    .start();
    sandbox.wait_state("db", "RUNNING");
    sandbox.wait("a failed check", |it| {
        let failure = json(it, "db")["health_failure"].as_str().map(str::to_owned)?;
        failure.contains("connection refused").then_some(())
    });
    assert_eq!(json(&sandbox, "web")["waiting_for"][0], "db (healthy)");
    let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    sandbox.wait_state("web", "RUNNING");
}

#[test]
fn other_options_apply_without_a_restart() {
    let [first, second] = ["exec:test -e %(here)s/first", "exec:test -e %(here)s/second"];
    let lines = format!("health={first}\nhealth_retries=1\non_unhealthy=ignore");
    let sandbox = Sandbox::with_programs(&checked("web", &lines));
    sandbox.write("first", "");
    let mut sandbox = sandbox.start();
    wait_health(&mut sandbox, "web", "healthy");
    let pid = sandbox.pid("web");
    sandbox.replace("supervisord.conf", first, second);
    let updated = sv(&sandbox, &["update"]);
    assert!(text(&updated).contains("web: applied without a restart"), "{}", text(&updated));
    sandbox.wait_log("web is unhealthy: exit status 1");
    sandbox.replace("supervisord.conf", "on_unhealthy=ignore", "on_unhealthy=restart");
    assert_eq!(sandbox.pid("web"), pid);
    sandbox.write("second", "");
    sandbox.wait_log("web is healthy again");
    sv(&sandbox, &["update"]);
    assert_eq!(sandbox.pid("web"), pid);
    fs::remove_file(sandbox.path("second")).unwrap();
    sandbox.wait_log("web is unhealthy: exit status 1; restarting it");
    sandbox.wait("another process", |it| it.pid("web").filter(|new| Some(*new) != pid));
    // Without a check nothing is known of it.
    sandbox.replace("supervisord.conf", &format!("health={second}\n"), "");
    sv(&sandbox, &["update"]);
    assert_eq!(json(&sandbox, "web")["health"], Value::Null);
}

#[test]
fn an_unhealthy_program_may_end_everything() {
    let port = free_port();
    let lines = format!("health=tcp:127.0.0.1:{port}\non_unhealthy=shutdown");
    let mut sandbox = Sandbox::with_programs(&checked("web", &lines));
    sandbox.spawn();
    assert_eq!(sandbox.wait_exit().code(), Some(1), "{}", sandbox.story());
    let why = "web failed: unhealthy: 3 of 3 checks failed: connection refused; shutting down";
    assert!(sandbox.log().contains(why), "{}", sandbox.log());
}

/// A program that reports while there is a file `pet` and stays.
fn reporting(lines: &str) -> Sandbox {
    let program = format!(
        "[program:web]\ncommand=/bin/sh %(here)s/web.sh\nhealth=notify\nstartsecs=0\nautorestart=true\n{lines}\n"
    );
    let sandbox = Sandbox::with_programs(&program);
    let here = sandbox.dir().display().to_string();
    let script = "echo \"$$ $WATCHDOG_PID $WATCHDOG_USEC\" > HERE/watchdog.new; mv HERE/watchdog.new HERE/watchdog\n\
         while [ -e HERE/pet ]; do systemd-notify WATCHDOG=1; sleep 0.1; done\n\
         [ -e HERE/trigger ] && systemd-notify WATCHDOG=trigger\n\
         exec sleep 1000\n";
    sandbox.write("web.sh", &script.replace("HERE", &here));
    sandbox.write("pet", "");
    sandbox.start()
}

#[test]
fn a_program_that_stops_reporting_is_restarted() {
    if !have_systemd_notify() {
        return;
    }
    let mut sandbox = reporting("health_interval=5");
    wait_health(&mut sandbox, "web", "healthy");
    let before = sandbox.pid("web");
    fs::remove_file(sandbox.path("pet")).unwrap();
    sandbox.wait_log("web is unhealthy: no WATCHDOG=1 in 5 seconds; restarting it");
    sandbox.wait("another process", |it| it.pid("web").filter(|pid| Some(*pid) != before));
    let watchdog = sandbox.file("watchdog");
    let [pid, named, micros] = watchdog.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("{watchdog}");
    };
    assert_eq!((named, micros), (pid, "5000000"));
}

#[test]
fn a_program_that_reports_that_it_is_unhealthy_is_restarted_at_once() {
    if !have_systemd_notify() {
        return;
    }
    let mut sandbox = reporting("health_interval=600\nhealth_start_period=600\nhealth_retries=5");
    wait_health(&mut sandbox, "web", "healthy");
    sandbox.write("trigger", "");
    fs::remove_file(sandbox.path("pet")).unwrap();
    sandbox.wait_log("it has sent WATCHDOG=trigger; restarting it");
    sandbox.wait_log("stopped: web");
}

#[test]
fn listeners_can_subscribe_to_health_events() {
    if !have_python() {
        return;
    }
    let port = free_port();
    let programs = checked("web", &format!("health=tcp:127.0.0.1:{port}\non_unhealthy=ignore"))
        + "[eventlistener:l]\ncommand=python3 %(here)s/listener.py %(here)s/events\nevents=PROCESS_HEALTH\n";
    let sandbox = Sandbox::with_programs(&programs);
    sandbox.write(
        "listener.py",
        "import sys\n\
         while True:\n    \
             print('READY', flush=True)\n    \
             header = dict(pair.split(':') for pair in sys.stdin.readline().split())\n    \
             payload = sys.stdin.read(int(header['len']))\n    \
             open(sys.argv[1], 'a').write(header['eventname'] + ' ' + payload + '\\n')\n    \
             print('RESULT 2\\nOK', end='', flush=True)\n",
    );
    let mut sandbox = sandbox.start();
    sandbox.wait_file("events", "PROCESS_HEALTH_UNHEALTHY processname:web groupname:web pid:");
    sandbox.wait_file("events", "\n3 of 3 checks failed: connection refused\n");
    let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    sandbox.wait_file("events", "PROCESS_HEALTH_HEALTHY processname:web groupname:web pid:");
}

/// The first configuration of the page, except for its port.
#[test]
fn the_example_of_the_page_works() {
    if !have_python() {
        return;
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/health.md");
    let page = fs::read_to_string(page).unwrap();
    let example = page.split("```ini\n").nth(1).unwrap().split("```").next().unwrap();
    let example = example.replace("8080", &free_port().to_string());
    let mut sandbox = Sandbox::with_programs(&example).start();
    wait_health(&mut sandbox, "web", "healthy");
}
