//! The progress line: a line on a terminal, shown while a call takes long and removed afterwards.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crate::xmlrpc::Value;

/// Shorter waits are not shown.
pub(super) const SHOW_AFTER: Duration = Duration::from_secs(2);

/// The interval between updates of the line.
pub(super) const REFRESH_INTERVAL: Duration = Duration::from_secs(1);

/// A longer line would wrap, and the second row would not be removed.
const LINE_CHARS_MAX: usize = 79;

/// A description of the wait; `None` for calls that don't wait.
pub(super) fn described(method: &str, params: &[Value]) -> Option<String> {
    let (deed, whole) = match method {
        "supervisor.startProcess" => ("start", ""),
        "supervisor.stopProcess" => ("stop", ""),
        "supervisor.startProcessGroup" => ("start", ":*"),
        "supervisor.stopProcessGroup" => ("stop", ":*"),
        "sv.restartRolling" => ("restart", ""),
        "sv.updateProcessGroup" => ("be as configured", ":*"),
        "supervisor.startAllProcesses" => return Some("waiting for all to start".to_owned()),
        "supervisor.stopAllProcesses" => return Some("waiting for all to stop".to_owned()),
        _ => return None,
    };
    let name = params.first().and_then(Value::as_str).unwrap_or_default();
    Some(format!("waiting for {name}{whole} to {deed}"))
}

/// A description of what a read-only request asks for; `None` for the others.
pub(super) fn asked_for(method: &str) -> Option<&'static str> {
    Some(match method.split_once('.')?.1 {
        "getVersion" | "getSupervisorVersion" | "getAPIVersion" => "its version",
        "getPID" => "its process id",
        "getProcessInfo" => "the state of a process",
        "getAllProcessInfo" => "the state of all processes",
        "getAllConfigInfo" => "the configured processes",
        "readLog" => "its log",
        "readProcessStdoutLog" | "readProcessStderrLog" => "the log of a process",
        _ => return None,
    })
}

/// The line on standard error; never shown if that is not a terminal.
pub(super) struct ProgressLine {
    what: String,
    is_shown: bool,
}

impl ProgressLine {
    /// Not shown yet.
    pub(super) fn of(what: String) -> Option<Self> {
        io::stderr().is_terminal().then_some(Self { what, is_shown: false })
    }

    /// Shows the elapsed time.
    pub(super) fn show(&mut self, elapsed: Duration) {
        let line: String =
            format!("{}: {} s", self.what, elapsed.as_secs()).chars().take(LINE_CHARS_MAX).collect();
        self.write(&format!("\r{line}\x1b[K"));
        self.is_shown = true;
    }

    fn write(&self, text: &str) {
        // The line is informational only.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.is_shown {
            self.write("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wait_has_a_description() {
        for (method, params, words) in [
            ("supervisor.startProcess", &["web".into()][..], Some("waiting for web to start")),
            ("supervisor.stopProcessGroup", &["web".into()], Some("waiting for web:* to stop")),
            ("supervisor.stopAllProcesses", &[], Some("waiting for all to stop")),
            ("supervisor.getPID", &[], None),
        ] {
            assert_eq!(described(method, params).as_deref(), words);
            // No request both waits without a limit and has a timeout.
            assert_eq!(asked_for(method).is_some(), words.is_none(), "{method}");
        }
        for method in ["supervisor.reloadConfig", "supervisor.shutdown", "supervisor.sendProcessStdin"] {
            assert_eq!((described(method, &[]), asked_for(method)), (None, None));
        }
    }
}
