//! The value of an option as text, spelled as in a configuration.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{CGROUP_MODES, Lands, ValueType};
use crate::model::{
    AutoRestart, Environment, IoPriority, LimitOption, LimitsSpec, LogFormat, LogTarget, Name, ProcessSpec,
    ResourceBounds, Zone,
};

impl Lands {
    /// The value in two specifications; `None` where it is not set. Of an environment only the variables that differ are
    /// named, without their values, since those may be secrets.
    pub(super) fn texts(&self, old: &ProcessSpec, new: &ProcessSpec) -> (Option<String>, Option<String>) {
        if let Self::Own(ValueType::Pairs, ..) = self {
            let (old, new) = (&old.environment, &new.environment);
            return (variables(old, new), variables(new, old));
        }
        (self.text(old), self.text(new))
    }

    fn text(&self, spec: &ProcessSpec) -> Option<String> {
        match self {
            Self::Boolean(field) => shown(field.get(spec)),
            Self::Integer(field) => shown(field.get(spec)),
            Self::Size(field) => field.get(spec).map(size),
            Self::Octal(field) => field.get(spec).flatten().map(|mode| format!("{mode:03o}")),
            Self::Retries(field) => shown(field.get(spec)),
            Self::AutoRestart(field) => shown(field.get(spec).map(AutoRestart::name)),
            Self::ExitCodes(field) => field.get(spec).map(|codes| list(&codes, ",")),
            Self::Signal(field) => field.get(spec).map(|signal| signal.bare_name()),
            Self::User(field) => field.get(spec).flatten().map(|user| match user.has_own_group {
                true => format!("{}:{}", user.name, user.gid),
                false => user.name.clone(),
            }),
            Self::Word(words, field) => field.get(spec).and_then(|at| shown(words.get(at))),
            Self::Seconds(_, field) => field.get(spec).map(seconds),
            Self::Count(field) => shown(field.get(spec)),
            Self::Percent(field) => field.get(spec).map(|percent| format!("{percent}%")),
            Self::RestartLimit(field) => {
                field.get(spec).map(|limit| format!("{}/{}", limit.ends, seconds(limit.within)))
            }
            Self::Command(field) => field.get(spec),
            Self::Paths(field) => field.get(spec).map(|paths| {
                let paths: Vec<_> = paths.iter().map(|path| path.display()).collect();
                list(&paths, ",")
            }),
            Self::Dependencies(field) => field.get(spec).map(|dependencies| list(&dependencies, ", ")),
            Self::Ready(field) => field.get(spec).map(|checks| list(&checks, ", ")),
            Self::Health(field) => shown(field.get(spec)),
            Self::Schedule(field) => field.get(spec).map(|(_, text)| text),
            Self::Zone(field) => field.get(spec).map(|zone| match zone {
                Zone::Utc => "UTC".to_owned(),
                Zone::Posix(rules) => rules,
                Zone::File(_) => "a zone file".to_owned(),
            }),
            Self::Limit(option) => limit(spec.limits.as_deref()?, *option),
            Self::Own(_, _, text) => text(spec),
        }
    }
}

/// A field that a separate reader sets.
pub(super) trait OwnField {
    /// Its value; `None` if it is not set.
    fn text(&self) -> Option<String>;
}

impl OwnField for String {
    fn text(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl OwnField for Name {
    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl OwnField for Option<Box<str>> {
    fn text(&self) -> Option<String> {
        shown(self.as_ref())
    }
}

impl OwnField for Option<PathBuf> {
    fn text(&self) -> Option<String> {
        shown(self.as_ref().map(|path| path.display()))
    }
}

impl OwnField for bool {
    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// A size.
impl OwnField for u32 {
    fn text(&self) -> Option<String> {
        Some(size(i64::from(*self)))
    }
}

impl OwnField for LogTarget {
    fn text(&self) -> Option<String> {
        Some(match self {
            Self::None => "NONE".to_owned(),
            Self::Auto => "AUTO".to_owned(),
            Self::File(path) => path.display().to_string(),
        })
    }
}

impl OwnField for LogFormat {
    fn text(&self) -> Option<String> {
        let name = match self {
            Self::Raw => "raw",
            Self::Prefix => "prefix",
            Self::Json => "json",
        };
        Some(name.to_owned())
    }
}

/// Two environments are shown together: see [`Lands::texts`].
impl OwnField for Arc<Environment> {
    fn text(&self) -> Option<String> {
        None
    }
}

/// `A=...,B=...`: the variables of one environment that the other lacks, or has with another value; `None` if it has no
/// variables at all.
fn variables(environment: &Environment, other: &Environment) -> Option<String> {
    fn value<'e>(of: &'e Environment, name: &str) -> Option<&'e str> {
        of.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
    let differs = |name: &&str| value(environment, name) != value(other, name);
    let mut names: Vec<&str> = environment.iter().map(|(name, _)| name.as_str()).filter(differs).collect();
    names.sort_unstable();
    names.dedup();
    let texts: Vec<String> = names.iter().map(|name| format!("{name}=...")).collect();
    (!environment.is_empty()).then(|| texts.join(","))
}

fn shown(value: Option<impl Display>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn list(items: &[impl Display], separator: &str) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)
}

/// `2.5`
fn seconds(duration: Duration) -> String {
    duration.as_secs_f64().to_string()
}

/// `50MB`, `1000`
fn size(bytes: i64) -> String {
    for (unit, name) in [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")] {
        if bytes != 0 && bytes % unit == 0 {
            return format!("{}{name}", bytes / unit);
        }
    }
    bytes.to_string()
}

/// An attribute; `None` if it is not set.
fn limit(limits: &LimitsSpec, option: LimitOption) -> Option<String> {
    let bytes = |bytes: u64| i64::try_from(bytes).map_or_else(|_| bytes.to_string(), size);
    match option {
        LimitOption::Nice => shown(limits.nice),
        LimitOption::OomScoreAdj => shown(limits.oom_score_adj),
        LimitOption::Ionice => limits.io_priority.map(|priority| match priority {
            IoPriority::Idle => "idle".to_owned(),
            IoPriority::BestEffort(number) => format!("best-effort:{number}"),
            IoPriority::Realtime(number) => format!("realtime:{number}"),
        }),
        LimitOption::CpuAffinity => (!limits.cpus.is_empty()).then(|| list(&limits.cpus, ",")),
        LimitOption::NoNewPrivileges => Some(limits.no_new_privileges.to_string()),
        LimitOption::Capabilities => limits.capabilities.map(|names| names.text()),
        LimitOption::Cgroup => shown(CGROUP_MODES.get(limits.cgroup.mode as usize)),
        LimitOption::CgroupMemoryMax | LimitOption::CgroupMemoryHigh => {
            limits.cgroup.limit(option).map(bytes)
        }
        LimitOption::CgroupCpuMax => limits.cgroup.cpu_max.map(|percent| format!("{percent}%")),
        LimitOption::CgroupPidsMax => shown(limits.cgroup.pids_max),
        _ => limits.resource(option).map(|ResourceBounds { soft, hard }| {
            let one = |bound: Option<u64>| match bound {
                None => "unlimited".to_owned(),
                Some(number) if option.is_in_bytes() => bytes(number),
                Some(number) => number.to_string(),
            };
            if soft == hard { one(soft) } else { format!("{}:{}", one(soft), one(hard)) }
        }),
    }
}
