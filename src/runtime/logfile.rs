//! Log files: regular files that are rotated when they are full.
//!
//! A file is open once, however many streams write to it: both streams of a program, the processes of one
//! program, and a program that was started again while descendants of its last run still write. So a rotation
//! moves all of them to the new file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::sinks::Trouble;
use crate::logs::{Loss, Rotation, Step};
use crate::model::Mono;
use crate::sys::files::{is_file_at, is_removed, is_same_file, open_log};

/// One of [`LogFiles`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId(u64);

/// The log files that somebody writes to. A file is closed with its last writer.
#[derive(Debug, Default)]
pub(super) struct LogFiles {
    by_id: BTreeMap<FileId, Shared>,
    by_path: BTreeMap<PathBuf, FileId>,
    last: u64,
}

#[derive(Debug)]
struct Shared {
    log: LogFile,
    writers: usize,
}

impl LogFiles {
    /// Adds a writer of a file that was opened at this path. All writers use the file opened last, and its limits.
    ///
    /// # Errors
    /// What fstat(2) says.
    pub(super) fn add(
        &mut self,
        path: &Path,
        file: File,
        bytes_max: i64,
        backups: i64,
    ) -> io::Result<FileId> {
        if let Some(&id) = self.by_path.get(path)
            && let Some(shared) = self.by_id.get_mut(&id)
        {
            shared.log.renew(file)?;
            shared.log.limit(bytes_max, backups);
            shared.writers += 1;
            return Ok(id);
        }
        let log = LogFile::new(path, file, bytes_max, backups)?;
        self.last += 1;
        let id = FileId(self.last);
        self.by_id.insert(id, Shared { log, writers: 1 });
        self.by_path.insert(path.to_owned(), id);
        Ok(id)
    }

    /// Removes a writer.
    pub(super) fn release(&mut self, id: FileId) {
        let Some(shared) = self.by_id.get_mut(&id) else { return };
        shared.writers = shared.writers.saturating_sub(1);
        if shared.writers == 0 {
            self.by_path.remove(&shared.log.path);
            self.by_id.remove(&id);
        }
    }

    pub(super) fn get(&self, id: FileId) -> Option<&LogFile> {
        self.by_id.get(&id).map(|shared| &shared.log)
    }

    pub(super) fn get_mut(&mut self, id: FileId) -> Option<&mut LogFile> {
        self.by_id.get_mut(&id).map(|shared| &mut shared.log)
    }

    /// Opens all paths again, as after somebody has moved the files away. Returns what went wrong.
    pub(super) fn reopen(&mut self) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        for Shared { log, .. } in self.by_id.values_mut() {
            if let Err(error) = log.reopen() {
                troubles.push(log.trouble("reopen", &error));
            }
        }
        troubles
    }
}

/// Less the umask.
pub(super) const LOG_MODE: u32 = 0o666;

/// How often a file that is written to is looked at, whether somebody has removed it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A regular file that is rotated when it is full.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    rotation: Rotation,
    /// What could not be written since the last that could.
    loss: Loss,
    looked_at: Mono,
    /// The last rotation failed, or making the file anew, and that was told.
    is_stuck: bool,
}

impl LogFile {
    fn new(path: &Path, file: File, bytes_max: i64, backups: i64) -> io::Result<Self> {
        let rotation = Rotation::new(bytes_max, backups, file.metadata()?.len());
        let path = path.to_owned();
        Ok(Self { path, file, rotation, loss: Loss::default(), looked_at: Mono::default(), is_stuck: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn write(&mut self, bytes: &[u8], now: Mono) -> Option<Trouble> {
        let removed = if now.since(self.looked_at) >= LOOK_EVERY { self.look(now) } else { None };
        let (written, outcome) = write_most(&self.file, bytes);
        let trouble = match outcome {
            Ok(()) => self.recovered(),
            Err(error) => self.lost(bytes.len() - written, &error),
        }
        .or(removed);
        if self.rotation.wrote(written) { self.rotate_if_full().or(trouble) } else { trouble }
    }

    /// What is written to a file that was removed nobody will ever read. Where it can't be made again, as its
    /// folder is gone too, that is told once, and tried with each look.
    fn look(&mut self, now: Mono) -> Option<Trouble> {
        self.looked_at = now;
        if !is_removed(&self.file) {
            return None;
        }
        let outcome = self.reopen();
        self.tell("make anew the removed", outcome)
    }

    fn lost(&mut self, bytes: usize, error: &io::Error) -> Option<Trouble> {
        self.loss.add(bytes).then(|| self.trouble("write to", error))
    }

    fn recovered(&mut self) -> Option<Trouble> {
        let lost = self.loss.end()?;
        let path = self.path.display();
        Some(Trouble { text: format!("log '{path}' can be written to again, {lost} bytes were lost") })
    }

    fn trouble(&self, verb: &str, error: &io::Error) -> Trouble {
        Trouble { text: format!("cannot {verb} log '{}': {error}", self.path.display()) }
    }

    /// Somebody else may have emptied the file in between, or moved it away: another process of ours
    /// with the same log, or logrotate.
    fn rotate_if_full(&mut self) -> Option<Trouble> {
        let size = self.file.metadata().map_or(0, |found| found.len());
        self.rotation.resized(size);
        if !self.rotation.is_due() {
            return None;
        }
        let is_ours = self.path.exists() && is_file_at(&self.file, &self.path);
        let outcome = if is_ours { self.rotate() } else { self.reopen() };
        if outcome.is_err() {
            // One that is impossible (a read-only folder) is tried again a whole file later.
            self.rotation.postpone();
        }
        self.tell("rotate", outcome)
    }

    /// Tells of a failure unless the one before was one too.
    fn tell(&mut self, verb: &str, outcome: io::Result<()>) -> Option<Trouble> {
        let was_stuck = std::mem::replace(&mut self.is_stuck, outcome.is_err());
        let error = outcome.err()?;
        (!was_stuck).then(|| self.trouble(verb, &error))
    }

    /// What a rotation that fails has moved goes back where it was: the next would take what is still
    /// written to for a backup, and one failing after the other would push all backups out.
    fn rotate(&mut self) -> io::Result<()> {
        let mut moved = Vec::new();
        let outcome = self.shift(&mut moved).and_then(|()| self.reopen());
        if outcome.is_err() {
            for (from, to) in moved.iter().rev() {
                let _ = fs::rename(to, from);
            }
        }
        outcome
    }

    fn shift(&mut self, moved: &mut Vec<(PathBuf, PathBuf)>) -> io::Result<()> {
        for step in self.rotation.plan(&self.path) {
            match step {
                Step::Rename(from, to) => match replace(&from, &to) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    Ok(()) => moved.push((from, to)),
                    Err(_) => {}
                },
                Step::Truncate => self.file.set_len(0)?,
            }
        }
        Ok(())
    }

    /// Rotates by other limits from now on, at the next write if it exceeds them already.
    pub(super) fn limit(&mut self, bytes_max: i64, backups: i64) {
        self.rotation.limit(bytes_max, backups);
    }

    /// Continues with another opening of its path, unless it is the same file.
    fn renew(&mut self, file: File) -> io::Result<()> {
        if !is_same_file(&self.file, &file) {
            self.rotation.resized(file.metadata()?.len());
            self.file = file;
        }
        Ok(())
    }

    /// Empties the file.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.rotation.resized(0);
        Ok(())
    }

    /// Opens the path again; what is open stays so if that fails.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let (file, _) = open_log(&self.path, LOG_MODE)?;
        self.rotation.resized(file.metadata()?.len());
        self.file = file;
        Ok(())
    }
}

/// Renames a backup. What has the new name is removed first, as Supervisor does it: a file system that makes sure
/// that a replaced file is never seen half (ext4's auto_da_alloc) writes all of the other one to the disk before it
/// goes on, and nobody waits for that with us.
fn replace(from: &Path, to: &Path) -> io::Result<()> {
    if from.exists() {
        match fs::remove_file(to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(from, to)
}

/// How much could be written, and why not the rest.
fn write_most(mut file: &File, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::scratch::Folder;

    const START: Mono = Mono(Duration::ZERO);

    fn open(path: &Path, bytes_max: i64, backups: i64) -> LogFile {
        let (file, _) = open_log(path, LOG_MODE).unwrap();
        LogFile::new(path, file, bytes_max, backups).unwrap()
    }

    fn read(path: &Path, suffix: &str) -> String {
        fs::read_to_string(format!("{}{suffix}", path.display())).unwrap_or_else(|_| "-".to_owned())
    }

    #[test]
    fn every_byte_is_in_one_of_the_files() {
        let folder = Folder::new("sinks-rotate");
        let path = folder.join("x.log");
        let mut log = open(&path, 10, 2);
        for line in ["one\n", "two\n", "three\n", "four\n", "five\n"] {
            assert_eq!(log.write(line.as_bytes(), START), None);
        }
        assert_eq!(read(&path, ".2"), "one\ntwo\nthree\n");
        assert_eq!(read(&path, ".1"), "four\nfive\n");
        assert_eq!(read(&path, ""), "");
    }

    #[test]
    fn without_backups_it_starts_again_at_nothing() {
        let folder = Folder::new("sinks-truncate");
        let path = folder.join("x.log");
        let mut log = open(&path, 4, 0);
        log.write(b"12345", START);
        log.write(b"67", START);
        assert_eq!(read(&path, ""), "67");
    }

    #[test]
    fn a_full_disk_is_told_once_and_then_how_much_was_lost() {
        let mut log = open(Path::new("/dev/full"), 0, 0);
        let first = log.write(b"12345", START).unwrap();
        assert!(first.text.starts_with("cannot write to log '/dev/full': "), "{first:?}");
        assert_eq!(log.write(b"678", START), None);
        let again = Folder::new("sinks-again");
        log.file = open_log(&again.join("x.log"), 0o666).unwrap().0;
        let last = log.write(b"9", START).unwrap();
        assert_eq!(last.text, "log '/dev/full' can be written to again, 8 bytes were lost");
    }

    #[test]
    fn a_file_that_was_emptied_by_somebody_else_is_filled_again() {
        let folder = Folder::new("sinks-emptied");
        let path = folder.join("x.log");
        let mut log = open(&path, 10, 2);
        log.write(b"12345678", START);
        log.file.set_len(0).unwrap();
        log.write(b"abc", START);
        assert_eq!((read(&path, ""), read(&path, ".1")), ("abc".to_owned(), "-".to_owned()));
        log.write(b"defghijk", START);
        assert_eq!((read(&path, ""), read(&path, ".1")), (String::new(), "abcdefghijk".to_owned()));
    }

    #[test]
    fn a_file_that_was_removed_is_made_again() {
        let folder = Folder::new("sinks-removed");
        let path = folder.join("x.log");
        let mut log = open(&path, 0, 0);
        log.write(b"1", START);
        fs::remove_file(&path).unwrap();
        log.write(b"2", START.after(LOOK_EVERY));
        assert_eq!(read(&path, ""), "2");
    }

    #[test]
    fn a_folder_that_was_removed_is_told_once_and_used_again_when_it_is_back() {
        let folder = Folder::new("sinks-gone");
        let sub = folder.join("sub");
        fs::create_dir(&sub).unwrap();
        let path = sub.join("x.log");
        let mut log = open(&path, 0, 0);
        log.write(b"1", START);
        fs::remove_dir_all(&sub).unwrap();
        let at = |looks: u32| START.after(LOOK_EVERY * looks);
        let told = log.write(b"2", at(1)).unwrap().text;
        assert!(
            told.starts_with("cannot make anew the removed log '") && told.contains("x.log': "),
            "{told}"
        );
        assert_eq!((log.write(b"3", at(1)), log.write(b"4", at(2))), (None, None));
        fs::create_dir(&sub).unwrap();
        assert_eq!(log.write(b"5", at(3)), None);
        assert_eq!(read(&path, ""), "5");
        fs::remove_dir_all(&sub).unwrap();
        assert!(log.write(b"6", at(4)).is_some(), "it is another time");
    }

    #[test]
    fn two_who_write_to_one_file_rotate_it_once() {
        let folder = Folder::new("sinks-shared");
        let path = folder.join("x.log");
        let (mut one, mut other) = (open(&path, 10, 3), open(&path, 10, 3));
        other.write(b"other: 1\n", START);
        one.write(b"one: 1, 2, 3\n", START);
        other.write(b"other: 2\n", START);
        one.write(b"one: 4\n", START);
        assert_eq!(read(&path, ".1"), "other: 1\none: 1, 2, 3\nother: 2\n");
        assert_eq!((read(&path, ""), read(&path, ".2")), ("one: 4\n".to_owned(), "-".to_owned()));
    }

    #[test]
    fn a_rotation_that_is_impossible_is_told_once_and_loses_nothing() {
        let folder = Folder::new("sinks-stuck");
        let path = folder.join("x.log");
        let mut log = open(&path, 4, 1);
        // Root may write to any folder, but nobody can put a file in the place of a folder that is not empty.
        fs::create_dir_all(folder.join("x.log.1/in")).unwrap();
        let told: Vec<_> = (0..8).filter_map(|_| log.write(b"abc\n", START)).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(read(&path, ""), "abc\n".repeat(8));
        fs::remove_dir_all(folder.join("x.log.1")).unwrap();
        let mut more = 8;
        while read(&path, ".1") == "-" && more < 100 {
            assert_eq!(log.write(b"abc\n", START), None);
            more += 1;
        }
        assert_eq!(read(&path, ".1") + &read(&path, ""), "abc\n".repeat(more));
    }
}
