//! CPU time and memory of processes, read from our own /proc as far as it is that of the supervisor.

use std::collections::HashMap;
use std::time::Instant;

use serde_json::Value as Json;

use super::super::session::Session;
use super::table::ShownProcess;
use crate::model::{Pid, ProcessUsage};
use crate::sys::children::look_at;
use crate::sys::process_usage::process_usage;

/// How much the age of a process here may differ from its uptime there: the supervisor measures from a little
/// before the fork, and rounds. A process of another namespace with the same id differs by more.
const AGE_TOLERANCE_SECS: f64 = 2.0;

/// The CPU time of a process at a time.
struct CpuSample {
    at: Instant,
    cpu_secs: f64,
}

/// Measures again and again.
#[derive(Default)]
pub(super) struct UsageMeter {
    /// By the id of the process.
    before: HashMap<i64, CpuSample>,
}

impl UsageMeter {
    /// Fills in CPU and memory. The share of the CPU is that since the previous measurement, or that of the whole life of
    /// a process.
    ///
    /// The supervisor is asked only if none of the processes is found here: then it runs in another namespace or on
    /// another machine. Without an answer the columns stay empty.
    pub(super) fn measure(&mut self, session: &mut Session, rows: &mut [ShownProcess]) {
        let mut found: HashMap<i64, FoundUsage> = rows.iter().filter_map(local).collect();
        if found.is_empty() && rows.iter().any(|row| row.process.pid > 0) {
            let document = session.get("/api/v1/resources", "the use of CPU and memory").unwrap_or_default();
            let processes = document["processes"].as_array().into_iter().flatten();
            found = processes.filter_map(remote).collect();
        }
        let at = Instant::now();
        for row in rows {
            let Some(usage) = found.get(&row.process.pid) else { continue };
            let (used, during) = match self.before.get(&row.process.pid) {
                Some(before) => (usage.cpu_secs - before.cpu_secs, (at - before.at).as_secs_f64()),
                None => (usage.cpu_secs, usage.age_secs.or(row.uptime_secs).unwrap_or_default()),
            };
            row.resident_bytes = Some(usage.resident_bytes);
            // Ticks of 10 ms say nothing about a shorter time.
            row.cpu_percent = (during >= 0.1).then(|| (used / during * 100.0).max(0.0));
        }
        let samples = found.into_iter().map(|(pid, usage)| (pid, CpuSample { at, cpu_secs: usage.cpu_secs }));
        self.before = samples.collect();
    }
}

/// What a process uses.
struct FoundUsage {
    cpu_secs: f64,
    resident_bytes: u64,
    /// Known more precisely here than there.
    age_secs: Option<f64>,
}

/// Of a process that is the same here and there.
fn local(row: &ShownProcess) -> Option<(i64, FoundUsage)> {
    let pid = Pid(i32::try_from(row.process.pid).ok().filter(|pid| *pid > 0)?);
    let age_secs = look_at(pid)?.age.as_secs_f64();
    if (age_secs - row.uptime_secs?).abs() > AGE_TOLERANCE_SECS {
        return None;
    }
    let ProcessUsage { cpu, resident_bytes } = process_usage(pid)?;
    let usage = FoundUsage { cpu_secs: cpu.as_secs_f64(), resident_bytes, age_secs: Some(age_secs) };
    Some((row.process.pid, usage))
}

fn remote(row: &Json) -> Option<(i64, FoundUsage)> {
    let (cpu_secs, resident_bytes) = (row["cpu_secs"].as_f64()?, row["resident_bytes"].as_u64()?);
    Some((row["pid"].as_i64()?, FoundUsage { cpu_secs, resident_bytes, age_secs: None }))
}
