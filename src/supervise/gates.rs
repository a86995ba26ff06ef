//! Starting in order of dependencies: a process that is to start waits until the conditions that it names hold.
//!
//! A waiting process is looked at when a condition that it waits for is gained or lost, at the end of the input
//! that changed it. A required dependency that has not been started yet is started; one that has failed
//! makes the dependent FATAL, until the condition holds after all.

use serde::{Deserialize, Serialize};

use super::conditions::Gate;
use super::desired::{Desired, RunTarget, TargetOrigin};
use super::process::{Process, State};
use super::stop_order::StopReason;
use super::{Effects, Supervisor, Turn};
use crate::model::{LogLevel, ProcessId, ProcessState};

/// On whose behalf a process waits: that decides which of its dependencies are started for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum StartedFor {
    /// `autostart`, a restart: dependencies that have not been started yet.
    Configuration,
    /// A client: also those that were stopped or have failed.
    Request,
}

impl Process {
    /// Enters WAITING, which clients see as STARTING. The supervisor checks whether the gate is open.
    pub(super) fn wait(&mut self, for_whom: StartedFor, out: &mut Effects) {
        self.begin_attempt(out);
        self.enter(State::Waiting { pulls: Some(for_whom) }, out);
        out.to_look_at.push_back(self.id);
    }

    /// One of its dependencies has failed.
    fn fail_for_dependency(&mut self, turn: &Turn, reason: String, out: &mut Effects) {
        self.has_failed_dependency = true;
        out.log(LogLevel::Warn, format!("gave up: {} entered FATAL state, {reason}", self.spec.name));
        self.remarks_mut().spawn_error = reason;
        self.last_end = None;
        self.enter(State::Fatal, out);
        self.note_failure(turn, out);
        out.ended.push(self.id);
    }

    /// Handles the loss of a condition that it is bound to. Returns whether it has to be stopped.
    fn lose_binding(&mut self, out: &mut Effects) -> bool {
        match self.state {
            State::Starting { pid: Some(_), .. } | State::Running { .. } => {
                !std::mem::replace(&mut self.is_losing_its_binding, true)
            }
            State::Backoff { .. } | State::Exited { restart_at: Some(_) } => {
                self.wait(StartedFor::Configuration, out);
                false
            }
            State::Starting { pid: None, .. } => {
                self.wait_instead_of_pre_start(out);
                false
            }
            State::Stopped
            | State::Waiting { .. }
            | State::Stopping { .. }
            | State::Exited { restart_at: None }
            | State::Fatal
            | State::Unknown { .. } => false,
        }
    }
}

impl Supervisor {
    /// At the end of an input: processes that wait for what has changed are started, stopped or fail.
    pub(super) fn settle_conditions(&mut self, turn: &Turn, out: &mut Effects) {
        loop {
            self.note_changes(out);
            if let Some(id) = out.to_look_at.pop_front() {
                self.look_at(turn, id, out);
            } else if let Some(id) = out.to_unbind.pop() {
                // By now everything bound to it is known to be going down, too.
                self.stop_after_dependents(turn, id, StopReason::LostBinding, out);
            } else {
                return;
            }
        }
    }

    fn look_at(&mut self, turn: &Turn, id: ProcessId, out: &mut Effects) {
        self.stop_if_deferred(turn, id, out);
        let Some(process) = self.process(id).filter(|_| self.allows_starts()) else { return };
        match process.state {
            State::Waiting { .. } => self.look_at_waiting(turn, id, out),
            State::Fatal if process.has_failed_dependency && self.conditions.gate(id) == Gate::Open => {
                self.start_released(turn, id, out);
            }
            State::Stopped
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Stopping { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => {
                if self.conditions.is_unbound(id) {
                    let has_to_stop = self.with(id, |process| process.lose_binding(out)) == Some(true);
                    out.to_unbind.extend(has_to_stop.then_some(id));
                    self.changed(turn, id, None, out);
                }
            }
        }
    }

    fn look_at_waiting(&mut self, turn: &Turn, id: ProcessId, out: &mut Effects) {
        if self.process(id).is_some_and(Process::has_open_post_stop) {
            return;
        }
        let pulls = self.with(id, Process::take_pulls).flatten();
        if let Some(for_whom) = pulls.filter(|_| self.conditions.gate(id) != Gate::Open) {
            self.start_missing(turn, id, for_whom, out);
            self.note_changes(out);
        }
        match self.conditions.gate(id) {
            Gate::Open => self.start_released(turn, id, out),
            Gate::Failed { prerequisite } => {
                let reason = self.failure_of(prerequisite);
                self.with(id, |process| process.fail_for_dependency(turn, reason, out));
                self.changed(turn, id, None, out);
            }
            Gate::Closed if pulls.is_some() => {
                if let Some(process) = self.process(id) {
                    let text = waiting_text(&self.conditions.waiting_for(id, &process.spec));
                    out.log(LogLevel::Info, format!("{}: {text}", process.spec.name));
                }
                self.changed(turn, id, None, out);
            }
            Gate::Closed => {}
        }
    }

    /// Spawns a process whose gate is open, now or with the next turn.
    fn start_released(&mut self, turn: &Turn, id: ProcessId, out: &mut Effects) {
        if !self.autostarts.take_slot() {
            return self.autostarts.add_released(id);
        }
        self.with(id, |process| {
            if !process.is_waiting() {
                process.begin_attempt(out);
            }
            process.spawn(turn, out);
        });
        self.answer_before_hook(turn, id, out);
    }

    /// Starts what a process waits for and has not been started.
    fn start_missing(&mut self, turn: &Turn, id: ProcessId, for_whom: StartedFor, out: &mut Effects) {
        for member in self.conditions.missing_members(id) {
            if !self.process(member).is_some_and(|process| process.is_started_for(for_whom)) {
                continue;
            }
            self.introduce_one(member, out);
            self.with(member, |process| process.start_for_dependent(turn, for_whom, out));
            self.changed(turn, member, None, out);
        }
    }

    /// The reason why a member of a prerequisite can no longer meet the condition.
    fn failure_of(&self, prerequisite: usize) -> String {
        let failed = self.conditions.failed_member(prerequisite).and_then(|id| self.process(id));
        let Some(process) = failed else { return String::new() };
        let (name, state) = (process.full_name(), process.state().name());
        let reason = match process.state() {
            ProcessState::Exited => process.exit_status.map(|status| status.to_string()),
            _ => Some(process.spawn_error().to_owned()).filter(|text| !text.is_empty()),
        };
        reason.map_or_else(|| format!("{name} is {state}"), |reason| format!("{name} is {state}: {reason}"))
    }
}

impl Process {
    fn take_pulls(&mut self) -> Option<StartedFor> {
        if let State::Waiting { pulls } = &mut self.state { pulls.take() } else { None }
    }

    /// Whether it is started because a process that needs it is to start.
    fn is_started_for(&self, for_whom: StartedFor) -> bool {
        let is_untouched = self.desired.origin == TargetOrigin::Configuration;
        let is_wanted =
            for_whom == StartedFor::Request || is_untouched && self.desired.target == RunTarget::Down;
        let is_down = match self.state {
            State::Stopped | State::Exited { restart_at: None } | State::Fatal | State::Stopping { .. } => {
                true
            }
            State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Exited { restart_at: Some(_) }
            | State::Unknown { .. } => false,
        };
        is_wanted && is_down && !self.leaving
    }

    fn start_for_dependent(&mut self, turn: &Turn, for_whom: StartedFor, out: &mut Effects) {
        self.desired = Desired { target: RunTarget::Up, origin: TargetOrigin::Dependent };
        if !matches!(self.state, State::Stopping { .. }) {
            self.start_for(turn, for_whom, out);
        }
    }
}

/// `waiting for db (ready), cache (started)`
pub(super) fn waiting_text(waiting_for: &[String]) -> String {
    format!("waiting for {}", waiting_for.join(", "))
}
