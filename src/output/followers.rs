//! Clients that follow a log.
//!
//! The file is the buffer. A piece is read when the one before was sent, so a client that is slow, or pauses for an
//! hour, costs the memory of one piece and misses nothing, unless the log is rotated twice or truncated meanwhile. A
//! client that has read everything costs nothing: it becomes due when one of our own writers has written to the path
//! that it follows ([`Followers::written`]), and the file is not looked at in between. What others do to the file
//! (`logrotate`) is noticed with the next line that we write.
//!
//! Of a stream that does not go to a file, the ring is the buffer. A client that is too slow for it gets the number of
//! bytes that it has missed.
//!
//! A client may wait for a log that does not exist before the first run of its program. It gets all of it.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::ids::{OWN_LOG, StreamId};
use super::logfile::LogFile;
use super::records::Records;
use crate::logs::{FollowFrom, Window, complete_characters, cut_off_before, whole_characters};
use crate::model::{Channel, ProcessId};
use crate::sys::files::open_to_read;

/// A client that follows a log.
#[derive(Debug)]
pub struct Follower {
    id: StreamId,
    log: Followed,
    /// How far it was read.
    position: u64,
    /// What is read next may begin in the middle of a character.
    is_cut: bool,
    /// The log has ended: nothing more is written to it.
    is_over: bool,
    /// An incomplete character at the end waits for its rest.
    is_text: bool,
}

/// What is followed.
#[derive(Debug)]
enum Followed {
    File {
        path: PathBuf,
        file: File,
    },
    /// The ring of the stream.
    Ring,
    /// Whichever exists first: the ring, or a file at this path, if there is one.
    Awaited(Option<PathBuf>),
}

/// What comes next for a client, of one of its logs.
#[derive(Debug, PartialEq, Eq)]
pub struct FollowedPart {
    /// The channel of that log; of our own it means nothing.
    pub channel: Channel,
    /// What comes next.
    pub piece: FollowedPiece,
    /// Where the log continues after it.
    pub offset: u64,
}

/// What comes next for a client that follows a log.
#[derive(Debug, PartialEq, Eq)]
pub enum FollowedPiece {
    /// This many bytes of the buffer.
    Bytes(usize),
    /// The file is shorter than what was read of it.
    Truncated,
    /// This many bytes left the ring before they could be read.
    Missed(u64),
    /// Everything was sent, and nothing more is written.
    End,
}

impl Follower {
    /// A follower of the file of a stream.
    ///
    /// # Errors
    /// The error of opening it.
    pub(super) fn open(id: StreamId, path: PathBuf, from: FollowFrom) -> io::Result<Self> {
        let file = open_to_read(&path)?;
        let size = file.metadata()?.len();
        Ok(Self::new(id, Followed::File { path, file }, from.position(size)))
    }

    /// A follower of a ring.
    pub(super) fn of_ring(id: StreamId, records: &Records, from: FollowFrom) -> Option<Self> {
        let ring = records.ring(id)?;
        let (mut position, is_cut) = from.position(ring.size());
        if matches!(from, FollowFrom::Last(_)) {
            position = position.max(ring.start());
        }
        Some(Self::new(id, Followed::Ring, (position, is_cut)))
    }

    /// A follower of a stream whose log does not exist yet.
    pub(super) fn awaiting(id: StreamId, path: Option<PathBuf>) -> Self {
        Self::new(id, Followed::Awaited(path), (0, false))
    }

    /// When the file was last written to, in seconds since the epoch; `None` if there is none.
    #[must_use]
    pub fn modified_secs(&self) -> Option<i64> {
        match &self.log {
            Followed::File { file, .. } => Some(file.metadata().map_or(0, |metadata| metadata.mtime())),
            Followed::Ring | Followed::Awaited(_) => None,
        }
    }

    fn new(id: StreamId, log: Followed, (position, is_cut): (u64, bool)) -> Self {
        Self { id, log, position, is_cut, is_over: false, is_text: false }
    }

    /// The same for a client that reads text: no piece ends in the middle of a character.
    #[must_use]
    pub fn for_text(self) -> Self {
        Self { is_text: true, ..self }
    }

    /// What comes next; `None` if there is nothing yet.
    fn next(&mut self, buffer: &mut [u8], records: &Records) -> io::Result<Option<FollowedPiece>> {
        let (start, size) = self.log.extent(self.id, records)?;
        if size < self.position {
            self.position = 0;
            return Ok(Some(FollowedPiece::Truncated));
        }
        if self.position < start {
            return Ok(Some(self.skip_to(start)));
        }
        match self.read(buffer, records)? {
            0 if self.follow_rotation()? => self.next(buffer, records),
            0 if self.is_over => Ok(Some(FollowedPiece::End)),
            0 => Ok(None),
            count => Ok(Some(FollowedPiece::Bytes(count))),
        }
    }

    fn skip_to(&mut self, start: u64) -> FollowedPiece {
        let bytes = start - self.position;
        (self.position, self.is_cut) = (start, true);
        FollowedPiece::Missed(bytes)
    }

    fn read(&mut self, buffer: &mut [u8], records: &Records) -> io::Result<usize> {
        let mut count = self.log.read(buffer, self.position, (self.id, records))?;
        if self.is_text && !self.is_over {
            count = complete_characters(&buffer[..count]);
        } else if count == buffer.len() {
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

    /// Continues with the file that has replaced the one that was read to its end. False if it is still the same, or
    /// there is none.
    fn follow_rotation(&mut self) -> io::Result<bool> {
        let Followed::File { path, file: here } = &mut self.log else { return Ok(false) };
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

impl Followed {
    fn path(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } => Some(path),
            Self::Awaited(path) => path.as_deref(),
            Self::Ring => None,
        }
    }

    fn may_be_ring(&self) -> bool {
        matches!(self, Self::Ring | Self::Awaited(_))
    }

    /// Where it begins and ends. A ring that was removed is an error.
    fn extent(&self, id: StreamId, records: &Records) -> io::Result<(u64, u64)> {
        match self {
            Self::File { file, .. } => Ok((0, file.metadata()?.len())),
            Self::Ring => {
                let ring = records.ring(id).ok_or(io::ErrorKind::NotFound)?;
                Ok((ring.start(), ring.size()))
            }
            Self::Awaited(_) => Ok((0, 0)),
        }
    }

    fn read(
        &self,
        buffer: &mut [u8],
        position: u64,
        (id, records): (StreamId, &Records),
    ) -> io::Result<usize> {
        match self {
            Self::File { file, .. } => file.read_at(buffer, position),
            Self::Ring => {
                let ring = records.ring(id).ok_or(io::ErrorKind::NotFound)?;
                let bytes = ring.read(Window { start: position, bytes: buffer.len() as u64 });
                buffer[..bytes.len()].copy_from_slice(&bytes);
                Ok(bytes.len())
            }
            Self::Awaited(_) => Ok(0),
        }
    }
}

/// All clients that follow logs, by the tokens of their connections.
#[derive(Debug, Default)]
pub(super) struct Followers {
    by_client: BTreeMap<u64, Vec<Follower>>,
    by_path: BTreeMap<PathBuf, BTreeSet<u64>>,
    by_stream: BTreeMap<StreamId, BTreeSet<u64>>,
    /// Those for which there may be something.
    due: BTreeSet<u64>,
}

impl Followers {
    /// A client follows another log.
    pub(super) fn add(&mut self, client: u64, tail: Follower) {
        if let Some(path) = tail.log.path() {
            self.by_path.entry(path.to_owned()).or_default().insert(client);
        }
        if tail.log.may_be_ring() {
            self.by_stream.entry(tail.id).or_default().insert(client);
        }
        self.by_client.entry(client).or_default().push(tail);
    }

    /// Removes a client; it need not follow anything.
    pub(super) fn remove(&mut self, client: u64) {
        self.due.remove(&client);
        for tail in self.by_client.remove(&client).unwrap_or_default() {
            if let Some(path) = tail.log.path() {
                remove_from(&mut self.by_path, path, client);
            }
            if tail.log.may_be_ring() {
                remove_from(&mut self.by_stream, &tail.id, client);
            }
        }
    }

    /// Follows the awaited logs that exist now.
    fn find_awaited(&mut self, client: u64, records: &Records) {
        for tail in self.by_client.get_mut(&client).into_iter().flatten() {
            let Followed::Awaited(path) = &mut tail.log else { continue };
            let path = path.take();
            let file = path.as_ref().and_then(|path| open_to_read(path).ok());
            tail.log = match (path, file) {
                (path, _) if records.ring(tail.id).is_some() => {
                    path.iter().for_each(|path| remove_from(&mut self.by_path, path, client));
                    Followed::Ring
                }
                (Some(path), Some(file)) => {
                    remove_from(&mut self.by_stream, &tail.id, client);
                    Followed::File { path, file }
                }
                (path, _) => Followed::Awaited(path),
            };
        }
    }

    /// One of our writers has written to a log, or has truncated or rotated it.
    pub(super) fn written(&mut self, path: &Path) {
        if let Some(clients) = self.by_path.get(path) {
            self.due.extend(clients);
        }
    }

    /// The same, if the writer writes to a log file.
    pub(super) fn written_to(&mut self, file: Option<&LogFile>) {
        if !self.by_path.is_empty()
            && let Some(file) = file
        {
            self.written(file.path());
        }
    }

    /// The ring of a stream was added, written to, emptied or removed.
    pub(super) fn ring_changed(&mut self, id: StreamId) {
        if let Some(clients) = self.by_stream.get(&id) {
            self.due.extend(clients);
        }
    }

    /// Whether a client follows the ring of a stream.
    pub(super) fn follows(&self, id: StreamId) -> bool {
        self.by_stream.contains_key(&id)
    }

    /// The rings of a process were emptied.
    pub(super) fn rings_changed(&mut self, process: ProcessId) {
        StreamId::both(process).into_iter().for_each(|id| self.ring_changed(id));
    }

    /// All logs were opened again.
    pub(super) fn reopened(&mut self) {
        self.due.extend(self.by_client.keys());
    }

    /// Whether any client is due.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Those that are due.
    pub(super) fn take_due(&mut self) -> BTreeSet<u64> {
        std::mem::take(&mut self.due)
    }

    /// Whether a client follows any log.
    pub(super) fn contains(&self, client: u64) -> bool {
        self.by_client.contains_key(&client)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_client.is_empty()
    }

    /// What comes next for a client. Its logs take turns; one that cannot be read any more has ended.
    pub(super) fn next(&mut self, client: u64, buffer: &mut [u8], records: &Records) -> Option<FollowedPart> {
        self.find_awaited(client, records);
        let tails = self.by_client.get_mut(&client)?;
        let mut end = None;
        for _ in 0..tails.len() {
            tails.rotate_left(1);
            let tail = tails.last_mut()?;
            let piece = tail.next(buffer, records).unwrap_or(Some(FollowedPiece::End));
            let part = |piece| FollowedPart { channel: tail.id.channel, piece, offset: tail.position };
            match piece {
                None => {}
                // The stream ends with it, so the rest of the other log comes first.
                Some(FollowedPiece::End) => end = Some(part(FollowedPiece::End)),
                Some(piece) => return Some(part(piece)),
            }
        }
        end
    }

    /// Logs that are over end with what is in them. Our own log belongs to no process.
    pub(super) fn end_where(&mut self, is_over: impl Fn(Option<ProcessId>) -> bool) {
        for (&client, tails) in &mut self.by_client {
            for tail in tails.iter_mut().filter(|tail| !tail.is_over) {
                if is_over(Some(tail.id.process).filter(|_| tail.id != OWN_LOG)) {
                    tail.is_over = true;
                    self.due.insert(client);
                }
            }
        }
    }
}

fn remove_from<K, Q>(followers: &mut BTreeMap<K, BTreeSet<u64>>, log: &Q, client: u64)
where
    K: Ord + Borrow<Q>,
    Q: Ord + ?Sized,
{
    if let Some(clients) = followers.get_mut(log) {
        clients.remove(&client);
        if clients.is_empty() {
            followers.remove(log);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sys::scratch::Folder;

    const CLIENT: u64 = 5;
    const STDOUT: StreamId = StreamId { process: ProcessId(1), channel: Channel::Stdout };
    const NEAR_END: FollowFrom = FollowFrom::Last(1024);

    fn follow(path: &Path) -> Followers {
        let mut followers = Followers::default();
        followers.add(CLIENT, Follower::open(STDOUT, path.to_owned(), NEAR_END).unwrap());
        followers
    }

    /// All that there is now, with what is not text in brackets.
    fn read_all(followers: &mut Followers, records: &Records) -> String {
        let (mut text, mut buffer) = (String::new(), [0; 8]);
        while let Some(part) = followers.next(CLIENT, &mut buffer, records) {
            match part.piece {
                FollowedPiece::Bytes(count) => text += std::str::from_utf8(&buffer[..count]).unwrap(),
                FollowedPiece::Truncated => text += "[truncated]",
                FollowedPiece::Missed(bytes) => text += &format!("[{bytes} missed]"),
                FollowedPiece::End => return text + "[end]",
            }
        }
        text
    }

    fn append(path: &Path, text: &str) {
        io::Write::write_all(&mut File::options().append(true).open(path).unwrap(), text.as_bytes()).unwrap();
    }

    #[test]
    fn a_rotated_file_is_read_to_its_end_and_then_the_new_one() {
        let folder = Folder::new("followers-rotated");
        let path = folder.join("x.log");
        fs::write(&path, "one\n").unwrap();
        let (mut followers, records) = (follow(&path), Records::default());
        assert_eq!(read_all(&mut followers, &records), "one\n");
        append(&path, "two \u{e4}\u{f6}\u{fc}\n");
        fs::rename(&path, folder.join("x.log.1")).unwrap();
        append(&folder.join("x.log.1"), "last of the old file\n");
        assert_eq!(
            read_all(&mut followers, &records),
            "two \u{e4}\u{f6}\u{fc}\nlast of the old file\n",
            "no new file yet"
        );
        fs::write(&path, "three\n").unwrap();
        assert_eq!(read_all(&mut followers, &records), "three\n");
    }

    #[test]
    fn an_awaited_log_is_read_from_its_beginning_once_it_exists() {
        let folder = Folder::new("followers-awaited");
        let path = folder.join("x.log");
        let (mut followers, mut records) = (Followers::default(), Records::default());
        followers.add(CLIENT, Follower::awaiting(STDOUT, Some(path.clone())));
        assert_eq!(read_all(&mut followers, &records), "");
        fs::write(&path, "one\n").unwrap();
        followers.written(&path);
        assert!(followers.take_due().contains(&CLIENT));
        assert_eq!(read_all(&mut followers, &records), "one\n");
        followers.remove(CLIENT);
        assert!(followers.by_path.is_empty() && followers.by_stream.is_empty());

        followers.add(CLIENT, Follower::awaiting(STDOUT, Some(folder.join("y.log"))));
        records.limit_ring(STDOUT, 100);
        records.push_to_ring(STDOUT, b"in memory\n");
        followers.ring_changed(STDOUT);
        assert!(followers.take_due().contains(&CLIENT));
        assert_eq!(read_all(&mut followers, &records), "in memory\n");
        followers.remove(CLIENT);
        assert!(followers.by_path.is_empty() && followers.by_stream.is_empty());
    }

    #[test]
    fn an_awaited_log_ends_with_its_process() {
        let mut followers = Followers::default();
        followers.add(CLIENT, Follower::awaiting(STDOUT, None));
        followers.end_where(|_| true);
        assert_eq!(read_all(&mut followers, &Records::default()), "[end]");
    }

    #[test]
    fn a_truncated_file_is_reported_and_read_from_its_beginning() {
        let folder = Folder::new("followers-truncated");
        let path = folder.join("x.log");
        fs::write(&path, "a long first line\n").unwrap();
        let (mut followers, records) = (follow(&path), Records::default());
        assert_eq!(read_all(&mut followers, &records), "a long first line\n");
        fs::write(&path, "short\n").unwrap();
        assert_eq!(read_all(&mut followers, &records), "[truncated]short\n");
        assert_eq!(read_all(&mut followers, &records), "", "reported once");
        fs::write(&path, "").unwrap();
        assert_eq!(read_all(&mut followers, &records), "[truncated]");
    }

    #[test]
    fn a_client_begins_at_its_offset_and_text_is_never_cut_in_a_character() {
        let folder = Folder::new("followers-text");
        let path = folder.join("x.log");
        fs::write(&path, "one\ntwo \u{20ac}".as_bytes().split_last().unwrap().1).unwrap();
        let mut followers = Followers::default();
        let follower = Follower::open(OWN_LOG, path.clone(), FollowFrom::Offset(4)).unwrap().for_text();
        followers.add(CLIENT, follower);
        let mut buffer = [0; 8];
        let mut next = || followers.next(CLIENT, &mut buffer, &Records::default());
        let part = |count, offset| {
            let piece = FollowedPiece::Bytes(count);
            Some(FollowedPart { channel: Channel::Stdout, piece, offset })
        };
        assert_eq!((next(), next()), (part(4, 8), None));
        let mut file = File::options().append(true).open(&path).unwrap();
        io::Write::write_all(&mut file, b"\xacx").unwrap();
        assert_eq!((next(), next()), (part(4, 12), None));
        assert_eq!(buffer[..4], *"\u{20ac}x".as_bytes());
    }

    #[test]
    fn the_logs_of_a_client_take_turns() {
        let [stdout, stderr] = StreamId::both(ProcessId(1));
        let (mut followers, mut records) = (Followers::default(), Records::default());
        for id in [stdout, stderr] {
            records.limit_ring(id, 100);
            records.push_to_ring(id, &[b'x'; 20]);
            followers.add(CLIENT, Follower::of_ring(id, &records, FollowFrom::Offset(0)).unwrap());
        }
        let mut buffer = [0; 8];
        let parts = std::iter::from_fn(|| followers.next(CLIENT, &mut buffer, &records));
        let parts: Vec<_> = parts.map(|part| (part.channel, part.offset)).collect();
        let turns = [8, 16, 20].into_iter().flat_map(|to| [(Channel::Stdout, to), (Channel::Stderr, to)]);
        assert_eq!(parts, turns.collect::<Vec<_>>());
        followers.remove(CLIENT);
        assert!(followers.is_empty() && followers.by_stream.is_empty());
    }

    #[test]
    fn a_log_that_ends_waits_for_the_rest_of_the_other() {
        let [stdout, stderr] = StreamId::both(ProcessId(1));
        let (mut followers, mut records) = (Followers::default(), Records::default());
        for (id, text) in [(stdout, ""), (stderr, "the last words")] {
            records.limit_ring(id, 100);
            records.push_to_ring(id, text.as_bytes());
            followers.add(CLIENT, Follower::of_ring(id, &records, FollowFrom::Offset(0)).unwrap());
        }
        followers.end_where(|_| true);
        assert_eq!(read_all(&mut followers, &records), "the last words[end]");
    }

    #[test]
    fn a_client_too_slow_for_a_ring_learns_how_much_it_missed() {
        let (id, mut followers, mut records) = (STDOUT, Followers::default(), Records::default());
        records.limit_ring(id, 8);
        records.push_to_ring(id, b"123");
        followers.add(CLIENT, Follower::of_ring(id, &records, NEAR_END).unwrap());
        assert_eq!(read_all(&mut followers, &records), "123");
        records.push_to_ring(id, b"4567890abcdef");
        assert_eq!(read_all(&mut followers, &records), "[5 missed]90abcdef");
        records.limit_ring(id, 0);
        assert_eq!(read_all(&mut followers, &records), "[end]");
    }

    #[test]
    fn a_client_is_due_only_when_its_own_log_changes() {
        let folder = Folder::new("followers-due");
        let (path, other) = (folder.join("x.log"), folder.join("y.log"));
        fs::write(&path, "").unwrap();
        let mut followers = follow(&path);
        followers.written(&other);
        followers.rings_changed(ProcessId(1));
        assert!(!followers.is_due());
        followers.written(&path);
        assert_eq!((followers.take_due(), followers.is_due()), ([CLIENT].into(), false));
        followers.end_where(|process| process == Some(ProcessId(1)));
        assert_eq!(
            (followers.take_due(), read_all(&mut followers, &Records::default())),
            ([CLIENT].into(), "[end]".into())
        );
        followers.remove(CLIENT);
        followers.written(&path);
        assert!(followers.is_empty() && !followers.is_due());
    }
}
