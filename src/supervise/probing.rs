//! What readiness and health share: how a probe begins, and what the end of a command means for its check.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::not_spawned::{Blame, NotSpawned};
use super::process::Process;
use super::task::{Task, TaskEnd};
use super::{Effect, Effects};
use crate::model::{ChildId, ExitStatus, Probe, ProcessId, TaskId, seconds_text};

/// The maximum number of bytes kept of the output of a failed check, the last ones.
const CHECK_OUTPUT_BYTES_MAX: usize = 2048;

/// Why a probe has failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeFailure {
    /// `connection refused`
    pub text: String,
    /// Whether the program or the machine failed. A failure of the machine says nothing about the program.
    pub blame: Blame,
}

impl ProbeFailure {
    /// The program has not answered, or not correctly.
    #[must_use]
    pub fn of_program(text: impl Into<String>) -> Self {
        Self { text: text.into(), blame: Blame::Program }
    }

    /// The probe could not be made because the machine is short of resources.
    #[must_use]
    pub fn of_machine(text: impl Into<String>) -> Self {
        Self { text: text.into(), blame: Blame::Machine }
    }
}

impl Effects {
    /// Begins a probe for a process, which receives the outcome.
    pub(super) fn begin_probe(&mut self, process: ProcessId, target: &Probe, timeout: Duration) -> TaskId {
        let probe = self.tasks.begin(process);
        self.push(match target {
            Probe::Exec(command) => {
                let (command, timeout) = (command.clone(), Some(timeout));
                let task = Task { process, command, environment: Vec::new(), timeout };
                Effect::RunTask { child: ChildId::Probe(probe), task }
            }
            Probe::Tcp { .. } | Probe::Unix(_) | Probe::Http { .. } => {
                Effect::Probe { probe, target: target.clone(), timeout }
            }
        });
        probe
    }
}

impl Process {
    /// Keeps what the command of a check has printed if the check has failed.
    pub(super) fn note_check_output(&mut self, outcome: &Result<(), ProbeFailure>, output: &[u8]) {
        match outcome {
            Ok(()) => self.clear_check_output(),
            Err(ProbeFailure { blame: Blame::Program, .. }) => {
                self.remarks_mut().check_output = end_of_text(output)
            }
            Err(ProbeFailure { blame: Blame::Machine, .. }) => {}
        }
    }
}

/// The last [`CHECK_OUTPUT_BYTES_MAX`] bytes as text, from the start of a character.
fn end_of_text(output: &[u8]) -> String {
    let start = output.len().saturating_sub(CHECK_OUTPUT_BYTES_MAX);
    let text = String::from_utf8_lossy(&output[start..]);
    let text = if start == 0 { &text } else { text.trim_start_matches(char::REPLACEMENT_CHARACTER) };
    // A replacement takes up to three bytes for one.
    let surplus = text.len().saturating_sub(CHECK_OUTPUT_BYTES_MAX);
    text[text.ceil_char_boundary(surplus)..].trim_end().to_owned()
}

/// What the end of a command means for its check. `None` for one that was cancelled. The reason has nothing of what the
/// command has printed: clients without logs see it.
pub(super) fn verdict(end: TaskEnd, timeout: Duration) -> Option<Result<(), ProbeFailure>> {
    let text = match end {
        TaskEnd::Exited(ExitStatus::Exited(0)) => return Some(Ok(())),
        TaskEnd::Exited(status) => status.to_string(),
        TaskEnd::TimedOut => format!("no result after {}", seconds_text(timeout)),
        TaskEnd::NotRun(NotSpawned { text, blame, .. }) => return Some(Err(ProbeFailure { text, blame })),
        TaskEnd::Cancelled => return None,
    };
    Some(Err(ProbeFailure::of_program(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_has_not_succeeded_is_the_reason() {
        let verdict = |end| verdict(end, Duration::from_secs(5));
        let exited = |code| verdict(TaskEnd::Exited(ExitStatus::Exited(code)));
        let failed = |text: &str| Some(Err(ProbeFailure::of_program(text)));
        assert_eq!(exited(0), Some(Ok(())));
        assert_eq!(exited(2), failed("exit status 2"));
        assert_eq!(verdict(TaskEnd::TimedOut), failed("no result after 5 seconds"));
        assert_eq!(verdict(TaskEnd::Cancelled), None);
        let short = TaskEnd::NotRun(NotSpawned::for_shortage("too many".to_owned()));
        assert_eq!(verdict(short), Some(Err(ProbeFailure::of_machine("too many"))));
    }

    #[test]
    fn the_end_of_the_output_is_kept_as_text() {
        assert_eq!(end_of_text(b"a\xff b\n\n"), "a\u{fffd} b");
        let long = format!("{}é{}\n", "x".repeat(10), "y".repeat(CHECK_OUTPUT_BYTES_MAX - 2));
        assert_eq!(end_of_text(long.as_bytes()), "y".repeat(CHECK_OUTPUT_BYTES_MAX - 2));
        let binary = end_of_text(&[0xff; 5000]);
        assert!(binary.len() <= CHECK_OUTPUT_BYTES_MAX, "{}", binary.len());
    }
}
