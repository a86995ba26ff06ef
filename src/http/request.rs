//! What a client asks for.

use super::Headers;
use super::target::Target;

/// The versions that are spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

impl Version {
    /// As it stands in a status line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }
}

/// One request, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, ...: any token, in the case in which it was sent.
    pub method: String,
    /// As it was sent; text that is not ASCII may or may not be percent-encoded.
    pub target: String,
    /// The target's path, percent-decoded.
    pub path: String,
    /// What follows the target's question mark, not decoded.
    pub query: Option<String>,
    /// The version of the client.
    pub version: Version,
    /// All header fields.
    pub headers: Headers,
    /// Empty if there is none.
    pub body: Vec<u8>,
    /// Whether the client wants to go on after the answer.
    pub keep_alive: bool,
}

impl Request {
    /// The request that this head starts; its body is to come. `None` if header values are no text.
    pub(super) fn from_head(head: &httparse::Request<'_, '_>) -> Option<Self> {
        let headers = Headers::from_parsed(head.headers)?;
        let version = if head.version? == 0 { Version::Http10 } else { Version::Http11 };
        let target = head.path?.to_owned();
        let Target { path, query } = Target::parse(&target);
        let keep_alive = keeps_alive(version, &headers);
        let method = head.method?.to_owned();
        Some(Self { method, target, path, query, version, headers, body: Vec::new(), keep_alive })
    }

    /// The first value of this header field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }
}

/// HTTP/1.1 goes on unless told otherwise, HTTP/1.0 ends unless told otherwise.
pub(super) fn keeps_alive(version: Version, headers: &Headers) -> bool {
    let says = |word| headers.lists("connection", word);
    !says("close") && (version == Version::Http11 || says("keep-alive"))
}
