//! `[rpcinterface:x]` and `[ctlplugin:x]`: Python plug-ins. Supervisor's own interface is built in, and so
//! are those of some small packages and the client's plug-in supervisor-wildcards.

use std::path::Path;

use super::document::{Language, Section};
use super::expand::Names;
use super::machine::Machine;
use super::options::SectionKind;
use super::reader::SectionReader;
use super::reading::{Reading, Remark, Spot};
use super::sources::read_main;
use crate::model::{Namespace, RpcInterface};

const FACTORY: &str = "supervisor.rpcinterface_factory";

/// The plug-in that every configuration names.
const MAIN_FACTORY: &str = "supervisor.rpcinterface:make_main_rpcinterface";

/// The built-in plug-in of the client: its actions are aliases of others.
const WILDCARDS_FACTORY: &str = "supervisorwildcards.controllerplugin:make_wildcards_controllerplugin";

const CTL_FACTORY: &str = "supervisor.ctl_factory";

/// A `[ctlplugin:x]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientPlugin {
    /// Its full name: `ctlplugin:x`.
    pub section: String,
    /// `supervisor.ctl_factory`, as written; empty if it is not set.
    pub factory: String,
}

impl ClientPlugin {
    fn of(section: &Section) -> Self {
        let factory = section.entry(CTL_FACTORY).and_then(|entry| entry.value.shown());
        let factory = factory.map(|text| text.trim().to_owned()).unwrap_or_default();
        Self { section: section.name.clone(), factory }
    }

    /// Whether it is the supervisor-wildcards of PyPI, with `mstart`, `mstop` and `mrestart`.
    #[must_use]
    pub fn is_wildcards(&self) -> bool {
        self.factory == WILDCARDS_FACTORY
    }
}

/// The plug-ins that a configuration names for the client; none if it can't be read. Like Supervisor's
/// client, this ignores included files.
#[must_use]
pub fn client_plugins(path: &Path, machine: &dyn Machine) -> Vec<ClientPlugin> {
    let Ok(document) = read_main(path, machine) else { return Vec::new() };
    let is_plugin =
        |section: &&Section| matches!(SectionKind::of(&section.name), Some((SectionKind::CtlPlugin, _)));
    document.sections().iter().filter(is_plugin).map(ClientPlugin::of).collect()
}

/// The interfaces that are built in.
const FACTORIES: [(&str, RpcInterface); 4] = [
    (MAIN_FACTORY, RpcInterface::Supervisor),
    ("supervisor_cache.rpcinterface:make_cache_rpcinterface", RpcInterface::Cache),
    ("mr.laforge.rpcinterface:make_laforge_rpcinterface", RpcInterface::LaForge),
    ("supervisor_twiddler.rpcinterface:make_twiddler_rpcinterface", RpcInterface::Twiddler),
];

/// The namespace that clients use.
const MAIN_NAMESPACE: &str = "supervisor";

/// The XML-RPC namespaces. Plug-ins that are not built in are ignored with a warning; with `strict` they are
/// errors. TOML does not require a Python factory: a main file in TOML has the built-in interface unless some
/// file names an interface.
pub(super) fn namespaces(reading: &mut Reading<'_>, names: &Names<'_>, is_strict: bool) -> Vec<Namespace> {
    let mut found = Vec::new();
    let mut is_any_named = false;
    for section in reading.document.sections() {
        match SectionKind::of(&section.name) {
            Some((SectionKind::CtlPlugin, _)) if ClientPlugin::of(section).is_wildcards() => {}
            Some((SectionKind::CtlPlugin, _)) => {
                let text = format!("[{}] is left out: its plug-in {WHY}", section.name);
                warn(reading, Spot::of(section, section.place, None), text);
            }
            Some((SectionKind::RpcInterface, name)) => {
                is_any_named = true;
                let interface = interface(reading, section, names, is_strict);
                found.extend(interface.map(|interface| Namespace { name: name.to_owned(), interface }));
            }
            _ => {}
        }
    }
    if !is_any_named && reading.document.language() == Language::Toml {
        found.push(Namespace::of_supervisor(MAIN_NAMESPACE));
    }
    found
}

const WHY: &str = "is Python code, which can't be run here";

fn interface<'a>(
    reading: &mut Reading<'a>,
    section: &'a Section,
    names: &Names<'_>,
    is_strict: bool,
) -> Option<RpcInterface> {
    let mut options = SectionReader::new(reading, section, SectionKind::RpcInterface, names);
    if !options.is_set(FACTORY) {
        options.section_error(format!("section [{}] does not specify a {FACTORY}", section.name));
    }
    let factory = options.text(FACTORY)?;
    let known = FACTORIES.iter().find(|(name, _)| *name == factory).map(|(_, interface)| *interface);
    if known.is_none() && is_strict {
        options.error(FACTORY, format!("{factory} {WHY}"));
    } else if known.is_none() {
        let spot = options.spot(FACTORY);
        warn(reading, spot, format!("[{}] is left out: {factory} {WHY}", section.name));
    }
    known
}

/// The log shows the place as well.
fn warn(reading: &mut Reading<'_>, spot: Spot, message: String) {
    let text = format!("{message} ({})", reading.describe(spot.place));
    reading.remark(Remark { message, ..Remark::warning(spot, text) });
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, MAIN, errors_in, load_text, notices_in};
    use super::*;

    #[test]
    fn the_main_plugin_offers_its_namespace_and_others_are_left_out() {
        let text = "[supervisord]\n[rpcinterface:supervisor]\n\
            supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
            [rpcinterface:mine]\nsupervisor.rpcinterface_factory=a:b\nkey=1\n[ctlplugin:c]\nx=1";
        assert_eq!(load_text(text).unwrap().namespaces, [Namespace::of_supervisor("supervisor")]);
        let other = "[supervisord]\nenvironment=M=\"make_main\"\n[rpcinterface:x]\nextra=1\n\
            supervisor.rpcinterface_factory = supervisor.rpcinterface:%(ENV_M)s_rpcinterface";
        let settings = load_text(other).unwrap();
        assert_eq!((settings.namespaces, settings.notices), (vec![Namespace::of_supervisor("x")], vec![]));
        assert_eq!(
            notices_in(text),
            [
                "[rpcinterface:mine] is left out: a:b is Python code, which can't be run here (/etc/x.conf:5)",
                "[ctlplugin:c] is left out: its plug-in is Python code, which can't be run here (/etc/x.conf:7)",
            ]
        );
    }

    #[test]
    fn the_wildcards_of_the_client_are_built_in() {
        let text =
            format!("[supervisord]\n[ctlplugin:wildcards]\nsupervisor.ctl_factory = {WILDCARDS_FACTORY}");
        assert_eq!(notices_in(&text), [] as [&str; 0]);
        let text = format!("{text}\n[ctlplugin:mine]\nsupervisor.ctl_factory=a:b\n[ctlplugin:none]");
        let plugins = client_plugins(Path::new(MAIN), &Fake::main(&text));
        let shown: Vec<_> =
            plugins.iter().map(|it| (it.section.as_str(), it.factory.as_str(), it.is_wildcards())).collect();
        assert_eq!(
            shown,
            [
                ("ctlplugin:wildcards", WILDCARDS_FACTORY, true),
                ("ctlplugin:mine", "a:b", false),
                ("ctlplugin:none", "", false),
            ]
        );
    }

    #[test]
    fn with_strict_an_interface_that_is_not_built_in_is_an_error() {
        let text = "[supervisord]\nstrict=true\n[rpcinterface:mine]\nsupervisor.rpcinterface_factory=a:b\n\
            [ctlplugin:c]\nsupervisor.ctl_factory=a:b";
        let expected = "a:b is Python code, which can't be run here in section 'rpcinterface:mine' (file: \
            '/etc/x.conf', line: 4, option: supervisor.rpcinterface_factory)";
        assert_eq!(errors_in(text), [expected]);
    }

    #[test]
    fn interfaces_of_small_packages_are_built_in() {
        for (factory, interface) in FACTORIES {
            let text = format!("[supervisord]\n[rpcinterface:x]\nsupervisor.rpcinterface_factory={factory}");
            let settings = load_text(&text).unwrap();
            assert_eq!(settings.namespaces, [Namespace { name: "x".to_owned(), interface }]);
            assert_eq!(settings.notices, []);
        }
    }

    #[test]
    fn a_plugin_must_be_named() {
        let expected = "section [rpcinterface:a] does not specify a supervisor.rpcinterface_factory in \
            section 'rpcinterface:a' (file: '/etc/x.conf', line: 2)";
        assert_eq!(errors_in("[supervisord]\n[rpcinterface:a]"), [expected]);
    }
}
