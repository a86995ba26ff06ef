//! What the supervisor is told to do by itself: when it ends, and what signals mean to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Signal;

/// What the end of a program means for the supervisor (`on_exit`, `on_fatal`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum OnEnd {
    /// Nothing.
    #[default]
    Ignore,
    /// It stops everything and ends too, with the status of that program.
    Shutdown,
}

/// What the supervisor does once no program is left (`on_idle`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum OnIdle {
    /// It waits to be asked for something.
    #[default]
    Wait,
    /// It ends.
    Exit,
}

/// What a signal for the supervisor does (`signal_TERM` and its like).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignalAction {
    /// Stops everything, then ends.
    Shutdown,
    /// Reads the configuration again and begins anew.
    Reload,
    /// Closes and opens again all log files.
    Reopen,
    /// Goes on to these processes: a name, `group:name`, or `group:*`.
    Forward(Vec<String>),
    /// Nothing.
    Ignore,
}

/// What `[supervisord]` says of it.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rules {
    /// `on_idle`
    pub on_idle: OnIdle,
    /// `shutdown_timeout`, after which all that is left is killed; `None` sets no bound.
    pub shutdown_timeout_secs: Option<u64>,
    /// `signal_*`, for the signals that are set.
    pub signals: BTreeMap<Signal, SignalAction>,
}

impl Rules {
    /// What a signal does; without a setting what it does for Supervisor.
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
