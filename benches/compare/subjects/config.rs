//! What does a large configuration cost: to read it, and to keep what it asks for?

use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use super::boot::repeat;
use super::memory::settle;
use super::{Run, SLEEPER, TIMEOUT, attempt, millis};
use crate::Outcome;
use crate::peers::{Peer, Service};
use crate::proc::memory;
use crate::table::Table;

const PROGRAMS: usize = 1000;

/// Nothing is started: what is measured is how long the configuration takes.
const PLAIN: &str = "autostart=false\n";

/// The same with names to be put in, in each program.
const WITH_EXPANSIONS: &str = "autostart=false\nprocess_name=%(program_name)s_%(process_num)02d\n\
    directory=%(here)s\nenvironment=NAME=\"%(group_name)s\",HERE=\"%(here)s\",HOME=\"%(ENV_HOME)s\"\n\
    serverurl=unix://%(here)s/%(host_node_name)s.sock\n";

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let rounds = run.arguments.rounds(20);
    let mut table = Table::new(
        "config",
        format!(
            "{PROGRAMS} programs: from the start to the first answer with none started (median of up to \
             {rounds}), the same with one, the difference, and that with names to expand in each; and KiB \
             (PSS) that each costs that runs"
        ),
        &["ms", "ms for 1", "ms to read", "ms expanding", "KiB each"],
    );
    for peer in run.peers.iter().filter(|peer| peer.reads_ini()) {
        if let Some(figures) = attempt("config", peer.kind.name(), || figures(run, peer, rounds)) {
            table.row(peer.kind.name(), figures);
        }
    }
    Ok(table)
}

fn figures(run: &Run<'_>, peer: &Peer, rounds: usize) -> Outcome<Vec<Option<f64>>> {
    let answered = |count, options| repeat(rounds, || first_answer(run, peer, count, options));
    let (many, one) = (answered(PROGRAMS, PLAIN)?, answered(1, PLAIN)?);
    let to_expand = (answered(PROGRAMS, WITH_EXPANSIONS)?, answered(1, WITH_EXPANSIONS)?);
    let between = |(many, one): (Option<f64>, Option<f64>)| many.zip(one).map(|(many, one)| many - one);
    let each = (kept(run, peer, PROGRAMS)? - kept(run, peer, 1)?) / (PROGRAMS - 1) as f64;
    Ok(vec![many, one, between((many, one)), between(to_expand), Some(each)])
}

/// From the start until the socket answers.
fn first_answer(run: &Run<'_>, peer: &Peer, count: usize, options: &str) -> Outcome<f64> {
    let dir = run.folder()?;
    let services = Service::many(count, &SLEEPER, 1);
    let running = peer.start_with(&dir, &services, options)?;
    let began = running.began;
    while UnixStream::connect(dir.join("supervisor.sock")).is_err() {
        if began.elapsed() > TIMEOUT {
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
