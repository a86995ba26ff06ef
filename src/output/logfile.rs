//! A log file: a regular file that is rotated when it is full.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::warning::Warning;
use crate::logs::{Loss, Rotation, RotationStep};
use crate::model::{Mono, counted};
use crate::sys::files::{is_file_at, is_removed, is_same_file, open_log};

/// Less the umask.
pub(super) const LOG_MODE: u32 = 0o666;

/// How often a file that is written to is checked for having been removed.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A regular file that is rotated when it is full.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    /// How the path is opened again.
    open: fn(&Path) -> io::Result<File>,
    rotation: Rotation,
    /// What could not be written since the last that could.
    loss: Loss,
    checked_at: Mono,
    /// The last rotation failed, or restoring the removed file did, and that was reported.
    is_stuck: bool,
}

impl LogFile {
    pub(super) fn new(path: &Path, file: File, bytes_max: i64, backups: i64) -> io::Result<Self> {
        let rotation = Rotation::new(bytes_max, backups, file.metadata()?.len());
        let path = path.to_owned();
        let open = open_again;
        Ok(Self {
            path,
            file,
            open,
            rotation,
            loss: Loss::default(),
            checked_at: Mono::default(),
            is_stuck: false,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that could not be written so far.
    pub(super) fn lost_bytes(&self) -> u64 {
        self.loss.bytes_so_far()
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn write(&mut self, bytes: &[u8], now: Mono) -> Option<Warning> {
        let removed = if now.since(self.checked_at) >= CHECK_INTERVAL { self.restore(now) } else { None };
        let (written, outcome) = write_most(&self.file, bytes);
        let warning = match outcome {
            Ok(()) => self.recovered(),
            Err(error) => self.lost(bytes.len() - written, &error),
        }
        .or(removed);
        if self.rotation.wrote(written) { self.rotate_if_full().or(warning) } else { warning }
    }

    /// What is written to a removed file can never be read, so the file is created again. Where that fails, as its
    /// folder is gone too, it is reported once and tried again with each check.
    fn restore(&mut self, now: Mono) -> Option<Warning> {
        self.checked_at = now;
        if !is_removed(&self.file) {
            return None;
        }
        let outcome = self.reopen();
        self.report("restore removed", outcome)
    }

    fn lost(&mut self, bytes: usize, error: &io::Error) -> Option<Warning> {
        self.loss.add(bytes).then(|| self.warning("write to", error))
    }

    fn recovered(&mut self) -> Option<Warning> {
        let lost = self.loss.end()?;
        let path = self.path.display();
        let lost = counted(lost, "byte was", "bytes were");
        Some(Warning { text: format!("log '{path}' can be written to again, {lost} lost") })
    }

    pub(super) fn warning(&self, verb: &str, error: &io::Error) -> Warning {
        Warning { text: format!("cannot {verb} log '{}': {error}", self.path.display()) }
    }

    /// The file may have been emptied or moved away in between, by logrotate or by another supervisor with the same
    /// log.
    fn rotate_if_full(&mut self) -> Option<Warning> {
        let size = self.file.metadata().map_or(0, |found| found.len());
        self.rotation.resized(size);
        if !self.rotation.is_due() {
            return None;
        }
        let is_ours = self.path.exists() && is_file_at(&self.file, &self.path);
        let outcome = if is_ours { self.rotate() } else { self.reopen() };
        if outcome.is_err() {
            // A rotation that is impossible (a read-only folder) is tried again after another `bytes_max` bytes.
            self.rotation.postpone();
        }
        self.report("rotate", outcome)
    }

    /// Reports a failure unless the last attempt failed, too.
    fn report(&mut self, verb: &str, outcome: io::Result<()>) -> Option<Warning> {
        let was_stuck = std::mem::replace(&mut self.is_stuck, outcome.is_err());
        let error = outcome.err()?;
        (!was_stuck).then(|| self.warning(verb, &error))
    }

    /// A failed rotation moves back what it has moved. Otherwise the next one would treat the file that is still
    /// written to as a backup, and repeated failures would push all backups out.
    ///
    /// The file is opened once more before anything is moved, as the oldest backup cannot be moved back: without a free
    /// descriptor the rotation fails here.
    fn rotate(&mut self) -> io::Result<()> {
        let probe = (self.open)(&self.path)?;
        let mut moved = Vec::new();
        let outcome = self.shift(&mut moved).and_then(|()| {
            drop(probe);
            self.reopen()
        });
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
                RotationStep::Rename(from, to) => match replace(&from, &to) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    Ok(()) => moved.push((from, to)),
                    Err(_) => {}
                },
                RotationStep::Truncate => self.file.set_len(0)?,
            }
        }
        Ok(())
    }

    /// Rotates by other limits from now on: with the next write if the file exceeds them already.
    pub(super) fn limit(&mut self, bytes_max: i64, backups: i64) {
        self.rotation.limit(bytes_max, backups);
    }

    /// Continues with another opening of its path, unless it is the same file.
    pub(super) fn renew(&mut self, file: File) -> io::Result<()> {
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

    /// Opens the path again; if that fails, the open file stays in use.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let file = (self.open)(&self.path)?;
        self.rotation.resized(file.metadata()?.len());
        self.file = file;
        Ok(())
    }
}

fn open_again(path: &Path) -> io::Result<File> {
    open_log(path, LOG_MODE).map(|(file, _)| file)
}

/// Renames a backup. A file that has the new name is removed first, as Supervisor does: a file system that protects
/// against half-written replacements (ext4's auto_da_alloc) would write the whole renamed file to the disk before
/// rename(2) returns.
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
    fn rotation_loses_no_byte() {
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
    fn a_full_file_without_backups_is_truncated() {
        let folder = Folder::new("sinks-truncate");
        let path = folder.join("x.log");
        let mut log = open(&path, 4, 0);
        log.write(b"12345", START);
        log.write(b"67", START);
        assert_eq!(read(&path, ""), "67");
    }

    #[test]
    fn a_full_disk_is_reported_once_and_then_the_number_of_lost_bytes() {
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
    fn a_file_that_was_truncated_by_another_process_is_filled_again() {
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
    fn a_removed_file_is_created_again() {
        let folder = Folder::new("sinks-removed");
        let path = folder.join("x.log");
        let mut log = open(&path, 0, 0);
        log.write(b"1", START);
        fs::remove_file(&path).unwrap();
        log.write(b"2", START.after(CHECK_INTERVAL));
        assert_eq!(read(&path, ""), "2");
    }

    #[test]
    fn a_removed_folder_is_reported_once_and_used_again_when_it_is_back() {
        let folder = Folder::new("sinks-gone");
        let sub = folder.join("sub");
        fs::create_dir(&sub).unwrap();
        let path = sub.join("x.log");
        let mut log = open(&path, 0, 0);
        log.write(b"1", START);
        fs::remove_dir_all(&sub).unwrap();
        let at = |looks: u32| START.after(CHECK_INTERVAL * looks);
        let logged = log.write(b"2", at(1)).unwrap().text;
        assert!(
            logged.starts_with("cannot restore removed log '") && logged.contains("x.log': "),
            "{logged}"
        );
        assert_eq!((log.write(b"3", at(1)), log.write(b"4", at(2))), (None, None));
        fs::create_dir(&sub).unwrap();
        assert_eq!(log.write(b"5", at(3)), None);
        assert_eq!(read(&path, ""), "5");
        fs::remove_dir_all(&sub).unwrap();
        assert!(log.write(b"6", at(4)).is_some(), "a new failure is reported again");
    }

    #[test]
    fn two_openings_of_one_file_rotate_it_once() {
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
    fn an_impossible_rotation_is_reported_once_and_loses_nothing() {
        let folder = Folder::new("sinks-stuck");
        let path = folder.join("x.log");
        let mut log = open(&path, 4, 1);
        // Root may write to any folder, but not even root can replace a folder that is not empty by a file.
        fs::create_dir_all(folder.join("x.log.1/in")).unwrap();
        let warnings: Vec<_> = (0..8).filter_map(|_| log.write(b"abc\n", START)).collect();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(read(&path, ""), "abc\n".repeat(8));
        fs::remove_dir_all(folder.join("x.log.1")).unwrap();
        let mut more = 8;
        while read(&path, ".1") == "-" && more < 100 {
            assert_eq!(log.write(b"abc\n", START), None);
            more += 1;
        }
        assert_eq!(read(&path, ".1") + &read(&path, ""), "abc\n".repeat(more));
    }

    /// A rotation fails, repeatedly; what was moved is moved back, so that no backup is pushed out.
    fn check_failing_rotation(name: &str, fail: impl Fn(&mut LogFile), repair: impl Fn(&mut LogFile)) {
        let folder = Folder::new(name);
        let path = folder.join("x.log");
        let mut log = open(&path, 8, 2);
        for line in ["first..\n", "second.\n"] {
            assert_eq!(log.write(line.as_bytes(), START), None);
        }
        fail(&mut log);
        let warnings: Vec<_> = (0..10).filter_map(|_| log.write(b"abc\n", START)).collect();
        repair(&mut log);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].text.starts_with("cannot rotate log '"), "{warnings:?}");
        assert_eq!(read(&path, ""), "abc\n".repeat(10), "nothing is lost");
        assert_eq!((read(&path, ".1"), read(&path, ".2")), ("second.\n".into(), "first..\n".into()));
        let mut more = 10;
        while read(&path, ".1") == "second.\n" && more < 100 {
            assert_eq!(log.write(b"abc\n", START), None);
            more += 1;
        }
        assert_eq!(read(&path, ".2"), "second.\n");
        assert_eq!(read(&path, ".1") + &read(&path, ""), "abc\n".repeat(more));
    }

    #[test]
    fn a_rotation_without_descriptors_keeps_all_backups() {
        let fail = |log: &mut LogFile| log.open = |_| Err(io::Error::from_raw_os_error(nix::libc::EMFILE));
        check_failing_rotation("logfile-emfile", fail, |log| log.open = open_again);
    }

    #[test]
    fn a_rotation_in_a_read_only_folder_keeps_all_backups() {
        use std::os::unix::fs::PermissionsExt;
        // Only for this thread: root may write to any folder.
        let user = nix::unistd::setfsuid(nix::unistd::Uid::from_raw(u32::MAX));
        let set_mode = |log: &LogFile, mode| {
            fs::set_permissions(log.path.parent().unwrap(), fs::Permissions::from_mode(mode)).unwrap();
        };
        let fail = |log: &mut LogFile| {
            set_mode(log, 0o555);
            if user.is_root() {
                nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
            }
        };
        let repair = |log: &mut LogFile| {
            nix::unistd::setfsuid(user);
            set_mode(log, 0o755);
        };
        check_failing_rotation("logfile-read-only", fail, repair);
    }
}
