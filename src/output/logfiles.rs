//! The log files that are open.
//!
//! A file is open once, however many streams write to it: both streams of a program, the processes of one program,
//! and a program that was started again while descendants of its last run still write. So a rotation moves all writers
//! to the new file.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::ids::FileId;
use super::logfile::LogFile;
use super::warning::Warning;
use crate::model::SortedMap;

/// The log files that have a writer. A file is closed with its last one.
#[derive(Debug, Default)]
pub(super) struct LogFiles {
    by_id: SortedMap<FileId, Box<SharedFile>>,
    by_path: HashMap<PathBuf, FileId>,
    last: u64,
}

#[derive(Debug)]
struct SharedFile {
    log: LogFile,
    writers: usize,
}

impl LogFiles {
    /// Adds a writer of a file that was opened at this path. All writers use the file that was opened last, and its
    /// limits.
    ///
    /// # Errors
    /// The error of fstat(2).
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
        self.by_id.insert(id, Box::new(SharedFile { log, writers: 1 }));
        self.by_path.insert(path.to_owned(), id);
        Ok(id)
    }

    /// Removes a writer.
    pub(super) fn release(&mut self, id: FileId) {
        let Some(shared) = self.by_id.get_mut(&id) else { return };
        shared.writers = shared.writers.saturating_sub(1);
        if shared.writers == 0 {
            self.by_path.remove(shared.log.path());
            self.by_id.remove(&id);
        }
    }

    pub(super) fn get(&self, id: FileId) -> Option<&LogFile> {
        self.by_id.get(&id).map(|shared| &shared.log)
    }

    pub(super) fn get_mut(&mut self, id: FileId) -> Option<&mut LogFile> {
        self.by_id.get_mut(&id).map(|shared| &mut shared.log)
    }

    /// Opens all paths again, as after the files were moved away. Returns what went wrong.
    pub(super) fn reopen(&mut self) -> Vec<Warning> {
        let reopened = self.by_id.values_mut().map(|shared| {
            let log = &mut shared.log;
            let outcome = log.reopen();
            outcome.err().map(|error| log.warning("reopen", &error))
        });
        reopened.flatten().collect()
    }
}
