//! Whether the host name of a request can be trusted: the guard against DNS rebinding.
//!
//! The owner of a domain can let its name mean the address of another machine, even 127.0.0.1. To a browser, a page
//! from there and a server here are then one site: the page's scripts read and send everything, and all that
//! remains of the attack is the name in `Host`, which scripts can't set.

use std::net::IpAddr;

use super::Request;

/// Whether no page of another site can have led a browser to this host: it is an address, a name that nobody can
/// register (without a dot, or below `localhost`), or one of `names`, which are in lower case; there, `.example.com` means
/// all names below it, and `*` all names. A request without a host comes from no browser.
#[must_use]
pub fn has_trusted_host(request: &Request, names: &[String]) -> bool {
    request.headers.all("host").all(|host| is_trusted(host, names))
}

fn is_trusted(host: &str, names: &[String]) -> bool {
    let name = without_port(host.trim()).to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    let is_listed = |listed: &String| match listed.strip_prefix('.') {
        Some(_) => name.ends_with(listed.as_str()),
        None => listed == "*" || listed == name,
    };
    let is_address = || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    !name.contains('.') && !name.contains(':')
        || is_address()
        || name.ends_with(".localhost")
        || names.iter().any(is_listed)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Connection;
    use super::*;

    #[test]
    fn only_names_that_nobody_else_can_own_are_trusted() {
        let names = ["sv.example.com", ".lan.example.org"].map(str::to_owned);
        for (host, expected) in [
            ("", true),
            ("localhost", true),
            ("LocalHost.:9001", true),
            ("a.b.localhost:9001", true),
            ("web:9001", true),
            ("127.0.0.1", true),
            ("10.0.0.1:9001", true),
            ("[::1]", true),
            ("[::1]:9001", true),
            ("::1", true),
            ("SV.example.com:443", true),
            ("sv.example.com.", true),
            ("x.lan.example.org", true),
            ("lan.example.org", false),
            ("xlan.example.org", false),
            ("x.sv.example.com", false),
            ("evil.com", false),
            ("evil.com:9001", false),
            ("evil.com:", false),
            ("evil.com:x", false),
            ("localhost.evil.com:9001", false),
            ("127.0.0.1.evil.com", false),
            ("127.0.0.1:9001:evil.com", false),
            ("evillocalhost.com", false),
        ] {
            let mut connection = Connection::new();
            connection.feed(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
            let request = connection.next_request().unwrap().unwrap();
            assert_eq!(has_trusted_host(&request, &names), expected, "{host}");
            assert!(has_trusted_host(&request, &["*".to_owned()]), "{host}");
        }
        let mut connection = Connection::new();
        connection.feed(b"GET / HTTP/1.0\r\n\r\n");
        assert!(has_trusted_host(&connection.next_request().unwrap().unwrap(), &[]));
    }

    #[test]
    fn each_of_several_hosts_has_to_be_trusted() {
        let mut connection = Connection::new();
        connection.feed(b"GET / HTTP/1.1\r\nHost: web\r\nHost: evil.com\r\n\r\n");
        assert!(!has_trusted_host(&connection.next_request().unwrap().unwrap(), &[]));
    }
}
