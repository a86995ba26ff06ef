//! From the start of the supervisor until all services run.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Run, TIMEOUT, millis, progress, reported};
use crate::Outcome;
use crate::beacon::Beacon;
use crate::peers::{Peer, Seat, Service};
use crate::proc::kill_descendants;
use crate::table::{Table, median};

/// No round begins after so long.
pub(crate) const ENOUGH: Duration = Duration::from_secs(10);

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let count = run.arguments.service_count();
    let rounds = run.arguments.rounds(9);
    let mut table = Table::new(
        "boot",
        format!("start until {count} services have said that they run, median of up to {rounds}"),
        &["ms"],
    );
    let mut measured: Vec<Measured<'_>> = vec![("floor: posix_spawn", Box::new(|| floor(run, count)))];
    for peer in run.supervisors() {
        measured.push((peer.kind.name(), Box::new(move || one(run, peer, count))));
    }
    for (name, took) in alternately("boot", rounds, measured) {
        if took.is_some() {
            table.row(name, vec![took]);
        }
    }
    table.note(
        "runit and s6 start a shell for each service's run script; the others start it themselves".to_owned(),
    );
    Ok(table)
}

/// The median of so many rounds, or of fewer when they take too long.
pub(crate) fn repeat(rounds: usize, mut once: impl FnMut() -> Outcome<f64>) -> Outcome<Option<f64>> {
    let began = Instant::now();
    let mut times = Vec::new();
    while times.len() < rounds && began.elapsed() < ENOUGH {
        times.push(once()?);
    }
    Ok(median(times))
}

/// What is measured together with others: its name, and one measurement in milliseconds.
pub(crate) type Measured<'a> = (&'static str, Box<dyn FnMut() -> Outcome<f64> + 'a>);

/// The medians of so many rounds. Each round measures everything once, so that what else happens on the machine meanwhile
/// concerns all. What takes too long has fewer rounds, and `None` is for what fails.
pub(crate) fn alternately(
    subject: &str,
    rounds: usize,
    measured: Vec<Measured<'_>>,
) -> Vec<(&'static str, Option<f64>)> {
    let mut all: Vec<_> = measured.into_iter().map(|it| (it, Some(Vec::new()), Duration::ZERO)).collect();
    for round in 0..rounds {
        for ((name, once), times, spent) in &mut all {
            let Some(so_far) = times.as_mut().filter(|_| *spent < ENOUGH) else { continue };
            if round == 0 {
                progress(subject, name);
            }
            let began = Instant::now();
            match reported(subject, name, once()) {
                Some(took) => so_far.push(took),
                None => *times = None,
            }
            *spent += began.elapsed();
        }
    }
    all.into_iter().map(|((name, _), times, _)| (name, times.and_then(median))).collect()
}

pub(crate) fn floor(run: &Run<'_>, count: usize) -> Outcome<f64> {
    let mut beacon = Beacon::new(&run.folder()?)?;
    let began = Instant::now();
    // Kept until the end: the pipes belong to what is measured.
    let _children = (0..count).map(|_| spawn(beacon.script())).collect::<Outcome<Vec<_>>>()?;
    beacon.lines(count, TIMEOUT)?;
    let took = millis(began.elapsed());
    kill_descendants();
    Ok(took)
}

/// A child as a supervisor has it: nothing to read, its output in pipes. The standard library starts it with
/// `posix_spawn`.
pub(crate) fn spawn(program: &Path) -> Outcome<Child> {
    let mut command = Command::new(program);
    Ok(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
}

pub(crate) fn one(run: &Run<'_>, peer: &Peer, count: usize) -> Outcome<f64> {
    let dir = run.folder()?;
    let mut beacon = Beacon::new(&dir)?;
    let services = Service::many(count, &[&beacon.script().display().to_string()], 0);
    let began = Instant::now();
    let running = peer.start(&dir, &services, Seat::Daemon)?;
    beacon.lines(count, TIMEOUT).map_err(|error| running.failure(&error.to_string()))?;
    Ok(millis(began.elapsed()))
}
