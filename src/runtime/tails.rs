//! Clients that follow a log: endless answers to `/logtail/NAME/CHANNEL` and `/mainlogtail`.
//!
//! The file is the buffer. A piece of it is read when the one before is sent, so a client that is slow, or
//! rests for an hour, costs one piece of memory and misses nothing, unless the log is rotated twice or
//! emptied meanwhile. A client that has seen all there is costs nothing at all: it is served when
//! one of our own writers has written to the path that it follows ([`Tails::written`]), and nobody looks
//! in between. What others do to the file (`logrotate`) is found out with the next line that we write.
//!
//! Of a stream that goes into no file its ring is the buffer. It forgets: a client that was too slow for it
//! is told how much it has missed.
//!
//! An answer ends when its log does: when the group of the process is removed, with a restart, and with
//! the end of the supervisor.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::children::StreamId;
use super::clients::WORK_PER_TURN;
use super::outlets::Rings;
use super::outputs::Outputs;
use super::sinks::{Sink, place_behind_links};
use super::{OWN_LOG, Shell};
use crate::http::{Request, Response, http_date};
use crate::logs::{Place, TRUNCATED, Window, cut_off_before, follow_from, missed, whole_characters};
use crate::model::{Channel, Namespec, ProcessId};
use crate::sys::files::open_to_read;

/// A client that follows a log.
#[derive(Debug)]
struct Tail {
    /// `None` for our own log.
    process: Option<ProcessId>,
    log: Log,
    /// Up to where it was read.
    position: u64,
    /// What is read next may begin in the middle of a character.
    is_cut: bool,
    /// There will be nothing more than there is.
    is_over: bool,
}

/// What is followed.
#[derive(Debug)]
enum Log {
    File { path: PathBuf, file: File },
    Ring(StreamId),
}

/// What there is for a client that follows a log.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// So many bytes of the buffer.
    Bytes(usize),
    Truncated,
    /// So many bytes were forgotten before they could be read.
    Missed(u64),
    /// All there will ever be was sent.
    End,
}

impl Tail {
    fn open(process: Option<ProcessId>, path: PathBuf) -> io::Result<Self> {
        let file = open_to_read(&path)?;
        let size = file.metadata()?.len();
        Ok(Self::new(process, Log::File { path, file }, (0, size)))
    }

    /// Begins near the end of a log that goes from its start to its size.
    fn new(process: Option<ProcessId>, log: Log, (start, size): (u64, u64)) -> Self {
        let position = follow_from(size).max(start);
        Self { process, log, position, is_cut: position > 0, is_over: false }
    }

    /// What is next; `None` if there is nothing yet.
    fn next(&mut self, buffer: &mut [u8], rings: &Rings) -> io::Result<Option<Piece>> {
        let (start, size) = self.log.extent(rings)?;
        if size < self.position {
            self.position = 0;
            return Ok(Some(Piece::Truncated));
        }
        if self.position < start {
            return Ok(Some(self.skip_to(start)));
        }
        match self.read(buffer, rings)? {
            0 if self.follow_rotation()? => self.next(buffer, rings),
            0 if self.is_over => Ok(Some(Piece::End)),
            0 => Ok(None),
            count => Ok(Some(Piece::Bytes(count))),
        }
    }

    fn skip_to(&mut self, start: u64) -> Piece {
        let bytes = start - self.position;
        (self.position, self.is_cut) = (start, true);
        Piece::Missed(bytes)
    }

    fn read(&mut self, buffer: &mut [u8], rings: &Rings) -> io::Result<usize> {
        let mut count = self.log.read(buffer, self.position, rings)?;
        if count == buffer.len() {
            count = whole_characters(buffer);
        }
        self.position += count as u64;
        if std::mem::take(&mut self.is_cut) {
            let cut_off = cut_off_before(&buffer[..count]);
            buffer.copy_within(cut_off..count, 0);
            count -= cut_off;
        }
        Ok(count)
    }

    /// Goes on with the file that has taken the place of the one that was read to its end. False if it
    /// is still the same, or there is none.
    fn follow_rotation(&mut self) -> io::Result<bool> {
        let Log::File { path, file: here } = &mut self.log else { return Ok(false) };
        let metadata = here.metadata()?;
        let is_here = |there: &File| {
            there.metadata().is_ok_and(|it| (it.dev(), it.ino()) == (metadata.dev(), metadata.ino()))
        };
        match open_to_read(path) {
            Ok(file) if !is_here(&file) => {
                (*here, self.position) = (file, 0);
                Ok(true)
            }
            Ok(_) | Err(_) => Ok(false),
        }
    }
}

impl Log {
    /// Where it begins, and how far it goes. A stream that is not remembered any more has an error.
    fn extent(&self, rings: &Rings) -> io::Result<(u64, u64)> {
        match self {
            Self::File { file, .. } => Ok((0, file.metadata()?.len())),
            Self::Ring(id) => {
                let ring = rings.get(*id).ok_or(io::ErrorKind::NotFound)?;
                Ok((ring.start(), ring.size()))
            }
        }
    }

    fn read(&self, buffer: &mut [u8], position: u64, rings: &Rings) -> io::Result<usize> {
        match self {
            Self::File { file, .. } => file.read_at(buffer, position),
            Self::Ring(id) => {
                let ring = rings.get(*id).ok_or(io::ErrorKind::NotFound)?;
                let bytes = ring.read(Window { start: position, bytes: buffer.len() as u64 });
                buffer[..bytes.len()].copy_from_slice(&bytes);
                Ok(bytes.len())
            }
        }
    }
}

/// All of them: there are no more than connections.
#[derive(Debug, Default)]
pub(super) struct Tails {
    by_client: BTreeMap<u64, Tail>,
    by_path: BTreeMap<PathBuf, BTreeSet<u64>>,
    by_stream: BTreeMap<StreamId, BTreeSet<u64>>,
    /// Those for whom there may be something.
    due: BTreeSet<u64>,
    /// The next turn begins after this one.
    last_served: u64,
}

impl Tails {
    fn add(&mut self, client: u64, tail: Tail) {
        match &tail.log {
            Log::File { path, .. } => self.by_path.entry(path.clone()).or_default().insert(client),
            Log::Ring(id) => self.by_stream.entry(*id).or_default().insert(client),
        };
        self.by_client.insert(client, tail);
    }

    /// Forgets a client; there need not be one.
    pub(super) fn remove(&mut self, client: u64) {
        self.due.remove(&client);
        let Some(tail) = self.by_client.remove(&client) else { return };
        match tail.log {
            Log::File { path, .. } => remove_from(&mut self.by_path, &path, client),
            Log::Ring(id) => remove_from(&mut self.by_stream, &id, client),
        }
    }

    /// One of our writers has written to a log, or has emptied or rotated it.
    pub(super) fn written(&mut self, path: &Path) {
        if let Some(clients) = self.by_path.get(path) {
            self.due.extend(clients);
        }
    }

    /// The same, by the writer.
    pub(super) fn written_to(&mut self, sink: &Sink, outputs: &Outputs) {
        if !self.by_path.is_empty()
            && let Some(file) = sink.file(outputs)
        {
            self.written(file.path());
        }
    }

    /// What is remembered of a stream is more now, or less.
    pub(super) fn remembered(&mut self, id: StreamId) {
        if let Some(clients) = self.by_stream.get(&id) {
            self.due.extend(clients);
        }
    }

    /// Whether a client follows what is remembered of a stream.
    pub(super) fn follows(&self, id: StreamId) -> bool {
        self.by_stream.contains_key(&id)
    }

    /// What was remembered of a process was forgotten.
    pub(super) fn forgotten(&mut self, process: ProcessId) {
        StreamId::both(process).into_iter().for_each(|id| self.remembered(id));
    }

    /// All logs were opened anew.
    pub(super) fn reopened(&mut self) {
        self.due.extend(self.by_client.keys());
    }

    /// Whether somebody is to be served in the next turn.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// All of them, from the one after that which was served last.
    fn take_due(&mut self) -> Vec<u64> {
        let mut due: Vec<u64> = std::mem::take(&mut self.due).into_iter().collect();
        let next = due.partition_point(|token| *token <= self.last_served);
        due.rotate_left(next);
        due
    }

    /// Puts a client off to the next turn.
    pub(super) fn put_off(&mut self, client: u64) {
        self.due.insert(client);
    }

    /// What is next for a client. What can't be read any more is at its end.
    fn next(&mut self, client: u64, buffer: &mut [u8], rings: &Rings) -> Option<Piece> {
        let tail = self.by_client.get_mut(&client)?;
        tail.next(buffer, rings).unwrap_or(Some(Piece::End))
    }

    /// Ends all of them.
    pub(super) fn end(&mut self) {
        self.end_where(|_| true);
    }

    /// Those whose log will not be written to any more end with what is in it.
    fn end_where(&mut self, is_over: impl Fn(Option<ProcessId>) -> bool) {
        for (&client, tail) in &mut self.by_client {
            if !tail.is_over && is_over(tail.process) {
                tail.is_over = true;
                self.due.insert(client);
            }
        }
    }
}

fn remove_from<K: Ord>(followers: &mut BTreeMap<K, BTreeSet<u64>>, log: &K, client: u64) {
    if let Some(clients) = followers.get_mut(log) {
        clients.remove(&client);
        if clients.is_empty() {
            followers.remove(log);
        }
    }
}

/// The process and the stream that the path of a request names: `/logtail/NAME`, `/logtail/NAME/stderr`.
/// As with Supervisor its first segment may go on behind the word.
fn named(path: &str) -> Option<(Namespec, Channel)> {
    let (_, named) = path.strip_prefix('/')?.split_once('/')?;
    let (name, channel) = named.split_once('/').unwrap_or((named, "stdout"));
    let channel = [Channel::Stdout, Channel::Stderr].into_iter().find(|it| it.name() == channel)?;
    Some((Namespec::split(name), channel))
}

impl Shell {
    /// Begins to answer a client that asks for the log of a process.
    pub(super) fn follow_process(&mut self, token: u64, request: &Request) {
        let opened = named(&request.path).and_then(|(name, channel)| {
            self.tail_of(StreamId { process: self.core.find_process(&name)?, channel })
        });
        // Supervisor tells nginx this of the logs of processes only.
        let unbuffered = |response: Response| response.header("X-Accel-Buffering", "no");
        self.begin_tail(token, request, opened, unbuffered);
    }

    /// What is remembered of the stream, or else its file; `None` if there is neither.
    ///
    /// COMPAT: Supervisor can't follow what goes into no regular file.
    fn tail_of(&self, id: StreamId) -> Option<Tail> {
        if let Some(ring) = self.rings.get(id) {
            return Some(Tail::new(Some(id.process), Log::Ring(id), (ring.start(), ring.size())));
        }
        let path = self.log_path(id.process, id.channel)?;
        match place_behind_links(&path) {
            Place::Path => Tail::open(Some(id.process), path).ok(),
            // It has no path that would be told of what is written.
            Place::Descriptor(_) => None,
        }
    }

    /// Begins to answer a client that asks for our own log.
    pub(super) fn follow_own_log(&mut self, token: u64, request: &Request) {
        self.flush_activity();
        let opened = match self.rings.get(OWN_LOG) {
            Some(ring) => Some(Tail::new(None, Log::Ring(OWN_LOG), (ring.start(), ring.size()))),
            None => self.settings.daemon.log_file.clone().and_then(|path| Tail::open(None, path).ok()),
        };
        self.begin_tail(token, request, opened, |response| response);
    }

    fn begin_tail(
        &mut self,
        token: u64,
        request: &Request,
        opened: Option<Tail>,
        dress: impl Fn(Response) -> Response,
    ) {
        if request.method != "GET" {
            return self.respond(token, Response::error(400));
        }
        let Some(tail) = opened else { return self.respond(token, Response::error(404)) };
        let written = match &tail.log {
            Log::File { file, .. } => file.metadata().map_or(0, |metadata| metadata.mtime()),
            Log::Ring(_) => self.now.wall.unix_secs(),
        };
        let head = Response::new(200)
            .header("Content-Type", "text/plain;charset=utf-8")
            .header("Last-Modified", &http_date(written));
        self.tails.add(token, tail);
        self.begin_stream(token, &dress(head));
    }

    /// Gives a client what comes next of the log that it follows. False if there is nothing now.
    pub(super) fn add_piece(&mut self, token: u64) -> bool {
        match self.tails.next(token, &mut self.buffer, &self.rings) {
            None => return false,
            Some(Piece::Bytes(count)) => self.clients.stream(token, &self.buffer[..count]),
            Some(Piece::Truncated) => self.clients.stream(token, TRUNCATED),
            Some(Piece::Missed(bytes)) => self.clients.stream(token, missed(bytes).as_bytes()),
            Some(Piece::End) => {
                self.clients.end_stream(token);
                self.tails.remove(token);
            }
        }
        true
    }

    /// Serves those for whom something was written in this turn.
    pub(super) fn serve_tails(&mut self) {
        if self.tails.by_client.is_empty() {
            return;
        }
        self.tails.end_where(|process| process.is_some_and(|process| self.core.spec(process).is_none()));
        let until = self.clock.now().mono.after(WORK_PER_TURN);
        for token in self.tails.take_due() {
            // The others go on where this turn ends.
            if self.is_over(until) {
                self.tails.put_off(token);
                continue;
            }
            self.tails.last_served = token;
            self.serve(token);
        }
    }

    /// Nothing will be written any more: sends what there still is to those who take it at once.
    pub(super) fn end_tails(&mut self) {
        self.tails.end();
        while self.tails.is_due() {
            self.serve_tails();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_a_process_and_a_stream() {
        for (path, expected) in [
            ("/logtail/web", Some(("web", Channel::Stdout))),
            ("/logtail/web/stdout", Some(("web", Channel::Stdout))),
            ("/logtail/g:web/stderr", Some(("g:web", Channel::Stderr))),
            ("/logtailfoo/web", Some(("web", Channel::Stdout))),
            ("/logtail/", Some(("", Channel::Stdout))),
            ("/logtail", None),
            ("/logtail/web/", None),
            ("/logtail/web/foo", None),
            ("/logtail/web/stdout/", None),
        ] {
            let expected = expected.map(|(name, channel)| (Namespec::split(name), channel));
            assert_eq!(named(path), expected, "{path}");
        }
    }
}
