//! A sign of life while something takes long: a line on a terminal that is taken away again.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crate::xmlrpc::Value;

/// What is over sooner needs no explanation.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// How often the line tells a new time.
pub(super) const REFRESH_INTERVAL: Duration = Duration::from_secs(1);

/// A longer line would take a second row, which is not taken away.
const LINE_CHARS_MAX: usize = 79;

/// What is waited for, in words; `None` for calls that don't wait.
pub(super) fn described(method: &str, params: &[Value]) -> Option<String> {
    let (deed, whole) = match method {
        "supervisor.startProcess" => ("start", ""),
        "supervisor.stopProcess" => ("stop", ""),
        "supervisor.startProcessGroup" => ("start", ":*"),
        "supervisor.stopProcessGroup" => ("stop", ":*"),
        "sv.updateProcessGroup" => ("be as configured", ":*"),
        "supervisor.startAllProcesses" => return Some("waiting for all to start".to_owned()),
        "supervisor.stopAllProcesses" => return Some("waiting for all to stop".to_owned()),
        _ => return None,
    };
    let name = params.first().and_then(Value::as_str).unwrap_or_default();
    Some(format!("waiting for {name}{whole} to {deed}"))
}

/// What a request that changes nothing asks for, in words; `None` for the others.
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

/// The line, on standard error; without a terminal there it is never shown.
pub(super) struct Sign {
    what: String,
    is_shown: bool,
}

impl Sign {
    /// Not shown yet.
    pub(super) fn of(what: String) -> Option<Self> {
        io::stderr().is_terminal().then_some(Self { what, is_shown: false })
    }

    /// Shows for how long it has been so far.
    pub(super) fn show(&mut self, elapsed: Duration) {
        let line: String =
            format!("{}: {} s", self.what, elapsed.as_secs()).chars().take(LINE_CHARS_MAX).collect();
        self.write(&format!("\r{line}\x1b[K"));
        self.is_shown = true;
    }

    fn write(&self, text: &str) {
        // It is only a sign.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

impl Drop for Sign {
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
    fn what_is_waited_for_has_words() {
        for (method, params, words) in [
            ("supervisor.startProcess", &["web".into()][..], Some("waiting for web to start")),
            ("supervisor.stopProcessGroup", &["web".into()], Some("waiting for web:* to stop")),
            ("supervisor.stopAllProcesses", &[], Some("waiting for all to stop")),
            ("supervisor.getPID", &[], None),
        ] {
            assert_eq!(described(method, params).as_deref(), words);
            // No request is both waited for without end and given up on.
            assert_eq!(asked_for(method).is_some(), words.is_none(), "{method}");
        }
        for method in ["supervisor.reloadConfig", "supervisor.shutdown", "supervisor.sendProcessStdin"] {
            assert_eq!((described(method, &[]), asked_for(method)), (None, None));
        }
    }
}
