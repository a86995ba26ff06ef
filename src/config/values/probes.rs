//! `ready` and `health`: checks of the form `kind:argument`.

use std::path::PathBuf;

use super::super::options::nearest;
use super::numbers::integer;
use super::{BadValue, inet_address, port_number};
use crate::model::{HealthCheck, Probe, ReadyCheck};
use crate::python::quote;
use crate::python::split_command;

/// Lower descriptors are the standard streams.
const FD_MIN: i64 = 3;

/// The highest descriptor that a program can get: the usual soft limit is 1,024.
const FD_MAX: i64 = 1023;

/// The maximum size of a compiled regular expression.
const REGEX_BYTES_MAX: usize = 1024 * 1024;

/// The host of probes that name none.
const LOCAL_HOST: &str = "127.0.0.1";

const READY_KINDS: &str = "startsecs, notify, fd:N, tcp:[HOST:]PORT, unix:PATH, http://HOST:PORT/PATH, exec:COMMAND, \
    file:PATH and log:REGEX";

const HEALTH_KINDS: &str = "notify, tcp:[HOST:]PORT, unix:PATH, http://HOST:PORT/PATH and exec:COMMAND";

/// A condition of `ready`.
pub(crate) fn ready_check(text: &str) -> Result<ReadyCheck, BadValue> {
    let kind = kind(text);
    let rest = text[kind.len()..].strip_prefix(':').unwrap_or_default();
    match kind {
        "startsecs" if text == kind => Ok(ReadyCheck::StartSecs),
        "notify" if text == kind => Ok(ReadyCheck::Notify),
        "fd" => match integer(rest) {
            Ok(number @ FD_MIN..=FD_MAX) => Ok(ReadyCheck::Fd(u16::try_from(number).unwrap_or_default())),
            _ => Err(bad(text, &format!("the descriptor is a number from {FD_MIN} to {FD_MAX}"))),
        },
        "file" => Ok(ReadyCheck::File(absolute(text, rest)?)),
        "log" => Ok(ReadyCheck::Log(regex(text, rest)?)),
        _ => match probe(kind, rest, text) {
            Some(probe) => probe.map(ReadyCheck::Probe),
            None => Err(unknown(text, READY_KINDS, &["startsecs", "notify", "fd", "file", "log"])),
        },
    }
}

/// `health`
pub(crate) fn health_check(text: &str) -> Result<HealthCheck, BadValue> {
    let kind = kind(text);
    let rest = text[kind.len()..].strip_prefix(':').unwrap_or_default();
    match kind {
        "notify" if text == kind => Ok(HealthCheck::Notify),
        _ => match probe(kind, rest, text) {
            Some(probe) => probe.map(HealthCheck::Probe),
            None => Err(unknown(text, HEALTH_KINDS, &["notify"])),
        },
    }
}

fn kind(text: &str) -> &str {
    text.split_once(':').map_or(text, |(kind, _)| kind)
}

/// A probe that the supervisor runs itself; `None` for another kind.
fn probe(kind: &str, rest: &str, text: &str) -> Option<Result<Probe, BadValue>> {
    Some(match kind {
        "tcp" => tcp(rest, text),
        "unix" => absolute(text, rest).map(Probe::Unix),
        "http" => http(rest, text),
        "https" => Err(BadValue {
            suggestion: Some(text.replacen("https", "http", 1)),
            ..bad(
                text,
                "https can never be checked: sv has no TLS; check a port with tcp:, or run a client with exec:",
            )
        }),
        "exec" => command(rest).map(|()| Probe::Exec(rest.trim().to_owned())).map_err(|why| bad(text, &why)),
        _ => return None,
    })
}

fn tcp(rest: &str, text: &str) -> Result<Probe, BadValue> {
    if let Some(address) = rest.strip_prefix("//") {
        let suggestion = Some(format!("tcp:{address}"));
        return Err(BadValue { suggestion, ..bad(text, "it is written without slashes") });
    }
    let (host, port) = inet_address(rest).map_err(|why| bad(text, &why))?;
    let host = if host.is_empty() { LOCAL_HOST.to_owned() } else { host };
    Ok(Probe::Tcp { host, port })
}

fn http(rest: &str, text: &str) -> Result<Probe, BadValue> {
    let form = || bad(text, "it is http://HOST:PORT/PATH");
    let rest = rest.strip_prefix("//").ok_or_else(form)?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(bad(text, "it can not have a user name and password"));
    }
    if path.contains(|c: char| c.is_whitespace() || c.is_control() || !c.is_ascii()) {
        return Err(bad(text, "its path has characters that have to be percent-encoded"));
    }
    // `::1` and `[::1]` have none.
    let has_port =
        authority.rsplit_once(':').is_some_and(|(host, _)| host.ends_with(']') || !host.contains(':'));
    let (host, port) = match has_port {
        true => inet_address(authority),
        false => inet_address(&format!("{authority}:80")),
    }
    .map_err(|why| bad(text, &why))?;
    if host.is_empty() {
        return Err(form());
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(Probe::Http { host, port, path })
}

fn absolute(text: &str, path: &str) -> Result<PathBuf, BadValue> {
    match path.starts_with('/') {
        true => Ok(path.into()),
        false => Err(bad(text, "the path has to be absolute")),
    }
}

fn regex(text: &str, regex: &str) -> Result<String, BadValue> {
    if regex.is_empty() {
        return Err(bad(text, "the regular expression is empty"));
    }
    let compiled = regex_lite::RegexBuilder::new(regex).size_limit(REGEX_BYTES_MAX).build();
    compiled.map(|_| regex.to_owned()).map_err(|error| bad(text, &error.to_string()))
}

/// Checks that a command can be split and names a program.
pub(crate) fn command(text: &str) -> Result<(), String> {
    match split_command(text) {
        Ok(words) if words.is_empty() => Err("the command is empty".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

fn bad(text: &str, why: &str) -> BadValue {
    BadValue::new(format!("not a valid check: {}: {why}", quote(text)))
}

/// An unknown kind, with the one that was probably meant. A port alone is taken for `tcp`.
fn unknown(text: &str, kinds: &str, own: &[&'static str]) -> BadValue {
    let meant = || {
        let known = ["tcp", "unix", "http", "exec"].into_iter().chain(own.iter().copied());
        let meant = nearest(known, kind(text))?;
        (meant != kind(text)).then(|| text.replacen(kind(text), meant, 1))
    };
    let port = || port_number(text).is_ok().then(|| format!("tcp:{text}"));
    BadValue {
        message: format!("not a valid check: {}: the kinds are {kinds}", quote(text)),
        suggestion: port().or_else(meant),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_parsed_and_printed_in_their_own_form() {
        for (text, expected) in [
            ("startsecs", "startsecs"),
            ("notify", "notify"),
            ("fd:3", "fd:3"),
            ("tcp:80", "tcp:127.0.0.1:80"),
            ("tcp:db:5432", "tcp:db:5432"),
            ("tcp:[::1]:80", "tcp:[::1]:80"),
            ("unix:/run/db.sock", "unix:/run/db.sock"),
            ("http://localhost:8080/health?full=1", "http://localhost:8080/health?full=1"),
            ("http://localhost", "http://localhost:80/"),
            ("http://[::1]:8080?x", "http://[::1]:8080/?x"),
            ("exec: pg_isready -q", "exec:pg_isready -q"),
            ("file:/run/ready", "file:/run/ready"),
            ("log:^listening on [0-9]+", "log:^listening on [0-9]+"),
        ] {
            assert_eq!(ready_check(text).map(|check| check.to_string()), Ok(expected.to_owned()), "{text}");
        }
        for text in ["notify", "tcp:1", "unix:/s", "http://a:1/", "exec:true"] {
            assert!(health_check(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn bad_checks_are_explained() {
        for (text, why, suggestion) in [
            ("fd:2", "the descriptor is a number from 3 to 1023", None),
            ("tcp:0", "not a valid port number: '0'", None),
            ("tcp://db:1", "it is written without slashes", Some("tcp:db:1")),
            ("unix:run/s", "the path has to be absolute", None),
            ("http:/x", "it is http://HOST:PORT/PATH", None),
            ("http:///x", "it is http://HOST:PORT/PATH", None),
            ("http://h:99999/", "99999 is above upper bound (65535)", None),
            ("http://h:http/", "not a valid integer: 'http'", None),
            ("http://::1/x", "an IPv6 address stands in brackets, as in [::1]:9001: '::1'", None),
            ("http://u:p@h/", "it can not have a user name and password", None),
            ("http://h/a b", "its path has characters that have to be percent-encoded", None),
            (
                "https://h/x",
                "https can never be checked: sv has no TLS; check a port with tcp:, or run a client with exec:",
                Some("http://h/x"),
            ),
            ("exec:", "the command is empty", None),
            ("exec:'a", "No closing quotation", None),
            ("file:", "the path has to be absolute", None),
            ("log:", "the regular expression is empty", None),
        ] {
            let expected = BadValue {
                message: format!("not a valid check: {}: {why}", quote(text)),
                suggestion: suggestion.map(str::to_owned),
            };
            assert_eq!(ready_check(text), Err(expected), "{text}");
        }
        for (text, suggestion) in
            [("tpc:80", Some("tcp:80")), ("8080", Some("tcp:8080")), ("x", None), ("notfy", Some("notify"))]
        {
            assert_eq!(ready_check(text).unwrap_err().suggestion.as_deref(), suggestion, "{text}");
        }
        assert!(ready_check("log:(").unwrap_err().message.starts_with("not a valid check: 'log:(': "));
        let refused = health_check("log:x").unwrap_err();
        assert!(refused.message.contains("the kinds are notify, tcp:"), "{refused:?}");
    }
}
