//! Signals sent to the supervisor itself.

use super::commands::Found;
use super::{Effect, Effects, ReadFor, Supervisor, Turn};
use crate::model::{LogLevel, Namespec, Signal, SignalAction, SupervisorState};

impl Supervisor {
    pub(super) fn signalled(&mut self, turn: &Turn, signal: Signal, out: &mut Effects) {
        match self.rules.action(signal) {
            SignalAction::Shutdown => {
                out.log(LogLevel::Warn, format!("received {signal} indicating exit request"));
                self.asked_to_end(turn, signal, out);
            }
            SignalAction::Reload if self.state() == SupervisorState::Shutdown => {
                let text = format!("ignored {signal} indicating restart request (shutdown in progress)");
                out.log(LogLevel::Warn, text);
            }
            SignalAction::Reload => {
                out.log(LogLevel::Warn, format!("received {signal} indicating restart request"));
                if self.allows_starts() {
                    out.push(Effect::ReadSettings { purpose: ReadFor::Restart(None) });
                }
            }
            SignalAction::Reopen => {
                out.log(LogLevel::Info, format!("received {signal} indicating log reopen request"));
                out.push(Effect::ReopenLogs);
            }
            SignalAction::Forward(names) => self.forward(signal, &names, out),
            SignalAction::Ignore if signal == Signal::CHLD => {
                out.debug(|| format!("received {signal} indicating a child quit"));
            }
            SignalAction::Ignore => {
                out.log(LogLevel::Blather, format!("received {signal} indicating nothing"))
            }
        }
    }

    /// Forwards it to those of the named processes that have a pid.
    fn forward(&self, signal: Signal, names: &[String], out: &mut Effects) {
        out.log(LogLevel::Info, format!("received {signal}, forwarding it to {}", names.join(", ")));
        for name in names {
            // Unless its group is not active.
            let members = self.find(&Namespec::split(name)).map(Found::members).unwrap_or_default();
            for process in members.iter().filter_map(|id| self.process(*id)) {
                process.signal(signal, out);
            }
        }
    }
}
