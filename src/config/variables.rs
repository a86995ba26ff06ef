//! `SV_<SECTION>_<OPTION>`: environment variables that set options and override the files.
//!
//! In a variable's name a section and an option are in upper case, with `_` for every other character:
//! `SV_SUPERVISORD_LOGLEVEL`, `SV_PROGRAM_MY_APP_NUMPROCS` for `[program:my-app]`. An ambiguous name is read
//! with the longest option, among existing sections.
//! With the suffix `_FILE` the value is the content of that file: a secret that no message shows.
//!
//! A variable that sets a required option creates its section. A variable that looks like ours and sets
//! nothing is reported, and with `strict` it is an error, like an unknown option in a file.

use std::path::Path;

use super::document::{Document, Entry, Header, Origin, Written};
use super::error::{Error, ErrorKind};
use super::machine::{FILE_BYTES_MAX, Machine};
use super::options::{DefaultValue, Naming, OptionDoc, SectionDoc, SectionKind, TABLE, nearest_option};
use super::reading::{Findings, Remark};
use crate::model::LogLevel;

const PREFIX: &str = "SV_";

/// The suffix of a variable that names a file with the value.
const FILE_SUFFIX: &str = "_FILE";

/// Applies the variables for the sections that `wanted` selects to the document.
///
/// The findings are the errors in them; a variable that looks like one of ours and sets nothing gets a
/// remark.
pub(crate) fn apply(
    document: &mut Document,
    machine: &dyn Machine,
    wanted: &dyn Fn(SectionKind) -> bool,
) -> Findings {
    let mut findings = Findings::default();
    let variables: Vec<Variable<'_>> =
        machine.environment().iter().filter_map(|(name, value)| Variable::of(name, value, wanted)).collect();
    for variable in &variables {
        if let Some(meaning) = variable.meanings.iter().find(|meaning| meaning.makes_section())
            && !variable.meanings.iter().any(|meaning| !meaning.sections(document).is_empty())
        {
            let place = document.add_variable(variable.name);
            document.open(&meaning.section_name(), place);
        }
    }
    for variable in &variables {
        variable.apply(document, machine, &mut findings);
    }
    findings
}

/// `logfile` as `LOGFILE`, `fcgi-program` as `FCGI_PROGRAM`.
fn spelled(name: &str) -> String {
    let spelled = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().map(spelled).collect()
}

/// The part of a variable's name before the option, and the option's key.
fn split_key<'n>(option: &OptionDoc, name: &'n str) -> Option<(&'n str, String)> {
    let Some(family) = option.family() else {
        return Some((name.strip_suffix(&spelled(option.name))?, option.name.to_owned()));
    };
    let (instance, key) = name.split_at(name.find(&spelled(family))?);
    let key = key.to_lowercase();
    option.takes(&key).then_some((instance, key))
}

/// A variable of ours.
struct Variable<'e> {
    name: &'e str,
    value: &'e str,
    /// The kinds of section that its name may start with.
    sections: Vec<&'static SectionDoc>,
    /// The longest option first, and for equal ones the longest section.
    meanings: Vec<NameReading>,
}

/// One interpretation of its name.
#[derive(Clone, Debug)]
struct NameReading {
    section: &'static SectionDoc,
    /// The part after the section's name, spelled as in the variable.
    instance: String,
    option: &'static OptionDoc,
    /// The key of the option, or of a member of its family.
    key: String,
    is_file: bool,
}

impl<'e> Variable<'e> {
    fn of(name: &'e str, value: &'e str, wanted: &dyn Fn(SectionKind) -> bool) -> Option<Self> {
        let rest = name.strip_prefix(PREFIX)?;
        let (mut sections, mut meanings) = (Vec::new(), Vec::new());
        for section in TABLE.iter().filter(|section| wanted(section.kind)) {
            let Some(after) = rest.strip_prefix(&spelled(section.name)).and_then(|r| r.strip_prefix('_'))
            else {
                continue;
            };
            sections.push(section);
            meanings
                .extend(section.options.iter().filter_map(|option| NameReading::of(section, option, after)));
        }
        // An option whose own name ends in `_FILE` takes precedence over the suffix.
        meanings.sort_by_key(|meaning| {
            let NameReading { section, option, is_file, .. } = meaning;
            std::cmp::Reverse((!is_file, option.name.len(), section.name.len()))
        });
        (!sections.is_empty()).then_some(Self { name, value, sections, meanings })
    }

    fn apply(&self, document: &mut Document, machine: &dyn Machine, findings: &mut Findings) {
        let found = self.meanings.iter().find_map(|meaning| {
            let sections = meaning.sections(document);
            (!sections.is_empty()).then_some((meaning, sections))
        });
        let Some((meaning, sections)) = found else {
            return findings.remarks.push(self.without_effect());
        };
        let [(section, _)] = sections.as_slice() else {
            let names: Vec<_> = sections.iter().map(|(_, name)| format!("[{name}]")).collect();
            let message = format!("{} could mean any of {}", self.name, names.join(", "));
            return findings.errors.push(self.error(message));
        };
        match self.written(meaning, machine) {
            Ok(value) => {
                let place = document.add_variable(self.name);
                let key = meaning.key.clone().into();
                document.section_mut(*section).push(Entry { key, value, place });
            }
            Err(message) => findings.errors.push(self.error(message)),
        }
    }

    fn written(&self, meaning: &NameReading, machine: &dyn Machine) -> Result<Written, String> {
        if !meaning.is_file {
            return Ok(Written::Text(self.value.trim().to_owned()));
        }
        let path = machine.current_dir().join(Path::new(self.value));
        let cannot = |why: &str| format!("cannot read '{}' for {}: {why}", path.display(), self.name);
        let bytes = machine.read(&path).map_err(|error| cannot(&error.to_string()))?;
        if bytes.len() > FILE_BYTES_MAX {
            return Err(cannot("it is too large"));
        }
        let text = String::from_utf8(bytes).map_err(|_| cannot("it is not UTF-8"))?;
        Ok(Written::Secret(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    fn error(&self, message: String) -> Error {
        Error { variable: Some(self.name.to_owned()), ..Error::new(ErrorKind::Value, message) }
    }

    /// The remark about a variable without effect.
    fn without_effect(&self) -> Remark {
        let name = self.name;
        let (why, suggestion) = match self.meanings.first() {
            Some(meaning) => (format!("there is no [{}]", meaning.section_name()), None),
            None => ("it names no option".to_owned(), self.nearest()),
        };
        let message = format!("environment variable {name} sets nothing: {why}");
        let hint = suggestion.as_deref().map(|near| format!(", did you mean {near}?")).unwrap_or_default();
        let remark = Remark::new(LogLevel::Warn, format!("{message}{hint}"));
        Remark { message, suggestion, variable: Some(name.to_owned()), ..remark }
    }

    /// The variable that was probably meant.
    fn nearest(&self) -> Option<String> {
        let section = self.sections.iter().max_by_key(|section| section.name.len())?;
        let start = format!("{PREFIX}{}_", spelled(section.name));
        let rest = self.name.strip_prefix(&start)?;
        let tails = rest.match_indices('_').map(|(at, _)| at + 1);
        std::iter::once(0).chain(tails).find_map(|at| {
            let (instance, option) = rest.split_at(at);
            let near = nearest_option(section.options, &option.to_lowercase())?;
            Some(format!("{start}{instance}{}", spelled(&near)))
        })
    }
}

impl NameReading {
    /// `after` is the part after the section's name and an underscore.
    fn of(section: &'static SectionDoc, option: &'static OptionDoc, after: &str) -> Option<Self> {
        let without_file = after.strip_suffix(FILE_SUFFIX);
        let of_file = || split_key(option, without_file?);
        let ((instance, key), is_file) = match split_key(option, after) {
            // No member of a family has this suffix.
            Some(_) if option.family().is_some() && without_file.is_some() => (of_file()?, true),
            Some(found) => (found, false),
            None => (of_file()?, true),
        };
        let instance = if instance.is_empty() { "" } else { instance.strip_suffix('_')? };
        let fits = match section.naming {
            Naming::Single => instance.is_empty(),
            Naming::Optional => true,
            Naming::Required => !instance.is_empty(),
        };
        fits.then(|| Self { section, instance: instance.to_owned(), option, key, is_file })
    }

    /// The matching sections, with their names; several if names have the same spelling.
    fn sections(&self, document: &Document) -> Vec<(Header, String)> {
        let is_meant = |name: &str| {
            SectionKind::of(name).is_some_and(|(kind, instance)| {
                kind == self.section.kind && spelled(instance) == self.instance
            })
        };
        document
            .headers()
            .filter(|(_, name)| is_meant(name))
            .map(|(header, name)| (header, name.to_owned()))
            .collect()
    }

    /// Whether the option creates its section, because the section requires it. A section that exists once
    /// may be missing from the files, so any option creates it.
    fn makes_section(&self) -> bool {
        let is_group = self.section.kind == SectionKind::Group && self.option.name == "programs";
        let is_required = matches!(self.option.default, DefaultValue::Required(_));
        self.section.naming == Naming::Single || is_required || is_group
    }

    fn section_name(&self) -> String {
        match self.instance.as_str() {
            "" => self.section.name.to_owned(),
            instance => format!("{}:{}", self.section.name, instance.to_lowercase()),
        }
    }
}

/// The variables that set an option, by name.
pub(super) fn used(document: &Document) -> Vec<String> {
    let name = |origin: &Origin| match origin {
        Origin::Variable(name) => Some(name.clone()),
        Origin::File(_) | Origin::CommandLine => None,
    };
    let mut names: Vec<_> = document.sources().iter().filter_map(|source| name(&source.origin)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, MAIN};
    use super::super::{Errors, load, load_client};
    use super::*;
    use crate::model::Settings;

    const TEXT: &str = "[supervisord]\nidentifier=file\n[program:web]\ncommand=a\nnumprocs=1\n\
        process_name=%(process_num)d\n[program:my-app]\ncommand=b\n[group:g]\nprograms=my-app\n";

    fn with(variables: &[(&str, &str)]) -> Fake {
        let machine = Fake::main(TEXT).file("/run/secret", "geheim%\n").file("/run/text", b"\xff");
        variables.iter().fold(machine, |machine, (name, value)| machine.variable(name, value))
    }

    fn loaded(variables: &[(&str, &str)]) -> Result<Settings, Errors> {
        load(Path::new(MAIN), &[], &with(variables))
    }

    /// `group: process=command;` for each process.
    fn summary(settings: &Settings) -> String {
        let processes = settings.groups.iter().flat_map(|group| &group.processes);
        processes.map(|it| format!("{}:{}={};", it.group, it.name, it.command)).collect()
    }

    #[test]
    fn variables_lie_over_the_files() {
        for (name, value, expected) in [
            (
                "SV_PROGRAM_WEB_COMMAND",
                " sh -c %(ENV_SV_PROGRAM_WEB_COMMAND)s ",
                "g:my-app=b;web:0=sh -c  sh -c %(ENV_SV_PROGRAM_WEB_COMMAND)s ;",
            ),
            ("SV_PROGRAM_WEB_COMMAND", "%(program_name)s 100%%", "g:my-app=b;web:0=web 100%;"),
            ("SV_PROGRAM_WEB_NUMPROCS", "3", "g:my-app=b;web:0=a;web:1=a;web:2=a;"),
            ("SV_PROGRAM_MY_APP_PROCESS_NAME", "x", "g:x=b;web:0=a;"),
            ("SV_GROUP_G_PROGRAMS", "web,my-app", "g:0=a;g:my-app=b;"),
            ("SV_PROGRAM_NEW_ONE_COMMAND", "c", "g:my-app=b;new_one:new_one=c;web:0=a;"),
            ("SV_PROGRAM_DEFAULT_PROCESS_NAME", "d", "g:d=b;web:0=a;"),
            ("SV_PROGRAM_WEB_COMMAND_FILE", "/run/secret", "g:my-app=b;web:0=geheim%;"),
            ("OTHER_PROGRAM_WEB_COMMAND", "c", "g:my-app=b;web:0=a;"),
        ] {
            let settings = loaded(&[(name, value)]).unwrap();
            assert_eq!(summary(&settings), expected, "{name}");
            let used: &[&str] = if name.starts_with("SV_") { &[name] } else { &[] };
            assert_eq!(
                (settings.variables, settings.notices),
                (used.iter().map(|name| (*name).to_owned()).collect(), vec![])
            );
        }
    }

    #[test]
    fn required_options_create_sections() {
        let variables = [
            ("SV_PROGRAM_NEW_NUMPROCS", "2"),
            ("SV_PROGRAM_NEW_PROCESS_NAME", "%(process_num)d"),
            ("SV_PROGRAM_NEW_COMMAND", "c"),
            ("SV_INET_HTTP_SERVER_PORT", "*:9001"),
            ("SV_INET_HTTP_SERVER_USERNAME", "u"),
            ("SV_INET_HTTP_SERVER_PASSWORD_FILE", "/run/secret"),
            ("SV_UNIX_HTTP_SERVER_FILE", "/run/s.sock"),
            ("SV_UNIX_HTTP_SERVER_TWO_FILE", "/run/two.sock"),
            ("SV_SUPERVISORD_IDENTIFIER", "variable"),
            ("SV_GROUP_H_PROGRAMS", "web"),
        ];
        let settings = loaded(&variables).unwrap();
        assert_eq!(summary(&settings), "g:my-app=b;h:0=a;new:0=c;new:1=c;");
        let servers: Vec<_> = settings.servers.iter().map(|server| server.address.url()).collect();
        assert_eq!(servers, ["http://localhost:9001", "unix:///run/s.sock", "unix:///run/two.sock"]);
        assert!(settings.servers[0].credentials.is_some());
        assert_eq!(settings.daemon.identifier, "variable");
        assert_eq!(settings.notices, []);
        let alone = Fake::main("").variable("SV_SUPERVISORD_IDENTIFIER", "alone");
        assert_eq!(load(Path::new(MAIN), &[], &alone).unwrap().daemon.identifier, "alone");
    }

    #[test]
    fn the_longest_option_of_a_section_that_is_there_is_meant() {
        let text = "[supervisord]\n[program:a]\ncommand=a\n[program:a_stdout]\ncommand=b\n\
            [unix_http_server:x]\nfile=/x\n";
        let machine = Fake::main(text)
            .variable("SV_PROGRAM_A_STDOUT_LOGFILE", "/tmp/a.log")
            .variable("SV_PROGRAM_A_STDOUT_PRIORITY", "5")
            .variable("SV_UNIX_HTTP_SERVER_X_FILE", "/y")
            .variable("SV_PROGRAM_A_ENV_FILE", "-no");
        let settings = load(Path::new(MAIN), &[], &machine).unwrap();
        let target = &settings.groups[1].processes[0].stdout.target;
        assert_eq!(target, &crate::model::LogTarget::File(Path::new("/tmp/a.log").into()));
        assert_eq!((settings.groups[0].name.as_str(), settings.groups[0].priority), ("a_stdout", 5));
        assert_eq!(settings.servers[0].address.url(), "unix:///y");
        assert_eq!(settings.notices, []);
    }

    #[test]
    fn the_command_line_beats_variables() {
        let flag = super::super::Override {
            option: "identifier",
            value: "flag".to_owned(),
            spelled: "-i".to_owned(),
        };
        let machine = with(&[("SV_SUPERVISORD_IDENTIFIER", "variable")]);
        assert_eq!(load(Path::new(MAIN), &[flag], &machine).unwrap().daemon.identifier, "flag");
    }

    #[test]
    fn included_files_may_be_named_and_changed() {
        let machine = with(&[("SV_INCLUDE_FILES", "more.ini"), ("SV_PROGRAM_MORE_COMMAND", "c")])
            .file("/etc/more.ini", "[program:more]\ncommand=a\n");
        let settings = load(Path::new(MAIN), &[], &machine).unwrap();
        assert_eq!(summary(&settings), "g:my-app=b;more:more=c;web:0=a;");
    }

    #[test]
    fn the_clients_section_is_for_the_client() {
        let machine = with(&[
            ("SV_SUPERVISORCTL_SERVERURL", "unix:///y"),
            ("SV_SUPERVISORCTL_PASSWORD_FILE", "/run/secret"),
        ]);
        let client = load_client(Path::new(MAIN), &machine).unwrap();
        assert_eq!((client.server_url.as_str(), client.password.as_deref()), ("unix:///y", Some("geheim%")));
        assert_eq!(load(Path::new(MAIN), &[], &machine).unwrap().variables, Vec::<String>::new());
    }

    #[test]
    fn variables_without_effect_are_reported() {
        for (name, expected) in [
            ("SV_PROGRAM_WEBB_NUMPROCS", Some("there is no [program:webb]")),
            ("SV_SUPERVISORD_LOGLEVL", Some("it names no option, did you mean SV_SUPERVISORD_LOGLEVEL?")),
            ("SV_PROGRAM_X", Some("it names no option")),
            ("SV_PROGRAM_WEB_NUMPROX", Some("it names no option, did you mean SV_PROGRAM_WEB_NUMPROCS?")),
            ("SV_INET_HTTP_SERVER_USERNAME", Some("there is no [inet_http_server]")),
            ("SV_SOMETHING_ELSE", None),
            ("SV_", None),
        ] {
            let settings = loaded(&[(name, "1")]).unwrap();
            let shown: Vec<_> = settings.notices.into_iter().map(|notice| notice.text).collect();
            let expected = expected.map(|why| format!("environment variable {name} sets nothing: {why}"));
            assert_eq!(shown, Vec::from_iter(expected), "{name}");
        }
    }

    #[test]
    fn variables_without_effect_are_errors_with_strict() {
        for (name, expected) in [
            (
                "SV_SUPERVISORD_LOGLEVL",
                "environment variable SV_SUPERVISORD_LOGLEVL sets nothing: it names no option (did you mean \
                 'SV_SUPERVISORD_LOGLEVEL'?) (variable: SV_SUPERVISORD_LOGLEVL)",
            ),
            (
                "SV_PROGRAM_WEBB_NUMPROCS",
                "environment variable SV_PROGRAM_WEBB_NUMPROCS sets nothing: there is no [program:webb] \
                 (variable: SV_PROGRAM_WEBB_NUMPROCS)",
            ),
        ] {
            let errors = loaded(&[(name, "1"), ("SV_SUPERVISORD_STRICT", "true")]).unwrap_err();
            assert_eq!(errors.to_string(), expected);
        }
        // These belong to other programs.
        let foreign = [("SV_SERVICE_HOST", "1"), ("SV_X", "1"), ("SV_SUPERVISORD_STRICT", "true")];
        assert_eq!(loaded(&foreign).unwrap().notices, []);
    }

    #[test]
    fn errors_name_the_variable() {
        let twins = "[supervisord]\n[program:a-b]\ncommand=a\n[program:a.b]\ncommand=a\n";
        let machine = Fake::main(twins).variable("SV_PROGRAM_A_B_NUMPROCS", "1");
        let message = |result: Result<Settings, Errors>| result.unwrap_err().to_string();
        assert_eq!(
            message(load(Path::new(MAIN), &[], &machine)),
            "SV_PROGRAM_A_B_NUMPROCS could mean any of [program:a-b], [program:a.b] \
             (variable: SV_PROGRAM_A_B_NUMPROCS)"
        );
        for (name, value, expected) in [
            (
                "SV_PROGRAM_WEB_NUMPROCS",
                "x",
                "not a valid integer: 'x' in section 'program:web' (variable: SV_PROGRAM_WEB_NUMPROCS, option: numprocs)",
            ),
            (
                "SV_SUPERVISORD_LOGLEVEL_FILE",
                "/run/no",
                "cannot read '/run/no' for SV_SUPERVISORD_LOGLEVEL_FILE: entity not found \
                 (variable: SV_SUPERVISORD_LOGLEVEL_FILE)",
            ),
            (
                "SV_SUPERVISORD_LOGLEVEL_FILE",
                "/run/text",
                "cannot read '/run/text' for SV_SUPERVISORD_LOGLEVEL_FILE: it is not UTF-8 \
                 (variable: SV_SUPERVISORD_LOGLEVEL_FILE)",
            ),
        ] {
            assert_eq!(message(loaded(&[(name, value)])), expected);
        }
    }

    #[test]
    fn the_content_of_a_secret_file_is_not_shown() {
        for name in
            ["SV_SUPERVISORD_LOGLEVEL_FILE", "SV_PROGRAM_WEB_ENVIRONMENT_FILE", "SV_PROGRAM_WEB_USER_FILE"]
        {
            let errors = loaded(&[(name, "/run/secret")]).unwrap_err();
            assert!(!format!("{errors} {errors:?}").contains("geheim"), "{errors:?}");
            assert!(
                errors.to_string().starts_with("the value is not valid; it comes from a file"),
                "{errors}"
            );
        }
    }
}
