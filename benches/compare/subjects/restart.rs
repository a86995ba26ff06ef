//! From `kill -9` until the service's next process runs.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::memory::settle;
use super::{Run, TIMEOUT, attempt, millis};
use crate::Outcome;
use crate::bare_loop;
use crate::beacon::Beacon;
use crate::peers::{Peer, Seat, Service};
use crate::proc::{kill_descendants, signal};
use crate::table::{Table, median};

/// No round begins after so long: who takes a second for each would take minutes.
const ENOUGH: Duration = Duration::from_secs(15);

const SERVICES: usize = 10;

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let rounds = run.arguments.rounds(5);
    let mut table = Table::new(
        "restart",
        format!(
            "kill -9 of a service that was up long enough until it runs again, up to {} times",
            rounds * SERVICES
        ),
        &["median ms", "worst ms"],
    );
    if let Some(figures) = attempt("restart", "floor", || floor(run, rounds)) {
        table.row("floor: bare loops", figures);
    }
    for peer in run.supervisors() {
        if let Some(figures) = attempt("restart", peer.kind.name(), || one(run, peer, rounds)) {
            table.row(peer.kind.name(), figures);
        }
    }
    Ok(table)
}

/// Each service has a loop of its own, which is killed first in the end, so that it starts nothing more.
fn floor(run: &Run<'_>, rounds: usize) -> Outcome<Vec<Option<f64>>> {
    let mut beacon = Beacon::new(&run.folder()?)?;
    let mut loops = (0..SERVICES).map(|_| bare_loop::start(beacon.script())).collect::<Outcome<Vec<_>>>()?;
    let times = beacon.pids(SERVICES, TIMEOUT).and_then(|pids| restarts(&mut beacon, pids, rounds));
    for bare_loop in &mut loops {
        bare_loop.kill()?;
        bare_loop.wait()?;
    }
    kill_descendants();
    Ok(figures(times?))
}

fn one(run: &Run<'_>, peer: &Peer, rounds: usize) -> Outcome<Vec<Option<f64>>> {
    let dir = run.folder()?;
    let mut beacon = Beacon::new(&dir)?;
    let services = Service::many(SERVICES, &[&beacon.script().display().to_string()], 1);
    let running = peer.start(&dir, &services, Seat::Daemon)?;
    let pids = beacon.pids(SERVICES, TIMEOUT).map_err(|error| running.failure(&error.to_string()))?;
    Ok(figures(restarts(&mut beacon, pids, rounds)?))
}

/// Kills each process, and waits until the next one of its service has reported, so many times; milliseconds.
fn restarts(beacon: &mut Beacon, mut pids: Vec<u32>, rounds: usize) -> Outcome<Vec<f64>> {
    let mut times = Vec::new();
    let began = Instant::now();
    for _ in 0..rounds {
        if began.elapsed() > ENOUGH {
            break;
        }
        settle();
        for pid in &mut pids {
            let began = Instant::now();
            signal(*pid, Signal::KILL);
            let next = beacon.pids(1, TIMEOUT)?;
            times.push(millis(began.elapsed()));
            *pid = next[0];
        }
    }
    Ok(times)
}

fn figures(times: Vec<f64>) -> Vec<Option<f64>> {
    let worst = times.iter().copied().max_by(f64::total_cmp);
    vec![median(times), worst]
}
