//! `env_file=`: files of `NAME=value` lines, as container tools use them.
//!
//! A line is `NAME=value`, optionally preceded by `export`. A value in single quotes is taken literally; in
//! double quotes `\n`, `\t`, `\"`, `\\` and `\$` mean what they mean in a shell. A value without quotes ends
//! at ` #` and is trimmed. Lines that start with `#` are comments.
//! `$X` and `%(x)s` are not expanded: the content of a file may be a password.

use std::path::Path;

use crate::model::Environment;

use super::machine::FILE_BYTES_MAX;
use super::pairs::set;
use super::reader::SectionReader;
use super::values;

/// Before a path: the file may be missing.
const OPTIONAL: char = '-';

/// The variables of all files that the option names; later files override earlier ones.
///
/// A relative path is relative to the directory of the file that names it.
pub(crate) fn env_files(options: &mut SectionReader<'_, '_>) -> Environment {
    let mut found = Environment::new();
    let paths = options.items("env_file", values::list);
    for path in paths.iter().filter(|path| !path.is_empty()) {
        match read(path, options) {
            Ok(variables) => variables.into_iter().for_each(|(name, value)| set(&mut found, name, value)),
            Err(message) => options.error("env_file", message),
        }
    }
    found
}

fn read(path: &str, options: &SectionReader<'_, '_>) -> Result<Environment, String> {
    let machine = options.machine();
    let (path, is_optional) = path.strip_prefix(OPTIONAL).map_or((path, false), |path| (path, true));
    let path = Path::new(options.here("env_file")).join(path);
    if is_optional && !machine.exists(&path) {
        return Ok(Environment::new());
    }
    let cannot = |why: &str| format!("cannot read env_file '{}': {why}", path.display());
    let bytes = machine.read(&path).map_err(|error| cannot(&error.to_string()))?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(cannot("it is too large"));
    }
    let text = String::from_utf8(bytes).map_err(|_| cannot("it is not UTF-8"))?;
    parse(&text).map_err(|(line, why)| cannot(&format!("line {line}: {why}")))
}

/// The error is the line, from 1, and what is wrong with it; the line itself is omitted, since it may be a
/// secret.
fn parse(text: &str) -> Result<Environment, (usize, &'static str)> {
    let mut found = Environment::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rest = text;
    while !rest.is_empty() {
        let line = 1 + text[..text.len() - rest.len()].matches('\n').count();
        let (pair, after) = assignment(rest).map_err(|why| (line, why))?;
        if let Some((name, value)) = pair {
            set(&mut found, name, value);
        }
        rest = after;
    }
    Ok(found)
}

type Pair = (String, String);

/// The assignment in the next line, if it has one, and the rest of the text. A quoted value may span lines.
fn assignment(text: &str) -> Result<(Option<Pair>, &str), &'static str> {
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    let trimmed = line.trim();
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return Ok((None, after));
    }
    let (name, _) = trimmed.split_once('=').ok_or("it is no NAME=value")?;
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    let is_name = |c: char| !c.is_whitespace() && !c.is_control() && !"'\"$`".contains(c);
    if name.is_empty() || !name.chars().all(is_name) {
        return Err("it has no valid name before the '='");
    }
    let value = &text[line.find('=').map_or(0, |at| at + 1)..];
    let value = value.trim_start_matches([' ', '\t']);
    let (value, after) = match value.chars().next() {
        Some(quote @ ('\'' | '"')) => quoted(&value[1..], quote)?,
        _ => bare(value),
    };
    Ok((Some((name.to_owned(), value)), after))
}

/// Reads to the end of the line or to a comment in it.
fn bare(text: &str) -> (String, &str) {
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    let is_comment = |&(at, _): &(usize, &str)| at == 0 || line[..at].ends_with([' ', '\t']);
    let end = line.match_indices('#').find(is_comment).map_or(line.len(), |(at, _)| at);
    (line[..end].trim().to_owned(), after)
}

/// Reads to the closing quote; only a comment may follow it in its line.
fn quoted(text: &str, quote: char) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            let (line, after) = text[at + 1..].split_once('\n').unwrap_or((&text[at + 1..], ""));
            let remainder = line.trim();
            let is_done = remainder.is_empty() || remainder.starts_with('#');
            return if is_done { Ok((value, after)) } else { Err("something follows the closing quote") };
        }
        match (quote, c) {
            ('"', '\\') => {
                let escaped = chars.next().and_then(|(_, c)| unescaped(c));
                value.push(
                    escaped.ok_or("a backslash in double quotes stands before none of n r t \" $ ` \\")?,
                );
            }
            _ => value.push(c),
        }
    }
    Err("a quote is not closed")
}

fn unescaped(c: char) -> Option<char> {
    match c {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        '"' | '\\' | '$' | '`' => Some(c),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::fake::{Fake, MAIN};
    use super::super::load;
    use super::*;

    fn summary(variables: &Environment) -> String {
        variables.iter().map(|(name, value)| format!("<{name}={value}>")).collect()
    }

    #[test]
    fn lines_are_read() {
        for (text, expected) in [
            ("", ""),
            ("\u{feff}A=1\r\nB=2\r\n", "<A=1><B=2>"),
            ("# a comment\n\n  # another\nA=1", "<A=1>"),
            ("export A=1\n export B = x y ", "<A=1><B=x y>"),
            ("A=1\nA=2", "<A=2>"),
            ("A=\nB= # nothing\nC=a#b #c", "<A=><B=><C=a#b>"),
            ("A='x # \"y\" \\n $Z' # said\nB=1", "<A=x # \"y\" \\n $Z><B=1>"),
            ("A=\"x\\n\\t\\\"\\\\\\$é\"", "<A=x\n\t\"\\$é>"),
            ("A=\"1\n2\"\nB='3\n\n4'\nC=5", "<A=1\n2><B=3\n\n4><C=5>"),
            ("A=a=b,c;d%e%(f)s$G\na.b-c=1", "<A=a=b,c;d%e%(f)s$G><a.b-c=1>"),
            ("A=it's", "<A=it's>"),
        ] {
            assert_eq!(parse(text).map(|found| summary(&found)), Ok(expected.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn bad_lines_are_reported_by_number_without_content() {
        let stray = "a backslash in double quotes stands before none of n r t \" $ ` \\";
        for (text, line, why) in [
            ("A=1\nB", 2, "it is no NAME=value"),
            ("\n\n=1", 3, "it has no valid name before the '='"),
            ("A B=1", 1, "it has no valid name before the '='"),
            ("A=\"1\n2\"\nB='3", 3, "a quote is not closed"),
            ("A='1' 2", 1, "something follows the closing quote"),
            ("A=\"\\x\"", 1, stray),
            ("A=\"\\", 1, stray),
        ] {
            assert_eq!(parse(text), Err((line, why)), "{text:?}");
        }
    }

    #[test]
    fn files_lie_below_the_environment_option() {
        let text = "[supervisord]\nenv_file=all.env, -/nope.env\nenvironment=B=\"own\"\n\
            [program:x]\nenv_file=%(here)s/x.env\nenvironment=D=\"own\"\ncommand=a %(ENV_A)s %(ENV_C)s\n";
        let machine = Fake::main(text)
            .file("/etc/all.env", "A=1\nB=2\nPERCENT=100%")
            .file("/etc/x.env", "A=one\nC=3\nD=4");
        let settings = load(Path::new(MAIN), &[], &machine).unwrap();
        assert_eq!(summary(&settings.daemon.environment), "<A=1><B=own><PERCENT=100%>");
        let process = &settings.groups[0].processes[0];
        assert_eq!(summary(&process.environment), "<A=one><B=own><PERCENT=100%><C=3><D=own>");
        assert_eq!(process.command, "a one 3");
    }

    #[test]
    fn a_file_must_be_there_and_be_sound() {
        let text = "[supervisord]\n[program:x]\ncommand=a\nenv_file=no.env,bad.env\n";
        let machine = Fake::main(text).file("/etc/bad.env", "A=1\ngeheim\n");
        let errors = load(Path::new(MAIN), &[], &machine).unwrap_err();
        let place = "in section 'program:x' (file: '/etc/x.conf', line: 4, option: env_file)";
        assert_eq!(
            errors.to_string(),
            format!(
                "cannot read env_file '/etc/no.env': entity not found {place}\n\
                 cannot read env_file '/etc/bad.env': line 2: it is no NAME=value {place}"
            )
        );
    }
}
