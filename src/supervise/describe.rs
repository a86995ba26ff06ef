//! The description after the state in `status`, in Supervisor's words.

use std::time::Duration;

use tz::UtcDateTime;

use crate::model::{Pid, ProcessState, Wall};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

pub(super) fn describe(
    name: &str,
    state: ProcessState,
    pid: Option<Pid>,
    uptime: Duration,
    spawn_error: &str,
    ended: Option<Wall>,
) -> String {
    match state {
        ProcessState::Running => {
            format!("pid {}, uptime {}", pid.map_or(0, |pid| pid.0), days_and_time(uptime))
        }
        ProcessState::Fatal | ProcessState::Backoff if spawn_error.is_empty() => {
            format!("unknown error (try \"tail {name}\")")
        }
        ProcessState::Fatal | ProcessState::Backoff => spawn_error.to_owned(),
        ProcessState::Stopped | ProcessState::Exited => {
            ended.and_then(month_day_and_time).unwrap_or_else(|| "Not started".to_owned())
        }
        ProcessState::Starting | ProcessState::Stopping | ProcessState::Unknown => String::new(),
    }
}

/// `0:00:07`, `1 day, 2:03:04`, `12 days, 0:00:00`.
fn days_and_time(uptime: Duration) -> String {
    let secs = uptime.as_secs();
    let (days, hours, minutes, secs) = (secs / 86_400, secs / 3_600 % 24, secs / 60 % 60, secs % 60);
    let days = match days {
        0 => String::new(),
        1 => "1 day, ".to_owned(),
        _ => format!("{days} days, "),
    };
    format!("{days}{hours}:{minutes:02}:{secs:02}")
}

/// `Nov 20 04:11 PM`, in the local time in effect then; `None` for a time outside the calendar's range.
pub(super) fn month_day_and_time(when: Wall) -> Option<String> {
    let local = when.unix_secs().checked_add(i64::from(when.utc_offset_secs))?;
    let local = UtcDateTime::from_timespec(local, 0).ok()?;
    let month = MONTHS.get(usize::from(local.month()).checked_sub(1)?)?;
    let (hour, half) = match local.hour() {
        0 => (12, "AM"),
        hour @ 1..=11 => (hour, "AM"),
        12 => (12, "PM"),
        hour => (hour - 12, "PM"),
    };
    Some(format!("{month} {:02} {hour:02}:{:02} {half}", local.month_day(), local.minute()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: ProcessState, uptime_secs: u64, spawn_error: &str, ended: Option<Wall>, expected: &str) {
        let pid = Some(Pid(42));
        let text = describe("web", state, pid, Duration::from_secs(uptime_secs), spawn_error, ended);
        assert_eq!(text, expected);
    }

    #[test]
    fn running_shows_pid_and_uptime() {
        for (secs, text) in [
            (0, "pid 42, uptime 0:00:00"),
            (3_661, "pid 42, uptime 1:01:01"),
            (86_399, "pid 42, uptime 23:59:59"),
            (86_400, "pid 42, uptime 1 day, 0:00:00"),
            (12 * 86_400 + 7, "pid 42, uptime 12 days, 0:00:07"),
        ] {
            check(ProcessState::Running, secs, "", None, text);
        }
    }

    #[test]
    fn stopped_shows_the_local_time_of_the_end() {
        let at = |unix_secs: i64, utc_offset_secs| Some(Wall { unix_ms: unix_secs * 1000, utc_offset_secs });
        for (ended, text) in [
            (at(1_795_190_400, 0), "Nov 20 04:00 PM"),
            (at(1_795_190_400, -4 * 3600), "Nov 20 12:00 PM"),
            (at(1_795_190_400, 8 * 3600), "Nov 21 12:00 AM"),
            (at(0, 0), "Jan 01 12:00 AM"),
            (None, "Not started"),
        ] {
            check(ProcessState::Stopped, 0, "", ended, text);
            check(ProcessState::Exited, 0, "", ended, text);
        }
    }

    #[test]
    fn failures_show_their_cause_and_other_states_nothing() {
        check(ProcessState::Fatal, 0, "can't find command 'x'", None, "can't find command 'x'");
        check(ProcessState::Backoff, 0, "", None, "unknown error (try \"tail web\")");
        for state in [ProcessState::Starting, ProcessState::Stopping, ProcessState::Unknown] {
            check(state, 9, "", None, "");
        }
    }
}
