//! Health checks (`health`): whether a running process does its work, and what follows if it does not.
//!
//! A [`HealthMonitor`] exists while its process is RUNNING, so its deadline and a check that is under way are dropped
//! with that state. It makes one check at a time: the first within a second of readiness, the next `health_interval`
//! after the end of the previous one. Both are spread, so that many programs that started together are not
//! checked together. With `health=notify` the program reports by itself, and an interval without a report is a
//! failed check.
//!
//! A check that could not be made because the machine is short of resources says nothing about the program.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::not_spawned::Blame;
use super::probing::ProbeFailure;
use super::process::{Process, State};
use super::restart::{RestartRules, scatter, with_jitter};
use super::{Effects, Turn};
use crate::events::Event;
use crate::model::{
    ChildId, EventType, ExitStatus, HealthCheck, HealthInfo, HealthSpec, HealthStatus, LogLevel,
    LoggedEventKind, Mono, OnUnhealthy, Pid, ProcessSpec, TaskId, seconds_text, with_last_line,
};

/// The first check is made within this time, or within `health_interval` if that is shorter.
const FIRST_CHECK_WITHIN: Duration = Duration::from_secs(1);

/// The jitter of the pause between two checks.
const PAUSE_JITTER_PERCENT: u8 = 10;

/// Checks begin at multiples of this time, so that those of many programs share a turn.
const CHECK_STEP: Duration = Duration::from_millis(20);

/// A program can't ask to report more often: each missed report costs a turn.
const REPORT_INTERVAL_MIN: Duration = Duration::from_millis(10);

/// If we handle a deadline for a report this late, we were stopped ourselves, and probably the program with us.
const STOPPED_OURSELVES: Duration = Duration::from_secs(1);

/// What is known about the health of a running process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HealthMonitor {
    status: HealthStatus,
    /// When `health_start_period`, in which failures do not count, is over. The first success ends it.
    start_period_ends: Option<Mono>,
    failures_in_row: u32,
    successes_in_row: u32,
    /// Why the last check failed, unless it succeeded.
    last_failure: Option<String>,
    /// The last check could not be made, which was logged.
    is_unchecked: bool,
    progress: HealthProgress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum HealthProgress {
    CheckAt(Mono),
    Checking {
        probe: TaskId,
        timeout: Duration,
    },
    /// The deadline for the program's next report.
    ReportBy {
        at: Mono,
        interval: Duration,
    },
    /// It is to be stopped.
    Over,
}

/// What the outcome of a check changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HealthChange {
    Nothing,
    /// It failed, but not often enough yet to be unhealthy.
    CheckFailed,
    BecameHealthy,
    BecameUnhealthy,
    /// It failed again.
    StaysUnhealthy,
}

impl HealthMonitor {
    fn new(spec: &HealthSpec, now: Mono, progress: HealthProgress) -> Self {
        Self {
            status: HealthStatus::Starting,
            start_period_ends: (!spec.start_period.is_zero()).then(|| now.after(spec.start_period)),
            failures_in_row: 0,
            successes_in_row: 0,
            last_failure: None,
            is_unchecked: false,
            progress,
        }
    }

    fn deadline(&self) -> Option<Mono> {
        match self.progress {
            HealthProgress::CheckAt(at) | HealthProgress::ReportBy { at, .. } => Some(at),
            HealthProgress::Checking { .. } | HealthProgress::Over => None,
        }
    }

    /// The process no longer runs.
    pub(super) fn cancel(&self, out: &mut Effects) {
        if let HealthProgress::Checking { probe, .. } = self.progress {
            out.cancel_task(ChildId::Probe(probe));
        }
    }

    fn succeeded(&mut self, spec: &HealthSpec) -> HealthChange {
        self.start_period_ends = None;
        self.failures_in_row = 0;
        self.last_failure = None;
        self.successes_in_row = self.successes_in_row.saturating_add(1);
        if self.status == HealthStatus::Healthy || self.successes_in_row < spec.successes {
            return HealthChange::Nothing;
        }
        self.status = HealthStatus::Healthy;
        HealthChange::BecameHealthy
    }

    fn failed(&mut self, now: Mono, reason: String, spec: &HealthSpec) -> HealthChange {
        self.last_failure = Some(reason);
        self.successes_in_row = 0;
        if self.start_period_ends.is_some_and(|at| now < at) {
            return HealthChange::Nothing;
        }
        self.failures_in_row = self.failures_in_row.saturating_add(1);
        match self.status {
            HealthStatus::Starting | HealthStatus::Healthy if self.failures_in_row < spec.retries => {
                HealthChange::CheckFailed
            }
            HealthStatus::Starting | HealthStatus::Healthy => {
                self.status = HealthStatus::Unhealthy;
                HealthChange::BecameUnhealthy
            }
            HealthStatus::Unhealthy => HealthChange::StaysUnhealthy,
        }
    }

    /// `2 of 3 checks failed: connection refused`
    fn failure_text(&self, spec: &HealthSpec) -> Option<String> {
        let reason = self.last_failure.as_ref()?;
        let retries = spec.retries.max(1);
        // Once it is unhealthy, further failures change nothing.
        let failures = match self.status {
            HealthStatus::Unhealthy => retries,
            HealthStatus::Starting | HealthStatus::Healthy => self.failures_in_row,
        };
        Some(match (failures, retries) {
            (0, _) => format!("a check in health_start_period failed: {reason}"),
            (_, 1) => reason.clone(),
            _ => format!("{failures} of {retries} checks failed: {reason}"),
        })
    }
}

/// The first time to begin a check that is not before this one.
pub(super) fn next_step(at: Mono) -> Mono {
    let late = at.0.as_nanos() % CHECK_STEP.as_nanos();
    let wait = if late == 0 { 0 } else { CHECK_STEP.as_nanos() - late };
    at.after(Duration::from_nanos(u64::try_from(wait).unwrap_or_default()))
}

impl Process {
    /// Begins the checks of a process that has become RUNNING.
    pub(super) fn begin_health(&mut self, turn: &Turn) {
        let now = turn.now.mono;
        let Some(health) = &self.spec.lifecycle.health else { return };
        let progress = match (&health.check, self.report_interval.as_deref().copied()) {
            (HealthCheck::Notify, Some(interval)) => {
                HealthProgress::ReportBy { at: now.after(interval), interval }
            }
            // It was started without a socket, and can't report before its next start.
            (HealthCheck::Notify, None) => return,
            (HealthCheck::Probe(_), _) => {
                let within = health.interval.min(FIRST_CHECK_WITHIN);
                let micros = u64::try_from(within.as_micros()).unwrap_or(u64::MAX).max(1);
                let scattered = Duration::from_micros(scatter(turn.random, self.id) % micros);
                HealthProgress::CheckAt(next_step(now.after(scattered)))
            }
        };
        self.health = Some(Box::new(HealthMonitor::new(health, now, progress)));
    }

    /// Sets how often a process that is about to be spawned has to report in this run, as its environment says.
    pub(super) fn choose_report_interval(&mut self) {
        let health = self.spec.lifecycle.health.as_ref().filter(|health| health.check == HealthCheck::Notify);
        self.report_interval = health.map(|health| Box::new(health.interval));
    }

    /// Applies a changed specification to a running process. Its health stays known unless the check is another one.
    pub(super) fn health_updated(&mut self, turn: &Turn, old: &ProcessSpec, out: &mut Effects) {
        let check = |spec: &ProcessSpec| spec.lifecycle.health.as_ref().map(|health| health.check.clone());
        if check(old) != check(&self.spec) {
            self.clear_check_output();
            if let Some(monitor) = self.health.take() {
                monitor.cancel(out);
            }
            if matches!(self.state, State::Running { .. }) {
                self.begin_health(turn);
            }
            return;
        }
        let (Some(health), Some(monitor)) = (&self.spec.lifecycle.health, &mut self.health) else { return };
        if let HealthProgress::CheckAt(at) = &mut monitor.progress {
            *at = (*at).min(next_step(turn.now.mono.after(health.interval)));
        }
        let ready_at = self.ready_at.unwrap_or(turn.now.mono);
        monitor.start_period_ends = monitor.start_period_ends.map(|_| ready_at.after(health.start_period));
    }

    pub(super) fn health_deadline(&self) -> Option<Mono> {
        self.health.as_ref()?.deadline()
    }

    /// Begins a check that is due, or notes that a report is missing.
    pub(super) fn health_time_passed(&mut self, turn: &Turn, out: &mut Effects) {
        let now = turn.now.mono;
        let (Some(health), Some(monitor)) = (&self.spec.lifecycle.health, &mut self.health) else { return };
        if !turn.restarts_allowed || monitor.deadline().is_none_or(|at| now < at) {
            return;
        }
        match (&health.check, monitor.progress) {
            (HealthCheck::Probe(target), HealthProgress::CheckAt(_)) => {
                let timeout = health.timeout;
                let probe = out.begin_probe(self.id, target, timeout);
                monitor.progress = HealthProgress::Checking { probe, timeout };
            }
            (_, HealthProgress::ReportBy { at, interval }) => {
                monitor.progress = HealthProgress::ReportBy { at: now.after(interval), interval };
                if now.since(at) < STOPPED_OURSELVES {
                    let reason = format!("no WATCHDOG=1 in {}", seconds_text(interval));
                    self.health_check_failed(turn, reason, out);
                }
            }
            (HealthCheck::Notify, HealthProgress::CheckAt(_))
            | (_, HealthProgress::Checking { .. } | HealthProgress::Over) => {}
        }
    }

    /// The time limit of the health check that is under way.
    pub(super) fn health_timeout(&self) -> Option<Duration> {
        match self.health.as_ref()?.progress {
            HealthProgress::Checking { timeout, .. } => Some(timeout),
            HealthProgress::CheckAt(_) | HealthProgress::ReportBy { .. } | HealthProgress::Over => None,
        }
    }

    /// Handles the outcome of a probe if it is a health check of this process.
    pub(super) fn health_checked(
        &mut self,
        turn: &Turn,
        probe: TaskId,
        outcome: Result<(), ProbeFailure>,
        out: &mut Effects,
    ) {
        let (Some(health), Some(monitor)) = (&self.spec.lifecycle.health, &mut self.health) else { return };
        if !matches!(monitor.progress, HealthProgress::Checking { probe: current, .. } if current == probe) {
            return;
        }
        let pause = with_jitter(health.interval, PAUSE_JITTER_PERCENT, scatter(turn.random, self.id));
        monitor.progress = HealthProgress::CheckAt(next_step(turn.now.mono.after(pause)));
        let is_unchecked = matches!(&outcome, Err(failure) if failure.blame == Blame::Machine);
        let was_unchecked = std::mem::replace(&mut monitor.is_unchecked, is_unchecked);
        match outcome {
            Ok(()) => self.health_check_succeeded(out),
            Err(failure) if is_unchecked => {
                let name = &self.spec.name;
                let text = format!("the health of {name} cannot be checked: {}", failure.text);
                out.log(if was_unchecked { LogLevel::Debug } else { LogLevel::Warn }, text);
            }
            Err(failure) => self.health_check_failed(turn, failure.text, out),
        }
    }

    /// `WATCHDOG=1`
    pub(super) fn reported_alive(&mut self, turn: &Turn, out: &mut Effects) {
        if self.expect_next_report(turn, None) {
            self.health_check_succeeded(out);
        }
    }

    /// `WATCHDOG_USEC=`: sets the interval of reports from now on.
    pub(super) fn chose_report_interval(&mut self, turn: &Turn, interval: Duration) {
        self.expect_next_report(turn, Some(interval.max(REPORT_INTERVAL_MIN)));
    }

    /// `WATCHDOG=trigger`: makes it unhealthy, as if enough checks had failed.
    pub(super) fn reported_unhealthy(&mut self, turn: &Turn, out: &mut Effects) {
        if !self.expect_next_report(turn, None) {
            return;
        }
        if let (Some(health), Some(monitor)) = (&self.spec.lifecycle.health, &mut self.health) {
            monitor.start_period_ends = None;
            monitor.failures_in_row = health.retries.saturating_sub(1);
            self.health_check_failed(turn, "it has sent WATCHDOG=trigger".to_owned(), out);
        }
    }

    /// Restarts the time until the next report. False if it does not have to report.
    fn expect_next_report(&mut self, turn: &Turn, other: Option<Duration>) -> bool {
        let Some(monitor) = &mut self.health else { return false };
        let HealthProgress::ReportBy { interval, .. } = monitor.progress else { return false };
        let interval = other.unwrap_or(interval);
        monitor.progress = HealthProgress::ReportBy { at: turn.now.mono.after(interval), interval };
        true
    }

    fn health_check_succeeded(&mut self, out: &mut Effects) {
        let (Some(health), Some(monitor)) = (&self.spec.lifecycle.health, &mut self.health) else { return };
        let was_unhealthy = monitor.status == HealthStatus::Unhealthy;
        if monitor.succeeded(health) == HealthChange::BecameHealthy {
            let again = if was_unhealthy { " again" } else { "" };
            out.log(LogLevel::Info, format!("{} is healthy{again}", self.spec.name));
            self.announce_health(None, out);
        }
    }

    fn health_check_failed(&mut self, turn: &Turn, reason: String, out: &mut Effects) {
        let (Some(health), Some(monitor)) = (&self.spec.lifecycle.health, &mut self.health) else { return };
        let change = monitor.failed(turn.now.mono, reason, health);
        let text = monitor.failure_text(health).unwrap_or_default();
        let log = |level, out: &mut Effects| {
            let text = with_last_line(&text, self.check_output());
            out.log(level, format!("health of {}: {text}", self.spec.name));
        };
        match change {
            HealthChange::Nothing | HealthChange::BecameHealthy => log(LogLevel::Debug, out),
            HealthChange::CheckFailed => log(LogLevel::Info, out),
            HealthChange::BecameUnhealthy => self.became_unhealthy(turn, text, out),
            HealthChange::StaysUnhealthy => self.act_on_unhealthy(turn, format!("unhealthy: {text}"), out),
        }
    }

    fn became_unhealthy(&mut self, turn: &Turn, failure: String, out: &mut Effects) {
        let name = &self.spec.name;
        let action =
            self.spec.lifecycle.health.as_ref().map_or(OnUnhealthy::Ignore, |health| health.on_unhealthy);
        let consequence = match action {
            OnUnhealthy::Restart if !turn.restarts_allowed => "",
            OnUnhealthy::Restart if self.restarts_unhealthy() => "; restarting it",
            OnUnhealthy::Restart => "; stopping it",
            OnUnhealthy::Shutdown | OnUnhealthy::Ignore => "",
        };
        let printed = with_last_line(&failure, self.check_output());
        out.log(LogLevel::Warn, format!("{name} is unhealthy: {printed}{consequence}"));
        let reason = format!("unhealthy: {failure}");
        self.announce_health(Some(failure), out);
        self.act_on_unhealthy(turn, reason, out);
    }

    /// A restart is a stop, after which the restart policy decides. Processes bound to it stop first.
    fn act_on_unhealthy(&mut self, turn: &Turn, reason: String, out: &mut Effects) {
        let (Some(health), Some(monitor)) = (&self.spec.lifecycle.health, &mut self.health) else { return };
        if !turn.restarts_allowed {
            return;
        }
        match health.on_unhealthy {
            OnUnhealthy::Restart => {
                monitor.progress = HealthProgress::Over;
                self.remarks_mut().unhealthy_reason = Some(reason);
                self.failed_check = true;
                out.to_unbind.push(self.id);
            }
            OnUnhealthy::Shutdown => {
                self.remarks_mut().unhealthy_reason = Some(reason);
                self.failed_check = true;
                out.ended.push(self.id);
            }
            OnUnhealthy::Ignore => {}
        }
    }

    /// Handles the end of a process that was stopped as unhealthy: never an expected end, whatever its exit status.
    pub(super) fn ended_unhealthy(
        &mut self,
        turn: &Turn,
        reason: String,
        status: ExitStatus,
        out: &mut Effects,
    ) {
        self.exit_status = Some(status);
        self.failed_starts = 0;
        if self.restarts_unhealthy() {
            self.remarks_mut().spawn_error = reason;
            self.restart_after_exit(turn, out);
        } else {
            self.give_up(turn, reason, out);
        }
    }

    pub(super) fn restarts_unhealthy(&self) -> bool {
        RestartRules::of(&self.spec).restarts_after_exit(false)
    }

    /// Whether it has to be stopped, at once or after the processes bound to it.
    pub(super) fn is_to_stop_unhealthy(&self) -> bool {
        self.health.as_ref().is_some_and(|monitor| monitor.progress == HealthProgress::Over)
            || self.memory_verdict() == Some(OnUnhealthy::Restart)
    }

    /// Whether the supervisor has to end because of it.
    pub(super) fn ends_supervisor_unhealthy(&self) -> bool {
        let shuts_down = |health: &HealthSpec| health.on_unhealthy == OnUnhealthy::Shutdown;
        self.unhealthy_reason().is_some()
            && (self.spec.lifecycle.health.as_deref().is_some_and(shuts_down)
                || self.memory_verdict() == Some(OnUnhealthy::Shutdown))
    }

    /// A running process without a check that can be made counts as healthy.
    pub(super) fn is_healthy(&self) -> bool {
        self.health.as_ref().is_none_or(|monitor| monitor.status == HealthStatus::Healthy)
    }

    /// `None` while nothing is checked.
    pub(super) fn health_status(&self) -> Option<HealthStatus> {
        self.health.as_ref().map(|monitor| monitor.status)
    }

    /// Its health as clients see it; `None` while nothing is checked.
    pub(super) fn health_info(&self) -> Option<HealthInfo> {
        let (health, monitor) = self.spec.lifecycle.health.as_ref().zip(self.health.as_ref())?;
        Some(HealthInfo { status: monitor.status, failure: monitor.failure_text(health) })
    }

    /// Why it is stopped or restarted.
    pub(super) fn unhealthy_end_text(&self) -> Option<String> {
        let is_ending = match self.state {
            State::Stopping { .. } | State::Exited { restart_at: Some(_) } => true,
            State::Stopped
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Exited { restart_at: None }
            | State::Fatal
            | State::Unknown { .. } => false,
        };
        self.unhealthy_reason().filter(|_| is_ending).map(str::to_owned)
    }

    fn announce_health(&self, failure: Option<String>, out: &mut Effects) {
        let event = match failure {
            None => EventType::ProcessHealthHealthy,
            Some(_) => EventType::ProcessHealthUnhealthy,
        };
        let pid = self.pid().map_or(0, |Pid(pid)| pid);
        let status = if failure.is_none() { HealthStatus::Healthy } else { HealthStatus::Unhealthy };
        let (group, name) = (self.spec.group.clone(), self.spec.name.clone());
        out.record(LoggedEventKind::Health { group, name, status, failure: failure.clone() });
        let failure = failure.map(|failure| with_last_line(&failure, self.check_output()));
        out.announce(event, || Event::Health { names: self.names(), pid, failure });
    }

    /// A process that names checks of its readiness is ready.
    pub(super) fn announce_ready(&self, out: &mut Effects) {
        if self.spec.lifecycle.readiness.is_some() {
            let pid = self.pid().map_or(0, |Pid(pid)| pid);
            out.announce(EventType::ProcessReady, || Event::Ready { names: self.names(), pid });
        }
    }
}
