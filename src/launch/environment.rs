//! The environment of a child.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::model::{Address, ProcessSpec};

const SERVER_URL: &str = "SUPERVISOR_SERVER_URL";

/// COMPAT: inherited variables of systemd's notify protocol are not passed on, since with them a program
/// would report the readiness of the whole supervisor.
const NOTIFY_VARIABLES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// The variables of a child. What is not made for it is borrowed, as a start has dozens of inherited ones.
pub type ChildEnvironment<'a> = BTreeMap<Cow<'a, OsStr>, Cow<'a, OsStr>>;

/// `inherited` without our own configuration variables, overridden by the variables that describe the
/// supervisor to a child, overridden by the configured environment. `server_url` is that of the supervisor,
/// if it has one.
#[must_use]
pub fn child_environment<'a>(
    inherited: &'a [(OsString, OsString)],
    configuring: &[String],
    spec: &'a ProcessSpec,
    server_url: Option<String>,
) -> ChildEnvironment<'a> {
    let borrowed = |text: &'a str| Cow::Borrowed(OsStr::new(text));
    let mut all: ChildEnvironment<'a> = inherited
        .iter()
        .map(|(name, value)| (Cow::Borrowed(name.as_os_str()), Cow::Borrowed(value.as_os_str())))
        .collect();
    for variable in configuring.iter().map(String::as_str).chain(NOTIFY_VARIABLES) {
        all.remove(OsStr::new(variable));
    }
    let mut set = |name, value| all.insert(borrowed(name), value);
    set("SUPERVISOR_ENABLED", borrowed("1"));
    set("SUPERVISOR_PROCESS_NAME", borrowed(&spec.name));
    set("SUPERVISOR_GROUP_NAME", borrowed(&spec.group));
    match spec.server_url.clone().or(server_url) {
        Some(url) if !url.is_empty() => drop(set(SERVER_URL, Cow::Owned(url.into()))),
        // COMPAT: an inherited value would be that of an outer supervisor.
        Some(_) | None => drop(all.remove(OsStr::new(SERVER_URL))),
    }
    all.extend(spec.environment.iter().map(|(name, value)| (borrowed(name), borrowed(value))));
    all
}

/// The URL for children: that of the first unix server, else of the last inet one.
#[must_use]
pub fn server_url<'a>(mut addresses: impl DoubleEndedIterator<Item = &'a Address> + Clone) -> Option<String> {
    let unix = addresses.clone().find(|address| matches!(address, Address::Unix { .. }));
    unix.or_else(|| addresses.next_back()).map(Address::url)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn spec() -> ProcessSpec {
        ProcessSpec { name: "p".into(), group: "g".into(), ..ProcessSpec::default() }
    }

    fn text(environment: ChildEnvironment<'_>) -> String {
        let entries = environment.into_iter();
        let entries = entries.map(|(name, value)| format!("{}={}", name.display(), value.display()));
        entries.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn configured_variables_override_the_supervisors_and_those_override_inherited_ones() {
        let inherited = [
            ("A", "inherited"),
            ("SV_NODAEMON", "1"),
            ("SUPERVISOR_ENABLED", "0"),
            (SERVER_URL, "outer"),
            ("NOTIFY_SOCKET", "/outer"),
        ]
        .map(|(name, value)| (name.into(), value.into()));
        let configuring = ["SV_NODAEMON".to_owned()];
        let environment = |spec: &ProcessSpec, url: Option<&str>| {
            text(child_environment(&inherited, &configuring, spec, url.map(str::to_owned)))
        };
        let own = "SUPERVISOR_ENABLED=1 SUPERVISOR_GROUP_NAME=g SUPERVISOR_PROCESS_NAME=p";
        assert_eq!(environment(&spec(), None), format!("A=inherited {own}"));
        let url = "SUPERVISOR_SERVER_URL=unix:///s";
        assert_eq!(environment(&spec(), Some("unix:///s")), format!("A=inherited {own} {url}"));
        let suppressed = ProcessSpec { server_url: Some(String::new()), ..spec() };
        assert_eq!(environment(&suppressed, Some("unix:///s")), format!("A=inherited {own}"));
        let variables =
            vec![("A".to_owned(), "own".to_owned()), ("SUPERVISOR_ENABLED".to_owned(), "2".to_owned())];
        let configured = ProcessSpec { environment: Arc::new(variables), ..spec() };
        assert_eq!(
            environment(&configured, None),
            "A=own SUPERVISOR_ENABLED=2 SUPERVISOR_GROUP_NAME=g SUPERVISOR_PROCESS_NAME=p"
        );
    }

    #[test]
    fn server_url_is_that_of_the_first_unix_server_or_the_last_inet_one() {
        let inet = |port| Address::Inet { host: "localhost".into(), port };
        let unix = Address::Unix { path: "/s".into(), mode: 0o700, owner: None };
        assert_eq!(server_url([inet(1), unix, inet(2)].iter()).as_deref(), Some("unix:///s"));
        assert_eq!(server_url([inet(1), inet(2)].iter()), Some(inet(2).url()));
        assert_eq!(server_url([].iter()), None);
    }
}
