//! `sv health`: whether everything is healthy, for `HEALTHCHECK` and probes.
//!
//! Everything is healthy if each process runs, has finished (EXITED with a code of its `exitcodes`), or is
//! stopped because it was not started or was stopped by request. A process that is named must run or have
//! finished. Everything else is unhealthy: a process that is starting, in backoff or failed, an unexpected
//! exit, a program whose health check fails or has not succeeded yet, a listener that has violated the
//! protocol, a supervisor that is shutting down, denies access or does not answer. There are two exit codes,
//! as Docker reserves the others: 0 and 1.
//!
//! With `--json` it prints one object, to which the rules of [`super::json`] apply: `healthy`; `problem`, why
//! the processes are unknown, or null; `processes`, with `name`, `group`, `state` and `healthy`.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::answers::{self, Expectation, HealthRow};
use super::exit;
use super::failure::{CallError, Outcome};
use super::screen::{harmless, harmless_lines};
use super::session::Session;
use super::wildcard;
use crate::model::{HealthFacts, Namespec, ProcessState};

/// The time limit for one answer of the supervisor. Probes have timeouts of their own, and some runtimes
/// don't kill a probe that exceeds them.
const TIMEOUT: Duration = Duration::from_secs(5);

const JSON: &str = "--json";

/// The result of the check.
#[derive(Debug, Default)]
struct HealthReport {
    /// Why the processes are unknown.
    problem: Option<String>,
    /// The checked processes, each with whether it is healthy.
    processes: Vec<(HealthRow, bool)>,
    /// Unknown names.
    unknown: Vec<String>,
}

/// `health [NAME...]`: the exit code is always 0 or 1.
pub(super) fn health(session: &mut Session, arg: &str) -> Outcome {
    session.set_timeout(TIMEOUT);
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

/// One request, and a second one only if a process is stopped.
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

/// By the rules that the supervisor's own `/healthz` follows too.
fn is_well(row: &HealthRow, expected: Option<&Expectation>, is_asked_for: bool) -> bool {
    let facts = HealthFacts {
        state: row.process.state,
        is_cut_off: row.is_cut_off,
        is_unhealthy: row.process.is_unhealthy(),
        ended_as_expected: match expected {
            Some(expected) => expected.exit_codes.contains(&row.exit_status),
            None => row.exit_status == 0,
        },
        was_started: row.was_started,
        autostart: expected.is_some_and(|expected| expected.autostart),
    };
    facts.is_healthy(is_asked_for)
}

impl HealthReport {
    fn is_healthy(&self) -> bool {
        self.problem.is_none()
            && self.unknown.is_empty()
            && self.processes.iter().all(|(_, is_well)| *is_well)
    }

    /// One word, or one line for each problem.
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
        let problem = self.problem.iter().map(|problem| harmless_lines(problem));
        let lines = self.unknown.iter().cloned().chain(sick);
        let lines = problem.chain(lines.map(|line| harmless(&line).into_owned()));
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
    fn an_exit_is_well_with_one_of_the_exit_codes_or_0_if_they_are_unknown() {
        let expected = Expectation { namespec: "g:x".to_owned(), autostart: true, exit_codes: vec![2, 3] };
        for (exit_status, known, unknown) in [(2, true, false), (0, false, true), (-1, false, false)] {
            let process = ProcessRow { state: Some(ProcessState::Exited), ..ProcessRow::named("g", "x") };
            let row = HealthRow { process, exit_status, was_started: true, is_cut_off: false };
            let found = [Some(&expected), None].map(|expected| is_well(&row, expected, false));
            assert_eq!(found, [known, unknown], "{row:?}");
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
