//! What do thousands of programs cost? Figures that grow with the square of their number show here.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{Run, SLEEPER, TIMEOUT, attempt, millis};
use crate::Outcome;
use crate::peers::{Ask, Kind, Peer, Running, Service};
use crate::proc::cpu_seconds;
use crate::table::Table;

/// Time and CPU of the supervisor, in ms, and the CPU for each program in µs.
type Figures = [Option<f64>; 3];

const BOOTS: [(&str, &str, usize, &str); 4] = [
    ("boot 1,000", "stop 1,000", 1_000, ""),
    ("boot 5,000", "stop 5,000", 5_000, ""),
    ("boot 2,000, raw", "stop 2,000, raw", 2_000, "log_format=raw\n"),
    ("boot 2,000, prefix", "stop 2,000, prefix", 2_000, "log_format=prefix\n"),
];

const CHECKS: [(&str, usize); 2] = [("sv check, 1,000 findings", 1_000), ("sv check, 4,000 findings", 4_000)];

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let mut table = Table::new(
        "many",
        "boot: until the first answer, with all programs started; stop: until 'stop all' returns; ratios are \
         those to the first row"
            .to_owned(),
        &["ms", "CPU ms", "CPU µs each"],
    );
    let Some(peer) = run.peers.iter().find(|peer| peer.kind == Kind::Sv) else { return Ok(table) };
    for (boot, stop, count, options) in BOOTS {
        if let Some([booted, stopped]) = attempt("many", boot, || one(run, peer, count, options)) {
            table.row(boot, booted.to_vec());
            table.row(stop, stopped.to_vec());
        }
    }
    for (name, findings) in CHECKS {
        if let Some(figures) = attempt("many", name, || check(run, peer, findings)) {
            table.row(name, figures.to_vec());
        }
    }
    table.note("CPU each: should be the same for any number".to_owned());
    Ok(table)
}

fn figures(took: Duration, cpu_secs: f64, count: usize) -> Figures {
    [Some(millis(took)), Some(cpu_secs * 1e3), Some(cpu_secs * 1e6 / count as f64)]
}

fn one(run: &Run<'_>, peer: &Peer, count: usize, options: &str) -> Outcome<[Figures; 2]> {
    let dir = run.folder()?;
    let services = Service::many(count, &SLEEPER, 0);
    let running = peer.start_with(&dir, &services, options)?;
    let cpu = || cpu_seconds(&[running.pid()]);
    first_answer(&running, || peer.client(&dir, &services, Ask::Pid))?;
    let booted = figures(running.began.elapsed(), cpu(), count);
    let (began, before) = (Instant::now(), cpu());
    let mut client = peer.client(&dir, &services, Ask::StopAll).ok_or("there is no client")?;
    client.status()?;
    Ok([booted, figures(began.elapsed(), cpu() - before, count)])
}

/// One thread starts them all and then answers.
fn first_answer(running: &Running<'_>, client: impl Fn() -> Option<Command>) -> Outcome<()> {
    while !client().ok_or("there is no client")?.status()?.success() {
        if running.began.elapsed() > TIMEOUT {
            return Err(running.failure("nobody answers"));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// A warning for each program: its command is not there.
fn check(run: &Run<'_>, peer: &Peer, findings: usize) -> Outcome<Figures> {
    let dir = run.folder()?;
    let mut text = "[supervisord]\n".to_owned();
    for number in 0..findings {
        writeln!(text, "[program:p{number}]\ncommand=/no/such/program{number}")?;
    }
    let config = dir.join("many.conf");
    fs::write(&config, text)?;
    let began = Instant::now();
    let output = Command::new(&peer.programs[0]).arg("check").arg(&config).stdin(Stdio::null()).output()?;
    let took = began.elapsed();
    let reported = [output.stdout, output.stderr].concat();
    let found = String::from_utf8_lossy(&reported).matches("/no/such/program").count();
    if found < findings {
        return Err(format!("only {found} of {findings} were found").into());
    }
    // One process that waits for nothing: what it takes is what it computes.
    Ok(figures(took, took.as_secs_f64(), findings))
}
