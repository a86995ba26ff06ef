//! `sv health`: whether all is well, for `HEALTHCHECK` and probes.
//!
//! All is well when each process runs, or has done its work (EXITED with a code of its `exitcodes`), or
//! rests because nobody has started it or somebody has stopped it. Whoever names a process asks that it
//! runs or has done its work. Everything else is not well: what starts, backs off or gave up, an exit that
//! was not expected, a program whose health check fails or has not succeeded yet, a listener that runs but has
//! broken the protocol, a supervisor that shuts down, refuses us or doesn't answer. There are two exit codes, as Docker reserves the others: 0 and 1.
//!
//! With `--json` it is one object, to which the rules of [`super::json`] apply: `healthy`; `problem`, why
//! nothing is known of the processes, or null; `processes`, with `name`, `group`, `state` and `healthy`.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::answers::{self, Expectation, HealthRow};
use super::exit;
use super::failure::{CallError, Outcome};
use super::session::Session;
use super::wildcard;
use crate::model::{Namespec, ProcessState};

/// How long the supervisor may take for one answer. Probes have time-outs of their own, and some runtimes
/// leave behind what exceeded them.
const PATIENCE: Duration = Duration::from_secs(5);

const JSON: &str = "--json";

/// What was found out.
#[derive(Debug, Default)]
struct HealthReport {
    /// Why nothing is known of the processes.
    problem: Option<String>,
    /// Those that were looked at, each with whether it is well.
    processes: Vec<(HealthRow, bool)>,
    /// Names that nothing is called by.
    unknown: Vec<String>,
}

/// `health [NAME...]`: never anything but 0 and 1.
pub(super) fn health(session: &mut Session, arg: &str) -> Outcome {
    session.set_patience(PATIENCE);
    let mut names: Vec<&str> = arg.split_whitespace().collect();
    let wants_json = names.contains(&JSON);
    names.retain(|name| *name != JSON);
    let report = look(session, &names).unwrap_or_else(|error| HealthReport {
        problem: Some(session.plain(&error)),
        ..HealthReport::default()
    });
    if wants_json {
        session.say(report.json());
    } else {
        session.print(&report.text());
    }
    if !report.is_healthy() {
        session.fail(exit::GENERIC);
    }
    Ok(())
}

/// One question, and a second one only if a process is seen that may rest.
fn look(session: &mut Session, names: &[&str]) -> Result<HealthReport, CallError> {
    let all = answers::health(&session.all_process_info()?)?;
    let rests =
        |row: &HealthRow| matches!(row.process.state, Some(ProcessState::Exited | ProcessState::Stopped));
    let expectations = match all.iter().any(rests) {
        true => answers::expectations(&session.call("supervisor.getAllConfigInfo", &[])?)?,
        false => Vec::new(),
    };
    let names = wildcard::expand(names, all.iter().map(|row| &row.process));
    let is_asked_for = !names.is_empty() && !names.iter().any(|name| name == "all");
    let specs: Vec<Namespec> =
        names.iter().filter(|_| is_asked_for).map(|name| Namespec::split(name)).collect();
    let is_named = |row: &HealthRow| specs.iter().any(|spec| row.process.is_meant_by(spec));
    let is_missing = |spec: &&Namespec| !all.iter().any(|row| row.process.is_meant_by(spec));
    let unknown = specs.iter().filter(is_missing).map(|spec| answers::unknown(spec, "")).collect();
    let shown = all.into_iter().filter(|row| !is_asked_for || is_named(row));
    let processes = shown.map(|row| {
        let expected = expectations.iter().find(|expected| expected.namespec == row.process.namespec());
        let is_well = is_well(&row, expected, is_asked_for);
        (row, is_well)
    });
    Ok(HealthReport { problem: None, processes: processes.collect(), unknown })
}

fn is_well(row: &HealthRow, expected: Option<&Expectation>, is_asked_for: bool) -> bool {
    match row.process.state {
        Some(ProcessState::Running) => !row.is_cut_off && !row.process.is_unhealthy(),
        Some(ProcessState::Exited) => match expected {
            Some(expected) => expected.exit_codes.contains(&row.exit_status),
            None => row.exit_status == 0,
        },
        // What has never been started and is to start by itself is not there yet.
        Some(ProcessState::Stopped) => {
            !is_asked_for && (row.was_started || !expected.is_some_and(|expected| expected.autostart))
        }
        Some(ProcessState::Stopping) => !is_asked_for,
        Some(
            ProcessState::Starting | ProcessState::Backoff | ProcessState::Fatal | ProcessState::Unknown,
        )
        | None => false,
    }
}

impl HealthReport {
    fn is_healthy(&self) -> bool {
        self.problem.is_none()
            && self.unknown.is_empty()
            && self.processes.iter().all(|(_, is_well)| *is_well)
    }

    /// A word, or a line for each thing that is wrong.
    fn text(&self) -> String {
        if self.is_healthy() {
            return "healthy\n".to_owned();
        }
        let sick = self.processes.iter().filter(|(_, is_well)| !is_well).map(|(row, _)| {
            let (name, state) = (row.process.namespec(), &row.process.state_name);
            match row.process.description.as_str() {
                _ if row.is_cut_off => {
                    format!("{name} is {state}, but has broken the protocol of listeners and is sent no events: restart it")
                }
                why => match &row.process.health {
                    Some(health) => format!("{name} is {state}; {health}"),
                    None if why.is_empty() => format!("{name} is {state}"),
                    None => format!("{name} is {state}: {why}"),
                },
            }
        });
        let lines = self.problem.iter().chain(&self.unknown).cloned().chain(sick);
        lines.map(|line| format!("not healthy: {line}\n")).collect()
    }

    fn json(&self) -> Json {
        let problem = self.problem.clone().or_else(|| self.unknown.first().cloned());
        let processes: Vec<Json> = self
            .processes
            .iter()
            .map(|(row, is_well)| {
                let row = &row.process;
                json!({"name": row.name, "group": row.group, "state": row.state_name, "healthy": is_well})
            })
            .collect();
        json!({"healthy": self.is_healthy(), "problem": problem, "processes": processes})
    }
}

#[cfg(test)]
mod tests {
    use super::super::answers::ProcessRow;
    use super::*;
    use crate::model::{HealthInfo, HealthStatus};

    #[test]
    fn well_is_what_runs_is_done_or_rests_on_purpose() {
        use ProcessState::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping, Unknown};
        // State, exit status, whether it was ever started: well among all, well by name.
        for (state, exit_status, was_started, among_all, by_name) in [
            (Some(Running), 0, true, true, true),
            (Some(Starting), 0, true, false, false),
            (Some(Backoff), 0, true, false, false),
            (Some(Fatal), 0, true, false, false),
            (Some(Unknown), 0, true, false, false),
            (None, 0, true, false, false),
            (Some(Exited), 2, true, true, true),
            (Some(Exited), 0, true, false, false),
            (Some(Exited), -1, true, false, false),
            (Some(Stopping), 0, true, true, false),
            (Some(Stopped), 0, true, true, false),
            (Some(Stopped), 0, false, false, false),
        ] {
            let process = ProcessRow { state, ..ProcessRow::named("g", "x") };
            let row = HealthRow { process, exit_status, was_started, is_cut_off: false };
            let expected =
                Expectation { namespec: "g:x".to_owned(), autostart: true, exit_codes: vec![2, 3] };
            let found = [false, true].map(|is_asked_for| is_well(&row, Some(&expected), is_asked_for));
            assert_eq!(found, [among_all, by_name], "{row:?}");
            let row = HealthRow { is_cut_off: true, ..row };
            assert!(state != Some(Running) || !is_well(&row, Some(&expected), false));
        }
    }

    #[test]
    fn what_runs_is_well_if_it_is_healthy_or_not_checked() {
        for (status, expected) in [
            (None, true),
            (Some(HealthStatus::Healthy), true),
            (Some(HealthStatus::Starting), false),
            (Some(HealthStatus::Unhealthy), false),
        ] {
            let health = status.map(|status| HealthInfo { status, failure: None });
            let state = Some(ProcessState::Running);
            let process = ProcessRow { state, health, ..ProcessRow::named("g", "x") };
            let row = HealthRow { process, exit_status: 0, was_started: true, is_cut_off: false };
            assert_eq!(is_well(&row, None, false), expected, "{row:?}");
        }
    }
}
