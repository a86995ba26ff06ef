//! Reports why the supervisor exits.

use std::path::Path;

use super::Shell;
use crate::model::LogLevel;
use crate::supervise::Ending;
use crate::sys::files::write_file;
use crate::sys::stderr;

/// Kubernetes shows its content as the message of a terminated container. It is only written if it exists.
const TERMINATION_LOG: &str = "/dev/termination-log";

impl Shell {
    /// Whether to report it. Supervisor prints nothing about a requested exit, and a daemon nothing at all.
    pub(super) fn has_exit_report(&self, ending: &Ending) -> bool {
        self.launch.is_in_foreground(&self.settings) && (self.launch.foreground || !ending.is_ordered())
    }

    /// Writes one line to standard error, in the format of our other lines, and to the termination log, if
    /// there is one. Write errors are ignored.
    pub(super) fn report_exit(&self, ending: &Ending) {
        let text = format!("sv ends with status {}: {ending}", ending.status());
        let plain = format!("{text}\n");
        let level = if ending.status() == 0 { LogLevel::Info } else { LogLevel::Error };
        let shaped = self.output.own_form().line(self.clock.now().wall, level, &text);
        stderr::print(shaped.as_deref().unwrap_or(plain.as_bytes()));
        let _ = write_file(Path::new(TERMINATION_LOG), &plain, false);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sys::scratch::Folder;

    #[test]
    fn only_a_file_that_is_there_is_written_to() {
        let folder = Folder::new("last-word");
        let path = folder.join("log");
        assert!(write_file(&path, "x", false).is_err() && !path.exists());
        fs::write(&path, "longer than that").unwrap();
        write_file(&path, "why\n", false).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "why\n");
    }
}
