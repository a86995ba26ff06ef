//! The socket that a supervisor listens on when the configuration names none, and the files of those that it does name.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use support::wire::Peer;
use support::{Sandbox, binary, free_port};
use sv::xmlrpc::Value;

const CAT: &str = "[program:cat]\ncommand=/bin/cat\nstartsecs=0\n";

/// No section for a server, for a client or for the interface, like most configurations that there are.
fn bare(lines: &str) -> String {
    format!(
        "[supervisord]\nlogfile=%(here)s/supervisord.log\npidfile=%(here)s/supervisord.pid\nchildlogdir=%(here)s\n{lines}"
    )
}

/// The default sockets of a sandbox.
fn sockets(sandbox: &Sandbox) -> Vec<PathBuf> {
    let folders = fs::read_dir(sandbox.dir()).unwrap().map(|entry| entry.unwrap().path());
    let own = folders.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("sv-"));
    own.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())).collect()
}

/// What the client says in another folder, where it finds no configuration.
fn elsewhere(sandbox: &Sandbox, words: &[&str]) -> (String, String) {
    let mut command = sandbox.marked(Command::new(binary()));
    let output = command.args(words).current_dir("/").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

fn inode(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().map(|found| found.ino())
}

#[test]
fn a_supervisor_without_a_configured_server_can_be_asked() {
    let report = "[program:tell]\ncommand=/bin/sh -c 'env > %(here)s/environment; exec cat'\nstartsecs=0\n";
    let mut sandbox = Sandbox::new(&bare(&format!("{CAT}{report}"))).start();
    sandbox.wait_state("cat", "RUNNING");
    let pid = sandbox.supervisor_pid().as_raw_nonzero().to_string();
    // With the configuration, by its search, and where there is none at all.
    assert_eq!(sandbox.ctl(&["pid"]).stdout.trim(), pid);
    let searched = sandbox.marked(Command::new(binary())).arg("pid").output().unwrap();
    assert_eq!(String::from_utf8(searched.stdout).unwrap().trim(), pid);
    assert_eq!(elsewhere(&sandbox, &["pid"]).0.trim(), pid);
    assert_eq!(elsewhere(&sandbox, &["stop", "cat"]).0, "cat: stopped\n");
    assert!(elsewhere(&sandbox, &["health"]).0.starts_with("healthy"));
    // It is ours alone, and no concern of the programs: for them nothing is configured.
    let [socket] = sockets(&sandbox).try_into().unwrap();
    for (path, is_socket) in [(socket.as_path(), true), (socket.parent().unwrap(), false)] {
        let found = fs::symlink_metadata(path).unwrap();
        assert_eq!((found.mode() & 0o777, found.file_type().is_socket()), (0o700, is_socket));
    }
    sandbox.wait_file("environment", "SUPERVISOR_ENABLED=1");
    assert!(!sandbox.file("environment").contains("SUPERVISOR_SERVER_URL"));
    // A restart keeps it, with the connections that there are.
    let mut peer = Peer::of(std::os::unix::net::UnixStream::connect(&socket).unwrap());
    assert!(peer.call("supervisor.getPID", &[]).is_ok());
    let before = inode(&socket);
    sandbox.signal(Signal::HUP);
    sandbox.wait("the restart", |sandbox| {
        (sandbox.log().matches("supervisord started with pid").count() == 2).then_some(())
    });
    assert_eq!(peer.call("supervisor.getPID", &[]), Ok(Value::from(pid.parse::<i64>().unwrap())));
    assert_eq!(inode(&socket), before);
    sandbox.signal(Signal::TERM);
    assert!(sandbox.wait_exit().success());
    assert!(!socket.exists() && !socket.parent().unwrap().exists());
}

#[test]
fn the_configuration_and_the_environment_set_or_disable_the_control_socket() {
    let at_path = Sandbox::new(&bare("control_socket=%(here)s/own.sock\n")).start();
    assert!(at_path.path("own.sock").exists() && sockets(&at_path).is_empty());
    let reported = elsewhere(&at_path, &["-c", at_path.config().to_str().unwrap(), "pid"]).0;
    assert_eq!(reported.trim(), at_path.supervisor_pid().as_raw_nonzero().to_string());

    for (lines, variable) in [("control_socket=none\n", ""), ("", "none")] {
        let mut sandbox = Sandbox::new(&bare(&format!("{lines}{CAT}")));
        if !variable.is_empty() {
            sandbox = sandbox.env("SV_SUPERVISORD_CONTROL_SOCKET", variable);
        }
        sandbox.spawn();
        sandbox.wait_log("spawned: 'cat'");
        assert!(sockets(&sandbox).is_empty());
        let config = sandbox.config().display().to_string();
        let (_, reported) = elsewhere(&sandbox, &["-c", &config, "status"]);
        for part in [
            "cannot reach http://localhost:9001",
            &format!("{config} names no address, and has no control socket because of "),
        ] {
            assert!(reported.contains(part), "{part}\n{reported}");
        }
    }
}

#[test]
fn a_configured_unix_server_takes_its_place_and_one_over_tcp_does_not() {
    let unix = Sandbox::with_programs("").start();
    assert!(sockets(&unix).is_empty());

    let port = free_port();
    let inet = format!("[inet_http_server]\nport=127.0.0.1:{port}\nusername=me\npassword=secret\n");
    let inet = Sandbox::new(&bare(&inet)).start();
    // A client that may open the socket needs no password.
    assert_eq!(sockets(&inet).len(), 1);
    let config = inet.config().to_str().unwrap().to_owned();
    let pid = inet.supervisor_pid().as_raw_nonzero().to_string();
    assert_eq!(elsewhere(&inet, &["-u", "x", "-p", "y", "-c", &config, "pid"]).0.trim(), pid);
}

#[test]
fn as_supervisord_below_another_init_only_configured_servers_are_opened() {
    let mut sandbox = Sandbox::new(&bare(CAT)).run_by(&binary(), "supervisord", &["-n"]);
    sandbox.spawn();
    sandbox.wait_log("spawned: 'cat'");
    assert!(sockets(&sandbox).is_empty());
}

#[test]
fn an_unreachable_address_falls_back_to_the_socket_of_the_same_configuration() {
    let sandbox = Sandbox::new(&bare(&format!("{CAT}[supervisorctl]\nserverurl=unix:///nowhere/sv.sock\n")));
    let mut sandbox = sandbox.start();
    sandbox.wait_state("cat", "RUNNING");
    sandbox.write("other.conf", "[supervisord]\n[supervisorctl]\nserverurl=unix:///nowhere/sv.sock\n");
    let other = sandbox.path("other.conf").display().to_string();
    let (_, reported) = elsewhere(&sandbox, &["-c", &other, "pid"]);
    assert!(reported.contains("cannot reach unix:///nowhere/sv.sock: no such file"), "{reported}");
}

#[test]
fn a_removed_socket_is_restored() {
    for config in [bare(CAT), format!("{}{CAT}", support::HEAD)] {
        let mut sandbox = Sandbox::new(&config).start();
        let socket = sockets(&sandbox).pop().unwrap_or_else(|| sandbox.path("supervisor.sock"));
        for round in 1..=2 {
            fs::remove_file(&socket).unwrap();
            sandbox.wait("the socket", |_| socket.exists().then_some(()));
            sandbox.wait_ready();
            let reported =
                format!("made the control socket '{}' again: it had been removed", socket.display());
            sandbox.wait("the line", |sandbox| {
                (sandbox.log().matches(&reported).count() == round).then_some(())
            });
        }
        sandbox.signal(Signal::TERM);
        assert!(sandbox.wait_exit().success());
        assert!(!socket.exists());
    }
}

#[test]
fn a_socket_of_another_process_at_its_path_is_kept() {
    let mut sandbox = Sandbox::with_programs(CAT).start();
    let socket = sandbox.path("supervisor.sock");
    let aside = sandbox.path("aside.sock");
    let theirs = UnixListener::bind(&aside).unwrap();
    fs::rename(&aside, &socket).unwrap();
    let foreign = inode(&socket);
    sandbox.wait_log("another process has put something else in the place of the control socket");
    for (signal, line) in
        [(Signal::USR2, "supervisord logreopen"), (Signal::HUP, "supervisord started with pid")]
    {
        let before = sandbox.log().matches(line).count();
        sandbox.signal(signal);
        sandbox.wait(line, |sandbox| (sandbox.log().matches(line).count() > before).then_some(()));
        assert_eq!(inode(&socket), foreign);
    }
    // Once they are gone it is ours again, for the asking.
    drop(theirs);
    sandbox.signal(Signal::USR2);
    sandbox.wait_ready();
}

#[test]
fn clients_see_that_a_listener_asks_for_events_of_its_output() {
    let listener =
        "[eventlistener:l]\ncommand=/bin/cat\nevents=TICK_5\nautostart=false\nstdout_events_enabled=true\n";
    let sandbox = Sandbox::with_programs(listener).start();
    let reported = Peer::unix(&sandbox).call("supervisor.getAllConfigInfo", &[]).unwrap();
    assert_eq!(reported.as_array().unwrap()[0].get("stdout_events_enabled"), Some(&Value::from(true)));
}
