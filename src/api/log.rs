//! Reading logs: pieces of them, and where to begin to follow one.

use serde::Serialize;

use super::error::ApiError;
use super::json;
use super::query::Query;
use crate::http::Response;
use crate::logs::{FollowFrom, PIECE_BYTES_MAX};
use crate::model::LogRange;

/// How much is read if nothing else is asked for.
const BYTES_DEFAULT: u64 = 16 * 1024;

/// The part of a log that is asked for.
pub(super) fn range(query: &Query) -> Result<LogRange, ApiError> {
    let offset = query.number("offset")?;
    let length = match offset {
        Some(_) => query.exclude("bytes", "offset").and_then(|()| query.number("length")),
        None => query.require("length", "offset").and_then(|()| query.number("bytes")),
    };
    Ok(LogRange::Piece { offset, length: length?.unwrap_or(BYTES_DEFAULT).min(PIECE_BYTES_MAX) })
}

/// Where a client begins to follow a log.
pub(super) fn follow_from(query: &Query, last_id: Option<u64>) -> Result<FollowFrom, ApiError> {
    query.exclude("length", "follow")?;
    let offset = query.number("offset")?;
    if offset.is_some() {
        query.exclude("bytes", "offset")?;
    }
    let bytes = query.number("bytes")?.unwrap_or(BYTES_DEFAULT);
    Ok(last_id.or(offset).map_or(FollowFrom::Last(bytes), FollowFrom::Offset))
}

/// Where a client begins to follow the log of a channel, beside others: the parameter of its name is the offset.
pub(super) fn follow_channel(query: &Query, channel: &str) -> Result<FollowFrom, ApiError> {
    let bytes = query.number("bytes")?.unwrap_or(BYTES_DEFAULT);
    Ok(query.number(channel)?.map_or(FollowFrom::Last(bytes), FollowFrom::Offset))
}

#[derive(Serialize)]
struct PieceView<'a> {
    text: &'a str,
    offset: u64,
    overflow: bool,
}

pub(super) fn piece(text: &str, offset: u64, overflow: bool) -> Response {
    json(200, &PieceView { text, offset, overflow })
}
