//! When the supervisor exits by itself, and what signals do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Signal;

/// The effect of a program's end on the supervisor (`on_exit`, `on_fatal`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum OnEnd {
    /// Nothing.
    #[default]
    Ignore,
    /// It stops everything and exits too, with the status of that program.
    Shutdown,
}

/// What the supervisor does when no program is left (`on_idle`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum OnIdle {
    /// It waits for commands.
    #[default]
    Wait,
    /// It exits.
    Exit,
}

/// The effect of a signal to the supervisor (`signal_TERM` and similar).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignalAction {
    /// Stops everything, then exits.
    Shutdown,
    /// Reads the configuration again and restarts everything.
    Reload,
    /// Closes and reopens all log files.
    Reopen,
    /// Forwards it to these processes: a name, `group:name`, or `group:*`.
    Forward(Vec<String>),
    /// Nothing.
    Ignore,
}

/// The rules in `[supervisord]`.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rules {
    /// `on_idle`
    pub on_idle: OnIdle,
    /// `shutdown_timeout`, after which all remaining processes are killed; `None` sets no limit.
    pub shutdown_timeout_secs: Option<u64>,
    /// `signal_*`, for the configured signals.
    pub signals: BTreeMap<Signal, SignalAction>,
}

impl Rules {
    /// The effect of a signal; the default is Supervisor's.
    #[must_use]
    pub fn action(&self, signal: Signal) -> SignalAction {
        let usual = || match signal {
            Signal::TERM | Signal::INT | Signal::QUIT => SignalAction::Shutdown,
            Signal::HUP => SignalAction::Reload,
            Signal::USR2 => SignalAction::Reopen,
            _ => SignalAction::Ignore,
        };
        self.signals.get(&signal).cloned().unwrap_or_else(usual)
    }
}
