//! Tests that check every row of the table, and the generated option reference in `docs/options.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::fake::{Fake, MAIN, MAIN_TOML};
use super::super::load;
use super::sample::toml_value;
use super::{DefaultValue, Naming, SectionDoc, TABLE, ValueType};
use crate::model::options::{FieldBinding, OptionDoc, OptionList, PROGRAM, differences, differing_values};
use crate::model::{ProcessSpec, Settings};

/// If set, the reference is written instead of compared.
pub(crate) const WRITE: &str = "SV_TEST_WRITE_REFERENCE";

/// The programs that the row of `depends_on` names, and the one under test.
const INI: &str = "[supervisord]\n[program:db]\ncommand=a\n[program:migrate]\ncommand=a\n[program:cache]\ncommand=a\n\
    [program:x]\n";
const TOML: &str = "[supervisord]\n[program.db]\ncommand = 'a'\n[program.migrate]\ncommand = 'a'\n[program.cache]\n\
    command = 'a'\n[program.x]\n";

/// The process under test.
fn process(mut settings: Settings) -> ProcessSpec {
    let at = settings.groups.iter().position(|group| group.processes[0].program == "x").unwrap();
    Arc::unwrap_or_clone(settings.groups.remove(at).processes.remove(0))
}

fn read(path: &str, text: &str) -> Settings {
    let machine = machine().file(path, text);
    load(Path::new(path), &[], &machine).unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

fn of_ini(lines: &str) -> ProcessSpec {
    process(read(MAIN, &format!("{INI}{lines}")))
}

/// Options that an option requires: options of an optional part need the option that enables the part.
const REQUIRED_OPTIONS: [(&str, &[(&str, &str)]); 8] = [
    ("command", &[]),
    ("ready_interval", &[("command", "a"), ("ready", "notify")]),
    ("health_", &[("command", "a"), ("health", "tcp:80")]),
    ("on_unhealthy", &[("command", "a"), ("health", "tcp:80")]),
    ("on_memory_limit", &[("command", "a"), ("memory_limit", "1GB")]),
    ("memory_interval", &[("command", "a"), ("memory_limit", "1GB")]),
    ("hook_timeout", &[("command", "a"), ("pre_start", "/bin/true")]),
    ("schedule_", &[("command", "a"), ("schedule", "@daily")]),
];

type RequiredOptions = &'static [(&'static str, &'static str)];

/// Every option that is a field of the specification, with the options that it requires.
fn fields() -> impl Iterator<Item = (&'static OptionDoc, FieldBinding, RequiredOptions)> {
    let rows = PROGRAM.iter().filter_map(|option| Some((option, option.binding?)));
    rows.map(|(option, binding)| {
        let required = REQUIRED_OPTIONS.iter().find(|(start, _)| option.name.starts_with(start));
        (option, binding, required.map_or(&[("command", "a")][..], |(_, required)| required))
    })
}

fn ini(required: RequiredOptions) -> String {
    required.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

fn toml(required: RequiredOptions) -> String {
    required.iter().map(|(name, value)| format!("{name} = {value:?}\n")).collect()
}

/// A machine with a zone file.
fn machine() -> Fake {
    Fake::new().file("/usr/share/zoneinfo/Europe/Berlin", zone_file())
}

/// Version 1 of the format, with central European time only.
fn zone_file() -> Vec<u8> {
    let counts = [0_u32, 0, 0, 0, 1, 4].map(u32::to_be_bytes).concat();
    let header = [b"TZif\0", [0_u8; 15].as_slice(), counts.as_slice()].concat();
    [header.as_slice(), &3600_i32.to_be_bytes(), &[0, 0], b"CET\0"].concat()
}

#[test]
fn every_option_sets_its_field_and_update_follows_its_row() {
    let base = of_ini("command=a");
    for (option, binding, required) in fields() {
        let base = if required.len() > 1 { of_ini(&ini(required)) } else { base.clone() };
        let changed = of_ini(&format!("{}{}={}", ini(required), option.name, binding.test));
        for (old, new) in [(&base, &changed), (&changed, &base)] {
            let found: Vec<_> = differences(old, new).collect();
            assert!(found.contains(&(option.name, binding.update)), "{}: {found:?}", option.name);
        }
    }
}

/// Spellings that a value is not shown in.
const SHOWN_OTHERWISE: [(&str, &str); 3] =
    [("umask", "077"), ("environment", "A=..."), ("schedule_timezone", "a zone file")];

#[test]
fn the_values_that_differ_are_spelled_as_in_a_configuration() {
    for (option, binding, required) in fields() {
        let name = option.name;
        let [old, new] = [String::new(), format!("{name}={}", binding.test)].map(|line| {
            of_ini(&format!("{}{line}", if name == "command" { "command=a\n".into() } else { ini(required) }))
        });
        let found = differing_values(&old, &new).into_iter().find(|it| it.name == name).unwrap();
        let otherwise = SHOWN_OTHERWISE.iter().find(|(known, _)| *known == name);
        let expected = otherwise.map_or(binding.test, |(_, shown)| shown);
        assert_eq!(found.new.as_deref(), Some(expected), "{name}");
        match option.default {
            DefaultValue::Is("" | "%(program_name)s")
            | DefaultValue::Unset(_)
            | DefaultValue::Required(_) => {}
            DefaultValue::Is(_) if matches!(name, "ready" | "cgroup" | "no_new_privileges" | "serverurl") => {
            }
            DefaultValue::Is(default) => assert_eq!(found.old.as_deref(), Some(default), "{name}"),
        }
    }
}

#[test]
fn the_values_of_variables_and_of_secret_files_do_not_differ_visibly() {
    let of_secrets = machine()
        .file(MAIN, format!("{INI}command=a\nenvironment=KEPT=\"x\",TOKEN=\"geheim\",NEW=\"geheim\"\n"))
        .variable("SV_PROGRAM_X_COMMAND_FILE", "/run/secret")
        .file("/run/secret", "b --token geheim");
    let new = process(load(Path::new(MAIN), &[], &of_secrets).unwrap());
    let old = of_ini("command=a\nenvironment=KEPT=\"x\",TOKEN=\"old\",GONE=\"old\"\n");
    let values = |old, new| -> Vec<String> {
        let differing = differing_values(old, new).into_iter();
        differing.map(|it| format!("{}: {:?} -> {:?}", it.name, it.old, it.new)).collect()
    };
    assert_eq!(
        values(&old, &new),
        [
            r#"command: Some("a") -> Some("...")"#,
            r#"environment: Some("GONE=...,TOKEN=...") -> Some("NEW=...,TOKEN=...")"#
        ]
    );
    assert_eq!(values(&new, &old)[0], r#"command: Some("...") -> Some("a")"#);
    let moved = machine()
        .file(MAIN, format!("{INI}command=unused\n"))
        .variable("SV_PROGRAM_X_COMMAND_FILE", "/run/secret")
        .file("/run/secret", "a");
    let moved = process(load(Path::new(MAIN), &[], &moved).unwrap());
    assert_eq!(moved, of_ini("command=a\n"), "where a value comes from is no change");
    let more = of_ini("command=a\nenvironment=KEPT=\"x\",NEW=\"x\"\n");
    let less = of_ini("command=a\nenvironment=KEPT=\"x\"\n");
    assert_eq!(values(&less, &more), [r#"environment: Some("") -> Some("NEW=...")"#]);
}

#[test]
fn every_option_means_the_same_in_each_language_and_as_a_variable() {
    for (option, FieldBinding { test, .. }, required) in fields() {
        let name = option.name;
        let expected = of_ini(&format!("{}{name}={test}", ini(required)));
        for value in [toml_value(option.value, test), format!("{test:?}")] {
            let found = process(read(MAIN_TOML, &format!("{TOML}{}{name} = {value}", toml(required))));
            assert_eq!(found, expected, "{name} = {value}");
        }
        let variable = format!("SV_PROGRAM_X_{}", name.to_uppercase());
        let required = if required.is_empty() { "command=a\n".to_owned() } else { ini(required) };
        let machine = machine().file(MAIN, format!("{INI}{required}")).variable(&variable, test);
        let settings = load(Path::new(MAIN), &[], &machine).unwrap();
        assert_eq!((settings.variables.as_slice(), settings.notices.len()), ([variable].as_slice(), 0));
        assert_eq!(process(settings), expected, "{name}");
    }
}

/// Ensures that `update` does not miss a field.
#[test]
fn every_field_of_a_specification_has_a_row() {
    const NO_OPTIONS: [&str; 7] =
        ["group", "program", "inherits_stdio", "stand_in", "socket", "secret_options", "defined_at"];
    let base = of_ini("command=a");
    let fields_of = |spec: &ProcessSpec| -> Vec<(String, String)> {
        let parts = [format!("{spec:#?}"), format!("{:#?}", *spec.lifecycle)];
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in parts.iter().flat_map(|text| text.lines().skip(1)) {
            let top = line.strip_prefix("    ").filter(|line| !line.starts_with([' ', '}', ']', ')']));
            match top.and_then(|line| line.split_once(": ")) {
                Some((name, value)) => fields.push((name.to_owned(), value.to_owned())),
                None => fields.last_mut().unwrap().1.push_str(line),
            }
        }
        fields
    };
    let (mut all, mut reached) = (BTreeSet::new(), BTreeSet::new());
    for (option, binding, required) in fields() {
        let changed = of_ini(&format!("{}{}={}", ini(required), option.name, binding.test));
        for ((name, old), (_, new)) in fields_of(&base).into_iter().zip(fields_of(&changed)) {
            all.insert(name.clone());
            reached.extend((old != new).then_some(name));
        }
    }
    reached.extend(NO_OPTIONS.map(str::to_owned));
    assert_eq!(all, reached);
}

#[test]
fn the_reference_is_up_to_date() {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/options.md"));
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, reference()).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == reference(),
        "write docs/options.md again: {WRITE}=1 cargo test the_reference_is_up_to_date"
    );
}

const HEAD: &str = "\
# Options

Generated from the same table as `sv sample`. [Configuration](configuration.md) describes the forms in which options are written.

*since*: the version of `sv` that introduced the option, or `Supervisor` if Supervisor 4.3 has it. Supervisor ignores the others.

*update*: what makes a change take effect.

| | |
|---|---|
| applied | `sv update`; running processes are not restarted |
| next start | `sv update`; a running process keeps the old value until its next start |
| restarted | `sv update`; it stops the process and starts it again |
| added or removed | `sv update`; it starts or stops the processes that the change adds or removes |
| by its contents | `sv update` reads the files; each option in them is applied as its own row says |
| reload | `sv reload` or SIGHUP, which stop all programs and restart the supervisor in the same process |
| new start | only another start of the supervisor |
| next client | the next start of the client |
| no effect | nothing; the option is accepted for compatibility |

What is *applied* or *restarted* in `[supervisord]` are the programs. The supervisor's own log takes `log_format`, `log_timestamp` and
`log_ring_bytes` at a reload. `strict` applies to the next reading of the files, and to cgroups from a reload on.
";

fn reference() -> String {
    let sections = TABLE.iter().filter(|section| !section.options.is_empty());
    sections.map(section).fold(HEAD.to_owned(), |text, section| text + &section)
}

pub(crate) fn count(options: OptionList) -> usize {
    options.iter().count()
}

fn section(section: &SectionDoc) -> String {
    let name = match section.naming {
        Naming::Required => format!("{}:NAME", section.name),
        Naming::Single | Naming::Optional => section.name.to_owned(),
    };
    let has_others = section.name != "program" && count(section.options) >= count(PROGRAM);
    let others = if has_others { "\n\nIt also takes the options of `[program:NAME]`." } else { "" };
    let mut text = format!("\n## [{name}]\n\n{}{others}\n", section.doc);
    let own = |option: &&OptionDoc| !has_others || !PROGRAM.iter().any(|known| known.name == option.name);
    let mut own = section.options.iter().filter(own).peekable();
    if own.peek().is_none() {
        return text;
    }
    text.push_str("\n| option | value | default | since | update | meaning |\n|---|---|---|---|---|---|\n");
    for option in own {
        text.push_str(&row(option));
    }
    text
}

fn row(option: &OptionDoc) -> String {
    let default = match option.default {
        DefaultValue::Is("") => "empty".to_owned(),
        DefaultValue::Is(value) => format!("`{value}`"),
        DefaultValue::Unset(example) => format!("not set; such as `{example}`"),
        DefaultValue::Required(example) => format!("required; such as `{example}`"),
    };
    let cells = [
        format!("`{}`", option.name),
        value(option.value),
        default,
        option.since.unwrap_or("Supervisor").to_owned(),
        option.change.name().to_owned(),
        option.doc.to_owned(),
    ];
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

#[test]
fn no_cell_of_the_reference_is_empty() {
    let (mut rows, mut columns) = (0, 0);
    for line in reference().lines().filter(|line| line.starts_with("| ")) {
        let line = line.replace("\\|", "");
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        match cells[0] {
            "" => columns = 0,
            "option" => {
                columns = cells.len();
                assert_eq!(cells, ["option", "value", "default", "since", "update", "meaning"]);
            }
            _ if columns > 0 => {
                rows += 1;
                assert!(cells.len() == columns && cells.iter().all(|cell| !cell.is_empty()), "{line}");
            }
            _ => {}
        }
    }
    let own = |section: &&SectionDoc| count(section.options) < count(PROGRAM) && !section.options.is_empty();
    let others: usize = TABLE.iter().filter(own).map(|section| count(section.options)).sum();
    assert!(rows >= count(PROGRAM) + others, "{rows} rows");
}

#[test]
fn versions_of_options_are_released_or_this_one() {
    let version = |text: &str| -> Vec<u32> { text.split('.').map(|part| part.parse().unwrap()).collect() };
    for option in TABLE.iter().flat_map(|section| section.options.iter()) {
        let since = option.since.unwrap_or("0.1.0");
        assert!(version(since) <= version(env!("CARGO_PKG_VERSION")), "{}: {since}", option.name);
        assert_eq!(version(since).len(), 3, "{}", option.name);
    }
}

/// The table has defaults for people, and the types have defaults for the program; both must be equal.
#[test]
fn defaults_of_the_table_are_those_of_the_specification() {
    for (option, _, required) in fields() {
        if let DefaultValue::Is(default) = option.default
            && !required.is_empty()
        {
            let set = of_ini(&format!("{}{}={default}", ini(required), option.name));
            assert_eq!(set, of_ini(&ini(required)), "{}", option.name);
        }
    }
}

pub(crate) fn value(value: ValueType) -> String {
    let text = match value {
        ValueType::Word(words) => {
            return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
        }
        ValueType::Text => "text",
        ValueType::Secret => "text, never shown",
        ValueType::Boolean => "`true` or `false`",
        ValueType::Integer => "integer",
        ValueType::Retries => "integer or `forever`",
        ValueType::Size => "bytes, KB, MB or GB",
        ValueType::Octal => "octal number",
        ValueType::Signal => "signal",
        ValueType::ExitCodes => "list of integers",
        ValueType::AutoRestart => "`true`, `false` or `unexpected`",
        ValueType::SignalAction => "action",
        ValueType::LogLevel => "level",
        ValueType::LogFormat => "`raw`, `prefix` or `json`",
        ValueType::LogFile => "path, `AUTO` or `NONE`",
        ValueType::Path => "path",
        ValueType::ControlSocket => "path, `auto` or `none`",
        ValueType::Directory => "directory",
        ValueType::User => "user or user:group",
        ValueType::Owner => "user or user:group",
        ValueType::Address => "host:port",
        ValueType::Url => "URL",
        ValueType::Pairs => "variables",
        ValueType::Roles => "users with roles",
        ValueType::List => "list",
        ValueType::Globs => "patterns",
        ValueType::Command => "command",
        ValueType::Files => "files",
        ValueType::Seconds => "seconds",
        ValueType::Count => "integer from 1 on",
        ValueType::Percent => "percentage",
        ValueType::RestartLimit => "ends/seconds",
        ValueType::Dependencies => "list of names with conditions",
        ValueType::Check => "check",
        ValueType::Checks => "checks, a line each",
        ValueType::Schedule => "schedule",
        ValueType::Zone => "time zone",
        ValueType::Rlimit => "soft:hard, or one for both; or `unlimited`",
        ValueType::IoPriority => "class, or class:priority",
        ValueType::Cpus => "list of CPUs",
    };
    text.to_owned()
}
