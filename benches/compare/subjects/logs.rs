//! How fast does a program's output reach its log, and what does that cost?

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::boot::ENOUGH;
use super::{Run, TIMEOUT, attempt};
use crate::beacon::Beacon;
use crate::peers::{Peer, Seat, Service, log_size};
use crate::table::{Table, median};
use crate::{Outcome, chat, proc};

/// Single lines are so much more work that fewer of them are as informative.
const FEWER: u64 = 8;

/// What one run gave.
struct Figures {
    mib_per_sec: f64,
    cpu_secs_per_mib: f64,
    /// When the program began, and when all had arrived.
    dirty_kib: [f64; 2],
}

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let bytes = run.arguments.log_bytes();
    let mut table = Table::new(
        "logs",
        format!(
            "one program writes {} MiB to its log 64 KiB at a time, and {} MiB a line of 128 bytes at a time",
            bytes >> 20,
            (bytes / FEWER) >> 20
        ),
        &[
            "MiB/s",
            "CPU s per GiB",
            "dirty KiB before",
            "dirty KiB after",
            "thousand lines/s",
            "CPU s per million lines",
        ],
    );
    let rounds = run.arguments.rounds(3);
    let both = |measure: &dyn Fn(u64, usize) -> Outcome<Figures>| {
        let blocks = medians(rounds, || measure(bytes, chat::BLOCK))?;
        let lines = medians(rounds, || measure(bytes / FEWER, chat::LINE))?;
        let per_mib = (1024 * 1024 / chat::LINE) as f64;
        let [before, after] = blocks.dirty_kib;
        let lines = [lines.mib_per_sec * per_mib / 1e3, lines.cpu_secs_per_mib / per_mib * 1e6];
        let figures =
            [blocks.mib_per_sec, blocks.cpu_secs_per_mib * 1024.0, before, after, lines[0], lines[1]];
        Ok(figures.map(Some).to_vec())
    };
    // The first run fills the page cache, so it is not counted.
    attempt("logs", "warm-up", || floor(run, bytes, chat::BLOCK));
    if let Some(figures) = attempt("logs", "floor", || both(&|bytes, at_once| floor(run, bytes, at_once))) {
        table.row("floor: cat", figures);
    }
    for peer in run.supervisors().filter(|peer| peer.writes_logs()) {
        let one = |bytes, at_once| one(run, peer, bytes, at_once);
        if let Some(figures) = attempt("logs", peer.kind.name(), || both(&one)) {
            table.row(peer.kind.name(), figures);
        }
    }
    table.note("cat and dinit do not rotate the log, the others do every 50 MiB".to_owned());
    table.note(
        "CPU and dirty memory: of the supervising processes; runit's log goes through svlogd, s6's through s6-log, \
         and dinit's services write their file themselves; nitro and pitchfork write no files"
            .to_owned(),
    );
    Ok(table)
}

fn medians(rounds: usize, mut once: impl FnMut() -> Outcome<Figures>) -> Outcome<Figures> {
    let began = Instant::now();
    let mut all = Vec::new();
    while all.len() < rounds && began.elapsed() < ENOUGH {
        all.push(once()?);
    }
    let middle = |of: fn(&Figures) -> f64| median(all.iter().map(of).collect()).ok_or("no round");
    Ok(Figures {
        mib_per_sec: middle(|it| it.mib_per_sec)?,
        cpu_secs_per_mib: middle(|it| it.cpu_secs_per_mib)?,
        dirty_kib: [middle(|it| it.dirty_kib[0])?, middle(|it| it.dirty_kib[1])?],
    })
}

fn floor(run: &Run<'_>, bytes: u64, at_once: usize) -> Outcome<Figures> {
    let dir = run.folder()?;
    let mut beacon = Beacon::new(&dir)?;
    let log = dir.join("log");
    fs::create_dir(&log)?;
    let (reader, writer) = std::io::pipe()?;
    let cat = Command::new("cat").stdin(reader).stdout(File::create(log.join("current"))?).spawn()?;
    let words = chat::command(bytes, at_once, beacon.path())?;
    Command::new(&words[0]).args(&words[1..]).stdin(Stdio::null()).stdout(writer).spawn()?;
    beacon.lines(1, TIMEOUT)?;
    let before = Spent::by(&[cat.id()]);
    let took = wait_size(&log, bytes)?;
    // Its start is not left out, as it is over before the program has begun.
    let before = Spent { cpu_secs: 0.0, ..before };
    let figures = figures(bytes, took, &before, &Spent::by(&[cat.id()]));
    proc::kill_descendants();
    Ok(figures)
}

fn one(run: &Run<'_>, peer: &Peer, bytes: u64, at_once: usize) -> Outcome<Figures> {
    let dir = run.folder()?;
    let mut beacon = Beacon::new(&dir)?;
    let log = dir.join("log");
    let command = chat::command(bytes, at_once, beacon.path())?;
    let service = Service { name: "chat".to_owned(), command, log: Some(log.clone()), start_secs: 0 };
    let running = peer.start(&dir, &[service], Seat::Daemon)?;
    beacon.lines(1, TIMEOUT).map_err(|error| running.failure(&error.to_string()))?;
    let supervising = || running.supervising(&chat::process_name().unwrap_or_default());
    // Its start is not part of what its output costs.
    let before = Spent::by(&supervising());
    let took = wait_size(&log, bytes).map_err(|error| running.failure(&error.to_string()))?;
    Ok(figures(bytes, took, &before, &Spent::by(&supervising())))
}

/// For the guard of ratios: what it costs is measured there.
pub(crate) fn floor_round(run: &Run<'_>, bytes: u64, at_once: usize) -> Outcome<()> {
    floor(run, bytes, at_once).map(|_| ())
}

/// The same through a supervisor.
pub(crate) fn round(run: &Run<'_>, peer: &Peer, bytes: u64, at_once: usize) -> Outcome<()> {
    one(run, peer, bytes, at_once).map(|_| ())
}

/// What processes have taken so far.
struct Spent {
    cpu_secs: f64,
    dirty_kib: f64,
}

impl Spent {
    fn by(pids: &[u32]) -> Self {
        Self { cpu_secs: proc::cpu_seconds(pids), dirty_kib: proc::memory(pids).private_dirty }
    }
}

fn figures(bytes: u64, took: Duration, before: &Spent, after: &Spent) -> Figures {
    let mib = (bytes >> 20) as f64;
    Figures {
        mib_per_sec: mib / took.as_secs_f64(),
        cpu_secs_per_mib: (after.cpu_secs - before.cpu_secs) / mib,
        dirty_kib: [before.dirty_kib, after.dirty_kib],
    }
}

/// Waits until the files of this folder hold so many bytes.
fn wait_size(folder: &Path, bytes: u64) -> Outcome<Duration> {
    let began = Instant::now();
    let (mut arrived, mut grew) = (0, began);
    while grew.elapsed() < TIMEOUT {
        let now = Instant::now();
        let size = log_size(folder);
        if size >= bytes {
            return Ok(now - began);
        }
        if size > arrived {
            (arrived, grew) = (size, now);
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err(format!("{arrived} of {bytes} bytes arrived, and no more within {} s", TIMEOUT.as_secs()).into())
}
