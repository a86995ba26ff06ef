//! Values to bytes.
//!
//! Line breaks stand where Python's `xmlrpc` puts them: readers don't care, but replies can then be
//! compared byte for byte with the reference's.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Value;

/// The first line of every document. Supervisor's replies start with these very bytes.
const DECLARATION: &str = "<?xml version='1.0'?>\n";

/// Bytes that one slice of a reply adds to it, give or take one escaped piece of text: about half a millisecond.
const SLICE_BYTES: usize = 64 * 1024;

/// Bytes of a text that are escaped at a time. Escaped they may take five times as much.
const TEXT_PIECE_BYTES: usize = 8 * 1024;

const RESPONSE: &str = "<methodResponse>\n<params>\n<param>\n";
const RESPONSE_END: &str = "</param>\n</params>\n</methodResponse>\n";

/// A request to call `method`.
#[must_use]
pub fn encode_call(method: &str, params: &[Value]) -> Vec<u8> {
    let mut call = Encoder::new("<methodCall>\n<methodName>", "</params>\n</methodCall>\n");
    escape(method, &mut call.xml);
    call.xml.push_str("</methodName>\n<params>\n");
    for param in params {
        call.xml.push_str("<param>\n");
        call.push(param.clone());
        call.encode_all();
        call.xml.push_str("</param>\n");
    }
    call.finish()
}

/// A reply with its one value.
#[must_use]
pub fn encode_response(value: &Value) -> Vec<u8> {
    Encoder::response(value.clone()).finish()
}

/// A reply that says why not.
#[must_use]
pub fn encode_fault(code: i32, text: &str) -> Vec<u8> {
    Encoder::fault(code, text).finish()
}

/// A document that is written in slices, so that the writer of a long one can do other things in between.
///
/// A value is freed while it is written: it takes several times as much memory as its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    /// The document so far.
    xml: String,
    /// What is to be written, the next part last.
    parts: Vec<Part>,
    /// About what the parts took when they were added; 0 once all are written.
    parts_bytes: usize,
    /// What ends the document.
    end: &'static str,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Markup(&'static str),
    Value(Value),
    /// A text that is written from this byte on.
    Text(String, usize),
    /// The items of an array, the next one last.
    Items(Vec<Value>),
    /// The members of a struct, the next one last.
    Members(Vec<(Cow<'static, str>, Value)>),
}

impl Encoder {
    fn new(begin: &str, end: &'static str) -> Self {
        Self { xml: format!("{DECLARATION}{begin}"), parts: Vec::new(), parts_bytes: 0, end }
    }

    /// A reply with its one value.
    #[must_use]
    pub fn response(value: Value) -> Self {
        let mut encoder = Self::new(RESPONSE, RESPONSE_END);
        encoder.push(value);
        encoder
    }

    /// A reply that says why not.
    #[must_use]
    pub fn fault(code: i32, text: &str) -> Self {
        let mut encoder = Self::new("<methodResponse>\n<fault>\n", "</fault>\n</methodResponse>\n");
        encoder.push(Value::members([("faultCode", code.into()), ("faultString", text.into())]));
        encoder
    }

    /// A reply whose one value is an array, to which [`Encoder::push`] adds items.
    #[must_use]
    pub fn array_response() -> Self {
        let mut encoder =
            Self::new(RESPONSE, "</data></array></value>\n</param>\n</params>\n</methodResponse>\n");
        encoder.xml.push_str("<value><array><data>\n");
        encoder
    }

    /// Adds a value behind what was written, which has to be all there is.
    pub fn push(&mut self, value: Value) {
        self.encode_all();
        let bytes = value.bytes();
        // About what it comes to with its tags, so that the document of a long answer is not moved as it grows.
        self.xml.reserve(bytes / 2 * 3);
        self.parts_bytes = bytes;
        self.parts.push(Part::Value(value));
    }

    /// Writes a slice of what is left. True once nothing is.
    pub fn encode_slice(&mut self) -> bool {
        let until = self.xml.len() + SLICE_BYTES;
        while self.xml.len() < until {
            let Some(part) = self.parts.pop() else {
                self.parts_bytes = 0;
                return true;
            };
            self.write(part);
        }
        false
    }

    /// The size of the document so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.xml.len()
    }

    /// About how much memory it takes, with what is to be written.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.xml.capacity() + self.parts_bytes
    }

    /// The complete document.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.encode_all();
        self.xml.push_str(self.end);
        self.xml.into_bytes()
    }

    fn encode_all(&mut self) {
        while !self.encode_slice() {}
    }

    fn write(&mut self, part: Part) {
        match part {
            Part::Markup(markup) => self.xml.push_str(markup),
            Part::Value(value) => self.write_value(value),
            Part::Text(text, at) => {
                let end = floor_boundary(&text, at + TEXT_PIECE_BYTES);
                escape(&text[at..end], &mut self.xml);
                if end < text.len() {
                    self.parts.push(Part::Text(text, end));
                }
            }
            Part::Items(mut items) => {
                if let Some(item) = items.pop() {
                    self.parts.extend([Part::Items(items), Part::Value(item)]);
                }
            }
            Part::Members(mut members) => {
                if let Some((name, value)) = members.pop() {
                    self.xml.push_str("<member>\n<name>");
                    escape(&name, &mut self.xml);
                    self.xml.push_str("</name>\n");
                    self.parts.extend([
                        Part::Members(members),
                        Part::Markup("</member>\n"),
                        Part::Value(value),
                    ]);
                }
            }
        }
    }

    fn write_value(&mut self, value: Value) {
        let mut scalar = |open, text: String, close| {
            self.xml.push_str(open);
            self.parts.extend([Part::Markup(close), Part::Text(text, 0)]);
        };
        match value {
            Value::Int(number) => {
                scalar("<value><int>", capped(number).to_string(), "</int></value>\n");
            }
            Value::Bool(truth) => self.xml.push_str(match truth {
                true => "<value><boolean>1</boolean></value>\n",
                false => "<value><boolean>0</boolean></value>\n",
            }),
            Value::Double(number) => {
                scalar("<value><double>", number.to_string(), "</double></value>\n");
            }
            Value::String(text) => scalar("<value><string>", text, "</string></value>\n"),
            Value::DateTime(text) => {
                scalar("<value><dateTime.iso8601>", text, "</dateTime.iso8601></value>\n");
            }
            Value::Base64(bytes) => {
                scalar("<value><base64>", STANDARD.encode(bytes), "</base64></value>\n");
            }
            Value::Array(mut items) => {
                items.reverse();
                self.xml.push_str("<value><array><data>\n");
                self.parts.extend([Part::Markup("</data></array></value>\n"), Part::Items(items)]);
            }
            Value::Struct(mut members) => {
                members.reverse();
                self.xml.push_str("<value><struct>\n");
                self.parts.extend([Part::Markup("</struct></value>\n"), Part::Members(members)]);
            }
        }
    }
}

/// The end of the last whole character before this place.
fn floor_boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Escapes what means markup and replaces what XML 1.0 can't hold. A carriage return stays as it is, which its
/// reader takes for a line feed: Supervisor's clients never saw one.
fn escape(text: &str, xml: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(may_need_replacement) {
        xml.push_str(&rest[..at]);
        let mut characters = rest[at..].chars();
        if let Some(character) = characters.next() {
            match instead_of(character) {
                Some(replacement) => xml.push_str(replacement),
                None => xml.push(character),
            }
        }
        rest = characters.as_str();
    }
    xml.push_str(rest);
}

/// XML-RPC knows 32-bit integers only, and Python refuses to read others. A log of 4 GiB has a
/// wrong size this way; the alternative is no answer at all.
fn capped(number: i64) -> i64 {
    number.clamp(i64::from(i32::MIN), i64::from(i32::MAX))
}

/// Whether a character that begins with this byte may be one that can't stand for itself. Bytes are looked through
/// several times as fast as characters.
fn may_need_replacement(byte: u8) -> bool {
    // U+FFFE and U+FFFF begin with the last one.
    matches!(byte, 0..=0x1f | b'&' | b'<' | b'>' | 0xef)
}

/// What stands for a character that can't stand for itself.
fn instead_of(character: char) -> Option<&'static str> {
    match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        character if is_xml_char(character) => None,
        _ => Some("\u{fffd}"),
    }
}

/// The `Char` production of XML 1.0; the surrogates that it leaves out are no `char` anyway.
fn is_xml_char(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        _ => character >= ' ',
    }
}
