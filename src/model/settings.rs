//! What the configuration says of the supervisor itself.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Environment, GroupSpec, LogForm, LogFormat, Rules, User, UserId};

/// Severity of an activity log line, Supervisor's seven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are Supervisor's and say it all")]
pub enum LogLevel {
    Blather,
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

impl LogLevel {
    /// The four letters that start a line.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::Blather => "BLAT",
            Self::Trace => "TRAC",
            Self::Debug => "DEBG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERRO",
            Self::Critical => "CRIT",
        }
    }
}

/// What programs that say nothing of it get for `log_format`, `log_timestamp`, `log_ring_bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogDefaults {
    /// `log_format`
    pub format: LogFormat,
    /// `log_timestamp`; `None` follows from the format.
    pub timestamp: Option<bool>,
    /// `log_ring_bytes`
    pub ring_bytes: u32,
}

impl Default for LogDefaults {
    fn default() -> Self {
        let LogForm { format, ring_bytes, .. } = LogForm::default();
        Self { format, timestamp: None, ring_bytes }
    }
}

/// A line that reading the configuration wants in the activity log, which opens only later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How loud.
    pub level: LogLevel,
    /// One line.
    pub text: String,
}

/// The control socket that needs no server section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ControlSocket {
    /// At a private default path, where no unix server is configured.
    #[default]
    Auto,
    /// None.
    Off,
    /// At this path, absolute.
    At(PathBuf),
}

/// The `[supervisord]` section with the command line laid over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonSettings {
    /// `logfile`, absolute; `None` without one.
    pub log_file: Option<PathBuf>,
    /// `logfile=syslog`
    pub log_to_syslog: bool,
    /// `logfile_maxbytes`; never rotated at 0 or less.
    pub log_bytes_max: i64,
    /// `logfile_backups`
    pub log_backups: i64,
    /// `loglevel`
    pub log_level: LogLevel,
    /// `pidfile`, absolute.
    pub pid_file: PathBuf,
    /// Whether `pidfile` was set: a container's init writes none otherwise.
    pub pid_file_asked_for: bool,
    /// `umask`, if set.
    pub umask: Option<u32>,
    /// `nodaemon`
    pub foreground: bool,
    /// `silent`: no activity log on stdout in the foreground.
    pub silent: bool,
    /// `minfds`
    pub fds_min: u64,
    /// `minprocs`
    pub processes_min: u64,
    /// Whether `minfds` was asked for: only then is not having it an error.
    pub fds_asked_for: bool,
    /// Whether `minprocs` was asked for.
    pub processes_asked_for: bool,
    /// `nocleanup`: leave the AUTO logs of an earlier run.
    pub keep_auto_logs: bool,
    /// `childlogdir`, where AUTO logs go.
    pub child_log_dir: PathBuf,
    /// `user` to become before anything else.
    pub user: Option<Arc<User>>,
    /// `directory`
    pub directory: Option<PathBuf>,
    /// `strip_ansi`
    pub strip_ansi: bool,
    /// `log_format`, `log_timestamp` and `log_ring_bytes` of all programs.
    pub log_defaults: LogDefaults,
    /// `control_socket`: the one that exists without a server section.
    pub control_socket: ControlSocket,
    /// `identifier`
    pub identifier: String,
    /// `strict`: sections and options that nobody knows were errors.
    pub strict: bool,
    /// When it ends, and what signals mean to it.
    pub rules: Rules,
    /// `env_file` and `environment` that every child gets.
    pub environment: Environment,
}

/// A password as configured. It never shows: `Debug` prints none of it.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// In the clear.
    Plain(String),
    /// `{SHA}`: the SHA-1 of the clear one.
    Sha1([u8; 20]),
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// What a client of a server must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Compared as a whole.
    pub username: String,
    /// Compared in constant time.
    pub password: Password,
}

/// Who shall own a unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketOwner {
    /// Owner.
    pub uid: UserId,
    /// Group.
    pub gid: Option<UserId>,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    /// `[unix_http_server]`, or a `unix://` socket.
    Unix {
        /// Absolute.
        path: PathBuf,
        /// Its permissions, 0700 unless set.
        mode: u32,
        /// Who shall own it, if not we.
        owner: Option<SocketOwner>,
    },
    /// `[inet_http_server]`, or a `tcp://` socket.
    Inet {
        /// Lower case, IPv6 without brackets; empty for all addresses.
        host: String,
        /// 1 to 65535
        port: u16,
    },
    /// A unix socket without a file: a name in Linux's abstract namespace. It has no permissions, so the
    /// peer's user is checked instead.
    Abstract {
        /// Without the NUL byte that it starts with.
        name: String,
    },
}

impl Address {
    /// The URL that a child or a client reaches a control server by.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Unix { path, .. } => format!("unix://{}", path.display()),
            Self::Inet { host, port } => match host.as_str() {
                // Every address there is; the one of this machine is the nearest.
                "" | "::" => format!("http://localhost:{port}"),
                host if host.contains(':') => format!("http://[{host}]:{port}"),
                host => format!("http://{host}:{port}"),
            },
            Self::Abstract { name } => format!("unix://@{name}"),
        }
    }

    /// Whether it is a unix socket.
    #[must_use]
    pub fn is_unix(&self) -> bool {
        matches!(self, Self::Unix { .. } | Self::Abstract { .. })
    }

    /// Whether only this machine can reach it; a name other than `localhost` counts as reachable.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix { .. } | Self::Abstract { .. } => true,
            Self::Inet { host, .. } => {
                host == "localhost" || host.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).is_loopback()
            }
        }
    }
}

/// A control server: its section, its address, and what it asks of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSpec {
    /// The section's full name, for messages.
    pub section: String,
    /// Where it listens.
    pub address: Address,
    /// `None` lets everybody in who can connect.
    pub credentials: Option<Credentials>,
    /// No server section made it. Children are not given its address, and it offers the supervisor's
    /// methods whatever `[rpcinterface:x]` sections there are.
    pub is_implicit: bool,
}

impl ServerSpec {
    /// One that no server section made.
    #[must_use]
    pub fn implicit(address: Address) -> Self {
        Self { section: "supervisord".to_owned(), address, credentials: None, is_implicit: true }
    }
}

/// Whose methods an XML-RPC namespace has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RpcInterface {
    /// Supervisor's own.
    Supervisor,
    /// Those of the package `supervisor_cache`.
    Cache,
    /// Those of `mr.laforge`.
    LaForge,
    /// Those of `supervisor_twiddler` that change no group.
    Twiddler,
}

/// An `[rpcinterface:x]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// What methods have before their dot.
    pub name: String,
    /// Which methods there are.
    pub interface: RpcInterface,
}

impl Namespace {
    /// One with Supervisor's own methods.
    #[must_use]
    pub fn of_supervisor(name: &str) -> Self {
        Self { name: name.to_owned(), interface: RpcInterface::Supervisor }
    }
}

/// A whole configuration, valid as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The supervisor itself.
    pub daemon: DaemonSettings,
    /// In the order in which they open: inet first, then unix.
    pub servers: Vec<ServerSpec>,
    /// The XML-RPC namespaces that are configured.
    pub namespaces: Vec<Namespace>,
    /// By ascending priority, then name.
    pub groups: Vec<GroupSpec>,
    /// Our environment variables that set an option. They are no affair of the children's, and some
    /// of them may be secrets.
    pub variables: Vec<String>,
    /// Lines for the activity log.
    pub notices: Vec<Notice>,
}
