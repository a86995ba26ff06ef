//! The command line: what to measure, how much of it, how to print it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::subjects::NAMES;

/// Measures sv beside supervisord, runit, s6, dinit, nitro, pitchfork, tini, dumb-init, catatonit and the bare floor.
///
/// Environment: SV_STATIC_BIN is the binary to measure (default: the static release build),
/// SV_REFERENCE_BIN the folder of supervisord and supervisorctl (default: the search path).
#[derive(Parser, Debug)]
#[command(name = "compare", bin_name = "make bench ARGS=", verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Measure only this subject (may be repeated)
    #[arg(long, value_name = "NAME", value_parser = NAMES)]
    pub(crate) only: Vec<String>,
    /// Measure only this participant beside the floor: sv, sv --, supervisord, runit, s6, dinit, nitro, pitchfork, tini, dumb-init, catatonit (may be repeated)
    #[arg(long, value_name = "NAME")]
    pub(crate) peer: Vec<String>,
    /// Fewer rounds and smaller amounts: for a quick look, not for publication
    #[arg(long)]
    pub(crate) quick: bool,
    /// Compare ratios to the floor with those in benches/ratios.txt, and fail if one is 20 % higher in three tries
    #[arg(long)]
    pub(crate) check: bool,
    /// With --check: record the ratios instead
    #[arg(long, requires = "check")]
    pub(crate) record: bool,
    /// Also write the tables and a chart into docs/performance.md and docs/performance.svg, and some figures into README.md;
    /// without --only, of what is published there
    #[arg(long, conflicts_with = "check")]
    pub(crate) write: bool,
    /// Print one JSON document instead of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// Services to boot and to stop [default: 100, 30 with --quick]
    #[arg(long, value_name = "N")]
    services: Option<usize>,
    /// MiB that a program writes to its log [default: 1024, 128 with --quick]
    #[arg(long, value_name = "MIB")]
    log_mib: Option<u64>,
    /// Seconds to watch an idle supervisor [default: 10, 3 with --quick]
    #[arg(long, value_name = "SECS")]
    idle: Option<u64>,
    /// Orphans to hand over at once [default: 20000, 2000 with --quick]
    #[arg(long, value_name = "N")]
    orphans: Option<usize>,
    /// The folder for all files of the run
    #[arg(long, value_name = "FOLDER", default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
    /// What cargo itself adds
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    /// How often to repeat what is repeated: `full` times, and about a fifth of it when it has to be quick.
    pub(crate) fn rounds(&self, full: usize) -> usize {
        if self.quick { full.div_ceil(5).max(2) } else { full }
    }

    /// A folder of this run's own. Its name is short, because a unix socket's path has to fit in 107 bytes.
    pub(crate) fn run_dir(&self) -> PathBuf {
        self.dir.join(format!("sv-bench-{}", std::process::id()))
    }

    pub(crate) fn service_count(&self) -> usize {
        self.services.unwrap_or(if self.quick { 30 } else { 100 })
    }

    pub(crate) fn log_bytes(&self) -> u64 {
        self.log_mib.unwrap_or(if self.quick { 128 } else { 1024 }) << 20
    }

    pub(crate) fn idle_window(&self) -> Duration {
        Duration::from_secs(self.idle.unwrap_or(if self.quick { 3 } else { 10 }))
    }

    pub(crate) fn orphan_count(&self) -> usize {
        self.orphans.unwrap_or(if self.quick { 2_000 } else { 20_000 })
    }
}
