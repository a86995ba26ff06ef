//! Scheduled runs: when the next one starts, and what happens if the previous one is not over.
//!
//! The next run is computed from the last instant, in UTC, so a run is neither repeated nor lost when local time
//! changes. While a run is pending the wall clock is read at least once a minute. A clock that was set back, or that is
//! past a run by more than a minute, starts no run, and the next is computed from the new time; `schedule_catch_up`
//! makes up one run for all that were missed.
//!
//! A scheduled program is a job: it does not start with the supervisor, an exit ends the run whatever its code, and
//! a job that has failed for good is tried again with the next run. `stop` pauses the schedule until the next `start`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::describe::month_day_and_time;
use super::desired::{Desired, RunTarget, TargetOrigin};
use super::process::{Process, State};
use super::restart::scatter;
use super::{Effects, Turn};
use crate::model::{LogLevel, Mono, Now, Overlap, ProcessId, ProcessState, Wall};

/// How long a change of the clock may go unnoticed; a run that is later than this was missed.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// A run that has not started yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PendingRun {
    /// The instant that the schedule names, in seconds since 1970.
    at: i64,
    /// When it starts, with its jitter.
    starts_at_ms: i64,
    /// The time when the wall clock was last read.
    seen: Now,
}

impl PendingRun {
    fn wait(self) -> Duration {
        let left = self.starts_at_ms.saturating_sub(self.seen.wall.unix_ms);
        Duration::from_millis(u64::try_from(left).unwrap_or(0)).min(LOOK_EVERY)
    }

    /// Whether the wall clock was set back since it was last read, by more than an ordinary correction.
    fn is_set_back(self, now: Now) -> bool {
        let elapsed = millis(now.mono.since(self.seen.mono));
        let expected = self.seen.wall.unix_ms.saturating_add(elapsed);
        now.wall.unix_ms < expected.saturating_sub(millis(LOOK_EVERY))
    }

    fn is_missed(self, now: Now) -> bool {
        now.wall.unix_ms > self.starts_at_ms.saturating_add(millis(LOOK_EVERY))
    }
}

/// The future runs of a process.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Timetable {
    /// `None` without a schedule and while it is paused.
    next: Option<Box<PendingRun>>,
    /// A run was due while the previous one was not over, and starts after it.
    is_queued: bool,
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Process {
    pub(super) fn has_next_run(&self) -> bool {
        self.timetable.next.is_some()
    }

    /// Unix time in milliseconds of the next run.
    pub(super) fn next_run_ms(&self) -> Option<i64> {
        self.timetable.next.as_ref().map(|run| run.starts_at_ms)
    }

    /// When the schedule has to be checked next.
    pub(super) fn schedule_deadline(&self) -> Option<Mono> {
        let run = self.timetable.next.as_ref()?;
        let is_due = self.timetable.is_queued && self.is_between_runs();
        Some(if is_due { run.seen.mono } else { run.seen.mono.after(run.wait()) })
    }

    /// Computes the next run, unless a client has paused the schedule.
    pub(super) fn resume_schedule(&mut self, turn: &Turn, out: &mut Effects) {
        let paused = Desired { target: RunTarget::Down, origin: TargetOrigin::Request };
        if self.desired != paused && self.timetable.next.is_none() {
            self.plan_run(turn, turn.now.wall.unix_secs(), out);
        }
    }

    /// A stop ends the schedule until the next start.
    pub(super) fn pause_schedule(&mut self, turn: &Turn, out: &mut Effects) {
        if self.has_next_run() && turn.restarts_allowed && !self.leaving {
            out.log(LogLevel::Info, format!("{}: schedule paused", self.spec.name));
        }
        self.timetable = Timetable::default();
    }

    /// Drops what the old schedule planned: the schedule was changed in place.
    pub(super) fn schedule_changed(&mut self, turn: &Turn, out: &mut Effects) {
        self.timetable = Timetable::default();
        self.resume_schedule(turn, out);
    }

    fn plan_run(&mut self, turn: &Turn, last: i64, out: &mut Effects) {
        let Some(schedule) = &self.spec.lifecycle.schedule else { return };
        let Some(at) = schedule.next_after(last) else {
            self.timetable.next = None;
            return out.log(LogLevel::Warn, format!("{}: the schedule has no further run", self.spec.name));
        };
        let jitter = jitter_ms(schedule.jitter, turn.random, self.id);
        let starts_at_ms = at.saturating_mul(1000).saturating_add(jitter);
        self.timetable.next = Some(Box::new(PendingRun { at, starts_at_ms, seen: turn.now }));
    }

    /// Starts a run that is due; does nothing before.
    pub(super) fn schedule_time_passed(&mut self, turn: &Turn, out: &mut Effects) {
        let Some(&run) = self.timetable.next.as_deref().filter(|_| turn.restarts_allowed) else { return };
        if self.timetable.is_queued && self.is_between_runs() {
            self.timetable.is_queued = false;
            self.start_run(turn, out);
        }
        let now = turn.now;
        let secs = now.wall.unix_secs();
        if run.is_set_back(now) {
            out.log(LogLevel::Info, format!("{}: the clock was set back", self.spec.name));
            return self.plan_run(turn, secs, out);
        }
        if now.wall.unix_ms < run.starts_at_ms {
            self.timetable.next = Some(Box::new(PendingRun { seen: now, ..run }));
            return;
        }
        // Computed from the instant of the run, so that a small correction of the clock does not repeat it.
        self.plan_run(turn, secs.max(run.at), out);
        let catches_up = self.spec.lifecycle.schedule.as_ref().is_some_and(|schedule| schedule.catch_up);
        if run.is_missed(now) && !catches_up {
            let text = format!("{}: a scheduled run was missed, and is not made up", self.spec.name);
            return out.log(LogLevel::Warn, text);
        }
        self.run_is_due(turn, out);
    }

    fn run_is_due(&mut self, turn: &Turn, out: &mut Effects) {
        let overlap = self.spec.lifecycle.schedule.as_ref().map_or_else(Overlap::default, |it| it.overlap);
        if self.is_between_runs() {
            return self.start_run(turn, out);
        }
        let name = &self.spec.name;
        match overlap {
            Overlap::Skip => {
                out.log(LogLevel::Info, format!("{name}: scheduled run skipped, the last is not over"));
            }
            Overlap::Queue => {
                out.log(LogLevel::Info, format!("{name}: scheduled run queued, the last is not over"));
                self.timetable.is_queued = true;
            }
            Overlap::Restart => self.restart_for_run(turn, out),
        }
    }

    fn restart_for_run(&mut self, turn: &Turn, out: &mut Effects) {
        let text = format!("{}: scheduled run is due, stopping the last", self.spec.name);
        match self.state {
            State::Starting { pid: Some(pid), .. } | State::Running { pid } => {
                out.log(LogLevel::Info, text);
                // A process that was stopped without a request starts again by itself.
                self.desired.target = RunTarget::Up;
                self.begin_stopping(turn, pid, out);
            }
            State::Backoff { .. } => self.start(turn, out),
            State::Stopped
            | State::Stopping { .. }
            | State::Waiting { .. }
            | State::Starting { pid: None, .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => {}
        }
    }

    fn start_run(&mut self, turn: &Turn, out: &mut Effects) {
        out.log(LogLevel::Info, format!("{}: scheduled run", self.spec.name));
        self.desired.target = RunTarget::Up;
        self.start(turn, out);
    }

    fn is_between_runs(&self) -> bool {
        let is_idle = match self.state {
            State::Stopped | State::Exited { restart_at: None } | State::Fatal => true,
            State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Stopping { .. }
            | State::Exited { restart_at: Some(_) }
            | State::Unknown { .. } => false,
        };
        is_idle && !self.is_spawning && !self.has_stopping_members()
    }

    /// What clients see of the schedule, after Supervisor's words for the state.
    pub(super) fn with_next_run(&self, description: String, offset_secs: i32) -> String {
        if self.spec.lifecycle.schedule.is_none() || !self.state().is_stopped() {
            return description;
        }
        let next = match self.next_run_ms() {
            Some(unix_ms) => {
                let at = Wall { unix_ms, utc_offset_secs: offset_secs };
                format!("next run {}", month_day_and_time(at).unwrap_or_default())
            }
            None => "schedule paused".to_owned(),
        };
        let has_run = self.ended.is_some() || self.state() == ProcessState::Fatal;
        if has_run { format!("{description}, {next}") } else { next }
    }
}

/// How much later a run starts.
fn jitter_ms(most: Duration, random: u64, process: ProcessId) -> i64 {
    let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
    let random = scatter(random, process);
    i64::try_from(random % most.saturating_add(1)).unwrap_or(0)
}
