//! Whatever a client asks for, the credentials of the server are checked first.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use rustix::process::Signal;
use support::wire::{Peer, post};
use support::{HEAD, Sandbox, free_port, free_ports};
use sv::xmlrpc::{Value, encode_call};

const CAT: &str = "[program:cat]\ncommand=/bin/cat\nstartsecs=0\n";
const CREDENTIALS: &str = "username=me\npassword=secret\n";
const REFUSED: &str = "HTTP/1.1 401 Unauthorized";

/// Every page and stream, those that do something among them.
const TARGETS: &[&str] = &[
    "/",
    "/?action=stopall",
    "/index.html",
    "/index.html?action=stop&processname=cat",
    "/index.html?action=restartall",
    "/index.html?action=clearlog&processname=cat",
    "/tail.html?processname=cat",
    "/ok.html",
    "/stylesheets/supervisor.css",
    "/images/icon.svg",
    "/logtail/cat",
    "/logtail/cat/stderr",
    "/mainlogtail",
    "/RPC2",
    "/api/v1",
    "/api/v1/processes",
    "/api/v1/processes/cat",
    "/api/v1/processes/cat/logs/stdout",
    "/api/v1/processes/cat/logs/stdout?follow=true",
    "/api/v1/events?follow=true",
    "/api/v1/processes/cat/stop",
    "/api/v1/processes/*/restart",
    "/api/v1/graph",
    "/api/v1/processes/cat/launch",
    "/api/v1/diff",
    "/api/v1/programs/cat/scale?processes=0",
    "/api/v1/resources",
    "/api/v1/openapi.json",
    "/api/v1/update",
    "/api/v1/shutdown",
    "/RPC2/x",
    "/nope",
    "//",
    "/%2e%2e/index.html",
];

/// The requests: every target with several methods, and every call, with parameters that some of them take.
fn requests(methods: &[String], fields: &str) -> Vec<Vec<u8>> {
    let heads = TARGETS.iter().flat_map(|target| {
        let request = move |method| {
            format!("{method} {target} HTTP/1.1\r\nHost: x\r\n{fields}Content-Length: 0\r\n\r\n").into_bytes()
        };
        ["GET", "HEAD", "POST", "PUT"].map(request)
    });
    let cat = || vec![Value::from("cat")];
    let calls = methods.iter().flat_map(|method| {
        [vec![], cat(), vec!["cat".into(), false.into()]].map(|params| encode_call(method, &params))
    });
    heads.chain(calls.map(|body| post(fields, &body))).collect()
}

#[test]
fn every_method_page_and_stream_requires_the_credentials_and_has_no_effect_without() {
    let port = free_port();
    let servers = format!(
        "[inet_http_server]\nport=127.0.0.1:{port}\n{CREDENTIALS}\
         [unix_http_server:two]\nfile=%(here)s/two.sock\n{CREDENTIALS}"
    );
    let mut sandbox = Sandbox::new(&format!("{HEAD}{servers}{CAT}")).start();
    sandbox.wait_state("cat", "RUNNING");
    let mut open = Peer::unix(&sandbox);
    let methods = open.call("system.listMethods", &[]).unwrap();
    let methods: Vec<String> =
        methods.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    assert!(methods.len() > 30 && methods.iter().any(|name| name == "supervisor.shutdown"), "{methods:?}");

    let pid = |peer: &mut Peer| {
        let info = peer.call("supervisor.getProcessInfo", &["cat".into()]).unwrap();
        (info.get("pid").cloned(), info.get("statename").cloned())
    };
    let before = (pid(&mut open), sandbox.log());
    // No credentials, and me:wrong.
    for fields in ["", "Authorization: Basic bWU6d3Jvbmc=\r\n"] {
        for request in requests(&methods, fields) {
            let socket = UnixStream::connect(sandbox.path("two.sock")).unwrap();
            for mut peer in [Peer::tcp(port), Peer::of(socket)] {
                let shown = String::from_utf8_lossy(&request);
                assert_eq!(peer.send(&request).head()[0], REFUSED, "{shown}");
            }
        }
    }
    assert_eq!((pid(&mut open), sandbox.log()), before);
    // With the credentials the same server does it: me:secret.
    let stop = encode_call("supervisor.stopProcess", &["cat".into()]);
    let fields = "Authorization: Basic bWU6c2VjcmV0\r\n";
    assert_eq!(Peer::tcp(port).send(post(fields, &stop)).answer().value(), Ok(true.into()));
}

#[test]
fn credentials_count_for_one_request_of_a_connection() {
    let port = free_port();
    let inet = format!("[inet_http_server]\nport=127.0.0.1:{port}\n{CREDENTIALS}");
    let mut sandbox = Sandbox::new(&format!("{HEAD}{inet}{CAT}")).start();
    sandbox.wait_state("cat", "RUNNING");
    let mut peer = Peer::tcp(port);
    let (get_pid, stop) =
        (encode_call("supervisor.getPID", &[]), encode_call("supervisor.stopProcess", &["cat".into()]));
    peer.gets(post("Authorization: Basic bWU6c2VjcmV0\r\n", &get_pid), "HTTP/1.1 200 OK");
    peer.gets(post("", &stop), REFUSED);
    assert!(peer.ends());
    sandbox.wait_state("cat", "RUNNING");
}

#[test]
fn a_client_of_a_removed_server_is_not_taken_for_one_of_its_successor() {
    let [before, after] = free_ports();
    let with = format!("[inet_http_server]\nport=127.0.0.1:{before}\n{CREDENTIALS}");
    let without = format!("[inet_http_server]\nport=127.0.0.1:{after}\n");
    let mut sandbox = Sandbox::new(&format!("{HEAD}{CAT}{with}")).start();
    let get_pid = encode_call("supervisor.getPID", &[]);
    let mut peer = Peer::tcp(before);
    peer.gets(post("Authorization: Basic bWU6c2VjcmV0\r\n", &get_pid), "HTTP/1.1 200 OK");
    sandbox.replace("supervisord.conf", &with, &without);
    sandbox.signal(Signal::HUP);
    sandbox.wait("the new server", |_| TcpStream::connect(("127.0.0.1", after)).ok());
    // The new server admits all clients, but that is not the one that this client connected to.
    Peer::tcp(after).gets(post("", &get_pid), "HTTP/1.1 200 OK");
    peer.gets(post("", &get_pid), REFUSED);
    assert!(peer.ends());
}
