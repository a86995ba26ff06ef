//! The server's side of one connection: bytes to requests, one at a time.
//!
//! ```text
//! Head ──head complete──▶ Body ──body complete──▶ Handed ──respond──▶ Head, or Closed
//!   └──────────── rejected ─┴───────────────────────┴──begin_stream──▶ Streaming ──▶ Closed
//! ```
//!
//! A rejected connection is Closed as well.

use std::fmt;
use std::mem;

use httparse::Status;

use super::body::PendingBody;
use super::chunked::{self, ChunkError};
use super::{Request, Response, Version};

/// The maximum size of the request line and header fields. Supervisor has no bound.
pub const REQUEST_HEAD_BYTES_MAX: usize = 16 * 1024;

/// The maximum size of a request body. Supervisor has no bound; its clients send some hundred bytes, or data
/// for a child's stdin.
pub const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The maximum number of header fields of a request.
pub const HEADERS_MAX: usize = 64;

/// The maximum of input that is read ahead while a request is being answered. A read that exceeds it is kept
/// whole; then reading stops.
pub const PIPELINED_BYTES_MAX: usize = 16 * 1024;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Why a request is rejected. The client gets one last response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Not HTTP/1.x, or with an ambiguous end.
    Malformed,
    /// More than [`BODY_BYTES_MAX`].
    BodyTooLarge,
    /// More than [`REQUEST_HEAD_BYTES_MAX`] or [`HEADERS_MAX`].
    HeadTooLarge,
    /// A transfer coding other than `chunked`.
    UnknownCoding,
}

impl Rejection {
    /// The status of the last response.
    ///
    /// The client may still be sending: closing a socket with unread bytes can discard the response. The
    /// owner should shut down its writing half first.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::BodyTooLarge => 413,
            Self::HeadTooLarge => 431,
            Self::UnknownCoding => 501,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed request",
            Self::BodyTooLarge => "request body too large",
            Self::HeadTooLarge => "request head too large",
            Self::UnknownCoding => "unknown transfer coding",
        })
    }
}

impl std::error::Error for Rejection {}

impl From<ChunkError> for Rejection {
    fn from(error: ChunkError) -> Self {
        match error {
            ChunkError::Malformed => Self::Malformed,
            ChunkError::TooLarge => Self::BodyTooLarge,
        }
    }
}

/// The properties of a request that its response depends on.
#[derive(Clone, Copy, Debug)]
struct Manner {
    keep_alive: bool,
    version: Version,
    without_body: bool,
}

impl Manner {
    fn of(request: &Request) -> Self {
        let Request { keep_alive, version, .. } = *request;
        Self { keep_alive, version, without_body: request.method == "HEAD" }
    }
}

#[derive(Debug)]
enum Stage {
    Head,
    Body(Box<PendingBody>),
    Handed(Manner),
    Streaming(Version),
    Closed,
}

/// The connection of one client.
#[derive(Debug)]
pub struct Connection {
    /// Input that was not parsed yet.
    input: Vec<u8>,
    stage: Stage,
}

impl Default for Connection {
    fn default() -> Self {
        Self::new()
    }
}

impl Connection {
    /// A new connection.
    #[must_use]
    pub fn new() -> Self {
        Self { input: Vec::new(), stage: Stage::Head }
    }

    /// Adds bytes from the client.
    pub fn feed(&mut self, bytes: &[u8]) {
        if !self.is_closing() && !self.is_streaming() {
            self.input.extend_from_slice(bytes);
        }
    }

    /// Whether to read from the client. Not while too much is read ahead, and not after the last request.
    /// During a stream only to notice that the client is gone.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        match self.stage {
            Stage::Head | Stage::Body(_) | Stage::Streaming(_) => true,
            Stage::Handed(_) => self.input.len() < PIPELINED_BYTES_MAX,
            Stage::Closed => false,
        }
    }

    /// The head of the next request, once, as soon as it is complete: a request without permission is
    /// answered now ([`Connection::respond`]), before its body is buffered. Otherwise
    /// [`Connection::next_request`] continues.
    ///
    /// # Errors
    ///
    /// If the input is not a valid head. Nothing more is read from this connection then. That its body is not accepted is an
    /// error of [`Connection::next_request`].
    pub fn next_head(&mut self) -> Result<Option<&Request>, Rejection> {
        if matches!(self.stage, Stage::Head) {
            match self.read_head() {
                Ok(Some(pending)) => self.stage = Stage::Body(Box::new(pending)),
                Ok(None) => {}
                Err(rejection) => {
                    self.close();
                    return Err(rejection);
                }
            }
        }
        match &mut self.stage {
            Stage::Body(pending) => Ok(pending.take_head()),
            Stage::Head | Stage::Handed(_) | Stage::Streaming(_) | Stage::Closed => Ok(None),
        }
    }

    /// The next request, if it is complete and the previous one is answered.
    ///
    /// # Errors
    ///
    /// If the input is not a valid request. Nothing more is read from this connection then.
    pub fn next_request(&mut self) -> Result<Option<Request>, Rejection> {
        let next = self.advance();
        if next.is_err() {
            self.close();
        }
        next
    }

    /// Bytes to send while a request is incomplete: the `100 Continue` that a client requested (`Expect:
    /// 100-continue`), once.
    pub fn take_interim(&mut self) -> Option<&'static [u8]> {
        match &mut self.stage {
            Stage::Body(pending) => pending.take_continue().then_some(CONTINUE),
            Stage::Head | Stage::Handed(_) | Stage::Streaming(_) | Stage::Closed => None,
        }
    }

    /// The response to the last request, or to a rejection. `date` is the current time as formatted by
    /// [`super::http_date`].
    #[must_use]
    pub fn respond(&mut self, response: &Response, date: &str) -> Vec<u8> {
        self.respond_in_parts(response.clone(), date).concat()
    }

    /// The same as head and body: a large body is not copied.
    #[must_use]
    pub fn respond_in_parts(&mut self, response: Response, date: &str) -> [Vec<u8>; 2] {
        let manner = match &self.stage {
            Stage::Handed(manner) => *manner,
            // The rest of the body may still arrive, so this is the last response.
            Stage::Body(pending) => Manner { keep_alive: false, ..Manner::of(&pending.request) },
            _ => Manner { keep_alive: false, version: Version::Http11, without_body: false },
        };
        if manner.keep_alive && !response.closes() {
            self.stage = Stage::Head;
        } else {
            self.close();
        }
        let head = response.encode_head(manner.keep_alive, manner.version, date);
        let body = if manner.without_body { Vec::new() } else { response.into_content() };
        [head, body]
    }

    /// The head of a response that continues until [`Connection::end_stream`]. Further input is ignored. To a HEAD request it
    /// is the whole response, and the last one: [`Connection::is_streaming`] is false then.
    #[must_use]
    pub fn begin_stream(&mut self, response: &Response, date: &str) -> Vec<u8> {
        let (version, without_body) = match self.stage {
            Stage::Handed(manner) => (manner.version, manner.without_body),
            _ => (Version::Http11, false),
        };
        if without_body {
            self.close();
        } else {
            self.stage = Stage::Streaming(version);
        }
        self.input = Vec::new();
        response.encode_stream_head(version, date)
    }

    /// The bytes of a piece of the stream.
    #[must_use]
    pub fn piece(&self, bytes: &[u8]) -> Vec<u8> {
        match self.stage {
            Stage::Streaming(Version::Http11) => chunked::chunk(bytes),
            _ => bytes.to_vec(),
        }
    }

    /// The bytes that end the stream, and the connection, since some clients wait for that.
    #[must_use]
    pub fn end_stream(&mut self) -> &'static [u8] {
        let is_chunked = matches!(self.stage, Stage::Streaming(Version::Http11));
        self.close();
        if is_chunked { chunked::LAST_CHUNK } else { b"" }
    }

    /// Whether a response has begun and not ended.
    #[must_use]
    pub fn is_streaming(&self) -> bool {
        matches!(self.stage, Stage::Streaming(_))
    }

    /// Whether the connection is closed once everything is sent.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        matches!(self.stage, Stage::Closed)
    }

    /// The memory used by input.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let body = match &self.stage {
            Stage::Body(pending) => pending.held_bytes(),
            Stage::Head | Stage::Handed(_) | Stage::Streaming(_) | Stage::Closed => 0,
        };
        self.input.capacity() + body
    }

    /// Whether there is input that may contain another request.
    #[must_use]
    pub fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Whether no request is pending.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Head) && self.input.is_empty()
    }

    /// Whether a request is incomplete.
    #[must_use]
    pub fn mid_request(&self) -> bool {
        matches!(self.stage, Stage::Head | Stage::Body(_)) && !self.is_idle()
    }

    fn close(&mut self) {
        self.stage = Stage::Closed;
        self.input = Vec::new();
    }

    fn advance(&mut self) -> Result<Option<Request>, Rejection> {
        let mut pending = match mem::replace(&mut self.stage, Stage::Head) {
            Stage::Head => match self.read_head()? {
                Some(pending) => Box::new(pending),
                None => return Ok(None),
            },
            Stage::Body(pending) => pending,
            stage @ (Stage::Handed(_) | Stage::Streaming(_) | Stage::Closed) => {
                self.stage = stage;
                return Ok(None);
            }
        };
        let is_complete = pending.read_body(&mut self.input)?;
        // A large buffer is released, as the connection may stay idle for long.
        if self.input.is_empty() {
            self.input = Vec::new();
        }
        if !is_complete {
            self.stage = Stage::Body(pending);
            return Ok(None);
        }
        self.stage = Stage::Handed(Manner::of(&pending.request));
        Ok(Some(pending.request))
    }

    /// Takes a complete head from the input.
    fn read_head(&mut self) -> Result<Option<PendingBody>, Rejection> {
        drop_blank_lines(&mut self.input);
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Request::new(&mut fields);
        let bounded = &self.input[..self.input.len().min(REQUEST_HEAD_BYTES_MAX)];
        let head_len = match head.parse(bounded) {
            Ok(Status::Complete(len)) => len,
            Ok(Status::Partial) if bounded.len() < REQUEST_HEAD_BYTES_MAX => return Ok(None),
            Ok(Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                return Err(Rejection::HeadTooLarge);
            }
            Err(_) => return Err(Rejection::Malformed),
        };
        let request = Request::from_head(&head).ok_or(Rejection::Malformed)?;
        self.input.drain(..head_len);
        Ok(Some(PendingBody::new(request)))
    }
}

/// Supervisor's tail client sends one line break too many after its request, and blank lines may precede a
/// request. They are skipped and not counted.
fn drop_blank_lines(input: &mut Vec<u8>) {
    let mut blank = 0;
    while let Some(line) =
        [b"\r\n".as_slice(), b"\n"].into_iter().find(|line| input[blank..].starts_with(line))
    {
        blank += line.len();
    }
    input.drain(..blank);
}
