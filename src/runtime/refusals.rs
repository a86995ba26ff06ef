//! Requests that are refused: the response, in the format of what was asked for, and how many lines the activity log
//! gets about them, since a client can repeat them without end.

use std::borrow::Cow;
use std::time::Duration;

use crate::api::{self, is_api};
use crate::http::{Rejection, Response};
use crate::metrics::MonitoringPath;
use crate::model::{Mono, counted};

/// The format of a response about a request that is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RefusalFormat {
    /// HTML, for pages and for XML-RPC, whose clients read only the status.
    #[default]
    Page,
    /// An error of the JSON API.
    Json,
    /// Plain text, for metrics and probes.
    Text,
}

impl RefusalFormat {
    /// The format for what is below a path.
    pub(super) fn of(path: &str) -> Self {
        match MonitoringPath::of(path) {
            Some(_) => Self::Text,
            None if is_api(path) => Self::Json,
            None => Self::Page,
        }
    }
}

/// Why a request is refused before anything is done for it. The text is our own.
#[derive(Debug)]
pub(super) struct RequestRefusal {
    status: u16,
    name: &'static str,
    text: Cow<'static, str>,
}

impl RequestRefusal {
    fn new(status: u16, name: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status, name, text: text.into() }
    }

    /// The client has no valid credentials, or its server is gone.
    pub(super) fn unauthorized() -> Self {
        let needed = "a user name and a password of the supervisor's configuration are needed";
        Self::new(401, "UNAUTHORIZED", needed)
    }

    pub(super) fn forbidden(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(403, "FORBIDDEN", text)
    }

    /// The host is no host, or is named twice.
    pub(super) fn malformed_host() -> Self {
        Self::new(
            400,
            "BAD_REQUEST",
            "the field Host is not one host name or address, with or without a port",
        )
    }

    /// The server has no such path.
    pub(super) fn not_found() -> Self {
        Self::new(404, "NOT_FOUND", "this server has only metrics and probes")
    }

    /// What only reads has no such method.
    pub(super) fn method_not_allowed() -> Self {
        Self::new(405, "METHOD_NOT_ALLOWED", "only GET and HEAD are allowed")
    }

    /// Other connections hold too much memory.
    pub(super) fn unavailable() -> Self {
        Self::new(503, "UNAVAILABLE", "too many requests and replies are under way; try again")
    }

    /// The last response of its connection.
    pub(super) fn response(self, format: RefusalFormat) -> Response {
        let Self { status, name, text } = self;
        let response = match format {
            RefusalFormat::Page => Response::explained(status, &format!("<p>{name}: {text}</p>\n")),
            // It has the name in a member of its own.
            RefusalFormat::Json => api::refusal(status, name, text.into_owned()),
            RefusalFormat::Text => Response::new(status)
                .body("text/plain; charset=utf-8", format!("{name}: {text}\n"))
                .header("X-Content-Type-Options", "nosniff"),
        };
        match status {
            401 => response.challenging(),
            405 => response.header("Allow", "GET, HEAD"),
            _ => response,
        }
        .closing()
    }
}

impl From<Rejection> for RequestRefusal {
    fn from(rejection: Rejection) -> Self {
        let name = match rejection {
            Rejection::Malformed => "BAD_REQUEST",
            Rejection::BodyTooLarge => "CONTENT_TOO_LARGE",
            Rejection::HeadTooLarge => "HEADER_TOO_LARGE",
            Rejection::UnknownCoding => "NOT_IMPLEMENTED",
        };
        Self::new(rejection.status(), name, rejection.to_string())
    }
}

/// Lines in a [`REFUSAL_WINDOW`]; what is refused beyond that is counted.
const REFUSAL_LINES_MAX: u32 = 10;

/// The time in which lines are counted. It begins with the first of them.
const REFUSAL_WINDOW: Duration = Duration::from_secs(10);

/// The lines of the current window.
#[derive(Debug, Default)]
pub(super) struct RefusalLog {
    began: Option<Mono>,
    lines: u32,
    omitted: u64,
}

impl RefusalLog {
    /// The line about a refusal, if there is room for it. It says how many were omitted before.
    pub(super) fn line(&mut self, now: Mono, text: &str) -> Option<String> {
        if self.began.is_none_or(|began| began.after(REFUSAL_WINDOW) <= now) {
            (self.began, self.lines) = (Some(now), 0);
        }
        if self.lines == REFUSAL_LINES_MAX {
            self.omitted = self.omitted.saturating_add(1);
            return None;
        }
        self.lines += 1;
        Some(match std::mem::take(&mut self.omitted) {
            0 => format!("refused {text}"),
            omitted => {
                let omitted = counted(omitted, "more refusal before it was", "more refusals before it were");
                format!("refused {text} ({omitted} not logged)")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Version;

    #[test]
    fn a_refusal_has_the_format_of_what_was_asked_for() {
        use RefusalFormat::{Json, Page, Text};
        for (path, format) in [
            ("/api/v1/processes", Json),
            ("/api", Json),
            ("/apis", Page),
            ("/metrics", Text),
            ("/readyz", Text),
            ("/readyz/", Page),
            ("/RPC2", Page),
            ("/", Page),
        ] {
            assert_eq!(RefusalFormat::of(path), format, "{path}");
        }
        let content = |format| {
            let response = RequestRefusal::forbidden("no").response(format);
            assert!(response.status == 403 && response.closes());
            String::from_utf8(response.content().to_vec()).unwrap()
        };
        assert!(content(Page).contains("<h1>403 Forbidden</h1>\n<p>FORBIDDEN: no</p>"));
        assert_eq!(content(Text), "FORBIDDEN: no\n");
        let json = "{\"error\":{\"code\":null,\"name\":\"FORBIDDEN\",\"message\":\"no\"}}";
        assert_eq!(content(Json), json);
        for format in [Json, Page, Text] {
            let response = RequestRefusal::unauthorized().response(format);
            let head = String::from_utf8(response.encode_head(true, Version::Http11, "now")).unwrap();
            assert!(head.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{head}");
            assert!(head.contains("\r\nWWW-Authenticate: Basic realm=\"default\"\r\n"), "{head}");
            assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
        }
    }

    #[test]
    fn refusals_beyond_the_bound_are_counted() {
        let (mut log, start) = (RefusalLog::default(), Mono::default().after(REFUSAL_WINDOW));
        let lines =
            |log: &mut RefusalLog, now| (0..13).filter_map(|_| log.line(now, "x")).collect::<Vec<_>>();
        assert_eq!(lines(&mut log, start), ["refused x"; 10]);
        assert_eq!(log.line(start, "x"), None);
        let later = lines(&mut log, start.after(REFUSAL_WINDOW));
        assert_eq!(later[0], "refused x (4 more refusals before it were not logged)");
        assert_eq!(later[1..], ["refused x"; 9]);
    }
}
