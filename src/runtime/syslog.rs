//! The machine's syslog: a datagram socket at `/dev/log`, as syslog(3) uses it.
//!
//! The daemon may be slow, be restarted or never have been there. While it is slow, messages wait, up to
//! a bound, and so do the children who have more to say. One that takes nothing for a while counts as
//! gone. While it is gone nobody waits: messages are kept up to the bound, then dropped and counted, and
//! it is looked for less and less often.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::sinks::Trouble;
use super::{Source, Sources};
use crate::logs::syslog_message;
use crate::model::{Mono, Now};
use crate::sys::poller::{Interest, Poller};

/// Where the daemon listens.
pub(super) const SYSLOG_PATH: &str = "/dev/log";

/// Bytes of messages kept for the daemon.
const PENDING_BYTES_MAX: usize = 256 * 1024;

/// A daemon that takes nothing for so long is gone.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// How soon it is looked for again, and how much later at most.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

#[derive(Debug)]
pub(super) struct Syslog {
    ident: String,
    path: PathBuf,
    socket: Option<UnixDatagram>,
    /// Set while the socket is watched for room.
    token: Option<u64>,
    pending: VecDeque<Vec<u8>>,
    pending_bytes: usize,
    /// When it is looked for again, or given up, if anything is pending.
    deadline: Mono,
    pause: Duration,
    lost: u64,
    /// That it is gone was told.
    is_told: bool,
    news: Option<Trouble>,
}

/// What came of sending one message.
enum Sent {
    Yes,
    /// There is no room now.
    Later,
    No(io::Error),
}

impl Syslog {
    /// Nothing is opened before there is something to send. `ident` is who all messages are from.
    pub(super) fn new(ident: &str, path: &Path) -> Self {
        Self {
            ident: ident.to_owned(),
            path: path.to_owned(),
            socket: None,
            token: None,
            pending: VecDeque::new(),
            pending_bytes: 0,
            deadline: Mono::default(),
            pause: LOOK_AGAIN.0,
            lost: 0,
            is_told: false,
            news: None,
        }
    }

    /// Sends a message, or keeps it, or drops it and counts. The parts of its text are parted by spaces.
    pub(super) fn send(&mut self, severity: u8, text: &[&[u8]], now: Now) {
        let message = syslog_message(severity, now.wall, &self.ident, text);
        if self.pending.is_empty() && self.may_try(now.mono) {
            match self.try_send(&message) {
                Sent::Yes => return self.found(),
                Sent::Later => self.deadline = now.mono.after(STALLED_AFTER),
                Sent::No(error) => self.gone(&error, now.mono),
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

    /// A daemon that was started anew has another socket at the same path, so that is tried once.
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
        let socket = match &self.socket {
            Some(socket) => socket,
            None => match connect(&self.path) {
                Ok(socket) => self.socket.insert(socket),
                Err(error) => return Sent::No(error),
            },
        };
        match socket.send(message) {
            Ok(_) => Sent::Yes,
            Err(error) if error.raw_os_error() == Some(nix::libc::EMSGSIZE) => {
                self.lost += 1;
                Sent::Yes
            }
            Err(error) if error.raw_os_error() == Some(nix::libc::ENOBUFS) => Sent::Later,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::Later,
            Err(error) => Sent::No(error),
        }
    }

    fn gone(&mut self, error: &io::Error, now: Mono) {
        self.deadline = now.after(self.pause);
        self.pause = (self.pause * 2).min(LOOK_AGAIN.1);
        // Still on the poller, it is let go of by `watch`.
        if self.token.is_none() {
            self.socket = None;
        }
        if !std::mem::replace(&mut self.is_told, true) {
            self.news =
                Some(Trouble { text: format!("cannot write to syslog '{}': {error}", self.path.display()) });
        }
    }

    fn found(&mut self) {
        self.pause = LOOK_AGAIN.0;
        let lost = std::mem::take(&mut self.lost);
        if std::mem::take(&mut self.is_told) || lost > 0 {
            let path = self.path.display();
            let text = format!("syslog '{path}' can be written to again, {lost} messages were lost");
            self.news = Some(Trouble { text });
        }
    }

    /// There is room, or it is time to look for the daemon again.
    pub(super) fn flush(&mut self, now: Mono) {
        while let Some(message) = self.pending.pop_front() {
            match self.try_send(&message) {
                Sent::Yes => {
                    self.pending_bytes -= message.len();
                    self.deadline = now.after(STALLED_AFTER);
                    self.found();
                }
                Sent::Later => {
                    self.pending.push_front(message);
                    return self.wait_if_gone(now);
                }
                Sent::No(error) => {
                    self.pending.push_front(message);
                    return self.gone(&error, now);
                }
            }
        }
        self.pending = VecDeque::new();
    }

    /// One that is there and still takes nothing is no more there than before.
    fn wait_if_gone(&mut self, now: Mono) {
        if self.is_told {
            self.gone(&io::ErrorKind::TimedOut.into(), now);
        }
    }

    /// Looks for the daemon when that is due, or gives it up.
    pub(super) fn wake(&mut self, now: Mono) {
        if self.deadline().is_none_or(|at| now < at) {
            return;
        }
        if self.is_gone() { self.flush(now) } else { self.gone(&io::ErrorKind::TimedOut.into(), now) }
    }

    /// It is not there, or it does not read.
    fn is_gone(&self) -> bool {
        self.socket.is_none() || self.is_told
    }

    /// When [`Syslog::wake`] has something to do.
    pub(super) fn deadline(&self) -> Option<Mono> {
        (!self.pending.is_empty()).then_some(self.deadline)
    }

    /// Whether children that write here are to wait: for one who is there.
    pub(super) fn is_full(&self) -> bool {
        !self.is_gone() && self.pending_bytes >= PENDING_BYTES_MAX / 2
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty() && !self.is_gone()
    }

    /// What there is to tell of it, once.
    pub(super) fn take_news(&mut self) -> Option<Trouble> {
        self.news.take()
    }

    /// Watches the socket while something waits for room.
    pub(super) fn watch(&mut self, poller: &Poller, sources: &mut Sources) {
        let waits = !self.pending.is_empty() && !self.is_gone();
        match (&self.socket, self.token) {
            (Some(socket), None) if waits => {
                let token = sources.add(Source::Syslog);
                let room = Interest { read: false, write: true };
                match poller.add(socket, token, room) {
                    Ok(()) => self.token = Some(token),
                    Err(_) => sources.remove(token),
                }
            }
            (Some(socket), Some(token)) if !waits => {
                poller.remove(socket.as_fd());
                sources.remove(token);
                self.token = None;
            }
            _ => {}
        }
        if self.is_gone() && self.token.is_none() {
            self.socket = None;
        }
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::fs;

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
    fn messages_wait_for_a_daemon_that_comes_later_or_anew() {
        let folder = Folder::new("syslog-later");
        let path = folder.join("log");
        let mut syslog = Syslog::new("sv", &path);
        syslog.send(6, &[b"web", b"one"], at(10));
        let told = syslog.take_news().unwrap().text;
        assert!(told.starts_with("cannot write to syslog '"), "{told}");
        syslog.send(6, &[b"web", b"two"], at(10));
        assert_eq!((syslog.take_news(), syslog.deadline()), (None, Some(at(11).mono)));
        let daemon = UnixDatagram::bind(&path).unwrap();
        syslog.wake(at(11).mono);
        assert!(receive(&daemon).ends_with(" sv: web one"));
        assert!(receive(&daemon).ends_with(" sv: web two"));
        assert!(syslog.take_news().unwrap().text.ends_with("can be written to again, 0 messages were lost"));

        drop(daemon);
        fs::remove_file(&path).unwrap();
        let daemon = UnixDatagram::bind(&path).unwrap();
        syslog.send(6, &[b"three"], at(12));
        assert!(receive(&daemon).ends_with(" sv: three"));
        assert_eq!((syslog.take_news(), syslog.deadline()), (None, None));
    }

    #[test]
    fn one_that_does_not_read_holds_up_nobody_for_ever() {
        let folder = Folder::new("syslog-stalled");
        let path = folder.join("log");
        let daemon = UnixDatagram::bind(&path).unwrap();
        let mut syslog = Syslog::new("sv", &path);
        let line = [b'x'; 4000];
        while !syslog.is_full() {
            syslog.send(6, &[&line], at(1));
        }
        assert_eq!(syslog.take_news(), None);
        syslog.wake(at(12).mono);
        assert!(!syslog.is_full() && syslog.take_news().unwrap().text.contains("timed out"));
        for _ in 0..100 {
            syslog.send(6, &[&line], at(12));
        }
        assert!(syslog.pending_bytes <= PENDING_BYTES_MAX);
        daemon.set_nonblocking(true).unwrap();
        // It is looked for again, but not all the time.
        syslog.wake(at(13).mono);
        assert!(syslog.deadline() > Some(at(13).mono) && syslog.is_gone());
        let mut news = Vec::new();
        let mut secs = 1000;
        while syslog.deadline().is_some() && secs < 10_000 {
            while daemon.recv(&mut [0; 9000]).is_ok() {}
            syslog.flush(at(secs).mono);
            news.extend(syslog.take_news().map(|trouble| trouble.text));
            secs += 1;
        }
        assert_eq!(news.len(), 1, "{news:?}");
        assert!(
            news[0].contains("can be written to again, ") && !news[0].contains(" 0 messages"),
            "{news:?}"
        );
    }
}
