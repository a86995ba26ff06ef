//! Programs that end at once with status 0 because they have gone on in the background.
//!
//! Such a start fails, and the next finds its port taken. As the subreaper or PID 1 we have adopted what was
//! left, so the shell can look for it, and log and status can say what has happened.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::process::{Process, seconds};
use super::restart::RESTART_SPACING;
use super::{Effect, Effects, Supervisor, Turn};
use crate::model::{ExitStatus, LogLevel, Pid, ProcessId, ProcessState, ProgramType};

/// What has been up for so long is not kept from running.
const SETTLED: Duration = Duration::from_secs(30);

/// A process that we have adopted since a program was started, and that lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphan {
    /// Its pid.
    pub pid: Pid,
    /// Its process group.
    pub group: Pid,
    /// Group and name that its environment has of us; `None` if that can't be read, or has been overwritten.
    pub started_as: Option<(String, String)>,
    /// Whether its executable has the name of the program's.
    pub has_programs_name: bool,
    /// How the program is kept in the foreground, if that is known.
    pub foreground_form: Option<String>,
}

/// What a program has left in the background.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Background {
    pid: Pid,
    foreground_form: Option<String>,
}

impl Process {
    /// It has ended by itself, and is to be started again or has failed to start.
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
            Some((group, name)) => (group, name) == (&self.spec.group, &self.spec.name),
            None => orphan.group == leader || orphan.has_programs_name,
        }
    }

    /// The outcome of `LookForOrphans`.
    pub(super) fn orphans_found(&mut self, leader: Pid, orphans: &[Orphan], out: &mut Effects) {
        let Some(orphan) = orphans.iter().find(|orphan| self.is_its_own(leader, orphan)) else {
            // Nothing has taken the place of the one that has ended.
            self.background.take_if(|it| it.pid == leader);
            return;
        };
        let is_new = self.background.is_none();
        self.background =
            Some(Background { pid: orphan.pid, foreground_form: orphan.foreground_form.clone() });
        if let Some(hint) = self.hint().filter(|_| is_new) {
            let hint = hint.strip_prefix("it ").unwrap_or(&hint);
            out.log(LogLevel::Warn, format!("{} {hint}", self.spec.name));
        }
    }

    /// Whether what it has left in the background may be in its way: some try for longer than `startsecs` to get a
    /// port that is taken.
    pub(super) fn may_be_kept_from_running(&self, uptime: Duration) -> bool {
        self.state() != ProcessState::Running || uptime < SETTLED
    }

    /// What there is to know about its end beyond Supervisor's words.
    pub(super) fn hint(&self) -> Option<String> {
        let Background { pid, foreground_form } = self.background.as_ref()?;
        let form = foreground_form.as_ref().map_or_else(String::new, |form| format!(" ({form})"));
        Some(format!("it went into the background as pid {pid}; run it in the foreground{form}"))
    }
}

impl Supervisor {
    /// An orphan has ended. What forks twice leaves its first child for a moment, and then its second.
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
