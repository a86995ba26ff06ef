//! How fast does a program's output reach its log, and what does that cost?

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{PATIENCE, Run, attempt};
use crate::beacon::Beacon;
use crate::peers::{Peer, Seat, Service};
use crate::table::Table;
use crate::{Outcome, chat, proc};

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let bytes = run.arguments.log_bytes();
    let mut table = Table::new(
        "logs",
        format!("one program writes {} MiB of 128-byte lines to its log", bytes >> 20),
        &["MiB/s", "CPU s per GiB"],
    );
    if let Some(figures) = attempt("logs", "floor", || floor(run, bytes)) {
        table.row("floor: cat", figures);
    }
    for peer in run.supervisors() {
        if let Some(figures) = attempt("logs", peer.kind.name(), || one(run, peer, bytes)) {
            table.row(peer.kind.name(), figures);
        }
    }
    table.note(
        "CPU: of the supervising processes; runit's log goes through svlogd, s6's through s6-log".to_owned(),
    );
    Ok(table)
}

fn floor(run: &Run<'_>, bytes: u64) -> Outcome<Vec<Option<f64>>> {
    let dir = run.folder()?;
    let mut beacon = Beacon::new(&dir)?;
    let log = dir.join("log");
    fs::create_dir(&log)?;
    let (reader, writer) = std::io::pipe()?;
    let cat = Command::new("cat").stdin(reader).stdout(File::create(log.join("current"))?).spawn()?;
    let words = chat::command(bytes, beacon.path())?;
    Command::new(&words[0]).args(&words[1..]).stdin(Stdio::null()).stdout(writer).spawn()?;
    beacon.lines(1, PATIENCE)?;
    let took = wait_size(&log, bytes)?;
    Ok(figures(bytes, took, proc::cpu_seconds(&[cat.id()])))
}

fn one(run: &Run<'_>, peer: &Peer, bytes: u64) -> Outcome<Vec<Option<f64>>> {
    let dir = run.folder()?;
    let mut beacon = Beacon::new(&dir)?;
    let log = dir.join("log");
    let command = chat::command(bytes, beacon.path())?;
    let service = Service { name: "chat".to_owned(), command, log: Some(log.clone()), start_secs: 0 };
    let running = peer.start(&dir, &[service], Seat::Daemon)?;
    beacon.lines(1, PATIENCE).map_err(|error| running.failure(&error.to_string()))?;
    let supervising = || running.supervising(&chat::process_name().unwrap_or_default());
    // Its start is not part of what its output costs.
    let before = proc::cpu_seconds(&supervising());
    let took = wait_size(&log, bytes).map_err(|error| running.failure(&error.to_string()))?;
    Ok(figures(bytes, took, proc::cpu_seconds(&supervising()) - before))
}

fn figures(bytes: u64, took: Duration, cpu: f64) -> Vec<Option<f64>> {
    let mib = (bytes >> 20) as f64;
    vec![Some(mib / took.as_secs_f64()), Some(cpu * 1024.0 / mib)]
}

/// Waits until the files of this folder hold so many bytes.
fn wait_size(folder: &Path, bytes: u64) -> Outcome<Duration> {
    let began = Instant::now();
    // Below 2 MiB/s it is given up.
    let patience = PATIENCE.max(Duration::from_secs(bytes >> 21));
    while began.elapsed() < patience {
        let now = Instant::now();
        if size(folder) >= bytes {
            return Ok(now - began);
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err(format!("{} of {bytes} bytes arrived", size(folder)).into())
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let logs = entries.flatten().filter(|entry| {
        let name = entry.file_name();
        name == "current" || name.to_string_lossy().starts_with('@')
    });
    logs.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}
