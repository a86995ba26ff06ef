//! The environment of a child.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::model::{Address, ProcessSpec};

const SERVER_URL: &str = "SUPERVISOR_SERVER_URL";

/// COMPAT: inherited variables of systemd's notify protocol are not passed on, since with them a program
/// would report the readiness of the whole supervisor.
const NOTIFY_VARIABLES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// The variables in which a child differs from what all children inherit: a value, or `None` for one that it lacks.
pub type OwnVariables<'a> = BTreeMap<Cow<'a, OsStr>, Option<Cow<'a, OsStr>>>;

/// What children inherit: `ours` without our own configuration variables.
#[must_use]
pub fn inherited_variables<'a>(
    ours: &'a [(OsString, OsString)],
    configuring: &[String],
) -> BTreeMap<&'a OsStr, &'a OsStr> {
    let is_left_out = |name: &OsStr| {
        NOTIFY_VARIABLES.iter().any(|it| name == *it) || configuring.iter().any(|it| name == it.as_str())
    };
    let mut all = BTreeMap::new();
    for (name, value) in ours.iter().filter(|(name, _)| !is_left_out(name)) {
        all.insert(&**name, &**value);
    }
    all
}

/// The variables that describe the supervisor to a child, overridden by the configured environment. `server_url` is that
/// of the supervisor, if it has one.
#[must_use]
pub fn own_variables(spec: &ProcessSpec, server_url: Option<String>) -> OwnVariables<'_> {
    let borrowed = |text| Cow::Borrowed(OsStr::new(text));
    let url = spec.server_url.as_deref().map(str::to_owned).or(server_url).filter(|url| !url.is_empty());
    let of_supervisor = [
        (borrowed("SUPERVISOR_ENABLED"), Some(borrowed("1"))),
        (borrowed("SUPERVISOR_PROCESS_NAME"), Some(borrowed(&spec.name))),
        (borrowed("SUPERVISOR_GROUP_NAME"), Some(borrowed(&spec.group))),
        // COMPAT: an inherited value would be that of an outer supervisor.
        (borrowed(SERVER_URL), url.map(|url| Cow::Owned(url.into()))),
    ];
    let mut all = OwnVariables::new();
    all.extend(of_supervisor);
    all.extend(spec.environment.iter().map(|(name, value)| (borrowed(name), Some(borrowed(value)))));
    all
}

/// All variables of a child, in the order of their names.
pub fn child_environment<'a>(
    inherited: BTreeMap<&'a OsStr, &'a OsStr>,
    own: OwnVariables<'a>,
) -> impl Iterator<Item = (Cow<'a, OsStr>, Cow<'a, OsStr>)> {
    let mut all = OwnVariables::new();
    all.extend(inherited.into_iter().map(|(name, value)| (name.into(), Some(value.into()))));
    all.extend(own);
    all.into_iter().filter_map(|(name, value)| Some((name, value?)))
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

    fn text<'v>(environment: impl Iterator<Item = (Cow<'v, OsStr>, Cow<'v, OsStr>)>) -> String {
        let entries = environment.map(|(name, value)| format!("{}={}", name.display(), value.display()));
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
            let own = own_variables(spec, url.map(str::to_owned));
            text(child_environment(inherited_variables(&inherited, &configuring), own))
        };
        let own = "SUPERVISOR_ENABLED=1 SUPERVISOR_GROUP_NAME=g SUPERVISOR_PROCESS_NAME=p";
        assert_eq!(environment(&spec(), None), format!("A=inherited {own}"));
        let url = "SUPERVISOR_SERVER_URL=unix:///s";
        assert_eq!(environment(&spec(), Some("unix:///s")), format!("A=inherited {own} {url}"));
        let suppressed = ProcessSpec { server_url: Some("".into()), ..spec() };
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
