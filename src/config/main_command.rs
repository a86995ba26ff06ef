//! The command after `--` of `sv run`: a program that runs in addition to those of the files, and that they
//! support.
//!
//! It is read as a `[program:main]` that sets the options of a main program. Everything else comes from
//! `[program-default]` and `[supervisord]`, as for any program.

use std::sync::Arc;

use super::document::{Document, Entry, Place, Written};
use super::error::{Error, ErrorKind, Errors};
use super::options::SectionKind;
use crate::model::Settings;

/// The name of the program and of its group.
const NAME: &str = "main";

/// It starts last and stops first, because the others serve it; it is not restarted; and the supervisor exits
/// when it exits. Its output is not captured.
const OPTIONS: [(&str, &str); 14] = [
    ("process_name", NAME),
    ("numprocs", "1"),
    ("enabled", "true"),
    ("priority", "2147483647"),
    ("autostart", "true"),
    ("autorestart", "false"),
    ("startsecs", "0"),
    ("startretries", "0"),
    ("on_exit", "shutdown"),
    ("on_fatal", "shutdown"),
    ("redirect_stderr", "false"),
    ("stdout_logfile", "NONE"),
    ("stderr_logfile", "NONE"),
    ("stdout_events_enabled", "false"),
];

/// Adds the section to the document, if there is a command.
///
/// # Errors
///
/// If another section has the name.
pub(super) fn add_main(document: &mut Document, command: &[String]) -> Result<(), Errors> {
    if command.is_empty() {
        return Ok(());
    }
    if let Some((name, place)) = namesake(document) {
        let message = format!(
            "the command after -- is the program '{NAME}', and so is [{name}] ({}): give that another name",
            document.describe(place)
        );
        return Err(Error::new(ErrorKind::CommandLine, message).into());
    }
    let place = document.add_command_line();
    let section = document.open(&format!("program:{NAME}"), place);
    // The command is taken literally: nothing in it is expanded.
    let words = command.iter().map(|word| word.replace('%', "%%")).collect();
    let options = OPTIONS.map(|(key, value)| (key, Written::Text(value.to_owned())));
    for (key, value) in [("command", Written::List(words))].into_iter().chain(options) {
        document.section_mut(section).push(Entry { key: key.into(), value, place });
    }
    Ok(())
}

/// A section that defines a group of this name.
fn namesake(document: &Document) -> Option<(String, Place)> {
    let makes_group = |name: &str| {
        SectionKind::of(name).is_some_and(|(kind, instance)| {
            let is_group = matches!(
                kind,
                SectionKind::Program
                    | SectionKind::FcgiProgram
                    | SectionKind::EventListener
                    | SectionKind::Group
            );
            is_group && instance == NAME
        })
    };
    let found = document.sections().iter().find(|section| makes_group(&section.name))?;
    Some((found.name.clone(), found.place))
}

/// Makes the program inherit our standard streams.
pub(super) fn connect(settings: &mut Settings) {
    let group = settings.groups.iter_mut().find(|group| group.name == NAME);
    for process in group.into_iter().flat_map(|group| &mut group.processes) {
        Arc::make_mut(process).inherits_stdio = true;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::fake::{Fake, MAIN};
    use super::super::load_with_command;
    use super::*;
    use crate::model::{AutoRestart, OnEnd};

    fn loaded(text: &str, command: &[&str]) -> Result<Settings, String> {
        let command: Vec<_> = command.iter().map(|word| (*word).to_owned()).collect();
        load_with_command(Path::new(MAIN), &[], &command, &Fake::main(text))
            .map_err(|errors| errors.to_string())
    }

    #[test]
    fn it_is_a_program_of_its_own_that_starts_last() {
        let text = "[supervisord]\n[program-default]\numask=077\npriority=5\nnumprocs=2\nstartsecs=9\n\
            stdout_logfile=/tmp/x\nprocess_name=%(process_num)d\n[program:web]\ncommand=a\n";
        let settings = loaded(text, &["/bin/job", "100%", "a b", "%(x)s", "it's"]).unwrap();
        let last = settings.groups.last().unwrap();
        let main = &last.processes[0];
        assert_eq!((last.name.as_str(), main.name.as_str(), last.processes.len()), ("main", "main", 1));
        assert_eq!(
            crate::python::split_command(&main.command).unwrap(),
            ["/bin/job", "100%", "a b", "%(x)s", "it's"]
        );
        assert_eq!((main.on_exit, main.on_fatal), (OnEnd::Shutdown, OnEnd::Shutdown));
        assert_eq!((main.autorestart, main.start_secs, main.umask), (AutoRestart::Never, 0, Some(0o77)));
        let inherits: Vec<_> =
            settings.groups.iter().flat_map(|group| &group.processes).map(|it| it.inherits_stdio).collect();
        assert_eq!(inherits, [false, false, true]);
        assert_eq!((settings.notices, settings.variables), (vec![], vec![]));
    }

    #[test]
    fn nothing_else_may_be_called_so() {
        for section in
            ["program:main", "program: main", "group:main", "eventlistener:main", "fcgi-program:main"]
        {
            let text = format!("[supervisord]\n[{section}]\ncommand=a\n");
            let expected = format!(
                "the command after -- is the program 'main', and so is [{section}] (/etc/x.conf:2): give that \
                 another name"
            );
            let error = loaded(&text, &["a"]).unwrap_err();
            assert!(error.starts_with(&expected), "{error}");
        }
        let alone = loaded("[supervisord]\n[program:main]\ncommand=a\n", &[]).unwrap();
        assert!(!alone.groups[0].processes[0].inherits_stdio);
    }
}
