//! Effective settings as a configuration: options that are set as such, all others after a semicolon, and the
//! origin of each as a comment.
//!
//! The output is an equivalent configuration: defaults stay defaults.

use unicode_width::UnicodeWidthStr;

use super::effective::{Effective, EffectiveOption, EffectiveSection, EffectiveValue, ValueOrigin};
use super::excerpt::printable;
use super::secrecy::HIDDEN;
use super::shown;
use crate::config::options::SectionKind;

/// The maximum column of origins, unless the line is longer.
const ORIGIN_COLUMN_MAX: usize = 48;

/// The indent of continuation lines.
const INDENT: &str = "    ";

/// All sections; if `changed`, without defaults.
pub(super) fn text(found: &Effective, changed: bool) -> String {
    let sections = &found.sections;
    let lines: Vec<Vec<OptionLine>> = sections.iter().map(|section| lines(section, changed)).collect();
    let widths = lines.iter().flatten().map(|line| line.assignment.width() + 2);
    let column = widths.filter(|&width| width <= ORIGIN_COLUMN_MAX).max().unwrap_or_default();
    // A configuration must have a [supervisord], even an empty one, and groups may be empty.
    let is_wanted = |section: &EffectiveSection, lines: &[OptionLine]| {
        let counts_empty = matches!(section.kind, SectionKind::Supervisord | SectionKind::Group);
        !changed || !lines.is_empty() || counts_empty
    };
    let shown = sections.iter().zip(lines).filter(|(section, lines)| is_wanted(section, lines));
    let shown: Vec<String> = shown
        .map(|(section, lines)| {
            let lines: String = lines.iter().map(|line| line.text(column)).collect();
            format!("{}[{}]\n{lines}", mark(section), printable_value(&section.name))
        })
        .collect();
    let head = if found.is_fragment { FRAGMENT } else { "" };
    format!("{head}{}", shown.join("\n"))
}

const FRAGMENT: &str = "; The file is a part of a configuration: it has no [supervisord].\n";

/// Included files are part of the output, so nothing may be included again.
fn mark(section: &EffectiveSection) -> &'static str {
    if section.kind == SectionKind::Include { ";" } else { "" }
}

/// An option with its value.
struct OptionLine {
    /// Preceded by a semicolon if it is not set.
    assignment: String,
    origin: String,
    /// The continuation lines of its value.
    continued: Vec<String>,
}

fn lines(section: &EffectiveSection, changed: bool) -> Vec<OptionLine> {
    let options = section.options.iter();
    let wanted = options.filter(|option| !changed || option.origin != ValueOrigin::Default);
    wanted.map(|option| line(option, section)).collect()
}

fn line(option: &EffectiveOption, section: &EffectiveSection) -> OptionLine {
    let (mark, value) = match (&option.value, &option.origin) {
        (EffectiveValue::Unset, _) => (";", String::new()),
        // A user of the output has that variable, or gets an error that names it.
        (EffectiveValue::Hidden, ValueOrigin::File { path, line }) => {
            let variable = variable(&section.name, &option.name);
            let place = format!("{}:{line}", shown(path)).replace([')', '%'], "_");
            (mark(section), format!("%(ENV_{variable}:?{} of {place} is not shown)s", option.name))
        }
        (EffectiveValue::Hidden, _) => (";", HIDDEN.to_owned()),
        (EffectiveValue::Is(text), ValueOrigin::Default) => (";", text.clone()),
        (EffectiveValue::Is(text), _) => (mark(section), ini_text(text)),
    };
    let mut lines = value.split('\n');
    let first = lines.next().unwrap_or_default();
    OptionLine {
        assignment: format!("{mark}{}={}", option.name, printable_value(first)),
        origin: origin(option),
        continued: lines.map(|line| format!("{mark}{INDENT}{}", printable_value(line))).collect(),
    }
}

/// The variable that sets an option: `SV_UNIX_HTTP_SERVER_PASSWORD`.
fn variable(section: &str, option: &str) -> String {
    let name = format!("SV_{section}_{option}").to_uppercase();
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// Expands to nothing. It separates texts that would mean something else if they were adjacent.
const NOTHING: &str = "%(here).0s";

/// Escapes a value for a file: a space before a semicolon or hash would begin a comment, and leading and
/// trailing spaces would be lost.
fn ini_text(value: &str) -> String {
    let mut text = String::new();
    for (index, c) in value.char_indices() {
        let before = value[..index].chars().next_back();
        if matches!(c, ';' | '#') && before.is_some_and(char::is_whitespace) {
            text.push_str(NOTHING);
        }
        text.push(c);
    }
    let is_space = |c: Option<char>| c.is_some_and(char::is_whitespace);
    let head = if is_space(value.chars().next()) { NOTHING } else { "" };
    let tail = if is_space(value.chars().next_back()) { NOTHING } else { "" };
    format!("{head}{text}{tail}")
}

/// Keeps tabs, which are part of a value.
fn printable_value(line: &str) -> String {
    line.split('\t').map(printable).collect::<Vec<_>>().join("\t")
}

fn origin(option: &EffectiveOption) -> String {
    let from = option.inherited_from.as_ref().map(|name| format!("[{name}] ")).unwrap_or_default();
    match &option.origin {
        ValueOrigin::File { path, line } => format!("{from}{}:{line}", shown(path)),
        ValueOrigin::Variable(name) => format!("{from}{name}"),
        ValueOrigin::Flag(spelled) => spelled.clone(),
        ValueOrigin::Default if option.value == EffectiveValue::Unset => "not set".to_owned(),
        ValueOrigin::Default => "default".to_owned(),
    }
}

impl OptionLine {
    fn text(&self, column: usize) -> String {
        let gap = column.saturating_sub(self.assignment.width()).max(2);
        let continued: String = self.continued.iter().map(|line| format!("{line}\n")).collect();
        format!("{}{}; {}\n{continued}", self.assignment, " ".repeat(gap), self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(name: &str, value: EffectiveValue, origin: ValueOrigin) -> EffectiveOption {
        EffectiveOption { name: name.to_owned(), value, origin, inherited_from: None }
    }

    fn of(section: EffectiveSection) -> Effective {
        Effective { sections: vec![section], is_fragment: false }
    }

    #[test]
    fn values_that_a_file_would_read_otherwise_are_kept_apart() {
        for (value, expected) in [
            ("a;b#c", "a;b#c"),
            ("sh -c 'a ; b'", "sh -c 'a %(here).0s; b'"),
            ("a\n;b", "a\n%(here).0s;b"),
            (" a ", "%(here).0s a %(here).0s"),
            ("", ""),
        ] {
            assert_eq!(ini_text(value), expected);
        }
    }

    #[test]
    fn hidden_values_of_files_are_references() {
        let origin = ValueOrigin::File { path: "/etc/x.conf".into(), line: 3 };
        let options = vec![option("password", EffectiveValue::Hidden, origin)];
        let name = "unix_http_server:my-x".to_owned();
        let section = EffectiveSection { name, kind: SectionKind::UnixHttpServer, options };
        let expected = "[unix_http_server:my-x]\npassword=%(ENV_SV_UNIX_HTTP_SERVER_MY_X_PASSWORD:?password of \
            /etc/x.conf:3 is not shown)s  ; /etc/x.conf:3\n";
        assert_eq!(text(&of(section), false), expected);
    }

    #[test]
    fn origins_are_aligned_after_the_options() {
        let is = |text: &str| EffectiveValue::Is(text.to_owned());
        let file = || ValueOrigin::File { path: "/etc/x.conf".into(), line: 3 };
        let inherited = EffectiveOption {
            inherited_from: Some("program-default".to_owned()),
            ..option("user", is("www"), file())
        };
        let options = vec![
            option("command", is("a\nb"), file()),
            option("umask", EffectiveValue::Unset, ValueOrigin::Default),
            option("priority", is("999"), ValueOrigin::Default),
            option("password", EffectiveValue::Hidden, ValueOrigin::Variable("SV_X".to_owned())),
            option("loglevel", is("debug"), ValueOrigin::Flag("--loglevel".to_owned())),
            inherited,
        ];
        let section = EffectiveSection { name: "x".to_owned(), kind: SectionKind::Program, options };
        let expected = "[x]\n\
            command=a           ; /etc/x.conf:3\n    b\n\
            ;umask=             ; not set\n\
            ;priority=999       ; default\n\
            ;password=(hidden)  ; SV_X\n\
            loglevel=debug      ; --loglevel\n\
            user=www            ; [program-default] /etc/x.conf:3\n";
        let found = of(section);
        assert_eq!(text(&found, false), expected);
        let changed = text(&found, true);
        assert!(!changed.contains("priority") && changed.contains("user=www"), "{changed}");
    }

    #[test]
    fn included_files_are_not_included_again() {
        let files =
            option("files", EffectiveValue::Is("*.ini".to_owned()), ValueOrigin::Variable("V".to_owned()));
        let section =
            EffectiveSection { name: "include".to_owned(), kind: SectionKind::Include, options: vec![files] };
        assert_eq!(text(&of(section), false), ";[include]\n;files=*.ini  ; V\n");
    }
}
