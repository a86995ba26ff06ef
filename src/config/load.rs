//! Loads a configuration: from a path to settings.

use std::collections::BTreeMap;
use std::path::Path;

use crate::model::{Address, ControlSocket, Environment, ServerSpec, Settings};

use super::daemon::{control_socket, daemon, environment};
use super::document::{Document, Entry, Language, Written};
use super::error::{Error, ErrorKind, Errors};
use super::expand::Names;
use super::groups::groups;
use super::machine::Machine;
use super::main_command;
use super::options::SectionKind;
use super::plugins::namespaces;
use super::reader::{Override, SectionReader};
use super::reading::{Findings, Reading};
use super::servers::{SOCKET_MODE, probe_servers, report_open_servers, servers};
use super::signals::signals;
use super::sources::read_all;
use super::unknown;
use super::variables;

/// Reads a configuration and the files it includes, and applies the overrides of the environment and the
/// command line.
///
/// # Errors
///
/// All errors in the configuration.
pub fn load(path: &Path, overrides: &[Override], machine: &dyn Machine) -> Result<Settings, Errors> {
    load_with_command(path, overrides, &[], machine)
}

/// Like [`load`], with a command that runs in addition to the programs of the configuration, as the program
/// `main`.
///
/// # Errors
///
/// All errors in the configuration, or a program that is also called `main`.
pub fn load_with_command(
    path: &Path,
    overrides: &[Override],
    command: &[String],
    machine: &dyn Machine,
) -> Result<Settings, Errors> {
    load_scaled(path, overrides, command, &BTreeMap::new(), machine)
}

/// Like [`load_with_command`], with other numbers of processes for some programs, whatever the configuration says.
///
/// # Errors
///
/// All errors in the configuration, also those that come from the other numbers.
pub fn load_scaled(
    path: &Path,
    overrides: &[Override],
    command: &[String],
    numprocs: &BTreeMap<String, u32>,
    machine: &dyn Machine,
) -> Result<Settings, Errors> {
    let change = |document: &mut Document| set_numprocs(document, numprocs);
    let Examined { settings, findings, .. } =
        examine_changed(path, overrides, command, machine, Completeness::Whole, &change, |_, _| ());
    let Findings { errors, remarks } = findings;
    let notices = remarks.into_iter().map(|remark| remark.notice).collect();
    settings.map(|settings| Settings { notices, ..settings }).ok_or(Errors(errors))
}

/// The result of reading a configuration.
pub(crate) struct Examined {
    /// Without notices; `None` if there are errors.
    pub(crate) settings: Option<Settings>,
    /// `None` if a file could not be parsed.
    pub(crate) document: Option<Document>,
    pub(crate) findings: Findings,
    /// It is part of a configuration: it has programs and no `[supervisord]`.
    pub(crate) is_fragment: bool,
}

/// Which parts of a configuration must exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completeness {
    /// Everything that is needed to run it: `[supervisord]`.
    Whole,
    /// A part is enough, to check it.
    WholeOrPart,
}

/// Reads as much as possible in spite of errors. `look` is called before findings are collected, with the
/// settings if there are no errors.
pub(crate) fn examine(
    path: &Path,
    overrides: &[Override],
    command: &[String],
    machine: &dyn Machine,
    extent: Completeness,
    look: impl FnOnce(&mut Reading<'_>, Option<&Settings>),
) -> Examined {
    examine_changed(path, overrides, command, machine, extent, &|_| (), look)
}

/// The same after `change` was made to the document.
fn examine_changed(
    path: &Path,
    overrides: &[Override],
    command: &[String],
    machine: &dyn Machine,
    extent: Completeness,
    change: &dyn Fn(&mut Document),
    look: impl FnOnce(&mut Reading<'_>, Option<&Settings>),
) -> Examined {
    let host_node_name = machine.host_node_name();
    let inherited = Names::default().with_variables(machine.environment());
    let read = read_all(path, machine, &host_node_name, &inherited).and_then(|(mut document, findings)| {
        main_command::add_main(&mut document, command)?;
        change(&mut document);
        Ok((document, findings))
    });
    let (mut document, findings) = match read {
        Ok(read) => read,
        Err(Errors(errors)) => {
            let findings = Findings { errors, ..Findings::default() };
            return Examined { settings: None, document: None, findings, is_fragment: false };
        }
    };
    let is_fragment = extent == Completeness::WholeOrPart && is_fragment(&document);
    if is_fragment {
        let place = document.add_command_line();
        document.open("supervisord", place);
    }
    let mut reading = Reading::new(&document, machine, &host_node_name, findings);
    reading.is_fragment = is_fragment;
    let settings = settings(&mut reading, path, &inherited, overrides);
    let mut settings = settings.filter(|_| reading.error_count() == 0);
    if let Some(settings) = settings.as_mut().filter(|_| !command.is_empty()) {
        main_command::connect(settings);
    }
    look(&mut reading, settings.as_ref());
    let findings = reading.into_findings().without_repetitions();
    Examined { settings, document: Some(document), findings, is_fragment }
}

/// Sets `numprocs` of programs of any kind.
fn set_numprocs(document: &mut Document, numprocs: &BTreeMap<String, u32>) {
    use SectionKind::{EventListener, FcgiProgram, Program};
    let number_of = |name: &str| {
        let (kind, instance) = SectionKind::of(name)?;
        numprocs.get(instance).filter(|_| matches!(kind, Program | FcgiProgram | EventListener))
    };
    let names: Vec<_> = document.sections().iter().map(|section| section.name.clone()).collect();
    for name in names {
        let Some(number) = number_of(&name) else { continue };
        let place = document.add_command_line();
        let section = document.open(&name, place);
        let value = Written::Text(number.to_string());
        document.section_mut(section).push(Entry { key: "numprocs".into(), value, place });
    }
}

/// Files in `conf.d` have programs and leave `[supervisord]` to the file that includes them.
fn is_fragment(document: &Document) -> bool {
    let kinds = || document.sections().iter().filter_map(|section| SectionKind::of(&section.name));
    let is_program = |kind| {
        use SectionKind::{EventListener, FcgiProgram, Group, Program};
        matches!(kind, Program | FcgiProgram | EventListener | Group)
    };
    let is_main = |kind| matches!(kind, SectionKind::Supervisord | SectionKind::Include);
    kinds().any(|(kind, _)| is_program(kind)) && !kinds().any(|(kind, _)| is_main(kind))
}

/// `None` if a required section is missing.
fn settings(
    reading: &mut Reading<'_>,
    path: &Path,
    inherited: &Names<'_>,
    overrides: &[Override],
) -> Option<Settings> {
    let section = reading.document.section("supervisord");
    let mut daemon = match section {
        Some(section) => Some(daemon(reading, section, inherited, overrides)),
        None => {
            reading.error(missing_section(path, "supervisord"));
            None
        }
    };
    if let Some(daemon) = &daemon {
        reading.log_defaults = daemon.log_defaults;
    }
    reading.own_user = daemon.as_ref().and_then(|daemon| daemon.user.clone());
    let nothing = Environment::new();
    let own = daemon.as_ref().map_or(&nothing, |daemon| &daemon.environment);
    let names = Names::over(inherited).with_variables(own);
    let is_strict = daemon.as_ref().is_some_and(|daemon| daemon.strict);
    let namespaces = namespaces(reading, &names, is_strict);
    let groups = groups(reading, &names, own);
    let signals = section.map(|section| signals(reading, section, inherited, &groups));
    let servers = servers(reading, &names);
    report_open_servers(reading, &servers, is_strict);
    let probe_servers = probe_servers(reading, &names);
    unknown::report(reading, is_strict);
    if is_strict {
        reading.reject_unused_variables();
    }
    let variables = variables::used(reading.document);
    if let Some((daemon, signals)) = daemon.as_mut().zip(signals) {
        daemon.rules.signals = signals;
    }
    daemon.map(|daemon| Settings {
        daemon,
        servers,
        probe_servers,
        namespaces,
        groups,
        variables,
        notices: Vec::new(),
    })
}

/// Reads only the control servers of a configuration, for a client that needs an address. A path in
/// `control_socket` is one of them, the last.
///
/// # Errors
///
/// All errors in the servers or in the environment that their values may use.
pub fn load_servers(path: &Path, machine: &dyn Machine) -> Result<Vec<ServerSpec>, Errors> {
    let (mut servers, control_socket) = read_servers(path, machine)?;
    if let ControlSocket::At(path) = control_socket {
        servers.push(ServerSpec::implicit(Address::Unix { path, mode: SOCKET_MODE, owner: None }));
    }
    Ok(servers)
}

/// Whether a configuration turns the control socket off.
#[must_use]
pub fn is_control_socket_off(path: &Path, machine: &dyn Machine) -> bool {
    read_servers(path, machine).is_ok_and(|(_, control_socket)| control_socket == ControlSocket::Off)
}

fn read_servers(path: &Path, machine: &dyn Machine) -> Result<(Vec<ServerSpec>, ControlSocket), Errors> {
    let host_node_name = machine.host_node_name();
    let inherited = Names::default().with_variables(machine.environment());
    let (document, findings) = read_all(path, machine, &host_node_name, &inherited)?;
    let mut reading = Reading::new(&document, machine, &host_node_name, findings);
    let section = document.section("supervisord");
    let own = section.map(|section| environment(&mut reading, section, &inherited)).unwrap_or_default();
    let servers = servers(&mut reading, &Names::over(&inherited).with_variables(&own));
    let control_socket = section.map(|section| {
        let mut options = SectionReader::new(&mut reading, section, SectionKind::Supervisord, &inherited);
        control_socket(&mut options)
    });
    reading.finish()?;
    Ok((servers, control_socket.unwrap_or_default()))
}

/// Where a configuration sets an option of a section: `/etc/x.conf:12`, or the name of a variable.
/// `None` if it doesn't, or can't be read.
#[must_use]
pub fn place_of(path: &Path, section: &str, option: &str, machine: &dyn Machine) -> Option<String> {
    let inherited = Names::default().with_variables(machine.environment());
    let (mut document, _) = read_all(path, machine, &machine.host_node_name(), &inherited).ok()?;
    variables::apply(&mut document, machine, &|kind| kind == SectionKind::Supervisorctl);
    let entry = document.entry(document.section(section)?, option)?;
    Some(document.describe(entry.place))
}

pub(super) fn missing_section(path: &Path, section: &str) -> Error {
    let message = format!("{} file does not include {section} section", Language::of(path).ending());
    let remedy = (section == "supervisord").then_some("add [supervisord], which may be empty");
    Error { remedy, ..Error::about_file(ErrorKind::MissingSection, path, message) }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, MAIN, errors_in, load_text, load_toml, notices_in};
    use super::super::sample;
    use super::*;

    #[test]
    fn all_errors_are_reported_together() {
        let text = "[supervisord]\nloglevel=loud\nminfds=few\n[program:a]\nautostart=maybe\nstartsecs=x\n\
            [inet_http_server]\n[group:g]\nprograms=nope\n[include]";
        let found = errors_in(text);
        let starts = [
            ".ini file has [include] section, but no files",
            "bad logging level name 'loud'",
            "not a valid integer: 'few'",
            "[group:g] names unknown",
            "not a valid boolean value: 'maybe'",
            "not a valid integer: 'x'",
            "program section program:a does not specify",
            "section [inet_http_server] has no port",
        ];
        assert_eq!(found.len(), starts.len(), "{found:?}");
        for (error, start) in found.iter().zip(starts) {
            assert!(error.starts_with(start), "{error}");
        }
    }

    #[test]
    fn the_section_of_the_supervisor_must_be_there() {
        for text in ["", "[program:a]\ncommand=a", "[Supervisord]", "[DEFAULT]\nx=1"] {
            assert_eq!(
                errors_in(text),
                [".ini file does not include supervisord section (file: '/etc/x.conf')"]
            );
        }
    }

    #[test]
    fn variables_come_from_the_environment_and_from_the_supervisors_section() {
        let text = "[program:a]\ncommand=%(ENV_A)s %(ENV_B)s\n[unix_http_server]\nfile=/%(ENV_A)s\n\
            [supervisord]\nenvironment=A=\"%(ENV_A)s%%\"\nidentifier=%(ENV_A)s\n";
        let machine = Fake::main(text).variable("A", "out%side").variable("B", "%(x)s");
        let settings = load(Path::new(MAIN), &[], &machine).unwrap();
        assert_eq!(settings.groups[0].processes[0].command, "out%side% %(x)s");
        assert_eq!(settings.daemon.identifier, "out%side");
        assert_eq!(settings.servers[0].address.url(), "unix:///out%side%");
        assert_eq!(load_servers(Path::new(MAIN), &machine), Ok(settings.servers));
    }

    #[test]
    fn the_servers_ignore_the_section_of_the_client() {
        let text = "[supervisord]\n[supervisorctl]\nserverurl=%(nope)s\nprompt=%\n";
        assert_eq!(load_text(text).map(|settings| settings.notices), Ok(Vec::new()));
    }

    #[test]
    fn servers_are_read_alone() {
        let machine = Fake::main("[unix_http_server]\nfile=/s\n[program:a]\nautostart=maybe");
        let servers = load_servers(Path::new(MAIN), &machine).unwrap();
        assert!(matches!(&servers[0].address, Address::Unix { path, .. } if path == Path::new("/s")));
    }

    #[test]
    fn the_sample_is_sound() {
        let settings = load_text(&sample(Language::Ini)).unwrap();
        assert_eq!(settings.notices, []);
        assert_eq!(settings.servers[0].address.url(), "unix:///tmp/supervisor.sock");
        assert_eq!(settings.namespaces, [crate::model::Namespace::of_supervisor("supervisor")]);
        assert_eq!(settings.daemon.log_file, Some("/tmp/supervisord.log".into()));
        assert_eq!(settings.groups, []);
        assert_eq!(load_toml(&sample(Language::Toml)), Ok(settings));
    }

    /// Uncomments everything except prose.
    fn all_set(language: Language) -> String {
        let (comment, is) = match language {
            Language::Ini => (';', "="),
            Language::Toml => ('#', " = "),
        };
        let is_option = |line: &str| line.starts_with('[') || !line.starts_with(' ') && line.contains(is);
        let set =
            |line: &str| line.strip_prefix(comment).filter(|line| is_option(line)).unwrap_or(line).to_owned();
        sample(language).lines().map(|line| set(line) + "\n").collect()
    }

    /// Ensures that every default and every example is valid for its option.
    #[test]
    fn the_sample_is_sound_with_everything_set() {
        let text = all_set(Language::Ini);
        assert_eq!(notices_in(&text), ["No file matches via include \"/etc/conf.d/*.ini\""]);
        let settings = load_text(&text).unwrap();
        let groups: Vec<_> = settings.groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!((settings.servers.len(), groups), (2, vec!["alarm", "php", "site"]));
        let toml = load_toml(&all_set(Language::Toml)).unwrap();
        assert_eq!(Settings { notices: Vec::new(), ..toml }, Settings { notices: Vec::new(), ..settings });
    }

    #[test]
    fn no_text_makes_it_panic() {
        const PIECES: [&str; 36] = [
            "[supervisord]\n",
            "[program:a]\n",
            "[fcgi-program:f]\n",
            "[eventlistener:e]\n",
            "socket=tcp://a:1",
            "socket=unix:///",
            "events=TICK",
            "buffer_size=",
            "[program:b]\n",
            "[group:a]\n",
            "[group:g]\n",
            "[include]\n",
            "[unix_http_server]\n",
            "[inet_http_server:x]\n",
            "[rpcinterface:r]\n",
            "[x]\n",
            "command=",
            "programs=",
            "numprocs=2\n",
            "process_name=%(process_num)d\n",
            "environment=",
            "files=",
            "port=",
            "file=",
            "password=",
            "username=",
            "user=",
            "a",
            ",",
            "%(ENV_X)s",
            "%(here)",
            "\"",
            "=",
            "\n",
            "~",
            "{SHA}",
        ];
        let mut seed: u32 = 11;
        let mut sound = 0;
        for _ in 0..3_000 {
            let mut text = String::from("[supervisord]\n");
            for _ in 0..12 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                text.push_str(PIECES[(seed >> 16) as usize % PIECES.len()]);
            }
            sound += usize::from(load_text(&text).is_ok());
        }
        assert!(sound > 0);
    }
}
