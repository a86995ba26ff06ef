//! supervisord-dependent-startup, a Python listener that starts programs in order, is built in: its options
//! are read as dependencies, and the listener itself is left out.
//!
//! The options have an effect only if that listener is configured and enabled: without it Supervisor ignores them.

use super::reader::SectionReader;
use super::values;
use crate::model::{Condition, Dependency, ProcessSpec, WrittenAt};

/// As a Python module or as a script.
const COMMANDS: [&str; 2] = ["supervisord_dependent_startup", "supervisord-dependent-startup"];

const IS_HANDLED: &str = "dependent_startup";
const WAIT_FOR: &str = "dependent_startup_wait_for";

/// The options of a program that the listener reads.
pub(super) const OPTIONS: [&str; 3] = [IS_HANDLED, WAIT_FOR, "dependent_startup_inherit_priority"];

/// Whether a section is this listener.
pub(super) fn is_listener(listener: &SectionReader<'_, '_>) -> bool {
    let command = listener.raw("command").unwrap_or_default();
    command.split_whitespace().any(|word| COMMANDS.iter().any(|name| word.ends_with(name)))
}

/// Reads the options of one program. The listener starts only programs for which its own option says so:
/// these get `autostart`.
pub(super) fn apply(options: &mut SectionReader<'_, '_>, spec: &mut ProcessSpec) {
    if !options.reading.has_dependent_startup
        || !options.value(IS_HANDLED, values::boolean).unwrap_or_default()
    {
        return;
    }
    if spec.autostart {
        let text = format!(
            "dependent_startup of [{}] needs autostart=false and is ignored: the program starts anyway",
            options.section.name
        );
        return options.warn(IS_HANDLED, text);
    }
    spec.autostart = true;
    let place = options.written_at(WAIT_FOR);
    let text = options.text(WAIT_FOR).unwrap_or_default().into_owned();
    for entry in text.split_whitespace() {
        match dependency(entry, &place) {
            Some(dependency) => spec.lifecycle.depends_on.push(dependency),
            None => {
                let text = format!(
                    "'{entry}' of [{}] is ignored: only starting, running and exited can be waited for",
                    options.section.name
                );
                options.warn(WAIT_FOR, text);
            }
        }
    }
}

/// `program`, `program:running`, `program:running,exited`: of several states, the one that a program reaches
/// first is enough.
fn dependency(entry: &str, place: &WrittenAt) -> Option<Dependency> {
    let (name, states) = entry.split_once(':').unwrap_or((entry, "running"));
    let condition = |state: &str| match state.to_ascii_lowercase().as_str() {
        "starting" => Some(Condition::Started),
        "running" => Some(Condition::Ready),
        "exited" => Some(Condition::Exited),
        // Nothing can wait for a program to fail or stop.
        _ => None,
    };
    let condition = states.split(',').filter_map(condition).min()?;
    Some(Dependency {
        name: name.to_owned(),
        condition: Some(condition),
        is_optional: false,
        place: place.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::fake::{load_text, notices_in};
    use super::*;

    const LISTENER: &str = "[supervisord]\n[eventlistener:dependent-startup]\ncommand=python3 -m supervisord_dependent_startup\n\
        events=PROCESS_STATE\nautostart=true\n";

    fn programs(lines: &str) -> String {
        format!(
            "[program:a]\ncommand=x\nautostart=false\ndependent_startup=true\n[program:b]\ncommand=x\n{lines}\n"
        )
    }

    fn summary(text: &str) -> Vec<String> {
        let settings = load_text(text).unwrap();
        let specs = settings.groups.iter().flat_map(|group| group.processes.iter());
        let entry = |it: &Dependency| format!("{}={}", it.name, it.condition.unwrap());
        specs
            .map(|spec| {
                let depends_on: Vec<_> = spec.lifecycle.depends_on.iter().map(entry).collect();
                format!("{} {} {}", spec.name, spec.autostart, depends_on.join(","))
            })
            .collect()
    }

    #[test]
    fn its_options_are_dependencies_and_the_listener_is_left_out() {
        for (wait_for, expected) in [
            ("a:running", "b true a=ready"),
            ("a", "b true a=ready"),
            ("a:EXITED", "b true a=exited"),
            ("a:exited,running", "b true a=ready"),
            ("a:starting", "b true a=started"),
        ] {
            let lines =
                format!("autostart=false\ndependent_startup=true\ndependent_startup_wait_for={wait_for}");
            let text = format!("{LISTENER}{}", programs(&lines));
            assert_eq!(summary(&text), ["a true ", expected], "{wait_for}");
            assert_eq!(
                notices_in(&text),
                ["[eventlistener:dependent-startup] is built in: programs wait for each other without it"]
            );
        }
    }

    #[test]
    fn without_the_listener_they_mean_nothing() {
        let lines = "autostart=false\ndependent_startup=true\ndependent_startup_wait_for=a:running";
        let text = format!("[supervisord]\n{}", programs(lines));
        assert_eq!(summary(&text), ["a false ", "b false "]);
        assert!(
            notices_in(&text)[0]
                .contains(": it needs the listener supervisord_dependent_startup, or write depends_on")
        );
    }

    #[test]
    fn a_listener_that_is_not_enabled_does_not_count() {
        let lines = "autostart=false\ndependent_startup=true\ndependent_startup_wait_for=a:running";
        let text = format!("{LISTENER}enabled=false\n{}", programs(lines));
        assert_eq!(summary(&text), ["a false ", "b false "]);
        let notices = notices_in(&text);
        assert!(!notices.is_empty(), "the options mean nothing");
        for notice in notices {
            assert!(notice.contains(": it needs the listener supervisord_dependent_startup"), "{notice}");
        }
    }

    #[test]
    fn what_the_listener_ignores_is_ignored_with_a_warning() {
        let text = format!("{LISTENER}{}", programs("dependent_startup=true"));
        assert!(notices_in(&text).iter().any(|line| line.contains("of [program:b] needs autostart=false")));
        let lines = "autostart=false\ndependent_startup=true\ndependent_startup_wait_for=a:fatal";
        let text = format!("{LISTENER}{}", programs(lines));
        assert_eq!(summary(&text), ["a true ", "b true "]);
        assert!(notices_in(&text).iter().any(|line| line.contains(
            "'a:fatal' of [program:b] is ignored: only starting, running and exited can be waited for"
        )));
    }
}
