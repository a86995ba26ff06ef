//! Whom to call, and as whom: the command line over the configuration over defaults.
//!
//! As `supervisorctl` a configuration that is found has to have a `[supervisorctl]` section, while
//! finding none is fine. As `sv` more is taken as an answer: a configuration without that section
//! still says where its server listens, and inside a supervised process the environment says it.

use std::path::{Path, PathBuf};

use crate::cli::{ClientOptions, Face};
use crate::config::{self, ClientPlugin, ClientSettings, Errors, Surroundings, client_plugins};
use crate::model::{Address, Credentials, Password, ServerSpec};

/// Where Supervisor's own clients look when nobody told them.
const DEFAULT_URL: &str = "http://localhost:9001";

/// What a supervised process is told of its supervisor.
const URL_VARIABLE: &str = "SUPERVISOR_SERVER_URL";

/// The other end, and how to present ourselves.
pub(super) struct Target {
    pub(super) url: String,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    /// Without its `> `.
    pub(super) prompt: String,
    /// For the lines of the shell.
    pub(super) history_file: Option<PathBuf>,
    /// Where the URL comes from, for people whom nobody answers.
    pub(super) origin: Origin,
}

/// Where a URL comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    CommandLine,
    /// An option of a section of this file; or its default, if it isn't set.
    Configuration {
        path: PathBuf,
        section: String,
        option: &'static str,
    },
    /// What a supervised process is told.
    Environment,
    /// Nobody said anything.
    Nowhere,
}

impl Origin {
    /// In words. Only now is it looked up where exactly it stands: few need to know.
    pub(super) fn told(&self, around: &dyn Surroundings) -> String {
        match self {
            Self::CommandLine => "the command line".to_owned(),
            Self::Configuration { path, section, option } => config::place_of(path, section, option, around)
                .unwrap_or_else(|| format!("nowhere: [{section}] in {} has no {option}", path.display())),
            Self::Environment => format!("the environment's {URL_VARIABLE}"),
            Self::Nowhere => "nowhere: no configuration was found, it is the default".to_owned(),
        }
    }
}

/// Chooses.
///
/// # Errors
/// The text for stderr, when a configuration was found and is no good. The exit code is 2.
pub(super) fn choose(options: &ClientOptions, around: &dyn Surroundings) -> Result<Target, String> {
    let path = options.config.clone().or_else(|| config::find(&options.argv0, around).ok());
    let found = match &path {
        Some(path) => read(path, options.face, around).map_err(|errors| told(&errors, options))?,
        None => None,
    };
    let (settings, origin) = found.unwrap_or_else(|| (defaults(), Origin::Nowhere));
    let (url, origin) = match &options.server_url {
        Some(url) => (url.clone(), Origin::CommandLine),
        None if origin != Origin::Nowhere => (settings.server_url, origin),
        None => otherwise(options.face, around),
    };
    Ok(Target {
        url,
        username: options.username.clone().or(settings.username),
        password: options.password.clone().or(settings.password),
        prompt: settings.prompt,
        history_file: options.history_file.clone().or(settings.history_file),
        origin,
    })
}

/// The plug-ins that the same configuration names.
pub(super) fn plugins(options: &ClientOptions, around: &dyn Surroundings) -> Vec<ClientPlugin> {
    let path = options.config.clone().or_else(|| config::find(&options.argv0, around).ok());
    path.map(|path| client_plugins(&path, around)).unwrap_or_default()
}

/// What a configuration says, and what in it; `None` if it has nothing to say to clients.
fn read(
    path: &Path,
    face: Face,
    around: &dyn Surroundings,
) -> Result<Option<(ClientSettings, Origin)>, Errors> {
    match config::load_client(path, around) {
        Ok(settings) => Ok(Some((settings, placed("supervisorctl", "serverurl", path)))),
        Err(errors) if face == Face::Sv && errors.is_missing_section() => {
            let servers = config::load_servers(path, around)?;
            Ok(nearest(&servers).map(|server| {
                let option = if is_unix(&server) { "file" } else { "port" };
                (as_client(server), placed(&server.section, option, path))
            }))
        }
        Err(errors) => Err(errors),
    }
}

fn placed(section: &str, option: &'static str, path: &Path) -> Origin {
    Origin::Configuration { path: path.to_owned(), section: section.to_owned(), option }
}

/// The first unix socket, which is ours by its permissions; failing that, whatever there is.
fn nearest(servers: &[ServerSpec]) -> Option<&ServerSpec> {
    servers.iter().find(is_unix).or_else(|| servers.first())
}

fn is_unix(server: &&ServerSpec) -> bool {
    matches!(server.address, Address::Unix { .. })
}

/// What the server asks for is what a client has to say, if it is there in the clear.
fn as_client(server: &ServerSpec) -> ClientSettings {
    let (username, password) = match &server.credentials {
        Some(Credentials { username, password: Password::Plain(password) }) => {
            (Some(username.clone()), Some(password.clone()))
        }
        Some(Credentials { username, password: Password::Sha1(_) }) => (Some(username.clone()), None),
        None => (None, None),
    };
    ClientSettings { server_url: server.address.url(), username, password, ..defaults() }
}

fn defaults() -> ClientSettings {
    ClientSettings {
        server_url: DEFAULT_URL.to_owned(),
        username: None,
        password: None,
        prompt: "supervisor".to_owned(),
        history_file: None,
    }
}

/// Without a word from command line and configuration.
fn otherwise(face: Face, around: &dyn Surroundings) -> (String, Origin) {
    let told = around.environment().iter().find(|(name, value)| name == URL_VARIABLE && !value.is_empty());
    match told {
        Some((_, url)) if face == Face::Sv => (url.clone(), Origin::Environment),
        _ => (DEFAULT_URL.to_owned(), Origin::Nowhere),
    }
}

fn told(errors: &Errors, options: &ClientOptions) -> String {
    match options.face {
        Face::Sv => format!("error: {errors}\n"),
        _ => format!("Error: {errors}\nFor help, use {} -h\n", options.argv0),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::cli;
    use crate::model::{User, UserId};

    /// One file, or none, and an environment.
    struct Made {
        file: Option<&'static str>,
        environment: Vec<(String, String)>,
    }

    impl Surroundings for Made {
        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            let text = self.file.filter(|_| self.exists(path));
            text.map(|text| text.as_bytes().to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
        }
        fn is_dir(&self, _: &Path) -> bool {
            false
        }
        fn exists(&self, path: &Path) -> bool {
            self.file.is_some() && path == Path::new("/etc/supervisord.conf")
        }
        fn mode(&self, path: &Path) -> Option<u32> {
            self.exists(path).then_some(0o644)
        }
        fn make_log_folder(&self, _: &Path, _: Option<&User>) -> bool {
            false
        }

        fn may_write(&self, _: &Path, _: Option<&User>) -> io::Result<()> {
            Ok(())
        }

        fn is_executable(&self, _: &Path) -> bool {
            false
        }
        fn effective_user(&self) -> UserId {
            0
        }
        fn effective_group(&self) -> UserId {
            0
        }
        fn glob(&self, _: &str) -> Vec<PathBuf> {
            Vec::new()
        }
        fn environment(&self) -> &[(String, String)] {
            &self.environment
        }
        fn current_dir(&self) -> PathBuf {
            "/srv".into()
        }
        fn temp_dir(&self) -> PathBuf {
            "/tmp".into()
        }
        fn home_dir(&self, _: Option<&str>) -> Option<PathBuf> {
            None
        }
        fn host_node_name(&self) -> String {
            "node".into()
        }
        fn user_by_name(&self, _: &str) -> Option<User> {
            None
        }
        fn user_by_id(&self, _: UserId) -> Option<User> {
            None
        }
        fn group_id(&self, _: &str) -> Option<UserId> {
            None
        }
        fn group_exists(&self, _: UserId) -> bool {
            false
        }
    }

    /// `user:password@url (origin)`, or what is said instead.
    fn chosen(face: Face, options: &[&str], file: Option<&'static str>) -> String {
        let argv0 = if face == Face::Sv { "/bin/sv" } else { "/bin/supervisorctl" };
        let words = [&[argv0], options, &["status"]].concat();
        let parsed = cli::parse(words.iter().map(Into::into).collect(), false);
        let cli::Action::Client(options) = parsed else { panic!("{parsed:?}") };
        let environment = vec![(URL_VARIABLE.to_owned(), "unix:///env".to_owned())];
        let made = Made { file, environment };
        match choose(&options, &made) {
            Ok(target) => {
                let origin = target.origin.told(&made);
                let word = |text: Option<String>| text.unwrap_or("-".into());
                let (user, password) = (word(target.username), word(target.password));
                format!("{user}:{password}@{} ({origin})", target.url)
            }
            Err(text) => text,
        }
    }

    const WITH_SECTION: &str = "[supervisorctl]\nserverurl=unix:///ctl\nusername=u\npassword=p\n";
    const WITHOUT_SECTION: &str = "[supervisord]\n[inet_http_server]\nport=9001\n\
        [unix_http_server]\nfile=/sock\nusername=u\npassword=p\n";

    #[test]
    fn the_command_line_comes_before_the_configuration_and_that_before_the_environment() {
        let ctl = "/etc/supervisord.conf:2";
        let server = "/etc/supervisord.conf:5";
        let unset = "nowhere: [supervisorctl] in /etc/supervisord.conf has no serverurl";
        let told = "the environment's SUPERVISOR_SERVER_URL";
        let default = "nowhere: no configuration was found, it is the default";
        let (sv, supervisorctl) = (Face::Sv, Face::Supervisorctl);
        let url = ["-s", "unix:///s"];
        for (face, options, file, expected) in [
            (supervisorctl, &[][..], Some(WITH_SECTION), format!("u:p@unix:///ctl ({ctl})")),
            (sv, &[], Some(WITH_SECTION), format!("u:p@unix:///ctl ({ctl})")),
            (sv, &["-u", "x"], Some(WITH_SECTION), format!("x:p@unix:///ctl ({ctl})")),
            (sv, &url, Some(WITH_SECTION), "u:p@unix:///s (the command line)".to_owned()),
            (supervisorctl, &url, None, "-:-@unix:///s (the command line)".to_owned()),
            (supervisorctl, &[], None, format!("-:-@{DEFAULT_URL} ({default})")),
            // What it says is judged when it is used.
            (supervisorctl, &[], Some("[supervisorctl]\nserverurl=foo\n"), format!("-:-@foo ({ctl})")),
            (
                supervisorctl,
                &[],
                Some("[supervisorctl]\nserverurl=unix://a/../b\n"),
                format!("-:-@unix:///srv/b ({ctl})"),
            ),
            (sv, &[], Some("[supervisorctl]\n"), format!("-:-@{DEFAULT_URL} ({unset})")),
            (sv, &[], Some(WITHOUT_SECTION), format!("u:p@unix:///sock ({server})")),
            (sv, &[], Some("[supervisord]\n"), format!("-:-@unix:///env ({told})")),
            (sv, &[], None, format!("-:-@unix:///env ({told})")),
        ] {
            assert_eq!(chosen(face, options, file), expected, "{face:?} {options:?} {file:?}");
        }
    }

    #[test]
    fn a_configuration_that_is_no_good_is_told() {
        let missing = ".ini file does not include supervisorctl section";
        let told = chosen(Face::Supervisorctl, &[], Some(WITHOUT_SECTION));
        assert!(told.starts_with(&format!("Error: {missing}")), "{told}");
        assert!(told.ends_with("\nFor help, use /bin/supervisorctl -h\n"), "{told}");
        for (broken, place) in [
            ("[supervisorctl]\nnonsense\n", "[line  2]: 'nonsense"),
            ("[supervisorctl]\nserverurl=%(nope)s\n", "line: 2, option: serverurl"),
        ] {
            let told = chosen(Face::Supervisorctl, &[], Some(broken));
            assert!(told.starts_with("Error: ") && told.contains(place), "{told}");
            assert!(told.ends_with("\nFor help, use /bin/supervisorctl -h\n"), "{told}");
        }
        let told = chosen(Face::Sv, &["-c", "/nope"], Some(WITHOUT_SECTION));
        assert_eq!(told, "error: could not find config file /nope\n");
    }
}
