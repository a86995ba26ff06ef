//! Servers that are open to other users.

use super::{Advice, with_options};
use crate::config::Reading;
use crate::config::SectionReader;
use crate::config::document::Origin;
use crate::config::options::SectionKind;
use crate::model::{Password, ServerSpec, Settings};
use crate::python::quote;

/// A mode bit: everybody may read the file.
const READABLE_BY_ALL: u32 = 0o004;

pub(super) fn lint(reading: &mut Reading<'_>, settings: &Settings) {
    for server in settings.servers.iter().filter(|server| !server.address.is_local()) {
        let Some(section) = reading.document.section(&server.section) else { continue };
        with_options(reading, section, SectionKind::InetHttpServer, |options| door(options, server));
    }
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
