//! What a client can have done: to processes, to groups, and to the supervisor itself.

use std::time::Duration;

use serde::Serialize;

use super::error::{ApiError, ErrorView};
use super::json;
use super::list::{ListReply, NoHead, encode};
use super::query::Query;
use crate::http::{Request, Response};
use crate::model::{
    BatchLimits, BulkRow, Command, Fault, Namespec, Reply, Signal, SignalRequest, SupervisorState, UpdateRow,
    Wait,
};

/// The longest that a client can wait for the completion of an action, in seconds.
pub const WAIT_SECS_MAX: u64 = 3600;

/// What to do with processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProcessAction {
    Start,
    Stop,
    Restart,
    Signal,
    ClearLogs,
}

impl ProcessAction {
    /// The action of this name in a path.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "start" => Self::Start,
            "stop" => Self::Stop,
            "restart" => Self::Restart,
            "signal" => Self::Signal,
            "clear_logs" => Self::ClearLogs,
            _ => return None,
        })
    }
}

/// An action on a process, a group or all processes.
#[derive(Debug)]
pub(super) struct ActionCall {
    action: ProcessAction,
    /// `None` is all processes.
    target: Option<Namespec>,
    /// Of a signal.
    signal: SignalRequest,
    /// How long the client waits for completion; `None` if it does not.
    wait: Option<Duration>,
}

impl ActionCall {
    pub(super) fn of(
        action: ProcessAction,
        name: &str,
        query: &Query,
        request: &Request,
    ) -> Result<Self, ApiError> {
        let wait = query.number("wait")?;
        if wait.is_some_and(|secs| secs > WAIT_SECS_MAX) {
            return Err(ApiError::bad_request(&format!("'wait' is at most {WAIT_SECS_MAX}")));
        }
        let signal = match action {
            ProcessAction::Signal => signal(query, request)?,
            _ => Err(String::new()),
        };
        let target = (name != "*").then(|| Namespec::split(name));
        let wait = wait.map(Duration::from_secs);
        Ok(Self { action, target, signal, wait })
    }

    /// How long the client waits.
    pub(super) fn wait(&self) -> Duration {
        self.wait.unwrap_or_default()
    }

    pub(super) fn command(&self) -> Command {
        let wait = if self.wait.is_some() { Wait::Yes } else { Wait::No };
        match (self.action, self.target.clone()) {
            (ProcessAction::Start, None) => Command::StartAllProcesses(wait),
            (ProcessAction::Start, Some(name)) => Command::StartProcess(name, wait),
            (ProcessAction::Stop, None) => Command::StopAllProcesses(wait),
            (ProcessAction::Stop, Some(name)) => Command::StopProcess(name, wait),
            // What is down is started, as it is by every restart.
            (ProcessAction::Restart, None) => Command::RestartAllProcesses,
            (ProcessAction::Restart, Some(name)) => {
                Command::RestartRolling(name, BatchLimits::ALL_AT_ONE_TIME)
            }
            (ProcessAction::Signal, None) => Command::SignalAllProcesses(self.signal.clone()),
            (ProcessAction::Signal, Some(name)) => Command::SignalProcess(name, self.signal.clone()),
            (ProcessAction::ClearLogs, None) => Command::ClearAllProcessLogs,
            (ProcessAction::ClearLogs, Some(name)) => Command::ClearProcessLogs(name),
        }
    }

    /// The response to the result. The failure of a single process is that of the request.
    pub(super) fn response(self, outcome: Result<Reply, Fault>) -> Result<ListReply, ApiError> {
        let single = self.target.and_then(|name| Some((name.group, name.process?)));
        let rows = match (outcome.map_err(ApiError::from)?, &single) {
            (Reply::Bulk(rows), _) => rows,
            (_, Some((group, name))) => {
                vec![BulkRow { name: name.clone(), group: group.clone(), outcome: Ok(()) }]
            }
            (_, None) => Vec::new(),
        };
        let failed = rows.iter().find_map(|row| row.outcome.as_ref().err());
        if let Some(fault) = failed.filter(|_| single.is_some()) {
            return Err(ApiError::from(fault.clone()));
        }
        let is_instant = matches!(self.action, ProcessAction::Signal | ProcessAction::ClearLogs);
        Ok(results(is_instant || self.wait.is_some(), rows))
    }
}

/// The response to a client whose action continues.
pub(super) fn unfinished() -> Response {
    results(false, Vec::new()).finish()
}

#[derive(Serialize)]
struct ResultsHead {
    completed: bool,
}

#[derive(Serialize)]
struct ResultView<'a> {
    full_name: String,
    group: &'a str,
    name: &'a str,
    error: Option<ErrorView>,
}

fn results(completed: bool, rows: Vec<BulkRow>) -> ListReply {
    let reply = ListReply::new(&ResultsHead { completed }).with_status(if completed { 200 } else { 202 });
    reply.list("results", rows, |BulkRow { name, group, outcome }, out| {
        let view = ResultView {
            full_name: Namespec::join(group, name),
            group,
            name,
            error: outcome.as_ref().err().map(ErrorView::of),
        };
        encode(&view, out);
    })
}

/// A signal by name or number, in the query or in the body: `{"signal":"HUP"}`.
fn signal(query: &Query, request: &Request) -> Result<SignalRequest, ApiError> {
    let invalid = || ApiError::bad_request("the body is not like {\"signal\":\"HUP\"}");
    let given = match query.text("signal") {
        Some(text) => text.to_owned(),
        None if request.body.is_empty() => {
            return Err(ApiError::bad_request("the parameter 'signal' is missing"));
        }
        None => {
            let body: serde_json::Value = serde_json::from_slice(&request.body).map_err(|_| invalid())?;
            match &body["signal"] {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Number(number) => number.to_string(),
                _ => return Err(invalid()),
            }
        }
    };
    Ok(Signal::from_any(&given).ok_or(given))
}

/// A reread: the groups that the configuration changes.
#[derive(Serialize)]
struct ChangesView<'a> {
    added: &'a [String],
    changed: &'a [String],
    removed: &'a [String],
}

pub(super) fn changes([added, changed, removed]: [&[String]; 3]) -> Response {
    json(200, &ChangesView { added, changed, removed })
}

#[derive(Serialize)]
struct StateView {
    state: &'static str,
}

/// The supervisor is about to end or to restart.
pub(super) fn ending(state: SupervisorState) -> Response {
    json(202, &StateView { state: state.name() })
}

/// The results of an update, for each process and for groups that were added or removed as a whole.
pub(super) fn updated(rows: Vec<UpdateRow>) -> ListReply {
    ListReply::new(&NoHead {}).list("results", rows, |row, out| encode(&UpdateView::of(row), out))
}

#[derive(Serialize)]
struct UpdateView<'a> {
    group: &'a str,
    name: Option<&'a str>,
    full_name: String,
    outcome: Option<&'static str>,
    error: Option<ErrorView>,
}

impl<'a> UpdateView<'a> {
    fn of(UpdateRow { group, name, outcome }: &'a UpdateRow) -> Self {
        let full_name = match name {
            Some(name) => Namespec::join(group, name),
            None => format!("{group}:*"),
        };
        Self {
            group,
            name: name.as_deref(),
            full_name,
            outcome: outcome.as_ref().ok().map(|updated| updated.name()),
            error: outcome.as_ref().err().map(ErrorView::of),
        }
    }
}
