//! Guards the ratios to the floor: a change that makes us slower fails, on whatever machine.
//!
//! Each subject has two sides: the floor, and the same work by `sv`. What counts is the CPU time of all processes of a side, as the
//! kernel accounts it when they are reaped: on a busy machine, elapsed time depends more on other processes. The sides are
//! measured in alternation, and the best of the rounds counts, since other activity only ever adds time. A ratio is a
//! regression if it exceeds the recorded one by more than [`TOLERANCE`] in each of [`TRIES`] tries.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::arguments::Arguments;
use crate::peers::{Kind, Peer, installed};
use crate::proc::kill_descendants;
use crate::subjects::{Run, boot, init, logs, progress};
use crate::{Outcome, chat};

/// How much a ratio may exceed the recorded one.
const TOLERANCE: f64 = 0.2;

const TRIES: usize = 3;

/// The rounds of a try, and how long one takes at most: a slow machine has fewer rounds, but enough for a best one.
const ROUNDS: usize = 12;
const ROUNDS_MIN: usize = 3;
const TRY_MAX: Duration = Duration::from_millis(2500);

const SERVICES: usize = 30;

/// Bytes of output in a round, written in blocks and in lines.
const BLOCK_BYTES: u64 = 128 << 20;
const LINE_BYTES: u64 = 16 << 20;

/// One side of a subject.
type Side = fn(&Run<'_>, &Peer) -> Outcome<()>;

struct Guarded {
    name: &'static str,
    floor: Side,
    ours: Side,
}

const GUARDED: [Guarded; 4] = [
    Guarded { name: "init", floor: |_, _| init::floor_round(), ours: |_, sv| init::round(sv) },
    Guarded {
        name: "boot",
        floor: |run, _| boot::floor(run, SERVICES).map(|_| ()),
        ours: |run, sv| boot::one(run, sv, SERVICES).map(|_| ()),
    },
    Guarded {
        name: "blocks",
        floor: |run, _| logs::floor_round(run, BLOCK_BYTES, chat::BLOCK),
        ours: |run, sv| logs::round(run, sv, BLOCK_BYTES, chat::BLOCK),
    },
    Guarded {
        name: "lines",
        floor: |run, _| logs::floor_round(run, LINE_BYTES, chat::LINE),
        ours: |run, sv| logs::round(run, sv, LINE_BYTES, chat::LINE),
    },
];

/// The recorded ratios, one a line.
fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/ratios.txt")
}

/// Measures, and compares with what is recorded, or records it.
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let peers = installed(arguments);
    let sv = peers.iter().find(|peer| peer.kind == Kind::Sv).ok_or("there is no binary to measure")?;
    let dir = arguments.run_dir();
    fs::create_dir(&dir).map_err(|error| format!("cannot make '{}': {error}", dir.display()))?;
    let run = Run { arguments, peers: &peers, dir: &dir };
    let outcome = if arguments.record { record(&run, sv) } else { check(&run, sv) };
    kill_descendants();
    fs::remove_dir_all(&dir)?;
    outcome
}

fn record(run: &Run<'_>, sv: &Peer) -> Outcome<()> {
    let mut text =
        "# CPU time of sv as a multiple of that of the bare floor: `make bench-check ARGS=--record`.\n"
            .to_owned();
    for guarded in &GUARDED {
        // The median of several: a bound from one lucky run would fail later ones.
        let mut ratios = (0..5).map(|_| guarded.ratio(run, sv)).collect::<Outcome<Vec<_>>>()?;
        ratios.sort_by(f64::total_cmp);
        writeln!(text, "{} {:.2}", guarded.name, ratios[2])?;
        println!("{}: {ratios:.2?}", guarded.name);
    }
    Ok(fs::write(recorded(), text)?)
}

fn check(run: &Run<'_>, sv: &Peer) -> Outcome<()> {
    let text = fs::read_to_string(recorded())?;
    let mut slower = Vec::new();
    for guarded in &GUARDED {
        let line = text.lines().find_map(|line| line.strip_prefix(guarded.name)?.strip_prefix(' '));
        let expected: f64 =
            line.ok_or_else(|| format!("no ratio is recorded for {}", guarded.name))?.trim().parse()?;
        let bound = expected * (1.0 + TOLERANCE);
        let mut tries = Vec::new();
        while tries.len() < TRIES && tries.iter().all(|ratio| *ratio > bound) {
            tries.push(guarded.ratio(run, sv)?);
        }
        let shown: Vec<String> = tries.iter().map(|ratio| format!("{ratio:.2}")).collect();
        println!(
            "{:8} {} times the floor; recorded {expected:.2}, bound {bound:.2}",
            guarded.name,
            shown.join(", ")
        );
        if tries.iter().all(|ratio| *ratio > bound) {
            slower.push(guarded.name);
        }
    }
    if slower.is_empty() {
        Ok(())
    } else {
        Err(format!("slower than recorded: {}", slower.join(", ")).into())
    }
}

impl Guarded {
    fn ratio(&self, run: &Run<'_>, sv: &Peer) -> Outcome<f64> {
        progress(self.name, "floor and sv");
        let began = Instant::now();
        let (mut floor, mut ours) = (f64::INFINITY, f64::INFINITY);
        for round in 1..=ROUNDS {
            floor = floor.min(cpu_secs_of(|| (self.floor)(run, sv))?);
            ours = ours.min(cpu_secs_of(|| (self.ours)(run, sv))?);
            if round >= ROUNDS_MIN && began.elapsed() > TRY_MAX {
                break;
            }
        }
        // A kernel that counts in ticks may count none.
        let ratio = ours / floor;
        if ratio.is_normal() {
            Ok(ratio)
        } else {
            Err(format!("{}: {ours} s of CPU time are no multiple of {floor} s", self.name).into())
        }
    }
}

/// The CPU time of all processes that this starts; they are gone when it returns.
fn cpu_secs_of(side: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let reaped = || -> Outcome<f64> {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        Ok((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6)
    };
    let before = reaped()?;
    side()?;
    kill_descendants();
    Ok(reaped()? - before)
}
