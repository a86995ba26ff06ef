//! `[unix_http_server]`, `[inet_http_server]` and `[probe_http_server]`: the addresses and credentials of servers.

use std::path::Path;

use crate::model::{Address, Credentials, Role, ServerAccess, ServerSpec, UserId};

use super::document::Written;
use super::error::Error;
use super::expand::Names;
use super::ini::trim;
use super::options::SectionKind;
use super::reader::SectionReader;
use super::reading::{Reading, Remark, Spot};
use super::values;
use crate::python::quote;

/// The default permissions of a socket.
pub(super) const SOCKET_MODE: u32 = 0o700;

/// Reads all servers: inet first, then unix, which is the order in which they are opened.
pub(super) fn servers(reading: &mut Reading<'_>, names: &Names<'_>) -> Vec<ServerSpec> {
    let mut found = Vec::new();
    for kind in [SectionKind::InetHttpServer, SectionKind::UnixHttpServer] {
        for (section, _) in reading.sections_of(kind) {
            let mut options = SectionReader::new(reading, section, kind, names);
            let address =
                if kind == SectionKind::InetHttpServer { inet(&mut options) } else { unix(&mut options) };
            found.extend(server(&mut options, address));
        }
    }
    found
}

/// Reads the servers for metrics and probes.
pub(super) fn probe_servers(reading: &mut Reading<'_>, names: &Names<'_>) -> Vec<ServerSpec> {
    let mut found = Vec::new();
    for (section, _) in reading.sections_of(SectionKind::ProbeHttpServer) {
        let mut options = SectionReader::new(reading, section, SectionKind::ProbeHttpServer, names);
        let name = options.section.name.clone();
        found.extend(inet(&mut options).map(|address| ServerSpec::for_probes(name, address)));
    }
    found
}

/// Reports servers that accept every client, also from other machines.
///
/// COMPAT: Supervisor has one line for all servers without a password; with `strict` it is an error.
pub(super) fn report_open_servers(reading: &mut Reading<'_>, servers: &[ServerSpec], is_strict: bool) {
    let open = servers.iter().filter(|it| it.credentials.is_none() && !it.address.is_local());
    for ServerSpec { section, address, access, .. } in open {
        let Some(can) = access.role.exposes() else { continue };
        let (Some(section), Address::Inet { host, port }) = (reading.document.section(section), address)
        else {
            continue;
        };
        let entry = section.entry("port");
        let place = entry.map_or(section.place, |entry| entry.place);
        let host = if host.is_empty() { "*" } else { host };
        let shown = match entry.map(|entry| &entry.value) {
            Some(Written::Secret(_)) => "it".to_owned(),
            _ if host.contains(':') => format!("[{host}]:{port}"),
            _ => format!("{host}:{port}"),
        };
        let message = format!(
            "[{}] asks for no password: whoever reaches {shown} {can} here; set username and \
             password, or listen on 127.0.0.1 only",
            section.name
        );
        if is_strict {
            let error = reading.placed(section, place, message);
            reading.error(Error { option: Some("port".to_owned()), ..error });
        } else {
            let text = format!("{message} ({})", reading.describe(place));
            let remark = Remark::warning(Spot::of(section, place, Some("port")), text);
            reading.remark(Remark { message, ..remark });
        }
    }
}

fn server(options: &mut SectionReader<'_, '_>, address: Option<Address>) -> Option<ServerSpec> {
    let section = options.section.name.clone();
    let credentials = credentials(options);
    let address = address?;
    let access = access(options, &address, credentials.is_some());
    Some(ServerSpec { section, address, credentials, access, is_implicit: false, is_for_probes: false })
}

/// What clients may do, and by which host names they may call a TCP server.
fn access(options: &mut SectionReader<'_, '_>, address: &Address, has_password: bool) -> ServerAccess {
    let (by_user, hosts) = match address {
        Address::Inet { host, .. } => (Vec::new(), hosts(options, host, has_password)),
        Address::Unix { .. } | Address::Abstract { .. } => (roles_by_user(options), Vec::new()),
    };
    let role = options.value("role", role).unwrap_or_default();
    ServerAccess { role, by_user, reads_logs: options.boolean("read_logs"), hosts }
}

fn role(text: &str) -> Result<Role, String> {
    let refusal = || values::word(Role::NAMES, text).err().unwrap_or_default();
    Role::from_name(text).ok_or_else(refusal)
}

/// A number needs no entry in /etc/passwd, since a client may be from another container. A name does: passing it over
/// would give its user the role of everybody.
fn roles_by_user(options: &mut SectionReader<'_, '_>) -> Vec<(UserId, Role)> {
    let machine = options.machine();
    let mut found: Vec<(UserId, Role)> = Vec::new();
    for (user, name) in options.pairs("role_uid") {
        let uid = match user.contains(':') {
            true => Err(format!("a user without a group is expected, not {}", quote(&user))),
            false => user.parse().or_else(|_| values::user(&user, machine).map(|user| user.uid)),
        };
        let entry = uid.and_then(|uid| match found.iter().any(|(known, _)| *known == uid) {
            true => Err(format!("uid {uid} has two roles")),
            false => Ok((uid, role(&name)?)),
        });
        found.extend(options.checked("role_uid", entry));
    }
    found
}

/// The name of this machine, the one that the server listens on, and those of `allowed_hosts`. Unless that is set, a
/// server with a password has any name: a browser keeps passwords by site, so it has none for a site of another name.
fn hosts(options: &mut SectionReader<'_, '_>, listens_on: &str, has_password: bool) -> Vec<String> {
    let mut hosts = vec![options.reading.host_node_name.to_owned(), listens_on.to_owned()];
    if has_password && !options.is_set("allowed_hosts") {
        hosts.push("*".to_owned());
    }
    for host in options.items("allowed_hosts", values::list) {
        let checked = if host == "*" || is_host_name(&host) {
            Ok(host.trim_end_matches('.').to_owned())
        } else {
            Err(format!(
                "{} is not a host name: write sv.example.com, .example.com for all names below it, or * for any",
                quote(&host)
            ))
        };
        hosts.extend(options.checked("allowed_hosts", checked));
    }
    hosts.retain(|host| !host.is_empty());
    hosts.iter_mut().for_each(|host| host.make_ascii_lowercase());
    hosts
}

/// Whether a text is a host name, or a dot and a host name. Browsers send only ASCII.
fn is_host_name(text: &str) -> bool {
    let name = text.strip_prefix('.').unwrap_or(text);
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let mut labels = name.strip_suffix('.').unwrap_or(name).split('.');
    labels.all(|label| !label.is_empty() && label.bytes().all(is_part))
}

fn inet(options: &mut SectionReader<'_, '_>) -> Option<Address> {
    require(options, "port");
    options.value("port", values::inet_address).map(|(host, port)| Address::Inet { host, port })
}

fn unix(options: &mut SectionReader<'_, '_>) -> Option<Address> {
    require(options, "file");
    let machine = options.machine();
    let path = options.value("file", |text| Ok(values::normal_path(trim(text), machine)));
    if let Some(folder) = path.as_deref().and_then(Path::parent) {
        options.reading.has_folder(folder);
    }
    let owner = options.value("chown", |text| {
        values::owner(text, machine).ok_or_else(|| format!("Invalid sockchown value {text}"))
    });
    let mode =
        options.value("chmod", |text| values::octal(text).map_err(|_| format!("Invalid chmod value {text}")));
    Some(Address::Unix { path: path?, mode: mode.unwrap_or(SOCKET_MODE), owner })
}

fn require(options: &mut SectionReader<'_, '_>, option: &str) {
    if !options.is_set(option) {
        let message = format!("section [{}] has no {option} value", options.section.name);
        options.section_error(message);
    }
}

/// Both or neither. COMPAT: an empty user name, which disables the check in Supervisor, is an error.
fn credentials(options: &mut SectionReader<'_, '_>) -> Option<Credentials> {
    let section = &options.section.name;
    if options.is_set("username") != options.is_set("password") {
        let message = format!(
            "Section [{section}] contains incomplete authentication: If a username or a password is \
             specified, both the username and password must be specified"
        );
        options.section_error(message);
        return None;
    }
    let username = options.value("username", |text| match text {
        "" => Err(format!(
            "Section [{section}] has an empty username: remove username and password to ask for neither"
        )),
        text => Ok(text.to_owned()),
    });
    let password = options.value("password", values::password);
    Some(Credentials { username: username?, password: password? })
}

#[cfg(test)]
mod tests {
    use crate::model::{Password, SocketOwner};

    use super::super::fake::{Fake, MAIN, MAIN_TOML, errors_in, load_text, notices_in};
    use super::super::load;
    use super::*;

    /// What a server without options grants.
    fn access_to(address: &Address) -> ServerAccess {
        let hosts = match address {
            Address::Inet { host, .. } => ["node1", host].map(str::to_owned).into_iter().collect(),
            Address::Unix { .. } | Address::Abstract { .. } => Vec::new(),
        };
        let hosts: Vec<String> = hosts;
        ServerAccess {
            hosts: hosts.into_iter().filter(|host| !host.is_empty()).collect(),
            ..ServerAccess::default()
        }
    }

    #[test]
    fn inet_opens_before_unix() {
        let text = "[supervisord]\n[unix_http_server]\nfile=%(here)s/../s.sock\nchmod=0770\nchown=www:adm\n\
            [inet_http_server:b]\nport=*:2\n[unix_http_server:c]\nfile=x\n\
            [unix_http_server:d]\nfile=~/s\n\
            [inet_http_server]\nport=LOCALHOST:1\nusername=u\npassword=p;%%";
        let unix = |path: &str, mode, owner| Address::Unix { path: path.into(), mode, owner };
        let inet = |host: &str, port| Address::Inet { host: host.to_owned(), port };
        let password = Password::Plain("p;%".to_owned());
        let credentials = Some(Credentials { username: "u".to_owned(), password });
        let expected = [
            ("inet_http_server:b", inet("", 2), None),
            ("inet_http_server", inet("localhost", 1), credentials),
            ("unix_http_server", unix("/s.sock", 0o770, Some(SocketOwner { uid: 33, gid: Some(4) })), None),
            ("unix_http_server:c", unix("/srv/x", 0o700, None), None),
            ("unix_http_server:d", unix("/home/www/s", 0o700, None), None),
        ];
        let access = |address: &Address, has_password: bool| {
            let mut access = access_to(address);
            access.hosts.extend(has_password.then(|| "*".to_owned()));
            access
        };
        let expected = expected.map(|(section, address, credentials)| ServerSpec {
            section: section.to_owned(),
            access: access(&address, credentials.is_some()),
            address,
            credentials,
            is_implicit: false,
            is_for_probes: false,
        });
        assert_eq!(load_text(text).unwrap().servers, expected);
    }

    #[test]
    fn errors_are_reported() {
        let incomplete = "Section [inet_http_server] contains incomplete authentication: If a username or a \
            password is specified, both the username and password must be specified";
        for (section, line, message) in [
            ("unix_http_server", "", "section [unix_http_server] has no file value"),
            ("inet_http_server:x", "", "section [inet_http_server:x] has no port value"),
            ("unix_http_server", "file=x\nchmod=99", "Invalid chmod value 99"),
            ("unix_http_server", "file=x\nchown=nope", "Invalid sockchown value nope"),
            ("unix_http_server", "file=x\nrole=root", "'root' is none of metrics, read, operate or admin"),
            ("unix_http_server", "file=x\nrole_uid=0", "Unexpected end of key/value pairs in value '0'"),
            ("unix_http_server", "file=x\nrole_uid=nope=read", "Invalid user name nope"),
            ("unix_http_server", "file=x\nrole_uid=-1=read", "Invalid user id -1"),
            (
                "unix_http_server",
                "file=x\nrole_uid=www:www=read",
                "a user without a group is expected, not 'www:www'",
            ),
            ("unix_http_server", "file=x\nrole_uid=0=", "Unexpected end of key/value pairs in value '0='"),
            (
                "unix_http_server",
                "file=x\nrole_uid=0=all",
                "'all' is none of metrics, read, operate or admin",
            ),
            ("unix_http_server", "file=x\nrole_uid=www=read,33=admin", "uid 33 has two roles"),
            ("unix_http_server", "file=x\nread_logs=perhaps", "not a valid boolean value: 'perhaps'"),
            (
                "inet_http_server",
                "port=1\nallowed_hosts=a:1",
                "'a:1' is not a host name: write sv.example.com",
            ),
            (
                "inet_http_server",
                "port=1\nallowed_hosts=*.b",
                "'*.b' is not a host name: write sv.example.com",
            ),
            ("inet_http_server", "port=1\nallowed_hosts=a,.", "'.' is not a host name: write sv.example.com"),
            ("inet_http_server", "port=1\nallowed_hosts=a..b", "'a..b' is not a host name"),
            ("inet_http_server", "port=1\nallowed_hosts=..b", "'..b' is not a host name"),
            ("inet_http_server", "port=1\nallowed_hosts=a b", "'a b' is not a host name"),
            ("inet_http_server", "port=1\nallowed_hosts=w\u{f6}rk", "'w\u{f6}rk' is not a host name"),
            ("inet_http_server", "port=foo", "not a valid port number: 'foo'"),
            ("inet_http_server", "port=:70000", "70000 is above upper bound (65535)"),
            ("inet_http_server", "port=1\nusername=u", incomplete),
            ("inet_http_server", "port=1\npassword=u", incomplete),
            (
                "inet_http_server",
                "port=1\npassword=p\nusername=",
                "Section [inet_http_server] has an empty username: remove username and password to ask for \
                 neither",
            ),
        ] {
            let found = errors_in(&format!("[supervisord]\n[{section}]\n{line}"));
            let place = format!(" in section '{section}'");
            let is_it = found[0].starts_with(message) && found[0].contains(&place);
            assert!(is_it && found.len() == 1, "{line}: {found:?}");
        }
    }

    #[test]
    fn a_password_means_any_host_unless_hosts_are_listed() {
        let hosts = |lines: &str| {
            let text = format!("[supervisord]\n[inet_http_server]\nport=127.0.0.1:1\n{lines}\n");
            load_text(&text).unwrap().servers.remove(0).access.hosts
        };
        let password = "username=u\npassword=p\n";
        assert_eq!(hosts(""), ["node1", "127.0.0.1"]);
        assert_eq!(hosts(password), ["node1", "127.0.0.1", "*"]);
        assert_eq!(
            hosts(&format!("{password}allowed_hosts=a.example.com")),
            ["node1", "127.0.0.1", "a.example.com"]
        );
        assert_eq!(hosts(&format!("{password}allowed_hosts=")), ["node1", "127.0.0.1"]);
    }

    #[test]
    fn servers_grant_roles() {
        let ini = "[supervisord]\n[unix_http_server]\nfile=x\nrole=read\nrole_uid= 0=admin, www = operate, 70000=metrics\n\
            read_logs=false\n[inet_http_server]\nport=Here.Example.com:1\nrole=operate\n\
            allowed_hosts=SV.example.com., .example.org,*\n";
        let toml = "[supervisord]\n[unix_http_server]\nfile = 'x'\nrole = 'read'\nread_logs = false\n\
            role_uid = { 0 = 'admin', www = 'operate', 70000 = 'metrics' }\n[inet_http_server]\n\
            port = 'here.example.com:1'\nrole = 'operate'\nallowed_hosts = ['sv.example.com', '.example.org', '*']\n";
        let of_toml = load(Path::new(MAIN_TOML), &[], &Fake::new().file(MAIN_TOML, toml)).unwrap();
        let bare = "[supervisord]\n[unix_http_server]\nfile=x\n[inet_http_server]\nport=here.example.com:1\n";
        let machine = Fake::new()
            .file(MAIN, bare)
            .variable("SV_UNIX_HTTP_SERVER_ROLE", "read")
            .variable("SV_UNIX_HTTP_SERVER_ROLE_UID", "0=admin,www=operate,70000=metrics")
            .variable("SV_UNIX_HTTP_SERVER_READ_LOGS", "false")
            .variable("SV_INET_HTTP_SERVER_ROLE", "operate")
            .variable("SV_INET_HTTP_SERVER_ALLOWED_HOSTS", "sv.example.com,.example.org,*");
        let of_variables = load(Path::new(MAIN), &[], &machine).unwrap();
        for settings in [load_text(ini).unwrap(), of_toml, of_variables] {
            let [inet, unix] = [0, 1].map(|nth| settings.servers[nth].access.clone());
            let by_user = vec![(0, Role::Admin), (33, Role::Operate), (70_000, Role::Metrics)];
            let expected = ServerAccess { role: Role::Read, by_user, reads_logs: false, hosts: Vec::new() };
            assert_eq!(unix, expected);
            let hosts =
                ["node1", "here.example.com", "sv.example.com", ".example.org", "*"].map(str::to_owned);
            assert_eq!(inet, ServerAccess { hosts: hosts.to_vec(), ..ServerAccess::of(Role::Operate) });
        }
    }

    #[test]
    fn an_open_server_is_reported_with_a_remedy() {
        for server in [
            "[inet_http_server]\nport=127.0.0.1:1",
            "[inet_http_server]\nport=localhost:1",
            "[inet_http_server]\nport=[::1]:1",
            "[inet_http_server]\nport=*:1\nusername=u\npassword=p",
            "[inet_http_server]\nport=*:1\nrole=metrics",
            "[unix_http_server]\nfile=x\nchmod=0777",
        ] {
            let text = format!("[supervisord]\nstrict=true\n{server}\n");
            assert!(notices_in(&text).is_empty(), "{server}");
        }
        for (port, shown) in [
            ("1", "*:1"),
            ("*:1", "*:1"),
            ("0.0.0.0:1", "0.0.0.0:1"),
            ("[::]:1", "[::]:1"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("example.com:1", "example.com:1"),
        ] {
            let expected = format!(
                "[inet_http_server:x] asks for no password: whoever reaches {shown} can run programs here; set \
                 username and password, or listen on 127.0.0.1 only"
            );
            let [loose, strict] = ["false", "true"]
                .map(|strict| format!("[supervisord]\nstrict={strict}\n[inet_http_server:x]\nport={port}\n"));
            let shown = notices_in(&loose);
            assert!(shown.len() == 1 && shown[0].contains(&expected), "{port}: {shown:?}");
            let errors = errors_in(&strict);
            assert!(errors.len() == 1 && errors[0].starts_with(&expected), "{port}: {errors:?}");
        }
        for (role, can) in [("read", "can see processes"), ("operate", "can stop programs")] {
            let shown = notices_in(&format!("[supervisord]\n[inet_http_server]\nport=1\nrole={role}\n"));
            assert!(shown[0].contains(&format!("whoever reaches *:1 {can} here; set username")), "{shown:?}");
        }
    }

    #[test]
    fn values_see_the_environment_and_here() {
        let text = "[supervisord]\nenvironment=P=\"1\",U=\"u\"\n[inet_http_server]\nport=:%(ENV_P)s\n\
            username=%(ENV_U)s%(here)s\npassword=%(ENV_P)s%%";
        let server = load_text(text).unwrap().servers.remove(0);
        assert_eq!(server.address, Address::Inet { host: String::new(), port: 1 });
        let password = Password::Plain("1%".to_owned());
        assert_eq!(server.credentials, Some(Credentials { username: "u/etc".to_owned(), password }));
        let found = errors_in("[supervisord]\n[unix_http_server]\nfile=%(host_node_name)s");
        assert!(found[0].contains("contains names ('host_node_name')"), "{found:?}");
    }

    #[test]
    fn passwords_are_not_shown() {
        for password in ["geheim%", "{SHA}geheim", "%(geheim"] {
            let text = format!("[supervisord]\n[inet_http_server]\nport=1\nusername=u\npassword={password}");
            let errors = load_text(&text).unwrap_err();
            assert!(!format!("{errors} {errors:?}").contains("geheim"), "{errors:?}");
        }
    }
}
