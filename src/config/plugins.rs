//! `[rpcinterface:x]` and `[ctlplugin:x]`: Python plug-ins, of which one is built in.

use super::document::Language;
use super::expand::Names;
use super::options::SectionKind;
use super::reader::SectionReader;
use super::reading::Reading;

const FACTORY: &str = "supervisor.rpcinterface_factory";

/// The plug-in that every configuration names.
const MAIN_FACTORY: &str = "supervisor.rpcinterface:make_main_rpcinterface";

/// The namespace that clients ask for.
const MAIN_NAMESPACE: &str = "supervisor";

/// The namespaces under which the supervisor's own methods are offered. Other plug-ins are warned
/// of and left out. Nobody has to name a Python factory in TOML: a main file in that language has the
/// built-in interface unless some file names an interface.
pub(super) fn namespaces(reading: &mut Reading<'_>, names: &Names<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_any_named = false;
    for section in reading.document.sections() {
        match SectionKind::of(&section.name) {
            Some((SectionKind::CtlPlugin, _)) => warn(reading, &section.name, "its plug-in"),
            Some((SectionKind::RpcInterface, namespace)) => {
                is_any_named = true;
                let mut options = SectionReader::new(reading, section, SectionKind::RpcInterface, names);
                if !options.is_set(FACTORY) {
                    options.section_error(format!("section [{}] does not specify a {FACTORY}", section.name));
                }
                match options.text(FACTORY).as_deref() {
                    Some(MAIN_FACTORY) => found.push(namespace.to_owned()),
                    Some(foreign) => warn(reading, &section.name, foreign),
                    None => {}
                }
            }
            _ => {}
        }
    }
    if !is_any_named && reading.document.language() == Language::Toml {
        found.push(MAIN_NAMESPACE.to_owned());
    }
    found
}

fn warn(reading: &mut Reading<'_>, section: &str, plugin: &str) {
    reading.warn(format!("[{section}] is left out: {plugin} is Python code, which can't be run here"));
}

#[cfg(test)]
mod tests {
    use super::super::fake::{errors_in, load_text, notices_in};

    #[test]
    fn the_main_plugin_offers_its_namespace_and_others_are_left_out() {
        let text = "[supervisord]\n[rpcinterface:supervisor]\n\
            supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
            [rpcinterface:twiddler]\nsupervisor.rpcinterface_factory=a:b\nkey=1\n[ctlplugin:c]\nx=1";
        assert_eq!(load_text(text).unwrap().namespaces, ["supervisor"]);
        let other = "[supervisord]\nenvironment=M=\"make_main\"\n[rpcinterface:x]\nextra=1\n\
            supervisor.rpcinterface_factory = supervisor.rpcinterface:%(ENV_M)s_rpcinterface";
        assert_eq!((load_text(other).unwrap().namespaces, notices_in(other)), (vec!["x".to_owned()], vec![]));
        assert_eq!(
            notices_in(text),
            [
                "[rpcinterface:twiddler] is left out: a:b is Python code, which can't be run here",
                "[ctlplugin:c] is left out: its plug-in is Python code, which can't be run here",
            ]
        );
    }

    #[test]
    fn a_plugin_must_be_named() {
        let expected = "section [rpcinterface:a] does not specify a supervisor.rpcinterface_factory in \
            section 'rpcinterface:a' (file: '/etc/x.conf', line: 2)";
        assert_eq!(errors_in("[supervisord]\n[rpcinterface:a]"), [expected]);
    }
}
