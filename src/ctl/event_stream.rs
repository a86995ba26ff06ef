//! The stream of the supervisor's events: server-sent events of the JSON API.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::failure::CallError;
use super::follow::Follow;

/// The maximum size of an event: its texts are bounded by the server.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// How long a server may be silent. It sends something every 15 seconds, so this one is stopped, or the connection is
/// broken.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// The stream of the supervisor's events.
pub(super) struct EventStream {
    follow: Follow,
    heard_at: Instant,
    parser: EventParser,
}

impl EventStream {
    /// Of an endless document.
    pub(super) fn of(follow: Follow) -> Self {
        Self { follow, heard_at: Instant::now(), parser: EventParser::default() }
    }

    /// How long to wait for data, at most.
    pub(super) fn silence_left(&self) -> Duration {
        SILENCE_MAX.saturating_sub(self.heard_at.elapsed())
    }

    /// To be called when there is no data.
    ///
    /// # Errors
    /// The server has been silent for too long.
    pub(super) fn check_silence(&self) -> Result<(), CallError> {
        match self.silence_left().is_zero() {
            true => Err(CallError::TimedOut { asked_for: "events", after: SILENCE_MAX }),
            false => Ok(()),
        }
    }

    /// Waits for data, and returns the events that are complete by then; `None` when the stream has ended.
    pub(super) fn read(&mut self) -> Result<Option<Vec<StreamedEvent>>, CallError> {
        self.heard_at = Instant::now();
        match self.follow.read() {
            Ok(Some(bytes)) => self.parser.feed(&bytes).map(Some),
            Ok(None) => Ok(None),
            Err(CallError::Refused(404, _)) => Err(CallError::NoApi),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for EventStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.follow.as_fd()
    }
}

/// An event with its data.
#[derive(Debug, PartialEq)]
pub(super) struct StreamedEvent {
    /// Whether events before the next one are missing, because they are no longer kept.
    pub(super) is_gap: bool,
    pub(super) data: Json,
}

/// Parses server-sent events, as far as our server uses their format: each has one line of data.
#[derive(Default)]
struct EventParser {
    line: Vec<u8>,
    kind: String,
}

impl EventParser {
    /// The events that these bytes complete.
    fn feed(&mut self, bytes: &[u8]) -> Result<Vec<StreamedEvent>, CallError> {
        let mut events = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.len() > EVENT_BYTES_MAX {
                return Err(CallError::InvalidReply("an event is too large".to_owned()));
            }
            if self.line.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                events.extend(self.line(String::from_utf8_lossy(&line).trim_end())?);
            }
        }
        Ok(events)
    }

    fn line(&mut self, line: &str) -> Result<Option<StreamedEvent>, CallError> {
        if line.is_empty() {
            self.kind.clear();
        }
        if let Some(kind) = line.strip_prefix("event:") {
            kind.trim().clone_into(&mut self.kind);
        }
        let Some(data) = line.strip_prefix("data:") else { return Ok(None) };
        let data = serde_json::from_str(data).map_err(|error| CallError::InvalidReply(error.to_string()))?;
        Ok(Some(StreamedEvent { is_gap: self.kind == "gap", data }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixListener;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_server_that_is_silent_for_too_long_is_an_error() {
        let folder = std::env::temp_dir().join(format!("sv-silence-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let socket = folder.join("sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let url = format!("unix://{}", socket.display());
        let mut stream = EventStream::of(Follow::open(&url, "/", None, None).unwrap());
        let (mut server, _) = listener.accept().unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        stream.heard_at = Instant::now().checked_sub(Duration::from_secs(44)).unwrap();
        assert!(stream.check_silence().is_ok() && stream.silence_left() <= Duration::from_secs(1));
        stream.heard_at = Instant::now().checked_sub(SILENCE_MAX).unwrap();
        assert!(stream.silence_left().is_zero());
        let error = stream.check_silence().unwrap_err();
        assert!(matches!(error, CallError::TimedOut { asked_for: "events", after } if after == SILENCE_MAX));
        // A comment, such as the server sends every 15 seconds, is enough.
        server.write_all(b"HTTP/1.0 200 OK\r\n\r\n:\n\n").unwrap();
        assert_eq!(stream.read().unwrap(), Some(Vec::new()));
        assert!(stream.check_silence().is_ok());
    }

    #[test]
    fn events_are_parsed_however_they_are_split() {
        let text = b": hello\n\nid: 7\nevent: process\ndata: {\"serial\":7}\n\n:\n\n\
            event: gap\ndata: {\"after\":7,\"oldest\":9}\n\nid: 9\r\nevent: group\r\ndata:{\"serial\":9}\r\n\r\n";
        let expected = [
            StreamedEvent { is_gap: false, data: json!({"serial": 7}) },
            StreamedEvent { is_gap: true, data: json!({"after": 7, "oldest": 9}) },
            StreamedEvent { is_gap: false, data: json!({"serial": 9}) },
        ];
        for split in 0..text.len() {
            let mut parser = EventParser::default();
            let mut events = parser.feed(&text[..split]).unwrap();
            events.extend(parser.feed(&text[split..]).unwrap());
            assert_eq!(events, expected, "split at {split}");
        }
        assert!(EventParser::default().feed(b"data: {\n").is_err());
        assert!(EventParser::default().feed(&vec![b'x'; EVENT_BYTES_MAX + 1]).is_err());
    }
}
