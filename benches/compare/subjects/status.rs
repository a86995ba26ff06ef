//! How long does a client take that asks for the status of ten programs?

use std::process::Command;
use std::time::Instant;

use super::boot::{Measured, alternately};
use super::memory::{run_client, settle};
use super::{Run, SLEEPER, millis, reported};
use crate::Outcome;
use crate::peers::{Ask, Peer, Running, Seat, Service};
use crate::table::Table;

const SERVICES: usize = 10;

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let rounds = run.arguments.rounds(200);
    let mut table = Table::new(
        "status",
        format!("the client's whole run with {SERVICES} services, median of up to {rounds}"),
        &["ms"],
    );
    let mut running = Vec::new();
    let mut measured: Vec<Measured<'_>> = vec![("floor: true", timed(Command::new("true")))];
    for peer in run.supervisors() {
        let name = peer.kind.name();
        let client = reported("status", name, start(run, peer, &mut running)).flatten();
        measured.extend(client.map(|client| (name, timed(client))));
    }
    settle();
    for (name, took) in alternately("status", rounds, measured) {
        if took.is_some() {
            table.row(name, vec![took]);
        }
    }
    Ok(table)
}

fn timed(mut client: Command) -> Box<dyn FnMut() -> Outcome<f64>> {
    Box::new(move || {
        let began = Instant::now();
        run_client(&mut client)?;
        Ok(millis(began.elapsed()))
    })
}

/// Starts a supervisor. Returns its client, if it has one.
fn start<'p>(run: &Run<'_>, peer: &'p Peer, running: &mut Vec<Running<'p>>) -> Outcome<Option<Command>> {
    let dir = run.folder_named(peer.kind.name())?;
    let services = Service::many(SERVICES, &SLEEPER, 1);
    let Some(client) = peer.client(&dir, &services, Ask::Status) else { return Ok(None) };
    let mut supervisor = peer.start(&dir, &services, Seat::Daemon)?;
    let started = supervisor.wait_services(SLEEPER[0], SERVICES);
    // Kept even if it has failed: dropping one kills all.
    running.push(supervisor);
    started.map(|()| Some(client))
}
