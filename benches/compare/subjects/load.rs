//! What can two hundred clients ask at the same time, and what do they cost while they are silent?

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sv::http::client::{ResponseParser, encode_request};
use sv::xmlrpc::encode_call;

use super::memory::settle;
use super::{Run, SLEEPER, TIMEOUT, attempt, millis};
use crate::Outcome;
use crate::peers::{Peer, Running, Seat, Service};
use crate::proc::{cpu_seconds, memory};
use crate::table::{Table, median};

const CLIENTS: usize = 200;
const SERVICES: usize = 100;

/// One answer about all services is some hundred KiB.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// How long one round asks, after a while in which nothing is counted.
const ROUND: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_millis(500);

/// For what is done once it is quiet.
const REST: Duration = Duration::from_millis(500);

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let rounds = run.arguments.rounds(7);
    let mut table = Table::new(
        "load",
        format!(
            "{CLIENTS} connections to the unix socket, each asking for all of {SERVICES} services again and \
             again: medians of {rounds} rounds of {} s; then KiB (PSS) for {CLIENTS} that are silent",
            ROUND.as_secs()
        ),
        &["requests/s", "ms median", "ms p99", "CPU µs each", "connects", "KiB silent", "after load"],
    );
    for peer in run.peers.iter().filter(|peer| peer.reads_ini()) {
        if let Some(figures) = attempt("load", peer.kind.name(), || one(run, peer, rounds)) {
            table.row(peer.kind.name(), figures);
        }
    }
    table.note(
        "connects: for each request, to a server that hangs up; silent: what connections that have asked \
         nothing yet cost, and after load those that have, half a second after their last answer"
            .to_owned(),
    );
    Ok(table)
}

fn one(run: &Run<'_>, peer: &Peer, rounds: usize) -> Outcome<Vec<Option<f64>>> {
    let dir = run.folder()?;
    let services = Service::many(SERVICES, &SLEEPER, 1);
    let mut running = peer.start(&dir, &services, Seat::Daemon)?;
    running.wait_services(SLEEPER[0], SERVICES)?;
    settle();
    let socket = dir.join("supervisor.sock");
    // What serving the first client brings into memory stays out.
    Crowd::connect(&socket, 1)?.ask_for(WARM_UP)?;
    thread::sleep(REST);
    let alone = pss(&running);
    let mut crowd = Crowd::connect(&socket, CLIENTS)?;
    thread::sleep(REST);
    let silent = (pss(&running) - alone).max(0.0);
    crowd.ask_for(WARM_UP)?;
    let supervising = running.supervising(SLEEPER[0]);
    let rounds = (0..rounds).map(|_| crowd.round(&supervising)).collect::<Outcome<Vec<_>>>()?;
    thread::sleep(REST);
    let after_load = (pss(&running) - alone).max(0.0);
    let column = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
    Ok(vec![
        column(|round| round.requests_per_sec),
        column(|round| round.median_ms),
        column(|round| round.p99_ms),
        column(|round| round.cpu_micros_each),
        column(|round| round.connects_each),
        Some(silent),
        Some(after_load),
    ])
}

fn pss(running: &Running<'_>) -> f64 {
    memory(&running.supervising(SLEEPER[0])).pss
}

struct Round {
    requests_per_sec: f64,
    median_ms: f64,
    p99_ms: f64,
    cpu_micros_each: f64,
    connects_each: f64,
}

/// Clients that ask at the same time. Each asks again as soon as it has its answer.
struct Crowd {
    socket: PathBuf,
    request: Vec<u8>,
    clients: Vec<Client>,
    connects: usize,
}

struct Client {
    stream: UnixStream,
    parser: ResponseParser,
    /// When it has asked; `None` while it is silent.
    asked: Option<Instant>,
}

impl Client {
    fn connect(socket: &Path) -> Outcome<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, parser: ResponseParser::new(ANSWER_BYTES_MAX), asked: None })
    }
}

impl Crowd {
    fn connect(socket: &Path, count: usize) -> Outcome<Self> {
        let call = encode_call("supervisor.getAllProcessInfo", &[]);
        let request = encode_request("POST", "/RPC2", "localhost", None, Some("text/xml"), &call);
        let clients = (0..count).map(|_| Client::connect(socket)).collect::<Outcome<_>>()?;
        Ok(Self { socket: socket.to_owned(), request, clients, connects: 0 })
    }

    fn round(&mut self, supervising: &[u32]) -> Outcome<Round> {
        self.connects = 0;
        let cpu = cpu_seconds(supervising);
        let began = Instant::now();
        let mut latencies = self.ask_for(ROUND)?;
        let (took, cpu) = (began.elapsed(), cpu_seconds(supervising) - cpu);
        latencies.sort_by(f64::total_cmp);
        let count = latencies.len();
        let at = |share: usize| latencies.get(count * share / 100).copied();
        let (Some(median_ms), Some(p99_ms)) = (at(50), at(99)) else {
            return Err("nobody was answered".into());
        };
        Ok(Round {
            requests_per_sec: count as f64 / took.as_secs_f64(),
            median_ms,
            p99_ms,
            cpu_micros_each: cpu * 1e6 / count as f64,
            connects_each: self.connects as f64 / count as f64,
        })
    }

    /// Asks so long, waits for the last answers, and returns how long each has taken, in milliseconds.
    fn ask_for(&mut self, time: Duration) -> Outcome<Vec<f64>> {
        let until = Instant::now() + time;
        let mut latencies = Vec::new();
        for place in 0..self.clients.len() {
            self.ask(place)?;
        }
        let mut buffer = vec![0; 64 * 1024];
        while self.clients.iter().any(|client| client.asked.is_some()) {
            for place in self.ready(until + TIMEOUT)? {
                if let Some(latency) = self.hear(place, &mut buffer)? {
                    latencies.push(millis(latency));
                    if Instant::now() < until {
                        self.ask(place)?;
                    }
                }
            }
        }
        Ok(latencies)
    }

    fn ask(&mut self, place: usize) -> Outcome<()> {
        let client = &mut self.clients[place];
        client.asked = Some(Instant::now());
        client.stream.write_all(&self.request)?;
        Ok(())
    }

    /// Which clients there is something to read for.
    fn ready(&self, until: Instant) -> Outcome<Vec<usize>> {
        let mut polled: Vec<_> =
            self.clients.iter().map(|client| PollFd::new(&client.stream, PollFlags::IN)).collect();
        let left = Timespec::try_from(until.saturating_duration_since(Instant::now()))?;
        if poll(&mut polled, Some(&left))? == 0 {
            return Err("a client is not answered".into());
        }
        let is_ready =
            |(place, polled): (usize, &PollFd<'_>)| (!polled.revents().is_empty()).then_some(place);
        Ok(polled.iter().enumerate().filter_map(is_ready).collect())
    }

    /// Reads once for a client; returns how long its answer has taken once it is complete.
    fn hear(&mut self, place: usize, buffer: &mut [u8]) -> Outcome<Option<Duration>> {
        let client = &mut self.clients[place];
        let hung_up = match client.stream.read(buffer) {
            Ok(0) => {
                client.parser.end_of_input()?;
                true
            }
            Ok(count) => {
                client.parser.feed(&buffer[..count])?;
                false
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if !client.parser.is_complete() {
            return Ok(None);
        }
        let took = client.asked.take().map(|asked| asked.elapsed());
        let fresh = ResponseParser::new(ANSWER_BYTES_MAX);
        let is_reusable = !hung_up && client.parser.is_reusable();
        if client.parser.head().is_none_or(|head| head.status != 200) {
            return Err("an answer is no answer".into());
        }
        client.parser = fresh;
        if !is_reusable {
            self.clients[place] = Client::connect(&self.socket)?;
            self.connects += 1;
        }
        Ok(took)
    }
}
