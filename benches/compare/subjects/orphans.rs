//! How fast does PID 1 reap orphans that come all at once?

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{Run, TIMEOUT, attempt};
use crate::Outcome;
use crate::beacon::{Beacon, fifo};
use crate::peers::{Peer, Seat, Service};
use crate::proc::{children, exists, process};
use crate::table::Table;

/// Who is not through after this long is reckoned up from what it managed.
const LIMIT: Duration = Duration::from_secs(15);

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let count = run.arguments.orphan_count();
    let mut table = Table::new(
        "orphans",
        format!("{count} zombies that lose their parents at once, until PID 1 has reaped them all"),
        &["ms", "µs each"],
    );
    if !Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc", "true"])
        .status()
        .is_ok_and(|status| status.success())
    {
        table.note("skipped: a PID namespace needs util-linux's unshare and root".to_owned());
        return Ok(table);
    }
    if !Command::new("perl").args(["-e", "exit"]).status().is_ok_and(|status| status.success()) {
        table.note("skipped: the orphans are made with perl, which is missing".to_owned());
        return Ok(table);
    }
    for peer in run.peers {
        let Some((took, whole)) = attempt("orphans", peer.kind.name(), || one(run, peer, count)) else {
            continue;
        };
        table.row(peer.kind.name(), vec![Some(took), Some(took * 1e3 / count as f64)]);
        if !whole {
            let limit = LIMIT.as_secs();
            table.note(format!("{}: not done after {limit} s, reckoned up from its pace", peer.kind.name()));
        }
    }
    Ok(table)
}

/// The time, and whether it was waited for to the end.
fn one(run: &Run<'_>, peer: &Peer, count: usize) -> Outcome<(f64, bool)> {
    let dir = run.folder()?;
    let mut beacon = Beacon::new(&dir)?;
    let gate = fifo(&dir.join("gate"))?;
    let script = dir.join("orphans");
    fs::write(&script, make_orphans(&dir, beacon.path(), count))?;
    let services = Service::many(1, &["/bin/sh", &script.display().to_string()], 0);
    let running = peer.start(&dir, &services, Seat::PidOne)?;
    let pid_one = running.pid_one()?;
    let made = beacon.lines(1, TIMEOUT).map_err(|error| running.failure(&error.to_string()))?;
    if made != ["made"] {
        return Err(format!("{count} processes are more than this machine lets a program have").into());
    }

    // With the last writer gone the parent comes to its end, and its zombies are PID 1's.
    let began = Instant::now();
    drop(gate);
    beacon.lines(1, TIMEOUT)?;
    loop {
        let zombies = zombies(pid_one);
        let Some(last) = zombies.last() else { return Ok((began.elapsed().as_secs_f64() * 1e3, true)) };
        if began.elapsed() > LIMIT {
            let reaped = (count - zombies.len()) as f64;
            let pace = began.elapsed().as_secs_f64() * 1e3 / reaped.max(1.0);
            return Ok((pace * count as f64, false));
        }
        // The last in the list is the last to be reaped. Asking for it alone leaves the machine to the reaper.
        while exists(*last) && began.elapsed() < LIMIT {
            thread::sleep(Duration::from_micros(500));
        }
    }
}

/// A parent that never asks after its children, and a shell that waits for the parent alone. Not a shell as
/// the parent: shells reap in passing.
fn make_orphans(dir: &Path, beacon: &Path, count: usize) -> String {
    let (gate, beacon) = (dir.join("gate").display().to_string(), beacon.display());
    // The gate is opened before the start signal: once its last writer is gone, opening would block forever.
    format!(
        "perl -e 'open(my $gate, \"<\", \"{gate}\") or die; for (1..{count}) {{ fork or exit }} print \"made\\n\"; \
close(STDOUT); <$gate>' >{beacon}
echo gone >{beacon}
exec sleep 100000
"
    )
}

fn zombies(parent: u32) -> Vec<u32> {
    let all = children(parent);
    // Nearly all of them are; looking into each is only worth while when few are left.
    if all.len() > 64 {
        return all;
    }
    all.into_iter().filter(|pid| process(*pid).is_some_and(|process| process.zombie)).collect()
}
