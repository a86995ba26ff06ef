//! The settings of the supervisor itself.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Environment, GroupSpec, LogForm, LogFormat, Role, Rules, ServerAccess, User, UserId};

/// The severity of an activity log line: Supervisor's seven levels.
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
    /// The four letters in a line.
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

/// The defaults of programs for `log_format`, `log_timestamp`, `log_ring_bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogDefaults {
    /// `log_format`
    pub format: LogFormat,
    /// `log_timestamp`; `None` depends on the format.
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

/// A message for the activity log from reading the configuration, before the log is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its level.
    pub level: LogLevel,
    /// One line.
    pub text: String,
}

/// The control socket that needs no server section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ControlSocket {
    /// At a private default path, unless a unix server is configured.
    #[default]
    Auto,
    /// None.
    Off,
    /// At this path, absolute.
    At(PathBuf),
}

/// The `[supervisord]` section with the overrides of the command line.
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
    /// Whether `pidfile` was set: otherwise a container's init writes none.
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
    /// Whether `minfds` was set: only then is it an error if it can't be reached.
    pub fds_asked_for: bool,
    /// Whether `minprocs` was set.
    pub processes_asked_for: bool,
    /// `nocleanup`: leave the AUTO logs of an earlier run.
    pub keep_auto_logs: bool,
    /// `childlogdir`, where AUTO logs go.
    pub child_log_dir: PathBuf,
    /// The `user` to switch to before anything else.
    pub user: Option<Arc<User>>,
    /// `directory`
    pub directory: Option<PathBuf>,
    /// `strip_ansi`
    pub strip_ansi: bool,
    /// The defaults of programs for `log_format`, `log_timestamp` and `log_ring_bytes`.
    pub log_defaults: LogDefaults,
    /// `control_socket`: the socket without a server section.
    pub control_socket: ControlSocket,
    /// `client_timeout`: how long a request may take to arrive once it has begun, how long it may wait for room, and
    /// how long a client may take nothing of its reply.
    pub client_timeout: Duration,
    /// `identifier`
    pub identifier: String,
    /// `strict`: unknown sections and options were errors.
    pub strict: bool,
    /// When it exits, and what signals do.
    pub rules: Rules,
    /// `env_file` and `environment` for every child.
    pub environment: Environment,
}

/// A password as configured. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// In plain text.
    Plain(String),
    /// `{SHA}`: the SHA-1 of the password.
    Sha1([u8; 20]),
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// The credentials that a server requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Compared as a whole.
    pub username: String,
    /// Compared in constant time.
    pub password: Password,
}

/// The owner of a unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketOwner {
    /// Owner.
    pub uid: UserId,
    /// Group.
    pub gid: Option<UserId>,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    /// `[unix_http_server]`, or a `unix://` socket.
    Unix {
        /// Absolute.
        path: PathBuf,
        /// Its permissions, 0700 unless set.
        mode: u32,
        /// Its owner, if not we.
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
    /// The URL of a control server for children and clients.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Unix { path, .. } => format!("unix://{}", path.display()),
            Self::Inet { host, port } => match host.as_str() {
                // All addresses include the local one.
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

    /// Whether only this machine can reach it; a name other than `localhost` counts as reachable from
    /// outside.
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

/// A control server: its section, its address, and the required credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSpec {
    /// The section's full name, for messages.
    pub section: String,
    /// Where it listens.
    pub address: Address,
    /// `None` accepts every client that can connect.
    pub credentials: Option<Credentials>,
    /// What its clients may do.
    pub access: ServerAccess,
    /// It has no server section. Children don't get its address, and it offers the supervisor's methods
    /// regardless of `[rpcinterface:x]` sections.
    pub is_implicit: bool,
    /// It serves metrics and probes, and nothing else.
    pub is_for_probes: bool,
}

impl ServerSpec {
    /// A server without a section.
    #[must_use]
    pub fn implicit(address: Address) -> Self {
        Self {
            section: "supervisord".to_owned(),
            address,
            credentials: None,
            access: ServerAccess::default(),
            is_implicit: true,
            is_for_probes: false,
        }
    }

    /// A server of a `[probe_http_server]`, which asks for no password.
    #[must_use]
    pub fn for_probes(section: String, address: Address) -> Self {
        let access = ServerAccess::of(Role::Metrics);
        Self { section, address, credentials: None, access, is_implicit: false, is_for_probes: true }
    }
}

/// The methods of an XML-RPC namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RpcInterface {
    /// Supervisor's own.
    Supervisor,
    /// Those of the package `supervisor_cache`.
    Cache,
    /// Those of `mr.laforge`.
    LaForge,
    /// Those of `supervisor_twiddler`, except those that change groups.
    Twiddler,
}

/// An `[rpcinterface:x]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// The part of method names before the dot.
    pub name: String,
    /// The methods that it has.
    pub interface: RpcInterface,
}

impl Namespace {
    /// A namespace with Supervisor's own methods.
    #[must_use]
    pub fn of_supervisor(name: &str) -> Self {
        Self { name: name.to_owned(), interface: RpcInterface::Supervisor }
    }
}

/// A complete, valid configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The supervisor itself.
    pub daemon: DaemonSettings,
    /// In the order in which they are opened: inet first, then unix.
    pub servers: Vec<ServerSpec>,
    /// The servers for metrics and probes, which are opened after them. Neither children nor clients use them.
    pub probe_servers: Vec<ServerSpec>,
    /// The configured XML-RPC namespaces.
    pub namespaces: Vec<Namespace>,
    /// By ascending priority, then name.
    pub groups: Vec<GroupSpec>,
    /// Our environment variables that set an option. Children don't inherit them, since some may be secrets.
    pub variables: Vec<String>,
    /// Lines for the activity log.
    pub notices: Vec<Notice>,
}
