//! What do the supervising processes keep, with 1, 10 and 100 services?

use std::process::Command;
use std::thread;
use std::time::Duration;

use super::{Run, SLEEPER, attempt};
use crate::Outcome;
use crate::peers::{Ask, Peer, Seat, Service};
use crate::proc::{Memory, memory};
use crate::table::Table;

const COUNTS: [usize; 3] = [1, 10, 100];

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let mut table = Table::new(
        "memory",
        "KiB of all supervising processes with 1, 10, 100 services, idle, after one status".to_owned(),
        &["PSS 1", "PSS 10", "PSS 100", "dirty 1", "dirty 10", "dirty 100", "processes 100"],
    );
    for peer in run.peers {
        let Some(figures) = attempt("memory", peer.kind.name(), || figures(run, peer)) else { continue };
        let column =
            |figure: fn(&(Memory, f64)) -> f64| figures.iter().map(move |entry| entry.as_ref().map(figure));
        let pss = column(|(memory, _)| memory.pss);
        let dirty = column(|(memory, _)| memory.private_dirty);
        let processes = figures[2].as_ref().map(|(_, processes)| *processes);
        table.row(peer.kind.name(), pss.chain(dirty).chain([processes]).collect());
    }
    table.note("dirty: private dirty memory, which no other process shares and no file backs".to_owned());
    Ok(table)
}

fn figures(run: &Run<'_>, peer: &Peer) -> Outcome<Vec<Option<(Memory, f64)>>> {
    COUNTS
        .iter()
        .map(
            |count| {
                if *count == 1 || peer.kind.supervises() {
                    one(run, peer, *count).map(Some)
                } else {
                    Ok(None)
                }
            },
        )
        .collect()
}

fn one(run: &Run<'_>, peer: &Peer, count: usize) -> Outcome<(Memory, f64)> {
    let dir = run.folder()?;
    let services = Service::many(count, &SLEEPER, 1);
    let mut running = peer.start(&dir, &services, Seat::Daemon)?;
    running.wait_services(SLEEPER[0], count)?;
    settle();
    if let Some(mut client) = peer.client(&dir, &services, Ask::Status) {
        run_client(&mut client)?;
        // What it did for the client, it may put away again.
        thread::sleep(Duration::from_millis(500));
    }
    let pids = running.supervising(SLEEPER[0]);
    Ok((memory(&pids), pids.len() as f64))
}

/// Lets the second pass after which services count as started, and what follows from it.
pub(crate) fn settle() {
    thread::sleep(Duration::from_millis(2200));
}

/// Runs a client to its end. Supervisor's codes 3 and 4 are states, not failures of the client.
pub(crate) fn run_client(client: &mut Command) -> Outcome<()> {
    match client.status()?.code() {
        Some(0 | 3) => Ok(()),
        code => Err(format!("the client ended with {code:?}").into()),
    }
}
