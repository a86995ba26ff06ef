//! How a process starts and ends: start, spawn, exit, backoff.

use super::desired::RunTarget;
use super::ending::{EXITED_TOO_QUICKLY, LastEnd};
use super::gates::StartedFor;
use super::hook_runs::HookReason;
use super::not_spawned::{Blame, NotSpawned};
use super::process::{Process, State, Until};
use super::restart::{AfterFailure, RESTART_SPACING, RestartRules};
use super::{Effect, Effects, SpawnedProcess, Turn};
use crate::model::{ExitStatus, LogLevel, Now, Pid, ProcessState, ProgramType, RunCounters};

impl Process {
    /// Starts a program with `autostart`, unless a target was set for it before. One with a schedule waits for its
    /// next run instead.
    pub(super) fn autostart(&mut self, turn: &Turn, out: &mut Effects) {
        if self.spec.lifecycle.schedule.is_some() {
            return self.resume_schedule(turn, out);
        }
        if self.spec.autostart && self.desired.autostart() {
            self.start(turn, out);
        }
    }

    /// A client asks for a start. A process that is still stopping is not started, so its target stays.
    pub(super) fn start_requested(&mut self, turn: &Turn, out: &mut Effects) {
        if self.state() != ProcessState::Stopping {
            self.desired.request(RunTarget::Up);
            self.reset_restarts();
            self.resume_schedule(turn, out);
        }
        self.start_for(turn, StartedFor::Request, out);
    }

    /// Starts it, unless something of it still runs.
    pub(super) fn start(&mut self, turn: &Turn, out: &mut Effects) {
        self.start_for(turn, StartedFor::Configuration, out);
    }

    /// Spawns it, or lets it wait for what it depends on.
    pub(super) fn start_for(&mut self, turn: &Turn, for_whom: StartedFor, out: &mut Effects) {
        match self.state {
            State::Stopped | State::Exited { .. } | State::Fatal | State::Backoff { .. } => {
                self.note_start(self.is_due_again());
                if self.spec.is_independent() && !self.has_open_post_stop() {
                    self.begin_attempt(out);
                    self.spawn(turn, out);
                } else {
                    self.wait(for_whom, out);
                }
            }
            State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Unknown { .. } => {
                out.log(LogLevel::Warn, format!("process '{}' already running", self.spec.name));
            }
        }
    }

    /// Clears what was recorded about the last attempt.
    pub(super) fn begin_attempt(&mut self, out: &mut Effects) {
        self.clear_away_members(out);
        if !matches!(self.state, State::Backoff { .. }) {
            self.short_attempts = 0;
        }
        if !self.is_due_again() {
            self.background = None;
        }
        self.has_failed_dependency = false;
        self.is_losing_its_binding = false;
        self.start_timed_out = false;
        self.failed_check = false;
        self.forget_remarks();
        self.exit_status = None;
    }

    /// Spawns it, after `pre_start` if there is one.
    pub(super) fn spawn(&mut self, turn: &Turn, out: &mut Effects) {
        self.clear_away_members(out);
        if !self.begin_pre_start(turn, out) {
            self.spawn_program(turn, out);
        }
    }

    pub(super) fn spawn_program(&mut self, turn: &Turn, out: &mut Effects) {
        self.started = Some((turn.now.mono, turn.now.wall));
        self.ready_at = None;
        self.choose_report_interval();
        let until = Until::after_spawn(&self.spec, turn.now.mono);
        self.enter(State::Starting { pid: None, until }, out);
        self.is_spawning = true;
        self.is_in_cgroup = false;
        self.is_killed_by_us = false;
        if self.hooks.start_reason == HookReason::Restart {
            RunCounters::increment(&mut self.history.counters.restarts);
        }
        out.push(Effect::Spawn { process: self.id });
    }

    /// It has started successfully.
    pub(super) fn become_ready(&mut self, turn: &Turn, pid: Pid, out: &mut Effects) {
        self.failed_before_ready = std::mem::take(&mut self.failed_starts);
        self.short_attempts = 0;
        self.ready_at = Some(turn.now.mono);
        self.enter(State::Running { pid }, out);
        self.announce_ready(out);
        self.begin_health(turn);
        self.begin_memory_watch(turn);
    }

    /// Whether an automatic start is due later (BACKOFF, or EXITED before a restart).
    fn is_due_again(&self) -> bool {
        matches!(self.state, State::Backoff { .. } | State::Exited { restart_at: Some(_) })
    }

    /// The outcome of the `Spawn` effect, which was known at this time. What counts from the start counts from then; for
    /// those who asked for the start it is a part of this turn.
    pub(super) fn spawned(
        &mut self,
        turn: &Turn,
        at: Now,
        outcome: Result<SpawnedProcess, NotSpawned>,
        out: &mut Effects,
    ) {
        self.is_spawning = false;
        self.is_in_cgroup = outcome.as_ref().is_ok_and(|spawned| spawned.is_in_cgroup);
        match (&mut self.state, outcome.map(|spawned| spawned.pid)) {
            (State::Starting { pid: current @ None, until }, Ok(pid)) => {
                *current = Some(pid);
                self.started = Some((at.mono, at.wall));
                *until = Until::after_spawn(&self.spec, at.mono);
                RunCounters::increment(&mut self.history.counters.starts);
                out.log(LogLevel::Info, format!("spawned: '{}' with pid {pid}", self.spec.name));
                self.time_passed(&Turn { now: at, ..*turn }, out);
            }
            (State::Starting { .. }, Err(NotSpawned { text, blame: Blame::Machine, .. })) => {
                self.wait_out_shortage(turn, text, out);
            }
            (State::Starting { .. }, Err(failure @ NotSpawned { blame: Blame::Program, .. })) => {
                self.could_not_start(turn, failure, LastEnd::NotSpawned, out);
            }
            // A stop was requested before the spawn completed, so the process is stopped as soon as it exists.
            (
                State::Stopped
                | State::Waiting { .. }
                | State::Starting { pid: Some(_), .. }
                | State::Running { .. }
                | State::Backoff { .. }
                | State::Stopping { .. }
                | State::Exited { .. }
                | State::Fatal
                | State::Unknown { .. },
                Ok(pid),
            ) => self.begin_stopping(turn, pid, out),
            (
                State::Stopped
                | State::Waiting { .. }
                | State::Running { .. }
                | State::Backoff { .. }
                | State::Stopping { .. }
                | State::Exited { .. }
                | State::Fatal
                | State::Unknown { .. },
                Err(NotSpawned { text, .. }),
            ) => out.log(LogLevel::Info, format!("spawnerr: {text}")),
        }
    }

    fn could_not_start(
        &mut self,
        turn: &Turn,
        failure: NotSpawned,
        end: fn(u8) -> LastEnd,
        out: &mut Effects,
    ) {
        let NotSpawned { text, status, .. } = failure;
        out.log(LogLevel::Info, format!("spawnerr: {text}"));
        self.remarks_mut().spawn_error = text;
        self.last_end = Some(end(status));
        self.back_off(turn, out);
    }

    /// Records why a child could not become its program. COMPAT: its end is handled, and described to clients of
    /// Supervisor, as that of a program.
    pub(super) fn step_failed(&mut self, failure: String) {
        self.remarks_mut().step_failure = Some(failure);
    }

    /// Why it could not be started, or why its last end was not expected.
    pub(super) fn failure_text(&self) -> &str {
        self.step_failure().unwrap_or(self.spawn_error())
    }

    /// Handles a child that was reaped before it executed its program.
    pub(super) fn not_executed(
        &mut self,
        turn: &Turn,
        status: ExitStatus,
        failure: NotSpawned,
        out: &mut Effects,
    ) {
        match self.state {
            State::Starting { .. } | State::Running { .. } => {
                // RUNNING with startsecs=0, which it should not have become.
                if matches!(self.state, State::Running { .. }) {
                    self.failed_starts = self.failed_before_ready;
                }
                self.ended = Some(Box::new((turn.now.wall, status)));
                self.last_end = Some(LastEnd::NotExecuted(failure.status));
                match failure.blame {
                    Blame::Machine => self.wait_out_shortage(turn, failure.text, out),
                    Blame::Program => self.could_not_start(turn, failure, LastEnd::NotExecuted, out),
                }
            }
            State::Stopped
            | State::Waiting { .. }
            | State::Backoff { .. }
            | State::Stopping { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => self.ended(turn, status, out),
        }
    }

    /// An end by SIGKILL is that of the OOM killer if it has killed something and we have not sent the signal.
    pub(super) fn with_cause(&self, status: ExitStatus, has_oom_kill: bool) -> ExitStatus {
        let is_oom = has_oom_kill && !self.is_killed_by_us && status == ExitStatus::killed();
        if is_oom { ExitStatus::OomKilled } else { status }
    }

    /// Handles the end of the reaped process.
    pub(super) fn ended(&mut self, turn: &Turn, status: ExitStatus, out: &mut Effects) {
        let (pid, stop) = (self.pid(), self.stop_under_way());
        let leader = self.leader.take().or(pid);
        let is_stopped = matches!(self.state, State::Stopping { .. });
        self.history.counters.count_end(status, self.expects(status));
        self.reset_restarts_after_long_run(turn);
        self.note_end(turn, pid, status);
        self.leave_tree(turn, leader, stop);
        self.leader_ended(turn, status, out);
        if !is_stopped {
            self.look_for_background(turn, leader, status, out);
        }
        self.leave_members(leader, stop, out);
        self.begin_due_hooks(turn, out);
    }

    fn leader_ended(&mut self, turn: &Turn, status: ExitStatus, out: &mut Effects) {
        self.ended = Some(Box::new((turn.now.wall, status)));
        self.last_end = Some(LastEnd::Ended(status));
        match &self.state {
            State::Stopping { .. } => self.ended_by_request(turn, status, out),
            State::Starting { until: Until::Done { .. }, .. } if self.expects(status) => {
                self.ended_by_itself(turn, status, out);
            }
            State::Starting { until, .. } if !until.is_met(turn.now.mono) => {
                let text = match until {
                    Until::UpFor { .. } => EXITED_TOO_QUICKLY.to_owned(),
                    Until::Ready { .. } => format!("ended before it was ready: {status}"),
                    Until::Done { .. } => status.to_string(),
                };
                self.exit_status = None;
                self.remarks_mut().spawn_error = text;
                out.log(LogLevel::Warn, format!("exited: {} ({status}; not expected)", self.spec.name));
                self.back_off(turn, out);
            }
            // An exit noticed in the same turn as the end of `startsecs` is an exit from RUNNING.
            State::Starting { pid: Some(pid), .. } => {
                let pid = *pid;
                self.become_ready(turn, pid, out);
                self.ended_by_itself(turn, status, out);
            }
            State::Starting { pid: None, .. } | State::Running { .. } => {
                self.ended_by_itself(turn, status, out);
            }
            State::Stopped
            | State::Waiting { .. }
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => {
                self.exit_status = Some(status);
                self.enter(State::Stopped, out);
            }
        }
    }

    /// Starts it again if its target is up.
    fn ended_by_request(&mut self, turn: &Turn, status: ExitStatus, out: &mut Effects) {
        let level = if self.expects(status) { LogLevel::Info } else { LogLevel::Warn };
        out.log(level, format!("stopped: {} ({status})", self.spec.name));
        let may_start = self.desired.target == RunTarget::Up && turn.restarts_allowed && !self.leaving;
        if std::mem::take(&mut self.start_timed_out) && may_start {
            return self.back_off(turn, out);
        }
        if let Some(reason) = self.unhealthy_reason().filter(|_| may_start).map(str::to_owned) {
            return self.ended_unhealthy(turn, reason, status, out);
        }
        self.exit_status = Some(status);
        self.failed_starts = 0;
        self.enter(State::Stopped, out);
        if may_start {
            self.note_restart();
            self.start(turn, out);
        }
    }

    fn ended_by_itself(&mut self, turn: &Turn, status: ExitStatus, out: &mut Effects) {
        let expected = self.expects(status);
        if expected {
            out.log(LogLevel::Info, format!("exited: {} ({status}; expected)", self.spec.name));
        } else {
            self.remarks_mut().spawn_error = format!("Bad exit code {}", status.code());
            out.log(LogLevel::Warn, format!("exited: {} ({status}; not expected)", self.spec.name));
        }
        self.exit_status = Some(status);
        self.failed_starts = 0;
        let is_done = matches!(self.state, State::Starting { until: Until::Done { .. }, .. });
        let restarts = RestartRules::of(&self.spec).restarts_after_exit(expected) && !is_done;
        if restarts && turn.restarts_allowed && self.desired.target == RunTarget::Up {
            self.restart_after_exit(turn, out);
        } else {
            self.enter(State::Exited { restart_at: None }, out);
            out.ended.push(self.id);
        }
    }

    /// Enters EXITED until the restart is due, or FATAL if it has ended too often.
    pub(super) fn restart_after_exit(&mut self, turn: &Turn, out: &mut Effects) {
        let started = self.started.map_or(turn.now.mono, |(at, _)| at);
        let restart_at = self.next_restart(turn, started.after(RESTART_SPACING));
        self.enter(State::Exited { restart_at: restart_at.as_ref().ok().copied() }, out);
        match restart_at {
            Ok(_) => self.time_passed(turn, out),
            Err(reason) => self.give_up(turn, reason, out),
        }
    }

    /// It is FATAL, as it has ended too often or must not be restarted.
    pub(super) fn give_up(&mut self, turn: &Turn, reason: String, out: &mut Effects) {
        out.log(LogLevel::Info, format!("gave up: {} entered FATAL state, {reason}", self.spec.name));
        self.remarks_mut().spawn_error = reason;
        self.fail_for_good(turn, out);
    }

    fn fail_for_good(&mut self, turn: &Turn, out: &mut Effects) {
        self.failed_starts = 0;
        self.reset_restarts();
        self.enter(State::Fatal, out);
        self.note_failure(turn, out);
        out.ended.push(self.id);
    }

    /// Whether this is a job that has ended as expected.
    pub(super) fn is_done_oneshot(&self) -> bool {
        self.spec.program_type == ProgramType::Oneshot
            && matches!(self.state, State::Exited { .. })
            && self.exit_status.is_some_and(|status| self.expects(status))
    }

    pub(super) fn expects(&self, status: ExitStatus) -> bool {
        self.spec.exit_codes.contains(&status.code())
    }

    pub(super) fn back_off(&mut self, turn: &Turn, out: &mut Effects) {
        RunCounters::increment(&mut self.history.counters.failed_starts);
        self.short_attempts = 0;
        let AfterFailure { failed_starts, delay, gives_up } =
            RestartRules::of(&self.spec).after_failed_start(self.failed_starts);
        self.failed_starts = failed_starts;
        let in_time = turn.now.mono.after(delay);
        let retry_at = self.next_restart(turn, in_time);
        self.enter(State::Backoff { retry_at: retry_at.as_ref().copied().unwrap_or(in_time) }, out);
        if !turn.restarts_allowed {
            return;
        }
        let has_limit =
            self.spec.lifecycle.restart_policy.as_ref().is_some_and(|policy| policy.limit.is_some());
        if let Err(reason) = retry_at {
            self.give_up(turn, reason, out);
        } else if gives_up && !has_limit {
            let name = &self.spec.name;
            out.log(
                LogLevel::Info,
                format!("gave up: {name} entered FATAL state, too many start retries too quickly"),
            );
            self.fail_for_good(turn, out);
        }
    }
}
