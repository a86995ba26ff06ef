//! `signal_*` in `[supervisord]`: what signals to the supervisor do.

use std::collections::BTreeMap;

use super::document::Section;
use super::expand::Names;
use super::options::{SectionKind, nearest};
use super::reader::SectionReader;
use super::reading::Reading;
use super::values;
use crate::model::{GroupSpec, Namespec, Signal, SignalAction};
use crate::python::quote;

const PREFIX: &str = "signal_";

/// The prefix of a list of processes that a signal is forwarded to.
const FORWARD: &str = "forward:";

/// Reads the actions of all configured signals. Forwarding targets must be among `groups`.
pub(super) fn signals<'a>(
    reading: &mut Reading<'a>,
    section: &'a Section,
    names: &Names<'_>,
    groups: &[GroupSpec],
) -> BTreeMap<Signal, SignalAction> {
    let keys = section.entries().iter().map(|entry| &*entry.key);
    let mut keys: Vec<&str> = keys.filter(|key| key.starts_with(PREFIX)).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut options = SectionReader::new(reading, section, SectionKind::Supervisord, names);
    let mut found = BTreeMap::new();
    for key in keys {
        let signal = signal(&mut options, key);
        let action = options.value(key, |text| action(text, groups));
        found.extend(signal.zip(action));
    }
    found
}

fn signal(options: &mut SectionReader<'_, '_>, key: &str) -> Option<Signal> {
    let name = key.strip_prefix(PREFIX)?;
    let found = values::caught_signal(name);
    let names = || Signal::names().filter(|name| Signal::from_name(name).is_some_and(Signal::is_catchable));
    let meant = || nearest(names(), name).map(|name| format!("{PREFIX}{name}"));
    found.map_err(|message| options.error_about(key, message, None, meant())).ok()
}

fn action(text: &str, groups: &[GroupSpec]) -> Result<SignalAction, String> {
    if let Some(names) = text.strip_prefix(FORWARD) {
        let receivers: Result<_, _> =
            values::list(names).into_iter().map(|it| receiver(it, groups)).collect();
        return match receivers? {
            none if Vec::is_empty(&none) => Err(format!("{} names nobody", quote(text))),
            receivers => Ok(SignalAction::Forward(receivers)),
        };
    }
    Ok(match text {
        "shutdown" => SignalAction::Shutdown,
        "reload" => SignalAction::Reload,
        "reopen" => SignalAction::Reopen,
        "ignore" => SignalAction::Ignore,
        _ => {
            let message = format!(
                "{} is not what a signal can do: shutdown, reload, reopen, ignore or forward:NAME",
                quote(text)
            );
            return Err(message);
        }
    })
}

/// `group:process`, or the name of a group for all its processes.
fn receiver(name: &str, groups: &[GroupSpec]) -> Result<String, String> {
    let spec = Namespec::split(name);
    let Some(group) = groups.iter().find(|group| group.name == spec.group) else {
        return Err(format!("there is no group called {}", quote(&spec.group)));
    };
    match spec.process.filter(|_| name.contains(':')) {
        None => Ok(format!("{}:*", group.name)),
        Some(process) if group.processes.iter().any(|it| it.name == process) => Ok(name.to_owned()),
        Some(process) => Err(format!("group {} has no process {}", quote(&group.name), quote(&process))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, MAIN, errors_in, load_text, load_toml, notices_in};
    use super::super::load;
    use super::*;
    use std::path::Path;

    const PROGRAMS: &str = "[program:web]\ncommand=a\n[program:two]\ncommand=a\nnumprocs=2\n\
        process_name=%(process_num)d\n";

    /// `number=action` of each.
    fn summary(signals: &BTreeMap<Signal, SignalAction>) -> String {
        let shown: Vec<_> =
            signals.iter().map(|(signal, action)| format!("{}={action:?}", signal.0)).collect();
        shown.join(" ")
    }

    #[test]
    fn signals_have_actions() {
        for (lines, expected) in [
            ("", ""),
            ("signal_TERM=shutdown", "15=Shutdown"),
            ("signal_sigquit=reload\nSIGNAL_usr1=reopen", "3=Reload 10=Reopen"),
            ("signal_HUP=ignore\nsignal_HUP=forward:web", "1=Forward([\"web:*\"])"),
            ("signal_USR2=forward:two:1, web:web,two", "12=Forward([\"two:1\", \"web:web\", \"two:*\"])"),
            (
                "signal_RTMIN+3=shutdown\nsignal_rtmin_4=ignore\nsignal_64=ignore",
                "37=Shutdown 38=Ignore 64=Ignore",
            ),
            ("signal_WINCH=forward:%(ENV_WHO)s", "28=Forward([\"web:*\"])"),
        ] {
            let machine = Fake::main(&format!("[supervisord]\n{lines}\n{PROGRAMS}")).variable("WHO", "web");
            let settings = load(Path::new(MAIN), &[], &machine).unwrap();
            assert_eq!(
                (summary(&settings.daemon.rules.signals).as_str(), settings.notices),
                (expected, vec![])
            );
        }
        let toml =
            load_toml("[supervisord]\nsignal_TERM = \"ignore\"\nsignal_RTMIN_3 = \"shutdown\"\n").unwrap();
        assert_eq!(summary(&toml.daemon.rules.signals), "15=Ignore 37=Shutdown");
    }

    #[test]
    fn variables_set_them() {
        let machine = Fake::main("[supervisord]")
            .file("/run/action", "reload\n")
            .variable("SV_SUPERVISORD_SIGNAL_TERM", "ignore")
            .variable("SV_SUPERVISORD_SIGNAL_RTMIN_3", "shutdown")
            .variable("SV_SUPERVISORD_SIGNAL_USR1_FILE", "/run/action");
        let settings = load(Path::new(MAIN), &[], &machine).unwrap();
        assert_eq!(summary(&settings.daemon.rules.signals), "10=Reload 15=Ignore 37=Shutdown");
        assert_eq!(settings.notices, []);
    }

    #[test]
    fn errors_are_reported_with_their_line() {
        for (line, option, message) in [
            ("signal_KILL=shutdown", "signal_kill", "no process can do something about SIGKILL"),
            ("signal_SEGV=ignore", "signal_segv", "no process can do something about SIGSEGV"),
            (
                "signal_CHLD=ignore",
                "signal_chld",
                "SIGCHLD reports the end of children, it can do nothing else",
            ),
            ("signal_32=ignore", "signal_32", "'32' is not a valid signal number"),
            ("signal_RTMIN+31=ignore", "signal_rtmin+31", "'rtmin+31' is not a valid signal name"),
            (
                "signal_TREM=shutdown",
                "signal_trem",
                "'trem' is not a valid signal name (did you mean 'signal_TERM'?)",
            ),
            (
                "signal_TERM=shutdwon",
                "signal_term",
                "'shutdwon' is not what a signal can do: shutdown, reload, reopen, ignore or forward:NAME \
                 (did you mean 'shutdown'?)",
            ),
            ("signal_TERM=forward:", "signal_term", "'forward:' names nobody"),
            ("signal_TERM=forward:nope", "signal_term", "there is no group called 'nope'"),
            ("signal_TERM=forward:two:7", "signal_term", "group 'two' has no process '7'"),
        ] {
            let place = format!("in section 'supervisord' (file: '/etc/x.conf', line: 2, option: {option})");
            let found = errors_in(&format!("[supervisord]\n{line}\n{PROGRAMS}"));
            assert_eq!(found, [format!("{message} {place}")]);
        }
    }

    #[test]
    fn a_misspelled_family_name_is_recognised() {
        assert_eq!(
            notices_in("[supervisord]\nsingal_usr1=ignore"),
            ["unknown option 'singal_usr1' in [supervisord] (/etc/x.conf:2), did you mean 'signal_usr1'?"]
        );
        assert!(load_text("[supervisord]").unwrap().daemon.rules.signals.is_empty());
    }
}
