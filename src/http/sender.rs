//! Who caused a request: the user, or a page of another site.
//!
//! A browser sends the requests of any page, with the user's credentials, and to addresses that only the user
//! can reach. Its headers describe the origin of the page:
//!
//! * `Sec-Fetch-Site` states it directly, over TLS and for localhost;
//! * `Origin` and `Referer` name the page's origin, which is ours if it is the requested host. A proxy in
//!   between has to forward that, as `Host` or `X-Forwarded-Host`; pages can't set either.
//!
//! A page can suppress its name. A browser that sends no origin can't be distinguished from one that was
//! tricked; a program that is not a browser has no pages.

use super::Request;

/// The cause of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A page of this server, or an address that the user typed.
    OwnPage,
    /// A page of another server.
    ForeignPage,
    /// A browser that sends no origin.
    SilentBrowser,
    /// A client without pages, like curl.
    Program,
}

impl Sender {
    /// Derives the cause from the headers of a request.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let origin = ["origin", "referer"].into_iter().find_map(|name| request.header(name));
        match (request.header("sec-fetch-site"), origin) {
            (Some("same-origin" | "none"), _) => Self::OwnPage,
            (Some(_), _) => Self::ForeignPage,
            (None, Some(url)) if is_ours(request, url) => Self::OwnPage,
            (None, Some(_)) => Self::ForeignPage,
            (None, None) if is_browser(request) => Self::SilentBrowser,
            (None, None) => Self::Program,
        }
    }
}

/// Whether a page came from the requested host. Schemes are not compared: a proxy may change them.
fn is_ours(request: &Request, url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let asked = ["host", "x-forwarded-host"].into_iter().filter_map(|name| request.header(name));
    !host.is_empty() && asked.into_iter().any(|asked| asked.eq_ignore_ascii_case(host))
}

/// Whether the client is a browser. For thirty years every browser has had this prefix.
#[must_use]
pub fn is_browser(request: &Request) -> bool {
    let is_named = request.header("user-agent").is_some_and(|agent| agent.starts_with("Mozilla/"));
    is_named || request.header("sec-fetch-site").is_some()
}

/// Whether the request may have been sent by a script of a page. Every browser says which languages it prefers, and
/// a script can't prevent that, whatever it calls itself.
#[must_use]
pub fn may_be_a_page(request: &Request) -> bool {
    is_browser(request) || ["accept-language", "origin"].iter().any(|name| request.header(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::super::Connection;
    use super::*;

    #[test]
    fn headers_reveal_the_sender_of_a_request() {
        use Sender::*;
        for (fields, sender) in [
            ("", Program),
            ("User-Agent: curl/8.5.0", Program),
            ("User-Agent: Mozilla/5.0 (X11)", SilentBrowser),
            ("Sec-Fetch-Site: same-origin", OwnPage),
            ("Sec-Fetch-Site: none\r\nUser-Agent: Mozilla/5.0", OwnPage),
            ("Sec-Fetch-Site: same-site", ForeignPage),
            ("Sec-Fetch-Site: cross-site\r\nOrigin: http://here:9001", ForeignPage),
            // A proxy that changed the host, and a browser that also sends `Sec-Fetch-Site`.
            ("Sec-Fetch-Site: same-origin\r\nOrigin: https://proxy", OwnPage),
            ("Origin: http://here:9001", OwnPage),
            ("Origin: https://HERE:9001", OwnPage),
            ("Origin: http://here", ForeignPage),
            ("Origin: http://here:9001.evil.org", ForeignPage),
            ("Origin: http://evil.org\r\nReferer: http://here:9001/", ForeignPage),
            ("Origin: null", ForeignPage),
            ("Origin:", ForeignPage),
            ("Referer: http://here:9001/index.html?action=refresh", OwnPage),
            ("Referer: http://evil.org/http://here:9001/", ForeignPage),
            ("Referer: http://evil.org?http://here:9001", ForeignPage),
            ("Referer: http://here:9001@evil.org/", ForeignPage),
            ("Referer: https://proxy/sv/\r\nX-Forwarded-Host: proxy", OwnPage),
        ] {
            let mut connection = Connection::new();
            connection.feed(format!("GET / HTTP/1.1\r\nHost: here:9001\r\n{fields}\r\n\r\n").as_bytes());
            // A blank line in the middle ends the head: the first case.
            let request = connection.next_request().unwrap().unwrap();
            assert_eq!(Sender::of(&request), sender, "{fields}");
        }
        let mut connection = Connection::new();
        connection.feed(b"GET / HTTP/1.1\r\nHost:\r\nOrigin: file:///x\r\n\r\n");
        assert_eq!(Sender::of(&connection.next_request().unwrap().unwrap()), ForeignPage);
    }
}
