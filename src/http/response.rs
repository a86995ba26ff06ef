//! Responses.

use super::Version;

/// The `Server` header; Supervisor's clients ignore it.
const SERVER: &str = "sv";

/// The same look as the pages, which load their style from a file.
const ERROR_STYLE: &str = ":root { color-scheme: light dark; } \
    body { margin: 0 auto; max-width: 80rem; padding: 1rem; color: #1c2024; background: #fff; \
    font: 1rem/1.5 system-ui, sans-serif; } h1 { font-size: 1.4rem; margin: 0 0 1rem; } \
    @media (prefers-color-scheme: dark) { body { color: #e4e7ea; background: #14171a; } }";

/// A complete response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Its status code.
    pub status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    closes: bool,
}

impl Response {
    /// A response without a body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), closes: false }
    }

    /// Status 200 with this body.
    #[must_use]
    pub fn ok(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new(200).body(content_type, body)
    }

    /// A page about a status. Its style is inline, since a client without access can't load files.
    #[must_use]
    pub fn error(status: u16) -> Self {
        Self::explained(
            status,
            match status {
                400 => "<p>The server does not understand this request.</p>\n",
                404 => "<p>There is nothing here.</p>\n",
                _ => "",
            },
        )
    }

    /// Like [`Response::error`], with a text of its own, which is HTML.
    #[must_use]
    pub fn explained(status: u16, sentence: &str) -> Self {
        let title = format!("{status} {}", reason(status));
        let page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{ERROR_STYLE}</style></head>\n\
             <body><h1>{title}</h1>\n{sentence}</body></html>\n"
        );
        Self::new(status).body("text/html", page)
    }

    /// Asks for a user name and a password.
    #[must_use]
    pub fn challenging(self) -> Self {
        self.header("WWW-Authenticate", "Basic realm=\"default\"")
    }

    /// Adds a header field. Line breaks in its value become blanks, so that it stays one field.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.replace(['\r', '\n'], " ")));
        self
    }

    /// Gives it this body.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("Content-Type", content_type)
    }

    /// Its body.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.body
    }

    /// Turns it into status 304 without a body, for a client that has the body already.
    #[must_use]
    pub fn not_modified(mut self) -> Self {
        self.status = 304;
        self
    }

    /// Makes it the last response of its connection.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.closes = true;
        self
    }

    /// Whether it is the last response of its connection.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.closes
    }

    /// The body as sent: with status 304 there is none.
    #[must_use]
    pub fn into_content(self) -> Vec<u8> {
        if self.status == 304 { Vec::new() } else { self.body }
    }

    /// The head, which is all that a HEAD request gets. `date` is the current time as formatted by
    /// [`super::http_date`].
    #[must_use]
    pub fn encode_head(&self, keep_alive: bool, version: Version, date: &str) -> Vec<u8> {
        let length = self.body.len().to_string();
        let mut framing = vec![("Content-Length", length.as_str())];
        match (keep_alive && !self.closes, version) {
            (false, _) => framing.push(("Connection", "close")),
            (true, Version::Http10) => framing.push(("Connection", "Keep-Alive")),
            (true, Version::Http11) => {}
        }
        self.head_with(version, date, &framing)
    }

    /// The head of a response of unknown length. Its body is chunked if the client supports that, and
    /// otherwise ends with the connection, which is closed in any case.
    #[must_use]
    pub fn encode_stream_head(&self, version: Version, date: &str) -> Vec<u8> {
        // Supervisor's tail client compares this value literally.
        let chunked = (version == Version::Http11).then_some(("Transfer-Encoding", "chunked"));
        let framing: Vec<_> = chunked.into_iter().chain([("Connection", "close")]).collect();
        self.head_with(version, date, &framing)
    }

    fn head_with(&self, version: Version, date: &str, framing: &[(&str, &str)]) -> Vec<u8> {
        let mut head = format!("{} {} {}\r\n", version.name(), self.status, reason(self.status));
        let own = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in [("Server", SERVER), ("Date", date)].into_iter().chain(own) {
            head.extend([name, ": ", value, "\r\n"]);
        }
        for (name, value) in framing {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// The reason phrase of a status code. Supervisor's tail client requires one in the status line.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

    impl Response {
        fn encode_all(self, keep_alive: bool, version: Version, date: &str) -> Vec<u8> {
            [self.encode_head(keep_alive, version, date), self.into_content()].concat()
        }
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn responses_have_their_length_and_keep_or_close_the_connection() {
        for (keep_alive, version, line, connection) in [
            (true, Version::Http11, "HTTP/1.1 200 OK", ""),
            (false, Version::Http11, "HTTP/1.1 200 OK", "Connection: close\r\n"),
            (true, Version::Http10, "HTTP/1.0 200 OK", "Connection: Keep-Alive\r\n"),
            (false, Version::Http10, "HTTP/1.0 200 OK", "Connection: close\r\n"),
        ] {
            let expected = format!(
                "{line}\r\nServer: sv\r\nDate: {DATE}\r\nContent-Type: text/xml\r\nContent-Length: 2\r\n{connection}\r\nhi"
            );
            assert_eq!(text(Response::ok("text/xml", "hi").encode_all(keep_alive, version, DATE)), expected);
        }
    }

    #[test]
    fn errors_are_pages() {
        let page = text(Response::error(404).encode_all(true, Version::Http11, DATE));
        assert!(page.starts_with("HTTP/1.1 404 Not Found\r\n"));
        assert!(page.contains("Content-Type: text/html\r\n"));
        assert!(page.ends_with("<h1>404 Not Found</h1>\n<p>There is nothing here.</p>\n</body></html>\n"));
        assert!(
            text(Response::error(599).encode_all(true, Version::Http11, DATE))
                .starts_with("HTTP/1.1 599 Unknown\r\n")
        );
    }

    #[test]
    fn a_field_stays_one_field() {
        let page = text(Response::new(302).header("Location", "/?a\r\nX: y").encode_all(
            true,
            Version::Http11,
            DATE,
        ));
        assert!(page.contains("\r\nLocation: /?a  X: y\r\n"));
    }

    #[test]
    fn a_head_has_the_length_of_the_body_it_lacks() {
        let head = text(Response::ok("text/plain", "hello").encode_head(true, Version::Http11, DATE));
        assert!(head.contains("\r\nContent-Length: 5\r\n") && head.ends_with("\r\n\r\n"));
        let kept = Response::ok("text/plain", "hello").not_modified().encode_all(true, Version::Http11, DATE);
        let kept = text(kept);
        assert!(kept.starts_with("HTTP/1.1 304 Not Modified\r\n"), "{kept}");
        assert!(kept.contains("\r\nContent-Length: 5\r\n") && kept.ends_with("\r\n\r\n"), "{kept}");
    }
}
