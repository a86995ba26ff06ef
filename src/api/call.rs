//! A request in progress: the commands that it takes, and the response.

use serde::Serialize;

use super::error::ApiError;
use super::json;
use super::process::{self, ProcessFilter};
use super::query::Query;
use super::route::Route;
use super::utc;
use crate::http::Response;
use crate::model::{Command, Fault, FaultCode, Namespec, Reply, SUPERVISOR_VERSION, SupervisorState, Wall};

/// What responses say of the supervisor itself.
#[derive(Clone, Debug)]
pub struct ServerFacts {
    /// The time of the response.
    pub now: Wall,
    /// The serial of the newest entry of the event log.
    pub newest_event: u64,
    /// `identifier`
    pub identifier: String,
    /// The machine's name.
    pub host: String,
    /// Its own pid.
    pub pid: u32,
    /// Its state.
    pub state: SupervisorState,
    /// When it was started.
    pub began: Wall,
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
}

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
}

impl ApiCall {
    pub(super) fn new(route: Route, query: &Query) -> Result<Self, ApiError> {
        let purpose = match route {
            Route::Server => ApiPurpose::ShowServer,
            Route::Processes => ApiPurpose::ListProcesses(ProcessFilter::of(query)?),
            Route::Process(name) => ApiPurpose::ShowProcess(Namespec::split(&name)),
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
            (ApiPurpose::ListProcesses(_), 0) => Some(Command::GetAllProcessDetails),
            (ApiPurpose::ShowProcess(name), 0) => Some(Command::GetProcessDetails(name.clone())),
            _ => None,
        }
    }

    /// Adds the result of the command.
    pub fn answered(&mut self, outcome: Result<Reply, Fault>) {
        self.last = Some(outcome);
    }

    /// The response to the client.
    #[must_use]
    pub fn into_response(self, facts: &ServerFacts) -> Response {
        let response = match (self.purpose, self.last) {
            // Its state is worth most while everything else is refused because of it.
            (ApiPurpose::ShowServer, Some(Err(Fault { code: FaultCode::ShutdownState, .. }))) => {
                Ok(server(facts))
            }
            (_, Some(Err(fault))) => Err(ApiError::from(fault)),
            (ApiPurpose::ShowServer, _) => Ok(server(facts)),
            (ApiPurpose::ListProcesses(filter), Some(Ok(Reply::AllDetails(infos)))) => {
                Ok(process::list(&infos, &filter, facts))
            }
            (ApiPurpose::ShowProcess(_), Some(Ok(Reply::Details(details)))) => {
                Ok(process::details(&details, facts))
            }
            // No command has such a reply.
            (ApiPurpose::ListProcesses(_) | ApiPurpose::ShowProcess(_), _) => {
                Err(ApiError::from(Fault::bare(FaultCode::Failed)))
            }
        };
        response.unwrap_or_else(|error| error.response())
    }
}

fn server(facts: &ServerFacts) -> Response {
    let ServerFacts { now, newest_event, identifier, host, pid, state, began } = facts;
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
    };
    json(200, &view)
}
