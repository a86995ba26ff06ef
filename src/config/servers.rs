//! `[unix_http_server]` and `[inet_http_server]`: the addresses and credentials of the control servers.

use std::path::Path;

use crate::model::{Address, Credentials, ServerSpec};

use super::document::Written;
use super::error::Error;
use super::expand::Names;
use super::ini::trim;
use super::options::SectionKind;
use super::reader::SectionReader;
use super::reading::{Reading, Remark, Spot};
use super::values;

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

/// Reports servers that accept every client, also from other machines.
///
/// COMPAT: Supervisor has one line for all servers without a password; with `strict` it is an error.
pub(super) fn report_open_servers(reading: &mut Reading<'_>, servers: &[ServerSpec], is_strict: bool) {
    let open = servers.iter().filter(|it| it.credentials.is_none() && !it.address.is_local());
    for ServerSpec { section, address, .. } in open {
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
            "[{}] asks for no password: whoever reaches {shown} can run programs here; set username and \
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
    address.map(|address| ServerSpec { section, address, credentials, is_implicit: false })
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

    use super::super::fake::{errors_in, load_text, notices_in};
    use super::*;

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
        let expected = expected.map(|(section, address, credentials)| ServerSpec {
            section: section.to_owned(),
            address,
            credentials,
            is_implicit: false,
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
            let (start, end) = (format!("{message} in section '{section}'"), found.len());
            assert!(found[0].starts_with(&start) && end == 1, "{line}: {found:?}");
        }
    }

    #[test]
    fn an_open_server_is_reported_with_a_remedy() {
        for server in [
            "[inet_http_server]\nport=127.0.0.1:1",
            "[inet_http_server]\nport=localhost:1",
            "[inet_http_server]\nport=[::1]:1",
            "[inet_http_server]\nport=*:1\nusername=u\npassword=p",
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
