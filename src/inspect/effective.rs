//! The effective configuration: every option of every section, with its value and its origin.
//!
//! Values are shown as written, since a name in them may stand for a secret. On request they are expanded
//! with the names that are the same for the whole section. A value that depends on the process, such as
//! `%(process_num)d`, stays as it is.

use std::path::{Path, PathBuf};

use crate::model::Environment;

use super::complete_machine::{CompleteMachine, variables_needed};
use super::findings::{CheckReport, Finding};
use crate::config::document::{Document, Entry, Origin, Section};
use crate::config::expand::{NameValue, Names};
use crate::config::options::{OptionDoc, Per, SectionKind, ValueType};
use crate::config::{
    Completeness, Examined, Findings, Machine, Override, Reading, SectionReader, apply_variables, env_files,
    environment, examine, overlaid,
};

/// A section of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveSection {
    /// As written between the brackets.
    pub name: String,
    /// Its kind.
    pub kind: SectionKind,
    /// In the order of the table.
    pub options: Vec<EffectiveOption>,
}

/// An option, set or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveOption {
    /// Its key.
    pub name: String,
    /// Its effective value.
    pub value: EffectiveValue,
    /// Where the value comes from.
    pub origin: ValueOrigin,
    /// The section that sets it, if it is inherited: `program-default` or `DEFAULT`.
    pub inherited_from: Option<String>,
}

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EffectiveValue {
    /// Not set, and without a default.
    Unset,
    /// A secret, which must not be shown.
    Hidden,
    /// A value, as a configuration file spells it.
    Is(String),
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueOrigin {
    /// A file.
    File {
        /// The path of the file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// An environment variable, by its name.
    Variable(String),
    /// A flag of the command line, as spelled there.
    Flag(String),
    /// The default.
    Default,
}

/// The effective configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// In the order in which they first appear.
    pub sections: Vec<EffectiveSection>,
    /// It is a part of a configuration: it has no `[supervisord]`, and an empty one was added.
    pub is_fragment: bool,
}

/// Reads a configuration and returns its effective values; with `expand` names are expanded. `command` is the
/// main program, as for [`crate::config::load_with_command`].
///
/// # Errors
///
/// All errors in the configuration.
pub fn effective(
    path: &Path,
    overrides: &[Override],
    command: &[String],
    machine: &dyn Machine,
    expand: bool,
) -> Result<Effective, Vec<Finding>> {
    let found = effective_on(path, overrides, command, machine, expand);
    if found.is_ok() || expand {
        return found;
    }
    // Values as written don't depend on what this machine lacks.
    let variables = variables_needed(std::iter::once(path), machine);
    effective_on(path, overrides, command, &CompleteMachine::new(machine, path, &variables), expand).or(found)
}

fn effective_on(
    path: &Path,
    overrides: &[Override],
    command: &[String],
    machine: &dyn Machine,
    expand: bool,
) -> Result<Effective, Vec<Finding>> {
    let examined = examine(path, overrides, command, machine, Completeness::WholeOrPart, |_, _| ());
    let is_fragment = examined.is_fragment;
    let Examined { settings: Some(_), document: Some(mut document), .. } = examined else {
        return Err(CheckReport::of(examined).findings);
    };
    // The server ignores these sections, but here they are shown.
    let findings = apply_variables(&mut document, machine, &|kind| kind == SectionKind::Supervisorctl);
    if !findings.errors.is_empty() {
        let examined = Examined { settings: None, document: Some(document), findings, is_fragment };
        return Err(CheckReport::of(examined).findings);
    }
    let host_node_name = machine.host_node_name();
    let mut reading = Reading::new(&document, machine, &host_node_name, Findings::default());
    Ok(Effective { sections: Evaluator::new(&mut reading, overrides, expand).sections(), is_fragment })
}

/// Errors that are found here were already found by the first reading, so the findings of this one are
/// dropped.
struct Evaluator<'t, 'a> {
    reading: &'t mut Reading<'a>,
    overrides: &'t [Override],
    /// `None` leaves values as written.
    environment: Option<Environment>,
}

impl<'t, 'a> Evaluator<'t, 'a> {
    fn new(reading: &'t mut Reading<'a>, overrides: &'t [Override], expand: bool) -> Self {
        let inherited = Names::default().with_variables(reading.machine.environment());
        let section = reading.document.section("supervisord").filter(|_| expand);
        let environment = section.map(|section| environment(reading, section, &inherited));
        Self { reading, overrides, environment }
    }

    fn sections(mut self) -> Vec<EffectiveSection> {
        let document: &'a Document = self.reading.document;
        document.sections().iter().filter_map(|section| self.section(section)).collect()
    }

    fn section(&mut self, section: &'a Section) -> Option<EffectiveSection> {
        let (kind, instance) = SectionKind::of(&section.name)?;
        let inherited = Names::default().with_variables(self.reading.machine.environment());
        let ours = self.environment.clone().unwrap_or_default();
        let named =
            Names::over(&inherited).with("host_node_name", NameValue::Text(self.reading.host_node_name));
        let names = match kind {
            SectionKind::Supervisord | SectionKind::Include => named,
            _ => named.with_variables(&ours).with("program_name", NameValue::Text(instance)),
        };
        let overrides = if kind == SectionKind::Supervisord { self.overrides } else { &[] };
        let expand = self.environment.is_some();
        let options = SectionReader::new(self.reading, section, kind, &names).overridden(overrides);
        let options = effective_options(options, section, kind, &names, expand);
        (!options.is_empty()).then(|| EffectiveSection { name: section.name.clone(), kind, options })
    }
}

fn effective_options<'a>(
    mut options: SectionReader<'_, 'a>,
    section: &'a Section,
    kind: SectionKind,
    names: &Names<'_>,
    expand: bool,
) -> Vec<EffectiveOption> {
    let scope = if expand { Scope::of(&mut options) } else { Scope::Written };
    let mut found = Vec::new();
    let options_of_table = kind.options().iter().flat_map(|option| keys(option, section));
    for (option, key) in options_of_table {
        let text = match (&scope, option.per()) {
            (Scope::Written, _) | (Scope::Process(None), Per::Process) => None,
            (Scope::Process(Some(own)), Per::Process) => {
                let names = Names::over(names).with_variables(own);
                options.under(&names).expanded_text(key)
            }
            (Scope::Process(_), Per::Program) => options.expanded_text(key),
        };
        let is_wanted = kind != SectionKind::ProgramDefault || section.entry(key).is_some();
        found.extend(is_wanted.then(|| effective_option(&options, (option, key), text)));
    }
    if kind == SectionKind::RpcInterface {
        found.extend(unknown_keys(&options, section, kind));
    }
    found
}

/// An option by its key, or the members of a family that the section sets.
fn keys<'s>(
    option: &'static OptionDoc,
    section: &'s Section,
) -> impl Iterator<Item = (&'static OptionDoc, &'s str)> {
    let set = section.entries().iter().map(|entry| &*entry.key).filter(|key| option.takes(key));
    let mut members: Vec<&str> = set.filter(|_| option.family().is_some()).collect();
    members.sort_unstable();
    members.dedup();
    let itself = option.family().is_none().then_some(option.name);
    itself.into_iter().chain(members).map(move |key| (option, key))
}

/// The names that the options of single processes are expanded with.
enum Scope {
    /// Nothing is expanded.
    Written,
    /// The program's own variables; `None` if they differ between processes.
    Process(Option<Environment>),
}

impl Scope {
    fn of(options: &mut SectionReader<'_, '_>) -> Self {
        let errors_before = options.reading.error_count();
        let own = overlaid(env_files(options), options.pairs("environment"));
        Self::Process((options.reading.error_count() == errors_before).then_some(own))
    }
}

fn effective_option(
    options: &SectionReader<'_, '_>,
    (option, key): (&OptionDoc, &str),
    expanded: Option<String>,
) -> EffectiveOption {
    let (name, inherited_from) = (key.to_owned(), None);
    if let Some(overriding) = options.overriding(key) {
        let value = EffectiveValue::Is(overriding.value.clone());
        let origin = ValueOrigin::Flag(overriding.spelled.clone());
        return EffectiveOption { name, value, origin, inherited_from };
    }
    let Some((entry, inherited_from)) = options.entry_and_source(key) else {
        let value = options.written(key).map_or(EffectiveValue::Unset, EffectiveValue::Is);
        return EffectiveOption { name, value, origin: ValueOrigin::Default, inherited_from };
    };
    let is_hidden = option.value == ValueType::Secret || options.is_hidden(key);
    let is_included = entry.place.source > 0
        && matches!(options.reading.document.source(entry.place).origin, Origin::File(_));
    let written = || {
        // All options are shown together, and an included file may be in a different folder.
        let folder = options.here(key).replace('%', "%%");
        options.written(key).map(|text| if is_included { text.replace("%(here)s", &folder) } else { text })
    };
    let value = match expanded.or_else(written).filter(|_| !is_hidden) {
        Some(text) => EffectiveValue::Is(text),
        None => EffectiveValue::Hidden,
    };
    let inherited_from = inherited_from.map(str::to_owned);
    EffectiveOption { name, value, origin: origin(options.reading.document, entry), inherited_from }
}

fn origin(document: &Document, entry: &Entry) -> ValueOrigin {
    match &document.source(entry.place).origin {
        Origin::File(path) => ValueOrigin::File { path: path.clone(), line: entry.place.line },
        Origin::Variable(name) => ValueOrigin::Variable(name.clone()),
        Origin::CommandLine => ValueOrigin::Flag("--".to_owned()),
    }
}

/// Keys that are not in the table, in a section that accepts any key.
fn unknown_keys(
    options: &SectionReader<'_, '_>,
    section: &Section,
    kind: SectionKind,
) -> Vec<EffectiveOption> {
    let is_known = |key: &str| kind.options().named(key).is_some();
    let counts = |entry: &&Entry| {
        !is_known(&entry.key) && section.entry(&entry.key).is_some_and(|last| std::ptr::eq(last, *entry))
    };
    let option_of = |entry: &Entry| EffectiveOption {
        name: entry.key.to_string(),
        value: entry
            .value
            .shown()
            .map_or(EffectiveValue::Hidden, |text| EffectiveValue::Is(text.into_owned())),
        origin: origin(options.reading.document, entry),
        inherited_from: None,
    };
    section.entries().iter().filter(counts).map(option_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fake::{Fake, MAIN};

    const TEXT: &str = "[DEFAULT]\numask=027\n[supervisord]\nidentifier=%(ENV_NAME)s\nminfds=5\n\
        environment=H=\"h\"\n[program-default]\nstartsecs=3\n[program:web]\ncommand=%(program_name)s %(ENV_OWN)s\n\
        \x20 %(ENV_H)s\nprocess_name=%(process_num)d\nenvironment=OWN=\"own\"\nnumprocs=2\nserverurl=%(ENV_H)s\n\
        [inet_http_server]\nport=127.0.0.1:1\nusername=u\npassword=geheim\n[celery]\nx=1\n";

    /// `key=value (origin)` of each option of a section that is set.
    fn summary(section: &str, expand: bool) -> Vec<String> {
        let machine = Fake::main(TEXT)
            .variable("NAME", "outside")
            .file("/run/secret", "geheim")
            .variable("SV_PROGRAM_WEB_PRIORITY", "7")
            .variable("SV_PROGRAM_WEB_STOPSIGNAL_FILE", "/run/secret2")
            .file("/run/secret2", "INT");
        let flag = Override { option: "minfds", value: "9".to_owned(), spelled: "--minfds".to_owned() };
        let sections = effective(Path::new(MAIN), &[flag], &[], &machine, expand).unwrap().sections;
        let found = sections.into_iter().find(|known| known.name == section).unwrap();
        let set = found.options.into_iter().filter(|option| option.origin != ValueOrigin::Default);
        set.map(|option| {
            let value = match option.value {
                EffectiveValue::Is(text) => text,
                other => format!("{other:?}"),
            };
            let origin = match option.origin {
                ValueOrigin::File { line, .. } => line.to_string(),
                ValueOrigin::Variable(name) | ValueOrigin::Flag(name) => name,
                ValueOrigin::Default => "default".to_owned(),
            };
            let from = option.inherited_from.map(|name| format!("[{name}] ")).unwrap_or_default();
            format!("{}={value} ({from}{origin})", option.name)
        })
        .collect()
    }

    #[test]
    fn each_value_has_its_origin() {
        assert_eq!(
            summary("supervisord", false),
            [
                "minfds=9 (--minfds)",
                "umask=027 ([DEFAULT] 2)",
                "identifier=%(ENV_NAME)s (4)",
                "environment=H=\"h\" (6)"
            ]
        );
        assert_eq!(
            summary("program:web", false),
            [
                "command=%(program_name)s %(ENV_OWN)s\n%(ENV_H)s (10)",
                "process_name=%(process_num)d (12)",
                "numprocs=2 (14)",
                "umask=027 ([DEFAULT] 2)",
                "priority=7 (SV_PROGRAM_WEB_PRIORITY)",
                "startsecs=3 ([program-default] 8)",
                "stopsignal=Hidden (SV_PROGRAM_WEB_STOPSIGNAL_FILE)",
                "environment=OWN=\"own\" (13)",
                "serverurl=%(ENV_H)s (15)",
            ]
        );
        assert_eq!(summary("program-default", false), ["startsecs=3 (8)"]);
        let server = ["port=127.0.0.1:1 (17)", "username=u (18)", "password=Hidden (19)"];
        assert_eq!(summary("inet_http_server", true), server);
    }

    #[test]
    fn names_are_expanded_if_they_are_unambiguous() {
        assert!(summary("supervisord", true).contains(&"identifier=outside (4)".to_owned()));
        let web = summary("program:web", true);
        for expected in ["command=web own\nh (10)", "process_name=%(process_num)d (12)", "serverurl=h (15)"] {
            assert!(web.iter().any(|line| line == expected), "{expected}: {web:?}");
        }
    }

    #[test]
    fn errors_are_reported_instead() {
        let found =
            effective(Path::new(MAIN), &[], &[], &Fake::main("[supervisord]\nminfds=x"), false).unwrap_err();
        assert_eq!(found[0].line, Some(2));
    }

    #[test]
    fn the_main_command_is_a_section_too() {
        let text = "[supervisord]\nsignal_USR1=forward:main\n[program-default]\nstopwaitsecs=3\n";
        let command = ["job", "a b", "50%"].map(str::to_owned);
        let sections = effective(Path::new(MAIN), &[], &command, &Fake::main(text), false).unwrap().sections;
        let main = sections.into_iter().find(|section| section.name == "program:main").unwrap();
        let option_of = |name: &str| main.options.iter().find(|option| option.name == name).cloned().unwrap();
        assert_eq!(option_of("command").value, EffectiveValue::Is("job 'a b' 50%%".to_owned()));
        assert_eq!(option_of("command").origin, ValueOrigin::Flag("--".to_owned()));
        assert_eq!(option_of("stopwaitsecs").inherited_from.as_deref(), Some("program-default"));
    }
}
