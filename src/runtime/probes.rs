//! Running probes: each is one nonblocking socket in the poller, with a deadline.
//!
//! For a TCP or unix probe a connection is enough; an HTTP probe sends a GET and reads the head of the reply.
//! Nothing here blocks, not even on host names: a name that is neither in /etc/hosts nor was resolved at the
//! start fails the probe.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::task_table::StartBudget;
use super::{Shell, Source, Sources};
use crate::http::client::{ResponseParser, encode_request};
use crate::model::{Mono, Probe, TaskId, seconds_text};
use crate::supervise::{Input, ProbeFailure};
use crate::sys::connect::{begin_to_connect, connection_outcome, early_outcome, send_without_waiting};
use crate::sys::is_shortage;
use crate::sys::names::HostNames;
use crate::sys::output::read_ready;
use crate::sys::poller::{Interest, Poller};
use crate::sys::sockets::connect_without_waiting;

/// The maximum number of running probes, each with a descriptor; further ones are queued.
const CONNECTIONS_MAX: usize = 64;

/// The maximum number of queued probes. A process has at most one for each of its checks.
const QUEUED_MAX: usize = 16_384;

/// The maximum number of bytes of a reply's body that are read with its head, before the probe is over.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// The result of a probe, if it is known.
type Verdict = Option<Result<(), ProbeFailure>>;

#[derive(Debug)]
struct RunningProbe {
    socket: OwnedFd,
    token: u64,
    deadline: Mono,
    timeout: Duration,
    /// Further addresses to try if this one fails.
    others: Vec<SocketAddr>,
    is_connected: bool,
    http: Option<HttpProbe>,
}

#[derive(Debug)]
struct HttpProbe {
    unsent: Vec<u8>,
    reply: ResponseParser,
}

/// All probes.
#[derive(Debug, Default)]
pub(super) struct Probes {
    /// Boxed, as a tree keeps the space of its entries when it is empty.
    running: BTreeMap<TaskId, Box<RunningProbe>>,
    deadlines: BTreeSet<(Mono, TaskId)>,
    /// The oldest first, as ids count up.
    queued: BTreeMap<TaskId, Box<(Probe, Duration)>>,
}

impl Probes {
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// The probes whose deadline has passed.
    fn take_overdue(&mut self, now: Mono) -> Vec<TaskId> {
        self.deadlines.iter().take_while(|(at, _)| *at <= now).map(|(_, probe)| *probe).collect()
    }

    fn remove(&mut self, probe: TaskId, sources: &mut Sources) -> Option<Box<RunningProbe>> {
        let running = self.running.remove(&probe)?;
        self.deadlines.remove(&(running.deadline, probe));
        sources.remove(running.token);
        Some(running)
    }

    fn has_room(&self) -> bool {
        self.running.len() < CONNECTIONS_MAX
    }

    /// Whether a queued probe may be started.
    pub(super) fn has_startable(&self) -> bool {
        self.has_room() && !self.queued.is_empty()
    }

    /// Whether a new probe may be started now, instead of after those that are queued.
    fn may_start(&self, budget: &mut StartBudget) -> bool {
        self.has_room() && self.queued.is_empty() && budget.take()
    }

    /// Takes the oldest queued probe if it may be started in this turn.
    fn dequeue(&mut self, budget: &mut StartBudget) -> Option<(TaskId, Box<(Probe, Duration)>)> {
        (self.has_startable() && budget.take()).then(|| self.queued.pop_first())?
    }

    /// Queues a probe; the error is why it can't be queued.
    fn queue(&mut self, probe: TaskId, target: Probe, timeout: Duration) -> Result<(), ProbeFailure> {
        if self.queued.len() >= QUEUED_MAX {
            return Err(ProbeFailure::of_machine("too many probes are queued"));
        }
        self.queued.insert(probe, Box::new((target, timeout)));
        Ok(())
    }

    /// Cancels a probe; returns whether it existed.
    pub(super) fn cancel(&mut self, probe: TaskId, sources: &mut Sources) -> bool {
        self.queued.remove(&probe).is_some() || self.remove(probe, sources).is_some()
    }

    /// Drops all probes; their results are no longer needed.
    pub(super) fn abandon(&mut self, sources: &mut Sources) {
        self.queued.clear();
        self.deadlines.clear();
        for probe in std::mem::take(&mut self.running).into_values() {
            sources.remove(probe.token);
        }
    }

    /// Starts a probe; returns the result, if it is known at once.
    fn start(
        &mut self,
        (probe, target, timeout): (TaskId, &Probe, Duration),
        now: Mono,
        names: &mut HostNames,
        (poller, sources): (&Poller, &mut Sources),
    ) -> Verdict {
        let connected = match target {
            Probe::Tcp { host, port } | Probe::Http { host, port, .. } => {
                names.addresses(host).and_then(|found| connect_to_first(&found, *port))
            }
            Probe::Unix(path) => connect_without_waiting(path).map(|stream| (stream.into(), Vec::new())),
            Probe::Exec(_) => return refusal("a command is not a connection"),
        };
        let (socket, others) = match connected {
            Ok(connected) => connected,
            Err(error) => return Some(Err(failure(&error))),
        };
        if matches!(target, Probe::Tcp { .. })
            && others.is_empty()
            && let Some(outcome) = early_outcome(&socket)
        {
            return Some(outcome.map_err(|error| failure(&error)));
        }
        let http = match target {
            Probe::Unix(_) => return Some(Ok(())),
            Probe::Tcp { .. } | Probe::Exec(_) => None,
            Probe::Http { host, port, path } => {
                Some(HttpProbe { unsent: get(host, *port, path), reply: ResponseParser::new(BODY_BYTES_MAX) })
            }
        };
        let token = sources.add(Source::Probe(probe));
        if let Err(error) = poller.add(&socket, token, Interest { read: false, write: true }) {
            sources.remove(token);
            return Some(Err(failure(&error)));
        }
        let deadline = now.after(timeout);
        self.deadlines.insert((deadline, probe));
        let running = RunningProbe { socket, token, deadline, timeout, others, is_connected: false, http };
        self.running.insert(probe, Box::new(running));
        None
    }
}

impl RunningProbe {
    /// Advances as far as possible without blocking.
    fn advance(&mut self, buffer: &mut [u8], poller: &Poller) -> Verdict {
        if !self.is_connected {
            match connection_outcome(&self.socket) {
                Ok(()) => self.is_connected = true,
                Err(error) => return self.try_next(error, poller),
            }
        }
        let Some(http) = &mut self.http else { return Some(Ok(())) };
        let interest = match http.advance(&self.socket, buffer) {
            Err(verdict) => return Some(verdict),
            Ok(interest) => interest,
        };
        poller.modify(&self.socket, self.token, interest).err().map(|error| Err(failure(&error)))
    }

    /// Tries the next address until a connection can be begun. The error is that of the previous address.
    fn try_next(&mut self, mut error: io::Error, poller: &Poller) -> Verdict {
        let others = std::mem::take(&mut self.others);
        let mut others = others.into_iter();
        while let Some(address) = others.next() {
            let begun = begin_to_connect(address).and_then(|socket| {
                poller.add(&socket, self.token, Interest { read: false, write: true })?;
                Ok(socket)
            });
            match begun {
                Ok(socket) => {
                    self.socket = socket;
                    self.others = others.collect();
                    return None;
                }
                Err(failure) => error = failure,
            }
        }
        Some(Err(failure(&error)))
    }
}

impl HttpProbe {
    /// What to wait for, or the result.
    fn advance(&mut self, socket: &OwnedFd, buffer: &mut [u8]) -> Result<Interest, Result<(), ProbeFailure>> {
        while !self.unsent.is_empty() {
            match send_without_waiting(socket, &self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Interest { read: false, write: true });
                }
                Err(error) => return Err(Err(failure(&error))),
            }
        }
        match read_ready(socket, buffer) {
            Ok(None) => Ok(Interest { read: true, write: false }),
            Ok(Some(count)) => match self.received(&buffer[..count]) {
                Some(verdict) => Err(verdict),
                None => Ok(Interest { read: true, write: false }),
            },
            Err(error) => Err(Err(failure(&error))),
        }
    }

    /// An empty slice is the end of the connection.
    fn received(&mut self, bytes: &[u8]) -> Verdict {
        let fed = self.reply.feed(bytes);
        // Errors in the body do not matter.
        if let Some(head) = self.reply.head() {
            return match head.status {
                200..400 => Some(Ok(())),
                status => refusal(format!("status {status} {}", head.reason).trim_end()),
            };
        }
        if bytes.is_empty() {
            return refusal("the connection was closed without a reply");
        }
        fed.err().and_then(|error| refusal(error.to_string()))
    }
}

fn get(host: &str, port: u16, path: &str) -> Vec<u8> {
    let host = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    encode_request("GET", path, &host, None, None, b"")
}

fn connect_to_first(addresses: &[IpAddr], port: u16) -> io::Result<(OwnedFd, Vec<SocketAddr>)> {
    let mut addresses = addresses.iter().map(|address| SocketAddr::new(*address, port));
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    while let Some(address) = addresses.next() {
        match begin_to_connect(address) {
            Ok(socket) => return Ok((socket, addresses.collect())),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The program's answer makes its check fail.
fn refusal(text: impl Into<String>) -> Verdict {
    Some(Err(ProbeFailure::of_program(text)))
}

/// An error of a system call. EAGAIN means that the backlog of the program's socket is full, which is a
/// failure of the program.
pub(super) fn failure(error: &io::Error) -> ProbeFailure {
    let is_ours = is_shortage(error) && error.kind() != io::ErrorKind::WouldBlock;
    if is_ours { ProbeFailure::of_machine(reason(error)) } else { ProbeFailure::of_program(reason(error)) }
}

/// `connection refused`, as in the kernel's message but without the number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    if error.raw_os_error().is_none() {
        return text;
    }
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

impl Shell {
    /// Starts a probe, or queues it. Returns the result of one that is over at once.
    pub(super) fn run_probe(&mut self, probe: TaskId, target: Probe, timeout: Duration) -> Option<Input> {
        if !self.runner.probes.may_start(&mut self.runner.budget) {
            let refused = self.runner.probes.queue(probe, target, timeout).err()?;
            return Some(Input::Probed { probe, outcome: Err(refused) });
        }
        self.start_probe(probe, &target, timeout)
    }

    fn start_probe(&mut self, probe: TaskId, target: &Probe, timeout: Duration) -> Option<Input> {
        let watch = (&self.poller, &mut self.sources);
        let verdict =
            self.runner.probes.start((probe, target, timeout), self.now.mono, &mut self.host_names, watch);
        verdict.map(|outcome| Input::Probed { probe, outcome })
    }

    pub(super) fn probe_is_ready(&mut self, probe: TaskId) {
        let Some(running) = self.runner.probes.running.get_mut(&probe) else { return };
        if let Some(outcome) = running.advance(&mut self.buffer, &self.poller) {
            self.probe_is_over(probe, outcome);
        }
    }

    pub(super) fn end_overdue_probes(&mut self) {
        for probe in self.runner.probes.take_overdue(self.now.mono) {
            let timeout = self.runner.probes.running.get(&probe).map_or(Duration::ZERO, |it| it.timeout);
            let text = format!("no answer after {}", seconds_text(timeout));
            self.probe_is_over(probe, Err(ProbeFailure::of_program(text)));
        }
    }

    fn probe_is_over(&mut self, probe: TaskId, outcome: Result<(), ProbeFailure>) {
        self.runner.probes.remove(probe, &mut self.sources);
        self.feed(Input::Probed { probe, outcome });
    }

    /// Starts queued probes, as many as this turn allows.
    pub(super) fn start_queued_probes(&mut self) {
        while let Some((probe, queued)) = self.runner.probes.dequeue(&mut self.runner.budget) {
            let (target, timeout) = *queued;
            if let Some(input) = self.start_probe(probe, &target, timeout) {
                self.feed(input);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result of a probe for a reply in these pieces; an empty one is the end.
    fn verdict(pieces: &[&[u8]]) -> Verdict {
        let mut probe = HttpProbe { unsent: Vec::new(), reply: ResponseParser::new(BODY_BYTES_MAX) };
        pieces.iter().find_map(|piece| probe.received(piece))
    }

    #[test]
    fn a_status_below_400_is_success() {
        assert_eq!(verdict(&[b"HTTP/1.1 204 No Content\r\n\r\n"]), Some(Ok(())));
        assert_eq!(verdict(&[b"HTTP/1.0 302 Found\r\nLoc", b"ation: /\r\n\r\nbody"]), Some(Ok(())));
        assert_eq!(verdict(&[b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]), Some(Ok(())));
        let unavailable = b"HTTP/1.1 503 Service Unavailable\r\n\r\n";
        assert_eq!(verdict(&[unavailable]), refusal("status 503 Service Unavailable"));
    }

    #[test]
    fn an_invalid_reply_fails_with_a_reason() {
        assert_eq!(verdict(&[b"HTTP/1.1 200"]), None);
        let closed = "the connection was closed without a reply";
        assert_eq!(verdict(&[b"HTTP/1.1 200", b""]), refusal(closed));
        assert_eq!(verdict(&[b"SSH-2.0-x\r\n"]), refusal("malformed HTTP response"));
        let endless = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 70 * 1024]].concat();
        assert_eq!(verdict(&[&endless]), refusal("HTTP response too large"));
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut probes = Probes::default();
        let target = || Probe::Unix("/none".into());
        let mut queue = |number| probes.queue(TaskId(number), target(), Duration::ZERO);
        assert!((0..QUEUED_MAX as u64).all(|number| queue(number).is_ok()));
        assert_eq!(queue(u64::MAX), Err(ProbeFailure::of_machine("too many probes are queued")));
    }

    /// Also when each result is known at once, so that there is always room.
    #[test]
    fn a_turn_starts_a_bounded_number_of_queued_probes_the_oldest_first() {
        let mut probes = Probes::default();
        let per_turn = StartBudget::of_turn().left() as u64;
        for number in 0..per_turn + 10 {
            probes.queue(TaskId(number), Probe::Unix("/none".into()), Duration::ZERO).unwrap();
        }
        let mut started = Vec::new();
        for left in [10, 0] {
            let mut budget = StartBudget::of_turn();
            started.extend(std::iter::from_fn(|| probes.dequeue(&mut budget)).map(|(probe, _)| probe.0));
            assert_eq!(probes.queued.len(), left);
            assert_eq!((probes.has_startable(), probes.may_start(&mut budget)), (left > 0, left == 0));
        }
        assert_eq!(started, (0..per_turn + 10).collect::<Vec<_>>());
    }

    #[test]
    fn a_reason_is_the_errors_text_without_its_number() {
        let failure = |errno| failure(&io::Error::from_raw_os_error(errno));
        assert_eq!(failure(nix::libc::ECONNREFUSED), ProbeFailure::of_program("connection refused"));
        assert_eq!(failure(nix::libc::EMFILE), ProbeFailure::of_machine("too many open files"));
        let full = ProbeFailure::of_program("resource temporarily unavailable");
        assert_eq!(failure(nix::libc::EAGAIN), full);
    }
}
