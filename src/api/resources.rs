//! The CPU time and memory of processes.

use serde::Serialize;

use super::list::{ListReply, encode};
use super::utc;
use crate::model::{Namespec, Pid, ProcessInfo, ProcessUsage, Wall};

/// A process that is measured, and what it uses.
#[derive(Debug)]
pub struct MeasuredProcess {
    full_name: String,
    /// Its process.
    pub pid: Pid,
    /// `None` if that cannot be read, or was not yet.
    pub usage: Option<ProcessUsage>,
}

impl MeasuredProcess {
    /// `None` for one that does not run.
    pub(super) fn of(info: &ProcessInfo) -> Option<Self> {
        let full_name = Namespec::join(&info.group, &info.name);
        (info.pid > 0).then_some(Self { full_name, pid: Pid(info.pid), usage: None })
    }
}

#[derive(Serialize)]
struct ResourcesHead {
    now_at: String,
}

#[derive(Serialize)]
struct UsageView<'a> {
    full_name: &'a str,
    pid: i32,
    cpu_secs: Option<f64>,
    resident_bytes: Option<u64>,
}

/// The response with the resources of these processes.
#[must_use]
pub fn resources(processes: Vec<MeasuredProcess>, now: Wall) -> ListReply {
    ListReply::new(&ResourcesHead { now_at: utc(now.unix_ms) }).list(
        "processes",
        processes,
        |process, out| {
            let view = UsageView {
                full_name: &process.full_name,
                pid: process.pid.0,
                cpu_secs: process.usage.map(|usage| usage.cpu.as_secs_f64()),
                resident_bytes: process.usage.map(|usage| usage.resident_bytes),
            };
            encode(&view, out);
        },
    )
}
