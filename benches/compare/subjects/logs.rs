//! How fast does a program's output reach its log, and what does that cost?

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::boot::ENOUGH;
use super::{PATIENCE, Run, attempt};
use crate::beacon::Beacon;
use crate::peers::{Peer, Seat, Service};
use crate::table::{Table, median};
use crate::{Outcome, chat, proc};

/// Single lines are so much more work that fewer of them tell as much.
const FEWER: u64 = 8;

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let bytes = run.arguments.log_bytes();
    let mut table = Table::new(
        "logs",
        format!(
            "one program writes {} MiB to its log 64 KiB at a time, and {} MiB a line of 128 bytes at a time",
            bytes >> 20,
            (bytes / FEWER) >> 20
        ),
        &["MiB/s", "CPU s per GiB", "thousand lines/s", "CPU s per million lines"],
    );
    let rounds = run.arguments.rounds(3);
    let both = |measure: &dyn Fn(u64, usize) -> Outcome<(f64, f64)>| {
        let blocks = medians(rounds, || measure(bytes, chat::BLOCK))?;
        let lines = medians(rounds, || measure(bytes / FEWER, chat::LINE))?;
        let per_mib = (1024 * 1024 / chat::LINE) as f64;
        let figures = [blocks.0, blocks.1 * 1024.0, lines.0 * per_mib / 1e3, lines.1 / per_mib * 1e6];
        Ok(figures.map(Some).to_vec())
    };
    // The first to fill the machine's page cache pays for it: nobody's figure.
    attempt("logs", "warm-up", || floor(run, bytes, chat::BLOCK));
    if let Some(figures) = attempt("logs", "floor", || both(&|bytes, at_once| floor(run, bytes, at_once))) {
        table.row("floor: cat", figures);
    }
    for peer in run.supervisors() {
        let one = |bytes, at_once| one(run, peer, bytes, at_once);
        if let Some(figures) = attempt("logs", peer.kind.name(), || both(&one)) {
            table.row(peer.kind.name(), figures);
        }
    }
    table.note(
        "CPU: of the supervising processes; runit's log goes through svlogd, s6's through s6-log".to_owned(),
    );
    Ok(table)
}

fn medians(rounds: usize, mut once: impl FnMut() -> Outcome<(f64, f64)>) -> Outcome<(f64, f64)> {
    let began = Instant::now();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    while first.len() < rounds && began.elapsed() < ENOUGH {
        let (one, other) = once()?;
        first.push(one);
        second.push(other);
    }
    median(first).zip(median(second)).ok_or_else(|| "no round".into())
}

/// MiB a second, and processor seconds a MiB.
fn floor(run: &Run<'_>, bytes: u64, at_once: usize) -> Outcome<(f64, f64)> {
    let dir = run.folder()?;
    let mut beacon = Beacon::new(&dir)?;
    let log = dir.join("log");
    fs::create_dir(&log)?;
    let (reader, writer) = std::io::pipe()?;
    let cat = Command::new("cat").stdin(reader).stdout(File::create(log.join("current"))?).spawn()?;
    let words = chat::command(bytes, at_once, beacon.path())?;
    Command::new(&words[0]).args(&words[1..]).stdin(Stdio::null()).stdout(writer).spawn()?;
    beacon.lines(1, PATIENCE)?;
    let took = wait_size(&log, bytes)?;
    let spent = proc::cpu_seconds(&[cat.id()]);
    proc::kill_descendants();
    Ok(figures(bytes, took, spent))
}

fn one(run: &Run<'_>, peer: &Peer, bytes: u64, at_once: usize) -> Outcome<(f64, f64)> {
    let dir = run.folder()?;
    let mut beacon = Beacon::new(&dir)?;
    let log = dir.join("log");
    let command = chat::command(bytes, at_once, beacon.path())?;
    let service = Service { name: "chat".to_owned(), command, log: Some(log.clone()), start_secs: 0 };
    let running = peer.start(&dir, &[service], Seat::Daemon)?;
    beacon.lines(1, PATIENCE).map_err(|error| running.failure(&error.to_string()))?;
    let supervising = || running.supervising(&chat::process_name().unwrap_or_default());
    // Its start is not part of what its output costs.
    let before = proc::cpu_seconds(&supervising());
    let took = wait_size(&log, bytes).map_err(|error| running.failure(&error.to_string()))?;
    Ok(figures(bytes, took, proc::cpu_seconds(&supervising()) - before))
}

fn figures(bytes: u64, took: Duration, cpu: f64) -> (f64, f64) {
    let mib = (bytes >> 20) as f64;
    (mib / took.as_secs_f64(), cpu / mib)
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
