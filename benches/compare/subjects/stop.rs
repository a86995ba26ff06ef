//! How long until the last of many services is gone?

use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, Signal, pidfd_open};

use super::boot::{Measured, alternately, repeat};
use super::memory::{run_client, settle};
use super::{Run, SLEEPER, TIMEOUT, attempt, millis};
use crate::Outcome;
use crate::peers::{Ask, Peer, Seat, Service};
use crate::proc::{raw, signal};
use crate::table::Table;

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let count = run.arguments.service_count();
    let (rounds, client_rounds) = (run.arguments.rounds(15), run.arguments.rounds(5));
    let mut table = Table::new(
        "stop",
        format!(
            "{count} services: median of up to {rounds} stops by the supervisor's stop signal, and {client_rounds} by its client"
        ),
        &["signal ms", "client ms"],
    );
    let supervisors: Vec<_> = run.supervisors().collect();
    let mut measured: Vec<Measured<'_>> = vec![("floor: kill each", Box::new(|| floor(count)))];
    for peer in &supervisors {
        measured.push((peer.kind.name(), Box::new(|| by_signal(run, peer, count))));
    }
    for (name, by_signal) in alternately("stop", rounds, measured) {
        let peer = supervisors.iter().find(|peer| peer.kind.name() == name);
        let by_client =
            peer.and_then(|peer| attempt("stop", name, || by_client(run, peer, count, client_rounds)));
        let row = [by_signal, by_client.flatten()];
        if row != [None, None] {
            table.row(name, row.to_vec());
        }
    }
    table.note(
        "signal: TERM (runsvdir: HUP) until the last service has ended; client: until it returns".to_owned(),
    );
    Ok(table)
}

fn floor(count: usize) -> Outcome<f64> {
    let mut children = Vec::new();
    for _ in 0..count {
        children.push(Command::new(SLEEPER[0]).arg(SLEEPER[1]).spawn()?);
    }
    let watch = watch(&children.iter().map(std::process::Child::id).collect::<Vec<_>>())?;
    let began = Instant::now();
    for child in &children {
        signal(child.id(), Signal::TERM);
    }
    wait_all(watch)?;
    let took = millis(began.elapsed());
    for mut child in children {
        child.wait()?;
    }
    Ok(took)
}

fn by_signal(run: &Run<'_>, peer: &Peer, count: usize) -> Outcome<f64> {
    let dir = run.folder()?;
    let mut running = peer.start(&dir, &Service::many(count, &SLEEPER, 1), Seat::Daemon)?;
    running.wait_services(SLEEPER[0], count)?;
    settle();
    let watch = watch(&running.services(SLEEPER[0]))?;
    let began = Instant::now();
    signal(running.pid(), peer.stop_signal());
    wait_all(watch).map_err(|error| running.failure(&error.to_string()))?;
    Ok(millis(began.elapsed()))
}

fn by_client(run: &Run<'_>, peer: &Peer, count: usize, rounds: usize) -> Outcome<Option<f64>> {
    let services = Service::many(count, &SLEEPER, 1);
    let once = || {
        let dir = run.folder()?;
        let mut client = peer.client(&dir, &services, Ask::StopAll).ok_or("no such client")?;
        let mut running = peer.start(&dir, &services, Seat::Daemon)?;
        running.wait_services(SLEEPER[0], count)?;
        settle();
        let began = Instant::now();
        run_client(&mut client)?;
        let took = millis(began.elapsed());
        match running.services(SLEEPER[0]).len() {
            0 => Ok(took),
            left => Err(format!("{left} services still run").into()),
        }
    };
    if peer.client(&run.folder()?, &services, Ask::StopAll).is_none() {
        Ok(None)
    } else {
        repeat(rounds, once)
    }
}

/// A descriptor for each process: the kernel reports its exit without polling.
fn watch(pids: &[u32]) -> Outcome<Vec<OwnedFd>> {
    let open = |pid: &u32| Ok(pidfd_open(raw(*pid).ok_or("no such process")?, PidfdFlags::empty())?);
    pids.iter().map(open).collect()
}

fn wait_all(mut watched: Vec<OwnedFd>) -> Outcome<()> {
    let deadline = Instant::now() + TIMEOUT;
    while !watched.is_empty() {
        let mut fds: Vec<PollFd<'_>> = watched.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs().try_into()?, tv_nsec: left.subsec_nanos().into() };
        if poll(&mut fds, Some(&timeout))? == 0 {
            return Err(format!("{} services do not end", watched.len()).into());
        }
        let mut ended = fds.iter().map(|fd| !fd.revents().is_empty()).collect::<Vec<_>>().into_iter();
        watched.retain(|_| ended.next() == Some(false));
    }
    Ok(())
}
