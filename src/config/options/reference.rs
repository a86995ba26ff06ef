//! Tests that hold for every row of the table, and the option reference in `docs/options.md`, which is generated.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::fake::{Fake, MAIN, load_text, load_toml};
use super::super::load;
use super::sample::toml_value;
use super::{DefaultValue, Naming, SectionDoc, TABLE, ValueType};
use crate::model::ProcessSpec;
use crate::model::options::{Landing, OptionDoc, PROGRAM, Update, differences};

/// Set to write the reference instead of comparing it.
const WRITE: &str = "SV_TEST_WRITE_REFERENCE";

const INI: &str = "[supervisord]\n[program:x]\n";
const TOML: &str = "[supervisord]\n[program.x]\n";

fn process(settings: crate::model::Settings) -> ProcessSpec {
    let mut settings = settings;
    Arc::unwrap_or_clone(settings.groups.remove(0).processes.remove(0))
}

fn of_ini(lines: &str) -> ProcessSpec {
    process(load_text(&format!("{INI}{lines}")).unwrap())
}

/// Every option that is a field of the specification, with the lines that it needs beside it.
fn fields() -> impl Iterator<Item = (&'static OptionDoc, Landing, &'static str)> {
    let rows = PROGRAM.iter().filter_map(|option| Some((option, option.landing?)));
    rows.map(|(option, landing)| (option, landing, if option.name == "command" { "" } else { "command=a\n" }))
}

#[test]
fn every_option_lands_in_its_field_and_update_does_what_its_row_says() {
    let base = of_ini("command=a");
    for (option, landing, command) in fields() {
        let changed = of_ini(&format!("{command}{}={}", option.name, landing.test));
        for (old, new) in [(&base, &changed), (&changed, &base)] {
            let found: Vec<_> = differences(old, new).collect();
            assert!(found.contains(&(option.name, landing.update)), "{}: {found:?}", option.name);
        }
    }
}

#[test]
fn every_option_means_the_same_in_each_language_and_as_a_variable() {
    for (option, Landing { test, .. }, command) in fields() {
        let name = option.name;
        let expected = of_ini(&format!("{command}{name}={test}"));
        let command_toml = if command.is_empty() { "" } else { "command = \"a\"\n" };
        for value in [toml_value(option.value, test), format!("{test:?}")] {
            let toml = process(load_toml(&format!("{TOML}{command_toml}{name} = {value}")).unwrap());
            assert_eq!(toml, expected, "{name} = {value}");
        }
        let variable = format!("SV_PROGRAM_X_{}", name.to_uppercase());
        let around = Fake::main(&format!("{INI}command=a\n")).variable(&variable, test);
        let settings = load(Path::new(MAIN), &[], &around).unwrap();
        assert_eq!((settings.variables.as_slice(), settings.notices.len()), ([variable].as_slice(), 0));
        assert_eq!(process(settings), expected, "{name}");
    }
}

/// So no field is forgotten by `update`.
#[test]
fn every_field_of_a_specification_has_a_row() {
    const NO_OPTIONS: [&str; 4] = ["group", "inherits_stdio", "stand_in", "socket"];
    let base = of_ini("command=a");
    let told = |spec: &ProcessSpec| -> Vec<(String, String)> {
        let text = format!("{spec:#?}");
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in text.lines().skip(1) {
            let top = line.strip_prefix("    ").filter(|line| !line.starts_with([' ', '}', ']', ')']));
            match top.and_then(|line| line.split_once(": ")) {
                Some((name, value)) => fields.push((name.to_owned(), value.to_owned())),
                None => fields.last_mut().unwrap().1.push_str(line),
            }
        }
        fields
    };
    let (mut all, mut reached) = (BTreeSet::new(), BTreeSet::new());
    for (option, landing, command) in fields() {
        let changed = of_ini(&format!("{command}{}={}", option.name, landing.test));
        for ((name, old), (_, new)) in told(&base).into_iter().zip(told(&changed)) {
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

Generated from the table in the source, as `sv sample` is; the README says more about each.

`sv update` applies a change in one of these ways: *applied*: the running process has it at once; *next start*: the
process keeps running, and has it from its next start on; *restarted*: the process is stopped and started again.
A program that `numprocs` or a group adds or removes is started or stopped.
";

fn reference() -> String {
    let sections = TABLE.iter().filter(|section| !section.options.is_empty());
    sections.map(section).fold(HEAD.to_owned(), |text, section| text + &section)
}

fn section(section: &SectionDoc) -> String {
    let name = match section.naming {
        Naming::Required => format!("{}:NAME", section.name),
        Naming::Single | Naming::Optional => section.name.to_owned(),
    };
    let is_program = section.name == "program";
    let has_others = !is_program && section.options.len() >= PROGRAM.len();
    let others = if has_others { "\n\nIt also takes the options of `[program:NAME]`." } else { "" };
    let mut text = format!("\n## [{name}]\n\n{}{others}\n", section.doc);
    let own = |option: &&OptionDoc| !has_others || !PROGRAM.iter().any(|known| known.name == option.name);
    let mut own = section.options.iter().filter(own).peekable();
    if own.peek().is_none() {
        return text;
    }
    let update = if is_program { ("| update ", "---|") } else { ("", "") };
    let _ =
        write!(text, "\n| option | value | default | meaning {}|\n|---|---|---|---|{}\n", update.0, update.1);
    for option in own {
        text.push_str(&row(option, is_program));
    }
    text
}

fn row(option: &OptionDoc, is_program: bool) -> String {
    let default = match option.default {
        DefaultValue::Is("") => "empty".to_owned(),
        DefaultValue::Is(value) => format!("`{value}`"),
        DefaultValue::Unset(example) => format!("not set; such as `{example}`"),
        DefaultValue::Required(example) => format!("required; such as `{example}`"),
    };
    let update = option.landing.map(|landing| match landing.update {
        Update::InPlace => "applied",
        Update::NextStart => "next start",
        Update::Restart => "restarted",
    });
    let update = if is_program { format!(" {} |", update.unwrap_or_default()) } else { String::new() };
    format!(
        "| `{}` | {} | {default} | {} |{update}\n",
        option.name,
        value(option.value),
        option.doc.replace('|', "\\|")
    )
}

fn value(value: ValueType) -> String {
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
        ValueType::User => "user",
        ValueType::Owner => "user or user:group",
        ValueType::Address => "host:port",
        ValueType::Url => "URL",
        ValueType::Pairs => "variables",
        ValueType::List => "list",
        ValueType::Globs => "patterns",
        ValueType::Command => "command",
        ValueType::Files => "files",
    };
    text.to_owned()
}
