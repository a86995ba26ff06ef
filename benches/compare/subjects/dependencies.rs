//! What do dependencies and probes cost? Others have no such thing to compare with, so each row is compared with the
//! same programs without.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use super::boot::repeat;
use super::{Run, SLEEPER, TIMEOUT, attempt, millis};
use crate::Outcome;
use crate::beacon::Beacon;
use crate::peers::{Ask, Kind, Peer, Service};
use crate::proc::cpu_seconds;
use crate::table::Table;

/// Programs that start one after the other.
const CHAIN: usize = 100;

/// Programs of the configuration that is loaded.
const NODES: usize = 5_000;

/// Programs that are probed once a second.
const PROBED: usize = 1_000;

/// RUNNING as soon as they are spawned.
const AT_ONCE: &str = "startsecs=0\n";

/// RUNNING when the program has said so.
const REPORTED: &str = "ready=fd:3\n";

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let mut table = Table::new(
        "dependencies",
        format!(
            "start until {CHAIN} programs have said that they run, none of which waits or each for the one before; \
             start until the first answer with {NODES} programs, none of them started; CPU while {PROBED} programs are probed once a second"
        ),
        &["ms", "to the row above", "CPU ms", "% of a core"],
    );
    let Some(peer) = run.peers.iter().find(|peer| peer.kind == Kind::Sv) else { return Ok(table) };
    let rounds = run.arguments.rounds(9);
    for (alone, chained, options) in [
        ("independent, startsecs=0", "chain, startsecs=0", AT_ONCE),
        ("independent, ready=fd:3", "chain, ready=fd:3", REPORTED),
    ] {
        let measure = |is_chain| move || repeat(rounds, || boot(run, peer, options, is_chain));
        let apart = attempt("dependencies", alone, measure(false)).flatten();
        let together = attempt("dependencies", chained, measure(true)).flatten();
        compare(&mut table, [(alone, apart), (chained, together)]);
    }
    let loaded = |depends| move || repeat(rounds, || load(run, peer, depends));
    let without = attempt("dependencies", "load without", loaded(false)).flatten();
    let with = attempt("dependencies", "load with", loaded(true)).flatten();
    table.row("load without dependencies", vec![None, None, without, None]);
    let more = with.zip(without).map(|(with, without)| with - without);
    table.row("what 10,000 dependencies add", vec![None, None, more, None]);
    let (refused, accepted) = (refusing_port()?, accepting_port()?);
    for (name, options) in [
        ("no probes", AT_ONCE.to_owned()),
        ("ready=tcp:", format!("ready=tcp:127.0.0.1:{refused}\nready_interval=1\nready_timeout=0\n")),
        ("health=tcp:", format!("{AT_ONCE}health=tcp:127.0.0.1:{accepted}\nhealth_interval=1\n")),
        ("health=exec:", format!("{AT_ONCE}health=exec:/bin/true\nhealth_interval=1\n")),
    ] {
        if let Some(share) = attempt("dependencies", name, || probed(run, peer, &options)) {
            table.row(name, vec![None, None, None, Some(share * 100.0)]);
        }
    }
    table.note("what is loaded depends on the program before and on another one".to_owned());
    Ok(table)
}

fn compare(table: &mut Table, rows: [(&'static str, Option<f64>); 2]) {
    let mut above = None;
    for (name, figure) in rows {
        let ratio = figure.zip(above).map(|(figure, above)| figure / above);
        table.row(name, vec![figure, ratio, None, None]);
        above = figure;
    }
}

/// From the start until all have said that they run.
fn boot(run: &Run<'_>, peer: &Peer, options: &str, is_chain: bool) -> Outcome<f64> {
    let dir = run.folder()?;
    let mut beacon = Beacon::new(&dir)?;
    let script = dir.join("reporter");
    let report = if options == REPORTED { "echo >&3\n" } else { "" };
    let fifo = beacon.path().display();
    fs::write(&script, format!("echo $$ >{fifo}\n{report}exec sleep 100000\n"))?;
    let services = Service::many(CHAIN, &["/bin/sh", &script.display().to_string()], 0);
    let running = peer.start_edited(&dir, &services, |text| {
        let text = text.replace("startsecs=0\n", options);
        if is_chain { chained(&text, |number| vec![number - 1]) } else { text }
    })?;
    beacon.lines(CHAIN, TIMEOUT).map_err(|error| running.failure(&error.to_string()))?;
    Ok(millis(running.began.elapsed()))
}

/// Has each program but the first depend on others, by their numbers.
fn chained(text: &str, on: impl Fn(usize) -> Vec<usize>) -> String {
    let mut with = String::new();
    for line in text.lines() {
        _ = writeln!(with, "{line}");
        let number = line.strip_prefix("[program:p").and_then(|rest| rest.strip_suffix(']')?.parse().ok());
        if let Some(number) = number.filter(|number| *number > 0) {
            let names: Vec<_> = on(number).into_iter().map(|other| format!("p{other}")).collect();
            _ = writeln!(with, "depends_on={}", names.join(", "));
        }
    }
    with
}

/// The processor time that the supervisor takes until it answers, with nothing started.
fn load(run: &Run<'_>, peer: &Peer, depends: bool) -> Outcome<f64> {
    let dir = run.folder()?;
    let services = Service::many(NODES, &SLEEPER, 0);
    let running = peer.start_edited(&dir, &services, |text| {
        let text = text.replace("startsecs=0\n", "startsecs=0\nautostart=false\n");
        if depends { chained(&text, |number| vec![number - 1, number / 2]) } else { text }
    })?;
    let client = || peer.client(&dir, &services[..1], Ask::Pid).ok_or("there is no client");
    while !client()?.stderr(Stdio::null()).stdout(Stdio::null()).status()?.success() {
        if running.began.elapsed() > TIMEOUT {
            return Err(running.failure("nobody answers"));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(cpu_seconds(&[running.pid()]) * 1e3)
}

/// The share of a core that the supervisor needs once all are probed. What children of it need is not in it.
fn probed(run: &Run<'_>, peer: &Peer, options: &str) -> Outcome<f64> {
    let dir = run.folder()?;
    let services = Service::many(PROBED, &SLEEPER, 0);
    let mut running = peer.start_edited(&dir, &services, |text| text.replace("startsecs=0\n", options))?;
    running.wait_services(SLEEPER[0], PROBED)?;
    // The pauses between the probes of one program that is not ready are a second from the eighth on.
    thread::sleep(Duration::from_secs(5));
    let cpu = || cpu_seconds(&[running.pid()]);
    let (began, before) = (Instant::now(), cpu());
    thread::sleep(run.arguments.idle_window());
    Ok((cpu() - before) / began.elapsed().as_secs_f64())
}

/// A port that refuses connections.
fn refusing_port() -> Outcome<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A port whose connections are accepted and closed until this process ends.
fn accepting_port() -> Outcome<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || listener.incoming().for_each(drop));
    Ok(port)
}
