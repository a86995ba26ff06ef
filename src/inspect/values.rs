//! Effective settings as a configuration: what is set as options, all else behind a semicolon, and
//! the origin of each as a comment.
//!
//! Read as a configuration it means the same: defaults stay defaults.

use unicode_width::UnicodeWidthStr;

use super::excerpt::printable;
use super::secrecy::HIDDEN;
use super::shown;
use crate::config::options::SectionKind;
use crate::config::{EffectiveOption, EffectiveSection, EffectiveValue, ValueOrigin};

/// Origins start no further to the right than this, but for those of longer lines.
const ORIGIN_COLUMN_MAX: usize = 48;

/// What continues a value.
const INDENT: &str = "    ";

/// All sections; without defaults if only what is `changed` is wanted.
pub(super) fn text(sections: &[EffectiveSection], changed: bool) -> String {
    let lines: Vec<Vec<Line>> = sections.iter().map(|section| lines(section, changed)).collect();
    let widths = lines.iter().flatten().map(|line| line.assignment.width() + 2);
    let column = widths.filter(|&width| width <= ORIGIN_COLUMN_MAX).max().unwrap_or_default();
    let told = sections.iter().zip(lines).filter(|(_, lines)| !changed || !lines.is_empty());
    let told: Vec<String> = told
        .map(|(section, lines)| {
            let lines: String = lines.iter().map(|line| line.text(column)).collect();
            format!("{}[{}]\n{lines}", mark(section), printable(&section.name))
        })
        .collect();
    told.join("\n")
}

/// What is included is shown, so nothing may be included once more.
fn mark(section: &EffectiveSection) -> &'static str {
    if section.kind == SectionKind::Include { ";" } else { "" }
}

/// An option.
struct Line {
    /// With a semicolon in front if it is not set.
    assignment: String,
    origin: String,
    /// The other lines of its value.
    continued: Vec<String>,
}

fn lines(section: &EffectiveSection, changed: bool) -> Vec<Line> {
    let options = section.options.iter();
    let wanted = options.filter(|option| !changed || option.origin != ValueOrigin::Default);
    wanted.map(|option| line(option, mark(section))).collect()
}

fn line(option: &EffectiveOption, mark: &str) -> Line {
    let (mark, value) = match (&option.value, &option.origin) {
        (EffectiveValue::Unset, _) => (";", ""),
        (EffectiveValue::Hidden, _) => (";", HIDDEN),
        (EffectiveValue::Is(text), ValueOrigin::Default) => (";", text.as_str()),
        (EffectiveValue::Is(text), _) => (mark, text.as_str()),
    };
    let mut lines = value.split('\n');
    let first = lines.next().unwrap_or_default();
    Line {
        assignment: format!("{mark}{}={}", option.name, printable(first)),
        origin: origin(option),
        continued: lines.map(|line| format!("{mark}{INDENT}{}", printable(line))).collect(),
    }
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

impl Line {
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

    #[test]
    fn origins_line_up_behind_the_options() {
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
        assert_eq!(text(std::slice::from_ref(&section), false), expected);
        let changed = text(&[section], true);
        assert!(!changed.contains("priority") && changed.contains("user=www"), "{changed}");
    }

    #[test]
    fn what_was_included_is_not_included_again() {
        let files =
            option("files", EffectiveValue::Is("*.ini".to_owned()), ValueOrigin::Variable("V".to_owned()));
        let section =
            EffectiveSection { name: "include".to_owned(), kind: SectionKind::Include, options: vec![files] };
        assert_eq!(text(&[section], false), ";[include]\n;files=*.ini  ; V\n");
    }
}
