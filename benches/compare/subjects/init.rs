//! What does the init of one command cost it: from the start of the init to its end with a command that does nothing.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::boot::repeat;
use super::{Run, attempt, millis};
use crate::Outcome;
use crate::peers::Peer;
use crate::table::Table;

/// Runs in one round: a single one is too short to be distinguished from other activity of the machine.
const RUNS: u32 = 100;

/// As little of a program as there is: a static one, where there is busybox.
const NOTHING: [&[&str]; 2] = [&["/bin/busybox", "true"], &["/bin/true"]];

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let rounds = run.arguments.rounds(25);
    let command = nothing()?;
    let mut table = Table::new(
        "init",
        format!(
            "start to end of an init with `{}`, median of up to {rounds} times {RUNS}",
            command.join(" ")
        ),
        &["ms"],
    );
    let words: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    if let Some(took) = attempt("init", "floor", || repeat(rounds, || one(&words))) {
        table.row("floor: posix_spawn", vec![took]);
    }
    for peer in run.peers {
        let Some(before) = peer.before_command() else { continue };
        let words = [before, words.clone()].concat();
        if let Some(took) = attempt("init", peer.kind.name(), || repeat(rounds, || one(&words))) {
            table.row(peer.kind.name(), vec![took]);
        }
    }
    Ok(table)
}

fn nothing() -> Outcome<&'static [&'static str]> {
    Ok(NOTHING.into_iter().find(|words| Path::new(words[0]).exists()).ok_or("there is no /bin/true")?)
}

/// One round, for the guard of ratios.
pub(crate) fn floor_round() -> Outcome<()> {
    one(&nothing()?.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).map(|_| ())
}

/// The same with `sv` as the init.
pub(crate) fn round(sv: &Peer) -> Outcome<()> {
    let mut words = vec![sv.programs[0].display().to_string(), "--".to_owned()];
    words.extend(nothing()?.iter().map(|word| (*word).to_owned()));
    one(&words).map(|_| ())
}

fn one(words: &[String]) -> Outcome<f64> {
    let began = Instant::now();
    for _ in 0..RUNS {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status()?;
        if !status.success() {
            return Err(format!("{} ended with {status}", words.join(" ")).into());
        }
    }
    Ok(millis(began.elapsed()) / f64::from(RUNS))
}
