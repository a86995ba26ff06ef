//! Encodes values to bytes.
//!
//! Line breaks are the same as in Python's `xmlrpc`: readers ignore them, but replies can then be compared
//! byte for byte with the reference's.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Value;

/// The first line of every document, exactly as in Supervisor's replies.
const DECLARATION: &str = "<?xml version='1.0'?>\n";

/// The approximate number of bytes that one slice adds to a reply: about half a millisecond.
const SLICE_BYTES: usize = 64 * 1024;

/// The number of bytes of a text that are escaped at a time. Escaping may make them five times as large.
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

/// A reply with a value.
#[must_use]
pub fn encode_response(value: &Value) -> Vec<u8> {
    Encoder::response(value.clone()).finish()
}

/// A reply with a fault.
#[must_use]
pub fn encode_fault(code: i32, text: &str) -> Vec<u8> {
    Encoder::fault(code, text).finish()
}

/// A document that is written in slices, so that the server can do other work in between.
///
/// A value is freed while it is written: it takes several times as much memory as its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    /// The document so far.
    xml: String,
    /// The parts to write, the next one last.
    parts: Vec<Part>,
    /// The approximate memory of the parts when they were added; 0 once all are written.
    parts_bytes: usize,
    /// The end of the document.
    end: &'static str,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Markup(&'static str),
    Value(Value),
    /// A text that is written from this offset.
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

    /// A reply with a value.
    #[must_use]
    pub fn response(value: Value) -> Self {
        let mut encoder = Self::new(RESPONSE, RESPONSE_END);
        encoder.push(value);
        encoder
    }

    /// A reply with a fault.
    #[must_use]
    pub fn fault(code: i32, text: &str) -> Self {
        let mut encoder = Self::new("<methodResponse>\n<fault>\n", "</fault>\n</methodResponse>\n");
        encoder.push(Value::members([("faultCode", code.into()), ("faultString", text.into())]));
        encoder
    }

    /// A reply with an array, to which [`Encoder::push`] adds items.
    #[must_use]
    pub fn array_response() -> Self {
        let mut encoder =
            Self::new(RESPONSE, "</data></array></value>\n</param>\n</params>\n</methodResponse>\n");
        encoder.xml.push_str("<value><array><data>\n");
        encoder
    }

    /// Adds a value after the written parts. All of them must be written.
    pub fn push(&mut self, value: Value) {
        self.encode_all();
        let bytes = value.bytes();
        // The approximate size including tags, so that a long document is not moved while it grows.
        self.xml.reserve(bytes / 2 * 3);
        self.parts_bytes = bytes;
        self.parts.push(Part::Value(value));
    }

    /// Writes a slice. True once everything is written.
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

    /// The approximate memory, including the parts to write.
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

/// The last character boundary at or before this offset.
fn floor_boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Escapes markup and replaces characters that XML 1.0 can't contain. A carriage return is kept, and its
/// reader turns it into a line feed: Supervisor's clients never saw one.
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

/// XML-RPC has 32-bit integers only, and Python rejects others. The size of a log of 4 GiB is wrong this way;
/// the alternative is no answer at all.
fn capped(number: i64) -> i64 {
    number.clamp(i64::from(i32::MIN), i64::from(i32::MAX))
}

/// Whether a character that begins with this byte may need a replacement. Scanning bytes is several times
/// faster than scanning characters.
fn may_need_replacement(byte: u8) -> bool {
    // U+FFFE and U+FFFF begin with the last one.
    matches!(byte, 0..=0x1f | b'&' | b'<' | b'>' | 0xef)
}

/// The replacement of a character, if it needs one.
fn instead_of(character: char) -> Option<&'static str> {
    match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        character if is_xml_char(character) => None,
        _ => Some("\u{fffd}"),
    }
}

/// The `Char` production of XML 1.0; the surrogates that it excludes are not a `char` anyway.
fn is_xml_char(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        _ => character >= ' ',
    }
}
