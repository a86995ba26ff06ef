//! Clients that ask for too much: what they cost, and that programs are looked after while they are served.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use support::wire::{Peer, anonymous_kib, call, get_pid, peak_resident_kib, raw};
use support::{HEAD, Sandbox, TIMEOUT, free_port};
use sv::xmlrpc::Value;

const CAT: &str = "[program:cat]\ncommand=/bin/cat\nstartsecs=0\n";

/// Of 200 connections that each hold back the last byte of a request of a mebibyte.
const CONNECTIONS: usize = 200;
const BODY_BYTES: usize = 1024 * 1024;

/// What they may cost together: the budget, and as much again for what the allocator keeps of buffers that grew. It
/// was 25 MiB on a busy machine; without a budget it would be 200.
const RESIDENT_KIB_MAX: u64 = 40 * 1024;

fn with_port(credentials: &str, programs: &str) -> (Sandbox, u16) {
    let port = free_port();
    let config = format!("{HEAD}[inet_http_server]\nport=127.0.0.1:{port}\n{credentials}{programs}");
    (Sandbox::new(&config).start(), port)
}

/// Sends as much of a request as is taken, and leaves out its end.
fn unfinished(mut wire: impl Read + Write, fields: &str) -> impl Read + Write {
    let head = format!("POST /RPC2 HTTP/1.1\r\nHost:\r\n{fields}Content-Length: {BODY_BYTES}\r\n\r\n");
    let _ = wire.write_all(head.as_bytes()).and_then(|()| wire.write_all(&vec![b'x'; BODY_BYTES - 1]));
    wire
}

fn answered(mut wire: impl Read, line: &str) -> bool {
    let mut text = vec![0; line.len()];
    wire.read_exact(&mut text).is_ok() && text == line.as_bytes()
}

#[test]
fn a_request_without_the_password_is_refused_at_its_head() {
    let (mut sandbox, port) = with_port("username=me\npassword=secret\n", CAT);
    for fields in ["", "Authorization: Basic bWU6d3Jvbmc=\r\n"] {
        let mut peer = Peer::tcp(port);
        // Nothing of the body is sent.
        let head = format!("POST /RPC2 HTTP/1.1\r\nHost:\r\n{fields}Content-Length: {BODY_BYTES}\r\n\r\n");
        peer.gets(head, "HTTP/1.1 401 Unauthorized");
        assert!(peer.ends());
    }
    let before = anonymous_kib(sandbox.supervisor_pid());
    let connect = |_| unfinished(TcpStream::connect(("127.0.0.1", port)).unwrap(), "");
    let open: Vec<_> = (0..CONNECTIONS).map(connect).collect();
    let after = anonymous_kib(sandbox.supervisor_pid());
    assert!(after < before + 4 * 1024, "{before} KiB became {after}");
    drop(open);
    sandbox.wait_ready();
}

#[test]
fn unfinished_requests_of_all_clients_share_a_budget() {
    let (mut sandbox, port) = with_port("", CAT);
    let path = sandbox.path("supervisor.sock");
    let timeout = Some(TIMEOUT);
    let mut open: Vec<Box<dyn Read>> = Vec::new();
    for number in 0..CONNECTIONS {
        open.push(if number % 2 == 0 {
            let wire = TcpStream::connect(("127.0.0.1", port)).unwrap();
            wire.set_write_timeout(timeout).unwrap();
            Box::new(unfinished(wire, ""))
        } else {
            let wire = UnixStream::connect(&path).unwrap();
            wire.set_write_timeout(timeout).unwrap();
            Box::new(unfinished(wire, ""))
        });
    }
    let resident = anonymous_kib(sandbox.supervisor_pid());
    assert!(resident < RESIDENT_KIB_MAX, "{resident} KiB");
    // Evicted clients got an error, and a client with a small request is never evicted.
    assert!(answered(open.swap_remove(0), "HTTP/1.1 503 Service Unavailable"));
    sandbox.wait_ready();
    assert!(Peer::tcp(port).call("supervisor.getState", &[]).is_ok());
}

#[test]
fn a_restart_is_completed_for_a_client_that_is_refused_meanwhile() {
    let slow = "[program:slow]\ncommand=/bin/sh -c 'trap \"\" TERM; echo up; while :; do sleep 1000; done'\n\
        startsecs=0\nstopwaitsecs=3600\nstdout_logfile=%(here)s/slow.log\n";
    let (mut sandbox, port) = with_port("", slow);
    sandbox.wait_file("slow.log", "up");
    let before = sandbox.pid("slow").unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.set_read_timeout(Some(TIMEOUT)).unwrap();
    // What follows the request is read ahead and held.
    let head = "POST /api/v1/processes/*/restart?wait=3600 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    client.write_all(&[head.as_bytes(), &[b'x'; 48 * 1024]].concat()).unwrap();
    sandbox.wait_state("slow", "STOPPING");
    let path = sandbox.path("supervisor.sock");
    // Connections over TCP yield before these.
    let open: Vec<_> = (0..20)
        .map(|_| {
            let wire = UnixStream::connect(&path).unwrap();
            wire.set_write_timeout(Some(TIMEOUT)).unwrap();
            unfinished(wire, "")
        })
        .collect();
    let mut refusal = String::new();
    client.read_to_string(&mut refusal).unwrap();
    assert!(refusal.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{refusal}");
    assert!(refusal.contains("\r\n\r\n{\"error\":{\"code\":null,\"name\":\"UNAVAILABLE\","), "{refusal}");
    drop(open);
    kill_process(before, Signal::KILL).unwrap();
    sandbox
        .wait("the second half of the restart", |sandbox| sandbox.pid("slow").filter(|pid| *pid != before));
    sandbox.wait_state("slow", "RUNNING");
}

#[test]
fn a_text_of_more_than_a_mebibyte_is_taken_for_a_child() {
    let count = "[program:count]\ncommand=/bin/sh -c 'head -c 1100000 | wc -c > %(here)s/count; exec cat'\nstartsecs=0\n";
    let mut sandbox = Sandbox::with_programs(count).start();
    sandbox.wait_state("count", "RUNNING");
    let text = "x".repeat(1_100_000);
    let sent = Peer::unix(&sandbox).call("supervisor.sendProcessStdin", &["count".into(), text.into()]);
    assert_eq!(sent, Ok(Value::from(true)));
    sandbox.wait_file("count", "1100000");
}

#[test]
fn replies_that_are_not_read_share_a_budget() {
    let (mut sandbox, port) = with_port("", CAT);
    // Each character becomes five in a reply, so all of them would come to 60 MiB.
    std::fs::write(sandbox.path("supervisord.log"), "&".repeat(1 << 20)).unwrap();
    let ask = |_| {
        let mut wire = TcpStream::connect(("127.0.0.1", port)).unwrap();
        wire.write_all(&call("supervisor.readLog", &[0.into(), 0.into()])).unwrap();
        wire
    };
    let open: Vec<_> = (0..12).map(ask).collect();
    for _ in 0..5 {
        assert!(Peer::tcp(port).call("supervisor.getState", &[]).is_ok());
    }
    sandbox.wait("the replies to be dropped", |sandbox| {
        (anonymous_kib(sandbox.supervisor_pid()) < 40 * 1024).then_some(())
    });
    assert!(Peer::unix(&sandbox).call("supervisor.getState", &[]).is_ok());
    drop(open);
}

#[test]
fn readers_of_long_replies_take_turns() {
    let mut sandbox = Sandbox::with_programs(CAT).start();
    sandbox.wait_state("cat", "RUNNING");
    std::fs::write(sandbox.path("supervisord.log"), "&".repeat(1 << 19)).unwrap();
    let path = sandbox.path("supervisor.sock");
    let ask = |_| {
        let path = path.clone();
        std::thread::spawn(move || {
            let mut peer = Peer::of(UnixStream::connect(path).unwrap());
            let answer = peer.gets(call("supervisor.readLog", &[0.into(), 0.into()]), "HTTP/1.1 200 OK");
            answer.body.len()
        })
    };
    let readers: Vec<_> = (0..20).map(ask).collect();
    let mut peer = Peer::unix(&sandbox);
    while !readers.iter().all(std::thread::JoinHandle::is_finished) {
        assert!(peer.call("supervisor.getState", &[]).is_ok());
    }
    for reader in readers {
        assert!(reader.join().unwrap() > 5 << 19);
    }
    let peak = peak_resident_kib(sandbox.supervisor_pid());
    assert!(peak < 40 * 1024, "{peak} KiB");
}

#[test]
fn the_memory_of_multicall_results_is_proportional() {
    let sandbox = Sandbox::with_programs(&many_programs()).start();
    let one = Value::members([
        ("methodName", "supervisor.getAllProcessInfo".into()),
        ("params", Value::Array(Vec::new())),
    ]);
    let before = peak_resident_kib(sandbox.supervisor_pid());
    let results = Peer::unix(&sandbox).call("system.multicall", &[Value::Array(vec![one; 64])]).unwrap();
    let results = results.as_array().unwrap();
    assert_eq!(results.len(), 64);
    // Those beyond the bound were refused.
    assert!(results[0].as_array().is_some() && results[63].get("faultCode").is_some());
    let peak = peak_resident_kib(sandbox.supervisor_pid());
    assert!(peak < before + 20 * 1024, "{before} KiB became {peak}");
}

/// Programs that cost a reread as much as in the worst of real configurations.
fn many_programs() -> String {
    let program = |number| format!("[program:p{number}]\ncommand=/bin/cat\nautostart=false\n");
    (0..1000).map(program).collect()
}

/// How many questions of a flood are unanswered at any time.
const WINDOW: usize = 16;

/// Asks a question again and again until it is to stop, and gives whether every one was answered.
fn flood(wire: UnixStream, question: Vec<u8>, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<bool> {
    let mut writer = wire.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut peer = Peer::of(wire);
        writer.write_all(&question.repeat(WINDOW)).unwrap();
        while !stop.load(Ordering::Relaxed) {
            if peer.answer().line != "HTTP/1.1 200 OK" {
                return false;
            }
            writer.write_all(&question).unwrap();
        }
        (0..WINDOW).all(|_| peer.answer().line == "HTTP/1.1 200 OK")
    })
}

#[test]
fn a_program_that_dies_is_started_again_while_a_flood_is_answered() {
    let mut sandbox = Sandbox::with_programs(&format!("{CAT}{}", many_programs())).start();
    sandbox.wait_state("cat", "RUNNING");
    let connect = || UnixStream::connect(sandbox.path("supervisor.sock")).unwrap();
    let methods =
        |name: &str| Value::members([("methodName", name.into()), ("params", Value::Array(Vec::new()))]);
    let calls = Value::Array(vec![methods("supervisor.getAllProcessInfo"); 8]);
    for question in [
        call("supervisor.reloadConfig", &[]),
        call("supervisor.getAllProcessInfo", &[]),
        call("system.multicall", &[calls]),
    ] {
        let stop = Arc::new(AtomicBool::new(false));
        let flood = flood(connect(), question, Arc::clone(&stop));
        let mut peer = Peer::unix(&sandbox);
        let pid_of =
            |info: &Value| Pid::from_raw(info.get("pid").unwrap().as_int().unwrap().try_into().unwrap());
        let info = |peer: &mut Peer| peer.call("supervisor.getProcessInfo", &["cat".into()]).unwrap();
        for _ in 0..3 {
            let pid = pid_of(&info(&mut peer)).unwrap();
            kill_process(pid, Signal::KILL).unwrap();
            let deadline = Instant::now() + TIMEOUT;
            while pid_of(&info(&mut peer)).is_none_or(|new| new == pid) {
                assert!(Instant::now() < deadline, "{}", sandbox.story());
            }
        }
        stop.store(true, Ordering::Relaxed);
        assert!(flood.join().unwrap(), "a question was not answered");
    }
}

/// Starts a supervisor that may have so many descriptors.
fn limited(config: &str, descriptors: u32) -> Sandbox {
    let mut sandbox = Sandbox::new(config);
    let script = format!("ulimit -n {descriptors}; exec \"$@\"");
    let mut command = sandbox.marked(Command::new("/bin/sh"));
    command.args(["-c", &script, "sh"]).arg(support::binary());
    command.args(["run", "--minfds=20", "-c"]).arg(sandbox.config());
    sandbox.spawn_as(command);
    sandbox.wait_ready();
    sandbox
}

#[test]
fn unauthenticated_clients_do_not_evict_followers() {
    let port = free_port();
    let inet = format!("[inet_http_server]\nport=127.0.0.1:{port}\nusername=me\npassword=secret\n");
    // Room for thirty connections.
    let sandbox = limited(&format!("{HEAD}{inet}{CAT}"), 60);
    let mut follower = Peer::unix(&sandbox);
    follower.send("GET /mainlogtail HTTP/1.1\r\nHost:\r\n\r\n");
    assert_eq!(follower.head()[0], "HTTP/1.1 200 OK");
    let mut idle = Peer::unix(&sandbox);
    assert_eq!(idle.call("supervisor.getPID", &[]), Ok(Value::from(raw(sandbox.supervisor_pid()))));
    let clients: Vec<_> = (0..100).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    // A client that may open the socket is served, and earlier connections remain.
    for _ in 0..10 {
        assert!(Peer::unix(&sandbox).call("supervisor.getState", &[]).is_ok());
    }
    assert!(idle.call("supervisor.getState", &[]).is_ok());
    sandbox.ctl(&["stop", "cat"]);
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("stopped: cat") {
        follower.ahead.clear();
        assert!(follower.read_more(), "the follower was disconnected");
        seen.extend_from_slice(&follower.ahead);
    }
    drop(clients);
}

#[test]
fn a_connection_with_a_request_is_not_closed_as_idle() {
    // Room for thirty connections.
    let sandbox = limited(&format!("{HEAD}{CAT}"), 60);
    // All replies together are less than what makes a reader that is slow yield.
    std::fs::write(sandbox.path("supervisord.log"), "&".repeat(1 << 13)).unwrap();
    let path = sandbox.path("supervisor.sock");
    let long = call("supervisor.readLog", &[0.into(), 0.into()]);
    for question in [call("supervisor.getState", &[]), long] {
        // All of them are found at once.
        kill_process(sandbox.supervisor_pid(), Signal::STOP).unwrap();
        let ask = |_| {
            let mut peer = Peer::of(UnixStream::connect(&path).unwrap());
            peer.send(&question);
            peer
        };
        let peers: Vec<_> = (0..50).map(ask).collect();
        kill_process(sandbox.supervisor_pid(), Signal::CONT).unwrap();
        for (number, mut peer) in peers.into_iter().enumerate() {
            assert_eq!(peer.answer().line, "HTTP/1.1 200 OK", "{number}");
        }
    }
}

#[test]
fn connections_are_accepted_again_as_soon_as_a_descriptor_is_free() {
    let mut sandbox = Sandbox::with_programs(CAT).start();
    let (supervisor, path) = (sandbox.supervisor_pid(), sandbox.path("supervisor.sock"));
    sandbox.wait_state("cat", "RUNNING");
    let open = std::fs::read_dir(format!("/proc/{}/fd", supervisor.as_raw_nonzero())).unwrap().count() as u64;
    let few = Rlimit { current: Some(open + 1), maximum: Some(open + 1) };
    prlimit(Some(supervisor), Resource::Nofile, few).unwrap();
    // Two every half a second, which is what they would wait without that, would take four times as long.
    let (began, connections) = (Instant::now(), 480);
    for _ in 0..connections {
        let mut wire = UnixStream::connect(&path).unwrap();
        wire.write_all(&get_pid()).unwrap();
    }
    assert!(Peer::unix(&sandbox).call("supervisor.getState", &[]).is_ok());
    assert!(began.elapsed() < TIMEOUT, "{:?}", began.elapsed());
    assert!(sandbox.log().contains("cannot accept a connection"), "{}", sandbox.log());
}
