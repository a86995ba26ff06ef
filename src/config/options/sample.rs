//! The sample file: the table, printed as a configuration.

use super::{DefaultValue, Naming, OptionDoc, SectionDoc, SectionKind, TABLE};

/// The options that the sample sets; all others are shown behind a semicolon. They make the smallest
/// configuration that the control client can talk to.
const SET: [(SectionKind, &str, &str); 5] = [
    (SectionKind::UnixHttpServer, "file", "/tmp/supervisor.sock"),
    (SectionKind::Supervisord, "logfile", "/tmp/supervisord.log"),
    (SectionKind::Supervisord, "pidfile", "/tmp/supervisord.pid"),
    (
        SectionKind::RpcInterface,
        "supervisor.rpcinterface_factory",
        "supervisor.rpcinterface:make_main_rpcinterface",
    ),
    (SectionKind::Supervisorctl, "serverurl", "unix:///tmp/supervisor.sock"),
];

const INTRODUCTION: &str = "\
; Sample supervisor config file.
;
; A line that starts with a semicolon is a comment. So is the rest of a line from a semicolon on
; that follows a space: write \"a;b\", never \"a ;b\", in a value.
; %(ENV_HOME)s in a value stands for the environment variable HOME, %% for a percent sign,
; and a value goes on in the next line when that is indented.
; Options behind a semicolon show their defaults or, where there is none, an example.
";

/// Where the remark behind an option starts.
const REMARK_COLUMN: usize = 40;

/// A commented configuration that works as it stands.
#[must_use]
pub fn sample() -> String {
    let sections = TABLE.iter().filter(|section| !section.options.is_empty());
    std::iter::once(INTRODUCTION.to_owned()).chain(sections.map(section_text)).collect()
}

fn section_text(section: &SectionDoc) -> String {
    let mark = if SET.iter().any(|&(kind, ..)| kind == section.kind) { "" } else { ";" };
    let header = format!("\n; {}\n{mark}[{}]\n", section.doc, header_name(section));
    std::iter::once(header)
        .chain(section.options.iter().map(|option| option_line(section.kind, option)))
        .collect()
}

fn header_name(section: &SectionDoc) -> String {
    let instance = match section.kind {
        SectionKind::RpcInterface => "supervisor",
        SectionKind::Group => "site",
        _ => "web",
    };
    if section.naming == Naming::Required {
        format!("{}:{instance}", section.name)
    } else {
        section.name.to_owned()
    }
}

fn option_line(kind: SectionKind, option: &OptionDoc) -> String {
    let set = SET.iter().find(|&&(known, name, _)| known == kind && name == option.name);
    let (mark, value) = match (set, option.default) {
        (Some(&(_, _, value)), _) => ("", value),
        (None, DefaultValue::Is(value) | DefaultValue::Unset(value) | DefaultValue::Required(value)) => {
            (";", value)
        }
    };
    let assignment = format!("{mark}{}={value}", option.name);
    format!("{assignment:REMARK_COLUMN$} ; {}\n", option.doc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_with_the_line_that_people_look_for() {
        assert!(sample().lines().next().unwrap().contains("Sample supervisor config file"));
    }

    #[test]
    fn sets_what_a_client_needs_and_nothing_else() {
        let sample = sample();
        let set = sample.lines().filter(|line| !line.is_empty() && !line.starts_with(';'));
        let set: Vec<_> = set.map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(
            set,
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
    }

    #[test]
    fn lines_fit_a_screen() {
        for line in sample().lines() {
            assert!(line.len() <= 110, "{line}");
        }
    }

    #[test]
    fn shows_every_option() {
        let sample = sample();
        for section in TABLE {
            for option in section.options {
                assert!(sample.contains(&format!("{}=", option.name)), "{}", option.name);
                assert!(!option.doc.is_empty(), "{} says what it is for", option.name);
                assert!(sample.contains(&format!(" ; {}\n", option.doc)), "{}", option.name);
            }
        }
    }
}
