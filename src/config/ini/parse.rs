//! Third stage: lines to sections and options.

use std::borrow::Cow;

use memchr::memchr2;

use super::super::document::{DEFAULTS, Document, Entry, Header, Place, Written};
use super::super::options::{OptionList, SectionKind};
use super::characters::{NotText, decode, trim, trim_end};
use super::lines::{Line, lines};

/// A line that is neither a header nor an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// From 1.
    pub number: usize,
    /// The whole line, with its line ending as LF.
    pub raw: String,
}

/// Why a file could not be parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyntaxError {
    /// It is not UTF-8.
    NotText(NotText),
    /// It has an option before its first header.
    NoHeader(BadLine),
    /// All lines that can't be parsed.
    BadLines(Vec<BadLine>),
}

/// The maximum number of bad lines that are remembered; a file with more is not a configuration.
const BAD_LINES_MAX: usize = 100;

/// Adds the content of a file to `document`; later keys override earlier ones, also of other files.
///
/// `file` is the index that [`Document::add_file`] returned.
///
/// # Errors
///
/// All bad lines at once.
pub fn parse(bytes: &[u8], file: usize, document: &mut Document) -> Result<(), SyntaxError> {
    let text = decode(bytes).map_err(SyntaxError::NotText)?;
    let mut parser = Parser {
        document,
        file,
        header: None,
        options: OptionList::default(),
        is_open: false,
        is_command: false,
        command_at: Place { source: file, line: 0 },
        indent: 0,
        bad: Vec::new(),
    };
    for line in lines(text) {
        parser.line(&line)?;
    }
    parser.close();
    if parser.bad.is_empty() { Ok(()) } else { Err(SyntaxError::BadLines(parser.bad)) }
}

struct Parser<'d> {
    document: &'d mut Document,
    file: usize,
    /// The section that options are added to.
    header: Option<Header>,
    /// The options that such a section has.
    options: OptionList,
    /// Whether its last option may be continued.
    is_open: bool,
    /// The position of its last option, if that is a command.
    is_command: bool,
    command_at: Place,
    /// The indent of the last header or option.
    indent: usize,
    bad: Vec<BadLine>,
}

impl Parser<'_> {
    fn line(&mut self, line: &Line<'_>) -> Result<(), SyntaxError> {
        if line.content.is_empty() {
            if !line.has_comment {
                self.continue_value("");
            }
            return Ok(());
        }
        if self.is_open && line.indent > self.indent {
            self.continue_value(line.content);
            self.remember_comment(line);
            return Ok(());
        }
        self.indent = line.indent;
        if let Some(name) = header_name(line.content) {
            self.open_section(name, line.number);
        } else if let Some(header) = self.header {
            self.option(header, line);
        } else {
            return Err(SyntaxError::NoHeader(BadLine::of(line)));
        }
        Ok(())
    }

    fn open_section(&mut self, name: &str, line: usize) {
        self.close();
        let header = match name {
            DEFAULTS => Header::Defaults,
            name => self.document.open(name, Place { source: self.file, line }),
        };
        self.header = Some(header);
        self.options = SectionKind::of(name).map(|(kind, _)| kind.options()).unwrap_or_default();
    }

    fn option(&mut self, header: Header, line: &Line<'_>) {
        let Some(end) = memchr2(b'=', b':', line.content.as_bytes()) else {
            self.remember_bad(line);
            return;
        };
        self.close();
        let (key, value) = (trim(&line.content[..end]), &line.content[end + 1..]);
        if key.is_empty() {
            self.remember_bad(line);
            return;
        }
        let place = Place { source: self.file, line: line.number };
        let value = Written::Text(trim(value).to_owned());
        let entry = Entry { key: self.key(key), value, place };
        self.is_command = entry.key == "command";
        self.command_at = place;
        self.document.section_mut(header).push(entry);
        self.is_open = true;
        self.remember_comment(line);
    }

    /// The same few keys occur in every program, so known ones are not copied.
    fn key(&self, key: &str) -> Cow<'static, str> {
        let known = self.options.named(key).map(|option| option.name).filter(|name| *name == key);
        known.map_or_else(|| Cow::Owned(key.to_lowercase()), Cow::Borrowed)
    }

    fn continue_value(&mut self, content: &str) {
        if let Some(text) = self.open_text() {
            text.push('\n');
            text.push_str(content);
        }
    }

    /// Ends the open option and removes trailing blank lines from it.
    fn close(&mut self) {
        if let Some(text) = self.open_text() {
            text.truncate(trim_end(text).len());
        }
        self.is_open = false;
    }

    fn open_text(&mut self) -> Option<&mut String> {
        let header = self.header.filter(|_| self.is_open)?;
        self.document.section_mut(header).last_text_mut()
    }

    /// Only for commands: a shell has a different notion of a semicolon.
    fn remember_comment(&mut self, line: &Line<'_>) {
        if self.is_command && line.has_comment {
            self.document.remember_comment(self.command_at, line.comment());
        }
    }

    fn remember_bad(&mut self, line: &Line<'_>) {
        if self.bad.len() < BAD_LINES_MAX {
            self.bad.push(BadLine::of(line));
        }
    }
}

impl BadLine {
    fn of(line: &Line<'_>) -> Self {
        Self { number: line.number, raw: format!("{}{}", line.raw, if line.is_ended { "\n" } else { "" }) }
    }
}

/// The text between the first bracket and the last closing one; the rest is ignored.
fn header_name(content: &str) -> Option<&str> {
    let inner = content.strip_prefix('[')?;
    inner.rfind(']').map(|end| &inner[..end]).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::super::document::Section;
    use super::*;
    use std::path::Path;

    fn document_of(texts: &[&[u8]]) -> Result<Document, SyntaxError> {
        let mut document = Document::default();
        for text in texts {
            let file = document.add_file(Path::new("x.conf"), "/".to_owned());
            parse(text, file, &mut document)?;
        }
        Ok(document)
    }

    /// `[section]key=value;` with newlines as `|`.
    fn summary(document: &Document) -> String {
        let section = |section: &Section| {
            let option = |e: &Entry| format!("{}={};", e.key, e.value.shown().unwrap_or_default());
            let options = section.entries().iter().map(option);
            format!("[{}]{}", section.name, options.collect::<String>())
        };
        document.sections().iter().map(section).collect::<String>().replace('\n', "|")
    }

    #[test]
    fn reads_what_python_reads() {
        for (text, expected) in [
            ("", ""),
            ("; only\n# comments\n", ""),
            ("[a]\nx=1", "[a]x=1;"),
            ("\u{feff}[a]\nx=1", "[a]x=1;"),
            ("[a]foo\n[b] ; c\n[c[d]e]\n[f]]\n[ g h ]", "[a][b][c[d]e][f]][ g h ]"),
            ("[a]\nX-y.Z k = V:w=x\nb : c", "[a]x-y.z k=V:w=x;b=c;"),
            ("[a]\nx=\ny = ;no\nz=;yes", "[a]x=;y=;z=;yes;"),
            ("[a]\nx=1\n  2 ; c\n\t3\n", "[a]x=1|2|3;"),
            ("[a]\nx=1\n\n  2\n \n\n\ny=3", "[a]x=1||2;y=3;"),
            ("[a]\nx=1\n  ; gone\n  2\n# gone\n  3", "[a]x=1|2|3;"),
            ("[a]\n  x=1\n  y=2\n    z=3\n y=4", "[a]x=1;y=2|z=3;y=4;"),
            ("  [a]\n  x=1", "[a]x=1;"),
            ("[a]\nx=1\n  [b]\ny=2", "[a]x=1|[b];y=2;"),
            ("[a]\nx=1\n[b]\n[a]\ny=2", "[a]x=1;y=2;[b]"),
            ("[a]\nx=1 \\\ny=2", "[a]x=1 \\;y=2;"),
            ("[a]\r\nx=1\r  2\r\n", "[a]x=1|2;"),
            ("[a]\nx=a;b#c\ny='a ; b'", "[a]x=a;b#c;y='a;"),
            ("[a]\nx=\n  1\n  2", "[a]x=|1|2;"),
            ("[a]\nÄ=1", "[a]ä=1;"),
            ("[a]\nx=\"1\"\ny = 'b c' ", "[a]x=\"1\";y='b c';"),
            ("[A]\n[a]", "[A][a]"),
            ("[a]\nx=b\u{c}c\u{b}d\u{2028}e\ny=1", "[a]x=b\u{c}c\u{b}d\u{2028}e;y=1;"),
        ] {
            let read = document_of(&[text.as_bytes()]).map(|document| summary(&document));
            assert_eq!(read.as_deref(), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn later_keys_and_files_override_and_keep_their_places() {
        let document =
            document_of(&[b"[a]\nx=1\nx=2\n[DEFAULT]\nz=9\n[default]\ny=9\n", b"\n[b]\n[a]\nx=3"]).unwrap();
        let section = document.section("a").unwrap();
        assert_eq!(section.place, Place { source: 0, line: 1 });
        let entry = document.entry(section, "x").unwrap();
        assert_eq!(
            (&entry.value, entry.place),
            (&Written::Text("3".to_owned()), Place { source: 1, line: 4 })
        );
        assert_eq!(
            document.entry(section, "z").map(|entry| &entry.value),
            Some(&Written::Text("9".to_owned()))
        );
        assert_eq!(document.entry(section, "y"), None);
        assert!(document.section("DEFAULT").is_none());
    }

    #[test]
    fn reports_all_bad_lines() {
        let bad = |lines: &[(usize, &str)]| {
            let bad_line = |&(number, raw): &(usize, &str)| BadLine { number, raw: raw.to_owned() };
            SyntaxError::BadLines(lines.iter().map(bad_line).collect())
        };
        for (text, expected) in [
            ("[a]\nfoo\nx=1\n bar\nbaz ; c", bad(&[(2, "foo\n"), (5, "baz ; c")])),
            ("[a]\n=1\n  y\n[]\n", bad(&[(2, "=1\n"), (3, "  y\n"), (4, "[]\n")])),
            ("[a]\n[b", bad(&[(2, "[b")])),
        ] {
            assert_eq!(document_of(&[text.as_bytes()]).unwrap_err(), expected, "{text:?}");
        }
        for text in ["\n\nrem x=1\n[a]", "; c\n\n[]\n", "\n\n[a\n"] {
            let error = document_of(&[text.as_bytes()]).unwrap_err();
            assert!(matches!(error, SyntaxError::NoHeader(BadLine { number: 3, .. })), "{text:?}: {error:?}");
        }
        let not_text = document_of(&[b"[a]\nx=\xc3("]).unwrap_err();
        assert_eq!(not_text, SyntaxError::NotText(NotText { byte: 0xc3, offset: 6 }));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        const PIECES: [&[u8]; 18] = [
            b"[",
            b"]",
            b"=",
            b":",
            b";",
            b"#",
            b" ",
            b"\t",
            b"\n",
            b"\r",
            b"\r\n",
            b"a",
            b"DEFAULT",
            b"%(a)s",
            "\u{a0}".as_bytes(),
            "é".as_bytes(),
            b"\x1c",
            b"\0",
        ];
        let mut seed: u32 = 7;
        for _ in 0..3_000 {
            let mut text = b"[a]\n".to_vec();
            for _ in 0..30 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                text.extend_from_slice(PIECES[(seed >> 16) as usize % PIECES.len()]);
            }
            if let Ok(document) = document_of(&[&text, &text]) {
                assert!(document.section("a").is_some());
            }
        }
    }
}
