//! Whether the host of a request is well-formed, and whether its name can be trusted: the guard against DNS rebinding.
//!
//! The owner of a domain can let its name mean the address of another machine, even 127.0.0.1. To a browser, a page
//! from there and a server here are then one site: the page's scripts read and send everything, and all that
//! remains of the attack is the name in `Host`, which scripts can't set.

use std::net::{IpAddr, Ipv6Addr};

use super::Request;

/// Whether no page of another site can have led a browser to this host: it is an address, a name that cannot be
/// registered (without a dot, or below `localhost`), or one of `names`, which are in lower case; there, `.example.com` means
/// all names below it, and `*` all names. A request without a host comes from no browser.
#[must_use]
pub fn has_trusted_host(request: &Request, names: &[String]) -> bool {
    request.headers.all("host").all(|host| is_trusted(host, names))
}

/// Whether a request names at most one host, and that as HTTP spells it (RFC 9110, 7.2): a name or an address, IPv6 in
/// brackets, with or without a port. It may be empty, and clients of HTTP/1.0 leave it out.
#[must_use]
pub fn has_valid_host(request: &Request) -> bool {
    let mut hosts = request.headers.all("host");
    hosts.next().is_none_or(is_valid) && hosts.next().is_none()
}

fn is_valid(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if is_ipv6(address) => ("", port),
            _ => return false,
        },
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte);
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)) && name.bytes().all(is_part)
}

/// With or without the zone of a link-local address.
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, ""));
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
    address.parse::<Ipv6Addr>().is_ok() && zone.bytes().all(is_part)
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
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        let is_valid = |fields: &str| {
            let mut connection = Connection::new();
            connection.feed(format!("GET / HTTP/1.1\r\n{fields}\r\n").as_bytes());
            has_valid_host(&connection.next_request().unwrap().unwrap())
        };
        for host in [
            "",
            "localhost",
            "my_app:9001",
            "sv.example.com.",
            "a:",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:9001",
            "[fe80::1%eth0]:9001",
            "[fe80::1%25eth0]",
            "xn--wrk-fna",
        ] {
            assert!(is_valid(&format!("Host: {host}\r\n")), "{host}");
        }
        for host in [
            "a b",
            "a/b",
            "http://a",
            "me@a",
            "a:x",
            "a:1:2",
            "::1",
            "[::1",
            "[::1]x",
            "[x]",
            "a\\b",
            "w\u{f6}rk",
            "<b>",
            "a\"",
            "[::1%/]",
            "a?b",
            "a#b",
        ] {
            assert!(!is_valid(&format!("Host: {host}\r\n")), "{host}");
        }
        assert!(is_valid(""));
        assert!(!is_valid("Host: a\r\nHost: a\r\n"), "which of them counts?");
    }

    #[test]
    fn each_of_several_hosts_has_to_be_trusted() {
        let mut connection = Connection::new();
        connection.feed(b"GET / HTTP/1.1\r\nHost: web\r\nHost: evil.com\r\n\r\n");
        assert!(!has_trusted_host(&connection.next_request().unwrap().unwrap(), &[]));
    }
}
