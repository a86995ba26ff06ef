//! The source line of a finding, and the part of it to point at.
//!
//! A finding only has a file, a line number, the option and its value, so this works for any language with
//! `key = value` lines. The file is read again; if it has changed, the line is shown as it is now or not at
//! all.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::findings::Finding;
use super::secrecy::{HIDDEN, is_secret, known_option, names_secret};
use crate::config::Machine;
use crate::model::is_direction_mark;

/// The maximum number of characters shown of a line.
const SHOWN_CHARS_MAX: usize = 160;

/// The number of characters before the marked part, in a longer line.
const LEAD_CHARS: usize = 40;

/// The maximum number of lines in which a part of a value is searched.
const VALUE_LINES_MAX: usize = 100;

/// A line to show.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// The number in its file, from 1; `None` for an environment variable.
    pub(super) line: Option<usize>,
    /// The column of the marked part, in characters from 1, in the line of the file.
    pub(super) column: usize,
    /// Printable: without tabs and control characters.
    pub(super) text: String,
    /// The terminal columns before the marked part, and its width in columns.
    pub(super) caret: (usize, usize),
}

/// The lines of the files with findings; each file is read once.
pub(super) struct Texts<'a> {
    machine: &'a dyn Machine,
    files: HashMap<PathBuf, Vec<String>>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(machine: &'a dyn Machine) -> Self {
        Self { machine, files: HashMap::new() }
    }

    /// The line of a finding, if it can be shown.
    pub(super) fn excerpt(&mut self, finding: &Finding) -> Option<Excerpt> {
        if let Some(name) = &finding.variable {
            return of_variable(finding, name, self.machine);
        }
        let Self { machine, files } = self;
        let file = finding.file.as_deref()?;
        of_line(finding, lines_of(files, file, || machine.read(file).unwrap_or_default()))
    }
}

/// The lines of a file, which is read on first use.
fn lines_of<'f>(
    files: &'f mut HashMap<PathBuf, Vec<String>>,
    file: &Path,
    read: impl FnOnce() -> Vec<u8>,
) -> &'f [String] {
    files.entry(file.to_owned()).or_insert_with(|| {
        let bytes = read();
        let text = String::from_utf8_lossy(&bytes);
        lines(&text).into_iter().map(str::to_owned).collect()
    })
}

/// Splits lines as the configuration does.
fn lines(text: &str) -> Vec<&str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r')).collect()
}

/// `NAME=value`; the value is shown only if the variable has an effect, since otherwise it may be anything.
fn of_variable(finding: &Finding, name: &str, machine: &dyn Machine) -> Option<Excerpt> {
    let (_, value) = machine.environment().iter().find(|(known, _)| known == name)?;
    if finding.option.is_none() {
        return Some(Excerpt::new(None, name, 0..name.len()));
    }
    let is_file = finding.value.is_none() && name.ends_with("_FILE");
    let value = if is_secret(finding) && !is_file { HIDDEN } else { value };
    let line = format!("{name}={}", value.lines().next().unwrap_or_default());
    let whole = name.len() + 1..line.len();
    let part = parts(finding).into_iter().find_map(|part| find_word(&line, &whole, &part));
    Some(Excerpt::new(None, &line, part.unwrap_or(whole)))
}

fn of_line<L: AsRef<str>>(finding: &Finding, lines: &[L]) -> Option<Excerpt> {
    let number = finding.line?;
    let line = lines.get(number.checked_sub(1)?)?.as_ref();
    let whole = trimmed(line, 0..line.len());
    let Some(option) = &finding.option else { return Some(of_whole_line(finding, number, line, whole)) };
    let Some((key, value)) = key_and_value(line, option) else {
        return Some(of_whole_line(finding, number, line, header(line, &whole)));
    };
    if is_secret(finding) || names_secret(&line[key.clone()]) {
        let (shown, span) = (format!("{}{HIDDEN}", &line[..value.start]), value.start);
        let pointed = if known_option(finding).is_none() { key } else { span..span + HIDDEN.len() };
        return Some(Excerpt::new(Some(number), &shown, pointed));
    }
    if known_option(finding).is_none() {
        return Some(Excerpt::new(Some(number), line, key));
    }
    let after = lines.get(number..).unwrap_or_default().iter().map(AsRef::as_ref).take(VALUE_LINES_MAX);
    let after = after.take_while(|line: &&str| line.trim().is_empty() || line.starts_with([' ', '\t', ']']));
    let (first, value) = ((number, line, value.clone()), own_value(finding, line, value));
    let all = std::iter::once(first)
        .chain(after.enumerate().map(|(nth, line): (usize, &str)| (number + 1 + nth, line, 0..line.len())));
    let all: Vec<_> = all.collect();
    let found = parts(finding).into_iter().find_map(|part| {
        all.iter().find_map(|(number, line, span)| Some((*number, *line, find_word(line, span, &part)?)))
    });
    let (number, line, span) = found.unwrap_or((number, line, value));
    Some(Excerpt::new(Some(number), line, span))
}

/// A header, or a line that could not be parsed and may still be a secret.
fn of_whole_line(finding: &Finding, number: usize, line: &str, span: Range<usize>) -> Excerpt {
    let is_header = line[span.clone()].starts_with('[');
    if !is_header && names_secret(line) {
        return Excerpt::new(Some(number), HIDDEN, 0..HIDDEN.len());
    }
    let span = if is_header && finding.section.is_some() { header(line, &span) } else { span };
    let part = finding.part.as_ref().and_then(|part| find_word(line, &span, part));
    Excerpt::new(Some(number), line, part.unwrap_or(span))
}

/// `[x]` without the text after it.
fn header(line: &str, span: &Range<usize>) -> Range<usize> {
    let text = &line[span.clone()];
    match text.rfind(']').filter(|_| text.starts_with('[')) {
        Some(end) => span.start..span.start + end + 1,
        None => span.clone(),
    }
}

/// The ranges of key and value of `key = value`, if the line sets this key. TOML keys may be quoted and
/// dotted.
fn key_and_value(line: &str, option: &str) -> Option<(Range<usize>, Range<usize>)> {
    let sign = line.find(['=', ':'])?;
    let key = trimmed(line, 0..sign);
    let bare = line[key.clone()].to_lowercase();
    let last = bare.rsplit('.').next().unwrap_or(&bare);
    let is_it = [bare.as_str(), last].into_iter().any(|key| key.trim_matches(['"', '\'']) == option);
    is_it.then(|| (key, trimmed(line, sign + 1..line.len())))
}

/// The value without a trailing comment, if the line contains it as it was read.
fn own_value(finding: &Finding, line: &str, span: Range<usize>) -> Range<usize> {
    let text = &line[span.clone()];
    let read = finding.value.as_deref().and_then(|value| value.lines().next());
    if let Some(read) = read.filter(|read| !read.is_empty() && text.starts_with(read)) {
        return span.start..span.start + read.len();
    }
    let comment = text.find(" ;").or_else(|| text.find(" #")).unwrap_or(text.len());
    trimmed(line, span.start..span.start + comment)
}

/// Candidates for the part to mark, best first: the known part, then the quotations of the message, the last
/// one first since it is the most specific.
fn parts(finding: &Finding) -> Vec<String> {
    let quoted = quotations(&finding.message).into_iter().rev();
    finding.part.clone().into_iter().chain(quoted).filter(|part| !part.is_empty()).collect()
}

/// The texts in quotes; the apostrophe of `don't` is not a quote.
fn quotations(message: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = message;
    let mut before = None;
    while let Some(start) = rest.find(['\'', '"']) {
        let quote = if rest[start..].starts_with('\'') { '\'' } else { '"' };
        let after = &rest[start + 1..];
        let is_open = rest[..start].chars().next_back().or(before).is_none_or(|c| !c.is_alphanumeric());
        let closing =
            |&(at, _): &(usize, &str)| after[at + 1..].chars().next().is_none_or(|c| !c.is_alphanumeric());
        let end = after.match_indices(quote).find(closing).filter(|_| is_open);
        let next = end.map_or(0, |(at, _)| {
            found.push(after[..at].to_owned());
            at + 1
        });
        (rest, before) = (&after[next..], Some(quote));
    }
    found
}

/// The range of a text in a part of a line, as a whole word.
fn find_word(line: &str, span: &Range<usize>, word: &str) -> Option<Range<usize>> {
    let text = &line[span.clone()];
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let is_whole = |&(at, _): &(usize, &str)| {
        let before = text[..at].chars().next_back().is_some_and(is_part);
        let after = text[at + word.len()..].chars().next().is_some_and(is_part);
        !(before && word.starts_with(is_part) || after && word.ends_with(is_part))
    };
    let (at, _) = text.match_indices(word).find(is_whole)?;
    Some(span.start + at..span.start + at + word.len())
}

fn trimmed(line: &str, span: Range<usize>) -> Range<usize> {
    let text = &line[span.clone()];
    let start = span.start + (text.len() - text.trim_start().len());
    start..start + text.trim().len()
}

impl Excerpt {
    fn new(line: Option<usize>, text: &str, span: Range<usize>) -> Self {
        let column = 1 + text[..span.start].chars().count();
        let (cut_start, cut_end) = window(text, &span);
        let end = span.end.clamp(span.start, cut_end);
        let before = printable(&text[cut_start..span.start]);
        let pointed = printable(&text[span.start..end]);
        let after = printable(&text[end..cut_end]);
        let [head, tail] = [cut_start > 0, cut_end < text.len()].map(|is_cut| if is_cut { "…" } else { "" });
        let caret = ((head.to_owned() + &before).width(), pointed.width().max(1));
        let text = format!("{head}{before}{pointed}{after}{tail}").trim_end().to_owned();
        Self { line, column, text, caret }
    }
}

/// The range of a line that is shown.
fn window(text: &str, span: &Range<usize>) -> (usize, usize) {
    let start = match text[..span.start].char_indices().rev().nth(LEAD_CHARS) {
        Some((at, _)) if text.chars().nth(SHOWN_CHARS_MAX).is_some() => at,
        _ => 0,
    };
    let end = text[start..].char_indices().nth(SHOWN_CHARS_MAX).map_or(text.len(), |(at, _)| start + at);
    (start, end)
}

/// Expands tabs to four columns and replaces characters that a terminal would interpret.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        match c {
            '\t' => shown.push_str("    "),
            // Characters without a width, or that change the direction of text, could hide part of the line.
            c if c.is_control() || c.width().is_none() || is_direction_mark(c) => shown.push('\u{fffd}'),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::super::findings::Severity;
    use super::*;

    fn finding(section: &str, option: Option<&str>, message: &str) -> Finding {
        Finding {
            severity: Severity::Error,
            message: message.to_owned(),
            suggestion: None,
            file: Some("/x".into()),
            line: Some(1),
            variable: None,
            section: Some(section.to_owned()),
            option: option.map(str::to_owned),
            value: None,
            part: None,
        }
    }

    /// The excerpt with the carets below it.
    fn drawn(finding: &Finding, text: &str) -> String {
        let Some(excerpt) = of_line(finding, &lines(text)) else { return "nothing".to_owned() };
        let (before, width) = excerpt.caret;
        format!("{}\n{}{}", excerpt.text, " ".repeat(before), "^".repeat(width))
    }

    #[test]
    fn carets_point_at_the_relevant_part() {
        let program = |option: &str, message: &str| finding("program:x", Some(option), message);
        for (finding, text, expected) in [
            (program("autorestrat", "unknown option"), "autorestrat=1", "autorestrat=1\n^^^^^^^^^^^"),
            (
                program("autostart", "bad: 'maybe'"),
                "autostart = maybe ; x",
                "autostart = maybe ; x\n            ^^^^^",
            ),
            (
                program("autostart", "bad: 'maybe'"),
                "  AutoStart: maybe",
                "  AutoStart: maybe\n             ^^^^^",
            ),
            (program("autostart", "nothing quoted"), "autostart=a b ; c", "autostart=a b ; c\n          ^^^"),
            (program("autostart", "bad: ''"), "autostart=", "autostart=\n          ^"),
            (program("autostart", "bad: 'é'"), "\tautostart=ü é", "    autostart=ü é\n                ^"),
            (program("command", "bad: 'b'"), "command=日本 b", "command=日本 b\n             ^"),
            (program("command", "bad: '日本'"), "command=日本 b", "command=日本 b\n        ^^^^"),
            (program("command", "bad: 'b'"), "command=ab b", "command=ab b\n           ^"),
            (program("command", "can't find 'z'"), "command=a\n  y\n  z # no", "  z # no\n  ^"),
            (program("command", "can't find 'z'"), "command=a\nuser=z", "command=a\n        ^"),
            (program("command", "missing"), "[program:x]", "[program:x]\n^^^^^^^^^^^"),
            (
                program("numprocs", "bad: 'x'"),
                "program.x.\"numprocs\" = 'x'",
                "program.x.\"numprocs\" = 'x'\n                        ^",
            ),
            (finding("program:x", None, "no command"), " [program:x] ; y", " [program:x] ; y\n ^^^^^^^^^^^"),
            (finding("x", None, "odd"), "odd \x1b[31m line", "odd \u{fffd}[31m line\n^^^^^^^^^^^^^^"),
        ] {
            assert_eq!(drawn(&finding, text), expected, "{text}");
        }
        let beyond = Finding { line: Some(9), ..finding("x", None, "") };
        assert_eq!(drawn(&beyond, "a"), "nothing");
    }

    #[test]
    fn marks_of_direction_are_replaced() {
        let marks = ['\u{61c}', '\u{200e}', '\u{200f}'].into_iter();
        for mark in marks.chain('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}') {
            assert_eq!(printable(&format!("a{mark}b")), "a\u{fffd}b", "{mark:?}");
        }
    }

    #[test]
    fn a_file_is_read_once_for_all_its_findings() {
        let mut files = HashMap::new();
        let mut reads = 0;
        for _ in 0..3 {
            let lines = lines_of(&mut files, Path::new("/x"), || {
                reads += 1;
                b"a\nb".to_vec()
            });
            assert_eq!(lines, ["a", "b"]);
        }
        assert_eq!(reads, 1);
    }

    #[test]
    fn a_known_part_takes_precedence_over_quotations() {
        let whole = finding("program:x", Some("command"), "'a' has 'b'");
        let part = Finding { part: Some("%(c)".to_owned()), ..whole };
        assert_eq!(drawn(&part, "command=a b %(c)s"), "command=a b %(c)s\n            ^^^^");
        assert_eq!(quotations("can't 'a b' \"don't\" x'y 'c"), ["a b", "don't"]);
    }

    #[test]
    fn secrets_do_not_show() {
        let secret = finding("unix_http_server", Some("password"), "bad");
        assert_eq!(drawn(&secret, "password = geheim"), "password = (hidden)\n           ^^^^^^^^");
        let slip = finding("unix_http_server", Some("passwrod"), "unknown");
        let slip = Finding { suggestion: Some("password".to_owned()), ..slip };
        assert_eq!(drawn(&slip, "passwrod=geheim"), "passwrod=(hidden)\n^^^^^^^^");
        assert_eq!(drawn(&finding("x", None, "bad"), "password geheim"), "(hidden)\n^^^^^^^^");
        let pairs = finding("program:x", Some("environment"), "bad");
        let pairs = Finding { value: Some("DB_PASSWORD=geheim".to_owned()), ..pairs };
        assert!(!drawn(&pairs, "environment=DB_PASSWORD=geheim").contains("geheim"));
    }

    #[test]
    fn long_lines_are_cut() {
        let text = format!("command={}nope{}", "a ".repeat(10_000), " b".repeat(10_000));
        let drawn = drawn(&finding("program:x", Some("command"), "can't find 'nope'"), &text);
        let (line, carets) = drawn.split_once('\n').unwrap();
        assert!(line.chars().count() <= SHOWN_CHARS_MAX + 2, "{line}");
        assert_eq!((line.chars().next(), carets.trim()), (Some('…'), "^^^^"));
        let at = carets.chars().count() - 4;
        assert_eq!(line.chars().skip(at).take(4).collect::<String>(), "nope");
    }
}
