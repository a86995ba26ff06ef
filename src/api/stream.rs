//! Server-sent events: endless responses of type `text/event-stream`, as the HTML standard defines them.

use serde::Serialize;

use crate::http::Response;

/// A line that means nothing. It keeps proxies from closing a connection on which nothing happens.
pub const KEEP_ALIVE: &[u8] = b":\n\n";

/// The head of a stream.
#[must_use]
pub fn stream_head() -> Response {
    Response::new(200)
        .header("Content-Type", "text/event-stream")
        .header("Cache-Control", "no-store")
        .header("X-Accel-Buffering", "no")
}

/// Appends an event. JSON has no line breaks, so its data is one line.
pub(super) fn frame(out: &mut String, id: Option<u64>, event: Option<&str>, data: &impl Serialize) {
    if let Some(id) = id {
        out.push_str(&format!("id: {id}\n"));
    }
    if let Some(event) = event {
        out.push_str(&format!("event: {event}\n"));
    }
    // Only a map with keys other than texts can't be encoded, and there is none.
    out.push_str(&format!("data: {}\n\n", serde_json::to_string(data).unwrap_or_default()));
}

/// What comes next in a log that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogPiece<'a> {
    /// More of it.
    Text(&'a str),
    /// So many bytes were lost.
    Missed(u64),
    /// The log was truncated, and begins again.
    Truncated,
    /// The process is gone from the configuration, or the supervisor ends.
    End,
}

#[derive(Serialize)]
struct TextView<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct MissedView {
    missed_bytes: Option<u64>,
}

#[derive(Serialize)]
struct EmptyView {}

/// A piece of a log as an event. `offset` is where the log goes on after it.
#[must_use]
pub fn log_frame(piece: LogPiece<'_>, offset: Option<u64>) -> String {
    let mut out = String::new();
    match piece {
        LogPiece::Text(text) => frame(&mut out, offset, None, &TextView { text }),
        LogPiece::Missed(bytes) => {
            frame(&mut out, offset, Some("gap"), &MissedView { missed_bytes: Some(bytes) });
        }
        LogPiece::Truncated => frame(&mut out, offset, Some("gap"), &MissedView { missed_bytes: None }),
        LogPiece::End => frame(&mut out, None, Some("end"), &EmptyView {}),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_log_are_events_of_one_line() {
        for (piece, offset, expected) in [
            (
                LogPiece::Text("a\n\"b\"\r\u{1}\u{2028}"),
                Some(7),
                "id: 7\ndata: {\"text\":\"a\\n\\\"b\\\"\\r\\u0001\u{2028}\"}\n\n",
            ),
            (LogPiece::Missed(3), Some(9), "id: 9\nevent: gap\ndata: {\"missed_bytes\":3}\n\n"),
            (LogPiece::Truncated, Some(0), "id: 0\nevent: gap\ndata: {\"missed_bytes\":null}\n\n"),
            (LogPiece::End, None, "event: end\ndata: {}\n\n"),
        ] {
            assert_eq!(log_frame(piece, offset), expected);
        }
    }
}
