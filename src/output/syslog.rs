//! Syslog: the socket at `/dev/log`, as syslog(3) uses it. Most daemons accept datagrams there; a stream socket is
//! supported, too.
//!
//! The daemon may be slow, restarted or absent. While it is slow, messages are kept up to a bound, and then the
//! children that have more to say are not read. A daemon that accepts nothing for a while counts as gone. While it is
//! gone, no child waits: messages are kept up to the bound, then dropped and counted, and the daemon is looked for at
//! growing intervals.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::tokens::{Tokens, Watched};
use super::warning::Warning;
use crate::logs::syslog_message;
use crate::model::{Mono, Now};
use crate::sys::poller::{Interest, Poller};
use crate::sys::sockets::connect_without_waiting;

/// Where the daemon listens.
pub(super) const SYSLOG_PATH: &str = "/dev/log";

/// Bytes of messages kept for the daemon.
const PENDING_BYTES_MAX: usize = 256 * 1024;

/// A daemon that accepts nothing for this long counts as gone.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// The first and the longest interval at which a daemon that is gone is looked for.
const RETRY_INTERVAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

#[derive(Debug)]
pub(super) struct Syslog {
    ident: String,
    path: PathBuf,
    socket: Option<Socket>,
    /// Set while the socket is watched for room.
    token: Option<u64>,
    pending: VecDeque<Vec<u8>>,
    pending_bytes: usize,
    /// When a daemon that is gone is looked for again, or one that accepts nothing counts as gone, if anything is
    /// pending.
    deadline: Mono,
    pause: Duration,
    lost: u64,
    /// That it is gone was reported.
    is_reported: bool,
    warning: Option<Warning>,
}

/// A connection of the kind that the daemon listens for.
#[derive(Debug)]
enum Socket {
    Datagrams(UnixDatagram),
    /// With the bytes sent of the first message: there may be no room for all of it at once.
    Stream(UnixStream, usize),
}

/// The outcome of sending one message.
enum Sent {
    Yes,
    /// There is no room now.
    Later,
    No(io::Error),
}

impl Syslog {
    /// Nothing is opened before there is something to send. `ident` is the sender that all messages name.
    pub(super) fn new(ident: &str, path: &Path) -> Self {
        Self {
            ident: ident.to_owned(),
            path: path.to_owned(),
            socket: None,
            token: None,
            pending: VecDeque::new(),
            pending_bytes: 0,
            deadline: Mono::default(),
            pause: RETRY_INTERVAL.0,
            lost: 0,
            is_reported: false,
            warning: None,
        }
    }

    /// Sends a message, or keeps it, or drops and counts it. The parts of its text are joined by spaces.
    pub(super) fn send(&mut self, severity: u8, text: &[&[u8]], now: Now) {
        let message = syslog_message(severity, now.wall, &self.ident, text);
        if self.pending.is_empty() && self.may_try(now.mono) {
            match self.try_send(&message) {
                Sent::Yes => return self.sent(),
                Sent::Later => self.deadline = now.mono.after(STALLED_AFTER),
                Sent::No(error) => self.lost_daemon(&error, now.mono),
            }
        }
        self.keep(message);
    }

    fn may_try(&self, now: Mono) -> bool {
        self.socket.is_some() || now >= self.deadline
    }

    fn keep(&mut self, message: Vec<u8>) {
        if self.pending_bytes + message.len() > PENDING_BYTES_MAX {
            self.lost += 1;
        } else {
            self.pending_bytes += message.len();
            self.pending.push_back(message);
        }
    }

    /// A restarted daemon has another socket at the same path, so connecting again is tried once.
    fn try_send(&mut self, message: &[u8]) -> Sent {
        let was_open = self.socket.is_some();
        match self.send_once(message) {
            Sent::No(_) if was_open && self.token.is_none() => {
                self.socket = None;
                self.send_once(message)
            }
            sent => sent,
        }
    }

    fn send_once(&mut self, message: &[u8]) -> Sent {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            None => match Socket::connect(&self.path) {
                Ok(socket) => self.socket.insert(socket),
                Err(error) => return Sent::No(error),
            },
        };
        match socket.send(message) {
            Ok(()) => Sent::Yes,
            Err(error) if error.raw_os_error() == Some(nix::libc::EMSGSIZE) => {
                self.lost += 1;
                Sent::Yes
            }
            Err(error) if error.raw_os_error() == Some(nix::libc::ENOBUFS) => Sent::Later,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::Later,
            Err(error) => Sent::No(error),
        }
    }

    fn lost_daemon(&mut self, error: &io::Error, now: Mono) {
        self.deadline = now.after(self.pause);
        self.pause = (self.pause * 2).min(RETRY_INTERVAL.1);
        // While it is still on the poller, it is closed by `watch`.
        if self.token.is_none() {
            self.socket = None;
        }
        if !std::mem::replace(&mut self.is_reported, true) {
            self.warning =
                Some(Warning { text: format!("cannot write to syslog '{}': {error}", self.path.display()) });
        }
    }

    fn sent(&mut self) {
        self.pause = RETRY_INTERVAL.0;
        let lost = std::mem::take(&mut self.lost);
        if std::mem::take(&mut self.is_reported) || lost > 0 {
            let path = self.path.display();
            let text = format!("syslog '{path}' can be written to again, {lost} messages were lost");
            self.warning = Some(Warning { text });
        }
    }

    /// Sends what waits: there is room, or it is time to look for the daemon again.
    pub(super) fn flush(&mut self, now: Mono) {
        while let Some(message) = self.pending.pop_front() {
            match self.try_send(&message) {
                Sent::Yes => {
                    self.pending_bytes -= message.len();
                    self.deadline = now.after(STALLED_AFTER);
                    self.sent();
                }
                Sent::Later => {
                    self.pending.push_front(message);
                    return self.wait_if_gone(now);
                }
                Sent::No(error) => {
                    self.pending.push_front(message);
                    return self.lost_daemon(&error, now);
                }
            }
        }
        self.pending = VecDeque::new();
    }

    /// A daemon that was gone and still accepts nothing is still gone.
    fn wait_if_gone(&mut self, now: Mono) {
        if self.is_reported {
            self.lost_daemon(&io::ErrorKind::TimedOut.into(), now);
        }
    }

    /// Looks for the daemon when that is due, or declares it gone.
    pub(super) fn wake(&mut self, now: Mono) {
        if self.deadline().is_none_or(|at| now < at) {
            return;
        }
        if self.is_gone() { self.flush(now) } else { self.lost_daemon(&io::ErrorKind::TimedOut.into(), now) }
    }

    /// It is absent, or it does not read.
    fn is_gone(&self) -> bool {
        self.socket.is_none() || self.is_reported
    }

    /// When [`Syslog::wake`] has something to do.
    pub(super) fn deadline(&self) -> Option<Mono> {
        (!self.pending.is_empty()).then_some(self.deadline)
    }

    /// Whether children that write here have to wait. They never wait for a daemon that is gone.
    pub(super) fn is_full(&self) -> bool {
        !self.is_gone() && self.pending_bytes >= PENDING_BYTES_MAX / 2
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty() && !self.is_gone()
    }

    /// What there is to report, once.
    pub(super) fn take_warning(&mut self) -> Option<Warning> {
        self.warning.take()
    }

    /// Watches the socket while something waits for room.
    pub(super) fn watch(&mut self, poller: &Poller, tokens: &mut Tokens) {
        let is_waiting = !self.pending.is_empty() && !self.is_gone();
        match (&self.socket, self.token) {
            (Some(socket), None) if is_waiting => {
                let token = tokens.add(Watched::Syslog);
                let room = Interest { read: false, write: true };
                match poller.add(socket, token, room) {
                    Ok(()) => self.token = Some(token),
                    Err(_) => tokens.remove(token),
                }
            }
            (Some(socket), Some(token)) if !is_waiting => {
                poller.remove(socket.as_fd());
                tokens.remove(token);
                self.token = None;
            }
            _ => {}
        }
        if self.is_gone() && self.token.is_none() {
            self.socket = None;
        }
    }
}

impl Socket {
    fn connect(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        match socket.connect(path) {
            Ok(()) => Ok(Self::Datagrams(socket)),
            Err(error) if error.raw_os_error() == Some(nix::libc::EPROTOTYPE) => {
                Ok(Self::Stream(connect_without_waiting(path)?, 0))
            }
            Err(error) => Err(error),
        }
    }

    /// Sends the rest of the first message.
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Datagrams(socket) => socket.send(message).map(drop),
            Self::Stream(stream, sent) => send_record(stream, message, sent),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Datagrams(socket) => socket.as_fd(),
            Self::Stream(stream, _) => stream.as_fd(),
        }
    }
}

/// On a stream a message ends with a NUL byte, as the C library ends it.
fn send_record(stream: &mut UnixStream, message: &[u8], sent: &mut usize) -> io::Result<()> {
    while *sent <= message.len() {
        match stream.write_vectored(&[IoSlice::new(&message[*sent..]), IoSlice::new(b"\0")]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => *sent += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    *sent = 0;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::sys::scratch::Folder;

    fn at(secs: u64) -> Now {
        Now { mono: Mono(Duration::from_secs(secs)), ..Now::default() }
    }

    fn receive(daemon: &UnixDatagram) -> String {
        let mut buffer = [0; 9000];
        let count = daemon.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    }

    #[test]
    fn messages_are_kept_for_a_daemon_that_starts_later_or_restarts() {
        let folder = Folder::new("syslog-later");
        let path = folder.join("log");
        let mut syslog = Syslog::new("sv", &path);
        syslog.send(6, &[b"web", b"one"], at(10));
        let result = syslog.take_warning().unwrap().text;
        assert!(result.starts_with("cannot write to syslog '"), "{result}");
        syslog.send(6, &[b"web", b"two"], at(10));
        assert_eq!((syslog.take_warning(), syslog.deadline()), (None, Some(at(11).mono)));
        let daemon = UnixDatagram::bind(&path).unwrap();
        syslog.wake(at(11).mono);
        assert!(receive(&daemon).ends_with(" sv: web one"));
        assert!(receive(&daemon).ends_with(" sv: web two"));
        assert!(
            syslog.take_warning().unwrap().text.ends_with("can be written to again, 0 messages were lost")
        );

        drop(daemon);
        fs::remove_file(&path).unwrap();
        let daemon = UnixDatagram::bind(&path).unwrap();
        syslog.send(6, &[b"three"], at(12));
        assert!(receive(&daemon).ends_with(" sv: three"));
        assert_eq!((syslog.take_warning(), syslog.deadline()), (None, None));
    }

    fn read_records(stream: &mut UnixStream, count: usize) -> Vec<String> {
        let mut all = Vec::new();
        let mut buffer = [0; 64 * 1024];
        while all.iter().filter(|byte| **byte == 0).count() < count {
            let length = stream.read(&mut buffer).unwrap();
            assert!(length > 0, "{} bytes came", all.len());
            all.extend_from_slice(&buffer[..length]);
        }
        let records = String::from_utf8(all).unwrap();
        records.split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn a_daemon_with_a_stream_socket_gets_whole_messages_also_after_a_restart() {
        let folder = Folder::new("syslog-stream");
        let path = folder.join("log");
        let daemon = UnixListener::bind(&path).unwrap();
        let mut syslog = Syslog::new("sv", &path);
        syslog.send(6, &[b"web", b"one\0two"], at(1));
        let (mut taken, _) = daemon.accept().unwrap();
        assert!(read_records(&mut taken, 1)[0].ends_with(" sv: web one two"));

        // More than fits: some message is sent in part when the daemon ends.
        let line = [b'x'; 5000];
        let mut count = 0;
        while !syslog.is_full() {
            syslog.send(6, &[&line], at(1));
            count += 1;
        }
        let seen = read_records(&mut taken, 2).len();
        drop((taken, daemon));
        fs::remove_file(&path).unwrap();
        let daemon = UnixListener::bind(&path).unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            daemon.accept().unwrap().0.read_to_string(&mut text).unwrap();
            text
        });
        while syslog.deadline().is_some() {
            syslog.flush(at(2).mono);
        }
        syslog.send(6, &[b"last"], at(3));
        assert_eq!(syslog.take_warning(), None);
        drop(syslog);
        let text = reader.join().unwrap();
        let records: Vec<_> = text.split_terminator('\0').collect();
        assert!(records.last().unwrap().ends_with(" sv: last"), "{records:?}");
        let whole = records.iter().filter(|it| it.ends_with(&"x".repeat(line.len()))).count();
        assert_eq!(whole, records.len() - 1, "none is cut");
        assert!(whole > 10 && seen + whole < count, "{seen} and {whole} of {count}");
    }

    #[test]
    fn children_do_not_wait_for_a_daemon_that_does_not_read() {
        let folder = Folder::new("syslog-stalled");
        let path = folder.join("log");
        let daemon = UnixDatagram::bind(&path).unwrap();
        let mut syslog = Syslog::new("sv", &path);
        let line = [b'x'; 4000];
        while !syslog.is_full() {
            syslog.send(6, &[&line], at(1));
        }
        assert_eq!(syslog.take_warning(), None);
        syslog.wake(at(12).mono);
        assert!(!syslog.is_full() && syslog.take_warning().unwrap().text.contains("timed out"));
        for _ in 0..100 {
            syslog.send(6, &[&line], at(12));
        }
        assert!(syslog.pending_bytes <= PENDING_BYTES_MAX);
        daemon.set_nonblocking(true).unwrap();
        // It is looked for again, at intervals.
        syslog.wake(at(13).mono);
        assert!(syslog.deadline() > Some(at(13).mono) && syslog.is_gone());
        let mut news = Vec::new();
        let mut secs = 1000;
        while syslog.deadline().is_some() && secs < 10_000 {
            while daemon.recv(&mut [0; 9000]).is_ok() {}
            syslog.flush(at(secs).mono);
            news.extend(syslog.take_warning().map(|warning| warning.text));
            secs += 1;
        }
        assert_eq!(news.len(), 1, "{news:?}");
        assert!(
            news[0].contains("can be written to again, ") && !news[0].contains(" 0 messages"),
            "{news:?}"
        );
    }
}
