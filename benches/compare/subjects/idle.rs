//! How often does a supervisor wake up when nothing happens?

use std::thread;

use super::memory::settle;
use super::{Run, SLEEPER, attempt};
use crate::Outcome;
use crate::peers::{Peer, Seat, Service};
use crate::proc::{context_switches, cpu_seconds};
use crate::table::Table;

const SERVICES: usize = 10;

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let window = run.arguments.idle_window();
    let mut table = Table::new(
        "idle",
        format!(
            "{SERVICES} sleeping services watched for {} s (one child for an init of one command)",
            window.as_secs()
        ),
        &["context switches", "per minute", "CPU µs per minute"],
    );
    for peer in run.peers {
        if let Some((switches, cpu)) = attempt("idle", peer.kind.name(), || one(run, peer)) {
            let minute = 60.0 / window.as_secs_f64();
            let figures = vec![Some(switches), Some(switches * minute), Some(cpu * minute * 1e6)];
            table.row(peer.kind.name(), figures);
        }
    }
    Ok(table)
}

fn one(run: &Run<'_>, peer: &Peer) -> Outcome<(f64, f64)> {
    let dir = run.folder()?;
    let count = if peer.kind.supervises() { SERVICES } else { 1 };
    let mut running = peer.start(&dir, &Service::many(count, &SLEEPER, 1), Seat::Daemon)?;
    running.wait_services(SLEEPER[0], count)?;
    settle();
    let pids = running.supervising(SLEEPER[0]);
    let before = (context_switches(&pids), cpu_seconds(&pids));
    thread::sleep(run.arguments.idle_window());
    let after = (context_switches(&pids), cpu_seconds(&pids));
    Ok((after.0 - before.0, after.1 - before.1))
}
