//! Checks for the readiness and health of a program.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A check that the supervisor performs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Probe {
    /// A connection can be made.
    Tcp {
        /// A name or an address, without brackets.
        host: String,
        /// From 1.
        port: u16,
    },
    /// A connection to this socket can be made.
    Unix(PathBuf),
    /// A GET is answered with a status of 200 to 399.
    Http {
        /// A name or an address, without brackets.
        host: String,
        /// From 1.
        port: u16,
        /// With the query; starts with a slash.
        path: String,
    },
    /// This command, run as the program is, exits with 0.
    Exec(String),
}

/// One of the conditions of `ready`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadyCheck {
    /// It runs for `startsecs`.
    StartSecs,
    /// It reports by systemd's protocol.
    Notify,
    /// It writes a newline to this descriptor, as s6 has it.
    Fd(u16),
    /// A probe succeeds.
    Probe(Probe),
    /// This file exists.
    File(PathBuf),
    /// A line of its output matches this regular expression of `regex-lite`, which is known to compile.
    Log(String),
}

/// `ready` and `ready_interval`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadinessSpec {
    /// All of them must hold. There is at least one.
    pub checks: Vec<ReadyCheck>,
    /// The maximum pause between two probes.
    pub interval: Duration,
}

impl ReadinessSpec {
    /// With defaults for all other options.
    #[must_use]
    pub fn new(checks: Vec<ReadyCheck>) -> Self {
        Self { checks, interval: Duration::from_secs(1) }
    }
}

/// The check of `health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HealthCheck {
    /// The program sends WATCHDOG=1 by systemd's protocol, at least once in `health_interval`.
    Notify,
    /// A probe succeeds.
    Probe(Probe),
}

/// The reaction to an unhealthy process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnUnhealthy {
    /// It is stopped and started again, by the restart policy.
    #[default]
    Restart,
    /// The supervisor shuts down.
    Shutdown,
    /// Only an event and a log line.
    Ignore,
}

/// `health` and related options, as in Docker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthSpec {
    /// `health`
    pub check: HealthCheck,
    /// `health_interval`: from the end of one check to the start of the next.
    pub interval: Duration,
    /// `health_timeout`
    pub timeout: Duration,
    /// `health_retries`: consecutive failures that make it unhealthy; at least 1.
    pub retries: u32,
    /// `health_successes`: consecutive successes that make it healthy; at least 1.
    pub successes: u32,
    /// `health_start_period`: failures are not counted for this long after it is ready; the first success
    /// ends the period.
    pub start_period: Duration,
    /// `on_unhealthy`
    pub on_unhealthy: OnUnhealthy,
}

impl HealthSpec {
    /// With defaults for all other options. A program that reports by itself knows the interval, so one
    /// interval without a report is enough.
    #[must_use]
    pub fn new(check: HealthCheck) -> Self {
        let retries = match check {
            HealthCheck::Notify => 1,
            HealthCheck::Probe(_) => 3,
        };
        Self {
            check,
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            retries,
            successes: 1,
            start_period: Duration::ZERO,
            on_unhealthy: OnUnhealthy::default(),
        }
    }
}

/// Whether a running process is healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HealthStatus {
    /// Unknown in this run so far.
    Starting,
    /// Enough consecutive checks have succeeded.
    Healthy,
    /// Enough consecutive checks have failed.
    Unhealthy,
}

impl HealthStatus {
    /// The status of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Starting, Self::Healthy, Self::Unhealthy].into_iter().find(|status| status.name() == name)
    }

    /// The word for clients.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// The health of a process for clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthInfo {
    /// What is known.
    pub status: HealthStatus,
    /// `1 of 3 checks failed: connection refused`; `None` if the last check succeeded or there was none.
    pub failure: Option<String>,
}

/// The maximum number of characters of a command's output beside the reason why a check fails.
const OUTPUT_CHARS_MAX: usize = 200;

/// A reason why a check fails with the last line that its command has printed: `exit status 1: no response`.
#[must_use]
pub fn with_last_line(reason: &str, output: &str) -> String {
    let line = output.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let line = line.map(|line| line.chars().take(OUTPUT_CHARS_MAX).collect::<String>());
    line.map_or_else(|| reason.to_owned(), |line| format!("{reason}: {line}"))
}

/// `health: starting`, `healthy, but 1 of 3 checks failed: …`, `unhealthy: 3 of 3 checks failed: connection refused`
impl fmt::Display for HealthInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.status.name();
        let (text, separator) = match self.status {
            HealthStatus::Starting => (format!("health: {name}"), ", "),
            HealthStatus::Healthy => (name.to_owned(), ", but "),
            HealthStatus::Unhealthy => (name.to_owned(), ": "),
        };
        f.write_str(&text)?;
        self.failure.iter().try_for_each(|failure| write!(f, "{separator}{failure}"))
    }
}

/// As spelled in a configuration.
impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bracketed = |host: &str| if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        match self {
            Self::Tcp { host, port } => write!(f, "tcp:{}:{port}", bracketed(host)),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Http { host, port, path } => write!(f, "http://{}:{port}{path}", bracketed(host)),
            Self::Exec(command) => write!(f, "exec:{command}"),
        }
    }
}

/// As spelled in a configuration.
impl fmt::Display for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Notify => f.write_str("notify"),
            Self::Probe(probe) => probe.fmt(f),
        }
    }
}

/// As spelled in a configuration.
impl fmt::Display for ReadyCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartSecs => f.write_str("startsecs"),
            Self::Notify => f.write_str("notify"),
            Self::Fd(number) => write!(f, "fd:{number}"),
            Self::Probe(probe) => probe.fmt(f),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Log(regex) => write!(f, "log:{regex}"),
        }
    }
}
