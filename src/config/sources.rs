//! The files of a configuration: the main one and those that `[include]` names.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use crate::model::{LogLevel, Notice};

use super::document::{Document, Language, Misplaced, Origin};
use super::error::{Error, ErrorKind, Errors};
use super::expand::{NameValue, Names};
use super::ini::{self, BadLine, NotText, SyntaxError};
use super::machine::{FILE_BYTES_MAX, Machine};
use super::options::SectionKind;
use super::reader::SectionReader;
use super::reading::{Findings, Reading, Remark, Spot};
use super::toml;
use super::values;
use super::variables;
use crate::python::quote;

/// The maximum size of a TOML file. Its parser keeps every token and every error, so that random bytes take
/// two hundred times as much memory.
pub const TOML_BYTES_MAX: usize = 1 << 20;

/// The maximum number of included files.
pub const INCLUDED_FILES_MAX: usize = 10_000;

/// Reads the main file.
pub(super) fn read_main(path: &Path, machine: &dyn Machine) -> Result<Document, Errors> {
    let mut document = Document::default();
    let bytes = machine.read(path).map_err(|error| {
        let shown = path.display();
        let (message, remedy) = match error.kind() {
            io::ErrorKind::NotFound => (
                format!("could not find config file {shown}"),
                Some("check the path, or let `sv init` write a first configuration"),
            ),
            kind => {
                let remedy = match kind {
                    _ if machine.is_dir(path) => {
                        Some("name a file in it, or one that includes them: [include] files=*.conf")
                    }
                    io::ErrorKind::PermissionDenied => {
                        Some("run as root or as its owner, or let this user read it")
                    }
                    _ => None,
                };
                (format!("could not read config file {shown}: {error}"), remedy)
            }
        };
        Error { remedy, ..Error::about_file(ErrorKind::File, path, message) }
    })?;
    add(&mut document, path, &bytes, machine)?;
    Ok(document)
}

/// Reads the main file, then the included ones, which override it, then our variables, which override all of
/// them.
///
/// Errors in `[include]` itself are collected like others; a file that can't be parsed is an error at once.
pub(super) fn read_all(
    path: &Path,
    machine: &dyn Machine,
    host_node_name: &str,
    names: &Names<'_>,
) -> Result<(Document, Findings), Errors> {
    let mut document = read_main(path, machine)?;
    let findings = variables::apply(&mut document, machine, &|kind| kind == SectionKind::Include);
    let mut reading = Reading::new(&document, machine, host_node_name, findings);
    let patterns = patterns(&mut reading, names);
    let mut findings = reading.into_findings();
    let spot = include_spot(&document);
    let mut errors = Vec::new();
    for pattern in patterns {
        let found = machine.glob(&pattern);
        if found.is_empty() {
            let text = format!("No file matches via include \"{pattern}\"");
            let remark = Remark { spot: spot.clone(), ..Remark::new(LogLevel::Warn, text) };
            let message = match pattern.contains(',') {
                true => format!("{}: patterns are separated by spaces, not by commas", remark.message),
                false => remark.message.clone(),
            };
            findings.remarks.push(Remark { message, ..remark });
        }
        for path in found {
            match include(&mut document, &path, machine) {
                Ok(Notice { level, text }) => {
                    findings.remarks.push(Remark { spot: spot.clone(), ..Remark::new(level, text) });
                }
                Err(found) => errors.extend(found.0),
            }
        }
    }
    if !errors.is_empty() {
        return Err(Errors(errors));
    }
    // The server ignores the section of the client.
    let is_ours = |kind| !matches!(kind, SectionKind::Include | SectionKind::Supervisorctl);
    findings.extend(variables::apply(&mut document, machine, &is_ours));
    findings
        .errors
        .extend(document.misplaced().iter().map(|misplaced| misplaced_error(&document, misplaced)));
    Ok((document, findings))
}

/// The absolute patterns of `[include] files`, if there is such a section.
fn patterns<'a>(reading: &mut Reading<'a>, names: &Names<'_>) -> Vec<String> {
    let document: &'a Document = reading.document;
    let Some(section) = document.section("include") else { return Vec::new() };
    let names = Names::over(names).with("host_node_name", NameValue::Text(reading.host_node_name));
    let mut options = SectionReader::new(reading, section, SectionKind::Include, &names);
    if !options.is_set("files") {
        let ending = document.language().ending();
        options.section_error(format!("{ending} file has [include] section, but no files setting"));
    }
    let files = options.items("files", |text| text.split_whitespace().collect());
    let base = Path::new(&document.source(section.place).here);
    files.iter().map(|pattern| base.join(pattern).to_string_lossy().into_owned()).collect()
}

/// The position of the patterns.
fn include_spot(document: &Document) -> Option<Spot> {
    let section = document.section("include")?;
    let entry = document.entry(section, "files")?;
    Some(Spot::of(section, entry.place, Some("files")))
}

/// A match that can't be read is not an error. COMPAT: but it is reported.
fn include(document: &mut Document, path: &Path, machine: &dyn Machine) -> Result<Notice, Errors> {
    let shown = path.display();
    if document.source_count() > INCLUDED_FILES_MAX {
        let message = format!("more than {INCLUDED_FILES_MAX} files are included");
        return Err(Error::about_file(ErrorKind::File, path, message).into());
    }
    let bytes = match machine.read(path) {
        Ok(bytes) => bytes,
        Err(why) => {
            let text = format!("could not read included file \"{shown}\": {why}");
            return Ok(Notice { level: LogLevel::Warn, text });
        }
    };
    add(document, path, &bytes, machine)?;
    Ok(Notice { level: LogLevel::Info, text: format!("Included extra file \"{shown}\" during parsing") })
}

fn add(document: &mut Document, path: &Path, bytes: &[u8], machine: &dyn Machine) -> Result<(), Errors> {
    let language = Language::of(path);
    let bytes_max = match language {
        Language::Ini => FILE_BYTES_MAX,
        Language::Toml => TOML_BYTES_MAX,
    };
    if bytes.len() > bytes_max {
        let message = format!("config file {} has more than {bytes_max} bytes", path.display());
        return Err(Error::about_file(ErrorKind::File, path, message).into());
    }
    let here = values::absolute(path.parent().unwrap_or(path), machine);
    let file = document.add_file(path, here.to_string_lossy().into_owned());
    match language {
        Language::Ini => {
            ini::parse(bytes, file, document).map_err(|error| ini_error(path, bytes, &error).into())
        }
        Language::Toml => toml::parse(bytes, file, document).map_err(|error| toml_errors(path, bytes, error)),
    }
}

fn misplaced_error(document: &Document, misplaced: &Misplaced) -> Error {
    let Misplaced { place, section, option, message } = misplaced;
    let file = match &document.source(*place).origin {
        Origin::File(path) => Some(path.clone()),
        Origin::Variable(_) | Origin::CommandLine => None,
    };
    Error {
        file,
        line: Some(place.line),
        section: section.clone(),
        option: option.clone(),
        ..Error::new(ErrorKind::Value, message.clone())
    }
}

fn toml_errors(path: &Path, bytes: &[u8], error: toml::TomlSyntaxError) -> Errors {
    let describe = |toml::BadTomlLine { number, message, part, suggestion }: toml::BadTomlLine| {
        let file = quote(&path.to_string_lossy());
        let message = format!("not valid TOML: {message}");
        let bad_lines = vec![(number, Cow::Owned(message.clone()))];
        let message = format!("{message} (file: {file}, line: {number})");
        let error = Error::about_file(ErrorKind::Syntax, path, message);
        Error { line: Some(number), bad_lines, part, suggestion, ..error }
    };
    match error {
        toml::TomlSyntaxError::NotText(bad) => not_text(path, bytes, &bad).into(),
        toml::TomlSyntaxError::BadLines(lines) => Errors(lines.into_iter().map(describe).collect()),
    }
}

/// Windows editors write UTF-16 when they say Unicode, and start files with these bytes.
const UTF_16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

fn not_text(path: &Path, bytes: &[u8], bad: &NotText) -> Error {
    let file = quote(&path.to_string_lossy());
    let is_utf_16 = UTF_16_MARKS.iter().any(|mark| bytes.starts_with(mark));
    let hint = if is_utf_16 { ": it is UTF-16, save it as UTF-8" } else { "" };
    let message =
        format!("byte {:#04x} in position {} of {file} is not valid UTF-8{hint}", bad.byte, bad.offset);
    let before = bytes.get(..bad.offset).unwrap_or_default();
    let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
    Error { line: Some(line), ..Error::about_file(ErrorKind::Syntax, path, message) }
}

/// The error in the first line of a file without headers.
const NO_HEADER: &str = "an option stands before the first [section]";

/// The error in all other lines that can't be parsed.
const BAD_LINE: &str = "this is neither a [section] nor an option (key=value)";

/// Supervisor's texts, which contain file and lines themselves.
fn ini_error(path: &Path, bytes: &[u8], error: &SyntaxError) -> Error {
    let file = quote(&path.to_string_lossy());
    let (bad_lines, message) = match error {
        SyntaxError::NotText(bad) => return not_text(path, bytes, bad),
        SyntaxError::NoHeader(BadLine { number, raw }) => {
            let raw = quote(raw);
            (
                vec![(*number, Cow::Borrowed(NO_HEADER))],
                format!("File contains no section headers.\nfile: {file}, line: {number}\n{raw}"),
            )
        }
        SyntaxError::BadLines(lines) => {
            let describe =
                |BadLine { number, raw }: &BadLine| format!("\n\t[line {number:2}]: {}", quote(raw));
            let lines_shown: String = lines.iter().map(describe).collect();
            let bad = lines.iter().map(|line| (line.number, Cow::Borrowed(BAD_LINE))).collect();
            (bad, format!("Source contains parsing errors: {file}{lines_shown}"))
        }
    };
    let line = bad_lines.first().map(|(line, _)| *line);
    Error { line, bad_lines, ..Error::about_file(ErrorKind::Syntax, path, message) }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, MAIN, errors_in, notices_in};
    use super::super::load;
    use super::*;

    fn load_main(machine: &Fake) -> Result<crate::model::Settings, String> {
        load(Path::new(MAIN), &[], machine).map_err(|errors| errors.to_string())
    }

    #[test]
    fn included_files_lie_over_the_main_one() {
        let machine = Fake::main(
            "[include]\nfiles = %(here)s/d/*.ini\n  b.%(host_node_name)s nope-%(ENV_X)s ~/n\n[supervisord]\n",
        )
        .variable("X", "y z")
        .file("/etc/d/2.ini", "[supervisord]\nidentifier=two\n[program:p]\ncommand=%(here)s %%(here)s\n")
        .file("/etc/d/1.ini", "[supervisord]\nidentifier=one\n[include]\nfiles=/etc/ignored\n")
        .file("/etc/d/.3.ini", "[bad")
        .file("/etc/b.node1", "[program:p]\nautostart=0\n")
        .file("/etc/ignored", "[bad");
        let settings = load_main(&machine).unwrap();
        assert_eq!(settings.daemon.identifier, "two");
        let process = &settings.groups[0].processes[0];
        assert_eq!((process.command.as_str(), process.autostart), ("/etc/d %(here)s", false));
        let shown: Vec<_> =
            settings.notices.iter().map(|notice| (notice.level, notice.text.as_str())).collect();
        assert_eq!(
            shown,
            [
                (LogLevel::Info, "Included extra file \"/etc/d/1.ini\" during parsing"),
                (LogLevel::Info, "Included extra file \"/etc/d/2.ini\" during parsing"),
                (LogLevel::Info, "Included extra file \"/etc/b.node1\" during parsing"),
                (LogLevel::Warn, "No file matches via include \"/etc/nope-y\""),
                (LogLevel::Warn, "No file matches via include \"/etc/z\""),
                (LogLevel::Warn, "No file matches via include \"/etc/~/n\""),
            ]
        );
    }

    #[test]
    fn a_file_is_read_as_often_as_it_is_matched() {
        let machine = Fake::main("[supervisord]\n[include]\nfiles=a.ini b.ini a.*\n")
            .file("/etc/a.ini", "[supervisord]\nidentifier=a\n")
            .file("/etc/b.ini", "[supervisord]\nidentifier=b\n");
        let settings = load_main(&machine).unwrap();
        assert_eq!(settings.daemon.identifier, "a");
        let shown: Vec<_> = settings.notices.iter().map(|notice| notice.text.as_str()).collect();
        assert_eq!(
            shown,
            ["a", "b", "a"].map(|name| format!("Included extra file \"/etc/{name}.ini\" during parsing"))
        );
    }

    #[test]
    fn errors_name_the_included_file() {
        let main = "[supervisord]\n[include]\nfiles=a.ini b.ini c.ini\n";
        let machine = Fake::main(main)
            .file("/etc/a.ini", "[program:p]\nfoo\ncommand=x\nbar\n")
            .file("/etc/b.ini", "x")
            .file("/etc/c.ini", b"[\xff");
        let expected = "Source contains parsing errors: '/etc/a.ini'\n\
            \t[line  2]: 'foo\\n'\n\t[line  4]: 'bar\\n'\n\
            File contains no section headers.\nfile: '/etc/b.ini', line: 1\n'x'\n\
            byte 0xff in position 1 of '/etc/c.ini' is not valid UTF-8";
        assert_eq!(load_main(&machine), Err(expected.to_owned()));
        let machine = Fake::main(main).file("/etc/b.ini", "[program:p]\ncommand=a\nautostart=no way");
        let expected = "not a valid boolean value: 'no way' in section 'program:p' \
            (file: '/etc/b.ini', line: 3, option: autostart)";
        assert_eq!(load_main(&machine), Err(expected.to_owned()));
    }

    #[test]
    fn an_include_must_name_files() {
        let expected = "Format string '%(nope)s' for 'include.files' contains names ('nope')";
        assert!(errors_in("[supervisord]\n[include]\nfiles=%(nope)s")[0].starts_with(expected));
        let expected = ".ini file has [include] section, but no files setting in section 'include' \
            (file: '/etc/x.conf', line: 2)";
        assert_eq!(errors_in("[supervisord]\n[include]"), [expected]);
        assert_eq!(
            notices_in("[supervisord]\n[include]\nfiles=/var/log"),
            ["could not read included file \"/var/log\": is a directory",]
        );
    }

    #[test]
    fn files_must_be_there_and_of_a_sane_size() {
        let message =
            |path: &str, machine: &Fake| load(Path::new(path), &[], machine).unwrap_err().to_string();
        assert_eq!(message("/nope", &Fake::new()), "could not find config file /nope");
        assert_eq!(message("/tmp", &Fake::new()), "could not read config file /tmp: is a directory");
        let wide = Fake::new().file("/wide", b"\xff\xfe[\0s\0");
        assert!(message("/wide", &wide).ends_with("it is UTF-16, save it as UTF-8"));
        let large = Fake::new().file("/large", vec![b'\n'; FILE_BYTES_MAX + 1]);
        assert_eq!(message("/large", &large), "config file /large has more than 16777216 bytes");
    }
}
