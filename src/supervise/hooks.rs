//! Hooks: commands that run at points of a process's life.
//!
//! `pre_start`, `post_start` and `pre_stop` belong to the state in which they run: leaving it kills them. A start waits
//! for `pre_start`, and a stop sends its signal once `pre_stop` has ended. `post_stop` runs after each end, once the
//! members that a stop waits for are gone; until then a stop is not complete, and a start waits for it. `on_failure`
//! runs when the process becomes FATAL, after `post_stop`, and nothing but a shutdown or an update waits for it.
//!
//! No hook runs for longer than `hook_timeout`, and none outlives `shutdown_timeout` or a shutdown that was requested
//! again: both kill what runs and start no more.

use std::time::Duration;

use super::conditions::Gate;
use super::desired::RunTarget;
use super::ending::LastEnd;
use super::gates::StartedFor;
use super::hook_runs::{
    HookAfterEnd, HookEnd, HookFailure, HookPoint, HookReason, HookRun, HookRuns, take_due,
};
use super::operations::{Goal, Row};
use super::process::{Process, State, Until};
use super::stopping::{GRACE_AFTER_KILL, Stop};
use super::task::{Task, TaskEnd};
use super::{Effect, Effects, Supervisor, Turn};
use crate::model::{ChildId, Environment, ExitStatus, LogLevel, Mono, Pid, ProcessId, TaskId, Wait};

/// What `pre_stop` leaves of `stopwaitsecs`, at most half of it: the program gets its stop signal even if the hook
/// hangs.
const STOP_SIGNAL_TIME: Duration = Duration::from_secs(2);

/// How long to wait beyond the time-out for the end of a hook that had to be queued or that SIGKILL does not
/// end.
const GRACE_AFTER_TIMEOUT: Duration = GRACE_AFTER_KILL;

impl Process {
    fn hook_command(&self, point: HookPoint) -> Option<&str> {
        let hooks = self.spec.lifecycle.hooks.as_ref().filter(|_| !self.hooks.are_over)?;
        let command = match point {
            HookPoint::PreStart => &hooks.pre_start,
            HookPoint::PostStart => &hooks.post_start,
            HookPoint::PreStop => &hooks.pre_stop,
            HookPoint::PostStop => &hooks.post_stop,
            HookPoint::OnFailure => &hooks.on_failure,
        };
        command.as_deref()
    }

    fn hook_timeout(&self) -> Duration {
        self.spec.lifecycle.hooks.as_ref().map_or(Duration::ZERO, |hooks| hooks.timeout)
    }

    fn hook_environment(
        &self,
        point: HookPoint,
        reason: HookReason,
        (pid, status): (Option<Pid>, Option<ExitStatus>),
    ) -> Environment {
        let mut environment: Environment = [
            ("SV_HOOK", point.name().to_owned()),
            ("SV_REASON", reason.name().to_owned()),
            ("SV_NAME", self.spec.name.to_string()),
            ("SV_GROUP", self.spec.group.to_string()),
            ("SV_RESTARTS", self.hooks.restarts.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let mut set = |name: &str, value: String| environment.push((name.to_owned(), value));
        if let Some(pid) = pid {
            set("SV_PID", pid.to_string());
        }
        match status {
            Some(ExitStatus::Exited(code)) => set("SV_EXIT_CODE", code.to_string()),
            Some(status) => {
                if let Some(signal) = status.signal() {
                    set("SV_EXIT_SIGNAL", signal.to_string());
                }
            }
            None => {}
        }
        environment
    }

    /// Runs a configured hook. The shell kills it after `limit`; here it is given up after `give_up_after`.
    fn run_hook(
        &self,
        turn: &Turn,
        (point, environment): (HookPoint, Environment),
        (limit, give_up_after): (Duration, Duration),
        out: &mut Effects,
    ) -> Option<HookRun> {
        let command = self.hook_command(point)?.to_owned();
        out.log(LogLevel::Info, format!("{}: running {}", self.spec.name, point.name()));
        let task = out.tasks.begin(self.id);
        let task_of_shell = Task { process: self.id, command, environment, timeout: Some(limit) };
        out.push(Effect::RunTask { child: ChildId::Hook(task), task: task_of_shell });
        Some(HookRun { point, task, limit, give_up_at: turn.now.mono.after(give_up_after) })
    }

    fn run_bounded_hook(
        &self,
        turn: &Turn,
        point: HookPoint,
        environment: Environment,
        out: &mut Effects,
    ) -> Option<HookRun> {
        let limit = self.hook_timeout();
        let give_up_after = limit.saturating_add(GRACE_AFTER_TIMEOUT);
        self.run_hook(turn, (point, environment), (limit, give_up_after), out)
    }

    /// Records that it is about to start: by itself after an end, or on request.
    pub(super) fn note_start(&mut self, is_due_again: bool) {
        let hooks = &mut self.hooks;
        let is_restart = std::mem::take(&mut hooks.is_restarting) || is_due_again;
        hooks.start_reason = if is_restart { HookReason::Restart } else { HookReason::Start };
        hooks.restarts = if is_restart { hooks.restarts.saturating_add(1) } else { 0 };
    }

    /// Records that it was stopped and that the start that follows is a restart.
    pub(super) fn note_restart(&mut self) {
        self.hooks.is_restarting = true;
    }

    /// Records that it stops because the supervisor does.
    pub(super) fn note_shutdown(&mut self) {
        self.hooks.is_shutting_down = true;
    }

    /// Runs `pre_start`. Returns false if there is none, so that the process can be spawned now.
    pub(super) fn begin_pre_start(&mut self, turn: &Turn, out: &mut Effects) -> bool {
        if self.hook_command(HookPoint::PreStart).is_none() {
            return false;
        }
        let until = Until::after_spawn(&self.spec, turn.now.mono);
        self.enter(State::Starting { pid: None, until }, out);
        let environment = self.hook_environment(HookPoint::PreStart, self.hooks.start_reason, (None, None));
        self.hooks.of_state =
            self.run_bounded_hook(turn, HookPoint::PreStart, environment, out).map(Box::new);
        true
    }

    pub(super) fn runs_pre_start(&self) -> bool {
        self.hooks.of_state.as_ref().is_some_and(|run| run.point == HookPoint::PreStart)
    }

    /// Runs `post_start` of a process that has just become ready.
    pub(super) fn begin_post_start(&mut self, turn: &Turn, pid: Pid, out: &mut Effects) {
        if self.hook_command(HookPoint::PostStart).is_some() {
            let environment =
                self.hook_environment(HookPoint::PostStart, self.hooks.start_reason, (Some(pid), None));
            self.hooks.of_state =
                self.run_bounded_hook(turn, HookPoint::PostStart, environment, out).map(Box::new);
        }
    }

    /// Runs `pre_stop`, after which the stop signal is sent. Returns false if there is none, or if
    /// the program has not become ready.
    pub(super) fn begin_pre_stop(&mut self, turn: &Turn, pid: Pid, stop: Stop, out: &mut Effects) -> bool {
        let reason = self.reason_of_stop();
        self.hooks.stop_reason = Some(reason);
        let is_up =
            matches!(self.state, State::Running { .. } | State::Starting { until: Until::Done { .. }, .. });
        if !is_up || self.spec.stop_wait_secs <= 0 || self.hook_command(HookPoint::PreStop).is_none() {
            return false;
        }
        self.enter(State::Stopping { pid, stop: Box::new(stop) }, out);
        let time = stop.kill_at.since(turn.now.mono);
        let limit = self.hook_timeout().min(time.saturating_sub(STOP_SIGNAL_TIME.min(time / 2)));
        let environment = self.hook_environment(HookPoint::PreStop, reason, (Some(pid), None));
        self.hooks.of_state =
            self.run_hook(turn, (HookPoint::PreStop, environment), (limit, limit), out).map(Box::new);
        true
    }

    pub(super) fn runs_pre_stop(&self) -> bool {
        self.hooks.of_state.as_ref().is_some_and(|run| run.point == HookPoint::PreStop)
    }

    fn reason_of_stop(&self) -> HookReason {
        if self.leaving {
            HookReason::Update
        } else if self.hooks.is_shutting_down {
            HookReason::Shutdown
        } else if self.start_timed_out {
            HookReason::Crash
        } else if self.desired.target == RunTarget::Down {
            HookReason::Stop
        } else if self.unhealthy_reason().is_some() {
            HookReason::Unhealthy
        } else {
            HookReason::Restart
        }
    }

    /// Makes `post_stop` due after the process was reaped. A restart waits for it.
    pub(super) fn note_end(&mut self, turn: &Turn, pid: Option<Pid>, status: ExitStatus) {
        let by_itself = if self.expects(status) { HookReason::Exit } else { HookReason::Crash };
        let reason = self.hooks.stop_reason.take().unwrap_or(by_itself);
        self.hooks.last_pid = pid;
        if self.hook_command(HookPoint::PostStop).is_some() {
            let environment = self.hook_environment(HookPoint::PostStop, reason, (pid, Some(status)));
            self.hooks.post_stop = Some(Box::new(HookAfterEnd::Due { since: turn.now.mono, environment }));
        }
    }

    /// Makes `on_failure` due for a process that has just become FATAL.
    pub(super) fn note_failure(&mut self, turn: &Turn, out: &mut Effects) {
        if self.hook_command(HookPoint::OnFailure).is_none() {
            return;
        }
        let status = match self.last_end {
            Some(LastEnd::Ended(status)) => Some(status),
            Some(LastEnd::NotSpawned(_) | LastEnd::NotExecuted(_)) | None => None,
        };
        let pid = self.hooks.last_pid.filter(|_| status.is_some());
        let reason =
            if self.unhealthy_reason().is_some() { HookReason::Unhealthy } else { HookReason::Crash };
        let environment = self.hook_environment(HookPoint::OnFailure, reason, (pid, status));
        let due = HookAfterEnd::Due { since: turn.now.mono, environment };
        if let Some(run) = self.hooks.on_failure.replace(Box::new(due)).and_then(|hook| hook.run()) {
            self.cancel_hook(run, out);
        }
        self.begin_due_hooks(turn, out);
    }

    /// Starts the hooks that are due after an end and that nothing blocks any more.
    pub(super) fn begin_due_hooks(&mut self, turn: &Turn, out: &mut Effects) {
        if !self.has_stopping_members()
            && let Some(environment) = take_due(&mut self.hooks.post_stop)
        {
            let run = self.run_bounded_hook(turn, HookPoint::PostStop, environment, out);
            self.hooks.post_stop = run.map(|run| Box::new(HookAfterEnd::Running(run)));
            self.look_at_if_complete(out);
        }
        if !self.has_open_post_stop()
            && let Some(environment) = take_due(&mut self.hooks.on_failure)
        {
            let run = self.run_bounded_hook(turn, HookPoint::OnFailure, environment, out);
            self.hooks.on_failure = run.map(|run| Box::new(HookAfterEnd::Running(run)));
        }
    }

    /// Continues a start that waited for `post_stop`.
    fn look_at_if_complete(&self, out: &mut Effects) {
        if self.is_waiting() && !self.has_open_post_stop() {
            out.to_look_at.push_back(self.id);
        }
    }

    /// Whether its last end is not complete: a start waits for `post_stop`.
    pub(super) fn has_open_post_stop(&self) -> bool {
        self.hooks.post_stop.is_some()
    }

    /// Whether a shutdown waits for a hook of a process that is down.
    pub(super) fn has_hooks_after_end(&self) -> bool {
        self.has_open_post_stop() || self.hooks.on_failure.is_some()
    }

    pub(super) fn hooks_deadline(&self) -> Option<Mono> {
        let HookRuns { post_stop, on_failure, .. } = &self.hooks;
        let due = |hook: &Option<Box<HookAfterEnd>>, is_free: bool| match hook.as_deref() {
            Some(HookAfterEnd::Due { since, .. }) => is_free.then_some(*since),
            Some(HookAfterEnd::Running(_)) | None => None,
        };
        let due = [due(post_stop, !self.has_stopping_members()), due(on_failure, post_stop.is_none())];
        due.into_iter().flatten().chain(self.hooks.all().map(|run| run.give_up_at)).min()
    }

    pub(super) fn hooks_time_passed(&mut self, turn: &Turn, out: &mut Effects) {
        self.begin_due_hooks(turn, out);
        let overdue: Vec<_> =
            self.hooks.all().filter(|run| turn.now.mono >= run.give_up_at).map(|run| run.task).collect();
        for task in overdue {
            out.cancel_task(ChildId::Hook(task));
            self.hook_ended(turn, task, HookEnd { end: TaskEnd::TimedOut, is_gate_open: false }, out);
        }
    }

    /// Cancels the hooks of the current state: the process enters another state, or the same one again.
    pub(super) fn leave_hook_of_state(&mut self, out: &mut Effects) {
        if let Some(run) = self.hooks.of_state.take() {
            self.cancel_hook(*run, out);
        }
    }

    fn cancel_hook(&self, run: HookRun, out: &mut Effects) {
        out.log(LogLevel::Info, format!("{}: {} is cancelled", self.spec.name, run.point.name()));
        out.cancel_task(ChildId::Hook(run.task));
    }

    /// Kills the running hooks and starts no more: the shutdown is in a hurry, or the process is removed.
    pub(super) fn end_hooks(&mut self, out: &mut Effects) {
        self.hooks.are_over = true;
        for run in self.hooks.all().collect::<Vec<_>>() {
            self.cancel_hook(run, out);
        }
        (self.hooks.post_stop, self.hooks.on_failure) = (None, None);
        // A stop that waits for `pre_stop` is followed by SIGKILL.
        self.hooks.of_state = None;
    }

    /// Handles the end of a hook. Returns whether `pre_start` could not run because the machine is short of resources.
    fn hook_ended(&mut self, turn: &Turn, task: TaskId, end: HookEnd, out: &mut Effects) -> bool {
        let Some(run) = self.hooks.take(task) else { return false };
        let HookEnd { end, is_gate_open } = end;
        let failure = HookFailure::of(run, end);
        if let Some(HookFailure { text, .. }) = &failure {
            out.log(LogLevel::Warn, format!("{}: {text}", self.spec.name));
        }
        match run.point {
            HookPoint::PreStart => return self.pre_start_ended(turn, (failure, is_gate_open), out),
            HookPoint::PreStop => self.send_stop_signal(out),
            HookPoint::PostStart => {}
            HookPoint::PostStop | HookPoint::OnFailure => {
                out.may_be_idle = true;
                self.begin_due_hooks(turn, out);
                self.look_at_if_complete(out);
            }
        }
        false
    }

    fn pre_start_ended(
        &mut self,
        turn: &Turn,
        (failure, is_gate_open): (Option<HookFailure>, bool),
        out: &mut Effects,
    ) -> bool {
        let Some(HookFailure { text, end, is_shortage }) = failure else {
            if !turn.restarts_allowed {
                self.enter(State::Stopped, out);
            } else if is_gate_open {
                self.spawn_program(turn, out);
            } else {
                // Its dependencies were up when the hook began.
                self.wait(StartedFor::Configuration, out);
            }
            return false;
        };
        if is_shortage {
            self.wait_out_shortage(turn, text, out);
            return true;
        }
        self.remarks_mut().spawn_error = text;
        self.last_end = end;
        self.back_off(turn, out);
        false
    }

    /// Makes a process that is bound to a lost condition and has not been spawned yet wait for it again.
    pub(super) fn wait_instead_of_pre_start(&mut self, out: &mut Effects) {
        if self.runs_pre_start() {
            self.wait(StartedFor::Configuration, out);
        }
    }

    /// What clients see while a hook runs.
    pub(super) fn hook_text(&self) -> Option<String> {
        self.hooks.shown().map(|point| format!("running {}", point.name()))
    }

    /// The same for a state for which Supervisor has no description. For the others it is a hint.
    pub(super) fn hook_in_place_of_state(&self) -> Option<String> {
        self.hook_text().filter(|_| match self.state {
            State::Waiting { .. } | State::Starting { pid: None, .. } | State::Stopping { .. } => true,
            State::Stopped
            | State::Starting { pid: Some(_), .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => false,
        })
    }
}

impl Supervisor {
    pub(super) fn hook_ended(&mut self, turn: &Turn, task: TaskId, end: TaskEnd, out: &mut Effects) {
        let Some(id) = out.tasks.end(task) else { return };
        let is_gate_open = self.conditions.gate(id) == Gate::Open;
        let end = HookEnd { end, is_gate_open };
        let is_short = self.with(id, |process| process.hook_ended(turn, task, end, out)) == Some(true);
        if is_short {
            self.shortage_met(id, out);
        }
        self.changed(turn, id, None, out);
    }

    /// Requests that do not wait are answered although a hook has to end before the start, the stop signal or the end
    /// of the stop.
    pub(super) fn answer_before_hook(&mut self, turn: &Turn, id: ProcessId, out: &mut Effects) {
        let Some(process) = self.process(id) else { return };
        let starts = process.runs_pre_start() || process.is_waiting() && process.has_open_post_stop();
        let stops = process.runs_pre_stop() || process.has_open_post_stop();
        if starts || stops {
            let answer = |row: &mut Row, _: &Process| {
                let is_done = match row.goal {
                    Goal::Started(Wait::No) => starts,
                    Goal::Stopped(Wait::No) => stops,
                    Goal::Checked(_)
                    | Goal::Started(Wait::Yes)
                    | Goal::Stopped(Wait::Yes)
                    | Goal::Signalled
                    | Goal::Cleared
                    | Goal::Written
                    | Goal::Gone
                    | Goal::GoneWithGroup => false,
                };
                is_done.then_some(Ok(()))
            };
            self.settle_rows(turn, id, answer, out);
        }
    }
}
