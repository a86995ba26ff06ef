//! The options of sections: names, types, defaults, and the field that a value is stored in.
//!
//! An option of a program is one row of [`PROGRAM`] and one field of [`ProcessSpec`]. The row says how the
//! value gets into the field, what `update` does if it differs, and a value for tests. Parsing, suggestions,
//! the sample, TOML, `SV_` variables, `sv config`, the reference in docs/options.md and the difference
//! between two configurations all follow from the row.

#[macro_use]
mod fields;
mod lifecycle;
mod limits;
mod program;
mod text;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use fields::beside;
pub use program::{PROGRAM, differences, differing_values};
use serde::{Deserialize, Serialize};

use super::{
    AutoRestart, Dependency, HealthCheck, LimitOption, LimitsSpec, ProcessSpec, ReadyCheck, RestartLimit,
    Schedule, Signal, StartRetries, User, Zone,
};

/// The type of an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain words")]
pub enum ValueType {
    Text,
    /// Text that is never shown in messages.
    Secret,
    Boolean,
    Integer,
    /// An integer or `forever`
    Retries,
    Size,
    Octal,
    Signal,
    ExitCodes,
    AutoRestart,
    /// One of these words.
    Word(&'static [&'static str]),
    /// The effect of a signal.
    SignalAction,
    LogLevel,
    LogFormat,
    LogFile,
    /// A file that may not exist yet.
    Path,
    /// `auto`, `none` or a path
    ControlSocket,
    /// A directory that must exist.
    Directory,
    User,
    /// `user` or `user:group`
    Owner,
    /// `port` or `host:port`
    Address,
    Url,
    /// `A=1,B="x y"`
    Pairs,
    /// `root=admin,1000=read`
    Roles,
    /// `a,b,c`
    List,
    /// Globs separated by spaces.
    Globs,
    /// A command with its arguments.
    Command,
    /// Files separated by commas.
    Files,
    /// Seconds, optionally with a fraction.
    Seconds,
    /// An integer, at least 1.
    Count,
    /// `10%`
    Percent,
    /// `10/60`
    RestartLimit,
    /// `db, cache=started, api?`
    Dependencies,
    /// A kind of check with its target.
    Check,
    /// Checks, one per line.
    Checks,
    /// Five fields of cron, or a name.
    Schedule,
    /// A name such as `Europe/Berlin`
    Zone,
    /// `1024:65536`, `unlimited`
    Rlimit,
    /// `idle`, `best-effort:7`
    IoPriority,
    /// `0-3,7`
    Cpus,
}

/// The default of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// This value.
    Is(&'static str),
    /// None, or as documented; the text is an example.
    Unset(&'static str),
    /// It must be set; the text is an example.
    Required(&'static str),
}

/// An option.
#[derive(Clone, Copy, Debug)]
pub struct OptionDoc {
    /// Its key; a trailing `*` makes it a family of options, one for each signal.
    pub name: &'static str,
    /// The type of its value.
    pub value: ValueType,
    /// Its default.
    pub default: DefaultValue,
    /// What makes a change of it take effect.
    pub change: TakesEffect,
    /// The version of `sv` that introduced it; `None` for an option of Supervisor.
    pub since: Option<&'static str>,
    /// Its purpose, in a few words.
    pub doc: &'static str,
    /// The field of [`ProcessSpec`] that stores the value, if there is one.
    pub binding: Option<FieldBinding>,
}

/// What makes a change of an option take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakesEffect {
    /// An update, like this.
    Update(OnUpdate),
    /// An update adds and removes processes.
    Processes,
    /// An update: each option in the included files takes effect in its own way.
    Contents,
    /// A restart in place: `sv reload` or SIGHUP.
    Reload,
    /// Only another start of the supervisor.
    NewStart,
    /// Each client reads it when it starts.
    NextClient,
    /// Nothing: the option has no effect.
    Never,
}

impl TakesEffect {
    /// The word in the reference.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Update(OnUpdate::InPlace) => "applied",
            Self::Update(OnUpdate::NextStart) => "next start",
            Self::Update(OnUpdate::Restart) => "restarted",
            Self::Processes => "added or removed",
            Self::Contents => "by its contents",
            Self::Reload => "reload",
            Self::NewStart => "new start",
            Self::NextClient => "next client",
            Self::Never => "no effect",
        }
    }
}

/// How an option of a program is stored in its specification.
#[derive(Clone, Copy, Debug)]
pub struct FieldBinding {
    /// The field.
    pub field_ref: Lands,
    /// Whether it is read once for the program or for each of its processes.
    pub per: Per,
    /// What `update` does if it differs.
    pub update: OnUpdate,
    /// A value other than the default, for tests.
    pub test: &'static str,
}

/// How often an option of a program is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// Once, so its value can't use `%(process_num)d`.
    Program,
    /// For each process, with the program's own variables.
    Process,
}

/// A value that its option does not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadValue {
    /// What is wrong with it.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl BadValue {
    /// Without a suggestion.
    #[must_use]
    pub fn new(message: String) -> Self {
        Self { message, suggestion: None }
    }
}

/// What `update` does with a change. A greater value includes the lesser ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OnUpdate {
    /// The new value is applied at once.
    InPlace,
    /// The running process is not affected; its next start uses the new value.
    NextStart,
    /// The process is stopped and started again.
    Restart,
}

impl OnUpdate {
    /// The word for clients.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InPlace => "in_place",
            Self::NextStart => "next_start",
            Self::Restart => "restart",
        }
    }
}

/// The field that stores a value, by the type of the value.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the types of values")]
pub enum Lands {
    Boolean(Field<bool>),
    Integer(Field<i64>),
    Size(Field<i64>),
    Octal(Field<Option<u32>>),
    Retries(Field<StartRetries>),
    AutoRestart(Field<AutoRestart>),
    ExitCodes(Field<Box<[i32]>>),
    Signal(Field<Signal>),
    User(Field<Option<Arc<User>>>),
    /// A keyword, by its index.
    Word(&'static [&'static str], Field<usize>),
    /// Not less than this.
    Seconds(Duration, Field<Duration>),
    Count(Field<u32>),
    Percent(Field<u8>),
    RestartLimit(Field<RestartLimit>),
    Command(Field<String>),
    /// Absolute paths.
    Paths(Field<Vec<PathBuf>>),
    Dependencies(Field<Vec<Dependency>>),
    Ready(Field<Vec<ReadyCheck>>),
    Health(Field<HealthCheck>),
    /// With its text.
    Schedule(Field<(Schedule, String)>),
    Zone(Field<Zone>),
    /// One of [`LimitsSpec`].
    Limit(LimitOption),
    /// A separate reader sets the field.
    Own(ValueType, Field<()>, fn(&ProcessSpec) -> Option<String>),
}

/// The values of `cgroup`, in the order of [`super::CgroupMode`].
pub const CGROUP_MODES: &[&str] = &["auto", "required", "off"];

impl Lands {
    const fn value(&self) -> ValueType {
        match self {
            Self::Boolean(_) => ValueType::Boolean,
            Self::Integer(_) => ValueType::Integer,
            Self::Size(_) => ValueType::Size,
            Self::Octal(_) => ValueType::Octal,
            Self::Retries(_) => ValueType::Retries,
            Self::AutoRestart(_) => ValueType::AutoRestart,
            Self::ExitCodes(_) => ValueType::ExitCodes,
            Self::Signal(_) => ValueType::Signal,
            Self::User(_) => ValueType::User,
            Self::Word(words, _) => ValueType::Word(words),
            Self::Seconds(..) => ValueType::Seconds,
            Self::Count(_) => ValueType::Count,
            Self::Percent(_) => ValueType::Percent,
            Self::RestartLimit(_) => ValueType::RestartLimit,
            Self::Command(_) => ValueType::Command,
            Self::Paths(_) => ValueType::List,
            Self::Dependencies(_) => ValueType::Dependencies,
            Self::Ready(_) => ValueType::Checks,
            Self::Health(_) => ValueType::Check,
            Self::Schedule(_) => ValueType::Schedule,
            Self::Zone(_) => ValueType::Zone,
            Self::Limit(option) => match option {
                LimitOption::Nice | LimitOption::OomScoreAdj => ValueType::Integer,
                LimitOption::Ionice => ValueType::IoPriority,
                LimitOption::CpuAffinity => ValueType::Cpus,
                LimitOption::NoNewPrivileges => ValueType::Boolean,
                LimitOption::Capabilities => ValueType::List,
                LimitOption::Cgroup => ValueType::Word(CGROUP_MODES),
                LimitOption::CgroupMemoryMax | LimitOption::CgroupMemoryHigh => ValueType::Size,
                LimitOption::CgroupCpuMax => ValueType::Percent,
                LimitOption::CgroupPidsMax => ValueType::Count,
                _ => ValueType::Rlimit,
            },
            Self::Own(value, ..) => *value,
        }
    }

    /// Whether two specifications have the same value.
    #[must_use]
    pub fn is_same(&self, old: &ProcessSpec, new: &ProcessSpec) -> bool {
        let is_same = match self {
            Self::Boolean(field) => field.is_same,
            Self::Integer(field) | Self::Size(field) => field.is_same,
            Self::Octal(field) => field.is_same,
            Self::Retries(field) => field.is_same,
            Self::AutoRestart(field) => field.is_same,
            Self::ExitCodes(field) => field.is_same,
            Self::Signal(field) => field.is_same,
            Self::User(field) => field.is_same,
            Self::Word(_, field) => field.is_same,
            Self::Seconds(_, field) => field.is_same,
            Self::Count(field) => field.is_same,
            Self::Percent(field) => field.is_same,
            Self::RestartLimit(field) => field.is_same,
            Self::Command(field) => field.is_same,
            Self::Paths(field) => field.is_same,
            Self::Dependencies(field) => field.is_same,
            Self::Ready(field) => field.is_same,
            Self::Health(field) => field.is_same,
            Self::Schedule(field) => field.is_same,
            Self::Zone(field) => field.is_same,
            Self::Limit(option) => {
                return LimitsSpec::is_same(*option, old.limits.as_deref(), new.limits.as_deref());
            }
            Self::Own(_, field, _) => field.is_same,
        };
        is_same(old, new)
    }
}

/// A field of [`ProcessSpec`], or of a part of it.
pub struct Field<T: 'static> {
    get: fn(&ProcessSpec) -> Option<T>,
    set: fn(&mut ProcessSpec, T),
    is_same: fn(&ProcessSpec, &ProcessSpec) -> bool,
}

impl<T> Field<T> {
    /// The value; `None` if it belongs to a part that is not set.
    fn get(&self, spec: &ProcessSpec) -> Option<T> {
        (self.get)(spec)
    }

    /// Sets the value.
    pub fn set(&self, spec: &mut ProcessSpec, value: T) {
        (self.set)(spec, value);
    }
}

impl<T> Clone for Field<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Field<T> {}

impl<T> fmt::Debug for Field<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Field")
    }
}

impl OptionDoc {
    /// This option, introduced by this version of `sv`.
    #[must_use]
    pub(crate) const fn since(mut self, version: &'static str) -> Self {
        self.since = Some(version);
        self
    }

    /// Its purpose, and whether Supervisor lacks it.
    #[must_use]
    pub fn remark(&self) -> String {
        let mark = if self.since.is_some() { "; sv only" } else { "" };
        format!("{}{mark}", self.doc)
    }

    /// How often it is read, if it is an option of a program.
    #[must_use]
    pub fn per(&self) -> Per {
        self.binding.map_or(Per::Program, |binding| binding.per)
    }

    /// The prefix of the keys of a family.
    #[must_use]
    pub fn family(&self) -> Option<&'static str> {
        self.name.strip_suffix('*')
    }

    /// Whether a key is this option, or a member of this family.
    #[must_use]
    pub fn takes(&self, key: &str) -> bool {
        self.name == key || self.has_member(key)
    }

    fn has_member(&self, key: &str) -> bool {
        self.family().is_some_and(|family| key.len() > family.len() && key.starts_with(family))
    }

    /// The key; for a family that of one member.
    #[must_use]
    pub fn example_key(&self) -> String {
        self.name.replace('*', "TERM")
    }

    /// All its keys.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let Some(family) = self.family() else { return vec![self.name.to_owned()] };
        let is_catchable = |name: &&str| Signal::from_name(name).is_some_and(Signal::is_catchable);
        let names = Signal::names().filter(is_catchable);
        names.map(|name| format!("{family}{}", name.to_lowercase())).collect()
    }
}

/// The options of a section; by default there are none.
#[derive(Clone, Copy, Debug, Default)]
pub struct OptionList {
    own: &'static [OptionDoc],
    /// Those of programs, which several kinds of sections have, or none.
    of_programs: &'static [&'static [OptionDoc]],
}

impl OptionList {
    /// These options.
    #[must_use]
    pub const fn of(own: &'static [OptionDoc]) -> Self {
        Self { own, of_programs: &[] }
    }

    /// These options, and those of programs.
    #[must_use]
    pub const fn with_those_of_programs(own: &'static [OptionDoc]) -> Self {
        Self { own, of_programs: program::PARTS }
    }

    /// In the order of the sample.
    pub fn iter(self) -> impl Iterator<Item = &'static OptionDoc> {
        self.own.iter().chain(self.of_programs.iter().copied().flatten())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.own.is_empty() && self.of_programs.is_empty()
    }

    /// The option of a key, by itself or as a member of a family.
    ///
    /// Every option of every program is looked up here, so the cheapest comparison comes first: lengths, then
    /// names. Few keys are in a family.
    #[must_use]
    pub fn named(self, key: &str) -> Option<&'static OptionDoc> {
        let named = self.iter().find(|option| option.name.len() == key.len() && option.name == key);
        named.or_else(|| self.iter().find(|option| option.has_member(key)))
    }
}
