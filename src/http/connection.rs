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

use super::body::Pending;
use super::chunked::{self, ChunkError};
use super::{Request, Response, Version};

/// Request line and header fields together. Supervisor has no bound.
pub const REQUEST_HEAD_BYTES_MAX: usize = 16 * 1024;

/// A request's body. Supervisor has no bound; what its clients send is some hundred bytes, or what
/// is written to a child's stdin.
pub const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Header fields of a request.
pub const HEADERS_MAX: usize = 64;

/// What may be read ahead while a request waits for its answer. A feed that crosses it is kept
/// whole; none is wanted after that.
pub const PIPELINED_BYTES_MAX: usize = 16 * 1024;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Why a connection can't go on. It is told in one last answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Not HTTP/1.x, or ambiguous about where it ends.
    Malformed,
    /// A POST that doesn't say how long it is.
    LengthRequired,
    /// More than [`BODY_BYTES_MAX`].
    BodyTooLarge,
    /// More than [`REQUEST_HEAD_BYTES_MAX`] or [`HEADERS_MAX`].
    HeadTooLarge,
    /// A transfer coding other than `chunked`.
    UnknownCoding,
}

impl Rejection {
    /// The last answer.
    ///
    /// Its sender may still be sending: a socket that is closed with bytes unread can take the
    /// answer back. The owner had better shut down its writing half first.
    #[must_use]
    pub fn response(self) -> Response {
        Response::error(self.status()).closing()
    }

    fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::LengthRequired => 411,
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
            Self::LengthRequired => "POST without a length",
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

/// What of a request its answer depends on.
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
    Body(Box<Pending>),
    Handed(Manner),
    Streaming(Version),
    Closed,
}

/// One client.
#[derive(Debug)]
pub struct Connection {
    /// What was fed and not yet used.
    input: Vec<u8>,
    stage: Stage,
}

impl Default for Connection {
    fn default() -> Self {
        Self::new()
    }
}

impl Connection {
    /// A client that has said nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { input: Vec::new(), stage: Stage::Head }
    }

    /// Takes bytes that the client sent.
    pub fn feed(&mut self, bytes: &[u8]) {
        if !self.is_closing() && !self.is_streaming() {
            self.input.extend_from_slice(bytes);
        }
    }

    /// Whether to read from the client now. Not while it sends ahead of its answers, and not once
    /// nothing more of it will be answered. During a stream only to learn that it is gone.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        match self.stage {
            Stage::Head | Stage::Body(_) | Stage::Streaming(_) => true,
            Stage::Handed(_) => self.input.len() < PIPELINED_BYTES_MAX,
            Stage::Closed => false,
        }
    }

    /// The head of the next request, once, as soon as it is complete: whoever may not ask is answered now
    /// ([`Connection::respond`]), before the body is kept. [`Connection::next_request`] goes on from here.
    ///
    /// # Errors
    ///
    /// As [`Connection::next_request`].
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

    /// The next request, if it is complete and the one before it is answered.
    ///
    /// # Errors
    ///
    /// When what was fed can't be a request. Nothing more is then read on this connection.
    pub fn next_request(&mut self) -> Result<Option<Request>, Rejection> {
        let next = self.advance();
        if next.is_err() {
            self.close();
        }
        next
    }

    /// Bytes to send while a request is still incomplete: a client that asked whether it may send
    /// the body (`Expect: 100-continue`) is told so, once.
    pub fn take_interim(&mut self) -> Option<&'static [u8]> {
        match &mut self.stage {
            Stage::Body(pending) => pending.take_continue().then_some(CONTINUE),
            Stage::Head | Stage::Handed(_) | Stage::Streaming(_) | Stage::Closed => None,
        }
    }

    /// The bytes that answer the request handed out last, or the last words after a rejection.
    /// `date` is what [`super::http_date`] makes of the present time.
    #[must_use]
    pub fn respond(&mut self, response: &Response, date: &str) -> Vec<u8> {
        self.respond_in_parts(response.clone(), date).concat()
    }

    /// The same as head and body: a large body is not copied.
    #[must_use]
    pub fn respond_in_parts(&mut self, response: Response, date: &str) -> [Vec<u8>; 2] {
        let manner = match &self.stage {
            Stage::Handed(manner) => *manner,
            // The rest of the body may be on its way, so this is the last answer.
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

    /// The first bytes of an answer that goes on until [`Connection::end_stream`]. What the client says
    /// from here on is dropped.
    #[must_use]
    pub fn begin_stream(&mut self, response: &Response, date: &str) -> Vec<u8> {
        let version = match self.stage {
            Stage::Handed(manner) => manner.version,
            _ => Version::Http11,
        };
        self.stage = Stage::Streaming(version);
        self.input = Vec::new();
        response.encode_stream_head(version, date)
    }

    /// The bytes that carry a piece of the stream.
    #[must_use]
    pub fn piece(&self, bytes: &[u8]) -> Vec<u8> {
        match self.stage {
            Stage::Streaming(Version::Http11) => chunked::chunk(bytes),
            _ => bytes.to_vec(),
        }
    }

    /// The bytes that end the stream, and with it the connection: a client that doesn't look at them
    /// waits for that.
    #[must_use]
    pub fn end_stream(&mut self) -> &'static [u8] {
        let is_chunked = matches!(self.stage, Stage::Streaming(Version::Http11));
        self.close();
        if is_chunked { chunked::LAST_CHUNK } else { b"" }
    }

    /// Whether an answer has begun that has no end yet.
    #[must_use]
    pub fn is_streaming(&self) -> bool {
        matches!(self.stage, Stage::Streaming(_))
    }

    /// Whether the connection ends as soon as everything is sent.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        matches!(self.stage, Stage::Closed)
    }

    /// Memory that is kept for what the client has sent so far.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let body = match &self.stage {
            Stage::Body(pending) => pending.held_bytes(),
            Stage::Head | Stage::Handed(_) | Stage::Streaming(_) | Stage::Closed => 0,
        };
        self.input.capacity() + body
    }

    /// Whether there is input that may hold another request.
    #[must_use]
    pub fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Whether nothing was asked and nothing is owed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Head) && self.input.is_empty()
    }

    /// Whether a request has begun and the rest of it is missing.
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
        // A client that once sent much shall not make us keep the room for it while it idles.
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

    /// Takes a complete head off the input.
    fn read_head(&mut self) -> Result<Option<Pending>, Rejection> {
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
        Pending::new(request).map(Some)
    }
}

/// Supervisor's tail client ends its request with one line break too many, and a request may be
/// preceded by such. They are no part of any request and count against no bound.
fn drop_blank_lines(input: &mut Vec<u8>) {
    let mut blank = 0;
    while let Some(line) =
        [b"\r\n".as_slice(), b"\n"].into_iter().find(|line| input[blank..].starts_with(line))
    {
        blank += line.len();
    }
    input.drain(..blank);
}
