//! How long does a client take that asks for the status of ten programs?

use std::process::Command;
use std::time::Instant;

use super::boot::{Measured, alternately};
use super::memory::{run_client, settle};
use super::{Run, SLEEPER, millis};
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
        match start(run, peer) {
            Ok(None) => {}
            Ok(Some((client, supervisor))) => {
                running.push(supervisor);
                measured.push((peer.kind.name(), timed(client)));
            }
            Err(error) => eprintln!("skipped: {} in status: {error}", peer.kind.name()),
        }
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

/// The client of a supervisor, and the supervisor with its services; `None` if it has no such client.
fn start<'p>(run: &Run<'_>, peer: &'p Peer) -> Outcome<Option<(Command, Running<'p>)>> {
    let dir = run.folder_named(peer.kind.name())?;
    let services = Service::many(SERVICES, &SLEEPER, 1);
    let Some(client) = peer.client(&dir, &services, Ask::Status) else { return Ok(None) };
    let mut running = peer.start(&dir, &services, Seat::Daemon)?;
    running.wait_services(SLEEPER[0], SERVICES)?;
    Ok(Some((client, running)))
}
