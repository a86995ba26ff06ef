//! Limits of resources, priorities, CPUs and capabilities.

use super::super::ini::trim;
use super::super::options::nearest;
use super::BadValue;
use super::durations::count;
use super::numbers::{integer, size};
use super::vocabulary::{boolean, word};
use crate::model::options::CGROUP_MODES;
use crate::model::{CapabilityNames, CgroupMode, IoPriority, LimitOption, LimitsSpec, ResourceBounds};
use crate::python::quote;

/// The highest number of a CPU.
const CPU_MAX: u16 = 1023;

/// All of the CPUs that a machine may have.
const CPU_PERCENT_MAX: u32 = (CPU_MAX as u32 + 1) * 100;

/// The lowest priority within a class of `ionice`.
const IO_PRIORITY_MAX: u8 = 7;

/// The priority of a class without one, as for ionice(1).
const IO_PRIORITY: u8 = 4;

/// Sets an attribute. For capabilities the text is one of them.
pub(crate) fn limit(limits: &mut LimitsSpec, option: LimitOption, text: &str) -> Result<(), BadValue> {
    match option {
        LimitOption::Nice => limits.nice = Some(within(text, -20, 19)?),
        LimitOption::OomScoreAdj => limits.oom_score_adj = Some(within(text, -1000, 1000)?),
        LimitOption::Ionice => limits.io_priority = Some(io_priority(text)?),
        LimitOption::CpuAffinity => limits.cpus = cpus(text).map_err(BadValue::new)?,
        LimitOption::NoNewPrivileges => limits.no_new_privileges = boolean(text).map_err(BadValue::new)?,
        LimitOption::Capabilities => capability(limits.capabilities.get_or_insert_default(), text)?,
        LimitOption::Cgroup => {
            let index = word(CGROUP_MODES, text).map_err(BadValue::new)?;
            limits.cgroup.mode = [CgroupMode::Auto, CgroupMode::Required, CgroupMode::Off][index];
        }
        LimitOption::CgroupMemoryMax => limits.cgroup.memory_max = or_max(text, bytes)?,
        LimitOption::CgroupMemoryHigh => limits.cgroup.memory_high = or_max(text, bytes)?,
        LimitOption::CgroupCpuMax => limits.cgroup.cpu_max = or_max(text, cpu_percentage)?,
        LimitOption::CgroupPidsMax => limits.cgroup.pids_max = or_max(text, count)?,
        _ => limits.set_resource(option, bounds(option, text)?),
    }
    Ok(())
}

/// A limit of a cgroup; `max`, the kernel's word, is none.
fn or_max<T>(text: &str, convert: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, BadValue> {
    if trim(text) == "max" {
        return Ok(None);
    }
    convert(text).map(Some).map_err(|message| BadValue {
        message: format!("{message} (or max)"),
        suggestion: matches!(text, "unlimited" | "infinity" | "none" | "-1").then(|| "max".to_owned()),
    })
}

fn bytes(text: &str) -> Result<u64, String> {
    let bytes = u64::try_from(size(text)?).ok().filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| format!("not a number of bytes above 0: {}", quote(text)))
}

/// `150%`, or `150` without the sign.
fn cpu_percentage(text: &str) -> Result<u32, String> {
    let bare = trim(text);
    let number = integer(bare.strip_suffix('%').unwrap_or(bare)).ok();
    let number = number.and_then(|number| u32::try_from(number).ok());
    number.filter(|number| (1..=CPU_PERCENT_MAX).contains(number)).ok_or_else(|| {
        format!("not a percentage from 1% to {CPU_PERCENT_MAX}%, where 100% are one CPU: {}", quote(text))
    })
}

/// `1024:65536`, `unlimited`, `64MB`.
fn bounds(option: LimitOption, text: &str) -> Result<ResourceBounds, BadValue> {
    let one = |part: &str| bound(option, trim(part));
    let (soft, hard) = match text.split_once(':') {
        Some((soft, hard)) => (one(soft)?, one(hard)?),
        None => one(text).map(|both| (both, both))?,
    };
    if soft.unwrap_or(u64::MAX) > hard.unwrap_or(u64::MAX) {
        return Err(BadValue::new(format!("the soft limit is above the hard one: {}", quote(text))));
    }
    Ok(ResourceBounds { soft, hard })
}

fn bound(option: LimitOption, text: &str) -> Result<Option<u64>, BadValue> {
    let number = match text {
        "unlimited" => return Ok(None),
        _ if option.is_in_bytes() => size(text),
        _ => integer(text),
    };
    number.ok().and_then(|number| u64::try_from(number).ok()).map(Some).ok_or_else(|| BadValue {
        message: format!("not a limit: {}: it is a number from 0 on, or unlimited", quote(text)),
        suggestion: matches!(text, "infinity" | "infinite" | "none" | "-" | "-1")
            .then(|| "unlimited".to_owned())
            .or_else(|| nearest(["unlimited"].into_iter(), text).map(str::to_owned)),
    })
}

fn within(text: &str, least: i32, most: i32) -> Result<i32, BadValue> {
    let number = integer(text).map_err(BadValue::new)?;
    let number = i32::try_from(number).ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| BadValue::new(format!("not a number from {least} to {most}: {}", quote(text))))
}

fn io_priority(text: &str) -> Result<IoPriority, BadValue> {
    const CLASSES: [&str; 3] = ["idle", "best-effort", "realtime"];
    let (class, priority) = match text.split_once(':') {
        Some((class, priority)) => (trim(class), Some(priority)),
        None => (trim(text), None),
    };
    let number = |priority: Option<&str>| {
        let number =
            priority.map_or(Some(IO_PRIORITY), |priority| u8::try_from(integer(priority).ok()?).ok());
        number.filter(|number| *number <= IO_PRIORITY_MAX)
    };
    let found = match class {
        "idle" if priority.is_none() => Some(IoPriority::Idle),
        "best-effort" => number(priority).map(IoPriority::BestEffort),
        "realtime" => number(priority).map(IoPriority::Realtime),
        _ => None,
    };
    found.ok_or_else(|| BadValue {
        message: format!(
            "not a priority of ionice: {}: it is idle, best-effort or realtime, the last two with a priority \
             from 0 to {IO_PRIORITY_MAX} such as best-effort:{IO_PRIORITY}",
            quote(text)
        ),
        suggestion: nearest(CLASSES.into_iter(), class)
            .filter(|known| *known != class)
            .map(|known| priority.map_or(known.to_owned(), |priority| format!("{known}:{priority}"))),
    })
}

/// `0-3,7`, in ascending order.
pub(crate) fn cpus(text: &str) -> Result<Vec<u16>, String> {
    let number = |text: &str| u16::try_from(integer(text).ok()?).ok().filter(|cpu| *cpu <= CPU_MAX);
    let mut is_named = [false; CPU_MAX as usize + 1];
    for item in text.split(',') {
        let range = match item.split_once('-') {
            Some((first, last)) => number(first).zip(number(last)),
            None => number(item).map(|cpu| (cpu, cpu)),
        };
        let Some((first, last)) = range.filter(|(first, last)| first <= last) else {
            return Err(format!(
                "not a list of CPUs: {}: it has numbers and ranges up to {CPU_MAX}, such as 0-3,7",
                quote(text)
            ));
        };
        is_named[first.into()..=last.into()].fill(true);
    }
    Ok((0..=CPU_MAX).filter(|cpu| is_named[usize::from(*cpu)]).collect())
}

fn capability(set: &mut CapabilityNames, name: &str) -> Result<(), BadValue> {
    let name = trim(name);
    if set.insert(name) {
        return Ok(());
    }
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    Err(BadValue {
        message: format!("not a capability: {}", quote(name)),
        suggestion: nearest(CapabilityNames::known(), bare)
            .or_else(|| CapabilityNames::known().find(|known| !bare.is_empty() && known.starts_with(bare)))
            .map(|known| format!("CAP_{known}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(option: LimitOption, text: &str) -> Result<LimitsSpec, BadValue> {
        let mut limits = LimitsSpec::default();
        limit(&mut limits, option, text).map(|()| limits)
    }

    #[test]
    fn limits_are_two_values_or_one() {
        let bounds = |option, text| read(option, text).unwrap().resource(option).unwrap();
        for (option, text, soft, hard) in [
            (LimitOption::RlimitNofile, "1024:65536", Some(1024), Some(65536)),
            (LimitOption::RlimitNofile, " 512 ", Some(512), Some(512)),
            (LimitOption::RlimitCore, "0:unlimited", Some(0), None),
            (LimitOption::RlimitCore, "unlimited", None, None),
            (LimitOption::RlimitAs, "1MB : 2GB", Some(1 << 20), Some(2 << 30)),
            (LimitOption::RlimitCpu, "60", Some(60), Some(60)),
        ] {
            assert_eq!(bounds(option, text), ResourceBounds { soft, hard }, "{text}");
        }
    }

    #[test]
    fn invalid_limits_are_explained() {
        let not_a_limit = |text| format!("not a limit: '{text}': it is a number from 0 on, or unlimited");
        for (option, text, message, suggestion) in [
            (LimitOption::RlimitNofile, "infinity", not_a_limit("infinity"), Some("unlimited")),
            (LimitOption::RlimitNofile, "-1", not_a_limit("-1"), Some("unlimited")),
            (LimitOption::RlimitNofile, "unlimted", not_a_limit("unlimted"), Some("unlimited")),
            (LimitOption::RlimitNofile, "1KB", not_a_limit("1KB"), None),
            (LimitOption::RlimitAs, "1TB", not_a_limit("1TB"), None),
            (LimitOption::RlimitAs, "1:", not_a_limit(""), None),
            (LimitOption::RlimitAs, "2:1", "the soft limit is above the hard one: '2:1'".to_owned(), None),
            (
                LimitOption::RlimitAs,
                "unlimited:1",
                "the soft limit is above the hard one: 'unlimited:1'".to_owned(),
                None,
            ),
        ] {
            let expected = BadValue { message, suggestion: suggestion.map(str::to_owned) };
            assert_eq!(read(option, text), Err(expected), "{text}");
        }
    }

    #[test]
    fn priorities_have_ranges() {
        assert_eq!(read(LimitOption::Nice, "-20").unwrap().nice, Some(-20));
        assert_eq!(read(LimitOption::OomScoreAdj, "1000").unwrap().oom_score_adj, Some(1000));
        for (option, text, message) in [
            (LimitOption::Nice, "20", "not a number from -20 to 19: '20'"),
            (LimitOption::OomScoreAdj, "-1001", "not a number from -1000 to 1000: '-1001'"),
            (LimitOption::Nice, "low", "not a valid integer: 'low'"),
        ] {
            assert_eq!(read(option, text), Err(BadValue::new(message.to_owned())));
        }
        let io = |text| read(LimitOption::Ionice, text).map(|limits| limits.io_priority.unwrap());
        for (text, expected) in [
            ("idle", IoPriority::Idle),
            ("best-effort", IoPriority::BestEffort(4)),
            ("best-effort:0", IoPriority::BestEffort(0)),
            ("realtime:7", IoPriority::Realtime(7)),
        ] {
            assert_eq!(io(text), Ok(expected));
        }
        for (text, suggestion) in [
            ("idle:0", None),
            ("best-effort:8", None),
            ("best_effort:3", Some("best-effort:3")),
            ("real-time", Some("realtime")),
            ("3", None),
        ] {
            assert_eq!(io(text).unwrap_err().suggestion.as_deref(), suggestion, "{text}");
        }
    }

    #[test]
    fn limits_of_cgroups_are_values_or_max() {
        use LimitOption::{Cgroup, CgroupCpuMax, CgroupMemoryHigh, CgroupMemoryMax, CgroupPidsMax};
        for (option, text, expected) in [
            (CgroupMemoryMax, "1MB", Some(1 << 20)),
            (CgroupMemoryHigh, "4096", Some(4096)),
            (CgroupCpuMax, "150%", Some(150)),
            (CgroupCpuMax, "50", Some(50)),
            (CgroupPidsMax, "7", Some(7)),
            (CgroupPidsMax, "max", None),
            (CgroupMemoryMax, " max ", None),
        ] {
            assert_eq!(read(option, text).unwrap().cgroup.limit(option), expected, "{text}");
        }
        for (option, text, suggestion) in [
            (CgroupMemoryMax, "0", None),
            (CgroupMemoryMax, "unlimited", Some("max")),
            (CgroupCpuMax, "0%", None),
            (CgroupCpuMax, "-1", Some("max")),
            (CgroupPidsMax, "0", None),
            (Cgroup, "yes", None),
        ] {
            assert_eq!(read(option, text).unwrap_err().suggestion.as_deref(), suggestion, "{text}");
        }
        assert_eq!(read(Cgroup, "required").unwrap().cgroup.mode, CgroupMode::Required);
    }

    #[test]
    fn cpus_are_numbers_and_ranges() {
        for (text, expected) in [("0", vec![0]), ("2-4, 0,3", vec![0, 2, 3, 4]), ("1023", vec![1023])] {
            assert_eq!(cpus(text), Ok(expected), "{text}");
        }
        for text in ["", "a", "1-", "3-1", "1024", "-1", "0,,1"] {
            assert!(cpus(text).unwrap_err().starts_with(&format!("not a list of CPUs: '{text}'")), "{text}");
        }
    }

    #[test]
    fn unknown_capabilities_are_refused_with_a_suggestion() {
        let mut set = CapabilityNames::default();
        assert_eq!(capability(&mut set, " cap_kill"), Ok(()));
        for (name, suggestion) in [
            ("CAP_NET_BIND_SERVCE", Some("CAP_NET_BIND_SERVICE")),
            ("sys_nce", Some("CAP_SYS_NICE")),
            ("CAP_NET_BIND", Some("CAP_NET_BIND_SERVICE")),
            ("ALL", None),
            ("", None),
        ] {
            let expected = BadValue {
                message: format!("not a capability: '{name}'"),
                suggestion: suggestion.map(str::to_owned),
            };
            assert_eq!(capability(&mut set, name), Err(expected));
        }
        assert_eq!(set.text(), "CAP_KILL");
    }
}
