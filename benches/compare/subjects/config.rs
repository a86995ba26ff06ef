//! What does a large configuration cost: to read it, and to keep what it asks for?

use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use super::boot::repeat;
use super::memory::settle;
use super::{PATIENCE, Run, SLEEPER, attempt, millis};
use crate::Outcome;
use crate::peers::{Peer, Service};
use crate::proc::memory;
use crate::table::Table;

const PROGRAMS: usize = 1000;

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let rounds = run.arguments.rounds(20);
    let mut table = Table::new(
        "config",
        format!(
            "{PROGRAMS} programs: from the start to the first answer with none started (median of up to \
             {rounds}), the same with one, the difference; and KiB (PSS) that each costs that runs"
        ),
        &["ms", "ms for 1", "ms to read", "KiB each"],
    );
    for peer in run.peers.iter().filter(|peer| peer.reads_ini()) {
        if let Some(figures) = attempt("config", peer.kind.name(), || figures(run, peer, rounds)) {
            table.row(peer.kind.name(), figures);
        }
    }
    Ok(table)
}

fn figures(run: &Run<'_>, peer: &Peer, rounds: usize) -> Outcome<Vec<Option<f64>>> {
    let many = repeat(rounds, || first_answer(run, peer, PROGRAMS))?;
    let one = repeat(rounds, || first_answer(run, peer, 1))?;
    let each = (kept(run, peer, PROGRAMS)? - kept(run, peer, 1)?) / (PROGRAMS - 1) as f64;
    Ok(vec![many, one, many.zip(one).map(|(many, one)| many - one), Some(each)])
}

/// Until somebody answers on the socket.
fn first_answer(run: &Run<'_>, peer: &Peer, count: usize) -> Outcome<f64> {
    let dir = run.folder()?;
    let services = Service::many(count, &SLEEPER, 1);
    let began = Instant::now();
    let running = peer.start_with(&dir, &services, "autostart=false\n")?;
    while UnixStream::connect(dir.join("supervisor.sock")).is_err() {
        if began.elapsed() > PATIENCE {
            return Err(running.failure("nobody answers"));
        }
        thread::sleep(Duration::from_micros(100));
    }
    Ok(millis(began.elapsed()))
}

/// What the supervisor keeps while all of them run.
fn kept(run: &Run<'_>, peer: &Peer, count: usize) -> Outcome<f64> {
    let dir = run.folder()?;
    let services = Service::many(count, &SLEEPER, 1);
    let mut running = peer.start_with(&dir, &services, "")?;
    running.wait_services(SLEEPER[0], count)?;
    settle();
    Ok(memory(&running.supervising(SLEEPER[0])).pss)
}
