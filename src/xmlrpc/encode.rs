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

/// A request to call `method`.
#[must_use]
pub fn encode_call(method: &str, params: &[Value]) -> Vec<u8> {
    let mut xml = Writer::new();
    xml.markup("<methodCall>\n<methodName>");
    xml.text(method);
    xml.markup("</methodName>\n<params>\n");
    for param in params {
        xml.param(param);
    }
    xml.markup("</params>\n</methodCall>\n");
    xml.finish()
}

/// A reply with its one value.
#[must_use]
pub fn encode_response(value: &Value) -> Vec<u8> {
    let mut xml = Writer::new();
    // About what it comes to with its tags, so that the document of a long answer is not moved as it grows.
    xml.xml.reserve(value.bytes() / 2 * 3);
    xml.markup("<methodResponse>\n<params>\n");
    xml.param(value);
    xml.markup("</params>\n</methodResponse>\n");
    xml.finish()
}

/// A reply whose one value is an array, written item by item: an item takes several times as much memory as
/// a [`Value`] than as text.
#[derive(Clone, Debug, PartialEq)]
pub struct ArrayResponse {
    xml: Writer,
}

impl ArrayResponse {
    /// A reply with an empty array.
    #[must_use]
    pub fn new() -> Self {
        let mut xml = Writer::new();
        xml.markup("<methodResponse>\n<params>\n<param>\n<value><array><data>\n");
        Self { xml }
    }

    /// Adds an item to the array.
    pub fn push(&mut self, item: &Value) {
        self.xml.value(item);
    }

    /// What the reply comes to so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.xml.xml.len()
    }

    /// The complete reply.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.xml.markup("</data></array></value>\n</param>\n</params>\n</methodResponse>\n");
        self.xml.finish()
    }
}

impl Default for ArrayResponse {
    fn default() -> Self {
        Self::new()
    }
}

/// A reply that says why not.
#[must_use]
pub fn encode_fault(code: i32, text: &str) -> Vec<u8> {
    let mut xml = Writer::new();
    xml.markup("<methodResponse>\n<fault>\n");
    xml.value(&Value::members([("faultCode", code.into()), ("faultString", text.into())]));
    xml.markup("</fault>\n</methodResponse>\n");
    xml.finish()
}

/// The document so far. Only [`Writer::text`] takes what others wrote.
#[derive(Clone, Debug, PartialEq)]
struct Writer {
    xml: String,
}

impl Writer {
    fn new() -> Self {
        Self { xml: DECLARATION.to_owned() }
    }

    fn finish(self) -> Vec<u8> {
        self.xml.into_bytes()
    }

    fn markup(&mut self, markup: &str) {
        self.xml.push_str(markup);
    }

    /// Escapes what means markup and replaces what XML 1.0 can't hold. A carriage return stays as
    /// it is, which its reader takes for a line feed: Supervisor's clients never saw one.
    fn text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.bytes().position(may_need_replacement) {
            self.xml.push_str(&rest[..at]);
            let mut characters = rest[at..].chars();
            if let Some(character) = characters.next() {
                match instead_of(character) {
                    Some(replacement) => self.xml.push_str(replacement),
                    None => self.xml.push(character),
                }
            }
            rest = characters.as_str();
        }
        self.xml.push_str(rest);
    }

    fn param(&mut self, value: &Value) {
        self.markup("<param>\n");
        self.value(value);
        self.markup("</param>\n");
    }

    fn value(&mut self, value: &Value) {
        self.markup("<value>");
        match value {
            Value::Int(number) => self.scalar("int", &capped(*number).to_string()),
            Value::Bool(truth) => self.scalar("boolean", if *truth { "1" } else { "0" }),
            Value::Double(number) => self.scalar("double", &number.to_string()),
            Value::String(text) => self.scalar("string", text),
            Value::DateTime(text) => self.scalar("dateTime.iso8601", text),
            Value::Base64(bytes) => self.scalar("base64", &STANDARD.encode(bytes)),
            Value::Array(items) => self.array(items),
            Value::Struct(members) => self.structure(members),
        }
        self.markup("</value>\n");
    }

    fn scalar(&mut self, kind: &str, text: &str) {
        self.xml.extend(["<", kind, ">"]);
        self.text(text);
        self.xml.extend(["</", kind, ">"]);
    }

    fn array(&mut self, items: &[Value]) {
        self.markup("<array><data>\n");
        for item in items {
            self.value(item);
        }
        self.markup("</data></array>");
    }

    fn structure(&mut self, members: &[(Cow<'static, str>, Value)]) {
        self.markup("<struct>\n");
        for (name, value) in members {
            self.markup("<member>\n<name>");
            self.text(name);
            self.markup("</name>\n");
            self.value(value);
            self.markup("</member>\n");
        }
        self.markup("</struct>");
    }
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
