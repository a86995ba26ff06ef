//! `[supervisorctl]`: the settings of the control client.

use std::fmt;
use std::path::{Path, PathBuf};

use super::error::Errors;
use super::expand::Names;
use super::load::missing_section;
use super::machine::Machine;
use super::options::SectionKind;
use super::reader::SectionReader;
use super::reading::Reading;
use super::sources::read_main;
use super::values;
use super::variables;

/// The `[supervisorctl]` section.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// `serverurl`; the path of a `unix://` one is absolute.
    pub server_url: String,
    /// Whether `serverurl` is set to something other than the default.
    pub is_server_url_set: bool,
    /// `username`
    pub username: Option<String>,
    /// `password`, in plain text.
    pub password: Option<String>,
    /// `prompt`
    pub prompt: String,
    /// `history_file`, absolute.
    pub history_file: Option<PathBuf>,
}

impl fmt::Debug for ClientSettings {
    /// Omits the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings")
            .field("server_url", &self.server_url)
            .field("username", &self.username)
            .field("prompt", &self.prompt)
            .field("history_file", &self.history_file)
            .finish_non_exhaustive()
    }
}

/// Reads the client's section. Like Supervisor's client, it ignores included files; `SV_` variables override
/// the file.
///
/// # Errors
///
/// All errors in the section; [`Errors::is_missing_section`] is true if the section does not exist.
pub fn load_client(path: &Path, machine: &dyn Machine) -> Result<ClientSettings, Errors> {
    let mut document = read_main(path, machine)?;
    let findings = variables::apply(&mut document, machine, &|kind| kind == SectionKind::Supervisorctl);
    let section = document.section("supervisorctl").ok_or_else(|| missing_section(path, "supervisorctl"))?;
    let names = Names::default().with_variables(machine.environment());
    let host_node_name = machine.host_node_name();
    let mut reading = Reading::new(&document, machine, &host_node_name, findings);
    let mut options = SectionReader::new(&mut reading, section, SectionKind::Supervisorctl, &names);
    let text = |text: &str| Ok(text.to_owned());
    let settings = ClientSettings {
        is_server_url_set: options.is_set("serverurl"),
        server_url: options.value("serverurl", |text| Ok(server_url(text, machine))).unwrap_or_default(),
        username: options.value("username", text),
        password: options.value("password", text),
        prompt: options.value("prompt", text).unwrap_or_default(),
        history_file: options
            .value("history_file", text)
            .filter(|path| !path.is_empty())
            .map(|path| values::normal_path(&path, machine)),
    };
    reading.finish()?;
    Ok(settings)
}

/// Not validated here: like a URL from the command line, it is checked when it is used.
fn server_url(text: &str, machine: &dyn Machine) -> String {
    match text.strip_prefix("unix://").filter(|path| !path.starts_with('@')) {
        Some(path) => format!("unix://{}", values::normal_path(path, machine).display()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, MAIN};
    use super::*;

    fn client(text: &str) -> Result<ClientSettings, Errors> {
        load_client(Path::new(MAIN), &Fake::main(text).variable("P", "geheim"))
    }

    #[test]
    fn everything_has_a_default() {
        let expected = ClientSettings {
            server_url: "http://localhost:9001".to_owned(),
            is_server_url_set: false,
            username: None,
            password: None,
            prompt: "supervisor".to_owned(),
            history_file: None,
        };
        assert_eq!(client("[supervisorctl]\nhistory_file="), Ok(expected));
    }

    #[test]
    fn everything_can_be_set_and_the_password_is_not_shown() {
        let text = "[supervisorctl]\nserverurl=unix://%(here)s/../s.sock\nusername=u\npassword=%(ENV_P)s\n\
            prompt=me\nhistory_file=~/h\n[include]\nfiles=%(nope)s\n[program:x]\nautostart=maybe";
        let settings = client(text).unwrap();
        assert_eq!(settings.server_url, "unix:///s.sock");
        assert_eq!((settings.username.as_deref(), settings.password.as_deref()), (Some("u"), Some("geheim")));
        assert_eq!(
            (settings.prompt.as_str(), settings.history_file.as_deref()),
            ("me", Some(Path::new("/home/www/h")))
        );
        assert!(!format!("{settings:?}").contains("geheim"));
    }

    #[test]
    fn a_missing_section_is_distinguished() {
        let missing = client("[supervisord]").unwrap_err();
        assert!(missing.is_missing_section());
        assert_eq!(
            missing.to_string(),
            ".ini file does not include supervisorctl section (file: '/etc/x.conf')"
        );
        let broken = client("[supervisorctl]\nserverurl=%(nope)s").unwrap_err();
        assert!(!broken.is_missing_section() && broken.to_string().contains("line: 2, option: serverurl"));
    }
}
