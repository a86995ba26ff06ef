//! The subjects, each in a file of its own: one question, one table.

mod attack;
pub(crate) mod boot;
mod config;
mod dependencies;
mod docker_stop;
mod idle;
pub(crate) mod init;
mod load;
pub(crate) mod logs;
mod many;
mod memory;
mod orphans;
mod prefix;
mod restart;
mod size;
mod status;
mod stop;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::peers::{Peer, installed};
use crate::table::Table;
use crate::{Outcome, proc, publish};

/// How long a participant may take for anything before it is given up.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// The services that only have to be there, and their name in the process table.
pub(crate) const SLEEPER: [&str; 2] = ["sleep", "100000"];

type Subject = fn(&Run<'_>) -> Outcome<Table>;

/// The names of [`SUBJECTS`], for the command line.
pub(crate) const NAMES: [&str; 17] = [
    "size",
    "memory",
    "config",
    "many",
    "dependencies",
    "init",
    "boot",
    "restart",
    "attack",
    "status",
    "load",
    "stop",
    "idle",
    "logs",
    "prefix",
    "orphans",
    "docker-stop",
];

const SUBJECTS: [Subject; 17] = [
    size::measure,
    memory::measure,
    config::measure,
    many::measure,
    dependencies::measure,
    init::measure,
    boot::measure,
    restart::measure,
    attack::measure,
    status::measure,
    load::measure,
    stop::measure,
    idle::measure,
    logs::measure,
    prefix::measure,
    orphans::measure,
    docker_stop::measure,
];

/// What all subjects need.
pub(crate) struct Run<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) peers: &'a [Peer],
    pub(crate) dir: &'a Path,
}

impl Run<'_> {
    /// A fresh, empty folder; the one before it is gone then.
    pub(crate) fn folder(&self) -> Outcome<PathBuf> {
        self.folder_named("run")
    }

    /// The same for what runs beside others.
    pub(crate) fn folder_named(&self, name: &str) -> Outcome<PathBuf> {
        let folder = self.dir.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// Those that run many services and restart them.
    pub(crate) fn supervisors(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter().filter(|peer| peer.kind.supervises())
    }
}

/// Measures all subjects that are asked for and prints their tables.
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let peers = installed(arguments);
    let dir = arguments.run_dir();
    fs::create_dir(&dir).map_err(|error| format!("cannot make '{}': {error}", dir.display()))?;
    let run = Run { arguments, peers: &peers, dir: &dir };
    let mut tables = Vec::new();
    let mut outcome = Ok(());
    for (name, subject) in NAMES.iter().zip(SUBJECTS) {
        let is_wanted = match arguments.only.as_slice() {
            [] => !arguments.write || publish::SUBJECTS.contains(name),
            only => only.iter().any(|only| only == name),
        };
        if !is_wanted {
            continue;
        }
        match subject(&run) {
            Ok(table) => {
                if !arguments.json {
                    print!("{}", table.text());
                }
                tables.push(table);
            }
            Err(error) => {
                eprintln!("{name}: {error}");
                outcome = Err(format!("{name} could not be measured").into());
            }
        }
        proc::kill_descendants();
    }
    if arguments.json {
        let tables: Vec<String> = tables.iter().map(Table::json).collect();
        println!("{{\"subjects\":[{}]}}", tables.join(","));
    }
    if arguments.write && outcome.is_ok() {
        publish::write(&tables, &peers, arguments.quick)?;
    }
    fs::remove_dir_all(&dir)?;
    outcome
}

/// Says on the terminal what is measured now.
pub(crate) fn progress(subject: &str, who: &str) {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    eprintln!("{:4} s  {subject}: {who}", BEGAN.elapsed().as_secs());
}

/// Keeps a failure of one participant from spoiling the table: it is reported, and its row is left out.
pub(crate) fn attempt<T>(subject: &str, who: &str, measure: impl FnOnce() -> Outcome<T>) -> Option<T> {
    progress(subject, who);
    let result = measure();
    proc::kill_descendants();
    reported(subject, who, result)
}

/// Reports why a participant is left out.
pub(crate) fn reported<T>(subject: &str, who: &str, result: Outcome<T>) -> Option<T> {
    result.inspect_err(|error| eprintln!("skipped: {who} in {subject}: {error}")).ok()
}

/// Seconds as milliseconds.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
