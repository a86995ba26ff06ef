//! What programs report about themselves by systemd's notify protocol.

use std::time::Duration;

use super::process::{Process, State, Until};
use super::{Effects, Turn};
use crate::model::{LogLevel, Notification, Pid};

impl Process {
    /// Handles a report of the program. The shell drops reports of earlier runs, so it is about this one.
    pub(super) fn notified(&mut self, turn: &Turn, notification: Notification, out: &mut Effects) {
        let Some(pid) = self.pid() else { return };
        let name = &self.spec.name;
        match notification {
            Notification::Status(text) => self.remarks_mut().reported_status = text,
            Notification::Reloading => out.log(LogLevel::Info, format!("{name} (pid {pid}) is reloading")),
            Notification::Stopping => {
                if self.stop_under_way().is_none() {
                    out.log(LogLevel::Info, format!("{name} (pid {pid}) is stopping by itself"));
                }
            }
            Notification::Errno(errno) => {
                out.log(LogLevel::Info, format!("{name} (pid {pid}) reports error {errno}"));
            }
            Notification::ExtendTimeout(duration) => self.extend_timeout(turn, duration),
            Notification::RestartReset => {
                out.log(
                    LogLevel::Info,
                    format!("{name} (pid {pid}) has reset the count of its restarts and failed starts"),
                );
                self.failed_starts = 0;
                self.reset_restarts();
                self.hooks.restarts = 0;
            }
            Notification::MainPid(main) => self.follow(pid, main, out),
            Notification::Watchdog => self.reported_alive(turn, out),
            Notification::WatchdogTrigger => self.reported_unhealthy(turn, out),
            Notification::WatchdogInterval(interval) => self.chose_report_interval(turn, interval),
            // Readiness is an input of its own.
            Notification::Ready => {}
        }
    }

    /// Changes the main process: to a descendant of the program, or back to the process that was started.
    fn follow(&mut self, pid: Pid, main: Pid, out: &mut Effects) {
        match &mut self.state {
            State::Starting { pid: Some(current), .. }
            | State::Running { pid: current }
            | State::Stopping { pid: current, .. } => *current = main,
            State::Starting { pid: None, .. }
            | State::Stopped
            | State::Waiting { .. }
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => return,
        }
        self.leader.get_or_insert(pid);
        out.log(
            LogLevel::Info,
            format!("{} (pid {pid}) has pid {main} as its main process now", self.spec.name),
        );
    }

    /// Gives a start or a stop that is under way at least this much time from now on; a stop no more than
    /// `STOP_EXTENSION_MAX` in all. The time of a shutdown is not extended.
    fn extend_timeout(&mut self, turn: &Turn, duration: Duration) {
        let at = turn.now.mono.after(duration);
        match &mut self.state {
            State::Stopping { stop, .. } => stop.extend_to(at),
            State::Starting {
                until: Until::Ready { give_up_at, .. } | Until::Done { give_up_at }, ..
            } => {
                *give_up_at = give_up_at.map(|before| before.max(at));
            }
            State::Starting { until: Until::UpFor { .. }, .. }
            | State::Running { .. }
            | State::Stopped
            | State::Waiting { .. }
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal
            | State::Unknown { .. } => {}
        }
    }
}
