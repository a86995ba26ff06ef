//! Bytes over the sockets of the real binary, and what they cost it.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use rustix::process::Pid;
use sv::xmlrpc::{Value, decode_response, encode_call};

use super::{Sandbox, TIMEOUT};

/// Either kind of connection.
pub trait Wire: Read + Write {
    fn with_timeout(self) -> Self;
}

impl Wire for UnixStream {
    fn with_timeout(self) -> Self {
        self.set_read_timeout(Some(TIMEOUT)).unwrap();
        self
    }
}

impl Wire for TcpStream {
    fn with_timeout(self) -> Self {
        self.set_read_timeout(Some(TIMEOUT)).unwrap();
        self
    }
}

/// A connection and what was read of it beyond the last answer.
pub struct Peer {
    wire: Box<dyn ReadWrite>,
    pub ahead: Vec<u8>,
}

pub trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

#[derive(Debug, PartialEq)]
pub struct Answer {
    /// `HTTP/1.1 200 OK`
    pub line: String,
    /// `Name: value`
    pub fields: Vec<String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find_map(|field| field.strip_prefix(name)?.strip_prefix(": "))
    }

    pub fn value(&self) -> Result<Value, (i32, String)> {
        assert_eq!(self.line, "HTTP/1.1 200 OK");
        assert_eq!(self.field("Content-Type"), Some("text/xml"));
        assert!(self.body.starts_with(b"<?xml version='1.0'?>"));
        decode_response(&self.body).unwrap()
    }
}

impl Peer {
    pub fn unix(sandbox: &Sandbox) -> Self {
        Self::of(UnixStream::connect(sandbox.path("supervisor.sock")).unwrap())
    }

    pub fn tcp(port: u16) -> Self {
        Self::of(TcpStream::connect(("127.0.0.1", port)).unwrap())
    }

    pub fn of(wire: impl Wire + 'static) -> Self {
        Self { wire: Box::new(wire.with_timeout()), ahead: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.wire.write_all(bytes.as_ref()).unwrap();
        self
    }

    /// False at the end.
    pub fn read_more(&mut self) -> bool {
        let mut buffer = [0; 8192];
        match self.wire.read(&mut buffer) {
            Ok(count) => {
                self.ahead.extend_from_slice(&buffer[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            // With a time-out, a read is interrupted also by a stop of the whole process: signal(7).
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&self.ahead)),
        }
    }

    /// The head of an answer, line by line.
    pub fn head(&mut self) -> Vec<String> {
        let end = loop {
            match self.ahead.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => break end,
                None => assert!(self.read_more(), "no answer but {:?}", String::from_utf8_lossy(&self.ahead)),
            }
        };
        let head: Vec<u8> = self.ahead.drain(..end + 4).collect();
        String::from_utf8(head).unwrap().trim_end().split("\r\n").map(str::to_owned).collect()
    }

    pub fn answer(&mut self) -> Answer {
        let head = self.head();
        let mut answer = Answer { line: head[0].clone(), fields: head[1..].to_vec(), body: Vec::new() };
        let length: usize = answer.field("Content-Length").unwrap().parse().unwrap();
        while self.ahead.len() < length {
            assert!(self.read_more(), "{answer:?} ends early");
        }
        answer.body = self.ahead.drain(..length).collect();
        answer
    }

    /// What is sent is answered with this status line.
    pub fn gets(&mut self, bytes: impl AsRef<[u8]>, line: &str) -> Answer {
        let shown = String::from_utf8_lossy(bytes.as_ref()).into_owned();
        let answer = self.send(bytes).answer();
        assert_eq!(answer.line, line, "{shown}");
        answer
    }

    /// Whether nothing more comes. (A server that keeps the connection is not waited for.)
    pub fn ends(&mut self) -> bool {
        self.ahead.is_empty() && !self.read_more()
    }

    pub fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, (i32, String)> {
        self.send(call(method, params)).answer().value()
    }
}

pub fn post(fields: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("POST /RPC2 HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub fn call(method: &str, params: &[Value]) -> Vec<u8> {
    post("", &encode_call(method, params))
}

pub fn get_pid() -> Vec<u8> {
    call("supervisor.getPID", &[])
}

pub fn raw(pid: Pid) -> i64 {
    i64::from(pid.as_raw_nonzero().get())
}

/// CPU time used so far, in ticks of 10 ms: utime and stime of proc_pid_stat(5).
pub fn cpu_ticks(pid: Pid) -> u64 {
    ticks_of(&fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap())
}

/// The same of a process whose file was read.
pub fn ticks_of(stat: &str) -> u64 {
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Without the pages of the binary, which in a debug build are many and say nothing about what is kept.
pub fn anonymous_kib(pid: Pid) -> u64 {
    kib_of(pid, "RssAnon:")
}

/// With the pages of the binary.
pub fn resident_kib(pid: Pid) -> u64 {
    kib_of(pid, "VmRSS:")
}

/// The most that it has been.
pub fn peak_resident_kib(pid: Pid) -> u64 {
    kib_of(pid, "VmHWM:")
}

/// How often it has gone to sleep: what wakes it shows here.
pub fn sleeps(pid: Pid) -> u64 {
    status_field(pid, "voluntary_ctxt_switches:").parse().unwrap()
}

fn kib_of(pid: Pid, field: &str) -> u64 {
    status_field(pid, field).trim_end_matches(" kB").parse().unwrap()
}

fn status_field(pid: Pid, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    status.lines().find_map(|line| line.strip_prefix(field)).unwrap().trim().to_owned()
}
