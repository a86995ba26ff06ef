//! Bytes over the sockets of the real binary: what it makes of HTTP and XML-RPC as clients speak them,
//! well and badly, few and many.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use support::wire::{Peer, Wire, anonymous_kib, call, cpu_ticks, get_pid, post, raw};
use support::{HEAD, Sandbox, TIMEOUT, free_port, free_ports};
use sv::xmlrpc::{Value, encode_call};

const CAT: &str = "[program:cat]\ncommand=/bin/cat\nstartsecs=0\n";

/// Does not stop when asked to, and then is killed after a second.
const STUBBORN: &str = "[program:stubborn]\n\
    command=/bin/sh -c 'trap \"\" TERM; echo > %(here)s/trapped; while :; do sleep 1; done'\n\
    stopwaitsecs=1\nstopasgroup=true\nkillasgroup=true\n";

/// Takes an hour to count as started.
const SLOW: &str = "[program:slow]\ncommand=/bin/cat\nautostart=false\nstartsecs=3600\n";

/// From here on there are descriptors that are kept while their process runs, so that clients have the lowest.
const KEPT_FROM: u64 = 64;

/// Sets the limit of descriptors so that a supervisor can open so many more, and can use those of its clients again. The
/// limit is one of numbers, and a client that has just left may have left a gap.
fn leave_descriptors(of: Pid, count: usize) {
    let open = fs::read_dir(format!("/proc/{}/fd", of.as_raw_nonzero())).unwrap();
    let used: Vec<u64> =
        open.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    let enough = (0..).filter(|number| !used.contains(number)).nth(count);
    let after_clients = used.iter().filter(|number| **number < KEPT_FROM).max().map(|last| last + 1);
    let limit = enough.max(after_clients);
    prlimit(Some(of), Resource::Nofile, Rlimit { current: limit, maximum: limit }).unwrap();
}

/// A supervisor with a unix socket and a port.
fn with_port(programs: &str) -> (Sandbox, u16) {
    let port = free_port();
    let config = format!("{HEAD}[inet_http_server]\nport=127.0.0.1:{port}\n{programs}");
    (Sandbox::new(&config).start(), port)
}

#[test]
fn a_connection_is_kept_for_request_after_request() {
    let (sandbox, port) = with_port("");
    let pid = Ok(Value::from(raw(sandbox.supervisor_pid())));
    for mut peer in [Peer::unix(&sandbox), Peer::tcp(port)] {
        // Blank lines before the first request, and one too many after a request.
        peer.send("\r\n\r\n");
        for _ in 0..3 {
            assert_eq!(peer.call("supervisor.getPID", &[]), pid);
            peer.send("\r\n");
        }
        // Errors end nothing either.
        let page = peer.gets("GET /nope HTTP/1.1\r\nHost:\r\n\r\n", "HTTP/1.1 404 Not Found");
        assert_eq!(page.field("Content-Type"), Some("text/html"));
        assert!(String::from_utf8(page.body.clone()).unwrap().contains("404"), "{page:?}");
        assert!(page.field("Server").is_some() && page.field("Date").is_some(), "{page:?}");
        assert_eq!(peer.call("supervisor.getPID", &[]), pid);
        // Those sent ahead are answered in order, also those that are answered at once.
        let ahead = [get_pid(), b"GET /nope HTTP/1.1\r\n\r\n".to_vec(), get_pid()].concat();
        peer.send(ahead);
        assert_eq!(peer.answer().value(), pid);
        assert_eq!(peer.answer().line, "HTTP/1.1 404 Not Found");
        assert_eq!(peer.answer().value(), pid);
        let closing = post("Connection: Close\r\n", &encode_call("supervisor.getPID", &[]));
        assert_eq!(peer.send(closing).answer().value(), pid);
        assert!(peer.ends());
    }
}

#[test]
fn http_1_0_closes_unless_keep_alive_is_requested() {
    let (sandbox, port) = with_port("");
    let request = |fields: &str| {
        let body = encode_call("supervisor.getPID", &[]);
        String::from_utf8(post(fields, &body)).unwrap().replace("HTTP/1.1", "HTTP/1.0")
    };
    for mut peer in [Peer::unix(&sandbox), Peer::tcp(port)] {
        let answer = peer.gets(request("Connection: keep-alive\r\n"), "HTTP/1.0 200 OK");
        assert_eq!(answer.field("Connection"), Some("Keep-Alive"));
        peer.gets(request(""), "HTTP/1.0 200 OK");
        assert!(peer.ends());
    }
}

#[test]
fn bodies_arrive_at_once_in_chunks_or_after_continue() {
    let (sandbox, port) = with_port("");
    let pid = Ok(Value::from(raw(sandbox.supervisor_pid())));
    let body = encode_call("supervisor.getPID", &[]);
    let half = body.len() / 2;
    for mut peer in [Peer::unix(&sandbox), Peer::tcp(port)] {
        peer.send("POST /RPC2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
        for piece in [&body[..half], &body[half..]] {
            peer.send(format!("{:x}\r\n", piece.len())).send(piece).send("\r\n");
        }
        assert_eq!(peer.send("0\r\n\r\n").answer().value(), pid);
        let length = body.len();
        peer.send(format!("POST /RPC2 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"));
        assert_eq!(peer.head(), ["HTTP/1.1 100 Continue"]);
        assert_eq!(peer.send(&body).answer().value(), pid);
        // A client that does not wait for `100 Continue` does not get it.
        assert_eq!(peer.send(post("Expect: 100-continue\r\n", &body)).answer().value(), pid);
        for byte in get_pid() {
            peer.send([byte]);
        }
        assert_eq!(peer.answer().value(), pid);
    }
}

#[test]
fn paths_and_methods_have_their_statuses() {
    let sandbox = Sandbox::with_programs("").start();
    let mut peer = Peer::unix(&sandbox);
    let body = encode_call("supervisor.getState", &[]);
    for target in ["/RPC2", "/RPC2/", "/RPC2/foo", "/RPC2foo?x=1", "/RPC2?", "http://localhost/RPC2"] {
        let request = String::from_utf8(post("Content-Type: x/y\r\n", &body)).unwrap();
        peer.gets(request.replace("/RPC2", target), "HTTP/1.1 200 OK");
    }
    for (request, line) in [
        ("GET /RPC2", "HTTP/1.1 400 Bad Request"),
        ("PUT /RPC2", "HTTP/1.1 400 Bad Request"),
        ("GET /rpc2", "HTTP/1.1 404 Not Found"),
        ("GET /nope/n\u{f6}pe", "HTTP/1.1 404 Not Found"),
        ("GET /nope/%e2%82%ac%zz", "HTTP/1.1 404 Not Found"),
    ] {
        peer.gets(format!("{request} HTTP/1.1\r\nHost: \r\n\r\n"), line);
    }
    peer.send("HEAD /nope HTTP/1.1\r\n\r\n");
    let head = peer.head();
    assert_eq!(head[0], "HTTP/1.1 404 Not Found");
    assert!(head.iter().any(|field| field.starts_with("Content-Length: ")), "{head:?}");
    // Had it a body, that would be taken for the next answer.
    peer.gets("POST /RPC2 HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 400 Bad Request");
    peer.gets(post("", b"<methodCall/>"), "HTTP/1.1 400 Bad Request");
    peer.gets(post("", b"nonsense"), "HTTP/1.1 400 Bad Request");
    peer.gets(post("", b"<methodCall>\xff</methodCall>"), "HTTP/1.1 400 Bad Request");
    assert!(peer.call("supervisor.getPID", &[]).is_ok());
    let log = sandbox.log();
    assert!(log.contains("no method name") && log.contains("unmarshallable"), "{log}");
    for (request, line) in [
        ("nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        ("GET /\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        ("POST /RPC2 HTTP/1.1\r\n\r\n", "HTTP/1.1 411 Length Required"),
        ("POST /RPC2 HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", "HTTP/1.1 413 Content Too Large"),
    ] {
        let mut peer = Peer::unix(&sandbox);
        peer.gets(request, line);
        assert!(peer.ends(), "{request}");
    }
}

#[test]
fn clients_without_the_password_are_refused_and_disconnected() {
    let [port, other] = free_ports();
    let config = format!(
        "{HEAD}[inet_http_server]\nport=127.0.0.1:{port}\nusername=me\npassword=se:cret\n\
         [inet_http_server:sha]\nport=127.0.0.1:{}\nusername=me\n\
         password={{SHA}}a6fd8606f8f12a7541202a933e4a2a986fd9c1a1\n",
        other,
    );
    let sandbox = Sandbox::new(&config).start();
    let body = encode_call("supervisor.getPID", &[]);
    for port in [port, other] {
        for (credentials, enters) in [
            // me:se:cret
            ("Basic bWU6c2U6Y3JldA==", true),
            ("bAsIc bWU6c2U6Y3JldA==", true),
            // me:se, me, and nothing
            ("Basic bWU6c2U=", false),
            ("Basic bWU=", false),
            ("Basic Og==", false),
            ("Basic !!!", false),
            ("Basic", false),
            ("", false),
            ("Digest bWU6c2U6Y3JldA==", false),
        ] {
            let mut peer = Peer::tcp(port);
            let answer = peer.send(post(&format!("Authorization: {credentials}\r\n"), &body)).answer();
            assert_eq!(answer.line == "HTTP/1.1 200 OK", enters, "{credentials}: {answer:?}");
            if !enters {
                assert_eq!(answer.line, "HTTP/1.1 401 Unauthorized");
                assert_eq!(answer.field("WWW-Authenticate"), Some("Basic realm=\"default\""));
                assert_eq!(answer.field("Connection"), Some("close"));
                assert!(peer.ends(), "{credentials}");
            }
        }
        for path in ["/", "/nope", "/RPC2", "/logtail/x", "/mainlogtail"] {
            Peer::tcp(port).gets(format!("GET {path} HTTP/1.1\r\n\r\n"), "HTTP/1.1 401 Unauthorized");
        }
    }
    // The other server requires no password, so the wrong one is ignored.
    for credentials in ["Basic Og==", "Basic bWU6c2U6Y3JldA==", "", "!"] {
        let fields = format!("Authorization: {credentials}\r\n");
        Peer::unix(&sandbox).gets(post(&fields, &body), "HTTP/1.1 200 OK");
    }
}

#[test]
fn several_servers_answer_side_by_side() {
    let [port, other] = free_ports();
    let config = format!(
        "{HEAD}{CAT}[unix_http_server:two]\nfile=%(here)s/two.sock\n\
         [inet_http_server:one]\nport=127.0.0.1:{port}\n\
         [inet_http_server:two]\nport=127.0.0.1:{}\n",
        other,
    );
    let sandbox = Sandbox::new(&config).start();
    let two = UnixStream::connect(sandbox.path("two.sock")).unwrap();
    let mut peers = [Peer::unix(&sandbox), Peer::of(two), Peer::tcp(port), Peer::tcp(other)];
    let pid = Ok(Value::from(raw(sandbox.supervisor_pid())));
    for peer in &mut peers {
        peer.send(get_pid());
    }
    for peer in peers.iter_mut().rev() {
        assert_eq!(peer.answer().value(), pid);
        assert_eq!(peer.call("supervisor.stopProcess", &["cat".into()]), Ok(true.into()));
        assert_eq!(peer.call("supervisor.startProcess", &["cat".into()]), Ok(true.into()));
    }
}

#[test]
fn a_call_that_waits_holds_up_its_own_connection_only() {
    let (sandbox, port) = with_port(&format!("{CAT}{SLOW}"));
    let pid = Ok(Value::from(raw(sandbox.supervisor_pid())));
    let start = call("supervisor.startProcess", &["slow".into()]);
    let mut waiting = [Peer::unix(&sandbox), Peer::tcp(port)];
    // What it asks next is answered after that.
    waiting[0].send([start, get_pid()].concat());
    // The first of them starts it; the others get a fault.
    let mut other = Peer::unix(&sandbox);
    let mut sandbox = sandbox;
    sandbox.wait_state("slow", "STARTING");
    waiting[1].send(call("supervisor.startProcessGroup", &["slow".into()]));
    assert_eq!(waiting[1].answer().value(), Ok(Value::Array(Vec::new())));
    for _ in 0..100 {
        assert_eq!(other.call("supervisor.getPID", &[]), pid);
    }
    assert_eq!(other.call("supervisor.stopProcess", &["cat".into()]), Ok(true.into()));
    assert_eq!(other.call("supervisor.stopProcess", &["slow".into()]), Ok(true.into()));
    let fault = (40, "ABNORMAL_TERMINATION: slow".to_owned());
    assert_eq!(waiting[0].answer().value(), Err(fault));
    assert_eq!(waiting[0].answer().value(), pid);
}

#[test]
fn commands_continue_after_their_client_disconnects() {
    let (mut sandbox, port) = with_port(&format!("{CAT}{STUBBORN}"));
    sandbox.wait_file("trapped", "\n");
    sandbox.wait_state("stubborn", "RUNNING");
    let stop = call("supervisor.stopProcess", &["stubborn".into()]);
    for mut peer in [Peer::unix(&sandbox), Peer::tcp(port)] {
        peer.send(&stop);
    }
    // Half of a request is nothing that was begun.
    Peer::unix(&sandbox).send(&stop[..stop.len() - 1]);
    sandbox.wait_state("stubborn", "STOPPED");
    assert!(sandbox.log().contains("killing 'stubborn'"), "{}", sandbox.log());
    assert!(Peer::tcp(port).call("supervisor.getPID", &[]).is_ok());
}

#[test]
fn answers_are_well_formed_whatever_they_contain() {
    const NAME: &str = "<a>&amp;'\"]]\u{1b}\u{f6}\u{1f600}";
    let programs = format!(
        "[program:{NAME}]\ncommand=/no/<such>&\u{1}\u{7f}]]>/file\nstartretries=0\n\
         stdout_logfile=%(here)s/<o>&.log\n"
    );
    let mut sandbox = Sandbox::with_programs(&programs).start();
    sandbox.wait_log("entered FATAL state");
    let mut peer = Peer::unix(&sandbox);
    let all = peer.call("supervisor.getAllProcessInfo", &[]).unwrap();
    let info = &all.as_array().unwrap()[0];
    let text = |member| info.get(member).and_then(Value::as_str).unwrap();
    let shown = NAME.replace('\u{1b}', "\u{fffd}");
    assert_eq!((text("name"), text("group"), text("statename")), (&*shown, &*shown, "FATAL"));
    assert!(text("description").contains("/no/<such>&\\x01\\x7f]]>/file"), "{info:?}");
    assert!(text("stdout_logfile").ends_with("/<o>&.log"), "{info:?}");
    let (code, detail) = peer.call("supervisor.startProcess", &["<&>\u{2}".into()]).unwrap_err();
    assert_eq!((code, detail.as_str()), (10, "BAD_NAME: <&>\u{fffd}"));
}

#[test]
fn a_restart_with_a_broken_configuration_is_refused() {
    let mut sandbox = Sandbox::with_programs(CAT).start();
    sandbox.wait_state("cat", "RUNNING");
    let cat = sandbox.pid("cat");
    sandbox.replace("supervisord.conf", "startsecs=0", "startsecs=soon");
    let (code, text) = Peer::unix(&sandbox).call("supervisor.restart", &[]).unwrap_err();
    assert_eq!(code, 92);
    assert!(text.starts_with("CANT_REREAD: ") && text.contains("soon"), "{text}");
    assert_eq!(sandbox.pid("cat"), cat);
}

/// More descriptors for us, and for the supervisor that is started then.
fn raise_open_files(least: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < least) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(least), maximum }).unwrap();
    }
}

#[test]
fn when_there_are_too_many_the_one_idle_for_longest_makes_room() {
    raise_open_files(4096);
    let mut sandbox = Sandbox::with_programs(&format!("{CAT}{SLOW}")).start();
    let pid = Ok(Value::from(raw(sandbox.supervisor_pid())));
    // Who waits for an answer is not idle, however long.
    let mut waiting = Peer::unix(&sandbox);
    waiting.send(call("supervisor.startProcess", &["slow".into()]));
    sandbox.wait_state("slow", "STARTING");
    let mut first: Vec<Peer> = (0..100).map(|_| Peer::unix(&sandbox)).collect();
    let mut peers: Vec<Peer> = (0..1000).map(|_| Peer::unix(&sandbox)).collect();
    // The last is there, so all before it were.
    assert_eq!(peers[999].call("supervisor.getPID", &[]), pid);
    let gone = first.iter_mut().take(50).all(Peer::ends);
    assert!(gone, "the oldest made room");
    for peer in &mut peers {
        assert_eq!(peer.call("supervisor.getPID", &[]), pid);
    }
    assert_eq!(peers[0].call("supervisor.stopProcess", &["slow".into()]), Ok(true.into()));
    assert!(waiting.answer().value().is_err());
    let kept = anonymous_kib(sandbox.supervisor_pid());
    assert!(kept < 8 * 1024, "{kept} KiB for a thousand connections");
}

#[test]
fn without_descriptors_for_more_connections_it_rests() {
    let waits = "[program:wait]\ncommand=/bin/cat\nautostart=false\nstartsecs=3600\nnumprocs=20\n\
        process_name=%(process_num)d\n";
    let mut sandbox = Sandbox::with_programs(&format!("{CAT}{waits}")).start();
    let supervisor = sandbox.supervisor_pid();
    // A connection that waits for an answer is not closed for another.
    let mut waiting: Vec<Peer> = (0..20).map(|_| Peer::unix(&sandbox)).collect();
    for (nth, peer) in waiting.iter_mut().enumerate() {
        peer.send(call("supervisor.startProcess", &[format!("wait:{nth}").into()]));
    }
    sandbox.wait_state("wait:19", "STARTING");
    leave_descriptors(supervisor, 2);
    let idle: Vec<Peer> = (0..20).map(|_| Peer::unix(&sandbox)).collect();
    sandbox.wait_log("cannot accept a connection");
    let (before, since) = (cpu_ticks(supervisor), Instant::now());
    sandbox.wait("two seconds", |_| (since.elapsed() > Duration::from_secs(2)).then_some(()));
    let used = cpu_ticks(supervisor) - before;
    assert!(used < 20, "{used} ticks of CPU time in two seconds of rest");
    assert_eq!(sandbox.log().matches("cannot accept a connection").count(), 1, "{}", sandbox.log());
    // Silent connections are closed one after the other, so that they can't lock others out.
    sandbox.wait_state("cat", "RUNNING");
    drop(idle);
    let mut other = Peer::unix(&sandbox);
    assert!(other.call("supervisor.stopAllProcesses", &[]).is_ok());
    for peer in &mut waiting {
        assert!(peer.answer().value().is_err());
    }
}

#[test]
fn connections_leave_descriptors_to_children() {
    let limited = "ulimit -n 64; exec \"$0\" run \"$@\"";
    let sandbox = Sandbox::with_programs(&format!("{CAT}{SLOW}"));
    sandbox.replace("supervisord.conf", "[supervisord]\n", "[supervisord]\nminfds=64\n");
    let binary = support::binary();
    let words = ["-c", limited, binary.to_str().unwrap()];
    let mut sandbox = sandbox.run_by("/bin/sh".as_ref(), "sh", &words).start();
    sandbox.wait_state("cat", "RUNNING");
    let mut idle: Vec<Peer> = (0..80).map(|_| Peer::unix(&sandbox)).collect();
    let answer = idle[79].call("supervisor.startProcess", &["slow".into(), false.into()]);
    assert_eq!(answer, Ok(true.into()), "{}", sandbox.log());
    assert!(!sandbox.log().contains("cannot accept"), "{}", sandbox.log());
}

#[test]
fn idle_connections_are_closed_for_a_child_when_descriptors_run_out() {
    let late = "[program:late]\ncommand=/bin/cat\nautostart=false\nstartsecs=0\n";
    let mut sandbox = Sandbox::with_programs(&format!("{CAT}{late}")).start();
    sandbox.wait_state("cat", "RUNNING");
    let supervisor = sandbox.supervisor_pid();
    let mut idle: Vec<Peer> = (0..20).map(|_| Peer::unix(&sandbox)).collect();
    for peer in &mut idle {
        assert!(peer.call("supervisor.getPID", &[]).is_ok());
    }
    leave_descriptors(supervisor, 0);
    // Who asks is served, so the others are closed, the ones that were used first.
    let mut asking = idle.pop().unwrap();
    assert_eq!(
        asking.call("supervisor.startProcess", &["late".into()]),
        Ok(true.into()),
        "{}",
        sandbox.log()
    );
    assert!(idle[0].ends());
    assert!(idle[18].call("supervisor.getPID", &[]).is_ok());
    sandbox.wait_state("late", "RUNNING");
}

#[test]
fn a_slow_request_times_out_and_an_idle_connection_does_not() {
    let programs = "[program:many]\ncommand=/bin/cat\nautostart=false\nnumprocs=400\n\
        process_name=a-rather-long-name-so-that-the-answer-is-large-%(process_num)03d\n";
    let head = HEAD.replace("[supervisord]\n", "[supervisord]\nclient_timeout=2\n");
    let sandbox = Sandbox::new(&format!("{head}{programs}")).start();
    let mut silent = Peer::unix(&sandbox);
    // Asks for more than a socket holds, again and again, and reads no more than its beginning.
    let mut unresponsive = UnixStream::connect(sandbox.path("supervisor.sock")).unwrap().with_timeout();
    unresponsive.write_all(&call("supervisor.getAllProcessInfo", &[]).repeat(10)).unwrap();
    // Its time begins when its reply does, and has to be over before that of the slow one.
    let mut heard = vec![0];
    unresponsive.read_exact(&mut heard).unwrap();
    // Sends a byte now and then: its request would take longer than it may.
    let mut slow = UnixStream::connect(sandbox.path("supervisor.sock")).unwrap();
    slow.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let (request, since) = (call("supervisor.getPID", &[]), Instant::now());
    let mut is_cut_off = false;
    for byte in request {
        _ = slow.write_all(&[byte]);
        match slow.read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => {
                is_cut_off = true;
                break;
            }
            Ok(_) => panic!("an answer to half a request"),
        }
        assert!(since.elapsed() < TIMEOUT, "it is listened to without end");
    }
    assert!(is_cut_off, "the whole request was taken");
    assert!(since.elapsed() >= Duration::from_secs(2), "it was cut off after {:?}", since.elapsed());
    let kept = anonymous_kib(sandbox.supervisor_pid());
    assert!(kept < 8 * 1024, "{kept} KiB");
    // By now the connection of the slow reader is closed early.
    unresponsive.read_to_end(&mut heard).unwrap();
    let answers = heard.windows(15).filter(|window| window == b"HTTP/1.1 200 OK").count();
    assert_eq!(answers, 1, "{} bytes", heard.len());
    assert!(!heard.ends_with(b"</methodResponse>\n"), "{} bytes", heard.len());
    assert!(silent.call("supervisor.getPID", &[]).is_ok());
}

#[test]
fn an_address_of_ipv6_stands_in_brackets() {
    if !support::have("IPv6", TcpListener::bind("[::1]:0").is_ok()) {
        return;
    }
    let port = free_port();
    let config = format!("{HEAD}[inet_http_server]\nport=[::1]:{port}\n{CAT}");
    let mut sandbox = Sandbox::new(&config).start();
    let pid = Ok(Value::from(raw(sandbox.supervisor_pid())));
    let mut peer = Peer::of(TcpStream::connect(("::1", port)).unwrap());
    assert_eq!(peer.call("supervisor.getPID", &[]), pid);
    let url = format!("http://[::1]:{port}");
    sandbox.wait("our client", |sandbox| sandbox.ctl(&["-s", &url, "status", "cat"]).success.then_some(()));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_port_can_be_had_again_at_once() {
    let (mut sandbox, port) = with_port("");
    for _ in 0..2 {
        // The server closes first, so this connection occupies the port for a minute.
        let mut peer = Peer::tcp(port);
        let closing = post("Connection: close\r\n", &encode_call("supervisor.getPID", &[]));
        assert!(peer.send(closing).answer().value().is_ok());
        assert!(peer.ends());
        drop(peer);
        assert!(Peer::tcp(port).call("supervisor.shutdown", &[]).is_ok());
        assert!(sandbox.wait_exit().success(), "{}", sandbox.story());
        sandbox = sandbox.start();
    }
}

/// Random numbers that are the same in every run.
fn random() -> impl FnMut(usize) -> usize {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    move |below| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap()
    }
}

#[test]
fn bytes_split_anywhere_are_the_same_requests() {
    let (sandbox, port) = with_port(CAT);
    let body = encode_call("supervisor.getProcessInfo", &["w\u{f6}rt".into()]);
    let mut chunked = b"POST /RPC2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in body.chunks(37) {
        chunked.extend(
            format!("{:x};x=y\r\n", piece.len()).bytes().chain(piece.iter().copied()).chain(*b"\r\n"),
        );
    }
    chunked.extend(b"0\r\nTrailer: t\r\n\r\n\r\n");
    let script = [
        get_pid(),
        chunked,
        b"GET /nope/w\xc3\xb6rt HTTP/1.1\r\nHost: \r\n\r\n\r\n".to_vec(),
        post("", b"<methodCall/>"),
        call("system.multicall", &[Value::Array(vec![])]),
    ]
    .concat();
    let mut random = random();
    let mut reported = Vec::new();
    for round in 0..60 {
        let mut peer = if round % 2 == 0 { Peer::unix(&sandbox) } else { Peer::tcp(port) };
        let mut rest = script.as_slice();
        while !rest.is_empty() {
            // From bytes one by one to all of it at once.
            let size = (1 + random(1 << (round % 11))).min(rest.len());
            peer.send(&rest[..size]);
            rest = &rest[size..];
        }
        let answers: Vec<_> = (0..5).map(|_| peer.answer()).map(|it| (it.line, it.body)).collect();
        if reported.is_empty() {
            let lines: Vec<_> = answers.iter().map(|(line, _)| line.split(' ').nth(1).unwrap()).collect();
            assert_eq!(lines, ["200", "200", "404", "400", "200"]);
            reported = answers;
        } else {
            assert_eq!(answers, reported, "round {round}");
        }
    }
}

#[test]
fn a_thousand_slow_clients_and_an_endless_body_do_not_delay_others() {
    raise_open_files(4096);
    let (mut sandbox, port) = with_port(CAT);
    sandbox.wait_state("cat", "RUNNING");
    let supervisor = sandbox.supervisor_pid();
    // Each sends a byte of a head that has no end, again and again.
    let dawdler = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nX: ").unwrap();
        stream
    };
    let mut slow: Vec<TcpStream> = (0..1000).map(|_| dawdler()).collect();
    let mut endless = TcpStream::connect(("127.0.0.1", port)).unwrap();
    endless.write_all(b"POST /RPC2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let mut announced = Peer::tcp(port);
    announced
        .gets("POST /RPC2 HTTP/1.1\r\nContent-Length: 1073741824\r\n\r\n", "HTTP/1.1 413 Content Too Large");
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    let mut is_cut_off = false;
    let mut peer = Peer::unix(&sandbox);
    for _ in 0..20 {
        for stream in &mut slow {
            _ = stream.write_all(b"x");
        }
        for _ in 0..8 {
            is_cut_off |= endless.write_all(&chunk).is_err();
        }
        assert_eq!(peer.call("supervisor.stopProcess", &["cat".into()]), Ok(true.into()));
        assert_eq!(peer.call("supervisor.startProcess", &["cat".into()]), Ok(true.into()));
        assert!(Peer::tcp(port).call("supervisor.getPID", &[]).is_ok());
    }
    // Its input was not kept: it got an error, and then its input was ignored.
    let mut last = Vec::new();
    _ = endless.set_read_timeout(Some(Duration::from_secs(5)));
    _ = endless.read_to_end(&mut last);
    assert!(is_cut_off || last.starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&last));
    let kept = anonymous_kib(supervisor);
    assert!(kept < 8 * 1024, "{kept} KiB");
}

/// supervisor_cache, mr.laforge and supervisor_twiddler, as the clients of these packages call them.
#[test]
fn ours_has_the_methods_of_small_packages() {
    if support::reference_under_test().is_some() {
        return;
    }
    let factories = "[rpcinterface:cache]\n\
        supervisor.rpcinterface_factory=supervisor_cache.rpcinterface:make_cache_rpcinterface\n\
        [rpcinterface:laforge]\n\
        supervisor.rpcinterface_factory=mr.laforge.rpcinterface:make_laforge_rpcinterface\n\
        [rpcinterface:twiddler]\n\
        supervisor.rpcinterface_factory=supervisor_twiddler.rpcinterface:make_twiddler_rpcinterface\n";
    let trap = "[program:trap]\nstartsecs=0\n\
        command=/bin/sh -c 'trap \"echo got > %(here)s/got\" HUP; echo > %(here)s/ready; while :; do sleep 0.05; done'\n";
    let mut sandbox = Sandbox::with_programs(&format!("{factories}{CAT}{trap}")).start();
    sandbox.wait_file("ready", "\n");
    let mut peer = Peer::unix(&sandbox);
    let mut asked = |method: &str, params: &[Value]| peer.call(method, params);
    assert_eq!(asked("cache.store", &["k".into(), "v\u{e4}lue".into()]), Ok(true.into()));
    assert_eq!(asked("cache.fetch", &["k".into()]), Ok("v\u{e4}lue".into()));
    assert_eq!(asked("cache.getKeys", &[]), Ok(Value::Array(vec!["k".into()])));
    assert_eq!(asked("cache.getCount", &[]), Ok(1.into()));
    assert_eq!(asked("cache.delete", &["k".into()]), Ok(true.into()));
    assert_eq!(asked("cache.fetch", &["k".into()]), Err((10, "BAD_NAME".to_owned())));
    let groups = Value::Array(vec!["cat".into(), "trap".into()]);
    assert_eq!(asked("twiddler.getGroupNames", &[]), Ok(groups));
    assert_eq!(asked("twiddler.log", &["from a client".into(), "WARN".into()]), Ok(true.into()));
    assert_eq!(asked("laforge.killProcess", &["trap".into(), "HUP".into()]), Ok(true.into()));
    let nobody = Err((10, "BAD_NAME: nobody".to_owned()));
    assert_eq!(asked("laforge.killProcess", &["nobody".into(), "HUP".into()]), nobody);
    drop(peer);
    sandbox.wait_file("got", "got");
    sandbox.wait_log("WARN from a client");
}

/// A request as XML, which our own encoder would not write.
fn posted(peer: &mut Peer, xml: &str) -> String {
    peer.send(post("", xml.as_bytes())).answer().line
}

#[test]
fn ours_takes_no_document_type() {
    if support::reference_under_test().is_some() {
        return;
    }
    let sandbox = Sandbox::with_programs(CAT).start();
    for doctype in [
        "<!DOCTYPE methodCall>",
        "<!DOCTYPE methodCall [<!ENTITY e \"x\">]>",
        "<!DOCTYPE m SYSTEM \"http://x/\">",
    ] {
        let call = "<methodCall><methodName>supervisor.getPID</methodName></methodCall>";
        let mut peer = Peer::unix(&sandbox);
        let answer = posted(&mut peer, &format!("<?xml version=\"1.0\"?>{doctype}{call}"));
        assert_eq!(answer, "HTTP/1.1 400 Bad Request", "{doctype}");
    }
    assert!(sandbox.log().contains("unmarshallable (a DOCTYPE is not accepted)"), "{}", sandbox.log());
}

#[test]
fn ours_takes_no_nil() {
    if support::reference_under_test().is_some() {
        return;
    }
    let sandbox = Sandbox::with_programs(CAT).start();
    let call = "<methodCall><methodName>supervisor.stopProcess</methodName><params>\
        <param><value><string>cat</string></value></param><param><value><nil/></value></param></params></methodCall>";
    assert_eq!(posted(&mut Peer::unix(&sandbox), call), "HTTP/1.1 400 Bad Request");
    assert_eq!(sandbox.state("cat").as_deref(), Some("RUNNING"));
}
