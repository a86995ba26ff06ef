//! Servers that are open to other users, and options about access that have no effect.

use super::{Advice, with_options};
use crate::config::Reading;
use crate::config::SectionReader;
use crate::config::document::Origin;
use crate::config::options::SectionKind;
use crate::model::{Password, Role, ServerSpec, Settings};
use crate::python::quote;

/// A mode bit: everybody may read the file.
const READABLE_BY_ALL: u32 = 0o004;

pub(super) fn lint(reading: &mut Reading<'_>, settings: &Settings) {
    for server in settings.servers.iter().filter(|server| !server.address.is_local()) {
        let Some(section) = reading.document.section(&server.section) else { continue };
        with_options(reading, section, SectionKind::InetHttpServer, |options| door(options, server));
    }
    for server in settings.servers.iter() {
        let Some(section) = reading.document.section(&server.section) else { continue };
        let Some((kind, _)) = SectionKind::of(&section.name) else { continue };
        with_options(reading, section, kind, |options| idle_access(options, server));
    }
    client_without_commands(reading, settings);
}

/// Options about access that change nothing.
fn idle_access(options: &mut SectionReader<'_, '_>, server: &ServerSpec) {
    let access = &server.access;
    let mut roles = access.by_user.iter().map(|(_, role)| *role).chain([access.role]);
    if !access.reads_logs && !roles.any(|role| [Role::Read, Role::Operate].contains(&role)) {
        let text = "read_logs=false has no effect: it is about the roles read and operate, and no client has one of them";
        Advice::new(text.to_owned()).report(options, "read_logs");
    }
    let is_any = options.is_set("allowed_hosts") && access.hosts.iter().any(|host| host == "*");
    if server.credentials.is_some() && is_any {
        let text = "allowed_hosts=* has no effect: with a password any host name is accepted unless names are listed";
        Advice::new(text.to_owned()).report(options, "allowed_hosts");
    }
}

/// The client's server lets it do nothing.
fn client_without_commands(reading: &mut Reading<'_>, settings: &Settings) {
    let Some(section) = reading.document.section("supervisorctl") else { return };
    with_options(reading, section, SectionKind::Supervisorctl, |options| {
        let Some(url) = options.text("serverurl").filter(|_| options.is_set("serverurl")) else { return };
        let is_named = |server: &&ServerSpec| server.address.url() == url.trim_end_matches('/');
        let named = settings.servers.iter().find(is_named).map(|server| (&server.section, &server.access));
        if let Some((name, access)) =
            named.filter(|(_, it)| it.role == Role::Metrics && it.by_user.is_empty())
        {
            let text = format!(
                "every command of the client will fail: [{name}] grants it the role {} only; name a server with another role",
                access.role.name()
            );
            Advice::new(text).report(options, "serverurl");
        }
    });
}

/// A server without any password is reported whenever the configuration is read.
fn door(options: &mut SectionReader<'_, '_>, server: &ServerSpec) {
    match server.credentials.as_ref().map(|credentials| &credentials.password) {
        Some(Password::Plain(_)) => plain_password(options),
        Some(Password::Sha1(_)) | None => {}
    }
}

/// A password in plain text, in a file that everybody can read.
fn plain_password(options: &mut SectionReader<'_, '_>) {
    let reading = &options.reading;
    let Origin::File(path) = &reading.document.source(options.spot("password").place).origin else { return };
    if options.machine().mode(path).is_some_and(|mode| mode & READABLE_BY_ALL != 0) {
        let shown = quote(&path.to_string_lossy());
        let text =
            format!("password in the clear, and everybody can read {shown}: chmod o-r, or use {{SHA}}");
        Advice::new(text).report(options, "password");
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{INTERFACE, warnings_in};

    #[test]
    fn access_that_has_no_effect_is_reported() {
        let (inet, unix) = ("[inet_http_server]\nport=127.0.0.1:9001\n", "[unix_http_server]\nfile=/srv/s\n");
        let (logs, client) =
            ("4: read_logs=false has no effect", "[supervisorctl]\nserverurl=unix:///srv/s\n");
        for (lines, expected) in [
            (format!("{unix}read_logs=false\n"), Some(logs)),
            (format!("{unix}read_logs=false\nrole=metrics\nrole_uid=0=admin\n"), Some(logs)),
            (format!("{unix}read_logs=false\nrole_uid=33=read\n"), None),
            (format!("{inet}read_logs=false\nrole=operate\n"), None),
            (format!("{inet}allowed_hosts=a.example.com\n"), None),
            (
                format!("{inet}allowed_hosts=*\nusername=u\npassword=p\n"),
                Some("4: allowed_hosts=* has no effect"),
            ),
            (format!("{inet}allowed_hosts=a\nusername=u\npassword=p\n"), None),
            (format!("{inet}allowed_hosts=*\n"), None),
            (
                format!("{inet}role_uid=0=read\n"),
                Some(
                    "4: unknown option 'role_uid' in [inet_http_server]: it is an option of [unix_http_server]",
                ),
            ),
            (format!("{unix}role=read\n{client}"), None),
            (format!("{unix}role=metrics\nrole_uid=0=admin\n{client}"), None),
            (
                format!("{unix}role=metrics\n{client}"),
                Some("6: every command of the client will fail: [unix_http_server] grants"),
            ),
            (
                format!("{inet}role=metrics\n[supervisorctl]\nserverurl=http://127.0.0.1:9001/\n"),
                Some("6: every command"),
            ),
            (format!("{inet}role=metrics\n{unix}{client}"), None),
        ] {
            let found = warnings_in(&format!("{lines}{INTERFACE}"));
            assert_eq!(found.len(), usize::from(expected.is_some()), "{lines}: {found:?}");
            assert!(expected.is_none_or(|start| found[0].starts_with(start)), "{found:?}");
        }
    }

    #[test]
    fn open_servers_are_reported() {
        let sha = "{SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d";
        for (lines, expected) in [
            ("port=9001", Some("3: [inet_http_server] asks for no password")),
            ("port=0.0.0.0:9001", Some("3: [inet_http_server] asks for no password")),
            ("port=127.0.0.1:9001", None),
            ("port=127.0.0.1:9001\nusername=u\npassword=p", None),
            ("port=*:9001\nusername=u\npassword=p", Some("5: password in the clear, and everybody can read")),
            (&format!("port=*:9001\nusername=u\npassword={sha}"), None),
        ] {
            let found = warnings_in(&format!("[inet_http_server]\n{lines}\n{INTERFACE}"));
            assert_eq!(found.len(), usize::from(expected.is_some()), "{lines}: {found:?}");
            assert!(expected.is_none_or(|start| found[0].starts_with(start)), "{found:?}");
        }
    }
}
