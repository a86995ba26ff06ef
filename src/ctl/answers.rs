//! The supervisor's answers as rows: outside this file no action inspects a [`Value`]. Documents of the JSON
//! API are inspected where they are shown, but for the list of processes and parts of logs.

use serde::Deserialize;
use serde_json::Value as Json;

use super::failure::CallError;
use crate::model::{HealthInfo, HealthStatus, ListenerState, Namespec, ProcessState};
use crate::xmlrpc::Value;

/// A process as the client shows it.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "ApiProcess")]
pub(super) struct ProcessRow {
    pub(super) group: String,
    pub(super) name: String,
    /// `None` is an unknown state: it is shown, but matches no state.
    pub(super) state: Option<ProcessState>,
    pub(super) state_name: String,
    pub(super) description: String,
    /// Additional information that only `sv` provides, for its own client.
    pub(super) hint: Option<String>,
    /// The result of its health check; `None` without one, or from a foreign server.
    pub(super) health: Option<HealthInfo>,
    /// The status text that the program reports.
    pub(super) reported_status: Option<String>,
    /// 0 if it has none.
    pub(super) pid: i64,
    /// Whether it is EXITED with an expected status. A foreign server does not say which statuses are
    /// expected: then 0 is.
    pub(super) is_done: bool,
}

impl ProcessRow {
    /// For tests that only need the names.
    #[cfg(test)]
    pub(super) fn named(group: &str, name: &str) -> Self {
        Self { group: group.to_owned(), name: name.to_owned(), ..Self::default() }
    }

    /// Whether it has a health check and is not known to be healthy.
    pub(super) fn is_unhealthy(&self) -> bool {
        self.health.as_ref().is_some_and(|health| health.status != HealthStatus::Healthy)
    }

    /// The name that users type.
    pub(super) fn namespec(&self) -> String {
        Namespec::join(&self.group, &self.name)
    }

    /// Whether the namespec names this process or its group.
    pub(super) fn is_meant_by(&self, spec: &Namespec) -> bool {
        self.group == spec.group && spec.process.as_ref().is_none_or(|process| *process == self.name)
    }
}

/// The health-relevant state of a process.
#[derive(Debug)]
pub(super) struct HealthRow {
    pub(super) process: ProcessRow,
    /// The status of the last exit: -1 after a signal, 0 if there was none.
    pub(super) exit_status: i64,
    /// Whether it has ever been started.
    pub(super) was_started: bool,
    /// A listener that has violated the protocol: it runs, but receives no events.
    pub(super) is_cut_off: bool,
}

/// How a process is configured.
#[derive(Debug)]
pub(super) struct Expectation {
    pub(super) namespec: String,
    pub(super) autostart: bool,
    pub(super) exit_codes: Vec<i64>,
}

/// The message about an unknown name, with a suggestion.
pub(super) fn unknown(spec: &Namespec, suggestion: &str) -> String {
    let name = if spec.process.is_none() { &spec.group } else { &spec.text };
    format!("{name}: ERROR ({})", no_such(spec, suggestion))
}

/// That nothing has this name, with a suggestion.
pub(super) fn no_such(spec: &Namespec, suggestion: &str) -> String {
    let what = if spec.process.is_none() { "group" } else { "process" };
    format!("no such {what}{suggestion}")
}

/// The result for one process of a command on several.
#[derive(Debug)]
pub(super) struct AnsweredRow {
    pub(super) group: String,
    pub(super) name: String,
    pub(super) status: i64,
    pub(super) description: String,
}

/// A process of the configuration, active or not.
#[derive(Debug)]
pub(super) struct ConfigRow {
    pub(super) namespec: String,
    pub(super) in_use: bool,
    pub(super) autostart: bool,
    pub(super) group_priority: i64,
    pub(super) process_priority: i64,
}

/// The result of a reread, as group names.
#[derive(Debug)]
pub(super) struct Changes {
    pub(super) added: Vec<String>,
    pub(super) changed: Vec<String>,
    pub(super) removed: Vec<String>,
}

type Read<T> = Result<T, CallError>;

/// `getProcessInfo`
pub(super) fn process(value: &Value) -> Read<ProcessRow> {
    let state = ProcessState::from_code(number(value, "state")?);
    let ended_as_expected = value.get("ended_as_expected").and_then(Value::as_bool);
    let exited_with_0 = || value.get("exitstatus").and_then(Value::as_int) == Some(0);
    Ok(ProcessRow {
        group: text(value, "group")?,
        name: text(value, "name")?,
        state,
        is_done: state == Some(ProcessState::Exited) && ended_as_expected.unwrap_or_else(exited_with_0),
        state_name: text(value, "statename")?,
        description: text(value, "description")?,
        hint: value.get("hint").and_then(Value::as_str).map(str::to_owned),
        health: health_of(value),
        reported_status: value.get("status").and_then(Value::as_str).map(str::to_owned),
        pid: number(value, "pid")?,
    })
}

/// `/api/v1/processes`
#[derive(Debug, Deserialize)]
pub(super) struct ApiProcesses {
    pub(super) processes: Vec<ProcessRow>,
}

/// A part of a log, by the JSON API.
#[derive(Debug, Deserialize)]
pub(super) struct LogText {
    pub(super) text: String,
    /// Where the log continues after it, in bytes.
    pub(super) offset: u64,
    /// Whether something before it was left out.
    pub(super) overflow: bool,
}

/// What a row needs of a process of the JSON API. An event about one has no more than its names.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ApiProcess {
    group: String,
    name: String,
    state: String,
    description: String,
    failed_step: Option<String>,
    hint: Option<String>,
    health: Option<ApiHealth>,
    status: Option<String>,
    pid: Option<i64>,
    last_end: Option<ApiEnd>,
}

#[derive(Deserialize)]
struct ApiHealth {
    status: String,
    failure: Option<String>,
}

#[derive(Deserialize)]
struct ApiEnd {
    expected: bool,
}

impl From<ApiProcess> for ProcessRow {
    fn from(process: ApiProcess) -> Self {
        let state = ProcessState::named(&process.state);
        let health = process.health.and_then(|ApiHealth { status, failure }| {
            Some(HealthInfo { status: HealthStatus::named(&status)?, failure })
        });
        let hints: Vec<String> = process.failed_step.into_iter().chain(process.hint).collect();
        Self {
            group: process.group,
            name: process.name,
            state,
            is_done: state == Some(ProcessState::Exited) && process.last_end.is_some_and(|end| end.expected),
            state_name: process.state,
            description: process.description,
            hint: (!hints.is_empty()).then(|| hints.join("; ")),
            health,
            reported_status: process.status,
            pid: process.pid.unwrap_or(0),
        }
    }
}

/// A process of a document of the JSON API, or the empty row.
pub(super) fn api_process(process: &Json) -> ProcessRow {
    ProcessRow::deserialize(process).unwrap_or_default()
}

/// `processes` of the JSON API.
pub(super) fn api_processes(document: &Json) -> Vec<ProcessRow> {
    document["processes"].as_array().into_iter().flatten().map(api_process).collect()
}

fn health_of(value: &Value) -> Option<HealthInfo> {
    let text = |member| value.get(member).and_then(Value::as_str);
    let status = HealthStatus::named(text("health")?)?;
    Some(HealthInfo { status, failure: text("health_failure").map(str::to_owned) })
}

/// `getAllProcessInfo`
pub(super) fn processes(value: &Value) -> Read<Vec<ProcessRow>> {
    rows(value, process)
}

/// `getAllProcessInfo`, with the fields that `health` needs.
pub(super) fn health(value: &Value) -> Read<Vec<HealthRow>> {
    rows(value, |row| {
        Ok(HealthRow {
            process: process(row)?,
            exit_status: number(row, "exitstatus")?,
            was_started: number(row, "start")? != 0,
            is_cut_off: row.get("listenerstate").and_then(Value::as_str)
                == Some(ListenerState::Unknown.name()),
        })
    })
}

/// `getAllConfigInfo`, with the fields that `health` needs.
pub(super) fn expectations(value: &Value) -> Read<Vec<Expectation>> {
    rows(value, |row| {
        let exit_codes = row.get("exitcodes").ok_or_else(|| missing("exitcodes"))?;
        Ok(Expectation {
            namespec: Namespec::join(&text(row, "group")?, &text(row, "name")?),
            autostart: truth(row, "autostart")?,
            exit_codes: rows(exit_codes, plain_number)?,
        })
    })
}

/// The answer of methods that act on several processes.
pub(super) fn bulk(value: &Value) -> Read<Vec<AnsweredRow>> {
    rows(value, |row| {
        Ok(AnsweredRow {
            group: text(row, "group")?,
            name: text(row, "name")?,
            status: number(row, "status")?,
            description: text(row, "description")?,
        })
    })
}

/// `getAllConfigInfo`
pub(super) fn config(value: &Value) -> Read<Vec<ConfigRow>> {
    rows(value, |row| {
        Ok(ConfigRow {
            namespec: Namespec::join(&text(row, "group")?, &text(row, "name")?),
            in_use: truth(row, "inuse")?,
            autostart: truth(row, "autostart")?,
            group_priority: number(row, "group_prio")?,
            process_priority: number(row, "process_prio")?,
        })
    })
}

/// `reloadConfig`: one triple in a list, a shape that clients rely on.
pub(super) fn changes(value: &Value) -> Read<Changes> {
    match value.as_array().and_then(|outer| outer.first()).and_then(Value::as_array) {
        Some([added, changed, removed, ..]) => {
            Ok(Changes { added: names(added)?, changed: names(changed)?, removed: names(removed)? })
        }
        _ => Err(missing("the lists of groups")),
    }
}

/// An answer that is a single text.
pub(super) fn plain_text(value: &Value) -> Read<String> {
    value.as_str().map(str::to_owned).ok_or_else(|| missing("text"))
}

/// An answer that is a single number.
pub(super) fn plain_number(value: &Value) -> Read<i64> {
    value.as_int().ok_or_else(|| missing("number"))
}

fn rows<T>(value: &Value, row: impl Fn(&Value) -> Read<T>) -> Read<Vec<T>> {
    value.as_array().ok_or_else(|| missing("list"))?.iter().map(row).collect()
}

fn names(value: &Value) -> Read<Vec<String>> {
    rows(value, plain_text)
}

fn text(row: &Value, member: &str) -> Read<String> {
    row.get(member).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| missing(member))
}

fn number(row: &Value, member: &str) -> Read<i64> {
    row.get(member).and_then(Value::as_int).ok_or_else(|| missing(member))
}

/// A boolean, or a number as some versions send it.
fn truth(row: &Value, member: &str) -> Read<bool> {
    let value = row.get(member).ok_or_else(|| missing(member))?;
    value.as_bool().or_else(|| value.as_int().map(|n| n != 0)).ok_or_else(|| missing(member))
}

fn missing(what: &str) -> CallError {
    CallError::InvalidReply(format!("no {what} in it"))
}
