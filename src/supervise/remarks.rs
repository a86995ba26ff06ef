//! What is known of a process in words: of most processes nothing is.

use serde::{Deserialize, Serialize};

use super::process::Process;

/// Texts about the last attempt, and about the last check.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Remarks {
    pub(super) spawn_error: String,
    /// The step at which the child of the last attempt could not become its program, where Supervisor reports only its end.
    pub(super) step_failure: Option<String>,
    /// Why this run was found unhealthy, if that had consequences.
    pub(super) unhealthy_reason: Option<String>,
    /// The status text that the program has reported in this run.
    pub(super) reported_status: String,
    /// What the command of its last failed check has printed, at the end. A check that succeeds clears it.
    pub(super) check_output: String,
}

impl Process {
    pub(super) fn spawn_error(&self) -> &str {
        self.remarks.as_ref().map_or("", |it| &it.spawn_error)
    }

    pub(super) fn step_failure(&self) -> Option<&str> {
        self.remarks.as_ref()?.step_failure.as_deref()
    }

    pub(super) fn unhealthy_reason(&self) -> Option<&str> {
        self.remarks.as_ref()?.unhealthy_reason.as_deref()
    }

    pub(super) fn reported_status(&self) -> &str {
        self.remarks.as_ref().map_or("", |it| &it.reported_status)
    }

    pub(super) fn check_output(&self) -> &str {
        self.remarks.as_ref().map_or("", |it| &it.check_output)
    }

    pub(super) fn remarks_mut(&mut self) -> &mut Remarks {
        self.remarks.get_or_insert_default()
    }

    pub(super) fn clear_check_output(&mut self) {
        if let Some(remarks) = &mut self.remarks {
            remarks.check_output.clear();
        }
    }

    /// Another attempt begins, about which nothing is known. What a check has printed is kept until one succeeds.
    pub(super) fn forget_remarks(&mut self) {
        let check_output = self.remarks.take().map(|it| it.check_output).filter(|it| !it.is_empty());
        self.remarks =
            check_output.map(|check_output| Box::new(Remarks { check_output, ..Remarks::default() }));
    }
}
