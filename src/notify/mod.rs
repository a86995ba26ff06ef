//! Messages of systemd's notify protocol, as described in sd_notify(3) and implemented by systemd: bytes of
//! a datagram in, assignments out, without I/O.
//!
//! A program may send more than a supervisor understands, so unknown and invalid assignments are skipped
//! individually. A message that systemd rejects as a whole is rejected here, too.

use std::str::FromStr;
use std::time::Duration;

use crate::model::{Notification, Pid};

/// The longest message: PIPE_BUF, as with systemd.
pub const MESSAGE_BYTES_MAX: usize = 4096;

/// The content of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// `BARRIER=1`: the sender waits until the descriptor that it has sent along is closed.
    Barrier,
    /// Assignments in the order in which they were written. Of each kind only the first counts.
    Notifications(Vec<Notification>),
}

impl Message {
    /// Parses a datagram that came with this many descriptors. Returns `None` for what systemd rejects: a message that is too
    /// long, contains a NUL byte, or is a barrier with other assignments or another number of descriptors.
    #[must_use]
    pub fn parse(datagram: &[u8], descriptors: usize) -> Option<Self> {
        // A NUL byte at the end terminates a C string.
        let text = datagram.strip_suffix(b"\0").unwrap_or(datagram);
        if datagram.len() > MESSAGE_BYTES_MAX || text.contains(&0) {
            return None;
        }
        let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        if lines.clone().any(|line| line == b"BARRIER=1") {
            let is_alone = lines.next().is_some() && lines.next().is_none();
            return (is_alone && descriptors == 1).then_some(Self::Barrier);
        }
        let mut notifications: Vec<Notification> = Vec::new();
        for notification in lines.filter_map(assignment) {
            let kind = std::mem::discriminant(&notification);
            if notifications.iter().all(|known| std::mem::discriminant(known) != kind) {
                notifications.push(notification);
            }
        }
        Some(Self::Notifications(notifications))
    }
}

/// `None` for an unknown or invalid assignment.
fn assignment(line: &[u8]) -> Option<Notification> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once('=')?;
    match (name, value) {
        ("READY", "1") => Some(Notification::Ready),
        ("RELOADING", "1") => Some(Notification::Reloading),
        ("STOPPING", "1") => Some(Notification::Stopping),
        ("RESTART_RESET", "1") => Some(Notification::RestartReset),
        ("WATCHDOG", "1") => Some(Notification::Watchdog),
        ("WATCHDOG", "trigger") => Some(Notification::WatchdogTrigger),
        ("STATUS", text) => Some(Notification::Status(printable(text))),
        ("ERRNO", value) => number(value).filter(|errno| *errno >= 0).map(Notification::Errno),
        ("MAINPID", value) => number(value).filter(|pid| *pid > 0).map(|pid| Notification::MainPid(Pid(pid))),
        ("WATCHDOG_USEC", value) => {
            microseconds(value).filter(|it| !it.is_zero()).map(Notification::WatchdogInterval)
        }
        ("EXTEND_TIMEOUT_USEC", value) => microseconds(value).map(Notification::ExtendTimeout),
        _ => None,
    }
}

/// Control characters would reach terminals.
fn printable(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.trim().to_owned()
}

fn number<T: FromStr>(value: &str) -> Option<T> {
    value.trim().parse().ok()
}

fn microseconds(value: &str) -> Option<Duration> {
    number(value).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(datagram: &str, expected: &[Notification]) {
        let message = Message::parse(datagram.as_bytes(), 0);
        assert_eq!(message, Some(Message::Notifications(expected.to_vec())), "{datagram:?}");
    }

    #[test]
    fn assignments_are_read_in_their_order() {
        check("READY=1", &[Notification::Ready]);
        check("READY=1\n", &[Notification::Ready]);
        check("STOPPING=1\0", &[Notification::Stopping]);
        check("RELOADING=1\nMONOTONIC_USEC=12345\n", &[Notification::Reloading]);
        check(
            "STATUS= 3 of 4: 75 % \nREADY=1\nMAINPID=4711\nERRNO=13",
            &[
                Notification::Status("3 of 4: 75 %".to_owned()),
                Notification::Ready,
                Notification::MainPid(Pid(4711)),
                Notification::Errno(13),
            ],
        );
        check(
            "WATCHDOG=1\nWATCHDOG_USEC=20000000\nEXTEND_TIMEOUT_USEC=1500000\nRESTART_RESET=1",
            &[
                Notification::Watchdog,
                Notification::WatchdogInterval(Duration::from_secs(20)),
                Notification::ExtendTimeout(Duration::from_millis(1500)),
                Notification::RestartReset,
            ],
        );
        check("WATCHDOG=trigger", &[Notification::WatchdogTrigger]);
    }

    #[test]
    fn of_each_kind_the_first_counts() {
        check("STATUS=a\nSTATUS=b", &[Notification::Status("a".to_owned())]);
        check("READY=1\nREADY=1", &[Notification::Ready]);
    }

    #[test]
    fn unknown_or_invalid_assignments_are_ignored() {
        for datagram in [
            "",
            "\n\n",
            "READY",
            "READY=0",
            "READY=yes",
            "ready=1",
            "=1",
            "X_MINE=1",
            "FDSTORE=1",
            "MAINPID=0",
            "MAINPID=-1",
            "MAINPID=99999999999",
            "ERRNO=-1",
            "ERRNO=x",
            "WATCHDOG_USEC=0",
            "WATCHDOG_USEC=-1",
            "EXTEND_TIMEOUT_USEC=",
            "EXTEND_TIMEOUT_USEC=99999999999999999999999",
            "BARRIER=0",
        ] {
            check(datagram, &[]);
        }
        assert_eq!(
            Message::parse(b"STATUS=\xff\xfe\nREADY=1", 0),
            Some(Message::Notifications(vec![Notification::Ready]))
        );
    }

    #[test]
    fn a_status_is_one_printable_line() {
        check("STATUS=\x1b[31mred\x07\r", &[Notification::Status("[31mred".to_owned())]);
        check("STATUS=", &[Notification::Status(String::new())]);
        let longest = format!("STATUS={}", "x".repeat(MESSAGE_BYTES_MAX - "STATUS=".len()));
        check(&longest, &[Notification::Status("x".repeat(MESSAGE_BYTES_MAX - "STATUS=".len()))]);
    }

    #[test]
    fn messages_that_systemd_refuses_are_refused() {
        let too_long = vec![b'\n'; MESSAGE_BYTES_MAX + 1];
        for datagram in [&too_long[..], b"READY=1\0STATUS=x", b"\0\0"] {
            assert_eq!(Message::parse(datagram, 0), None);
        }
    }

    #[test]
    fn a_barrier_is_alone_and_has_one_descriptor() {
        assert_eq!(Message::parse(b"BARRIER=1", 1), Some(Message::Barrier));
        assert_eq!(Message::parse(b"BARRIER=1\n", 1), Some(Message::Barrier));
        for (datagram, descriptors) in
            [("BARRIER=1", 0), ("BARRIER=1", 2), ("READY=1\nBARRIER=1", 1), ("BARRIER=1\nBARRIER=1", 1)]
        {
            assert_eq!(Message::parse(datagram.as_bytes(), descriptors), None, "{datagram:?} {descriptors}");
        }
    }
}
