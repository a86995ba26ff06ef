//! The folders of `examples/` do what their READMEs say: real programs, the real binary.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

mod support;
use support::{Sandbox, free_port, have};

#[test]
fn nginx_serves_a_page_and_redis_comes_back_after_kill_9() {
    let installed = |path: &str| Path::new(path).exists();
    if !have("nginx", installed("/usr/sbin/nginx")) || !have("redis", installed("/usr/bin/redis-server")) {
        return;
    }
    let sandbox = Sandbox::from_example("nginx-redis");
    let port = free_port();
    sandbox.replace("nginx.conf", "127.0.0.1:8080", &format!("127.0.0.1:{port}"));
    let mut sandbox = sandbox.start();
    sandbox.wait_state("nginx", "RUNNING");
    sandbox.wait_state("redis", "RUNNING");

    let page = sandbox.wait("nginx to serve its page", |_| fetch(port));
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    assert!(page.contains("nginx at work"), "{page}");
    sandbox.wait_file("run/nginx-access.log", "\"GET / HTTP/1.1\" 200");
    assert_eq!(ask_redis(&sandbox).as_deref(), Some("+PONG\r\n"));

    let first = sandbox.pid("redis").unwrap();
    kill_process(first, Signal::KILL).unwrap();
    let second =
        sandbox.wait("redis to have another pid", |sandbox| sandbox.pid("redis").filter(|pid| *pid != first));
    sandbox
        .wait("redis to answer again", |sandbox| ask_redis(sandbox).filter(|answer| answer == "+PONG\r\n"));
    sandbox.wait_log("exited: redis (terminated by SIGKILL; not expected)");
    sandbox.wait_log(&format!("spawned: 'redis' with pid {second}"));
    assert!(fetch(port).is_some(), "nginx has to be untouched");

    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
    // nginx started last, so it stops first, and by its own signal: QUIT ends it with status 0.
    assert_in_order(&sandbox.log(), &["stopped: nginx (exit status 0)", "stopped: redis (exit status 0)"]);
    assert!(fetch(port).is_none(), "nothing may listen any more");
}

#[test]
fn nginx_gets_its_page_from_php_while_one_of_two_is_killed() {
    let installed = |path: &str| Path::new(path).exists();
    if !have("nginx", installed("/usr/sbin/nginx")) || !have("php-cgi", installed("/usr/bin/php-cgi")) {
        return;
    }
    let sandbox = Sandbox::from_example("nginx-php");
    let port = free_port();
    sandbox.replace("nginx.conf", "127.0.0.1:8080", &format!("127.0.0.1:{port}"));
    let mut sandbox = sandbox.start();
    for name in ["php:php_0", "php:php_1", "nginx"] {
        sandbox.wait_state(name, "RUNNING");
    }
    for name in ["php_0", "php_1"] {
        sandbox.wait(&format!("{name} to make the page"), |sandbox| {
            let page = fetch(port)?;
            assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}\n{}", sandbox.file("run/nginx-error.log"));
            page.contains(&format!("PHP at work: {name}, pid")).then_some(())
        });
    }

    // More than once: on a busy machine a process may still accept a connection after it was sent SIGKILL, and
    // nginx has to ask again.
    let mut second = sandbox.pid("php:php_0").unwrap();
    for _ in 0..3 {
        let first = second;
        kill_process(first, Signal::KILL).unwrap();
        second = sandbox.wait("php_0 to have another pid, and a page at any time", |sandbox| {
            let page = fetch(port).unwrap_or_default();
            let errors = sandbox.file("run/nginx-error.log");
            assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}\n{errors}\n{}", sandbox.story());
            sandbox.pid("php:php_0").filter(|pid| *pid != first)
        });
    }
    sandbox.wait("the new one to make the page", |_| {
        fetch(port)?.contains(&format!("php_0, pid {}", second.as_raw_nonzero())).then_some(())
    });
    assert!(!sandbox.log().contains("Closing socket"), "{}", sandbox.log());

    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
    assert_in_order(&sandbox.log(), &["stopped: nginx (exit status 0)", "Closing socket unix://"]);
    assert!(!sandbox.path("run/php.sock").exists());
}

#[test]
fn celery_works_while_a_worker_is_restarted_and_redis_leaves_last() {
    let installed = |module: &str| Path::new("/usr/lib/python3/dist-packages").join(module).exists();
    let gunicorn = Path::new("/usr/bin/gunicorn").exists();
    if !have("celery", installed("celery") && installed("redis")) || !have("gunicorn", gunicorn) {
        return;
    }
    let sandbox = Sandbox::from_example("celery");
    let port = free_port();
    sandbox.replace("supervisord.conf", "127.0.0.1:8000", &format!("127.0.0.1:{port}"));
    let mut sandbox = sandbox.start();
    for name in ["redis", "worker:worker_0", "worker:worker_1", "beat", "web"] {
        sandbox.wait_state(name, "RUNNING");
    }
    let added = |_: &mut Sandbox| fetch_path(port, "/2/3").filter(|page| page.ends_with("\r\n\r\n5\n"));
    sandbox.wait("a worker to add two numbers", added);
    sandbox.wait_terminal("beat            | ");
    sandbox.wait_terminal("Scheduler: Sending due task tick");

    assert_eq!(
        sandbox.ctl(&["restart", "worker:worker_0"]).stdout,
        "worker:worker_0: stopped\nworker:worker_0: started\n"
    );
    sandbox.wait_terminal("worker:worker_0 | worker: Warm shutdown (MainProcess)");
    sandbox.wait("a worker to add them again", added);

    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
    let log = sandbox.log();
    let (_, shutdown) = log.split_once("received SIGTERM").expect("the shutdown's line");
    for name in ["worker_0", "worker_1"] {
        assert_in_order(
            shutdown,
            &["stopped: web (exit status 0)", &format!("stopped: {name} "), "stopped: redis "],
        );
    }
}

#[test]
fn the_listener_reports_unexpected_exits() {
    let mut sandbox = Sandbox::from_example("listener").start();
    sandbox.wait_file(
        "run/alerts",
        "PROCESS_STATE_FATAL processname:missing groupname:missing from_state:BACKOFF",
    );
    sandbox.wait_file(
        "run/alerts",
        "PROCESS_STATE_EXITED processname:moody groupname:moody from_state:RUNNING expected:0",
    );
    sandbox.wait_log("exited: moody (exit status 0; expected)");
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
    let alerts = std::fs::read_to_string(sandbox.path("run/alerts")).unwrap();
    assert!(!alerts.contains("expected:1"), "{alerts}");
}

#[test]
fn the_job_ends_with_the_status_of_the_part_that_failed() {
    for (part, status, reason) in [
        ("none", 0, "no program is left, all ended as expected"),
        ("1", 3, "no program is left, and part:part_1 failed: exit status 3"),
    ] {
        let mut sandbox = Sandbox::from_example("job").env("FAIL", part);
        let reported = sandbox.run_to_end();
        let text = String::from_utf8_lossy(&reported.stdout).into_owned();
        assert_eq!(reported.status.code(), Some(status), "{text}");
        for line in ["part:part_0 | part 0 of 3 is done\n", "part:part_2 | part 2 of 3 is done\n", reason] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}

#[test]
fn the_quickstart_runs_crashes_recovers_and_stops_in_order() {
    let sandbox = Sandbox::from_example("quickstart");
    sandbox.replace("supervisord.conf", "FLAKY_SECONDS=\"8\"", "FLAKY_SECONDS=\"6\"");
    let mut sandbox = sandbox.start();
    for name in ["chatty", "flaky", "stubborn"] {
        sandbox.wait_state(name, "RUNNING");
    }
    sandbox.wait_file("run/chatty.log", "temper=chatty");
    sandbox.wait_terminal("flaky: up with pid");

    sandbox.wait_log("exited: flaky (exit status 3; not expected)");
    sandbox.wait_log("exited: flaky (terminated by SIGSEGV; not expected)");
    sandbox.wait_terminal("flaky: the disk is on fire");

    let began = Instant::now();
    let answer = sandbox.ctl(&["stop", "stubborn"]);
    assert_eq!(answer.stdout, "stubborn: stopped\n");
    assert!(
        began.elapsed() >= Duration::from_millis(1900),
        "stubborn has two seconds: {:?}",
        began.elapsed()
    );
    sandbox.wait_terminal("stubborn: I heard TERM and stay");
    sandbox.wait_log("stopped: stubborn (terminated by SIGKILL)");
    assert_eq!(sandbox.ctl(&["start", "stubborn"]).stdout, "stubborn: started\n");

    // A fresh one, so that it does not fall over by itself during the two seconds that stubborn takes.
    assert_eq!(sandbox.ctl(&["restart", "flaky"]).stdout, "flaky: stopped\nflaky: started\n");
    sandbox.signal(Signal::INT);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
    let log = sandbox.log();
    let (_, shutdown) =
        log.split_once("waiting for chatty, flaky, stubborn to die").expect("the shutdown's line");
    assert_in_order(
        shutdown,
        &[
            "killing 'stubborn'",
            "stopped: stubborn (terminated by SIGKILL)",
            "stopped: flaky (terminated by SIGTERM)",
            "stopped: chatty (exit status 0)",
        ],
    );
}

#[track_caller]
fn assert_in_order(text: &str, needles: &[&str]) {
    let mut rest = text;
    for needle in needles {
        let Some((_, after)) = rest.split_once(needle) else {
            panic!("{needle:?} is missing, or out of order, in\n{text}");
        };
        rest = after;
    }
}

fn fetch(port: u16) -> Option<String> {
    fetch_path(port, "/")
}

fn fetch_path(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    Some(page)
}

fn ask_redis(sandbox: &Sandbox) -> Option<String> {
    let mut stream = std::os::unix::net::UnixStream::connect(sandbox.path("run/redis.sock")).ok()?;
    stream.write_all(b"PING\r\n").ok()?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}
