//! Server-sent events: endless responses of type `text/event-stream`, as the HTML standard defines them.

use serde::Serialize;

use crate::http::Response;
use crate::model::Channel;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    text: &'a str,
}

#[derive(Serialize)]
struct MissedView {
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    missed_bytes: Option<u64>,
}

#[derive(Serialize)]
struct HasLogsView {
    stdout: bool,
    stderr: bool,
}

#[derive(Serialize)]
struct EmptyView {}

/// A piece of a log as an event. `offset` is where the log continues after it. With a channel the stream has others beside
/// it, so the event has its name, and the offset is part of its data.
#[must_use]
pub fn log_frame(piece: LogPiece<'_>, offset: u64, channel: Option<Channel>) -> String {
    let mut out = String::new();
    let (id, event) = match channel {
        None => (Some(offset), None),
        Some(channel) => (None, Some(channel.name())),
    };
    let offset = channel.map(|_| offset);
    let mut missed =
        |missed_bytes| frame(&mut out, id, event.or(Some("gap")), &MissedView { offset, missed_bytes });
    match piece {
        LogPiece::Text(text) => frame(&mut out, id, event, &TextView { offset, text }),
        LogPiece::Missed(bytes) => missed(Some(bytes)),
        LogPiece::Truncated => missed(None),
        LogPiece::End => frame(&mut out, None, Some("end"), &EmptyView {}),
    }
    out
}

/// Whether a process has logs of standard output and standard error, as the first event of a stream with both.
#[must_use]
pub fn logs_frame([stdout, stderr]: [bool; 2]) -> String {
    let mut out = String::new();
    frame(&mut out, None, Some("logs"), &HasLogsView { stdout, stderr });
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
                7,
                "id: 7\ndata: {\"text\":\"a\\n\\\"b\\\"\\r\\u0001\u{2028}\"}\n\n",
            ),
            (LogPiece::Missed(3), 9, "id: 9\nevent: gap\ndata: {\"missed_bytes\":3}\n\n"),
            (LogPiece::Truncated, 0, "id: 0\nevent: gap\ndata: {\"missed_bytes\":null}\n\n"),
            (LogPiece::End, 4, "event: end\ndata: {}\n\n"),
        ] {
            assert_eq!(log_frame(piece, offset, None), expected);
        }
        for (piece, expected) in [
            (LogPiece::Text("a"), "event: stderr\ndata: {\"offset\":7,\"text\":\"a\"}\n\n"),
            (LogPiece::Missed(3), "event: stderr\ndata: {\"offset\":7,\"missed_bytes\":3}\n\n"),
            (LogPiece::Truncated, "event: stderr\ndata: {\"offset\":7,\"missed_bytes\":null}\n\n"),
            (LogPiece::End, "event: end\ndata: {}\n\n"),
        ] {
            assert_eq!(log_frame(piece, 7, Some(Channel::Stderr)), expected);
        }
        assert_eq!(logs_frame([true, false]), "event: logs\ndata: {\"stdout\":true,\"stderr\":false}\n\n");
    }
}
