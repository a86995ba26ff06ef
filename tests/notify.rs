//! What programs report of themselves: systemd's notify protocol, s6's descriptor, a line of the log. The programs are
//! real: systemd-notify, sdnotify from PyPI, redis, PostgreSQL, php-fpm, s6-log.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Sandbox, have};

fn exists(path: &str) -> bool {
    Path::new(path).exists()
}

fn have_systemd_notify() -> bool {
    have("systemd-notify", exists("/usr/bin/systemd-notify"))
}

fn have_root() -> bool {
    have("root", rustix::process::getuid().is_root())
}

/// A program that waits for a file `go`, reports by this shell command and stays. HERE is the folder of the test.
fn sandbox(name: &str, ready: &str, report: &str) -> Sandbox {
    let program =
        format!("[program:{name}]\ncommand=/bin/sh %(here)s/{name}.sh\nready={ready}\nstopwaitsecs=2\n");
    let sandbox = Sandbox::with_programs(&program);
    let here = sandbox.dir().display().to_string();
    let script = format!("until [ -e {here}/go ]; do sleep 0.05; done\n{report}\nexec sleep 1000\n");
    sandbox.write(&format!("{name}.sh"), &script.replace("HERE", &here));
    sandbox.start()
}

/// The object of a process in `status --json`.
fn json(sandbox: &Sandbox, name: &str) -> serde_json::Value {
    let config = sandbox.config().display().to_string();
    let output = sandbox.program("sv").args(["status", "--json", "-c", &config]).output().unwrap();
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    all.as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone()
}

/// Lets it report, and sees it RUNNING then and not before.
fn becomes_ready(sandbox: &mut Sandbox, name: &str) {
    sandbox.wait_log(&format!("spawned: '{name}'"));
    sandbox.wait_state(name, "STARTING");
    assert!(!sandbox.log().contains("entered RUNNING state"), "{}", sandbox.log());
    sandbox.write("go", "");
    sandbox.wait_state(name, "RUNNING");
}

#[test]
fn systemd_notify_reports_readiness_and_a_status_and_its_barrier_is_answered() {
    if !have_systemd_notify() {
        return;
    }
    let report = "systemd-notify --ready --status='3 of 4 loaded' && echo answered > HERE/done";
    let mut sandbox = sandbox("web", "notify", report);
    becomes_ready(&mut sandbox, "web");
    // Without an answer to its barrier it fails after five seconds.
    sandbox.wait_file("done", "answered");
    assert_eq!(json(&sandbox, "web")["status"], "3 of 4 loaded");
    let status = sandbox.ctl(&["status", "web"]).stdout;
    assert!(status.ends_with("; 3 of 4 loaded\n") && status.contains("RUNNING   pid "), "{status}");
    sandbox.ctl(&["stop", "web"]);
    assert_eq!(json(&sandbox, "web")["status"], serde_json::Value::Null);
}

#[test]
fn a_helper_that_is_gone_has_reported_for_its_program() {
    let python = superlance_python();
    if !have(
        "sdnotify",
        Command::new(&python).args(["-c", "import sdnotify"]).status().is_ok_and(|it| it.success()),
    ) {
        return;
    }
    let report =
        format!("{} -c 'import sdnotify; sdnotify.SystemdNotifier().notify(\"READY=1\")'", python.display());
    becomes_ready(&mut sandbox("web", "notify", &report), "web");
}

/// Python with packages of its own: `SV_SUPERLANCE_BIN`, or where `make setup` puts it.
fn superlance_python() -> PathBuf {
    let folder = std::env::var_os("SV_SUPERLANCE_BIN")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/superlance/bin"), PathBuf::from);
    folder.join("python")
}

#[test]
fn later_reports_are_logged_and_a_stop_is_extended() {
    if !have_systemd_notify() {
        return;
    }
    let mut sandbox = Sandbox::with_programs(
        "[program:web]\ncommand=/bin/sh %(here)s/web.sh\nready=notify\nstopwaitsecs=1\n",
    );
    let here = sandbox.dir().display().to_string();
    sandbox.write(
        "web.sh",
        &format!(
            "finish() {{ systemd-notify EXTEND_TIMEOUT_USEC=20000000 STOPPING=1; sleep 2; echo orderly > {here}/end; exit; }}\n\
            trap finish TERM\n\
            systemd-notify RELOADING=1 STATUS=again\nsystemd-notify --ready MAINPID=1\n\
            while :; do sleep 0.05; done\n"
        ),
    );
    sandbox = sandbox.start();
    sandbox.wait_state("web", "RUNNING");
    sandbox.wait_log("is reloading");
    sandbox.wait_log("web reports pid 1 as its main process, which does not descend from it: ignored");
    let answer = sandbox.ctl(&["stop", "web"]);
    assert!(answer.stdout.contains("stopped"), "{}", answer.stdout);
    assert_eq!(sandbox.file("end"), "orderly\n", "{}", sandbox.log());
    assert!(!sandbox.log().contains("SIGKILL"), "{}", sandbox.log());
}

#[test]
fn only_the_process_has_a_socket_which_goes_with_it() {
    let mut sandbox = Sandbox::with_programs(
        "[program:quiet]\ncommand=/bin/sh -c 'echo \"<$NOTIFY_SOCKET$WATCHDOG_USEC$WATCHDOG_PID>\" > %(here)s/quiet; exec sleep 1000'\n\
        [program:web]\ncommand=/bin/sh -c 'echo $NOTIFY_SOCKET > %(here)s/web; exec sleep 1000'\nready=notify\n\
        [program:pet]\ncommand=/bin/sh -c 'echo $NOTIFY_SOCKET $WATCHDOG_USEC > %(here)s/pet; exec sleep 1000'\n\
        health=notify\nhealth_interval=2.5\n",
    )
    .env("NOTIFY_SOCKET", "/run/outer.sock")
    .env("WATCHDOG_USEC", "1")
    .env("WATCHDOG_PID", "1")
    .start();
    sandbox.wait_file("quiet", "<>\n");
    sandbox.wait_file("web", "\n");
    sandbox.wait_file("pet", " 2500000\n");
    let socket = sandbox.file("web").trim().to_owned();
    assert!(socket != "/run/outer.sock" && sandbox.file("pet") != format!("{socket} 2500000\n"));
    assert!(exists(&socket), "{socket}");
    sandbox.ctl(&["stop", "web"]);
    assert!(!exists(&socket), "{socket}");
    sandbox.ctl(&["shutdown"]);
    sandbox.wait_exit();
    assert!(!Path::new(&socket).parent().unwrap().exists(), "{socket}");
}

/// An entry point that changes the user is part of the program, and a process of another user is not.
#[test]
fn other_users_report_only_for_their_own_ancestors() {
    if !have_systemd_notify() || !have_root() {
        return;
    }
    let nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    let report = format!(
        "echo $NOTIFY_SOCKET > HERE/socket.new; mv HERE/socket.new HERE/socket; \
        until [ -e HERE/more ]; do sleep 0.05; done; {nobody} systemd-notify --ready"
    );
    let mut sandbox = sandbox("web", "notify", &report);
    sandbox.write("go", "");
    sandbox.wait_file("socket", "\n");
    let socket = sandbox.file("socket").trim().to_owned();
    let send = "import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.sendto(b'READY=1', sys.argv[1])";
    let words = nobody.split(' ').chain(["/usr/bin/python3", "-c", send, &socket]);
    let words: Vec<&str> = words.collect();
    assert!(Command::new(words[0]).args(&words[1..]).status().unwrap().success());
    sandbox.wait_log("a notification for web is ignored: pid ");
    assert_eq!(sandbox.state("web").as_deref(), Some("STARTING"));
    sandbox.write("more", "");
    sandbox.wait_state("web", "RUNNING");
}

#[test]
fn a_flood_of_messages_leaves_the_supervisor_responsive() {
    let mut sandbox = sandbox("web", "notify", "echo $NOTIFY_SOCKET > HERE/socket");
    sandbox.write("go", "");
    sandbox.wait_file("socket", "\n");
    let socket = UnixDatagram::unbound().unwrap();
    socket.connect(sandbox.file("socket").trim()).unwrap();
    let long = [b"STATUS=".to_vec(), vec![b'x'; 10_000]].concat();
    for number in 0..5_000 {
        socket.send(format!("STATUS={number}\nX_UNKNOWN=\u{1b}[31m").as_bytes()).unwrap();
        socket.send(&long).unwrap();
        socket.send(b"\xff\0\xff").unwrap();
    }
    socket.send(b"READY=1").unwrap();
    sandbox.wait_state("web", "RUNNING");
    assert_eq!(json(&sandbox, "web")["status"], "4999");
}

#[test]
fn a_newline_on_a_descriptor_reports_readiness() {
    becomes_ready(&mut sandbox("web", "fd:3", "echo >&3"), "web");
    becomes_ready(&mut sandbox("web", "fd:10", "bash -c 'printf \"some text\" >&10; echo >&10'"), "web");
}

#[test]
fn a_descriptor_that_is_closed_without_a_newline_is_a_failed_start() {
    let mut sandbox = Sandbox::with_programs(
        "[program:web]\ncommand=/bin/sh -c 'exec sleep 1000 3>&-'\nready=fd:3\nready_timeout=1\nstartretries=0\n",
    )
    .start();
    sandbox.wait_log("web has closed descriptor 3 without reporting that it is ready");
    sandbox.wait_state("web", "FATAL");
}

#[test]
fn s6_log_reports_on_its_descriptor() {
    if !have("s6-log", exists("/usr/bin/s6-log")) {
        return;
    }
    let mut sandbox = Sandbox::with_programs(
        "[program:log]\ncommand=/usr/bin/s6-log -d 4 t %(here)s/logs\nready=fd:4\nready_timeout=20\n",
    )
    .start();
    sandbox.wait_state("log", "RUNNING");
    assert!(exists(&sandbox.path("logs/current").display().to_string()));
}

#[test]
fn a_line_of_the_log_reports_readiness_and_stays_in_the_log() {
    let report = "echo 'not listening on 80'; printf 'listening on '; sleep 0.2; echo 81";
    let mut sandbox = sandbox("web", "log:^listening on 8[01]$", report);
    becomes_ready(&mut sandbox, "web");
    let out = sandbox.ctl(&["tail", "web"]).stdout;
    assert_eq!(out.trim_end(), "not listening on 80\nlistening on 81");
}

#[test]
fn lines_of_both_streams_count() {
    let mut sandbox = sandbox("web", "log:one\n  log:two", "echo one; echo two >&2");
    becomes_ready(&mut sandbox, "web");
}

#[test]
fn redis_reports_readiness() {
    if !have("redis-server", exists("/usr/bin/redis-server")) {
        return;
    }
    let mut sandbox = Sandbox::with_programs(
        "[program:redis]\ncommand=/usr/bin/redis-server --supervised systemd --port 0 --unixsocket %(here)s/redis.sock \
        --dir %(here)s --save ''\nready=notify\nready_timeout=20\nstartsecs=1000\n",
    )
    .start();
    sandbox.wait_state("redis", "RUNNING");
    assert!(json(&sandbox, "redis")["status"].as_str().unwrap().contains("Ready to accept connections"));
}

#[test]
fn postgresql_reports_readiness_as_its_own_user() {
    let folders = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let Some(bin) = folders.map(|it| it.path().join("bin")).find(|it| it.join("postgres").exists()) else {
        have("PostgreSQL", false);
        return;
    };
    if !have_root() {
        return;
    }
    let bin = bin.display();
    let mut sandbox = Sandbox::with_programs(&format!(
        "[program:db]\ncommand={bin}/postgres -D %(here)s/db/data -k %(here)s/db -c listen_addresses=\n\
        user=postgres\nready=notify\nready_timeout=25\nstartsecs=1000\nstopsignal=INT\n"
    ));
    let folder = sandbox.path("db");
    fs::create_dir(&folder).unwrap();
    let commands = format!(
        "chown postgres {0} && runuser -u postgres -- {bin}/initdb -D {0}/data -A trust --no-sync",
        folder.display()
    );
    let made = Command::new("sh").current_dir("/").args(["-c", &commands]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    sandbox = sandbox.start();
    sandbox.wait_state("db", "RUNNING");
    assert!(folder.join("data/postmaster.pid").exists());
}

#[test]
fn php_fpm_reports_readiness() {
    let fpm = fs::read_dir("/usr/sbin").unwrap().flatten().map(|entry| entry.path());
    let Some(fpm) = fpm.into_iter().find(|it| it.display().to_string().contains("/php-fpm")) else {
        have("php-fpm", false);
        return;
    };
    let mut sandbox = Sandbox::with_programs(&format!(
        "[program:php]\ncommand={} -F -R -y %(here)s/fpm.conf\nready=notify\nready_timeout=20\nstartsecs=1000\n\
        stopsignal=QUIT\n",
        fpm.display()
    ));
    let here = sandbox.dir().display().to_string();
    sandbox.write(
        "fpm.conf",
        &format!(
            "[global]\nerror_log=/proc/self/fd/2\nsystemd_interval=1\n[www]\nuser=nobody\ngroup=nogroup\nlisten={here}/fpm.sock\n\
            pm=static\npm.max_children=1\n"
        ),
    );
    sandbox = sandbox.start();
    sandbox.wait_state("php", "RUNNING");
    sandbox.wait("a status", |sandbox| json(sandbox, "php")["status"].as_str().map(str::to_owned));
}

/// A program that starts a daemon, names it as its main process, and then runs these commands.
fn with_main_process(then: &str) -> Sandbox {
    let report = format!("sleep 1000 & main=$!\nsystemd-notify --ready MAINPID=$main\n{then}");
    let mut sandbox = Sandbox::with_programs(
        "[program:web]\ncommand=/bin/sh %(here)s/web.sh\nready=notify\nstopwaitsecs=5\n",
    );
    sandbox.write("web.sh", &report);
    sandbox = sandbox.start();
    sandbox.wait_state("web", "RUNNING");
    sandbox
}

fn name_of(pid: rustix::process::Pid) -> String {
    fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero())).unwrap_or_default().trim().to_owned()
}

#[test]
fn a_main_process_outlives_its_starter_and_its_exit_is_that_of_the_program() {
    if !have_systemd_notify() {
        return;
    }
    let mut sandbox = with_main_process("exit 0");
    sandbox.wait_log("has ended (exit status 0), its main process ");
    let first = sandbox.pid("web").unwrap();
    assert_eq!((name_of(first).as_str(), sandbox.state("web").as_deref()), ("sleep", Some("RUNNING")));
    // Its end is noticed, and it is started again.
    rustix::process::kill_process(first, rustix::process::Signal::KILL).unwrap();
    sandbox.wait_log("exited: web (terminated by SIGKILL; not expected)");
    sandbox.wait_state("web", "RUNNING");
    sandbox.wait("another main process to be followed", |sandbox| {
        sandbox.pid("web").filter(|pid| *pid != first && name_of(*pid) == "sleep")
    });
    assert_eq!(sandbox.ctl(&["stop", "web"]).stdout, "web: stopped\n");
    assert!(sandbox.log().contains("stopped: web (terminated by SIGTERM)"), "{}", sandbox.log());
}

#[test]
fn signals_are_for_the_main_process_and_its_leader_takes_over_when_it_ends() {
    if !have_systemd_notify() {
        return;
    }
    let mut sandbox = with_main_process("wait $main\necho $? > end\nexec sleep 2000");
    let main = sandbox.pid("web").unwrap();
    assert_eq!(name_of(main), "sleep");
    assert!(sandbox.ctl(&["signal", "USR1", "web"]).success);
    // 128 and the number of SIGUSR1.
    sandbox.wait_file("end", "138\n");
    let leader = sandbox.wait("the leader to be the main process again", |sandbox| {
        sandbox.pid("web").filter(|pid| *pid != main)
    });
    assert_eq!(sandbox.ctl(&["stop", "web"]).stdout, "web: stopped\n");
    assert!(name_of(leader).is_empty());
    assert!(!sandbox.log().contains("SIGKILL"), "{}", sandbox.log());
}
