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
mod facts;
mod graph;
mod list;
mod log;
mod process;
mod query;
mod resources;
mod route;
mod stream;

use serde::Serialize;

pub use action::WAIT_SECS_MAX;
pub use call::{ApiCall, ApiOutcome, launch};
use error::ApiError;
pub use event::event_frames;
pub use facts::ServerFacts;
pub use list::ListReply;
use query::{Query, number};
pub use resources::{MeasuredProcess, resources};
use route::Route;
pub use stream::{KEEP_ALIVE, LogPiece, log_frame, logs_frame, stream_head};

use crate::http::{Request, Response};
use crate::logs::{FollowFrom, rfc3339};
use crate::model::{Fault, LogOf, Namespec, Wall};

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
    /// The client follows the event log in the same way, and both logs of a process.
    FollowProcess(Namespec, Option<u64>, [FollowFrom; 2]),
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
    let route = Route::of(&request.segments()).ok_or_else(|| ApiError::not_found(&request.path))?;
    if !route.methods().contains(&request.method.as_str()) {
        return Err(ApiError::method_not_allowed(&request.method, route.methods()));
    }
    let query = Query::of(request, route.parameters())?;
    if let Route::Follow(name) = &route {
        return follow_process(name, &query);
    }
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
        Route::Log(log) => ApiAnswer::FollowLog(log, log::follow_from(query, last_id)?),
        _ => {
            query.exclude("limit", "follow")?;
            ApiAnswer::FollowEvents(last_id.or(query.number("after")?))
        }
    })
}

/// A client that comes back says by parameters where: its stream has no ids, as it has three positions.
fn follow_process(name: &str, query: &Query) -> Result<ApiAnswer, ApiError> {
    let after = query.number("after")?;
    let from = [log::follow_channel(query, "stdout")?, log::follow_channel(query, "stderr")?];
    Ok(ApiAnswer::FollowProcess(Namespec::split(name), after, from))
}

/// The response to a request that is refused for a reason that only HTTP has.
#[must_use]
pub fn refusal(status: u16, name: &'static str, message: String) -> Response {
    ApiError::new(status, name, message).response()
}

/// The response to a request that has failed.
#[must_use]
pub fn fault(fault: Fault) -> Response {
    ApiError::from(fault).response()
}

/// A response with a JSON body.
fn json(status: u16, body: &impl Serialize) -> Response {
    no_store(status, list::encoded(body))
}

/// A response with a body of JSON, which no cache keeps.
fn no_store(status: u16, body: Vec<u8>) -> Response {
    Response::new(status).body("application/json", body).header("Cache-Control", "no-store")
}

/// `2026-11-29T03:07:29.123Z`
fn utc(unix_ms: i64) -> String {
    rfc3339(Wall { unix_ms, utc_offset_secs: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Connection;
    use crate::logs::PIECE_BYTES_MAX;
    use crate::model::{Command, LogOf, LogRange};

    fn first_command(target: &str) -> Command {
        let mut connection = Connection::new();
        connection.feed(format!("GET /api/v1{target} HTTP/1.1\r\n\r\n").as_bytes());
        match ask(&connection.next_request().unwrap().unwrap()) {
            ApiAnswer::Later(mut call) => call.next().unwrap(),
            other => panic!("{target}: {other:?}"),
        }
    }

    #[test]
    fn a_process_is_looked_up_by_its_name_rather_than_listed() {
        let command = first_command("/processes?name=web:a&state=RUNNING");
        assert_eq!(command, Command::GetProcessDetails(Namespec::split("web:a")));
        assert!(!command.has_long_reply());
        assert_eq!(first_command("/processes?group=web"), Command::GetAllProcessDetails);
    }

    #[test]
    fn what_is_read_of_a_log_is_bounded() {
        for (query, offset) in
            [("?bytes=9007199254740991", None), ("?offset=5&length=9007199254740991", Some(5))]
        {
            let range = LogRange::Piece { offset, length: PIECE_BYTES_MAX };
            assert_eq!(first_command(&format!("/log{query}")), Command::ReadLog(LogOf::Supervisor, range));
        }
    }
}
