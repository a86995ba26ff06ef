//! The client's side: requests to bytes, bytes to replies.
//!
//! Replies come from our own server and from the Python one. A reply can be read as a whole
//! ([`ResponseParser::is_complete`]) or as it arrives, which is how an endless log tail is read.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use httparse::Status;

use super::chunked::{ChunkError, Chunked};
use super::request::keeps_alive;
use super::{Headers, Version, target};

/// Status line and header fields together.
pub const RESPONSE_HEAD_BYTES_MAX: usize = 64 * 1024;

const HEADERS_MAX: usize = 128;

/// Encodes a request.
///
/// `target` is a path, percent-encoded where necessary ([`super::percent_encode`]); remaining blanks, line
/// breaks and non-ASCII bytes are encoded here. `auth` is a user name and a password.
#[must_use]
pub fn encode_request(
    method: &str,
    target: &str,
    host: &str,
    auth: Option<(&str, &str)>,
    content_type: Option<&str>,
    body: &[u8],
) -> Vec<u8> {
    let mut head = format!("{method} {} HTTP/1.1\r\nHost: {host}\r\n", target::seal(target));
    if let Some((username, password)) = auth {
        let credentials = STANDARD.encode(format!("{username}:{password}"));
        head.push_str(&format!("Authorization: Basic {credentials}\r\n"));
    }
    if let Some(content_type) = content_type {
        head.push_str(&format!("Content-Type: {content_type}\r\n"));
    }
    // Without a body only a POST needs a length: Supervisor answers one that lacks it with 411.
    if method == "POST" || !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Why bytes are not a valid reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadResponse {
    /// Not HTTP/1.x.
    Malformed,
    /// Larger than the limit of the parser, or a head without end.
    TooLarge,
    /// The server closed the connection in the middle.
    Truncated,
}

impl fmt::Display for BadResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed HTTP response",
            Self::TooLarge => "HTTP response too large",
            Self::Truncated => "connection closed in the middle of an HTTP response",
        })
    }
}

impl std::error::Error for BadResponse {}

impl From<ChunkError> for BadResponse {
    fn from(error: ChunkError) -> Self {
        match error {
            ChunkError::Malformed => Self::Malformed,
            ChunkError::TooLarge => Self::TooLarge,
        }
    }
}

/// The head of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// Status code.
    pub status: u16,
    /// The reason phrase.
    pub reason: String,
    /// All header fields.
    pub headers: Headers,
    /// Whether the server accepts another request.
    pub keep_alive: bool,
}

/// How the end of a body is determined.
#[derive(Debug)]
enum ReplyFraming {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

/// Parses the reply to one request other than HEAD.
#[derive(Debug)]
pub struct ResponseParser {
    /// Input that was not parsed yet.
    input: Vec<u8>,
    head: Option<(ResponseHead, ReplyFraming)>,
    body: Vec<u8>,
    body_bytes_max: usize,
}

impl ResponseParser {
    /// Buffers at most this many bytes of a body.
    #[must_use]
    pub fn new(body_bytes_max: usize) -> Self {
        Self { input: Vec::new(), head: None, body: Vec::new(), body_bytes_max }
    }

    /// Adds bytes from the server.
    ///
    /// # Errors
    ///
    /// If they are not a valid reply, or too large. The connection can't be used any more.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), BadResponse> {
        self.input.extend_from_slice(bytes);
        while self.head.is_none() {
            if !self.read_head()? {
                return Ok(());
            }
        }
        self.read_body()
    }

    /// Reports that the server closed the connection.
    ///
    /// # Errors
    ///
    /// If the reply is incomplete.
    pub fn end_of_input(&mut self) -> Result<(), BadResponse> {
        if let Some((_, framing @ ReplyFraming::UntilClose)) = &mut self.head {
            *framing = ReplyFraming::Length(0);
        }
        if self.is_complete() { Ok(()) } else { Err(BadResponse::Truncated) }
    }

    /// Status and headers, once they are complete.
    #[must_use]
    pub fn head(&self) -> Option<&ResponseHead> {
        self.head.as_ref().map(|(head, _)| head)
    }

    /// Whether the body is complete, taken or not.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.head, Some((_, ReplyFraming::Length(0) | ReplyFraming::Chunked(Chunked::Done))))
    }

    /// Whether another request may be sent on the connection. After unexpected bytes the next reply could not
    /// be trusted.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        self.is_complete() && self.input.is_empty() && self.head().is_some_and(|head| head.keep_alive)
    }

    /// The part of the body that arrived since the last call.
    pub fn take_body(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.body)
    }

    /// Takes a complete head from the input; false if it is incomplete. An interim reply is dropped.
    fn read_head(&mut self) -> Result<bool, BadResponse> {
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Response::new(&mut fields);
        let head_len = match parsed.parse(&self.input) {
            Ok(Status::Complete(len)) => len,
            Ok(Status::Partial) if self.input.len() < RESPONSE_HEAD_BYTES_MAX => return Ok(false),
            Ok(Status::Partial) => return Err(BadResponse::TooLarge),
            Err(_) => return Err(BadResponse::Malformed),
        };
        let head = ResponseHead::from_parsed(&parsed).ok_or(BadResponse::Malformed)?;
        self.input.drain(..head_len);
        if !(100..200).contains(&head.status) {
            let framing = framing(&head)?;
            let keep_alive = head.keep_alive && !matches!(framing, ReplyFraming::UntilClose);
            self.head = Some((ResponseHead { keep_alive, ..head }, framing));
        }
        Ok(true)
    }

    fn read_body(&mut self) -> Result<(), BadResponse> {
        let Some((_, framing)) = &mut self.head else { return Ok(()) };
        let room = self.body_bytes_max.saturating_sub(self.body.len());
        let here = match framing {
            ReplyFraming::Chunked(chunked) => {
                let used = chunked.decode(&self.input, &mut self.body, self.body_bytes_max)?;
                self.input.drain(..used);
                return Ok(());
            }
            ReplyFraming::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX).min(self.input.len()),
            ReplyFraming::UntilClose => self.input.len(),
        };
        if here > room {
            return Err(BadResponse::TooLarge);
        }
        if self.body.is_empty() && here == self.input.len() {
            std::mem::swap(&mut self.body, &mut self.input);
        } else {
            self.body.extend_from_slice(&self.input[..here]);
            self.input.drain(..here);
        }
        if let ReplyFraming::Length(left) = framing {
            *left -= here as u64;
        }
        Ok(())
    }
}

impl ResponseHead {
    fn from_parsed(parsed: &httparse::Response<'_, '_>) -> Option<Self> {
        let headers = Headers::from_parsed(parsed.headers)?;
        let version = if parsed.version? == 0 { Version::Http10 } else { Version::Http11 };
        let keep_alive = keeps_alive(version, &headers);
        Some(Self { status: parsed.code?, reason: parsed.reason?.to_owned(), headers, keep_alive })
    }
}

/// RFC 9112, 6.3, for replies.
fn framing(head: &ResponseHead) -> Result<ReplyFraming, BadResponse> {
    if matches!(head.status, 204 | 304) {
        return Ok(ReplyFraming::Length(0));
    }
    if head.headers.lists("transfer-encoding", "chunked") {
        return Ok(ReplyFraming::Chunked(Chunked::Size));
    }
    match head.headers.get("content-length") {
        Some(length) => length.parse().map(ReplyFraming::Length).map_err(|_| BadResponse::Malformed),
        None => Ok(ReplyFraming::UntilClose),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A whole reply that ends by closing the connection, fed in two pieces.
    fn parse(bytes: &[u8], split: usize) -> Result<(u16, Vec<u8>, bool), BadResponse> {
        let mut parser = ResponseParser::new(64);
        parser.feed(&bytes[..split])?;
        parser.feed(&bytes[split..])?;
        let is_reusable = parser.is_reusable();
        parser.end_of_input()?;
        let status = parser.head().map(|head| head.status);
        Ok((status.unwrap(), parser.take_body(), is_reusable))
    }

    #[test]
    fn replies_are_read_however_they_are_split() {
        for (reply, status, body, is_reusable) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", true),
            ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", false),
            ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", true),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n",
                200,
                "hi!",
                true,
            ),
            ("HTTP/1.1 404 Not Found\r\n\r\nuntil the end", 404, "until the end", false),
            ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi unasked", 200, "hi", false),
        ] {
            for split in 0..=reply.len() {
                let expected = Ok((status, body.as_bytes().to_vec(), is_reusable));
                assert_eq!(parse(reply.as_bytes(), split), expected, "{reply} at {split}");
            }
        }
    }

    #[test]
    fn invalid_replies_are_rejected() {
        let endless_head = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(RESPONSE_HEAD_BYTES_MAX));
        let long_body = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(65));
        let long_chunk =
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n41\r\n{}", "x".repeat(65));
        for (reply, error) in [
            ("SSH-2.0-OpenSSH_9.6\r\n", BadResponse::Malformed),
            ("HTTP/2 200 OK\r\n\r\n", BadResponse::Malformed),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", BadResponse::Malformed),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", BadResponse::Malformed),
            ("", BadResponse::Truncated),
            ("HTTP/1.1 200 OK\r\n", BadResponse::Truncated),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", BadResponse::Truncated),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", BadResponse::Truncated),
            (&endless_head, BadResponse::TooLarge),
            (&long_body, BadResponse::TooLarge),
            (&long_chunk, BadResponse::TooLarge),
        ] {
            assert_eq!(parse(reply.as_bytes(), reply.len()), Err(error), "{reply}");
        }
    }

    #[test]
    fn an_endless_reply_is_read_as_it_arrives() {
        let mut parser = ResponseParser::new(8);
        parser.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        for _ in 0..10 {
            parser.feed(b"5\r\nline\n\r\n").unwrap();
            assert_eq!(parser.take_body(), b"line\n");
            assert!(!parser.is_complete());
        }
        assert_eq!(parser.end_of_input(), Err(BadResponse::Truncated));
    }

    #[test]
    fn requests_are_written_out() {
        let call =
            encode_request("POST", "/RPC2", "localhost", Some(("u", "p:w")), Some("text/xml"), b"<x/>");
        let expected = "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic dTpwOnc=\r\n\
            Content-Type: text/xml\r\nContent-Length: 4\r\n\r\n<x/>";
        assert_eq!(String::from_utf8(call).unwrap(), expected);
        let tail = encode_request("GET", "/logtail/w\u{e4}b 1", "", None, None, b"");
        assert_eq!(tail, b"GET /logtail/w%C3%A4b%201 HTTP/1.1\r\nHost: \r\n\r\n");
    }
}
