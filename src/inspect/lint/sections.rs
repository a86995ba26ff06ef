//! Sections that lack their counterpart, or that are ignored where they are.

use crate::config::document::{Language, Origin};
use crate::config::options::SectionKind;
use crate::config::{Reading, Remark, Spot};
use crate::model::Settings;

pub(super) fn lint(reading: &mut Reading<'_>, settings: &Settings) {
    included_include(reading);
    if reading.is_fragment {
        return;
    }
    client_without_server(reading, settings);
    server_without_interface(reading, settings);
}

/// Only the main file can include others.
fn included_include(reading: &mut Reading<'_>) {
    let document = reading.document;
    let Some(section) = document.section("include") else { return };
    let is_of_file = |source: usize| {
        source > 0 && matches!(document.source_at(source).map(|it| &it.origin), Some(Origin::File(_)))
    };
    let idle = section.entries().iter().find(|entry| is_of_file(entry.place.source));
    if let Some(entry) = idle {
        let text = "[include] of an included file is not read: only the main file includes others".to_owned();
        reading.remark(Remark::warning(Spot::of(section, entry.place, Some(&entry.key)), text));
    }
}

fn client_without_server(reading: &mut Reading<'_>, settings: &Settings) {
    let Some(section) = reading.document.section("supervisorctl").filter(|_| settings.servers.is_empty())
    else {
        return;
    };
    if let Some(entry) = section.entry("serverurl") {
        let text = "[supervisorctl] names a server that is not there: add a [unix_http_server] or an \
            [inet_http_server] with its address"
            .to_owned();
        reading.remark(Remark::warning(Spot::of(section, entry.place, Some("serverurl")), text));
    }
}

/// Only Supervisor needs the section, so this is a note.
fn server_without_interface(reading: &mut Reading<'_>, settings: &Settings) {
    let document = reading.document;
    let is_interface = |name: &str| matches!(SectionKind::of(name), Some((SectionKind::RpcInterface, _)));
    let has_one = document.sections().iter().any(|section| is_interface(&section.name));
    if has_one || document.language() == Language::Toml {
        return;
    }
    let server = settings.servers.first().and_then(|server| document.section(&server.section));
    if let Some(section) = server {
        let text = format!(
            "[{}] has no [rpcinterface:supervisor] beside it: under the name supervisord, as with Supervisor, no client \
             gets an answer. Add it, with supervisor.rpcinterface_factory=\
             supervisor.rpcinterface:make_main_rpcinterface",
            section.name
        );
        reading.remark(Remark {
            is_note: true,
            ..Remark::warning(Spot::of(section, section.place, None), text)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{INTERFACE, machine, warnings_in, warnings_on};

    #[test]
    fn sections_without_their_counterpart_are_reported() {
        let server = "[unix_http_server]\nfile=/tmp/s\n";
        let client = "[supervisorctl]\nserverurl=unix:///tmp/s\n";
        assert_eq!(warnings_in(&format!("{server}{client}{INTERFACE}")), [""; 0]);
        assert_eq!(
            warnings_in(&format!("{client}{INTERFACE}")),
            [
                "3: [supervisorctl] names a server that is not there: add a [unix_http_server] or an [inet_http_server] \
              with its address"
            ]
        );
        let found = warnings_in(server);
        assert!(
            found.len() == 1
                && found[0].starts_with("2: [unix_http_server] has no [rpcinterface:supervisor] beside it"),
            "{found:?}"
        );
    }

    #[test]
    fn an_include_in_an_included_file_is_reported() {
        let machine = machine("[supervisord]\n[include]\nfiles=*.ini\n")
            .file("/etc/a.ini", "[program:a]\ncommand=a\n[include]\nfiles=b/*.ini\n");
        assert_eq!(
            warnings_on(&machine),
            ["4: [include] of an included file is not read: only the main file includes others"]
        );
    }
}
