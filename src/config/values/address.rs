//! Addresses to listen on.

use std::net::Ipv6Addr;

use super::numbers::integer;
use crate::python::quote;

/// `9001`, `:9001`, `*:9001` (all three: every address), `host:9001` or `[::1]:9001`. The host is returned in
/// lower case and without brackets, empty for every address.
pub(crate) fn inet_address(text: &str) -> Result<(String, u16), String> {
    let Some((host, port)) = text.rsplit_once(':') else {
        let port = port_number(text).map_err(|_| format!("not a valid port number: {}", quote(text)))?;
        return Ok((String::new(), port));
    };
    if port.is_empty() {
        return Err("no port number specified in ''".to_owned());
    }
    let port = port_number(port)?;
    let host = if host == "*" { String::new() } else { host_name(host)? };
    Ok((host, port))
}

/// COMPAT: Supervisor does not support IPv6.
fn host_name(host: &str) -> Result<String, String> {
    match host.strip_prefix('[') {
        Some(rest) => {
            let inner = rest.strip_suffix(']').filter(|inner| inner.parse::<Ipv6Addr>().is_ok());
            inner.map(str::to_lowercase).ok_or_else(|| format!("not an IPv6 address: {}", quote(host)))
        }
        None if host.contains(':') => {
            Err(format!("an IPv6 address stands in brackets, as in [::1]:9001: {}", quote(host)))
        }
        None => Ok(host.to_lowercase()),
    }
}

/// 1 to 65535.
pub(crate) fn port_number(text: &str) -> Result<u16, String> {
    match integer(text)? {
        number @ ..1 => Err(format!("{number} is below lower bound (1)")),
        number => u16::try_from(number).map_err(|_| format!("{number} is above upper bound (65535)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, host, port) in [
            ("9001", "", 9001),
            (":9001", "", 9001),
            ("*:9001", "", 9001),
            ("LocalHost:65535", "localhost", 65535),
            ("[::1]:1", "::1", 1),
            ("[FE80::1]:9001", "fe80::1", 9001),
            ("[::]:9001", "::", 9001),
            ("127.0.0.1: 80 ", "127.0.0.1", 80),
        ] {
            assert_eq!(inet_address(text), Ok((host.to_owned(), port)), "{text}");
        }
        for (text, expected) in [
            ("foo", "not a valid port number: 'foo'"),
            ("0", "not a valid port number: '0'"),
            ("", "not a valid port number: ''"),
            ("host:", "no port number specified in ''"),
            ("host:foo", "not a valid integer: 'foo'"),
            ("host:0", "0 is below lower bound (1)"),
            ("[::1:9001", "not an IPv6 address: '[::1'"),
            ("[nope]:9001", "not an IPv6 address: '[nope]'"),
            ("::1:9001", "an IPv6 address stands in brackets, as in [::1]:9001: '::1'"),
            (":70000", "70000 is above upper bound (65535)"),
        ] {
            assert_eq!(inet_address(text), Err(expected.to_owned()), "{text}");
        }
    }
}
