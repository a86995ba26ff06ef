//! Attributes of a program that its child applies to itself before it executes the program: resource limits,
//! priorities, CPUs and privileges.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::OnUnhealthy;

/// An option of [`LimitsSpec`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of the options")]
pub enum LimitOption {
    RlimitAs,
    RlimitCore,
    RlimitCpu,
    RlimitData,
    RlimitFsize,
    RlimitLocks,
    RlimitMemlock,
    RlimitMsgqueue,
    RlimitNice,
    RlimitNofile,
    RlimitNproc,
    RlimitRss,
    RlimitRtprio,
    RlimitRttime,
    RlimitSigpending,
    RlimitStack,
    Nice,
    Ionice,
    OomScoreAdj,
    CpuAffinity,
    NoNewPrivileges,
    Capabilities,
    Cgroup,
    CgroupMemoryMax,
    CgroupMemoryHigh,
    CgroupCpuMax,
    CgroupPidsMax,
}

impl LimitOption {
    /// All of them, each at the index of its number.
    pub const ALL: [Self; 27] = [
        Self::RlimitAs,
        Self::RlimitCore,
        Self::RlimitCpu,
        Self::RlimitData,
        Self::RlimitFsize,
        Self::RlimitLocks,
        Self::RlimitMemlock,
        Self::RlimitMsgqueue,
        Self::RlimitNice,
        Self::RlimitNofile,
        Self::RlimitNproc,
        Self::RlimitRss,
        Self::RlimitRtprio,
        Self::RlimitRttime,
        Self::RlimitSigpending,
        Self::RlimitStack,
        Self::Nice,
        Self::Ionice,
        Self::OomScoreAdj,
        Self::CpuAffinity,
        Self::NoNewPrivileges,
        Self::Capabilities,
        Self::Cgroup,
        Self::CgroupMemoryMax,
        Self::CgroupMemoryHigh,
        Self::CgroupCpuMax,
        Self::CgroupPidsMax,
    ];

    /// Its key in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RlimitAs => "rlimit_as",
            Self::RlimitCore => "rlimit_core",
            Self::RlimitCpu => "rlimit_cpu",
            Self::RlimitData => "rlimit_data",
            Self::RlimitFsize => "rlimit_fsize",
            Self::RlimitLocks => "rlimit_locks",
            Self::RlimitMemlock => "rlimit_memlock",
            Self::RlimitMsgqueue => "rlimit_msgqueue",
            Self::RlimitNice => "rlimit_nice",
            Self::RlimitNofile => "rlimit_nofile",
            Self::RlimitNproc => "rlimit_nproc",
            Self::RlimitRss => "rlimit_rss",
            Self::RlimitRtprio => "rlimit_rtprio",
            Self::RlimitRttime => "rlimit_rttime",
            Self::RlimitSigpending => "rlimit_sigpending",
            Self::RlimitStack => "rlimit_stack",
            Self::Nice => "nice",
            Self::Ionice => "ionice",
            Self::OomScoreAdj => "oom_score_adj",
            Self::CpuAffinity => "cpu_affinity",
            Self::NoNewPrivileges => "no_new_privileges",
            Self::Capabilities => "capabilities",
            Self::Cgroup => "cgroup",
            Self::CgroupMemoryMax => "cgroup_memory_max",
            Self::CgroupMemoryHigh => "cgroup_memory_high",
            Self::CgroupCpuMax => "cgroup_cpu_max",
            Self::CgroupPidsMax => "cgroup_pids_max",
        }
    }

    /// Whether it is one of setrlimit(2).
    #[must_use]
    pub fn is_rlimit(self) -> bool {
        self < Self::Nice
    }

    /// Whether its resource is measured in bytes.
    #[must_use]
    pub fn is_in_bytes(self) -> bool {
        matches!(
            self,
            Self::RlimitAs
                | Self::RlimitCore
                | Self::RlimitData
                | Self::RlimitFsize
                | Self::RlimitMemlock
                | Self::RlimitMsgqueue
                | Self::RlimitRss
                | Self::RlimitStack
        )
    }

    /// Whether it belongs to the program's cgroup rather than to each of its processes.
    #[must_use]
    pub fn is_of_cgroup(self) -> bool {
        self >= Self::Cgroup
    }

    /// Whether it can be changed for a process that runs.
    #[must_use]
    pub const fn applies_in_place(self) -> bool {
        !matches!(self, Self::NoNewPrivileges | Self::Capabilities | Self::Cgroup)
    }

    /// The capability whose lack is the usual reason for EPERM or EACCES.
    #[must_use]
    pub fn capability(self) -> Option<&'static str> {
        match self {
            Self::Nice | Self::Ionice | Self::CpuAffinity => Some("CAP_SYS_NICE"),
            Self::NoNewPrivileges
            | Self::Cgroup
            | Self::CgroupMemoryMax
            | Self::CgroupMemoryHigh
            | Self::CgroupCpuMax
            | Self::CgroupPidsMax => None,
            // The bounding set is dropped before the other sets are changed.
            Self::Capabilities => Some("CAP_SETPCAP"),
            _ => Some("CAP_SYS_RESOURCE"),
        }
    }
}

/// The two values of a resource limit; `None` is without a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceBounds {
    /// What applies. The process may raise it up to `hard`.
    pub soft: Option<u64>,
    /// Only a privileged process may raise it.
    pub hard: Option<u64>,
}

/// A scheduling class of the block layer, with a priority from 0 (highest) to 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IoPriority {
    /// Only when no other process uses the disk.
    Idle,
    /// By turns.
    BestEffort(u8),
    /// Always first.
    Realtime(u8),
}

/// A set of capabilities: one bit for each, by its number in the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilityNames(pub u64);

/// By number, without `CAP_`.
static CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

impl CapabilityNames {
    /// All names, without `CAP_`.
    pub fn known() -> impl Iterator<Item = &'static str> {
        CAPABILITIES.iter().copied()
    }

    /// Adds a capability by its name, with or without `CAP_`, in any case. Returns whether it exists.
    pub fn insert(&mut self, name: &str) -> bool {
        let name = name.to_ascii_uppercase();
        let bare = name.strip_prefix("CAP_").unwrap_or(&name);
        let number = CAPABILITIES.iter().position(|known| *known == bare);
        self.0 |= number.map_or(0, |number| 1 << number);
        number.is_some()
    }

    /// `CAP_KILL, CAP_SETUID`
    #[must_use]
    pub fn text(self) -> String {
        let is_in = |number: usize| self.0 & (1 << number) != 0;
        let names = CAPABILITIES.iter().enumerate().filter(|(number, _)| is_in(*number));
        names.map(|(_, name)| format!("CAP_{name}")).collect::<Vec<_>>().join(", ")
    }
}

/// Whether a program runs in a cgroup of its own (`cgroup`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CgroupMode {
    /// If an option needs one, and where the kernel lets us make one.
    #[default]
    Auto,
    /// Always; without one it does not start.
    Required,
    /// Never.
    Off,
}

/// The cgroup of a program. A limit that is `None` is not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupSpec {
    /// `cgroup`
    pub mode: CgroupMode,
    /// `cgroup_memory_max`, in bytes
    pub memory_max: Option<u64>,
    /// `cgroup_memory_high`, in bytes
    pub memory_high: Option<u64>,
    /// `cgroup_cpu_max`, in percent of one CPU
    pub cpu_max: Option<u32>,
    /// `cgroup_pids_max`
    pub pids_max: Option<u32>,
}

impl CgroupSpec {
    /// The limit of this option.
    #[must_use]
    pub fn limit(&self, option: LimitOption) -> Option<u64> {
        match option {
            LimitOption::CgroupMemoryMax => self.memory_max,
            LimitOption::CgroupMemoryHigh => self.memory_high,
            LimitOption::CgroupCpuMax => self.cpu_max.map(u64::from),
            LimitOption::CgroupPidsMax => self.pids_max.map(u64::from),
            _ => None,
        }
    }

    /// The limits that are set.
    pub fn limits(&self) -> impl Iterator<Item = (LimitOption, u64)> + '_ {
        let options = LimitOption::ALL.into_iter().filter(|option| option.is_of_cgroup());
        options.filter_map(|option| Some((option, self.limit(option)?)))
    }

    /// Whether the program should have a cgroup. `is_tree_killed` is its `kill_tree`.
    #[must_use]
    pub fn wants_cgroup(&self, is_tree_killed: bool) -> bool {
        match self.mode {
            CgroupMode::Auto => is_tree_killed || self.limits().next().is_some(),
            CgroupMode::Required => true,
            CgroupMode::Off => false,
        }
    }
}

/// `memory_limit` and related options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryLimitSpec {
    /// `memory_limit`: of the program and its descendants.
    pub bytes: u64,
    /// `on_memory_limit`; never [`OnUnhealthy::Ignore`].
    pub on_limit: OnUnhealthy,
    /// `memory_interval`: from one measurement to the next.
    pub interval: Duration,
}

impl MemoryLimitSpec {
    /// With the defaults of the related options.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self { bytes, on_limit: OnUnhealthy::Restart, interval: Duration::from_secs(10) }
    }
}

/// The attributes of a program; unset ones are inherited from us.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsSpec {
    /// `rlimit_*`, in the order of [`LimitOption`]
    pub resources: Vec<(LimitOption, ResourceBounds)>,
    /// `nice`
    pub nice: Option<i32>,
    /// `ionice`
    pub io_priority: Option<IoPriority>,
    /// `oom_score_adj`
    pub oom_score_adj: Option<i32>,
    /// `cpu_affinity`, in ascending order; empty is unset.
    pub cpus: Vec<u16>,
    /// `no_new_privileges`
    pub no_new_privileges: bool,
    /// `capabilities`; `None` leaves them as they are.
    pub capabilities: Option<CapabilityNames>,
    /// `cgroup` and `cgroup_*`
    pub cgroup: CgroupSpec,
}

impl LimitsSpec {
    /// Sets the limit of a resource.
    pub fn set_resource(&mut self, option: LimitOption, bounds: ResourceBounds) {
        self.resources.retain(|(known, _)| *known != option);
        let at = self.resources.partition_point(|(known, _)| *known < option);
        self.resources.insert(at, (option, bounds));
    }

    /// The limit of a resource, if it is set.
    #[must_use]
    pub fn resource(&self, option: LimitOption) -> Option<ResourceBounds> {
        self.resources.iter().find(|(known, _)| *known == option).map(|(_, bounds)| *bounds)
    }

    /// Whether nothing is set but limits of resources, which don't affect anything until exec.
    #[must_use]
    pub fn has_resources_only(&self) -> bool {
        *self == Self { resources: self.resources.clone(), ..Self::default() }
    }

    /// Whether an option has the same value in both.
    #[must_use]
    pub fn is_same(option: LimitOption, old: Option<&Self>, new: Option<&Self>) -> bool {
        let unset = Self::default();
        let (old, new) = (old.unwrap_or(&unset), new.unwrap_or(&unset));
        match option {
            LimitOption::Nice => old.nice == new.nice,
            LimitOption::Ionice => old.io_priority == new.io_priority,
            LimitOption::OomScoreAdj => old.oom_score_adj == new.oom_score_adj,
            LimitOption::CpuAffinity => old.cpus == new.cpus,
            LimitOption::NoNewPrivileges => old.no_new_privileges == new.no_new_privileges,
            LimitOption::Capabilities => old.capabilities == new.capabilities,
            LimitOption::Cgroup => old.cgroup.mode == new.cgroup.mode,
            _ if option.is_of_cgroup() => old.cgroup.limit(option) == new.cgroup.limit(option),
            _ => old.resource(option) == new.resource(option),
        }
    }

    /// The options that differ and can be changed for a process that runs.
    #[must_use]
    pub fn changes_in_place(old: Option<&Self>, new: Option<&Self>) -> Vec<LimitOption> {
        let differs = |option: &LimitOption| option.applies_in_place() && !Self::is_same(*option, old, new);
        LimitOption::ALL.into_iter().filter(differs).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_at_its_number() {
        for (index, option) in LimitOption::ALL.into_iter().enumerate() {
            assert_eq!(option as usize, index, "{}", option.name());
            assert_eq!(option.is_rlimit(), option.name().starts_with("rlimit_"));
        }
    }

    #[test]
    fn capabilities_are_known_by_their_names() {
        let mut set = CapabilityNames::default();
        assert!(set.insert("CAP_NET_BIND_SERVICE") && set.insert("chown") && !set.insert("NET_BIND"));
        assert_eq!((set.0, set.text().as_str()), ((1 << 10) | 1, "CAP_CHOWN, CAP_NET_BIND_SERVICE"));
        // The last one of Linux 5.9.
        assert!(set.insert("CAP_CHECKPOINT_RESTORE") && set.0 & (1 << 40) != 0);
    }

    #[test]
    fn only_some_changes_can_be_made_in_place() {
        let new = LimitsSpec {
            nice: Some(5),
            no_new_privileges: true,
            capabilities: Some(CapabilityNames::default()),
            ..LimitsSpec::default()
        };
        assert_eq!(LimitsSpec::changes_in_place(None, Some(&new)), [LimitOption::Nice]);
        assert_eq!(LimitsSpec::changes_in_place(Some(&new), None), [LimitOption::Nice]);
        assert_eq!(LimitsSpec::changes_in_place(Some(&new), Some(&new)), []);
        assert!(LimitsSpec::is_same(LimitOption::Nice, None, Some(&LimitsSpec::default())));
        assert!(
            !LimitsSpec::is_same(LimitOption::Capabilities, None, Some(&new)),
            "an empty list is not unset"
        );
    }
}
