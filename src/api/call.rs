//! A request in progress: the commands that it takes, and the response.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::action::{self, ActionCall};
use super::error::ApiError;
use super::facts::ServerFacts;
use super::json;
use super::list::ListReply;
use super::process::{self, ProcessFilter};
use super::query::Query;
use super::resources::MeasuredProcess;
use super::route::Route;
use super::utc;
use super::{diff, event, graph, log};
use crate::http::{Request, Response};
use crate::model::{
    Command, Fault, FaultCode, Grant, LaunchContext, LogOf, LogRange, Namespec, ProcessSpec, Reply, Role,
    SUPERVISOR_VERSION,
};

/// What a client gets.
#[derive(Debug)]
pub enum ApiOutcome {
    /// This response.
    Response(Response),
    /// A response that is encoded in slices.
    List(ListReply),
    /// A response with the resources of these processes, which are to be measured.
    Measure(Vec<MeasuredProcess>),
    /// A response with what the program of this process is started with ([`launch`]).
    Launch(Arc<ProcessSpec>),
}

/// A request that needs commands.
#[derive(Debug)]
pub struct ApiCall {
    purpose: ApiPurpose,
    /// The commands so far.
    asked: usize,
    /// The result of the last command.
    last: Option<Result<Reply, Fault>>,
}

#[derive(Debug)]
enum ApiPurpose {
    ShowServer,
    ListProcesses(ProcessFilter),
    ShowProcess(Namespec),
    ShowLaunch(Namespec),
    ReadLog(LogOf, LogRange),
    ShowConfiguration,
    ShowGraph,
    ShowDiff,
    ShowDocument,
    /// Of one process, or of all that run.
    ShowResources(Option<Namespec>),
    Act(ActionCall),
    Reread,
    Update(Option<String>),
    Scale {
        program: String,
        processes: u32,
    },
    /// Shut down or restart.
    End(Command),
    ListEvents {
        after: u64,
        limit: usize,
        /// The log does not go that far: it is that of another run, so all of it is new.
        is_beyond: bool,
    },
}

/// How many events are listed if nothing else is asked for.
const EVENTS_DEFAULT: u64 = 1024;

#[derive(Serialize)]
struct ServerView<'a> {
    version: &'static str,
    supervisor_version: &'static str,
    identifier: &'a str,
    host: &'a str,
    pid: u32,
    state: &'static str,
    started_at: String,
    now_at: String,
    newest_event: u64,
    permissions: PermissionsView,
}

/// What the client may do, beyond seeing states and configuration.
#[derive(Serialize)]
struct PermissionsView {
    role: &'static str,
    read_logs: bool,
    operate: bool,
    administer: bool,
}

impl PermissionsView {
    fn of(grant: Grant) -> Self {
        Self {
            role: grant.role.name(),
            read_logs: grant.includes_logs(),
            operate: grant.operates(),
            administer: grant.role == Role::Admin,
        }
    }
}

impl ApiCall {
    pub(super) fn new(route: Route, query: &Query, request: &Request) -> Result<Self, ApiError> {
        let purpose = match route {
            // A stream needs no call.
            Route::Follow(_) => return Err(ApiError::not_found(&request.path)),
            Route::Server => ApiPurpose::ShowServer,
            Route::Processes => ApiPurpose::ListProcesses(ProcessFilter::of(query)?),
            Route::Process(name) => ApiPurpose::ShowProcess(Namespec::split(&name)),
            Route::Launch(name) => ApiPurpose::ShowLaunch(Namespec::split(&name)),
            Route::Act(action, name) => ApiPurpose::Act(ActionCall::of(action, &name, query, request)?),
            Route::Configuration => ApiPurpose::ShowConfiguration,
            Route::Graph => ApiPurpose::ShowGraph,
            Route::Diff => ApiPurpose::ShowDiff,
            Route::Scale(program) => ApiPurpose::Scale { program, processes: processes(query)? },
            Route::Document => ApiPurpose::ShowDocument,
            Route::Resources => ApiPurpose::ShowResources(query.text("name").map(Namespec::split)),
            Route::Reread => ApiPurpose::Reread,
            Route::Update => ApiPurpose::Update(query.text("group").map(str::to_owned)),
            Route::Shutdown => ApiPurpose::End(Command::Shutdown),
            Route::Restart => ApiPurpose::End(Command::Restart),
            Route::Log(log) => ApiPurpose::ReadLog(log, log::range(query)?),
            Route::Events => ApiPurpose::ListEvents {
                after: query.number("after")?.unwrap_or(0),
                limit: usize::try_from(query.number("limit")?.unwrap_or(EVENTS_DEFAULT))
                    .unwrap_or(usize::MAX),
                is_beyond: false,
            },
        };
        Ok(Self { purpose, asked: 0, last: None })
    }

    /// Whether the response may be so long that the request waits in line.
    #[must_use]
    pub fn has_long_reply(&self) -> bool {
        self.command().is_some_and(|command| command.has_long_reply())
    }

    /// The next command; `None` after the last. [`ApiCall::answered`] must be called with its result before the next
    /// call.
    #[expect(clippy::should_implement_trait, reason = "what is next depends on answers")]
    pub fn next(&mut self) -> Option<Command> {
        let command = self.command()?;
        self.asked += 1;
        Some(command)
    }

    fn command(&self) -> Option<Command> {
        match (&self.purpose, self.asked) {
            (ApiPurpose::ShowServer, 0) => Some(Command::GetState),
            (ApiPurpose::ListProcesses(filter), 0) => Some(filter.command()),
            (ApiPurpose::ShowProcess(name), 0) => Some(Command::GetProcessDetails(name.clone())),
            (ApiPurpose::ShowLaunch(name), 0) => Some(Command::GetLaunch(name.clone())),
            (ApiPurpose::ShowConfiguration, 0) => Some(Command::GetAllConfigInfo),
            (ApiPurpose::ShowGraph, 0) => Some(Command::GetGraph),
            (ApiPurpose::ShowDiff, 0) => Some(Command::GetDiff),
            (ApiPurpose::Scale { program, processes }, 0) => {
                Some(Command::Scale { program: program.clone(), processes: *processes })
            }
            (ApiPurpose::ShowResources(None), 0) => Some(Command::GetAllProcessInfo),
            (ApiPurpose::ShowResources(Some(name)), 0) => Some(Command::GetProcessDetails(name.clone())),
            (ApiPurpose::Act(action), 0) => Some(action.command()),
            (ApiPurpose::Reread, 0) => Some(Command::ReloadConfig),
            (ApiPurpose::Update(group), 0) => Some(Command::Update(group.clone())),
            (ApiPurpose::End(command), 0) => Some(command.clone()),
            (ApiPurpose::ReadLog(log, range), 0) => Some(Command::ReadLog(log.clone(), *range)),
            (ApiPurpose::ListEvents { after, limit, .. }, 0) => {
                Some(Command::GetEvents { after: *after, limit: *limit })
            }
            (ApiPurpose::ListEvents { limit, is_beyond: true, .. }, 1) => {
                Some(Command::GetEvents { after: 0, limit: *limit })
            }
            _ => None,
        }
    }

    /// Adds the result of the command.
    pub fn answered(&mut self, outcome: Result<Reply, Fault>) {
        if let (ApiPurpose::ListEvents { after, is_beyond, .. }, Ok(Reply::Events(part))) =
            (&mut self.purpose, &outcome)
        {
            *is_beyond |= *after > part.newest;
        }
        self.last = Some(outcome);
    }

    /// How long its client waits for the response, if it continues after that.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        match &self.purpose {
            ApiPurpose::Act(action) => Some(action.wait()),
            _ => None,
        }
    }

    /// The response to a client that has waited long enough.
    #[must_use]
    pub fn unfinished_response(&self) -> Response {
        action::unfinished()
    }

    /// What the client gets after the last command.
    #[must_use]
    pub fn outcome(self, facts: &ServerFacts) -> ApiOutcome {
        match (self.purpose, self.last) {
            (ApiPurpose::ShowResources(_), Some(Ok(Reply::AllInfo(infos)))) => {
                ApiOutcome::Measure(infos.iter().filter_map(MeasuredProcess::of).collect())
            }
            (ApiPurpose::ShowResources(_), Some(Ok(Reply::Details(details)))) => {
                ApiOutcome::Measure(MeasuredProcess::of(&details.info).into_iter().collect())
            }
            // As in a list of processes, a name that nothing has.
            (ApiPurpose::ShowResources(_), Some(Err(fault))) if fault.code == FaultCode::BadName => {
                ApiOutcome::Measure(Vec::new())
            }
            (ApiPurpose::ShowLaunch(_), Some(Ok(Reply::Details(details)))) => {
                ApiOutcome::Launch(details.spec)
            }
            (purpose, last) => {
                outcome(purpose, last, facts).unwrap_or_else(|error| ApiOutcome::Response(error.response()))
            }
        }
    }
}

/// What a program is started with.
#[must_use]
pub fn launch(context: &LaunchContext) -> Response {
    json(200, context)
}

fn outcome(
    purpose: ApiPurpose,
    last: Option<Result<Reply, Fault>>,
    facts: &ServerFacts,
) -> Result<ApiOutcome, ApiError> {
    use ApiOutcome::List;
    let response = match (purpose, last) {
        (ApiPurpose::Act(action), Some(outcome)) => return action.response(outcome).map(List),
        (ApiPurpose::ListProcesses(filter), Some(outcome)) => {
            return Ok(List(process::list(ProcessFilter::found(outcome)?, &filter, facts)));
        }
        (ApiPurpose::ShowConfiguration, Some(Ok(Reply::AllConfig(infos)))) => {
            return Ok(List(process::configuration(infos)));
        }
        (ApiPurpose::ShowGraph, Some(Ok(Reply::Graph(graph)))) => return Ok(List(graph::graph(graph))),
        (ApiPurpose::ShowDiff, Some(Ok(Reply::Differences(groups)))) => return Ok(List(diff::diff(groups))),
        (ApiPurpose::Scale { .. } | ApiPurpose::Update(_), Some(Ok(Reply::Updated(rows)))) => {
            return Ok(List(action::updated(rows)));
        }
        (ApiPurpose::ListEvents { is_beyond, .. }, Some(Ok(Reply::Events(part)))) => {
            let missed = is_beyond || part.has_gap;
            return Ok(List(event::list(part, missed)));
        }
        // Its state is worth most while everything else is refused because of it.
        (ApiPurpose::ShowServer, Some(Err(Fault { code: FaultCode::ShutdownState, .. }))) => server(facts),
        (_, Some(Err(fault))) => return Err(ApiError::from(fault)),
        (ApiPurpose::ShowServer, _) => server(facts),
        (ApiPurpose::ShowProcess(_), Some(Ok(Reply::Details(details)))) => process::details(&details, facts),
        (ApiPurpose::ShowDocument, _) => document(),
        (ApiPurpose::Reread, Some(Ok(Reply::Changes { added, changed, removed }))) => {
            action::changes([&added, &changed, &removed])
        }
        (ApiPurpose::End(_), Some(Ok(_))) => action::ending(facts.state),
        (ApiPurpose::ReadLog(..), Some(Ok(Reply::Tail { text, offset, overflow }))) => {
            log::piece(&text, offset, overflow)
        }
        // No command has such a reply.
        _ => return Err(ApiError::from(Fault::bare(FaultCode::Failed))),
    };
    Ok(ApiOutcome::Response(response))
}

/// What a program is scaled to.
fn processes(query: &Query) -> Result<u32, ApiError> {
    let number = query
        .number("processes")?
        .ok_or_else(|| ApiError::bad_request("the parameter 'processes' is missing"))?;
    u32::try_from(number).map_err(|_| ApiError::bad_request("'processes' is too large"))
}

/// The description of the API, in OpenAPI 3.1.
const DOCUMENT: &str = include_str!("openapi.json");

fn document() -> Response {
    Response::ok("application/json", DOCUMENT).header("Cache-Control", "no-store")
}

fn server(facts: &ServerFacts) -> Response {
    let ServerFacts { grant, now, newest_event, identifier, host, pid, state, began } = facts;
    let view = ServerView {
        version: env!("CARGO_PKG_VERSION"),
        supervisor_version: SUPERVISOR_VERSION,
        identifier,
        host,
        pid: *pid,
        state: state.name(),
        started_at: utc(began.unix_ms),
        now_at: utc(now.unix_ms),
        newest_event: *newest_event,
        permissions: PermissionsView::of(*grant),
    };
    json(200, &view)
}
