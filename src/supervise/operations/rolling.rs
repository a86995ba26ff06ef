//! A rolling restart: a batch of processes at a time, the next batch when the previous one is RUNNING. With `ready`
//! that means that its processes are ready. Any other restart is one whose only batch has all processes.
//!
//! It ends at the first failure, so a change that keeps programs from starting takes down at most one batch.
//! It starts the processes that it has stopped again, even if it is cancelled or times out.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::super::desired::RunTarget;
use super::super::stop_order::StopReason;
use super::super::{Effect, Effects, Supervisor, Turn};
use super::{Goal, Operation, OperationId, OperationKind, Row, SettledRow, answer, in_order};
use crate::model::{
    BatchLimits, BulkRow, Fault, FaultCode, Mono, ProcessId, ProcessState, Reply, Ticket, Wait,
};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RollingRestart {
    /// The processes of later batches, the next first.
    pending: VecDeque<ProcessId>,
    batch_size: usize,
    /// The processes that are being restarted and have no result yet.
    batch: Vec<ProcessId>,
    /// The current phase of the batch.
    step: BatchStep,
    give_up_at: Option<Mono>,
    results: Vec<BulkRow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum BatchStep {
    Stop,
    Start,
}

impl RollingRestart {
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.give_up_at
    }

    /// Records the outcomes of a step. A successful stop is not a result yet.
    fn collect(&mut self, settled: Vec<SettledRow>) {
        let is_start = self.step == BatchStep::Start;
        for settled in in_order(settled).into_iter().filter(|it| is_start || it.row.outcome.is_err()) {
            self.batch.retain(|id| *id != settled.process);
            self.results.push(settled.row);
        }
    }

    fn has_failed(&self) -> bool {
        self.results.iter().any(|row| row.outcome.is_err())
    }
}

impl Supervisor {
    pub(in crate::supervise) fn restart_rolling(
        &mut self,
        turn: &Turn,
        ticket: Ticket,
        (members, limits): (Vec<ProcessId>, BatchLimits),
        out: &mut Effects,
    ) {
        let rolling = RollingRestart {
            pending: members.into(),
            batch_size: limits.size.max(1),
            batch: Vec::new(),
            step: BatchStep::Start,
            give_up_at: limits.timeout.map(|timeout| turn.now.mono.after(timeout)),
            results: Vec::new(),
        };
        let id =
            self.operations.open(turn, Some(ticket), OperationKind::RollingRestart(rolling), Vec::new(), out);
        self.advance(turn, id, out);
    }

    /// The step of a batch is complete: the batch is started, or the next one is stopped.
    pub(super) fn advance_rolling(
        &mut self,
        turn: &Turn,
        id: OperationId,
        mut operation: Operation,
        out: &mut Effects,
    ) {
        let rows = loop {
            let Operation { kind: OperationKind::RollingRestart(rolling), settled, .. } = &mut operation
            else {
                return;
            };
            rolling.collect(std::mem::take(settled));
            let rows = match rolling.step {
                BatchStep::Stop => {
                    rolling.step = BatchStep::Start;
                    self.rows_to_start(&rolling.batch)
                }
                BatchStep::Start if rolling.pending.is_empty() || rolling.has_failed() => {
                    return self.answer_rolling(operation, "that of another has failed", out);
                }
                // No batch is stopped only to be started again.
                BatchStep::Start if rolling.give_up_at.is_some_and(|at| turn.now.mono >= at) => {
                    return self.answer_rolling(operation, BatchLimits::TIMED_OUT, out);
                }
                BatchStep::Start => {
                    let size = rolling.batch_size.min(rolling.pending.len());
                    rolling.batch = rolling.pending.drain(..size).collect();
                    rolling.step = BatchStep::Stop;
                    self.rows_to_stop(&rolling.batch)
                }
            };
            if !rows.is_empty() {
                break rows;
            }
        };
        let asked: Vec<_> = rows.iter().map(|row| (row.process, row.goal)).collect();
        self.operations.begin_step(id, operation, rows);
        let to_stop: Vec<_> = asked
            .iter()
            .rev()
            .filter(|(_, goal)| matches!(goal, Goal::Stopped(_)))
            .map(|(id, _)| *id)
            .collect();
        self.stop_in_order(turn, &to_stop, StopReason::Request(Wait::Yes), out);
        for (process, goal) in asked {
            match goal {
                Goal::Checked(_) => out.push(Effect::Check { process }),
                _ => self.changed(turn, process, None, out),
            }
        }
    }

    fn rows_to_stop(&self, batch: &[ProcessId]) -> Vec<Row> {
        let mut rows = self.rows(batch, Goal::Stopped(Wait::Yes));
        let is_stopping = |id| self.state_of(id) == ProcessState::Stopping;
        rows.retain(|row| self.can_stop(row.process) || is_stopping(row.process));
        rows
    }

    /// What was started meanwhile is only waited for.
    fn rows_to_start(&self, batch: &[ProcessId]) -> Vec<Row> {
        let mut rows = self.rows(batch, Goal::Checked(Wait::Yes));
        for row in rows.iter_mut().filter(|row| self.state_of(row.process).is_running()) {
            row.goal = Goal::Started(Wait::Yes);
        }
        rows
    }

    /// `why` is the reason for processes without a result.
    fn answer_rolling(&self, operation: Operation, why: &str, out: &mut Effects) {
        let Operation { kind: OperationKind::RollingRestart(mut rolling), ticket, .. } = operation else {
            return;
        };
        let unfinished = rolling.batch.iter().chain(&rolling.pending).filter_map(|id| self.process(*id));
        rolling.results.extend(unfinished.map(|process| {
            let text = format!("the restart of {} is not complete: {why}", process.full_name());
            process.bulk_row(Err(Fault::about(FaultCode::Failed, text)))
        }));
        answer(ticket, Ok(Reply::Bulk(rolling.results)), out);
    }

    /// Ends it early. Processes that it has stopped or is stopping start again.
    pub(super) fn end_rolling(&mut self, turn: &Turn, id: OperationId, why: &str, out: &mut Effects) {
        self.resume(id, out, |supervisor, operation, out| supervisor.give_up(turn, operation, why, out));
    }

    fn give_up(&mut self, turn: &Turn, mut operation: Operation, why: &str, out: &mut Effects) {
        let Operation { kind: OperationKind::RollingRestart(rolling), settled, .. } = &mut operation else {
            return;
        };
        rolling.collect(std::mem::take(settled));
        let to_start = if rolling.step == BatchStep::Stop { rolling.batch.clone() } else { Vec::new() };
        for id in to_start {
            self.deferred_stops.remove(&id);
            self.with(id, |process| match process.state().is_stopped() {
                true => process.start_requested(turn, out),
                false => process.desired.request(RunTarget::Up),
            });
            self.changed(turn, id, None, out);
        }
        self.answer_rolling(operation, why, out);
    }
}
