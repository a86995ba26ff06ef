//! Limits and privileges that a start would fail with, as we lack the right to set them, and those without
//! effect.

use std::path::Path;

use super::{Advice, SectionProcesses, with_options};
use crate::config::{Machine, Reading, Remark, cpus};
use crate::model::{CapabilityNames, IoPriority, LimitOption, LimitsSpec, Settings};

const SETPCAP: u64 = 1 << 8;
const SYS_ADMIN: u64 = 1 << 21;
const SYS_NICE: u64 = 1 << 23;
const SYS_RESOURCE: u64 = 1 << 24;

/// The lines of /proc/self/limits.
const RESOURCES: [(LimitOption, &str); 16] = [
    (LimitOption::RlimitAs, "Max address space"),
    (LimitOption::RlimitCore, "Max core file size"),
    (LimitOption::RlimitCpu, "Max cpu time"),
    (LimitOption::RlimitData, "Max data size"),
    (LimitOption::RlimitFsize, "Max file size"),
    (LimitOption::RlimitLocks, "Max file locks"),
    (LimitOption::RlimitMemlock, "Max locked memory"),
    (LimitOption::RlimitMsgqueue, "Max msgqueue size"),
    (LimitOption::RlimitNice, "Max nice priority"),
    (LimitOption::RlimitNofile, "Max open files"),
    (LimitOption::RlimitNproc, "Max processes"),
    (LimitOption::RlimitRss, "Max resident set"),
    (LimitOption::RlimitRtprio, "Max realtime priority"),
    (LimitOption::RlimitRttime, "Max realtime timeout"),
    (LimitOption::RlimitSigpending, "Max pending signals"),
    (LimitOption::RlimitStack, "Max stack size"),
];

/// What is wrong with a value, after the name of its option.
type Doubt = (LimitOption, String);

/// Checks each program by its first process.
pub(super) fn lint(reading: &mut Reading<'_>, settings: &Settings, programs: &[SectionProcesses<'_, '_>]) {
    let mut rights = None;
    for program in programs {
        let Some(spec) = program.processes.first() else { continue };
        let Some(limits) = &spec.limits else { continue };
        let rights = rights.get_or_insert_with(|| Rights::of(reading.machine, settings));
        let section = &program.section.name;
        let mut doubts = rights.doubts(limits);
        doubts.extend(absent_cpu(limits, reading.machine));
        for (option, text) in doubts {
            with_options(reading, program.section, program.kind(), |options| {
                Advice::new(format!("{} of [{section}] {text}", option.name()))
                    .report(options, option.name());
            });
        }
        let user = spec.user.as_ref().or(settings.daemon.user.as_ref());
        let is_root = user.map_or_else(|| reading.machine.effective_user(), |user| user.uid) == 0;
        if limits.capabilities.is_some() && is_root {
            let text = format!(
                "[{section}] stays root: capabilities do not keep it from files and processes that belong to \
                 root, a user would"
            );
            with_options(reading, program.section, program.kind(), |options| {
                let spot = options.spot("capabilities");
                options.reading.remark(Remark { is_note: true, ..Remark::warning(spot, text) });
            });
        }
    }
}

/// What this process has and may change. What is not known is not doubted.
struct Rights {
    /// Effective capabilities.
    capabilities: Option<u64>,
    bounding: Option<u64>,
    limits: String,
    descriptors_max: Option<u64>,
    /// Whether the supervisor switches to a user, so that only root may write to its files in /proc.
    becomes_user: bool,
    nice: Option<i32>,
    oom_score_adj: Option<i32>,
}

impl Rights {
    fn of(machine: &dyn Machine, settings: &Settings) -> Self {
        let read = |path: &str| {
            let bytes = machine.read(Path::new(path)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let status = read("/proc/self/status");
        let set = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            u64::from_str_radix(line.trim(), 16).ok()
        };
        let becomes_user = settings.daemon.user.as_ref().is_some_and(|user| user.uid != 0);
        Self {
            becomes_user,
            capabilities: if becomes_user { Some(0) } else { set("CapEff:") },
            bounding: set("CapBnd:"),
            limits: read("/proc/self/limits"),
            descriptors_max: read("/proc/sys/fs/nr_open").trim().parse().ok(),
            nice: nice_of(&read("/proc/self/stat")),
            oom_score_adj: read("/proc/self/oom_score_adj").trim().parse().ok(),
        }
    }

    /// Whether we lack all of these.
    fn lacks(&self, capabilities: u64) -> bool {
        self.capabilities.is_some_and(|ours| ours & capabilities == 0)
    }

    fn doubts(&self, limits: &LimitsSpec) -> Vec<Doubt> {
        let mut found: Vec<Doubt> = Vec::new();
        for (option, bounds) in &limits.resources {
            let text = match option {
                LimitOption::RlimitLocks | LimitOption::RlimitRss => {
                    Some("has no effect since Linux 2.6".to_owned())
                }
                _ => self.doubt_of_resource(*option, bounds.hard),
            };
            found.extend(text.map(|text| (*option, text)));
        }
        if let Some((nice, ours)) = limits.nice.zip(self.nice)
            && nice < ours
            && self.lacks(SYS_NICE)
            && self.hard(LimitOption::RlimitNice).flatten().is_some_and(|most| i64::from(20 - nice) > most)
        {
            found.push((LimitOption::Nice, refused(&format!("is below ours ({ours})"), "CAP_SYS_NICE")));
        }
        if let Some(IoPriority::Realtime(_)) = limits.io_priority
            && self.lacks(SYS_NICE | SYS_ADMIN)
        {
            found.push((LimitOption::Ionice, refused("is realtime", "CAP_SYS_NICE")));
        }
        if self.becomes_user && limits.oom_score_adj.is_some() {
            let text = "cannot be set by a supervisor that has switched to its user".to_owned();
            found.push((LimitOption::OomScoreAdj, text));
        } else if let Some((score, ours)) = limits.oom_score_adj.zip(self.oom_score_adj)
            && score < ours
            && self.lacks(SYS_RESOURCE)
        {
            let text = refused(&format!("is below ours ({ours})"), "CAP_SYS_RESOURCE");
            found.push((LimitOption::OomScoreAdj, text));
        }
        found.extend(self.doubt_of_capabilities(limits));
        found
    }

    /// The inner `None` is without a limit.
    #[expect(clippy::option_option, reason = "unknown and unlimited")]
    fn hard(&self, option: LimitOption) -> Option<Option<i64>> {
        let (_, name) = RESOURCES.iter().find(|(known, _)| *known == option)?;
        let line = self.limits.lines().find_map(|line| line.strip_prefix(name))?;
        match line.split_whitespace().nth(1)? {
            "unlimited" => Some(None),
            number => number.parse().ok().map(Some),
        }
    }

    fn doubt_of_resource(&self, option: LimitOption, hard: Option<u64>) -> Option<String> {
        let shown = |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |limit| limit.to_string());
        let above = |most: u64| hard.is_none_or(|hard| hard > most);
        if option == LimitOption::RlimitNofile
            && let Some(most) = self.descriptors_max.filter(|most| above(*most))
        {
            return Some(format!(
                "is {}, above /proc/sys/fs/nr_open ({most}), which the kernel refuses",
                shown(hard)
            ));
        }
        let ours = self.hard(option)?.and_then(|ours| u64::try_from(ours).ok())?;
        let text = format!("raises the hard limit from {ours} to {}", shown(hard));
        (above(ours) && self.lacks(SYS_RESOURCE)).then(|| refused(&text, "CAP_SYS_RESOURCE"))
    }

    fn doubt_of_capabilities(&self, limits: &LimitsSpec) -> Option<Doubt> {
        let (kept, bounding) = (limits.capabilities?.0, self.bounding?);
        let missing = CapabilityNames(kept & !(bounding & self.capabilities?));
        let text = if missing.0 != 0 {
            format!("asks for {}, which we do not have", missing.text())
        } else if bounding & !kept != 0 && self.lacks(SETPCAP) {
            refused("removes others from the bounding set", "CAP_SETPCAP")
        } else {
            return None;
        };
        Some((LimitOption::Capabilities, text))
    }
}

fn refused(what: &str, needed: &str) -> String {
    format!("{what}, which needs {needed}, and we do not have it")
}

/// The CPUs of the machine are those of the kernel, whatever of them a container may use.
fn absent_cpu(limits: &LimitsSpec, machine: &dyn Machine) -> Option<Doubt> {
    let present = machine.read(Path::new("/sys/devices/system/cpu/present")).ok()?;
    let present = String::from_utf8_lossy(&present).trim().to_owned();
    let known = cpus(&present).ok()?;
    let absent = limits.cpus.iter().find(|cpu| !known.contains(cpu))?;
    Some((
        LimitOption::CpuAffinity,
        format!("names CPU {absent}, which does not exist here: there are {present}"),
    ))
}

/// From /proc/PID/stat. The name, which may hold anything, ends with the last parenthesis.
fn nice_of(stat: &str) -> Option<i32> {
    stat.rsplit(')').next()?.split_whitespace().nth(16)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::findings::{Examination, Severity, check};
    use super::super::tests::{machine, warnings_on};
    use crate::config::fake::{Fake, MAIN};

    fn on(status: &str, options: &str) -> Fake {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
            Max open files            1024                 4096                 files\n\
            Max address space         unlimited            unlimited            bytes\n\
            Max nice priority         0                    0                    \n";
        machine(&format!("[supervisord]\n[program:a]\ncommand=a\n{options}\n"))
            .file("/proc/self/status", status)
            .file("/proc/self/limits", limits)
            .file("/proc/self/stat", "7 (a ) b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9")
            .file("/proc/self/oom_score_adj", "100\n")
            .file("/proc/sys/fs/nr_open", "1048576\n")
            .file("/sys/devices/system/cpu/present", "0-1\n")
    }

    const ALL: &str = "CapEff:\t000001ffffffffff\nCapBnd:\t000001ffffffffff\n";
    /// Those of a container.
    const FEW: &str = "CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\n";
    const NONE: &str = "CapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\n";

    #[test]
    fn what_we_may_not_set_is_reported() {
        let raised = "raises the hard limit from 4096 to";
        let resource = "which needs CAP_SYS_RESOURCE, and we do not have it";
        for (option, text) in [
            ("rlimit_nofile=9:9999", format!("{raised} 9999, {resource}")),
            ("rlimit_nofile=1024:4096", String::new()),
            ("rlimit_as=unlimited", String::new()),
            ("nice=-1", "is below ours (0), which needs CAP_SYS_NICE, and we do not have it".to_owned()),
            ("nice=0", String::new()),
            ("ionice=realtime", "is realtime, which needs CAP_SYS_NICE, and we do not have it".to_owned()),
            ("ionice=best-effort:0", String::new()),
            ("oom_score_adj=99", format!("is below ours (100), {resource}")),
            ("oom_score_adj=100", String::new()),
            ("user=www\ncapabilities=CAP_NET_BIND_SERVICE", String::new()),
            ("user=www\ncapabilities=CAP_SYS_TIME", "asks for CAP_SYS_TIME, which we do not have".to_owned()),
        ] {
            let name = option.rsplit('\n').next().unwrap().split('=').next().unwrap();
            let line = 3 + option.lines().count();
            let expected: Vec<_> = (!text.is_empty())
                .then(|| format!("{line}: {name} of [program:a] {text}"))
                .into_iter()
                .collect();
            assert_eq!(warnings_on(&on(FEW, option)), expected, "{option}");
            let all = warnings_on(&on(ALL, option));
            assert_eq!(all, Vec::<String>::new(), "{option}");
        }
        let dropped = "4: capabilities of [program:a] removes others from the bounding set, which needs CAP_SETPCAP, \
            and we do not have it";
        let options = "user=www\noom_score_adj=500\n[supervisord]\nuser=www";
        let switched =
            "5: oom_score_adj of [program:a] cannot be set by a supervisor that has switched to its user";
        assert_eq!(warnings_on(&on(ALL, options)), [switched]);
        let none = warnings_on(&on(NONE, "capabilities=\nuser=www"));
        assert_eq!(none, [dropped]);
    }

    #[test]
    fn rights_are_not_those_of_an_image() {
        let machine = on(FEW, "user=www\nnice=-5\noom_score_adj=%(ENV_SCORE:-9)s\nrlimit_rss=1");
        for is_image in [false, true] {
            let examination = Examination { is_image, ..Examination::default() };
            let report = check(Path::new(MAIN), &[], &[], &machine, examination);
            let found: Vec<_> =
                report.findings.iter().map(|it| (it.option.as_deref().unwrap(), it.severity)).collect();
            let (here, warning) = (Severity::Here, Severity::Warning);
            assert_eq!(found.len(), 3, "{found:?}");
            for expected in [("nice", here), ("oom_score_adj", here), ("rlimit_rss", warning)] {
                assert!(found.contains(&expected), "{found:?}");
            }
        }
    }

    #[test]
    fn what_the_kernel_refuses_or_ignores_is_reported() {
        for (option, text) in [
            (
                "rlimit_nofile=unlimited",
                "rlimit_nofile of [program:a] is unlimited, above /proc/sys/fs/nr_open (1048576), which the kernel \
                 refuses",
            ),
            ("rlimit_rss=1GB", "rlimit_rss of [program:a] has no effect since Linux 2.6"),
            (
                "cpu_affinity=0-7",
                "cpu_affinity of [program:a] names CPU 2, which does not exist here: there are 0-1",
            ),
            (
                "capabilities=CAP_KILL",
                "[program:a] stays root: capabilities do not keep it from files and processes that belong to root, \
                 a user would",
            ),
        ] {
            assert_eq!(warnings_on(&on(ALL, option)), [format!("4: {text}")]);
        }
    }

    #[test]
    fn nothing_is_reported_about_an_unknown_machine() {
        let text = "[supervisord]\n[program:a]\ncommand=a\nuser=www\nnice=-5\nrlimit_nofile=9999\n\
            oom_score_adj=-5\ncapabilities=CAP_KILL\ncpu_affinity=99\nionice=realtime\n";
        assert_eq!(warnings_on(&machine(text)), Vec::<String>::new());
    }
}
