//! Options for limits, priorities, CPUs and privileges of a program, which Supervisor does not have.

use super::DefaultValue::{Is, Unset};
use super::OnUpdate::{InPlace, NextStart, Restart};
use super::Per::Process;
use super::fields::row;
use std::time::Duration;

use super::{DefaultValue, Field, Lands, OptionDoc};
use crate::model::{LimitOption, MemoryLimitSpec, OnUnhealthy, ProcessSpec};

/// One of these options. What `update` does follows from the option.
const fn limit(
    option: LimitOption,
    default: DefaultValue,
    test: &'static str,
    doc: &'static str,
) -> OptionDoc {
    let update = match option {
        LimitOption::Cgroup => NextStart,
        _ if option.applies_in_place() => InPlace,
        _ => Restart,
    };
    row(option.name(), Lands::Limit(option), default, (Process, update), test, doc).since("0.1.0")
}

/// More frequent measurements would cost more than they are worth.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// In the order of the sample. docs/limits.md has a row for each.
pub(super) const LIMITS: &[OptionDoc] = &[
    limit(LimitOption::RlimitAs, Unset("2GB"), "1GB:2GB", "address space; SOFT:HARD, or one value for both"),
    limit(LimitOption::RlimitCore, Unset("0"), "unlimited", "size of a core file"),
    limit(LimitOption::RlimitCpu, Unset("3600"), "60:unlimited", "seconds of CPU time"),
    limit(LimitOption::RlimitData, Unset("1GB"), "1GB", "data segment"),
    limit(LimitOption::RlimitFsize, Unset("1GB"), "1GB", "size of a file that it writes"),
    limit(LimitOption::RlimitLocks, Unset("1024"), "9", "file locks; no effect since Linux 2.6"),
    limit(LimitOption::RlimitMemlock, Unset("64MB"), "64KB", "memory that it may lock"),
    limit(LimitOption::RlimitMsgqueue, Unset("800KB"), "9", "POSIX message queues"),
    limit(LimitOption::RlimitNice, Unset("20"), "20:40", "lowest nice it may take: 20 minus this"),
    limit(LimitOption::RlimitNofile, Unset("1024:65536"), "9:99", "open descriptors"),
    limit(LimitOption::RlimitNproc, Unset("1024"), "99", "processes of its user"),
    limit(LimitOption::RlimitRss, Unset("1GB"), "1GB", "resident memory; no effect since Linux 2.6"),
    limit(LimitOption::RlimitRtprio, Unset("0"), "9", "real-time priority"),
    limit(LimitOption::RlimitRttime, Unset("200000"), "9", "microseconds of real-time CPU"),
    limit(LimitOption::RlimitSigpending, Unset("1024"), "9", "queued signals of its user"),
    limit(LimitOption::RlimitStack, Unset("8MB"), "8MB:unlimited", "stack"),
    limit(LimitOption::Nice, Unset("5"), "-5", "scheduling priority, -20 (highest) to 19"),
    limit(LimitOption::Ionice, Unset("best-effort:7"), "idle", "idle, best-effort[:0-7] or realtime[:0-7]"),
    limit(LimitOption::OomScoreAdj, Unset("500"), "-9", "-1000 (never killed) to 1000 (first)"),
    limit(LimitOption::CpuAffinity, Unset("0-3,7"), "0,1", "CPUs that it may use"),
    limit(LimitOption::NoNewPrivileges, Is("false"), "true", "no privileges by setuid or file capabilities"),
    limit(
        LimitOption::Capabilities,
        Unset("CAP_NET_BIND_SERVICE"),
        "CAP_KILL",
        "the only ones it has, as any user; empty: none",
    ),
    limit(LimitOption::Cgroup, Is("auto"), "required", "a cgroup of its own: auto where an option needs one"),
    limit(LimitOption::CgroupMemoryMax, Unset("512MB"), "1GB", "memory of its cgroup, or max"),
    limit(
        LimitOption::CgroupMemoryHigh,
        Unset("400MB"),
        "1GB",
        "memory above which its cgroup is slowed down, or max",
    ),
    limit(LimitOption::CgroupCpuMax, Unset("50%"), "150%", "share of one CPU, 200% are two; or max"),
    limit(LimitOption::CgroupPidsMax, Unset("100"), "64", "processes and threads of its cgroup, or max"),
    row(
        "memory_limit",
        Lands::Size(Field {
            get: |spec| {
                spec.lifecycle.memory_limit.as_ref().and_then(|limit| i64::try_from(limit.bytes).ok())
            },
            set: |spec, bytes| {
                let bytes = u64::try_from(bytes).ok().filter(|bytes| *bytes > 0);
                spec.lifecycle.memory_limit = bytes.map(|bytes| Box::new(MemoryLimitSpec::new(bytes)));
            },
            is_same: |old, new| {
                let bytes =
                    |spec: &ProcessSpec| spec.lifecycle.memory_limit.as_ref().map(|limit| limit.bytes);
                bytes(old) == bytes(new)
            },
        }),
        Unset("300MB"),
        (Process, InPlace),
        "1GB",
        "memory of it and its descendants that it may use for long; 0: any",
    )
    .since("0.1.0"),
    row(
        "on_memory_limit",
        Lands::Word(
            &["restart", "shutdown"],
            part!(memory_limit.on_limit: OnUnhealthy::Restart, OnUnhealthy::Shutdown),
        ),
        Is("restart"),
        (Process, InPlace),
        "shutdown",
        "restart it, or shutdown everything",
    )
    .since("0.1.0"),
    row(
        "memory_interval",
        Lands::Seconds(LEAST_INTERVAL, part!(memory_limit.interval)),
        Is("10"),
        (Process, InPlace),
        "5",
        "seconds between two measurements, of which three in a row count",
    )
    .since("0.1.0"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_has_a_complete_row_in_the_document() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/limits.md");
        let text = std::fs::read_to_string(path).unwrap();
        let header = "| option | value | needs | without it | `update` |\n";
        let (_, table) = text.split_once(header).expect("the table of options");
        let rows: Vec<Vec<&str>> = table
            .lines()
            .take_while(|line| line.starts_with('|'))
            .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
            .collect();
        let others = ["user", "kill_tree"];
        for name in LIMITS.iter().map(|option| option.name).chain(others) {
            let named = format!("`{name}`");
            let mut of_option = rows.iter().filter(|row| row[0].split(", ").any(|it| it == named));
            let row = of_option.next().unwrap_or_else(|| panic!("no row for {name}"));
            assert!(row.len() == 5 && row.iter().all(|cell| !cell.is_empty()), "{row:?}");
            assert!(of_option.next().is_none(), "two rows for {name}");
        }
    }
}
