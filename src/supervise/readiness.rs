//! Explicit readiness (`ready`): checks that all have to hold before a starting process is RUNNING, and the
//! time that a start may take (`ready_timeout`).
//!
//! Some checks are reported ([`super::Input::ReadyReported`]): the program says that it is ready. The others are
//! probed: at once after the spawn, then with growing pauses up to `ready_interval`, until the check
//! holds or the process has left STARTING. Probes of one check never overlap, and a process has at most one
//! command running as a probe.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::probing::{ProbeFailure, verdict};
use super::process::{Process, State, Until, seconds};
use super::task::TaskEnd;
use super::{Effect, Effects, Supervisor, Turn};
use crate::model::{
    ChildId, LogLevel, Mono, Pid, Probe, ProcessId, ProcessSpec, ProgramType, ReadyCheck, TaskId,
    seconds_text, with_last_line,
};

/// The pause after the first failed probe; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// How long one probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// The checks of a starting process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Readiness {
    checks: Vec<OpenCheck>,
    /// `ready_interval`
    interval: Duration,
}

#[derive(Debug, Serialize, Deserialize)]
struct OpenCheck {
    check: ReadyCheck,
    progress: CheckProgress,
    failed_probes: u32,
    /// Why it does not hold, once that is known.
    failure: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum CheckProgress {
    Holds,
    /// It holds once the process has been alive until then.
    HoldsAt(Mono),
    /// The program or its output reports it.
    Awaited,
    /// The time of the next probe.
    DueAt(Mono),
    Probing(TaskId),
}

impl Until {
    /// The condition under which this process becomes RUNNING if it is spawned now.
    pub(super) fn after_spawn(spec: &ProcessSpec, now: Mono) -> Self {
        let give_up_at = spec.start_timeout().map(|timeout| now.after(timeout));
        let up_at = now.after(seconds(spec.start_secs));
        match (spec.program_type, &spec.lifecycle.readiness) {
            (ProgramType::Oneshot, _) => Self::Done { give_up_at },
            (ProgramType::Daemon, None) => Self::UpFor { at: up_at },
            (ProgramType::Daemon, Some(ready)) => {
                let checks = ready.checks.iter().map(|check| OpenCheck::new(check, now, up_at)).collect();
                let readiness = Readiness { checks, interval: ready.interval };
                Self::Ready { readiness: Box::new(readiness), give_up_at }
            }
        }
    }
}

impl Readiness {
    pub(super) fn holds(&self, now: Mono) -> bool {
        self.checks.iter().all(|check| check.holds(now))
    }

    /// When the next probe is due or a check may hold.
    pub(super) fn deadline(&self) -> Option<Mono> {
        let may_run = !self.runs_command();
        self.checks.iter().filter_map(|check| check.deadline(may_run)).min()
    }

    /// Begins the probes that are due. A check that holds has no deadline any more.
    fn time_passed(&mut self, process: ProcessId, now: Mono, out: &mut Effects) {
        let mut may_run = !self.runs_command();
        for check in &mut self.checks {
            if check.holds(now) {
                check.progress = CheckProgress::Holds;
            }
            if check.deadline(may_run).is_some_and(|at| at <= now) && check.begin_probe(process, out) {
                may_run = false;
            }
        }
    }

    fn runs_command(&self) -> bool {
        self.checks
            .iter()
            .any(|check| check.is_command() && matches!(check.progress, CheckProgress::Probing(_)))
    }

    /// The process has left STARTING.
    pub(super) fn cancel(&self, out: &mut Effects) {
        for check in &self.checks {
            if let CheckProgress::Probing(probe) = check.progress {
                out.cancel_task(ChildId::Probe(probe));
            }
        }
    }

    fn probed(&mut self, probe: TaskId, now: Mono, outcome: Result<(), ProbeFailure>) {
        let interval = self.interval;
        if let Some(check) = self.checks.iter_mut().find(|it| it.progress == CheckProgress::Probing(probe)) {
            check.probed(now, outcome, interval);
        }
    }

    fn reported(&mut self, check: usize) {
        if let Some(check) = self.checks.get_mut(check).filter(|it| it.progress == CheckProgress::Awaited) {
            check.progress = CheckProgress::Holds;
        }
    }

    /// The first check that does not hold.
    fn open(&self, now: Mono) -> Option<&OpenCheck> {
        self.checks.iter().find(|check| !check.holds(now))
    }

    /// Why it is not ready. The name of the check is omitted if there is only one.
    fn reason(&self, now: Mono) -> String {
        match self.open(now) {
            Some(check) if self.checks.len() == 1 => check.reason(),
            Some(check) => format!("{}: {}", check.check, check.reason()),
            None => String::new(),
        }
    }
}

impl OpenCheck {
    fn new(check: &ReadyCheck, now: Mono, up_at: Mono) -> Self {
        let progress = match check {
            ReadyCheck::StartSecs => CheckProgress::HoldsAt(up_at),
            ReadyCheck::Notify | ReadyCheck::Fd(_) | ReadyCheck::Log(_) => CheckProgress::Awaited,
            ReadyCheck::Probe(_) | ReadyCheck::File(_) => CheckProgress::DueAt(now),
        };
        Self { check: check.clone(), progress, failed_probes: 0, failure: None }
    }

    fn holds(&self, now: Mono) -> bool {
        match self.progress {
            CheckProgress::Holds => true,
            CheckProgress::HoldsAt(at) => at <= now,
            CheckProgress::Awaited | CheckProgress::DueAt(_) | CheckProgress::Probing(_) => false,
        }
    }

    fn is_command(&self) -> bool {
        matches!(self.check, ReadyCheck::Probe(Probe::Exec(_)))
    }

    /// `may_run` is false while a command of this process runs.
    fn deadline(&self, may_run: bool) -> Option<Mono> {
        match self.progress {
            CheckProgress::HoldsAt(at) => Some(at),
            CheckProgress::DueAt(at) => (may_run || !self.is_command()).then_some(at),
            CheckProgress::Holds | CheckProgress::Awaited | CheckProgress::Probing(_) => None,
        }
    }

    /// Whether this runs a command.
    fn begin_probe(&mut self, process: ProcessId, out: &mut Effects) -> bool {
        if !matches!(self.progress, CheckProgress::DueAt(_)) {
            return false;
        }
        match &self.check {
            ReadyCheck::Probe(target) => {
                self.progress = CheckProgress::Probing(out.begin_probe(process, target, PROBE_TIMEOUT));
                return self.is_command();
            }
            ReadyCheck::File(path) => {
                let probe = out.tasks.begin(process);
                self.progress = CheckProgress::Probing(probe);
                out.push(Effect::CheckFile { probe, path: path.clone(), timeout: PROBE_TIMEOUT });
            }
            ReadyCheck::StartSecs | ReadyCheck::Notify | ReadyCheck::Fd(_) | ReadyCheck::Log(_) => {}
        }
        false
    }

    fn probed(&mut self, now: Mono, outcome: Result<(), ProbeFailure>, interval: Duration) {
        match outcome {
            Ok(()) => self.progress = CheckProgress::Holds,
            Err(failure) => {
                self.failure = Some(failure.text);
                self.progress = CheckProgress::DueAt(now.after(pause_after(self.failed_probes, interval)));
                self.failed_probes = self.failed_probes.saturating_add(1);
            }
        }
    }

    fn reason(&self) -> String {
        if let Some(failure) = &self.failure {
            return failure.clone();
        }
        match &self.check {
            ReadyCheck::StartSecs => "startsecs is not over".to_owned(),
            ReadyCheck::Notify => "READY=1 was not sent".to_owned(),
            ReadyCheck::Fd(number) => format!("nothing was written to descriptor {number}"),
            ReadyCheck::Log(regex) => format!("no line matches '{regex}'"),
            ReadyCheck::Probe(_) | ReadyCheck::File(_) => "no answer yet".to_owned(),
        }
    }
}

/// The pause after a probe, by the number of failed probes before it.
fn pause_after(failed_before: u32, interval: Duration) -> Duration {
    let factor = 1_u32.checked_shl(failed_before).unwrap_or(u32::MAX);
    FIRST_PAUSE.saturating_mul(factor).min(interval)
}

impl Process {
    /// Handles what is due of a start: probes, and its end if it takes too long.
    pub(super) fn start_time_passed(&mut self, turn: &Turn, out: &mut Effects) {
        let now = turn.now.mono;
        let (id, State::Starting { pid: Some(pid), until }) = (self.id, &mut self.state) else { return };
        let pid = *pid;
        let (lacks, reason, is_command) = match until {
            Until::Ready { give_up_at: Some(at), readiness } if now >= *at => {
                let is_command = readiness.open(now).is_some_and(|open| open.is_command());
                ("ready", readiness.reason(now), is_command)
            }
            Until::Done { give_up_at: Some(at) } if now >= *at => ("done", String::new(), false),
            Until::Ready { readiness, .. } => return readiness.time_passed(id, now, out),
            Until::Done { .. } | Until::UpFor { .. } => return,
        };
        let elapsed = seconds_text(self.spec.start_timeout().unwrap_or_default());
        let separator = if reason.is_empty() { "" } else { ": " };
        self.remarks_mut().spawn_error = format!("not {lacks} after {elapsed}{separator}{reason}");
        let printed = if is_command {
            with_last_line(self.spawn_error(), self.check_output())
        } else {
            self.spawn_error().to_owned()
        };
        out.log(LogLevel::Warn, format!("{} is {printed}; stopping it", self.spec.name));
        self.start_timed_out = true;
        self.failed_check = is_command;
        self.begin_stopping(turn, pid, out);
    }

    /// A check of this run holds, as the program has reported.
    fn ready_reported(&mut self, turn: &Turn, pid: Pid, check: usize, out: &mut Effects) {
        if let State::Starting { pid: Some(current), until: Until::Ready { readiness, .. } } = &mut self.state
            && (*current == pid || self.leader == Some(pid))
        {
            readiness.reported(check);
            self.time_passed(turn, out);
        }
    }

    fn probed(&mut self, turn: &Turn, probe: TaskId, outcome: Result<(), ProbeFailure>, out: &mut Effects) {
        if let State::Starting { until: Until::Ready { readiness, .. }, .. } = &mut self.state {
            readiness.probed(probe, turn.now.mono, outcome);
            self.time_passed(turn, out);
        } else {
            self.health_checked(turn, probe, outcome, out);
        }
    }

    /// The check that a process lacks to be ready; `None` if it is or has no explicit checks.
    fn lacking(&self, now: Mono) -> Option<&OpenCheck> {
        match &self.state {
            State::Starting { pid: Some(_), until: Until::Ready { readiness, .. } } => readiness.open(now),
            _ => None,
        }
    }

    /// Whether that is a command which has failed.
    pub(super) fn lacks_command_check(&self, now: Mono) -> bool {
        self.lacking(now).is_some_and(|open| open.is_command() && open.failure.is_some())
    }

    /// What clients see of a process that is not ready.
    pub(super) fn not_ready_text(&self, now: Mono) -> Option<String> {
        let open = self.lacking(now)?;
        Some(format!("not ready yet: {}: {}", open.check, open.reason()))
    }
}

impl Supervisor {
    pub(super) fn ready_reported(
        &mut self,
        turn: &Turn,
        id: ProcessId,
        (pid, check): (Pid, usize),
        out: &mut Effects,
    ) {
        self.with(id, |process| process.ready_reported(turn, pid, check, out));
        self.changed(turn, id, None, out);
    }

    /// The outcome of a probe. A cancelled one belongs to no process.
    pub(super) fn probed(
        &mut self,
        turn: &Turn,
        probe: TaskId,
        outcome: Result<(), ProbeFailure>,
        out: &mut Effects,
    ) {
        let Some(id) = out.tasks.end(probe) else { return };
        self.with(id, |process| process.probed(turn, probe, outcome, out));
        self.changed(turn, id, None, out);
    }

    fn timeout_of(&self, probe: TaskId, out: &Effects) -> Duration {
        let process = out.tasks.owner(probe).and_then(|id| self.process(id));
        process.and_then(Process::health_timeout).unwrap_or(PROBE_TIMEOUT)
    }

    pub(super) fn task_ended(
        &mut self,
        turn: &Turn,
        child: ChildId,
        (end, output): (TaskEnd, &[u8]),
        out: &mut Effects,
    ) {
        match child {
            ChildId::Probe(probe) => match verdict(end, self.timeout_of(probe, out)) {
                Some(outcome) => {
                    if let Some(id) = out.tasks.owner(probe) {
                        self.with(id, |process| process.note_check_output(&outcome, output));
                    }
                    self.probed(turn, probe, outcome, out);
                }
                None => drop(out.tasks.end(probe)),
            },
            ChildId::Hook(hook) => self.hook_ended(turn, hook, end, out),
            // Not run yet.
            ChildId::Exec(_) | ChildId::Process(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_interval() {
        let pause = |failed| pause_after(failed, Duration::from_secs(1)).as_millis();
        assert_eq!(
            [0, 1, 2, 6, 7, 8, 31, 32, u32::MAX].map(pause),
            [10, 20, 40, 640, 1000, 1000, 1000, 1000, 1000]
        );
    }
}
