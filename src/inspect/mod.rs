//! Inspects a configuration without running it: `sv check` and `sv config`.
//!
//! `config` reads; all findings beyond its errors are made here.
//!
//! * `findings`: errors, lints and what this machine lacks, each with its place; `lint`: likely mistakes;
//!   `complete_machine`: a complete machine, which distinguishes the two;
//! * `effective`: the value of every option and where it is set;
//! * `excerpt`: the source line of a finding, and the part to mark;
//! * `secrecy`: what must not be shown;
//! * `report` and `values`: findings and effective values for people; `json`: both for programs.

mod complete_machine;
mod effective;
mod excerpt;
mod findings;
mod json;
mod lint;
mod report;
mod secrecy;
mod values;

pub use effective::{Effective, EffectiveOption, EffectiveSection, EffectiveValue, ValueOrigin, effective};
pub use findings::{CheckReport, Examination, Finding, Severity, check};

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cli::{Inspect, InspectOptions, wants_colors};
use crate::config::{Machine, find};
use crate::sys::stdout::{self, Stdout};
use report::Style;

/// Exit status: no findings.
const CLEAN: u8 = 0;

/// Exit status: warnings.
const WARNED: u8 = 1;

/// Exit status: errors.
const FAILED: u8 = 2;

/// Runs the command and returns the exit status.
#[must_use]
pub fn run(options: &InspectOptions, machine: &dyn Machine) -> u8 {
    match options.what {
        Inspect::Mistakes { grace_secs, is_image } => {
            mistakes(options, examination(grace_secs, is_image, machine), machine)
        }
        Inspect::Values { expand, changed } => values(options, expand, changed, machine),
    }
}

/// The grace period of `docker stop`.
const GRACE_SECS: i64 = 10;

/// In a container a configuration is checked for that image; elsewhere with the grace period of a container.
fn examination(grace_secs: Option<u32>, is_image: Option<bool>, machine: &dyn Machine) -> Examination {
    let is_container = is_container(machine);
    let is_image = is_image.unwrap_or(is_container && machine.effective_user() == 0);
    let assumed = (is_container || is_image).then_some(GRACE_SECS);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    let now = now.and_then(|now| i64::try_from(now.as_secs()).ok());
    Examination { grace_secs: grace_secs.map(i64::from).or(assumed), is_image, now }
}

/// Docker and Podman create a file, most others set a variable.
fn is_container(machine: &dyn Machine) -> bool {
    const FILES: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];
    const VARIABLES: [&str; 2] = ["container", "KUBERNETES_SERVICE_HOST"];
    FILES.iter().any(|file| machine.exists(Path::new(file)))
        || machine.environment().iter().any(|(name, _)| VARIABLES.contains(&name.as_str()))
        || std::process::id() == 1
}

fn mistakes(options: &InspectOptions, examination: Examination, machine: &dyn Machine) -> u8 {
    let (path, report) = match config_file(options, machine) {
        Ok(path) => {
            let report = check(&path, &options.overrides, &options.command, machine, examination);
            (Some(path), report)
        }
        Err(findings) => (None, CheckReport { findings, settings: None }),
    };
    let report = secrecy::without_secrets(report);
    let code = exit_code(&report.findings);
    let text = if options.json {
        json::report(path.as_deref(), &report, code, machine)
    } else {
        report::text(&report, machine, style(Stdout.is_terminal(), machine))
    };
    stdout::print(&text, code)
}

fn values(options: &InspectOptions, expand: bool, changed: bool, machine: &dyn Machine) -> u8 {
    let outcome = config_file(options, machine).and_then(|path| {
        Ok((effective(&path, &options.overrides, &options.command, machine, expand)?, path))
    });
    match outcome {
        Ok((found, path)) if options.json => {
            stdout::print(&json::values(&path, &found.sections, changed), CLEAN)
        }
        Ok((found, _)) => stdout::print(&values::text(&found, changed), CLEAN),
        Err(findings) => {
            let report = secrecy::without_secrets(CheckReport { findings, settings: None });
            let mut out = io::stderr();
            let style = style(out.is_terminal(), machine);
            // If stderr fails there is nowhere left to report it.
            let _ = out.write_all(report::text(&report, machine, style).as_bytes());
            FAILED
        }
    }
}

/// The file that was named, or the one that `sv run` would use.
fn config_file(options: &InspectOptions, machine: &dyn Machine) -> Result<PathBuf, Vec<Finding>> {
    let named = options.config.clone().map(Ok);
    named.unwrap_or_else(|| find(&options.argv0, machine).map_err(Vec::from))
}

fn exit_code(findings: &[Finding]) -> u8 {
    match findings.iter().map(|finding| finding.severity).min() {
        Some(Severity::Error) => FAILED,
        Some(Severity::Warning) => WARNED,
        Some(Severity::Here | Severity::Note) | None => CLEAN,
    }
}

fn style(is_terminal: bool, machine: &dyn Machine) -> Style {
    if is_terminal && wants_colors(machine) { Style::Colored } else { Style::Plain }
}

/// A path for messages.
fn shown(path: &Path) -> String {
    excerpt::printable(&path.to_string_lossy())
}
