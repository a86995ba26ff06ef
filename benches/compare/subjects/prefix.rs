//! What does it cost to write the lines of many programs that all talk, and to give them a form?

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Instant;

use super::{Run, TIMEOUT, attempt};
use crate::beacon::Beacon;
use crate::chat::LINE;
use crate::peers::{Kind, Peer, Seat, Service, log_size};
use crate::table::Table;
use crate::{Outcome, chat, proc};

/// Programs that talk.
const TALKERS: usize = 100;

/// What each of them writes in a second.
const BYTES_PER_SEC: usize = 1 << 20;

/// What a line of [`LINE`] bytes becomes with a time and a name before it, and as a JSON object.
const PREFIXED_LINE: usize = 159;
const JSON_LINE: usize = 233;

/// What is measured of one supervisor.
struct Load {
    name: &'static str,
    options: &'static str,
    bytes_per_sec: usize,
}

/// The forms that only sv has, each after what it costs to write as many bytes as they are.
const LOADS: [Load; 5] = [
    Load { name: "sv", options: "", bytes_per_sec: BYTES_PER_SEC },
    Load { name: "sv, 24 % more", options: "", bytes_per_sec: BYTES_PER_SEC / LINE * PREFIXED_LINE },
    Load {
        name: "sv, prefix",
        options: "log_format=prefix\nlog_timestamp=true\n",
        bytes_per_sec: BYTES_PER_SEC,
    },
    Load { name: "sv, 82 % more", options: "", bytes_per_sec: BYTES_PER_SEC / LINE * JSON_LINE },
    Load { name: "sv, json", options: "log_format=json\n", bytes_per_sec: BYTES_PER_SEC },
];

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let mut table = Table::new(
        "prefix",
        format!("{TALKERS} programs write 1 MiB of lines of 128 bytes a second each, to a log each"),
        &["MiB/s arrived", "CPU %", "dirty KiB before", "dirty KiB after"],
    );
    for peer in run.supervisors() {
        let as_it_is = [Load { name: peer.kind.name(), options: "", bytes_per_sec: BYTES_PER_SEC }];
        for load in if peer.kind == Kind::Sv { &LOADS[..] } else { &as_it_is } {
            if let Some(figures) = attempt("prefix", load.name, || one(run, peer, load)) {
                table.row(load.name, figures.map(Some).to_vec());
            }
        }
    }
    table.note(
        "CPU and dirty memory: of the supervising processes; lines with a prefix are 24 % longer, and as JSON 82 %, so that the row \
         before each shows what it costs to write as many bytes as they are"
            .to_owned(),
    );
    Ok(table)
}

/// MiB a second, the share of one processor, and the memory in KiB before and after.
fn one(run: &Run<'_>, peer: &Peer, load: &Load) -> Outcome<[f64; 4]> {
    let dir = run.folder()?;
    let mut beacon = Beacon::new(&dir)?;
    let logs = dir.join("logs");
    let mut services = Vec::new();
    for number in 0..TALKERS {
        let command = chat::paced_command(load.bytes_per_sec, beacon.path())?;
        let log = Some(logs.join(number.to_string()));
        services.push(Service { name: format!("p{number}"), command, log, start_secs: 0 });
    }
    let running = match load.options {
        "" => peer.start(&dir, &services, Seat::Daemon)?,
        options => peer.start_with(&dir, &services, options)?,
    };
    beacon.lines(TALKERS, TIMEOUT).map_err(|error| running.failure(&error.to_string()))?;
    let supervising = || running.supervising(&chat::process_name().unwrap_or_default());
    let memory = || proc::memory(&supervising()).private_dirty;
    let before = memory();
    let (began, bytes, cpu) = (Instant::now(), size(&logs), proc::cpu_seconds(&supervising()));
    thread::sleep(run.arguments.idle_window());
    let (bytes, cpu) = (size(&logs) - bytes, proc::cpu_seconds(&supervising()) - cpu);
    let took = began.elapsed().as_secs_f64();
    Ok([bytes as f64 / f64::from(1 << 20) / took, cpu / took * 100.0, before, memory()])
}

fn size(logs: &Path) -> u64 {
    let folders = fs::read_dir(logs).into_iter().flatten().flatten();
    folders.map(|folder| log_size(&folder.path())).sum()
}
