//! Clients that follow a log: endless answers to `/logtail/NAME/CHANNEL` and `/mainlogtail`.
//!
//! The file is the buffer. A piece of it is read when the one before is sent, so a client that is slow, or
//! rests for an hour, costs one piece of memory and misses nothing, unless the log is rotated twice or
//! emptied meanwhile. A client that has seen all there is costs nothing at all: it is served when
//! one of our own writers has written to the path that it follows ([`Tails::written`]), and nobody looks
//! in between. What others do to the file (`logrotate`) is found out with the next line that we write.
//!
//! An answer ends when its log does: when the group of the process is removed, with a restart, and with
//! the end of the supervisor.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::Shell;
use super::sinks::Sink;
use crate::http::{Request, Response, http_date};
use crate::logs::{TRUNCATED, cut_off_before, follow_from, whole_characters};
use crate::model::{Channel, LogTarget, Namespec, ProcessId};
use crate::sys::files::open_to_read;

/// A client that follows a log.
#[derive(Debug)]
struct Tail {
    /// `None` for our own log.
    process: Option<ProcessId>,
    path: PathBuf,
    file: File,
    /// Up to where it was read.
    position: u64,
    /// Nothing has been read yet.
    is_new: bool,
    /// There will be nothing more than there is.
    is_over: bool,
}

/// What there is for a client that follows a log.
enum Piece {
    /// So many bytes of the buffer.
    Bytes(usize),
    Truncated,
    /// All there will ever be was sent.
    End,
}

impl Tail {
    fn open(process: Option<ProcessId>, path: PathBuf) -> io::Result<Self> {
        let file = open_to_read(&path)?;
        let position = follow_from(file.metadata()?.len());
        Ok(Self { process, path, file, position, is_new: true, is_over: false })
    }

    /// What is next; `None` if there is nothing yet.
    fn next(&mut self, buffer: &mut [u8]) -> io::Result<Option<Piece>> {
        if self.file.metadata()?.len() < self.position {
            self.position = 0;
            return Ok(Some(Piece::Truncated));
        }
        match self.read(buffer)? {
            0 if self.follow_rotation()? => self.next(buffer),
            0 if self.is_over => Ok(Some(Piece::End)),
            0 => Ok(None),
            count => Ok(Some(Piece::Bytes(count))),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut count = self.file.read_at(buffer, self.position)?;
        if count == buffer.len() {
            count = whole_characters(buffer);
        }
        self.position += count as u64;
        if std::mem::take(&mut self.is_new) && self.position > count as u64 {
            let cut_off = cut_off_before(&buffer[..count]);
            buffer.copy_within(cut_off..count, 0);
            count -= cut_off;
        }
        Ok(count)
    }

    /// Goes on with the file that has taken the place of the one that was read to its end. False if it
    /// is still the same, or there is none.
    fn follow_rotation(&mut self) -> io::Result<bool> {
        let here = self.file.metadata()?;
        let is_here =
            |there: &File| there.metadata().is_ok_and(|it| (it.dev(), it.ino()) == (here.dev(), here.ino()));
        match open_to_read(&self.path) {
            Ok(file) if !is_here(&file) => {
                (self.file, self.position) = (file, 0);
                Ok(true)
            }
            Ok(_) | Err(_) => Ok(false),
        }
    }
}

/// All of them: there are no more than connections.
#[derive(Debug, Default)]
pub(super) struct Tails {
    by_client: BTreeMap<u64, Tail>,
    by_path: BTreeMap<PathBuf, BTreeSet<u64>>,
    /// Those for whom there may be something.
    due: BTreeSet<u64>,
}

impl Tails {
    fn add(&mut self, client: u64, tail: Tail) {
        self.by_path.entry(tail.path.clone()).or_default().insert(client);
        self.by_client.insert(client, tail);
    }

    /// Forgets a client; there need not be one.
    pub(super) fn remove(&mut self, client: u64) {
        self.due.remove(&client);
        let Some(tail) = self.by_client.remove(&client) else { return };
        if let Some(clients) = self.by_path.get_mut(&tail.path) {
            clients.remove(&client);
            if clients.is_empty() {
                self.by_path.remove(&tail.path);
            }
        }
    }

    /// One of our writers has written to a log, or has emptied or rotated it.
    pub(super) fn written(&mut self, path: &Path) {
        if let Some(clients) = self.by_path.get(path) {
            self.due.extend(clients);
        }
    }

    /// The same, by the writer.
    pub(super) fn written_to(&mut self, sink: &Sink) {
        if let Sink::File(file) = sink {
            self.written(file.path());
        }
    }

    /// All logs were opened anew.
    pub(super) fn reopened(&mut self) {
        self.due.extend(self.by_client.keys());
    }

    /// Whether somebody is to be served in the next turn.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Puts a client off to the next turn.
    pub(super) fn put_off(&mut self, client: u64) {
        self.due.insert(client);
    }

    /// What is next for a client. A file that can't be read any more is at its end.
    fn next(&mut self, client: u64, buffer: &mut [u8]) -> Option<Piece> {
        let tail = self.by_client.get_mut(&client)?;
        tail.next(buffer).unwrap_or(Some(Piece::End))
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
            let process = self.core.find_process(&name)?;
            let [stdout, stderr] = self.core.log_targets(process)?;
            let target = if channel == Channel::Stdout { stdout } else { stderr };
            let LogTarget::File(path) = target else { return None };
            Tail::open(Some(process), path).ok()
        });
        // Supervisor tells nginx this of the logs of processes only.
        let unbuffered = |response: Response| response.header("X-Accel-Buffering", "no");
        self.begin_tail(token, request, opened, unbuffered);
    }

    /// Begins to answer a client that asks for our own log.
    pub(super) fn follow_own_log(&mut self, token: u64, request: &Request) {
        self.flush_activity();
        let opened = self.settings.daemon.log_file.clone().and_then(|path| Tail::open(None, path).ok());
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
            return self.respond(token, &Response::error(400));
        }
        let Some(tail) = opened else { return self.respond(token, &Response::error(404)) };
        let written = tail.file.metadata().map_or(0, |metadata| metadata.mtime());
        let head = Response::new(200)
            .header("Content-Type", "text/plain;charset=utf-8")
            .header("Last-Modified", &http_date(written));
        self.tails.add(token, tail);
        self.begin_stream(token, &dress(head));
    }

    /// Gives a client what comes next of the log that it follows. False if there is nothing now.
    pub(super) fn add_piece(&mut self, token: u64) -> bool {
        match self.tails.next(token, &mut self.buffer) {
            None => return false,
            Some(Piece::Bytes(count)) => self.clients.stream(token, &self.buffer[..count]),
            Some(Piece::Truncated) => self.clients.stream(token, TRUNCATED),
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
        for token in std::mem::take(&mut self.tails.due) {
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
