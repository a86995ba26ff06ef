//! A request in progress: the commands that it takes, and the response.

use serde::Serialize;

use super::error::ApiError;
use super::json;
use super::process::{self, ProcessFilter};
use super::query::Query;
use super::route::Route;
use super::utc;
use super::{event, log};
use crate::http::Response;
use crate::model::{
    Command, Fault, FaultCode, LogOf, Namespec, Reading, Reply, SUPERVISOR_VERSION, SupervisorState, Wall,
};

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
    ReadLog(LogOf, Reading),
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
}

impl ApiCall {
    pub(super) fn new(route: Route, query: &Query) -> Result<Self, ApiError> {
        let purpose = match route {
            Route::Server => ApiPurpose::ShowServer,
            Route::Processes => ApiPurpose::ListProcesses(ProcessFilter::of(query)?),
            Route::Process(name) => ApiPurpose::ShowProcess(Namespec::split(&name)),
            Route::Log(log) => ApiPurpose::ReadLog(log, log::reading(query)?),
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
            (ApiPurpose::ListProcesses(_), 0) => Some(Command::GetAllProcessDetails),
            (ApiPurpose::ShowProcess(name), 0) => Some(Command::GetProcessDetails(name.clone())),
            (ApiPurpose::ReadLog(log, reading), 0) => Some(Command::ReadLog(log.clone(), *reading)),
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
            (ApiPurpose::ReadLog(..), Some(Ok(Reply::Tail { text, offset, overflow }))) => {
                Ok(log::piece(&text, offset, overflow))
            }
            (ApiPurpose::ListEvents { is_beyond, .. }, Some(Ok(Reply::Events(part)))) => {
                Ok(event::list(&part, is_beyond || part.has_gap))
            }
            // No command has such a reply.
            (
                ApiPurpose::ListProcesses(_)
                | ApiPurpose::ShowProcess(_)
                | ApiPurpose::ReadLog(..)
                | ApiPurpose::ListEvents { .. },
                _,
            ) => Err(ApiError::from(Fault::bare(FaultCode::Failed))),
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
