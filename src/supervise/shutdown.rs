//! Requests to end or to restart the supervisor, and how they change its state.

use serde::{Deserialize, Serialize};

use super::groups::ConfigurationChanges;
use super::{Effect, Effects, Ending, ReadFor, Supervisor, Turn};
use crate::events::Event;
use crate::model::{
    EventType, Fault, FaultCode, GroupSpec, LogLevel, LoggedEventKind, Reply, Signal, SupervisorState,
};

/// What follows when everything is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterStop {
    /// The supervisor ends, for this reason.
    End(Ending),
    /// It restarts with the settings that were read.
    Restart,
}

/// Whether the supervisor has to end. The steps are an operation
/// ([`Shutdown`](super::operations)); this state outlives it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ShutdownState {
    NotRequested,
    Stopping(AfterStop),
    /// `AllStopped` was sent.
    Stopped(AfterStop),
}

impl ShutdownState {
    pub(super) fn supervisor_state(&self) -> SupervisorState {
        match self {
            Self::NotRequested => SupervisorState::Running,
            Self::Stopping(AfterStop::End(_)) | Self::Stopped(AfterStop::End(_)) => SupervisorState::Shutdown,
            Self::Stopping(AfterStop::Restart) | Self::Stopped(AfterStop::Restart) => {
                SupervisorState::Restarting
            }
        }
    }
}

impl Supervisor {
    /// False once a shutdown has begun: nothing starts by itself then, and clients are refused.
    pub(super) fn allows_starts(&self) -> bool {
        matches!(self.shutdown_state, ShutdownState::NotRequested)
    }

    /// The first request begins the shutdown or turns a restart into one. Each further one hurries it.
    pub(super) fn asked_to_end(&mut self, turn: &Turn, signal: Signal, out: &mut Effects) {
        let end = AfterStop::End(Ending::Signal(signal));
        match &mut self.shutdown_state {
            ShutdownState::NotRequested => self.begin_stopping(turn, end, out),
            ShutdownState::Stopping(then @ AfterStop::Restart) => {
                *then = end;
                self.operations.shutdown_requested(turn);
            }
            ShutdownState::Stopping(AfterStop::End(_)) => self.hurry_shutdown(turn, signal, out),
            // The restart has not begun yet.
            ShutdownState::Stopped(then @ AfterStop::Restart) => {
                *then = end.clone();
                out.push(Effect::AllStopped(end));
            }
            ShutdownState::Stopped(AfterStop::End(_)) => {}
        }
    }

    pub(super) fn shut_down(&mut self, turn: &Turn, ending: Ending, out: &mut Effects) {
        self.begin_stopping(turn, AfterStop::End(ending), out);
    }

    /// Restarts if the settings are valid; otherwise nothing changes.
    pub(super) fn settings_read(
        &mut self,
        turn: &Turn,
        purpose: ReadFor,
        outcome: Result<Vec<GroupSpec>, String>,
        out: &mut Effects,
    ) {
        if matches!(purpose, ReadFor::Restart(_) | ReadFor::Reread(_) | ReadFor::Update { .. }) {
            self.counters.note_reload(turn.now.wall, outcome.is_ok());
        }
        let cant_reread = |text: &String| Err(Fault::about(FaultCode::CantReread, text.clone()));
        match (purpose, outcome) {
            (ReadFor::Reread(ticket), Ok(groups)) => {
                let ConfigurationChanges { added, changed, removed } = self.reread(groups, out);
                out.reply(ticket, Ok(Reply::Changes { added, changed, removed }));
            }
            (ReadFor::Update { ticket, group }, Ok(groups)) => {
                let changes = self.reread(groups, out);
                self.update_changed(turn, ticket, (group, changes), out);
            }
            (ReadFor::Diff(ticket), Ok(groups)) => {
                out.reply(ticket, Ok(Reply::Differences(self.differences(&groups))));
            }
            (ReadFor::Scale { ticket, program, processes, .. }, Ok(readings)) => {
                self.scale(turn, ticket, (program, processes), readings, out);
            }
            (
                ReadFor::Reread(ticket)
                | ReadFor::Update { ticket, .. }
                | ReadFor::Diff(ticket)
                | ReadFor::Scale { ticket, .. },
                Err(text),
            ) => out.reply(ticket, cant_reread(&text)),
            (ReadFor::Restart(ticket), outcome) => {
                if let Some(ticket) = ticket {
                    out.reply(ticket, outcome.as_ref().map_or_else(cant_reread, |_| Ok(Reply::Done)));
                }
                match outcome {
                    Ok(_) => self.begin_stopping(turn, AfterStop::Restart, out),
                    Err(text) => refuse_restart(&text, out),
                }
            }
        }
    }

    fn begin_stopping(&mut self, turn: &Turn, then: AfterStop, out: &mut Effects) {
        self.shutdown_state = ShutdownState::Stopping(then);
        out.record(LoggedEventKind::Supervisor(self.state()));
        self.processes.forbid_starts();
        self.autostarts.clear();
        out.announce(EventType::SupervisorStateChangeStopping, || Event::SupervisorStopping);
        self.cancel_operations(out);
        self.open_shutdown(turn, out);
    }
}

/// COMPAT: Supervisor stops everything first and then ends with an error.
fn refuse_restart(text: &str, out: &mut Effects) {
    for line in text.lines() {
        out.log(LogLevel::Error, line);
    }
    out.log(LogLevel::Error, "restart refused: the configuration has errors, nothing changes");
}
