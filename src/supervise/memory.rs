//! `memory_limit`: a program that uses more memory than it may is stopped as an unhealthy one is.
//!
//! A [`MemoryWatch`] exists while its process is RUNNING, so nothing is measured before readiness. One measurement above
//! the limit may be a peak; several in a row are not.

use serde::{Deserialize, Serialize};

use super::health::next_step;
use super::process::{Process, State};
use super::{Effect, Effects, Turn};
use crate::model::{LogLevel, Mono, OnUnhealthy, Pid, ProcessSpec};

/// `412 MB`, `512 KB`, `100 bytes`
fn size_text(bytes: u64) -> String {
    match bytes {
        0..0x400 => format!("{bytes} bytes"),
        0x400..0x10_0000 => format!("{} KB", bytes >> 10),
        _ => format!("{} MB", bytes >> 20),
    }
}

/// How many measurements in a row above the limit have a consequence.
const ABOVE_MAX: u8 = 3;

/// The measurements of a running process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MemoryWatch {
    /// `None` once it was found above its limit for good.
    measure_at: Option<Mono>,
    /// Measurements in a row that were above the limit.
    above: u8,
}

impl Process {
    /// Begins the measurements of a process that has become RUNNING.
    pub(super) fn begin_memory_watch(&mut self, turn: &Turn) {
        let limit = self.spec.lifecycle.memory_limit.as_ref();
        self.memory = limit.map(|limit| {
            let measure_at = Some(next_step(turn.now.mono.after(limit.interval)));
            Box::new(MemoryWatch { measure_at, above: 0 })
        });
    }

    /// Applies a changed specification to a running process.
    pub(super) fn memory_limit_updated(&mut self, turn: &Turn, old: &ProcessSpec) {
        let is_changed = self.spec.lifecycle.memory_limit != old.lifecycle.memory_limit;
        if is_changed && self.unhealthy_reason().is_none() && matches!(self.state, State::Running { .. }) {
            self.begin_memory_watch(turn);
        }
    }

    pub(super) fn memory_deadline(&self) -> Option<Mono> {
        self.memory.as_ref()?.measure_at
    }

    /// Begins a measurement that is due.
    pub(super) fn memory_time_passed(&mut self, turn: &Turn, out: &mut Effects) {
        let (now, pid) = (turn.now.mono, self.pid());
        let (Some(limit), Some(watch), Some(pid)) =
            (&self.spec.lifecycle.memory_limit, &mut self.memory, pid)
        else {
            return;
        };
        if turn.restarts_allowed && watch.measure_at.is_some_and(|at| now >= at) {
            watch.measure_at = Some(next_step(now.after(limit.interval)));
            out.push(Effect::MeasureMemory { process: self.id, pid });
        }
    }

    /// What the process with this pid and its descendants use, in bytes; `None` if that is not known.
    pub(super) fn memory_measured(
        &mut self,
        turn: &Turn,
        (pid, bytes): (Pid, Option<u64>),
        out: &mut Effects,
    ) {
        if self.pid() != Some(pid) {
            return;
        }
        let (Some(limit), Some(watch)) = (&self.spec.lifecycle.memory_limit, &mut self.memory) else {
            return;
        };
        let Some(bytes) = bytes.filter(|bytes| *bytes > limit.bytes) else {
            watch.above = 0;
            return;
        };
        if watch.measure_at.is_none() || !turn.restarts_allowed {
            return;
        }
        watch.above = watch.above.saturating_add(1);
        let name = &self.spec.name;
        let text =
            format!("{} of memory in use, memory_limit is {}", size_text(bytes), size_text(limit.bytes));
        if watch.above < ABOVE_MAX {
            let count = watch.above;
            return out.log(LogLevel::Info, format!("{name}: {text} ({count} of {ABOVE_MAX} measurements)"));
        }
        watch.measure_at = None;
        let on_limit = limit.on_limit;
        self.remarks_mut().unhealthy_reason = Some(text.clone());
        let name = &self.spec.name;
        match on_limit {
            OnUnhealthy::Restart => {
                let consequence = if self.restarts_unhealthy() { "restarting" } else { "stopping" };
                out.log(LogLevel::Warn, format!("{name}: {text}; {consequence} it"));
                out.to_unbind.push(self.id);
            }
            OnUnhealthy::Shutdown | OnUnhealthy::Ignore => {
                out.log(LogLevel::Warn, format!("{name}: {text}"));
                out.ended.push(self.id);
            }
        }
    }

    /// Whether it has used too much memory, and what follows.
    pub(super) fn memory_verdict(&self) -> Option<OnUnhealthy> {
        let is_over = self.memory.as_ref().is_some_and(|watch| watch.measure_at.is_none());
        self.spec.lifecycle.memory_limit.as_ref().filter(|_| is_over).map(|limit| limit.on_limit)
    }
}
