//! The JSON API under `/api/v1`: requests ⇄ [`Command`](crate::model::Command)s and replies as JSON.
//!
//! Pure, like `web` and `rpc`: [`ask`] turns a request into an answer or into an [`ApiCall`], which asks the core one
//! command after another and makes the response of what it got. The commands are those of XML-RPC, so a client can do
//! and see the same in either way, and is refused for the same reasons.
//!
//! Rules of the interface, which clients rely on:
//!
//! * Names are snake_case. Members are added, but never removed, renamed or changed in their type; none is ever left
//!   out: what is unknown is null.
//! * Times (`*_at`) are RFC 3339 in UTC with milliseconds, durations (`*_secs`) are numbers.
//! * An error has a matching HTTP status and names XML-RPC's fault ([`error`]).
//! * An unknown parameter is an error, as ignoring a filter would do something else than was asked for.
//! * What changes something is a POST, which no page of another site can make a browser send.

mod action;
mod call;
mod diff;
mod error;
mod event;
mod graph;
mod log;
mod process;
mod query;
mod resources;
mod route;
mod stream;

use serde::Serialize;

pub use action::WAIT_SECS_MAX;
pub use call::{ApiCall, ApiOutcome, ServerFacts, launch};
use error::ApiError;
pub use event::event_frames;
use query::{Query, number};
pub use resources::{MeasuredProcess, resources};
use route::Route;
pub use stream::{KEEP_ALIVE, LogPiece, log_frame, stream_head};

use crate::http::{Request, Response};
use crate::logs::{FollowFrom, rfc3339};
use crate::model::{Fault, LogOf, Wall};

/// The first answer to a request.
#[derive(Debug)]
pub enum ApiAnswer {
    /// It needs no command.
    Now(Response),
    /// It needs commands to the supervisor.
    Later(Box<ApiCall>),
    /// The client follows a log.
    FollowLog(LogOf, FollowFrom),
    /// The client follows the event log, after this serial or from now on.
    FollowEvents(Option<u64>),
}

/// Whether a path belongs to the API, whatever its version.
#[must_use]
pub fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

/// Handles a request for a path of the API.
#[must_use]
pub fn ask(request: &Request) -> ApiAnswer {
    answer(request).unwrap_or_else(|error| ApiAnswer::Now(error.response()))
}

fn answer(request: &Request) -> Result<ApiAnswer, ApiError> {
    let route = Route::of(&request.path).ok_or_else(|| ApiError::not_found(&request.path))?;
    if !route.methods().contains(&request.method.as_str()) {
        return Err(ApiError::method_not_allowed(&request.method, route.methods()));
    }
    let query = Query::of(request, route.parameters())?;
    if query.flag("follow")? {
        return follow(request, route, &query);
    }
    ApiCall::new(route, &query, request).map(|call| ApiAnswer::Later(Box::new(call)))
}

/// A client that comes back sends the id of the last event that it has got.
fn follow(request: &Request, route: Route, query: &Query) -> Result<ApiAnswer, ApiError> {
    let no_number = || ApiError::bad_request("Last-Event-ID is not a number");
    let last_id = request.header("last-event-id").map(|id| number(id).ok_or_else(no_number)).transpose()?;
    Ok(match route {
        _ if request.method == "HEAD" => ApiAnswer::Now(stream_head()),
        Route::Log(log) => ApiAnswer::FollowLog(log, log::follow_from(query, last_id)?),
        _ => {
            query.exclude("limit", "follow")?;
            ApiAnswer::FollowEvents(last_id.or(query.number("after")?))
        }
    })
}

/// The response to a client without valid credentials.
#[must_use]
pub fn unauthorized() -> Response {
    ApiError::unauthorized().response().challenging()
}

/// The response to a request that is refused or has failed.
#[must_use]
pub fn fault(fault: Fault) -> Response {
    ApiError::from(fault).response()
}

/// A response with a JSON body, which no cache keeps.
fn json(status: u16, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => Response::new(status).body("application/json", body).header("Cache-Control", "no-store"),
        // Only a map with keys other than texts can't be encoded, and there is none.
        Err(_) => Response::error(500),
    }
}

/// `2026-11-29T03:07:29.123Z`
fn utc(unix_ms: i64) -> String {
    rfc3339(Wall { unix_ms, utc_offset_secs: 0 })
}
