//! The configuration of groups and their processes, with all values resolved.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Address, CgroupSpec, Dependency, Lifecycle, LimitOption, LimitsSpec, Name, OnEnd, PoolSpec, Signal,
    StandIn, WrittenAt,
};

/// Names and values in the order in which they were set; a later one overrides an earlier one.
pub type Environment = Vec<(String, String)>;

/// A numeric user or group id.
pub type UserId = u32;

/// A user as it was when the configuration was read. Its groups are looked up again at each spawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// As spelled in the user database.
    pub name: String,
    /// User id.
    pub uid: UserId,
    /// Primary group id.
    pub gid: UserId,
    /// Supplementary groups, the primary one included.
    pub groups: Vec<UserId>,
    /// Whether the configuration names the primary group (`user:group`), instead of the user database.
    pub has_own_group: bool,
}

impl User {
    /// The same user with another primary group. Groups that it is a member of stay.
    #[must_use]
    pub fn with_group(self, gid: UserId) -> Self {
        let others = self.groups.iter().copied().filter(|&group| group != gid && group != self.gid);
        let groups = [gid].into_iter().chain(others).collect();
        Self { gid, groups, has_own_group: true, ..self }
    }
}

/// How many failed starts after the first are allowed before a program is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartRetries {
    /// This many. A negative number allows none, like 0.
    Times(i64),
    /// Without a limit.
    Forever,
}

impl StartRetries {
    /// Whether another start is allowed after this many failed ones.
    #[must_use]
    pub fn allow(self, failed_starts: u32) -> bool {
        match self {
            Self::Times(times) => i64::from(failed_starts) <= times,
            Self::Forever => true,
        }
    }

    /// The number for clients, which only know numbers.
    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            Self::Times(times) => times,
            Self::Forever => i32::MAX.into(),
        }
    }
}

/// As spelled in a configuration.
impl fmt::Display for StartRetries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(times) => times.fmt(f),
            Self::Forever => f.write_str("forever"),
        }
    }
}

impl From<i64> for StartRetries {
    fn from(times: i64) -> Self {
        Self::Times(times)
    }
}

/// When a program is restarted after an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AutoRestart {
    /// Only by request.
    Never,
    /// If the exit code is not one of `exitcodes`; a death by signal always is unexpected.
    Unexpected,
    /// After any exit.
    Always,
}

impl AutoRestart {
    /// As spelled in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Never => "false",
            Self::Unexpected => "unexpected",
            Self::Always => "true",
        }
    }
}

/// The kind of a program (`type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProgramType {
    /// It runs until it is stopped.
    #[default]
    Daemon,
    /// A job that exits: STARTING while it runs, done once it has exited as expected.
    Oneshot,
}

/// The destination of one stream of a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogTarget {
    /// Read and dropped.
    None,
    /// A file in `childlogdir` with a generated name, removed at the next start.
    Auto,
    /// A path: a file, or `/dev/stdout` and similar names of our own descriptors.
    File(Box<Path>),
}

/// One output stream of a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSpec {
    /// `*_logfile`
    pub target: LogTarget,
    /// `*_logfile_maxbytes`; a file is never rotated at 0 or less.
    pub bytes_max: i64,
    /// `*_logfile_backups`; 0 or less keeps none.
    pub backups: i64,
    /// `*_capture_maxbytes`; 0 is off.
    pub capture_bytes_max: i64,
    /// `*_events_enabled`
    pub events_enabled: bool,
    /// `*_syslog`
    pub syslog: bool,
}

impl Default for StreamSpec {
    fn default() -> Self {
        Self {
            target: LogTarget::None,
            bytes_max: 50 * 1024 * 1024,
            backups: 10,
            capture_bytes_max: 0,
            events_enabled: false,
            syslog: false,
        }
    }
}

/// The format of a program's output in its logs (`log_format`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogFormat {
    /// Unchanged.
    Raw,
    /// Each line after the name of its process.
    Prefix,
    /// Each line as a JSON object.
    Json,
}

/// The log options that apply to both streams of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogForm {
    /// `log_format`
    pub format: LogFormat,
    /// `log_timestamp`: formatted lines contain the time at which they were read.
    pub timestamp: bool,
    /// `log_ring_bytes`: how much is kept in memory of a stream that does not go to a regular file; 0 keeps
    /// nothing.
    pub ring_bytes: u32,
}

/// The default size of a ring.
const RING_BYTES: u32 = 64 * 1024;

impl Default for LogForm {
    fn default() -> Self {
        Self { format: LogFormat::Raw, timestamp: false, ring_bytes: RING_BYTES }
    }
}

/// The socket of a `[fcgi-program:x]`, which is the standard input of each of its processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketSpec {
    /// The section's full name, for messages.
    pub section: String,
    /// `socket` with its mode and owner.
    pub address: Address,
    /// Whether `socket_owner` was set. If not, the owner is the program's user, and is set only if that is
    /// not our user.
    pub owner_asked_for: bool,
    /// `socket_backlog`: the maximum number of connections that wait to be accepted.
    pub backlog: u16,
}

impl SocketSpec {
    /// Its name in log lines: all sections that name it share one socket.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.address {
            Address::Unix { .. } | Address::Abstract { .. } => self.address.url(),
            Address::Inet { host, port } => format!("tcp://{host}:{port}"),
        }
    }
}

/// One process to supervise: a `[program:x]` expanded for one `process_num`.
///
/// Numbers that may be negative in Supervisor are signed; times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// `process_name`, expanded.
    pub name: Name,
    /// The group that owns it.
    pub group: Name,
    /// The name of its section, without the kind.
    pub program: Name,
    /// Expanded, not yet split: splitting and the search in PATH happen at each spawn.
    pub command: String,
    /// `directory`
    pub directory: Option<PathBuf>,
    /// `umask`; `None` inherits ours.
    pub umask: Option<u32>,
    /// `priority`
    pub priority: i64,
    /// `autostart`
    pub autostart: bool,
    /// `autorestart`
    pub autorestart: AutoRestart,
    /// `startsecs`: running for longer than this is RUNNING.
    pub start_secs: i64,
    /// `startretries`: failed starts after the first.
    pub start_retries: StartRetries,
    /// `exitcodes` that are expected.
    pub exit_codes: Box<[i32]>,
    /// `stopsignal`
    pub stop_signal: Signal,
    /// `stopwaitsecs` until SIGKILL.
    pub stop_wait_secs: i64,
    /// `stopasgroup`: the stop signal goes to the process group.
    pub stop_as_group: bool,
    /// `killasgroup`: SIGKILL goes to the process group.
    pub kill_as_group: bool,
    /// `kill_tree`: nothing that it has started outlives it.
    pub kill_tree: bool,
    /// `on_exit`: the effect of its exit on the supervisor.
    pub on_exit: OnEnd,
    /// `on_fatal`: the same if it can't be started.
    pub on_fatal: OnEnd,
    /// `user`; `None` keeps ours.
    pub user: Option<Arc<User>>,
    /// `redirect_stderr`: stderr is stdout's pipe.
    pub redirect_stderr: bool,
    /// It inherits our standard streams, without pipes and logs, and has the terminal if there is one.
    pub inherits_stdio: bool,
    /// Standard output.
    pub stdout: StreamSpec,
    /// Standard error; its target is `None` when redirected.
    pub stderr: StreamSpec,
    /// How output is formatted and kept.
    pub log_form: LogForm,
    /// `[supervisord] environment` overridden by the program's own; shared by all that have none of their
    /// own.
    pub environment: Arc<Environment>,
    /// `serverurl`; `None` is AUTO, an empty text suppresses SUPERVISOR_SERVER_URL.
    pub server_url: Option<Box<str>>,
    /// A built-in listener that may run instead of `command`.
    pub stand_in: Option<StandIn>,
    /// Its standard input instead of a pipe from us. Shared by all processes of the program.
    pub socket: Option<Arc<SocketSpec>>,
    /// `type`
    pub program_type: ProgramType,
    /// `depends_on`, `ready`, `health`, `pre_start`, `schedule` and other options that few programs set
    pub lifecycle: Lifecycle,
    /// `rlimit_*`, `nice`, `capabilities` and the like
    pub limits: Option<Box<LimitsSpec>>,
    /// Where its section begins.
    pub defined_at: WrittenAt,
}

/// The default time limit for becoming ready.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

impl ProcessSpec {
    /// All its dependencies: the entries of `depends_on`, then those of `restart_with`, which are binding.
    pub fn dependencies(&self) -> impl Iterator<Item = (&Dependency, bool)> {
        let waits = self.lifecycle.depends_on.iter().map(|dependency| (dependency, false));
        waits.chain(self.lifecycle.restart_with.iter().map(|dependency| (dependency, true)))
    }

    /// Its cgroup, unless it runs in ours.
    #[must_use]
    pub fn cgroup(&self) -> Option<CgroupSpec> {
        let cgroup = self.limits.as_ref().map_or_else(CgroupSpec::default, |limits| limits.cgroup);
        cgroup.wants_cgroup(self.kill_tree).then_some(cgroup)
    }

    /// Whether it is started with a mark by which its descendants are known: a value of RLIMIT_LOCKS.
    #[must_use]
    pub fn has_mark(&self) -> bool {
        let has_own_value =
            || self.limits.as_ref().is_some_and(|it| it.resource(LimitOption::RlimitLocks).is_some());
        self.kill_tree || self.lifecycle.memory_limit.is_some() && !has_own_value()
    }

    /// Whether it has no dependencies.
    #[must_use]
    pub fn is_independent(&self) -> bool {
        self.lifecycle.depends_on.is_empty() && self.lifecycle.restart_with.is_empty()
    }

    /// The time limit from its spawn until it is ready or, as a oneshot, done. `None` is without a limit.
    #[must_use]
    pub fn start_timeout(&self) -> Option<Duration> {
        let default = self.lifecycle.readiness.is_some().then_some(READY_TIMEOUT);
        self.lifecycle.ready_timeout.or(default).filter(|timeout| !timeout.is_zero())
    }
}

/// The defaults of a program: Supervisor's, without a command and without logs.
impl Default for ProcessSpec {
    fn default() -> Self {
        Self {
            name: Name::default(),
            group: Name::default(),
            program: Name::default(),
            command: String::new(),
            directory: None,
            umask: None,
            priority: 999,
            autostart: true,
            autorestart: AutoRestart::Unexpected,
            start_secs: 1,
            start_retries: StartRetries::Times(3),
            exit_codes: [0].into(),
            stop_signal: Signal::TERM,
            stop_wait_secs: 10,
            stop_as_group: false,
            kill_as_group: false,
            kill_tree: false,
            on_exit: OnEnd::Ignore,
            on_fatal: OnEnd::Ignore,
            user: None,
            redirect_stderr: false,
            inherits_stdio: false,
            stdout: StreamSpec::default(),
            stderr: StreamSpec::default(),
            log_form: LogForm::default(),
            environment: Arc::default(),
            server_url: None,
            stand_in: None,
            socket: None,
            program_type: ProgramType::default(),
            lifecycle: Lifecycle::default(),
            limits: None,
            defined_at: WrittenAt::default(),
        }
    }
}

/// What is shown of a value from a file of secrets.
pub const HIDDEN: &str = "...";

/// Names of options whose values are not shown. All compare as equal, as a value that has moved to or from a file of secrets
/// has not changed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SecretOptions(Vec<String>);

impl SecretOptions {
    /// None.
    pub(super) const NONE: Self = Self(Vec::new());

    /// Adds an option.
    pub fn add(&mut self, name: &str) {
        if !self.has(name) {
            self.0.push(name.to_owned());
        }
    }

    /// Whether the value of this option is not shown.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|known| known == name)
    }
}

impl PartialEq for SecretOptions {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for SecretOptions {}

/// The kind of section that defines a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupKind {
    /// `[program:x]` on its own.
    Program,
    /// `[fcgi-program:x]` on its own.
    FastCgi,
    /// `[eventlistener:x]`
    EventListener(PoolSpec),
    /// `[group:x]`
    Group,
}

/// A group of processes, which are added, removed, started and stopped together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSpec {
    /// Unique among groups.
    pub name: Name,
    /// Groups start in ascending and stop in descending order of priority.
    pub priority: i64,
    /// The kind of its section.
    pub kind: GroupKind,
    /// In the order of definition. The configuration and the running processes share them.
    pub processes: Vec<Arc<ProcessSpec>>,
}

impl GroupSpec {
    /// The sockets that its processes share, each once.
    pub fn sockets(&self) -> impl Iterator<Item = &Arc<SocketSpec>> {
        let sockets = self.processes.iter().filter_map(|process| process.socket.as_ref());
        let mut last = None;
        // The processes of one section are adjacent and share one value.
        sockets.filter(move |socket| !last.replace(*socket).is_some_and(|last| Arc::ptr_eq(last, socket)))
    }
}
