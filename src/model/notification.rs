//! Notifications of a program by systemd's protocol, sd_notify(3).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Pid;

/// One assignment of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notification {
    /// `READY=1`: it has started, or has finished reloading.
    Ready,
    /// `RELOADING=1`
    Reloading,
    /// `STOPPING=1`
    Stopping,
    /// `STATUS=`: one line for people, without control characters; an empty one clears the status.
    Status(String),
    /// `ERRNO=`: a number of errno(3).
    Errno(i32),
    /// `WATCHDOG=1`: it is alive.
    Watchdog,
    /// `WATCHDOG=trigger`: it has detected itself that it is not healthy.
    WatchdogTrigger,
    /// `WATCHDOG_USEC=`: from now on it reports at least this often.
    WatchdogInterval(Duration),
    /// `EXTEND_TIMEOUT_USEC=`: it needs at least this long from now on to start or to stop.
    ExtendTimeout(Duration),
    /// `RESTART_RESET=1`: its restarts are counted from zero again.
    RestartReset,
    /// `MAINPID=`: another process is the program from now on.
    MainPid(Pid),
}
