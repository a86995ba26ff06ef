//! Requests.

use super::Headers;
use super::target::{RequestTarget, segments};

/// The supported versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

impl Version {
    /// The name in a status line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }
}

/// A complete request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, ...: any token, case-sensitive.
    pub method: String,
    /// As sent; non-ASCII text may or may not be percent-encoded.
    pub target: String,
    /// The target's path, percent-decoded.
    pub path: String,
    /// The part after the target's question mark, not decoded.
    pub query: Option<String>,
    /// The version of the client.
    pub version: Version,
    /// All header fields.
    pub headers: Headers,
    /// Empty if there is none.
    pub body: Vec<u8>,
    /// Whether the client keeps the connection open after the response.
    pub keep_alive: bool,
}

impl Request {
    /// The request with this head and without its body. `None` if header values are not text.
    pub(super) fn from_head(head: &httparse::Request<'_, '_>) -> Option<Self> {
        let headers = Headers::from_parsed(head.headers)?;
        let version = if head.version? == 0 { Version::Http10 } else { Version::Http11 };
        let target = head.path?.to_owned();
        let RequestTarget { path, query } = RequestTarget::parse(&target);
        let keep_alive = keeps_alive(version, &headers);
        let method = head.method?.to_owned();
        Some(Self { method, target, path, query, version, headers, body: Vec::new(), keep_alive })
    }

    /// Whether it has a body, possibly an empty one. Without a length there is none (RFC 9112, 6.3).
    #[must_use]
    pub fn has_body(&self) -> bool {
        ["content-length", "transfer-encoding"].iter().any(|name| self.header(name).is_some())
    }

    /// Whether its method only reads.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        ["GET", "HEAD"].contains(&self.method.as_str())
    }

    /// The segments of the target's path, each percent-decoded. The first one is empty.
    #[must_use]
    pub fn segments(&self) -> Vec<String> {
        segments(&self.target)
    }

    /// The first value of this header field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }
}

/// HTTP/1.1 keeps the connection by default, HTTP/1.0 closes it by default.
pub(super) fn keeps_alive(version: Version, headers: &Headers) -> bool {
    let says = |word| headers.lists("connection", word);
    !says("close") && (version == Version::Http11 || says("keep-alive"))
}
