//! From `kill -9` until the next process runs, while clients or orphans do their worst.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::memory::settle;
use super::{Run, SLEEPER, TIMEOUT, attempt, millis};
use crate::Outcome;
use crate::beacon::Beacon;
use crate::peers::{Kind, Peer, Service};
use crate::proc::signal;
use crate::table::{Table, median};

/// Beside the one that is killed: each costs a reread something.
const PROGRAMS: usize = 1_000;

const PIPELINED: usize = 300;
const SLOW_READERS: usize = 50;
const UNFINISHED: usize = 200;
const LOG_BYTES: usize = 4 << 20;

/// An attack by clients, which continues until the flag is set.
type Clients = fn(&Path, &AtomicBool);

struct Attack {
    name: &'static str,
    clients: Clients,
    /// A further program, in shell words without quotes; it attacks from below.
    program: Option<&'static str>,
}

const ATTACKS: [Attack; 5] = [
    Attack { name: "no attack", clients: |_, _| (), program: None },
    Attack { name: "300 reloadConfig at once", clients: reload, program: None },
    Attack { name: "50 slow readers of 4 MiB", clients: read_slowly, program: None },
    Attack { name: "200 unfinished bodies", clients: leave_unfinished, program: None },
    Attack { name: "a storm of orphans", clients: |_, _| (), program: Some(STORM) },
];

/// Each child leaves twenty orphans that end at once.
const STORM: &str =
    "while (1) { my $p = fork; if (!$p) { for (1..20) { fork or exit } exit } waitpid($p, 0) }";

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let kills = run.arguments.rounds(5);
    let mut table = Table::new(
        "attack",
        format!("kill -9 of a service until it runs again, {kills} times each, beside {PROGRAMS} others"),
        &["median ms", "worst ms"],
    );
    let Some(peer) = run.peers.iter().find(|peer| peer.kind == Kind::Sv) else { return Ok(table) };
    for attack in &ATTACKS {
        if let Some(figures) = attempt("attack", attack.name, || one(run, peer, attack, kills)) {
            table.row(attack.name, figures.to_vec());
        }
    }
    Ok(table)
}

fn one(run: &Run<'_>, peer: &Peer, attack: &Attack, kills: usize) -> Outcome<[Option<f64>; 2]> {
    let dir = run.folder()?;
    let mut beacon = Beacon::new(&dir)?;
    let mut services = Service::many(PROGRAMS, &SLEEPER, 0);
    let victim = &beacon.script().display().to_string();
    services.push(Service { name: "victim".to_owned(), ..Service::many(1, &[victim], 1).remove(0) });
    // What the slow readers read: all of it has to be escaped.
    let logs = dir.join("talker");
    fs::create_dir(&logs)?;
    fs::write(logs.join("current"), "&<".repeat(LOG_BYTES / 2))?;
    services.push(Service {
        name: "talker".to_owned(),
        log: Some(logs),
        ..Service::many(1, &SLEEPER, 0).remove(0)
    });
    if let Some(script) = attack.program {
        let path = dir.join("storm.pl");
        fs::write(&path, script)?;
        let command = ["/usr/bin/perl", &path.display().to_string()];
        services.push(Service { name: "storm".to_owned(), ..Service::many(1, &command, 0).remove(0) });
    }
    let running = peer.start_with(&dir, &services, "")?;
    let mut pid = beacon.pids(1, TIMEOUT).map_err(|error| running.failure(&error.to_string()))?[0];
    let (socket, is_over) = (dir.join("supervisor.sock"), AtomicBool::new(false));
    let times = thread::scope(|scope| {
        scope.spawn(|| (attack.clients)(&socket, &is_over));
        let times = kill(&mut beacon, &mut pid, kills);
        is_over.store(true, Ordering::Relaxed);
        times
    })?;
    let worst = times.iter().copied().max_by(f64::total_cmp);
    Ok([median(times), worst])
}

fn kill(beacon: &mut Beacon, pid: &mut u32, kills: usize) -> Outcome<Vec<f64>> {
    let mut times = Vec::new();
    for _ in 0..kills {
        settle();
        let began = Instant::now();
        signal(*pid, Signal::KILL);
        *pid = beacon.pids(1, TIMEOUT)?[0];
        times.push(millis(began.elapsed()));
    }
    Ok(times)
}

fn call(method: &str, parameters: &str) -> String {
    let body = format!(
        "<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>{parameters}</params></methodCall>"
    );
    let length = body.len();
    format!(
        "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// A connection that gives up soon: the supervisor may refuse it, or be busy.
fn connect(socket: &Path) -> Option<UnixStream> {
    let stream = UnixStream::connect(socket).ok()?;
    let soon = Some(Duration::from_millis(200));
    stream.set_read_timeout(soon).ok()?;
    stream.set_write_timeout(soon).ok()?;
    Some(stream)
}

fn reload(socket: &Path, is_over: &AtomicBool) {
    let requests = call("supervisor.reloadConfig", "").repeat(PIPELINED);
    let mut buffer = [0; 64 * 1024];
    while !is_over.load(Ordering::Relaxed) {
        let Some(mut stream) = connect(socket) else { continue };
        let mut sent = 0;
        while !is_over.load(Ordering::Relaxed) {
            if let Ok(count @ 1..) = stream.write(&requests.as_bytes()[sent..]) {
                sent += count;
            }
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Err(_) if sent == requests.len() => break,
                Ok(_) | Err(_) => {}
            }
        }
    }
}

fn read_slowly(socket: &Path, is_over: &AtomicBool) {
    let parameters = "<param><value><string>talker</string></value></param>\
        <param><value><int>0</int></value></param><param><value><int>0</int></value></param>";
    let request = call("supervisor.readProcessStdoutLog", parameters);
    let mut readers: Vec<Option<UnixStream>> = (0..SLOW_READERS).map(|_| None).collect();
    let mut buffer = [0; 4096];
    while !is_over.load(Ordering::Relaxed) {
        for reader in &mut readers {
            let stream = reader.take().or_else(|| {
                let mut stream = connect(socket)?;
                stream.write_all(request.as_bytes()).ok()?;
                stream.set_nonblocking(true).ok()?;
                Some(stream)
            });
            *reader = stream.filter(|mut stream| !matches!(stream.read(&mut buffer), Ok(0)));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn leave_unfinished(socket: &Path, is_over: &AtomicBool) {
    let head = "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 1048576\r\n\r\n";
    let piece = vec![b' '; 1 << 20];
    while !is_over.load(Ordering::Relaxed) {
        let mut peers = Vec::new();
        for _ in 0..UNFINISHED {
            let Some(mut stream) = connect(socket) else { break };
            // All but the last byte, as far as it is taken.
            _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&piece[1..]));
            peers.push(stream);
            if is_over.load(Ordering::Relaxed) {
                return;
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
}
