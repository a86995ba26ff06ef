//! The files of a configuration: the main one and those that `[include]` names.

use std::io;
use std::path::Path;

use crate::model::{LogLevel, Notice};

use super::error::{Error, ErrorKind, Errors};
use super::expand::{Names, Value};
use super::ini::{BadLine, Document, SyntaxError, parse};
use super::options::SectionKind;
use super::quote::quote;
use super::reader::SectionReader;
use super::reading::{Findings, Reading};
use super::surroundings::Surroundings;
use super::values;

/// Largest file that is read.
pub const FILE_BYTES_MAX: usize = 16 << 20;

/// Most files that one configuration includes.
pub const INCLUDED_FILES_MAX: usize = 10_000;

/// Reads the main file.
pub(super) fn read_main(path: &Path, around: &dyn Surroundings) -> Result<Document, Errors> {
    let mut document = Document::default();
    let bytes = around.read(path).map_err(|error| {
        let problem = if error.kind() == io::ErrorKind::NotFound { "find" } else { "read" };
        let message = format!("could not {problem} config file {}", path.display());
        Error::about_file(ErrorKind::File, path, message)
    })?;
    add(&mut document, path, &bytes, around)?;
    Ok(document)
}

/// Reads the main file and lays the included ones over it.
///
/// What is wrong with `[include]` itself is a finding like others; a file that can't be parsed is
/// an error at once.
pub(super) fn read_all(
    path: &Path,
    around: &dyn Surroundings,
    host_node_name: &str,
    names: &Names<'_>,
) -> Result<(Document, Findings), Errors> {
    let mut document = read_main(path, around)?;
    let mut reading = Reading::new(&document, around, host_node_name, Findings::default());
    let patterns = patterns(&mut reading, names);
    let mut findings = reading.into_findings();
    let mut errors = Vec::new();
    for pattern in patterns {
        let found = around.glob(&pattern);
        if found.is_empty() {
            let text = format!("No file matches via include \"{pattern}\"");
            findings.notices.push(Notice { level: LogLevel::Warn, text });
        }
        for path in found {
            match include(&mut document, &path, around) {
                Ok(notice) => findings.notices.push(notice),
                Err(found) => errors.extend(found.0),
            }
        }
    }
    if errors.is_empty() { Ok((document, findings)) } else { Err(Errors(errors)) }
}

/// The absolute patterns of `[include] files`, if there is such a section.
fn patterns<'a>(reading: &mut Reading<'a>, names: &Names<'_>) -> Vec<String> {
    let document: &'a Document = reading.document;
    let Some(section) = document.section("include") else { return Vec::new() };
    let names = Names::over(names).with("host_node_name", Value::Text(reading.host_node_name));
    let mut options = SectionReader::new(reading, section, SectionKind::Include, &names);
    if !options.is_set("files") {
        options.section_error(".ini file has [include] section, but no files setting".to_owned());
    }
    let files = options.text("files").unwrap_or_default();
    let base = Path::new(&document.file(section.place).here);
    files.split_whitespace().map(|pattern| base.join(pattern).to_string_lossy().into_owned()).collect()
}

/// A match that can't be read is no error. COMPAT: but it is told.
fn include(document: &mut Document, path: &Path, around: &dyn Surroundings) -> Result<Notice, Errors> {
    let shown = path.display();
    if document.file_count() > INCLUDED_FILES_MAX {
        let message = format!("more than {INCLUDED_FILES_MAX} files are included");
        return Err(Error::about_file(ErrorKind::File, path, message).into());
    }
    let bytes = match around.read(path) {
        Ok(bytes) => bytes,
        Err(why) => {
            let text = format!("could not read included file \"{shown}\": {why}");
            return Ok(Notice { level: LogLevel::Warn, text });
        }
    };
    add(document, path, &bytes, around)?;
    Ok(Notice { level: LogLevel::Info, text: format!("Included extra file \"{shown}\" during parsing") })
}

fn add(document: &mut Document, path: &Path, bytes: &[u8], around: &dyn Surroundings) -> Result<(), Errors> {
    if bytes.len() > FILE_BYTES_MAX {
        let message = format!("config file {} has more than {FILE_BYTES_MAX} bytes", path.display());
        return Err(Error::about_file(ErrorKind::File, path, message).into());
    }
    let here = values::absolute(path.parent().unwrap_or(path), around);
    let file = document.add_file(path, here.to_string_lossy().into_owned());
    parse(bytes, file, document).map_err(|error| syntax_error(path, &error).into())
}

/// Supervisor's texts, which name file and lines themselves.
fn syntax_error(path: &Path, error: &SyntaxError) -> Error {
    let file = quote(&path.to_string_lossy());
    let (line, message) = match error {
        SyntaxError::NotText(bad) => {
            (None, format!("byte {:#04x} in position {} of {file} is not valid UTF-8", bad.byte, bad.offset))
        }
        SyntaxError::NoHeader(BadLine { number, raw }) => {
            let raw = quote(raw);
            (Some(*number), format!("File contains no section headers.\nfile: {file}, line: {number}\n{raw}"))
        }
        SyntaxError::BadLines(lines) => {
            let told = |BadLine { number, raw }: &BadLine| format!("\n\t[line {number:2}]: {}", quote(raw));
            let lines_told: String = lines.iter().map(told).collect();
            let first = lines.first().map(|line| line.number);
            (first, format!("Source contains parsing errors: {file}{lines_told}"))
        }
    };
    Error { line, ..Error::about_file(ErrorKind::Syntax, path, message) }
}
