//! Generates the sample file: the table, printed as a configuration in either language.

use super::super::document::Language;
use super::{DefaultValue, Naming, OptionDoc, SectionDoc, SectionKind, TABLE, ValueType};

/// The options that the sample sets; all others are shown as comments. They form the smallest configuration
/// that the control client can use.
const SET: [(SectionKind, &str, &str); 4] = [
    (SectionKind::UnixHttpServer, "file", "/tmp/supervisor.sock"),
    (SectionKind::Supervisord, "logfile", "/tmp/supervisord.log"),
    (SectionKind::Supervisord, "pidfile", "/tmp/supervisord.pid"),
    (SectionKind::Supervisorctl, "serverurl", "unix:///tmp/supervisor.sock"),
];

/// What INI has to set in addition. In TOML the interface is built in.
const SET_IN_INI: (SectionKind, &str, &str) = (
    SectionKind::RpcInterface,
    "supervisor.rpcinterface_factory",
    "supervisor.rpcinterface:make_main_rpcinterface",
);

const INI_INTRODUCTION: &str = "\
; Sample supervisor config file.
;
; A line that starts with a semicolon is a comment. So is the rest of a line from a semicolon on
; that follows a space: write \"a;b\", never \"a ;b\", in a value.
; %(ENV_HOME)s in a value stands for the environment variable HOME, %% for a percent sign,
; and a value continues on the next line if that is indented.
; Options behind a semicolon show their defaults or, where there is none, an example.
";

const TOML_INTRODUCTION: &str = "\
# Sample supervisor config file in TOML.
#
# %(ENV_HOME)s in a text stands for the environment variable HOME, %% for a percent sign.
# Every option takes the text that it takes in a supervisord.conf, too; lists may be arrays, and
# environment a table.
# Options behind a # show their defaults or, where there is none, an example.
";

/// Forms that differ between the documentation in INI and in TOML.
const FORMS: [(&str, &str); 3] = [
    (":NAME]", ".NAME]"),
    ("A=\"1\",B=\"2\"", "{ A = \"1\", B = \"2\" }"),
    ("patterns, separated by spaces or line breaks", "patterns"),
];

/// The column of the remark after an option.
const REMARK_COLUMN: usize = 40;

/// The output of `echo_supervisord_conf`. Dockerfiles edit that output with `sed` and `grep`, so every line
/// of Supervisor's file that is not prose is here on the same line, spelled the same up to its remark.
pub const SUPERVISOR_SAMPLE: &str = include_str!("echo_supervisord_conf.ini");

/// A commented configuration that works unchanged.
#[must_use]
pub fn sample(language: Language) -> String {
    let introduction = match language {
        Language::Ini => INI_INTRODUCTION,
        Language::Toml => TOML_INTRODUCTION,
    };
    let sections = TABLE.iter().filter(|section| !section.options.is_empty());
    let sections = sections.map(|section| section_text(section, language));
    std::iter::once(introduction.to_owned()).chain(sections).collect()
}

fn section_text(section: &SectionDoc, language: Language) -> String {
    let comment = comment(language);
    let is_set = set(language).any(|(kind, ..)| kind == section.kind);
    let mark = if is_set { "" } else { comment };
    let header =
        format!("\n{comment} {}\n{mark}[{}]\n", doc(section.doc, language), header_name(section, language));
    std::iter::once(header)
        .chain(section.options.iter().map(|option| option_line(section.kind, option, language)))
        .collect()
}

fn set(language: Language) -> impl Iterator<Item = (SectionKind, &'static str, &'static str)> {
    let in_ini = (language == Language::Ini).then_some(SET_IN_INI);
    SET.into_iter().chain(in_ini)
}

fn comment(language: Language) -> &'static str {
    match language {
        Language::Ini => ";",
        Language::Toml => "#",
    }
}

fn header_name(section: &SectionDoc, language: Language) -> String {
    let instance = match section.kind {
        SectionKind::RpcInterface => "supervisor",
        SectionKind::FcgiProgram => "php",
        SectionKind::EventListener => "alarm",
        SectionKind::Group => "site",
        _ => "web",
    };
    match (section.naming, language) {
        (Naming::Required, Language::Ini) => format!("{}:{instance}", section.name),
        (Naming::Required, Language::Toml) => format!("{}.{instance}", section.name),
        (Naming::Single | Naming::Optional, _) => section.name.to_owned(),
    }
}

fn option_line(kind: SectionKind, option: &OptionDoc, language: Language) -> String {
    let is_this = |&(known, name, _): &(SectionKind, &str, &str)| known == kind && name == option.name;
    let comment = comment(language);
    let (mark, value) = match (set(language).find(is_this), option.default) {
        (Some((_, _, value)), _) => ("", value),
        (None, DefaultValue::Is(value) | DefaultValue::Unset(value) | DefaultValue::Required(value)) => {
            (comment, value)
        }
    };
    let assignment = match language {
        Language::Ini => format!("{mark}{}={value}", option.example_key()),
        Language::Toml => {
            format!("{mark}{} = {}", toml_key(&option.example_key()), toml_value(option.value, value))
        }
    };
    format!("{assignment:REMARK_COLUMN$} {comment} {}\n", doc(&option.remark(), language))
}

fn doc(text: &str, language: Language) -> String {
    let forms = match language {
        Language::Ini => &[][..],
        Language::Toml => &FORMS,
    };
    forms.iter().fold(text.to_owned(), |text, (ini, toml)| text.replace(ini, toml))
}

fn toml_key(name: &str) -> String {
    if name.contains('.') { toml_text(name) } else { name.to_owned() }
}

/// A value in the natural TOML type; a value without one is a string.
pub(super) fn toml_value(kind: ValueType, value: &str) -> String {
    let is_number = value.parse::<i64>().is_ok();
    let is_bare = match kind {
        ValueType::Boolean | ValueType::AutoRestart => matches!(value, "true" | "false"),
        ValueType::Integer
        | ValueType::Retries
        | ValueType::Size
        | ValueType::Address
        | ValueType::Count
        | ValueType::Seconds => is_number || kind == ValueType::Seconds && value.parse::<f64>().is_ok(),
        _ => false,
    };
    match kind {
        _ if is_bare => value.to_owned(),
        ValueType::Octal if is_number => format!("0o{}", value.trim_start_matches('0')),
        ValueType::ExitCodes => format!("[{}]", value.replace(',', ", ")),
        ValueType::List | ValueType::Files | ValueType::Dependencies => {
            toml_array(value.split(',').map(str::trim))
        }
        ValueType::Checks => toml_array(value.split('\n')),
        ValueType::Globs => toml_array(value.split_whitespace()),
        ValueType::Pairs if value.is_empty() => "{}".to_owned(),
        _ => toml_text(value),
    }
}

fn toml_array<'v>(items: impl Iterator<Item = &'v str>) -> String {
    let items: Vec<_> = items.filter(|item| !item.is_empty()).map(toml_text).collect();
    format!("[{}]", items.join(", "))
}

fn toml_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Language; 2] = [Language::Ini, Language::Toml];

    #[test]
    fn starts_with_the_line_that_people_look_for() {
        for language in BOTH {
            assert!(sample(language).lines().next().unwrap().contains("Sample supervisor config file"));
        }
    }

    fn set_lines(language: Language) -> Vec<String> {
        let is_set = |line: &&str| !line.is_empty() && !line.starts_with(comment(language));
        let bare = |line: &str| line.split(['#', ';']).next().unwrap().trim_end().to_owned();
        sample(language).lines().filter(is_set).map(bare).collect()
    }

    #[test]
    fn supervisors_sample_sets_what_supervisor_does() {
        let is_set = |line: &&str| !line.is_empty() && !line.starts_with(';');
        let set = SUPERVISOR_SAMPLE.lines().filter(is_set);
        let set: Vec<_> = set.map(|line| line.split(" ;").next().unwrap().trim_end()).collect();
        assert_eq!(
            set,
            [
                "[unix_http_server]",
                "file=/tmp/supervisor.sock",
                "[supervisord]",
                "logfile=/tmp/supervisord.log",
                "logfile_maxbytes=50MB",
                "logfile_backups=10",
                "loglevel=info",
                "pidfile=/tmp/supervisord.pid",
                "nodaemon=false",
                "silent=false",
                "minfds=1024",
                "minprocs=200",
                "[rpcinterface:supervisor]",
                "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
                "[supervisorctl]",
                "serverurl=unix:///tmp/supervisor.sock",
            ]
        );
    }

    #[test]
    fn sets_what_a_client_needs_and_nothing_else() {
        assert_eq!(
            set_lines(Language::Ini),
            [
                "[unix_http_server]",
                "file=/tmp/supervisor.sock",
                "[supervisord]",
                "logfile=/tmp/supervisord.log",
                "pidfile=/tmp/supervisord.pid",
                "[rpcinterface:supervisor]",
                "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
                "[supervisorctl]",
                "serverurl=unix:///tmp/supervisor.sock",
            ]
        );
        assert_eq!(
            set_lines(Language::Toml),
            [
                "[unix_http_server]",
                "file = \"/tmp/supervisor.sock\"",
                "[supervisord]",
                "logfile = \"/tmp/supervisord.log\"",
                "pidfile = \"/tmp/supervisord.pid\"",
                "[supervisorctl]",
                "serverurl = \"unix:///tmp/supervisor.sock\"",
            ]
        );
    }

    #[test]
    fn lines_fit_a_screen() {
        for line in BOTH.map(sample).concat().lines() {
            assert!(line.len() <= 120, "{line}");
        }
    }

    #[test]
    fn shows_every_option() {
        for section in TABLE {
            for option in section.options.iter() {
                let key = option.example_key();
                assert!(sample(Language::Ini).contains(&format!("{key}=")), "{key}");
                let assignment = format!("{} = ", toml_key(&key));
                assert!(sample(Language::Toml).contains(&assignment), "{assignment}");
                assert!(!option.doc.is_empty(), "{} says what it is for", option.name);
                assert!(
                    sample(Language::Ini).contains(&format!(" ; {}\n", option.remark())),
                    "{}",
                    option.name
                );
            }
        }
    }

    #[test]
    fn forms_are_those_of_the_language() {
        let both = BOTH.map(sample);
        for (ini, toml) in FORMS {
            assert!(both[0].contains(ini) && !both[1].contains(ini), "{ini}");
            assert!(both[1].contains(toml), "{toml}");
        }
    }

    #[test]
    fn values_have_the_types_that_people_write() {
        for (kind, value, expected) in [
            (ValueType::Boolean, "false", "false"),
            (ValueType::AutoRestart, "unexpected", "\"unexpected\""),
            (ValueType::Size, "50MB", "\"50MB\""),
            (ValueType::Size, "0", "0"),
            (ValueType::Octal, "0700", "0o700"),
            (ValueType::ExitCodes, "0,2", "[0, 2]"),
            (ValueType::List, "a,b", "[\"a\", \"b\"]"),
            (ValueType::Globs, "a b/*.ini", "[\"a\", \"b/*.ini\"]"),
            (ValueType::Pairs, "", "{}"),
            (ValueType::Text, "a \"b\" \\", "\"a \\\"b\\\" \\\\\""),
        ] {
            assert_eq!(toml_value(kind, value), expected);
        }
    }
}
