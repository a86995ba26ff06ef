//! Earlier lines: of this session, and of earlier ones if there is a history file.
//!
//! The file has one line for each, as readline writes it. A line is appended when it is typed, so concurrent
//! shells lose nothing, and neither does a shell that is killed.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// The maximum number of lines.
const LINES_MAX: usize = 1000;

/// A larger file is not read: we did not write it.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Lines, the oldest first, and a position among them.
#[derive(Debug, Default)]
pub(in crate::ctl) struct History {
    lines: Vec<String>,
    /// The line that is shown; one past the last if none is.
    at: usize,
    /// The text that was being typed when an older line was shown.
    draft: String,
    file: Option<PathBuf>,
}

impl History {
    /// Reads the file, if it exists; a missing one is created with the first line. Errors are ignored, since
    /// the shell works without a history.
    pub(in crate::ctl) fn of(file: Option<PathBuf>) -> Self {
        let text = file.as_ref().and_then(|path| {
            let is_sane = fs::metadata(path).is_ok_and(|it| it.is_file() && it.len() <= FILE_BYTES_MAX);
            if is_sane { fs::read(path).ok() } else { None }
        });
        let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let surplus = lines.len().saturating_sub(LINES_MAX);
        lines.drain(..surplus);
        let history = Self { at: lines.len(), lines, draft: String::new(), file };
        // Rarely, so that concurrent shells don't drop each other's lines.
        if surplus > LINES_MAX {
            let _ = history.rewrite();
        }
        history
    }

    /// Adds a typed line. Blank ones and repetitions are ignored.
    pub(in crate::ctl) fn add(&mut self, line: &str) {
        if !line.trim().is_empty() && self.lines.last().is_none_or(|last| last != line) {
            if self.lines.len() == LINES_MAX {
                self.lines.remove(0);
            }
            self.lines.push(line.to_owned());
            let _ = self.append(line);
        }
        self.at = self.lines.len();
    }

    /// The line before the one that is shown.
    pub(super) fn older(&mut self, shown: &str) -> Option<String> {
        let at = self.at.checked_sub(1)?;
        if self.at == self.lines.len() {
            self.draft = shown.to_owned();
        }
        self.at = at;
        self.lines.get(at).cloned()
    }

    /// The line after it, or at last the draft.
    pub(super) fn newer(&mut self, _shown: &str) -> Option<String> {
        if self.at == self.lines.len() {
            return None;
        }
        self.at += 1;
        Some(self.lines.get(self.at).unwrap_or(&self.draft).clone())
    }

    fn append(&self, line: &str) -> io::Result<()> {
        let Some(path) = &self.file else { return Ok(()) };
        // Typed lines may be private.
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        file.write_all(format!("{line}\n").as_bytes())
    }

    fn rewrite(&self) -> io::Result<()> {
        let Some(path) = &self.file else { return Ok(()) };
        fs::write(path, self.lines.iter().map(|line| format!("{line}\n")).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: Option<String>) -> String {
        text.unwrap_or("-".to_owned())
    }

    #[test]
    fn earlier_lines_and_the_draft_come_back() {
        let mut history = History::default();
        assert_eq!((shown(history.older("x")), shown(history.newer("x"))), ("-".into(), "-".into()));
        ["one", "two", "two", "  ", "three"].iter().for_each(|line| history.add(line));
        let older: Vec<_> = (0..4).map(|_| shown(history.older("draft"))).collect();
        assert_eq!(older, ["three", "two", "one", "-"]);
        let newer: Vec<_> = (0..4).map(|_| shown(history.newer(""))).collect();
        assert_eq!(newer, ["two", "three", "draft", "-"]);
    }

    #[test]
    fn a_history_file_is_kept_and_bounded() {
        let path = std::env::temp_dir().join(format!("sv-history-{}", std::process::id()));
        let mut history = History::of(Some(path.clone()));
        ["one", "two"].iter().for_each(|line| history.add(line));
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!(shown(History::of(Some(path.clone())).older("")), "two");
        let many: String = (0..=2 * LINES_MAX).map(|number| format!("{number}\n")).collect();
        fs::write(&path, many).unwrap();
        let history = History::of(Some(path.clone()));
        assert_eq!((history.lines.len(), history.lines[0].as_str()), (LINES_MAX, "1001"));
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), LINES_MAX);
        fs::remove_file(&path).unwrap();
        assert!(History::of(Some("/".into())).lines.is_empty());
    }
}
