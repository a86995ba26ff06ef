//! Chooses the server and the credentials: the command line over the configuration over defaults.
//!
//! As `supervisorctl` a configuration that is found must have a `[supervisorctl]` section, while finding none
//! is fine. `sv` accepts more: a configuration without that section still contains the address of its server,
//! inside a supervised process the environment contains it, and a supervisor without any configured server
//! has a control socket that can be found ([`crate::control_socket`]).
//!
//! A supervisor that listens at a configured address is contacted there. One that does not, but was started
//! with the same configuration, is contacted at its control socket; another supervisor is not, as an explicit
//! address names one supervisor.

use std::path::{Path, PathBuf};

use super::client::Fallback;
use crate::cli::{ClientOptions, Face};
use crate::config::{self, ClientPlugin, ClientSettings, Errors, Machine, client_plugins};
use crate::control_socket::{self, FoundSocket, RUNTIME_DIR_VARIABLE, SocketSearch};
use crate::model::{Address, Credentials, Password, ServerSpec};

/// The default address of Supervisor's own clients.
const DEFAULT_URL: &str = "http://localhost:9001";

/// The variable in which a supervised process gets the address of its supervisor.
const URL_VARIABLE: &str = "SUPERVISOR_SERVER_URL";

/// The chosen server, and the credentials for it.
pub(super) struct Target {
    pub(super) url: String,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    /// Without its `> `.
    pub(super) prompt: String,
    /// For the shell.
    pub(super) history_file: Option<PathBuf>,
    /// Where the URL comes from, for the message about an unreachable server.
    pub(super) origin: UrlOrigin,
    /// Another address of the same supervisor.
    pub(super) fallback: Option<Fallback>,
}

/// Where a URL comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum UrlOrigin {
    CommandLine,
    /// An option of a section of this file, or its default, if it isn't set.
    Configuration {
        path: PathBuf,
        section: String,
        option: &'static str,
    },
    /// The environment of a supervised process.
    Environment,
    /// A control socket that was found.
    ControlSocket,
    /// The default: no other was found.
    Nowhere {
        /// The configuration that contains no address, and whether it was named on the command line.
        config: Option<(PathBuf, bool)>,
        /// The searched locations of control sockets.
        places: Vec<String>,
        /// The control sockets that could not be used, each with the reason.
        refusals: Vec<String>,
    },
}

impl UrlOrigin {
    /// Whether it is a server over TCP: the control socket is preferred to it, since it needs no password.
    fn is_inet_server(&self) -> bool {
        matches!(self, Self::Configuration { option: "port", .. })
    }

    /// Information about the address, for the message about an unreachable server. The position in the file
    /// is looked up only now, because it is rarely needed.
    pub(super) fn remark(&self, machine: &dyn Machine) -> String {
        let comes_from = match self {
            Self::CommandLine => "the command line".to_owned(),
            Self::Configuration { path, section, option } => config::place_of(path, section, option, machine)
                .unwrap_or_else(|| format!("nowhere: [{section}] in {} has no {option}", path.display())),
            Self::Environment => format!("the environment's {URL_VARIABLE}"),
            Self::ControlSocket => return String::new(),
            Self::Nowhere { config, places, refusals } => {
                return match config {
                    // Only if one was searched for.
                    Some((path, _)) if !places.is_empty() && config::is_control_socket_off(path, machine) => {
                        off_remark(path)
                    }
                    _ => default_remark(config.as_ref(), places, refusals),
                };
            }
        };
        format!(" (The address comes from {comes_from}.)")
    }
}

/// Why no control socket is searched for.
fn off_remark(path: &Path) -> String {
    format!(
        " (The address is the default: {0} names no address, and has no control socket because of \
         control_socket=none, set there or by SV_SUPERVISORD_CONTROL_SOCKET. Remove that or add [unix_http_server], \
         then restart it.)",
        path.display()
    )
}

/// The locations that were searched, and a remedy.
fn default_remark(config: Option<&(PathBuf, bool)>, places: &[String], refusals: &[String]) -> String {
    let names_none = match config {
        Some((path, _)) => format!("{} names no address", path.display()),
        None => "no configuration was found".to_owned(),
    };
    if places.is_empty() {
        return format!(" (The address is the default: {names_none}.)");
    }
    let places = places.join(", ");
    let start = match config {
        // One that may be there is not to be started.
        _ if !refusals.is_empty() => String::new(),
        Some((path, true)) => format!(" Start it with 'sv run -c {}'.", path.display()),
        Some((_, false)) => " Start it with 'sv run'.".to_owned(),
        None => " Start one with 'sv run -c FILE'.".to_owned(),
    };
    let remedy = match config {
        Some((_, true)) => "A supervisor of another configuration is not asked: leave out -c.",
        _ => "Name the address of another with -s, or its configuration with -c.",
    };
    let refusals: String = refusals.iter().map(|refusal| format!(" {refusal}.")).collect();
    format!(
        " (The address is the default: {names_none}, and no control socket was found in {places}.{refusals}{start} {remedy})"
    )
}

/// Chooses the server.
///
/// # Errors
/// The text for stderr, if a configuration was found and is invalid. The exit code is 2.
pub(super) fn choose(options: &ClientOptions, machine: &dyn Machine) -> Result<Target, String> {
    let runtime_dir = machine.environment().iter().find(|(name, _)| name == RUNTIME_DIR_VARIABLE);
    let runtime_dir = runtime_dir.map(|(_, value)| PathBuf::from(value));
    choose_among(options, machine, &|wanted| control_socket::find(wanted, runtime_dir.as_deref()))
}

/// Chooses the server, with `find` to search for control sockets.
fn choose_among(
    options: &ClientOptions,
    machine: &dyn Machine,
    find: &dyn Fn(SocketSearch<'_>) -> FoundSocket,
) -> Result<Target, String> {
    let path = options.config.clone().or_else(|| config::find(&options.argv0, machine).ok());
    let found = match &path {
        Some(path) => read(path, options.face, machine).map_err(|errors| describe(&errors, options))?,
        None => None,
    };
    let config = path.as_ref().map(|path| machine.current_dir().join(path));
    let search = Search { config: config.as_deref(), is_named: options.config.is_some(), find };
    let (settings, origin) =
        found.map_or_else(|| (defaults(), None), |(settings, origin)| (settings, origin));
    let (url, origin) = match (&options.server_url, origin) {
        (Some(url), _) => (url.clone(), UrlOrigin::CommandLine),
        (None, Some(origin)) if options.face == Face::Sv && origin.is_inet_server() => {
            search.own().unwrap_or((settings.server_url, origin))
        }
        (None, Some(origin)) => (settings.server_url, origin),
        (None, None) if options.face == Face::Sv => {
            search.own().or_else(|| by_environment(machine)).unwrap_or_else(|| search.any())
        }
        (None, None) => (DEFAULT_URL.to_owned(), search.nowhere(FoundSocket::default())),
    };
    let is_configured = matches!(origin, UrlOrigin::Configuration { .. });
    let fallback = config.filter(|_| options.face == Face::Sv && is_configured);
    let environment = |name: &str| machine.environment().iter().find(|(known, _)| known == name);
    let runtime_dir = environment(RUNTIME_DIR_VARIABLE).map(|(_, value)| PathBuf::from(value));
    Ok(Target {
        url,
        username: options.username.clone().or(settings.username),
        password: options.password.clone().or(settings.password),
        prompt: settings.prompt,
        history_file: options.history_file.clone().or(settings.history_file),
        origin,
        fallback: fallback.map(|config| Fallback { config, runtime_dir }),
    })
}

/// The plug-ins in the same configuration.
pub(super) fn plugins(options: &ClientOptions, machine: &dyn Machine) -> Vec<ClientPlugin> {
    let path = options.config.clone().or_else(|| config::find(&options.argv0, machine).ok());
    path.map(|path| client_plugins(&path, machine)).unwrap_or_default()
}

/// The search for a control socket.
struct Search<'a> {
    config: Option<&'a Path>,
    is_named: bool,
    find: &'a dyn Fn(SocketSearch<'_>) -> FoundSocket,
}

impl Search<'_> {
    /// The control socket of the configuration.
    fn own(&self) -> Option<(String, UrlOrigin)> {
        let wanted = SocketSearch { config: Some(self.config?), is_config_named: true };
        Some(((self.find)(wanted).address?.url(), UrlOrigin::ControlSocket))
    }

    /// Any candidate, and otherwise the default address.
    fn any(&self) -> (String, UrlOrigin) {
        let found = (self.find)(SocketSearch { config: self.config, is_config_named: self.is_named });
        match &found.address {
            Some(address) => (address.url(), UrlOrigin::ControlSocket),
            None => (DEFAULT_URL.to_owned(), self.nowhere(found)),
        }
    }

    fn nowhere(&self, FoundSocket { places, refusals, .. }: FoundSocket) -> UrlOrigin {
        let config = self.config.map(|path| (path.to_owned(), self.is_named));
        UrlOrigin::Nowhere { config, places, refusals }
    }
}

/// The client settings of a configuration, and which part of it has the address; `None` if it has none for
/// clients.
fn read(
    path: &Path,
    face: Face,
    machine: &dyn Machine,
) -> Result<Option<(ClientSettings, Option<UrlOrigin>)>, Errors> {
    let is_sv = face == Face::Sv;
    let own = match config::load_client(path, machine) {
        Ok(settings) if !is_sv || settings.is_server_url_set => {
            return Ok(Some((settings, Some(placed("supervisorctl", "serverurl", path)))));
        }
        Ok(settings) => Some(settings),
        Err(errors) if is_sv && errors.is_missing_section() => None,
        Err(errors) => return Err(errors),
    };
    let servers = config::load_servers(path, machine)?;
    let Some(server) = nearest(&servers) else { return Ok(own.map(|settings| (settings, None))) };
    let option = match &server.address {
        _ if server.is_implicit => "control_socket",
        Address::Inet { .. } => "port",
        Address::Unix { .. } | Address::Abstract { .. } => "file",
    };
    let said = as_client(server);
    let settings = match own {
        Some(own) => ClientSettings {
            server_url: said.server_url,
            username: own.username.or(said.username),
            password: own.password.or(said.password),
            ..own
        },
        None => said,
    };
    Ok(Some((settings, Some(placed(&server.section, option, path)))))
}

fn placed(section: &str, option: &'static str, path: &Path) -> UrlOrigin {
    UrlOrigin::Configuration { path: path.to_owned(), section: section.to_owned(), option }
}

/// The first unix socket, which our permissions allow us to use; otherwise the first server.
fn nearest(servers: &[ServerSpec]) -> Option<&ServerSpec> {
    servers.iter().find(is_unix).or_else(|| servers.first())
}

fn is_unix(server: &&ServerSpec) -> bool {
    matches!(server.address, Address::Unix { .. })
}

/// The credentials that the server requires, if they are in plain text.
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
        is_server_url_set: false,
        username: None,
        password: None,
        prompt: "supervisor".to_owned(),
        history_file: None,
    }
}

/// The address in the environment of a supervised process.
fn by_environment(machine: &dyn Machine) -> Option<(String, UrlOrigin)> {
    let found = machine.environment().iter().find(|(name, value)| name == URL_VARIABLE && !value.is_empty());
    found.map(|(_, url)| (url.clone(), UrlOrigin::Environment))
}

fn describe(errors: &Errors, options: &ClientOptions) -> String {
    match options.face {
        Face::Sv => format!("error: {}\n", errors.plain()),
        _ => format!("Error: {errors}\nFor help, use {} -h\n", options.argv0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;
    use crate::config::fake::Fake;

    /// `user:password@url (origin)`, or the error.
    fn chosen(face: Face, options: &[&str], file: Option<&'static str>) -> String {
        chosen_among(&Sockets::default(), Some("unix:///env"), face, options, file)
    }

    /// The existing control sockets.
    #[derive(Default)]
    struct Sockets {
        /// That of the supervisor of /etc/supervisord.conf.
        own: Option<&'static str>,
        /// That of PID 1, which has another configuration.
        init: Option<&'static str>,
    }

    impl Sockets {
        fn find(&self, wanted: SocketSearch<'_>) -> FoundSocket {
            let own = self.own.filter(|_| wanted.config == Some(Path::new("/etc/supervisord.conf")));
            let path = own.or(self.init.filter(|_| !wanted.is_config_named));
            let address = path.map(|path| Address::Unix { path: path.into(), mode: 0o700, owner: None });
            FoundSocket { address, places: vec!["/run/sv-0".to_owned()], refusals: Vec::new() }
        }
    }

    fn chosen_among(
        sockets: &Sockets,
        url: Option<&str>,
        face: Face,
        options: &[&str],
        file: Option<&'static str>,
    ) -> String {
        let argv0 = if face == Face::Sv { "/bin/sv" } else { "/bin/supervisorctl" };
        let words = [&[argv0], options, &["status"]].concat();
        let parsed = cli::parse(words.iter().map(Into::into).collect(), false);
        let cli::Action::Client(options) = parsed else { panic!("{parsed:?}") };
        let mut machine = Fake::new();
        if let Some(text) = file {
            machine = machine.file("/etc/supervisord.conf", text);
        }
        if let Some(url) = url {
            machine = machine.variable(URL_VARIABLE, url);
        }
        match choose_among(&options, &machine, &|wanted| sockets.find(wanted)) {
            Ok(target) => {
                let origin = target.origin.remark(&machine);
                let word = |text: Option<String>| text.unwrap_or("-".into());
                let (user, password) = (word(target.username), word(target.password));
                format!("{user}:{password}@{}{origin}", target.url)
            }
            Err(text) => text,
        }
    }

    const WITH_SECTION: &str = "[supervisorctl]\nserverurl=unix:///ctl\nusername=u\npassword=p\n";
    const WITHOUT_SECTION: &str = "[supervisord]\n[inet_http_server]\nport=9001\n\
        [unix_http_server]\nfile=/sock\nusername=u\npassword=p\n";

    #[test]
    fn the_command_line_comes_before_the_configuration_and_that_before_the_environment() {
        let from = |place: &str| format!(" (The address comes from {place}.)");
        let (ctl, server) = (from("/etc/supervisord.conf:2"), from("/etc/supervisord.conf:5"));
        let (found, by_hand) = (from("the environment's SUPERVISOR_SERVER_URL"), from("the command line"));
        let default = " (The address is the default: no configuration was found.)";
        let unset = from("nowhere: [supervisorctl] in /etc/supervisord.conf has no serverurl");
        let (sv, supervisorctl) = (Face::Sv, Face::Supervisorctl);
        let url = ["-s", "unix:///s"];
        for (face, options, file, expected) in [
            (supervisorctl, &[][..], Some(WITH_SECTION), format!("u:p@unix:///ctl{ctl}")),
            (sv, &[], Some(WITH_SECTION), format!("u:p@unix:///ctl{ctl}")),
            (sv, &["-u", "x"], Some(WITH_SECTION), format!("x:p@unix:///ctl{ctl}")),
            (sv, &url, Some(WITH_SECTION), format!("u:p@unix:///s{by_hand}")),
            (supervisorctl, &url, None, format!("-:-@unix:///s{by_hand}")),
            (supervisorctl, &[], None, format!("-:-@{DEFAULT_URL}{default}")),
            // It is validated when it is used.
            (supervisorctl, &[], Some("[supervisorctl]\nserverurl=foo\n"), format!("-:-@foo{ctl}")),
            (
                supervisorctl,
                &[],
                Some("[supervisorctl]\nserverurl=unix://a/../b\n"),
                format!("-:-@unix:///srv/b{ctl}"),
            ),
            (supervisorctl, &[], Some("[supervisorctl]\n"), format!("-:-@{DEFAULT_URL}{unset}")),
            (sv, &[], Some("[supervisorctl]\nusername=x\n"), format!("x:-@unix:///env{found}")),
            (sv, &[], Some(WITHOUT_SECTION), format!("u:p@unix:///sock{server}")),
            (sv, &[], Some("[supervisord]\n"), format!("-:-@unix:///env{found}")),
            (sv, &[], None, format!("-:-@unix:///env{found}")),
        ] {
            assert_eq!(chosen(face, options, file), expected, "{face:?} {options:?} {file:?}");
        }
    }

    #[test]
    fn a_control_socket_is_used_if_no_address_is_configured() {
        const INET: &str = "[supervisord]\n[inet_http_server]\nport=9001\n";
        const NONE: &str = "[supervisord]\n";
        const OFF: &str = "[supervisord]\ncontrol_socket=none\n";
        let both = Sockets { own: Some("/own"), init: Some("/init") };
        let (only_init, none) = (Sockets { own: None, init: Some("/init") }, Sockets::default());
        let named = ["-c", "/etc/supervisord.conf"];
        let (sv, supervisorctl) = (Face::Sv, Face::Supervisorctl);
        let searched = |names_none: &str, remedy: &str| {
            format!(
                "{DEFAULT_URL} (The address is the default: {names_none}, and no control socket was found in \
                 /run/sv-0. {remedy})"
            )
        };
        let unset = "/etc/supervisord.conf names no address";
        let name = "Name the address of another with -s, or its configuration with -c.";
        let (start, start_one) =
            (format!("Start it with 'sv run'. {name}"), format!("Start one with 'sv run -c FILE'. {name}"));
        for (sockets, face, options, file, expected) in [
            (&both, sv, &[][..], Some(NONE), "unix:///own".to_owned()),
            (&both, sv, &named, Some(NONE), "unix:///own".to_owned()),
            (&both, sv, &[], Some(INET), "unix:///own".to_owned()),
            (
                &both,
                sv,
                &[],
                Some(WITH_SECTION),
                "unix:///ctl (The address comes from /etc/supervisord.conf:2.)".to_owned(),
            ),
            (&both, sv, &[], None, "unix:///init".to_owned()),
            (&only_init, sv, &[], Some(NONE), "unix:///init".to_owned()),
            (
                &only_init,
                sv,
                &[],
                Some(INET),
                "http://localhost:9001 (The address comes from /etc/supervisord.conf:3.)".to_owned(),
            ),
            // A named configuration does not mean the supervisor of another one.
            (
                &only_init,
                sv,
                &named,
                Some(NONE),
                searched(
                    unset,
                    "Start it with 'sv run -c /etc/supervisord.conf'. A supervisor of another configuration is not \
                     asked: leave out -c.",
                ),
            ),
            (&none, sv, &[], Some(NONE), searched(unset, &start)),
            (&none, sv, &[], None, searched("no configuration was found", &start_one)),
            (
                &none,
                sv,
                &[],
                Some(OFF),
                format!(
                    "{DEFAULT_URL} (The address is the default: {unset}, and has no control socket because of \
                     control_socket=none, set there or by SV_SUPERVISORD_CONTROL_SOCKET. Remove that or add \
                     [unix_http_server], then restart it.)"
                ),
            ),
            (
                &both,
                supervisorctl,
                &[],
                None,
                format!("{DEFAULT_URL} (The address is the default: no configuration was found.)"),
            ),
        ] {
            let chosen = chosen_among(sockets, None, face, options, file);
            let (_, chosen) = chosen.split_once('@').unwrap();
            assert_eq!(chosen, expected, "{face:?} {options:?} {file:?}");
        }
    }

    #[test]
    fn an_invalid_configuration_is_reported() {
        let missing = ".ini file does not include supervisorctl section";
        let found = chosen(Face::Supervisorctl, &[], Some(WITHOUT_SECTION));
        assert!(found.starts_with(&format!("Error: {missing}")), "{found}");
        assert!(found.ends_with("\nFor help, use /bin/supervisorctl -h\n"), "{found}");
        for (broken, place) in [
            ("[supervisorctl]\nnonsense\n", "[line  2]: 'nonsense"),
            ("[supervisorctl]\nserverurl=%(nope)s\n", "line: 2, option: serverurl"),
        ] {
            let found = chosen(Face::Supervisorctl, &[], Some(broken));
            assert!(found.starts_with("Error: ") && found.contains(place), "{found}");
            assert!(found.ends_with("\nFor help, use /bin/supervisorctl -h\n"), "{found}");
        }
        let found = chosen(Face::Sv, &["-c", "/nope"], Some(WITHOUT_SECTION));
        assert!(found.starts_with("error: could not find config file /nope: check the path"), "{found}");
    }
}
