//! How long does a client take that asks for the status of ten programs?

use std::process::Command;
use std::time::Instant;

use super::boot::repeat;
use super::memory::{run_client, settle};
use super::{Run, SLEEPER, attempt, millis};
use crate::Outcome;
use crate::peers::{Ask, Peer, Seat, Service};
use crate::table::Table;

const SERVICES: usize = 10;

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let rounds = run.arguments.rounds(200);
    let mut table = Table::new(
        "status",
        format!("the client's whole run with {SERVICES} services, median of up to {rounds}"),
        &["ms"],
    );
    if let Some(took) = attempt("status", "floor", || time(&mut Command::new("true"), rounds)) {
        table.row("floor: true", vec![took]);
    }
    for peer in run.supervisors() {
        if let Some(took @ Some(_)) = attempt("status", peer.kind.name(), || one(run, peer, rounds)) {
            table.row(peer.kind.name(), vec![took]);
        }
    }
    Ok(table)
}

fn one(run: &Run<'_>, peer: &Peer, rounds: usize) -> Outcome<Option<f64>> {
    let dir = run.folder()?;
    let services = Service::many(SERVICES, &SLEEPER, 1);
    let Some(mut client) = peer.client(&dir, &services, Ask::Status) else { return Ok(None) };
    let mut running = peer.start(&dir, &services, Seat::Daemon)?;
    running.wait_services(SLEEPER[0], SERVICES)?;
    settle();
    time(&mut client, rounds)
}

fn time(client: &mut Command, rounds: usize) -> Outcome<Option<f64>> {
    repeat(rounds, || {
        let began = Instant::now();
        run_client(client)?;
        Ok(millis(began.elapsed()))
    })
}
