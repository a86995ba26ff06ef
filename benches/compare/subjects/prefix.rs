//! What does it cost to write the lines of many programs that all talk, and to give them a form?

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Instant;

use super::{Run, TIMEOUT, attempt};
use crate::beacon::Beacon;
use crate::peers::{Kind, Peer, Seat, Service, log_size};
use crate::table::Table;
use crate::{Outcome, chat, proc};

/// Programs that talk.
const TALKERS: usize = 100;

/// The forms that only sv has.
const FORMS: [(&str, &str); 3] = [
    ("sv", ""),
    ("sv, prefix", "log_format=prefix\nlog_timestamp=true\n"),
    ("sv, json", "log_format=json\n"),
];

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let mut table = Table::new(
        "prefix",
        format!("{TALKERS} programs write 1 MiB of lines of 128 bytes a second each, to a log each"),
        &["MiB/s arrived", "CPU %", "dirty KiB before", "dirty KiB after"],
    );
    for peer in run.supervisors() {
        let forms = if peer.kind == Kind::Sv { &FORMS[..] } else { &[(peer.kind.name(), "")] };
        for (name, options) in forms {
            if let Some(figures) = attempt("prefix", name, || one(run, peer, options)) {
                table.row(name, figures.map(Some).to_vec());
            }
        }
    }
    table.note(
        "CPU and dirty memory: of the supervising processes; all but the second and third row write lines as they are"
            .to_owned(),
    );
    Ok(table)
}

/// MiB a second, the share of one processor, and the memory in KiB before and after.
fn one(run: &Run<'_>, peer: &Peer, options: &str) -> Outcome<[f64; 4]> {
    let dir = run.folder()?;
    let mut beacon = Beacon::new(&dir)?;
    let logs = dir.join("logs");
    let mut services = Vec::new();
    for number in 0..TALKERS {
        let command = chat::paced_command(1 << 20, beacon.path())?;
        let log = Some(logs.join(number.to_string()));
        services.push(Service { name: format!("p{number}"), command, log, start_secs: 0 });
    }
    let running = match options {
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
