//! Programs that exit at once with status 0 because they daemonize.
//!
//! Such a start fails, and the next finds its port taken. As the subreaper or PID 1 we have adopted the
//! daemon, so the shell can find it, and the log and the status can explain what happened.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::process::{Process, seconds};
use super::restart::RESTART_SPACING;
use super::{Effect, Effects, Supervisor, Turn};
use crate::model::{ExitStatus, LogLevel, Pid, ProcessId, ProcessState, ProgramType};

/// A program that has been up for this long evidently runs.
const SETTLED: Duration = Duration::from_secs(30);

/// A living process that we have adopted since a program was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphan {
    /// Its pid.
    pub pid: Pid,
    /// Its process group.
    pub group: Pid,
    /// Group and name that we put into its environment; `None` if that can't be read or has been overwritten.
    pub started_as: Option<(String, String)>,
    /// Whether its executable has the name of the program's.
    pub has_programs_name: bool,
    /// How to keep the program in the foreground, if known.
    pub foreground_form: Option<String>,
}

/// What a program has left in the background.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Background {
    pid: Pid,
    foreground_form: Option<String>,
}

impl Process {
    /// It ended by itself, and starts again or has failed to start.
    pub(super) fn look_for_background(
        &self,
        turn: &Turn,
        leader: Option<Pid>,
        status: ExitStatus,
        out: &mut Effects,
    ) {
        let (Some(leader), Some((started, _))) = (leader, self.started) else { return };
        let age = turn.now.mono.since(started);
        let is_daemon = self.spec.program_type == ProgramType::Daemon;
        if is_daemon
            && status == ExitStatus::Exited(0)
            && age < RESTART_SPACING.max(seconds(self.spec.start_secs))
        {
            out.push(Effect::LookForOrphans { process: self.id, leader, age });
        }
    }

    fn is_its_own(&self, leader: Pid, orphan: &Orphan) -> bool {
        match &orphan.started_as {
            Some((group, name)) => self.spec.group == *group && self.spec.name == *name,
            None => orphan.group == leader || orphan.has_programs_name,
        }
    }

    /// The outcome of `LookForOrphans`.
    pub(super) fn orphans_found(&mut self, leader: Pid, orphans: &[Orphan], out: &mut Effects) {
        let Some(orphan) = orphans.iter().find(|orphan| self.is_its_own(leader, orphan)) else {
            // It has not been started again meanwhile.
            self.background.take_if(|it| it.pid == leader);
            return;
        };
        let is_new = self.background.is_none();
        let foreground_form = orphan.foreground_form.clone();
        self.background = Some(Box::new(Background { pid: orphan.pid, foreground_form }));
        if let Some(hint) = self.hint().filter(|_| is_new) {
            let hint = hint.strip_prefix("it ").unwrap_or(&hint);
            out.log(LogLevel::Warn, format!("{} {hint}", self.spec.name));
        }
    }

    /// Whether its process in the background may block it: some programs try for longer than `startsecs` to bind a
    /// port that is in use.
    pub(super) fn may_be_kept_from_running(&self, uptime: Duration) -> bool {
        self.state() != ProcessState::Running || uptime < SETTLED
    }

    /// What is known about its end beyond Supervisor's text.
    pub(super) fn hint(&self) -> Option<String> {
        let Background { pid, foreground_form } = self.background.as_deref()?;
        let form = foreground_form.as_ref().map_or_else(String::new, |form| format!(" ({form})"));
        Some(format!("it went into the background as pid {pid}; run it in the foreground{form}"))
    }
}

impl Supervisor {
    /// An orphan has ended. A double fork leaves the first child for a moment, and then the second.
    pub(super) fn look_again(&mut self, ended: Pid, turn: &Turn, out: &mut Effects) {
        let Some(process) = self.in_background.remove(&ended).and_then(|id| self.process(id)) else { return };
        let Some((started, _)) = process.started else { return };
        let age = turn.now.mono.since(started);
        out.push(Effect::LookForOrphans { process: process.id, leader: ended, age });
    }

    pub(super) fn orphans_found(
        &mut self,
        id: ProcessId,
        leader: Pid,
        orphans: &[Orphan],
        out: &mut Effects,
    ) {
        self.with(id, |process| process.orphans_found(leader, orphans, out));
        if let Some(background) = self.process(id).and_then(|process| process.background.as_ref()) {
            self.in_background.insert(background.pid, id);
        }
    }
}
